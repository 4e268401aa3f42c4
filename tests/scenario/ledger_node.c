/* ledger_node.c -- the life of an actor of ledger_node.h.
 *
 * It may end at any instruction, so whatever the parent must know leaves the process the moment it is true: a line of
 * the ledger is one write, made before the event's handler returns. */
#include "ledger_node.h"

#include "patience.h"

#include "moth.h"

#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 400
#define UNPROMISED_MAX 64
#define SEND_EVERY_US 1000
#define LOOK_EVERY_US 20000 /* for another mood */
#define DIAL_EVERY_US 200000
#define LEAVE_MS 5000
#define NUMBERS_PER_LIFE 1000000u

const char *const ledger_names[LEDGER_ACTORS] = {"r", "e1", "e2", "s1", "s2"};

struct life {
    const struct ledger_role *role;
    struct moth_loop *loop;
    struct moth_node *node;
    uint64_t unpromised[UNPROMISED_MAX]; /* ids sent in this life that wait for their promise */
    size_t unpromised_count;
    unsigned number; /* of the last message */
    uint64_t send_at_us, dial_at_us;
    char relay[32]; /* its address; "": this is the relay */
    bool is_leaving;
    int64_t leave_until_ms;
};

/* --- the ledger --- */

static const char *own_name(const struct life *l)
{
    return ledger_names[l->role->actor];
}

/* A promise nobody wrote down is none: without the ledger there is no point in going on. */
__attribute__((format(printf, 2, 3))) static void write_line(const struct life *l, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list values;
    va_start(values, format);
    int n = vsnprintf(line, sizeof line - 1, format, values);
    va_end(values);
    size_t bytes = n < (int)sizeof line - 1 ? (size_t)n : sizeof line - 2;
    line[bytes++] = '\n';
    if (write(l->role->ledger, line, bytes) != (ssize_t)bytes) _exit(3);
}

static _Noreturn void give_up(const struct life *l, const char *what, int rc)
{
    write_line(l, "noted %s cannot go on: %s: %s", own_name(l), what, moth_error_text(rc));
    _exit(2);
}

static const char *name_of(const struct life *l, const struct moth_id *id)
{
    for (int i = 0; i < LEDGER_ACTORS; i++)
        if (l->role->shared->actors[i].is_known && memcmp(&l->role->shared->actors[i].id, id, sizeof *id) == 0)
            return ledger_names[i];
    return "stranger";
}

/* --- what happens --- */

static void forget_unpromised(struct life *l, uint64_t id)
{
    for (size_t i = 0; i < l->unpromised_count; i++)
        if (l->unpromised[i] == id) l->unpromised[i--] = l->unpromised[--l->unpromised_count];
}

/* Also tells of messages of earlier lives: their promise may have been the last thing before the kill. */
static void on_state(struct life *l, const struct moth_sent *sent)
{
    bool is_kept = sent->state >= MOTH_QUEUED && sent->state <= MOTH_DELIVERED;
    if (sent->state == MOTH_PENDING) return;
    if (is_kept)
        write_line(l, "promised %s %" PRIu64 " %s %s", own_name(l), sent->id, name_of(l, &sent->to),
                   moth_state_name(sent->state));
    else
        write_line(l, "noted %s %" PRIu64 " is %s: %s", own_name(l), sent->id, moth_state_name(sent->state),
                   moth_error_text(sent->reason));
    forget_unpromised(l, sent->id);
}

static void on_message(const struct life *l, const struct moth_message *m)
{
    write_line(l, "got %s %s %" PRIu64 " %d %.*s", own_name(l), name_of(l, &m->from), m->id, m->redelivered,
               (int)m->bytes, (const char *)m->data);
}

static void on_event(void *owner, const struct moth_event *event)
{
    struct life *l = owner;
    if (event->kind == MOTH_EVENT_STATE) on_state(l, event->sent);
    if (event->kind == MOTH_EVENT_MESSAGE) on_message(l, event->message);
    if (event->kind == MOTH_EVENT_NOTE) write_line(l, "noted %s %s", own_name(l), event->text);
}

static void on_log(void *owner, enum moth_log_level level, const char *text)
{
    const struct life *l = owner;
    if (level >= MOTH_LOG_WARN) write_line(l, "noted %s %s", own_name(l), text);
}

/* --- sending --- */

static bool is_sender(const struct life *l)
{
    return l->role->actor == LEDGER_S1 || l->role->actor == LEDGER_S2;
}

static void send_one(struct life *l)
{
    enum ledger_actor to = l->number % 2 ? LEDGER_E1 : LEDGER_E2;
    char text[16];
    uint64_t id;
    if (!l->role->shared->actors[to].is_known || l->unpromised_count == UNPROMISED_MAX) return;
    int bytes = snprintf(text, sizeof text, "%u", l->role->life * NUMBERS_PER_LIFE + l->number + 1);
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = (size_t)bytes};
    if (moth_send(l->node, &l->role->shared->actors[to].id, &payload, NULL, &id) < 0) return;
    write_line(l, "sent %s %" PRIu64 " %s %s", own_name(l), id, ledger_names[to], text);
    l->unpromised[l->unpromised_count++] = id;
    l->number++;
}

static uint64_t now_us(const struct life *l)
{
    const struct moth_host *host = moth_loop_host(l->loop);
    return host->now_us(host->context);
}

static void send_due(struct life *l)
{
    if (now_us(l) < l->send_at_us) return;
    l->send_at_us = now_us(l) + SEND_EVERY_US;
    send_one(l);
}

/* --- a life --- */

/* Backoff would leave the lines unused most of the time; asking anew dials at once. */
static void insist(struct life *l)
{
    struct moth_wanted wanted;
    if (l->relay[0] == '\0' || now_us(l) < l->dial_at_us) return;
    l->dial_at_us = now_us(l) + DIAL_EVERY_US;
    if (moth_wanted(l->node, &wanted, 1) == 1 && wanted.linked) return;
    int rc = moth_connect(l->node, l->relay);
    if (rc < 0) give_up(l, l->relay, rc);
}

static void leave(struct life *l)
{
    if (!l->is_leaving) {
        l->is_leaving = true;
        l->leave_until_ms = patience_deadline(LEAVE_MS);
        moth_node_leave(l->node);
    }
    if (moth_node_is_quiet(l->node) || patience_now_ms() >= l->leave_until_ms) moth_loop_stop(l->loop);
}

static void follow_mood(struct life *l)
{
    int mood = l->role->shared->actors[l->role->actor].mood;
    if (mood == LEDGER_SENDING && is_sender(l)) send_due(l);
    if (mood == LEDGER_RESTING) l->role->shared->actors[l->role->actor].is_resting = l->unpromised_count == 0;
    if (mood == LEDGER_LEAVING) leave(l);
    else insist(l);
}

static uint64_t on_turn(void *owner)
{
    struct life *l = owner;
    follow_mood(l);
    uint64_t next_us = moth_node_tick(l->node);
    uint64_t look_us = now_us(l) + (is_sender(l) ? SEND_EVERY_US : LOOK_EVERY_US);
    return next_us < look_us ? next_us : look_us;
}

/* What the test program inherited to its child would make it another kind of process than a program that was started:
 * cmocka's handlers survive crashes, and all lives would draw the same numbers in SQLite. */
static void start_fresh(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGABRT, SIGPIPE};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) signal(deadly[i], SIG_DFL);
    sqlite3_randomness(0, NULL);
}

static void open_node(struct life *l)
{
    char address[32];
    const struct ledger_role *role = l->role;
    struct moth_config config = {.name = own_name(l), .listen = role->listen_port ? address : NULL};
    snprintf(address, sizeof address, "127.0.0.1:%u", role->listen_port);
    int rc = moth_loop_open(role->home, &l->loop);
    if (rc < 0) give_up(l, role->home, rc);
    moth_loop_on_log(l->loop, on_log, l);
    rc = moth_node_open(&config, moth_loop_host(l->loop), moth_loop_transport(l->loop), on_event, l, &l->node);
    if (rc < 0) give_up(l, "node", rc);
    role->shared->actors[role->actor].id = *moth_node_id(l->node);
    role->shared->actors[role->actor].is_known = true;
    if (role->dial_port > 0) snprintf(l->relay, sizeof l->relay, "127.0.0.1:%u", role->dial_port);
}

_Noreturn void ledger_live(const struct ledger_role *role)
{
    struct life l = {.role = role};
    start_fresh();
    open_node(&l);
    moth_loop_run(l.loop, on_turn, &l);
    moth_node_close(l.node);
    int rc = moth_loop_close(l.loop);
    if (rc < 0) give_up(&l, "closing", rc);
    _exit(0);
}
