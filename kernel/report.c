/*
 * Reports of the checkers: one at a time on the whole machine, so that their lines do not mix, and one at a time on each
 * CPU, since what writes a report is checked, too. A checker may be called with any lock held and in any context, so nothing
 * here takes a lock that is checked: the CPU that reports is named by `reporter`.
 */
#include <kumo/arch/irqflags.h>
#include <kumo/atomic.h>
#include <kumo/export.h>
#include <kumo/oops.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/report.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#define NOBODY (-1)
#define LINE_SIZE 256

static atomic_t reporter = ATOMIC_INIT(NOBODY); /* the CPU between report_begin() and report_end() */
static bool stopped;

/* Of the report that is being written; the reporter's. */
static unsigned long caller_irq_flags;
static const char *current_checker;

static const char *expected_checker;
static atomic_t seen;

bool report_expected(const char *checker)
{
	const char *expected = READ_ONCE(expected_checker);

	if (!expected || strcmp(checker, expected))
		return false;
	atomic_inc(&seen);
	return true;
}

bool report_running(void)
{
	return atomic_read(&reporter) == (int)smp_processor_id();
}
EXPORT_SYMBOL(report_running);

/* Makes this CPU the reporter; false when it is already, or nobody shall be. Interrupts off. */
static bool reporter_become(void)
{
	int found = NOBODY, self = (int)smp_processor_id();

	while (!READ_ONCE(stopped)) {
		if (atomic_try_cmpxchg(&reporter, &found, self))
			return true;
		if (found == self)
			return false;
		found = NOBODY;
		cpu_relax();
	}
	return false;
}

bool report_begin(const char *checker, const char *format, ...)
{
	unsigned long flags = local_irq_save();
	char text[LINE_SIZE];
	va_list args;

	if (!reporter_become()) {
		local_irq_restore(flags);
		return false;
	}
	caller_irq_flags = flags;
	current_checker = checker;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (report_expected(checker)) {
		pr_err("expected report: %s: %s\n", checker, text);
	} else {
		taint_add(TAINT_WARN);
		pr_err("BUG: %s: %s\n", checker, text);
	}
	if (current) /* not at the very start */
		report_line("CPU %u, thread %d (%s)", smp_processor_id(), current->pid, current->name);
	arch_backtrace(NULL);
	return true;
}
EXPORT_SYMBOL(report_begin);

void report_line(const char *format, ...)
{
	char text[LINE_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pr_err("%s: %s\n", current_checker, text);
}
EXPORT_SYMBOL(report_line);

void report_end(void)
{
	unsigned long flags = caller_irq_flags;

	atomic_xchg(&reporter, NOBODY);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(report_end);

void reports_stop(void)
{
	WRITE_ONCE(stopped, true);
}

void reports_expect(const char *checker)
{
	atomic_set(&seen, 0);
	WRITE_ONCE(expected_checker, checker);
}
EXPORT_SYMBOL(reports_expect);

unsigned int reports_seen(void)
{
	WRITE_ONCE(expected_checker, NULL);
	return (unsigned int)atomic_read(&seen);
}
EXPORT_SYMBOL(reports_seen);
