/* team.c - teams (what the page calls groups): their roles, members, row rules and the names of the
 * identity provider's groups that lead into them. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, name, description, color, metadata, managed_by, is_admin, data_access, unrestricted,"     \
    " filter, created_ms, updated_ms"
#define READ                                                                                       \
    "SELECT t.id, t.name, t.description, t.color, t.metadata, t.managed_by, t.is_admin,"           \
    " t.data_access, t.unrestricted, t.filter, t.created_ms, t.updated_ms,"                        \
    " coalesce((SELECT group_concat(role, ' ') FROM team_role r"                                   \
    "  WHERE r.account = t.account AND r.team_id = t.id), ''),"                                    \
    " (SELECT json_group_array(name) FROM team_claim c"                                            \
    "  WHERE c.account = t.account AND c.team_id = t.id),"                                         \
    " (SELECT count(DISTINCT user_id) FROM team_member m"                                          \
    "  WHERE m.account = t.account AND m.team_id = t.id) FROM team t "

#define TEAM_STATEMENTS(X)                                                                         \
    X(put, "INSERT INTO team (account, " COLUMNS                                                   \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"                     \
           " ON CONFLICT (account, id) DO UPDATE SET name = ?3, description = ?4, color = ?5,"     \
           " metadata = ?6, managed_by = ?7, data_access = ?9, unrestricted = ?10, filter = ?11,"  \
           " updated_ms = ?13")                                                                    \
    X(get, READ "WHERE t.account = ?1 AND t.id = ?2")                                              \
    X(list, READ "WHERE t.account = ?1 ORDER BY t.name")                                           \
    X(of_user, READ "WHERE t.account = ?1 AND t.id IN (SELECT team_id FROM team_member"            \
                    " WHERE account = ?1 AND user_id = ?2) ORDER BY t.id")                         \
    X(of_token, READ "WHERE t.account = ?1 AND t.id IN (SELECT team_id FROM token_team"            \
                     " WHERE account = ?1 AND token_id = ?2) ORDER BY t.id")                       \
    X(remove, "DELETE FROM team WHERE account = ?1 AND id = ?2")                                   \
    X(clear_roles, "DELETE FROM team_role WHERE account = ?1 AND team_id = ?2")                    \
    X(add_role, "INSERT OR IGNORE INTO team_role (account, team_id, role) VALUES (?1, ?2, ?3)")    \
    X(clear_claims, "DELETE FROM team_claim WHERE account = ?1 AND team_id = ?2")                  \
    X(add_claim, "INSERT OR IGNORE INTO team_claim (account, team_id, name) VALUES (?1, ?2, ?3)")  \
    X(add_member, "INSERT INTO team_member (account, team_id, user_id, source)"                    \
                  " VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")                               \
    X(drop_member, "DELETE FROM team_member WHERE account = ?1 AND team_id = ?2 AND user_id = ?3"  \
                   " AND (?4 = '' OR source = ?4)")                                                \
    X(members, "SELECT team_id, user_id, source FROM team_member WHERE account = ?1"               \
               " ORDER BY team_id, user_id, source")

FA_DB_TABLE(team, TEAM_STATEMENTS);

static void read_team(fa_db_row *r, void *out)
{
    fa_team *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->description = fa_db_text(r);
    v->color = fa_db_text(r);
    v->metadata = fa_db_text(r);
    v->managed_by = fa_db_text(r);
    v->is_admin = fa_db_int(r) != 0;
    v->data_access = fa_db_int(r) != 0;
    v->unrestricted = fa_db_int(r) != 0;
    v->filter = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
    v->roles = fa_db_text(r);
    v->claims = fa_db_text(r);
    v->nmember = fa_db_int(r);
}

static void read_member(fa_db_row *r, void *out)
{
    fa_team_member *v = out;

    v->team_id = fa_db_text(r);
    v->user_id = fa_db_text(r);
    v->source = fa_db_text(r);
}

fa_rc fa_team_put(fa_store *s, fa_str account, const fa_team *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_put, NULL, e, "tttttttiiitii", account, v->id, v->name,
                         v->description, v->color, v->metadata, v->managed_by, (int64_t)v->is_admin,
                         (int64_t)v->data_access, (int64_t)v->unrestricted, v->filter,
                         v->created_ms, v->updated_ms);

    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a group named \"%.*s\" already", FA_FMT(v->name));
    return rc;
}

fa_rc fa_team_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_team *out, fa_err *e)
{
    fa_rc rc = fa_db_one(s, table, ST_get, a, read_team, out, e, "tt", account, id);

    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no such group") : rc;
}

fa_rc fa_team_list(fa_store *s, fa_arena *a, fa_str account, fa_team **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_team, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_team_of_user(fa_store *s, fa_arena *a, fa_str account, fa_str user, fa_team **out,
                      size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_of_user, a, read_team, sizeof **out, out, n, e, "tt", account,
                     user);
}

fa_rc fa_team_of_token(fa_store *s, fa_arena *a, fa_str account, fa_str token, fa_team **out,
                       size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_of_token, a, read_team, sizeof **out, out, n, e, "tt", account,
                     token);
}

fa_rc fa_team_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_remove, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such group");
}

fa_rc fa_team_set_roles(fa_store *s, fa_str account, fa_str id, fa_str roles, fa_err *e)
{
    bool opened;
    fa_str role;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_clear_roles, NULL, e, "tt", account, id);
    while (!rc && fa_db_word(&roles, &role))
        rc = fa_db_run(s, table, ST_add_role, NULL, e, "ttt", account, id, role);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_team_add_claim(fa_store *s, fa_str account, fa_str id, fa_str name, fa_err *e)
{
    return fa_db_run(s, table, ST_add_claim, NULL, e, "ttt", account, id, name);
}

fa_rc fa_team_clear_claims(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    return fa_db_run(s, table, ST_clear_claims, NULL, e, "tt", account, id);
}

fa_rc fa_team_add_member(fa_store *s, fa_str account, fa_str team, fa_str user, fa_str source,
                         fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_add_member, NULL, e, "tttt", account, team, user, source);

    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no such group or user") : rc;
}

fa_rc fa_team_drop_member(fa_store *s, fa_str account, fa_str team, fa_str user, fa_str source,
                          fa_err *e)
{
    return fa_db_run(s, table, ST_drop_member, NULL, e, "tttt", account, team, user, source);
}

fa_rc fa_team_members(fa_store *s, fa_arena *a, fa_str account, fa_team_member **out, size_t *n,
                      fa_err *e)
{
    return fa_db_all(s, table, ST_members, a, read_member, sizeof **out, out, n, e, "t", account);
}
