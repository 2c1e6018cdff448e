/*
 * main.c - the farthing command: the table of commands and the way into them.
 *
 * A command that needs the installation gets it opened here. Who finds it held by another process
 * sends the command line there (cli/door.c), or waits for it to be free when nobody listens.
 */
#include "cli/cli.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 60000, LOCK_STEP_MS = 1000 };

static FA_CLI_RUN(help);
static FA_CLI_RUN(version);

const fa_cmd fa_cmds[] = {
    {.name = "init",
     .usage = "init --data DIR --admin EMAIL",
     .doc = "makes an empty installation and prints the administrator's one-time sign-in link",
     .run = fa_cli_init},
    {.name = "demo",
     .usage = "demo --data DIR [--rows N] [--seed S] [--sample FILE] | demo --out DIR [--format F]",
     .doc = "loads the demo account, or writes its bills as files",
     .needs_ledger = true,
     .may_create = true,
     .alone = fa_cli_demo_alone,
     .run = fa_cli_demo},
    {.name = "load",
     .usage = "load --data DIR --source NAME [--format F] [--mapping FILE | --set "
              "COLUMN=VALUE,...] [--skip-bad N] [--json] PATH...",
     .doc = "loads bills (files, or folders of them) and prints their control totals",
     .needs_ledger = true,
     .run = fa_cli_load},
    {.name = "query",
     .usage =
         "query --data DIR --from DAY --to DAY [--group-by KEY,...] [--filter JSON] [--cost-type T]"
         " [--granularity G] [--previous] [--top N] [--currency CODE|original] [--as EMAIL]"
         " [--format table|csv|json]",
     .doc = "answers one question; both days inclusive; --as with a user's row rules",
     .needs_ledger = true,
     .run = fa_cli_query},
    {.name = "currency",
     .usage = "currency show --data DIR [--json] | currency use --data DIR CODE"
              " | currency load --data DIR [--dry-run] FILE.csv",
     .doc = "the account's currency, and the dated rates that costs are converted with",
     .needs_ledger = true,
     .run = fa_cli_currency},
    {.name = "token",
     .usage = "token create --data DIR --description TEXT [--role R] [--expires-days N|never]"
              " | token list --data DIR [--json] | token revoke --data DIR CLIENT-ID",
     .doc = "makes, lists and revokes API tokens; create prints the secret once",
     .needs_ledger = true,
     .run = fa_cli_token},
    {.name = "link",
     .usage = "link --data DIR --email EMAIL",
     .doc = "prints a new one-time sign-in link for a user",
     .needs_ledger = true,
     .run = fa_cli_link},
    {.name = "serve",
     .usage = "serve --data DIR [--listen HOST:PORT] [--allow-public] [--workers N]"
              " [--per-key N] [--query-timeout SECONDS] [--allow-host LIST]"
              " [--ca-file FILE] [--vault-key FILE]"
              " [--watch-folders DIR[:DIR...]] [--trusted-proxy LIST]",
     .doc = "the server: page, API and command door, until SIGTERM or SIGINT",
     .needs_ledger = true,
     .stays = true,
     .run = fa_cli_serve},
    {.name = "routes",
     .usage = "routes",
     .doc = "prints the API's route table as JSON",
     .run = fa_cli_routes},
    {.name = "account",
     .usage =
         "account list --data DIR | account create --data DIR NAME | account rename --data DIR "
         "ACCOUNT NAME | account add --data DIR ACCOUNT EMAIL [--role ROLE]",
     .doc = "the accounts of an installation, each with its own bills, roles and row rules",
     .needs_ledger = true,
     .run = fa_cli_account},
    {.name = "audit",
     .usage = "audit verify --data DIR",
     .doc = "proves that no record of the audit log was changed, removed or moved",
     .needs_ledger = true,
     .run = fa_cli_audit},
    {.name = "vault",
     .usage = "vault key FILE | vault rotate --data DIR --new-key FILE [--vault-key FILE] | vault "
              "check --data DIR [--vault-key FILE]",
     .doc = "the master key of stored credentials",
     .needs_ledger = true,
     .alone = fa_cli_vault_alone,
     .run = fa_cli_vault},
    {.name = "export",
     .usage = "export --data DIR [--out FILE]",
     .doc =
         "writes the configuration (tags, views, telemetry, roles, groups, policies) as one file",
     .needs_ledger = true,
     .run = fa_cli_export},
    {.name = "apply",
     .usage = "apply --data DIR [--dry-run] -f FILE",
     .doc = "makes the configuration as the file says; what the file leaves out stays",
     .needs_ledger = true,
     .run = fa_cli_apply},
    {.name = "check",
     .usage = "check --data DIR",
     .doc = "proves every control total and rule again, from the archive up",
     .needs_ledger = true,
     .run = fa_cli_check},
    {.name = "costtypes",
     .usage = "costtypes --data DIR [--default TYPE] [--edp on|off] [--fairshare "
              "off|sku|family|service]",
     .doc = "shows the account's cost types; changes the default, discounts, FairShare",
     .needs_ledger = true,
     .run = fa_cli_costtypes},
    {.name = "focus",
     .usage = "focus --data DIR --out FILE.csv|FILE.parquet [--from DAY --to DAY] [--filter JSON]"
              " [--view NAME]",
     .doc = "writes the bill rows of a period or a saved view as a valid FOCUS 1.2 file",
     .needs_ledger = true,
     .run = fa_cli_focus},
    {.name = "validate",
     .usage = "validate FILE [--json] [--focus 1.0|1.1|1.2] [--applies CRITERION,...|all]",
     .doc = "asks whether a file keeps the rules of FOCUS; exit code 1 when one that says MUST is"
            " broken",
     .run = fa_cli_validate},
    {.name = "rebuild",
     .usage = "rebuild --data DIR",
     .doc = "makes the ledger again from the archive",
     .needs_ledger = true,
     .run = fa_cli_rebuild},
    {.name = "migrate",
     .usage = "migrate --data DIR --to "
              "clickhouse://USER@HOST:PORT[|REPLICA:PORT][,HOST:PORT...]/DATABASE"
              " | --to duckdb",
     .doc = "has a ClickHouse cluster answer, or DuckDB again; the control totals are proven first",
     .needs_ledger = true,
     .run = fa_cli_migrate},
    {.name = "backup",
     .usage = "backup --data DIR FILE | backup --data DIR --into FOLDER | backup verify FILE"
              " [--vault-key FILE]",
     .doc = "writes the installation into one sealed file, consistent while it serves",
     .needs_ledger = true,
     .alone = fa_cli_backup_alone,
     .run = fa_cli_backup},
    {.name = "restore",
     .usage = "restore --data DIR FILE [--vault-key FILE]",
     .doc = "brings a backup back into an absent or empty folder",
     .run = fa_cli_restore},
    {.name = "version", .usage = "version", .doc = "prints the version", .run = fa_cli_version},
    {.name = "help", .usage = "help [COMMAND]", .doc = "prints this", .run = fa_cli_help},
    {0},
};

const fa_cmd *fa_cmd_find(const char *name)
{
    for (const fa_cmd *c = fa_cmds; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static void print_command(FILE *f, const fa_cmd *c)
{
    fprintf(f, "usage: farthing %s\n\n%s\n", c->usage, c->doc);
    if (c->needs_ledger)
        fputs("\n--data DIR     the installation; works while a server holds it\n"
              "--account A    another account of it, by name or id\n"
              "--memory SIZE  bound of the engine, such as 512MiB (2GiB)\n",
              f);
}

static int fa_cli_help(const fa_cmd *self, fa_ledger *l, const char *dir, int argc, char **argv,
                       fa_cmd_io *io)
{
    (void)l;
    (void)dir;
    if (argc > 2)
        return fa_cmd_usage(self, io, "\"%s\" is one word too many", argv[2]);
    if (argc == 2) {
        const fa_cmd *c = fa_cmd_find(argv[1]);

        if (!c)
            return fa_cmd_usage(self, io, "there is no command \"%s\"", argv[1]);
        print_command(io->out, c);
    } else {
        fputs("usage: farthing COMMAND --data DIR ...\n\n", io->out);
        for (const fa_cmd *c = fa_cmds; c->name; c++)
            fprintf(io->out, "  %-8s  %s\n", c->name, c->doc);
        fputs("\n\"farthing help COMMAND\" tells more. Exit codes: 0 done, 1 the answer is no, 2 "
              "wrong use,\n"
              "3 the environment failed.\n",
              io->out);
    }
    return fflush(io->out) == 0 ? 0 : 3;
}

static int fa_cli_version(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                          fa_cmd_io *io)
{
    (void)l;
    (void)dir;
    if (argc > 1)
        return fa_cmd_usage(c, io, "\"%s\" is one word too many", argv[1]);
    fputs("farthing " FARTHING_VERSION "\n", io->out);
    return fflush(io->out) == 0 ? 0 : 3;
}

/* ---- signals: the first asks to stop, the second stops ---- */

static volatile bool cancel;

static void on_signal(int sig)
{
    (void)sig;
    fa_flag_set(&cancel);
}

static void set_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- the installation ---- */

static fa_rc make_empty(const char *dir, fa_cmd_io *io, fa_err *e)
{
    fa_ledger_options o = {.dir = dir, .memory_bytes = io->memory_bytes, .create = true};
    fa_ledger *l = NULL;
    fa_rc rc = fa_ledger_open(&o, &l, e);

    fa_ledger_close(l);
    return rc;
}

/* Opens DIR, or runs the command where DIR is open. *code: set when it ran there. */
/* With the account it is about, which was taken out of the words. */
static fa_rc forward(const fa_globals *g, int argc, char **argv, fa_cmd_io *io, int *code,
                     fa_err *e)
{
    char **words = calloc((size_t)argc + 3, sizeof *words), flag[] = "--account";
    int n = 0;
    fa_rc rc;

    if (!words)
        return fa_oom(e);
    for (int i = 0; i < argc; i++) {
        words[n++] = argv[i];
        if (i == 0 && g->account) {
            words[n++] = flag;
            words[n++] = (char *)(uintptr_t)g->account;
        }
    }
    rc = fa_door_forward(g->dir, n, words, io, code, e);
    free(words);
    return rc;
}

static fa_rc open_or_forward(const fa_cmd *c, const fa_globals *g, int argc, char **argv,
                             fa_cmd_io *io, fa_ledger **l, int *code, fa_err *e)
{
    const char *dir = g->dir;
    fa_ledger_options o = {.dir = dir, .memory_bytes = io->memory_bytes};
    int64_t until = fa_mono_ms() + LOCK_WAIT_MS;
    bool told = false;
    fa_rc rc = fa_ledger_open(&o, l, e);

    if (rc == FA_ENOTFOUND && c->may_create && !(rc = make_empty(dir, io, e)))
        rc = fa_ledger_open(&o, l, e);
    while (rc == FA_ECONFLICT && !fa_flag_get(&cancel) && fa_mono_ms() < until) {
        fa_err none;

        if (!c->stays) {
            rc = forward(g, argc, argv, io, code, &none);
            if (rc != FA_ENOTFOUND) {
                *e = none;
                return rc;
            }
        }
        o.wait_ms = LOCK_STEP_MS;
        rc = fa_ledger_open(&o, l, e);
        if (rc == FA_ECONFLICT && !told) {
            fprintf(io->err, "farthing: waiting for the process that has \"%s\" open\n", dir);
            told = true;
        }
    }
    return rc;
}

static int run(const fa_cmd *c, const fa_globals *g, int argc, char **argv, fa_cmd_io *io)
{
    fa_ledger *l = NULL;
    fa_stay in = {0};
    fa_err e = {0};
    int code = -1;

    if (c->needs_ledger && !(c->alone && c->alone(argc, argv))) {
        if (!g->dir)
            return fa_cmd_usage(c, io, "--data is missing");
        if (g->account && c->stays)
            return fa_cmd_usage(c, io, "--account is not for this command: it serves all of them");
        if (open_or_forward(c, g, argc, argv, io, &l, &code, &e))
            return fa_cmd_fail(io, &e);
        if (!l)
            return code;
        in.l = l;
        if (g->account && fa_cli_enter(io, l, g->account, &in, &e)) {
            fa_ledger_close(l);
            return fa_cmd_fail(io, &e);
        }
    }
    code = c->run(c, in.l, in.id[0] ? fa_ledger_dir(in.l) : g->dir, argc, argv, io);
    fa_cli_leave(io, &in);
    fa_ledger_close(l);
    return code;
}

int main(int argc, char **argv)
{
    char cwd[PATH_MAX] = "";
    fa_cmd_io io = {.out = stdout, .err = stderr, .cwd = cwd, .cancel = &cancel};
    const fa_cmd *c;
    fa_globals g;
    fa_err e = {0};
    int code;

    (void)umask(077); /* bills and what is made of them are the owner's */
    set_signals();
    fa_log_set(FA_LOG_WARN); /* a command's output is its own; serve wants to hear more */
    io.is_tty = isatty(STDERR_FILENO) == 1;
    if (!getcwd(cwd, sizeof cwd))
        cwd[0] = '\0';
    if (argc < 2) {
        fa_cli_help(fa_cmd_find("help"), NULL, NULL, 1, argv,
                    &(fa_cmd_io){.out = stderr, .err = stderr});
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        argv[1] = "help";
    else if (strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    if (!(c = fa_cmd_find(argv[1]))) {
        fprintf(stderr, "farthing: there is no command \"%s\", see \"farthing help\"\n", argv[1]);
        return 2;
    }
    argc--;
    argv++;
    if (fa_globals_take(&argc, argv, &g, &e))
        return fa_cmd_usage(c, &io, "%s", e.msg);
    if (g.help) {
        print_command(stdout, c);
        return fflush(stdout) == 0 ? 0 : 3;
    }
    io.memory_bytes = g.memory_bytes;
    if (c->stays)
        fa_log_set(FA_LOG_INFO);
    code = run(c, &g, argc, argv, &io);
    return fflush(stdout) == 0 || code ? code : 3;
}
