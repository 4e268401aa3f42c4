/* labs.h -- files for `moth lab`, and what the last run of it (once.h) said. */
#ifndef SCENARIO_LABS_H
#define SCENARIO_LABS_H

#include <stdbool.h>

#define LABS_SOURCE_BYTES 4096

/* A file of that name and text in the folder of the test; the path lives until four more were asked for. */
const char *labs_file_named(const char *name, const char *text);
const char *labs_file(const char *text); /* lab.lua */

/* The last output, or error, has that in it; else the test fails and shows it. */
void labs_expect(const char *part);
void labs_expect_not(const char *part);
void labs_expect_error(const char *part);
void labs_expect_last_line(const char *line);

#endif
