/*
 * validate.c - a file against the FOCUS rules: each rule becomes two sums of one SELECT.
 *
 * The one idea: "how many rows break it, and which is the first" is an aggregate with a filter, so
 * all rules together read the file once, whatever its size. Every check is written so that it is
 * never NULL; in a requirement, a value that is null keeps every rule but those about being null.
 */
#include "validate/inner.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQL_BYTES ((size_t)16 << 20)
#define UNKNOWN_SHOWN 20

const char *const fa_validate_criteria[] = {"ACCOUNT_NAMING_SUPPORTED",
                                            "AVAILABILITY_ZONE_SUPPORTED",
                                            "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
                                            "CAPACITY_RESERVATION_SUPPORTED",
                                            "COMMITMENT_DISCOUNT_SUPPORTED",
                                            "MULTIPLE_BILLING_ACCOUNT_TYPES_SUPPORTED",
                                            "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
                                            "MULTIPLE_SUB_ACCOUNT_TYPES_SUPPORTED",
                                            "NEGOTIATED_PRICING_SUPPORTED",
                                            "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED",
                                            "PUBLIC_PRICE_LIST_SUPPORTED",
                                            "REGION_SUPPORTED",
                                            "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
                                            "SUB_ACCOUNT_SUPPORTED",
                                            "TAGGING_SUPPORTED",
                                            "UNIT_PRICING_SUPPORTED",
                                            "USAGE_MEASUREMENT_SUPPORTED",
                                            "VIRTUAL_CURRENCY_SUPPORTED",
                                            NULL};

typedef struct job {
    fa_engine *g;
    fa_arena *a;
    const fa_validate_request *q;
    fa_validation *out;
    fa_bill_file file;
    const fa_rule **rule; /* asked of the rows, in order */
    size_t nrule;
    fa_conn *conn;
    fa_err *e;
} job;

/* ---- what is asked ---- */

static const fa_bill_column *column_of(const job *j, const char *name)
{
    for (size_t i = 0; name && i < j->file.ncolumn; i++)
        if (fa_str_eqz(j->file.column[i].name, name))
            return &j->file.column[i];
    return NULL;
}

static fa_rc check_criteria(fa_str list, fa_err *e)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        fa_str word = {list.p, comma ? (size_t)(comma - list.p) : list.n};
        bool known = fa_str_eqz(word, "all");

        for (size_t i = 0; fa_validate_criteria[i] && !known; i++)
            known = fa_str_eqz(word, fa_validate_criteria[i]);
        if (!known) {
            (void)fa_fail(e, FA_EINVAL, "unknown applicability criterion \"%.*s\"", FA_FMT(word));
            return fa_hint(e, "all, or names such as %s", fa_validate_criteria[0]);
        }
        list.p += word.n + (comma != NULL);
        list.n -= word.n + (comma != NULL);
    }
    return FA_OK;
}

static bool is_claimed(fa_str list, fa_str name)
{
    while (list.n) {
        const char *comma = memchr(list.p, ',', list.n);
        fa_str word = {list.p, comma ? (size_t)(comma - list.p) : list.n};

        if (fa_str_eq(word, name) || fa_str_eqz(word, "all"))
            return true;
        list.p += word.n + (comma != NULL);
        list.n -= word.n + (comma != NULL);
    }
    return false;
}

static bool all_claimed(fa_str list, const char *needed)
{
    fa_str rest = fa_str_of(needed);

    while (rest.n) {
        const char *space = memchr(rest.p, ' ', rest.n);
        fa_str word = {rest.p, space ? (size_t)(space - rest.p) : rest.n};

        if (!is_claimed(list, word))
            return false;
        rest.p += word.n + (space != NULL);
        rest.n -= word.n + (space != NULL);
    }
    return true;
}

static bool asks_presence(const fa_rule *r)
{
    return fa_rule_nodes[r->requirement].op == FA_RULE_PRESENT;
}

static int since(const char *column)
{
    const fa_column *c = fa_column_find(fa_str_of(column));

    return c ? c->since : 10;
}

/* A rule stands for a file when it had the column when it was written, and has it. */
static bool is_asked(const job *j, const fa_rule *r)
{
    if (since(r->column) > j->out->version || !all_claimed(j->q->criteria, r->criteria))
        return false;
    return asks_presence(r) || column_of(j, r->column);
}

static int version_of(const fa_bill_file *f)
{
    int version = 10;

    for (size_t i = 0; i < f->ncolumn; i++) {
        const fa_column *c = fa_column_find(f->column[i].name);

        if (c && c->since > version && c->since <= 12)
            version = c->since;
    }
    return version;
}

/* ---- a check as SQL ---- */

static void put_column(fa_buf *b, const job *j, const char *name)
{
    if (column_of(j, name))
        fa_buf_sql_ident(b, fa_str_of(name));
    else
        fa_buf_z(b, "NULL::VARCHAR");
}

static void put_number(fa_buf *b, const job *j, const char *name)
{
    fa_buf_z(b, "try_cast(");
    put_column(b, j, name);
    fa_buf_z(b, " AS DECIMAL(38,18))");
}

/* "holds when null": all requirements but those about null itself. */
static void open_nullable(fa_buf *b, const job *j, const char *name)
{
    fa_buf_z(b, "(");
    put_column(b, j, name);
    fa_buf_z(b, " IS NULL OR coalesce(");
}

static void put_pattern(fa_buf *b, const job *j, const char *name, const char *pattern)
{
    open_nullable(b, j, name);
    fa_buf_z(b, "regexp_full_match(");
    put_column(b, j, name);
    fa_buf_fmt(b, ", '%s'), false))", pattern);
}

static void put_equal(fa_buf *b, const job *j, const fa_rule_node *n)
{
    fa_buf_z(b, "coalesce(");
    if (n->number) {
        put_number(b, j, n->a);
        fa_buf_fmt(b, " = %s::DECIMAL(38,18)", n->b);
    } else {
        put_column(b, j, n->a);
        fa_buf_z(b, " = ");
        fa_buf_sql_text(b, fa_str_of(n->b));
    }
    fa_buf_z(b, ", false)");
}

static void put_value(fa_buf *b, const job *j, const fa_rule_node *n, bool required)
{
    if (!n->b) {
        fa_buf_c(b, '(');
        put_column(b, j, n->a);
        fa_buf_z(b, n->op == FA_RULE_VALUE ? " IS NULL)" : " IS NOT NULL)");
        return;
    }
    if (n->op == FA_RULE_NOT_VALUE) {
        fa_buf_z(b, "NOT ");
        put_equal(b, j, n);
        return;
    }
    if (required)
        open_nullable(b, j, n->a);
    put_equal(b, j, n);
    if (required)
        fa_buf_z(b, ", false))");
}

/* A provider has several names on its own bill, and a company in each country. */
static void put_provider(fa_buf *b, const job *j, const char *name)
{
    static const char *const start[][2] = {
        {"amazon", "AWS"}, {"aws", "AWS"}, {"microsoft", "MS"}, {"azure", "MS"},
        {"google", "GCP"}, {"gcp", "GCP"}, {"oracle", "OCI"},   {"oci", "OCI"}};

    fa_buf_z(b, "CASE");
    for (size_t i = 0; i < FA_COUNT(start); i++) {
        fa_buf_z(b, " WHEN starts_with(lower(");
        put_column(b, j, name);
        fa_buf_fmt(b, "), '%s') THEN '%s'", start[i][0], start[i][1]);
    }
    fa_buf_z(b, " ELSE lower(");
    put_column(b, j, name);
    fa_buf_z(b, ") END");
}

static void put_same(fa_buf *b, const job *j, const fa_rule_node *n)
{
    bool named = strcmp(n->a, "ProviderName") == 0 && strcmp(n->b, "InvoiceIssuerName") == 0 &&
                 column_of(j, n->a) && column_of(j, n->b);

    fa_buf_z(b, n->op == FA_RULE_SAME ? "(" : "NOT (");
    put_column(b, j, n->a);
    fa_buf_z(b, " IS NOT DISTINCT FROM ");
    put_column(b, j, n->b);
    fa_buf_z(b, " OR coalesce(");
    if (named) {
        put_provider(b, j, n->a);
        fa_buf_z(b, " = ");
        put_provider(b, j, n->b);
    } else {
        put_number(b, j, n->a);
        fa_buf_z(b, " = ");
        put_number(b, j, n->b);
    }
    fa_buf_z(b, ", false))");
}

static void put_product(fa_buf *b, const job *j, const fa_rule_node *n)
{
    /* A tolerance asks for no exact product: 1e-9, or a 1e-12th of a large amount (2.2). */
    const char *const name[] = {n->a, n->b, n->c};

    fa_buf_z(b, "coalesce(abs(");
    for (size_t i = 0; i < 3; i++) {
        fa_buf_z(b, i == 1 ? " * " : i == 2 ? " - " : "");
        fa_buf_z(b, "try_cast(");
        put_column(b, j, name[i]);
        fa_buf_z(b, " AS DOUBLE)");
    }
    fa_buf_z(b, ") <= greatest(1e-9, 1e-12 * abs(try_cast(");
    put_column(b, j, n->c);
    fa_buf_z(b, " AS DOUBLE))), true)");
}

static void put_currency(fa_buf *b, const job *j, const char *name)
{
    open_nullable(b, j, name);
    put_column(b, j, name);
    fa_buf_z(b, " IN (");
    for (size_t i = 0; fa_rule_currencies[i]; i++) {
        fa_buf_z(b, i ? ", " : "");
        fa_buf_sql_text(b, fa_str_of(fa_rule_currencies[i]));
    }
    fa_buf_z(b, "), false))");
}

static void put_node(fa_buf *b, const job *j, const fa_rule_node *n, bool required)
{
    switch (n->op) {
    case FA_RULE_PRESENT:
        fa_buf_z(b, column_of(j, n->a) ? "true" : "false");
        break;
    case FA_RULE_VALUE:
    case FA_RULE_NOT_VALUE:
        put_value(b, j, n, required);
        break;
    case FA_RULE_SAME:
    case FA_RULE_NOT_SAME:
        put_same(b, j, n);
        break;
    case FA_RULE_AT_LEAST:
        open_nullable(b, j, n->a);
        put_number(b, j, n->a);
        fa_buf_fmt(b, " >= %s::DECIMAL(38,18), false))", n->b);
        break;
    case FA_RULE_DECIMAL:
        open_nullable(b, j, n->a);
        put_number(b, j, n->a);
        fa_buf_z(b, " IS NOT NULL, false))");
        break;
    case FA_RULE_CURRENCY:
        put_currency(b, j, n->a);
        break;
    case FA_RULE_NUMERIC:
        put_pattern(b, j, n->a, "-?[0-9]+([.][0-9]+)?([eE]-?[0-9]+)?");
        break;
    case FA_RULE_TIME:
        put_pattern(b, j, n->a, "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?");
        break;
    case FA_RULE_TIME_FORMAT:
        put_pattern(b, j, n->a, "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z");
        break;
    case FA_RULE_KEY_VALUE:
        open_nullable(b, j, n->a);
        fa_buf_z(b, "fa_tags(");
        put_column(b, j, n->a);
        fa_buf_z(b, ") IS NOT NULL, false))");
        break;
    case FA_RULE_PRODUCT:
        put_product(b, j, n);
        break;
    default:
        fa_buf_z(b, "true");
    }
}

/* Returns the node behind the check. */
static int put_check(fa_buf *b, const job *j, int at, bool required)
{
    const fa_rule_node *n = &fa_rule_nodes[at++];

    if (n->op != FA_RULE_AND && n->op != FA_RULE_OR) {
        put_node(b, j, n, required);
        return at;
    }
    fa_buf_z(b, n->kids ? "(" : n->op == FA_RULE_AND ? "true" : "false");
    for (int i = 0; i < n->kids; i++) {
        if (i)
            fa_buf_z(b, n->op == FA_RULE_AND ? " AND " : " OR ");
        at = put_check(b, j, at, required);
    }
    if (n->kids)
        fa_buf_c(b, ')');
    return at;
}

/* Two columns: rows that break it, and the first of them. */
static void put_rule(fa_buf *b, const job *j, const fa_rule *r)
{
    const fa_rule_node *n = &fa_rule_nodes[r->requirement];

    if (n->op == FA_RULE_ONE_EACH) { /* pairs over what there should be: one for each */
        fa_buf_z(b, ", (count(DISTINCT CASE WHEN ");
        put_column(b, j, n->b);
        fa_buf_z(b, " IS NOT NULL AND ");
        put_column(b, j, n->a);
        fa_buf_z(b, " IS NOT NULL THEN (");
        put_column(b, j, n->a);
        fa_buf_z(b, ", ");
        put_column(b, j, n->b);
        fa_buf_z(b, ") END) - count(DISTINCT CASE WHEN ");
        put_column(b, j, n->b);
        fa_buf_z(b, " IS NOT NULL THEN ");
        put_column(b, j, n->a);
        fa_buf_z(b, " END))::BIGINT, 0::BIGINT, NULL::VARCHAR");
        return;
    }
    for (int i = 0; i < 3; i++) {
        fa_buf_z(b, i == 0   ? ", count(*) FILTER ("
                    : i == 1 ? ", coalesce(min(fa_row) FILTER ("
                             : ", arg_min(left(");
        if (i == 2) {
            put_column(b, j, r->column);
            fa_buf_z(b, ", 200), fa_row) FILTER (");
        }
        if (r->condition >= 0) {
            (void)put_check(b, j, r->condition, false);
            fa_buf_z(b, " AND ");
        }
        fa_buf_z(b, "NOT ");
        (void)put_check(b, j, r->requirement, true);
        fa_buf_z(b, i == 0 ? ")::BIGINT" : i == 1 ? "), 0)::BIGINT" : ")");
    }
}

/* ---- the rows ---- */

static bool is_nested(fa_str t)
{
    return fa_str_starts(t, FA_STR("STRUCT")) || fa_str_starts(t, FA_STR("MAP")) ||
           fa_str_ends(t, FA_STR("[]"));
}

/* A column as text, null where the file says so in one of the ways that are seen. */
static void put_text(fa_buf *b, const job *j, const fa_bill_column *c)
{
    if (j->file.kind == FA_FILE_CSV) {
        fa_buf_z(b, "CASE WHEN ");
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, " IN ('NULL', 'null', '(null)') THEN NULL ELSE ");
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, " END");
    } else if (fa_str_starts(c->type, FA_STR("TIMESTAMP"))) {
        fa_buf_z(b, "strftime(");
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, "::TIMESTAMP, '%Y-%m-%dT%H:%M:%SZ')");
    } else if (is_nested(c->type)) {
        fa_buf_z(b, "to_json(");
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, ")::VARCHAR");
    } else {
        fa_buf_sql_ident(b, c->name);
        fa_buf_z(b, "::VARCHAR");
    }
}

static void put_file(fa_buf *b, const job *j, const char *pipe)
{
    fa_buf_z(b, " FROM (SELECT fa_row");
    for (size_t i = 0; i < j->file.ncolumn; i++) {
        const fa_bill_column *c = &j->file.column[i];

        if (!fa_column_find(c->name))
            continue;
        fa_buf_z(b, ", ");
        put_text(b, j, c);
        fa_buf_z(b, " AS ");
        fa_buf_sql_ident(b, c->name);
    }
    if (j->file.kind == FA_FILE_CSV) {
        fa_buf_z(b, ", false");
        for (size_t i = 0; i < j->file.ncolumn; i++) {
            fa_buf_z(b, " OR ");
            fa_buf_sql_ident(b, j->file.column[i].name);
            fa_buf_z(b, " IN ('NULL', 'null', '(null)')");
        }
        fa_buf_z(b, " AS fa_null FROM (SELECT *, row_number() OVER () AS fa_row FROM read_csv(");
        fa_buf_sql_text(b, fa_str_of(pipe));
        fa_buf_z(b, ", columns = {");
        for (size_t i = 0; i < j->file.ncolumn; i++) {
            fa_buf_z(b, i ? ", " : "");
            fa_buf_sql_text(b, j->file.column[i].name);
            fa_buf_z(b, ": 'VARCHAR'");
        }
        fa_buf_fmt(b,
                   "}, header = true, auto_detect = false, delim = ',', quote = '\"', escape ="
                   " '\"', nullstr = '', max_line_size = 1200000, buffer_size = %d, parallel ="
                   " false)))",
                   16 << 20);
    } else {
        fa_buf_z(b, ", false AS fa_null FROM (SELECT *, file_row_number + 1 AS fa_row FROM "
                    "read_parquet(");
        fa_buf_sql_text(b, fa_str_of(j->file.path));
        fa_buf_z(b, ", file_row_number = true)))");
    }
}

static fa_rc add_breach(job *j, const fa_breach *x)
{
    fa_validation *o = j->out;

    o->breach[o->nbreach] = *x;
    o->breach[o->nbreach].value = fa_arena_dup(j->a, x->value);
    if (!o->breach[o->nbreach++].value.p)
        return fa_oom(j->e);
    o->nmust += x->must;
    return FA_OK;
}

/* Of the one row of the answer: rows, rows with a text for null and the first, then three columns a
 * rule. */
static fa_rc take_counts(void *user, const fa_batch *b, fa_err *e)
{
    job *j = user;

    (void)e;
    j->out->rows = b->col[0].i64[0];
    for (size_t i = 0; i < j->nrule; i++) {
        const fa_rule *r = j->rule[i];
        const fa_col *c = &b->col[3 + i * 3];
        bool has = c[2].type == FA_T_TEXT && !(c[2].null && c[2].null[0]);

        if (c[0].i64[0] > 0 &&
            add_breach(j,
                       &(fa_breach){r->id, fa_str_of(r->column), r->level == FA_RULE_MUST, r->text,
                                    c[0].i64[0], c[1].i64[0], has ? c[2].text[0] : FA_STR("")}))
            return j->e->rc;
    }
    if (b->col[1].i64[0] > 0)
        return add_breach(
            j, &(fa_breach){"NullHandling-A-001-C", FA_STR(""), true,
                            "Columns MUST use NULL when there isn't a value that can be specified"
                            " for a nullable column: this file writes a text for it.",
                            b->col[1].i64[0], b->col[2].i64[0], FA_STR("")});
    return FA_OK;
}

static fa_rc ask_rows(job *j, const char *pipe)
{
    fa_rc rc;
    fa_feed *feed = NULL;
    fa_err feed_err = {0};
    char hash[65];
    fa_buf b;

    fa_buf_init(&b, SQL_BYTES);
    fa_buf_z(&b, "SELECT count(*), count(*) FILTER (fa_null), coalesce(min(fa_row) FILTER "
                 "(fa_null), 0)::BIGINT");
    for (size_t i = 0; i < j->nrule; i++)
        put_rule(&b, j, j->rule[i]);
    put_file(&b, j, pipe);
    rc = b.failed ? fa_oom(j->e) : FA_OK;
    if (!rc && j->file.kind == FA_FILE_CSV)
        rc = fa_feed_open(&j->file, pipe, &feed, j->e);
    if (!rc)
        rc = fa_sql_query(j->conn, fa_buf_view(&b), NULL, 0, take_counts, j, j->e);
    if (feed && fa_feed_close(feed, rc != FA_OK, hash, &feed_err) && feed_err.rc != FA_ECANCELLED) {
        *j->e = feed_err;
        rc = feed_err.rc;
    }
    fa_buf_release(&b);
    return rc;
}

/* ---- the file as a whole ---- */

static fa_rc check_columns(job *j)
{
    size_t shown = 0;

    for (size_t i = 0; i < fa_nrules; i++) {
        const fa_rule *r = &fa_rules[i];

        if (is_asked(j, r) && asks_presence(r) && !column_of(j, r->column) &&
            add_breach(j, &(fa_breach){r->id, fa_str_of(r->column), r->level == FA_RULE_MUST,
                                       r->text, j->out->rows, 0, FA_STR("")}))
            return j->e->rc;
    }
    for (size_t i = 0; i < j->file.ncolumn && shown < UNKNOWN_SHOWN; i++) {
        fa_str name = j->file.column[i].name;

        if (fa_column_find(name) || fa_str_starts(name, FA_STR("x_")))
            continue;
        shown++;
        if (add_breach(j, &(fa_breach){"ColumnHandling-A-010-M", name, true,
                                       "Custom columns MUST be prefixed with a consistent x_ "
                                       "prefix to identify them as external, custom columns.",
                                       j->out->rows, 0, FA_STR("")}))
            return j->e->rc;
    }
    return FA_OK;
}

static fa_rc choose_rules(job *j)
{
    fa_validation *o = j->out;

    j->rule = fa_arena_array(j->a, fa_nrules + 1, sizeof *j->rule);
    o->breach = fa_arena_array(j->a, fa_nrules + UNKNOWN_SHOWN + 2, sizeof *o->breach);
    if (!j->rule || !o->breach)
        return fa_oom(j->e);
    for (size_t i = 0; i < fa_nrules; i++) {
        if (!is_asked(j, &fa_rules[i])) {
            o->unasked++;
            continue;
        }
        o->rules++;
        if (!asks_presence(&fa_rules[i]))
            j->rule[j->nrule++] = &fa_rules[i];
    }
    o->unchecked = fa_rules_unchecked;
    return FA_OK;
}

fa_rc fa_validate(fa_engine *g, fa_arena *a, const fa_validate_request *q, fa_validation *out,
                  fa_err *e)
{
    fa_err scratch = {0};
    job j = {.g = g, .a = a, .q = q, .out = out, .e = e ? e : &scratch};
    char dir[] = "/tmp/farthing-validate.XXXXXX", pipe[64];
    fa_rc rc;

    *out = (fa_validation){0};
    if ((rc = check_criteria(q->criteria, j.e)) || (rc = fa_bill_open(g, a, q->path, &j.file, j.e)))
        return rc;
    out->version = q->version ? q->version : version_of(&j.file);
    if ((rc = choose_rules(&j)))
        return rc;
    if (!mkdtemp(dir))
        return fa_fail(j.e, FA_EENV, "could not make a folder in /tmp");
    snprintf(pipe, sizeof pipe, "%s/pipe", dir);
    rc = fa_conn_get(g, &j.conn, j.e);
    if (!rc) {
        fa_conn_deadline(j.conn, q->deadline_mono_ms);
        rc = ask_rows(&j, pipe);
    }
    fa_conn_put(j.conn);
    (void)unlink(pipe);
    (void)rmdir(dir);
    return rc ? rc : check_columns(&j);
}
