/* restatement.c - what later deliveries changed of months that were there, and how a source is read. */
#include "store/db.h"

#define COLUMNS "load_id, period, currency, col, at_ms, closed, before, after"

#define RESTATEMENT_STATEMENTS(X)                                                                  \
    X(add, "INSERT INTO restatement (account, " COLUMNS                                            \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                                        \
    X(list, "SELECT " COLUMNS " FROM restatement WHERE account = ?1 AND (?2 = 0 OR load_id = ?2)"  \
            " ORDER BY load_id, period, currency, col")                                            \
    X(put_mapping, "INSERT INTO mapping (account, source_id, body) VALUES (?1, ?2, ?3)"            \
                   " ON CONFLICT (account, source_id) DO UPDATE SET body = ?3")                    \
    X(get_mapping, "SELECT body FROM mapping WHERE account = ?1 AND source_id = ?2")

FA_DB_TABLE(restatement, RESTATEMENT_STATEMENTS);

static void read_restatement(fa_db_row *r, void *out)
{
    fa_restatement *v = out;

    v->load_id = fa_db_int(r);
    v->period = (int32_t)fa_db_int(r);
    v->currency = fa_db_text(r);
    v->column = fa_db_text(r);
    v->at_ms = fa_db_int(r);
    v->closed = fa_db_int(r) != 0;
    v->before = fa_db_text(r);
    v->after = fa_db_text(r);
}

fa_rc fa_restatement_add(fa_store *s, fa_str account, const fa_restatement *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tiittiitt", account, v->load_id,
                     (int64_t)v->period, v->currency, v->column, v->at_ms, (int64_t)v->closed,
                     v->before, v->after);
}

fa_rc fa_restatement_list(fa_store *s, fa_arena *a, fa_str account, int64_t load_id,
                          fa_restatement **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_restatement, sizeof **out, out, n, e, "ti", account,
                     load_id);
}

fa_rc fa_mapping_put(fa_store *s, fa_str account, int64_t source_id, fa_str body, fa_err *e)
{
    return fa_db_run(s, table, ST_put_mapping, NULL, e, "tit", account, source_id, body);
}

static void read_body(fa_db_row *r, void *out)
{
    *(fa_str *)out = fa_db_text(r);
}

fa_rc fa_mapping_get(fa_store *s, fa_arena *a, fa_str account, int64_t source_id, fa_str *body,
                     fa_err *e)
{
    fa_rc rc;

    *body = FA_STR("");
    rc = fa_db_one(s, table, ST_get_mapping, a, read_body, body, e, "ti", account, source_id);
    return rc == FA_ENOTFOUND ? FA_OK : rc;
}
