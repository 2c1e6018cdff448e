/*
 * load.c - a delivery of bill files from the disk into the archive and the star.
 *
 * The order of things decides what a crash leaves behind:
 *   1 the load is a row `running` in meta.db; files are read into bills/.<id> (not looked at by
 * anyone) 2 control totals of file and archive are compared; bills/.<id> is synced and renamed to
 * bills/<id> 3 the star is changed inside an open transaction and its totals compared 4 meta.db
 * commits "these parts are live, those are not": from here on the load counts 5 the star commits; a
 * crash between 4 and 5 is mended at the next start from the archive Before 4 nothing is visible;
 * after 4 nothing can be lost.
 */
#include "ledger/job.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 10000
#define BAD_SHOWN 5

/* ---- progress and cancelling ---- */

static void job_state(load_job *j, fa_progress_state *s)
{
    double part = 0, base = 0, width = 0;

    s->phase = j->phase;
    s->rows = j->tally ? fa_tally_rows(j->tally) : 0;
    s->bytes = __atomic_load_n(&j->bytes_done, __ATOMIC_RELAXED);
    s->bytes_total = j->bytes_total;
    if (j->feed)
        s->bytes += fa_feed_bytes(j->feed);
    else if (j->reading && j->reading->rows > 0) /* Parquet says how many rows it has */
        s->bytes += (int64_t)((double)j->reading->bytes * (double)(s->rows - j->rows_before) /
                              (double)j->reading->rows);
    if (s->bytes > s->bytes_total)
        s->bytes = s->bytes_total;
    if (strcmp(j->phase, "archive") == 0) {
        base = 0.02;
        width = 0.7;
        part = s->bytes_total > 0 ? (double)s->bytes / (double)s->bytes_total : 0;
    } else if (strcmp(j->phase, "verify") == 0) {
        base = 0.72;
    } else if (strcmp(j->phase, "ledger") == 0) {
        base = 0.78;
    } else if (strcmp(j->phase, "live") == 0) {
        base = 0.98;
    }
    s->fraction = base + width * part;
    s->elapsed_ms = fa_mono_ms() - j->started_mono_ms;
    s->rows_per_s = s->elapsed_ms > 0 ? (double)s->rows * 1000 / (double)s->elapsed_ms : 0;
    s->left_ms = s->fraction > 0.03 && s->elapsed_ms > 300
                     ? (int64_t)((double)s->elapsed_ms * (1 - s->fraction) / s->fraction)
                     : -1;
}

static void *tick(void *arg)
{
    load_job *j = arg;

    pthread_mutex_lock(&j->lock);
    while (!j->stop_ticking) {
        struct timespec until;
        fa_progress_state s;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&j->wake, &j->lock, &until);
        if (fa_cancelled(j->p) && j->conn)
            fa_conn_interrupt(j->conn);
        job_state(j, &s);
        if (!j->stop_ticking && j->p && j->p->tick)
            j->p->tick(j->p->user, &s);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

static void set_phase(load_job *j, const char *phase)
{
    fa_progress_state s;

    (void)malloc_trim(0); /* what one phase freed is not kept beside what the next one takes */
    pthread_mutex_lock(&j->lock);
    j->phase = phase;
    job_state(j, &s);
    if (j->p && j->p->tick)
        j->p->tick(j->p->user, &s);
    pthread_mutex_unlock(&j->lock);
}

static fa_rc start_ticking(load_job *j, fa_err *e)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&j->wake, &attr);
    pthread_condattr_destroy(&attr);
    j->ticking = true;
    if (pthread_create(&j->ticker, NULL, tick, j)) {
        j->ticking = false;
        pthread_cond_destroy(&j->wake);
        pthread_mutex_destroy(&j->lock);
        return fa_fail(e, FA_EENV, "could not start a thread");
    }
    return FA_OK;
}

static void stop_ticking(load_job *j)
{
    if (!j->ticking)
        return;
    pthread_mutex_lock(&j->lock);
    j->stop_ticking = true;
    pthread_cond_signal(&j->wake);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->ticker, NULL);
    pthread_cond_destroy(&j->wake);
    pthread_mutex_destroy(&j->lock);
}

/* ---- which files ---- */

static int cmp_path(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

static fa_rc list_dir(fa_arena *a, const char *path, char **out, size_t *n, fa_err *e)
{
    fa_rc rc = FA_OK;
    DIR *d = opendir(path);
    struct dirent *entry;
    size_t first = *n;

    if (!d)
        return fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerror(errno));
    while (!rc && (entry = readdir(d)) != NULL) {
        struct stat st;
        char *full;

        if (entry->d_name[0] == '.')
            continue;
        full = fa_arena_printf(a, "%s/%s", path, entry->d_name);
        if (!full)
            rc = fa_oom(e);
        else if (stat(full, &st) == 0 && S_ISREG(st.st_mode)) {
            if (*n == FILES_MAX)
                rc = fa_fail(e, FA_EINVAL, "over %d files in one load", FILES_MAX);
            else
                out[(*n)++] = full;
        }
    }
    closedir(d);
    if (!rc && *n == first)
        rc = fa_fail(e, FA_ENOTFOUND, "no file in the folder \"%s\"", path);
    qsort(out + first, *n - first, sizeof *out, cmp_path);
    return rc;
}

static fa_rc list_files(load_job *j, fa_err *e)
{
    char **path = fa_arena_array(j->a, FILES_MAX + 1, sizeof *path);
    size_t n = 0;
    int64_t bytes = 0;

    if (!path)
        return fa_oom(e);
    if (j->q->npath == 0 && !j->delivery)
        return fa_fail(e, FA_EINVAL, "no file was named");
    for (size_t i = 0; j->delivery && i < j->delivery->n; i++)
        path[n++] = j->delivery->path[i];
    for (size_t i = 0; !j->delivery && i < j->q->npath; i++) {
        struct stat st;

        if (stat(j->q->path[i], &st) != 0)
            return fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EENV, "could not open \"%s\": %s",
                           j->q->path[i], strerror(errno));
        if (S_ISDIR(st.st_mode)) {
            if (list_dir(j->a, j->q->path[i], path, &n, e))
                return e->rc;
        } else if (n == FILES_MAX) {
            return fa_fail(e, FA_EINVAL, "over %d files in one load", FILES_MAX);
        } else if (!(path[n++] = fa_arena_dupz(j->a, fa_str_of(j->q->path[i])))) {
            return fa_oom(e);
        }
    }
    j->file = fa_arena_array(j->a, n, sizeof *j->file);
    j->hash = fa_arena_array(j->a, n, sizeof *j->hash);
    j->archive_hash = fa_arena_array(j->a, n, sizeof *j->archive_hash);
    j->file_rows = fa_arena_array(j->a, n, sizeof *j->file_rows);
    if (!j->archive_hash || !j->file || !j->hash || !j->file_rows)
        return fa_oom(e);
    for (; j->nfile < n; j->nfile++) {
        fa_bill_file *f = &j->file[j->nfile];

        if (fa_bill_open(j->l->engine, j->a, path[j->nfile], f, e) ||
            fa_bill_recognise(j->l->engine, f, &j->match, e))
            return e->rc;
        if (j->nfile == 0 || fa_str_cmp(j->match.version, j->load.format) > 0)
            j->load.format = j->match.version;
        j->own |= f->own;
        j->approximated |= f->approximated;
        bytes += f->bytes;
    }
    for (size_t i = 0; i < j->nfile; i++)
        j->file[i].own = j->own; /* one load tells the same measures apart in all its files */
    pthread_mutex_lock(&j->lock);
    j->bytes_total = bytes;
    pthread_mutex_unlock(&j->lock);
    return FA_OK;
}

/* ---- the same again? ---- */

static int cmp_hash(const void *x, const void *y)
{
    return memcmp(x, y, 64);
}

/* Hash over the sorted hashes of the files: the order of files says nothing. */
static fa_rc content_hash(load_job *j, fa_err *e)
{
    unsigned char sum[32];
    char hex[65], (*sorted)[65] = calloc(j->nfile + 1, sizeof *sorted);
    crypto_generichash_state st;

    if (!sorted)
        return fa_oom(e);
    memcpy(sorted, j->hash, j->nfile * sizeof *sorted);
    qsort(sorted, j->nfile, sizeof *sorted, cmp_hash);
    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    for (size_t i = 0; i < j->nfile; i++)
        crypto_generichash_update(&st, (const unsigned char *)sorted[i], 64);
    crypto_generichash_final(&st, sum, sizeof sum);
    free(sorted);
    fa_hex(hex, sum, sizeof sum);
    j->load.content_hash = fa_arena_dup(j->a, (fa_str){hex, 64});
    return j->load.content_hash.p ? FA_OK : fa_oom(e);
}

/* Is there a live load of this source whose files have these sizes? Only then is a hash worth its
 * time up front. */
static fa_rc sizes_match(load_job *j, bool *out, fa_err *e)
{
    fa_load *list;
    size_t n;

    *out = false;
    if (fa_load_list(j->l->store, j->a, j->l->account, j->load.source_id, 1000, &list, &n, e))
        return e->rc;
    for (size_t i = 0; i < n && !*out; i++) {
        json_t *files, *v;
        size_t k;
        int64_t bytes = 0;

        if (!fa_str_eqz(list[i].state, "live"))
            continue;
        files = json_loadb(list[i].files.p, list[i].files.n, 0, NULL);
        json_array_foreach(files, k, v) bytes += json_integer_value(json_object_get(v, "bytes"));
        *out = json_array_size(files) == j->nfile && bytes == j->bytes_total;
        json_decref(files);
    }
    return FA_OK;
}

static fa_rc hash_files(load_job *j, fa_err *e)
{
    set_phase(j, "hash");
    for (size_t i = 0; i < j->nfile; i++)
        if (fa_bill_hash(j->file[i].path, j->hash[i], j->p ? j->p->cancel : NULL, e))
            return e->rc;
    return content_hash(j, e);
}

static fa_rc is_unchanged(load_job *j, int64_t *same_id, fa_err *e)
{
    fa_load same;
    fa_part *part;
    size_t n;
    bool all;
    fa_rc rc = fa_load_live_with_hash(j->l->store, j->a, j->l->account, j->load.source_id,
                                      j->load.content_hash, &same, e);

    *same_id = 0;
    if (rc)
        return rc == FA_ENOTFOUND ? FA_OK : rc;
    if ((rc = fa_part_of_load(j->l->store, j->a, j->l->account, same.id, &part, &n, e)))
        return rc;
    all = n > 0;
    for (size_t i = 0; i < n; i++)
        all &= part[i].live;
    if (!all)
        return FA_OK;
    /* the history says that it came again; its content is the earlier load's */
    j->load.state = FA_STR("unchanged");
    j->load.format = same.format;
    j->load.files = same.files;
    j->load.detail = FA_STR("{}");
    j->load.rows = same.rows;
    j->load.rejected = same.rejected;
    j->load.finished_ms = fa_now_ms();
    *same_id = same.id;
    return fa_load_add(j->l->store, j->l->account, &j->load, &j->load.id, e);
}

/* ---- bad rows ---- */

typedef struct bad_list {
    load_job *j;
    const fa_bill_file *f;
    fa_buf rows;  /* "3, 17": for the slow reading */
    fa_buf text;  /* CSV of the reject file */
    fa_buf first; /* the message */
    int64_t n, limit;
} bad_list;

static void bad_row(bad_list *l, int64_t row, fa_str column, fa_str value, fa_str reason,
                    fa_str record, const char *unit)
{
    l->n++;
    if (l->n > l->limit + BAD_SHOWN)
        return;
    if (l->n <= BAD_SHOWN) {
        fa_buf_fmt(&l->first, "%s%.*s: %s %lld", l->n > 1 ? "; " : "", FA_FMT(l->f->name), unit,
                   (long long)row);
        if (column.n)
            fa_buf_fmt(&l->first, ", column %.*s", FA_FMT(column));
        if (value.n)
            fa_buf_fmt(&l->first, ": \"%.*s\" %.*s", (int)(value.n > 80 ? 80 : value.n), value.p,
                       FA_FMT(reason));
        else
            fa_buf_fmt(&l->first, ": %.*s", FA_FMT(reason));
    }
    fa_buf_csv(&l->text, l->f->name, true);
    fa_buf_fmt(&l->text, ",%s %lld,", unit, (long long)row);
    fa_buf_csv(&l->text, column, true);
    fa_buf_c(&l->text, ',');
    fa_buf_csv(&l->text, value, true);
    fa_buf_c(&l->text, ',');
    fa_buf_csv(&l->text, reason, true);
    fa_buf_c(&l->text, ',');
    fa_buf_csv(&l->text, record, true);
    fa_buf_c(&l->text, '\n');
}

static fa_rc add_bad(void *user, const fa_batch *b, fa_err *e)
{
    bad_list *l = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        bad_row(l, b->col[0].i64[r], b->col[1].text[r], b->col[2].text[r], b->col[3].text[r],
                b->col[4].text[r], "row");
        fa_buf_fmt(&l->rows, "%s%lld", l->rows.n ? ", " : "", (long long)b->col[0].i64[r]);
    }
    return FA_OK;
}

static char *pipe_path(load_job *j, const char *what, size_t i)
{
    return fa_arena_printf(j->a, "%s/tmp/%lld-%zu-%s.pipe", j->l->dir, (long long)j->load.id, i,
                           what);
}

/* Runs `sql` while the file flows through its pipe (CSV) or alone (Parquet). A fault of the file
 * itself is said before what the engine makes of it. */
static fa_rc run_with_feed(load_job *j, size_t i, const char *pipe, fa_str sql, fa_sink *sink,
                           void *user, char hash[65], fa_err *e)
{
    fa_bill_file *f = &j->file[i];
    fa_feed *feed = NULL;
    fa_rc rc;
    fa_err feed_err;

    if (f->kind != FA_FILE_PARQUET && fa_feed_open(f, pipe, &feed, e))
        return e->rc;
    pthread_mutex_lock(&j->lock);
    j->feed = feed;
    j->reading = f;
    j->rows_before = fa_tally_rows(j->tally);
    pthread_mutex_unlock(&j->lock);
    rc = sink ? fa_sql_query(j->conn, sql, NULL, 0, sink, user, e)
              : fa_sql_exec(j->conn, sql, NULL, 0, NULL, e);
    pthread_mutex_lock(&j->lock);
    j->feed = NULL;
    j->reading = NULL;
    pthread_mutex_unlock(&j->lock);
    if (feed && fa_feed_close(feed, rc != FA_OK, hash, &feed_err) && feed_err.rc != FA_ECANCELLED) {
        *e = feed_err;
        rc = e->rc;
    }
    return rc;
}

static fa_rc add_broken(void *user, const fa_batch *b, fa_err *e)
{
    bad_list *l = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++)
        bad_row(l, b->col[0].i64[r], FA_STR(""), FA_STR(""), b->col[1].text[r], b->col[2].text[r],
                "line");
    return FA_OK;
}

static fa_rc forget_broken(load_job *j, const fa_bill_file *f, fa_err *e)
{
    fa_rc rc = FA_OK;

    if (f->skip_broken && !(rc = fa_execf(j->conn, e, "DROP TABLE IF EXISTS fa_rejects")))
        rc = fa_execf(j->conn, e, "DROP TABLE IF EXISTS fa_reject_scans");
    return rc;
}

/* Says what is wrong with rows of file i; *n counts them (up to limit + 1). */
static fa_rc find_bad(load_job *j, size_t i, bad_list *bad, fa_err *e)
{
    fa_rc rc;
    fa_tally *scratch = fa_tally_new(j->l->engine);
    char *pipe = pipe_path(j, "bad", i), hash[65];
    fa_str sql;

    if (!scratch || !pipe) {
        fa_tally_free(scratch);
        return fa_oom(e);
    }
    if (!(rc = forget_broken(j, &j->file[i], e)) &&
        !(rc = fa_map_bad_rows(j->a, &j->file[i], pipe, scratch, bad->limit + 1, &sql, e)))
        rc = run_with_feed(j, i, pipe, sql, add_bad, bad, hash, e);
    if (!rc && j->file[i].skip_broken)
        rc = fa_sql_query(
            j->conn,
            FA_STR("SELECT line::BIGINT, any_value(error_message), any_value(csv_line) FROM"
                   " fa_rejects GROUP BY line ORDER BY line LIMIT 100002"),
            NULL, 0, add_broken, bad, e);
    fa_tally_free(scratch);
    return rc;
}

/* The engine's words on a broken CSV record, in ours: "CSV Error on Line: 17 ... Expected Number of
 * Columns: 3 Found: 4". */
static fa_rc csv_error(const fa_bill_file *f, fa_err *e)
{
    char text[sizeof e->msg];
    fa_str at = fa_str_of(strstr(e->msg, "Expected Number of Columns: "));
    fa_str line = fa_str_of(strstr(e->msg, "CSV Error on Line: "));
    uint64_t n, want, found;

    if (!fa_take(&line, "CSV Error on Line: ") || !fa_take_u64(&line, &n))
        return e->rc;
    if (fa_take(&at, "Expected Number of Columns: ") && fa_take_u64(&at, &want) &&
        fa_take(&at, " Found: ") && fa_take_u64(&at, &found))
        snprintf(text, sizeof text, "the header has %llu columns, this row has %llu",
                 (unsigned long long)want, (unsigned long long)found);
    else if (strstr(e->msg, "unterminated quote"))
        snprintf(text, sizeof text, "a quote is opened and never closed");
    else if (strstr(e->msg, "Maximum line size"))
        snprintf(text, sizeof text, "the row is longer than 1 MiB");
    else if (strstr(e->msg, "nicode") || strstr(e->msg, "utf-8"))
        snprintf(text, sizeof text, "the text is not UTF-8");
    else
        snprintf(text, sizeof text, "the row cannot be read as comma-separated values");
    return fa_fail(e, FA_EDATA, "%.*s: line %llu: %s", FA_FMT(f->name), (unsigned long long)n,
                   text);
}

/* Tags are parsed once per line, not per row. With --skip-bad the rows must be known before the
 * archive is sealed; without it the star's refusal of the line is soon enough. */
static fa_rc has_bad_tags(load_job *j, size_t i, bool *out, fa_err *e)
{
    bool has_tags = false;
    int64_t n = 0;
    fa_buf b;
    fa_rc rc = FA_OK;

    for (size_t k = 0; k < j->file[i].nout; k++)
        has_tags |= fa_str_eqz(j->file[i].out[k].name, "Tags");
    *out = false;
    if (!has_tags)
        return FA_OK;
    fa_buf_init(&b, 1 << 16);
    fa_buf_z(&b, "SELECT count(*) FROM read_parquet(");
    fa_buf_sql_text(&b, fa_str_of(fa_arena_printf(j->a, "%s/%zu.parquet", j->work_dir, i)));
    fa_buf_z(&b, ") WHERE Tags IS NOT NULL AND fa_tags(Tags) IS NULL");
    rc = b.failed ? fa_oom(e) : fa_sql_i64(j->conn, fa_buf_view(&b), NULL, 0, &n, e);
    fa_buf_release(&b);
    *out = n > 0;
    return rc;
}

static fa_rc refuse_bad(load_job *j, bad_list *bad, fa_err *e)
{
    (void)fa_fail(e, FA_EDATA, "%.*s%s", FA_FMT(fa_buf_view(&bad->first)),
                  bad->n > BAD_SHOWN ? "; and more" : "");
    if (j->q->skip_bad > 0)
        return fa_hint(e, "more rows are bad than --skip-bad %lld allows; nothing was loaded",
                       (long long)j->q->skip_bad);
    return fa_hint(e, "nothing was loaded; correct the file, or allow bad rows to be left out with "
                      "--skip-bad N");
}

/* ---- reading one file into the archive ---- */

static fa_rc copy_file(load_job *j, size_t i, const char *pipe, fa_str skip_rows, fa_err *e)
{
    fa_str select;
    fa_buf b;
    fa_rc rc;

    if (forget_broken(j, &j->file[i], e) ||
        fa_map_select(j->a, &j->file[i], pipe, j->tally, skip_rows, &select, e))
        return e->rc;
    fa_buf_init(&b, 16 << 20);
    fa_buf_z(&b, "COPY (");
    fa_buf_str(&b, select);
    fa_buf_z(&b, ") TO ");
    fa_buf_sql_text(&b, fa_str_of(fa_arena_printf(j->a, "%s/%zu.parquet", j->work_dir, i)));
    fa_archive_format(&b);
    rc = b.failed ? fa_oom(e)
                  : run_with_feed(j, i, pipe, fa_buf_view(&b), NULL, NULL, j->hash[i], e);
    fa_buf_release(&b);
    if (rc == FA_EDATA && j->file[i].kind != FA_FILE_PARQUET)
        rc = csv_error(&j->file[i], e);
    return rc;
}

static fa_rc keep_rejects(load_job *j, const bad_list *bad, fa_err *e)
{
    char *path = fa_arena_printf(j->a, "%s/rejects/%lld.csv", j->l->dir, (long long)j->load.id);
    fa_buf b;
    fa_rc rc;

    if (!path)
        return fa_oom(e);
    fa_buf_init(&b, 64 << 20);
    if (j->reject_file.n && (rc = fa_file_read(path, 64 << 20, &b, e)))
        goto done;
    if (!b.n)
        fa_buf_z(&b, "file,row,column,value,reason,record\n");
    fa_buf_str(&b, fa_buf_view(&bad->text));
    rc = b.failed ? fa_oom(e) : fa_file_write_durable(path, fa_buf_view(&b), 0600, e);
    j->reject_file = fa_str_of(path);
done:
    fa_buf_release(&b);
    return rc;
}

/* A record of a wrong shape, which --skip-bad may put aside; a fault of the file as a whole is not.
 */
static bool is_broken_record(const load_job *j, const fa_err *e)
{
    return j->q->skip_bad > 0 && e->rc == FA_EDATA && strstr(e->msg, ": line ") != NULL &&
           (strstr(e->msg, "the header has") || strstr(e->msg, "comma-separated"));
}

static int64_t last_line(const char *path)
{
    FILE *in = fopen(path, "rbe");
    char *buf = malloc(1 << 16);
    int64_t lines = 1;
    size_t n;
    char last = '\n';

    while (in && buf && (n = fread(buf, 1, 1 << 16, in)) > 0) {
        for (size_t i = 0; i < n; i++)
            lines += buf[i] == '\n';
        last = buf[n - 1];
    }
    if (in)
        fclose(in);
    free(buf);
    return last == '\n' ? 0 : lines; /* 0: the last line is whole */
}

/* Some exports leave out the empty cells at a row's end. Where the format is known for it, they are read
 * as empty; a last line that breaks off is still a file that breaks off. */
static fa_rc copy_padded(load_job *j, size_t i, const char *pipe, fa_err *e)
{
    fa_bill_file *f = &j->file[i];
    fa_rc rc = copy_file(j, i, pipe, FA_STR(""), e);
    fa_str at = fa_str_of(strstr(e->msg, ": line "));
    uint64_t line, want, has;

    if (rc != FA_EDATA || !f->may_be_short || f->pad_short || !fa_take(&at, ": line ") ||
        !fa_take_u64(&at, &line) || !fa_take(&at, ": the header has ") ||
        !fa_take_u64(&at, &want) || !fa_take(&at, " columns, this row has ") ||
        !fa_take_u64(&at, &has) || has > want)
        return rc;
    if (f->pack == FA_PACK_NONE && (int64_t)line == last_line(f->path)) {
        (void)fa_fail(e, FA_EDATA, "%.*s: line %llu: the row breaks off after %llu of %llu columns",
                      FA_FMT(f->name), (unsigned long long)line, (unsigned long long)has,
                      (unsigned long long)want);
        return fa_hint(e, "fetch the file again; nothing of it was loaded");
    }
    f->pad_short = true;
    fa_tally_rewind(j->tally);
    if (fa_bill_notice(&j->match, e,
                       "%.*s has rows that are shorter than its header: what they lack is"
                       " empty",
                       FA_FMT(f->name)))
        return e->rc;
    return copy_file(j, i, pipe, FA_STR(""), e);
}

static fa_rc read_file(load_job *j, size_t i, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_bill_file *f = &j->file[i];
    char *pipe = pipe_path(j, "in", i);
    int64_t before = fa_tally_rows(j->tally);
    fa_str *name;
    fa_measure measure[FA_M__COUNT];
    size_t nname;
    bool bad_tags = false;
    bad_list bad = {.j = j, .f = f, .limit = j->q->skip_bad - j->load.rejected};

    fa_buf_init(&bad.rows, 1 << 20);
    fa_buf_init(&bad.text, 32 << 20);
    fa_buf_init(&bad.first, 1 << 16);
    if (!pipe) {
        rc = fa_oom(e);
        goto done;
    }
    fa_tally_measures(j->tally, measure, fa_map_measures(f, measure));
    if ((rc = fa_map_line_names(j->a, f, &name, &nname, e)) ||
        (rc = fa_tally_lines(j->tally, j->l->line_seed, name, nname, e)) ||
        ((rc = copy_padded(j, i, pipe, e)) && !is_broken_record(j, e)) ||
        (!rc && j->q->skip_bad > 0 && (rc = has_bad_tags(j, i, &bad_tags, e))))
        goto done;
    f->skip_broken = rc != FA_OK;
    if (rc || fa_tally_bad(j->tally) > 0 || bad_tags) {
        if ((rc = find_bad(j, i, &bad, e)))
            goto done;
        if (bad.n > bad.limit || bad.n == 0) {
            rc = bad.n ? refuse_bad(j, &bad, e)
                       : fa_fail(e, FA_EDATA, "%.*s: a row cannot be booked", FA_FMT(f->name));
            goto done;
        }
        fa_tally_rewind(j->tally);
        if ((rc = copy_file(j, i, pipe, fa_buf_view(&bad.rows), e)))
            goto done;
        if (fa_tally_bad(j->tally) > 0) {
            rc = fa_fail(e, FA_EINTERNAL, "%.*s: rows are bad but were not found", FA_FMT(f->name));
            goto done;
        }
        j->load.rejected += bad.n;
        if ((rc = keep_rejects(j, &bad, e)))
            goto done;
    }
    rc = fa_tally_keep(j->tally, e);
    j->file_rows[i] = fa_tally_rows(j->tally) - before;
    __atomic_add_fetch(&j->bytes_done, f->bytes, __ATOMIC_RELAXED); /* the ticker reads it */
done:
    fa_buf_release(&bad.rows);
    fa_buf_release(&bad.text);
    fa_buf_release(&bad.first);
    return rc;
}

static fa_rc read_all(load_job *j, fa_err *e)
{
    fa_rc rc;
    char *bills = fa_arena_printf(j->a, "%s/bills", j->l->dir);

    j->work_dir = fa_arena_printf(j->a, "%s/bills/.%lld", j->l->dir, (long long)j->load.id);
    if (!bills || !j->work_dir)
        return fa_oom(e);
    if ((rc = fa_remove_tree(j->work_dir, e)) || (rc = fa_mkdirs(j->work_dir, 0700, e)))
        return rc;
    set_phase(j, "archive");
    for (size_t i = 0; i < j->nfile; i++) {
        if (fa_cancelled(j->p))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
        if (j->file[i].kind == FA_FILE_PARQUET && !j->hash[i][0] &&
            (rc = fa_bill_hash(j->file[i].path, j->hash[i], j->p ? j->p->cancel : NULL, e)))
            return rc;
        if ((rc = read_file(j, i, e)))
            return rc;
        if (j->delivery && j->delivery->rows[i] >= 0 && j->nfile == j->delivery->n &&
            j->file_rows[i] + j->load.rejected < j->delivery->rows[i]) {
            (void)fa_fail(e, FA_EDATA,
                          "the delivery is held back: %.*s has %lld rows, the manifest says %lld",
                          FA_FMT(j->file[i].name), (long long)j->file_rows[i],
                          (long long)j->delivery->rows[i]);
            return fa_hint(e, "nothing was changed; load it again when it is complete");
        }
    }
    if (fa_tally_rounded(j->tally) > 0)
        return fa_bill_notice(&j->match, e,
                              "%lld amounts have more than 18 decimals; each was rounded to 18",
                              (long long)fa_tally_rounded(j->tally));
    return FA_OK;
}

/* ---- what meta.db keeps of a load ---- */

static fa_rc describe(load_job *j, fa_err *e)
{
    fa_buf b;
    fa_jw w;
    fa_map *seen = fa_map_new();

    if (!seen)
        return fa_oom(e);
    fa_buf_init(&b, 16 << 20);
    fa_jw_init(&w, &b);
    fa_jw_arr(&w);
    for (size_t i = 0; i < j->nfile; i++) {
        fa_jw_obj(&w);
        fa_jw_key(&w, "name");
        fa_jw_str(&w, j->file[i].name);
        fa_jw_key(&w, "bytes");
        fa_jw_int(&w, j->file[i].bytes);
        fa_jw_key(&w, "hash");
        fa_jw_z(&w, j->hash[i]);
        fa_jw_key(&w, "rows");
        fa_jw_int(&w, j->file_rows[i]);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    j->load.files = fa_arena_dup(j->a, fa_buf_view(&b));
    fa_buf_clear(&b);
    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "lineColumns");
    fa_jw_arr(&w);
    for (size_t i = 0; i < j->nfile; i++)
        for (size_t k = 0; k < j->file[i].nout; k++) {
            const fa_bill_out *c = &j->file[i].out[k];
            bool added = false;
            size_t v;

            if (c->in_line && !c->focus && fa_map_add(seen, c->name, 1, &v, &added) && added)
                fa_jw_str(&w, c->name);
        }
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "notices");
    fa_jw_arr(&w);
    for (size_t i = 0; i < j->match.nnotice; i++)
        fa_jw_str(&w, j->match.notice[i]);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "archive");
    fa_jw_arr(&w);
    for (size_t i = 0; i < j->nfile; i++)
        fa_jw_z(&w, j->archive_hash[i]);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "center");
    fa_jw_z(&w, j->nfile && j->file[0].center ? j->file[0].center : "");
    fa_jw_key(&w, "approximated");
    fa_jw_int(&w, j->approximated);
    fa_jw_key(&w, "scope");
    fa_jw_str(&w, j->scope);
    fa_jw_key(&w, "rejectFile");
    fa_jw_str(&w, j->reject_file);
    fa_jw_end_obj(&w);
    j->load.detail = fa_arena_dup(j->a, fa_buf_view(&b));
    fa_buf_release(&b);
    fa_map_free(seen);
    j->load.rows = fa_tally_rows(j->tally) - j->again;
    return j->load.files.p && j->load.detail.p ? FA_OK : fa_oom(e);
}

/* ---- archive: compare, sync, rename ---- */

static fa_rc seal_archive(load_job *j, const fa_tally_row *file, size_t nfile, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_buf list;
    fa_tally_row *got;
    size_t n;
    char *final = fa_archive_dir(j->l, j->a, j->load.id);

    fa_arena_init(&a, 64 << 20);
    fa_buf_init(&list, 8 << 20);
    fa_buf_c(&list, '[');
    for (size_t i = 0; i < j->nfile; i++) {
        char *path = fa_arena_printf(&a, "%s/%zu.parquet", j->work_dir, i);

        if (!path) {
            rc = fa_oom(e);
            goto done;
        }
        if ((rc = fa_fsync_path(path, e)) ||
            (rc = fa_bill_hash(path, j->archive_hash[i], j->p ? j->p->cancel : NULL, e)))
            goto done;
        fa_buf_z(&list, i ? ", " : "");
        fa_buf_sql_text(&list, fa_str_of(path));
    }
    fa_buf_c(&list, ']');
    if (!final || list.failed) {
        rc = fa_oom(e);
        goto done;
    }
    set_phase(j, "verify");
    if ((rc = fa_archive_totals(j->conn, &a, fa_buf_view(&list), INT32_MIN, &got, &n, e)) ||
        (rc = fa_totals_compare("file", file, nfile, "archive", got, n, e)) ||
        (rc = fa_fsync_path(j->work_dir, e)))
        goto done;
    (void)fa_fault("load-before-rename");
    rc = fa_rename_durable(j->work_dir, final, e);
    (void)fa_fault("load-after-rename");
done:
    fa_buf_release(&list);
    fa_arena_release(&a);
    return rc;
}

/* ---- go live ---- */

/* What the new parts replace: live parts of the same source, period and scope. */
static fa_rc replaced_parts(load_job *j, const fa_part *part, size_t n, int64_t **gone,
                            size_t *ngone, fa_err *e)
{
    fa_part *live;
    size_t nlive;

    *ngone = 0;
    if (fa_part_live(j->l->store, j->a, j->l->account, &live, &nlive, e))
        return e->rc;
    *gone = fa_arena_array(j->a, nlive + 1, sizeof **gone);
    if (!*gone)
        return fa_oom(e);
    for (size_t i = 0; i < nlive; i++)
        for (size_t k = 0; k < n; k++)
            if (live[i].source_id == j->load.source_id && live[i].period == part[k].period &&
                fa_str_eq(live[i].scope, part[k].scope))
                (*gone)[(*ngone)++] = live[i].id;
    return FA_OK;
}

/* The star met Tags that are no JSON object: says in which row. */
static fa_rc name_bad_tags(load_job *j, fa_err *e)
{
    fa_err first = *e, why;

    if (!strstr(e->msg, FA_BAD_TAGS))
        return e->rc;
    *e = first;
    for (size_t i = 0; i < j->nfile; i++) {
        bad_list bad = {.j = j, .f = &j->file[i], .limit = 0};
        fa_rc rc;

        fa_buf_init(&bad.rows, 1 << 20);
        fa_buf_init(&bad.text, 32 << 20);
        fa_buf_init(&bad.first, 1 << 16);
        rc = find_bad(j, i, &bad, &why);
        if (!rc && bad.n)
            rc = refuse_bad(j, &bad, e);
        else if (rc)
            *e = why;
        fa_buf_release(&bad.rows);
        fa_buf_release(&bad.text);
        fa_buf_release(&bad.first);
        if (rc)
            return rc;
    }
    return e->rc;
}

/* The live parts as they will be, and what views among them leave of each. */
static fa_rc settle_views(load_job *j, const fa_load_result *r, const int64_t *gone, size_t ngone,
                          fa_err *e)
{
    fa_part *live, *all;
    size_t n, k = 0;

    if (fa_part_live(j->l->store, j->a, j->l->account, &live, &n, e))
        return e->rc;
    if (!(all = fa_arena_array(j->a, n + r->npart + 1, sizeof *all)))
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        bool goes = false;

        for (size_t g = 0; g < ngone; g++)
            goes |= gone[g] == live[i].id;
        if (!goes)
            all[k++] = live[i];
    }
    for (size_t i = 0; i < r->npart; i++)
        all[k++] = r->part[i];
    return fa_view_settle(j->l, j->conn, all, k, e) ? e->rc
                                                    : fa_fair_settle(j->l, j->conn, j->p, e);
}

static fa_rc go_live(load_job *j, const fa_tally_row *file, size_t nfile, fa_load_result *out,
                     fa_err *e)
{
    fa_rc rc;
    fa_store *s = j->l->store;
    fa_star_load star = {.load_id = j->load.id, .source_id = j->load.source_id};
    fa_tally_row *got;
    fa_total *t;
    fa_restate *before = NULL;
    int64_t *gone = NULL;
    size_t n, nt;
    bool in_store = false;

    set_phase(j, "ledger");
    if ((rc = fa_execf(j->conn, e, "BEGIN")))
        return rc;
    if (fa_star_stage(j->l, j->conn, j->load.id, e)) {
        fa_err ignored;

        if (fa_execf(j->conn, &ignored, "ROLLBACK"))
            fa_log(FA_LOG_DEBUG, "rollback", "error=%s", ignored.msg);
        return name_bad_tags(j, e);
    }
    if ((rc = fa_star_periods(j->conn, j->a, &out->part, &out->npart, e)))
        return rc;
    for (size_t i = 0; i < out->npart; i++) {
        out->part[i].scope = j->scope;
        out->part[i].payer = j->payer;
    }
    if ((rc = fa_restate_begin(j->l, j->conn, j->a, j->load.source_id, out->part, out->npart,
                               &before, e)) ||
        (rc = replaced_parts(j, out->part, out->npart, &gone, &star.ngone, e)))
        return rc;
    (void)fa_fault("load-staged");
    if (fa_cancelled(j->p))
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    /* ids first and by themselves: meta.db is not held while the star works */
    for (size_t i = 0; i < out->npart; i++) {
        out->part[i].load_id = j->load.id;
        out->part[i].source_id = j->load.source_id;
        if ((rc = fa_part_add(s, j->l->account, &out->part[i], &out->part[i].id, e)))
            return rc;
        out->part[i].live = true;
    }
    star.part = out->part;
    star.npart = out->npart;
    star.gone = gone;
    if ((rc = fa_star_apply(j->l, j->conn, &star, e)) ||
        (rc = fa_star_totals(j->conn, j->a, out->part, out->npart, &got, &n, e)) ||
        (rc = fa_totals_compare("archive", file, nfile, "ledger", got, n, e)) ||
        (rc = settle_views(j, out, gone, star.ngone, e)))
        goto done;
    out->total = fa_arena_array(j->a, (nfile * 2 + n) * (FA_M__COUNT + 1) + 1, sizeof *out->total);
    if (!out->total) {
        rc = fa_oom(e);
        goto done;
    }
    for (int step = 0; step < 3; step++) {
        static const char *const name[] = {"file", "archive", "ledger"};

        /* the archive's totals were equal to the file's in every number */
        if ((rc = fa_totals_of(j->a, name[step], step < 2 ? file : got, step < 2 ? nfile : n,
                               j->own, &t, &nt, e)))
            goto done;
        memcpy(out->total + out->ntotal, t, nt * sizeof *t);
        out->ntotal += nt;
    }
    set_phase(j, "live");
    j->load.state = FA_STR("live");
    j->load.finished_ms = fa_now_ms();
    if ((rc = fa_store_begin(s, e)))
        goto done;
    in_store = true;
    if ((rc = fa_total_add(s, j->l->account, j->load.id, out->total, out->ntotal, e)) ||
        (rc = fa_load_update(s, j->l->account, &j->load, e)) ||
        (rc = fa_restate_end(j->l, j->conn, j->a, before, &j->load, e)) ||
        (j->keeps_mapping &&
         (rc = fa_mapping_put(s, j->l->account, j->load.source_id, j->hint.mapping, e))) ||
        (rc = fa_part_go_live(s, j->l->account, j->load.id, e)))
        goto done;
    (void)fa_fault("load-before-commit");
    if ((rc = fa_store_commit(s, e)))
        goto done;
    in_store = false;
    (void)fa_fault("load-between-commits");
    rc = fa_star_commit(j->l, j->conn, e);
    if (rc) { /* it is live by meta.db: the star must follow */
        fa_log(FA_LOG_ERROR, "star_commit", "load=%lld error=%s", (long long)j->load.id, e->msg);
        fa_conn_put(j->conn);
        j->conn = NULL;
        rc = fa_star_reconcile(j->l, NULL, e);
    }
done:
    if (in_store)
        fa_store_rollback(s);
    return rc;
}

/* ---- the whole ---- */

/* The names that were asked for, as the record of a load that is refused before its files are known. */
static fa_str named_files(load_job *j)
{
    fa_buf b;
    fa_jw w;
    fa_str out;

    fa_buf_init(&b, 4 << 20);
    fa_jw_init(&w, &b);
    fa_jw_arr(&w);
    for (size_t i = 0; i < j->q->npath && i < 1000; i++) {
        const char *slash = strrchr(j->q->path[i], '/');

        fa_jw_obj(&w);
        fa_jw_key(&w, "name");
        fa_jw_z(&w, slash && slash[1] ? slash + 1 : j->q->path[i]);
        fa_jw_key(&w, "bytes");
        fa_jw_int(&w, 0);
        fa_jw_key(&w, "rows");
        fa_jw_int(&w, 0);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    out = fa_buf_dup(&b, j->a);
    fa_buf_release(&b);
    return out.p ? out : FA_STR("[]");
}

/* What a format may want to know beside the columns. */
static fa_rc make_hint(load_job *j, fa_err *e)
{
    fa_account account;

    if (fa_account_first(j->l->store, j->a, &account, e))
        return e->rc;
    if (j->q->mapping.n > 1 << 20)
        return fa_fail(e, FA_EINVAL, "the mapping is larger than 1 MiB");
    j->hint = (fa_bill_hint){j->q->format, j->q->mapping, account.currency};
    j->keeps_mapping = j->q->mapping.n > 0;
    if (!j->q->mapping.n && !j->q->format.n && /* what the source's files were read by before */
        fa_mapping_get(j->l->store, j->a, j->l->account, j->load.source_id, &j->hint.mapping, e))
        return e->rc;
    j->match = (fa_bill_match){.a = j->a, .hint = &j->hint};
    return FA_OK;
}

static fa_rc begin_load(load_job *j, fa_err *e)
{
    fa_source source;
    fa_str name = fa_str_trim(j->q->source);

    if (name.n == 0 || name.n > 200 || !fa_utf8_valid(name))
        return fa_fail(e, FA_EINVAL, "the source needs a name of 1 to 200 bytes");
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return fa_fail(e, FA_EINVAL, "the source's name has a control character");
    if (j->q->skip_bad < 0 || j->q->skip_bad > 100000)
        return fa_fail(e, FA_EINVAL, "the number of bad rows to skip is 0 to 100,000");
    if (fa_source_ensure(j->l->store, j->a, j->l->account, name, &source, e))
        return e->rc;
    j->load.source_id = source.id;
    j->load.source = fa_arena_dup(j->a, source.name);
    j->load.state = FA_STR("running");
    j->load.format = j->load.error = j->load.detail = j->load.content_hash = FA_STR("");
    j->load.files = named_files(j);
    j->load.started_ms = fa_now_ms();
    j->load.finished_ms = j->load.made_ms = -1;
    if (make_hint(j, e) || fa_load_find_delivery(j, e) || list_files(j, e))
        return e->rc;
    return fa_load_leave_out_known(j, e);
}

/* A load that came to nothing says why; its files are taken away. */
static void end_badly(load_job *j, const fa_err *why)
{
    fa_err e;
    fa_arena a;
    char *final;

    if (!j->load.source_id)
        return;
    /* refused before it had a number: the history shows it all the same */
    if (!j->load.id && fa_load_add(j->l->store, j->l->account, &j->load, &j->load.id, &e)) {
        fa_log(FA_LOG_WARN, "load_record", "error=%s", e.msg);
        return;
    }
    fa_arena_init(&a, 1 << 20);
    final = fa_archive_dir(j->l, &a, j->load.id);
    j->load.state = why->rc == FA_ECANCELLED ? FA_STR("cancelled") : FA_STR("failed");
    j->load.error = fa_str_of(why->msg);
    j->load.finished_ms = fa_now_ms();
    if ((j->work_dir && fa_remove_tree(j->work_dir, &e)) || (final && fa_remove_tree(final, &e)) ||
        fa_load_update(j->l->store, j->l->account, &j->load, &e))
        fa_log(FA_LOG_WARN, "load_cleanup", "load=%lld error=%s", (long long)j->load.id, e.msg);
    if (j->reject_file.n)
        (void)unlink(j->reject_file.p);
    fa_arena_release(&a);
}

/* What the ticker looks at, all at once. */
static fa_rc open_work(load_job *j, fa_err *e)
{
    fa_tally *tally = fa_tally_new(j->l->engine);
    fa_conn *conn = NULL;
    fa_rc rc = tally ? fa_conn_get(j->l->engine, &conn, e) : fa_oom(e);

    pthread_mutex_lock(&j->lock);
    j->tally = tally;
    j->conn = conn;
    pthread_mutex_unlock(&j->lock);
    return rc;
}

/* Nothing of it is new: the history says that it came. */
static fa_rc end_unchanged(load_job *j, fa_load_result *out, fa_err *e)
{
    fa_rc rc;
    bool is_known = j->load.id != 0;

    j->load.state = FA_STR("unchanged");
    j->load.finished_ms = fa_now_ms();
    if (j->work_dir && fa_remove_tree(j->work_dir, e))
        return e->rc;
    if (j->load.format.n == 0)
        j->load.format = j->match.version;
    if (j->tally && (rc = describe(j, e)))
        return rc;
    if (!is_known) {
        fa_buf b;
        fa_jw w;

        fa_buf_init(&b, 1 << 20);
        fa_jw_init(&w, &b);
        fa_jw_obj(&w);
        fa_jw_key(&w, "notices");
        fa_jw_arr(&w);
        for (size_t i = 0; i < j->match.nnotice; i++)
            fa_jw_str(&w, j->match.notice[i]);
        fa_jw_end_arr(&w);
        fa_jw_end_obj(&w);
        j->load.detail = fa_buf_dup(&b, j->a);
        fa_buf_release(&b);
        if (!j->load.detail.p)
            return fa_oom(e);
    }
    rc = is_known ? fa_load_update(j->l->store, j->l->account, &j->load, e)
                  : fa_load_add(j->l->store, j->l->account, &j->load, &j->load.id, e);
    out->load = j->load;
    out->notice = j->match.notice;
    out->nnotice = j->match.nnotice;
    return rc;
}

static fa_rc load_locked(load_job *j, fa_load_result *out, fa_err *e)
{
    fa_rc rc;
    bool same = false;
    const fa_tally_row *file;
    size_t nfile;

    if ((rc = start_ticking(j, e)) || (rc = begin_load(j, e)))
        return rc;
    if (j->nfile == 0)
        return end_unchanged(j, out, e);
    if ((rc = fa_load_is_older(j, &same, e)))
        return rc;
    if (same)
        return end_unchanged(j, out, e);
    if ((rc = sizes_match(j, &same, e)))
        return rc;
    if (same) {
        int64_t id;

        if ((rc = hash_files(j, e)) || (rc = is_unchanged(j, &id, e)))
            return rc;
        if (id) {
            rc = fa_ledger_load_result(j->l, j->a, id, out, e);
            out->load.state = FA_STR("unchanged");
            return rc;
        }
    }
    if ((rc = fa_load_add(j->l->store, j->l->account, &j->load, &j->load.id, e)))
        return rc;
    if ((rc = open_work(j, e)) || (rc = read_all(j, e)) || (rc = content_hash(j, e)) ||
        (rc = fa_tally_result(j->tally, &file, &nfile, e)))
        return rc;
    if (fa_tally_rows(j->tally) == 0)
        return fa_fail(e, FA_EDATA, "%.*s: there is a header and no row", FA_FMT(j->file[0].name));
    if ((rc = fa_load_place_parts(j, e)) || (rc = fa_load_only_new_rows(j, &file, &nfile, e)))
        return rc;
    if (nfile == 0)
        return end_unchanged(j, out, e);
    /* the record must know the load's line columns before the star is staged from it */
    if ((rc = seal_archive(j, file, nfile, e)) || (rc = describe(j, e)) ||
        (rc = fa_load_update(j->l->store, j->l->account, &j->load, e)) ||
        (rc = go_live(j, file, nfile, out, e)))
        return rc;
    out->load = j->load;
    out->notice = j->match.notice;
    out->nnotice = j->match.nnotice;
    out->reject_file = j->reject_file;
    if (fa_restatement_list(j->l->store, j->a, j->l->account, j->load.id, &out->change,
                            &out->nchange, e))
        return e->rc;
    if (fa_star_refresh(j->l, e))
        return e->rc;
    set_phase(j, "segments");
    fa_star_segments(j->l, j->p); /* it is live already: this only makes questions fast */
    return FA_OK;
}

fa_rc fa_ledger_load(fa_ledger *l, fa_arena *a, const fa_load_request *q, const fa_progress *p,
                     fa_load_result *out, fa_err *e)
{
    load_job j = {.l = l, .a = a, .q = q, .p = p, .phase = "hash", .started_mono_ms = fa_mono_ms()};
    fa_rc rc;

    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&l->write);
    rc = load_locked(&j, out, e);
    stop_ticking(&j);
    if (rc) {
        fa_conn_put(j.conn); /* rolls back before the files go */
        j.conn = NULL;
        end_badly(&j, e);
    }
    fa_conn_put(j.conn);
    fa_tally_free(j.tally);
    pthread_mutex_unlock(&l->write);
    return rc;
}
