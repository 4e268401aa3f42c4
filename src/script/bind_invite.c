/* bind_invite.c -- inviting others and joining them, for the owner at the prompt: scripts do not see these methods.
 *
 * A line may hold the key of the network, so what C has copied of it is wiped before Lua, which may raise, goes on. */
#include "script/bind.h"

#include "moth/invite.h"

#include <string.h>

/* What there is to say of an invitation, beside its key. */
struct about {
    struct moth_id id;
    char address[MOTH_ADDRESS_TEXT_BYTES];
    enum moth_reach reach;
    bool has_network_key;
};

static struct about about_of(const struct moth_invitation *v)
{
    struct about about = {.id = v->id, .reach = v->reach, .has_network_key = v->has_network_key};
    memcpy(about.address, v->address, sizeof about.address);
    return about;
}

static const char *reach_name(enum moth_reach reach)
{
    switch (reach) {
    case MOTH_REACH_NOBODY: return "nobody";
    case MOTH_REACH_MACHINE: return "machine";
    case MOTH_REACH_NEAR: return "near";
    case MOTH_REACH_ANYWHERE: return "anywhere";
    }
    return "nobody";
}

static int push_invitation_error(lua_State *L, int rc)
{
    lua_pushnil(L);
    lua_pushstring(L, moth_invitation_error_text(rc));
    lua_pushstring(L, moth_error_code(rc));
    return 3;
}

static int invite(const struct moth_node *node, char line[MOTH_INVITATION_TEXT_BYTES], struct about *about)
{
    struct moth_invitation v;
    int rc = moth_invite(node, line, MOTH_INVITATION_TEXT_BYTES);
    if (rc == 0) rc = moth_invitation_read(line, &v);
    if (rc < 0) return rc;
    *about = about_of(&v);
    moth_invitation_wipe(&v);
    return 0;
}

/* node:invite() -> line, {address, reach, has_network_key} | nil, why, code; reach: nobody, machine, near, anywhere */
static int l_invite(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    struct about about;
    char *line = lua_newuserdatauv(L, MOTH_INVITATION_TEXT_BYTES, 0);
    int rc = invite(node, line, &about);
    if (rc < 0) return push_invitation_error(L, rc);
    lua_pushstring(L, line);
    lua_createtable(L, 0, 3);
    bind_set_string(L, "address", about.address);
    bind_set_string(L, "reach", reach_name(about.reach));
    bind_set_boolean(L, "has_network_key", about.has_network_key);
    return 2;
}

static int join(struct moth_node *node, const char *line, struct about *about)
{
    struct moth_invitation v;
    int rc = moth_invitation_read(line, &v);
    if (rc < 0) return rc;
    *about = about_of(&v);
    rc = moth_join(node, &v);
    moth_invitation_wipe(&v);
    return rc;
}

/* node:join(line) -> {id, name, address} | nil, why, code; returns at once, the events tell of the link. address "":
 * the invitation has none */
static int l_join(lua_State *L)
{
    struct moth_node *node = bind_check_node(L);
    const char *line = bind_check_word(L, 2);
    struct about about;
    struct moth_peer peer;
    int rc = line ? join(node, line, &about) : MOTH_EARGUMENT;
    if (rc == 0) rc = moth_peer_get(node, &about.id, &peer);
    if (rc < 0) return push_invitation_error(L, rc);
    lua_createtable(L, 0, 3);
    bind_set_id(L, "id", &about.id);
    bind_set_string(L, "name", peer.name);
    bind_set_string(L, "address", about.address);
    return 1;
}

const luaL_Reg bind_invite_methods[] = {{"invite", l_invite}, {"join", l_join}, {NULL, NULL}};
