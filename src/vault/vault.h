/*
 * vault.h - secrets at rest: sealed under keys that are not in the data folder.
 *
 * Three layers, each XChaCha20-Poly1305 with a random nonce: the master key (32 bytes from a file, a systemd
 * credential or the environment) wraps the account's key, which wraps one random data key per secret, which
 * seals its value. The additional data binds account, place and key, so a sealed text opens nowhere else.
 *
 * The master keys are the process's, in locked memory: the one of the settings, and after a rotation the new
 * one. A secret in clear lives in a fa_secret (locked, wiped when freed) for the time of its use; nothing
 * here writes it to a log, an error or a file. Without a master key everything else of Farthing works.
 *
 * Errors: FA_EENV no or a wrong master key, FA_EDATA a sealed text was changed, FA_EINVAL a field is wrong.
 * Threads: any.
 */
#ifndef FA_VAULT_H
#define FA_VAULT_H

#include "base/base.h"
#include "store/store.h"

/* ---- master keys ---- */

/* The key of FILE, or of FARTHING_VAULT_KEY_FILE, of the systemd credential "farthing-vault-key", of
 * FARTHING_VAULT_KEY, of DIR.vault-key beside the data folder `dir`, whichever is there first; and, if it is there, that of FARTHING_VAULT_OLD_KEY_FILE. A key file
 * others can read, or inside `dir` (the data folder), is refused. None at all is FA_OK: see fa_vault_ready. */
FA_MUST_CHECK fa_rc fa_vault_keys_load(const char *file, const char *dir, fa_err *e);
FA_MUST_CHECK fa_rc fa_vault_default_key(const char *dir, char out[4096], fa_err *e); /* where DIR.vault-key is */
FA_MUST_CHECK fa_rc fa_vault_key_make(const char *file, fa_err *e); /* a new key into a new file, mode 0400 */
/* The process has a master key: the one it was started with, or the default one, which `make` makes when it is missing. */
FA_MUST_CHECK fa_rc fa_vault_open(const char *dir, bool make, fa_err *e);
/* A key for a purpose, derived from the master key `id`; an empty id: from the present one, whose id is filled in. */
enum { FA_VAULT_ID_TEXT = 17 };
FA_MUST_CHECK fa_rc fa_vault_derive(const char *purpose, char id[FA_VAULT_ID_TEXT], unsigned char key[32], fa_err *e);
bool                fa_vault_ready(void);
void                fa_vault_keys_forget(void);

/* ---- any secret of any noun ---- */

typedef struct fa_secret {
    char  *p; /* locked memory, zero-terminated; NULL: empty */
    size_t n;
} fa_secret;
void fa_secret_free(fa_secret *s); /* wipes; safe on a zeroed one */

/* `place` is where the sealed text will be kept: "credential/<id>/value". */
FA_MUST_CHECK fa_rc fa_vault_seal(fa_store *s, fa_arena *a, fa_str account, const char *place, fa_str clear, fa_str *sealed,
                                  fa_err *e);
FA_MUST_CHECK fa_rc fa_vault_unseal(fa_store *s, fa_str account, const char *place, fa_str sealed, fa_secret *out, fa_err *e);
/* 8 hex digits of a keyed hash: says whether two values are the same, and nothing else. */
FA_MUST_CHECK fa_rc fa_vault_fingerprint(fa_store *s, fa_str account, fa_str clear, char out[9], fa_err *e);

/* Wraps the account's key with the key of new_file, which opens the vault from then on beside the old one
 * (give it to the next start); then opens every credential to prove it. *n: how many there are. */
FA_MUST_CHECK fa_rc fa_vault_rotate(fa_store *s, fa_str account, const char *new_file, const char *dir, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_vault_check(fa_store *s, fa_str account, size_t *n, fa_err *e); /* opens every credential */

/* ---- credentials: named secrets of a kind ---- */

typedef struct fa_credential_field {
    const char *name, *label;
    bool        required, many_lines;
} fa_credential_field;
typedef struct fa_credential_kind {
    const char *name, *label;
    fa_credential_field field[6]; /* ends with a NULL name */
} fa_credential_kind;
extern const fa_credential_kind fa_credential_kinds[]; /* ends with a NULL name */
const fa_credential_kind *fa_credential_kind_find(fa_str name);

/* `value` is a JSON object of the kind's fields, texts. Fills id, fingerprint, times. */
FA_MUST_CHECK fa_rc fa_credential_put(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_str kind, fa_str owner,
                                      fa_str value, int64_t expires_ms, fa_credential *out, fa_err *e);
/* A new value for the same name and users of it; an empty value keeps the old one. */
FA_MUST_CHECK fa_rc fa_credential_renew(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str name, fa_str value,
                                        int64_t expires_ms, fa_credential *out, fa_err *e);
/* The value as JSON, for the moment of a call; marks it used. `why` goes to the log with the credential's name. */
FA_MUST_CHECK fa_rc fa_credential_reveal(fa_store *s, fa_arena *a, fa_str account, fa_str id, const char *why, fa_secret *out,
                                         fa_err *e);
FA_MUST_CHECK fa_rc fa_credential_value_check(fa_str kind, fa_str value, fa_err *e); /* e->field: the field's name */

#endif
