/* load.c - each attempt to bring bills in, kept for good: what came, how it went, what it became.
 */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "l.id, l.source_id, s.name, l.format, l.state, l.error, l.files, l.detail, l.content_hash,"    \
    " l.rows, l.rejected, l.started_ms, l.finished_ms, l.made_ms"
#define FROM " FROM load l JOIN source s ON s.account = l.account AND s.id = l.source_id"

#define LOAD_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO load (account, source_id, format, state, error, files, detail,"            \
           " content_hash, rows, rejected, started_ms, finished_ms, made_ms)"                      \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")                     \
    X(update,                                                                                      \
      "UPDATE load SET format = ?3, state = ?4, error = ?5, files = ?6, detail = ?7,"              \
      " content_hash = ?8, rows = ?9, rejected = ?10, started_ms = ?11, finished_ms = ?12,"        \
      " made_ms = ?13"                                                                             \
      " WHERE account = ?1 AND id = ?2")                                                           \
    X(get, "SELECT " COLUMNS FROM " WHERE l.account = ?1 AND l.id = ?2")                           \
    X(list, "SELECT " COLUMNS FROM " WHERE l.account = ?1 AND (?2 = 0 OR l.source_id = ?2)"        \
            " ORDER BY l.id DESC LIMIT ?3")                                                        \
    X(live_with_hash, "SELECT " COLUMNS FROM " WHERE l.account = ?1 AND l.source_id = ?2"          \
                      " AND l.content_hash = ?3 AND l.state = 'live' ORDER BY l.id DESC LIMIT 1")

FA_DB_TABLE(load, LOAD_STATEMENTS);

static void read_load(fa_db_row *r, void *out)
{
    fa_load *v = out;

    v->id = fa_db_int(r);
    v->source_id = fa_db_int(r);
    v->source = fa_db_text(r);
    v->format = fa_db_text(r);
    v->state = fa_db_text(r);
    v->error = fa_db_text(r);
    v->files = fa_db_text(r);
    v->detail = fa_db_text(r);
    v->content_hash = fa_db_text(r);
    v->rows = fa_db_int(r);
    v->rejected = fa_db_int(r);
    v->started_ms = fa_db_int(r);
    v->finished_ms = fa_db_int(r);
    v->made_ms = fa_db_int(r);
}

fa_rc fa_load_add(fa_store *s, fa_str account, const fa_load *v, int64_t *id, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_add, NULL, e, "tittttttiiiii", account, v->source_id, v->format,
                   v->state, v->error, v->files, v->detail, v->content_hash, v->rows, v->rejected,
                   v->started_ms, v->finished_ms, v->made_ms);
    if (!rc)
        *id = fa_db_last_id(s);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_load_update(fa_store *s, fa_str account, const fa_load *v, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_update, &changed, e, "tittttttiiiii", account, v->id,
                         v->format, v->state, v->error, v->files, v->detail, v->content_hash,
                         v->rows, v->rejected, v->started_ms, v->finished_ms, v->made_ms);

    if (!rc && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such load: %lld", (long long)v->id);
    return rc;
}

fa_rc fa_load_get(fa_store *s, fa_arena *a, fa_str account, int64_t id, fa_load *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_load, out, e, "ti", account, id);
}

fa_rc fa_load_list(fa_store *s, fa_arena *a, fa_str account, int64_t source_id, size_t limit,
                   fa_load **out, size_t *n, fa_err *e)
{
    int64_t most = limit > INT64_MAX ? INT64_MAX : (int64_t)limit;

    return fa_db_all(s, table, ST_list, a, read_load, sizeof **out, out, n, e, "tii", account,
                     source_id, most);
}

fa_rc fa_load_live_with_hash(fa_store *s, fa_arena *a, fa_str account, int64_t source_id,
                             fa_str content_hash, fa_load *out, fa_err *e)
{
    return fa_db_one(s, table, ST_live_with_hash, a, read_load, out, e, "tit", account, source_id,
                     content_hash);
}
