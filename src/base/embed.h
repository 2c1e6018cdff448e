/*
 * embed.h - files that were made part of the program at build time (tools/embed.c).
 *
 * A generated table ends with a row whose name is NULL. Rows are sorted by name (byte order). Data is
 * followed by one NUL that `n` does not count, so a text file can be used as a C string.
 */
#ifndef FA_EMBED_H
#define FA_EMBED_H

#include <stddef.h>

typedef struct fa_embedded {
    const char          *name; /* file name without its folder */
    const unsigned char *data;
    size_t               n;
} fa_embedded;

#endif
