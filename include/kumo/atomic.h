/*
 * Atomic integers and memory barriers. The read-modify-write operations are full barriers unless their name ends in
 * _relaxed; plain reads and writes order nothing.
 */
#ifndef KUMO_ATOMIC_H
#define KUMO_ATOMIC_H

#include <kumo/types.h>

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	long counter;
} atomic64_t;

#define ATOMIC_INIT(value)                                                                         \
	{                                                                                          \
		(value)                                                                            \
	}

static inline int atomic_read(const atomic_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic_set(atomic_t *v, int value)
{
	__atomic_store_n(&v->counter, value, __ATOMIC_RELAXED);
}

static inline int atomic_add_return(atomic_t *v, int value)
{
	return __atomic_add_fetch(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline void atomic_add(atomic_t *v, int value)
{
	__atomic_add_fetch(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline void atomic_inc(atomic_t *v)
{
	atomic_add(v, 1);
}

static inline void atomic_dec(atomic_t *v)
{
	atomic_add(v, -1);
}

static inline int atomic_inc_return(atomic_t *v)
{
	return atomic_add_return(v, 1);
}

static inline bool atomic_dec_and_test(atomic_t *v)
{
	return __atomic_sub_fetch(&v->counter, 1, __ATOMIC_SEQ_CST) == 0;
}

static inline int atomic_xchg(atomic_t *v, int value)
{
	return __atomic_exchange_n(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline void atomic_or(atomic_t *v, int bits)
{
	__atomic_or_fetch(&v->counter, bits, __ATOMIC_SEQ_CST);
}

/* Stores `value` if the counter is *expected; otherwise puts what it found into *expected. True if stored. */
static inline bool atomic_try_cmpxchg(atomic_t *v, int *expected, int value)
{
	return __atomic_compare_exchange_n(&v->counter, expected, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

static inline long atomic64_read(const atomic64_t *v)
{
	return __atomic_load_n(&v->counter, __ATOMIC_RELAXED);
}

static inline void atomic64_set(atomic64_t *v, long value)
{
	__atomic_store_n(&v->counter, value, __ATOMIC_RELAXED);
}

static inline long atomic64_add_return(atomic64_t *v, long value)
{
	return __atomic_add_fetch(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline void atomic64_add(atomic64_t *v, long value)
{
	__atomic_add_fetch(&v->counter, value, __ATOMIC_SEQ_CST);
}

static inline bool atomic64_try_cmpxchg(atomic64_t *v, long *expected, long value)
{
	return __atomic_compare_exchange_n(&v->counter, expected, value, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* Orders against the compiler alone. */
static inline void barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline void smp_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void smp_rmb(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void smp_wmb(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

#define smp_load_acquire(pointer) __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_RELEASE)

/* Atomic operations on bits of an unsigned long (or an array of them). */
static inline void set_bit(unsigned long *words, unsigned int bit)
{
	__atomic_fetch_or(&words[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(unsigned long *words, unsigned int bit)
{
	__atomic_fetch_and(&words[bit / 64], ~BIT(bit % 64), __ATOMIC_SEQ_CST);
}

static inline bool test_bit(const unsigned long *words, unsigned int bit)
{
	return (READ_ONCE(words[bit / 64]) >> (bit % 64)) & 1;
}

static inline bool test_and_set_bit(unsigned long *words, unsigned int bit)
{
	return __atomic_fetch_or(&words[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST) & BIT(bit % 64);
}

static inline bool test_and_clear_bit(unsigned long *words, unsigned int bit)
{
	return __atomic_fetch_and(&words[bit / 64], ~BIT(bit % 64), __ATOMIC_SEQ_CST) & BIT(bit % 64);
}

#endif
