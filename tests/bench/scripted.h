/* scripted.h -- a node with a script, embedded: what the program does with --load, without its shell and screen. */
#ifndef BENCH_SCRIPTED_H
#define BENCH_SCRIPTED_H

#include "moth/node.h"

#include <lua.h>

struct scripted;

struct scripted_setup {
    const struct moth_host *host; /* these are borrowed until scripted_close */
    struct moth_transport *transport;
    struct moth_node *node;
    const char *script; /* a file in tests/bench/scripts, without ".lua" */
    bool is_unguarded;  /* its code runs outside of guard.h, as a bare coroutine */
    void (*on_print)(void *owner, const char *text);
    void *owner;
};

/* Loads the script, which may take a few ticks. Gives up when it cannot. */
struct scripted *scripted_open(const struct scripted_setup *setup);
void scripted_close(struct scripted *s);

void scripted_event(struct scripted *s, const struct moth_event *event);
uint64_t scripted_tick(struct scripted *s);

/* Begins to reload the script `count` times, and how often that was done. */
void scripted_reload(struct scripted *s, unsigned count);
unsigned scripted_reloads(const struct scripted *s);

#endif
