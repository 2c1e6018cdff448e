/*
 * duck.c - the engine without us: runs a file of SQL statements, times them, keeps their answers.
 *
 *   bench_duck DATABASE MEMORY THREADS ANSWERS RUNS SCRIPT [NAME=VALUE...]
 *
 * A line "-- @name" starts a statement; $NAME in it is replaced by VALUE. Each one runs once
 * (first) and, when its name starts with Q, RUNS times more, of which the best is hot: fewer when all
 * of them take over 20 s, and none when the first did, which then is hot too. Prints one
 * JSON object per statement. Answers of Q statements go to ANSWERS/<name>.tsv: one line per row,
 * sorted, decimals without trailing zeros, NULL as nothing, so that another program's answer can be
 * compared byte by byte.
 */
#include <duckdb.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SCRIPT_MAX = 4 << 20, HOT_MS = 20000 };

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_duck: %s: %s\n", what, why ? why : "no reason given");
    exit(3);
}

static void *must(void *p)
{
    if (!p)
        die("memory", "out of it");
    return p;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static char *read_script(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = must(malloc(SCRIPT_MAX + 2));
    size_t n;

    if (!f)
        die(path, "could not be opened");
    text[0] = '\n'; /* so that a first line "-- @" is found too */
    n = fread(text + 1, 1, SCRIPT_MAX, f);
    if (ferror(f) || n == SCRIPT_MAX)
        die(path, "could not be read, or is too long");
    text[n + 1] = 0;
    fclose(f);
    return text;
}

/* A copy of sql with every $NAME of the arguments replaced. */
static char *fill(const char *sql, int argc, char **argv)
{
    char *out = NULL;
    size_t n = 0;
    FILE *f = must(open_memstream(&out, &n));

    while (*sql) {
        int i = argc;

        for (i = 0; *sql == '$' && i < argc; i++) {
            size_t len = strcspn(argv[i], "=");

            if (strncmp(sql + 1, argv[i], len) == 0 && argv[i][len] == '=') {
                fputs(argv[i] + len + 1, f);
                sql += 1 + len;
                break;
            }
        }
        if (*sql == '$' && i < argc)
            continue;
        if (*sql)
            fputc(*sql++, f);
    }
    fclose(f);
    return must(out);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *row_text(duckdb_result *r, idx_t row)
{
    char *out = NULL;
    size_t n = 0;
    FILE *f = must(open_memstream(&out, &n));

    for (idx_t c = 0; c < duckdb_column_count(r); c++) {
        char *v = duckdb_value_is_null(r, c, row) ? NULL : duckdb_value_varchar(r, c, row);
        size_t len = v ? strlen(v) : 0;

        if (v && duckdb_column_type(r, c) == DUCKDB_TYPE_DECIMAL && strchr(v, '.')) {
            while (len && v[len - 1] == '0')
                len--;
            if (len && v[len - 1] == '.')
                len--;
        }
        fprintf(f, "%s%.*s", c ? "\t" : "", (int)len, v ? v : "");
        duckdb_free(v);
    }
    fclose(f);
    return must(out);
}

static void keep(duckdb_result *r, const char *dir, const char *name)
{
    char path[4096];
    idx_t n = duckdb_row_count(r);
    char **line = must(calloc(n + 1, sizeof *line));
    FILE *f;

    snprintf(path, sizeof path, "%s/%s.tsv", dir, name);
    f = fopen(path, "wb");
    if (!f)
        die(path, "could not be created");
    for (idx_t i = 0; i < n; i++)
        line[i] = row_text(r, i);
    qsort(line, n, sizeof *line, by_text);
    for (idx_t i = 0; i < n; i++) {
        fprintf(f, "%s\n", line[i]);
        free(line[i]);
    }
    free(line);
    if (fclose(f) != 0)
        die(path, "could not be written");
}

static double run(duckdb_connection con, const char *name, const char *sql, const char *answers)
{
    duckdb_result r;
    double start = now_ms(), took;

    if (duckdb_query(con, sql, &r) != DuckDBSuccess)
        die(name, duckdb_result_error(&r));
    took = now_ms() - start;
    if (answers)
        keep(&r, answers, name);
    duckdb_destroy_result(&r);
    return took;
}

static void statement(duckdb_connection con, const char *name, const char *sql, const char *answers,
                      int runs)
{
    bool query = name[0] == 'Q';
    double first = run(con, name, sql, query ? answers : NULL), hot = query ? first : -1;
    double spent = first;
    struct rusage u;

    for (int i = 0; query && i < runs && spent < HOT_MS; i++) {
        double t = run(con, name, sql, NULL);

        if (i == 0 || t < hot)
            hot = t;
        spent += t;
    }
    getrusage(RUSAGE_SELF, &u);
    printf("{\"name\":\"%s\",\"first_ms\":%.3f,\"hot_ms\":%.3f,\"peak_kb\":%ld}\n", name, first,
           hot, u.ru_maxrss);
    fflush(stdout);
}

static duckdb_config configure(const char *memory, const char *threads)
{
    duckdb_config cfg;

    if (duckdb_create_config(&cfg) != DuckDBSuccess ||
        duckdb_set_config(cfg, "memory_limit", memory) != DuckDBSuccess ||
        duckdb_set_config(cfg, "threads", threads) != DuckDBSuccess ||
        duckdb_set_config(cfg, "preserve_insertion_order", "false") != DuckDBSuccess)
        die("settings", "were refused");
    return cfg;
}

int main(int argc, char **argv)
{
    duckdb_database db;
    duckdb_connection con;
    duckdb_config cfg;
    char *why = NULL, *text, *at, *next;

    if (argc < 7) {
        fputs("use: bench_duck DATABASE MEMORY THREADS ANSWERS RUNS SCRIPT [NAME=VALUE...]\n",
              stderr);
        return 2;
    }
    cfg = configure(argv[2], argv[3]);
    if (duckdb_open_ext(argv[1], &db, cfg, &why) != DuckDBSuccess)
        die(argv[1], why);
    duckdb_destroy_config(&cfg);
    if (duckdb_connect(db, &con) != DuckDBSuccess)
        die(argv[1], "no connection");
    text = read_script(argv[6]);
    for (at = strstr(text, "\n-- @"); at; at = next) {
        char name[64] = "", *sql, *body = strchr(at + 1, '\n');

        next = strstr(at + 1, "\n-- @");
        if (!body || sscanf(at + 5, "%63s", name) != 1)
            break;
        if (next)
            *next = 0;
        sql = fill(body, argc - 7, argv + 7);
        statement(con, name, sql, argv[4], atoi(argv[5]));
        free(sql);
        if (next)
            *next = '\n';
    }
    free(text);
    duckdb_disconnect(&con);
    duckdb_close(&db);
    return 0;
}
