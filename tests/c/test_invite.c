/* test_invite.c -- invitations: what a line carries, which lines are refused, and what joining by one does. */
#include "kit.h"

#include "moth/invite.h"
#include "proto/envelope.h"

#define LINE MOTH_INVITATION_TEXT_BYTES
#define PREFIX "moth1:"

/* --- lines --- */

/* The first machine's invitation. */
static void line_of(const struct kit *k, unsigned machine, char line[LINE])
{
    assert_int_equal(moth_invite(kit_node(k, machine), line, LINE), 0);
}

static struct moth_invitation invitation_of(const struct kit *k, unsigned machine)
{
    struct moth_invitation v;
    char line[LINE];
    line_of(k, machine, line);
    assert_int_equal(moth_invitation_read(line, &v), 0);
    return v;
}

/* The bytes behind a line, to be changed. */
static size_t bytes_of(const char *line, uint8_t out[LINE])
{
    size_t bytes;
    struct slice text = slice_text(line + strlen(PREFIX));
    assert_int_equal(crypto_base64_decode(text, out, LINE, &bytes), 0);
    return bytes;
}

/* A line whose sum is right, whatever its bytes say. */
static void line_of_bytes(uint8_t *bytes, size_t size, char line[LINE])
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    crypto_sha256_pair(slice_text("moth invitation 1"), slice_of(bytes, size - 4), hash);
    memcpy(bytes + size - 4, hash, 4);
    memcpy(line, PREFIX, strlen(PREFIX));
    crypto_base64_encode(slice_of(bytes, size), line + strlen(PREFIX));
    line[strlen(PREFIX) + CRYPTO_BASE64_CHARACTERS(size)] = '\0';
}

static int read_line(const char *line)
{
    static const struct moth_invitation nothing;
    struct moth_invitation v;
    memset(&v, 1, sizeof v);
    int rc = moth_invitation_read(line, &v);
    if (rc < 0) assert_memory_equal(&v, &nothing, sizeof v);
    return rc;
}

static struct kit *one_node(const struct moth_config *config)
{
    struct kit *k = kit_new(1, 4);
    assert_int_equal(lab_start(k->lab, 0, "ana", config), 0);
    return k;
}

static void test_an_invitation_is_one_line_of_plain_characters(void **state)
{
    (void)state;
    char line[LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    assert_memory_equal(line, PREFIX, strlen(PREFIX));
    assert_int_equal(line[strlen(PREFIX) + strspn(line + strlen(PREFIX), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmn"
                                                                         "opqrstuvwxyz0123456789-_")], '\0');
    kit_free(k);
}

static void test_it_tells_who_invites_and_where_and_shows_the_advert_that_is_flooded(void **state)
{
    (void)state;
    char address[MOTH_ADDRESS_TEXT_BYTES];
    struct kit *k = one_node(NULL);
    struct moth_invitation v = invitation_of(k, 0);
    const struct origin *own = topology_find(kit_node(k, 0), kit_id(k, 0));
    lab_address(0, address);
    assert_true(id_equal(&v.id, kit_id(k, 0)));
    assert_string_equal(v.name, "ana");
    assert_string_equal(v.address, address);
    assert_int_equal(v.reach, MOTH_REACH_NEAR);
    assert_int_equal(v.advert_bytes, own->advert->size);
    assert_memory_equal(v.advert, own->advert->bytes, own->advert->size);
    kit_free(k);
}

static void test_the_open_network_needs_no_key_in_it(void **state)
{
    (void)state;
    static const uint8_t zero[32];
    struct kit *k = one_node(NULL);
    struct moth_invitation v = invitation_of(k, 0);
    assert_false(v.has_network_key);
    assert_memory_equal(v.network_key, zero, sizeof zero);
    kit_free(k);
}

static void test_the_key_of_a_network_is_in_it(void **state)
{
    (void)state;
    struct moth_config config = {.has_network_key = true, .network_key = {1, 2, 3}};
    struct kit *k = one_node(&config);
    struct moth_invitation v = invitation_of(k, 0);
    assert_true(v.has_network_key);
    assert_memory_equal(v.network_key, config.network_key, 32);
    kit_free(k);
}

static void test_it_gives_the_address_that_the_user_advertises(void **state)
{
    (void)state;
    struct kit *k = one_node(&(struct moth_config){.open = true, .advertise = "9.8.7.6:5432"});
    struct moth_invitation v = invitation_of(k, 0);
    assert_string_equal(v.address, "9.8.7.6:5432");
    assert_int_equal(v.reach, MOTH_REACH_ANYWHERE);
    kit_free(k);
}

static void test_a_node_that_advertises_no_address_invites_without_one(void **state)
{
    (void)state;
    struct kit *k = one_node(&(struct moth_config){.open = true, .advertise = "none"});
    struct moth_invitation v = invitation_of(k, 0);
    assert_string_equal(v.address, "");
    assert_int_equal(v.reach, MOTH_REACH_NOBODY);
    kit_free(k);
}

static void test_the_reach_of_an_address_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        enum moth_reach reach;
    } cases[] = {
        {"127.0.0.1:1", MOTH_REACH_MACHINE}, {"[::1]:1", MOTH_REACH_MACHINE}, {"localhost:1", MOTH_REACH_MACHINE},
        {"192.168.1.2:1", MOTH_REACH_NEAR}, {"9.9.9.9:1", MOTH_REACH_ANYWHERE},
        {"moth.example:1", MOTH_REACH_ANYWHERE}, {"0.0.0.0:1", MOTH_REACH_NOBODY}, {"", MOTH_REACH_NOBODY},
    };
    struct kit *k = one_node(NULL);
    struct moth_invitation v = invitation_of(k, 0), read;
    char line[LINE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        strcpy(v.address, cases[i].address);
        assert_int_equal(moth_invitation_write(&v, line, LINE), 0);
        assert_int_equal(moth_invitation_read(line, &read), 0);
        assert_int_equal(read.reach, cases[i].reach);
    }
    kit_free(k);
}

static void test_what_is_written_reads_the_same(void **state)
{
    (void)state;
    struct moth_config config = {.has_network_key = true, .network_key = {1, 2, 3}};
    struct kit *k = one_node(&config);
    struct moth_invitation v = invitation_of(k, 0), again;
    char line[LINE];
    assert_int_equal(moth_invitation_write(&v, line, LINE), 0);
    assert_int_equal(moth_invitation_read(line, &again), 0);
    assert_memory_equal(&v, &again, sizeof v);
    kit_free(k);
}

static void test_blanks_line_ends_and_quotes_of_copying_do_not_count(void **state)
{
    (void)state;
    char line[LINE], copied[2 * LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    snprintf(copied, sizeof copied, "  \"%s\"\r\n", line);
    assert_int_equal(read_line(copied), 0);
    snprintf(copied, sizeof copied, "\t'%s' ", line);
    assert_int_equal(read_line(copied), 0);
    snprintf(copied, sizeof copied, "`<%s>`\n\n", line);
    assert_int_equal(read_line(copied), 0);
    snprintf(copied, sizeof copied, "%.80s\n  %s", line, line + 80); /* as a terminal or a mail breaks it */
    assert_int_equal(read_line(copied), 0);
    kit_free(k);
}

static void test_a_line_that_was_cut_is_recognised_wherever_it_was_cut(void **state)
{
    (void)state;
    char line[LINE], part[LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    for (size_t n = strlen(PREFIX); n < strlen(line); n++) {
        memcpy(part, line, n);
        part[n] = '\0';
        assert_int_equal(read_line(part), MOTH_EMALFORMED);
    }
    kit_free(k);
}

static void test_a_line_with_any_character_changed_is_recognised(void **state)
{
    (void)state;
    char line[LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    for (size_t i = strlen(PREFIX); line[i]; i++) {
        char was = line[i];
        line[i] = was == 'x' ? 'y' : 'x';
        assert_int_equal(read_line(line), MOTH_EMALFORMED);
        line[i] = was;
    }
    assert_int_equal(read_line(line), 0);
    kit_free(k);
}

static void test_a_line_with_something_behind_it_is_damaged(void **state)
{
    (void)state;
    char line[LINE], longer[LINE + 16];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    snprintf(longer, sizeof longer, "%s, see you", line);
    assert_int_equal(read_line(longer), MOTH_EMALFORMED);
    snprintf(longer, sizeof longer, "%sAAAA", line);
    assert_int_equal(read_line(longer), MOTH_EMALFORMED);
    kit_free(k);
}

static void test_what_does_not_begin_like_one_is_no_invitation(void **state)
{
    (void)state;
    assert_int_equal(read_line(""), MOTH_EARGUMENT);
    assert_int_equal(read_line("  "), MOTH_EARGUMENT);
    assert_int_equal(read_line("127.0.0.1:6684"), MOTH_EARGUMENT);
    assert_int_equal(read_line("moth"), MOTH_EARGUMENT);
    assert_int_equal(read_line("moth:AAAA"), MOTH_EARGUMENT);
    assert_int_equal(read_line("moth1"), MOTH_EARGUMENT);
}

static void test_a_newer_version_is_called_one(void **state)
{
    (void)state;
    uint8_t bytes[LINE];
    char line[LINE];
    struct kit *k = one_node(NULL);
    assert_int_equal(read_line("moth2:AAAA"), MOTH_EVERSION);
    line_of(k, 0, line);
    size_t size = bytes_of(line, bytes);
    bytes[0] = 2;
    line_of_bytes(bytes, size, line);
    assert_int_equal(read_line(line), MOTH_EVERSION);
    bytes[0] = 1;
    bytes[1] = 2; /* something follows that this version does not know */
    line_of_bytes(bytes, size, line);
    assert_int_equal(read_line(line), MOTH_EVERSION);
    kit_free(k);
}

static void test_a_changed_advert_is_forged_though_the_sum_is_right(void **state)
{
    (void)state;
    uint8_t bytes[LINE];
    char line[LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    size_t size = bytes_of(line, bytes);
    bytes[size - 5] ^= 1; /* of the signature */
    line_of_bytes(bytes, size, line);
    assert_int_equal(read_line(line), MOTH_EFORGED);
    kit_free(k);
}

/* version, flags, address, advert, sum */
static int read_made(const char *address, size_t address_bytes, const struct moth_invitation *v, size_t advert_bytes,
                     size_t more)
{
    uint8_t bytes[2 * LINE] = {1, 0}, *at = bytes + 2;
    char line[2 * LINE];
    at = put_bytes(put_uint(at, address_bytes, 1), address, address_bytes);
    at = put_bytes(put_uint(at, advert_bytes, 2), v->advert, v->advert_bytes) + more;
    line_of_bytes(bytes, (size_t)(at - bytes) + 4, line);
    return read_line(line);
}

static void test_fields_that_cannot_be_are_refused_though_the_sum_is_right(void **state)
{
    (void)state;
    char wide[80];
    struct kit *k = one_node(NULL);
    struct moth_invitation v = invitation_of(k, 0);
    memset(wide, '1', sizeof wide);
    memcpy(wide + 70, ":1", 2);
    assert_int_equal(read_made("1.2.3.4:5", 9, &v, v.advert_bytes, 0), 0);
    assert_int_equal(read_made("1.2.3.4:0", 9, &v, v.advert_bytes, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("1.2.3.4", 7, &v, v.advert_bytes, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("1.2\n3.4:5", 9, &v, v.advert_bytes, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("1.2.3.4:5\0", 10, &v, v.advert_bytes, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made(wide, 72, &v, v.advert_bytes, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("", 0, &v, v.advert_bytes + 1, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("", 0, &v, v.advert_bytes - 1, 0), MOTH_EMALFORMED);
    assert_int_equal(read_made("", 0, &v, v.advert_bytes, 1), MOTH_EMALFORMED);
    kit_free(k);
}

/* An advert is never longer than that: a sender's word for it does not count. */
static void test_an_advert_above_the_limit_is_refused(void **state)
{
    (void)state;
    size_t advert_bytes = MOTH_INVITATION_ADVERT_BYTES + 1, size = 5 + advert_bytes + 4;
    uint8_t *bytes = mem_new(size);
    char line[LINE];
    bytes[0] = 1;
    put_uint(bytes + 3, advert_bytes, 2);
    line_of_bytes(bytes, size, line);
    assert_int_equal(read_line(line), MOTH_EMALFORMED);
    free(bytes);
}

static void test_a_line_longer_than_any_invitation_is_refused(void **state)
{
    (void)state;
    char *line = mem_new(1000000);
    memset(line, 'A', 999999);
    memcpy(line, PREFIX, strlen(PREFIX));
    assert_int_equal(read_line(line), MOTH_ETOO_BIG);
    free(line);
}

static void test_the_largest_invitation_fits_its_line(void **state)
{
    (void)state;
    static struct advert a = {.lifetime_s = 1, .name = "12345678901234567890123456789012",
                              .address_count = ADVERT_ADDRESSES_MAX, .neighbour_count = ADVERT_NEIGHBOURS_MAX};
    static const uint8_t seed[32] = {1};
    static struct moth_invitation v = {.has_network_key = true};
    static char line[LINE];
    crypto_ed25519_public(seed, a.ed25519_key);
    for (unsigned i = 0; i < ADVERT_ADDRESSES_MAX; i++)
        a.addresses[i] = (struct address){.family = 6, .ip = {1}, .port = 1};
    for (unsigned i = 0; i < ADVERT_NEIGHBOURS_MAX; i++) {
        put_uint(a.neighbours[i].id.bytes, i, 2);
        a.neighbours[i].cost = 1;
    }
    memset(v.address, '1', MOTH_ADDRESS_TEXT_BYTES - 1);
    v.address[MOTH_ADDRESS_TEXT_BYTES - 3] = ':';
    v.advert_bytes = advert_encode(&a, seed, v.advert);
    assert_int_equal(v.advert_bytes, MOTH_INVITATION_ADVERT_BYTES);
    assert_int_equal(moth_invitation_write(&v, line, LINE), 0);
    assert_int_equal(read_line(line), 0);
}

static void test_writing_never_passes_the_end_of_its_room(void **state)
{
    (void)state;
    char line[LINE], small[LINE];
    struct kit *k = one_node(NULL);
    line_of(k, 0, line);
    size_t bytes = strlen(line) + 1;
    memset(small, '#', sizeof small);
    assert_int_equal(moth_invite(kit_node(k, 0), small, bytes - 1), MOTH_ETOO_BIG);
    assert_int_equal(small[0], '#');
    assert_int_equal(moth_invite(kit_node(k, 0), small, bytes), 0);
    assert_string_equal(small, line);
    assert_int_equal(small[bytes], '#');
    kit_free(k);
}

static void test_writing_refuses_parts_that_are_too_long(void **state)
{
    (void)state;
    char line[LINE];
    struct kit *k = one_node(NULL);
    struct moth_invitation v = invitation_of(k, 0), wrong = v;
    memset(wrong.address, '1', sizeof wrong.address);
    assert_int_equal(moth_invitation_write(&wrong, line, LINE), MOTH_EARGUMENT);
    wrong = v;
    wrong.advert_bytes = sizeof wrong.advert + 1;
    assert_int_equal(moth_invitation_write(&wrong, line, LINE), MOTH_EARGUMENT);
    kit_free(k);
}

static void test_wiping_leaves_nothing(void **state)
{
    (void)state;
    static const struct moth_invitation nothing;
    struct kit *k = one_node(&(struct moth_config){.has_network_key = true, .network_key = {1}});
    struct moth_invitation v = invitation_of(k, 0);
    moth_invitation_wipe(&v);
    assert_memory_equal(&v, &nothing, sizeof v);
    kit_free(k);
}

static void test_each_refusal_has_a_sentence_of_its_own(void **state)
{
    (void)state;
    static const int codes[] = {MOTH_EARGUMENT, MOTH_EMALFORMED, MOTH_ETOO_BIG, MOTH_EVERSION, MOTH_EFORGED,
                                MOTH_EWRONG_NETWORK, MOTH_ESELF, MOTH_EUNWANTED};
    const size_t count = sizeof codes / sizeof *codes;
    for (size_t i = 0; i < count; i++) {
        assert_string_not_equal(moth_invitation_error_text(codes[i]), moth_error_text(codes[i]));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(moth_invitation_error_text(codes[i]), moth_invitation_error_text(codes[j]));
    }
    assert_string_equal(moth_invitation_error_text(MOTH_EFULL), moth_error_text(MOTH_EFULL));
    assert_string_equal(moth_invitation_error_text(12345), moth_error_text(12345));
}

/* --- joining --- */

static struct kit *nodes(unsigned count)
{
    struct kit *k = kit_new(7, count + 1);
    for (unsigned i = 0; i < count; i++) kit_start(k, i, NULL);
    return k;
}

/* `who` joins by the invitation of `to`, of which something may have been changed. */
static int join_by(struct kit *k, unsigned who, const struct moth_invitation *v)
{
    int rc = moth_join(kit_node(k, who), v);
    lab_turn(k->lab, who);
    return rc;
}

static int join(struct kit *k, unsigned who, unsigned to)
{
    struct moth_invitation v = invitation_of(k, to);
    return join_by(k, who, &v);
}

static struct moth_peer peer_of(const struct kit *k, unsigned at, unsigned who)
{
    struct moth_peer peer;
    assert_int_equal(moth_peer_get(kit_node(k, at), kit_id(k, who), &peer), 0);
    return peer;
}

/*   0 ==> 1 */
static void test_who_joins_is_linked_to_who_invited(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    assert_int_equal(join(k, 0, 1), 0);
    assert_true(lab_run_until(k->lab, kit_ask_linked, &(struct kit_question){.kit = k, .a = 0, .b = 1}, 5 * SECOND));
    kit_free(k);
}

/*   0 =/= 1      no link yet: 1 is known by name, and mail for it waits until the wire is there */
static void test_who_invited_is_known_and_can_be_sent_to_before_there_is_a_link(void **state)
{
    (void)state;
    uint64_t id;
    struct moth_id found;
    struct kit *k = nodes(2);
    lab_cut(k->lab, 0, 1, true);
    assert_int_equal(join(k, 0, 1), 0);
    assert_int_equal(moth_resolve(kit_node(k, 0), "n1", &found), 0);
    assert_true(id_equal(&found, kit_id(k, 1)));
    assert_int_equal(kit_send(k, 0, &found, "hello", &id), 0);
    lab_run(k->lab, 10 * SECOND);
    assert_int_equal(kit_state(k, 0, id), MOTH_QUEUED);
    lab_join(k->lab, 0, 1);
    assert_true(kit_wait_state(k, 0, id, MOTH_DELIVERED, 60 * SECOND));
    assert_int_equal(kit_shown(k, 1, "hello"), 1);
    kit_free(k);
}

/* Nobody knows how old the advert is: it may be of a node that ended long ago. */
static void test_an_invitation_makes_nobody_reachable(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    lab_cut(k->lab, 0, 1, true);
    assert_int_equal(join(k, 0, 1), 0);
    lab_run(k->lab, 10 * SECOND);
    assert_false(peer_of(k, 0, 1).reachable);
    assert_null(topology_find(kit_node(k, 0), kit_id(k, 1)));
    assert_int_equal(k->events[0][MOTH_EVENT_PEER_UP], 0);
    kit_free(k);
}

static void test_who_invited_is_known_after_a_restart(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    lab_cut(k->lab, 0, 1, true);
    assert_int_equal(join(k, 0, 1), 0);
    lab_run(k->lab, 3 * SECOND);
    kit_restart(k, 0);
    struct moth_peer peer = peer_of(k, 0, 1);
    assert_string_equal(peer.name, "n1");
    assert_string_equal(peer.address, invitation_of(k, 1).address);
    kit_free(k);
}

/*   0 ==> 2      the invitation of 1 says that 1 is there */
static void test_nobody_else_at_the_address_counts_as_who_invited(void **state)
{
    (void)state;
    struct kit *k = nodes(3);
    struct moth_invitation v = invitation_of(k, 1);
    struct moth_wanted wanted;
    lab_address(2, v.address);
    assert_int_equal(join_by(k, 0, &v), 0);
    lab_run(k->lab, 60 * SECOND);
    assert_false(kit_linked(k, 0, 1));
    assert_false(kit_linked(k, 0, 2));
    assert_int_equal(k->events[0][MOTH_EVENT_LINK_UP], 0);
    assert_int_equal(k->events[0][MOTH_EVENT_DIAL], 1);
    assert_int_equal(k->last_reason[0][MOTH_EVENT_DIAL], MOTH_EWRONG_IDENTITY);
    assert_int_equal(moth_wanted(kit_node(k, 0), &wanted, 1), 1);
    assert_int_equal(wanted.reason, MOTH_EWRONG_IDENTITY);
    assert_false(wanted.linked);
    kit_free(k);
}

/*   0 --- 2      linked by `connect`; the invitation of 1 names the same address */
static void test_a_link_to_somebody_else_at_the_address_stays_but_does_not_count(void **state)
{
    (void)state;
    struct kit *k = nodes(3);
    struct moth_invitation v = invitation_of(k, 1);
    struct moth_wanted wanted;
    kit_link(k, 0, 2);
    lab_address(2, v.address);
    assert_int_equal(join_by(k, 0, &v), 0);
    lab_run(k->lab, 5 * SECOND);
    assert_true(kit_linked(k, 0, 2));
    assert_int_equal(moth_wanted(kit_node(k, 0), &wanted, 1), 1);
    assert_false(wanted.linked);
    assert_true(id_equal(&wanted.peer, kit_id(k, 1)));
    assert_int_equal(k->last_reason[0][MOTH_EVENT_DIAL], MOTH_EWRONG_IDENTITY);
    kit_free(k);
}

/* A dial that is under way would take whoever answers. */
static void test_a_dial_under_way_to_the_address_is_given_up(void **state)
{
    (void)state;
    struct kit *k = nodes(3);
    struct moth_invitation v = invitation_of(k, 1);
    lab_address(2, v.address);
    assert_int_equal(lab_connect(k->lab, 0, 2), 0);
    assert_int_equal(join_by(k, 0, &v), 0);
    lab_run(k->lab, 5 * SECOND);
    assert_false(kit_linked(k, 0, 2));
    kit_free(k);
}

static void test_joining_twice_keeps_the_link(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    assert_int_equal(join(k, 0, 1), 0);
    lab_run(k->lab, 5 * SECOND);
    assert_int_equal(join(k, 0, 1), 0);
    lab_run(k->lab, 5 * SECOND);
    assert_true(kit_linked(k, 0, 1));
    assert_int_equal(k->events[0][MOTH_EVENT_LINK_UP], 1);
    assert_int_equal(k->events[0][MOTH_EVENT_LINK_DOWN], 0);
    kit_free(k);
}

static void test_without_an_address_there_is_nothing_to_dial(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct moth_invitation v = invitation_of(k, 1);
    v.address[0] = '\0';
    assert_int_equal(join_by(k, 0, &v), 0);
    assert_int_equal(moth_wanted(kit_node(k, 0), NULL, 0), 0);
    assert_string_equal(peer_of(k, 0, 1).name, "n1");
    kit_free(k);
}

/* Else a stranger's line would make us dial into our own machine or network. */
static void test_an_advert_teaches_no_nearer_addresses_than_that_of_its_invitation(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct moth_invitation v = invitation_of(k, 1); /* the advert names 10.0.0.2 */
    strcpy(v.address, "9.9.9.9:9");
    v.reach = MOTH_REACH_ANYWHERE;
    assert_int_equal(join_by(k, 0, &v), 0);
    assert_string_equal(peer_of(k, 0, 1).address, "");
    kit_free(k);
}

static void test_an_old_invitation_does_not_change_the_name_of_somebody_known(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct moth_invitation old = invitation_of(k, 1);
    lab_close(k->lab, 1);
    kit_start(k, 1, "newname");
    kit_link(k, 0, 1);
    kit_settle(k, 2, 10 * SECOND);
    assert_int_equal(join_by(k, 0, &old), 0);
    assert_string_equal(peer_of(k, 0, 1).claimed, "newname");
    kit_free(k);
}

/* The name stays with whom it was pinned to. */
static void test_a_taken_name_is_not_given_to_who_invites(void **state)
{
    (void)state;
    struct kit *k = kit_new(7, 4);
    struct moth_id found;
    kit_start(k, 0, "ana");
    kit_start(k, 1, "bob");
    kit_start(k, 2, "bob");
    kit_link(k, 0, 1);
    kit_settle(k, 1, 10 * SECOND);
    assert_int_equal(join(k, 0, 2), 0);
    assert_int_equal(moth_resolve(kit_node(k, 0), "bob", &found), 0);
    assert_true(id_equal(&found, kit_id(k, 1)));
    assert_memory_equal(peer_of(k, 0, 2).name, "bob~", 4);
    assert_non_null(strstr(k->notes, "another node calls itself bob too"));
    kit_free(k);
}

static void assert_refused(struct kit *k, unsigned who, const struct moth_invitation *v, int reason)
{
    struct moth_peer peer;
    assert_int_equal(join_by(k, who, v), reason);
    assert_int_equal(moth_wanted(kit_node(k, who), NULL, 0), 0);
    assert_int_equal(moth_peer_get(kit_node(k, who), kit_id(k, 1), &peer), MOTH_EUNKNOWN_PEER);
}

static void test_an_invitation_to_another_network_is_refused_either_way(void **state)
{
    (void)state;
    struct kit *k = kit_new(7, 4);
    struct moth_config config = {.has_network_key = true, .network_key = {1, 2, 3}};
    kit_start(k, 0, NULL);
    assert_int_equal(lab_start(k->lab, 1, "n1", &config), 0);
    config.network_key[31] = 1;
    assert_int_equal(lab_start(k->lab, 2, "n2", &config), 0);
    struct moth_invitation open = invitation_of(k, 0), keyed = invitation_of(k, 1);
    assert_refused(k, 0, &keyed, MOTH_EWRONG_NETWORK);
    assert_refused(k, 2, &keyed, MOTH_EWRONG_NETWORK);
    assert_int_equal(join_by(k, 1, &open), MOTH_EWRONG_NETWORK);
    kit_free(k);
}

static void test_members_of_one_network_join_each_other(void **state)
{
    (void)state;
    struct kit *k = kit_new(7, 3);
    struct moth_config config = {.has_network_key = true, .network_key = {1, 2, 3}};
    assert_int_equal(lab_start(k->lab, 0, "n0", &config), 0);
    assert_int_equal(lab_start(k->lab, 1, "n1", &config), 0);
    assert_int_equal(join(k, 0, 1), 0);
    assert_true(lab_run_until(k->lab, kit_ask_linked, &(struct kit_question){.kit = k, .a = 0, .b = 1}, 5 * SECOND));
    kit_free(k);
}

static void test_ones_own_invitation_is_refused(void **state)
{
    (void)state;
    struct kit *k = nodes(1);
    assert_int_equal(join(k, 0, 0), MOTH_ESELF);
    assert_int_equal(moth_wanted(kit_node(k, 0), NULL, 0), 0);
    kit_free(k);
}

static void test_the_invitation_of_somebody_blocked_is_refused(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    kit_link(k, 0, 1);
    assert_int_equal(moth_block(kit_node(k, 0), kit_id(k, 1), true), 0);
    assert_int_equal(join(k, 0, 1), MOTH_EUNWANTED);
    kit_free(k);
}

static void test_an_invitation_made_by_hand_is_checked_too(void **state)
{
    (void)state;
    struct kit *k = nodes(3);
    struct moth_invitation v = invitation_of(k, 1), wrong = v;
    wrong.id = *kit_id(k, 2);
    assert_refused(k, 0, &wrong, MOTH_EFORGED);
    wrong = v;
    wrong.advert[wrong.advert_bytes - 1] ^= 1;
    assert_refused(k, 0, &wrong, MOTH_EFORGED);
    wrong = v;
    wrong.advert_bytes = sizeof wrong.advert + 1;
    assert_refused(k, 0, &wrong, MOTH_EMALFORMED);
    wrong.advert_bytes = 20;
    assert_refused(k, 0, &wrong, MOTH_EMALFORMED);
    kit_free(k);
}

static void test_an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct moth_invitation v = invitation_of(k, 1);
    strcpy(v.address, "nowhere");
    assert_int_equal(join_by(k, 0, &v), MOTH_EBAD_ADDRESS);
    kit_free(k);
}

static void test_a_node_that_leaves_joins_nobody(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct moth_invitation v = invitation_of(k, 1);
    moth_node_leave(kit_node(k, 0));
    assert_refused(k, 0, &v, MOTH_ESHUTDOWN);
    kit_free(k);
}

struct hooked {
    struct kit *kit;
    struct moth_invitation invitation;
    int rc;
};

static bool join_in_hook(void *owner, const struct moth_id *peer, const char *name, const char *address, bool inbound)
{
    struct hooked *h = owner;
    (void)peer, (void)name, (void)address, (void)inbound;
    h->rc = moth_join(kit_node(h->kit, 0), &h->invitation);
    return true;
}

static void test_no_hook_can_join(void **state)
{
    (void)state;
    struct kit *k = nodes(2);
    struct hooked h = {.kit = k, .invitation = invitation_of(k, 1)};
    moth_set_hooks(kit_node(k, 0), &(struct moth_hooks){.accept = join_in_hook}, &h);
    kit_link(k, 0, 1);
    assert_int_equal(h.rc, MOTH_EPERMISSION);
    kit_free(k);
}

static void test_a_full_address_book_takes_no_more(void **state)
{
    (void)state;
    struct kit *k = kit_new(7, 4);
    struct moth_config small = {.open = true, .limits = {[MOTH_LIMIT_KNOWN_PEERS] = 2}};
    assert_int_equal(lab_start(k->lab, 0, "n0", &small), 0);
    kit_start(k, 1, NULL);
    kit_start(k, 2, NULL);
    kit_link(k, 0, 2);
    assert_int_equal(join(k, 0, 1), MOTH_EFULL);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_invitation_is_one_line_of_plain_characters),
        cmocka_unit_test(test_it_tells_who_invites_and_where_and_shows_the_advert_that_is_flooded),
        cmocka_unit_test(test_the_open_network_needs_no_key_in_it),
        cmocka_unit_test(test_the_key_of_a_network_is_in_it),
        cmocka_unit_test(test_it_gives_the_address_that_the_user_advertises),
        cmocka_unit_test(test_a_node_that_advertises_no_address_invites_without_one),
        cmocka_unit_test(test_the_reach_of_an_address_is_told),
        cmocka_unit_test(test_what_is_written_reads_the_same),
        cmocka_unit_test(test_blanks_line_ends_and_quotes_of_copying_do_not_count),
        cmocka_unit_test(test_a_line_that_was_cut_is_recognised_wherever_it_was_cut),
        cmocka_unit_test(test_a_line_with_any_character_changed_is_recognised),
        cmocka_unit_test(test_a_line_with_something_behind_it_is_damaged),
        cmocka_unit_test(test_what_does_not_begin_like_one_is_no_invitation),
        cmocka_unit_test(test_a_newer_version_is_called_one),
        cmocka_unit_test(test_a_changed_advert_is_forged_though_the_sum_is_right),
        cmocka_unit_test(test_fields_that_cannot_be_are_refused_though_the_sum_is_right),
        cmocka_unit_test(test_an_advert_above_the_limit_is_refused),
        cmocka_unit_test(test_a_line_longer_than_any_invitation_is_refused),
        cmocka_unit_test(test_the_largest_invitation_fits_its_line),
        cmocka_unit_test(test_writing_never_passes_the_end_of_its_room),
        cmocka_unit_test(test_writing_refuses_parts_that_are_too_long),
        cmocka_unit_test(test_wiping_leaves_nothing),
        cmocka_unit_test(test_each_refusal_has_a_sentence_of_its_own),
        cmocka_unit_test(test_who_joins_is_linked_to_who_invited),
        cmocka_unit_test(test_who_invited_is_known_and_can_be_sent_to_before_there_is_a_link),
        cmocka_unit_test(test_an_invitation_makes_nobody_reachable),
        cmocka_unit_test(test_who_invited_is_known_after_a_restart),
        cmocka_unit_test(test_nobody_else_at_the_address_counts_as_who_invited),
        cmocka_unit_test(test_a_link_to_somebody_else_at_the_address_stays_but_does_not_count),
        cmocka_unit_test(test_a_dial_under_way_to_the_address_is_given_up),
        cmocka_unit_test(test_joining_twice_keeps_the_link),
        cmocka_unit_test(test_without_an_address_there_is_nothing_to_dial),
        cmocka_unit_test(test_an_advert_teaches_no_nearer_addresses_than_that_of_its_invitation),
        cmocka_unit_test(test_an_old_invitation_does_not_change_the_name_of_somebody_known),
        cmocka_unit_test(test_a_taken_name_is_not_given_to_who_invites),
        cmocka_unit_test(test_an_invitation_to_another_network_is_refused_either_way),
        cmocka_unit_test(test_members_of_one_network_join_each_other),
        cmocka_unit_test(test_ones_own_invitation_is_refused),
        cmocka_unit_test(test_the_invitation_of_somebody_blocked_is_refused),
        cmocka_unit_test(test_an_invitation_made_by_hand_is_checked_too),
        cmocka_unit_test(test_an_address_that_is_none_is_refused),
        cmocka_unit_test(test_a_node_that_leaves_joins_nobody),
        cmocka_unit_test(test_no_hook_can_join),
        cmocka_unit_test(test_a_full_address_book_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
