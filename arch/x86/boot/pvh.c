/* What a hypervisor says that starts the kernel itself (PVH boot protocol, struct hvm_start_info). */
#include "boot.h"
#include <kumo/boot.h>
#include <kumo/page.h>

struct start_info {
	u32 magic, version, flags, module_count;
	u64 module_list, command_line, acpi_rsdp;
	u64 memory_map; /* from version 1 on */
	u32 memory_map_entries, reserved;
};

struct module_entry {
	u64 address, size, command_line, reserved;
};

struct memory_map_entry {
	u64 address, size;
	u32 type, reserved;
};
enum { MEMORY_RAM = 1 };

void __init boot_read_pvh(phys_addr_t address)
{
	const struct start_info *info = phys_to_virt(address);

	if (info->magic != PVH_MAGIC)
		boot_stop("neither Multiboot2 nor PVH information was passed");
	boot_info.loader = "pvh";
	boot_info.acpi_rsdp = info->acpi_rsdp;
	if (info->command_line && info->command_line < 4 * GIB)
		boot_set_command_line(phys_to_virt(info->command_line), sizeof(boot_info.command_line));
	if (info->module_count && info->module_list < 4 * GIB) {
		const struct module_entry *module = phys_to_virt(info->module_list);

		boot_set_initrd(module->address, module->size);
	}
	if (info->version >= 1 && info->memory_map < 4 * GIB) {
		const struct memory_map_entry *map = phys_to_virt(info->memory_map);

		for (u32 i = 0; i < info->memory_map_entries; i++)
			if (map[i].type == MEMORY_RAM)
				boot_add_ram(map[i].address, map[i].size);
	}
}
