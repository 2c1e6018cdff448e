/*
 * tree.c - bytes of XML to a tree, or a refusal; the one way for everything that comes from outside.
 *
 * What makes XML dangerous is refused before a parser sees it: in well-formed XML "<!" and "<?" are nothing
 * but declarations, comments, CDATA and processing instructions, so looking for these two is exact. What is
 * left is elements, attributes and text, read by libxml2 without network, entities or recovery, and then
 * counted: depth, nodes, ids (security.md SA-2).
 */
#include "saml/inner.h"

#include <libxml/parser.h>
#include <string.h>

fa_rc fa_saml_refuse(fa_err *e, const char *word, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fa_fail(e, FA_EAUTH, "%s", text);
    return fa_at(e, word);
}

/* ---- before the parser ---- */

static fa_rc markup(fa_str xml, bool comments, fa_err *e)
{
    static const struct {
        const char *start, *word, *what;
    } bad[] = {
        {"<!DOCTYPE", "doctype", "a document type"},
        {"<!ENTITY", "doctype", "an entity"},
        {"<!--", "comment", "a comment"},
        {"<![CDATA[", "cdata", "a CDATA section"},
        {"<?", "instruction", "a processing instruction"},
    };

    for (size_t i = 0; i + 1 < xml.n; i++) {
        fa_str rest = {xml.p + i, xml.n - i};

        if (rest.p[0] != '<' || (rest.p[1] != '!' && rest.p[1] != '?'))
            continue;
        if (comments && fa_str_starts(rest, FA_STR("<!--")))
            continue;
        for (size_t k = 0; k < FA_COUNT(bad); k++)
            if (fa_str_starts(rest, fa_str_of(bad[k].start)))
                return fa_saml_refuse(e, bad[k].word, "the XML has %s", bad[k].what);
        return fa_saml_refuse(e, "doctype", "the XML has a declaration");
    }
    return FA_OK;
}

/* Takes <?xml ... ?> off: version 1.0, encoding UTF-8 or none. */
static fa_rc declaration(fa_str *xml, fa_err *e)
{
    const char *end;
    fa_str head;

    if (!xml->p || !fa_str_starts(*xml, FA_STR("<?xml ")))
        return FA_OK;
    end = memmem(xml->p, xml->n < 200 ? xml->n : 200, "?>", 2);
    if (!end)
        return fa_saml_refuse(e, "not_xml", "the XML declaration has no end");
    head = (fa_str){xml->p, (size_t)(end - xml->p)};
    if (memmem(head.p, head.n, "encoding", 8) && !memmem(head.p, head.n, "UTF-8", 5) &&
        !memmem(head.p, head.n, "utf-8", 5))
        return fa_saml_refuse(e, "encoding", "the XML is not in UTF-8");
    if (!memmem(head.p, head.n, "1.0", 3))
        return fa_saml_refuse(e, "not_xml", "the XML is not version 1.0");
    xml->n -= (size_t)(end + 2 - xml->p);
    xml->p = end + 2;
    return FA_OK;
}

/* ---- behind the parser ---- */

typedef struct seen {
    const char *id[FA_SAML_NODES_MAX]; /* values of attributes that are ids */
    size_t nid, nodes;
    bool comments; /* may be there */
} seen;

static fa_rc take_id(seen *s, const xmlAttr *a, fa_err *e)
{
    const char *v = a->children && a->children->content ? (const char *)a->children->content : "";

    if (!v[0] || a->children->next)
        return fa_saml_refuse(e, "id", "an id is empty");
    for (size_t i = 0; i < s->nid; i++)
        if (strcmp(s->id[i], v) == 0)
            return fa_saml_refuse(e, "id", "two elements have the id \"%.80s\"", v);
    s->id[s->nid++] = v;
    return FA_OK;
}

static fa_rc attributes(const xmlNode *n, seen *s, fa_err *e)
{
    fa_rc rc;

    for (const xmlAttr *a = n->properties; a; a = a->next) {
        if (++s->nodes > FA_SAML_NODES_MAX)
            return fa_saml_refuse(e, "too_many_nodes", "the XML has more than %d nodes",
                                  FA_SAML_NODES_MAX);
        for (const xmlNode *t = a->children; t; t = t->next)
            if (t->type != XML_TEXT_NODE)
                return fa_saml_refuse(e, "doctype", "an attribute has an entity");
        if (strcasecmp((const char *)a->name, "id") != 0)
            continue;
        if (a->ns)
            return fa_saml_refuse(e, "id", "an id is in a namespace");
        if ((rc = take_id(s, a, e)))
            return rc;
    }
    for (const xmlNs *ns = n->nsDef; ns; ns = ns->next)
        if (ns->href && ns->href[0] && !strchr((const char *)ns->href, ':'))
            return fa_saml_refuse(e, "namespace", "the namespace \"%.80s\" is not absolute",
                                  (const char *)ns->href);
    return FA_OK;
}

static fa_rc walk(const xmlNode *n, int depth, seen *s, fa_err *e)
{
    fa_rc rc;

    for (; n; n = n->next) {
        if (++s->nodes > FA_SAML_NODES_MAX)
            return fa_saml_refuse(e, "too_many_nodes", "the XML has more than %d nodes",
                                  FA_SAML_NODES_MAX);
        if (n->type == XML_TEXT_NODE || (n->type == XML_COMMENT_NODE && s->comments))
            continue;
        if (n->type != XML_ELEMENT_NODE)
            return fa_saml_refuse(e, "doctype", "the XML has something that is no element");
        if (depth > FA_SAML_DEPTH_MAX)
            return fa_saml_refuse(e, "too_deep", "the XML is nested more than %d deep",
                                  FA_SAML_DEPTH_MAX);
        if ((rc = attributes(n, s, e)) || (rc = walk(n->children, depth + 1, s, e)))
            return rc;
    }
    return FA_OK;
}

fa_rc fa_tree_read(fa_str xml, bool comments, xmlDoc **out, fa_err *e)
{
    xmlParserCtxt *p;
    xmlDoc *doc;
    seen *s;
    bool well;
    fa_rc rc;

    *out = NULL;
    if (xml.n > FA_SAML_XML_MAX)
        return fa_saml_refuse(e, "too_large", "the XML is larger than %d bytes", FA_SAML_XML_MAX);
    if (!xml.n || memchr(xml.p, 0, xml.n) || !fa_utf8_valid(xml))
        return fa_saml_refuse(e, xml.n ? "encoding" : "not_xml", "the XML is %s",
                              xml.n ? "not in UTF-8" : "empty");
    if ((rc = declaration(&xml, e)) || (rc = markup(xml, comments, e)))
        return rc;
    if (!(p = xmlNewParserCtxt()) || !(s = calloc(1, sizeof *s))) {
        xmlFreeParserCtxt(p);
        return fa_oom(e);
    }
    s->comments = comments;
    doc = xmlCtxtReadMemory(p, xml.p, (int)xml.n, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    well = doc && p->wellFormed && p->nsWellFormed && !doc->intSubset && !doc->extSubset;
    xmlFreeParserCtxt(p);
    if (!well)
        rc = fa_saml_refuse(e, "not_xml", "not well-formed XML");
    else
        rc = walk(doc->children, 1, s, e);
    free(s);
    if (rc)
        xmlFreeDoc(doc);
    else
        *out = doc;
    return rc;
}

/* ---- looking around ---- */

bool fa_tree_is(const xmlNode *n, const char *ns, const char *name)
{
    return n && n->type == XML_ELEMENT_NODE && n->ns && n->ns->href &&
           strcmp((const char *)n->ns->href, ns) == 0 && strcmp((const char *)n->name, name) == 0;
}

static xmlNode *from(xmlNode *n, const char *ns, const char *name)
{
    while (n && !(name ? fa_tree_is(n, ns, name) : n->type == XML_ELEMENT_NODE))
        n = n->next;
    return n;
}

xmlNode *fa_tree_child(const xmlNode *n, const char *ns, const char *name)
{
    return n ? from(n->children, ns, name) : NULL;
}

xmlNode *fa_tree_next(const xmlNode *n, const char *ns, const char *name)
{
    return n ? from(n->next, ns, name) : NULL;
}

xmlNode *fa_tree_first(const xmlNode *n)
{
    return n ? from(n->children, NULL, NULL) : NULL;
}

xmlNode *fa_tree_after(const xmlNode *n)
{
    return n ? from(n->next, NULL, NULL) : NULL;
}

bool fa_tree_only(const xmlNode *n, const char *ns, const char *name, xmlNode **out)
{
    *out = fa_tree_child(n, ns, name);
    return !fa_tree_next(*out, ns, name);
}

fa_str fa_tree_attribute(const xmlNode *n, const char *name)
{
    for (const xmlAttr *a = n ? n->properties : NULL; a; a = a->next)
        if (!a->ns && strcmp((const char *)a->name, name) == 0)
            return a->children && a->children->content
                       ? fa_str_of((const char *)a->children->content)
                       : FA_STR("");
    return (fa_str){0};
}

bool fa_tree_text(const xmlNode *n, fa_str *out)
{
    const xmlNode *t = n ? n->children : NULL;

    *out = FA_STR("");
    if (!t)
        return n != NULL;
    if (t->type != XML_TEXT_NODE || t->next || !t->content)
        return false;
    *out = fa_str_of((const char *)t->content);
    return out->n <= FA_SAML_TEXT_MAX;
}

bool fa_tree_time(fa_str s, int64_t *ms)
{
    unsigned h, m, sec, milli = 0;
    int32_t day;
    const char *p = s.p;

    if (s.n < 20 || s.n > 40 || p[10] != 'T' || p[13] != ':' || p[16] != ':' || p[s.n - 1] != 'Z' ||
        !fa_day_parse((fa_str){p, 10}, &day))
        return false;
    for (size_t i = 11; i < 19; i++)
        if (i != 13 && i != 16 && (p[i] < '0' || p[i] > '9'))
            return false;
    h = (unsigned)((p[11] - '0') * 10 + p[12] - '0');
    m = (unsigned)((p[14] - '0') * 10 + p[15] - '0');
    sec = (unsigned)((p[17] - '0') * 10 + p[18] - '0');
    if (h > 23 || m > 59 || sec > 60 || (s.n > 20 && (p[19] != '.' || s.n == 21)))
        return false;
    for (size_t i = 20, unit = 100; i + 1 < s.n; i++, unit /= 10) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        milli += (unsigned)(p[i] - '0') * (unsigned)unit;
    }
    *ms = day * INT64_C(86400000) + (h * 3600LL + m * 60LL + sec) * 1000 + milli;
    return true;
}
