/* id.c -- ids as text and as keys of a map, see id.h.
 *
 * Removal shifts the following entries back instead of leaving tombstones, so a map that churns never degrades. */
#include "base/id.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

static const char digits[] = "0123456789abcdef";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static void format(const struct moth_id *id, char *out, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        *out++ = digits[id->bytes[i] >> 4];
        *out++ = digits[id->bytes[i] & 15];
    }
    *out = '\0';
}

void moth_id_format(const struct moth_id *id, char out[MOTH_ID_TEXT_BYTES])
{
    format(id, out, MOTH_ID_BYTES);
}

void id_format_short(const struct moth_id *id, char out[ID_SHORT_BYTES])
{
    format(id, out, 4);
}

int moth_id_parse(const char *text, size_t text_bytes, struct moth_id *out)
{
    struct moth_id id;
    if (text_bytes != 2 * MOTH_ID_BYTES) return MOTH_EMALFORMED;
    for (size_t i = 0; i < MOTH_ID_BYTES; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0) return MOTH_EMALFORMED;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return 0;
}

bool id_has_prefix(const struct moth_id *id, const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > 2 * MOTH_ID_BYTES) return false;
    for (size_t i = 0; i < n; i++) {
        int mine = i % 2 == 0 ? id->bytes[i / 2] >> 4 : id->bytes[i / 2] & 15;
        if (hex_value(text[i]) != mine) return false;
    }
    return true;
}

static size_t home_slot(const struct id_map *map, const struct moth_id *id)
{
    uint64_t a, b;
    memcpy(&a, id->bytes, 8);
    memcpy(&b, id->bytes + 8, 8);
    uint64_t h = (a ^ map->seed) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32) ^ b) * 0xd6e8feb86659fd93u;
    h = (h ^ (h >> 32)) * 0x9e3779b97f4a7c15u; /* so that ids alike but for their last bytes spread too */
    return (size_t)(h ^ (h >> 32)) & (map->capacity - 1);
}

static size_t find_slot(const struct id_map *map, const struct moth_id *id)
{
    size_t at = home_slot(map, id);
    while (map->slots[at].value && !id_equal(&map->slots[at].id, id)) at = (at + 1) & (map->capacity - 1);
    return at;
}

static void grow(struct id_map *map)
{
    struct id_map old = *map;
    map->capacity = old.capacity ? old.capacity * 2 : 8;
    map->slots = mem_array(map->capacity, sizeof *map->slots);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].value) map->slots[find_slot(map, &old.slots[i].id)] = old.slots[i];
    free(old.slots);
}

void id_map_init(struct id_map *map, uint64_t seed)
{
    *map = (struct id_map){.seed = seed};
}

void id_map_fini(struct id_map *map)
{
    free(map->slots);
    *map = (struct id_map){0};
}

void *id_map_find(const struct id_map *map, const struct moth_id *id)
{
    return map->count == 0 ? NULL : map->slots[find_slot(map, id)].value;
}

void id_map_put(struct id_map *map, const struct moth_id *id, void *value)
{
    assert(value);
    if ((map->count + 1) * 4 > map->capacity * 3) grow(map);
    struct id_map_slot *slot = &map->slots[find_slot(map, id)];
    if (!slot->value) map->count++;
    slot->id = *id;
    slot->value = value;
}

void id_map_remove(struct id_map *map, const struct moth_id *id)
{
    if (map->count == 0) return;
    size_t mask = map->capacity - 1, hole = find_slot(map, id);
    if (!map->slots[hole].value) return;
    map->count--;
    for (size_t at = (hole + 1) & mask; map->slots[at].value; at = (at + 1) & mask) {
        size_t home = home_slot(map, &map->slots[at].id);
        if (((at - home) & mask) < ((at - hole) & mask)) continue; /* moving it would put it before its home */
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole].value = NULL;
}

bool id_map_next(const struct id_map *map, size_t *at, struct moth_id *id, void **value)
{
    for (; *at < map->capacity; (*at)++) {
        const struct id_map_slot *slot = &map->slots[*at];
        if (!slot->value) continue;
        *id = slot->id;
        *value = slot->value;
        (*at)++;
        return true;
    }
    return false;
}
