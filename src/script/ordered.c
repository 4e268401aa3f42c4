#include "script/ordered.h"
void ordered_open(lua_State *L)
{
    (void)L;
}
