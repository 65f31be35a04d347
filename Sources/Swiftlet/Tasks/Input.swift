// SPDX-License-Identifier: BSD-3-Clause

/// What is asked of an ``Input`` whose type is not known.
protocol InputFromCall {
    /// The call whose value it is; nil for one that has its value.
    var call: PendingCall? { get }
    func encodedValue() throws(TaskError) -> [UInt8]
}

/// An argument of a task that may be the value of another task. The value goes from worker to worker; the program does not wait
/// for it and never sees it.
///
/// ```swift
/// struct Total: RemoteTask {
///     let parts: [Input<Int>]
///     func run() async throws -> Int { parts.reduce(0) { $0 + $1.value } }
/// }
/// let total = try executor.submit(Total(parts: handles.map { Input($0) }))
/// ```
///
/// The task starts when all its inputs have ended. Where one has no value it ends with ``TaskError/Code/inputFailed``.
public struct Input<Value: Codable & Sendable>: Codable, Sendable {
    private enum Source: Sendable {
        case value(Value)
        case call(PendingCall)
    }
    private enum CodingKeys: String, CodingKey { case value, input }

    private let source: Source

    /// The value of another task of the same executor.
    public init(_ handle: TaskHandle<Value>) { source = .call(handle.call) }

    /// A value that is there already.
    public init(_ value: Value) { source = .value(value) }

    /// The value; to be asked for in ``RemoteTask/run()`` only. In the submitting program an input made from a handle has none
    /// (await the handle's value there), which is a programming error.
    public var value: Value {
        guard case .value(let value) = source else {
            preconditionFailure("an Input made from a handle has its value in the task's run() only; await the handle instead")
        }
        return value
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let place = try container.decodeIfPresent(Int.self, forKey: .input) {
            guard let inputs = (decoder as? TaskDecoder)?.context.inputs, inputs.indices.contains(place) else {
                throw DecodingError.dataCorrupted(
                    .init(codingPath: decoder.codingPath, debugDescription: "input \(place) was not delivered"))
            }
            source = .value(try TaskCoding.decode(Value.self, inputs[place]))
        } else {
            source = .value(try container.decode(Value.self, forKey: .value))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch source {
        case .value(let value): try container.encode(value, forKey: .value)
        case .call(let call):
            guard let inputs = (encoder as? TaskEncoder)?.inputs else {
                throw EncodingError.invalidValue(
                    self,
                    .init(
                        codingPath: encoder.codingPath,
                        debugDescription: "an Input made from a handle can only be encoded as part of a task that is submitted"))
            }
            try container.encode(inputs.place(of: call), forKey: .input)
        }
    }
}

extension Input: InputFromCall {
    var call: PendingCall? { if case .call(let call) = source { call } else { nil } }
    func encodedValue() throws(TaskError) -> [UInt8] { try TaskCoding.encode(value) }
}
