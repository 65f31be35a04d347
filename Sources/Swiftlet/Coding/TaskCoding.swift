// SPDX-License-Identifier: BSD-3-Clause

/// Tasks and values travel as CBOR (RFC 8949); arrays of numbers as their memory.
enum TaskCoding {
    /// - Throws: ``TaskError`` (`undecodable`) with what the type's own `encode(to:)` said.
    static func encode<T: Encodable>(_ value: T, inputs: InputCollector? = nil) throws(TaskError) -> [UInt8] {
        let buffer = EncodingBuffer()
        do {
            let encoder = TaskEncoder(buffer: buffer, inputs: inputs)
            try encoder.write(value)
            return buffer.assembled()
        } catch {
            throw TaskError(.undecodable, "\(T.self) cannot be encoded: \(CodingFault.text(error))")
        }
    }

    /// - Throws: ``TaskError`` (`undecodable`) with the path to the value that is not there, or not what was expected.
    static func decode<T: Decodable>(_ type: T.Type, _ bytes: [UInt8], inputs: [[UInt8]] = []) throws(TaskError) -> T {
        do {
            return try bytes.withUnsafeBytes { raw in
                try TaskDecoder(DecodingContext(raw, inputs: inputs), at: 0).value(type)
            }
        } catch {
            throw TaskError(.undecodable, "\(T.self) cannot be decoded: \(CodingFault.text(error))")
        }
    }
}

/// The standard library's coding errors in one line.
enum CodingFault {
    static func text(_ error: any Error) -> String {
        switch error {
        case let error as TaskError: error.description
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
            DecodingError.keyNotFound(_, let context), DecodingError.dataCorrupted(let context):
            line(context.codingPath, context.debugDescription)
        case EncodingError.invalidValue(_, let context): line(context.codingPath, context.debugDescription)
        default: "\(error)"
        }
    }

    private static func line(_ path: [any CodingKey], _ text: String) -> String {
        path.isEmpty ? text : "at \(path.map(\.stringValue).joined(separator: ".")): \(text)"
    }
}
