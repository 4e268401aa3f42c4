/* json_scan.c -- every token of a JSON text, looked at before cjson sees it: see json.h.
 *
 * A token is right or the text is refused, with the place of the first byte that is wrong. What cjson would change
 * leaves the text here: the scan keeps it in a table of Lua's and writes a number in its place, between blanks, so that
 * it grows together with no neighbour. That is a number above all that stay in the text as they are: whole ones of up
 * to 15 digits, or of 16 when the first is below 8 (dates in microseconds); and those with a point, of up to 15 digits
 * and the last not zero, which cannot be whole. A text with nothing of that kind is not copied. */
#include "script/json_parts.h"

#include <lauxlib.h>

#include <math.h>
#include <string.h>

#define DIGITS_SURE 15

struct scan {
    lua_State *L;
    struct json_scan *out;
    const char *text, *at, *end;
    const char *copied; /* up to here the text is in the buffer */
    lua_Integer taken;
    int array, depth;
    size_t tables, members, values, strings;
};

struct number {
    const char *text;
    size_t bytes, digits;
    bool is_whole, has_exponent;
};

/* --- refusing --- */

static bool refuse(struct scan *s, const char *what)
{
    lua_pushfstring(s->L, "not JSON: %s at character %d", what, (int)(s->at - s->text) + 1);
    return false;
}

static bool push_depth(struct scan *s)
{
    lua_pushfstring(s->L, "JSON here is at most %d deep; this is deeper at character %d", JSON_DEPTH_MAX,
                    (int)(s->at - s->text) + 1);
    return false;
}

/* --- taking out --- */

/* The token from `from` to here is the value on top of the stack, which is popped. */
static void take_out(struct scan *s, const char *from)
{
    char digits[JSON_NUMBER_BYTES];
    if (s->taken == 0) {
        lua_newtable(s->L);
        lua_replace(s->L, s->out->taken);
    }
    lua_rawseti(s->L, s->out->taken, ++s->taken);
    size_t bytes = json_write_integer((lua_Integer)JSON_PLACE + s->taken, digits);
    json_append(&s->out->text, s->copied, (size_t)(from - s->copied));
    json_append(&s->out->text, " ", 1);
    json_append(&s->out->text, digits, bytes);
    json_append(&s->out->text, " ", 1);
    s->copied = s->at;
}

/* --- numbers --- */

static size_t skip_digits(struct scan *s)
{
    const char *from = s->at;
    while (*s->at >= '0' && *s->at <= '9') s->at++;
    return (size_t)(s->at - from);
}

/* A zero byte stands behind the text, so looking at one more is fine. */
static bool scan_number(struct scan *s, struct number *n)
{
    *n = (struct number){.text = s->at, .is_whole = true};
    if (*s->at == '-') s->at++;
    bool is_zero = *s->at == '0';
    n->digits = skip_digits(s);
    if (n->digits == 0) return refuse(s, "a minus without a number");
    if (is_zero && n->digits > 1) return refuse(s, "a number that begins with 0");
    if (*s->at == '.') {
        size_t more = (s->at++, skip_digits(s));
        if (more == 0) return refuse(s, "a point without digits behind it");
        n->digits += more;
        n->is_whole = false;
    }
    if (*s->at == 'e' || *s->at == 'E') {
        s->at++;
        if (*s->at == '+' || *s->at == '-') s->at++;
        if (skip_digits(s) == 0) return refuse(s, "an exponent without digits");
        n->is_whole = false;
        n->has_exponent = true;
    }
    n->bytes = (size_t)(s->at - n->text);
    return true;
}

static bool may_stay(const struct number *n)
{
    char first = n->text[*n->text == '-'];
    if (n->is_whole) return n->digits <= DIGITS_SURE || (n->digits == DIGITS_SURE + 1 && first < '8');
    return !n->has_exponent && n->digits <= DIGITS_SURE && n->text[n->bytes - 1] != '0';
}

static bool is_zero(const struct number *n)
{
    size_t i = 0;
    while (i < n->bytes && strchr("-0.", n->text[i])) i++;
    return i == n->bytes || n->text[i] == 'e' || n->text[i] == 'E';
}

static bool push_number(struct scan *s, const struct number *n)
{
    lua_Integer whole;
    s->at = n->text; /* for what is refused */
    if (n->is_whole) {
        if (!json_read_integer(n->text, n->bytes, &whole)) return refuse(s, "a whole number of more than 64 bits");
        lua_pushinteger(s->L, whole);
    } else {
        lua_Number value = json_read_float(n->text);
        if (isinf(value)) return refuse(s, "a number too large for a float");
        if (value == 0 && !is_zero(n)) return refuse(s, "a number too small for a float");
        lua_pushnumber(s->L, value);
    }
    s->at = n->text + n->bytes;
    return true;
}

static bool take_number(struct scan *s)
{
    struct number n;
    if (!scan_number(s, &n)) return false;
    s->out->has_numbers = true;
    if (may_stay(&n)) return true;
    if (!push_number(s, &n)) return false;
    take_out(s, n.text);
    return true;
}

/* --- strings --- */

/* The four digits of \uXXXX at `at`; above 0xffff when they are none. */
static unsigned hex_of(const char *at)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i], lower = (char)(c | 0x20);
        if (c >= '0' && c <= '9') value = value << 4 | (unsigned)(c - '0');
        else if (lower >= 'a' && lower <= 'f') value = value << 4 | (unsigned)(lower - 'a' + 10);
        else return 0x10000;
    }
    return value;
}

/* Two halves are one character, and alone they are none. */
static bool scan_unicode(struct scan *s)
{
    unsigned code = hex_of(s->at + 2);
    if (code > 0xffff) return refuse(s, "\\u without four hex digits");
    if (code >= 0xdc00 && code < 0xe000) return refuse(s, "half of a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
        unsigned other = s->at[6] == '\\' && s->at[7] == 'u' ? hex_of(s->at + 8) : 0;
        if (other < 0xdc00 || other >= 0xe000) return refuse(s, "half of a surrogate pair");
        s->at += 6;
    }
    s->at += 6;
    return true;
}

static bool scan_escape(struct scan *s)
{
    char c = s->at[1];
    if (c == 'u') return scan_unicode(s);
    if (c == '\0' || !strchr("\"\\/bfnrt", c)) return refuse(s, "an unknown escape");
    s->at += 2;
    return true;
}

static bool scan_character(struct scan *s)
{
    unsigned char c = (unsigned char)*s->at;
    if (s->at == s->end) return refuse(s, "a string without an end");
    if (c == '\\') return scan_escape(s);
    if (c < 0x20) return refuse(s, "a control character in a string");
    size_t bytes = json_character(s->at, s->end);
    if (bytes == 0) return refuse(s, "a byte that is not UTF-8");
    s->at += bytes;
    return true;
}

static bool is_plain(char c)
{
    return c >= 0x20 && c != '"' && c != '\\' && (unsigned char)c < 0x80;
}

static bool scan_string(struct scan *s)
{
    s->at++;
    s->strings++;
    for (;;) {
        while (is_plain(*s->at)) s->at++;
        if (*s->at == '"') break;
        if (!scan_character(s)) return false;
    }
    s->at++;
    return true;
}

/* --- all tokens --- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool open_table(struct scan *s)
{
    if (++s->depth > JSON_DEPTH_MAX) return push_depth(s);
    s->tables++;
    s->at++;
    return true;
}

static bool open_array(struct scan *s)
{
    const char *from = s->at;
    s->out->has_arrays = true;
    if (!open_table(s)) return false;
    while (is_blank(*s->at)) s->at++;
    if (*s->at != ']') return true;
    s->at++;
    s->depth--;
    lua_newtable(s->L);
    lua_pushvalue(s->L, s->array);
    lua_setmetatable(s->L, -2);
    take_out(s, from);
    return true;
}

static bool scan_word(struct scan *s, const char *word)
{
    size_t bytes = strlen(word);
    if (strncmp(s->at, word, bytes) != 0) return refuse(s, "an unknown word");
    s->at += bytes;
    return true;
}

static bool scan_token(struct scan *s)
{
    switch (*s->at) {
    case ' ': case '\n': case '\t': case '\r': return s->at++, true;
    case ':': return s->members++, s->at++, true;
    case ',': return s->values++, s->at++, true;
    case '}': case ']':
        if (s->depth > 0) s->depth--; /* one too many is found by cjson */
        return s->at++, true;
    case '{': return open_table(s);
    case '[': return open_array(s);
    case '"': return scan_string(s);
    case 't': return scan_word(s, "true");
    case 'f': return scan_word(s, "false");
    case 'n': return scan_word(s, "null");
    case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
        return take_number(s);
    default: return refuse(s, "an unknown character");
    }
}

/* What tables, strings and slots take in Lua 5.4, while a table that doubles is there twice. */
static size_t room_for(const struct scan *s)
{
    size_t values = s->values + s->tables + 1;
    return 4096 + (size_t)(s->end - s->text) + 64 * s->tables + 48 * values + 24 * s->members + 48 * s->strings;
}

bool json_scan(lua_State *L, int index, int array, struct json_scan *out)
{
    size_t bytes;
    const char *text = lua_tolstring(L, index, &bytes);
    struct scan s = {.L = L, .out = out, .text = text, .at = text, .end = text + bytes, .copied = text, .array = array};
    json_buffer_init(&out->text, L);
    lua_pushnil(L);
    out->taken = lua_gettop(L);
    out->has_numbers = out->has_arrays = false;
    while (s.at < s.end)
        if (!scan_token(&s)) return false;
    out->is_taken = s.taken > 0;
    if (out->is_taken) json_append(&out->text, s.copied, (size_t)(s.end - s.copied));
    out->room_bytes = room_for(&s);
    return true;
}
