/*
 * date.c - days as integers since 1970-01-01 UTC, calendar buckets, the two clocks.
 *
 * The civil conversions count from 1 March so that the leap day is the last of its year; a 400-year
 * era has 146,097 days. No time zone and no libc calendar is involved.
 */
#include "base/base.h"

#include <stdlib.h>
#include <time.h>

static int64_t div_floor(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int32_t fa_day_of(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = div_floor(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;

    return (int32_t)(era * 146097 + doe - 719468);
}

void fa_day_civil(int32_t day, int *year, int *month, int *mday)
{
    int64_t z = (int64_t)day + 719468;
    int64_t era = div_floor(z, 146097), doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int fa_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

static bool digits(const char *p, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        *out = *out * 10 + (p[i] - '0');
    }
    return true;
}

bool fa_day_parse(fa_str s, int32_t *out)
{
    int y, m, d;

    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-' || !digits(s.p, 4, &y) ||
        !digits(s.p + 5, 2, &m) || !digits(s.p + 8, 2, &d))
        return false;
    if (y < 1 || m < 1 || m > 12 || d < 1 || d > fa_month_days(y, m))
        return false;
    *out = fa_day_of(y, m, d);
    return true;
}

void fa_day_emit(fa_buf *b, int32_t day)
{
    int y, m, d;

    fa_day_civil(day, &y, &m, &d);
    fa_buf_fmt(b, "%04d-%02d-%02d", y, m, d);
}

/* 0 is Monday; 1970-01-01 was a Thursday. */
static int weekday(int32_t day)
{
    int64_t w = ((int64_t)day + 3) % 7;

    return (int)(w < 0 ? w + 7 : w);
}

int32_t fa_day_floor(int32_t day, fa_bucket k)
{
    int y, m, d;

    fa_day_civil(day, &y, &m, &d);
    switch (k) {
    case FA_WEEK:
        return day - weekday(day);
    case FA_MONTH:
        return fa_day_of(y, m, 1);
    case FA_QUARTER:
        return fa_day_of(y, (m - 1) / 3 * 3 + 1, 1);
    case FA_YEAR:
        return fa_day_of(y, 1, 1);
    case FA_ALL:
        return INT32_MIN;
    case FA_HOUR:
    case FA_DAY:
    case FA__BUCKET_COUNT:
        break;
    }
    return day;
}

int32_t fa_day_next(int32_t day, fa_bucket k)
{
    int32_t first = fa_day_floor(day, k);

    switch (k) {
    case FA_WEEK:
        return first + 7;
    case FA_MONTH:
        return fa_day_add_months(first, 1);
    case FA_QUARTER:
        return fa_day_add_months(first, 3);
    case FA_YEAR:
        return fa_day_add_months(first, 12);
    case FA_ALL:
        return INT32_MAX;
    case FA_HOUR:
    case FA_DAY:
    case FA__BUCKET_COUNT:
        break;
    }
    return day + 1;
}

int32_t fa_day_add_months(int32_t day, int n)
{
    int y, m, d, last;
    int64_t months;

    fa_day_civil(day, &y, &m, &d);
    months = (int64_t)y * 12 + (m - 1) + n;
    y = (int)div_floor(months, 12);
    m = (int)(months - (int64_t)y * 12) + 1;
    last = fa_month_days(y, m);
    return fa_day_of(y, m, d < last ? d : last);
}

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0)
        abort(); /* neither clock can be missing on Linux */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t fa_now_ms(void)
{
    const char *fixed = getenv("FARTHING_NOW_MS");

    if (fixed && *fixed) {
        char *end;
        long long v = strtoll(fixed, &end, 10);

        if (*end == '\0')
            return v;
    }
    return clock_ms(CLOCK_REALTIME);
}

int64_t fa_mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void fa_time_iso(fa_buf *b, int64_t epoch_ms)
{
    int32_t day = fa_ms_day(epoch_ms);
    int ms = (int)(epoch_ms - (int64_t)day * 86400000);

    fa_day_emit(b, day);
    fa_buf_fmt(b, "T%02d:%02d:%02d.%03dZ", ms / 3600000, ms / 60000 % 60, ms / 1000 % 60,
               ms % 1000);
}
