/* soak_ledger.h -- what the world outside knows of a soak (soak.h): every message, what was promised, what came.
 *
 * A promise is a STATE event between queued and delivered. A promised message must in the end be in the history of its
 * recipient, exactly once, and in that of its sender as delivered (unless its receipt was faster than the sender's own
 * disk); its handler gets it once, and again only when that is marked as redelivered. What was sent and never promised
 * may come or not, but never twice. Messages are numbered, and begin with their number. What breaks this is written
 * down as a fault, in words. */
#ifndef TESTS_SOAK_LEDGER_H
#define TESTS_SOAK_LEDGER_H

#include "base/id.h"
#include "base/mem.h"
#include "moth/node.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOAK_MACHINES 20
#define SOAK_BYTES_MAX 6000
#define SOAK_SAID_BYTES 2000

struct soak_message {
    unsigned from, to;
    uint64_t id;
    size_t bytes;
    bool accepted, promised, kept; /* kept: promised before it was delivered */
    enum moth_state state; /* last told */
    int reason;
    unsigned came, again;  /* again: marked as redelivered */
    unsigned rows, own_rows; /* in the histories of recipient and sender, at the end */
    bool is_set_aside;
};

struct soak_ledger {
    struct moth_id ids[SOAK_MACHINES]; /* by machine */
    unsigned machines;
    struct soak_message *list; /* owned */
    unsigned count, capacity;
    unsigned newest[SOAK_MACHINES][SOAK_MACHINES]; /* the highest number that came: to, from; 0: none */
    uint64_t discarded[MOTH_ERROR_COUNT];
    unsigned overtaken;        /* came after a later one of the same sender */
    unsigned faults, lost, twice;
    char said[SOAK_SAID_BYTES]; /* the first faults, a line each */
};

__attribute__((format(printf, 2, 3))) static inline void soak_fault(struct soak_ledger *l, const char *format, ...)
{
    size_t used = strlen(l->said);
    va_list arguments;
    l->faults++;
    if (SOAK_SAID_BYTES - used < 200) return;
    used += (size_t)snprintf(l->said + used, SOAK_SAID_BYTES - used, "  ");
    va_start(arguments, format);
    vsnprintf(l->said + used, SOAK_SAID_BYTES - used - 1, format, arguments);
    va_end(arguments);
    strcat(l->said, "\n");
}

/* --- sending --- */

/* A new message, numbered from 1; `text` gets what it says, SOAK_BYTES_MAX at most. */
static inline unsigned soak_ledger_new(struct soak_ledger *l, unsigned from, unsigned to, size_t bytes, char *text)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 256;
        l->list = mem_resize(l->list, l->capacity, sizeof *l->list);
    }
    l->list[l->count++] = (struct soak_message){.from = from, .to = to, .bytes = bytes};
    memset(text, '.', bytes);
    int digits = snprintf(text, 12, "%u", l->count);
    text[digits] = '.';
    return l->count;
}

static inline struct soak_message *soak_ledger_message(struct soak_ledger *l, unsigned number)
{
    return number >= 1 && number <= l->count ? &l->list[number - 1] : NULL;
}

static inline void soak_ledger_accepted(struct soak_ledger *l, unsigned number, uint64_t id)
{
    struct soak_message *m = soak_ledger_message(l, number);
    for (unsigned i = 0; i + 1 < number; i++)
        if (l->list[i].accepted && l->list[i].from == m->from && l->list[i].id == id)
            soak_fault(l, "n%u gave id %llu to both %u and %u", m->from, (unsigned long long)id, i + 1, number);
    m->accepted = true;
    m->id = id;
}

static inline void soak_ledger_free(struct soak_ledger *l)
{
    free(l->list);
}

/* --- what is heard --- */

static inline void soak_on_state(struct soak_ledger *l, unsigned machine, const struct moth_sent *sent)
{
    for (unsigned number = l->count; number > 0; number--) {
        struct soak_message *m = soak_ledger_message(l, number);
        if (!m->accepted || m->from != machine || m->id != sent->id) continue;
        m->state = sent->state;
        m->reason = sent->reason;
        m->promised |= sent->state >= MOTH_QUEUED && sent->state <= MOTH_DELIVERED;
        m->kept |= sent->state >= MOTH_QUEUED && sent->state < MOTH_DELIVERED;
        if (sent->state > MOTH_DELIVERED && m->promised)
            soak_fault(l, "%u from n%u to n%u, promised, is %s: %s", number, m->from, m->to,
                       moth_state_name(sent->state), moth_error_text(sent->reason));
        return;
    }
    soak_fault(l, "n%u tells the state of a message it never had", machine);
}

/* Which message that is; 0 and a fault: none that was ever sent to `machine`. */
static inline unsigned soak_recognize(struct soak_ledger *l, unsigned machine, const struct moth_id *from, uint64_t id,
                                      struct slice data)
{
    char text[12] = "";
    memcpy(text, data.data, data.bytes < sizeof text - 1 ? data.bytes : sizeof text - 1);
    unsigned number = (unsigned)strtoul(text, NULL, 10);
    const struct soak_message *m = soak_ledger_message(l, number);
    if (m && m->accepted && m->to == machine && m->id == id && m->bytes == data.bytes &&
        id_equal(&l->ids[m->from], from))
        return number;
    soak_fault(l, "n%u got something that was never sent to it: '%s'", machine, text);
    return 0;
}

static inline void soak_on_message(struct soak_ledger *l, unsigned machine, const struct moth_message *message)
{
    struct slice data = slice_of(message->data, message->bytes);
    unsigned number = soak_recognize(l, machine, &message->from, message->id, data);
    struct soak_message *m = soak_ledger_message(l, number);
    if (!m) return;
    unsigned *newest = &l->newest[machine][m->from];
    if (message->redelivered) {
        m->again++;
        return;
    }
    if (++m->came > 1) {
        l->twice++;
        soak_fault(l, "%u from n%u came to n%u %u times", number, m->from, machine, m->came);
    }
    l->overtaken += number < *newest;
    if (number > *newest) *newest = number;
}

/* Chance tears the disk as a drive may; a database that is damaged by it has broken every promise it held. */
static inline void soak_on_note(struct soak_ledger *l, unsigned machine, const char *text)
{
    if (strstr(text, "damaged") || strstr(text, "runs with this node's key")) soak_fault(l, "n%u: %s", machine, text);
}

/* --- reading the histories --- */

struct soak_reading {
    struct soak_ledger *ledger;
    unsigned machine;
};

static inline void soak_read_own(struct soak_ledger *l, unsigned machine, const struct moth_entry *e)
{
    for (unsigned number = 1; number <= l->count; number++) {
        struct soak_message *m = soak_ledger_message(l, number);
        if (!m->accepted || m->from != machine || m->id != e->id) continue;
        m->own_rows++;
        if (e->state != MOTH_DELIVERED)
            soak_fault(l, "%u in the history of n%u is %s: %s", number, machine, moth_state_name(e->state),
                       moth_error_text(e->reason));
        return;
    }
    soak_fault(l, "n%u has a message in its history that it never sent", machine);
}

static inline void soak_read_entry(void *context, const struct moth_entry *e)
{
    struct soak_reading *r = context;
    struct soak_ledger *l = r->ledger;
    if (e->is_ours) {
        soak_read_own(l, r->machine, e);
        return;
    }
    struct soak_message *m = soak_ledger_message(l, soak_recognize(l, r->machine, &e->peer, e->id,
                                                                   slice_of(e->data, e->bytes)));
    if (!m) return;
    m->rows++;
    m->is_set_aside |= e->is_set_aside;
}

static inline void soak_ledger_read(struct soak_ledger *l, unsigned machine, const struct moth_node *node)
{
    struct soak_reading r = {.ledger = l, .machine = machine};
    int rc = moth_history(node, NULL, SIZE_MAX, soak_read_entry, &r);
    if (rc < 0) soak_fault(l, "the history of n%u cannot be read: %s", machine, moth_error_text(rc));
}

/* --- the judgement, once all histories were read --- */

static inline void soak_judge_promised(struct soak_ledger *l, unsigned number, const struct soak_message *m)
{
    if (m->rows == 0) {
        l->lost++;
        soak_fault(l, "%u from n%u to n%u, promised, is lost (told last: %s, %s; came %u times)", number, m->from,
                   m->to, moth_state_name(m->state), moth_error_text(m->reason), m->came + m->again);
    } else if (m->came + m->again == 0 && !m->is_set_aside) {
        l->lost++;
        soak_fault(l, "%u from n%u is in the history of n%u, but no handler got it", number, m->from, m->to);
    }
    if (m->own_rows > 1 || (m->kept && m->own_rows == 0))
        soak_fault(l, "%u, promised by n%u, is %u times in its history", number, m->from, m->own_rows);
}

static inline void soak_ledger_judge(struct soak_ledger *l)
{
    for (unsigned number = 1; number <= l->count; number++) {
        const struct soak_message *m = soak_ledger_message(l, number);
        if (m->promised) soak_judge_promised(l, number, m);
        if (m->rows <= 1) continue;
        l->twice++;
        soak_fault(l, "%u from n%u is %u times in the history of n%u", number, m->from, m->rows, m->to);
    }
}

/* Whatever the weather, nobody lies, forgets an id or lets a message expire in an hour. */
static inline void soak_ledger_judge_discards(struct soak_ledger *l)
{
    static const int impossible[] = {MOTH_EMALFORMED, MOTH_EFORGED, MOTH_EWRONG_NETWORK, MOTH_EWRONG_IDENTITY,
                                     MOTH_ECLONED, MOTH_EVERSION, MOTH_ETOO_BIG, MOTH_ETOO_OLD, MOTH_EUNKNOWN_PEER,
                                     MOTH_EEXPIRED, MOTH_ERETRIES, MOTH_ECANCELLED, MOTH_ELOST, MOTH_EARGUMENT,
                                     MOTH_EUNKNOWN_KIND, MOTH_EMISDIRECTED, MOTH_EUNWANTED, MOTH_ENEWER,
                                     MOTH_EDAMAGED};
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
        if (l->discarded[-impossible[i]] > 0)
            soak_fault(l, "%llu discarded: %s", (unsigned long long)l->discarded[-impossible[i]],
                       moth_error_text(impossible[i]));
}

static inline unsigned soak_ledger_promised(const struct soak_ledger *l)
{
    unsigned count = 0;
    for (unsigned i = 0; i < l->count; i++) count += l->list[i].promised;
    return count;
}

static inline unsigned soak_ledger_again(const struct soak_ledger *l)
{
    unsigned count = 0;
    for (unsigned i = 0; i < l->count; i++) count += l->list[i].again;
    return count;
}

#endif
