/* peers.h -- the address book: who is known, by what name, under which keys, at which addresses.
 *
 * The first id seen with a name keeps it; later claimants are shown as name~id8 and never receive mail addressed to the
 * name. A peer keeps every name it was first to claim, so nobody inherits a name by waiting for a change. Peers are
 * known for as long as there is room; only links die. The book acts on nothing: dialling and telling are its users'
 * business. */
#ifndef NODE_PEERS_H
#define NODE_PEERS_H

#include "base/id.h"
#include "node/bucket.h"
#include "proto/advert.h"

#define PEER_ADDRESSES_MAX ADVERT_ADDRESSES_MAX
#define PEER_NAMES_MAX 4
#define PEER_NEAR_MAX 4
#define PEER_DISPLAY_BYTES (MOTH_NAME_MAX + 1 + 8 + 1) /* "name~id8" */

struct receipts;
struct recent_ids;
struct session;

struct known_address {
    struct address address;
    uint64_t dialled_us; /* when last tried, 0: never */
    bool proven;         /* a link to the peer was open there */
};

struct peer {
    struct moth_id id;
    char claimed[MOTH_NAME_MAX + 1]; /* "" until an advert told */
    char names[PEER_NAMES_MAX][MOTH_NAME_MAX + 1]; /* the names pinned to this id */
    unsigned name_count;
    bool has_keys;
    uint8_t ed25519_key[32], x25519_key[32];
    struct known_address addresses[PEER_ADDRESSES_MAX];
    unsigned address_count;
    struct session *session; /* borrowed: the open link to them, or NULL */
    bool linked, reachable;  /* as last told to the owner */
    bool parted;             /* one of us said goodbye: no dialling until connect */
    bool clock_told, name_told, blocked;
    char alias[MOTH_NAME_MAX + 1]; /* "" when the user gave none */
    struct receipts *receipts; /* borrowed: owed to them; NULL: none */
    unsigned mail;           /* messages of ours waiting for them */
    unsigned held;           /* who else points here: while there is mail or a holder, nobody forgets them */
    struct bucket broadcasts; /* theirs that we pass on */
    uint64_t logged;         /* a bit for each reason already logged about them */
    struct recent_ids *light; /* owned; NULL until something came */
    int64_t row;              /* in the database; 0: not there */
    bool unsaved;             /* something worth keeping has changed since it was written there */
    unsigned delivered_epoch; /* of the store, when the next two were read from it; 0: never */
    uint64_t delivered_floor, delivered_top; /* of the ids they had delivered to us: none below, none above */
    uint64_t carried_top;     /* the highest inner id of what we carry for them */
    size_t carried_bytes;     /* by us, for them */
    size_t arrived_bytes;     /* of theirs that is not handled yet */
    struct moth_id near[PEER_NEAR_MAX]; /* their neighbours, as their last advert said */
    unsigned near_count;
};

struct peers {
    struct id_map by_id, by_name, by_alias;
    size_t max, forget_at;
    size_t strangers;       /* those of whom we have no keys: only heard of */
};

void peers_init(struct peers *all, size_t max, uint64_t seed);
void peers_fini(struct peers *all);

struct peer *peers_find(const struct peers *all, const struct moth_id *id); /* NULL: unknown */

/* Finds or adds. When the book is full somebody unreachable makes room: one we have only heard of, or, for `proven`
 * newcomers (by a link or a signed advert), anybody. NULL: nobody could be forgotten. */
struct peer *peers_get(struct peers *all, const struct moth_id *id, bool proven);

/* Takes in keys that a handshake or a signature has proven. */
void peer_prove(struct peers *all, struct peer *p, const uint8_t ed25519_key[32], const uint8_t x25519_key[32]);

/* Takes in what a verified advert says of its origin. Returns true when the name could not be pinned because another id
 * has it: true once a peer. */
bool peer_learn(struct peers *all, struct peer *p, const struct advert *a);

/* Reserves a name for an id that is not in the book: our own. */
bool peer_pin_name(struct peers *all, struct peer *p, const char *name);

/* A name that is only hex digits, four or more, could be taken for an id: never pinned. */
bool name_is_pinnable(const char *name);

/* Adds an address unless `scope_of_source` forbids it: loopback is learned only over loopback, private only over
 * private or loopback. With all places taken an unproven address makes room for a new one. False: it was not taken
 * in. */
bool peer_add_address(struct peer *p, const struct address *a, enum address_scope scope_of_source, bool proven);
bool address_may_cross(const struct address *a, enum address_scope scope_of_link);

/* `alias` NULL or "" takes it away. MOTH_EBAD_NAME; MOTH_EIN_USE: somebody else has it. */
int peer_set_alias(struct peers *all, struct peer *p, const char *alias);

void peer_display(const struct peer *p, char out[PEER_DISPLAY_BYTES]);

/* PEER as people write it (node.h, moth_resolve). */
int peers_resolve(const struct peers *all, const char *text, struct peer **out);

/* All of them, ascending by display name, then id; the array is the caller's to free. */
struct peer **peers_sorted(const struct peers *all, size_t *count);

#endif
