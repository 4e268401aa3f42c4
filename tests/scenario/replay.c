/* replay.c -- reading the blocks, typing the inputs, finding the outputs for replay.h. */
#include "replay.h"
#include "folder.h"
#include "likeness.h"
#include "once.h"
#include "patience.h"
#include "tmux.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEATS_MAX 8
#define LINE_BYTES 4096
#define SHOWN_MS 10000
#define STAYS_MS 1000 /* so long something else stands there: it will not change any more */
#define LOOK_MS 20

struct seat {      /* a terminal, and how far its screen has been compared */
    char name[64]; /* "" until somebody types there */
    struct tmux *terminal;
    size_t lines;
    bool may_skip; /* `...` stood before */
};

struct replay {
    struct likeness likeness;
    struct seat seats[SEATS_MAX];
    size_t seat_count;
    struct seat *seat;  /* whose output comes next; NULL: that of a command, or anybody's */
    const char *output; /* what is left of a command's, or NULL */
    bool may_skip;      /* `...` stood before, in that */
    bool is_foreign;    /* the output is that of another program */
    int line;           /* of the text */
    char *why;
    size_t capacity;
};

static bool differs(struct replay *r, const char *expected, const char *printed)
{
    snprintf(r->why, r->capacity, "line %d: expected \"%s\", but it is \"%s\"", r->line, expected, printed);
    return false;
}

/* --- terminals --- */

/* The line of that number of all that a terminal has shown, in a buffer of its own; false: there is none yet. */
static bool line_of(const char *all, size_t number, char out[LINE_BYTES])
{
    while (number > 0 && all) {
        all = strchr(all, '\n');
        if (all) all++;
        number--;
    }
    if (!all) return false;
    snprintf(out, LINE_BYTES, "%.*s", (int)strcspn(all, "\n"), all);
    size_t bytes = strlen(out);
    while (bytes > 0 && out[bytes - 1] == ' ') out[--bytes] = '\0';
    return true;
}

/* Shown without being asked for, or by the line editor. */
static bool is_aside(const struct seat *s, const char *line)
{
    size_t bytes = strlen(s->name);
    bool is_prompt = bytes > 0 && strncmp(line, s->name, bytes) == 0 &&
                     (line[bytes] == '>' || strncmp(line + bytes, " to ", 4) == 0);
    return *line == '\0' || *line == '[' || strncmp(line, "* ", 2) == 0 || strncmp(line, "...>", 4) == 0 || is_prompt;
}

/* Whether the terminal shows it by now; in `seen` is what stands there instead. */
static bool seat_shows(struct replay *r, struct seat *s, const char *expected, char seen[LINE_BYTES])
{
    const char *all = tmux_all(s->terminal);
    char line[LINE_BYTES];
    seen[0] = '\0';
    for (size_t i = s->lines; line_of(all, i, line); i++) {
        if (likeness_matches(&r->likeness, expected, line)) {
            s->lines = i + 1;
            s->may_skip = false;
            return true;
        }
        if (is_aside(s, line) || s->may_skip) continue;
        snprintf(seen, LINE_BYTES, "%s", line);
        return false;
    }
    return false;
}

static bool expect_shown(struct replay *r, const char *expected)
{
    int64_t end_ms = patience_deadline(SHOWN_MS), changes_ms = patience_deadline(STAYS_MS);
    char seen[LINE_BYTES] = "";
    while (patience_now_ms() < end_ms && (seen[0] == '\0' || patience_now_ms() < changes_ms)) {
        for (size_t i = 0; i < r->seat_count; i++)
            if ((!r->seat || r->seat == &r->seats[i]) && seat_shows(r, &r->seats[i], expected, seen)) return true;
        if (seen[0] == '\0') changes_ms = patience_deadline(STAYS_MS);
        process_listen(LOOK_MS);
    }
    return differs(r, expected, seen);
}

/* --- shell commands --- */

/* What follows `make run ARGS="`, up to the quote, is an argument of moth; other names of the program are its own. */
static void as_moth(const char *command, char out[LINE_BYTES])
{
    static const char make[] = "make run ARGS=\"", built[] = "build/moth";
    if (strncmp(command, make, sizeof make - 1) == 0)
        snprintf(out, LINE_BYTES, "moth %.*s", (int)strcspn(command + sizeof make - 1, "\""),
                 command + sizeof make - 1);
    else if (strncmp(command, built, sizeof built - 1) == 0)
        snprintf(out, LINE_BYTES, "moth%s", command + sizeof built - 1);
    else snprintf(out, LINE_BYTES, "%s", command);
}

static bool starts_with_word(const char *text, const char *word)
{
    size_t bytes = strlen(word);
    return strncmp(text, word, bytes) == 0 && (text[bytes] == ' ' || text[bytes] == '\0');
}

/* Whether moth comes back by itself: a word behind it says so, or a pipe. */
static bool ends_by_itself(const char *command)
{
    static const char *const words[] = {"do", "doctor", "config", "--help", "--version"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (starts_with_word(command + 5, words[i])) return true;
    return strpbrk(command, "|<") != NULL;
}

static bool sit_down(struct replay *r, const char *command)
{
    char line[LINE_BYTES + 8];
    if (r->seat_count == SEATS_MAX) abort();
    snprintf(line, sizeof line, "exec %s", command);
    r->seat = &r->seats[r->seat_count++];
    *r->seat = (struct seat){
        .terminal = tmux_start(command, TMUX_COLUMNS, TMUX_ROWS, (const char *const[]){"sh", "-c", line, NULL})};
    return true;
}

static bool run_command(struct replay *r, const char *text)
{
    char translated[LINE_BYTES], command[LINE_BYTES];
    likeness_translate(&r->likeness, text, translated, sizeof translated);
    as_moth(translated, command);
    r->seat = NULL;
    r->output = NULL;
    r->may_skip = r->is_foreign = false;
    if (!starts_with_word(command, "moth") && !strstr(command, "| moth ")) return r->is_foreign = true;
    if (starts_with_word(command, "moth") && !ends_by_itself(command)) return sit_down(r, command);
    snprintf(translated, sizeof translated, "{ %.4000s; } 2>&1", command);
    once_run(NULL, (const char *const[]){"sh", "-c", translated, NULL});
    r->output = once_output();
    return true;
}

static bool expect_printed(struct replay *r, const char *expected)
{
    char line[LINE_BYTES] = "";
    while (*r->output) {
        line_of(r->output, 0, line);
        r->output += strcspn(r->output, "\n");
        r->output += *r->output == '\n';
        if (likeness_matches(&r->likeness, expected, line)) {
            r->may_skip = false;
            return true;
        }
        if (!r->may_skip) return differs(r, expected, line);
    }
    return differs(r, expected, "");
}

/* All that a command printed has been expected. */
static bool finish_command(struct replay *r)
{
    char line[LINE_BYTES];
    if (!r->output || !*r->output || r->may_skip) return true;
    line_of(r->output, 0, line);
    return differs(r, "", line);
}

/* --- the text --- */

static bool is_name(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("._-", text[i])) return false;
    return bytes > 0 && bytes < 64;
}

/* The bytes of the prompt that a line starts with, 0 when it is none; how many of them are the name. */
static size_t prompt_of(const char *line, size_t *name)
{
    *name = strcspn(line, "> ");
    if (strncmp(line, "...> ", 5) == 0) return 5;
    if (!is_name(line, *name)) return 0;
    size_t end = *name;
    if (strncmp(line + end, " to ", 4) == 0) {
        size_t peer = strcspn(line + end + 4, "> ");
        if (!is_name(line + end + 4, peer)) return 0;
        end += 4 + peer;
    }
    return line[end] == '>' && (line[end + 1] == ' ' || line[end + 1] == '\0') ? end + 1 + (line[end + 1] == ' ') : 0;
}

/* The seat of that name: the one where nobody has typed yet, or the one it meant before. */
static struct seat *seat_of(struct replay *r, const char *name, size_t bytes)
{
    for (size_t i = r->seat_count; i > 0; i--) {
        struct seat *s = &r->seats[i - 1];
        if (s->name[0] == '\0') snprintf(s->name, sizeof s->name, "%.*s", (int)bytes, name);
        if (strlen(s->name) == bytes && strncmp(s->name, name, bytes) == 0) return s;
    }
    return NULL;
}

static size_t count_lines(const char *text)
{
    size_t lines = 1;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

static bool type(struct replay *r, const char *line, size_t prompt, size_t name)
{
    char text[LINE_BYTES], ready[80];
    if (line[0] != '.') r->seat = seat_of(r, line, name);
    if (!r->seat) return differs(r, line, "a prompt of nobody who was started");
    r->output = NULL;
    r->is_foreign = false;
    likeness_translate(&r->likeness, line + prompt, text, sizeof text);
    snprintf(ready, sizeof ready, line[0] == '.' ? "^...>$" : "^%.*s*>$", (int)name, line);
    tmux_expect(r->seat->terminal, ready, SHOWN_MS);
    if (r->seat->may_skip) r->seat->lines = count_lines(tmux_all(r->seat->terminal)) - 1;
    r->seat->may_skip = false;
    tmux_line(r->seat->terminal, "%s", text);
    return true;
}

static bool take_line(struct replay *r, const char *line)
{
    size_t name, prompt = prompt_of(line, &name);
    bool is_command = strncmp(line, "$ ", 2) == 0;
    if ((is_command || prompt > 0) && !finish_command(r)) return false;
    if (is_command) return run_command(r, line + 2);
    if (prompt > 0) return type(r, line, prompt, name);
    if (strcmp(line, "...") == 0) return *(r->seat ? &r->seat->may_skip : &r->may_skip) = true;
    if (*line == '\0') return true;
    if (r->is_foreign) return true;
    return r->output ? expect_printed(r, line) : expect_shown(r, line);
}

static bool take_block(struct replay *r, const char **text)
{
    char line[LINE_BYTES];
    r->seat = NULL;
    while (**text && strncmp(*text, "```", 3) != 0) {
        line_of(*text, 0, line);
        r->line++;
        *text += strcspn(*text, "\n");
        *text += **text == '\n';
        if (!take_line(r, line)) return false;
    }
    bool is_complete = finish_command(r);
    r->output = NULL;
    r->is_foreign = false;
    return is_complete;
}

static bool is_block(const char *line)
{
    static const char fence[] = "```console\n";
    return strncmp(line, fence, sizeof fence - 1) == 0;
}

static const char *next_line(const char *text)
{
    text += strcspn(text, "\n");
    return text + (*text == '\n');
}

size_t replay_blocks(const char *text)
{
    size_t count = 0;
    for (; *text; text = next_line(text)) count += is_block(text);
    return count;
}

bool replay_run(const char *text, char *why, size_t capacity)
{
    static struct replay r;
    char temporary[LINE_BYTES];
    r = (struct replay){.why = why, .capacity = capacity};
    snprintf(temporary, sizeof temporary, "%s/", folder_path());
    likeness_pair(&r.likeness, "/tmp/", temporary);
    while (*text) {
        bool starts = is_block(text);
        text = next_line(text);
        r.line++;
        if (starts && !take_block(&r, &text)) return false;
    }
    return true;
}
