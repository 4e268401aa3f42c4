/* options_private.h -- one setting, from wherever it comes; private to options*.c. */
#ifndef OPTIONS_PRIVATE_H
#define OPTIONS_PRIVATE_H

#include "base/base.h"
#include "options.h"

enum option {
    OPTION_HOME, OPTION_NAME, OPTION_LISTEN, OPTION_CONNECT, OPTION_LOAD, OPTION_NETWORK, OPTION_OPEN, OPTION_NO_OPEN,
    OPTION_ADVERTISE, OPTION_TTL, OPTION_RETRIES, OPTION_COLOR, OPTION_LIGHT, OPTION_NO_LIGHT, OPTION_LOG, OPTION_LIMIT,
    OPTION_JSON, OPTION_SEED, OPTION_SEEDS, OPTION_JOBS, OPTION_ONLY, OPTION_TWICE, OPTION_HELP, OPTION_VERSION
};

struct setting {
    enum option option;
    const char *name; /* "--listen", or "listen" in config.lua; for complaints */
    int line;         /* of config.lua; 0: it stands on the command line */
    char *value;      /* borrowed for as long as the options live; NULL: it takes none */
};

/* Judges the value and puts it into `o`. 0, or MOTH_EARGUMENT with a sentence. */
int options_set(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES]);

/* A sentence about `argument`, which is made safe for terminals. MOTH_EARGUMENT. */
int options_refuse(char why[OPTIONS_WHY_BYTES], const char *before, struct slice argument, const char *after);

#endif
