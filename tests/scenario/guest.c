/* guest.c -- sockets and frames for guest.h. */
#include "guest.h"
#include "patience.h"
#include "process.h"

#include "attach.h"
#include "moth/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_BYTES 4

static char frame[MOTH_FRAME_MAX + 1];

int guest_connect(const char *home)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", home, ATTACH_SOCKET);
    if (n < 0 || (size_t)n >= sizeof address.sun_path) fail_msg("%s is too long for a socket", home);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

void guest_close(int fd)
{
    close(fd);
}

/* Waits until the socket is ready, listening to the actors of process.h meanwhile. */
static void wait_for(int fd, short what)
{
    int64_t end_ms = patience_deadline(2 * PROCESS_SOON_MS);
    struct pollfd ready = {.fd = fd, .events = what};
    while (poll(&ready, 1, 5) <= 0) {
        if (patience_now_ms() >= end_ms)
            fail_msg("the node neither %s nor hangs up", what == POLLIN ? "talks" : "reads");
        process_listen(0);
    }
}

bool guest_send(int fd, const void *data, size_t bytes)
{
    const char *at = data;
    while (bytes > 0) {
        wait_for(fd, POLLOUT);
        ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) return false;
        if (n < 0) continue;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

bool guest_send_frame(int fd, uint8_t kind, const void *body, size_t bytes)
{
    size_t total = bytes + 1;
    uint8_t head[HEAD_BYTES + 1] = {(uint8_t)(total >> 24), (uint8_t)(total >> 16), (uint8_t)(total >> 8),
                                    (uint8_t)total, kind};
    return guest_send(fd, head, sizeof head) && guest_send(fd, body, bytes);
}

bool guest_say_hello(int fd, uint8_t version, uint8_t flags)
{
    const uint8_t body[] = {version, flags, 0, 80, '/'};
    return guest_send_frame(fd, ATTACH_HELLO, body, sizeof body);
}

/* Whether so many bytes came before the end. */
static bool receive(int fd, void *out, size_t bytes)
{
    char *at = out;
    while (bytes > 0) {
        wait_for(fd, POLLIN);
        ssize_t n = recv(fd, at, bytes, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
        if (n < 0) continue;
        at += n;
        bytes -= (size_t)n;
    }
    return true;
}

const char *guest_expect(int fd, uint8_t kind)
{
    uint8_t head[HEAD_BYTES];
    for (;;) {
        if (!receive(fd, head, sizeof head)) fail_msg("the node hung up before it said %d", kind);
        size_t bytes = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        if (bytes == 0 || bytes > MOTH_FRAME_MAX) fail_msg("the node sent a frame of %zu bytes", bytes);
        if (!receive(fd, frame, bytes)) fail_msg("the node hung up within a frame");
        frame[bytes] = '\0';
        if ((uint8_t)frame[0] == kind) return frame + 1;
    }
}

void guest_expect_end(int fd)
{
    ssize_t n = 1;
    while (n > 0 || (n < 0 && errno == EAGAIN)) {
        wait_for(fd, POLLIN);
        n = recv(fd, frame, sizeof frame, MSG_DONTWAIT);
    }
}
