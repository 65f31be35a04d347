// SPDX-License-Identifier: BSD-3-Clause

/// Event logs as a real instance (flux-core 0.88) wrote them, one entry a line; times cut.
enum RecordedLog {
    /// Exit 0.
    static let success = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.016,"name":"validate"}
        {"timestamp":0.029,"name":"depend"}
        {"timestamp":0.029,"name":"priority","context":{"priority":16}}
        {"timestamp":0.032,"name":"alloc"}
        {"timestamp":0.042,"name":"start"}
        {"timestamp":0.067,"name":"finish","context":{"status":0}}
        {"timestamp":0.068,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.068,"name":"free"}
        {"timestamp":0.068,"name":"clean"}
        """#

    /// Exit 42.
    static let exit42 = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.032,"name":"alloc"}
        {"timestamp":0.037,"name":"start"}
        {"timestamp":0.062,"name":"finish","context":{"status":10752}}
        {"timestamp":0.064,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.064,"name":"free"}
        {"timestamp":0.064,"name":"clean"}
        """#

    /// A task killed by SIGKILL.
    static let killed = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.027,"name":"alloc"}
        {"timestamp":0.029,"name":"start"}
        {"timestamp":0.063,"name":"finish","context":{"status":35072}}
        {"timestamp":0.066,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.066,"name":"free"}
        {"timestamp":0.066,"name":"clean"}
        """#

    /// A task killed by SIGSEGV.
    static let segmentationFault = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.022,"name":"depend"}
        {"timestamp":0.022,"name":"priority","context":{"priority":16}}
        {"timestamp":0.025,"name":"alloc"}
        {"timestamp":0.031,"name":"start"}
        {"timestamp":0.063,"name":"finish","context":{"status":35584}}
        {"timestamp":0.068,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.068,"name":"free"}
        {"timestamp":0.068,"name":"clean"}
        """#

    /// A command that does not exist.
    static let commandNotFound = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.022,"name":"depend"}
        {"timestamp":0.022,"name":"priority","context":{"priority":16}}
        {"timestamp":0.029,"name":"alloc"}
        {"timestamp":0.034,"name":"start"}
        {"timestamp":0.061,"name":"exception","context":{"type":"exec","severity":0,"note":"task 0 (host vm): start failed: no-such-command: No such file or directory","userid":0}}
        {"timestamp":0.063,"name":"finish","context":{"status":32512}}
        {"timestamp":0.065,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.065,"name":"free"}
        {"timestamp":0.065,"name":"clean"}
        """#

    /// A command that is no program.
    static let notExecutable = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.031,"name":"alloc"}
        {"timestamp":0.036,"name":"start"}
        {"timestamp":0.049,"name":"exception","context":{"type":"exec","severity":0,"note":"task 0 (host vm): start failed: /etc/passwd: Permission denied","userid":0}}
        {"timestamp":0.051,"name":"finish","context":{"status":32256}}
        {"timestamp":0.052,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.052,"name":"free"}
        {"timestamp":0.052,"name":"clean"}
        """#

    /// A time limit of one second.
    static let timeLimit = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.024,"name":"depend"}
        {"timestamp":0.024,"name":"priority","context":{"priority":16}}
        {"timestamp":0.032,"name":"alloc"}
        {"timestamp":0.038,"name":"start"}
        {"timestamp":1.026,"name":"exception","context":{"type":"timeout","severity":0,"userid":0,"note":"resource allocation expired"}}
        {"timestamp":1.029,"name":"finish","context":{"status":36352}}
        {"timestamp":1.031,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":1.031,"name":"free"}
        {"timestamp":1.031,"name":"clean"}
        """#

    /// Cancelled while running, with a note.
    static let cancelledRunning = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.031,"name":"alloc"}
        {"timestamp":0.033,"name":"start"}
        {"timestamp":0.087,"name":"exception","context":{"type":"cancel","severity":0,"note":"the user said so","userid":0}}
        {"timestamp":0.103,"name":"finish","context":{"status":36608}}
        {"timestamp":0.104,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.104,"name":"free"}
        {"timestamp":0.104,"name":"clean"}
        """#

    /// Cancelled while running, and SIGTERM ignored.
    static let cancelledAndKilled = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.028,"name":"alloc"}
        {"timestamp":0.033,"name":"start"}
        {"timestamp":0.377,"name":"exception","context":{"type":"cancel","severity":0,"note":"","userid":0}}
        {"timestamp":5.387,"name":"finish","context":{"status":35072}}
        {"timestamp":5.388,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":5.388,"name":"free"}
        {"timestamp":5.388,"name":"clean"}
        """#

    /// Cancelled while held.
    static let cancelledPending = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":0,"flags":0,"version":1}}
        {"timestamp":0.013,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":0}}
        {"timestamp":0.057,"name":"exception","context":{"type":"cancel","severity":0,"note":"","userid":0}}
        {"timestamp":0.057,"name":"clean"}
        """#

    /// 9 cores where there are 2.
    static let tooManyCores = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.022,"name":"depend"}
        {"timestamp":0.022,"name":"priority","context":{"priority":16}}
        {"timestamp":0.023,"name":"exception","context":{"type":"alloc","severity":0,"note":"unsatisfiable request: need 1 slot(s) of 9 core(s), only 0 such slot(s) available (total cores: 2)","userid":0}}
        {"timestamp":0.023,"name":"clean"}
        """#

    /// Two tasks: exit 0 and exit 3.
    static let highestOfTwo = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.026,"name":"alloc"}
        {"timestamp":0.035,"name":"start"}
        {"timestamp":0.071,"name":"finish","context":{"status":768}}
        {"timestamp":0.072,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.072,"name":"free"}
        {"timestamp":0.072,"name":"clean"}
        """#

    /// SIGTERM by flux job kill.
    static let signalled = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.022,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.026,"name":"alloc"}
        {"timestamp":0.038,"name":"start"}
        {"timestamp":0.085,"name":"finish","context":{"status":36608}}
        {"timestamp":0.087,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.087,"name":"free"}
        {"timestamp":0.087,"name":"clean"}
        """#

    /// Behind a job that was cancelled before it started (`afterok`).
    static let inputNeverStarted = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"dependency-add","context":{"description":"after-success=ƒebpnYF"}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.286,"name":"exception","context":{"type":"dependency","severity":0,"note":"dependency after-success=ƒebpnYF job never started","userid":0}}
        {"timestamp":0.286,"name":"clean"}
        """#

    /// Held, then let go.
    static let heldForAWhile = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":0,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":0}}
        {"timestamp":0.089,"name":"urgency","context":{"userid":0,"urgency":20}}
        {"timestamp":0.089,"name":"priority","context":{"priority":20}}
        {"timestamp":0.092,"name":"alloc","context":{"annotations":{"sched":{"resource_summary":"rank0/core0"}}}}
        {"timestamp":0.096,"name":"start"}
        {"timestamp":0.109,"name":"finish","context":{"status":0}}
        {"timestamp":0.111,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.111,"name":"free"}
        {"timestamp":0.111,"name":"clean"}
        """#

    /// An instance of its own, which tells where it is.
    static let instance = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.011,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.028,"name":"alloc","context":{"annotations":{"sched":{"resource_summary":"rank0/core0"}}}}
        {"timestamp":0.03,"name":"start"}
        {"timestamp":0.065,"name":"memo","context":{"uri":"ssh://vm/tmp/flux-V9LmqB/local-0"}}
        {"timestamp":3.683,"name":"finish","context":{"status":0}}
        {"timestamp":3.685,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":3.685,"name":"free"}
        {"timestamp":3.685,"name":"clean"}
        """#

    /// Two tasks, one exits with 3 while the other sleeps; `exit-on-error`.
    static let exitOnError = #"""
        {"timestamp":0.0,"name":"submit","context":{"userid":0,"urgency":16,"flags":0,"version":1}}
        {"timestamp":0.012,"name":"validate"}
        {"timestamp":0.023,"name":"depend"}
        {"timestamp":0.023,"name":"priority","context":{"priority":16}}
        {"timestamp":0.027,"name":"alloc","context":{"annotations":{"sched":{"resource_summary":"rank0/core[0-1]"}}}}
        {"timestamp":0.031,"name":"start"}
        {"timestamp":0.05,"name":"exception","context":{"type":"exec","severity":0,"note":"sh: task rank 1 on host vm failed (Exit 3) and exit-on-error is set","userid":0,"wait_status":768}}
        {"timestamp":0.053,"name":"finish","context":{"status":768}}
        {"timestamp":0.057,"name":"release","context":{"ranks":"all","final":true}}
        {"timestamp":0.057,"name":"free"}
        {"timestamp":0.057,"name":"clean"}
        """#
}
