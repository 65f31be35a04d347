// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include "CSwiftlet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un path;
} sl_address;

// The length of the address, or 0 (errno EINVAL).
static socklen_t numeric(const char *text, int port, sl_address *address) {
  memset(address, 0, sizeof *address);
  if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
    address->v4.sin_family = AF_INET;
    address->v4.sin_port = htons((uint16_t)port);
    return sizeof address->v4;
  }
  if (inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons((uint16_t)port);
    return sizeof address->v6;
  }
  errno = EINVAL;
  return 0;
}

static int is_every_interface(const sl_address *address) {
  if (address->any.sa_family == AF_INET) return address->v4.sin_addr.s_addr == htonl(INADDR_ANY);
  return IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr);
}

static int path_address(const char *path, sl_address *address) {
  memset(address, 0, sizeof *address);
  if (strlen(path) >= sizeof address->path.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  address->path.sun_family = AF_UNIX;
  strcpy(address->path.sun_path, path);
  return 0;
}

static int close_keeping_errno(int fd) {
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static void send_at_once(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // fails, without harm, on sockets of a path
}

int sl_listen_tcp(const char *text, int port, int *bound_port) {
  sl_address address;
  socklen_t length = numeric(text, port, &address);
  if (!length) return -1;
  if (is_every_interface(&address)) {
    errno = EINVAL;
    return -1;
  }
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, &address.any, length) < 0 || listen(fd, 1024) < 0 || getsockname(fd, &address.any, &length) < 0)
    return close_keeping_errno(fd);
  *bound_port = ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
  return fd;
}

int sl_listen_unix(const char *path) {
  sl_address address;
  if (path_address(path, &address) < 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, &address.any, sizeof address.path) < 0 || listen(fd, 1024) < 0) return close_keeping_errno(fd);
  return fd;
}

int sl_accept(int fd) {
  int connection;
  do connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (connection < 0 && errno == EINTR);
  if (connection >= 0) send_at_once(connection);
  return connection;
}

static int wait_for_connection(int fd, int timeout_ms) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
  int ready;
  do ready = poll(&poll_fd, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  if (ready < 0) return -1;
  if (ready == 0) {
    errno = ETIMEDOUT;
    return -1;
  }
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return -1;
  errno = error;
  return error ? -1 : 0;
}

int sl_connect_tcp(const char *text, int port, int timeout_ms) {
  sl_address address;
  socklen_t length = numeric(text, port, &address);
  if (!length) return -1;
  int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (connect(fd, &address.any, length) < 0 && (errno != EINPROGRESS || wait_for_connection(fd, timeout_ms) < 0))
    return close_keeping_errno(fd);
  send_at_once(fd);
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) return close_keeping_errno(fd);
  return fd;
}

int sl_connect_unix(const char *path) {
  sl_address address;
  if (path_address(path, &address) < 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int result;
  do result = connect(fd, &address.any, sizeof address.path);
  while (result < 0 && errno == EINTR);
  return result < 0 ? close_keeping_errno(fd) : fd;
}

int sl_is_unix_socket(int fd) {
  int domain = 0;
  socklen_t length = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

int sl_peer_is_own_user(int fd) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

int sl_set_timeout(int fd, int timeout_ms) {
  struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0) return -1;
  return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

int sl_random(void *buffer, size_t size) {
  uint8_t *bytes = buffer;
  while (size > 0) {
    ssize_t count = getrandom(bytes, size, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return -1;
    bytes += count;
    size -= (size_t)count;
  }
  return 0;
}
