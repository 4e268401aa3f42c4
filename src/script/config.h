/* config.h -- config.lua, the file of settings in the home folder: strict, and a program only as far as that is safe.
 *
 * The file is Lua, so that a list can be computed; it sees no libraries, and its memory and steps are bounded. Which
 * keys there are, and of which kinds, stands in lua/moth/config.lua; what a text means is for the caller to judge. */
#ifndef SCRIPT_CONFIG_H
#define SCRIPT_CONFIG_H

#include <stddef.h>

#define CONFIG_FILE "config.lua"
#define CONFIG_WHY_BYTES 256

struct config_value { /* borrowed during the call */
    const char *key;  /* "connect" */
    const char *text; /* of the value: "true", "42", "127.0.0.1:6684"; of a limit: "links=1024" */
    size_t index;     /* from 1; more than 1 in lists only */
    int line;         /* where it was set last */
};

/* Returns 0, or a negative code that ends the reading. */
typedef int (*config_each)(void *owner, const struct config_value *value);

/* Reads the file and calls `each` for what it sets, key by key in a fixed order, but only if all of it is well. It must
 * be a regular file of at most 64 KiB that nobody else can write. MOTH_ENOT_FOUND: there is none; MOTH_EARGUMENT, with
 * one sentence in `why`; or what `each` returned, with `why` left to it. */
int config_read(const char *path, config_each each, void *owner, char why[CONFIG_WHY_BYTES]);

/* The file that documents every key and sets none; free() it. */
char *config_default(void);

#endif
