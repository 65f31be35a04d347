// SPDX-License-Identifier: BSD-3-Clause
import SwiftletFlux
import SwiftletLaunch
import SwiftletTransport
import Testing

/// A client of the stand-in broker, both on one loop.
private struct World {
    let loop = EventLoop()
    let broker: StandInBroker
    let instance: FluxInstance

    init(_ prepare: (StandInBroker) -> Void = { _ in }) throws {
        broker = StandInBroker(loop: loop)
        prepare(broker)
        instance = try FluxInstance(socket: broker.path, loop: loop)
    }

    /// Runs until the instance is ready, or lost.
    func start() -> Result<FluxFacts, FluxFault> {
        var result: Result<FluxFacts, FluxFault> = .failure(FluxFault("nothing happened"))
        instance.onReady = {
            result = .success($0)
            loop.stop()
        }
        instance.onLost = {
            result = .failure($0)
            loop.stop()
        }
        loop.run()
        return result
    }

    /// Runs until the job has ended; how, in words.
    func run(_ job: FluxJob) -> String {
        var text = ""
        job.onEnd = {
            text = words($0)
            loop.stop()
        }
        loop.run()
        return text
    }
}

private func words(_ ending: FluxJob.Ending) -> String {
    switch ending {
    case .ended(let end): end.description
    case .refused(let fault): "refused: \(fault)"
    case .lost(let fault): "lost: \(fault)"
    }
}

@Suite struct InstanceTests {
    @Test func itTellsWhatItHas() throws {
        let world = try World()
        let facts = try world.start().get()
        #expect(facts.resources.nodes.map(\.host) == ["n0", "n1"])
        #expect(facts.freeCores == 3 && facts.isOwned && facts.version == "0.88.0")
        #expect(
            world.broker.asked == [
                "state-machine.wait", "attr.get", "attr.get", "job-manager.events-journal", "sched.resource-status",
            ])
    }

    @Test func aJobsEventsArePushed() throws {
        let world = try World()
        _ = try world.start().get()
        let job = world.instance.submit(Jobspec(command: ["x"]))
        job.onAccepted = { world.broker.push(RecordedLog.exit42, for: $0.rawValue) }
        #expect(world.run(job) == "exited with status 42")
        #expect(world.broker.submitted.first?.hasSuffix(".none") == true)
    }

    @Test func eventsMayComeBeforeTheAnswerToTheSubmit() throws {
        let world = try World()
        _ = try world.start().get()
        let broker = world.broker
        broker.answer = { request, _ in
            guard request.topic == "job-ingest.submit" else { return nil }
            broker.push(RecordedLog.success, for: 7)
            return .response(to: request, ["id": 7])
        }
        #expect(world.run(world.instance.submit(Jobspec(command: ["x"]))) == "exited with status 0")
    }

    @Test func aRefusalComesWithFluxsWords() throws {
        let world = try World()
        _ = try world.start().get()
        world.broker.answer = { request, _ in
            guard request.topic == "job-ingest.submit" else { return nil }
            var answer = FluxMessage.response(to: request, .null, error: 22)
            answer.payload = Array("dependency: afterok: job ƒ1 failed or was canceled".utf8)
            return answer
        }
        let job = world.instance.submit(Jobspec(command: ["x"]))
        #expect(world.run(job) == "refused: dependency: afterok: job ƒ1 failed or was canceled")
    }

    @Test func aJobThatIsCancelledBeforeFluxHasTakenItIsCancelledThen() throws {
        let world = try World()
        _ = try world.start().get()
        let job = world.instance.submit(Jobspec(command: ["x"]))
        world.instance.cancel(job, note: "not needed")
        let broker = world.broker
        broker.answer = { request, payload in
            guard request.topic == "job-manager.raise" else { return nil }
            broker.push(RecordedLog.cancelledPending, for: payload["id"]?.integer ?? 0)
            return .response(to: request, nil)
        }
        #expect(world.run(job) == "was cancelled")
    }

    @Test func whenTheBrokerDiesEveryJobIsLost() throws {
        let world = try World()
        _ = try world.start().get()
        var ends: [String] = []
        let loop = world.loop
        let jobs = (0..<3).map { _ in world.instance.submit(Jobspec(command: ["x"])) }
        var accepted = 0
        for job in jobs {
            job.onAccepted = { _ in
                accepted += 1
                if accepted == 2 { world.broker.die() }  // the third has no id yet, or has just got one
            }
            job.onEnd = { ends.append(words($0)) }
        }
        world.instance.onLost = { _ in loop.stop() }
        loop.run()
        #expect(ends.count == 3)
        #expect(ends.allSatisfy { $0.hasPrefix("lost: the broker closed the connection") })
        // And what is submitted afterwards ends, too.
        #expect(world.run(world.instance.submit(Jobspec(command: ["x"]))).hasPrefix("lost:"))
    }

    @Test func aGuestsJobIsSubmittedElsewhereAndWatchedByItsOwnLog() throws {
        let world = try World { $0.owner = "4711" }
        #expect(try world.start().get().isOwned == false)
        world.instance.submitter = { jobspec, urgency, answer in
            #expect(jobspec.contains("\"command\":[\"x\"]") && urgency == 16)
            answer(.success(FluxJobID(55)))
        }
        let job = world.instance.submit(Jobspec(command: ["x"]))
        let broker = world.broker
        broker.answer = { request, _ in
            if request.topic == "job-info.eventlog-watch" {
                world.loop.afterThisTurn { broker.push(RecordedLog.killed, for: 55) }
            }
            return nil
        }
        #expect(world.run(job) == "was ended by signal 9")
        #expect(!broker.asked.contains("job-manager.events-journal"))
    }

    @Test func aGuestWithoutASignatureIsToldSo() throws {
        let world = try World { $0.owner = "4711" }
        _ = try world.start().get()
        let job = world.instance.submit(Jobspec(command: ["x"]))
        #expect(world.run(job) == "refused: this instance belongs to another user and wants signed jobs")
    }

    @Test func aJobOfAnotherTimeIsWatchedFromItsBeginning() throws {
        let world = try World()
        _ = try world.start().get()
        let broker = world.broker
        broker.answer = { request, _ in
            guard request.topic == "job-info.eventlog-watch" else { return nil }
            var answer = FluxMessage.response(to: request, .null, error: 2)
            answer.payload = Array("no such job".utf8)
            return answer
        }
        #expect(world.run(world.instance.watch(FluxJobID(5))) == "lost: job ƒ6: no such job")
    }

    @Test func aBrokerOfAnotherUserSaysSo() throws {
        let world = try World { $0.verdict = 1 }
        #expect(throws: FluxFault(code: 1, "it belongs to another user, and does not let this one in")) {
            try world.start().get()
        }
    }

    @Test func whatIsNoBrokerIsNotTalkedTo() throws {
        let world = try World()
        world.broker.answer = { _, _ in
            world.broker.write(Array("HTTP/1.1 400 Bad Request\r\n".utf8))
            return nil
        }
        #expect(throws: FluxFault.self) { try world.start().get() }
    }

    @Test func noSocketNoInstance() {
        #expect(throws: FluxFault.self) { try FluxInstance(socket: "/tmp/swiftlet-no-such-socket", loop: EventLoop()) }
    }
}
