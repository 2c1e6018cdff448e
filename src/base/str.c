/*
 * str.c - borrowed strings that carry their length, and the one strict UTF-8 check.
 *
 * Nothing here allocates. An empty string may have a NULL pointer, so every memcmp is guarded.
 */
#include "base/base.h"

#include <string.h>

static char fold(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

fa_str fa_str_of(const char *z)
{
    return z ? (fa_str){z, strlen(z)} : (fa_str){"", 0};
}

bool fa_str_eq(fa_str a, fa_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool fa_str_eqz(fa_str a, const char *z)
{
    return fa_str_eq(a, fa_str_of(z));
}

bool fa_str_ieq(fa_str a, fa_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (fold(a.p[i]) != fold(b.p[i]))
            return false;
    return true;
}

int fa_str_cmp(fa_str a, fa_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool fa_str_starts(fa_str s, fa_str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool fa_str_ends(fa_str s, fa_str suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

fa_str fa_str_trim(fa_str s)
{
    while (s.n && is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* Table 3-7 of the Unicode standard: the second byte's range depends on the first. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    unsigned char lo = 0x80, hi = 0xbf;
    size_t need;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        need = 2;
    } else if ((p[0] & 0xf0) == 0xe0) {
        need = 3;
        lo = p[0] == 0xe0 ? 0xa0 : 0x80;
        hi = p[0] == 0xed ? 0x9f : 0xbf;
    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        need = 4;
        lo = p[0] == 0xf0 ? 0x90 : 0x80;
        hi = p[0] == 0xf4 ? 0x8f : 0xbf;
    } else {
        return 0;
    }
    if (n < need || p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

bool fa_utf8_valid(fa_str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = s.n;

    while (n) {
        uint64_t w;

        if (n >= sizeof w) {
            memcpy(&w, p, sizeof w);
            if (!(w & 0x8080808080808080u)) {
                p += sizeof w;
                n -= sizeof w;
                continue;
            }
        }
        size_t k = utf8_len(p, n);

        if (!k)
            return false;
        p += k;
        n -= k;
    }
    return true;
}

bool fa_take_u64(fa_str *s, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < s->n && s->p[i] >= '0' && s->p[i] <= '9'; i++)
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s->p[i] - '0'), &v))
            return false;
    if (i == 0)
        return false;
    s->p += i;
    s->n -= i;
    *out = v;
    return true;
}

bool fa_take(fa_str *s, const char *prefix)
{
    fa_str p = fa_str_of(prefix);

    if (!fa_str_starts(*s, p))
        return false;
    s->p += p.n;
    s->n -= p.n;
    return true;
}
