/* duration.c -- reads DUR texts, see duration.h. Numbers are digits with at most one point: strtod alone
 * would also take hex, infinities and signs. */
#include "script/duration.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_BYTES_MAX 15

static bool read_number(const char **at, double *out)
{
    char digits[NUMBER_BYTES_MAX + 1], *end;
    size_t bytes = strspn(*at, "0123456789.");
    if (bytes == 0 || bytes > NUMBER_BYTES_MAX) return false;
    memcpy(digits, *at, bytes);
    digits[bytes] = '\0';
    *at += bytes;
    *out = strtod(digits, &end);
    return end == digits + bytes;
}

static bool read_unit(const char **at, double *seconds)
{
    static const struct {
        const char *name;
        double seconds;
    } units[] = {{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t bytes = strlen(units[i].name);
        if (strncmp(*at, units[i].name, bytes) != 0) continue;
        *at += bytes;
        *seconds = units[i].seconds;
        return true;
    }
    return false;
}

bool duration_parse(const char *text, double *seconds)
{
    double number, unit, sum = 0;
    const char *at = text;
    if (!read_number(&at, &number)) return false;
    if (*at == '\0') {
        *seconds = number;
        return true;
    }
    for (;;) {
        if (!read_unit(&at, &unit)) return false;
        sum += number * unit;
        if (*at == '\0') break;
        if (!read_number(&at, &number)) return false;
    }
    *seconds = sum;
    return true;
}
