/* spawn.h -- programs that this process starts, and that never outlive it.
 *
 * The kernel kills one when the thread that started it ends, in whatever way; so start them on the thread that stays.
 * Each has a process group of its own: what is typed at a terminal reaches only this process. It reads nothing, and
 * what it says goes to a file. Whoever ended is waited for at once, so there is never a zombie, and the number of one
 * that is not known to have ended is nobody else's. */
#ifndef NET_SPAWN_H
#define NET_SPAWN_H

#include "moth/loop.h"

#define SPAWNS_MAX 256u

struct spawns;
struct spawn;

struct spawn_setup {         /* borrowed during the call */
    const char *program;     /* a path; NULL: the program that this process runs */
    const char *const *argv; /* its name first, NULL last */
    const char *const *env;  /* "NAME=VALUE", beside what is in our environment; NULL last; NULL: nothing */
    const char *log;         /* what it says is added to that file, a new one is 0600; a link there is not followed */
};

struct spawn_end {
    bool was_killed; /* by a signal */
    int number;      /* of the signal, or the status */
};

/* `on_ended` is called once for each that ends by itself or by spawn_signal, on the loop's level; it may call
 * spawn_free. */
struct spawns *spawns_new(struct moth_loop *loop, void (*on_ended)(void *owner, struct spawn *p), void *owner);
void spawns_free(struct spawns *all); /* kills them and waits; before moth_loop_close; NULL is fine */

/* `user` is what spawn_user gives. MOTH_ENOT_FOUND, MOTH_EPERMISSION: the program or the file; MOTH_EFULL; MOTH_EIO. */
int spawn_start(struct spawns *all, const struct spawn_setup *setup, void *user, struct spawn **out);
void spawn_free(struct spawn *p); /* kills it, waits, and tells nobody; NULL is fine */

/* For it and what it has started itself, its group. MOTH_ENOT_FOUND: it has ended. */
int spawn_signal(struct spawn *p, int number);
bool spawn_has_ended(const struct spawn *p, struct spawn_end *out);
int spawn_pid(const struct spawn *p);
void *spawn_user(const struct spawn *p);

#endif
