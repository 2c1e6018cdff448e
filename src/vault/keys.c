/*
 * keys.c - the master keys of this process: where they come from, and how they are kept.
 */
#include "vault/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RING = 4, FILE_MAX = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned char *key; /* sodium_malloc: locked, guarded, wiped when freed */
    char id[VAULT_ID + 1];
} ring[RING];
static size_t nring; /* ring[0] wraps what is new */

void vault_key_id(const unsigned char key[VAULT_KEY], char id[VAULT_ID + 1])
{
    static const char what[] = "farthing vault key id";
    unsigned char sum[VAULT_ID / 2];

    crypto_generichash(sum, sizeof sum, (const unsigned char *)what, sizeof what - 1, key,
                       VAULT_KEY);
    fa_hex(id, sum, sizeof sum);
}

/* first: it wraps what is new from now on. */
static fa_rc add(const unsigned char key[VAULT_KEY], bool first, fa_err *e)
{
    char id[VAULT_ID + 1];
    unsigned char *own;
    size_t at;

    vault_key_id(key, id);
    pthread_mutex_lock(&lock);
    for (at = 0; at < nring && strcmp(ring[at].id, id) != 0; at++)
        ;
    if (at == nring) {
        if (nring == RING || !(own = sodium_malloc(VAULT_KEY))) {
            pthread_mutex_unlock(&lock);
            return nring == RING
                       ? fa_fail(e, FA_ECONFLICT, "too many vault keys: start farthing again")
                       : fa_oom(e);
        }
        memcpy(own, key, VAULT_KEY);
        ring[nring].key = own;
        memcpy(ring[nring].id, id, sizeof id);
        nring++;
    }
    if (first && at > 0) {
        unsigned char *k = ring[0].key;

        ring[0].key = ring[at].key;
        ring[at].key = k;
        memcpy(ring[at].id, ring[0].id, sizeof id);
        memcpy(ring[0].id, id, sizeof id);
    }
    pthread_mutex_unlock(&lock);
    return FA_OK;
}

bool vault_master(const char *id, unsigned char key[VAULT_KEY], char found[VAULT_ID + 1])
{
    bool ok = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < nring && !ok; i++) {
        if (id && strcmp(ring[i].id, id) != 0)
            continue;
        memcpy(key, ring[i].key, VAULT_KEY);
        memcpy(found, ring[i].id, VAULT_ID + 1);
        ok = true;
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

fa_rc fa_vault_derive(const char *purpose, char id[FA_VAULT_ID_TEXT], unsigned char key[VAULT_KEY],
                      fa_err *e)
{
    unsigned char master[VAULT_KEY];
    char found[VAULT_ID + 1];

    if (!vault_master(id[0] ? id : NULL, master, found))
        return fa_fail(e, FA_EENV, "the vault's master key %s is not at hand", id);
    memcpy(id, found, sizeof found);
    crypto_generichash(key, VAULT_KEY, (const unsigned char *)purpose, strlen(purpose), master,
                       sizeof master);
    sodium_memzero(master, sizeof master);
    return FA_OK;
}

bool fa_vault_ready(void)
{
    bool ready;

    pthread_mutex_lock(&lock);
    ready = nring > 0;
    pthread_mutex_unlock(&lock);
    return ready;
}

void fa_vault_keys_forget(void)
{
    pthread_mutex_lock(&lock);
    while (nring)
        sodium_free(ring[--nring].key);
    pthread_mutex_unlock(&lock);
}

/* 32 bytes as they are, 64 hex digits, or base64; blanks around the text do not count. */
static bool decode(const char *text, size_t n, unsigned char key[VAULT_KEY])
{
    fa_str s;
    size_t got = 0;

    if (n == VAULT_KEY) {
        memcpy(key, text, VAULT_KEY);
        return true;
    }
    s = fa_str_trim((fa_str){text, n});
    if (s.n == 2 * (size_t)VAULT_KEY)
        return sodium_hex2bin(key, VAULT_KEY, s.p, s.n, NULL, &got, NULL) == 0 && got == VAULT_KEY;
    return sodium_base642bin(key, VAULT_KEY, s.p, s.n, NULL, &got, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0 &&
           got == VAULT_KEY;
}

static bool inside(const char *file, const char *dir)
{
    char *f = realpath(file, NULL), *d = dir ? realpath(dir, NULL) : NULL;
    size_t n = d ? strlen(d) : 0;
    bool in = f && d && strncmp(f, d, n) == 0 && f[n] == '/';

    free(f);
    free(d);
    return in;
}

/* dir NULL: systemd's own folder, whose rights are systemd's. */
static fa_rc read_key(const char *file, const char *dir, unsigned char key[VAULT_KEY], fa_err *e)
{
    char text[FILE_MAX];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n;
    fa_rc rc = FA_OK;

    if (fd < 0 || fstat(fd, &st))
        rc = fa_fail(e, FA_EENV, "the vault key file %s cannot be read: %s", file, strerror(errno));
    else if (!S_ISREG(st.st_mode) || (dir && (st.st_mode & 077)))
        rc = fa_fail(e, FA_EENV, "the vault key file %s must be a file its owner alone can read",
                     file),
        fa_hint(e, "chmod 0400 %s", file);
    else if (dir && inside(file, dir))
        rc = fa_fail(e, FA_EENV, "the vault key file %s lies in the data folder it protects", file),
        fa_hint(e, "keep it elsewhere: whoever copies the folder must not have the key");
    else if ((n = read(fd, text, sizeof text)) < 0)
        rc = fa_fail(e, FA_EENV, "the vault key file %s cannot be read: %s", file, strerror(errno));
    else if (!decode(text, (size_t)n, key))
        rc = fa_fail(
            e, FA_EENV,
            "the vault key file %s does not hold 32 bytes, 64 hex digits or base64 of 32 bytes",
            file),
        fa_hint(e, "make one with: farthing vault key FILE");
    if (fd >= 0)
        close(fd);
    sodium_memzero(text, sizeof text);
    return rc;
}

static fa_rc load_file(const char *file, const char *dir, bool first, fa_err *e)
{
    unsigned char key[VAULT_KEY];
    fa_rc rc = read_key(file, dir, key, e);

    if (!rc)
        rc = add(key, first, e);
    sodium_memzero(key, sizeof key);
    return rc;
}

/* *found: there is one. */
static fa_rc load_systemd(bool *found, fa_err *e)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_MAX];

    *found = folder && folder[0] &&
             (size_t)snprintf(path, sizeof path, "%s/farthing-vault-key", folder) < sizeof path &&
             access(path, F_OK) == 0;
    return *found ? load_file(path, NULL, true, e) : FA_OK;
}

static fa_rc load_environment(fa_err *e)
{
    const char *text = getenv("FARTHING_VAULT_KEY");
    unsigned char key[VAULT_KEY];
    fa_rc rc = FA_OK;

    if (!text || !text[0])
        return FA_OK;
    if (strlen(text) == VAULT_KEY || !decode(text, strlen(text), key))
        rc = fa_fail(e, FA_EENV, "FARTHING_VAULT_KEY is not 64 hex digits or base64 of 32 bytes");
    else
        rc = add(key, true, e);
    sodium_memzero(key, sizeof key);
    return rc;
}

fa_rc vault_load_new(const char *file, const char *dir, char id[VAULT_ID + 1], fa_err *e)
{
    unsigned char key[VAULT_KEY];
    fa_rc rc = read_key(file, dir, key, e);

    if (!rc && !(rc = add(key, true, e)))
        vault_key_id(key, id);
    sodium_memzero(key, sizeof key);
    return rc;
}

fa_rc fa_vault_default_key(const char *dir, char out[PATH_MAX], fa_err *e)
{
    char *real = realpath(dir, NULL);
    int n =
        snprintf(out, PATH_MAX, "%s.vault-key", real ? real : dir); /* not there yet: a restore */

    free(real);
    return n > 0 && n < PATH_MAX
               ? FA_OK
               : fa_fail(e, FA_EENV, "could not find the data folder \"%s\"", dir);
}

/* The one that was made when nobody named one. */
static fa_rc load_default(const char *dir, fa_err *e)
{
    char path[PATH_MAX];
    fa_rc rc = fa_vault_default_key(dir, path, e);

    return rc || access(path, F_OK) != 0 ? rc : load_file(path, dir, true, e);
}

/* Neither a core file nor another process of the same user sees the keys. */
static void keep_to_ourselves(void)
{
    const struct rlimit no_core = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &no_core);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    (void)prctl(PR_SET_DUMPABLE, 0); /* a leak checker looks into its own process */
#endif
}

fa_rc fa_vault_keys_load(const char *file, const char *dir, fa_err *e)
{
    const char *old = getenv("FARTHING_VAULT_OLD_KEY_FILE");
    bool found = false;
    fa_rc rc = FA_OK;

    if (sodium_init() < 0)
        return fa_fail(e, FA_EENV, "libsodium could not start");
    keep_to_ourselves();
    if (!file || !file[0])
        file = getenv("FARTHING_VAULT_KEY_FILE");
    if (file && file[0])
        rc = load_file(file, dir, true, e);
    else if (!(rc = load_systemd(&found, e)) && !found && !(rc = load_environment(e)) &&
             !fa_vault_ready() && dir)
        rc = load_default(dir, e);
    if (!rc && old && old[0])
        rc = load_file(old, dir, false, e);
    return rc;
}

fa_rc fa_vault_key_make(const char *file, fa_err *e)
{
    unsigned char key[VAULT_KEY];
    char hex[2 * VAULT_KEY + 2];
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    bool ok;

    if (fd < 0)
        return fa_fail(e, errno == EEXIST ? FA_ECONFLICT : FA_EENV, "could not make %s: %s", file,
                       strerror(errno));
    randombytes_buf(key, sizeof key);
    fa_hex(hex, key, sizeof key);
    hex[2 * VAULT_KEY] = '\n';
    ok = write(fd, hex, 2 * VAULT_KEY + 1) == 2 * VAULT_KEY + 1 && fsync(fd) == 0;
    ok = close(fd) == 0 && ok;
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    if (!ok) {
        unlink(file);
        return fa_fail(e, FA_EENV, "could not write %s", file);
    }
    return FA_OK;
}

fa_rc fa_vault_open(const char *dir, bool make, fa_err *e)
{
    char path[PATH_MAX];
    fa_err none = {0};
    fa_rc rc;

    if (fa_vault_ready())
        return FA_OK;
    if ((rc = fa_vault_keys_load(NULL, dir, e)) || fa_vault_ready() ||
        (rc = fa_vault_default_key(dir, path, e)))
        return rc;
    if (make && access(path, F_OK) != 0) {
        rc = fa_vault_key_make(path, &none);
        if (rc && rc != FA_ECONFLICT) { /* another thread was quicker */
            fa_fail(e, rc, "%s", none.msg);
            return fa_hint(e, "name a file for the key: farthing serve --vault-key FILE");
        }
        if (!rc)
            fa_log(FA_LOG_INFO, "vault_key_made", "path=%s", path);
    }
    return fa_vault_keys_load(path, dir, e);
}
