/* doctor_private.h -- what the checks of doctor.h share; private to doctor*.c. */
#ifndef DOCTOR_PRIVATE_H
#define DOCTOR_PRIVATE_H

#include "doctor.h"

#define DOCTOR_PATH_BYTES (OPTIONS_PATH_BYTES + 32)
#define DOCTOR_SHOWN_BYTES (4 * DOCTOR_PATH_BYTES) /* a path, quoted and made safe */
#define DOCTOR_DAY_S 86400

enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_BAD, VERDICT_COUNT };

struct doctor {
    const struct options *o; /* borrowed */
    unsigned counts[VERDICT_COUNT];
    bool is_hopeless; /* there is nothing more to look at */
    bool runs;        /* a node, on that home */
    int lock_fd;      /* held, so that none starts meanwhile; -1: not */
    int64_t ahead_s;  /* how far ahead of the clock the home's files are */
};

struct doctor_path { /* of a file in the home folder */
    char real[DOCTOR_PATH_BYTES], shown[DOCTOR_SHOWN_BYTES];
};

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The line below: a command to type. */
void doctor_help(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a shell and a terminal. */
void doctor_show(const char *path, char out[DOCTOR_SHOWN_BYTES]);
struct doctor_path doctor_find(const struct doctor *d, const char *name);

/* The checks, in the order in which they run. Those of the home: */
void doctor_home(struct doctor *d);
void doctor_node(struct doctor *d);
void doctor_config(struct doctor *d);
void doctor_identity(struct doctor *d);
void doctor_network(struct doctor *d);
void doctor_reserve(struct doctor *d);
void doctor_database(struct doctor *d);

/* Those of the machine: */
void doctor_disk(struct doctor *d);
void doctor_listen(struct doctor *d);
void doctor_clock(struct doctor *d);
void doctor_open_files(struct doctor *d);

#endif
