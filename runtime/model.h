// SPDX-License-Identifier: Apache-2.0
// The descriptor of a compiled program: constant data in the generated model.c, and the two programs that run from it.
// Generated C includes ck.h, which includes this.
#ifndef CK_MODEL_H
#define CK_MODEL_H

#include "params.h"
#include <stddef.h>
#include <stdint.h>

enum { CK_MAX_RANK = 8 };

/* A rotation without a key: at levels up to `level`, and above that of another entry or key of the rotation, it is the rotation by
 * `rotation` - `step`, then one by `step`, which has a key. The first may be another such entry. */
struct ck_route {
    int32_t rotation;                   // in (0, n)
    uint32_t level;
    int32_t step;                       // in (0, n)
};

struct ck_key_spec;
struct ck_eval;
struct ck_ct;

/* One digit of a layout: tensor axis `axis` (0 is the first after the batch axis) contributes digit * stride to the slot. */
struct ck_digit {
    uint32_t axis;
    int64_t extent, stride;
};

/* What the client does to a decrypted output. */
enum ck_post { CK_POST_NONE, CK_POST_SOFTMAX, CK_POST_LOGSOFTMAX, CK_POST_ARGMAX };

/* An input or output of the model. Element e of the tensor lies in global slot offset + sum of digits (compiler/layout.h has the
 * meaning), ciphertext slot / n, and again in every slot that differs by a multiple of `period` (where skew is 0). The places of sample k of
 * a group of 2^log_batch lie k slots further. */
struct ck_port {
    const char *name;                   // as in the ONNX file
    uint32_t rank;                      // with the batch axis
    int64_t dim[CK_MAX_RANK];           // dim[0] is the batch axis, 1
    uint32_t n, period;                 // slots, powers of two; n = 2^log_slots
    uint32_t log_batch;                 // samples that share the slots; the same in every port
    int64_t skew, offset;               // copy k is turned by k skew: slot k*period + j holds what slot (j - k skew) mod period holds
    uint32_t ndigits;
    const struct ck_digit *digit;       // grouped by axis, most significant first; extents of an axis multiply to dim[axis+1]
    uint32_t count;                     // ciphertexts
    uint32_t level;                     // inputs: encrypted at; outputs: decrypted at
    double scale;
    double lo, hi;                      // inputs: calibrated range (lo < hi; equal: unknown); beyond it the client warns
    double error;                       // outputs: predicted largest error (six standard deviations); 0: unknown
    enum ck_post post;                  // outputs
    uint32_t axis;                      // of post, counting the batch axis
    uint32_t keepdims;                  // argmax: 1 keeps the axis with extent 1
};

/* A bundle of ciphertexts that the program works in; several values share one after another. */
struct ck_reg {
    uint32_t count, max_level, max_degree;
};

/* What the program does between two calls of ck_eval_step: a layer, as reports show it, and where its value is afterwards. */
struct ck_step {
    const char *node, *op;              // ONNX node (may be empty); operator
    const char *part;                   // "linear", "activation", "bootstrap", "other": times are summed by it
    uint32_t reg, count, level;         // the value: the first `count` ciphertexts of a register; 0: none that a trace could hold
    double scale;
    double seconds;                     // predicted, one core
};

struct ck_model {
    const char *name;                   // "lenet5.onnx"
    uint8_t fingerprint[32];            // of weights and program: ties weights.bin and ciphertexts to this program
    struct ck_params params;
    const struct ck_boot_shape *boot;   // NULL: the program does not bootstrap
    const struct ck_key_spec *keys;     // every evaluation key the program uses besides those of bootstraps, each to its level
    size_t nkeys;
    const struct ck_route *routes;      // by (rotation, level)
    size_t nroutes;
    uint32_t nin, nout, nregs;
    const struct ck_port *in, *out;
    const struct ck_reg *regs;
    const uint32_t *in_reg, *out_reg;   // the register of each port
    const struct ck_step *steps;        // what run announces, in order
    size_t nsteps;
    uint64_t peak_bytes;                // predicted memory of the server, one sample
    double seconds;                     // predicted time of a group of samples on one core
    uint64_t weights_bytes;             // of the data in weights.bin
    /* Computes outputs from inputs: reg[i] is an array of regs[i].count ciphertexts; inputs may be overwritten. Calls ck_eval_step
     * before each step. Borrows everything. */
    enum ck_err (*run)(struct ck_eval *, struct ck_ct *const *reg);
};

/* The whole of a generated program's main: parse the arguments, do the work, print what went wrong. Returns the exit status: 0, 1 the
 * user's mistake, 2 ours. The server needs no secret and has no code path that reads one. */
int ck_client_main(const struct ck_model *, int argc, char **argv);     // keygen | encrypt | decrypt
int ck_server_main(const struct ck_model *, int argc, char **argv);     // run
#endif
