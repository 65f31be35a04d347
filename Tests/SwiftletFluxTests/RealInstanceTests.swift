// SPDX-License-Identifier: BSD-3-Clause
import Glibc
import SwiftletFlux
import SwiftletLaunch
import SwiftletTransport
import Testing

private func instanceURI() -> String? { getenv("FLUX_URI").map { String(cString: $0) } }

/// Against a real Flux, where these tests run inside an instance: `flux start swift test --filter RealInstance`.
@Suite(.enabled(if: instanceURI() != nil, "FLUX_URI is not set: the tests do not run inside a Flux instance"), .serialized)
struct RealInstanceTests {
    private func withInstance(_ body: (EventLoop, FluxInstance, FluxFacts) throws -> Void) throws {
        let loop = EventLoop()
        let instance = try FluxInstance(socket: try FluxAddress.socketPath(instanceURI()), loop: loop)
        var facts: FluxFacts?
        instance.onReady = {
            facts = $0
            loop.stop()
        }
        instance.onLost = {
            Issue.record("\($0)")
            loop.stop()
        }
        loop.run()
        try body(loop, instance, try #require(facts))
        instance.close()
    }

    /// The ends of jobs, in words.
    private func run(_ specs: [Jobspec], _ loop: EventLoop, _ instance: FluxInstance) -> [String] {
        var ends = [String](repeating: "", count: specs.count)
        var missing = specs.count
        for (index, spec) in specs.enumerated() {
            instance.submit(spec).onEnd = { ending in
                switch ending {
                case .ended(let end): ends[index] = end.description
                case .refused(let fault): ends[index] = "refused: \(fault)"
                case .lost(let fault): ends[index] = "lost: \(fault)"
                }
                missing -= 1
                if missing == 0 { loop.stop() }
            }
        }
        loop.run()
        return ends
    }

    @Test func jobsEndInEveryWay() throws {
        try withInstance { loop, instance, facts in
            #expect(facts.isOwned && facts.resources.coreCount > 0)
            var limited = Jobspec(command: ["/bin/sleep", "60"])
            limited.duration = 0.5
            var large = Jobspec(command: ["/bin/true"])
            large.coresPerTask = 100_000
            var late = Jobspec(command: ["/bin/true"])
            late.dependencies = [.init(scheme: "afterok", value: "nonsense")]
            let ends = run(
                [
                    Jobspec(command: ["/bin/true"]), Jobspec(command: ["/bin/sh", "-c", "exit 42"]),
                    Jobspec(command: ["/bin/sh", "-c", "kill -9 $$"]), Jobspec(command: ["/no/such/program"]), limited, large,
                    late,
                ], loop, instance)
            #expect(ends[0] == "exited with status 0")
            #expect(ends[1] == "exited with status 42")
            #expect(ends[2] == "was ended by signal 9")
            #expect(ends[3].hasPrefix("exited with status 127: ") && ends[3].contains("/no/such/program"))
            #expect(ends[4] == "ran into its time limit")
            #expect(ends[5].hasPrefix("failed: ") && ends[5].contains("unsatisfiable"))
            #expect(ends[6].hasPrefix("refused: "))
        }
    }

    @Test func twoHundredJobsAtOnce() throws {
        try withInstance { loop, instance, _ in
            let ends = run([Jobspec](repeating: Jobspec(command: ["/bin/true"]), count: 200), loop, instance)
            #expect(ends.allSatisfy { $0 == "exited with status 0" })
        }
    }

    @Test func aRunningJobIsCancelled() throws {
        try withInstance { loop, instance, _ in
            let job = instance.submit(Jobspec(command: ["/bin/sleep", "60"]))
            job.onEvent = { if $0.name == "start" { instance.cancel(job, note: "enough") } }
            var text = ""
            job.onEnd = {
                if case .ended(let end) = $0 { text = end.description }
                loop.stop()
            }
            loop.run()
            #expect(text == "was cancelled: enough")
            // It is known to Flux, and seen by whoever comes later.
            let again = instance.watch(try #require(job.id))
            again.onEnd = { _ in loop.stop() }
            loop.run()
            guard case .ended(let end)? = again.ending else { throw FluxFault("\(String(describing: again.ending))") }
            #expect(end.result == .cancelled)
        }
    }
}
