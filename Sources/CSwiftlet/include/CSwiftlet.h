// SPDX-License-Identifier: BSD-3-Clause
// What the operating system offers and Swift's Glibc module does not: epoll, descriptors over sockets, spawning with full control.
#ifndef CSWIFTLET_H
#define CSWIFTLET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// --- waiting ---------------------------------------------------------------------------------------------------------

/// One descriptor that is ready: what was registered with it, and which of SL_READ, SL_WRITE, SL_HANGUP hold.
typedef struct {
  uint64_t token;
  uint32_t events;
} sl_ready;

enum { SL_READ = 1, SL_WRITE = 2, SL_HANGUP = 4 };

int sl_poll_create(void);
int sl_poll_add(int poll, int fd, uint32_t events, uint64_t token);
int sl_poll_change(int poll, int fd, uint32_t events, uint64_t token);
int sl_poll_remove(int poll, int fd);
/// Waits at most `timeout_ms` (-1: for ever); the number of entries written to `ready`, 0 after a time-out or an interruption.
int sl_poll_wait(int poll, sl_ready *ready, int capacity, int timeout_ms);

/// A descriptor that becomes readable when `sl_wakeup_signal` was called; `sl_wakeup_clear` resets it.
int sl_wakeup_create(void);
void sl_wakeup_signal(int fd);
void sl_wakeup_clear(int fd);

/// A wakeup that is signalled when a child of this process has ended. Takes over SIGCHLD; once per process.
int sl_child_events(void);

/// A descriptor that becomes readable when the process ends, or -1 (errno ENOSYS before Linux 5.3, ESRCH: no such process).
int sl_process_watch(pid_t pid);

// --- sockets ---------------------------------------------------------------------------------------------------------

/// Two connected stream sockets, closed on exec, in blocking mode.
int sl_socketpair(int out[2]);
int sl_pipe(int out[2]);

/// An empty file in memory that other processes can map.
int sl_memory_file(void);
/// A file of zeros in memory that keeps its size for ever; -1 where there is none.
int sl_sealed_memory(size_t size);
/// Maps such a file of just that size, shared; NULL where it is none: who maps it cannot be hurt by its other end.
void *sl_map_sealed(int fd, size_t size);
/// A number in shared memory: all processes see these loads and stores in one order.
static inline uint64_t sl_load(const void *place) { return __atomic_load_n((const uint64_t *)place, __ATOMIC_SEQ_CST); }
static inline void sl_store(void *place, uint64_t value) { __atomic_store_n((uint64_t *)place, value, __ATOMIC_SEQ_CST); }
int sl_set_nonblocking(int fd);
/// Reads without waiting; descriptors that came along are stored (closed on exec). -1 and errno EAGAIN: nothing there.
ssize_t sl_receive(int fd, void *buffer, size_t size, int *descriptors, int capacity, int *count);
/// Writes without waiting and without SIGPIPE; `descriptors` go with the first byte.
ssize_t sl_send(int fd, const void *buffer, size_t size, const int *descriptors, int count);

/// A socket that listens at a numeric IPv4 or IPv6 address of one interface; the port it got is stored. -1, errno EINVAL: no such
/// address, or one that stands for all interfaces.
int sl_listen_tcp(const char *address, int port, int *bound_port);
/// A socket that listens at a path, which must not exist.
int sl_listen_unix(const char *path);
/// The next connection that waits, not blocking; -1 and errno EAGAIN where there is none.
int sl_accept(int fd);
/// Connects within so many milliseconds, or -1; the socket blocks. The address is numeric.
int sl_connect_tcp(const char *address, int port, int timeout_ms);
int sl_connect_unix(const char *path);
/// Whether it is a Unix socket, 1 or 0.
int sl_is_unix_socket(int fd);
/// Whether a process of this one's user made or connected the other end of a Unix socket, 1 or 0.
int sl_peer_is_own_user(int fd);
/// How long a read or write of a blocking socket may take (0: for ever).
int sl_set_timeout(int fd, int timeout_ms);
/// Bytes nobody can predict; 0, or -1.
int sl_random(void *buffer, size_t size);

// --- processes -------------------------------------------------------------------------------------------------------

/// What to start. Its descriptors: 0 is `in` (-1: /dev/null), then `out`, `error`, and `socket` as 3 (-1: none). Everything else is
/// closed on exec.
/// The process leads a session of its own, gets the signal `signal_at_parents_end` (0: none) when the calling thread ends.
typedef struct {
  const char *path;
  char *const *argv;
  char *const *envp;
  const char *cwd;  // NULL: as it is
  int socket, out, error, in;
  int signal_at_parents_end;
  const int *cores;  // those it may run on; core_count 0: all that the caller has
  int core_count;
} sl_spawn_request;

/// The process id, or -1 with errno telling why it could not be started (also: the program not found).
pid_t sl_spawn(const sl_spawn_request *request);
/// The environment of this process.
char *const *sl_environment(void);
int sl_become_subreaper(void);
/// `signal` for this process when the thread that created it ends; ends it at once if that has happened (parent is not `parent` any
/// more).
int sl_signal_at_parents_end(pid_t parent, int signal);
/// Reaps one child that has ended without waiting: its id, 0 if none has ended, -1 if there is none.
pid_t sl_reap(int *status, uint64_t *max_rss_kib);
/// The variable that makes a program that links this library a fork server: before its `main`, and before its Swift runtime does
/// anything, it answers its process id on descriptor 3 (or exits: it cannot be one, because it has threads already or a kernel that does
/// not say where the C library keeps thread ids), then reads requests there. Each is two u32, the count of bytes that follow and that of the
/// i32 core numbers they begin with (none: all cores), then the working directory (empty: as it is) and variables `NAME=value`, each
/// ended by a zero byte. Three descriptors come with the first byte: the child's socket, its output and its error output. The answer is an
/// i32, the child's process id or a negative errno. The child is a child of the fork server's parent and ends with it; it leads a session of
/// its own and goes on to `main`, with the fork server's arguments.
#define SL_FORK_SERVER "SWIFTLET_FORK_SERVER"
/// Ignores SIGPIPE, SIGXFSZ (the writing call fails instead) and the terminal's signals: the engine ends by end of file, not by Ctrl-C.
void sl_ignore_terminal_signals(void);
/// Raises the soft limit of open descriptors to the hard one, for this process; what it spawns gets the limit it had.
void sl_raise_descriptor_limit(void);

/// How many cores this process may run on.
int sl_available_cores(void);

// --- files -----------------------------------------------------------------------------------------------------------

/// A number that two files of different content do not share by accident. -1 and errno where the file cannot be read.
int sl_file_identity(const char *path, uint64_t *identity);

// --- time ------------------------------------------------------------------------------------------------------------

uint64_t sl_monotonic_ns(void);
uint64_t sl_unix_ns(void);
void sl_sleep_ns(uint64_t nanoseconds);

#endif
