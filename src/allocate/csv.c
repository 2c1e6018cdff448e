/*
 * csv.c - rules as CSV and back (inform.md 5.12), so that the round trip is identical.
 *
 * One row per condition: rank (of the rule), value, costCenter, keyPath, operator, values, logic, from, to,
 * disableRename. `logic` is the way from the rule's outer group to the condition's own: "AND" or "AND/2#OR" (an OR
 * that is the third thing in the AND); empty: the rule is that one condition. A row without a key stands for a
 * group with nothing in it; without logic as well for "everything" (inside a group: "AND/2#ALL"). Values are separated by "|"; one value that is a
 * list ends with it. A value that is another key is written as JSON.
 */
#include "allocate/inner.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS 86400000LL
static const char header[] =
    "rank,value,costCenter,keyPath,operator,values,logic,from,to,disableRename\r\n";
enum { RANK, VALUE, CENTER, KEY, OPERATOR, VALUES, LOGIC, FROM, TO, RENAME, COLUMNS };

static fa_str text_of(const json_t *v)
{
    return (fa_str){json_string_value(v) ? json_string_value(v) : "", json_string_length(v)};
}

/* ---- out ---- */

static void put_json(fa_buf *b, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));

    if (text)
        fa_buf_z(b, text);
    else
        b->failed = true;
    free(text);
}

/* A text as it is unless it could be taken for JSON. */
static void put_text(fa_buf *b, const json_t *v)
{
    fa_str s = text_of(v);

    if (json_is_string(v) && (!s.n || (s.p[0] != '{' && s.p[0] != '"')))
        fa_buf_str(b, s);
    else
        put_json(b, v);
}

static void put_value(fa_buf *b, const json_t *v)
{
    fa_str s = text_of(v);

    if (!json_is_string(v)) {
        fa_buf_z(b, "\\#");
        put_json(b, v);
        return;
    }
    if (!s.n)
        fa_buf_z(b, "\\e");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '|' || s.p[i] == '\\')
            fa_buf_c(b, '\\');
        fa_buf_c(b, s.p[i]);
    }
}

static void put_values(fa_buf *b, const json_t *v)
{
    const json_t *one;
    size_t i;

    if (!v)
        return;
    if (!json_is_array(v)) {
        put_value(b, v);
        return;
    }
    json_array_foreach(v, i, one)
    {
        if (i)
            fa_buf_c(b, '|');
        put_value(b, one);
    }
    if (json_array_size(v) < 2)
        fa_buf_c(b, '|');
}

static void put_key(fa_buf *b, const json_t *leaf)
{
    fa_str key = text_of(json_object_get(leaf, "key"));
    const json_t *type = json_object_get(leaf, "type");

    if (type) {
        fa_buf_str(b, text_of(type));
        fa_buf_c(b, ':');
    } else if (memchr(key.p, ':', key.n)) {
        fa_buf_c(b, ':'); /* no type, and what stands before its colon is none */
    }
    fa_buf_str(b, key);
}

static void put_instant(fa_buf *b, const json_t *frame, const char *name, int64_t shift)
{
    const json_t *v = json_object_get(frame, name);
    int64_t ms = json_integer_value(v);

    if (!json_is_integer(v))
        return;
    if (ms % DAY_MS == 0)
        fa_day_emit(b, (int32_t)((ms - shift) / DAY_MS));
    else
        fa_buf_fmt(b, "%lld", (long long)ms);
}

typedef struct writer {
    fa_buf *b;
    const json_t *rule;
    size_t rank;
} writer;

static void put_cell(fa_buf *b, fa_buf *cell)
{
    fa_put_cell(b, fa_buf_view(cell));
    b->failed |= cell->failed;
    fa_buf_clear(cell);
}

static void put_row(writer *w, const json_t *leaf, fa_str logic)
{
    const json_t *frame = json_object_get(w->rule, "timeframe");
    fa_buf cell = {0};

    fa_buf_fmt(w->b, "%zu,", w->rank);
    put_text(&cell, json_object_get(w->rule, "to"));
    put_cell(w->b, &cell);
    fa_buf_c(w->b, ',');
    if (leaf) {
        fa_put_cell(w->b, text_of(json_object_get(leaf, "costCenter")));
        fa_buf_c(w->b, ',');
        put_key(&cell, leaf);
        put_cell(w->b, &cell);
        fa_buf_c(w->b, ',');
        fa_put_cell(w->b, text_of(json_object_get(leaf, "operator")));
        fa_buf_c(w->b, ',');
        put_values(&cell, json_object_get(leaf, "value"));
        put_cell(w->b, &cell);
    } else {
        fa_buf_z(w->b, ",,,");
    }
    fa_buf_c(w->b, ',');
    fa_buf_str(w->b, logic);
    fa_buf_c(w->b, ',');
    put_instant(w->b, frame, "from", 0);
    fa_buf_c(w->b, ',');
    put_instant(w->b, frame, "to", DAY_MS); /* the last day, as people say it */
    fa_buf_z(w->b, json_is_true(json_object_get(w->rule, "disableRename")) ? ",true\r\n" : ",\r\n");
    fa_buf_release(&cell);
}

static void put_filter(writer *w, const json_t *f, fa_str way)
{
    const char *op = json_object_get(f, "AND") ? "AND" : json_object_get(f, "OR") ? "OR" : NULL;
    const json_t *list = op ? json_object_get(f, op) : NULL, *kid;
    fa_buf mine = {0};
    size_t i;

    if (!op) {
        put_row(w, json_object_size(f) ? f : NULL, way);
        return;
    }
    fa_buf_str(&mine, way);
    fa_buf_z(&mine, op);
    if (!json_array_size(list))
        put_row(w, NULL, fa_buf_view(&mine));
    json_array_foreach(list, i, kid)
    {
        fa_buf at = {0};

        if (json_object_get(kid, "AND") || json_object_get(kid, "OR")) {
            fa_buf_fmt(&at, "%.*s/%zu#", FA_FMT(fa_buf_view(&mine)), i);
            put_filter(w, kid, fa_buf_view(&at));
        } else if (json_object_size(kid)) {
            put_row(w, kid, fa_buf_view(&mine));
        } else {
            fa_buf_fmt(&at, "%.*s/%zu#ALL", FA_FMT(fa_buf_view(&mine)), i);
            put_row(w, NULL, fa_buf_view(&at));
        }
        fa_buf_release(&at);
    }
    fa_buf_release(&mine);
}

void fa_rules_csv(fa_buf *b, const json_t *doc)
{
    const json_t *rules = json_object_get(doc, "rules"), *rule;
    size_t i;

    fa_buf_z(b, header);
    json_array_foreach(rules, i, rule)
    {
        writer w = {b, rule, i + 1};

        put_filter(&w, json_object_get(rule, "filters"), (fa_str){"", 0});
    }
}

/* ---- in ---- */

typedef struct reader {
    fa_csv c;
    fa_arena *a;
    fa_row_faults *faults;
    json_t *rules, *rule; /* rule: the one being read; borrowed from rules */
    uint64_t rank;
} reader;

static fa_str cell(const reader *r, size_t k)
{
    return k < r->c.n ? fa_take_cell(r->c.cell[k]) : (fa_str){"", 0};
}

FA_PRINTF(2, 3)
static void fault(reader *r, const char *fmt, ...)
{
    char text[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fa_row_fault_add(r->faults, r->a, (size_t)r->c.line, "%s", text);
}

static json_t *json_of(fa_str s)
{
    return json_loadb(s.p, s.n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
}

static json_t *text_json(fa_str s)
{
    return s.n && (s.p[0] == '{' || s.p[0] == '"') ? json_of(s) : json_stringn(s.n ? s.p : "", s.n);
}

/* One value between the bars; NULL: it is nothing that can be read. */
static json_t *value_of(fa_str s)
{
    fa_buf b = {0};
    json_t *v;

    if (fa_take(&s, "\\#"))
        return json_of(s);
    if (fa_str_eqz(s, "\\e"))
        return json_string("");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        fa_buf_c(&b, s.p[i]);
    }
    v = b.failed ? NULL : json_stringn(b.p ? b.p : "", b.n);
    fa_buf_release(&b);
    return v;
}

static bool read_values(reader *r, json_t *leaf)
{
    fa_str s = cell(r, VALUES), rest = s;
    json_t *list = json_array(), *v;
    bool many = false;

    while (rest.n) {
        size_t n = 0;

        while (n < rest.n && rest.p[n] != '|')
            n += rest.p[n] == '\\' && n + 1 < rest.n ? 2 : 1;
        many = many || n < rest.n;
        if (n) {
            v = value_of((fa_str){rest.p, n});
            if (!v || json_array_append_new(list, v)) {
                fault(r, "the value \"%.*s\" cannot be read", (int)(n > 100 ? 100 : n), rest.p);
                json_decref(list);
                return false;
            }
        }
        n += n < rest.n;
        rest = (fa_str){rest.p + n, rest.n - n};
    }
    if (s.n)
        json_object_set(leaf, "value", many ? list : json_array_get(list, 0));
    json_decref(list);
    return true;
}

/* The condition of the row, new; NULL: it has none, or a fault was noted (then *ok is false). */
static json_t *leaf_of(reader *r, bool *ok)
{
    fa_str key = cell(r, KEY), center = cell(r, CENTER), op = cell(r, OPERATOR);
    const char *colon = key.n ? memchr(key.p, ':', key.n) : NULL;
    json_t *leaf;

    *ok = true;
    if (!key.n && !center.n && !op.n)
        return NULL;
    if (!key.n || !op.n) {
        fault(r, "a condition needs keyPath and operator");
        *ok = false;
        return NULL;
    }
    leaf = json_object();
    if (center.n)
        json_object_set_new(leaf, "costCenter", json_stringn(center.p, center.n));
    if (colon) {
        size_t n = (size_t)(colon - key.p);

        if (n)
            json_object_set_new(leaf, "type", json_stringn(key.p, n));
        key = (fa_str){colon + 1, key.n - n - 1};
    }
    json_object_set_new(leaf, "key", json_stringn(key.n ? key.p : "", key.n));
    json_object_set_new(leaf, "operator", json_stringn(op.p, op.n));
    if (!read_values(r, leaf)) {
        json_decref(leaf);
        *ok = false;
        return NULL;
    }
    return leaf;
}

static const char *group_name(fa_str s)
{
    return fa_str_eqz(s, "AND") ? "AND" : fa_str_eqz(s, "OR") ? "OR" : NULL;
}

/* Goes the way of `logic` from the rule's filter down, making groups that are not there yet. Gives the list the
 * condition belongs into; NULL with a fault. *all: an empty object was put there. */
static json_t *walk(reader *r, fa_str logic, bool *all)
{
    fa_str left = logic;
    json_t *filter = json_object_get(r->rule, "filters"), *list = NULL;
    int depth = 0;

    *all = false;
    while (left.n || !depth) {
        size_t n = 0, at = 0;
        fa_str seg;
        uint64_t i = 0;
        const char *op;

        while (n < left.n && left.p[n] != '/')
            n++;
        seg = (fa_str){left.p, n};
        n += n < left.n;
        left = (fa_str){left.p + n, left.n - n};
        if (depth && (!fa_take_u64(&seg, &i) || !fa_take(&seg, "#")))
            goto bad;
        op = group_name(seg);
        if (depth && !op && fa_str_eqz(seg, "ALL") && i == json_array_size(list) && !left.n) {
            json_array_append_new(list, json_object());
            *all = true;
            return list;
        }
        if (!op || ++depth > 32)
            goto bad;
        if (depth == 1 && !filter) {
            filter = json_object();
            json_object_set_new(r->rule, "filters", filter);
            json_object_set_new(filter, op, json_array());
        } else if (depth > 1) {
            at = (size_t)i;
            if (at == json_array_size(list))
                json_array_append_new(list, json_pack("{s:[]}", op));
            if (at + 1 != json_array_size(list))
                goto bad;
            filter = json_array_get(list, at);
        }
        list = json_object_get(filter, op);
        if (!json_is_array(list))
            goto bad;
    }
    return list;
bad:
    fault(r, "the logic \"%.*s\" does not follow from the rows above",
          (int)(logic.n > 100 ? 100 : logic.n), logic.p);
    return NULL;
}

static bool read_instant(reader *r, json_t *frame, const char *name, size_t at, int64_t shift)
{
    fa_str s = fa_str_trim(cell(r, at)), digits = s;
    uint64_t ms = 0;
    int32_t day;
    int64_t v;

    if (!s.n)
        return true;
    if (fa_day_parse(s, &day)) {
        v = (int64_t)day * DAY_MS + shift;
    } else if (((void)fa_take(&digits, "-"), fa_take_u64(&digits, &ms)) && !digits.n &&
               ms < 1ULL << 53) {
        v = s.p[0] == '-' ? -(int64_t)ms : (int64_t)ms;
    } else {
        fault(r, "%s \"%.*s\" is no day; days are written YYYY-MM-DD", name,
              (int)(s.n > 40 ? 40 : s.n), s.p);
        return false;
    }
    json_object_set_new(frame, name, json_integer(v));
    return true;
}

static bool start_rule(reader *r)
{
    json_t *frame = json_object(), *to = text_json(cell(r, VALUE));
    fa_str rename = fa_str_trim(cell(r, RENAME));
    bool ok = read_instant(r, frame, "from", FROM, 0);

    ok = read_instant(r, frame, "to", TO, DAY_MS) &&
         ok; /* both are looked at, whatever the first is */

    if (!to) {
        fault(r, "the value cannot be read: it begins like JSON and is none");
        ok = false;
    } else if (json_is_string(to) && !json_string_length(to)) {
        fault(r, "there is no value");
        ok = false;
    }
    r->rule = json_pack("{s:o}", "to", to ? to : json_null());
    json_array_append_new(r->rules, r->rule);
    if (json_object_size(frame))
        json_object_set(r->rule, "timeframe", frame);
    json_decref(frame);
    if (fa_str_ieq(rename, FA_STR("true")))
        json_object_set_new(r->rule, "disableRename", json_true());
    return ok;
}

static void take_row(reader *r)
{
    fa_str rank = fa_str_trim(cell(r, RANK)), logic = fa_str_trim(cell(r, LOGIC));
    uint64_t n;
    json_t *leaf, *list;
    bool ok, all;

    if (!fa_take_u64(&rank, &n) || rank.n || n < r->rank || n > FA_TAG_RULES_MAX) {
        fault(
            r,
            "the rank must be a whole number from 1 to 1,000, and not less than in the row before");
        return;
    }
    leaf = leaf_of(r, &ok);
    if (n == r->rank && !logic.n) {
        fault(r, "rule %llu has several conditions and no logic", (unsigned long long)n);
        ok = false;
    }
    if (n != r->rank)
        ok = start_rule(r) && ok;
    r->rank = n;
    if (!ok) {
        json_decref(leaf);
        return;
    }
    if (!logic.n) {
        json_object_set_new(r->rule, "filters", leaf ? leaf : json_object());
        return;
    }
    list = walk(r, logic, &all);
    if (list && leaf && !all)
        json_array_append(list, leaf);
    json_decref(leaf);
}

fa_rc fa_rules_from_csv(fa_str text, fa_arena *a, fa_row_faults *faults, json_t **rules, fa_err *e)
{
    reader r = {.a = a, .faults = faults, .rules = json_array()};
    bool more = false;
    fa_rc rc;

    *rules = NULL;
    *faults = (fa_row_faults){0};
    if (!r.rules)
        return fa_oom(e);
    fa_csv_init(&r.c, text);
    r.c.sep = fa_csv_separator(r.c.rest);
    rc = fa_utf8_valid(text) ? fa_csv_next(&r.c, &more, e)
                             : fa_fail(e, FA_EDATA, "the file is not UTF-8");
    if (!rc &&
        (!more || r.c.n < TO + 1 || !fa_str_ieq(fa_str_trim(r.c.cell[RANK]), FA_STR("rank"))))
        fa_row_fault_add(faults, a, 1, "the header must be %.*s", (int)sizeof header - 3, header);
    while (!rc && more && !(rc = fa_csv_next(&r.c, &more, e)) && more)
        take_row(&r);
    if (rc == FA_EDATA && !faults->all)
        fa_row_fault_add(faults, a, (size_t)r.c.line, "%s", e->msg);
    if (!rc && faults->all)
        rc = fa_fail(e, FA_EDATA, "line %zu: %.*s", faults->fault[0].line,
                     FA_FMT(faults->fault[0].message));
    fa_csv_release(&r.c);
    if (rc)
        json_decref(r.rules);
    else
        *rules = r.rules;
    return rc;
}
