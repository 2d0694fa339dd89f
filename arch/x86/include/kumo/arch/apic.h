/*
 * Interrupt controllers: the local APIC of each CPU (arch/x86/apic.c), the I/O APICs (ioapic.c), the old i8259 pair that is
 * shut off (pit.c), and the vectors of the interrupt descriptor table. (Intel SDM volume 3, chapter 11; 82093AA)
 */
#ifndef KUMO_ARCH_APIC_H
#define KUMO_ARCH_APIC_H

#define VECTOR_I8259                                                                               \
	0x20 /* 16 vectors: the pair is masked, but can still raise spurious interrupts */
#define VECTOR_DEVICE 0x30     /* first of those given to devices */
#define VECTOR_DEVICE_END 0xf0 /* one past the last */
#define VECTOR_RESCHEDULE 0xf0
#define VECTOR_CALL 0xf1
#define VECTOR_TIMER 0xf2
#define VECTOR_APIC_ERROR 0xfe
#define VECTOR_SPURIOUS 0xff

#ifndef __ASSEMBLER__
#include <kumo/irq.h>
#include <kumo/percpu.h>
#include <kumo/spinlock.h>

/* --- Local APIC --- */

void apic_init(phys_addr_t address); /* maps it, sets up the boot CPU's */
void apic_init_cpu(void);
void apic_end_interrupt(void);
void apic_error(void); /* VECTOR_APIC_ERROR came */
/* Sends `vector` to a CPU by number, any context. */
void arch_send_ipi(unsigned int cpu, u8 vector);
void arch_send_nmi(unsigned int cpu);
void apic_send_ipi_others(u8 vector);
void apic_send_init(u8 apic_id);
void apic_send_startup(u8 apic_id, u8 page);

/* The one-shot timer. apic_timer_count: lets it run down from its largest value; the ticks since then. */
void apic_timer_start_counting(void);
u32 apic_timer_counted(void);
void apic_timer_set_frequency(u64 ticks_per_second);

/* --- I/O APIC pins, by global system interrupt number --- */

enum { IRQ_LEVEL = 1, IRQ_ACTIVE_LOW = 2 };

int ioapic_add(phys_addr_t address, u32 first_gsi) __must_check;
bool ioapic_has(u32 gsi);
void ioapic_route(u32 gsi, u8 vector, unsigned int cpu, unsigned int flags); /* and unmasks */
void ioapic_mask(u32 gsi);
/* The pin of an ISA line and how it is triggered, when they are not as on the first PCs. */
void ioapic_set_override(unsigned int isa_line, u32 gsi, unsigned int flags);

/* --- Between those and the table of irqs (irq.c) --- */

/* What an ISA line is wired to. */
struct isa_route {
	u32 gsi;
	unsigned int flags; /* IRQ_ */
	bool overridden;
};
extern struct isa_route isa_routes[16];

/*
 * A source of interrupts. Its lock is held while its handlers run, which makes irq_free() wait for them; it is taken before
 * any lock of a handler.
 */
struct irq_action;
struct irq_source {
	spinlock_t lock; /* all of this; interrupts off */
	struct irq_action *actions;
	int irq;
	bool message;		/* MSI; else an I/O APIC pin */
	bool allocated;		/* MSI: somebody's */
	u8 vector;		/* constant once it is not zero */
	unsigned int cpu;	/* whom it interrupts */
	u32 gsi;		/* of a pin */
	unsigned int flags;	/* IRQ_ */
	unsigned int unhandled; /* times in a row that nobody said it was theirs */
};

/* Gives `source` a vector if it has none; -ENOSPC. */
int irq_assign_vector(struct irq_source *source) __must_check;
/* The source of an irq, made if need be; NULL: no such irq, or no memory. */
struct irq_source *irq_source_get(int irq);
/* irq numbers of messages are this plus their vector. */
#define IRQ_MESSAGE 256
/* A vector for a message and its source, not yet known to be somebody's; NULL: there are none left, or no memory. */
struct irq_source *irq_source_for_message(void);

void i8259_disable(void);

#endif

#endif
