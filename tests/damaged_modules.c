/*
 * Modules whose structure lies: a real one, cut short or with one field set to what it must not be, some thousand times. Each
 * is refused with Linux's errno and a line in the log that names the fault; memory stays what it was. Fields that the loader
 * has no use for may hold anything.
 * seconds: 180
 */
#define _GNU_SOURCE
#include "memory.h"
#include "tap.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLACK_KIB = 256, FAULTS_SHOWN = 5, RELA_64 = R_X86_64_64, MODULE_NAME_LEN = 56 };

#define MODULE "/lib/modules/6.1.0-kumo/kernel/modules/samples/hello/hello.ko"
#define DAMAGE(field) &(field), sizeof(field)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned char *whole, *file; /* as built; the copy that is damaged, always put right again */
static size_t file_size;
static Elf64_Ehdr *header;
static Elf64_Shdr *sections;
static const char *section_names;
static Elf64_Sym *symbols;
static unsigned int symbol_count, symbol_table;
static char *strings;
static size_t strings_size;
static int log_fd;

static unsigned int cases, faults; /* of the group that runs */

/* ---- One insertion ---- */

/* The kernel's lines since log_mark(), "\n" between them; how many. */
static unsigned int log_since(char *text, size_t size)
{
	char record[2048];
	unsigned int lines = 0;
	size_t used = 0;
	ssize_t length;

	text[0] = '\0';
	while ((length = read(log_fd, record, sizeof(record) - 1)) > 0) {
		char *message;

		record[length] = '\0';
		message = strchr(record, ';');
		if (!message || strncmp(message + 1, "module: ", 8) != 0)
			continue;
		lines++;
		used += (size_t)snprintf(text + used, size - used, "%s", message + 1);
		if (used >= size)
			used = size - 1;
	}
	return lines;
}

static void log_mark(void)
{
	lseek(log_fd, 0, SEEK_END);
}

static bool is_loaded(void)
{
	return !access("/sys/module/hello", F_OK);
}

static void complain(const char *what, int error, const char *log)
{
	if (faults++ < FAULTS_SHOWN)
		printf("# case %u: %s; errno %d (%s), log: %s\n", cases, what, error,
		       strerror(error), log);
}

/* The file as it is now: refused with this errno, and one line that contains `say`. Then it is whole again. */
static void refused(size_t size, int expected, const char *say)
{
	char log[4096];
	unsigned int lines;
	int error;

	cases++;
	log_mark();
	error = syscall(SYS_init_module, file, size, "quiet=1") ? errno : 0;
	lines = log_since(log, sizeof(log));
	if (!error)
		syscall(SYS_delete_module, "hello", O_NONBLOCK);
	if (error != expected)
		complain("another errno", error, log);
	/* Of a symbol's version Linux says two things: what is wrong with it, and that the symbol is unknown. */
	else if (lines < 1 || lines > (expected == EINVAL ? 2 : 1))
		complain("not one line", error, log);
	else if (!strstr(log, say))
		complain(say, error, log);
	else if (is_loaded())
		complain("it is there", error, log);
	memcpy(file, whole, file_size);
}

/* With one field, or some bytes, set. */
static void field_refused(void *field, size_t size, unsigned long value, int expected, const char *say)
{
	memcpy(field, &value, size);
	refused(file_size, expected, say);
}

static void bytes_refused(void *at, const char *bytes, size_t size, int expected, const char *say)
{
	memcpy(at, bytes, size);
	refused(file_size, expected, say);
}

/* With a field that nobody reads set to every kind of value. */
static void field_ignored(void *field, size_t size)
{
	static const unsigned long values[] = { 0, 1, 0x7fffffff, ~0UL >> 1, 1UL << 63, ~0UL };
	char log[4096];

	for (unsigned int i = 0; i < COUNT(values); i++) {
		cases++;
		memcpy(field, &values[i], size);
		log_mark();
		if (syscall(SYS_init_module, file, file_size, "quiet=1")) {
			int error = errno;

			log_since(log, sizeof(log));
			complain("an unused field", error, log);
		} else if (syscall(SYS_delete_module, "hello", O_NONBLOCK)) {
			complain("not removed", errno, "");
		}
		memcpy(file, whole, file_size);
	}
}

/* ---- Finding things in it ---- */

static bool open_module(void)
{
	struct stat status;
	int fd = open(MODULE, O_RDONLY);

	if (fd < 0 || fstat(fd, &status))
		return false;
	file_size = (size_t)status.st_size;
	whole = malloc(file_size);
	file = malloc(file_size);
	if (!whole || !file || read(fd, whole, file_size) != (ssize_t)file_size)
		return false;
	close(fd);
	memcpy(file, whole, file_size);
	header = (Elf64_Ehdr *)file;
	sections = (Elf64_Shdr *)(file + header->e_shoff);
	section_names = (const char *)whole + sections[header->e_shstrndx].sh_offset;
	for (unsigned int i = 1; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_SYMTAB)
			symbol_table = i;
	symbols = (Elf64_Sym *)(file + sections[symbol_table].sh_offset);
	symbol_count = (unsigned int)(sections[symbol_table].sh_size / sizeof(Elf64_Sym));
	strings = (char *)file + sections[sections[symbol_table].sh_link].sh_offset;
	strings_size = sections[sections[symbol_table].sh_link].sh_size;
	return true;
}

static unsigned int section_find(const char *name)
{
	for (unsigned int i = 1; i < header->e_shnum; i++)
		if (!strcmp(section_names + sections[i].sh_name, name))
			return i;
	printf("# no section %s\n", name);
	faults++;
	return 0;
}

static void *section_bytes(const char *name)
{
	return file + sections[section_find(name)].sh_offset;
}

static bool is_section(unsigned int i, const char *name)
{
	return !strcmp(section_names + sections[i].sh_name, name);
}

/* Placed in memory, as opposed to read by the loader only, or by nobody. */
static bool is_placed(unsigned int i)
{
	return (sections[i].sh_flags & SHF_ALLOC) && !is_section(i, ".modinfo") &&
	       !is_section(i, "__versions");
}

/* Where "tag=" of .modinfo starts. */
static char *info_find(const char *tag)
{
	char *at = section_bytes(".modinfo"), *end = at + sections[section_find(".modinfo")].sh_size;
	size_t length = strlen(tag);

	for (; at < end; at += strlen(at) + 1)
		if (!strncmp(at, tag, length) && at[length] == '=')
			return at;
	printf("# no %s in .modinfo\n", tag);
	faults++;
	return section_bytes(".modinfo");
}

/* ---- The groups ---- */

static void cut_short(void)
{
	for (size_t size = 0; size < sizeof(Elf64_Ehdr); size++)
		refused(size, ENOEXEC, "shorter than an ELF header");
	for (size_t size = sizeof(Elf64_Ehdr); size < file_size; size += 31)
		refused(size, ENOEXEC, "outside the file");
	for (unsigned int i = 1; i < header->e_shnum; i++) {
		refused(header->e_shoff + i * sizeof(Elf64_Shdr), ENOEXEC, "outside the file");
		refused(sections[i].sh_offset, ENOEXEC, "outside the file");
	}
	refused(file_size - 1, ENOEXEC, "outside the file");
}

static void elf_header(void)
{
	static const unsigned int types[] = { 0, 2, 3, 4, 0xffff },
				  machines[] = { 0, 3, 40, 183, 0xffff },
				  sizes[] = { 0, 1, 63, 65, 0xffff }, versions[] = { 0, 2, ~0U };
	static const unsigned long places[] = { 1,	   4,	     1UL << 62, 1UL << 63,
						~0UL >> 1, ~0UL - 7, ~0UL };
	unsigned int count = header->e_shnum;

	for (unsigned int i = 0; i < 7; i++) {
		field_refused(DAMAGE(header->e_ident[i]), 0, ENOEXEC, "not an ELF file");
		field_refused(DAMAGE(header->e_ident[i]), 0xff, ENOEXEC, "not an ELF file");
	}
	for (unsigned int i = 0; i < COUNT(types); i++)
		field_refused(DAMAGE(header->e_type), types[i], ENOEXEC, "not relocatable");
	for (unsigned int i = 0; i < COUNT(machines); i++)
		field_refused(DAMAGE(header->e_machine), machines[i], ENOEXEC, "is not x86-64");
	for (unsigned int i = 0; i < COUNT(versions); i++)
		field_refused(DAMAGE(header->e_version), versions[i], ENOEXEC, "ELF version");
	for (unsigned int i = 0; i < COUNT(sizes); i++) {
		field_refused(DAMAGE(header->e_ehsize), sizes[i], ENOEXEC, "header size");
		field_refused(DAMAGE(header->e_shentsize), sizes[i], ENOEXEC, "section headers of");
	}
	for (unsigned int i = 0; i < COUNT(places); i++)
		field_refused(DAMAGE(header->e_shoff), places[i], ENOEXEC, "section table");
	field_refused(DAMAGE(header->e_shoff), file_size, ENOEXEC, "section table");
	field_refused(DAMAGE(header->e_shoff), (file_size & ~7UL) - 8, ENOEXEC, "section table");
	field_refused(DAMAGE(header->e_shoff), 0, ENOEXEC, "");
	field_refused(DAMAGE(header->e_shnum), 0, ENOEXEC, "0 sections");
	field_refused(DAMAGE(header->e_shnum), 1, ENOEXEC, "section name table");
	field_refused(DAMAGE(header->e_shnum), count + 1, ENOEXEC, "section table");
	field_refused(DAMAGE(header->e_shnum), 0xfeff, ENOEXEC, "section table");
	field_refused(DAMAGE(header->e_shnum), 0xff00, ENOEXEC, "65280 sections");
	field_refused(DAMAGE(header->e_shnum), 0xffff, ENOEXEC, "65535 sections");
	for (unsigned int i = 0; i < count; i++) /* each other section as the table of names */
		if (i != header->e_shstrndx)
			field_refused(DAMAGE(header->e_shstrndx), i, ENOEXEC, "");
	field_refused(DAMAGE(header->e_shstrndx), count, ENOEXEC, "section name table");
	field_refused(DAMAGE(header->e_shstrndx), 0xffff, ENOEXEC, "section name table");
}

static void section_headers(void)
{
	static const unsigned long huge[] = { 1UL << 62, 1UL << 63, ~0UL >> 1, ~0UL - 0xfff, ~0UL };
	static const unsigned long alignments[] = { 3, 0x1800, 0x2000, 1UL << 32, 1UL << 63, ~0UL };
	size_t names_size = sections[header->e_shstrndx].sh_size;

	field_refused(DAMAGE(sections[0].sh_type), SHT_PROGBITS, ENOEXEC, "section 0");
	field_refused(DAMAGE(sections[0].sh_size), 1, ENOEXEC, "section 0");
	field_refused(DAMAGE(sections[0].sh_name), 1, ENOEXEC, "section 0");
	for (unsigned int i = 1; i < header->e_shnum; i++) {
		Elf64_Shdr *section = &sections[i];
		bool has_bytes = section->sh_type != SHT_NOBITS && section->sh_size;

		field_refused(DAMAGE(section->sh_name), names_size, ENOEXEC, "its name lies outside");
		field_refused(DAMAGE(section->sh_name), 1U << 31, ENOEXEC, "its name lies outside");
		field_refused(DAMAGE(section->sh_name), ~0U, ENOEXEC, "its name lies outside");
		field_refused(DAMAGE(section->sh_type), SHT_REL, ENOEXEC, "");
		field_refused(DAMAGE(section->sh_type), 19, ENOEXEC, "");
		for (unsigned int v = 0; v < COUNT(huge); v++) {
			field_refused(DAMAGE(section->sh_size), huge[v], ENOEXEC,
				      has_bytes ? "outside the file" : "");
			if (has_bytes)
				field_refused(DAMAGE(section->sh_offset), huge[v], ENOEXEC,
					      "outside the file");
		}
		if (has_bytes) {
			field_refused(DAMAGE(section->sh_size), file_size - section->sh_offset + 1,
				      ENOEXEC, "outside the file");
			field_refused(DAMAGE(section->sh_offset), file_size - section->sh_size + 1,
				      ENOEXEC, "outside the file");
		}
		if (!is_placed(i))
			continue;
		for (unsigned int v = 0; v < COUNT(alignments); v++)
			field_refused(DAMAGE(section->sh_addralign), alignments[v], ENOEXEC, "align");
		field_refused(DAMAGE(section->sh_addr), 1, ENOEXEC, "an address already");
		field_refused(DAMAGE(section->sh_addr), ~0UL, ENOEXEC, "an address already");
		field_refused(DAMAGE(section->sh_flags), section->sh_flags | SHF_TLS, ENOEXEC,
			      "thread-local");
		field_refused(DAMAGE(section->sh_flags), section->sh_flags | SHF_COMPRESSED,
			      ENOEXEC, "compressed");
		field_refused(DAMAGE(section->sh_flags), section->sh_flags | SHF_WRITE | SHF_EXECINSTR,
			      ENOEXEC, "writable and executable");
		field_refused(DAMAGE(section->sh_type), SHT_STRTAB, ENOEXEC, "");
		field_refused(DAMAGE(section->sh_type), SHT_SYMTAB, ENOEXEC, "");
		field_refused(DAMAGE(section->sh_name), sections[section_find(".modinfo")].sh_name,
			      ENOEXEC, "");
	}
}

/* Sections that the loader reads itself, absent or of a wrong size. */
static void special_sections(void)
{
	static const struct {
		const char *name;
		unsigned long wrong_size;
		const char *without; /* NULL: it may be absent */
	} special[] = {
		{ ".kumo.module", 16, "no section .kumo.module" },
		{ ".modinfo", 0, "no section .modinfo" },
		{ "__versions", 65, NULL },
		{ "__ksymtab", 15, "differ in length" },
		{ "__kcrctab", 3, "differ in length" },
		{ "__param", 31, NULL },
	};
	unsigned int crcs = section_find("__kcrctab"), suite = section_find(".rodata");

	for (unsigned int i = 0; i < COUNT(special); i++) {
		Elf64_Shdr *section = &sections[section_find(special[i].name)];

		if (special[i].wrong_size)
			field_refused(DAMAGE(section->sh_size), special[i].wrong_size, ENOEXEC, "");
		if (special[i].without)
			field_refused(DAMAGE(section->sh_name), 0, ENOEXEC, special[i].without);
		field_refused(DAMAGE(section->sh_type), SHT_NOBITS, ENOEXEC, "is wrong for it");
	}
	field_refused(DAMAGE(sections[crcs].sh_size), 4, ENOEXEC, "");
	field_refused(DAMAGE(sections[suite].sh_name), sections[crcs].sh_name, ENOEXEC, "");
	field_refused(DAMAGE(((Elf64_Word *)section_bytes(".kumo.module"))[0]), 0, ENOEXEC,
		      "descriptor");
	field_refused(DAMAGE(((Elf64_Word *)section_bytes(".kumo.module"))[0]), ~0U, ENOEXEC,
		      "descriptor");
	field_refused(DAMAGE(((Elf64_Word *)section_bytes(".kumo.module"))[1]), 0, ENOEXEC,
		      "descriptor");
	field_refused(DAMAGE(((Elf64_Word *)section_bytes(".kumo.module"))[1]), ~0U, ENOEXEC,
		      "descriptor");
}

static void symbol_tables(void)
{
	static const unsigned long sizes[] = { 0, 1, 23, 25, ~0UL };
	static const unsigned int reserved[] = { 0xfeff, 0xff00, 0xff1f, 0xff20, SHN_COMMON, 0xffff };
	Elf64_Shdr *table = &sections[symbol_table];
	Elf64_Word defined = 0; /* the name of a symbol that nobody exports */

	for (unsigned int i = 0; i < COUNT(sizes); i++)
		field_refused(DAMAGE(table->sh_entsize), sizes[i], ENOEXEC, "symbols of a wrong size");
	field_refused(DAMAGE(table->sh_size), table->sh_size - 1, ENOEXEC, "symbols of a wrong size");
	field_refused(DAMAGE(table->sh_size), 0, ENOEXEC, "is empty");
	field_refused(DAMAGE(table->sh_offset), table->sh_offset + 1, ENOEXEC, "symbols of a wrong");
	field_refused(DAMAGE(table->sh_type), SHT_PROGBITS, ENOEXEC, "no symbol table");
	field_refused(DAMAGE(table->sh_link), 0, ENOEXEC, "string table");
	field_refused(DAMAGE(table->sh_link), header->e_shnum, ENOEXEC, "string table");
	field_refused(DAMAGE(table->sh_link), ~0U, ENOEXEC, "string table");
	field_refused(DAMAGE(table->sh_link), section_find(".text"), ENOEXEC, "is no string table");
	field_refused(DAMAGE(symbols[0].st_name), 1, ENOEXEC, "symbol 0");
	field_refused(DAMAGE(symbols[0].st_shndx), 1, ENOEXEC, "symbol 0");
	field_refused(DAMAGE(symbols[0].st_value), 1, ENOEXEC, "symbol 0");
	for (unsigned int i = 1; i < symbol_count; i++)
		if (!strcmp(strings + symbols[i].st_name, "hello_init"))
			defined = symbols[i].st_name;
	for (unsigned int i = 1; i < symbol_count; i++) {
		Elf64_Sym *symbol = &symbols[i];

		field_refused(DAMAGE(symbol->st_name), strings_size, ENOEXEC,
			      "outside the string table");
		field_refused(DAMAGE(symbol->st_name), 1U << 31, ENOEXEC, "outside the string table");
		field_refused(DAMAGE(symbol->st_name), ~0U, ENOEXEC, "outside the string table");
		field_refused(DAMAGE(symbol->st_info), STT_TLS, ENOEXEC, "of type 6");
		field_refused(DAMAGE(symbol->st_info), STT_GNU_IFUNC, ENOEXEC, "of type 10");
		field_refused(DAMAGE(symbol->st_shndx), header->e_shnum, ENOEXEC, "in section");
		for (unsigned int v = 0; v < COUNT(reserved); v++)
			field_refused(DAMAGE(symbol->st_shndx), reserved[v], ENOEXEC,
				      reserved[v] == SHN_COMMON ? "common" : "in section");
		if (symbol->st_shndx == SHN_UNDEF) {
			field_refused(DAMAGE(symbol->st_name), 0, ENOEXEC,
				      "undefined and without a name");
			field_refused(DAMAGE(symbol->st_name), defined, ENOENT,
				      "Unknown symbol hello_init");
			continue;
		}
		if (symbol->st_shndx >= SHN_LORESERVE)
			continue;
		if (symbol->st_name)
			field_refused(DAMAGE(symbol->st_shndx), SHN_UNDEF, ENOENT, "Unknown symbol");
		else
			field_refused(DAMAGE(symbol->st_shndx), SHN_UNDEF, ENOEXEC, "without a name");
		field_refused(DAMAGE(symbol->st_value), sections[symbol->st_shndx].sh_size + 1,
			      ENOEXEC, "outside its section");
		field_refused(DAMAGE(symbol->st_value), 1UL << 63, ENOEXEC, "outside its section");
		field_refused(DAMAGE(symbol->st_value), ~0UL, ENOEXEC, "outside its section");
	}
}

/* One relocation of what is loaded. */
static void relocation(const Elf64_Shdr *table, Elf64_Rela *entry)
{
	static const unsigned long types[] = { 3, 9, 12, 14, 19, 37, 42, 43, 0xff, 0xffffffff };
	static const long far[] = { 1L << 40, -(1L << 40), INT64_MAX, INT64_MIN };
	unsigned long type = ELF64_R_TYPE(entry->r_info), symbol = ELF64_R_SYM(entry->r_info),
		      size = type == RELA_64 ? 8 : 4, target_size = sections[table->sh_info].sh_size;
	const char *target = section_names + sections[table->sh_info].sh_name, *say = NULL;
	bool param = !strcmp(target, "__param");

	field_refused(DAMAGE(entry->r_offset), target_size - size + 1, ENOEXEC, "lies outside section");
	field_refused(DAMAGE(entry->r_offset), target_size, ENOEXEC, "lies outside section");
	field_refused(DAMAGE(entry->r_offset), 1UL << 63, ENOEXEC, "lies outside section");
	field_refused(DAMAGE(entry->r_offset), ~0UL, ENOEXEC, "lies outside section");
	field_refused(DAMAGE(entry->r_info), ELF64_R_INFO((unsigned long)symbol_count, type),
		      ENOEXEC, "symbol");
	field_refused(DAMAGE(entry->r_info), ELF64_R_INFO(0xffffffffUL, type), ENOEXEC, "symbol");
	for (unsigned int i = 0; i < COUNT(types); i++)
		field_refused(DAMAGE(entry->r_info), ELF64_R_INFO(symbol, types[i]), ENOEXEC,
			      "is not for modules");
	/* An addend that leads out of reach, or out of the module where the loader believes what it made. */
	if (type != RELA_64)
		say = "is out of reach";
	else if (!strcmp(target, ".kumo.module"))
		say = "init or exit function lies outside";
	else if (param && entry->r_offset % 32 == 0)
		say = "a parameter has no name";
	else if (!strcmp(target, "__ksymtab") && entry->r_offset % 16 == 8)
		say = "name of an exported symbol";
	for (unsigned int i = 0; say && i < COUNT(far); i++)
		field_refused(DAMAGE(entry->r_addend), (unsigned long)far[i], ENOEXEC, say);
	/* A pointer that nothing is written to stays NULL. */
	if (param && entry->r_offset % 32 < 16)
		field_refused(DAMAGE(entry->r_info), ELF64_R_INFO(symbol, R_X86_64_NONE), ENOEXEC,
			      "a parameter has no name or no operations");
}

static void relocations(void)
{
	for (unsigned int i = 1; i < header->e_shnum; i++) {
		Elf64_Shdr *table = &sections[i];
		Elf64_Rela *entries = (Elf64_Rela *)(file + table->sh_offset);

		if (table->sh_type != SHT_RELA || !is_placed(table->sh_info))
			continue;
		field_refused(DAMAGE(table->sh_info), 0, ENOEXEC, "relocates section");
		field_refused(DAMAGE(table->sh_info), header->e_shnum, ENOEXEC, "relocates section");
		field_refused(DAMAGE(table->sh_info), ~0U, ENOEXEC, "relocates section");
		field_refused(DAMAGE(table->sh_info), section_find(".bss"), ENOEXEC, "no bytes");
		field_refused(DAMAGE(table->sh_link), 0, ENOEXEC, "its symbol table");
		field_refused(DAMAGE(table->sh_link), section_find(".text"), ENOEXEC,
			      "its symbol table");
		field_refused(DAMAGE(table->sh_link), ~0U, ENOEXEC, "its symbol table");
		field_refused(DAMAGE(table->sh_entsize), 0, ENOEXEC, "relocations of a wrong size");
		field_refused(DAMAGE(table->sh_entsize), 16, ENOEXEC, "relocations of a wrong size");
		field_refused(DAMAGE(table->sh_size), table->sh_size - 1, ENOEXEC,
			      "relocations of a wrong size");
		field_refused(DAMAGE(table->sh_offset), table->sh_offset - 1, ENOEXEC,
			      "relocations of a wrong");
		for (unsigned long r = 0; r < table->sh_size / sizeof(*entries); r++)
			relocation(table, &entries[r]);
	}
}

static void string_tables(void)
{
	static const char *const ended[] = { ".shstrtab", ".strtab", ".modinfo", "__ksymtab_strings" };
	unsigned int names = header->e_shstrndx;
	char *export_names = section_bytes("__ksymtab_strings");

	for (unsigned int i = 0; i < COUNT(ended); i++) {
		unsigned char *end = (unsigned char *)section_bytes(ended[i]) +
				     sections[section_find(ended[i])].sh_size;

		field_refused(end - 1, 1, 'x', ENOEXEC, "no end mark");
	}
	field_refused(DAMAGE(strings[0]), 'x', ENOEXEC, "is no string table");
	field_refused(DAMAGE(sections[names].sh_type), SHT_PROGBITS, ENOEXEC, "section name table");
	field_refused(DAMAGE(sections[names].sh_size), 0, ENOEXEC, "section name table");
	field_refused(DAMAGE(sections[names].sh_size), 2, ENOEXEC, "");
	field_refused(DAMAGE(sections[sections[symbol_table].sh_link].sh_size), 0, ENOEXEC,
		      "string table");
	/* "hello_times", then "hello_say": in the wrong order, and one that the kernel has. */
	bytes_refused(export_names, "gello_times", 11, ENOEXEC, "not in order");
	bytes_refused(export_names, "printk", 7, ENOEXEC, "duplicate symbol printk");
}

static void module_info(void)
{
	char *name = info_find("name"), *license = info_find("license"),
	     *vermagic = info_find("vermagic");

	field_refused(DAMAGE(name[0]), 'x', ENOEXEC, "no usable name=");
	field_refused(DAMAGE(name[4]), ':', ENOEXEC, "no usable name=");
	field_refused(DAMAGE(name[5]), '\0', ENOEXEC, "no usable name=");
	field_refused(DAMAGE(name[5]), '.', ENOEXEC, "no usable name=");
	field_refused(DAMAGE(name[6]), '/', ENOEXEC, "no usable name=");
	field_refused(DAMAGE(license[0]), 'x', ENOEXEC, "no license=");
	field_refused(DAMAGE(vermagic[0]), 'x', ENOEXEC, "no vermagic=");
	for (char *at = strchr(vermagic, ' '); *at; at++)
		field_refused(DAMAGE(*at), '?', ENOEXEC, "version magic");
}

static void checksums(void)
{
	unsigned int table = section_find("__versions");
	size_t entry_size = 8 + MODULE_NAME_LEN, count = sections[table].sh_size / entry_size;

	for (size_t i = 0; i < count; i++) {
		char *entry = (char *)file + sections[table].sh_offset + i * entry_size;

		field_refused(DAMAGE(entry[0]), (unsigned char)entry[0] ^ 1, EINVAL,
			      "disagrees about version of symbol");
		field_refused(DAMAGE(entry[7]), 1, EINVAL, "disagrees about version of symbol");
		field_refused(DAMAGE(entry[8 + strlen(entry + 8) - 1]), '?', EINVAL,
			      "no symbol version for");
		memset(entry + 8, 'x', MODULE_NAME_LEN);
		refused(file_size, ENOEXEC, "has no end mark");
	}
	field_refused(DAMAGE(sections[table].sh_offset), sections[table].sh_offset + 1, ENOEXEC, "");
}

static void unused_fields(void)
{
	Elf64_Shdr *text = &sections[section_find(".text")],
		   *info = &sections[section_find(".modinfo")];

	field_ignored(DAMAGE(header->e_entry));
	field_ignored(DAMAGE(header->e_phoff));
	field_ignored(DAMAGE(header->e_flags));
	field_ignored(DAMAGE(header->e_phentsize));
	field_ignored(DAMAGE(header->e_phnum));
	field_ignored(header->e_ident + 8, 8);
	field_ignored(DAMAGE(text->sh_link));
	field_ignored(DAMAGE(text->sh_info));
	field_ignored(DAMAGE(text->sh_entsize));
	field_ignored(DAMAGE(info->sh_addr));
	field_ignored(DAMAGE(sections[symbol_table].sh_info));
	field_ignored(DAMAGE(sections[symbol_table].sh_addralign));
	field_ignored(DAMAGE(sections[section_find(".bss")].sh_offset));
	for (unsigned int i = 1; i < symbol_count; i++) {
		field_ignored(DAMAGE(symbols[i].st_size));
		field_ignored(DAMAGE(symbols[i].st_other));
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} groups[] = {
	{ "cut short", cut_short },
	{ "the ELF header", elf_header },
	{ "section headers", section_headers },
	{ "sections with a meaning", special_sections },
	{ "symbols", symbol_tables },
	{ "relocations", relocations },
	{ "string tables", string_tables },
	{ ".modinfo", module_info },
	{ "checksums of symbols", checksums },
	{ "what nobody reads", unused_fields },
};

static bool intact_works(void)
{
	return !syscall(SYS_init_module, file, file_size, "quiet=1") && is_loaded() &&
	       !syscall(SYS_delete_module, "hello", O_NONBLOCK) && !is_loaded();
}

int main(void)
{
	long before, after;

	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (!tap_ok(log_fd >= 0 && open_module() && intact_works(),
		    "the module as it was built loads (%s)", strerror(errno)))
		return tap_end();
	/* The first round also brings memory into caches that stay. */
	for (unsigned int i = 0; i < COUNT(groups); i++) {
		cases = faults = 0;
		groups[i].run();
		tap_ok(!faults && cases, "%s: %u cases", groups[i].name, cases);
	}
	cases = faults = 0;
	before = memory_free_kib();
	for (unsigned int i = 0; i < COUNT(groups); i++)
		groups[i].run();
	tap_ok(!faults, "all %u again", cases);
	after = memory_free_kib();
	tap_ok(before - after <= SLACK_KIB, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	tap_ok(intact_works(), "the module as it was built loads again");
	return tap_end();
}
