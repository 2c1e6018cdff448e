/*
 * place.c - what a load is made of and where it goes: its manifest, files that came before, the month or
 * the part of a month that it replaces.
 */
#include "ledger/job.h"

#include <jansson.h>
#include <string.h>

/* A folder or a manifest that leads to one delivery is that delivery; a partial one is held back. */
fa_rc fa_load_find_delivery(load_job *j, fa_err *e)
{
    fa_manifest *list;
    size_t n = 0;

    j->delivery = j->q->delivery;
    if (!j->delivery && j->q->npath == 1) {
        if (fa_manifests_find(j->a, j->q->path[0], &list, &n, e))
            return e->rc;
        if (n > 1) {
            (void)fa_fail(e, FA_EINVAL,
                          "\"%s\" holds %zu deliveries of different exports or months",
                          j->q->path[0], n);
            return fa_hint(e, "load them one by one, by their manifests");
        }
        j->delivery = n ? &list[0] : NULL;
    }
    if (!j->delivery)
        return FA_OK;
    j->load.made_ms = j->delivery->made_ms;
    if (!j->delivery->lacks)
        return FA_OK;
    (void)fa_fail(e, FA_EDATA, "the delivery is held back: %s", j->delivery->lacks);
    return fa_hint(e, "nothing was changed; load it again when it is complete");
}

static void drop_file(load_job *j, size_t i)
{
    j->bytes_total -= j->file[i].bytes;
    memmove(&j->file[i], &j->file[i + 1], (j->nfile - i - 1) * sizeof *j->file);
    j->nfile--;
}

/* Two files of the same bytes under two names are one. Only equal sizes are worth a look. */
static fa_rc leave_out_twins(load_job *j, fa_err *e)
{
    for (size_t i = 0; i < j->nfile; i++)
        for (size_t k = i + 1; k < j->nfile; k++) {
            char one[65], two[65];

            if (j->file[i].bytes != j->file[k].bytes)
                continue;
            if (fa_bill_hash(j->file[i].path, one, j->p ? j->p->cancel : NULL, e) ||
                fa_bill_hash(j->file[k].path, two, j->p ? j->p->cancel : NULL, e))
                return e->rc;
            if (strcmp(one, two) != 0)
                continue;
            if (fa_bill_notice(&j->match, e, "%.*s has the same content as %.*s and is loaded once",
                               FA_FMT(j->file[k].name), FA_FMT(j->file[i].name)))
                return e->rc;
            drop_file(j, k--);
        }
    return FA_OK;
}

/* Of a format that adds: files whose names the source's live loads have. A part of a live load of the same
 * size is left to the comparison of content. */
fa_rc fa_load_leave_out_known(load_job *j, fa_err *e)
{
    fa_load *list;
    size_t n, was = j->nfile;

    if (leave_out_twins(j, e))
        return e->rc;
    if (was == 0 || !j->file[0].is_append || fa_str_starts(j->load.format, FA_STR("google")))
        return FA_OK;
    if (fa_load_list(j->l->store, j->a, j->l->account, j->load.source_id, 100000, &list, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++) {
        json_t *files, *v;
        size_t k;

        if (!fa_str_eqz(list[i].state, "live"))
            continue;
        files = json_loadb(list[i].files.p, list[i].files.n, 0, NULL);
        json_array_foreach(files, k, v) for (size_t f = 0; f < j->nfile; f++)
        {
            const char *name = json_string_value(json_object_get(v, "name"));

            if (!name || !fa_str_eqz(j->file[f].name, name))
                continue;
            if (fa_bill_notice(&j->match, e, "%s was read before and is left out", name)) {
                json_decref(files);
                return e->rc;
            }
            drop_file(j, f--);
        }
        json_decref(files);
    }
    return FA_OK;
}

/* Is a later delivery of the same month and scope live? Then this one comes too late to count. */
fa_rc fa_load_is_older(load_job *j, bool *out, fa_err *e)
{
    const char *scope = j->delivery && j->delivery->view ? j->delivery->view : "";
    fa_part *live;
    size_t n;

    *out = false;
    if (!j->delivery || j->load.made_ms < 0 || j->delivery->period == INT32_MIN)
        return FA_OK;
    if (fa_part_live(j->l->store, j->a, j->l->account, &live, &n, e))
        return e->rc;
    for (size_t i = 0; i < n && !*out; i++) {
        fa_load load;

        if (live[i].source_id != j->load.source_id || live[i].period != j->delivery->period ||
            !fa_str_eqz(live[i].scope, scope))
            continue;
        if (fa_load_get(j->l->store, j->a, j->l->account, live[i].load_id, &load, e))
            return e->rc;
        *out = load.made_ms > j->load.made_ms;
        if (*out &&
            fa_bill_notice(&j->match, e,
                           "a later delivery of this month, load %lld, is live: this one is not"
                           " loaded",
                           (long long)load.id))
            return e->rc;
    }
    return FA_OK;
}

static fa_rc list_archive(load_job *j, fa_str *sql, char ***path, fa_err *e)
{
    fa_buf b;

    if (!(*path = fa_arena_array(j->a, j->nfile + 1, sizeof **path)))
        return fa_oom(e);
    fa_buf_init(&b, 8 << 20);
    fa_buf_c(&b, '[');
    for (size_t i = 0; i < j->nfile; i++) {
        if (!((*path)[i] = fa_arena_printf(j->a, "%s/%zu.parquet", j->work_dir, i))) {
            fa_buf_release(&b);
            return fa_oom(e);
        }
        fa_buf_z(&b, i ? ", " : "");
        fa_buf_sql_text(&b, fa_str_of((*path)[i]));
    }
    fa_buf_c(&b, ']');
    *sql = fa_buf_dup(&b, j->a);
    fa_buf_release(&b);
    return sql->p ? FA_OK : fa_oom(e);
}

static fa_rc take_payer(void *user, const fa_batch *b, fa_err *e)
{
    load_job *j = user;

    if (b->rows && !(b->col[0].null && b->col[0].null[0])) {
        j->payer = fa_arena_dup(j->a, b->col[0].text[0]);
        if (!j->payer.p)
            return fa_oom(e);
    }
    return FA_OK;
}

/* Whose bill it is, and whether another source brings the same one. */
static fa_rc find_payer(load_job *j, fa_str archive, fa_err *e)
{
    fa_part *live;
    size_t n;
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 16 << 20);
    fa_buf_fmt(
        &b,
        "SELECT CASE WHEN min(BillingAccountId) = max(BillingAccountId) THEN min(BillingAccountId)"
        " END FROM read_parquet(%.*s, union_by_name = true)",
        FA_FMT(archive));
    rc = b.failed ? fa_oom(e) : fa_sql_query(j->conn, fa_buf_view(&b), NULL, 0, take_payer, j, e);
    fa_buf_release(&b);
    if (rc || !j->payer.n || fa_str_eqz(j->payer, "custom"))
        return rc;
    if (fa_part_live(j->l->store, j->a, j->l->account, &live, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (live[i].source_id != j->load.source_id && fa_str_eq(live[i].payer, j->payer))
            return fa_bill_notice(
                &j->match, e,
                "another source has bills of the billing account %.*s too: a month that"
                " both have is counted twice",
                FA_FMT(j->payer));
    return FA_OK;
}

/* Which place in its month the load takes: the whole of it, a view of it, or beside what is there. */
fa_rc fa_load_place_parts(load_job *j, fa_err *e)
{
    const fa_bill_file *f = &j->file[0];
    fa_str archive;
    char **path;
    fa_rc rc;

    for (size_t i = 1; i < j->nfile; i++)
        if (j->file[i].is_view != f->is_view || j->file[i].is_append != f->is_append)
            return fa_fail(e, FA_EDATA, "%.*s and %.*s are of different formats: load them apart",
                           FA_FMT(f->name), FA_FMT(j->file[i].name));
    j->scope = FA_STR("");
    if ((rc = list_archive(j, &archive, &path, e)))
        return rc;
    if (f->is_view) {
        fa_str hint =
            j->delivery && j->delivery->view ? fa_str_of(j->delivery->view) : j->hint.format;

        if ((rc = fa_view_find(j->conn, hint, f->path, archive, &j->scope, e)))
            return rc;
    }
    if (f->is_append)
        j->scope = fa_str_of(fa_arena_printf(j->a, "load:%lld", (long long)j->load.id));
    if (!j->scope.p)
        return fa_oom(e);
    return find_payer(j, archive, e);
}

/* Rows of an extract that are there already are left out, and the totals are of what is left; before that
 * the whole file was compared with the whole archive. */
fa_rc fa_load_only_new_rows(load_job *j, const fa_tally_row **file, size_t *nfile, fa_err *e)
{
    fa_str archive;
    fa_tally_row *got;
    char **path;
    size_t n;
    int64_t rows = 0;
    fa_rc rc;

    if (!j->file[0].is_append || fa_str_starts(j->load.format, FA_STR("oci")))
        return FA_OK;
    if ((rc = list_archive(j, &archive, &path, e)) ||
        (rc = fa_archive_totals(j->conn, j->a, archive, INT32_MIN, &got, &n, e)) ||
        (rc = fa_totals_compare("file", *file, *nfile, "archive", got, n, e)) ||
        (rc = fa_append_only_new(j->l, j->conn, j->a, j->load.source_id, path, j->nfile, &j->again,
                                 e)))
        return rc;
    if (!j->again)
        return FA_OK;
    if ((rc = fa_archive_totals(j->conn, j->a, archive, INT32_MIN, &got, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++)
        rows += got[i].rows;
    if (rows + j->again != fa_tally_rows(j->tally))
        return fa_fail(e, FA_EINTERNAL, "%lld rows came, %lld were there, %lld are left",
                       (long long)fa_tally_rows(j->tally), (long long)j->again, (long long)rows);
    *file = got;
    *nfile = n;
    return fa_bill_notice(&j->match, e, "%lld rows were loaded before and are left out",
                          (long long)j->again);
}
