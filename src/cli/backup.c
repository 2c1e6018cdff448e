/*
 * backup.c - `farthing backup FILE`, `backup --into FOLDER`, `backup verify FILE`, `restore FILE`.
 *
 * A backup is sealed with the vault's master key when there is one. Into a folder each gets its own name, and of
 * those with such names the folder keeps the last of 7 days, 4 weeks and 12 months (security.md BK-6). Verify
 * brings it back beside itself, proves every control total and the audit log, and removes it again (BK-4).
 */
#include "allocate/allocate.h"
#include "cli/inner.h"
#include "vault/vault.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_FORMAT "farthing-%04d%02d%02d-%02d%02d%02d.backup"
enum { NAME_BYTES = 64, KEPT_MAX = 4096, DAYS = 7, WEEKS = 4, MONTHS = 12 };

/* The keys are the server's when we run inside it. */
static fa_rc keys(const char *file, const char *dir, fa_err *e)
{
    return fa_vault_ready() && !file ? FA_OK : fa_vault_keys_load(file, dir, e);
}

static int said(fa_cmd_io *io, int code)
{
    return fflush(io->out) == 0 ? code : 3;
}

/* ---- a folder of backups ---- */

typedef struct kept {
    char name[NAME_BYTES];
    int32_t day;
} kept;

/* The day of a name of ours; false: it is somebody else's file. */
static bool day_of(const char *name, int32_t *day)
{
    int y, mo, d, h, mi, s, end = 0;
    char again[NAME_BYTES], iso[16];

    if (sscanf(name, "farthing-%4d%2d%2d-%2d%2d%2d.backup%n", &y, &mo, &d, &h, &mi, &s, &end) !=
            6 ||
        snprintf(again, sizeof again, NAME_FORMAT, y, mo, d, h, mi, s) < 0 ||
        strcmp(again, name) != 0 || end != (int)strlen(name))
        return false;
    snprintf(iso, sizeof iso, "%04d-%02d-%02d", y, mo, d);
    return fa_day_parse(fa_str_of(iso), day);
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(((const kept *)b)->name, ((const kept *)a)->name);
}

/* Is `day` in another bucket than the last one counted, and is there still one to count? */
static bool counts(int32_t day, fa_bucket k, int32_t *last, int *left)
{
    int32_t at = fa_day_floor(day, k);

    if (*left == 0 || at == *last)
        return false;
    *last = at;
    --*left;
    return true;
}

static fa_rc list(const char *folder, kept **out, size_t *n, fa_err *e)
{
    DIR *d = opendir(folder);
    const struct dirent *entry;
    kept *v = calloc(KEPT_MAX, sizeof *v);

    *out = v;
    *n = 0;
    if (!v || !d) {
        if (d)
            closedir(d);
        return v ? fa_fail(e, FA_EENV, "could not open \"%s\"", folder) : fa_oom(e);
    }
    while (*n < KEPT_MAX && (entry = readdir(d)))
        if (day_of(entry->d_name, &v[*n].day))
            snprintf(v[(*n)++].name, NAME_BYTES, "%.63s", entry->d_name);
    closedir(d);
    qsort(v, *n, sizeof *v, newest_first);
    return FA_OK;
}

/* Removes what no rule keeps; *gone: how many. */
static fa_rc prune(const char *folder, int *gone, fa_err *e)
{
    int32_t day = INT32_MIN, week = INT32_MIN, month = INT32_MIN;
    int days = DAYS, weeks = WEEKS, months = MONTHS;
    fa_arena a = {0};
    kept *v;
    size_t n;
    fa_rc rc = list(folder, &v, &n, e);

    *gone = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        bool stays = counts(v[i].day, FA_DAY, &day, &days);
        char *path;

        stays = counts(v[i].day, FA_WEEK, &week, &weeks) || stays;
        stays = counts(v[i].day, FA_MONTH, &month, &months) || stays;
        if (stays)
            continue;
        if (!(path = fa_arena_printf(&a, "%s/%s", folder, v[i].name)))
            rc = fa_oom(e);
        else if (unlink(path) != 0)
            rc = fa_fail(e, FA_EENV, "could not remove \"%s\"", path);
        *gone += !rc;
    }
    free(v);
    fa_arena_release(&a);
    return rc;
}

static char *name_in(fa_arena *a, const char *folder)
{
    time_t now = (time_t)(fa_now_ms() / 1000);
    struct tm t;

    if (!gmtime_r(&now, &t))
        return NULL;
    return fa_arena_printf(a, "%s/" NAME_FORMAT, folder, t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                           t.tm_hour, t.tm_min, t.tm_sec);
}

/* ---- backup ---- */

static int write_backup(fa_ledger *l, const char *path, const char *folder, fa_cmd_io *io)
{
    fa_progress p;
    fa_err e = {0};
    int gone = 0;
    fa_bar *bar = fa_bar_new(io, "backing up", &p);
    fa_rc rc = fa_ledger_backup(l, path, &p, &e);

    fa_bar_free(bar);
    if (rc || (folder && prune(folder, &gone, &e)))
        return fa_cmd_fail(io, &e);
    fprintf(io->out, "backup written to %s%s\n", path,
            fa_vault_ready() ? ", sealed with the vault's master key" : "");
    if (gone)
        fprintf(io->out, "%d older %s removed\n", gone, gone == 1 ? "backup" : "backups");
    if (!fa_vault_ready())
        fputs("farthing: the backup is not encrypted, there is no master key: farthing vault key "
              "FILE, then --vault-key FILE\n",
              io->err);
    return said(io, 0);
}

/* ---- verify ---- */

static fa_rc prove(fa_ledger *l, fa_arena *a, fa_cmd_io *io, bool *sound, fa_err *e)
{
    fa_finding *f, *tags;
    fa_audit_report audit;
    fa_load *load;
    size_t n, ntag, nload, live = 0;
    fa_rc rc;

    if ((rc = fa_ledger_check(l, a, NULL, &f, &n, e)) ||
        (rc = fa_tags_check(l, a, &tags, &ntag, e)) || (rc = fa_audit_verify(l, a, &audit, e)) ||
        (rc = fa_load_list(fa_ledger_store(l), a, fa_ledger_account(l), 0, 1000000, &load, &nload,
                           e)))
        return rc;
    for (size_t i = 0; i < nload; i++)
        live += fa_str_eqz(load[i].state, "live");
    for (size_t i = 0; i < n + ntag; i++) {
        const fa_finding *x = i < n ? &f[i] : &tags[i - n];

        fprintf(io->err, "farthing: %.*s, %.*s\n", FA_FMT(x->what), FA_FMT(x->where));
    }
    if (audit.bad_seq >= 0)
        fprintf(io->err, "farthing: audit record %lld is not as it was written\n",
                (long long)audit.bad_seq);
    *sound = n + ntag == 0 && audit.bad_seq < 0;
    if (*sound)
        fprintf(io->out,
                "ok: %zu live loads meet their control totals, %lld audit records hold, last hash "
                "%.*s\n",
                live, (long long)audit.rows, FA_FMT(audit.last_hash));
    return FA_OK;
}

static int verify(fa_cmd_io *io, const char *path)
{
    fa_ledger_options o = {.memory_bytes = io->memory_bytes};
    fa_ledger *l = NULL;
    fa_arena a = {0};
    fa_progress p;
    char id[37], *scratch;
    fa_err e = {0}, none = {0};
    bool sound = false;
    fa_bar *bar;
    fa_rc rc;
    int code;

    fa_uuid_v4(id);
    if (!(scratch = fa_arena_printf(&a, "%s.verify-%.8s", path, id)))
        return fa_cmd_fail(io, (fa_oom(&e), &e));
    bar = fa_bar_new(io, "restoring beside it", &p);
    rc = fa_ledger_restore(scratch, path, &p, &e);
    fa_bar_free(bar);
    o.dir = scratch;
    if (!rc && !(rc = fa_ledger_open(&o, &l, &e)))
        rc = prove(l, &a, io, &sound, &e);
    fa_ledger_close(l);
    if (fa_remove_tree(scratch, &none))
        fprintf(io->err, "farthing: could not remove %s: %s\n", scratch, none.msg);
    code = rc ? fa_cmd_fail(io, &e) : said(io, sound ? 0 : 1);
    fa_arena_release(&a);
    return code;
}

bool fa_cli_backup_alone(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "verify") == 0;
}

int fa_cli_backup(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                  fa_cmd_io *io)
{
    const char *key = NULL, *into = NULL, *path;
    const fa_opt opt[] = {{"vault-key", FA_OPT_TEXT, &key, false, 0},
                          {"into", FA_OPT_TEXT, &into, false, 0}};
    bool verifies = fa_cli_backup_alone(argc, argv);
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[64];
    int n, code;

    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code =
             fa_opts_take(c, io, argc - verifies, argv + verifies, opt, FA_COUNT(opt), rest, &n)))
        return code;
    if (verifies && into)
        return fa_cmd_usage(c, io, "verify needs a file, not --into");
    if (n != (into ? 0 : 1))
        return n ? fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[into ? 0 : 1])
                 : fa_cmd_usage(c, io, "there is no file to %s", verifies ? "verify" : "write to");
    path = fa_cmd_path(&a, io, into ? into : rest[0]);
    if (path && into)
        path = name_in(&a, into = path);
    if (!path)
        code = fa_cmd_fail(io, (fa_oom(&e), &e));
    else if (keys(key, dir, &e))
        code = fa_cmd_fail(io, &e);
    else
        code = verifies ? verify(io, path) : write_backup(l, path, into, io);
    fa_arena_release(&a);
    return code;
}

/* ---- restore ---- */

int fa_cli_restore(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    const char *key = NULL, *path, *to;
    const fa_opt opt[] = {{"vault-key", FA_OPT_TEXT, &key, false, 0}};
    fa_progress p;
    fa_bar *bar;
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[64];
    int n, code;
    fa_rc rc;

    (void)l;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &n)))
        return code;
    if (n != 1)
        return n ? fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[1])
                 : fa_cmd_usage(c, io, "there is no backup file to restore");
    if (!dir)
        return fa_cmd_usage(c, io, "--data is missing");
    path = fa_cmd_path(&a, io, rest[0]);
    to = fa_cmd_path(&a, io, dir);
    if (!path || !to) {
        rc = fa_oom(&e);
    } else if (!(rc = keys(key, to, &e))) {
        bar = fa_bar_new(io, "restoring", &p);
        rc = fa_ledger_restore(to, path, &p, &e);
        fa_bar_free(bar);
    }
    if (rc) {
        code = fa_cmd_fail(io, &e);
    } else {
        fprintf(io->out, "restored to %s; everybody signs in again\n", to);
        code = said(io, 0);
    }
    fa_arena_release(&a);
    return code;
}
