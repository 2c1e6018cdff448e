/*
 * append.c - files that add to their month: Oracle's numbered reports, cost or FOCUS, Google's batches by export time.
 *
 * The one idea: loading any of them any number of times, in any order, gives the same rows. A report is
 * known by its name and its content. A batch may come again inside a larger extract, so a row is known by
 * its export time, its content and its place among equal rows: equal rows inside one file are several
 * charges, the same rows in two files are one.
 */
#include "ledger/inner.h"

#include <string.h>

/* The archive files of the source's live loads of this format. */
static fa_rc live_files(fa_ledger *l, fa_arena *a, int64_t source_id, fa_str *out, fa_err *e)
{
    fa_part *live;
    size_t n;
    fa_buf b;
    int64_t last = 0;

    if (fa_part_live(l->store, a, l->account, &live, &n, e))
        return e->rc;
    fa_buf_init(&b, 32 << 20);
    for (size_t i = 0; i < n; i++) {
        fa_str files;

        if (live[i].source_id != source_id || live[i].load_id == last ||
            !fa_str_starts(live[i].scope, FA_STR("load:")))
            continue;
        last = live[i].load_id;
        if (fa_archive_files(l, a, last, &files, e)) {
            fa_buf_release(&b);
            return e->rc;
        }
        if (b.n)
            fa_buf_z(&b, ", ");
        fa_buf_put(&b, files.p + 1, files.n - 2); /* without the list's brackets */
    }
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

/* fa_dup(f, r): rows of the new files that are there already; f is the file's place in this load. */
static fa_rc find_again(fa_conn *c, char *const *fresh, size_t n, fa_str live, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 64 << 20);
    fa_buf_z(
        &b,
        "CREATE TEMP TABLE fa_again AS SELECT f, r FROM (SELECT f, r, k, row_number() OVER"
        " (PARTITION BY f, k ORDER BY r) AS o FROM (SELECT fa_file AS f, fa_row AS r,"
        " md5_number(to_json(struct_pack(*COLUMNS(* EXCLUDE (fa_file, fa_row, fa_line, fa_first,"
        " fa_day))))::VARCHAR) AS k FROM (");
    /* one list of columns for all: what one file lacks is NULL for the comparison */
    for (size_t i = 0; i < n; i++) {
        fa_buf_fmt(&b,
                   "%sSELECT %zu AS fa_file, file_row_number AS fa_row, * EXCLUDE (file_row_number)"
                   " FROM read_parquet(",
                   i ? " UNION ALL BY NAME " : "", i);
        fa_buf_sql_text(&b, fa_str_of(fresh[i]));
        fa_buf_z(&b, ", file_row_number = true)");
    }
    if (live.n)
        fa_buf_fmt(&b,
                   " UNION ALL BY NAME SELECT -1 AS fa_file, row_number() OVER () AS fa_row, * FROM"
                   " read_parquet([%.*s], union_by_name = true)",
                   FA_FMT(live));
    fa_buf_z(&b, "))) QUALIFY row_number() OVER (PARTITION BY k, o ORDER BY f) > 1");
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc drop_rows(fa_conn *c, fa_arena *a, const char *path, size_t i, fa_err *e)
{
    char *temp = fa_arena_printf(a, "%s.less", path);
    fa_buf b;
    fa_rc rc;

    if (!temp)
        return fa_oom(e);
    fa_buf_init(&b, 1 << 16);
    fa_buf_z(&b, "COPY (SELECT * EXCLUDE (file_row_number) FROM read_parquet(");
    fa_buf_sql_text(&b, fa_str_of(path));
    fa_buf_fmt(
        &b,
        ", file_row_number = true) WHERE file_row_number NOT IN (SELECT r FROM fa_again WHERE f"
        " = %zu)) TO ",
        i);
    fa_buf_sql_text(&b, fa_str_of(temp));
    fa_archive_format(&b);
    rc = b.failed ? fa_oom(e) : fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    fa_buf_release(&b);
    return rc ? rc : fa_rename_durable(temp, path, e);
}

fa_rc fa_append_only_new(fa_ledger *l, fa_conn *c, fa_arena *a, int64_t source_id,
                         char *const *fresh, size_t n, int64_t *again, fa_err *e)
{
    fa_str live;
    fa_param p = {.kind = FA_P_INT};
    int64_t here;

    *again = 0;
    if (live_files(l, a, source_id, &live, e) ||
        fa_execf(c, e, "DROP TABLE IF EXISTS temp.fa_again") || find_again(c, fresh, n, live, e) ||
        fa_sql_i64(c, FA_STR("SELECT count(*) FROM fa_again"), NULL, 0, again, e))
        return e->rc;
    for (size_t i = 0; *again && i < n; i++) {
        p.num = (int64_t)i;
        if (fa_sql_i64(c, FA_STR("SELECT count(*) FROM fa_again WHERE f = ?"), &p, 1, &here, e) ||
            (here && drop_rows(c, a, fresh[i], i, e)))
            return e->rc;
    }
    return fa_execf(c, e, "DROP TABLE IF EXISTS temp.fa_again");
}
