/*
 * cluster.h - private to engine/: the facts on a ClickHouse cluster.
 *
 * Address: clickhouse://USER@HOST:PORT|REPLICA:PORT,HOST:PORT/DATABASE (clickhouses:// for TLS). A comma
 * parts shards, a bar parts the replicas of one. A fact lives on shard line_id % shards, in the
 * ClickHouse partition of its part's label, which holds the part's seal: a label is written once and
 * never changed, so a restatement is one set of partitions for another, at the moment the star commits.
 */
#ifndef FA_ENGINE_CLUSTER_H
#define FA_ENGINE_CLUSTER_H

#include "engine/segment.h"

typedef struct fa_cluster fa_cluster;

/* Parses the address; asks nobody. */
FA_MUST_CHECK fa_rc fa_cluster_open(const char *url, const char *password, fa_cluster **out,
                                    fa_err *e);
void fa_cluster_close(fa_cluster *k); /* NULL is fine */
/* Database, table and missing columns on every replica. FA_EENV names who does not answer. */
FA_MUST_CHECK fa_rc fa_cluster_setup(fa_cluster *k, fa_err *e);
/* Looks at every replica and sends what is missing, part by part; takes away what no part names.
 * *left: parts that could not be placed (NULL: not asked). */
FA_MUST_CHECK fa_rc fa_cluster_place(fa_engine *g, fa_cluster *k, const fa_seg_part *part, size_t n,
                                     const volatile bool *cancel, size_t *left, fa_err *e);
void fa_cluster_changed(fa_cluster *k); /* what is placed where is looked up anew */
/* As fa_kernel_scan. A shard none of whose replicas answers is FA_EENV with its name, never less. */
FA_MUST_CHECK fa_rc fa_cluster_scan(fa_engine *g, fa_cluster *k, fa_arena *a, const fa_scan *q,
                                    fa_scan_rest *rest, fa_cell **out, size_t *n, fa_err *e);

#endif
