/*
 * costtypes.c - `farthing costtypes`: the account's cost types: the default, FairShare, discounts.
 */
#include "cli/inner.h"
#include "present/present.h"

#include <jansson.h>
#include <string.h>

/* {"defaultCostType":..}, {"edp":..}: what the options say, with the discounts as they were but for their switch. */
static fa_rc change(fa_ledger *l, fa_arena *a, const char *type, const char *edp, fa_err *e)
{
    fa_caller system = fa_caller_system(l);
    fa_edp_settings s;
    json_t *j = NULL, *all = json_object();
    fa_buf b;
    fa_jw w;
    fa_rc rc = all ? FA_OK : fa_oom(e);

    if (edp && strcmp(edp, "on") != 0 && strcmp(edp, "off") != 0) {
        json_decref(all);
        (void)fa_fail(e, FA_EINVAL, "--edp cannot be \"%s\"", edp);
        return fa_hint(e, "on or off");
    }
    if (!rc && type && json_object_set_new(all, "defaultCostType", json_string(type)))
        rc = fa_oom(e);
    if (!rc && edp && !(rc = fa_edp_get(l, a, &s, e))) {
        s.show = strcmp(edp, "on") == 0;
        fa_buf_init(&b, 8 << 20);
        fa_jw_init(&w, &b);
        fa_edp_json(&w, &s);
        j = b.failed ? NULL : json_loadb(b.p, b.n, 0, NULL);
        fa_buf_release(&b);
        if (!j || json_object_set_new(all, "edp", j))
            rc = fa_oom(e);
    }
    if (!rc)
        rc = fa_cost_types_put(l, a, &system, all, e);
    json_decref(all);
    return rc;
}

static fa_rc set_fair(fa_ledger *l, fa_arena *a, fa_cmd_io *io, const char *width, fa_err *e)
{
    fa_caller system = fa_caller_system(l);
    char after[64];
    fa_fair_width w;
    fa_progress p;
    fa_bar *bar;
    fa_rc rc;

    if (!fa_fair_find(fa_str_of(width), &w)) {
        (void)fa_fail(e, FA_EINVAL, "--fairshare cannot be \"%s\"", width);
        return fa_hint(e, "one of off, sku, family, service");
    }
    if ((rc = fa_cost_types_fair(l, a, w, e)))
        return rc;
    bar = fa_bar_new(io, "making FairShare cost", &p);
    rc = fa_ledger_fair_set(l, w, &p, e);
    fa_bar_free(bar);
    snprintf(after, sizeof after, "{\"width\":\"%s\"}", fa_fair_name(w));
    return rc ? rc
              : fa_audit_add(l, &system,
                             &(fa_audit){.action = "fairshare.change",
                                         .object_type = "account",
                                         .object_id = fa_ledger_account(l),
                                         .after = fa_str_of(after),
                                         .severity = "medium"},
                             e);
}

/* The same as GET /api/cost-types, in words. */
static fa_rc say(fa_ledger *l, fa_arena *a, FILE *f, fa_err *e)
{
    size_t n;
    const fa_cost_type *t = fa_cost_types(&n);
    fa_edp_settings edp;
    fa_account account;
    uint32_t offered;

    if (fa_account_first(fa_ledger_store(l), a, &account, e) ||
        fa_cost_types_offered(l, a, &offered, e) || fa_edp_get(l, a, &edp, e))
        return e->rc;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = fa_ledger_approximated(l, t[i].measure);

        if (t[i].is_usage)
            continue;
        fprintf(f, "%-18s %s%s%s", t[i].name, offered & FA_BIT(t[i].measure) ? "offered" : "-",
                fa_str_eqz(account.default_cost_type, t[i].name) ? ", default" : "",
                edp.n && edp.measures & FA_BIT(t[i].measure) ? ", with discounts" : "");
        for (unsigned k = 0; k < FA_CENTERS_MAX; k++)
            if (bits >> k & 1)
                fprintf(f, ", approximated for %s", fa_ledger_center(k));
        fputc('\n', f);
    }
    fprintf(f, "FairShare          %s\n", fa_fair_name(fa_ledger_fair(l)));
    fprintf(f, "Discounts (EDP)    %s, %zu %s\n", edp.show ? "on" : "off", edp.n,
            edp.n == 1 ? "adjustment" : "adjustments");
    return FA_OK;
}

int fa_cli_costtypes(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                     fa_cmd_io *io)
{
    const char *fair = NULL, *type = NULL, *edp = NULL;
    const fa_opt opt[] = {{"fairshare", FA_OPT_TEXT, &fair, false, 0},
                          {"default", FA_OPT_TEXT, &type, false, 0},
                          {"edp", FA_OPT_TEXT, &edp, false, 0}};
    char *rest[64];
    int nrest, code;
    fa_arena a;
    fa_err e = {0};
    fa_rc rc = FA_OK;

    (void)dir;
    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    fa_arena_init(&a, 64 << 20);
    if (fair)
        rc = set_fair(l, &a, io, fair, &e);
    if (!rc && (type || edp))
        rc = change(l, &a, type, edp, &e);
    if (!rc)
        rc = say(l, &a, io->out, &e);
    fa_arena_release(&a);
    if (rc)
        return fa_cmd_fail(io, &e);
    return fflush(io->out) == 0 ? 0 : 3;
}
