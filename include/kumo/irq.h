/*
 * Interrupts. An irq number is an index into one table of all sources: ISA lines keep 0-15, I/O APIC pins are their
 * global system interrupt number, MSI vectors get numbers above. Handlers run on the interrupted thread's stack with
 * interrupts off and may not sleep; longer work goes to a work queue (work.h) or a thread.
 */
#ifndef KUMO_IRQ_H
#define KUMO_IRQ_H

#include <kumo/types.h>

struct pt_regs;

enum irq_result { IRQ_NONE, IRQ_HANDLED };
typedef enum irq_result (*irq_handler)(int irq, void *arg);

/* Registers a handler; lines may be shared (each handler says whether it was its device). -EBUSY, -ENOMEM, -EINVAL. */
int irq_request(int irq, irq_handler handler, void *arg, const char *name) __must_check;
/* Synchronous: when it returns the handler runs on no CPU and never again. Sleeps not; not from the handler itself. */
void irq_free(int irq, void *arg);
/* Which CPU it interrupts. For an irq of msi_alloc() the owner then writes msi_message_get() into the device. */
void irq_set_affinity(int irq, unsigned int cpu);

/* Message-signalled interrupts: allocates `count` irqs and the address/data that a device writes for each. */
struct msi_message {
	u64 address;
	u32 data;
};
int msi_alloc(int count, int *irqs, struct msi_message *messages) __must_check;
void msi_release(int irq);
void msi_message_get(int irq, struct msi_message *message);
/* The irq of a legacy PCI interrupt line (level, shared), from the pin's ISA line number. */
int irq_from_isa_line(int line);

/* True inside an interrupt handler (any but a page fault or system call). */
bool in_interrupt(void);
/* What the interrupt that is being handled interrupted; NULL outside of one. */
struct pt_regs *interrupt_registers(void);

/* Runs function(arg) on `cpu` (or all others) in interrupt context, and waits until it has. Interrupts on, no locks that
 * the function or another caller takes. */
void smp_call(unsigned int cpu, void (*function)(void *arg), void *arg);
void smp_call_others(void (*function)(void *arg), void *arg);
/* The same for each CPU whose bit is set; the caller's own is left out. */
void smp_call_mask(unsigned long cpus, void (*function)(void *arg), void *arg);
/* Makes `cpu` look at its run queue and pending work soon; wakes it from idle. Any context. */
void smp_send_reschedule(unsigned int cpu);

/* Totals for /proc/stat and /proc/interrupts. */
u64 irq_count_total(void);
/* One line of /proc/interrupts: the counts of interrupt source `row` on each CPU and its names. Rows count from 0; those
 * that were never used give 0; negative: there are no more. Else the length. */
int irq_describe(unsigned int row, char *to, size_t size);

#endif
