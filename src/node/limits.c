/* limits.c -- every bound of a node in one table: its value, and what happens there. */
#include "moth/node.h"

static const struct moth_limit_info limits[MOTH_LIMIT_COUNT] = {
    [MOTH_LIMIT_FRAME_BYTES] = {"frame", "bytes", "the link is closed: too_big", 1u << 20},
    [MOTH_LIMIT_DATA_BYTES] = {"message", "bytes of data", "send is refused: too_big", MOTH_DATA_MAX},
    [MOTH_LIMIT_HANDSHAKE_MS] = {"handshake", "ms", "the connection is closed: stalled", 5000},
    [MOTH_LIMIT_UNAUTHENTICATED] = {"handshakes", "connections", "the next one is closed: full", 256},
    [MOTH_LIMIT_UNAUTHENTICATED_PER_ADDRESS] = {"handshakes_per_address", "connections",
                                                "the next one from there is closed: full", 8},
    [MOTH_LIMIT_LINKS] = {"links", "links", "the next one is closed: full", 512},
    [MOTH_LIMIT_LINK_QUEUE_BYTES] = {"link_queue", "bytes", "messages for that link are dropped: slow", 8u << 20},
    [MOTH_LIMIT_LINK_SLOW_BYTES] = {"link_slow", "bytes", "links that feed it pause, then messages drop: slow",
                                    1u << 20},
    [MOTH_LIMIT_LINK_CONTROL_BYTES] = {"link_control", "bytes", "the link is closed: slow", 4u << 20},
    [MOTH_LIMIT_PAUSE_MS] = {"pause", "ms", "paused links are read again", 250},
    [MOTH_LIMIT_ADVERTS] = {"adverts", "origins", "an unreachable one is forgotten, else the new refused: full", 4096},
    [MOTH_LIMIT_ADVERTS_PER_SECOND] = {"adverts_per_link", "per second", "more from one link are dropped: rate", 200},
    [MOTH_LIMIT_HOPS] = {"hops", "hops", "dropped there: hop_limit (raised to the distance + 4)", 10},
    [MOTH_LIMIT_SEEN] = {"seen", "ids, twice", "the older half is forgotten", 500000},
    [MOTH_LIMIT_BROADCASTS_PER_SECOND] = {"broadcasts", "per second", "more from one origin are dropped: rate", 5},
    [MOTH_LIMIT_IN_FLIGHT] = {"in_flight", "messages", "the next for that peer waits for receipts", 256},
    [MOTH_LIMIT_MAIL_COUNT] = {"mail", "messages", "send is refused: full", 100000},
    [MOTH_LIMIT_MAIL_BYTES] = {"mail_bytes", "bytes", "send is refused: full", 1u << 30},
    [MOTH_LIMIT_MAIL_MEMORY] = {"mail_memory", "bytes", "waiting messages above it stay on the disk", 64u << 20},
    [MOTH_LIMIT_CARRIED_COUNT] = {"carried", "messages", "a deposit is refused: full", 500000},
    [MOTH_LIMIT_CARRIED_BYTES] = {"carried_bytes", "bytes", "a deposit is refused: full", 1u << 30},
    [MOTH_LIMIT_CARRIED_PER_DEPOSITOR] = {"carried_per_depositor", "bytes", "a deposit of theirs is refused: full",
                                          64u << 20},
    [MOTH_LIMIT_INBOX_PER_SENDER] = {"inbox_per_sender", "bytes", "not handled yet: more stays with its sender: full",
                                     64u << 20},
    [MOTH_LIMIT_INBOX_BYTES] = {"inbox", "bytes", "not handled yet: more stays with its senders: full", 1u << 30},
    [MOTH_LIMIT_HISTORY_BYTES] = {"history", "bytes", "the oldest are forgotten", 1u << 30},
    [MOTH_LIMIT_BALLAST_BYTES] = {"ballast", "bytes", "given up when the disk is full, to clean up with", 16u << 20},
    [MOTH_LIMIT_GROUP] = {"group", "operations", "more wait for the next commit", 256},
    [MOTH_LIMIT_GROUP_MS] = {"group_wait", "ms", "a commit begins", 5},
    [MOTH_LIMIT_DELIVERED_DAYS] = {"delivered_days", "days", "older ids are forgotten; what is below them is refused: "
                                   "too_old", 60},
    [MOTH_LIMIT_DELIVERED_IDS] = {"delivered", "ids", "the largest source's oldest are forgotten", 10000000},
    [MOTH_LIMIT_LIGHT_IDS] = {"light_ids", "ids a source", "older ones are refused: too_old", 1024},
    [MOTH_LIMIT_KNOWN_PEERS] = {"known_peers", "peers", "an unreachable one is forgotten, else refused: full", 16384},
    [MOTH_LIMIT_WANTED_LINKS] = {"connects", "addresses", "connect is refused: full", 512},
    [MOTH_LIMIT_NOTICES_PER_SECOND] = {"notices", "per second", "more are not sent: rate", 100},
    [MOTH_LIMIT_SCRIPT_DATA_BYTES] = {"script_data", "bytes", "more is not taken from scripts: full", 256u << 20},
    [MOTH_LIMIT_JOBS] = {"jobs", "jobs", "no more are taken: full", 10000},
};

const struct moth_limit_info *moth_limit_info(enum moth_limit limit)
{
    return &limits[limit];
}
