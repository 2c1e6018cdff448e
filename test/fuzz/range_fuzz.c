/*
 * range_fuzz.c - any bytes as a date object, in every API's spelling.
 *
 * What parses is a range in order and in bounds, with a period before it that ends the day before it
 * starts; what does not says why.
 */
#include "query/query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(fa_api api, const json_t *j, int32_t today)
{
    static const int max_days[] = {
        [FA_API_V1] = 91, [FA_API_V2] = 61, [FA_API_INTERNAL] = 3700, [FA_API_CLI] = 3700};
    fa_range r, before;
    fa_err e = {0};
    fa_rc rc = fa_range_parse(api, j, "date", today, NULL, &r, &e);

    if (rc) {
        if (!e.msg[0] || strncmp(e.field, "date", 4) != 0 || (rc != FA_EINVAL && rc != FA_EDATA))
            abort();
        return;
    }
    if (r.from > r.to || r.from < -40000 || r.to > 84100 || r.to - r.from + 1 > max_days[api] ||
        r.unit > FA_YEAR)
        abort();
    before = fa_range_previous(&r, today);
    if (before.from > before.to || before.to >= r.from ||
        before.to - before.from > r.to - r.from + 366)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *j;
    int32_t today;

    if (size < 4)
        return 0;
    today = 10957 + (data[1] | data[2] << 8) % 36525; /* 2000 to 2100 */
    j = json_loadb((const char *)data + 3, size - 3, JSON_DECODE_ANY, NULL);
    if (!j)
        return 0;
    check((fa_api)(data[0] % 4), j, today);
    json_decref(j);
    return 0;
}
