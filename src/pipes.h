/* pipes.h -- standard output and standard error, for whatever is no terminal with a line being typed.
 *
 * Whoever reads the output and stops (a stopped terminal, a full pipe) stops the program until they read on. A signal
 * ends that wait, or a second one when the first met a moment of room: what is said on that stream from then on is
 * dropped, so that the program can end. */
#ifndef PIPES_H
#define PIPES_H

#include "moth/types.h"

#include <unistd.h>

struct pipes {
    int stream[STDERR_FILENO + 1];   /* by descriptor: where to write; a terminal opened anew is ours to close */
    bool is_mute[STDERR_FILENO + 1]; /* by descriptor: what is said there is dropped */
};

void pipes_open(struct pipes *p);
void pipes_close(struct pipes *p);

/* `fd` is STDOUT_FILENO or STDERR_FILENO. False: standard output cannot be written, which is said on standard error,
 * once. */
bool pipes_write(struct pipes *p, int fd, const char *text, size_t bytes);

#endif
