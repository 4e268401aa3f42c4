/* files.c -- see files.h. Names are gathered before Lua gets any of them: an error of Lua's would leave the folder open.
 * Where they are gathered belongs to Lua. */
#include "script/files.h"

#include <lauxlib.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX 1000
#define ENTRIES_MAX 20000

struct listing {
    int count;
    char names[NAMES_MAX][NAME_MAX + 2]; /* a / and the closing zero */
};

/* `..` only for who asks for it: it is in every folder. */
static bool is_wanted(const char *name, const char *prefix)
{
    if (strncmp(name, prefix, strlen(prefix)) != 0 || strcmp(name, ".") == 0) return false;
    if (strcmp(name, "..") == 0) return strcmp(prefix, "..") == 0;
    return name[0] != '.' || prefix[0] == '.';
}

/* Also when a link leads to one. */
static bool is_folder(DIR *dir, const struct dirent *entry)
{
    struct stat about;
    if (entry->d_type == DT_DIR) return true;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) return false;
    return fstatat(dirfd(dir), entry->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static void gather(struct listing *all, DIR *dir, const char *prefix)
{
    const struct dirent *entry;
    for (int n = 0; n < ENTRIES_MAX && all->count < NAMES_MAX && (entry = readdir(dir)); n++) {
        if (!is_wanted(entry->d_name, prefix)) continue;
        snprintf(all->names[all->count++], NAME_MAX + 2, "%s%s", entry->d_name, is_folder(dir, entry) ? "/" : "");
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* core.files(folder, prefix) */
static int l_files(lua_State *L)
{
    const char *folder = luaL_checkstring(L, 1), *prefix = luaL_checkstring(L, 2);
    struct listing *all = lua_newuserdatauv(L, sizeof *all, 0);
    all->count = 0;
    DIR *dir = opendir(*folder ? folder : ".");
    if (dir) {
        gather(all, dir, prefix);
        closedir(dir);
    }
    qsort(all->names, (size_t)all->count, sizeof *all->names, compare_names);
    lua_createtable(L, all->count, 0);
    for (int i = 0; i < all->count; i++) {
        lua_pushstring(L, all->names[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

void files_open(lua_State *L)
{
    lua_pushcfunction(L, l_files);
    lua_setfield(L, -2, "files");
}
