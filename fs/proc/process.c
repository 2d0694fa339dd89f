/* /proc/PID and /proc/PID/task/TID: what is known of a process and of a thread. */
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/tty.h>
#include <kumo/vm.h>
#include <linux/capability.h>
#include <linux/fs.h>

#include "../../kernel/process.h"
#include "internal.h"

#define TICK_NS (NSEC_PER_SEC / 100) /* of USER_HZ */
#define KIB_PER_PAGE (PAGE_SIZE / 1024)

/* ---- Permission ---- */

int process_inspect_permission(struct process *process, const struct cred *cred)
{
	const struct cred *its;
	bool same;

	if (current->process == process && current->cred == cred)
		return 0;
	its = process_cred_get(process);
	same = cred->fsuid == its->uid && cred->fsuid == its->euid && cred->fsuid == its->suid &&
	       cred->fsgid == its->gid && cred->fsgid == its->egid && cred->fsgid == its->sgid &&
	       process->dumpable;
	cred_put(its);
	return same || cred_capable(cred, CAP_SYS_PTRACE) ? 0 : -EACCES;
}

/* A process that has changed its ids sees its own descriptors, though root owns their directory then. */
static bool is_current(void *object)
{
	return ((struct thread *)object)->process == current->process;
}

int may_inspect(void *object, const struct cred *cred)
{
	return process_inspect_permission(((struct thread *)object)->process, cred);
}

/* ---- What several files show ---- */

struct relations {
	int parent, group, session, foreground;
	u64 terminal;
};

static void relations_get(struct process *process, struct relations *relations)
{
	unsigned long flags = spin_lock_irqsave(&process_tree_lock);
	struct process_group *group = process->group;

	*relations = (struct relations){ .foreground = -1 };
	if (process->parent)
		relations->parent = process->parent->pid;
	if (group && !process->reaped) {
		relations->group = group->id;
		relations->session = group->session->id;
		if (group->session->tty) {
			relations->terminal = tty_number(group->session->tty);
			relations->foreground = tty_foreground_group(group->session->tty);
		}
	}
	spin_unlock_irqrestore(&process_tree_lock, flags);
}

struct signal_sets {
	signal_mask pending, shared, blocked, ignored, caught;
	unsigned int queued;
};

static void signal_sets_get(struct thread *thread, struct signal_sets *sets)
{
	struct process *process = thread->process;
	struct sighand *sighand;
	unsigned long flags;

	*sets = (struct signal_sets){};
	sighand = sighand_lock(process, &flags);
	sets->pending = thread->pending.mask;
	sets->shared = process->pending.mask;
	sets->blocked = thread->blocked;
	for (int i = 0; i < SIGNAL_COUNT; i++) {
		if (sighand->actions[i].sa_handler == SIG_IGN)
			sets->ignored |= 1ULL << i;
		else if (sighand->actions[i].sa_handler != SIG_DFL)
			sets->caught |= 1ULL << i;
	}
	sighand_unlock(sighand, flags);
}

static char state_letter(struct thread *thread)
{
	struct process *process = thread->process;

	if (READ_ONCE(process->zombie) && thread == READ_ONCE(process->leader))
		return 'Z';
	switch (READ_ONCE(thread->state)) {
	case THREAD_RUNNING:
		return 'R';
	case THREAD_INTERRUPTIBLE:
		return 'S';
	case THREAD_STOPPED:
		return 'T';
	case THREAD_DEAD:
		return thread == READ_ONCE(process->leader) ? 'Z' : 'X';
	default:
		return 'D';
	}
}

static const char *state_name(char letter)
{
	switch (letter) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'T':
		return "stopped";
	case 'Z':
		return "zombie";
	case 'X':
		return "dead";
	default:
		return "disk sleep";
	}
}

/* ---- stat ---- */

/* As Linux shows it: 20 is nice 0, real-time threads are below 0. */
static int priority_shown(const struct thread *thread)
{
	return thread->realtime_priority ? -1 - thread->realtime_priority : 20 + thread->nice;
}

static int write_stat(struct text *text, struct thread *thread, bool whole)
{
	struct process *process = thread->process;
	struct usage_sum used = thread_usage(thread, whole),
			 children = whole ? process->children_total : (struct usage_sum){};
	bool inspected = !text->cred || !process_inspect_permission(process, text->cred);
	struct mm *mm = thread_mm_get(thread);
	struct relations relations;
	struct signal_sets signals;

	relations_get(process, &relations);
	signal_sets_get(thread, &signals);
	/* 1-9: pid (comm) state ppid pgrp session tty_nr tpgid flags */
	text_printf(text, "%d (%s) %c %d %d %d %d %d %u", whole ? process->pid : thread->pid,
		    thread->name, state_letter(thread), relations.parent, relations.group,
		    relations.session, (int)relations.terminal, relations.foreground,
		    0x400000u | (thread->flags & THREAD_FLAG_FORKED_NOEXEC ? 0x40u : 0));
	/* 10-13: faults; 14-17: times */
	text_printf(text, " %llu %llu %llu %llu %llu %llu %lld %lld",
		    (unsigned long long)used.minor_faults, (unsigned long long)children.minor_faults,
		    (unsigned long long)used.major_faults, (unsigned long long)children.major_faults,
		    (unsigned long long)(used.user_ns / TICK_NS),
		    (unsigned long long)(used.system_ns / TICK_NS),
		    (long long)(children.user_ns / TICK_NS), (long long)(children.system_ns / TICK_NS));
	/* 18-22: priority nice threads itrealvalue starttime */
	text_printf(text, " %d %d %u 0 %llu", priority_shown(thread), thread->nice,
		    READ_ONCE(process->thread_count),
		    (unsigned long long)((whole ? process->start_time_ns : thread->start_time_ns) /
					 TICK_NS));
	/* 23-25: vsize rss rsslim; 26-30: code, stack, esp, eip */
	text_printf(text, " %lu %llu %llu", mm ? mm->total_pages * PAGE_SIZE : 0,
		    (unsigned long long)(mm ? mm_resident_pages(mm) : 0),
		    (unsigned long long)process->limits[RLIMIT_RSS].rlim_cur);
	text_printf(text, " %lu %lu %lu 0 0", mm && inspected ? mm->code_start : 0,
		    mm && inspected ? mm->code_end : 0, mm && inspected ? mm->stack_start : 0);
	/* 31-34: signals, as far as 31 bits show them; 35-37: wchan nswap cnswap */
	text_printf(text, " %llu %llu %llu %llu %d 0 0",
		    (unsigned long long)(signals.pending & 0x7fffffff),
		    (unsigned long long)(signals.blocked & 0x7fffffff),
		    (unsigned long long)(signals.ignored & 0x7fffffff),
		    (unsigned long long)(signals.caught & 0x7fffffff),
		    READ_ONCE(thread->state) != THREAD_RUNNING);
	/* 38-44: exit_signal processor rt_priority policy blkio guest cguest */
	text_printf(text, " %d %u %u %u 0 0 0", thread->exit_signal, thread->cpu,
		    thread->realtime_priority, thread->policy);
	/* 45-52: data, brk, arguments, environment, exit code */
	if (mm && inspected)
		text_printf(text, " %lu %lu %lu %lu %lu %lu %lu", mm->data_start, mm->data_end,
			    mm->brk_start, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
	else
		text_puts(text, " 0 0 0 0 0 0 0");
	text_printf(text, " %d\n", inspected && whole ? process->exit_code : 0);
	if (mm)
		mm_put(mm);
	return 0;
}

int process_stat_show(struct text *text, void *object)
{
	return write_stat(text, object, true);
}

int thread_stat_show(struct text *text, void *object)
{
	return write_stat(text, object, false);
}

/* ---- statm, status ---- */

struct memory_use {
	unsigned long total, code, data, stack, libraries; /* pages */
};

static int memory_use_get(struct mm *mm, struct memory_use *use)
{
	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	*use = (struct memory_use){ .total = mm->total_pages,
				    .data = mm->data_pages,
				    .stack = mm->stack_pages,
				    .libraries = mm->code_pages };
	up_read(&mm->map_lock);
	use->code = (ALIGN_UP(mm->code_end, PAGE_SIZE) - ALIGN_DOWN(mm->code_start, PAGE_SIZE)) /
		    PAGE_SIZE;
	use->libraries -= min(use->libraries, use->code);
	return 0;
}

int statm_show(struct text *text, void *object)
{
	struct mm *mm = thread_mm_get(object);
	struct memory_use use;
	int error;

	if (!mm) {
		text_puts(text, "0 0 0 0 0 0 0\n");
		return 0;
	}
	error = memory_use_get(mm, &use);
	if (!error)
		text_printf(text, "%lu %llu %ld %lu 0 %lu 0\n", use.total,
			    (unsigned long long)mm_resident_pages(mm),
			    atomic64_read(&mm->resident_file), use.code, use.data + use.stack);
	mm_put(mm);
	return error;
}

static void kib_line(struct text *text, const char *name, u64 pages)
{
	text_printf(text, "%s\t%8llu kB\n", name, (unsigned long long)(pages * KIB_PER_PAGE));
}

static int status_memory(struct text *text, struct mm *mm)
{
	struct memory_use use;
	int error = memory_use_get(mm, &use);

	if (error)
		return error;
	kib_line(text, "VmPeak:", use.total);
	kib_line(text, "VmSize:", use.total);
	kib_line(text, "VmLck:", mm->locked_pages);
	kib_line(text, "VmPin:", 0);
	kib_line(text, "VmHWM:", max(mm->max_resident_pages, mm_resident_pages(mm)));
	kib_line(text, "VmRSS:", mm_resident_pages(mm));
	kib_line(text, "RssAnon:", (u64)atomic64_read(&mm->resident_anon));
	kib_line(text, "RssFile:", (u64)atomic64_read(&mm->resident_file));
	kib_line(text, "RssShmem:", 0);
	kib_line(text, "VmData:", use.data);
	kib_line(text, "VmStk:", use.stack);
	kib_line(text, "VmExe:", use.code);
	kib_line(text, "VmLib:", use.libraries);
	kib_line(text, "VmPTE:", READ_ONCE(mm->table_pages));
	kib_line(text, "VmSwap:", 0);
	return 0;
}

static void status_identity(struct text *text, const struct cred *cred)
{
	text_printf(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid,
		    cred->suid, cred->fsuid, cred->gid, cred->egid, cred->sgid, cred->fsgid);
}

static void status_capabilities(struct text *text, struct thread *thread, const struct cred *cred)
{
	text_printf(text,
		    "CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		    (unsigned long long)cred->cap_inheritable,
		    (unsigned long long)cred->cap_permitted, (unsigned long long)cred->cap_effective,
		    (unsigned long long)cred->cap_bounding, (unsigned long long)cred->cap_ambient);
	text_printf(text, "NoNewPrivs:\t%d\nSeccomp:\t%d\nSeccomp_filters:\t%u\n", cred->no_new_privs,
		    READ_ONCE(thread->seccomp.mode), seccomp_filter_count(thread));
}

static void status_cpus(struct text *text, u64 affinity)
{
	unsigned int count = num_online_cpus();
	u64 all = count < 64 ? (1ULL << count) - 1 : ~0ULL;
	const char *separator = "";

	affinity &= all;
	text_printf(text, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t", (unsigned long long)affinity);
	for (unsigned int cpu = 0; cpu < count; cpu++) {
		unsigned int last = cpu;

		if (!(affinity & 1ULL << cpu))
			continue;
		while (last + 1 < count && (affinity & 1ULL << (last + 1)))
			last++;
		text_printf(text, last == cpu ? "%s%u" : "%s%u-%u", separator, cpu, last);
		separator = ",";
		cpu = last;
	}
	text_putc(text, '\n');
}

int status_show(struct text *text, void *object)
{
	struct thread *thread = object;
	struct process *process = thread->process;
	const struct cred *cred = process_cred_get(process);
	struct fs_context *fs = thread_fs_get(thread);
	struct files *files = thread_files_get(thread);
	struct mm *mm = thread_mm_get(thread);
	char state = state_letter(thread);
	struct relations relations;
	struct signal_sets signals;
	int error = 0;

	relations_get(process, &relations);
	signal_sets_get(thread, &signals);
	text_puts(text, "Name:\t");
	text_puts_escaped(text, thread->name, "\n\\");
	text_putc(text, '\n');
	if (fs)
		text_printf(text, "Umask:\t%04o\n", fs->umask);
	text_printf(text, "State:\t%c (%s)\n", state, state_name(state));
	text_printf(text, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", process->pid,
		    thread->pid, relations.parent);
	status_identity(text, cred);
	if (files) {
		rcu_read_lock();
		text_printf(text, "FDSize:\t%u\n", rcu_dereference(files->table)->size);
		rcu_read_unlock();
	}
	text_puts(text, cred->group_count ? "Groups:\t" : "Groups:\t ");
	for (u32 i = 0; i < cred->group_count; i++)
		text_printf(text, "%u ", cred->groups[i]);
	text_printf(text, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", process->pid,
		    thread->pid, relations.group, relations.session);
	if (mm)
		error = status_memory(text, mm);
	text_printf(text, "Threads:\t%u\nSigQ:\t%d/%llu\n", READ_ONCE(process->thread_count),
		    atomic_read(&cred->user->signal_count),
		    (unsigned long long)process->limits[RLIMIT_SIGPENDING].rlim_cur);
	text_printf(text,
		    "SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		    (unsigned long long)signals.pending, (unsigned long long)signals.shared,
		    (unsigned long long)signals.blocked, (unsigned long long)signals.ignored,
		    (unsigned long long)signals.caught);
	status_capabilities(text, thread, cred);
	status_cpus(text, thread->affinity);
	text_printf(text, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		    (unsigned long long)thread->voluntary_switches,
		    (unsigned long long)thread->involuntary_switches);
	if (mm)
		mm_put(mm);
	if (files)
		files_put(files);
	if (fs)
		fs_context_put(fs);
	cred_put(cred);
	return error;
}

/* ---- task/: the threads ---- */

static const struct pseudo_file thread_directory = PSEUDO_DIRECTORY("", 0555, thread_files);

static void *thread_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	int number = number_of_name(name);
	struct thread *thread = number > 0 ? thread_find(number) : NULL;

	if (!thread)
		return NULL;
	if (thread->process != ((struct thread *)object)->process) {
		thread_put(thread);
		return NULL;
	}
	*file = &thread_directory;
	return thread;
}

static int thread_list(struct dir_context *context, void *object)
{
	struct process *process = ((struct thread *)object)->process;
	int number = max((int)context->offset, 1);

	for (; (number = process_thread_from(process, number)); number++)
		if (!emit_number(context, (unsigned int)number, DT_DIR))
			break;
	return 0;
}

static const struct pseudo_dynamic thread_names = {
	.lookup = thread_lookup,
	.list = thread_list,
	.put = thread_object_put,
	.owner = thread_object_owner,
};

/* ---- The tables ---- */

#define PRIVATE_RECORDS(name_, mode_, next_)                                                       \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .next = (next_), .allow = may_inspect  \
	}
#define PRIVATE_TEXT(name_, mode_, show_)                                                          \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .show = (show_), .allow = may_inspect  \
	}
#define PRIVATE_NAMES(name_, mode_, dynamic_)                                                      \
	{                                                                                          \
		.name = (name_), .mode = S_IFDIR | (mode_), .dynamic = (dynamic_),                 \
		.allow = may_inspect, .permits = is_current                                        \
	}

#define PRIVATE_OPS(name_, mode_, ops_)                                                            \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | (mode_), .ops = (ops_), .allow = may_inspect    \
	}

#define NAMESPACE_FILE                                                                             \
	{                                                                                          \
		.name = "namespace", .mode = S_IFREG | 0444, .next = mounts_commands_next,         \
		.hold = place_hold, .release = context_release, .poll = mounts_poll,               \
		.allow = may_inspect                                                               \
	}

/* What processes and threads have alike. */
#define COMMON_FILES                                                                               \
	PRIVATE_TEXT("auxv", 0400, auxv_show), PSEUDO_TEXT("cgroup", 0444, cgroup_show),           \
		PSEUDO_CONTROL("clear_refs", 0200, NULL, clear_refs_store),                        \
		PSEUDO_RECORDS("cmdline", 0444, command_line_next),                                \
		PSEUDO_CONTROL("comm", 0644, comm_show, comm_store),                               \
		PSEUDO_CONTROL("coredump_filter", 0644, core_filter_show, core_filter_store),      \
		OBJECT_LINK("cwd", cwd_target, cwd_follow),                                        \
		PRIVATE_RECORDS("environ", 0400, environment_next),                                \
		OBJECT_LINK("exe", exe_target, exe_follow),                                        \
		PRIVATE_NAMES("fd", 0500, &descriptor_names),                                      \
		PRIVATE_NAMES("fdinfo", 0555, &descriptor_info_names),                             \
		PSEUDO_CONTROL("gid_map", 0644, id_map_show, id_map_store),                        \
		PSEUDO_TEXT("limits", 0444, limits_show),                                          \
		PSEUDO_CONTROL("loginuid", 0644, login_uid_show, login_uid_store),                 \
		PRIVATE_RECORDS("maps", 0444, maps_next), PRIVATE_OPS("mem", 0600, &memory_ops),   \
		MOUNTS_FILE("mountinfo", 0444, mounts_info_next, mounts_poll),                     \
		MOUNTS_FILE("mounts", 0444, mounts_table_next, mounts_poll), NAMESPACE_FILE,       \
		PSEUDO_DIRECTORY("ns", 0511, namespace_links),                                     \
		PSEUDO_CONTROL("oom_adj", 0644, oom_old_adjust_show, oom_old_adjust_store),        \
		PSEUDO_TEXT("oom_score", 0444, oom_score_show),                                    \
		PSEUDO_CONTROL("oom_score_adj", 0644, oom_adjust_show, oom_adjust_store),          \
		PRIVATE_TEXT("personality", 0400, personality_show),                               \
		PSEUDO_CONTROL("projid_map", 0644, id_map_show, id_map_store),                     \
		PRIVATE_OPS("pagemap", 0400, &page_map_ops),                                       \
		OBJECT_LINK("root", root_target, root_follow),                                     \
		PSEUDO_TEXT("sched", 0444, sched_show),                                            \
		PSEUDO_TEXT("schedstat", 0444, schedstat_show),                                    \
		PSEUDO_TEXT("sessionid", 0444, login_session_show),                                \
		PSEUDO_CONTROL("setgroups", 0644, setgroups_show, setgroups_store),                \
		PRIVATE_RECORDS("smaps", 0444, smaps_next),                                        \
		PRIVATE_TEXT("smaps_rollup", 0444, smaps_rollup_show),                             \
		PSEUDO_TEXT("statm", 0444, statm_show), PSEUDO_TEXT("status", 0444, status_show),  \
		PRIVATE_TEXT("syscall", 0400, syscall_show),                                       \
		PSEUDO_CONTROL("uid_map", 0644, id_map_show, id_map_store),                        \
		PSEUDO_TEXT("wchan", 0444, wchan_show)

#ifdef CONFIG_DEBUG
#define DEBUG_FILES                                                                                \
	PSEUDO_CONTROL("fail-nth", 0600, fail_nth_show, fail_nth_store),                           \
		PSEUDO_CONTROL("make-it-fail", 0600, make_it_fail_show, make_it_fail_store),
#else
#define DEBUG_FILES
#endif

static int process_net_target(char *buffer, size_t size, void *object)
{
	return scnprintf(buffer, size, "../net");
}

static int thread_net_target(char *buffer, size_t size, void *object)
{
	return scnprintf(buffer, size, "../../../net");
}

const struct pseudo_file process_files[] = {
	DEBUG_FILES COMMON_FILES,
	PRIVATE_TEXT("io", 0400, process_io_show),
	MOUNTS_FILE("mountstats", 0400, mounts_statistics_next, NULL),
	PSEUDO_LINK("net", process_net_target),
	PSEUDO_TEXT("stat", 0444, process_stat_show),
	PSEUDO_DYNAMIC("task", 0555, &thread_names),
	PRIVATE_RECORDS("timers", 0444, timers_next),
	PSEUDO_CONTROL("timerslack_ns", 0666, timer_slack_show, timer_slack_store),
	{},
};
const struct pseudo_file thread_files[] = {
	DEBUG_FILES COMMON_FILES,
	PSEUDO_RECORDS("children", 0444, children_next),
	PRIVATE_TEXT("io", 0400, thread_io_show),
	PSEUDO_LINK("net", thread_net_target),
	PSEUDO_TEXT("stat", 0444, thread_stat_show),
	{},
};
