/*
 * token.c - `farthing token create|list|revoke`: API tokens. The secret is printed once and kept
 * nowhere.
 */
#include "cli/inner.h"

#include <string.h>

enum { DAY_MS = 86400000, DAYS_MAX = 3650 };

static int token_create(const fa_cmd *c, fa_ledger *l, int argc, char **argv, fa_cmd_io *io)
{
    const char *description = NULL, *role = "api-token", *days = "never";
    const fa_opt opt[] = {
        {"description", FA_OPT_TEXT, &description, true, 0},
        {"role", FA_OPT_TEXT, &role, false, 0},
        {"expires-days", FA_OPT_TEXT, &days, false, 0},
    };
    fa_caller system = fa_caller_system(l);
    int64_t expires = -1, n = 0;
    fa_new_token t = {0};
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[64];
    int nrest, code;
    fa_buf b;
    fa_jw w;

    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    if (strcmp(days, "never") != 0) {
        for (const char *p = days; *p && n <= DAYS_MAX; p++)
            n = *p >= '0' && *p <= '9' ? n * 10 + (*p - '0') : DAYS_MAX + 1;
        if (n < 1 || n > DAYS_MAX)
            return fa_cmd_usage(c, io, "--expires-days is 1 to %d or \"never\", not \"%s\"",
                                DAYS_MAX, days);
        expires = fa_now_ms() + n * DAY_MS;
    }
    fa_buf_init(&b, 4096);
    if (fa_token_create(l, &a, &system, fa_str_of(description), fa_str_of(role), expires, &t, &e)) {
        code = fa_cmd_fail(io, &e);
    } else {
        fa_jw_init(&w, &b);
        fa_jw_obj(&w);
        fa_jw_key(&w, "clientId");
        fa_jw_str(&w, t.client_id);
        fa_jw_key(&w, "secretKey");
        fa_jw_str(&w, t.secret);
        fa_jw_end_obj(&w);
        fprintf(io->out, "%.*s\n", FA_FMT(fa_buf_view(&b)));
        code = !b.failed && fflush(io->out) == 0 ? 0 : 3;
        if (b.p)
            explicit_bzero(b.p, b.n);
    }
    fa_buf_release(&b);
    fa_arena_release(&a);
    return code;
}

static const char *state_of(const fa_token *t, int64_t now)
{
    if (t->revoked_ms >= 0)
        return "revoked";
    return t->expires_ms >= 0 && t->expires_ms <= now ? "expired" : "active";
}

static void put_json(fa_jw *w, const fa_token *t, int64_t now)
{
    fa_jw_obj(w);
    fa_jw_key(w, "id");
    fa_jw_str(w, t->id);
    fa_jw_key(w, "clientId");
    fa_jw_str(w, t->client_id);
    fa_jw_key(w, "description");
    fa_jw_str(w, t->description);
    fa_jw_key(w, "role");
    fa_jw_str(w, t->roles);
    fa_jw_key(w, "createdBy");
    fa_jw_str(w, t->created_by);
    fa_jw_key(w, "createdAt");
    fa_jw_time(w, t->created_ms);
    fa_jw_key(w, "expiresAt");
    fa_jw_time(w, t->expires_ms);
    fa_jw_key(w, "revokedAt");
    fa_jw_time(w, t->revoked_ms);
    fa_jw_key(w, "lastUsedAt");
    fa_jw_time(w, t->last_used_ms);
    fa_jw_key(w, "state");
    fa_jw_z(w, state_of(t, now));
    fa_jw_end_obj(w);
}

/* Control characters of a description must not reach a terminal. */
static void put_plain(fa_buf *b, fa_str s)
{
    for (size_t i = 0; i < s.n; i++)
        fa_buf_c(b, (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i]);
}

static void put_line(fa_buf *b, const fa_token *t, int64_t now)
{
    fa_buf_fmt(b, "%.*s  %-7s  %-9.*s  ", FA_FMT(t->client_id), state_of(t, now), FA_FMT(t->roles));
    if (t->expires_ms < 0)
        fa_buf_z(b, "never     ");
    else
        fa_day_emit(b, fa_ms_day(t->expires_ms));
    fa_buf_z(b, "  ");
    if (t->last_used_ms < 0)
        fa_buf_z(b, "never     ");
    else
        fa_day_emit(b, fa_ms_day(t->last_used_ms));
    fa_buf_z(b, "  ");
    put_plain(b, t->description);
    fa_buf_c(b, '\n');
}

static int token_list(const fa_cmd *c, fa_ledger *l, int argc, char **argv, fa_cmd_io *io)
{
    bool as_json = false;
    const fa_opt opt[] = {{"json", FA_OPT_FLAG, &as_json, false, 0}};
    int64_t now = fa_now_ms();
    fa_arena a = {0};
    fa_err e = {0};
    char *rest[64];
    int nrest, code;
    fa_token *t;
    size_t n;
    fa_buf b;
    fa_jw w;

    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    fa_buf_init(&b, 0);
    if (fa_token_list(fa_ledger_store(l), &a, fa_ledger_account(l), &t, &n, &e)) {
        code = fa_cmd_fail(io, &e);
        goto done;
    }
    if (as_json) {
        fa_jw_init(&w, &b);
        fa_jw_arr(&w);
        for (size_t i = 0; i < n; i++)
            put_json(&w, &t[i], now);
        fa_jw_end_arr(&w);
        fa_buf_c(&b, '\n');
    } else {
        fa_buf_fmt(&b, "%-36s  %-7s  %-9s  %-10s  %-10s  %s\n", "client id", "state", "role",
                   "expires", "last used", "description");
        for (size_t i = 0; i < n; i++)
            put_line(&b, &t[i], now);
    }
    if (b.failed || fwrite(b.p, 1, b.n, io->out) != b.n || fflush(io->out) != 0) {
        fa_fail(&e, FA_EENV, "could not write the list of tokens to standard output");
        code = fa_cmd_fail(io, &e);
    }
done:
    fa_buf_release(&b);
    fa_arena_release(&a);
    return code;
}

static int token_revoke(const fa_cmd *c, fa_ledger *l, int argc, char **argv, fa_cmd_io *io)
{
    fa_caller system = fa_caller_system(l);
    fa_arena a = {0};
    char *rest[64];
    fa_err e = {0};
    int nrest, code;

    if ((code = fa_opts_take(c, io, argc, argv, NULL, 0, rest, &nrest)))
        return code;
    if (nrest != 1)
        return fa_cmd_usage(c, io, "revoke needs one client id");
    code = fa_token_end(l, &a, &system, fa_str_of(rest[0]), false, &e) ? fa_cmd_fail(io, &e) : 0;
    fa_arena_release(&a);
    if (code)
        return code;
    fa_log(FA_LOG_INFO, "token_revoked", "by=command id=%s", rest[0]);
    fprintf(io->out, "revoked %s\n", rest[0]);
    return fflush(io->out) == 0 ? 0 : 3;
}

static const struct {
    const char *name;
    int (*run)(const fa_cmd *c, fa_ledger *l, int argc, char **argv, fa_cmd_io *io);
} verbs[] = {{"create", token_create}, {"list", token_list}, {"revoke", token_revoke}};

int fa_cli_token(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    (void)dir;
    if (argc > 64)
        return fa_cmd_usage(c, io, "too many words");
    for (size_t i = 0; argc > 1 && i < FA_COUNT(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(c, l, argc - 1, argv + 1, io);
    return fa_cmd_usage(c, io, "say create, list or revoke");
}
