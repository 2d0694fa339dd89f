/*
 * Threads and processes. A `struct thread` is what the scheduler runs; threads of one program share a `struct process`
 * (Linux's thread group). Kernel threads have no process and no address space of their own.
 *
 * Locks, outermost first, all taken with interrupts off (signals come from interrupt handlers, too):
 *   process_tree_lock    parents, children, groups, sessions, and the step from a living process to a zombie
 *   process->lock        the list of threads, limits
 *   sighand->lock        signal actions, pending signals, job control
 *   run-queue locks
 * process->threads changes under both process->lock and sighand->lock, so either is enough to walk it.
 *
 * Life of a process: fork.c makes it and its first thread; thread_exit() ends a thread; the last one turns the process
 * into a zombie (exit.c) until its parent waits for it (wait_child.c). Numbers (pid.c) stay taken while a thread, a process,
 * a group or a session has them. Threads, processes and credentials are freed after an RCU grace period, so whoever is
 * under rcu_read_lock() may look at one, and must take a reference (..._get_unless_dead) to keep it.
 */
#ifndef KUMO_THREAD_H
#define KUMO_THREAD_H

#include <kumo/arch/thread.h> /* struct arch_thread: saved stack pointer, fs/gs base, FPU area */
#include <kumo/cred.h>
#include <kumo/fault_inject.h>
#include <kumo/percpu.h>
#include <kumo/rbtree.h>
#include <kumo/rcu.h>
#include <kumo/refcount.h>
#include <kumo/seccomp.h>
#include <kumo/signal.h>
#include <kumo/time.h>
#include <kumo/wait.h>
#include <linux/resource.h>

struct mm;
struct files;
struct fs_context;
struct pid;
struct tty;
struct module;
struct pt_regs;
struct rseq;
struct tree_visit;

enum thread_state {
	THREAD_RUNNING = 0,	  /* running or on a run queue */
	THREAD_INTERRUPTIBLE = 1, /* any signal wakes it */
	THREAD_UNINTERRUPTIBLE = 2,
	THREAD_KILLABLE = 4, /* fatal signals wake it */
	THREAD_STOPPED = 8,
	THREAD_DEAD = 16, /* exited; waits to be reaped or released */
};

/* thread->work bits: what must be done before it returns to user mode. One test on the way out. */
enum {
	WORK_RESCHEDULE = 1,   /* another thread should run */
	WORK_SIGNAL = 2,       /* signals may be pending */
	WORK_RESTORE_MASK = 8, /* sigsuspend and friends: restore saved_sigmask */
	WORK_FPU_LOAD = 16,    /* the FPU registers hold another thread's state */
	WORK_RSEQ = 128, /* it may have left its CPU: tell it, and abort a restartable sequence */
	WORK_CHILD_TID = 64, /* a new thread: store its number at set_child_tid */
	WORK_FRAME = 32, /* the saved user registers were replaced (exec, sigreturn): no short way back */
};

/* Reads and writes that a thread made, and the bytes that they moved. */
struct io_count {
	u64 reads, writes, bytes_read, bytes_written;
};

struct thread {
	struct arch_thread arch; /* first: assembly knows its offsets */
	unsigned int work;	 /* WORK_*, changed atomically */
	unsigned int state;	 /* enum thread_state */
	void *stack;		 /* lowest address; THREAD_STACK_SIZE bytes */
	refcount_t refs;
	unsigned int flags; /* THREAD_FLAG_* */
	char name[16];	    /* comm */
	int pid;	    /* Linux's tid */
	struct pid *number; /* its place in the table of numbers (pid.c); NULL: kernel thread without one */

	/* scheduler (kernel/sched.c): protected by the lock of the run queue of `cpu` */
	struct rb_node run_node;
	bool on_queue; /* running or waiting to run; its node is in the tree unless it runs */
	volatile bool on_cpu;		 /* still executing on `cpu`: its stack is in use */
	unsigned char policy;		 /* SCHED_* */
	unsigned char realtime_priority; /* 0: by virtual runtime; 1-99: before all of lower priority */
	bool reset_on_fork;		 /* SCHED_RESET_ON_FORK */
	unsigned char user_share; /* of its last ticks, in 1/256, how many hit user mode: splits its CPU time */
	unsigned int cpu;
	int nice;
	unsigned int weight; /* from nice; 1024 is nice 0 */
	u64 virtual_runtime_ns, run_start_ns, cpu_time_ns, slice_start_ns;
	u64 user_ns, system_ns;
	u64 affinity; /* CPUs it may run on */
	u64 voluntary_switches, involuntary_switches, minor_faults, major_faults, start_time_ns;
	struct io_count io;

	struct process *process;  /* NULL: kernel thread */
	struct list process_link; /* in process->threads */
	struct mm *mm;		  /* NULL: kernel thread */
	struct mm *active_mm;	  /* whose page table it runs on */
	struct files *files;	  /* open descriptors (file.h); own reference */
	struct fs_context *fs; /* root, working directory, umask, namespace (namespace.h); own reference */
	const struct cred *cred; /* immutable; replaced as a whole; own reference */
	unsigned int cred_spare; /* more references to it, at hand for open files: cred_get_near() */

	struct sighand *sighand;   /* shared with its process */
	struct sigpending pending; /* signals for this thread alone */
	sigset_t blocked, saved_sigmask;
	sigset_t waited; /* sigtimedwait waits for these: neither ignored nor left to another thread */
	bool stop_wanted; /* it takes part in a stop that has begun (job control); under sighand->lock */
	stack_t signal_stack;
	struct tree_visit *visit; /* the innermost of the trees whose instance it is inside of (serve.h) */
	bool unthrottled; /* it makes pages dirty in order to write others out (writeback.h) */
	unsigned int kill_holds; /* kill_hold(), less kill_release() */
	bool cancelled; /* a server cancelled the request it works on (Tflush): what it waits for ends (act.h) */

	struct seccomp seccomp; /* who looks at its system calls */

	int __user *clear_child_tid, *set_child_tid;
	void __user *robust_list;
	struct rseq __user *rseq; /* restartable sequences (rseq.c); NULL: not registered */
	u32 rseq_signature;
	unsigned int rseq_cpu; /* that was last told */
	struct restart_block {
		long (*function)(struct restart_block *block);
		u64 args[6];
	} restart;
	struct completion *vfork_done; /* completed when the address space is let go */
	int exit_signal; /* to the parent when the process ends; -1 for a thread that is not a leader */
	int exit_code;
	struct rcu_head rcu;
	struct thread *exec_next;	   /* reserved for lists of the waker */
	int (*kernel_function)(void *arg); /* kernel threads */
	void *kernel_arg;
	struct module *module;	  /* kernel thread whose code lies in a module */
	struct kunit *kunit_test; /* the self-test case that it runs, or NULL (kunit.h) */
	struct completion exited;
	bool should_stop;
	u64 timer_slack_ns, default_timer_slack_ns; /* the default is its maker's at that time */
	unsigned char machine_check_policy;	    /* PR_MCE_KILL_* */
	unsigned short memory_policy; /* of set_mempolicy(2), with the nodes that go with it; kept for who asks */
	unsigned long memory_nodes;
	unsigned short io_priority; /* of ioprio_set(2); kept for who asks: disks are served in turn */
	const char *wait_channel; /* for /proc/PID/wchan */
#ifdef CONFIG_DEBUG
	struct fault_thread faults;
	struct list watch_link; /* stack_check.c */
	unsigned int locks_held_count;
	struct held_lock locks_held[16]; /* sleeping locks (lockcheck.c) */
#endif
};

enum {
	THREAD_FLAG_KERNEL = 1,
	THREAD_FLAG_EXITING = 2,
	THREAD_FLAG_FORKED_NOEXEC = 4,
	THREAD_FLAG_IDLE = 8,
	THREAD_FLAG_IN_EXEC = 16,
	THREAD_FLAG_FPU_USED = 32,
	THREAD_FLAG_NO_CLOCK = 128, /* PR_SET_TSC: reading the processor's clock is a fault; inherited */
	THREAD_FLAG_IO_FLUSHER = 256, /* PR_SET_IO_FLUSHER; inherited */
	THREAD_FLAG_OVER_LIMIT = 64,  /* its new user has too many threads: exec may still refuse */
};

/* What threads have used. */
struct usage_sum {
	u64 user_ns, system_ns, minor_faults, major_faults, voluntary, involuntary;
	u64 max_resident_pages;
	struct io_count io;
};

#define NO_LOGIN 0xffffffffU
#define CORE_FILTER_DEFAULT                                                                        \
	0x33 /* memory of its own, shared memory, headers of programs, huge pages */
#define CORE_FILTER_MASK 0x1ff

/* A process: threads that share signals, identity, limits and parentage. */
struct process {
	refcount_t refs;
	int pid; /* of the leader; Linux's pid (tgid) */
	spinlock_t lock;
	struct list threads;
	struct pid *number;
	struct sighand *sighand; /* own reference; replaced only by an exec that unshares it, under the old one's lock */
	unsigned int thread_count, live_threads; /* in the list; of these not yet through thread_exit() */
	struct thread *leader;
	struct process *parent; /* who reaps it; under process_tree_lock */
	int maker;		/* the thread that made it: __WNOTHREAD */
	struct list children, sibling;
	struct process_group *group;
	struct list group_link;
	bool left_terminal; /* by TIOCNOTTY: the session's terminal is not its own; under process_tree_lock */
	struct sigpending pending;    /* signals for the process */
	struct wait_queue child_wait; /* woken when a child changes state */
	struct wait_queue end_wait;   /* woken when it has become a zombie */
	struct thread *exec_thread;   /* waits in exec for the others to end; under lock */
	bool exiting; /* exit_group has begun: exit_code is decided; under sighand->lock */
	bool zombie;  /* all threads are gone; waits to be reaped */
	bool reaped;
	int exit_code; /* as wait4 encodes it */
	/* Job control, under sighand->lock. A stop has begun when stop_signal is set, and is complete (`stopped`) when all
	 * stop_count threads that take part sleep. stop_reported: wait4 has told it. */
	bool stopped, stop_reported, continued;
	int stop_signal;
	unsigned int stop_count;
	u32 continue_count; /* of SIGCONT and SIGKILL: tells a stop that it was overtaken */
	int notify_parent; /* CLD_STOPPED or CLD_CONTINUED that its next running thread must report, with this status */
	int notify_status;
	bool unkillable; /* the first process: signals without a handler are ignored */
	bool did_exec;
	u32 exec_count, parent_exec_count; /* of its own exec calls; of its parent's when it was made */
	bool child_subreaper;
	bool dumpable;
	bool huge_pages_off;	  /* PR_SET_THP_DISABLE; inherited. Programs have none anyway */
	unsigned int personality; /* of personality(2); bits beyond the execution domain */
	u16 core_filter;	  /* /proc/PID/coredump_filter; inherited */
	short oom_score_adj; /* /proc/PID/oom_score_adj: -1000 (never killed for want of memory) to 1000; inherited */
	int parent_death_signal;
	u32 login_uid, login_session; /* /proc/PID/loginuid, sessionid; inherited; NO_LOGIN: nobody has logged in */
	struct rlimit limits[RLIM_NLIMITS]; /* under lock */
	struct usage_sum dead;		    /* of threads that are gone; under lock */
	struct usage_sum children_total; /* of children that were waited for, and theirs; under process_tree_lock */
	/* Timers of the process (kernel/process_timers.c), under lock. */
	struct timer real_timer; /* ITIMER_REAL, alarm */
	u64 real_interval_ns;
	unsigned int real_unseen; /* expiries in a row that met a signal not taken yet, up to a bound */
	struct cpu_timer {
		u64 expires_ns, interval_ns; /* of the process's CPU time; expires 0: off */
	} virtual_timer, profile_timer;
	bool cpu_timers_armed; /* of these or of the POSIX timers at least one counts CPU time */
	u64 start_time_ns;
	struct list posix_timers;
	int next_timer_id;
	struct completion *ended; /* of who waits for a helper program (usermode.c) */
	struct rcu_head rcu;
};

extern spinlock_t process_tree_lock;
extern struct process kernel_process; /* pid 0: parent of the first process and of helper programs; reaps by itself */
extern struct process *init_process; /* pid 1, once it is there */

/* A process group and the session it belongs to (kernel/session.c). */
struct session {
	refcount_t refs;
	int id;
	struct tty *tty; /* the controlling terminal; under process_tree_lock, as the next */
	int lost_foreground; /* after a hang-up: the foreground group, to be told when the leader exits; 0: none */
	struct process *leader; /* NULL once it has ended */
	struct pid *number;
};
struct process_group {
	refcount_t refs;
	int id;
	struct session *session; /* owned */
	struct list processes;	 /* under process_tree_lock */
	struct pid *number;
};

DECLARE_PER_CPU(struct thread *, current_thread);
static __always_inline struct thread *thread_current(void)
{
	return this_cpu_read(current_thread);
}
#define current thread_current()

static inline void thread_get(struct thread *thread)
{
	refcount_inc(&thread->refs);
}
void thread_put(struct thread *thread);

/*
 * Kernel threads. kthread_create: a thread that will run function(arg) and is stopped until kthread_start(); ERR_PTR.
 * kthread_stop() asks it to end (kthread_should_stop() turns true and its waits end), waits until its code is done, and
 * returns what the function returned; the reference from kthread_create goes with it. A thread's last step is in core text,
 * so a module may go when kthread_stop() is back.
 */
struct thread *kthread_create(int (*function)(void *arg), void *arg, const char *name_format, ...)
	__printf(3, 4);
void kthread_start(struct thread *thread);
struct thread *kthread_run(int (*function)(void *arg), void *arg, const char *name);
bool kthread_should_stop(void);
int kthread_stop(struct thread *thread);

/* Scheduler (kernel/sched.c). */
extern struct thread boot_thread; /* runs kernel_main; then CPU 0's idle thread */
void schedule(void); /* gives up the CPU; state decides whether it stays queued. Interrupts on or off, no spin locks. */
/* Before a thread looks a last time whether it must sleep: a full barrier, whose partner is in thread_wake(). */
static inline void thread_set_state(enum thread_state state)
{
	__atomic_store_n(&current->state, state, __ATOMIC_SEQ_CST);
}
void sched_init(void);
/* The idle thread of a CPU that is to start: its stack is what that CPU boots on. NULL: no memory. May sleep. */
struct thread *sched_prepare_cpu(unsigned int cpu) __must_check;
void cpu_idle_loop(void) __noreturn;
void thread_wake(struct thread *thread); /* any context */
bool thread_wake_state(struct thread *thread,
		       unsigned int states); /* only from one of these states; true if woken */
/* A new thread becomes runnable. The reference that it has to itself is dropped after its last switch. */
void sched_start_new(struct thread *thread);
void sched_fork(struct thread *child); /* what a child inherits: policy, nice, affinity */
/* The current thread's address space becomes `mm` (NULL: it has none from now on, and borrows what is loaded). References of
 * users are the caller's: it gives one for `mm`, and drops the one of the old. */
void thread_set_mm(struct mm *mm);
void sched_exit(void) __noreturn; /* the last step of a thread: it never runs again */
void sched_yield(void);
void cond_resched(void); /* lets others run if it is their turn; sleeps */
#define ROUND_ROBIN_SLICE_NS                                                                       \
	(100 * NSEC_PER_MSEC) /* how long a SCHED_RR thread runs before its equals */
void sched_set_nice(struct thread *thread, int nice);
int sched_set_policy(struct thread *thread, unsigned int policy, unsigned int realtime_priority,
		     bool reset_on_fork);
int sched_set_affinity(struct thread *thread, u64 mask); /* -EINVAL: none of these CPUs runs. May sleep. */
void sched_user_return(void);				 /* arch calls it for WORK_RESCHEDULE */
void sched_account(void);		       /* brings the current thread's times up to date */
u64 thread_cpu_time_ns(struct thread *thread); /* up to now */
static inline bool need_resched(void)
{
	return READ_ONCE(current->work) & WORK_RESCHEDULE;
}
struct cpu_times {
	u64 user_ns, nice_ns, system_ns, idle_ns, irq_ns;
};
void sched_cpu_times(unsigned int cpu, struct cpu_times *times);
void sched_load_average(u64 loads_x65536[3]);
unsigned int sched_running_count(void);
u64 sched_switch_count(void);

/* Making and freeing (kernel/fork.c). thread_alloc: a cleared thread with a stack, one reference, no number, on no list,
 * root_cred; NULL: no memory. For kernel threads and for fork. thread_put() of the last reference frees it, its stack and
 * its credentials, after a grace period; the scheduler drops the reference that a running thread holds to itself once it is off
 * its stack for good. */
struct thread *thread_alloc(void) __must_check;

/* Lookup by number; a reference is returned (thread_put / process_put), or NULL. */
struct thread *thread_find(int tid);
struct process *process_find(int pid);
struct process_group *process_group_find(int id);
void process_group_put(struct process_group *group);
static inline void process_get(struct process *process)
{
	refcount_inc(&process->refs);
}
void process_put(struct process *process);
/* The process with the lowest pid >= *pid, referenced; for walking all (/proc). NULL at the end. */
struct process *process_next(int *pid);
/* The lowest number of a thread of the process from `from` on; 0: none. */
int process_thread_from(struct process *process, int from);
unsigned int process_thread_count(void); /* of all processes */

/* What another thread holds, referenced, or NULL when it has let go of it (or never had it). For /proc and the like. */
struct mm *thread_mm_get(struct thread *thread);
struct files *thread_files_get(struct thread *thread);
void thread_set_files(struct files *files); /* the current thread of a process goes on with these; takes the reference */
struct fs_context *thread_fs_get(struct thread *thread);
void thread_set_fs(struct fs_context *fs);		    /* as thread_set_files; may sleep */
struct thread *process_leader_get(struct process *process); /* referenced; NULL: it has been reaped */
/* May the current thread look into the process (its memory, descriptors, environment)? ptrace(2), "access mode checking". */
bool process_may_inspect(struct process *process);
bool process_may_attach(struct process *process); /* the same by real ids: for calls that name the process */
/* Its leader's credentials, referenced. Any context. */
const struct cred *process_cred_get(struct process *process);
bool process_group_orphaned(struct process_group *group, struct process *ignored); /* process_tree_lock held */
/* Restartable sequences (kernel/rseq.c): what WORK_RSEQ asks for; and before a handler's frame is made of *regs. */
void rseq_return(struct pt_regs *regs);
void rseq_signal(struct pt_regs *regs);
/* The ends of the current thread and process (kernel/exit.c). */
void thread_exit(int code) __noreturn;
void process_exit_group(int wait_status) __noreturn;
/* CPU time of all its threads, those gone included. */
void process_times(struct process *process, u64 *user_ns, u64 *system_ns);
/* Interval and POSIX timers of a process (kernel/process_timers.c): when it is made, and when its last thread ends. */
void process_timers_init(struct process *process); /* when it is made */
void process_timers_exit(struct process *process);
void process_timers_exec(struct process *process); /* POSIX timers do not survive an exec */
u64 process_limit(unsigned int resource); /* soft limit of the current process; RLIM_INFINITY for kernel threads */

/* From fs or the kernel itself: runs a program as a child of the kernel; used for init and for modprobe. */
int kernel_execve(const char *path, const char *const *argv, const char *const *envp);
/* Runs a user program as root with its own session, waits if asked; its wait status, or a negative errno. */
int call_usermode_helper(const char *path, const char *const *argv, const char *const *envp, bool wait);
/* The first process: never returns to the caller's context. */
void start_first_process(void);

#endif
