/*
 * Interrupts: from a vector to the handlers that were registered for its source.
 *
 * A vector means the same source on all CPUs, and keeps meaning it: an interrupt that is on its way while its source is
 * moved to another CPU, or freed, still arrives somewhere that knows it. Sources are therefore never freed; there can be no
 * more of them than vectors and pins. A source's lock is held while its handlers run.
 */
#define LOG_PREFIX "irq: "
#include <kumo/arch/apic.h>
#include <kumo/arch/smp.h>
#include <kumo/arch/traps.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/lockcheck.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>

#define VECTORS 256
#define IRQ_LIMIT (IRQ_MESSAGE + VECTORS)
/* A level-triggered line that nobody owns would interrupt for ever. */
#define UNHANDLED_LIMIT 10000

struct irq_action {
	struct irq_action *next;
	irq_handler handler;
	void *arg;
	const char *name;
};

struct irq_counts {
	u32 by_vector[VECTORS];
};

DEFINE_PER_CPU(struct pt_regs *, interrupt_regs);
static DEFINE_PER_CPU(struct irq_counts, irq_counts);

static struct irq_source *sources[IRQ_LIMIT]; /* by irq; an entry changes once, from NULL */
static struct irq_source *by_vector[VECTORS]; /* likewise */
static spinlock_t table_lock =
	SPINLOCK_INIT("irq_table"); /* those changes; interrupts off, inside a source's lock */

bool in_interrupt(void)
{
	return this_cpu_read(interrupt_regs);
}
EXPORT_SYMBOL(in_interrupt);

struct pt_regs *interrupt_registers(void)
{
	return this_cpu_read(interrupt_regs);
}
EXPORT_SYMBOL(interrupt_registers);

static void handle(struct irq_source *source)
{
	bool handled = false;

	spin_lock(&source->lock);
	for (struct irq_action *action = source->actions; action; action = action->next)
		handled |= action->handler(source->irq, action->arg) == IRQ_HANDLED;
	if (likely(handled)) {
		source->unhandled = 0;
	} else if (++source->unhandled == UNHANDLED_LIMIT && !source->message) {
		ioapic_mask(source->gsi);
		pr_err("%d is switched off: nobody handles it\n", source->irq);
	}
	spin_unlock(&source->lock);
}

/* entry.S calls it, interrupts off. */
void interrupt_dispatch(unsigned long vector, struct pt_regs *regs)
{
	this_cpu_write(interrupt_regs, regs);
	this_cpu_inc(irq_counts.by_vector[vector]);
	lockcheck_interrupt_enter();
	switch (vector) {
	case VECTOR_TIMER:
		apic_end_interrupt();
		timer_interrupt();
		break;
	case VECTOR_RESCHEDULE: /* to be interrupted is all: the way back looks at current->work, the idle loop at its queue */
		apic_end_interrupt();
		break;
	case VECTOR_CALL:
		apic_end_interrupt();
		smp_call_interrupt();
		break;
	case VECTOR_APIC_ERROR:
		apic_error();
		apic_end_interrupt();
		break;
	case VECTOR_SPURIOUS: /* not acknowledged (SDM 3, 11.9), like those of the i8259 */
		break;
	default:
		if (vector < VECTOR_DEVICE)
			break;
		if (by_vector[(u8)vector])
			handle(by_vector[(u8)vector]);
		apic_end_interrupt();
	}
	lockcheck_interrupt_exit();
	this_cpu_write(interrupt_regs, NULL);
}

/* ---- Sources ---- */

static int vector_take(struct irq_source *source)
{
	for (int vector = VECTOR_DEVICE; vector < VECTOR_DEVICE_END; vector++) {
		if (!by_vector[vector]) {
			source->vector = (u8)vector;
			smp_store_release(&by_vector[vector], source);
			return 0;
		}
	}
	return -ENOSPC;
}

int irq_assign_vector(struct irq_source *source)
{
	unsigned long flags;
	int error;

	if (source->vector)
		return 0;
	flags = spin_lock_irqsave(&table_lock);
	error = vector_take(source);
	spin_unlock_irqrestore(&table_lock, flags);
	return error;
}

static struct irq_source *source_create(void)
{
	/* Kept for the next user. */
	struct irq_source *source = kzalloc(sizeof(*source), GFP_KERNEL | GFP_CORE);

	if (source)
		spin_init(&source->lock, "irq_source");
	return source;
}

struct irq_source *irq_source_for_message(void)
{
	struct irq_source *fresh = source_create(), *source = NULL;
	unsigned long flags = spin_lock_irqsave(&table_lock);

	for (int irq = IRQ_MESSAGE; irq < IRQ_LIMIT && !source; irq++)
		if (sources[irq] && !sources[irq]->allocated && !sources[irq]->actions)
			source = sources[irq];
	if (!source && fresh && !vector_take(fresh)) {
		source = fresh;
		fresh = NULL;
		source->message = true;
		source->irq = IRQ_MESSAGE + source->vector;
		smp_store_release(&sources[source->irq], source);
	}
	if (source)
		source->allocated = true;
	spin_unlock_irqrestore(&table_lock, flags);
	kfree(fresh);
	return source;
}

/* True for an irq below IRQ_MESSAGE that some I/O APIC has a pin for. */
static bool is_line(int irq)
{
	if (irq < 0 || irq >= IRQ_MESSAGE)
		return false;
	return ioapic_has(irq < (int)ARRAY_SIZE(isa_routes) ? isa_routes[irq].gsi : (u32)irq);
}

/* How the line of an irq below IRQ_MESSAGE is wired. */
static void source_route(struct irq_source *source, int irq)
{
	source->irq = irq;
	if (irq < (int)ARRAY_SIZE(isa_routes)) {
		source->gsi = isa_routes[irq].gsi;
		source->flags = isa_routes[irq].flags;
	} else { /* beyond the ISA lines there is PCI */
		source->gsi = (u32)irq;
		source->flags = IRQ_LEVEL | IRQ_ACTIVE_LOW;
	}
}

struct irq_source *irq_source_get(int irq)
{
	struct irq_source *fresh, *source;
	unsigned long flags;

	if (irq < 0 || irq >= IRQ_LIMIT)
		return NULL;
	source = smp_load_acquire(&sources[irq]);
	if (source || !is_line(irq))
		return source;
	fresh = source_create();
	if (!fresh)
		return NULL;
	source_route(fresh, irq);
	flags = spin_lock_irqsave(&table_lock);
	source = sources[irq];
	if (!source) {
		source = fresh;
		smp_store_release(&sources[irq], source);
		fresh = NULL;
	}
	spin_unlock_irqrestore(&table_lock, flags);
	kfree(fresh);
	return source;
}

int irq_from_isa_line(int line)
{
	struct irq_source *source;
	unsigned long flags;

	if (!is_line(line))
		return -EINVAL;
	source = irq_source_get(line);
	if (!source)
		return -ENOMEM;
	flags = spin_lock_irqsave(&source->lock);
	if (line >= (int)ARRAY_SIZE(isa_routes) || !isa_routes[line].overridden)
		source->flags = IRQ_LEVEL | IRQ_ACTIVE_LOW;
	spin_unlock_irqrestore(&source->lock, flags);
	return line;
}
EXPORT_SYMBOL(irq_from_isa_line);

int irq_request(int irq, irq_handler handler, void *arg, const char *name)
{
	struct irq_source *source = irq_source_get(irq);
	struct irq_action *action;
	unsigned long flags;
	int error;

	if (!source)
		return is_line(irq) ? -ENOMEM : -EINVAL;
	if (source->message && !source->allocated)
		return -EINVAL;
	action = kmalloc(sizeof(*action), GFP_KERNEL);
	if (!action)
		return -ENOMEM;
	*action = (struct irq_action){ .handler = handler, .arg = arg, .name = name };

	flags = spin_lock_irqsave(&source->lock);
	error = source->message && source->actions ? -EBUSY : irq_assign_vector(source);
	if (!error) {
		action->next = source->actions;
		source->actions = action;
		source->unhandled = 0;
		if (!source->message && !action->next)
			ioapic_route(source->gsi, source->vector, source->cpu, source->flags);
	}
	spin_unlock_irqrestore(&source->lock, flags);
	if (error)
		kfree(action);
	return error;
}
EXPORT_SYMBOL(irq_request);

void irq_free(int irq, void *arg)
{
	struct irq_source *source = irq_source_get(irq);
	struct irq_action **link, *action;
	unsigned long flags;

	if (!source)
		return;
	flags = spin_lock_irqsave(&source->lock);
	link = &source->actions;
	while (*link && (*link)->arg != arg)
		link = &(*link)->next;
	action = *link;
	if (action)
		*link = action->next;
	if (!source->actions && !source->message)
		ioapic_mask(source->gsi);
	spin_unlock_irqrestore(&source->lock, flags);
	WARN_ON(!action);
	kfree(action);
}
EXPORT_SYMBOL(irq_free);

void irq_set_affinity(int irq, unsigned int cpu)
{
	struct irq_source *source = irq_source_get(irq);
	unsigned long flags;

	if (!source || cpu >= num_online_cpus())
		return;
	flags = spin_lock_irqsave(&source->lock);
	source->cpu = cpu;
	if (!source->message && source->actions)
		ioapic_route(source->gsi, source->vector, cpu, source->flags);
	spin_unlock_irqrestore(&source->lock, flags);
}
EXPORT_SYMBOL(irq_set_affinity);

/* ---- Statistics ---- */

static const struct {
	u8 vector;
	const char *label, *name;
} system_vectors[] = {
	{ VECTOR_TIMER, "LOC", "Local timer interrupts" },
	{ VECTOR_RESCHEDULE, "RES", "Rescheduling interrupts" },
	{ VECTOR_CALL, "CAL", "Function call interrupts" },
	{ VECTOR_APIC_ERROR, "ERR", "APIC errors" },
	{ VECTOR_SPURIOUS, "SPU", "Spurious interrupts" },
};

u64 irq_count_total(void)
{
	u64 total = 0;

	for_each_cpu(cpu)
		for (int vector = 0; vector < VECTORS; vector++)
			total += READ_ONCE(per_cpu_ptr(&irq_counts, cpu)->by_vector[vector]);
	return total;
}

static size_t describe_counts(u8 vector, char *to, size_t size)
{
	size_t at = 0;

	for_each_cpu(cpu)
		at += scnprintf(to + at, size - at, " %10u",
				READ_ONCE(per_cpu_ptr(&irq_counts, cpu)->by_vector[vector]));
	return at;
}

static size_t describe_source(struct irq_source *source, char *to, size_t size)
{
	unsigned long flags;
	size_t at;

	if (!source || !source->vector)
		return 0;
	at = scnprintf(to, size, "%3d:", source->irq);
	at += describe_counts(source->vector, to + at, size - at);
	flags = spin_lock_irqsave(&source->lock);
	if (source->message)
		at += scnprintf(to + at, size - at, "  PCI-MSI  ");
	else
		at += scnprintf(to + at, size - at, "  IO-APIC  %u-%s  ", source->gsi,
				source->flags & IRQ_LEVEL ? "fasteoi" : "edge");
	for (struct irq_action *action = source->actions; action; action = action->next)
		at += scnprintf(to + at, size - at, "%s%s", action->name, action->next ? ", " : "");
	spin_unlock_irqrestore(&source->lock, flags);
	return at + scnprintf(to + at, size - at, "\n");
}

int irq_describe(unsigned int row, char *to, size_t size)
{
	size_t at;

	if (row < IRQ_LIMIT)
		return (int)describe_source(smp_load_acquire(&sources[row]), to, size);
	row -= IRQ_LIMIT;
	if (row >= ARRAY_SIZE(system_vectors))
		return -ENOENT;
	at = scnprintf(to, size, "%3s:", system_vectors[row].label);
	at += describe_counts(system_vectors[row].vector, to + at, size - at);
	return (int)(at + scnprintf(to + at, size - at, "  %s\n", system_vectors[row].name));
}
