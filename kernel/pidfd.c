/*
 * pidfds: descriptors for processes, pidfd_open(2) and clone(2) with CLONE_PIDFD. The file holds a reference to the
 * struct process, so it never means another one, whatever becomes of the number.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/pidfd.h>

#include "process.h"

static u32 pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *process = file->private;

	poll_wait(file, &process->end_wait, table);
	return READ_ONCE(process->zombie) ? POLLIN | POLLRDNORM : 0;
}

static void pidfd_show_info(struct file *file, struct text *text)
{
	const struct process *process = file->private;
	int pid = READ_ONCE(process->reaped) ? -1 : process->pid;

	text_printf(text, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
}

static void pidfd_clunk(struct file *file)
{
	process_put(file->private);
}

static const struct tree_ops pidfd_ops = {
	.clunk = pidfd_clunk,
	.poll = pidfd_poll,
	.show_info = pidfd_show_info,
};

struct file *pidfd_create(struct process *process, u32 flags)
{
	struct file *file = file_anonymous("[pidfd]", &pidfd_ops, process,
					   O_RDWR | (flags & PIDFD_NONBLOCK),
					   FILE_READ | FILE_WRITE | FILE_STREAM);

	if (!IS_ERR(file))
		process_get(process);
	return file;
}

struct process *pidfd_process(unsigned int fd, u32 *flags)
{
	struct fd_ref ref = fd_borrow(fd);
	struct process *process = ERR_PTR(-EBADF);

	if (ref.file && ref.file->ops == &pidfd_ops) {
		process = ref.file->private;
		process_get(process);
		if (flags)
			*flags = READ_ONCE(ref.file->flags);
	}
	fd_release(ref);
	return process;
}

/* pidfd_send_signal(2) takes a directory of /proc, too. */
static struct process *signal_target(unsigned int fd)
{
	struct process *process = pidfd_process(fd, NULL);
	struct fd_ref ref;

	if (!IS_ERR(process))
		return process;
	ref = fd_borrow(fd);
	if (ref.file) {
		struct process *found = proc_directory_process(ref.file);

		process = found ? found : process;
	}
	fd_release(ref);
	return process;
}

long sys_pidfd_open(int pid, unsigned int flags)
{
	struct process *process;
	struct file *file;

	if (flags & ~(u32)PIDFD_NONBLOCK || pid <= 0)
		return -EINVAL;
	process = process_find(pid);
	if (!process) {
		struct thread *thread = thread_find(pid);

		if (!thread)
			return -ESRCH;
		thread_put(thread);
		return -EINVAL; /* only a process has one */
	}
	file = pidfd_create(process, flags);
	process_put(process);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, O_CLOEXEC);
}

static long read_info(siginfo_t *info, const siginfo_t __user *from, struct process *process, int signal)
{
	if (copy_from_user(info, from, sizeof(*info)))
		return -EFAULT;
	if (info->si_signo != signal)
		return -EINVAL;
	return signal_info_allowed(info, process == current->process) ? 0 : -EPERM;
}

long sys_pidfd_send_signal(unsigned int fd, int signal, const siginfo_t __user *from, unsigned int flags)
{
	struct process *process;
	siginfo_t info;
	long result = 0;

	if (flags)
		return -EINVAL;
	process = signal_target(fd);
	if (IS_ERR(process))
		return PTR_ERR(process);
	if (from)
		result = read_info(&info, from, process, signal);
	else
		signal_info_user(&info, signal, SI_USER);
	if (!result && (signal < 0 || signal > SIGNAL_COUNT))
		result = -EINVAL;
	if (!result && READ_ONCE(process->reaped))
		result = -ESRCH;
	if (!result)
		result = signal_send_permitted(process, signal, &info);
	process_put(process);
	return result;
}

/* The file that another process has open, referenced; ERR_PTR. */
static struct file *file_of(struct process *process, unsigned int number)
{
	struct files *files = NULL;
	struct thread *leader;
	struct file *file;
	unsigned int found = number;

	leader = process_leader_get(process);
	if (!leader)
		return ERR_PTR(-ESRCH);
	if (!process_may_inspect(process)) {
		thread_put(leader);
		return ERR_PTR(-EPERM);
	}
	files = thread_files_get(leader);
	thread_put(leader);
	if (!files)
		return ERR_PTR(-ESRCH);
	file = files_next(files, &found);
	files_put(files);
	if (file && found == number)
		return file;
	if (file)
		file_put(file);
	return ERR_PTR(-EBADF);
}

long sys_pidfd_getfd(unsigned int fd, unsigned int number, unsigned int flags)
{
	struct process *process;
	struct file *file;

	if (flags)
		return -EINVAL;
	process = pidfd_process(fd, NULL);
	if (IS_ERR(process))
		return PTR_ERR(process);
	file = file_of(process, number);
	process_put(process);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, O_CLOEXEC);
}
