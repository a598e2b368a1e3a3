// SPDX-License-Identifier: Apache-2.0
// Between tensors and slot vectors, at the ends of an encrypted program.
#ifndef CK_PORT_H
#define CK_PORT_H

#include "ck.h"
#include "npy.h"

/* Elements of one sample: the product of the dimensions after the batch axis. */
size_t ck_port_numel(const struct ck_port *);
/* "Bx1x28x28", for messages; valid until the thread's next call but three. */
const char *ck_port_shape(const struct ck_port *);
const char *ck_npy_shape(const struct ck_npy *);

/* Samples that share ciphertexts: a group. */
uint32_t ck_port_batch(const struct ck_port *);
size_t ck_model_groups(const struct ck_model *, size_t samples);
/* slots: count * n doubles; tensor: `samples` samples, 1 .. batch. pack fills every copy and sets the rest to zero, but the places of missing
 * samples take the first one again: zeros might leave the range of an activation and drown the others. unpack reads the first copy. */
void ck_port_pack(double *slots, const struct ck_port *, const double *tensor, uint32_t samples);
void ck_port_unpack(double *tensor, const struct ck_port *, const double *slots, uint32_t samples);

/* Samples in an array: it has the port's shape with any batch extent, or lacks the batch axis (1 sample); 0 if it does not fit. */
size_t ck_port_samples(const struct ck_port *, const struct ck_npy *);

/* Hides the error of n decrypted values, which depends on the secret key: adds an independent Gaussian of deviation sigma to each and
 * rounds to a multiple of a power of two below sigma/256. CK_ERANDOM, CK_ENOMEM. source [LM21] */
enum ck_err ck_port_flood(double *tensor, size_t n, double sigma);

/* Applies the port's softmax or log-softmax in place; for argmax, writes the indices to `index` instead.
 * Both hold one sample: ck_port_numel and ck_port_post_numel elements. */
void ck_port_post(double *tensor, int64_t *index, const struct ck_port *);
size_t ck_port_post_numel(const struct ck_port *);
/* The array's rank and dimensions for `samples` results; type and data are left alone. */
void ck_port_result_shape(struct ck_npy *out, const struct ck_port *, size_t samples);
#endif
