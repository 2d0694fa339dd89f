/*
 * Message-signalled interrupts: a device writes a word to an address, and the CPU that the address names sees the vector that
 * the word holds. (Intel SDM volume 3, 11.11)
 */
#include <kumo/arch/apic.h>
#include <kumo/arch/smp.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/irq.h>

#define MSI_ADDRESS 0xfee00000u

static void compose(const struct irq_source *source, struct msi_message *message)
{
	message->address = MSI_ADDRESS | (u32)cpu_apic_id[source->cpu] << 12;
	message->data = source->vector; /* fixed delivery, edge */
}

void msi_message_get(int irq, struct msi_message *message)
{
	struct irq_source *source = irq_source_get(irq);

	*message = (struct msi_message){};
	if (source)
		compose(source, message);
}
EXPORT_SYMBOL(msi_message_get);

void msi_release(int irq)
{
	struct irq_source *source = irq_source_get(irq);
	unsigned long flags;

	if (!source || !source->message)
		return;
	flags = spin_lock_irqsave(&source->lock);
	source->allocated = false;
	spin_unlock_irqrestore(&source->lock, flags);
}
EXPORT_SYMBOL(msi_release);

int msi_alloc(int count, int *irqs, struct msi_message *messages)
{
	for (int i = 0; i < count; i++) {
		struct irq_source *source = irq_source_for_message();

		if (!source) {
			while (i--)
				msi_release(irqs[i]);
			return -ENOSPC;
		}
		/* Several messages of one device are most often one for each CPU. */
		source->cpu = (unsigned int)i % num_online_cpus();
		irqs[i] = source->irq;
		compose(source, &messages[i]);
	}
	return 0;
}
EXPORT_SYMBOL(msi_alloc);
