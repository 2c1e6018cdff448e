/*
 * serve.c - `farthing serve`: the server and the command door, until a signal asks to stop.
 *
 * Also `farthing routes`, which prints the route table for the test that keeps doc/openapi.yaml
 * true.
 */
#include "api/api.h"
#include "cli/inner.h"
#include "net/net.h"
#include "vault/vault.h"
#include "query/query.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROXIES_MAX = 1024 };

/* Until a signal; what the first question needs is made again after each change of the ledger. */
static void wait_for_signal(fa_ledger *l, const volatile bool *cancel)
{
    const struct timespec step = {0, 100000000}; /* a signal ends the sleep at once */
    uint64_t warm = 0;

    while (!fa_flag_get(cancel)) {
        uint64_t now = fa_ledger_generation(l);

        if (now != warm) {
            warm = now;
            fa_query_warm(l);
        } else {
            nanosleep(&step, NULL);
        }
    }
}

/* Options before the environment. FARTHING_RETRY_MS: the tests do not wait. */
static fa_rc open_net(const char *allow, const char *ca_file, fa_net **out, fa_err *e)
{
    const char *ms = getenv("FARTHING_RETRY_MS");
    fa_net_config c = {.allow = allow ? allow : getenv("FARTHING_ALLOW_HOSTS"),
                       .ca_file = ca_file ? ca_file : getenv("FARTHING_CA_FILE"),
                       .retry_ms = ms ? (unsigned)strtoul(ms, NULL, 10) : 0};

    return fa_net_open(&c, out, e);
}

/* The list with its commas made spaces; false: too long, or something in it is no address. */
static bool spaced(const char *list, char out[PROXIES_MAX])
{
    size_t n = list ? strlen(list) : 0;

    if (n >= PROXIES_MAX)
        return false;
    memcpy(out, n ? list : "", n);
    out[n] = '\0';
    for (char *p = out; *p; p++)
        if (*p == ',')
            *p = ' ';
    return fa_ip_list_ok(fa_str_of(out));
}

int fa_cli_serve(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                 fa_cmd_io *io)
{
    const char *listen = "127.0.0.1:8080", *allow = NULL, *ca_file = NULL, *vault_key = NULL,
               *folders = getenv("FARTHING_WATCH_FOLDERS"),
               *proxies = getenv("FARTHING_TRUSTED_PROXIES");
    bool allow_public = false;
    int64_t workers = 0, timeout_s = 0, per_key = 0;
    const fa_opt opt[] = {
        {"listen", FA_OPT_TEXT, &listen, false, 0},
        {"allow-public", FA_OPT_FLAG, &allow_public, false, 0},
        {"workers", FA_OPT_NUM, &workers, false, 1024},
        {"per-key", FA_OPT_NUM, &per_key, false, 10000},
        {"query-timeout", FA_OPT_NUM, &timeout_s, false, 3600},
        {"allow-host", FA_OPT_TEXT, &allow, false, 0},
        {"ca-file", FA_OPT_TEXT, &ca_file, false, 0},
        {"vault-key", FA_OPT_TEXT, &vault_key, false, 0},
        {"watch-folders", FA_OPT_TEXT, &folders, false, 0},
        {"trusted-proxy", FA_OPT_TEXT, &proxies, false, 0},
    };
    fa_server_options o = {0};
    fa_api_server *s = NULL;
    fa_door *door = NULL;
    fa_net *net = NULL;
    fa_err e = {0};
    char *rest[64], trusted[PROXIES_MAX];
    int nrest, code;

    if (argc > (int)FA_COUNT(rest))
        return fa_cmd_usage(c, io, "too many words");
    if ((code = fa_opts_take(c, io, argc, argv, opt, FA_COUNT(opt), rest, &nrest)))
        return code;
    if (nrest)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", rest[0]);
    o = (fa_server_options){.listen = listen,
                            .workers = (unsigned)workers,
                            .per_key = (unsigned)per_key,
                            .query_timeout_ms = timeout_s * 1000,
                            .allow_public = allow_public};
    if (fa_vault_keys_load(vault_key, dir, &e) || open_net(allow, ca_file, &net, &e)) {
        code = fa_cmd_fail(io, &e);
        goto done;
    }
    if (!spaced(proxies, trusted)) {
        code = fa_cmd_usage(
            c, io,
            "--trusted-proxy takes addresses and networks like 10.0.0.0/8, with commas between");
        goto done;
    }
    o.trusted_proxies = trusted;
    o.net = net;
    o.watch_folders = folders;
    fa_memory_serve(true);
    if (fa_engine_memory(fa_ledger_engine(l), fa_memory_share(FA_MEM_ENGINE), &e) ||
        fa_door_open(l, &door, &e) || fa_api_open(l, &o, &s, &e)) {
        code = fa_cmd_fail(io, &e);
        goto done;
    }
    fa_door_accounts(door, fa_api_accounts(s));
    fprintf(io->out, "farthing is serving on %s\n", fa_api_address(s));
    code = fflush(io->out) == 0 ? 0 : 3;
    wait_for_signal(l, io->cancel);
    fprintf(io->err, "farthing: stopping, what runs is finished first\n");
    fa_api_stop(s);
done:
    fa_door_close(door);
    fa_api_close(s);
    fa_net_close(net);
    fa_vault_keys_forget();
    fa_query_cache_free();
    return code;
}

int fa_cli_routes(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                  fa_cmd_io *io)
{
    fa_buf b = {0};
    fa_jw w;
    int code;

    (void)l;
    (void)dir;
    if (argc > 1)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", argv[1]);
    fa_jw_init(&w, &b);
    fa_routes_json(&w);
    fprintf(io->out, "%.*s\n", FA_FMT(fa_buf_view(&b)));
    code = !b.failed && fflush(io->out) == 0 ? 0 : 3;
    fa_buf_release(&b);
    return code;
}
