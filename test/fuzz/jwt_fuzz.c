/*
 * jwt_fuzz.c - any bytes as a signed token; with a set of keys of its own when a zero byte parts the two.
 *
 * What opens must have one of the three algorithms, claims that are an object, and a key that was given; with our own
 * keys nothing opens but what those keys signed. What does not open says why, at "token".
 */
#include "access/internal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Public keys of RFC 7515 A.3 and RFC 8037 A.1; nobody has the private key of the RSA one any more. */
static const char ours[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\",\"use\":\"sig\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\","
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
    "{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":"
    "\"qTpWZwLedW1b1GXn9dAop516CTErDmM9cvGJjkENK3bjhNQfk9rtafE6u_Ejsnoa_N-oZGya09nLv3tqYRAv-"
    "UAKBeoTTBeP20d-O4pdi_Uczz9gBQVGmHq2R1TXQgIIecECJT50qHA0tUMXLuzoJ0Tph-FxjtDKUFXqP7IN5Dh01s81T-"
    "bkfU7uLc0nCRSsxBb8MuzsoKaodA-o6ABhicL4a2Ge6ExugiIVq_"
    "T5Scc8upo2C1wKeyucr0v2MPc2chyywsYSHfEXBwFlp8pZazIJOh6a5GpGrinrE5WVYQFkz2KMyUrCIEunXgM9SFW1AI3J"
    "wH3Da5jYj6l_SXYOAw\"}]}";
static const char *const signed_by_them = /* RFC 7515 A.3.1 */
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ";

static void judge(fa_arena *a, const fa_jwt *t)
{
    fa_err e = {0};
    int64_t ms;

    if (!json_is_object(t->claims) || !json_is_object(t->header) ||
        (strcmp(t->alg, "RS256") && strcmp(t->alg, "ES256") && strcmp(t->alg, "EdDSA")))
        abort();
    if (fa_jwt_addressed(t->claims, FA_STR("joe"), FA_STR("c"), 1300819000000, true, &e) &&
        (!e.msg[0] || strcmp(e.field, "token") != 0))
        abort();
    fa_jwt_time(t->claims, "exp", &ms);
    fa_jwt_half_hash_ok(t->alg, FA_STR("at"), fa_idp_text(t->claims, "at_hash"));
    (void)a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    fa_str token = {(const char *)data, size};
    json_t *jwks;
    bool unknown;
    fa_err e = {0};
    fa_arena a;
    fa_jwt t;

    if (zero) {
        jwks = json_loadb((const char *)data, (size_t)(zero - data), JSON_REJECT_DUPLICATES, NULL);
        token = (fa_str){(const char *)zero + 1, size - (size_t)(zero - data) - 1};
    } else {
        jwks = json_loads(ours, 0, NULL);
    }
    if (!jwks)
        return 0;
    fa_arena_init(&a, 16 << 20);
    if (!fa_jwt_open(&a, token, jwks, &t, &unknown, &e)) {
        judge(&a, &t);
        if (!zero && !fa_str_starts(token, fa_str_of(signed_by_them)))
            abort();
    } else if (e.rc != FA_EAUTH || !e.msg[0] || strcmp(e.field, "token") != 0) {
        abort();
    }
    fa_jwks_usable(jwks);
    fa_arena_release(&a);
    json_decref(jwks);
    return 0;
}
