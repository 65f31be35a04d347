// SPDX-License-Identifier: BSD-3-Clause
import SwiftletTransport

/// The three streams of a worker's process on this host, each with our end and its own.
struct ProcessStreams {
    let connection: (ours: Int32, theirs: Int32)
    let output: (ours: Int32, theirs: Int32)
    let errors: (ours: Int32, theirs: Int32)

    /// - Throws: `SystemError` where there are no descriptors left.
    init() throws(SystemError) {
        var made: [(Int32, Int32)] = []
        do {
            made.append(try makeSocketPair())
            made.append(try makePipe())
            made.append(try makePipe())
        } catch {
            for (ours, theirs) in made {
                closeDescriptor(ours)
                closeDescriptor(theirs)
            }
            throw error
        }
        (connection, output, errors) = (made[0], made[1], made[2])
    }

    /// Readers of what it prints.
    func readers(loop: EventLoop) -> [OutputReader] {
        [
            OutputReader(descriptor: output.ours, keepsTail: false, loop: loop),
            OutputReader(descriptor: errors.ours, keepsTail: true, loop: loop),
        ]
    }
}
