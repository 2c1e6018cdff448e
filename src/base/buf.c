/*
 * buf.c - one growing output with a ceiling, and every escape that output needs.
 *
 * The first append that does not fit marks the buffer failed; later ones do nothing, so a writer
 * checks once, at its end. The escape is in the name of the call: json, csv, url, sql.
 */
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

static size_t limit_of(const fa_buf *b)
{
    return b->limit ? b->limit : (size_t)1 << 30;
}

/* Room for n more bytes and the zero behind them. */
static bool reserve(fa_buf *b, size_t n)
{
    size_t need, cap = b->cap ? b->cap : 256;

    if (b->failed)
        return false;
    if (__builtin_add_overflow(b->n, n, &need) || need > limit_of(b)) {
        b->failed = true;
        return false;
    }
    if (need < b->cap)
        return true;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;

    char *p = realloc(b->p, cap);

    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void fa_buf_init(fa_buf *b, size_t limit)
{
    *b = (fa_buf){.limit = limit};
}

void fa_buf_put(fa_buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void fa_buf_str(fa_buf *b, fa_str s)
{
    fa_buf_put(b, s.p, s.n);
}

void fa_buf_z(fa_buf *b, const char *z)
{
    fa_buf_put(b, z, z ? strlen(z) : 0);
}

void fa_buf_c(fa_buf *b, char c)
{
    fa_buf_put(b, &c, 1);
}

void fa_buf_fmt(fa_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!reserve(b, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->n += (size_t)n;
}

/* Bytes of the well-formed character at p, 0 when there is none. */
static size_t char_len(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    size_t need = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return need <= n && fa_utf8_valid((fa_str){p, need}) ? need : 0;
}

void fa_buf_json(fa_buf *b, fa_str s)
{
    size_t start = 0;
    bool plain = fa_utf8_valid(s);

    fa_buf_c(b, '"');
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t k = c < 0x80 || plain ? 1 : char_len(s.p + i, s.n - i);

        if (k && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            i += k;
            continue;
        }
        fa_buf_put(b, s.p + start, i - start);
        if (!k)
            fa_buf_z(b, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            fa_buf_put(b, (char[]){'\\', (char)c}, 2);
        else if (c == '\n')
            fa_buf_z(b, "\\n");
        else if (c == '\r')
            fa_buf_z(b, "\\r");
        else if (c == '\t')
            fa_buf_z(b, "\\t");
        else
            fa_buf_fmt(b, "\\u%04x", c);
        start = ++i;
    }
    if (start < s.n)
        fa_buf_put(b, s.p + start, s.n - start);
    fa_buf_c(b, '"');
}

/* Would a spreadsheet take this text for a formula? (security.md FX: after a BOM and spaces.) */
static bool is_formula(fa_str s)
{
    static const fa_str starts[] = {
        FA_STR("="),
        FA_STR("+"),
        FA_STR("-"),
        FA_STR("@"),
        FA_STR("\t"),
        FA_STR("\r"),
        FA_STR("\n"),
        FA_STR("\0"),
        FA_STR("\xef\xbc\x9d"),
        FA_STR("\xef\xbc\x8b"),
        FA_STR("\xef\xbc\x8d"),
        FA_STR("\xef\xbc\xa0"), /* the full-width forms */
    };

    if (fa_str_starts(s, FA_STR("\xef\xbb\xbf")))
        s.p += 3, s.n -= 3;
    while (s.n && s.p[0] == ' ')
        s.p++, s.n--;
    for (size_t i = 0; i < FA_COUNT(starts); i++)
        if (fa_str_starts(s, starts[i]))
            return true;
    return false;
}

static bool has_any(fa_str s, const char *set)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] && strchr(set, s.p[i]))
            return true;
    return false;
}

/* s between q and q, with each q doubled; drop_nul leaves out what SQL text cannot hold. */
static void quoted(fa_buf *b, fa_str s, char q, bool drop_nul, const char *prefix)
{
    fa_buf_c(b, q);
    fa_buf_z(b, prefix);
    for (size_t i = 0; i < s.n; i++) {
        if (drop_nul && s.p[i] == '\0')
            continue;
        if (s.p[i] == q)
            fa_buf_c(b, q);
        fa_buf_c(b, s.p[i]);
    }
    fa_buf_c(b, q);
}

void fa_buf_csv(fa_buf *b, fa_str s, bool guard)
{
    const char *prefix = guard && is_formula(s) ? "'" : "";

    if (has_any(s, "\",\r\n")) {
        quoted(b, s, '"', false, prefix);
    } else {
        fa_buf_z(b, prefix);
        fa_buf_str(b, s);
    }
}

void fa_buf_url(fa_buf *b, fa_str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c && strchr("-._~", c)))
            fa_buf_c(b, (char)c);
        else
            fa_buf_put(b, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
    }
}

void fa_buf_sql_text(fa_buf *b, fa_str s)
{
    quoted(b, s, '\'', true, "");
}

void fa_buf_sql_ident(fa_buf *b, fa_str s)
{
    quoted(b, s, '"', true, "");
}

fa_str fa_buf_view(const fa_buf *b)
{
    return b->p ? (fa_str){b->p, b->n} : (fa_str){"", 0};
}

void fa_buf_clear(fa_buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

void fa_buf_release(fa_buf *b)
{
    free(b->p);
    *b = (fa_buf){.limit = b->limit};
}

fa_str fa_buf_dup(const fa_buf *b, fa_arena *a)
{
    if (b->failed)
        return (fa_str){0};
    return fa_arena_dup(a, fa_buf_view(b));
}
