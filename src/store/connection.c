/* connection.c - where bills are fetched from, and which deliveries were taken from there. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, name, source, kind, config, credential_id, schedule, paused, state, error, failures,"     \
    " created_by, created_ms, updated_ms, last_run_ms, last_ok_ms, next_run_ms"

#define CONNECTION_STATEMENTS(X)                                                                   \
    X(add, "INSERT INTO connection (account, " COLUMNS                                             \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17," \
           " ?18)")                                                                                \
    X(get, "SELECT " COLUMNS " FROM connection WHERE account = ?1 AND id = ?2")                    \
    X(list, "SELECT " COLUMNS " FROM connection WHERE account = ?1 ORDER BY name, id")             \
    X(due, "SELECT " COLUMNS " FROM connection WHERE account = ?1 AND paused = 0"                  \
           " AND next_run_ms >= 0 AND next_run_ms <= ?2 ORDER BY next_run_ms, id")                 \
    X(edit, "UPDATE connection SET name = ?3, source = ?4, config = ?5, credential_id = ?6,"       \
            " schedule = ?7, paused = ?8, state = ?9, updated_ms = ?10, next_run_ms = ?11"         \
            " WHERE account = ?1 AND id = ?2")                                                     \
    X(ran, "UPDATE connection SET state = CASE WHEN paused = 1 THEN 'inactive' ELSE ?3 END,"       \
           " error = ?4, failures = ?5, last_run_ms = ?6, last_ok_ms = ?7,"                        \
           " next_run_ms = CASE WHEN paused = 1 THEN -1 ELSE ?8 END"                               \
           " WHERE account = ?1 AND id = ?2")                                                      \
    X(plan, "UPDATE connection SET next_run_ms = ?3 WHERE account = ?1 AND id = ?2")               \
    X(delete, "DELETE FROM connection WHERE account = ?1 AND id = ?2")                             \
    X(took, "INSERT INTO delivery (account, connection_id, scope, version, seq, files, bytes,"     \
            " load_id, loaded_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"                     \
            " ON CONFLICT DO UPDATE SET load_id = ?8, loaded_ms = ?9")                             \
    X(taken, "SELECT scope, version, seq, files, bytes, load_id, loaded_ms FROM delivery"          \
             " WHERE account = ?1 AND connection_id = ?2 ORDER BY loaded_ms DESC, scope, version")

FA_DB_TABLE(connection, CONNECTION_STATEMENTS);

static void read_connection(fa_db_row *r, void *out)
{
    fa_connection *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->source = fa_db_text(r);
    v->kind = fa_db_text(r);
    v->config = fa_db_text(r);
    v->credential_id = fa_db_text(r);
    v->schedule = fa_db_text(r);
    v->paused = fa_db_int(r) != 0;
    v->state = fa_db_text(r);
    v->error = fa_db_text(r);
    v->failures = fa_db_int(r);
    v->created_by = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
    v->last_run_ms = fa_db_int(r);
    v->last_ok_ms = fa_db_int(r);
    v->next_run_ms = fa_db_int(r);
}

static void read_delivery(fa_db_row *r, void *out)
{
    fa_delivery *v = out;

    v->scope = fa_db_text(r);
    v->version = fa_db_text(r);
    v->seq = fa_db_text(r);
    v->files = fa_db_int(r);
    v->bytes = fa_db_int(r);
    v->load_id = fa_db_int(r);
    v->loaded_ms = fa_db_int(r);
}

/* A connection and the word that its secret is in use go together. */
static fa_rc mark_use(fa_store *s, fa_str account, const fa_connection *c, fa_err *e)
{
    const fa_credential_use u = {c->credential_id, FA_STR("connection"), c->id, c->name};

    return fa_credential_set_use(s, account, &u, e);
}

fa_rc fa_connection_add(fa_store *s, fa_str account, const fa_connection *c, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_add, NULL, e, "ttttttttittitiiiii", account, c->id, c->name,
                   c->source, c->kind, c->config, c->credential_id, c->schedule, (int64_t)c->paused,
                   c->state, c->error, c->failures, c->created_by, c->created_ms, c->updated_ms,
                   c->last_run_ms, c->last_ok_ms, c->next_run_ms);
    if (!rc)
        rc = mark_use(s, account, c, e);
    return fa_db_leave(s, opened, rc, e);
}

fa_rc fa_connection_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_connection *out,
                        fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_connection, out, e, "tt", account, id);
}

fa_rc fa_connection_list(fa_store *s, fa_arena *a, fa_str account, fa_connection **out, size_t *n,
                         fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_connection, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_connection_due(fa_store *s, fa_arena *a, fa_str account, int64_t now_ms,
                        fa_connection **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_due, a, read_connection, sizeof **out, out, n, e, "ti", account,
                     now_ms);
}

fa_rc fa_connection_edit(fa_store *s, fa_str account, const fa_connection *c, fa_err *e)
{
    int64_t changed = 0;
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_edit, &changed, e, "tttttttitii", account, c->id, c->name,
                   c->source, c->config, c->credential_id, c->schedule, (int64_t)c->paused,
                   c->state, c->updated_ms, c->next_run_ms);
    if (!rc && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such connection");
    if (!rc)
        rc = mark_use(s, account, c, e);
    return fa_db_leave(s, opened, rc, e);
}

fa_rc fa_connection_ran(fa_store *s, fa_str account, const fa_connection *c, fa_err *e)
{
    return fa_db_run(s, table, ST_ran, NULL, e, "ttttiiii", account, c->id, c->state, c->error,
                     c->failures, c->last_run_ms, c->last_ok_ms, c->next_run_ms);
}

fa_rc fa_connection_plan(fa_store *s, fa_str account, fa_str id, int64_t next_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_plan, NULL, e, "tti", account, id, next_ms);
}

fa_rc fa_connection_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    const fa_credential_use none = {FA_STR(""), FA_STR("connection"), id, FA_STR("")};
    int64_t changed = 0;
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_credential_set_use(s, account, &none, e)) &&
        !(rc = fa_db_run(s, table, ST_delete, &changed, e, "tt", account, id)) && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such connection");
    return fa_db_leave(s, opened, rc, e);
}

fa_rc fa_delivery_took(fa_store *s, fa_str account, fa_str connection_id, const fa_delivery *d,
                       fa_err *e)
{
    return fa_db_run(s, table, ST_took, NULL, e, "tttttiiii", account, connection_id, d->scope,
                     d->version, d->seq, d->files, d->bytes, d->load_id, d->loaded_ms);
}

fa_rc fa_delivery_list(fa_store *s, fa_arena *a, fa_str account, fa_str connection_id,
                       fa_delivery **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_taken, a, read_delivery, sizeof **out, out, n, e, "tt", account,
                     connection_id);
}
