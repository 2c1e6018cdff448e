/*
 * cli_test.c - command lines and the command door, the latter over a real socket with commands of
 * its own.
 */
#include "cli/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORDS = 16, BIG = 1 << 20 };

/* ---- commands for the door: the table of this program stands in for main.c's ---- */

static int cmd_echo(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                    fa_cmd_io *io)
{
    (void)c;
    (void)l;
    fprintf(io->out, "dir=%s cwd=%s tty=%d memory=%zu", dir, io->cwd, io->is_tty, io->memory_bytes);
    for (int i = 0; i < argc; i++)
        fprintf(io->out, " [%s]", argv[i]);
    fprintf(io->err, "to err\n");
    return 7;
}

/* Both streams from two threads at once. */
static void *fill_err(void *arg)
{
    for (int i = 0; i < BIG; i++)
        fputc('e', arg);
    return NULL;
}

static int cmd_big(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                   fa_cmd_io *io)
{
    pthread_t t;

    (void)c, (void)l, (void)dir, (void)argc, (void)argv;
    if (pthread_create(&t, NULL, fill_err, io->err) != 0)
        return 3;
    for (int i = 0; i < BIG; i++)
        fputc('o', io->out);
    pthread_join(t, NULL);
    return 0;
}

static atomic_int waiting, cancelled;

static int cmd_wait(const fa_cmd *c, fa_ledger *l, const char *dir, int argc, char **argv,
                    fa_cmd_io *io)
{
    (void)c, (void)l, (void)dir, (void)argc, (void)argv;
    atomic_fetch_add(&waiting, 1);
    for (int i = 0; i < 3000 && !fa_flag_get(io->cancel); i++)
        usleep(10000);
    atomic_fetch_add(&cancelled, fa_flag_get(io->cancel) ? 1 : 0);
    return 1;
}

const fa_cmd fa_cmds[] = {
    {.name = "echo", .usage = "echo", .doc = "-", .needs_ledger = true, .run = cmd_echo},
    {.name = "big", .usage = "big", .doc = "-", .needs_ledger = true, .run = cmd_big},
    {.name = "wait", .usage = "wait", .doc = "-", .needs_ledger = true, .run = cmd_wait},
    {.name = "stay",
     .usage = "stay",
     .doc = "-",
     .needs_ledger = true,
     .stays = true,
     .run = cmd_echo},
    {.name = "free", .usage = "free", .doc = "-", .run = cmd_echo},
    {0},
};

const fa_cmd *fa_cmd_find(const char *name)
{
    for (const fa_cmd *c = fa_cmds; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

/* ---- a caller whose streams are memory ---- */

struct caller {
    fa_cmd_io io;
    char *out, *err;
    size_t nout, nerr;
    volatile bool cancel;
};

static void caller_init(struct caller *c)
{
    *c = (struct caller){0};
    c->io = (fa_cmd_io){.out = open_memstream(&c->out, &c->nout),
                        .err = open_memstream(&c->err, &c->nerr),
                        .cwd = "/some/where",
                        .cancel = &c->cancel,
                        .memory_bytes = 77};
    assert_non_null(c->io.out);
    assert_non_null(c->io.err);
}

static void caller_close(struct caller *c)
{
    fclose(c->io.out);
    fclose(c->io.err);
}

static void caller_release(struct caller *c)
{
    free(c->out);
    free(c->err);
}

/* Splits "a b c" into argv. */
static int words(char *text, char *argv[WORDS + 1])
{
    int n = 0;
    char *save = NULL;

    for (char *w = strtok_r(text, " ", &save); w && n < WORDS; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    argv[n] = NULL;
    return n;
}

/* ---- command lines ---- */

static void test_globals(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        const char *dir;
        size_t memory;
        bool help;
        const char *rest;
    } t[] = {
        {"load --data d a", true, "d", 0, false, "load a"},
        {"load a --data=d b", true, "d", 0, false, "load a b"},
        {"load --memory 512MiB --source s", true, NULL, 536870912, false, "load --source s"},
        {"load --memory=2GiB", true, NULL, 2147483648, false, "load"},
        {"load --help --data d", true, "d", 0, true, "load"},
        {"load -- --data d", true, NULL, 0, false, "load -- --data d"},
        {"load --database x", true, NULL, 0, false, "load --database x"},
        {"load --data", false, NULL, 0, false, ""},
        {"load --data=", false, NULL, 0, false, ""},
        {"load --data --source s", false, NULL, 0, false, ""},
        {"load --memory 12", false, NULL, 0, false, ""},
        {"load --memory lots", false, NULL, 0, false, ""},
        {"load --memory 99999999999999GiB", false, NULL, 0, false, ""},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        char text[128], *argv[WORDS + 1], joined[160] = "";
        fa_globals g;
        fa_err e;
        int argc;

        snprintf(text, sizeof text, "%s", t[i].in);
        argc = words(text, argv);
        if ((fa_globals_take(&argc, argv, &g, &e) == FA_OK) != t[i].ok)
            fail_msg("%s", t[i].in);
        if (!t[i].ok)
            continue;
        for (int k = 0; k < argc; k++)
            snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", k ? " " : "",
                     argv[k]);
        assert_string_equal(joined, t[i].rest);
        assert_null(argv[argc]);
        assert_true(g.dir ? t[i].dir && strcmp(g.dir, t[i].dir) == 0 : !t[i].dir);
        assert_true(g.memory_bytes == t[i].memory && g.help == t[i].help);
    }
}

static void test_size(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        size_t out;
    } t[] = {
        {"0", true, 0},
        {"1073741824", true, 1073741824},
        {"1k", true, 1024},
        {"1KB", true, 1000},
        {"3MiB", true, 3145728},
        {"2g", true, 2147483648},
        {"2GB", true, 2000000000},
        {"1TiB", true, 1099511627776},
        {"", false, 0},
        {"GiB", false, 0},
        {"-1", false, 0},
        {"1.5GiB", false, 0},
        {"1 GiB", false, 0},
        {"1PiB", false, 0},
        {"99999999999999999999", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        size_t v = 0;

        if (fa_size_parse(fa_str_of(t[i].in), &v) != t[i].ok || (t[i].ok && v != t[i].out))
            fail_msg("\"%s\": %zu", t[i].in, v);
    }
}

static void test_options(void **state)
{
    static const struct {
        const char *in;
        int code;
        const char *says; /* what standard error holds */
        const char *rest; /* the first word left */
    } t[] = {
        {"x --text t", 0, "", NULL},
        {"x --text=--flag a", 0, "", "a"},
        {"x a --flag --text t --num 5 --day 2026-02-28 b", 0, "", "a"},
        {"x --text t -- --flag", 0, "", "--flag"},
        {"x", 2, "--text is missing", NULL},
        {"x --text", 2, "--text needs a value", NULL},
        {"x --text --flag", 2, "--text needs a value", NULL},
        {"x --text=", 2, "--text needs a value", NULL},
        {"x --text a --text b", 2, "given twice", NULL},
        {"x --text t --num 11", 2, "a whole number", NULL},
        {"x --text t --num -1", 2, "a whole number", NULL},
        {"x --text t --num=-1", 2, "a whole number", NULL},
        {"x --text t --num 99999999999999999999", 2, "a whole number", NULL},
        {"x --text t --day 2026-02-29", 2, "a day such as", NULL},
        {"x --text t --flagg", 2, "there is no option \"--flagg\"", NULL},
        {"x --text t --flag=1", 2, "there is no option", NULL},
    };
    const fa_cmd cmd = {.name = "x", .usage = "x USAGE"};

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        const char *text = NULL;
        int64_t num = 3;
        int32_t day = 0;
        bool flag = false;
        const fa_opt opt[] = {
            {"text", FA_OPT_TEXT, &text, true, 0},
            {"num", FA_OPT_NUM, &num, false, 10},
            {"day", FA_OPT_DAY, &day, false, 0},
            {"flag", FA_OPT_FLAG, &flag, false, 0},
        };
        char line[128], *argv[WORDS + 1], *rest[WORDS];
        struct caller c;
        int nrest, code;

        caller_init(&c);
        snprintf(line, sizeof line, "%s", t[i].in);
        code = fa_opts_take(&cmd, &c.io, words(line, argv), argv, opt, FA_COUNT(opt), rest, &nrest);
        caller_close(&c);
        if (code != t[i].code || !strstr(c.err, t[i].says) || (code == 0) != (c.nerr == 0))
            fail_msg("%s: %d, %s", t[i].in, code, c.err);
        if (code)
            assert_non_null(strstr(c.err, "usage: farthing x USAGE"));
        else
            assert_true(t[i].rest ? nrest > 0 && strcmp(rest[0], t[i].rest) == 0 : nrest == 0);
        if (i == 2)
            assert_true(flag && num == 5 && day == fa_day_of(2026, 2, 28) && nrest == 2);
        caller_release(&c);
    }
}

static void test_fail(void **state)
{
    struct caller c;
    fa_err e;

    (void)state;
    caller_init(&c);
    fa_fail(&e, FA_EDATA, "row 7 of \"a.csv\" has no amount");
    fa_at(&e, "filter.AND[1]");
    fa_hint(&e, "mend the file");
    assert_int_equal(fa_cmd_fail(&c.io, &e), 1);
    caller_close(&c);
    assert_string_equal(
        c.err, "farthing: row 7 of \"a.csv\" has no amount, at filter.AND[1], mend the file\n");
    caller_release(&c);
}

static void test_bar(void **state)
{
    static const struct {
        fa_progress_state s;
        bool bar;
        const char *out;
    } t[] = {
        {{.phase = "archive",
          .rows = 4500000,
          .fraction = 0.5,
          .rows_per_s = 351234.5,
          .left_ms = 61001},
         true,
         "loading: archive [############............] 50%  4,500,000 rows  351,234 rows/s  1:02 "
         "left"},
        {{.phase = "hash", .fraction = 0, .left_ms = -1}, false, "loading: hash 0%"},
        {{.phase = "live", .rows = 999, .fraction = 1.7, .left_ms = 3600000},
         false,
         "loading: live 100%  999 rows  1:00:00 left"},
    };

    (void)state;
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        fa_buf b = {0};

        fa_bar_text(&b, "loading", &t[i].s, t[i].bar);
        assert_string_equal(b.p, t[i].out);
        fa_buf_release(&b);
    }
}

static void test_bar_plain(void **state)
{
    fa_progress_state s = {.phase = "hash", .left_ms = -1};
    struct caller c;
    fa_progress p;
    fa_bar *b;

    (void)state;
    caller_init(&c);
    b = fa_bar_new(&c.io, "loading", &p);
    assert_non_null(b);
    assert_ptr_equal(p.cancel, &c.cancel);
    for (int i = 0; i < 100; i++)
        p.tick(p.user, &s); /* within the first seconds: no line for each */
    fa_bar_free(b);
    caller_close(&c);
    assert_int_equal(c.nerr, 0);
    caller_release(&c);

    caller_init(&c);
    c.io.is_tty = true;
    b = fa_bar_new(&c.io, "loading", &p);
    p.tick(p.user, &s);
    p.tick(p.user, &s);
    fa_bar_free(b);
    caller_close(&c);
    assert_string_equal(c.err, "\r\033[Kloading: hash [........................] 0%\r\033[K");
    caller_release(&c);
}

/* ---- the door ---- */

struct bed {
    char base[64];
    fa_ledger *l;
    fa_door *d;
    const char *dir;
};

static void bed_open(struct bed *t, const char *name)
{
    char dir[400];
    fa_ledger_options o = {.dir = dir, .create = true, .memory_bytes = (size_t)256 << 20};
    fa_err e;

    memset(t, 0, sizeof *t);
    snprintf(t->base, sizeof t->base, "/tmp/fa_cli_XXXXXX");
    assert_non_null(mkdtemp(t->base));
    snprintf(dir, sizeof dir, "%s/%s", t->base, name);
    fa_log_set(FA_LOG_ERROR);
    if (fa_ledger_open(&o, &t->l, &e) || fa_door_open(t->l, &t->d, &e))
        fail_msg("%s", e.msg);
    t->dir = fa_ledger_dir(t->l);
}

static void bed_close(struct bed *t)
{
    fa_err e;

    fa_door_close(t->d);
    fa_ledger_close(t->l);
    assert_int_equal(fa_remove_tree(t->base, &e), FA_OK);
}

static int forward(const char *dir, const char *line, struct caller *c)
{
    char text[128], *argv[WORDS + 1];
    int code = -1, argc;
    fa_err e;

    snprintf(text, sizeof text, "%s", line);
    argc = words(text, argv);
    caller_init(c);
    if (fa_door_forward(dir, argc, argv, &c->io, &code, &e))
        fail_msg("%s: %s", line, e.msg);
    caller_close(c);
    return code;
}

static void test_door(void **state)
{
    char want[600];
    struct caller c;
    struct bed t;
    struct stat st;

    (void)state;
    bed_open(&t, "data");
    snprintf(want, sizeof want, "%s/farthing.sock", t.dir);
    assert_int_equal(stat(want, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(forward(t.dir, "echo a --b=c d", &c), 7);
    snprintf(want, sizeof want, "dir=%s cwd=/some/where tty=0 memory=77 [echo] [a] [--b=c] [d]",
             t.dir);
    assert_string_equal(c.out, want);
    assert_string_equal(c.err, "to err\n");
    caller_release(&c);

    assert_int_equal(forward(t.dir, "big", &c), 0);
    assert_true(c.nout == BIG && c.nerr == BIG);
    assert_true(strspn(c.out, "o") == BIG && strspn(c.err, "e") == BIG);
    caller_release(&c);

    for (int i = 0; i < 3; i++) { /* what must not run there */
        static const char *const names[] = {"stay", "free", "nothing"};

        assert_int_equal(forward(t.dir, names[i], &c), 2);
        assert_non_null(strstr(c.err, "does not run in a server"));
        assert_int_equal(c.nout, 0);
        caller_release(&c);
    }
    bed_close(&t);
}

static void test_door_nobody(void **state)
{
    char *argv[] = {(char[]){"echo"}, NULL};
    struct caller c;
    struct bed t;
    fa_err e;
    int code;

    (void)state;
    bed_open(&t, "data");
    fa_door_close(t.d);
    t.d = NULL;
    caller_init(&c);
    assert_int_equal(fa_door_forward(t.dir, 1, argv, &c.io, &code, &e), FA_ENOTFOUND);
    assert_int_equal(fa_door_forward("/no/such/folder", 1, argv, &c.io, &code, &e), FA_ENOTFOUND);
    caller_close(&c);
    caller_release(&c);
    bed_close(&t);
}

/* A folder whose socket name has no room in sun_path. */
static void test_door_long_name(void **state)
{
    char name[181];
    struct caller c;
    struct bed t;

    (void)state;
    memset(name, 'n', 180);
    name[180] = '\0';
    bed_open(&t, name);
    assert_int_equal(forward(t.dir, "echo", &c), 7);
    caller_release(&c);
    bed_close(&t);
}

struct job {
    const char *dir, *line;
    int code;
    struct caller c;
    pthread_t thread;
    fa_rc rc;
};

static void *job_main(void *arg)
{
    struct job *j = arg;
    char text[64], *argv[WORDS + 1];
    int argc;
    fa_err e;

    snprintf(text, sizeof text, "%s", j->line);
    argc = words(text, argv);
    j->rc = fa_door_forward(j->dir, argc, argv, &j->c.io, &j->code, &e);
    return NULL;
}

static void job_start(struct job *j, const char *dir, const char *line)
{
    *j = (struct job){.dir = dir, .line = line, .code = -1};
    caller_init(&j->c);
    assert_int_equal(pthread_create(&j->thread, NULL, job_main, j), 0);
}

static void job_end(struct job *j)
{
    pthread_join(j->thread, NULL);
    caller_close(&j->c);
    caller_release(&j->c);
}

static void wait_for(atomic_int *what, int n)
{
    for (int i = 0; i < 2000 && atomic_load(what) < n; i++)
        usleep(5000);
    assert_int_equal(atomic_load(what), n);
}

/* More callers than places: all are served. */
static void test_door_many(void **state)
{
    static struct job j[40];
    struct bed t;

    (void)state;
    bed_open(&t, "data");
    for (size_t i = 0; i < FA_COUNT(j); i++)
        job_start(&j[i], t.dir, "echo x");
    for (size_t i = 0; i < FA_COUNT(j); i++) {
        job_end(&j[i]);
        assert_int_equal(j[i].rc, FA_OK);
        assert_int_equal(j[i].code, 7);
    }
    bed_close(&t);
}

static int connect_raw(const char *dir)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(sa.sun_path, sizeof sa.sun_path, "%s/farthing.sock", dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

static void test_door_cancel(void **state)
{
    /* version 1, no terminal, no memory, folder "/", the word "wait" */
    static const char hello[] = "H\x11\0\0\0\x01\0\0\0\0\0\0\0\0\0/\0wait";
    static struct job j;
    struct bed t;
    int fd;

    (void)state;
    bed_open(&t, "data");
    atomic_store(&waiting, 0);
    atomic_store(&cancelled, 0);

    job_start(&j, t.dir, "wait"); /* the caller asks to stop */
    wait_for(&waiting, 1);
    fa_flag_set(&j.c.cancel);
    job_end(&j);
    assert_true(j.rc == FA_OK && j.code == 1);
    assert_int_equal(atomic_load(&cancelled), 1);

    fd = connect_raw(t.dir); /* the caller goes away */
    assert_int_equal(send(fd, hello, sizeof hello, 0), sizeof hello);
    wait_for(&waiting, 2);
    close(fd);
    wait_for(&cancelled, 2);

    job_start(&j, t.dir, "wait"); /* the server ends */
    wait_for(&waiting, 3);
    fa_door_close(t.d);
    t.d = NULL;
    job_end(&j);
    assert_int_equal(atomic_load(&cancelled), 3);
    bed_close(&t);
}

/* What is no hello of ours ends with an answer or a closed socket, and the door goes on. */
static void test_door_garbage(void **state)
{
    static const struct {
        const char *name;
        fa_str bytes;
    } t[] = {
        {"nothing", FA_STR("")},
        {"http", FA_STR("GET / HTTP/1.1\r\n\r\n")},
        {"huge", FA_STR("H\xff\xff\xff\x7f")},
        {"short", FA_STR("H\x02\0\0\0\x01\0")},
        {"other version", FA_STR("H\x11\0\0\0\x09\0\0\0\0\0\0\0\0\0/\0wait\0")},
        {"no word", FA_STR("H\x0c\0\0\0\x01\0\0\0\0\0\0\0\0\0/\0")},
        {"no end", FA_STR("H\x0e\0\0\0\x01\0\0\0\0\0\0\0\0\0/\0wa")},
        {"cut", FA_STR("H\x11\0\0\0\x01\0\0")},
    };
    struct caller c;
    struct bed b;

    (void)state;
    bed_open(&b, "data");
    for (size_t i = 0; i < FA_COUNT(t); i++) {
        int fd = connect_raw(b.dir);
        char answer[4096];
        size_t n = 0;
        ssize_t k;

        assert_int_equal(send(fd, t[i].bytes.p, t[i].bytes.n, 0), t[i].bytes.n);
        shutdown(fd, SHUT_WR);
        while (n < sizeof answer && (k = recv(fd, answer + n, sizeof answer - n, 0)) > 0)
            n += (size_t)k;
        if (n < 6 || memcmp(answer + n - 6, "X\1\0\0\0\3", 6) != 0)
            fail_msg("%s: no exit frame", t[i].name);
        close(fd);
    }
    assert_int_equal(forward(b.dir, "echo", &c), 7);
    caller_release(&c);
    bed_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globals),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_bar),
        cmocka_unit_test(test_bar_plain),
        cmocka_unit_test(test_door),
        cmocka_unit_test(test_door_nobody),
        cmocka_unit_test(test_door_long_name),
        cmocka_unit_test(test_door_many),
        cmocka_unit_test(test_door_cancel),
        cmocka_unit_test(test_door_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
