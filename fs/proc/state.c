/* /proc/PID: the files of a few words, about a process or a thread, and those that set something of it. */
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/kallsyms.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/vm.h>
#include <linux/capability.h>

#include "../../kernel/process.h"
#include "internal.h"

#define OOM_ADJUST_MAX 1000
#define OOM_OLD_STEPS 17
#define OOM_OLD_MAX 15

/* ---- Names, limits, and where it waits ---- */

int comm_show(struct text *text, void *object)
{
	text_printf(text, "%s\n", ((struct thread *)object)->name);
	return 0;
}

/* A process names its own threads. */
int comm_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct thread *thread = object;

	if (!current->process || current->process != thread->process)
		return -EINVAL;
	strscpy(thread->name, words, sizeof(thread->name));
	return 0;
}

static const struct {
	const char *name, *unit;
} limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = { "Max cpu time", "seconds" },
	[RLIMIT_FSIZE] = { "Max file size", "bytes" },
	[RLIMIT_DATA] = { "Max data size", "bytes" },
	[RLIMIT_STACK] = { "Max stack size", "bytes" },
	[RLIMIT_CORE] = { "Max core file size", "bytes" },
	[RLIMIT_RSS] = { "Max resident set", "bytes" },
	[RLIMIT_NPROC] = { "Max processes", "processes" },
	[RLIMIT_NOFILE] = { "Max open files", "files" },
	[RLIMIT_MEMLOCK] = { "Max locked memory", "bytes" },
	[RLIMIT_AS] = { "Max address space", "bytes" },
	[RLIMIT_LOCKS] = { "Max file locks", "locks" },
	[RLIMIT_SIGPENDING] = { "Max pending signals", "signals" },
	[RLIMIT_MSGQUEUE] = { "Max msgqueue size", "bytes" },
	[RLIMIT_NICE] = { "Max nice priority", "" },
	[RLIMIT_RTPRIO] = { "Max realtime priority", "" },
	[RLIMIT_RTTIME] = { "Max realtime timeout", "us" },
};

static void limit_value(struct text *text, u64 value)
{
	if (value == RLIM_INFINITY)
		text_printf(text, "%-20s ", "unlimited");
	else
		text_printf(text, "%-20llu ", (unsigned long long)value);
}

int limits_show(struct text *text, void *object)
{
	struct process *process = ((struct thread *)object)->process;
	struct rlimit limits[RLIM_NLIMITS];
	unsigned long flags = spin_lock_irqsave(&process->lock);

	memcpy(limits, process->limits, sizeof(limits));
	spin_unlock_irqrestore(&process->lock, flags);
	text_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		text_printf(text, "%-25s ", limit_names[i].name);
		limit_value(text, limits[i].rlim_cur);
		limit_value(text, limits[i].rlim_max);
		text_printf(text, limit_names[i].unit[0] ? "%-10s\n" : "%s\n", limit_names[i].unit);
	}
	return 0;
}

int wchan_show(struct text *text, void *object)
{
	const char *channel = READ_ONCE(((struct thread *)object)->wait_channel);

	text_puts(text, channel ? channel : "0");
	return 0;
}

/* In thousandths of memory, as the out-of-memory killer weighs it. */
int oom_score_show(struct text *text, void *object)
{
	struct mm *mm = thread_mm_get(object);
	struct memory_info info;
	u64 score = 0;

	if (mm) {
		memory_info(&info);
		score = mm_resident_pages(mm) * 1000 / max(info.total_pages, 1UL);
		mm_put(mm);
	}
	text_printf(text, "%llu\n", (unsigned long long)score);
	return 0;
}

int oom_adjust_show(struct text *text, void *object)
{
	text_printf(text, "%d\n", READ_ONCE(((struct thread *)object)->process->oom_score_adj));
	return 0;
}

static int oom_adjust(struct process *process, int value, const struct cred *cred)
{
	if (value < process->oom_score_adj && !cred_capable(cred, CAP_SYS_RESOURCE))
		return -EACCES;
	WRITE_ONCE(process->oom_score_adj, (short)value);
	return 0;
}

int oom_adjust_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct process *process = ((struct thread *)object)->process;
	s64 value;
	int error = parse_s64(words, 0, &value);

	if (error)
		return error;
	return value < -OOM_ADJUST_MAX || value > OOM_ADJUST_MAX
		       ? -EINVAL
		       : oom_adjust(process, (int)value, cred);
}

/* The older scale: -17 (never) to 15. */
int oom_old_adjust_show(struct text *text, void *object)
{
	int adjust = READ_ONCE(((struct thread *)object)->process->oom_score_adj);

	text_printf(text, "%d\n",
		    adjust == OOM_ADJUST_MAX ? OOM_OLD_MAX : adjust * OOM_OLD_STEPS / OOM_ADJUST_MAX);
	return 0;
}

int oom_old_adjust_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct process *process = ((struct thread *)object)->process;
	s64 value;
	int error = parse_s64(words, 0, &value);

	if (error)
		return error;
	if (value < -OOM_OLD_STEPS || value > OOM_OLD_MAX)
		return -EINVAL;
	return oom_adjust(process,
			  value == OOM_OLD_MAX ? OOM_ADJUST_MAX
					       : (int)value * OOM_ADJUST_MAX / OOM_OLD_STEPS,
			  cred);
}

/* Which kinds of memory a core file would have. Kept: there are no core files. */
int core_filter_show(struct text *text, void *object)
{
	text_printf(text, "%08x\n", READ_ONCE(((struct thread *)object)->process->core_filter));
	return 0;
}

int core_filter_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct process *process = ((struct thread *)object)->process;
	s64 value;

	if (parse_s64(words, 0, &value) || value < 0 || value > 0xffffffffLL)
		return -EINVAL;
	WRITE_ONCE(process->core_filter, (u16)(value & CORE_FILTER_MASK));
	return 0;
}

int cgroup_show(struct text *text, void *object)
{
	text_puts(text, "0::/\n"); /* all are in the one group that there is */
	return 0;
}

int personality_show(struct text *text, void *object)
{
	text_printf(text, "%08x\n", ((struct thread *)object)->process->personality);
	return 0;
}

/* ---- What it has done ---- */

static int io_show(struct text *text, struct thread *thread, bool whole)
{
	struct usage_sum used = thread_usage(thread, whole);

	/* What went to and from disks is not counted: there are none below the page cache. */
	text_printf(text,
		    "rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: 0\nwrite_bytes: 0\n"
		    "cancelled_write_bytes: 0\n",
		    (unsigned long long)used.io.bytes_read, (unsigned long long)used.io.bytes_written,
		    (unsigned long long)used.io.reads, (unsigned long long)used.io.writes);
	return 0;
}

int process_io_show(struct text *text, void *object)
{
	return io_show(text, object, true);
}

int thread_io_show(struct text *text, void *object)
{
	return io_show(text, object, false);
}

/* Time on CPUs, time waiting for one (not measured), and how often it got one. */
int schedstat_show(struct text *text, void *object)
{
	struct thread *thread = object;

	text_printf(text, "%llu 0 %llu\n", (unsigned long long)thread_cpu_time_ns(thread),
		    (unsigned long long)(thread->voluntary_switches + thread->involuntary_switches));
	return 0;
}

static void sched_line(struct text *text, const char *name, u64 value)
{
	text_printf(text, "%-45s:%21llu\n", name, (unsigned long long)value);
}

static void sched_time_line(struct text *text, const char *name, u64 ns)
{
	text_printf(text, "%-45s:%14llu.%06llu\n", name, (unsigned long long)(ns / NSEC_PER_MSEC),
		    (unsigned long long)(ns % NSEC_PER_MSEC));
}

int sched_show(struct text *text, void *object)
{
	struct thread *thread = object;

	text_printf(text, "%s (%d, #threads: %u)\n", thread->name, thread->pid,
		    READ_ONCE(thread->process->thread_count));
	text_puts(text, "-------------------------------------------------------------------\n");
	sched_time_line(text, "se.exec_start", READ_ONCE(thread->run_start_ns));
	sched_time_line(text, "se.vruntime", READ_ONCE(thread->virtual_runtime_ns));
	sched_time_line(text, "se.sum_exec_runtime", thread_cpu_time_ns(thread));
	sched_line(text, "nr_switches", thread->voluntary_switches + thread->involuntary_switches);
	sched_line(text, "nr_voluntary_switches", thread->voluntary_switches);
	sched_line(text, "nr_involuntary_switches", thread->involuntary_switches);
	sched_line(text, "se.load.weight", (u64)thread->weight << 10);
	sched_line(text, "policy", thread->policy);
	sched_line(text, "prio",
		   (u64)(thread->realtime_priority ? 99 - thread->realtime_priority
						   : 120 + thread->nice));
	return 0;
}

/* The system call in which it waits, its arguments, the stack and instruction pointers. */
int syscall_show(struct text *text, void *object)
{
	struct thread *thread = object;
	const struct pt_regs *regs = thread_user_regs(thread);

	if (thread != current && READ_ONCE(thread->state) == THREAD_RUNNING)
		text_puts(text, "running\n");
	else if ((long)regs->orig_ax < 0)
		text_printf(text, "-1 0x%lx 0x%lx\n", regs->sp, regs->ip);
	else
		text_printf(text, "%ld 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx\n",
			    (long)regs->orig_ax, regs->di, regs->si, regs->dx, regs->r10, regs->r8,
			    regs->r9, regs->sp, regs->ip);
	return 0;
}

/* ---- Who began it ---- */

int login_uid_show(struct text *text, void *object)
{
	text_printf(text, "%u", READ_ONCE(((struct thread *)object)->process->login_uid));
	return 0;
}

/* Set once, by what lets a user in, and again only with the privilege for it; each time begins a session of its own. */
int login_uid_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	static atomic_t sessions;
	struct process *process = ((struct thread *)object)->process;
	s64 uid;
	int error = parse_s64(words, 10, &uid);

	if (current->process != process)
		return -EPERM;
	if (error || uid < 0 || uid > 0xffffffffLL)
		return -EINVAL;
	if (process->login_uid != NO_LOGIN && !cred_capable(cred, CAP_AUDIT_CONTROL))
		return -EPERM;
	WRITE_ONCE(process->login_session,
		   (u32)uid == NO_LOGIN ? NO_LOGIN : (u32)atomic_add_return(&sessions, 1));
	WRITE_ONCE(process->login_uid, (u32)uid);
	return 0;
}

int login_session_show(struct text *text, void *object)
{
	text_printf(text, "%u", READ_ONCE(((struct thread *)object)->process->login_session));
	return 0;
}

/* The one user namespace: every number stands for itself. */
int id_map_show(struct text *text, void *object)
{
	text_printf(text, "%10u %10u %10u\n", 0, 0, 0xffffffffU);
	return 0;
}

/* And that cannot be changed. */
int id_map_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return -EPERM;
}

int setgroups_show(struct text *text, void *object)
{
	text_puts(text, "allow\n");
	return 0;
}

int setgroups_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	if (!strcmp(words, "deny"))
		return -EPERM;
	return strcmp(words, "allow") ? -EINVAL : 0;
}

/* ---- Slack of timers ---- */

static int may_schedule(struct thread *thread, const struct cred *cred)
{
	return thread == current || cred_capable(cred, CAP_SYS_NICE) ? 0 : -EPERM;
}

int timer_slack_show(struct text *text, void *object)
{
	struct thread *thread = object;

	if (text->cred && may_schedule(thread, text->cred))
		return -EPERM;
	text_printf(text, "%llu\n", (unsigned long long)READ_ONCE(thread->timer_slack_ns));
	return 0;
}

int timer_slack_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct thread *thread = object;
	s64 value;
	int error = parse_s64(words, 10, &value);

	if (error || value < 0)
		return -EINVAL;
	error = may_schedule(thread, cred);
	if (!error)
		WRITE_ONCE(thread->timer_slack_ns, value ? (u64)value : 50 * NSEC_PER_USEC);
	return error;
}

/* ---- Children ---- */

/* The cursor is the number from which children are still to be shown. */
int children_next(struct text *text, void *object, u64 *cursor)
{
	struct process *process = ((struct thread *)object)->process, *child;
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	int lowest = 0;

	if (object == process->leader) /* which thread made a child is not kept */
		list_for_each(child, &process->children, sibling)
			if ((u64)child->pid >= *cursor && (!lowest || child->pid < lowest))
				lowest = child->pid;
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (!lowest)
		return 0;
	text_printf(text, "%d ", lowest);
	*cursor = (u64)lowest + 1;
	return 1;
}
