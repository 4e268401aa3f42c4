/* test_columns.c -- how wide texts are, in whatever locale the tests run. */
#include "script/columns.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>

#include <locale.h>
#include <string.h>

static lua_State *L;

static int set_up(void **state)
{
    (void)state;
    L = luaL_newstate();
    lua_newtable(L);
    columns_open(L);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lua_close(L);
    return 0;
}

static lua_Integer columns(const char *text, size_t bytes)
{
    lua_getfield(L, 1, "columns");
    lua_pushlstring(L, text, bytes);
    lua_call(L, 1, 1);
    lua_Integer n = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return n;
}

static lua_Integer columns_of(const char *text)
{
    return columns(text, strlen(text));
}

static lua_Integer fit(const char *text, lua_Integer room, lua_Integer from)
{
    lua_getfield(L, 1, "fit");
    lua_pushstring(L, text);
    lua_pushinteger(L, room);
    lua_pushinteger(L, from);
    lua_call(L, 3, 1);
    lua_Integer last = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return last;
}

/* --- widths --- */

static void test_columns_of_plain_text_are_its_characters(void **state)
{
    (void)state;
    assert_int_equal(columns_of(""), 0);
    assert_int_equal(columns_of("ana"), 3);
    assert_int_equal(columns_of("gr\xc3\xbc\xc3\x9f"), 4);
}

static void test_columns_of_wide_characters_are_two(void **state)
{
    (void)state;
    assert_int_equal(columns_of("\xe7\x95\x8c\xe4\xb8\x96"), 4);
    assert_int_equal(columns_of("a\xf0\x9f\x98\x80"), 3);
}

static void test_columns_of_combining_characters_are_none(void **state)
{
    (void)state;
    assert_int_equal(columns_of("e\xcc\x81\xcc\x80"), 1);
    assert_int_equal(columns_of("\xe2\x80\x8b"), 0);
}

static void test_columns_counts_each_byte_that_is_no_character(void **state)
{
    (void)state;
    assert_int_equal(columns_of("\xff\xc3"), 2);
    assert_int_equal(columns_of("\xed\xa0\x80"), 3);
    assert_int_equal(columns("\0\x1b\t", 3), 3);
    assert_int_equal(columns_of("\xef\xbf\xbf"), 1);
}

static void test_columns_are_the_same_in_every_locale(void **state)
{
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C"));
    assert_int_equal(columns_of("\xe7\x95\x8c"), 2);
    assert_string_equal(setlocale(LC_CTYPE, NULL), "C");
}

/* --- what fits --- */

static void test_fit_takes_what_has_room(void **state)
{
    (void)state;
    assert_int_equal(fit("hello", 3, 1), 3);
    assert_int_equal(fit("hello", 5, 1), 5);
    assert_int_equal(fit("hello", 99, 1), 5);
    assert_int_equal(fit("hello", 2, 4), 5);
    assert_int_equal(fit("hello", 2, 6), 5);
}

static void test_fit_takes_nothing_where_nothing_has_room(void **state)
{
    (void)state;
    assert_int_equal(fit("hello", 0, 1), 0);
    assert_int_equal(fit("hello", -5, 3), 2);
    assert_int_equal(fit("\xe7\x95\x8c", 1, 1), 0);
}

static void test_fit_never_cuts_a_character(void **state)
{
    (void)state;
    assert_int_equal(fit("\xe7\x95\x8c\xe4\xb8\x96", 3, 1), 3);
    assert_int_equal(fit("\xe7\x95\x8c\xe4\xb8\x96", 4, 1), 6);
}

static void test_fit_keeps_combining_characters_with_their_base(void **state)
{
    (void)state;
    assert_int_equal(fit("e\xcc\x81\xc3\xbc", 1, 1), 3);
    assert_int_equal(fit("e\xcc\x81", 0, 1), 0);
}

static int fit_outside(lua_State *outer)
{
    (void)outer;
    fit("hello", 1, 7);
    return 0;
}

static void test_fit_refuses_a_place_that_is_not_in_the_text(void **state)
{
    (void)state;
    lua_pushcfunction(L, fit_outside);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_columns_of_plain_text_are_its_characters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_of_wide_characters_are_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_of_combining_characters_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_counts_each_byte_that_is_no_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_columns_are_the_same_in_every_locale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit_takes_what_has_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit_takes_nothing_where_nothing_has_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit_never_cuts_a_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit_keeps_combining_characters_with_their_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit_refuses_a_place_that_is_not_in_the_text, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
