/* socket_kit.h -- what tests of the socket in the home folder share: a real loop on a folder of its own, and clients
 * that are plain descriptors of this very process.
 *
 * Nothing sleeps and hopes: the loop runs until a condition holds, and a deadline far beyond any honest duration turns
 * a hang into a failure. The kernel lets a client connect and write before the loop turns, so a test does both in one
 * thread. */
#ifndef TESTS_SOCKET_KIT_H
#define TESTS_SOCKET_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "moth/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEADLINE_US 30000000u
#define LOOK_US 1000
#define FOLDER_BYTES 64

static char folder[FOLDER_BYTES];      /* the home */
static char socket_path[FOLDER_BYTES + 16];
static struct moth_loop *loop;

static const char *misuse;             /* what a callback saw and must not be; NULL: nothing */

/* For callbacks: a failed assertion would jump over the frames of libuv and Lua. */
#define expect(holds) (void)((holds) || (misuse = #holds))

static inline int open_folder(void)
{
    misuse = NULL;
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(socket_path, sizeof socket_path, "%s/shell.sock", folder);
    return moth_loop_open(folder, &loop);
}

static inline int close_folder(void)
{
    char command[FOLDER_BYTES + 16];
    moth_loop_close(loop);
    loop = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (misuse) print_error("in a callback this did not hold: %s\n", misuse);
    return system(command) | (misuse ? -1 : 0);
}

static inline uint64_t now_us(void)
{
    const struct moth_host *host = moth_loop_host(loop);
    return host->now_us(host->context);
}

/* --- turns --- */

static uint64_t (*each_turn)(void); /* what else is done in every turn; NULL: nothing */

static inline uint64_t one_turn(void *owner)
{
    (void)owner;
    if (each_turn) each_turn();
    moth_loop_stop(loop);
    return UINT64_MAX;
}

static inline void turn(void)
{
    moth_loop_run(loop, one_turn, NULL);
}

static inline void turns(unsigned count)
{
    while (count-- > 0) turn();
}

static bool (*awaited)(void);
static uint64_t deadline_us;

/* What a client sees wakes nobody, so it is looked at now and then. */
static inline uint64_t look(void *owner)
{
    (void)owner;
    if (each_turn) each_turn();
    if (awaited() || now_us() >= deadline_us) moth_loop_stop(loop);
    return now_us() + LOOK_US;
}

static inline bool comes_true(bool (*holds)(void))
{
    awaited = holds;
    deadline_us = now_us() + DEADLINE_US;
    if (!holds()) moth_loop_run(loop, look, NULL);
    return holds();
}

#define until(holds) assert_true(comes_true(holds))

/* --- clients --- */

static inline int try_to_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static inline int connect_client(void)
{
    int fd = try_to_connect(socket_path);
    assert_true(fd >= 0);
    return fd;
}

/* All of it; the loop turns while the socket is full. */
static inline void client_write(int fd, const void *data, size_t bytes)
{
    deadline_us = now_us() + DEADLINE_US;
    for (const char *at = data; bytes > 0;) {
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);
        if (n < 0) turn();
        assert_true(n > 0 || (errno == EAGAIN && now_us() < deadline_us));
        if (n < 0) continue;
        at += n;
        bytes -= (size_t)n;
    }
}

enum client_state { CLIENT_OPEN, CLIENT_CLOSED };

/* Adds to `into` what has come for it. */
static inline enum client_state client_read(int fd, struct buf *into)
{
    char chunk[65536];
    ssize_t n;
    while ((n = recv(fd, chunk, sizeof chunk, 0)) > 0) buf_add(into, chunk, (size_t)n);
    return n < 0 && errno == EAGAIN ? CLIENT_OPEN : CLIENT_CLOSED;
}

#endif
