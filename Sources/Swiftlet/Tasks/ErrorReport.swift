// SPDX-License-Identifier: BSD-3-Clause

/// An error on its way from a worker to the submitter.
struct ErrorReport: Codable {
    let code: String
    let description: String
    /// The type of what was thrown; nil where that is a ``TaskError`` that says no more than code and description.
    var type: String?
    /// Where another ``TaskError`` was thrown: that one, and those that are the cause of the one before.
    var chain: [Link]?
    /// The runtime's name of the type and the encoded error, where it can be decoded by whoever has the type; behind a chain, what caused
    /// its last error.
    var name: String?
    var bytes: [UInt8]?

    /// What is passed on of a chain: each process that it passes adds an error to it, and nobody else limits that.
    static let longestChain = 16
    static let largestChain = 64 << 10

    init(_ error: any Error) {
        guard let error = error as? TaskError else {
            code = TaskError.Code.failed.description
            description = "\(error)"
            type = "\(Swift.type(of: error))"
            if let error = error as? any Error & Codable, let (name, bytes) = Self.encode(error) {
                (self.name, self.bytes) = (name, bytes)
            }
            return
        }
        (code, description) = (error.code.description, error.description)
        guard error.hasStory else { return }
        type = "\(TaskError.self)"
        var (links, room) = ([Link](), Self.largestChain)
        var next: (any Error)? = error
        while let error = next as? TaskError, links.count < Self.longestChain {
            let link = Link(error, isFirst: links.isEmpty)
            guard link.size <= room else { break }
            room -= link.size
            links.append(link)
            next = error.cause
        }
        chain = links
        if let error = next as? any Error & Codable, let (name, bytes) = Self.encode(error), bytes.count <= room {
            (self.name, self.bytes) = (name, bytes)
        }
    }

    private static func encode<E: Error & Codable>(_ error: E) -> (String, [UInt8])? {
        guard let name = TypeName.name(of: E.self), let bytes = try? TaskCoding.encode(error) else { return nil }
        return (name, bytes)
    }

    /// The error itself; nil where its type is not `Codable` or not in this program.
    var cause: (any Error)? {
        var error = encodedError
        for link in (chain ?? []).reversed() { error = link.error(cause: error, described: description) }
        return error
    }

    private var encodedError: (any Error)? {
        guard let name, let bytes, let type = TypeName.type(named: name) as? any (Error & Codable).Type else { return nil }
        return try? TaskCoding.decode(type, bytes)
    }
}

extension TaskError {
    /// It says more than what happened: of a task that ran, or of what caused it.
    fileprivate var hasStory: Bool { attempt != 0 || causeType != nil || !attempts.isEmpty || !errorOutput.isEmpty }
}

extension ErrorReport {
    /// One ``TaskError`` of a chain, without its cause.
    struct Link: Codable {
        let code: String
        /// nil: that of the whole report.
        let description: String?
        let causeType: String?
        let host: String?
        let process: Int32?
        let attempt: Int
        let attempts: [String]
        let exitStatus: Int32?
        let signal: Int32?
        let errorOutput: String

        init(_ error: TaskError, isFirst: Bool) {
            code = error.code.description
            description = isFirst ? nil : error.description
            causeType = error.causeType
            host = error.host
            process = error.processID
            attempt = error.attempt
            attempts = error.attempts
            exitStatus = error.exitStatus
            signal = error.signal
            errorOutput = error.errorOutput
        }

        /// About how many bytes it is.
        var size: Int {
            attempts.reduce((description?.utf8.count ?? 0) + errorOutput.utf8.count + 256) { $0 + $1.utf8.count }
        }

        func error(cause: (any Error)?, described text: String) -> TaskError {
            var details = TaskError.Details()
            details.cause = cause
            details.causeType = causeType
            details.host = host
            details.process = process
            details.attempt = attempt
            details.attempts = attempts
            details.exitStatus = exitStatus
            details.signal = signal
            details.errorOutput = errorOutput
            return TaskError(TaskError.Code(named: code) ?? .failed, description ?? text, details)
        }
    }
}
