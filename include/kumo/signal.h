/*
 * Signals (kernel/signal.c, kernel/signal_deliver.c). Numbers, sets and structures are Linux's.
 *
 * A signal is sent to a thread or to a process; it is queued there, and a thread that does not block it is told by
 * WORK_SIGNAL and woken from an interruptible sleep. On its way to user mode the thread takes it (signal_deliver).
 */
#ifndef KUMO_SIGNAL_H
#define KUMO_SIGNAL_H

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <kumo/list.h>
#include <kumo/rcu.h>
#include <kumo/refcount.h>
#include <kumo/spinlock.h>
#include <kumo/wait.h>

struct thread;
struct process;
struct process_group;
struct pt_regs;
struct user;

#define SIGNAL_COUNT 64
typedef u64 signal_mask; /* bit n-1: signal n; sigset_t of the uapi headers is the same unsigned long */

static inline signal_mask signal_bit(int signal)
{
	return 1ULL << (signal - 1);
}

struct sigpending {
	struct list queue; /* struct sigqueue, in the order of arrival */
	signal_mask mask;
};

/* No member of siginfo_t's union reaches beyond this many bytes; the rest is zero. */
#define SIGNAL_INFO_SIZE 48

struct sigqueue {
	struct list link;
	struct user *user; /* who is charged for it; own reference */
	union {
		int signal;
		u64 info[SIGNAL_INFO_SIZE / 8]; /* the start of a siginfo_t */
	};
};

/* Signal actions, shared by the threads of a process (and by CLONE_SIGHAND). */
struct sighand {
	refcount_t refs;
	spinlock_t lock; /* actions and pending signals of all threads that share it; interrupts off */
	struct sigaction actions[SIGNAL_COUNT];
	struct wait_queue signalfd_wait; /* woken by each signal that becomes pending */
	struct rcu_head rcu;
};

/* Sends; `info` NULL: as from the kernel. 0, -ESRCH, -EAGAIN (queue limit). Permission is the caller's business. Any
 * context; the caller holds a reference or is under rcu_read_lock(). */
int signal_send_process(struct process *process, int signal, const siginfo_t *info);
int signal_send_thread(struct thread *thread, int signal, const siginfo_t *info);
/* To the calling thread, as if it had sent it to itself (SIGPIPE); a kernel thread gets none. */
void signal_send_self(int signal);
int signal_send_group(struct process_group *group, int signal, const siginfo_t *info);
/* A fault of the current thread: delivered even when blocked or ignored (then it kills). */
void signal_force(int signal, int code, unsigned long address);
/* The current thread has a signal to handle / one that will kill it. */
bool signal_pending(void);
bool fatal_signal_pending(void);
/* Between these the current thread does not hear of its end, so that killable waits go on: for changes that must be made whole once they
 * have begun, as those of a filesystem's structures, while what is waited for is no user and no peer. They nest. */
void kill_hold(void);
void kill_release(void);
/* The current process ignores or the current thread blocks it: what a tty asks before SIGTTIN and SIGTTOU. */
bool signal_ignored_or_blocked(int signal);
/* No handler of the current thread takes the signal: forced, it ends the process. */
bool signal_is_fatal(int signal);

/*
 * For calls that wait with another signal mask (ppoll, pselect, epoll_pwait, sigsuspend). signal_mask_swap() sets it from
 * user memory (mask NULL: nothing happens): 0, -EFAULT, -EINVAL. signal_mask_restore() ends the wait: when a signal
 * interrupted it the old mask comes back only after that signal's handler was set up with the new one.
 */
int signal_mask_swap(const sigset_t __user *mask, size_t size) __must_check;
void signal_mask_restore(bool interrupted);

void signal_set_blocked(signal_mask blocked); /* of the current thread; SIGKILL and SIGSTOP are left out */

/* Between kernel/ and the machine: a signal that a handler takes. arch_signal_frame() builds the handler's frame on the user's
 * stack and points *regs at the handler; false: the stack cannot take it. */
struct signal_delivery {
	int signal;
	siginfo_t info;
	struct sigaction action;
};
bool arch_signal_frame(struct pt_regs *regs, const struct signal_delivery *delivery,
		       signal_mask blocked);
/* The alternate stack: `sp` lies on it; and handlers nest there (not with SS_AUTODISARM). */
bool within_signal_stack(unsigned long sp);
bool on_signal_stack(unsigned long sp);
/* For sigreturn; as on Linux one that is not valid changes nothing. */
void signal_stack_restore(const stack_t *stack, unsigned long sp);

/* On the way to user mode: takes signals, stops, dies, or sets up a handler's frame in *regs, and sees to it that an
 * interrupted system call is restarted or returns -EINTR. Interrupts on. */
void signal_deliver(struct pt_regs *regs);
const char *signal_name(int signal); /* "SIGINT"; "SIGRT" for all real-time ones, "?" for none */

#endif
