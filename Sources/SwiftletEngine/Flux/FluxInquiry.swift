// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletTransport

/// What an instance of Flux has, for who chooses how to use it.
public struct FluxInquiry: Sendable {
    public struct Node: Sendable {
        public let host: String
        public let cores: Int
        public let gpus: Int
    }

    public let nodes: [Node]
    /// Cores that nobody holds.
    public let freeCores: Int
    /// It belongs to this user: jobs need no signature.
    public let isOwned: Bool
    public let version: String

    /// Why an instance cannot be used, with what to do.
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// How long an instance may take to become ready, in nanoseconds.
    private static let patience: UInt64 = 60_000_000_000

    /// Asks the instance at a local URI; nil: the machine's own. Blocks the calling thread for as long as that takes, at most a minute.
    public static func ask(uri: String?) throws(Failure) -> FluxInquiry {
        let loop = EventLoop()
        var answer: Result<FluxFacts, FluxFault> = .failure(FluxFault("it did not become ready within a minute"))
        do throws(FluxFault) {
            let instance = try FluxInstance(socket: try FluxAddress.socketPath(uri), loop: loop)
            instance.onReady = {
                answer = .success($0)
                loop.stop()
            }
            instance.onLost = {
                answer = .failure($0)
                loop.stop()
            }
            loop.schedule(after: patience) { loop.stop() }
            loop.run()
            instance.close()
            return FluxInquiry(try answer.get())
        } catch {
            throw Failure(description: FluxAddress.hint(for: error, uri: uri))
        }
    }

    private init(_ facts: FluxFacts) {
        nodes = facts.resources.nodes.map { Node(host: $0.host, cores: $0.cores.count, gpus: $0.gpus.count) }
        (freeCores, isOwned, version) = (facts.freeCores, facts.isOwned, facts.version)
    }
}
