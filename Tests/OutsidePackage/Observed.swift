// SPDX-License-Identifier: BSD-3-Clause
import InMemoryLogging
import InMemoryTracing
import Logging
import MetricsTestKit
import ServiceLifecycle
import Swiftlet
import Tracing

struct Square: RemoteTask {
    let number: Int
    func run() async throws -> Int { number * number }
}

struct Root: RemoteTask {
    struct Negative: Error {}
    let number: Double
    func run() async throws -> Double {
        guard number >= 0 else { throw Negative() }
        return number.squareRoot()
    }
}

@main struct Observed: TaskProgram {
    static func body() async throws {
        let lines = InMemoryLogHandler()
        var logger = Logger(label: "test") { _ in lines }
        logger.logLevel = .trace
        let metrics = TestMetrics()
        let tracer = InMemoryTracer()
        let configuration = ExecutorConfiguration.singleNode(maxWorkers: 1, mode: .warm)
            .observed(by: LoggingObserver(logger))
            .observed(by: MetricsObserver(factory: metrics))
            .observed(by: TracingObserver(tracer))
        try await withExecutor(configuration) { executor in
            try await tracer.withSpan("request") { _ in _ = try await executor.run(Square(number: 3)) }
            _ = try await executor.submit(Root(number: -1)).result
        }
        for entry in lines.entries {
            let words = entry.metadata.filter { $0.key != "duration" && $0.key != "host" }.map { "\($0.key)=\($0.value)" }
            print("log", entry.level, entry.message, words.sorted().joined(separator: " "))
        }
        for counter in metrics.counters.sorted(by: { $0.label + name($0.dimensions) < $1.label + name($1.dimensions) }) {
            print("metric", counter.label, name(counter.dimensions), counter.totalValue)
        }
        for timer in metrics.timers.sorted(by: { name($0.dimensions) < name($1.dimensions) }) {
            print("metric", timer.label, name(timer.dimensions), timer.values.count, timer.values.allSatisfy { $0 > 0 })
        }
        let spans = tracer.finishedSpans
        let request = spans.first { $0.operationName == "request" }
        for span in spans.sorted(by: { $0.operationName < $1.operationName }) {
            let parent = span.parentSpanID == nil ? "alone" : span.parentSpanID == request?.spanID ? "in request" : "elsewhere"
            let status = span.status.map { "\($0.code) \($0.message ?? "")" } ?? "-"
            print("span", span.operationName, span.kind, parent, span.errors.count, status)
        }
        try await service(logger)
    }

    static func name(_ dimensions: [(String, String)]) -> String { dimensions.map { "\($0)=\($1)" }.joined(separator: ",") }

    /// An executor that lives as long as a service does, with one that uses it.
    static func service(_ logger: Logger) async throws {
        let executor = ExecutorService(.singleNode(maxWorkers: 1, mode: .warm))
        let early = [Task { try await executor.run(Square(number: 1)) }, Task { try await executor.run(Square(number: 1)) }]
        early[0].cancel()
        // The other one most likely waits already.
        for _ in 0..<100 { await Task.yield() }
        for task in early {
            task.cancel()
            do { print("service", try await task.value) } catch { print("service", error) }
        }
        let services = ServiceGroup(services: [executor, Client(executor: executor)], logger: Logger(label: "service"))
        let running = Task { try await services.run() }
        let value = try await executor.run(Square(number: 12))
        print("service", value)
        await services.triggerGracefulShutdown()
        try await running.value
        do { print("service", try await executor.run(Square(number: 1))) } catch { print("service", error) }
    }

    struct Client: Service {
        let executor: ExecutorService
        func run() async throws {
            _ = try await executor.run(Square(number: 2))
            try await gracefulShutdown()
        }
    }
}
