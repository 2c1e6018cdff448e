/*
 * store.c - meta.db: opening, migrations, transactions, running named statements, backup, check.
 *
 * One connection behind one recursive mutex: metadata is small and its transactions are short, so
 * there is never a reader to keep apart from a writer. Every statement is prepared when the file is
 * opened, so a wrong one is found before anything is served.
 *
 * A failed fsync is final: the kernel may have thrown the page away, so from then on every write is
 * refused until the program is started again and reads what the disk really holds.
 */
#include "store/db.h"

#include "base/embed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    SQLITE_LEAST = 3051003,  /* earlier releases can lose a committed transaction (WAL reset) */
    APPLICATION = 0x46727468 /* "Frth": this file is Farthing's */
};

struct fa_store {
    sqlite3 *db;
    pthread_mutex_t lock;
    bool in_tx, broken;
    sqlite3_stmt **st[FA_DB__NOUNS];
    char path[PATH_MAX];
};

const fa_db_table *const fa_db_tables[FA_DB__NOUNS] = {
#define X(noun) &fa_db_##noun,
    FA_DB_NOUNS(X)
#undef X
};

extern const fa_embedded fa_store_schema[];

/* ---- SQLite's words into ours ---- */

static fa_rc fail_db(fa_store *s, const char *what, fa_err *e)
{
    int code = sqlite3_extended_errcode(s->db);
    fa_rc rc;

    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
            return fa_fail(e, FA_ECONFLICT, "could not %s: there is one like it already", what);
        if (code == SQLITE_CONSTRAINT_FOREIGNKEY)
            return fa_fail(e, FA_ENOTFOUND, "could not %s: what it belongs to does not exist",
                           what);
        return fa_fail(e, FA_EINVAL, "could not %s: %s", what, sqlite3_errmsg(s->db));
    case SQLITE_NOMEM:
        return fa_oom(e);
    case SQLITE_TOOBIG:
        return fa_fail(e, FA_ETOOBIG, "could not %s: too large", what);
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
            s->broken = true;
        rc =
            fa_fail(e, FA_EENV, "could not %s in \"%s\": %s", what, s->path, sqlite3_errmsg(s->db));
        if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
            fa_hint(e, "restore the last backup with: farthing restore");
        else if ((code & 0xff) == SQLITE_FULL)
            fa_hint(e, "free some space on that disk and try again");
        return rc;
    default:
        return fa_fail(e, FA_EINTERNAL, "could not %s: %s", what, sqlite3_errmsg(s->db));
    }
}

static fa_rc exec(fa_store *s, const char *sql, const char *what, fa_err *e)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? FA_OK : fail_db(s, what, e);
}

static fa_rc pragma_int(fa_store *s, const char *sql, int64_t *out, fa_err *e)
{
    sqlite3_stmt *st = NULL;
    fa_rc rc = FA_OK;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW)
        rc = fail_db(s, "read the schema version", e);
    else
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc;
}

/* ---- is this a place for a database? ---- */

/* The type of the mount that holds st_dev, as the kernel lists it: "fuse.sshfs". */
static void mount_type(dev_t dev, char *out, size_t size)
{
    char line[4096], want[32];
    FILE *f = fopen("/proc/self/mountinfo", "re");

    out[0] = '\0';
    if (!f)
        return;
    snprintf(want, sizeof want, "%u:%u", major(dev), minor(dev));
    while (fgets(line, sizeof line, f)) {
        char id[32];
        const char *dash = strstr(line, " - ");

        if (dash && sscanf(line, "%*s %*s %31s", id) == 1 && strcmp(id, want) == 0)
            snprintf(out, size, "%.*s", (int)strcspn(dash + 3, " \n"), dash + 3);
    }
    fclose(f);
}

/* SQLite's locks and shared memory do not hold between machines, and FUSE rarely syncs. */
static fa_rc refuse_network(const char *path, fa_err *e)
{
    static const struct {
        unsigned long magic;
        const char *name;
    } kinds[] = {
        {0x6969, "NFS"},      {0x517b, "SMB"},        {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"},
        {0x00c36400, "Ceph"}, {0x5346414f, "AFS"},    {0x73757245, "Coda"}, {0x564c, "NCP"},
        {0x65735546, "FUSE"}, {0x0bd00bd0, "Lustre"},
    };
    char dir[PATH_MAX], type[64];
    struct statfs fs;
    struct stat st;
    const char *slash = strrchr(path, '/');

    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (!dir[0])
        snprintf(dir, sizeof dir, "/");
    if (statfs(dir, &fs) != 0 || stat(dir, &st) != 0)
        return fa_fail(e, FA_EENV, "could not look at the folder \"%s\": %s", dir,
                       strerrordesc_np(errno));
    for (size_t i = 0; i < FA_COUNT(kinds); i++) {
        if ((unsigned long)fs.f_type != kinds[i].magic)
            continue;
        if (strcmp(kinds[i].name, "FUSE") == 0) { /* these two are local disks */
            mount_type(st.st_dev, type, sizeof type);
            if (strcmp(type, "fuseblk") == 0 || strcmp(type, "fuse.fuse-overlayfs") == 0)
                return FA_OK;
        }
        fa_fail(
            e, FA_EENV,
            "the folder \"%s\" is on a network file system (%s), where a database can be damaged",
            dir, kinds[i].name);
        return fa_hint(e, "use a folder on a local disk");
    }
    return FA_OK;
}

/* ---- migrations ---- */

static fa_rc migrate_one(fa_store *s, const fa_embedded *f, int64_t version, fa_err *e)
{
    char sql[64];
    fa_rc rc;

    if ((rc = exec(s, "BEGIN IMMEDIATE", "begin a migration", e)))
        return rc;
    snprintf(sql, sizeof sql, "PRAGMA user_version = %lld", (long long)version);
    if ((rc = exec(s, (const char *)f->data, "change the schema", e)) ||
        (rc = exec(s, sql, "set the schema version", e)) ||
        (rc = exec(s, "COMMIT", "commit a migration", e))) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        fa_in(e, f->name);
    }
    return rc;
}

static fa_rc migrate(fa_store *s, fa_err *e)
{
    int64_t have = 0, application = 0, newest = 0, tables = 0;
    char sql[64];
    fa_rc rc;

    if ((rc = pragma_int(s, "PRAGMA user_version", &have, e)) ||
        (rc = pragma_int(s, "PRAGMA application_id", &application, e)) ||
        (rc = pragma_int(s, "SELECT count(*) FROM sqlite_schema", &tables, e)))
        return rc;
    while (fa_store_schema[newest].name)
        newest++;
    if (application != APPLICATION && (have || tables))
        return fa_fail(e, FA_EENV, "\"%s\" is a database of another program", s->path);
    if (have > newest) {
        fa_fail(e, FA_EENV,
                "\"%s\" has schema version %lld, this program knows versions up to %lld", s->path,
                (long long)have, (long long)newest);
        return fa_hint(e, "run the newer farthing that wrote it, or restore an older backup");
    }
    if (have == 0) {
        snprintf(sql, sizeof sql, "PRAGMA application_id = %d", APPLICATION);
        if ((rc = exec(s, sql, "mark the database", e)))
            return rc;
    }
    for (int64_t v = have; v < newest; v++)
        if ((rc = migrate_one(s, &fa_store_schema[v], v + 1, e)))
            return rc;
    return FA_OK;
}

/* ---- open and close ---- */

fa_rc fa_store_prepare_all(fa_store *s, fa_err *e)
{
    for (size_t i = 0; i < FA_DB__NOUNS; i++) {
        const fa_db_table *t = fa_db_tables[i];

        if (!s->st[i] && !(s->st[i] = calloc(t->n, sizeof(sqlite3_stmt *))))
            return fa_oom(e);
        for (size_t k = 0; k < t->n; k++) {
            if (!s->st[i][k] &&
                sqlite3_prepare_v3(s->db, t->st[k].sql, -1, SQLITE_PREPARE_PERSISTENT, &s->st[i][k],
                                   NULL) != SQLITE_OK)
                return fa_fail(e, FA_EINTERNAL, "could not prepare the statement %s.%s: %s",
                               t->name, t->st[k].name, sqlite3_errmsg(s->db));
        }
    }
    return FA_OK;
}

/* Created by us so that it is the owner's alone from its first byte on; -wal and -shm follow its
 * mode. */
static fa_rc touch(const char *path, fa_err *e)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerrordesc_np(errno));
    close(fd);
    return FA_OK;
}

static fa_rc set_up(fa_store *s, fa_err *e)
{
    static const char pragmas[] = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL;"
                                  "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                                  "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                  "PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;"
                                  "PRAGMA mmap_size = 0; PRAGMA journal_size_limit = 67108864";

    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(s->db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    return exec(s, pragmas, "open", e);
}

/* Some file systems have no shared memory; SQLite then quietly keeps another journal. */
static fa_rc must_be_wal(fa_store *s, fa_err *e)
{
    int64_t is_wal = 0;
    fa_rc rc = pragma_int(s, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", &is_wal, e);

    if (!rc && !is_wal)
        rc = fa_fail(e, FA_EENV, "the file system of \"%s\" has no write-ahead log", s->path);
    return rc;
}

fa_rc fa_store_open(const char *path, fa_store **out, fa_err *e)
{
    fa_store *s = NULL;
    pthread_mutexattr_t attr;
    fa_rc rc;

    *out = NULL;
    if (sqlite3_libversion_number() < SQLITE_LEAST)
        return fa_fail(e, FA_EENV, "SQLite %s is too old: releases before 3.51.3 can lose data",
                       sqlite3_libversion());
    if (strlen(path) >= sizeof s->path)
        return fa_fail(e, FA_EINVAL, "path too long: \"%.100s...\"", path);
    if ((rc = refuse_network(path, e)) || (rc = touch(path, e)))
        return rc;
    if (!(s = calloc(1, sizeof *s)))
        return fa_oom(e);
    memcpy(s->path, path, strlen(path) + 1);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    if (sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        rc = s->db ? fail_db(s, "open the database", e) : fa_oom(e);
        goto done;
    }
    if ((rc = set_up(s, e)) || (rc = must_be_wal(s, e)) || (rc = migrate(s, e)) ||
        (rc = fa_store_prepare_all(s, e)))
        goto done;
    *out = s;
    s = NULL;
done:
    fa_store_close(s);
    return rc;
}

void fa_store_close(fa_store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < FA_DB__NOUNS; i++) {
        for (size_t k = 0; s->st[i] && k < fa_db_tables[i]->n; k++)
            sqlite3_finalize(s->st[i][k]);
        free(s->st[i]);
    }
    sqlite3_close_v2(s->db);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

sqlite3 *fa_db_handle(fa_store *s)
{
    return s->db;
}

/* ---- transactions ---- */

static fa_rc refuse_broken(const fa_store *s, fa_err *e)
{
    if (!s->broken)
        return FA_OK;
    fa_fail(e, FA_EENV, "the disk of \"%s\" failed to keep what was written", s->path);
    return fa_hint(e, "check the disk, then start farthing again");
}

fa_rc fa_store_begin(fa_store *s, fa_err *e)
{
    fa_rc rc;

    pthread_mutex_lock(&s->lock);
    if (s->in_tx)
        rc = fa_fail(e, FA_EINTERNAL, "a transaction is open already");
    else if (!(rc = refuse_broken(s, e)))
        rc = exec(s, "BEGIN IMMEDIATE", "begin", e);
    if (rc)
        pthread_mutex_unlock(&s->lock);
    else
        s->in_tx = true; /* and the lock stays taken */
    return rc;
}

/* With the lock held once for this call and once for the transaction. */
static void end_tx(fa_store *s)
{
    s->in_tx = false;
    pthread_mutex_unlock(&s->lock);
}

fa_rc fa_store_commit(fa_store *s, fa_err *e)
{
    fa_rc rc = FA_OK;

    pthread_mutex_lock(&s->lock);
    if (!s->in_tx) {
        rc = fa_fail(e, FA_EINTERNAL, "no transaction is open");
    } else {
        if (fa_fault("store.commit"))
            rc = fa_fail(e, FA_EENV, "could not commit in \"%s\": disk I/O error", s->path);
        else
            rc = exec(s, "COMMIT", "commit", e);
        if (rc)
            sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        end_tx(s);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void fa_store_rollback(fa_store *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->in_tx) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        end_tx(s);
    }
    pthread_mutex_unlock(&s->lock);
}

fa_rc fa_store_enter(fa_store *s, bool *opened, fa_err *e)
{
    fa_rc rc = FA_OK;

    *opened = false;
    pthread_mutex_lock(&s->lock);
    if (!s->in_tx) {
        rc = fa_store_begin(s, e);
        *opened = !rc;
    }
    if (rc)
        pthread_mutex_unlock(&s->lock);
    return rc;
}

fa_rc fa_store_leave(fa_store *s, bool opened, fa_rc rc, fa_err *e)
{
    if (opened && rc)
        fa_store_rollback(s);
    else if (opened)
        rc = fa_store_commit(s, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* ---- running statements ---- */

static fa_rc bind(sqlite3_stmt *st, const char *fmt, va_list ap, fa_err *e)
{
    int i = 0, rc = SQLITE_OK;

    for (; *fmt && rc == SQLITE_OK; fmt++) {
        i++;
        if (*fmt == 't' || *fmt == 'b') {
            fa_str v = va_arg(ap, fa_str);

            rc = *fmt == 't'
                     ? sqlite3_bind_text64(st, i, v.n ? v.p : "", v.n, SQLITE_STATIC, SQLITE_UTF8)
                     : sqlite3_bind_blob64(st, i, v.n ? v.p : "", v.n, SQLITE_STATIC);
        } else {
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        }
    }
    if (rc == SQLITE_OK && i != sqlite3_bind_parameter_count(st))
        rc = SQLITE_RANGE;
    return rc == SQLITE_OK ? FA_OK
                           : fa_fail(e, FA_EINTERNAL, "could not bind argument %d of \"%s\": %s", i,
                                     sqlite3_sql(st), sqlite3_errstr(rc));
}

/* What to do with a row: gather, or stop after the first. */
struct taker {
    fa_arena *a;
    fa_db_read *read;
    char *item;
    size_t size, n, cap;
    bool one;
};

static fa_rc take(struct taker *t, sqlite3_stmt *st, fa_err *e)
{
    fa_db_row r = {.st = st, .a = t->a};

    if (t->n == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 8;
        char *more = fa_arena_array(t->a, cap, t->size);

        if (!more)
            return fa_oom(e);
        if (t->n)
            memcpy(more, t->item, t->n * t->size);
        t->item = more;
        t->cap = cap;
    }
    t->read(&r, t->item + t->n * t->size);
    t->n++;
    return r.oom ? fa_oom(e) : FA_OK;
}

static fa_rc run(fa_store *s, const fa_db_table *t, int id, struct taker *taker, int64_t *changed,
                 fa_err *e, const char *fmt, va_list ap)
{
    sqlite3_stmt *st;
    char what[96];
    int64_t before;
    int step = SQLITE_DONE;
    fa_rc rc;

    snprintf(what, sizeof what, "%s the %s",
             sqlite3_stmt_readonly(s->st[t->noun][id]) ? "read" : "write", t->name);
    pthread_mutex_lock(&s->lock);
    st = s->st[t->noun][id];
    before = sqlite3_total_changes64(s->db);
    if (!sqlite3_stmt_readonly(st) && (rc = refuse_broken(s, e)))
        goto done;
    if ((rc = bind(st, fmt, ap, e)))
        goto done;
    while (!rc && (step = sqlite3_step(st)) == SQLITE_ROW) {
        if (taker && (rc = take(taker, st, e)) == FA_OK && taker->one)
            break; /* an UPDATE ... RETURNING has done its work before its first row */
    }
    if (!rc && step != SQLITE_ROW && step != SQLITE_DONE)
        rc = fail_db(s, what, e);
    if (changed)
        *changed = sqlite3_total_changes64(s->db) - before;
done:
    if (sqlite3_reset(st) != SQLITE_OK && !rc)
        rc = fail_db(s, what, e);
    sqlite3_clear_bindings(st);
    pthread_mutex_unlock(&s->lock);
    if (rc)
        fa_in(e, t->st[id].name);
    return rc;
}

fa_rc fa_db_run(fa_store *s, const fa_db_table *t, int id, int64_t *changed, fa_err *e,
                const char *fmt, ...)
{
    va_list ap;
    fa_rc rc;

    va_start(ap, fmt);
    rc = run(s, t, id, NULL, changed, e, fmt, ap);
    va_end(ap);
    return rc;
}

fa_rc fa_db_one(fa_store *s, const fa_db_table *t, int id, fa_arena *a, fa_db_read *read, void *out,
                fa_err *e, const char *fmt, ...)
{
    /* cap 1: the row goes straight into out */
    struct taker taker = {.a = a, .read = read, .item = out, .size = 0, .cap = 1, .one = true};
    va_list ap;
    fa_rc rc;

    va_start(ap, fmt);
    rc = run(s, t, id, &taker, NULL, e, fmt, ap);
    va_end(ap);
    if (!rc && taker.n == 0)
        rc = fa_fail(e, FA_ENOTFOUND, "no such %s", t->name);
    return rc;
}

fa_rc fa_db_all(fa_store *s, const fa_db_table *t, int id, fa_arena *a, fa_db_read *read,
                size_t size, void *out, size_t *n, fa_err *e, const char *fmt, ...)
{
    struct taker taker = {.a = a, .read = read, .size = size};
    va_list ap;
    fa_rc rc;

    va_start(ap, fmt);
    rc = run(s, t, id, &taker, NULL, e, fmt, ap);
    va_end(ap);
    if (!rc && !taker.item && !(taker.item = fa_arena_alloc(a, size)))
        rc = fa_oom(e);
    memcpy(out, &taker.item, sizeof taker.item);
    *n = rc ? 0 : taker.n;
    return rc;
}

fa_str fa_db_text(fa_db_row *r)
{
    const char *p = (const char *)sqlite3_column_text(r->st, r->col);
    fa_str v = {p ? p : "", (size_t)sqlite3_column_bytes(r->st, r->col)};

    r->col++;
    v = fa_arena_dup(r->a, v);
    if (!v.p) {
        r->oom = true;
        return FA_STR("");
    }
    return v;
}

fa_str fa_db_blob(fa_db_row *r)
{
    const char *p = sqlite3_column_blob(r->st, r->col);
    fa_str v = {p ? p : "", (size_t)sqlite3_column_bytes(r->st, r->col)};

    r->col++;
    v = fa_arena_dup(r->a, v);
    if (!v.p) {
        r->oom = true;
        return FA_STR("");
    }
    return v;
}

int64_t fa_db_int(fa_db_row *r)
{
    return sqlite3_column_int64(r->st, r->col++);
}

bool fa_db_word(fa_str *list, fa_str *word)
{
    size_t n = 0;

    while (list->n && list->p[0] == ' ')
        *list = (fa_str){list->p + 1, list->n - 1};
    while (n < list->n && list->p[n] != ' ')
        n++;
    *word = (fa_str){list->p, n};
    if (n)
        *list = (fa_str){list->p + n, list->n - n};
    return n > 0;
}

int64_t fa_db_last_id(fa_store *s)
{
    return sqlite3_last_insert_rowid(s->db);
}

/* ---- keep and prove ---- */

fa_rc fa_store_backup(fa_store *s, const char *to_path, fa_err *e)
{
    sqlite3 *to = NULL;
    sqlite3_backup *b = NULL;
    fa_rc rc;
    int done = SQLITE_OK;

    if (unlink(to_path) != 0 && errno != ENOENT)
        return fa_fail(e, FA_EENV, "could not replace \"%s\": %s", to_path, strerrordesc_np(errno));
    if ((rc = touch(to_path, e)))
        return rc;
    pthread_mutex_lock(&s->lock);
    if (sqlite3_open_v2(to_path, &to, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        (b = sqlite3_backup_init(to, "main", s->db, "main"))) {
        do
            done = sqlite3_backup_step(b, 1024);
        while (done == SQLITE_OK);
        sqlite3_backup_finish(b);
    }
    pthread_mutex_unlock(&s->lock);
    /* A copy is one file: no -wal beside it that could be forgotten. */
    if (!b || done != SQLITE_DONE ||
        sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK)
        rc = fa_fail(e, FA_EENV, "could not copy the database to \"%s\": %s", to_path,
                     to ? sqlite3_errmsg(to) : "out of memory");
    sqlite3_close(to);
    return rc ? rc : fa_fsync_path(to_path, e);
}

/* The first complaint of a checking pragma; `good` is the row that is none. */
static fa_rc check_one(fa_store *s, const char *sql, const char *good, fa_err *e)
{
    sqlite3_stmt *st = NULL;
    fa_rc rc = FA_OK;
    int step;

    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK)
        return fail_db(s, "check", e);
    while (!rc && (step = sqlite3_step(st)) != SQLITE_DONE) {
        const char *text = step == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;

        if (step != SQLITE_ROW)
            rc = fail_db(s, "check", e);
        else if (!good)
            rc = fa_fail(e, FA_EDATA, "\"%s\": a row of %s points at nothing", s->path,
                         text ? text : "?");
        else if (!text || strcmp(text, good) != 0)
            rc = fa_fail(e, FA_EDATA, "\"%s\" is damaged: %s", s->path, text ? text : "?");
    }
    sqlite3_finalize(st);
    return rc;
}

fa_rc fa_store_check(fa_store *s, fa_err *e)
{
    fa_rc rc;

    pthread_mutex_lock(&s->lock);
    if (!(rc = check_one(s, "PRAGMA integrity_check", "ok", e)))
        rc = check_one(s, "PRAGMA foreign_key_check", NULL, e);
    pthread_mutex_unlock(&s->lock);
    return rc;
}
