/* Memory, in a process: the C library's, so that the address sanitizer sees each object. */
#ifndef KUMO_SLAB_H
#define KUMO_SLAB_H

#include <kumo/page.h>

void *kmalloc(size_t size, unsigned int gfp) __must_check;
static inline __must_check void *kzalloc(size_t size, unsigned int gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}
void *kcalloc(size_t count, size_t size, unsigned int gfp) __must_check;
void kfree(const void *object);
char *kstrdup(const char *s, unsigned int gfp) __must_check;
void *kmemdup(const void *from, size_t size, unsigned int gfp) __must_check;
char *kstrndup(const char *s, size_t limit, unsigned int gfp) __must_check;
void kfree_rcu(void *object);

static inline void kfree_scope(void *pointer)
{
	kfree(*(void **)pointer);
}
#define __free_kfree __attribute__((cleanup(kfree_scope)))

/* For tests: each N-th allocation fails from now on; 0: none. */
void environment_fail_allocations(unsigned int each);

#endif
