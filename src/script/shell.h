/* shell.h -- the shell as the program sees it: the Lua of lua/moth/init.lua behind a few C calls.
 *
 * A session is one shell: lines go in, text comes out through its front (a terminal, pipes, a socket). There may be
 * several at once, and none. What a session is and does is written in Lua; here are only the protected ways in. When
 * the shell itself cannot go on it quits the program. */
#ifndef SCRIPT_SHELL_H
#define SCRIPT_SHELL_H

#include "moth/node.h"

struct shell;
struct session;

enum shell_stream { SHELL_ANSWERS = 1, SHELL_COMPLAINTS = 2 };

/* Where what a session says goes. Each function gets the `front` of shell_enter; text is safe for a terminal and, but
 * for prompts, whole lines; all is borrowed during the call. None may call back into the shell. */
struct shell_front {
    void (*say)(void *front, enum shell_stream stream, const char *text, size_t bytes, uint32_t tag);
    /* The line that was said with this tag becomes `line`; `other` is said where that is not possible. */
    void (*amend)(void *front, uint32_t tag, struct moth_bytes line, struct moth_bytes other);
    void (*prompt)(void *front, const char *text);
    void (*hold)(void *front, bool on);  /* enough lines for now */
    void (*chat)(void *front, bool on);  /* what is entered is said again in another form: take it off the screen */
    void (*finish)(void *front, int status); /* the session is over; nothing is called after this */
};

struct shell_terms { /* what a session is told of its front */
    bool is_terminal; /* a person types */
    bool is_remote;   /* attached: its end is not the node's */
    bool is_single;   /* one command, then it is over */
    bool is_json;
    bool has_colour;
    bool shows_light; /* settings to begin with */
    const char *log;  /* "warn" and so on */
    unsigned width;   /* columns; 0: no terminal */
    const char *folder; /* where relative paths begin; NULL: the program's own */
    char *const *connect; /* addresses that are being dialled, which piped lines wait for */
    size_t connects;
};

struct shell_setup {
    const struct moth_host *host; /* borrowed until shell_close */
    struct moth_node *node;       /* borrowed until shell_close */
    struct moth_transport *transport; /* for scripts; borrowed until shell_close */
    bool beyond;                  /* scripts may listen beyond this machine */
    char *const *load;            /* files of scripts, run before anything is typed; borrowed during shell_open */
    size_t loads;
    bool is_alone;                /* there will be no session of the program's own */
    const char *folder;           /* where relative paths begin; NULL: unknown */
    const char *joined;           /* the address of an invitation, "" when it has none; NULL: there is no invitation */
    bool has_joined_key;          /* it brought the network's key, which is in the home folder now */
    void (*speak)(void *owner, enum shell_stream stream, const char *text, size_t bytes); /* for no session: prints */
    void (*ready)(void *owner);            /* all scripts run */
    void (*quit)(void *owner, int status); /* end the program with this status */
    void *owner;                           /* nothing is called after shell_close */
};

/* NULL: Lua failed, the log says why. */
struct shell *shell_open(const struct shell_setup *setup);
void shell_hush(struct shell *s);  /* no front is called any more: they may go, each with its session_leave or without */
void shell_close(struct shell *s); /* sessions are gone then; NULL is fine */

void shell_event(struct shell *s, const struct moth_event *event); /* what moth_on_event got */
void shell_log(struct shell *s, enum moth_log_level level, const char *text); /* for those sessions that want it */

/* Like moth_node_tick: call once per turn, after it. Returns when it wants to be called again at the latest;
 * what it did may have given the node something to send, so a time that has passed means: another turn. */
uint64_t shell_tick(struct shell *s);

/* Somebody wants the program to end: it says goodbye and calls `quit`, once it has told what stays. */
void shell_end(struct shell *s, int status);

/* `front` and its functions are borrowed until `finish` or session_leave; `terms` during the call. NULL: Lua failed, or
 * the session is over already and `finish` was called. */
struct session *shell_enter(struct shell *s, const struct shell_front *functions, void *front,
                            const struct shell_terms *terms);
void session_leave(struct session *s); /* the front is gone: what the session runs ends, nothing is called any more */

void session_line(struct session *s, const char *text, size_t bytes); /* may hold line ends: a paste */
void session_finish(struct session *s, int rc); /* the input ended; `rc` < 0: not by itself */
/* Ctrl-C; `had_text`: a line was being typed, and is dropped. */
void session_interrupt(struct session *s, bool had_text);
void session_resize(struct session *s, unsigned width);

/* Calls `each` for every word that may stand at `start` of a line of which `bytes` bytes are typed. */
void session_complete(struct session *s, const char *line, size_t bytes, size_t start,
                      void (*each)(void *context, const char *word, size_t bytes), void *context);

#endif
