/*
 * cli.h - commands. A command is one file in cli/ and one row in main.c's table.
 *
 * A command that needs the installation gets it opened. When a server already holds DIR, the same
 * command line is sent over DIR/farthing.sock, runs inside the server, and its output and exit code
 * come back; so a command writes to c->out and c->err only and never reads standard input directly.
 */
#ifndef FA_CLI_H
#define FA_CLI_H

#include "access/access.h"
#include "base/base.h"
#include "http/http.h"
#include "ledger/ledger.h"

typedef struct fa_cmd_io {
    FILE *out, *err;      /* streams of the caller, maybe over the socket */
    bool  is_tty;         /* err is a terminal: draw bars */
    const char *cwd;      /* of the caller; make relative paths absolute against it */
    volatile bool *cancel;/* set by SIGINT or a closed socket */
    size_t memory_bytes;  /* --memory; 0: the default */
    const fa_accounts *accounts; /* of the server this runs in; NULL: alone */
} fa_cmd_io;

typedef struct fa_cmd fa_cmd;
struct fa_cmd {
    const char *name, *usage, *doc;
    bool needs_ledger;    /* open DIR (or forward to who has it) before run */
    bool may_create;      /* a DIR without an installation gets an empty one first */
    bool (*alone)(int argc, char **argv); /* NULL, or true when this command line needs no ledger after all: run gets NULL */
    /* argv[0] is the command; --data DIR and --memory SIZE are already taken out. Returns the exit code. */
    int (*run)(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv, fa_cmd_io *io);
    bool stays;           /* is never sent to who has DIR: waits for it to be free (serve) */
};
/* The run function of each cli/NAME.c is called fa_cli_NAME; its row stands in main.c. */
#define FA_CLI_RUN(name) \
    int fa_cli_##name(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv, fa_cmd_io *io)
FA_CLI_RUN(account);
FA_CLI_RUN(costtypes);
FA_CLI_RUN(init);
FA_CLI_RUN(link);
FA_CLI_RUN(load);
FA_CLI_RUN(migrate);
FA_CLI_RUN(currency);
FA_CLI_RUN(query);
FA_CLI_RUN(token);
FA_CLI_RUN(check);
FA_CLI_RUN(rebuild);
FA_CLI_RUN(backup);
FA_CLI_RUN(restore);
FA_CLI_RUN(demo);
FA_CLI_RUN(serve);
FA_CLI_RUN(routes);
FA_CLI_RUN(audit);
FA_CLI_RUN(vault);
FA_CLI_RUN(validate);
FA_CLI_RUN(focus);
FA_CLI_RUN(export);
FA_CLI_RUN(apply);
bool fa_cli_demo_alone(int argc, char **argv);
bool fa_cli_vault_alone(int argc, char **argv);
bool fa_cli_backup_alone(int argc, char **argv);

extern const fa_cmd fa_cmds[]; /* ends with a NULL name; main.c */
const fa_cmd *fa_cmd_find(const char *name); /* NULL: no such command */

/* What a command line has besides its command: --data, --memory and --help, taken out of argv wherever
 * they are after the command, up to a "--". */
typedef struct fa_globals {
    const char *dir;   /* NULL: not given */
    const char *account; /* --account NAME|ID; NULL: the first one */
    size_t      memory_bytes;
    bool        help;
} fa_globals;
/* FA_EINVAL: a value is missing or wrong. argv is compacted in place, *argc is what is left. */
FA_MUST_CHECK fa_rc fa_globals_take(int *argc, char **argv, fa_globals *out, fa_err *e);

/* Prints "farthing: what, where, what to do" to io->err and gives the exit code of e->rc. */
int fa_cmd_fail(fa_cmd_io *io, const fa_err *e);
int fa_cmd_usage(const fa_cmd *c, fa_cmd_io *io, const char *fmt, ...) FA_PRINTF(3, 4); /* exit code 2 */

/* The command door of a process that holds DIR: accepts forwarded commands until stopped. */
/* Inside an account: in a server the one it has open, else opened for the command. */
typedef struct fa_stay { fa_ledger *l; char id[37]; } fa_stay;
FA_MUST_CHECK fa_rc fa_cli_enter(fa_cmd_io *io, fa_ledger *home, const char *name, fa_stay *out, fa_err *e);
void fa_cli_leave(fa_cmd_io *io, fa_stay *s);

typedef struct fa_door fa_door;
FA_MUST_CHECK fa_rc fa_door_open(fa_ledger *l, fa_door **out, fa_err *e);
void                fa_door_accounts(fa_door *d, const fa_accounts *all); /* once the server has them */
void                fa_door_close(fa_door *d);
/* Runs argv in the process that holds DIR. FA_ENOTFOUND: nobody listens there. */
FA_MUST_CHECK fa_rc fa_door_forward(const char *dir, int argc, char **argv, fa_cmd_io *io, int *exit_code, fa_err *e);

#endif
