/* processes.h -- real nodes for a lab: programs and a folder for what they keep (processes.c has the signatures;
 * lua/moth/process_net.lua makes a network of them).
 *
 * For moth's own Lua alone: no script ever gets hold of it. */
#ifndef SCRIPT_PROCESSES_H
#define SCRIPT_PROCESSES_H

#include "script/runtime.h"

struct moth_loop;

/* Sets moth.core.processes of `r`. `loop` is borrowed until runtime_free, which kills all programs, waits until they
 * are gone and removes all folders. 0, or MOTH_EIO: Lua failed (logged). */
int processes_open(struct runtime *r, struct moth_loop *loop);

#endif
