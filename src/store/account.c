/* account.c - the installation's account and its small settings. */
#include "store/db.h"

#define ACCOUNT_STATEMENTS(X)                                                                      \
    X(first, "SELECT id, name, currency, default_cost_type, created_ms FROM account"               \
             " ORDER BY created_ms, id LIMIT 1")                                                   \
    X(put, "INSERT INTO account (id, name, currency, default_cost_type, created_ms)"               \
           " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE"                               \
           " SET name = ?2, currency = ?3, default_cost_type = ?4")

FA_DB_TABLE(account, ACCOUNT_STATEMENTS);

static void read_account(fa_db_row *r, void *out)
{
    fa_account *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->currency = fa_db_text(r);
    v->default_cost_type = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

fa_rc fa_account_first(fa_store *s, fa_arena *a, fa_account *out, fa_err *e)
{
    return fa_db_one(s, table, ST_first, a, read_account, out, e, "");
}

fa_rc fa_account_put(fa_store *s, const fa_account *v, fa_err *e)
{
    return fa_db_run(s, table, ST_put, NULL, e, "tttti", v->id, v->name, v->currency,
                     v->default_cost_type, v->created_ms);
}
