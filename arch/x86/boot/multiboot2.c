/* What GRUB says (Multiboot2 2.0, 3.4-3.6): a list of tags, each 8-byte aligned. All that is kept is copied. */
#include "boot.h"
#include <kumo/boot.h>
#include <kumo/page.h>
#include <kumo/string.h>

struct information {
	u32 total_size, reserved;
};

struct tag {
	u32 type, size; /* size: of the whole tag */
};

struct module_tag {
	struct tag tag;
	u32 start, end;
	char command_line[];
};

struct memory_map_tag {
	struct tag tag;
	u32 entry_size, entry_version;
	u8 entries[];
};

struct memory_map_entry {
	u64 address, length;
	u32 type, reserved;
};
enum { MEMORY_RAM = 1 };

struct framebuffer_tag {
	struct tag tag;
	u64 address;
	u32 pitch, width, height;
	u8 bits_per_pixel, type;
	u16 reserved;
	u8 red_position, red_size, green_position, green_size, blue_position, blue_size;
};
enum { FRAMEBUFFER_RGB = 1 };

enum { RSDP_SIZE_OLD = 20, RSDP_SIZE_NEW = 36 };

/* ACPI's root pointer is passed as a copy; it outlives the tags here. */
static u8 root_pointer[RSDP_SIZE_NEW] __aligned(16);

static char loader[64];

static void __init read_memory_map(const struct memory_map_tag *map)
{
	size_t size = map->tag.size;

	if (size < sizeof(*map) || map->entry_size < sizeof(struct memory_map_entry))
		return;
	for (size_t at = sizeof(*map); at + map->entry_size <= size; at += map->entry_size) {
		const struct memory_map_entry *entry = (const void *)((const u8 *)map + at);

		if (entry->type == MEMORY_RAM)
			boot_add_ram(entry->address, entry->length);
	}
}

static void __init read_framebuffer(const struct framebuffer_tag *tag)
{
	if (tag->tag.size < sizeof(*tag) - 2 || tag->type != FRAMEBUFFER_RGB)
		return;
	boot_info.framebuffer = (struct framebuffer_info){
		.address = tag->address,
		.pitch_bytes = tag->pitch,
		.width = tag->width,
		.height = tag->height,
		.bits_per_pixel = tag->bits_per_pixel,
		.red_shift = tag->red_position,
		.red_bits = tag->red_size,
		.green_shift = tag->green_position,
		.green_bits = tag->green_size,
		.blue_shift = tag->blue_position,
		.blue_bits = tag->blue_size,
	};
}

static void __init read_root_pointer(const struct tag *tag)
{
	size_t size = min((size_t)tag->size - sizeof(*tag), sizeof(root_pointer));

	if (size < RSDP_SIZE_OLD || (boot_info.acpi_rsdp && tag->type == MULTIBOOT_ACPI_OLD))
		return;
	memcpy(root_pointer, tag + 1, size);
	boot_info.acpi_rsdp = virt_to_phys(root_pointer);
}

static void __init read_tag(const struct tag *tag)
{
	const struct module_tag *module = (const void *)tag;
	const char *text = (const char *)(tag + 1);
	size_t text_size = tag->size - sizeof(*tag);

	switch (tag->type) {
	case MULTIBOOT_COMMAND_LINE:
		boot_set_command_line(text, text_size);
		break;
	case MULTIBOOT_LOADER_NAME:
		if (text_size && !text[text_size - 1])
			snprintf(loader, sizeof(loader), "multiboot2 %s", text);
		break;
	case MULTIBOOT_MODULE:
		if (tag->size >= sizeof(*module) && module->end > module->start)
			boot_set_initrd(module->start, module->end - module->start);
		break;
	case MULTIBOOT_MEMORY_MAP:
		read_memory_map((const void *)tag);
		break;
	case MULTIBOOT_FRAMEBUFFER:
		read_framebuffer((const void *)tag);
		break;
	case MULTIBOOT_ACPI_OLD:
	case MULTIBOOT_ACPI_NEW:
		read_root_pointer(tag);
		break;
	}
}

void __init boot_read_multiboot2(phys_addr_t address)
{
	const struct information *information = phys_to_virt(address);
	const u8 *end = (const u8 *)information + information->total_size;
	const u8 *at = (const u8 *)(information + 1);

	strscpy(loader, "multiboot2", sizeof(loader));
	boot_info.loader = loader;
	while ((size_t)(end - at) >= sizeof(struct tag)) {
		const struct tag *tag = (const void *)at;

		if (tag->type == MULTIBOOT_END || tag->size < sizeof(*tag) ||
		    tag->size > (size_t)(end - at))
			break;
		read_tag(tag);
		if (ALIGN_UP((size_t)tag->size, 8) > (size_t)(end - at))
			break;
		at += ALIGN_UP((size_t)tag->size, 8);
	}
}
