/*
 * envelope.c - the bytes of a backup on their way to and from its file: sealed under the vault's master key.
 *
 * A sealed file is the magic, the id of the master key, libsodium's secretstream header and chunks of 64 KiB, each
 * XChaCha20-Poly1305, the last one tagged as the last: what is cut, swapped, changed or added is found. The key is
 * derived from the master key and is not in the file. Without a master key the bytes go as they are, as they did before.
 */
#include "ledger/inner.h"

#include "vault/vault.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "farthing-backup1" /* 16 bytes, no tar begins so */
enum {
    CHUNK = 64 << 10,
    EXTRA = crypto_secretstream_xchacha20poly1305_ABYTES,
    HEAD = crypto_secretstream_xchacha20poly1305_HEADERBYTES
};

struct fa_envelope {
    FILE *f;
    const char *path;
    bool sealed, writes, last, bad;
    crypto_secretstream_xchacha20poly1305_state st;
    size_t n, at; /* of clear: filled, and taken */
    unsigned char clear[CHUNK], box[CHUNK + EXTRA];
};

bool fa_envelope_sealed(const fa_envelope *v)
{
    return v->sealed;
}

void fa_envelope_free(fa_envelope *v)
{
    if (!v)
        return;
    sodium_memzero(v, sizeof *v);
    free(v);
}

static fa_rc failed(const fa_envelope *v, const char *doing, fa_err *e)
{
    return fa_fail(e, FA_EENV, "could not %s \"%s\": %s", doing, v->path, strerror(errno));
}

static fa_rc put_raw(fa_envelope *v, const void *p, size_t n, fa_err *e)
{
    return fwrite(p, 1, n, v->f) == n ? FA_OK : failed(v, "write", e);
}

static fa_rc key_of(char id[FA_VAULT_ID_TEXT], unsigned char key[32], fa_err *e)
{
    return fa_vault_derive("farthing backup", id, key, e);
}

fa_rc fa_envelope_write(FILE *f, const char *path, fa_envelope **out, fa_err *e)
{
    fa_envelope *v = calloc(1, sizeof *v);
    unsigned char key[32], head[HEAD];
    char id[FA_VAULT_ID_TEXT] = "";
    fa_rc rc = FA_OK;

    *out = v;
    if (!v)
        return fa_oom(e);
    v->f = f;
    v->path = path;
    v->writes = true;
    v->sealed = fa_vault_ready();
    if (!v->sealed)
        return FA_OK;
    if ((rc = key_of(id, key, e)))
        return rc;
    crypto_secretstream_xchacha20poly1305_init_push(&v->st, head, key);
    sodium_memzero(key, sizeof key);
    if ((rc = put_raw(v, MAGIC, sizeof MAGIC - 1, e)) || (rc = put_raw(v, id, strlen(id), e)))
        return rc;
    return put_raw(v, head, sizeof head, e);
}

static fa_rc push(fa_envelope *v, bool last, fa_err *e)
{
    unsigned char tag = last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;

    crypto_secretstream_xchacha20poly1305_push(&v->st, v->box, NULL, v->clear, v->n, NULL, 0, tag);
    sodium_memzero(v->clear, v->n);
    return put_raw(v, v->box, v->n + EXTRA, e);
}

fa_rc fa_envelope_put(fa_envelope *v, const void *p, size_t n, fa_err *e)
{
    const unsigned char *from = p;

    if (!v->sealed)
        return put_raw(v, p, n, e);
    while (n) {
        size_t take = n < CHUNK - v->n ? n : CHUNK - v->n;
        fa_rc rc;

        memcpy(v->clear + v->n, from, take);
        v->n += take;
        from += take;
        n -= take;
        if (v->n < CHUNK)
            break;
        if ((rc = push(v, false, e)))
            return rc;
        v->n = 0;
    }
    return FA_OK;
}

fa_rc fa_envelope_close(fa_envelope *v, fa_err *e)
{
    return v->sealed ? push(v, true, e) : FA_OK;
}

/* ---- reading ---- */

fa_rc fa_envelope_read(FILE *f, const char *path, fa_envelope **out, fa_err *e)
{
    fa_envelope *v = calloc(1, sizeof *v);
    char magic[sizeof MAGIC - 1], id[FA_VAULT_ID_TEXT] = "";
    unsigned char key[32], head[HEAD];
    fa_rc rc;

    *out = v;
    if (!v)
        return fa_oom(e);
    v->f = f;
    v->path = path;
    if (fread(magic, 1, sizeof magic, f) != sizeof magic || memcmp(magic, MAGIC, sizeof magic)) {
        rewind(f); /* as earlier versions wrote it, or without a key */
        return FA_OK;
    }
    v->sealed = true;
    if (fread(id, 1, sizeof id - 1, f) != sizeof id - 1 || fread(head, 1, HEAD, f) != HEAD) {
        v->bad = true;
        return FA_OK;
    }
    if ((rc = key_of(id, key, e))) {
        fa_fail(e, FA_EENV, "the backup is sealed with the master key %.16s, which is not at hand",
                id);
        return fa_hint(e, "give the key of that time: farthing restore --vault-key FILE");
    }
    v->bad = crypto_secretstream_xchacha20poly1305_init_pull(&v->st, head, key) != 0;
    sodium_memzero(key, sizeof key);
    return FA_OK;
}

/* The next chunk; false: there is none, or it is not what was written. */
static bool pull(fa_envelope *v)
{
    unsigned long long n = 0;
    unsigned char tag = 0;
    size_t got;

    if (v->bad || v->last)
        return false;
    got = fread(v->box, 1, sizeof v->box, v->f);
    if (got < EXTRA || crypto_secretstream_xchacha20poly1305_pull(&v->st, v->clear, &n, &tag,
                                                                  v->box, got, NULL, 0) != 0) {
        v->bad = true;
        return false;
    }
    v->last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    v->bad = v->last ? fgetc(v->f) != EOF : got != sizeof v->box;
    v->n = (size_t)n;
    v->at = 0;
    return !v->bad;
}

size_t fa_envelope_get(fa_envelope *v, void *p, size_t n)
{
    unsigned char *to = p;
    size_t done = 0;

    if (!v->sealed)
        return fread(p, 1, n, v->f);
    while (done < n) {
        size_t take = n - done < v->n - v->at ? n - done : v->n - v->at;

        memcpy(to + done, v->clear + v->at, take);
        v->at += take;
        done += take;
        if (done < n && v->at == v->n && !pull(v))
            break;
    }
    return done;
}

bool fa_envelope_whole(fa_envelope *v)
{
    if (!v->sealed)
        return true;
    while (pull(v))
        ;
    return v->last && !v->bad;
}
