/*
 * mfa.c - the second factor: time-based codes (RFC 6238: HMAC-SHA-1, six digits, 30 s, one step either
 * way) and ten recovery codes of 80 bits, each good once.
 *
 * A step that was taken is remembered, so a code that was seen over somebody's shoulder is worth
 * nothing. Recovery codes are kept as Argon2id hashes; the number before a code says which one to try.
 */
#include "access/internal.h"

#include <sodium.h>
#include <string.h>

enum { SEED = 20, SEED_TEXT = 32, STEP_S = 30, CODES = 10, CODE_BYTES = 10, CODE_TEXT = 16 };

/* ---- HMAC-SHA-1: what authenticator apps speak; libsodium has none ---- */

typedef struct sha1 {
    uint32_t h[5];
    uint64_t bytes;
    unsigned char block[64];
    size_t at;
} sha1;

static uint32_t rol(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(sha1 *s)
{
    uint32_t w[80], a = s->h[0], b = s->h[1], c = s->h[2], d = s->h[3], e = s->h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
               (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999u
                     : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1u
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdcu
                              : (b ^ c ^ d) + 0xca62c1d6u;
        uint32_t t = rol(a, 5) + f + e + w[i];

        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = t;
    }
    s->h[0] += a;
    s->h[1] += b;
    s->h[2] += c;
    s->h[3] += d;
    s->h[4] += e;
}

static void sha1_put(sha1 *s, const unsigned char *p, size_t n)
{
    s->bytes += n;
    for (size_t i = 0; i < n; i++) {
        s->block[s->at++] = p[i];
        if (s->at == 64) {
            sha1_block(s);
            s->at = 0;
        }
    }
}

static void sha1_end(sha1 *s, unsigned char out[20])
{
    uint64_t bits = s->bytes * 8;
    unsigned char end = 0x80, zero = 0, len[8];

    for (int i = 0; i < 8; i++)
        len[i] = (unsigned char)(bits >> (56 - 8 * i));
    sha1_put(s, &end, 1);
    while (s->at != 56)
        sha1_put(s, &zero, 1);
    sha1_put(s, len, sizeof len);
    for (int i = 0; i < 20; i++)
        out[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

static const sha1 sha1_start = {
    .h = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u, 0xc3d2e1f0u}};

/* key: at most 64 bytes */
static void hmac_sha1(const unsigned char *key, size_t n, const unsigned char *msg, size_t nmsg,
                      unsigned char out[20])
{
    unsigned char pad[64], inner[20];
    sha1 s = sha1_start;

    for (size_t i = 0; i < 64; i++)
        pad[i] = (unsigned char)((i < n ? key[i] : 0) ^ 0x36);
    sha1_put(&s, pad, sizeof pad);
    sha1_put(&s, msg, nmsg);
    sha1_end(&s, inner);
    s = sha1_start;
    for (size_t i = 0; i < 64; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha1_put(&s, pad, sizeof pad);
    sha1_put(&s, inner, sizeof inner);
    sha1_end(&s, out);
    sodium_memzero(pad, sizeof pad);
}

uint32_t fa_totp_code(const unsigned char *seed, size_t n, int64_t step)
{
    unsigned char counter[8], mac[20];
    size_t at;
    uint32_t v;

    for (int i = 0; i < 8; i++)
        counter[i] = (unsigned char)((uint64_t)step >> (56 - 8 * i));
    hmac_sha1(seed, n > 64 ? 64 : n, counter, sizeof counter, mac);
    at = mac[19] & 15;
    v = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
        (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    return v % 1000000;
}

/* ---- base32 (RFC 4648, without padding) ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static void base32(const unsigned char *p, size_t n, char *out)
{
    uint32_t bits = 0;
    int have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 5; have -= 5)
            *out++ = alphabet[bits >> (have - 5) & 31];
    }
    *out = '\0';
}

/* Spaces and dashes are skipped, case is folded. false: another character or another length. */
static bool unbase32(fa_str s, unsigned char *out, size_t n)
{
    uint32_t bits = 0;
    int have = 0;
    size_t got = 0;

    for (size_t i = 0; i < s.n; i++) {
        char c = (char)(s.p[i] >= 'a' && s.p[i] <= 'z' ? s.p[i] - 32 : s.p[i]);
        const char *at;

        if (c == ' ' || c == '-')
            continue;
        at = c ? strchr(alphabet, c) : NULL;
        if (!at)
            return false;
        bits = bits << 5 | (uint32_t)(at - alphabet);
        if ((have += 5) >= 8) {
            if (got == n)
                return false;
            out[got++] = (unsigned char)(bits >> (have -= 8));
        }
    }
    return got == n;
}

/* ---- codes ---- */

/* The step the code is of, now or one beside it; -1: none. Looks at all three, whatever it finds. */
static int64_t step_of(const unsigned char *seed, fa_str code, int64_t now_ms)
{
    int64_t now = now_ms / 1000 / STEP_S, found = -1;
    char text[8];

    for (int64_t s = now - 1; s <= now + 1; s++) {
        snprintf(text, sizeof text, "%06u", fa_totp_code(seed, SEED, s));
        if (fa_const_eq(code, fa_str_of(text)))
            found = s;
    }
    return found;
}

/* The code counts from now on, and a seed that an earlier version sealed is the vault's from now on. */
static fa_rc step_take(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str seed, int64_t step,
                       fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), sealed;
    bool opened, old = fa_seal_is_old(u->totp);
    fa_rc rc;

    if (old && (rc = fa_seal(l, a, seed, u->id, &sealed, e)))
        return rc;
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    rc = fa_user_take_step(s, account, u->id, step, e);
    if (rc == FA_ECONFLICT)
        rc = fa_fail(e, FA_EAUTH, "the code was used already");
    else if (!rc && old && !(rc = fa_user_set_totp(s, account, u->id, sealed, e)))
        rc = fa_user_take_step(s, account, u->id, step, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc totp_take(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str code, fa_err *e)
{
    unsigned char seed[SEED];
    fa_str plain;
    int64_t step = -1;
    fa_rc rc = fa_unseal(l, a, u->totp, u->id, &plain, e);

    if (rc)
        return rc;
    if (unbase32(plain, seed, SEED))
        step = step_of(seed, code, fa_now_ms());
    sodium_memzero(seed, sizeof seed);
    if (step < 0)
        return fa_fail(e, FA_EAUTH, "the code is wrong");
    return step_take(l, a, u, plain, step, e);
}

/* "3-ABCD-EFGH-IJKL-MNOP" */
static fa_rc recovery_take(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str code, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), kept = {0};
    unsigned char raw[CODE_BYTES];
    char text[CODE_TEXT + 1];
    uint64_t place = 0;
    bool ok = false, weak;
    fa_err none = {0};
    fa_rc rc;

    if (!fa_take_u64(&code, &place) || place > CODES || !unbase32(code, raw, CODE_BYTES))
        return fa_fail(e, FA_EAUTH, "the code is wrong");
    base32(raw, CODE_BYTES, text);
    rc = fa_recovery_get(s, a, account, u->id, (int64_t)place, &kept, &none);
    if (rc && rc != FA_ENOTFOUND)
        return fa_fail(e, rc, "%s", none.msg);
    if ((rc = fa_password_verify(fa_str_of(text), rc ? FA_STR("") : kept, &ok, &weak, e)))
        return rc;
    /* of two at once one finds the row */
    if (ok && fa_recovery_drop(s, account, u->id, (int64_t)place, &none) == FA_OK)
        return FA_OK;
    return fa_fail(e, FA_EAUTH, "the code is wrong");
}

fa_rc fa_code_take(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str code, fa_err *e)
{
    fa_str s = fa_str_trim(code);

    if (!u->totp.n)
        return fa_fail(e, FA_EAUTH, "the code is wrong");
    return s.n == 6 ? totp_take(l, a, u, s, e) : recovery_take(l, a, u, s, e);
}

/* ---- setting up ---- */

fa_rc fa_totp_begin(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str *secret, fa_str *url,
                    fa_err *e)
{
    unsigned char seed[SEED];
    char text[SEED_TEXT + 1];
    fa_buf b = {0};
    fa_rc rc = FA_OK;

    (void)l;
    fa_random(seed, sizeof seed);
    base32(seed, sizeof seed, text);
    sodium_memzero(seed, sizeof seed);
    *secret = fa_arena_dup(a, fa_str_of(text));
    fa_buf_z(&b, "otpauth://totp/Farthing:");
    fa_buf_url(&b, c->email);
    fa_buf_fmt(&b, "?secret=%s&issuer=Farthing&algorithm=SHA1&digits=6&period=30", text);
    *url = fa_buf_dup(&b, a);
    if (!secret->p || !url->p)
        rc = fa_oom(e);
    if (b.p)
        sodium_memzero(b.p, b.n);
    fa_buf_release(&b);
    sodium_memzero(text, sizeof text);
    return rc;
}

/* Ten fresh codes and their hashes; before the transaction, they take their time. */
static fa_rc codes_make(fa_arena *a, fa_str codes[CODES], fa_str hashes[CODES], fa_err *e)
{
    unsigned char raw[CODE_BYTES];
    char t[CODE_TEXT + 1];
    fa_rc rc = FA_OK;

    for (int i = 0; !rc && i < CODES; i++) {
        char *shown;

        fa_random(raw, sizeof raw);
        base32(raw, sizeof raw, t);
        shown = fa_arena_printf(a, "%d-%.4s-%.4s-%.4s-%.4s", i + 1, t, t + 4, t + 8, t + 12);
        if (!shown)
            return fa_oom(e);
        codes[i] = fa_str_of(shown);
        rc = fa_password_hash(a, fa_str_of(t), &hashes[i], e);
    }
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(t, sizeof t);
    return rc;
}

static fa_rc codes_put(fa_ledger *l, fa_str user, const fa_str hashes[CODES], fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_rc rc = fa_recovery_drop(s, fa_ledger_account(l), user, -1, e);

    for (int i = 0; !rc && i < CODES; i++)
        rc = fa_recovery_put(s, fa_ledger_account(l), user, i + 1, hashes[i], e);
    return rc;
}

static fa_rc tell(fa_ledger *l, const fa_caller *by, const fa_user *u, const char *action,
                  fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "user",
                                    .object_id = u->id,
                                    .object_name = u->email,
                                    .severity = "high"},
                        e);
}

fa_rc fa_totp_confirm(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str secret, fa_str code,
                      fa_str codes[10], fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), sealed, hashes[CODES];
    unsigned char seed[SEED];
    int64_t step;
    bool opened;
    fa_user u;
    fa_rc rc;

    if (!unbase32(secret, seed, SEED)) {
        fa_fail(e, FA_EINVAL, "must be the secret that was shown");
        return fa_at(e, "secret");
    }
    step = step_of(seed, fa_str_trim(code), fa_now_ms());
    sodium_memzero(seed, sizeof seed);
    if (step < 0) {
        fa_fail(e, FA_EDATA, "the code is wrong");
        fa_hint(e, "is the clock of the device right?");
        return fa_at(e, "code");
    }
    if ((rc = fa_seal(l, a, secret, c->id, &sealed, e)) || (rc = codes_make(a, codes, hashes, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_by_id(s, a, account, c->id, &u, e)) && u.totp.n)
        rc = fa_fail(e, FA_ECONFLICT, "there is a second factor already");
    if (!rc && !(rc = fa_user_set_totp(s, account, c->id, sealed, e)) &&
        !(rc = fa_user_take_step(s, account, c->id, step, e)) &&
        !(rc = codes_put(l, c->id, hashes, e)) && !(rc = fa_device_forget(s, account, c->id, e)))
        rc = tell(l, c, &u, "mfa.enroll", e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_recovery_new(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str codes[10], fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str hashes[CODES];
    bool opened;
    fa_user u;
    fa_rc rc;

    if ((rc = codes_make(a, codes, hashes, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_by_id(s, a, fa_ledger_account(l), c->id, &u, e)) && !u.totp.n)
        rc = fa_fail(e, FA_ECONFLICT, "there is no second factor yet");
    if (!rc && !(rc = codes_put(l, c->id, hashes, e)))
        rc = tell(l, c, &u, "mfa.recovery_codes", e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_totp_drop(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str user_id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    bool opened;
    fa_user u;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_user_by_id(s, a, account, user_id, &u, e)) &&
        !(rc = fa_str_eq(by->id, user_id) ? FA_OK : fa_caller_may_give(l, a, by, u.roles, e)) &&
        !(rc = fa_user_set_totp(s, account, user_id, FA_STR(""), e)) &&
        !(rc = fa_recovery_drop(s, account, user_id, -1, e)) &&
        !(rc = fa_device_forget(s, account, user_id, e)))
        rc = tell(l, by, &u, "mfa.remove", e);
    return fa_store_leave(s, opened, rc, e);
}
