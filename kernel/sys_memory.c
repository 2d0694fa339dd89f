/* System calls of memory: mappings, protections, advice, locking. What they mean is in mm/; here are Linux's numbers. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/capability.h>
#include <linux/membarrier.h>
#include <linux/mman.h>
#include <linux/resource.h>

#include "process.h"

#define MINCORE_CHUNK 256

long sys_mmap(unsigned long address, unsigned long length, unsigned long prot, unsigned long flags,
	      unsigned long fd, unsigned long offset)
{
	struct file *file;
	long result;

	if (offset % PAGE_SIZE)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS && flags & MAP_HUGETLB) { /* as on a Linux whose pool of huge pages is empty */
		unsigned int size_bits = flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

		return size_bits && size_bits != 21 && size_bits != 30 ? -EINVAL : -ENOMEM;
	}
	if (flags & MAP_ANONYMOUS)
		return vm_map(current->mm, address, length, prot, flags, NULL, offset >> PAGE_SHIFT);
	file = fd_get((unsigned int)fd);
	if (!file)
		return -EBADF;
	result = -EINVAL;
	if (!(flags & MAP_HUGETLB)) /* no file has huge pages */
		result = vm_map(current->mm, address, length, prot, flags, file, offset >> PAGE_SHIFT);
	file_put(file);
	return result;
}

long sys_munmap(unsigned long address, unsigned long length)
{
	return vm_unmap(current->mm, address, length);
}

long sys_mprotect(unsigned long address, unsigned long length, unsigned long prot)
{
	return vm_protect(current->mm, address, length, prot);
}

long sys_mremap(unsigned long old, unsigned long old_length, unsigned long new_length,
		unsigned long flags, unsigned long new_address)
{
	return vm_remap(current->mm, old, old_length, new_length, flags, new_address);
}

long sys_madvise(unsigned long address, unsigned long length, int advice)
{
	return vm_advise(current->mm, address, length, advice);
}

long sys_brk(unsigned long brk)
{
	return (long)vm_brk(current->mm, brk);
}

/* Calls fsync for each file that the range maps shared. Memory that is not mapped makes it -ENOMEM in the end. */
long sys_msync(unsigned long start, unsigned long length, int flags)
{
	unsigned long end;
	struct mm *mm = current->mm;
	struct file *file;
	struct vma *vma;
	int error, result = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start % PAGE_SIZE ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	length = ALIGN_UP(length, PAGE_SIZE);
	end = start + length;
	if (end < start)
		return -ENOMEM;
	while (start < end) {
		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, start);
		if (!vma || vma->start > start)
			result = -ENOMEM;
		if (!vma || vma->start >= end) {
			up_read(&mm->map_lock);
			break;
		}
		error = flags & MS_INVALIDATE && vma->flags & VM_LOCKED ? -EBUSY : 0;
		file = flags & MS_SYNC && vma->flags & VM_SHARED && vma->file ? file_get(vma->file)
									      : NULL;
		start = vma->end;
		up_read(&mm->map_lock);
		if (file) {
			if (!error && file->ops->fsync)
				error = file_sync(file, false);
			file_put(file);
		}
		if (error)
			return error;
	}
	return result;
}

long sys_mincore(unsigned long start, unsigned long length, u8 __user *vector)
{
	u8 resident[MINCORE_CHUNK];
	unsigned long pages;
	unsigned int part;
	int error;

	if (start % PAGE_SIZE)
		return -EINVAL;
	if (length > USER_END || start > USER_END - length)
		return -ENOMEM;
	pages = ALIGN_UP(length, PAGE_SIZE) >> PAGE_SHIFT;
	if (!user_range_ok(vector, pages))
		return -EFAULT;
	while (pages) {
		part = min(pages, (unsigned long)MINCORE_CHUNK);
		error = vm_resident(current->mm, start, part, resident);
		if (error)
			return error;
		if (copy_to_user(vector, resident, part))
			return -EFAULT;
		start += part * PAGE_SIZE;
		vector += part;
		pages -= part;
		cond_resched();
	}
	return 0;
}

long sys_mlock(unsigned long start, unsigned long length)
{
	return vm_mlock(current->mm, start, length, VM_LOCKED);
}

long sys_mlock2(unsigned long start, unsigned long length, int flags)
{
	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;
	return vm_mlock(current->mm, start, length,
			VM_LOCKED | (flags & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0));
}

long sys_munlock(unsigned long start, unsigned long length)
{
	return vm_mlock(current->mm, start, length, 0);
}

long sys_mlockall(int flags)
{
	unsigned int lock = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);

	if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (!process_limit(RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	return vm_mlock_all(current->mm, flags & MCL_CURRENT ? lock : 0, flags & MCL_FUTURE ? lock : 0);
}

long sys_munlockall(void)
{
	return vm_mlock_all(current->mm, 0, 0);
}

/* The old way to map a file's pages in another order: what is mapped shows other pages of the same memory. */
long sys_remap_file_pages(unsigned long start, unsigned long length, unsigned long prot,
			  unsigned long offset_pages, unsigned long flags)
{
	start = ALIGN_DOWN(start, PAGE_SIZE);
	length = ALIGN_DOWN(length, PAGE_SIZE);
	if (prot || start + length <= start || offset_pages + (length >> PAGE_SHIFT) < offset_pages)
		return -EINVAL;
	return vm_remap_pages(current->mm, start, length, offset_pages, !(flags & MAP_NONBLOCK));
}

/* Protection keys, as on a processor without them: there is none to be had, and only key -1 means anything. */
long sys_pkey_alloc(unsigned long flags, unsigned long rights)
{
	return flags || rights & ~(PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE) ? -EINVAL : -ENOSPC;
}

long sys_pkey_free(int key)
{
	return -EINVAL;
}

long sys_pkey_mprotect(unsigned long address, unsigned long length, unsigned long prot, int key)
{
	return key == -1 ? vm_protect(current->mm, address, length, prot) : -EINVAL;
}

/* The barrier is an interrupt of every CPU, whose return serialises. Programs must say beforehand that they will want the
 * private ones; it costs nothing, but they are told when they forget. */
static long barrier_if_registered(int command)
{
	if (!(READ_ONCE(current->mm->barriers) & command))
		return -EPERM;
	vm_barrier_all_cpus();
	return 0;
}

static long barrier_register(int command)
{
	__atomic_fetch_or(&current->mm->barriers, command, __ATOMIC_RELAXED);
	return 0;
}

/* What runs of the program is in no restartable sequence any more when this returns; `cpu` negative: on any CPU. */
static long barrier_for_sequences(int cpu)
{
	if (!(READ_ONCE(current->mm->barriers) & MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ))
		return -EPERM;
	rseq_abort_all(current->mm, cpu);
	return 0;
}

long sys_membarrier(int command, unsigned int flags, int cpu)
{
	bool one_cpu = command == MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ &&
		       flags == MEMBARRIER_CMD_FLAG_CPU;

	if (flags && !one_cpu)
		return -EINVAL;
	switch (command) {
	case MEMBARRIER_CMD_QUERY:
		return MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
		       MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE |
		       MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ |
		       MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ;
	case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
		return 0;
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
		return barrier_register(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
		return barrier_register(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
	case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ:
		return barrier_register(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ:
		return barrier_for_sequences(one_cpu ? cpu : -1);
	case MEMBARRIER_CMD_GLOBAL:
	case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
		vm_barrier_all_cpus();
		return 0;
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
	case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
		return barrier_if_registered(command);
	}
	return -EINVAL;
}
