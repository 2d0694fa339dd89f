/*
 * Single values to and from user memory, inline in the core. Each access is an instruction with an entry in the
 * exception table: when it faults, and the fault cannot be mended, execution goes on behind it with -EFAULT.
 *
 * Where the CPU has SMAP, user memory is closed to the kernel but between user_access_begin() and user_access_end(). In
 * the image these are NOPs of three bytes, listed in the section __smap_sites, and become stac and clac at the start.
 *
 * Modules call functions instead, so that their code needs neither table.
 */
#ifndef KUMO_ARCH_UACCESS_H
#define KUMO_ARCH_UACCESS_H

#include <kumo/arch/layout.h>
#include <kumo/err.h>
#include <kumo/fault_inject.h>
#include <kumo/lockcheck.h>
#include <kumo/types.h>

/* One entry of the exception table; both relative to their own place. */
struct exception_entry {
	s32 instruction, fixup;
};

#define EXCEPTION_ENTRY(instruction, fixup)                                                        \
	".pushsection __ex_table,\"a\"\n\t"                                                        \
	".balign 4\n\t"                                                                            \
	".long " instruction " - .\n\t"                                                            \
	".long " fixup " - .\n\t"                                                                  \
	".popsection\n\t"

#define SMAP_NOP ".byte 0x0f, 0x1f, 0x00\n\t"
#define SMAP_SITE(kind)                                                                            \
	"661: " SMAP_NOP ".pushsection __smap_sites,\"a\"\n\t"                                     \
	".balign 4\n\t"                                                                            \
	".long 661b - .\n\t"                                                                       \
	".long " kind "\n\t"                                                                       \
	".popsection\n\t"
#define SMAP_OPEN SMAP_SITE("0")
#define SMAP_CLOSE SMAP_SITE("1")

#ifndef MODULE

static __always_inline void user_access_begin(void)
{
	__asm__ volatile(SMAP_OPEN ::: "memory", "cc");
}

static __always_inline void user_access_end(void)
{
	__asm__ volatile(SMAP_CLOSE ::: "memory", "cc");
}

/* Of the first byte: the page behind the end of user space is never mapped, so a value that crosses it faults. */
static __always_inline bool user_address_ok(const void __user *address)
{
	return (unsigned long)address < USER_END;
}

#define DEFINE_USER_VALUE(type, suffix, constraint)                                                      \
	static __always_inline __must_check int get_user_##type(type *value, const void __user *address) \
	{                                                                                                \
		type result;                                                                             \
                                                                                                         \
		might_sleep();                                                                           \
		if (unlikely(!user_address_ok(address) || fault_inject(FAIL_USER)))                      \
			return -EFAULT;                                                                  \
		__asm__ volatile goto(SMAP_OPEN                                                          \
				      "1: mov" suffix                                                    \
				      " %1, %0\n\t" SMAP_CLOSE EXCEPTION_ENTRY("1b", "%l[fault]")        \
				      : "=" constraint(result)                                           \
				      : "m"(*(const type *)address)                                      \
				      : "memory", "cc"                                                   \
				      : fault);                                                          \
		*value = result;                                                                         \
		return 0;                                                                                \
fault:                                                                                                   \
		user_access_end();                                                                       \
		*value = 0;                                                                              \
		return -EFAULT;                                                                          \
	}                                                                                                \
	static __always_inline __must_check int put_user_##type(type value, void __user *address)        \
	{                                                                                                \
		might_sleep();                                                                           \
		if (unlikely(!user_address_ok(address) || fault_inject(FAIL_USER)))                      \
			return -EFAULT;                                                                  \
		__asm__ volatile goto(SMAP_OPEN                                                          \
				      "1: mov" suffix                                                    \
				      " %0, %1\n\t" SMAP_CLOSE EXCEPTION_ENTRY("1b", "%l[fault]")        \
				      :                                                                  \
				      : constraint(value), "m"(*(type *)address)                         \
				      : "memory", "cc"                                                   \
				      : fault);                                                          \
		return 0;                                                                                \
fault:                                                                                                   \
		user_access_end();                                                                       \
		return -EFAULT;                                                                          \
	}

DEFINE_USER_VALUE(u8, "b", "q")
DEFINE_USER_VALUE(u16, "w", "r")
DEFINE_USER_VALUE(u32, "l", "r")
DEFINE_USER_VALUE(u64, "q", "r")

#else
#define get_user_u8 get_user_u8_function
#define get_user_u16 get_user_u16_function
#define get_user_u32 get_user_u32_function
#define get_user_u64 get_user_u64_function
#define put_user_u8 put_user_u8_function
#define put_user_u16 put_user_u16_function
#define put_user_u32 put_user_u32_function
#define put_user_u64 put_user_u64_function
#endif

int get_user_u8_function(u8 *value, const void __user *address) __must_check;
int put_user_u8_function(u8 value, void __user *address) __must_check;
int get_user_u16_function(u16 *value, const void __user *address) __must_check;
int put_user_u16_function(u16 value, void __user *address) __must_check;
int get_user_u32_function(u32 *value, const void __user *address) __must_check;
int put_user_u32_function(u32 value, void __user *address) __must_check;
int get_user_u64_function(u64 *value, const void __user *address) __must_check;
int put_user_u64_function(u64 value, void __user *address) __must_check;

/* A size that no integer has: fails at link time. */
int user_value_of_odd_size(void);

#define get_user(value, pointer)                                                                   \
	({                                                                                         \
		int get_user_error_;                                                               \
		union {                                                                            \
			u64 raw;                                                                   \
			__typeof__(*(pointer)) typed;                                              \
		} get_user_value_;                                                                 \
		const void __user *get_user_from_ = (pointer);                                     \
		get_user_value_.raw = 0;                                                           \
		if (sizeof(*(pointer)) == 1)                                                       \
			get_user_error_ = get_user_u8((u8 *)&get_user_value_, get_user_from_);     \
		else if (sizeof(*(pointer)) == 2)                                                  \
			get_user_error_ = get_user_u16((u16 *)&get_user_value_, get_user_from_);   \
		else if (sizeof(*(pointer)) == 4)                                                  \
			get_user_error_ = get_user_u32((u32 *)&get_user_value_, get_user_from_);   \
		else if (sizeof(*(pointer)) == 8)                                                  \
			get_user_error_ = get_user_u64((u64 *)&get_user_value_, get_user_from_);   \
		else                                                                               \
			get_user_error_ = user_value_of_odd_size();                                \
		(value) = (__typeof__(value))get_user_value_.typed;                                \
		get_user_error_;                                                                   \
	})

#define put_user(value, pointer)                                                                   \
	({                                                                                         \
		int put_user_error_;                                                               \
		__typeof__(*(pointer) + 0) put_user_value_ = (value);                              \
		void __user *put_user_to_ = (pointer);                                             \
		if (sizeof(*(pointer)) == 1)                                                       \
			put_user_error_ =                                                          \
				put_user_u8((u8)(unsigned long)put_user_value_, put_user_to_);     \
		else if (sizeof(*(pointer)) == 2)                                                  \
			put_user_error_ =                                                          \
				put_user_u16((u16)(unsigned long)put_user_value_, put_user_to_);   \
		else if (sizeof(*(pointer)) == 4)                                                  \
			put_user_error_ =                                                          \
				put_user_u32((u32)(unsigned long)put_user_value_, put_user_to_);   \
		else if (sizeof(*(pointer)) == 8)                                                  \
			put_user_error_ =                                                          \
				put_user_u64((u64)(unsigned long)put_user_value_, put_user_to_);   \
		else                                                                               \
			put_user_error_ = user_value_of_odd_size();                                \
		put_user_error_;                                                                   \
	})

#endif
