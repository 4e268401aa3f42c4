/* options.c -- reads the command line, see options.h: a table of options and one of subcommands, the words between
 * them, then config.lua for what was not said, then the defaults. */
#include "options_private.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "near.h"
#include "script/config.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "127.0.0.1:6684"
#define HEX_NAME_BYTES 4 /* so many hex digits and nothing else read as an id */

#define BIT(i) (1u << (i))
#define NODE (BIT(PROGRAM_SHELL) | BIT(PROGRAM_RUN) | BIT(PROGRAM_JOIN)) /* who makes a node */
#define ALL (BIT(PROGRAM_COUNT) - 1)
#define LOOKS (NODE | BIT(PROGRAM_DOCTOR))
#define PATIENT (BIT(PROGRAM_ATTACH) | BIT(PROGRAM_DOCTOR)) /* who goes on when config.lua is wrong */

static const struct {
    const char *name;
    bool takes_value;
    unsigned programs; /* whom it means something to */
    const char *key;   /* in config.lua */
} table[] = {
    [OPTION_HOME] = {"--home", true, ALL, NULL},
    [OPTION_NAME] = {"--name", true, NODE, "name"},
    [OPTION_LISTEN] = {"--listen", true, LOOKS, "listen"},
    [OPTION_CONNECT] = {"--connect", true, NODE, "connect"},
    [OPTION_LOAD] = {"--load", true, NODE, "load"},
    [OPTION_NETWORK] = {"--network", true, LOOKS, "network"},
    [OPTION_OPEN] = {"--open", false, LOOKS, "open"},
    [OPTION_NO_OPEN] = {"--no-open", false, LOOKS, "open"},
    [OPTION_ADVERTISE] = {"--advertise", true, NODE, "advertise"},
    [OPTION_TTL] = {"--ttl", true, NODE, "ttl"},
    [OPTION_RETRIES] = {"--retries", true, NODE, "retries"},
    [OPTION_COLOR] = {"--color", true, NODE | BIT(PROGRAM_ATTACH), "color"},
    [OPTION_LIGHT] = {"--light", false, NODE, "light"},
    [OPTION_NO_LIGHT] = {"--no-light", false, NODE, "light"},
    [OPTION_LOG] = {"--log", true, NODE, "log"},
    [OPTION_LIMIT] = {"--limit", true, NODE, "limits"},
    [OPTION_JSON] = {"--json", false, BIT(PROGRAM_DO), NULL},
    [OPTION_SEED] = {"--seed", true, BIT(PROGRAM_LAB), NULL},
    [OPTION_SEEDS] = {"--seeds", true, BIT(PROGRAM_LAB), NULL},
    [OPTION_JOBS] = {"--jobs", true, BIT(PROGRAM_LAB), NULL},
    [OPTION_ONLY] = {"--only", true, BIT(PROGRAM_LAB), NULL},
    [OPTION_TWICE] = {"--check-determinism", false, BIT(PROGRAM_LAB), NULL},
    [OPTION_HELP] = {"--help", false, ALL, NULL},
    [OPTION_VERSION] = {"--version", false, ALL, NULL},
};
#define OPTION_COUNT (sizeof table / sizeof *table)

static const char *const subcommands[PROGRAM_COUNT] = {
    [PROGRAM_SHELL] = "moth", [PROGRAM_RUN] = "run",       [PROGRAM_ATTACH] = "attach",
    [PROGRAM_DO] = "do",      [PROGRAM_DOCTOR] = "doctor", [PROGRAM_JOIN] = "join",
    [PROGRAM_CONFIG] = "config", [PROGRAM_LAB] = "lab"};

struct command_line {
    int argc, at; /* the argument that is read */
    char **argv;
    struct options *options;
    unsigned given; /* a bit for each option */
    bool only_words;
    char *why;
};

/* --- options --- */

/* The argument after this one, unless it looks like the next option: then a value was forgotten. */
static char *next_value(struct command_line *c)
{
    if (c->at + 1 == c->argc || strncmp(c->argv[c->at + 1], "--", 2) == 0) return NULL;
    return c->argv[++c->at];
}

static int refuse_option(struct command_line *c, struct slice name)
{
    char hint[OPTIONS_WHY_BYTES / 4] = "";
    struct near near = near_to((const char *)name.data, name.bytes);
    for (size_t i = 0; i < OPTION_COUNT; i++) near_offer(&near, table[i].name);
    if (near.nearest) snprintf(hint, sizeof hint, " (did you mean %s?)", near.nearest);
    return options_refuse(c->why, "there is no option ", name, hint);
}

/* An option, with its value behind `=` or in the next argument. */
static int take_option(struct command_line *c)
{
    char *argument = c->argv[c->at], *value = strchr(argument, '=');
    size_t bytes = value ? (size_t)(value++ - argument) : strlen(argument);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *name = table[i].name;
        if (strlen(name) != bytes || strncmp(argument, name, bytes) != 0) continue;
        if (value && !table[i].takes_value) return options_refuse(c->why, name, slice_text(""), " takes no value");
        if (table[i].takes_value && !value) value = next_value(c);
        if (table[i].takes_value && (!value || !*value))
            return options_refuse(c->why, name, slice_text(""), " needs a value");
        c->given |= BIT(i);
        return options_set(c->options, &(struct setting){(enum option)i, name, 0, value}, c->why);
    }
    return refuse_option(c, slice_of(argument, bytes));
}

/* --- words --- */

static int refuse_subcommand(struct command_line *c, const char *word)
{
    char hint[OPTIONS_WHY_BYTES / 4] = "' (commands of a node that runs go behind do: moth do list)";
    struct near near = near_to(word, strlen(word));
    bool is_script = strpbrk(word, "./");
    for (int i = PROGRAM_RUN; i < PROGRAM_COUNT; i++) near_offer(&near, subcommands[i]);
    if (near.nearest) snprintf(hint, sizeof hint, "' (did you mean %s?)", near.nearest);
    else if (is_script) snprintf(hint, sizeof hint, "' (to run a script: moth run SCRIPT)");
    return options_refuse(c->why, "there is no subcommand '", slice_text(word), hint);
}

static int take_subcommand(struct command_line *c, const char *word)
{
    if (strcmp(word, "help") == 0) {
        c->options->help = true;
        return 0;
    }
    for (int i = PROGRAM_RUN; i < PROGRAM_COUNT; i++) {
        if (strcmp(word, subcommands[i]) != 0) continue;
        c->options->program = (enum program)i;
        return 0;
    }
    return refuse_subcommand(c, word);
}

static int take_script(struct command_line *c, char *word)
{
    c->given |= BIT(OPTION_LOAD);
    return options_set(c->options, &(struct setting){OPTION_LOAD, "a script", 0, word}, c->why);
}

/* What follows belongs to the command, even if it looks like an option. */
static int take_command(struct command_line *c)
{
    c->options->words = c->argv + c->at;
    c->options->word_count = (size_t)(c->argc - c->at);
    c->at = c->argc - 1;
    return 0;
}

static int take_word(struct command_line *c)
{
    char *word = c->argv[c->at];
    struct options *o = c->options;
    if (o->program == PROGRAM_SHELL) return take_subcommand(c, word);
    if (o->program == PROGRAM_RUN || o->program == PROGRAM_LAB) return take_script(c, word);
    if (o->program == PROGRAM_DO) return take_command(c);
    if (o->program != PROGRAM_JOIN) {
        char before[OPTIONS_WHY_BYTES / 4];
        snprintf(before, sizeof before, "%s takes nothing but options; '", subcommands[o->program]);
        return options_refuse(c->why, before, slice_text(word), "' is none");
    }
    if (o->invitation) return options_refuse(c->why, "join takes one line, and no more", slice_text(""), "");
    o->invitation = word;
    return 0;
}

const char *options_command(enum program program)
{
    static char text[32];
    if (program == PROGRAM_SHELL) return subcommands[program];
    snprintf(text, sizeof text, "moth %s", subcommands[program]);
    return text;
}

/* --- the command line --- */

static int take_argument(struct command_line *c)
{
    const char *argument = c->argv[c->at];
    if (c->only_words || argument[0] != '-') return take_word(c);
    if (strcmp(argument, "--") != 0) return take_option(c);
    c->only_words = true;
    return 0;
}

/* What each argument alone cannot show. */
static int check_whole(struct command_line *c)
{
    struct options *o = c->options;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        bool is_file = i == OPTION_LOAD && o->program == PROGRAM_LAB && o->loads > 0;
        if ((c->given & BIT(i)) == 0 || (table[i].programs & BIT(o->program)) != 0 || is_file) continue;
        snprintf(c->why, OPTIONS_WHY_BYTES, "%s takes no option %s", subcommands[o->program], table[i].name);
        return MOTH_EARGUMENT;
    }
    if (o->program == PROGRAM_DO && o->word_count == 0)
        return options_refuse(c->why, "do needs a command, like: moth do list", slice_text(""), "");
    if (o->program == PROGRAM_LAB && o->loads == 0)
        return options_refuse(c->why, "lab needs a file, like: moth lab partition.lua", slice_text(""), "");
    if (o->program == PROGRAM_JOIN && !o->invitation)
        return options_refuse(c->why, "join needs the line that invite printed", slice_text(""), "");
    return 0;
}

static int read_command_line(struct command_line *c)
{
    for (c->at = 1; c->at < c->argc; c->at++)
        if (take_argument(c) < 0) return MOTH_EARGUMENT;
    return c->options->help || c->options->version ? 0 : check_whole(c);
}

/* --- config.lua --- */

struct options_text {
    struct options_text *next;
    size_t bytes;
    char text[];
};

/* A copy; of a relative path, one that begins at the home folder. */
static char *own(struct options *o, const char *text, bool is_path)
{
    size_t room = (is_path ? strlen(o->home) + 1 : 0) + strlen(text) + 1;
    struct options_text *t = mem_new(sizeof *t + room);
    snprintf(t->text, room, "%s%s%s", is_path ? o->home : "", is_path ? "/" : "", text);
    t->bytes = room;
    t->next = o->texts;
    o->texts = t;
    return t->text;
}

void options_free(struct options *o)
{
    while (o->texts) {
        struct options_text *t = o->texts;
        o->texts = t->next;
        crypto_wipe(t->text, t->bytes);
        free(t);
    }
}

static bool is_relative_path(enum option option, const char *text)
{
    if (text[0] == '/') return false;
    return option == OPTION_LOAD || (option == OPTION_NETWORK && strchr(text, '/'));
}

struct file {
    struct options *options, *unused; /* the second takes what the command line has said already */
    unsigned given;
    char *why;
};

static bool is_given(unsigned given, const char *key)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((given & BIT(i)) != 0 && table[i].key && strcmp(table[i].key, key) == 0) return true;
    return false;
}

/* Also what does not count is judged: a file is well or not, whatever the command line says. */
static int take_setting(void *owner, const struct config_value *v)
{
    struct file *f = owner;
    size_t i = 0;
    while (!table[i].key || strcmp(table[i].key, v->key) != 0) i++;
    char *value = own(f->options, v->text, is_relative_path((enum option)i, v->text));
    struct options *o = is_given(f->given, v->key) ? f->unused : f->options;
    return options_set(o, &(struct setting){(enum option)i, v->key, v->line, value}, f->why);
}

static int read_config(struct options *o, unsigned given, char why[OPTIONS_WHY_BYTES])
{
    char path[OPTIONS_PATH_BYTES + sizeof "/" CONFIG_FILE];
    struct options unused = {.texts = NULL};
    struct file file = {.options = o, .unused = &unused, .given = given, .why = why};
    snprintf(path, sizeof path, "%s/" CONFIG_FILE, o->home);
    int rc = config_read(path, take_setting, &file, why);
    o->has_config = rc != MOTH_ENOT_FOUND;
    return o->has_config ? rc : 0;
}

static int use_config(struct options *o, unsigned given, char why[OPTIONS_WHY_BYTES])
{
    _Static_assert(OPTIONS_WHY_BYTES == CONFIG_WHY_BYTES, "they say the same");
    if ((BIT(o->program) & (NODE | PATIENT)) == 0) return 0;
    int rc = read_config(o, given, why);
    if (rc == 0 || (BIT(o->program) & PATIENT) == 0) return rc;
    memcpy(o->config_why, why, sizeof o->config_why);
    why[0] = '\0';
    return 0;
}

/* --- defaults --- */

static bool is_allowed(char c)
{
    bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return is_letter || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

void options_name_from_login(const char *login, char out[MOTH_NAME_MAX + 1])
{
    static const char ending[] = "-node";
    size_t bytes = strnlen(login, MOTH_NAME_MAX);
    for (size_t i = 0; i < bytes; i++) out[i] = is_allowed(login[i]) ? login[i] : '-';
    out[bytes] = '\0';
    if (bytes == 0) memcpy(out, "moth", sizeof "moth");
    if (bytes < HEX_NAME_BYTES || strspn(out, "0123456789abcdefABCDEF") != bytes) return;
    if (bytes > MOTH_NAME_MAX - strlen(ending)) bytes = MOTH_NAME_MAX - strlen(ending);
    memcpy(out + bytes, ending, sizeof ending);
}

static const struct passwd *user(void)
{
    return getpwuid(geteuid());
}

static int default_home(struct options *o, char why[OPTIONS_WHY_BYTES])
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n = -1;
    if (data && data[0] == '/') {
        n = snprintf(o->home, sizeof o->home, "%s/moth", data);
    } else {
        if ((!home || !*home) && user()) home = user()->pw_dir;
        if (home && *home) n = snprintf(o->home, sizeof o->home, "%s/.local/share/moth", home);
    }
    if (n > 0 && (size_t)n < sizeof o->home) return 0;
    snprintf(why, OPTIONS_WHY_BYTES, "there is no home folder to be found; name one with --home DIR");
    return MOTH_EARGUMENT;
}

static void default_name(struct options *o)
{
    const char *login = user() ? user()->pw_name : getenv("LOGNAME");
    options_name_from_login(login ? login : "", o->name);
}

int options_parse(int argc, char **argv, struct options *out, char why[OPTIONS_WHY_BYTES])
{
    struct command_line c = {.argc = argc, .argv = argv, .options = out, .why = why};
    *out = (struct options){.listen = DEFAULT_LISTEN, .color = "auto", .log = "warn", .lab.seed = 1};
    why[0] = '\0';
    int rc = read_command_line(&c);
    if (rc < 0 || out->help || out->version) return rc;
    if (out->home[0] == '\0' && out->program != PROGRAM_LAB) rc = default_home(out, why);
    if (rc == 0) rc = use_config(out, c.given, why);
    if (out->name[0] == '\0') default_name(out);
    return rc;
}
