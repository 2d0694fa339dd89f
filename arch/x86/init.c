/* The machine's part of the start, once there is memory: kernel/main.c calls it; the order is that of dependence. */
#include <kumo/arch/acpi.h>
#include <kumo/arch/apic.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/smp.h>
#include <kumo/arch/tsc.h>
#include <kumo/boot.h>

void __init arch_init(void)
{
	i8259_disable();
	smp_find_boot_cpu();
	acpi_init();
	apic_init(acpi_machine.local_apic);
	tsc_init();
	smp_prepare();
	syscall_init_cpu();
	fpu_init_cpu();
}
