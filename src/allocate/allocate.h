/*
 * allocate.h - who caused a cost: virtual tags, dictionaries, relational tags, reallocation, telemetry.
 *
 * This folder keeps the documents: it parses them, proves their shape, orders them by what they depend
 * on, keeps their versions. It sees no bill. query/ evaluates them on lines; a tag is a key there.
 *
 * A fa_tag_set is the state of all live tags at one moment: immutable, reference counted, in order of
 * dependency (a tag comes after every tag it reads). Everything in it is borrowed from the set.
 */
#ifndef FA_ALLOCATE_H
#define FA_ALLOCATE_H

#include "base/base.h"
#include "ledger/ledger.h"
#include <jansson.h>

#define FA_TAGS_MAX 1000          /* tags of an account */
#define FA_TAG_RULES_MAX 1000     /* rules of a tag (api.md 8.3) */
#define FA_TAG_DICTIONARY_MAX 1000000 /* rows of a dictionary (inform.md 5.9) */
#define FA_DAY_MIN INT32_MIN      /* open start of days */
#define FA_DAY_MAX INT32_MAX      /* open end of days */

/* A MegaBill key as a document spells it; query/ resolves it. type: V2 or internal name, may be empty.
 * A virtual tag: cost_center "virtualTag" or "Virtual Tags", key = the tag's id. */
typedef struct fa_tag_key { fa_str cost_center, key, type; } fa_tag_key;
/* What a rule gives: a text, or the line's value of another key. */
typedef struct fa_tag_to { bool is_key; fa_str text; fa_tag_key key; } fa_tag_to;

typedef struct fa_tag_rule {
    fa_tag_to     to;
    const json_t *filters;  /* Filter object (api.md 6), any spelling */
    int32_t       from, to_day; /* from <= day < to_day; FA_DAY_MIN, FA_DAY_MAX: open (inform.md 5.2) */
} fa_tag_rule;

typedef struct fa_dictionary_row {
    fa_str  source, target;
    int32_t from, to;       /* both inclusive; open as above */
} fa_dictionary_row;

typedef enum { FA_ALLOC_EVEN, FA_ALLOC_PROPORTIONAL, FA_ALLOC_METRIC, FA_ALLOC_FIXED } fa_alloc_kind;
typedef struct fa_alloc_share { fa_str target; int64_t percent_e9; int32_t from, to; /* inclusive */ } fa_alloc_share;
/* One entry of a tag's reallocation (inform.md 7), in listed order; inactive ones are left out. */
typedef struct fa_allocation {
    fa_str        source;   /* the value whose cost moves */
    fa_alloc_kind kind;
    const fa_str *target;  size_t ntarget; /* even, proportional; 0: every other value with cost that day but the default */
    const json_t *basis;    /* proportional: only cost under this filter counts; NULL: all */
    const fa_alloc_share *share; size_t nshare; /* fixed */
    fa_str        telemetry, metric; /* metric: id of the telemetry, name of the metric */
    fa_str        field;    /* metric: the telemetry's field whose values become the tag's */
    fa_str        join_field; fa_tag_key join_key; /* metric: empty: no join */
    int           carry_days; /* metric: how long the last ratio is carried forward; 7 unless set */
} fa_allocation;

typedef enum {
    FA_TAG_RULES,       /* rules and a default; maybe allocations */
    FA_TAG_DICTIONARY,  /* source key, rows */
    FA_TAG_RELATIONAL   /* one output of a relational tag with a metric: lines in scope are split by tuples */
} fa_tag_kind;

typedef struct fa_tag {
    fa_str      id, name, category;
    fa_tag_kind kind;
    bool        predefined;        /* made by Farthing, read-only */
    fa_tag_to   dflt;              /* value where nothing matches; "Untagged" unless changed */
    const fa_tag_rule *rule;       size_t nrule;
    const fa_allocation *alloc;    size_t nalloc;
    /* dictionary (and each level of a mapping hierarchy, whose source is the level before it) */
    fa_tag_key  source; bool ignore_case;
    const fa_dictionary_row *row;  size_t nrow;   /* by source (ASCII case folded when ignore_case), then from */
    /* relational: the outputs of one relation share `relation`; output i reads component i of the tuple */
    fa_str      relation; size_t component;
    const json_t *scope;           /* which lines are split */
    fa_str      telemetry, metric; /* what gives the tuples and their weights */
    const fa_str *field; size_t nfield; /* the telemetry's fields k1..kn */
    fa_str      join_field; fa_tag_key join_key; /* empty: no join */
    uint64_t    hash;              /* of the content: equal hash, equal values on equal lines */
    const size_t *dep; size_t ndep; /* places in the set of the tags this one reads */
} fa_tag;

typedef struct fa_tag_set fa_tag_set;
const fa_tag *fa_tag_set_all(const fa_tag_set *s, size_t *n);
const fa_tag *fa_tag_set_find(const fa_tag_set *s, fa_str id); /* id, or name in any case; NULL: none */
uint64_t      fa_tag_set_hash(const fa_tag_set *s);            /* of all contents, telemetry included */
void          fa_tag_set_put(fa_tag_set *s);                   /* gives a reference back; NULL is fine */
fa_tag_set   *fa_tag_set_ref(fa_tag_set *s);

/* The live tags of the ledger's account, cached until something changes. One reference for the caller. */
FA_MUST_CHECK fa_rc fa_tags_live(fa_ledger *l, fa_tag_set **out, fa_err *e);
/* A set of documents (JSON array, the stored form: doc/page-api.md "Virtual tags"): for drafts and tests.
 * FA_EINVAL a document's shape (field path); FA_EDATA a cycle (the message prints it), a missing tag. */
FA_MUST_CHECK fa_rc fa_tag_set_parse(const json_t *documents, fa_tag_set **out, fa_err *e);
/* `base` with one document put in (by id), for previews. Rows kept apart stay with their document, unless it brings
 * its own: dictionary.rows [[source,target,from|null,to|null],..], hierarchy.rows [[base,level1,..,from|null,to|null],..] */
FA_MUST_CHECK fa_rc fa_tag_set_with(const fa_tag_set *base, const json_t *document, fa_tag_set **out, fa_err *e);

void          fa_tags_changed(void);    /* a row of meta.db that is part of documents changed by another way than docs.c */
void          fa_tags_cache_free(void); /* at exit, or between two installations in one process */
/* The document of a set, composed: with id, name, folder, access, times. NULL: none. Borrowed from the set. */
const json_t *fa_tag_set_document(const fa_tag_set *s, fa_str id);
/* The documents of a set and which read which. */
typedef struct fa_tag_node {
    fa_str id, name;
    const json_t *doc;
    const fa_tag *key; size_t nkey;   /* what it is grouped by */
    size_t *reads, nreads, *users, nusers; /* places of other nodes */
    size_t nrow;                      /* of a dictionary or hierarchy */
} fa_tag_node;
FA_MUST_CHECK fa_rc fa_tag_graph(const fa_tag_set *s, fa_arena *a, fa_tag_node **out, size_t *n, fa_err *e);

/* ---- keeping documents (docs.c). `by` is an e-mail. Keys and operators are the caller's to check. ---- */
typedef struct fa_tag_edit {
    fa_str id;               /* empty: a new tag */
    const json_t *doc;       /* rows in it are kept as its rows; read-only members are ignored */
    bool   set_live;         /* false: staged, nothing changes for anybody */
    fa_str change, by;
    fa_str based_on;         /* not empty: FA_ECONFLICT unless it is the live or the staged version */
    bool   keep_allocations; /* the document comes from an API that has none */
    /* In the transaction that makes a new tag: what belongs to it elsewhere (its access list). May be NULL. */
    fa_rc (*made)(void *user, fa_str id, fa_err *e);
    void  *user;
} fa_tag_edit;
/* FA_EINVAL, FA_EDATA a document that is not right; FA_ECONFLICT the name; FA_EFORBIDDEN a predefined tag. The new
 * version's composed document in *doc (new reference, may be NULL: not wanted). */
FA_MUST_CHECK fa_rc fa_tag_save(fa_ledger *l, fa_arena *a, const fa_tag_edit *x, fa_tag_row *out, json_t **doc, fa_err *e);
/* A tag that is there: its row and live document, the staged one if it never was live. A predefined one: row.live empty. */
FA_MUST_CHECK fa_rc fa_tag_open(fa_ledger *l, fa_arena *a, fa_str id, fa_tag_row *out, json_t **doc, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_open_version(fa_ledger *l, fa_arena *a, fa_str id, fa_str version, fa_tag_row *out,
                                        fa_tag_version *v, json_t **doc, fa_err *e);
bool fa_tag_is_predefined(fa_str id);
/* The staged version goes live; another one is restored as a new version. */
FA_MUST_CHECK fa_rc fa_tag_publish(fa_ledger *l, fa_arena *a, fa_str id, fa_str version, fa_str by, fa_tag_row *out,
                                   json_t **doc, fa_err *e);
/* FA_ECONFLICT: another tag reads it. forever: with its versions, at once; else it can be brought back for an hour. */
FA_MUST_CHECK fa_rc fa_tag_delete(fa_ledger *l, fa_arena *a, fa_str id, bool forever, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_undelete(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_rename(fa_ledger *l, fa_arena *a, fa_str id, fa_str name, fa_str by, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_move(fa_ledger *l, fa_arena *a, fa_str id, fa_str folder, fa_err *e); /* empty: out of its folder */
FA_MUST_CHECK fa_rc fa_tag_folder_save(fa_ledger *l, fa_arena *a, fa_str id, fa_str name, fa_tag_folder *out, fa_err *e);

typedef struct fa_row_fault { size_t line; fa_str message; } fa_row_fault;
#define FA_ROW_FAULTS_MAX 100
typedef struct fa_row_faults { fa_row_fault fault[FA_ROW_FAULTS_MAX]; size_t n, all; /* kept, found */ } fa_row_faults;
typedef struct fa_rows_result { size_t rows; bool unchanged; fa_str version; } fa_rows_result;
/* CSV text as the rows of a dictionary or hierarchy: a new version, live if the tag is. FA_EDATA with `faults` (may be
 * empty: the rows as a whole are refused): the old version stays live. The same rows again change nothing. */
FA_MUST_CHECK fa_rc fa_tag_rows_put(fa_ledger *l, fa_arena *a, fa_str id, fa_str text, fa_str by, fa_str change,
                                    fa_row_faults *faults, fa_rows_result *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_rows_csv(fa_ledger *l, fa_arena *a, fa_str id, fa_buf *out, fa_err *e);

/* One pass over the dictionaries and hierarchies with a feed: files of DIR/drop/dictionaries/ that changed, addresses once
 * a day (net NULL: none). A read that fails or is refused keeps the rows and stands in the tag's feed_error. */
struct fa_net;
void fa_tag_feeds(fa_ledger *l, struct fa_net *net, const volatile bool *stop);

/* Value metadata: map of value -> {groups, customMetadata, endpoints}. Values named in `map` are replaced (null: removed),
 * those with mergeValuesAndMetadata true merged; the others stay. New references. */
FA_MUST_CHECK fa_rc fa_tag_metadata(fa_ledger *l, fa_arena *a, fa_str id, json_t **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_metadata_put(fa_ledger *l, fa_arena *a, fa_str id, const json_t *map, bool dots, fa_str by,
                                        json_t **out, fa_err *e);

/* What is wrong with the virtual tags in meta.db; *n 0: nothing. In the arena. */
FA_MUST_CHECK fa_rc fa_tags_check(fa_ledger *l, fa_arena *a, fa_finding **out, size_t *n, fa_err *e);

/* Rules as CSV and back (csv.c, inform.md 5.12): the round trip is identical. */
void fa_rules_csv(fa_buf *b, const json_t *doc);
FA_MUST_CHECK fa_rc fa_rules_from_csv(fa_str text, fa_arena *a, fa_row_faults *faults, json_t **rules, fa_err *e);

/* ---- splitting (inform.md 0.6) ---- */
/* Splits `amount` over n weights (>= 0, 128-bit, sum below 2^126) in whole units: floors, then one unit each to the
 * largest remainders, ties by place. A negative amount is split on its absolute value. false: all weights are 0. */
bool fa_split(fa_i128 amount, const fa_i128 *weight, size_t n, fa_i128 *out);

/* ---- telemetry (inform.md 7.8, integrations.md 14) ---- */
typedef struct fa_telemetry {
    fa_str id, name, type;        /* type: "csv", "push", "prometheus", "megabill-ratio" */
    fa_str field; const fa_str *additional; size_t nadditional; /* fields of a point, `field` first in value[]; may be empty */
    const fa_str *metric; size_t nmetric;
    fa_str unit;
    bool   is_active;             /* false: nothing more is taken in; what there is stays */
    fa_str date_column, date_format; /* csv */
    fa_str view_id; fa_str time_frame; /* megabill-ratio: "same-day", "last::N::day", "previousMonth" */
    fa_str url, query; bool is_counter; /* prometheus: server, PromQL; a counter's day is the sum of its increments */
    fa_str error, created_by;     /* error: of the last refresh */
    int64_t created_ms, updated_ms, received_ms, version; /* version grows with every change of points */
} fa_telemetry;
/* FA_ENOTFOUND. In the arena. */
FA_MUST_CHECK fa_rc fa_telemetry_get(fa_ledger *l, fa_arena *a, fa_str id, fa_telemetry *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_list(fa_ledger *l, fa_arena *a, fa_telemetry **out, size_t *n, fa_err *e); /* by name */
/* Makes (id empty) or changes one from its document (doc/page-api.md, Telemetry). FA_EINVAL the shape (field path);
 * FA_EDATA a change of what must not change: type, and the metrics of one that has points. */
FA_MUST_CHECK fa_rc fa_telemetry_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *doc, fa_str by, fa_telemetry *out,
                                      fa_err *e);
/* FA_ECONFLICT: tags use it; the message names them. */
FA_MUST_CHECK fa_rc fa_telemetry_remove(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e);
/* The document and what is known of it, as one JSON object. */
FA_MUST_CHECK fa_rc fa_telemetry_json(fa_ledger *l, fa_arena *a, const fa_telemetry *t, fa_jw *w, fa_err *e);
/* The shape of the internal API (api.md 9.6). */
void fa_telemetry_kpi_json(const fa_telemetry *t, fa_jw *w);

/* To be called after every change of a telemetry or its points: what is computed from it then has a new hash. */
void fa_telemetry_touch(void);
typedef struct fa_point {
    int32_t day;
    const fa_str *value; /* 1 + nadditional texts: field first */
    fa_i128 amount_e18;  /* as given; may be negative */
} fa_point;
/* Points of one metric in [from,to] by day, then texts. Not for megabill-ratio: query/ computes those. */
FA_MUST_CHECK fa_rc fa_telemetry_points(fa_ledger *l, fa_arena *a, fa_str id, fa_str metric, int32_t from, int32_t to,
                                        fa_point **out, size_t *n, fa_err *e);
/* What came of one file, push or refresh. */
#define FA_INTAKE_WORDS 100 /* rejects and warnings kept; the counts go on */
typedef struct fa_intake {
    fa_str  file;
    int64_t rows, rejected, points; /* rows read; rows left out; points kept */
    bool    unchanged;              /* the same content is in already */
    size_t  days, changed;          /* days in it; days whose points are others now */
    int32_t first, last;            /* of its days; INT32_MIN: none */
    fa_str  reject[FA_INTAKE_WORDS]; size_t nreject; /* "line 3: ..." */
    fa_str  warning[FA_INTAKE_WORDS]; size_t nwarning;
} fa_intake;
/* A CSV file: replaces exactly the points the file of that name brought before (integrations.md 14). A row that is wrong
 * is left out and named; FA_EDATA: the header is wrong, or no row is right: nothing changed. */
FA_MUST_CHECK fa_rc fa_telemetry_csv(fa_ledger *l, fa_arena *a, fa_str id, fa_str file, fa_str text, fa_intake *out, fa_err *e);
/* {"metric"?, "points": [{"date","value","fields"?}]}: each point replaces the one of its metric, day and fields; a null
 * value takes it away. FA_EINVAL, FA_EDATA name the point: nothing changed. */
FA_MUST_CHECK fa_rc fa_telemetry_push(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_intake *out, fa_err *e);
/* Takes in what is in DIR/drop/telemetry/<id>/ and changed since then (files *.csv, also in folders of a day or below).
 * out has one per file. */
FA_MUST_CHECK fa_rc fa_telemetry_drop(fa_ledger *l, fa_arena *a, fa_str id, int64_t since_ms, fa_intake **out, size_t *n,
                                      fa_err *e);
/* Asks the server for complete days: those not known yet and the last three again. */
typedef struct fa_net fa_net;
FA_MUST_CHECK fa_rc fa_telemetry_prometheus(fa_ledger *l, fa_net *net, fa_arena *a, fa_str id, fa_intake *out, fa_err *e);
/* Whatever brings new points of its type; nothing for a push and a ratio. What went wrong stays with it as its error. */
FA_MUST_CHECK fa_rc fa_telemetry_refresh(fa_ledger *l, fa_net *net, fa_arena *a, fa_str id, fa_intake **out, size_t *n,
                                         fa_err *e);
void fa_intake_json(fa_jw *w, const fa_intake *v);

#endif
