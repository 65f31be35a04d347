// SPDX-License-Identifier: BSD-3-Clause
import Glibc

/// The steps of a write at which a test has this process killed, to see that no crash leaves a wrong entry behind.
/// `SWIFTLET_STORE_FAULT=engine:half` names one; the process is gone when it gets there.
enum FaultPoint: String {
    case started, half, written, synced, named, claimed, recorded, released

    private static let wanted = getenv("SWIFTLET_STORE_FAULT").map { String(cString: $0) }

    static func reach(_ point: FaultPoint) {
        if wanted == "engine:\(point.rawValue)" { kill(getpid(), SIGKILL) }
    }
}
