/*
 * telemetry.c - telemetry (KPI center) as a document: its shape, what may change, who uses it.
 *
 * The one idea: name, type and activity are columns; everything else is one JSON body with the members of
 * the internal API (api.md 9.6), so both APIs read the same object.
 */
#include "allocate/points.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 200, QUERY_MAX = 8000, METRICS_MAX = 20 };

static const char *const types[] = {"csv", "push", "prometheus", "megabill-ratio"};

/* The members of `data`, by type; `at` is where a fa_telemetry keeps it. */
static const struct {
    const char *type, *name, *absent; /* absent NULL: must be there */
    size_t at;
} data_texts[] = {
    {"csv", "dateColumn", "date", offsetof(fa_telemetry, date_column)},
    {"csv", "dateFormat", "yyyy-MM-dd", offsetof(fa_telemetry, date_format)},
    {"prometheus", "url", NULL, offsetof(fa_telemetry, url)},
    {"prometheus", "query", NULL, offsetof(fa_telemetry, query)},
    {"megabill-ratio", "viewId", NULL, offsetof(fa_telemetry, view_id)},
    {"megabill-ratio", "timeFrameType", "same-day", offsetof(fa_telemetry, time_frame)},
};

/* ---- the body ---- */

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v), json_string_length(v)};
}

static fa_rc fail_at(fa_err *e, const char *field, const char *words)
{
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, words);
    return fa_at(e, field);
}

static bool is_plain(fa_str s, size_t most)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return s.n <= most && fa_utf8_valid(s);
}

/* absent NULL: must be there and not be empty. */
static fa_rc read_text(fa_arena *a, const json_t *o, const char *name, const char *field,
                       const char *absent, size_t most, fa_str *out, fa_err *e)
{
    const json_t *v = json_object_get(o, name);
    fa_str s = absent ? fa_str_of(absent) : (fa_str){"", 0};

    if (v && !json_is_null(v)) {
        if (!json_is_string(v))
            return fail_at(e, field, "must be a text");
        s = fa_str_trim(text_of(v));
    }
    if (!is_plain(s, most))
        return fail_at(e, field, "is too long or has control characters");
    if (!absent && !s.n)
        return fail_at(e, field, "is missing");
    *out = fa_arena_dup(a, s);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc read_names(fa_arena *a, const json_t *o, const char *name, size_t most,
                        const fa_str **out, size_t *n, fa_err *e)
{
    const json_t *v = json_object_get(o, name);
    fa_str *list;
    char field[64];

    *n = 0;
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_array(v) || json_array_size(v) > most) {
        snprintf(field, sizeof field, "must be an array of up to %zu texts", most);
        return fail_at(e, name, field);
    }
    *out = list = fa_arena_array(a, json_array_size(v) + 1, sizeof *list);
    if (!list)
        return fa_oom(e);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *s = json_array_get(v, i);

        snprintf(field, sizeof field, "%s[%zu]", name, i);
        if (!json_is_string(s) || !text_of(s).n || !is_plain(text_of(s), TEXT_MAX))
            return fail_at(e, field, "must be a text");
        list[i] = fa_arena_dup(a, fa_str_trim(text_of(s)));
        if (!list[i].p)
            return fa_oom(e);
        for (size_t k = 0; k < i; k++)
            if (fa_str_eq(list[i], list[k]))
                return fail_at(e, field, "is there twice");
    }
    *n = json_array_size(v);
    return FA_OK;
}

static bool is_type(const fa_telemetry *t, const char *type)
{
    return fa_str_eqz(t->type, type);
}

static fa_rc read_data(fa_arena *a, const json_t *data, fa_telemetry *t, fa_err *e)
{
    char field[64];

    if (data && !json_is_null(data) && !json_is_object(data))
        return fail_at(e, "data", "must be an object");
    for (size_t i = 0; i < FA_COUNT(data_texts); i++) {
        if (!is_type(t, data_texts[i].type))
            continue;
        snprintf(field, sizeof field, "data.%s", data_texts[i].name);
        if (read_text(a, data, data_texts[i].name, field, data_texts[i].absent, QUERY_MAX,
                      (fa_str *)(void *)((char *)t + data_texts[i].at), e))
            return e->rc;
    }
    t->is_counter = fa_str_eqz(text_of(json_object_get(data, "kind")), "counter");
    return FA_OK;
}

static fa_rc read_body(fa_arena *a, const json_t *body, fa_telemetry *t, fa_err *e)
{
    if (read_text(a, body, "field", "field", "", TEXT_MAX, &t->field, e) ||
        read_names(a, body, "additionalFields", FA_TELEMETRY_FIELDS_MAX - 1, &t->additional,
                   &t->nadditional, e) ||
        read_names(a, body, "metricNames", METRICS_MAX, &t->metric, &t->nmetric, e) ||
        read_text(a, body, "unit", "unit", "", TEXT_MAX, &t->unit, e))
        return e->rc;
    return read_data(a, json_object_get(body, "data"), t, e);
}

/* ---- what the shape cannot say ---- */

static bool is_time_frame(fa_str s)
{
    uint64_t n;

    if (fa_str_eqz(s, "same-day") || fa_str_eqz(s, "previousMonth"))
        return true;
    return fa_take(&s, "last::") && fa_take_u64(&s, &n) && n >= 1 && n <= 366 &&
           fa_str_eqz(s, "::day");
}

static fa_rc check_fields(const fa_telemetry *t, fa_err *e)
{
    if (t->nadditional && !t->field.n)
        return fail_at(e, "field", "is missing: there are additional fields");
    for (size_t i = 0; i < t->nadditional; i++)
        if (fa_str_eq(t->additional[i], t->field))
            return fail_at(e, "additionalFields", "must not repeat the field");
    for (size_t i = 0; i < t->nmetric; i++)
        if (memchr(t->metric[i].p, ' ', t->metric[i].n))
            return fail_at(e, "metricNames", "must have no spaces in a name");
    return FA_OK;
}

static fa_rc check(const fa_telemetry *t, const json_t *doc, fa_err *e)
{
    const json_t *kind = json_object_get(json_object_get(doc, "data"), "kind");

    if (check_fields(t, e))
        return e->rc;
    if (is_type(t, "csv") && !fa_date_format_known(t->date_format)) {
        (void)fail_at(e, "data.dateFormat", "is none of the formats of telemetry files");
        return fa_hint(e, "yyyy-MM-dd, yyyy/MM/dd, yyyy/M/d, MM/d/yyyy, yyyy-M-d or "
                          "yyyy-MM-dd'T'00:00:00'Z'");
    }
    if (!is_type(t, "csv") && t->nmetric == 0)
        return fail_at(e, "metricNames", "must name the metric");
    if ((is_type(t, "prometheus") || is_type(t, "megabill-ratio")) && t->nmetric != 1)
        return fail_at(e, "metricNames", "must name exactly one metric");
    if (is_type(t, "prometheus") && kind && !fa_str_eqz(text_of(kind), "counter") &&
        !fa_str_eqz(text_of(kind), "gauge"))
        return fail_at(e, "data.kind", "must be \"counter\" or \"gauge\"");
    if (is_type(t, "prometheus") && !fa_str_starts(t->url, FA_STR("http://")) &&
        !fa_str_starts(t->url, FA_STR("https://")))
        return fail_at(e, "data.url", "must begin with http:// or https://");
    if (is_type(t, "megabill-ratio") && !is_time_frame(t->time_frame)) {
        (void)fail_at(e, "data.timeFrameType", "is no time frame");
        return fa_hint(e, "same-day, previousMonth, or last::N::day with N from 1 to 366");
    }
    return FA_OK;
}

/* ---- rows of the store ---- */

static fa_rc from_row(fa_arena *a, const fa_telemetry_row *r, fa_telemetry *t, fa_err *e)
{
    json_t *body = json_loadb(r->body.p, r->body.n, 0, NULL);
    fa_rc rc;

    *t = (fa_telemetry){.id = r->id,
                        .name = r->name,
                        .type = r->type,
                        .is_active = r->is_active,
                        .error = r->error,
                        .created_by = r->created_by,
                        .created_ms = r->created_ms,
                        .updated_ms = r->updated_ms,
                        .received_ms = r->received_ms,
                        .version = r->version};
    rc = body ? read_body(a, body, t, e) : FA_EINTERNAL;
    json_decref(body);
    if (rc == FA_EINTERNAL || rc == FA_EINVAL)
        return fa_fail(e, FA_EINTERNAL, "telemetry \"%.*s\" is damaged", FA_FMT(r->id));
    return rc;
}

fa_rc fa_telemetry_get(fa_ledger *l, fa_arena *a, fa_str id, fa_telemetry *out, fa_err *e)
{
    fa_telemetry_row r;
    fa_rc rc = fa_telemetry_row_get(fa_ledger_store(l), a, fa_ledger_account(l), id, &r, e);

    if (rc == FA_ENOTFOUND)
        return fa_fail(e, rc, "no such telemetry");
    return rc ? rc : from_row(a, &r, out, e);
}

fa_rc fa_telemetry_list(fa_ledger *l, fa_arena *a, fa_telemetry **out, size_t *n, fa_err *e)
{
    fa_telemetry_row *r;
    fa_rc rc = fa_telemetry_rows(fa_ledger_store(l), a, fa_ledger_account(l), &r, n, e);

    if (rc)
        return rc;
    *out = fa_arena_array(a, *n + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    for (size_t i = 0; !rc && i < *n; i++)
        rc = from_row(a, &r[i], &(*out)[i], e);
    return rc;
}

/* ---- saving ---- */

static void put_names(fa_jw *w, const char *key, const fa_str *name, size_t n)
{
    fa_jw_key(w, key);
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(w, name[i]);
    fa_jw_end_arr(w);
}

static void put_data(fa_jw *w, const fa_telemetry *t)
{
    fa_jw_key(w, "data");
    fa_jw_obj(w);
    for (size_t i = 0; i < FA_COUNT(data_texts); i++)
        if (is_type(t, data_texts[i].type)) {
            fa_jw_key(w, data_texts[i].name);
            fa_jw_str(w, *(const fa_str *)(const void *)((const char *)t + data_texts[i].at));
        }
    if (is_type(t, "prometheus")) {
        fa_jw_key(w, "kind");
        fa_jw_z(w, t->is_counter ? "counter" : "gauge");
    }
    fa_jw_end_obj(w);
}

/* The members of the body, in an object that is open. */
static void put_body(fa_jw *w, const fa_telemetry *t)
{
    fa_jw_key(w, "field");
    fa_jw_str(w, t->field);
    put_names(w, "additionalFields", t->additional, t->nadditional);
    put_names(w, "metricNames", t->metric, t->nmetric);
    fa_jw_key(w, "unit");
    fa_jw_str(w, t->unit);
    put_data(w, t);
}

fa_rc fa_telemetry_store(fa_ledger *l, fa_arena *a, fa_telemetry *t, fa_err *e)
{
    fa_telemetry_row r = {.id = t->id,
                          .name = t->name,
                          .type = t->type,
                          .is_active = t->is_active,
                          .created_by = t->created_by,
                          .created_ms = t->created_ms,
                          .updated_ms = t->updated_ms};
    fa_buf b;
    fa_jw w;
    fa_rc rc;

    fa_buf_init(&b, 1 << 20);
    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    put_body(&w, t);
    fa_jw_end_obj(&w);
    r.body = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    if (!r.body.p)
        return fa_oom(e);
    r.error = (fa_str){"", 0};
    rc = fa_telemetry_put(fa_ledger_store(l), fa_ledger_account(l), &r, e);
    if (!rc)
        fa_telemetry_touch();
    return rc;
}

static bool same_metrics(const fa_telemetry *x, const fa_telemetry *y)
{
    for (size_t i = 0; i < x->nmetric; i++) {
        bool found = false;

        for (size_t k = 0; k < y->nmetric; k++)
            found |= fa_str_eq(x->metric[i], y->metric[k]);
        if (!found)
            return false;
    }
    return true;
}

static bool same_fields(const fa_telemetry *x, const fa_telemetry *y)
{
    bool same = fa_str_eq(x->field, y->field) && x->nadditional == y->nadditional;

    for (size_t i = 0; same && i < x->nadditional; i++)
        same = fa_str_eq(x->additional[i], y->additional[i]);
    return same;
}

/* integrations.md 14: the header of the metric is its unchangeable identifier. */
static fa_rc check_change(fa_ledger *l, fa_arena *a, const fa_telemetry *was, const fa_telemetry *t,
                          fa_err *e)
{
    fa_telemetry_span s;

    if (!fa_str_eq(was->type, t->type)) {
        (void)fa_fail(e, FA_EDATA, "the type of a telemetry does not change: it is \"%.*s\"",
                      FA_FMT(was->type));
        return fa_at(e, "type");
    }
    if (fa_telemetry_span_get(fa_ledger_store(l), a, fa_ledger_account(l), t->id, &s, e))
        return e->rc;
    if (s.points && !same_metrics(was, t)) {
        (void)fa_fail(e, FA_EDATA, "a metric that has points keeps its name");
        return fa_at(e, "metricNames");
    }
    if (s.points && !same_fields(was, t)) {
        (void)fa_fail(e, FA_EDATA, "the fields of a telemetry that has points do not change");
        return fa_at(e, "field");
    }
    return FA_OK;
}

static fa_rc known_type(fa_arena *a, const json_t *doc, fa_str *out, fa_err *e)
{
    if (read_text(a, doc, "type", "type", NULL, TEXT_MAX, out, e))
        return e->rc;
    for (size_t i = 0; i < FA_COUNT(types); i++)
        if (fa_str_eqz(*out, types[i]))
            return FA_OK;
    return fail_at(e, "type", "must be csv, push, prometheus or megabill-ratio");
}

static fa_rc parse(fa_arena *a, const json_t *doc, fa_telemetry *t, fa_err *e)
{
    const json_t *active = json_object_get(doc, "isActive");

    if (!json_is_object(doc))
        return fa_fail(e, FA_EINVAL, "the telemetry must be an object");
    if (known_type(a, doc, &t->type, e) ||
        read_text(a, doc, "name", "name", NULL, TEXT_MAX, &t->name, e) || read_body(a, doc, t, e))
        return e->rc;
    if (active && !json_is_null(active) && !json_is_boolean(active))
        return fail_at(e, "isActive", "must be true or false");
    t->is_active = !json_is_false(active);
    return check(t, doc, e);
}

fa_rc fa_telemetry_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *doc, fa_str by,
                        fa_telemetry *out, fa_err *e)
{
    fa_telemetry was = {0};
    fa_err scratch = {0};
    char fresh[37];

    e = e ? e : &scratch;
    *out = (fa_telemetry){
        .created_by = by, .created_ms = fa_now_ms(), .updated_ms = fa_now_ms(), .received_ms = -1};
    if (id.n && fa_telemetry_get(l, a, id, &was, e))
        return e->rc;
    if (parse(a, doc, out, e))
        return e->rc;
    if (id.n) {
        out->id = id;
        out->created_by = was.created_by;
        out->created_ms = was.created_ms;
        out->received_ms = was.received_ms;
        out->version = was.version;
        out->error = was.error;
        if (check_change(l, a, &was, out, e))
            return e->rc;
    } else {
        fa_uuid_v4(fresh);
        out->id = fa_arena_dup(a, fa_str_of(fresh));
        if (!out->id.p)
            return fa_oom(e);
    }
    return fa_telemetry_store(l, a, out, e);
}

/* ---- who uses it ---- */

static bool uses(const fa_tag *t, fa_str id)
{
    if (fa_str_eq(t->telemetry, id))
        return true;
    for (size_t i = 0; i < t->nalloc; i++)
        if (t->alloc[i].kind == FA_ALLOC_METRIC && fa_str_eq(t->alloc[i].telemetry, id))
            return true;
    return false;
}

/* The next tag at or after *at that uses the telemetry; NULL: none. */
static const fa_tag *next_user(const fa_tag_set *s, fa_str id, size_t *at)
{
    size_t n;
    const fa_tag *t = fa_tag_set_all(s, &n);

    for (; *at < n; ++*at)
        if (uses(&t[*at], id))
            return &t[(*at)++];
    return NULL;
}

fa_rc fa_telemetry_remove(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e)
{
    fa_tag_set *s = NULL;
    const fa_tag *t;
    fa_telemetry row;
    fa_buf names;
    size_t at = 0, n = 0;
    fa_rc rc;

    if ((rc = fa_telemetry_get(l, a, id, &row, e)) || (rc = fa_tags_live(l, &s, e)))
        return rc;
    fa_buf_init(&names, 600);
    while ((t = next_user(s, id, &at)) && names.n < 400)
        fa_buf_fmt(&names, "%s\"%.*s\"", n++ ? ", " : "", FA_FMT(t->name));
    if (n) {
        (void)fa_fail(e, FA_ECONFLICT, "the telemetry \"%.*s\" is used by %s", FA_FMT(row.name),
                      names.failed ? "virtual tags" : names.p);
        rc = fa_hint(e, "take it out of these virtual tags first");
    } else {
        rc = fa_telemetry_delete(fa_ledger_store(l), fa_ledger_account(l), id, e);
        if (!rc)
            fa_telemetry_touch();
    }
    fa_buf_release(&names);
    fa_tag_set_put(s);
    return rc;
}

/* ---- JSON out ---- */

static void put_time(fa_jw *w, const char *key, int64_t ms)
{
    fa_jw_key(w, key);
    fa_jw_time(w, ms);
}

static void put_day(fa_jw *w, const char *key, int32_t day)
{
    fa_buf b = {0};

    fa_jw_key(w, key);
    fa_buf_init(&b, 32);
    if (day == INT32_MIN) {
        fa_jw_null(w);
    } else {
        fa_day_emit(&b, day);
        fa_jw_str(w, fa_buf_view(&b));
    }
    fa_buf_release(&b);
}

static void put_head(fa_jw *w, const fa_telemetry *t)
{
    fa_jw_key(w, "id");
    fa_jw_str(w, t->id);
    fa_jw_key(w, "name");
    fa_jw_str(w, t->name);
    fa_jw_key(w, "type");
    fa_jw_str(w, t->type);
    fa_jw_key(w, "isActive");
    fa_jw_bool(w, t->is_active);
    put_body(w, t);
    fa_jw_key(w, "createdBy");
    fa_jw_str(w, t->created_by);
    put_time(w, "createdAt", t->created_ms);
    put_time(w, "updatedAt", t->updated_ms);
}

static fa_rc put_users(fa_ledger *l, fa_str id, fa_jw *w, fa_err *e)
{
    fa_tag_set *s = NULL;
    const fa_tag *t;
    size_t at = 0;
    fa_rc rc = fa_tags_live(l, &s, e);

    if (rc)
        return rc;
    fa_jw_key(w, "usedBy");
    fa_jw_arr(w);
    while ((t = next_user(s, id, &at))) {
        fa_jw_obj(w);
        fa_jw_key(w, "id");
        fa_jw_str(w, t->id);
        fa_jw_key(w, "name");
        fa_jw_str(w, t->name);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_tag_set_put(s);
    return FA_OK;
}

static fa_rc put_files(fa_ledger *l, fa_arena *a, fa_str id, fa_jw *w, fa_err *e)
{
    fa_telemetry_file *f;
    size_t n;
    fa_rc rc = fa_telemetry_files(fa_ledger_store(l), a, fa_ledger_account(l), id, &f, &n, e);

    if (rc)
        return rc;
    fa_jw_key(w, "files");
    fa_jw_arr(w);
    for (size_t i = 0; i < n && i < 100; i++) {
        fa_jw_obj(w);
        fa_jw_key(w, "name");
        fa_jw_str(w, f[i].name);
        put_time(w, "receivedAt", f[i].received_ms);
        fa_jw_key(w, "result");
        fa_jw_raw(w, f[i].detail);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return FA_OK;
}

fa_rc fa_telemetry_json(fa_ledger *l, fa_arena *a, const fa_telemetry *t, fa_jw *w, fa_err *e)
{
    fa_telemetry_span s;
    fa_rc rc = fa_telemetry_span_get(fa_ledger_store(l), a, fa_ledger_account(l), t->id, &s, e);

    if (rc)
        return rc;
    fa_jw_obj(w);
    put_head(w, t);
    put_day(w, "firstDay", s.first);
    put_day(w, "lastDay", s.last);
    fa_jw_key(w, "points");
    fa_jw_int(w, s.points);
    put_time(w, "lastReceivedAt", t->received_ms);
    fa_jw_key(w, "error");
    fa_jw_str(w, t->error);
    if (!(rc = put_users(l, t->id, w, e)))
        rc = put_files(l, a, t->id, w, e);
    fa_jw_end_obj(w);
    return rc;
}

void fa_telemetry_kpi_json(const fa_telemetry *t, fa_jw *w)
{
    fa_jw_obj(w);
    put_head(w, t);
    fa_jw_key(w, "enrichers");
    fa_jw_arr(w);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}
