/* files.h -- names of files, for completion: ours alone, no script sees it.
 *
 *   core.files(folder, prefix) -> names    what is in that folder and starts so, sorted, folders with a / behind; those
 *                                          that start with a dot only when `prefix` does
 *
 * At most 1,000 names, of the first 20,000 that the folder tells; a folder that cannot be read has none. */
#ifndef SCRIPT_FILES_H
#define SCRIPT_FILES_H

#include <lua.h>

/* Sets it in the table on top of the stack. */
void files_open(lua_State *L);

#endif
