/* home.c -- the home folder of home.h, over plain POSIX files. */
#include "base/home.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 512 /* what st_blocks counts in, on every file system */

static int error_from_errno(void)
{
    if (errno == ENOENT) return MOTH_ENOT_FOUND;
    if (errno == ENOSPC || errno == EDQUOT || errno == EFBIG) return MOTH_ENO_SPACE;
    return errno == EACCES || errno == EPERM || errno == EROFS ? MOTH_EPERMISSION : MOTH_EIO;
}

static int make_folders(const char *path)
{
    char part[PATH_MAX];
    size_t bytes = strlen(path);
    if (bytes == 0 || bytes >= sizeof part) return MOTH_EIO;
    for (size_t i = 1; i <= bytes; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST) return error_from_errno();
    }
    return 0;
}

static int file_path(const struct home *h, const char *name, const char *ending, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s", h->path, name, ending);
    return n < 0 || n >= PATH_MAX ? MOTH_EIO : 0;
}

int home_open(struct home *h, const char *path)
{
    char lock[PATH_MAX];
    *h = (struct home){.lock_fd = -1};
    int rc = make_folders(path);
    if (rc < 0) return rc;
    h->path = mem_text(path);
    if ((rc = file_path(h, "lock", "", lock)) < 0) goto fail;
    h->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (h->lock_fd < 0) rc = errno == ENOENT ? MOTH_EIO : error_from_errno(); /* ENOENT: a link that leads nowhere */
    else if (flock(h->lock_fd, LOCK_EX | LOCK_NB) < 0) rc = errno == EWOULDBLOCK ? MOTH_EIN_USE : MOTH_EIO;
    if (rc == 0) return 0;
fail:
    home_close(h);
    return rc;
}

void home_unlock(struct home *h)
{
    if (h->lock_fd >= 0) close(h->lock_fd);
    h->lock_fd = -1;
}

void home_close(struct home *h)
{
    home_unlock(h);
    free(h->path);
    *h = (struct home){.lock_fd = -1};
}

static int sync_folder(const struct home *h)
{
    int fd = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return error_from_errno();
    int rc = fsync(fd) < 0 ? MOTH_EIO : 0;
    close(fd);
    return rc;
}

/* --- a file that is there whole or not at all --- */

struct draft {
    char path[PATH_MAX], temporary[PATH_MAX];
    int fd;
};

static int draft_open(struct draft *d, const struct home *h, const char *name)
{
    assert(!strchr(name, '/'));
    int rc = file_path(h, name, "", d->path);
    if (rc == 0) rc = file_path(h, name, ".new", d->temporary);
    if (rc < 0) return rc;
    if (unlink(d->temporary) < 0 && errno != ENOENT) return error_from_errno();
    d->fd = open(d->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return d->fd < 0 ? error_from_errno() : 0;
}

/* `rc` is how filling it went. */
static int draft_close(const struct draft *d, const struct home *h, int rc)
{
    if (rc == 0 && fsync(d->fd) < 0) rc = error_from_errno();
    if (close(d->fd) < 0 && rc == 0) rc = error_from_errno();
    if (rc == 0 && rename(d->temporary, d->path) < 0) rc = error_from_errno();
    if (rc < 0) unlink(d->temporary);
    return rc < 0 ? rc : sync_folder(h);
}

static int write_all(int fd, struct slice data)
{
    while (data.bytes > 0) {
        ssize_t n = write(fd, data.data, data.bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_from_errno();
        data = slice_of(data.data + n, data.bytes - (size_t)n);
    }
    return 0;
}

int home_write(const struct home *h, const char *name, struct slice data)
{
    struct draft d;
    int rc = draft_open(&d, h, name);
    return rc < 0 ? rc : draft_close(&d, h, write_all(d.fd, data));
}

static bool takes_the_bytes(const char *path, size_t bytes)
{
    struct stat s;
    if (lstat(path, &s) < 0 || !S_ISREG(s.st_mode)) return false;
    return (uint64_t)s.st_size == bytes && (uint64_t)s.st_blocks * BLOCK_BYTES >= bytes;
}

static int allocate(int fd, size_t bytes)
{
    do errno = posix_fallocate(fd, 0, (off_t)bytes);
    while (errno == EINTR);
    return errno == 0 ? 0 : error_from_errno();
}

int home_fill(const struct home *h, const char *name, size_t bytes)
{
    struct draft d;
    assert(bytes > 0);
    int rc = file_path(h, name, "", d.path);
    if (rc == 0 && takes_the_bytes(d.path, bytes)) return 0;
    rc = draft_open(&d, h, name);
    return rc < 0 ? rc : draft_close(&d, h, allocate(d.fd, bytes));
}

/* Exclusively: a file that is there is not opened, for closing it would drop this process's record locks on it. */
int home_touch(const struct home *h, const char *name)
{
    char path[PATH_MAX];
    struct stat s;
    assert(!strchr(name, '/'));
    int rc = file_path(h, name, "", path);
    if (rc < 0) return rc;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) close(fd);
    else if (errno != EEXIST || lstat(path, &s) < 0) return error_from_errno();
    else if (!S_ISREG(s.st_mode)) return MOTH_EIO;
    return sync_folder(h);
}

int home_move(const struct home *h, const char *name, const char *to)
{
    char from[PATH_MAX], target[PATH_MAX];
    assert(!strchr(name, '/') && (!to || !strchr(to, '/')));
    int rc = file_path(h, name, "", from);
    if (rc == 0 && to) rc = file_path(h, to, "", target);
    if (rc < 0) return rc;
    if ((to ? rename(from, target) : unlink(from)) < 0) return error_from_errno();
    return sync_folder(h);
}

/* --- reading --- */

static int read_all(int fd, uint8_t *data, size_t capacity, size_t *bytes)
{
    for (*bytes = 0;;) {
        uint8_t extra;
        bool room = *bytes < capacity;
        ssize_t n = read(fd, room ? data + *bytes : &extra, room ? capacity - *bytes : 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return MOTH_EIO;
        if (n == 0) return 0;
        if (!room) return MOTH_ETOO_BIG;
        *bytes += (size_t)n;
    }
}

int home_read(const struct home *h, const char *name, void *data, size_t capacity, size_t *bytes)
{
    char path[PATH_MAX];
    assert(!strchr(name, '/'));
    int rc = file_path(h, name, "", path);
    if (rc < 0) return rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return error_from_errno();
    rc = read_all(fd, data, capacity, bytes);
    close(fd);
    return rc;
}
