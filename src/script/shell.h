/* shell.h -- the shell as main sees it: the Lua of lua/moth/init.lua behind a few C calls.
 *
 * Lines and events go in, text goes to standard output and error. What the shell is and does is written in
 * Lua; here are only the protected ways in. When the shell itself cannot go on, or standard output cannot be
 * written, it quits the program.
 *
 * Whoever reads the output and stops (a stopped terminal, a full pipe) stops the node until they read on. A
 * signal ends that wait, or a second one when the first met a moment of room: what is said on that stream from then
 * on is dropped, so that the program can end. */
#ifndef SCRIPT_SHELL_H
#define SCRIPT_SHELL_H

#include "moth/node.h"

struct shell;

struct shell_setup {
    const struct moth_host *host; /* borrowed until shell_close */
    struct moth_node *node;       /* borrowed until shell_close */
    struct moth_transport *transport; /* for scripts; borrowed until shell_close */
    bool beyond;                  /* scripts may listen beyond this machine */
    bool is_terminal;             /* a person types */
    char *const *connect;         /* addresses being dialled, which piped lines wait for */
    size_t connects;
    char *const *load;            /* files of scripts, run before anything is typed */
    size_t loads;
    void (*quit)(void *owner, int status); /* end the program with this status; never called after shell_close */
    void *owner;
};

/* Prints the first line. NULL: Lua failed, the log says why. */
struct shell *shell_open(const struct shell_setup *setup);
void shell_close(struct shell *s); /* NULL is fine */

void shell_event(struct shell *s, const struct moth_event *event); /* what moth_on_event got */
void shell_line(struct shell *s, const char *line, size_t bytes, int rc); /* what moth_loop_read_lines got */
/* Somebody wants the process to end. False: at a terminal that only ends the Lua that runs. */
bool shell_interrupt(struct shell *s);
bool shell_is_busy(const struct shell *s);                         /* hold the lines back */

/* Like moth_node_tick: call once per turn, after it. Returns when it wants to be called again at the latest;
 * what it did may have given the node something to send, so a time that has passed means: another turn. */
uint64_t shell_tick(struct shell *s);

#endif
