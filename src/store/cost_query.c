/* cost_query.c - asynchronous API queries. A result is dropped before its id, so a late reader
 * learns that it is gone. */
#include "store/db.h"

#define COLUMNS "id, state, request, error, rows, created_ms, completed_ms, owner, scope"

#define COST_QUERY_STATEMENTS(X)                                                                   \
    X(put,                                                                                         \
      "INSERT INTO cost_query (account, " COLUMNS ", result)"                                      \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (account, id) DO UPDATE" \
      " SET state = ?3, request = ?4, error = ?5, rows = ?6, completed_ms = ?8, result = ?11, "    \
      "scope = ?10")                                                                               \
    X(get, "SELECT " COLUMNS ", '' FROM cost_query WHERE account = ?1 AND id = ?2")                \
    X(get_result, "SELECT " COLUMNS ", result FROM cost_query WHERE account = ?1 AND id = ?2")     \
    X(drop_results, "UPDATE cost_query SET result = '' WHERE account = ?1 AND result <> ''"        \
                    " AND completed_ms >= 0 AND completed_ms < ?2")                                \
    X(drop_ids, "DELETE FROM cost_query WHERE account = ?1 AND created_ms < ?2")

FA_DB_TABLE(cost_query, COST_QUERY_STATEMENTS);

static void read_cost_query(fa_db_row *r, void *out)
{
    fa_cost_query *v = out;

    v->id = fa_db_text(r);
    v->state = fa_db_text(r);
    v->request = fa_db_text(r);
    v->error = fa_db_text(r);
    v->rows = fa_db_int(r);
    v->created_ms = fa_db_int(r);
    v->completed_ms = fa_db_int(r);
    v->owner = fa_db_text(r);
    v->scope = fa_db_text(r);
    v->result = fa_db_text(r);
}

fa_rc fa_cost_query_put(fa_store *s, fa_str account, const fa_cost_query *v, fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "tttttiiittt", account, v->id, v->state, v->request,
                     v->error, v->rows, v->created_ms, v->completed_ms, v->owner, v->scope,
                     v->result);
}

fa_rc fa_cost_query_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, bool with_result,
                        fa_cost_query *out, fa_err *e)
{
    return fa_db_one(s, table, with_result ? ST_get_result : ST_get, a, read_cost_query, out, e,
                     "tt", account, id);
}

fa_rc fa_cost_query_purge(fa_store *s, fa_str account, int64_t drop_results_before_ms,
                          int64_t drop_ids_before_ms, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc =
              fa_db_run(s, table, ST_drop_results, NULL, e, "ti", account, drop_results_before_ms)))
        rc = fa_db_run(s, table, ST_drop_ids, NULL, e, "ti", account, drop_ids_before_ms);
    return fa_store_leave(s, opened, rc, e);
}
