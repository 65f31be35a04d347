// SPDX-License-Identifier: BSD-3-Clause

/// The id of a job: 64 bits, written in base 58 with an `ƒ` (or `f`) in front, or as a decimal number (RFC 19).
public struct FluxJobID: Hashable, Sendable, CustomStringConvertible {
    public let rawValue: Int64

    public init(_ rawValue: Int64) { self.rawValue = rawValue }

    private static let digits = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".utf8)

    /// As `flux` prints it.
    public var description: String { "ƒ" + base58 }

    /// The same in ASCII: for file names and environments.
    public var ascii: String { "f" + base58 }

    private var base58: String {
        var rest = UInt64(bitPattern: rawValue)
        var text: [UInt8] = []
        repeat {
            text.append(Self.digits[Int(rest % 58)])
            rest /= 58
        } while rest > 0
        return String(decoding: text.reversed(), as: UTF8.self)
    }

    /// Reads a decimal number or the base-58 form; nil for anything else.
    public init?(_ text: some StringProtocol) {
        if let number = Int64(text), number >= 0 {
            self.init(number)
            return
        }
        let digits: Substring
        if text.hasPrefix("ƒ") || text.hasPrefix("f") { digits = Substring(text.dropFirst()) } else { return nil }
        var value: UInt64 = 0
        guard !digits.isEmpty else { return nil }
        for byte in digits.utf8 {
            guard let digit = Self.digits.firstIndex(of: byte) else { return nil }
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 58)
            let (sum, tooLargeNow) = product.addingReportingOverflow(UInt64(digit))
            guard !tooLarge, !tooLargeNow else { return nil }
            value = sum
        }
        self.init(Int64(bitPattern: value))
    }
}
