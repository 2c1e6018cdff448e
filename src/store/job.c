/* job.c - the runs: asked for, leased, ended. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, kind, connection_id, source, file, path, load_id, state, by, attempts, lease_by,"         \
    " heartbeat_ms, rows, bytes, bytes_total, created_ms, started_ms, ended_ms, message"

#define JOB_STATEMENTS(X)                                                                          \
    X(add, "INSERT INTO job (account, " COLUMNS                                                    \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17," \
           " ?18, ?19, ?20)")                                                                      \
    X(take, "UPDATE job SET state = 'running', attempts = attempts + 1, lease_by = ?3,"            \
            " heartbeat_ms = ?4, started_ms = CASE WHEN started_ms < 0 THEN ?4 ELSE started_ms"    \
            " END WHERE account = ?1 AND id = ?2 AND state IN ('queued', 'running')")              \
    X(beat, "UPDATE job SET heartbeat_ms = ?3, rows = ?4, bytes = ?5, bytes_total = ?6"            \
            " WHERE account = ?1 AND id = ?2 AND state = 'running'")                               \
    X(end, "UPDATE job SET state = ?3, ended_ms = ?4, message = ?5, load_id = ?6, rows = ?7,"      \
           " bytes = ?8, bytes_total = ?9, path = '' WHERE account = ?1 AND id = ?2"               \
           " AND state IN ('queued', 'running')")                                                  \
    X(open, "SELECT " COLUMNS " FROM job WHERE account = ?1 AND state IN ('queued', 'running')"    \
            " ORDER BY created_ms, id")                                                            \
    X(of_connection, "SELECT " COLUMNS " FROM job WHERE account = ?1 AND connection_id = ?2"       \
                     " ORDER BY created_ms DESC, id LIMIT ?3")                                     \
    X(purge, "DELETE FROM job WHERE account = ?1 AND ended_ms >= 0 AND ended_ms < ?2")

FA_DB_TABLE(job, JOB_STATEMENTS);

static void read_job(fa_db_row *r, void *out)
{
    fa_job *v = out;

    v->id = fa_db_text(r);
    v->kind = fa_db_text(r);
    v->connection_id = fa_db_text(r);
    v->source = fa_db_text(r);
    v->file = fa_db_text(r);
    v->path = fa_db_text(r);
    v->load_id = fa_db_int(r);
    v->state = fa_db_text(r);
    v->by = fa_db_text(r);
    v->attempts = fa_db_int(r);
    v->lease_by = fa_db_text(r);
    v->heartbeat_ms = fa_db_int(r);
    v->rows = fa_db_int(r);
    v->bytes = fa_db_int(r);
    v->bytes_total = fa_db_int(r);
    v->created_ms = fa_db_int(r);
    v->started_ms = fa_db_int(r);
    v->ended_ms = fa_db_int(r);
    v->message = fa_db_text(r);
}

fa_rc fa_job_add(fa_store *s, fa_str account, const fa_job *j, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttttttittitiiiiiiit", account, j->id, j->kind,
                     j->connection_id, j->source, j->file, j->path, j->load_id, j->state, j->by,
                     j->attempts, j->lease_by, j->heartbeat_ms, j->rows, j->bytes, j->bytes_total,
                     j->created_ms, j->started_ms, j->ended_ms, j->message);
}

fa_rc fa_job_take(fa_store *s, fa_str account, fa_str id, fa_str by, int64_t now_ms, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_take, &changed, e, "ttti", account, id, by, now_ms);

    return rc || changed ? rc : fa_fail(e, FA_ECONFLICT, "the job has ended already");
}

fa_rc fa_job_beat(fa_store *s, fa_str account, const fa_job *j, fa_err *e)
{
    return fa_db_run(s, table, ST_beat, NULL, e, "ttiiii", account, j->id, j->heartbeat_ms, j->rows,
                     j->bytes, j->bytes_total);
}

fa_rc fa_job_end(fa_store *s, fa_str account, const fa_job *j, fa_err *e)
{
    return fa_db_run(s, table, ST_end, NULL, e, "tttitiiii", account, j->id, j->state, j->ended_ms,
                     j->message, j->load_id, j->rows, j->bytes, j->bytes_total);
}

fa_rc fa_job_open(fa_store *s, fa_arena *a, fa_str account, fa_job **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_open, a, read_job, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_job_of_connection(fa_store *s, fa_arena *a, fa_str account, fa_str connection_id,
                           size_t limit, fa_job **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_of_connection, a, read_job, sizeof **out, out, n, e, "tti",
                     account, connection_id, (int64_t)limit);
}

fa_rc fa_job_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_purge, NULL, e, "ti", account, before_ms);
}
