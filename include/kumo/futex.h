/*
 * Futexes (kernel/futex.c): threads sleep on an address in user memory until another thread wakes it.
 *
 * What names a futex is its key. Memory of one process alone: the address space and the address. Shared memory: the page cache
 * that holds it and the place in it, or its page, which are the same for all who map it.
 */
#ifndef KUMO_FUTEX_H
#define KUMO_FUTEX_H

#include <kumo/types.h>

struct futex_key {
	const void *object; /* struct mm, struct page_cache or struct page; compared, never followed */
	u64 offset;	    /* address, or byte in the file or page */
};

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->offset == b->offset && a->object == b->object;
}

u32 futex_key_hash(const struct futex_key *key);

/* FUTEX_WAKE_OP's operation, as encoded by the caller. Pure functions: what the word becomes, and whether the old one meets
 * the comparison. -ENOSYS for an unknown one. */
int futex_operation_apply(u32 encoded, u32 old, u32 *new) __must_check;
int futex_operation_compare(u32 encoded, u32 old) __must_check; /* 0, 1, -ENOSYS */

#endif
