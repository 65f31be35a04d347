// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// A call on the file system that failed.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String

    init(_ what: String, _ path: String) {
        let code = errno
        let hint =
            switch code {
            case ENOSPC, EDQUOT: "; free some space or choose another cache directory"
            case EACCES, EPERM, EROFS: "; make the directory writable or choose another cache directory"
            case EISDIR, ENOTDIR: "; remove what is in its place or choose another cache directory"
            default: ""
            }
        description = "\(path) cannot be \(what): \(String(cString: strerror(code)))\(hint)"
    }
}

/// What was found where an entry may be.
public enum EntryReading: Sendable {
    case absent
    case found(StoredEntry)
    /// It belongs to somebody who is not trusted: as good as absent.
    case foreign(path: String, owner: UInt32)
    case faulty(path: String, EntryFault)
    /// It is there, but cannot be read.
    case failed(StoreError)
}

/// An entry that was read and found intact.
public struct StoredEntry: Sendable {
    public let header: EntryHeader
    /// Empty where a part lies in `memory`, or is nothing that an outcome is read for and the entry is a large one.
    let parts: [ArraySlice<UInt8>]
    /// Where in `memory` the large parts of a large value lie, by their places.
    public var offsets: [Int: Int] = [:]
    public var memory: EntryMemory?

    /// The parts of that name, in order, wherever they lie.
    public func parts(named name: String) -> [ArraySlice<UInt8>] {
        header.parts.indices.filter { header.parts[$0].name == name }.map(part)
    }

    /// One part, copied where it lies in `memory`.
    public func part(_ index: Int) -> ArraySlice<UInt8> {
        guard let memory, let offset = offsets[index] else { return parts[index] }
        return memory.bytes(at: offset, count: header.parts[index].length)[...]
    }
}

/// Files: whole reading with the owner looked at, whole writing that appears at once or not at all.
enum EntryFile {
    static func read(
        _ role: EntryRole, at place: EntryPlace, trusting owners: Set<UInt32>, onlyEssentials: Bool = false
    ) -> EntryReading {
        let path = place.path(role)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            return errno == ENOENT || errno == ENOTDIR ? .absent : .failed(StoreError("opened", path))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return .failed(StoreError("read", path)) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .faulty(path: path, .mistaken("is no file")) }
        guard owners.contains(status.st_uid) else { return .foreign(path: path, owner: status.st_uid) }
        if Int(status.st_size) >= largeFile {
            if let entry = readLarge(role, descriptor, size: Int(status.st_size), at: place) { return entry }
            // Something is wrong with it, or there is no such memory: read whole it is told what.
            lseek(descriptor, 0, SEEK_SET)
        }
        guard let bytes = readAll(descriptor, size: Int(status.st_size)) else { return .failed(StoreError("read", path)) }
        do {
            let (header, parts) = try EntryFormat.decode(role, bytes, key: place.key, onlyEssentials: onlyEssentials)
            return .found(StoredEntry(header: header, parts: parts))
        } catch {
            return .faulty(path: path, error)
        }
    }

    static func readAll(_ descriptor: Int32, size: Int) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = Glibc.read(descriptor, buffer.baseAddress! + count, size - count)
                if got < 0 && errno == EINTR { continue }
                failed = got < 0
                guard got > 0 else { break }
                count += got
            }
        }
        return failed ? nil : bytes
    }

    /// Writes a file that has no name yet that anybody looks for.
    static func writeTemporary(_ bytes: [UInt8], at path: String, mode: mode_t, durably: Bool) throws(StoreError) {
        try makeTemporary(at: path, mode: mode, durably: durably) { writeAll($0, bytes) }
    }

    /// Makes such a file, which `write` fills; false, with `errno`, where it cannot. It is removed again where anything fails.
    static func makeTemporary(
        at path: String, mode: mode_t, durably: Bool, write: (Int32) -> Bool
    ) throws(StoreError) {
        FaultPoint.reach(.started)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw StoreError("made", path) }
        var complete = write(descriptor)
        FaultPoint.reach(.written)
        if complete && durably { complete = fsync(descriptor) == 0 }
        // A network file system, or one with quotas, may tell only now that there was no room.
        let error = errno
        if close(descriptor) != 0 { complete = false } else { errno = error }
        FaultPoint.reach(.synced)
        guard complete else {
            let failure = StoreError("written", path)
            unlink(path)
            throw failure
        }
    }

    private static func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count {
                // In two halves, so that a test can stop between them.
                let end = sent < raw.count / 2 ? raw.count / 2 : raw.count
                let count = Glibc.write(descriptor, raw.baseAddress! + sent, end - sent)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
                FaultPoint.reach(.half)
            }
            return true
        }
    }

    /// Makes a rename or link in a folder last.
    static func syncFolder(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    /// Makes the folder and those above it down to `directory`, which has to exist or is made too.
    static func makeFolder(_ path: String) throws(StoreError) {
        if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw StoreError("made", path)
        }
        try makeFolder(String(path[..<slash]))
        guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw StoreError("made", path) }
    }
}

extension Store {
    /// Has a network file system see what is in the folder now: opening a directory asks its server.
    func revalidate(_ folder: String) {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        var status = stat()
        fstat(descriptor, &status)
        Glibc.close(descriptor)
    }
}
