/* home.h -- the home folder: small files that are there whole or not at all, one process at a time.
 *
 * Writing goes to a temporary file, which is synced and renamed over the old one, and then the folder is synced: a
 * crash at any instant leaves the old content or the new. Files are 0600, the folder 0700. Blocking calls; see host.h
 * for who may. */
#ifndef BASE_HOME_H
#define BASE_HOME_H

#include "base/base.h"

struct home {
    char *path;  /* owned */
    int lock_fd; /* holds the lock while open */
};

/* Makes the folder (and its parents) if need be and locks it. MOTH_EIN_USE: another process has it; MOTH_EPERMISSION,
 * MOTH_EIO. On error `h` needs no home_close. */
int home_open(struct home *h, const char *path);
void home_close(struct home *h);

/* `name` is a plain file name. */
int home_write(const struct home *h, const char *name, struct slice data);
int home_read(const struct home *h, const char *name, void *data, size_t capacity, size_t *bytes);

#endif
