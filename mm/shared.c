/* Memory that processes share without a file: MAP_SHARED | MAP_ANONYMOUS. It goes with its last mapping. */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/xarray.h>

struct shared_memory {
	refcount_t refs; /* mappings */
	u64 page_count;	 /* of the mapping that made it: what mremap adds has nothing behind it */
	spinlock_t lock; /* changes of pages */
	struct xarray pages;
};

static struct page *shared_fault(struct vma *vma, u64 offset_pages, bool write)
{
	struct shared_memory *memory = vma->private;
	struct page *page, *fresh = NULL;
	int error = 0;

	if (offset_pages >= memory->page_count)
		return ERR_PTR(-EIO);
	for (;;) {
		spin_lock(&memory->lock);
		page = xarray_load(&memory->pages, offset_pages);
		if (!page && fresh) {
			error = xarray_store(&memory->pages, offset_pages, fresh, GFP_ATOMIC);
			if (!error) {
				page = fresh;
				fresh = NULL;
				memory_account(MEMORY_CACHED, 1);
			}
		}
		if (page)
			page_get(page);
		spin_unlock(&memory->lock);
		if (page || error)
			break;
		fresh = page_alloc(0, GFP_USER | GFP_ZERO);
		if (!fresh)
			return ERR_PTR(-ENOMEM);
	}
	if (fresh)
		page_put(fresh);
	return error ? ERR_PTR(error) : page;
}

static void shared_open(struct vma *vma)
{
	struct shared_memory *memory = vma->private;

	refcount_inc(&memory->refs);
}

static void shared_close(struct vma *vma)
{
	struct shared_memory *memory = vma->private;
	struct page *page;
	u64 index = 0;

	if (!refcount_dec_and_test(&memory->refs))
		return;
	while ((page = xarray_find(&memory->pages, &index))) {
		memory_account(MEMORY_CACHED, -1);
		page_put(page);
		index++;
	}
	xarray_destroy(&memory->pages);
	kfree(memory);
}

/* The pages stay, since other address spaces may map them; they read as zeros again. */
void shared_memory_clear(struct vma *vma, u64 offset_pages, u64 count)
{
	struct shared_memory *memory = vma->private;
	u64 end = offset_pages + count;
	struct page *page;

	for (;; offset_pages++) {
		spin_lock(&memory->lock);
		page = xarray_find(&memory->pages, &offset_pages);
		if (page && offset_pages < end)
			page_clear(page_address(page));
		spin_unlock(&memory->lock);
		if (!page || offset_pages >= end)
			return;
		cond_resched();
	}
}

const struct vma_ops shared_memory_ops = {
	.fault = shared_fault,
	.open = shared_open,
	.close = shared_close,
};

int shared_memory_attach(struct vma *vma)
{
	struct shared_memory *memory = kzalloc(sizeof(*memory), GFP_KERNEL);

	if (!memory)
		return -ENOMEM;
	refcount_set(&memory->refs, 1);
	memory->page_count = vma_pages(vma);
	spin_init(&memory->lock, "shared_memory");
	vma->ops = &shared_memory_ops;
	vma->private = memory;
	vma->offset_pages = 0;
	vma->name = "/dev/zero (deleted)";
	return 0;
}
