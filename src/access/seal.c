/*
 * seal.c - what must be read back (seeds of second factors, secrets of sign-on) is kept sealed by the vault.
 *
 * The vault's master key is the operator's; where he named none, it is DIR.vault-key beside the data folder DIR, made
 * when it is first needed. It is never in the folder, so neither a backup nor a stolen meta.db opens anything. What a
 * text is about is bound into it, so a row moved to another place does not open.
 *
 * Folders of earlier versions have seals under a key of their own (FARTHING_KEY_FILE, the systemd credential
 * "farthing-key", or DIR.key): they open still, and fa_seal_is_old says that it is time to seal them anew.
 */
#include "access/internal.h"

#include "vault/vault.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BY_VAULT FA_STR("vault:")
enum { KEY = crypto_aead_xchacha20poly1305_ietf_KEYBYTES };

/* ---- the vault ---- */

static fa_rc vault_place(fa_arena *a, fa_str about, const char **out, fa_err *e)
{
    /* a bare id is a user's seed, anything else says itself where it is kept */
    *out = memchr(about.p, '/', about.n) ? fa_arena_dupz(a, about)
                                         : fa_arena_printf(a, "user/%.*s/totp", FA_FMT(about));
    return *out ? FA_OK : fa_oom(e);
}

static fa_rc vault_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain,
                          fa_err *e)
{
    const char *place;
    fa_secret clear = {0};
    fa_rc rc;

    sealed = (fa_str){sealed.p + BY_VAULT.n, sealed.n - BY_VAULT.n};
    if ((rc = fa_vault_open(fa_ledger_dir(l), false, e)) ||
        (rc = vault_place(a, about, &place, e)) ||
        (rc = fa_vault_unseal(fa_ledger_store(l), fa_ledger_account(l), place, sealed, &clear, e)))
        return rc;
    *plain = fa_arena_dup(a, (fa_str){clear.p ? clear.p : "", clear.n});
    fa_secret_free(&clear);
    return plain->p ? FA_OK : fa_oom(e);
}

fa_rc fa_seal(fa_ledger *l, fa_arena *a, fa_str plain, fa_str about, fa_str *out, fa_err *e)
{
    const char *place, *z;
    fa_str sealed;
    fa_rc rc;

    if ((rc = fa_vault_open(fa_ledger_dir(l), true, e)) ||
        (rc = vault_place(a, about, &place, e)) ||
        (rc = fa_vault_seal(fa_ledger_store(l), a, fa_ledger_account(l), place, plain, &sealed, e)))
        return rc;
    z = fa_arena_printf(a, "vault:%.*s", FA_FMT(sealed));
    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

/* ---- seals of earlier versions ---- */

bool fa_seal_is_old(fa_str sealed)
{
    return sealed.n && !fa_str_starts(sealed, BY_VAULT);
}

static fa_rc old_key_path(fa_ledger *l, char out[PATH_MAX], fa_err *e)
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
        if (!realpath(fa_ledger_dir(fa_ledger_home(l)), dir))
            return fa_fail(e, FA_EENV, "could not find the data folder: %s",
                           strerrordesc_np(errno));
        n = snprintf(out, PATH_MAX, "%s.key", dir);
    }
    return n > 0 && n < PATH_MAX ? FA_OK : fa_fail(e, FA_EENV, "the path of the key is too long");
}

static fa_rc old_key_get(fa_ledger *l, unsigned char key[KEY], fa_err *e)
{
    char path[PATH_MAX];
    struct stat st;
    fa_buf b;
    size_t n = 0;
    fa_rc rc;

    if ((rc = old_key_path(l, path, e)))
        return rc;
    if (stat(path, &st) != 0) {
        fa_fail(e, FA_EENV, "could not read the key \"%s\": %s", path, strerrordesc_np(errno));
        return fa_hint(e, "bring the key back; without it second factors have to be set up again");
    }
    if (st.st_mode & 077) {
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

static fa_rc old_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain,
                        fa_err *e)
{
    enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES };
    unsigned char key[KEY], *box = fa_arena_alloc(a, sealed.n + 1),
                            *out = fa_arena_alloc(a, sealed.n + 1);
    char *ad = fa_arena_printf(a, "%.*s|%.*s", FA_FMT(fa_ledger_account(l)), FA_FMT(about));
    unsigned long long n = 0;
    size_t nbox = 0;
    bool ok;
    fa_rc rc;

    if (!box || !out || !ad)
        return fa_oom(e);
    if ((rc = old_key_get(l, key, e)))
        return rc;
    ok = sodium_base642bin(box, sealed.n, sealed.p, sealed.n, NULL, &nbox, NULL,
                           sodium_base64_VARIANT_ORIGINAL) == 0 &&
         nbox > NONCE &&
         crypto_aead_xchacha20poly1305_ietf_decrypt(out, &n, NULL, box + NONCE, nbox - NONCE,
                                                    (const unsigned char *)ad, strlen(ad), box,
                                                    key) == 0;
    sodium_memzero(key, sizeof key);
    if (!ok)
        return fa_fail(e, FA_EENV, "a sealed value does not open with this key");
    *plain = (fa_str){(const char *)out, (size_t)n};
    return FA_OK;
}

fa_rc fa_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain, fa_err *e)
{
    return fa_seal_is_old(sealed) ? old_unseal(l, a, sealed, about, plain, e)
                                  : vault_unseal(l, a, sealed, about, plain, e);
}
