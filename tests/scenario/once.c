/* once.c -- starting, waiting and reading for once.h. */
#include "once.h"
#include "folder.h"
#include "patience.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define PATH_BYTES 512
#define LOOK_MS 5
#define PATIENCE_MS 30000
#define STATUS_NOT_FOUND 127

/* Where the streams of a program go, and what was read of them. */
struct result {
    char command[PATH_BYTES], output_path[PATH_BYTES], error_path[PATH_BYTES];
    char *output, *error;
};

static struct result last, filtered;

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t bytes = 0;
    if (!file) fail_msg("cannot read %s: %s", path, strerror(errno));
    if (getdelim(&text, &bytes, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    if (!text) abort();
    return text;
}

static void redirect(const char *path, int flags, int to)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, to) < 0) _exit(126);
}

static void become(const struct result *r, const char *input, const char *const argv[])
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    redirect(input ? input : "/dev/null", O_RDONLY, STDIN_FILENO);
    redirect(r->output_path, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect(r->error_path, O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL);
    setenv("XDG_DATA_HOME", folder_path(), 1); /* no test ever touches somebody's real home */
    execvp(argv[0], (char *const *)argv);
    _exit(STATUS_NOT_FOUND);
}

static int wait_for(pid_t child, const char *name)
{
    int64_t end_ms = patience_deadline(PATIENCE_MS);
    int status;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (patience_now_ms() >= end_ms) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
            fail_msg("%s still runs after %d ms", name, PATIENCE_MS * patience_factor());
        }
        process_listen(LOOK_MS);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void note_command(struct result *r, const char *const argv[])
{
    size_t used = 0;
    for (size_t i = 0; argv[i] && used < PATH_BYTES - 1; i++) {
        int n = snprintf(r->command + used, PATH_BYTES - used, "%s%s", i > 0 ? " " : "", argv[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

static int run(struct result *r, const char *input, const char *const argv[])
{
    note_command(r, argv);
    snprintf(r->output_path, PATH_BYTES, "%s/%s", folder_path(), r == &last ? "output" : "filtered");
    snprintf(r->error_path, PATH_BYTES, "%s/%s", folder_path(), r == &last ? "error" : "filter-error");
    pid_t child = fork();
    if (child < 0) fail_msg("fork: %s", strerror(errno));
    if (child == 0) become(r, input, argv);
    int status = wait_for(child, argv[0]);
    free(r->output);
    free(r->error);
    r->output = read_file(r->output_path);
    r->error = read_file(r->error_path);
    return status;
}

int once_run(const char *input, const char *const argv[])
{
    return run(&last, input, argv);
}

int once_moth(const char *const arguments[])
{
    const char *argv[ARGUMENTS_MAX] = {getenv("MOTH") ? getenv("MOTH") : "build/moth"};
    for (size_t i = 0; arguments[i] && i < ARGUMENTS_MAX - 2; i++) argv[i + 1] = arguments[i];
    return once_run(NULL, argv);
}

const char *once_output(void)
{
    return last.output;
}

const char *once_error(void)
{
    return last.error;
}

const char *once_jq(const char *filter)
{
    int status = run(&filtered, last.output_path, (const char *const[]){"jq", "-e", "-r", filter, NULL});
    if (status == STATUS_NOT_FOUND) {
        print_message("warning: jq is not installed\n");
        skip();
    }
    if (status != 0) {
        print_error("%s: %s\n", last.command, last.output);
        fail_msg("about that jq '%s' says %s%s", filter, filtered.output, filtered.error);
    }
    size_t bytes = strlen(filtered.output);
    if (bytes > 0 && filtered.output[bytes - 1] == '\n') filtered.output[bytes - 1] = '\0';
    return filtered.output;
}

void once_expect_jq(const char *filter)
{
    const char *answer = once_jq(filter);
    if (strcmp(answer, "true") == 0) return;
    print_error("%s: %s\n", last.command, last.output);
    fail_msg("about that jq '%s' says %s", filter, answer);
}
