/* reading.c -- decoding and checking adverts, see reading.h. */
#include "node/reading.h"

#include "base/mem.h"

#include <stdlib.h>

struct reading {
    uint64_t hash; /* 0: not computed yet */
    struct advert advert; /* last: cut off behind its last neighbour */
};

bool version_is_newer(struct version a, struct version b)
{
    return a.seq != b.seq ? a.seq > b.seq : a.boot > b.boot;
}

static struct version version_of(const struct advert *a)
{
    return (struct version){.seq = a->seq, .boot = a->boot};
}

int reading_peek(const struct moth_pool *pool, struct slice bytes, struct moth_id *origin, struct version *version)
{
    const struct pooled *p = pool_find(pool, bytes);
    const struct reading *r = p ? p->memo : NULL;
    if (!r) return advert_peek(bytes, origin, &version->boot, &version->seq);
    *origin = r->advert.origin;
    *version = version_of(&r->advert);
    return 0;
}

static size_t bytes_of(const struct reading *r)
{
    return offsetof(struct reading, advert.neighbours) + r->advert.neighbour_count * sizeof *r->advert.neighbours;
}

static int decode(struct pooled *p)
{
    struct reading *r = mem_new(sizeof *r);
    int rc = advert_decode(pooled_slice(p), &r->advert);
    p->memo = p->pool && rc == 0 ? mem_resize(r, bytes_of(r), 1) : r;
    return rc;
}

static int check(struct pooled *p)
{
    int rc = decode(p);
    return rc < 0 ? rc : advert_verify(pooled_slice(p));
}

int reading_begin(struct moth_pool *pool, struct slice bytes, struct pooled **out)
{
    struct pooled *p = pool_take(pool, bytes);
    int rc = p->memo ? 0 : check(p);
    if (rc == 0) *out = p;
    else pool_drop(p);
    return rc;
}

const struct advert *reading_of(struct pooled *p)
{
    if (!p->memo) decode(p);
    return &((struct reading *)p->memo)->advert;
}

void reading_end(struct pooled *p)
{
    if (!p->pool) {
        free(p->memo);
        p->memo = NULL;
    }
    pool_drop(p);
}

static uint64_t hash_entry(const struct moth_id *origin, struct version v)
{
    uint8_t text[16], hash[CRYPTO_HASH_BYTES];
    put_uint(put_uint(text, v.seq, 8), v.boot, 8);
    crypto_sha256_pair(slice_of(origin->bytes, MOTH_ID_BYTES), slice_of(text, sizeof text), hash);
    return get_uint(hash, 8);
}

uint64_t reading_hash(struct pooled *p, const struct moth_id *origin, struct version version)
{
    struct reading *r = p->memo;
    if (!r) return hash_entry(origin, version);
    if (r->hash == 0) r->hash = hash_entry(origin, version);
    return r->hash;
}
