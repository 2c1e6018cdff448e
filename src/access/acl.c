/*
 * acl.c - who may read and who may write one object (access.md 5, inform.md 14).
 *
 * A list is a second "yes" after the role's permission, never instead of it. Administrators always
 * have access. An account's token that sees all rows reads what its makers, administrators, read;
 * it writes what is open to all and what it made itself.
 */
#include "access/internal.h"

#include <string.h>

#define DEFAULT_SETTING FA_STR("acl_default")

static const char *const names[] = {
    [FA_ACL_PUBLIC] = "public", [FA_ACL_SHARED] = "shared", [FA_ACL_PRIVATE] = "private"};

const char *fa_acl_type_name(fa_acl_type t)
{
    return names[t];
}

static bool type_of(fa_str name, fa_acl_type *out)
{
    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (fa_str_eqz(name, names[i])) {
            *out = (fa_acl_type)i;
            return true;
        }
    return false;
}

/* ---- deciding ---- */

static bool shares(fa_str list, fa_str own)
{
    fa_str word;

    while (fa_list_next(&own, &word))
        if (fa_list_has(list, word))
            return true;
    return false;
}

static bool owns(const fa_acl *v, const fa_caller *c)
{
    return v->owner.n && (fa_str_eq(v->owner, c->id) || fa_str_eq(v->owner, c->user_id));
}

static bool may(const fa_acl *v, const fa_acl_axis *x, const fa_caller *c)
{
    if (!c || c->kind == FA_CALLER_NONE)
        return false;
    if (v->absent || fa_caller_is_admin(c) || owns(v, c) || x->type == FA_ACL_PUBLIC)
        return true;
    return x->type == FA_ACL_SHARED &&
           ((c->user_id.n && fa_list_has(x->users, c->user_id)) || shares(x->teams, c->teams));
}

bool fa_acl_may_read(const fa_acl *v, const fa_caller *c)
{
    if (c && c->kind == FA_CALLER_TOKEN && !c->user_id.n && !c->teams.n)
        return true; /* the account's, not bound to groups */
    return may(v, &v->read, c);
}

bool fa_acl_may_write(const fa_acl *v, const fa_caller *c)
{
    return may(v, &v->write, c);
}

/* To the letter what the store says of an object that is not there: no answer tells the two apart. */
static fa_rc no_such(fa_str kind, fa_err *e)
{
    if (fa_str_eqz(kind, "virtual_tag"))
        kind = FA_STR("virtual tag");
    return fa_fail(e, FA_ENOTFOUND, "no such %.*s", FA_FMT(kind));
}

fa_rc fa_acl_read(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id, fa_err *e)
{
    fa_acl v;
    fa_rc rc = fa_acl_get(l, a, kind, id, &v, e);

    if (rc || fa_acl_may_read(&v, c))
        return rc;
    return no_such(kind, e);
}

fa_rc fa_acl_write(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id, fa_err *e)
{
    fa_acl v;
    fa_rc rc = fa_acl_get(l, a, kind, id, &v, e);

    if (rc)
        return rc;
    if (!fa_acl_may_read(&v, c))
        return no_such(kind, e);
    if (fa_acl_may_write(&v, c))
        return FA_OK;
    fa_fail(e, FA_EFORBIDDEN, "you may look at this %.*s but not change it", FA_FMT(kind));
    return fa_hint(e, "ask its owner or an administrator");
}

/* ---- keeping ---- */

static fa_rc read_axis(fa_arena *a, const fa_acl_entry *entry, size_t n, const char *axis,
                       fa_acl_axis *out, fa_err *e)
{
    for (size_t i = 0; i < n; i++) {
        fa_str id = entry[i].user_id.n ? entry[i].user_id : entry[i].team_id;

        if (fa_str_eqz(entry[i].axis, axis) &&
            fa_list_add(a, entry[i].user_id.n ? &out->users : &out->teams, id, e))
            return e->rc;
    }
    return FA_OK;
}

fa_rc fa_acl_get(fa_ledger *l, fa_arena *a, fa_str kind, fa_str id, fa_acl *out, fa_err *e)
{
    fa_acl_row row;
    fa_acl_entry *entry;
    size_t n;
    fa_err none = {0};
    fa_rc rc = fa_acl_row_get(fa_ledger_store(l), a, fa_ledger_account(l), kind, id, &row, &entry,
                              &n, &none);

    *out = (fa_acl){.absent = rc == FA_ENOTFOUND};
    if (rc == FA_ENOTFOUND)
        return FA_OK;
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    out->owner = row.owner;
    if (!type_of(row.reads, &out->read.type) || !type_of(row.writes, &out->write.type))
        return fa_fail(e, FA_EINTERNAL, "an access list is damaged");
    if ((rc = read_axis(a, entry, n, "read", &out->read, e)))
        return rc;
    return read_axis(a, entry, n, "write", &out->write, e);
}

/* Is every user and group of `inner` in `outer`? A user of a shared group counts as in it. */
static fa_rc subset(fa_ledger *l, fa_arena *a, const fa_acl_axis *inner, const fa_acl_axis *outer,
                    bool *ok, fa_err *e)
{
    fa_str users = inner->users, teams = inner->teams, word;
    fa_team_member *m;
    size_t n;
    fa_rc rc = fa_team_members(fa_ledger_store(l), a, fa_ledger_account(l), &m, &n, e);

    *ok = true;
    while (!rc && fa_list_next(&teams, &word))
        *ok = *ok && fa_list_has(outer->teams, word);
    while (!rc && fa_list_next(&users, &word)) {
        bool in = fa_list_has(outer->users, word);

        for (size_t i = 0; !in && i < n; i++)
            in = fa_str_eq(m[i].user_id, word) && fa_list_has(outer->teams, m[i].team_id);
        *ok = *ok && in;
    }
    return rc;
}

static fa_rc check(fa_ledger *l, fa_arena *a, const fa_acl *v, fa_err *e)
{
    bool ok = v->write.type >= v->read.type;
    fa_rc rc = FA_OK;

    if (ok && v->read.type == FA_ACL_SHARED && v->write.type == FA_ACL_SHARED)
        rc = subset(l, a, &v->write, &v->read, &ok, e);
    if (rc || ok)
        return rc;
    fa_fail(e, FA_EINVAL, "who may change it must be among those who may see it");
    return fa_at(e, "acl.write");
}

static fa_rc entries(fa_arena *a, const fa_acl *v, fa_acl_entry **out, size_t *n, fa_err *e)
{
    const struct {
        const char *axis;
        const fa_acl_axis *x;
    } axes[] = {{"read", &v->read}, {"write", &v->write}};
    size_t most = 1;

    for (size_t i = 0; i < FA_COUNT(axes); i++)
        most += axes[i].x->users.n + axes[i].x->teams.n;
    *n = 0;
    if (!(*out = fa_arena_array(a, most, sizeof **out)))
        return fa_oom(e);
    for (size_t i = 0; i < FA_COUNT(axes); i++) {
        fa_str users = axes[i].x->users, teams = axes[i].x->teams, word;

        if (axes[i].x->type != FA_ACL_SHARED)
            continue;
        while (fa_list_next(&users, &word))
            (*out)[(*n)++] = (fa_acl_entry){fa_str_of(axes[i].axis), word, FA_STR("")};
        while (fa_list_next(&teams, &word))
            (*out)[(*n)++] = (fa_acl_entry){fa_str_of(axes[i].axis), FA_STR(""), word};
    }
    return FA_OK;
}

fa_rc fa_acl_set(fa_ledger *l, fa_arena *a, fa_str kind, fa_str id, const fa_acl *v, fa_err *e)
{
    fa_acl_row row = {kind, id, v->owner, fa_str_of(names[v->read.type]),
                      fa_str_of(names[v->write.type])};
    fa_acl_entry *entry;
    size_t n;
    fa_rc rc;

    if ((rc = check(l, a, v, e)) || (rc = entries(a, v, &entry, &n, e)))
        return rc;
    return fa_acl_row_put(fa_ledger_store(l), fa_ledger_account(l), &row, entry, n, e);
}

fa_rc fa_acl_new(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str kind, fa_str id,
                 const fa_acl *wish, fa_err *e)
{
    fa_acl v;
    fa_rc rc = FA_OK;

    if (wish)
        v = *wish;
    else
        rc = fa_acl_default(l, a, &v, e);
    if (rc)
        return rc;
    /* what the command line makes belongs to the administrators */
    v.owner = by->kind == FA_CALLER_SYSTEM ? FA_STR("") : by->user_id.n ? by->user_id : by->id;
    v.absent = false;
    rc = fa_acl_set(l, a, kind, id, &v, e);
    if (rc == FA_ENOTFOUND &&
        !wish) { /* the default names somebody who left: the closest that is safe */
        v.read = v.write = (fa_acl_axis){.type = FA_ACL_PRIVATE};
        rc = fa_acl_set(l, a, kind, id, &v, e);
    }
    return rc;
}

fa_rc fa_acl_drop(fa_ledger *l, fa_str kind, fa_str id, fa_err *e)
{
    return fa_acl_row_drop(fa_ledger_store(l), fa_ledger_account(l), kind, id, e);
}

/* ---- JSON ---- */

static void put_list(fa_jw *w, const char *key, fa_str list)
{
    fa_str word;

    fa_jw_key(w, key);
    fa_jw_arr(w);
    while (fa_list_next(&list, &word))
        fa_jw_str(w, word);
    fa_jw_end_arr(w);
}

static void put_axis(fa_jw *w, const char *key, const fa_acl_axis *x)
{
    fa_jw_key(w, key);
    fa_jw_obj(w);
    fa_jw_key(w, "type");
    fa_jw_z(w, names[x->type]);
    put_list(w, "users", x->users);
    put_list(w, "groups", x->teams);
    fa_jw_end_obj(w);
}

void fa_acl_json(fa_jw *w, const fa_acl *v)
{
    fa_jw_obj(w);
    put_axis(w, "read", &v->read);
    put_axis(w, "write", &v->write);
    fa_jw_key(w, "owner");
    if (v->owner.n)
        fa_jw_str(w, v->owner);
    else
        fa_jw_null(w);
    fa_jw_end_obj(w);
}

static fa_rc parse_list(fa_arena *a, const json_t *axis, const char *name, fa_str *out, fa_err *e)
{
    const json_t *list = json_object_get(axis, name), *v;
    size_t i;

    *out = FA_STR("");
    if (list && !json_is_array(list))
        return fa_fail(e, FA_EINVAL, "%s must be an array of ids", name);
    if (json_array_size(list) > 1000)
        return fa_fail(e, FA_EDATA, "more than 1,000 %s", name);
    json_array_foreach(list, i, v)
    {
        fa_str id = {json_string_value(v), json_string_length(v)};

        if (!json_is_string(v) || !fa_uuid_valid(id))
            return fa_fail(e, FA_EINVAL, "%s must be an array of ids", name);
        id = fa_arena_dup(a, id);
        if (!id.p || fa_list_add(a, out, id, e))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc parse_axis(fa_arena *a, const json_t *j, const char *name, fa_acl_axis *out, fa_err *e)
{
    const json_t *axis = json_object_get(j, name), *type = json_object_get(axis, "type");
    char field[40];
    fa_rc rc = FA_OK;

    snprintf(field, sizeof field, "acl.%s", name);
    if (!json_is_string(type) ||
        !type_of((fa_str){json_string_value(type), json_string_length(type)}, &out->type))
        rc = fa_fail(e, FA_EINVAL, "%s must have a type: public, private or shared", name);
    if (!rc)
        rc = parse_list(a, axis, "users", &out->users, e);
    if (!rc)
        rc = parse_list(a, axis, "groups", &out->teams, e);
    if (!rc && out->type == FA_ACL_SHARED && !out->users.n && !out->teams.n)
        out->type = FA_ACL_PRIVATE; /* shared with nobody */
    return rc ? fa_at(e, field) : FA_OK;
}

fa_rc fa_acl_parse(fa_arena *a, const json_t *j, fa_acl *out, fa_err *e)
{
    fa_rc rc;

    *out = (fa_acl){0};
    if ((rc = parse_axis(a, j, "read", &out->read, e)))
        return rc;
    return parse_axis(a, j, "write", &out->write, e);
}

/* ---- the account's default for new objects ---- */

fa_rc fa_acl_default(fa_ledger *l, fa_arena *a, fa_acl *out, fa_err *e)
{
    json_t *j;
    fa_str text;
    fa_rc rc =
        fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), DEFAULT_SETTING, &text, e);

    *out = (fa_acl){.read = {.type = FA_ACL_PRIVATE}, .write = {.type = FA_ACL_PRIVATE}};
    if (rc || !text.n)
        return rc;
    j = json_loadb(text.p, text.n, 0, NULL);
    rc = fa_acl_parse(a, j, out, e);
    json_decref(j);
    return rc;
}

fa_rc fa_acl_default_set(fa_ledger *l, fa_arena *a, const fa_acl *v, fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc = check(l, a, v, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &b);
    fa_acl_json(&w, v);
    rc = b.failed ? fa_oom(e)
                  : fa_setting_put(fa_ledger_store(l), fa_ledger_account(l), DEFAULT_SETTING,
                                   fa_buf_view(&b), e);
    fa_buf_release(&b);
    return rc;
}
