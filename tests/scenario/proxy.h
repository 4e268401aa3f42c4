/* proxy.h -- a bad line between two nodes: whoever dials its port reaches the one behind, until the test breaks it.
 *
 * It runs in a process of its own, on 127.0.0.1 only, and ends with its test program or when it is stopped. The last
 * order holds, whole: a stall ends a delay. An order returns once it is obeyed; what was handed on before stays so.
 * What is held back is kept in order and bounded: then nothing more is read, and the sender's own buffers fill. */
#ifndef SCENARIO_PROXY_H
#define SCENARIO_PROXY_H

#include <sys/types.h>

struct proxy {
    unsigned port; /* dial this */
    int control;
    pid_t pid;
};

enum proxy_way { PROXY_THERE = 1, PROXY_BACK = 2, PROXY_BOTH = 3 }; /* there: away from who dialled */

/* `port` 0 is any. Fails the running test when it cannot listen. */
struct proxy proxy_start(unsigned port, unsigned port_behind);

/* As at the start: hands on what comes, and what was held back. */
void proxy_pass(const struct proxy *p);

/* All connections end, new ones are closed at once. */
void proxy_cut(const struct proxy *p);

/* Connections stay, but nothing comes through, not even their end. One way only: half-open. */
void proxy_stall(const struct proxy *p, enum proxy_way ways);

/* For whatever comes from now on, either way. */
void proxy_delay(const struct proxy *p, int ms);

void proxy_stop(struct proxy *p); /* harmless when it was never started */

/* The teardown of a test: stops all that run. */
int proxy_cleanup(void **state);

#endif
