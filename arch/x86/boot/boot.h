/* What the files of arch/x86/boot/ share; entry.S reads it, too. */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#define MULTIBOOT_MAGIC 0x36d76289
#define PVH_MAGIC 0x336ec578
#define SERIAL_PORT 0x3f8

/* Multiboot2 information tags (3.6). */
#define MULTIBOOT_END 0
#define MULTIBOOT_COMMAND_LINE 1
#define MULTIBOOT_LOADER_NAME 2
#define MULTIBOOT_MODULE 3
#define MULTIBOOT_MEMORY_MAP 6
#define MULTIBOOT_FRAMEBUFFER 8
#define MULTIBOOT_ACPI_OLD 14
#define MULTIBOOT_ACPI_NEW 15

#ifndef __ASSEMBLER__
#include <kumo/types.h>

void boot_read_multiboot2(phys_addr_t information);
void boot_read_pvh(phys_addr_t information);

/* What both loaders say, in their own formats. Reserving is left to boot_start(). */
void boot_add_ram(phys_addr_t start, u64 size);
void boot_set_command_line(const char *text, size_t limit);
void boot_set_initrd(phys_addr_t start, u64 size);

/* A page below 640 KiB that is kept free: where other CPUs start. 0: none. */
extern phys_addr_t boot_low_page;

/* Writes what is wrong to the first serial port and stops. */
void boot_stop(const char *what) __noreturn;
#endif

#endif
