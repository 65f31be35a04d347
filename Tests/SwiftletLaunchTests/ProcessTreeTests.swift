// SPDX-License-Identifier: BSD-3-Clause
import Foundation
import Glibc
import Testing

@testable import SwiftletLaunch

@Suite struct ProcessTreeTests {
    /// The kernel keeps children by the thread that started them, and a guardian in a Swift program runs on any.
    @Test func childrenOfAllThreadsAreSeen() async {
        let isSeen = DispatchSemaphore(value: 0)
        let child = await withCheckedContinuation { (started: CheckedContinuation<pid_t, Never>) in
            Thread.detachNewThread {
                var child: pid_t = -1
                var arguments = [strdup("sleep"), strdup("600"), nil]
                posix_spawnp(&child, "sleep", nil, nil, &arguments, nil)
                arguments.forEach { free($0) }
                started.resume(returning: child)
                // The kernel gives the children of a thread that ends to another one.
                isSeen.wait()
            }
        }
        #expect(ProcessTree.children().contains(child))
        kill(child, SIGKILL)
        waitpid(child, nil, 0)
        isSeen.signal()
    }
}
