/* bench_script.c -- what scripts cost: a handler at each light message, requests, the guard, durable echoes, reloads.
 *
 * In one process: two nodes on the imaginary wire of node/lab.h, so that each message is made, sealed, opened, given to
 * `node:hear` of a script and counted there, all by one thread, whose processor time is the measure; beside it the same
 * with a callback in C that counts (the floor), and the same with a script that no guard watches, by turns, as machines
 * grow slower and faster. Over a link: two processes, by the clock on the wall, messages again beside a callback in C,
 * then requests of a script to a script, 64 at a time and one after the other, and durable messages that a script sends
 * back, until each has come and is known to be delivered. Each figure is the median of its rounds. */
#include "measure.h"
#include "scripted.h"
#include "talk.h"

#include "moth.h"
#include "node/hub.h"
#include "node/lab.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 7u
#define LAB_ROUNDS 15u
#define LAB_MESSAGES 20480u
#define LAB_BATCH 256u
#define LAB_BATCH_US 5000u
#define LAB_SETTLE_US 3000000u
#define LINK_MESSAGES 131072u
#define LIGHT_WINDOW 4096u
#define ECHOES 8192u
#define ECHO_WINDOW 1024u
#define RELOADS 200u
#define STUCK_NS 10000000000u
#define POLL_US 1000

/* --- in one process --- */

enum { LISTENER, CALLER, MACHINES };

struct room {
    struct lab *lab;
    struct scripted *scripted; /* NULL: a callback in C */
    bool is_unguarded;
    uint64_t heard, acked;
};

static void on_lab_event(void *owner, unsigned machine, const struct moth_event *event)
{
    struct room *r = owner;
    uint64_t acked = machine == CALLER ? talk_ack(event) : 0;
    if (acked > 0) r->acked = acked;
    if (machine != LISTENER) return;
    if (r->scripted) scripted_event(r->scripted, event);
    else talk_hear(lab_node(r->lab, LISTENER), event, &r->heard);
}

static void run_room(struct room *r, uint64_t us)
{
    lab_run(r->lab, us);
    if (!r->scripted) return;
    scripted_tick(r->scripted);
    lab_turn(r->lab, LISTENER);
}

static void on_print(void *owner, const char *text)
{
    (void)owner;
    measure_give_up("a script says \"%s\"", text);
}

static void open_room(struct room *r, const char *script, bool is_unguarded)
{
    *r = (struct room){.lab = lab_new(1, MACHINES), .is_unguarded = is_unguarded};
    lab_on_event(r->lab, on_lab_event, r);
    lab_start(r->lab, LISTENER, "listener", NULL);
    lab_start(r->lab, CALLER, "caller", NULL);
    struct moth_node *node = lab_node(r->lab, LISTENER);
    struct scripted_setup setup = {.host = node->host, .transport = node->transport, .node = node, .script = script,
                                   .is_unguarded = is_unguarded, .on_print = on_print};
    if (script) r->scripted = scripted_open(&setup);
    lab_connect(r->lab, CALLER, LISTENER);
    for (unsigned i = 0; i < 10; i++) run_room(r, LAB_SETTLE_US / 10);
}

static void close_room(struct room *r)
{
    lab_on_event(r->lab, NULL, NULL);
    if (r->scripted) scripted_close(r->scripted);
    lab_free(r->lab);
}

static void send_batch(struct room *r)
{
    const struct moth_payload payload = {.encoding = MOTH_TEXT, .data = talk_text, .bytes = TALK_BYTES};
    for (unsigned i = 0; i < LAB_BATCH; i++) {
        int rc = moth_emit(lab_node(r->lab, CALLER), moth_node_id(lab_node(r->lab, LISTENER)), &payload);
        if (rc < 0) measure_give_up("a message cannot be sent: %s", moth_error_text(rc));
    }
    lab_turn(r->lab, CALLER);
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The guard's timer goes on where nobody is guarded, but its signals do not arrive. */
static void hold_signals(bool on)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(on ? SIG_BLOCK : SIG_UNBLOCK, &all, NULL);
}

/* Nanoseconds a message. */
static double hear_ns(struct room *r)
{
    uint64_t goal = r->acked + LAB_MESSAGES, since_ns = cpu_ns();
    hold_signals(!r->scripted || r->is_unguarded);
    for (unsigned sent = 0; sent < LAB_MESSAGES; sent += LAB_BATCH) {
        send_batch(r);
        run_room(r, LAB_BATCH_US);
    }
    double took_ns = (double)(cpu_ns() - since_ns);
    hold_signals(false);
    run_room(r, LAB_SETTLE_US);
    if (r->acked != goal) measure_give_up("of %" PRIu64 " messages %" PRIu64 " were heard", goal, r->acked);
    return took_ns / LAB_MESSAGES;
}

static void measure_hearing(void)
{
    struct room scripted, bare, floor;
    double ns[LAB_ROUNDS], bare_ns[LAB_ROUNDS], floor_ns[LAB_ROUNDS], ratios[LAB_ROUNDS];
    open_room(&scripted, "hear", false);
    open_room(&bare, "hear", true);
    open_room(&floor, NULL, false);
    for (unsigned i = 0; i < LAB_ROUNDS; i++) {
        ns[i] = hear_ns(&scripted);
        bare_ns[i] = hear_ns(&bare);
        floor_ns[i] = hear_ns(&floor);
        ratios[i] = ns[i] / bare_ns[i];
    }
    double median_ns = measure_median(ns, LAB_ROUNDS);
    printf("script_heard_per_s %.0f %.0f\n", 1e9 / median_ns, 1e9 / measure_median(floor_ns, LAB_ROUNDS));
    printf("script_guard_ns %.0f %.0f %.3f\n", median_ns, measure_median(bare_ns, LAB_ROUNDS),
           measure_median(ratios, LAB_ROUNDS));
    close_room(&scripted);
    close_room(&bare);
    close_room(&floor);
}

static double reload_rate(struct room *r)
{
    unsigned goal = scripted_reloads(r->scripted) + RELOADS;
    uint64_t since_ns = cpu_ns();
    scripted_reload(r->scripted, RELOADS);
    for (unsigned i = 0; scripted_reloads(r->scripted) < goal; i++) {
        if (i > 100 * RELOADS) measure_give_up("a reload does not end");
        run_room(r, 1);
    }
    return RELOADS * 1e9 / (double)(cpu_ns() - since_ns);
}

static void measure_reloading(void)
{
    struct room r;
    double rates[ROUNDS];
    open_room(&r, "echo", false);
    for (unsigned i = 0; i < ROUNDS; i++) rates[i] = reload_rate(&r);
    printf("script_reloads_per_s %.0f\n", measure_median(rates, ROUNDS));
    close_room(&r);
}

/* --- over a link --- */

struct road {
    struct talk *talk;
    pid_t listener, caller;
};

static void wait_for(const struct talk *t, bool (*holds)(const struct talk *t), const char *what)
{
    uint64_t last = 0, since_ns = measure_now_ns();
    for (; !holds(t); measure_sleep_us(POLL_US)) {
        uint64_t now = t->answered + t->delivered + t->alone.count + t->at_once.count;
        if (now != last) since_ns = measure_now_ns();
        last = now;
        if (measure_now_ns() - since_ns > STUCK_NS) measure_give_up("%s: stands still at %" PRIu64, what, now);
    }
}

static bool is_listening(const struct talk *t)
{
    return t->port != 0;
}

static bool is_linked(const struct talk *t)
{
    return t->is_reachable;
}

static bool is_answered(const struct talk *t)
{
    return t->answered >= t->goal && (!t->is_durable || t->delivered >= t->goal);
}

static bool has_samples(const struct talk *t)
{
    return t->at_once.count >= ROUNDS && t->alone.count >= ROUNDS;
}

static struct road open_road(const char *listener, const char *caller)
{
    struct road r = {.talk = measure_shared(sizeof *r.talk)};
    struct talk *t = r.talk;
    snprintf(t->listener_home, sizeof t->listener_home, "%s", measure_new_home());
    snprintf(t->caller_home, sizeof t->caller_home, "%s", measure_new_home());
    t->listener_script = listener;
    t->caller_script = caller;
    r.listener = measure_fork(talk_listener, t);
    wait_for(t, is_listening, "the listener");
    r.caller = measure_fork(talk_caller, t);
    wait_for(t, is_linked, "the link");
    return r;
}

static void close_road(struct road *r)
{
    measure_end_child(r->caller);
    measure_end_child(r->listener);
}

/* Messages a second. The sender is at rest. */
static double send_rate(struct talk *t, uint64_t count)
{
    t->begun_ns = 0;
    t->goal += count;
    wait_for(t, is_answered, "answers");
    return (double)count * 1e9 / (double)(t->ended_ns - t->begun_ns);
}

static void measure_link(void)
{
    double rates[ROUNDS], floors[ROUNDS];
    struct road scripted = open_road("hear", NULL), bare = open_road(NULL, NULL);
    scripted.talk->window = bare.talk->window = LIGHT_WINDOW;
    for (unsigned i = 0; i < ROUNDS; i++) {
        rates[i] = send_rate(scripted.talk, LINK_MESSAGES);
        floors[i] = send_rate(bare.talk, LINK_MESSAGES);
    }
    printf("script_link_heard_per_s %.0f %.0f\n", measure_median(rates, ROUNDS), measure_median(floors, ROUNDS));
    close_road(&scripted);
    close_road(&bare);
}

static void measure_requests(void)
{
    struct road r = open_road("serve", "request");
    wait_for(r.talk, has_samples, "requests");
    printf("script_requests_per_s %.0f\n", measure_median(r.talk->at_once.values, ROUNDS));
    printf("script_request_us %.1f\n", 1e6 / measure_median(r.talk->alone.values, ROUNDS));
    close_road(&r);
}

static void measure_echoes(void)
{
    double rates[ROUNDS];
    struct road r = open_road("echo", NULL);
    r.talk->is_durable = true;
    r.talk->window = ECHO_WINDOW;
    for (unsigned i = 0; i < ROUNDS; i++) rates[i] = send_rate(r.talk, ECHOES);
    printf("script_echoes_per_s %.0f\n", measure_median(rates, ROUNDS));
    close_road(&r);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    measure_hearing();
    measure_reloading();
    measure_link();
    measure_requests();
    measure_echoes();
    return 0;
}
