/* mem.c -- allocation that cannot fail, see mem.h. A messaging node that is out of memory has nothing useful left
 * to say; a clean abort beats a thousand untested error paths. */
#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p)
{
    if (p) return p;
    fputs("moth: out of memory\n", stderr);
    abort();
}

void *mem_array(size_t count, size_t bytes)
{
    return checked(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *mem_new(size_t bytes)
{
    return mem_array(1, bytes);
}

void *mem_resize(void *old, size_t count, size_t bytes)
{
    if (bytes != 0 && count > SIZE_MAX / bytes) return checked(NULL);
    size_t wanted = count * bytes;
    return checked(realloc(old, wanted > 0 ? wanted : 1));
}

void *mem_copy(const void *data, size_t bytes)
{
    void *copy = mem_new(bytes);
    return bytes > 0 ? memcpy(copy, data, bytes) : copy;
}

char *mem_text(const char *text)
{
    if (!text) return NULL;
    return mem_copy(text, strlen(text) + 1);
}
