/* sim_kit.h -- three machines on an imaginary wire whose owners only write down what happens to each end of each
 * connection. An end that was told its close must never hear anything again: the record itself checks that. */
#ifndef TESTS_SIM_KIT_H
#define TESTS_SIM_KIT_H

#include "net/sim.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define MACHINES 3
#define ENDS_MAX 64
#define PORT 6684
#define WINDOW_BYTES (256u << 10) /* what the wire holds before a sender sees a queue */
#define SECOND_US 1000000u

static const uint8_t block[WINDOW_BYTES];

struct end {
    struct conn *conn; /* NULL once it is closed */
    unsigned opened, drained, closed, chunks;
    int reason;
    uint64_t opened_us, heard_us, closed_us;
    struct buf received;
};

static struct machine {
    struct moth_transport *transport;
    struct end ends[ENDS_MAX];
    unsigned count;
    int open_rc, bytes_rc, drained_rc; /* what the owner answers */
    struct slice greeting;             /* what it says as soon as a connection opens */
    bool pauses;                       /* it stops reading as soon as it has read something */
} machines[MACHINES];

static struct sim *sim;
static bool inside_call; /* no event may come while the test calls down */

static inline struct end *new_end(struct machine *m)
{
    assert_true(m->count < ENDS_MAX);
    return &m->ends[m->count++];
}

static inline struct end *end_of(struct conn *c)
{
    struct end *e = c->user;
    assert_false(inside_call);
    assert_int_equal(e->closed, 0);
    return e;
}

static inline int on_open(void *owner, struct conn *c)
{
    struct machine *m = owner;
    if (c->inbound) c->user = new_end(m);
    struct end *e = end_of(c);
    assert_true(c->open);
    e->conn = c;
    e->opened++;
    e->opened_us = sim_now_us(sim);
    if (m->greeting.bytes > 0) m->transport->ops->send(c, m->greeting);
    return m->open_rc;
}

static inline int on_bytes(void *owner, struct conn *c, struct span bytes)
{
    struct end *e = end_of(c);
    assert_int_equal(e->opened, 1);
    e->chunks++;
    e->heard_us = sim_now_us(sim);
    buf_add(&e->received, bytes.data, bytes.bytes);
    memset(bytes.data, 0, bytes.bytes); /* the receiver may */
    struct machine *m = owner;
    if (m->pauses) m->transport->ops->pause(c, true);
    return m->bytes_rc;
}

static inline int on_drained(void *owner, struct conn *c)
{
    struct end *e = end_of(c);
    assert_true(machines[0].transport->ops->queued(c) <= TRANSPORT_LOW_BYTES);
    e->drained++;
    return ((struct machine *)owner)->drained_rc;
}

static inline void on_closed(void *owner, struct conn *c, int reason)
{
    (void)owner;
    if (!c->user) return; /* it came in and was gone before it opened */
    struct end *e = end_of(c);
    assert_false(c->open);
    e->closed++;
    e->reason = reason;
    e->closed_us = sim_now_us(sim);
    e->conn = NULL;
}

static const struct transport_events events = {
    .on_open = on_open, .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

static inline void start(uint64_t seed)
{
    sim = sim_new(seed, MACHINES);
    inside_call = false;
    for (unsigned i = 0; i < MACHINES; i++) {
        struct address bound;
        machines[i] = (struct machine){.transport = sim_endpoint(sim, i)};
        machines[i].transport->events = &events;
        machines[i].transport->owner = &machines[i];
        assert_int_equal(machines[i].transport->ops->listen(machines[i].transport, "0.0.0.0:6684", &bound), 0);
    }
}

static inline void stop(void)
{
    for (unsigned i = 0; i < MACHINES; i++)
        for (unsigned k = 0; k < machines[i].count; k++) buf_fini(&machines[i].ends[k].received);
    sim_free(sim);
    sim = NULL;
}

static inline int set_up(void **state)
{
    (void)state;
    start(1);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    stop();
    return 0;
}

static inline void run_us(uint64_t us)
{
    uint64_t until_us = sim_now_us(sim) + us;
    unsigned touched;
    while (sim_step(sim, until_us, &touched)) assert_true(touched < MACHINES);
    assert_true(sim_now_us(sim) == until_us);
}

static inline struct end *dial_address(unsigned from, const char *address)
{
    struct end *e = new_end(&machines[from]);
    inside_call = true;
    e->conn = machines[from].transport->ops->dial(machines[from].transport, address, e);
    inside_call = false;
    return e;
}

static inline struct end *dial(unsigned from, unsigned to)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    struct address a;
    sim_address(to, PORT, &a);
    address_format(&a, text);
    return dial_address(from, text);
}

/* The end that machine `index` got last. */
static inline struct end *last_end(unsigned index)
{
    assert_true(machines[index].count > 0);
    return &machines[index].ends[machines[index].count - 1];
}

static inline struct end *must_connect(unsigned from, unsigned to)
{
    struct end *e = dial(from, to);
    run_us(SECOND_US);
    assert_int_equal(e->opened, 1);
    assert_int_equal(last_end(to)->opened, 1);
    return e;
}

static inline void send_bytes(struct end *e, const void *data, size_t bytes)
{
    inside_call = true;
    e->conn->transport->ops->send(e->conn, slice_of(data, bytes));
    inside_call = false;
}

static inline void send_text(struct end *e, const char *text)
{
    send_bytes(e, text, strlen(text));
}

static inline void close_end(struct end *e, int reason)
{
    inside_call = true;
    e->conn->transport->ops->close(e->conn, reason);
    inside_call = false;
}

static inline void pause_end(struct end *e, bool pause)
{
    inside_call = true;
    e->conn->transport->ops->pause(e->conn, pause);
    inside_call = false;
}

static inline size_t queued(const struct end *e)
{
    return e->conn->transport->ops->queued(e->conn);
}

static inline void assert_received(const struct end *e, const char *text)
{
    assert_int_equal(buf_bytes(&e->received), strlen(text));
    if (*text) assert_memory_equal(buf_span(&e->received).data, text, strlen(text));
}

static inline void assert_ended(const struct end *e, int reason)
{
    assert_int_equal(e->closed, 1);
    assert_int_equal(e->reason, reason);
}

static inline void set_way(unsigned from, unsigned to, struct sim_way_options options)
{
    sim_way(sim, from, to, &options);
}

/* How long a byte takes from `a` to the far end. */
static inline uint64_t takes_us(struct end *a, struct end *b)
{
    size_t before = buf_bytes(&b->received);
    uint64_t sent_us = sim_now_us(sim);
    send_text(a, "x");
    run_us(100 * SECOND_US);
    assert_int_equal(buf_bytes(&b->received), before + 1);
    return b->heard_us - sent_us;
}

/* Both ways between two machines. */
static inline void set_latency(unsigned a, unsigned b, uint32_t latency_us, uint32_t jitter_us)
{
    struct sim_way_options options = {.latency_us = latency_us, .jitter_us = jitter_us};
    sim_way(sim, a, b, &options);
    sim_way(sim, b, a, &options);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
