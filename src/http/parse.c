/*
 * parse.c - the texts of a request: path, query string, cookies.
 *
 * Everything here is pure and takes any bytes: it is what the fuzzer drives. A path is decoded
 * exactly once, and whatever could mean two things to two programs is refused rather than repaired.
 */
#include "http/internal.h"

#include <string.h>

enum { PATH_MAX_BYTES = 8192 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes percent escapes (and "+" when `plus`). false: a broken escape. out has room for s.n
 * bytes. */
static bool unescape(fa_str s, bool plus, char *out, size_t *n)
{
    *n = 0;
    for (size_t i = 0; i < s.n; i++) {
        int c = (unsigned char)s.p[i];

        if (c == '%') {
            int hi = i + 2 < s.n ? hex(s.p[i + 1]) : -1, lo = i + 2 < s.n ? hex(s.p[i + 2]) : -1;

            if (hi < 0 || lo < 0)
                return false;
            c = hi * 16 + lo;
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[(*n)++] = (char)c;
    }
    return true;
}

static bool dots(fa_str seg)
{
    return fa_str_eqz(seg, ".") || fa_str_eqz(seg, "..");
}

fa_rc fa_path_parse(fa_arena *a, fa_str raw, fa_str *out, fa_err *e)
{
    char *text, *p;
    size_t n = 0, at = 0;

    *out = (fa_str){0};
    if (!raw.n || raw.p[0] != '/' || raw.n > PATH_MAX_BYTES)
        return fa_fail(e, FA_EINVAL, "the path must start with a slash and be at most %d bytes",
                       PATH_MAX_BYTES);
    for (size_t i = 0; i + 2 < raw.n; i++)
        if (raw.p[i] == '%' && raw.p[i + 1] == '2' && (raw.p[i + 2] | 0x20) == 'f')
            return fa_fail(e, FA_EINVAL, "an encoded slash is not allowed in a path");
    if (!(text = fa_arena_alloc(a, raw.n + 1)) || !(p = fa_arena_alloc(a, raw.n + 2)))
        return fa_oom(e);
    if (!unescape(raw, false, text, &n) || !fa_utf8_valid((fa_str){text, n}))
        return fa_fail(e, FA_EINVAL, "the path is not percent-encoded UTF-8");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f || text[i] == '\\')
            return fa_fail(e, FA_EINVAL, "the path holds a character that is not allowed");
    for (size_t i = 0; i < n;) {
        size_t end;

        while (i < n && text[i] == '/')
            i++;
        for (end = i; end < n && text[end] != '/'; end++)
            ;
        if (end == i)
            break;
        if (dots((fa_str){text + i, end - i}))
            return fa_fail(e, FA_EINVAL, "dot segments are not allowed in a path");
        p[at++] = '/';
        memcpy(p + at, text + i, end - i);
        at += end - i;
        i = end;
    }
    if (!at)
        p[at++] = '/';
    *out = (fa_str){p, at};
    return FA_OK;
}

bool fa_path_match(const char *pattern, fa_str path, fa_str arg[4])
{
    size_t i = 0, narg = 0;

    while (*pattern) {
        if (*pattern == '{') {
            size_t start = i;
            bool rest;

            while (*pattern && *pattern != '}')
                pattern++;
            rest = pattern[-1] == '+';
            if (*pattern)
                pattern++;
            while (i < path.n && (rest || path.p[i] != '/'))
                i++;
            if (i == start || narg == 4)
                return false;
            arg[narg++] = (fa_str){path.p + start, i - start};
        } else {
            if (i >= path.n || path.p[i] != *pattern)
                return false;
            pattern++;
            i++;
        }
    }
    return i == path.n;
}

bool fa_query_get(fa_arena *a, fa_str query, const char *name, size_t nth, fa_str *out)
{
    size_t want = strlen(name), i = 0;
    char *text;

    *out = (fa_str){0};
    while (i < query.n) {
        size_t end = i, eq, n;

        while (end < query.n && query.p[end] != '&')
            end++;
        for (eq = i; eq < end && query.p[eq] != '='; eq++)
            ;
        if (eq - i == want && memcmp(query.p + i, name, want) == 0 && nth-- == 0) {
            fa_str raw = eq < end ? (fa_str){query.p + eq + 1, end - eq - 1} : (fa_str){0};

            if (!(text = fa_arena_alloc(a, raw.n + 1)) || !unescape(raw, true, text, &n) ||
                !fa_utf8_valid((fa_str){text, n}) || memchr(text, 0, n))
                return false;
            *out = (fa_str){text, n};
            return true;
        }
        i = end + 1;
    }
    return false;
}

fa_str fa_cookie_find(fa_str header, const char *name)
{
    size_t want = strlen(name), i = 0;

    while (i < header.n) {
        size_t end = i;
        fa_str pair;

        while (end < header.n && header.p[end] != ';')
            end++;
        pair = fa_str_trim((fa_str){header.p + i, end - i});
        if (pair.n > want && pair.p[want] == '=' && memcmp(pair.p, name, want) == 0)
            return (fa_str){pair.p + want + 1, pair.n - want - 1};
        i = end + 1;
    }
    return (fa_str){0};
}

bool fa_accepts_gzip(fa_str s)
{
    size_t i = 0;

    while (i < s.n) {
        size_t end = i, semi;
        fa_str item, quality;

        while (end < s.n && s.p[end] != ',')
            end++;
        for (semi = i; semi < end && s.p[semi] != ';'; semi++)
            ;
        item = fa_str_trim((fa_str){s.p + i, semi - i});
        quality = semi < end ? fa_str_trim((fa_str){s.p + semi + 1, end - semi - 1}) : (fa_str){0};
        if (fa_str_ieq(item, FA_STR("gzip")))
            return !(fa_str_eqz(quality, "q=0") || fa_str_eqz(quality, "q=0.0") ||
                     fa_str_eqz(quality, "q=0.00") || fa_str_eqz(quality, "q=0.000"));
        i = end + 1;
    }
    return false;
}

bool fa_json_depth_ok(fa_str json, int most)
{
    int depth = 0;
    bool text = false;

    for (size_t i = 0; i < json.n; i++) {
        char c = json.p[i];

        if (text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                text = false;
        } else if (c == '"') {
            text = true;
        } else if (c == '[' || c == '{') {
            if (++depth > most)
                return false;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return true;
}

bool fa_listen_parse(fa_str s, fa_str *host, int *port)
{
    size_t colon = s.n;
    long n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ':')
            colon = i;
    if (colon == s.n || colon + 1 == s.n || s.n - colon > 6)
        return false;
    for (size_t i = colon + 1; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        n = n * 10 + (s.p[i] - '0');
    }
    *host = (fa_str){s.p, colon};
    if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        *host = (fa_str){host->p + 1, host->n - 2};
    else if (memchr(host->p, ':', host->n))
        return false;
    *port = (int)n;
    return host->n > 0 && n <= 65535;
}
