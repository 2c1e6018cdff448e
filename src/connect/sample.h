/*
 * sample.h - private: rows of a file for "Test connection".
 */
#ifndef FA_CONNECT_SAMPLE_H
#define FA_CONNECT_SAMPLE_H

#include "connect/inner.h"

/* Columns, up to three rows, format. FA_EDATA: not a bill, and why. */
fa_rc cn_sample(cn_conn *c, fa_arena *a, const cn_object *o, fa_connect_report *r, fa_err *e);

#endif
