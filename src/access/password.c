/*
 * password.c - Argon2id with bounded concurrency, and what a password must be.
 *
 * One hash takes 64 MiB, so at most four run at once and at most 64 wait, two seconds at the
 * longest (security.md PW-1, PW-2); who comes later is told to come back. The parameters are inside
 * the stored text, so they can be raised later and old ones are found at sign-in (PW-3).
 */
#include "access/internal.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum { PLACES = 4, WAITING = 64, WAIT_MS = 2000, OPSLIMIT = 3 };
#define MEMLIMIT (64u << 20)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t free_place = PTHREAD_COND_INITIALIZER;
static int running, waiting; /* under lock */

static fa_rc place_take(fa_err *e)
{
    struct timespec until;
    fa_rc rc = FA_OK;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&lock);
    if (running >= PLACES && waiting >= WAITING)
        rc = fa_fail(e, FA_EENV, "too many sign-ins at once, try again in a few seconds");
    waiting++;
    while (!rc && running >= PLACES)
        if (pthread_cond_timedwait(&free_place, &lock, &until) == ETIMEDOUT && running >= PLACES)
            rc = fa_fail(e, FA_EENV, "too many sign-ins at once, try again in a few seconds");
    waiting--;
    if (!rc)
        running++;
    pthread_mutex_unlock(&lock);
    return rc;
}

static void place_give(void)
{
    pthread_mutex_lock(&lock);
    running--;
    pthread_cond_signal(&free_place);
    pthread_mutex_unlock(&lock);
}

fa_rc fa_password_hash(fa_arena *a, fa_str password, fa_str *out, fa_err *e)
{
    char text[crypto_pwhash_STRBYTES];
    fa_rc rc = place_take(e);

    if (rc)
        return fa_in(e, "password hash");
    if (crypto_pwhash_str_alg(text, password.p, password.n, OPSLIMIT, MEMLIMIT,
                              crypto_pwhash_ALG_ARGON2ID13))
        rc = fa_fail(e, FA_EENV, "out of memory");
    place_give();
    if (rc)
        return rc;
    *out = fa_arena_dup(a, fa_str_of(text));
    return out->p ? FA_OK : fa_oom(e);
}

fa_rc fa_password_verify(fa_str password, fa_str stored, bool *ok, bool *weak, fa_err *e)
{
    /* A hash of nothing anybody knows, with the parameters of above: an account without a password
     * or no account at all costs the same time. */
    static const char nobody[] = "$argon2id$v=19$m=65536,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$"
                                 "Zm9yIGFuIGFjY291bnQgdGhhdCBpcyBub3QgdGhlcmU";
    char text[crypto_pwhash_STRBYTES] = {0};

    *ok = *weak = false;
    if (stored.n >= sizeof text)
        return fa_fail(e, FA_EINTERNAL, "a stored password hash is damaged");
    if (password.n > FA_PASSWORD_MAX_BYTES)
        password = FA_STR("");
    if (stored.n)
        memcpy(text, stored.p, stored.n);
    else
        memcpy(text, nobody, sizeof nobody);
    if (place_take(e))
        return fa_in(e, "password verify");
    *ok = crypto_pwhash_str_verify(text, password.p ? password.p : "", password.n) == 0 &&
          stored.n > 0;
    place_give();
    *weak = *ok && crypto_pwhash_str_needs_rehash(text, OPSLIMIT, MEMLIMIT) != 0;
    return FA_OK;
}

fa_rc fa_password_rules(fa_str password, size_t least, const fa_str *words, size_t nwords,
                        fa_err *e)
{
    size_t chars = 0;
    fa_rc rc = FA_OK;

    for (size_t i = 0; i < password.n; i++)
        chars += ((unsigned char)password.p[i] & 0xc0) != 0x80;
    if (!fa_utf8_valid(password) || (password.n && memchr(password.p, 0, password.n)))
        rc = fa_fail(e, FA_EDATA, "the password must be text");
    else if (chars < least)
        rc = fa_fail(e, FA_EDATA, "the password has %zu characters, at least %zu are needed", chars,
                     least);
    else if (password.n > FA_PASSWORD_MAX_BYTES)
        rc = fa_fail(e, FA_EDATA, "the password is longer than %d bytes", FA_PASSWORD_MAX_BYTES);
    else if (fa_password_common(password, words, nwords))
        rc = fa_fail(e, FA_EDATA, "the password is one of the common ones");
    if (!rc)
        return FA_OK;
    fa_hint(e, "four or five unrelated words make a good one");
    return fa_at(e, "password");
}
