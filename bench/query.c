/*
 * query.c - the questions of FinBench put to an installation, in process,
 * through the library.
 *
 *   bench_query DIR MEMORY-MB THREADS ANSWERS RUNS TAG LAST-DAY
 *
 * Same lines and answer files as duck.c writes, so that both can be compared
 * byte by byte. Q3 groups by the virtual tag in TAG (a document) as a saved tag
 * is: what was made for it is kept. Q3e edits one of its rules before each
 * question, Q3p previews such an edit: the document, its keys and the edited
 * rule are new each time.
 */
#include "query/query.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { HOT_MS = 20000 };

typedef struct bench {
    fa_ledger *ledger;
    const char *answers;
    int runs;
    int32_t last;
    json_t *tag;      /* the document */
    fa_catalog *live; /* with the tag */
    unsigned edits;
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

    if (fa_cost_type_find(fa_str_of(name), FA_FAIR_OFF, &p->measure[p->nmeasure].type, &e))
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

/* ---- the virtual tag ---- */

static fa_catalog *catalog_with(const bench *b, const json_t *document)
{
    json_t *list = json_array();
    fa_tag_set *set;
    fa_catalog *c;
    fa_err e = {0};

    if (!list || json_array_append(list, (json_t *)(uintptr_t)document) ||
        fa_tag_set_parse(list, &set, &e) || fa_catalog_with(b->ledger, set, &c, &e))
        die("tag", &e);
    fa_tag_set_put(set);
    json_decref(list);
    return c;
}

/* The tag with a word more in the middle rule, which no line has: a rule nobody
 * asked of before. */
static json_t *edited(bench *b)
{
    json_t *d = json_deep_copy(b->tag), *rules = json_object_get(d, "rules"), *both, *old;
    json_t *rule = json_array_get(rules, json_array_size(rules) / 2);
    char word[40];

    snprintf(word, sizeof word, "no such text %u", b->edits++);
    old = json_incref(json_object_get(rule, "filters"));
    both = json_pack("{s:[o,{s:s,s:s,s:s,s:s,s:s}]}", "OR", old, "costCenter", "Global", "key",
                     "resource_id", "type", "resource", "operator", "contains", "value", word);
    if (!both || json_object_set_new(rule, "filters", both))
        die("edit", NULL);
    return d;
}

static fa_plan tag_plan(const bench *b, fa_bucket bucket)
{
    fa_plan p = new_plan(b, 395, bucket);

    add_measure(&p, "netAmortizedCost");
    return p;
}

static void by_tag(bench *b, fa_catalog *c, fa_arena *a, answer *w)
{
    fa_plan p = tag_plan(b, FA_DAY);
    fa_answer r;
    fa_err e = {0};

    if (fa_catalog_find(c, a, FA_API_V2, FA_STR("Virtual Tags"), FA_STR("Bench"),
                        FA_STR("virtual_tag"), &p.dim[p.ndim++], &e))
        die("key", &e);
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

static void q3(bench *b, fa_arena *a, answer *w)
{
    by_tag(b, b->live, a, w);
}

static void q3e(bench *b, fa_arena *a, answer *w)
{
    json_t *d = edited(b);
    fa_catalog *c = catalog_with(b, d);

    by_tag(b, c, a, w);
    fa_catalog_put(c);
    json_decref(d);
}

static void q3p(bench *b, fa_arena *a, answer *w)
{
    json_t *d = edited(b);
    fa_plan p = tag_plan(b, FA_ALL);
    fa_try_preview r;
    fa_err e = {0};

    if (fa_tag_try(b->ledger, a, b->live, d, FA_STR(""), &p, &r, &e))
        die("preview", &e);
    for (size_t i = 0; w && i < r.nvalue; i++) {
        row_begin(w);
        fa_buf_fmt(&w->text, "%.*s\t", FA_FMT(r.value[i].value));
        fa_dec_emit(&w->text, r.value[i].cost_e10, 10, 0);
        fa_buf_c(&w->text, 0);
    }
    json_decref(d);
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
    {"Q1", q1}, {"Q2", q2}, {"Q3", q3}, {"Q3e", q3e}, {"Q3p", q3p}, {"Q6", q6}, {"Q9", q9},
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

int main(int argc, char **argv)
{
    fa_ledger_options o = {.wait_ms = 1000};
    bench b = {0};
    fa_err e = {0};

    if (argc != 8 || !fa_day_parse(fa_str_of(argv[7]), &b.last)) {
        fputs("use: bench_query DIR MEMORY-MB THREADS ANSWERS RUNS TAG LAST-DAY\n", stderr);
        return 2;
    }
    o.dir = argv[1];
    o.memory_bytes = (size_t)strtoull(argv[2], NULL, 10) << 20;
    o.threads = (unsigned)strtoul(argv[3], NULL, 10);
    b.answers = argv[4];
    b.runs = atoi(argv[5]);
    if (!(b.tag = json_load_file(argv[6], 0, NULL)))
        die(argv[6], NULL);
    if (fa_ledger_open(&o, &b.ledger, &e))
        die(o.dir, &e);
    b.live = catalog_with(&b, b.tag);
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
    fa_catalog_put(b.live);
    json_decref(b.tag);
    fa_query_cache_free();
    fa_ledger_close(b.ledger);
    return 0;
}
