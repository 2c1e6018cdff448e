/*
 * inner.h - what the files of vault/ share.
 */
#ifndef FA_VAULT_INNER_H
#define FA_VAULT_INNER_H

#include "vault/vault.h"

enum { VAULT_KEY = 32, VAULT_ID = 16 };

void vault_key_id(const unsigned char key[VAULT_KEY], char id[VAULT_ID + 1]);
/* The master key with this id, or the first when id is NULL; the caller wipes it. */
bool vault_master(const char *id, unsigned char key[VAULT_KEY], char found[VAULT_ID + 1]);
/* Reads a key that is the first from now on. */
fa_rc vault_load_new(const char *file, const char *dir, char id[VAULT_ID + 1], fa_err *e);

#endif
