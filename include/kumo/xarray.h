/*
 * A sparse array of pointers indexed by u64 (lib/xarray.c): a radix tree of 64-way nodes. The caller serialises
 * changes; lookups may run under rcu_read_lock() beside one change. Entries can carry marks.
 */
#ifndef KUMO_XARRAY_H
#define KUMO_XARRAY_H

#include <kumo/types.h>

struct xarray {
	void *root;
	unsigned int height;
	unsigned int root_marks; /* of the entry at index 0 while that is the root itself */
};

/* Marks of entries, XARRAY_MARKS kinds; what they mean is the owner's affair. An entry that is stored anew or removed has none. */
#define XARRAY_MARKS 2

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
/* Set, clear and look for a mark, all under the lock of changes. An index without an entry cannot be marked. */
void xarray_set_mark(struct xarray *array, u64 index, unsigned int mark);
void xarray_clear_mark(struct xarray *array, u64 index, unsigned int mark);
/* As xarray_find(), among the entries with the mark. */
void *xarray_find_marked(const struct xarray *array, u64 *index, unsigned int mark);
static inline bool xarray_any_marked(const struct xarray *array, unsigned int mark)
{
	u64 index = 0;

	return xarray_find_marked(array, &index, mark);
}
/* Finds a free index in [low, high], stores there, returns it; -ENOMEM or -ENOSPC. For id allocation. */
s64 xarray_alloc(struct xarray *array, void *pointer, u64 low, u64 high, unsigned int gfp) __must_check;
void xarray_destroy(struct xarray *array); /* frees the nodes, not what they point to */

#endif
