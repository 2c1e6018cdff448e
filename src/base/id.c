/*
 * id.c - randomness, ids and comparison that takes the same time whatever differs.
 *
 * Everything random comes from libsodium (getrandom underneath); it is started once per process.
 */
#include "base/base.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static pthread_once_t sodium_once = PTHREAD_ONCE_INIT;

static void sodium_start(void)
{
    if (sodium_init() < 0)
        abort(); /* no source of randomness: nothing may go on */
}

void fa_random(void *p, size_t n)
{
    pthread_once(&sodium_once, sodium_start);
    randombytes_buf(p, n);
}

void fa_hex(char *out, const void *p, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *u = p;

    for (size_t i = 0; i < n; i++) {
        *out++ = hex[u[i] >> 4];
        *out++ = hex[u[i] & 15];
    }
    *out = '\0';
}

void fa_uuid_v4(char out[37])
{
    unsigned char u[16];
    char h[33], *o = out;

    fa_random(u, sizeof u);
    u[6] = (unsigned char)((u[6] & 0x0f) | 0x40);
    u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
    fa_hex(h, u, sizeof u);
    for (int i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            *o++ = '-';
        *o++ = h[i];
    }
    *o = '\0';
}

bool fa_uuid_valid(fa_str s)
{
    if (s.n != 36)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? c != '-'
                 : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return true;
}

bool fa_const_eq(fa_str a, fa_str b)
{
    return a.n == b.n && (a.n == 0 || sodium_memcmp(a.p, b.p, a.n) == 0);
}
