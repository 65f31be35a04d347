// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import Testing

@Suite struct ListTests {
    @Test func idsetsUnfoldAndFold() {
        #expect(RangeList.ids("0-3,7") == [0, 1, 2, 3, 7])
        #expect(RangeList.ids("[5]") == [5])
        #expect(RangeList.ids("") == [])
        #expect(RangeList.text([7, 0, 1, 2, 3]) == "0-3,7")
        #expect(RangeList.text([Int]()).isEmpty)
    }

    @Test(arguments: ["a", "1-", "-1", "3-1", "1,,2", "[1", "0-999999999", "1--2", "99999999999999999999"])
    func whatIsNoIdsetIsRefused(_ text: String) { #expect(RangeList.ids(text) == nil) }

    @Test func hostListsUnfold() {
        #expect(RangeList.hosts("node[08-11,20]") == ["node08", "node09", "node10", "node11", "node20"])
        #expect(RangeList.hosts("vm,vm") == ["vm", "vm"])
        #expect(RangeList.hosts("r[1-2]n[0-1]-ib,login") == ["r1n0-ib", "r1n1-ib", "r2n0-ib", "r2n1-ib", "login"])
        #expect(RangeList.hosts("") == [])
    }

    @Test(arguments: ["node[", "node]", "node[a]", "node[0-999999999]", "n[0-9999]m[0-9999]k[0-9999]", "n[]"])
    func whatIsNoHostListIsRefused(_ text: String) { #expect(RangeList.hosts(text) == nil) }

    @Test func resourcesOfAnInstance() throws {
        let text = """
            {"version":1,"execution":{"R_lite":[{"rank":"0-1","children":{"core":"0-7","gpu":"0-3"}},
            {"rank":"3","children":{"core":"0,2"}}],"starttime":0.0,"expiration":1700000000.5,"nodelist":["node[0-1]","big"]}}
            """
        let resources = try FluxResources(try JSON(parsing: text))
        #expect(
            resources.nodes == [
                FluxNode(rank: 0, host: "node0", cores: Array(0...7), gpus: Array(0...3)),
                FluxNode(rank: 1, host: "node1", cores: Array(0...7), gpus: Array(0...3)),
                FluxNode(rank: 3, host: "big", cores: [0, 2], gpus: []),
            ])
        #expect(resources.coreCount == 18 && resources.gpuCount == 8 && resources.expiration == 1_700_000_000.5)
    }

    @Test func emptyAndBrokenResources() throws {
        #expect(try FluxResources(.null).nodes.isEmpty)
        #expect(try FluxResources(try JSON(parsing: #"{"version":1,"execution":{"R_lite":[]}}"#)).coreCount == 0)
        for broken in [
            #"{"execution":{"R_lite":[{"children":{}}]}}"#, #"{"execution":{"R_lite":[{"rank":"0","children":{"core":"x"}}]}}"#,
            #"{"execution":{"R_lite":[],"nodelist":["n["]}}"#,
        ] {
            #expect(throws: FluxProtocolError.self) { try FluxResources(try JSON(parsing: broken)) }
        }
    }

    @Test func jobIDs() {
        #expect(FluxJobID("ƒ54mznPh")?.description == "ƒ54mznPh")
        #expect(FluxJobID("f54mznPh") == FluxJobID("ƒ54mznPh"))
        #expect(FluxJobID("f54mznPh")?.ascii == "f54mznPh")
        #expect(FluxJobID("12345") == FluxJobID(12345))
        #expect(FluxJobID(FluxJobID(12345).description) == FluxJobID(12345))
        #expect(FluxJobID(0).description == "ƒ1")
        for text in ["", "f", "fl0O", "-1", "x1", "fzzzzzzzzzzzzzzzzzzz"] { #expect(FluxJobID(text) == nil) }
    }

    @Test func addresses() throws {
        #expect(try FluxAddress.socketPath("local:///tmp/flux-x/local-0") == "/tmp/flux-x/local-0")
        #expect(try FluxAddress.socketPath("local:///tmp/a%20b") == "/tmp/a b")
        #expect(try FluxAddress.socketPath(nil) == "/run/flux/local")
        #expect(throws: FluxFault.self) { try FluxAddress.socketPath("ssh://host/tmp/x") }
        #expect(FluxAddress.hint(for: FluxFault("no such file"), uri: nil).contains("hint: run this program inside an instance"))
    }
}
