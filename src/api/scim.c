/*
 * scim.c - SCIM 2.0 (RFC 7643, 7644): users and groups as an identity provider sees and changes them.
 *
 * A resource is JSON throughout: it is built from the store, judged by filters, changed by a PATCH, and taken back
 * field by field; what is not known here is not kept. An error's field is its scimType; http/ writes its shape.
 */
#include "api/sso.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define USER "urn:ietf:params:scim:schemas:core:2.0:User"
#define GROUP "urn:ietf:params:scim:schemas:core:2.0:Group"
#define TYPE "application/scim+json"
enum { COUNT_MAX = 200, COUNT_STANDARD = 100, MEMBERS_MAX = 10000 };

static fa_rc wrong(fa_err *e, const char *word, const char *why)
{
    fa_fail(e, FA_EINVAL, "%s", why);
    return fa_at(e, word);
}

static void decref(void *j)
{
    json_decref(j);
}

/* The request's own: dies with it. */
static fa_rc keep(fa_req *r, json_t *j, fa_err *e)
{
    if (j && fa_arena_defer(r->mem, decref, j))
        return FA_OK;
    json_decref(j);
    return fa_oom(e);
}

static json_t *text(fa_str s)
{
    return json_stringn(s.n ? s.p : "", s.n);
}

static json_t *time_text(int64_t ms)
{
    fa_buf b = {0};
    json_t *j;

    fa_time_iso(&b, ms);
    j = text(fa_buf_view(&b));
    fa_buf_release(&b);
    return j;
}

/* ---- answers ---- */

static fa_rc put(fa_req *r, fa_res *o, int status, json_t *j, fa_err *e)
{
    char *z = json_dumps(j, JSON_COMPACT);

    (void)r;
    if (!z)
        return fa_oom(e);
    fa_buf_z(&o->body, z);
    free(z);
    o->status = status;
    o->type = TYPE;
    return FA_OK;
}

/* The content's own mark, before its meta is in it. */
static void version_of(const json_t *resource, char out[40])
{
    char *z = json_dumps(resource, JSON_COMPACT | JSON_SORT_KEYS), hex[33] = "";
    unsigned char h[16];

    if (z) {
        crypto_generichash(h, sizeof h, (const unsigned char *)z, strlen(z), NULL, 0);
        fa_hex(hex, h, sizeof h);
    }
    free(z);
    snprintf(out, 40, "W/\"%s\"", hex);
}

static fa_rc add_meta(fa_req *r, json_t *resource, const char *kind, fa_str id, int64_t created_ms,
                      int64_t changed_ms, fa_err *e)
{
    fa_str at = sso_url(r, "/scim/v2/%ss/%.*s", kind, FA_FMT(id));
    char version[40];
    json_t *meta;

    version_of(resource, version);
    meta = json_pack("{s:s, s:o, s:o, s:s, s:o}", "resourceType", kind, "created",
                     time_text(created_ms), "lastModified", time_text(changed_ms), "version",
                     version, "location", text(at));
    return !meta || json_object_set_new(resource, "meta", meta) ? fa_oom(e) : FA_OK;
}

static const char *version_in(const json_t *resource)
{
    return json_string_value(json_object_get(json_object_get(resource, "meta"), "version"));
}

/* If-Match of a change: another state than the client knows is 412. */
static bool is_stale(fa_req *r, fa_res *o, const json_t *resource)
{
    fa_str want = fa_req_header(r, "If-Match");

    if (!want.n || fa_str_eqz(want, "*") || fa_str_eqz(want, version_in(resource)))
        return false;
    fa_buf_z(&o->body, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":"
                       "\"412\",\"detail\":\"the resource has changed since\"}");
    o->status = 412;
    o->type = TYPE;
    return true;
}

static fa_rc put_resource(fa_req *r, fa_res *o, int status, json_t *resource, fa_err *e)
{
    const char *version = version_in(resource);
    fa_rc rc = fa_res_header(r, o, "ETag", version, e);

    if (rc)
        return rc;
    if (status == 200 && fa_str_eqz(r->method, "GET") &&
        fa_str_eqz(fa_req_header(r, "If-None-Match"), version)) {
        o->status = 304;
        o->type = TYPE;
        return FA_OK;
    }
    if (status == 201 &&
        (rc = fa_res_header(
             r, o, "Location",
             json_string_value(json_object_get(json_object_get(resource, "meta"), "location")), e)))
        return rc;
    return put(r, o, status, resource, e);
}

/* ?attributes= and ?excludedAttributes=, at the top level; id, schemas and meta always come. */
static bool named(fa_str list, const char *key)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        fa_str one = {list.p, comma ? (size_t)(comma - list.p) : list.n};
        const char *dot;

        list = comma ? (fa_str){comma + 1, list.n - one.n - 1} : (fa_str){0};
        one = fa_str_trim(one);
        if ((dot = one.n ? memchr(one.p, '.', one.n) : NULL) && !fa_str_starts(one, FA_STR("urn:")))
            one.n = (size_t)(dot - one.p);
        for (size_t i = one.n; i > 0; i--)
            if (one.p[i - 1] == ':') {
                one = (fa_str){one.p + i, one.n - i};
                break;
            }
        if (fa_str_ieq(one, fa_str_of(key)))
            return true;
    }
    return false;
}

static void trim_attributes(fa_req *r, json_t *resource)
{
    fa_str only = fa_req_query(r, "attributes"), without = fa_req_query(r, "excludedAttributes");
    const char *key;
    json_t *v;
    void *next;

    if (!only.n && !without.n)
        return;
    json_object_foreach_safe(resource, next, key, v)
    {
        if (strcmp(key, "id") == 0 || strcmp(key, "schemas") == 0 || strcmp(key, "meta") == 0)
            continue;
        if (only.n ? !named(only, key) : named(without, key))
            json_object_del(resource, key);
    }
}

/* ---- what there is, read once for a request ---- */

typedef struct world {
    fa_user *user;
    fa_team *team;
    fa_team_member *member;
    fa_scim_ref *ref;
    size_t nuser, nteam, nmember, nref;
} world;

static fa_rc read_world(fa_req *r, bool users, bool teams, const char *kind, world *w, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str account = r->caller->account;
    fa_rc rc = FA_OK;

    *w = (world){0};
    if (users)
        rc = fa_user_list(s, r->mem, account, &w->user, &w->nuser, e);
    if (!rc && teams)
        rc = fa_team_list(s, r->mem, account, &w->team, &w->nteam, e);
    if (!rc && teams)
        rc = fa_team_members(s, r->mem, account, &w->member, &w->nmember, e);
    return rc ? rc : fa_scim_ref_list(s, r->mem, account, fa_str_of(kind), &w->ref, &w->nref, e);
}

static int by_id(const void *key, const void *item)
{
    return fa_str_cmp(*(const fa_str *)key, ((const fa_scim_ref *)item)->id);
}

static const fa_scim_ref *ref_of(const world *w, fa_str id)
{
    return w->nref ? bsearch(&id, w->ref, w->nref, sizeof *w->ref, by_id) : NULL;
}

/* ---- users ---- */

/* "Ann Mary Quay": given "Ann Mary", family "Quay". */
static void split_name(fa_str name, fa_str *given, fa_str *family)
{
    size_t at = name.n;

    while (at && name.p[at - 1] != ' ')
        at--;
    *given = fa_str_trim((fa_str){name.p, at ? at - 1 : name.n});
    *family = at ? (fa_str){name.p + at, name.n - at} : FA_STR("");
}

static fa_rc put_groups_of(const world *w, const fa_user *u, json_t *out, fa_err *e)
{
    json_t *list = json_array();

    if (!list || json_object_set_new(out, "groups", list))
        return fa_oom(e);
    for (size_t i = 0; i < w->nteam; i++)
        for (size_t k = 0; k < w->nmember; k++) {
            if (!fa_str_eq(w->member[k].team_id, w->team[i].id) ||
                !fa_str_eq(w->member[k].user_id, u->id))
                continue;
            if (json_array_append_new(list, json_pack("{s:o, s:o}", "value", text(w->team[i].id),
                                                      "display", text(w->team[i].name))))
                return fa_oom(e);
            break;
        }
    return FA_OK;
}

static fa_rc user_resource(fa_req *r, const world *w, const fa_user *u, bool groups, json_t **out,
                           fa_err *e)
{
    const fa_scim_ref *ref = ref_of(w, u->id);
    fa_str given, family;
    json_t *j;
    fa_rc rc;

    split_name(u->name, &given, &family);
    j = json_pack("{s:[s], s:o, s:o, s:o, s:{s:o, s:o, s:o}, s:b, s:[{s:o, s:s, s:b}]}", "schemas",
                  USER, "id", text(u->id), "userName", text(u->email), "displayName", text(u->name),
                  "name", "formatted", text(u->name), "givenName", text(given), "familyName",
                  text(family), "active",
                  fa_str_eqz(u->state, "active") || fa_str_eqz(u->state, "invited"), "emails",
                  "value", text(u->email), "type", "work", "primary", 1);
    if ((rc = keep(r, j, e)))
        return rc;
    if (ref && ref->external_id.n && json_object_set_new(j, "externalId", text(ref->external_id)))
        return fa_oom(e);
    if (u->phone.n &&
        json_object_set_new(j, "phoneNumbers",
                            json_pack("[{s:o, s:s}]", "value", text(u->phone), "type", "work")))
        return fa_oom(e);
    if (groups && (rc = put_groups_of(w, u, j, e)))
        return rc;
    *out = j;
    return add_meta(r, j, "User", u->id, u->created_ms, ref ? ref->updated_ms : u->created_ms, e);
}

static fa_str text_at(const json_t *o, const char *name)
{
    const json_t *v = fa_scim_member(o, fa_str_of(name));

    return json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");
}

static fa_rc both_names(fa_req *r, const json_t *doc, fa_str *out, fa_err *e)
{
    const json_t *name = fa_scim_member(doc, FA_STR("name"));
    fa_str given = text_at(name, "givenName"), family = text_at(name, "familyName");
    const char *z = fa_arena_printf(r->mem, "%.*s%s%.*s", FA_FMT(given),
                                    given.n && family.n ? " " : "", FA_FMT(family));

    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

/* One name of the several SCIM has: the one that was changed, else the first that is there. */
static fa_rc name_of(fa_req *r, const json_t *doc, const json_t *was, fa_str *out, fa_err *e)
{
    fa_str display = text_at(doc, "displayName"),
           formatted = text_at(fa_scim_member(doc, FA_STR("name")), "formatted"), both, before;
    fa_rc rc;

    if ((rc = both_names(r, doc, &both, e)) || (rc = both_names(r, was, &before, e)))
        return rc;
    if (was && fa_str_eq(display, text_at(was, "displayName"))) {
        if (!fa_str_eq(formatted, text_at(fa_scim_member(was, FA_STR("name")), "formatted")))
            display = formatted;
        else if (!fa_str_eq(both, before))
            display = both;
    }
    *out = display.n ? display : formatted.n ? formatted : both;
    return FA_OK;
}

static fa_rc flag_of(const json_t *doc, bool absent, bool *out, fa_err *e)
{
    const json_t *v = fa_scim_member(doc, FA_STR("active"));
    fa_str s = {json_string_value(v), json_string_length(v)};

    *out = absent;
    if (!v || json_is_null(v))
        return FA_OK;
    *out = json_is_true(v) || (json_is_string(v) && fa_str_ieq(s, FA_STR("true")));
    return json_is_boolean(v) || *out || (json_is_string(v) && fa_str_ieq(s, FA_STR("false")))
               ? FA_OK
               : wrong(e, "invalidValue", "active must be true or false");
}

static fa_rc take_user(fa_req *r, const json_t *doc, const json_t *was, fa_scim_user *v, fa_err *e)
{
    const json_t *user_name = fa_scim_member(doc, FA_STR("userName")),
                 *external = fa_scim_member(doc, FA_STR("externalId"));
    bool active = !was || json_is_true(json_object_get(was, "active"));
    fa_rc rc;

    if (!json_is_object(doc))
        return wrong(e, "invalidSyntax", "the body must be a JSON object");
    if (!json_is_string(user_name))
        return wrong(e, "invalidValue", "userName is missing");
    if (external && !json_is_string(external) && !json_is_null(external))
        return wrong(e, "invalidValue", "externalId must be a text");
    v->user_name = text_at(doc, "userName");
    v->external_id = text_at(doc, "externalId");
    v->phone = text_at(json_array_get(fa_scim_member(doc, FA_STR("phoneNumbers")), 0), "value");
    if ((rc = name_of(r, doc, was, &v->name, e)))
        return rc;
    return flag_of(doc, active, &v->active, e);
}

static fa_rc one_user(fa_req *r, fa_str id, world *w, json_t **out, fa_err *e)
{
    fa_user u;
    fa_rc rc = read_world(r, false, true, "user", w, e);

    if (rc)
        return rc;
    rc = fa_user_by_id(fa_ledger_store(r->ledger), r->mem, r->caller->account, id, &u, e);
    return rc ? rc : user_resource(r, w, &u, true, out, e);
}

static fa_rc answer_user(fa_req *r, fa_res *o, int status, fa_str id, fa_err *e)
{
    json_t *j;
    world w;
    fa_rc rc = one_user(r, id, &w, &j, e);

    if (rc)
        return rc;
    trim_attributes(r, j);
    return put_resource(r, o, status, j, e);
}

fa_rc api_scim_user_get(fa_req *r, fa_res *o, fa_err *e)
{
    return answer_user(r, o, 200, r->arg[0], e);
}

fa_rc api_scim_user_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_scim_user v = {.id = FA_STR("")};
    fa_rc rc;

    if ((rc = take_user(r, r->json, NULL, &v, e)) ||
        (rc = fa_scim_user_save(r->ledger, r->mem, r->caller, &v, e)))
        return rc;
    return answer_user(r, o, 201, v.id, e);
}

static fa_rc save_user(fa_req *r, fa_res *o, bool patch, fa_err *e)
{
    fa_scim_user v = {.id = r->arg[0]};
    json_t *was, *doc = r->json;
    world w;
    fa_rc rc = one_user(r, r->arg[0], &w, &was, e);

    if (rc || is_stale(r, o, was))
        return rc;
    if (patch && ((rc = keep(r, doc = json_deep_copy(was), e)) ||
                  (rc = fa_scim_patch(r->mem, doc, r->json, e))))
        return rc;
    if ((rc = take_user(r, doc, was, &v, e)) ||
        (rc = fa_scim_user_save(r->ledger, r->mem, r->caller, &v, e)))
        return rc;
    return answer_user(r, o, 200, v.id, e);
}

fa_rc api_scim_user_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save_user(r, o, false, e);
}

fa_rc api_scim_user_patch(fa_req *r, fa_res *o, fa_err *e)
{
    return save_user(r, o, true, e);
}

fa_rc api_scim_user_delete(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *was;
    world w;
    fa_rc rc = one_user(r, r->arg[0], &w, &was, e);

    if (rc || is_stale(r, o, was))
        return rc;
    o->status = 204;
    return fa_scim_user_remove(r->ledger, r->mem, r->caller, r->arg[0], e);
}

/* ---- groups ---- */

static bool is_member(const world *w, const fa_team *t, size_t k)
{
    if (!fa_str_eq(w->member[k].team_id, t->id))
        return false;
    if (fa_str_eqz(t->managed_by, "scim2"))
        return fa_str_eqz(w->member[k].source, "scim");
    for (size_t i = 0; i < k; i++) /* once, whatever made somebody a member */
        if (fa_str_eq(w->member[i].team_id, t->id) &&
            fa_str_eq(w->member[i].user_id, w->member[k].user_id))
            return false;
    return true;
}

static fa_rc group_resource(fa_req *r, const world *w, const fa_team *t, bool members, json_t **out,
                            fa_err *e)
{
    const fa_scim_ref *ref = ref_of(w, t->id);
    json_t *list = json_array(), *j;
    fa_rc rc;

    j = json_pack("{s:[s], s:o, s:o, s:o}", "schemas", GROUP, "id", text(t->id), "displayName",
                  text(t->name), "members", list);
    if ((rc = keep(r, j, e)))
        return rc;
    if (ref && ref->external_id.n && json_object_set_new(j, "externalId", text(ref->external_id)))
        return fa_oom(e);
    for (size_t k = 0; members && k < w->nmember; k++) {
        if (!is_member(w, t, k))
            continue;
        if (json_array_append_new(
                list,
                json_pack("{s:o, s:s, s:o}", "value", text(w->member[k].user_id), "type", "User",
                          "$ref",
                          text(sso_url(r, "/scim/v2/Users/%.*s", FA_FMT(w->member[k].user_id))))))
            return fa_oom(e);
    }
    *out = j;
    return add_meta(r, j, "Group", t->id, t->created_ms, ref ? ref->updated_ms : t->updated_ms, e);
}

static fa_rc one_group(fa_req *r, fa_str id, world *w, json_t **out, fa_err *e)
{
    fa_rc rc = read_world(r, false, true, "group", w, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < w->nteam; i++)
        if (fa_str_eq(w->team[i].id, id))
            return group_resource(r, w, &w->team[i], true, out, e);
    return fa_fail(e, FA_ENOTFOUND, "no such group");
}

static fa_rc take_group(fa_req *r, const json_t *doc, fa_scim_group *v, fa_err *e)
{
    const json_t *members = fa_scim_member(doc, FA_STR("members")), *m;
    fa_str *list;
    size_t i;

    if (!json_is_object(doc))
        return wrong(e, "invalidSyntax", "the body must be a JSON object");
    v->display_name = text_at(doc, "displayName");
    v->external_id = text_at(doc, "externalId");
    if (members && !json_is_array(members) && !json_is_null(members))
        return wrong(e, "invalidValue", "members must be an array");
    if (json_array_size(members) > MEMBERS_MAX)
        return wrong(e, "tooMany", "more than 10,000 members");
    if (!(list = fa_arena_array(r->mem, json_array_size(members) + 1, sizeof *list)))
        return fa_oom(e);
    json_array_foreach(members, i, m)
    {
        fa_str id = text_at(m, "value"), type = text_at(m, "type");

        if (!id.n || (type.n && !fa_str_ieq(type, FA_STR("User"))))
            return wrong(e, "invalidValue", "a member is the id of a user; groups hold no groups");
        list[v->nmember++] = id;
    }
    v->member = list;
    return FA_OK;
}

static fa_rc answer_group(fa_req *r, fa_res *o, int status, fa_str id, fa_err *e)
{
    json_t *j;
    world w;
    fa_rc rc = one_group(r, id, &w, &j, e);

    if (rc)
        return rc;
    trim_attributes(r, j);
    return put_resource(r, o, status, j, e);
}

fa_rc api_scim_group_get(fa_req *r, fa_res *o, fa_err *e)
{
    return answer_group(r, o, 200, r->arg[0], e);
}

fa_rc api_scim_group_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_scim_group v = {.id = FA_STR("")};
    fa_rc rc;

    if ((rc = take_group(r, r->json, &v, e)) ||
        (rc = fa_scim_group_save(r->ledger, r->mem, r->caller, &v, e)))
        return rc;
    return answer_group(r, o, 201, v.id, e);
}

static fa_rc save_group(fa_req *r, fa_res *o, bool patch, fa_err *e)
{
    fa_scim_group v = {.id = r->arg[0]};
    json_t *was, *doc = r->json;
    world w;
    fa_rc rc = one_group(r, r->arg[0], &w, &was, e);

    if (rc || is_stale(r, o, was))
        return rc;
    if (patch && ((rc = keep(r, doc = json_deep_copy(was), e)) ||
                  (rc = fa_scim_patch(r->mem, doc, r->json, e))))
        return rc;
    if ((rc = take_group(r, doc, &v, e)) ||
        (rc = fa_scim_group_save(r->ledger, r->mem, r->caller, &v, e)))
        return rc;
    return answer_group(r, o, 200, v.id, e);
}

fa_rc api_scim_group_put(fa_req *r, fa_res *o, fa_err *e)
{
    return save_group(r, o, false, e);
}

fa_rc api_scim_group_patch(fa_req *r, fa_res *o, fa_err *e)
{
    return save_group(r, o, true, e);
}

fa_rc api_scim_group_delete(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *was;
    world w;
    fa_rc rc = one_group(r, r->arg[0], &w, &was, e);

    if (rc || is_stale(r, o, was))
        return rc;
    o->status = 204;
    return fa_scim_group_remove(r->ledger, r->mem, r->caller, r->arg[0], e);
}

/* ---- lists ---- */

typedef struct listing {
    const fa_scim_filter *filter; /* NULL: all */
    int64_t start, count, total;
    json_t *found;
} listing;

static fa_rc begin_list(fa_req *r, listing *l, fa_err *e)
{
    fa_str filter = fa_req_query(r, "filter");
    fa_rc rc;

    *l = (listing){.found = json_array()};
    /* RFC 7644 3.4.2.4: less than one is one, a negative count is none */
    if ((rc = keep(r, l->found, e)) ||
        (rc = in_query_int(r, "startIndex", 0, INT64_C(1000000000), 1, &l->start, e)) ||
        (rc = in_query_int(r, "count", 0, INT64_C(1000000000), COUNT_STANDARD, &l->count, e)))
        return rc == FA_EINVAL ? fa_at(e, "invalidValue") : rc;
    if (l->start < 1)
        l->start = 1;
    if (l->count > COUNT_MAX)
        l->count = COUNT_MAX;
    return filter.n ? fa_scim_filter_parse(r->mem, filter, &l->filter, e) : FA_OK;
}

static bool in_window(const listing *l)
{
    return l->total + 1 >= l->start && l->total + 1 < l->start + l->count;
}

static fa_rc found(fa_req *r, listing *l, json_t *resource, fa_err *e)
{
    bool inside = in_window(l);

    l->total++;
    if (!inside)
        return FA_OK;
    trim_attributes(r, resource);
    return json_array_append(l->found, resource) ? fa_oom(e) : FA_OK;
}

static fa_rc end_list(fa_req *r, fa_res *o, const listing *l, fa_err *e)
{
    json_t *j = json_pack("{s:[s], s:I, s:I, s:I, s:O}", "schemas",
                          "urn:ietf:params:scim:api:messages:2.0:ListResponse", "totalResults",
                          (json_int_t)l->total, "startIndex", (json_int_t)l->start, "itemsPerPage",
                          (json_int_t)json_array_size(l->found), "Resources", l->found);
    fa_rc rc = keep(r, j, e);

    return rc ? rc : put(r, o, 200, j, e);
}

fa_rc api_scim_users(fa_req *r, fa_res *o, fa_err *e)
{
    bool groups;
    fa_str name = {0};
    listing l;
    world w;
    fa_rc rc = begin_list(r, &l, e);

    if (rc || (rc = read_world(r, true, true, "user", &w, e)))
        return rc;
    groups = !l.filter || fa_scim_filter_names(l.filter, FA_STR("groups"));
    if (l.filter)
        fa_scim_filter_is_eq(l.filter, FA_STR("userName"), &name);
    for (size_t i = 0; !rc && i < w.nuser; i++) {
        json_t *j;

        /* what is asked for most is answered without building everybody */
        if (name.n && !fa_str_ieq(name, w.user[i].email))
            continue;
        if (!l.filter && !in_window(&l)) {
            l.total++;
            continue;
        }
        if ((rc = user_resource(r, &w, &w.user[i], groups, &j, e)))
            return rc;
        if (l.filter && !fa_scim_filter_holds(l.filter, j))
            continue;
        if (!groups && in_window(&l) && (rc = put_groups_of(&w, &w.user[i], j, e)))
            return rc;
        rc = found(r, &l, j, e);
    }
    return rc ? rc : end_list(r, o, &l, e);
}

fa_rc api_scim_groups(fa_req *r, fa_res *o, fa_err *e)
{
    listing l;
    world w;
    fa_rc rc = begin_list(r, &l, e);

    if (rc || (rc = read_world(r, false, true, "group", &w, e)))
        return rc;
    for (size_t i = 0; !rc && i < w.nteam; i++) {
        json_t *j;

        if (!l.filter && !in_window(&l)) {
            l.total++;
            continue;
        }
        if ((rc = group_resource(r, &w, &w.team[i], true, &j, e)))
            return rc;
        if (!l.filter || fa_scim_filter_holds(l.filter, j))
            rc = found(r, &l, j, e);
    }
    return rc ? rc : end_list(r, o, &l, e);
}

/* ---- what this server can ---- */

fa_rc api_scim_config(fa_req *r, fa_res *o, fa_err *e)
{
    json_t *j =
        json_pack("{s:[s], s:{s:b}, s:{s:b, s:i, s:i}, s:{s:b, s:i}, s:{s:b}, s:{s:b}, s:{s:b}, "
                  "s:[{s:s, s:s, s:s, s:b}], s:{s:s, s:o}}",
                  "schemas", "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig", "patch",
                  "supported", 1, "bulk", "supported", 0, "maxOperations", 0, "maxPayloadSize", 0,
                  "filter", "supported", 1, "maxResults", COUNT_MAX, "changePassword", "supported",
                  0, "sort", "supported", 0, "etag", "supported", 1, "authenticationSchemes",
                  "type", "oauthbearertoken", "name", "Bearer token", "description",
                  "A key that an administrator makes under Administration, Single sign-on",
                  "primary", 1, "meta", "resourceType", "ServiceProviderConfig", "location",
                  text(sso_url(r, "/scim/v2/ServiceProviderConfig")));
    fa_rc rc = keep(r, j, e);

    return rc ? rc : put(r, o, 200, j, e);
}

/* A document, or the one of a list whose id was asked for. */
static fa_rc put_one_of(fa_req *r, fa_res *o, json_t *list, fa_err *e)
{
    listing l = {.start = 1, .found = list, .total = (int64_t)json_array_size(list)};
    json_t *v;
    size_t i;
    fa_rc rc = keep(r, list, e);

    if (rc)
        return rc;
    if (!r->arg[0].n)
        return end_list(r, o, &l, e);
    json_array_foreach(list, i, v)
    {
        if (fa_str_eqz(r->arg[0], json_string_value(json_object_get(v, "id"))))
            return put(r, o, 200, v, e);
    }
    return fa_fail(e, FA_ENOTFOUND, "there is no such document");
}

fa_rc api_scim_types(fa_req *r, fa_res *o, fa_err *e)
{
    static const char *const type[] = {"User", "Group"}, *const schema[] = {USER, GROUP};
    json_t *list = json_array();

    for (size_t i = 0; list && i < FA_COUNT(type); i++)
        json_array_append_new(
            list, json_pack("{s:[s], s:s, s:s, s:o, s:s, s:{s:s, s:o}}", "schemas",
                            "urn:ietf:params:scim:schemas:core:2.0:ResourceType", "id", type[i],
                            "name", type[i], "endpoint", json_sprintf("/%ss", type[i]), "schema",
                            schema[i], "meta", "resourceType", "ResourceType", "location",
                            text(sso_url(r, "/scim/v2/ResourceTypes/%s", type[i]))));
    return put_one_of(r, o, list, e);
}

/* Attributes as one row each. parent: the complex attribute it is part of. */
static const struct attribute {
    const char *schema, *parent, *name, *type, *mutability, *uniqueness;
    bool many, required, same_case;
} attributes[] = {
    {USER, NULL, "userName", "string", "readWrite", "server", false, true, false},
    {USER, NULL, "displayName", "string", "readWrite", "none", false, false, false},
    {USER, NULL, "name", "complex", "readWrite", "none", false, false, false},
    {USER, "name", "formatted", "string", "readWrite", "none", false, false, false},
    {USER, "name", "givenName", "string", "readWrite", "none", false, false, false},
    {USER, "name", "familyName", "string", "readWrite", "none", false, false, false},
    {USER, NULL, "active", "boolean", "readWrite", "none", false, false, false},
    {USER, NULL, "emails", "complex", "readOnly", "none", true, false, false},
    {USER, "emails", "value", "string", "readOnly", "none", false, false, false},
    {USER, "emails", "type", "string", "readOnly", "none", false, false, false},
    {USER, "emails", "primary", "boolean", "readOnly", "none", false, false, false},
    {USER, NULL, "phoneNumbers", "complex", "readWrite", "none", true, false, false},
    {USER, "phoneNumbers", "value", "string", "readWrite", "none", false, false, false},
    {USER, "phoneNumbers", "type", "string", "readWrite", "none", false, false, false},
    {USER, NULL, "groups", "complex", "readOnly", "none", true, false, false},
    {USER, "groups", "value", "string", "readOnly", "none", false, false, true},
    {USER, "groups", "display", "string", "readOnly", "none", false, false, false},
    {GROUP, NULL, "displayName", "string", "readWrite", "server", false, true, false},
    {GROUP, NULL, "members", "complex", "readWrite", "none", true, false, false},
    {GROUP, "members", "value", "string", "immutable", "none", false, false, true},
    {GROUP, "members", "type", "string", "immutable", "none", false, false, false},
    {GROUP, "members", "$ref", "reference", "immutable", "none", false, false, true},
};

static json_t *attributes_of(const char *schema, const char *parent)
{
    json_t *list = json_array();

    for (size_t i = 0; list && i < FA_COUNT(attributes); i++) {
        const struct attribute *t = &attributes[i];
        json_t *j;

        if (strcmp(t->schema, schema) != 0 ||
            (parent ? !t->parent || strcmp(t->parent, parent) != 0 : t->parent != NULL))
            continue;
        j = json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s}", "name", t->name, "type", t->type,
                      "multiValued", t->many, "required", t->required, "caseExact", t->same_case,
                      "mutability", t->mutability, "returned", "default", "uniqueness",
                      t->uniqueness);
        if (strcmp(t->type, "complex") == 0)
            json_object_set_new(j, "subAttributes", attributes_of(schema, t->name));
        json_array_append_new(list, j);
    }
    return list;
}

fa_rc api_scim_schemas(fa_req *r, fa_res *o, fa_err *e)
{
    static const char *const id[] = {USER, GROUP}, *const name[] = {"User", "Group"};
    json_t *list = json_array();

    for (size_t i = 0; list && i < FA_COUNT(id); i++)
        json_array_append_new(list,
                              json_pack("{s:[s], s:s, s:s, s:o, s:{s:s, s:o}}", "schemas",
                                        "urn:ietf:params:scim:schemas:core:2.0:Schema", "id", id[i],
                                        "name", name[i], "attributes", attributes_of(id[i], NULL),
                                        "meta", "resourceType", "Schema", "location",
                                        text(sso_url(r, "/scim/v2/Schemas/%s", id[i]))));
    return put_one_of(r, o, list, e);
}

/* ---- the administrator's side ---- */

fa_rc api_scim_clients(fa_req *r, fa_res *o, fa_err *e)
{
    fa_scim_client *v;
    size_t n;
    fa_jw w;
    fa_rc rc =
        fa_scim_client_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &v, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "address", sso_url(r, "/scim/v2"));
    fa_jw_key(&w, "clients");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "id", v[i].id);
        put_str(&w, "name", v[i].name);
        put_str(&w, "createdBy", v[i].created_by);
        put_time(&w, "createdAt", v[i].created_ms);
        put_time(&w, "lastUsedAt", v[i].used_ms);
        put_time(&w, "oldKeyUntil", v[i].old_until_ms > fa_now_ms() ? v[i].old_until_ms : -1);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

static void put_key(fa_res *o, fa_str id, fa_str secret)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", id);
    put_str(&w, "key", secret);
    fa_jw_end_obj(&w);
}

fa_rc api_scim_client_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name, id, secret;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", true, &name, e)) ||
        (rc = fa_scim_client_make(r->ledger, r->mem, r->caller, name, &id, &secret, e)))
        return rc;
    o->status = 201;
    put_key(o, id, secret);
    return FA_OK;
}

fa_rc api_scim_client_rotate(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str secret;
    fa_rc rc = fa_scim_client_turn(r->ledger, r->mem, r->caller, r->arg[0], &secret, e);

    if (!rc)
        put_key(o, r->arg[0], secret);
    return rc;
}

fa_rc api_scim_client_delete(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_scim_client_end(r->ledger, r->mem, r->caller, r->arg[0], e);
}
