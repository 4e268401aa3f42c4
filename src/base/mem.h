/* mem.h -- memory that is there or the process ends: out of memory aborts, callers never check.
 *
 * Sizes that a peer controls are bounded before they come here. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_new(size_t bytes);                            /* zeroed; free with free() */
void *mem_array(size_t count, size_t bytes);            /* zeroed; aborts when count * bytes overflows */
void *mem_resize(void *old, size_t count, size_t bytes);/* like realloc, new room is not zeroed */
void *mem_copy(const void *data, size_t bytes);         /* `data` may be NULL when there are no bytes */
char *mem_text(const char *text);                       /* a copy; NULL stays NULL */

#endif
