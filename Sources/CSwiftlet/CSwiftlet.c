// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "CSwiftlet.h"
#include "cores.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

enum { MAX_DESCRIPTORS = 64 };

int sl_poll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int control(int poll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {0};
  if (events & SL_READ) event.events |= EPOLLIN;
  if (events & SL_WRITE) event.events |= EPOLLOUT;
  event.data.u64 = token;
  return epoll_ctl(poll, operation, fd, &event);
}

int sl_poll_add(int poll, int fd, uint32_t events, uint64_t token) { return control(poll, EPOLL_CTL_ADD, fd, events, token); }
int sl_poll_change(int poll, int fd, uint32_t events, uint64_t token) { return control(poll, EPOLL_CTL_MOD, fd, events, token); }
int sl_poll_remove(int poll, int fd) { return control(poll, EPOLL_CTL_DEL, fd, 0, 0); }

int sl_poll_wait(int poll, sl_ready *ready, int capacity, int timeout_ms) {
  struct epoll_event events[128];
  if (capacity > 128) capacity = 128;
  int count = epoll_wait(poll, events, capacity, timeout_ms);
  if (count < 0) return errno == EINTR ? 0 : -1;
  for (int i = 0; i < count; i++) {
    ready[i].token = events[i].data.u64;
    ready[i].events = ((events[i].events & EPOLLIN) ? SL_READ : 0) | ((events[i].events & EPOLLOUT) ? SL_WRITE : 0) |
                      ((events[i].events & (EPOLLHUP | EPOLLERR)) ? SL_HANGUP : 0);
  }
  return count;
}

int sl_wakeup_create(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void sl_wakeup_signal(int fd) {
  uint64_t one = 1;
  while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {}
}

void sl_wakeup_clear(int fd) {
  uint64_t value;
  while (read(fd, &value, sizeof value) < 0 && errno == EINTR) {}
}

// A handler and not signalfd(2): a thread that does not block SIGCHLD would swallow it, and a Swift program has such threads.
static int child_events = -1;

static void child_has_ended(int signal) {
  (void)signal;
  int saved = errno;
  sl_wakeup_signal(child_events);
  errno = saved;
}

int sl_child_events(void) {
  child_events = sl_wakeup_create();
  struct sigaction action = {.sa_handler = child_has_ended, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
  return child_events < 0 || sigaction(SIGCHLD, &action, NULL) < 0 ? -1 : child_events;
}

int sl_process_watch(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int sl_socketpair(int out[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out); }
int sl_pipe(int out[2]) { return pipe2(out, O_CLOEXEC); }

int sl_memory_file(void) { return memfd_create("swiftlet", MFD_CLOEXEC); }

#define SIZE_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

int sl_sealed_memory(size_t size) {
  int fd = memfd_create("swiftlet-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, SIZE_SEALS) == 0) return fd;
  close(fd);
  return -1;
}

void *sl_map_sealed(int fd, size_t size) {
  struct stat status;
  int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & SIZE_SEALS) != SIZE_SEALS) return NULL;
  if (fstat(fd, &status) != 0 || (size_t)status.st_size != size) return NULL;
  void *start = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return start == MAP_FAILED ? NULL : start;
}

int sl_set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

ssize_t sl_receive(int fd, void *buffer, size_t size, int *descriptors, int capacity, int *count) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)];
    struct cmsghdr align;
  } ancillary;
  struct iovec io = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {
      .msg_iov = &io, .msg_iovlen = 1, .msg_control = ancillary.bytes, .msg_controllen = sizeof ancillary.bytes};
  *count = 0;
  ssize_t received;
  do received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (received < 0 && errno == EINTR);
  if (received < 0) return received;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (int i = 0; i < n; i++) {
      int descriptor;
      memcpy(&descriptor, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      if (*count < capacity) descriptors[(*count)++] = descriptor;
      else close(descriptor);
    }
  }
  return received;
}

ssize_t sl_send(int fd, const void *buffer, size_t size, const int *descriptors, int count) {
  ssize_t sent;
  if (count == 0) {
    do sent = send(fd, buffer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent;
  }
  union {
    char bytes[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS)];
    struct cmsghdr align;
  } ancillary;
  memset(&ancillary, 0, sizeof ancillary);
  struct iovec io = {.iov_base = (void *)buffer, .iov_len = size};
  struct msghdr message = {.msg_iov = &io, .msg_iovlen = 1, .msg_control = ancillary.bytes};
  message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  struct cmsghdr *c = CMSG_FIRSTHDR(&message);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int) * count);
  memcpy(CMSG_DATA(c), descriptors, sizeof(int) * count);
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent;
}

// What children get back: programs that use select(2) rely on a low limit.
static struct rlimit original_limit;
static int original_limit_known = 0;

void sl_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (original_limit_known || getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  original_limit = limit;
  original_limit_known = 1;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

cpu_set_t *sl_core_set(const int *cores, int count, size_t *size) {
  int most = 0;
  for (int i = 0; i < count; i++)
    if (cores[i] > most) most = cores[i];
  cpu_set_t *set = count > 0 ? CPU_ALLOC(most + 1) : NULL;
  if (!set) return NULL;
  *size = CPU_ALLOC_SIZE(most + 1);
  CPU_ZERO_S(*size, set);
  for (int i = 0; i < count; i++) CPU_SET_S(cores[i], *size, set);
  return set;
}

// In the child of vfork: only system calls, and only on variables of its own frame.
static int prepare_child(const sl_spawn_request *request, int null_fd, pid_t parent, const cpu_set_t *cores, size_t core_size) {
  int wanted[4] = {request->in >= 0 ? request->in : null_fd, request->out, request->error, request->socket};
  int count = request->socket >= 0 ? 4 : 3;
  // Above the targets first, so that no target is overwritten before it was copied.
  for (int i = 0; i < count; i++)
    if ((wanted[i] = fcntl(wanted[i], F_DUPFD_CLOEXEC, 16)) < 0) return -1;
  for (int i = 0; i < count; i++)
    if (dup2(wanted[i], i) < 0) return -1;
  if (setsid() < 0) return -1;
  if (request->signal_at_parents_end && sl_signal_at_parents_end(parent, request->signal_at_parents_end) < 0) return -1;
  struct sigaction action = {.sa_handler = SIG_DFL};
  for (int signal = 1; signal < 32; signal++)
    if (signal != SIGKILL && signal != SIGSTOP) sigaction(signal, &action, NULL);
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return -1;
  if (original_limit_known) setrlimit(RLIMIT_NOFILE, &original_limit);
  // A core that was taken away meanwhile is no reason not to run.
  if (cores) sched_setaffinity(0, core_size, cores);
  if (request->cwd && chdir(request->cwd) < 0) return -1;
  return 0;
}

pid_t sl_spawn(const sl_spawn_request *request) {
  int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd < 0) return -1;
  size_t core_size = 0;
  cpu_set_t *cores = sl_core_set(request->cores, request->core_count, &core_size);
  volatile int failure = 0;
  pid_t parent = getpid();
  pid_t child = vfork();
  if (child == 0) {
    if (prepare_child(request, null_fd, parent, cores, core_size) == 0) execve(request->path, request->argv, request->envp);
    failure = errno;
    _exit(127);
  }
  int error = errno;
  if (cores) CPU_FREE(cores);
  close(null_fd);
  if (child > 0 && failure != 0) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    errno = failure;
    return -1;
  }
  errno = error;
  return child;
}

char *const *sl_environment(void) { return environ; }

int sl_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int sl_signal_at_parents_end(pid_t parent, int signal) {
  if (prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0) < 0) return -1;
  if (getppid() != parent) _exit(1);
  return 0;
}

pid_t sl_reap(int *status, uint64_t *max_rss_kib) {
  struct rusage usage;
  pid_t pid;
  do pid = wait4(-1, status, WNOHANG, &usage);
  while (pid < 0 && errno == EINTR);
  if (pid > 0) *max_rss_kib = (uint64_t)usage.ru_maxrss;
  return pid;
}

void sl_ignore_terminal_signals(void) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  int signals[] = {SIGPIPE, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP, SIGXFSZ};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

int sl_available_cores(void) {
  cpu_set_t mask;
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int sl_file_identity(const char *path, uint64_t *identity) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (file < 0) return -1;
  if (fstat(file, &info) < 0) {
    close(file);
    return -1;
  }
  size_t size = (size_t)info.st_size;
  const uint64_t *words = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0) : NULL;
  close(file);
  if (words == MAP_FAILED) return -1;
  // Four sums side by side, since each multiplication waits for the one before.
  const uint64_t prime = 0x9E3779B97F4A7C15u;
  uint64_t a = size, b = 1, c = 2, d = 3;
  size_t count = size / 8, i = 0;
  for (; i + 4 <= count; i += 4) {
    a = (a ^ words[i]) * prime, b = (b ^ words[i + 1]) * prime;
    c = (c ^ words[i + 2]) * prime, d = (d ^ words[i + 3]) * prime;
    a ^= a >> 32, b ^= b >> 32, c ^= c >> 32, d ^= d >> 32;
  }
  for (; i < count; i++) a = (a ^ words[i]) * prime, a ^= a >> 32;
  const unsigned char *bytes = (const unsigned char *)words;
  for (size_t j = count * 8; j < size; j++) a = (a ^ bytes[j]) * prime, a ^= a >> 32;
  if (size) munmap((void *)words, size);
  *identity = (((a * prime ^ b) * prime ^ c) * prime ^ d) * prime;
  return 0;
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t sl_monotonic_ns(void) { return nanoseconds(CLOCK_MONOTONIC); }
uint64_t sl_unix_ns(void) { return nanoseconds(CLOCK_REALTIME); }

void sl_sleep_ns(uint64_t duration) {
  struct timespec time = {.tv_sec = (time_t)(duration / 1000000000u), .tv_nsec = (long)(duration % 1000000000u)};
  nanosleep(&time, NULL);
}
