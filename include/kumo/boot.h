/*
 * What the boot loader said (arch/x86/boot/ fills it from Multiboot2 or PVH), and the machine hooks that
 * kernel/main.c calls in order while the machine starts.
 */
#ifndef KUMO_BOOT_H
#define KUMO_BOOT_H

#include <kumo/types.h>

struct framebuffer_info {
	phys_addr_t address; /* 0: none */
	u32 pitch_bytes, width, height, bits_per_pixel;
	u8 red_shift, red_bits, green_shift, green_bits, blue_shift, blue_bits;
};

struct boot_info {
	const char *loader; /* "multiboot2 GRUB 2.06", "pvh" */
	char command_line[4096];
	phys_addr_t initrd_start;
	u64 initrd_size;
	phys_addr_t acpi_rsdp; /* 0: search for it */
	struct framebuffer_info framebuffer;
};

extern struct boot_info boot_info;

/*
 * Order of the start, on the boot CPU (kernel/main.c):
 *   arch entry: long mode, kernel page table, GDT, IDT, per-CPU area of CPU 0, early serial console, boot_info,
 *               boot_memory_add/reserve; then kernel_main().
 *   kernel_main: printk_init, parameters (early), arch_setup_memory (direct map), page_init, slab_init, kva_init, arch_init
 *               (ACPI, APIC, I/O APIC, TSC, timers: interrupts may be enabled after it), sched_init, rcu_init, time_init,
 *               trees, modules, arch_start_cpus, the first process.
 */
void kernel_main(void) __noreturn;
void arch_setup_memory(void); /* the direct map, final protections of the kernel image, page_array's mappings */
void arch_init(void);
void arch_start_cpus(void); /* starts the other CPUs; each ends in cpu_idle_loop() */
void arch_init_finish(void); /* gives init sections back, write-protects what is read-only after init */

/* Ends or restarts the machine (ACPI, then what the hardware has). Any context. */
void arch_power_off(void) __noreturn;
void arch_reset(void) __noreturn;
void arch_halt(void) __noreturn; /* all CPUs stop, for ever */

/* All other CPUs stop where they are, for ever: for panic and the above. Any context, more than once. */
void arch_stop_others(void);

/* The stack on which the boot CPU starts: THREAD_STACK_SIZE bytes, an unmapped page below. The first thread (idle) keeps it. */
extern char boot_stack[];

/* The text of /proc/cpuinfo for one CPU; the length, less than size. */
size_t arch_describe_cpu(unsigned int cpu, char *to, size_t size);

/* Writes to the first serial port by polling it, newlines as CR LF. Any context; nothing happens when there is none. */
void serial_early_write(const char *text, size_t size);
struct console;
extern struct console serial_early_console;

/* Boot command line (kernel/params.c): early_param handlers of the core are listed in one table there. */
const char *boot_param(const char *name); /* value of name=value ("" for a bare word), NULL when absent */

#endif
