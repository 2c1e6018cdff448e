/*
 * jwt.c - signed tokens of identity providers (RFC 7515, 7519): any bytes in, claims out of those whose
 * signature holds, with a key that was given and nothing the token itself brings along.
 *
 * Three algorithms, each with its own kind of key: RS256 and ES256 by libcjose, EdDSA by libsodium. "none",
 * HS* and everything else is refused before a key is looked for, so that no key can be taken for another
 * kind of key. The claims are read from the very bytes that were signed.
 */
#include "access/internal.h"

#include <cjose/cjose.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { TOKEN_MAX = 65536, KEYS_MAX = 100, RSA_LEAST = 2048 / 8, RSA_MOST = 8192 / 8 };

static const struct alg {
    const char *name, *kty, *crv;
} algs[] = {
    {"RS256", "RSA", NULL},
    {"ES256", "EC", "P-256"},
    {"EdDSA", "OKP", "Ed25519"},
};

static fa_rc bad(fa_err *e, const char *why)
{
    fa_fail(e, FA_EAUTH, "%s", why);
    return fa_at(e, "token");
}

static void decref(void *j)
{
    json_decref(j);
}

/* ---- the three parts ---- */

typedef struct parts {
    fa_str header, payload, signature; /* base64url */
    fa_str signing;                    /* the first two with their dot */
} parts;

static bool split(fa_str t, parts *p)
{
    const char *one = t.n ? memchr(t.p, '.', t.n) : NULL, *two;

    if (!one || !(two = memchr(one + 1, '.', t.n - (size_t)(one + 1 - t.p))))
        return false;
    p->header = (fa_str){t.p, (size_t)(one - t.p)};
    p->payload = (fa_str){one + 1, (size_t)(two - one - 1)};
    p->signature = (fa_str){two + 1, t.n - (size_t)(two + 1 - t.p)};
    p->signing = (fa_str){t.p, (size_t)(two - t.p)};
    return p->header.n && p->payload.n && p->signature.n &&
           !memchr(p->signature.p, '.', p->signature.n);
}

/* Base64url without padding, to the last bit (a text has one form only). */
static bool decode(fa_arena *a, fa_str in, fa_str *out)
{
    unsigned char *p = fa_arena_alloc(a, in.n + 1);
    char *again;
    size_t n = 0;

    if (!p || sodium_base642bin(p, in.n, in.p, in.n, NULL, &n, NULL,
                                sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    again =
        fa_arena_alloc(a, sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING));
    if (!again)
        return false;
    sodium_bin2base64(again, sodium_base64_ENCODED_LEN(n, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                      p, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    *out = (fa_str){(const char *)p, n};
    return fa_str_eqz(in, again);
}

static json_t *object_of(fa_arena *a, fa_str part)
{
    fa_str text;
    json_t *j;

    if (!decode(a, part, &text))
        return NULL;
    j = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(j) || !fa_arena_defer(a, decref, j)) {
        json_decref(j);
        return NULL;
    }
    return j;
}

static const struct alg *alg_of(const json_t *header)
{
    fa_str name = fa_idp_text(header, "alg");

    for (size_t i = 0; i < FA_COUNT(algs); i++)
        if (fa_str_eqz(name, algs[i].name))
            return &algs[i];
    return NULL;
}

/* ---- the key ---- */

static bool is_or_absent(const json_t *o, const char *name, const char *value)
{
    const json_t *v = json_object_get(o, name);

    return !v || (json_is_string(v) && strcmp(json_string_value(v), value) == 0);
}

static bool ops_allow(const json_t *key)
{
    const json_t *ops = json_object_get(key, "key_ops"), *v;
    size_t i;

    if (!ops)
        return true;
    json_array_foreach(ops, i, v) if (json_is_string(v) &&
                                      strcmp(json_string_value(v), "verify") == 0) return true;
    return false;
}

static bool fits(const json_t *key, const struct alg *alg)
{
    return json_is_object(key) && fa_str_eqz(fa_idp_text(key, "kty"), alg->kty) &&
           (!alg->crv || fa_str_eqz(fa_idp_text(key, "crv"), alg->crv)) &&
           is_or_absent(key, "use", "sig") && is_or_absent(key, "alg", alg->name) && ops_allow(key);
}

/* The one key the token names; without a name there must be one only that fits. */
static fa_rc find_key(const json_t *jwks, const json_t *header, const struct alg *alg,
                      const json_t **out, bool *unknown, fa_err *e)
{
    const json_t *keys = json_object_get(jwks, "keys"), *kid = json_object_get(header, "kid"), *v;
    size_t i, found = 0;

    if (kid && !json_is_string(kid))
        return bad(e, "the token's key id is no text");
    json_array_foreach(keys, i, v)
    {
        if (i >= KEYS_MAX)
            break;
        if (!fits(v, alg) || (kid && !json_equal(json_object_get(v, "kid"), kid)))
            continue;
        *out = v;
        found++;
    }
    *unknown = found == 0;
    if (!found)
        return bad(e, "the token is signed with a key that the provider does not publish");
    return found == 1 ? FA_OK : bad(e, "the token does not say which of several keys signed it");
}

/* ---- the signature ---- */

static bool check_eddsa(fa_arena *a, const json_t *key, const parts *p)
{
    fa_str x, sig;

    return decode(a, fa_idp_text(key, "x"), &x) && x.n == crypto_sign_PUBLICKEYBYTES &&
           decode(a, p->signature, &sig) && sig.n == crypto_sign_BYTES &&
           crypto_sign_verify_detached((const unsigned char *)sig.p,
                                       (const unsigned char *)p->signing.p, p->signing.n,
                                       (const unsigned char *)x.p) == 0;
}

/* A key of its public members alone: whatever else the provider's set says stays outside. */
static cjose_jwk_t *import_key(fa_arena *a, const json_t *key, const struct alg *alg)
{
    const char *first = alg->crv ? "x" : "n", *second = alg->crv ? "y" : "e";
    fa_str one = fa_idp_text(key, first), two = fa_idp_text(key, second), bytes, other;
    cjose_err ce;
    char *text;
    fa_str s;

    if (!decode(a, one, &bytes) || !decode(a, two, &other) || !other.n)
        return NULL;
    if (alg->crv ? bytes.n != 32 || other.n != 32
                 : bytes.n < RSA_LEAST || bytes.n > RSA_MOST || other.n > 8 || !bytes.p[0])
        return NULL;
    text = fa_arena_printf(a, "{\"kty\":\"%s\"%s%s%s,\"%s\":\"%.*s\",\"%s\":\"%.*s\"}", alg->kty,
                           alg->crv ? ",\"crv\":\"" : "", alg->crv ? alg->crv : "",
                           alg->crv ? "\"" : "", first, FA_FMT(one), second, FA_FMT(two));
    s = fa_str_of(text);
    return text ? cjose_jwk_import(s.p, s.n, &ce) : NULL;
}

static bool check_cjose(fa_arena *a, const json_t *key, const struct alg *alg, fa_str token)
{
    cjose_jwk_t *jwk = import_key(a, key, alg);
    cjose_jws_t *jws;
    cjose_err ce;
    bool ok = false;

    if (!jwk)
        return false;
    if ((jws = cjose_jws_import(token.p, token.n, &ce))) {
        ok = cjose_jws_verify(jws, jwk, &ce);
        cjose_jws_release(jws);
    }
    cjose_jwk_release(jwk);
    return ok;
}

fa_rc fa_jwt_open(fa_arena *a, fa_str token, const json_t *jwks, fa_jwt *out, bool *unknown_key,
                  fa_err *e)
{
    const json_t *key = NULL;
    const struct alg *alg;
    fa_str payload, signature;
    parts p;
    fa_rc rc;

    *out = (fa_jwt){0};
    *unknown_key = false;
    if (!token.n || token.n > TOKEN_MAX || !split(token, &p))
        return bad(e, "this is no signed token");
    /* before libcjose sees them: it ends the process at a text that is no base64url */
    if (!decode(a, p.payload, &payload) || !decode(a, p.signature, &signature) || !payload.n ||
        !signature.n)
        return bad(e, "the token's content cannot be read");
    out->header = object_of(a, p.header);
    if (!out->header)
        return bad(e, "the token's header cannot be read");
    if (!(alg = alg_of(out->header)))
        return bad(
            e, "the token is signed in a way that is not accepted (RS256, ES256 and EdDSA are)");
    if (json_object_get(out->header, "crit"))
        return bad(e, "the token wants something that is not known here");
    if ((rc = find_key(jwks, out->header, alg, &key, unknown_key, e)))
        return rc;
    if (!(strcmp(alg->kty, "OKP") == 0 ? check_eddsa(a, key, &p) : check_cjose(a, key, alg, token)))
        return bad(e, "the token's signature is wrong");
    out->alg = alg->name;
    out->claims = object_of(a, p.payload);
    return out->claims ? FA_OK : bad(e, "the token's content cannot be read");
}

size_t fa_jwks_usable(const json_t *jwks)
{
    const json_t *v;
    size_t i, n = 0;

    json_array_foreach(json_object_get(jwks, "keys"), i, v) for (size_t k = 0; k < FA_COUNT(algs);
                                                                 k++) if (fits(v, &algs[k]))
    {
        n++;
        break;
    }
    return n;
}

/* ---- claims ---- */

bool fa_jwt_time(const json_t *claims, const char *name, int64_t *ms)
{
    const json_t *v = json_object_get(claims, name);
    double d = json_number_value(v);

    *ms = -1;
    if (!json_is_number(v) || !(d >= 0 && d < 1e11))
        return false;
    *ms = (int64_t)(d * 1000);
    return true;
}

static bool aud_has(const json_t *aud, fa_str client, bool *others)
{
    const json_t *v;
    bool found = false;
    size_t i;

    *others = false;
    if (json_is_string(aud))
        return fa_str_eq((fa_str){json_string_value(aud), json_string_length(aud)}, client);
    if (!json_is_array(aud))
        return false;
    json_array_foreach(aud, i, v)
    {
        fa_str s = {json_string_value(v), json_string_length(v)};

        if (!json_is_string(v))
            return false;
        if (fa_str_eq(s, client))
            found = true;
        else
            *others = true;
    }
    return found;
}

fa_rc fa_jwt_addressed(const json_t *claims, fa_str issuer, fa_str client, int64_t now_ms,
                       bool expires, fa_err *e)
{
    int64_t exp, iat, nbf;
    bool others;

    if (!fa_str_eq(fa_idp_text(claims, "iss"), issuer))
        return bad(e, "the token is from another issuer");
    if (!aud_has(json_object_get(claims, "aud"), client, &others))
        return bad(e, "the token is for another client");
    if ((others || json_object_get(claims, "azp")) &&
        !fa_str_eq(fa_idp_text(claims, "azp"), client))
        return bad(e, "the token was issued to another client");
    if (!fa_jwt_time(claims, "exp", &exp) && (expires || json_object_get(claims, "exp")))
        return bad(e, "the token does not say when it ends");
    if (exp >= 0 && exp <= now_ms - FA_CLOCK_SKEW_MS)
        return bad(e, "the token has expired");
    if (!fa_jwt_time(claims, "iat", &iat))
        return bad(e, "the token does not say when it was issued");
    if (iat > now_ms + FA_CLOCK_SKEW_MS)
        return bad(e, "the token was issued in the future");
    if (iat < now_ms - FA_TOKEN_AGE_MS)
        return bad(e, "the token is too old");
    if (json_object_get(claims, "nbf") &&
        (!fa_jwt_time(claims, "nbf", &nbf) || nbf > now_ms + FA_CLOCK_SKEW_MS))
        return bad(e, "the token is not valid yet");
    return FA_OK;
}

/* OpenID Connect Core 3.1.3.6: the left half of the hash of the access token, by the token's algorithm. */
bool fa_jwt_half_hash_ok(const char *alg, fa_str text, fa_str half)
{
    unsigned char h[64];
    char b64[64];
    size_t n;

    if (strcmp(alg, "EdDSA") == 0) {
        crypto_hash_sha512(h, (const unsigned char *)text.p, text.n);
        n = 32;
    } else {
        crypto_hash_sha256(h, (const unsigned char *)text.p, text.n);
        n = 16;
    }
    sodium_bin2base64(b64, sizeof b64, h, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return fa_const_eq(fa_str_of(b64), half);
}
