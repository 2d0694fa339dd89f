/*
 * The debug build's store of backtraces. A record is written once and never goes, so readers take no lock, and writers
 * agree by compare-and-swap on the heads of the hash chains: that makes it fit for interrupts, for any lock and for the
 * allocators themselves. Two CPUs that meet with the same new backtrace may leave one record unused.
 *
 * All addresses of code have their upper 32 bits set, so the lower halves are kept. Backtraces with a module in them count as
 * different when that module is another one at the same address.
 */
#ifdef CONFIG_DEBUG
#define LOG_PREFIX "stacks: "
#include <kumo/arch/layout.h>
#include <kumo/arch/ptrace.h>
#include <kumo/export.h>
#include <kumo/irq.h>
#include <kumo/oops.h>
#include <kumo/printk.h>
#include <kumo/report.h>
#include <kumo/stack_depot.h>
#include <kumo/string.h>
#include "module/internal.h"

#define ARENA_WORDS (1U << 19) /* 4 MiB: some 35,000 backtraces */
#define BUCKETS (1U << 13)

struct stack_record {
	struct stack_usage usage;
	u32 next; /* in the chain of its bucket */
	u32 hash;
	u16 owner;
	u16 depth;
	u32 addresses[]; /* lower halves */
};

#define RECORD_WORDS(depth)                                                                        \
	DIV_ROUND_UP(sizeof(struct stack_record) + (depth) * sizeof(u32), sizeof(u64))

/* Records by the number of their first word. The first is of no stack: for what is made before and beyond the rest. */
static u64 arena[ARENA_WORDS];
static u32 arena_used = RECORD_WORDS(0);
static u32 buckets[BUCKETS];

static struct stack_record *record_of(u32 stack)
{
	return (struct stack_record *)&arena[stack];
}

/* The module that the backtrace is in, innermost first. */
static unsigned int owner_of(const u32 *addresses, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++) {
		unsigned long address = addresses[i] | 0xffffffff00000000UL;
		const struct module *module = NULL;

		if (address >= MODULE_BASE && address < MODULE_END)
			module = module_of_address(address);
		if (module)
			return module->owner;
	}
	return 0;
}

static u32 hash_of(const u32 *addresses, unsigned int depth, unsigned int owner)
{
	u32 hash = owner;

	for (unsigned int i = 0; i < depth; i++)
		hash = (hash ^ addresses[i]) * 0x9e3779b1U;
	return hash ^ hash >> 15;
}

/* From `stack` on along its chain, up to `end`. */
static u32 find(u32 stack, u32 end, const struct stack_record *wanted, const u32 *addresses)
{
	for (; stack != end; stack = record_of(stack)->next) {
		const struct stack_record *record = record_of(stack);

		if (record->hash == wanted->hash && record->owner == wanted->owner &&
		    record->depth == wanted->depth &&
		    !memcmp(record->addresses, addresses, wanted->depth * sizeof(u32)))
			return stack;
	}
	return 0;
}

static u32 arena_take(unsigned int words)
{
	u32 at = __atomic_fetch_add(&arena_used, words, __ATOMIC_RELAXED);

	if (at <= ARENA_WORDS - words)
		return at;
	__atomic_store_n(&arena_used, ARENA_WORDS, __ATOMIC_RELAXED);
	pr_warn_once("there is no room for more backtraces\n");
	return 0;
}

/* The number of the record like `wanted`, made if need be. */
static u32 intern(const struct stack_record *wanted, const u32 *addresses)
{
	u32 *bucket = &buckets[wanted->hash % BUCKETS];
	u32 head = __atomic_load_n(bucket, __ATOMIC_ACQUIRE), seen = 0, found, stack = 0;

	for (;;) {
		found = find(head, seen, wanted, addresses);
		if (found)
			return found;
		if (!stack) {
			stack = arena_take(RECORD_WORDS(wanted->depth));
			if (!stack)
				return 0;
			*record_of(stack) = *wanted;
			memcpy(record_of(stack)->addresses, addresses, wanted->depth * sizeof(u32));
		}
		record_of(stack)->next = seen = head;
		if (__atomic_compare_exchange_n(bucket, &head, stack, false, __ATOMIC_RELEASE,
						__ATOMIC_ACQUIRE))
			return stack;
	}
}

/* Of the caller's caller on. */
static __noinline u32 save(bool core)
{
	const struct pt_regs *interrupted = interrupt_registers();
	unsigned long addresses[STACK_DEPTH + 2];
	unsigned int count = arch_backtrace_save(NULL, addresses, ARRAY_SIZE(addresses));
	struct stack_record wanted = {};
	u32 low[STACK_DEPTH];

	for (unsigned int i = 2; i < count; i++) { /* the first are this function and its caller */
		if (interrupted && addresses[i] == interrupted->ip)
			break;
		low[wanted.depth++] = (u32)addresses[i];
	}
	if (!wanted.depth)
		return 0;
	wanted.owner = core ? 0 : (u16)owner_of(low, wanted.depth);
	wanted.hash = hash_of(low, wanted.depth, wanted.owner);
	return intern(&wanted, low);
}

u32 stack_save(void)
{
	return save(false);
}
EXPORT_SYMBOL(stack_save);

u32 stack_save_core(void)
{
	return save(true);
}

unsigned int stack_addresses(u32 stack, unsigned long *addresses)
{
	const struct stack_record *record = record_of(stack);

	for (unsigned int i = 0; i < record->depth; i++)
		addresses[i] = record->addresses[i] | 0xffffffff00000000UL;
	return record->depth;
}
EXPORT_SYMBOL(stack_addresses);

void stack_print(u32 stack)
{
	unsigned long addresses[STACK_DEPTH];
	unsigned int depth = stack_addresses(stack, addresses);

	for (unsigned int i = 0; i < depth; i++)
		report_line("  %pS", (void *)addresses[i]);
	if (!depth)
		report_line("  (no backtrace)");
}
EXPORT_SYMBOL(stack_print);

unsigned int stack_owner(u32 stack)
{
	return record_of(stack)->owner;
}

struct stack_usage *stack_usage(u32 stack)
{
	return &record_of(stack)->usage;
}

bool stack_next(u32 *stack)
{
	u32 at = *stack + (u32)RECORD_WORDS(record_of(*stack)->depth);

	/* The last ones may be about to be written: what is not there yet has no depth. */
	if (at >= min(READ_ONCE(arena_used), ARENA_WORDS) || !record_of(at)->depth)
		return false;
	*stack = at;
	return true;
}
#endif
