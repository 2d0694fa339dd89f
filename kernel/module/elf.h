/*
 * The structure of a module file (elf.c): an ELF64 relocatable object for x86-64. Plain C without the kernel, so that it also
 * builds as a host program and can be fuzzed (tests/fuzz/module_elf_fuzz.c).
 *
 *	module_image_open()	header and section table; says how many sections and symbols there are
 *	(the caller provides the two arrays)
 *	module_image_check()	everything else: when it returns 0, each offset, index and string that the loader uses
 *				lies where it must, and each allocated section has its place in a region
 *
 * The file is only read, so sections that overlap in it do no harm. On failure `fault` says what is wrong in which section.
 */
#ifndef KERNEL_MODULE_ELF_H
#define KERNEL_MODULE_ELF_H

#include <kumo/module_build.h>
#include <linux/elf.h>

/* Where a section goes. Each region is made of whole pages with one protection; the init regions go after init. */
enum module_region {
	REGION_TEXT,
	REGION_RODATA,
	REGION_DATA,
	REGION_INIT_TEXT,
	REGION_INIT_RODATA,
	REGION_INIT_DATA,
	REGION_COUNT,
	REGION_NONE = REGION_COUNT, /* not loaded */
};

/* Sections with a meaning for the loader; index 0 (no section has it) when absent. */
enum module_section {
	SECTION_DESCRIPTOR,   /* .kumo.module */
	SECTION_MODINFO,      /* .modinfo */
	SECTION_VERSIONS,     /* __versions */
	SECTION_EXPORTS,      /* __ksymtab */
	SECTION_EXPORT_NAMES, /* __ksymtab_strings */
	SECTION_EXPORT_CRCS,  /* __kcrctab */
	SECTION_PARAMS,	      /* __param */
	SECTION_EXCEPTIONS,   /* __ex_table */
	SECTION_SUITES,	      /* .kunit_test_suites */
	SECTION_CONSTRUCTORS, /* .init_array */
	SECTION_KNOWN,
};

struct section_place {
	unsigned int offset; /* within its region */
	unsigned char region;
};

struct module_image {
	const unsigned char *file;
	size_t size;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	unsigned int section_count;
	const char *section_names; /* each section's sh_name is an offset of a NUL-terminated string in it */
	unsigned int symbol_section;
	const Elf64_Sym *symbols;
	unsigned int symbol_count;
	unsigned int kept_symbols; /* named ones in loaded sections */
	const char *strings; /* each symbol's st_name is an offset of a NUL-terminated string in it */
	size_t strings_size;
	const char *info; /* .modinfo: strings ended by NUL, one behind another; ends in NUL */
	size_t info_size;
	const struct module_version *versions; /* each name NUL-terminated */
	unsigned int version_count;
	unsigned int known[SECTION_KNOWN];
	struct section_place *places;		/* section_count of them; the caller's */
	unsigned int region_size[REGION_COUNT]; /* bytes, not rounded */
	char fault[160];
};

#define MODULE_PAGE_SIZE 4096
#define MODULE_REGION_MAX (64U << 20)

/* 0 or -ENOEXEC, as for all of these. */
int module_image_open(struct module_image *image, const void *file, size_t size);
/* `places` has image->section_count elements. The first `reserved` bytes of the data region are left to the caller. */
int module_image_check(struct module_image *image, struct section_place *places, unsigned int reserved);

static inline const char *section_name(const struct module_image *image, unsigned int i)
{
	return image->section_names + image->sections[i].sh_name;
}
static inline const char *symbol_name(const struct module_image *image, unsigned int i)
{
	return image->strings + image->symbols[i].st_name;
}
/* A section's bytes in the file; not for SHT_NOBITS. */
static inline const void *section_data(const struct module_image *image, unsigned int i)
{
	return image->file + image->sections[i].sh_offset;
}

/* The next value of `tag` in .modinfo after `previous` (NULL: the first), or NULL. */
const char *module_image_info(const struct module_image *image, const char *tag, const char *previous);
/* The checksum that the module was built with for a symbol; false when it has none. */
bool module_image_version(const struct module_image *image, const char *name, unsigned long *crc);

#endif
