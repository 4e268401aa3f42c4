/* test_boxes.c -- mail on its way, in memory: boxes in the order of sending, what is carried for others, the last ends.
 *
 * Recipients and sources are numbered, and so are messages. `content` writes a box as text and checks its chain;
 * `check` counts everything anew and compares, so that no count may drift. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "node/boxes.h"
#include "node/peers.h"
#include "proto/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#define RING 4096u

struct world {
    struct boxes boxes;
    struct peers peers;
};

static int set_up(void **state)
{
    struct world *w = mem_new(sizeof *w);
    boxes_init(&w->boxes, 3);
    peers_init(&w->peers, 1000, 5, NULL);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    boxes_fini(&w->boxes);
    peers_fini(&w->peers);
    free(w);
    return 0;
}

static struct peer *peer(struct world *w, uint8_t number)
{
    struct moth_id id = {{number}};
    return peers_get(&w->peers, &id, true);
}

static struct outgoing *find(const struct world *w, uint64_t id)
{
    struct outgoing *m = boxes_find(&w->boxes, id);
    assert_non_null(m);
    return m;
}

static struct box *box(const struct world *w, uint8_t to)
{
    struct moth_id id = {{to}};
    return boxes_box(&w->boxes, &id);
}

static struct outgoing *put(struct world *w, uint8_t to, uint64_t id, const char *body)
{
    struct outgoing *m = outgoing_new(id, peer(w, to), ENVELOPE_DATA, slice_text(body));
    boxes_put(&w->boxes, m);
    return m;
}

static struct outgoing *carry(struct world *w, uint8_t source, uint8_t to, uint64_t id, uint64_t inner_id)
{
    struct outgoing *m = outgoing_new(id, peer(w, to), ENVELOPE_HANDOVER, slice_text("inside"));
    m->source = peer(w, source);
    m->inner_id = inner_id;
    boxes_put(&w->boxes, m);
    return m;
}

static void drop(struct world *w, uint64_t id)
{
    boxes_remove(&w->boxes, find(w, id));
}

/* Sends the next of a box, as mail.c does. */
static void fly(struct box *b)
{
    b->next_send->in_flight = true;
    b->in_flight++;
    while (b->next_send && b->next_send->in_flight) b->next_send = b->next_send->after;
}

/* The ids of a box, in order, as "1 5 9". */
static const char *content(const struct world *w, uint8_t to)
{
    static char text[256];
    size_t used = 0;
    const struct outgoing *before = NULL;
    text[0] = '\0';
    if (!box(w, to)) return "no box";
    for (const struct outgoing *m = box(w, to)->first; m; before = m, m = m->after) {
        assert_ptr_equal(m->before, before);
        used += (size_t)snprintf(text + used, sizeof text - used, used ? " %u" : "%u", (unsigned)m->id);
    }
    assert_ptr_equal(box(w, to)->last, before);
    return text;
}

static size_t count_boxes(const struct world *w)
{
    size_t count = 0;
    const struct box *before = NULL;
    for (const struct box *b = w->boxes.first; b; before = b, b = b->after, count++)
        assert_ptr_equal(b->before, before);
    return count;
}

/* --- everything counted anew --- */

struct sums {
    size_t mail_count, mail_bytes, carried_count, carried_bytes, memory_bytes;
};

static void add(struct sums *s, const struct outgoing *m)
{
    bool is_carried = m->kind == ENVELOPE_HANDOVER, is_mail = m->kind == ENVELOPE_DATA && !m->light;
    s->mail_count += is_mail;
    s->mail_bytes += is_mail ? m->body_bytes : 0;
    s->carried_count += is_carried;
    s->carried_bytes += is_carried ? m->body_bytes : 0;
    s->memory_bytes += m->body ? m->body_bytes : 0;
}

static void check_box(const struct box *b, struct sums *s)
{
    const struct outgoing *next_send = NULL;
    unsigned in_flight = 0, count = 0;
    bool deposit_is_here = !b->next_deposit;
    for (const struct outgoing *m = b->first; m; m = m->after, count++) {
        assert_ptr_equal(m->to, b->to);
        if (!m->in_flight && !next_send) next_send = m;
        in_flight += m->in_flight;
        deposit_is_here |= m == b->next_deposit;
        add(s, m);
    }
    assert_ptr_equal(b->next_send, next_send);
    assert_true(deposit_is_here);
    assert_int_equal(b->in_flight, in_flight);
    assert_int_equal(b->count, count);
    assert_int_equal(b->to->mail, count);
}

static void check(const struct world *w)
{
    struct sums s = {0};
    const struct boxes *all = &w->boxes;
    for (const struct box *b = all->first; b; b = b->after) check_box(b, &s);
    assert_int_equal(all->mail_count, s.mail_count);
    assert_int_equal(all->mail_bytes, s.mail_bytes);
    assert_int_equal(all->carried_count, s.carried_count);
    assert_int_equal(all->carried_bytes, s.carried_bytes);
    assert_int_equal(all->memory_bytes, s.memory_bytes);
}

/* --- mail --- */

static void message_is_kept_as_it_was_given(void **state)
{
    struct world *w = *state;
    put(w, 1, 10, "hello");
    struct outgoing *m = find(w, 10);
    assert_ptr_equal(m->to, peer(w, 1));
    assert_int_equal(m->kind, ENVELOPE_DATA);
    assert_int_equal(m->body_bytes, 5);
    assert_memory_equal(m->body, "hello", 5);
    assert_int_equal(m->state, MOTH_PENDING);
    assert_int_equal(peer(w, 1)->mail, 1);
    check(w);
}

static void message_may_be_empty(void **state)
{
    struct world *w = *state;
    put(w, 1, 10, "");
    assert_int_equal(find(w, 10)->body_bytes, 0);
    check(w);
}

static void box_keeps_the_order_of_its_messages(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 9; id++) put(w, (uint8_t)(id % 3), id, "x");
    assert_string_equal(content(w, 0), "3 6 9");
    assert_string_equal(content(w, 1), "1 4 7");
    assert_string_equal(content(w, 2), "2 5 8");
    assert_int_equal(count_boxes(w), 3);
    check(w);
}

static void message_leaves_its_box_from_any_place(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 5; id++) put(w, 1, id, "x");
    drop(w, 3);
    assert_string_equal(content(w, 1), "1 2 4 5");
    drop(w, 1);
    assert_string_equal(content(w, 1), "2 4 5");
    drop(w, 5);
    assert_string_equal(content(w, 1), "2 4");
    assert_null(boxes_find(&w->boxes, 3));
    assert_int_equal(peer(w, 1)->mail, 2);
    check(w);
}

static void box_goes_with_its_last_message(void **state)
{
    struct world *w = *state;
    for (uint8_t to = 1; to <= 4; to++) put(w, to, to, "x");
    static const uint8_t order[] = {2, 4, 1, 3}; /* of the list: the middle, the start, the end, the only one */
    for (unsigned i = 0; i < 4; i++) {
        drop(w, order[i]);
        assert_string_equal(content(w, order[i]), "no box");
        assert_int_equal(count_boxes(w), 3 - i);
    }
    put(w, 2, 9, "x");
    assert_string_equal(content(w, 2), "9");
}

static void recipients_can_be_walked_while_their_boxes_go(void **state)
{
    struct world *w = *state;
    size_t count;
    for (uint8_t to = 1; to <= 50; to++) put(w, to, to, "x");
    struct moth_id *ids = boxes_ids(&w->boxes, &count);
    assert_int_equal(count, 50);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(boxes_box(&w->boxes, &ids[i]));
        drop(w, ids[i].bytes[0]);
    }
    free(ids);
    free(boxes_ids(&w->boxes, &count));
    assert_int_equal(count, 0);
}

static void next_to_send_is_the_first_not_in_flight(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 3; id++) put(w, 1, id, "x");
    struct box *b = box(w, 1);
    assert_int_equal(b->next_send->id, 1);
    for (unsigned i = 0; i < 3; i++) fly(b);
    assert_null(b->next_send);
    put(w, 1, 4, "x");
    put(w, 1, 5, "x");
    assert_int_equal(b->next_send->id, 4);
    drop(w, 2);
    assert_int_equal(b->in_flight, 2);
    assert_int_equal(b->next_send->id, 4);
    drop(w, 4);
    assert_int_equal(b->in_flight, 2);
    assert_int_equal(b->next_send->id, 5);
    drop(w, 5);
    assert_null(b->next_send);
    check(w);
}

static void next_to_deposit_moves_on_when_it_goes(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 4; id++) put(w, 1, id, "x");
    struct box *b = box(w, 1);
    assert_int_equal(b->next_deposit->id, 1);
    b->next_deposit = find(w, 2);
    drop(w, 1);
    assert_int_equal(b->next_deposit->id, 2);
    drop(w, 2);
    assert_int_equal(b->next_deposit->id, 3);
    b->next_deposit = NULL; /* all were looked at */
    drop(w, 3);
    assert_null(b->next_deposit);
    put(w, 1, 5, "x");
    assert_int_equal(b->next_deposit->id, 5);
    drop(w, 5);
    assert_null(b->next_deposit);
}

static void only_what_the_user_sends_counts_as_mail(void **state)
{
    struct world *w = *state;
    put(w, 1, 1, "1234567");
    boxes_put(&w->boxes, outgoing_new(2, peer(w, 2), ENVELOPE_DEPOSIT, slice_text("deposit")));
    carry(w, 3, 1, 3, 9);
    struct outgoing *light = outgoing_new(4, peer(w, 1), ENVELOPE_DATA, slice_text("light"));
    light->light = true;
    boxes_put(&w->boxes, light);
    assert_int_equal(w->boxes.mail_count, 1);
    assert_int_equal(w->boxes.mail_bytes, 7);
    assert_int_equal(w->boxes.carried_count, 1);
    assert_int_equal(w->boxes.carried_bytes, 6);
    check(w);
    for (uint64_t id = 1; id <= 4; id++) drop(w, id);
    check(w);
    assert_int_equal(w->boxes.memory_bytes, 0);
}

static void boxes_close_with_mail_inside(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 9; id++) put(w, (uint8_t)(id % 3), id, "x");
    carry(w, 7, 1, 10, 1);
    boxes_fini(&w->boxes);
    for (uint8_t to = 0; to < 3; to++) assert_int_equal(peer(w, to)->mail, 0);
    assert_int_equal(peer(w, 7)->held, 0);
    assert_int_equal(w->boxes.memory_bytes, 0);
    boxes_init(&w->boxes, 3);
}

/* --- bodies --- */

static void memory_counts_only_the_bodies_that_are_there(void **state)
{
    struct world *w = *state;
    struct outgoing *m = put(w, 1, 1, "12345");
    put(w, 1, 2, "123");
    assert_int_equal(w->boxes.memory_bytes, 8);
    outgoing_drop_body(&w->boxes, m);
    outgoing_drop_body(&w->boxes, m);
    assert_null(m->body);
    assert_int_equal(m->body_bytes, 5);
    assert_int_equal(w->boxes.memory_bytes, 3);
    assert_int_equal(w->boxes.mail_bytes, 8);
    check(w);
    outgoing_set_body(&w->boxes, m, put_bytes(mem_new(5), "12345", 5) - 5);
    assert_int_equal(w->boxes.memory_bytes, 8);
    outgoing_drop_body(&w->boxes, m);
    drop(w, 1);
    assert_int_equal(w->boxes.memory_bytes, 3);
    assert_int_equal(w->boxes.mail_bytes, 3);
    check(w);
}

static void message_without_its_body_takes_no_memory(void **state)
{
    struct world *w = *state;
    boxes_put(&w->boxes, outgoing_new(1, peer(w, 1), ENVELOPE_DATA, slice_of(NULL, 500)));
    assert_null(find(w, 1)->body);
    assert_int_equal(w->boxes.memory_bytes, 0);
    assert_int_equal(w->boxes.mail_bytes, 500);
    check(w);
}

/* --- what is carried --- */

static void handovers_of_one_source_stand_in_the_order_it_sent_them(void **state)
{
    struct world *w = *state;
    carry(w, 7, 1, 1, 30);
    carry(w, 7, 1, 2, 10);
    carry(w, 7, 1, 3, 40);
    carry(w, 7, 1, 4, 20);
    carry(w, 7, 1, 5, 5);
    assert_string_equal(content(w, 1), "5 2 4 1 3");
    assert_int_equal(peer(w, 7)->dealings->carried_top, 40);
    check(w);
}

static void handovers_of_other_sources_and_own_mail_stay_where_they_are(void **state)
{
    struct world *w = *state;
    carry(w, 7, 1, 1, 30);
    put(w, 1, 2, "ours");
    carry(w, 8, 1, 3, 99);
    carry(w, 7, 1, 4, 40);
    carry(w, 8, 1, 5, 20); /* before 3, of the same source, and nobody else */
    carry(w, 7, 1, 6, 35);
    assert_string_equal(content(w, 1), "1 2 5 3 6 4");
    check(w);
}

static void handovers_of_one_source_are_ordered_for_each_recipient_alone(void **state)
{
    struct world *w = *state;
    carry(w, 7, 1, 1, 30);
    carry(w, 7, 2, 2, 10);
    carry(w, 7, 2, 3, 20);
    carry(w, 7, 1, 4, 5);
    assert_string_equal(content(w, 1), "4 1");
    assert_string_equal(content(w, 2), "2 3");
    check(w);
}

static void handover_before_one_in_flight_is_the_next_to_send(void **state)
{
    struct world *w = *state;
    carry(w, 7, 1, 1, 30);
    carry(w, 7, 1, 2, 40);
    struct box *b = box(w, 1);
    fly(b);
    carry(w, 7, 1, 3, 20);
    assert_string_equal(content(w, 1), "3 1 2");
    assert_int_equal(b->next_send->id, 3);
    check(w);
    fly(b);
    assert_int_equal(b->next_send->id, 2);
}

static void handover_before_the_next_to_send_takes_its_turn(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 4; id++) carry(w, 7, 1, id, 10 * id);
    struct box *b = box(w, 1);
    fly(b);
    carry(w, 7, 1, 5, 15);
    assert_string_equal(content(w, 1), "1 5 2 3 4");
    assert_int_equal(b->next_send->id, 5);
    check(w);
    carry(w, 7, 1, 6, 35);
    assert_int_equal(b->next_send->id, 5);
    drop(w, 5);
    assert_int_equal(b->next_send->id, 2);
    check(w);
}

static void handover_when_all_are_in_flight_is_next_wherever_it_stands(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 3; id++) carry(w, 7, 1, id, 10 * id);
    struct box *b = box(w, 1);
    for (unsigned i = 0; i < 3; i++) fly(b);
    carry(w, 7, 1, 4, 25);
    assert_string_equal(content(w, 1), "1 2 4 3");
    assert_int_equal(b->next_send->id, 4);
    drop(w, 2);
    drop(w, 3);
    assert_int_equal(b->next_send->id, 4);
    assert_int_equal(b->in_flight, 1);
    check(w);
}

static void handover_among_those_in_flight_does_not_hide_an_earlier_one_that_waits(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 3; id++) carry(w, 7, 1, id, 10 * id);
    struct box *b = box(w, 1);
    for (unsigned i = 0; i < 3; i++) fly(b);
    carry(w, 7, 1, 4, 15);
    carry(w, 7, 1, 5, 25);
    assert_string_equal(content(w, 1), "1 4 2 5 3");
    assert_int_equal(b->next_send->id, 4);
    fly(b);
    assert_int_equal(b->next_send->id, 5);
    check(w);
}

static void next_to_send_that_goes_is_not_followed_by_one_in_flight(void **state)
{
    struct world *w = *state;
    for (uint64_t id = 1; id <= 3; id++) carry(w, 7, 1, id, 10 * id);
    struct box *b = box(w, 1);
    fly(b);
    fly(b);
    carry(w, 7, 1, 4, 15);
    assert_string_equal(content(w, 1), "1 4 2 3");
    assert_int_equal(b->next_send->id, 4);
    drop(w, 4);
    assert_int_equal(b->next_send->id, 3); /* 2 would be sent twice, and counted twice */
    check(w);
}

static void handover_is_found_by_source_and_inner_id(void **state)
{
    struct world *w = *state;
    struct outgoing *a = carry(w, 7, 1, 1, 10), *b = carry(w, 8, 1, 2, 10), *c = carry(w, 7, 2, 3, 11);
    assert_ptr_equal(boxes_find_carried(&w->boxes, &peer(w, 7)->id, 10), a);
    assert_ptr_equal(boxes_find_carried(&w->boxes, &peer(w, 8)->id, 10), b);
    assert_ptr_equal(boxes_find_carried(&w->boxes, &peer(w, 7)->id, 11), c);
    assert_null(boxes_find_carried(&w->boxes, &peer(w, 8)->id, 11));
    assert_null(boxes_find_carried(&w->boxes, &peer(w, 9)->id, 10));
    drop(w, 1);
    assert_null(boxes_find_carried(&w->boxes, &peer(w, 7)->id, 10));
    assert_ptr_equal(boxes_find_carried(&w->boxes, &peer(w, 8)->id, 10), b);
}

/* The key of the map is made of both: two pairs may share one. */
static void handover_is_not_taken_for_one_with_the_same_key(void **state)
{
    struct world *w = *state;
    struct moth_id one = {{7}}, other = {{7}};
    other.bytes[15] = 3;
    struct outgoing *m = carry(w, 7, 1, 1, 2);
    assert_ptr_equal(boxes_find_carried(&w->boxes, &one, 2), m);
    assert_null(boxes_find_carried(&w->boxes, &other, 2 ^ 3));
    assert_null(boxes_find_carried(&w->boxes, &other, 2 ^ (UINT64_C(3) << 56)));
}

static void source_of_a_handover_is_held_and_its_bytes_counted(void **state)
{
    struct world *w = *state;
    carry(w, 7, 1, 1, 10);
    carry(w, 7, 2, 2, 11);
    carry(w, 8, 2, 3, 10);
    assert_int_equal(peer(w, 7)->held, 2);
    assert_int_equal(peer(w, 7)->dealings->carried_bytes, 12);
    assert_int_equal(peer(w, 8)->held, 1);
    drop(w, 1);
    assert_int_equal(peer(w, 7)->held, 1);
    assert_int_equal(peer(w, 7)->dealings->carried_bytes, 6);
    drop(w, 2);
    assert_int_equal(peer(w, 7)->held, 0);
    assert_int_equal(peer(w, 7)->dealings->carried_bytes, 0);
    check(w);
}

static void boxes_stay_right_whatever_comes_and_goes(void **state)
{
    struct world *w = *state;
    uint64_t seed = 1, next = 1;
    for (unsigned turn = 0; turn < 10000; turn++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned dice = (unsigned)(seed >> 33);
        uint8_t to = (uint8_t)(dice % 3);
        struct box *b = box(w, to);
        struct outgoing *some = boxes_find(&w->boxes, 1 + dice / 64 % next);
        switch (dice / 8 % 8) {
        case 0: put(w, to, next++, "ours"); break;
        case 1: carry(w, (uint8_t)(5 + dice / 64 % 2), to, next, next + dice / 128 % 200); next++; break;
        case 2:
        case 3: if (b && b->next_send) fly(b); break;
        case 4: if (some && some->body) outgoing_drop_body(&w->boxes, some); break;
        default: if (some) boxes_remove(&w->boxes, some);
        }
        check(w);
    }
    assert_true(next > 1000);
}

static struct moth_id id_of(uint8_t number)
{
    struct moth_id id = {{number, [15] = 9}};
    return id;
}

static void carriers_who_answered_survive_as_bytes(void **state)
{
    struct world *w = *state;
    uint8_t bytes[CARRIERS_MAX * CARRIER_BYTES];
    struct moth_id a = id_of(1), b = id_of(2), c = id_of(3);
    struct outgoing *from = put(w, 1, 1, "x"), *to = put(w, 1, 2, "x");
    outgoing_add_carrier(from, &a, CUSTODY_TAKEN, 0);
    outgoing_add_carrier(from, &b, CUSTODY_ASKED, 77);
    outgoing_add_carrier(from, &c, CUSTODY_REFUSED, 0);
    assert_int_equal(carriers_encode(from, bytes), 2 * CARRIER_BYTES);
    carriers_decode(to, slice_of(bytes, 2 * CARRIER_BYTES));
    assert_int_equal(to->carrier_count, 2);
    assert_int_equal(outgoing_carrier(to, &a)->custody, CUSTODY_TAKEN);
    assert_null(outgoing_carrier(to, &b)); /* asked again after a restart */
    assert_int_equal(outgoing_carrier(to, &c)->custody, CUSTODY_REFUSED);
}

static void nobody_asked_is_no_bytes(void **state)
{
    struct world *w = *state;
    uint8_t bytes[CARRIERS_MAX * CARRIER_BYTES];
    struct outgoing *m = put(w, 1, 1, "x");
    assert_int_equal(carriers_encode(m, bytes), 0);
    carriers_decode(m, slice_of(NULL, 0));
    assert_int_equal(m->carrier_count, 0);
    assert_null(m->carriers);
}

static void carriers_beyond_the_most_are_not_taken(void **state)
{
    struct world *w = *state;
    uint8_t bytes[6 * CARRIER_BYTES + 3] = {0};
    struct moth_id one = id_of(1);
    struct outgoing *m = put(w, 1, 1, "x");
    for (unsigned i = 0; i < 6; i++) bytes[i * CARRIER_BYTES] = (uint8_t)i;
    carriers_decode(m, slice_of(bytes, sizeof bytes)); /* and half a carrier at the end */
    assert_int_equal(m->carrier_count, CARRIERS_MAX);
    assert_null(outgoing_add_carrier(m, &one, CUSTODY_ASKED, 5));
    assert_int_equal(m->carrier_count, CARRIERS_MAX);
}

static void half_a_carrier_is_none(void **state)
{
    struct world *w = *state;
    uint8_t bytes[CARRIER_BYTES] = {1};
    struct outgoing *m = put(w, 1, 1, "x");
    carriers_decode(m, slice_of(bytes, CARRIER_BYTES - 1));
    assert_int_equal(m->carrier_count, 0);
}

/* --- ends --- */

static void end(struct world *w, uint64_t id, enum moth_state state, int reason)
{
    struct outgoing *m = find(w, id);
    m->state = state;
    m->reason = reason;
    boxes_remember_end(&w->boxes, m);
    boxes_remove(&w->boxes, m);
}

static void end_of_a_message_can_be_asked_for(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    struct outgoing *m = put(w, 1, 10, "hello");
    m->tries = 3;
    m->changed_ms = 77;
    m->sent_ms = 55;
    m->data_bytes = 4;
    end(w, 10, MOTH_REFUSED, MOTH_ETOO_BIG);
    assert_true(boxes_ended(&w->boxes, 10, &sent));
    assert_int_equal(sent.id, 10);
    assert_int_equal(sent.to.bytes[0], 1);
    assert_int_equal(sent.state, MOTH_REFUSED);
    assert_int_equal(sent.reason, MOTH_ETOO_BIG);
    assert_int_equal(sent.changed_ms, 77);
    assert_int_equal(sent.accepted_ms, 55);
    assert_int_equal(sent.tries, 3);
    assert_int_equal(sent.bytes, 4);
    assert_string_equal(sent.name, "");
}

static void message_that_never_ended_has_no_end(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "hello");
    assert_false(boxes_ended(&w->boxes, 10, &sent));
    assert_false(boxes_ended(&w->boxes, 11, &sent));
    assert_false(boxes_ended(&w->boxes, 0, &sent));
}

static void ends_are_remembered_in_a_ring(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    for (uint64_t id = 1; id <= RING + 5; id++) {
        put(w, (uint8_t)id, id, "x");
        end(w, id, MOTH_DELIVERED, 0);
        assert_true(boxes_ended(&w->boxes, id, &sent));
    }
    for (uint64_t id = 1; id <= 5; id++) assert_false(boxes_ended(&w->boxes, id, &sent));
    for (uint64_t id = 6; id <= RING + 5; id++) {
        assert_true(boxes_ended(&w->boxes, id, &sent));
        assert_int_equal(sent.id, id);
    }
}

static void late_receipt_makes_expired_delivered(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_EXPIRED, MOTH_EEXPIRED);
    assert_true(boxes_end_late(&w->boxes, 10, 99));
    assert_true(boxes_ended(&w->boxes, 10, &sent));
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(sent.reason, 0);
    assert_int_equal(sent.changed_ms, 99);
}

static void late_receipt_counts_once(void **state)
{
    struct world *w = *state;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_EXPIRED, MOTH_EEXPIRED);
    assert_true(boxes_end_late(&w->boxes, 10, 99));
    assert_false(boxes_end_late(&w->boxes, 10, 100));
}

/* Our copy could not be read any more, but a carrier's was. */
static void late_receipt_finds_what_was_lost(void **state)
{
    struct world *w = *state;
    struct moth_sent sent;
    put(w, 1, 10, "x");
    end(w, 10, MOTH_LOST, MOTH_EDAMAGED);
    assert_true(boxes_end_late(&w->boxes, 10, 99));
    assert_true(boxes_ended(&w->boxes, 10, &sent));
    assert_int_equal(sent.state, MOTH_DELIVERED);
    assert_int_equal(sent.reason, 0);
}

static void late_receipt_changes_no_other_end(void **state)
{
    static const enum moth_state ends[] = {MOTH_DELIVERED, MOTH_REFUSED, MOTH_CANCELLED};
    struct world *w = *state;
    struct moth_sent sent;
    for (unsigned i = 0; i < 3; i++) {
        put(w, 1, 10 + i, "x");
        end(w, 10 + i, ends[i], MOTH_EREFUSED);
        assert_false(boxes_end_late(&w->boxes, 10 + i, 99));
        assert_true(boxes_ended(&w->boxes, 10 + i, &sent));
        assert_int_equal(sent.state, ends[i]);
    }
}

static void late_receipt_for_an_unknown_message_counts_nothing(void **state)
{
    struct world *w = *state;
    assert_false(boxes_end_late(&w->boxes, 10, 99));
    put(w, 1, 10, "x");
    assert_false(boxes_end_late(&w->boxes, 10, 99)); /* on its way: not late at all */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(message_is_kept_as_it_was_given),
        TEST(message_may_be_empty),
        TEST(box_keeps_the_order_of_its_messages),
        TEST(message_leaves_its_box_from_any_place),
        TEST(box_goes_with_its_last_message),
        TEST(recipients_can_be_walked_while_their_boxes_go),
        TEST(next_to_send_is_the_first_not_in_flight),
        TEST(next_to_deposit_moves_on_when_it_goes),
        TEST(only_what_the_user_sends_counts_as_mail),
        TEST(boxes_close_with_mail_inside),
        TEST(memory_counts_only_the_bodies_that_are_there),
        TEST(message_without_its_body_takes_no_memory),
        TEST(handovers_of_one_source_stand_in_the_order_it_sent_them),
        TEST(handovers_of_other_sources_and_own_mail_stay_where_they_are),
        TEST(handovers_of_one_source_are_ordered_for_each_recipient_alone),
        TEST(handover_before_one_in_flight_is_the_next_to_send),
        TEST(handover_before_the_next_to_send_takes_its_turn),
        TEST(handover_when_all_are_in_flight_is_next_wherever_it_stands),
        TEST(handover_among_those_in_flight_does_not_hide_an_earlier_one_that_waits),
        TEST(next_to_send_that_goes_is_not_followed_by_one_in_flight),
        TEST(handover_is_found_by_source_and_inner_id),
        TEST(handover_is_not_taken_for_one_with_the_same_key),
        TEST(source_of_a_handover_is_held_and_its_bytes_counted),
        TEST(boxes_stay_right_whatever_comes_and_goes),
        TEST(carriers_who_answered_survive_as_bytes),
        TEST(nobody_asked_is_no_bytes),
        TEST(carriers_beyond_the_most_are_not_taken),
        TEST(half_a_carrier_is_none),
        TEST(end_of_a_message_can_be_asked_for),
        TEST(message_that_never_ended_has_no_end),
        TEST(ends_are_remembered_in_a_ring),
        TEST(late_receipt_makes_expired_delivered),
        TEST(late_receipt_counts_once),
        TEST(late_receipt_finds_what_was_lost),
        TEST(late_receipt_changes_no_other_end),
        TEST(late_receipt_for_an_unknown_message_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
