/*
 * formats.c - the table of billing formats, and which of them a file is.
 */
#include "bill/inner.h"

#include <jansson.h>
#include <string.h>

const fa_bill_format fa_bill_formats[] = {
    {"focus", "FOCUS 1.0 to 1.4: CSV (plain, gzip, zstd, zip) or Parquet", fa_score_focus,
     fa_match_focus},
    {"aws-cur", "AWS Cost and Usage Report: legacy CSV, Athena Parquet, CUR 2.0", fa_score_aws,
     fa_match_aws},
    {"azure", "Azure cost details: EA, MCA, pay-as-you-go; actual and amortized", fa_score_azure,
     fa_match_azure},
    {"google", "Google Cloud billing export: standard and detailed, JSON lines, CSV, Parquet",
     fa_score_google, fa_match_google},
    {"oci", "Oracle cost report", fa_score_oracle, fa_match_oracle},
    {"anycost", "CloudZero common bill format (CBF)", fa_score_anycost, fa_match_anycost},
    {"custom", "any CSV or Parquet, with a mapping", NULL, fa_match_generic},
    {NULL, NULL, NULL, NULL},
};

static fa_rc none_fits(const fa_bill_file *f, fa_err *e)
{
    if (f->delim != ',')
        return fa_bill_wrong_delim(f, e);
    (void)fa_fail(e, FA_EDATA,
                  "%.*s: no known bill format has these %zu columns (the first is \"%.*s\")",
                  FA_FMT(f->name), f->ncolumn, FA_FMT(f->column[0].name));
    return fa_hint(e,
                   "read are FOCUS 1.0 to 1.4, AWS CUR, Azure, Google and Oracle exports, told by"
                   " their column names; any other table needs a mapping: --mapping FILE");
}

static bool is_asked(fa_str want, const char *format)
{
    fa_str name = fa_str_of(format);

    return fa_str_starts(want, name) && (want.n == name.n || want.p[name.n] == '-');
}

static fa_rc find_format(const fa_bill_file *f, fa_str want, const fa_bill_format **out, fa_err *e)
{
    int best_score = 0;

    *out = NULL;
    for (const fa_bill_format *k = fa_bill_formats; k->name; k++) {
        int score = k->score ? k->score(f) : 0;

        if (want.n ? is_asked(want, k->name) : score > best_score) {
            *out = k;
            best_score = score;
        }
    }
    if (!*out && want.n) {
        (void)fa_fail(e, FA_EINVAL, "unknown bill format \"%.*s\"", FA_FMT(want));
        return fa_hint(
            e, "known formats: focus, aws-cur, azure (azure-actual, azure-amortized), google,"
               " oci, anycost, custom");
    }
    return *out ? FA_OK : none_fits(f, e);
}

fa_rc fa_bill_recognise(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    const fa_bill_format *k;
    fa_str want = m->hint->format;
    json_t *mapping = NULL;
    fa_rc rc;

    m->constants = NULL;
    if (m->hint->mapping.n) {
        if (!(mapping = json_loadb(m->hint->mapping.p, m->hint->mapping.n, 0, NULL)) ||
            !json_is_object(mapping)) {
            json_decref(mapping);
            return fa_fail(e, FA_EINVAL, "the mapping is not a JSON object");
        }
        m->constants = json_object_get(mapping, "constants");
        if (!want.n && json_string_length(json_object_get(mapping, "format")))
            want = fa_arena_dup(m->a,
                                fa_str_of(json_string_value(json_object_get(mapping, "format"))));
        if (!want.n && json_object_get(mapping, "columns"))
            want = FA_STR("custom");
    }
    rc = find_format(f, want, &k, e);
    if (!rc)
        rc = k->match(g, f, m, e);
    json_decref(mapping);
    m->constants = NULL;
    return rc;
}
