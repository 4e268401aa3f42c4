/* peers.h -- the address book: who is known, by what name, under which keys, at which addresses.
 *
 * The first id seen with a name keeps it; later claimants are shown as name~id8 and never receive mail addressed to the
 * name. A peer keeps every name it was first to claim, so nobody inherits a name by waiting for a change. Peers are
 * known for as long as there is room; only links die. The book acts on nothing: dialling and telling are its users'
 * business. */
#ifndef NODE_PEERS_H
#define NODE_PEERS_H

#include "base/id.h"
#include "base/pool.h"
#include "base/lookup.h"
#include "node/bucket.h"
#include "proto/advert.h"

#define PEER_ADDRESSES_MAX ADVERT_ADDRESSES_MAX
#define PEER_NAMES_MAX 4
#define PEER_NEAR_MAX 4
#define PEER_DISPLAY_BYTES (MOTH_NAME_MAX + 1 + 8 + 1) /* "name~id8" */

struct origin;
struct receipts;
struct recent_ids;
struct session;

struct known_address {
    struct address address;
    uint64_t dialled_us; /* when last tried, 0: never */
    bool proven;         /* a link to the peer was open there */
};

/* What is told of somebody. It is never changed but replaced, so that all who were told the same can share it. */
struct facts {
    uint8_t ed25519_key[32], x25519_key[32]; /* zero without keys */
    char claimed[MOTH_NAME_MAX + 1]; /* "" until an advert told */
    char alias[MOTH_NAME_MAX + 1];   /* "" when the user gave none */
    char names[PEER_NAMES_MAX][MOTH_NAME_MAX + 1]; /* the names pinned to this id */
    unsigned name_count, address_count;
    struct known_address addresses[PEER_ADDRESSES_MAX];
};

/* What came of knowing somebody: of most there is none. */
struct dealings {
    struct receipts *receipts; /* borrowed: owed to them; NULL: none */
    struct recent_ids *light;  /* owned; NULL until something came */
    struct bucket broadcasts;  /* theirs that we pass on */
    uint64_t logged;           /* a bit for each reason already logged about them */
    unsigned delivered_epoch;  /* of the store, when the next two were read from it; 0: never */
    uint64_t delivered_floor, delivered_top; /* of the ids they had delivered to us: none below, none above */
    uint64_t carried_top;      /* the highest inner id of what we carry for them */
    size_t carried_bytes;      /* by us, for them */
    size_t arrived_bytes;      /* of theirs that is not handled yet */
};

struct peer { /* there may be thousands */
    struct moth_id id;
    const struct facts *facts; /* held; never NULL */
    struct pooled *near;       /* held: the ids of their first neighbours, as their last advert said; NULL: not known */
    struct origin *origin;     /* borrowed: their advert in our table, or NULL */
    struct session *session;   /* borrowed: the open link to them, or NULL */
    struct dealings *dealings; /* owned; NULL: none yet */
    int64_t row;               /* in the database; 0: not there */
    unsigned mail;             /* messages of ours waiting for them */
    unsigned held : 24;        /* who else points here: while there is mail or a holder, nobody forgets them */
    bool has_keys : 1;
    bool linked : 1, reachable : 1; /* as last told to the owner */
    bool parted : 1;                /* one of us said goodbye: no dialling until connect */
    bool clock_told : 1, name_told : 1, blocked : 1;
    bool unsaved : 1;               /* something worth keeping has changed since it was written there */
};

struct peers {
    struct lookup by_id, by_name, by_alias;
    uint64_t seed;
    struct moth_pool *pool; /* borrowed; NULL: none */
    size_t max, forget_at;
    size_t strangers;       /* those of whom we have no keys: only heard of */
};

void peers_init(struct peers *all, size_t max, uint64_t seed, struct moth_pool *pool); /* NULL: none */
void peers_fini(struct peers *all);

struct peer *peers_find(const struct peers *all, const struct moth_id *id); /* NULL: unknown */
size_t peers_count(const struct peers *all);
struct peer *peers_next(const struct peers *all, size_t *at); /* as lookup_next */

const struct dealings *peer_dealings(const struct peer *p); /* all zero when there are none */
struct dealings *peer_deal(struct peer *p);                 /* to be changed */

/* Finds or adds. When the book is full somebody unreachable makes room: one we have only heard of, or, for `proven`
 * newcomers (by a link or a signed advert), anybody. NULL: nobody could be forgotten. */
struct peer *peers_get(struct peers *all, const struct moth_id *id, bool proven);

/* Takes in keys that a handshake or a signature has proven. */
void peer_prove(struct peers *all, struct peer *p, const uint8_t ed25519_key[32], const uint8_t x25519_key[32]);

/* Takes in what a verified advert says of its origin. Returns true when the name could not be pinned because another id
 * has it: true once a peer. */
bool peer_learn(struct peers *all, struct peer *p, const struct advert *a);

void peer_claim(struct peers *all, struct peer *p, const char *name); /* the name they go by, pinned or not */

/* Reserves a name for an id that is not in the book: our own. */
bool peer_pin_name(struct peers *all, struct peer *p, const char *name);

/* A name that is only hex digits, four or more, could be taken for an id: never pinned. */
bool name_is_pinnable(const char *name);

/* Adds an address unless `scope_of_source` forbids it: loopback is learned only over loopback, private only over
 * private or loopback. With all places taken an unproven address makes room for a new one. False: it was not taken
 * in. */
bool peer_add_address(struct peers *all, struct peer *p, const struct address *a, enum address_scope scope_of_source,
                      bool proven);
void peer_dialled(struct peers *all, struct peer *p, unsigned at, uint64_t now_us); /* the address at that place */
void peer_forget_address(struct peers *all, struct peer *p, const struct address *a);
bool address_may_cross(const struct address *a, enum address_scope scope_of_link);

/* `alias` NULL or "" takes it away. MOTH_EBAD_NAME; MOTH_EIN_USE: somebody else has it. */
int peer_set_alias(struct peers *all, struct peer *p, const char *alias);

void peer_display(const struct peer *p, char out[PEER_DISPLAY_BYTES]);
void peers_display(const struct peers *all, const struct moth_id *id, char out[PEER_DISPLAY_BYTES]); /* in there or not */

/* PEER as people write it (node.h, moth_resolve). */
int peers_resolve(const struct peers *all, const char *text, struct peer **out);

/* All of them, ascending by display name, then id; the array is the caller's to free. */
struct peer **peers_sorted(const struct peers *all, size_t *count);

#endif
