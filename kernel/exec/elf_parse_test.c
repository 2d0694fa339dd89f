/* Suite of the parser of ELF programs: what a sound file gives, and that each lie is refused. */
#include <kumo/kunit.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "elf_parse.h"

#define LIMIT 0x7ffffffff000UL
#define HEADERS 5

/* A small program as ld makes them: headers and text, data with bss, an interpreter, a stack note. */
struct sample {
	Elf64_Ehdr file;
	Elf64_Phdr headers[HEADERS];
};

static void sample_make(struct sample *sample)
{
	memset(sample, 0, sizeof(*sample));
	memcpy(sample->file.e_ident, ELFMAG, SELFMAG);
	sample->file.e_ident[EI_CLASS] = ELFCLASS64;
	sample->file.e_ident[EI_DATA] = ELFDATA2LSB;
	sample->file.e_type = ET_DYN;
	sample->file.e_machine = EM_X86_64;
	sample->file.e_entry = 0x1040;
	sample->file.e_phoff = sizeof(Elf64_Ehdr);
	sample->file.e_phentsize = sizeof(Elf64_Phdr);
	sample->file.e_phnum = HEADERS;
	sample->headers[0] =
		(Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = 0x318, .p_filesz = 28, .p_memsz = 28 };
	sample->headers[1] = (Elf64_Phdr){
		.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0x600, .p_memsz = 0x600, .p_align = 0x1000
	};
	sample->headers[2] = (Elf64_Phdr){ .p_type = PT_LOAD,
					   .p_flags = PF_R | PF_X,
					   .p_offset = 0x1000,
					   .p_vaddr = 0x1000,
					   .p_filesz = 0x200,
					   .p_memsz = 0x200,
					   .p_align = 0x1000 };
	sample->headers[3] = (Elf64_Phdr){ .p_type = PT_LOAD,
					   .p_flags = PF_R | PF_W,
					   .p_offset = 0x1de8,
					   .p_vaddr = 0x2de8,
					   .p_filesz = 0x250,
					   .p_memsz = 0x3000,
					   .p_align = 0x1000 };
	sample->headers[4] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W };
}

static int parse(const struct sample *sample, struct elf_image *image, struct elf_segment *segments)
{
	struct elf_file file;
	int error = elf_parse_file(&sample->file, sizeof(sample->file), &file);

	return error ? error
		     : elf_parse_headers(&file, sample->headers, sizeof(sample->headers), LIMIT,
					 image, segments);
}

static void a_sound_program_is_understood(struct kunit *test)
{
	struct elf_segment segments[HEADERS];
	struct elf_image image;
	struct sample sample;

	sample_make(&sample);
	KUNIT_ASSERT_EQ(test, parse(&sample, &image, segments), 0);
	KUNIT_EXPECT_EQ(test, image.segment_count, 3);
	KUNIT_EXPECT_TRUE(test, image.relocatable);
	KUNIT_EXPECT_FALSE(test, image.executable_stack);
	KUNIT_EXPECT_EQ(test, image.entry, 0x1040);
	KUNIT_EXPECT_EQ(test, image.low, 0);
	KUNIT_EXPECT_EQ(test, image.high, 0x6000);
	KUNIT_EXPECT_EQ(test, image.headers_address, sizeof(Elf64_Ehdr));
	KUNIT_EXPECT_EQ(test, image.interpreter_offset, 0x318);
	KUNIT_EXPECT_EQ(test, image.interpreter_size, 28);
	KUNIT_EXPECT_EQ(test, image.code_start, 0x1000);
	KUNIT_EXPECT_EQ(test, image.code_end, 0x1200);
	KUNIT_EXPECT_EQ(test, segments[1].protection, PROT_READ | PROT_EXEC);
	KUNIT_EXPECT_EQ(test, segments[2].start, 0x2de8);
	KUNIT_EXPECT_EQ(test, segments[2].file_end, 0x3038);
	KUNIT_EXPECT_EQ(test, segments[2].end, 0x5de8);
	KUNIT_EXPECT_EQ(test, segments[2].file_offset, 0x1000);
}

static void a_large_alignment_is_kept(struct kunit *test)
{
	struct elf_segment segments[HEADERS];
	struct elf_image image;
	struct sample sample;

	sample_make(&sample);
	sample.headers[2].p_align = 0x200000;
	KUNIT_ASSERT_EQ(test, parse(&sample, &image, segments), 0);
	KUNIT_EXPECT_EQ(test, image.alignment, 0x200000);
	sample.headers[2].p_align = 0x3000; /* no power of two: means nothing */
	KUNIT_ASSERT_EQ(test, parse(&sample, &image, segments), 0);
	KUNIT_EXPECT_EQ(test, image.alignment, ELF_PAGE_SIZE);
}

static void a_stack_note_may_ask_for_execution(struct kunit *test)
{
	struct elf_segment segments[HEADERS];
	struct elf_image image;
	struct sample sample;

	sample_make(&sample);
	sample.headers[4].p_flags |= PF_X;
	KUNIT_ASSERT_EQ(test, parse(&sample, &image, segments), 0);
	KUNIT_EXPECT_TRUE(test, image.executable_stack);
}

/* One lie each. */
static void not_elf(struct sample *sample)
{
	sample->file.e_ident[0] = 0;
}
static void other_class(struct sample *sample)
{
	sample->file.e_ident[EI_CLASS] = ELFCLASS32;
}
static void other_machine(struct sample *sample)
{
	sample->file.e_machine = EM_386;
}
static void object_file(struct sample *sample)
{
	sample->file.e_type = ET_REL;
}
static void no_headers(struct sample *sample)
{
	sample->file.e_phnum = 0;
}
static void many_headers(struct sample *sample)
{
	sample->file.e_phnum = 0xffff;
}
static void odd_header_size(struct sample *sample)
{
	sample->file.e_phentsize = 55;
}
static void headers_far_away(struct sample *sample)
{
	sample->file.e_phoff = ~0UL - 10;
}
static void entry_in_kernel(struct sample *sample)
{
	sample->file.e_entry = 0xffffffff80000000;
}
static void more_file_than_memory(struct sample *sample)
{
	sample->headers[3].p_filesz = 0x4000;
}
static void memory_wraps(struct sample *sample)
{
	sample->headers[3].p_memsz = ~0UL - 0x1000;
}
static void address_in_kernel(struct sample *sample)
{
	sample->headers[3].p_vaddr = 0xffff888000000de8;
}
static void offset_not_congruent(struct sample *sample)
{
	sample->headers[3].p_offset++;
}
static void offset_wraps(struct sample *sample)
{
	sample->headers[3].p_offset = 0x7ffffffffffffde8;
}
static void descending(struct sample *sample)
{
	sample->headers[3].p_vaddr = 0xde8;
}
static void nothing_to_load(struct sample *sample)
{
	for (int i = 1; i < 4; i++)
		sample->headers[i].p_type = PT_NOTE;
}
static void empty_interpreter(struct sample *sample)
{
	sample->headers[0].p_filesz = 1;
}
static void endless_interpreter(struct sample *sample)
{
	sample->headers[0].p_filesz = 0x100000;
}

static const struct lie {
	const char *name;
	void (*tell)(struct sample *sample);
} lies[] = {
	{ "not ELF", not_elf },
	{ "32 bits", other_class },
	{ "another machine", other_machine },
	{ "an object file", object_file },
	{ "no program headers", no_headers },
	{ "too many program headers", many_headers },
	{ "program headers of odd size", odd_header_size },
	{ "program headers beyond all files", headers_far_away },
	{ "an entry in the kernel", entry_in_kernel },
	{ "more file than memory", more_file_than_memory },
	{ "memory that wraps around", memory_wraps },
	{ "addresses of the kernel", address_in_kernel },
	{ "file and memory at odds", offset_not_congruent },
	{ "an offset beyond all files", offset_wraps },
	{ "segments in descending order", descending },
	{ "nothing to load", nothing_to_load },
	{ "an interpreter without name", empty_interpreter },
	{ "an interpreter's name without end", endless_interpreter },
};

static void describe(const struct lie *lie, char *description)
{
	strscpy(description, lie->name, KUNIT_PARAM_DESC_SIZE);
}
KUNIT_ARRAY_PARAM(lies, lies, describe)

static void a_lie_is_refused(struct kunit *test)
{
	const struct lie *lie = test->param_value;
	struct elf_segment segments[HEADERS];
	struct elf_image image;
	struct sample sample;

	sample_make(&sample);
	lie->tell(&sample);
	KUNIT_EXPECT_EQ(test, parse(&sample, &image, segments), -ENOEXEC);
}

static void a_short_file_is_refused(struct kunit *test)
{
	struct elf_file file;
	struct sample sample;

	sample_make(&sample);
	KUNIT_EXPECT_EQ(test, elf_parse_file(&sample, sizeof(Elf64_Ehdr) - 1, &file), -ENOEXEC);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_sound_program_is_understood),
	KUNIT_CASE(a_large_alignment_is_kept),
	KUNIT_CASE(a_stack_note_may_ask_for_execution),
	KUNIT_CASE_PARAM(a_lie_is_refused, lies_gen_params),
	KUNIT_CASE(a_short_file_is_refused),
	{},
};
static struct kunit_suite suite = { .name = "elf_parse", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
