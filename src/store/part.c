/*
 * part.c - the billing periods of loads, and the one change that makes a load count.
 *
 * At most one part of a source, period and scope is live (a unique index says so): going live takes the
 * others down first, inside one transaction.
 */
#include "store/db.h"

#define COLUMNS "id, load_id, source_id, period, rows, live, scope, payer"

#define PART_STATEMENTS(X)                                                                         \
    X(add, "INSERT INTO part (account, load_id, source_id, period, rows, live, scope, payer)"      \
           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                                             \
    X(take_down,                                                                                   \
      "UPDATE part SET live = 0 WHERE account = ?1 AND live = 1 AND load_id <> ?2"                 \
      " AND (source_id, period, scope) IN"                                                         \
      " (SELECT source_id, period, scope FROM part WHERE account = ?1 AND load_id = ?2)")          \
    X(put_up, "UPDATE part SET live = 1 WHERE account = ?1 AND load_id = ?2")                      \
    X(replaced, "UPDATE load SET state = 'replaced' WHERE account = ?1 AND state = 'live'"         \
                " AND id IN (SELECT o.load_id FROM part o JOIN part n ON n.account = o.account"    \
                " AND n.source_id = o.source_id AND n.period = o.period AND n.scope = o.scope"     \
                " WHERE o.account = ?1 AND n.load_id = ?2 AND o.load_id <> ?2)"                    \
                " AND NOT EXISTS (SELECT 1 FROM part p WHERE p.account = ?1"                       \
                " AND p.load_id = load.id AND p.live = 1)")                                        \
    X(retire, "UPDATE part SET live = 0 WHERE account = ?1 AND source_id = ?2 AND load_id <> ?3 "  \
              "AND live = 1")                                                                      \
    X(retired, "UPDATE load SET state = 'replaced' WHERE account = ?1 AND source_id = ?2 AND "     \
               "state = 'live'"                                                                    \
               " AND NOT EXISTS (SELECT 1 FROM part p WHERE p.account = ?1 AND p.load_id = "       \
               "load.id AND p.live = 1)")                                                          \
    X(live, "SELECT " COLUMNS " FROM part WHERE account = ?1 AND live = 1 ORDER BY id")            \
    X(of_load, "SELECT " COLUMNS " FROM part WHERE account = ?1 AND load_id = ?2 ORDER BY period")

FA_DB_TABLE(part, PART_STATEMENTS);

static void read_part(fa_db_row *r, void *out)
{
    fa_part *v = out;

    v->id = fa_db_int(r);
    v->load_id = fa_db_int(r);
    v->source_id = fa_db_int(r);
    v->period = (int32_t)fa_db_int(r);
    v->rows = fa_db_int(r);
    v->live = fa_db_int(r) != 0;
    v->scope = fa_db_text(r);
    v->payer = fa_db_text(r);
}

fa_rc fa_part_add(fa_store *s, fa_str account, const fa_part *p, int64_t *id, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_add, NULL, e, "tiiiiitt", account, p->load_id, p->source_id,
                   (int64_t)p->period, p->rows, (int64_t)p->live,
                   p->scope.p ? p->scope : FA_STR(""), p->payer.p ? p->payer : FA_STR(""));
    if (!rc)
        *id = fa_db_last_id(s);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_part_go_live(fa_store *s, fa_str account, int64_t load_id, fa_err *e)
{
    static const int steps[] = {ST_take_down, ST_put_up, ST_replaced};
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < FA_COUNT(steps); i++)
        rc = fa_db_run(s, table, steps[i], NULL, e, "ti", account, load_id);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_part_live(fa_store *s, fa_arena *a, fa_str account, fa_part **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_live, a, read_part, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_part_of_load(fa_store *s, fa_arena *a, fa_str account, int64_t load_id, fa_part **out,
                      size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_of_load, a, read_part, sizeof **out, out, n, e, "ti", account,
                     load_id);
}

fa_rc fa_part_retire(fa_store *s, fa_str account, int64_t source_id, int64_t keep_load, int64_t *n,
                     fa_err *e)
{
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_db_run(s, table, ST_retire, n, e, "tii", account, source_id, keep_load)) && *n)
        rc = fa_db_run(s, table, ST_retired, NULL, e, "ti", account, source_id);
    return fa_db_leave(s, opened, rc, e);
}
