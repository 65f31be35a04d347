// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import Glibc
import SwiftletWire

/// Memory that a worker shares with its engine. The worker pins frames to it, which costs no system call and outlives its process, while
/// the engine says that it will look before it waits; and sees there whether there is anything to be read from its socket.
///
/// What is pinned comes before what is sent over the socket later, and after what was sent earlier: the worker pins only where the
/// engine has heard all that it has sent. Every number in it has one writer, and those two that cross (`pin` against `isLookedAt`, `told`
/// against `take`) are stored and loaded in one order for both sides, so that one of the two sees what the other has done.
public final class Board {
    private static let ring = 1 << 15
    /// Where the numbers are, on a cache line each, and the ring behind them.
    private static let (pinnedPlace, takenPlace, looksPlace, toldPlace, heardPlace, ringPlace) = (0, 64, 128, 192, 256, 4096)
    private static let size = ringPlace + ring

    private let memory: UnsafeMutableRawBufferPointer
    private var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: memory[Self.ringPlace...]) }
    /// The worker: bytes it has pinned. The engine: bytes it has taken. Nobody else's word counts.
    private var position: UInt64 = 0

    /// A new one, with the descriptor by which others map it; nil where the system gives none.
    public static func create() -> (board: Board, descriptor: Int32)? {
        let descriptor = sl_sealed_memory(size)
        guard descriptor >= 0 else { return nil }
        if let board = Board(descriptor: descriptor) { return (board, descriptor) }
        closeDescriptor(descriptor)
        return nil
    }

    /// That of another process; nil where it is none. The descriptor stays the caller's.
    public init?(descriptor: Int32) {
        guard let start = sl_map_sealed(descriptor, Self.size) else { return nil }
        memory = UnsafeMutableRawBufferPointer(start: start, count: Self.size)
    }

    deinit { munmap(memory.baseAddress, memory.count) }

    private subscript(place: Int) -> UInt64 {
        get { sl_load(memory.baseAddress! + place) }
        set { sl_store(memory.baseAddress! + place, newValue) }
    }

    // MARK: the worker's

    /// Pins whole frames, where the engine looks, has heard the `sent` bytes that the worker has sent over the socket, and there is room.
    func pin(_ frames: [UInt8], after sent: UInt64) -> Bool {
        guard isLookedAt, self[Self.heardPlace] == sent,
            position &+ UInt64(frames.count) &- self[Self.takenPlace] <= UInt64(Self.ring)
        else { return false }
        let start = Int(position % UInt64(Self.ring))
        let first = min(frames.count, Self.ring - start)
        frames.withUnsafeBytes { raw in
            UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: raw[..<first]))
            bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: raw[first...]))
        }
        position &+= UInt64(frames.count)
        self[Self.pinnedPlace] = position
        return true
    }

    // MARK: the engine's

    /// Whether there is something that has not been taken.
    var hasNews: Bool { self[Self.pinnedPlace] != position }

    /// Takes what is pinned. What the worker's process writes there later does not change it.
    /// - Throws: `WireError` where the worker has damaged it.
    func take(into buffer: InboundBuffer) throws {
        let count = self[Self.pinnedPlace] &- position
        guard count > 0 else { return }
        guard count <= UInt64(Self.ring) else { throw WireError("the worker has damaged its board") }
        let start = Int(position % UInt64(Self.ring))
        let first = min(Int(count), Self.ring - start)
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[start..<start + first]))
        buffer.append(UnsafeRawBufferPointer(rebasing: bytes[..<(Int(count) - first)]))
        position &+= count
        self[Self.takenPlace] = position
    }

    // MARK: for both

    /// The engine will look before it waits for what comes by sockets. Where that has changed since something was pinned, it is to be woken.
    var isLookedAt: Bool {
        get { self[Self.looksPlace] != 0 }
        set { self[Self.looksPlace] = newValue ? 1 : 0 }
    }

    /// How many bytes the engine has sent over the socket since it was made.
    var told: UInt64 {
        get { self[Self.toldPlace] }
        set { self[Self.toldPlace] = newValue }
    }

    /// How many bytes of frames the engine has handled that came over the socket since it was made, but for nudges.
    var heard: UInt64 {
        get { self[Self.heardPlace] }
        set { self[Self.heardPlace] = newValue }
    }
}
