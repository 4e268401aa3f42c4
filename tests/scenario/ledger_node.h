/* ledger_node.h -- one actor of the ledger: a node in a process of its own, and what it shares with its parent. */
#ifndef SCENARIO_LEDGER_NODE_H
#define SCENARIO_LEDGER_NODE_H

#include "ledger.h"

#include "moth/types.h"

#include <stdatomic.h>

enum ledger_mood { LEDGER_SENDING, LEDGER_RESTING, LEDGER_LEAVING };

/* A flag instead of signals: it also reaches an actor that is just starting. */
struct ledger_shared {
    struct {
        atomic_int mood;        /* the parent's wish */
        atomic_bool is_known;   /* `id` is there; it stays the same over all lives */
        atomic_bool is_resting; /* nothing was sent since the wish, and nothing sent before waits for its promise */
        struct moth_id id;
    } actors[LEDGER_ACTORS];
};

struct ledger_role {
    enum ledger_actor actor;
    const char *home;
    unsigned listen_port, dial_port; /* 0: does not */
    unsigned life;                   /* how often it was started */
    int ledger;                      /* the text file, for appending */
    struct ledger_shared *shared;
};

extern const char *const ledger_names[LEDGER_ACTORS];

/* Lives the role in the calling process. Ends with 0 when it was asked to leave. */
_Noreturn void ledger_live(const struct ledger_role *role);

#endif
