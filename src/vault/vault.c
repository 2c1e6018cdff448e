/*
 * vault.c - sealing and opening: master key, account key, data key, value.
 */
#include "vault/inner.h"

#include <sodium.h>
#include <string.h>

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    CLEAR_MAX = 64 << 10
};

static fa_rc no_key(fa_err *e)
{
    fa_fail(e, FA_EENV, "the vault has no master key, so it can neither take nor give a secret");
    return fa_hint(e, "make one with farthing vault key FILE and start with --vault-key FILE");
}

/* base64(nonce, sealed) */
static fa_rc box(const unsigned char key[VAULT_KEY], const char *ad, const void *clear, size_t n,
                 fa_buf *out, fa_err *e)
{
    unsigned char *raw = sodium_malloc(NONCE + n + TAG);
    size_t len = NONCE + n + TAG,
           b64 = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    char *text = sodium_malloc(b64);
    fa_rc rc = FA_OK;

    if (!raw || !text) {
        rc = fa_oom(e);
    } else {
        randombytes_buf(raw, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(
            raw + NONCE, NULL, clear, n, (const unsigned char *)ad, strlen(ad), NULL, raw, key);
        sodium_bin2base64(text, b64, raw, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        fa_buf_z(out, text);
        rc = out->failed ? fa_oom(e) : FA_OK;
    }
    sodium_free(raw);
    sodium_free(text);
    return rc;
}

/* clear: room for `size` bytes; *n gets the length. */
static fa_rc unbox(const unsigned char key[VAULT_KEY], const char *ad, fa_str text, void *clear,
                   size_t size, size_t *n, fa_err *e)
{
    unsigned char *raw = sodium_malloc(text.n + 1);
    size_t len = 0;
    fa_rc rc = FA_OK;

    *n = 0;
    if (!raw)
        return fa_oom(e);
    if (sodium_base642bin(raw, text.n + 1, text.p, text.n, NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) ||
        len < NONCE + TAG || len - NONCE - TAG > size ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(clear, NULL, NULL, raw + NONCE, len - NONCE,
                                                   (const unsigned char *)ad, strlen(ad), raw, key))
        rc = fa_fail(e, FA_EDATA, "a sealed secret was changed, or belongs to another place");
    else
        *n = len - NONCE - TAG;
    sodium_free(raw);
    return rc;
}

static fa_rc account_ad(fa_arena *a, fa_str account, fa_str id, const char *master, char **out,
                        fa_err *e)
{
    *out = fa_arena_printf(a, "farthing|%.*s|vault_key|%.*s|wrapped|%s", FA_FMT(account),
                           FA_FMT(id), master);
    return *out ? FA_OK : fa_oom(e);
}

static fa_rc wrap_account_key(fa_arena *a, fa_str account, const unsigned char key[VAULT_KEY],
                              fa_vault_key *k, fa_err *e)
{
    unsigned char master[VAULT_KEY];
    char id[VAULT_ID + 1], *ad;
    fa_buf b;
    fa_rc rc;

    if (!vault_master(NULL, master, id))
        return no_key(e);
    fa_buf_init(&b, 4096);
    if (!(rc = account_ad(a, account, k->id, id, &ad, e)) &&
        !(rc = box(master, ad, key, VAULT_KEY, &b, e))) {
        k->master = fa_arena_dup(a, fa_str_of(id));
        k->wrapped = fa_buf_dup(&b, a);
        rc = k->master.p && k->wrapped.p ? FA_OK : fa_oom(e);
    }
    sodium_memzero(master, sizeof master);
    fa_buf_release(&b);
    return rc;
}

static fa_rc unwrap_account_key(fa_arena *a, fa_str account, const fa_vault_key *k,
                                unsigned char key[VAULT_KEY], fa_err *e)
{
    unsigned char master[VAULT_KEY];
    char id[VAULT_ID + 1], *ad;
    size_t n;
    fa_rc rc;

    if (!fa_vault_ready())
        return no_key(e);
    if (!vault_master(k->master.p, master, id)) {
        fa_fail(e, FA_EENV, "the vault was closed with another master key (%.*s)",
                FA_FMT(k->master));
        return fa_hint(
            e, "start with the key file of that key, or name it in FARTHING_VAULT_OLD_KEY_FILE");
    }
    if (!(rc = account_ad(a, account, k->id, id, &ad, e)))
        rc = unbox(master, ad, k->wrapped, key, VAULT_KEY, &n, e);
    sodium_memzero(master, sizeof master);
    return rc;
}

/* The account's key; made when there is none. id: for the sealed text. */
static fa_rc account_key(fa_store *s, fa_arena *a, fa_str account, fa_str want, bool make,
                         unsigned char key[VAULT_KEY], fa_str *id, fa_err *e)
{
    fa_vault_key *k, fresh = {0};
    char uuid[37];
    size_t n;
    fa_rc rc = fa_vault_key_list(s, a, account, &k, &n, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (!want.n || fa_str_eq(want, k[i].id)) {
            *id = k[i].id;
            return unwrap_account_key(a, account, &k[i], key, e);
        }
    if (!make)
        return fa_fail(e, FA_EDATA, "the key a secret was sealed with is not there any more");
    fa_uuid_v4(uuid);
    fresh = (fa_vault_key){.id = fa_arena_dup(a, (fa_str){uuid, 8}), .created_ms = fa_now_ms()};
    if (!fresh.id.p)
        return fa_oom(e);
    randombytes_buf(key, VAULT_KEY);
    *id = fresh.id;
    if ((rc = wrap_account_key(a, account, key, &fresh, e)))
        return rc;
    return fa_vault_key_add(s, account, &fresh, e);
}

static fa_rc value_ad(fa_arena *a, fa_str account, const char *place, fa_str id, const char *what,
                      char **out, fa_err *e)
{
    *out = fa_arena_printf(a, "farthing|%.*s|%s|%.*s|%s", FA_FMT(account), place, FA_FMT(id), what);
    return *out ? FA_OK : fa_oom(e);
}

/* "v1.<account key>.<data key>.<value>" */
fa_rc fa_vault_seal(fa_store *s, fa_arena *a, fa_str account, const char *place, fa_str clear,
                    fa_str *sealed, fa_err *e)
{
    unsigned char key[VAULT_KEY], data[VAULT_KEY];
    char *key_ad, *value_text;
    fa_str id;
    fa_buf b;
    fa_rc rc;

    if (clear.n > CLEAR_MAX)
        return fa_fail(e, FA_ETOOBIG, "a secret has at most 64 KiB");
    if ((rc = account_key(s, a, account, (fa_str){0}, true, key, &id, e)))
        return rc;
    fa_buf_init(&b, 4 * CLEAR_MAX);
    randombytes_buf(data, sizeof data);
    if (!(rc = value_ad(a, account, place, id, "key", &key_ad, e)) &&
        !(rc = value_ad(a, account, place, id, "value", &value_text, e))) {
        fa_buf_fmt(&b, "v1.%.*s.", FA_FMT(id));
        if (!(rc = box(key, key_ad, data, sizeof data, &b, e))) {
            fa_buf_c(&b, '.');
            rc = box(data, value_text, clear.p, clear.n, &b, e);
        }
    }
    if (!rc && !(*sealed = fa_buf_dup(&b, a)).p)
        rc = fa_oom(e);
    sodium_memzero(key, sizeof key);
    sodium_memzero(data, sizeof data);
    fa_buf_release(&b);
    return rc;
}

static bool part(fa_str *rest, fa_str *out)
{
    const char *dot = memchr(rest->p, '.', rest->n);

    if (!dot)
        return false;
    *out = (fa_str){rest->p, (size_t)(dot - rest->p)};
    *rest = (fa_str){dot + 1, rest->n - out->n - 1};
    return true;
}

fa_rc fa_vault_unseal(fa_store *s, fa_str account, const char *place, fa_str sealed, fa_secret *out,
                      fa_err *e)
{
    unsigned char key[VAULT_KEY] = {0}, data[VAULT_KEY] = {0};
    fa_str rest = sealed, id, wrapped, found;
    char *key_ad, *value_text;
    fa_arena a;
    size_t n;
    fa_rc rc;

    *out = (fa_secret){0};
    if (!fa_take(&rest, "v1.") || !part(&rest, &id) || !part(&rest, &wrapped))
        return fa_fail(e, FA_EDATA, "a sealed secret is malformed");
    fa_arena_init(&a, 1 << 20);
    if (!(rc = account_key(s, &a, account, id, false, key, &found, e)) &&
        !(rc = value_ad(&a, account, place, id, "key", &key_ad, e)) &&
        !(rc = value_ad(&a, account, place, id, "value", &value_text, e)) &&
        !(rc = unbox(key, key_ad, wrapped, data, sizeof data, &n, e))) {
        if (!(out->p = sodium_malloc(rest.n + 1)))
            rc = fa_oom(e);
        else if (!(rc = unbox(data, value_text, rest, out->p, rest.n, &out->n, e)))
            out->p[out->n] = '\0';
    }
    if (rc)
        fa_secret_free(out);
    sodium_memzero(key, sizeof key);
    sodium_memzero(data, sizeof data);
    fa_arena_release(&a);
    return rc;
}

void fa_secret_free(fa_secret *s)
{
    sodium_free(s->p); /* wipes it first; NULL is fine */
    *s = (fa_secret){0};
}

fa_rc fa_vault_fingerprint(fa_store *s, fa_str account, fa_str clear, char out[9], fa_err *e)
{
    unsigned char key[VAULT_KEY], sum[crypto_generichash_BYTES_MIN];
    fa_arena a;
    fa_str id;
    fa_rc rc;

    fa_arena_init(&a, 1 << 20);
    if (!(rc = account_key(s, &a, account, (fa_str){0}, true, key, &id, e))) {
        crypto_generichash(sum, sizeof sum, (const unsigned char *)clear.p, clear.n, key,
                           sizeof key);
        fa_hex(out, sum, 4);
    }
    sodium_memzero(key, sizeof key);
    fa_arena_release(&a);
    return rc;
}

/* ---- rotation ---- */

fa_rc fa_vault_check(fa_store *s, fa_str account, size_t *n, fa_err *e)
{
    fa_credential *c;
    fa_arena a;
    fa_rc rc;

    fa_arena_init(&a, 0);
    *n = 0;
    rc = fa_credential_list(s, &a, account, &c, n, e);
    for (size_t i = 0; !rc && i < *n; i++) {
        char place[80];
        fa_secret clear;

        snprintf(place, sizeof place, "credential/%.*s/value", FA_FMT(c[i].id));
        if ((rc = fa_vault_unseal(s, account, place, c[i].sealed, &clear, e)) && e) {
            char why[sizeof e->msg];

            snprintf(why, sizeof why, "%s", e->msg);
            fa_fail(e, rc, "the credential \"%.*s\": %.800s", FA_FMT(c[i].name), why);
        }
        fa_secret_free(&clear);
    }
    fa_arena_release(&a);
    return rc;
}

static fa_rc rewrap(fa_store *s, fa_arena *a, fa_str account, fa_err *e)
{
    fa_vault_key *k;
    size_t n;
    fa_rc rc = fa_store_begin(s, e);

    if (rc)
        return rc;
    rc = fa_vault_key_list(s, a, account, &k, &n, e);
    for (size_t i = 0; !rc && i < n; i++) {
        unsigned char key[VAULT_KEY];

        if (!(rc = unwrap_account_key(a, account, &k[i], key, e)) &&
            !(rc = wrap_account_key(a, account, key, &k[i], e)))
            rc = fa_vault_key_wrap(s, account, &k[i], e);
        sodium_memzero(key, sizeof key);
    }
    if (!rc)
        return fa_store_commit(s, e);
    fa_store_rollback(s);
    return rc;
}

fa_rc fa_vault_rotate(fa_store *s, fa_str account, const char *new_file, const char *dir, size_t *n,
                      fa_err *e)
{
    char id[VAULT_ID + 1];
    fa_arena a;
    fa_rc rc;

    *n = 0;
    if (!fa_vault_ready())
        return no_key(e);
    if ((rc = fa_vault_check(s, account, n, e)) || (rc = vault_load_new(new_file, dir, id, e)))
        return rc; /* what does not open now must not look as if the rotation had broken it */
    fa_arena_init(&a, 1 << 24);
    if (!(rc = rewrap(s, &a, account, e)))
        rc = fa_vault_check(s, account, n, e);
    fa_arena_release(&a);
    if (!rc)
        fa_log(FA_LOG_INFO, "vault_rotated", "master=%s credentials=%zu", id, *n);
    return rc;
}
