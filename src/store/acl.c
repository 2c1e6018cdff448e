/* acl.c - who may read and who may write an object, whatever its kind. */
#include "store/db.h"

#define COLUMNS "kind, id, owner, reads, writes"

#define ACL_STATEMENTS(X)                                                                          \
    X(put, "INSERT INTO acl (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)"                \
           " ON CONFLICT (account, kind, id) DO UPDATE SET owner = ?4, reads = ?5, writes = ?6")   \
    X(get, "SELECT " COLUMNS " FROM acl WHERE account = ?1 AND kind = ?2 AND id = ?3")             \
    X(drop, "DELETE FROM acl WHERE account = ?1 AND kind = ?2 AND id = ?3")                        \
    X(owned, "SELECT " COLUMNS " FROM acl WHERE account = ?1 AND owner = ?2 ORDER BY kind, id")    \
    X(heir, "UPDATE acl SET owner = ?3 WHERE account = ?1 AND owner = ?2")                         \
    X(clear, "DELETE FROM acl_entry WHERE account = ?1 AND kind = ?2 AND id = ?3")                 \
    X(add, "INSERT INTO acl_entry (account, kind, id, axis, user_id, team_id)"                     \
           " VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), nullif(?6, ''))")                             \
    X(entries, "SELECT axis, coalesce(user_id, ''), coalesce(team_id, '') FROM acl_entry"          \
               " WHERE account = ?1 AND kind = ?2 AND id = ?3 ORDER BY 1, 2, 3")

FA_DB_TABLE(acl, ACL_STATEMENTS);

static void read_acl(fa_db_row *r, void *out)
{
    fa_acl_row *v = out;

    v->kind = fa_db_text(r);
    v->id = fa_db_text(r);
    v->owner = fa_db_text(r);
    v->reads = fa_db_text(r);
    v->writes = fa_db_text(r);
}

static void read_entry(fa_db_row *r, void *out)
{
    fa_acl_entry *v = out;

    v->axis = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->team_id = fa_db_text(r);
}

fa_rc fa_acl_row_put(fa_store *s, fa_str account, const fa_acl_row *v, const fa_acl_entry *entry,
                     size_t n, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_put, NULL, e, "tttttt", account, v->kind, v->id, v->owner, v->reads,
                   v->writes);
    if (!rc)
        rc = fa_db_run(s, table, ST_clear, NULL, e, "ttt", account, v->kind, v->id);
    for (size_t i = 0; !rc && i < n; i++)
        rc = fa_db_run(s, table, ST_add, NULL, e, "tttttt", account, v->kind, v->id, entry[i].axis,
                       entry[i].user_id, entry[i].team_id);
    if (rc == FA_ENOTFOUND)
        fa_fail(e, rc, "a user or group of the list does not exist");
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_acl_row_get(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str id,
                     fa_acl_row *out, fa_acl_entry **entry, size_t *n, fa_err *e)
{
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_acl, out, e, "ttt", account, kind, id);

    if (rc)
        return rc;
    return fa_db_all(s, table, ST_entries, a, read_entry, sizeof **entry, entry, n, e, "ttt",
                     account, kind, id);
}

fa_rc fa_acl_row_drop(fa_store *s, fa_str account, fa_str kind, fa_str id, fa_err *e)
{
    return fa_db_run(s, table, ST_drop, NULL, e, "ttt", account, kind, id);
}

fa_rc fa_acl_row_owned(fa_store *s, fa_arena *a, fa_str account, fa_str owner, fa_acl_row **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_owned, a, read_acl, sizeof **out, out, n, e, "tt", account,
                     owner);
}

fa_rc fa_acl_row_heir(fa_store *s, fa_str account, fa_str owner, fa_str heir, fa_err *e)
{
    return fa_db_run(s, table, ST_heir, NULL, e, "ttt", account, owner, heir);
}
