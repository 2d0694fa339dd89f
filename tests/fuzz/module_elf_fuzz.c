/*
 * Fuzzes the parser of module files on the host: whatever module_image_check() accepts is then used as the loader would, in
 * buffers of exactly the right sizes, so that the address sanitizer sees each byte too far. Most mutations set one field of
 * a header, section, symbol or relocation, or a byte of a section: libFuzzer's own change bytes anywhere, and most are code.
 */
#include <asm/errno.h>
#include <stdlib.h>
#include <string.h>
#include <kumo/arch/module.h>
#include "../../kernel/module/elf.h"

#define RESERVED 512

static volatile unsigned long sink;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* A string that must end inside its table: behind that other parts of the file follow, of which the sanitizer knows nothing. */
static void check_string(const char *text, const char *table, size_t size)
{
	require(text >= table && text < table + size &&
		memchr(text, '\0', size - (size_t)(text - table)));
	sink += strlen(text);
}

static void read_tables(const struct module_image *image)
{
	static const char *const tags[] = { "name", "license", "vermagic", "depends", "" };
	size_t names_size = image->sections[image->header->e_shstrndx].sh_size;
	unsigned long crc;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		for (const char *value = NULL; (value = module_image_info(image, tags[i], value));)
			check_string(value, image->info, image->info_size);
	for (unsigned int i = 0; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		check_string(section_name(image, i), image->section_names, names_size);
		if (i && section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL)
			require(section->sh_offset <= image->size &&
				section->sh_size <= image->size - section->sh_offset);
	}
	for (unsigned int i = 0; i < image->symbol_count; i++) {
		check_string(symbol_name(image, i), image->strings, image->strings_size);
		if (module_image_version(image, symbol_name(image, i), &crc))
			sink += crc;
	}
	for (unsigned int i = 0; i < image->version_count; i++)
		check_string(image->versions[i].name, image->versions[i].name, MODULE_NAME_LEN);
}

/* Sections lie one behind another in their region, aligned, behind what was reserved. */
static void check_places(const struct module_image *image)
{
	unsigned long end[REGION_COUNT] = { [REGION_DATA] = RESERVED };

	for (unsigned int i = 1; i < image->section_count; i++) {
		const struct section_place *place = &image->places[i];
		unsigned long align = image->sections[i].sh_addralign;

		if (place->region == REGION_NONE)
			continue;
		require(place->offset >= end[place->region] && (!align || place->offset % align == 0));
		end[place->region] = place->offset + image->sections[i].sh_size;
	}
	for (unsigned int r = 0; r < REGION_COUNT; r++)
		require(end[r] == image->region_size[r]);
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
			int size = arch_relocation_size((u32)entries[r].r_info);

			require(size >= 0 && symbol < image->symbol_count);
			require(entries[r].r_offset < ~0UL - 8 &&
				entries[r].r_offset + (unsigned long)size <=
					image->sections[table->sh_info].sh_size);
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
			check_places(&image);
			load(&image);
		} else {
			check_string(image.fault, image.fault, sizeof(image.fault));
		}
		free(places);
	}
	free(file);
	return 0;
}

/* ---- Mutations ---- */

/* The section that a seed picks; false when there is none in the file. */
static bool pick_section(const unsigned char *file, size_t size, unsigned int seed, Elf64_Shdr *section)
{
	Elf64_Ehdr header;
	unsigned long at;

	memcpy(&header, file, sizeof(header));
	at = header.e_shoff + (header.e_shnum ? seed % header.e_shnum : 0) * sizeof(*section);
	if (at > size || size - at < sizeof(*section))
		return false;
	memcpy(section, file + at, sizeof(*section));
	return true;
}

/* Writes a number that is often wrong into `width` bytes: a hostile one, `near` or about it, or about what was there. */
static void set_field(unsigned char *at, size_t width, unsigned long near, unsigned int seed)
{
	static const unsigned long hostile[] = {
		0,	    1,	       2,	   4,	      7,	 8,	    0x10,
		0xff,	    0x1000,    0x7fff,	   0xff00,    0xfff1,	 0xfff2,    0xffff,
		0x7fffffff, 1UL << 31, 0xffffffff, 1UL << 32, ~0UL >> 1, 1UL << 63, ~0UL
	};
	unsigned int choice = seed % (sizeof(hostile) / sizeof(hostile[0]) + 8);
	unsigned long value = near;

	seed /= 32;
	if (choice < sizeof(hostile) / sizeof(hostile[0])) {
		value = hostile[choice];
	} else {
		if (choice & 1)
			memcpy(&value, at, width);
		value += seed % 3 - 1UL;
		value += (seed & 4) ? 1UL << seed / 8 % 16 : 0;
	}
	memcpy(at, &value, width);
}

/* One field of one entry of a table in the file, fields given by their widths in order. */
static void set_entry(unsigned char *file, size_t size, unsigned long start, unsigned long bytes,
		      const char *widths, unsigned int seed)
{
	unsigned long entry_size = 0, offset = 0;
	unsigned int field = seed % (unsigned int)strlen(widths);
	Elf64_Shdr other = { 0 };

	for (unsigned int i = 0; widths[i]; i++) {
		offset += i < field ? (unsigned long)(widths[i] - '0') : 0;
		entry_size += (unsigned long)(widths[i] - '0');
	}
	if (start > size || bytes > size - start || bytes < entry_size)
		return;
	offset += start + seed / 16 % (bytes / entry_size) * entry_size;
	if (pick_section(file, size, seed / 101, &other))
		set_field(file + offset, (size_t)(widths[field] - '0'), other.sh_size, seed / 7919);
}

/* One byte of a section, often its last. */
static void set_byte(unsigned char *file, size_t size, unsigned int seed)
{
	Elf64_Shdr section;

	if (!pick_section(file, size, seed, &section) || section.sh_offset > size ||
	    section.sh_size > size - section.sh_offset || !section.sh_size)
		return;
	seed /= 64;
	file[section.sh_offset + (seed & 3 ? seed / 1024 % section.sh_size : section.sh_size - 1)] =
		(unsigned char)(seed / 4);
}

size_t LLVMFuzzerMutate(unsigned char *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t max_size, unsigned int seed)
{
	Elf64_Ehdr header;
	Elf64_Shdr section;
	unsigned int choice = seed % 8;
	unsigned long wanted = choice == 6 ? SHT_SYMTAB : SHT_RELA;

	seed /= 8;
	if (choice < 3 || size < sizeof(header))
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(&header, data, sizeof(header));
	switch (choice) {
	case 3:
		set_byte(data, size, seed);
		break;
	case 4: /* behind e_ident */
		set_entry(data, size, 16, sizeof(header) - 16, "2248884222222", seed);
		break;
	case 5:
		set_entry(data, size, header.e_shoff, header.e_shnum * sizeof(section),
			  "4488884488", seed);
		break;
	default: /* from a section somewhere on, the next of the type */
		for (unsigned int i = 0;
		     i < header.e_shnum && pick_section(data, size, seed % 4096 + i, &section); i++) {
			if (section.sh_type != wanted)
				continue;
			set_entry(data, size, section.sh_offset, section.sh_size,
				  choice == 6 ? "411288" : "8448", seed);
			break;
		}
	}
	return size;
}
