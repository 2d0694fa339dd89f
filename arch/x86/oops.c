/*
 * Oopses: the report of a fault in kernel code, the backtrace, and the decision whether the system can go on.
 */
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/ptrace.h>
#include <kumo/atomic.h>
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/module.h>
#include <kumo/oops.h>
#include <kumo/printk.h>
#include <kumo/report.h>
#include <kumo/signal.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

extern char _text[], _etext[];

static atomic_t count;
static atomic_t reporter = ATOMIC_INIT(-1); /* CPU that is writing a report */
static unsigned int depth;		    /* of reports on that CPU */

unsigned int oops_count(void)
{
	return (unsigned int)atomic_read(&count);
}

/* The bounds of the kernel stack on which `address` lies; false when it lies on none of this CPU's. */
static bool stack_find(unsigned long address, unsigned long *end)
{
	unsigned long stack = (unsigned long)current->stack;
	const struct tss *tss = this_cpu_ptr(&cpu_tss);

	if (address >= stack && address < stack + THREAD_STACK_SIZE) {
		*end = stack + THREAD_STACK_SIZE;
		return stack;
	}
	for (int i = 0; i < IST_COUNT; i++) {
		if (address < tss->ist[i] && address >= tss->ist[i] - IST_STACK_SIZE + 16) {
			*end = tss->ist[i];
			return true;
		}
	}
	stack = (unsigned long)boot_stack;
	*end = stack + THREAD_STACK_SIZE;
	return address >= stack && address < *end;
}

/*
 * Follows saved frame pointers. An odd one is the address, plus 1, of registers that entry.S saved: the chain goes on where
 * these were interrupted. Addresses on one stack must rise, so that a damaged chain ends.
 */
unsigned int arch_backtrace_save(const struct pt_regs *regs, unsigned long *addresses, unsigned int limit)
{
	unsigned long frame, end = 0;
	unsigned int stored = 0;

	if (regs) {
		if (stored < limit)
			addresses[stored++] = regs->ip;
		frame = regs->bp;
	} else {
		frame = (unsigned long)__builtin_frame_address(0);
	}
	while (stored < limit) {
		if (frame & 1) {
			regs = (const struct pt_regs *)(frame - 1);
			if (!stack_find((unsigned long)regs, &end) ||
			    (unsigned long)(regs + 1) > end || regs_from_user(regs))
				break;
			addresses[stored++] = regs->ip;
			if (!(regs->bp & 1) && regs->bp <= frame && stack_find(regs->bp, &end) &&
			    regs->bp >= frame - 1)
				break;
			frame = regs->bp;
		} else {
			const unsigned long *words = (const unsigned long *)frame;

			if (frame % sizeof(long) || !stack_find(frame, &end) ||
			    frame + 2 * sizeof(long) > end || !words[1])
				break;
			addresses[stored++] = words[1];
			if (words[0] <= frame)
				break;
			frame = words[0];
		}
	}
	return stored;
}
EXPORT_SYMBOL(arch_backtrace_save);

unsigned int arch_backtrace_user(const struct pt_regs *regs, unsigned long *addresses, unsigned int limit)
{
	unsigned long frame = regs->bp, lowest = regs->sp, words[2];
	unsigned int stored = 0;

	if (stored < limit && regs->ip < USER_END)
		addresses[stored++] = regs->ip;
	while (stored < limit && frame >= lowest && frame % sizeof(long) == 0) {
		if (copy_from_user_nofault(words, (const void __user *)frame, sizeof(words)) ||
		    words[1] < PAGE_SIZE || words[1] >= USER_END)
			break;
		addresses[stored++] = words[1];
		lowest = frame + sizeof(words);
		frame = words[0];
	}
	return stored;
}
EXPORT_SYMBOL(arch_backtrace_user);

void arch_backtrace(const struct pt_regs *regs)
{
	unsigned long addresses[32];
	unsigned int stored = arch_backtrace_save(regs, addresses, ARRAY_SIZE(addresses));

	pr_emerg("Call Trace:\n");
	for (unsigned int i = !regs; i < stored; i++) /* not this function itself */
		pr_emerg(" %pS\n", (void *)addresses[i]);
}

static bool is_text(unsigned long address)
{
	return (address >= (unsigned long)_text && address < (unsigned long)_etext) ||
	       module_of_address(address);
}

/* The instruction bytes around ip, the one at ip in angle brackets. */
static void show_code(unsigned long ip)
{
	enum { BEFORE = 24, AFTER = 24 };
	char line[3 * (BEFORE + AFTER) + 4];
	size_t at = 0;

	for (unsigned long address = ip - BEFORE; address != ip + AFTER; address++)
		if (is_text(address) && is_text(ALIGN_DOWN(address, PAGE_SIZE)))
			at += scnprintf(line + at, sizeof(line) - at,
					address == ip ? "<%02x> " : "%02x ", *(const u8 *)address);
	if (at)
		pr_emerg("Code: %s\n", line);
}

static void show_registers(const struct pt_regs *regs)
{
	pr_emerg("RIP: %04lx:%pS\n", regs->cs & 0xffff, (void *)regs->ip);
	pr_emerg("RSP: %04lx:%016lx EFLAGS: %08lx\n", regs->ss & 0xffff, regs->sp, regs->flags);
	pr_emerg("RAX: %016lx RBX: %016lx RCX: %016lx\n", regs->ax, regs->bx, regs->cx);
	pr_emerg("RDX: %016lx RSI: %016lx RDI: %016lx\n", regs->dx, regs->si, regs->di);
	pr_emerg("RBP: %016lx R08: %016lx R09: %016lx\n", regs->bp, regs->r8, regs->r9);
	pr_emerg("R10: %016lx R11: %016lx R12: %016lx\n", regs->r10, regs->r11, regs->r12);
	pr_emerg("R13: %016lx R14: %016lx R15: %016lx\n", regs->r13, regs->r14, regs->r15);
	pr_emerg("CR2: %016lx CR3: %016lx CR4: %08lx\n", read_cr2(), read_cr3(), read_cr4());
}

/* True where no other part of the system depends on what runs now. */
static bool survivable(void)
{
	unsigned long stack = (unsigned long)current->stack,
		      here = (unsigned long)__builtin_frame_address(0);

	return !in_interrupt() && !(current->flags & THREAD_FLAG_IDLE) &&
	       !(current->process && current->process->pid == 1) && here >= stack &&
	       here < stack + THREAD_STACK_SIZE;
}

void die(const char *what, struct pt_regs *regs, unsigned long error_code)
{
	struct thread *thread = current;
	struct module *module;
	int self = (int)smp_processor_id(), expected = -1;

	local_irq_disable();
	/* One report at a time; a fault while reporting, on the same CPU, is reported shortly and ends all. */
	while (!atomic_try_cmpxchg(&reporter, &expected, self) && expected != self) {
		expected = -1;
		cpu_relax();
	}
	if (depth++) {
		if (depth == 2)
			panic("%s at %pS while another was reported", what, (void *)regs->ip);
		arch_halt();
	}

	taint_add(TAINT_DIE);
	pr_emerg("%s: %s, error code %04lx [#%d]\n", report_expected("oops") ? "expected oops" : "Oops",
		 what, error_code, atomic_inc_return(&count));
	pr_emerg("CPU: %d PID: %d Comm: %s%s\n", self, thread->pid, thread->name,
		 in_interrupt() ? " (in an interrupt)" : "");
	module = module_of_address(regs->ip);
	if (module)
		pr_emerg("In module: %s\n", module_name(module));
	show_registers(regs);
	show_code(regs->ip);
	arch_backtrace(regs);

	if (!survivable())
		panic("%s", what);
	depth--;
	atomic_set(&reporter, -1);
	if (thread->process)
		thread_exit(SIGKILL);
	/* A kernel thread: whoever waits for it gets an error. */
	local_irq_enable();
	thread->exit_code = -EFAULT;
	complete_all(&thread->exited);
	sched_exit();
}

#ifdef CONFIG_DEBUG
void __stack_chk_fail(void) __noreturn;

/* A function that gcc guards, and that was about to return, found its frame overwritten (stack_check.c). Where it would have
 * returned to cannot be trusted. */
void __stack_chk_fail(void)
{
	unsigned long *frame = __builtin_frame_address(0);
	struct pt_regs regs = { .bp = frame[0],
				.ip = frame[1],
				.cs = KERNEL_CODE_SELECTOR,
				.flags = local_irq_save(),
				.sp = (unsigned long)(frame + 2),
				.ss = KERNEL_DATA_SELECTOR };

	die("stack frame overwritten", &regs, 0);
}
EXPORT_SYMBOL(__stack_chk_fail);
#endif
