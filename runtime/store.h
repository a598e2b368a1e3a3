// SPDX-License-Identifier: Apache-2.0
// Keys, ciphertexts and weights in files (containers of file.h; docs/FORMATS.md has the bytes).
//
// Errors as in file.h: NULL, or a sentence without the file's name that says what is wrong and what would work. Outputs are untouched
// on error. Everything read is checked before use: checksums, lengths, and every residue against its prime.
#ifndef CK_STORE_H
#define CK_STORE_H

#include "ck.h"
#include "file.h"

/* N residues of `bits` bits each, 1 <= bits <= 63, in N bits / 64 words; N a multiple of 64. ck_kernels.unpack is the inverse. */
void ck_pack(uint64_t *out, const uint64_t *a, size_t n, uint32_t bits);

/* NULL if the file is of these parameters, this key set (NULL: any) and this model (NULL: any). */
const char *ck_prints_match(const struct ck_file *, const struct ck_params *, const struct ck_print *keys,
                            const uint8_t *model);

/* ---- keys (file_keys.c) ---- */

/* Mode 0600. `keys` identifies the key set: random, made by ck_keyset_new. */
enum ck_err ck_keyset_new(struct ck_print *keys);
const char *ck_secret_save(const char *path, const struct ck_secret *, const struct ck_context *, const struct ck_print *keys);
const char *ck_secret_load(struct ck_secret **out, const struct ck_context *, const struct ck_file *);

/* Generates the keys one by one and writes each before the next: the memory of one key. The writer is left open for the caller to close
 * (keep or not), or closed after an error. Duplicate specs are written once. progress may be NULL. */
struct ck_progress;
struct ck_galois_spec;
const char *ck_evk_generate(struct ck_writer *, const char *path, const struct ck_context *, const struct ck_secret *,
                            const struct ck_print *keys, const struct ck_galois_spec *, size_t count, struct ck_progress *);
/* The keys' b-parts stay in the file: it is closed after the keys are freed. */
const char *ck_evk_load(struct ck_evk **out, const struct ck_context *, const struct ck_file *);
/* NULL if every key wanted is there at its level or above. */
const char *ck_evk_covers(const struct ck_evk *, const struct ck_galois_spec *, size_t count);

/* ---- ciphertexts (file_ct.c) ---- */

/* A file holds the inputs (tag "INPT"), the outputs ("OUTP") or the values of all steps ("TRCE") of a model, again and again: one section
 * per group of samples and port, groups outermost, a = port, b = group, with all ciphertexts of the port. `samples` is their number, of groups
 * for a trace; every group is full (ck_port_batch) but the last. */
const char *ck_ct_file_check(uint32_t *samples, const struct ck_file *, const struct ck_model *, uint32_t tag);
/* One port of one group: port->count ciphertexts, already initialised with room for the port's level. */
const char *ck_ct_load(struct ck_ct *out, const struct ck_context *, const struct ck_section *, const struct ck_port *);
/* Encrypts port->count vectors of port->n values as the next section: seeds and b-parts only. tmp: port->count ciphertexts with room
 * for the port's level; samples: in this group. CK_ENOMEM, CK_ERANGE, CK_ERANDOM; the writer's own errors stick in it. */
enum ck_err ck_ct_encrypt_section(struct ck_writer *, struct ck_ct *tmp, const struct ck_context *, const struct ck_secret *,
                                  const double *values, const struct ck_port *, uint32_t port_index, uint32_t group, uint32_t samples);
/* A step's value in a trace as a port without shape: as few limbs as hold values below 2^19. */
struct ck_port ck_trace_port(const struct ck_model *, const struct ck_step *);
/* port->count ciphertexts of degree 1 as the next section. CK_ENOMEM. */
enum ck_err ck_ct_save_section(struct ck_writer *, uint32_t tag, const struct ck_ct *, const struct ck_context *, const struct ck_port *,
                        uint32_t port_index, uint32_t group, uint32_t samples);

/* ---- weights (file_weights.c) ---- */

/* Checks a weights file and takes over its mapping; f is still the caller's to close. Own: ck_weights_close. */
const char *ck_weights_load(struct ck_weights **out, struct ck_file *f, const struct ck_params *, const uint8_t *model,
                            uint64_t bytes);
void ck_weights_close(struct ck_weights *);
#endif
