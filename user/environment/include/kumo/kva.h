/* Memory of many pages, in a process: as any other. */
#ifndef KUMO_KVA_H
#define KUMO_KVA_H

#include <kumo/slab.h>

static inline __must_check void *kvmalloc(size_t size, unsigned int gfp)
{
	return kmalloc(size, gfp);
}
static inline void kvfree(const void *address)
{
	kfree(address);
}

#endif
