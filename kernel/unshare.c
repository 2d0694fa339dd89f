/*
 * unshare(2), setns(2): a thread goes on with copies of what it shared, or in another process's namespace. What there is one
 * of for the whole machine (host name, network, IPC, users, process numbers) cannot be had twice: -EINVAL, as of a Linux
 * built without it.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/syscalls.h>
#include <kumo/vm.h>
#include <linux/sched.h>

#include "process.h"

#define UNSHARE_FLAGS                                                                              \
	(CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |          \
	 CLONE_SYSVSEM | NAMESPACES_MISSING)

static int check(unsigned long flags)
{
	const struct process *process = current->process;

	if (flags & ~(unsigned long)UNSHARE_FLAGS)
		return -EINVAL;
	/* Only what is not shared can be had alone: these are there to ask. */
	if (flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) && READ_ONCE(process->thread_count) > 1)
		return -EINVAL;
	if (flags & (CLONE_SIGHAND | CLONE_VM) && refcount_read(&current->sighand->refs) > 1)
		return -EINVAL;
	if (flags & CLONE_VM && refcount_read(&current->mm->users) > 1)
		return -EINVAL;
	if (flags & (CLONE_NEWNS | NAMESPACES_MISSING) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return flags & NAMESPACES_MISSING ? -EINVAL : 0;
}

/* The current thread's files alone; NULL: they are. ERR_PTR. */
static struct files *files_alone(void)
{
	return refcount_read(&current->files->refs) > 1 ? files_copy(current->files, ~0U) : NULL;
}

long sys_unshare(unsigned long flags)
{
	struct fs_context *fs = NULL;
	struct files *files = NULL;
	int error = check(flags);

	if (error)
		return error;
	if (flags & CLONE_NEWNS) {
		fs = fs_context_copy_namespace(current->fs);
		if (IS_ERR(fs))
			return PTR_ERR(fs);
	} else if (flags & CLONE_FS && refcount_read(&current->fs->refs) > 1) {
		fs = fs_context_copy(current->fs);
		if (!fs)
			return -ENOMEM;
	}
	if (flags & CLONE_FILES) {
		files = files_alone();
		if (IS_ERR(files)) {
			if (fs)
				fs_context_put(fs);
			return PTR_ERR(files);
		}
	}
	if (fs)
		thread_set_fs(fs);
	if (files)
		thread_set_files(files);
	return 0;
}

/* Into the mounts that a process sees, at their root. */
static long join_mounts(struct process *process)
{
	struct fs_context *fs, *theirs = NULL;
	struct thread *leader;

	if (!process_may_inspect(process) || !capable(CAP_SYS_ADMIN) || !capable(CAP_SYS_CHROOT))
		return -EPERM;
	if (refcount_read(&current->fs->refs) > 1)
		return -EINVAL;
	leader = process_leader_get(process);
	if (leader) {
		theirs = thread_fs_get(leader);
		thread_put(leader);
	}
	if (!theirs)
		return -ESRCH;
	fs = fs_context_enter(theirs->namespace, fs_umask());
	fs_context_put(theirs);
	if (!fs)
		return -ENOMEM;
	thread_set_fs(fs);
	return 0;
}

long sys_setns(int fd, int flags)
{
	struct process *process = pidfd_process((unsigned int)fd, NULL);
	long result = -EINVAL;

	if (IS_ERR(process)) {
		struct fd_ref ref = fd_borrow((unsigned int)fd);

		result = ref.file ? -EINVAL : -EBADF; /* there are no files that are namespaces */
		fd_release(ref);
		return result;
	}
	if (flags == CLONE_NEWNS)
		result = join_mounts(process);
	process_put(process);
	return result;
}
