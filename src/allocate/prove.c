/*
 * prove.c - do the virtual tags in meta.db hold? Every version named is there, every document and
 * every set of rows can be read and is what its hash says, and together they make a set.
 */
#include "allocate/inner.h"

#include <string.h>

enum { FINDINGS_MAX = 1000 };

typedef struct proof {
    fa_ledger *l;
    fa_arena *a;
    fa_finding *found;
    size_t n;
} proof;

static void found(proof *p, fa_str tag, const char *what)
{
    char *where = fa_arena_printf(p->a, "virtual tag \"%.*s\"", FA_FMT(tag));
    char *words = fa_arena_printf(p->a, "%s", what);

    if (p->n < FINDINGS_MAX && where && words)
        p->found[p->n++] = (fa_finding){fa_str_of(words), fa_str_of(where),
                                        FA_STR("restore the last backup with: farthing restore")};
}

static void prove_rows(proof *p, const fa_tag_row *t, const fa_tag_version *v, const json_t *doc)
{
    fa_tag_rows *rows = NULL;
    fa_rows_shape shape;
    fa_err e = {0};
    char hex[33] = "";

    fa_rows_shape_of(doc, &shape);
    if (!shape.nlevel || !v->rows_hash.n)
        return;
    if (fa_content_load(p->l, v->rows_hash, &shape, &rows, &e)) {
        found(p, t->name, e.msg);
        return;
    }
    fa_hex(hex, rows->hash, sizeof rows->hash);
    if (!fa_str_eqz(v->rows_hash, hex))
        found(p, t->name, "the rows of a version are not what they were");
    fa_rows_unref(rows);
}

static fa_rc prove_tag(proof *p, const fa_tag_row *t, fa_err *e)
{
    const fa_str named[] = {t->live, t->staged};
    fa_tag_version *v;
    size_t n;
    fa_rc rc =
        fa_tag_version_list(fa_ledger_store(p->l), p->a, fa_ledger_account(p->l), t->id, &v, &n, e);

    if (rc)
        return rc;
    if (!t->live.n && !t->staged.n)
        found(p, t->name, "it has no version");
    for (size_t k = 0; k < FA_COUNT(named); k++) {
        bool has = !named[k].n;

        for (size_t i = 0; i < n; i++)
            has = has || fa_str_eq(v[i].id, named[k]);
        if (!has)
            found(p, t->name, k ? "its staged version is missing" : "its live version is missing");
    }
    for (size_t i = 0; i < n; i++) {
        fa_tag_version whole;
        json_t *doc = NULL;
        fa_err why = {0};

        if ((rc = fa_tag_version_get(fa_ledger_store(p->l), p->a, fa_ledger_account(p->l), t->id,
                                     v[i].id, &whole, e)))
            return rc;
        if (fa_tag_compose(t, &whole, &doc, &why))
            found(p, t->name, why.msg);
        else
            prove_rows(p, t, &whole, doc);
        json_decref(doc);
    }
    return FA_OK;
}

fa_rc fa_tags_check(fa_ledger *l, fa_arena *a, fa_finding **out, size_t *n, fa_err *e)
{
    proof p = {.l = l, .a = a, .found = fa_arena_array(a, FINDINGS_MAX, sizeof *p.found)};
    fa_tag_set *set = NULL;
    fa_tag_row *row;
    size_t nrow;
    fa_err why = {0};
    fa_rc rc;

    if (!p.found)
        return fa_oom(e);
    if ((rc = fa_tag_list(fa_ledger_store(l), a, fa_ledger_account(l), &row, &nrow, e)))
        return rc;
    for (size_t i = 0; i < nrow; i++)
        if ((rc = prove_tag(&p, &row[i], e)))
            return rc;
    if (!p.n && fa_tags_live(l, &set, &why))
        found(&p, FA_STR("all"), why.msg);
    fa_tag_set_put(set);
    *out = p.found;
    *n = p.n;
    return FA_OK;
}
