/*
 * System calls on where memory lies: get_mempolicy, set_mempolicy, mbind, migrate_pages, move_pages. The machine is one NUMA node,
 * node 0, so every policy that can be had puts pages on it, and every page is where it is wanted: what is asked for is checked as by
 * Linux, a thread's policy is kept for who asks, and nothing moves.
 */
#include <kumo/err.h>
#include <kumo/page.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/mempolicy.h>

#include "process.h"

#define NODE_ZERO 1UL /* the only bit of a mask that can be set */
#define MASK_BITS 64  /* what is read of one, and written */
#define MASK_BITS_MOST (PAGE_SIZE * 8)
#define NODES_POSSIBLE 1UL /* a mask for the answer must have room for these */

/* A mask of `count` - 1 bits, as Linux's library counts them. Bits of nodes that cannot be are refused. */
static int read_mask(const unsigned long __user *from, unsigned long count, unsigned long *mask)
{
	unsigned long bits = count - 1, word;

	*mask = 0;
	if (!bits || !from || !count)
		return 0;
	if (bits > MASK_BITS_MOST)
		return -EINVAL;
	for (unsigned long at = 0; at < bits; at += MASK_BITS) {
		if (get_user(word, from + at / MASK_BITS))
			return -EFAULT;
		if (bits - at < MASK_BITS)
			word &= (1UL << (bits - at)) - 1;
		if (at && word)
			return -EINVAL;
		if (!at)
			*mask = word;
	}
	return 0;
}

static int write_mask(unsigned long __user *to, unsigned long count, unsigned long mask)
{
	unsigned long bytes = ALIGN_UP(count - 1, MASK_BITS) / 8;

	if (count && bytes > sizeof(mask)) {
		if (bytes > PAGE_SIZE)
			return -EINVAL;
		if (clear_user(to + 1, bytes - sizeof(mask)))
			return -EFAULT;
	}
	return copy_to_user(to, &mask, min(bytes, sizeof(mask))) ? -EFAULT : 0;
}

/* A mode, with its flags, and the nodes that go with it. */
static int check_policy(int mode, unsigned long nodes)
{
	int flags = mode & MPOL_MODE_FLAGS;

	mode &= ~MPOL_MODE_FLAGS;
	if (mode < 0 || mode >= MPOL_MAX ||
	    (flags & MPOL_F_STATIC_NODES && flags & MPOL_F_RELATIVE_NODES))
		return -EINVAL;
	if (flags & MPOL_F_NUMA_BALANCING && mode != MPOL_BIND)
		return -EINVAL;
	switch (mode) {
	case MPOL_DEFAULT:
	case MPOL_LOCAL:
		return nodes || (mode == MPOL_LOCAL && flags) ? -EINVAL : 0;
	case MPOL_PREFERRED:
		if (!nodes)
			return flags & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) ? -EINVAL : 0;
		break;
	}
	return nodes & NODE_ZERO ? 0 : -EINVAL;
}

long sys_set_mempolicy(int mode, const unsigned long __user *from, unsigned long count)
{
	unsigned long nodes;
	int error = read_mask(from, count, &nodes);

	if (!error)
		error = check_policy(mode, nodes);
	if (error)
		return error;
	current->memory_policy = (unsigned short)mode;
	current->memory_nodes = nodes & NODE_ZERO;
	return 0;
}

/* Whether something is mapped there. */
static int check_mapped(unsigned long address)
{
	struct mm *mm = current->mm;
	struct vma *vma;

	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	vma = vma_find(mm, address);
	up_read(&mm->map_lock);
	return vma && vma->start <= address ? 0 : -EFAULT;
}

long sys_get_mempolicy(int __user *mode, unsigned long __user *to, unsigned long count,
		       unsigned long address, unsigned long flags)
{
	unsigned long nodes = NODE_ZERO;
	int value = 0, error;

	if (flags & ~(unsigned long)(MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED) ||
	    (to && count < NODES_POSSIBLE))
		return -EINVAL;
	if (flags & MPOL_F_MEMS_ALLOWED) {
		if (flags & (MPOL_F_NODE | MPOL_F_ADDR))
			return -EINVAL;
	} else {
		if (flags & MPOL_F_ADDR) {
			error = check_mapped(address);
			if (error)
				return error;
		} else if (address) {
			return -EINVAL;
		}
		if (flags & MPOL_F_NODE && !(flags & MPOL_F_ADDR) &&
		    current->memory_policy != MPOL_INTERLEAVE)
			return -EINVAL;
		if (!(flags & MPOL_F_NODE))
			value = current->memory_policy;
		nodes = current->memory_nodes;
	}
	if (mode && put_user(value, mode))
		return -EFAULT;
	return to ? write_mask(to, count, nodes) : 0;
}

long sys_mbind(unsigned long start, unsigned long length, int mode,
	       const unsigned long __user *from, unsigned long count, unsigned int flags)
{
	unsigned long nodes, end;
	int error;

	if (flags & ~(unsigned int)MPOL_MF_VALID || start % PAGE_SIZE)
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	error = read_mask(from, count, &nodes);
	if (!error)
		error = check_policy(mode, nodes);
	if (error)
		return error;
	end = start + ALIGN_UP(length, PAGE_SIZE);
	if (end < start)
		return -EINVAL;
	for (unsigned long at = start; at < end && !error; at += PAGE_SIZE) {
		struct vma *vma;

		if (down_read_killable(&current->mm->map_lock))
			return -EINTR;
		vma = vma_find(current->mm, at);
		if (!vma || vma->start > at)
			error = -EFAULT;
		else
			at = vma->end - PAGE_SIZE;
		up_read(&current->mm->map_lock);
	}
	return error;
}

long sys_set_mempolicy_home_node(unsigned long start, unsigned long length, unsigned long node,
				 unsigned long flags)
{
	if (start % PAGE_SIZE || flags || node)
		return -EINVAL;
	return start + ALIGN_UP(length, PAGE_SIZE) < start ? -EINVAL : 0;
}

/* The memory of the process `pid` (0: the current one) if the current thread may move its pages, referenced; ERR_PTR. */
static struct mm *memory_to_move(int pid)
{
	struct mm *mm;

	if (pid && pid != current->process->pid)
		return process_memory_get(pid);
	mm = current->mm;
	mm_get(mm);
	return mm;
}

long sys_migrate_pages(int pid, unsigned long count, const unsigned long __user *from,
		       const unsigned long __user *to)
{
	unsigned long old, new;
	struct mm *mm;
	int error = read_mask(from, count, &old);

	if (!error)
		error = read_mask(to, count, &new);
	if (error)
		return error;
	mm = memory_to_move(pid);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	mm_put(mm);
	return new &NODE_ZERO ? 0 : -EINVAL;
}

/* Where the page at `address` is: its node, or -ENOENT and -EFAULT for what is not there. */
static int place_of(struct mm *mm, unsigned long address)
{
	struct vma *vma;
	u8 resident = 0;
	int error = 0;

	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	vma = vma_find(mm, address);
	if (!vma || vma->start > address)
		error = -EFAULT;
	up_read(&mm->map_lock);
	if (!error)
		error = vm_resident(mm, ALIGN_DOWN(address, PAGE_SIZE), 1, &resident);
	if (error)
		return -EFAULT;
	return resident & 1 ? 0 : -EFAULT;
}

long sys_move_pages(int pid, unsigned long count, void __user *const __user *pages,
		    const int __user *nodes, int __user *status, int flags)
{
	struct mm *mm;
	long error = 0;

	if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	if (flags & MPOL_MF_MOVE_ALL && !capable(CAP_SYS_NICE))
		return -EPERM;
	mm = memory_to_move(pid);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	for (unsigned long i = 0; i < count && !error; i++) {
		unsigned long page;
		int node = 0;

		if (get_user(page, (const unsigned long __user *)pages + i) ||
		    (nodes && get_user(node, nodes + i)))
			error = -EFAULT;
		else if (node)
			error = -ENODEV;
		else if (put_user(place_of(mm, page), status + i))
			error = -EFAULT;
		else if (fatal_signal_pending())
			error = -EINTR;
	}
	mm_put(mm);
	return error;
}
