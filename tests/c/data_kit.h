/* data_kit.h -- what tests of programs' data share: one node in a lab, puts and looks in a word, and a model of it all.
 *
 * The model is a table of a few spaces and keys, some of which are the beginning of others or hold strange bytes. What
 * the node gives by iterating must be what the model holds, key for key, in order. */
#ifndef TESTS_DATA_KIT_H
#define TESTS_DATA_KIT_H

#include "kit.h"

#include "node/store_disk.h"

#define ANA 0
#define BOB 1
#define MS 1000u
#define MODEL_SPACES 3
#define MODEL_KEYS 24

static const char *const model_spaces[MODEL_SPACES] = {"a", "a.b", "z"};

struct model {
    unsigned values[MODEL_SPACES][MODEL_KEYS]; /* 0: none */
};

static inline struct kit *data_kit(uint64_t seed, const struct moth_config *config)
{
    struct kit *k = kit_new(seed, 3);
    assert_int_equal(lab_start(k->lab, ANA, "n0", config), 0);
    lab_run(k->lab, 100 * MS);
    return k;
}

static inline struct disk *data_disk(const struct kit *k)
{
    return lab_disk(k->lab, ANA);
}

static inline struct moth_node *node(struct kit *k)
{
    return kit_node(k, ANA);
}

/* Smaller than batches. */
static inline struct moth_config small_groups(void)
{
    struct moth_config config = {.open = true};
    config.limits[MOTH_LIMIT_GROUP] = 4;
    return config;
}

static inline int send(struct kit *k, const struct moth_id *to)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "x", .bytes = 1};
    uint64_t id;
    return moth_send(node(k), to, &payload, NULL, &id);
}

/* All that was written is committed. */
static inline void data_settled(struct kit *k)
{
    lab_turn(k->lab, ANA);
    lab_run(k->lab, 100 * MS);
    assert_int_equal(kit_status(k, ANA).writes_waiting, 0);
}

static inline struct moth_bytes bytes_of(const char *text)
{
    return (struct moth_bytes){text, text ? strlen(text) : 0};
}

/* `value` NULL: taken away. */
static inline int put(struct kit *k, const char *space, const char *key, const char *value)
{
    struct moth_bytes at = bytes_of(key), what = bytes_of(value);
    return moth_data_put(kit_node(k, ANA), space, &at, &what);
}

struct seen {
    char key[MOTH_KEY_MAX + 1], value[64];
    size_t key_bytes, value_bytes;
    unsigned calls;
};

static inline void see_value(void *context, const struct moth_bytes *value)
{
    struct seen *s = context;
    assert_non_null(value->data);
    s->calls++;
    s->value_bytes = value->bytes;
    snprintf(s->value, sizeof s->value, "%.*s", (int)(value->bytes < 60 ? value->bytes : 60),
             (const char *)value->data);
}

static inline void see_pair(void *context, const struct moth_bytes *key, const struct moth_bytes *value)
{
    struct seen *s = context;
    assert_in_range(key->bytes, 1, MOTH_KEY_MAX);
    memcpy(s->key, key->data, key->bytes);
    s->key[key->bytes] = '\0';
    s->key_bytes = key->bytes;
    see_value(context, value);
}

static inline int get(struct kit *k, const char *space, const char *key, struct seen *out)
{
    struct moth_bytes at = bytes_of(key);
    *out = (struct seen){.calls = 0};
    return moth_data_get(kit_node(k, ANA), space, &at, see_value, out);
}

static inline int next(struct kit *k, const char *space, const struct moth_bytes *key, struct seen *out)
{
    struct moth_bytes after;
    char copy[MOTH_KEY_MAX];
    if (key) memcpy(copy, key->data, key->bytes); /* it may lie in `out` */
    if (key) after = (struct moth_bytes){copy, key->bytes};
    *out = (struct seen){.calls = 0};
    return moth_data_next(kit_node(k, ANA), space, key ? &after : NULL, see_pair, out);
}

/* `value` NULL: it is not there. */
static inline void assert_value(struct kit *k, const char *space, const char *key, const char *value)
{
    struct seen seen;
    int rc = get(k, space, key, &seen);
    assert_int_equal(rc, value ? 0 : MOTH_ENOT_FOUND);
    assert_int_equal(seen.calls, value != NULL);
    if (value) assert_string_equal(seen.value, value);
}

/* The whole space, as "key=value key=value ". */
static inline void assert_pairs(struct kit *k, const char *space, const char *wanted)
{
    char text[512] = "";
    struct seen seen;
    int rc = next(k, space, NULL, &seen);
    for (; rc == 0; rc = next(k, space, &(struct moth_bytes){seen.key, seen.key_bytes}, &seen)) {
        size_t used = strlen(text);
        assert_int_equal(seen.calls, 1);
        snprintf(text + used, sizeof text - used, "%s=%s ", seen.key, seen.value);
    }
    assert_int_equal(rc, MOTH_ENOT_FOUND);
    assert_int_equal(seen.calls, 0);
    assert_string_equal(text, wanted);
}

static inline void restart(struct kit *k, const struct moth_config *config)
{
    lab_kill(k->lab, ANA);
    assert_int_equal(lab_start(k->lab, ANA, "n0", config), 0);
}

/* --- chance --- */

static inline unsigned draw(uint64_t *random, unsigned below)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*random >> 33) % below;
}

/* --- the model --- */

/* In the order of bytes: a zero byte, ordinary ones, the highest; every third the beginning of the next two. */
static inline struct moth_bytes model_key(unsigned i, char room[4])
{
    static const char first[MODEL_KEYS / 3] = {'\0', '\1', '-', 'A', 'a', 'b', '~', '\xff'};
    room[0] = first[i / 3];
    room[1] = i % 3 == 1 ? '\0' : 'x';
    return (struct moth_bytes){room, i % 3 == 0 ? 1 : 2};
}

static inline int model_put(struct kit *k, struct model *m, unsigned space, unsigned key, unsigned value)
{
    char room[4], text[16];
    struct moth_bytes at = model_key(key, room), what = {value ? text : NULL, 0};
    if (value) what.bytes = (size_t)snprintf(text, sizeof text, "%u", value);
    int rc = moth_data_put(kit_node(k, ANA), model_spaces[space], &at, &what);
    if (rc == 0) m->values[space][key] = value;
    return rc;
}

static inline int model_change(struct kit *k, struct model *m, uint64_t *random)
{
    unsigned value = draw(random, 3) ? 1 + draw(random, 5000) : 0;
    return model_put(k, m, draw(random, MODEL_SPACES), draw(random, MODEL_KEYS), value);
}

static inline void model_check_space(struct kit *k, const struct model *m, unsigned space, uint64_t *bytes)
{
    struct seen seen;
    struct moth_bytes at, *from = NULL;
    char room[4], text[16];
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        unsigned value = m->values[space][i];
        if (value == 0) continue;
        assert_int_equal(next(k, model_spaces[space], from, &seen), 0);
        at = model_key(i, room);
        from = &at;
        assert_int_equal(seen.key_bytes, at.bytes);
        assert_memory_equal(seen.key, at.data, at.bytes);
        snprintf(text, sizeof text, "%u", value);
        assert_string_equal(seen.value, text);
        *bytes += strlen(model_spaces[space]) + at.bytes + seen.value_bytes;
    }
    assert_int_equal(next(k, model_spaces[space], from, &seen), MOTH_ENOT_FOUND);
}

/* The bytes of all that is in the model. */
static inline uint64_t model_check(struct kit *k, const struct model *m)
{
    uint64_t bytes = 0;
    for (unsigned space = 0; space < MODEL_SPACES; space++) model_check_space(k, m, space, &bytes);
    return bytes;
}

/* --- jobs --- */

static inline uint64_t job_put(struct kit *k, const char *name, uint64_t due_ms, const char *arguments)
{
    struct moth_job job = {.due_ms = due_ms, .name = name, .arguments = bytes_of(arguments)};
    uint64_t id = 0;
    assert_int_equal(moth_job_put(kit_node(k, ANA), &job, &id), 0);
    return id;
}

static inline int job_drop(struct kit *k, uint64_t id)
{
    return moth_job_drop(kit_node(k, ANA), id);
}

/* All names, in the order of ids, a space behind each. */
static inline void assert_jobs(struct kit *k, const char *wanted)
{
    struct moth_job jobs[64];
    char text[512] = "";
    size_t count = moth_jobs(kit_node(k, ANA), jobs, 64);
    assert_int_equal(count, kit_status(k, ANA).jobs);
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        if (i > 0) assert_true(jobs[i].id > jobs[i - 1].id);
        assert_null(jobs[i].arguments.data);
        snprintf(text + used, sizeof text - used, "%s ", jobs[i].name);
    }
    assert_string_equal(text, wanted);
}

static inline void see_job(void *context, const struct moth_job *job)
{
    struct seen *s = context;
    snprintf(s->key, sizeof s->key, "%s@%u", job->name, (unsigned)job->due_ms);
    see_value(context, &job->arguments);
}

static inline void assert_job(struct kit *k, uint64_t id, const char *wanted, const char *arguments)
{
    struct seen seen = {.calls = 0};
    assert_int_equal(moth_job_get(kit_node(k, ANA), id, see_job, &seen), 0);
    assert_int_equal(seen.calls, 1);
    assert_string_equal(seen.key, wanted);
    assert_string_equal(seen.value, arguments);
}

#endif
