/*
 * Making threads and processes: fork, vfork, clone.
 *
 * A child is put together while nobody can see it: whatever may fail or sleep happens then. In one step under
 * process_tree_lock it becomes visible: its number leads to it, it is its parent's child (or its process's thread), and a member
 * of its group. The step is not taken when a signal is pending for the maker: the call is restarted after the signal, so
 * a signal to a group reaches either the maker before the child exists, or the child, too.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/sched.h>

#include "process.h"

#define STACK_LIMIT_DEFAULT (8 * MIB)
#define MEMLOCK_LIMIT_DEFAULT (8 * MIB)
#define MESSAGE_QUEUE_LIMIT_DEFAULT 819200

spinlock_t process_tree_lock = SPINLOCK_INIT("process_tree");
struct process *init_process;
EXPORT_SYMBOL(init_process);
static DEFINE_PER_CPU(u64, fork_counts);

u64 fork_count(void)
{
	u64 count = 0;

	for_each_cpu(cpu)
		count += READ_ONCE(*per_cpu_ptr(&fork_counts, cpu));
	return count;
}
int threads_max;

/* It has no threads and no number: a root for the tree of processes. */
struct process kernel_process = {
	.refs = { ATOMIC_INIT(1) },
	.lock = SPINLOCK_INIT("process"),
	.threads = LIST_INIT(kernel_process.threads),
	.children = LIST_INIT(kernel_process.children),
	.sibling = LIST_INIT(kernel_process.sibling),
	.child_wait = WAIT_QUEUE_INIT(kernel_process.child_wait),
	.pending.queue = LIST_INIT(kernel_process.pending.queue),
	.group = &no_group,
};

u64 process_limit(unsigned int resource)
{
	struct process *process = current->process;

	return process ? READ_ONCE(process->limits[resource].rlim_cur) : RLIM_INFINITY;
}
EXPORT_SYMBOL(process_limit);

/* Linux's checks, in its order. */
static int check_flags(const struct clone_request *request)
{
	u64 flags = request->flags;

	if ((flags & CLONE_THREAD && !(flags & CLONE_SIGHAND)) ||
	    (flags & CLONE_SIGHAND && !(flags & CLONE_VM)))
		return -EINVAL;
	if (flags & CLONE_NEWNS && flags & CLONE_FS)
		return -EINVAL;
	if (flags & CLONE_PARENT && current->process->unkillable)
		return -EINVAL; /* brothers of the first process would have nobody to wait for them */
	if (flags & CLONE_CLEAR_SIGHAND && flags & CLONE_SIGHAND)
		return -EINVAL;
	if (flags & NAMESPACES_MISSING && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (flags & CLONE_NEWNS && !may_have_namespace())
		return -EPERM;
	if (flags & NAMESPACES_MISSING)
		return -EINVAL;
	if (flags & CLONE_PIDFD && flags & CLONE_THREAD)
		return -EINVAL;
	/* Both would be told at the same address. */
	if (flags & CLONE_PIDFD && flags & CLONE_PARENT_SETTID && request->pidfd == request->parent_tid)
		return -EINVAL;
	if (flags & CLONE_INTO_CGROUP)
		return -EBADF; /* there are no control groups whose descriptor it could be */
	return 0;
}

/* The limit of the machine holds for everybody; that of a user not for who administers it. */
static bool too_many_threads(const struct cred *cred)
{
	if (atomic_read(&thread_total) >= READ_ONCE(threads_max))
		return true;
	return (u64)atomic_read(&cred->user->process_count) >= process_limit(RLIMIT_NPROC) &&
	       cred->uid != 0 && !cred_capable(cred, CAP_SYS_RESOURCE) &&
	       !cred_capable(cred, CAP_SYS_ADMIN);
}

/* The parts that the child shares with its maker or has copied; released by thread_undo(). */
static int copy_parts(struct thread *child, u64 flags)
{
	struct thread *parent = current;

	if (flags & CLONE_FILES) {
		refcount_inc(&parent->files->refs);
		child->files = parent->files;
	} else {
		struct files *files = files_copy(parent->files, ~0U);

		if (IS_ERR(files))
			return (int)PTR_ERR(files);
		child->files = files;
	}
	if (flags & CLONE_NEWNS) {
		struct fs_context *fs = fs_context_copy_namespace(parent->fs, !capable(CAP_SYS_ADMIN));

		if (IS_ERR(fs))
			return (int)PTR_ERR(fs);
		child->fs = fs;
	} else if (flags & CLONE_FS) {
		refcount_inc(&parent->fs->refs);
		child->fs = parent->fs;
	} else {
		child->fs = fs_context_copy(parent->fs);
		if (!child->fs)
			return -ENOMEM;
	}
	if (flags & CLONE_VM) {
		mm_get(parent->mm);
		child->mm = parent->mm;
	} else {
		struct mm *mm = mm_fork(parent->mm);

		if (IS_ERR(mm))
			return (int)PTR_ERR(mm);
		child->mm = mm;
	}
	return 0;
}

/* A process for the child: what its maker's process hands down. NULL: no memory. */
static struct process *process_copy(u64 clone_flags)
{
	struct process *from = current->process, *process = process_alloc();
	unsigned long flags;

	if (!process)
		return NULL;
	if (clone_flags & CLONE_SIGHAND) {
		refcount_inc(&from->sighand->refs);
		process->sighand = from->sighand;
	} else if (clone_flags & CLONE_CLEAR_SIGHAND) {
		process->sighand = sighand_create();
		if (process->sighand)
			sighand_keep_ignored(process->sighand, from);
	} else {
		process->sighand = sighand_copy(from->sighand);
	}
	if (!process->sighand) {
		process_free_unused(process);
		return NULL;
	}
	flags = spin_lock_irqsave(&from->lock);
	memcpy(process->limits, from->limits, sizeof(process->limits));
	spin_unlock_irqrestore(&from->lock, flags);
	process->dumpable = from->dumpable;
	process->huge_pages_off = from->huge_pages_off;
	process->personality = from->personality;
	process->core_filter = from->core_filter;
	process->oom_score_adj = from->oom_score_adj;
	process->login_uid = from->login_uid;
	process->login_session = from->login_session;
	return process;
}

static void thread_undo(struct thread *child)
{
	struct process *process = child->process;

	if (child->mm)
		mm_put(child->mm);
	child->mm = NULL;
	if (child->fs)
		fs_context_put(child->fs);
	if (child->files)
		files_put(child->files);
	child->files = NULL;
	child->fs = NULL;
	if (process && process != current->process) {
		child->process = NULL;
		process_free_unused(process);
	}
	thread_put(child);
}

static void thread_copy(struct thread *child, const struct clone_request *request)
{
	struct thread *parent = current;

	memcpy(child->name, parent->name, sizeof(child->name));
	cred_put(child->cred);
	child->cred = cred_get(parent->cred);
	child->blocked = parent->blocked;
	child->timer_slack_ns = child->default_timer_slack_ns = parent->timer_slack_ns;
	child->machine_check_policy = parent->machine_check_policy;
	child->io_priority = parent->io_priority;
	child->memory_policy = parent->memory_policy;
	child->memory_nodes = parent->memory_nodes;
#ifdef CONFIG_DEBUG
	child->faults.marked = parent->faults.marked;
#endif
	/* A thread on its maker's memory cannot use the same signal stack (vfork's can: the maker sleeps). */
	if ((request->flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM)
		child->signal_stack = parent->signal_stack;
	child->flags = THREAD_FLAG_FORKED_NOEXEC |
		       (parent->flags & (THREAD_FLAG_NO_CLOCK | THREAD_FLAG_IO_FLUSHER));
	if (request->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = request->child_tid;
	if (request->flags & CLONE_CHILD_SETTID) {
		child->set_child_tid = request->child_tid;
		child->work |= WORK_CHILD_TID;
	}
	rseq_fork(child, request->flags & CLONE_VM);
	sched_fork(child);
}

/* The child becomes a thread of its maker's process. process_tree_lock is not needed: parentage stays. */
static int thread_publish(struct thread *child, struct pid *pid)
{
	struct process *process = child->process;
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct sighand *sighand = process->sighand;

	spin_lock(&sighand->lock);
	if (signal_pending() || process->exiting || process->exec_thread) {
		spin_unlock(&sighand->lock);
		spin_unlock_irqrestore(&process->lock, flags);
		return -ERESTARTNOINTR;
	}
	child->sighand = sighand;
	process_get(process);
	seccomp_fork(child); /* in the same step: who synchronizes filters either sees it, or was before it */
	list_add_tail(&process->threads, &child->process_link);
	process->thread_count++;
	process->live_threads++;
	spin_unlock(&sighand->lock);
	pid_attach(pid, PID_THREAD, child);
	spin_unlock_irqrestore(&process->lock, flags);
	return 0;
}

/* The child becomes the leader of a new process. */
static int process_publish(struct thread *child, struct pid *pid, const struct clone_request *request)
{
	struct process *process = child->process, *maker = current->process;
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);

	if (signal_pending()) {
		spin_unlock_irqrestore(&process_tree_lock, flags);
		return -ERESTARTNOINTR;
	}
	spin_lock(&maker->lock);
	seccomp_fork(child);
	spin_unlock(&maker->lock);
	child->exit_signal = request->exit_signal;
	process->parent = maker;
	if (request->flags & CLONE_PARENT) {
		child->exit_signal = maker->leader->exit_signal;
		process->parent = maker->parent;
	}
	process->parent_exec_count = process->parent->exec_count;
	process->maker = current->pid;
	process->pid = pid->number;
	process->number = pid;
	process->leader = child;
	process_get(process); /* of its first thread; the other is the table's and the parent's, until it is reaped */
	thread_get(child); /* as leader */
	child->sighand = process->sighand;
	list_add_tail(&process->threads, &child->process_link);
	process->thread_count = process->live_threads = 1;
	list_add_tail(&process->parent->children, &process->sibling);
	process_join_group(process, maker->group);
	process->left_terminal = maker->left_terminal;
	pid_attach(pid, PID_PROCESS, process);
	pid_attach(pid, PID_THREAD, child);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	return 0;
}

/* vfork: the maker sleeps until the child has let go of the address space. A maker that is killed does not wait. */
static void vfork_wait(struct thread *child, struct completion *done)
{
	if (!wait_for_completion_killable(done))
		return;
	/* Whoever takes the pointer out, the maker here or the child in vfork_finish(), decides. */
	if (!__atomic_exchange_n(&child->vfork_done, NULL, __ATOMIC_ACQ_REL))
		wait_for_completion(done);
}

/* A thread that nobody takes back, on its way to be one: gives back what it has. */
static void child_undo(struct thread *child, const struct clone_request *request)
{
	if (request->flags & CLONE_THREAD)
		child->process = NULL; /* it has no reference yet */
	thread_undo(child);
}

/* A thread with all that it shares or has as a copy, but without a number; ERR_PTR. */
static struct thread *child_make(const struct clone_request *request)
{
	struct thread *child = thread_alloc();
	int error;

	if (!child)
		return ERR_PTR(-ENOMEM);
	thread_copy(child, request);
	error = -ENOMEM;
	child->process = request->flags & CLONE_THREAD ? current->process
						       : process_copy(request->flags);
	if (child->process)
		error = copy_parts(child, request->flags);
	if (!error)
		error = arch_thread_fork(child, current_regs(), request->stack,
					 request->flags & CLONE_SETTLS, request->tls);
	if (!error)
		return child;
	child_undo(child, request);
	return ERR_PTR(error);
}

/* CLONE_PIDFD: a descriptor for the child, told but not installed yet. */
struct child_pidfd {
	struct file *file; /* NULL: not asked for */
	int fd;
};

static int child_pidfd_make(struct child_pidfd *pidfd, struct process *process,
			    const struct clone_request *request)
{
	int error = -EFAULT;

	if (!(request->flags & CLONE_PIDFD))
		return 0;
	pidfd->fd = fd_reserve(0, O_CLOEXEC);
	if (pidfd->fd < 0)
		return pidfd->fd;
	pidfd->file = pidfd_create(process, 0);
	if (IS_ERR(pidfd->file)) {
		error = (int)PTR_ERR(pidfd->file);
	} else {
		if (!put_user(pidfd->fd, request->pidfd))
			return 0;
		file_put(pidfd->file);
	}
	fd_unreserve(pidfd->fd);
	return error;
}

static void child_pidfd_undo(struct child_pidfd *pidfd)
{
	if (!pidfd->file)
		return;
	fd_unreserve(pidfd->fd);
	file_put(pidfd->file);
}

/* Who gives an address that is none goes without, as on Linux: the child is there already. */
static void tell_number(int number, int __user *to)
{
	if (put_user(number, to))
		pr_debug("pid %d: no place for the number of its child\n", current->pid);
}

long process_clone(const struct clone_request *request)
{
	struct completion vfork_done;
	struct child_pidfd pidfd = {};
	struct thread *child;
	struct pid *pid;
	long result = check_flags(request);

	if (result)
		return result;
	if (too_many_threads(current->cred))
		return -EAGAIN;
	if (signal_pending())
		return -ERESTARTNOINTR;
	child = child_make(request);
	if (IS_ERR(child))
		return PTR_ERR(child);
	pid = request->wanted_number ? pid_alloc_at(request->wanted_number) : pid_alloc();
	result = PTR_ERR(pid);
	if (IS_ERR(pid))
		goto undo;
	child->number = pid;
	child->pid = pid->number;
	result = child_pidfd_make(&pidfd, child->process, request);
	if (result)
		goto undo_pid;
	if (request->flags & CLONE_PARENT_SETTID)
		tell_number(child->pid, request->parent_tid);
	if (request->flags & CLONE_VFORK) {
		completion_init(&vfork_done);
		child->vfork_done = &vfork_done;
		thread_get(child);
	}
	if (request->flags & CLONE_THREAD)
		result = thread_publish(child, pid);
	else
		result = process_publish(child, pid, request);
	if (result)
		goto undo_vfork;

	if (pidfd.file)
		fd_install(pidfd.fd, pidfd.file);
	atomic_inc(&child->cred->user->process_count);
	atomic_inc(&thread_total);
	this_cpu_inc(fork_counts);
	result = pid->number; /* the child may be gone as soon as it runs */
	sched_start_new(child);
	if (request->flags & CLONE_VFORK) {
		vfork_wait(child, &vfork_done);
		thread_put(child);
	}
	return result;

undo_vfork:
	if (request->flags & CLONE_VFORK)
		thread_put(child);
	child_pidfd_undo(&pidfd);
undo_pid:
	pid_free_unused(pid);
undo:
	child_undo(child, request);
	return result;
}

/* Processes of the kernel's own ----------------------------------------------------------------------------------- */

/* `thread`, which no one else can see, becomes the leader of `process`, in a session and group of its own. */
static int process_publish_kernel(struct process *process, struct thread *thread, struct pid *pid)
{
	struct process_group *group = process_group_alloc_session();
	unsigned long flags;

	if (!group)
		return -ENOMEM;
	flags = spin_lock_irqsave(&process_tree_lock);
	session_start(group, pid, process);
	thread->number = pid;
	thread->pid = process->pid = pid->number;
	thread->process = process;
	thread->sighand = process->sighand;
	thread->exit_signal = SIGCHLD;
	thread->flags &= ~THREAD_FLAG_KERNEL;
	process->number = pid;
	process->leader = thread;
	process->parent = &kernel_process;
	process_get(process);
	thread_get(thread);
	list_add_tail(&process->threads, &thread->process_link);
	process->thread_count = process->live_threads = 1;
	list_add_tail(&kernel_process.children, &process->sibling);
	process_join_group(process, group);
	process_group_put(group);
	pid_attach(pid, PID_PROCESS, process);
	pid_attach(pid, PID_THREAD, thread);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	atomic_inc(&thread->cred->user->process_count);
	atomic_inc(&thread_total);
	this_cpu_inc(fork_counts);
	return 0;
}

static void limits_default(struct process *process)
{
	struct memory_info memory;
	u64 threads;

	memory_info(&memory);
	/* The stacks of all of them in an eighth of memory. */
	threads = clamp(memory.total_pages / 8 / (THREAD_STACK_SIZE / PAGE_SIZE), 20, PID_LIMIT);
	threads_max = (int)threads;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		process->limits[i] = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	process->limits[RLIMIT_STACK].rlim_cur = STACK_LIMIT_DEFAULT;
	process->limits[RLIMIT_CORE].rlim_cur = 0;
	process->limits[RLIMIT_NPROC] = (struct rlimit){ threads / 2, threads / 2 };
	process->limits[RLIMIT_NOFILE] = (struct rlimit){ 1024, 4096 };
	process->limits[RLIMIT_MEMLOCK] =
		(struct rlimit){ MEMLOCK_LIMIT_DEFAULT, MEMLOCK_LIMIT_DEFAULT };
	process->limits[RLIMIT_SIGPENDING] = (struct rlimit){ threads / 2, threads / 2 };
	process->limits[RLIMIT_MSGQUEUE] =
		(struct rlimit){ MESSAGE_QUEUE_LIMIT_DEFAULT, MESSAGE_QUEUE_LIMIT_DEFAULT };
	process->limits[RLIMIT_NICE] = (struct rlimit){ 0, 0 };
	process->limits[RLIMIT_RTPRIO] = (struct rlimit){ 0, 0 };
}

static struct process *process_create_kernel(void)
{
	struct process *process = process_alloc();

	if (!process)
		return NULL;
	process->sighand = sighand_create();
	if (!process->sighand) {
		process_free_unused(process);
		return NULL;
	}
	limits_default(process);
	return process;
}

struct process *process_start_kernel(int (*function)(void *argument), void *argument,
				     struct fs_context *fs, struct completion *ended)
{
	struct thread *thread = thread_alloc();
	struct process *process;
	struct pid *pid;
	int error = -ENOMEM;

	if (!thread)
		return ERR_PTR(-ENOMEM);
	process = process_create_kernel();
	if (!process)
		goto no_process;
	thread->files = files_create();
	thread->fs = fs_context_copy(fs);
	if (!thread->files || !thread->fs)
		goto no_files;
	pid = pid_alloc();
	error = (int)PTR_ERR(pid);
	if (IS_ERR(pid))
		goto no_files;
	strscpy(thread->name, "helper", sizeof(thread->name));
	thread->kernel_function = function;
	thread->kernel_arg = argument;
	arch_thread_init_kernel(thread);
	process->ended = ended;
	process_get(process); /* the caller's */
	error = process_publish_kernel(process, thread, pid);
	if (error)
		goto no_group;
	sched_start_new(thread);
	return process;

no_group:
	pid_free_unused(pid);
no_files:
	if (thread->fs)
		fs_context_put(thread->fs);
	if (thread->files)
		files_put(thread->files);
	thread->files = NULL;
	thread->fs = NULL;
	process_free_unused(process);
no_process:
	thread_put(thread);
	return ERR_PTR(error);
}

void process_become_first(void)
{
	struct process *process = process_create_kernel();
	struct pid *pid = pid_alloc_at(1);

	if (!process || IS_ERR(pid) || process_publish_kernel(process, current, pid))
		panic("no memory for the first process");
	process->unkillable = true;
	if (!current->files)
		current->files = files_create();
	if (!current->files)
		panic("no memory for the first process");
	init_process = process;
}

void __init processes_init(void)
{
	threads_init();
	signals_init();
	futex_init();
}
