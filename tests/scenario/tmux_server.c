/* tmux_server.c -- starting, asking and ending the server of tmux_server.h.
 *
 * It is a child of ours that never turns into a daemon, so that it cannot outlive us; all else is said to it by
 * short-lived clients. */
#include "tmux_server.h"
#include "folder.h"
#include "patience.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 128
#define LOOK_MS 20
#define STATUS_NO_TMUX 127

static pid_t server; /* 0: none */

static void become_tmux(const char *const arguments[])
{
    char name[32];
    const char *argv[WORDS_MAX] = {"tmux", "-u", "-L", name, "-f", "/dev/null"};
    size_t n = 6;
    snprintf(name, sizeof name, "moth-test-%d", (int)getppid());
    for (size_t i = 0; arguments[i] && n < WORDS_MAX - 1; i++) argv[n++] = arguments[i];
    setenv("TMUX_TMPDIR", folder_path(), 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("TMUX");
    execvp(argv[0], (char *const *)argv);
    _exit(STATUS_NO_TMUX);
}

static char *read_all(int fd)
{
    size_t bytes = 0, room = 4096;
    char *text = malloc(room);
    ssize_t n = 1;
    while (text && n > 0) {
        n = read(fd, text + bytes, room - bytes - 1);
        if (n > 0) bytes += (size_t)n;
        if (room - bytes < 2) text = realloc(text, room *= 2);
    }
    if (!text) abort();
    text[bytes] = '\0';
    return text;
}

char *tmux_server_ask(const char *const arguments[], int *status)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) fail_msg("pipe: %s", strerror(errno));
    pid_t client = fork();
    if (client < 0) fail_msg("fork: %s", strerror(errno));
    if (client == 0) {
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(nothing, STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        become_tmux(arguments);
    }
    close(ends[1]);
    char *text = read_all(ends[0]);
    close(ends[0]);
    waitpid(client, status, 0);
    return text;
}

void tmux_server_command(const char *const arguments[])
{
    int status;
    free(tmux_server_ask(arguments, &status));
    if (status != 0) fail_msg("tmux refused: %s", arguments[0]);
}

static void start(void)
{
    pid_t parent = getpid();
    folder_path();
    server = fork();
    if (server < 0) fail_msg("fork: %s", strerror(errno));
    if (server > 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1); /* the parent died before the line above */
    setsid();
    become_tmux((const char *const[]){"-D", NULL});
}

/* Skips the test when there is no tmux. */
static void wait_until_it_answers(void)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    int status = 1;
    while (patience_now_ms() < end_ms) {
        if (waitpid(server, &status, WNOHANG) == server) {
            server = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NO_TMUX) {
                print_message("warning: tmux is not installed\n");
                skip();
            }
            fail_msg("tmux ended with status %d", status);
        }
        free(TMUX_ASK(&status, "set", "-g", "remain-on-exit", "on"));
        if (status == 0) return;
        poll(NULL, 0, LOOK_MS);
    }
    fail_msg("tmux does not start");
}

void tmux_server_need(void)
{
    int status;
    if (server != 0) return;
    start();
    wait_until_it_answers();
    TMUX_COMMAND("set", "-g", "status", "off");
    TMUX_COMMAND("set", "-g", "history-limit", "50000");
    TMUX_COMMAND("set", "-g", "default-terminal", "screen-256color");
    TMUX_COMMAND("set", "-g", "escape-time", "0");
    free(TMUX_ASK(&status, "set", "-g", "remain-on-exit-format", "")); /* an older one draws a line of its own */
}

void tmux_server_nudge(void)
{
    if (server != 0) kill(server, SIGCHLD);
}

void tmux_server_end(void)
{
    if (server == 0) return;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    server = 0;
}
