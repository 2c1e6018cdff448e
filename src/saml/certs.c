/*
 * certs.c - certificates of identity providers: what is pinned, how strong it is, how long it lasts.
 *
 * A pinned certificate is a key with a name: no chain is built and no authority asked. RSA from 2048 bits and
 * elliptic curves from 256 are taken (SA-4); the dates are shown and warned of, a signature is not judged by them.
 */
#include "saml/inner.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

bool fa_base64(fa_arena *a, fa_str text, fa_str *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char *to = fa_arena_alloc(a, text.n / 4 * 3 + 4);
    uint32_t bits = 0;
    size_t n = 0, have = 0, pad = 0;

    *out = (fa_str){0};
    if (!to)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        const char *at;

        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == '=') {
            pad++;
            continue;
        }
        if (pad || !c || !(at = strchr(digits, c)))
            return false;
        bits = bits << 6 | (uint32_t)(at - digits);
        if (++have < 4)
            continue;
        to[n++] = (unsigned char)(bits >> 16);
        to[n++] = (unsigned char)(bits >> 8);
        to[n++] = (unsigned char)bits;
        have = 0;
        bits = 0;
    }
    if (have == 1 || pad > 2 || (have && have + pad != 4) || (!have && pad))
        return false;
    if (have >= 2)
        to[n++] = (unsigned char)(bits >> (have == 2 ? 4 : 10));
    if (have == 3)
        to[n++] = (unsigned char)(bits >> 2);
    *out = (fa_str){(char *)to, n};
    return true;
}

static fa_rc strong(X509 *c, fa_err *e)
{
    EVP_PKEY *k = X509_get0_pubkey(c);
    int kind = k ? EVP_PKEY_get_base_id(k) : 0, bits = k ? EVP_PKEY_get_bits(k) : 0;

    if (kind == EVP_PKEY_RSA && bits >= 2048 && bits <= 16384)
        return FA_OK;
    if (kind == EVP_PKEY_EC && bits >= 256)
        return FA_OK;
    if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_EC)
        return fa_fail(e, FA_EDATA, "the certificate's key has %d bits: %s", bits,
                       kind == EVP_PKEY_RSA ? "RSA wants 2048 or more" : "curves want 256 or more");
    return fa_fail(e, FA_EDATA, "the certificate's key is neither RSA nor an elliptic curve");
}

/* The text between the lines of a PEM file, or the text itself. */
static fa_str armour_off(fa_str text)
{
    static const char start[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char *p = memmem(text.p, text.n, start, sizeof start - 1), *q;

    if (!p)
        return text;
    p += sizeof start - 1;
    q = memmem(p, text.n - (size_t)(p - text.p), end, sizeof end - 1);
    return (fa_str){p, q ? (size_t)(q - p) : 0};
}

fa_rc fa_cert_of(fa_str base64, X509 **out, fa_err *e)
{
    const unsigned char *p;
    fa_arena a = {0};
    fa_rc rc = FA_OK;
    fa_str der;

    *out = NULL;
    fa_arena_init(&a, 1 << 20);
    base64 = armour_off(base64);
    if (base64.n < 100 || base64.n > 32768 || !fa_base64(&a, base64, &der)) {
        rc = fa_fail(e, FA_EDATA, "this is not a certificate in PEM or base64");
    } else {
        p = (const unsigned char *)der.p;
        *out = d2i_X509(NULL, &p, (long)der.n);
        if (!*out || p != (const unsigned char *)der.p + der.n)
            rc = fa_fail(e, FA_EDATA, "this is not an X.509 certificate");
        else
            rc = strong(*out, e);
    }
    fa_arena_release(&a);
    if (rc) {
        X509_free(*out);
        *out = NULL;
    }
    return rc;
}

static int64_t time_of(const ASN1_TIME *t)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(t, &tm))
        return -1;
    return fa_day_of(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * INT64_C(86400000) +
           (tm.tm_hour * 3600LL + tm.tm_min * 60LL + tm.tm_sec) * 1000;
}

static bool subject_of(X509 *c, char *to, size_t most)
{
    BIO *b = BIO_new(BIO_s_mem());
    char *p;
    long n;
    bool ok = false;

    if (b && X509_NAME_print_ex(b, X509_get_subject_name(c), 0, XN_FLAG_RFC2253) >= 0 &&
        (n = BIO_get_mem_data(b, &p)) >= 0) {
        size_t k = (size_t)n < most - 1 ? (size_t)n : most - 1;

        memcpy(to, p, k);
        to[k] = '\0';
        ok = fa_utf8_valid((fa_str){to, k});
    }
    BIO_free(b);
    return ok;
}

fa_rc fa_cert_describe(X509 *c, json_t **out, fa_err *e)
{
    EVP_PKEY *k = X509_get0_pubkey(c);
    unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
    char subject[256], hex[2 * EVP_MAX_MD_SIZE + 1], key[32];
    unsigned n = 0;
    int nder = i2d_X509(c, &der);
    char *b64 = nder > 0 ? malloc((size_t)nder / 3 * 4 + 8) : NULL;

    *out = NULL;
    if (b64 && X509_digest(c, EVP_sha256(), digest, &n)) {
        EVP_EncodeBlock((unsigned char *)b64, der, nder);
        fa_hex(hex, digest, n);
        if (!subject_of(c, subject, sizeof subject))
            snprintf(subject, sizeof subject, "(not readable)");
        snprintf(key, sizeof key, "%s %d", EVP_PKEY_get_base_id(k) == EVP_PKEY_RSA ? "RSA" : "EC",
                 EVP_PKEY_get_bits(k));
        *out = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "der", b64, "subject", subject,
                         "fingerprint", hex, "key", key, "from",
                         (json_int_t)time_of(X509_get0_notBefore(c)), "to",
                         (json_int_t)time_of(X509_get0_notAfter(c)));
    }
    free(b64);
    OPENSSL_free(der);
    return *out ? FA_OK : fa_oom(e);
}

fa_rc fa_op_certificate(fa_arena *a, const json_t *q, json_t **out, fa_err *e)
{
    X509 *c;
    fa_rc rc = fa_cert_of(fa_op_text(q, "text"), &c, e);

    (void)a;
    if (rc)
        return rc;
    rc = fa_cert_describe(c, out, e);
    X509_free(c);
    return rc;
}

fa_rc fa_pins_read(const json_t *idp, fa_pins *out, fa_err *e)
{
    const json_t *list = json_object_get(idp, "certs");
    fa_rc rc = FA_OK;

    *out = (fa_pins){0};
    for (size_t i = 0; !rc && i < json_array_size(list); i++) {
        const char *z = json_string_value(json_array_get(list, i));

        if (out->n == FA_SAML_CERTS)
            rc = fa_fail(e, FA_EDATA, "more than %d certificates", FA_SAML_CERTS);
        else if (!(rc = fa_cert_of(fa_str_of(z), &out->cert[out->n], e)))
            out->n++;
    }
    if (!rc && !out->n)
        rc = fa_fail(e, FA_EDATA, "no certificate of the identity provider is known");
    if (rc)
        fa_pins_free(out);
    return rc;
}

void fa_pins_free(fa_pins *p)
{
    for (size_t i = 0; i < p->n; i++)
        X509_free(p->cert[i]);
    p->n = 0;
}
