/*
 * predefined.c - the virtual tags that every account has: FOCUS columns and the AI taxonomy
 * (inform.md 5.8). Read-only; people clone them.
 *
 * One row per tag. Their ids are fixed for ever: views and rules name them.
 */
#include "allocate/inner.h"

#include <pthread.h>

#define FOCUS_ID "f0c05000-0000-4000-8000-0000000000"
#define AI_ID "a1000000-0000-4000-8000-0000000000"

/* A FOCUS tag has no rules: its value is the column's. */
static const struct {
    const char *id, *name, *key, *type;
} focus[] = {
    {FOCUS_ID "01", "FOCUS/Sub Account ID", "sub_account_id", "billing_dimension"},
    {FOCUS_ID "02", "FOCUS/Sub Account Name", "sub_account_name", "billing_dimension"},
    {FOCUS_ID "03", "FOCUS/Billing Account ID", "payer_account_id", "billing_dimension"},
    {FOCUS_ID "04", "FOCUS/Provider", "provider", "billing_dimension"},
    {FOCUS_ID "05", "FOCUS/Publisher", "publisher", "billing_dimension"},
    {FOCUS_ID "06", "FOCUS/Invoice Issuer", "invoice_issuer", "billing_dimension"},
    {FOCUS_ID "07", "FOCUS/Service Name", "service", "billing_dimension"},
    {FOCUS_ID "08", "FOCUS/Service Category", "service_category", "billing_dimension"},
    {FOCUS_ID "09", "FOCUS/Region ID", "region", "billing_dimension"},
    {FOCUS_ID "10", "FOCUS/Region Name", "region_name", "billing_dimension"},
    {FOCUS_ID "11", "FOCUS/Charge Category", "charge_category", "billing_dimension"},
    {FOCUS_ID "12", "FOCUS/Charge Class", "charge_class", "billing_dimension"},
    {FOCUS_ID "13", "FOCUS/Charge Frequency", "charge_frequency", "billing_dimension"},
    {FOCUS_ID "14", "FOCUS/Pricing Category", "pricing_category", "billing_dimension"},
    {FOCUS_ID "15", "FOCUS/Commitment Discount Type", "commitment_discount_type",
     "billing_dimension"},
    {FOCUS_ID "16", "FOCUS/Commitment Discount Status", "commitment_discount_status",
     "billing_dimension"},
    {FOCUS_ID "17", "FOCUS/Resource Type", "resource_type", "resource"},
    {FOCUS_ID "18", "FOCUS/SKU", "sku_id", "billing_dimension"},
};

enum { BRAND, FAMILY, TOKEN, MODALITY, CHANNEL };
static const struct {
    const char *id, *name;
} ai[] = {
    [BRAND] = {AI_ID "01", "AI/Model Brand"},       [FAMILY] = {AI_ID "02", "AI/Model Family"},
    [TOKEN] = {AI_ID "03", "AI/Token Type"},        [MODALITY] = {AI_ID "04", "AI/Modality"},
    [CHANNEL] = {AI_ID "05", "AI/Hosting Channel"},
};

/* First match wins, so the narrower word stands first. A word is looked for in what a charge says of itself. */
static const struct {
    int tag;
    const char *to;
    const char *word[8];
} words[] = {
    {BRAND, "Claude", {"claude", "anthropic"}},
    {BRAND, "GPT", {"gpt-", "gpt4", "gpt3", "gpt5", "gpt 4", "gpt 5", "chatgpt", "openai"}},
    {BRAND, "Gemini", {"gemini"}},
    {BRAND, "Llama", {"llama"}},
    {BRAND, "Mistral", {"mistral", "mixtral", "codestral", "pixtral"}},
    {BRAND, "Cohere", {"cohere", "command-r", "command r"}},
    {BRAND,
     "Nova",
     {"amazon nova", "novapro", "novalite", "novamicro", "nova-pro", "nova-lite", "nova-micro",
      "novapremier"}},
    {FAMILY, "Claude 3.5", {"claude3.5", "claude-3.5", "claude-3-5", "claude 3.5"}},
    {FAMILY, "Claude 3.7", {"claude3.7", "claude-3.7", "claude-3-7", "claude 3.7"}},
    {FAMILY, "Claude 3", {"claude3", "claude-3", "claude 3"}},
    {FAMILY,
     "Claude 4",
     {"claude4", "claude-4", "claude 4", "sonnet-4", "opus-4", "haiku-4", "sonnet 4", "opus 4"}},
    {FAMILY, "Claude 2", {"claude2", "claude-2", "claude 2", "claude-v2"}},
    {FAMILY, "GPT-5", {"gpt-5", "gpt5", "gpt 5"}},
    {FAMILY, "GPT-4.1", {"gpt-4.1", "gpt4.1", "gpt 4.1"}},
    {FAMILY, "GPT-4o", {"gpt-4o", "gpt4o", "gpt 4o"}},
    {FAMILY, "GPT-4", {"gpt-4", "gpt4", "gpt 4"}},
    {FAMILY, "GPT-3.5", {"gpt-3.5", "gpt3.5", "gpt-35", "gpt 3.5"}},
    {FAMILY, "Gemini 2.5", {"gemini-2.5", "gemini 2.5"}},
    {FAMILY, "Gemini 2.0", {"gemini-2.0", "gemini 2.0"}},
    {FAMILY, "Gemini 1.5", {"gemini-1.5", "gemini 1.5"}},
    {FAMILY, "Llama 4", {"llama4", "llama-4", "llama 4"}},
    {FAMILY, "Llama 3", {"llama3", "llama-3", "llama 3"}},
    {FAMILY, "Llama 2", {"llama2", "llama-2", "llama 2"}},
    {FAMILY, "Mixtral", {"mixtral"}},
    {FAMILY, "Mistral", {"mistral"}},
    {FAMILY, "Command R", {"command-r", "command r"}},
    {FAMILY,
     "Nova",
     {"amazon nova", "novapro", "novalite", "novamicro", "nova-pro", "nova-lite", "nova-micro"}},
    {TOKEN,
     "cache read",
     {"cache-read", "cache read", "cacheread", "cached input", "cached-input", "cachedinput"}},
    {TOKEN, "cache write", {"cache-write", "cache write", "cachewrite", "cache creation"}},
    {TOKEN, "input", {"input", "prompt"}},
    {TOKEN, "output", {"output", "completion"}},
    {MODALITY, "Embedding", {"embed"}},
    {MODALITY, "Image", {"image", "dall-e", "imagen"}},
    {MODALITY, "Audio", {"audio", "speech", "whisper"}},
    {MODALITY, "Video", {"video", "sora", "veo"}},
    {MODALITY, "Text", {"token", "text"}},
    {CHANNEL, "Bedrock", {"bedrock"}},
    {CHANNEL, "Vertex", {"vertex"}},
};

/* Where a charge says what it is. */
static const struct {
    const char *key, *type;
} says[] = {{"charge_description", "billing_dimension"},
            {"sku_meter", "billing_dimension"},
            {"usage_type", "billing_enrichment"},
            {"sku_id", "billing_dimension"},
            {"resource_name", "resource"},
            {"service", "billing_dimension"}};
static const char *const providers[] = {"AWS",       "Amazon",    "GCP",    "Google", "Azure",
                                        "Microsoft", "Anthropic", "OpenAI", "Cursor"};

static json_t *leaf(const char *key, const char *type, const char *op, json_t *value)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:o}", "costCenter", "Global", "key", key, "type", type,
                     "operator", op, "value", value);
}

static json_t *says_any(const char *const *word, size_t most)
{
    json_t *any = json_array();

    for (size_t i = 0; i < FA_COUNT(says); i++) {
        json_t *list = json_array();

        for (size_t k = 0; k < most && word[k]; k++)
            json_array_append_new(list, json_string(word[k]));
        json_array_append_new(any, leaf(says[i].key, says[i].type, "contains", list));
    }
    return json_pack("{s:o}", "OR", any);
}

/* Which lines the taxonomy looks at: those of the providers it knows; all but the brand only where there is one. */
static json_t *in_scope(int tag)
{
    json_t *list = json_array();

    if (tag != BRAND) {
        json_decref(list);
        return json_pack("{s:s,s:s,s:s,s:s,s:s}", "costCenter", "virtualTag", "key", ai[BRAND].id,
                         "type", "virtual_tag", "operator", "notIs", "value", "Untagged");
    }
    for (size_t i = 0; i < FA_COUNT(providers); i++)
        json_array_append_new(list, json_string(providers[i]));
    return leaf("provider", "billing_dimension", "contains", list);
}

static void add_rule(json_t *rules, int tag, const char *to, json_t *filter)
{
    json_array_append_new(
        rules, json_pack("{s:s,s:{s:[o,o]}}", "to", to, "filters", "AND", in_scope(tag), filter));
}

static json_t *ai_rules(int tag)
{
    static const char *const direct[] = {"Anthropic", "OpenAI", "Cursor"};
    json_t *rules = json_array(), *list = json_array();

    for (size_t i = 0; i < FA_COUNT(words); i++)
        if (words[i].tag == tag)
            add_rule(rules, tag, words[i].to, says_any(words[i].word, FA_COUNT(words[i].word)));
    if (tag != CHANNEL) {
        json_decref(list);
        return rules;
    }
    for (size_t i = 0; i < FA_COUNT(direct); i++)
        json_array_append_new(list, json_string(direct[i]));
    add_rule(rules, tag, "Azure",
             leaf("provider", "billing_dimension", "contains",
                  json_pack("[s,s]", "Azure", "Microsoft")));
    add_rule(rules, tag, "Direct", leaf("provider", "billing_dimension", "contains", list));
    return rules;
}

static void add_tag(json_t *all, const char *id, const char *name, json_t *dflt, json_t *rules)
{
    static const char at[] = "2026-01-01T00:00:00.000Z", by[] = "farthing@localhost";

    json_array_append_new(all, json_pack("{s:s,s:s,s:s,s:b,s:s,s:n,s:[],s:o,s:o,s:[],s:{s:{s:s,s:[]"
                                         ",s:[]},s:{s:s,s:[],s:[]}},s:s,s:s,s:s,s:s}",
                                         "id", id, "name", name, "kind", "rules", "predefined", 1,
                                         "category", "", "folderId", "endpoints", "defaultValue",
                                         dflt, "rules", rules, "allocations", "acl", "read", "type",
                                         "public", "users", "groups", "write", "type", "private",
                                         "users", "groups", "createdBy", by, "updatedBy", by,
                                         "createdAt", at, "updatedAt", at));
}

/* Kept for the life of the program, as the table is. */
static json_t *made;

/* A value that is never freed needs no count, as json_true() has none: many threads hold these at once. */
static void hold_for_ever(json_t *v)
{
    const char *key;
    json_t *x;
    size_t i;

    json_array_foreach(v, i, x) hold_for_ever(x);
    json_object_foreach(v, key, x) hold_for_ever(x);
    v->refcount = (size_t)-1;
}

static void make(void)
{
    json_t *all = json_array();

    for (size_t i = 0; i < FA_COUNT(focus); i++)
        add_tag(all, focus[i].id, focus[i].name,
                json_pack("{s:s,s:s,s:s}", "costCenter", "Global", "key", focus[i].key, "type",
                          focus[i].type),
                json_array());
    for (size_t i = 0; i < FA_COUNT(ai); i++)
        add_tag(all, ai[i].id, ai[i].name, json_string("Untagged"), ai_rules((int)i));
    if (json_array_size(all) == FA_COUNT(focus) + FA_COUNT(ai))
        hold_for_ever(made = all);
    else
        json_decref(all);
}

fa_rc fa_predefined(const json_t **out, fa_err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make);
    *out = made;
    return made ? FA_OK : fa_oom(e);
}
