// SPDX-License-Identifier: BSD-3-Clause
import SwiftletModel
import SwiftletWire
import Testing

@Suite struct NodeWordsTests {
    @Test(arguments: [
        "name=n1 core_ids=0-1,4/2-3 gpus=0,GPU-5f memory=8589934592 up=0", "name=n2 cores=4", "", "cores=0 memory=0",
    ])
    func wordsComeBack(words: String) throws {
        #expect(try Node(words).words == words)
    }

    @Test func everyWordIsRead() throws {
        let node = try Node("up=0 memory=10 gpus=MIG-a core_ids=7,0-1/3 name=n")
        #expect(node == Node(name: "n", domains: [[7, 0, 1], [3]], gpus: ["MIG-a"], memory: 10, isUp: false))
        #expect(node.coreCount == 4)
    }

    @Test(arguments: ["cores=-1", "cores=many", "core_ids=3-1", "core_ids=a", "memory=1G", "colour=red", "core_ids=0-99999999"])
    func nonsenseIsRefused(words: String) {
        #expect(throws: WireError.self) { try Node(words) }
    }
}
