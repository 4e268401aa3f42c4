/* test_files.c -- names of files for completion, in a folder made for each test. */
#include "script/files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512

static char folder[] = "/tmp/moth-files-XXXXXX";
static char names[65536]; /* of the last question, a blank behind each */
static lua_State *L;

static int set_up(void **state)
{
    (void)state;
    memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
    if (!mkdtemp(folder)) return -1;
    L = luaL_newstate();
    lua_newtable(L);
    files_open(L);
    return 0;
}

static char *path_of(const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int tear_down(void **state)
{
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    (void)state;
    lua_close(L);
    while (dir && (entry = readdir(dir)))
        if (unlink(path_of(entry->d_name)) < 0) rmdir(path_of(entry->d_name));
    if (dir) closedir(dir);
    return rmdir(folder);
}

static void make_file(const char *name)
{
    FILE *f = fopen(path_of(name), "w");
    assert_non_null(f);
    fclose(f);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static int ask(const char *where, const char *prefix)
{
    int top = lua_gettop(L);
    size_t used = 0;
    lua_getfield(L, 1, "files");
    lua_pushstring(L, where);
    lua_pushstring(L, prefix);
    assert_int_equal(lua_pcall(L, 2, 1, 0), LUA_OK);
    int count = (int)lua_rawlen(L, -1);
    names[0] = '\0';
    for (int i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        used += (size_t)snprintf(names + used, sizeof names - used, "%s ", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_settop(L, top);
    return count;
}

static void expect(const char *prefix, const char *wanted)
{
    ask(folder, prefix);
    assert_string_equal(names, wanted);
}

/* --- what is named --- */

static void test_files_are_sorted(void **state)
{
    (void)state;
    make_file("kim.lua");
    make_file("ana.lua");
    make_file("bob.lua");
    expect("", "ana.lua bob.lua kim.lua ");
}

static void test_files_start_with_the_prefix(void **state)
{
    (void)state;
    make_file("echo.lua");
    make_file("eval.lua");
    make_file("bob.lua");
    expect("e", "echo.lua eval.lua ");
    expect("echo.lua", "echo.lua ");
    expect("echo.lua2", "");
    expect("E", "");
}

static void test_folders_end_in_a_slash_and_links_to_them_too(void **state)
{
    (void)state;
    make_folder("parts");
    make_file("plain");
    assert_int_equal(symlink("parts", path_of("link")), 0);
    assert_int_equal(symlink("plain", path_of("other")), 0);
    assert_int_equal(symlink("nowhere", path_of("stale")), 0);
    expect("", "link/ other parts/ plain stale ");
}

static void test_hidden_files_come_only_when_asked_for(void **state)
{
    (void)state;
    make_file(".hidden");
    make_file("seen");
    expect("", "seen ");
    expect(".", ".hidden ");
    expect(".h", ".hidden ");
}

static void test_the_folder_above_comes_only_when_it_is_typed(void **state)
{
    (void)state;
    expect(".", "");
    expect("..", "../ ");
}

static void test_names_may_hold_anything(void **state)
{
    (void)state;
    make_file("a b");
    make_file("\x1b[2J");
    make_file("\xff");
    expect("", "\x1b[2J a b \xff ");
}

/* --- bounds --- */

static void test_a_folder_that_is_none_has_no_names(void **state)
{
    (void)state;
    make_file("plain");
    assert_int_equal(ask(path_of("plain"), ""), 0);
    assert_int_equal(ask(path_of("nowhere"), ""), 0);
}

static void test_no_folder_is_the_current_one(void **state)
{
    (void)state;
    assert_int_equal(ask("", "Makef"), 1);
    assert_string_equal(names, "Makefile ");
}

static void test_a_thousand_names_at_most(void **state)
{
    char name[32];
    (void)state;
    for (int i = 0; i < 1100; i++) {
        snprintf(name, sizeof name, "file%d", i);
        make_file(name);
    }
    assert_int_equal(ask(folder, ""), 1000);
    assert_int_equal(ask(folder, "file109"), 11);
}

static void test_the_longest_name_is_whole(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';
    make_folder(name);
    assert_int_equal(ask(folder, "n"), 1);
    assert_int_equal(strlen(names), 255 + strlen("/ "));
}

static void test_no_folder_stays_open(void **state)
{
    (void)state;
    int before = dup(0);
    close(before);
    for (int i = 0; i < 10; i++) ask(folder, "");
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

static void test_other_arguments_are_an_error(void **state)
{
    (void)state;
    lua_getfield(L, 1, "files");
    lua_pushstring(L, folder);
    assert_int_equal(lua_pcall(L, 1, 1, 0), LUA_ERRRUN);
    assert_non_null(strstr(lua_tostring(L, -1), "bad argument #2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_are_sorted),
        TEST(test_files_start_with_the_prefix),
        TEST(test_folders_end_in_a_slash_and_links_to_them_too),
        TEST(test_hidden_files_come_only_when_asked_for),
        TEST(test_the_folder_above_comes_only_when_it_is_typed),
        TEST(test_names_may_hold_anything),
        TEST(test_a_folder_that_is_none_has_no_names),
        TEST(test_no_folder_is_the_current_one),
        TEST(test_a_thousand_names_at_most),
        TEST(test_the_longest_name_is_whole),
        TEST(test_no_folder_stays_open),
        TEST(test_other_arguments_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
