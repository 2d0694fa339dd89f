/*
 * A sparse array of pointers indexed by u64 (lib/xarray.c): a radix tree of 64-way nodes. The caller serialises
 * changes; lookups may run under rcu_read_lock() beside one change.
 */
#ifndef KUMO_XARRAY_H
#define KUMO_XARRAY_H

#include <kumo/types.h>

struct xarray {
	void *root;
	unsigned int height;
};

#define XARRAY_INIT                                                                                \
	{                                                                                          \
	}

void *xarray_load(const struct xarray *array, u64 index);
/* The entries of indices [first, first + count), NULL where there is none; they lie in one aligned group of 64. */
void xarray_load_range(const struct xarray *array, u64 first, unsigned int count, void **entries);
/* Stores (NULL removes); -ENOMEM. gfp as for kmalloc; under a spin lock use GFP_ATOMIC. */
int xarray_store(struct xarray *array, u64 index, void *pointer, unsigned int gfp) __must_check;
void *xarray_remove(struct xarray *array, u64 index); /* what was there; never fails */
/* The first entry at or after *index (which is set to its place), or NULL. */
void *xarray_find(const struct xarray *array, u64 *index);
/* Finds a free index in [low, high], stores there, returns it; -ENOMEM or -ENOSPC. For id allocation. */
s64 xarray_alloc(struct xarray *array, void *pointer, u64 low, u64 high, unsigned int gfp) __must_check;
void xarray_destroy(struct xarray *array); /* frees the nodes, not what they point to */

#endif
