/*
 * cookie_fuzz.c - any bytes as a Cookie header: what is found is what a slow, plain reading finds.
 *
 * The answer is a piece of the header, without the name, up to the next semicolon, of the first pair of exactly that name.
 */
#include "http/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"__Host-s", "__Host-d", "__Host-sso", "a", ""};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Does a pair begin at i: the start or a semicolon before it, white space between? */
static bool begins(const char *p, size_t i)
{
    while (i > 0 && blank(p[i - 1]))
        i--;
    return i == 0 || p[i - 1] == ';';
}

static size_t plainly(const char *p, size_t n, const char *name, const char **value)
{
    size_t want = strlen(name), end;

    for (size_t i = 0; i + want < n; i++) {
        if (!begins(p, i) || memcmp(p + i, name, want) != 0 || p[i + want] != '=' ||
            (i < n && blank(p[i])))
            continue;
        for (end = i + want + 1; end < n && p[end] != ';';)
            end++;
        while (end > i + want + 1 && blank(p[end - 1]))
            end--;
        *value = p + i + want + 1;
        return end - (i + want + 1);
    }
    *value = NULL;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fa_str all = {(const char *)data, size}, got;
    const char *value;
    size_t n;

    for (size_t i = 0; i < FA_COUNT(names); i++) {
        got = fa_cookie_find(all, names[i]);
        n = plainly(all.p, all.n, names[i], &value);
        if (got.n != n || (n && got.p != value))
            abort();
        if (got.n && (got.p < all.p || got.p + got.n > all.p + all.n))
            abort();
    }
    return 0;
}
