/*
 * The build that counts cache lines (make BUILD=lines): which of them are written by several CPUs, by whom and how often.
 *
 * All of the core is compiled with -fsanitize=thread, with which gcc calls a function here before each access to memory that
 * may be shared: __tsan_write4(address) and so on, and in place of atomic operations, which are then done here. There is no
 * race detector behind them. Each access is entered in a table by cache line: per CPU, in how many operations it was written
 * and read. What an operation is, is said by the program that measures (bench/lines.c): it marks the end of each by a call.
 * Whether a line is shared does not depend on how the CPUs happened to interleave; see docs/scaling.md for what is made of
 * the numbers.
 *
 * Not seen: per-CPU data through GS, user memory, contents of pages being cleared or copied (all of it assembly), modules.
 *
 * The program talks to it by the system call tuxcall, which Linux reserves and never had, so that switching on and off and
 * marking an operation touch nothing that counts: tuxcall(LINES_START or one of the others, ...).
 *
 * A line's entry is claimed by a compare-and-exchange and stays; each CPU writes its own columns. An interrupt in the middle
 * of an update may lose one count.
 */
#include <kumo/arch/layout.h>
#include <kumo/err.h>
#include <kumo/kallsyms.h>
#include <kumo/kva.h>
#include <kumo/lines.h>
#include <kumo/percpu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

/* The first argument of tuxcall. */
enum {
	LINES_START, /* forget all, record; -ENOMEM */
	LINES_STOP,  /* how many accesses found no room */
	LINES_NEXT,  /* this CPU begins another operation */
	LINES_SHOW, /* (index, buffer, size): the description of line `index`; its length, 0: unused, -ENOENT: the end */
	LINES_IGNORE, /* this CPU's accesses do not count until its next LINES_NEXT */
};

enum {
	CPUS = 4,
	SITES = 8,
	TABLE_BITS = 17,
	TABLE_SIZE = 1 << TABLE_BITS,
	LINE_SIZE = 64,
	PROBES = 64
};

struct site {
	unsigned long address; /* in the code */
	u32 count;
};

struct line {
	unsigned long address;			  /* 0: free */
	u32 written[CPUS], read[CPUS];		  /* in how many operations */
	u32 written_last[CPUS], read_last[CPUS];  /* the operation that was counted last */
	u8 words_written[CPUS], words_read[CPUS]; /* which of its eight words, a bit each */
	u32 contended;
	struct site writers[SITES], readers[SITES];
};

static struct line *table;
static bool recording;
static u32 operation[CPUS]; /* the number of the one that is under way; 0: none */
static unsigned long lost;

/* ---- Recording: any context ---- */

static struct line *line_find(unsigned long address)
{
	u32 at = hash_u64(address) >> (32 - TABLE_BITS);

	for (int i = 0; i < PROBES; i++, at = (at + 1) % TABLE_SIZE) {
		struct line *line = &table[at];
		unsigned long found = READ_ONCE(line->address);

		if (!found && __atomic_compare_exchange_n(&line->address, &found, address, false,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return line;
		if (found == address)
			return line;
	}
	return NULL;
}

static void site_count(struct site *sites, unsigned long address)
{
	for (int i = 0; i < SITES; i++) {
		unsigned long found = READ_ONCE(sites[i].address);

		if ((!found && __atomic_compare_exchange_n(&sites[i].address, &found, address, false,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED)) ||
		    found == address) {
			__atomic_add_fetch(&sites[i].count, 1, __ATOMIC_RELAXED);
			return;
		}
	}
}

static void access_in_line(unsigned long address, u8 words, bool write, unsigned long site)
{
	unsigned int cpu = smp_processor_id();
	struct line *line;
	u32 now;

	if (cpu >= CPUS || !operation[cpu])
		return;
	line = line_find(ALIGN_DOWN(address, LINE_SIZE));
	if (!line) {
		__atomic_add_fetch(&lost, 1, __ATOMIC_RELAXED);
		return;
	}
	now = operation[cpu];
	site_count(write ? line->writers : line->readers, site);
	if (write) {
		line->words_written[cpu] |= words;
		line->written[cpu] += line->written_last[cpu] != now;
		line->written_last[cpu] = now;
	} else {
		line->words_read[cpu] |= words;
		line->read[cpu] += line->read_last[cpu] != now;
		line->read_last[cpu] = now;
	}
}

static __always_inline void record(const volatile void *pointer, size_t size, bool write,
				   const void *site)
{
	unsigned long address = (unsigned long)pointer, end = address + size;

	if (likely(!READ_ONCE(recording)))
		return;
	while (address < end) {
		unsigned long next = min(end, ALIGN_DOWN(address, LINE_SIZE) + LINE_SIZE);
		unsigned int first = address % LINE_SIZE / 8, last = (next - 1) % LINE_SIZE / 8;

		access_in_line(address, (u8)((2u << last) - (1u << first)), write, (unsigned long)site);
		address = next;
	}
}

void lines_contended(const void *lock)
{
	unsigned int cpu = smp_processor_id();
	struct line *line;

	if (likely(!READ_ONCE(recording)) || cpu >= CPUS || !operation[cpu])
		return;
	line = line_find(ALIGN_DOWN((unsigned long)lock, LINE_SIZE));
	if (line)
		__atomic_add_fetch(&line->contended, 1, __ATOMIC_RELAXED);
}

/* ---- What the compiler calls ---- */

void __tsan_init(void);
void __tsan_init(void)
{
}

#define DEFINE_ACCESS(name, size, write)                                                           \
	void __tsan_##name(void *address);                                                         \
	void __tsan_##name(void *address)                                                          \
	{                                                                                          \
		record(address, size, write, __builtin_return_address(0));                         \
	}
#define DEFINE_ACCESSES(size)                                                                      \
	DEFINE_ACCESS(read##size, size, false)                                                     \
	DEFINE_ACCESS(write##size, size, true)                                                     \
	DEFINE_ACCESS(unaligned_read##size, size, false)                                           \
	DEFINE_ACCESS(unaligned_write##size, size, true)

DEFINE_ACCESSES(1)
DEFINE_ACCESSES(2)
DEFINE_ACCESSES(4)
DEFINE_ACCESSES(8)
DEFINE_ACCESSES(16)

#define DEFINE_RANGE(name, write)                                                                  \
	void __tsan_##name##_range(void *address, size_t size);                                    \
	void __tsan_##name##_range(void *address, size_t size)                                     \
	{                                                                                          \
		record(address, size, write, __builtin_return_address(0));                         \
	}

DEFINE_RANGE(read, false)
DEFINE_RANGE(write, true)

#define DEFINE_FETCH(bits, type, operation)                                                        \
	type __tsan_atomic##bits##_fetch_##operation(volatile type *at, type value, int order);    \
	type __tsan_atomic##bits##_fetch_##operation(volatile type *at, type value, int order)     \
	{                                                                                          \
		record(at, sizeof(*at), true, __builtin_return_address(0));                        \
		return __atomic_fetch_##operation(at, value, __ATOMIC_SEQ_CST);                    \
	}
#define DEFINE_ATOMICS(bits, type)                                                                 \
	type __tsan_atomic##bits##_load(const volatile type *at, int order);                       \
	type __tsan_atomic##bits##_load(const volatile type *at, int order)                        \
	{                                                                                          \
		record(at, sizeof(*at), false, __builtin_return_address(0));                       \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                      \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *at, type value, int order);                \
	void __tsan_atomic##bits##_store(volatile type *at, type value, int order)                 \
	{                                                                                          \
		record(at, sizeof(*at), true, __builtin_return_address(0));                        \
		__atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                     \
	}                                                                                          \
	type __tsan_atomic##bits##_exchange(volatile type *at, type value, int order);             \
	type __tsan_atomic##bits##_exchange(volatile type *at, type value, int order)              \
	{                                                                                          \
		record(at, sizeof(*at), true, __builtin_return_address(0));                        \
		return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                           \
	}                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,       \
							  type value, int success, int failure);   \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,       \
							  type value, int success, int failure)    \
	{                                                                                          \
		record(at, sizeof(*at), true, __builtin_return_address(0));                        \
		return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_SEQ_CST,   \
						   __ATOMIC_SEQ_CST);                              \
	}                                                                                          \
	DEFINE_FETCH(bits, type, add)                                                              \
	DEFINE_FETCH(bits, type, sub)                                                              \
	DEFINE_FETCH(bits, type, and)                                                              \
	DEFINE_FETCH(bits, type, or)                                                               \
	DEFINE_FETCH(bits, type, xor)

DEFINE_ATOMICS(8, u8)
DEFINE_ATOMICS(16, u16)
DEFINE_ATOMICS(32, u32)
DEFINE_ATOMICS(64, u64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- What the program calls ---- */

static long start(void)
{
	if (!table)
		table = vmalloc(TABLE_SIZE * sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	WRITE_ONCE(recording, false);
	memset(table, 0, TABLE_SIZE * sizeof(*table));
	memset(operation, 0, sizeof(operation));
	lost = 0;
	smp_store_release(&recording, true);
	return 0;
}

struct text_buffer {
	char *data;
	size_t size, length;
};

static __printf(2, 3) void put(struct text_buffer *out, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(out->data + out->length, out->size - out->length, format, args);
	va_end(args);
	out->length = min(out->length + (size_t)length, out->size - 1);
}

/* What lies at an address, in words. */
static void describe_place(struct text_buffer *out, unsigned long address)
{
	char symbol[KALLSYMS_TEXT_SIZE];
	const char *cache;
	size_t offset;

	for_each_cpu(cpu) {
		unsigned long linked = address - per_cpu_offset[cpu];

		if (linked >= (unsigned long)__per_cpu_start && linked < (unsigned long)__per_cpu_end) {
			kallsyms_format(symbol, sizeof(symbol), linked, true);
			put(out, "%s of each CPU", symbol);
			return;
		}
	}
	if (slab_locate((const void *)address, &cache, &offset)) {
		put(out, "%s+0x%zx", cache, offset);
	} else if (address >= KERNEL_BASE) {
		kallsyms_format(symbol, sizeof(symbol), address, true);
		put(out, "%s", symbol);
	} else if (address >= VMEMMAP_BASE) {
		put(out, "struct page+0x%zx", (address - VMEMMAP_BASE) % sizeof(struct page));
	} else {
		put(out, address >= KVA_BASE ? "stack" : "page");
	}
}

static void put_counts(struct text_buffer *out, const u32 *counts)
{
	for (int cpu = 0; cpu < CPUS; cpu++)
		put(out, "%s%u", cpu ? " " : "\t", counts[cpu]);
}

static void put_words(struct text_buffer *out, const u8 *words)
{
	for (int cpu = 0; cpu < CPUS; cpu++)
		put(out, "%s%u", cpu ? " " : "\t", words[cpu]);
}

static void put_sites(struct text_buffer *out, const struct site *sites)
{
	put(out, "\t");
	for (int i = 0; i < SITES && sites[i].address; i++)
		put(out, "%s%lx:%u", i ? " " : "", sites[i].address, sites[i].count);
}

/*
 * A line's description, words separated by tabs: its address, what it is (of the first word that was written), in how many
 * operations each CPU wrote and read it, the words that each wrote and read, how often a lock in it was waited for, and
 * the code that wrote and read it with counts.
 */
static long show(unsigned long index, char __user *to, size_t size)
{
	char *data;
	struct text_buffer out = { .size = 2048 };
	const struct line *line;
	u8 words = 0;
	long result;

	if (!table || index >= TABLE_SIZE)
		return -ENOENT;
	line = &table[index];
	if (!line->address)
		return 0;
	data = out.data = kmalloc(out.size, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	for (int cpu = 0; cpu < CPUS; cpu++)
		words |= line->words_written[cpu];
	put(&out, "%lx\t", line->address);
	describe_place(&out, line->address + (words ? __builtin_ctz(words) * 8 : 0));
	put_counts(&out, line->written);
	put_counts(&out, line->read);
	put_words(&out, line->words_written);
	put_words(&out, line->words_read);
	put(&out, "\t%u", line->contended);
	put_sites(&out, line->writers);
	put_sites(&out, line->readers);
	result = out.length > size		      ? -ERANGE
		 : copy_to_user(to, data, out.length) ? -EFAULT
						      : (long)out.length;
	kfree(data);
	return result;
}

long sys_tuxcall(unsigned long request, unsigned long index, char __user *to, size_t size);
long sys_tuxcall(unsigned long request, unsigned long index, char __user *to, size_t size)
{
	unsigned int cpu = smp_processor_id();
	static u32 last[CPUS];

	switch (request) {
	case LINES_START:
		return start();
	case LINES_STOP:
		WRITE_ONCE(recording, false);
		return (long)lost;
	case LINES_NEXT:
	case LINES_IGNORE:
		if (cpu >= CPUS)
			return -EINVAL;
		operation[cpu] = request == LINES_NEXT ? ++last[cpu] : 0;
		return 0;
	case LINES_SHOW:
		return show(index, to, size);
	default:
		return -EINVAL;
	}
}
