/*
 * Fuzzes the parser of module files on the host: whatever module_image_check() accepts is then used as the loader would, in
 * buffers of exactly the right sizes, so that the address sanitizer sees each byte too far. tests/fuzz/run builds and runs it.
 */
#include <asm/errno.h>
#include <stdlib.h>
#include <string.h>
#include <kumo/arch/module.h>
#include "../../kernel/module/elf.h"

#define RESERVED 512

static volatile unsigned long sink;

static void touch_string(const char *text)
{
	sink += strlen(text);
}

static void read_tables(const struct module_image *image)
{
	static const char *const tags[] = { "name", "license", "vermagic", "depends", "" };
	unsigned long crc;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		for (const char *value = NULL; (value = module_image_info(image, tags[i], value));)
			touch_string(value);
	for (unsigned int i = 0; i < image->section_count; i++)
		touch_string(section_name(image, i));
	for (unsigned int i = 0; i < image->symbol_count; i++) {
		touch_string(symbol_name(image, i));
		if (module_image_version(image, symbol_name(image, i), &crc))
			sink += crc;
	}
	for (unsigned int i = 0; i < image->version_count; i++)
		touch_string(image->versions[i].name);
}

static void load(const struct module_image *image)
{
	unsigned char *base[REGION_COUNT];

	for (unsigned int r = 0; r < REGION_COUNT; r++) {
		if (image->region_size[r] > (1U << 20)) /* a legal size of NOBITS; not worth the time here */
			return;
		base[r] = NULL;
	}
	for (unsigned int r = 0; r < REGION_COUNT; r++)
		base[r] = calloc(1, image->region_size[r] + 1);
	for (unsigned int i = 1; i < image->section_count; i++) {
		const struct section_place *place = &image->places[i];

		if (place->region == REGION_NONE)
			continue;
		if (image->sections[i].sh_type == SHT_NOBITS)
			memset(base[place->region] + place->offset, 0, image->sections[i].sh_size);
		else
			memcpy(base[place->region] + place->offset, section_data(image, i),
			       image->sections[i].sh_size);
	}
	for (unsigned int i = 1; i < image->section_count; i++) {
		const Elf64_Shdr *table = &image->sections[i];
		const struct section_place *place;
		const Elf64_Rela *entries;

		if (table->sh_type != SHT_RELA)
			continue;
		entries = section_data(image, i);
		place = &image->places[table->sh_info];
		if (place->region == REGION_NONE)
			continue;
		for (size_t r = 0; r < table->sh_size / sizeof(*entries); r++) {
			unsigned int symbol = (unsigned int)(entries[r].r_info >> 32);
			unsigned char *at = base[place->region] + place->offset + entries[r].r_offset;

			sink += image->symbols[symbol].st_value;
			sink += (unsigned long)arch_relocate(
				(u32)entries[r].r_info, at, 0xffffffffa0000000,
				image->symbols[symbol].st_value + (u64)entries[r].r_addend);
		}
	}
	for (unsigned int r = 0; r < REGION_COUNT; r++)
		free(base[r]);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct module_image image;
	struct section_place *places;
	void *file = malloc(size ? size : 1); /* malloc aligns, as the kernel's buffer is */

	memcpy(file, data, size);
	if (!module_image_open(&image, file, size)) {
		places = malloc(image.section_count * sizeof(*places));
		if (!module_image_check(&image, places, RESERVED)) {
			read_tables(&image);
			load(&image);
		} else {
			touch_string(image.fault);
		}
		free(places);
	}
	free(file);
	return 0;
}
