/* test_peers.c -- the address book: names, aliases, addresses, and who is forgotten for whom.
 *
 * Peers are numbered; a number stands in the first four bytes of the id, so 0x1f2e3d4c is shown as 1f2e3d4c. Adverts
 * are filled in by hand: the book trusts its callers that they are verified. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "node/peers.h"
#include "node/recent.h"

#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    struct peers *all = mem_new(sizeof *all);
    peers_init(all, 100, 7, NULL);
    *state = all;
    return 0;
}

static int tear_down(void **state)
{
    peers_fini(*state);
    free(*state);
    return 0;
}

static struct moth_id id_of(uint32_t number)
{
    struct moth_id id = {{0}};
    put_uint(id.bytes, number, 4);
    return id;
}

static struct peer *find(const struct peers *all, uint32_t number)
{
    struct moth_id id = id_of(number);
    return peers_find(all, &id);
}

static struct peer *get(struct peers *all, uint32_t number, bool proven)
{
    struct moth_id id = id_of(number);
    return peers_get(all, &id, proven);
}

/* An advert of theirs says so. */
static bool claims(struct peers *all, struct peer *p, const char *name)
{
    struct advert *a = mem_new(sizeof *a);
    a->origin = p->id;
    a->ed25519_key[0] = p->id.bytes[3];
    a->x25519_key[0] = (uint8_t)~p->id.bytes[3];
    strncpy(a->name, name, sizeof a->name - 1);
    bool taken = peer_learn(all, p, a);
    free(a);
    return taken;
}

static struct peer *named(struct peers *all, uint32_t number, const char *name)
{
    struct peer *p = get(all, number, true);
    claims(all, p, name);
    return p;
}

static void assert_shown(const struct peer *p, const char *wanted)
{
    char shown[PEER_DISPLAY_BYTES];
    peer_display(p, shown);
    assert_string_equal(shown, wanted);
}

static void assert_resolves(const struct peers *all, const char *text, const struct peer *wanted)
{
    struct peer *p = NULL;
    assert_int_equal(peers_resolve(all, text, &p), 0);
    assert_ptr_equal(p, wanted);
}

static void assert_refused(const struct peers *all, const char *text, int reason)
{
    struct peer *p = NULL;
    assert_int_equal(peers_resolve(all, text, &p), reason);
}

/* --- names --- */

static void peer_without_an_advert_is_shown_by_its_id(void **state)
{
    assert_shown(get(*state, 0x1f2e3d4c, false), "1f2e3d4c");
}

static void peer_teaches_its_name_and_keys_by_its_advert(void **state)
{
    struct peer *p = named(*state, 0x1f2e3d4c, "bob");
    assert_shown(p, "bob");
    assert_true(p->has_keys);
    assert_int_equal(p->facts->ed25519_key[0], 0x4c);
    assert_int_equal(p->facts->x25519_key[0], 0xb3);
}

static void first_with_a_name_keeps_it(void **state)
{
    struct peer *first = named(*state, 1, "bob");
    named(*state, 2, "bob");
    claims(*state, first, "bob");
    assert_shown(first, "bob");
    assert_resolves(*state, "bob", first);
}

static void later_claimant_is_shown_with_its_id(void **state)
{
    named(*state, 1, "bob");
    assert_shown(named(*state, 0x1f2e3d4c, "bob"), "bob~1f2e3d4c");
    assert_shown(named(*state, 0x22222222, "bob"), "bob~22222222");
}

static void longest_name_is_shown_whole_beside_its_id(void **state)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz-._012";
    named(*state, 1, name);
    assert_shown(named(*state, 0x1f2e3d4c, name), "abcdefghijklmnopqrstuvwxyz-._012~1f2e3d4c");
}

static void names_that_differ_in_case_are_different_names(void **state)
{
    struct peer *small = named(*state, 1, "bob"), *large = named(*state, 2, "Bob");
    assert_resolves(*state, "bob", small);
    assert_resolves(*state, "Bob", large);
}

static void conflict_of_names_is_told_once_a_peer(void **state)
{
    named(*state, 1, "bob");
    named(*state, 2, "eva");
    struct peer *p = get(*state, 3, true);
    assert_true(claims(*state, p, "bob"));
    for (unsigned i = 0; i < 5; i++) {
        assert_false(claims(*state, p, "eva"));
        assert_false(claims(*state, p, "bob"));
    }
    assert_true(claims(*state, get(*state, 4, true), "bob"));
}

static void conflict_is_told_when_it_comes_with_a_change_of_name(void **state)
{
    named(*state, 1, "bob");
    struct peer *p = named(*state, 2, "eva");
    assert_true(claims(*state, p, "bob"));
}

static void conflict_is_not_told_when_nobody_else_has_the_name(void **state)
{
    struct peer *p = get(*state, 1, true);
    assert_false(claims(*state, p, "beef")); /* could be taken for an id */
    assert_false(claims(*state, p, "a1"));
    assert_false(claims(*state, p, "a2"));
    assert_false(claims(*state, p, "a3"));
    assert_false(claims(*state, p, "a4"));
    assert_false(claims(*state, p, "a5")); /* all its places for names are taken */
}

static void name_that_could_be_an_id_is_never_pinned(void **state)
{
    static const char *const names[] = {"beef", "BEEF", "1234", "0f0f0f0f", "abcdefABCDEF0123456789"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char wanted[PEER_DISPLAY_BYTES];
        assert_false(name_is_pinnable(names[i]));
        snprintf(wanted, sizeof wanted, "%s~%08x", names[i], 0x70000001u + (unsigned)i);
        struct peer *p = named(*state, 0x70000001u + (uint32_t)i, names[i]);
        assert_int_equal(p->facts->name_count, 0);
        assert_shown(p, wanted);
        assert_refused(*state, names[i], MOTH_EUNKNOWN_PEER);
        assert_resolves(*state, wanted, p);
    }
}

static void name_that_could_be_an_id_does_not_hide_whose_id_it_is(void **state)
{
    struct peer *owner = get(*state, 0xbeef0001, false);
    named(*state, 2, "beef");
    assert_resolves(*state, "beef", owner);
}

static void name_of_three_hex_digits_is_a_name(void **state)
{
    assert_true(name_is_pinnable("abc"));
    assert_true(name_is_pinnable("beefs"));
    assert_true(name_is_pinnable("12-4"));
    struct peer *p = named(*state, 1, "abc");
    assert_resolves(*state, "abc", p);
}

static void name_outside_the_alphabet_is_not_pinnable(void **state)
{
    (void)state;
    assert_false(name_is_pinnable(""));
    assert_false(name_is_pinnable("bob~"));
    assert_false(name_is_pinnable("b b"));
    assert_false(name_is_pinnable("\xc3\xbc"));
    assert_false(name_is_pinnable("abcdefghijklmnopqrstuvwxyz-._0123"));
}

static void renamed_peer_keeps_its_old_name_from_others(void **state)
{
    struct peer *p = named(*state, 1, "ana"), *other = get(*state, 2, true);
    claims(*state, p, "anna");
    assert_shown(p, "anna");
    assert_true(claims(*state, other, "ana"));
    assert_shown(other, "ana~00000002");
    assert_resolves(*state, "ana", p);
    assert_resolves(*state, "anna", p);
}

static void renamed_peer_may_go_back_to_its_old_name(void **state)
{
    struct peer *p = named(*state, 1, "ana");
    claims(*state, p, "anna");
    claims(*state, p, "ana");
    assert_shown(p, "ana");
    assert_int_equal(p->facts->name_count, 2);
}

static void peer_holds_at_most_four_names(void **state)
{
    struct peer *p = get(*state, 1, true), *other;
    static const char *const names[] = {"one", "two", "three", "four", "five"};
    for (unsigned i = 0; i < 5; i++) claims(*state, p, names[i]);
    assert_int_equal(p->facts->name_count, PEER_NAMES_MAX);
    assert_shown(p, "five~00000001");
    other = named(*state, 2, "five");
    assert_shown(other, "five");
    claims(*state, p, "two");
    assert_shown(p, "two");
}

static void own_name_is_reserved_before_anybody_comes(void **state)
{
    struct peer *self = get(*state, 1, true);
    assert_true(peer_pin_name(*state, self, "me"));
    assert_true(peer_pin_name(*state, self, "me"));
    assert_true(claims(*state, get(*state, 2, true), "me"));
    assert_resolves(*state, "me", self);
}

static void forgotten_peers_leave_their_names_free(void **state)
{
    struct peers *all = *state;
    struct peer *p = named(all, 1, "ana");
    claims(all, p, "anna");
    all->max = 1;
    struct peer *heir = named(all, 2, "anna");
    assert_shown(heir, "anna");
    assert_refused(all, "ana", MOTH_EUNKNOWN_PEER);
    assert_int_equal(all->by_name.count, 1);
}

/* --- aliases --- */

static int alias(struct peers *all, uint32_t number, const char *text)
{
    return peer_set_alias(all, get(all, number, true), text);
}

static void alias_is_how_a_peer_is_shown_and_found(void **state)
{
    struct peer *p = named(*state, 1, "bob");
    assert_int_equal(alias(*state, 1, "robert"), 0);
    assert_shown(p, "robert");
    assert_resolves(*state, "robert", p);
    assert_resolves(*state, "bob", p);
    assert_resolves(*state, "bob~00000001", p);
}

static void alias_wins_over_the_name_of_another(void **state)
{
    struct peer *bob = named(*state, 1, "bob"), *eva = named(*state, 2, "eva");
    assert_int_equal(alias(*state, 2, "bob"), 0);
    assert_resolves(*state, "bob", eva);
    assert_resolves(*state, "eva", eva);
    assert_resolves(*state, "bob~00000001", bob);
    assert_int_equal(alias(*state, 2, NULL), 0);
    assert_resolves(*state, "bob", bob);
}

static void alias_is_not_inherited_by_who_claims_it_as_a_name(void **state)
{
    struct peer *p = get(*state, 1, true);
    assert_int_equal(alias(*state, 1, "bob"), 0);
    struct peer *other = named(*state, 2, "bob");
    assert_resolves(*state, "bob", p);
    assert_int_equal(other->facts->name_count, 1);
}

static void alias_can_be_taken_away(void **state)
{
    static const char *const nothing[] = {NULL, ""};
    struct peer *p = named(*state, 1, "bob");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(alias(*state, 1, "robert"), 0);
        assert_int_equal(alias(*state, 1, nothing[i]), 0);
        assert_shown(p, "bob");
        assert_refused(*state, "robert", MOTH_EUNKNOWN_PEER);
    }
    assert_int_equal(alias(*state, 1, NULL), 0); /* there was none */
    assert_int_equal(((struct peers *)*state)->by_alias.count, 0);
}

static void alias_replaces_the_one_before(void **state)
{
    struct peer *p = get(*state, 1, true);
    assert_int_equal(alias(*state, 1, "robert"), 0);
    assert_int_equal(alias(*state, 1, "bobby"), 0);
    assert_int_equal(alias(*state, 1, "bobby"), 0);
    assert_shown(p, "bobby");
    assert_refused(*state, "robert", MOTH_EUNKNOWN_PEER);
    assert_int_equal(alias(*state, 2, "robert"), 0);
    assert_int_equal(((struct peers *)*state)->by_alias.count, 2);
}

static void alias_of_somebody_else_is_in_use(void **state)
{
    struct peer *first = get(*state, 1, true), *second = named(*state, 2, "eva");
    assert_int_equal(alias(*state, 1, "bob"), 0);
    assert_int_equal(alias(*state, 2, "dear"), 0);
    assert_int_equal(alias(*state, 2, "bob"), MOTH_EIN_USE);
    assert_resolves(*state, "bob", first);
    assert_shown(second, "dear"); /* it keeps what it had */
    assert_int_equal(alias(*state, 1, NULL), 0);
    assert_int_equal(alias(*state, 2, "bob"), 0);
    assert_resolves(*state, "bob", second);
}

static void alias_that_could_be_no_name_is_refused(void **state)
{
    static const char *const texts[] = {"beef", "12345678", "two words", "bob~1f2e", "\xc3\xb6", "@all", "\n",
                                        "abcdefghijklmnopqrstuvwxyz-._0123"};
    struct peer *p = get(*state, 0x1f2e3d4c, true);
    assert_int_equal(peer_set_alias(*state, p, "dear"), 0);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(peer_set_alias(*state, p, texts[i]), MOTH_EBAD_NAME);
        assert_shown(p, "dear");
        assert_resolves(*state, "dear", p);
    }
}

static void alias_may_be_as_long_as_a_name(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz-._012";
    struct peer *p = get(*state, 1, true);
    assert_int_equal(peer_set_alias(*state, p, text), 0);
    assert_shown(p, text);
    assert_resolves(*state, text, p);
}

/* --- finding by what people write --- */

static void peer_is_found_by_its_full_id_in_any_case(void **state)
{
    struct peer *p = named(*state, 0xabcdef01, "bob");
    get(*state, 0xabcdef02, false);
    assert_resolves(*state, "abcdef01000000000000000000000000", p);
    assert_resolves(*state, "ABCDEF01000000000000000000000000", p);
}

static void full_id_of_nobody_is_unknown(void **state)
{
    get(*state, 0xabcdef01, false);
    assert_refused(*state, "abcdef01000000000000000000000001", MOTH_EUNKNOWN_PEER);
}

static void peer_is_found_by_four_digits_and_more(void **state)
{
    struct peer *p = get(*state, 0xabcdef01, false);
    assert_resolves(*state, "abcd", p);
    assert_resolves(*state, "ABCDE", p);
    assert_resolves(*state, "abcdef01", p);
    assert_resolves(*state, "abcdef010000000000000000000000", p);
}

static void prefix_of_less_than_four_digits_is_too_short(void **state)
{
    get(*state, 0xabcdef01, false);
    assert_refused(*state, "abc", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "a", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "", MOTH_EUNKNOWN_PEER);
}

static void prefix_of_two_is_ambiguous(void **state)
{
    struct peer *p = get(*state, 0xabcdef01, false);
    get(*state, 0xabcdef02, false);
    assert_refused(*state, "abcd", MOTH_EAMBIGUOUS);
    assert_refused(*state, "abcdef0", MOTH_EAMBIGUOUS);
    assert_resolves(*state, "abcdef01", p);
}

static void prefix_of_nobody_is_unknown(void **state)
{
    get(*state, 0xabcdef01, false);
    assert_refused(*state, "abce", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "xyz1", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "abcdef010000000000000000000000000", MOTH_EUNKNOWN_PEER); /* 33 digits */
}

static void peer_is_found_as_it_is_shown(void **state)
{
    struct peer *first = named(*state, 0x11111111, "bob"), *second = named(*state, 0x22222222, "bob");
    assert_resolves(*state, "bob~22222222", second);
    assert_resolves(*state, "bob~2222", second);
    assert_resolves(*state, "bob~11111111", first);
}

static void name_beside_the_id_of_another_is_unknown(void **state)
{
    named(*state, 0x11111111, "bob");
    named(*state, 0x22222222, "bobby");
    assert_refused(*state, "bob~22222222", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "bobby~11111111", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "eva~22222222", MOTH_EUNKNOWN_PEER);
}

static void name_beside_a_bad_id_is_refused_like_the_id(void **state)
{
    named(*state, 0x11111111, "bob");
    named(*state, 0x11112222, "bob");
    assert_refused(*state, "bob~", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "bob~111", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "bob~33333333", MOTH_EUNKNOWN_PEER);
    assert_refused(*state, "bob~1111", MOTH_EAMBIGUOUS);
    assert_refused(*state, "bob~11111111~11111111", MOTH_EUNKNOWN_PEER);
}

static void name_of_a_forgotten_peer_means_nobody_until_claimed_again(void **state)
{
    struct peers *all = *state;
    struct peer *heir = get(all, 3, true);
    named(all, 1, "bob");
    claims(all, heir, "bob");
    all->max = 2;
    heir->reachable = true;
    get(all, 4, true); /* bob is forgotten for somebody else */
    assert_null(find(all, 1));
    assert_refused(all, "bob", MOTH_EUNKNOWN_PEER);
    claims(all, heir, "bob");
    assert_resolves(all, "bob", heir);
}

static void peers_are_listed_by_shown_name_and_then_by_id(void **state)
{
    static const char *const wanted[] = {"00000005", "00000006", "ana", "bob", "bob~00000003", "zoe"};
    size_t count;
    get(*state, 6, false);
    named(*state, 4, "zoe");
    named(*state, 2, "bob");
    named(*state, 3, "bob");
    get(*state, 5, false);
    named(*state, 1, "ana");
    struct peer **list = peers_sorted(*state, &count);
    assert_int_equal(count, 6);
    for (size_t i = 0; i < 6; i++) assert_shown(list[i], wanted[i]);
    free(list);
}

static void peers_shown_alike_are_listed_by_id(void **state)
{
    size_t count;
    struct moth_id id = id_of(1);
    struct peer *first = get(*state, 1, false);
    id.bytes[15] = 1;
    struct peer *second = peers_get(*state, &id, false);
    struct peer **list = peers_sorted(*state, &count);
    assert_int_equal(count, 2);
    assert_ptr_equal(list[0], first);
    assert_ptr_equal(list[1], second);
    free(list);
}

static void empty_book_lists_nobody(void **state)
{
    size_t count = 9;
    free(peers_sorted(*state, &count));
    assert_int_equal(count, 0);
}

/* --- addresses --- */

static struct address at(const char *text)
{
    struct address a;
    assert_int_equal(address_parse(text, &a), 0);
    return a;
}

static void address_crosses_only_links_of_its_scope_or_closer(void **state)
{
    static const struct {
        const char *address;
        bool loopback, private, public, unusable; /* over a link of that scope */
    } rules[] = {
        {"127.0.0.1:1", true, false, false, false},     {"[::1]:1", true, false, false, false},
        {"10.0.0.1:1", true, true, false, false},       {"[fe80::1]:1", true, true, false, false},
        {"192.168.7.7:1", true, true, false, false},    {"[::ffff:10.0.0.1]:1", true, true, false, false},
        {"8.8.8.8:1", true, true, true, true},          {"[2001:db8::1]:1", true, true, true, true},
        {"224.0.0.1:1", false, false, false, false},    {"0.0.0.0:1", false, false, false, false},
        {"[::ffff:127.0.0.1]:1", true, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct address a = at(rules[i].address);
        assert_int_equal(address_may_cross(&a, ADDRESS_LOOPBACK), rules[i].loopback);
        assert_int_equal(address_may_cross(&a, ADDRESS_PRIVATE), rules[i].private);
        assert_int_equal(address_may_cross(&a, ADDRESS_PUBLIC), rules[i].public);
        assert_int_equal(address_may_cross(&a, ADDRESS_UNUSABLE), rules[i].unusable);
    }
}

static void add(struct peers *all, struct peer *p, const char *text, bool proven)
{
    struct address a = at(text);
    peer_add_address(all, p, &a, ADDRESS_PUBLIC, proven);
}

static const struct known_address *known(const struct peer *p, const char *text)
{
    struct address a = at(text);
    for (unsigned i = 0; i < p->facts->address_count; i++)
        if (address_equal(&p->facts->addresses[i].address, &a)) return &p->facts->addresses[i];
    return NULL;
}

static void tried(struct peers *all, struct peer *p, const char *text, uint64_t now_us)
{
    peer_dialled(all, p, (unsigned)(known(p, text) - p->facts->addresses), now_us);
}

static void fill(struct peers *all, struct peer *p, bool proven)
{
    add(all, p, "8.0.0.1:1", proven);
    add(all, p, "8.0.0.2:1", proven);
    add(all, p, "8.0.0.3:1", proven);
    add(all, p, "8.0.0.4:1", proven);
    assert_int_equal(p->facts->address_count, PEER_ADDRESSES_MAX);
}

static void address_of_a_forbidden_scope_is_not_learned(void **state)
{
    struct peer *p = get(*state, 1, false);
    struct address loopback = at("127.0.0.1:1"), private = at("10.0.0.1:1");
    peer_add_address(*state, p, &loopback, ADDRESS_PRIVATE, true);
    peer_add_address(*state, p, &private, ADDRESS_PUBLIC, true);
    assert_int_equal(p->facts->address_count, 0);
    peer_add_address(*state, p, &loopback, ADDRESS_LOOPBACK, false);
    peer_add_address(*state, p, &private, ADDRESS_PRIVATE, false);
    assert_int_equal(p->facts->address_count, 2);
}

static void address_is_learned_once_and_proven_for_good(void **state)
{
    struct peer *p = get(*state, 1, false);
    add(*state, p, "8.0.0.1:1", false);
    tried(*state, p, "8.0.0.1:1", 77);
    assert_false(known(p, "8.0.0.1:1")->proven);
    add(*state, p, "8.0.0.1:1", true);
    add(*state, p, "8.0.0.1:1", false);
    assert_int_equal(p->facts->address_count, 1);
    assert_true(known(p, "8.0.0.1:1")->proven);
    assert_int_equal(known(p, "8.0.0.1:1")->dialled_us, 77);
}

static void address_with_another_port_is_another(void **state)
{
    struct peer *p = get(*state, 1, false);
    add(*state, p, "8.0.0.1:1", false);
    add(*state, p, "8.0.0.1:2", false);
    assert_int_equal(p->facts->address_count, 2);
}

static void fifth_address_waits_while_none_was_tried(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, false);
    add(*state, p, "8.0.0.5:1", false);
    assert_int_equal(p->facts->address_count, PEER_ADDRESSES_MAX);
    assert_null(known(p, "8.0.0.5:1"));
}

static void fifth_address_takes_the_place_of_one_tried_in_vain(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, false);
    tried(*state, p, "8.0.0.2:1", 50);
    tried(*state, p, "8.0.0.3:1", 90);
    add(*state, p, "8.0.0.5:1", false);
    assert_int_equal(p->facts->address_count, PEER_ADDRESSES_MAX);
    assert_null(known(p, "8.0.0.3:1"));
    assert_int_equal(known(p, "8.0.0.5:1")->dialled_us, 0);
}

static void unproven_address_never_replaces_a_proven_one(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, true);
    for (unsigned i = 0; i < PEER_ADDRESSES_MAX; i++) peer_dialled(*state, p, i, 50);
    add(*state, p, "8.0.0.5:1", false);
    assert_null(known(p, "8.0.0.5:1"));
}

static void proven_address_replaces_an_untried_one_before_a_proven_one(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, false);
    add(*state, p, "8.0.0.1:1", true);
    add(*state, p, "8.0.0.3:1", true);
    add(*state, p, "8.0.0.4:1", true);
    add(*state, p, "8.0.0.5:1", true);
    assert_null(known(p, "8.0.0.2:1"));
    assert_true(known(p, "8.0.0.5:1")->proven);
}

static void proven_address_replaces_one_tried_in_vain_before_an_untried_one(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, false);
    tried(*state, p, "8.0.0.4:1", 50);
    add(*state, p, "8.0.0.5:1", true);
    assert_null(known(p, "8.0.0.4:1"));
    assert_true(known(p, "8.0.0.5:1")->proven);
}

static void proven_address_is_always_learned(void **state)
{
    struct peer *p = get(*state, 1, false);
    fill(*state, p, true);
    add(*state, p, "8.0.0.5:1", true);
    assert_int_equal(p->facts->address_count, PEER_ADDRESSES_MAX);
    assert_true(known(p, "8.0.0.5:1")->proven);
}

/* --- forgetting --- */

static void peers_are_added_once(void **state)
{
    struct peers *all = *state;
    struct peer *p = get(all, 1, false);
    assert_ptr_equal(get(all, 1, true), p);
    assert_ptr_equal(find(all, 1), p);
    assert_null(find(all, 2));
    assert_int_equal(all->by_id.count, 1);
}

static void stranger_makes_room_for_a_stranger(void **state)
{
    struct peers *all = *state;
    all->max = 2;
    get(all, 1, false);
    get(all, 2, false);
    assert_non_null(get(all, 3, false));
    assert_int_equal(all->by_id.count, 2);
    assert_non_null(find(all, 3));
}

static void stranger_does_not_displace_a_proven_peer(void **state)
{
    struct peers *all = *state;
    all->max = 1;
    named(all, 1, "ana");
    assert_null(get(all, 2, false));
    assert_non_null(find(all, 1));
    assert_int_equal(all->by_id.count, 1);
}

static void proven_peer_displaces_a_stranger_first(void **state)
{
    struct peers *all = *state;
    all->max = 3;
    named(all, 1, "ana");
    get(all, 2, false);
    named(all, 3, "bob");
    assert_non_null(get(all, 4, true));
    assert_null(find(all, 2));
    assert_non_null(find(all, 1));
    assert_non_null(find(all, 3));
}

static void proven_peer_displaces_another_when_there_is_no_stranger(void **state)
{
    struct peers *all = *state;
    all->max = 1;
    named(all, 1, "ana");
    assert_non_null(get(all, 2, true));
    assert_null(find(all, 1));
}

/* Makes peer 1 one that must stay, by `keep`; nobody may displace it. */
static void assert_kept(struct peers *all, void (*keep)(struct peer *p))
{
    all->max = 2;
    keep(get(all, 1, false));
    for (uint32_t number = 2; number < 50; number++) assert_non_null(get(all, number, number % 2));
    assert_non_null(find(all, 1));
    keep(find(all, 49));
    assert_null(get(all, 50, true));
    assert_int_equal(all->by_id.count, 2);
}

static char something; /* whatever a pointer of a peer points to */

static void open_link(struct peer *p)
{
    p->session = (struct session *)(void *)&something;
}

static void reach(struct peer *p)
{
    p->reachable = true;
}

static void write_to(struct peer *p)
{
    p->mail = 1;
}

static void hold(struct peer *p)
{
    p->held = 1;
}

static void block(struct peer *p)
{
    p->blocked = true;
}

static void linked_peer_is_never_forgotten(void **state)
{
    assert_kept(*state, open_link);
}

static void reachable_peer_is_never_forgotten(void **state)
{
    assert_kept(*state, reach);
}

static void peer_with_mail_is_never_forgotten(void **state)
{
    assert_kept(*state, write_to);
}

static void peer_whose_advert_is_held_is_never_forgotten(void **state)
{
    assert_kept(*state, hold);
}

static void blocked_peer_is_never_forgotten(void **state)
{
    assert_kept(*state, block);
}

static void peer_with_an_alias_is_never_forgotten(void **state)
{
    struct peers *all = *state;
    all->max = 2;
    assert_int_equal(alias(all, 1, "dear"), 0);
    for (uint32_t number = 2; number < 50; number++) assert_non_null(get(all, number, true));
    assert_resolves(all, "dear", find(all, 1));
    assert_int_equal(alias(all, 49, "too"), 0);
    assert_null(get(all, 50, true));
    assert_int_equal(alias(all, 1, NULL), 0);
    assert_non_null(get(all, 50, true));
    assert_null(find(all, 1));
}

static void peer_that_may_go_again_is_forgotten(void **state)
{
    struct peers *all = *state;
    all->max = 1;
    reach(get(all, 1, false));
    assert_null(get(all, 2, true));
    find(all, 1)->reachable = false;
    assert_non_null(get(all, 2, true));
}

static void book_goes_on_forgetting_however_often_it_is_full(void **state)
{
    struct peers *all = *state;
    for (uint32_t number = 1; number <= 5000; number++) {
        struct peer *p = get(all, number, true);
        char name[16];
        snprintf(name, sizeof name, "peer-%u", (unsigned)number);
        if (number % 3 == 0) claims(all, p, name);
        assert_true(all->by_id.count <= 100);
    }
    assert_int_equal(all->by_id.count, 100);
    assert_true(all->by_name.count <= 100);
}

static void forgotten_peer_takes_its_ids_along(void **state)
{
    struct peers *all = *state;
    peer_deal(get(all, 1, false))->light = recent_new(10);
    recent_add(find(all, 1)->dealings->light, 5);
    all->max = 1;
    get(all, 2, false);
    assert_null(find(all, 1));
    assert_null(find(all, 2)->dealings);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(peer_without_an_advert_is_shown_by_its_id),
        TEST(peer_teaches_its_name_and_keys_by_its_advert),
        TEST(first_with_a_name_keeps_it),
        TEST(later_claimant_is_shown_with_its_id),
        TEST(longest_name_is_shown_whole_beside_its_id),
        TEST(names_that_differ_in_case_are_different_names),
        TEST(conflict_of_names_is_told_once_a_peer),
        TEST(conflict_is_told_when_it_comes_with_a_change_of_name),
        TEST(conflict_is_not_told_when_nobody_else_has_the_name),
        TEST(name_that_could_be_an_id_is_never_pinned),
        TEST(name_that_could_be_an_id_does_not_hide_whose_id_it_is),
        TEST(name_of_three_hex_digits_is_a_name),
        TEST(name_outside_the_alphabet_is_not_pinnable),
        TEST(renamed_peer_keeps_its_old_name_from_others),
        TEST(renamed_peer_may_go_back_to_its_old_name),
        TEST(peer_holds_at_most_four_names),
        TEST(own_name_is_reserved_before_anybody_comes),
        TEST(forgotten_peers_leave_their_names_free),
        TEST(alias_is_how_a_peer_is_shown_and_found),
        TEST(alias_wins_over_the_name_of_another),
        TEST(alias_is_not_inherited_by_who_claims_it_as_a_name),
        TEST(alias_can_be_taken_away),
        TEST(alias_replaces_the_one_before),
        TEST(alias_of_somebody_else_is_in_use),
        TEST(alias_that_could_be_no_name_is_refused),
        TEST(alias_may_be_as_long_as_a_name),
        TEST(peer_is_found_by_its_full_id_in_any_case),
        TEST(full_id_of_nobody_is_unknown),
        TEST(peer_is_found_by_four_digits_and_more),
        TEST(prefix_of_less_than_four_digits_is_too_short),
        TEST(prefix_of_two_is_ambiguous),
        TEST(prefix_of_nobody_is_unknown),
        TEST(peer_is_found_as_it_is_shown),
        TEST(name_beside_the_id_of_another_is_unknown),
        TEST(name_beside_a_bad_id_is_refused_like_the_id),
        TEST(name_of_a_forgotten_peer_means_nobody_until_claimed_again),
        TEST(peers_are_listed_by_shown_name_and_then_by_id),
        TEST(peers_shown_alike_are_listed_by_id),
        TEST(empty_book_lists_nobody),
        TEST(address_crosses_only_links_of_its_scope_or_closer),
        TEST(address_of_a_forbidden_scope_is_not_learned),
        TEST(address_is_learned_once_and_proven_for_good),
        TEST(address_with_another_port_is_another),
        TEST(fifth_address_waits_while_none_was_tried),
        TEST(fifth_address_takes_the_place_of_one_tried_in_vain),
        TEST(unproven_address_never_replaces_a_proven_one),
        TEST(proven_address_replaces_an_untried_one_before_a_proven_one),
        TEST(proven_address_replaces_one_tried_in_vain_before_an_untried_one),
        TEST(proven_address_is_always_learned),
        TEST(peers_are_added_once),
        TEST(stranger_makes_room_for_a_stranger),
        TEST(stranger_does_not_displace_a_proven_peer),
        TEST(proven_peer_displaces_a_stranger_first),
        TEST(proven_peer_displaces_another_when_there_is_no_stranger),
        TEST(linked_peer_is_never_forgotten),
        TEST(reachable_peer_is_never_forgotten),
        TEST(peer_with_mail_is_never_forgotten),
        TEST(peer_whose_advert_is_held_is_never_forgotten),
        TEST(blocked_peer_is_never_forgotten),
        TEST(peer_with_an_alias_is_never_forgotten),
        TEST(peer_that_may_go_again_is_forgotten),
        TEST(book_goes_on_forgetting_however_often_it_is_full),
        TEST(forgotten_peer_takes_its_ids_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
