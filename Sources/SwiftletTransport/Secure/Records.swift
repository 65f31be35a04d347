// SPDX-License-Identifier: BSD-3-Clause
import SwiftletWire

/// What goes over an authenticated connection: records, each with the code that proves who wrote it and in which place.
/// `u32 length, bytes, HMAC-SHA256 over (u64 number of the record, u32 length, bytes)`. Pure.
enum Record {
    static let largest = 1 << 18
    static let codeSize = 32
    static let headSize = 4

    static func head(number: UInt64, length: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(integer: number)
        bytes.append(integer: UInt32(length))
        return bytes
    }
}

/// Turns bytes into records.
struct RecordWriter {
    private let key: SecretKey
    private var number: UInt64 = 0

    init(key: SecretKey) { self.key = key }

    /// Appends one record with these bytes, at most `Record.largest`.
    mutating func seal(_ bytes: ArraySlice<UInt8>, into output: inout [UInt8]) {
        let content = Array(bytes)
        output.append(integer: UInt32(content.count))
        output.append(contentsOf: content)
        output.append(contentsOf: key.authenticate([Record.head(number: number, length: content.count), content]))
        number += 1
    }
}

/// Turns what arrives into the bytes of records whose codes are right.
struct RecordReader {
    private let key: SecretKey
    private var number: UInt64 = 0
    private var waiting: [UInt8] = []

    init(key: SecretKey) { self.key = key }

    /// Adds what arrived and hands out the content of each record that is complete and authentic. An error is final.
    mutating func add(_ bytes: UnsafeRawBufferPointer, _ content: (UnsafeRawBufferPointer) throws -> Void) throws {
        waiting.append(contentsOf: bytes)
        var start = 0
        defer { waiting.removeFirst(min(start, waiting.count)) }
        while let length = try lengthOfRecord(at: start) {
            let from = start + Record.headSize
            guard waiting.count >= from + length + Record.codeSize else { break }
            let body = Array(waiting[from..<from + length])
            let code = Array(waiting[from + length..<from + length + Record.codeSize])
            guard key.isAuthentic(code, for: [Record.head(number: number, length: length), body]) else {
                throw WireError("record \(number) is not authentic")
            }
            number += 1
            start = from + length + Record.codeSize
            try body.withUnsafeBytes { try content($0) }
        }
    }

    private func lengthOfRecord(at start: Int) throws(WireError) -> Int? {
        guard waiting.count >= start + Record.headSize else { return nil }
        let length = (0..<Record.headSize).reduce(0) { $0 | Int(waiting[start + $1]) << (8 * $1) }
        guard length > 0, length <= Record.largest else { throw WireError("a record claims \(length) bytes") }
        return length
    }
}
