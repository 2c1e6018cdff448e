/* rate.c - what currencies are worth in each other: rows that begin and end, never change. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, currency, target, day, billing_account, invoice, rate, origin, entered_by, entered_ms,"   \
    " ended_by, ended_ms"

#define RATE_STATEMENTS(X)                                                                         \
    X(add,                                                                                         \
      "INSERT INTO rate (account, " COLUMNS ") VALUES (?1,"                                        \
      " (SELECT coalesce(max(id), 0) + 1 FROM rate WHERE account = ?1), ?2, ?3, ?4, ?5, ?6, ?7,"   \
      " ?8, ?9, ?10, '', -1)")                                                                     \
    X(live, "SELECT " COLUMNS " FROM rate WHERE account = ?1 AND ended_ms = -1"                    \
            " ORDER BY currency, target, billing_account, day")                                    \
    X(all, "SELECT " COLUMNS " FROM rate WHERE account = ?1 ORDER BY id DESC LIMIT ?2")            \
    X(get, "SELECT " COLUMNS " FROM rate WHERE account = ?1 AND id = ?2")                          \
    X(find, "SELECT " COLUMNS " FROM rate WHERE account = ?1 AND currency = ?2 AND target = ?3"    \
            " AND billing_account = ?4 AND day = ?5 AND ended_ms = -1")                            \
    X(end, "UPDATE rate SET ended_by = ?3, ended_ms = ?4 WHERE account = ?1 AND id = ?2"           \
           " AND ended_ms = -1")

FA_DB_TABLE(rate, RATE_STATEMENTS);

static void read_rate(fa_db_row *r, void *out)
{
    fa_rate_row *v = out;

    v->id = fa_db_int(r);
    v->currency = fa_db_text(r);
    v->target = fa_db_text(r);
    v->day = (int32_t)fa_db_int(r);
    v->billing_account = fa_db_text(r);
    v->invoice = fa_db_text(r);
    v->rate = fa_db_text(r);
    v->origin = fa_db_text(r);
    v->entered_by = fa_db_text(r);
    v->entered_ms = fa_db_int(r);
    v->ended_by = fa_db_text(r);
    v->ended_ms = fa_db_int(r);
}

fa_rc fa_rate_add(fa_store *s, fa_str account, const fa_rate_row *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttittttti", account, v->currency, v->target,
                     (int64_t)v->day, v->billing_account, v->invoice, v->rate, v->origin,
                     v->entered_by, v->entered_ms);
}

fa_rc fa_rate_live(fa_store *s, fa_arena *a, fa_str account, fa_rate_row **out, size_t *n,
                   fa_err *e)
{
    return fa_db_all(s, table, ST_live, a, read_rate, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_rate_all(fa_store *s, fa_arena *a, fa_str account, int64_t most, fa_rate_row **out,
                  size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_all, a, read_rate, sizeof **out, out, n, e, "ti", account, most);
}

fa_rc fa_rate_get(fa_store *s, fa_arena *a, fa_str account, int64_t id, fa_rate_row *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_rate, out, e, "ti", account, id);
}

fa_rc fa_rate_find(fa_store *s, fa_arena *a, fa_str account, const fa_rate_row *like,
                   fa_rate_row *out, fa_err *e)
{
    return fa_db_one(s, table, ST_find, a, read_rate, out, e, "tttti", account, like->currency,
                     like->target, like->billing_account, (int64_t)like->day);
}

fa_rc fa_rate_end(fa_store *s, fa_str account, int64_t id, fa_str by, int64_t now_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_end, &changed, e, "titi", account, id, by, now_ms);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such rate");
}
