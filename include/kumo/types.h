/* Integer types, annotations and the few helpers that every file uses. */
#ifndef KUMO_TYPES_H
#define KUMO_TYPES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef long ssize_t;
typedef long long loff_t;
typedef u64 phys_addr_t; /* a physical address */

/* A pointer into user space: touched only through <kumo/uaccess.h>. */
#define __user
/* A pointer to device registers: touched only through <kumo/io.h>. */
#define __iomem

#define __must_check __attribute__((warn_unused_result))
#define __packed __attribute__((packed))
#define __aligned(n) __attribute__((aligned(n)))
#define __noreturn __attribute__((noreturn))
#define __noinline __attribute__((noinline))
#undef __always_inline /* of <linux/stddef.h>, in whatever order these are included */
#define __always_inline inline __attribute__((always_inline))
#define __maybe_unused __attribute__((unused))
#define __section(name) __attribute__((section(name)))
#define __weak __attribute__((weak))
#define __used __attribute__((used))
#define __printf(text, first) __attribute__((format(printf, text, first)))
#define __cacheline_aligned __aligned(64)

#ifndef MODULE
/* Boot-time code and data of the core: given back to the page allocator before the first program runs. */
#define __init __section(".init.text") __attribute__((cold))
#define __initdata __section(".init.data")
#define __initconst __section(".init.rodata")
#define __exit __used __section(".exit.text")
#else
/* Code and data that a module needs only while its init function runs. */
#define __init __section(".init.text") __attribute__((cold))
#define __initdata __section(".init.data")
#define __initconst __section(".init.rodata")
#define __exit __used __section(".exit.text")
#endif

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define sizeof_field(type, member) sizeof(((type *)0)->member)

#define BIT(n) (1UL << (n))
/* `align` is a power of two. */
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align)-1))
#define ALIGN_UP(x, align) (((x) + ((__typeof__(x))(align)-1)) & ~((__typeof__(x))(align)-1))
#define IS_ALIGNED(x, align) (((x) & ((__typeof__(x))(align)-1)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define min(a, b)                                                                                  \
	({                                                                                         \
		__auto_type min_a = (a);                                                           \
		__auto_type min_b = (b);                                                           \
		min_a < min_b ? min_a : min_b;                                                     \
	})
#define max(a, b)                                                                                  \
	({                                                                                         \
		__auto_type max_a = (a);                                                           \
		__auto_type max_b = (b);                                                           \
		max_a > max_b ? max_a : max_b;                                                     \
	})
#define clamp(x, low, high) min(max(x, low), high)

/* The compiler may neither tear, repeat nor invent this access; other CPUs or interrupts touch it too. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile __typeof__(x) *)&(x) = (value))

#define KIB 1024UL
#define MIB (1024UL * KIB)
#define GIB (1024UL * MIB)
#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

#endif
