/*
 * Reference counts. A count that would overflow, or be taken from zero, saturates and is reported once: the object
 * then leaks instead of being freed while in use.
 */
#ifndef KUMO_REFCOUNT_H
#define KUMO_REFCOUNT_H

#include <kumo/atomic.h>

typedef struct {
	atomic_t refs;
} refcount_t;

#define REFCOUNT_SATURATED (-0x40000000)

/* Logs the fault with a backtrace and pins the count. Any context. */
void refcount_saturate(refcount_t *r, const char *what);

static inline void refcount_set(refcount_t *r, int n)
{
	atomic_set(&r->refs, n);
}

static inline int refcount_read(const refcount_t *r)
{
	return atomic_read(&r->refs);
}

static inline void refcount_inc(refcount_t *r)
{
	if (unlikely(atomic_add_return(&r->refs, 1) <= 1))
		refcount_saturate(r, "taken when it was zero, or too often");
}

/* Takes n references at once. */
static inline void refcount_add(refcount_t *r, int n)
{
	if (unlikely(atomic_add_return(&r->refs, n) <= n))
		refcount_saturate(r, "taken when it was zero, or too often");
}

/* Takes a reference unless the count has reached zero already. */
static inline __must_check bool refcount_inc_not_zero(refcount_t *r)
{
	int old = refcount_read(r);

	do {
		if (!old)
			return false;
	} while (!atomic_try_cmpxchg(&r->refs, &old, old + 1));
	if (unlikely(old < 0))
		refcount_saturate(r, "taken too often");
	return true;
}

/* Drops a reference; true for the caller that dropped the last and must free. */
static inline __must_check bool refcount_dec_and_test(refcount_t *r)
{
	int now = atomic_add_return(&r->refs, -1);

	if (unlikely(now < 0))
		refcount_saturate(r, "dropped too often");
	return now == 0;
}

#endif
