/* guest.h -- a client of a node's shell socket that need not behave.
 *
 * It speaks the frames of src/attach.h, or anything else, and sees what comes back. Nothing it does waits for longer
 * than a deadline, which fails the test. */
#ifndef SCENARIO_GUEST_H
#define SCENARIO_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection to the socket in that home; an errno below 0 when that was refused. */
int guest_connect(const char *home);
void guest_close(int fd);

/* As it is. False: the node has closed it. */
bool guest_send(int fd, const void *data, size_t bytes);
bool guest_send_frame(int fd, uint8_t kind, const void *body, size_t bytes);
bool guest_say_hello(int fd, uint8_t version, uint8_t flags); /* 80 columns, folder / */

/* Waits for a frame of that kind; others are skipped. Its body, ended by a zero, valid until the next call. */
const char *guest_expect(int fd, uint8_t kind);

/* Reads on until the node closes it. */
void guest_expect_end(int fd);

#endif
