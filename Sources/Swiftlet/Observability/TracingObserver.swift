// SPDX-License-Identifier: BSD-3-Clause
#if Tracing
    import Synchronization
    public import Tracing

    /// Makes a span of every task, from its submission to its end, below the span in which it was submitted.
    public final class TracingObserver: TaskObserver {
        private let tracer: any Tracer
        private let spans = Mutex<[UInt64: any Span]>([:])

        /// For one executor: tasks are told apart by their numbers.
        public init(_ tracer: (any Tracer)? = nil) { self.tracer = tracer ?? InstrumentationSystem.tracer }

        public func submitted(_ task: ObservedTask) {
            let span = tracer.startAnySpan(task.name, ofKind: .producer)
            span.attributes["swiftlet.task"] = SpanAttribute.int64(Int64(clamping: task.number))
            spans.withLock { $0[task.number] = span }
        }

        public func ended(_ task: ObservedTask, _ end: ObservedEnd) {
            guard let span = spans.withLock({ $0.removeValue(forKey: task.number) }) else { return }
            if let error = end.error {
                span.recordError(error)
                span.setStatus(SpanStatus(code: .error, message: error.code.description))
            }
            span.end()
        }
    }
#endif
