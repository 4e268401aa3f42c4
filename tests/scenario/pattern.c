/* pattern.c -- the matcher of pattern.h. */
#include "pattern.h"

#include <string.h>

static bool match_here(const char *line, const char *pattern)
{
    if (*pattern == '\0') return true;
    if (pattern[0] == '$' && pattern[1] == '\0') return *line == '\0';
    if (*pattern == '*') {
        for (;; line++) {
            if (match_here(line, pattern + 1)) return true;
            if (*line == '\0') return false;
        }
    }
    if (*line == '\0' || (*pattern != '?' && *pattern != *line)) return false;
    if (*pattern == ' ') line += strspn(line, " ") - 1;
    return match_here(line + 1, pattern + 1);
}

bool pattern_matches(const char *line, const char *pattern)
{
    if (*pattern == '^') return match_here(line, pattern + 1);
    for (;; line++) {
        if (match_here(line, pattern)) return true;
        if (*line == '\0') return false;
    }
}
