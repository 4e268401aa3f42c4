/* err.c -- every error and reason of moth, once: its word for programs and its text for people. */
#include "moth/types.h"

static const struct {
    const char *code, *text;
} errors[MOTH_ERROR_COUNT] = {
    [-MOTH_OK] = {"ok", "no error"},
    [-MOTH_EMALFORMED] = {"malformed", "the bytes do not follow the format"},
    [-MOTH_ETOO_BIG] = {"too_big", "larger than the limit"},
    [-MOTH_EFORGED] = {"forged", "a signature or authentication tag does not hold"},
    [-MOTH_EWRONG_NETWORK] = {"wrong_network", "the other end uses another network key"},
    [-MOTH_EWRONG_IDENTITY] = {"wrong_identity", "the other end is not the node expected there"},
    [-MOTH_ESELF] = {"self", "that is this node itself"},
    [-MOTH_ECLONED] = {"cloned", "another node runs with this node's key; give each its own home folder"},
    [-MOTH_EVERSION] = {"version", "the other end speaks another version of the protocol"},
    [-MOTH_ETIMEOUT] = {"timeout", "no answer in time"},
    [-MOTH_EFULL] = {"full", "a limit is reached"},
    [-MOTH_EUNREACHABLE] = {"unreachable", "there is no route to that peer"},
    [-MOTH_EHOP_LIMIT] = {"hop_limit", "it travelled too many hops"},
    [-MOTH_ELOOP] = {"loop", "it came back to a node it had passed"},
    [-MOTH_EDUPLICATE] = {"duplicate", "it was seen before"},
    [-MOTH_ETOO_OLD] = {"too_old", "it is older than what is remembered"},
    [-MOTH_EUNKNOWN_PEER] = {"unknown_peer", "no peer of that name or id is known"},
    [-MOTH_EAMBIGUOUS] = {"ambiguous", "several peers match; give more digits of the id"},
    [-MOTH_EBAD_NAME] = {"bad_name", "a name is 1 to 32 of A-Z a-z 0-9 . _ -, and not just four or more hex digits"},
    [-MOTH_EBAD_ADDRESS] = {"bad_address",
                            "an address is HOST:PORT, the port at most 65535, IPv6 in brackets: [::1]:6684"},
    [-MOTH_EIN_USE] = {"in_use", "another process is using it"},
    [-MOTH_EPERMISSION] = {"permission", "permission denied"},
    [-MOTH_EIO] = {"io", "reading or writing failed"},
    [-MOTH_ECLOSED] = {"closed", "the other end closed the connection"},
    [-MOTH_EREFUSED] = {"refused", "the other end refused"},
    [-MOTH_ERATE] = {"rate", "more often than allowed"},
    [-MOTH_ESTALE] = {"stale", "older than what is known"},
    [-MOTH_ESLOW] = {"slow", "the next link cannot keep up"},
    [-MOTH_EUNKNOWN_SENDER] = {"unknown_sender", "the sender's key is not known here yet"},
    [-MOTH_EEXPIRED] = {"expired", "its time to live is over"},
    [-MOTH_ERETRIES] = {"retries", "its retries are spent"},
    [-MOTH_ECANCELLED] = {"cancelled", "it was cancelled"},
    [-MOTH_ELOST] = {"lost", "the process ended before the message was kept"},
    [-MOTH_EARGUMENT] = {"argument", "a value is out of its range"},
    [-MOTH_ENOT_LINKED] = {"not_linked", "there is no direct link to that peer"},
    [-MOTH_EREPLACED] = {"replaced", "another link to the same peer took over"},
    [-MOTH_EGOODBYE] = {"goodbye", "the other end said goodbye"},
    [-MOTH_EDEAD] = {"dead", "the other end was silent for too long"},
    [-MOTH_ENOT_FOUND] = {"not_found", "there is no such thing"},
    [-MOTH_EUNKNOWN_KIND] = {"unknown_kind", "a kind this version does not know"},
    [-MOTH_ESTALLED] = {"stalled", "the handshake took too long"},
    [-MOTH_EBLOCKED] = {"blocked", "listening beyond this machine needs --network or --open"},
    [-MOTH_EMISDIRECTED] = {"misdirected", "it came from a node that may not send it"},
    [-MOTH_EHUNG_UP] = {"hung_up", "it hung up during the handshake: it has another --network, or is full"},
    [-MOTH_EPEER_FULL] = {"peer_full", "the other end takes no more links"},
    [-MOTH_ENO_HOST] = {"no_host", "there is no host of that name"},
    [-MOTH_ENO_SPACE] = {"no_space", "the disk is full"},
    [-MOTH_ESTORE] = {"store", "the database cannot be written now; nothing new is promised until it can"},
    [-MOTH_EUNWANTED] = {"unwanted", "one side has blocked the other"},
    [-MOTH_ENEWER] = {"newer", "the database was made by a newer moth; use that one, or another --home"},
    [-MOTH_EDAMAGED] = {"damaged", "the database is damaged"},
    [-MOTH_EBUSY] = {"busy", "a script has too much to do"},
    [-MOTH_EVETOED] = {"vetoed", "a script would not have it"},
    [-MOTH_ESHUTDOWN] = {"shutdown", "this node is closing"},
};

const char *moth_error_text(int rc)
{
    if (rc > 0 || rc <= -MOTH_ERROR_COUNT) return "an error this version does not know";
    return errors[-rc].text;
}

const char *moth_error_code(int rc)
{
    if (rc > 0 || rc <= -MOTH_ERROR_COUNT) return "unknown";
    return errors[-rc].code;
}
