/*
 * The first C code: from the loader's information to a boot_info and a map of memory, with this CPU's own tables in place,
 * so that kernel_main() starts on firm ground. Runs on the first page table (entry.S), which maps 4 GiB.
 */
#include "boot.h"
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/layout.h>
#include <kumo/arch/serial.h>
#include <kumo/arch/traps.h>
#include <kumo/arch/tsc.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/string.h>

extern char _text[], _end[], __per_cpu_boot_copy[];

struct boot_info boot_info;
EXPORT_SYMBOL(boot_info);
phys_addr_t boot_low_page;

static __initdata u64 ram_size;
static __initdata phys_addr_t low_start, low_end; /* the largest range of RAM below 640 KiB */

void __init boot_stop(const char *what)
{
	static const char before[] __initconst = "\nkumo: ", after[] __initconst = "; it stops here.\n";

	serial_early_write(before, sizeof(before) - 1);
	serial_early_write(what, strlen(what));
	serial_early_write(after, sizeof(after) - 1);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void __init boot_add_ram(phys_addr_t start, u64 size)
{
	phys_addr_t end = start + size;

	if (end < start || end > VMEMMAP_BASE - DIRECT_MAP_BASE)
		return;
	ram_size += size;
	boot_memory_add(start, size);

	/* What lies above 636 KiB is the firmware's, whatever it says. */
	start = max(start, (phys_addr_t)PAGE_SIZE);
	end = min(end, (phys_addr_t)0x9f000);
	if (end > start && end - start > low_end - low_start) {
		low_start = ALIGN_UP(start, PAGE_SIZE);
		low_end = ALIGN_DOWN(end, PAGE_SIZE);
	}
}

/* The highest page there that the initrd leaves free. */
static void __init low_page_find(void)
{
	phys_addr_t end = low_end;

	if (boot_info.initrd_start < end &&
	    boot_info.initrd_start + boot_info.initrd_size > end - PAGE_SIZE)
		end = ALIGN_DOWN(boot_info.initrd_start, PAGE_SIZE);
	if (end >= low_start + PAGE_SIZE)
		boot_low_page = end - PAGE_SIZE;
}

void __init boot_set_command_line(const char *text, size_t limit)
{
	size_t length = min(strnlen(text, limit), sizeof(boot_info.command_line) - 1);

	memcpy(boot_info.command_line, text, length);
	boot_info.command_line[length] = '\0';
}

void __init boot_set_initrd(phys_addr_t start, u64 size)
{
	if (boot_info.initrd_size || !size || start + size < start)
		return;
	boot_info.initrd_start = start;
	boot_info.initrd_size = size;
}

/* Where the loader put the initrd there is memory, whatever the map says: SeaBIOS, with some disks, says that the end of it is its own. */
static void __init initrd_reserve(void)
{
	phys_addr_t start = ALIGN_DOWN(boot_info.initrd_start, PAGE_SIZE),
		    end = ALIGN_UP(boot_info.initrd_start + boot_info.initrd_size, PAGE_SIZE);

	if (!boot_info.initrd_size)
		return;
	boot_memory_add(start, end - start);
	boot_memory_reserve(start, end - start);
}

/* entry.S calls it with what the loader left in registers, on the boot stack, per-CPU data in place. */
void __init boot_start(u32 magic, u32 information)
{
	tsc_clock.base_tsc = rdtsc();
	per_cpu_offset[0] = (unsigned long)__per_cpu_boot_copy - (unsigned long)__per_cpu_start;
	this_cpu_write(this_cpu_off, per_cpu_offset[0]);
	serial_early_init();
	cpu_identify();
	gdt_set_stacks(0, (void *const[IST_COUNT]){ gdt_boot_stack(), gdt_boot_stack(),
						    gdt_boot_stack() });
	gdt_init_cpu();
	idt_init();
	idt_init_cpu();
	cpu_init_control();

	if (magic == MULTIBOOT_MAGIC)
		boot_read_multiboot2(information);
	else
		boot_read_pvh(information);
	if (!ram_size)
		boot_stop("the boot loader gave no memory map");

	boot_memory_reserve(virt_to_phys(_text), (u64)(_end - _text));
	initrd_reserve();
	low_page_find();
	if (boot_low_page)
		boot_memory_reserve(boot_low_page, PAGE_SIZE);
	console_register(&serial_early_console);
	kernel_main();
}
