// SPDX-License-Identifier: BSD-3-Clause
import FoundationEssentials

/// Tasks and values travel as JSON.
enum TaskCoding {
    static func encode(_ value: some Encodable) throws(TaskError) -> [UInt8] {
        do { return [UInt8](try JSONEncoder().encode(value)) } catch {
            throw TaskError(code: .undecodable, description: "\(type(of: value)) cannot be encoded: \(error)", errorOutput: "")
        }
    }

    static func decode<T: Decodable>(_ type: T.Type, _ bytes: some Sequence<UInt8>) throws(TaskError) -> T {
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch {
            throw TaskError(code: .undecodable, description: "\(type) cannot be decoded: \(error)", errorOutput: "")
        }
    }
}
