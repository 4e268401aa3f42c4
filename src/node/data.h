/* data.h -- what programs keep: data (data.c) and jobs (jobs.c), with what of both is gathered since moth_begin. */
#ifndef NODE_DATA_H
#define NODE_DATA_H

#include "moth/node.h"
#include "node/overlay.h"

struct job {
    struct job *next_staged;
    struct store_write *write; /* owned while it is staged, then borrowed from the store's queue; NULL: on the disk */
    uint64_t id, due_ms;
    size_t bytes;    /* of its arguments */
    bool is_new;     /* put since moth_begin */
    bool is_dropped; /* since moth_begin */
    char name[MOTH_SPACE_MAX + 1];
};

struct data {
    struct overlay overlay;
    struct overlay_entry *staged; /* those with a staged write */
    struct job **jobs;            /* owned, by id */
    size_t job_count, job_capacity, dropped; /* dropped: how many of them are not there any more */
    struct job *staged_jobs;      /* new or dropped */
    uint64_t bytes, bytes_before; /* of all data and jobs, with those staged; at moth_begin */
    bool begun;
};

#endif
