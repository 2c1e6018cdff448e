/*
 * oracle.c - Oracle object storage: requests signed with a user's API key.
 *
 * Cost and FOCUS reports lie in a bucket of Oracle's: namespace "bling", the bucket named as the tenancy.
 */
#include "connect/inner.h"

#include <string.h>

enum { ANSWER_MAX = 8 << 20 };

static fa_rc oracle_open(cn_conn *c, fa_err *e)
{
    fa_str fallback, endpoint;
    fa_rc rc;

    c->region = cn_config(c, "region");
    c->bucket = cn_config(c, "bucket").n ? cn_config(c, "bucket") : cn_secret(c, "tenancy");
    for (size_t i = 0; i < c->region.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", c->region.p[i])) {
            fa_fail(e, FA_EINVAL, "\"%.*s\" is not a region like eu-frankfurt-1",
                    FA_FMT(c->region));
            return fa_at(e, "region");
        }
    if (!cn_secret(c, "privateKey").n)
        return fa_fail(e, FA_EAUTH, "there is no signing key to ask with"),
               fa_hint(e, "choose a credential of the kind \"API signing key\"");
    if ((rc = cn_join(c->mem, &fallback, e, "https://objectstorage.%.*s.oraclecloud.com",
                      FA_FMT(c->region))) ||
        (rc = cn_endpoint(c, fallback.p, e)))
        return rc;
    endpoint = c->endpoint;
    return cn_join(
        c->mem, &c->endpoint, e, "%.*s/n/%.*s/b/%.*s/o", FA_FMT(endpoint),
        FA_FMT(cn_config(c, "namespace").n ? cn_config(c, "namespace") : FA_STR("bling")),
        FA_FMT(c->bucket));
}

/* Authorization: Signature over date, (request-target) and host. */
static fa_rc signed_request(cn_conn *c, fa_arena *a, fa_str url, const char *const *extra,
                            size_t nextra, fa_net_request *q, fa_err *e)
{
    const char **h = fa_arena_array(a, nextra + 2, sizeof *h), *host = strstr(url.p, "://"), *path;
    fa_str text, date, auth;
    char now[64];
    fa_buf sig;
    fa_rc rc;

    if (!h || !host || !(path = strchr(host + 3, '/')))
        return fa_oom(e);
    host += 3;
    cn_http_date(now);
    fa_buf_init(&sig, 4096);
    if (!(rc = cn_join(a, &text, e, "date: %s\n(request-target): get %s\nhost: %.*s", now, path,
                       (int)(path - host), host)) &&
        !(rc = cn_join(a, &date, e, "date: %s", now)) &&
        !(rc = cn_rsa_sign(cn_secret(c, "privateKey"), FA_STR(""), text, false, &sig, e)))
        rc = cn_join(a, &auth, e,
                     "Authorization: Signature "
                     "version=\"1\",keyId=\"%.*s/%.*s/%.*s\",algorithm=\"rsa-sha256\","
                     "headers=\"date (request-target) host\",signature=\"%s\"",
                     FA_FMT(cn_secret(c, "tenancy")), FA_FMT(cn_secret(c, "user")),
                     FA_FMT(cn_secret(c, "fingerprint")), sig.p);
    fa_buf_release(&sig);
    if (rc)
        return rc;
    for (size_t i = 0; i < nextra; i++)
        h[i] = extra[i];
    h[nextra] = date.p;
    h[nextra + 1] = auth.p;
    q->url = url.p;
    q->header = h;
    q->nheader = nextra + 2;
    return FA_OK;
}

static fa_rc oracle_get(cn_conn *c, fa_arena *a, const cn_object *o, const char *const *extra,
                        size_t nextra, fa_net_request *q, fa_err *e)
{
    fa_str url;
    fa_buf b;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "%.*s/", FA_FMT(c->endpoint));
    fa_buf_url(&b, o->key); /* the whole name is one part of the path */
    url = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return url.p ? signed_request(c, a, url, extra, nextra, q, e) : fa_oom(e);
}

static fa_rc oracle_refused(const cn_conn *c, const fa_net_response *r, const char *doing,
                            fa_str key, fa_err *e)
{
    json_t *o = json_loadb(r->body.p, r->body.n, 0, NULL);
    fa_str tenancy = c->bucket;
    char code[80];

    snprintf(code, sizeof code, "%.*s", FA_FMT(cn_json(o, "code")));
    json_decref(o);
    if (r->status == 401) {
        fa_fail(e, FA_EAUTH, "Oracle does not accept the signing key (%s)",
                code[0] ? code : "HTTP 401");
        return fa_hint(e, "tenancy, user, fingerprint and key must belong together, and the "
                          "machine's clock must be right within five minutes");
    }
    if (r->status == 404 && strcmp(doing, "list") == 0) {
        fa_fail(e, FA_EFORBIDDEN,
                "the user may not list the usage reports of %.*s, or there is no such bucket (%s)",
                FA_FMT(tenancy), code);
        return fa_hint(e, "missing policy: \"endorse group <group> to read objects in tenancy "
                          "usage-report\", with its \"define tenancy usage-report as ...\"");
    }
    if (r->status == 404)
        return fa_fail(e, FA_ENOTFOUND, "there is no report %.*s, or the user may not read it",
                       FA_FMT(key));
    return fa_fail(e, r->status >= 500 || r->status == 429 ? FA_EENV : FA_EFAILED,
                   "Oracle answered HTTP %d%s%s", r->status, code[0] ? " " : "", code);
}

static fa_rc take_object(cn_conn *c, const json_t *v, cn_list *out, fa_err *e)
{
    fa_str name = cn_json(v, "name"), md5 = cn_json(v, "md5"), raw;
    const json_t *size = json_object_get(v, "size");
    cn_object o = {.key = fa_arena_dup(c->mem, name),
                   .etag = fa_arena_dup(c->mem, cn_json(v, "etag")),
                   .md5 = FA_STR(""),
                   .bytes = json_integer_value(size),
                   .modified_ms =
                       cn_time(cn_json(v, "timeModified").n ? cn_json(v, "timeModified")
                                                            : cn_json(v, "timeCreated"))};
    char hex[33];

    if (!name.n || !json_is_integer(size) || o.bytes < 0)
        return fa_fail(e, FA_EFAILED, "Oracle's list of objects cannot be read");
    if (md5.n == 24 && !cn_unbase64(c->mem, md5, &raw, e) && raw.n == 16) {
        fa_hex(hex, raw.p, 16);
        o.md5 = fa_arena_dup(c->mem, fa_str_of(hex));
    }
    return o.key.p && o.etag.p ? cn_add(c, out, &o, e) : fa_oom(e);
}

static fa_rc oracle_page(cn_conn *c, cn_list *out, fa_str *next, fa_err *e)
{
    fa_net_response r;
    fa_net_request q = {.max_body = ANSWER_MAX};
    json_t *o = NULL, *v;
    fa_str url;
    fa_buf b;
    size_t i;
    fa_rc rc;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "%.*s?fields=name%%2Csize%%2Cetag%%2Cmd5%%2CtimeModified&limit=1000",
               FA_FMT(c->endpoint));
    if (c->prefix.n) {
        fa_buf_z(&b, "&prefix=");
        fa_buf_url(&b, c->prefix);
    }
    if (next->n) {
        fa_buf_z(&b, "&start=");
        fa_buf_url(&b, *next);
    }
    url = fa_buf_dup(&b, c->mem);
    fa_buf_release(&b);
    if (!url.p)
        return fa_oom(e);
    if ((rc = signed_request(c, c->mem, url, NULL, 0, &q, e)) ||
        (rc = cn_send(c, c->mem, &q, &r, e)))
        return rc;
    if (r.status != 200)
        return oracle_refused(c, &r, "list", c->prefix, e);
    o = json_loadb(r.body.p, r.body.n, 0, NULL);
    json_array_foreach(json_object_get(o, "objects"), i, v) if (!rc) rc = take_object(c, v, out, e);
    if (!rc && !json_is_array(json_object_get(o, "objects")))
        rc = fa_fail(e, FA_EFAILED, "Oracle's list of objects cannot be read");
    *next = cn_json(o, "nextStartWith").n ? fa_arena_dup(c->mem, cn_json(o, "nextStartWith"))
                                          : (fa_str){0};
    json_decref(o);
    return rc;
}

const cn_store cn_oracle = {
    .kind = {"oracle",
             "Oracle Cloud",
             "Oracle",
             "signing_key",
             true,
             {{"region", "Home region", "as eu-frankfurt-1", true, NULL},
              {"prefix", "Reports",
               "FOCUS Reports or reports/cost-csv; use one of the two, never both", true, NULL},
              {"bucket", "Bucket", "the tenancy's OCID when empty", false, NULL},
              {"namespace", "Namespace", "bling when empty", false, NULL},
              {"endpoint", "Endpoint", "only for other realms than the commercial one", false,
               NULL}}},
    .append = true,
    .open = oracle_open,
    .page = oracle_page,
    .get = oracle_get,
    .refused = oracle_refused,
};
