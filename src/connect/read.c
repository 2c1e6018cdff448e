/*
 * read.c - the few words of XML, JSON and time that stores answer in, and URL paths.
 */
#include "connect/inner.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static fa_str decoded(fa_arena *a, fa_str s)
{
    static const struct {
        const char *name;
        char c;
    } entity[] = {{"&amp;", '&'},   {"&lt;", '<'},   {"&gt;", '>'}, {"&quot;", '"'},
                  {"&apos;", '\''}, {"&#39;", '\''}, {"&#34;", '"'}};
    char *out;
    size_t n = 0;

    if (!memchr(s.p, '&', s.n))
        return s;
    if (!(out = fa_arena_alloc(a, s.n + 1)))
        return (fa_str){0};
    while (s.n) {
        bool found = false;

        for (size_t i = 0; *s.p == '&' && i < FA_COUNT(entity) && !found; i++)
            if (fa_take(&s, entity[i].name)) {
                out[n++] = entity[i].c;
                found = true;
            }
        if (!found) {
            out[n++] = *s.p++;
            s.n--;
        }
    }
    return (fa_str){out, n};
}

bool cn_xml_next(fa_arena *a, fa_str *rest, const char *tag, fa_str *out)
{
    char open[64], close[64];
    const char *p, *q;
    int no = snprintf(open, sizeof open, "<%s>", tag),
        nc = snprintf(close, sizeof close, "</%s>", tag);

    *out = FA_STR("");
    if (!rest->n || !(p = memmem(rest->p, rest->n, open, (size_t)no)))
        return false;
    p += no;
    if (!(q = memmem(p, rest->n - (size_t)(p - rest->p), close, (size_t)nc)))
        return false;
    *out = memchr(p, '<', (size_t)(q - p)) ? (fa_str){p, (size_t)(q - p)}
                                           : decoded(a, (fa_str){p, (size_t)(q - p)});
    *rest = (fa_str){q + nc, rest->n - (size_t)(q + nc - rest->p)};
    return true;
}

fa_str cn_xml(fa_arena *a, fa_str text, const char *tag)
{
    fa_str out;

    cn_xml_next(a, &text, tag, &out);
    return out;
}

fa_str cn_json(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");
}

fa_str cn_etag(fa_str raw)
{
    raw = fa_str_trim(raw);
    fa_take(&raw, "W/");
    if (raw.n >= 2 && raw.p[0] == '"' && raw.p[raw.n - 1] == '"')
        raw = (fa_str){raw.p + 1, raw.n - 2};
    return raw;
}

bool cn_is_hex(fa_str s, size_t n)
{
    for (size_t i = 0; i < s.n; i++)
        if (!memchr("0123456789abcdefABCDEF", s.p[i], 22))
            return false;
    return s.n == n;
}

int64_t cn_time(fa_str text)
{
    char own[64];
    struct tm tm = {0};
    time_t t;

    if (!text.n || text.n >= sizeof own)
        return -1;
    memcpy(own, text.p, text.n);
    own[text.n] = '\0';
    if (strptime(own, "%Y-%m-%dT%H:%M:%S", &tm))
        return (int64_t)timegm(&tm) * 1000;
    t = curl_getdate(own, NULL);
    return t < 0 ? -1 : (int64_t)t * 1000;
}

void cn_http_date(char out[64])
{
    time_t t = (time_t)(fa_now_ms() / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    strftime(out, 64, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

void cn_url_path(fa_buf *b, fa_str key)
{
    while (key.n) {
        const char *slash = memchr(key.p, '/', key.n);
        size_t n = slash ? (size_t)(slash - key.p) : key.n;

        fa_buf_url(b, (fa_str){key.p, n});
        if (slash) {
            fa_buf_c(b, '/');
            n++;
        }
        key = (fa_str){key.p + n, key.n - n};
    }
}

fa_rc cn_join(fa_arena *a, fa_str *out, fa_err *e, const char *fmt, ...)
{
    char *p = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&p, fmt, ap);
    va_end(ap);
    if (n < 0)
        return fa_oom(e);
    *out = fa_arena_dup(a, (fa_str){p, (size_t)n});
    explicit_bzero(p, (size_t)n);
    free(p);
    return out->p ? FA_OK : fa_oom(e);
}
