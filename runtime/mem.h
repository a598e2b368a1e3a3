// SPDX-License-Identifier: Apache-2.0
// Memory of the runtime: aligned, zeroed, with huge pages for large blocks.
#ifndef CK_MEM_H
#define CK_MEM_H

#include <stddef.h>
#include <stdint.h>

/* `bytes` zeroed bytes, 64-byte aligned (2 MiB aligned and advised for huge pages from 4 MiB on); NULL if there are
 * none. Own: release with ck_mem_free and the same number of bytes. bytes = 0 gives a valid pointer. */
void *ck_mem_alloc(size_t bytes);
void ck_mem_free(void *p, size_t bytes);

/* Overwrites with zeros in a way that the compiler keeps. */
void ck_mem_wipe(void *p, size_t bytes);

/* Test hook: the n-th allocation from now on fails (n = 1 is the next), once; n = 0 switches the hook off.
 * Returns how many allocations have been made since the last call. */
uint64_t ck_mem_fail_at(uint64_t n);
#endif
