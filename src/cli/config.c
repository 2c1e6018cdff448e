/*
 * config.c - `farthing export` and `farthing apply`: an account's configuration as one JSON file.
 *
 * The one idea: a file holds what the page's routes answer, and applying it asks those routes to make each object
 * so. Objects are found by id, else by name, else made; ids of the file that became others here are followed
 * wherever the file names them. What the file leaves out stays as it is: nothing is deleted. An object that reads
 * one which is not there yet is tried again after the others, so the order in the file does not matter. Bills,
 * people, tokens and secrets are not configuration: backup keeps those.
 */
#include "allocate/allocate.h"
#include "api/api.h"
#include "cli/inner.h"

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 << 20, ROUNDS_MAX = 100, DEPTH_MAX = 128 };
#define FORMAT 1

/* Lists of objects, in the order in which they are written and first tried. */
static const struct kind {
    const char *member, *noun; /* of the file; in messages */
    const char *path, *list;   /* the route, and the member of its answer that holds them */
    bool detail;               /* the list is a summary: each one is asked for */
    const char *acl;           /* of /api/objects/{acl}/{id}/acl; NULL: has none */
    const char *built_in;      /* a true member of what cannot be changed, and is not written */
    const char *known[14];     /* members that are told, not set */
} kinds[] = {
    {"roles",
     "role",
     "/api/admin/roles",
     "roles",
     false,
     NULL,
     "default",
     {"default", "level", "users", "groups", "tokens"}},
    {"groups", "group", "/api/admin/groups", "groups", false, NULL, NULL, {"managedBy"}},
    {"telemetry",
     "telemetry",
     "/api/telemetry",
     "telemetry",
     false,
     "telemetry",
     NULL,
     {"firstDay", "lastDay", "points", "lastReceivedAt", "error", "usedBy", "files"}},
    {"virtualTags",
     "virtual tag",
     "/api/tags",
     "tags",
     true,
     "virtual_tag",
     "predefined",
     {"predefined", "acl", "liveVersion", "stagedVersion", "error", "folderId"}},
    {"views", "view", "/api/views", "views", false, "view", NULL, {NULL}},
    {"customCosts", "custom cost", "/api/custom-costs", "entries", false, NULL, NULL, {NULL}},
    {"customCenters",
     "custom cost center",
     "/api/custom-centers",
     NULL,
     false,
     NULL,
     NULL,
     {"error", "files", "days", "rows", "lastFileAt"}},
};

/* Documents of which an account has one. */
static const struct single {
    const char *member, *path, *noun;
} singles[] = {
    {"drilldowns", "/api/drilldowns", "drilldown paths"},
    {"accessDefault", "/api/admin/acl-default", "default access"},
    {"dataAccess", "/api/admin/data-access", "data access control"},
    {"securityPolicy", "/api/admin/security-policy", "security policy"},
};

/* Told with every object. */
static const char *const stamps[] = {"createdAt", "updatedAt", "createdBy", "updatedBy"};

typedef struct work {
    fa_ledger *l;
    fa_api_local *api;
    fa_arena *a;
    fa_cmd_io *io;
    json_t *ids;    /* id in the file -> id here */
    json_t *nobody; /* ids of people of the file who are not here */
    bool dry;
    size_t made, changed, same, failed;
} work;

/* ---- documents ---- */

static const char *text_of(const json_t *o, const char *member)
{
    const char *t = json_string_value(json_object_get(o, member));

    return t ? t : "";
}

static fa_rc ask(work *w, const char *method, const char *path, json_t *body, json_t **answer,
                 fa_err *e)
{
    return fa_api_local_call(w->api, method, fa_str_of(path), body, answer, e);
}

/* Names for people beside keys: told, never read. */
static void drop_names(json_t *v, int depth)
{
    const char *key;
    json_t *x;
    size_t i;

    if (depth > DEPTH_MAX)
        return;
    if (json_is_object(v) && json_object_get(v, "key"))
        json_object_del(v, "displayName");
    json_array_foreach(v, i, x) drop_names(x, depth + 1);
    json_object_foreach(v, key, x) drop_names(x, depth + 1);
}

static void strip(json_t *o, const char *const *known, size_t n)
{
    for (size_t i = 0; i < FA_COUNT(stamps); i++)
        json_object_del(o, stamps[i]);
    for (size_t i = 0; i < n && known[i]; i++)
        json_object_del(o, known[i]);
    drop_names(o, 0);
}

/* What an object of the kind looks like in a file; v is changed. */
static void shape(const struct kind *k, json_t *v)
{
    strip(v, k->known, FA_COUNT(k->known));
}

/* The objects that are here, as the route tells them: a new array. */
static fa_rc list_of(work *w, const struct kind *k, json_t **out, fa_err *e)
{
    const char *path = k->list ? k->path : "/api/custom-costs",
               *list = k->list ? k->list : "centers";
    json_t *all, *v, *kept = json_array();
    size_t i;
    fa_rc rc;

    *out = NULL;
    if (!kept)
        return fa_oom(e);
    if ((rc = ask(w, "GET", path, NULL, &all, e))) {
        json_decref(kept);
        return rc;
    }
    json_array_foreach(json_object_get(all, list), i,
                       v) if (!(k->built_in && json_is_true(json_object_get(v, k->built_in))) &&
                              json_array_append(kept, v)) rc = fa_oom(e);
    json_decref(all);
    if (rc)
        json_decref(kept);
    else
        *out = kept;
    return rc;
}

static fa_rc rows_of(work *w, json_t *doc, fa_err *e)
{
    const char *kind = text_of(doc, "kind");
    fa_buf b;
    fa_rc rc;

    if (strcmp(kind, "dictionary") != 0 && strcmp(kind, "hierarchy") != 0)
        return FA_OK;
    fa_buf_init(&b, FILE_MAX);
    if (!(rc = fa_tag_rows_csv(w->l, w->a, fa_str_of(text_of(doc, "id")), &b, e)) &&
        json_object_set_new(doc, "rows", json_stringn(b.p ? b.p : "", b.n)))
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}

static const char *acl_path(work *w, const struct kind *k, const char *id)
{
    return fa_arena_printf(w->a, "/api/objects/%s/%s/acl", k->acl, id);
}

static fa_rc access_of(work *w, const struct kind *k, const char *id, json_t **out, fa_err *e)
{
    const char *path = acl_path(w, k, id);
    json_t *answer;
    fa_rc rc;

    *out = NULL;
    if (!path)
        return fa_oom(e);
    if ((rc = ask(w, "GET", path, NULL, &answer, e)))
        return rc;
    *out = json_incref(json_object_get(answer, "acl"));
    json_decref(answer);
    return FA_OK;
}

/* The whole object of a list's entry, as a file has it: a new document. */
static fa_rc whole(work *w, const struct kind *k, const json_t *entry, json_t **out, fa_err *e)
{
    const char *id = text_of(entry, "id");
    const char *path = k->detail ? fa_arena_printf(w->a, "%s/%s", k->path, id) : "";
    json_t *doc = NULL, *access = NULL;
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!path)
        return fa_oom(e);
    if (k->detail)
        rc = ask(w, "GET", path, NULL, &doc, e);
    else if (!(doc = json_deep_copy(entry)))
        rc = fa_oom(e);
    if (!rc) {
        shape(k, doc);
        if (k->detail)
            rc = rows_of(w, doc, e);
    }
    if (!rc && k->acl && !(rc = access_of(w, k, id, &access, e)) && access &&
        json_object_set_new(doc, "access", access))
        rc = fa_oom(e);
    if (rc)
        json_decref(doc);
    else
        *out = doc;
    return rc;
}

/* ---- export ---- */

static fa_rc export_kind(work *w, const struct kind *k, json_t *file, fa_err *e)
{
    json_t *entries, *v, *doc, *list = json_array();
    size_t i;
    fa_rc rc = list ? list_of(w, k, &entries, e) : fa_oom(e);

    if (rc) {
        json_decref(list);
        return rc;
    }
    json_array_foreach(entries, i, v)
    {
        if (rc || (rc = whole(w, k, v, &doc, e)))
            break;
        if (json_array_append_new(list, doc))
            rc = fa_oom(e);
    }
    json_decref(entries);
    if (rc)
        json_decref(list);
    else if (json_object_set_new(file, k->member, list))
        rc = fa_oom(e);
    return rc;
}

/* Who the ids of people in access lists and groups are. */
static fa_rc export_people(work *w, json_t *file, fa_err *e)
{
    json_t *all, *v, *list = json_array();
    size_t i;
    fa_rc rc = list ? ask(w, "GET", "/api/admin/users", NULL, &all, e) : fa_oom(e);

    if (rc) {
        json_decref(list);
        return rc;
    }
    json_array_foreach(
        json_object_get(all, "users"), i,
        v) if (json_array_append_new(list, json_pack("{s:s,s:s}", "id", text_of(v, "id"), "email",
                                                     text_of(v, "email")))) rc = fa_oom(e);
    json_decref(all);
    if (rc || json_object_set_new(file, "people", json_incref(list)))
        rc = rc ? rc : fa_oom(e);
    json_decref(list);
    return rc;
}

static fa_rc single_of(work *w, const struct single *s, json_t **out, fa_err *e)
{
    fa_rc rc = ask(w, "GET", s->path, NULL, out, e);
    json_t *v;
    size_t i;

    if (rc)
        return rc;
    strip(*out, NULL, 0);
    if (strcmp(s->member, "drilldowns") != 0)
        return FA_OK;
    /* a path that is the default has no keys of its own */
    json_array_foreach(json_object_get(*out, "paths"), i, v)
    {
        bool is_default = json_is_true(json_object_get(v, "isDefault"));

        json_object_del(v, "isDefault");
        if (is_default && json_object_set_new(v, "keys", json_array()))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc export_all(work *w, json_t *file, fa_err *e)
{
    fa_rc rc = json_object_set_new(file, "farthingConfiguration", json_integer(FORMAT))
                   ? fa_oom(e)
                   : export_people(w, file, e);

    for (size_t i = 0; !rc && i < FA_COUNT(kinds); i++)
        rc = export_kind(w, &kinds[i], file, e);
    for (size_t i = 0; !rc && i < FA_COUNT(singles); i++) {
        json_t *v;

        if (!(rc = single_of(w, &singles[i], &v, e)) &&
            json_object_set_new(file, singles[i].member, v))
            rc = fa_oom(e);
    }
    return rc;
}

static fa_rc write_out(const json_t *file, const char *path, FILE *out, fa_err *e)
{
    char *text = json_dumps(file, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    fa_rc rc = FA_OK;

    if (!text)
        return fa_oom(e);
    if (path)
        rc = fa_file_write_durable(path, fa_str_of(text), 0600, e);
    else if (fputs(text, out) == EOF || fputc('\n', out) == EOF || fflush(out) != 0)
        rc = fa_fail(e, FA_EENV, "could not write to standard output");
    free(text);
    return rc;
}

/* ---- apply ---- */

/* Every text that is an id of the file and another one here. */
static fa_rc follow(const json_t *ids, json_t *v, int depth, fa_err *e)
{
    const char *key;
    const json_t *to;
    json_t *x;
    void *next;
    size_t i;

    if (depth > DEPTH_MAX)
        return fa_fail(e, FA_EINVAL, "an object is nested deeper than %d levels", DEPTH_MAX);
    if (json_is_string(v)) {
        to = json_object_getn(ids, json_string_value(v), json_string_length(v));
        return to && json_string_setn(v, json_string_value(to), json_string_length(to)) ? fa_oom(e)
                                                                                        : FA_OK;
    }
    json_array_foreach(v, i, x) if (follow(ids, x, depth + 1, e)) return e->rc;
    json_object_foreach_safe(v, next, key, x) if (follow(ids, x, depth + 1, e)) return e->rc;
    return FA_OK;
}

/* Every member that the file gives is so already. */
static bool is_so(const json_t *want, const json_t *have)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)want, key, v)
    {
        const json_t *h = json_object_get(have, key);

        if (strcmp(key, "id") != 0 && !(h ? json_equal(v, h) : json_is_null(v)))
            return false;
    }
    return true;
}

/* By id, else by name. NULL: it is not here. */
static const json_t *find(const json_t *entries, const char *id, const char *name)
{
    const json_t *v, *by_name = NULL;
    size_t i;

    json_array_foreach(entries, i, v)
    {
        if (*id && strcmp(text_of(v, "id"), id) == 0)
            return v;
        if (*name && strcmp(text_of(v, "name"), name) == 0 && !by_name)
            by_name = v;
    }
    return by_name;
}

static fa_rc put_access(work *w, const struct kind *k, const char *id, const json_t *access,
                        bool *changed, fa_err *e)
{
    const char *path = acl_path(w, k, id);
    json_t *want = json_deep_copy(access), *have = NULL;
    fa_rc rc = path && want ? access_of(w, k, id, &have, e) : fa_oom(e);

    if (!rc && (json_is_null(json_object_get(want, "owner")) ||
                json_object_get(w->nobody, text_of(want, "owner"))))
        json_object_del(want, "owner"); /* stays the one it has */
    if (!rc && !is_so(want, have)) {
        *changed = true;
        rc = w->dry ? FA_OK : ask(w, "PUT", path, want, NULL, e);
    }
    json_decref(want);
    json_decref(have);
    return rc;
}

/* Made by nobody in particular: open to all whose role allows, unless the file says otherwise. */
static json_t *open_access(void)
{
    return json_pack("{s:{s:s},s:{s:s}}", "read", "type", "public", "write", "type", "public");
}

static fa_rc put_rows(work *w, const char *id, const json_t *rows, fa_err *e)
{
    fa_row_faults faults = {0};
    fa_rows_result got;
    fa_rc rc = fa_tag_rows_put(
        w->l, w->a, fa_str_of(id), (fa_str){json_string_value(rows), json_string_length(rows)},
        FA_STR("system@farthing.invalid"), FA_STR("farthing apply"), &faults, &got, e);

    if (rc && faults.n)
        return fa_fail(e, rc, "line %zu of its rows: %.*s", faults.fault[0].line,
                       FA_FMT(faults.fault[0].message));
    return rc;
}

/* The object as the file wants it, with the ids of here. */
static fa_rc one(work *w, const struct kind *k, const json_t *given, const json_t *entries,
                 const char **done, fa_err *e)
{
    json_t *want = json_deep_copy(given), *access = NULL, *rows = NULL, *have = NULL,
           *answer = NULL;
    char *file_id = fa_arena_dupz(w->a, fa_str_of(text_of(given, "id")));
    const char *id = "", *path = NULL;
    const json_t *there;
    bool changed = false, is_new;
    fa_rc rc = want && file_id ? FA_OK : fa_oom(e);

    if (!rc)
        rc = follow(w->ids, want, 0, e);
    if (rc)
        goto done;
    shape(k, want);
    there = find(entries, text_of(want, "id"), text_of(want, "name"));
    is_new = there == NULL;
    access = json_incref(json_object_get(want, "access"));
    rows = json_incref(json_object_get(want, "rows"));
    if (there && (rc = whole(w, k, there, &have, e)))
        goto done;
    json_object_del(want, "id");
    json_object_del(want, "access");
    json_object_del(want, "rows");
    changed = is_new || !is_so(want, have);
    id = there ? text_of(there, "id") : "";
    path = is_new ? k->path : fa_arena_printf(w->a, "%s/%s", k->path, id);
    if (!path)
        rc = fa_oom(e);
    else if (!w->dry && changed)
        rc = ask(w, is_new ? "POST" : "PUT", path, want, &answer, e);
    if (rc)
        goto done;
    if (is_new && answer)
        id = fa_arena_dupz(w->a, fa_str_of(text_of(answer, "id")));
    if (!id) {
        rc = fa_oom(e);
        goto done;
    }
    if (*id && *file_id && strcmp(id, file_id) != 0 &&
        json_object_set_new(w->ids, file_id, json_string(id)))
        rc = fa_oom(e);
    if (!rc && json_is_string(rows) && !(have && json_equal(rows, json_object_get(have, "rows")))) {
        changed = true;
        if (*id && !w->dry)
            rc = put_rows(w, id, rows, e);
    }
    if (!rc && k->acl && is_new && !access && !(access = open_access()))
        rc = fa_oom(e);
    if (!rc && k->acl && access && *id)
        rc = put_access(w, k, id, access, &changed, e);
    *done = is_new ? "made" : changed ? "changed" : NULL;
done:
    json_decref(want);
    json_decref(access);
    json_decref(rows);
    json_decref(have);
    json_decref(answer);
    return rc;
}

static void tell(work *w, const char *done, const char *noun, const char *name)
{
    if (!done)
        w->same++;
    else if (strcmp(done, "made") == 0)
        w->made++;
    else
        w->changed++;
    if (done)
        fprintf(w->io->out, "%s%s %s%s%s\n", w->dry ? "would be " : "", done, noun,
                *name ? " " : "", name);
}

/* One object that is still to be done. */
typedef struct todo {
    const struct kind *k;
    const json_t *doc;
    fa_err why;
    bool done;
} todo;

static fa_rc try_all(work *w, todo *t, size_t n, bool *moved, size_t *left, fa_err *e)
{
    json_t *entries = NULL;
    const struct kind *of = NULL;
    fa_rc rc = FA_OK;

    *moved = false;
    *left = 0;
    for (size_t i = 0; i < n && !rc; i++) {
        const char *done = NULL;

        if (t[i].done)
            continue;
        if (w->io->cancel && *w->io->cancel) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled; what was told is done");
            break;
        }
        if (of != t[i].k) { /* what is made on the way is another name, or the file has it twice */
            json_decref(entries);
            of = t[i].k;
            if ((rc = list_of(w, of, &entries, e)))
                break;
        }
        t[i].why = (fa_err){0};
        if (one(w, of, t[i].doc, entries, &done, &t[i].why) == FA_OK) {
            t[i].done = *moved = true;
            tell(w, done, of->noun, text_of(t[i].doc, "name"));
        } else {
            ++*left;
        }
    }
    json_decref(entries);
    return rc;
}

static fa_rc apply_single(work *w, const struct single *s, json_t *want, fa_err *e)
{
    json_t *have = NULL;
    bool same;
    fa_rc rc = follow(w->ids, want, 0, e);

    if (rc || (rc = single_of(w, s, &have, e)))
        return rc;
    strip(want, NULL, 0);
    same = is_so(want, have);
    if (!same && !w->dry)
        rc = ask(w, "PUT", s->path, want, NULL, e);
    json_decref(have);
    if (!rc)
        tell(w, same ? NULL : "changed", s->noun, "");
    return rc;
}

/* People of the file that are here under another id; those that are not here are named. */
static fa_rc find_people(work *w, const json_t *file, fa_err *e)
{
    json_t *all, *v, *u;
    size_t i, j;
    fa_rc rc = ask(w, "GET", "/api/admin/users", NULL, &all, e);

    if (rc)
        return rc;
    json_array_foreach(json_object_get(file, "people"), i, v)
    {
        const char *id = NULL;

        json_array_foreach(json_object_get(all, "users"), j,
                           u) if (fa_str_ieq(fa_str_of(text_of(u, "email")),
                                             fa_str_of(text_of(v, "email")))) id = text_of(u, "id");
        if (!id && json_object_set_new(w->nobody, text_of(v, "id"), json_true()))
            rc = fa_oom(e);
        if (!id)
            fprintf(w->io->err,
                    "farthing: %s is nobody here: what names this person is refused until there is "
                    "an invitation\n",
                    text_of(v, "email"));
        else if (*text_of(v, "id") &&
                 json_object_set_new(w->ids, text_of(v, "id"), json_string(id)))
            rc = fa_oom(e);
    }
    json_decref(all);
    return rc;
}

static fa_rc look_over(const json_t *file, size_t *n, fa_err *e)
{
    const char *member;
    json_t *v, *o;
    size_t i;

    *n = 0;
    if (json_integer_value(json_object_get(file, "farthingConfiguration")) != FORMAT) {
        (void)fa_fail(e, FA_EDATA,
                      "this is no configuration file: \"farthingConfiguration\" must be %d",
                      FORMAT);
        return fa_hint(e, "farthing export writes one");
    }
    json_object_foreach((json_t *)(uintptr_t)file, member, v)
    {
        bool known = strcmp(member, "farthingConfiguration") == 0 || strcmp(member, "people") == 0,
             many = strcmp(member, "people") == 0;

        for (size_t k = 0; k < FA_COUNT(kinds); k++)
            if (strcmp(member, kinds[k].member) == 0)
                known = many = true;
        for (size_t k = 0; k < FA_COUNT(singles); k++)
            if (strcmp(member, singles[k].member) == 0) {
                known = true;
                if (!json_is_object(v))
                    return fa_fail(e, FA_EDATA, "%s must be an object", member);
            }
        if (!known)
            return fa_fail(e, FA_EDATA, "\"%s\" is nothing that a configuration file has", member);
        if (many && !json_is_array(v))
            return fa_fail(e, FA_EDATA, "%s must be an array", member);
        if (!many)
            continue;
        json_array_foreach(v, i, o)
        {
            if (!json_is_object(o))
                return fa_fail(e, FA_EDATA, "%s[%zu] must be an object", member, i);
            ++*n;
        }
    }
    return FA_OK;
}

static fa_rc apply_all(work *w, const json_t *file, fa_err *e)
{
    size_t n, have = 0, left, i;
    bool moved = true;
    json_t *v;
    todo *t;
    fa_rc rc;

    if ((rc = look_over(file, &n, e)) || (rc = find_people(w, file, e)))
        return rc;
    if (!(t = fa_arena_array(w->a, n + 1, sizeof *t)))
        return fa_oom(e);
    for (size_t k = 0; k < FA_COUNT(kinds); k++)
        json_array_foreach(json_object_get(file, kinds[k].member), i, v) t[have++] =
            (todo){.k = &kinds[k], .doc = v};
    left = have;
    for (int round = 0; left && moved && round < ROUNDS_MAX; round++)
        if ((rc = try_all(w, t, have, &moved, &left, e)))
            return rc;
    for (i = 0; i < have; i++)
        if (!t[i].done) {
            fprintf(w->io->err, "farthing: %s \"%s\": %s%s%s%s%s\n", t[i].k->noun,
                    text_of(t[i].doc, "name"), t[i].why.msg, *t[i].why.field ? " (" : "",
                    t[i].why.field, *t[i].why.field ? ")" : "",
                    w->dry ? "; a dry run does not make what it may read" : "");
            w->failed++;
        }
    for (i = 0; i < FA_COUNT(singles); i++) {
        fa_err why = {0};
        const json_t *given = json_object_get(file, singles[i].member);

        if (!given)
            continue;
        if (!(v = json_deep_copy(given)))
            return fa_oom(e);
        if (apply_single(w, &singles[i], v, &why)) {
            fprintf(w->io->err, "farthing: %s: %s\n", singles[i].noun, why.msg);
            w->failed++;
        }
        json_decref(v);
    }
    return FA_OK;
}

/* ---- the commands ---- */

static fa_rc begin(work *w, fa_ledger *l, fa_arena *a, fa_cmd_io *io, fa_err *e)
{
    *w = (work){.l = l, .a = a, .io = io, .ids = json_object(), .nobody = json_object()};
    if (!w->ids || !w->nobody)
        return fa_oom(e);
    return fa_api_local_open(l, &w->api, e);
}

static void end(work *w)
{
    fa_api_local_close(w->api);
    json_decref(w->ids);
    json_decref(w->nobody);
}

int fa_cli_export(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                  fa_cmd_io *io)
{
    const char *to = NULL;
    const fa_opt opt[] = {{"out", FA_OPT_TEXT, &to, false, 0}};
    fa_arena a = {0};
    fa_err e = {0};
    char **rest = fa_arena_array(&a, (size_t)argc + 1, sizeof *rest);
    json_t *file = json_object();
    int nrest = 0, code;
    work w = {0};
    fa_rc rc;

    (void)dir;
    if (!rest || !file) {
        (void)fa_oom(&e);
        code = fa_cmd_fail(io, &e);
    } else if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)) == 0) {
        if (nrest) {
            code = fa_cmd_usage(c, io, "export takes no words; --out FILE says where to");
        } else {
            if (!(rc = begin(&w, l, &a, io, &e)) && !(rc = export_all(&w, file, &e)))
                rc = write_out(file, to ? fa_cmd_path(&a, io, to) : NULL, io->out, &e);
            code = rc ? fa_cmd_fail(io, &e) : 0;
            end(&w);
        }
    }
    json_decref(file);
    fa_arena_release(&a);
    return code;
}

static fa_rc read_in(fa_arena *a, const fa_cmd_io *io, const char *name, json_t **out, fa_err *e)
{
    const char *path = fa_cmd_path(a, io, name);
    json_error_t why;
    fa_buf b;
    fa_rc rc;

    *out = NULL;
    if (!path)
        return fa_oom(e);
    fa_buf_init(&b, FILE_MAX);
    if (!(rc = fa_file_read(path, FILE_MAX, &b, e)) &&
        !(*out = json_loadb(b.p ? b.p : "", b.n, JSON_REJECT_DUPLICATES, &why)))
        rc = fa_fail(e, FA_EDATA, "%s: line %d, column %d: %s", name, why.line, why.column,
                     why.text);
    fa_buf_release(&b);
    return rc;
}

int fa_cli_apply(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    const char *from = NULL;
    bool dry = false;
    const fa_opt opt[] = {{"dry-run", FA_OPT_FLAG, &dry, false, 0},
                          {"file", FA_OPT_TEXT, &from, false, 0}};
    fa_arena a = {0};
    fa_err e = {0};
    char **rest = fa_arena_array(&a, (size_t)argc + 1, sizeof *rest);
    json_t *file = NULL;
    int nrest = 0, code;
    work w = {0};
    fa_rc rc;

    (void)dir;
    if (!rest) {
        (void)fa_oom(&e);
        code = fa_cmd_fail(io, &e);
    } else if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)) == 0) {
        if (nrest == 2 && strcmp(rest[0], "-f") == 0)
            from = rest[1];
        else if (nrest)
            from = NULL;
        if (!from) {
            code = fa_cmd_usage(c, io, "say apply -f FILE");
        } else {
            if (!(rc = read_in(&a, io, from, &file, &e)) && !(rc = begin(&w, l, &a, io, &e))) {
                w.dry = dry;
                rc = apply_all(&w, file, &e);
            }
            if (w.ids) {
                fprintf(io->out, "%zu %s, %zu changed, %zu as they were", w.made,
                        dry ? "to be made" : "made", w.changed, w.same);
                fprintf(io->out, w.failed ? ", %zu refused\n" : "\n", w.failed);
            }
            if (!rc && fflush(io->out) != 0)
                rc = fa_fail(&e, FA_EENV, "could not write to standard output");
            code = rc ? fa_cmd_fail(io, &e) : w.failed ? 1 : 0;
            end(&w);
        }
    }
    json_decref(file);
    fa_arena_release(&a);
    return code;
}
