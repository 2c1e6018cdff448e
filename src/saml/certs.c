/*
 * certs.c - certificates of identity providers: what is pinned, how strong it is, how long it lasts.
 *
 * A pinned certificate is a key with a name: no chain is built and no authority asked. RSA from 2048 bits and
 * elliptic curves from 256 are taken (SA-4); the dates are shown and warned of, a signature is not judged by them.
 */
#include "saml/certs.h"

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

static fa_rc describe(fa_arena *a, X509 *c, fa_saml_cert *out, fa_err *e)
{
    EVP_PKEY *k = X509_get0_pubkey(c);
    unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
    char subject[256], hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned n = 0;
    int nder = i2d_X509(c, &der);
    char *b64 = nder > 0 ? fa_arena_alloc(a, (size_t)nder / 3 * 4 + 8) : NULL;
    const char *key = fa_arena_printf(
        a, "%s %d", EVP_PKEY_get_base_id(k) == EVP_PKEY_RSA ? "RSA" : "EC", EVP_PKEY_get_bits(k));

    *out = (fa_saml_cert){0};
    if (b64 && key && X509_digest(c, EVP_sha256(), digest, &n)) {
        out->der = (fa_str){b64, (size_t)EVP_EncodeBlock((unsigned char *)b64, der, nder)};
        fa_hex(hex, digest, n);
        if (!subject_of(c, subject, sizeof subject))
            snprintf(subject, sizeof subject, "(not readable)");
        out->subject = fa_arena_dup(a, fa_str_of(subject));
        out->fingerprint = fa_arena_dup(a, fa_str_of(hex));
        out->key = fa_str_of(key);
        out->from_ms = time_of(X509_get0_notBefore(c));
        out->to_ms = time_of(X509_get0_notAfter(c));
    }
    OPENSSL_free(der);
    return out->fingerprint.p && out->subject.p ? FA_OK : fa_oom(e);
}

fa_rc fa_saml_cert_read(fa_arena *a, fa_str text, fa_saml_cert *out, fa_err *e)
{
    X509 *c;
    fa_rc rc = fa_cert_of(text, &c, e);

    if (rc)
        return rc;
    rc = describe(a, c, out, e);
    X509_free(c);
    return rc;
}

static bool known(const fa_saml_idp *idp, const fa_saml_cert *c)
{
    for (size_t i = 0; i < idp->ncert; i++)
        if (fa_str_eq(idp->cert[i].fingerprint, c->fingerprint))
            return true;
    return false;
}

/* The next certificate of a text: from one BEGIN to its END, or a run of base64 up to an empty line. */
static bool next_cert(fa_str *text, fa_str *one)
{
    static const char start[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
    const char *p, *q;

    *text = fa_str_trim(*text);
    if (!text->p || !text->n)
        return false;
    p = memmem(text->p, text->n, start, sizeof start - 1);
    if (p) {
        q = memmem(p, text->n - (size_t)(p - text->p), end, sizeof end - 1);
        q = q ? q + sizeof end - 1 : text->p + text->n;
    } else {
        p = text->p;
        q = memmem(p, text->n, "\n\n", 2);
        q = q ? q : text->p + text->n;
    }
    *one = (fa_str){p, (size_t)(q - p)};
    *text = (fa_str){q, text->n - (size_t)(q - text->p)};
    return true;
}

fa_rc fa_saml_certs_read(fa_arena *a, fa_str text, fa_saml_idp *out, fa_err *e)
{
    fa_saml_cert c;
    fa_str one;
    fa_rc rc;

    out->ncert = 0;
    while (next_cert(&text, &one)) {
        if ((rc = fa_saml_cert_read(a, one, &c, e)))
            return rc;
        if (known(out, &c))
            continue;
        if (out->ncert == FA_SAML_CERTS)
            return fa_fail(e, FA_EDATA, "more than %d certificates: leave out the old ones",
                           FA_SAML_CERTS);
        out->cert[out->ncert++] = c;
    }
    return out->ncert ? FA_OK : fa_fail(e, FA_EDATA, "a certificate of the provider is needed");
}
