// SPDX-License-Identifier: BSD-3-Clause
import SwiftletStore
import Testing

@Suite struct EntryFormatTests {
    static let header = EntryHeader(
        key: "sum1", kind: .value, function: "sum", inputs: ["a/b"],
        parts: [.init(name: "value", length: 3), .init(name: "value", length: 0), .init(name: "function", length: 2)],
        resources: ["cores": .integer(2), "cwd": .null, "memory": .number(1.5)], provenance: ["host": .text("n1")])
    static let bytes = EntryFormat.encode(.outcome, header, parts: [[1, 2, 3], [], [9, 8]])

    @Test func comesBackAsItWas() throws {
        let (header, parts) = try EntryFormat.decode(.outcome, Self.bytes, key: "sum1")
        #expect(header == Self.header)
        #expect(parts.map(Array.init) == [[1, 2, 3], [], [9, 8]])
    }

    @Test func everyCutIsSeen() {
        for length in 0..<Self.bytes.count {
            #expect(throws: EntryFault.self) { try EntryFormat.decode(.outcome, Array(Self.bytes[..<length]), key: "sum1") }
        }
    }

    @Test func everyFlippedBitIsSeen() {
        for index in Self.bytes.indices {
            var changed = Self.bytes
            changed[index] ^= 1 << UInt8(index % 8)
            #expect(throws: EntryFault.self) { try EntryFormat.decode(.outcome, changed, key: "sum1") }
        }
    }

    @Test func anotherKeyOrRoleIsRefused() {
        #expect(throws: EntryFault.mistaken("names another key, sum1")) {
            try EntryFormat.decode(.outcome, Self.bytes, key: "sum2")
        }
        #expect(throws: EntryFault.mistaken("is not a task entry")) {
            try EntryFormat.decode(.task, Self.bytes, key: "sum1")
        }
    }
}
