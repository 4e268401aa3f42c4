/* options.c -- reads the command line, see options.h: a table of options, a value for each that takes one,
 * then the defaults. */
#include "options.h"

#include "base/log.h"
#include "script/duration.h"

#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LISTEN "127.0.0.1:6684"
#define HEX_NAME_BYTES 4 /* so many hex digits and nothing else read as an id */
#define TTL_MAX_S (30 * 86400)
#define RETRIES_DIGITS_MAX 9 /* so that it fits */

const char options_help[] =
    "usage: moth [OPTION]...\n"
    "\n"
    "Starts a node of a peer-to-peer messaging network and a shell on it.\n"
    "\n"
    "  --home DIR            where identity, keys and messages are kept\n"
    "                        default: $XDG_DATA_HOME/moth or ~/.local/share/moth\n"
    "  --name NAME           how others see this node; default: the login name\n"
    "  --listen HOST:PORT    where others dial; port 0: any; none: not at all\n"
    "                        default: 127.0.0.1:6684 or the next free port\n"
    "  --connect HOST:PORT   keep a link to that node; may be repeated\n"
    "  --load SCRIPT         run a Lua script; may be repeated\n"
    "  --network FILE|PASSPHRASE\n"
    "                        the key all members share; with a / in it, a file,\n"
    "                        which is safer: others may see arguments; 64 hex\n"
    "                        digits are the key itself\n"
    "  --open                listen beyond this machine without a network key\n"
    "  --advertise HOST:PORT|none\n"
    "                        the address others are told to dial\n"
    "  --ttl DUR             how long a message waits for its recipient: 12h, 7d;\n"
    "                        at most 30d, default: 7d\n"
    "  --retries N           how often one is sent again when nobody confirms it,\n"
    "                        though there is a route; default: 0, no limit\n"
    "  --help, --version\n"
    "\n"
    "Commands come from standard input, a line each; help lists them.\n";

static int refuse(char why[OPTIONS_WHY_BYTES], const char *before, struct slice argument, const char *after)
{
    char safe[OPTIONS_WHY_BYTES / 2];
    text_safe(argument, safe, sizeof safe);
    snprintf(why, OPTIONS_WHY_BYTES, "%s%s%s", before, safe, after);
    return MOTH_EARGUMENT;
}

static int set_text(char *out, size_t capacity, const char *value, const char *option, char why[OPTIONS_WHY_BYTES])
{
    int n = snprintf(out, capacity, "%s", value);
    if (n >= 0 && (size_t)n < capacity) return 0;
    snprintf(why, OPTIONS_WHY_BYTES, "%s takes at most %zu bytes", option, capacity - 1);
    return MOTH_EARGUMENT;
}

/* Ends in a port; what stands before it is for the node to understand. */
static bool has_port(const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    return colon > value && digits > 0 && digits <= 5 && colon[1 + digits] == '\0' && atoi(colon + 1) <= 65535;
}

static int set_address(const char **out, const char *value, const char *before, char why[OPTIONS_WHY_BYTES])
{
    *out = value;
    if (has_port(value) || strcmp(value, "none") == 0) return 0;
    return refuse(why, before, slice_text(value), ", which is neither HOST:PORT nor none");
}

static int add_connect(struct options *o, char *address, char why[OPTIONS_WHY_BYTES])
{
    if (!has_port(address)) return refuse(why, "--connect got ", slice_text(address), ", which is not HOST:PORT");
    if (o->connects == OPTIONS_CONNECTS_MAX) {
        snprintf(why, OPTIONS_WHY_BYTES, "--connect can be given %d times; use the command connect for more",
                 OPTIONS_CONNECTS_MAX);
        return MOTH_EARGUMENT;
    }
    o->connect[o->connects++] = address;
    return 0;
}

static int add_load(struct options *o, char *script, char why[OPTIONS_WHY_BYTES])
{
    if (o->loads == OPTIONS_LOADS_MAX) {
        snprintf(why, OPTIONS_WHY_BYTES, "--load can be given %d times; use the command load for more",
                 OPTIONS_LOADS_MAX);
        return MOTH_EARGUMENT;
    }
    o->load[o->loads++] = script;
    return 0;
}

static int set_ttl(struct options *o, const char *value, char why[OPTIONS_WHY_BYTES])
{
    double seconds;
    if (!duration_parse(value, &seconds) || !(seconds > 0 && seconds <= TTL_MAX_S))
        return refuse(why, "--ttl got ", slice_text(value), ", which is no time like 12h or 7d, at most 30d");
    o->ttl_s = (uint32_t)ceil(seconds);
    return 0;
}

static int set_retries(struct options *o, const char *value, char why[OPTIONS_WHY_BYTES])
{
    size_t digits = strspn(value, "0123456789");
    if (value[digits] != '\0' || digits > RETRIES_DIGITS_MAX)
        return refuse(why, "--retries got ", slice_text(value), ", which is no whole number up to 999999999");
    o->retries = (uint32_t)strtoul(value, NULL, 10);
    return 0;
}

enum option { HOME, NAME, LISTEN, CONNECT, LOAD, NETWORK, OPEN, ADVERTISE, TTL, RETRIES, HELP, VERSION };

static const struct {
    const char *name;
    bool takes_value;
} table[] = {
    [HOME] = {"--home", true}, [NAME] = {"--name", true}, [LISTEN] = {"--listen", true},
    [CONNECT] = {"--connect", true}, [LOAD] = {"--load", true}, [NETWORK] = {"--network", true},
    [OPEN] = {"--open", false}, [ADVERTISE] = {"--advertise", true}, [TTL] = {"--ttl", true},
    [RETRIES] = {"--retries", true}, [HELP] = {"--help", false}, [VERSION] = {"--version", false},
};

static int apply(struct options *o, enum option option, char *value, char why[OPTIONS_WHY_BYTES])
{
    switch (option) {
    case HOME: return set_text(o->home, sizeof o->home, value, "--home", why);
    case NAME: return set_text(o->name, sizeof o->name, value, "--name", why);
    case LISTEN: o->has_listen = true; return set_address(&o->listen, value, "--listen got ", why);
    case CONNECT: return add_connect(o, value, why);
    case LOAD: return add_load(o, value, why);
    case NETWORK: o->network = value; return 0;
    case OPEN: o->open = true; return 0;
    case ADVERTISE: return set_address(&o->advertise, value, "--advertise got ", why);
    case TTL: return set_ttl(o, value, why);
    case RETRIES: return set_retries(o, value, why);
    case HELP: o->help = true; return 0;
    case VERSION: o->version = true; return 0;
    }
    return 0;
}

/* The argument after `*at`, unless it looks like the next option: then a value was forgotten. */
static char *next_value(int argc, char **argv, int *at)
{
    if (*at + 1 == argc || strncmp(argv[*at + 1], "--", 2) == 0) return NULL;
    return argv[++*at];
}

/* The option in argv[*at], with its value behind `=` or in the next argument. */
static int parse_one(int argc, char **argv, int *at, struct options *o, char why[OPTIONS_WHY_BYTES])
{
    char *argument = argv[*at], *value = strchr(argument, '=');
    size_t bytes = value ? (size_t)(value++ - argument) : strlen(argument);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strlen(table[i].name) != bytes || strncmp(argument, table[i].name, bytes) != 0) continue;
        if (value && !table[i].takes_value) return refuse(why, table[i].name, slice_text(""), " takes no value");
        if (table[i].takes_value && !value) value = next_value(argc, argv, at);
        if (table[i].takes_value && (!value || !*value))
            return refuse(why, table[i].name, slice_text(""), " needs a value");
        return apply(o, (enum option)i, value, why);
    }
    if (argument[0] == '-') return refuse(why, "there is no option ", slice_of(argument, bytes), "");
    return refuse(why, "'", slice_text(argument), "' is not an option; commands come from standard input");
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
    *out = (struct options){.listen = DEFAULT_LISTEN};
    why[0] = '\0';
    for (int at = 1; at < argc; at++)
        if (parse_one(argc, argv, &at, out, why) < 0) return MOTH_EARGUMENT;
    if (out->help || out->version) return 0;
    if (strcmp(out->listen, "none") == 0) out->listen = NULL;
    if (out->name[0] == '\0') default_name(out);
    return out->home[0] == '\0' ? default_home(out, why) : 0;
}
