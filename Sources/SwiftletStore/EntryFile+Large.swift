// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Crypto
import FoundationEssentials
import Glibc

/// Memory that other processes can map: where the large parts of a value are read to.
public final class EntryMemory: Sendable {
    public let descriptor: Int32
    public let size: Int

    init(descriptor: Int32, size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    deinit { close(descriptor) }

    func bytes(at offset: Int, count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            while length < count {
                let got = pread(descriptor, buffer.baseAddress! + length, count - length, off_t(offset + length))
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { break }
                length += got
            }
        }
    }
}

/// A part that lies in a file (shared memory of a worker) until it is written. Whoever gives it keeps it there meanwhile.
public struct FilePart: Sendable {
    public let descriptor: Int32
    public let offset: Int
    public let length: Int

    public init(descriptor: Int32, offset: Int, length: Int) {
        self.descriptor = descriptor
        self.offset = offset
        self.length = length
    }
}

// Entries with large parts: written from where these lie, and read to where a client can map them, piece by piece, with the checksum
// on the way. Neither holds a whole entry.
extension EntryFile {
    /// A file of this size is read by `readLarge`.
    static let largeFile = 4 << 20
    /// A part of a value of this size goes into shared memory.
    static let largePart = 64 << 10
    private static let piece = 1 << 20
    private static let page = 4096

    /// As `read` and `EntryFormat.decode`; nothing of it counts before the checksum has been found right. Parts that nobody asks for
    /// (functions, arguments) are passed over. nil where there is no shared memory.
    static func readLarge(_ role: EntryRole, _ descriptor: Int32, size: Int, at place: EntryPlace) -> EntryReading? {
        let path = place.path(role)
        var reader = Reader(descriptor: descriptor, left: size - EntryFormat.digestSize)
        guard let prefix = reader.bytes(EntryFormat.prefixSize) else { return .failed(StoreError("read", path)) }
        guard prefix.starts(with: EntryFormat.magic) else { return nil }
        let headerLength = (0..<4).reduce(0) { $0 | Int(prefix[12 + $1]) << (8 * $1) }
        guard headerLength <= min(reader.left, largeFile), let json = reader.bytes(headerLength),
            let header = try? JSONDecoder().decode(EntryHeader.self, from: Data(json))
        else { return nil }
        let kept = header.parts.map { $0.name == header.kind?.rawValue }
        let inMemory = zip(header.parts, kept).map { header.kind == .value && $1 && $0.length >= largePart }
        guard header.parts.allSatisfy({ $0.length >= 0 && $0.length <= size }), inMemory.contains(true) else { return nil }
        let memorySize = zip(header.parts, inMemory).reduce(0) { $0 + ($1.1 ? aligned($1.0.length) : 0) }
        let memory = sl_memory_file()
        guard memory >= 0 else { return nil }
        let shared = EntryMemory(descriptor: memory, size: memorySize)
        guard ftruncate(memory, off_t(memorySize)) == 0 else { return nil }
        var parts: [ArraySlice<UInt8>] = []
        var offsets: [Int: Int] = [:]
        var end = 0
        for (index, part) in header.parts.enumerated() {
            if inMemory[index] {
                guard reader.copy(part.length, to: memory, at: end) else { return nil }
                offsets[index] = end
                end += aligned(part.length)
                parts.append([])
            } else if kept[index] {
                guard let bytes = reader.bytes(part.length) else { return nil }
                parts.append(bytes[...])
            } else {
                guard reader.skip(part.length) else { return nil }
                parts.append([])
            }
        }
        let digest = reader.finish()
        guard reader.left == 0, let digest, digest.count == EntryFormat.digestSize, reader.matches(digest) else { return nil }
        do {
            try EntryFormat.check(role, prefix, header, key: place.key)
            return .found(StoredEntry(header: header, parts: parts, offsets: offsets, memory: shared))
        } catch {
            return .faulty(path: path, error)
        }
    }

    private static func aligned(_ length: Int) -> Int { (length + page - 1) / page * page }

    /// As `writeTemporary`, with parts that lie in files.
    static func writeLarge(
        _ role: EntryRole, _ task: StoredTask, at path: String, mode: mode_t, durably: Bool
    ) throws(StoreError) {
        try makeTemporary(at: path, mode: mode, durably: durably) { descriptor in
            var writer = Writer(descriptor: descriptor)
            var complete = writer.write(EntryFormat.start(role, task.header))
            for (index, part) in task.parts.enumerated() where complete {
                complete = task.files[index].map { writer.copy($0) } ?? writer.write(part)
                FaultPoint.reach(.half)
            }
            return complete && writer.finish()
        }
    }

    private struct Reader {
        let descriptor: Int32
        /// Bytes before the checksum.
        var left: Int
        private var hash = SHA256()
        private var chunk = [UInt8](repeating: 0, count: EntryFile.piece)

        init(descriptor: Int32, left: Int) {
            self.descriptor = descriptor
            self.left = left
        }

        /// Passes on every piece of the next bytes; false where there are not so many, or `body` says so.
        private mutating func pieces(_ count: Int, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
            guard count <= left else { return false }
            left -= count
            var rest = count
            while rest > 0 {
                let got = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, min(rest, $0.count)) }
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { return false }
                let isFine = chunk.withUnsafeBytes { raw in
                    let piece = UnsafeRawBufferPointer(rebasing: raw[..<got])
                    hash.update(bufferPointer: piece)
                    return body(piece)
                }
                guard isFine else { return false }
                rest -= got
            }
            return true
        }

        mutating func bytes(_ count: Int) -> [UInt8]? {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(min(max(count, 0), left))
            return pieces(count) {
                bytes.append(contentsOf: $0)
                return true
            } ? bytes : nil
        }

        mutating func skip(_ count: Int) -> Bool { pieces(count) { _ in true } }

        mutating func copy(_ count: Int, to file: Int32, at offset: Int) -> Bool {
            var offset = offset
            return pieces(count) { piece in
                var done = 0
                while done < piece.count {
                    let count = pwrite(file, piece.baseAddress! + done, piece.count - done, off_t(offset))
                    if count < 0 && errno == EINTR { continue }
                    guard count > 0 else { return false }
                    done += count
                    offset += count
                }
                return true
            }
        }

        /// What follows the last part: the checksum.
        mutating func finish() -> [UInt8]? { EntryFile.readAll(descriptor, size: EntryFormat.digestSize) }

        func matches(_ digest: [UInt8]) -> Bool { hash.finalize().elementsEqual(digest) }
    }

    private struct Writer {
        let descriptor: Int32
        private var hash = SHA256()

        init(descriptor: Int32) { self.descriptor = descriptor }

        mutating func write(_ bytes: [UInt8]) -> Bool {
            bytes.withUnsafeBytes { raw in
                hash.update(bufferPointer: raw)
                return put(raw)
            }
        }

        mutating func copy(_ part: FilePart) -> Bool {
            var chunk = [UInt8](repeating: 0, count: min(EntryFile.piece, max(part.length, 1)))
            var done = 0
            while done < part.length {
                let got = chunk.withUnsafeMutableBytes {
                    pread(part.descriptor, $0.baseAddress, min(part.length - done, $0.count), off_t(part.offset + done))
                }
                if got < 0 && errno == EINTR { continue }
                guard got > 0 else { return false }
                let isWritten = chunk.withUnsafeBytes { raw in
                    let piece = UnsafeRawBufferPointer(rebasing: raw[..<got])
                    hash.update(bufferPointer: piece)
                    return put(piece)
                }
                guard isWritten else { return false }
                done += got
            }
            return true
        }

        mutating func finish() -> Bool { Array(hash.finalize()).withUnsafeBytes(put) }

        private func put(_ raw: UnsafeRawBufferPointer) -> Bool {
            var sent = 0
            while sent < raw.count {
                let count = Glibc.write(descriptor, raw.baseAddress! + sent, raw.count - sent)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }
}
