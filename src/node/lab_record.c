/* lab_record.c -- see lab_record.h. */
#include "node/lab_record.h"

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>

#define ENTRIES 8192u
#define TEXT_BYTES 96
#define TOLD_BYTES 40 /* of a message, in a line */

struct entry {
    uint64_t at_us, id;
    uint32_t machine, hops;
    int kind, reason; /* a kind, or NOTE of the experimenter */
    enum moth_state state;
    struct moth_id peer, via;
    char text[TEXT_BYTES];
};

#define EXPERIMENTER (-1)

struct name {
    struct moth_id id;
    char text[MOTH_NAME_MAX + 1];
};

struct record {
    struct lab *lab; /* borrowed */
    struct entry *entries;
    uint64_t count;           /* that there ever were; the newest lie in a ring */
    struct name *names;       /* by machine */
    struct id_map machines;   /* the name, by id */
    struct id_map deliveries; /* how often a message was given, by source and id */
    uint32_t *took_ms;        /* in no order */
    size_t took_count, took_capacity;
    bool is_sorted;
    uint32_t *distances;
    unsigned used;            /* machines that had a node */
    struct record_figures figures;
    FILE *trace;
};

struct record *record_new(struct lab *lab)
{
    struct record *r = mem_new(sizeof *r);
    *r = (struct record){.lab = lab};
    r->entries = mem_array(ENTRIES, sizeof *r->entries);
    r->names = mem_array(lab_count(lab), sizeof *r->names);
    r->distances = mem_array(lab_count(lab), sizeof *r->distances);
    id_map_init(&r->machines, 1);
    id_map_init(&r->deliveries, 2);
    r->figures.changed_us = r->figures.routed_us = r->figures.disturbed_us = lab_now_us(lab);
    return r;
}

void record_free(struct record *r)
{
    if (!r) return;
    id_map_fini(&r->machines);
    id_map_fini(&r->deliveries);
    free(r->took_ms);
    free(r->distances);
    free(r->names);
    free(r->entries);
    free(r);
}

void record_name(struct record *r, unsigned machine)
{
    const struct moth_node *node = lab_node(r->lab, machine);
    struct name *name = &r->names[machine];
    name->id = *moth_node_id(node);
    snprintf(name->text, sizeof name->text, "%s", moth_node_name(node));
    id_map_put(&r->machines, &name->id, name);
    if (machine >= r->used) r->used = machine + 1;
}

const char *record_name_of(const struct record *r, unsigned machine, struct moth_id *id)
{
    const struct name *name = &r->names[machine];
    *id = name->id;
    return name->text[0] ? name->text : NULL;
}

/* --- figures --- */

static void count_delivery(struct record *r, const struct moth_message *m)
{
    struct moth_id key = id_with(&m->from, m->id);
    uintptr_t times = (uintptr_t)id_map_find(&r->deliveries, &key) + 1;
    if (!m->durable || m->redelivered) return;
    id_map_put(&r->deliveries, &key, (void *)times);
    if (times > r->figures.most_deliveries) r->figures.most_deliveries = times;
}

static unsigned machine_of(const struct record *r, const struct moth_id *id)
{
    const struct name *name = id_map_find(&r->machines, id);
    return name ? (unsigned)(name - r->names) : RECORD_ALL;
}

/* By the clock of whoever sent it, which may be wrong by what the lab knows. */
static void measure_time(struct record *r, unsigned from, const struct moth_message *m)
{
    int64_t sent_ms = (int64_t)m->sent_ms - (int64_t)LAB_CALENDAR_MS - lab_clock_of(r->lab, from);
    int64_t took_ms = (int64_t)(lab_now_us(r->lab) / 1000) - sent_ms;
    if (r->took_count == r->took_capacity) {
        r->took_capacity = r->took_capacity ? r->took_capacity * 2 : 256;
        r->took_ms = mem_resize(r->took_ms, r->took_capacity, sizeof *r->took_ms);
    }
    r->took_ms[r->took_count++] = took_ms < 0 ? 0 : took_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)took_ms;
    r->is_sorted = false;
}

/* Nothing is farther than the shortest way when the message was sent; what changed meanwhile may shorten it. */
static void measure_way(struct record *r, unsigned from, unsigned to, const struct moth_message *m)
{
    uint32_t shortest = 1;
    if (m->hops > 1) {
        lab_distances(r->lab, to, r->used, r->distances);
        shortest = r->distances[from];
    }
    if (m->hops == 0 || shortest == LAB_NO_WAY || shortest > m->hops) return;
    r->figures.hops += m->hops;
    r->figures.shortest += shortest;
}

static void measure_message(struct record *r, unsigned machine, const struct moth_message *m)
{
    unsigned from = machine_of(r, &m->from);
    r->figures.received++;
    count_delivery(r, m);
    if (from == RECORD_ALL || m->redelivered) return;
    measure_time(r, from, m);
    measure_way(r, from, machine, m);
}

struct record_figures record_figures(const struct record *r)
{
    return r->figures;
}

static int by_value(const void *a, const void *b)
{
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

uint64_t record_quantile_ms(struct record *r, unsigned per_mille)
{
    if (r->took_count == 0) return 0;
    if (!r->is_sorted) qsort(r->took_ms, r->took_count, sizeof *r->took_ms, by_value);
    r->is_sorted = true;
    size_t rank = (r->took_count * per_mille + 999) / 1000;
    return r->took_ms[rank ? rank - 1 : 0];
}

void record_disturbed(struct record *r)
{
    r->figures.disturbed_us = r->figures.changed_us = lab_now_us(r->lab);
}

void record_changed(struct record *r)
{
    r->figures.changed_us = lab_now_us(r->lab);
}

/* --- the trace --- */

void record_to(struct record *r, FILE *file)
{
    r->trace = file;
}

static void trace(struct record *r, struct record_trace entry)
{
    if (r->trace) fwrite(&entry, sizeof entry, 1, r->trace);
}

static uint64_t hash_of(const void *data, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const uint8_t *at = data, *end = at + bytes; at < end; at++) hash = (hash ^ *at) * 0x100000001b3u;
    return hash;
}

void record_delivery(struct record *r, uint64_t at_us, unsigned from, unsigned to, uint64_t bytes, uint64_t hash)
{
    trace(r, (struct record_trace){.at_us = at_us, .hash = hash, .machine = from, .other = to,
                                   .kind = RECORD_ALL, .bytes = (uint32_t)bytes});
}

static void trace_event(struct record *r, const struct entry *e, const struct moth_event *event)
{
    const struct moth_message *m = event->message;
    uint64_t hash = e->id ^ get_uint(e->peer.bytes, 8) ^ ((uint64_t)(unsigned)e->state << 32) ^ e->hops;
    if (m) hash ^= hash_of(m->data, m->bytes);
    trace(r, (struct record_trace){.at_us = e->at_us, .hash = hash, .machine = e->machine, .other = RECORD_ALL,
                                   .kind = (uint32_t)e->kind, .bytes = m ? (uint32_t)m->bytes : 0});
}

/* --- events --- */

static struct entry *next_entry(struct record *r, uint32_t machine, int kind)
{
    struct entry *e = &r->entries[r->count++ % ENTRIES];
    *e = (struct entry){.at_us = lab_now_us(r->lab), .machine = machine, .kind = kind};
    return e;
}

static void note_change(struct record *r, enum moth_event_kind kind)
{
    uint64_t now_us = lab_now_us(r->lab);
    switch (kind) {
    case MOTH_EVENT_PEER_UP:
    case MOTH_EVENT_PEER_DOWN:
    case MOTH_EVENT_ROUTE: r->figures.routed_us = r->figures.changed_us = now_us; break;
    case MOTH_EVENT_LINK_UP:
    case MOTH_EVENT_LINK_DOWN:
    case MOTH_EVENT_STATE:
    case MOTH_EVENT_MESSAGE:
    case MOTH_EVENT_REQUEST:
    case MOTH_EVENT_REPLY: r->figures.changed_us = now_us; break;
    case MOTH_EVENT_DIAL:
    case MOTH_EVENT_NOTE: break;
    }
}

static void keep_text(struct entry *e, const struct moth_event *event)
{
    const struct moth_message *m = event->message;
    if (m && m->encoding != MOTH_BYTES) {
        text_safe(slice_of(m->data, m->bytes < TOLD_BYTES ? m->bytes : TOLD_BYTES), e->text, sizeof e->text);
        return;
    }
    const char *text = event->kind == MOTH_EVENT_DIAL ? event->address : event->text;
    snprintf(e->text, sizeof e->text, "%s", text ? text : "");
}

/* A route that comes or goes is told as a peer that does. */
static bool was_just_told(const struct record *r, unsigned machine, const struct moth_id *peer)
{
    const struct entry *last = &r->entries[(r->count + ENTRIES - 1) % ENTRIES];
    bool is_peer = last->kind == MOTH_EVENT_PEER_UP || last->kind == MOTH_EVENT_PEER_DOWN;
    bool is_now = r->count > 0 && last->at_us == lab_now_us(r->lab);
    return is_now && is_peer && last->machine == machine && id_equal(&last->peer, peer);
}

void record_event(struct record *r, unsigned machine, const struct moth_event *event)
{
    const struct moth_message *m = event->message;
    bool is_told = event->kind == MOTH_EVENT_ROUTE && was_just_told(r, machine, &event->peer);
    struct entry unused = {.at_us = lab_now_us(r->lab), .machine = machine, .kind = (int)event->kind};
    struct entry *e = is_told ? &unused : next_entry(r, machine, (int)event->kind);
    r->figures.events++;
    e->peer = m ? m->from : event->sent ? event->sent->to : event->peer;
    e->via = event->via;
    e->hops = m ? m->hops : event->hops;
    e->reason = event->sent ? event->sent->reason : event->reason;
    e->id = m ? m->id : event->sent ? event->sent->id : 0;
    if (event->sent) e->state = event->sent->state;
    keep_text(e, event);
    note_change(r, event->kind);
    if (event->kind == MOTH_EVENT_MESSAGE) measure_message(r, machine, m);
    trace_event(r, e, event);
}

void record_log(struct record *r, const char *text)
{
    struct entry *e = next_entry(r, RECORD_ALL, EXPERIMENTER);
    snprintf(e->text, sizeof e->text, "%s", text);
}

void record_note(struct record *r, const char *text)
{
    record_log(r, text);
    trace(r, (struct record_trace){.at_us = lab_now_us(r->lab), .hash = hash_of(text, strlen(text)),
                                   .machine = RECORD_ALL, .other = RECORD_ALL});
}

/* --- lines --- */

const char *record_kind_name(uint32_t kind)
{
    if (kind == RECORD_ALL) return "bytes";
    switch ((enum moth_event_kind)kind) {
    case MOTH_EVENT_MESSAGE: return "message";
    case MOTH_EVENT_REQUEST: return "request";
    case MOTH_EVENT_REPLY: return "reply";
    case MOTH_EVENT_LINK_UP: return "link up";
    case MOTH_EVENT_LINK_DOWN: return "link down";
    case MOTH_EVENT_PEER_UP: return "peer up";
    case MOTH_EVENT_PEER_DOWN: return "peer down";
    case MOTH_EVENT_ROUTE: return "route";
    case MOTH_EVENT_STATE: return "state";
    case MOTH_EVENT_DIAL: return "dial";
    case MOTH_EVENT_NOTE: return "note";
    }
    return "event";
}

static const char *name_of(const struct record *r, const struct moth_id *id)
{
    const struct name *name = id_map_find(&r->machines, id);
    return name ? name->text : "a stranger";
}

static void put_route(const struct record *r, const struct entry *e, char *out, size_t capacity)
{
    const char *peer = name_of(r, &e->peer), *now = e->kind == MOTH_EVENT_ROUTE ? "now " : "";
    if (id_equal(&e->peer, &e->via)) snprintf(out, capacity, "reaches %s %sby its link", peer, now);
    else snprintf(out, capacity, "reaches %s %sover %s, %u hops", peer, now, name_of(r, &e->via), e->hops);
}

static void put_text(const struct record *r, const struct entry *e, char *out, size_t capacity)
{
    const char *peer = name_of(r, &e->peer), *why = e->reason < 0 ? moth_error_text(e->reason) : "";
    unsigned long long id = e->id;
    switch ((enum moth_event_kind)e->kind) {
    case MOTH_EVENT_MESSAGE: snprintf(out, capacity, "gets %llx from %s: %s", id, peer, e->text); break;
    case MOTH_EVENT_REQUEST: snprintf(out, capacity, "is asked by %s: %s", peer, e->text); break;
    case MOTH_EVENT_REPLY: snprintf(out, capacity, "is answered by %s: %s", peer, e->text); break;
    case MOTH_EVENT_LINK_UP: snprintf(out, capacity, "link to %s up", peer); break;
    case MOTH_EVENT_LINK_DOWN: snprintf(out, capacity, "link to %s down: %s", peer, why); break;
    case MOTH_EVENT_PEER_UP:
    case MOTH_EVENT_ROUTE: put_route(r, e, out, capacity); break;
    case MOTH_EVENT_PEER_DOWN: snprintf(out, capacity, "reaches %s no more", peer); break;
    case MOTH_EVENT_STATE:
        snprintf(out, capacity, "%llx to %s: %s%s%s", id, peer, moth_state_name(e->state), *why ? ", " : "", why);
        break;
    case MOTH_EVENT_DIAL: snprintf(out, capacity, "cannot connect to %s: %s", e->text, why); break;
    case MOTH_EVENT_NOTE: snprintf(out, capacity, "%s", e->text); break;
    }
}

static void put_line(const struct record *r, const struct entry *e, char line[RECORD_LINE_BYTES])
{
    char text[RECORD_LINE_BYTES - 40];
    double seconds = (double)(e->at_us - LAB_START_US) / 1e6;
    if (e->kind == EXPERIMENTER) {
        snprintf(line, RECORD_LINE_BYTES, "%12.6f  * %s", seconds, e->text);
        return;
    }
    put_text(r, e, text, sizeof text);
    int start = snprintf(line, RECORD_LINE_BYTES, "%12.6f  %-8s ", seconds, r->names[e->machine].text);
    snprintf(line + start, RECORD_LINE_BYTES - (size_t)start, "%s", text);
}

void record_lines(const struct record *r, unsigned machine, size_t most,
                  void (*each)(void *context, const char *line), void *context)
{
    uint64_t oldest = r->count > ENTRIES ? r->count - ENTRIES : 0, at = r->count;
    char line[RECORD_LINE_BYTES];
    for (size_t found = 0; at > oldest && found < most; at--) {
        const struct entry *e = &r->entries[(at - 1) % ENTRIES];
        found += machine == RECORD_ALL || e->machine == machine || e->kind == EXPERIMENTER;
    }
    for (; at < r->count; at++) {
        const struct entry *e = &r->entries[at % ENTRIES];
        if (machine != RECORD_ALL && e->machine != machine && e->kind != EXPERIMENTER) continue;
        put_line(r, e, line);
        each(context, line);
    }
}
