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
    struct stage_real *real;     /* owned; NULL: all is imagined */
    struct binding **bindings;   /* borrowed from Lua, by machine; NULL: Lua has not asked for it */
    struct binding *touched;     /* those that Lua has called since they were looked at */
    struct stage_entry *entries;
    size_t count;
    unsigned clock;              /* 1 more than the machine whose clock scripts see; 0: that of the run */
    bool is_stepping;            /* nodes are in the midst of their work: only hooks come here then */
    bool has_checks;             /* Lua wants to look after every event */
    bool is_over;
    struct moth_status spent;    /* what nodes counted whose process is gone: those figures that only rise */
    uint64_t events;
    struct stage_result result;
};

/* stage_real.c: a run with a real clock and real sockets. The loop turns `turn` until it is over; the lab's clock
 * follows. NULL: the reason is in `why`. */
struct stage_real *stage_real_open(char why[STAGE_WHY_BYTES]);
int stage_real_bind(struct stage_real *r, struct runtime *runtime);
void stage_real_run(struct stage *s, void (*turn)(struct stage *s, uint64_t *next_us));
uint64_t stage_real_now_us(const struct stage_real *r);
uint64_t stage_real_wall_ms(const struct stage_real *r);
void stage_real_close(struct stage_real *r); /* after runtime_free; NULL is fine */

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
