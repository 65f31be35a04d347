// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire
import Testing

@Suite struct PayloadTests {
    @Test func inlinePartsComeBack() throws {
        let payload = Payload(inline: [1, 2, 3] as [UInt8])
        let parts = try payload.bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            return try Payload.inlineParts(&reader)
        }
        #expect(parts == [[1, 2, 3]])
    }

    @Test func partsInSegmentsAreReported() throws {
        var bytes: [UInt8] = []
        bytes.append(integer: UInt16(2))
        bytes.append(0)
        bytes.append(integer: UInt64(1))
        bytes.append(7)
        bytes.append(1)
        bytes.append(integer: UInt64(42))
        bytes.append(integer: UInt64(4096))
        bytes.append(integer: UInt64(100_000))
        var parts: [Payload.SegmentPart] = []
        try bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            try Payload.scan(&reader) { parts.append($0) }
            #expect(reader.remaining == 0)
        }
        #expect(parts.map(\.segment) == [42])
        #expect(parts.map(\.length) == [100_000])
    }

    @Test func everyTruncationIsRefused() {
        let bytes = Payload(inline: [1, 2, 3] as [UInt8]).bytes
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) {
                try Array(bytes[..<count]).withUnsafeBytes { raw in
                    var reader = ByteReader(raw)
                    try Payload.scan(&reader) { _ in }
                }
            }
        }
    }

    @Test func aPlaceThatDoesNotExistIsRefused() {
        #expect(throws: WireError.self) {
            try ([1, 0, 9] as [UInt8]).withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                try Payload.scan(&reader) { _ in }
            }
        }
    }
}
