/* The kernel's side of the vDSO: its pages, made when the first program starts, and their mappings. */
#define LOG_PREFIX "vdso: "
#include <kumo/arch/tsc.h>
#include <kumo/arch/vdso.h>
#include <kumo/err.h>
#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/vdso.h>
#include <kumo/vm.h>

extern const char vdso_image[], vdso_image_end[];

#define IMAGE_PAGES_LIMIT 4

static struct page *image_pages[IMAGE_PAGES_LIMIT], *data_page;
static struct mutex vdso_mutex = MUTEX_INIT(vdso_mutex, "vdso"); /* making the pages */
static struct vdso_data *data; /* in data_page; written by one at a time: see vdso_update() */
static u64 realtime_offset;

static unsigned long image_size(void)
{
	return (unsigned long)(vdso_image_end - vdso_image);
}

static void write_data(struct vdso_data *to, u64 realtime_offset_ns)
{
	WRITE_ONCE(to->sequence, to->sequence + 1);
	smp_wmb();
	to->base_tsc = tsc_clock.base_tsc;
	to->base_ns = tsc_clock.base_ns;
	to->ns_per_tick = tsc_clock.ns_per_tick;
	to->realtime_offset_ns = realtime_offset_ns;
	smp_wmb();
	WRITE_ONCE(to->sequence, to->sequence + 1);
}

void vdso_update(u64 realtime_offset_ns)
{
	struct vdso_data *present;

	__atomic_store_n(&realtime_offset, realtime_offset_ns, __ATOMIC_SEQ_CST);
	present = __atomic_load_n(&data, __ATOMIC_SEQ_CST);
	if (present)
		write_data(present, realtime_offset_ns);
}

/* The pages; whatever was made stays for the next attempt. */
static int make_pages(void)
{
	unsigned long size = image_size();
	struct vdso_data *fresh;

	if (size > IMAGE_PAGES_LIMIT * PAGE_SIZE)
		panic("the vDSO has grown to %lu bytes", size);
	for (unsigned long i = 0; i * PAGE_SIZE < size; i++) {
		if (image_pages[i])
			continue;
		image_pages[i] = page_alloc(0, GFP_KERNEL | GFP_ZERO);
		if (!image_pages[i])
			return -ENOMEM;
		memcpy(page_address(image_pages[i]), vdso_image + i * PAGE_SIZE,
		       min(PAGE_SIZE, size - i * PAGE_SIZE));
	}
	data_page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	if (!data_page)
		return -ENOMEM;
	fresh = page_address(data_page);
	write_data(fresh, realtime_offset);
	__atomic_store_n(&data, fresh, __ATOMIC_SEQ_CST);
	/* The date may have been set before vdso_update() could see the page. */
	if (fresh->realtime_offset_ns != __atomic_load_n(&realtime_offset, __ATOMIC_SEQ_CST))
		write_data(fresh, realtime_offset);
	return 0;
}

static struct page *image_fault(struct vma *vma, u64 offset_pages, bool write)
{
	struct page *page = offset_pages < IMAGE_PAGES_LIMIT ? image_pages[offset_pages] : NULL;

	if (!page)
		return ERR_PTR(-EFAULT);
	page_get(page);
	return page;
}

static struct page *data_fault(struct vma *vma, u64 offset_pages, bool write)
{
	if (offset_pages)
		return ERR_PTR(-EFAULT);
	page_get(data_page);
	return data_page;
}

static const struct vma_ops image_ops = { .fault = image_fault };
static const struct vma_ops data_ops = { .fault = data_fault };

/* The code finds its data by the distance, so the data page lies right below the image. */
int vdso_map(struct mm *mm)
{
	struct vma *image, *below;
	int error = 0;

	if (unlikely(!READ_ONCE(data))) {
		mutex_lock(&vdso_mutex);
		if (!data)
			error = make_pages();
		mutex_unlock(&vdso_mutex);
		if (error)
			return error;
	}
	image = vm_map_special(mm, 0, image_size(), VM_READ | VM_EXEC | VM_MAYREAD | VM_MAYEXEC,
			       &image_ops, NULL, "[vdso]");
	if (IS_ERR(image))
		return (int)PTR_ERR(image);
	below = vm_map_special(mm, image->start - PAGE_SIZE, PAGE_SIZE, VM_READ | VM_MAYREAD,
			       &data_ops, NULL, "[vvar]");
	if (IS_ERR(below))
		return (int)PTR_ERR(below);
	if (below->end != image->start)
		return -ENOMEM; /* only when something was mapped there before */
	mm->vdso = image->start;
	return 0;
}
