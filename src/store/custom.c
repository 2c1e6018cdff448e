/*
 * custom.c - costs people enter or upload: every state of an entry, custom cost centers and their files.
 *
 * An entry is never changed: a new row says what it is from now on, so the states before can be seen
 * and brought back. An empty body says it was deleted.
 */
#include "store/db.h"

#define CUSTOM_STATEMENTS(X)                                                                       \
    X(entry_add, "INSERT INTO cost_entry (account, id, body, created_by, created_ms)"              \
                 " VALUES (?1, ?2, ?3, ?4, ?5)")                                                   \
    X(entry_list,                                                                                  \
      "SELECT n, id, body, created_by, created_ms FROM cost_entry c WHERE account = ?1"            \
      " AND n = (SELECT max(n) FROM cost_entry d WHERE d.account = ?1 AND d.id = c.id)"            \
      " ORDER BY n")                                                                               \
    X(entry_states,                                                                                \
      "SELECT n, id, body, created_by, created_ms FROM cost_entry WHERE account = ?1"              \
      " AND id = ?2 ORDER BY n DESC")                                                              \
    X(entry_first, "SELECT n, id, body, created_by, created_ms FROM cost_entry WHERE account = ?1" \
                   " AND id = ?2 ORDER BY n LIMIT 1")                                              \
    X(center_put,                                                                                  \
      "INSERT INTO custom_center (account, id, name, body, error, created_by, created_ms)"         \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"                                                       \
      " ON CONFLICT (account, id) DO UPDATE SET name = ?3, body = ?4, error = ?5")                 \
    X(center_list, "SELECT id, name, body, error, created_by, created_ms FROM custom_center"       \
                   " WHERE account = ?1 ORDER BY name")                                            \
    X(center_drop, "DELETE FROM custom_center WHERE account = ?1 AND id = ?2")                     \
    X(file_put,                                                                                    \
      "INSERT INTO custom_file (account, center_id, name, source, mark, rows, first_day,"          \
      " last_day, created_by, created_ms, removed)"                                                \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"                                     \
      " ON CONFLICT (account, center_id, name) DO UPDATE SET mark = ?5, rows = ?6,"                \
      " first_day = ?7, last_day = ?8, created_by = ?9, created_ms = ?10, removed = ?11")          \
    X(file_list, "SELECT center_id, name, source, mark, rows, first_day, last_day, created_by,"    \
                 " created_ms, removed FROM custom_file WHERE account = ?1 AND center_id = ?2"     \
                 " ORDER BY name")

FA_DB_TABLE(custom, CUSTOM_STATEMENTS);

static void read_entry(fa_db_row *r, void *out)
{
    fa_cost_entry *v = out;

    v->n = fa_db_int(r);
    v->id = fa_db_text(r);
    v->body = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

static void read_center(fa_db_row *r, void *out)
{
    fa_custom_center *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->body = fa_db_text(r);
    v->error = fa_db_text(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

static void read_file(fa_db_row *r, void *out)
{
    fa_custom_file *v = out;

    v->center_id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->source = fa_db_text(r);
    v->mark = fa_db_text(r);
    v->rows = fa_db_int(r);
    v->first_day = (int32_t)fa_db_int(r);
    v->last_day = (int32_t)fa_db_int(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->removed = fa_db_int(r) != 0;
}

fa_rc fa_cost_entry_add(fa_store *s, fa_str account, const fa_cost_entry *v, fa_err *e)
{
    return fa_db_run(s, table, ST_entry_add, NULL, e, "tttti", account, v->id, v->body,
                     v->created_by, v->created_ms);
}

fa_rc fa_cost_entry_list(fa_store *s, fa_arena *a, fa_str account, fa_cost_entry **out, size_t *n,
                         fa_err *e)
{
    return fa_db_all(s, table, ST_entry_list, a, read_entry, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_cost_entry_states(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_cost_entry **out,
                           size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_entry_states, a, read_entry, sizeof **out, out, n, e, "tt",
                     account, id);
}

fa_rc fa_cost_entry_first(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_cost_entry *out,
                          fa_err *e)
{
    return fa_db_one(s, table, ST_entry_first, a, read_entry, out, e, "tt", account, id);
}

fa_rc fa_custom_center_put(fa_store *s, fa_str account, const fa_custom_center *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_center_put, NULL, e, "tttttti", account, v->id, v->name,
                         v->body, v->error, v->created_by, v->created_ms);

    if (rc != FA_ECONFLICT)
        return rc;
    fa_fail(e, rc, "there is a custom cost center named \"%.*s\" already", FA_FMT(v->name));
    return fa_at(e, "name");
}

fa_rc fa_custom_center_list(fa_store *s, fa_arena *a, fa_str account, fa_custom_center **out,
                            size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_center_list, a, read_center, sizeof **out, out, n, e, "t",
                     account);
}

fa_rc fa_custom_center_drop(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_center_drop, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such custom cost center");
}

fa_rc fa_custom_file_put(fa_store *s, fa_str account, const fa_custom_file *v, fa_err *e)
{
    return fa_db_run(s, table, ST_file_put, NULL, e, "tttttiiitii", account, v->center_id, v->name,
                     v->source, v->mark, v->rows, (int64_t)v->first_day, (int64_t)v->last_day,
                     v->created_by, v->created_ms, (int64_t)v->removed);
}

fa_rc fa_custom_file_list(fa_store *s, fa_arena *a, fa_str account, fa_str center_id,
                          fa_custom_file **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_file_list, a, read_file, sizeof **out, out, n, e, "tt", account,
                     center_id);
}
