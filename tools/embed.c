/*
 * embed.c - build-time program: files become one C table inside the farthing binary.
 *
 * C17 has no #embed, and a big array initialiser compiles slowly. So every file's bytes go into one
 * blob that the assembler takes in with .incbin, and the C file holds only the table of offsets.
 *
 *   fa_embed files SYMBOL OUT.c OUT.bin FILE...   const fa_embedded SYMBOL[]  (src/base/embed.h)
 *   fa_embed page OUT.c OUT.bin [DIR]             const fa_asset fa_assets[]  (src/http/http.h)
 *
 * `page` takes the whole tree DIR, adds a gzip form where it is smaller, an etag of the content,
 * the media type, and marks names that carry a content hash as immutable. Without DIR the table is
 * empty.
 *
 * Meson pattern to embed files (copy it; the test of the table is that it links):
 *
 *   schema = custom_target('store_schema', input: files('schema/001_start.sql',
 * 'schema/002_more.sql'), output: ['store_schema.c', 'store_schema.bin'], command: [fa_embed,
 * 'files', 'fa_store_schema', '@OUTPUT0@', '@OUTPUT1@', '@INPUT@']) farthing_src += schema[0]
 *
 * and in the code:  #include "base/embed.h"   extern const fa_embedded fa_store_schema[];
 *
 * The output depends on names and content only, never on times or the order of a folder.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { FILE_MAX = 64 << 20, FILES_MAX = 4096, DEPTH_MAX = 16 };

struct entry {
    char *name; /* what the table calls it */
    char *path; /* where it is */
    unsigned char *plain, *gzip;
    size_t nplain, ngzip;
};

struct list {
    struct entry *v;
    size_t n, cap;
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fputs("fa_embed: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(1);
}

static void *must(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

__attribute__((format(printf, 1, 2))) static char *text(const char *fmt, ...)
{
    va_list ap;
    char *out = NULL;

    va_start(ap, fmt);
    if (vasprintf(&out, fmt, ap) < 0)
        die("out of memory");
    va_end(ap);
    return out;
}

static void read_file(struct entry *e)
{
    FILE *f = fopen(e->path, "rb");
    struct stat st;

    if (!f || fstat(fileno(f), &st) != 0)
        die("could not open %s: %s", e->path, strerror(errno));
    if (st.st_size < 0 || st.st_size > FILE_MAX)
        die("%s is larger than %d bytes", e->path, FILE_MAX);
    e->nplain = (size_t)st.st_size;
    e->plain = must(malloc(e->nplain + 1));
    if (fread(e->plain, 1, e->nplain, f) != e->nplain || fgetc(f) != EOF)
        die("could not read %s whole", e->path);
    e->plain[e->nplain] = 0;
    fclose(f);
}

static void add(struct list *l, char *name, char *path)
{
    if (l->n == FILES_MAX)
        die("more than %d files", FILES_MAX);
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->v = must(realloc(l->v, l->cap * sizeof *l->v));
    }
    l->v[l->n] = (struct entry){.name = name, .path = path};
    read_file(&l->v[l->n++]);
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), t = strlen(tail);

    return n >= t && memcmp(s + n - t, tail, t) == 0;
}

static void walk(struct list *l, const char *dir, const char *prefix, int depth)
{
    DIR *d = opendir(dir);
    struct dirent *ent;

    if (!d)
        die("could not open the folder %s: %s", dir, strerror(errno));
    if (depth > DEPTH_MAX)
        die("%s is nested too deep", dir);
    while ((ent = readdir(d))) {
        char *path = text("%s/%s", dir, ent->d_name);
        char *name = text("%s/%s", prefix, ent->d_name);
        struct stat st;

        if (ent->d_name[0] == '.' || ends_with(name, ".map")) {
            free(path);
            free(name);
            continue;
        }
        if (lstat(path, &st) != 0)
            die("could not look at %s: %s", path, strerror(errno));
        if (S_ISDIR(st.st_mode)) {
            walk(l, path, name, depth + 1);
            free(path);
            free(name);
        } else if (S_ISREG(st.st_mode)) {
            add(l, name, path);
        } else {
            die("%s is neither a file nor a folder", path);
        }
    }
    closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static void sort_unique(struct list *l)
{
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_name);
    for (size_t i = 1; i < l->n; i++)
        if (strcmp(l->v[i - 1].name, l->v[i].name) == 0)
            die("two files are called %s", l->v[i].name);
}

/* FNV-1a, 128 bit: tells versions of our own files apart, which nobody attacks. */
static void hash_hex(const unsigned char *p, size_t n, char out[33])
{
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) + 0x13b;
    unsigned __int128 h = ((unsigned __int128)0x6c62272e07bb0142ULL << 64) + 0x62b821756295c58dULL;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * prime;
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)(h >> 64), (unsigned long long)h);
}

static void compress_entry(struct entry *e)
{
    z_stream z = {0};
    uLong bound;

    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        die("zlib could not start");
    bound = deflateBound(&z, (uLong)e->nplain);
    e->gzip = must(malloc(bound));
    z.next_in = e->plain;
    z.avail_in = (uInt)e->nplain;
    z.next_out = e->gzip;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        die("zlib could not compress %s", e->path);
    e->ngzip = z.total_out;
    deflateEnd(&z);
    if (e->ngzip + e->nplain / 20 >= e->nplain) { /* not worth a content-encoding */
        free(e->gzip);
        e->gzip = NULL;
        e->ngzip = 0;
    }
}

static const char *media_type(const char *name)
{
    static const struct {
        const char *tail, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".txt", "text/plain; charset=utf-8"},
        {".yaml", "application/yaml"},
    };

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (ends_with(name, types[i].tail))
            return types[i].type;
    die("%s: no media type is known for it; add a row to media_type in tools/embed.c", name);
}

/* app-5XQK2M7T.js, chunk.0a1b2c3d4e.css: after the last - or . of the stem stand 8 or more
 * characters, all of A-Z0-9 (esbuild) or all of 0-9a-f with a digit among them. */
static bool has_hash(const char *name)
{
    const char *base = strrchr(name, '/') + 1, *dot = strrchr(base, '.');
    size_t n = 0;
    bool upper = true, hex = true, digit = false;

    for (const char *p = dot - 1; dot && p >= base; p--, n++) {
        if (*p == '-' || *p == '.')
            return n >= 8 && (upper || (hex && digit));
        digit |= *p >= '0' && *p <= '9';
        upper &= (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z');
        hex &= (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f');
    }
    return false;
}

static void put_quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
            die("%s: a name has a character that is not plain ASCII", s);
        fputc(*s, f);
    }
    fputc('"', f);
}

static size_t put_blob(FILE *blob, size_t at, const unsigned char *p, size_t n)
{
    if (fwrite(p, 1, n, blob) != n || fputc(0, blob) == EOF)
        die("could not write the blob: %s", strerror(errno));
    return at + n + 1;
}

/* The blob's label is local to the object file, so any number of tables can be linked together. */
static void put_head(FILE *f, const char *header, const char *blob)
{
    char *full = realpath(blob, NULL);

    if (!full)
        die("could not find %s again: %s", blob, strerror(errno));
    fprintf(f, "/* Made by tools/embed.c: do not edit. */\n#include \"%s\"\n\n", header);
    fputs("__asm__(\".section .rodata\\n.balign 16\\nembedded_blob:\\n\"\n", f);
    fputs("        \".incbin \\\"\" ", f);
    put_quoted(f, full);
    fputs(" \"\\\"\\n.byte 0\\n.text\\n\");\n", f);
    fputs("extern const unsigned char embedded_blob[];\n\n", f);
    free(full);
}

static void put_files(FILE *f, FILE *blob, const struct list *l, const char *symbol)
{
    size_t at = 0;

    fprintf(f, "extern const fa_embedded %s[];\nconst fa_embedded %s[] = {\n", symbol, symbol);
    for (size_t i = 0; i < l->n; i++) {
        fputs("    {", f);
        put_quoted(f, l->v[i].name);
        fprintf(f, ", embedded_blob + %zu, %zu},\n", at, l->v[i].nplain);
        at = put_blob(blob, at, l->v[i].plain, l->v[i].nplain);
    }
    fputs("    {0, 0, 0},\n};\n", f);
}

static void put_page(FILE *f, FILE *blob, struct list *l)
{
    size_t at = 0;

    fputs("const fa_asset fa_assets[] = {\n", f);
    for (size_t i = 0; i < l->n; i++) {
        struct entry *e = &l->v[i];
        char etag[33];
        size_t gzip_at;

        hash_hex(e->plain, e->nplain, etag);
        compress_entry(e);
        fputs("    {", f);
        put_quoted(f, e->name);
        fprintf(f, ", \"%s\", \"\\\"%s\\\"\",\n     embedded_blob + %zu, ", media_type(e->name),
                etag, at);
        gzip_at = at = put_blob(blob, at, e->plain, e->nplain);
        if (e->gzip) {
            fprintf(f, "embedded_blob + %zu, ", gzip_at);
            at = put_blob(blob, at, e->gzip, e->ngzip);
        } else {
            fputs("0, ", f);
        }
        fprintf(f, "%zu, %zu, %s},\n", e->nplain, e->ngzip, has_hash(e->name) ? "true" : "false");
    }
    fputs("    {0, 0, 0, 0, 0, 0, 0, false},\n};\n", f);
}

static FILE *create(const char *path)
{
    FILE *f = fopen(path, "wb");

    if (!f)
        die("could not create %s: %s", path, strerror(errno));
    return f;
}

static void finish(FILE *f, const char *path)
{
    if (fflush(f) != 0 || ferror(f) || fclose(f) != 0)
        die("could not write %s: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    struct list l = {0};
    bool page = argc >= 4 && argc <= 5 && strcmp(argv[1], "page") == 0;
    bool files = argc >= 5 && strcmp(argv[1], "files") == 0;
    char **arg = argv + (files ? 3 : 2);
    FILE *c, *blob;

    if (!page && !files) {
        fputs("use: fa_embed files SYMBOL OUT.c OUT.bin FILE...\n"
              "     fa_embed page OUT.c OUT.bin [DIR]\n",
              stderr);
        return 2;
    }
    if (page && argc == 5)
        walk(&l, argv[4], "", 0);
    for (int i = 5; files && i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');

        add(&l, text("%s", slash ? slash + 1 : argv[i]), argv[i]);
    }
    sort_unique(&l);
    blob = create(arg[1]);
    c = create(arg[0]);
    put_head(c, page ? "http/http.h" : "base/embed.h", arg[1]);
    if (page)
        put_page(c, blob, &l);
    else
        put_files(c, blob, &l, argv[2]);
    finish(blob, arg[1]);
    finish(c, arg[0]);
    return 0;
}
