/* test_link.c -- two nodes' links over the imaginary wire, honest at first, then with somebody in the middle.
 *
 *   ana (0) ------------------- bob (1)      most tests
 *   ana (0) --- middle (2) ---- bob (1)      the middle passes bytes on: cut, changed, held back, twice, or its own
 *
 * A side's owner writes down the kind, size and hash of each frame and everything else that happens. Whatever the
 * middle does, a side may only ever see the frames that were sent, in order, and then one end. */
#include "net/link.h"
#include "net/sim.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#define ANA 0
#define BOB 1
#define MIDDLE 2
#define PORT 6684
#define SECOND_US 1000000u
#define NOTES_MAX 2048
#define MESSAGE_1_BYTES 48
#define MESSAGE_2_BYTES 202
#define MESSAGE_3_BYTES 170
#define HELLO_BYTES (1 + MESSAGE_1_BYTES)             /* the dialler's first words */
#define DIALLER_BYTES (HELLO_BYTES + MESSAGE_3_BYTES) /* all of its handshake */
#define LISTENER_BYTES (1 + MESSAGE_2_BYTES)

static struct sim *sim;

/* --- the two nodes --- */

struct note {
    uint8_t kind;
    size_t bytes;
    uint64_t hash;
};

static struct side {
    struct links all;
    struct moth_host host;
    uint64_t random;
    struct link *link; /* the last that was dialled or accepted; NULL when that one is closed */
    unsigned accepted, ready, drained, closed;
    size_t drained_at; /* bytes queued when it was told */
    int reason;        /* of the last that closed */
    struct note notes[NOTES_MAX];
    size_t count;
    int accept_rc, ready_rc, frame_rc;
    void (*on_frame)(struct link *l); /* what else its owner does then; may be NULL */
} sides[2];

static struct side *const ana = &sides[ANA], *const bob = &sides[BOB];
static struct identity identities[3];

static uint64_t host_now_us(void *context)
{
    (void)context;
    return sim_now_us(sim);
}

static void host_random(void *context, void *out, size_t bytes)
{
    struct side *s = context;
    for (size_t i = 0; i < bytes; i++) {
        s->random = s->random * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(s->random >> 56);
    }
}

static uint64_t hash_of(struct slice bytes)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < bytes.bytes; i++) h = (h ^ bytes.data[i]) * 0x100000001b3u;
    return h;
}

static int on_accept(void *owner, struct link *l)
{
    struct side *s = owner;
    assert_true(l->inbound && l->state == LINK_HANDSHAKE);
    s->link = l;
    s->accepted++;
    return s->accept_rc;
}

static int on_ready(void *owner, struct link *l)
{
    struct side *s = owner;
    assert_true(l->state == LINK_OPEN && !l->handshake && !l->closing);
    s->ready++;
    return s->ready_rc;
}

static int on_frame(void *owner, struct link *l, struct frame *f)
{
    struct side *s = owner;
    assert_true(l->state == LINK_OPEN && !l->closing);
    assert_true(s->count < NOTES_MAX);
    s->notes[s->count++] = (struct note){.kind = f->kind, .bytes = f->body.bytes, .hash = hash_of(span_slice(f->body))};
    if (f->body.bytes > 0) memset(f->body.data, 0xee, f->body.bytes); /* the owner may write into it */
    if (s->on_frame) s->on_frame(l);
    return s->frame_rc;
}

static void on_drained(void *owner, struct link *l)
{
    struct side *s = owner;
    assert_true(!l->closing && !l->slow && link_queued(l) < s->all.slow_bytes / 4);
    s->drained++;
    s->drained_at = link_queued(l);
}

static void on_closed(void *owner, struct link *l, int reason)
{
    struct side *s = owner;
    assert_true(l->closing);
    s->closed++;
    s->reason = reason;
    if (s->link == l) s->link = NULL;
}

static const struct link_events events = {.on_accept = on_accept,
                                          .on_ready = on_ready,
                                          .on_frame = on_frame,
                                          .on_drained = on_drained,
                                          .on_closed = on_closed};

static const uint8_t network_key[32] = "everybody here knows this key";

static void start_side(unsigned index, const struct identity *who)
{
    struct side *s = &sides[index];
    struct address bound;
    *s = (struct side){.random = index + 1};
    s->host = (struct moth_host){.context = s, .now_us = host_now_us, .random = host_random};
    links_init(&s->all, sim_endpoint(sim, index), &s->host, who, network_key, 100 + index, &events, s);
    s->all.listen_port = (uint16_t)(5000 + index);
    assert_int_equal(s->all.transport->ops->listen(s->all.transport, "0.0.0.0:6684", &bound), 0);
}

/* --- the one in the middle --- */

static struct middle {
    struct moth_transport *transport;
    struct conn *towards[2]; /* [0] bob, [1] ana; NULL: not open or closed */
    struct buf held[2];      /* [0] what ana said, [1] what bob said, and was not yet passed on */
    struct buf said;         /* all that ana ever said */
    size_t passed[2];
    bool hold[2];       /* keep everything until the test takes it */
    size_t flip_at[2];  /* change this byte ... */
    uint8_t flip[2];    /* ... by these bits */
    size_t piece_bytes; /* pass on in pieces of this; 0: as it came */
    size_t split_at[2]; /* pass on what lies before this byte alone */
    size_t limit;       /* pass on no more of what ana says than this */
} middle;

static void address_text(unsigned index, char out[MOTH_ADDRESS_TEXT_BYTES])
{
    struct address a;
    sim_address(index, PORT, &a);
    address_format(&a, out);
}

static void say(unsigned way, struct slice bytes)
{
    struct conn *c = middle.towards[way];
    if (c) c->transport->ops->send(c, bytes);
}

static size_t next_piece(unsigned way)
{
    size_t n = buf_bytes(&middle.held[way]), at = middle.passed[way], split = middle.split_at[way];
    if (way == 0 && n > middle.limit - at) n = middle.limit - at;
    if (middle.piece_bytes > 0 && n > middle.piece_bytes) n = middle.piece_bytes;
    return at < split && split < at + n ? split - at : n;
}

static void pass_on(unsigned way)
{
    struct buf *held = &middle.held[way];
    size_t n;
    while (middle.towards[way] && !middle.hold[way] && (n = next_piece(way)) > 0) {
        size_t flip_at = middle.flip_at[way] - middle.passed[way];
        if (flip_at < n) buf_span(held).data[flip_at] ^= middle.flip[way];
        say(way, slice_of(buf_span(held).data, n));
        buf_consume(held, n);
        middle.passed[way] += n;
    }
}

static void dial_bob(void)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    address_text(BOB, text);
    middle.transport->ops->dial(middle.transport, text, NULL);
}

static int middle_on_open(void *owner, struct conn *c)
{
    (void)owner;
    middle.towards[c->inbound ? 1 : 0] = c;
    if (c->inbound) dial_bob();
    pass_on(0);
    return 0;
}

static int middle_on_bytes(void *owner, struct conn *c, struct span bytes)
{
    unsigned way = c->inbound ? 0 : 1;
    (void)owner;
    buf_add(&middle.held[way], bytes.data, bytes.bytes);
    if (way == 0) buf_add(&middle.said, bytes.data, bytes.bytes);
    pass_on(way);
    return 0;
}

static int middle_on_drained(void *owner, struct conn *c)
{
    (void)owner, (void)c;
    return 0;
}

static void hang_up(void)
{
    for (int way = 0; way < 2; way++)
        if (middle.towards[way]) middle.transport->ops->close(middle.towards[way], MOTH_ECLOSED);
}

static void middle_on_closed(void *owner, struct conn *c, int reason)
{
    (void)owner, (void)reason;
    for (int way = 0; way < 2; way++)
        if (middle.towards[way] == c) middle.towards[way] = NULL;
    hang_up();
}

static const struct transport_events middle_events = {.on_open = middle_on_open,
                                                      .on_bytes = middle_on_bytes,
                                                      .on_drained = middle_on_drained,
                                                      .on_closed = middle_on_closed};

static void start_middle(void)
{
    struct address bound;
    middle =
        (struct middle){.transport = sim_endpoint(sim, MIDDLE), .flip_at = {SIZE_MAX, SIZE_MAX}, .limit = SIZE_MAX};
    middle.transport->events = &middle_events;
    assert_int_equal(middle.transport->ops->listen(middle.transport, "0.0.0.0:6684", &bound), 0);
}

/* --- the stage --- */

static void start(void)
{
    sim = sim_new(1, 3);
    start_side(ANA, &identities[ANA]);
    start_side(BOB, &identities[BOB]);
    start_middle();
}

static void stop(void)
{
    if (!sim) return;
    for (int i = 0; i < 2; i++) links_fini(&sides[i].all);
    for (int i = 0; i < 2; i++) buf_fini(&middle.held[i]);
    buf_fini(&middle.said);
    sim_free(sim);
    sim = NULL;
}

static int set_up(void **state)
{
    (void)state;
    start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop();
    return 0;
}

static int make_identities(void **state)
{
    uint8_t seed[32] = {0};
    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        seed[0] = i + 1;
        identity_from_seed(&identities[i], seed);
    }
    return 0;
}

static void restart(void)
{
    stop();
    start();
}

/* As a node does: what a turn's events gathered goes out at its end. */
static void run_us(uint64_t us)
{
    uint64_t until_us = sim_now_us(sim) + us;
    unsigned touched;
    while (sim_step(sim, until_us, &touched))
        if (touched < 2) links_flush(&sides[touched].all);
}

static struct link *dial(unsigned from, unsigned to)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    address_text(to, text);
    return sides[from].link = link_dial(&sides[from].all, text, NULL, NULL);
}

static void must_connect(void)
{
    dial(ANA, BOB);
    run_us(SECOND_US);
    assert_true(ana->ready == 1 && bob->ready == 1);
}

static void must_connect_through_the_middle(void)
{
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    assert_true(ana->ready == 1 && bob->ready == 1);
}

static const uint8_t *pattern(uint8_t seed)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    uint32_t x = seed * 2654435761u + 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(x >> 24);
    }
    return bytes;
}

static uint64_t last_hash; /* of the body last sent */

/* Sends a body of the pattern `seed`, cut into head and tail. */
static void send_frame(struct side *s, enum frame_kind kind, size_t bytes, uint8_t seed)
{
    const uint8_t *body = pattern(seed);
    link_send(s->link, kind, slice_of(body, bytes / 3), slice_of(body + bytes / 3, bytes - bytes / 3));
    last_hash = hash_of(slice_of(body, bytes));
}

static void send_small(struct side *s, enum frame_kind kind, const char *text)
{
    link_send(s->link, kind, slice_text(text), slice_of(NULL, 0));
    links_flush(&s->all);
}

static void assert_noted(const struct side *s, size_t i, uint8_t kind, struct slice body)
{
    assert_true(i < s->count);
    assert_int_equal(s->notes[i].kind, kind);
    assert_int_equal(s->notes[i].bytes, body.bytes);
    assert_true(s->notes[i].hash == hash_of(body));
}

static void assert_ended(const struct side *s, int reason)
{
    assert_int_equal(s->closed, 1);
    if (s->reason != reason) fail_msg("%s instead of %s", moth_error_code(s->reason), moth_error_code(reason));
    assert_int_equal(s->all.count, 0);
    assert_null(s->all.first);
}

static void assert_alive(const struct side *s)
{
    assert_int_equal(s->closed, 0);
    assert_non_null(s->link);
}

/* --- shaking hands --- */

static void test_link_each_end_learns_who_the_other_is(void **state)
{
    (void)state;
    must_connect();
    for (int i = 0; i < 2; i++) {
        const struct link *l = sides[i].link;
        assert_true(id_equal(&l->peer, &identities[!i].id));
        assert_memory_equal(l->ed25519_key, identities[!i].ed25519_public, 32);
        assert_memory_equal(l->x25519_key, identities[!i].x25519_public, 32);
        assert_true(l->boot == 100u + !i);
        assert_int_equal(l->listen_port, 5000 + !i);
        assert_int_equal(l->inbound, i == BOB);
        assert_int_equal(sides[i].all.handshakes, 1);
        assert_int_equal(sides[i].all.count, 1);
    }
}

static void test_link_a_handshake_has_the_sizes_the_header_draws(void **state)
{
    (void)state;
    must_connect();
    assert_int_equal(ana->all.bytes_out, DIALLER_BYTES);
    assert_int_equal(bob->all.bytes_in, DIALLER_BYTES);
    assert_int_equal(bob->all.bytes_out, LISTENER_BYTES);
    assert_int_equal(ana->all.bytes_in, LISTENER_BYTES);
}

static void test_link_opens_when_the_expected_one_answers(void **state)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    int owned;
    (void)state;
    address_text(BOB, text);
    ana->link = link_dial(&ana->all, text, &identities[BOB].id, &owned);
    assert_ptr_equal(ana->link->user, &owned);
    run_us(SECOND_US);
    assert_int_equal(ana->ready, 1);
}

static void test_link_refuses_another_than_the_expected_one(void **state)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    address_text(BOB, text);
    link_dial(&ana->all, text, &identities[MIDDLE].id, NULL);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EWRONG_IDENTITY);
    assert_ended(bob, MOTH_ECLOSED);
    assert_int_equal(ana->ready + bob->ready, 0);
}

static void test_link_refuses_itself(void **state)
{
    (void)state;
    dial(ANA, ANA);
    run_us(4 * SIM_LATENCY_US); /* the dialling end has just heard its own voice */
    assert_int_equal(ana->reason, MOTH_ESELF);
    run_us(SECOND_US);
    assert_int_equal(ana->closed, 2);
    assert_int_equal(ana->ready, 0);
}

static void test_link_both_ends_are_told_that_their_key_is_cloned(void **state)
{
    (void)state;
    links_fini(&bob->all);
    start_side(BOB, &identities[ANA]);
    dial(ANA, BOB);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_ECLONED);
    assert_ended(bob, MOTH_ECLONED);
    assert_int_equal(ana->ready + bob->ready, 0);
}

static void test_link_refuses_another_network_at_the_first_message(void **state)
{
    (void)state;
    ana->all.network_key[31] ^= 1;
    dial(ANA, BOB);
    run_us(SECOND_US);
    assert_ended(bob, MOTH_EWRONG_NETWORK);
    assert_ended(ana, MOTH_EHUNG_UP);
    assert_int_equal(bob->all.bytes_out, 0); /* a stranger learns nothing */
}

static void test_link_a_listener_of_another_version_still_says_which(void **state)
{
    (void)state;
    middle.flip_at[0] = 0;
    middle.flip[0] = 0xff;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    assert_ended(bob, MOTH_EVERSION);
    assert_int_equal(bob->all.bytes_in, HELLO_BYTES);
    assert_int_equal(middle.passed[1], 1);
}

static void test_link_refuses_a_listener_of_another_version(void **state)
{
    (void)state;
    middle.flip_at[1] = 0;
    middle.flip[1] = 0xff;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EVERSION);
    assert_ended(bob, MOTH_ECLOSED);
    assert_int_equal(ana->ready, 0);
}

/* It may hang up right after its version byte, as ours does. */
static void test_link_knows_the_version_from_one_byte(void **state)
{
    static const uint8_t other = LINK_VERSION + 1;
    (void)state;
    middle.hold[0] = true;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    say(1, slice_of(&other, 1));
    hang_up();
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EVERSION);
}

static void test_link_says_why_a_dial_failed(void **state)
{
    (void)state;
    link_dial(&ana->all, "10.0.0.2:9", NULL, NULL);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EREFUSED);
    assert_int_equal(ana->all.bytes_out, 0);
}

static void test_link_a_hang_up_before_the_answer_has_a_name_at_the_dialler_only(void **state)
{
    (void)state;
    middle.hold[0] = middle.hold[1] = true;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    hang_up();
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EHUNG_UP);
    assert_ended(bob, MOTH_ECLOSED);
}

static void test_link_an_owner_can_refuse_to_accept(void **state)
{
    (void)state;
    bob->accept_rc = MOTH_EFULL;
    dial(ANA, BOB);
    run_us(SECOND_US);
    assert_ended(bob, MOTH_EFULL);
    assert_ended(ana, MOTH_EHUNG_UP);
}

static void test_link_an_owner_can_refuse_who_it_is(void **state)
{
    (void)state;
    ana->ready_rc = MOTH_EREPLACED;
    dial(ANA, BOB);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EREPLACED);
    assert_ended(bob, MOTH_ECLOSED);
}

static void test_link_keeps_the_time_of_its_state_and_of_the_last_bytes(void **state)
{
    (void)state;
    uint64_t dialled_us = sim_now_us(sim);
    dial(ANA, BOB);
    assert_true(ana->link->since_us == dialled_us);
    run_us(4 * SIM_LATENCY_US); /* there, back, there, back */
    assert_true(ana->link->state == LINK_OPEN && ana->link->since_us == dialled_us + 4 * SIM_LATENCY_US);
    run_us(SECOND_US);
    send_small(bob, FRAME_PING, "");
    run_us(SECOND_US);
    assert_true(ana->link->heard_us == sim_now_us(sim) - SECOND_US + SIM_LATENCY_US);
}

/* --- frames --- */

static const size_t sizes[] = {0,
                               1,
                               2,
                               3,
                               4,
                               5,
                               127,
                               128,
                               4095,
                               4096,
                               16363,
                               16364,
                               16375,
                               16376,
                               16377,
                               16379,
                               16380,
                               16381,
                               16383,
                               16384,
                               16385,
                               32763,
                               32764,
                               32765,
                               65535,
                               65536,
                               131068,
                               131072,
                               131073,
                               1000000,
                               FRAME_BODY_MAX - 1,
                               FRAME_BODY_MAX};
#define SIZES (sizeof sizes / sizeof *sizes)

static void check_all_sizes(struct side *from, struct side *to, enum frame_kind kind)
{
    uint64_t hashes[SIZES];
    size_t before = to->count;
    for (size_t i = 0; i < SIZES; i++) {
        send_frame(from, kind, sizes[i], (uint8_t)i);
        hashes[i] = last_hash;
    }
    links_flush(&from->all);
    run_us(10 * SECOND_US);
    assert_int_equal(to->count, before + SIZES);
    for (size_t i = 0; i < SIZES; i++) {
        assert_int_equal(to->notes[before + i].kind, kind);
        assert_int_equal(to->notes[before + i].bytes, sizes[i]);
        assert_true(to->notes[before + i].hash == hashes[i]);
    }
    assert_true(link_is_idle(from->link));
}

static void test_link_carries_messages_of_all_sizes_both_ways(void **state)
{
    (void)state;
    must_connect();
    check_all_sizes(ana, bob, FRAME_MESSAGE);
    check_all_sizes(bob, ana, FRAME_BROADCAST);
}

static void test_link_carries_control_frames_of_all_sizes_both_ways(void **state)
{
    (void)state;
    must_connect();
    check_all_sizes(ana, bob, FRAME_NETWORK_UPDATE);
    check_all_sizes(bob, ana, FRAME_NOTICE);
}

static void test_link_carries_each_size_on_its_own(void **state)
{
    (void)state;
    must_connect();
    for (size_t i = 0; i < SIZES; i++) {
        send_frame(ana, FRAME_MESSAGE, sizes[i], (uint8_t)i);
        links_flush(&ana->all);
        run_us(SECOND_US);
        assert_int_equal(bob->count, i + 1);
        assert_int_equal(bob->notes[i].bytes, sizes[i]);
        assert_true(bob->notes[i].hash == last_hash);
    }
}

static void test_link_carries_every_kind_as_it_is(void **state)
{
    (void)state;
    must_connect();
    for (uint8_t kind = FRAME_NETWORK_UPDATE; kind <= FRAME_GOODBYE; kind++) send_small(ana, kind, "");
    send_small(ana, (enum frame_kind)255, "unknown");
    run_us(SECOND_US);
    assert_int_equal(bob->count, 8);
    for (uint8_t i = 0; i < 7; i++) assert_noted(bob, i, (uint8_t)(FRAME_NETWORK_UPDATE + i), slice_text(""));
    assert_noted(bob, 7, 255, slice_text("unknown"));
}

static void test_link_puts_many_frames_into_one_record(void **state)
{
    (void)state;
    must_connect();
    uint64_t before = ana->all.bytes_out;
    for (int i = 0; i < 1000; i++) link_send(ana->link, FRAME_MESSAGE, slice_text("0123456789"), slice_of(NULL, 0));
    links_flush(&ana->all);
    assert_int_equal(ana->all.bytes_out - before, 1000 * (FRAME_HEADER_BYTES + 10) + NOISE_RECORD_OVERHEAD);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1000);
    assert_int_equal(bob->all.frames_in, 1000);
    assert_int_equal(ana->all.frames_out, 1000);
}

static void test_link_fills_its_records(void **state)
{
    (void)state;
    must_connect();
    uint64_t before = ana->all.bytes_out;
    send_frame(ana, FRAME_MESSAGE, 10 * NOISE_RECORD_MAX - FRAME_HEADER_BYTES, 1);
    links_flush(&ana->all);
    assert_int_equal(ana->all.bytes_out - before, 10 * (NOISE_RECORD_MAX + NOISE_RECORD_OVERHEAD));
}

static void test_link_sends_nothing_before_it_is_open_or_once_it_closes(void **state)
{
    (void)state;
    dial(ANA, BOB);
    send_small(ana, FRAME_MESSAGE, "too early");
    run_us(2 * SIM_LATENCY_US);
    send_small(ana, FRAME_PING, "too early");
    run_us(SECOND_US);
    struct link *l = ana->link;
    link_close(l, MOTH_EGOODBYE);
    send_small(ana, FRAME_MESSAGE, "too late");
    link_pause(l, true);
    run_us(SECOND_US);
    assert_int_equal(bob->ready, 1);
    assert_int_equal(bob->count, 0);
    assert_int_equal(ana->all.frames_out, 0);
    assert_ended(ana, MOTH_EGOODBYE);
}

static void test_link_flushing_nothing_writes_nothing(void **state)
{
    (void)state;
    must_connect();
    uint64_t before = ana->all.bytes_out;
    link_flush(ana->link);
    links_flush(&ana->all);
    assert_true(ana->all.bytes_out == before);
}

/* --- chunks --- */

static void say_something_both_ways(void)
{
    send_small(ana, FRAME_MESSAGE, "first");
    send_small(ana, FRAME_PING, "");
    send_small(ana, FRAME_MESSAGE, "last");
    send_small(bob, FRAME_MESSAGE, "answer");
    run_us(SECOND_US);
}

static void assert_all_was_heard(void)
{
    assert_int_equal(bob->count, 3);
    assert_noted(bob, 0, FRAME_MESSAGE, slice_text("first"));
    assert_noted(bob, 1, FRAME_PING, slice_text(""));
    assert_noted(bob, 2, FRAME_MESSAGE, slice_text("last"));
    assert_int_equal(ana->count, 1);
    assert_noted(ana, 0, FRAME_MESSAGE, slice_text("answer"));
    assert_alive(ana);
    assert_alive(bob);
}

static void test_link_takes_chunks_of_any_size(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 80; piece += piece < 20 ? 1 : 7) {
        restart();
        middle.piece_bytes = piece;
        must_connect_through_the_middle();
        say_something_both_ways();
        assert_all_was_heard();
    }
}

static void test_link_takes_a_cut_at_every_byte(void **state)
{
    (void)state;
    must_connect_through_the_middle();
    say_something_both_ways();
    size_t bytes = middle.passed[0] > middle.passed[1] ? middle.passed[0] : middle.passed[1];
    assert_true(bytes > DIALLER_BYTES);
    for (size_t at = 1; at < bytes; at++) {
        restart();
        middle.split_at[0] = middle.split_at[1] = at;
        must_connect_through_the_middle();
        say_something_both_ways();
        assert_all_was_heard();
    }
}

/* The handshake's end and the first records in one chunk, as after a stall. */
static void test_link_takes_records_right_behind_the_handshake(void **state)
{
    (void)state;
    dial(ANA, MIDDLE);
    run_us(5 * SIM_LATENCY_US);
    middle.hold[0] = true;
    run_us(SECOND_US);
    assert_true(ana->ready == 1 && bob->ready == 0);
    send_small(ana, FRAME_MESSAGE, "first");
    send_small(ana, FRAME_MESSAGE, "second");
    run_us(SECOND_US);
    middle.hold[0] = false;
    pass_on(0);
    run_us(SECOND_US);
    assert_int_equal(bob->ready, 1);
    assert_int_equal(bob->count, 2);
    assert_noted(bob, 1, FRAME_MESSAGE, slice_text("second"));
}

static void test_link_big_frames_survive_odd_chunks_and_pauses(void **state)
{
    uint64_t hashes[8];
    (void)state;
    middle.piece_bytes = 7919;
    must_connect_through_the_middle();
    for (uint8_t i = 0; i < 8; i++) {
        send_frame(ana, FRAME_MESSAGE, 100000u * i + i, i);
        hashes[i] = last_hash;
        link_pause(bob->link, i % 2 == 0);
        links_flush(&ana->all);
        run_us(700);
    }
    link_pause(bob->link, false);
    run_us(10 * SECOND_US);
    assert_int_equal(bob->count, 8);
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(bob->notes[i].bytes, 100000u * i + i);
        assert_true(bob->notes[i].hash == hashes[i]);
    }
}

/* --- queues --- */

/* Bob stops reading, and ana's messages, 1 MiB each, wait. */
static void fill(unsigned messages)
{
    must_connect();
    link_pause(bob->link, true);
    for (unsigned i = 0; i < messages; i++) send_frame(ana, FRAME_MESSAGE, FRAME_BODY_MAX, (uint8_t)i);
    links_flush(&ana->all);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 0);
}

static void drain(void)
{
    link_pause(bob->link, false);
    run_us(10 * SECOND_US);
}

static void test_link_control_overtakes_what_waits_but_cuts_no_message(void **state)
{
    (void)state;
    fill(3);
    send_frame(ana, FRAME_PING, 100000, 9); /* more than a record */
    send_small(ana, FRAME_NOTICE, "me too");
    drain();
    assert_int_equal(bob->count, 5);
    assert_noted(bob, 0, FRAME_MESSAGE, slice_of(pattern(0), FRAME_BODY_MAX)); /* it had begun */
    assert_noted(bob, 1, FRAME_PING, slice_of(pattern(9), 100000));
    assert_noted(bob, 2, FRAME_NOTICE, slice_text("me too"));
    assert_noted(bob, 3, FRAME_MESSAGE, slice_of(pattern(1), FRAME_BODY_MAX));
    assert_noted(bob, 4, FRAME_MESSAGE, slice_of(pattern(2), FRAME_BODY_MAX));
}

static void test_link_control_sent_again_and_again_never_cuts_a_message(void **state)
{
    uint64_t hashes[20];
    size_t pings = 0, messages = 0;
    (void)state;
    must_connect();
    for (uint8_t i = 0; i < 20; i++) {
        send_frame(ana, FRAME_MESSAGE, 16380u + i * 5003u, i);
        hashes[i] = last_hash;
    }
    for (int i = 0; i < 200; i++) { /* between any two records */
        link_pause(bob->link, i % 3 != 0);
        link_send(ana->link, FRAME_PING, slice_of(pattern(1), (size_t)i * 37), slice_of(NULL, 0));
        links_flush(&ana->all);
        run_us(300);
    }
    drain();
    assert_int_equal(bob->count, 220);
    for (size_t i = 0; i < bob->count; i++) {
        if (bob->notes[i].kind == FRAME_PING) assert_noted(bob, i, FRAME_PING, slice_of(pattern(1), pings++ * 37));
        else assert_true(bob->notes[i].hash == hashes[messages++]);
    }
}

static void test_link_counts_the_messages_of_which_nothing_has_left(void **state)
{
    (void)state;
    fill(3);
    assert_int_equal(link_unsent(ana->link), 2);
    send_small(ana, FRAME_MESSAGE, "");
    send_small(ana, FRAME_PING, "not counted");
    assert_int_equal(link_unsent(ana->link), 3);
    drain();
    assert_int_equal(link_unsent(ana->link), 0);
}

static void test_link_counts_what_waits_in_bytes(void **state)
{
    (void)state;
    must_connect();
    assert_true(link_is_idle(ana->link));
    send_frame(ana, FRAME_MESSAGE, 1000, 1);
    assert_int_equal(link_queued(ana->link), FRAME_HEADER_BYTES + 1000);
    assert_int_equal(link_control_queued(ana->link), 0);
    assert_int_equal(link_unsent(ana->link), 1);
    link_send(ana->link, FRAME_PING, slice_text("ping"), slice_of(NULL, 0));
    assert_int_equal(link_queued(ana->link), FRAME_HEADER_BYTES + 1000);
    assert_int_equal(link_control_queued(ana->link), FRAME_HEADER_BYTES + 4);
    assert_false(link_is_idle(ana->link));
    links_flush(&ana->all);
    assert_true(link_is_idle(ana->link));
}

static void test_link_holds_its_messages_back_while_the_wire_is_full(void **state)
{
    (void)state;
    fill(4);
    size_t on_the_wire = ana->link->conn->transport->ops->queued(ana->link->conn);
    assert_true(on_the_wire >= 128u << 10 && on_the_wire < 300u << 10);
    assert_true(link_queued(ana->link) > 3u << 20);
    send_small(ana, FRAME_PING, "waits, too");
    assert_int_equal(link_control_queued(ana->link), FRAME_HEADER_BYTES + 10);
}

static void test_link_is_slow_above_its_bound_until_below_a_quarter(void **state)
{
    (void)state;
    must_connect();
    ana->all.slow_bytes = 1000;
    send_frame(ana, FRAME_MESSAGE, 1000 - FRAME_HEADER_BYTES, 1);
    assert_false(ana->link->slow);
    send_frame(ana, FRAME_MESSAGE, 0, 1);
    assert_true(ana->link->slow);
    assert_int_equal(ana->drained, 0);
    links_flush(&ana->all);
    assert_false(ana->link->slow);
    assert_int_equal(ana->drained, 1);
}

static void test_link_says_once_that_it_is_no_longer_slow(void **state)
{
    (void)state;
    ana->all.slow_bytes = 8u << 20;
    fill(12);
    assert_true(ana->link->slow);
    assert_int_equal(ana->drained, 0);
    drain();
    assert_int_equal(ana->drained, 1);
    assert_true(ana->drained_at > 1u << 20); /* a quarter is two of them: not much later than that */
    assert_false(ana->link->slow);
    assert_int_equal(bob->count, 12);
}

static void test_link_raises_nothing_between_its_closing_and_its_end(void **state)
{
    (void)state;
    ana->all.slow_bytes = 100000;
    must_connect();
    link_pause(bob->link, true);
    for (int i = 0; i < 8; i++) send_frame(ana, FRAME_MESSAGE, 50000, 1);
    links_flush(&ana->all);
    assert_true(ana->link->slow && link_queued(ana->link) > 100000 && buf_bytes(&ana->link->data) < 25000);
    send_frame(ana, FRAME_MESSAGE, 1, 1); /* is due for a flush when it closes */
    link_close(ana->link, MOTH_EDEAD);
    links_flush(&ana->all);
    run_us(SECOND_US);
    assert_int_equal(ana->drained, 0);
    assert_ended(ana, MOTH_EDEAD);
}

/* --- ending --- */

static void test_link_finishing_writes_everything_first(void **state)
{
    (void)state;
    fill(3);
    send_small(ana, FRAME_GOODBYE, "bye");
    link_finish(ana->link, MOTH_EGOODBYE);
    run_us(SECOND_US);
    assert_alive(ana);
    drain();
    assert_int_equal(bob->count, 4);
    assert_noted(bob, 1, FRAME_GOODBYE, slice_text("bye"));
    assert_noted(bob, 3, FRAME_MESSAGE, slice_of(pattern(2), FRAME_BODY_MAX));
    assert_ended(ana, MOTH_EGOODBYE);
    assert_ended(bob, MOTH_ECLOSED);
}

static void test_link_finishing_with_nothing_queued_ends_at_once(void **state)
{
    (void)state;
    must_connect();
    link_send(ana->link, FRAME_GOODBYE, slice_text("bye"), slice_of(NULL, 0));
    link_finish(ana->link, MOTH_EGOODBYE);
    assert_true(ana->link->closing);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1);
    assert_ended(ana, MOTH_EGOODBYE);
}

static void test_link_can_be_finished_while_it_dials_or_shakes_hands(void **state)
{
    (void)state;
    link_finish(dial(ANA, BOB), MOTH_EREPLACED);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EREPLACED);
    restart();
    dial(ANA, BOB);
    run_us(2 * SIM_LATENCY_US);
    link_finish(ana->link, MOTH_EREPLACED);
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EREPLACED);
    assert_ended(bob, MOTH_ECLOSED);
}

static void test_link_a_close_drops_what_is_queued(void **state)
{
    (void)state;
    fill(3);
    link_close(ana->link, MOTH_EDEAD);
    link_close(ana->link, MOTH_EGOODBYE);
    assert_true(link_unsent(ana->link) == 2);
    drain();
    assert_ended(ana, MOTH_EDEAD);
    assert_ended(bob, MOTH_ECLOSED);
    assert_int_equal(bob->count, 0);
}

static void test_link_an_owner_closes_by_refusing_a_frame(void **state)
{
    (void)state;
    must_connect();
    bob->frame_rc = MOTH_EUNKNOWN_KIND;
    for (int i = 0; i < 3; i++) link_send(ana->link, FRAME_MESSAGE, slice_text("x"), slice_of(NULL, 0));
    links_flush(&ana->all);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1);
    assert_ended(bob, MOTH_EUNKNOWN_KIND);
    assert_ended(ana, MOTH_ECLOSED);
}

static void close_it(struct link *l)
{
    link_close(l, MOTH_ERATE);
}

static void test_link_hands_out_nothing_more_when_a_frame_closed_it(void **state)
{
    (void)state;
    must_connect();
    bob->on_frame = close_it;
    for (int i = 0; i < 3; i++) link_send(ana->link, FRAME_MESSAGE, slice_text("x"), slice_of(NULL, 0));
    links_flush(&ana->all);
    send_frame(ana, FRAME_MESSAGE, 100000, 1);
    links_flush(&ana->all);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1);
    assert_ended(bob, MOTH_ERATE);
}

static void answer(struct link *l)
{
    link_send(l, FRAME_PONG, slice_text("pong"), slice_of(NULL, 0));
    link_finish(l, MOTH_EGOODBYE);
}

static void test_link_can_be_finished_from_inside_a_frame(void **state)
{
    (void)state;
    must_connect();
    bob->on_frame = answer;
    send_small(ana, FRAME_PING, "1");
    send_small(ana, FRAME_PING, "2");
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1);
    assert_int_equal(ana->count, 1);
    assert_noted(ana, 0, FRAME_PONG, slice_text("pong"));
    assert_ended(bob, MOTH_EGOODBYE);
}

static void test_link_many_live_and_die_beside_each_other(void **state)
{
    struct link *links[5];
    (void)state;
    for (int i = 0; i < 5; i++) links[i] = dial(ANA, BOB);
    run_us(SECOND_US);
    assert_int_equal(ana->all.count, 5);
    for (int i = 0; i < 5; i++) link_send(links[i], FRAME_MESSAGE, slice_text("x"), slice_of(NULL, 0));
    link_close(links[2], MOTH_ECANCELLED); /* while it is due for a flush */
    run_us(0);
    assert_int_equal(ana->all.count, 4);
    links_flush(&ana->all);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 4);
    link_close(links[4], MOTH_ECANCELLED);
    link_close(links[0], MOTH_ECANCELLED);
    run_us(SECOND_US);
    assert_int_equal(ana->all.count, 2);
    assert_int_equal(bob->all.count, 2);
}

static void test_link_all_can_be_freed_in_any_state_without_an_event(void **state)
{
    (void)state;
    fill(3);
    struct link *paused = bob->link;
    dial(ANA, BOB);
    dial(BOB, ANA);
    run_us(2 * SIM_LATENCY_US);
    dial(ANA, MIDDLE);
    link_dial(&ana->all, "nonsense", NULL, NULL);
    unsigned closed = ana->closed;
    links_fini(&ana->all);
    run_us(10 * SECOND_US);
    assert_int_equal(ana->closed, closed);
    assert_int_equal(bob->all.count, 1); /* the paused one: it has not read its end */
    link_pause(paused, false);
    dial(BOB, ANA); /* nobody is there any more to answer */
    run_us(SECOND_US);
    assert_int_equal(bob->reason, MOTH_EHUNG_UP);
    start_side(ANA, &identities[ANA]);
}

/* --- somebody in the middle --- */

/* One byte of what `way` carries is changed; a few records follow, so that a length which grew is found out. */
static void play_flipped(unsigned way, size_t at, uint8_t bits)
{
    restart();
    middle.flip_at[way] = at;
    middle.flip[way] = bits;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    for (int i = 0; i < 2; i++) {
        struct side *s = &sides[i];
        if (!s->link || s->link->state != LINK_OPEN) continue;
        send_small(s, FRAME_MESSAGE, "changed under way");
        send_frame(s, FRAME_MESSAGE, 100000, 1);
        links_flush(&s->all);
    }
    run_us(SECOND_US);
}

static bool is_one_of(int reason, int a, int b, int c)
{
    return reason == a || reason == b || reason == c;
}

static void test_link_any_flipped_byte_of_the_first_message_is_another_network(void **state)
{
    (void)state;
    for (size_t at = 1; at < HELLO_BYTES; at++) {
        play_flipped(0, at, (uint8_t)(1u << at % 8));
        assert_ended(bob, MOTH_EWRONG_NETWORK);
        assert_ended(ana, MOTH_EHUNG_UP);
        assert_int_equal(ana->ready + bob->ready, 0);
    }
}

static void test_link_any_flipped_byte_of_the_second_message_ends_it(void **state)
{
    (void)state;
    for (size_t at = 1; at < LISTENER_BYTES; at++) {
        play_flipped(1, at, (uint8_t)(1u << at % 8));
        assert_ended(ana, MOTH_EFORGED);
        assert_ended(bob, MOTH_ECLOSED);
        assert_int_equal(ana->ready + bob->ready, 0);
    }
}

static void test_link_any_flipped_byte_of_the_third_message_ends_it(void **state)
{
    (void)state;
    for (size_t at = HELLO_BYTES; at < DIALLER_BYTES; at++) {
        play_flipped(0, at, (uint8_t)(1u << at % 8));
        assert_ended(bob, MOTH_EFORGED);
        assert_ended(ana, MOTH_ECLOSED);
        assert_int_equal(bob->ready, 0);
        assert_int_equal(ana->count + bob->count, 0);
    }
}

/* "changed under way" makes a record of 2 + 4 + 17 + 16 bytes. */
static void flip_all_of_a_record(unsigned way, size_t start_at)
{
    struct side *to = way == 0 ? bob : ana;
    for (size_t at = 0; at < 39; at++) {
        play_flipped(way, start_at + at, (uint8_t)(1u << at % 8));
        assert_int_equal(to->ready, 1);
        assert_int_equal(to->count, 0);
        assert_int_equal(to->closed, 1);
        assert_true(at < 2 ? is_one_of(to->reason, MOTH_EFORGED, MOTH_EMALFORMED, 0) : to->reason == MOTH_EFORGED);
        assert_int_equal(way == 0 ? ana->reason : bob->reason, MOTH_ECLOSED);
    }
}

static void test_link_any_flipped_byte_of_a_record_ends_it_before_a_frame(void **state)
{
    (void)state;
    flip_all_of_a_record(0, DIALLER_BYTES);
    flip_all_of_a_record(1, LISTENER_BYTES);
}

static void test_link_any_flipped_bit_of_a_records_length_ends_it(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 16; bit++) {
        play_flipped(0, DIALLER_BYTES + bit / 8, (uint8_t)(1u << bit % 8));
        assert_int_equal(bob->closed, 1);
        assert_true(is_one_of(bob->reason, MOTH_EFORGED, MOTH_EMALFORMED, 0));
        assert_int_equal(bob->count, 0);
    }
}

static void test_link_a_handshake_cut_short_anywhere_never_opens(void **state)
{
    (void)state;
    for (size_t at = 0; at < DIALLER_BYTES; at++) {
        restart();
        middle.limit = at;
        dial(ANA, MIDDLE);
        run_us(SECOND_US);
        assert_alive(bob);
        hang_up();
        run_us(SECOND_US);
        assert_int_equal(bob->ready, 0);
        assert_ended(bob, MOTH_ECLOSED);
        assert_ended(ana, ana->ready ? MOTH_ECLOSED : MOTH_EHUNG_UP);
    }
}

/* After the handshake ana says three things, and the middle keeps the three records. */
static size_t capture(size_t at[4])
{
    must_connect_through_the_middle();
    middle.hold[0] = true;
    send_small(ana, FRAME_MESSAGE, "one");
    send_small(ana, FRAME_MESSAGE, "two");
    send_small(ana, FRAME_MESSAGE, "three");
    run_us(SECOND_US);
    struct span held = buf_span(&middle.held[0]);
    at[0] = 0;
    for (int i = 0; i < 3; i++) at[i + 1] = at[i] + 2 + (size_t)get_uint(held.data + at[i], 2);
    assert_int_equal(at[3], held.bytes);
    return held.bytes;
}

static void say_record(const size_t at[4], unsigned number)
{
    say(0, slice_of(buf_span(&middle.held[0]).data + at[number], at[number + 1] - at[number]));
}

static void assert_forged_after(size_t frames)
{
    run_us(SECOND_US);
    assert_int_equal(bob->count, frames);
    assert_ended(bob, MOTH_EFORGED);
    assert_ended(ana, MOTH_ECLOSED);
}

static void test_link_a_record_played_twice_ends_it(void **state)
{
    size_t at[4];
    (void)state;
    capture(at);
    say_record(at, 0);
    say_record(at, 0);
    say_record(at, 1);
    assert_forged_after(1);
}

static void test_link_records_in_another_order_end_it(void **state)
{
    size_t at[4];
    (void)state;
    capture(at);
    say_record(at, 1);
    say_record(at, 0);
    assert_forged_after(0);
}

static void test_link_a_missing_record_ends_it(void **state)
{
    size_t at[4];
    (void)state;
    capture(at);
    say_record(at, 0);
    say_record(at, 2);
    assert_forged_after(1);
}

static void test_link_a_record_turned_back_to_its_sender_ends_it(void **state)
{
    size_t at[4];
    (void)state;
    capture(at);
    say(1, slice_of(buf_span(&middle.held[0]).data, at[1]));
    run_us(SECOND_US);
    assert_int_equal(ana->count, 0);
    assert_ended(ana, MOTH_EFORGED);
}

static void test_link_a_record_cut_short_anywhere_gives_no_frame(void **state)
{
    size_t at[4];
    (void)state;
    size_t bytes = capture(at);
    for (size_t cut = 0; cut < bytes; cut++) {
        restart();
        capture(at);
        say(0, slice_of(buf_span(&middle.held[0]).data, cut));
        hang_up();
        run_us(SECOND_US);
        assert_int_equal(bob->count, cut < at[1] ? 0 : cut < at[2] ? 1 : 2);
        assert_ended(bob, MOTH_ECLOSED);
    }
}

/* Everything ana ever said, said again by somebody who listened. */
static void test_link_a_recorded_conversation_opens_nothing(void **state)
{
    (void)state;
    must_connect_through_the_middle();
    send_small(ana, FRAME_MESSAGE, "heard once");
    run_us(SECOND_US);
    hang_up();
    run_us(SECOND_US);
    dial_bob();
    run_us(SECOND_US);
    assert_true(buf_bytes(&middle.said) > DIALLER_BYTES);
    say(0, span_slice(buf_span(&middle.said)));
    run_us(SECOND_US);
    assert_int_equal(bob->accepted, 2);
    assert_int_equal(bob->closed, 2);
    assert_int_equal(bob->reason, MOTH_EFORGED);
    assert_int_equal(bob->ready, 1);
    assert_int_equal(bob->count, 1);
}

static void test_link_a_first_message_played_to_another_listener_opens_nothing(void **state)
{
    uint8_t zero[MESSAGE_3_BYTES] = {0};
    (void)state;
    middle.hold[1] = true; /* ana never hears the answer, and so cannot help */
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&middle.held[1]), LISTENER_BYTES);
    say(0, slice_of(zero, sizeof zero));
    run_us(SECOND_US);
    assert_ended(bob, MOTH_EFORGED);
    assert_int_equal(bob->ready, 0);
}

static void test_link_an_echo_is_no_peer(void **state)
{
    (void)state;
    middle.hold[0] = true;
    dial(ANA, MIDDLE);
    run_us(SECOND_US);
    assert_int_equal(buf_bytes(&middle.held[0]), HELLO_BYTES);
    for (int i = 0; i < 5; i++) say(1, span_slice(buf_span(&middle.held[0])));
    run_us(SECOND_US);
    assert_ended(ana, MOTH_EFORGED);
    assert_int_equal(ana->ready, 0);
}

static uint8_t *garbage(size_t bytes)
{
    static uint8_t data[4096];
    for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)sim_random(sim);
    return data;
}

static void test_link_garbage_instead_of_a_handshake_ends_it(void **state)
{
    (void)state;
    for (size_t bytes = HELLO_BYTES; bytes < 4096; bytes += 97) {
        restart();
        middle.hold[0] = true;
        dial(ANA, MIDDLE);
        run_us(SECOND_US);
        uint8_t *data = garbage(bytes);
        if (bytes % 2) data[0] = LINK_VERSION;
        say(0, slice_of(data, bytes));
        run_us(SECOND_US);
        assert_ended(bob, data[0] == LINK_VERSION ? MOTH_EWRONG_NETWORK : MOTH_EVERSION);
        assert_int_equal(bob->ready, 0);
    }
}

static void test_link_garbage_as_an_answer_ends_it(void **state)
{
    (void)state;
    for (size_t bytes = LISTENER_BYTES; bytes < 4096; bytes += 97) {
        restart();
        middle.hold[1] = true;
        dial(ANA, MIDDLE);
        run_us(SECOND_US);
        uint8_t *data = garbage(bytes);
        data[0] = LINK_VERSION;
        say(1, slice_of(data, bytes));
        run_us(SECOND_US);
        assert_ended(ana, MOTH_EFORGED);
        assert_int_equal(ana->ready, 0);
    }
}

static void test_link_garbage_instead_of_records_ends_it(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        restart();
        must_connect_through_the_middle();
        middle.hold[0] = true;
        for (int k = 0; k < 20; k++) say(0, slice_of(garbage(4096), 4096));
        run_us(SECOND_US);
        assert_int_equal(bob->closed, 1);
        assert_true(is_one_of(bob->reason, MOTH_EFORGED, MOTH_EMALFORMED, 0));
        assert_int_equal(bob->count, 0);
    }
}

static void assert_refuses_length(unsigned bytes)
{
    uint8_t length[2];
    restart();
    must_connect_through_the_middle();
    put_uint(length, bytes, 2);
    say(0, slice_of(length, 2));
    run_us(SECOND_US);
    assert_ended(bob, MOTH_EMALFORMED);
}

static void test_link_refuses_a_record_length_that_cannot_be_at_once(void **state)
{
    (void)state;
    assert_refuses_length(0);
    assert_refuses_length(CRYPTO_TAG_BYTES);
    assert_refuses_length(NOISE_RECORD_MAX + CRYPTO_TAG_BYTES + 1);
    assert_refuses_length(65535);
}

/* Sealed as it should be, but not by our link_send. */
static void send_plain(struct link *l, const void *data, size_t bytes)
{
    uint8_t record[64];
    size_t n = noise_record_seal(&l->send, slice_of(data, bytes), record);
    l->conn->transport->ops->send(l->conn, slice_of(record, n));
}

static void test_link_refuses_a_frame_above_its_bound_when_it_sees_the_length(void **state)
{
    static const uint8_t header[FRAME_HEADER_BYTES] = {0x10, 0x00, 0x01, FRAME_MESSAGE}; /* FRAME_BODY_MAX + 1 */
    (void)state;
    must_connect();
    send_plain(ana->link, header, sizeof header);
    run_us(SECOND_US);
    assert_ended(bob, MOTH_ETOO_BIG);
    assert_int_equal(bob->count, 0);
}

static void test_link_hands_out_what_came_before_a_bad_frame(void **state)
{
    static const uint8_t plain[] = {0, 0, 1, FRAME_PING, 'x', 0xff, 0xff, 0xff, FRAME_PING};
    (void)state;
    must_connect();
    send_plain(ana->link, plain, sizeof plain);
    run_us(SECOND_US);
    assert_int_equal(bob->count, 1);
    assert_noted(bob, 0, FRAME_PING, slice_text("x"));
    assert_ended(bob, MOTH_ETOO_BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_link_each_end_learns_who_the_other_is),
        TEST(test_link_a_handshake_has_the_sizes_the_header_draws),
        TEST(test_link_opens_when_the_expected_one_answers),
        TEST(test_link_refuses_another_than_the_expected_one),
        TEST(test_link_refuses_itself),
        TEST(test_link_both_ends_are_told_that_their_key_is_cloned),
        TEST(test_link_refuses_another_network_at_the_first_message),
        TEST(test_link_a_listener_of_another_version_still_says_which),
        TEST(test_link_refuses_a_listener_of_another_version),
        TEST(test_link_knows_the_version_from_one_byte),
        TEST(test_link_says_why_a_dial_failed),
        TEST(test_link_a_hang_up_before_the_answer_has_a_name_at_the_dialler_only),
        TEST(test_link_an_owner_can_refuse_to_accept),
        TEST(test_link_an_owner_can_refuse_who_it_is),
        TEST(test_link_keeps_the_time_of_its_state_and_of_the_last_bytes),
        TEST(test_link_carries_messages_of_all_sizes_both_ways),
        TEST(test_link_carries_control_frames_of_all_sizes_both_ways),
        TEST(test_link_carries_each_size_on_its_own),
        TEST(test_link_carries_every_kind_as_it_is),
        TEST(test_link_puts_many_frames_into_one_record),
        TEST(test_link_fills_its_records),
        TEST(test_link_sends_nothing_before_it_is_open_or_once_it_closes),
        TEST(test_link_flushing_nothing_writes_nothing),
        TEST(test_link_takes_chunks_of_any_size),
        TEST(test_link_takes_a_cut_at_every_byte),
        TEST(test_link_takes_records_right_behind_the_handshake),
        TEST(test_link_big_frames_survive_odd_chunks_and_pauses),
        TEST(test_link_control_overtakes_what_waits_but_cuts_no_message),
        TEST(test_link_control_sent_again_and_again_never_cuts_a_message),
        TEST(test_link_counts_the_messages_of_which_nothing_has_left),
        TEST(test_link_counts_what_waits_in_bytes),
        TEST(test_link_holds_its_messages_back_while_the_wire_is_full),
        TEST(test_link_is_slow_above_its_bound_until_below_a_quarter),
        TEST(test_link_says_once_that_it_is_no_longer_slow),
        TEST(test_link_raises_nothing_between_its_closing_and_its_end),
        TEST(test_link_finishing_writes_everything_first),
        TEST(test_link_finishing_with_nothing_queued_ends_at_once),
        TEST(test_link_can_be_finished_while_it_dials_or_shakes_hands),
        TEST(test_link_a_close_drops_what_is_queued),
        TEST(test_link_an_owner_closes_by_refusing_a_frame),
        TEST(test_link_hands_out_nothing_more_when_a_frame_closed_it),
        TEST(test_link_can_be_finished_from_inside_a_frame),
        TEST(test_link_many_live_and_die_beside_each_other),
        TEST(test_link_all_can_be_freed_in_any_state_without_an_event),
        TEST(test_link_any_flipped_byte_of_the_first_message_is_another_network),
        TEST(test_link_any_flipped_byte_of_the_second_message_ends_it),
        TEST(test_link_any_flipped_byte_of_the_third_message_ends_it),
        TEST(test_link_any_flipped_byte_of_a_record_ends_it_before_a_frame),
        TEST(test_link_any_flipped_bit_of_a_records_length_ends_it),
        TEST(test_link_a_handshake_cut_short_anywhere_never_opens),
        TEST(test_link_a_record_played_twice_ends_it),
        TEST(test_link_records_in_another_order_end_it),
        TEST(test_link_a_missing_record_ends_it),
        TEST(test_link_a_record_turned_back_to_its_sender_ends_it),
        TEST(test_link_a_record_cut_short_anywhere_gives_no_frame),
        TEST(test_link_a_recorded_conversation_opens_nothing),
        TEST(test_link_a_first_message_played_to_another_listener_opens_nothing),
        TEST(test_link_an_echo_is_no_peer),
        TEST(test_link_garbage_instead_of_a_handshake_ends_it),
        TEST(test_link_garbage_as_an_answer_ends_it),
        TEST(test_link_garbage_instead_of_records_ends_it),
        TEST(test_link_refuses_a_record_length_that_cannot_be_at_once),
        TEST(test_link_refuses_a_frame_above_its_bound_when_it_sees_the_length),
        TEST(test_link_hands_out_what_came_before_a_bad_frame),
    };
    return cmocka_run_group_tests(tests, make_identities, NULL);
}
