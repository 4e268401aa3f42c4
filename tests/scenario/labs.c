/* labs.c -- see labs.h. */
#include "labs.h"
#include "folder.h"
#include "once.h"
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 512
#define PATHS 5

const char *labs_file_named(const char *name, const char *text)
{
    static char paths[PATHS][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % PATHS];
    snprintf(path, PATH_BYTES, "%s/%s", folder_path(), name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) fail_msg("cannot write %s: %s", path, strerror(errno));
    return path;
}

const char *labs_file(const char *text)
{
    return labs_file_named("lab.lua", text);
}

void labs_expect(const char *part)
{
    if (!strstr(once_output(), part)) fail_msg("'%s' is missing in:\n%s%s", part, once_output(), once_error());
}

void labs_expect_not(const char *part)
{
    if (strstr(once_output(), part)) fail_msg("'%s' should not be in:\n%s", part, once_output());
}

void labs_expect_error(const char *part)
{
    if (!strstr(once_error(), part)) fail_msg("'%s' is missing in:\n%s%s", part, once_output(), once_error());
}

void labs_expect_last_line(const char *line)
{
    const char *all = once_output();
    size_t bytes = strlen(all), wanted = strlen(line) + 1;
    const char *last = bytes >= wanted ? all + bytes - wanted : all;
    bool is_whole = last == all || last[-1] == '\n';
    bool is_it = bytes >= wanted && strncmp(last, line, wanted - 1) == 0 && all[bytes - 1] == '\n';
    if (!is_whole || !is_it) fail_msg("'%s' is not the last line of:\n%s%s", line, all, once_error());
}
