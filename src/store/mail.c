/* mail.c - the queue of messages: waiting, sent, failed. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, kind, recipient, sealed, state, error, tries, created_ms, next_ms, expires_ms, done_ms"

#define MAIL_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO mail (account, " COLUMNS                                                   \
           ") VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', '', 0, ?6, ?6, ?7, -1)")                      \
    X(due, "SELECT " COLUMNS " FROM mail WHERE account = ?1 AND state = 'waiting'"                 \
           " AND next_ms <= ?2 ORDER BY next_ms, id LIMIT 1")                                      \
    X(later, "UPDATE mail SET tries = tries + 1, next_ms = ?3, error = ?4"                         \
             " WHERE account = ?1 AND id = ?2 AND state = 'waiting'")                              \
    X(done, "UPDATE mail SET state = ?3, error = ?4, done_ms = ?5, sealed = '', tries = tries + 1" \
            " WHERE account = ?1 AND id = ?2")                                                     \
    X(count, "SELECT count(*) FROM mail WHERE account = ?1 AND state = ?2")                        \
    X(last,                                                                                        \
      "SELECT " COLUMNS " FROM mail WHERE account = ?1 ORDER BY created_ms DESC, id LIMIT ?2")     \
    X(hurry, "UPDATE mail SET next_ms = ?2 WHERE account = ?1 AND state = 'waiting'")              \
    X(purge, "DELETE FROM mail WHERE account = ?1 AND state <> 'waiting' AND done_ms < ?2")

FA_DB_TABLE(mail, MAIL_STATEMENTS);

static void read_mail(fa_db_row *r, void *out)
{
    fa_mail_row *v = out;

    v->id = fa_db_text(r);
    v->kind = fa_db_text(r);
    v->to = fa_db_text(r);
    v->sealed = fa_db_text(r);
    v->state = fa_db_text(r);
    v->error = fa_db_text(r);
    v->tries = fa_db_int(r);
    v->created_ms = fa_db_int(r);
    v->next_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
    v->done_ms = fa_db_int(r);
}

static void read_count(fa_db_row *r, void *out)
{
    *(int64_t *)out = fa_db_int(r);
}

fa_rc fa_mail_row_add(fa_store *s, fa_str account, const fa_mail_row *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttttii", account, v->id, v->kind, v->to,
                     v->sealed, v->created_ms, v->expires_ms);
}

fa_rc fa_mail_row_due(fa_store *s, fa_arena *a, fa_str account, int64_t now_ms, fa_mail_row *out,
                      fa_err *e)
{
    return fa_db_one(s, table, ST_due, a, read_mail, out, e, "ti", account, now_ms);
}

fa_rc fa_mail_row_later(fa_store *s, fa_str account, fa_str id, int64_t next_ms, fa_str error,
                        fa_err *e)
{
    return fa_db_run(s, table, ST_later, NULL, e, "ttit", account, id, next_ms, error);
}

fa_rc fa_mail_row_done(fa_store *s, fa_str account, fa_str id, fa_str state, fa_str error,
                       int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_done, NULL, e, "tttti", account, id, state, error, now_ms);
}

fa_rc fa_mail_row_count(fa_store *s, fa_arena *a, fa_str account, fa_str state, int64_t *n,
                        fa_err *e)
{
    return fa_db_one(s, table, ST_count, a, read_count, n, e, "tt", account, state);
}

fa_rc fa_mail_row_last(fa_store *s, fa_arena *a, fa_str account, int64_t most, fa_mail_row **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_last, a, read_mail, sizeof **out, out, n, e, "ti", account, most);
}

fa_rc fa_mail_row_hurry(fa_store *s, fa_str account, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_hurry, NULL, e, "ti", account, now_ms);
}

fa_rc fa_mail_row_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_purge, NULL, e, "ti", account, before_ms);
}
