/*
 * archive.c - the immutable Parquet files of the loads, as SQL.
 */
#include "ledger/inner.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *fa_archive_dir(fa_ledger *l, fa_arena *a, int64_t load_id)
{
    return fa_arena_printf(a, "%s/bills/%lld", l->dir, (long long)load_id);
}

#define GROUP_ROWS 122880 /* the engine's own default */
#define GROUP_ROWS_MIN 8192
#define ROWS_PER_MB                                                                                \
    240 /* for each thread: then row groups take about half of the engine's memory */

/* A row group is kept in memory, for each thread, until it is whole: with little memory they are smaller, so that --memory
 * is a bound of loading as well. But not smaller than needed: the file's index, 50 KB for each of them, is held whole by
 * whoever writes or reads it. */
void fa_archive_format(fa_buf *b)
{
    size_t bytes = fa_memory_share(FA_MEM_ENGINE);
    size_t rows = (bytes >> 20) * ROWS_PER_MB / fa_engine_threads(bytes);

    rows = rows > GROUP_ROWS       ? GROUP_ROWS
           : rows < GROUP_ROWS_MIN ? GROUP_ROWS_MIN
                                   : rows & ~(size_t)2047;
    fa_buf_fmt(b, " (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE %zu)",
               rows);
}

/* The names of a load's files are 0.parquet, 1.parquet, ...: as many as its record says. */
fa_rc fa_archive_files(fa_ledger *l, fa_arena *a, int64_t load_id, fa_str *sql_list, fa_err *e)
{
    fa_rc rc = FA_OK;
    char *dir = fa_archive_dir(l, a, load_id);
    DIR *d = dir ? opendir(dir) : NULL;
    struct dirent *entry;
    size_t n = 0;
    fa_buf b;

    if (!dir)
        return fa_oom(e);
    if (!d) {
        (void)fa_fail(e, FA_EDATA, "the archive of load %lld, \"%s\", is not there: %s",
                      (long long)load_id, dir, strerror(errno));
        return fa_hint(e, "bring the data directory back with farthing restore");
    }
    while ((entry = readdir(d)) != NULL)
        n += fa_str_ends(fa_str_of(entry->d_name), FA_STR(".parquet"));
    closedir(d);
    if (n == 0)
        return fa_fail(e, FA_EDATA, "the archive of load %lld, \"%s\", is empty",
                       (long long)load_id, dir);
    fa_buf_init(&b, 8 << 20);
    fa_buf_c(&b, '[');
    for (size_t i = 0; i < n; i++) {
        char *path = fa_arena_printf(a, "%s/%zu.parquet", dir, i);

        if (!path) {
            rc = fa_oom(e);
            goto done;
        }
        fa_buf_z(&b, i ? ", " : "");
        fa_buf_sql_text(&b, fa_str_of(path));
    }
    fa_buf_c(&b, ']');
    *sql_list = fa_buf_dup(&b, a);
    if (!sql_list->p)
        rc = fa_oom(e);
done:
    fa_buf_release(&b);
    return rc;
}

/* A relation of no rows with every FOCUS column in its type: what UNION ALL BY NAME takes its shape
 * from. */
void fa_archive_shape(fa_buf *b)
{
    fa_buf_z(b, "SELECT NULL::UUID AS fa_line, NULL::BOOLEAN AS fa_first, NULL::DATE AS fa_day");
    for (size_t i = 0; i < fa_ncolumns; i++) {
        const fa_column *c = &fa_columns[i];

        fa_buf_fmt(b, ", NULL::%s AS %s",
                   c->kind == FA_C_TIME                             ? "TIMESTAMP"
                   : c->kind == FA_C_DEC || c->kind == FA_C_MEASURE ? "DECIMAL(38,18)"
                                                                    : "VARCHAR",
                   c->name);
    }
    fa_buf_z(b, " WHERE false");
}

static fa_rc put_load(fa_ledger *l, fa_arena *a, fa_buf *b, const fa_part *part, size_t n,
                      bool whole, int32_t from, int32_t to, fa_err *e)
{
    fa_str files = {0};
    fa_rc rc = fa_archive_files(l, a, part[0].load_id, &files, e);

    if (rc)
        return rc;
    fa_buf_fmt(b,
               " UNION ALL BY NAME SELECT * FROM read_parquet(%.*s, union_by_name = true) WHERE "
               "fa_day BETWEEN"
               " DATE '1970-01-01' + %d AND DATE '1970-01-01' + %d",
               FA_FMT(files), from, to);
    for (size_t i = 0; !whole && i < n; i++)
        fa_buf_fmt(b, "%sDATE '1970-01-01' + %d%s",
                   i ? ", " : " AND date_trunc('month', BillingPeriodStart) IN (", part[i].period,
                   i + 1 == n ? ")" : "");
    return FA_OK;
}

fa_rc fa_ledger_archive_sql(fa_ledger *l, fa_arena *a, int32_t from, int32_t to, fa_str *sql,
                            fa_err *e)
{
    fa_rc rc;
    fa_buf b;
    fa_part *live, *all;
    size_t n, nall;

    fa_buf_init(&b, 32 << 20);
    if ((rc = fa_part_live(l->store, a, l->account, &live, &n, e)))
        goto done;
    fa_buf_z(&b, "(SELECT fa_l.line_id, fa_b.fa_day AS day, date_trunc('hour', "
                 "fa_b.ChargePeriodStart) AS hour,"
                 " fa_b.* FROM (");
    fa_archive_shape(&b);
    for (size_t i = 0; i < n;) {
        size_t k = i;

        while (k < n && live[k].load_id == live[i].load_id)
            k++;
        if ((rc = fa_part_of_load(l->store, a, l->account, live[i].load_id, &all, &nall, e)) ||
            (rc = put_load(l, a, &b, live + i, k - i, nall == k - i, from, to, e)))
            goto done;
        i = k;
    }
    fa_buf_z(&b, ") AS fa_b JOIN (SELECT line_id, hash FROM line) AS fa_l ON fa_l.hash = "
                 "fa_b.fa_line) AS bill");
    *sql = fa_buf_dup(&b, a);
    if (!sql->p)
        rc = fa_oom(e);
done:
    fa_buf_release(&b);
    return rc;
}
