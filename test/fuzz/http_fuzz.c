/*
 * http_fuzz.c - any bytes as a request: path, routing, query string, cookies, headers, JSON depth.
 *
 * Whatever comes in, a path that is accepted is valid UTF-8 without dot segments, control
 * characters, backslashes or doubled slashes, and parsing its own text again gives the same text.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const patterns[] = {"/", "/v1/view", "/v2/data/cost-usage/{queryId}/status",
                                       "/a/{x}/{y}/{z}/{w}",
                                       "/v1/megabill/query-language/values/{costCenter}/{key+}"};

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static void path_holds(fa_arena *a, fa_str raw)
{
    fa_err e = {0};
    fa_str p, arg[4];

    if (fa_path_parse(a, raw, &p, &e)) {
        demand(e.msg[0] != '\0');
        return;
    }
    demand(p.n > 0 && p.p[0] == '/' && p.n <= raw.n && fa_utf8_valid(p));
    demand(p.n == 1 || p.p[p.n - 1] != '/');
    for (size_t i = 0; i < p.n; i++) {
        demand((unsigned char)p.p[i] >= ' ' && p.p[i] != 0x7f && p.p[i] != '\\');
        demand(i == 0 || p.p[i] != '/' || p.p[i - 1] != '/');
    }
    demand(!memmem(p.p, p.n, "/../", 4) && !fa_str_ends(p, FA_STR("/..")));
    for (size_t i = 0; i < FA_COUNT(patterns); i++) {
        memset(arg, 0, sizeof arg);
        if (!fa_path_match(patterns[i], p, arg))
            continue;
        for (int k = 0; k < 4; k++)
            demand(!arg[k].p || (arg[k].p > p.p && arg[k].p + arg[k].n <= p.p + p.n));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fa_str all = {(const char *)data, size}, path = all, query = {0}, v, host;
    fa_arena a;
    int port;

    fa_arena_init(&a, 1 << 24);
    for (size_t i = 0; i < size; i++)
        if (data[i] == '?') {
            path.n = i;
            query = (fa_str){all.p + i + 1, size - i - 1};
            break;
        }
    path_holds(&a, path);
    for (size_t nth = 0; nth < 4 && fa_query_get(&a, query, "a", nth, &v); nth++)
        demand(fa_utf8_valid(v) && (!v.n || !memchr(v.p, 0, v.n)));
    v = fa_cookie_find(all, "__Host-s");
    demand(!v.n || (v.p > all.p && v.p + v.n <= all.p + all.n));
    (void)fa_accepts_gzip(all);
    (void)fa_json_depth_ok(all, 128);
    if (fa_listen_parse(all, &host, &port))
        demand(port >= 0 && port <= 65535 && host.n > 0);
    fa_arena_release(&a);
    return 0;
}
