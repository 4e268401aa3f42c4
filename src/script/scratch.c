/* scratch.c -- see scratch.h. Everything is done from the descriptor of a folder on: whatever the names mean by then,
 * we stay inside. */
#include "script/scratch.h"

#include "moth/types.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 32 /* of folders; nobody has so many */
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static int error_of(int number)
{
    switch (number) {
    case ENOENT: return MOTH_ENOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return MOTH_EPERMISSION;
    case ENOSPC:
    case EDQUOT: return MOTH_ENO_SPACE;
    default: return MOTH_EIO;
    }
}

int scratch_open(struct scratch *s)
{
    const char *place = getenv("TMPDIR");
    *s = (struct scratch){.fd = -1};
    int n = snprintf(s->path, sizeof s->path, "%s/moth-lab.XXXXXX", place && *place ? place : "/tmp");
    if (n >= (int)sizeof s->path) return MOTH_EIO;
    if (!mkdtemp(s->path)) return error_of(errno);
    s->fd = open(s->path, FOLDER_FLAGS);
    return s->fd < 0 ? error_of(errno) : 0;
}

/* --- names --- */

static bool is_plain(const char *name, size_t bytes)
{
    bool is_dots = (bytes == 1 || bytes == 2) && memcmp(name, "..", bytes) == 0;
    return bytes > 0 && bytes <= NAME_MAX && !is_dots;
}

/* The folder that `name` is in, to be closed, and the rest of it. */
static int open_place(const struct scratch *s, const char *name, const char **last)
{
    char folder[NAME_MAX + 1];
    size_t bytes = strcspn(name, "/");
    *last = name[bytes] ? name + bytes + 1 : name;
    if (!is_plain(name, bytes) || strchr(*last, '/') || !is_plain(*last, strlen(*last))) return MOTH_EARGUMENT;
    memcpy(folder, name, bytes);
    folder[bytes] = '\0';
    int fd = openat(s->fd, *last == name ? "." : folder, FOLDER_FLAGS);
    return fd < 0 ? error_of(errno) : fd;
}

static int open_file(const struct scratch *s, const char *name, int flags)
{
    const char *last;
    int place = open_place(s, name, &last);
    if (place < 0) return place;
    int fd = openat(place, last, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc = fd < 0 ? error_of(errno) : fd;
    close(place);
    return rc;
}

/* --- what is in it --- */

int scratch_make(struct scratch *s, const char *name)
{
    const char *last;
    int place = open_place(s, name, &last);
    if (place < 0) return place;
    int rc = mkdirat(place, last, 0700) < 0 && errno != EEXIST ? error_of(errno) : 0;
    close(place);
    return rc;
}

int scratch_write(struct scratch *s, const char *name, const void *data, size_t bytes)
{
    const char *at = data;
    int fd = open_file(s, name, O_WRONLY | O_CREAT | O_TRUNC), rc = 0;
    if (fd < 0) return fd;
    while (rc == 0 && bytes > 0) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno != EINTR) rc = error_of(errno);
        if (n > 0) at += n, bytes -= (size_t)n;
    }
    close(fd);
    return rc;
}

int scratch_read_end(struct scratch *s, const char *name, void *out, size_t capacity, size_t *bytes)
{
    struct stat about;
    int fd = open_file(s, name, O_RDONLY);
    if (fd < 0) return fd;
    off_t from = fstat(fd, &about) == 0 && about.st_size > (off_t)capacity ? about.st_size - (off_t)capacity : 0;
    ssize_t n = pread(fd, out, capacity, from);
    int rc = n < 0 ? error_of(errno) : 0;
    *bytes = n < 0 ? 0 : (size_t)n;
    close(fd);
    return rc;
}

/* --- removing it --- */

static void empty(int fd, int depth);

static void remove_entry(int place, const char *name, int depth)
{
    if (unlinkat(place, name, 0) == 0 || depth == 0) return;
    int fd = openat(place, name, FOLDER_FLAGS);
    if (fd >= 0) empty(fd, depth - 1);
    unlinkat(place, name, AT_REMOVEDIR);
}

/* Takes the descriptor. */
static void empty(int fd, int depth)
{
    const struct dirent *entry;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return;
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_entry(dirfd(dir), entry->d_name, depth);
    closedir(dir);
}

void scratch_remove(struct scratch *s)
{
    if (s->fd < 0) return;
    empty(s->fd, DEPTH_MAX);
    s->fd = -1;
    rmdir(s->path);
}
