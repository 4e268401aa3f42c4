/* test_bind_data.c -- data, batches and jobs as trusted Lua calls them, on a node in a lab and a bare Lua state whose
 * memory can end. */
#include "data_kit.h"

#include "script/bind.h"

#include <lualib.h>

static struct fixture {
    struct kit *kit;
    lua_State *L;
    size_t largest; /* no more is given at a time; 0: no limit */
} fixture;

static void *allocate(void *context, void *old, size_t old_bytes, size_t bytes)
{
    const struct fixture *f = context;
    (void)old_bytes;
    if (bytes == 0) {
        free(old);
        return NULL;
    }
    return f->largest && bytes > f->largest ? NULL : realloc(old, bytes);
}

static int set_up(void **state)
{
    (void)state;
    fixture = (struct fixture){.kit = data_kit(1, NULL)};
    lua_State *L = fixture.L = lua_newstate(allocate, &fixture);
    luaL_openlibs(L);
    struct binding *b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = (struct binding){.node = kit_node(fixture.kit, ANA)};
    luaL_newmetatable(L, BIND_NODE);
    lua_newtable(L);
    luaL_setfuncs(L, bind_data_methods, 0);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_setglobal(L, "node");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lua_close(fixture.L);
    kit_free(fixture.kit);
    return 0;
}

/* Runs Lua that asserts. */
static void check(const char *text)
{
    if (luaL_dostring(fixture.L, text) != LUA_OK) fail_msg("%s: %s", text, lua_tostring(fixture.L, -1));
}

static void test_data_is_put_read_and_taken_away(void **state)
{
    (void)state;
    check("assert(node:data_get('s', 'k') == nil and select('#', node:data_get('s', 'k')) == 1)");
    check("assert(node:data_put('s', 'k\\0', 'v\\0') == true and node:data_get('s', 'k\\0') == 'v\\0')");
    check("assert(node:data_put('s', 'empty', '') and node:data_get('s', 'empty') == '')");
    check("assert(node:data_put('s', 'k\\0', nil) == true and node:data_get('s', 'k\\0') == nil)");
}

static void test_next_walks_a_space_and_ends_with_a_plain_nil(void **state)
{
    (void)state;
    check("for _, k in ipairs{'c', 'a', 'b'} do node:data_put('s', k, k .. k) end");
    data_settled(fixture.kit);
    check("node:data_put('s', 'bb', '') local t, k, v = {}, node:data_next('s')"
          "while k do t[#t + 1] = k .. '=' .. v k, v = node:data_next('s', k) end "
          "assert(table.concat(t, ' ') == 'a=aa b=bb bb= c=cc')"
          "assert(select('#', node:data_next('s', 'c')) == 1 and node:data_next('none', nil) == nil)");
}

static void test_batches_are_kept_or_forgotten(void **state)
{
    (void)state;
    check("assert(select('#', node:begin()) == 0) node:data_put('s', 'a', '1')"
          "id = assert(node:job_put(5, 'job', '')) node:discard()"
          "assert(node:data_get('s', 'a') == nil and #node:jobs() == 0)");
    check("node:begin() node:data_put('s', 'a', '2') node:job_put(6, 'job', '') node:commit() node:discard()"
          "assert(node:data_get('s', 'a') == '2' and #node:jobs() == 1)");
}

static void test_jobs_are_put_listed_read_and_dropped(void **state)
{
    (void)state;
    check("a = assert(node:job_put(1.5, 'first', 'x\\0y')) b = assert(node:job_put(2, 'second', ''))"
          "assert(math.type(a) == 'integer' and a ~= b)");
    check("local all = node:jobs() assert(#all == 2 and all[1].id == a and all[1].due == 1.5)"
          "assert(all[2].name == 'second' and all[1].arguments == nil)");
    check("local j = node:job(a) assert(j.id == a and j.due == 1.5 and j.name == 'first' and j.arguments == 'x\\0y')");
    check("assert(node:job_drop(a) == true and #node:jobs() == 1)");
    check("assert(select(3, node:job(a)) == 'not_found' and select(3, node:job_drop(a)) == 'not_found')");
}

static void test_refusals_have_a_sentence_and_a_word(void **state)
{
    static const char *const calls[] = {
        "node:data_get('a b', 'k')", "node:data_get('a\\0', 'k')", "node:data_get('s', '')",
        "node:data_put('', 'k', 'v')", "node:data_put('a\\0', 'k', 'v')", "node:data_put('s', ('k'):rep(257), 'v')",
        "node:data_next('')", "node:data_next('a\\0')", "node:data_next('s', ('k'):rep(257))",
        "node:job_put(1, 'a b', '')", "node:job_put(1, 'a\\0', '')", "node:job_put(-1, 'job', '')",
        "node:job_put(1e16, 'job', '')", "node:job_put(0/0, 'job', '')", "node:job_put(math.huge, 'job', '')",
    };
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char text[200];
        snprintf(text, sizeof text, "local v, why, code = %s assert(v == nil and #why > 0 and code == 'argument')",
                 calls[i]);
        check(text);
    }
    check("assert(select(3, node:data_put('s', 'k', ('v'):rep(1000001))) == 'too_big')");
    check("assert(select(3, node:job_put(1, 'job', ('v'):rep(1000001))) == 'too_big')");
}

static void test_wrong_types_are_errors(void **state)
{
    static const char *const calls[] = {
        "node.begin()", "node:data_get()", "node:data_get('s')", "node:data_get('s', {})", "node:data_put('s', 'k')",
        "node:data_put('s', 'k', {})", "node:data_put({}, 'k', 'v')", "node:data_next()", "node:data_next('s', {})",
        "node:job_put('soon', 'job', '')", "node:job_put(1, {}, '')", "node:job_put(1, 'job')", "node:job_drop()",
        "node:job('x')", "node:job(1.5)", "node.jobs({})",
    };
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (luaL_dostring(fixture.L, calls[i]) == LUA_OK) fail_msg("%s is no error", calls[i]);
}

static void test_a_read_without_memory_is_an_error_and_leaks_nothing(void **state)
{
    static const char *const calls[] = {"node:data_get('s', 'k')", "node:data_next('s')", "node:job(id)"};
    (void)state;
    check("local v = ('v'):rep(300000) node:data_put('s', 'k', v) id = node:job_put(1, 'job', v)");
    for (unsigned settled = 0; settled < 2; settled++) {
        fixture.largest = 100000;
        for (unsigned i = 0; i < 3; i++) {
            assert_true(luaL_dostring(fixture.L, calls[i]));
            assert_non_null(strstr(lua_tostring(fixture.L, -1), "not enough memory"));
        }
        fixture.largest = 0;
        check("assert(#node:data_get('s', 'k') == 300000)");
        data_settled(fixture.kit);
    }
}

/* Whatever is pushed may collect garbage, and what that runs may change all that is being read. */
static void test_garbage_may_write_while_something_is_read(void **state)
{
    (void)state;
    check("collectgarbage('incremental', 10, 1000)"
          "local function mess() setmetatable({}, {__gc = function()"
          " for _, j in ipairs(node:jobs()) do node:job_drop(j.id) break end"
          " node:data_put('s', node:data_next('s') or 'x', nil) end}) end "
          "for i = 1, 3000 do mess() node:job_put(i, 'job', 'x') node:data_put('s', tostring(i % 50), 'v' .. i)"
          " node:jobs() node:data_next('s') local j = node:jobs()[1] if j then node:job(j.id) end end");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_data_is_put_read_and_taken_away),
        TEST(test_next_walks_a_space_and_ends_with_a_plain_nil),
        TEST(test_batches_are_kept_or_forgotten),
        TEST(test_jobs_are_put_listed_read_and_dropped),
        TEST(test_refusals_have_a_sentence_and_a_word),
        TEST(test_wrong_types_are_errors),
        TEST(test_a_read_without_memory_is_an_error_and_leaks_nothing),
        TEST(test_garbage_may_write_while_something_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
