/* credential.c - sealed secrets, the account's key they hang on, and who uses them. */
#include "store/db.h"

#define COLUMNS                                                                                    \
    "id, name, kind, owner, fingerprint, sealed, created_ms, rotated_ms, used_ms, expires_ms"

#define CREDENTIAL_STATEMENTS(X)                                                                   \
    X(key_add, "INSERT INTO vault_key (account, id, master, wrapped, created_ms)"                  \
               " VALUES (?1, ?2, ?3, ?4, ?5)")                                                     \
    X(key_list, "SELECT id, master, wrapped, created_ms FROM vault_key WHERE account = ?1"         \
                " ORDER BY created_ms DESC, id")                                                   \
    X(key_wrap, "UPDATE vault_key SET master = ?3, wrapped = ?4 WHERE account = ?1 AND id = ?2")   \
    X(add, "INSERT INTO credential (account, " COLUMNS                                             \
           ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")                              \
    X(get, "SELECT " COLUMNS " FROM credential WHERE account = ?1 AND id = ?2")                    \
    X(list, "SELECT " COLUMNS " FROM credential WHERE account = ?1 ORDER BY name, id")             \
    X(update, "UPDATE credential SET name = ?3, fingerprint = ?4, sealed = ?5, rotated_ms = ?6,"   \
              " expires_ms = ?7 WHERE account = ?1 AND id = ?2")                                   \
    X(touch, "UPDATE credential SET used_ms = max(used_ms, ?3) WHERE account = ?1 AND id = ?2")    \
    X(delete, "DELETE FROM credential WHERE account = ?1 AND id = ?2")                             \
    X(use, "INSERT INTO credential_use (account, credential_id, what, object_id, object_name)"     \
           " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET object_name = ?5")              \
    X(unuse, "DELETE FROM credential_use WHERE account = ?1 AND what = ?2 AND object_id = ?3")     \
    X(uses, "SELECT credential_id, what, object_id, object_name FROM credential_use"               \
            " WHERE account = ?1 AND (?2 = '' OR credential_id = ?2)"                              \
            " ORDER BY credential_id, what, object_name")

FA_DB_TABLE(credential, CREDENTIAL_STATEMENTS);

static void read_key(fa_db_row *r, void *out)
{
    fa_vault_key *v = out;

    v->id = fa_db_text(r);
    v->master = fa_db_text(r);
    v->wrapped = fa_db_text(r);
    v->created_ms = fa_db_int(r);
}

static void read_credential(fa_db_row *r, void *out)
{
    fa_credential *v = out;

    v->id = fa_db_text(r);
    v->name = fa_db_text(r);
    v->kind = fa_db_text(r);
    v->owner = fa_db_text(r);
    v->fingerprint = fa_db_text(r);
    v->sealed = fa_db_text(r);
    v->created_ms = fa_db_int(r);
    v->rotated_ms = fa_db_int(r);
    v->used_ms = fa_db_int(r);
    v->expires_ms = fa_db_int(r);
}

static void read_use(fa_db_row *r, void *out)
{
    fa_credential_use *v = out;

    v->credential_id = fa_db_text(r);
    v->what = fa_db_text(r);
    v->object_id = fa_db_text(r);
    v->object_name = fa_db_text(r);
}

fa_rc fa_vault_key_add(fa_store *s, fa_str account, const fa_vault_key *k, fa_err *e)
{
    return fa_db_run(s, table, ST_key_add, NULL, e, "tttti", account, k->id, k->master, k->wrapped,
                     k->created_ms);
}

fa_rc fa_vault_key_list(fa_store *s, fa_arena *a, fa_str account, fa_vault_key **out, size_t *n,
                        fa_err *e)
{
    return fa_db_all(s, table, ST_key_list, a, read_key, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_vault_key_wrap(fa_store *s, fa_str account, const fa_vault_key *k, fa_err *e)
{
    return fa_db_run(s, table, ST_key_wrap, NULL, e, "tttt", account, k->id, k->master, k->wrapped);
}

fa_rc fa_credential_add(fa_store *s, fa_str account, const fa_credential *c, fa_err *e)
{
    return fa_db_run(s, table, ST_add, NULL, e, "tttttttiiii", account, c->id, c->name, c->kind,
                     c->owner, c->fingerprint, c->sealed, c->created_ms, c->rotated_ms, c->used_ms,
                     c->expires_ms);
}

fa_rc fa_credential_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_credential *out,
                        fa_err *e)
{
    return fa_db_one(s, table, ST_get, a, read_credential, out, e, "tt", account, id);
}

fa_rc fa_credential_list(fa_store *s, fa_arena *a, fa_str account, fa_credential **out, size_t *n,
                         fa_err *e)
{
    return fa_db_all(s, table, ST_list, a, read_credential, sizeof **out, out, n, e, "t", account);
}

fa_rc fa_credential_update(fa_store *s, fa_str account, const fa_credential *c, fa_err *e)
{
    int64_t changed = 0;
    fa_rc rc = fa_db_run(s, table, ST_update, &changed, e, "tttttii", account, c->id, c->name,
                         c->fingerprint, c->sealed, c->rotated_ms, c->expires_ms);

    return rc || changed ? rc : fa_fail(e, FA_ENOTFOUND, "no such credential");
}

fa_rc fa_credential_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e)
{
    return fa_db_run(s, table, ST_touch, NULL, e, "tti", account, id, now_ms);
}

fa_rc fa_credential_uses(fa_store *s, fa_arena *a, fa_str account, fa_str id,
                         fa_credential_use **out, size_t *n, fa_err *e)
{
    return fa_db_all(s, table, ST_uses, a, read_use, sizeof **out, out, n, e, "tt", account, id);
}

fa_rc fa_credential_delete(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_err *e)
{
    fa_credential_use *use;
    int64_t changed = 0;
    size_t n;
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_credential_uses(s, a, account, id, &use, &n, e)) && n) {
        rc = fa_fail(e, FA_ECONFLICT, "it is used by the %.*s \"%.*s\"%s", FA_FMT(use[0].what),
                     FA_FMT(use[0].object_name), n > 1 ? " and others" : "");
        fa_hint(e, "give them another credential first");
    }
    if (!rc && !(rc = fa_db_run(s, table, ST_delete, &changed, e, "tt", account, id)) && !changed)
        rc = fa_fail(e, FA_ENOTFOUND, "no such credential");
    return fa_db_leave(s, opened, rc, e);
}

fa_rc fa_credential_set_use(fa_store *s, fa_str account, const fa_credential_use *u, fa_err *e)
{
    bool opened;
    fa_rc rc = fa_db_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_db_run(s, table, ST_unuse, NULL, e, "ttt", account, u->what, u->object_id);
    if (!rc && u->credential_id.n)
        rc = fa_db_run(s, table, ST_use, NULL, e, "ttttt", account, u->credential_id, u->what,
                       u->object_id, u->object_name);
    return fa_db_leave(s, opened, rc, e);
}
