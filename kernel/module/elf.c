/*
 * The structure of a module file, checked whole before any of it is used (see elf.h). Everything in the file is hostile: each
 * number is compared with what it must stay below before it is added to anything.
 */
#include <asm/errno.h>
#include <kumo/arch/module.h>
#include "elf.h"

#if __STDC_HOSTED__
#include <stdio.h>
#include <string.h>
#else
#include <kumo/string.h>
#endif

#define SECTIONS_MAX 0xff00 /* SHN_LORESERVE: numbers from here on mean other things */
#define SHF_TLS_FLAG 0x400
#define SHF_COMPRESSED_FLAG 0x800
#define SHT_RELATIVE_RELOCATIONS 19 /* SHT_RELR */
#define SHT_INIT_ARRAY 14
#define SYMBOL_TLS 6	   /* STT_TLS */
#define SYMBOL_INDIRECT 10 /* STT_GNU_IFUNC */

/* A fault of the file as a whole, and of one section. */
#define FAULT(image, ...) (snprintf((image)->fault, sizeof((image)->fault), __VA_ARGS__), -ENOEXEC)
#define FAULT_SECTION(image, i, format, ...)                                                       \
	FAULT(image, "section %u (%.40s): " format, i,                                             \
	      (image)->section_names ? section_name(image, i) : "?", ##__VA_ARGS__)

/* Is [offset, offset + size) inside `limit` bytes? */
static bool range_inside(u64 offset, u64 size, u64 limit)
{
	return offset <= limit && size <= limit - offset;
}

int module_image_open(struct module_image *image, const void *file, size_t size)
{
	const Elf64_Ehdr *header = file;
	const Elf64_Shdr *names;
	static const unsigned char ident[] = { 0x7f,	   'E',		'L',	   'F',
					       ELFCLASS64, ELFDATA2LSB, EV_CURRENT };

	memset(image, 0, sizeof(*image));
	image->file = file;
	image->size = size;
	image->header = header;
	if (size < sizeof(*header))
		return FAULT(image, "shorter than an ELF header");
	if (memcmp(header->e_ident, ident, sizeof(ident)))
		return FAULT(image, "not an ELF file of 64 bits, least significant byte first");
	if (header->e_type != ET_REL)
		return FAULT(image, "ELF type %u is not relocatable", header->e_type);
	if (header->e_machine != EM_X86_64)
		return FAULT(image, "ELF machine %u is not x86-64", header->e_machine);
	if (header->e_version != EV_CURRENT || header->e_ehsize != sizeof(*header))
		return FAULT(image, "ELF version or header size is wrong");
	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return FAULT(image, "section headers of %u bytes", header->e_shentsize);
	if (!header->e_shnum || header->e_shnum >= SECTIONS_MAX)
		return FAULT(image, "%u sections", header->e_shnum);
	if (header->e_shoff % 8 ||
	    !range_inside(header->e_shoff, (u64)header->e_shnum * sizeof(Elf64_Shdr), size))
		return FAULT(image, "section table lies outside the file or is not aligned");
	if (!header->e_shstrndx || header->e_shstrndx >= header->e_shnum)
		return FAULT(image, "section name table is number %u of %u sections",
			     header->e_shstrndx, header->e_shnum);
	image->section_count = header->e_shnum;
	image->sections = (const Elf64_Shdr *)(image->file + header->e_shoff);

	names = &image->sections[header->e_shstrndx];
	if (names->sh_type != SHT_STRTAB || !names->sh_size ||
	    !range_inside(names->sh_offset, names->sh_size, size))
		return FAULT(image, "section name table is no string table or lies outside the file");
	if (image->file[names->sh_offset + names->sh_size - 1])
		return FAULT(image, "section name table has no end mark");
	image->section_names = (const char *)image->file + names->sh_offset;
	return 0;
}

static const struct {
	const char *name;
	unsigned int element_size; /* the size must be a multiple */
	unsigned int align;	   /* at least */
	bool loaded;		   /* or for the loader's own reading */
} known_sections[SECTION_KNOWN] = {
	[SECTION_DESCRIPTOR] = { ".kumo.module", sizeof(struct module_descriptor), 8, true },
	[SECTION_MODINFO] = { ".modinfo", 1, 0, false },
	[SECTION_VERSIONS] = { "__versions", sizeof(struct module_version), 8, false },
	[SECTION_EXPORTS] = { "__ksymtab", sizeof(struct kernel_symbol), 8, true },
	[SECTION_EXPORT_NAMES] = { "__ksymtab_strings", 1, 0, true },
	[SECTION_EXPORT_CRCS] = { "__kcrctab", sizeof(u32), 4, true },
	[SECTION_PARAMS] = { "__param", sizeof(struct kernel_param), 8, true },
	[SECTION_EXCEPTIONS] = { "__ex_table", 8, 4, true },
	[SECTION_SUITES] = { ".kunit_test_suites", sizeof(void *), 8, true },
	[SECTION_CONSTRUCTORS] = { ".init_array", sizeof(void *), 8, true },
};

/* Whether section i is one that the loader knows by name; sets *known. */
static int find_known(struct module_image *image, unsigned int i, enum module_section *known)
{
	const char *name = section_name(image, i);

	*known = SECTION_KNOWN;
	if (name[0] != '_' && (name[0] != '.' || (name[1] != 'i' && name[1] != 'k' && name[1] != 'm')))
		return 0;
	for (unsigned int k = 0; k < SECTION_KNOWN; k++) {
		if (strcmp(name, known_sections[k].name))
			continue;
		if (image->known[k])
			return FAULT_SECTION(image, i, "there are two of this name");
		if (image->sections[i].sh_type !=
			    (k == SECTION_CONSTRUCTORS ? SHT_INIT_ARRAY : SHT_PROGBITS) ||
		    image->sections[i].sh_size % known_sections[k].element_size)
			return FAULT_SECTION(image, i, "type %u, size %llu is wrong for it",
					     image->sections[i].sh_type,
					     (unsigned long long)image->sections[i].sh_size);
		if (known_sections[k].loaded && !(image->sections[i].sh_flags & SHF_ALLOC))
			return FAULT_SECTION(image, i, "is not marked as loaded");
		if (image->sections[i].sh_addralign < known_sections[k].align)
			return FAULT_SECTION(image, i, "is not aligned");
		image->known[k] = i;
		*known = (enum module_section)k;
		break;
	}
	return 0;
}

static enum module_region region_of(const Elf64_Shdr *section, const char *name)
{
	bool init = name[0] == '.' && name[1] == 'i' && !strncmp(name, ".init", 5) &&
		    strncmp(name, ".init_array", 11);

	if (section->sh_flags & SHF_EXECINSTR)
		return init ? REGION_INIT_TEXT : REGION_TEXT;
	if (section->sh_flags & SHF_WRITE)
		return init ? REGION_INIT_DATA : REGION_DATA;
	return init ? REGION_INIT_RODATA : REGION_RODATA;
}

/* Gives a loaded section its place. */
static int place_section(struct module_image *image, unsigned int i)
{
	const Elf64_Shdr *section = &image->sections[i];
	u64 align = section->sh_addralign ? section->sh_addralign : 1, offset;
	enum module_region region;

	if (align & (align - 1) || align > MODULE_PAGE_SIZE)
		return FAULT_SECTION(image, i, "alignment %llu",
				     (unsigned long long)section->sh_addralign);
	if ((section->sh_flags & SHF_WRITE) && (section->sh_flags & SHF_EXECINSTR))
		return FAULT_SECTION(image, i, "is both writable and executable");
	if (section->sh_flags & (SHF_TLS_FLAG | SHF_COMPRESSED_FLAG))
		return FAULT_SECTION(image, i, "is thread-local or compressed");
	region = region_of(section, section_name(image, i));
	offset = (image->region_size[region] + align - 1) & ~(align - 1);
	if (section->sh_size > MODULE_REGION_MAX - offset)
		return FAULT_SECTION(image, i, "size %llu is too large",
				     (unsigned long long)section->sh_size);
	image->places[i].region = (unsigned char)region;
	image->places[i].offset = (unsigned int)offset;
	image->region_size[region] = (unsigned int)(offset + section->sh_size);
	return 0;
}

/* Each section's header: names, ranges, kinds, places. */
static int check_sections(struct module_image *image)
{
	size_t names_size = image->sections[image->header->e_shstrndx].sh_size;
	int error;

	if (image->sections[0].sh_type != SHT_NULL || image->sections[0].sh_size ||
	    image->sections[0].sh_name)
		return FAULT(image, "section 0 is not empty");
	image->places[0] = (struct section_place){ .region = REGION_NONE };
	for (unsigned int i = 1; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];
		enum module_section known;

		image->places[i] = (struct section_place){ .region = REGION_NONE };
		if (section->sh_name >= names_size)
			return FAULT(image, "section %u: its name lies outside the name table", i);
		if (section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
		    !range_inside(section->sh_offset, section->sh_size, image->size))
			return FAULT_SECTION(image, i, "lies outside the file");
		switch (section->sh_type) {
		case SHT_SYMTAB:
			if (image->symbol_section)
				return FAULT_SECTION(image, i, "a second symbol table");
			image->symbol_section = i;
			break;
		case SHT_REL:
		case SHT_RELATIVE_RELOCATIONS:
			return FAULT_SECTION(image, i,
					     "relocations of a type that x86-64 does not have");
		default:
			break;
		}
		error = find_known(image, i, &known);
		if (error)
			return error;
		if (!(section->sh_flags & SHF_ALLOC) || section->sh_type == SHT_NULL ||
		    (known < SECTION_KNOWN && !known_sections[known].loaded))
			continue;
		if (section->sh_type == SHT_SYMTAB || section->sh_type == SHT_STRTAB ||
		    section->sh_type == SHT_RELA)
			return FAULT_SECTION(image, i, "of type %u and marked as loaded",
					     section->sh_type);
		if (section->sh_addr)
			return FAULT_SECTION(image, i, "has an address already");
		error = place_section(image, i);
		if (error)
			return error;
	}
	return 0;
}

static int check_symbols(struct module_image *image)
{
	const Elf64_Shdr *table, *strings;
	unsigned int i = image->symbol_section;

	if (!i)
		return FAULT(image, "no symbol table (stripped of it?)");
	table = &image->sections[i];
	if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_size % sizeof(Elf64_Sym) ||
	    table->sh_offset % 8 || table->sh_size / sizeof(Elf64_Sym) > UINT32_MAX / sizeof(Elf64_Sym))
		return FAULT_SECTION(image, i, "symbols of a wrong size or place");
	if (!table->sh_link || table->sh_link >= image->section_count)
		return FAULT_SECTION(image, i, "its string table is number %u", table->sh_link);
	strings = &image->sections[table->sh_link];
	image->strings = (const char *)image->file + strings->sh_offset;
	image->strings_size = strings->sh_size;
	if (strings->sh_type != SHT_STRTAB || !strings->sh_size || image->strings[0] ||
	    image->strings[image->strings_size - 1])
		return FAULT_SECTION(image, table->sh_link, "is no string table, or has no end mark");
	if (image->strings_size > MODULE_REGION_MAX)
		return FAULT_SECTION(image, table->sh_link, "is too large");
	image->symbols = (const Elf64_Sym *)(image->file + table->sh_offset);
	image->symbol_count = (unsigned int)(table->sh_size / sizeof(Elf64_Sym));
	if (!image->symbol_count)
		return FAULT_SECTION(image, i, "is empty");

	for (unsigned int s = 0; s < image->symbol_count; s++) {
		const Elf64_Sym *symbol = &image->symbols[s];
		unsigned int type = symbol->st_info & 0xf;

		if (symbol->st_name >= image->strings_size)
			return FAULT(image, "symbol %u: its name lies outside the string table", s);
		if (!s) {
			if (symbol->st_name || symbol->st_shndx || symbol->st_value)
				return FAULT(image, "symbol 0 is not empty");
			continue;
		}
		if (type == SYMBOL_TLS || type == SYMBOL_INDIRECT)
			return FAULT(image, "symbol %u (%.60s): of type %u", s,
				     symbol_name(image, s), type);
		if (symbol->st_shndx == SHN_COMMON)
			return FAULT(image, "symbol %u (%.60s): common; compile with -fno-common",
				     s, symbol_name(image, s));
		if (symbol->st_shndx == SHN_UNDEF) {
			if (!symbol->st_name)
				return FAULT(image, "symbol %u: undefined and without a name", s);
			continue;
		}
		if (symbol->st_shndx == SHN_ABS)
			continue;
		if (symbol->st_shndx >= image->section_count)
			return FAULT(image, "symbol %u (%.60s): in section %u of %u", s,
				     symbol_name(image, s), symbol->st_shndx, image->section_count);
		if (symbol->st_value > image->sections[symbol->st_shndx].sh_size)
			return FAULT(image, "symbol %u (%.60s): lies outside its section", s,
				     symbol_name(image, s));
		if (symbol->st_name && image->places[symbol->st_shndx].region != REGION_NONE)
			image->kept_symbols++;
	}
	return 0;
}

/* Relocations of a loaded section: each within the section, by a symbol that exists, of a known type. */
static int check_relocations(struct module_image *image, unsigned int i)
{
	const Elf64_Shdr *table = &image->sections[i], *target;
	const Elf64_Rela *entries;
	unsigned long count;

	if (!table->sh_info || table->sh_info >= image->section_count)
		return FAULT_SECTION(image, i, "relocates section %u of %u", table->sh_info,
				     image->section_count);
	if (image->places[table->sh_info].region == REGION_NONE)
		return 0; /* debug information and the like */
	target = &image->sections[table->sh_info];
	if (table->sh_link != image->symbol_section)
		return FAULT_SECTION(image, i, "its symbol table is number %u, not %u",
				     table->sh_link, image->symbol_section);
	if (table->sh_entsize != sizeof(Elf64_Rela) || table->sh_size % sizeof(Elf64_Rela) ||
	    table->sh_offset % 8)
		return FAULT_SECTION(image, i, "relocations of a wrong size or place");
	if (target->sh_type == SHT_NOBITS && table->sh_size)
		return FAULT_SECTION(image, i, "relocates section %u, which has no bytes",
				     table->sh_info);
	entries = (const Elf64_Rela *)(image->file + table->sh_offset);
	count = table->sh_size / sizeof(Elf64_Rela);
	for (unsigned long r = 0; r < count; r++) {
		u32 type = (u32)entries[r].r_info, symbol = (u32)(entries[r].r_info >> 32);
		int size = arch_relocation_size(type);

		if (size < 0) {
			const char *name = arch_relocation_name(type);

			return FAULT_SECTION(image, i, "relocation %lu: type %u (%s) is not for modules",
					     r, type, name ? name : "unknown");
		}
		if (symbol >= image->symbol_count)
			return FAULT_SECTION(image, i, "relocation %lu: symbol %u of %u", r, symbol,
					     image->symbol_count);
		if (!range_inside(entries[r].r_offset, (u64)size, target->sh_size))
			return FAULT_SECTION(
				image, i, "relocation %lu: offset 0x%llx lies outside section %u",
				r, (unsigned long long)entries[r].r_offset, table->sh_info);
		if (symbol && image->symbols[symbol].st_shndx < SECTIONS_MAX &&
		    image->symbols[symbol].st_shndx != SHN_UNDEF &&
		    image->places[image->symbols[symbol].st_shndx].region == REGION_NONE)
			return FAULT_SECTION(image, i,
					     "relocation %lu: against section %u, which is not loaded",
					     r, image->symbols[symbol].st_shndx);
	}
	return 0;
}

/* The sections that the loader reads itself, where it relies on more than their size. */
static int check_known(struct module_image *image)
{
	unsigned int i = image->known[SECTION_MODINFO];

	if (!i)
		return FAULT(image, "no section .modinfo");
	image->info = section_data(image, i);
	image->info_size = image->sections[i].sh_size;
	if (image->info_size && image->info[image->info_size - 1])
		return FAULT_SECTION(image, i, "has no end mark");

	i = image->known[SECTION_VERSIONS];
	if (i) {
		if (image->sections[i].sh_offset % 8)
			return FAULT_SECTION(image, i, "lies at an odd place in the file");
		image->versions = section_data(image, i);
		image->version_count =
			(unsigned int)(image->sections[i].sh_size / sizeof(struct module_version));
		for (unsigned int v = 0; v < image->version_count; v++)
			if (image->versions[v].name[MODULE_NAME_LEN - 1])
				return FAULT_SECTION(image, i,
						     "the name of entry %u has no end mark", v);
	}

	i = image->known[SECTION_DESCRIPTOR];
	if (!i || image->sections[i].sh_size != sizeof(struct module_descriptor))
		return FAULT(image, "no section .kumo.module of the right size: not built for Kumo");

	i = image->known[SECTION_EXPORT_CRCS];
	if ((i ? image->sections[i].sh_size / sizeof(u32) : 0) !=
	    (image->known[SECTION_EXPORTS] ? image->sections[image->known[SECTION_EXPORTS]].sh_size /
						     sizeof(struct kernel_symbol)
					   : 0))
		return FAULT(image, "__ksymtab and __kcrctab differ in length");
	i = image->known[SECTION_EXPORT_NAMES];
	if (i && image->sections[i].sh_size) {
		const char *names = section_data(image, i);

		if (names[image->sections[i].sh_size - 1])
			return FAULT_SECTION(image, i, "has no end mark");
	}
	return 0;
}

int module_image_check(struct module_image *image, struct section_place *places, unsigned int reserved)
{
	int error;

	image->places = places;
	image->region_size[REGION_DATA] = reserved;
	error = check_sections(image);
	if (!error)
		error = check_symbols(image);
	for (unsigned int i = 1; !error && i < image->section_count; i++)
		if (image->sections[i].sh_type == SHT_RELA)
			error = check_relocations(image, i);
	return error ? error : check_known(image);
}

const char *module_image_info(const struct module_image *image, const char *tag, const char *previous)
{
	const char *end = image->info + image->info_size, *at = image->info;
	size_t length = strlen(tag);

	if (previous)
		at = previous + strlen(previous) + 1;
	while (at < end) {
		if (at[0] == tag[0] && !strncmp(at, tag, length) && at[length] == '=')
			return at + length + 1;
		at += strlen(at) + 1;
	}
	return NULL;
}

bool module_image_version(const struct module_image *image, const char *name, unsigned long *crc)
{
	unsigned int low = 0, high = image->version_count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		int order = strcmp(name, image->versions[middle].name);

		if (!order) {
			*crc = image->versions[middle].crc;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}
