/* test_shell.c -- shell.c and session.c by themselves: in the place of lua/moth/init.lua stands Lua of the test's own,
 * which does what a good shell would not. Whatever it does, shell.h holds. */
#include "session_kit.h"

#include <sys/stat.h>

#define FILE_BYTES_MAX 65536 /* of what read_home takes */
#define MANY 1000

/* A line is Lua that gets its session and this module. */
static const char init[] =
    "local moth = {heard = {}}\n"
    "local function give(moth, front, what)\n"
    "  front.say(what .. '\\n', false)\n"
    "  front.say(what .. ' complained\\n', true, 7)\n"
    "  front.amend(7, what, what .. '\\n')\n"
    "  front.prompt(what)\n"
    "  front.hold(true)\n"
    "  front.chat(true)\n"
    "end\n"
    "function moth.give(session, what) give(moth, session.front, what) end\n"
    "function moth.start(options, scripts) moth.options, moth.scripts = options, scripts\n"
    "  for _, what in ipairs(scripts) do if what == 'fail' then error('as told') end end\n"
    "end\n"
    "function moth.enter(front, terms)\n"
    "  local session = {front = front, terms = terms}\n"
    "  moth.latest = session\n"
    "  if terms.folder then assert(load(terms.folder))(session, moth) end\n"
    "  return session\n"
    "end\n"
    "function moth.line(session, text) assert(load(text))(session, moth) end\n"
    "function moth.finish(session, why) session.front.say('finish ' .. tostring(why) .. '\\n') end\n"
    "function moth.interrupt(session, had) session.front.say('interrupt ' .. tostring(had) .. '\\n') end\n"
    "function moth.resize(session, width) session.front.say('resize ' .. width .. '\\n') end\n"
    "function moth.left(session) moth.give(session, 'left') end\n"
    "function moth.complete(session, line, start) return {line, start, 'a\\0b'} end\n"
    "function moth.log(level, text) moth.heard[#moth.heard + 1] = level .. ' ' .. text end\n"
    "function moth.stop(status) moth.options.node:quit(status) end\n"
    "return moth\n";

static int write_init(void)
{
    char path[FOLDER_BYTES + 32];
    snprintf(path, sizeof path, "%s/moth", folder);
    if (mkdir(path, 0700) < 0) return -1;
    snprintf(path, sizeof path, "%s/moth/init.lua", folder);
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    fputs(init, file);
    return fclose(file) | setenv("MOTH_LUA_PATH", folder, 1);
}

static int set_up_bare(void **state)
{
    (void)state;
    if (open_node() < 0) return -1;
    return write_init();
}

static int set_up(void **state)
{
    return set_up_bare(state) < 0 ? -1 : open_shell((struct shell_setup){0});
}

static int tear_down(void **state)
{
    (void)state;
    front_fini(&one);
    front_fini(&two);
    int rc = close_node();
    unsetenv("MOTH_LUA_PATH");
    return rc;
}

/* A line that asserts. */
static void check(struct front *f, const char *lua)
{
    unsigned before = quits;
    type(f, lua);
    if (quits != before) fail_msg("%s", lua);
}

#define GET "local session, moth = ... local options = moth.options "

/* --- starting --- */

static void test_lua_gets_what_the_program_was_started_with(void **state)
{
    char *load[] = {"one.lua", "two.lua"};
    (void)state;
    assert_int_equal(open_shell((struct shell_setup){.is_alone = true, .joined = "host:7", .has_joined_key = true,
                                                     .load = load, .loads = 2}), 0);
    enter(&one, pipes);
    check(&one, GET "assert(options.is_alone and options.joined == 'host:7' and options.has_joined_key)");
    check(&one, GET "assert(#moth.scripts == 2 and moth.scripts[2] == 'two.lua' and options.node.name == 'ana')");
    check(&one, GET "assert(#options.home > 0 and session.terms.is_terminal == false and #session.terms.connect == 0)");
}

static void test_lua_that_fails_to_start_is_no_shell(void **state)
{
    char *load[] = {"fail"};
    (void)state;
    errors_are_wanted = true;
    assert_int_equal(open_shell((struct shell_setup){.load = load, .loads = 1}), -1);
}

static void test_lua_gets_the_terms_of_a_session(void **state)
{
    char *connect[] = {"one:1", "two:2"};
    (void)state;
    enter(&one, (struct shell_terms){.is_terminal = true, .is_json = true, .has_colour = true, .width = 50,
                                     .log = "info", .folder = "", .connect = connect, .connects = 2});
    check(&one, "local t = (...).terms assert(t.is_terminal and t.is_json and t.has_colour and not t.is_remote)");
    check(&one, "local t = (...).terms assert(t.width == 50 and t.log == 'info' and t.connect[2] == 'two:2')");
    enter(&two, pipes);
    check(&two, "local t = (...).terms assert(t.width == nil and t.log == nil and t.folder == nil)");
}

static void test_what_is_said_for_no_session_goes_to_the_program(void **state)
{
    (void)state;
    enter(&one, pipes);
    check(&one, GET "options.speak('to all\\n', false) options.ready()");
    assert_true(has(&spoken, "to all\n"));
    assert_int_equal(readies, 1);
    assert_int_equal(one.says, 0);
}

/* --- what a front is told --- */

static void test_a_front_is_told_all_that_lua_tells_it(void **state)
{
    (void)state;
    enter(&one, pipes);
    check(&one, GET "moth.give(session, 'given')");
    assert_true(has(&one.answers, "given\n"));
    assert_true(has(&one.complaints, "given complained\n"));
    assert_true(has(&one.amended, "given\n"));
    assert_true(has(&one.prompts, "given\n"));
    assert_true(one.is_held && one.chats);
}

static void test_lua_is_told_all_that_a_front_tells_it(void **state)
{
    (void)state;
    enter(&one, pipes);
    session_finish(one.session, 0);
    session_finish(one.session, MOTH_ETOO_BIG);
    session_interrupt(one.session, true);
    session_resize(one.session, 33);
    assert_true(has(&one.answers, "finish nil\n"));
    assert_true(has(&one.answers, moth_error_text(MOTH_ETOO_BIG)));
    assert_true(has(&one.answers, "interrupt true\n"));
    assert_true(has(&one.answers, "resize 33\n"));
}

static void test_a_session_ends_once(void **state)
{
    (void)state;
    enter(&one, pipes);
    check(&one, "local front = (...).front front.finish(3) front.finish(4)");
    assert_int_equal(one.ends, 1);
    assert_int_equal(one.status, 3);
}

static void test_nothing_is_told_after_the_end(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, pipes);
    check(&one, GET "moth.kept = session session.front.finish(0) moth.give(session, 'after')");
    check(&two, GET "for _ = 1, 3 do collectgarbage() moth.give(moth.kept, 'after') end");
    assert_int_equal(one.says + buf_bytes(&one.prompts) + one.is_held + one.chats, 0);
}

static void test_nothing_is_told_to_who_has_left(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, pipes);
    check(&one, GET "moth.kept = session");
    session_leave(one.session); /* moth.left tells all it can */
    one.is_over = true;
    check(&two, GET "for _ = 1, 3 do collectgarbage() moth.give(moth.kept, 'after') moth.kept.front.finish(0) end");
    assert_int_equal(one.says + one.ends, 0);
}

static void test_nothing_is_told_after_a_hush(void **state)
{
    (void)state;
    enter(&one, pipes);
    enter(&two, pipes);
    shell_hush(shell);
    type(&one, GET "moth.give(session, 'hushed') session.front.finish(1)");
    session_leave(two.session);
    one.is_over = two.is_over = true;
    assert_int_equal(one.says + one.ends + two.says, 0);
}

static void test_sessions_may_end_in_any_order(void **state)
{
    struct front many[8] = {{0}};
    (void)state;
    for (unsigned i = 0; i < 8; i++) enter(&many[i], pipes);
    for (unsigned i = 0; i < 8; i++) {
        struct front *f = &many[i * 5 % 8];
        if (i % 2) session_leave(f->session);
        else check(f, "(...).front.finish(0) collectgarbage()");
        f->is_over = true;
        enter(&one, pipes);
        check(&one, "(...).front.say('here\\n'); (...).front.finish(0)");
        assert_true(has(&one.answers, "here\n"));
        front_fini(&one);
    }
}

/* --- who ends as they come --- */

static void test_a_session_that_is_over_at_once_is_none(void **state)
{
    struct shell_terms terms = {.folder = "(...).front.finish(5)"};
    (void)state;
    assert_null(shell_enter(shell, &front_functions, &one, &terms));
    assert_int_equal(one.ends, 1);
    assert_int_equal(one.status, 5);
}

static double memory_of_lua(void)
{
    buf_fini(&two.answers);
    check(&two, "moth = select(2, ...) moth.latest = nil collectgarbage() collectgarbage()");
    check(&two, "(...).front.say(collectgarbage('count') .. '\\n')");
    return strtod((const char *)buf_span(&two.answers).data, NULL);
}

static void test_a_session_that_cannot_begin_is_none_and_leaves_nothing(void **state)
{
    struct shell_terms terms = {.folder = "error('as told')"};
    (void)state;
    errors_are_wanted = true;
    enter(&two, pipes);
    double before_kib = memory_of_lua();
    for (int i = 0; i < MANY; i++) assert_null(shell_enter(shell, &front_functions, &one, &terms));
    assert_in_range(memory_of_lua(), 0, before_kib + MANY / 100);
    one.is_over = true;
    check(&two, "(...).front.finish(0)");
}

static void test_a_session_may_fail_after_its_end(void **state)
{
    struct shell_terms terms = {.folder = "(...).front.finish(5) collectgarbage() error('as told')"};
    (void)state;
    errors_are_wanted = true;
    for (int i = 0; i < 3; i++) {
        one.is_over = false;
        assert_null(shell_enter(shell, &front_functions, &one, &terms));
    }
    assert_int_equal(one.ends, 3);
}

/* --- errors in Lua --- */

static void test_a_shell_that_fails_quits_the_program(void **state)
{
    (void)state;
    errors_are_wanted = true;
    enter(&one, pipes);
    type(&one, "error('as told')");
    assert_int_equal(quits, 1);
    assert_int_equal(quit_status, EXIT_FAILURE);
}

static void test_what_is_only_nice_to_have_may_fail(void **state)
{
    (void)state;
    errors_are_wanted = true;
    enter(&one, pipes);
    check(&one, GET "moth.resize, moth.complete, moth.log = error, error, error options.hear_logs('debug')");
    session_resize(one.session, 3);
    session_complete(one.session, "x", 1, 0, NULL, NULL);
    shell_log(shell, MOTH_LOG_WARN, "x");
    shell_tick(shell);
    check(&one, GET "moth.left = error");
    session_leave(one.session);
    one.is_over = true;
    assert_int_equal(quits, 0);
}

/* --- words, logs, files --- */

static void add_word(void *context, const char *word, size_t bytes)
{
    buf_add(context, word, bytes);
    buf_add(context, "|", 1);
}

static void test_completion_is_asked_as_it_was_typed(void **state)
{
    struct buf words = {0};
    (void)state;
    enter(&one, pipes);
    session_complete(one.session, "li\0ne of many", 5, 4, add_word, &words);
    assert_true(slice_equal(span_slice(buf_span(&words)), slice_of("li\0ne|4|a\0b|", 12)));
    buf_fini(&words);
}

static void test_lua_hears_of_the_log_what_it_wants(void **state)
{
    (void)state;
    enter(&one, pipes);
    shell_log(shell, MOTH_LOG_ERROR, "unheard");
    check(&one, GET "options.hear_logs('warn')");
    shell_log(shell, MOTH_LOG_INFO, "unheard");
    shell_log(shell, MOTH_LOG_WARN, "");
    shell_log(shell, MOTH_LOG_ERROR, "heard");
    shell_tick(shell);
    check(&one, GET "assert(table.concat(moth.heard, '|') == 'warn |error heard')");
    check(&one, GET "options.hear_logs(nil)");
    shell_log(shell, MOTH_LOG_ERROR, "unheard");
    shell_tick(shell);
    check(&one, GET "assert(#moth.heard == 2 and not pcall(options.hear_logs, 'loud'))");
}

static bool is_kept(void)
{
    check(&one, GET "if not moth.done then moth.done = table.pack(options.kept()) end "
                    "if moth.done.n == 0 then moth.done = nil end session.front.hold(moth.done ~= nil)");
    return one.is_held;
}

static void test_files_are_kept_one_at_a_time(void **state)
{
    (void)state;
    enter(&one, pipes);
    check(&one, GET "assert(options.keep('note', 'a\\0b') == true and options.keep('other', 'x') == false)");
    until(is_kept);
    check(&one, GET "assert(moth.done[1] == true and options.kept() == nil)");
    check(&one, GET "assert(options.read_home('note') == 'a\\0b')");
    check(&one, GET "assert(select(3, options.read_home('other')) == 'not_found')");
}

static void test_a_file_that_cannot_be_kept_says_why(void **state)
{
    char path[FOLDER_BYTES + 16];
    (void)state;
    snprintf(path, sizeof path, "%s/note", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    enter(&one, pipes);
    check(&one, GET "assert(options.keep('note', 'x'))");
    until(is_kept);
    check(&one, GET "assert(moth.done[1] == nil and #moth.done[2] > 0 and moth.done[3])");
}

static void test_a_file_too_large_to_be_ours_is_not_read(void **state)
{
    (void)state;
    enter(&one, pipes);
    char *text = calloc(1, FILE_BYTES_MAX + 1);
    const struct moth_host *host = moth_loop_host(loop);
    assert_int_equal(host->file_write(host->context, "fits", text, FILE_BYTES_MAX), 0);
    assert_int_equal(host->file_write(host->context, "large", text, FILE_BYTES_MAX + 1), 0);
    free(text);
    check(&one, GET "assert(#options.read_home('fits') == 65536 and options.read_home('large') == nil)");
}

static void test_the_end_is_passed_on(void **state)
{
    (void)state;
    shell_end(shell, 4);
    assert_int_equal(quit_status, 4);
    shell_close(NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define BARE(f) cmocka_unit_test_setup_teardown(f, set_up_bare, tear_down)
    const struct CMUnitTest tests[] = {
        BARE(test_lua_gets_what_the_program_was_started_with),
        BARE(test_lua_that_fails_to_start_is_no_shell),
        TEST(test_lua_gets_the_terms_of_a_session),
        TEST(test_what_is_said_for_no_session_goes_to_the_program),
        TEST(test_a_front_is_told_all_that_lua_tells_it),
        TEST(test_lua_is_told_all_that_a_front_tells_it),
        TEST(test_a_session_ends_once),
        TEST(test_nothing_is_told_after_the_end),
        TEST(test_nothing_is_told_to_who_has_left),
        TEST(test_nothing_is_told_after_a_hush),
        TEST(test_sessions_may_end_in_any_order),
        TEST(test_a_session_that_is_over_at_once_is_none),
        TEST(test_a_session_that_cannot_begin_is_none_and_leaves_nothing),
        TEST(test_a_session_may_fail_after_its_end),
        TEST(test_a_shell_that_fails_quits_the_program),
        TEST(test_what_is_only_nice_to_have_may_fail),
        TEST(test_completion_is_asked_as_it_was_typed),
        TEST(test_lua_hears_of_the_log_what_it_wants),
        TEST(test_files_are_kept_one_at_a_time),
        TEST(test_a_file_that_cannot_be_kept_says_why),
        TEST(test_a_file_too_large_to_be_ours_is_not_read),
        TEST(test_the_end_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
