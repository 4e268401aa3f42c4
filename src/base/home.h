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
 * MOTH_ENO_SPACE, MOTH_EIO. On error `h` needs no home_close. */
int home_open(struct home *h, const char *path);
void home_close(struct home *h);
void home_unlock(struct home *h); /* others may open it; ours may still be used by who began before */

/* `name` is a plain file name, here and below. MOTH_ENOT_FOUND: it, or the folder, is gone; MOTH_ENO_SPACE: nothing was
 * changed; MOTH_EPERMISSION, MOTH_EIO. A symlink is replaced, moved or refused, never followed. */
int home_write(const struct home *h, const char *name, struct slice data);
int home_read(const struct home *h, const char *name, void *data, size_t capacity, size_t *bytes);

/* Makes a file that really takes `bytes` (> 0) bytes of the disk: deleting it gives them free. One that is there and
 * does already is kept. */
int home_fill(const struct home *h, const char *name, size_t bytes);

/* Makes an empty file, unless it is there. */
int home_touch(const struct home *h, const char *name);

/* Renames a file over `to`, or removes it when `to` is NULL. */
int home_move(const struct home *h, const char *name, const char *to);

#endif
