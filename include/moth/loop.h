/* loop.h -- the real world for a node: an event loop with TCP, the clocks, and a home folder.
 *
 * One process per home: it is locked while open. The folder is made if need be (0700); all files in it are 0600. */
#ifndef MOTH_LOOP_H
#define MOTH_LOOP_H

#include "node.h"

struct moth_loop;

/* MOTH_EIN_USE: another process runs on this home; MOTH_EPERMISSION, MOTH_ENO_SPACE, MOTH_EIO: it, or the empty file of
 * the database in it, cannot be made or written. SIGPIPE is ignored from then on, unless the program handles it:
 * writing to a peer that is gone would end the process. */
int moth_loop_open(const char *home, struct moth_loop **out);

/* After moth_node_close; NULL is fine. 0, or MOTH_ETIMEOUT: another thread still waits for a name lookup or for a
 * terminal, and nobody can call it back. The home is then free, but memory stays, and so does the thread: exit() waits
 * for it, _exit() does not. */
int moth_loop_close(struct moth_loop *loop);

const struct moth_host *moth_loop_host(struct moth_loop *loop);
struct moth_transport *moth_loop_transport(struct moth_loop *loop);

/* Where log lines go. Until it is called they are dropped. */
void moth_loop_on_log(struct moth_loop *loop, void (*log)(void *owner, enum moth_log_level level, const char *text),
                      void *owner);

/* Runs until moth_loop_stop: `turn` is called at the end of each turn and returns the microsecond (host->now_us) at
 * which it wants to be called at the latest. moth_node_tick has this shape. */
void moth_loop_run(struct moth_loop *loop, uint64_t (*turn)(void *owner), void *owner);
void moth_loop_stop(struct moth_loop *loop);

/* Lines of standard input, without their ends, as they come; `line` NULL: the input ended. Lines above `max_bytes` end
 * the input with MOTH_ETOO_BIG in `rc`. `pause` holds the input back. */
int moth_loop_read_lines(struct moth_loop *loop, size_t max_bytes,
                         void (*on_line)(void *owner, const char *line, size_t bytes, int rc), void *owner);
void moth_loop_pause_lines(struct moth_loop *loop, bool pause);

/* SIGINT, SIGTERM and SIGHUP come here instead of ending the process. */
void moth_loop_on_signal(struct moth_loop *loop, void (*on_signal)(void *owner, int signal), void *owner);

#endif
