/*
 * currency.c - `farthing currency`: which currency the account is in, and the dated rates of the others.
 */
#include "cli/inner.h"
#include "present/present.h"

#include <string.h>

enum { CSV_MAX = 8 << 20, DEADLINE_MS = 600000 };

static void put_day(FILE *out, const char *before, const json_t *day)
{
    if (json_is_string(day))
        fprintf(out, "%s%s", before, json_string_value(day));
}

static fa_rc show_text(const json_t *j, FILE *out, fa_err *e)
{
    const json_t *v;
    size_t i;

    fprintf(out, "account currency: %s%s\n", json_string_value(json_object_get(j, "currency")),
            json_is_true(json_object_get(j, "chosen")) ? "" : " (nobody has chosen one)");
    json_array_foreach(json_object_get(j, "bills"), i, v)
    {
        fprintf(out, "bills in %s", json_string_value(json_object_get(v, "currency")));
        put_day(out, ", ", json_object_get(v, "first"));
        put_day(out, " to ", json_object_get(v, "last"));
        put_day(out, "; NO RATE from ", json_object_get(v, "missing"));
        fputc('\n', out);
    }
    json_array_foreach(json_object_get(j, "pairs"), i, v)
    {
        const char *account = json_string_value(json_object_get(v, "billingAccount"));

        fprintf(out, "rates %s to %s%s%s: %lld, ",
                json_string_value(json_object_get(v, "currency")),
                json_string_value(json_object_get(v, "target")), *account ? " of " : "", account,
                (long long)json_integer_value(json_object_get(v, "rates")));
        put_day(out, "", json_object_get(v, "first"));
        put_day(out, " to ", json_object_get(v, "last"));
        fprintf(out, ", last %s\n", json_string_value(json_object_get(v, "rate")));
    }
    return fflush(out) == 0 ? FA_OK : fa_fail(e, FA_EENV, "could not write to standard output");
}

static fa_rc show(fa_ledger *l, fa_arena *a, bool json, FILE *out, fa_err *e)
{
    fa_caller caller = fa_caller_system(l);
    const fa_filter *scope;
    json_t *j;
    fa_buf b;
    fa_jw w;
    fa_rc rc;

    fa_buf_init(&b, 0);
    fa_jw_init(&w, &b);
    if ((rc = fa_caller_scope(l, a, &caller, &scope, e)) ||
        (rc = fa_currency_json(l, a, scope, fa_mono_ms() + DEADLINE_MS, &w, e)) ||
        (rc = b.failed ? fa_oom(e) : FA_OK))
        goto done;
    if (json) {
        if (fwrite(b.p, 1, b.n, out) != b.n || fputc('\n', out) == EOF || fflush(out) != 0)
            rc = fa_fail(e, FA_EENV, "could not write to standard output");
        goto done;
    }
    j = json_loadb(b.p, b.n, 0, NULL);
    rc = j ? show_text(j, out, e) : fa_oom(e);
    json_decref(j);
done:
    fa_buf_release(&b);
    return rc;
}

static fa_rc load(fa_ledger *l, fa_arena *a, const char *path, bool dry, FILE *out, fa_err *e)
{
    fa_caller caller = fa_caller_system(l);
    fa_rates_change c;
    fa_buf text;
    fa_rc rc;

    if (!path)
        return fa_oom(e);
    fa_buf_init(&text, CSV_MAX);
    if (!(rc = fa_file_read(path, CSV_MAX, &text, e)) &&
        !(rc = fa_rates_csv(l, a, &caller, fa_buf_view(&text), dry, &c, e))) {
        for (size_t i = 0; c.error && i < c.nerror && i < 50; i++)
            fprintf(out, "line %lld: %.*s\n", (long long)c.error[i].line, FA_FMT(c.error[i].text));
        fprintf(out, "%s%lld rates: %lld new, %lld changed, %lld as they were\n",
                dry ? "would read " : "read ", (long long)c.rows, (long long)c.added,
                (long long)c.changed, (long long)c.same);
        if (fflush(out) != 0)
            rc = fa_fail(e, FA_EENV, "could not write to standard output");
        else if (c.nerror)
            rc = fa_fail(e, FA_EDATA, "%zu lines are wrong", c.nerror);
    }
    fa_buf_release(&text);
    return rc;
}

static fa_rc use(fa_ledger *l, fa_arena *a, const char *code, fa_err *e)
{
    fa_caller caller = fa_caller_system(l);

    return fa_currency_choose(l, a, &caller, fa_str_of(code), e);
}

int fa_cli_currency(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                    fa_cmd_io *io)
{
    bool json = false, dry = false;
    const fa_opt opt[] = {{"json", FA_OPT_FLAG, &json, false, 0},
                          {"dry-run", FA_OPT_FLAG, &dry, false, 0}};
    fa_arena a = {0};
    fa_err e = {0};
    char **rest = fa_arena_array(&a, (size_t)argc + 1, sizeof *rest);
    int nrest = 0, code;
    fa_rc rc;

    (void)dir;
    if (!rest) {
        (void)fa_oom(&e);
        code = fa_cmd_fail(io, &e);
    } else if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)) == 0) {
        if (nrest == 1 && strcmp(rest[0], "show") == 0)
            rc = show(l, &a, json, io->out, &e);
        else if (nrest == 2 && strcmp(rest[0], "use") == 0)
            rc = use(l, &a, rest[1], &e);
        else if (nrest == 2 && strcmp(rest[0], "load") == 0)
            rc = load(l, &a, fa_cmd_path(&a, io, rest[1]), dry, io->out, &e);
        else {
            fa_arena_release(&a);
            return fa_cmd_usage(c, io, "say show, use CODE or load FILE.csv");
        }
        code = rc ? fa_cmd_fail(io, &e) : 0;
    }
    fa_arena_release(&a);
    return code;
}
