#ifndef SCRIPT_ORDERED_H
#define SCRIPT_ORDERED_H
#include <lua.h>
void ordered_open(lua_State *L);
#endif
