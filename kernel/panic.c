/*
 * The end of the machine, and reports of broken invariants.
 *
 * Kernel parameter: panic=N. N > 0: restart N seconds after a panic; N < 0: at once; 0 (default): stay, so that the screen can
 * be read. Later /proc/sys/kernel/panic says it.
 */
#include <kumo/arch/irqflags.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/oops.h>
#include <kumo/percpu.h>
#include <kumo/report.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include "log.h"

static u32 panic_cpu; /* number of the panicking CPU + 1 */

static unsigned long taint_bits;

void taint_add(enum taint taint)
{
	__atomic_fetch_or(&taint_bits, 1UL << taint, __ATOMIC_RELAXED);
}

unsigned long taints(void)
{
	return READ_ONCE(taint_bits);
}

static s64 timeout_s; /* while `timeout_chosen`; else what the command line says counts */
static bool timeout_chosen;

s64 panic_timeout(void)
{
	const char *value = boot_param("panic");
	s64 seconds;

	if (READ_ONCE(timeout_chosen))
		return READ_ONCE(timeout_s);
	return value && !parse_s64(value, 0, &seconds) ? seconds : 0;
}

void panic_set_timeout(s64 seconds)
{
	WRITE_ONCE(timeout_s, seconds);
	smp_store_release(&timeout_chosen, true);
}

void panic(const char *format, ...)
{
	u32 mine, nobody = 0;
	char text[256];
	s64 seconds;
	va_list args;

	local_irq_disable();
	mine = smp_processor_id() + 1;
	if (!__atomic_compare_exchange_n(&panic_cpu, &nobody, mine, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_RELAXED)) {
		/* Another CPU is at it, or this one panicked while panicking. */
		if (nobody == mine)
			arch_halt();
		for (;;)
			cpu_relax();
	}
	log_panic();
	reports_stop();
	arch_stop_others();
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pr_emerg("Kernel panic - not syncing: %s\n", text);
	arch_backtrace(NULL);
	pr_emerg("---[ end Kernel panic - not syncing: %s ]---\n", text);
	seconds = panic_timeout();
	if (!seconds)
		arch_halt();
	if (seconds > 0) {
		pr_emerg("Rebooting in %lld seconds..\n", (long long)seconds);
		for (s64 i = 0; i < seconds; i++)
			delay_ns(NSEC_PER_SEC);
	}
	arch_reset();
}
EXPORT_SYMBOL(panic);

void warn_at(const char *file, int line, const char *what)
{
	taint_add(TAINT_WARN);
	pr_warn("------------[ cut here ]------------\n");
	pr_warn("WARNING: %s:%d: %s\n", file, line, what);
	arch_backtrace(NULL);
}
EXPORT_SYMBOL(warn_at);

void bug_at(const char *file, int line, const char *what)
{
	pr_emerg("------------[ cut here ]------------\n");
	pr_emerg("kernel BUG at %s:%d: %s\n", file, line, what);
	__builtin_trap(); /* the invalid instruction makes an oops with registers */
}
EXPORT_SYMBOL(bug_at);
