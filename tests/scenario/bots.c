/* bots.c -- files, figures and restarts for bots.h. */
#include "bots.h"

#include "folder.h"
#include "loopback.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATH_BYTES 512
#define TEXT_BYTES 8192
#define PATHS 16

/* --- scripts --- */

static const char *path_of(const char *name)
{
    static char paths[PATHS][PATH_BYTES];
    static unsigned given;
    char *path = paths[given++ % PATHS];
    if (snprintf(path, PATH_BYTES, "%s/%s.lua", folder_path(), name) >= PATH_BYTES) abort();
    return path;
}

const char *bots_write(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) fail_msg("cannot write %s: %s", path, strerror(errno));
    return path;
}

static void read_text(const char *path, char out[TEXT_BYTES])
{
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("cannot read %s: %s", path, strerror(errno));
    size_t bytes = fread(out, 1, TEXT_BYTES - 1, file);
    fclose(file);
    out[bytes] = '\0';
}

/* The last place of a word in a text, or NULL. */
static const char *last_of(const char *text, const char *word)
{
    const char *last = NULL;
    for (const char *place = text; (place = strstr(place, word)); place++) last = place;
    return last;
}

const char *bots_write_changed(const char *name, const char *path, const char *from, const char *to)
{
    char text[TEXT_BYTES], changed[TEXT_BYTES];
    read_text(path, text);
    const char *place = last_of(text, from);
    if (!place) fail_msg("there is no \"%s\" in %s", from, path);
    snprintf(changed, sizeof changed, "%.*s%s%s", (int)(place - text), text, to, place + strlen(from));
    return bots_write(name, changed);
}

/* --- actors --- */

struct process *bots_node(const char *name, const char *script)
{
    return process_node(name, NULL, "--load", script, NULL);
}

struct process *bots_friend(const char *name, const struct process *to)
{
    return process_node(name, NULL, "--connect", process_address(to), NULL);
}

void bots_kill(struct process *p)
{
    process_signal(p, SIGKILL);
    assert_int_equal(process_wait(p, PROCESS_SOON_MS), 128 + SIGKILL);
}

struct process *bots_again(const struct process *p, const struct process *to, const char *script)
{
    const char *name = process_name(p), *home = process_home(p);
    if (!to) return process_node(name, home, "--load", script, NULL);
    return process_node(name, home, "--load", script, "--connect", process_address(to), NULL);
}

long long bots_number(struct process *p, const char *expression)
{
    static unsigned asked;
    char pattern[64];
    long long number;
    process_say(p, "= (\"figure %u is %%d\"):format(%s)", ++asked, expression);
    snprintf(pattern, sizeof pattern, "^figure %u is ", asked);
    const char *line = process_expect(p, pattern, 4 * PROCESS_SOON_MS);
    assert_int_equal(sscanf(line, "figure %*u is %lld", &number), 1);
    return number;
}

/* --- from outside --- */

long bots_memory_kib(const struct process *p)
{
    char path[64], line[128];
    long kib = -1;
    snprintf(path, sizeof path, "/proc/%d/status", process_pid(p));
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("cannot read %s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %ld kB", &kib) == 1) break;
    fclose(file);
    assert_true(kib > 0);
    return kib;
}

int bots_open_files(const struct process *p)
{
    char path[64];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", process_pid(p));
    DIR *folder = opendir(path);
    if (!folder) fail_msg("cannot read %s: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

unsigned bots_free_port(void)
{
    struct sockaddr_in where = loopback(0);
    socklen_t length = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 ||
        getsockname(fd, (struct sockaddr *)&where, &length) < 0)
        fail_msg("cannot find a free port: %s", strerror(errno));
    close(fd);
    return ntohs(where.sin_port);
}
