/* stranger.c -- the bare sockets of stranger.h. */
#include "loopback.h"
#include "stranger.h"

#include "patience.h"
#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int dial(unsigned port)
{
    struct sockaddr_in where = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&where, sizeof where) == 0) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

int stranger_connect(unsigned port)
{
    int fd = dial(port);
    if (fd < 0) fail_msg("nobody listens on port %u: %s", port, strerror(errno));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

void stranger_throw(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += n;
        bytes -= (size_t)n;
    }
}

void stranger_throw_random(int fd, size_t bytes, unsigned seed)
{
    unsigned char data[4096];
    while (bytes > 0) {
        size_t n = bytes < sizeof data ? bytes : sizeof data;
        for (size_t i = 0; i < n; i++) data[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 24);
        stranger_throw(fd, data, n);
        bytes -= n;
    }
}

static bool has_ended(int fd)
{
    char data[4096];
    ssize_t n;
    while ((n = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0) continue;
    return n == 0 || (errno != EAGAIN && errno != EINTR);
}

bool stranger_is_refused(int fd, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    while (!has_ended(fd)) {
        if (patience_now_ms() >= end_ms) return false;
        process_listen(5);
    }
    return true;
}

/* --- the meddler --- */

static void forward(int from, int to)
{
    char data[65536];
    ssize_t n = read(from, data, sizeof data);
    if (n <= 0) _exit(0);
    for (char *at = data; n > 0;) {
        ssize_t written = send(to, at, (size_t)n, MSG_NOSIGNAL);
        if (written <= 0) _exit(0);
        at += written;
        n -= written;
    }
}

/* The ends of the actors' pipes that the child inherited must close when the parent closes them. */
static void forget_files_but(int first, int second)
{
    for (int fd = 3; fd < 1024; fd++)
        if (fd != first && fd != second) close(fd);
}

/* Lives in the child: one connection at a time would do, and one is all it takes. */
static void meddle(int listener, unsigned port_behind, int control)
{
    int front = accept(listener, NULL, NULL), behind = dial(port_behind);
    if (front < 0 || behind < 0) _exit(1);
    close(listener);
    for (;;) {
        struct pollfd polls[3] = {{front, POLLIN, 0}, {behind, POLLIN, 0}, {control, POLLIN, 0}};
        if (poll(polls, 3, -1) < 0) _exit(1);
        if (polls[0].revents) forward(front, behind);
        if (polls[1].revents) forward(behind, front);
        if (polls[2].revents) forward(control, behind);
    }
}

static int listen_anywhere(unsigned *port)
{
    struct sockaddr_in where = loopback(0);
    socklen_t length = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 || listen(fd, 1) < 0 ||
        getsockname(fd, (struct sockaddr *)&where, &length) < 0)
        fail_msg("cannot listen: %s", strerror(errno));
    *port = ntohs(where.sin_port);
    return fd;
}

struct meddler meddler_start(unsigned port_behind)
{
    struct meddler m = {0};
    int pipe_ends[2], listener = listen_anywhere(&m.port);
    if (pipe2(pipe_ends, O_CLOEXEC) < 0) fail_msg("pipe: %s", strerror(errno));
    m.pid = fork();
    if (m.pid < 0) fail_msg("fork: %s", strerror(errno));
    if (m.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        forget_files_but(listener, pipe_ends[0]);
        meddle(listener, port_behind, pipe_ends[0]);
    }
    close(listener);
    close(pipe_ends[0]);
    m.control = pipe_ends[1];
    return m;
}

void meddler_slip_in(const struct meddler *m, const void *data, size_t bytes)
{
    if (write(m->control, data, bytes) != (ssize_t)bytes) fail_msg("the meddler is gone: %s", strerror(errno));
}

void meddler_stop(struct meddler *m)
{
    close(m->control);
    kill(m->pid, SIGKILL);
    waitpid(m->pid, NULL, 0);
}
