// SPDX-License-Identifier: BSD-3-Clause

/// An error on its way from a worker to the submitter.
struct ErrorReport: Codable {
    let code: String
    let description: String
    var type: String?
    /// The runtime's name of the type and the encoded error, where it can be decoded by whoever has the type.
    var name: String?
    var bytes: [UInt8]?

    init(_ error: any Error) {
        if let error = error as? TaskError {
            (code, description) = (error.code.description, error.description)
            return
        }
        code = TaskError.Code.failed.description
        description = "\(error)"
        type = "\(Swift.type(of: error))"
        if let error = error as? any Error & Codable, let (name, bytes) = Self.encode(error) {
            self.name = name
            self.bytes = bytes
        }
    }

    private static func encode<E: Error & Codable>(_ error: E) -> (String, [UInt8])? {
        guard let name = TypeName.name(of: E.self), let bytes = try? TaskCoding.encode(error) else { return nil }
        return (name, bytes)
    }

    /// The error itself; nil where its type is not `Codable` or not in this program.
    var cause: (any Error)? {
        guard let name, let bytes, let type = TypeName.type(named: name) as? any (Error & Codable).Type else { return nil }
        return try? TaskCoding.decode(type, bytes)
    }
}
