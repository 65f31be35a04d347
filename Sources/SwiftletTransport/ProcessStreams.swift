// SPDX-License-Identifier: BSD-3-Clause

/// The three streams of a worker's process on this host, each with our end and its own.
public struct ProcessStreams {
    public let connection: (ours: Int32, theirs: Int32)
    public let output: (ours: Int32, theirs: Int32)
    public let errors: (ours: Int32, theirs: Int32)

    /// - Throws: `SystemError` where there are no descriptors left.
    public init() throws(SystemError) {
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
}
