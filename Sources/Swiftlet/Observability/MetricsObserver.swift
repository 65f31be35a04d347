// SPDX-License-Identifier: BSD-3-Clause
#if Metrics
    public import CoreMetrics
    import Metrics

    /// Counts tasks and times them, by the name of their type: `swiftlet_tasks_submitted`, `swiftlet_tasks_ended` (with an `outcome`:
    /// `value`, or the code of the error) and `swiftlet_task_duration`.
    public struct MetricsObserver: TaskObserver {
        private let factory: any MetricsFactory

        public init(factory: (any MetricsFactory)? = nil) { self.factory = factory ?? MetricsSystem.factory }

        public func submitted(_ task: ObservedTask) {
            Counter(label: "swiftlet_tasks_submitted", dimensions: [("type", task.name)], factory: factory).increment()
        }

        public func ended(_ task: ObservedTask, _ end: ObservedEnd) {
            let outcome = end.error.map { "\($0.code)" } ?? "value"
            let dimensions = [("type", task.name), ("outcome", outcome)]
            Counter(label: "swiftlet_tasks_ended", dimensions: dimensions, factory: factory).increment()
            let (seconds, attoseconds) = end.duration.components
            Timer(label: "swiftlet_task_duration", dimensions: dimensions, factory: factory)
                .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        }
    }
#endif
