/*
 * signalfd(2): signals that are read. The file holds a set of signals and nothing else: a read takes pending ones of that set
 * from the thread that reads, or its process, as sigwaitinfo(2) does.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/poll.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/signalfd.h>

#include "process.h"

struct signalfd {
	signal_mask wanted;
};

static const struct tree_ops signalfd_ops;

_Static_assert(sizeof(struct signalfd_siginfo) == 128, "Linux's layout");

/* The members of a siginfo_t that its signal and code give a meaning. */
static void describe(struct signalfd_siginfo *to, const siginfo_t *info)
{
	int signal = info->si_signo, code = info->si_code;
	bool of_kernel = code > SI_USER && code < SI_KERNEL;

	memset(to, 0, sizeof(*to));
	to->ssi_signo = (u32)signal;
	to->ssi_errno = info->si_errno;
	to->ssi_code = code;
	if (of_kernel && signal == SIGCHLD) {
		to->ssi_pid = (u32)info->si_pid;
		to->ssi_uid = info->si_uid;
		to->ssi_status = info->si_status;
		to->ssi_utime = (u64)info->si_utime;
		to->ssi_stime = (u64)info->si_stime;
	} else if (of_kernel && (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL ||
				 signal == SIGFPE || signal == SIGTRAP)) {
		to->ssi_addr = (u64)info->si_addr;
	} else if (of_kernel && signal == SIGSYS) {
		to->ssi_call_addr = (u64)info->si_call_addr;
		to->ssi_syscall = info->si_syscall;
		to->ssi_arch = info->si_arch;
	} else if (of_kernel || code == SI_SIGIO) {
		to->ssi_band = (u32)info->si_band;
		to->ssi_fd = info->si_fd;
	} else if (code == SI_TIMER) {
		to->ssi_tid = (u32)info->si_tid;
		to->ssi_overrun = (u32)info->si_overrun;
		to->ssi_ptr = (u64)info->si_ptr;
		to->ssi_int = info->si_int;
	} else {
		to->ssi_pid = (u32)info->si_pid;
		to->ssi_uid = info->si_uid;
		if (code < 0) {
			to->ssi_ptr = (u64)info->si_ptr;
			to->ssi_int = info->si_int;
		}
	}
}

static bool is_pending(const struct signalfd *set)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(current->process, &flags);
	bool pending = (current->pending.mask | current->process->pending.mask) &
		       READ_ONCE(set->wanted);

	sighand_unlock(sighand, flags);
	return pending;
}

static int take(const struct signalfd *set, siginfo_t *info)
{
	unsigned long flags;
	struct sighand *sighand = sighand_lock(current->process, &flags);
	int signal = signal_dequeue(set->wanted, info);

	sighand_unlock(sighand, flags);
	if (signal)
		posix_timer_taken(info);
	return signal;
}

static ssize_t signalfd_read(struct file *file, struct iter *to, loff_t *pos)
{
	const struct signalfd *set = file->private;
	struct signalfd_siginfo told;
	siginfo_t info;
	ssize_t total = 0;

	if (to->count < sizeof(told))
		return -EINVAL;
	while (to->count >= sizeof(told)) {
		if (!take(set, &info)) {
			int error = -EAGAIN;

			if (total)
				break;
			if (!(file->flags & O_NONBLOCK))
				error = wait_event_interruptible(&current->sighand->signalfd_wait,
								 is_pending(set));
			if (error)
				return error;
			continue;
		}
		describe(&told, &info);
		if (iter_copy_to(to, &told, sizeof(told)) != sizeof(told))
			return total ? total : -EFAULT;
		total += (ssize_t)sizeof(told);
	}
	return total;
}

static u32 signalfd_poll(struct file *file, struct poll_table *table)
{
	poll_wait(file, &current->sighand->signalfd_wait, table);
	return is_pending(file->private) ? POLLIN : 0;
}

static void signalfd_show_info(struct file *file, struct text *text)
{
	const struct signalfd *set = file->private;

	text_printf(text, "sigmask:\t%016llx\n", (unsigned long long)set->wanted);
}

static void signalfd_clunk(struct file *file)
{
	kfree(file->private);
}

static const struct tree_ops signalfd_ops = {
	.clunk = signalfd_clunk,
	.seek = file_seek_stays,
	.read = signalfd_read,
	.poll = signalfd_poll,
	.show_info = signalfd_show_info,
};

static long signalfd_create(signal_mask wanted, int flags)
{
	struct signalfd *set = kmalloc(sizeof(*set), GFP_USER);
	struct file *file;

	if (!set)
		return -ENOMEM;
	set->wanted = wanted;
	file = file_anonymous("[signalfd]", &signalfd_ops, set, O_RDWR | ((u32)flags & O_NONBLOCK),
			      FILE_READ | FILE_WRITE | FILE_STREAM);
	if (IS_ERR(file)) {
		kfree(set);
		return PTR_ERR(file);
	}
	return fd_add(file, (u32)flags);
}

static long signalfd_change(int fd, signal_mask wanted)
{
	struct fd_ref ref = fd_borrow((unsigned int)fd);
	long result = fd;

	if (!ref.file)
		return -EBADF;
	if (ref.file->ops == &signalfd_ops) {
		struct signalfd *set = ref.file->private;

		WRITE_ONCE(set->wanted, wanted);
		wake_up(&current->sighand->signalfd_wait);
	} else {
		result = -EINVAL;
	}
	fd_release(ref);
	return result;
}

long sys_signalfd4(int fd, const sigset_t __user *mask, size_t size, int flags)
{
	sigset_t wanted;

	if (size != sizeof(wanted))
		return -EINVAL;
	if (get_user(wanted, mask))
		return -EFAULT;
	if (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK))
		return -EINVAL;
	wanted &= ~SIGNAL_MASK_KERNEL;
	return fd == -1 ? signalfd_create(wanted, flags) : signalfd_change(fd, wanted);
}

long sys_signalfd(int fd, const sigset_t __user *mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}
