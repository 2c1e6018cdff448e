/*
 * parse.c - one tag's document (doc/page-api.md "Virtual tags") into the keys it gives.
 *
 * A document is proved once, here: shapes, texts, days, percentages, order of reallocation. Whether a
 * key or an operator of a filter exists is not: only query/ knows the bill.
 */
#include "allocate/inner.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32, MAX_TARGETS = 10000, PATH_SIZE = 160 };
#define DAY_MS 86400000LL

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v), json_string_length(v)};
}

FA_PRINTF(5, 6)
static fa_rc fail_at(fa_err *e, fa_rc rc, const fa_doc *d, const char *path, const char *fmt, ...)
{
    char text[700], field[PATH_SIZE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    snprintf(field, sizeof field, "%s%s", d->at, path);
    (void)fa_fail(e, rc, "%s %s", *field ? field : "the virtual tag", text);
    return fa_at(e, field);
}

bool fa_is_virtual(fa_str cost_center, fa_str type)
{
    return fa_str_ieq(cost_center, FA_STR("virtualTag")) ||
           fa_str_ieq(cost_center, FA_STR("Virtual Tags")) ||
           (!cost_center.n && fa_str_eqz(type, "virtual_tag"));
}

/* ---- texts and keys ---- */

/* A text people will see as a value: trimmed, not empty, without control characters. */
static fa_rc read_value(const fa_doc *d, const json_t *v, const char *path, fa_str *out, fa_err *e)
{
    if (!json_is_string(v))
        return fail_at(e, FA_EINVAL, d, path, v ? "must be a text" : "is missing");
    *out = fa_str_trim(text_of(v));
    if (!out->n || out->n > FA_TAG_TEXT_MAX)
        return fail_at(e, FA_EINVAL, d, path, "must have 1 to %d bytes of text", FA_TAG_TEXT_MAX);
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ')
            return fail_at(e, FA_EINVAL, d, path, "must not contain control characters");
    return FA_OK;
}

static fa_rc read_member(const fa_doc *d, const json_t *o, const char *path, const char *name,
                         bool required, fa_str *out, fa_err *e)
{
    const json_t *v = json_object_get(o, name);
    char at[PATH_SIZE];

    *out = (fa_str){"", 0};
    if (!required && (!v || json_is_null(v)))
        return FA_OK;
    snprintf(at, sizeof at, "%s%s%s", path, *path ? "." : "", name);
    if (!required && json_is_string(v) && !json_string_length(v))
        return FA_OK;
    return read_value(d, v, at, out, e);
}

static fa_rc add_read(fa_arena *a, fa_doc *d, fa_str id, fa_err *e)
{
    for (size_t i = 0; i < d->nreads; i++)
        if (fa_str_eq(d->reads[i], id))
            return FA_OK;
    if (d->nreads == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 8;
        fa_str *more = fa_arena_array(a, cap, sizeof *more);

        if (!more)
            return fa_oom(e);
        if (d->nreads)
            memcpy(more, d->reads, d->nreads * sizeof *more);
        d->reads = more;
        d->cap = cap;
    }
    d->reads[d->nreads++] = id;
    return FA_OK;
}

static fa_rc read_key(fa_arena *a, fa_doc *d, const json_t *v, const char *path, fa_tag_key *out,
                      fa_err *e)
{
    if (!json_is_object(v))
        return fail_at(e, FA_EINVAL, d, path,
                       v ? "must be a key: {costCenter, key, type}" : "is missing");
    if (read_member(d, v, path, "costCenter", true, &out->cost_center, e) ||
        read_member(d, v, path, "key", true, &out->key, e) ||
        read_member(d, v, path, "type", false, &out->type, e))
        return e->rc;
    return fa_is_virtual(out->cost_center, out->type) ? add_read(a, d, out->key, e) : FA_OK;
}

static fa_rc read_to(fa_arena *a, fa_doc *d, const json_t *v, const char *path, fa_tag_to *out,
                     fa_err *e)
{
    if (json_is_object(v)) {
        out->is_key = true;
        return read_key(a, d, v, path, &out->key, e);
    }
    if (v && !json_is_string(v))
        return fail_at(e, FA_EINVAL, d, path, "must be a text or a key");
    return read_value(d, v, path, &out->text, e);
}

/* ---- filters: only which tags they read ---- */

static fa_rc walk_filter(fa_arena *a, fa_doc *d, const json_t *f, const char *path, int depth,
                         fa_err *e)
{
    static const char *const groups[] = {"AND", "OR"};
    fa_str center, key, type;

    if (depth > MAX_DEPTH)
        return fail_at(e, FA_EINVAL, d, path, "is nested more than %d deep", MAX_DEPTH);
    if (!json_is_object(f))
        return fail_at(e, FA_EINVAL, d, path, f ? "must be an object" : "is missing");
    for (size_t g = 0; g < FA_COUNT(groups); g++) {
        const json_t *list = json_object_get(f, groups[g]), *kid;
        size_t i;

        if (list && !json_is_array(list))
            return fail_at(e, FA_EINVAL, d, path, "must have an array in %s", groups[g]);
        json_array_foreach(list, i, kid)
        {
            char at[PATH_SIZE];

            snprintf(at, sizeof at, "%.120s.%s[%zu]", path, groups[g], i);
            if (walk_filter(a, d, kid, at, depth + 1, e))
                return e->rc;
        }
    }
    if (read_member(d, f, path, "costCenter", false, &center, e) ||
        read_member(d, f, path, "type", false, &type, e))
        return e->rc;
    if (!fa_is_virtual(center, type))
        return FA_OK;
    if (read_member(d, f, path, "key", true, &key, e))
        return e->rc;
    return add_read(a, d, key, e);
}

/* ---- rules ---- */

/* The first day whose midnight is at or after `ms`: both ends of a half-open time frame. */
static int32_t day_from(int64_t ms)
{
    int32_t day = fa_ms_day(ms);

    return (int64_t)day * DAY_MS == ms ? day : day + 1;
}

static fa_rc read_instant(const fa_doc *d, const json_t *v, const char *path, int64_t *out,
                          fa_err *e)
{
    *out = json_integer_value(v);
    if (json_is_integer(v) && *out >= -62135596800000LL && *out <= 253402300799999LL)
        return FA_OK;
    return fail_at(e, FA_EINVAL, d, path,
                   v ? "must be epoch milliseconds, a whole number" : "is missing");
}

static fa_rc read_frame(const fa_doc *d, const json_t *v, const char *path, fa_tag_rule *r,
                        fa_err *e)
{
    const json_t *to = json_object_get(v, "to");
    char at[PATH_SIZE];
    int64_t first, end;

    r->from = FA_DAY_MIN;
    r->to_day = FA_DAY_MAX;
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_object(v))
        return fail_at(e, FA_EINVAL, d, path, "must be {from, to}");
    snprintf(at, sizeof at, "%s.from", path);
    if (read_instant(d, json_object_get(v, "from"), at, &first, e))
        return e->rc;
    r->from = day_from(first);
    if (!to || json_is_null(to))
        return FA_OK;
    snprintf(at, sizeof at, "%s.to", path);
    if (read_instant(d, to, at, &end, e))
        return e->rc;
    if (end <= first)
        return fail_at(e, FA_EDATA, d, at, "must be later than from");
    r->to_day = day_from(end);
    return FA_OK;
}

static fa_rc read_rules(fa_arena *a, fa_doc *d, const fa_tag_rule **out, size_t *n, fa_err *e)
{
    const json_t *list = json_object_get(d->json, "rules"), *v;
    fa_tag_rule *rule;
    size_t i;

    *n = json_array_size(list);
    if (list && !json_is_null(list) && !json_is_array(list))
        return fail_at(e, FA_EINVAL, d, "rules", "must be an array");
    if (*n > FA_TAG_RULES_MAX)
        return fail_at(e, FA_EDATA, d, "rules",
                       "has %zu rules; a virtual tag may have at most 1,000", *n);
    if (!(rule = fa_arena_array(a, *n + 1, sizeof *rule)))
        return fa_oom(e);
    json_array_foreach(list, i, v)
    {
        char at[PATH_SIZE];

        snprintf(at, sizeof at, "rules[%zu]", i);
        if (!json_is_object(v))
            return fail_at(e, FA_EINVAL, d, at, "must be an object");
        snprintf(at, sizeof at, "rules[%zu].to", i);
        if (read_to(a, d, json_object_get(v, "to"), at, &rule[i].to, e))
            return e->rc;
        rule[i].filters = json_object_get(v, "filters");
        snprintf(at, sizeof at, "rules[%zu].filters", i);
        if (walk_filter(a, d, rule[i].filters, at, 1, e))
            return e->rc;
        snprintf(at, sizeof at, "rules[%zu].timeframe", i);
        if (read_frame(d, json_object_get(v, "timeframe"), at, &rule[i], e))
            return e->rc;
    }
    *out = rule;
    return FA_OK;
}

static fa_rc read_default(fa_arena *a, fa_doc *d, fa_tag_to *out, fa_err *e)
{
    const json_t *v = json_object_get(d->json, "defaultValue");

    *out = (fa_tag_to){.text = FA_STR("Untagged")};
    return !v || json_is_null(v) ? FA_OK : read_to(a, d, v, "defaultValue", out, e);
}

/* ---- reallocation ---- */

static fa_rc read_day(const fa_doc *d, const json_t *o, const char *path, const char *name,
                      int32_t open, int32_t *out, fa_err *e)
{
    const json_t *v = json_object_get(o, name);
    char at[PATH_SIZE];

    *out = open;
    if (!v || json_is_null(v) || (json_is_string(v) && fa_day_parse(text_of(v), out)))
        return FA_OK;
    snprintf(at, sizeof at, "%s.%s", path, name);
    return fail_at(e, FA_EINVAL, d, at, "must be a day, YYYY-MM-DD");
}

/* 0 to 100 in billionths of a percent; the number's own nine decimals, without arithmetic on it. */
static fa_rc read_percent(const fa_doc *d, const json_t *v, const char *path, int64_t *out,
                          fa_err *e)
{
    char text[64];
    fa_i128 e18 = -1;

    if (json_is_integer(v))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(text, sizeof text, "%.9f", json_real_value(v));
    else
        snprintf(text, sizeof text, "%s", json_is_string(v) ? json_string_value(v) : "");
    if (!fa_dec_parse(fa_str_of(text), false, &e18, NULL) || e18 < 0 || e18 > 100 * FA_E18)
        return fail_at(e, FA_EINVAL, d, path,
                       v ? "must be a percentage from 0 to 100" : "is missing");
    *out = (int64_t)fa_dec_round(e18, 9);
    return FA_OK;
}

/* On no day more than 100 %, and no target twice. The sum can only grow where a share begins. */
static fa_rc check_shares(const fa_doc *d, const char *path, const fa_alloc_share *s, size_t n,
                          fa_err *e)
{
    for (size_t i = 0; i < n; i++) {
        int64_t sum = 0;
        fa_buf b = {0};

        for (size_t k = 0; k < n; k++) {
            if (s[k].from > s[i].from || s[k].to < s[i].from)
                continue;
            sum += s[k].percent_e9;
            if (k != i && fa_str_eq(s[k].target, s[i].target))
                return fail_at(e, FA_EDATA, d, path, "names \"%.*s\" twice for the same days",
                               FA_FMT(s[i].target));
        }
        if (sum <= 100000000000LL)
            continue;
        fa_dec_emit(&b, sum, 9, 0);
        (void)fail_at(e, FA_EDATA, d, path, "adds up to %s %%; at most 100 %% can be moved",
                      b.p ? b.p : "more");
        fa_buf_release(&b);
        return e->rc;
    }
    return FA_OK;
}

static fa_rc read_shares(fa_arena *a, const fa_doc *d, const json_t *data, const char *path,
                         fa_allocation *x, fa_err *e)
{
    const json_t *list = json_object_get(data, "tags"), *v;
    size_t n = json_array_size(list), i;
    fa_alloc_share *s;
    char at[PATH_SIZE];

    snprintf(at, sizeof at, "%s.data.tags", path);
    if (!json_is_array(list) || !n || n > FA_TAG_SHARES_MAX)
        return fail_at(e, FA_EINVAL, d, at, "must be an array of 1 to %d percentages",
                       FA_TAG_SHARES_MAX);
    if (!(s = fa_arena_array(a, n, sizeof *s)))
        return fa_oom(e);
    json_array_foreach(list, i, v)
    {
        char one[PATH_SIZE];

        snprintf(at, sizeof at, "%s.data.tags[%zu]", path, i);
        snprintf(one, sizeof one, "%s.data.tags[%zu].value", path, i);
        if (read_member(d, v, at, "key", true, &s[i].target, e) ||
            read_percent(d, json_object_get(v, "value"), one, &s[i].percent_e9, e) ||
            read_day(d, v, at, "from", FA_DAY_MIN, &s[i].from, e) ||
            read_day(d, v, at, "to", FA_DAY_MAX, &s[i].to, e))
            return e->rc;
        if (s[i].to < s[i].from)
            return fail_at(e, FA_EDATA, d, at, "ends before it begins");
        if (fa_str_eq(s[i].target, x->source))
            return fail_at(
                e, FA_EDATA, d, at,
                "sends the cost of \"%.*s\" to itself; what is not given away stays there",
                FA_FMT(x->source));
    }
    x->share = s;
    x->nshare = n;
    snprintf(at, sizeof at, "%s.data.tags", path);
    return check_shares(d, at, s, n, e);
}

static fa_rc read_targets(fa_arena *a, const fa_doc *d, const json_t *data, const char *path,
                          fa_allocation *x, fa_err *e)
{
    const json_t *list = json_object_get(data, "targets"), *v;
    size_t n = json_array_size(list), i;
    fa_str *t;
    fa_map *seen;
    char at[PATH_SIZE];
    fa_rc rc = FA_OK;

    snprintf(at, sizeof at, "%s.data.targets", path);
    if (list && !json_is_null(list) && (!json_is_array(list) || n > MAX_TARGETS))
        return fail_at(e, FA_EINVAL, d, at, "must be an array of at most %d values", MAX_TARGETS);
    if (!n)
        return FA_OK;
    if (!(t = fa_arena_array(a, n, sizeof *t)) || !(seen = fa_map_new()))
        return fa_oom(e);
    json_array_foreach(list, i, v)
    {
        bool added = false;
        size_t was;

        snprintf(at, sizeof at, "%s.data.targets[%zu]", path, i);
        if ((rc = read_value(d, v, at, &t[i], e)))
            break;
        if (fa_str_eq(t[i], x->source))
            rc = fail_at(e, FA_EDATA, d, at, "is the value whose cost is moved");
        else if (!fa_map_add(seen, t[i], i, &was, &added))
            rc = fa_oom(e);
        else if (!added)
            rc = fail_at(e, FA_EDATA, d, at, "is there twice");
        if (rc)
            break;
    }
    fa_map_free(seen);
    x->target = t;
    x->ntarget = n;
    return rc;
}

static fa_rc read_metric(fa_arena *a, fa_doc *d, const json_t *data, const char *path,
                         fa_allocation *x, fa_err *e)
{
    const json_t *carry = json_object_get(data, "carryDays"),
                 *key = json_object_get(data, "joinKey");
    char in[PATH_SIZE], at[PATH_SIZE];

    snprintf(in, sizeof in, "%s.data", path);
    if (read_member(d, data, in, "kpiCenterId", true, &x->telemetry, e) ||
        read_member(d, data, in, "metricName", true, &x->metric, e) ||
        read_member(d, data, in, "field", false, &x->field, e) ||
        read_member(d, data, in, "joinField", false, &x->join_field, e))
        return e->rc;
    x->carry_days = 7;
    if (carry && !json_is_null(carry)) {
        snprintf(at, sizeof at, "%s.carryDays", in);
        if (!json_is_integer(carry) || json_integer_value(carry) < 0 ||
            json_integer_value(carry) > 366)
            return fail_at(e, FA_EINVAL, d, at, "must be a whole number of days from 0 to 366");
        x->carry_days = (int)json_integer_value(carry);
    }
    if (!x->join_field.n)
        return FA_OK;
    snprintf(at, sizeof at, "%s.joinKey", in);
    return read_key(a, d, key, at, &x->join_key, e);
}

static fa_rc read_allocation(fa_arena *a, fa_doc *d, const json_t *v, const char *path,
                             fa_allocation *x, bool *active, fa_err *e)
{
    static const struct {
        const char *name;
        fa_alloc_kind kind;
    } kinds[] = {{"even", FA_ALLOC_EVEN},
                 {"proportional", FA_ALLOC_PROPORTIONAL},
                 {"metric", FA_ALLOC_METRIC},
                 {"fixed", FA_ALLOC_FIXED}};
    const json_t *on = json_object_get(v, "active"), *data = json_object_get(v, "data");
    char at[PATH_SIZE];
    fa_str type;
    size_t k = 0;

    if (!json_is_object(v))
        return fail_at(e, FA_EINVAL, d, path, "must be an object");
    if (read_member(d, v, path, "name", true, &x->source, e) ||
        read_member(d, v, path, "type", true, &type, e))
        return e->rc;
    while (k < FA_COUNT(kinds) && !fa_str_eqz(type, kinds[k].name))
        k++;
    snprintf(at, sizeof at, "%s.type", path);
    if (k == FA_COUNT(kinds))
        return fail_at(e, FA_EINVAL, d, at, "must be even, proportional, metric or fixed");
    x->kind = kinds[k].kind;
    snprintf(at, sizeof at, "%s.active", path);
    if (on && !json_is_null(on) && !json_is_boolean(on))
        return fail_at(e, FA_EINVAL, d, at, "must be true or false");
    *active = !json_is_false(on);
    snprintf(at, sizeof at, "%s.data", path);
    if (data && !json_is_null(data) && !json_is_object(data))
        return fail_at(e, FA_EINVAL, d, at, "must be an object");
    if (x->kind == FA_ALLOC_METRIC)
        return read_metric(a, d, data, path, x, e);
    if (x->kind == FA_ALLOC_FIXED)
        return read_shares(a, d, data, path, x, e);
    if (read_targets(a, d, data, path, x, e))
        return e->rc;
    snprintf(at, sizeof at, "%s.data.filters", path);
    if (x->kind == FA_ALLOC_PROPORTIONAL && json_is_object(json_object_get(data, "filters"))) {
        x->basis = json_object_get(data, "filters");
        return walk_filter(a, d, x->basis, at, 1, e);
    }
    return FA_OK;
}

/* A later entry sees the result of earlier ones, so cost would go round (inform.md 7.7). */
static fa_rc check_chain(const fa_doc *d, const fa_allocation *x, const size_t *place, size_t n,
                         fa_err *e)
{
    char at[PATH_SIZE];

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            snprintf(at, sizeof at, "allocations[%zu]", place[i]);
            if (fa_str_eq(x[k].source, x[i].source))
                return fail_at(e, FA_EDATA, d, at,
                               "moves \"%.*s\", as entry %zu does; a value has one active strategy",
                               FA_FMT(x[i].source), place[k] + 1);
            for (size_t t = 0; t < x[i].ntarget + x[i].nshare; t++) {
                fa_str to = t < x[i].ntarget ? x[i].target[t] : x[i].share[t - x[i].ntarget].target;

                if (fa_str_eq(to, x[k].source))
                    return fail_at(e, FA_EDATA, d, at,
                                   "sends cost to \"%.*s\", which entry %zu has given away "
                                   "already: \"%.*s\" -> \"%.*s\"",
                                   FA_FMT(to), place[k] + 1, FA_FMT(x[i].source), FA_FMT(to));
            }
        }
    return FA_OK;
}

static fa_rc read_allocations(fa_arena *a, fa_doc *d, fa_tag *t, fa_err *e)
{
    const json_t *list = json_object_get(d->json, "allocations"), *v;
    size_t n = json_array_size(list), i, kept = 0;
    fa_allocation *x;
    size_t *place;

    if (list && !json_is_null(list) && !json_is_array(list))
        return fail_at(e, FA_EINVAL, d, "allocations", "must be an array");
    if (n > FA_TAG_RULES_MAX)
        return fail_at(e, FA_EDATA, d, "allocations", "must not have more than %d entries",
                       FA_TAG_RULES_MAX);
    if (!(x = fa_arena_array(a, n + 1, sizeof *x)) ||
        !(place = fa_arena_array(a, n + 1, sizeof *place)))
        return fa_oom(e);
    json_array_foreach(list, i, v)
    {
        char at[PATH_SIZE];
        bool active = true;

        snprintf(at, sizeof at, "allocations[%zu]", i);
        x[kept] = (fa_allocation){0};
        if (read_allocation(a, d, v, at, &x[kept], &active, e))
            return e->rc;
        place[kept] = i;
        kept += active;
    }
    t->alloc = x;
    t->nalloc = kept;
    return check_chain(d, x, place, kept, e);
}

/* ---- kinds ---- */

static fa_rc must_be_none(const fa_doc *d, const char *member, const char *kind, fa_err *e)
{
    const json_t *v = json_object_get(d->json, member);

    if (!v || json_is_null(v) || (json_is_array(v) && !json_array_size(v)))
        return FA_OK;
    return fail_at(e, FA_EINVAL, d, member, "must be empty: a %s tag has none", kind);
}

static fa_rc read_flag(const fa_doc *d, const json_t *o, const char *path, const char *name,
                       bool *out, fa_err *e)
{
    const json_t *v = json_object_get(o, name);
    char at[PATH_SIZE];

    *out = json_is_true(v);
    if (!v || json_is_null(v) || json_is_boolean(v))
        return FA_OK;
    snprintf(at, sizeof at, "%s.%s", path, name);
    return fail_at(e, FA_EINVAL, d, at, "must be true or false");
}

/* A uuid: the key that is grouped by. */
static fa_rc read_id(const fa_doc *d, const json_t *o, const char *path, fa_str *out, fa_err *e)
{
    char at[PATH_SIZE];

    if (read_member(d, o, path, "id", true, out, e))
        return e->rc;
    snprintf(at, sizeof at, "%s%sid", path, *path ? "." : "");
    return fa_uuid_valid(*out) ? FA_OK : fail_at(e, FA_EINVAL, d, at, "must be a UUID");
}

static fa_rc read_name(const fa_doc *d, const json_t *o, const char *path, fa_str *out, fa_err *e)
{
    char at[PATH_SIZE];

    if (read_member(d, o, path, "name", true, out, e))
        return e->rc;
    snprintf(at, sizeof at, "%s%sname", path, *path ? "." : "");
    return out->n <= FA_TAG_NAME_MAX
               ? FA_OK
               : fail_at(e, FA_EINVAL, d, at, "must have 1 to %d bytes of text", FA_TAG_NAME_MAX);
}

static fa_rc read_rules_tag(fa_arena *a, fa_doc *d, fa_tag *t, fa_err *e)
{
    if (read_default(a, d, &t->dflt, e) || read_rules(a, d, &t->rule, &t->nrule, e))
        return e->rc;
    return read_allocations(a, d, t, e);
}

static void take_rows(const fa_doc *d, size_t level, fa_tag *t)
{
    if (!d->rows || level >= d->rows->nlevel)
        return;
    t->row = d->rows->row[level];
    t->nrow = d->rows->n[level];
}

static fa_rc own_rows(fa_doc *d, const json_t *o, size_t nlevel, bool ignore_case, fa_err *e)
{
    const json_t *list = json_object_get(o, "rows");
    fa_tag_rows *rows = NULL;

    if (!list || json_is_null(list))
        return FA_OK;
    if (fa_tag_rows_inline(list, nlevel, d->is_tree, ignore_case, &rows, e))
        return fa_at(e, d->is_tree ? "hierarchy.rows" : "dictionary.rows");
    fa_rows_unref(d->rows);
    d->rows = rows;
    return FA_OK;
}

/* Where rows come from by themselves. */
static fa_rc check_feed(const fa_doc *d, const json_t *o, const char *in, fa_err *e)
{
    const json_t *feed = json_object_get(o, "feed");
    fa_str type, file, url;
    char at[PATH_SIZE];

    snprintf(at, sizeof at, "%s.feed", in);
    if (!feed || json_is_null(feed))
        return FA_OK;
    if (!json_is_object(feed))
        return fail_at(e, FA_EINVAL, d, at, "must be {type, file or url}");
    if (read_member(d, feed, at, "type", true, &type, e) ||
        read_member(d, feed, at, "file", fa_str_eqz(type, "file"), &file, e) ||
        read_member(d, feed, at, "url", fa_str_eqz(type, "url"), &url, e))
        return e->rc;
    if (!fa_str_eqz(type, "upload") && !fa_str_eqz(type, "file") && !fa_str_eqz(type, "url"))
        return fail_at(e, FA_EINVAL, d, at, "has a type that is not upload, file or url");
    if (file.n && !fa_feed_name_ok(file))
        return fail_at(e, FA_EINVAL, d, at, "must name a file of the drop folder, without a path");
    if (url.n && !fa_str_starts(url, FA_STR("https://")) && !fa_str_starts(url, FA_STR("http://")))
        return fail_at(e, FA_EINVAL, d, at, "must have an address that starts with https://");
    return FA_OK;
}

static fa_rc read_dictionary(fa_arena *a, fa_doc *d, fa_tag *t, fa_err *e)
{
    const json_t *o = json_object_get(d->json, "dictionary");

    if (!json_is_object(o))
        return fail_at(e, FA_EINVAL, d, "dictionary", o ? "must be an object" : "is missing");
    if (must_be_none(d, "rules", "dictionary", e) || read_default(a, d, &t->dflt, e) ||
        read_key(a, d, json_object_get(o, "source"), "dictionary.source", &t->source, e) ||
        read_flag(d, o, "dictionary", "ignoreCase", &t->ignore_case, e) ||
        check_feed(d, o, "dictionary", e) || own_rows(d, o, 1, t->ignore_case, e) ||
        read_allocations(a, d, t, e))
        return e->rc;
    t->kind = FA_TAG_DICTIONARY;
    take_rows(d, 0, t);
    return FA_OK;
}

/* The named parts of a relation or a hierarchy: 1 to 8, each with an id of its own. */
static fa_rc read_parts(fa_arena *a, fa_doc *d, const json_t *o, const char *list_name,
                        const char *in, fa_err *e)
{
    const json_t *list = json_object_get(o, list_name), *v;
    size_t n = json_array_size(list), i;
    char at[PATH_SIZE];

    snprintf(at, sizeof at, "%s.%s", in, list_name);
    if (!json_is_array(list) || !n || n > FA_TAG_LEVELS_MAX)
        return fail_at(e, FA_EINVAL, d, at, "must be an array of 1 to %d entries",
                       FA_TAG_LEVELS_MAX);
    if (!(d->tag = fa_arena_array(a, n, sizeof *d->tag)))
        return fa_oom(e);
    d->ntag = n;
    json_array_foreach(list, i, v)
    {
        snprintf(at, sizeof at, "%s.%s[%zu]", in, list_name, i);
        if (!json_is_object(v))
            return fail_at(e, FA_EINVAL, d, at, "must be an object");
        if (read_id(d, v, at, &d->tag[i].id, e) || read_name(d, v, at, &d->tag[i].name, e))
            return e->rc;
        for (size_t k = 0; k < i; k++)
            if (fa_str_eq(d->tag[k].id, d->tag[i].id) || fa_str_ieq(d->tag[k].name, d->tag[i].name))
                return fail_at(e, FA_EDATA, d, at, "is there twice");
        d->tag[i].component = i;
    }
    return FA_OK;
}

static fa_rc read_hierarchy(fa_arena *a, fa_doc *d, fa_err *e)
{
    const json_t *o = json_object_get(d->json, "hierarchy");
    fa_tag_to dflt;
    fa_tag_key base = {0};
    bool fold;

    d->is_tree = true;
    if (!json_is_object(o))
        return fail_at(e, FA_EINVAL, d, "hierarchy", o ? "must be an object" : "is missing");
    if (must_be_none(d, "rules", "hierarchy", e) ||
        must_be_none(d, "allocations", "hierarchy", e) || read_default(a, d, &dflt, e) ||
        read_parts(a, d, o, "levels", "hierarchy", e) ||
        read_key(a, d, json_object_get(o, "base"), "hierarchy.base", &base, e) ||
        read_flag(d, o, "hierarchy", "ignoreCase", &fold, e) || check_feed(d, o, "hierarchy", e) ||
        own_rows(d, o, d->ntag, fold, e))
        return e->rc;
    for (size_t i = 0; i < d->ntag; i++) {
        fa_tag *t = &d->tag[i];

        t->kind = FA_TAG_DICTIONARY;
        t->dflt = dflt;
        t->ignore_case = fold && i == 0;
        t->source =
            i ? (fa_tag_key){FA_STR("virtualTag"), d->tag[i - 1].id, FA_STR("virtual_tag")} : base;
        take_rows(d, i, t);
    }
    return FA_OK;
}

static fa_rc read_relation(fa_arena *a, fa_doc *d, fa_err *e)
{
    const json_t *o = json_object_get(d->json, "relation"), *scope = json_object_get(o, "scope");
    fa_tag first = {.kind = FA_TAG_RELATIONAL};
    fa_str *field;

    if (!json_is_object(o))
        return fail_at(e, FA_EINVAL, d, "relation", o ? "must be an object" : "is missing");
    if (must_be_none(d, "allocations", "relational", e) || read_default(a, d, &first.dflt, e) ||
        read_rules(a, d, &first.rule, &first.nrule, e) ||
        read_parts(a, d, o, "outputs", "relation", e) ||
        read_member(d, o, "relation", "kpiCenterId", true, &first.telemetry, e) ||
        read_member(d, o, "relation", "metricName", true, &first.metric, e) ||
        read_member(d, o, "relation", "joinField", false, &first.join_field, e))
        return e->rc;
    if (first.join_field.n &&
        read_key(a, d, json_object_get(o, "joinKey"), "relation.joinKey", &first.join_key, e))
        return e->rc;
    if (walk_filter(a, d, scope, "relation.scope", 1, e))
        return e->rc;
    first.scope = scope;
    if (!(field = fa_arena_array(a, d->ntag, sizeof *field)))
        return fa_oom(e);
    first.relation = d->id;
    first.field = field;
    first.nfield = d->ntag;
    for (size_t i = 0; i < d->ntag; i++) {
        char at[PATH_SIZE];
        fa_tag *t = &d->tag[i], kept = *t;

        snprintf(at, sizeof at, "relation.outputs[%zu]", i);
        if (read_member(d, json_array_get(json_object_get(o, "outputs"), i), at, "field", true,
                        &field[i], e))
            return e->rc;
        for (size_t k = 0; k < i; k++)
            if (fa_str_eq(field[k], field[i]))
                return fail_at(e, FA_EDATA, d, at, "reads the field \"%.*s\", as output %zu does",
                               FA_FMT(field[i]), k + 1);
        if (first.join_field.n && fa_str_eq(field[i], first.join_field))
            return fail_at(e, FA_EDATA, d, at, "reads the join field");
        *t = first;
        t->id = kept.id;
        t->name = kept.name;
        t->component = kept.component;
    }
    return FA_OK;
}

fa_rc fa_doc_read(fa_arena *a, fa_doc *d, fa_err *e)
{
    bool predefined;
    fa_str kind, category;
    fa_rc rc;

    if (!json_is_object(d->json))
        return fail_at(e, FA_EINVAL, d, "", "must be an object");
    if (read_id(d, d->json, "", &d->id, e) || read_name(d, d->json, "", &d->name, e) ||
        read_member(d, d->json, "", "kind", false, &kind, e) ||
        read_member(d, d->json, "", "category", false, &category, e) ||
        read_flag(d, d->json, "", "predefined", &predefined, e))
        return e->rc;
    if (!kind.n || fa_str_eqz(kind, "rules") || fa_str_eqz(kind, "dictionary")) {
        if (!(d->tag = fa_arena_alloc(a, sizeof *d->tag)))
            return fa_oom(e);
        d->ntag = 1;
        d->tag->id = d->id;
        d->tag->name = d->name;
    }
    if (!kind.n || fa_str_eqz(kind, "rules"))
        rc = read_rules_tag(a, d, d->tag, e);
    else if (fa_str_eqz(kind, "dictionary"))
        rc = read_dictionary(a, d, d->tag, e);
    else if (fa_str_eqz(kind, "hierarchy"))
        rc = read_hierarchy(a, d, e);
    else if (fa_str_eqz(kind, "relational"))
        rc = read_relation(a, d, e);
    else
        rc = fail_at(e, FA_EINVAL, d, "kind", "must be rules, dictionary, relational or hierarchy");
    for (size_t i = 0; !rc && i < d->ntag; i++) {
        d->tag[i].category = category;
        d->tag[i].predefined = predefined;
    }
    return rc;
}
