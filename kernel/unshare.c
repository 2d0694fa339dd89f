/*
 * unshare(2), setns(2): a thread goes on with copies of what it shared, or in another namespace. What there is one
 * of for the whole machine (host name, network, IPC, users, process numbers) cannot be had twice: -EINVAL, as of a Linux
 * built without it; but to enter the one that there is is allowed.
 *
 * Everybody who is in a restricted namespace of mounts, which was made without privilege, has promised to gain no privilege
 * (no_new_privs): who makes one has before, who enters one does by that.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/mount.h>
#include <kumo/syscalls.h>
#include <kumo/vm.h>
#include <linux/sched.h>

#include "process.h"

#define UNSHARE_FLAGS                                                                              \
	(CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES |          \
	 CLONE_SYSVSEM | NAMESPACES_MISSING)

bool may_have_namespace(void)
{
	return capable(CAP_SYS_ADMIN) || current->cred->no_new_privs;
}

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
	if (flags & NAMESPACES_MISSING && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & CLONE_NEWNS && !may_have_namespace())
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
		fs = fs_context_copy_namespace(current->fs, !capable(CAP_SYS_ADMIN));
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

/* Who administers the machine may enter any; others what somebody of theirs made. */
static bool may_enter(const struct namespace *namespace)
{
	const struct cred *cred = current->cred;

	if (capable(CAP_SYS_ADMIN) && capable(CAP_SYS_CHROOT))
		return true;
	return namespace->restricted && cred->no_new_privs && namespace->owner == cred->euid;
}

/* Into the namespace, at its root. */
static long enter_mounts(struct namespace *namespace)
{
	struct fs_context *fs;
	long error;

	if (!may_enter(namespace))
		return -EPERM;
	if (refcount_read(&current->fs->refs) > 1)
		return -EINVAL;
	fs = fs_context_enter(namespace, fs_umask());
	if (!fs)
		return -ENOMEM;
	error = namespace->restricted && !current->cred->no_new_privs ? set_no_new_privs() : 0;
	if (error)
		fs_context_put(fs);
	else
		thread_set_fs(fs);
	return error;
}

/* Into the one namespace that there is of a kind. One's own of users cannot be entered again. */
static long enter_only(unsigned long flag)
{
	if (flag == CLONE_NEWUSER)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return flag == CLONE_NEWTIME && READ_ONCE(current->process->thread_count) > 1 ? -EUSERS : 0;
}

/* The namespaces of a process; `flags` says which. */
static long enter_those_of(struct process *process, unsigned long flags)
{
	struct fs_context *theirs = NULL;
	struct thread *leader;
	long error = 0;

	if (!flags || flags & ~(unsigned long)(CLONE_NEWNS | NAMESPACES_MISSING))
		return -EINVAL;
	if (!process_may_inspect(process))
		return -EPERM;
	leader = process_leader_get(process);
	if (leader) {
		theirs = thread_fs_get(leader);
		thread_put(leader);
	}
	if (!theirs)
		return -ESRCH;
	for (unsigned long rest = flags & NAMESPACES_MISSING; rest && !error; rest &= rest - 1)
		error = enter_only(rest & -rest);
	if (!error && flags & CLONE_NEWNS)
		error = enter_mounts(theirs->namespace);
	fs_context_put(theirs);
	return error;
}

/* The namespace that an open file stands for. */
static long enter_file(struct file *file, unsigned long flags)
{
	struct namespace *mounts;
	unsigned long flag = namespace_of_file(file, &mounts);
	long error = -EINVAL;

	if (flag && (!flags || flags == flag))
		error = mounts ? enter_mounts(mounts) : enter_only(flag);
	if (mounts)
		namespace_put(mounts);
	return error;
}

long sys_setns(int fd, int flags)
{
	struct process *process = pidfd_process((unsigned int)fd, NULL);
	long result = -EBADF;

	if (IS_ERR(process)) {
		struct fd_ref ref = fd_borrow((unsigned int)fd);

		if (ref.file)
			result = enter_file(ref.file, (unsigned int)flags);
		fd_release(ref);
		return result;
	}
	result = enter_those_of(process, (unsigned int)flags);
	process_put(process);
	return result;
}
