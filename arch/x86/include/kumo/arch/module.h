/* Relocations of x86-64 (arch/x86/module.c). Plain C: also part of the host build of the module parser. */
#ifndef KUMO_ARCH_MODULE_H
#define KUMO_ARCH_MODULE_H

#include <kumo/types.h>

/* Bytes that a relocation of `type` changes: 0 for one that does nothing, -1 for one that modules may not have. */
int arch_relocation_size(u32 type);
/* For messages: "R_X86_64_GOTPCREL"; NULL when unknown. */
const char *arch_relocation_name(u32 type);
/* Writes `value` (symbol + addend) to *place, whose address will be `address`. -ENOEXEC: it does not reach. */
int arch_relocate(u32 type, void *place, u64 address, u64 value) __must_check;

#endif
