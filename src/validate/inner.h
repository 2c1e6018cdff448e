/* inner.h - private to validate/: the rule tables that tools/focus_rules.py makes. */
#ifndef FA_VALIDATE_INNER_H
#define FA_VALIDATE_INNER_H

#include "bill/bill.h"
#include "validate/validate.h"

typedef enum {
    FA_RULE_AND, /* of its kids; none: true */
    FA_RULE_OR,
    FA_RULE_PRESENT,     /* column a is in the file */
    FA_RULE_VALUE,       /* column a is b; b NULL: it is null */
    FA_RULE_NOT_VALUE,   /* the opposite */
    FA_RULE_SAME,        /* columns a and b */
    FA_RULE_NOT_SAME,
    FA_RULE_DECIMAL,     /* the types and formats hold for null too */
    FA_RULE_AT_LEAST,    /* column a >= b */
    FA_RULE_CURRENCY,    /* ISO 4217 */
    FA_RULE_NUMERIC,     /* NumericFormat */
    FA_RULE_TIME,
    FA_RULE_TIME_FORMAT, /* DateTimeFormat */
    FA_RULE_KEY_VALUE,   /* a JSON object of plain values */
    FA_RULE_PRODUCT,     /* a x b = c */
    FA_RULE_ONE_EACH     /* over the file: one b for each a */
} fa_rule_op;

/* A check in prefix order: a node, then its kids. */
typedef struct fa_rule_node {
    fa_rule_op op;
    int kids;
    bool number; /* b is a number */
    const char *a, *b, *c;
} fa_rule_node;

typedef struct fa_rule {
    const char *id, *column;
    enum { FA_RULE_MUST, FA_RULE_SHOULD } level;
    const char *criteria; /* names, separated by a space; all must hold */
    int condition, requirement; /* places in fa_rule_nodes; -1: none */
    const char *text;
} fa_rule;

extern const fa_rule_node fa_rule_nodes[];
extern const fa_rule fa_rules[];
extern const size_t fa_nrules, fa_rules_unchecked;
extern const char *const fa_rule_currencies[]; /* ends with NULL */

#endif
