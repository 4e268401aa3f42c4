/* test_pattern.c -- find, match, gmatch and gsub beside Lua's own: the same results, the same error messages. */
#include "pattern_kit.h"

/* A longer chunk that returns many lines. */
static void expect_same_lines(const char *chunk)
{
    const char *theirs = run(stock, chunk), *here = run(ours, chunk);
    assert_non_null(theirs);
    assert_true(strlen(theirs) > 100);
    while (*theirs && *here) {
        int a = (int)strcspn(theirs, "\n"), b = (int)strcspn(here, "\n");
        if (a != b || memcmp(theirs, here, (size_t)a) != 0) fail_msg("Lua:  %.*s\nours: %.*s", a, theirs, b, here);
        theirs += a + (theirs[a] == '\n');
        here += b + (here[b] == '\n');
    }
    assert_int_equal(*theirs, *here);
}

#define SAME(...) \
    static const char *const expressions[] = {__VA_ARGS__}; \
    (void)state; \
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) expect_same(expressions[i])

static void test_known_answers(void **state)
{
    (void)state;
    expect("('hello world'):find('o w')", "true, integer 5, integer 7");
    expect("('hello world'):find('l+')", "true, integer 3, integer 4");
    expect("('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "true, \"key\", \"value\"");
    expect("('THE (quick) fox'):find('%((%a+)%)')", "true, integer 5, integer 11, \"quick\"");
    expect("('hello'):match('()ll()')", "true, integer 3, integer 5");
    expect("('hello world'):gsub('o', '0')", "true, \"hell0 w0rld\", integer 2");
    expect("('hello'):gsub('', '-')", "true, \"-h-e-l-l-o-\", integer 6");
    expect("('hello world'):gsub('(%w+) (%w+)', '%2 %1')", "true, \"world hello\", integer 1");
    expect("('f(a(b)c)d'):match('%b()')", "true, \"(a(b)c)\"");
    expect("('THE (quick) fox'):gsub('%f[%a]%a+', 'X')", "true, \"X (X) X\", integer 3");
    expect("('say \"it\" \\'s'):match('([\"\\'])(.-)%1')", "true, \"\\\"\", \"it\"");
    expect("all('one two', '%a+')", "true, \"\\\"one\\\", nil, nil; \\\"two\\\", nil, nil\"");
    expect("('x'):find('y')", "true, nil");
}

static void test_every_class_on_every_byte(void **state)
{
    (void)state;
    expect_same_lines(
        "local bytes, out = {}, {}\n"
        "for c = 0, 255 do bytes[#bytes + 1] = string.char(c) end\n"
        "local text = table.concat(bytes)\n"
        "for c = 0, 255 do\n"
        "  for _, form in ipairs {'%s', '%%%s', '[%%%s]', '[^%%%s]', '[%%%s%%d]', '[%s]', '[^%s]', '[%s-z]',\n"
        "      '[!-%s]'} do\n"
        "    local pattern = string.format(form, string.char(c))\n"
        "    out[#out + 1] = c .. form .. ' ' .. show(pcall(string.gsub, text, pattern, '.'))\n"
        "  end\n"
        "end\n"
        "return table.concat(out, '\\n')\n");
}

static void test_sets(void **state)
{
    SAME("('a-b]c^d'):gsub('[]]', '.')", "('a-b]c^d'):gsub('[^]]', '.')", "('a-b]c^d'):gsub('[a-]', '.')",
        "('a-b]c^d'):gsub('[-a]', '.')", "('a-b]c^d'):gsub('[a^]', '.')", "('a-b]c^d'):gsub('[%]]', '.')",
        "('a-b]c^d'):gsub('[%^]', '.')", "('a-b]c^d'):gsub('[%a-z]', '.')", "('a-b]c^d'):gsub('[a-c]', '.')",
        "('a-b]c^d'):gsub('[c-a]', '.')", "('a-b]c^d'):gsub('[^a-c%^]', '.')", "('a%d'):gsub('[%%]', '.')",
        "('a-b]c^d'):gsub('[]-a]', '.')", "('a-%]'):gsub('[a-%%]', '.')", "('a-%]'):gsub('[a-%]', '.')",
        "('a-%]b'):gsub('[+--]', '.')", "('\\200\\100'):gsub('[\\128-\\255]', '.')", "('a\\0b'):gsub('[%z]', '.')",
        "('a\\0b'):gsub('[\\0]', '.')", "('a\\0b'):gsub('[^\\0]', '.')", "('ab'):gsub('[a-b-c]', '.')",
        "('a-c'):gsub('[a-b-c]', '.')", "('[x'):gsub('[[]', '.')", "('[:alpha:]'):gsub('[[:alpha:]]', '.')");
}

static void test_repetitions(void **state)
{
    SAME("('aaab'):match('a*')", "('aaab'):match('a+')", "('aaab'):match('a-')", "('aaab'):match('a?')",
        "('aaab'):match('a-b')", "('aaab'):match('^a-$')", "('aaab'):match('.-b')", "('aaab'):match('a?a?a?a?b')",
        "('bbb'):match('a*')", "('bbb'):match('a+')", "('bbb'):match('a-b')", "('bbb'):match('a?b')",
        "('aXbX'):match('.*X')", "('aXbX'):match('.-X')", "('aXbX'):match('(.*)X(.*)')", "('aXbX'):match('(.-)X(.-)')",
        "('a*b'):match('a%*b')", "('*a'):match('*a')", "('+'):match('+')", "('?'):match('?')", "('-'):match('-')",
        "('aa*'):match('a**')", "('aaa'):match('a+a')", "('aaa'):match('a*aaa')", "('aaa'):match('a?aaa')",
        "('aaa'):match('a-aaa')", "('aab'):match('[ab]+b')", "('12ab'):match('%d-%a')", "('x'):match('(x)*')",
        "('x*'):match('(x)*')", "('ab'):match('%bxy*')", "(''):match('a*')", "(''):match('a+')", "(''):match('.?')");
}

static void test_anchors(void **state)
{
    SAME("('abc'):find('^b')", "('abc'):find('^a')", "('abc'):find('^b', 2)", "('abc'):find('c$')",
        "('abc'):find('b$')", "('a$c'):find('a$c')", "('a$'):find('$')", "('a$'):find('$$')", "('a^b'):find('a^b')",
        "('^a'):find('^^a')", "(''):find('^$')", "(''):find('^')", "('abc'):find('$')", "('abc'):find('^', 10)",
        "('abc'):gsub('^a', 'x')", "('aaa'):gsub('^a', 'x')", "('abc'):gsub('^', 'x')", "('abc'):gsub('$', 'x')",
        "('abc'):gsub('^b', 'x')", "all('aaa', '^a')", "all('a^a', '^a')", "all('abc', '$')", "('a$'):match('(a$)')",
        "('a$)'):match('(a$)')");
}

static void test_captures(void **state)
{
    SAME("('abc'):match('(a)(b)(c)')", "('abc'):match('((a)(b))')", "('abc'):match('()')", "('abc'):match('()', 3)",
        "('abc'):match('a()b()c()')", "('abc'):find('()b()')", "('abc'):find('(b)')", "('aa'):match('(a)%1')",
        "('ab'):match('(a)%1')", "('abab'):match('(ab)%1')", "('aba'):match('(ab)%1')", "('aa'):match('()a%1')",
        "('abcabc'):match('(a)(b)(c)%1%2%3')", "('x=x'):match('(.*)=%1')", "('='):match('(.-)=%1')",
        "('a'):match('((((((((((a))))))))))')", "('ab'):match('(a)b(')", "('ab'):match('(a*(.)%w(%s*))')",
        "('  x  '):match('^%s*(.-)%s*$')", "('ab'):match('(a?)(a?)b')", "('aab'):gsub('(a)(b)', '%2%1%0')",
        "('a'):match(('()'):rep(32))", "('abcdefghijklmnopqrstuvwxyz0123456789'):match(('(.)'):rep(32))",
        "('a'):gsub(('()'):rep(10), '%9%1')");
}

static void test_balance_and_frontier(void **state)
{
    SAME("('((a)'):match('%b()')", "('(a))'):match('%b()')", "('xax'):match('%bxx')", "('\\0a\\1'):match('%b\\0\\1')",
        "(''):match('%b\\0\\0')", "('a'):match('a%b\\0x')", "('(a)(b)'):gsub('%b()', '')", "('(a)'):match('%b()$')",
        "('[[a]'):match('%b[]')", "('a(b'):match('%b()')", "('%a%'):match('%b%%')", "('a b'):gsub('%f[%w]', '<')",
        "('a b'):gsub('%f[%W]', '>')", "('ab'):find('%f[b]')", "('ab'):find('%f[%z]')", "('ab'):find('%f[\\0]')",
        "('ab'):find('%f[^%w]')", "('ab'):find('%f[a]', 2)", "('aab'):find('%f[a]a', 2)", "(''):find('%f[%w]')",
        "(''):find('%f[%W]')", "('foo.bar'):match('%f[%a]bar%f[%A]')", "('a'):find('%f[^\\0]')",
        "all('a b', '%f[%w]')");
}

static void test_where_to_begin(void **state)
{
    SAME("('abcabc'):find('b', 3)", "('abcabc'):find('b', -2)", "('abcabc'):find('b', -100)", "('abc'):find('b', 0)",
        "('abc'):find('', 4)", "('abc'):find('', 5)", "('abc'):find('', math.maxinteger)", "('abc'):find('.', -1)",
        "('abc'):find('', math.mininteger)", "('abc'):match('.', -3)", "('abc'):match('.', -4)",
        "('abc'):find('b', 2.0)", "('abc'):find('b', 2.5)", "('abc'):find('b', '2')", "('abc'):find('b', {})",
        "('abc'):match('b', 'x')", "all('abc', '.', 2)", "all('abc', '.', -1)", "all('abc', '.', 4)",
        "all('abc', '', 4)", "all('abc', '', 5)", "all('abc', '()', -100)", "all('abc', '.', {})",
        "all('ab ab', '%f[%w]%w+', 2)", "(''):find('')", "(''):find('', 1)", "(''):find('', 2)",
        "all('abc', '', math.maxinteger)", "all('abc', '.', math.mininteger)");
}

static void test_plain_texts(void **state)
{
    SAME("('a.b'):find('.', 1, true)", "('a.b'):find('.', 3, true)", "('a%b'):find('%', 1, true)",
        "('abc'):find('', 1, true)", "('abc'):find('', 4, true)", "('abc'):find('', 5, true)", "(''):find('', 1, true)",
        "('abc'):find('bcd')", "('abcbcd'):find('bcd')", "('aab'):find('ab')", "('a\\0b'):find('\\0b')",
        "('a\\0b'):find('b')", "('a\\0b'):find('\\0', 1, true)", "('a\\0]'):find('\\0]')", "('a]b)'):find(']b)')",
        "('a]'):match(']')", "('abc'):find('abcd')", "('x^'):find('^', 2, true)", "('abc'):find('b', -1, true)",
        "('abc'):find('(', 1, 1)", "('abc'):find('b', nil, nil)", "('abc'):find('a\\0')", "('a\\0(b'):find('a\\0(b')");
}

/* The search goes window by window of 65,536 bytes; a match may lie across two, and be larger than one. */
static void test_plain_texts_longer_than_a_window(void **state)
{
    (void)state;
    for (int before = 65530; before < 65541; before++) {
        char expression[EXPRESSION_BYTES];
        snprintf(expression, sizeof expression, "(('x'):rep(%d) .. 'needle' .. ('y'):rep(90000)):find('needle')",
            before);
        expect_same(expression);
        snprintf(expression, sizeof expression, "(('x'):rep(%d) .. 'n'):find('n')", before);
        expect_same(expression);
        snprintf(expression, sizeof expression, "(('x'):rep(%d) .. 'n'):find('m')", before);
        expect_same(expression);
    }
    expect_same("(('x'):rep(100000) .. ('y'):rep(70000)):find('x' .. ('y'):rep(70000))");
    expect_same("(('x'):rep(100000) .. ('y'):rep(70000)):find('x' .. ('y'):rep(70001))");
    expect_same("(('x'):rep(300000) .. 'y'):find('xxxy', 200000)");
}

static void test_gmatch(void **state)
{
    SAME("all('one two three', '%a+')", "all('k=v, l=w', '(%w+)=(%w+)')", "all('abc', '')", "all('abc', 'x*')",
        "all('abcb', 'b*')", "all('abc', '()')", "all('aXbXX', '(.-)X')", "all('', '')", "all('', '.')",
        "all('abc', 'd')", "all('a\\0b', '%Z+')", "all('a b', '%s*')", "all('abc', '[')", "string.gmatch('a', 'a')()",
        "string.gmatch(12, 1)()", "string.gmatch('a')", "string.gmatch()", "string.gmatch({}, 'a')",
        "string.gmatch('a', {})", "(function() local f = ('ab'):gmatch('.') return f(), f(), f(), f() end)()",
        "(function() local f = ('ab'):gmatch('.') local co = coroutine.wrap(f) return co(), f() end)()");
}

static void test_gsub_with_texts(void **state)
{
    SAME("('abc'):gsub('%w', '%0%0')", "('abc'):gsub('%w', '%1')", "('abc'):gsub('%w', '%%')",
        "('abc'):gsub('%w', '%%%0%%')", "('abc'):gsub('(%w)(%w)', '%2%1')", "('abc'):gsub('()', '%1')",
        "('abc'):gsub('b', '\\0')", "('abc'):gsub('b', 7)", "('abc'):gsub('b', 7.5)", "(123):gsub(2, 7)",
        "(123):gsub(9, 7)", "('abc'):gsub('', '')", "('abc'):gsub('x', 'y')", "('abc'):gsub('.', 'x', 2)",
        "('abc'):gsub('.', 'x', 0)", "('abc'):gsub('.', 'x', -1)", "('abc'):gsub('.', 'x', 2.0)",
        "('abc'):gsub('.', 'x', math.maxinteger)", "('abc'):gsub('.', 'x', 1.5)", "('abc'):gsub('.', 'x', 'y')",
        "('abc'):gsub('b*', '-')", "('abc'):gsub('%w*', '-')", "('a b'):gsub('%s*', '-')",
        "('abc'):gsub('b', ('x'):rep(5000))", "('abc'):gsub('.', 'x', nil)", "('hello'):gsub('l*', 'x')",
        "('abc'):gsub('c$', 'x')", "('a.b'):gsub('%.', '%%.')", "('abc'):gsub('(a)()', '%2%1%0')",
        "('ab'):gsub('.', '%0', 1)", "('x'):gsub('x', '%%1')");
}

static void test_gsub_with_tables_and_functions(void **state)
{
    SAME("('a b'):gsub('%w', {a = 1, b = false})", "('a b'):gsub('%w', {a = 'x'})",
        "('a b'):gsub('(%w)( ?)', {a = 'x'})", "('a b'):gsub('()%w', {'x', nil, 'z'})", "('ab'):gsub('%w', {a = {}})",
        "('ab'):gsub('%w', {a = true})",
        "('ab'):gsub('.', setmetatable({}, {__index = function(_, k) return k .. k end}))",
        "('ab'):gsub('.', setmetatable({}, {__index = function() error('inside') end}))",
        "('ab'):gsub('.', function(c) return c .. c end)", "('ab'):gsub('.', function() end)",
        "('ab'):gsub('.', function() return false end)", "('ab'):gsub('.', function() return 1.5 end)",
        "('ab'):gsub('.', function() return print end)", "('ab'):gsub('.', function() error('inside') end)",
        "('ab'):gsub('.', function() error({}) end)", "('ab'):gsub('(.)(.)', function(a, b) return b .. a end)",
        "('ab'):gsub('()', function(i) return i end)", "('ab'):gsub('()(.)', function(...) return show(...) end)",
        "('abc'):gsub('.', {b = 'x'}, 1)", "('abc'):gsub('b', string.upper)",
        "('abc'):gsub('.', function(c) return c == 'b' and ('y'):rep(3000) end)",
        "('a-b'):gsub('%w', function(c) return (c:gsub('.', '%0%0')) end)",
        "(' x y '):gsub('%s*(%w)%s*', function(c) return c ~= 'x' and '<' .. c .. '>' end)",
        "coroutine.wrap(function() return ('a'):gsub('.', coroutine.yield) end)()", "(123):gsub('2', {['2'] = 'x'})",
        "('1'):gsub('1', {'x'})", "('a'):gsub('a', {a = 12})");
}

static void test_malformed_patterns(void **state)
{
    SAME("('a'):find('%')", "('a'):find('a%')", "('b'):find('a%')", "('a'):find('[')", "('a'):find('[a')",
        "('a'):find('[]')", "('a'):find('[^]')", "('a'):find('[a%')", "('a'):find('[a%]')", "('a'):find('[^')",
        "('a'):find('[%')", "('a'):find('(')", "('a'):find('(a')", "('a'):find(')')", "('a'):find('a)')",
        "('a'):find('())')", "('a'):find('%1')", "('a'):find('(%1)')", "('a'):find('(a)%2')", "('a'):find('%0')",
        "('a'):find('(a)%0')", "('aa'):find('(a%1)')", "('a'):find('%b')", "('a'):find('%b(')", "('a'):find('%f')",
        "('a'):find('%fa')", "('a'):find('%f[')", "('a'):find('%f[a')", "('a'):match('(a')", "('a'):match('(()')",
        "('a'):gsub('(a', 'x')", "('a'):gsub('(a', '%1')", "('a'):gsub('(a', {})", "('a'):gsub('(a', print)",
        "('a'):gsub('%', 'x')", "('b'):match('a[')", "('b'):match('b[')", "(''):match('[')", "(''):match('%')",
        "(''):gsub('[a', '')", "('a'):find(('()'):rep(33))", "('a'):match(('('):rep(33))",
        "('a'):gsub(('()'):rep(33), '')", "('a'):find('a\\0[')", "all('a', '%')", "all('a', '(')", "all('a', '%1')",
        "('a'):find('[a-')", "('a'):find('[a-]')", "('a'):find('(]')");
}

static void test_replacements_that_cannot_be(void **state)
{
    SAME("('a'):gsub('a', '%')", "('a'):gsub('a', 'x%')", "('a'):gsub('a', '%x')", "('a'):gsub('a', '%2')",
        "('a'):gsub('(a)', '%2')", "('a'):gsub('(a)', '%1%9')", "('a'):gsub('a', '%\\0')", "('b'):gsub('a', '%')",
        "('a'):gsub('a', '% ')", "('a'):gsub('a', nil)", "('a'):gsub('a')", "('a'):gsub('a', true)",
        "('a'):gsub('a', print, {})", "('a'):gsub('a', nil, {})", "('a'):gsub('a', coroutine.create(print))");
}

static void test_arguments_of_the_wrong_type(void **state)
{
    SAME("string.find()", "string.find('a')", "string.find('a', nil)", "string.find(nil, 'a')", "string.find({}, 'a')",
        "string.match('a')", "string.match()", "string.gsub()", "string.gsub('a')", "string.gsub('a', {}, 'x')",
        "('a'):find()", "('a'):find({})", "('a'):gsub({})", "('a'):match(true)", "string.find(12, 2)",
        "string.match(12, 1)", "string.find('12', 2)", "string.find(1.5, '.', 1, true)", "pcall(string.find)",
        "pcall(string.gsub, 'a')");
}

/* All patterns of up to four characters that matter, on a text that gives each of them something to do. */
static void test_every_short_pattern(void **state)
{
    (void)state;
    expect_same_lines(
        "local alphabet, out = {'a', '%', '.', '[', ']', '^', '-', '*', '?', '$', '(', ')', 'b', 'f', '1'}, {}\n"
        "local function try(pattern)\n"
        "  local f = show(pcall(string.find, 'aab-[a]^', pattern))\n"
        "  local g = show(pcall(string.gsub, 'ba1a', pattern, '<%0>'))\n"
        "  out[#out + 1] = pattern .. ' ' .. f .. ' ' .. g .. ' ' .. show(pcall(all, 'ab(1)', pattern))\n"
        "end\n"
        "local function extend(pattern, left)\n"
        "  try(pattern)\n"
        "  if left == 0 then return end\n"
        "  for _, c in ipairs(alphabet) do extend(pattern .. c, left - 1) end\n"
        "end\n"
        "extend('', 4)\n"
        "return table.concat(out, '\\n')\n");
}

static void test_nesting_ends_where_lua_ends_it(void **state)
{
    SAME("(('a'):rep(300)):find(('a?'):rep(198))", "(('a'):rep(300)):find(('a?'):rep(199))",
        "(('a'):rep(300)):find(('a?'):rep(200))", "(('a'):rep(300)):find(('a?'):rep(201))",
        "(('a'):rep(300)):find(('a?'):rep(199) .. '(a)')", "(('a'):rep(300)):find('(' .. ('a?'):rep(198) .. ')')",
        "(('a'):rep(300)):find('(' .. ('a?'):rep(197) .. ')')", "(('a'):rep(300)):find(('a*'):rep(199))",
        "(('a'):rep(300)):find(('a*'):rep(201))", "(('a'):rep(300)):find(('a-'):rep(199))",
        "(('a'):rep(300)):find(('a-'):rep(201) .. 'b')", "('b'):find(('a?'):rep(1000))", "('b'):find(('a*'):rep(1000))",
        "(('a'):rep(1000)):gsub(('a?'):rep(201), '')", "(('a'):rep(1000)):find(('a'):rep(1000) .. '$')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PATTERN(test_known_answers),
        PATTERN(test_every_class_on_every_byte),
        PATTERN(test_sets),
        PATTERN(test_repetitions),
        PATTERN(test_anchors),
        PATTERN(test_captures),
        PATTERN(test_balance_and_frontier),
        PATTERN(test_where_to_begin),
        PATTERN(test_plain_texts),
        PATTERN(test_plain_texts_longer_than_a_window),
        PATTERN(test_gmatch),
        PATTERN(test_gsub_with_texts),
        PATTERN(test_gsub_with_tables_and_functions),
        PATTERN(test_malformed_patterns),
        PATTERN(test_replacements_that_cannot_be),
        PATTERN(test_arguments_of_the_wrong_type),
        PATTERN(test_every_short_pattern),
        PATTERN(test_nesting_ends_where_lua_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
