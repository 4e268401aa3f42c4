/* folder.h -- one temporary folder for all files of a test, gone with it.
 *
 * It lies in TMPDIR or /tmp and is made when first asked for. */
#ifndef SCENARIO_FOLDER_H
#define SCENARIO_FOLDER_H

const char *folder_path(void);

/* A path in it that does not exist yet; the text lives until sixteen more were asked for. */
const char *folder_new_path(const char *name);

/* Removes it and all that is in it; also happens at exit. */
void folder_remove(void);

#endif
