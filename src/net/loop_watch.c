/* loop_watch.c -- watch.h over libuv: a poll handle a descriptor, a signal handle a signal. Each is freed in its own
 * close callback, for libuv keeps it until then. */
#include "net/watch.h"

#include "base/mem.h"
#include "net/uv_private.h"

#include <stdlib.h>

#define SIGNALS_MAX 8

struct watch {
    uv_poll_t poll; /* first */
    void (*on_ready)(void *owner, bool readable, bool writable);
    void *owner;
    int events; /* what is watched for now */
};

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

/* An error of the descriptor is for its reader to find: a hung up terminal gives an end. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    bool failed = status < 0;
    w->on_ready(w->owner, failed || (events & UV_READABLE), events & UV_WRITABLE);
}

int watch_new(struct moth_loop *loop, int fd, void (*on_ready)(void *owner, bool readable, bool writable), void *owner,
              struct watch **out)
{
    struct watch *w = mem_new(sizeof *w);
    int rc = uv_poll_init(loop_uv(loop), &w->poll, fd);
    if (rc < 0) {
        free(w);
        return MOTH_EIO;
    }
    w->poll.data = w;
    w->on_ready = on_ready;
    w->owner = owner;
    *out = w;
    return 0;
}

void watch_for(struct watch *w, bool input, bool room)
{
    int events = (input ? UV_READABLE : 0) | (room ? UV_WRITABLE : 0);
    if (events == w->events) return;
    w->events = events;
    if (events == 0) uv_poll_stop(&w->poll);
    else uv_poll_start(&w->poll, events, on_poll);
}

void watch_free(struct watch *w)
{
    if (w) uv_close((uv_handle_t *)&w->poll, free_handle);
}

struct one_signal {
    uv_signal_t handle; /* first */
    struct signal_watch *set;
};

struct signal_watch {
    struct one_signal *signals[SIGNALS_MAX];
    size_t count;
    void (*on_signal)(void *owner, int number);
    void *owner;
};

static void on_one(uv_signal_t *handle, int number)
{
    struct one_signal *one = handle->data;
    one->set->on_signal(one->set->owner, number);
}

struct signal_watch *signal_watch_new(struct moth_loop *loop, const int *numbers,
                                      void (*on_signal)(void *owner, int number), void *owner)
{
    struct signal_watch *w = mem_new(sizeof *w);
    w->on_signal = on_signal;
    w->owner = owner;
    for (; numbers[w->count] != 0 && w->count < SIGNALS_MAX; w->count++) {
        struct one_signal *one = mem_new(sizeof *one);
        uv_signal_init(loop_uv(loop), &one->handle);
        one->handle.data = one;
        one->set = w;
        uv_signal_start(&one->handle, on_one, numbers[w->count]);
        w->signals[w->count] = one;
    }
    return w;
}

void signal_watch_free(struct signal_watch *w)
{
    if (!w) return;
    for (size_t i = 0; i < w->count; i++) uv_close((uv_handle_t *)&w->signals[i]->handle, free_handle);
    free(w);
}
