/*
 * scimpath.c - filters and paths of SCIM (RFC 7644 3.4.2.2, 3.5.2) over resources as JSON, and the changes of a
 * PATCH.
 *
 * Everything is bounded: length, depth, number of terms, number of changes. Names are case-folded and may carry
 * their schema's URN; values are compared case-folded but for ids. What a parser gives lives in the arena.
 */
#include "access/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 4096, DEPTH_MAX = 16, TERMS_MAX = 128, OPS_MAX = 1000, VALUES_MAX = 10000 };

typedef enum { OP_EQ, OP_NE, OP_CO, OP_SW, OP_EW, OP_GT, OP_GE, OP_LT, OP_LE, OP_PR } op;
static const char *const op_names[] = {"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"};

struct fa_scim_filter {
    enum { N_AND, N_OR, N_NOT, N_TERM, N_VALUES } kind;
    const fa_scim_filter *a, *b; /* AND, OR; NOT and VALUES: a */
    fa_str attr, sub;            /* TERM: attr.sub; VALUES: attr */
    op op;
    json_t *value;
};

static fa_rc wrong(fa_err *e, const char *word, const char *why)
{
    fa_fail(e, FA_EINVAL, "%s", why);
    return fa_at(e, word);
}

static void decref(void *j)
{
    json_decref(j);
}

/* ---- reading ---- */

typedef struct reader {
    fa_arena *a;
    fa_str s; /* what is left */
    int depth, terms;
    fa_err *e;
} reader;

static void blanks(reader *r)
{
    while (r->s.n && r->s.p[0] == ' ')
        r->s = (fa_str){r->s.p + 1, r->s.n - 1};
}

static bool char_is(reader *r, char c)
{
    blanks(r);
    if (!r->s.n || r->s.p[0] != c)
        return false;
    r->s = (fa_str){r->s.p + 1, r->s.n - 1};
    return true;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '$';
}

static fa_str word_ahead(reader *r)
{
    size_t n = 0;

    blanks(r);
    while (n < r->s.n && name_char(r->s.p[n]))
        n++;
    return (fa_str){r->s.p, n};
}

static bool keyword(reader *r, const char *name)
{
    fa_str w = word_ahead(r);

    if (!fa_str_ieq(w, fa_str_of(name)))
        return false;
    r->s = (fa_str){r->s.p + w.n, r->s.n - w.n};
    return true;
}

/* "userName", "name.givenName", or either behind "urn:...:User:". */
static bool take_attr(reader *r, fa_str *attr, fa_str *sub)
{
    size_t n = 0, colon = 0;
    fa_str path;
    const char *dot;

    blanks(r);
    while (n < r->s.n && (name_char(r->s.p[n]) || r->s.p[n] == ':' || r->s.p[n] == '.'))
        n++;
    path = (fa_str){r->s.p, n};
    r->s = (fa_str){r->s.p + n, r->s.n - n};
    if (fa_str_starts(path, FA_STR("urn:")) || fa_str_starts(path, FA_STR("URN:")))
        for (size_t i = 0; i < path.n; i++)
            if (path.p[i] == ':')
                colon = i + 1;
    path = (fa_str){path.p + colon, path.n - colon};
    dot = path.n ? memchr(path.p, '.', path.n) : NULL;
    *attr = dot ? (fa_str){path.p, (size_t)(dot - path.p)} : path;
    *sub = dot ? (fa_str){dot + 1, path.n - attr->n - 1} : FA_STR("");
    return attr->n && (!dot || (sub->n && !memchr(sub->p, '.', sub->n))) &&
           !memchr(path.p, ':', path.n);
}

static fa_rc take_value(reader *r, json_t **out)
{
    json_error_t je;
    json_t *v;

    blanks(r);
    v = r->s.n ? json_loadb(r->s.p, r->s.n, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &je) : NULL;
    if (!v || json_is_object(v) || json_is_array(v)) {
        json_decref(v);
        return wrong(r->e, "invalidFilter",
                     "a value is a text in quotes, a number, true, false or null");
    }
    if (!fa_arena_defer(r->a, decref, v)) {
        json_decref(v);
        return fa_oom(r->e);
    }
    r->s = (fa_str){r->s.p + je.position, r->s.n - (size_t)je.position};
    *out = v;
    return FA_OK;
}

static fa_rc take_or(reader *r, const fa_scim_filter **out);

static fa_scim_filter *node(reader *r, fa_scim_filter v)
{
    fa_scim_filter *n = fa_arena_alloc(r->a, sizeof *n);

    if (n)
        *n = v;
    return n;
}

static fa_rc inner(reader *r, char close, const fa_scim_filter **out)
{
    fa_rc rc;

    if (++r->depth > DEPTH_MAX)
        return wrong(r->e, "invalidFilter", "the filter is nested too deeply");
    if ((rc = take_or(r, out)))
        return rc;
    r->depth--;
    return char_is(r, close) ? FA_OK : wrong(r->e, "invalidFilter", "a bracket is not closed");
}

static fa_rc take_term(reader *r, const fa_scim_filter **out)
{
    fa_scim_filter t = {.kind = N_TERM};
    fa_rc rc;
    size_t i = 0;

    if (++r->terms > TERMS_MAX)
        return wrong(r->e, "invalidFilter", "the filter has too many terms");
    if (!take_attr(r, &t.attr, &t.sub))
        return wrong(r->e, "invalidFilter", "an attribute is expected");
    if (!t.sub.n && char_is(r, '[')) {
        t.kind = N_VALUES;
        if ((rc = inner(r, ']', &t.a)))
            return rc;
    } else {
        while (i < FA_COUNT(op_names) && !keyword(r, op_names[i]))
            i++;
        if (i == FA_COUNT(op_names))
            return wrong(r->e, "invalidFilter", "an operator such as eq is expected");
        t.op = (op)i;
        if (t.op != OP_PR && (rc = take_value(r, &t.value)))
            return rc;
    }
    *out = node(r, t);
    return *out ? FA_OK : fa_oom(r->e);
}

static fa_rc take_factor(reader *r, const fa_scim_filter **out)
{
    const fa_scim_filter *a;
    fa_rc rc;

    if (char_is(r, '('))
        return inner(r, ')', out);
    if (!keyword(r, "not"))
        return take_term(r, out);
    if (!char_is(r, '('))
        return wrong(r->e, "invalidFilter", "not wants brackets");
    if ((rc = inner(r, ')', &a)))
        return rc;
    *out = node(r, (fa_scim_filter){.kind = N_NOT, .a = a});
    return *out ? FA_OK : fa_oom(r->e);
}

static fa_rc take_and(reader *r, const fa_scim_filter **out)
{
    const fa_scim_filter *b;
    fa_rc rc = take_factor(r, out);

    while (!rc && keyword(r, "and")) {
        if ((rc = take_factor(r, &b)))
            return rc;
        if (!(*out = node(r, (fa_scim_filter){.kind = N_AND, .a = *out, .b = b})))
            return fa_oom(r->e);
    }
    return rc;
}

static fa_rc take_or(reader *r, const fa_scim_filter **out)
{
    const fa_scim_filter *b;
    fa_rc rc = take_and(r, out);

    while (!rc && keyword(r, "or")) {
        if ((rc = take_and(r, &b)))
            return rc;
        if (!(*out = node(r, (fa_scim_filter){.kind = N_OR, .a = *out, .b = b})))
            return fa_oom(r->e);
    }
    return rc;
}

fa_rc fa_scim_filter_parse(fa_arena *a, fa_str text, const fa_scim_filter **out, fa_err *e)
{
    reader r = {.a = a, .s = text, .e = e};
    fa_rc rc;

    if (text.n > TEXT_MAX || !fa_utf8_valid(text))
        return wrong(e, "invalidFilter", "the filter is too long or not UTF-8");
    if ((rc = take_or(&r, out)))
        return rc;
    blanks(&r);
    return r.s.n ? wrong(e, "invalidFilter", "there is something behind the filter") : FA_OK;
}

/* ---- judging ---- */

json_t *fa_scim_member(const json_t *o, fa_str name)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)o, key,
                        v) if (fa_str_ieq(name, fa_str_of(key))) return v;
    return NULL;
}

static bool exact(fa_str attr)
{
    return fa_str_ieq(attr, FA_STR("id")) || fa_str_ieq(attr, FA_STR("externalId"));
}

static bool find_text(fa_str hay, fa_str needle)
{
    for (size_t i = 0; i + needle.n <= hay.n; i++)
        if (fa_str_ieq((fa_str){hay.p + i, needle.n}, needle))
            return true;
    return false;
}

static int order_of(fa_str a, fa_str b, bool same_case)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? (same_case ? memcmp(a.p, b.p, n) : strncasecmp(a.p, b.p, n)) : 0;

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static bool by_order(op o, int c)
{
    switch (o) {
    case OP_EQ:
        return c == 0;
    case OP_GT:
        return c > 0;
    case OP_GE:
        return c >= 0;
    case OP_LT:
        return c < 0;
    case OP_LE:
        return c <= 0;
    default:
        return false;
    }
}

static bool text_holds(const fa_scim_filter *f, fa_str have, fa_str want, bool same_case)
{
    switch (f->op) {
    case OP_CO:
        return find_text(have, want);
    case OP_SW:
        return have.n >= want.n && fa_str_ieq((fa_str){have.p, want.n}, want);
    case OP_EW:
        return have.n >= want.n && fa_str_ieq((fa_str){have.p + have.n - want.n, want.n}, want);
    default:
        return by_order(f->op, order_of(have, want, same_case));
    }
}

/* "ne" is judged by who asks. */
static bool scalar_holds(const fa_scim_filter *f, const json_t *v, bool same_case)
{
    if (json_is_string(v) && json_is_string(f->value))
        return text_holds(f, (fa_str){json_string_value(v), json_string_length(v)},
                          (fa_str){json_string_value(f->value), json_string_length(f->value)},
                          same_case);
    if (json_is_number(v) && json_is_number(f->value)) {
        double a = json_number_value(v), b = json_number_value(f->value);

        return by_order(f->op, (a > b) - (a < b));
    }
    return f->op == OP_EQ && json_typeof(v) == json_typeof(f->value) && !json_is_object(v) &&
           !json_is_array(v);
}

static bool is_there(const json_t *v)
{
    return v && !json_is_null(v) && !(json_is_array(v) && !json_array_size(v)) &&
           !(json_is_string(v) && !json_string_length(v)) &&
           !(json_is_object(v) && !json_object_size(v));
}

static bool value_holds(const fa_scim_filter *f, const json_t *v)
{
    const json_t *item;
    size_t i;

    if (json_is_array(v)) {
        json_array_foreach(v, i, item) if (value_holds(f, item)) return true;
        return false;
    }
    if (json_is_object(v)) { /* of a complex one, the part that is meant */
        v = fa_scim_member(v, f->sub.n ? f->sub : FA_STR("value"));
        return v && (f->op == OP_PR ? is_there(v) : scalar_holds(f, v, exact(f->sub)));
    }
    if (f->sub.n || !v)
        return false;
    return f->op == OP_PR ? is_there(v) : scalar_holds(f, v, exact(f->attr));
}

static bool term_holds(const fa_scim_filter *f, const json_t *resource)
{
    const json_t *v = fa_scim_member(resource, f->attr);
    fa_scim_filter equal = *f;

    if (f->op != OP_NE)
        return value_holds(f, v);
    equal.op = OP_EQ;
    return !value_holds(&equal, v);
}

bool fa_scim_filter_holds(const fa_scim_filter *f, const json_t *resource)
{
    const json_t *v, *item;
    size_t i;

    switch (f->kind) {
    case N_AND:
        return fa_scim_filter_holds(f->a, resource) && fa_scim_filter_holds(f->b, resource);
    case N_OR:
        return fa_scim_filter_holds(f->a, resource) || fa_scim_filter_holds(f->b, resource);
    case N_NOT:
        return !fa_scim_filter_holds(f->a, resource);
    case N_TERM:
        return term_holds(f, resource);
    default:
        v = fa_scim_member(resource, f->attr);
        json_array_foreach(v, i, item) if (fa_scim_filter_holds(f->a, item)) return true;
        return json_is_object(v) && fa_scim_filter_holds(f->a, v);
    }
}

bool fa_scim_filter_names(const fa_scim_filter *f, fa_str attr)
{
    if (f->kind == N_TERM || f->kind == N_VALUES)
        return fa_str_ieq(f->attr, attr);
    return fa_scim_filter_names(f->a, attr) || (f->b && fa_scim_filter_names(f->b, attr));
}

bool fa_scim_filter_is_eq(const fa_scim_filter *f, fa_str attr, fa_str *value)
{
    if (f->kind != N_TERM || f->op != OP_EQ || f->sub.n || !fa_str_ieq(f->attr, attr) ||
        !json_is_string(f->value))
        return false;
    *value = (fa_str){json_string_value(f->value), json_string_length(f->value)};
    return true;
}

/* ---- changes ---- */

typedef struct path {
    fa_str attr, sub;
    const fa_scim_filter *filter; /* attr[filter].sub; NULL: all of attr */
} path;

static fa_rc take_path(fa_arena *a, fa_str text, path *out, fa_err *e)
{
    reader r = {.a = a, .s = text, .e = e};
    fa_str none;

    *out = (path){0};
    if (text.n > TEXT_MAX || !fa_utf8_valid(text) || !take_attr(&r, &out->attr, &out->sub))
        return wrong(e, "invalidPath", "the path is no attribute");
    if (!out->sub.n && r.s.n && r.s.p[0] == '[') {
        r.s = (fa_str){r.s.p + 1, r.s.n - 1};
        if (inner(&r, ']', &out->filter))
            return fa_at(e, "invalidPath");
        if (r.s.n && r.s.p[0] == '.') {
            r.s = (fa_str){r.s.p + 1, r.s.n - 1};
            if (!take_attr(&r, &out->sub, &none) || none.n)
                return wrong(e, "invalidPath", "the path is no attribute");
        }
    }
    return r.s.n ? wrong(e, "invalidPath", "there is something behind the path") : FA_OK;
}

/* The name as the object has it, else as it was given: attributes are one whatever their case. */
static const char *own_name(fa_arena *a, const json_t *o, fa_str name)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)o, key,
                        v) if (fa_str_ieq(name, fa_str_of(key))) return key;
    return fa_arena_dupz(a, name);
}

static bool has_value(const json_t *list, const json_t *item)
{
    const json_t *v, *id = json_is_object(item) ? fa_scim_member(item, FA_STR("value")) : NULL;
    size_t i;

    json_array_foreach(list, i,
                       v) if (json_equal(v, item) ||
                              (id && json_is_object(v) &&
                               json_equal(fa_scim_member(v, FA_STR("value")), id))) return true;
    return false;
}

static fa_rc append(json_t *list, const json_t *value, fa_err *e)
{
    json_t *v;
    size_t i;

    if (!json_is_array(value))
        return has_value(list, value)                               ? FA_OK
               : json_array_append_new(list, json_deep_copy(value)) ? fa_oom(e)
                                                                    : FA_OK;
    if (json_array_size(list) + json_array_size(value) > VALUES_MAX)
        return wrong(e, "tooMany", "too many values");
    json_array_foreach((json_t *)(uintptr_t)value, i, v)
    {
        if (!has_value(list, v) && json_array_append_new(list, json_deep_copy(v)))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc set_member(fa_arena *a, json_t *o, fa_str name, json_t *value, bool adding, fa_err *e)
{
    json_t *old = fa_scim_member(o, name), *copy;
    const char *key = own_name(a, o, name);

    if (!key)
        return fa_oom(e);
    if (adding && json_is_array(old))
        return append(old, value, e);
    if (adding && json_is_object(old) && json_is_object(value)) {
        const char *k;
        json_t *v;

        json_object_foreach(value, k, v)
        {
            const char *mine = own_name(a, old, fa_str_of(k));

            if (!mine || json_object_set_new(old, mine, json_deep_copy(v)))
                return fa_oom(e);
        }
        return FA_OK;
    }
    copy = json_is_array(old) && !json_is_array(value) && !json_is_null(value)
               ? json_pack("[o]", json_deep_copy(value))
               : json_deep_copy(value);
    return !copy || json_object_set_new(o, key, copy) ? fa_oom(e) : FA_OK;
}

/* attr[filter]: the elements that match; an equality that matches none makes one (as Entra ID wants it). */
static fa_rc set_matching(fa_arena *a, json_t *o, const path *p, json_t *value, bool adding,
                          fa_err *e)
{
    json_t *list = fa_scim_member(o, p->attr), *v;
    const char *key = own_name(a, o, p->attr);
    size_t i, hits = 0;
    fa_rc rc;

    if (!key)
        return fa_oom(e);
    if (!json_is_array(list)) {
        list = json_array();
        if (!list || json_object_set_new(o, key, list))
            return fa_oom(e);
    }
    json_array_foreach(list, i, v)
    {
        if (!json_is_object(v) || !fa_scim_filter_holds(p->filter, v))
            continue;
        hits++;
        if (p->sub.n
                ? (rc = set_member(a, v, p->sub, value, false, e))
                : (rc = json_array_set_new(list, i, json_deep_copy(value)) ? fa_oom(e) : FA_OK))
            return rc;
    }
    if (hits)
        return FA_OK;
    if (p->filter->kind != N_TERM || p->filter->op != OP_EQ || !p->sub.n || p->filter->sub.n)
        return wrong(e, adding ? "invalidPath" : "noTarget", "no value matches the path");
    v = json_object();
    if (!v || json_array_append_new(list, v) || !(key = fa_arena_dupz(a, p->filter->attr)) ||
        json_object_set(v, key, p->filter->value))
        return fa_oom(e);
    return set_member(a, v, p->sub, value, false, e);
}

static fa_rc set_at(fa_arena *a, json_t *o, const path *p, json_t *value, bool adding, fa_err *e)
{
    json_t *sub;
    const char *key;

    if (p->filter)
        return set_matching(a, o, p, value, adding, e);
    if (!p->sub.n)
        return set_member(a, o, p->attr, value, adding, e);
    sub = fa_scim_member(o, p->attr);
    if (!json_is_object(sub)) {
        key = own_name(a, o, p->attr);
        sub = json_object();
        if (!key || !sub || json_object_set_new(o, key, sub))
            return fa_oom(e);
    }
    return set_member(a, sub, p->sub, value, adding, e);
}

static void remove_from(json_t *list, const path *p, const json_t *value)
{
    for (size_t i = json_array_size(list); i-- > 0;) {
        json_t *v = json_array_get(list, i);
        bool hit = p->filter ? json_is_object(v) && fa_scim_filter_holds(p->filter, v)
                             : has_value(value, v);

        if (hit && p->sub.n && json_is_object(v))
            json_object_del(v, p->sub.p);
        else if (hit)
            json_array_remove(list, i);
    }
}

static fa_rc remove_at(fa_arena *a, json_t *o, const path *p, const json_t *value, fa_err *e)
{
    json_t *v = fa_scim_member(o, p->attr);
    const char *key = own_name(a, o, p->attr);

    if (!key)
        return fa_oom(e);
    if (!v)
        return FA_OK;
    if (json_is_array(v) && (p->filter || json_is_array(value))) {
        path own = *p;

        if (own.sub.n && !(own.sub.p = fa_arena_dupz(a, own.sub)))
            return fa_oom(e);
        remove_from(v, &own, value);
        return FA_OK;
    }
    if (p->sub.n && json_is_object(v)) {
        const char *part = own_name(a, v, p->sub);

        if (!part)
            return fa_oom(e);
        json_object_del(v, part);
        return FA_OK;
    }
    json_object_del(o, key);
    return FA_OK;
}

static fa_rc merge_all(fa_arena *a, json_t *o, json_t *value, bool adding, fa_err *e)
{
    const char *key;
    json_t *v;
    fa_rc rc;
    path p;

    if (!json_is_object(value))
        return wrong(e, "invalidValue", "without a path the value must be an object");
    json_object_foreach(value, key, v)
    {
        /* a key may be a path of its own ("name.givenName"); an extension's URN is not for us */
        if (take_path(a, fa_str_of(key), &p, e)) {
            if (e->rc != FA_EINVAL)
                return e->rc;
            continue;
        }
        if ((rc = set_at(a, o, &p, v, adding, e)))
            return rc;
    }
    return FA_OK;
}

static fa_rc one_change(fa_arena *a, json_t *o, const json_t *change, fa_err *e)
{
    const json_t *verb = fa_scim_member(change, FA_STR("op")),
                 *where = fa_scim_member(change, FA_STR("path"));
    json_t *value = fa_scim_member(change, FA_STR("value"));
    const char *name = json_is_string(verb) ? json_string_value(verb) : "";
    bool adding = strcasecmp(name, "add") == 0, removing = strcasecmp(name, "remove") == 0;
    fa_rc rc;
    path p;

    if (!adding && !removing && strcasecmp(name, "replace") != 0)
        return wrong(e, "invalidSyntax", "op must be add, remove or replace");
    if (where && !json_is_null(where) && !json_is_string(where))
        return wrong(e, "invalidPath", "the path must be a text");
    if (!json_is_string(where)) {
        if (removing)
            return wrong(e, "noTarget", "remove wants a path");
        return value ? merge_all(a, o, value, adding, e)
                     : wrong(e, "invalidValue", "the value is missing");
    }
    if ((rc = take_path(a, (fa_str){json_string_value(where), json_string_length(where)}, &p, e)))
        return rc;
    if (removing)
        return remove_at(a, o, &p, value, e);
    return value ? set_at(a, o, &p, value, adding, e)
                 : wrong(e, "invalidValue", "the value is missing");
}

fa_rc fa_scim_patch(fa_arena *a, json_t *resource, const json_t *body, fa_err *e)
{
    const json_t *list = fa_scim_member(body, FA_STR("Operations")), *v;
    size_t i;
    fa_rc rc;

    if (!json_is_array(list) || !json_array_size(list))
        return wrong(e, "invalidSyntax", "Operations must be an array of at least one change");
    if (json_array_size(list) > OPS_MAX)
        return wrong(e, "tooMany", "more than 1,000 changes");
    json_array_foreach(list, i, v)
    {
        if (!json_is_object(v))
            return wrong(e, "invalidSyntax", "each change must be an object");
        if ((rc = one_change(a, resource, v, e)))
            return rc;
    }
    return FA_OK;
}
