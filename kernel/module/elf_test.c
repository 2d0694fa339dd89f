/*
 * The parser of module files, on a small module made here byte by byte and then damaged in one place at a time. The parser is
 * plain C, so the suite has a copy of its own.
 */
#include <kumo/kunit.h>
#include "elf.c"
#include "../../arch/x86/module.c"

/* The sections of the sample, in order. */
enum { NONE, TEXT, RELA_TEXT, MODINFO, DESCRIPTOR, SYMTAB, STRTAB, SHSTRTAB, BSS, COUNT };

struct sample {
	Elf64_Ehdr header;
	Elf64_Shdr sections[COUNT];
	u8 text[16];
	Elf64_Rela relocations[1];
	struct module_descriptor descriptor;
	Elf64_Sym symbols[3];
	char info[32];
	char strings[16];
	char names[80];
};

static const char names[] =
	"\0.text\0.rela.text\0.modinfo\0.kumo.module\0.symtab\0.strtab\0.shstrtab\0.bss";

static u32 name_of(const char *name)
{
	for (size_t at = 0; at < sizeof(names); at++)
		if (!strcmp(names + at, name) && (at == 0 || !names[at - 1]))
			return (u32)at;
	return 0;
}

static void section(struct sample *sample, unsigned int i, const char *name, u32 type, u64 flags,
		    const void *data, u64 size, u64 align)
{
	sample->sections[i] = (Elf64_Shdr){
		.sh_name = name_of(name),
		.sh_type = type,
		.sh_flags = flags,
		.sh_offset = data ? (u64)((const u8 *)data - (const u8 *)sample) : 0,
		.sh_size = size,
		.sh_addralign = align,
	};
}

static struct sample *make_sample(struct kunit *test)
{
	struct sample *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, s);
	memcpy(s->header.e_ident, "\177ELF\2\1\1", 7);
	s->header.e_type = ET_REL;
	s->header.e_machine = EM_X86_64;
	s->header.e_version = EV_CURRENT;
	s->header.e_ehsize = sizeof(s->header);
	s->header.e_shoff = offsetof(struct sample, sections);
	s->header.e_shentsize = sizeof(Elf64_Shdr);
	s->header.e_shnum = COUNT;
	s->header.e_shstrndx = SHSTRTAB;
	memcpy(s->names, names, sizeof(names));
	memcpy(s->strings, "\0init\0printk", 13);
	memcpy(s->info, "license=MIT\0name=sample\0alias=a\0", 32);
	section(s, TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, s->text, sizeof(s->text), 16);
	section(s, RELA_TEXT, ".rela.text", SHT_RELA, 0, s->relocations, sizeof(s->relocations), 8);
	s->sections[RELA_TEXT].sh_info = TEXT;
	s->sections[RELA_TEXT].sh_link = SYMTAB;
	s->sections[RELA_TEXT].sh_entsize = sizeof(Elf64_Rela);
	section(s, MODINFO, ".modinfo", SHT_PROGBITS, SHF_ALLOC, s->info, sizeof(s->info), 1);
	section(s, DESCRIPTOR, ".kumo.module", SHT_PROGBITS, SHF_ALLOC, &s->descriptor,
		sizeof(s->descriptor), 8);
	section(s, SYMTAB, ".symtab", SHT_SYMTAB, 0, s->symbols, sizeof(s->symbols), 8);
	s->sections[SYMTAB].sh_link = STRTAB;
	s->sections[SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	section(s, STRTAB, ".strtab", SHT_STRTAB, 0, s->strings, sizeof(s->strings), 1);
	section(s, SHSTRTAB, ".shstrtab", SHT_STRTAB, 0, s->names, sizeof(s->names), 1);
	section(s, BSS, ".bss", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, NULL, 100, 32);
	s->symbols[1] = (Elf64_Sym){ .st_name = 1, .st_info = 0x12, .st_shndx = TEXT };
	s->symbols[2] = (Elf64_Sym){ .st_name = 6, .st_info = 0x10 };
	s->relocations[0] =
		(Elf64_Rela){ .r_offset = 1, .r_info = 2ULL << 32 | R_X86_64_PLT32, .r_addend = -4 };
	return s;
}

static int parse(struct sample *sample, size_t size, struct module_image *image,
		 struct section_place places[COUNT])
{
	int error = module_image_open(image, sample, size);

	return error			      ? error
	       : image->section_count > COUNT ? -E2BIG
					      : module_image_check(image, places, 64);
}

static void a_whole_module_is_accepted_and_placed(struct kunit *test)
{
	struct sample *s = make_sample(test);
	struct section_place places[COUNT];
	struct module_image image;

	KUNIT_ASSERT_EQ_MSG(test, parse(s, sizeof(*s), &image, places), 0, "%s", image.fault);
	KUNIT_EXPECT_EQ(test, places[TEXT].region, REGION_TEXT);
	KUNIT_EXPECT_EQ(test, places[MODINFO].region, REGION_NONE);
	KUNIT_EXPECT_EQ(test, places[BSS].region, REGION_DATA);
	KUNIT_EXPECT_EQ(test, places[BSS].offset, 64);
	KUNIT_EXPECT_EQ(test, image.region_size[REGION_DATA], 164);
	KUNIT_EXPECT_EQ(test, image.kept_symbols, 1);
	KUNIT_EXPECT_STREQ(test, module_image_info(&image, "name", NULL), "sample");
	KUNIT_EXPECT_NULL(test, module_image_info(&image, "nam", NULL));
	KUNIT_EXPECT_NULL(
		test, module_image_info(&image, "alias", module_image_info(&image, "alias", NULL)));
}

/* One field of the sample, and what it is made to say. */
struct damage {
	const char *what;
	size_t offset, size;
	u64 value;
};
#define DAMAGE(what, field, value_)                                                                     \
	{                                                                                               \
		what, offsetof(struct sample, field), sizeof_field(struct sample, field), (u64)(value_) \
	}

static const struct damage damages[] = {
	DAMAGE("magic", header.e_ident[0], 0),
	DAMAGE("32 bits", header.e_ident[4], 1),
	DAMAGE("big endian", header.e_ident[5], 2),
	DAMAGE("an executable", header.e_type, ET_EXEC),
	DAMAGE("another machine", header.e_machine, EM_386),
	DAMAGE("size of section headers", header.e_shentsize, 40),
	DAMAGE("section table behind the end", header.e_shoff, sizeof(struct sample) - 8),
	DAMAGE("section table at the end of the world", header.e_shoff, ~7ULL),
	DAMAGE("section table not aligned", header.e_shoff, offsetof(struct sample, sections) + 1),
	DAMAGE("no sections", header.e_shnum, 0),
	DAMAGE("too many sections", header.e_shnum, 0xfeff),
	DAMAGE("names in section 0", header.e_shstrndx, 0),
	DAMAGE("names in no section", header.e_shstrndx, COUNT),
	DAMAGE("names in text", header.e_shstrndx, TEXT),
	DAMAGE("section 0 in use", sections[0].sh_type, SHT_PROGBITS),
	DAMAGE("section name outside", sections[TEXT].sh_name, 0xffffffff),
	DAMAGE("section behind the end", sections[TEXT].sh_offset, sizeof(struct sample) - 15),
	DAMAGE("section that wraps", sections[TEXT].sh_offset, -8),
	DAMAGE("section size that wraps", sections[TEXT].sh_size, -8),
	DAMAGE("alignment of three", sections[TEXT].sh_addralign, 3),
	DAMAGE("alignment of a megabyte", sections[TEXT].sh_addralign, 1 << 20),
	DAMAGE("writable text", sections[TEXT].sh_flags, SHF_ALLOC | SHF_WRITE | SHF_EXECINSTR),
	DAMAGE("an address already", sections[TEXT].sh_addr, 4096),
	DAMAGE("all memory as bss", sections[BSS].sh_size, 1ULL << 62),
	DAMAGE("a second symbol table", sections[STRTAB].sh_type, SHT_SYMTAB),
	DAMAGE("no symbol table", sections[SYMTAB].sh_type, SHT_PROGBITS),
	DAMAGE("size of symbols", sections[SYMTAB].sh_entsize, 16),
	DAMAGE("part of a symbol", sections[SYMTAB].sh_size, 71),
	DAMAGE("no symbols", sections[SYMTAB].sh_size, 0),
	DAMAGE("symbol names nowhere", sections[SYMTAB].sh_link, COUNT),
	DAMAGE("symbol names in text", sections[SYMTAB].sh_link, TEXT),
	DAMAGE("symbol names without an end", strings[15], 'x'),
	DAMAGE("symbol names that begin", strings[0], 'x'),
	DAMAGE("section names without an end", names[79], 'x'),
	DAMAGE("symbol name outside", symbols[1].st_name, 16),
	DAMAGE("symbol in no section", symbols[1].st_shndx, COUNT),
	DAMAGE("common symbol", symbols[1].st_shndx, SHN_COMMON),
	DAMAGE("symbol outside its section", symbols[1].st_value, 17),
	DAMAGE("thread-local symbol", symbols[1].st_info, 6),
	DAMAGE("undefined and nameless", symbols[2].st_name, 0),
	DAMAGE("symbol 0 in use", symbols[0].st_value, 1),
	DAMAGE("relocates section 0", sections[RELA_TEXT].sh_info, 0),
	DAMAGE("relocates no section", sections[RELA_TEXT].sh_info, COUNT),
	DAMAGE("relocates bss", sections[RELA_TEXT].sh_info, BSS),
	DAMAGE("relocations by strings", sections[RELA_TEXT].sh_link, STRTAB),
	DAMAGE("size of relocations", sections[RELA_TEXT].sh_entsize, 16),
	DAMAGE("part of a relocation", sections[RELA_TEXT].sh_size, 23),
	DAMAGE("relocations of the other kind", sections[RELA_TEXT].sh_type, SHT_REL),
	DAMAGE("relocation outside", relocations[0].r_offset, 13),
	DAMAGE("relocation that wraps", relocations[0].r_offset, -2),
	DAMAGE("relocation by no symbol", relocations[0].r_info, 3ULL << 32 | R_X86_64_PLT32),
	DAMAGE("relocation through a table", relocations[0].r_info, 2ULL << 32 | 9),
	DAMAGE("relocation of no type", relocations[0].r_info, 2ULL << 32 | 200),
	DAMAGE("modinfo without an end", info[31], 'x'),
	DAMAGE("no modinfo", sections[MODINFO].sh_name, 0),
	DAMAGE("modinfo without bytes", sections[MODINFO].sh_type, SHT_NOBITS),
	DAMAGE("two modinfo", sections[BSS].sh_name, 18),
	DAMAGE("no descriptor", sections[DESCRIPTOR].sh_name, 0),
	DAMAGE("descriptor of another size", sections[DESCRIPTOR].sh_size, 16),
	DAMAGE("descriptor not loaded", sections[DESCRIPTOR].sh_flags, 0),
	DAMAGE("descriptor not aligned", sections[DESCRIPTOR].sh_addralign, 4),
};

static void describe(const struct damage *damage, char *text)
{
	strscpy(text, damage->what, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(damage, damages, describe)

static void a_damaged_module_is_refused_and_the_fault_is_named(struct kunit *test)
{
	const struct damage *damage = test->param_value;
	struct sample *s = make_sample(test);
	struct section_place places[COUNT];
	struct module_image image;

	memcpy((u8 *)s + damage->offset, &damage->value, damage->size);
	KUNIT_EXPECT_EQ(test, parse(s, sizeof(*s), &image, places), -ENOEXEC);
	KUNIT_EXPECT_NE(test, image.fault[0], '\0');
}

/* The last things in the file are the section names, so that any cut takes some of them. */
static void a_module_cut_short_anywhere_is_refused(struct kunit *test)
{
	struct sample *s = make_sample(test);
	struct section_place places[COUNT];
	struct module_image image;

	for (size_t size = 0; size < sizeof(*s); size++)
		KUNIT_ASSERT_EQ_MSG(test, parse(s, size, &image, places), -ENOEXEC, "at %zu", size);
}

static void relocations_reach_what_they_can_and_say_what_they_cannot(struct kunit *test)
{
	u64 place = 0;

	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_64, &place, 0, 0x123456789abcdef0), 0);
	KUNIT_EXPECT_EQ(test, place, 0x123456789abcdef0);
	place = ~0ULL;
	KUNIT_EXPECT_EQ(
		test, arch_relocate(R_X86_64_PC32, &place, 0xffffffffa0000100, 0xffffffffa0000000), 0);
	KUNIT_EXPECT_EQ(test, place, 0xffffffffffffff00);
	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_PC64, &place, 16, 0), 0);
	KUNIT_EXPECT_EQ(test, place, (u64)-16);
	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_32S, &place, 0, 0xffffffff80000000), 0);
	KUNIT_EXPECT_EQ(test, (u32)place, 0x80000000);
	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_32, &place, 0, 0x80000000), 0);
	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_32, &place, 0, 0xffffffff80000000), -ENOEXEC);
	KUNIT_EXPECT_EQ(test, arch_relocate(R_X86_64_32S, &place, 0, 0x80000000), -ENOEXEC);
	KUNIT_EXPECT_EQ(test,
			arch_relocate(R_X86_64_PLT32, &place, 0xffffffffa0000000, 0xffff888000000000),
			-ENOEXEC);
	KUNIT_EXPECT_EQ(test, arch_relocate(9, &place, 0, 0), -ENOEXEC);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_whole_module_is_accepted_and_placed),
	KUNIT_CASE_PARAM(a_damaged_module_is_refused_and_the_fault_is_named, damage_gen_params),
	KUNIT_CASE(a_module_cut_short_anywhere_is_refused),
	KUNIT_CASE(relocations_reach_what_they_can_and_say_what_they_cannot),
	{},
};
static struct kunit_suite suite = { .name = "module_elf", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
