/* bind_data.c -- the methods of `node` for what scripts keep: batches, data by key, jobs.
 *
 * They are raw, for trusted Lua: keys and values are strings, times are seconds since 1970. What the node lends while
 * it reads its database is copied first and pushed afterwards: pushing may fail, and it may collect garbage, which may
 * call the node. */
#include "script/bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DUE_MAX_S 9e15 /* what whole milliseconds can say */

/* --- batches --- */

/* What happens around each step of a task must not fail: the node of the task may just have been killed. */
static struct moth_node *node_if_there(lua_State *L)
{
    struct binding *b = bind_check_binding(L);
    return b->node ? bind_check_node(L) : NULL;
}

/* node:begin(): data, jobs, sends and handled marks from here on come to the disk together */
static int l_begin(lua_State *L)
{
    struct moth_node *node = node_if_there(L);
    if (node) moth_begin(node);
    return 0;
}

/* node:commit() */
static int l_commit(lua_State *L)
{
    struct moth_node *node = node_if_there(L);
    if (node) moth_commit(node);
    return 0;
}

/* node:discard(): forgets data and jobs since node:begin */
static int l_discard(lua_State *L)
{
    struct moth_node *node = node_if_there(L);
    if (node) moth_discard(node);
    return 0;
}

/* --- taking what is lent --- */

struct text {
    char *data; /* owned; NULL: none */
    size_t bytes;
};

struct taken {
    struct text key, value;
    struct moth_job job; /* its name stands below, its arguments in `value` */
    char name[MOTH_SPACE_MAX + 1];
};

static struct text copy(const struct moth_bytes *from)
{
    struct text text = {malloc(from->bytes + 1), from->bytes};
    if (!text.data) abort();
    memcpy(text.data, from->data, from->bytes);
    return text;
}

/* Pushes what was taken, with `push` given it as light userdata; an error of Lua comes after it was freed. */
static int push_taken(lua_State *L, struct taken *taken, int rc, lua_CFunction push, int results)
{
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushcfunction(L, push);
    lua_pushlightuserdata(L, taken);
    int status = lua_pcall(L, 1, results, 0);
    free(taken->key.data);
    free(taken->value.data);
    return status == LUA_OK ? results : lua_error(L);
}

/* There being none is no failure. */
static int push_found(lua_State *L, struct taken *taken, int rc, lua_CFunction push, int results)
{
    if (rc != MOTH_ENOT_FOUND) return push_taken(L, taken, rc, push, results);
    lua_pushnil(L);
    return 1;
}

/* --- data by key --- */

static struct moth_bytes check_bytes(lua_State *L, int index)
{
    struct moth_bytes bytes;
    bytes.data = luaL_checklstring(L, index, &bytes.bytes);
    return bytes;
}

static int l_push_value(lua_State *L)
{
    const struct taken *taken = lua_touserdata(L, 1);
    lua_pushlstring(L, taken->value.data, taken->value.bytes);
    return 1;
}

static void take_value(void *context, const struct moth_bytes *value)
{
    struct taken *taken = context;
    taken->value = copy(value);
}

/* node:data_get(space, key) -> text, or nil when there is none | nil, why, code */
static int l_data_get(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *space = bind_check_word(L, 2);
    struct moth_bytes key = check_bytes(L, 3);
    struct taken taken = {.name = ""};
    int rc = space ? moth_data_get(node, space, &key, take_value, &taken) : MOTH_EARGUMENT;
    return push_found(L, &taken, rc, l_push_value, 1);
}

/* node:data_put(space, key, text | nil) -> true | nil, why, code; nil takes the key away */
static int l_data_put(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *space = bind_check_word(L, 2);
    struct moth_bytes key = check_bytes(L, 3), value = {NULL, 0};
    luaL_checkany(L, 4);
    if (!lua_isnil(L, 4)) value = check_bytes(L, 4);
    return bind_push_result(L, space ? moth_data_put(node, space, &key, &value) : MOTH_EARGUMENT);
}

static int l_push_pair(lua_State *L)
{
    const struct taken *taken = lua_touserdata(L, 1);
    lua_pushlstring(L, taken->key.data, taken->key.bytes);
    lua_pushlstring(L, taken->value.data, taken->value.bytes);
    return 2;
}

static void take_pair(void *context, const struct moth_bytes *key, const struct moth_bytes *value)
{
    struct taken *taken = context;
    taken->key = copy(key);
    taken->value = copy(value);
}

/* node:data_next(space, key | nil) -> the next key and its text, or nil after the last | nil, why, code */
static int l_data_next(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *space = bind_check_word(L, 2);
    bool first = lua_isnoneornil(L, 3);
    struct moth_bytes key = {NULL, 0};
    struct taken taken = {.name = ""};
    if (!first) key = check_bytes(L, 3);
    int rc = space ? moth_data_next(node, space, first ? NULL : &key, take_pair, &taken) : MOTH_EARGUMENT;
    return push_found(L, &taken, rc, l_push_pair, 2);
}

/* --- jobs --- */

/* False: no time that can be kept. */
static bool check_due(lua_State *L, int index, uint64_t *due_ms)
{
    lua_Number seconds = luaL_checknumber(L, index);
    if (!(seconds >= 0 && seconds <= DUE_MAX_S)) return false;
    *due_ms = (uint64_t)ceil(seconds * 1000);
    return true;
}

/* node:job_put(due, name, text) -> id | nil, why, code; `due` in seconds since 1970 */
static int l_job_put(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct moth_job job = {0};
    uint64_t id;
    bool has_due = check_due(L, 2, &job.due_ms);
    job.name = bind_check_word(L, 3);
    job.arguments = check_bytes(L, 4);
    int rc = has_due && job.name ? moth_job_put(node, &job, &id) : MOTH_EARGUMENT;
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushinteger(L, (lua_Integer)id);
    return 1;
}

/* node:job_drop(id) -> true | nil, why, code */
static int l_job_drop(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    return bind_push_result(L, moth_job_drop(node, (uint64_t)luaL_checkinteger(L, 2)));
}

static void push_job(lua_State *L, const struct moth_job *job, const char *name)
{
    lua_createtable(L, 0, 4);
    bind_set_integer(L, "id", job->id);
    bind_set_time(L, "due", job->due_ms);
    bind_set_string(L, "name", name);
}

struct listed {
    struct moth_job job;
    char name[MOTH_SPACE_MAX + 1];
};

/* Names are lent until jobs change, and what a garbage collection runs may change them. */
static size_t list_jobs(const struct moth_node *node, struct moth_job *jobs, struct listed *out, size_t capacity)
{
    size_t count = moth_jobs(node, jobs, capacity);
    if (count > capacity) count = capacity;
    for (size_t i = 0; i < count; i++) {
        out[i].job = jobs[i];
        memcpy(out[i].name, jobs[i].name, strlen(jobs[i].name) + 1);
    }
    return count;
}

/* node:jobs() -> {{id, due, name}}, by id */
static int l_jobs(lua_State *L)
{
    const struct moth_node *node = bind_check_node(L);
    size_t capacity = moth_jobs(node, NULL, 0);
    struct moth_job *jobs = bind_push_room(L, capacity, sizeof *jobs);
    struct listed *listed = bind_push_room(L, capacity, sizeof *listed);
    size_t count = list_jobs(node, jobs, listed, capacity);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        push_job(L, &listed[i].job, listed[i].name);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_push_job(lua_State *L)
{
    const struct taken *taken = lua_touserdata(L, 1);
    push_job(L, &taken->job, taken->name);
    bind_set_bytes(L, "arguments", taken->value.data, taken->value.bytes);
    return 1;
}

static void take_job(void *context, const struct moth_job *job)
{
    struct taken *taken = context;
    taken->job = *job;
    taken->value = copy(&job->arguments);
    memcpy(taken->name, job->name, strlen(job->name) + 1);
}

/* node:job(id) -> {id, due, name, arguments} | nil, why, code */
static int l_job(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    uint64_t id = (uint64_t)luaL_checkinteger(L, 2);
    struct taken taken = {.name = ""};
    return push_taken(L, &taken, moth_job_get(node, id, take_job, &taken), l_push_job, 1);
}

const luaL_Reg bind_data_methods[] = {
    {"begin", l_begin}, {"commit", l_commit}, {"discard", l_discard}, {"data_get", l_data_get},
    {"data_put", l_data_put}, {"data_next", l_data_next}, {"job_put", l_job_put}, {"job_drop", l_job_drop},
    {"jobs", l_jobs}, {"job", l_job}, {NULL, NULL},
};
