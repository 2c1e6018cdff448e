/*
 * saml_fuzz.c - any bytes as what the SAML verifier reads, without its sandbox.
 *
 * The first byte picks what the rest is: a response, the signed bytes of an assertion, metadata, a certificate, a sign-out by
 * query or by form, or a whole question. A refusal always has a word and a sentence; whatever is accepted without a valid
 * signature is a bug; and of an assertion's claims the subject is never empty.
 */
#include "saml/inner.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char cert[] =
    "MIIC/TCCAeWgAwIBAgIUHjSUFOme0YDepyCMiSJlqG8eDOwwDQYJKoZIhvcNAQELBQAwDjEMMAoGA1UE"
    "AwwDaWRwMB4XDTI2MTEyNTAzMDQyOFoXDTI3MTIzMDAzMDQyOFowDjEMMAoGA1UEAwwDaWRwMIIBIjAN"
    "BgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoD3y1szoOGMmHMLxo3AyZrE3Vj1cBbC6drEEgoSh7ZoF"
    "tvNvIJE+9uq+eDt6pJhqJe8DCKqHYS83kwqYOEM+pD1V//zdelLVh1kFZ0gQyY7jqxaiBMmyOXnSrZKE"
    "8F2IXBAPadTj7NW718kZkr3SYG4OIJvoT9d1EDktGhPfHZVf0FjtKqJM8wpNcvqYkdAxYm6NTHJ2yOtE"
    "3VasyvP3sgyiLmXgvAwJGCk0CG8Iq1Q1E39L4pLrVqTLt9aCauleUV5QJB1Qe6fJBjnUp7VZnPtLWYb5"
    "G+dc/+NLDHERP6AL6Rn4I3RjS3jCkDG1dAnqdEiIdNnJhNU7Z3eMJ9n4+QIDAQABo1MwUTAdBgNVHQ4E"
    "FgQU1tSkoH5edYd9pEW4WFAQrKSt+kAwHwYDVR0jBBgwFoAU1tSkoH5edYd9pEW4WFAQrKSt+kAwDwYD"
    "VR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEAeBiwIW7PNkiRPxU4dLDehGOJdKlA2OUenuDd"
    "R8FfnCP0jvkg5lqTN18VuNocFtr0NeUdlI6oSrp1VwhWs7ALSZk03GTw93GHDM9dnJy0RoZ3yDVg6TNY"
    "vrLF0lMbLVXmlhv8vpmU+b5gpwrkDEAY0Z0rYFqZ2ZwZTuQhu84TKI8KnA6+2ypxNVxO7YNq2fci0bx0"
    "9d7rTAv8puVIUj8/x9d5aub3vtFrtdzpttGWuDARPMmAQbENHh7lc/dN5kbu8vuJeY5CNIhmTbkdd//b"
    "1KSyHLKqC2dZSwynDVQ038k0wzaf/O71r0Egjh8ctuzWOtstWWvkXvlGbrT/NZcnhw==";

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static json_t *question(const char *op)
{
    json_t *q =
        json_pack("{s:s, s:I, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:[s]}}", "op", op, "now",
                  (json_int_t)1795575900000, "expect", "_req1", "sp", "entityId",
                  "https://sp.example/m", "acs", "https://sp.example/acs", "slo",
                  "https://sp.example/slo", "idp", "entityId", "urn:example:idp", "certs", cert);

    demand(q != NULL);
    return q;
}

static void put(json_t *q, const char *name, fa_str s)
{
    json_t *v = json_stringn(s.p, s.n);

    demand(json_object_set_new(q, name, v ? v : json_string("")) == 0);
}

/* The answer's code. */
static int64_t answered(json_t *q)
{
    char *text = json_dumps(q, JSON_COMPACT);
    json_t *o;
    fa_buf b;
    int64_t rc;

    demand(text != NULL);
    fa_buf_init(&b, FA_SAML_FRAME_MAX);
    fa_verifier_answer(fa_str_of(text), &b);
    o = json_loadb(b.p, b.n, JSON_REJECT_DUPLICATES, NULL);
    demand(json_is_object(o));
    rc = json_integer_value(json_object_get(o, "rc"));
    demand(rc == 0 ? json_is_object(json_object_get(o, "out"))
                   : json_string_length(json_object_get(o, "message")) > 0);
    demand(rc != FA_EAUTH || json_string_length(json_object_get(o, "word")) > 0);
    json_decref(o);
    fa_buf_release(&b);
    free(text);
    return rc;
}

static fa_str base64(fa_arena *a, fa_str s)
{
    char *z = fa_arena_alloc(a, s.n / 3 * 4 + 8);

    demand(z != NULL);
    return (fa_str){
        z, (size_t)EVP_EncodeBlock((unsigned char *)z, (const unsigned char *)s.p, (int)s.n)};
}

static void claims(fa_str xml)
{
    json_t *q = question("response"), *o = json_object();
    fa_err e = {0};
    fa_rc rc = fa_claims_read(xml, q, o, &e);

    if (rc)
        demand(e.msg[0] && (rc != FA_EAUTH || e.field[0]));
    else
        demand(json_string_length(json_object_get(o, "nameId")) > 0 &&
               json_integer_value(json_object_get(o, "expires")) > 0);
    json_decref(o);
    json_decref(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    fa_str rest = {(const char *)data + 1, size - 1};
    json_t *q = NULL;
    fa_saml_idp idp;
    fa_arena a;
    fa_err e;
    fa_buf b;

    if (!started) {
        demand(!fa_verifier_start(&e));
        started = true;
    }
    if (size < 2 || size > FA_SAML_XML_MAX)
        return 0;
    fa_arena_init(&a, 4 << 20);
    switch (data[0] % 7) {
    case 0:
        q = question("response");
        put(q, "message", base64(&a, rest));
        demand(answered(q) != FA_OK);
        break;
    case 1:
        claims(rest);
        break;
    case 2:
        q = question("metadata");
        put(q, "xml", rest);
        (void)answered(q);
        break;
    case 3:
        (void)fa_saml_certs_read(&a, rest, &idp, &e);
        break;
    case 4:
        q = question("logout_read");
        put(q, "query", rest);
        demand(answered(q) != FA_OK);
        break;
    case 5:
        q = question("logout_read");
        put(q, "message", base64(&a, rest));
        demand(answered(q) != FA_OK);
        break;
    default:
        fa_buf_init(&b, FA_SAML_FRAME_MAX);
        fa_verifier_answer(rest, &b);
        demand(b.n > 0);
        fa_buf_release(&b);
    }
    json_decref(q);
    fa_arena_release(&a);
    return 0;
}
