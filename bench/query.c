/*
 * query.c - the questions of FinBench put to an installation, in process, through the library.
 *
 *   bench_query DIR MEMORY-MB THREADS ANSWERS RUNS RULES LAST-DAY
 *
 * Same lines and answer files as duck.c writes, so that both can be compared byte by byte. Q3's
 * rules are predicates over `line` (RULES, one per line, first match wins): evaluated once per line
 * they become the group array of a scan. Q3 reads the rules each time; Q3k keeps the array, as a
 * saved virtual tag would.
 */
#include "query/query.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { RULES_MAX = 1 << 20, THREADS_MAX = 64, HOT_MS = 20000 };

/* what {name} in a rule may be: the value of that tag */
static const char *const rule_tags[] = {"team", "env", "app"};

typedef struct bench {
    fa_ledger *ledger;
    const char *answers;
    int runs;
    unsigned threads;
    int32_t last;
    char *rule_case; /* CASE ... END over line */
    unsigned nrule;
    uint32_t *group;
    uint32_t nline;
} bench;

__attribute__((noreturn)) static void die(const char *what, const fa_err *e)
{
    fprintf(stderr, "bench_query: %s: %s (%s)\n", what, e ? e->msg : "failed", e ? e->trail : "");
    exit(3);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- answers ---- */

typedef struct answer {
    fa_buf text;
    size_t *start, n, cap;
} answer;

static void row_begin(answer *w)
{
    if (w->n == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 1024;
        w->start = realloc(w->start, w->cap * sizeof *w->start);
        if (!w->start)
            die("memory", NULL);
    }
    w->start[w->n++] = w->text.n;
}

static int by_row(const void *a, const void *b, void *text)
{
    return strcmp((const char *)text + *(const size_t *)a, (const char *)text + *(const size_t *)b);
}

/* Rows end with NUL in the text; sorts them and writes DIR/<name>.tsv. */
static void keep(const bench *b, const char *name, answer *w)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.tsv", b->answers, name);
    if (w->text.failed || !(f = fopen(path, "wb")))
        die(path, NULL);
    if (w->n)
        qsort_r(w->start, w->n, sizeof *w->start, by_row, w->text.p);
    for (size_t i = 0; i < w->n; i++)
        fprintf(f, "%s\n", w->text.p + w->start[i]);
    if (fclose(f) != 0)
        die(path, NULL);
    free(w->start);
    fa_buf_release(&w->text);
}

/* ---- the questions: run once, and write the answer when w is given ---- */

static const fa_key *find_key(const bench *b, fa_arena *a, const char *name)
{
    fa_catalog *c;
    const fa_key *k;
    fa_err e = {0};

    if (fa_catalog_get(b->ledger, &c, &e) ||
        fa_catalog_find(c, a, FA_API_CLI, FA_STR(""), fa_str_of(name), FA_STR(""), &k, &e))
        die(name, &e);
    return k; /* the catalogue is kept for the life of the program */
}

static void add_measure(fa_plan *p, const char *name)
{
    fa_err e = {0};

    if (fa_cost_type_find(fa_str_of(name), &p->measure[p->nmeasure].type, &e))
        die(name, &e);
    p->measure[p->nmeasure++].agg = FA_AGG_SUM;
}

static fa_plan new_plan(const bench *b, int32_t days, fa_bucket bucket)
{
    fa_plan p = {.range = {.from = b->last - days + 1, .to = b->last, .unit = FA_DAY},
                 .bucket = bucket};

    return p;
}

static void ask(const bench *b, fa_arena *a, const fa_plan *p, fa_answer *r)
{
    fa_err e = {0};

    if (fa_query_run(b->ledger, a, p, r, &e))
        die("query", &e);
}

static void q1(bench *b, fa_arena *a, answer *w)
{
    fa_plan p = new_plan(b, 90, FA_DAY);
    fa_answer r;

    add_measure(&p, "netAmortizedCost");
    p.dim[p.ndim++] = find_key(b, a, "ServiceName");
    ask(b, a, &p, &r);
    for (size_t g = 0; w && g < r.ngroup; g++)
        for (size_t i = 0; i < r.nbucket; i++)
            if (r.group[g].has[i]) {
                row_begin(w);
                fa_day_emit(&w->text, r.bucket[i]);
                fa_buf_fmt(&w->text, "\t%.*s\t", FA_FMT(r.group[g].value[0]));
                fa_dec_emit(&w->text, r.group[g].cell_e10[i], 10, 0);
                fa_buf_c(&w->text, 0);
            }
}

static void q2(bench *b, fa_arena *a, answer *w)
{
    fa_plan p = new_plan(b, 30, FA_ALL);
    fa_answer r;

    add_measure(&p, "netAmortizedCost");
    p.dim[p.ndim++] = find_key(b, a, "ResourceId");
    p.previous = true;
    p.top = 20;
    ask(b, a, &p, &r);
    for (size_t g = 0; w && g < r.ngroup; g++) {
        row_begin(w);
        fa_buf_fmt(&w->text, "%.*s\t", FA_FMT(r.group[g].value[0]));
        fa_dec_emit(&w->text, r.group[g].total_e10[0], 10, 0);
        fa_buf_c(&w->text, '\t');
        fa_dec_emit(&w->text, r.group[g].previous_e10[0], 10, 0);
        fa_buf_c(&w->text, 0);
    }
}

static fa_rc take_groups(void *user, const fa_batch *t, fa_err *e)
{
    bench *b = user;

    for (size_t i = 0; i < t->rows; i++) {
        int64_t line = t->col[0].i64[i];

        if (line < 0 || line >= (int64_t)b->nline)
            return fa_fail(e, FA_EINTERNAL, "line %lld is out of range", (long long)line);
        b->group[line] =
            t->col[1].null && t->col[1].null[i] ? b->nrule : (uint32_t)t->col[1].i64[i];
    }
    return FA_OK;
}

/* One thread's share of the lines: a table of a few hundred thousand rows is one piece to the
 * engine, which would leave it to one core. */
typedef struct share {
    bench *b;
    pthread_t thread;
    unsigned at;
} share;

static void *read_share(void *arg)
{
    const share *s = arg;
    uint32_t from = (uint32_t)((uint64_t)s->b->nline * s->at / s->b->threads);
    uint32_t to = (uint32_t)((uint64_t)s->b->nline * (s->at + 1) / s->b->threads);
    fa_conn *c;
    fa_buf sql;
    fa_err e = {0};

    fa_buf_init(&sql, 0);
    fa_buf_fmt(&sql, "SELECT line_id, %s FROM (SELECT *", s->b->rule_case);
    for (size_t i = 0; i < FA_COUNT(rule_tags); i++)
        fa_buf_fmt(&sql, ", tags['%s'] AS tag_%s", rule_tags[i], rule_tags[i]);
    fa_buf_fmt(&sql, " FROM line WHERE line_id >= %u AND line_id < %u)", from, to);
    if (fa_conn_get(fa_ledger_engine(s->b->ledger), &c, &e) ||
        fa_sql_query(c, fa_buf_view(&sql), NULL, 0, take_groups, s->b, &e))
        die("rules", &e);
    fa_conn_put(c);
    fa_buf_release(&sql);
    return NULL;
}

static void read_rules_over_lines(bench *b)
{
    share s[THREADS_MAX];

    b->nline = fa_ledger_lines(b->ledger);
    free(b->group);
    b->group = malloc((size_t)b->nline * sizeof *b->group + 1);
    if (!b->group)
        die("memory", NULL);
    memset(b->group, 0xff, (size_t)b->nline * sizeof *b->group); /* FA_NO_GROUP */
    for (unsigned i = 0; i < b->threads; i++) {
        s[i] = (share){.b = b, .at = i};
        if (pthread_create(&s[i].thread, NULL, read_share, &s[i]))
            die("threads", NULL);
    }
    for (unsigned i = 0; i < b->threads; i++)
        pthread_join(s[i].thread, NULL);
}

static void q3k(bench *b, fa_arena *a, answer *w)
{
    int32_t days = 395;
    uint32_t *bucket = fa_arena_array(a, (size_t)days, sizeof *bucket);
    fa_scan q = {.from = b->last - days + 1,
                 .to = b->last,
                 .group = b->group,
                 .nline = b->nline,
                 .bucket = bucket};
    fa_cell *cell;
    size_t n;
    fa_err e = {0};

    if (!bucket)
        die("memory", NULL);
    for (int32_t i = 0; i < days; i++)
        bucket[i] = (uint32_t)i;
    q.measures = 1u << FA_M_EFFECTIVE;
    if (fa_engine_scan(fa_ledger_engine(b->ledger), a, &q, &cell, &n, &e))
        die("scan", &e);
    for (size_t i = 0; w && i < n; i++) {
        row_begin(w);
        fa_day_emit(&w->text, q.from + (int32_t)cell[i].bucket);
        fa_buf_c(&w->text, '\t');
        if (cell[i].group < b->nrule)
            fa_buf_fmt(&w->text, "%u", cell[i].group);
        fa_buf_c(&w->text, '\t');
        fa_dec_emit(&w->text, cell[i].sum[FA_M_EFFECTIVE], 18, 0);
        fa_buf_c(&w->text, 0);
    }
}

static void q3(bench *b, fa_arena *a, answer *w)
{
    read_rules_over_lines(b);
    q3k(b, a, w);
}

static void q6(bench *b, fa_arena *a, answer *w)
{
    static const char *const types[] = {"unblendedCost", "netUnblendedCost", "amortizedCost",
                                        "netAmortizedCost", "listCost"};
    fa_plan p = new_plan(b, 395, FA_ALL);
    fa_answer r;

    for (size_t i = 0; i < FA_COUNT(types); i++)
        add_measure(&p, types[i]);
    ask(b, a, &p, &r);
    if (!w)
        return;
    row_begin(w);
    for (size_t i = 0; i < FA_COUNT(types); i++) {
        fa_buf_z(&w->text, i ? "\t" : "");
        fa_dec_emit(&w->text, r.total.total_e10[i], 10, 0);
    }
    fa_buf_c(&w->text, 0);
}

static void q9(bench *b, fa_arena *a, answer *w)
{
    fa_value *v;
    size_t n;
    fa_err e = {0};

    if (fa_query_values(b->ledger, a, find_key(b, a, "ServiceName"), NULL, FA_STR(""), FA_STR(""),
                        50, NULL, &v, &n, &e))
        die("values", &e);
    for (size_t i = 0; w && i < n; i++) {
        row_begin(w);
        fa_buf_fmt(&w->text, "%.*s", FA_FMT(v[i].value));
        fa_buf_c(&w->text, 0);
    }
}

typedef void question(bench *b, fa_arena *a, answer *w);
static const struct {
    const char *name;
    question *run;
} questions[] = {
    {"Q1", q1}, {"Q2", q2}, {"Q3", q3}, {"Q3k", q3k}, {"Q6", q6}, {"Q9", q9},
};

static double once(bench *b, question *run, answer *w)
{
    fa_arena a;
    double start = now_ms(), took;

    fa_arena_init(&a, (size_t)4 << 30);
    run(b, &a, w);
    took = now_ms() - start;
    fa_arena_release(&a);
    return took;
}

static void print_line(const char *name, double first, double hot)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    printf("{\"name\":\"%s\",\"first_ms\":%.3f,\"hot_ms\":%.3f,\"peak_kb\":%ld}\n", name, first,
           hot, u.ru_maxrss);
    fflush(stdout);
}

/* ---- start ---- */

/* RULES as one CASE over line: {team} is the tag of that name. */
static void read_rules(bench *b, const char *path)
{
    fa_buf in, out;
    fa_err e = {0};

    fa_buf_init(&in, RULES_MAX);
    fa_buf_init(&out, 2 * RULES_MAX);
    if (fa_file_read(path, RULES_MAX, &in, &e))
        die(path, &e);
    fa_buf_z(&out, "CASE");
    for (const char *p = in.p, *end; *p; p = end + (*end == '\n')) {
        end = p + strcspn(p, "\n");
        if (end == p)
            continue;
        fa_buf_z(&out, " WHEN ");
        for (; p < end; p++) {
            size_t i = 0;

            while (i < FA_COUNT(rule_tags) &&
                   (*p != '{' || strncmp(p + 1, rule_tags[i], strlen(rule_tags[i])) != 0 ||
                    p[1 + strlen(rule_tags[i])] != '}'))
                i++;
            if (i == FA_COUNT(rule_tags)) {
                fa_buf_c(&out, *p);
                continue;
            }
            fa_buf_fmt(&out, "tag_%s", rule_tags[i]);
            p += 1 + strlen(rule_tags[i]);
        }
        fa_buf_fmt(&out, " THEN %u", b->nrule++);
    }
    fa_buf_z(&out, " END::INTEGER");
    if (out.failed || b->nrule == 0)
        die(path, NULL);
    b->rule_case = out.p;
    fa_buf_release(&in);
}

int main(int argc, char **argv)
{
    fa_ledger_options o = {.wait_ms = 1000};
    bench b = {0};
    fa_err e = {0};

    if (argc != 8 || !fa_day_parse(fa_str_of(argv[7]), &b.last)) {
        fputs("use: bench_query DIR MEMORY-MB THREADS ANSWERS RUNS RULES LAST-DAY\n", stderr);
        return 2;
    }
    o.dir = argv[1];
    o.memory_bytes = (size_t)strtoull(argv[2], NULL, 10) << 20;
    o.threads = (unsigned)strtoul(argv[3], NULL, 10);
    b.threads = o.threads > 0 && o.threads <= THREADS_MAX ? o.threads : 1;
    b.answers = argv[4];
    b.runs = atoi(argv[5]);
    read_rules(&b, argv[6]);
    if (fa_ledger_open(&o, &b.ledger, &e))
        die(o.dir, &e);
    for (size_t i = 0; i < FA_COUNT(questions); i++) {
        answer w = {0};
        double first, hot = 1e300, spent = 0;

        fa_buf_init(&w.text, (size_t)2 << 30);
        first = once(&b, questions[i].run, NULL);
        for (int k = 0; k < b.runs && spent < HOT_MS; k++) {
            double t = once(&b, questions[i].run, NULL);

            hot = t < hot ? t : hot;
            spent += t;
        }
        once(&b, questions[i].run, &w);
        keep(&b, questions[i].name, &w);
        print_line(questions[i].name, first, hot);
    }
    free(b.group);
    free(b.rule_case);
    fa_query_cache_free();
    fa_ledger_close(b.ledger);
    return 0;
}
