/* watch.h -- descriptors and signals that somebody else reads, on the loop's thread.
 *
 * For a terminal: its editor reads it, and only wants to know when there is something, or room. Never for descriptor 0
 * itself, which others may share: open what it names anew. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "moth/loop.h"

struct watch;

/* `on_ready` is called when there is what watch_for asked for. `fd` stays the caller's, open until watch_free.
 * MOTH_EIO: it cannot be watched (a plain file, for example). */
int watch_new(struct moth_loop *loop, int fd, void (*on_ready)(void *owner, bool readable, bool writable), void *owner,
              struct watch **out);
void watch_for(struct watch *w, bool input, bool room); /* neither: it rests */
void watch_free(struct watch *w);                       /* before moth_loop_close; NULL is fine */

struct signal_watch;

/* `on_signal` is called for these; up to the zero at the end of `numbers`. Their default effect ends. */
struct signal_watch *signal_watch_new(struct moth_loop *loop, const int *numbers,
                                      void (*on_signal)(void *owner, int number), void *owner);
void signal_watch_free(struct signal_watch *w); /* before moth_loop_close; NULL is fine */

#endif
