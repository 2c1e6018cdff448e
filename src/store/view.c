/* view.c - saved views: a name and the question behind it. Names are unique whatever their case. */
#include "store/db.h"

#define COLUMNS "id, name, body, created_by, created_ms, updated_ms"

#define VIEW_STATEMENTS(X)                                                                         \
    X(put, "INSERT INTO view (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"           \
           " ON CONFLICT (account, id) DO UPDATE SET name = ?3, body = ?4, updated_ms = ?7")       \
    X(get, "SELECT " COLUMNS " FROM view WHERE account = ?1 AND id = ?2")                          \
    X(list, "SELECT " COLUMNS " FROM view WHERE account = ?1 ORDER BY name")                       \
    X(drop, "DELETE FROM view WHERE account = ?1 AND id = ?2")

FA_DB_TABLE(view, VIEW_STATEMENTS);

static void read_view(fa_db_row *r, void *out)
{
    fa_view *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->body = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
}

fa_rc fa_view_put(fa_store *s, fa_str account, const fa_view *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_put, NULL, e, "tttttii", account, v->id, v->name, v->body,
                         v->created_by, v->created_ms, v->updated_ms);

    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a view named \"%.*s\" already", FA_FMT(v->name));
    return rc;
}

fa_rc fa_view_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_view *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_view, out, e, "tt", account, id);
}

fa_rc fa_view_list(fa_store *s, fa_arena *a, fa_str account, fa_view **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_view, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_view_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_drop, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such view");
}
