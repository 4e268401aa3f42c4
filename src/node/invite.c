/* invite.c -- an invitation as bytes and as one line, and joining by it, see invite.h.
 *
 * A line travels by mail, chat and copying: it breaks, loses its end, gets quotes. So what stands between its
 * characters is skipped, and a sum over the rest tells damage from forgery; only the advert is signed. Its age is
 * unknown to whoever gets it, so it makes nobody reachable: the address book learns who that is, and the link tells the
 * rest.
 *
 *   offset  size  meaning
 *        0     1  version: 1
 *        1     1  1: a network key follows
 *        2  0|32  network key
 *        .   1+n  address: length, text; 0: none
 *        .   2+n  advert: length, bytes (advert.h)
 *        .     4  the first bytes of SHA-256 over a label and all before
 */
#include "moth/invite.h"

#include "base/mem.h"
#include "node/hub.h"

#include <stdlib.h>

#define PREFIX "moth1:"
#define VERSION 1
#define HAS_NETWORK_KEY 1u
#define SUM_BYTES 4u
#define BYTES_MIN (2 + 1 + 2 + SUM_BYTES)
#define BYTES_MAX (2 + 32 + 1 + MOTH_ADDRESS_TEXT_BYTES + 2 + ADVERT_BYTES_MAX + SUM_BYTES)
#define CHARACTERS_MAX CRYPTO_BASE64_CHARACTERS(BYTES_MAX)

static const char blanks[] = " \t\r\n\v\f", around[] = " \t\r\n\v\f\"'`<>";

_Static_assert(ADVERT_BYTES_MAX == MOTH_INVITATION_ADVERT_BYTES, "any advert fits");
_Static_assert(sizeof PREFIX + CHARACTERS_MAX <= MOTH_INVITATION_TEXT_BYTES, "any line fits");

static void sum(struct slice bytes, uint8_t out[SUM_BYTES])
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    crypto_sha256_pair(slice_text("moth invitation 1"), bytes, hash);
    memcpy(out, hash, SUM_BYTES);
}

void moth_invitation_wipe(struct moth_invitation *v)
{
    crypto_wipe(v, sizeof *v);
}

/* --- writing --- */

static size_t put_all(const struct moth_invitation *v, uint8_t out[BYTES_MAX])
{
    size_t address_bytes = strlen(v->address);
    uint8_t *at = put_uint(out, VERSION, 1);
    at = put_uint(at, v->has_network_key ? HAS_NETWORK_KEY : 0, 1);
    if (v->has_network_key) at = put_bytes(at, v->network_key, sizeof v->network_key);
    at = put_bytes(put_uint(at, address_bytes, 1), v->address, address_bytes);
    at = put_bytes(put_uint(at, v->advert_bytes, 2), v->advert, v->advert_bytes);
    sum(slice_of(out, (size_t)(at - out)), at);
    return (size_t)(at - out) + SUM_BYTES;
}

int moth_invitation_write(const struct moth_invitation *v, char *out, size_t capacity)
{
    bool ends = memchr(v->address, '\0', sizeof v->address) != NULL;
    if (!ends || v->advert_bytes > sizeof v->advert) return MOTH_EARGUMENT;
    uint8_t *bytes = mem_new(BYTES_MAX);
    size_t size = put_all(v, bytes), characters = CRYPTO_BASE64_CHARACTERS(size);
    bool fits = sizeof PREFIX + characters <= capacity;
    if (fits) {
        memcpy(out, PREFIX, sizeof PREFIX);
        crypto_base64_encode(slice_of(bytes, size), out + sizeof PREFIX - 1);
        out[sizeof PREFIX - 1 + characters] = '\0';
    }
    crypto_wipe(bytes, BYTES_MAX);
    free(bytes);
    return fits ? 0 : MOTH_ETOO_BIG;
}

/* --- reading --- */

static bool is_character(char c)
{
    static const char all[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    return c != '\0' && strchr(all, c) != NULL;
}

/* "moth2:" */
static bool is_other_version(const char *at)
{
    if (strncmp(at, "moth", 4) != 0) return false;
    size_t digits = strspn(at + 4, "0123456789");
    return digits > 0 && at[4 + digits] == ':';
}

/* The characters behind the prefix, without what copying put between and around them. */
static int gather(const char *line, char out[CHARACTERS_MAX], size_t *characters)
{
    const char *at = line + strspn(line, around);
    if (strncmp(at, PREFIX, sizeof PREFIX - 1) != 0) return is_other_version(at) ? MOTH_EVERSION : MOTH_EARGUMENT;
    at += sizeof PREFIX - 1;
    *characters = 0;
    for (at += strspn(at, blanks); is_character(*at); at += strspn(at, blanks)) {
        if (*characters == CHARACTERS_MAX) return MOTH_ETOO_BIG;
        out[(*characters)++] = *at++;
    }
    at += strspn(at, around);
    return *at == '\0' ? 0 : MOTH_EMALFORMED;
}

static enum moth_reach reach_of(const char *text)
{
    struct address a;
    if (text[0] == '\0') return MOTH_REACH_NOBODY;
    if (strncmp(text, "localhost:", 10) == 0) return MOTH_REACH_MACHINE;
    if (address_parse(text, &a) < 0) return MOTH_REACH_ANYWHERE; /* a name */
    switch (address_scope(&a)) {
    case ADDRESS_LOOPBACK: return MOTH_REACH_MACHINE;
    case ADDRESS_PRIVATE: return MOTH_REACH_NEAR;
    case ADDRESS_PUBLIC: return MOTH_REACH_ANYWHERE;
    case ADDRESS_UNUSABLE: return MOTH_REACH_NOBODY;
    }
    return MOTH_REACH_NOBODY;
}

static int read_address(struct reader *r, struct moth_invitation *out)
{
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    size_t bytes = (size_t)read_uint(r, 1);
    const uint8_t *text = read_raw(r, bytes);
    if (!text || bytes >= sizeof out->address || memchr(text, '\0', bytes)) return MOTH_EMALFORMED;
    *put_bytes((uint8_t *)out->address, text, bytes) = '\0';
    out->reach = reach_of(out->address);
    if (bytes == 0) return 0;
    return host_port_parse(out->address, host, &port) == 0 && port != 0 ? 0 : MOTH_EMALFORMED;
}

/* Who they are is in the advert, and is true when its signature holds. */
static int name_inviter(struct moth_invitation *out)
{
    struct slice bytes = slice_of(out->advert, out->advert_bytes);
    struct advert *a = mem_new(sizeof *a);
    int rc = advert_decode(bytes, a);
    if (rc == 0) rc = advert_verify(bytes);
    out->id = a->origin;
    memcpy(out->name, a->name, sizeof out->name);
    free(a);
    return rc;
}

static int read_advert(struct reader *r, struct moth_invitation *out)
{
    out->advert_bytes = (size_t)read_uint(r, 2);
    const uint8_t *advert = read_raw(r, out->advert_bytes);
    if (!advert || out->advert_bytes > sizeof out->advert || !reader_finished(r)) return MOTH_EMALFORMED;
    memcpy(out->advert, advert, out->advert_bytes);
    return name_inviter(out);
}

static int read_fields(struct slice fields, struct moth_invitation *out)
{
    struct reader r = reader_of(fields);
    if (read_uint(&r, 1) != VERSION) return MOTH_EVERSION;
    uint64_t flags = read_uint(&r, 1);
    if ((flags & ~(uint64_t)HAS_NETWORK_KEY) != 0) return MOTH_EVERSION;
    out->has_network_key = flags != 0;
    if (out->has_network_key) read_copy(&r, out->network_key, sizeof out->network_key);
    int rc = read_address(&r, out);
    return rc < 0 ? rc : read_advert(&r, out);
}

static int read_bytes(struct slice bytes, struct moth_invitation *out)
{
    uint8_t wanted[SUM_BYTES];
    if (bytes.bytes < BYTES_MIN) return MOTH_EMALFORMED;
    struct slice fields = slice_of(bytes.data, bytes.bytes - SUM_BYTES);
    sum(fields, wanted);
    if (memcmp(bytes.data + fields.bytes, wanted, SUM_BYTES) != 0) return MOTH_EMALFORMED;
    return read_fields(fields, out);
}

int moth_invitation_read(const char *line, struct moth_invitation *out)
{
    struct room {
        char text[CHARACTERS_MAX];
        uint8_t bytes[BYTES_MAX];
    } *room = mem_new(sizeof *room);
    size_t characters, bytes;
    *out = (struct moth_invitation){0};
    int rc = gather(line, room->text, &characters);
    if (rc == 0)
        rc = crypto_base64_decode(slice_of(room->text, characters), room->bytes, sizeof room->bytes, &bytes);
    if (rc == 0) rc = read_bytes(slice_of(room->bytes, bytes), out);
    if (rc < 0) moth_invitation_wipe(out);
    crypto_wipe(room, sizeof *room);
    free(room);
    return rc;
}

/* --- a node invites and joins --- */

int moth_invite(const struct moth_node *n, char *out, size_t capacity)
{
    const struct origin *own = topology_find(n, &n->identity.id);
    struct moth_invitation *v = mem_new(sizeof *v);
    v->has_network_key = n->has_network_key;
    if (v->has_network_key) memcpy(v->network_key, n->network_key, sizeof v->network_key);
    if (n->advertised_count > 0) address_format(&n->advertised, v->address);
    v->advert_bytes = own->advert->size;
    memcpy(v->advert, own->advert->bytes, own->advert->size);
    int rc = moth_invitation_write(v, out, capacity);
    moth_invitation_wipe(v);
    free(v);
    return rc;
}

static bool is_same_network(const struct moth_node *n, const struct moth_invitation *v)
{
    if (n->has_network_key != v->has_network_key) return false;
    return !n->has_network_key || crypto_equal(n->network_key, v->network_key, sizeof n->network_key);
}

/* What an address that came by hand may teach: no nearer ones than itself. */
static enum address_scope scope_of(enum moth_reach reach)
{
    return reach == MOTH_REACH_MACHINE ? ADDRESS_LOOPBACK : reach == MOTH_REACH_NEAR ? ADDRESS_PRIVATE : ADDRESS_PUBLIC;
}

static int check_join(const struct moth_node *n, const struct moth_invitation *v)
{
    struct moth_id origin;
    uint64_t boot, seq;
    const struct peer *p = peers_find(&n->peers, &v->id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (n->leaving) return MOTH_ESHUTDOWN;
    if (v->advert_bytes > sizeof v->advert) return MOTH_EMALFORMED;
    int rc = advert_peek(slice_of(v->advert, v->advert_bytes), &origin, &boot, &seq);
    if (rc < 0) return rc;
    if (!id_equal(&origin, &v->id)) return MOTH_EFORGED;
    if (p == n->self) return MOTH_ESELF;
    if (p && p->blocked) return MOTH_EUNWANTED;
    return is_same_network(n, v) ? 0 : MOTH_EWRONG_NETWORK;
}

int moth_join(struct moth_node *n, const struct moth_invitation *v)
{
    int rc = check_join(n, v);
    if (rc == 0) rc = topology_introduce(n, slice_of(v->advert, v->advert_bytes), scope_of(v->reach));
    if (rc < 0 || v->address[0] == '\0') return rc;
    return dial_want(n, v->address, &v->id);
}

const char *moth_invitation_error_text(int rc)
{
    switch (rc) {
    case MOTH_EARGUMENT: return "that is no invitation: one begins with moth1: and is what 'invite' prints";
    case MOTH_EMALFORMED:
        return "the invitation is damaged: a part of the line is missing or changed; copy all of it again";
    case MOTH_ETOO_BIG: return "that is too long for an invitation; copy just its line";
    case MOTH_EVERSION: return "the invitation was made by a newer moth; use that one";
    case MOTH_EFORGED:
        return "the invitation is forged: its signature does not hold; get a new one from somebody you trust";
    case MOTH_EWRONG_NETWORK:
        return "this invitation is for another network; end this node and start it with: moth join LINE";
    case MOTH_ESELF: return "that is the invitation of this node itself; give it to somebody else";
    case MOTH_EUNWANTED: return "whoever made this invitation is blocked here; unblock them first";
    default: return moth_error_text(rc);
    }
}
