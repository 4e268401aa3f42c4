/* guest_kit.h -- a guest as attach.h has it, which is free to say what it likes, and writes down what it hears. */
#ifndef TESTS_GUEST_KIT_H
#define TESTS_GUEST_KIT_H

#include "session_kit.h"

#include "attach.h"
#include "moth/frame.h"

struct guest {
    int fd; /* -1: not there */
    struct moth_frame_decoder *frames;
    struct buf texts[ATTACH_BYE + 1]; /* by kind: all bodies, one behind the other */
    unsigned counts[ATTACH_BYE + 1];
    int status; /* of BYE; -1: none yet */
    bool is_closed;
};

static inline void guest_fini(struct guest *g)
{
    if (g->fd >= 0) close(g->fd);
    moth_frame_decoder_free(g->frames);
    for (unsigned kind = 0; kind <= ATTACH_BYE; kind++) buf_fini(&g->texts[kind]);
    *g = (struct guest){.fd = -1, .status = -1};
}

/* --- what a guest says --- */

static inline void come(struct guest *g)
{
    g->fd = connect_client();
    g->frames = moth_frame_decoder_new(MOTH_FRAME_LENGTH, 0);
}

static inline void say_kind(struct guest *g, unsigned kind, const void *body, size_t bytes)
{
    uint8_t start[5];
    put_uint(put_uint(start, 1 + bytes, 4), kind, 1);
    client_write(g->fd, start, sizeof start);
    client_write(g->fd, body, bytes);
}

static inline void say_number(struct guest *g, enum attach_kind kind, unsigned value, unsigned bytes)
{
    uint8_t body[4];
    put_uint(body, value, bytes);
    say_kind(g, kind, body, bytes);
}

static inline void say_hello(struct guest *g, unsigned version, unsigned flags)
{
    uint8_t body[] = {(uint8_t)version, (uint8_t)flags, 0, 60, '/', 't', 'm', 'p'};
    say_kind(g, ATTACH_HELLO, body, sizeof body);
}

static inline void say_line(struct guest *g, const char *line)
{
    say_kind(g, ATTACH_LINE, line, strlen(line));
}

static inline void complete(struct guest *g, const char *line, unsigned start)
{
    char body[64];
    put_uint((uint8_t *)body, start, 4);
    memcpy(body + 4, line, strlen(line));
    say_kind(g, ATTACH_COMPLETE, body, 4 + strlen(line));
}

static inline void enter_as(struct guest *g, unsigned flags)
{
    come(g);
    say_hello(g, ATTACH_VERSION, flags);
}

/* --- what it hears --- */

static inline void take(struct guest *g, struct moth_frame frame)
{
    const uint8_t *data = frame.data;
    expect(frame.bytes > 0 && data[0] >= ATTACH_SAY && data[0] <= ATTACH_BYE);
    expect(g->status < 0); /* BYE is the last */
    if (misuse) return;
    unsigned kind = data[0], skip = kind == ATTACH_SAY ? 5 : kind == ATTACH_BYE ? 2 : 1;
    g->counts[kind]++;
    if (kind == ATTACH_BYE) g->status = data[1];
    buf_add(&g->texts[kind], data + skip, frame.bytes - skip);
}

static inline void listen_to(struct guest *g)
{
    struct buf in = {0};
    struct moth_frame frame;
    if (g->fd < 0 || g->is_closed) return;
    g->is_closed = client_read(g->fd, &in) == CLIENT_CLOSED;
    moth_frame_decoder_feed(g->frames, buf_span(&in).data, buf_bytes(&in));
    while (moth_frame_decoder_next(g->frames, &frame) > 0) take(g, frame);
    buf_fini(&in);
}

#endif
