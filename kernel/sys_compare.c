/* System calls on other processes' memory and parts: process_vm_readv(2), process_vm_writev(2), process_madvise(2), kcmp(2). */
#include <kumo/epoll.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/page.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <linux/mman.h>

#include "process.h"
#include "segments.h"

struct mm *process_memory_get(int pid)
{
	struct thread *thread = thread_find(pid);
	struct mm *mm = ERR_PTR(-EPERM);

	if (!thread)
		return ERR_PTR(-ESRCH);
	if (!thread->process || process_may_attach(thread->process)) {
		mm = thread_mm_get(thread);
		if (!mm) /* one that has ended, or a kernel thread */
			mm = ERR_PTR(-ESRCH);
	}
	thread_put(thread);
	return mm;
}

/* One piece, within a page, between here and there; how much, or -EFAULT. */
static ssize_t transfer_piece(struct mm *mm, unsigned long there, struct iter *here, size_t size,
			      bool write)
{
	struct page *page = mm_get_page(mm, there, write);
	size_t done;
	void *bytes;

	if (IS_ERR(page))
		return -EFAULT;
	bytes = (char *)page_address(page) + there % PAGE_SIZE;
	done = write ? iter_copy_from(here, bytes, size) : iter_copy_to(here, bytes, size);
	page_put(page);
	return done ? (ssize_t)done : -EFAULT;
}

/* Segment by segment until one side is at its end or cannot be reached; what was done before counts. */
static ssize_t transfer(struct mm *mm, const struct segments *theirs, unsigned long count,
			struct iter *here, bool write)
{
	ssize_t total = 0, done;

	for (unsigned long i = 0; i < count; i++) {
		unsigned long there = (unsigned long)theirs->list[i].iov_base;
		unsigned long end = there + theirs->list[i].iov_len;

		while (there < end && here->count) {
			size_t size = min(end - there, PAGE_SIZE - there % PAGE_SIZE);

			size = min(size, here->count);
			done = transfer_piece(mm, there, here, size, write);
			if (done < 0)
				return total ? total : done;
			total += done;
			there += (unsigned long)done;
			if ((size_t)done < size)
				return total;
			if (fatal_signal_pending())
				return total ? total : -EINTR;
			cond_resched();
		}
	}
	return total;
}

static long process_memory(int pid, const struct iovec __user *local, unsigned long local_count,
			   const struct iovec __user *remote, unsigned long remote_count,
			   unsigned long flags, bool write)
{
	struct segments ours, theirs;
	struct iter here, there;
	struct mm *mm;
	long result;

	if (flags)
		return -EINVAL;
	result = segments_get(&ours, &here, local, local_count);
	if (result)
		return result;
	result = segments_get(&theirs, &there, remote, remote_count);
	if (result)
		goto put_ours;
	if (!here.count || !there.count)
		goto put;
	mm = process_memory_get(pid);
	result = PTR_ERR(mm);
	if (IS_ERR(mm))
		goto put;
	result = transfer(mm, &theirs, remote_count, &here, write);
	mm_put(mm);
put:
	segments_put(&theirs);
put_ours:
	segments_put(&ours);
	return result;
}

long sys_process_vm_readv(int pid, const struct iovec __user *local, unsigned long local_count,
			  const struct iovec __user *remote, unsigned long remote_count,
			  unsigned long flags)
{
	return process_memory(pid, local, local_count, remote, remote_count, flags, false);
}

long sys_process_vm_writev(int pid, const struct iovec __user *local, unsigned long local_count,
			   const struct iovec __user *remote, unsigned long remote_count,
			   unsigned long flags)
{
	return process_memory(pid, local, local_count, remote, remote_count, flags, true);
}

/* ---- process_madvise, process_mrelease ---- */

/* Advice that changes nothing of what the other process sees. */
static bool is_harmless(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED ||
	       advice == MADV_COLLAPSE;
}

static ssize_t advise(struct mm *mm, const struct segments *ranges, unsigned long count, int advice)
{
	ssize_t total = 0;

	for (unsigned long i = 0; i < count; i++) {
		const struct iovec *range = &ranges->list[i];
		long error = vm_advise(mm, (unsigned long)range->iov_base, range->iov_len, advice);

		if (error)
			return total ? total : error;
		total += (ssize_t)range->iov_len;
	}
	return total;
}

long sys_process_madvise(int fd, const struct iovec __user *from, unsigned long count, int advice,
			 unsigned int flags)
{
	struct process *process;
	struct segments ranges;
	struct iter iter;
	struct mm *mm;
	long result;

	if (flags)
		return -EINVAL;
	result = segments_get(&ranges, &iter, from, count);
	if (result)
		return result;
	process = pidfd_process((unsigned int)fd, NULL);
	result = PTR_ERR(process);
	if (IS_ERR(process))
		goto put;
	mm = is_harmless(advice) ? process_memory_get(process->pid) : ERR_PTR(-EINVAL);
	process_put(process);
	result = PTR_ERR(mm);
	if (IS_ERR(mm)) {
		if (result == -EPERM)
			result = -EACCES; /* Linux's name for it, here alone */
		goto put;
	}
	result = capable(CAP_SYS_NICE) ? advise(mm, &ranges, count, advice) : -EPERM;
	mm_put(mm);
put:
	segments_put(&ranges);
	return result;
}

/* Takes the memory of a process that is being killed. Here the dying threads give it back themselves, and soon: there is only
 * to say whether the process is one. */
long sys_process_mrelease(int fd, unsigned int flags)
{
	struct process *process;
	long result = -EINVAL;

	if (flags)
		return -EINVAL;
	process = pidfd_process((unsigned int)fd, NULL);
	if (IS_ERR(process))
		return PTR_ERR(process);
	if (READ_ONCE(process->zombie))
		result = -ESRCH; /* it has none any more */
	else if (READ_ONCE(process->exiting))
		result = 0;
	process_put(process);
	return result;
}

/* ---- kcmp ---- */

/* 0: the same; 1 and 2: an order, which says no more than that. */
static long compare(const void *a, const void *b)
{
	return a == b ? 0 : a < b ? 1 : 2;
}

/* What descriptor `number` of a thread is open on, referenced; NULL: nothing. */
static struct file *file_of(struct thread *thread, unsigned long number)
{
	struct files *files = thread_files_get(thread);
	unsigned int found = (unsigned int)number;
	struct file *file;

	if (!files)
		return NULL;
	file = number > 0x7fffffff ? NULL : files_next(files, &found);
	files_put(files);
	if (!file || found == number)
		return file;
	file_put(file);
	return NULL;
}

static long compare_files(struct thread *a, struct thread *b, unsigned long first, unsigned long second)
{
	struct file *one = file_of(a, first), *other = file_of(b, second);
	long result = one && other ? compare(one, other) : -EBADF;

	if (one)
		file_put(one);
	if (other)
		file_put(other);
	return result;
}

/* A file of the first with one that an event set of the second watches. */
static long compare_watched(struct thread *a, struct thread *b, unsigned long first,
			    const struct kcmp_epoll_slot __user *from)
{
	struct kcmp_epoll_slot slot;
	const struct file *watched;
	struct file *one, *set;
	long result = -EBADF;

	if (copy_from_user(&slot, from, sizeof(slot)))
		return -EFAULT;
	one = file_of(a, first);
	if (!one)
		return -EBADF;
	set = file_of(b, slot.efd);
	if (set) {
		result = epoll_target(set, slot.tfd, slot.toff, &watched);
		if (!result)
			result = compare(one, watched);
		file_put(set);
	}
	file_put(one);
	return result;
}

static long compare_parts(struct thread *a, struct thread *b, int type, unsigned long first,
			  unsigned long second)
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(a, b, first, second);
	case KCMP_VM:
		return compare(READ_ONCE(a->mm), READ_ONCE(b->mm));
	case KCMP_FILES:
		return compare(READ_ONCE(a->files), READ_ONCE(b->files));
	case KCMP_FS:
		return compare(READ_ONCE(a->fs), READ_ONCE(b->fs));
	case KCMP_SIGHAND:
		return compare(READ_ONCE(a->sighand), READ_ONCE(b->sighand));
	case KCMP_IO: /* nobody has any of these: they are all the same */
	case KCMP_SYSVSEM:
		return 0;
	case KCMP_EPOLL_TFD:
		return compare_watched(a, b, first, (const struct kcmp_epoll_slot __user *)second);
	default:
		return -EINVAL;
	}
}

static bool may_compare(struct thread *thread)
{
	return !thread->process || process_may_attach(thread->process);
}

long sys_kcmp(int pid1, int pid2, int type, unsigned long first, unsigned long second)
{
	struct thread *a = thread_find(pid1), *b = thread_find(pid2);
	long result = -ESRCH;

	if (a && b)
		result = may_compare(a) && may_compare(b) ? compare_parts(a, b, type, first, second)
							  : -EPERM;
	if (a)
		thread_put(a);
	if (b)
		thread_put(b);
	return result;
}
