// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire
import Testing

@testable import SwiftletTransport

@Suite struct RecordTests {
    private let key = SecretKey(UInt8(0)..<32)!

    private func read(_ bytes: [UInt8], by chunk: Int = .max) throws -> [UInt8] {
        var reader = RecordReader(key: key)
        var content: [UInt8] = []
        try bytes.withUnsafeBytes { all in
            var rest = all[...]
            while !rest.isEmpty {
                let piece = rest.prefix(chunk)
                try reader.add(UnsafeRawBufferPointer(rebasing: piece)) { content.append(contentsOf: $0) }
                rest = rest.dropFirst(piece.count)
            }
        }
        return content
    }

    private func sealed(_ contents: [[UInt8]]) -> [[UInt8]] {
        var writer = RecordWriter(key: key)
        return contents.map { content in
            var record: [UInt8] = []
            writer.seal(content[...], into: &record)
            return record
        }
    }

    @Test func aRecordIsThatOfTheReference() {
        var writer = RecordWriter(key: Example.transcript.keys(ofListener: false).sending)
        var record: [UInt8] = []
        writer.seal(Array("abc".utf8)[...], into: &record)
        #expect(hex(record) == "03000000" + "616263" + "bfe912a153fa6b918639b7c6a80834521ef4c8569d7db0a763620b2eaf0ab735")
    }

    @Test(arguments: [1, 3, 37, 1000, Int.max]) func arrivesInAnyPieces(chunk: Int) throws {
        let contents = [[1, 2, 3], [UInt8](repeating: 9, count: 5000), [4]]
        #expect(try read(sealed(contents).flatMap(\.self), by: chunk) == contents.flatMap(\.self))
    }

    @Test func everyBitCounts() {
        let record = sealed([[1, 2, 3]])[0]
        for index in record.indices {
            var changed = record
            changed[index] ^= 0x40
            // A changed length may leave the record incomplete: then nothing is handed out either.
            let content = try? read(changed + [UInt8](repeating: 0, count: 128))
            #expect(content == nil || content == [], "byte \(index)")
        }
    }

    @Test func recordsKeepTheirPlace() {
        let records = sealed([[1], [2], [3]])
        #expect(throws: WireError.self) { try read(records[0] + records[0]) }  // replayed
        #expect(throws: WireError.self) { try read(records[1] + records[0]) }  // swapped
        #expect(throws: WireError.self) { try read(records[0] + records[2]) }  // one left out
    }

    @Test func aCutCodeIsNotAccepted() throws {
        let record = sealed([[1, 2, 3]])[0]
        #expect(try read(Array(record.dropLast())) == [])
        #expect(throws: WireError.self) { try read(record.dropLast(5) + sealed([[7]])[0]) }
    }

    @Test func noMemoryIsGivenForAClaim() {
        for claim in [UInt32(0), UInt32(Record.largest + 1), .max] {
            var bytes: [UInt8] = []
            bytes.append(integer: claim)
            #expect(throws: WireError("a record claims \(claim) bytes")) { try read(bytes) }
        }
    }
}
