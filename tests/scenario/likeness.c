/* likeness.c -- the matcher of likeness.h: both lines are walked together, a word of a kind at a time. */
#include "likeness.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS_LEAST 8

/* Each tells how many bytes such a word at this place has, 0 when there is none. */
static size_t digits_of(const char *at, const char *form)
{
    size_t i = 0;
    for (; form[i]; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)at[i]) : at[i] != form[i]) return 0;
    return i;
}

static size_t time_of(const char *at)
{
    size_t bytes = digits_of(at, "0000-00-00 00:00:00");
    return bytes ? bytes : digits_of(at, "00:00:00");
}

/* A number and its unit. */
static size_t amount_of(const char *at)
{
    static const char *const units[] = {"ms", "min", "s", "h", "d", "bytes", "byte", "KiB", "MiB", "GiB", "TiB"};
    size_t number = strspn(at, "0123456789.,");
    if (number == 0 || !isdigit((unsigned char)*at) || at[number] != ' ') return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t bytes = strlen(units[i]);
        if (strncmp(at + number + 1, units[i], bytes) == 0 && !isalnum((unsigned char)at[number + 1 + bytes]))
            return number + 1 + bytes;
    }
    return 0;
}

static size_t address_of(const char *at)
{
    static const char host[] = "127.0.0.1:";
    if (strncmp(at, host, sizeof host - 1) != 0) return 0;
    size_t port = strspn(at + sizeof host - 1, "0123456789");
    return port > 0 ? sizeof host - 1 + port : 0;
}

static size_t invitation_of(const char *at)
{
    static const char start[] = "moth1:";
    if (strncmp(at, start, sizeof start - 1) != 0) return 0;
    size_t rest = strspn(at + sizeof start - 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
    if (strncmp(at + sizeof start - 1 + rest, "...", 3) == 0) rest += 3; /* cut short for reading */
    return sizeof start - 1 + rest;
}

static size_t id_of(const char *at)
{
    size_t digits = strspn(at, "0123456789abcdef");
    return digits >= ID_DIGITS_LEAST && !isalnum((unsigned char)at[digits]) ? digits : 0;
}

static const struct kind {
    size_t (*length)(const char *at);
    bool is_paired;
} kinds[] = {{time_of, false}, {amount_of, false}, {address_of, true}, {invitation_of, true}, {id_of, true}};

#define KINDS (sizeof kinds / sizeof *kinds)

/* The kind of the word that starts here, or KINDS. */
static size_t kind_at(const char *at, bool is_start, size_t *bytes)
{
    for (size_t i = 0; i < KINDS && is_start; i++)
        if ((*bytes = kinds[i].length(at)) > 0) return i;
    return KINDS;
}

static bool is_pair(struct likeness *l, const char *text, size_t text_bytes, const char *program, size_t program_bytes)
{
    for (size_t i = 0; i < l->count; i++) {
        bool same_text = strlen(l->pairs[i].text) == text_bytes && strncmp(l->pairs[i].text, text, text_bytes) == 0;
        bool same =
            strlen(l->pairs[i].program) == program_bytes && strncmp(l->pairs[i].program, program, program_bytes) == 0;
        if (same_text || same) return same_text && same;
    }
    if (l->count == LIKENESS_PAIRS_MAX || text_bytes >= LIKENESS_WORD_BYTES || program_bytes >= LIKENESS_WORD_BYTES)
        return false;
    snprintf(l->pairs[l->count].text, LIKENESS_WORD_BYTES, "%.*s", (int)text_bytes, text);
    snprintf(l->pairs[l->count].program, LIKENESS_WORD_BYTES, "%.*s", (int)program_bytes, program);
    l->count++;
    return true;
}

static bool match(struct likeness *l, const char *expected, const char *printed, bool is_start)
{
    while (*expected) {
        size_t e_bytes = 0, p_bytes = 0, kind = kind_at(expected, is_start, &e_bytes);
        if (kind < KINDS) {
            if ((p_bytes = kinds[kind].length(printed)) == 0) return false;
            bool is_cut = kinds[kind].length == id_of && strncmp(expected + e_bytes, "...", 3) == 0;
            if (is_cut && e_bytes < p_bytes) p_bytes = e_bytes; /* an id cut short for reading */
            if (kinds[kind].is_paired && !is_pair(l, expected, e_bytes, printed, p_bytes)) return false;
        } else if (strncmp(expected, "...", 3) == 0) {
            for (; *printed; printed++)
                if (match(l, expected + 3, printed, true)) return true;
            return match(l, expected + 3, printed, true);
        } else if (*expected == ' ' && *printed == ' ') {
            e_bytes = strspn(expected, " ");
            p_bytes = strspn(printed, " ");
        } else if (*expected == *printed) {
            e_bytes = p_bytes = 1;
        } else {
            return false;
        }
        expected += e_bytes;
        printed += p_bytes;
        is_start = !isalnum((unsigned char)expected[-1]);
    }
    return *printed == '\0';
}

bool likeness_matches(struct likeness *l, const char *expected, const char *printed)
{
    size_t before = l->count;
    if (match(l, expected, printed, true)) return true;
    l->count = before;
    return false;
}

void likeness_pair(struct likeness *l, const char *text, const char *program)
{
    if (!is_pair(l, text, strlen(text), program, strlen(program))) abort();
}

void likeness_translate(const struct likeness *l, const char *line, char *out, size_t capacity)
{
    size_t used = 0;
    while (*line && used + 1 < capacity) {
        size_t i = 0, bytes = 0;
        while (i < l->count && strncmp(line, l->pairs[i].text, bytes = strlen(l->pairs[i].text)) != 0) i++;
        if (i == l->count) {
            out[used++] = *line++;
            continue;
        }
        int n = snprintf(out + used, capacity - used, "%s", l->pairs[i].program);
        used += (size_t)n < capacity - used ? (size_t)n : capacity - used - 1;
        line += bytes;
    }
    out[used] = '\0';
}
