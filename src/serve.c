/* serve.c -- see serve.h: loop, network key, node, shell, its fronts, then turns until somebody quits. Only wiring.
 *
 * What keeps it from starting is a sentence on standard error and status 1; bad options are status 2. A first SIGTERM
 * says goodbye and ends with 0, also after failed lines; a second one ends at once. SIGINT does the same unless a
 * terminal has other uses for it. What is opened is closed in reverse: the fronts before the shell, the shell, which
 * points at the node, before the node, and the node before the loop that carries its connections. */
#include "serve.h"

#include "base/crypto.h"
#include "base/netkey.h"
#include "fail.h"
#include "guests.h"
#include "moth/invite.h"
#include "moth/loop.h"
#include "notify.h"
#include "pipes.h"
#include "script/shell.h"
#include "terminal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX (1u << 20) /* a send of MOTH_DATA_MAX bytes fits */
#define HISTORY "history"

struct app {
    struct options *options;
    struct moth_loop *loop;
    struct moth_node *node;
    struct shell *shell; /* NULL before and after it runs: events then go nowhere */
    struct pipes pipes;
    struct terminal *terminal; /* NULL: standard streams */
    struct session *session;   /* on standard streams; NULL: none */
    struct guests *guests;
    struct moth_invitation invitation; /* of moth join */
    bool interrupted;
    int status;
};

/* --- what happens while it runs --- */

static enum moth_log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (strcmp(names[i], name) == 0) return (enum moth_log_level)i;
    return MOTH_LOG_WARN;
}

static void on_log(void *owner, enum moth_log_level level, const char *text)
{
    struct app *app = owner;
    bool is_shown = level >= level_of(app->options->log) || getenv("MOTH_DEBUG");
    if (app->shell) shell_log(app->shell, level, text);
    if (is_shown && !app->terminal) fprintf(stderr, "moth: %s\n", text);
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

static void on_ready(void *owner)
{
    (void)owner;
    notify_ready();
}

static void on_signal(void *owner, int number)
{
    struct app *app = owner;
    if (number == SIGINT && app->terminal) {
        terminal_interrupt(app->terminal);
    } else if (app->interrupted) {
        moth_loop_stop(app->loop);
    } else {
        app->interrupted = true;
        notify_stopping();
        shell_end(app->shell, EXIT_SUCCESS);
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t on_turn(void *owner)
{
    struct app *app = owner;
    const struct moth_host *host = moth_loop_host(app->loop);
    uint64_t next_us = sooner(moth_node_tick(app->node), shell_tick(app->shell));
    if (app->terminal) next_us = sooner(next_us, terminal_tick(app->terminal, host->now_us(host->context)));
    return next_us;
}

/* --- a session on the standard streams --- */

static void on_speak(void *owner, enum shell_stream stream, const char *text, size_t bytes)
{
    struct app *app = owner;
    int fd = stream == SHELL_COMPLAINTS ? STDERR_FILENO : STDOUT_FILENO;
    if (!pipes_write(&app->pipes, fd, text, bytes)) on_quit(app, EXIT_FAILURE);
}

static void front_say(void *front, enum shell_stream stream, const char *text, size_t bytes, uint32_t tag)
{
    (void)tag;
    on_speak(front, stream, text, bytes);
}

static void front_amend(void *front, uint32_t tag, struct moth_bytes line, struct moth_bytes other)
{
    (void)tag, (void)line;
    on_speak(front, SHELL_ANSWERS, other.data, other.bytes);
}

static void front_prompt(void *front, const char *text)
{
    (void)front, (void)text;
}

static void front_hold(void *front, bool on)
{
    struct app *app = front;
    moth_loop_pause_lines(app->loop, on);
}

static void front_chat(void *front, bool on)
{
    (void)front, (void)on;
}

static void front_finish(void *front, int status)
{
    struct app *app = front;
    (void)status; /* the node quits with it */
    app->session = NULL;
}

static const struct shell_front functions = {front_say,  front_amend, front_prompt,
                                             front_hold, front_chat,  front_finish};

static void on_line(void *owner, const char *line, size_t bytes, int rc)
{
    struct app *app = owner;
    if (!app->session) return;
    if (line) session_line(app->session, line, bytes);
    else session_finish(app->session, rc);
}

/* --- starting --- */

static int open_loop(struct app *app)
{
    const char *home = app->options->home;
    int rc = moth_loop_open(home, &app->loop);
    if (rc == MOTH_EIN_USE)
        return fail(EXIT_FAILURE, "another moth runs on %s: moth attach is a shell of it; or give this one its own: "
                    "--home DIR", home);
    if (rc == MOTH_ENOT_FOUND)
        return fail(EXIT_FAILURE, "no home folder can be made at %s; name another: --home DIR", home);
    if (rc < 0)
        return fail(EXIT_FAILURE, "home folder %s: %s; name another: --home DIR", home, moth_error_text(rc));
    moth_loop_on_log(app->loop, on_log, app);
    return 0;
}

static int load_network_key(struct app *app, struct moth_config *config)
{
    char *network = app->options->network;
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

/* The key of the network one was invited to; it is kept, so that the next start needs no invitation. */
static int take_invitation(struct app *app, struct moth_config *config)
{
    struct moth_invitation *v = &app->invitation;
    if (app->options->program != PROGRAM_JOIN) return 0;
    int rc = moth_invitation_read(app->options->invitation, v);
    crypto_wipe(app->options->invitation, strlen(app->options->invitation)); /* all users can list our arguments */
    if (rc < 0) return fail(STATUS_USAGE, "%s", moth_invitation_error_text(rc));
    if (config->has_network_key || !v->has_network_key) return 0; /* whether it is the same network shows later */
    memcpy(config->network_key, v->network_key, sizeof config->network_key);
    config->has_network_key = true;
    rc = netkey_keep(moth_loop_host(app->loop), v->network_key);
    return rc < 0 ? fail(EXIT_FAILURE, "the network's key cannot be kept: %s", moth_error_text(rc)) : 0;
}

static int join(struct app *app)
{
    if (app->options->program != PROGRAM_JOIN) return 0;
    int rc = moth_join(app->node, &app->invitation);
    return rc < 0 ? fail(EXIT_FAILURE, "%s", moth_invitation_error_text(rc)) : 0;
}

static int open_node(struct app *app)
{
    const struct options *o = app->options;
    struct moth_config config = {.name = o->name, .listen = o->listen, .listen_next_free = !o->has_listen,
                                 .advertise = o->advertise, .open = o->open,
                                 .ttl_s = o->ttl_s, .retries = o->retries};
    memcpy(config.limits, o->limits, sizeof config.limits);
    int status = load_network_key(app, &config);
    if (status == 0) status = take_invitation(app, &config);
    if (status != 0) return status;
    int rc = moth_node_open(&config, moth_loop_host(app->loop), moth_loop_transport(app->loop), on_event, app,
                            &app->node);
    crypto_wipe(config.network_key, sizeof config.network_key);
    return rc < 0 ? fail_to_start(o, rc) : 0;
}

static int connect_all(struct app *app)
{
    for (size_t i = 0; i < app->options->connects; i++) {
        int rc = moth_connect(app->node, app->options->connect[i]);
        if (rc == 0) continue;
        int status = rc == MOTH_EBAD_ADDRESS ? STATUS_USAGE : EXIT_FAILURE;
        return fail(status, "--connect %s: %s", app->options->connect[i], moth_error_text(rc));
    }
    return 0;
}

static int open_shell(struct app *app)
{
    bool joined = app->options->program == PROGRAM_JOIN;
    char folder[OPTIONS_PATH_BYTES];
    struct shell_setup setup = {.host = moth_loop_host(app->loop), .node = app->node,
                                .transport = moth_loop_transport(app->loop), .beyond = app->options->open,
                                .load = app->options->load, .loads = app->options->loads, .speak = on_speak,
                                .folder = getcwd(folder, sizeof folder),
                                .is_alone = app->options->program == PROGRAM_RUN,
                                .joined = joined ? app->invitation.address : NULL,
                                .has_joined_key = app->invitation.has_network_key,
                                .ready = on_ready, .quit = on_quit, .owner = app};
    moth_loop_on_signal(app->loop, on_signal, app); /* who sees the first line may end it */
    app->shell = shell_open(&setup);
    return app->shell ? 0 : fail(EXIT_FAILURE, "the shell cannot start");
}

static int enter_streams(struct app *app, struct shell_terms *terms)
{
    terms->is_terminal = isatty(STDIN_FILENO);
    terms->has_colour = false;
    app->session = shell_enter(app->shell, &functions, app, terms);
    if (!app->session) return fail(EXIT_FAILURE, "the shell cannot start");
    int rc = moth_loop_read_lines(app->loop, LINE_BYTES_MAX, on_line, app);
    return rc < 0 ? fail(EXIT_FAILURE, "standard input cannot be read: %s", moth_error_text(rc)) : 0;
}

static int enter_terminal(struct app *app, struct shell_terms *terms)
{
    char history[OPTIONS_PATH_BYTES + sizeof HISTORY + 1];
    snprintf(history, sizeof history, "%s/%s", app->options->home, HISTORY);
    int rc = terminal_open(app->loop, app->shell, history, terms, &app->terminal);
    return rc < 0 ? fail(EXIT_FAILURE, "the terminal cannot be used: %s", moth_error_text(rc)) : 0;
}

static int open_session(struct app *app)
{
    const struct options *o = app->options;
    struct shell_terms terms = {.has_colour = strcmp(o->color, "off") != 0, .shows_light = o->light, .log = o->log,
                                .connect = o->connect, .connects = o->connects};
    return terminal_is_there() ? enter_terminal(app, &terms) : enter_streams(app, &terms);
}

/* Without it the node is as good; only nobody can attach. */
static void open_guests(struct app *app)
{
    int rc = guests_open(app->loop, app->shell, app->options->home, &app->guests);
    const char *why = rc == MOTH_EARGUMENT ? "the path of the home folder is too long" : moth_error_text(rc);
    if (rc < 0) fail(0, "moth attach does not work here: %s", why);
}

static int start(struct app *app)
{
    int status = open_loop(app);
    if (status == 0) status = open_node(app);
    if (status == 0) status = connect_all(app);
    if (status == 0) status = join(app);
    if (status == 0) status = open_shell(app);
    if (status == 0) open_guests(app);
    if (status == 0 && app->options->program != PROGRAM_RUN) status = open_session(app);
    return status;
}

static void finish(struct app *app)
{
    moth_invitation_wipe(&app->invitation);
    struct shell *shell = app->shell;
    struct terminal *terminal = app->terminal;
    app->shell = NULL;
    app->terminal = NULL;
    if (shell) shell_hush(shell);
    terminal_close(terminal);
    guests_close(app->guests);
    shell_close(shell);
    if (app->node) moth_node_close(app->node);
    pipes_close(&app->pipes);
    if (moth_loop_close(app->loop) < 0) _exit(app->status); /* exit would wait for the thread that is left */
}

int serve_run(struct options *o)
{
    struct app app = {.options = o};
    pipes_open(&app.pipes);
    int status = start(&app);
    if (status == 0) moth_loop_run(app.loop, on_turn, &app);
    else app.status = status;
    finish(&app);
    return app.status;
}
