/* options.h -- the command line of moth: what was asked for, or one sentence about what is wrong with it.
 *
 * Nothing is opened or looked up here but the environment: what an option means is for main and the node to
 * find out. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "moth/types.h"

#define OPTIONS_PATH_BYTES 1024
#define OPTIONS_WHY_BYTES 256
#define OPTIONS_CONNECTS_MAX 64
#define OPTIONS_LOADS_MAX 64

struct options { /* the pointers borrow from argv */
    char home[OPTIONS_PATH_BYTES];
    char name[MOTH_NAME_MAX + 1];
    const char *listen; /* NULL: do not listen */
    bool has_listen;    /* asked for: that port and no other */
    char *network;         /* NULL: not given; main wipes a passphrase */
    const char *advertise; /* NULL: not given */
    char *connect[OPTIONS_CONNECTS_MAX];
    size_t connects;
    char *load[OPTIONS_LOADS_MAX]; /* scripts, in order */
    size_t loads;
    uint32_t ttl_s, retries; /* of messages that do not say; 0: not given, and no limit */
    bool open, help, version;
};

/* 0, or MOTH_EARGUMENT with a sentence in `why`. */
int options_parse(int argc, char **argv, struct options *out, char why[OPTIONS_WHY_BYTES]);

/* A login name as a node's name: other characters than A-Z a-z 0-9 . _ - become -, and what would read as the
 * digits of an id gets an ending. */
void options_name_from_login(const char *login, char out[MOTH_NAME_MAX + 1]);

extern const char options_help[]; /* what --help prints */

#endif
