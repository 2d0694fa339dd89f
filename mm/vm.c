/*
 * Address spaces.
 *
 * An address space (struct mm) is a tree of mappings (struct vma), which say what may be where, and page tables, which
 * say what is. Mapping something costs a vma; page tables are filled by faults (fault.c), copied at fork only where
 * processes have pages of their own (vm_fork.c), and emptied by unmap.c. This file keeps the tree: create, find, link,
 * split and merge mappings, find room, map and unmap.
 *
 * A mapping of the page cache is also in that cache's list of mappings, so that truncation finds it; what the list's
 * readers use (start, end, offset_pages) changes under the list's lock (vma_set_range).
 *
 * Life of a page of anonymous memory: the first read maps the zero page; the first write allocates (PG_ANON, one
 * reference for the page-table entry). Fork adds a reference and makes both entries read-only; a write then copies,
 * unless the reference is the last. The reference goes when the entry does, after the TLBs have let go of it.
 */
#define LOG_PREFIX "vm: "
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/printk.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/capability.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/resource.h>

static struct slab_cache *mm_slab, *vma_slab;
struct page *zero_page;
int vm_max_map_count = 65530, vm_overcommit_ratio = 50; /* as on Linux */
int vm_overcommit = OVERCOMMIT_GUESS;

/* ---- The tree ---- */

struct vma *vma_find(struct mm *mm, unsigned long address)
{
	struct vma *vma = READ_ONCE(mm->recent), *found = NULL;
	struct rb_node *node;

	if (likely(vma && vma->start <= address && address < vma->end))
		return vma;
	node = mm->vmas.node;
	while (node) {
		vma = container_of(node, struct vma, node);
		if (address < vma->end) {
			found = vma;
			if (vma->start <= address)
				break;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	if (found)
		WRITE_ONCE(mm->recent, found);
	return found;
}
EXPORT_SYMBOL(vma_find);

struct vma *vma_next(struct vma *vma)
{
	return rb_entry_or_null(rb_next(&vma->node), struct vma, node);
}
EXPORT_SYMBOL(vma_next);

struct vma *vma_previous(struct vma *vma)
{
	return rb_entry_or_null(rb_prev(&vma->node), struct vma, node);
}
EXPORT_SYMBOL(vma_previous);

struct vma *vma_first(struct mm *mm)
{
	return rb_entry_or_null(rb_first(&mm->vmas), struct vma, node);
}
EXPORT_SYMBOL(vma_first);

static inline struct page_cache *vma_cache(const struct vma *vma)
{
	return vma->ops == &page_cache_vma_ops ? vma->private : NULL;
}

void mm_count_kind(struct mm *mm, unsigned int flags, long pages)
{
	if (flags & (VM_GROWSDOWN | VM_STACK))
		mm->stack_pages += pages;
	else if (flags_are_data(flags))
		mm->data_pages += pages;
	else if ((flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
		mm->code_pages += pages;
}

static void count_pages(struct vma *vma, long more)
{
	vma->mm->total_pages += more;
	if (vma->flags & VM_LOCKED)
		vma->mm->locked_pages += more;
	mm_count_kind(vma->mm, vma->flags, more);
}

static void tree_insert(struct vma *vma)
{
	struct rb_node **link = &vma->mm->vmas.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = vma->start < container_of(parent, struct vma, node)->start ? &parent->left
										  : &parent->right;
	}
	rb_insert(&vma->mm->vmas, &vma->node, parent, link);
	vma->mm->vma_count++;
	count_pages(vma, (long)vma_pages(vma));
}

void vma_link(struct vma *vma)
{
	struct page_cache *cache = vma_cache(vma);

	tree_insert(vma);
	if (cache) {
		mutex_lock(&cache->mappings_lock);
		list_add_tail(&cache->mappings, &vma->cache_link);
		mutex_unlock(&cache->mappings_lock);
	}
}

void vma_link_copy(struct vma *copy, struct vma *original)
{
	struct page_cache *cache = vma_cache(copy);

	tree_insert(copy);
	if (cache) {
		/* Behind the original: truncation empties that first, so nothing that it took out is copied after it passed. */
		mutex_lock(&cache->mappings_lock);
		list_add(&original->cache_link, &copy->cache_link);
		mutex_unlock(&cache->mappings_lock);
	}
}

static void cache_unlink(struct vma *vma)
{
	struct page_cache *cache = vma_cache(vma);

	if (!cache)
		return;
	mutex_lock(&cache->mappings_lock);
	list_del(&vma->cache_link);
	mutex_unlock(&cache->mappings_lock);
}

void vma_unlink(struct vma *vma)
{
	struct mm *mm = vma->mm;

	rb_erase(&mm->vmas, &vma->node);
	mm->recent = NULL;
	mm->vma_count--;
	count_pages(vma, -(long)vma_pages(vma));
	cache_unlink(vma);
}

/* Moves the ends of a linked mapping; its place in the tree's order stays. */
void vma_set_range(struct vma *vma, unsigned long start, unsigned long end, u64 offset_pages)
{
	struct page_cache *cache = vma_cache(vma);
	long more = (long)((end - start) >> PAGE_SHIFT) - (long)vma_pages(vma);

	count_pages(vma, more);
	if (cache)
		mutex_lock(&cache->mappings_lock);
	vma->start = start;
	vma->end = end;
	vma->offset_pages = offset_pages;
	if (cache)
		mutex_unlock(&cache->mappings_lock);
}

struct vma *vma_alloc(struct mm *mm, unsigned long start, unsigned long end, unsigned int flags)
{
	struct vma *vma = slab_alloc(vma_slab, GFP_USER);

	if (!vma)
		return NULL;
	vma->start = start;
	vma->end = end;
	vma->flags = flags;
	vma->mm = mm;
	vma->file = NULL;
	vma->offset_pages =
		start >> PAGE_SHIFT; /* anonymous memory: so that neighbours are alike wherever they lie */
	vma->ops = NULL;
	vma->private = NULL;
	vma->name = NULL;
	return vma;
}

void vma_free(struct vma *vma)
{
	if (vma->ops && vma->ops->close)
		vma->ops->close(vma);
	if (vma->file)
		file_put(vma->file);
	slab_free(vma_slab, vma);
}

struct vma *vma_copy(struct vma *vma, struct mm *mm)
{
	struct vma *copy = slab_alloc(vma_slab, GFP_USER);

	if (!copy)
		return NULL;
	*copy = *vma;
	copy->mm = mm;
	if (copy->file)
		file_get(copy->file);
	if (copy->ops && copy->ops->open)
		copy->ops->open(copy);
	return copy;
}

static bool may_map_more(const struct mm *mm)
{
	return mm->vma_count < (unsigned long)READ_ONCE(vm_max_map_count);
}

int vma_split(struct vma *vma, unsigned long address)
{
	struct vma *upper = may_map_more(vma->mm) ? vma_copy(vma, vma->mm) : NULL;

	if (!upper)
		return -ENOMEM;
	upper->start = address;
	upper->offset_pages = vma_offset_of(vma, address);
	vma_link(upper); /* before the lower part shrinks: truncation finds each page in one of them, or both */
	vma_set_range(vma, vma->start, address, vma->offset_pages);
	return 0;
}

/* Whether `lower` and `upper`, which meet, say the same about their pages. */
static bool vma_alike(const struct vma *lower, const struct vma *upper)
{
	return lower->end == upper->start && !((lower->flags ^ upper->flags) & ~VM_HAS_ANON) &&
	       lower->file == upper->file && lower->ops == upper->ops &&
	       lower->private == upper->private && lower->name == upper->name &&
	       lower->offset_pages + vma_pages(lower) == upper->offset_pages &&
	       !(lower->flags & (VM_IO | VM_GROWSDOWN));
}

/* `upper` becomes part of `lower`. */
static void vma_join(struct vma *lower, struct vma *upper)
{
	unsigned long end = upper->end;

	/* For a moment truncation finds the upper part in both, never in neither. */
	lower->flags |= upper->flags & VM_HAS_ANON;
	vma_set_range(lower, lower->start, end, lower->offset_pages);
	vma_unlink(upper);
	vma_free(upper);
}

struct vma *vma_merge(struct vma *vma)
{
	struct vma *lower = vma_previous(vma), *upper;

	if (lower && vma_alike(lower, vma)) {
		vma_join(lower, vma);
		vma = lower;
	}
	upper = vma_next(vma);
	if (upper && vma_alike(vma, upper))
		vma_join(vma, upper);
	return vma;
}

/* ---- Room ---- */

static inline unsigned long vma_start_with_gap(const struct vma *vma)
{
	if (!(vma->flags & VM_GROWSDOWN))
		return vma->start;
	return vma->start > STACK_GUARD_GAP ? vma->start - STACK_GUARD_GAP : 0;
}

bool range_is_free(struct mm *mm, unsigned long start, unsigned long length)
{
	struct vma *vma = vma_find(mm, start);

	return !vma || start + length <= vma_start_with_gap(vma);
}

/*
 * Downwards from mmap_base, first fit. The search goes on where the last one ended: what lies above was passed then, and
 * search_hole says how large the largest hole was that was passed. Unmapping moves search_from up (note_hole).
 */
unsigned long find_free_range(struct mm *mm, unsigned long length)
{
	unsigned long top;
	struct vma *above, *below;

	for (bool whole = false;; whole = true) {
		if (length <= mm->search_hole || whole) {
			mm->search_from = mm->mmap_base;
			mm->search_hole = 0;
			whole = true;
		}
		top = min(mm->search_from, mm->mmap_base);
		above = vma_find(mm, top);
		if (above && vma_start_with_gap(above) < top)
			top = vma_start_with_gap(above);
		below = above ? vma_previous(above)
			      : rb_entry_or_null(rb_last(&mm->vmas), struct vma, node);
		for (;;) {
			unsigned long bottom = below ? max(below->end, (unsigned long)USER_MMAP_MIN)
						     : USER_MMAP_MIN;

			if (top >= bottom && top - bottom >= length) {
				mm->search_from = top - length;
				return top - length;
			}
			if (top > bottom)
				mm->search_hole = max(mm->search_hole, top - bottom);
			if (!below)
				break;
			top = vma_start_with_gap(below);
			below = vma_previous(below);
		}
		if (whole)
			break;
	}
	/* Above mmap_base, as a last resort: where the stack leaves room. */
	top = mm->mmap_base;
	for (above = vma_find(mm, top); above; above = vma_next(above)) {
		if (vma_start_with_gap(above) >= top && vma_start_with_gap(above) - top >= length)
			return top;
		top = max(top, above->end);
	}
	return top < USER_END && USER_END - top >= length ? top : 0;
}

/* [start, end) is free now. */
static void note_hole(struct mm *mm, unsigned long end)
{
	if (end > mm->search_from)
		mm->search_from = min(end, mm->mmap_base);
}

/* MAP_32BIT: upwards through the second GiB, as on Linux; or 0. */
static unsigned long find_free_low(struct mm *mm, unsigned long length)
{
	unsigned long start = GIB;
	struct vma *vma;

	while (length <= 2 * GIB && start <= 2 * GIB - length) {
		vma = vma_find(mm, start);
		if (!vma || start + length <= vma_start_with_gap(vma))
			return start;
		start = vma->end;
	}
	return 0;
}

u64 vm_commit_limit(void)
{
	struct memory_info info;

	memory_info(&info);
	return info.total_pages * (u64)READ_ONCE(vm_overcommit_ratio) / 100;
}

/* Memory is promised without being there, but not more at once than the machine has; or, if that is wanted, than the limit
 * leaves beside the memory that all processes have. */
static bool may_promise(unsigned long pages)
{
	struct memory_info info;
	u64 limit;

	switch (READ_ONCE(vm_overcommit)) {
	case OVERCOMMIT_ALWAYS:
		return true;
	case OVERCOMMIT_GUESS:
		if (pages <= 4096)
			return true;
		memory_info(&info);
		return pages <= info.total_pages;
	default:
		memory_info(&info);
		limit = vm_commit_limit();
		return info.anon_pages <= limit && pages <= limit - info.anon_pages;
	}
}

int may_commit(struct mm *mm, unsigned long pages, unsigned int flags)
{
	u64 limit = process_limit(RLIMIT_DATA);

	if (!flags_are_data(flags))
		return 0;
	if (limit != RLIM_INFINITY && mm->data_pages + pages > limit >> PAGE_SHIFT)
		return -ENOMEM;
	if (flags & VM_NORESERVE && READ_ONCE(vm_overcommit) != OVERCOMMIT_NEVER)
		return 0;
	return may_promise(pages) ? 0 : -ENOMEM;
}

int may_grow(struct mm *mm, unsigned long pages, unsigned int flags)
{
	u64 limit = process_limit(RLIMIT_AS);

	if (limit != RLIM_INFINITY && mm->total_pages + pages > limit >> PAGE_SHIFT)
		return -ENOMEM;
	limit = process_limit(RLIMIT_MEMLOCK);
	if (flags & VM_LOCKED && limit != RLIM_INFINITY &&
	    mm->locked_pages + pages > limit >> PAGE_SHIFT && !capable(CAP_IPC_LOCK))
		return -EAGAIN;
	return may_commit(mm, pages, flags);
}

/* ---- Unmapping ---- */

int unmap_range_locked(struct mm *mm, unsigned long start, unsigned long end)
{
	struct unmap_batch batch;
	struct list removed = LIST_INIT(removed);
	struct vma *first = vma_find(mm, start), *vma, *after, *below;
	unsigned long floor, ceiling;
	int error;

	if (!first || first->start >= end)
		return 0;
	if (first->start < start) {
		error = vma_split(first, start);
		if (error)
			return error;
		first = vma_next(first);
	}
	vma = first->end >= end ? first : vma_find(mm, end - 1);
	if (vma && vma->start < end && vma->end > end) {
		error = vma_split(vma, end);
		if (error)
			return error;
	}

	below = vma_previous(first);
	floor = below ? below->end : 0;
	ceiling = USER_TABLES_END;
	for (vma = first; vma; vma = after) {
		after = vma_next(vma);
		if (vma->start >= end) {
			ceiling = vma->start;
			break;
		}
		vma_unlink(vma);
		list_add_tail(&removed, &vma->cache_link);
	}

	unmap_batch_init(&batch, mm, false);
	list_for_each(vma, &removed, cache_link) {
		unmap_entries(&batch, vma->start, vma->end, false);
		cond_resched();
	}
	unmap_batch_finish(&batch);
	user_tables_free(mm, start, end, floor, ceiling, false);
	note_hole(mm, end);
	list_for_each_safe(vma, after, &removed, cache_link)
		vma_free(vma);
	return 0;
}

int vm_unmap(struct mm *mm, unsigned long address, unsigned long length)
{
	int error;

	if (address % PAGE_SIZE || !length || length > USER_END || address > USER_END - length)
		return -EINVAL;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = unmap_range_locked(mm, address, address + ALIGN_UP(length, PAGE_SIZE));
	up_write(&mm->map_lock);
	return error;
}
EXPORT_SYMBOL(vm_unmap);

/* ---- Mapping ---- */

static unsigned int flags_from_prot(unsigned long prot)
{
	return prot & (VM_READ | VM_WRITE | VM_EXEC);
}

/* What the file's opening allows of a mapping; adds VM_MAY*. 0, -EACCES, -EPERM, -ENODEV, -EOVERFLOW. */
static int file_flags(const struct file *file, unsigned int *flags, u64 offset_pages, u64 pages)
{
	if (file->mode & FILE_PATH)
		return -EBADF;
	if (S_ISREG(file->node->attr.mode) && offset_pages + pages > FILE_PAGES_MAX)
		return -EOVERFLOW;
	if (!(file->mode & FILE_READ))
		return -EACCES;
	if (*flags & VM_SHARED && !(file->mode & FILE_WRITE)) {
		if (*flags & VM_WRITE)
			return -EACCES;
		*flags &= ~VM_MAYWRITE;
	}
	if (*flags & VM_SHARED && file->mode & FILE_WRITE && node_is_append_only(file->node))
		return -EACCES;
	if (file->path.mount && file->path.mount->flags & MS_NOEXEC) {
		if (*flags & VM_EXEC)
			return -EPERM;
		*flags &= ~VM_MAYEXEC;
	}
	if (!file->ops->mmap || S_ISDIR(file->node->attr.mode))
		return -ENODEV;
	return 0;
}

/* The address for a new mapping of `length`, cleared of what MAP_FIXED replaces; or a negative errno. */
static long choose_address(struct mm *mm, unsigned long address, unsigned long length, unsigned long flags)
{
	unsigned long top;
	int error;

	if (length > USER_END - USER_MMAP_MIN)
		return -ENOMEM;
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
		if (address > USER_END - length)
			return -ENOMEM;
		if (address < USER_MMAP_MIN && !capable(CAP_SYS_RAWIO))
			return -EPERM;
		if (flags & MAP_FIXED_NOREPLACE) {
			struct vma *there = vma_find(mm, address);

			return there && there->start < address + length ? -EEXIST : (long)address;
		}
		error = unmap_range_locked(mm, address, address + length);
		return error ? error : (long)address;
	}
	address = ALIGN_DOWN(address, PAGE_SIZE);
	top = flags & MAP_32BIT ? 2 * GIB : USER_END;
	if (address >= USER_MMAP_MIN && length <= top && address <= top - length &&
	    range_is_free(mm, address, length))
		return (long)address;
	address = flags & MAP_32BIT ? find_free_low(mm, length) : find_free_range(mm, length);
	return address ? (long)address : -ENOMEM;
}

/* Grows the anonymous mapping that ends at `start` instead of making another; NULL: there is none like it. */
static struct vma *extend_below(struct mm *mm, unsigned long start, unsigned long end, unsigned int flags)
{
	struct vma *vma = start ? vma_find(mm, start - 1) : NULL;

	if (!vma || vma->end != start || vma->file || vma->ops || vma->name ||
	    (vma->flags ^ flags) & ~VM_HAS_ANON)
		return NULL;
	if (vma->offset_pages + vma_pages(vma) != start >> PAGE_SHIFT)
		return NULL;
	vma_set_range(vma, vma->start, end, vma->offset_pages);
	return vma_merge(vma);
}

static long map_locked(struct mm *mm, unsigned long address, unsigned long length,
		       unsigned int vm_flags, unsigned long flags, struct file *file, u64 offset_pages)
{
	struct vma *vma;
	long start;
	int error;

	error = may_grow(mm, length >> PAGE_SHIFT, vm_flags);
	if (error)
		return error;
	start = choose_address(mm, address, length, flags);
	if (start < 0)
		return start;
	if (!file && !(vm_flags & (VM_SHARED | VM_GROWSDOWN)) &&
	    extend_below(mm, start, start + length, vm_flags))
		return start;
	vma = may_map_more(mm) ? vma_alloc(mm, start, start + length, vm_flags) : NULL;
	if (!vma)
		return -ENOMEM;
	if (file) {
		vma->file = file_get(file);
		vma->offset_pages = offset_pages;
		error = serve_mmap(file, vma);
	} else if (vm_flags & VM_SHARED) {
		error = vm_flags & VM_NORESERVE || may_promise(length >> PAGE_SHIFT)
				? shared_memory_attach(vma)
				: -ENOMEM;
	}
	if (error) {
		vma->ops = NULL; /* mmap failed: it has nothing to close */
		vma_free(vma);
		return error;
	}
	vma_link(vma);
	if (vma_cache(vma)) {
		error = page_cache_check_seals(vma); /* who sealed it before saw no mapping yet */
		if (error) {
			vma_unlink(vma);
			vma_free(vma);
			return error;
		}
	}
	vma_merge(vma);
	return start;
}

/* What MAP_SHARED_VALIDATE accepts: the flags that are older than it. */
#define MAP_FLAGS_KNOWN                                                                            \
	(MAP_SHARED_VALIDATE | MAP_FIXED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_DENYWRITE |         \
	 MAP_EXECUTABLE | MAP_LOCKED | MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK |   \
	 MAP_FIXED_NOREPLACE | MAP_32BIT | MAP_UNINITIALIZED | MAP_HUGE_2MB | MAP_HUGE_1GB)

long vm_map(struct mm *mm, unsigned long address, unsigned long length, unsigned long prot,
	    unsigned long flags, struct file *file, u64 offset_pages)
{
	unsigned int vm_flags = flags_from_prot(prot) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	bool populate;
	long start;
	int error;

	if (!length)
		return -EINVAL;
	length = ALIGN_UP(length, PAGE_SIZE);
	if (!length)
		return -ENOMEM;
	if (offset_pages + (length >> PAGE_SHIFT) < offset_pages || offset_pages >> (64 - PAGE_SHIFT))
		return -EOVERFLOW;
	switch (flags & MAP_TYPE) {
	case MAP_SHARED_VALIDATE:
		if (flags & MAP_ANONYMOUS)
			return -EINVAL;
		if (flags & ~MAP_FLAGS_KNOWN)
			return -EOPNOTSUPP;
		vm_flags |= VM_SHARED;
		break;
	case MAP_SHARED:
		vm_flags |= VM_SHARED;
		break;
	case MAP_PRIVATE:
		break;
	default:
		return -EINVAL;
	}
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && address % PAGE_SIZE)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		file = NULL;
	if (flags & MAP_GROWSDOWN) {
		if (file || vm_flags & VM_SHARED)
			return -EINVAL;
		vm_flags |= VM_GROWSDOWN;
	}
	if (flags & MAP_NORESERVE)
		vm_flags |= VM_NORESERVE;
	if (flags & MAP_LOCKED && !process_limit(RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	vm_flags |= mm->lock_future | (flags & MAP_LOCKED ? VM_LOCKED : 0);
	if (file) {
		error = file_flags(file, &vm_flags, offset_pages, length >> PAGE_SHIFT);
		if (error)
			return error;
	}
	populate = flags & MAP_POPULATE && !(flags & MAP_NONBLOCK);
	populate |= (vm_flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;

	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	start = map_locked(mm, address, length, vm_flags, flags, file, offset_pages);
	up_write(&mm->map_lock);
	/* As on Linux, what cannot be made present now is left to later faults. */
	if (start >= 0 && populate && prot && vm_populate(mm, start, length) == -EINTR)
		return start;
	return start;
}
EXPORT_SYMBOL(vm_map);

struct vma *vm_map_special(struct mm *mm, unsigned long address, unsigned long length,
			   unsigned int vm_flags, const struct vma_ops *ops, void *private,
			   const char *name)
{
	struct vma *vma;
	long start;

	length = ALIGN_UP(length, PAGE_SIZE);
	if (down_write_killable(&mm->map_lock))
		return ERR_PTR(-EINTR);
	start = choose_address(mm, address, length, 0);
	if (start < 0) {
		up_write(&mm->map_lock);
		return ERR_PTR(start);
	}
	vma = vma_alloc(mm, start, start + length, vm_flags);
	if (vma) {
		vma->offset_pages = 0;
		vma->ops = ops;
		vma->private = private;
		vma->name = name;
		vma_link(vma);
	}
	up_write(&mm->map_lock);
	return vma ? vma : ERR_PTR(-ENOMEM);
}
EXPORT_SYMBOL(vm_map_special);

unsigned long vm_brk(struct mm *mm, unsigned long brk)
{
	unsigned long old_end, new_end,
		flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC, result;
	u64 limit = process_limit(RLIMIT_DATA);

	if (down_write_killable(&mm->map_lock))
		return mm->brk;
	result = mm->brk;
	if (brk < mm->brk_start || brk > USER_END - PAGE_SIZE)
		goto out;
	if (limit != RLIM_INFINITY && brk - mm->brk_start + (mm->data_end - mm->data_start) > limit)
		goto out;
	old_end = ALIGN_UP(mm->brk, PAGE_SIZE);
	new_end = ALIGN_UP(brk, PAGE_SIZE);
	if (new_end < old_end) {
		if (unmap_range_locked(mm, new_end, old_end))
			goto out;
	} else if (new_end > old_end) {
		flags |= mm->lock_future;
		if (!range_is_free(mm, old_end, new_end - old_end) ||
		    map_locked(mm, old_end, new_end - old_end, flags, MAP_FIXED_NOREPLACE, NULL, 0) < 0)
			goto out;
	}
	result = mm->brk = brk;
out:
	up_write(&mm->map_lock);
	return result;
}
EXPORT_SYMBOL(vm_brk);

/* ---- Address spaces ---- */

struct mm *mm_create(void)
{
	struct mm *mm = slab_alloc(mm_slab, GFP_USER | GFP_ZERO);

	if (!mm)
		return NULL;
	mm->page_table = page_table_create();
	if (!mm->page_table) {
		slab_free(mm_slab, mm);
		return NULL;
	}
	refcount_set(&mm->users, 1);
	refcount_set(&mm->count, 1); /* held by the users together */
	rwsem_init(&mm->map_lock, "map_lock");
	spin_init(&mm->table_lock, "table_lock");
	mm->around_pages = AROUND_PAGES;
	mm->mmap_base = mm->search_from = ALIGN_DOWN(USER_END - 128 * MIB, PAGE_SIZE);
	return mm;
}
EXPORT_SYMBOL(mm_create);

void mm_get(struct mm *mm)
{
	refcount_inc(&mm->users);
}
EXPORT_SYMBOL(mm_get);

bool mm_get_unless_dead(struct mm *mm)
{
	return mm && refcount_inc_not_zero(&mm->users);
}

void mm_structure_get(struct mm *mm)
{
	refcount_inc(&mm->count);
}

void mm_structure_put(struct mm *mm)
{
	if (!refcount_dec_and_test(&mm->count))
		return;
	page_table_destroy(mm->page_table);
	slab_free(mm_slab, mm);
}

/* Drops all mappings. Nobody uses them any more, and after mm_unload() no CPU holds translations of them. */
static void mm_empty(struct mm *mm)
{
	struct rb_node *node, *after;
	struct unmap_batch batch;
	struct vma *vma, *next;

	mm_unload(mm);
	unmap_batch_init(&batch, mm, true);
	for (vma = vma_first(mm); vma; vma = next) {
		next = vma_next(vma);
		cache_unlink(vma);
		unmap_entries(&batch, vma->start, vma->end, false);
		user_tables_free(mm, vma->start, vma->end, 0, next ? next->start : USER_TABLES_END,
				 true);
		cond_resched();
	}
	unmap_batch_finish(&batch);
	for (node = rb_first_postorder(&mm->vmas); node; node = after) {
		after = rb_next_postorder(node);
		vma_free(container_of(node, struct vma, node));
	}
	mm->vmas.node = NULL;
	mm->recent = NULL;
}

void mm_put(struct mm *mm)
{
	if (!refcount_dec_and_test(&mm->users))
		return;
	mm_empty(mm);
	if (mm->exe)
		file_put(mm->exe);
	mm_structure_put(mm);
}
EXPORT_SYMBOL(mm_put);

u64 mm_resident_pages(struct mm *mm)
{
	long pages = atomic64_read(&mm->resident_file) + atomic64_read(&mm->resident_anon);

	if (pages < 0)
		pages = 0;
	if (pages > mm->max_resident_pages)
		mm->max_resident_pages = pages;
	return pages;
}
EXPORT_SYMBOL(mm_resident_pages);

void __init vm_init(void)
{
	mm_slab = slab_cache_create("mm", sizeof(struct mm), 64, 0);
	vma_slab = slab_cache_create("vma", sizeof(struct vma), 0, 0);
	zero_page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	page_cache_start();
	page_lru_start();
	if (!mm_slab || !vma_slab || !zero_page)
		panic("no memory for address spaces");
}
