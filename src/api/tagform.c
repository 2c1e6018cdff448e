/*
 * tagform.c - virtual tags in the spellings of V1, V2, the internal routes and the page (api.md 5.4, 6, 7.5, 8.3, 9.7).
 *
 * The one idea: a document is stored with every key in V2 spelling, found in the bill when it was
 * saved. Operators and values stay as given. What goes out is spelled for who asks.
 */
#include "api/tags.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_DEPTH = 32, MAX_LEAVES = 1000, PATH_SIZE = 160 };

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

static fa_str member(const json_t *o, const char *name)
{
    return text_of(json_object_get(o, name));
}

static fa_api api_of(tag_form f)
{
    static const fa_api api[] = {[FORM_V1] = FA_API_V1,
                                 [FORM_V2] = FA_API_V2,
                                 [FORM_INTERNAL] = FA_API_INTERNAL,
                                 [FORM_PAGE] = FA_API_V2};

    return api[f];
}

fa_rc tag_ctx_get(fa_req *r, tag_ctx *x, fa_err *e)
{
    *x = (tag_ctx){0};
    if (fa_catalog_get(r->ledger, &x->c, e) || fa_tags_live(r->ledger, &x->set, e)) {
        tag_ctx_put(x);
        return e->rc;
    }
    return FA_OK;
}

void tag_ctx_put(tag_ctx *x)
{
    fa_catalog_put(x->c);
    fa_tag_set_put(x->set);
    *x = (tag_ctx){0};
}

fa_rc tag_fail(tag_form form, fa_rc rc, fa_err *e)
{
    if ((form == FORM_V1 || form == FORM_INTERNAL) && (rc == FA_EDATA || rc == FA_ECONFLICT))
        rc = FA_EINVAL;
    else if (form == FORM_V2 && rc == FA_ECONFLICT)
        rc = FA_EDATA;
    if (rc)
        e->rc = rc;
    return rc;
}

/* ---- in ---- */

typedef struct reader {
    fa_req *r;
    tag_form form;
    const tag_ctx *x;
    size_t leaves;
    fa_err *e;
} reader;

FA_PRINTF(4, 5)
static fa_rc fail_at(reader *p, fa_rc rc, const char *path, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)fa_fail(p->e, rc, "%s %s", path, text);
    return fa_at(p->e, path);
}

static bool is_virtual(const json_t *o)
{
    fa_str center = member(o, "costCenter");

    return fa_str_ieq(center, FA_STR("virtualTag")) || fa_str_ieq(center, FA_STR("Virtual Tags")) ||
           (!center.n && fa_str_eqz(member(o, "type"), "virtual_tag"));
}

static json_t *json_str(fa_str s)
{
    return json_stringn(s.n ? s.p : "", s.n);
}

/* {costCenter,key,type} of a key in the spelling we keep; new. */
static json_t *kept_key(fa_str center, fa_str key, const char *type)
{
    return json_pack("{s:o,s:o,s:s}", "costCenter", json_str(center), "key", json_str(key), "type",
                     type);
}

static fa_rc virtual_key(reader *p, const json_t *o, const char *path, json_t **out)
{
    char at[PATH_SIZE];

    snprintf(at, sizeof at, "%s.key", path);
    if (!member(o, "key").n)
        return fail_at(p, FA_EINVAL, at, "%s",
                       json_object_get(o, "key") ? "must be the id of a virtual tag"
                                                 : "is missing");
    *out = kept_key(FA_STR("virtualTag"), member(o, "key"), "virtual_tag");
    return *out ? FA_OK : fa_oom(p->e);
}

/* A key as a value or a source, found in the bill. */
static fa_rc read_key(reader *p, const json_t *o, const char *path, json_t **out)
{
    static const char *const names[] = {"costCenter", "key", "type"};
    const fa_key *k;
    char at[PATH_SIZE];
    fa_rc rc;

    *out = NULL;
    if (!json_is_object(o))
        return fail_at(p, FA_EINVAL, path,
                       o ? "must be a key: {costCenter, key, type}" : "is missing");
    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (json_object_get(o, names[i]) && !json_is_string(json_object_get(o, names[i])) &&
            !json_is_null(json_object_get(o, names[i]))) {
            snprintf(at, sizeof at, "%s.%s", path, names[i]);
            return fail_at(p, FA_EINVAL, at, "must be a text");
        }
    if (is_virtual(o) || (!member(o, "costCenter").n && fa_uuid_valid(member(o, "key"))))
        return virtual_key(p, o, path, out);
    rc = fa_catalog_find(p->x->c, p->r->mem, api_of(p->form), member(o, "costCenter"),
                         member(o, "key"), member(o, "type"), &k, p->e);
    if (rc) {
        if (rc == FA_EINVAL && strcmp(p->e->field, "type") != 0)
            p->e->rc = FA_EDATA; /* well-formed, and leads nowhere */
        snprintf(at, sizeof at, "%.120s%s%.30s", path, *p->e->field ? "." : "", p->e->field);
        return fa_at(p->e, at);
    }
    *out = kept_key(k->cost_center, k->key, fa_key_type_name(k->type, FA_API_V2));
    return *out ? FA_OK : fa_oom(p->e);
}

/* A condition: proved as every filter is. That of a virtual tag is proved with a key that exists; the tag is looked
 * for when the set is made. */
static fa_rc read_leaf(reader *p, const json_t *f, const char *path, json_t **out)
{
    bool on_tag = is_virtual(f);
    json_t *probe = json_copy((json_t *)(uintptr_t)f), *key = NULL, *leaf = NULL;
    const fa_filter *parsed;
    fa_rc rc = FA_OK;

    if (probe && on_tag) {
        json_object_set_new(probe, "costCenter", json_string("Global"));
        if (json_object_get(probe, "key"))
            json_object_set_new(probe, "key", json_string("provider"));
        json_object_set_new(probe, "type", json_string("billing_dimension"));
    }
    if (!probe)
        rc = fa_oom(p->e);
    else
        rc = fa_filter_parse(p->x->c, p->r->mem, api_of(p->form), probe, path, &parsed, p->e);
    json_decref(probe);
    if (rc)
        return rc;
    if (parsed->kind != FA_F_LEAF) {
        *out = json_object();
        return *out ? FA_OK : fa_oom(p->e);
    }
    if (++p->leaves > MAX_LEAVES)
        return fail_at(p, FA_EDATA, path, "is condition number %zu: a rule takes at most 1,000",
                       p->leaves);
    if (on_tag) {
        if ((rc = virtual_key(p, f, path, &key)))
            return rc;
    } else {
        key = kept_key(parsed->key->cost_center, parsed->key->key,
                       fa_key_type_name(parsed->key->type, FA_API_V2));
    }
    leaf = key;
    if (!leaf || json_object_set(leaf, "operator", json_object_get(f, "operator")) ||
        (json_object_get(f, "value") &&
         json_object_set_new(leaf, "value", json_deep_copy(json_object_get(f, "value"))))) {
        json_decref(leaf);
        return fa_oom(p->e);
    }
    *out = leaf;
    return FA_OK;
}

static fa_rc read_filter(reader *p, const json_t *f, const char *path, int depth, json_t **out)
{
    const json_t *all = json_object_get(f, "AND"), *any = json_object_get(f, "OR"),
                 *list = all ? all : any, *v;
    const char *op = all ? "AND" : "OR";
    json_t *kids;
    size_t i;

    *out = NULL;
    if (depth > MAX_DEPTH)
        return fail_at(p, FA_EINVAL, path, "is nested more than 32 deep");
    if (!json_is_object(f))
        return fail_at(p, FA_EINVAL, path, f ? "must be an object" : "is missing");
    if (!list)
        return read_leaf(p, f, path, out);
    if (all && any)
        return fail_at(p, FA_EINVAL, path, "has both AND and OR");
    if (json_object_size(f) != 1)
        return fail_at(p, FA_EINVAL, path, "has members beside AND or OR");
    if (!json_is_array(list))
        return fail_at(p, FA_EINVAL, path, "must have an array of conditions in %s", op);
    if (!(kids = json_array()))
        return fa_oom(p->e);
    json_array_foreach(list, i, v)
    {
        json_t *kid;
        char at[PATH_SIZE];

        snprintf(at, sizeof at, "%.130s.%s[%zu]", path, op, i);
        if (read_filter(p, v, at, depth + 1, &kid) || json_array_append_new(kids, kid)) {
            json_decref(kids);
            return p->e->rc ? p->e->rc : fa_oom(p->e);
        }
    }
    *out = json_pack("{s:o}", op, kids);
    return *out ? FA_OK : fa_oom(p->e);
}

/* A value: a text, or a key. */
static fa_rc read_to(reader *p, const json_t *v, const char *path, json_t **out)
{
    if (json_is_object(v))
        return read_key(p, v, path, out);
    *out = NULL;
    if (!json_is_string(v))
        return fail_at(p, FA_EINVAL, path, v ? "must be a text or a key" : "is missing");
    *out = json_deep_copy(v);
    return *out ? FA_OK : fa_oom(p->e);
}

static fa_rc read_rule(reader *p, const json_t *rule, const char *path, json_t **out)
{
    static const char *const also[] = {"timeframe", "disableRename"};
    json_t *to = NULL, *filter = NULL;
    char at[PATH_SIZE];
    fa_rc rc;

    *out = NULL;
    if (!json_is_object(rule))
        return fail_at(p, FA_EINVAL, path, "must be an object");
    p->leaves = 0;
    snprintf(at, sizeof at, "%s.to", path);
    if ((rc = read_to(p, json_object_get(rule, "to"), at, &to)))
        return rc;
    snprintf(at, sizeof at, "%s.filters", path);
    if ((rc = read_filter(p, json_object_get(rule, "filters"), at, 1, &filter))) {
        json_decref(to);
        return rc;
    }
    *out = json_pack("{s:o,s:o}", "to", to, "filters", filter);
    for (size_t i = 0; *out && i < FA_COUNT(also); i++) {
        const json_t *v = json_object_get(rule, also[i]);

        if (v && !json_is_null(v))
            json_object_set_new(*out, also[i], json_deep_copy(v));
    }
    return *out ? FA_OK : fa_oom(p->e);
}

static fa_rc read_rules(reader *p, const json_t *body, json_t *doc)
{
    const json_t *rules = json_object_get(body, "rules"), *v;
    json_t *list = json_array();
    size_t i;

    if (!list || json_object_set_new(doc, "rules", list))
        return fa_oom(p->e);
    if (!json_is_array(rules)) {
        if (p->form == FORM_PAGE && (!rules || json_is_null(rules)))
            return FA_OK;
        return fail_at(p, FA_EINVAL, "rules", rules ? "must be an array" : "is missing");
    }
    if (json_array_size(rules) > FA_TAG_RULES_MAX)
        return fail_at(p, FA_EDATA, "rules", "has %zu rules; a virtual tag may have at most 1,000",
                       json_array_size(rules));
    json_array_foreach(rules, i, v)
    {
        json_t *rule;
        char at[PATH_SIZE];

        snprintf(at, sizeof at, "rules[%zu]", i);
        if (read_rule(p, v, at, &rule) || json_array_append_new(list, rule))
            return p->e->rc;
    }
    return FA_OK;
}

static fa_rc set_to(reader *p, json_t *doc, const char *name, const json_t *v, const char *path)
{
    json_t *to;

    if (read_to(p, v, path, &to))
        return p->e->rc;
    return json_object_set_new(doc, name, to) ? fa_oom(p->e) : FA_OK;
}

static fa_rc read_default(reader *p, const json_t *body, json_t *doc)
{
    const json_t *v = json_object_get(body, "defaultValue"),
                 *wrapped = json_object_get(body, "default");

    if (p->form == FORM_INTERNAL) {
        if (!wrapped || json_is_null(wrapped))
            return set_to(p, doc, "defaultValue", json_object_get(body, "defaultValue") ? v : NULL,
                          "default");
        if (!json_is_object(wrapped))
            return fail_at(p, FA_EINVAL, "default", "must be {type, value}");
        return set_to(p, doc, "defaultValue", json_object_get(wrapped, "value"), "default.value");
    }
    if (p->form == FORM_PAGE && (!v || json_is_null(v)))
        return FA_OK;
    return set_to(p, doc, "defaultValue", v, "defaultValue");
}

/* A part of the page's document with keys and filters in it, of which each is found and kept. */
static fa_rc keep_part(reader *p, json_t *part, const char *path, const char *key,
                       const char *filter)
{
    json_t *v;
    char at[PATH_SIZE];

    if (key && json_is_object(json_object_get(part, key))) {
        snprintf(at, sizeof at, "%s.%s", path, key);
        if (read_key(p, json_object_get(part, key), at, &v))
            return p->e->rc;
        json_object_set_new(part, key, v);
    }
    if (filter && json_is_object(json_object_get(part, filter))) {
        snprintf(at, sizeof at, "%s.%s", path, filter);
        p->leaves = 0;
        if (read_filter(p, json_object_get(part, filter), at, 1, &v))
            return p->e->rc;
        json_object_set_new(part, filter, v);
    }
    return FA_OK;
}

static fa_rc keep_allocations(reader *p, json_t *doc)
{
    json_t *list = json_object_get(doc, "allocations"), *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        char at[PATH_SIZE];

        snprintf(at, sizeof at, "allocations[%zu].data", i);
        if (keep_part(p, json_object_get(v, "data"), at, "joinKey", "filters"))
            return p->e->rc;
    }
    return FA_OK;
}

static fa_rc read_page(reader *p, const json_t *body, json_t *doc)
{
    static const char *const members[] = {"kind",       "category", "folderId",
                                          "endpoints",  "acl",      "allocations",
                                          "dictionary", "relation", "hierarchy"};

    for (size_t i = 0; i < FA_COUNT(members); i++) {
        const json_t *v = json_object_get(body, members[i]);

        if (v && json_object_set_new(doc, members[i], json_deep_copy(v)))
            return fa_oom(p->e);
    }
    if (keep_allocations(p, doc) ||
        keep_part(p, json_object_get(doc, "dictionary"), "dictionary", "source", NULL) ||
        keep_part(p, json_object_get(doc, "relation"), "relation", "joinKey", "scope") ||
        keep_part(p, json_object_get(doc, "hierarchy"), "hierarchy", "base", NULL))
        return p->e->rc;
    return FA_OK;
}

fa_rc tag_in(fa_req *r, tag_form form, const tag_ctx *x, const json_t *body, json_t **doc,
             fa_err *e)
{
    static const char *const also[] = {"category", "endpoints", "allocations"};
    reader p = {r, form, x, 0, e};
    const json_t *name = json_object_get(body, "name");
    fa_rc rc = FA_OK;

    *doc = NULL;
    if (!json_is_object(body))
        return fa_fail(e, FA_EINVAL, "the request body must be a JSON object");
    if (!json_is_string(name))
        return fail_at(&p, FA_EINVAL, "name", name ? "must be a text" : "is missing");
    if (!(*doc = json_object()) || json_object_set_new(*doc, "name", json_deep_copy(name)))
        rc = fa_oom(e);
    if (!rc && form == FORM_PAGE)
        rc = read_page(&p, body, *doc);
    for (size_t i = 0; !rc && (form == FORM_INTERNAL || form == FORM_V1) &&
                       i < (form == FORM_V1 ? 1 : FA_COUNT(also));
         i++) {
        const json_t *v = json_object_get(body, also[i]);

        if (v && !json_is_null(v) && json_object_set_new(*doc, also[i], json_deep_copy(v)))
            rc = fa_oom(e);
    }
    if (!rc && !(rc = read_default(&p, body, *doc)))
        rc = read_rules(&p, body, *doc);
    if (rc) {
        json_decref(*doc);
        *doc = NULL;
    }
    return rc;
}

/* ---- out ---- */

void put_json(fa_jw *w, const char *key, const json_t *v)
{
    char *text = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)) : NULL;

    if (key)
        fa_jw_key(w, key);
    if (text)
        fa_jw_raw(w, fa_str_of(text));
    else
        fa_jw_null(w);
    free(text);
}

/* The operator in the version's own word: `isNot` and `notIs` are one. */
static fa_str operator_of(tag_form form, fa_str op)
{
    static const struct {
        const char *given;
        bool negative;
    } same[] = {{"isNot", true},     {"notIs", true}, {"not", true},    {"neq", true},
                {"notEquals", true}, {"eq", false},   {"equal", false}, {"equals", false}};

    for (size_t i = 0; form != FORM_PAGE && i < FA_COUNT(same); i++)
        if (fa_str_eqz(op, same[i].given))
            return !same[i].negative ? FA_STR("is")
                   : form == FORM_V2 ? FA_STR("notIs")
                                     : FA_STR("isNot");
    return op;
}

static void put_tag_key(fa_jw *w, tag_form form, const tag_ctx *x, const json_t *o, bool display)
{
    const fa_tag *t = fa_tag_set_find(x->set, member(o, "key"));

    put_z(w, "costCenter", form == FORM_V1 || form == FORM_V2 ? "Virtual Tags" : "virtualTag");
    put_str(w, "key", member(o, "key"));
    if (form != FORM_V1)
        put_z(w, "type", "virtual_tag");
    if (display)
        put_str(w, "displayName", t ? t->name : member(o, "key"));
}

/* The members of a key as `form` spells it; one that has left the bill goes out as it is kept. */
static void put_key(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *o,
                    bool display)
{
    const fa_key *k = NULL;
    fa_err ignored;

    if (is_virtual(o)) {
        put_tag_key(w, form, x, o, display);
        return;
    }
    if (fa_catalog_find(x->c, r->mem, FA_API_V2, member(o, "costCenter"), member(o, "key"),
                        member(o, "type"), &k, &ignored))
        k = NULL;
    put_str(w, "costCenter",
            !k                      ? member(o, "costCenter")
            : form == FORM_INTERNAL ? k->cost_center_id
                                    : k->cost_center);
    put_str(w, "key", !k ? member(o, "key") : form == FORM_V1 ? k->key_v1 : k->key);
    if (form != FORM_V1)
        put_str(w, "type",
                k ? fa_str_of(fa_key_type_name(k->type,
                                               form == FORM_INTERNAL ? FA_API_INTERNAL : FA_API_V2))
                  : member(o, "type"));
    if (form == FORM_INTERNAL && k)
        put_str(w, "path", k->path);
    if (display)
        put_str(w, "displayName", k ? k->display : member(o, "key"));
}

static void put_filter(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *f)
{
    const char *op = json_object_get(f, "AND") ? "AND" : json_object_get(f, "OR") ? "OR" : NULL;
    const json_t *list = op ? json_object_get(f, op) : NULL, *v;
    size_t i;

    fa_jw_obj(w);
    if (op) {
        fa_jw_key(w, op);
        fa_jw_arr(w);
        json_array_foreach(list, i, v) put_filter(r, w, form, x, v);
        fa_jw_end_arr(w);
    } else if (json_object_size(f)) {
        put_key(r, w, form, x, f, true);
        put_str(w, "operator", operator_of(form, member(f, "operator")));
        if (json_object_get(f, "value"))
            put_json(w, "value", json_object_get(f, "value"));
    }
    fa_jw_end_obj(w);
}

static void put_to(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *to)
{
    if (json_is_object(to)) {
        fa_jw_obj(w);
        put_key(r, w, form, x, to, form == FORM_PAGE);
        fa_jw_end_obj(w);
    } else if (json_is_string(to)) {
        fa_jw_str(w, text_of(to));
    } else {
        fa_jw_z(w, "Untagged");
    }
}

void tag_out_rules(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc)
{
    const json_t *rules = json_object_get(doc, "rules"),
                 *dflt = json_object_get(doc, "defaultValue"), *v;
    size_t i;

    if (form == FORM_INTERNAL) {
        fa_jw_key(w, "default");
        fa_jw_obj(w);
        put_z(w, "type", json_is_object(dflt) ? "key" : "string");
        fa_jw_key(w, "value");
        put_to(r, w, form, x, dflt);
        fa_jw_end_obj(w);
    } else {
        fa_jw_key(w, "defaultValue");
        put_to(r, w, form, x, dflt);
    }
    fa_jw_key(w, "rules");
    fa_jw_arr(w);
    json_array_foreach(rules, i, v)
    {
        fa_jw_obj(w);
        fa_jw_key(w, "to");
        put_to(r, w, form, x, json_object_get(v, "to"));
        fa_jw_key(w, "filters");
        put_filter(r, w, form, x, json_object_get(v, "filters"));
        if (json_object_get(v, "timeframe"))
            put_json(w, "timeframe", json_object_get(v, "timeframe"));
        if ((form == FORM_INTERNAL || form == FORM_PAGE) && json_object_get(v, "disableRename"))
            put_json(w, "disableRename", json_object_get(v, "disableRename"));
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

/* "Sun Sep 29 2024 08:20:37 GMT+0000 (Greenwich Mean Time)", as V1 prints a time. */
static void put_js_time(fa_jw *w, const char *key, fa_str iso)
{
    static const char days[] = "ThuFriSatSunMonTueWed",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[80];
    int32_t day;
    int y, m, d;

    if (iso.n < 19 || !fa_day_parse((fa_str){iso.p, 10}, &day)) {
        put_str(w, key, iso);
        return;
    }
    fa_day_civil(day, &y, &m, &d);
    snprintf(text, sizeof text, "%.3s %.3s %02d %04d %.8s GMT+0000 (Greenwich Mean Time)",
             days + 3 * (((day % 7) + 7) % 7), months + 3 * (m - 1), d, y, iso.p + 11);
    put_z(w, key, text);
}

static void out_internal(fa_req *r, fa_jw *w, const json_t *doc)
{
    bool relational = fa_str_eqz(member(doc, "kind"), "relational");
    const json_t *moves = json_object_get(doc, "allocations"),
                 *ends = json_object_get(doc, "endpoints");

    put_str(w, "accountId", r->caller->account);
    put_str(w, "category", member(doc, "category"));
    if (json_is_array(ends)) {
        put_json(w, "endpoints", ends);
    } else {
        fa_jw_key(w, "endpoints");
        fa_jw_arr(w);
        fa_jw_end_arr(w);
    }
    put_z(w, "anomalyId", NULL);
    put_z(w, "type", relational ? "multiKeyReallocation" : "default");
    if (json_is_array(moves)) {
        put_json(w, "allocations", moves);
    } else {
        fa_jw_key(w, "allocations");
        fa_jw_arr(w);
        fa_jw_end_arr(w);
    }
}

static void put_acl(fa_req *r, fa_jw *w, const json_t *doc);

static void out_page(fa_req *r, fa_jw *w, const json_t *doc)
{
    static const char *const lists[] = {"endpoints", "allocations"}, *const parts[] = {"dictionary",
                                                                                       "relation",
                                                                                       "hierarchy"};

    put_str(w, "kind", member(doc, "kind"));
    put_str(w, "category", member(doc, "category"));
    put_json(w, "folderId",
             json_is_string(json_object_get(doc, "folderId")) ? json_object_get(doc, "folderId")
                                                              : NULL);
    put_acl(r, w, doc);
    for (size_t i = 0; i < FA_COUNT(lists); i++) {
        json_t *none = json_array();

        put_json(w, lists[i],
                 json_is_array(json_object_get(doc, lists[i])) ? json_object_get(doc, lists[i])
                                                               : none);
        json_decref(none);
    }
    for (size_t i = 0; i < FA_COUNT(parts); i++)
        if (json_is_object(json_object_get(doc, parts[i])))
            put_json(w, parts[i], json_object_get(doc, parts[i]));
}

void tag_out(fa_req *r, fa_jw *w, tag_form form, const tag_ctx *x, const json_t *doc)
{
    static const char *const times[] = {"createdAt", "updatedAt"};

    put_str(w, "id", member(doc, "id"));
    if (form == FORM_V1)
        put_str(w, "accountId", r->caller->account);
    put_str(w, "name", member(doc, "name"));
    if (form == FORM_V1 && member(doc, "category").n)
        put_str(w, "category", member(doc, "category"));
    if (form == FORM_INTERNAL)
        out_internal(r, w, doc);
    if (form == FORM_PAGE)
        out_page(r, w, doc);
    tag_out_rules(r, w, form, x, doc);
    if (form == FORM_V2)
        put_acl(r, w, doc);
    put_str(w, "createdBy", member(doc, "createdBy"));
    put_str(w, "updatedBy", member(doc, "updatedBy"));
    for (size_t i = 0; i < FA_COUNT(times); i++)
        if (form == FORM_V1)
            put_js_time(w, times[i], member(doc, times[i]));
        else
            put_str(w, times[i], member(doc, times[i]));
}

/* ---- who may ---- */

#define KIND FA_STR("virtual_tag")

fa_rc tag_may_read(fa_req *r, fa_str id, fa_err *e)
{
    return fa_tag_is_predefined(id) ? FA_OK
                                    : fa_acl_read(r->ledger, r->mem, r->caller, KIND, id, e);
}

/* The tag, and whatever reads it: a change goes through. */
static fa_rc guard(fa_req *r, const fa_tag_node *node, size_t at, bool *seen, fa_err *e)
{
    if (seen[at])
        return FA_OK;
    seen[at] = true;
    for (size_t k = 0; k < node[at].nkey; k++)
        if (fa_scope_guard(r->ledger, r->mem, r->caller, KIND, node[at].key[k].id,
                           node[at].key[k].name, e))
            return e->rc;
    for (size_t i = 0; i < node[at].nusers; i++)
        if (guard(r, node, node[at].users[i], seen, e))
            return e->rc;
    return FA_OK;
}

fa_rc tag_may_write(fa_req *r, fa_str id, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_tag_node *node;
    size_t n;
    bool *seen;
    fa_rc rc;

    if (fa_tag_is_predefined(id)) /* refused, with better words, by who would change it */
        return FA_OK;
    if ((rc = fa_acl_write(r->ledger, r->mem, r->caller, KIND, id, e)) ||
        (rc = fa_tags_live(r->ledger, &set, e)))
        return rc;
    if (!(rc = fa_tag_graph(set, r->mem, &node, &n, e)) &&
        !(seen = fa_arena_array(r->mem, n + 1, sizeof *seen)))
        rc = fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_eq(node[i].id, id))
            rc = guard(r, node, i, seen, e);
    fa_tag_set_put(set);
    return rc;
}

fa_rc tag_made(void *making, fa_str id, fa_err *e)
{
    const tag_making *m = making;
    fa_ledger *l = m->r->ledger;
    fa_acl v;
    bool given = json_is_object(m->acl);
    fa_rc rc = given ? fa_acl_parse(m->r->mem, m->acl, &v, e) : fa_acl_default(l, m->r->mem, &v, e);

    if (rc)
        return rc;
    if (!given && m->all_read)
        v.read = (fa_acl_axis){.type = FA_ACL_PUBLIC};
    rc = fa_acl_new(l, m->r->mem, m->r->caller, KIND, id, given || m->all_read ? &v : NULL, e);
    if (rc == FA_ENOTFOUND)
        e->rc = rc = FA_EDATA;
    return rc;
}

/* An open tag that is said to be open stays without a list. */
fa_rc tag_set_acl(fa_req *r, fa_str id, const json_t *acl, fa_err *e)
{
    fa_acl old, v;
    fa_rc rc;

    if (!json_is_object(acl))
        return FA_OK;
    if ((rc = fa_acl_parse(r->mem, acl, &v, e)) ||
        (rc = fa_acl_get(r->ledger, r->mem, KIND, id, &old, e)) ||
        (old.absent && v.read.type == FA_ACL_PUBLIC && v.write.type == FA_ACL_PUBLIC))
        return rc;
    v.owner = old.absent ? r->caller->id : old.owner;
    rc = fa_acl_set(r->ledger, r->mem, KIND, id, &v, e);
    if (rc == FA_ENOTFOUND)
        e->rc = rc = FA_EDATA;
    return rc;
}

static void put_acl(fa_req *r, fa_jw *w, const json_t *doc)
{
    fa_acl v;
    fa_buf b = {0};
    fa_jw one;
    fa_err ignored;
    json_t *acl = NULL;

    if (!fa_tag_is_predefined(member(doc, "id")) &&
        fa_acl_get(r->ledger, r->mem, KIND, member(doc, "id"), &v, &ignored) == FA_OK &&
        !v.absent) {
        fa_jw_init(&one, &b);
        fa_acl_json(&one, &v);
        acl = b.failed ? NULL : json_loadb(b.p, b.n, 0, NULL);
        json_object_del(acl, "owner");
    }
    put_json(w, "acl", acl ? acl : json_object_get(doc, "acl"));
    json_decref(acl);
    fa_buf_release(&b);
}

/* ---- who uses a tag ---- */

/* Does any key below say one of these ids? */
static bool names_key(const json_t *v, const fa_tag_node *node)
{
    const json_t *kid;
    const char *name;
    size_t i;

    if (json_is_array(v)) {
        json_array_foreach(v, i, kid) if (names_key(kid, node)) return true;
        return false;
    }
    for (size_t k = 0; json_is_object(v) && k < node->nkey; k++)
        if (fa_str_eq(member(v, "key"), node->key[k].id))
            return true;
    json_object_foreach((json_t *)(uintptr_t)v, name,
                        kid) if ((json_is_object(kid) || json_is_array(kid)) &&
                                 names_key(kid, node)) return true;
    return false;
}

fa_rc tag_uses(fa_req *r, const fa_tag_node *node, size_t nnode, fa_str id, tag_use **out,
               size_t *n, fa_err *e)
{
    const fa_tag_node *me = NULL;
    fa_edp_settings edp;
    fa_telemetry *t;
    fa_view *view;
    size_t nview, nt, at = 0;
    fa_rc rc =
        fa_view_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &view, &nview, e);

    *n = 0;
    for (size_t i = 0; i < nnode; i++)
        if (fa_str_eq(node[i].id, id))
            me = &node[i];
    if (rc || (rc = fa_telemetry_list(r->ledger, r->mem, &t, &nt, e)))
        return rc;
    if (!(*out =
              fa_arena_array(r->mem, (me ? me->nusers : 0) + nview + nt * nview + 2, sizeof **out)))
        return fa_oom(e);
    for (size_t i = 0; me && i < me->nusers; i++)
        (*out)[at++] = (tag_use){"virtual_tag", fa_arena_dup(r->mem, node[me->users[i]].id),
                                 fa_arena_dup(r->mem, node[me->users[i]].name), true};
    for (size_t i = 0; me && i < nview; i++) {
        json_t *body = NULL;
        fa_err ignored;

        if (fa_view_body(&view[i], &body, &ignored) == FA_OK &&
            names_key(json_object_get(body, "question"), me)) {
            (*out)[at++] = (tag_use){"view", view[i].id, view[i].name, true};
            for (size_t k = 0; k < nt; k++) /* ratios of a view: the view is what blocks */
                if (fa_str_eq(t[k].view_id, view[i].id))
                    (*out)[at++] = (tag_use){"telemetry", t[k].id, t[k].name, false};
        }
        json_decref(body);
    }
    if ((rc = fa_edp_get(r->ledger, r->mem, &edp, e)))
        return rc;
    for (size_t k = 0; me && k < me->nkey; k++)
        if (fa_str_eq(edp.tag, me->key[k].id))
            (*out)[at++] = (tag_use){"cost_types", FA_STR("edp"), FA_STR("EDP"), true};
    *n = at;
    return FA_OK;
}

static const char *use_word(const char *type)
{
    return strcmp(type, "view") == 0         ? "view"
           : strcmp(type, "cost_types") == 0 ? "cost type setting"
                                             : "virtual tag";
}

fa_rc tag_delete(fa_req *r, fa_str id, bool forever, tag_use **use, size_t *nuse, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_tag_node *node;
    fa_tag_row row;
    json_t *doc = NULL;
    size_t n;
    bool blocked = false;
    fa_rc rc;

    *nuse = 0;
    if ((rc = fa_tag_open(r->ledger, r->mem, id, &row, &doc, e)) ||
        (rc = tag_may_write(r, id, e)) || (rc = fa_tags_live(r->ledger, &set, e)) ||
        (rc = fa_tag_graph(set, r->mem, &node, &n, e)) ||
        (rc = tag_uses(r, node, n, id, use, nuse, e)))
        goto done;
    for (size_t i = 0; i < *nuse; i++)
        blocked = blocked || (*use)[i].blocks;
    if (blocked)
        rc = fa_fail(e, FA_ECONFLICT, "the %s \"%.*s\" uses this virtual tag%s",
                     use_word((*use)[0].type), FA_FMT((*use)[0].name),
                     *nuse > 1 ? ", and others do" : "");
    else if (!(rc = fa_tag_delete(r->ledger, r->mem, id, forever, e)) && forever)
        rc = fa_acl_drop(r->ledger, KIND, id, e);
done:
    json_decref(doc);
    fa_tag_set_put(set);
    return rc;
}
