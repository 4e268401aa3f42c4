/* options.h -- what was asked for: the command line, over config.lua in the home folder, over the defaults; or one
 * sentence about what is wrong with it.
 *
 * The first word that is no option names one of several programs in one. What an option means beyond its form is for
 * main and the node to find out: nothing is opened or looked up here but the environment and the file. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "moth/node.h"

#define OPTIONS_PATH_BYTES 1024
#define OPTIONS_WHY_BYTES 256
#define OPTIONS_CONNECTS_MAX 64
#define OPTIONS_LOADS_MAX 64

enum program {
    PROGRAM_SHELL,  /* a node and a shell on it */
    PROGRAM_RUN,    /* a node without a shell */
    PROGRAM_ATTACH, /* a shell on a node that runs */
    PROGRAM_DO,     /* one command on a node that runs */
    PROGRAM_DOCTOR,
    PROGRAM_JOIN,   /* like PROGRAM_SHELL, but with an invitation */
    PROGRAM_CONFIG, /* prints config_default() */
    PROGRAM_LAB,    /* runs lab files */
    PROGRAM_COUNT
};

struct options_text;

#define OPTIONS_SEEDS_MAX 1000000u
#define OPTIONS_JOBS_MAX 64u

struct options_lab { /* of PROGRAM_LAB */
    uint64_t seed;  /* the first */
    unsigned seeds; /* how many; 0: as each lab says, or with a seed given, one */
    unsigned jobs;  /* processes at a time; 0: not given */
    char *only;     /* the name of one lab or test; NULL: all */
    bool has_seed;
    bool is_twice;  /* each run twice, and compared */
};

struct options { /* the pointers borrow from argv and are good until options_free */
    enum program program;
    char home[OPTIONS_PATH_BYTES];
    char name[MOTH_NAME_MAX + 1];
    const char *listen; /* NULL: do not listen */
    bool has_listen;    /* asked for: that port and no other */
    char *network;         /* NULL: not given; main wipes a passphrase */
    const char *advertise; /* NULL: not given */
    char *connect[OPTIONS_CONNECTS_MAX];
    size_t connects;
    char *load[OPTIONS_LOADS_MAX]; /* scripts, in order; of PROGRAM_RUN the words, too; of PROGRAM_LAB its files */
    size_t loads;
    uint32_t ttl_s, retries; /* of messages that do not say; 0: not given, and no limit */
    uint64_t limits[MOTH_LIMIT_COUNT]; /* 0: not given */
    const char *color;       /* "auto", "on" or "off" */
    const char *log;         /* "debug", "info", "warn" or "error": that and worse */
    char **words;            /* of PROGRAM_DO: the command, as argv has it */
    size_t word_count;
    char *invitation; /* of PROGRAM_JOIN; it may hold a network key: main wipes it */
    struct options_lab lab;
    bool open, light, json, help, version;
    bool has_config;                    /* there is a config.lua, and it was asked for */
    char config_why[OPTIONS_WHY_BYTES]; /* what is wrong with it, for PROGRAM_DOCTOR and PROGRAM_ATTACH, which go on */
    struct options_text *texts;         /* owned: what came from the file */
};

/* 0, or MOTH_EARGUMENT with a sentence in `why`; options_free in both cases. PROGRAM_DO, PROGRAM_CONFIG and PROGRAM_LAB do
 * not read config.lua; neither do --help and --version. */
int options_parse(int argc, char **argv, struct options *out, char why[OPTIONS_WHY_BYTES]);
const char *options_command(enum program program); /* as it is typed: "moth lab" */
void options_free(struct options *o); /* wipes what came from the file, for it may be a passphrase */

/* A login name as a node's name: other characters than A-Z a-z 0-9 . _ - become -, and what would read as the
 * digits of an id gets an ending. */
void options_name_from_login(const char *login, char out[MOTH_NAME_MAX + 1]);

extern const char options_help[];                  /* what moth --help prints */
const char *options_help_of(enum program program); /* moth SUBCOMMAND --help; of PROGRAM_SHELL: options_help */

#endif
