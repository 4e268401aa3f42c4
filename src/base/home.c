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

static int error_from_errno(void)
{
    if (errno == ENOENT) return MOTH_ENOT_FOUND;
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

void home_close(struct home *h)
{
    if (h->lock_fd >= 0) close(h->lock_fd);
    free(h->path);
    *h = (struct home){.lock_fd = -1};
}

static int write_all(int fd, struct slice data)
{
    while (data.bytes > 0) {
        ssize_t n = write(fd, data.data, data.bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return MOTH_EIO;
        data = slice_of(data.data + n, data.bytes - (size_t)n);
    }
    return fsync(fd) < 0 ? MOTH_EIO : 0;
}

static int sync_folder(const struct home *h)
{
    int fd = open(h->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return error_from_errno();
    int rc = fsync(fd) < 0 ? MOTH_EIO : 0;
    close(fd);
    return rc;
}

int home_write(const struct home *h, const char *name, struct slice data)
{
    char path[PATH_MAX], temporary[PATH_MAX];
    assert(!strchr(name, '/'));
    int rc = file_path(h, name, "", path);
    if (rc == 0) rc = file_path(h, name, ".new", temporary);
    if (rc < 0) return rc;
    if (unlink(temporary) < 0 && errno != ENOENT) return error_from_errno();
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_from_errno();
    rc = write_all(fd, data);
    if (close(fd) < 0 && rc == 0) rc = MOTH_EIO;
    if (rc == 0 && rename(temporary, path) < 0) rc = error_from_errno();
    if (rc < 0) unlink(temporary);
    return rc < 0 ? rc : sync_folder(h);
}

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
