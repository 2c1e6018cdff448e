/* audit.c - the audit log: there is a statement that adds and there are statements that read; triggers
 * refuse every other. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "seq, at_ms, actor_kind, actor_id, actor_name, roles, behalf, source, ip, agent, request_id,"  \
    " action, object_type, object_id, object_name, before, after, outcome, severity, prev_hash,"   \
    " hash"
#define SAME(col, n) " AND (?" n " = '' OR " col " = ?" n ")"

#define AUDIT_STATEMENTS(X)                                                                        \
    X(add, "INSERT INTO audit (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"  \
           " ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)")                    \
    X(last, "SELECT " COLUMNS " FROM audit WHERE account = ?1 ORDER BY seq DESC LIMIT 1")          \
    X(walk, "SELECT " COLUMNS " FROM audit WHERE account = ?1 AND seq > ?2 ORDER BY seq"           \
            " LIMIT 1000")                                                                         \
    X(find,                                                                                        \
      "SELECT " COLUMNS " FROM audit WHERE account = ?1 AND at_ms BETWEEN ?2 AND ?3"               \
      " AND (?4 = 0 OR seq < ?4)" SAME("actor_id", "5") SAME("action", "6")                        \
          SAME("object_type", "7") SAME("object_id", "8") SAME("outcome", "9") SAME(               \
              "severity",                                                                          \
              "10") " AND (?11 = '' OR instr(lower(action || ' ' || actor_name || ' ' || "         \
                    "object_type"                                                                  \
                    " || ' ' || object_id || ' ' || object_name || ' ' || ip), lower(?11)) > 0)"   \
                    " ORDER BY seq DESC LIMIT ?12")

FA_DB_TABLE(audit, AUDIT_STATEMENTS);

static void read_audit(fa_db_row *r, void *out)
{
    fa_audit_row *v = out;

    v->seq = fa_db_int(r);
    v->at_ms = fa_db_int(r);
    v->actor_kind = fa_db_text(r);
    v->actor_id = fa_db_text(r);
    v->actor_name = fa_db_text(r);
    v->roles = fa_db_text(r);
    v->behalf = fa_db_text(r);
    v->source = fa_db_text(r);
    v->ip = fa_db_text(r);
    v->agent = fa_db_text(r);
    v->request_id = fa_db_text(r);
    v->action = fa_db_text(r);
    v->object_type = fa_db_text(r);
    v->object_id = fa_db_text(r);
    v->object_name = fa_db_text(r);
    v->before = fa_db_text(r);
    v->after = fa_db_text(r);
    v->outcome = fa_db_text(r);
    v->severity = fa_db_text(r);
    v->prev_hash = fa_db_text(r);
    v->hash = fa_db_text(r);
}

fa_rc fa_audit_row_add(fa_store *s, fa_str account, const fa_audit_row *v, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tiittttttttttttttttttt", account, v->seq, v->at_ms,
                     v->actor_kind, v->actor_id, v->actor_name, v->roles, v->behalf, v->source,
                     v->ip, v->agent, v->request_id, v->action, v->object_type, v->object_id,
                     v->object_name, v->before, v->after, v->outcome, v->severity, v->prev_hash,
                     v->hash);
}

fa_rc fa_audit_row_last(fa_store *s, fa_arena *a, fa_str account, fa_audit_row *out, fa_err *e)
{
    return fa_db_one(s, table, ST_last, a, read_audit, out, e, "t", account);
}

fa_rc fa_audit_row_walk(fa_store *s, fa_arena *a, fa_str account, int64_t after_seq,
                        fa_audit_row **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_walk, a, read_audit, sizeof **out, out, n, e, "ti", account,
                     after_seq);
}

fa_rc fa_audit_row_find(fa_store *s, fa_arena *a, fa_str account, const fa_audit_search *q,
                        fa_audit_row **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_find, a, read_audit, sizeof **out, out, n, e, "tiiittttttti",
                     account, q->from_ms, q->to_ms, q->before_seq, q->actor, q->action,
                     q->object_type, q->object_id, q->outcome, q->severity, q->text, q->limit);
}
