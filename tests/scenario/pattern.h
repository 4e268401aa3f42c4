/* pattern.h -- what a test expects of a line, in as few signs as will do.
 *
 * A pattern is found anywhere in a line: `*` is any run of characters, `?` any one, a blank one or more blanks; `^`
 * at its start and `$` at its end tie it to the line's. Brackets, dots and the like are themselves, for lines are
 * full of them. */
#ifndef SCENARIO_PATTERN_H
#define SCENARIO_PATTERN_H

#include <stdbool.h>

bool pattern_matches(const char *line, const char *pattern);

#endif
