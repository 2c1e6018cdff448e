/*
 * google.c - Google Cloud Storage, and billing exports in BigQuery, with a service account's key.
 *
 * A storage object is named with its generation, so what is read is what was listed. An export table only grows:
 * a run takes the rows whose export_time is after that of the last run, as JSON lines.
 */
#include "connect/inner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_MAX = 8 << 20, ROWS_MAX = 48 << 20 };
#define GCS_SCOPE "https://www.googleapis.com/auth/devstorage.read_only"
#define BIGQUERY_SCOPE "https://www.googleapis.com/auth/bigquery"

static fa_rc claims(cn_conn *c, const json_t *key, fa_str aud, const char *scope, fa_buf *out,
                    fa_err *e)
{
    int64_t now = fa_now_ms() / 1000;
    fa_buf part;
    fa_jw w;
    fa_rc rc;

    (void)c;
    fa_buf_init(&part, 8192);
    fa_jw_init(&w, &part);
    fa_jw_obj(&w);
    fa_jw_key(&w, "iss");
    fa_jw_str(&w, cn_json(key, "client_email"));
    fa_jw_key(&w, "scope");
    fa_jw_z(&w, scope);
    fa_jw_key(&w, "aud");
    fa_jw_str(&w, aud);
    fa_jw_key(&w, "iat");
    fa_jw_int(&w, now);
    fa_jw_key(&w, "exp");
    fa_jw_int(&w, now + 3600);
    fa_jw_end_obj(&w);
    rc = part.failed || cn_base64(out, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", 27, true) ? fa_oom(e)
                                                                                        : FA_OK;
    fa_buf_c(out, '.');
    if (!rc && cn_base64(out, part.p, part.n, true))
        rc = fa_oom(e);
    fa_buf_release(&part);
    return rc;
}

static fa_rc ask_token(cn_conn *c, fa_str uri, fa_str jwt, fa_err *e)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded"};
    fa_net_response r;
    fa_net_request q;
    json_t *o = NULL;
    fa_str url, body;
    fa_rc rc;

    if ((rc = cn_join(c->mem, &url, e, "%.*s", FA_FMT(uri))) ||
        (rc = cn_join(
             c->mem, &body, e,
             "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%.*s",
             FA_FMT(jwt))))
        return rc;
    q = (fa_net_request){
        .method = "POST", .url = url.p, .header = headers, .nheader = 1, .body = body, .tries = 4};
    if ((rc = cn_send(c, c->mem, &q, &r, e)))
        return rc;
    o = json_loadb(r.body.p, r.body.n, 0, NULL);
    if (r.status != 200) {
        fa_fail(e, FA_EAUTH, "Google gives no token for this key (HTTP %d%s%.*s)", r.status,
                cn_json(o, "error").n ? " " : "", FA_FMT(cn_json(o, "error")));
        rc = fa_hint(e, "the key may have been deleted or its service account disabled; the "
                        "machine's clock must be right");
    } else if (!cn_json(o, "access_token").n) {
        rc = fa_fail(e, FA_EFAILED, "Google answered without a token");
    } else {
        rc = cn_join(c->mem, &c->token, e, "%s", cn_json(o, "access_token").p);
        c->token_until_ms = fa_mono_ms() + 3000000;
    }
    json_decref(o);
    explicit_bzero((char *)(uintptr_t)body.p, body.n);
    return rc;
}

fa_rc cn_google_token(cn_conn *c, const char *scope, fa_err *e)
{
    fa_str text = cn_secret(c, "json"), uri;
    json_t *key;
    fa_buf jwt, signature;
    fa_rc rc;

    if (c->token.n && fa_mono_ms() < c->token_until_ms)
        return FA_OK;
    if (!text.n)
        return fa_fail(e, FA_EAUTH, "there is no service account's key to ask with"),
               fa_hint(e, "choose a credential of the kind \"JSON key\"");
    key = json_loadb(text.p, text.n, 0, NULL);
    uri = cn_json(key, "token_uri").n ? cn_json(key, "token_uri")
                                      : FA_STR("https://oauth2.googleapis.com/token");
    fa_buf_init(&jwt, 32768);
    fa_buf_init(&signature, 4096);
    if (!fa_str_eqz(cn_json(key, "type"), "service_account") || !cn_json(key, "client_email").n)
        rc = fa_fail(e, FA_EINVAL, "the JSON key is not that of a service account");
    else if (!(rc = claims(c, key, uri, scope, &jwt, e)) &&
             !(rc = cn_rsa_sign(cn_json(key, "private_key"), FA_STR(""), fa_buf_view(&jwt), true,
                                &signature, e))) {
        fa_buf_c(&jwt, '.');
        fa_buf_str(&jwt, fa_buf_view(&signature));
        rc = jwt.failed ? fa_oom(e) : ask_token(c, uri, fa_buf_view(&jwt), e);
    }
    fa_buf_release(&jwt);
    fa_buf_release(&signature);
    json_decref(key);
    return rc;
}

static fa_rc bearer(cn_conn *c, fa_arena *a, const char *scope, const char *const *extra,
                    size_t nextra, fa_net_request *q, fa_err *e)
{
    const char **h = fa_arena_array(a, nextra + 1, sizeof *h);
    fa_str auth;
    fa_rc rc;

    if (!h)
        return fa_oom(e);
    if ((rc = cn_google_token(c, scope, e)) ||
        (rc = cn_join(a, &auth, e, "Authorization: Bearer %.*s", FA_FMT(c->token))))
        return rc;
    for (size_t i = 0; i < nextra; i++)
        h[i] = extra[i];
    h[nextra] = auth.p;
    q->header = h;
    q->nheader = nextra + 1;
    return FA_OK;
}

/* Google's own words name the missing grant. */
static void google_words(const fa_net_response *r, char out[500])
{
    json_t *o = json_loadb(r->body.p, r->body.n, 0, NULL), *err = json_object_get(o, "error");

    snprintf(out, 500, "%.*s", FA_FMT(cn_json(err, "message")));
    json_decref(o);
}

/* ---- storage ---- */

static fa_rc gcs_open(cn_conn *c, fa_err *e)
{
    fa_rc rc;

    c->bucket = cn_config(c, "bucket");
    if ((rc = cn_endpoint(c, "https://storage.googleapis.com", e)) ||
        (rc = cn_at_home(c, c->endpoint.p, "endpoint", "googleapis.com", e)))
        return rc;
    return cn_google_token(c, GCS_SCOPE, e);
}

static fa_rc gcs_refused(const cn_conn *c, const fa_net_response *r, const char *doing, fa_str key,
                         fa_err *e)
{
    char words[500];

    google_words(r, words);
    if (r->status == 401)
        return fa_fail(e, FA_EAUTH, "Google does not accept the token: %s", words);
    if (r->status == 403) {
        fa_fail(e, FA_EFORBIDDEN, "the service account may not %s objects of the bucket %.*s: %s",
                doing, FA_FMT(c->bucket), words);
        return fa_hint(e, "missing grant: the role \"Storage Object Viewer\" on the bucket "
                          "(storage.objects.list, storage.objects.get)");
    }
    if (r->status == 404 && strcmp(doing, "list") == 0) {
        fa_fail(e, FA_ENOTFOUND, "there is no bucket %.*s: %s", FA_FMT(c->bucket), words);
        return fa_at(e, "bucket");
    }
    if (r->status == 404)
        return fa_fail(e, FA_ENOTFOUND, "there is no object %.*s, or it was replaced", FA_FMT(key));
    return fa_fail(e, r->status >= 500 || r->status == 429 ? FA_EENV : FA_EFAILED,
                   "Google answered HTTP %d: %s", r->status, words);
}

static fa_rc gcs_take(cn_conn *c, const json_t *v, cn_list *out, fa_err *e)
{
    fa_str size = cn_json(v, "size"), md5 = cn_json(v, "md5Hash"), raw;
    uint64_t bytes = 0;
    cn_object o = {.key = fa_arena_dup(c->mem, cn_json(v, "name")),
                   .etag = fa_arena_dup(c->mem, cn_json(v, "generation")),
                   .md5 = FA_STR(""),
                   .modified_ms = cn_time(cn_json(v, "updated"))};
    char hex[33];

    if (!o.key.n || !o.etag.n || !fa_take_u64(&size, &bytes) || bytes > INT64_MAX)
        return fa_fail(e, FA_EFAILED, "Google's list of objects cannot be read");
    o.bytes = (int64_t)bytes;
    if (md5.n == 24 && !cn_unbase64(c->mem, md5, &raw, e) && raw.n == 16) {
        fa_hex(hex, raw.p, 16);
        o.md5 = fa_arena_dup(c->mem, fa_str_of(hex));
    }
    return cn_add(c, out, &o, e);
}

static fa_rc gcs_page(cn_conn *c, cn_list *out, fa_str *next, fa_err *e)
{
    fa_net_response r;
    fa_net_request q = {.max_body = ANSWER_MAX};
    json_t *o, *v;
    size_t i;
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "%.*s/storage/v1/b/", FA_FMT(c->endpoint));
    fa_buf_url(&b, c->bucket);
    fa_buf_z(
        &b,
        "/o?fields=items(name%2Csize%2Cgeneration%2Cmd5Hash%2Cupdated)%2CnextPageToken&prefix=");
    fa_buf_url(&b, c->prefix);
    if (next->n) {
        fa_buf_z(&b, "&pageToken=");
        fa_buf_url(&b, *next);
    }
    q.url = fa_buf_dup(&b, c->mem).p;
    fa_buf_release(&b);
    if (!q.url)
        return fa_oom(e);
    if ((rc = bearer(c, c->mem, GCS_SCOPE, NULL, 0, &q, e)) || (rc = cn_send(c, c->mem, &q, &r, e)))
        return rc;
    if (r.status != 200)
        return gcs_refused(c, &r, "list", c->prefix, e);
    o = json_loadb(r.body.p, r.body.n, 0, NULL);
    if (!json_is_object(o))
        rc = fa_fail(e, FA_EFAILED, "Google's list of objects cannot be read");
    json_array_foreach(json_object_get(o, "items"), i, v) if (!rc) rc = gcs_take(c, v, out, e);
    *next = cn_json(o, "nextPageToken").n ? fa_arena_dup(c->mem, cn_json(o, "nextPageToken"))
                                          : (fa_str){0};
    json_decref(o);
    return rc;
}

static fa_rc gcs_get(cn_conn *c, fa_arena *a, const cn_object *o, const char *const *extra,
                     size_t nextra, fa_net_request *q, fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "%.*s/storage/v1/b/", FA_FMT(c->endpoint));
    fa_buf_url(&b, c->bucket);
    fa_buf_z(&b, "/o/");
    fa_buf_url(&b, o->key);
    fa_buf_fmt(&b, "?alt=media&generation=%.*s", FA_FMT(o->etag));
    q->url = fa_buf_dup(&b, a).p;
    fa_buf_release(&b);
    return q->url ? bearer(c, a, GCS_SCOPE, extra, nextra, q, e) : fa_oom(e);
}

const cn_store cn_gcs = {
    .kind = {"gcs",
             "Google Cloud Storage",
             "GCP",
             "json_key",
             true,
             {{"bucket", "Bucket", "", true, NULL},
              {"prefix", "Path in the bucket", "empty for the whole bucket", false, NULL},
              {"endpoint", "Endpoint", "only for private endpoints of Google", false, NULL},
              {"layout", "Layout",
               "files: every bill file, as one snapshot; manifest: only what a manifest names",
               false, "auto|manifest|files"}}},
    .pinned = true,
    .open = gcs_open,
    .page = gcs_page,
    .get = gcs_get,
    .refused = gcs_refused,
};

/* ---- BigQuery ---- */

static bool good_name(fa_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || strchr(more, s.p[i])))
            return false;
    return s.n > 0;
}

static fa_rc bigquery_open(cn_conn *c, fa_err *e)
{
    static const struct {
        const char *field, *more;
    } names[] = {{"project", "-_.:"}, {"dataset", "_"}, {"table", "_-"}};
    fa_rc rc;

    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (!good_name(cn_config(c, names[i].field), names[i].more)) {
            fa_fail(e, FA_EINVAL, "this is not the name of a %s", names[i].field);
            return fa_at(e, names[i].field);
        }
    if ((rc = cn_endpoint(c, "https://bigquery.googleapis.com", e)) ||
        (rc = cn_at_home(c, c->endpoint.p, "endpoint", "googleapis.com", e)))
        return rc;
    return cn_google_token(c, BIGQUERY_SCOPE, e);
}

static fa_rc bigquery_refused(const cn_conn *c, const fa_net_response *r, const char *doing,
                              fa_str key, fa_err *e)
{
    char words[500];

    (void)doing;
    (void)key;
    google_words(r, words);
    if (r->status == 401)
        return fa_fail(e, FA_EAUTH, "Google does not accept the token: %s", words);
    if (r->status == 403) {
        fa_fail(e, FA_EFORBIDDEN, "BigQuery does not allow it: %s", words);
        return fa_hint(e,
                       strstr(words, "jobs.create")
                           ? "missing grant: the role \"BigQuery Job User\" on the project %.*s"
                           : "missing grant: the role \"BigQuery Data Viewer\" on the dataset %.*s",
                       FA_FMT(cn_config(c, strstr(words, "jobs.create") ? "project" : "dataset")));
    }
    if (r->status == 404) {
        fa_fail(e, FA_ENOTFOUND, "BigQuery does not find it: %s", words);
        return fa_at(e, strstr(words, "Dataset")   ? "dataset"
                        : strstr(words, "Project") ? "project"
                                                   : "table");
    }
    if (r->status == 400)
        return fa_fail(e, FA_EDATA, "the table is not a billing export: %s", words);
    return fa_fail(e, r->status >= 500 || r->status == 429 ? FA_EENV : FA_EFAILED,
                   "BigQuery answered HTTP %d: %s", r->status, words);
}

/* FROM and WHERE of the rows after c->since. */
static void put_rows(cn_conn *c, fa_buf *b)
{
    fa_str table = cn_config(c, "table"), day = {c->since.p, c->since.n >= 10 ? 10 : 0};

    fa_buf_fmt(b, " FROM `%.*s.%.*s.%.*s` t WHERE export_time > TIMESTAMP('%.*s')",
               FA_FMT(cn_config(c, "project")), FA_FMT(cn_config(c, "dataset")), FA_FMT(table),
               FA_FMT(c->since.n ? c->since : FA_STR("2000-01-01T00:00:00Z")));
    if (fa_str_starts(table, FA_STR("gcp_billing_export_")) && day.n)
        fa_buf_fmt(b, " AND _PARTITIONTIME >= TIMESTAMP('%.*s')",
                   FA_FMT(day)); /* of the export's own tables: reads the new days only */
}

/* Runs a query, or asks for its next page; *answer is the caller's to decref. */
static fa_rc bigquery_ask(cn_conn *c, fa_arena *a, const char *sql, fa_str job, fa_str location,
                          fa_str page, json_t **answer, fa_err *e)
{
    static const char *const type[] = {"Content-Type: application/json"};
    fa_net_response r;
    fa_net_request q = {.max_body = ROWS_MAX, .total_ms = 120000, .tries = 6};
    fa_buf b, body;
    fa_jw w;
    fa_rc rc;

    *answer = NULL;
    fa_buf_init(&b, 16384);
    fa_buf_init(&body, 65536);
    fa_buf_fmt(&b, "%.*s/bigquery/v2/projects/", FA_FMT(c->endpoint));
    fa_buf_url(&b,
               cn_config(c, "jobProject").n ? cn_config(c, "jobProject") : cn_config(c, "project"));
    fa_buf_z(&b, "/queries");
    if (sql) {
        fa_jw_init(&w, &body);
        fa_jw_obj(&w);
        fa_jw_key(&w, "query");
        fa_jw_z(&w, sql);
        fa_jw_key(&w, "useLegacySql");
        fa_jw_bool(&w, false);
        fa_jw_key(&w, "timeoutMs");
        fa_jw_int(&w, 60000);
        fa_jw_key(&w, "maxResults");
        fa_jw_int(&w, 10000);
        fa_jw_end_obj(&w);
        q.method = "POST";
        q.body = fa_buf_view(&body);
    } else {
        fa_buf_c(&b, '/');
        fa_buf_url(&b, job);
        fa_buf_z(&b, "?maxResults=10000&timeoutMs=60000&location=");
        fa_buf_url(&b, location);
        if (page.n) {
            fa_buf_z(&b, "&pageToken=");
            fa_buf_url(&b, page);
        }
    }
    q.url = b.p;
    rc = b.failed || body.failed ? fa_oom(e) : bearer(c, a, BIGQUERY_SCOPE, type, 1, &q, e);
    if (!rc && !(rc = cn_send(c, a, &q, &r, e))) {
        if (r.status != 200)
            rc = bigquery_refused(c, &r, "read", FA_STR(""), e);
        else if (!(*answer = json_loadb(r.body.p, r.body.n, 0, NULL)))
            rc = fa_fail(e, FA_EFAILED, "BigQuery's answer cannot be read");
    }
    fa_buf_release(&b);
    fa_buf_release(&body);
    return rc;
}

static fa_str cell(const json_t *answer, size_t row, size_t col)
{
    const json_t *f = json_object_get(json_array_get(json_object_get(answer, "rows"), row), "f");

    return cn_json(json_array_get(f, col), "v");
}

/* Waits until the job of *answer has rows. */
static fa_rc completed(cn_conn *c, fa_arena *a, json_t **answer, fa_str *job, fa_str *location,
                       fa_err *e)
{
    fa_rc rc = FA_OK;

    *job = fa_arena_dup(c->mem, cn_json(json_object_get(*answer, "jobReference"), "jobId"));
    *location = fa_arena_dup(c->mem, cn_json(json_object_get(*answer, "jobReference"), "location"));
    for (int i = 0; !rc && !json_is_true(json_object_get(*answer, "jobComplete")); i++) {
        json_decref(*answer);
        *answer = NULL;
        rc = i == 30 ? fa_fail(e, FA_ETIMEOUT, "BigQuery did not finish the query in half an hour")
                     : bigquery_ask(c, a, NULL, *job, *location, FA_STR(""), answer, e);
    }
    return rc;
}

/* One object: the rows that are new, up to the export that ended ten minutes ago. */
static fa_rc bigquery_objects(cn_conn *c, cn_list *out, fa_err *e)
{
    fa_str job, location, upto;
    json_t *answer = NULL;
    uint64_t rows = 0;
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16384);
    fa_buf_z(&b, "SELECT FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%E6SZ', MAX(export_time)), CAST(COUNT(*) "
                 "AS STRING)");
    put_rows(c, &b);
    fa_buf_z(&b, " AND export_time <= TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 10 MINUTE)");
    rc = b.failed ? fa_oom(e)
                  : bigquery_ask(c, c->mem, b.p, FA_STR(""), FA_STR(""), FA_STR(""), &answer, e);
    if (!rc)
        rc = completed(c, c->mem, &answer, &job, &location, e);
    if (!rc) {
        fa_str n = cell(answer, 0, 1);

        upto = fa_arena_dup(c->mem, cell(answer, 0, 0));
        fa_take_u64(&n, &rows);
        if (rows && (!upto.n || !good_name(upto, "-:.")))
            rc = fa_fail(e, FA_EFAILED, "BigQuery's answer cannot be read");
    }
    if (!rc && rows) {
        cn_object o = {.etag = upto, .md5 = FA_STR(""), .bytes = -1, .modified_ms = cn_time(upto)};

        if (!(rc = cn_join(c->mem, &o.key, e, "%.*s_%.*s.jsonl", FA_FMT(cn_config(c, "table")),
                           FA_FMT(upto))))
            rc = cn_add(c, out, &o, e);
    }
    json_decref(answer);
    fa_buf_release(&b);
    return rc;
}

static fa_rc put_page(const json_t *answer, int fd, int64_t *done, fa_err *e)
{
    size_t n = json_array_size(json_object_get(answer, "rows"));

    for (size_t i = 0; i < n; i++) {
        fa_str row = cell(answer, i, 0);
        fa_str part[2] = {row, FA_STR("\n")};

        for (int k = 0; k < 2; k++)
            while (part[k].n) {
                ssize_t w = write(fd, part[k].p, part[k].n);

                if (w < 0 && errno == EINTR)
                    continue;
                if (w <= 0)
                    return fa_fail(e, FA_EENV, "could not write what BigQuery sent: %s",
                                   strerror(errno));
                part[k].p += w;
                part[k].n -= (size_t)w;
                *done += w;
            }
    }
    return FA_OK;
}

static fa_rc bigquery_write(cn_conn *c, const cn_object *o, int fd, void (*tick)(void *, int64_t),
                            void *user, fa_err *e)
{
    fa_str job, location, page = {0};
    json_t *answer = NULL;
    int64_t done = 0;
    fa_arena a;
    fa_buf b;
    fa_rc rc;

    fa_arena_init(&a, 0);
    fa_buf_init(&b, 16384);
    fa_buf_z(&b, "SELECT TO_JSON_STRING(t)");
    put_rows(c, &b);
    fa_buf_fmt(&b, " AND export_time <= TIMESTAMP('%.*s')", FA_FMT(o->etag));
    rc = b.failed ? fa_oom(e)
                  : bigquery_ask(c, &a, b.p, FA_STR(""), FA_STR(""), FA_STR(""), &answer, e);
    if (!rc)
        rc = completed(c, &a, &answer, &job, &location, e);
    while (!rc && !(rc = put_page(answer, fd, &done, e))) {
        page = fa_arena_dup(c->mem, cn_json(answer, "pageToken"));
        tick(user, done);
        if (!page.n)
            break;
        json_decref(answer);
        answer = NULL;
        fa_arena_clear(&a);
        rc = bigquery_ask(c, &a, NULL, job, location, page, &answer, e);
    }
    json_decref(answer);
    fa_buf_release(&b);
    fa_arena_release(&a);
    return rc;
}

const cn_store cn_bigquery = {
    .kind = {"bigquery",
             "Google BigQuery",
             "GCP",
             "json_key",
             true,
             {{"project", "Project", "that holds the dataset", true, NULL},
              {"dataset", "Dataset", "", true, NULL},
              {"table", "Table",
               "as gcp_billing_export_resource_v1_...; standard and detailed are both right", true,
               NULL},
              {"jobProject", "Project that pays for queries", "the same when empty", false, NULL},
              {"endpoint", "Endpoint", "only for private endpoints of Google", false, NULL}}},
    .append = true,
    .pinned = true,
    .open = bigquery_open,
    .objects = bigquery_objects,
    .write = bigquery_write,
    .refused = bigquery_refused,
};
