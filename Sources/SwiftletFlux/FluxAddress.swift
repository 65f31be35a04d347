// SPDX-License-Identifier: BSD-3-Clause

/// Where an instance of Flux is reached: the URI of its local socket.
public enum FluxAddress {
    /// The socket of the instance that runs the machine.
    public static let systemSocket = "/run/flux/local"

    /// The path of a `local://` URI, or of the machine's instance where there is none.
    /// - Throws: for other forms (`ssh://`, a job id, `..`): the `flux` command resolves those before they come here.
    public static func socketPath(_ uri: String?) throws(FluxFault) -> String {
        guard let uri, !uri.isEmpty else { return systemSocket }
        let prefix = "local://"
        guard uri.hasPrefix(prefix), uri.utf8.count > prefix.utf8.count else {
            throw FluxFault("\(uri) is no local URI of Flux; `flux uri --local` turns others into one")
        }
        return unescaped(String(uri.dropFirst(prefix.count)))
    }

    private static func unescaped(_ text: String) -> String {
        guard text.contains("%") else { return text }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What to tell the user when there is no instance.
    public static func hint(for fault: FluxFault, uri: String?) -> String {
        let where_ = uri ?? "the machine's own socket \(systemSocket)"
        return """
            no Flux instance can be reached at \(where_): \(fault.description)
            hint: run this program inside an instance (flux start PROGRAM, flux alloc -N1 PROGRAM, or flux batch), or set FLUX_URI to \
            the URI of one (flux uri JOBID)
            """
    }
}
