// SPDX-License-Identifier: BSD-3-Clause
#if Logging
    public import Logging

    /// Writes a line for every task that ends: at level `debug` where it has a value, at `warning` where it has none.
    public struct LoggingObserver: TaskObserver {
        private let logger: Logger

        public init(_ logger: Logger = Logger(label: "swiftlet")) { self.logger = logger }

        public func submitted(_ task: ObservedTask) {
            logger.trace("task submitted", metadata: ["task": "\(task.number)", "type": "\(task.name)"])
        }

        public func ended(_ task: ObservedTask, _ end: ObservedEnd) {
            var metadata: Logger.Metadata = ["task": "\(task.number)", "type": "\(task.name)", "duration": "\(end.duration)"]
            guard let error = end.error else {
                logger.debug("task ended", metadata: metadata)
                return
            }
            metadata["code"] = "\(error.code)"
            metadata["host"] = error.host.map { "\($0)" }
            logger.warning("task failed", metadata: metadata)
        }
    }
#endif
