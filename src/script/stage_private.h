/* stage_private.h -- what stage.c and stage_*.c share. */
#ifndef SCRIPT_STAGE_PRIVATE_H
#define SCRIPT_STAGE_PRIVATE_H

#include "node/lab.h"
#include "node/lab_record.h"
#include "script/runtime.h"
#include "script/stage.h"

struct binding;

struct stage {
    struct stage_setup setup;
    struct moth_host host;       /* of the script */
    uint64_t random;             /* its own stream */
    struct lab *lab;             /* owned */
    struct record *record;       /* owned */
    struct runtime *runtime;     /* owned */
    struct binding **bindings;   /* borrowed from Lua, by machine; NULL: Lua has not asked for it */
    struct binding *touched;     /* those that Lua has called since they were looked at */
    struct stage_entry *entries;
    size_t count;
    bool has_checks;             /* Lua wants to look after every event */
    bool is_over;
    uint64_t events;
    struct stage_result result;
};

unsigned stage_machine_of(const struct binding *b);

/* Set the functions of moth.core.lab in the table on top of the stack: stage_lab.c all of them, with those of
 * stage_wire.c and stage_look.c. */
void stage_lab_open(lua_State *L, struct stage *s);
void stage_wire_open(lua_State *L, struct stage *s);
void stage_look_open(lua_State *L, struct stage *s);

/* The run whose function is called, and its arguments; times are seconds in Lua. */
struct stage *stage_of(lua_State *L);
unsigned stage_check_machine(lua_State *L, int index);
uint64_t stage_check_us(lua_State *L, int index);
uint64_t stage_field_number(lua_State *L, int index, const char *key); /* 0: there is none */

#endif
