/* scratch.h -- a folder for a while: made for what a run of real nodes keeps, and removed with all that is in it.
 *
 * It lies in TMPDIR, else in /tmp, and nobody else may look into it. Names in it are "NAME" or "FOLDER/NAME". Links are
 * never followed: what was put there leads nowhere else, also when it is removed. */
#ifndef SCRIPT_SCRATCH_H
#define SCRIPT_SCRATCH_H

#include <stddef.h>

#define SCRATCH_PATH_BYTES 512

struct scratch {
    int fd; /* of the folder; -1: there is none */
    char path[SCRATCH_PATH_BYTES];
};

/* MOTH_EIO, MOTH_EPERMISSION, MOTH_ENO_SPACE: no folder can be made there. */
int scratch_open(struct scratch *s);
void scratch_remove(struct scratch *s); /* as much as can be; a second time is fine */

/* All three: MOTH_EARGUMENT: that is no name; MOTH_EIO and its kin. */
int scratch_make(struct scratch *s, const char *name); /* a folder in it; one that is there is fine */
int scratch_write(struct scratch *s, const char *name, const void *data, size_t bytes); /* in place of what was there */

/* The end of a file, at most `capacity` bytes of it. MOTH_ENOT_FOUND. */
int scratch_read_end(struct scratch *s, const char *name, void *out, size_t capacity, size_t *bytes);

#endif
