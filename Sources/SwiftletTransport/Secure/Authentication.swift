// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Crypto

/// A key that both ends of a connection know: 32 bytes nobody can guess.
public struct SecretKey: Sendable {
    public static let size = 32
    let key: SymmetricKey

    /// Of these bytes; nil where they are not 32.
    public init?(_ bytes: some Sequence<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.size else { return nil }
        key = SymmetricKey(data: bytes)
    }

    /// A new one.
    public static func random() -> SecretKey { SecretKey(randomBytes(size))! }

    var bytes: [UInt8] { key.withUnsafeBytes { Array($0) } }

    /// HMAC-SHA256 over the parts, one after the other.
    func authenticate(_ parts: [[UInt8]]) -> [UInt8] {
        var mac = HMAC<SHA256>(key: key)
        for part in parts { mac.update(data: part) }
        return Array(mac.finalize())
    }

    /// Whether `code` is the HMAC of the parts; takes the same time wherever they differ.
    func isAuthentic(_ code: [UInt8], for parts: [[UInt8]]) -> Bool {
        var mac = HMAC<SHA256>(key: key)
        for part in parts { mac.update(data: part) }
        let right = Array(mac.finalize())
        guard right.count == code.count else { return false }
        return zip(right, code).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Bytes nobody can predict.
public func randomBytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
        let result = sl_random(buffer.baseAddress, count)
        precondition(result == 0, "the system has no random bytes")
        used = count
    }
}
