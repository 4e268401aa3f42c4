/* invite.h -- one line that lets others join: who a node is, where it is dialled, and the key of its network.
 *
 * The line is `moth1:` and letters, digits, - and _. It holds the node's own signed advert, as neighbours get it, so
 * that whoever reads it knows its id, name and keys before there is a link, and can send at once. A line that lost a
 * part on its way is recognised. It may hold the network key: whoever sees it can then join. */
#ifndef MOTH_INVITE_H
#define MOTH_INVITE_H

#include "node.h"

#define MOTH_INVITATION_TEXT_BYTES 12800 /* a line, whatever it holds, and the closing zero */
#define MOTH_INVITATION_ADVERT_BYTES 9480

enum moth_reach { /* who can dial the address of an invitation */
    MOTH_REACH_NOBODY,  /* it has none */
    MOTH_REACH_MACHINE, /* processes on the same machine */
    MOTH_REACH_NEAR,    /* machines of the same private network */
    MOTH_REACH_ANYWHERE
};

struct moth_invitation {
    struct moth_id id;
    char name[MOTH_NAME_MAX + 1];
    char address[MOTH_ADDRESS_TEXT_BYTES]; /* "" when it has none */
    enum moth_reach reach;
    bool has_network_key; /* without: the open network */
    uint8_t network_key[32];
    uint8_t advert[MOTH_INVITATION_ADVERT_BYTES];
    size_t advert_bytes;
};

/* Writes the invitation of this node, without a line end. MOTH_ETOO_BIG: above `capacity`. */
int moth_invite(const struct moth_node *node, char *out, size_t capacity);

/* Reads a line; blanks and line ends anywhere, and quotes around it, do not count. Needs no node. On failure `out` is
 * all zero. MOTH_EARGUMENT: no invitation at all; MOTH_EMALFORMED: damaged; MOTH_ETOO_BIG; MOTH_EVERSION;
 * MOTH_EFORGED. */
int moth_invitation_read(const char *line, struct moth_invitation *out);

/* The line of an invitation. What is derived, id, name and reach, is not read. MOTH_ETOO_BIG: above `capacity`;
 * MOTH_EARGUMENT: its parts are longer than they can be. */
int moth_invitation_write(const struct moth_invitation *invitation, char *out, size_t capacity);

void moth_invitation_wipe(struct moth_invitation *invitation); /* it may hold a key */

/* Gets to know who invites, for good, and keeps a link to the address, where only they may answer; without an address
 * there is nothing to dial. Returns at once, as moth_connect. MOTH_EWRONG_NETWORK: it is for another network;
 * MOTH_ESELF; MOTH_EUNWANTED: they are blocked here; MOTH_EFORGED, MOTH_EMALFORMED: of an invitation that was not read
 * but made; and what moth_connect says. */
int moth_join(struct moth_node *node, const struct moth_invitation *invitation);

/* What the errors of this header mean here, as a sentence for people. Static text; any int is accepted. */
const char *moth_invitation_error_text(int rc);

#endif
