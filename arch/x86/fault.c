/*
 * Page faults: who did what where, and so whether an address space mends it, a process is told, an exception table has
 * an answer, or the kernel has a fault of its own.
 */
#include <kumo/arch/cpu.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/ptrace.h>
#include <kumo/arch/traps.h>
#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/oom.h>
#include <kumo/oops.h>
#include <kumo/printk.h>
#include <kumo/signal.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include "mm/mm.h"

/* Error code of a page fault (SDM volume 3, 4.7). */
#define FAULT_CODE_PRESENT 0x01
#define FAULT_CODE_WRITE 0x02
#define FAULT_CODE_USER 0x04
#define FAULT_CODE_RESERVED 0x08
#define FAULT_CODE_FETCH 0x10

/* As Linux's log has it, for people and for tools that look for it. */
static void log_segfault(const struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	static struct rate_limit limit;
	char where[320];

	if (!signal_is_fatal(SIGSEGV) || !rate_limit_pass(&limit))
		return;
	vm_describe(current->mm, regs->ip, where, sizeof(where));
	pr_info("%s[%d]: segfault at %lx ip %016lx sp %016lx error %lx%s\n", current->name,
		current->pid, address, regs->ip, regs->sp, error_code, where);
}

static void tell_process(unsigned long error_code, unsigned long address, int signal, int code)
{
	struct thread *thread = current;

	thread->arch.fault_address = address;
	/* The half of the kernel looks absent to user mode, whatever is there. */
	thread->arch.fault_code = address >= USER_END ? error_code | FAULT_CODE_PRESENT : error_code;
	thread->arch.trap_number = TRAP_PAGE_FAULT;
	if (signal == SIGSEGV)
		log_segfault(current_regs(), error_code, address);
	signal_force(signal, code, address);
}

static unsigned int access_of(unsigned long error_code)
{
	return (error_code & FAULT_CODE_WRITE ? FAULT_WRITE : 0) |
	       (error_code & FAULT_CODE_FETCH ? FAULT_EXEC : 0) |
	       (error_code & FAULT_CODE_USER ? FAULT_USER : 0);
}

static inline void count_fault(void)
{
	current->minor_faults++;
	memory_account(MEMORY_FAULTS, 1);
}

static void user_fault(unsigned long error_code, unsigned long address)
{
	int error = -EFAULT;

	if (likely(address < USER_END))
		error = vm_fault(current->mm, address, access_of(error_code));
	switch (error) {
	case 0:
		count_fault();
		break;
	case -EACCES:
		tell_process(error_code, address, SIGSEGV, SEGV_ACCERR);
		break;
	case -EIO:
		tell_process(error_code, address, SIGBUS, BUS_ADRERR);
		break;
	case -ENOMEM:
		oom_wait(); /* then the instruction is tried again, unless the process was chosen */
		break;
	case -EINTR: /* killed: it dies on the way out */
		break;
	default:
		tell_process(error_code, address, SIGSEGV, SEGV_MAPERR);
		break;
	}
}

/* The kernel touched user memory, through an instruction that may fault. True: try it again. */
static bool mend_for_kernel(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	int error;

	if (!current->mm || this_cpu_read(user_faults_off) || !(regs->flags & EFLAGS_IF) ||
	    in_interrupt())
		return false;
	error = vm_fault(current->mm, address, access_of(error_code));
	if (!error) {
		count_fault();
		return true;
	}
	if (error != -ENOMEM)
		return false;
	oom_wait();
	return !fatal_signal_pending();
}

static void kernel_fault(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	const char *what;

	/* Where the CPU has SMAP, only code between user_access_begin() and user_access_end() may be here. */
	if (address < USER_END && !(error_code & FAULT_CODE_FETCH) &&
	    (!cpu_has(CPU_SMAP) || regs->flags & EFLAGS_AC) &&
	    mend_for_kernel(regs, error_code, address))
		return;
	if (!(error_code & FAULT_CODE_FETCH) && exception_fixup(regs))
		return;
	if (error_code & FAULT_CODE_FETCH)
		what = address < USER_END ? "kernel ran user memory"
					  : "kernel ran memory that is not executable";
	else if (address < PAGE_SIZE)
		what = "kernel followed a null pointer";
	else if (address < USER_END)
		what = "kernel touched user memory";
	else if (error_code & FAULT_CODE_PRESENT)
		what = "kernel wrote to read-only memory";
	else
		what = "kernel touched memory that is not mapped";
	die(what, regs, error_code);
}

void page_fault_handler(struct pt_regs *regs, unsigned long error_code, unsigned long address)
{
	if (unlikely(error_code & FAULT_CODE_RESERVED))
		die("a page table is damaged", regs, error_code);
	if (likely(error_code & FAULT_CODE_USER))
		user_fault(error_code, address);
	else
		kernel_fault(regs, error_code, address);
}
