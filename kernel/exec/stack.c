/*
 * The stack that a program starts with. From the top down: a null word, the name of the program, the environment's and the
 * arguments' strings; the platform's name and 16 random bytes; then, 16-byte aligned where the stack pointer will be: argc,
 * argv, envp, the auxiliary vector (System V ABI for x86-64, 3.4.1).
 *
 * It is written from the bottom up into the pages of the new address space, each of which is looked up once.
 */
#include <kumo/arch/elf.h>
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/random.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/auxvec.h>
#include <linux/mman.h>
#include <linux/elf.h>

#include "exec.h"

#define STACK_TOP USER_END
#define STACK_EXTRA (128 * KIB)	     /* mapped at once below what is used */
#define STACK_RANDOM_PAGES 0x400000  /* 16 GiB */
#define MMAP_RANDOM_PAGES 0x10000000 /* 1 TiB */
#define MMAP_GAP_LEAST (128 * MIB)
#define MMAP_GAP_MOST (STACK_TOP / 6 * 5)
#define STACK_GUARD (256 * PAGE_SIZE)
#define AUX_ENTRIES 20

/* Where the next bytes go in the new address space. */
struct writer {
	struct mm *mm;
	unsigned long address;
	struct page *page;	  /* the one last written to, NULL: none yet */
	unsigned long page_start; /* its address */
};

static int write(struct writer *writer, const void *data, size_t size)
{
	while (size) {
		size_t offset = writer->address % PAGE_SIZE, part = min(size, PAGE_SIZE - offset);

		if (!writer->page || writer->address - offset != writer->page_start) {
			if (writer->page)
				page_put(writer->page);
			writer->page = mm_get_page(writer->mm, writer->address, true);
			if (IS_ERR(writer->page)) {
				int error = (int)PTR_ERR(writer->page);

				writer->page = NULL;
				return error == -EFAULT ? -E2BIG : error;
			}
			writer->page_start = writer->address - offset;
		}
		memcpy(page_address(writer->page) + offset, data, part);
		data = (const char *)data + part;
		writer->address += part;
		size -= part;
	}
	return 0;
}

static void writer_end(struct writer *writer)
{
	if (writer->page)
		page_put(writer->page);
}

static unsigned long random_offset(const struct exec *exec, unsigned long pages)
{
	return exec->randomise ? (random_u64() % pages) << PAGE_SHIFT : 0;
}

/* Bytes of argv's strings: those of the prefix and of the arguments that stay. */
static size_t argument_bytes(const struct exec *exec, size_t *skipped)
{
	size_t prefix = 0;

	for (u32 i = 0; i < exec->prefix_count; i++)
		prefix += strlen(exec->prefix[i]) + 1;
	*skipped = !exec->skip		       ? 0
		   : exec->arguments.count > 1 ? exec->arguments.starts[1]
					       : exec->arguments.used;
	return prefix + exec->arguments.used - *skipped;
}

int exec_stack_map(struct exec *exec, bool executable)
{
	struct mm *mm = exec->mm;
	size_t skipped, strings = argument_bytes(exec, &skipped) + exec->environment.used +
				  strlen(exec->name) + 1;
	size_t pointers = (exec->arguments.count + exec->prefix_count + exec->environment.count +
			   4 + 2 * AUX_ENTRIES) *
			  sizeof(unsigned long);
	size_t size = ALIGN_UP(strings + pointers + PAGE_SIZE, PAGE_SIZE) + STACK_EXTRA;
	unsigned long gap = process_limit(RLIMIT_STACK),
		      top = STACK_TOP - random_offset(exec, STACK_RANDOM_PAGES);
	long start;

	gap = clamp(gap, (unsigned long)MMAP_GAP_LEAST, (unsigned long)MMAP_GAP_MOST) +
	      STACK_GUARD + (exec->randomise ? STACK_RANDOM_PAGES * PAGE_SIZE : 0);
	mm->mmap_base = ALIGN_DOWN(STACK_TOP - min(gap, (unsigned long)MMAP_GAP_MOST), PAGE_SIZE) -
			random_offset(exec, MMAP_RANDOM_PAGES);
	start = vm_map(mm, top - size, size, PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0),
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK | MAP_FIXED, NULL, 0);
	if (start < 0)
		return (int)start;
	exec->stack_top = top;
	mm->stack_start = top;
	return 0;
}

static unsigned int auxiliary_vector(const struct exec *exec, unsigned long random,
				     unsigned long platform, unsigned long name, u64 *vector)
{
	const struct cred *cred = exec->cred;
	unsigned int at = 0;

	if (exec->mm->vdso) {
		vector[at++] = AT_SYSINFO_EHDR;
		vector[at++] = exec->mm->vdso;
	}
	const u64 rest[] = {
		AT_MINSIGSTKSZ, arch_signal_frame_size(),
		AT_HWCAP,	arch_hwcap(),
		AT_PAGESZ,	PAGE_SIZE,
		AT_CLKTCK,	100,
		AT_PHDR,	exec->headers_address,
		AT_PHENT,	sizeof(Elf64_Phdr),
		AT_PHNUM,	exec->header_count,
		AT_BASE,	exec->interpreter_base,
		AT_FLAGS,	0,
		AT_ENTRY,	exec->program_entry,
		AT_UID,		cred->uid,
		AT_EUID,	cred->euid,
		AT_GID,		cred->gid,
		AT_EGID,	cred->egid,
		AT_SECURE,	exec->secure,
		AT_RANDOM,	random,
		AT_HWCAP2,	arch_hwcap2(),
		AT_EXECFN,	name,
		AT_PLATFORM,	platform,
		AT_NULL,	0,
	};
	_Static_assert(ARRAY_SIZE(rest) <= 2 * AUX_ENTRIES, "room was made for so many");

	memcpy(vector + at, rest, sizeof(rest));
	return at + ARRAY_SIZE(rest);
}

/* The pointers to a table's strings, the first of which lies at `address`. */
static int write_pointers(struct writer *writer, const struct string_table *table, u32 first,
			  unsigned long address)
{
	u64 batch[32];
	u32 base = first < table->count ? table->starts[first] : 0;

	for (u32 i = first; i < table->count;) {
		u32 count = 0;
		int error;

		for (; i < table->count && count < ARRAY_SIZE(batch); i++)
			batch[count++] = address + table->starts[i] - base;
		error = write(writer, batch, count * sizeof(*batch));
		if (error)
			return error;
	}
	return 0;
}

int exec_stack_fill(struct exec *exec)
{
	struct mm *mm = exec->mm;
	struct writer writer = { .mm = mm };
	size_t skipped, arguments = argument_bytes(exec, &skipped), name_size = strlen(exec->name) + 1;
	u64 vector[2 * AUX_ENTRIES + 2],
		argc = exec->arguments.count - exec->skip + exec->prefix_count, null = 0;
	unsigned long name, strings, random, platform, prefix, sp;
	unsigned int vector_length;
	u8 seed[16];
	int error;

	name = exec->stack_top - sizeof(u64) - name_size;
	mm->env_end = name;
	mm->env_start = mm->env_end - exec->environment.used;
	mm->arg_end = mm->env_start;
	mm->arg_start = strings = mm->arg_end - arguments;
	platform = strings - sizeof(ARCH_PLATFORM);
	random = ALIGN_DOWN(platform, 16) - sizeof(seed);
	vector_length = auxiliary_vector(exec, random, platform, name, vector);
	sp = random - (1 + argc + 1 + exec->environment.count + 1 + vector_length) * sizeof(u64);
	sp = ALIGN_DOWN(sp, 16);

	writer.address = sp;
	error = write(&writer, &argc, sizeof(argc));
	prefix = strings;
	for (u32 i = 0; !error && i < exec->prefix_count; i++) {
		u64 address = prefix;

		error = write(&writer, &address, sizeof(address));
		prefix += strlen(exec->prefix[i]) + 1;
	}
	if (!error)
		error = write_pointers(&writer, &exec->arguments, exec->skip, prefix);
	if (!error)
		error = write(&writer, &null, sizeof(null));
	if (!error)
		error = write_pointers(&writer, &exec->environment, 0, mm->env_start);
	if (!error)
		error = write(&writer, &null, sizeof(null));
	if (!error)
		error = write(&writer, vector, vector_length * sizeof(u64));
	if (error)
		goto out;
	/* Between here and the strings lies alignment; the pages are zero. */
	random_get(seed, sizeof(seed));
	writer.address = random;
	error = write(&writer, seed, sizeof(seed));
	writer.address = platform;
	if (!error)
		error = write(&writer, ARCH_PLATFORM, sizeof(ARCH_PLATFORM));
	for (u32 i = 0; !error && i < exec->prefix_count; i++)
		error = write(&writer, exec->prefix[i], strlen(exec->prefix[i]) + 1);
	if (!error)
		error = write(&writer, exec->arguments.data + skipped, exec->arguments.used - skipped);
	if (!error)
		error = write(&writer, exec->environment.data, exec->environment.used);
	if (!error)
		error = write(&writer, exec->name, name_size);
	memcpy(mm->saved_auxv, vector, min(vector_length * sizeof(u64), sizeof(mm->saved_auxv)));
	exec->stack_pointer = sp;
out:
	writer_end(&writer);
	return error;
}
