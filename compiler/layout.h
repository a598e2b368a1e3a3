// SPDX-License-Identifier: Apache-2.0
// Layouts: which slot holds which tensor element. A mixed-radix strided map, as text
//   "n=1024 period=1024 [16:64 2:1 2:28] [14:56] [14:2]"
// one bracket per tensor axis (batch axis left out), each a list of extent:stride digits, most significant first; an axis
// index is split into digits, each adds digit*stride to the global slot; ciphertext = slot / n. `offset=` may be given. The
// vectors repeat with `period` (period <= n, a power of two): slot s holds what slot s mod period holds. With `skew=` d (printed after
// period when nonzero) copy k is turned by k d inside its period: slot k*period + j holds what slot (j - k d) mod period of copy 0
// holds, so that a dense matrix reads another part of each copy. With `batch=` B (printed after n when above 1, a power of two) B samples are
// interleaved: all of the above is the place of sample 0, multiples of B, and sample k lies k slots further. Slots that hold no element
// are zero at inputs; elsewhere their content is undefined unless the layout says `clean`.
#ifndef TACET_LAYOUT_H
#define TACET_LAYOUT_H

#include "ir.h"

enum { LAYOUT_MAX_DIGITS = 24 };
struct layout_digit {
    uint32_t axis;
    int64_t extent, stride;
};
struct layout {
    uint32_t n, period, log_batch;                  // 2^log_batch samples
    int64_t skew, offset;
    bool clean;
    uint32_t rank;
    int64_t dim[IR_MAX_RANK];
    uint32_t ndigits;
    struct layout_digit digit[LAYOUT_MAX_DIGITS];   // grouped by axis, most significant first
};
struct layout layout_dense(uint32_t rank, const int64_t *dim, uint32_t n);     // row-major from slot 0, period n
int64_t layout_numel(const struct layout *);
uint32_t layout_count(const struct layout *);                                  // ciphertexts of n slots
int64_t layout_slot(const struct layout *, int64_t element);                   // global slot of a row-major element index, sample 0
uint32_t layout_batch(const struct layout *);                                  // interleaved samples, at least 1
/* Tensors of `samples` samples, 1 .. layout_batch, one after another. Packing fills all copies and zeroes the other slots; places of a batch
 * beyond `samples` take the first sample again, so that their values stay in the range of real ones. */
void layout_pack(double *slots, const struct layout *, const double *tensor, uint32_t samples);
void layout_unpack(double *tensor, const struct layout *, const double *slots, uint32_t samples);
struct layout layout_interleave(const struct layout *, uint32_t log_batch);    // the layout of one sample, for 2^log_batch
const char *layout_print(struct arena *, const struct layout *);
int layout_parse(struct layout *, const char *text);                           // 0 or -1
#endif
