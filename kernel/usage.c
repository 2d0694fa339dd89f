/* What processes have used: CPU time, faults, switches, memory. For getrusage, wait4, times and SIGCHLD. */
#include <kumo/err.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/resource.h>

#include "process.h"

void process_times(struct process *process, u64 *user_ns, u64 *system_ns)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct thread *thread;

	*user_ns = process->dead.user_ns;
	*system_ns = process->dead.system_ns;
	list_for_each(thread, &process->threads, process_link) {
		*user_ns += READ_ONCE(thread->user_ns);
		*system_ns += READ_ONCE(thread->system_ns);
	}
	spin_unlock_irqrestore(&process->lock, flags);
}

static void set_time(struct __kernel_old_timeval *time, u64 ns)
{
	time->tv_sec = (long)(ns / NSEC_PER_SEC);
	time->tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
}

static u64 resident_pages(struct mm *mm)
{
	return (u64)(atomic64_read(&mm->resident_file) + atomic64_read(&mm->resident_anon));
}

void process_note_resident(struct process *process, struct mm *mm)
{
	if (mm)
		process->dead.max_resident_pages =
			max(process->dead.max_resident_pages, resident_pages(mm));
}

static void io_count_add(struct io_count *sum, const struct io_count *more)
{
	sum->reads += READ_ONCE(more->reads);
	sum->writes += READ_ONCE(more->writes);
	sum->bytes_read += READ_ONCE(more->bytes_read);
	sum->bytes_written += READ_ONCE(more->bytes_written);
}

void usage_add_thread(struct usage_sum *sum, const struct thread *thread)
{
	sum->user_ns += READ_ONCE(thread->user_ns);
	sum->system_ns += READ_ONCE(thread->system_ns);
	sum->minor_faults += READ_ONCE(thread->minor_faults);
	sum->major_faults += READ_ONCE(thread->major_faults);
	sum->voluntary += READ_ONCE(thread->voluntary_switches);
	sum->involuntary += READ_ONCE(thread->involuntary_switches);
	io_count_add(&sum->io, &thread->io);
}

/* Of all threads of a process: those that are gone, which it remembers, and those that are there. */
static struct usage_sum own_usage(struct process *process)
{
	unsigned long flags = spin_lock_irqsave(&process->lock);
	struct usage_sum sum = process->dead;
	struct thread *thread;

	list_for_each(thread, &process->threads, process_link) {
		usage_add_thread(&sum, thread);
		if (thread->mm)
			sum.max_resident_pages =
				max(sum.max_resident_pages, resident_pages(thread->mm));
	}
	spin_unlock_irqrestore(&process->lock, flags);
	return sum;
}

struct usage_sum thread_usage(struct thread *thread, bool whole)
{
	struct usage_sum sum = {};

	if (whole)
		return own_usage(thread->process);
	usage_add_thread(&sum, thread);
	return sum;
}

static void usage_add(struct usage_sum *sum, const struct usage_sum *more)
{
	sum->user_ns += more->user_ns;
	sum->system_ns += more->system_ns;
	sum->minor_faults += more->minor_faults;
	sum->major_faults += more->major_faults;
	sum->voluntary += more->voluntary;
	sum->involuntary += more->involuntary;
	sum->max_resident_pages = max(sum->max_resident_pages, more->max_resident_pages);
	io_count_add(&sum->io, &more->io);
}

static void usage_tell(const struct usage_sum *sum, struct rusage *usage)
{
	memset(usage, 0, sizeof(*usage));
	set_time(&usage->ru_utime, sum->user_ns);
	set_time(&usage->ru_stime, sum->system_ns);
	usage->ru_minflt = (long)sum->minor_faults;
	usage->ru_majflt = (long)sum->major_faults;
	usage->ru_nvcsw = (long)sum->voluntary;
	usage->ru_nivcsw = (long)sum->involuntary;
	usage->ru_maxrss = (long)(sum->max_resident_pages * (PAGE_SIZE / KIB));
}

void process_usage_all(struct process *process, struct rusage *usage)
{
	struct usage_sum sum = own_usage(process);

	usage_add(&sum, &process->children_total);
	usage_tell(&sum, usage);
}

void process_usage_inherit(struct process *parent, struct process *child)
{
	usage_add(&parent->children_total, &child->dead);
	usage_add(&parent->children_total, &child->children_total);
}

long sys_getrusage(int who, struct rusage __user *to)
{
	struct process *process = current->process;
	struct usage_sum sum = {};
	struct rusage usage;
	unsigned long flags;

	sched_account();
	switch (who) {
	case RUSAGE_SELF:
		sum = own_usage(process);
		break;
	case RUSAGE_CHILDREN:
		flags = spin_lock_irqsave(&process_tree_lock);
		sum = process->children_total;
		spin_unlock_irqrestore(&process_tree_lock, flags);
		break;
	case RUSAGE_THREAD:
		usage_add_thread(&sum, current);
		sum.max_resident_pages = resident_pages(current->mm);
		break;
	default:
		return -EINVAL;
	}
	usage_tell(&sum, &usage);
	return copy_to_user(to, &usage, sizeof(usage)) ? -EFAULT : 0;
}
