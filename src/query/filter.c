/*
 * filter.c - the filter object of api.md 6: JSON in, a tree, JSON out, and the tree as SQL over
 * `line`.
 *
 * The one idea: a leaf is a statement about one value that may be missing. Every leaf's SQL is true
 * or false, never NULL: a missing value makes positive operators false and negative ones true.
 */
#include "query/inner.h"

#include "bill/bill.h"

#include <string.h>

#define MAX_DEPTH 32
#define MAX_LEAVES_V2 30
#define MAX_LEAVES 1000
#define MAX_VALUES 10000
#define MAX_VALUE_BYTES 4096

/* ---- operators ---- */

static const struct {
    const char *name;
    fa_op op;
} op_names[] = {
    {"oneOf", FA_OP_ONE_OF},
    {"is", FA_OP_ONE_OF},
    {"eq", FA_OP_ONE_OF},
    {"equal", FA_OP_ONE_OF},
    {"equals", FA_OP_ONE_OF},
    {"notOneOf", FA_OP_NOT_ONE_OF},
    {"isNot", FA_OP_NOT_ONE_OF},
    {"notIs", FA_OP_NOT_ONE_OF},
    {"not", FA_OP_NOT_ONE_OF},
    {"neq", FA_OP_NOT_ONE_OF},
    {"notEquals", FA_OP_NOT_ONE_OF},
    {"contains", FA_OP_CONTAINS},
    {"notContains", FA_OP_NOT_CONTAINS},
    {"exists", FA_OP_EXISTS},
    {"notExists", FA_OP_NOT_EXISTS},
    {"greaterThan", FA_OP_GREATER},
    {"lessThan", FA_OP_LESS},
};

/* What we write: every API version takes these. */
static const char *const op_out[FA_OP__COUNT] = {
    [FA_OP_ONE_OF] = "oneOf",        [FA_OP_NOT_ONE_OF] = "notOneOf",
    [FA_OP_CONTAINS] = "contains",   [FA_OP_NOT_CONTAINS] = "notContains",
    [FA_OP_EXISTS] = "exists",       [FA_OP_NOT_EXISTS] = "notExists",
    [FA_OP_GREATER] = "greaterThan", [FA_OP_LESS] = "lessThan",
};

/* ---- JSON in ---- */

typedef struct parser {
    const fa_catalog *c;
    fa_arena *a;
    fa_api api;
    size_t leaves;
    bool stored; /* of a document that was proved when it was saved: keys may have gone since */
    fa_err *e;
} parser;

static fa_rc fail_at(fa_err *e, fa_rc rc, const char *path, const char *member, const char *msg)
{
    char field[160];

    snprintf(field, sizeof field, "%s%s%s", path, *path && *member ? "." : "", member);
    (void)fa_fail(e, rc, "%s %s", *field ? field : "the filter", msg);
    return fa_at(e, field);
}

static fa_str json_text(const json_t *v)
{
    return (fa_str){json_string_value(v), json_string_length(v)};
}

/* A member that must be text when it is there. */
static fa_rc read_text(parser *p, const json_t *j, const char *path, const char *name,
                       bool required, fa_str *out)
{
    const json_t *v = json_object_get(j, name);

    *out = (fa_str){"", 0};
    if (!v && !required)
        return FA_OK;
    if (!v)
        return fail_at(p->e, FA_EINVAL, path, name, "is missing");
    if (!json_is_string(v) || (required && json_string_length(v) == 0))
        return fail_at(p->e, FA_EINVAL, path, name, "must be a text");
    *out = json_text(v);
    return FA_OK;
}

static fa_rc read_op(parser *p, const json_t *j, const char *path, fa_op *out)
{
    fa_str name;

    if (read_text(p, j, path, "operator", true, &name))
        return p->e->rc;
    for (size_t i = 0; i < FA_COUNT(op_names); i++)
        if (fa_str_eqz(name, op_names[i].name)) {
            *out = op_names[i].op;
            return FA_OK;
        }
    (void)fail_at(p->e, FA_EINVAL, path, "operator", "is not an operator that is known");
    return fa_hint(p->e, "one of oneOf, notOneOf, is, isNot, notIs, contains, notContains, exists, "
                         "notExists, greaterThan, lessThan");
}

/* The shortest text that reads back as the same number: 1.5 and 1, not 1.50 and 1.0. */
static char *number_text(fa_arena *a, double d)
{
    for (int digits = 1; digits <= 17; digits++) {
        char *z = fa_arena_printf(a, "%.*g", digits, d);
        json_t *back;
        bool same;

        if (!z)
            return NULL;
        back = json_loads(z, JSON_DECODE_ANY, NULL);
        same = back && json_number_value(back) - d >= 0 && json_number_value(back) - d <= 0;
        json_decref(back);
        if (same)
            return z;
    }
    return fa_arena_printf(a, "%.17g", d);
}

static fa_rc read_value(parser *p, const json_t *v, const char *path, fa_str *out)
{
    char *z = NULL;

    if (json_is_string(v)) {
        *out = fa_arena_dup(p->a, json_text(v));
        if (out->n > MAX_VALUE_BYTES)
            return fail_at(p->e, FA_EINVAL, path, "", "is longer than 4,096 bytes");
        if (out->n && memchr(out->p, '\0', out->n))
            return fail_at(p->e, FA_EINVAL, path, "", "must not contain a NUL character");
        return out->p ? FA_OK : fa_oom(p->e);
    }
    if (json_is_integer(v))
        z = fa_arena_printf(p->a, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        z = number_text(p->a, json_real_value(v));
    else if (json_is_boolean(v))
        z = fa_arena_printf(p->a, "%s", json_is_true(v) ? "true" : "false");
    else
        return fail_at(p->e, FA_EINVAL, path, "", "must be a text, a number or true or false");
    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(p->e);
}

static fa_rc read_values(parser *p, const json_t *j, const char *path, fa_filter *f)
{
    const json_t *v = json_object_get(j, "value");
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    fa_str *value;
    char at[160];

    if (!v)
        return fail_at(p->e, FA_EINVAL, path, "value", "is missing");
    if (n > MAX_VALUES)
        return fail_at(p->e, FA_EDATA, path, "value", "must not have more than 10,000 entries");
    value = fa_arena_array(p->a, n + 1, sizeof *value);
    if (!value)
        return fa_oom(p->e);
    for (size_t i = 0; i < n; i++) {
        if (json_is_array(v))
            snprintf(at, sizeof at, "%s%svalue[%zu]", path, *path ? "." : "", i);
        else
            snprintf(at, sizeof at, "%s%svalue", path, *path ? "." : "");
        if (read_value(p, json_is_array(v) ? json_array_get(v, i) : v, at, &value[i]))
            return p->e->rc;
    }
    f->value = value;
    f->nvalue = n;
    return FA_OK;
}

/* Numbers to compare with are kept in a form that the engine reads exactly. */
static fa_rc check_number(parser *p, const char *path, fa_filter *f)
{
    fa_i128 v;
    fa_buf b;
    fa_str *text;

    if (f->nvalue != 1)
        return fail_at(p->e, FA_EINVAL, path, "value", "must be one number");
    if (!fa_dec_parse(f->value[0], false, &v, NULL))
        return fail_at(p->e, FA_EINVAL, path, "value", "must be a number below 1e20");
    fa_buf_init(&b, 128);
    fa_dec_emit(&b, v, 18, 0);
    text = fa_arena_alloc(p->a, sizeof *text);
    if (text)
        *text = fa_buf_dup(&b, p->a);
    fa_buf_release(&b);
    if (!text || !text->p)
        return fa_oom(p->e);
    f->value = text;
    return FA_OK;
}

/* Cost center values are taken in any of their spellings. */
static void spell_centers(fa_filter *f)
{
    fa_str *value = (fa_str *)(uintptr_t)f->value; /* ours: read_values made it */

    if (!fa_str_eqz(f->key->expr, "CostCenter") ||
        (f->op != FA_OP_ONE_OF && f->op != FA_OP_NOT_ONE_OF))
        return;
    for (size_t i = 0; i < f->nvalue; i++) {
        const fa_center *c = fa_center_find(value[i]);

        if (c)
            value[i] = fa_str_of(c->name);
    }
}

static fa_rc find_key(parser *p, const json_t *j, const char *path, const fa_key **out)
{
    fa_str center, key, type;
    bool is_public = p->api == FA_API_V1 || p->api == FA_API_V2;
    char field[160];

    if (read_text(p, j, path, "costCenter", is_public, &center) ||
        read_text(p, j, path, "key", true, &key) || read_text(p, j, path, "type", false, &type))
        return p->e->rc;
    if (p->stored) {
        *out = fa_key_stored(p->c, p->a, center, key, type);
        return FA_OK;
    }
    if (fa_catalog_find(p->c, p->a, p->api, center, key, type, out, p->e) == FA_OK)
        return FA_OK;
    if (p->e->rc == FA_EENV || p->e->rc == FA_EINTERNAL)
        return p->e->rc;
    if (p->api == FA_API_V2 && p->e->rc == FA_EINVAL && strcmp(p->e->field, "type") != 0)
        p->e->rc = FA_EDATA; /* V2: a reference that is well-formed and leads nowhere is 422 */
    snprintf(field, sizeof field, "%.120s%s%.30s", path, *path && *p->e->field ? "." : "",
             p->e->field);
    return fa_at(p->e, field);
}

static fa_rc parse_leaf(parser *p, const json_t *j, const char *path, fa_filter *f)
{
    size_t most = p->api == FA_API_V2 ? MAX_LEAVES_V2 : MAX_LEAVES;
    char msg[96];

    f->kind = FA_F_LEAF;
    if (++p->leaves > most) {
        snprintf(msg, sizeof msg, "is condition number %zu: a query takes at most %zu", p->leaves,
                 most);
        return fail_at(p->e, FA_EDATA, path, "", msg);
    }
    if (read_op(p, j, path, &f->op) || find_key(p, j, path, &f->key))
        return p->e->rc;
    if (f->op == FA_OP_EXISTS || f->op == FA_OP_NOT_EXISTS)
        return FA_OK;
    if (read_values(p, j, path, f))
        return p->e->rc;
    if (f->op == FA_OP_GREATER || f->op == FA_OP_LESS)
        return check_number(p, path, f);
    spell_centers(f);
    return FA_OK;
}

static fa_rc parse_any(parser *p, const json_t *j, const char *path, int depth,
                       const fa_filter **out);

static fa_rc parse_group(parser *p, const json_t *j, const char *name, const char *path, int depth,
                         fa_filter *f)
{
    const json_t *list = json_object_get(j, name);
    size_t n = json_array_size(list);
    const fa_filter **kid;
    char at[160];

    if (!json_is_array(list))
        return fail_at(p->e, FA_EINVAL, path, name, "must be an array of conditions");
    if (json_object_size(j) != 1)
        return fail_at(p->e, FA_EINVAL, path, "", "has members beside AND or OR");
    f->kind = strcmp(name, "AND") == 0 ? (n ? FA_F_AND : FA_F_TRUE) : (n ? FA_F_OR : FA_F_FALSE);
    if (n > 100000)
        return fail_at(p->e, FA_EDATA, path, name, "has too many entries");
    kid = fa_arena_array(p->a, n + 1, sizeof *kid);
    if (!kid)
        return fa_oom(p->e);
    for (size_t i = 0; i < n; i++) {
        snprintf(at, sizeof at, "%s%s%s[%zu]", path, *path ? "." : "", name, i);
        if (parse_any(p, json_array_get(list, i), at, depth + 1, &kid[i]))
            return p->e->rc;
    }
    f->kid = kid;
    f->nkid = n;
    return FA_OK;
}

static fa_rc parse_any(parser *p, const json_t *j, const char *path, int depth,
                       const fa_filter **out)
{
    static const char *const wrong[] = {"and",    "or",      "And", "Or",
                                        "filter", "filters", "not", "NOT"};
    fa_filter *f = fa_arena_alloc(p->a, sizeof *f);
    bool is_and, is_or;

    if (!f)
        return fa_oom(p->e);
    *out = f;
    if (depth > MAX_DEPTH)
        return fail_at(p->e, p->api == FA_API_V2 ? FA_EDATA : FA_EINVAL, path, "",
                       "is nested more than 32 deep");
    if (!json_is_object(j))
        return fail_at(p->e, FA_EINVAL, path, "", "must be an object");
    is_and = json_object_get(j, "AND") != NULL;
    is_or = json_object_get(j, "OR") != NULL;
    if (is_and && is_or)
        return fail_at(p->e, FA_EINVAL, path, "", "has both AND and OR");
    if (is_and || is_or)
        return parse_group(p, j, is_and ? "AND" : "OR", path, depth, f);
    for (size_t i = 0; i < FA_COUNT(wrong); i++)
        if (json_object_get(j, wrong[i]))
            return fail_at(p->e, FA_EINVAL, path, wrong[i], "is not known: groups are AND and OR");
    if (json_object_size(j) == 0) {
        f->kind = FA_F_TRUE;
        return FA_OK;
    }
    return parse_leaf(p, j, path, f);
}

static const fa_filter everything = {.kind = FA_F_TRUE};

static fa_rc parse_whole(parser *p, const json_t *j, const char *path, const fa_filter **out)
{
    fa_rc rc;

    *out = &everything;
    if (!j || json_is_null(j))
        return FA_OK;
    rc = parse_any(p, j, path ? path : "", 1, out);
    if (rc)
        *out = NULL;
    return rc;
}

fa_rc fa_filter_parse(const fa_catalog *c, fa_arena *a, fa_api api, const json_t *j,
                      const char *path, const fa_filter **out, fa_err *e)
{
    fa_err scratch;
    parser p = {.c = c, .a = a, .api = api, .e = e ? e : &scratch};

    return parse_whole(&p, j, path, out);
}

fa_rc fa_filter_stored(const fa_catalog *c, fa_arena *a, const json_t *j, const char *path,
                       const fa_filter **out, fa_err *e)
{
    parser p = {.c = c, .a = a, .api = FA_API_INTERNAL, .stored = true, .e = e};

    return parse_whole(&p, j, path, out);
}

fa_rc fa_filter_and(fa_arena *a, const fa_filter *x, const fa_filter *y, const fa_filter **out,
                    fa_err *e)
{
    fa_filter *f;
    const fa_filter **kid;

    if (!x || x->kind == FA_F_TRUE || !y || y->kind == FA_F_TRUE) {
        *out = !x || x->kind == FA_F_TRUE ? y : x;
        return FA_OK;
    }
    f = fa_arena_alloc(a, sizeof *f);
    kid = fa_arena_array(a, 2, sizeof *kid);
    if (!f || !kid)
        return fa_oom(e);
    kid[0] = x;
    kid[1] = y;
    *f = (fa_filter){.kind = FA_F_AND, .kid = kid, .nkid = 2};
    *out = f;
    return FA_OK;
}

/* ---- JSON out ---- */

static void put_leaf_json(fa_jw *w, fa_api api, const fa_filter *f)
{
    const fa_key *k = f->key;

    fa_jw_obj(w);
    fa_jw_key(w, "costCenter");
    fa_jw_str(w, api == FA_API_INTERNAL ? k->cost_center_id : k->cost_center);
    fa_jw_key(w, "key");
    fa_jw_str(w, api == FA_API_V1 ? k->key_v1 : k->key);
    if (api != FA_API_V1) {
        fa_jw_key(w, "type");
        fa_jw_z(w, fa_key_type_name(k->type, api));
    }
    if (api == FA_API_INTERNAL) {
        fa_jw_key(w, "path");
        fa_jw_str(w, k->path);
    }
    fa_jw_key(w, "operator");
    fa_jw_z(w, op_out[f->op]);
    if (f->op != FA_OP_EXISTS && f->op != FA_OP_NOT_EXISTS) {
        bool is_list = f->op == FA_OP_ONE_OF || f->op == FA_OP_NOT_ONE_OF || f->nvalue != 1;

        fa_jw_key(w, "value");
        if (is_list)
            fa_jw_arr(w);
        for (size_t i = 0; i < f->nvalue; i++)
            fa_jw_str(w, f->value[i]);
        if (is_list)
            fa_jw_end_arr(w);
    }
    fa_jw_end_obj(w);
}

void fa_filter_json(fa_jw *w, fa_api api, const fa_filter *f)
{
    if (f && f->kind == FA_F_LEAF) {
        put_leaf_json(w, api, f);
        return;
    }
    fa_jw_obj(w);
    fa_jw_key(w, f && (f->kind == FA_F_OR || f->kind == FA_F_FALSE) ? "OR" : "AND");
    fa_jw_arr(w);
    for (size_t i = 0; f && i < f->nkid; i++)
        fa_filter_json(w, api, f->kid[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

/* ---- SQL ---- */

/* A column of line is never empty text (ledger.h); what comes out of a map or an expression may be. */
static bool is_column(fa_str expr)
{
    const fa_column *c = fa_column_find(expr);

    return (c && c->kind == FA_C_DIM) || fa_str_eqz(expr, "CostCenter");
}

static void put_value(fa_buf *b, const fa_key *k)
{
    if (is_column(k->expr))
        fa_buf_str(b, k->expr);
    else
        fa_buf_fmt(b, "nullif(%.*s, '')", FA_FMT(k->expr));
}

static void put_in(fa_buf *b, const fa_filter *f)
{
    if (f->nvalue == 0) {
        fa_buf_z(b, "false");
        return;
    }
    fa_buf_z(b, "coalesce(");
    put_value(b, f->key);
    fa_buf_z(b, " IN (");
    for (size_t i = 0; i < f->nvalue; i++) {
        fa_buf_z(b, i ? ", " : "");
        fa_buf_sql_text(b, f->value[i]);
    }
    fa_buf_z(b, "), false)");
}

static void put_contains(fa_buf *b, const fa_filter *f)
{
    fa_buf_z(b, "coalesce(false");
    for (size_t i = 0; i < f->nvalue; i++) {
        fa_buf_z(b, " OR contains(lower(");
        put_value(b, f->key);
        fa_buf_z(b, "), lower(");
        fa_buf_sql_text(b, f->value[i]);
        fa_buf_z(b, "))");
    }
    fa_buf_z(b, ", false)");
}

static void put_leaf(fa_buf *b, const fa_filter *f)
{
    switch (f->op) {
    case FA_OP_NOT_ONE_OF:
        fa_buf_z(b, "NOT ");
        put_in(b, f);
        break;
    case FA_OP_ONE_OF:
        put_in(b, f);
        break;
    case FA_OP_NOT_CONTAINS:
        fa_buf_z(b, "NOT ");
        put_contains(b, f);
        break;
    case FA_OP_CONTAINS:
        put_contains(b, f);
        break;
    case FA_OP_EXISTS:
    case FA_OP_NOT_EXISTS:
        put_value(b, f->key);
        fa_buf_z(b, f->op == FA_OP_EXISTS ? " IS NOT NULL" : " IS NULL");
        break;
    default:
        fa_buf_z(b, "coalesce(try_cast(");
        put_value(b, f->key);
        fa_buf_z(b, f->op == FA_OP_GREATER ? " AS DECIMAL(38,18)) > " : " AS DECIMAL(38,18)) < ");
        fa_buf_sql_text(b, f->value[0]);
        fa_buf_z(b, "::DECIMAL(38,18), false)");
    }
}

void fa_put_filter(fa_buf *b, const fa_filter *f)
{
    switch (f ? f->kind : FA_F_TRUE) {
    case FA_F_TRUE:
        fa_buf_z(b, "true");
        break;
    case FA_F_FALSE:
        fa_buf_z(b, "false");
        break;
    case FA_F_LEAF:
        fa_buf_c(b, '(');
        put_leaf(b, f);
        fa_buf_c(b, ')');
        break;
    default:
        fa_buf_c(b, '(');
        for (size_t i = 0; i < f->nkid; i++) {
            if (i)
                fa_buf_z(b, f->kind == FA_F_AND ? " AND " : " OR ");
            fa_put_filter(b, f->kid[i]);
        }
        fa_buf_c(b, ')');
    }
}
