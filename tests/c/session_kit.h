/* session_kit.h -- a shell on a real node that listens nowhere, and fronts that write down what a session tells them.
 *
 * A front that is told anything after its end fails the test: that nothing is called then is what every user of shell.h
 * relies on. */
#ifndef TESTS_SESSION_KIT_H
#define TESTS_SESSION_KIT_H

#include "socket_kit.h"

#include "script/shell.h"

struct front {
    struct session *session;
    struct buf answers, complaints, amended, prompts; /* one after the other; prompts with a line end each */
    unsigned says, holds, ends;
    uint32_t tag; /* the last that was not 0 */
    bool is_held, chats, is_over;
    int status;
};

static struct moth_node *node;
static struct shell *shell;
static struct buf spoken; /* for no session */
static unsigned readies, quits;
static bool errors_are_wanted; /* Lua fails as the test wants it */
static int quit_status;

/* --- the front --- */

static inline void front_say(void *front, enum shell_stream stream, const char *text, size_t bytes, uint32_t tag)
{
    struct front *f = front;
    expect(!f->is_over);
    expect(bytes > 0 && text[bytes - 1] == '\n');
    buf_add(stream == SHELL_COMPLAINTS ? &f->complaints : &f->answers, text, bytes);
    f->says++;
    if (tag != 0) f->tag = tag;
}

static inline void front_amend(void *front, uint32_t tag, struct moth_bytes line, struct moth_bytes other)
{
    struct front *f = front;
    expect(!f->is_over);
    expect(tag == f->tag);
    expect(other.bytes == 0 || ((const char *)other.data)[other.bytes - 1] == '\n');
    buf_add(&f->amended, line.data, line.bytes);
    buf_add(&f->amended, "\n", 1);
}

static inline void front_prompt(void *front, const char *text)
{
    struct front *f = front;
    expect(!f->is_over);
    buf_add(&f->prompts, text, strlen(text));
    buf_add(&f->prompts, "\n", 1);
}

static inline void front_hold(void *front, bool on)
{
    struct front *f = front;
    expect(!f->is_over);
    f->is_held = on;
    f->holds += on;
}

static inline void front_chat(void *front, bool on)
{
    struct front *f = front;
    expect(!f->is_over);
    f->chats = on;
}

static inline void front_finish(void *front, int status)
{
    struct front *f = front;
    expect(!f->is_over);
    f->is_over = true;
    f->status = status;
    f->ends++;
}

static const struct shell_front front_functions = {front_say,  front_amend, front_prompt,
                                                   front_hold, front_chat,  front_finish};

static inline bool has(const struct buf *b, const char *text)
{
    struct span all = buf_span(b);
    return all.data && memmem(all.data, all.bytes, text, strlen(text));
}

static inline void enter(struct front *f, struct shell_terms terms)
{
    f->session = shell_enter(shell, &front_functions, f, &terms);
    assert_non_null(f->session);
}

/* Its session ends, if it has not by itself. */
static inline void front_fini(struct front *f)
{
    if (f->session && !f->is_over) session_leave(f->session);
    buf_fini(&f->answers);
    buf_fini(&f->complaints);
    buf_fini(&f->amended);
    buf_fini(&f->prompts);
    *f = (struct front){0};
}

static inline void type(struct front *f, const char *line)
{
    assert_false(f->is_over);
    session_line(f->session, line, strlen(line));
}

/* --- the program around it --- */

static inline void kit_speak(void *owner, enum shell_stream stream, const char *text, size_t bytes)
{
    (void)stream;
    expect(owner == &shell);
    buf_add(&spoken, text, bytes);
}

static inline void kit_ready(void *owner)
{
    expect(owner == &shell);
    readies++;
}

static inline void kit_quit(void *owner, int status)
{
    expect(owner == &shell);
    quits++;
    quit_status = status;
}

static inline void kit_event(void *owner, const struct moth_event *event)
{
    (void)owner;
    if (shell) shell_event(shell, event);
}

static inline void kit_log(void *owner, enum moth_log_level level, const char *text)
{
    (void)owner;
    if (shell) shell_log(shell, level, text);
    if (level == MOTH_LOG_ERROR && !errors_are_wanted) print_message("log: %s\n", text);
}

static inline uint64_t kit_tick(void)
{
    moth_node_tick(node);
    return shell_tick(shell);
}

/* What is 0 in `setup` and every shell needs is filled in. */
static inline int open_shell(struct shell_setup setup)
{
    if (!setup.host) setup.host = moth_loop_host(loop);
    setup.node = node;
    setup.transport = moth_loop_transport(loop);
    setup.speak = kit_speak;
    setup.ready = kit_ready;
    setup.quit = kit_quit;
    setup.owner = &shell;
    shell = shell_open(&setup);
    return shell ? 0 : -1;
}

static inline int open_node(void)
{
    struct moth_config config = {.name = "ana"};
    config.limits[MOTH_LIMIT_BALLAST_BYTES] = 4096;
    readies = quits = 0;
    quit_status = -1;
    errors_are_wanted = false;
    unsetenv("MOTH_LUA_PATH");
    if (open_folder() < 0) return -1;
    moth_loop_on_log(loop, kit_log, NULL);
    each_turn = kit_tick;
    return moth_node_open(&config, moth_loop_host(loop), moth_loop_transport(loop), kit_event, NULL, &node);
}

static inline void close_shell(void)
{
    struct shell *s = shell;
    shell = NULL;
    shell_close(s);
}

static inline int close_node(void)
{
    close_shell();
    each_turn = NULL;
    moth_node_close(node);
    node = NULL;
    buf_fini(&spoken);
    return close_folder();
}

/* --- the two of each test --- */

static struct front one, two;

static const struct shell_terms pipes = {0};
static const struct shell_terms terminal = {.is_terminal = true, .width = 60};
static const struct shell_terms guest = {.is_remote = true};
static const struct shell_terms guests_terminal = {.is_remote = true, .is_terminal = true, .width = 60};

/* --- conditions --- */

static const char *wanted; /* text */

static inline bool one_says(void)
{
    return has(&one.answers, wanted);
}

static inline bool one_complains(void)
{
    return has(&one.complaints, wanted);
}

static inline bool two_says(void)
{
    return has(&two.answers, wanted);
}

static inline bool one_is_over(void)
{
    return one.is_over;
}

static inline bool has_quit(void)
{
    return quits > 0;
}

static inline bool is_ready(void)
{
    return readies > 0;
}

static inline bool one_is_free(void)
{
    return !one.is_held;
}

static inline void until_said(bool (*says)(void), const char *text)
{
    wanted = text;
    if (!comes_true(says)) fail_msg("nobody said %s", text);
}

#endif
