/*
 * secret.c - secrets as text.
 *
 * 256 random bits are far past guessing, so a plain fast hash is enough to keep (security.md SK-1).
 * The fixed prefix lets scanners find a leaked token; the check characters tell a typing error from
 * a lie.
 */
#include "access/internal.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum { RAW = 32, BODY = 43, CHECK = 6, PREFIX = sizeof FA_SECRET_PREFIX - 1 };

static void check_of(const char *text, size_t n, char out[CHECK + 1])
{
    unsigned char h[crypto_generichash_BYTES_MIN];
    char b64[sodium_base64_ENCODED_LEN(sizeof h, sodium_base64_VARIANT_URLSAFE_NO_PADDING)];

    crypto_generichash(h, sizeof h, (const unsigned char *)text, n, NULL, 0);
    sodium_bin2base64(b64, sizeof b64, h, sizeof h, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(out, b64, CHECK);
    out[CHECK] = '\0';
}

void fa_secret_opaque(char out[FA_SECRET_MAX])
{
    unsigned char raw[RAW];

    fa_random(raw, sizeof raw);
    sodium_bin2base64(out, FA_SECRET_MAX, raw, sizeof raw,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof raw);
}

void fa_secret_token(char out[FA_SECRET_MAX])
{
    char body[FA_SECRET_MAX], check[CHECK + 1];

    fa_secret_opaque(body);
    check_of(body, BODY, check);
    snprintf(out, FA_SECRET_MAX, FA_SECRET_PREFIX "%.*s%s", BODY, body, check);
    sodium_memzero(body, sizeof body);
}

bool fa_secret_form(fa_str s)
{
    char check[CHECK + 1];

    if (s.n != PREFIX + BODY + CHECK || !fa_str_starts(s, FA_STR(FA_SECRET_PREFIX)))
        return false;
    check_of(s.p + PREFIX, BODY, check);
    return memcmp(check, s.p + PREFIX + BODY, CHECK) == 0;
}

void fa_secret_hash(fa_str s, char out[65])
{
    unsigned char h[32];

    crypto_generichash(h, sizeof h, (const unsigned char *)s.p, s.n, NULL, 0);
    fa_hex(out, h, sizeof h);
}

fa_rc fa_secret_new(fa_arena *a, fa_str *secret, char hash[65], fa_err *e)
{
    char text[FA_SECRET_MAX];

    fa_secret_opaque(text);
    fa_secret_hash(fa_str_of(text), hash);
    *secret = fa_arena_dup(a, fa_str_of(text));
    sodium_memzero(text, sizeof text);
    return secret->p ? FA_OK : fa_oom(e);
}
