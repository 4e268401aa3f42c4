/* ends_floor.c -- sender and receiver for the bare relay: plain sockets and the frames of floor_relay.c. */
#include "measure.h"
#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID_BYTES 16
#define FRAME_BYTES (2 + ID_BYTES + MESSAGE_BYTES)
#define IDLE_US 200

static const char sender_id[ID_BYTES] = "the sender", receiver_id[ID_BYTES] = "the receiver";

static void write_all(int fd, const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        ssize_t n = write(fd, at, bytes);
        if (n <= 0) measure_give_up("the floor hung up: %s", strerror(errno));
        at += n;
        bytes -= (size_t)n;
    }
}

static int dial(unsigned port, const char id[ID_BYTES])
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&where, sizeof where) < 0)
        measure_give_up("the floor does not answer: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    write_all(fd, id, ID_BYTES);
    return fd;
}

static void put_frame(uint8_t out[FRAME_BYTES])
{
    uint16_t length = ID_BYTES + MESSAGE_BYTES;
    memcpy(out, &length, sizeof length);
    memcpy(out + sizeof length, receiver_id, ID_BYTES);
    traffic_stamp(out + sizeof length + ID_BYTES);
}

void floor_sender(void *traffic)
{
    static uint8_t burst[BURST_MAX * FRAME_BYTES];
    struct traffic *t = traffic;
    int fd = dial(t->port, sender_id);
    for (;;) {
        unsigned due = traffic_due(t);
        for (unsigned i = 0; i < due; i++) put_frame(burst + i * FRAME_BYTES);
        t->sent += due;
        write_all(fd, burst, due * FRAME_BYTES);
        if (due == 0 && !traffic_is_hurried(t)) measure_sleep_us(IDLE_US);
    }
}

void floor_receiver(void *traffic)
{
    static uint8_t data[256 * FRAME_BYTES];
    struct traffic *t = traffic;
    size_t held = 0, used;
    int fd = dial(t->port, receiver_id);
    for (;;) {
        ssize_t n = read(fd, data + held, sizeof data - held);
        if (n <= 0) measure_give_up("the floor hung up");
        held += (size_t)n;
        for (used = 0; held - used >= FRAME_BYTES; used += FRAME_BYTES)
            traffic_arrived(t, data + used + FRAME_BYTES - MESSAGE_BYTES);
        memmove(data, data + used, held -= used);
    }
}
