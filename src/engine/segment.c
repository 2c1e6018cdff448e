/*
 * segment.c - one segment: its file written from DuckDB, opened, and compared with its sums.
 *
 * The one idea: two passes. The first finds how wide each column must be, the second writes the
 * rows in order straight into the mapped new file, so that no part is ever held in memory.
 */
#include "engine/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGN 64
#define DAYS_MAX 200000
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "segments are little endian"
#endif

/* ---- columns ---- */

static fa_seg_column columns[FA_SEG_COLS];
static pthread_once_t columns_once = PTHREAD_ONCE_INIT;

static void put_column_sql(fa_seg_column *c, const fa_measure_info *to, bool money)
{
    if (to == &fa_measures[c->measure])
        snprintf(c->sql, sizeof c->sql, "%s", c->name);
    else
        snprintf(c->sql, sizeof c->sql, "coalesce(%s%s - coalesce(%s, 0), 0)", c->name,
                 money ? "::HUGEINT" : "", c->is_rest ? to->rest : to->units);
}

static void make_columns(void)
{
    size_t n = 0;

    for (int m = 0; m < FA_M__COUNT; m++) {
        bool money = m < FA_M__MONEY;

        for (int rest = 0; rest < (money ? 2 : 1); rest++) {
            fa_seg_column *c = &columns[n++];

            c->measure = (fa_measure)m;
            c->is_rest = rest;
            c->unit = money && !rest ? (uint64_t)FA_E8 : 1;
            snprintf(c->name, sizeof c->name, "%s%s", fa_measures[m].col, rest ? "_rest" : "");
            put_column_sql(c, &fa_measures[fa_measures[m].falls_to], money);
        }
    }
}

const fa_seg_column *fa_seg_columns(void)
{
    (void)pthread_once(&columns_once, make_columns);
    return columns;
}

/* ---- sums: the lanes of xxHash64, which run at the speed of memory ---- */

#define P1 0x9e3779b185ebca87u
#define P2 0xc2b2ae3d27d4eb4fu

static inline uint64_t rotl(uint64_t x, int r)
{
    return x << r | x >> (64 - r);
}

static inline uint64_t load64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t sum_of(const void *data, size_t n)
{
    const uint8_t *p = data;
    uint64_t lane[4] = {P1 + P2, P2, 0, 0 - P1}, h = n;

    for (; n >= 32; n -= 32, p += 32)
        for (int i = 0; i < 4; i++)
            lane[i] = rotl(lane[i] + load64(p + 8 * i) * P2, 31) * P1;
    for (int i = 0; i < 4; i++)
        h = rotl(h ^ lane[i] * P1, 27) * P2 + lane[i];
    for (; n; n--, p++)
        h = rotl(h ^ *p * P1, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P1;
    return h ^ h >> 32;
}

static uint64_t names_hash(void)
{
    const fa_seg_column *c = fa_seg_columns();

    return sum_of(c, sizeof columns);
}

static uint64_t header_sum(const fa_seg_header *h)
{
    fa_seg_header copy = *h;

    copy.sum = 0;
    return sum_of(&copy, sizeof copy);
}

/* ---- a page the disk does not give ---- */

static _Thread_local sigjmp_buf *guard;
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

static void on_bus(int sig, siginfo_t *info, void *context)
{
    if (guard)
        siglongjmp(*guard, 1);
    if (before.sa_flags & SA_SIGINFO) { /* a sanitizer's report */
        before.sa_sigaction(sig, info, context);
        return;
    }
    (void)sigaction(SIGBUS, &before, NULL); /* not ours: the access happens again and ends us */
}

/* The handler is the process's: somebody may have set another one since. */
static void set_guard(void)
{
    struct sigaction a = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_NODEFER}, now;

    if (sigaction(SIGBUS, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
        now.sa_sigaction == on_bus)
        return;
    sigemptyset(&a.sa_mask);
    pthread_mutex_lock(&guard_lock);
    if (sigaction(SIGBUS, &a, &now) == 0 && now.sa_sigaction != on_bus)
        before = now;
    pthread_mutex_unlock(&guard_lock);
}

/* A signal that is blocked when the kernel raises it ends the process, and threads of the server are started with all blocked. */
static void let_bus_in(void)
{
    sigset_t bus;

    sigemptyset(&bus);
    sigaddset(&bus, SIGBUS);
    (void)pthread_sigmask(SIG_UNBLOCK, &bus, NULL);
}

bool fa_guarded(void (*f)(void *), void *arg)
{
    static _Thread_local bool is_let_in;
    sigjmp_buf here;

    set_guard();
    if (!is_let_in) {
        let_bus_in();
        is_let_in = true;
    }
    if (sigsetjmp(here, 0)) {
        let_bus_in(); /* whoever stands between the kernel and our handler may have blocked more than we asked for */
        guard = NULL;
        return false;
    }
    guard = &here;
    f(arg);
    guard = NULL;
    return true;
}

/* ---- opening ---- */

char *fa_seg_path(const char *dir, const fa_seg_part *p)
{
    char hex[33], *path;

    fa_hex(hex, p->seal, sizeof p->seal);
    return asprintf(&path, "%s/p%u-%s.seg", dir, p->id, hex) < 0 ? NULL : path;
}

void fa_segment_unref(fa_segment *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    if (s->map)
        (void)munmap((void *)(uintptr_t)s->map, s->bytes);
    if (s->fd >= 0)
        close(s->fd);
    free(s->path);
    free(s);
}

/* A section with the padding behind it: every byte of the file is under some sum. */
static uint64_t padded(const fa_seg_header *h, unsigned i)
{
    return (i + 1 < FA_SEG_SECTIONS ? h->section[i + 1].offset : h->file_bytes) -
           h->section[i].offset;
}

static bool section_fits(const fa_seg_header *h, unsigned i)
{
    const fa_seg_section *s = &h->section[i];
    uint64_t days = h->first > h->last ? 0 : (uint64_t)((int64_t)h->last - h->first + 1), want;
    unsigned block = i >= FA_SEG_BLOCK(1);

    if (i == FA_SEG_START)
        want = (days + 1) * sizeof(uint64_t);
    else if (i == FA_SEG_TOTAL)
        want = days * (1 + FA_M__COUNT) * sizeof(fa_i128);
    else
        want = h->rows[block] * s->width;
    return s->bytes == want && s->offset % ALIGN == 0 && s->offset <= h->file_bytes &&
           s->bytes + 16 <= h->file_bytes - s->offset && (s->width <= 8 || s->width == 16) &&
           s->factor > 0 && padded(h, i) >= s->bytes + 16 &&
           padded(h, i) <= h->file_bytes - s->offset;
}

static const char *header_fault(const fa_segment *s, const fa_seg_part *p)
{
    const fa_seg_header *h = &s->h;

    if (s->bytes < sizeof *h)
        return "it is cut off";
    if (memcmp(h->magic, "FARTHSEG", 8) != 0 || h->version != FA_SEG_VERSION)
        return "its first bytes are not those of a segment";
    if (h->header_bytes != sizeof *h || h->sum != header_sum(h))
        return "its header has changed";
    if (h->part != p->id || memcmp(h->seal, p->seal, 16) != 0)
        return "it belongs to another part";
    if (h->columns != names_hash())
        return "it has other columns than this program";
    if (h->file_bytes != s->bytes)
        return "it is cut off";
    if (h->rows[0] > UINT32_MAX || h->rows[1] > UINT32_MAX ||
        (int64_t)h->last - h->first > DAYS_MAX)
        return "its header makes no sense";
    for (unsigned i = 0; i < FA_SEG_SECTIONS; i++)
        if (!section_fits(h, i))
            return "its header makes no sense";
    return NULL;
}

typedef struct header_look {
    fa_segment *s;
    const fa_seg_part *p;
    const char *fault;
} header_look;

static void look_at_header(void *arg)
{
    header_look *l = arg;

    memcpy(&l->s->h, l->s->map, sizeof l->s->h);
    l->fault = header_fault(l->s, l->p);
}

fa_rc fa_segment_open(const char *dir, const fa_seg_part *p, fa_segment **out, fa_err *e)
{
    fa_segment *s = calloc(1, sizeof *s);
    header_look look = {s, p, "it is cut off"};
    struct stat st;
    void *map;
    fa_rc rc;

    *out = NULL;
    if (!s)
        return fa_oom(e);
    atomic_init(&s->refs, 1);
    s->fd = -1;
    s->part = p->id;
    if (!(s->path = fa_seg_path(dir, p))) {
        rc = fa_oom(e);
        goto fail;
    }
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        rc = fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EDATA,
                     "the segment \"%s\" cannot be opened: %s", s->path, strerror(errno));
        goto fail;
    }
    s->bytes = (size_t)st.st_size;
    s->changed = st.st_mtim;
    if (s->bytes >= sizeof(fa_seg_header)) {
        map = mmap(NULL, s->bytes, PROT_READ, MAP_SHARED, s->fd, 0);
        if (map == MAP_FAILED) {
            rc = fa_fail(e, FA_EENV, "the segment \"%s\" cannot be mapped: %s", s->path,
                         strerror(errno));
            goto fail;
        }
        s->map = map;
        if (!fa_guarded(look_at_header, &look))
            look.fault = "the disk does not give its header";
    }
    if (look.fault) {
        rc = fa_fail(e, FA_EDATA, "the segment \"%s\" is damaged: %s", s->path, look.fault);
        goto fail;
    }
    *out = s;
    return FA_OK;
fail:
    fa_segment_unref(s);
    return rc;
}

bool fa_segment_unchanged(fa_segment *s)
{
    struct stat st;

    if (fstat(s->fd, &st) == 0 && (size_t)st.st_size == s->bytes &&
        st.st_mtim.tv_sec == s->changed.tv_sec && st.st_mtim.tv_nsec == s->changed.tv_nsec)
        return true;
    for (unsigned i = 0; i < FA_SEG_SECTIONS; i++)
        atomic_store(&s->seen[i], 0);
    return false;
}

typedef struct sum_look {
    const void *data;
    size_t n;
    uint64_t sum;
} sum_look;

static void look_at_sum(void *arg)
{
    sum_look *l = arg;

    l->sum = sum_of(l->data, l->n);
}

fa_rc fa_segment_verify(fa_segment *s, unsigned i, fa_err *e)
{
    const fa_seg_section *x = &s->h.section[i];
    sum_look look = {fa_segment_data(s, i), padded(&s->h, i), 0};

    if (atomic_load(&s->seen[i]) == 1)
        return FA_OK;
    if (!fa_guarded(look_at_sum, &look)) {
        atomic_store(&s->bad, true);
        return fa_fail(e, FA_EDATA,
                       "the segment \"%s\" is damaged: the disk does not give it whole", s->path);
    }
    if (look.sum != x->sum) {
        atomic_store(&s->bad, true);
        return fa_fail(e, FA_EDATA,
                       "the segment \"%s\" is damaged: section %u is not what was "
                       "written",
                       s->path, i);
    }
    atomic_store(&s->seen[i], 1);
    return FA_OK;
}

/* ---- writing ---- */

/* What the first pass learns of one block. */
typedef struct extent {
    uint64_t rows;
    int64_t first, last;
    uint64_t line_max;
    fa_u128 max[1 + FA_SEG_COLS];     /* magnitude; [0] of n */
    uint64_t factor[1 + FA_SEG_COLS]; /* a power of ten that divides every value */
} extent;

typedef struct writer {
    fa_conn *c;
    const fa_seg_part *p;
    unsigned block;
    extent x[2];
    fa_seg_header h;
    uint8_t *map;
    uint64_t row; /* of the second pass */
} writer;

static fa_i128 value_at(const fa_col *c, size_t r)
{
    if (c->null && c->null[r])
        return 0;
    return c->type == FA_T_I128 ? c->i128[r] : c->i64[r];
}

static fa_u128 magnitude(fa_i128 v)
{
    return v < 0 ? -(fa_u128)v : (fa_u128)v;
}

static fa_rc measure_rows(void *user, const fa_batch *b, fa_err *e)
{
    writer *w = user;
    extent *x = &w->x[w->block];

    for (size_t r = 0; r < b->rows; r++) {
        int64_t day = b->col[0].i64[r];

        if (!x->rows || day < x->first)
            x->first = day;
        if (!x->rows || day > x->last)
            x->last = day;
        if ((uint64_t)b->col[1].i64[r] > x->line_max)
            x->line_max = (uint64_t)b->col[1].i64[r];
        x->rows++;
    }
    if (x->rows > UINT32_MAX || x->last - x->first > DAYS_MAX)
        return fa_fail(e, FA_EDATA, "part %u is too large for a segment", w->p->id);
    for (size_t k = 0; k < 1 + FA_SEG_COLS; k++)
        for (size_t r = 0; r < b->rows; r++) {
            fa_u128 v = magnitude(value_at(&b->col[2 + k], r));

            if (v > x->max[k])
                x->max[k] = v;
            while (v % x->factor[k])
                x->factor[k] /= 10;
        }
    return FA_OK;
}

/* The bytes a signed integer of this magnitude needs; unsigned ones (n) are taken for signed. */
static unsigned width_of(fa_u128 max)
{
    unsigned w = 0;

    if (max >> 63)
        return 16;
    while (max && (w == 0 || max >> (8 * w - 1)))
        w++;
    return w;
}

static void put_value(uint8_t *to, unsigned width, uint64_t row, fa_i128 v)
{
    memcpy(to + row * width, &v, width); /* the low bytes come first */
}

static fa_rc write_rows(void *user, const fa_batch *b, fa_err *e)
{
    writer *w = user;
    const fa_seg_section *s = &w->h.section[FA_SEG_BLOCK(w->block)];
    uint64_t *start = (void *)(w->map + w->h.section[FA_SEG_START].offset);
    fa_i128 *total = (void *)(w->map + w->h.section[FA_SEG_TOTAL].offset);

    if (w->row + b->rows > w->h.rows[w->block])
        return fa_fail(e, FA_EINTERNAL, "part %u grew while it was read", w->p->id);
    for (size_t k = 0; k < FA_SEG_COL + FA_SEG_COLS; k++)
        for (size_t r = 0; r < b->rows; r++)
            put_value(w->map + s[k].offset, (unsigned)s[k].width, w->row + r,
                      value_at(&b->col[1 + k], r) / (fa_i128)s[k].factor);
    for (size_t r = 0; r < b->rows && w->block == 0; r++) {
        fa_i128 *t = total + (size_t)(b->col[0].i64[r] - w->h.first) * (1 + FA_M__COUNT);

        start[b->col[0].i64[r] - w->h.first + 1] = w->row + r + 1;
        t[0] += value_at(&b->col[2], r);
        for (size_t k = 0; k < FA_SEG_COLS; k++)
            t[1 + columns[k].measure] += value_at(&b->col[3 + k], r) * (fa_i128)columns[k].unit;
    }
    w->row += b->rows;
    return FA_OK;
}

static fa_rc pass(writer *w, fa_sink *sink, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 1 << 16);
    fa_buf_z(&b, w->block ? "SELECT DATE '1970-01-01', line_id, sum(n)::BIGINT"
                          : "SELECT day, line_id, n");
    for (size_t k = 0; k < FA_SEG_COLS; k++) {
        const fa_seg_column *c = &columns[k];
        bool is_quantity = c->measure >= FA_M__MONEY;

        if (w->block)
            fa_buf_fmt(&b, is_quantity ? ", sum(%s)::DECIMAL(38,18)" : ", sum(%s)::HUGEINT",
                       c->sql);
        else
            fa_buf_fmt(&b, ", %s", c->sql);
    }
    fa_buf_fmt(&b, " FROM daily WHERE part_id = %u", w->p->id);
    if (w->block)
        fa_buf_z(&b, " GROUP BY line_id");
    if (sink == write_rows)
        fa_buf_z(&b, w->block ? " ORDER BY line_id" : " ORDER BY day, line_id");
    rc = b.failed ? fa_oom(e) : fa_sql_query(w->c, fa_buf_view(&b), NULL, 0, sink, w, e);
    fa_buf_release(&b);
    return rc;
}

static void lay_out(writer *w, bool with_rollup)
{
    fa_seg_header *h = &w->h;
    uint64_t at = (sizeof *h + ALIGN - 1) / ALIGN * ALIGN;
    uint64_t days = w->x[0].rows ? (uint64_t)(w->x[0].last - w->x[0].first) + 1 : 0;

    memcpy(h->magic, "FARTHSEG", 8);
    h->version = FA_SEG_VERSION;
    h->header_bytes = sizeof *h;
    h->columns = names_hash();
    memcpy(h->seal, w->p->seal, 16);
    h->part = w->p->id;
    h->line_max = (uint32_t)w->x[0].line_max;
    h->first = (int32_t)w->x[0].first;
    h->last = days ? (int32_t)w->x[0].last : h->first - 1;
    h->rows[0] = w->x[0].rows;
    h->rows[1] = with_rollup ? w->x[1].rows : 0;
    for (unsigned i = 0; i < FA_SEG_SECTIONS; i++) {
        fa_seg_section *s = &h->section[i];
        unsigned block = i >= FA_SEG_BLOCK(1), k = i - FA_SEG_BLOCK(block);

        s->factor = 1;
        if (i == FA_SEG_START) {
            s->bytes = (days + 1) * sizeof(uint64_t);
        } else if (i == FA_SEG_TOTAL) {
            s->bytes = days * (1 + FA_M__COUNT) * sizeof(fa_i128);
        } else if (k == FA_SEG_LINE) {
            s->width = 4;
            s->max = h->line_max;
        } else {
            fa_u128 max = w->x[block].max[k - 1];

            s->factor = max ? w->x[block].factor[k - 1] : 1;
            max /= s->factor;
            s->width = width_of(max);
            s->max = (uint64_t)max;
            s->max_high = (uint64_t)(max >> 64);
        }
        if (i >= FA_SEG_BLOCKS)
            s->bytes = h->rows[block] * s->width;
        s->offset = at;
        at =
            (at + s->bytes + 16 + ALIGN - 1) / ALIGN * ALIGN; /* 16: a load may read past the end */
    }
    h->file_bytes = at;
}

static fa_rc fill_file(writer *w, int fd, const char *path, fa_err *e)
{
    fa_rc rc = FA_OK;
    void *map;
    int bad = posix_fallocate(fd, 0, (off_t)w->h.file_bytes); /* or a full disk would be a SIGBUS */

    if (bad)
        return fa_fail(e, FA_EENV, "could not write \"%s\": %s", path, strerror(bad));
    map = mmap(NULL, w->h.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return fa_fail(e, FA_EENV, "could not map \"%s\": %s", path, strerror(errno));
    w->map = map;
    for (w->block = 0; !rc && w->block < 2; w->block++) {
        w->row = 0;
        if (!w->h.rows[w->block])
            continue;
        rc = pass(w, write_rows, e);
        if (!rc && w->row != w->h.rows[w->block])
            rc = fa_fail(e, FA_EINTERNAL, "part %u changed while it was read", w->p->id);
    }
    if (!rc) {
        uint64_t *start = (void *)(w->map + w->h.section[FA_SEG_START].offset);

        for (int64_t i = 1; i <= (int64_t)w->h.last - w->h.first + 1; i++)
            if (start[i] < start[i - 1])
                start[i] = start[i - 1]; /* a day without rows ends where the one before did */
        for (unsigned i = 0; i < FA_SEG_SECTIONS; i++)
            w->h.section[i].sum = sum_of(w->map + w->h.section[i].offset, padded(&w->h, i));
        w->h.sum = header_sum(&w->h);
        memcpy(w->map, &w->h, sizeof w->h);
        if (msync(map, w->h.file_bytes, MS_SYNC) != 0 || fsync(fd) != 0)
            rc = fa_fail(e, FA_EENV, "could not write \"%s\": %s", path, strerror(errno));
    }
    (void)munmap(map, w->h.file_bytes);
    return rc;
}

static fa_rc write_file(writer *w, const char *dir, fa_err *e)
{
    fa_rc rc;
    char *path = fa_seg_path(dir, w->p), *temp = NULL;
    int fd = -1;

    if (!path || asprintf(&temp, "%s.new", path) < 0) {
        temp = NULL;
        rc = fa_oom(e);
        goto done;
    }
    fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = fa_fail(e, FA_EENV, "could not make \"%s\": %s", temp, strerror(errno));
        goto done;
    }
    rc = fill_file(w, fd, temp, e);
    close(fd);
    if (!rc)
        rc = fa_rename_durable(temp, path, e);
    if (rc)
        (void)unlink(temp);
done:
    free(temp);
    free(path);
    return rc;
}

fa_rc fa_segment_write(fa_conn *c, const char *dir, const fa_seg_part *p, fa_err *e)
{
    writer w = {.c = c, .p = p};
    fa_param is[2] = {{.kind = FA_P_INT, .num = p->id}};
    char seal[33];
    int64_t n = 0;
    fa_rc rc;
    fa_err ignored;

    (void)fa_seg_columns();
    fa_hex(seal, p->seal, sizeof p->seal);
    is[1] = (fa_param){.kind = FA_P_TEXT, .text = fa_str_of(seal)};
    for (int b = 0; b < 2; b++)
        for (size_t k = 0; k < 1 + FA_SEG_COLS; k++) /* only quantities are often whole */
            w.x[b].factor[k] =
                k && columns[k - 1].measure >= FA_M__MONEY ? 1000000000000000000u : 1;
    if ((rc = fa_sql_exec(c, FA_STR("BEGIN"), NULL, 0, NULL, e)))
        return rc;
    if ((rc = fa_sql_i64(c,
                         FA_STR("SELECT count(*) FROM part WHERE part_id = ? AND"
                                " replace(seal::VARCHAR, '-', '') = ?"),
                         is, 2, &n, e)))
        goto done;
    if (n != 1) {
        rc = fa_fail(e, FA_ENOTFOUND, "part %u has left the ledger", p->id);
        goto done;
    }
    for (w.block = 0; w.block < 2; w.block++)
        if ((rc = pass(&w, measure_rows, e)))
            goto done;
    lay_out(&w, w.x[1].rows <= w.x[0].rows / 2);
    rc = write_file(&w, dir, e);
done:
    if (fa_sql_exec(c, FA_STR("ROLLBACK"), NULL, 0, NULL, &ignored) && !rc) {
        *e = ignored;
        rc = e->rc;
    }
    return rc;
}
