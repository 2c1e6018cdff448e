/*
 * azure.c - Azure Blob Storage: the account's key, a SAS token, an application, or the machine's identity.
 */
#include "connect/inner.h"

#include <stdlib.h>
#include <string.h>

#define VERSION "2021-08-06"
/* Where Microsoft's clouds take tokens, and give them. */
#define STORAGE_HOMES                                                                              \
    "core.windows.net|storage.azure.net|core.usgovcloudapi.net|core.chinacloudapi.cn"
#define LOGIN_HOMES                                                                                \
    "login.microsoftonline.com|login.microsoftonline.us|login.chinacloudapi.cn|login.partner."     \
    "microsoftonline.cn"
enum { ANSWER_MAX = 8 << 20 };

static bool is_mode(const cn_conn *c, const char *name)
{
    return fa_str_eqz(cn_config(c, "auth"), name);
}

/* A token for storage from Microsoft Entra, for an application. */
static fa_rc app_token(cn_conn *c, fa_err *e)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded"};
    fa_str tenant = cn_secret(c, "tenantId"), login = cn_config(c, "loginEndpoint"), url;
    fa_net_response r;
    fa_net_request q;
    json_t *o = NULL;
    fa_buf b;
    fa_rc rc;

    if (!tenant.n)
        return fa_fail(e, FA_EINVAL, "the application's credential has no tenant id");
    for (size_t i = 0; i < tenant.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.",
                    tenant.p[i]))
            return fa_fail(e, FA_EINVAL,
                           "the tenant id of the application's credential is malformed");
    if ((rc = cn_join(c->mem, &url, e, "%.*s/%.*s/oauth2/v2.0/token",
                      FA_FMT(login.n ? login : FA_STR("https://login.microsoftonline.com")),
                      FA_FMT(tenant))) ||
        (rc = cn_at_home(c, url.p, "loginEndpoint", LOGIN_HOMES, e)))
        return rc;
    fa_buf_init(&b, 16384);
    fa_buf_z(&b, "grant_type=client_credentials&scope=https%3A%2F%2Fstorage.azure.com%2F.default&"
                 "client_id=");
    fa_buf_url(&b, cn_secret(c, "clientId"));
    fa_buf_z(&b, "&client_secret=");
    fa_buf_url(&b, cn_secret(c, "clientSecret"));
    q = (fa_net_request){.method = "POST",
                         .url = url.p,
                         .header = headers,
                         .nheader = 1,
                         .body = fa_buf_view(&b),
                         .tries = 4};
    if (!(rc = b.failed ? fa_oom(e) : cn_send(c, c->mem, &q, &r, e))) {
        o = json_loadb(r.body.p, r.body.n, 0, NULL);
        if (r.status != 200) {
            fa_str code = cn_json(o, "error");

            fa_fail(e, FA_EAUTH, "Microsoft Entra gives no token (HTTP %d%s%.*s)", r.status,
                    code.n ? " " : "", FA_FMT(code));
            rc = fa_hint(e, "check tenant id, client id and client secret; a secret expires after "
                            "at most two years");
        } else if (!cn_json(o, "access_token").n) {
            rc = fa_fail(e, FA_EFAILED, "Microsoft Entra answered without a token");
        } else {
            rc = cn_join(c->mem, &c->token, e, "%s", cn_json(o, "access_token").p);
        }
    }
    json_decref(o);
    if (b.p)
        explicit_bzero(b.p, b.n);
    fa_buf_release(&b);
    return rc;
}

/* The identity of the machine: App Service and Container Apps tell where to ask, other machines ask 169.254.169.254. */
static fa_rc machine_token(cn_conn *c, fa_err *e)
{
    const char *endpoint = getenv("IDENTITY_ENDPOINT"), *secret = getenv("IDENTITY_HEADER");
    fa_str header = FA_STR("Metadata: true"), url, client = cn_config(c, "clientId");
    const char *headers[1];
    fa_net_response r;
    fa_net_request q;
    json_t *o;
    fa_buf b;
    fa_rc rc = FA_OK;

    if (endpoint && secret)
        rc = cn_join(c->mem, &header, e, "X-IDENTITY-HEADER: %s", secret);
    fa_buf_init(&b, 4096);
    fa_buf_fmt(&b, "%s?api-version=%s&resource=https%%3A%%2F%%2Fstorage.azure.com%%2F",
               endpoint && secret ? endpoint
                                  : "http://169.254.169.254/metadata/identity/oauth2/token",
               endpoint && secret ? "2019-08-01" : "2018-02-01");
    if (client.n) {
        fa_buf_z(&b, "&client_id=");
        fa_buf_url(&b, client);
    }
    url = fa_buf_dup(&b, c->mem);
    fa_buf_release(&b);
    headers[0] = header.p;
    q = (fa_net_request){
        .url = url.p, .header = headers, .nheader = 1, .metadata = true, .tries = 3};
    if (!rc)
        rc = url.p ? cn_send(c, c->mem, &q, &r, e) : fa_oom(e);
    if (rc)
        return rc == FA_ECANCELLED
                   ? rc
                   : fa_hint(e, "a managed identity works on a machine of Azure only");
    o = json_loadb(r.body.p, r.body.n, 0, NULL);
    if (r.status != 200 || !cn_json(o, "access_token").n)
        rc = fa_fail(e, FA_EAUTH,
                     "this machine has no managed identity that gives a token (HTTP %d)", r.status);
    else
        rc = cn_join(c->mem, &c->token, e, "%s", cn_json(o, "access_token").p);
    json_decref(o);
    return rc;
}

static fa_rc azure_open(cn_conn *c, fa_err *e)
{
    fa_str account = cn_config(c, "account"), fallback;
    fa_rc rc;

    c->bucket = cn_config(c, "container");
    for (size_t i = 0; i < account.n; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789", account.p[i])) {
            fa_fail(e, FA_EINVAL, "a storage account's name has small letters and digits only");
            return fa_at(e, "account");
        }
    if ((rc = cn_join(c->mem, &fallback, e, "https://%.*s.blob.core.windows.net",
                      FA_FMT(account))) ||
        (rc = cn_endpoint(c, fallback.p, e)) ||
        (!is_mode(c, "key") && (rc = cn_at_home(c, c->endpoint.p, "endpoint", STORAGE_HOMES, e))))
        return rc;
    if (is_mode(c, "identity"))
        return machine_token(c, e);
    if (is_mode(c, "application"))
        return app_token(c, e);
    if (!cn_secret(c, "key").n)
        return fa_fail(e, FA_EAUTH, "there is no key or SAS token to ask with"),
               fa_hint(e, "choose a credential of the kind \"Key or SAS token\"");
    if (is_mode(c, "sas") && !memmem(cn_secret(c, "key").p, cn_secret(c, "key").n, "sig=", 4))
        return fa_fail(e, FA_EAUTH, "the credential is not a SAS token: it has no sig="),
               fa_hint(e, "an account key wants the way \"key\"; it is never sent");
    return FA_OK;
}

/* The path of the endpoint: Azurite puts the account there. */
static fa_str endpoint_path(const cn_conn *c)
{
    const char *host = memmem(c->endpoint.p, c->endpoint.n, "://", 3), *slash;

    host = host ? host + 3 : c->endpoint.p;
    slash = memchr(host, '/', c->endpoint.n - (size_t)(host - c->endpoint.p));
    return slash ? (fa_str){slash, c->endpoint.n - (size_t)(slash - c->endpoint.p)} : FA_STR("");
}

/* The canonical text of a GET (Shared Key). path is percent-encoded; query: its parameters, sorted, "name:value" lines. */
static fa_rc shared_key(cn_conn *c, fa_arena *a, fa_str path, fa_str query, const char *date,
                        const char *const *extra, size_t nextra, fa_str *out, fa_err *e)
{
    fa_str account = cn_config(c, "account"), key, range = FA_STR(""), match = FA_STR("");
    unsigned char mac[32];
    fa_buf b, sig;
    fa_rc rc;

    for (size_t i = 0; i < nextra; i++) {
        fa_str h = fa_str_of(extra[i]);

        if (fa_take(&h, "Range: "))
            range = h;
        else if (fa_take(&h, "If-Match: "))
            match = h;
    }
    if ((rc = cn_unbase64(a, cn_secret(c, "key"), &key, e)))
        return fa_hint(e, "an account key is base64; a SAS token needs the way \"SAS token\"");
    fa_buf_init(&b, 32768);
    fa_buf_init(&sig, 256);
    /* verb, encoding, language, length, md5, type, date, if-modified-since, if-match, if-none-match, if-unmodified-since, range */
    fa_buf_fmt(&b,
               "GET\n\n\n\n\n\n\n\n%.*s\n\n\n%.*s\nx-ms-date:%s\nx-ms-version:" VERSION "\n/%.*s",
               FA_FMT(match), FA_FMT(range), date, FA_FMT(account));
    fa_buf_str(&b, endpoint_path(c));
    fa_buf_str(&b, path);
    fa_buf_str(&b, query);
    if (!(rc = b.failed ? fa_oom(e) : cn_hmac_sha256(key, fa_buf_view(&b), mac, e))) {
        if (cn_base64(&sig, mac, sizeof mac, false))
            rc = fa_oom(e);
        else
            rc = cn_join(a, out, e, "Authorization: SharedKey %.*s:%s", FA_FMT(account), sig.p);
    }
    explicit_bzero((char *)(uintptr_t)key.p, key.n);
    fa_buf_release(&b);
    fa_buf_release(&sig);
    return rc;
}

/* path: "/container/key", encoded. query: "restype=..&comp=.." as sent; lines: the same, canonical. */
static fa_rc request(cn_conn *c, fa_arena *a, fa_str path, fa_str query, fa_str lines,
                     const char *const *extra, size_t nextra, fa_net_request *q, fa_err *e)
{
    const char **h = fa_arena_array(a, nextra + 3, sizeof *h);
    fa_str date, auth = {0}, sas = is_mode(c, "sas") ? cn_secret(c, "key") : FA_STR("");
    char now[64];
    fa_str url;
    fa_rc rc;

    if (!h)
        return fa_oom(e);
    fa_take(&sas, "?");
    cn_http_date(now);
    if ((rc = cn_join(a, &url, e, "%.*s%.*s%s%.*s%s%.*s", FA_FMT(c->endpoint), FA_FMT(path),
                      query.n || sas.n ? "?" : "", FA_FMT(query), query.n && sas.n ? "&" : "",
                      FA_FMT(sas))) ||
        (rc = cn_join(a, &date, e, "x-ms-date: %s", now)))
        return rc;
    if (c->token.n)
        rc = cn_join(a, &auth, e, "Authorization: Bearer %.*s", FA_FMT(c->token));
    else if (!sas.n)
        rc = shared_key(c, a, path, lines, now, extra, nextra, &auth, e);
    if (rc)
        return rc;
    for (size_t i = 0; i < nextra; i++)
        h[i] = extra[i];
    h[nextra] = "x-ms-version: " VERSION;
    h[nextra + 1] = date.p;
    h[nextra + 2] = auth.p;
    q->url = url.p;
    q->header = h;
    q->nheader = nextra + (auth.p ? 3 : 2);
    return FA_OK;
}

static fa_rc azure_get(cn_conn *c, fa_arena *a, const cn_object *o, const char *const *extra,
                       size_t nextra, fa_net_request *q, fa_err *e)
{
    fa_str path;
    fa_buf b;

    fa_buf_init(&b, 16384);
    fa_buf_fmt(&b, "/%.*s/", FA_FMT(c->bucket));
    cn_url_path(&b, o->key);
    path = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return path.p ? request(c, a, path, FA_STR(""), FA_STR(""), extra, nextra, q, e) : fa_oom(e);
}

static fa_rc azure_refused(const cn_conn *c, const fa_net_response *r, const char *doing,
                           fa_str key, fa_err *e)
{
    fa_str code = fa_net_header(r, "x-ms-error-code"), account = cn_config(c, "account");

    if (!code.n)
        code = cn_xml(c->mem, r->body, "Code");
    if (fa_str_eqz(code, "ContainerNotFound")) {
        fa_fail(e, FA_ENOTFOUND, "the storage account %.*s has no container %.*s", FA_FMT(account),
                FA_FMT(c->bucket));
        return fa_at(e, "container");
    }
    if (fa_str_eqz(code, "AuthorizationPermissionMismatch") ||
        fa_str_eqz(code, "InsufficientAccountPermissions") ||
        fa_str_eqz(code, "AuthorizationServiceMismatch") ||
        fa_str_eqz(code, "AuthorizationResourceTypeMismatch")) {
        fa_fail(e, FA_EFORBIDDEN, "the credential may not %s blobs of the container %.*s (%.*s)",
                doing, FA_FMT(c->bucket), FA_FMT(code));
        return fa_hint(
            e, is_mode(c, "sas")
                   ? "the SAS token needs the permissions Read and List on the container"
                   : "missing grant: the role \"Storage Blob Data Reader\" on the container");
    }
    if (fa_str_eqz(code, "AuthorizationFailure")) {
        fa_fail(e, FA_EAUTH,
                "the storage account %.*s does not accept the credential (AuthorizationFailure)",
                FA_FMT(account));
        return fa_hint(e, is_mode(c, "sas") ? "the SAS token has expired or is for something else, "
                                              "or the account's firewall keeps this machine out"
                                            : "the key is another account's or was renewed, shared "
                                              "key access is switched off, or the account's "
                                              "firewall keeps this machine out");
    }
    if (fa_str_eqz(code, "AuthenticationFailed") || r->status == 401) {
        fa_fail(e, FA_EAUTH, "the storage account %.*s does not accept the credential (%.*s)",
                FA_FMT(account), FA_FMT(code));
        return fa_hint(e, is_mode(c, "sas")
                              ? "the SAS token has expired, or was cut when it was copied"
                              : "check account name and key; the machine's clock must be right");
    }
    if (r->status == 404)
        return fa_fail(e, FA_ENOTFOUND, "there is no blob %.*s in the container %.*s", FA_FMT(key),
                       FA_FMT(c->bucket));
    return fa_fail(e,
                   r->status >= 500 || r->status == 429 ? FA_EENV
                   : r->status == 403                   ? FA_EFORBIDDEN
                                                        : FA_EFAILED,
                   "Azure answered HTTP %d%s%.*s", r->status, code.n ? " " : "", FA_FMT(code));
}

static fa_rc take_page(cn_conn *c, fa_str xml, cn_list *out, fa_str *next, fa_err *e)
{
    fa_str item, rest = xml;
    fa_rc rc = FA_OK;

    while (!rc && cn_xml_next(c->mem, &rest, "Blob", &item)) {
        fa_str size = cn_xml(c->mem, item, "Content-Length");
        uint64_t bytes = 0;
        cn_object o = {.key = cn_xml(c->mem, item, "Name"),
                       .etag = cn_etag(cn_xml(c->mem, item, "Etag")),
                       .md5 = FA_STR(""),
                       .modified_ms = cn_time(cn_xml(c->mem, item, "Last-Modified"))};
        fa_str md5 = cn_xml(c->mem, item, "Content-MD5"), raw;
        char hex[33];

        if (!o.key.n || !fa_take_u64(&size, &bytes) || bytes > INT64_MAX)
            return fa_fail(e, FA_EFAILED, "Azure's list of blobs cannot be read");
        o.bytes = (int64_t)bytes;
        if (md5.n == 24 && !cn_unbase64(c->mem, md5, &raw, e) && raw.n == 16) {
            fa_hex(hex, raw.p, 16);
            o.md5 = fa_arena_dup(c->mem, fa_str_of(hex));
        }
        rc = cn_add(c, out, &o, e);
    }
    *next = cn_xml(c->mem, xml, "NextMarker");
    return rc;
}

static fa_rc azure_page(cn_conn *c, cn_list *out, fa_str *next, fa_err *e)
{
    fa_net_response r;
    fa_net_request q = {.max_body = ANSWER_MAX};
    fa_str path, query, lines;
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16384);
    fa_buf_z(&b, "restype=container&comp=list");
    if (c->prefix.n) {
        fa_buf_z(&b, "&prefix=");
        fa_buf_url(&b, c->prefix);
    }
    if (next->n) {
        fa_buf_z(&b, "&marker=");
        fa_buf_url(&b, *next);
    }
    query = fa_buf_dup(&b, c->mem);
    fa_buf_clear(&b);
    fa_buf_z(&b, "\ncomp:list");
    if (next->n)
        fa_buf_fmt(&b, "\nmarker:%.*s", FA_FMT(*next));
    if (c->prefix.n)
        fa_buf_fmt(&b, "\nprefix:%.*s", FA_FMT(c->prefix));
    fa_buf_z(&b, "\nrestype:container");
    lines = fa_buf_dup(&b, c->mem);
    fa_buf_release(&b);
    if (!query.p || !lines.p)
        return fa_oom(e);
    if ((rc = cn_join(c->mem, &path, e, "/%.*s", FA_FMT(c->bucket))) ||
        (rc = request(c, c->mem, path, query, lines, NULL, 0, &q, e)) ||
        (rc = cn_send(c, c->mem, &q, &r, e)))
        return rc;
    return r.status == 200 ? take_page(c, r.body, out, next, e)
                           : azure_refused(c, &r, "list", c->prefix, e);
}

const cn_store cn_azure = {
    .kind = {"azure",
             "Azure Blob Storage",
             "Azure",
             "api_key|oauth_client",
             false,
             {{"account", "Storage account", "its name, not its address", true, NULL},
              {"container", "Container", "of the export", true, NULL},
              {"prefix", "Directory", "of the export; empty for the whole container", false, NULL},
              {"auth", "Sign in with", "", true, "key|sas|application|identity"},
              {"clientId", "Client id of the identity", "if the machine has several", false, NULL},
              {"endpoint", "Endpoint", "only for other clouds than the public one", false, NULL},
              {"loginEndpoint", "Login endpoint", "only for other clouds than the public one",
               false, NULL},
              {"layout", "Layout",
               "manifest: only what a manifest names; files: every bill file, as one snapshot",
               false, "auto|manifest|files"}}},
    .open = azure_open,
    .page = azure_page,
    .get = azure_get,
    .refused = azure_refused,
};
