/* telemetry.c - telemetry: its definition, the files that brought points, the points, which day changed when. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, name, type, body, is_active, error, created_by, created_ms, updated_ms, received_ms, "    \
    "version"
#define OWN " WHERE account = ?1 AND telemetry = ?2"

#define TELEMETRY_STATEMENTS(X)                                                                    \
    X(put, "INSERT INTO telemetry (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"  \
           " ?9, ?10, -1, 0) ON CONFLICT (account, id) DO UPDATE SET name = ?3, type = ?4,"        \
           " body = ?5, is_active = ?6, updated_ms = ?10")                                         \
    X(get, "SELECT " COLUMNS " FROM telemetry WHERE account = ?1 AND id = ?2")                     \
    X(list, "SELECT " COLUMNS " FROM telemetry WHERE account = ?1 ORDER BY name")                  \
    X(drop, "DELETE FROM telemetry WHERE account = ?1 AND id = ?2")                                \
    X(error, "UPDATE telemetry SET error = ?3 WHERE account = ?1 AND id = ?2")                     \
    X(touch, "UPDATE telemetry SET received_ms = ?3, version = version + ?4, error = ''"           \
             " WHERE account = ?1 AND id = ?2")                                                    \
    X(changed, "INSERT INTO telemetry_day (account, telemetry, day, version) VALUES (?1, ?2, ?3,"  \
               " (SELECT version FROM telemetry WHERE account = ?1 AND id = ?2))"                  \
               " ON CONFLICT (account, telemetry, day) DO UPDATE SET version = excluded.version")  \
    X(days, "SELECT day FROM telemetry_day" OWN " AND version > ?3 ORDER BY day")                  \
    X(span, "SELECT coalesce(min(day), -2147483648), coalesce(max(day), -2147483648), count(*)"    \
            " FROM telemetry_point" OWN)                                                           \
    X(file_put, "INSERT INTO telemetry_file (account, telemetry, name, hash, detail, received_ms)" \
                " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account, telemetry, name)"          \
                " DO UPDATE SET hash = ?4, detail = ?5, received_ms = ?6")                         \
    X(file_list, "SELECT id, name, hash, detail, received_ms FROM telemetry_file" OWN              \
                 " ORDER BY received_ms DESC, id DESC")                                            \
    X(file_get,                                                                                    \
      "SELECT id, name, hash, detail, received_ms FROM telemetry_file" OWN " AND name = ?3")       \
    X(file_same, "SELECT id, name, hash, detail, received_ms FROM telemetry_file" OWN              \
                 " AND hash = ?3 ORDER BY id")                                                     \
    X(point_put,                                                                                   \
      "INSERT INTO telemetry_point (account, telemetry, metric, day, key, file, amount)"           \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"                                                       \
      " ON CONFLICT (account, telemetry, metric, day, key, file) DO UPDATE SET"                    \
      " amount = ?7")                                                                              \
    X(point_drop, "DELETE FROM telemetry_point" OWN                                                \
                  " AND metric = ?3 AND day = ?4 AND key = ?5 AND file = ?6")                      \
    X(point_of_file, "SELECT metric, day, key, amount FROM telemetry_point" OWN                    \
                     " AND file = ?3 AND day BETWEEN ?4 AND ?5 ORDER BY metric, day, key")         \
    X(point_list, "SELECT metric, day, key, amount FROM telemetry_point" OWN                       \
                  " AND metric = ?3 AND day BETWEEN ?4 AND ?5 ORDER BY day, key, file")

FA_DB_TABLE(telemetry, TELEMETRY_STATEMENTS);

static void read_telemetry(fa_db_row *r, void *out)
{
    fa_telemetry_row *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->type = fa_db_text(r);
    v->body = fa_db_text(r);
    v->is_active = fa_db_int(r) != 0;
    v->error = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
    v->received_ms = fa_db_int(r);
    v->version = fa_db_int(r);
}

static void read_file(fa_db_row *r, void *out)
{
    fa_telemetry_file *v = out;

    v->id = fa_db_int(r);
    v->name = fa_db_text(r);
    v->hash = fa_db_text(r);
    v->detail = fa_db_text(r);
    v->received_ms = fa_db_int(r);
}

static void read_point(fa_db_row *r, void *out)
{
    fa_telemetry_point *v = out;

    v->metric = fa_db_text(r);
    v->day = (int32_t)fa_db_int(r);
    v->key = fa_db_text(r);
    v->amount = fa_db_text(r);
}

static void read_day(fa_db_row *r, void *out)
{
    *(int32_t *)out = (int32_t)fa_db_int(r);
}

static void read_span(fa_db_row *r, void *out)
{
    fa_telemetry_span *v = out;

    v->first = (int32_t)fa_db_int(r);
    v->last = (int32_t)fa_db_int(r);
    v->points = fa_db_int(r);
}

fa_rc fa_telemetry_put(fa_store *s, fa_str account, const fa_telemetry_row *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_put, NULL, e, "tttttittii", account, v->id, v->name, v->type,
                         v->body, (int64_t)v->is_active, v->error, v->created_by, v->created_ms,
                         v->updated_ms);

    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a telemetry named \"%.*s\" already", FA_FMT(v->name));
    return rc;
}

fa_rc fa_telemetry_row_get(fa_store *s, fa_arena *a, fa_str account, fa_str id,
                           fa_telemetry_row *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_telemetry, out, e, "tt", account, id);
}

fa_rc fa_telemetry_rows(fa_store *s, fa_arena *a, fa_str account, fa_telemetry_row **out, size_t *n,
                        fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_telemetry, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_telemetry_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_drop, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such telemetry");
}

fa_rc fa_telemetry_failed(fa_store *s, fa_str account, fa_str id, fa_str error, fa_err *e)
{
    return fa_db_run(s, table, ST_error, NULL, e, "ttt", account, id, error);
}

fa_rc fa_telemetry_received(fa_store *s, fa_str account, fa_str id, int64_t received_ms,
                            bool changed, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "ttii", account, id, received_ms,
                     (int64_t)changed);
}

fa_rc fa_telemetry_day_changed(fa_store *s, fa_str account, fa_str id, int32_t day, fa_err *e)
{
    return fa_db_run(s, table, ST_changed, NULL, e, "tti", account, id, (int64_t)day);
}

fa_rc fa_telemetry_days_since(fa_store *s, fa_arena *a, fa_str account, fa_str id, int64_t version,
                              int32_t **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_days, a, read_day, sizeof **out, out, n, e, "tti", account, id,
                     version);
}

fa_rc fa_telemetry_span_get(fa_store *s, fa_arena *a, fa_str account, fa_str id,
                            fa_telemetry_span *out, fa_err *e)
{
    return fa_db_one(s, table, ST_span, a, read_span, out, e, "tt", account, id);
}

fa_rc fa_telemetry_file_put(fa_store *s, fa_str account, fa_str id, const fa_telemetry_file *v,
                            fa_err *e)
{
    return fa_db_run(s, table, ST_file_put, NULL, e, "ttttti", account, id, v->name, v->hash,
                     v->detail, v->received_ms);
}

fa_rc fa_telemetry_files(fa_store *s, fa_arena *a, fa_str account, fa_str id,
                         fa_telemetry_file **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_file_list, a, read_file, sizeof **out, out, n, e, "tt", account,
                     id);
}

fa_rc fa_telemetry_file_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str name,
                            fa_telemetry_file *out, fa_err *e)
{
    return fa_db_one(s, table, ST_file_get, a, read_file, out, e, "ttt", account, id, name);
}

fa_rc fa_telemetry_file_same(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str hash,
                             fa_telemetry_file *out, fa_err *e)
{
    return fa_db_one(s, table, ST_file_same, a, read_file, out, e, "ttt", account, id, hash);
}

fa_rc fa_telemetry_point_put(fa_store *s, fa_str account, fa_str id, int64_t file,
                             const fa_telemetry_point *p, fa_err *e)
{
    return fa_db_run(s, table, ST_point_put, NULL, e, "tttitit", account, id, p->metric,
                     (int64_t)p->day, p->key, file, p->amount);
}

fa_rc fa_telemetry_point_drop(fa_store *s, fa_str account, fa_str id, int64_t file,
                              const fa_telemetry_point *p, fa_err *e)
{
    return fa_db_run(s, table, ST_point_drop, NULL, e, "tttiti", account, id, p->metric,
                     (int64_t)p->day, p->key, file);
}

fa_rc fa_telemetry_points_of_file(fa_store *s, fa_arena *a, fa_str account, fa_str id, int64_t file,
                                  int32_t from, int32_t to, fa_telemetry_point **out, size_t *n,
                                  fa_err *e)
{
    return fa_db_all(s, table, ST_point_of_file, a, read_point, sizeof **out, out, n, e, "ttiii",
                     account, id, file, (int64_t)from, (int64_t)to);
}

fa_rc fa_telemetry_point_list(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str metric,
                              int32_t from, int32_t to, fa_telemetry_point **out, size_t *n,
                              fa_err *e)
{
    return fa_db_all(s, table, ST_point_list, a, read_point, sizeof **out, out, n, e, "tttii",
                     account, id, metric, (int64_t)from, (int64_t)to);
}
