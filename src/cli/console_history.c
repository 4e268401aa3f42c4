/* console_history.c -- see console_history.h. */
#include "cli/console_history.h"

#include "base/buf.h"
#include "base/mem.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INVITATION "moth1:"

/* The newest bytes of the file, from the start of an entry on; false: there is nothing to read. */
static bool read_end(int fd, struct buf *out, bool *is_cut)
{
    struct stat about;
    if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode)) return false;
    off_t from = about.st_size > (off_t)HISTORY_FILE_MAX ? about.st_size - (off_t)HISTORY_FILE_MAX : 0;
    uint8_t *room = buf_reserve(out, HISTORY_FILE_MAX);
    ssize_t n = pread(fd, room, HISTORY_FILE_MAX, from);
    if (n <= 0) return false;
    buf_grow(out, (size_t)n);
    *is_cut = from > 0;
    const uint8_t *end = *is_cut ? memchr(room, '\n', (size_t)n) : NULL;
    if (end) buf_consume(out, (size_t)(end - room) + 1);
    return true;
}

static void unescape(char *entry)
{
    char *to = entry;
    for (const char *at = entry; *at; at++) {
        bool is_escaped = *at == '\\' && (at[1] == '\\' || at[1] == 'n');
        if (is_escaped) at++;
        *to++ = is_escaped && *at == 'n' ? '\n' : *at;
    }
    *to = '\0';
}

static void give(struct slice text, void (*each)(const char *entry))
{
    char *entry = mem_new(text.bytes + 1);
    memcpy(entry, text.data, text.bytes);
    unescape(entry);
    if (*entry && strlen(entry) <= text.bytes) each(entry);
    free(entry);
}

/* Where the last HISTORY_ENTRIES_MAX entries begin. */
static const uint8_t *newest(const uint8_t *start, const uint8_t *end)
{
    size_t entries = 0;
    for (const uint8_t *at = end; at > start; at--)
        if (at[-1] == '\n' && entries++ == HISTORY_ENTRIES_MAX) return at;
    return start;
}

/* Replaces a file that has grown too long by its end. */
static void cut(const char *path, struct slice rest)
{
    size_t bytes = strlen(path) + sizeof ".new";
    char *other = mem_new(bytes);
    snprintf(other, bytes, "%s.new", path);
    int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    bool ok = fd >= 0 && write(fd, rest.data, rest.bytes) == (ssize_t)rest.bytes;
    if (fd >= 0) close(fd);
    if (!ok || rename(other, path) < 0) unlink(other);
    free(other);
}

void history_load(const char *path, void (*each)(const char *entry))
{
    struct buf text = {0};
    bool is_cut = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return;
    if (read_end(fd, &text, &is_cut)) {
        struct span all = buf_span(&text);
        const uint8_t *end = all.data + all.bytes, *at = newest(all.data, end);
        if (is_cut) cut(path, slice_of(at, (size_t)(end - at)));
        for (const uint8_t *next; at < end && (next = memchr(at, '\n', (size_t)(end - at))); at = next + 1)
            give(slice_of(at, (size_t)(next - at)), each);
    }
    close(fd);
    buf_fini(&text);
}

void history_append(const char *path, const char *entry)
{
    struct buf line = {0};
    for (const char *at = entry; *at; at++) {
        if (*at == '\n') buf_add(&line, "\\n", 2);
        else if (*at == '\\') buf_add(&line, "\\\\", 2);
        else buf_add(&line, at, 1);
    }
    buf_add(&line, "\n", 1);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, S_IRUSR | S_IWUSR);
    ssize_t n = fd >= 0 ? write(fd, buf_span(&line).data, buf_bytes(&line)) : 0;
    (void)n; /* a disk that is full costs the memory of this line */
    if (fd >= 0) close(fd);
    buf_fini(&line);
}

bool history_wants(const char *entry)
{
    bool is_blank = entry[strspn(entry, " \t\n")] == '\0';
    return !is_blank && entry[0] != ' ' && !strstr(entry, INVITATION);
}
