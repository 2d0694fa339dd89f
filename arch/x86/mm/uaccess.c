/*
 * Copies between kernel and user memory, and the exception table that lets their instructions fault.
 *
 * A copy that faults in the middle says how much is left: the string instructions keep their count in rcx. It goes up to the
 * last byte that can be reached, since programs see that (a read into the end of a mapping).
 */
#include <kumo/arch/cpu.h>
#include <kumo/arch/ptrace.h>
#include <kumo/asan.h>
#include <kumo/export.h>
#include <kumo/lockcheck.h>
#include <kumo/percpu.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/uaccess.h>

#include "mm.h"

extern const struct exception_entry __start___ex_table[], __stop___ex_table[];

/* A module's table. The list changes under tables_lock and is read in any context. */
struct exception_table {
	struct exception_table *next;
	const struct exception_entry *entries;
	size_t count;
};
static struct exception_table *module_tables;
static spinlock_t tables_lock = SPINLOCK_INIT("exception_tables");

/* Above zero while this CPU copies with a _nofault form: no fault is mended then. */
DEFINE_PER_CPU(unsigned int, user_faults_off);

static inline unsigned long entry_address(const s32 *field)
{
	return (unsigned long)field + *field;
}

static bool table_fixup(const struct exception_entry *entries, size_t count, struct pt_regs *regs)
{
	for (size_t i = 0; i < count; i++) {
		if (entry_address(&entries[i].instruction) != regs->ip)
			continue;
		regs->ip = entry_address(&entries[i].fixup);
		return true;
	}
	return false;
}

bool exception_fixup(struct pt_regs *regs)
{
	struct exception_table *table;

	if (table_fixup(__start___ex_table, __stop___ex_table - __start___ex_table, regs))
		return true;
	for (table = rcu_dereference(module_tables); table; table = rcu_dereference(table->next))
		if (table_fixup(table->entries, table->count, regs))
			return true;
	return false;
}

int exception_table_add(const void *entries, size_t size)
{
	struct exception_table *table = kmalloc(sizeof(*table), GFP_KERNEL);

	if (!table)
		return -ENOMEM;
	table->entries = entries;
	table->count = size / sizeof(*table->entries);
	spin_lock(&tables_lock);
	table->next = module_tables;
	rcu_assign_pointer(module_tables, table);
	spin_unlock(&tables_lock);
	return 0;
}

void exception_table_remove(const void *entries)
{
	struct exception_table **link, *table;

	spin_lock(&tables_lock);
	for (link = &module_tables; (table = *link); link = &table->next)
		if (table->entries == entries)
			break;
	if (table)
		rcu_assign_pointer(*link, table->next);
	spin_unlock(&tables_lock);
	kfree_rcu(table);
}

/*
 * Copies `size` bytes; how many are left when an access faults. Eight at a time, then the rest. The fault of the first
 * loop leaves rcx words and the rest undone, which the second then does byte by byte; that of the second leaves rcx bytes.
 */
static __always_inline size_t copy_faulting(void *to, const void *from, size_t size)
{
	size_t left = size >> 3, rest = size & 7;

	__asm__ volatile(SMAP_OPEN "1: rep movsq\n\t"
				   "mov %3, %0\n\t"
				   "2: rep movsb\n"
				   "3: " SMAP_CLOSE ".pushsection .text.fixup,\"ax\"\n\t"
				   "4: lea (%3,%0,8), %0\n\t"
				   "jmp 2b\n\t"
				   ".popsection\n\t" EXCEPTION_ENTRY("1b", "4b")
					   EXCEPTION_ENTRY("2b", "3b")
			 : "+c"(left), "+D"(to), "+S"(from)
			 : "r"(rest)
			 : "memory", "cc");
	return left;
}

size_t copy_to_user(void __user *to, const void *from, size_t size)
{
	might_sleep();
	if (unlikely(!user_range_ok(to, size) || fault_inject(FAIL_USER)))
		return size;
	asan_check_read(from, size);
	return copy_faulting(to, from, size);
}
EXPORT_SYMBOL(copy_to_user);

size_t copy_from_user(void *to, const void __user *from, size_t size)
{
	might_sleep();
	if (unlikely(!user_range_ok(from, size) || fault_inject(FAIL_USER)))
		return size;
	asan_check_write(to, size);
	return copy_faulting(to, from, size);
}
EXPORT_SYMBOL(copy_from_user);

size_t copy_to_user_nofault(void __user *to, const void *from, size_t size)
{
	size_t left;

	if (unlikely(!user_range_ok(to, size) || fault_inject(FAIL_USER)))
		return size;
	asan_check_read(from, size);
	this_cpu_inc(user_faults_off);
	left = copy_faulting(to, from, size);
	this_cpu_dec(user_faults_off);
	return left;
}
EXPORT_SYMBOL(copy_to_user_nofault);

size_t copy_from_user_nofault(void *to, const void __user *from, size_t size)
{
	size_t left;

	if (unlikely(!user_range_ok(from, size) || fault_inject(FAIL_USER)))
		return size;
	asan_check_write(to, size);
	this_cpu_inc(user_faults_off);
	left = copy_faulting(to, from, size);
	this_cpu_dec(user_faults_off);
	return left;
}
EXPORT_SYMBOL(copy_from_user_nofault);

size_t clear_user(void __user *to, size_t size)
{
	size_t left = size >> 3, rest = size & 7;

	might_sleep();
	if (unlikely(!user_range_ok(to, size) || fault_inject(FAIL_USER)))
		return size;
	__asm__ volatile(SMAP_OPEN "1: rep stosq\n\t"
				   "mov %2, %0\n\t"
				   "2: rep stosb\n"
				   "3: " SMAP_CLOSE ".pushsection .text.fixup,\"ax\"\n\t"
				   "4: lea (%2,%0,8), %0\n\t"
				   "jmp 2b\n\t"
				   ".popsection\n\t" EXCEPTION_ENTRY("1b", "4b")
					   EXCEPTION_ENTRY("2b", "3b")
			 : "+c"(left), "+D"(to)
			 : "r"(rest), "a"(0)
			 : "memory", "cc");
	return left;
}
EXPORT_SYMBOL(clear_user);

/* Bit 7 of each byte that is zero, exact up to the first of them. */
static inline u64 zero_bytes(u64 word)
{
	return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

ssize_t strncpy_from_user(char *to, const char __user *from, size_t size)
{
	size_t done = 0;
	u64 word, zeros;
	u8 byte;

	while (done < size) {
		/* Whole words, but none that reaches into the next page: the string may end before it. */
		if (size - done >= 8 &&
		    ((unsigned long)(from + done) & (PAGE_SIZE - 1)) <= PAGE_SIZE - 8) {
			if (get_user_u64(&word, from + done))
				return -EFAULT;
			__builtin_memcpy(to + done, &word, 8);
			zeros = zero_bytes(word);
			if (zeros)
				return (ssize_t)(done + __builtin_ctzll(zeros) / 8);
			done += 8;
			continue;
		}
		if (get_user_u8(&byte, from + done))
			return -EFAULT;
		to[done] = (char)byte;
		if (!byte)
			return (ssize_t)done;
		done++;
	}
	return (ssize_t)size;
}
EXPORT_SYMBOL(strncpy_from_user);

int user_cmpxchg_u32(u32 __user *address, u32 old, u32 new, u32 *found)
{
	u32 seen = old;

	if (unlikely(!user_address_ok(address) || (unsigned long)address % 4 || fault_inject(FAIL_USER)))
		return -EFAULT;
	this_cpu_inc(user_faults_off);
	__asm__ volatile goto(
		SMAP_OPEN "1: lock cmpxchgl %2, %1\n\t" SMAP_CLOSE EXCEPTION_ENTRY("1b", "%l[fault]")
		: "+a"(seen), "+m"(*address)
		: "r"(new)
		: "memory", "cc"
		: fault);
	this_cpu_dec(user_faults_off);
	*found = seen;
	return 0;
fault:
	user_access_end();
	this_cpu_dec(user_faults_off);
	return -EFAULT;
}

EXPORT_SYMBOL(user_cmpxchg_u32);

/* The inline forms as functions, for modules. */
#define DEFINE_USER_FUNCTIONS(type)                                                                \
	int get_user_##type##_function(type *value, const void __user *address)                    \
	{                                                                                          \
		return get_user_##type(value, address);                                            \
	}                                                                                          \
	int put_user_##type##_function(type value, void __user *address)                           \
	{                                                                                          \
		return put_user_##type(value, address);                                            \
	}

DEFINE_USER_FUNCTIONS(u8)
DEFINE_USER_FUNCTIONS(u16)
DEFINE_USER_FUNCTIONS(u32)
DEFINE_USER_FUNCTIONS(u64)
EXPORT_SYMBOL(get_user_u8_function);
EXPORT_SYMBOL(get_user_u16_function);
EXPORT_SYMBOL(get_user_u32_function);
EXPORT_SYMBOL(get_user_u64_function);
EXPORT_SYMBOL(put_user_u8_function);
EXPORT_SYMBOL(put_user_u16_function);
EXPORT_SYMBOL(put_user_u32_function);
EXPORT_SYMBOL(put_user_u64_function);
