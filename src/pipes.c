/* pipes.c -- see pipes.h. */
#include "pipes.h"

#include "script/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Signals wake poll, but not a write that waits, for libuv asks for restarts. PIPE_BUF bytes go into a pipe without
 * waiting once poll says so; a terminal may wait all the same, so it is opened anew, as one that does not. */
static int stream_open(int fd)
{
    const char *name = isatty(fd) ? ttyname(fd) : NULL;
    int anew = name ? open(name, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1;
    return anew < 0 ? fd : anew;
}

void pipes_open(struct pipes *p)
{
    *p = (struct pipes){.stream = {-1}};
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) p->stream[fd] = stream_open(fd);
}

void pipes_close(struct pipes *p)
{
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (p->stream[fd] != fd) close(p->stream[fd]);
}

/* 0 or an errno; EINTR: a person sent a signal while nobody read. The descriptor may not wait at all when it is a
 * terminal or shares a socket with standard input. */
static int write_all(int fd, const char *text, size_t bytes)
{
    struct pollfd reader = {.fd = fd, .events = POLLOUT};
    unsigned signals = interrupt_count();
    while (bytes > 0) {
        int ready = poll(&reader, 1, -1);
        if (ready < 0 && errno == EINTR && signals == interrupt_count()) continue; /* the guard's timer */
        if (ready < 0) return errno;
        ssize_t n = write(fd, text, bytes < PIPE_BUF ? bytes : PIPE_BUF);
        if (n < 0 && errno != EAGAIN) return errno;
        if (n < 0) continue;
        text += n;
        bytes -= (size_t)n;
    }
    return 0;
}

bool pipes_write(struct pipes *p, int fd, const char *text, size_t bytes)
{
    int error = p->is_mute[fd] ? 0 : write_all(p->stream[fd], text, bytes);
    if (error == 0) return true;
    p->is_mute[fd] = true;
    if (error == EINTR || fd != STDOUT_FILENO) return true;
    fprintf(stderr, "moth: standard output cannot be written: %s\n", strerror(error));
    return false;
}
