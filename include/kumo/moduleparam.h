/*
 * Module parameters: typed variables set when the module is loaded (`insmod hello.ko times=3`, or `hello.times=3` on the
 * kernel's command line), shown in /sys/module/NAME/parameters/ with the permissions `perm` (0: not shown) and
 * changed by writing there where these allow it.
 *
 *	static int times = 1;
 *	module_param(times, int, 0644);
 *	MODULE_PARM_DESC(times, "how often to say hello");
 *
 * Types: byte short ushort int uint long ulong ullong hexint bool invbool charp. A write from /sys holds
 * kernel_param_lock(); code that reads a charp more than once takes it too.
 */
#ifndef KUMO_MODULEPARAM_H
#define KUMO_MODULEPARAM_H

#include <kumo/types.h>

struct kernel_param;

struct kernel_param_ops {
	/* Text to value; `value` is NULL for a bare name without '='. 0 or negative errno. */
	int (*set)(const char *value, const struct kernel_param *param);
	/* Value to text without a newline, at most `size` bytes with NUL; the length, or negative errno. */
	int (*get)(char *buffer, size_t size, const struct kernel_param *param);
	/* Releases what set() allocated, when the module goes; may be absent. */
	void (*free)(void *arg);
	bool bare; /* a bare name is meaningful: bool */
};

struct kernel_param {
	const char *name;
	const struct kernel_param_ops *ops;
	u16 perm;
	void *arg; /* the variable, or one of the descriptors below */
};

struct kernel_param_string {
	size_t size;
	char *text;
};

struct kernel_param_array {
	unsigned int max;
	unsigned int element_size;
	unsigned int *count; /* how many were given; may be NULL */
	unsigned int own_count;
	const struct kernel_param_ops *ops; /* of the elements */
	void *elements;
};

extern const struct kernel_param_ops param_ops_byte, param_ops_short, param_ops_ushort, param_ops_int,
	param_ops_uint, param_ops_long, param_ops_ulong, param_ops_ullong, param_ops_hexint,
	param_ops_bool, param_ops_invbool, param_ops_charp, param_ops_string, param_ops_array;

/* Serialises changes of parameters through /sys; sleeps. */
void kernel_param_lock(void);
void kernel_param_unlock(void);

#define param_type_byte u8
#define param_type_short short
#define param_type_ushort unsigned short
#define param_type_int int
#define param_type_uint unsigned int
#define param_type_long long
#define param_type_ulong unsigned long
#define param_type_ullong unsigned long long
#define param_type_hexint unsigned int
#define param_type_bool bool
#define param_type_invbool bool
#define param_type_charp char *

#define MODULE_UNIQUE_2(name, line) name##_##line
#define MODULE_UNIQUE_1(name, line) MODULE_UNIQUE_2(name, line)
#define MODULE_UNIQUE(name) MODULE_UNIQUE_1(name, __COUNTER__)

/* One `tag=text` for modinfo. */
#ifdef MODULE
#define MODULE_INFO(tag, text)                                                                     \
	static const char MODULE_UNIQUE(modinfo_##tag)[] __used __section(".modinfo")              \
		__aligned(1) = #tag "=" text
#else
#define MODULE_INFO(tag, text) struct module
#endif

#define MODULE_PARM_DESC(name, text) MODULE_INFO(parm, #name ":" text)

/* The type is pasted and quoted at once, before `bool` could become _Bool. */
#define module_param(name, type, perm)                                                             \
	module_param_typed(name, name, param_type_##type, param_ops_##type, #type, perm)
#define module_param_named(name, variable, type, perm)                                             \
	module_param_typed(name, variable, param_type_##type, param_ops_##type, #type, perm)
#define module_param_typed(name, variable, c_type, operations, type_name, perm)                    \
	static inline __maybe_unused c_type *param_check_##name(void)                              \
	{                                                                                          \
		return &(variable);                                                                \
	}                                                                                          \
	module_param_record(name, &(operations), &(variable), perm);                               \
	MODULE_INFO(parmtype, #name ":" type_name)

/* With operations of its own: set and get as in struct kernel_param_ops. */
#define module_param_cb(name, operations, pointer, perm)                                           \
	module_param_record(name, operations, pointer, perm)

/* Text of at most size - 1 bytes, copied into `buffer`. */
#define module_param_string(name, buffer, size_, perm)                                             \
	static const struct kernel_param_string param_string_##name = { .size = (size_),           \
									.text = (buffer) };        \
	module_param_record(name, &param_ops_string, (void *)&param_string_##name, perm);          \
	MODULE_INFO(parmtype, #name ":string")

/* name=1,2,3 into an array; how many there were into *count (which may be NULL). */
#define module_param_array(name, type, count, perm)                                                \
	module_param_array_typed(name, name, param_type_##type, param_ops_##type, #type, count, perm)
#define module_param_array_named(name, array, type, count, perm)                                   \
	module_param_array_typed(name, array, param_type_##type, param_ops_##type, #type, count, perm)
#define module_param_array_typed(name, array, c_type, operations, type_name, count_, perm)          \
	static inline __maybe_unused c_type *param_check_##name(void)                               \
	{                                                                                           \
		return &(array)[0];                                                                 \
	}                                                                                           \
	static struct kernel_param_array param_array_##name = { .max = ARRAY_SIZE(array),           \
								.element_size = sizeof((array)[0]), \
								.count = (count_),                  \
								.ops = &(operations),               \
								.elements = (array) };              \
	module_param_record(name, &param_ops_array, &param_array_##name, perm);                     \
	MODULE_INFO(parmtype, #name ":array of " type_name)

#define module_param_record(name_, ops_, arg_, perm_)                                              \
	static const struct kernel_param __used __section("__param") __aligned(sizeof(void *))     \
		param_##name_ = { .name = #name_, .ops = (ops_), .perm = (perm_), .arg = (arg_) }

#endif
