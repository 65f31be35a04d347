// SPDX-License-Identifier: BSD-3-Clause
#ifndef SWIFTLET_CORES_H
#define SWIFTLET_CORES_H

#include <sched.h>
#include <stddef.h>

/// The set of these cores, and its size in bytes; NULL where there are none, or no memory. The caller frees it by CPU_FREE.
cpu_set_t *sl_core_set(const int *cores, int count, size_t *size);

#endif
