/* folder.c -- making and removing the folder of folder.h. */
#include "folder.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 512

static char folder[PATH_BYTES];
static unsigned paths_given;
static pid_t folder_owner;

static int remove_entry(const char *path, const struct stat *s, int kind, struct FTW *place)
{
    (void)s, (void)kind, (void)place;
    remove(path);
    return 0;
}

/* Also runs at exit, where a child that could not exec must not take its parent's folder along. */
void folder_remove(void)
{
    if (folder[0] != '\0' && getpid() == folder_owner) nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    folder[0] = '\0';
}

const char *folder_path(void)
{
    static bool registered;
    if (folder[0] != '\0') return folder;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/moth-scenario-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) fail_msg("cannot make a folder like %s: %s", folder, strerror(errno));
    folder_owner = getpid();
    if (!registered) atexit(folder_remove);
    registered = true;
    return folder;
}

const char *folder_new_path(const char *name)
{
    static char paths[16][PATH_BYTES];
    char *path = paths[paths_given % 16];
    const char *base = folder_path();
    if (snprintf(path, PATH_BYTES, "%.256s/%.64s-%u", base, name, paths_given) >= PATH_BYTES) abort();
    paths_given++;
    return path;
}
