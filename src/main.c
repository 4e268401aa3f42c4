/* main.c -- the program: options, loop, network key, node, shell, then turns until somebody quits. Only
 * wiring.
 *
 * What keeps it from starting is a sentence on standard error and status 1; bad options are status 2. A first
 * SIGINT or SIGTERM says goodbye and ends with 0, also after failed lines; a second one ends at once. What is
 * opened is closed in reverse: the shell, which points at the node, before the node, and the node before the
 * loop that carries its connections. */
#include "moth/loop.h"

#include "base/crypto.h"
#include "base/netkey.h"
#include "options.h"
#include "script/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATUS_USAGE 2
#define LINE_BYTES_MAX (1u << 20) /* a send of MOTH_DATA_MAX bytes fits */
#define VERSION "0.1"

struct app {
    struct options options;
    struct moth_loop *loop;
    struct moth_node *node;
    struct shell *shell; /* NULL before and after it runs: events then go nowhere */
    bool interrupted;
    int status;
};

/* --- what happens while it runs --- */

static void on_log(void *owner, enum moth_log_level level, const char *text)
{
    (void)owner;
    if (level < MOTH_LOG_WARN && !getenv("MOTH_DEBUG")) return;
    fprintf(stderr, "moth: %s\n", text);
}

static void on_event(void *owner, const struct moth_event *event)
{
    struct app *app = owner;
    if (app->shell) shell_event(app->shell, event);
}

static void on_quit(void *owner, int status)
{
    struct app *app = owner;
    if (status != 0) app->status = status; /* a goodbye that follows a failure does not make it good */
    moth_loop_stop(app->loop);
}

static void on_line(void *owner, const char *line, size_t bytes, int rc)
{
    struct app *app = owner;
    shell_line(app->shell, line, bytes, rc);
    moth_loop_pause_lines(app->loop, shell_is_busy(app->shell));
}

static void on_signal(void *owner, int number)
{
    struct app *app = owner;
    (void)number;
    if (app->interrupted) moth_loop_stop(app->loop);
    else app->interrupted = shell_interrupt(app->shell);
}

static uint64_t on_turn(void *owner)
{
    struct app *app = owner;
    uint64_t node_us = moth_node_tick(app->node), shell_us = shell_tick(app->shell);
    moth_loop_pause_lines(app->loop, shell_is_busy(app->shell));
    return node_us < shell_us ? node_us : shell_us;
}

/* --- starting --- */

__attribute__((format(printf, 2, 3))) static int fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("moth: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

static int print(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) return EXIT_SUCCESS;
    return fail(EXIT_FAILURE, "standard output cannot be written: %s", strerror(errno));
}

/* A closed one would be given to the first file that is opened, and be written into. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(EXIT_FAILURE);
}

static int open_loop(struct app *app)
{
    const char *home = app->options.home;
    int rc = moth_loop_open(home, &app->loop);
    if (rc == MOTH_EIN_USE)
        return fail(EXIT_FAILURE, "another moth runs on %s; give this one its own: --home DIR", home);
    if (rc == MOTH_ENOT_FOUND)
        return fail(EXIT_FAILURE, "no home folder can be made at %s; name another: --home DIR", home);
    if (rc < 0)
        return fail(EXIT_FAILURE, "home folder %s: %s; name another: --home DIR", home, moth_error_text(rc));
    moth_loop_on_log(app->loop, on_log, app);
    return 0;
}

static int load_network_key(struct app *app, struct moth_config *config)
{
    char *network = app->options.network;
    if (!network) return 0;
    int rc = netkey_load(moth_loop_host(app->loop), network, config->network_key);
    config->has_network_key = rc == 0;
    if (!strchr(network, '/')) crypto_wipe(network, strlen(network)); /* all users can list our arguments */
    if (rc == 0) return 0;
    const char *shown = strchr(network, '/') ? network : "the passphrase"; /* which is nobody's business */
    if (rc == MOTH_EARGUMENT) return fail(EXIT_FAILURE, "--network: the first line of %s is empty", shown);
    if (rc == MOTH_ENOT_FOUND) return fail(EXIT_FAILURE, "--network: there is no file %s", shown);
    return fail(EXIT_FAILURE, "--network: %s: %s", shown, moth_error_text(rc));
}

static int explain_listen(const struct options *o, int rc)
{
    const char *address = o->listen ? o->listen : "none", *advertise = o->advertise ? o->advertise : "not given";
    if (rc == MOTH_EBLOCKED)
        return fail(EXIT_FAILURE, "--listen %s may let other machines in, which needs --network or --open", address);
    if (rc == MOTH_EIN_USE && o->has_listen)
        return fail(EXIT_FAILURE, "another program listens on %s; choose another port: --listen HOST:PORT", address);
    if (rc == MOTH_EIN_USE)
        return fail(EXIT_FAILURE, "no free port from %s on; choose one: --listen HOST:PORT", address);
    return fail(rc == MOTH_EBAD_ADDRESS ? STATUS_USAGE : EXIT_FAILURE, "cannot start, --listen %s, --advertise %s: %s",
                address, advertise, moth_error_text(rc));
}

static int explain_home(const struct options *o, int rc)
{
    const char *home = o->home;
    if (rc == MOTH_EMALFORMED)
        return fail(EXIT_FAILURE, "%s/identity or %s/reserve is damaged; put a copy back, or move both away for a "
                    "new id", home, home);
    if (rc == MOTH_ENEWER)
        return fail(EXIT_FAILURE, "%s/moth.db was made by a newer moth; use that one, or another home: --home DIR",
                    home);
    if (rc == MOTH_ESTORE)
        return fail(EXIT_FAILURE, "another program holds %s/moth.db; end it, or use another home: --home DIR", home);
    if (rc == MOTH_EDAMAGED)
        return fail(EXIT_FAILURE, "%s/moth.db is damaged and cannot be set aside; move it away", home);
    if (rc == MOTH_ENO_SPACE) return fail(EXIT_FAILURE, "the disk that holds %s is full; free some space", home);
    if (rc == MOTH_EIO) return fail(EXIT_FAILURE, "the home folder %s cannot be read or written", home);
    return explain_listen(o, rc);
}

static int explain_node(const struct options *o, int rc)
{
    if (rc == MOTH_EBAD_NAME) return fail(STATUS_USAGE, "--name: %s", moth_error_text(rc));
    if (rc == MOTH_EPERMISSION)
        return fail(EXIT_FAILURE, "permission denied: the files in %s must be yours to write, and the port yours to "
                    "open; see --home and --listen", o->home);
    return explain_home(o, rc);
}

static int open_node(struct app *app)
{
    const struct options *o = &app->options;
    struct moth_config config = {.name = o->name, .listen = o->listen, .listen_next_free = !o->has_listen,
                                 .advertise = o->advertise, .open = o->open,
                                 .ttl_s = o->ttl_s, .retries = o->retries};
    int status = load_network_key(app, &config);
    if (status != 0) return status;
    int rc = moth_node_open(&config, moth_loop_host(app->loop), moth_loop_transport(app->loop), on_event, app,
                            &app->node);
    crypto_wipe(config.network_key, sizeof config.network_key);
    return rc < 0 ? explain_node(o, rc) : 0;
}

static int connect_all(struct app *app)
{
    for (size_t i = 0; i < app->options.connects; i++) {
        int rc = moth_connect(app->node, app->options.connect[i]);
        if (rc == 0) continue;
        return fail(rc == MOTH_EBAD_ADDRESS ? STATUS_USAGE : EXIT_FAILURE, "--connect %s: %s", app->options.connect[i],
                    moth_error_text(rc));
    }
    return 0;
}

static int open_shell(struct app *app)
{
    struct shell_setup setup = {.host = moth_loop_host(app->loop), .node = app->node, .quit = on_quit, .owner = app,
                                .transport = moth_loop_transport(app->loop), .beyond = app->options.open,
                                .is_terminal = isatty(STDIN_FILENO), .connect = app->options.connect,
                                .connects = app->options.connects, .load = app->options.load,
                                .loads = app->options.loads};
    moth_loop_on_signal(app->loop, on_signal, app); /* who sees the first line may end it */
    app->shell = shell_open(&setup);
    return app->shell ? 0 : fail(EXIT_FAILURE, "the shell cannot start");
}

static int listen_to_user(struct app *app)
{
    moth_loop_pause_lines(app->loop, shell_is_busy(app->shell));
    int rc = moth_loop_read_lines(app->loop, LINE_BYTES_MAX, on_line, app);
    return rc < 0 ? fail(EXIT_FAILURE, "standard input cannot be read: %s", moth_error_text(rc)) : 0;
}

static int start(struct app *app)
{
    int status = open_loop(app);
    if (status == 0) status = open_node(app);
    if (status == 0) status = connect_all(app);
    if (status == 0) status = open_shell(app);
    return status == 0 ? listen_to_user(app) : status;
}

static void finish(struct app *app)
{
    struct shell *shell = app->shell;
    app->shell = NULL;
    shell_close(shell);
    if (app->node) moth_node_close(app->node);
    if (moth_loop_close(app->loop) < 0) _exit(app->status); /* exit would wait for the thread that is left */
}

int main(int argc, char **argv)
{
    char why[OPTIONS_WHY_BYTES];
    static struct app app;
    fill_standard_descriptors();
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    if (options_parse(argc, argv, &app.options, why) < 0) return fail(STATUS_USAGE, "%s; see moth --help", why);
    if (app.options.help) return print(options_help);
    if (app.options.version) return print("moth " VERSION "\n");
    int status = start(&app);
    if (status == 0) moth_loop_run(app.loop, on_turn, &app);
    else app.status = status;
    finish(&app);
    return app.status;
}
