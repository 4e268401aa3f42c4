/* shell_private.h -- what shell.c and session.c share. */
#ifndef SCRIPT_SHELL_PRIVATE_H
#define SCRIPT_SHELL_PRIVATE_H

#include "base/buf.h"
#include "script/runtime.h"
#include "script/shell.h"

struct shell {
    struct shell_setup setup;
    struct runtime *runtime; /* owned */
    struct binding *binding; /* borrowed from Lua: the node */
    struct session *sessions; /* whose fronts are there */
    struct keeping *keeping; /* owned by the worker until it is done; NULL: none is under way */
    struct buf logs;         /* a level, a text, a zero; and so on */
    enum moth_log_level level; /* the lowest that some session shows */
    bool hears_logs;
};

/* Leaves the function `name` of lua/moth/init.lua on the stack. */
void shell_push_function(lua_State *L, const char *name);

void shell_push_list(lua_State *L, char *const *texts, size_t count);

/* Quits the program when that fails: it would leave a process that cannot be told to end. */
void shell_call_or_quit(struct shell *s, lua_CFunction function, void *argument);

#endif
