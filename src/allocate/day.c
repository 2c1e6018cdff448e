/*
 * day.c - the date formats a telemetry file may use.
 *
 * The one idea: a format is the text the user chose; letters stand for digits, the rest for itself.
 */
#include "allocate/points.h"

static const char *const formats[] = {"yyyy-MM-dd", "yyyy/MM/dd", "yyyy/M/d",
                                      "MM/d/yyyy",  "yyyy-M-d",   "yyyy-MM-dd'T'00:00:00'Z'"};

bool fa_date_format_known(fa_str format)
{
    for (size_t i = 0; i < FA_COUNT(formats); i++)
        if (fa_str_eqz(format, formats[i]))
            return true;
    return false;
}

/* Digits for `width` letters: one letter takes one or two, more take exactly so many. */
static bool take_number(fa_str *s, size_t width, int *out)
{
    size_t n = 0;

    for (*out = 0; n < s->n && n < (width == 1 ? 2 : width) && s->p[n] >= '0' && s->p[n] <= '9';
         n++)
        *out = *out * 10 + (s->p[n] - '0');
    s->p += n;
    s->n -= n;
    return width == 1 ? n > 0 : n == width;
}

bool fa_date_parse(fa_str format, fa_str s, int32_t *day)
{
    int y = 0, m = 0, d = 0;

    s = fa_str_trim(s);
    for (size_t i = 0; i < format.n;) {
        char c = format.p[i];
        size_t width = 1;

        while (i + width < format.n && format.p[i + width] == c)
            width++;
        if (c == '\'') {
            i++;
        } else if (c == 'y' || c == 'M' || c == 'd') {
            if (!take_number(&s, width, c == 'y' ? &y : c == 'M' ? &m : &d))
                return false;
            i += width;
        } else {
            if (!s.n || s.p[0] != c)
                return false;
            s.p++;
            s.n--;
            i++;
        }
    }
    if (s.n || y < 1970 || y > 2200 || m < 1 || m > 12 || d < 1 || d > fa_month_days(y, m))
        return false;
    *day = fa_day_of(y, m, d);
    return true;
}
