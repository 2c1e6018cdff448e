/*
 * forward.c - whose request it is, when a proxy stands between (security.md HT-4).
 *
 * A header can say anything, so it counts only as far as the operator's own proxies wrote it: from the
 * connection's address backwards through X-Forwarded-For while each hop is a proxy of the list; the first
 * that is not is the client. Without a list, or when the connection is not a proxy's, the connection's address is.
 */
#include "http/internal.h"

#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 4096, HOPS_MAX = 32 };

typedef struct hops {
    fa_buf line; /* all X-Forwarded-For lines, joined as if they were one */
    bool any;    /* any header that only a proxy writes */
} hops;

static enum MHD_Result take(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    static const char *const words[] = {"X-Forwarded-For",  "Forwarded",        "X-Real-IP", "Via",
                                        "X-Forwarded-Host", "X-Forwarded-Proto"};
    hops *h = cls;

    (void)kind;
    for (size_t i = 0; i < FA_COUNT(words); i++)
        h->any = h->any || strcasecmp(key, words[i]) == 0;
    if (value && strcasecmp(key, words[0]) == 0)
        fa_buf_fmt(&h->line, "%s%s", h->line.n ? "," : "", value);
    return MHD_YES;
}

/* "1.2.3.4", "1.2.3.4:80", "2001:db8::1", "[2001:db8::1]:80" without its port. */
static fa_str bare(fa_str s)
{
    const char *end;

    s = fa_str_trim(s);
    if (s.n && s.p[0] == '[' && (end = memchr(s.p, ']', s.n)))
        return (fa_str){s.p + 1, (size_t)(end - s.p) - 1};
    if ((end = memchr(s.p, ':', s.n)) && !memchr(end + 1, ':', s.n - (size_t)(end + 1 - s.p)))
        s.n = (size_t)(end - s.p);
    return s;
}

/* The last hop of *line, which loses it. */
static fa_str last_hop(fa_str *line)
{
    size_t at = line->n;
    fa_str hop;

    while (at > 0 && line->p[at - 1] != ',')
        at--;
    hop = bare((fa_str){line->p + at, line->n - at});
    line->n = at ? at - 1 : 0;
    return hop;
}

void fa_forwarded(fa_wire *w)
{
    fa_str trusted = fa_str_of(w->server->opt.trusted_proxies), line, hop;
    hops h = {0};

    fa_buf_init(&h.line, LINE_MAX_BYTES);
    MHD_get_connection_values(w->conn, MHD_HEADER_KIND, take, &h);
    w->local = w->peer && w->peer->loopback && !h.any;
    line = h.line.failed ? (fa_str){0} : fa_buf_view(&h.line);
    for (int i = 0; i < HOPS_MAX && line.n && fa_ip_in(w->req.ip, trusted); i++) {
        hop = last_hop(&line);
        if (!fa_ip_in(hop, FA_STR("0.0.0.0/0 ::/0")))
            break; /* no address: what our proxy did not write */
        if (!(hop = fa_arena_dup(&w->mem, hop)).p)
            break;
        w->req.ip = hop;
    }
    fa_buf_release(&h.line);
}
