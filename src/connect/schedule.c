/*
 * schedule.c - "minute hour day month weekday" in UTC: numbers, lists, ranges, steps, and the usual @names.
 */
#include "connect/inner.h"

#include <string.h>

typedef struct cron {
    uint64_t minute, hour, day, month, weekday;
    bool any_day, any_weekday;
} cron;

static const struct {
    const char *name, *text;
} names[] = {{"@hourly", "0 * * * *"},
             {"@daily", "0 4 * * *"},
             {"@weekly", "0 4 * * 1"},
             {"@monthly", "0 4 5 * *"}};

static bool number(fa_str *s, unsigned least, unsigned most, unsigned *out)
{
    uint64_t v;

    if (!fa_take_u64(s, &v) || v < least || v > most)
        return false;
    *out = (unsigned)v;
    return true;
}

/* "*", "5", "1-5", each with "/step" */
static bool item(fa_str s, unsigned least, unsigned most, uint64_t *bits)
{
    unsigned from = least, to = most, step = 1;
    bool star = fa_take(&s, "*");

    if (!star) {
        if (!number(&s, least, most, &from))
            return false;
        to = from;
        if (fa_take(&s, "-") && !number(&s, from, most, &to))
            return false;
    }
    if (fa_take(&s, "/")) {
        if (!number(&s, 1, most, &step))
            return false;
        if (!star && to == from)
            to = most; /* "5/15": from 5 on */
    }
    if (s.n)
        return false;
    for (unsigned i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool field(fa_str *rest, unsigned least, unsigned most, uint64_t *bits, bool *any)
{
    fa_str s;
    const char *end;

    *rest = fa_str_trim(*rest);
    end = memchr(rest->p, ' ', rest->n);
    s = (fa_str){rest->p, end ? (size_t)(end - rest->p) : rest->n};
    *rest = (fa_str){rest->p + s.n, rest->n - s.n};
    if (any)
        *any = fa_str_eqz(s, "*");
    *bits = 0;
    while (s.n) {
        const char *comma = memchr(s.p, ',', s.n);
        size_t n = comma ? (size_t)(comma - s.p) : s.n;

        if (!item((fa_str){s.p, n}, least, most, bits))
            return false;
        if (comma && n + 1 == s.n)
            return false;
        s = comma ? (fa_str){s.p + n + 1, s.n - n - 1} : FA_STR("");
    }
    return *bits != 0;
}

static bool parse(fa_str text, cron *c)
{
    fa_str rest = fa_str_trim(text);

    *c = (cron){0};
    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (fa_str_eqz(rest, names[i].name))
            rest = fa_str_of(names[i].text);
    if (!field(&rest, 0, 59, &c->minute, NULL) || !field(&rest, 0, 23, &c->hour, NULL) ||
        !field(&rest, 1, 31, &c->day, &c->any_day) || !field(&rest, 1, 12, &c->month, NULL) ||
        !field(&rest, 0, 7, &c->weekday, &c->any_weekday))
        return false;
    if (c->weekday >> 7 & 1)
        c->weekday |= 1; /* 7 is Sunday, too */
    return !fa_str_trim(rest).n;
}

/* As cron does: with both given, either one is enough. */
static bool day_fits(const cron *c, int32_t day)
{
    int y, m, d;
    unsigned weekday = (unsigned)(((day + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    bool by_day, by_weekday;

    fa_day_civil(day, &y, &m, &d);
    if (!(c->month >> m & 1))
        return false;
    by_day = c->day >> d & 1;
    by_weekday = c->weekday >> weekday & 1;
    if (c->any_day || c->any_weekday)
        return by_day && by_weekday;
    return by_day || by_weekday;
}

fa_rc fa_schedule_check(fa_str text, fa_err *e)
{
    cron c;

    if (!fa_str_trim(text).n || (text.n <= 200 && parse(text, &c)))
        return FA_OK;
    fa_fail(e, FA_EINVAL,
            "a schedule is \"minute hour day month weekday\" in UTC, such as \"15 */6 * * *\", or "
            "@hourly, @daily, @weekly, @monthly");
    return fa_at(e, "schedule");
}

int64_t fa_schedule_next(fa_str text, int64_t after_ms)
{
    int64_t t = (after_ms / 60000 + 1) * 60000; /* the next whole minute */
    int32_t day = fa_ms_day(t), last = day + 366 * 8 + 2;
    cron c;

    if (!fa_str_trim(text).n || !parse(text, &c))
        return -1;
    for (; day <= last; day++) {
        int64_t start = (int64_t)day * 86400000;
        unsigned first = t > start ? (unsigned)((t - start) / 60000) : 0;

        if (!day_fits(&c, day))
            continue;
        for (unsigned m = first; m < 1440; m++)
            if ((c.hour >> (m / 60) & 1) && (c.minute >> (m % 60) & 1))
                return start + (int64_t)m * 60000;
    }
    return -1;
}
