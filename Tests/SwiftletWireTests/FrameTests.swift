// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire
import Testing

@Suite struct FrameTests {
    @Test func aHeaderComesBack() {
        var bytes: [UInt8] = []
        bytes.append(frame: .submit, id: 77, flags: 3) { $0.append(contentsOf: [1, 2, 3]) }
        let header = bytes.withUnsafeBytes { FrameHeader($0) }
        #expect(header == FrameHeader(type: FrameType.submit.rawValue, flags: 3, length: 3, id: 77))
        #expect(bytes.count == FrameHeader.size + 3)
    }

    @Test func attributesComeBack() throws {
        var attributes = Attributes()
        attributes[text: "mode"] = "wärm"
        attributes[integer: "max_cores"] = -4
        attributes[number: "limit"] = 0.25
        attributes[list: "argv"] = ["a", "", "c d"]
        attributes[bytes: "blob"] = [0, 255]
        var bytes: [UInt8] = []
        attributes.write(to: &bytes)
        let read = try bytes.withUnsafeBytes { try Attributes(body: $0) }
        #expect(read == attributes)
        #expect(read[integer: "mode"] == nil)
    }

    @Test func truncatedAttributesAreRefused() {
        var attributes = Attributes()
        attributes[text: "mode"] = "warm"
        attributes[list: "argv"] = ["a", "b"]
        var bytes: [UInt8] = []
        attributes.write(to: &bytes)
        for count in 0..<bytes.count {
            #expect(throws: WireError.self) { try Array(bytes[..<count]).withUnsafeBytes { try Attributes(body: $0) } }
        }
    }

    /// Hostile bytes: whatever comes, parsing ends with a value or a `WireError`.
    @Test func randomBytesNeverTrap() {
        var state: UInt64 = 42
        func next() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        var refused = 0
        for length in 0..<2000 {
            let bytes = (0..<(length % 64)).map { _ in next() }
            do { _ = try bytes.withUnsafeBytes { try Attributes(body: $0) } } catch { refused += 1 }
        }
        #expect(refused > 1000)
    }
}
