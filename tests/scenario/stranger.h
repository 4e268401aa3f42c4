/* stranger.h -- somebody at a node's port who does not play by the rules.
 *
 * A stranger is a bare socket to a port of this machine. A meddler sits between two nodes: whoever dials its port
 * reaches the other, byte for byte, until the test slips bytes of its own into the stream. It runs in a process of
 * its own, which ends with its test program or when it is stopped. */
#ifndef SCENARIO_STRANGER_H
#define SCENARIO_STRANGER_H

#include <stdbool.h>
#include <stddef.h>

/* A connected socket, non-blocking; close() ends it. Fails the running test when nobody listens. */
int stranger_connect(unsigned port);

/* Writes what the other end still takes. */
void stranger_throw(int fd, const void *data, size_t bytes);
void stranger_throw_random(int fd, size_t bytes, unsigned seed);

/* Whether the other end closed, or does so within `deadline_ms`. */
bool stranger_is_refused(int fd, int deadline_ms);

struct meddler {
    unsigned port;    /* dial this */
    int control, pid; /* bytes written to `control` go to the node behind */
};

struct meddler meddler_start(unsigned port_behind);
void meddler_slip_in(const struct meddler *m, const void *data, size_t bytes);
void meddler_stop(struct meddler *m);

#endif
