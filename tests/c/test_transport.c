/* test_transport.c -- "HOST:PORT" taken apart: what is taken, and one test for each thing that is not. */
#include "net/transport.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void assert_parsed(const char *text, const char *host, uint16_t port)
{
    char found_host[HOST_TEXT_BYTES];
    uint16_t found_port = 1;
    assert_int_equal(host_port_parse(text, found_host, &found_port), 0);
    assert_string_equal(found_host, host);
    assert_int_equal(found_port, port);
}

static void assert_refused(const char *text)
{
    char host[HOST_TEXT_BYTES] = "untouched";
    uint16_t port = 7;
    if (host_port_parse(text, host, &port) != MOTH_EBAD_ADDRESS) fail_msg("'%s' is taken", text);
    assert_string_equal(host, "untouched");
}

static void test_transport_takes_names_and_numbers(void **state)
{
    (void)state;
    assert_parsed("127.0.0.1:6684", "127.0.0.1", 6684);
    assert_parsed("a.host-name_1.example:1", "a.host-name_1.example", 1);
    assert_parsed("0:0", "0", 0);
}

static void test_transport_takes_the_whole_range_of_ports(void **state)
{
    (void)state;
    assert_parsed("h:0", "h", 0);
    assert_parsed("h:65535", "h", 65535);
    assert_parsed("h:00080", "h", 80);
}

static void test_transport_takes_ipv6_in_brackets(void **state)
{
    (void)state;
    assert_parsed("[::1]:80", "::1", 80);
    assert_parsed("[fe80::1%eth0]:80", "fe80::1%eth0", 80);
    assert_parsed("[::ffff:1.2.3.4]:0", "::ffff:1.2.3.4", 0);
}

static void test_transport_takes_a_host_of_255_bytes_and_no_more(void **state)
{
    char text[HOST_TEXT_BYTES + 3], host[HOST_TEXT_BYTES] = "";
    (void)state;
    memset(host, 'h', sizeof host - 1);
    memcpy(text, host, sizeof host - 1);
    memcpy(text + sizeof host - 1, ":1", 3);
    assert_parsed(text, host, 1);
    memmove(text + 1, text, sizeof host + 2);
    assert_refused(text);
}

static void test_transport_refuses_no_port(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("host");
    assert_refused("host:");
    assert_refused("[::1]");
    assert_refused("[::1]:");
}

static void test_transport_refuses_no_host(void **state)
{
    (void)state;
    assert_refused(":");
    assert_refused(":80");
    assert_refused("[]:80");
}

static void test_transport_refuses_a_port_above_65535(void **state)
{
    (void)state;
    assert_refused("h:65536");
    assert_refused("h:99999");
    assert_refused("h:100000");
    assert_refused("h:18446744073709551617");
}

static void test_transport_refuses_a_port_that_is_no_number(void **state)
{
    static const char *const texts[] = {"h:http", "h:80x",  "h:x80",  "h:-1",    "h:+1",        "h: 80", "h:80 ",
                                        "h:8 0",  "h:0x50", "h:80\n", "[::1]:x", "[::1]:80:80", "h:8.0"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_refused(texts[i]);
}

static void test_transport_refuses_a_bracket_that_does_not_close_before_the_port(void **state)
{
    static const char *const texts[] = {"[",         "[]",      "[::1",      "[::1:80",   "[::1]80",  "[::1]x:80",
                                        "[::1] :80", "::1]:80", "x[::1]:80", "[[::1]:80", "[::1]]:80"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_refused(texts[i]);
}

static void test_transport_refuses_ipv6_without_brackets(void **state)
{
    (void)state;
    assert_refused("::1:80");
    assert_refused("fe80::1%eth0:80");
}

static void test_transport_refuses_what_is_not_ipv6_in_brackets(void **state)
{
    (void)state;
    assert_refused("[127.0.0.1]:80");
    assert_refused("[localhost]:80");
}

/* Every byte but the ones that names, numbers and the separators are made of. */
static void test_transport_refuses_any_other_byte_in_a_host(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[] = {'a', (char)byte, 'b', ':', '1', '\0'};
        bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     byte == '.' || byte == '-' || byte == '_';
        if (plain) assert_parsed(text, (char[]){'a', (char)byte, 'b', '\0'}, 1);
        else assert_refused(text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transport_takes_names_and_numbers),
        cmocka_unit_test(test_transport_takes_the_whole_range_of_ports),
        cmocka_unit_test(test_transport_takes_ipv6_in_brackets),
        cmocka_unit_test(test_transport_takes_a_host_of_255_bytes_and_no_more),
        cmocka_unit_test(test_transport_refuses_no_port),
        cmocka_unit_test(test_transport_refuses_no_host),
        cmocka_unit_test(test_transport_refuses_a_port_above_65535),
        cmocka_unit_test(test_transport_refuses_a_port_that_is_no_number),
        cmocka_unit_test(test_transport_refuses_a_bracket_that_does_not_close_before_the_port),
        cmocka_unit_test(test_transport_refuses_ipv6_without_brackets),
        cmocka_unit_test(test_transport_refuses_what_is_not_ipv6_in_brackets),
        cmocka_unit_test(test_transport_refuses_any_other_byte_in_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
