/* columns.h -- how wide a text is on a terminal, for tables and lines that must fit.
 *
 *   core.columns(text) -> n               the columns it takes
 *   core.fit(text, n [, from]) -> last    the last byte of the longest piece from byte `from` = 1 on that takes at most
 *                                         n columns; from - 1 when nothing does
 *
 * East Asian characters and emoji take two columns, combining ones none: they stay with the one before. A byte that is
 * no UTF-8 counts as one, and so does a control: both are shown otherwise before they reach a terminal. The locale of
 * the process does not matter. */
#ifndef SCRIPT_COLUMNS_H
#define SCRIPT_COLUMNS_H

#include <lua.h>

/* Sets those in the table on top of the stack. */
void columns_open(lua_State *L);

#endif
