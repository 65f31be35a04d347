// SPDX-License-Identifier: BSD-3-Clause
// A copy of a program that was loaded and has not begun: it forks itself on request, and each child begins as if it had just been
// loaded. That spares a child the dynamic linker, which is most of a small program's start.
#define _GNU_SOURCE
#include "CSwiftlet.h"
#include "cores.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

enum { SERVER = 3, DESCRIPTORS = 3 };

// Where the C library keeps the thread's id, which a bare clone(2) must set in the child as fork(3) does; NULL where it cannot be told.
static pid_t *thread_id_address(void) {
  pid_t *address = NULL;
  if (prctl(PR_GET_TID_ADDRESS, &address, 0, 0, 0) < 0 || address == NULL) return NULL;
  return *address == getpid() ? address : NULL;
}

// Libraries may have started threads when they were loaded, and a fork has none of them.
static int has_one_thread(void) {
  struct stat info;
  return stat("/proc/self/task", &info) == 0 && info.st_nlink == 3;
}

// The child's parent is this process' own, who reaps it as what it started itself.
static pid_t fork_for_parent(pid_t *thread_id) {
  unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
  void *robust_list = NULL;
  size_t size = 0;
  syscall(SYS_get_robust_list, 0, &robust_list, &size);
  // The kernel takes the address from the fourth or from the fifth argument, depending on the architecture.
  pid_t child = (pid_t)syscall(SYS_clone, flags, NULL, NULL, thread_id, thread_id);
  if (child == 0 && robust_list) syscall(SYS_set_robust_list, robust_list, size);
  return child;
}

static int receive_all(void *buffer, size_t size, int *descriptors, int capacity) {
  size_t got = 0;
  int held = 0;
  // Descriptors come with the first byte of a request.
  while (got < size) {
    int count = 0;
    struct pollfd ready = {.fd = SERVER, .events = POLLIN};
    if (poll(&ready, 1, -1) < 0) continue;
    ssize_t received = sl_receive(SERVER, (char *)buffer + got, size - got, descriptors + held, capacity - held, &count);
    if (received <= 0) return -1;
    held += count;
    got += (size_t)received;
  }
  return held;
}

static void answer(pid_t value) {
  if (send(SERVER, &value, sizeof value, MSG_NOSIGNAL) != sizeof value) _exit(0);
}

// Its environment is the strings from `next` up to `end`. They are put where the kernel put those of the copy: in a program that is
// linked statically Swift's runtime begins after this file does, and finds the arguments by the environment's place on the stack.
static int take_environment(char *next, const char *end) {
  char **place = environ;
  for (; next < end; next += strlen(next) + 1) {
    if (!*place) return -1;
    *place++ = next;
  }
  *place = NULL;
  return 0;
}

static int become(const int *descriptors, pid_t parent, const cpu_set_t *cores, size_t core_size, char *variables, const char *end) {
  if (setsid() < 0 || sl_signal_at_parents_end(parent, SIGKILL) < 0) return -1;
  const int targets[DESCRIPTORS] = {SERVER, STDOUT_FILENO, STDERR_FILENO};
  for (int i = 0; i < DESCRIPTORS; i++)
    if (dup2(descriptors[i], targets[i]) < 0) return -1;
  for (int i = 0; i < DESCRIPTORS; i++) close(descriptors[i]);
  // A core that was taken away meanwhile is no reason not to run.
  if (cores) sched_setaffinity(0, core_size, cores);
  return take_environment(variables, end);
}

// Serves requests; returns in each child, which is then the program that begins.
static void serve(pid_t *thread_id) {
  pid_t parent = getppid();
  answer(getpid());
  for (;;) {
    uint32_t head[2];  // bytes that follow, and how many core numbers they begin with; then directory and variables
    int descriptors[DESCRIPTORS];
    int held = receive_all(head, sizeof head, descriptors, DESCRIPTORS);
    if (held < 0) _exit(0);
    char *body = malloc(head[0]);
    if (held != DESCRIPTORS || !body || receive_all(body, head[0], NULL, 0) < 0) _exit(1);
    const int *cores = (const int *)(void *)body;
    char *directory = body + head[1] * sizeof *cores;
    size_t core_size = 0;
    cpu_set_t *set = sl_core_set(cores, (int)head[1], &core_size);
    pid_t child = *directory && chdir(directory) < 0 ? -1 : fork_for_parent(thread_id);
    if (child == 0) {
      if (become(descriptors, parent, set, core_size, directory + strlen(directory) + 1, body + head[0]) < 0) _exit(127);
      return;
    }
    answer(child > 0 ? child : -errno);
    if (set) CPU_FREE(set);
    free(body);
    for (int i = 0; i < DESCRIPTORS; i++) close(descriptors[i]);
  }
}

// Before main, and before anything of the program's own.
__attribute__((constructor)) static void serve_forks_if_asked(void) {
  const char *asked = getenv(SL_FORK_SERVER);
  if (!asked) return;
  pid_t *thread_id = thread_id_address();
  if (!thread_id || !has_one_thread()) _exit(0);
  serve(thread_id);
}
