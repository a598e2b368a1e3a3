// SPDX-License-Identifier: Apache-2.0
// The tacet commands. Each takes its own name as argv[0] and returns the exit code: 0, or 1 after diag_error.
#ifndef TACET_CMD_H
#define TACET_CMD_H

#include "../passes/pass.h"
#include "../runtime/npy.h"
#include "args.h"
#include <stdio.h>

int cmd_compare(int argc, char **argv);
int cmd_compile(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_opt(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_simulate(int argc, char **argv);

/* Options that compile and opt share: what the passes read. */
struct pass_flags {
    const char *calib, *calib_labels, *activation;
    const char *bootstrap, *batch;
    int security, precision, logn, threads;
    int64_t key_memory, memory;
    double range[2];
};
#define PASS_FLAGS_INIT {.security = 128, .threads = 1}
#define PASS_FLAG_SPECS(f)                                                                                             \
    {"--calib", 0, "FILE", "sample inputs (.npy, .npz, .pb) that fix the range of every activation", .string = &(f).calib}, \
    {"--calib-labels", 0, "FILE", "their true classes, one integer each", .string = &(f).calib_labels},                \
    {"--input-range", 0, "LO,HI", "range of the inputs, where no samples are given", .range = (f).range},              \
    {"--activation", 0, "SPEC", "polynomials: [OP or NODE=]cheb:DEGREE or minimax:D1,D2,..., separated by commas",     \
     .string = &(f).activation},                                                                                       \
    {"--precision", 0, "BITS", "bits of the result wanted below its range", .count = &(f).precision},                  \
    {"--security", 0, "BITS", "128, the only level offered", .count = &(f).security},                                  \
    {"--logn", 0, "K", "pin the ring degree to 2^K; an insecure pin is refused", .count = &(f).logn},                  \
    {"--bootstrap", 0, "LEVELS", "levels left after a bootstrap; auto (default), or never", .string = &(f).bootstrap},  \
    {"--batch", 0, "B", "samples that one run carries, a power of two, or `auto`: the cheapest per sample (1)",         \
     .string = &(f).batch},                                                                                            \
    {"--key-memory", 0, "SIZE", "budget of the evaluation keys, such as 4GiB", .bytes = &(f).key_memory},              \
    {"--memory", 0, "SIZE", "budget of the server's memory", .bytes = &(f).memory},                                    \
    {"--threads", 0, "T", "threads that the server will use", .count = &(f).threads}

/* Options for the passes; sample arrays are read and converted into the arena. The module's first input gives the shape (a vec or
 * ckks module reads no samples). 0, or -1 after diag_error. */
int pass_flags_resolve(struct options *out, struct arena *, const struct pass_flags *, const struct ir_module *);

/* Sets opt->batch to the number of samples a run whose predicted time per sample is least, for a module that has passed `affine`; `dir` takes
 * temporary files. 0, or -1 after diag_error. */
int batch_choose(struct options *opt, struct arena *, struct ir_module *, const char *dir);

/* Reads samples of one input of the given shape (leading axis 1 is the batch) from a .npy, .npz or .pb file: [batch] arrays of doubles,
 * row-major, in the arena. `member` names the array of an .npz that holds several; may be NULL. 0, or -1 after diag_error(option). */
int samples_read(double **out, int64_t *batch, struct arena *, const char *option, const char *path, const char *member,
                 uint32_t rank, const int64_t *dim);

/* Which file feeds which input: one of `texts` per input of the module, [NAME=]FILE, in any order when named. */
int inputs_match(const char **path_of_input, const struct ir_module *, const char *option, const struct arg_list *texts);

/* Tensor shape of an input or an output with its batch axis, from its type or its layout. */
struct ir_type io_shape(const struct ir_type *, const struct ir_attr *);
int64_t input_numel(const struct ir_module *, uint32_t k);     // elements of a sample
int64_t output_numel(const struct ir_module *, uint32_t k);
uint32_t ir_input_count(const struct ir_module *);
struct ir_inst *ir_input(const struct ir_module *, uint32_t i);

/* One row of `rows` samples for every input, one of `rows` results for every output, each a row-major tensor. */
struct samples {
    int64_t rows;
    uint32_t nin, nout;
    double **in, **out;             // [rows][elements], in the arena
    const int64_t *labels;          // [rows] true classes, or NULL
};

/* The first `wanted` integers of a file; 0, or -1 after diag_error that names the option. */
int labels_read(int64_t **out, struct arena *, const char *option, const char *path, int64_t wanted);
/* Reads the files of every input; the outputs are allocated. 0, or -1 after diag_error. */
int samples_load(struct samples *, struct arena *, const struct ir_module *, const char *option, const struct arg_list *texts);
/* The same inputs, with outputs of its own. */
struct samples samples_like(const struct samples *, struct arena *, const struct ir_module *);
/* Runs every row through the module: tensors directly, bundles packed and unpacked by their layouts; noise may be NULL. */
int samples_interp(struct samples *, struct arena *, struct ir_module *, const struct ir_run *, const char *label);
/* Writes input i as an array, for the programs. 0, or -1 after diag_error. */
int samples_save(const struct samples *, const struct ir_module *, uint32_t i, const char *path);
/* Writes output k as an array [rows, shape without its leading 1]. 0, or -1 after diag_error. */
int samples_write(const struct samples *, const struct ir_module *, uint32_t k, const char *path);
/* Which file takes which output: as inputs_match, for outputs; outputs without a file stay NULL. */
int outputs_match(const char **path_of_output, const struct ir_module *, const char *option, const struct arg_list *texts);

/* Prints how far the outputs lie from those of DIR/model.ir; `what` follows each output's name. Nothing where there is no model.ir, for a
 * folder compiled from IR text. 0, or -1 after diag_error. */
int samples_against_model(const struct samples *, struct arena *, const struct ir_module *program, const char *dir, const char *what);

/* How far results lie from the plain ones. */
struct error_stats {
    double max, mean, range;        // absolute error; largest minus smallest plain value
    int64_t rows, same_top;         // rows whose largest entry is at the same place
};
/* Index of the largest of n >= 1 values, the first of equals. */
int64_t error_top(const double *v, int64_t n);
struct error_stats error_measure(const double *got, const double *plain, int64_t rows, int64_t width);
void error_print(const char *what, const struct error_stats *);
void error_write(FILE *, const char *name, const struct error_stats *);     // as a JSON object; the name alone where rows is 0

/* A line of progress on standard error: "label  12/40"; only on a terminal and not under --quiet. done == total clears it. */
void progress(const char *label, size_t done, size_t total);
void progress_quiet(bool quiet);

double seconds_now(void);
const char *bytes_text(char buf[32], double bytes);     // "1.25 GiB"
#endif
