/* types.h -- what every part of moth speaks: ids, errors and reasons.
 *
 * An id is the first 16 bytes of SHA-256 over a node's Ed25519 public key. Functions return 0 or a negative
 * MOTH_E… code. The same codes are the reasons for which a node discards or refuses something; their absolute
 * values travel in NOTICE frames and receipts, so a number is never reused. */
#ifndef MOTH_TYPES_H
#define MOTH_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MOTH_ID_BYTES 16
#define MOTH_ID_TEXT_BYTES 33 /* 32 hex digits and the closing zero */
#define MOTH_NAME_MAX 32      /* bytes of a node's name, without the closing zero */
#define MOTH_ADDRESS_TEXT_BYTES 64 /* "[ipv6]:port" and the closing zero */

struct moth_id {
    uint8_t bytes[MOTH_ID_BYTES];
};

enum moth_error {
    MOTH_OK = 0,
    MOTH_EMALFORMED = -1,     /* bytes that do not follow the format */
    MOTH_ETOO_BIG = -2,       /* larger than a limit */
    MOTH_EFORGED = -3,        /* a signature or an authentication tag does not hold */
    MOTH_EWRONG_NETWORK = -4, /* the other end has another network key */
    MOTH_EWRONG_IDENTITY = -5,/* the other end is not who was expected */
    MOTH_ESELF = -6,          /* this is ourselves */
    MOTH_ECLONED = -7,        /* another node runs with our key */
    MOTH_EVERSION = -8,       /* another version of the protocol */
    MOTH_ETIMEOUT = -9,
    MOTH_EFULL = -10,         /* a limit is reached */
    MOTH_EUNREACHABLE = -11,  /* no route */
    MOTH_EHOP_LIMIT = -12,    /* travelled too far */
    MOTH_ELOOP = -13,         /* came back to a node it had passed */
    MOTH_EDUPLICATE = -14,    /* seen before */
    MOTH_ETOO_OLD = -15,      /* below what is still remembered */
    MOTH_EUNKNOWN_PEER = -16, /* nobody of that name or id is known */
    MOTH_EAMBIGUOUS = -17,    /* several peers match */
    MOTH_EBAD_NAME = -18,
    MOTH_EBAD_ADDRESS = -19,
    MOTH_EIN_USE = -20,       /* taken by another process */
    MOTH_EPERMISSION = -21,
    MOTH_EIO = -22,           /* reading or writing failed */
    MOTH_ECLOSED = -23,       /* the other end closed */
    MOTH_EREFUSED = -24,      /* the other end refused */
    MOTH_ERATE = -25,         /* more often than allowed */
    MOTH_ESTALE = -26,        /* older than what is known */
    MOTH_ESLOW = -27,         /* the next link cannot keep up */
    MOTH_EUNKNOWN_SENDER = -28,/* the sender's key is not known here */
    MOTH_EEXPIRED = -29,
    MOTH_ERETRIES = -30,      /* the retries a send allowed are spent */
    MOTH_ECANCELLED = -31,
    MOTH_ELOST = -32,         /* the process ended before the message was kept */
    MOTH_EARGUMENT = -33,     /* a value that cannot be */
    MOTH_ENOT_LINKED = -34,   /* no direct link to that peer */
    MOTH_EREPLACED = -35,     /* a second link to the same peer took over */
    MOTH_EGOODBYE = -36,      /* the other end said goodbye */
    MOTH_EDEAD = -37,         /* silent for too long */
    MOTH_ENOT_FOUND = -38,
    MOTH_EUNKNOWN_KIND = -39, /* a kind this version does not know */
    MOTH_ESTALLED = -40,      /* a handshake that took too long */
    MOTH_EBLOCKED = -41,      /* the network listens beyond this machine and has no key */
    MOTH_EMISDIRECTED = -42,  /* sent by someone who may not send it */
    MOTH_ESHUTDOWN = -43,     /* this node is closing */
    MOTH_EHUNG_UP = -44,      /* the other end closed in the middle of the handshake */
    MOTH_EPEER_FULL = -45,    /* the other end takes no more links */
    MOTH_ENO_HOST = -46,      /* a host name that nobody knows */
    MOTH_ENO_SPACE = -47,     /* the disk is full */
    MOTH_ESTORE = -48,        /* the database cannot be written now: nothing new is promised */
    MOTH_EUNWANTED = -49,     /* that peer is blocked */
    MOTH_ENEWER = -50,        /* the database was made by a newer version */
    MOTH_EDAMAGED = -51,      /* the database is damaged */
    MOTH_EBUSY = -52,         /* a script has too much to do */
    MOTH_EVETOED = -53        /* a script would not have it */
};
#define MOTH_ERROR_COUNT 54

/* A sentence fragment for people ("no route to that peer") and a word for programs ("unreachable"). Static text;
 * any int is accepted. */
const char *moth_error_text(int rc);
const char *moth_error_code(int rc);

/* Writes 32 hex digits and a zero. */
void moth_id_format(const struct moth_id *id, char out[MOTH_ID_TEXT_BYTES]);

/* Reads exactly 32 hex digits of `text_bytes` bytes. MOTH_EMALFORMED otherwise; `out` is then untouched. */
int moth_id_parse(const char *text, size_t text_bytes, struct moth_id *out);

#endif
