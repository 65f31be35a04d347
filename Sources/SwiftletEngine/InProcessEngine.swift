// SPDX-License-Identifier: BSD-3-Clause
import CSwiftlet
import SwiftletLaunch
public import SwiftletTransport
import SwiftletWire

/// An engine inside this program, on a thread of its own. It speaks frames with the program as it does with any client.
public final class InProcessEngine: Sendable {
    private let clientEnd: MemoryLink.ClientEnd

    /// Starts the engine.
    /// - Parameters:
    ///   - guardianProgram: the program that is the guardian; nil: this one, started again.
    ///   - guardianArguments: arguments (argv) with which it is that.
    ///   - workers: the program that guardian and workers are, as the user knows it.
    ///   - received: called with whole frames for the client, on the engine's thread or in `send`; never twice at once.
    ///   - ended: called once when the engine is gone; the text says why where it could not start.
    public init(
        guardianProgram: String?, guardianArguments: [String], workers: WorkerProgram, log: String?,
        received: @escaping @Sendable ([UInt8]) -> Void, ended: @escaping @Sendable (String?) -> Void
    ) {
        let clientEnd = MemoryLink.ClientEnd()
        self.clientEnd = clientEnd
        startThread {
            let loop = EventLoop(gate: clientEnd.gate)
            let link = MemoryLink(clientEnd: clientEnd, loop: loop, deliver: received)
            do {
                let engine = try Engine(
                    loop: loop, client: link, guardianProgram: guardianProgram ?? "/proc/self/exe",
                    guardianArguments: guardianArguments, clientProcess: nil, workerProgram: workers, log: EngineLog(path: log),
                    onEnd: {})
                withExtendedLifetime(engine) { loop.run() }
                waitForEnd(ofGuardian: engine.guardianProcess)
                ended(nil)
            } catch {
                ended("\(error)")
            }
        }
    }

    /// Sends frames to the engine; for any thread. With `.byCaller`, `received` may be called before this returns.
    public func send(_ urgency: MemoryLink.Urgency = .normal, _ frames: (inout [UInt8]) -> Void) {
        clientEnd.send(urgency, frames)
    }

    /// What this program does when it was started as guardian (descriptor 3 leads to the engine); never returns.
    public static func runGuardian() -> Never { GuardianProcess.run(descriptor: 3) }
}
