/*
 * backup.c - keep and bring back: one tar file of what cannot be made again, in a sealed envelope (envelope.c).
 *
 * In it: meta.db as SQLite's own online backup gives it, the archive files of every load that this
 * meta.db knows as live or replaced, the reject files, and last a MANIFEST with the hash of each,
 * so a backup that was cut off or altered is refused. Archive files never change, so taking meta.db
 * first makes the whole consistent while the server goes on. The star is not in it: restore makes
 * it again.
 */
#include "ledger/inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define STEP ((size_t)1 << 20)
#define MANIFEST_MAX ((int64_t)64 << 20)

typedef struct tar {
    FILE *f;
    fa_envelope *v;
    const char *path;
    json_t *manifest; /* name -> hash */
    const fa_progress *p;
    int64_t done, total;
} tar;

/* ---- writing ---- */

/* A number in a tar field: octal, or base 256 when it is too long (GNU). */
static void put_number(char *field, size_t width, uint64_t v)
{
    if (v >> (3 * (width - 1)) == 0) {
        snprintf(field, width, "%0*llo", (int)width - 1, (unsigned long long)v);
        return;
    }
    for (size_t i = 0; i < width; i++)
        field[width - 1 - i] = (char)(v >> (8 * i));
    field[0] = (char)0x80;
}

static fa_rc write_all(tar *t, const void *p, size_t n, fa_err *e)
{
    return fa_envelope_put(t->v, p, n, e);
}

static fa_rc put_header(tar *t, const char *name, uint64_t size, fa_err *e)
{
    char h[BLOCK] = {0};
    unsigned sum = 0;

    if (strlen(name) >= 100)
        return fa_fail(e, FA_EINTERNAL, "the name \"%s\" is too long for the backup", name);
    snprintf(h, 100, "%s", name);
    put_number(h + 100, 8, 0600);
    put_number(h + 108, 8, 0);
    put_number(h + 116, 8, 0);
    put_number(h + 124, 12, size);
    put_number(h + 136, 12, (uint64_t)(fa_now_ms() / 1000));
    memset(h + 148, ' ', 8);
    h[156] = '0';
    snprintf(h + 257, 6, "ustar");
    h[263] = h[264] = '0';
    for (size_t i = 0; i < sizeof h; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    return write_all(t, h, sizeof h, e);
}

static fa_rc put_padding(tar *t, uint64_t size, fa_err *e)
{
    static const char zero[BLOCK];

    return size % BLOCK ? write_all(t, zero, (size_t)(BLOCK - size % BLOCK), e) : FA_OK;
}

static void told(tar *t, size_t n)
{
    fa_progress_state s = {.phase = "archive", .left_ms = -1};

    t->done += (int64_t)n;
    s.bytes = t->done;
    s.bytes_total = t->total;
    s.fraction = t->total > 0 ? (double)t->done / (double)t->total : 0;
    if (t->p && t->p->tick && t->done / (64 << 20) != (t->done - (int64_t)n) / (64 << 20))
        t->p->tick(t->p->user, &s);
}

static fa_rc put_file(tar *t, const char *name, const char *path, fa_err *e)
{
    fa_rc rc = FA_OK;
    FILE *in = fopen(path, "rbe");
    char *buf = malloc(STEP), hex[65];
    unsigned char sum[32];
    crypto_generichash_state st;
    struct stat s;
    uint64_t left = 0;

    if (!in || !buf || fstat(fileno(in), &s) != 0) {
        rc = fa_fail(e, FA_EENV, "could not read \"%s\": %s", path, strerror(errno));
        goto done;
    }
    left = (uint64_t)s.st_size;
    if ((rc = put_header(t, name, left, e)))
        goto done;
    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    while (left > 0) {
        size_t want = left < STEP ? (size_t)left : STEP, got = fread(buf, 1, want, in);

        if (got == 0) {
            rc = fa_fail(e, FA_EENV, "could not read \"%s\" to its end", path);
            goto done;
        }
        if (fa_cancelled(t->p)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
            goto done;
        }
        crypto_generichash_update(&st, (const unsigned char *)buf, got);
        if ((rc = write_all(t, buf, got, e)))
            goto done;
        told(t, got);
        left -= got;
    }
    crypto_generichash_final(&st, sum, sizeof sum);
    fa_hex(hex, sum, sizeof sum);
    if ((rc = put_padding(t, (uint64_t)s.st_size, e)))
        goto done;
    if (json_object_set_new(t->manifest, name, json_string(hex)) != 0)
        rc = fa_oom(e);
done:
    if (in)
        fclose(in);
    free(buf);
    return rc;
}

static fa_rc put_manifest(tar *t, fa_err *e)
{
    static const char zero[2 * BLOCK];
    char *text = json_dumps(t->manifest, JSON_SORT_KEYS | JSON_INDENT(1));
    fa_rc rc;

    if (!text)
        return fa_oom(e);
    if (!(rc = put_header(t, "MANIFEST", strlen(text), e)) &&
        !(rc = write_all(t, text, strlen(text), e)) && !(rc = put_padding(t, strlen(text), e)))
        rc = write_all(t, zero, sizeof zero, e);
    free(text);
    return rc;
}

static fa_rc put_load(tar *t, fa_ledger *l, fa_arena *a, int64_t id, fa_err *e)
{
    char *dir = fa_archive_dir(l, a, id), *reject, *name;
    struct stat st;
    fa_rc rc;

    if (!dir)
        return fa_oom(e);
    for (size_t i = 0;; i++) {
        char *path = fa_arena_printf(a, "%s/%zu.parquet", dir, i);

        name = fa_arena_printf(a, "bills/%lld/%zu.parquet", (long long)id, i);
        if (!path || !name)
            return fa_oom(e);
        if (i > 0 && stat(path, &st) != 0)
            break;
        if ((rc = put_file(t, name, path, e)))
            return rc;
    }
    reject = fa_arena_printf(a, "%s/rejects/%lld.csv", l->dir, (long long)id);
    name = fa_arena_printf(a, "rejects/%lld.csv", (long long)id);
    if (!reject || !name)
        return fa_oom(e);
    return stat(reject, &st) == 0 ? put_file(t, name, reject, e) : FA_OK;
}

fa_rc fa_ledger_backup(fa_ledger *l, const char *to_file, const fa_progress *p, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_arena a;
    fa_load *load;
    size_t n;
    tar t = {.path = to_file, .p = p};
    char *part = NULL, *meta = NULL;

    fa_arena_init(&a, 256 << 20);
    pthread_mutex_lock(&l->write); /* no load may end between meta.db and the list of its loads */
    part = fa_arena_printf(&a, "%s.part", to_file);
    meta = fa_arena_printf(&a, "%s/tmp/backup.db", l->dir);
    if (!part || !meta || !(t.manifest = json_object())) {
        rc = fa_oom(e);
        goto done;
    }
    (void)unlink(meta);
    if ((rc = fa_store_backup(l->store, meta, e)) ||
        (rc = fa_load_list(l->store, &a, l->account, 0, 1000000, &load, &n, e)))
        goto done;
    if (!(t.f = fopen(part, "wbe"))) {
        rc = fa_fail(e, FA_EENV, "could not create \"%s\": %s", part, strerror(errno));
        goto done;
    }
    (void)fchmod(fileno(t.f), 0600);
    if ((rc = fa_envelope_write(t.f, part, &t.v, e)) || (rc = put_file(&t, "meta.db", meta, e)))
        goto done;
    for (size_t i = 0; i < n; i++)
        if ((fa_str_eqz(load[i].state, "live") || fa_str_eqz(load[i].state, "replaced")) &&
            (rc = put_load(&t, l, &a, load[i].id, e)))
            goto done;
    if ((rc = put_manifest(&t, e)) || (rc = fa_envelope_close(t.v, e)))
        goto done;
    if (fflush(t.f) != 0 || fsync(fileno(t.f)) != 0) {
        rc = fa_fail(e, FA_EENV, "could not write \"%s\": %s", part, strerror(errno));
        goto done;
    }
    rc = fa_rename_durable(part, to_file, e);
done:
    pthread_mutex_unlock(&l->write);
    fa_envelope_free(t.v);
    if (t.f)
        fclose(t.f);
    if (meta)
        (void)unlink(meta);
    if (rc && part)
        (void)unlink(part);
    json_decref(t.manifest);
    fa_arena_release(&a);
    return rc;
}

/* ---- reading ---- */

static bool get_number(const char *field, size_t width, uint64_t *out)
{
    uint64_t v = 0;

    if ((unsigned char)field[0] == 0x80) {
        for (size_t i = width - 8; i < width; i++)
            v = v << 8 | (unsigned char)field[i];
        *out = v;
        return true;
    }
    for (size_t i = 0; i < width && field[i] && field[i] != ' '; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        v = v << 3 | (uint64_t)(field[i] - '0');
    }
    *out = v;
    return true;
}

/* The only names that a backup holds: nothing can be written elsewhere. */
static bool name_is_known(const char *name)
{
    uint64_t id, i;
    fa_str s = fa_str_of(name);

    if (fa_str_eqz(s, "meta.db"))
        return true;
    if (fa_take(&s, "bills/"))
        return fa_take_u64(&s, &id) && fa_take(&s, "/") && fa_take_u64(&s, &i) &&
               fa_str_eqz(s, ".parquet");
    return fa_take(&s, "rejects/") && fa_take_u64(&s, &id) && fa_str_eqz(s, ".csv");
}

static fa_rc cut(const tar *t, fa_err *e)
{
    (void)fa_fail(e, FA_EDATA, "the backup \"%s\" is cut off or damaged", t->path);
    return fa_hint(e, "use another backup; nothing was restored");
}

static fa_rc skip_padding(tar *t, uint64_t size, fa_err *e)
{
    char pad[BLOCK];
    size_t n = size % BLOCK ? (size_t)(BLOCK - size % BLOCK) : 0;

    return fa_envelope_get(t->v, pad, n) == n ? FA_OK : cut(t, e);
}

static fa_rc take_file(tar *t, const char *dir, const char *name, uint64_t size, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_arena a;
    char *path, *slash, *buf = malloc(STEP), hex[65];
    FILE *out = NULL;
    unsigned char sum[32];
    crypto_generichash_state st;

    fa_arena_init(&a, 1 << 20);
    path = fa_arena_printf(&a, "%s/%s", dir, name);
    if (!path || !buf) {
        rc = fa_oom(e);
        goto done;
    }
    slash = strrchr(path, '/');
    *slash = '\0';
    rc = fa_mkdirs(path, 0700, e);
    *slash = '/';
    if (rc)
        goto done;
    if (!(out = fopen(path, "wbxe"))) {
        rc = fa_fail(e, FA_EENV, "could not create \"%s\": %s", path, strerror(errno));
        goto done;
    }
    (void)fchmod(fileno(out), 0600);
    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    for (uint64_t left = size; left > 0;) {
        size_t want = left < STEP ? (size_t)left : STEP, got = fa_envelope_get(t->v, buf, want);

        if (got != want) {
            rc = cut(t, e);
            goto done;
        }
        crypto_generichash_update(&st, (const unsigned char *)buf, got);
        if (fwrite(buf, 1, got, out) != got) {
            rc = fa_fail(e, FA_EENV, "could not write \"%s\": %s", path, strerror(errno));
            goto done;
        }
        told(t, got);
        left -= got;
    }
    if (fflush(out) != 0 || fsync(fileno(out)) != 0) {
        rc = fa_fail(e, FA_EENV, "could not write \"%s\": %s", path, strerror(errno));
        goto done;
    }
    crypto_generichash_final(&st, sum, sizeof sum);
    fa_hex(hex, sum, sizeof sum);
    if (json_object_get(t->manifest, name) ||
        json_object_set_new(t->manifest, name, json_string(hex)) != 0)
        rc = cut(t, e);
done:
    if (out)
        fclose(out);
    free(buf);
    fa_arena_release(&a);
    return rc;
}

static fa_rc take_manifest(tar *t, uint64_t size, fa_err *e)
{
    char *text;
    json_t *want;
    fa_rc rc;

    if (size > MANIFEST_MAX)
        return cut(t, e);
    if (!(text = malloc((size_t)size + 1)))
        return fa_oom(e);
    if (fa_envelope_get(t->v, text, (size_t)size) != size || !fa_envelope_whole(t->v)) {
        free(text);
        return cut(t, e);
    }
    want = json_loadb(text, (size_t)size, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    rc = want && json_equal(want, t->manifest) ? FA_OK : cut(t, e);
    json_decref(want);
    return rc;
}

static fa_rc take_all(tar *t, const char *dir, fa_err *e)
{
    for (;;) {
        char h[BLOCK], name[101];
        uint64_t size, want;
        unsigned sum = 0;
        fa_rc rc;

        if (fa_envelope_get(t->v, h, BLOCK) != BLOCK || !h[0])
            return cut(t, e); /* the MANIFEST must come before the end */
        if (!get_number(h + 148, 8, &want) || !get_number(h + 124, 12, &size))
            return cut(t, e);
        memset(h + 148, ' ', 8);
        for (size_t i = 0; i < BLOCK; i++)
            sum += (unsigned char)h[i];
        memcpy(name, h, 100);
        name[100] = '\0';
        if (sum != want || memcmp(h + 257, "ustar", 5) != 0 || h[156] != '0')
            return cut(t, e);
        if (strcmp(name, "MANIFEST") == 0)
            return take_manifest(t, size, e);
        if (!name_is_known(name))
            return cut(t, e);
        if ((rc = take_file(t, dir, name, size, e)) || (rc = skip_padding(t, size, e)))
            return rc;
        if (fa_cancelled(t->p))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
    }
}

static fa_rc check_target(const char *dir, fa_err *e)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    bool empty = true;

    if (!d)
        return errno == ENOENT
                   ? FA_OK
                   : fa_fail(e, FA_EENV, "could not open \"%s\": %s", dir, strerror(errno));
    while ((entry = readdir(d)) != NULL)
        empty &= strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    closedir(d);
    if (empty)
        return FA_OK;
    (void)fa_fail(e, FA_ECONFLICT, "the folder \"%s\" is not empty", dir);
    return fa_hint(e, "restore into a new folder");
}

/* Everybody signs in again after a restore (security.md BK-7). */
static fa_rc end_sessions(fa_ledger *l, fa_err *e)
{
    fa_arena a;
    fa_user *user;
    size_t n;
    fa_rc rc;

    fa_arena_init(&a, 64 << 20);
    rc = fa_user_list(l->store, &a, l->account, &user, &n, e);
    for (size_t i = 0; !rc && i < n; i++)
        rc = fa_session_end_all(l->store, l->account, user[i].id, e);
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_ledger_restore(const char *dir, const char *from_file, const fa_progress *p, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_ledger *l = NULL;
    struct stat st;
    fa_ledger_options o = {.dir = dir};
    tar t = {.path = from_file, .p = p};
    char *part = NULL;
    fa_err ignored;

    fa_arena_init(&a, 1 << 20);
    if ((rc = check_target(dir, e)))
        goto done;
    part = fa_arena_printf(&a, "%s.restoring", dir);
    if (!part || !(t.manifest = json_object())) {
        rc = fa_oom(e);
        goto done;
    }
    if (!(t.f = fopen(from_file, "rbe")) || fstat(fileno(t.f), &st) != 0) {
        rc = fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EENV, "could not open \"%s\": %s",
                     from_file, strerror(errno));
        goto done;
    }
    t.total = st.st_size;
    if ((rc = fa_envelope_read(t.f, from_file, &t.v, e)) || (rc = fa_remove_tree(part, e)) ||
        (rc = fa_mkdirs(part, 0700, e)) || (rc = take_all(&t, part, e)))
        goto done;
    if (rmdir(dir) != 0 && errno != ENOENT) {
        rc = fa_fail(e, FA_EENV, "could not replace \"%s\": %s", dir, strerror(errno));
        goto done;
    }
    if ((rc = fa_rename_durable(part, dir, e)) || (rc = fa_ledger_open(&o, &l, e)))
        goto done;
    rc = end_sessions(l, e);
done:
    fa_ledger_close(l);
    fa_envelope_free(t.v);
    if (t.f)
        fclose(t.f);
    if (rc && part && fa_remove_tree(part, &ignored))
        fa_log(FA_LOG_WARN, "restore_cleanup", "error=%s", ignored.msg);
    json_decref(t.manifest);
    fa_arena_release(&a);
    return rc;
}
