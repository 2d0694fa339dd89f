/* What the files of threads and processes share: fork, exit, exec, wait, signals, numbers, groups and sessions. */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <kumo/thread.h>

/* When a time from now has passed: for waits. A time beyond all clocks is for ever. */
static inline u64 deadline_after(const struct __kernel_timespec *time)
{
	return time->tv_sec > 1LL << 33 ? WAIT_FOREVER : time_monotonic_ns() + timespec_to_ns(time);
}

/* Numbers (pid.c) ------------------------------------------------------------------------------------------------- */

/*
 * A number and what has it. Free for reuse when nothing does: a group keeps the number of a leader that is gone.
 * Pointers change under pid_lock and are read under RCU.
 */
struct pid {
	int number;
	struct thread *thread;
	struct process *process;
	struct process_group *group;
	struct session *session;
	struct rcu_head rcu;
};
enum pid_role { PID_THREAD, PID_PROCESS, PID_GROUP, PID_SESSION };

#define PID_LIMIT 4194304 /* as Linux's largest pid_max */
extern int pid_max;

/* A number nobody has, from the ones after the last given out, held by nothing yet; ERR_PTR(-EAGAIN, -ENOMEM). */
struct pid *pid_alloc(void) __must_check;
/* This number; also ERR_PTR(-EEXIST): somebody has it. */
struct pid *pid_alloc_at(int number) __must_check;
void pid_attach(struct pid *pid, enum pid_role role, void *holder);
/* The holder gives the number up; the last one frees it. */
void pid_detach(struct pid *pid, enum pid_role role);
void pid_free_unused(struct pid *pid); /* after pid_alloc, when nothing was attached */
struct pid *pid_find(int number);      /* under rcu_read_lock() */
struct session *session_find(int id);  /* referenced */

/* Groups and sessions (session.c) --------------------------------------------------------------------------------- */

extern struct process_group no_group; /* of processes that have been reaped, and of kernel_process */
struct process_group *process_group_alloc(void) __must_check;	      /* nobody's yet; NULL */
struct process_group *process_group_alloc_session(void) __must_check; /* with a session of its own; NULL */
void process_group_free_unused(struct process_group *group);
/* With process_tree_lock held. The two ways in which a fresh group begins: in an existing session, or with its own. The
 * caller keeps its reference. */
void process_group_start(struct process_group *group, struct pid *pid, struct session *session);
void session_start(struct process_group *group, struct pid *pid, struct process *leader);
void process_join_group(struct process *process, struct process_group *group);
void process_change_group(struct process *process, struct process_group *group);
void process_leave_group(struct process *process);
/* `process` is about to end: groups that it connected to the rest of their session, its own and its children's, may
 * become orphans; if one has a stopped process, all of it gets SIGHUP and SIGCONT. */
void process_groups_orphan(struct process *process);

/* Any context. */
void session_put(struct session *session);
void session_leader_exit(struct process *process); /* the session loses its terminal; takes the locks itself */
static inline struct session *process_session(const struct process *process) /* under RCU or process_tree_lock */
{
	return rcu_dereference(((struct process *)process)->group)->session;
}

static inline int process_group_id(struct process *process)
{
	int id;

	rcu_read_lock();
	id = rcu_dereference(process->group)->id;
	rcu_read_unlock();
	return id;
}

/* Users (cred.c) -------------------------------------------------------------------------------------------------- */

void user_put(struct user *user);
/* More threads run for the user than the current process's limit allows. */
static inline bool user_over_thread_limit(const struct cred *cred)
{
	return (u64)atomic_read(&cred->user->process_count) > process_limit(RLIMIT_NPROC);
}
void cred_sort_groups(u32 *values, u32 count); /* ascending, as cred_in_group() needs them (sys_cred.c) */
struct user *user_of_process(struct process *process); /* referenced; under rcu_read_lock() */

/* Descriptors for processes (pidfd.c) ------------------------------------------------------------------------------ */

struct file;
/* Takes its own reference to the process; O_NONBLOCK counts. ERR_PTR. */
struct file *pidfd_create(struct process *process, u32 flags) __must_check;
/* What the descriptor stands for, referenced; ERR_PTR(-EBADF). The file's flags go to *flags unless it is NULL. */
struct process *pidfd_process(unsigned int fd, u32 *flags) __must_check;
/* The process whose directory of /proc is open, referenced; NULL: it is none (fs/proc/main.c). */
struct process *proc_directory_process(struct file *file);

/* The memory of the process that a thread's number names, if the current thread may trace it (sys_compare.c). Referenced;
 * ERR_PTR(-ESRCH, -EPERM). */
struct mm *process_memory_get(int pid);

/* Making (fork.c, thread.c) --------------------------------------------------------------------------------------- */

/* Namespaces of what there is one of for the whole machine: clone(2) and unshare(2) refuse them. */
#define NAMESPACES_MISSING                                                                         \
	(CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |            \
	 CLONE_NEWNET | CLONE_NEWTIME)

/* Who administers the machine may have mounts of his own, and who has promised to gain no privilege: he cannot fool a program
 * that has more than he. */
bool may_have_namespace(void);
long set_no_new_privs(void) __must_check; /* prctl(PR_SET_NO_NEW_PRIVS) of the current thread. -ENOMEM */
struct clone_request {
	u64 flags;	     /* CLONE_*, without the exit signal */
	int exit_signal;     /* to the parent at the end; 0: none */
	unsigned long stack; /* user stack pointer; 0: the parent's */
	unsigned long tls;
	int __user *parent_tid, *child_tid;
	int __user *pidfd; /* CLONE_PIDFD: where the descriptor goes */
	int wanted_number; /* of the child; 0: any */
};
/* The new thread's number as its parent sees it, or a negative errno. */
long process_clone(const struct clone_request *request);
extern int threads_max; /* that there may be: from the size of memory, or as /proc/sys/kernel/threads-max is told */
/*
 * A process of the kernel's own making, child of kernel_process, in a session of its own: runs function(argument), which
 * ends in kernel_execve() and enter_user_mode(), or in process_exit_group(). `ended` (may be NULL) is completed when it has
 * ended. Referenced; ERR_PTR.
 */
struct process *process_start_kernel(int (*function)(void *argument), void *argument,
				     struct fs_context *fs, struct completion *ended);
void process_become_first(void); /* the current kernel thread becomes process 1 */

struct process *process_alloc(void) __must_check; /* no threads, no number; one reference; NULL */
void process_free_unused(struct process *process); /* that nobody else has seen; sighand may be NULL */
void threads_init(void);
/* thread_set_mm() for a thread whose address space others may look up. */
void process_set_mm(struct mm *mm);
extern atomic_t thread_total; /* threads of all processes */
u64 fork_count(void);	      /* processes and threads made since the start */

/* Ending (exit.c, wait_child.c) ----------------------------------------------------------------------------------- */

/* An ended process leaves every table and list, and the parent's reference goes. process_tree_lock held. */
void process_release(struct process *process);
/* The current thread lets its address space go, for `next` (whose reference it takes over) or none: locks that it held are
 * passed on, its number is cleared where asked for, vfork's parent goes on. */
void thread_leave_mm(struct mm *next);
/* Tells the parent, with process_tree_lock held, that the process has ended, stopped or gone on: CLD_* and the status that
 * goes with it. True: nobody will wait for it (meaningful at its end). */
bool parent_notify(struct process *process, int why, int status);
/* What getrusage and wait4 tell (usage.c). */
struct rusage;
void usage_add_thread(struct usage_sum *sum, const struct thread *thread);
/* Of the thread alone, or of all its process's, those that are gone included. */
struct usage_sum thread_usage(struct thread *thread, bool whole);
/* Of a process and all that it has waited for; process_tree_lock held. */
void process_usage_all(struct process *process, struct rusage *usage);
void process_usage_inherit(struct process *parent,
			   struct process *child); /* the child is waited for; process_tree_lock held */
void process_note_resident(struct process *process, struct mm *mm); /* for the high-water mark, before mm goes */

/* Signals (signal.c) ---------------------------------------------------------------------------------------------- */

#define SIGNAL_MASK_KERNEL (signal_bit(SIGKILL) | signal_bit(SIGSTOP))
#define SIGNAL_MASK_STOP                                                                           \
	(signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU))
#define SIGNAL_MASK_DUMP                                                                           \
	(signal_bit(SIGQUIT) | signal_bit(SIGILL) | signal_bit(SIGTRAP) | signal_bit(SIGABRT) |    \
	 signal_bit(SIGFPE) | signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGSYS) |      \
	 signal_bit(SIGXCPU) | signal_bit(SIGXFSZ))
#define SIGNAL_MASK_IGNORE                                                                         \
	(signal_bit(SIGCONT) | signal_bit(SIGCHLD) | signal_bit(SIGWINCH) | signal_bit(SIGURG))

/* Locks the signal state of a process: interrupts off; what they were goes to *flags. */
struct sighand *sighand_lock(struct process *process, unsigned long *flags);
static inline void sighand_unlock(struct sighand *sighand, unsigned long flags)
{
	spin_unlock_irqrestore(&sighand->lock, flags);
}
struct sighand *sighand_create(void) __must_check; /* all actions default; NULL */
struct sighand *sighand_copy(struct sighand *from) __must_check;
void sighand_put(struct sighand *sighand);
void sighand_keep_ignored(struct sighand *fresh,
			  struct process *from); /* what `from` ignores is ignored in `fresh`, too */
void signals_init(void);
void sigpending_init(struct sigpending *pending);
void sigpending_flush(struct sigpending *pending); /* nobody else sees it */
void signal_recalculate(void); /* sighand->lock held: sets or clears the current thread's WORK_SIGNAL */
void signal_force_info(const siginfo_t *info,
		       bool to_default); /* as signal_force; to_default: any handler is dropped first */
void signal_action_set(int signal, const struct sigaction *action,
		       struct sigaction *old); /* either may be NULL */
/* The current thread takes no more signals. True: it is the last, and `code` the process's unless that is decided. */
bool signal_exit_thread(int code);
void signal_reset_for_exec(void); /* handlers become default, ignored stays ignored */
void thread_signal_wake(struct thread *thread, bool fatal); /* sighand->lock held: it shall look at its signals */
/* sighand->lock held: the process ends; all threads but `except` are killed. */
void process_kill_threads(struct process *process, struct thread *except);
/* Takes a pending signal of `wanted` (not blocked ones) from the current thread or its process. 0: none. */
int signal_dequeue(signal_mask wanted, siginfo_t *info);
void signal_info_user(siginfo_t *info, int signal,
		      int code); /* "from the current thread": kill(2) and the like */
bool signal_permitted(struct process *target, int signal); /* may the current thread send it? */
/* Sends it if the current thread may; signal 0 only asks. -EPERM, -EINVAL, -ESRCH. */
int signal_send_permitted(struct process *process, int signal, const siginfo_t *info);
/* Nobody but the process itself may say that a signal came from the kernel or by kill(2). */
bool signal_info_allowed(const siginfo_t *info, bool to_self);

/* Restartable sequences (rseq.c) ----------------------------------------------------------------------------------- */

void rseq_fork(struct thread *child, bool shares_memory);
/* prctl(PR_SET_MM, ...) (set_mm.c). */
long process_set_parts(unsigned long what, unsigned long value, unsigned long size, unsigned long rest);
/* For membarrier(2): threads that run on `mm` (cpu negative: on any CPU) leave their sequences before they go on. Interrupts on. */
void rseq_abort_all(struct mm *mm, int cpu);

/* Futexes (futex.c) ----------------------------------------------------------------------------------------------- */

void futex_init(void);
void futex_exit(struct thread *thread); /* robust list; the address space is still there */
int futex_wake_address(u32 __user *address, int count);

/* A signal has been taken off its queue: if a POSIX timer sent it, how often that expired meanwhile is known now. Not under
 * sighand->lock. */
void posix_timer_taken(siginfo_t *info);

#endif
