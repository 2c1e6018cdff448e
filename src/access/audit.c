/*
 * audit.c - who did what: records that nobody can change, each chained to the one before.
 *
 * hash = BLAKE2b-256(hash before || the record's fields, each with its length). Edit, deletion and
 * reordering break the chain at that record; what was cut off at the end is found by comparing
 * the last hash with one noted earlier (`farthing audit verify` prints it).
 */
#include "access/internal.h"

#include <sodium.h>
#include <string.h>

enum { AGENT_MAX = 200, JSON_MAX = 16384, NAME_MAX_BYTES = 200, DENIED_PER_HOUR = 60 };

static _Thread_local unsigned written;
static const char zero[] = "0000000000000000000000000000000000000000000000000000000000000000";

static void put_text(crypto_generichash_state *st, fa_str s)
{
    uint64_t n = s.n;
    unsigned char le[8];

    for (int i = 0; i < 8; i++)
        le[i] = (unsigned char)(n >> (8 * i));
    crypto_generichash_update(st, le, sizeof le);
    crypto_generichash_update(st, (const unsigned char *)s.p, s.n);
}

static void hash_of(fa_str account, const fa_audit_row *v, char out[65])
{
    const fa_str text[] = {v->prev_hash,  account,   v->actor_kind,  v->actor_id,  v->actor_name,
                           v->roles,      v->behalf, v->source,      v->ip,        v->agent,
                           v->request_id, v->action, v->object_type, v->object_id, v->object_name,
                           v->before,     v->after,  v->outcome,     v->severity};
    crypto_generichash_state st;
    unsigned char h[32];
    char numbers[64];

    crypto_generichash_init(&st, NULL, 0, sizeof h);
    snprintf(numbers, sizeof numbers, "%lld %lld", (long long)v->seq, (long long)v->at_ms);
    put_text(&st, fa_str_of(numbers));
    for (size_t i = 0; i < FA_COUNT(text); i++)
        put_text(&st, text[i]);
    crypto_generichash_final(&st, h, sizeof h);
    fa_hex(out, h, sizeof h);
}

static fa_str cut(fa_str s, size_t most)
{
    if (s.n > most)
        for (s.n = most; s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80;)
            s.n--;
    return fa_utf8_valid(s) ? s : FA_STR("");
}

/* A value that is too long for the log is named, not cut: cut JSON is no JSON. */
static fa_str json_or_note(fa_str s)
{
    return s.n > JSON_MAX ? FA_STR("{\"note\":\"too large to be kept here\"}") : s;
}

static const char *kind_of(const fa_caller *c)
{
    switch (c ? c->kind : FA_CALLER_NONE) {
    case FA_CALLER_USER:
        return "user";
    case FA_CALLER_TOKEN:
        return "token";
    case FA_CALLER_SYSTEM:
        return "system";
    default:
        return "nobody";
    }
}

fa_rc fa_audit_add(fa_ledger *l, const fa_caller *by, const fa_audit *v, fa_err *e)
{
    static const fa_caller nobody = {.source = "page"};
    const fa_caller *c = by ? by : &nobody;
    fa_store *s = fa_ledger_store(l);
    fa_audit_row last = {0}, r;
    fa_arena a = {0};
    char hash[65];
    bool opened;
    fa_err none = {0};
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_audit_row_last(s, &a, fa_ledger_account(l), &last, &none);
    if (rc && rc != FA_ENOTFOUND) {
        rc = fa_fail(e, rc, "%s", none.msg);
        goto done;
    }
    r = (fa_audit_row){.seq = rc ? 1 : last.seq + 1,
                       .at_ms = fa_now_ms(),
                       .actor_kind = fa_str_of(kind_of(c)),
                       .actor_id = c->id,
                       .actor_name =
                           cut(c->kind == FA_CALLER_USER ? c->email : c->name, NAME_MAX_BYTES),
                       .roles = c->roles,
                       .behalf = c->behalf.n                  ? c->behalf
                                 : c->kind == FA_CALLER_TOKEN ? c->user_id
                                                              : FA_STR(""),
                       .source = fa_str_of(c->source ? c->source : ""),
                       .ip = cut(c->ip, 64),
                       .agent = cut(c->agent, AGENT_MAX),
                       .request_id = cut(c->request_id, 36),
                       .action = fa_str_of(v->action),
                       .object_type = fa_str_of(v->object_type ? v->object_type : ""),
                       .object_id = cut(v->object_id, NAME_MAX_BYTES),
                       .object_name = cut(v->object_name, NAME_MAX_BYTES),
                       .before = json_or_note(v->before),
                       .after = json_or_note(v->after),
                       .outcome = fa_str_of(v->outcome ? v->outcome : "done"),
                       .severity = fa_str_of(v->severity ? v->severity : "info"),
                       .prev_hash = rc ? fa_str_of(zero) : last.hash};
    hash_of(fa_ledger_account(l), &r, hash);
    r.hash = fa_str_of(hash);
    rc = fa_audit_row_add(s, fa_ledger_account(l), &r, e);
    written += !rc;
    if (!rc)
        fa_mail_notice(l, by, v);
done:
    fa_arena_release(&a);
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? fa_in(e, "audit") : FA_OK;
}

unsigned fa_audit_written(void)
{
    return written;
}

void fa_audit_denied(fa_ledger *l, const fa_caller *by, fa_str what, const char *why)
{
    fa_str who = by->id.n ? by->id : by->ip;
    fa_err e;

    if (!fa_guess_count("denied", who, DENIED_PER_HOUR, fa_now_ms()))
        return;
    if (fa_audit_add(l, by,
                     &(fa_audit){.action = "denied",
                                 .object_type = "route",
                                 .object_id = what,
                                 .object_name = fa_str_of(why),
                                 .outcome = "denied",
                                 .severity = "medium"},
                     &e))
        fa_log(FA_LOG_ERROR, "audit_failed", "error=%s", e.msg);
}

/* What is wrong with a record that should follow `before`; NULL: nothing. */
static const char *wrong(fa_str account, const fa_audit_row *r, int64_t seq, fa_str before)
{
    char hash[65];

    if (r->seq != seq)
        return "a record is missing";
    if (!fa_str_eq(r->prev_hash, before))
        return "the record does not follow the one before it";
    hash_of(account, r, hash);
    return fa_str_eqz(r->hash, hash) ? NULL : "the record was changed";
}

fa_rc fa_audit_verify(fa_ledger *l, fa_arena *a, fa_audit_report *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    char last[65];
    fa_audit_row *r;
    fa_arena page = {0};
    size_t n = 1;
    fa_rc rc = FA_OK;

    memcpy(last, zero, sizeof last);
    *out = (fa_audit_report){.bad_seq = -1, .why = FA_STR("")};
    while (!rc && n && out->bad_seq < 0) {
        fa_arena_clear(&page);
        rc = fa_audit_row_walk(s, &page, account, out->rows, &r, &n, e);
        for (size_t i = 0; !rc && i < n && out->bad_seq < 0; i++) {
            const char *why = wrong(account, &r[i], out->rows + 1, fa_str_of(last));

            if (why) {
                out->bad_seq = out->rows + 1;
                out->why = fa_str_of(why);
                break;
            }
            memcpy(last, r[i].hash.p, 64);
            out->rows++;
        }
    }
    fa_arena_release(&page);
    if (rc)
        return rc;
    out->last_hash = fa_arena_dup(a, fa_str_of(last));
    return out->last_hash.p ? FA_OK : fa_oom(e);
}

fa_rc fa_user_audit(fa_ledger *l, const fa_caller *by, const char *action, const fa_user *u,
                    fa_str before, fa_str after, fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "user",
                                    .object_id = u->id,
                                    .object_name = u->email,
                                    .before = before,
                                    .after = after,
                                    .severity = "high"},
                        e);
}

fa_rc fa_team_audit(fa_ledger *l, const fa_caller *by, const char *action, const fa_team *t,
                    fa_str before, fa_str after, fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "group",
                                    .object_id = t->id,
                                    .object_name = t->name,
                                    .before = before,
                                    .after = after,
                                    .severity = "high"},
                        e);
}
