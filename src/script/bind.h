/* bind.h -- what the bindings share: reading arguments, writing results, the fields of tables.
 *
 * The files bind_*.c see only the public headers, these and Lua: what a script can do, an embedder can do.
 * Everything here may raise a Lua error and is called only inside runtime_call. */
#ifndef SCRIPT_BIND_H
#define SCRIPT_BIND_H

#include "moth/node.h"

#include <lauxlib.h>

#define BIND_NODE "moth.node"

#define PATH_BYTES 8 /* what a path keeps of each id */
enum { BIND_QUEUE = 1, BIND_HOOKS, BIND_USERVALUES = 2 };

struct runtime;

struct binding { /* the userdata `node`; its uservalues are tables: events that wait, and hooks by name */
    struct moth_node *node;           /* borrowed; NULL: it does not run, and what is called fails with an error */
    struct runtime *runtime;          /* borrowed */
    struct moth_id id;                /* these three as the node had them last */
    char name[MOTH_NAME_MAX + 1], address[MOTH_ADDRESS_TEXT_BYTES];
    unsigned life;                      /* how many processes it has been */
    lua_Integer next_event, last_event; /* the places before the first, and of the last */
    size_t queued_bytes;                /* of messages, since the queue was last empty */
    struct binding *next_waiting;       /* of those with events, see bind_event.c */
    bool is_waiting;
    struct binding **touched;           /* borrowed; NULL: nobody wants to know what Lua has called */
    struct binding *next_touched;
    bool is_touched;
    void (*quit)(void *owner, int status);
    void *owner;
};

/* The first argument, which must be the node. */
struct binding *bind_check_binding(lua_State *L);
struct moth_node *bind_check_node(lua_State *L);

/* A text without zero bytes inside, as C needs it; NULL when it has some. */
const char *bind_check_word(lua_State *L, int index);

/* The argument PEER. MOTH_EUNKNOWN_PEER, MOTH_EAMBIGUOUS. */
int bind_resolve_peer(lua_State *L, const struct moth_node *node, int index, struct moth_id *out);

/* Pushes nil, a sentence and a word; or true when `rc` is none. Return what they return. */
int bind_push_error(lua_State *L, int rc);
int bind_push_result(lua_State *L, int rc);

void bind_push_id(lua_State *L, const struct moth_id *id);

/* Set a field of the table on top of the stack. */
void bind_set_id(lua_State *L, const char *key, const struct moth_id *id);
void bind_set_string(lua_State *L, const char *key, const char *value);
void bind_set_integer(lua_State *L, const char *key, uint64_t value);
void bind_set_boolean(lua_State *L, const char *key, bool value);
void bind_set_bytes(lua_State *L, const char *key, const void *data, size_t bytes);
void bind_set_time(lua_State *L, const char *key, uint64_t ms); /* in seconds */
void bind_set_reason(lua_State *L, int rc); /* `reason` and `why`, the word and the sentence; none when all is well */

const char *bind_encoding_name(enum moth_encoding encoding);

/* Room for a listing, which Lua frees whatever happens; left on the stack. */
void *bind_push_room(lua_State *L, size_t count, size_t bytes);

/* Gives the metatable on top of the stack a __tostring, and hides it, so that no script changes what others see. */
void bind_set_metamethods(lua_State *L, const char *name, lua_CFunction tostring);

/* bind_message.c: send, emit, message, cancel, queue, history; and the class of sent messages */
extern const luaL_Reg bind_message_methods[];
void bind_make_message_class(lua_State *L);
int bind_push_message(lua_State *L, struct binding *b, const struct moth_sent *sent); /* returns 1 */

/* Pushes the userdata `node` that it lives in. */
void bind_push_binding(lua_State *L, const struct binding *b);

/* bind_event.c: next_event, handled, pause_mail, count_discard, set_hook; and moth.core.waiting */
extern const luaL_Reg bind_event_methods[];
void bind_make_waiting(lua_State *L);

/* bind_data.c: begin, commit, discard; data_get, data_put, data_next; job_put, job_drop, jobs, job */
extern const luaL_Reg bind_data_methods[];

/* bind_invite.c: invite, join; not for scripts */
extern const luaL_Reg bind_invite_methods[];

#endif
