/*
 * Kernel objects: slab caches with per-CPU free lists (mm/slab.c). Memory is not cleared unless GFP_ZERO says so.
 * All of these: NULL when memory is short; GFP_ATOMIC for any context, GFP_KERNEL may sleep.
 */
#ifndef KUMO_SLAB_H
#define KUMO_SLAB_H

#include <kumo/page.h>

struct slab_cache;

/* A cache of objects of one size. `align` 0: 8 (16 from 16 bytes on). SLAB_RCU: pages go back only after a grace
 * period, so a reader under rcu_read_lock() may look at a freed object (and must check that it is still the one). */
enum { SLAB_RCU = 1 };
struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align,
				     unsigned int flags) __must_check;
void slab_cache_destroy(struct slab_cache *cache); /* all objects must be free; reports those that are not */
void *slab_alloc(struct slab_cache *cache, unsigned int gfp) __must_check;
void slab_free(struct slab_cache *cache, void *object);

/* The caches behind kmalloc, by class: 8, 16, 32, 64, 96, 128, 192, 256, 512, ... KMALLOC_CACHE_MAX bytes. */
#define KMALLOC_CACHE_MAX 8192
#define KMALLOC_CLASSES 13
extern struct slab_cache *kmalloc_caches[KMALLOC_CLASSES];

/* Folds to a constant when `size` is one; 1 <= size <= KMALLOC_CACHE_MAX. */
static __always_inline unsigned int kmalloc_class(size_t size)
{
	if (size <= 64)
		return size <= 8 ? 0 : size <= 16 ? 1 : size <= 32 ? 2 : 3;
	if (size <= 256)
		return size <= 96 ? 4 : size <= 128 ? 5 : size <= 192 ? 6 : 7;
	return 63 - __builtin_clzl(size - 1); /* 257..512: class 8 */
}

void *kmalloc_any(size_t size, unsigned int gfp) __must_check;

/* Any size; above KMALLOC_CACHE_MAX it comes from the page allocator. Physically contiguous. */
static __always_inline __must_check void *kmalloc(size_t size, unsigned int gfp)
{
#ifndef CONFIG_DEBUG /* there each object's size is kept to the byte */
	if (__builtin_constant_p(size) && size && size <= KMALLOC_CACHE_MAX)
		return slab_alloc(kmalloc_caches[kmalloc_class(size)], gfp);
#endif
	return kmalloc_any(size, gfp);
}
static inline __must_check void *kzalloc(size_t size, unsigned int gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}
void *kcalloc(size_t count, size_t size, unsigned int gfp) __must_check; /* checked for overflow, cleared */
void *krealloc(void *old, size_t size, unsigned int gfp) __must_check; /* on failure `old` stays */
void kfree(const void *object); /* NULL is fine; any context */
char *kstrdup(const char *s, unsigned int gfp) __must_check;
char *kstrndup(const char *s, size_t limit, unsigned int gfp) __must_check;
void *kmemdup(const void *from, size_t size, unsigned int gfp) __must_check;
char *kasprintf(unsigned int gfp, const char *format, ...) __printf(2, 3) __must_check;
size_t kmalloc_size(const void *object); /* what was really given */
/* Of an address in RAM: the name of the cache that it lies in an object of, and where in the object. For reports. */
bool slab_locate(const void *address, const char **cache_name, size_t *offset);
/* The cache that is INDEXth in the list of all, for /proc/slabinfo; false: there are not so many. */
struct slab_cache_info {
	char name[32];
	unsigned long active, objects, slabs; /* what CPUs keep for themselves is active */
	unsigned int object_size, objects_per_slab, pages_per_slab;
};
bool slab_cache_info(unsigned int index, struct slab_cache_info *info);
/* Freed after a grace period; for objects that readers under rcu_read_lock() may hold. Any context. */
void kfree_rcu(void *object);

/* Scope-bound clean-up: `char *name __free_kfree = kstrdup(...)` is freed when the scope ends. */
static inline void kfree_scope(void *pointer)
{
	kfree(*(void **)pointer);
}
#define __free_kfree __attribute__((cleanup(kfree_scope)))

void slab_init(void);

#endif
