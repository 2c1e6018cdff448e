/*
 * range.c - dates of a question: every spelling of the APIs becomes two inclusive UTC days.
 *
 * The one idea: a start instant is floored to its day, and a day is in when its own midnight is not
 * after the end; so 30 April's midnight and its 23:59:59 mean the same last day (api.md 5.1).
 */
#include "query/inner.h"

#include <math.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)
#define SECONDS_BELOW INT64_C(100000000000) /* V1: smaller numbers are seconds */
#define LATEST_MS INT64_C(7258118400000)    /* 2200-01-01 */
#define MAX_DAYS 3700 /* ten years and a bit, where the API has no limit of its own */

static fa_rc fail_at(fa_err *e, fa_rc rc, const char *path, const char *member, const char *msg)
{
    char field[160];

    snprintf(field, sizeof field, "%s%s%s", path, *path && *member ? "." : "", member);
    (void)fa_fail(e, rc, "%s %s", *field ? field : "the date", msg);
    return fa_at(e, field);
}

/* ---- members ---- */

static fa_rc read_ms(const json_t *j, const char *path, const char *name, bool seconds_too,
                     int64_t *out, fa_err *e)
{
    const json_t *v = json_object_get(j, name);
    double d;

    if (!v)
        return fail_at(e, FA_EINVAL, path, name, "is missing");
    if (!json_is_number(v))
        return fail_at(e, FA_EINVAL, path, name,
                       "must be a number of milliseconds since 1970-01-01 UTC");
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
    } else {
        d = json_real_value(v);
        if (!(d >= 0 && d < (double)LATEST_MS) || floor(d) < d)
            return fail_at(e, FA_EINVAL, path, name,
                           "must be a whole number between 0 and the year 2200");
        *out = (int64_t)d;
    }
    if (seconds_too && *out >= 0 && *out < SECONDS_BELOW)
        *out *= 1000;
    if (*out < 0 || *out >= LATEST_MS)
        return fail_at(e, FA_EINVAL, path, name, "must lie between 1970 and 2200");
    return FA_OK;
}

/* Epoch milliseconds, or a day "2026-10-01". */
static fa_rc read_edge(const json_t *j, const char *path, const char *name, int64_t *ms, fa_err *e)
{
    const json_t *v = json_object_get(j, name);
    int32_t day;

    if (!json_is_string(v))
        return read_ms(j, path, name, false, ms, e);
    if (!fa_day_parse((fa_str){json_string_value(v), json_string_length(v)}, &day) || day < 0 ||
        day * DAY_MS >= LATEST_MS)
        return fail_at(e, FA_EINVAL, path, name, "must be a day such as \"2026-10-31\"");
    *ms = day * DAY_MS;
    return FA_OK;
}

static fa_rc read_unit(const json_t *j, const char *path, fa_bucket *out, fa_err *e)
{
    static const struct {
        const char *name;
        fa_bucket unit;
    } units[] = {{"hour", FA_HOUR},   {"day", FA_DAY},         {"week", FA_WEEK},
                 {"month", FA_MONTH}, {"quarter", FA_QUARTER}, {"year", FA_YEAR}};
    const json_t *v = json_object_get(j, "type");

    *out = FA_DAY;
    if (!v)
        return FA_OK;
    for (size_t i = 0; json_is_string(v) && i < FA_COUNT(units); i++)
        if (strcmp(json_string_value(v), units[i].name) == 0) {
            *out = units[i].unit;
            return FA_OK;
        }
    return fail_at(e, FA_EINVAL, path, "type",
                   "must be one of hour, day, week, month, quarter, year");
}

/* ---- absolute dates ---- */

static fa_rc set_edges(fa_range *r, const char *path, int64_t start, int64_t end, fa_err *e)
{
    if (start > end)
        return fail_at(e, FA_EINVAL, path, "", "starts after its end");
    r->from = fa_ms_day(start);
    r->to = fa_ms_day(end);
    return FA_OK;
}

typedef struct spelling {
    const char *start, *end, *wrong_start, *wrong_end;
    int64_t max_days;
    fa_rc too_long;
    bool seconds_too;
} spelling;

static const spelling v1 = {"unixTimeMillSecondsStart",
                            "unixTimeMillSecondsEnd",
                            "unixTimeMillisecondsStart",
                            "unixTimeMillisecondsEnd",
                            90,
                            FA_EINVAL,
                            true};
static const spelling v2 = {"unixTimeMillisecondsStart",
                            "unixTimeMillisecondsEnd",
                            "unixTimeMillSecondsStart",
                            "unixTimeMillSecondsEnd",
                            60,
                            FA_EDATA,
                            false};

static fa_rc parse_public(const spelling *s, const json_t *j, const char *path, fa_range *out,
                          fa_err *e)
{
    int64_t start = 0, end = 0;
    char msg[96];

    if (json_object_get(j, s->wrong_start) || json_object_get(j, s->wrong_end)) {
        snprintf(msg, sizeof msg, "is spelled %s here",
                 json_object_get(j, s->wrong_start) ? s->start : s->end);
        return fail_at(e, FA_EINVAL, path,
                       json_object_get(j, s->wrong_start) ? s->wrong_start : s->wrong_end, msg);
    }
    if (json_object_get(j, "relativeRange"))
        return fail_at(e, FA_EINVAL, path, "relativeRange",
                       "is not taken here: give start and end");
    if (read_ms(j, path, s->start, s->seconds_too, &start, e) ||
        read_ms(j, path, s->end, s->seconds_too, &end, e) || set_edges(out, path, start, end, e))
        return e->rc;
    if (end - start > s->max_days * DAY_MS) {
        snprintf(msg, sizeof msg, "must not span more than %lld days", (long long)s->max_days);
        return fail_at(e, s->too_long, path, "", msg);
    }
    return FA_OK;
}

/* ---- relative dates ---- */

static int32_t quarter_before(int32_t day)
{
    return fa_day_floor(fa_day_floor(day, FA_QUARTER) - 1, FA_QUARTER);
}

/* `n` units ending with the current one. */
static bool last_units(int32_t today, int64_t n, fa_bucket unit, fa_range *r)
{
    if (n < 1 || n > MAX_DAYS)
        return false;
    r->to = today;
    switch (unit) {
    case FA_DAY:
        r->from = today - (int32_t)(n - 1);
        break;
    case FA_WEEK:
        r->from = fa_day_floor(today, FA_WEEK) - 7 * (int32_t)(n - 1);
        break;
    case FA_MONTH:
        r->from = fa_day_add_months(fa_day_floor(today, FA_MONTH), -(int)(n - 1));
        break;
    case FA_QUARTER:
        r->from = fa_day_add_months(fa_day_floor(today, FA_QUARTER), -3 * (int)(n - 1));
        break;
    default:
        r->from = fa_day_add_months(fa_day_floor(today, FA_YEAR), -12 * (int)(n - 1));
    }
    return r->from >= 0;
}

/* "last::3::month" */
static bool parse_last(fa_str s, int32_t today, fa_range *r)
{
    static const struct {
        const char *name;
        fa_bucket unit;
    } units[] = {{"day", FA_DAY},         {"days", FA_DAY},    {"week", FA_WEEK},
                 {"weeks", FA_WEEK},      {"month", FA_MONTH}, {"months", FA_MONTH},
                 {"quarter", FA_QUARTER}, {"year", FA_YEAR}};
    int64_t n = 0;
    size_t i = 6;

    if (!fa_str_starts(s, FA_STR("last::")))
        return false;
    for (; i < s.n && i < 11 && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        n = n * 10 + (s.p[i] - '0');
    if (i == 6 || i + 2 > s.n || s.p[i] != ':' || s.p[i + 1] != ':')
        return false;
    for (size_t u = 0; u < FA_COUNT(units); u++)
        if (fa_str_eqz((fa_str){s.p + i + 2, s.n - i - 2}, units[u].name))
            return last_units(today, n, units[u].unit, r);
    return false;
}

static bool resolve_name(fa_str s, int32_t today, fa_range *r)
{
    int32_t month = fa_day_floor(today, FA_MONTH), quarter = fa_day_floor(today, FA_QUARTER);
    int32_t year = fa_day_floor(today, FA_YEAR);
    const struct {
        const char *name;
        int32_t from, to;
    } names[] = {
        {"today", today, today},
        {"yesterday", today - 1, today - 1},
        {"last7Days", today - 6, today},
        {"last14Days", today - 13, today},
        {"last30Days", today - 29, today},
        {"last60Days", today - 59, today},
        {"last90Days", today - 89, today},
        {"currentWeek", fa_day_floor(today, FA_WEEK), today},
        {"previousWeek", fa_day_floor(today, FA_WEEK) - 7, fa_day_floor(today, FA_WEEK) - 1},
        {"currentMonth", month, today},
        {"previousMonth", fa_day_floor(month - 1, FA_MONTH), month - 1},
        {"currentQuarter", quarter, today},
        {"previousQuarter", quarter_before(today), quarter - 1},
        {"currentYear", year, today},
        {"yearToDate", year, today},
        {"previousYear", fa_day_floor(year - 1, FA_YEAR), year - 1},
        {"last12Months", fa_day_add_months(month, -11), today},
    };

    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (fa_str_eqz(s, names[i].name)) {
            r->from = names[i].from;
            r->to = names[i].to;
            return true;
        }
    return parse_last(s, today, r);
}

static fa_rc parse_own(const json_t *j, const char *path, int32_t today, fa_range *out, fa_err *e)
{
    const json_t *name = json_object_get(j, "relativeRange");
    int64_t start = 0, end = 0;

    if (read_unit(j, path, &out->unit, e))
        return e->rc;
    if (name) {
        if (!json_is_string(name) || json_string_length(name) > 60)
            return fail_at(e, FA_EINVAL, path, "relativeRange", "must be a named range");
        out->name = (fa_str){json_string_value(name), json_string_length(name)};
        out->relative = true;
        if (!resolve_name(out->name, today, out)) {
            (void)fail_at(e, FA_EINVAL, path, "relativeRange", "is not a range that is known");
            return fa_hint(e,
                           "for example last30Days, currentMonth, previousMonth, last::3::month");
        }
    } else if (read_edge(j, path, "from", &start, e) || read_edge(j, path, "to", &end, e) ||
               set_edges(out, path, start, end, e)) {
        return e->rc;
    }
    if ((int64_t)out->to - out->from >= MAX_DAYS)
        return fail_at(e, FA_EINVAL, path, "", "must not span more than ten years");
    return FA_OK;
}

fa_rc fa_range_parse(fa_api api, const json_t *j, const char *path, int32_t today,
                     const fa_range *absent, fa_range *out, fa_err *e)
{
    *out = (fa_range){.unit = FA_DAY};
    if (!j || json_is_null(j)) {
        if (!absent)
            return fail_at(e, FA_EINVAL, path, "", "is missing");
        *out = *absent;
        return FA_OK;
    }
    if (!json_is_object(j))
        return fail_at(e, FA_EINVAL, path, "", "must be an object");
    if (api == FA_API_V1)
        return parse_public(&v1, j, path, out, e);
    if (api == FA_API_V2)
        return parse_public(&v2, j, path, out, e);
    return parse_own(j, path, today, out, e);
}

/* ---- the previous period ---- */

fa_range fa_range_previous(const fa_range *r, int32_t today)
{
    static const struct {
        const char *name;
        fa_bucket unit;
    } named[] = {{"currentWeek", FA_WEEK},       {"previousWeek", FA_WEEK},
                 {"currentMonth", FA_MONTH},     {"previousMonth", FA_MONTH},
                 {"currentQuarter", FA_QUARTER}, {"previousQuarter", FA_QUARTER},
                 {"currentYear", FA_YEAR},       {"yearToDate", FA_YEAR},
                 {"previousYear", FA_YEAR}};
    fa_range out = {.unit = r->unit};
    int32_t days = r->to - r->from;

    for (size_t i = 0; r->relative && i < FA_COUNT(named); i++) {
        if (!fa_str_eqz(r->name, named[i].name))
            continue;
        out.from = fa_day_floor(r->from - 1, named[i].unit);
        out.to = r->from - 1;
        /* The running one compares with as many days of the one before. */
        if (fa_day_next(r->from, named[i].unit) > today && out.from + days < out.to)
            out.to = out.from + days;
        return out;
    }
    out.to = r->from - 1;
    out.from = out.to - days;
    return out;
}
