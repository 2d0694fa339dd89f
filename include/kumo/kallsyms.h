/*
 * Symbols of the kernel and of loaded modules by address, and the other way round (kernel/kallsyms.c; the kernel's table is
 * put in by scripts/kallsyms when it is linked).
 */
#ifndef KUMO_KALLSYMS_H
#define KUMO_KALLSYMS_H

#include <kumo/types.h>

#define KALLSYMS_NAME_SIZE 128 /* longer names are cut */
#define KALLSYMS_TEXT_SIZE (KALLSYMS_NAME_SIZE + 100)

struct symbol_info {
	char name[KALLSYMS_NAME_SIZE];
	char module[56]; /* "" for the kernel's own */
	unsigned long offset, size;
};

/* What `address` lies in. Any context; takes no locks. */
bool kallsyms_lookup(unsigned long address, struct symbol_info *info);
/* "symbol+0x12/0x34 [module]", or "symbol [module]"; the bare address when there is no symbol. The length. */
size_t kallsyms_format(char *text, size_t size, unsigned long address, bool with_offset);
/* The address of `name`, or of "module:name"; 0: none. Sleeps not. */
unsigned long kallsyms_address(const char *name);
bool is_kernel_text(unsigned long address); /* of the kernel itself or a module */

/* The i-th symbol of the kernel's own table, for /proc/kallsyms; false at the end. */
size_t kallsyms_count_kernel(void);
bool kallsyms_entry(size_t i, unsigned long *address, char *type, const char **name);

#endif
