/*
 * oidc.c - OpenID Connect as a relying party: discovery, keys, the authorisation code with PKCE, the ID
 * token's checks, signing out from either side (security.md OI).
 *
 * What a provider says about itself is kept an hour and belongs to the connection as it was saved. A key
 * that is not in the set is looked for once a minute at most. Everything goes through the guard of net/.
 */
#include "access/internal.h"

#include "net/net.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000LL
#define MINUTE_MS 60000LL
enum { DOC_MAX = 256 << 10, GROUPS_MAX = 2000, CACHE = 64, SUB_MAX = 255, HEADERS = 3 };

static fa_rc refuse(fa_err *e, const char *word, const char *why)
{
    fa_fail(e, FA_EAUTH, "%s", why);
    return fa_at(e, word);
}

/* ---- asking the provider ---- */

static void decref(void *j)
{
    json_decref(j);
}

static fa_rc as_object(fa_arena *a, fa_str text, const char *what, json_t **out, fa_err *e)
{
    json_t *j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(j)) {
        json_decref(j);
        fa_fail(e, FA_EDATA, "%s is no JSON object", what);
        return fa_at(e, "provider");
    }
    if (!fa_arena_defer(a, decref, j)) {
        json_decref(j);
        return fa_oom(e);
    }
    *out = j;
    return FA_OK;
}

static fa_rc get_json(struct fa_net *net, fa_arena *a, const char *url, const char *bearer,
                      const char *what, fa_str *text, json_t **out, fa_err *e)
{
    const char *header[] = {"Accept: application/json", bearer};
    fa_net_request q = {.url = url,
                        .header = header,
                        .nheader = bearer ? 2 : 1,
                        .max_body = DOC_MAX,
                        .total_ms = 10000,
                        .tries = 2};
    fa_net_response r;
    fa_rc rc = fa_net_send(net, a, &q, &r, e);

    if (!rc && r.status != 200)
        rc = fa_fail(e, FA_EDATA, "%s: the provider answered %d", what, r.status);
    if (rc) {
        fa_at(e, "provider");
        return rc;
    }
    *text = r.body;
    return as_object(a, r.body, what, out, e);
}

/* ---- what it says about itself, kept ---- */

typedef struct kept {
    char id[37];
    int64_t updated_ms, meta_ms, keys_ms, looked_ms; /* looked: for a key that was missing */
    char *meta, *keys;
} kept;
static kept cache[CACHE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void drop(kept *k)
{
    free(k->meta);
    free(k->keys);
    *k = (kept){0};
}

/* The connection's place; one that was saved since begins anew. With the lock held. */
static kept *place_of(const fa_idp *c)
{
    kept *oldest = &cache[0];

    for (size_t i = 0; i < CACHE; i++) {
        if (fa_str_eqz(c->id, cache[i].id) && cache[i].updated_ms == c->updated_ms)
            return &cache[i];
        if (fa_str_eqz(c->id, cache[i].id))
            drop(&cache[i]);
        if (cache[i].meta_ms < oldest->meta_ms)
            oldest = &cache[i];
    }
    drop(oldest);
    snprintf(oldest->id, sizeof oldest->id, "%.*s", FA_FMT(c->id));
    oldest->updated_ms = c->updated_ms;
    return oldest;
}

static fa_rc from_cache(fa_arena *a, const fa_idp *c, bool keys, json_t **out, fa_err *e)
{
    int64_t now = fa_now_ms();
    fa_str text = {0};
    kept *k;

    *out = NULL;
    pthread_mutex_lock(&lock);
    k = place_of(c);
    if (keys ? k->keys && now - k->keys_ms < HOUR_MS : k->meta && now - k->meta_ms < HOUR_MS) {
        text = fa_arena_dup(a, fa_str_of(keys ? k->keys : k->meta));
        pthread_mutex_unlock(&lock);
        return text.p ? as_object(a, text, "the provider's answer", out, e) : fa_oom(e);
    }
    pthread_mutex_unlock(&lock);
    return FA_OK;
}

static void into_cache(const fa_idp *c, bool keys, fa_str text)
{
    char *copy = strndup(text.p, text.n);
    kept *k;

    if (!copy)
        return; /* it is asked for again */
    pthread_mutex_lock(&lock);
    k = place_of(c);
    free(keys ? k->keys : k->meta);
    *(keys ? &k->keys : &k->meta) = copy;
    *(keys ? &k->keys_ms : &k->meta_ms) = fa_now_ms();
    pthread_mutex_unlock(&lock);
}

/* May a missing key be looked for now? At most once a minute. */
static bool may_look_again(const fa_idp *c)
{
    int64_t now = fa_now_ms();
    bool ok;
    kept *k;

    pthread_mutex_lock(&lock);
    k = place_of(c);
    ok = now - k->looked_ms >= MINUTE_MS;
    if (ok)
        k->looked_ms = now;
    pthread_mutex_unlock(&lock);
    return ok;
}

static fa_rc endpoint_ok(struct fa_net *net, const json_t *meta, const char *name, bool required,
                         fa_err *e)
{
    fa_str url = fa_idp_text(meta, name);

    if (!url.n && !required)
        return FA_OK;
    if (!url.n || memchr(url.p, '#', url.n)) {
        fa_fail(e, FA_EDATA, "the discovery document has no %s", name);
        return fa_at(e, "provider");
    }
    if (fa_net_check(net, url.p, e)) {
        fa_err why = *e;

        fa_fail(e, FA_EDATA, "%s: %s", name, why.msg);
        return fa_at(e, "provider");
    }
    return FA_OK;
}

static fa_rc discover(struct fa_net *net, fa_arena *a, const fa_idp *c, const json_t *config,
                      json_t **meta, fa_err *e)
{
    fa_str issuer = fa_idp_text(config, "issuer"), base = issuer, text;
    const char *url;
    fa_rc rc = from_cache(a, c, false, meta, e);

    if (rc || *meta)
        return rc;
    while (base.n && base.p[base.n - 1] == '/')
        base.n--;
    url = fa_arena_printf(a, "%.*s/.well-known/openid-configuration", FA_FMT(base));
    if (!url)
        return fa_oom(e);
    if ((rc = get_json(net, a, url, NULL, "the discovery document", &text, meta, e)))
        return rc;
    if (!fa_str_eq(fa_idp_text(*meta, "issuer"), issuer)) {
        fa_fail(e, FA_EDATA, "the discovery document is of another issuer: \"%.*s\"",
                FA_FMT(fa_idp_text(*meta, "issuer")));
        fa_hint(e, "enter the issuer exactly as the provider writes it");
        return fa_at(e, "provider");
    }
    if ((rc = endpoint_ok(net, *meta, "authorization_endpoint", true, e)) ||
        (rc = endpoint_ok(net, *meta, "token_endpoint", true, e)) ||
        (rc = endpoint_ok(net, *meta, "jwks_uri", true, e)) ||
        (rc = endpoint_ok(net, *meta, "userinfo_endpoint", false, e)) ||
        (rc = endpoint_ok(net, *meta, "end_session_endpoint", false, e)))
        return rc;
    into_cache(c, false, text);
    return FA_OK;
}

static fa_rc keys_of(struct fa_net *net, fa_arena *a, const fa_idp *c, const json_t *meta,
                     bool again, json_t **jwks, fa_err *e)
{
    fa_str text;
    fa_rc rc = again ? FA_OK : from_cache(a, c, true, jwks, e);

    if (rc || (!again && *jwks))
        return rc;
    if ((rc = get_json(net, a, fa_idp_text(meta, "jwks_uri").p, NULL, "the provider's keys", &text,
                       jwks, e)))
        return rc;
    into_cache(c, true, text);
    fa_log(FA_LOG_INFO, "oidc_keys", "connection=%.*s usable=%zu", FA_FMT(c->id),
           fa_jwks_usable(*jwks));
    return FA_OK;
}

/* A token opened with the provider's keys, fetched once more when they changed. */
static fa_rc open_token(struct fa_net *net, fa_arena *a, const fa_idp *c, const json_t *meta,
                        fa_str token, fa_jwt *out, fa_err *e)
{
    json_t *jwks = NULL;
    bool unknown;
    fa_rc rc = keys_of(net, a, c, meta, false, &jwks, e);

    if (rc)
        return rc;
    rc = fa_jwt_open(a, token, jwks, out, &unknown, e);
    if (!rc || !unknown || !may_look_again(c))
        return rc;
    if ((rc = keys_of(net, a, c, meta, true, &jwks, e)))
        return rc;
    return fa_jwt_open(a, token, jwks, out, &unknown, e);
}

/* ---- away to the provider ---- */

static void put_param(fa_buf *b, const char *name, fa_str value)
{
    fa_buf_fmt(b, "%s%s=", b->n ? "&" : "", name);
    fa_buf_url(b, value);
}

/* base?params, whether or not base has a query already. */
static fa_rc with_params(fa_arena *a, fa_str base, fa_buf *params, fa_str *url, fa_err *e)
{
    const char *z = params->failed ? NULL
                                   : fa_arena_printf(a, "%.*s%c%.*s", FA_FMT(base),
                                                     memchr(base.p, '?', base.n) ? '&' : '?',
                                                     FA_FMT(fa_buf_view(params)));

    fa_buf_release(params);
    *url = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

static fa_str challenge_of(fa_str verifier, char out[64])
{
    unsigned char h[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(h, (const unsigned char *)verifier.p, verifier.n);
    sodium_bin2base64(out, 64, h, sizeof h, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return fa_str_of(out);
}

fa_rc fa_oidc_start(struct fa_net *net, fa_arena *a, const fa_idp *c, const fa_flow *f,
                    fa_str redirect, fa_str *url, fa_err *e)
{
    json_t *config, *meta;
    fa_str scopes;
    char s256[64];
    fa_buf b = {0};
    fa_rc rc;

    if ((rc = fa_idp_config(a, c, &config, e)) || (rc = discover(net, a, c, config, &meta, e)))
        return rc;
    scopes = fa_idp_text(config, "scopes");
    put_param(&b, "response_type", FA_STR("code"));
    put_param(&b, "client_id", fa_idp_text(config, "clientId"));
    put_param(&b, "redirect_uri", redirect);
    put_param(&b, "state", f->state);
    put_param(&b, "nonce", f->nonce);
    put_param(&b, "code_challenge", challenge_of(f->verifier, s256));
    put_param(&b, "code_challenge_method", FA_STR("S256"));
    if (fa_str_eqz(f->purpose, "prove")) { /* the person, not the provider's memory */
        put_param(&b, "prompt", FA_STR("login"));
        put_param(&b, "max_age", FA_STR("0"));
    }
    fa_buf_fmt(&b, "&scope=%s", fa_list_has(scopes, FA_STR("openid")) ? "" : "openid%20");
    fa_buf_url(&b, scopes);
    return with_params(a, fa_idp_text(meta, "authorization_endpoint"), &b, url, e);
}

/* ---- the code for tokens ---- */

static bool lists(const json_t *meta, const char *name, const char *word, bool absent)
{
    const json_t *list = json_object_get(meta, name), *v;
    size_t i;

    if (!json_is_array(list))
        return absent;
    json_array_foreach(list, i, v) if (json_is_string(v) &&
                                       strcmp(json_string_value(v), word) == 0) return true;
    return false;
}

static char *basic_header(fa_arena *a, fa_str id, fa_str secret)
{
    fa_buf b = {0};
    size_t room;
    char *b64, *out = NULL;

    fa_buf_url(&b, id);
    fa_buf_c(&b, ':');
    fa_buf_url(&b, secret);
    room = sodium_base64_encoded_len(b.n, sodium_base64_VARIANT_ORIGINAL);
    if (!b.failed && (b64 = fa_arena_alloc(a, room))) {
        sodium_bin2base64(b64, room, (const unsigned char *)b.p, b.n,
                          sodium_base64_VARIANT_ORIGINAL);
        out = fa_arena_printf(a, "Authorization: Basic %s", b64);
        explicit_bzero(b64, room);
    }
    if (b.p)
        explicit_bzero(b.p, b.n);
    fa_buf_release(&b);
    return out;
}

/* The word of an OAuth error, when it is one. */
static fa_rc token_refused(fa_arena *a, const fa_net_response *r, fa_err *e)
{
    json_t *j = json_loadb(r->body.p, r->body.n, 0, NULL);
    fa_str word = fa_arena_dup(a, fa_idp_text(j, "error"));
    bool ok = word.n && word.n <= 40;

    json_decref(j);
    for (size_t i = 0; ok && i < word.n; i++)
        ok = (word.p[i] >= 'a' && word.p[i] <= 'z') || word.p[i] == '_';
    fa_fail(e, FA_EAUTH, "the provider did not take the code: %d%s%.*s", r->status, ok ? " " : "",
            ok ? (int)word.n : 0, ok ? word.p : "");
    return fa_at(e, "provider");
}

static fa_rc exchange(fa_ledger *l, struct fa_net *net, fa_arena *a, const fa_idp *c,
                      const json_t *config, const json_t *meta, const fa_flow *f, fa_str redirect,
                      fa_str code, json_t **tokens, fa_err *e)
{
    fa_str id = fa_idp_text(config, "clientId"), secret;
    const char *header[HEADERS] = {"Accept: application/json",
                                   "Content-Type: application/x-www-form-urlencoded"};
    fa_net_request q = {.method = "POST",
                        .url = fa_idp_text(meta, "token_endpoint").p,
                        .header = header,
                        .nheader = 2,
                        .max_body = DOC_MAX,
                        .total_ms = 10000};
    fa_net_response r;
    fa_buf b = {0};
    bool basic;
    fa_rc rc;

    if ((rc = fa_idp_secret(l, a, c, &secret, e)))
        return rc;
    basic = secret.n &&
            lists(meta, "token_endpoint_auth_methods_supported", "client_secret_basic", true);
    put_param(&b, "grant_type", FA_STR("authorization_code"));
    put_param(&b, "code", code);
    put_param(&b, "redirect_uri", redirect);
    put_param(&b, "code_verifier", f->verifier);
    if (!basic)
        put_param(&b, "client_id", id);
    if (secret.n && !basic)
        put_param(&b, "client_secret", secret);
    if (basic && !(header[q.nheader++] = basic_header(a, id, secret)))
        rc = fa_oom(e);
    q.body = fa_buf_view(&b);
    if (!rc)
        rc = b.failed ? fa_oom(e) : fa_net_send(net, a, &q, &r, e);
    if (b.p)
        explicit_bzero(b.p, b.n);
    fa_buf_release(&b);
    if (basic && header[2])
        explicit_bzero((char *)(uintptr_t)header[2], strlen(header[2]));
    explicit_bzero((char *)(uintptr_t)secret.p, secret.n);
    if (rc) {
        fa_at(e, "provider");
        return rc;
    }
    return r.status == 200 ? as_object(a, r.body, "the provider's answer", tokens, e)
                           : token_refused(a, &r, e);
}

/* ---- who it is ---- */

static fa_rc check_id_token(const fa_jwt *t, const json_t *config, const fa_flow *f,
                            fa_str access_token, fa_err *e)
{
    fa_str sub = fa_idp_text(t->claims, "sub"), at_hash = fa_idp_text(t->claims, "at_hash");
    int64_t now = fa_now_ms(), auth;
    fa_rc rc = fa_jwt_addressed(t->claims, fa_idp_text(config, "issuer"),
                                fa_idp_text(config, "clientId"), now, true, e);

    if (rc)
        return rc;
    if (!sub.n || sub.n > SUB_MAX)
        return refuse(e, "token", "the token does not say who it is about");
    if (!fa_const_eq(fa_idp_text(t->claims, "nonce"), f->nonce))
        return refuse(e, "token", "the token was not made for this sign-in (nonce)");
    if (json_object_get(t->claims, "at_hash") &&
        (!access_token.n || !fa_jwt_half_hash_ok(t->alg, access_token, at_hash)))
        return refuse(e, "token", "the token does not belong to the access token (at_hash)");
    if (fa_str_eqz(f->purpose, "prove") &&
        (!fa_jwt_time(t->claims, "auth_time", &auth) || auth < now - FA_TOKEN_AGE_MS ||
         auth > now + FA_CLOCK_SKEW_MS))
        return refuse(e, "token", "the provider did not ask for a password or code again");
    return FA_OK;
}

/* What the ID token leaves out, the user-info endpoint may say; about the same person only. */
static fa_rc user_info(struct fa_net *net, fa_arena *a, const json_t *meta, const json_t *claims,
                       fa_str access_token, json_t **out, fa_err *e)
{
    fa_str url = fa_idp_text(meta, "userinfo_endpoint"), text;
    char *bearer;
    fa_rc rc;

    *out = NULL;
    if (!url.n || !access_token.n)
        return FA_OK;
    if (!(bearer = fa_arena_printf(a, "Authorization: Bearer %.*s", FA_FMT(access_token))))
        return fa_oom(e);
    for (const char *p = bearer; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return refuse(e, "token", "the access token holds a control character");
    if ((rc = get_json(net, a, url.p, bearer, "the user's information", &text, out, e)))
        return rc;
    return fa_str_eq(fa_idp_text(*out, "sub"), fa_idp_text(claims, "sub"))
               ? FA_OK
               : refuse(e, "token", "the user's information is about somebody else");
}

static fa_rc take_groups(fa_arena *a, const json_t *v, fa_verified *out, fa_err *e)
{
    fa_str *list;
    const json_t *item;
    size_t n = json_is_string(v) ? 1 : json_array_size(v), i;

    if (n > GROUPS_MAX)
        n = GROUPS_MAX;
    if (!(list = fa_arena_array(a, n + 1, sizeof *list)))
        return fa_oom(e);
    if (json_is_string(v))
        list[out->ngroups++] = (fa_str){json_string_value(v), json_string_length(v)};
    json_array_foreach(v, i, item) if (out->ngroups < n && json_is_string(item))
        list[out->ngroups++] = (fa_str){json_string_value(item), json_string_length(item)};
    out->groups = list;
    return FA_OK;
}

static bool says_true(const json_t *v)
{
    return json_is_true(v) || (json_is_string(v) && strcmp(json_string_value(v), "true") == 0);
}

/* An address and whether it is proved come from the same place, and the proof is about the claim "email". */
static fa_rc take_claims(fa_arena *a, const json_t *config, const json_t *claims,
                         const json_t *info, fa_verified *out, fa_err *e)
{
    const char *email = fa_idp_text(config, "emailClaim").p,
               *name = fa_idp_text(config, "nameClaim").p,
               *groups = fa_idp_text(config, "groupsClaim").p;
    const json_t *from = json_object_get(claims, email) ? claims : info, *g;

    out->email = fa_str_trim(fa_idp_text(from, email));
    out->email_verified =
        strcmp(email, "email") == 0 && says_true(json_object_get(from, "email_verified"));
    out->name = fa_idp_text(claims, name);
    if (!out->name.n)
        out->name = fa_idp_text(info, name);
    g = json_object_get(claims, groups);
    return take_groups(a, g ? g : json_object_get(info, groups), out, e);
}

static bool all_said(const json_t *config, const json_t *claims)
{
    return json_object_get(claims, fa_idp_text(config, "emailClaim").p) &&
           json_object_get(claims, fa_idp_text(config, "nameClaim").p) &&
           json_object_get(claims, fa_idp_text(config, "groupsClaim").p);
}

fa_rc fa_oidc_finish(fa_ledger *l, struct fa_net *net, fa_arena *a, const fa_idp *c,
                     const fa_flow *f, fa_str redirect, fa_str code, fa_str iss, fa_verified *out,
                     fa_err *e)
{
    json_t *config, *meta, *tokens, *info = NULL;
    fa_str access_token, id_token;
    fa_jwt t;
    fa_rc rc;

    *out = (fa_verified){.proved_ms = -1, .session_until_ms = -1};
    if ((rc = fa_idp_config(a, c, &config, e)) || (rc = discover(net, a, c, config, &meta, e)))
        return rc;
    /* RFC 9207: the answer of another provider is not taken for this one's */
    if (iss.n ? !fa_str_eq(iss, fa_idp_text(config, "issuer"))
              : fa_idp_bool(meta, "authorization_response_iss_parameter_supported"))
        return refuse(e, "token", "the answer is from another issuer");
    if (!code.n || code.n > 4096)
        return refuse(e, "token", "the provider sent no code");
    if ((rc = exchange(l, net, a, c, config, meta, f, redirect, code, &tokens, e)))
        return rc;
    id_token = fa_idp_text(tokens, "id_token");
    access_token = fa_idp_text(tokens, "access_token");
    if (!id_token.n)
        return refuse(e, "token", "the provider sent no ID token");
    if ((rc = open_token(net, a, c, meta, id_token, &t, e)) ||
        (rc = check_id_token(&t, config, f, access_token, e)))
        return rc;
    if (!all_said(config, t.claims) &&
        (rc = user_info(net, a, meta, t.claims, access_token, &info, e)))
        return rc;
    out->issuer = fa_idp_text(config, "issuer");
    out->subject = fa_idp_text(t.claims, "sub");
    out->session = fa_idp_text(t.claims, "sid");
    out->hint = fa_idp_bool(config, "endSession") ? id_token : FA_STR("");
    fa_jwt_time(t.claims, "auth_time", &out->proved_ms);
    return take_claims(a, config, t.claims, info, out, e);
}

/* ---- leaving ---- */

fa_rc fa_oidc_leave(struct fa_net *net, fa_arena *a, const fa_idp *c, const fa_federated_session *s,
                    fa_str after, fa_str *url, fa_err *e)
{
    json_t *config, *meta;
    fa_buf b = {0};
    fa_str end;
    fa_rc rc;

    *url = FA_STR("");
    if ((rc = fa_idp_config(a, c, &config, e)) || !fa_idp_bool(config, "endSession") ||
        (rc = discover(net, a, c, config, &meta, e)))
        return rc;
    end = fa_idp_text(meta, "end_session_endpoint");
    if (!end.n)
        return FA_OK;
    put_param(&b, "client_id", fa_idp_text(config, "clientId"));
    put_param(&b, "post_logout_redirect_uri", after);
    if (s->hint.n)
        put_param(&b, "id_token_hint", s->hint);
    return with_params(a, end, &b, url, e);
}

/* OpenID Connect Back-Channel Logout 1.0, 2.6. */
fa_rc fa_oidc_left(fa_ledger *l, struct fa_net *net, fa_arena *a, const fa_idp *c, fa_str token,
                   fa_str *subject, fa_str *session, fa_err *e)
{
    json_t *config, *meta;
    const json_t *events;
    fa_str typ, jti;
    fa_jwt t;
    fa_rc rc;

    if ((rc = fa_idp_config(a, c, &config, e)) || (rc = discover(net, a, c, config, &meta, e)) ||
        (rc = open_token(net, a, c, meta, token, &t, e)) ||
        (rc = fa_jwt_addressed(t.claims, fa_idp_text(config, "issuer"),
                               fa_idp_text(config, "clientId"), fa_now_ms(), false, e)))
        return rc;
    typ = fa_idp_text(t.header, "typ");
    events = json_object_get(t.claims, "events");
    *subject = fa_idp_text(t.claims, "sub");
    *session = fa_idp_text(t.claims, "sid");
    jti = fa_idp_text(t.claims, "jti");
    if (typ.n && !fa_str_ieq(typ, FA_STR("logout+jwt")) && !fa_str_ieq(typ, FA_STR("JWT")))
        return refuse(e, "token", "this is no logout token");
    if (!json_is_object(
            json_object_get(events, "http://schemas.openid.net/event/backchannel-logout")) ||
        json_object_get(t.claims, "nonce"))
        return refuse(e, "token", "this is no logout token");
    if (!subject->n && !session->n)
        return refuse(e, "token", "the logout token does not say who left");
    if (!jti.n)
        return refuse(e, "token", "the logout token has no id");
    return fa_seen_once(l, "logout", c->id, jti, fa_now_ms() + FA_TOKEN_AGE_MS + FA_CLOCK_SKEW_MS,
                        e);
}

/* ---- a test without a person ---- */

static void put_check(fa_jw *w, const char *what, fa_str detail)
{
    fa_jw_obj(w);
    fa_jw_key(w, "what");
    fa_jw_z(w, what);
    fa_jw_key(w, "detail");
    fa_jw_str(w, detail);
    fa_jw_end_obj(w);
}

fa_rc fa_oidc_test(struct fa_net *net, fa_arena *a, const fa_idp *c, fa_jw *w, fa_err *e)
{
    fa_idp anew = *c;
    json_t *config, *meta, *jwks = NULL;
    char text[80];
    size_t n;
    fa_rc rc;

    anew.updated_ms = -fa_now_ms() - 1; /* nothing that is kept */
    if ((rc = fa_idp_config(a, c, &config, e)) || (rc = discover(net, a, &anew, config, &meta, e)))
        return rc;
    put_check(w, "Discovery document", fa_idp_text(meta, "issuer"));
    put_check(w, "Sign-in page", fa_idp_text(meta, "authorization_endpoint"));
    if ((rc = keys_of(net, a, &anew, meta, true, &jwks, e)))
        return rc;
    n = fa_jwks_usable(jwks);
    snprintf(text, sizeof text, "%zu that can be used", n);
    put_check(w, "Signing keys", fa_str_of(text));
    if (!n)
        return fa_fail(e, FA_EDATA, "the provider publishes no key for RS256, ES256 or EdDSA");
    if (!lists(meta, "id_token_signing_alg_values_supported", "RS256", true) &&
        !lists(meta, "id_token_signing_alg_values_supported", "ES256", false) &&
        !lists(meta, "id_token_signing_alg_values_supported", "EdDSA", false))
        return fa_fail(e, FA_EDATA, "the provider signs neither by RS256 nor ES256 nor EdDSA");
    put_check(w, "PKCE",
              lists(meta, "code_challenge_methods_supported", "S256", false)
                  ? FA_STR("S256")
                  : FA_STR("not announced; it is sent anyway"));
    put_check(w, "Signing out at the provider",
              fa_idp_text(meta, "end_session_endpoint").n ? FA_STR("offered")
                                                          : FA_STR("not offered"));
    return FA_OK;
}
