// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletTransport

/// At which of this machine's addresses processes on other nodes reach it.
enum ReachableAddress {
    static let variable = "SWIFTLET_ADDRESS"

    /// A numeric address of one interface: the one that is named, by argument or by `SWIFTLET_ADDRESS`, else the one from which the
    /// system would talk to the peers (names or addresses), else the machine's own.
    /// - Throws: ``TaskError`` (`refused`) where there is none, naming what can be done.
    static func find(_ named: String?, towards peers: [String]) async throws(TaskError) -> String {
        if let named = named ?? getenv(variable).map({ String(cString: $0) }), !named.isEmpty { return try checked(named) }
        // Looking up a name may take its time.
        let found = await withCheckedContinuation { (continuation: CheckedContinuation<String?, Never>) in
            startThread { continuation.resume(returning: search(towards: peers)) }
        }
        if let found { return found }
        throw TaskError(
            .refused,
            "no address of this machine was found at which workers could reach it; set \(variable) to the numeric address of the "
                + "interface that the nodes reach")
    }

    private static func checked(_ text: String) throws(TaskError) -> String {
        var space = in6_addr()
        let isNumeric = inet_pton(AF_INET, text, &space) == 1 || inet_pton(AF_INET6, text, &space) == 1
        guard isNumeric, !["0.0.0.0", "::"].contains(text) else {
            throw TaskError(
                .refused, "the address \"\(text)\" (\(variable)) has to be the numeric address of one interface of this machine")
        }
        return text
    }

    private static func search(towards peers: [String]) -> String? {
        for peer in peers { if let address = addresses(of: peer).lazy.compactMap(ownAddress).first { return address } }
        return addresses(of: hostName()).first.flatMap(numeric)
    }

    /// The addresses of sockets (`sockaddr`) of a host.
    private static func addresses(of host: String) -> [[UInt8]] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "9", &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [[UInt8]] = []
        var next = list
        while let entry = next?.pointee {
            if let address = entry.ai_addr {
                found.append(Array(UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen))))
            }
            next = entry.ai_next
        }
        return found
    }

    /// The address that this machine has in the network of another; nothing is sent.
    private static func ownAddress(towards address: [UInt8]) -> String? {
        address.withUnsafeBytes { raw in
            let peer = raw.assumingMemoryBound(to: sockaddr.self).baseAddress!
            let probe = socket(Int32(peer.pointee.sa_family), Int32(SOCK_DGRAM.rawValue), 0)
            guard probe >= 0 else { return nil }
            defer { close(probe) }
            guard connect(probe, peer, socklen_t(raw.count)) == 0 else { return nil }
            var own = [UInt8](repeating: 0, count: MemoryLayout<sockaddr_storage>.size)
            var size = socklen_t(own.count)
            let isKnown = own.withUnsafeMutableBytes {
                getsockname(probe, $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, &size) == 0
            }
            return isKnown ? numeric(Array(own.prefix(Int(size)))) : nil
        }
    }

    private static func numeric(_ address: [UInt8]) -> String? {
        var text = [CChar](repeating: 0, count: 128)
        let result = address.withUnsafeBytes {
            getnameinfo(
                $0.assumingMemoryBound(to: sockaddr.self).baseAddress!, socklen_t($0.count), &text, socklen_t(text.count), nil, 0,
                NI_NUMERICHOST)
        }
        return result == 0 ? String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
