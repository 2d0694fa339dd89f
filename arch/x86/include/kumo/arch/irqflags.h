/* The interrupt flag, and the pause of a spinning CPU. */
#ifndef KUMO_ARCH_IRQFLAGS_H
#define KUMO_ARCH_IRQFLAGS_H

#include <kumo/types.h>

#define X86_EFLAGS_INTERRUPT BIT(9)

static inline unsigned long local_irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0; cli" : "=r"(flags)::"memory");
	return flags;
}

static inline void local_irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline void local_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void local_irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_INTERRUPT)
		local_irq_enable();
}

static inline bool irqs_disabled(void)
{
	unsigned long flags;

	__asm__ volatile("pushf; pop %0" : "=r"(flags)::"memory");
	return !(flags & X86_EFLAGS_INTERRUPT);
}

static inline void cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
