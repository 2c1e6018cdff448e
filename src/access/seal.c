/*
 * seal.c - what must be read back (the seeds of second factors) is kept sealed with XChaCha20-Poly1305.
 *
 * Where the vault has its master key, it does the work. Else the key is one of our own, never in the data folder, so neither a backup nor a stolen meta.db opens anything: it is the
 * file named by FARTHING_KEY_FILE, the systemd credential "farthing-key", or DIR.key beside the data
 * folder DIR, made when it is first needed. What a text is about (account, user) is bound into it,
 * so a row moved to another place does not open.
 */
#include "access/internal.h"

#include "vault/vault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES, PLAIN_MAX = 32768 };

static fa_rc key_path(fa_ledger *l, char out[PATH_MAX], fa_err *e)
{
    const char *file = getenv("FARTHING_KEY_FILE"), *credentials = getenv("CREDENTIALS_DIRECTORY");
    char dir[PATH_MAX];
    int n;

    if (file && *file) {
        n = snprintf(out, PATH_MAX, "%s", file);
    } else {
        if (credentials && *credentials) {
            n = snprintf(out, PATH_MAX, "%s/farthing-key", credentials);
            if (n > 0 && n < PATH_MAX && access(out, R_OK) == 0)
                return FA_OK;
        }
        if (!realpath(fa_ledger_dir(l), dir))
            return fa_fail(e, FA_EENV, "could not find the data folder: %s",
                           strerrordesc_np(errno));
        n = snprintf(out, PATH_MAX, "%s.key", dir);
    }
    return n > 0 && n < PATH_MAX ? FA_OK : fa_fail(e, FA_EENV, "the path of the key is too long");
}

static fa_rc key_make(const char *path, fa_err *e)
{
    unsigned char key[KEY];
    char hex[2 * KEY + 2];
    fa_rc rc;

    fa_random(key, sizeof key);
    fa_hex(hex, key, sizeof key);
    rc = fa_file_write_durable(path, (fa_str){hex, 2 * KEY}, 0400, e);
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    if (rc)
        return fa_hint(e, "name a file for the key with FARTHING_KEY_FILE");
    fa_log(FA_LOG_INFO, "key_made", "path=%s", path);
    return FA_OK;
}

static fa_rc key_get(fa_ledger *l, bool make, unsigned char key[KEY], fa_err *e)
{
    char path[PATH_MAX];
    struct stat st;
    fa_buf b;
    size_t n = 0;
    fa_rc rc;

    if ((rc = key_path(l, path, e)))
        return rc;
    if (stat(path, &st) != 0) {
        if (errno != ENOENT || !make) {
            fa_fail(e, FA_EENV, "could not read the key \"%s\": %s", path, strerrordesc_np(errno));
            return fa_hint(e,
                           "bring the key back; without it second factors have to be set up again");
        }
        if ((rc = key_make(path, e)))
            return rc;
    } else if (st.st_mode & 077) {
        fa_fail(e, FA_EENV, "the key \"%s\" can be read by others", path);
        return fa_hint(e, "chmod 0400 it");
    }
    fa_buf_init(&b, 1024);
    rc = fa_file_read(path, 1024, &b, e);
    if (!rc && (sodium_hex2bin(key, KEY, b.p, b.n, " \r\n", &n, NULL) != 0 || n != KEY))
        rc = fa_fail(e, FA_EENV, "the key \"%s\" is not 64 hexadecimal digits", path);
    if (b.p)
        sodium_memzero(b.p, b.n);
    fa_buf_release(&b);
    return rc;
}

static fa_rc bound_to(fa_ledger *l, fa_arena *a, fa_str about, fa_str *out, fa_err *e)
{
    char *z = fa_arena_printf(a, "%.*s|%.*s", FA_FMT(fa_ledger_account(l)), FA_FMT(about));

    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

#define BY_VAULT FA_STR("vault:")

static fa_rc vault_place(fa_arena *a, fa_str about, const char **out, fa_err *e)
{
    /* a bare id is a user's seed, anything else says itself where it is kept */
    *out = memchr(about.p, '/', about.n) ? fa_arena_dupz(a, about)
                                         : fa_arena_printf(a, "user/%.*s/totp", FA_FMT(about));
    return *out ? FA_OK : fa_oom(e);
}

static fa_rc vault_seal(fa_ledger *l, fa_arena *a, fa_str plain, fa_str about, fa_str *out,
                        fa_err *e)
{
    const char *place, *z;
    fa_str sealed;
    fa_rc rc;

    if ((rc = vault_place(a, about, &place, e)) ||
        (rc = fa_vault_seal(fa_ledger_store(l), a, fa_ledger_account(l), place, plain, &sealed, e)))
        return rc;
    z = fa_arena_printf(a, "vault:%.*s", FA_FMT(sealed));
    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

static fa_rc vault_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain,
                          fa_err *e)
{
    const char *place;
    fa_secret clear = {0};
    fa_rc rc;

    sealed = (fa_str){sealed.p + BY_VAULT.n, sealed.n - BY_VAULT.n};
    if ((rc = vault_place(a, about, &place, e)) ||
        (rc = fa_vault_unseal(fa_ledger_store(l), fa_ledger_account(l), place, sealed, &clear, e)))
        return rc;
    *plain = fa_arena_dup(a, (fa_str){clear.p ? clear.p : "", clear.n});
    fa_secret_free(&clear);
    return plain->p ? FA_OK : fa_oom(e);
}

fa_rc fa_seal(fa_ledger *l, fa_arena *a, fa_str plain, fa_str about, fa_str *out, fa_err *e)
{
    enum {
        NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
        TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
    };
    unsigned char key[KEY], *box = fa_arena_alloc(a, NONCE + plain.n + TAG);
    unsigned long long n = 0;
    size_t room = sodium_base64_encoded_len(NONCE + plain.n + TAG, sodium_base64_VARIANT_ORIGINAL);
    char *text = fa_arena_alloc(a, room);
    fa_str ad;
    fa_rc rc;

    if (fa_vault_ready())
        return vault_seal(l, a, plain, about, out, e);
    if (!box || !text || plain.n > PLAIN_MAX)
        return fa_oom(e);
    if ((rc = bound_to(l, a, about, &ad, e)) || (rc = key_get(l, true, key, e)))
        return rc;
    fa_random(box, NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, &n, (const unsigned char *)plain.p,
                                               plain.n, (const unsigned char *)ad.p, ad.n, NULL,
                                               box, key);
    sodium_memzero(key, sizeof key);
    sodium_bin2base64(text, room, box, NONCE + n, sodium_base64_VARIANT_ORIGINAL);
    *out = fa_str_of(text);
    return FA_OK;
}

fa_rc fa_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain, fa_err *e)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    unsigned char key[KEY], *box = fa_arena_alloc(a, sealed.n + 1),
                            *out = fa_arena_alloc(a, sealed.n + 1);
    unsigned long long n = 0;
    size_t nbox = 0;
    bool ok;
    fa_str ad;
    fa_rc rc;

    if (fa_str_starts(sealed, BY_VAULT))
        return vault_unseal(l, a, sealed, about, plain, e);
    if (!box || !out)
        return fa_oom(e);
    if ((rc = bound_to(l, a, about, &ad, e)) || (rc = key_get(l, false, key, e)))
        return rc;
    ok = sodium_base642bin(box, sealed.n, sealed.p, sealed.n, NULL, &nbox, NULL,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         nbox > NONCE &&
         crypto_aead_xchacha20poly1305_ietf_decrypt(out, &n, NULL, box + NONCE, nbox - NONCE,
                                                    (const unsigned char *)ad.p, ad.n, box,
                                                    key) == 0;
    sodium_memzero(key, sizeof key);
    if (!ok)
        return fa_fail(e, FA_EENV, "a sealed value does not open with this key");
    *plain = (fa_str){(const char *)out, (size_t)n};
    return FA_OK;
}
