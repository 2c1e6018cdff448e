/*
 * iso4217.c - the codes of currencies: ISO 4217's list of 2025, and those withdrawn since 2020 that old bills still have.
 */
#include "query/query.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const char *const codes[] = {
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD",
    "BDT", "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP",
    "BYN", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW", "CLF", "CLP", "CNY", "COP", "COU",
    "CRC", "CUC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB",
    "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD",
    "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD",
    "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK", "LBP",
    "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR",
    "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD",
    "RUB", "RWF", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SLL", "SOS",
    "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY",
    "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU", "UYW", "UZS", "VED",
    "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD",
    "XCD", "XCG", "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XUA", "YER",
    "ZAR", "ZMW", "ZWG", "ZWL",
};
/* clang-format on */

static int by_code(const void *key, const void *row)
{
    const fa_str *k = key;
    const char *const *c = row;

    return fa_str_cmp(*k, fa_str_of(*c));
}

const char *const *fa_currencies(size_t *n)
{
    *n = FA_COUNT(codes);
    return codes;
}

bool fa_currency_known(fa_str code)
{
    return bsearch(&code, codes, FA_COUNT(codes), sizeof *codes, by_code) != NULL;
}

bool fa_currency_asked(fa_str text, fa_str *out, fa_err *e)
{
    if (text.n == 0 || fa_str_eqz(text, FA_CURRENCY_ORIGINAL) || fa_currency_known(text)) {
        *out = text;
        return true;
    }
    (void)fa_fail(e, FA_EINVAL, "\"%.*s\" is no currency", (int)(text.n > 40 ? 40 : text.n),
                  text.p);
    (void)fa_hint(e, "a code of ISO 4217 in capital letters, or " FA_CURRENCY_ORIGINAL);
    return false;
}
