/* source.c - where bills come from: a name people give. */
#include "store/db.h"

#define SOURCE_STATEMENTS(X)                                                                       \
    X(add, "INSERT INTO source (account, name, created_ms) VALUES (?1, ?2, ?3)"                    \
           " ON CONFLICT (account, name) DO NOTHING")                                              \
    X(get, "SELECT id, name, created_ms FROM source WHERE account = ?1 AND name = ?2")             \
    X(list, "SELECT id, name, created_ms FROM source WHERE account = ?1 ORDER BY name")

FA_DB_TABLE(source, SOURCE_STATEMENTS);

static void read_source(fa_db_row *r, void *out)
{
    fa_source *v = out;

    v->id = fa_db_int(r);
    v->name = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

fa_rc fa_source_ensure(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_source *out,
                       fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_add, NULL, e, "tti", account, name, fa_now_ms())))
        rc = fa_db_one(s, table, ST_get, a, read_source, out, e, "tt", account, name);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_source_list(fa_store *s, fa_arena *a, fa_str account, fa_source **out, size_t *n,
                     fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_source, sizeof **out, out, n, e, "t", account);
}
