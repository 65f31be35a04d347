// SPDX-License-Identifier: BSD-3-Clause

/// A Python function as a task: found by module and name, called in a Python process below the worker.
///
/// ```swift
/// let length = try executor.submit(PythonCall<Double>("math", "hypot", 3.0, 4.0))
/// let eigenvalues = try executor.submit(PythonCall<[Double]>("mymodule", "eigenvalues", Input(matrix), keywords: ["count": 4]))
/// ```
///
/// Arguments and values are what JSON has, bytes (`[UInt8]`), and arrays of numbers, which arrive as `array.array`; numpy's arrays
/// and scalars come back as numbers. The interpreter is the one that the variable `SWIFTLET_PYTHON` of the executor's environment
/// names, else `python3`; the Python package `swiftlet` has to be installed there. It stays while its worker does. What the function
/// raises is a ``PythonError``, the ``TaskError/cause`` of the task's error.
public struct PythonCall<Output: Codable & Sendable>: RemoteTask {
    public let module: String
    public let function: String
    private let arguments: [PythonArgument]
    private let keywords: [String: PythonArgument]

    /// - Throws: ``TaskError`` where an argument cannot be encoded.
    public init<each Argument: Codable & Sendable>(
        _ module: String, _ function: String, _ argument: repeat each Argument, keywords: [String: any Codable & Sendable] = [:]
    ) throws(TaskError) {
        self.module = module
        self.function = function
        var arguments: [PythonArgument] = []
        repeat arguments.append(try PythonArgument(each argument))
        self.arguments = arguments
        var named: [String: PythonArgument] = [:]
        for (key, value) in keywords { named[key] = try PythonArgument(value) }
        self.keywords = named
    }

    public func run() async throws -> Output {
        var request: [UInt8] = []
        request.append(cbor: CBOR.Major.array, 4)
        request.append(cbor: module)
        request.append(cbor: function)
        request.append(cbor: CBOR.Major.array, UInt64(arguments.count))
        for argument in arguments { request += try argument.bytes }
        request.append(cbor: CBOR.Major.map, UInt64(keywords.count))
        for (key, argument) in keywords {
            request.append(cbor: key)
            request += try argument.bytes
        }
        return try TaskCoding.decode(Output.self, try await PythonProcess.call(request))
    }
}

/// An error that a Python function raised.
public struct PythonError: Error, Codable, Hashable, Sendable, CustomStringConvertible {
    /// The name of its class.
    public let type: String
    public let message: String
    /// As Python prints it.
    public let traceback: String

    public var description: String { message.isEmpty ? type : "\(type): \(message)" }
}

/// An argument as Python reads it; what is another task's value gets there without being decoded on the way.
struct PythonArgument: Codable, Sendable {
    private enum Source: Sendable {
        case encoded([UInt8])
        case call(PendingCall)
    }
    private enum CodingKeys: String, CodingKey { case bytes, input }
    private let source: Source

    init(_ value: any Codable & Sendable) throws(TaskError) {
        if let call = (value as? any InputFromCall)?.call {
            source = .call(call)
        } else if let input = value as? any InputFromCall {
            source = .encoded(try input.encodedValue())
        } else {
            source = .encoded(try TaskCoding.encode(value))
        }
    }

    var bytes: [UInt8] {
        get throws(TaskError) {
            if case .encoded(let bytes) = source { return bytes }
            throw TaskError(.undecodable, "an argument that is another task's value is there in the worker only")
        }
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let place = try container.decodeIfPresent(Int.self, forKey: .input) {
            guard let inputs = (decoder as? TaskDecoder)?.context.inputs, inputs.indices.contains(place) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "input \(place) was not delivered"))
            }
            source = .encoded(inputs[place])
        } else {
            source = .encoded(try container.decode([UInt8].self, forKey: .bytes))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch source {
        case .encoded(let bytes): try container.encode(bytes, forKey: .bytes)
        case .call(let call):
            guard let inputs = (encoder as? TaskEncoder)?.inputs else {
                throw EncodingError.invalidValue(
                    self, .init(codingPath: encoder.codingPath, debugDescription: "a handle is encoded by submission only"))
            }
            try container.encode(inputs.place(of: call), forKey: .input)
        }
    }
}
