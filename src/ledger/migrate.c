/*
 * migrate.c - which engine answers: DuckDB with segments, or a ClickHouse cluster.
 *
 * The one idea: bills, meta.db and the star stay where they are; a cluster is another place for the parts
 * of `daily`, as segments are. So the way there is proven against the star, and the way back loses nothing.
 */
#include "ledger/inner.h"

#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>

#define SETTING FA_STR("cluster")
#define SEALED FA_STR("cluster_password")
#define PLACE "setting/cluster_password"

/* From the environment or the file it names, never from the command line. NULL: neither says one. */
static fa_rc read_password(fa_arena *a, const char **out, fa_err *e)
{
    const char *direct = getenv("FARTHING_CLICKHOUSE_PASSWORD");
    const char *path = getenv("FARTHING_CLICKHOUSE_PASSWORD_FILE");
    fa_buf b;
    fa_rc rc = FA_OK;

    *out = direct;
    if (direct || !path)
        return FA_OK;
    fa_buf_init(&b, 4096);
    if (!(rc = fa_file_read(path, 4096, &b, e))) {
        fa_str text = fa_str_trim(fa_buf_view(&b));

        *out = fa_arena_dupz(a, text);
        rc = *out ? FA_OK : fa_oom(e);
    }
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_ledger_only_duckdb(bool *out, fa_err *e)
{
    const char *word = getenv("FARTHING_ENGINE");

    *out = word && strcmp(word, "duckdb") == 0;
    if (!word || !*word || *out)
        return FA_OK;
    (void)fa_fail(e, FA_EINVAL, "FARTHING_ENGINE is \"%.40s\", and there is no such engine", word);
    return fa_hint(e, "duckdb has DuckDB alone answer; without it segments answer");
}

/* What a migration sealed; "" when there is nothing or the vault does not open: then the shards say that the password is wrong. */
static fa_rc kept_password(fa_ledger *l, fa_arena *a, const char **out, fa_err *e)
{
    fa_str sealed;
    fa_secret clear = {0};
    fa_err why = {0};

    *out = "";
    if (fa_setting_get(l->store, a, l->account, SEALED, &sealed, e))
        return e->rc;
    if (!sealed.n)
        return FA_OK;
    if (fa_vault_open(l->dir, false, &why) ||
        fa_vault_unseal(l->store, l->account, PLACE, sealed, &clear, &why)) {
        fa_log(FA_LOG_ERROR, "cluster_password", "error=%s", why.msg);
        return FA_OK;
    }
    *out = fa_arena_dupz(a, (fa_str){clear.p ? clear.p : "", clear.n});
    fa_secret_free(&clear);
    return *out ? FA_OK : fa_oom(e);
}

/* The password of the environment is kept for the next start, sealed. */
static fa_rc keep_password(fa_ledger *l, fa_arena *a, fa_err *e)
{
    const char *password;
    fa_str sealed;
    fa_err why = {0};
    fa_rc rc;

    if ((rc = read_password(a, &password, e)) || !password)
        return rc;
    if (fa_vault_open(l->dir, true, &why)) { /* then each start has to say it */
        fa_log(FA_LOG_WARN, "cluster_password_not_kept", "error=%s", why.msg);
        return fa_setting_put(l->store, l->account, SEALED, FA_STR(""), e);
    }
    if ((rc = fa_vault_seal(l->store, a, l->account, PLACE, fa_str_of(password), &sealed, e)))
        return rc;
    return fa_setting_put(l->store, l->account, SEALED, sealed, e);
}

static fa_rc use_cluster(fa_ledger *l, fa_arena *a, const char *url, fa_err *e)
{
    const char *password;
    fa_rc rc = read_password(a, &password, e);

    if (!rc && !password)
        rc = kept_password(l, a, &password, e);
    return rc ? rc : fa_engine_cluster(l->engine, url, password, e);
}

fa_rc fa_ledger_engine_of(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_str url;
    char *z;
    bool plain;
    fa_rc rc;

    if ((rc = fa_ledger_only_duckdb(&plain, e)) || plain ||
        (rc = fa_setting_get(l->store, a, l->account, SETTING, &url, e)) || !url.n)
        return rc;
    z = fa_arena_dupz(a, url);
    return z ? use_cluster(l, a, z, e) : fa_oom(e);
}

static void tell(const fa_progress *p, const char *phase, double fraction)
{
    fa_progress_state s = {.phase = phase, .fraction = fraction, .left_ms = -1};

    if (p && p->tick)
        p->tick(p->user, &s);
}

static fa_rc move_there(fa_ledger *l, fa_arena *a, const char *url, const fa_progress *p,
                        int32_t first, int32_t last, int64_t *rows, fa_err *e)
{
    fa_str before;
    fa_err later;
    fa_rc rc;

    if ((rc = fa_setting_get(l->store, a, l->account, SETTING, &before, e)) ||
        (rc = use_cluster(l, a, url, e)))
        return rc;
    tell(p, "place", 0.05);
    if ((rc = fa_engine_cluster_setup(l->engine, e)) ||
        (rc = fa_engine_segments_make(l->engine, p ? p->cancel : NULL, e)))
        goto done;
    tell(p, "verify", 0.9);
    if ((rc = fa_engine_cluster_prove(l->engine, first, last, rows, e)))
        goto done;
    if (!(rc = keep_password(l, a, e)))
        rc = fa_setting_put(l->store, l->account, SETTING, fa_str_of(url), e);
done:
    if (rc && use_cluster(l, a, before.n ? before.p : NULL, &later))
        fa_log(FA_LOG_ERROR, "migrate_back", "error=%s", later.msg);
    return rc;
}

static fa_rc move_back(fa_ledger *l, fa_arena *a, const fa_progress *p, int32_t first, int32_t last,
                       int64_t *rows, bool *unproven, fa_err *e)
{
    fa_str before;
    fa_rc rc = fa_setting_get(l->store, a, l->account, SETTING, &before, e);

    if (rc || !before.n)
        return rc ? rc : fa_fail(e, FA_ECONFLICT, "DuckDB answers already");
    tell(p, "verify", 0.1);
    rc = fa_engine_cluster_prove(l->engine, first, last, rows, e);
    if (rc == FA_EENV || rc == FA_EFAILED) { /* it may be gone for good; the star never left */
        fa_log(FA_LOG_WARN, "migrate_unproven", "error=%s", e->msg);
        *unproven = true;
        rc = FA_OK;
    }
    if (rc || (rc = fa_setting_put(l->store, l->account, SETTING, FA_STR(""), e)) ||
        (rc = fa_setting_put(l->store, l->account, SEALED, FA_STR(""), e)) ||
        (rc = fa_engine_cluster(l->engine, NULL, NULL, e)))
        return rc;
    tell(p, "segments", 0.5);
    fa_star_segments(l, p);
    return FA_OK;
}

fa_rc fa_ledger_migrate(fa_ledger *l, const char *url, const fa_progress *p, int64_t *rows,
                        bool *unproven, fa_err *e)
{
    fa_arena a;
    int32_t first = 0, last = -1;
    fa_rc rc;

    *rows = 0;
    *unproven = false;
    fa_arena_init(&a, 1 << 24);
    pthread_mutex_lock(&l->write); /* no load meanwhile: what is proven is what stays */
    if (!fa_ledger_range(l, &first, &last))
        last = first - 1;
    rc = url ? move_there(l, &a, url, p, first, last, rows, e)
             : move_back(l, &a, p, first, last, rows, unproven, e);
    pthread_mutex_unlock(&l->write);
    fa_arena_release(&a);
    return rc;
}
