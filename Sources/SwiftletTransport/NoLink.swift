// SPDX-License-Identifier: BSD-3-Clause

/// A link to nobody, for a process that does not speak: what is sent is dropped.
public final class NoLink: Link {
    public override init(loop: EventLoop) { super.init(loop: loop) }

    public override func flush() { outgoing.removeAll() }
}
