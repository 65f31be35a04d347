// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletStore
import Testing

/// A directory that is gone at the end of the test.
final class Folder {
    let path: String

    init() {
        var template = Array("/tmp/swiftlet-store-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template))
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    var names: [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    func write(_ text: String, to name: String) {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        _ = Glibc.write(descriptor, text, text.utf8.count)
        close(descriptor)
    }
}

@Suite struct StoreTests {
    let folder = Folder()
    let store = Store()
    var place: EntryPlace { EntryPlace(directory: folder.path, key: "a") }

    func outcome(_ kind: EntryHeader.Kind, _ bytes: [UInt8]) throws -> Bool {
        let header = EntryHeader(key: "a", kind: kind, parts: [.init(name: "value", length: bytes.count)])
        return try store.writeOutcome(header, parts: [bytes], at: place)
    }

    func value() -> [UInt8]? {
        guard case .found(let entry) = store.read(.outcome, at: place) else { return nil }
        return entry.parts(named: "value").first.map(Array.init)
    }

    /// A value of a small part and a large one, which is written from a file and read into memory that others can map.
    private func writeLarge() throws -> [UInt8] {
        let large = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let descriptor = open("\(folder.path)/segment", O_RDWR | O_CREAT, 0o600)
        defer { close(descriptor) }
        #expect(pwrite(descriptor, large, large.count, 4096) == large.count)
        let header = EntryHeader(
            key: "a", kind: .value,
            parts: [
                .init(name: "function", length: 2), .init(name: "value", length: 3), .init(name: "value", length: large.count),
            ])
        let file = FilePart(descriptor: descriptor, offset: 4096, length: large.count)
        let outcome = StoredTask(header: header, parts: [[9, 9], [1, 2, 3], []], files: [2: file])
        guard case .done = store.carryOut(.finish(place, outcome)) else {
            Issue.record("it was not written")
            return []
        }
        return large
    }

    @Test func aLargePartGoesFromFileToMemory() throws {
        let large = try writeLarge()
        guard case .found(let entry) = store.read(.outcome, at: place), let memory = entry.memory, let offset = entry.offsets[2]
        else {
            Issue.record("it was not read")
            return
        }
        #expect(entry.header.parts.map(\.length) == [2, 3, large.count])
        #expect(Array(entry.part(1)) == [1, 2, 3])
        #expect(offset % 4096 == 0)
        var read = [UInt8](repeating: 0, count: large.count)
        #expect(pread(memory.descriptor, &read, large.count, off_t(offset)) == large.count)
        #expect(read == large)
        #expect(folder.names == ["a.outcome", "segment"])
    }

    @Test(arguments: [1, 20, 3_000_000]) func aLargeValueThatWasChangedIsNone(_ place: Int) throws {
        _ = try writeLarge()
        let descriptor = open("\(folder.path)/a.outcome", O_RDWR)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        #expect(pread(descriptor, &byte, 1, off_t(place)) == 1)
        byte ^= 1
        #expect(pwrite(descriptor, &byte, 1, off_t(place)) == 1)
        guard case .faulty(_, .damaged) = store.read(.outcome, at: self.place) else { Issue.record("it was believed"); return }
    }

    @Test func aLargeValueUnderAnothersNameIsNone() throws {
        _ = try writeLarge()
        #expect(rename("\(folder.path)/a.outcome", "\(folder.path)/b.outcome") == 0)
        let other = EntryPlace(directory: folder.path, key: "b")
        guard case .faulty(_, .mistaken) = store.read(.outcome, at: other) else { Issue.record("it was believed"); return }
    }

    @Test func whatIsWrittenIsReadAndNothingElseIsLeft() throws {
        #expect(try outcome(.value, [1, 2]))
        #expect(value() == [1, 2])
        #expect(folder.names == ["a.outcome"])
    }

    @Test func theFirstValueStands() throws {
        #expect(try outcome(.value, [1]))
        #expect(try !outcome(.value, [2]))
        #expect(value() == [1])
    }

    @Test func anErrorGivesWayToAValue() throws {
        #expect(try outcome(.error, [1]))
        #expect(try outcome(.value, [2]))
        #expect(value() == [2])
    }

    @Test func aDamagedOutcomeGivesWay() throws {
        folder.write("swiftlet, but not one", to: "a.outcome")
        guard case .faulty = store.read(.outcome, at: place) else {
            Issue.record("it was not seen to be damaged")
            return
        }
        #expect(try outcome(.value, [2]))
        #expect(value() == [2])
    }

    @Test func aClaimIsHeldUntilItIsGivenUp() throws {
        let other = Store()
        #expect(isOurs(store.claim(place)))
        let claim = try #require(holder(other.claim(place)))
        #expect(claim.pid == getpid())
        store.release(place)
        #expect(isOurs(other.claim(place)))
        other.release(place)
        store.close()
        other.close()
        #expect(folder.names == [])
    }

    @Test func theClaimOfADeadProcessIsTakenOver() {
        var claim = Claim.ofThisProcess()
        claim.pid = 1 << 22 | 1
        folder.write(json(claim), to: "a.claim")
        #expect(isOurs(store.claim(place)))
    }

    @Test func theClaimOfAProcessWhoseNumberIsUsedAgainIsTakenOver() {
        var claim = Claim.ofThisProcess()
        claim.start += 1
        folder.write(json(claim), to: "a.claim")
        #expect(isOurs(store.claim(place)))
    }

    @Test func theClaimOfAnotherHostCountsWhileItGivesSignsOfLife() {
        var claim = Claim.ofThisProcess()
        claim.boot = "another host"
        folder.write(json(claim), to: "a.claim")
        #expect(holder(store.claim(place)) != nil)
        var times = [timespec(tv_sec: time(nil) - 300, tv_nsec: 0), timespec(tv_sec: time(nil) - 300, tv_nsec: 0)]
        utimensat(AT_FDCWD, "\(folder.path)/a.claim", &times, 0)
        #expect(isOurs(store.claim(place)))
    }

    @Test func theClaimOfAJobIsItsSystemsBusiness() throws {
        #expect(isOurs(store.claim(place)))
        let job = Claim.Job(system: "slurm", id: 7, index: 2)
        try store.record(job, at: place)
        let other = Store(asking: "slurm")
        let claim = try #require(holder(other.claim(place)))
        #expect(claim.job == job)
        #expect(isOurs(other.claim(place, takingOverJob: job)))
    }

    /// Where nobody can ask the job's system, its claim must not be waited for for ever.
    @Test func theClaimOfAJobThatCannotBeAskedForGoesStale() throws {
        let age = Int(time(nil)) - 300
        var claim = Claim.ofThisProcess()
        claim.pid = 1 << 22 | 1
        claim.job = Claim.Job(system: "slurm", id: 7)
        folder.write(String(decoding: claim.json, as: UTF8.self), to: "a.claim")
        #expect(holder(store.claim(place)) != nil)
        var times = [timespec(tv_sec: age, tv_nsec: 0), timespec(tv_sec: age, tv_nsec: 0)]
        utimensat(AT_FDCWD, "\(folder.path)/a.claim", &times, 0)
        #expect(holder(Store(asking: "slurm").claim(place)) != nil)
        #expect(isOurs(store.claim(place)))
    }

    @Test func whatIsNotQueuedIsAnybodys() throws {
        #expect(isOurs(store.claim(place)))
        try store.record(nil, at: place)
        #expect(isOurs(Store().claim(place)))
    }

    @Test func manyStoresOneClaim() async {
        let place = place
        let wins = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    let store = Store()
                    defer { store.close() }
                    if case .ours = store.claim(place) { return true }
                    return false
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wins == 1)
    }

    @Test func aTaskIsForItsOwnerAlone() throws {
        try store.writeTask(EntryHeader(key: "a", parts: []), parts: [], at: place)
        var status = stat()
        stat("\(folder.path)/a.task", &status)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func aMissingFolderIsMade() throws {
        let place = EntryPlace(directory: folder.path, key: "x/y/z")
        try store.writeTask(EntryHeader(key: "x/y/z", parts: []), parts: [], at: place)
        #expect(store.exists(.task, at: place))
        unlink("\(place).task")
        for name in ["x/y", "x"] { rmdir("\(folder.path)/\(name)") }
    }

    private func isOurs(_ answer: ClaimAnswer) -> Bool { if case .ours = answer { true } else { false } }

    private func holder(_ answer: ClaimAnswer) -> Claim? { if case .taken(let claim) = answer { claim } else { nil } }

    private func json(_ claim: Claim) -> String {
        """
        {"host":"\(claim.host)","boot":"\(claim.boot)","pid":\(claim.pid),"start":\(claim.start)}
        """
    }
}
