/* role.c - the account's own roles, and who has which. A role's key is free text in three tables, so
 * that default roles need no row; what is deleted is taken out of them here. */
#include "store/db.h"

#define COLUMNS "id, name, description, perms, level, created_ms, updated_ms"
#define USE(t) "SELECT count(*) FROM " t "_role WHERE account = ?1 AND role = ?2"
#define GIVE(t, id)                                                                                \
    "INSERT OR IGNORE INTO " t "_role (account, " id ", role)"                                     \
    " SELECT account, " id ", ?3 FROM " t "_role WHERE account = ?1 AND role = ?2 AND ?3 <> ''"
#define TAKE(t) "DELETE FROM " t "_role WHERE account = ?1 AND role = ?2"

#define ROLE_STATEMENTS(X)                                                                         \
    X(put, "INSERT INTO role (account, " COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"       \
           " ON CONFLICT (account, id) DO UPDATE"                                                  \
           " SET name = ?3, description = ?4, perms = ?5, level = ?6, updated_ms = ?8")            \
    X(get, "SELECT " COLUMNS " FROM role WHERE account = ?1 AND id = ?2")                          \
    X(list, "SELECT " COLUMNS " FROM role WHERE account = ?1 ORDER BY name")                       \
    X(remove, "DELETE FROM role WHERE account = ?1 AND id = ?2")                                   \
    X(use_user, USE("user"))                                                                       \
    X(use_team, USE("team"))                                                                       \
    X(use_token, USE("token"))                                                                     \
    X(give_user, GIVE("user", "user_id"))                                                          \
    X(give_team, GIVE("team", "team_id"))                                                          \
    X(give_token, GIVE("token", "token_id"))                                                       \
    X(take_user, TAKE("user"))                                                                     \
    X(take_team, TAKE("team"))                                                                     \
    X(take_token, TAKE("token"))

FA_DB_TABLE(role, ROLE_STATEMENTS);

static void read_role(fa_db_row *r, void *out)
{
    fa_role_row *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->description = fa_db_text(r);
    v->perms = fa_db_text(r);
    v->level = fa_db_int(r);
    v->created_ms = fa_db_int(r);
    v->updated_ms = fa_db_int(r);
}

static void read_count(fa_db_row *r, void *out)
{
    *(int64_t *)out = fa_db_int(r);
}

fa_rc fa_role_put(fa_store *s, fa_str account, const fa_role_row *v, fa_err *e)
{
    fa_rc rc = fa_db_run(s, table, ST_put, NULL, e, "tttttiii", account, v->id, v->name,
                         v->description, v->perms, v->level, v->created_ms, v->updated_ms);

    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a role named \"%.*s\" already", FA_FMT(v->name));
    return rc;
}

fa_rc fa_role_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_role_row *out, fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_role, out, e, "tt", account, id);
}

fa_rc fa_role_list(fa_store *s, fa_arena *a, fa_str account, fa_role_row **out, size_t *n,
                   fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_role, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_role_delete(fa_store *s, fa_str account, fa_str id, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_remove, &changed, e, "tt", account, id);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such role");
}

fa_rc fa_role_used(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_role_use *out, fa_err *e)
{
    fa_rc rc;

    if ((rc = fa_db_one(s, table, ST_use_user, a, read_count, &out->users, e, "tt", account, id)) ||
        (rc = fa_db_one(s, table, ST_use_team, a, read_count, &out->teams, e, "tt", account, id)))
        return rc;
    return fa_db_one(s, table, ST_use_token, a, read_count, &out->tokens, e, "tt", account, id);
}

fa_rc fa_role_replace(fa_store *s, fa_str account, fa_str id, fa_str by, fa_err *e)
{
    static const int give[] = {ST_give_user, ST_give_team, ST_give_token};
    static const int take[] = {ST_take_user, ST_take_team, ST_take_token};
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    for (size_t i = 0; !rc && i < FA_COUNT(give); i++)
        if (!(rc = fa_db_run(s, table, give[i], NULL, e, "ttt", account, id, by)))
            rc = fa_db_run(s, table, take[i], NULL, e, "tt", account, id);
    return fa_store_leave(s, opened, rc, e);
}
