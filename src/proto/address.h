/* address.h -- where a node can be dialled: a numeric address as it travels, and as people write it.
 *
 *   offset  size  meaning
 *        0     1  family: 4 or 6
 *        1  4|16  ip
 *     1+ip     2  port, at least 1
 *
 * Adverts and peer lists share this form. Names are never looked up here: an address from a peer must cost nothing to
 * judge. */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include "base/base.h"

#define ADDRESS_BYTES_MAX 19u

struct address {
    uint8_t family; /* 4 or 6; 0: none */
    uint8_t ip[16]; /* the first 4 bytes for family 4, the rest zero */
    uint16_t port;
};

/* On the wire: 7 or 19 bytes, of an address of family 4 or 6. */
uint8_t *address_put(uint8_t *at, const struct address *a);
int address_read(struct reader *r, struct address *out); /* MOTH_EMALFORMED: unknown family, port 0, short */
size_t address_bytes(const struct address *a);
bool address_equal(const struct address *a, const struct address *b);

enum address_scope { ADDRESS_LOOPBACK, ADDRESS_PRIVATE, ADDRESS_PUBLIC, ADDRESS_UNUSABLE };

/* Loopback: 127/8, ::1. Private: 10/8, 172.16/12, 192.168/16, 169.254/16, 100.64/10, fc00::/7, fe80::/10. Unusable:
 * unspecified, multicast, broadcast, IPv4 0/8 and 240/4, no family. IPv4 mapped into IPv6 counts as the IPv4 address
 * it holds. */
enum address_scope address_scope(const struct address *a);

/* "127.0.0.1:6684", "[::1]:6684", "none" without a family. Parsing takes only numeric addresses with a port from 1 to
 * 65535: MOTH_EBAD_ADDRESS otherwise; `out` is then untouched. */
void address_format(const struct address *a, char out[MOTH_ADDRESS_TEXT_BYTES]);
int address_parse(const char *text, struct address *out);

#endif
