/*
 * ledger.c - opening and closing an installation: the lock, meta.db, the engine, and what a crash
 * left.
 */
#include "ledger/inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *in_dir(const fa_ledger *l, fa_arena *a, const char *name)
{
    return fa_arena_printf(a, "%s/%s", l->dir, name);
}

/* ---- the lock ---- */

static fa_rc take_lock(fa_ledger *l, const char *path, int64_t wait_ms, fa_err *e)
{
    int64_t until = fa_mono_ms() + wait_ms;
    char pid[32] = {0};
    int n;

    l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0)
        return fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerror(errno));
    while (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fa_fail(e, FA_EENV, "could not lock \"%s\": %s", path, strerror(errno));
        if (fa_mono_ms() >= until) {
            ssize_t got = pread(l->lock_fd, pid, sizeof pid - 1, 0);

            close(l->lock_fd);
            l->lock_fd = -1;
            pid[got > 0 ? got : 0] = '\0';
            pid[strcspn(pid, "\n")] = '\0';
            (void)fa_fail(e, FA_ECONFLICT, "the data directory \"%s\" is in use by process %s",
                          l->dir, pid);
            return fa_hint(e, "wait for it to end, or use its server");
        }
        usleep(20000);
    }
    n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(l->lock_fd, 0) != 0 || pwrite(l->lock_fd, pid, (size_t)n, 0) != n)
        return fa_fail(e, FA_EENV, "could not write \"%s\": %s", path, strerror(errno));
    return FA_OK;
}

/* ---- folders ---- */

static const char *const folders[] = {"bills", "staging", "rejects", "tmp"};

static fa_rc make_folders(fa_ledger *l, fa_arena *a, fa_err *e)
{
    for (size_t i = 0; i < FA_COUNT(folders); i++) {
        char *path = in_dir(l, a, folders[i]);

        if (!path)
            return fa_oom(e);
        if (fa_mkdirs(path, 0700, e))
            return e->rc;
    }
    return FA_OK;
}

static bool is_wanted(const char *folder, const fa_job *job, size_t n)
{
    size_t k = strlen(folder);

    for (size_t i = 0; i < n; i++)
        if (job[i].path.n > k && memcmp(job[i].path.p, folder, k) == 0 && job[i].path.p[k] == '/')
            return true;
    return false;
}

/* What a stopped process leaves: spill files, pipes, half uploads, archives that were not sealed.
 */
static fa_rc sweep_but(fa_ledger *l, fa_arena *a, const char *folder, bool only_hidden,
                       const fa_job *wanted, size_t nwanted, fa_err *e)
{
    fa_rc rc = FA_OK;
    char *path = in_dir(l, a, folder);
    DIR *d = path ? opendir(path) : NULL;
    struct dirent *entry;

    if (!d)
        return path ? fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerror(errno))
                    : fa_oom(e);
    while (!rc && (entry = readdir(d)) != NULL) {
        char *full;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (only_hidden && entry->d_name[0] != '.'))
            continue;
        full = fa_arena_printf(a, "%s/%s", path, entry->d_name);
        if (full && is_wanted(full, wanted, nwanted))
            continue;
        rc = full ? fa_remove_tree(full, e) : fa_oom(e);
    }
    closedir(d);
    return rc;
}

static fa_rc sweep(fa_ledger *l, fa_arena *a, const char *folder, bool only_hidden, fa_err *e)
{
    return sweep_but(l, a, folder, only_hidden, NULL, 0, e);
}

/* Uploads of jobs that were cut off stay: the job goes on with them. */
static fa_rc sweep_staging(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_job *open_jobs;
    size_t n;
    fa_rc rc = fa_job_open(l->store, a, l->account, &open_jobs, &n, e);

    return rc ? rc : sweep_but(l, a, "staging", false, open_jobs, n, e);
}

/* ---- meta.db ---- */

static fa_rc open_account(fa_ledger *l, fa_arena *a, bool create, fa_err *e)
{
    fa_account account;
    fa_rc rc = fa_account_first(l->store, a, &account, e);
    char id[37], seed[17];
    fa_str text;

    if (rc == FA_ENOTFOUND && create) {
        fa_uuid_v4(id);
        account = (fa_account){.id = fa_str_of(id),
                               .name = FA_STR("Farthing"),
                               .currency = FA_STR("USD"),
                               .default_cost_type = FA_STR("netAmortizedCost"),
                               .created_ms = fa_now_ms()};
        rc = fa_account_put(l->store, &account, e);
    }
    if (rc)
        return rc;
    l->account = fa_arena_dup(&l->mem, account.id);
    if (!l->account.p)
        return fa_oom(e);
    if ((rc = fa_setting_get(l->store, a, l->account, FA_STR("line_seed"), &text, e)))
        return rc;
    if (text.n != 16) {
        uint64_t r;

        fa_random(&r, sizeof r);
        snprintf(seed, sizeof seed, "%016llx", (unsigned long long)r);
        text = fa_str_of(seed);
        if ((rc = fa_setting_put(l->store, l->account, FA_STR("line_seed"), text, e)))
            return rc;
    }
    for (size_t i = 0; i < 16; i++) {
        char c = text.p[i];

        l->line_seed = l->line_seed << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return FA_OK;
}

/* Loads that were running when the process stopped did not go live: they failed. */
static fa_rc end_cut_loads(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_load *list;
    size_t n;

    if (fa_load_list(l->store, a, l->account, 0, 100000, &list, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++) {
        char *dir;

        if (!fa_str_eqz(list[i].state, "running"))
            continue;
        list[i].state = FA_STR("failed");
        list[i].error =
            FA_STR("the process stopped before the load was live; nothing of it was kept");
        list[i].finished_ms = fa_now_ms();
        dir = fa_archive_dir(l, a, list[i].id);
        if (!dir)
            return fa_oom(e);
        if (fa_remove_tree(dir, e) || fa_load_update(l->store, l->account, &list[i], e))
            return e->rc;
        fa_log(FA_LOG_WARN, "load_cut_off", "load=%lld", (long long)list[i].id);
    }
    return FA_OK;
}

/* ---- the engine ---- */

static fa_rc try_engine(fa_ledger *l, const char *path, const char *temp, const char *segments,
                        fa_err *e)
{
    fa_engine_options o = {
        .path = path, .temp_dir = temp, .segments = segments, .threads = l->threads};
    fa_conn *c = NULL;
    fa_rc rc;

    if ((rc = fa_engine_open(&o, &l->engine, e)))
        return rc;
    if (!(rc = fa_conn_get(l->engine, &c, e)))
        rc = fa_star_create(c, e);
    fa_conn_put(c);
    if (rc) {
        fa_engine_close(l->engine);
        l->engine = NULL;
    }
    return rc;
}

/* A ledger that cannot be opened is put aside and made again: it holds nothing the archive does
 * not. */
static fa_rc open_engine(fa_ledger *l, fa_arena *a, fa_err *e)
{
    char *path = in_dir(l, a, "ledger.duckdb"), *wal = in_dir(l, a, "ledger.duckdb.wal");
    char *temp = in_dir(l, a, "tmp"), *segments = in_dir(l, a, "segments"), *aside;
    struct stat st;
    bool plain;

    if (!path || !wal || !temp || !segments)
        return fa_oom(e);
    if (fa_ledger_only_duckdb(&plain, e))
        return e->rc;
    if (plain)
        segments = NULL;
    if (try_engine(l, path, temp, segments, e) == FA_OK)
        return FA_OK;
    if (stat(path, &st) != 0)
        return e->rc;
    fa_log(FA_LOG_WARN, "ledger_damaged", "error=%s action=remake", e->msg);
    aside = fa_arena_printf(a, "%s.damaged", path);
    if (!aside)
        return fa_oom(e);
    if (rename(path, aside) != 0)
        return fa_fail(e, FA_EENV, "could not put \"%s\" aside: %s", path, strerror(errno));
    (void)unlink(wal);
    return try_engine(l, path, temp, segments, e);
}

/* ---- open and close ---- */

static fa_rc check_place(const fa_ledger_options *o, const char *meta, fa_err *e)
{
    struct stat st;
    bool there = stat(meta, &st) == 0;

    if (o->create && there) {
        (void)fa_fail(e, FA_ECONFLICT, "there is an installation in \"%s\" already", o->dir);
        return fa_hint(e, "choose another folder for --data");
    }
    if (!o->create && !there) {
        (void)fa_fail(e, FA_ENOTFOUND, "there is no installation in \"%s\"", o->dir);
        return fa_hint(e, "make one with: farthing init --data %s --admin EMAIL", o->dir);
    }
    return FA_OK;
}

static _Atomic uint64_t openings;

fa_rc fa_ledger_open(const fa_ledger_options *o, fa_ledger **out, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_ledger *l = calloc(1, sizeof *l);
    char *meta, *lock, *real;

    *out = NULL;
    fa_arena_init(&a, 64 << 20);
    if (!l) {
        rc = fa_oom(e);
        goto done;
    }
    l->lock_fd = -1;
    if (!o->second)
        fa_memory_set(o->memory_bytes);
    /* no two openings of a process share a number, so that what is kept under one is never another's */
    l->generation = atomic_fetch_add(&openings, 1) << 32;
    l->threads = o->threads;
    pthread_mutex_init(&l->write, NULL);
    pthread_mutex_init(&l->state, NULL);
    pthread_cond_init(&l->settled, NULL);
    if (o->create && (rc = fa_mkdirs(o->dir, 0700, e)))
        goto done;
    real = realpath(o->dir, NULL);
    l->dir = real ? real : strdup(o->dir);
    if (!l->dir || !(meta = in_dir(l, &a, "meta.db")) || !(lock = in_dir(l, &a, "lock"))) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = check_place(o, meta, e)) || (rc = take_lock(l, lock, o->wait_ms, e)) ||
        (rc = make_folders(l, &a, e)) || (rc = fa_store_open(meta, &l->store, e)) ||
        (rc = open_account(l, &a, o->create, e)) || (rc = end_cut_loads(l, &a, e)) ||
        (rc = sweep(l, &a, "tmp", false, e)) || (rc = sweep_staging(l, &a, e)) ||
        (rc = sweep(l, &a, "bills", true, e)) || (rc = open_engine(l, &a, e)) ||
        (rc = fa_ledger_engine_of(l, &a, e)) || (rc = fa_star_reconcile(l, NULL, e)) ||
        (rc = fa_star_refresh(l, e)))
        goto done;
    *out = l;
    l = NULL;
done:
    fa_ledger_close(l);
    fa_arena_release(&a);
    return rc;
}

void fa_ledger_close(fa_ledger *l)
{
    if (!l)
        return;
    fa_engine_close(l->engine);
    fa_store_close(l->store);
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    fa_arena_release(&l->mem);
    pthread_mutex_destroy(&l->write);
    pthread_mutex_destroy(&l->state);
    pthread_cond_destroy(&l->settled);
    free(l->dir);
    free(l);
}

fa_ledger *fa_ledger_home(fa_ledger *l)
{
    return l->home ? l->home : l;
}

void fa_ledger_set_home(fa_ledger *l, fa_ledger *home)
{
    l->home = home;
}

fa_store *fa_ledger_store(fa_ledger *l)
{
    return l->store;
}

fa_engine *fa_ledger_engine(fa_ledger *l)
{
    return l->engine;
}

const char *fa_ledger_dir(fa_ledger *l)
{
    return l->dir;
}

fa_str fa_ledger_account(fa_ledger *l)
{
    return l->account;
}

uint64_t fa_ledger_generation(fa_ledger *l)
{
    uint64_t g;

    pthread_mutex_lock(&l->state);
    while (l->generation & 1)
        pthread_cond_wait(&l->settled, &l->state);
    g = l->generation;
    pthread_mutex_unlock(&l->state);
    return g;
}

uint32_t fa_ledger_lines(fa_ledger *l)
{
    uint32_t n;

    pthread_mutex_lock(&l->state);
    n = l->lines;
    pthread_mutex_unlock(&l->state);
    return n;
}

bool fa_ledger_range(fa_ledger *l, int32_t *first, int32_t *last)
{
    bool has;

    pthread_mutex_lock(&l->state);
    has = l->has_range;
    *first = l->first_day;
    *last = l->last_day;
    pthread_mutex_unlock(&l->state);
    return has;
}
