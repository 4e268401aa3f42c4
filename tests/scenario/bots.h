/* bots.h -- scripts as a scenario needs them: written into its folder, asked for figures, watched from outside.
 *
 * A script is a file that an actor loads, so a test can change it under the actor and say `reload`. What only Lua
 * knows is asked for at the prompt; what a process holds of memory and files is read from /proc. */
#ifndef SCENARIO_BOTS_H
#define SCENARIO_BOTS_H

#include "process.h"

/* Writes NAME.lua, over an older one. Returns its path, which lives until sixteen others were written. */
const char *bots_write(const char *name, const char *text);

/* The same with the text of that file, where the last `from` became `to`. */
const char *bots_write_changed(const char *name, const char *path, const char *from, const char *to);

/* A fresh node that runs this script; and one that is linked to another and knows whom that one knows. */
struct process *bots_node(const char *name, const char *script);
struct process *bots_friend(const char *name, const struct process *to);

/* The whole number that this Lua expression is at the actor's prompt. */
long long bots_number(struct process *p, const char *expression);

/* Ends it at once, as a power cut does; the same node again, linked to `to` when that is not NULL. */
void bots_kill(struct process *p);
struct process *bots_again(const struct process *p, const struct process *to, const char *script);

/* What a process has of memory that no file lies behind, and how many files are open. */
long bots_memory_kib(const struct process *p);
int bots_open_files(const struct process *p);

/* A port of this machine that nobody listens on. */
unsigned bots_free_port(void);

#endif
