/* total.c - control totals of a load at each step: exact decimal texts, compared, never computed
 * with here. */
#include "store/db.h"

#define TOTAL_STATEMENTS(X)                                                                        \
    X(add, "INSERT INTO total (account, load_id, step, currency, col, day, nvalue, sum)"           \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"                                              \
           " ON CONFLICT (account, load_id, step, currency, day, col)"                             \
           " DO UPDATE SET nvalue = ?7, sum = ?8")                                                 \
    X(list, "SELECT step, currency, col, day, nvalue, sum FROM total"                              \
            " WHERE account = ?1 AND load_id = ?2"                                                 \
            " ORDER BY CASE step WHEN 'file' THEN 0 WHEN 'archive' THEN 1 ELSE 2 END,"             \
            " currency, day, col")

FA_DB_TABLE(total, TOTAL_STATEMENTS);

static void read_total(fa_db_row *r, void *out)
{
    fa_total *v = out;

    v->step = fa_db_text(r);
    v->currency = fa_db_text(r);
    v->column = fa_db_text(r);
    v->day = (int32_t)fa_db_int(r);
    v->values = fa_db_int(r);
    v->sum = fa_db_text(r);
}

fa_rc fa_total_add(fa_store *s, fa_str account, int64_t load_id, const fa_total *t, size_t n,
                   fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < n; i++)
        rc = fa_db_run(s, table, ST_add, NULL, e, "titttiit", account, load_id, t[i].step,
                       t[i].currency, t[i].column, (int64_t)t[i].day, t[i].values, t[i].sum);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_total_list(fa_store *s, fa_arena *a, fa_str account, int64_t load_id, fa_total **out,
                    size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_total, sizeof **out, out, n, e, "ti", account,
                     load_id);
}
