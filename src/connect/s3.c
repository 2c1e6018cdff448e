/*
 * s3.c - Amazon S3 and what speaks like it: keys, session tokens, assumed roles.
 *
 * A bucket is addressed as https://BUCKET.s3.REGION.amazonaws.com, and by path where its name has a dot or the
 * endpoint is another one. Requests are signed by libcurl (SigV4).
 */
#include "connect/inner.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 4 << 20 };

static bool plain_name(fa_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              (c && strchr(more, c))))
            return false;
    }
    return s.n > 0;
}

static fa_rc base_keys(cn_conn *c, fa_err *e)
{
    fa_str key = cn_secret(c, "accessKeyId"), secret = cn_secret(c, "secretAccessKey"),
           token = cn_secret(c, "sessionToken");

    c->sign = (fa_net_sign){.region = c->region.p, .service = "s3"};
    if (key.n && secret.n) {
        c->sign.key = key.p;
        c->sign.secret = secret.p;
        c->sign.token = token.n ? token.p : NULL;
        return FA_OK;
    }
    c->sign.key = getenv("AWS_ACCESS_KEY_ID");
    c->sign.secret = getenv("AWS_SECRET_ACCESS_KEY");
    c->sign.token = getenv("AWS_SESSION_TOKEN");
    if (c->sign.key && c->sign.secret && c->sign.key[0] && c->sign.secret[0])
        return FA_OK;
    fa_fail(e, FA_EAUTH, "there is no access key to sign with");
    return fa_hint(e, "choose a credential with an access key, or start farthing with "
                      "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

static fa_rc sts_refused(cn_conn *c, const fa_net_response *r, fa_str role, fa_err *e)
{
    fa_str code = cn_xml(c->mem, r->body, "Code");

    if (fa_str_eqz(code, "AccessDenied")) {
        fa_fail(e, FA_EFORBIDDEN, "the access key may not assume the role %.*s", FA_FMT(role));
        return fa_hint(e,
                       "missing grant: sts:AssumeRole on %.*s, and the role's trust policy must "
                       "name this key's account and the external id",
                       FA_FMT(role));
    }
    if (fa_str_eqz(code, "InvalidClientTokenId") || fa_str_eqz(code, "SignatureDoesNotMatch"))
        return fa_fail(e, FA_EAUTH,
                       "AWS does not know the access key, or its secret is wrong (%.*s)",
                       FA_FMT(code));
    if (fa_str_eqz(code, "ExpiredToken"))
        return fa_fail(e, FA_EAUTH, "the session token has expired");
    return fa_fail(e, FA_EFAILED, "AWS STS answered HTTP %d%s%.*s", r->status, code.n ? " " : "",
                   FA_FMT(code));
}

/* Changes c->sign to the role's temporary credentials. */
static fa_rc assume(cn_conn *c, fa_str role, fa_err *e)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded"};
    fa_str external =
        cn_secret(c, "externalId").n ? cn_secret(c, "externalId") : cn_config(c, "externalId");
    fa_str endpoint = cn_config(c, "stsEndpoint");
    fa_net_sign sign = c->sign;
    fa_net_response r;
    fa_net_request q;
    fa_str url, key, secret, token;
    fa_buf b;
    fa_rc rc;

    if (!external.n && (rc = fa_connect_external_id(c->call->ledger, c->mem, &external, e)))
        return rc;
    rc = endpoint.n
             ? cn_join(c->mem, &url, e, "%.*s/", FA_FMT(endpoint))
             : cn_join(c->mem, &url, e, "https://sts.%.*s.amazonaws.com/", FA_FMT(c->region));
    if (rc)
        return rc;
    fa_buf_init(&b, 8192);
    fa_buf_z(&b, "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600&RoleSessionName="
                 "farthing&ExternalId=");
    fa_buf_url(&b, external);
    fa_buf_z(&b, "&RoleArn=");
    fa_buf_url(&b, role);
    sign.service = "sts";
    q = (fa_net_request){.method = "POST",
                         .url = url.p,
                         .header = headers,
                         .nheader = 1,
                         .body = fa_buf_view(&b),
                         .sign = &sign,
                         .tries = 4};
    if (!(rc = b.failed ? fa_oom(e) : cn_send(c, c->mem, &q, &r, e)) && r.status != 200)
        rc = sts_refused(c, &r, role, e);
    fa_buf_release(&b);
    if (rc)
        return rc;
    key = fa_arena_dup(c->mem, cn_xml(c->mem, r.body, "AccessKeyId"));
    secret = fa_arena_dup(c->mem, cn_xml(c->mem, r.body, "SecretAccessKey"));
    token = fa_arena_dup(c->mem, cn_xml(c->mem, r.body, "SessionToken"));
    if (!key.n || !secret.n || !token.n)
        return fa_fail(e, FA_EFAILED, "AWS STS answered without credentials");
    c->sign.key = key.p;
    c->sign.secret = secret.p;
    c->sign.token = token.p;
    return FA_OK;
}

static fa_rc s3_open(cn_conn *c, fa_err *e)
{
    fa_str role = cn_secret(c, "roleArn").n ? cn_secret(c, "roleArn") : cn_config(c, "roleArn");
    fa_str given = cn_config(c, "endpoint");
    fa_rc rc;

    c->bucket = cn_config(c, "bucket");
    c->region = cn_config(c, "region").n ? cn_config(c, "region") : FA_STR("us-east-1");
    if (!plain_name(c->bucket, "._") || c->bucket.n > 63 || c->bucket.p[0] == '.') {
        fa_fail(e, FA_EINVAL, "\"%.*s\" is not the name of a bucket", FA_FMT(c->bucket));
        return fa_at(e, "bucket");
    }
    if (!plain_name(c->region, "")) {
        fa_fail(e, FA_EINVAL, "\"%.*s\" is not a region like eu-central-1", FA_FMT(c->region));
        return fa_at(e, "region");
    }
    if (given.n)
        rc = cn_endpoint(c, NULL, e);
    else if (memchr(c->bucket.p, '.', c->bucket.n))
        rc = cn_join(c->mem, &c->endpoint, e, "https://s3.%.*s.amazonaws.com", FA_FMT(c->region));
    else
        rc = cn_join(c->mem, &c->endpoint, e, "https://%.*s.s3.%.*s.amazonaws.com",
                     FA_FMT(c->bucket), FA_FMT(c->region));
    if (!rc && (given.n || memchr(c->bucket.p, '.', c->bucket.n)))
        rc = cn_join(c->mem, &c->endpoint, e, "%.*s/%.*s", FA_FMT(c->endpoint), FA_FMT(c->bucket));
    if (!rc && !(rc = base_keys(c, e)) && role.n)
        rc = assume(c, role, e);
    return rc;
}

static fa_rc s3_refused(const cn_conn *c, const fa_net_response *r, const char *doing, fa_str key,
                        fa_err *e)
{
    fa_str code = cn_xml(c->mem, r->body, "Code"), region = fa_net_header(r, "x-amz-bucket-region");
    bool list = strcmp(doing, "list") == 0;

    if (r->status == 301 || r->status == 307 || fa_str_eqz(code, "PermanentRedirect") ||
        fa_str_eqz(code, "AuthorizationHeaderMalformed")) {
        fa_fail(e, FA_EINVAL, "the bucket %.*s is not in the region %.*s", FA_FMT(c->bucket),
                FA_FMT(c->region));
        if (region.n)
            fa_hint(e, "it is in %.*s", FA_FMT(region));
        return fa_at(e, "region");
    }
    if (fa_str_eqz(code, "NoSuchBucket")) {
        fa_fail(e, FA_ENOTFOUND, "there is no bucket %.*s", FA_FMT(c->bucket));
        return fa_at(e, "bucket");
    }
    if (fa_str_eqz(code, "InvalidAccessKeyId"))
        return fa_fail(e, FA_EAUTH,
                       "the access key is not known to the store (InvalidAccessKeyId)");
    if (fa_str_eqz(code, "SignatureDoesNotMatch"))
        return fa_fail(e, FA_EAUTH, "the secret access key is wrong (SignatureDoesNotMatch)");
    if (fa_str_eqz(code, "ExpiredToken") || fa_str_eqz(code, "TokenRefreshRequired") ||
        fa_str_eqz(code, "InvalidToken"))
        return fa_fail(e, FA_EAUTH, "the session token has expired or is none (%.*s)",
                       FA_FMT(code));
    if (fa_str_eqz(code, "RequestTimeTooSkewed"))
        return fa_fail(e, FA_EENV,
                       "this machine's clock differs from the store's by more than 15 minutes");
    if (r->status == 403) {
        fa_fail(e, FA_EFORBIDDEN,
                list ? "the credential may not list the bucket %.*s"
                     : "the credential may not read objects of the bucket %.*s",
                FA_FMT(c->bucket));
        if (list)
            return fa_hint(e, "missing grant: s3:ListBucket on arn:aws:s3:::%.*s",
                           FA_FMT(c->bucket));
        return fa_hint(e,
                       "missing grant: s3:GetObject on arn:aws:s3:::%.*s/%.*s* (and kms:Decrypt if "
                       "the bucket has its own key)",
                       FA_FMT(c->bucket), FA_FMT(c->prefix));
    }
    if (r->status == 404)
        return fa_fail(e, FA_ENOTFOUND, "there is no object %.*s in the bucket %.*s", FA_FMT(key),
                       FA_FMT(c->bucket));
    return fa_fail(e, r->status >= 500 || r->status == 429 ? FA_EENV : FA_EFAILED,
                   "the store answered HTTP %d%s%.*s", r->status, code.n ? " " : "", FA_FMT(code));
}

static fa_rc take_page(cn_conn *c, fa_str xml, cn_list *out, fa_str *next, fa_err *e)
{
    fa_str item, rest = xml;
    fa_rc rc = FA_OK;

    while (!rc && cn_xml_next(c->mem, &rest, "Contents", &item)) {
        fa_str size = cn_xml(c->mem, item, "Size"), etag = cn_etag(cn_xml(c->mem, item, "ETag"));
        uint64_t bytes = 0;
        cn_object o = {.key = cn_xml(c->mem, item, "Key"),
                       .etag = etag,
                       .modified_ms = cn_time(cn_xml(c->mem, item, "LastModified"))};

        if (!o.key.n || !fa_take_u64(&size, &bytes) || bytes > INT64_MAX)
            return fa_fail(e, FA_EFAILED, "the store's list of objects cannot be read");
        o.bytes = (int64_t)bytes;
        o.md5 = cn_is_hex(etag, 32) ? etag : FA_STR("");
        rc = cn_add(c, out, &o, e);
    }
    *next = fa_str_eqz(cn_xml(c->mem, xml, "IsTruncated"), "true")
                ? cn_xml(c->mem, xml, "NextContinuationToken")
                : (fa_str){0};
    return rc;
}

static fa_rc s3_page(cn_conn *c, cn_list *out, fa_str *next, fa_err *e)
{
    fa_net_response r;
    fa_net_request q = {.sign = &c->sign, .max_body = ANSWER_MAX};
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16384); /* parameters in the order the signature wants them */
    fa_buf_fmt(&b, "%.*s%s?", FA_FMT(c->endpoint),
               cn_config(c, "endpoint").n || memchr(c->bucket.p, '.', c->bucket.n) ? "" : "/");
    if (next->n) {
        fa_buf_z(&b, "continuation-token=");
        fa_buf_url(&b, *next);
        fa_buf_c(&b, '&');
    }
    fa_buf_z(&b, "list-type=2&prefix=");
    fa_buf_url(&b, c->prefix);
    q.url = b.p;
    if (!(rc = b.failed ? fa_oom(e) : cn_send(c, c->mem, &q, &r, e)))
        rc = r.status == 200 ? take_page(c, r.body, out, next, e)
                             : s3_refused(c, &r, "list", c->prefix, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc s3_get(cn_conn *c, fa_arena *a, const cn_object *o, const char *const *extra,
                    size_t nextra, fa_net_request *q, fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "%.*s/", FA_FMT(c->endpoint));
    cn_url_path(&b, o->key);
    q->url = fa_buf_dup(&b, a).p;
    fa_buf_release(&b);
    q->header = extra;
    q->nheader = nextra;
    q->sign = &c->sign;
    return q->url ? FA_OK : fa_oom(e);
}

#define BUCKET                                                                                     \
    {                                                                                              \
        "bucket", "Bucket", "as in the export's settings", true, NULL                              \
    }
#define PREFIX                                                                                     \
    {                                                                                              \
        "prefix", "Path in the bucket",                                                            \
            "the export's folder, as finops/cur2; empty for the whole bucket", false, NULL         \
    }
#define LAYOUT                                                                                     \
    {                                                                                              \
        "layout", "Layout",                                                                        \
            "manifest: only what a manifest names; files: every bill file, as one snapshot",       \
            false, "auto|manifest|files"                                                           \
    }

const cn_store cn_s3 = {
    .kind = {"s3",
             "Amazon S3",
             "AWS",
             "key_pair|aws_role",
             false,
             {BUCKET,
              {"region", "Region", "as eu-central-1", true, NULL},
              PREFIX,
              {"roleArn", "Role ARN", "the role that may read the bucket", false, NULL},
              {"externalId", "External id",
               "of the role's trust policy; this account's own when empty", false, NULL},
              LAYOUT}},
    .open = s3_open,
    .page = s3_page,
    .get = s3_get,
    .refused = s3_refused,
};

const cn_store cn_s3_compatible = {
    .kind = {"s3-compatible",
             "S3-compatible storage",
             "",
             "key_pair",
             true,
             {{"endpoint", "Endpoint",
               "as https://minio.example.org; a private one must be allowed by the operator", true,
               NULL},
              BUCKET,
              {"region", "Region", "us-east-1 when empty", false, NULL},
              PREFIX,
              {"roleArn", "Role ARN", "if a role is assumed", false, NULL},
              {"stsEndpoint", "STS endpoint", "if a role is assumed", false, NULL},
              LAYOUT}},
    .open = s3_open,
    .page = s3_page,
    .get = s3_get,
    .refused = s3_refused,
};
