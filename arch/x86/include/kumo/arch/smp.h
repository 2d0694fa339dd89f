/* Several CPUs (arch/x86/smp.c). The public part is in irq.h. */
#ifndef KUMO_ARCH_SMP_H
#define KUMO_ARCH_SMP_H

#include <kumo/percpu.h>

extern u8 cpu_apic_id[MAX_CPUS]; /* by CPU number */

void smp_find_boot_cpu(void);  /* number 0 */
void smp_add_cpu(u32 apic_id); /* the firmware's table lists it */
void smp_prepare(void);	       /* per-CPU data for all of them */
void smp_call_interrupt(void); /* runs what other CPUs asked this one to run; interrupts off */
void smp_stop_if_asked(void);  /* an NMI came: does not return if arch_stop_others() sent it */

#endif
