/*
 * docs.c - documents kept in meta.db: saved as versions, published, restored, deleted and brought back.
 *
 * Every change is one transaction that holds the store: the set it would make is proved (cycles, missing
 * tags, limits) against what is live in that moment, so two writers cannot make a cycle together.
 */
#include "allocate/inner.h"

#include <stdlib.h>
#include <string.h>

enum { VERSIONS_MAX = 100, DOC_MAX = 16 << 20, CHANGE_MAX = 2000 };
#define HOUR_MS 3600000LL
#define YEAR_MS (365 * 24 * HOUR_MS)

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

bool fa_tag_is_predefined(fa_str id)
{
    const json_t *all, *d;
    size_t i;

    if (fa_predefined(&all, NULL))
        return false;
    json_array_foreach(all, i, d) if (fa_str_eq(text_of(json_object_get(d, "id")), id)) return true;
    return false;
}

static fa_rc fail_predefined(fa_err *e)
{
    (void)fa_fail(e, FA_EFORBIDDEN, "this virtual tag is predefined and cannot be changed");
    return fa_hint(e, "duplicate it and change the copy");
}

/* A name of a predefined tag is taken as well; the table's own index sees to the others. */
static fa_rc name_free(fa_str name, fa_err *e)
{
    const json_t *all, *d;
    size_t i;

    if (fa_predefined(&all, e))
        return e->rc;
    json_array_foreach(all, i, d) if (fa_str_ieq(text_of(json_object_get(d, "name")), name))
    {
        (void)fa_fail(e, FA_ECONFLICT, "there is a virtual tag named \"%.*s\" already",
                      FA_FMT(name));
        return fa_at(e, "name");
    }
    return FA_OK;
}

/* ---- reading ---- */

static fa_rc there(fa_ledger *l, fa_arena *a, fa_str id, fa_tag_row *out, fa_err *e)
{
    fa_rc rc = fa_tag_get(fa_ledger_store(l), a, fa_ledger_account(l), id, out, e);

    if (!rc && out->deleted_ms >= 0)
        rc = fa_fail(e, FA_ENOTFOUND, "no such virtual tag");
    return rc;
}

static fa_str copy_text(fa_arena *a, const json_t *doc, const char *member)
{
    return fa_arena_dup(a, text_of(json_object_get(doc, member)));
}

static fa_rc open_predefined(fa_arena *a, fa_str id, fa_tag_row *out, json_t **doc, fa_err *e)
{
    const json_t *all, *d;
    size_t i;

    if (fa_predefined(&all, e))
        return e->rc;
    json_array_foreach(all, i, d)
    {
        if (!fa_str_eq(text_of(json_object_get(d, "id")), id))
            continue;
        *out = (fa_tag_row){.id = copy_text(a, d, "id"),
                            .name = copy_text(a, d, "name"),
                            .acl = FA_STR("{}"),
                            .metadata = FA_STR("{}"),
                            .created_by = copy_text(a, d, "createdBy"),
                            .updated_by = copy_text(a, d, "updatedBy"),
                            .created_ms = 1767225600000LL,
                            .updated_ms = 1767225600000LL,
                            .deleted_ms = -1};
        *doc = json_deep_copy(d);
        return *doc ? FA_OK : fa_oom(e);
    }
    return fa_fail(e, FA_ENOTFOUND, "no such virtual tag");
}

fa_rc fa_tag_open(fa_ledger *l, fa_arena *a, fa_str id, fa_tag_row *out, json_t **doc, fa_err *e)
{
    fa_tag_version v;
    fa_rc rc;

    *doc = NULL;
    if (fa_tag_is_predefined(id))
        return open_predefined(a, id, out, doc, e);
    if ((rc = there(l, a, id, out, e)) ||
        (rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), out->id,
                                 out->live.n ? out->live : out->staged, &v, e)))
        return rc;
    return fa_tag_compose(out, &v, doc, e);
}

fa_rc fa_tag_open_version(fa_ledger *l, fa_arena *a, fa_str id, fa_str version, fa_tag_row *out,
                          fa_tag_version *v, json_t **doc, fa_err *e)
{
    fa_rc rc;

    *doc = NULL;
    if ((rc = there(l, a, id, out, e)) ||
        (rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), id, version, v, e)))
        return rc;
    return fa_tag_compose(out, v, doc, e);
}

/* ---- what a version keeps of a document ---- */

static fa_rc fill_ids(json_t *part, const char *list, fa_err *e)
{
    json_t *all = json_object_get(part, list), *v;
    size_t i;

    json_array_foreach(all, i, v)
    {
        char id[37];

        if (!json_is_object(v) || json_object_get(v, "id"))
            continue;
        fa_uuid_v4(id);
        if (json_object_set_new(v, "id", json_string(id)))
            return fa_oom(e);
    }
    return FA_OK;
}

/* The members that are content. Rows are taken out: *rows gets them (borrowed from doc). */
static fa_rc content_of(const json_t *doc, const json_t **rows, json_t **out, fa_err *e)
{
    static const char *const members[] = {"name",         "kind",     "category",    "endpoints",
                                          "defaultValue", "rules",    "allocations", "dictionary",
                                          "relation",     "hierarchy"};
    json_t *o = json_object();

    *out = o;
    *rows = NULL;
    if (!o)
        return fa_oom(e);
    for (size_t i = 0; i < FA_COUNT(members); i++) {
        const json_t *v = json_object_get(doc, members[i]);

        if (v && !json_is_null(v) && json_object_set_new(o, members[i], json_deep_copy(v)))
            return fa_oom(e);
    }
    if (!json_object_get(o, "kind") && json_object_set_new(o, "kind", json_string("rules")))
        return fa_oom(e);
    if (json_is_array(json_object_get(json_object_get(doc, "dictionary"), "rows"))) {
        *rows = json_object_get(json_object_get(doc, "dictionary"), "rows");
        json_object_del(json_object_get(o, "dictionary"), "rows");
    }
    if (json_is_array(json_object_get(json_object_get(doc, "hierarchy"), "rows"))) {
        *rows = json_object_get(json_object_get(doc, "hierarchy"), "rows");
        json_object_del(json_object_get(o, "hierarchy"), "rows");
    }
    if (fill_ids(json_object_get(o, "relation"), "outputs", e) ||
        fill_ids(json_object_get(o, "hierarchy"), "levels", e))
        return e->rc;
    if (json_is_string(json_object_get(o, "name"))) {
        fa_str name = fa_str_trim(text_of(json_object_get(o, "name")));

        if (json_object_set_new(o, "name", json_stringn(name.n ? name.p : "", name.n)))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc dump(fa_arena *a, const json_t *v, fa_str *out, fa_err *e)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(17));

    if (!text)
        return fa_oom(e);
    *out = fa_arena_dup(a, fa_str_of(text));
    free(text);
    if (out->n > DOC_MAX)
        return fa_fail(e, FA_EDATA, "a virtual tag may have at most 16 MiB");
    return out->p ? FA_OK : fa_oom(e);
}

/* {"type","users","groups"}: how strict it is, or -1. */
static int acl_side(const json_t *v)
{
    static const char *const types[] = {"public", "shared", "private"};
    const json_t *users = json_object_get(v, "users"), *groups = json_object_get(v, "groups");
    fa_str type = text_of(json_object_get(v, "type"));

    if (!json_is_object(v) || (users && !json_is_array(users)) ||
        (groups && !json_is_array(groups)))
        return -1;
    for (size_t i = 0; i < FA_COUNT(types); i++)
        if (fa_str_ieq(type, fa_str_of(types[i])))
            return (int)i;
    return -1;
}

static bool holds(const json_t *list, const json_t *of)
{
    const json_t *v, *w;
    size_t i, k;

    json_array_foreach(of, i, v)
    {
        bool found = false;

        json_array_foreach(list, k, w) found = found || json_equal(v, w);
        if (!found)
            return false;
    }
    return true;
}

/* Whoever may write may read (inform.md 14). */
static fa_rc acl_of(fa_arena *a, const json_t *doc, fa_tag_row *t, fa_err *e)
{
    const json_t *acl = json_object_get(doc, "acl"), *read = json_object_get(acl, "read"),
                 *write = json_object_get(acl, "write");
    int r = acl_side(read), w = acl_side(write);

    if (!acl || json_is_null(acl))
        return FA_OK;
    if (r < 0 || w < 0) {
        (void)fa_fail(
            e, FA_EINVAL,
            "acl must be {read, write}, each {type: public, shared or private, users, groups}");
        return fa_at(e, "acl");
    }
    if (w < r || (r == 1 && w == 1 &&
                  (!holds(json_object_get(read, "users"), json_object_get(write, "users")) ||
                   !holds(json_object_get(read, "groups"), json_object_get(write, "groups"))))) {
        (void)fa_fail(e, FA_EDATA, "acl.write must be as restrictive as acl.read, or more");
        return fa_at(e, "acl.write");
    }
    return dump(a, acl, &t->acl, e);
}

static fa_rc folder_of(fa_ledger *l, fa_arena *a, const json_t *doc, fa_tag_row *t, fa_err *e)
{
    const json_t *v = json_object_get(doc, "folderId");
    fa_tag_folder *f;
    size_t n;

    if (!v)
        return FA_OK;
    t->folder_id = FA_STR("");
    if (json_is_null(v) || (json_is_string(v) && !json_string_length(v)))
        return FA_OK;
    if (fa_tag_folder_list(fa_ledger_store(l), a, fa_ledger_account(l), &f, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(f[i].id, text_of(v))) {
            t->folder_id = f[i].id;
            return FA_OK;
        }
    (void)fa_fail(e, FA_EDATA, "no folder has this id");
    return fa_at(e, "folderId");
}

/* ---- rows ---- */

/* The rows of the new version: those in the document, else those of the version before, read anew: their shape may
 * have changed. */
static fa_rc rows_of(fa_ledger *l, fa_arena *a, const json_t *body, const json_t *inline_rows,
                     fa_str before, fa_tag_rows **rows, fa_str *hash, fa_err *e)
{
    fa_rows_shape shape;
    fa_rc rc;

    *rows = NULL;
    *hash = FA_STR("");
    fa_rows_shape_of(body, &shape);
    if (!shape.nlevel)
        return FA_OK;
    if (inline_rows) {
        if ((rc = fa_tag_rows_inline(inline_rows, shape.nlevel, shape.is_tree, shape.ignore_case,
                                     rows, e)))
            return fa_at(e, shape.is_tree ? "hierarchy.rows" : "dictionary.rows");
        return fa_content_keep(l, a, &shape, *rows, hash, e);
    }
    *hash = before;
    if (!(rc = fa_content_load(l, before, &shape, rows, e)) && *rows)
        rc = fa_content_keep(l, a, &shape, *rows, hash, e);
    if (rc == FA_EDATA)
        (void)fa_hint(e, "the rows that are there do not fit the new shape; bring new ones");
    return rc;
}

/* ---- writing a version ---- */

typedef struct writing {
    fa_ledger *l;
    fa_arena *a;
    fa_tag_row *t;
    json_t *body; /* content; owned by the caller */
    fa_tag_rows *rows;
    fa_str rows_hash, change, by;
    bool set_live;
} writing;

/* The set as it would be. A staged one is proved as if it were live. */
static fa_rc prove(const writing *w, fa_err *e)
{
    fa_tag_set *live = NULL, *next = NULL;
    json_t *doc = json_copy(w->body);
    fa_rc rc;

    if (!doc || json_object_set_new(doc, "id", json_stringn(w->t->id.p, w->t->id.n)))
        rc = fa_oom(e);
    else if (!(rc = fa_tags_live(w->l, &live, e)))
        rc = fa_tag_set_with_rows(live, doc, w->rows, false, &next, e);
    json_decref(doc);
    fa_tag_set_put(next);
    fa_tag_set_put(live);
    return rc;
}

/* Inside a transaction: proves, adds the version, points the tag at it. */
static fa_rc write_version(const writing *w, json_t **doc, fa_err *e)
{
    fa_store *s = fa_ledger_store(w->l);
    fa_str account = fa_ledger_account(w->l),
           name = fa_str_trim(text_of(json_object_get(w->body, "name")));
    int64_t now = fa_now_ms();
    char id[37];
    fa_tag_version v = {.tag_id = w->t->id,
                        .change = w->change,
                        .rows_hash = w->rows_hash,
                        .created_by = w->by,
                        .created_ms = now};
    fa_rc rc;

    fa_uuid_v4(id);
    v.id = fa_arena_dup(w->a, fa_str_of(id));
    if (!v.id.p)
        return fa_oom(e);
    if ((rc = prove(w, e)) || (rc = name_free(name, e)) ||
        (rc = dump(w->a, w->body, &v.document, e)))
        return rc;
    if (w->set_live)
        w->t->live = v.id;
    else
        w->t->staged = v.id;
    if (w->set_live || !w->t->name.n)
        w->t->name = fa_arena_dup(w->a, name);
    w->t->updated_by = w->by;
    w->t->updated_ms = now;
    if (!w->t->name.p)
        return fa_oom(e);
    if ((rc = fa_tag_put(s, account, w->t, e)) || (rc = fa_tag_version_add(s, account, &v, e)) ||
        (rc = fa_tag_version_trim(s, account, w->t->id, VERSIONS_MAX, now - YEAR_MS, e)))
        return rc;
    return doc ? fa_tag_compose(w->t, &v, doc, e) : FA_OK;
}

static fa_rc end(fa_ledger *l, fa_rc rc, fa_err *e)
{
    if (rc) {
        fa_store_rollback(fa_ledger_store(l));
        return rc;
    }
    fa_tags_changed(); /* before others can read what is committed */
    return fa_store_commit(fa_ledger_store(l), e);
}

static fa_rc begin(fa_ledger *l, fa_err *e)
{
    fa_rc rc = fa_store_begin(fa_ledger_store(l), e);

    if (!rc &&
        (rc = fa_tag_purge(fa_ledger_store(l), fa_ledger_account(l), fa_now_ms() - HOUR_MS, e)))
        fa_store_rollback(fa_ledger_store(l));
    return rc;
}

static fa_rc new_row(fa_arena *a, fa_str by, fa_tag_row *t, fa_err *e)
{
    char id[37];

    fa_uuid_v4(id);
    *t = (fa_tag_row){.id = fa_arena_dup(a, fa_str_of(id)),
                      .created_by = by,
                      .created_ms = fa_now_ms(),
                      .deleted_ms = -1};
    t->acl = FA_STR("{\"read\":{\"type\":\"public\",\"users\":[],\"groups\":[]},\"write\":{"
                    "\"type\":\"public\",\"users\":[],\"groups\":[]}}");
    t->metadata = FA_STR("{}");
    return t->id.p ? FA_OK : fa_oom(e);
}

static fa_rc check_edit(const fa_tag_edit *x, const fa_tag_row *t, fa_err *e)
{
    if (!json_is_object(x->doc))
        return fa_fail(e, FA_EINVAL, "the virtual tag must be an object");
    if (x->change.n > CHANGE_MAX || !fa_utf8_valid(x->change)) {
        (void)fa_fail(e, FA_EINVAL, "changeDescription must have at most %d bytes of text",
                      CHANGE_MAX);
        return fa_at(e, "changeDescription");
    }
    if (x->based_on.n && !fa_str_eq(x->based_on, t->live) && !fa_str_eq(x->based_on, t->staged)) {
        (void)fa_fail(e, FA_ECONFLICT, "somebody changed this virtual tag meanwhile");
        return fa_hint(e, "read it again; your change is not lost: compare the versions");
    }
    return FA_OK;
}

/* What an API without them leaves as it is: reallocation and the like. */
static fa_rc keep_members(fa_ledger *l, fa_arena *a, const fa_tag_row *t, json_t *body, fa_err *e)
{
    static const char *const members[] = {"kind",       "category", "endpoints", "allocations",
                                          "dictionary", "relation", "hierarchy"};
    fa_tag_version v;
    json_t *old;

    if (fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), t->id,
                           t->live.n ? t->live : t->staged, &v, e))
        return e->rc;
    old = json_loadb(v.document.p, v.document.n, 0, NULL);
    for (size_t i = 0; i < FA_COUNT(members); i++) {
        json_t *m = json_object_get(old, members[i]);

        if (m && json_object_set(body, members[i], m)) {
            json_decref(old);
            return fa_oom(e);
        }
    }
    json_decref(old);
    return FA_OK;
}

static fa_rc save(fa_ledger *l, fa_arena *a, const fa_tag_edit *x, fa_tag_row *t, json_t **doc,
                  fa_err *e)
{
    writing w = {.l = l, .a = a, .t = t, .change = x->change, .by = x->by, .set_live = x->set_live};
    fa_tag_version before = {.rows_hash = FA_STR("")};
    const json_t *inline_rows;
    fa_rc rc;

    if ((rc = x->id.n ? there(l, a, x->id, t, e) : new_row(a, x->by, t, e)) ||
        (rc = check_edit(x, t, e)) || (rc = acl_of(a, x->doc, t, e)) ||
        (rc = folder_of(l, a, x->doc, t, e)) || (rc = content_of(x->doc, &inline_rows, &w.body, e)))
        goto done;
    if (x->id.n && ((x->keep_allocations && (rc = keep_members(l, a, t, w.body, e))) ||
                    (rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), t->id,
                                             t->live.n ? t->live : t->staged, &before, e))))
        goto done;
    if (!(rc = rows_of(l, a, w.body, inline_rows, before.rows_hash, &w.rows, &w.rows_hash, e)))
        rc = write_version(&w, doc, e);
    if (!rc && !x->id.n && x->made && (rc = x->made(x->user, t->id, e)) && doc) {
        json_decref(*doc);
        *doc = NULL;
    }
done:
    fa_rows_unref(w.rows);
    json_decref(w.body);
    return rc;
}

fa_rc fa_tag_save(fa_ledger *l, fa_arena *a, const fa_tag_edit *x, fa_tag_row *out, json_t **doc,
                  fa_err *e)
{
    fa_rc rc;

    if (doc)
        *doc = NULL;
    if (x->id.n && fa_tag_is_predefined(x->id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    return end(l, save(l, a, x, out, doc, e), e);
}

/* ---- publishing and restoring ---- */

static fa_rc publish(fa_ledger *l, fa_arena *a, fa_str id, fa_str version, fa_str by, fa_tag_row *t,
                     json_t **doc, fa_err *e)
{
    writing w = {.l = l, .a = a, .t = t, .by = by, .set_live = true};
    fa_rows_shape shape;
    fa_tag_version v;
    fa_buf b = {0};
    fa_rc rc;

    if ((rc = there(l, a, id, t, e)) ||
        (rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), id, version, &v, e)))
        return rc;
    if (fa_str_eq(version, t->live))
        return fa_tag_compose(t, &v, doc, e);
    if (!(w.body = json_loadb(v.document.p, v.document.n, 0, NULL)))
        return fa_fail(e, FA_EDATA, "version \"%.*s\" in meta.db is damaged", FA_FMT(version));
    fa_rows_shape_of(w.body, &shape);
    w.rows_hash = v.rows_hash;
    if ((rc = fa_content_load(l, v.rows_hash, &shape, &w.rows, e)))
        goto done;
    if (fa_str_eq(version, t->staged)) {
        fa_str name = text_of(json_object_get(w.body, "name"));

        if ((rc = prove(&w, e)) || (rc = name_free(name, e)))
            goto done;
        t->live = v.id;
        t->staged = FA_STR("");
        t->name = fa_arena_dup(a, name);
        t->updated_by = by;
        t->updated_ms = fa_now_ms();
        rc = t->name.p ? fa_tag_put(fa_ledger_store(l), fa_ledger_account(l), t, e) : fa_oom(e);
        if (!rc)
            rc = fa_tag_compose(t, &v, doc, e);
        goto done;
    }
    fa_buf_z(&b, "Restored the version of ");
    fa_time_iso(&b, v.created_ms);
    w.change = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    if (json_object_set_new(w.body, "name",
                            json_stringn(t->name.p, t->name.n))) /* a restored tag keeps its name */
        rc = fa_oom(e);
    else
        rc = write_version(&w, doc, e);
done:
    fa_rows_unref(w.rows);
    json_decref(w.body);
    return rc;
}

fa_rc fa_tag_publish(fa_ledger *l, fa_arena *a, fa_str id, fa_str version, fa_str by,
                     fa_tag_row *out, json_t **doc, fa_err *e)
{
    fa_rc rc;

    *doc = NULL;
    if (fa_tag_is_predefined(id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    return end(l, publish(l, a, id, version, by, out, doc, e), e);
}

/* ---- deleting and bringing back ---- */

static fa_rc refuse_used(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e)
{
    fa_tag_set *live = NULL;
    fa_tag_node *node;
    size_t n;
    fa_rc rc = fa_tags_live(l, &live, e);

    if (rc || (rc = fa_tag_graph(live, a, &node, &n, e)))
        goto done;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(node[i].id, id) && node[i].nusers)
            rc = fa_fail(e, FA_ECONFLICT, "the virtual tag \"%.*s\" reads this one%s",
                         FA_FMT(node[node[i].users[0]].name),
                         node[i].nusers > 1 ? ", and others do" : "");
done:
    fa_tag_set_put(live);
    return rc;
}

static fa_rc delete (fa_ledger *l, fa_arena *a, fa_str id, bool forever, fa_err *e)
{
    fa_tag_row t;
    fa_rc rc;

    if ((rc = there(l, a, id, &t, e)) || (rc = refuse_used(l, a, id, e)))
        return rc;
    if (forever)
        return fa_tag_drop(fa_ledger_store(l), fa_ledger_account(l), id, e);
    t.deleted_ms = fa_now_ms();
    return fa_tag_put(fa_ledger_store(l), fa_ledger_account(l), &t, e);
}

fa_rc fa_tag_delete(fa_ledger *l, fa_arena *a, fa_str id, bool forever, fa_err *e)
{
    fa_rc rc;

    if (fa_tag_is_predefined(id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    return end(l, delete (l, a, id, forever, e), e);
}

static fa_rc undelete(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e)
{
    writing w = {.l = l, .a = a};
    fa_rows_shape shape;
    fa_tag_version v;
    fa_tag_row t;
    fa_rc rc;

    if ((rc = fa_tag_get(fa_ledger_store(l), a, fa_ledger_account(l), id, &t, e)) ||
        t.deleted_ms < 0)
        return rc;
    t.deleted_ms = -1;
    w.t = &t;
    if (t.live.n) { /* what it reads may have gone meanwhile */
        if ((rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), id, t.live, &v,
                                     e)))
            return rc;
        w.body = json_loadb(v.document.p, v.document.n, 0, NULL);
        fa_rows_shape_of(w.body, &shape);
        if (!(rc = fa_content_load(l, v.rows_hash, &shape, &w.rows, e)))
            rc = prove(&w, e);
        fa_rows_unref(w.rows);
        json_decref(w.body);
    }
    return rc ? rc : fa_tag_put(fa_ledger_store(l), fa_ledger_account(l), &t, e);
}

fa_rc fa_tag_undelete(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e)
{
    fa_rc rc = begin(l, e);

    return rc ? rc : end(l, undelete(l, a, id, e), e);
}

/* ---- names and folders ---- */

static fa_rc clean_name(fa_str *name, fa_err *e)
{
    *name = fa_str_trim(*name);
    for (size_t i = 0; i < name->n; i++)
        if ((unsigned char)name->p[i] < ' ')
            name->n = 0;
    if (name->n && name->n <= FA_TAG_NAME_MAX && fa_utf8_valid(*name))
        return FA_OK;
    (void)fa_fail(e, FA_EINVAL, "a name must have 1 to %d bytes of text", FA_TAG_NAME_MAX);
    return fa_at(e, "name");
}

static fa_rc rename_tag(fa_ledger *l, fa_arena *a, fa_str id, fa_str name, fa_str by, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), text;
    fa_tag_version v;
    fa_tag_row t;
    json_t *body;
    fa_rc rc;

    if ((rc = clean_name(&name, e)) || (rc = there(l, a, id, &t, e)) || (rc = name_free(name, e)))
        return rc;
    t.name = name;
    t.updated_by = by;
    t.updated_ms = fa_now_ms();
    if ((rc = fa_tag_put(s, account, &t, e)) || !t.staged.n)
        return rc;
    /* what is staged goes live under the new name as well */
    if ((rc = fa_tag_version_get(s, a, account, id, t.staged, &v, e)))
        return rc;
    body = json_loadb(v.document.p, v.document.n, 0, NULL);
    if (!body || json_object_set_new(body, "name", json_stringn(name.p, name.n)))
        rc = fa_oom(e);
    else if (!(rc = dump(a, body, &text, e)))
        rc = fa_tag_version_text(s, account, id, t.staged, text, e);
    json_decref(body);
    return rc;
}

fa_rc fa_tag_rename(fa_ledger *l, fa_arena *a, fa_str id, fa_str name, fa_str by, fa_err *e)
{
    fa_rc rc;

    if (fa_tag_is_predefined(id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    return end(l, rename_tag(l, a, id, name, by, e), e);
}

static fa_rc move(fa_ledger *l, fa_arena *a, fa_str id, fa_str folder, fa_err *e)
{
    json_t *doc = json_pack("{s:o}", "folderId", json_stringn(folder.n ? folder.p : "", folder.n));
    fa_tag_row t;
    fa_rc rc = doc ? there(l, a, id, &t, e) : fa_oom(e);

    if (!rc && !(rc = folder_of(l, a, doc, &t, e)))
        rc = fa_tag_put(fa_ledger_store(l), fa_ledger_account(l), &t, e);
    json_decref(doc);
    return rc;
}

fa_rc fa_tag_move(fa_ledger *l, fa_arena *a, fa_str id, fa_str folder, fa_err *e)
{
    fa_rc rc;

    if (fa_tag_is_predefined(id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    return end(l, move(l, a, id, folder, e), e);
}

fa_rc fa_tag_folder_save(fa_ledger *l, fa_arena *a, fa_str id, fa_str name, fa_tag_folder *out,
                         fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_tag_folder *f;
    char fresh[37];
    size_t n, i = 0;
    fa_rc rc;

    if ((rc = clean_name(&name, e)) ||
        (rc = fa_tag_folder_list(s, a, fa_ledger_account(l), &f, &n, e)))
        return rc;
    while (id.n && i < n && !fa_str_eq(f[i].id, id))
        i++;
    if (id.n && i == n)
        return fa_fail(e, FA_ENOTFOUND, "no such folder");
    fa_uuid_v4(fresh);
    *out =
        id.n ? f[i]
             : (fa_tag_folder){.id = fa_arena_dup(a, fa_str_of(fresh)), .created_ms = fa_now_ms()};
    out->name = name;
    if (!out->id.p)
        return fa_oom(e);
    return fa_tag_folder_put(s, fa_ledger_account(l), out, e);
}

/* ---- rows from outside ---- */

static fa_rc rows_put(fa_ledger *l, fa_arena *a, fa_str id, const writing *given,
                      fa_rows_result *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    writing w = *given;
    fa_rows_shape shape;
    fa_tag_version v;
    char hex[33];
    fa_rc rc;

    if ((rc = there(l, a, id, w.t, e)) ||
        (rc = fa_tag_version_get(s, a, fa_ledger_account(l), id,
                                 w.t->live.n ? w.t->live : w.t->staged, &v, e)))
        return rc;
    fa_hex(hex, w.rows->hash, sizeof w.rows->hash);
    out->version = v.id;
    if ((out->unchanged = fa_str_eqz(v.rows_hash, hex)))
        return FA_OK;
    w.set_live = w.t->live.n > 0;
    if (!(w.body = json_loadb(v.document.p, v.document.n, 0, NULL)))
        return fa_fail(e, FA_EDATA, "the virtual tag in meta.db is damaged");
    fa_rows_shape_of(w.body, &shape);
    if (w.set_live && json_object_set_new(w.body, "name", json_stringn(w.t->name.p, w.t->name.n)))
        rc = fa_oom(e);
    else if (!(rc = fa_content_keep(l, a, &shape, w.rows, &w.rows_hash, e)))
        rc = write_version(&w, NULL, e);
    out->version = w.set_live ? w.t->live : w.t->staged;
    json_decref(w.body);
    return rc;
}

fa_rc fa_tag_rows_put(fa_ledger *l, fa_arena *a, fa_str id, fa_str text, fa_str by, fa_str change,
                      fa_row_faults *faults, fa_rows_result *out, fa_err *e)
{
    fa_tag_row t;
    writing w = {.l = l, .a = a, .t = &t, .by = by, .change = change};
    fa_rows_shape shape;
    json_t *doc = NULL;
    fa_rc rc;

    *out = (fa_rows_result){0};
    *faults = (fa_row_faults){0};
    if ((rc = fa_tag_open(l, a, id, &t, &doc, e)))
        return rc;
    fa_rows_shape_of(doc, &shape);
    if (!shape.nlevel)
        rc = fa_fail(e, FA_EDATA, "only a dictionary or a hierarchy has rows");
    else
        rc = fa_rows_read(text, &shape, a, faults, &w.rows, e);
    if (!rc && !(rc = begin(l, e)))
        rc = end(l, rows_put(l, a, id, &w, out, e), e);
    if (w.rows)
        out->rows = w.rows->n[0];
    fa_rows_unref(w.rows);
    json_decref(doc);
    return rc;
}

fa_rc fa_tag_rows_csv(fa_ledger *l, fa_arena *a, fa_str id, fa_buf *out, fa_err *e)
{
    fa_tag_rows *rows = NULL;
    fa_rows_shape shape;
    fa_tag_version v;
    fa_tag_row t;
    json_t *doc = NULL;
    fa_rc rc;

    if ((rc = fa_tag_open(l, a, id, &t, &doc, e)))
        return rc;
    fa_rows_shape_of(doc, &shape);
    if (!shape.nlevel)
        rc = fa_fail(e, FA_EDATA, "only a dictionary or a hierarchy has rows");
    else if (!(rc = fa_tag_version_get(fa_ledger_store(l), a, fa_ledger_account(l), id,
                                       t.live.n ? t.live : t.staged, &v, e)) &&
             !(rc = fa_content_load(l, v.rows_hash, &shape, &rows, e)))
        fa_rows_write(out, &shape, rows);
    if (!rc && out->failed)
        rc = fa_oom(e);
    fa_rows_unref(rows);
    json_decref(doc);
    return rc;
}

/* ---- value metadata ---- */

fa_rc fa_tag_metadata(fa_ledger *l, fa_arena *a, fa_str id, json_t **out, fa_err *e)
{
    fa_tag_row t;
    fa_rc rc;

    *out = NULL;
    if (fa_tag_is_predefined(id))
        return (*out = json_object()) ? FA_OK : fa_oom(e);
    if ((rc = there(l, a, id, &t, e)))
        return rc;
    *out = json_loadb(t.metadata.p, t.metadata.n, 0, NULL);
    return *out ? FA_OK : fa_fail(e, FA_EDATA, "the metadata in meta.db is damaged");
}

static fa_rc fail_meta(fa_err *e, const char *value, const char *member, const char *msg)
{
    char field[160];

    snprintf(field, sizeof field, "%.100s%s%s", value, *member ? "." : "", member);
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, msg);
    return fa_at(e, field);
}

static fa_rc check_meta(const char *value, const json_t *m, bool dots, fa_err *e)
{
    static const char *const lists[] = {"groups", "endpoints"};
    const json_t *custom = json_object_get(m, "customMetadata"),
                 *merge = json_object_get(m, "mergeValuesAndMetadata"), *v;
    const char *key;

    if (!dots && strchr(value, '.'))
        return fail_meta(e, value, "", "must not contain a dot");
    if (!*value || strlen(value) > FA_TAG_TEXT_MAX)
        return fail_meta(e, value, "", "must have 1 to 1000 bytes");
    if (json_is_null(m))
        return FA_OK;
    if (!json_is_object(m))
        return fail_meta(e, value, "", "must be an object");
    for (size_t i = 0; i < FA_COUNT(lists); i++) {
        const json_t *list = json_object_get(m, lists[i]);
        size_t k;

        if (list && !json_is_array(list))
            return fail_meta(e, value, lists[i], "must be an array of UUIDs");
        json_array_foreach(list, k, v) if (!json_is_string(v) ||
                                           !fa_uuid_valid(text_of(
                                               v))) return fail_meta(e, value, lists[i],
                                                                     "must be an array of UUIDs");
    }
    if (merge && !json_is_boolean(merge))
        return fail_meta(e, value, "mergeValuesAndMetadata", "must be true or false");
    if (custom && !json_is_object(custom))
        return fail_meta(e, value, "customMetadata", "must be an object of texts");
    json_object_foreach((json_t *)(uintptr_t)custom, key,
                        v) if (!json_is_string(v)) return fail_meta(e, value, "customMetadata",
                                                                    "must be an object of texts");
    json_object_foreach((json_t *)(uintptr_t)m, key,
                        v) if (strcmp(key, "groups") != 0 && strcmp(key, "endpoints") != 0 &&
                               strcmp(key, "customMetadata") != 0 &&
                               strcmp(key, "mergeValuesAndMetadata") !=
                                   0) return fail_meta(e, value, key, "is not known");
    return FA_OK;
}

/* The union of two lists, in order; `old` may be NULL. New reference. */
static json_t *merged_list(const json_t *old, const json_t *add)
{
    json_t *out = old ? json_copy((json_t *)(uintptr_t)old) : json_array(), *v;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)add, i, v)
    {
        json_t *one = json_pack("[O]", v);

        if (!holds(out, one))
            json_array_append(out, v);
        json_decref(one);
    }
    return out;
}

static fa_rc put_meta(json_t *map, const char *value, const json_t *m, fa_err *e)
{
    bool merge = json_is_true(json_object_get(m, "mergeValuesAndMetadata"));
    json_t *old = merge ? json_object_get(map, value) : NULL,
           *next = old ? json_deep_copy(old) : json_object();
    static const char *const lists[] = {"groups", "endpoints"};
    json_t *custom = json_object_get(m, "customMetadata");
    int bad = !next;

    for (size_t i = 0; !bad && i < FA_COUNT(lists); i++) {
        const json_t *list = json_object_get(m, lists[i]);

        if (list)
            bad = json_object_set_new(next, lists[i],
                                      merged_list(json_object_get(next, lists[i]), list));
    }
    if (!bad && custom) {
        json_t *all = json_object_get(next, "customMetadata");

        bad = all ? json_object_update(all, custom)
                  : json_object_set_new(next, "customMetadata", json_deep_copy(custom));
    }
    if (!bad)
        bad = json_object_set_new(map, value, next);
    else
        json_decref(next);
    return bad ? fa_oom(e) : FA_OK;
}

static fa_rc metadata_put(fa_ledger *l, fa_arena *a, fa_str id, const json_t *map, fa_str by,
                          json_t **out, fa_err *e)
{
    const char *value;
    const json_t *m;
    fa_tag_row t;
    fa_rc rc;

    if ((rc = there(l, a, id, &t, e)) || (rc = fa_tag_metadata(l, a, id, out, e)))
        return rc;
    json_object_foreach((json_t *)(uintptr_t)map, value, m)
    {
        if (json_is_null(m))
            json_object_del(*out, value);
        else if ((rc = put_meta(*out, value, m, e)))
            return rc;
    }
    if ((rc = dump(a, *out, &t.metadata, e)))
        return rc;
    t.updated_by = by;
    t.updated_ms = fa_now_ms();
    return fa_tag_put(fa_ledger_store(l), fa_ledger_account(l), &t, e);
}

fa_rc fa_tag_metadata_put(fa_ledger *l, fa_arena *a, fa_str id, const json_t *map, bool dots,
                          fa_str by, json_t **out, fa_err *e)
{
    const char *value;
    const json_t *m;
    fa_rc rc;

    *out = NULL;
    if (!json_is_object(map))
        return fa_fail(
            e, FA_EINVAL,
            "the metadata must be an object: value to {groups, customMetadata, endpoints}");
    json_object_foreach((json_t *)(uintptr_t)map, value,
                        m) if ((rc = check_meta(value, m, dots, e))) return rc;
    if (fa_tag_is_predefined(id))
        return fail_predefined(e);
    if ((rc = begin(l, e)))
        return rc;
    rc = end(l, metadata_put(l, a, id, map, by, out, e), e);
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}
