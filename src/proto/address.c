/* address.c -- numeric addresses on the wire, as text, and how far they reach, see address.h.
 *
 * An address that a peer names is dialled only if its scope allows, so the scope must not be fooled by spelling: IPv4
 * hidden in IPv6 is judged as the IPv4 address it is. */
#include "proto/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>

static size_t ip_bytes(uint8_t family)
{
    return family == 4 ? 4 : family == 6 ? 16 : 0;
}

size_t address_bytes(const struct address *a)
{
    assert(a->family == 4 || a->family == 6);
    return 1 + ip_bytes(a->family) + 2;
}

uint8_t *address_put(uint8_t *at, const struct address *a)
{
    assert((a->family == 4 || a->family == 6) && a->port > 0);
    at = put_uint(at, a->family, 1);
    at = put_bytes(at, a->ip, ip_bytes(a->family));
    return put_uint(at, a->port, 2);
}

int address_read(struct reader *r, struct address *out)
{
    *out = (struct address){.family = (uint8_t)read_uint(r, 1)};
    if (ip_bytes(out->family) == 0) return MOTH_EMALFORMED;
    read_copy(r, out->ip, ip_bytes(out->family));
    out->port = (uint16_t)read_uint(r, 2);
    return out->port == 0 ? MOTH_EMALFORMED : 0; /* what lies past the end reads as zero, too */
}

bool address_equal(const struct address *a, const struct address *b)
{
    return a->family == b->family && a->port == b->port && memcmp(a->ip, b->ip, ip_bytes(a->family)) == 0;
}

static const struct {
    uint8_t family, ip[16];
    unsigned bits; /* of `ip` that must match */
    enum address_scope scope;
} ranges[] = {
    {4, {0}, 8, ADDRESS_UNUSABLE},
    {4, {127}, 8, ADDRESS_LOOPBACK},
    {4, {10}, 8, ADDRESS_PRIVATE},
    {4, {172, 16}, 12, ADDRESS_PRIVATE},
    {4, {192, 168}, 16, ADDRESS_PRIVATE},
    {4, {169, 254}, 16, ADDRESS_PRIVATE},
    {4, {100, 64}, 10, ADDRESS_PRIVATE},
    {4, {224}, 3, ADDRESS_UNUSABLE}, /* multicast, 240/4 and broadcast together */
    {6, {0}, 128, ADDRESS_UNUSABLE},
    {6, {[15] = 1}, 128, ADDRESS_LOOPBACK},
    {6, {0xfc}, 7, ADDRESS_PRIVATE},
    {6, {0xfe, 0x80}, 10, ADDRESS_PRIVATE},
    {6, {0xff}, 8, ADDRESS_UNUSABLE},
};

static bool has_prefix(const uint8_t *ip, const uint8_t *prefix, unsigned bits)
{
    if (memcmp(ip, prefix, bits / 8) != 0) return false;
    return bits % 8 == 0 || (ip[bits / 8] ^ prefix[bits / 8]) >> (8 - bits % 8) == 0;
}

enum address_scope address_scope(const struct address *a)
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    bool is_mapped = a->family == 6 && has_prefix(a->ip, mapped, 96);
    uint8_t family = is_mapped ? 4 : a->family;
    const uint8_t *ip = is_mapped ? a->ip + 12 : a->ip;

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].family == family && has_prefix(ip, ranges[i].ip, ranges[i].bits)) return ranges[i].scope;
    return ip_bytes(family) > 0 ? ADDRESS_PUBLIC : ADDRESS_UNUSABLE;
}

void address_format(const struct address *a, char out[MOTH_ADDRESS_TEXT_BYTES])
{
    char ip[INET6_ADDRSTRLEN] = "none";
    if (ip_bytes(a->family) > 0) inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, ip, sizeof ip);
    const char *format = a->family == 4 ? "%s:%u" : a->family == 6 ? "[%s]:%u" : "%s";
    snprintf(out, MOTH_ADDRESS_TEXT_BYTES, format, ip, (unsigned)a->port);
}

/* 1 to 65535, or 0 for anything else. */
static uint16_t parse_port(const char *text)
{
    unsigned port = 0;
    for (; *text >= '0' && *text <= '9' && port <= UINT16_MAX; text++) port = port * 10 + (unsigned)(*text - '0');
    return *text == '\0' && port <= UINT16_MAX ? (uint16_t)port : 0;
}

int address_parse(const char *text, struct address *out)
{
    struct address a = {.family = text[0] == '[' ? 6 : 4};
    const char *start = a.family == 6 ? text + 1 : text, *colon = strrchr(text, ':');
    if (!colon || (a.port = parse_port(colon + 1)) == 0) return MOTH_EBAD_ADDRESS;

    const char *end = a.family == 6 ? colon - 1 : colon;
    if (a.family == 6 && *end != ']') return MOTH_EBAD_ADDRESS;

    char ip[INET6_ADDRSTRLEN] = {0};
    if ((size_t)(end - start) >= sizeof ip) return MOTH_EBAD_ADDRESS;
    memcpy(ip, start, (size_t)(end - start));
    if (inet_pton(a.family == 4 ? AF_INET : AF_INET6, ip, a.ip) != 1) return MOTH_EBAD_ADDRESS;
    *out = a;
    return 0;
}
