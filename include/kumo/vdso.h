/*
 * The vDSO: a small shared object in every program's address space, through which it reads the clocks without a system
 * call (arch/x86/vdso/ is its code, arch/x86/vdso_map.c maps it).
 */
#ifndef KUMO_VDSO_H
#define KUMO_VDSO_H

#include <kumo/types.h>

struct mm;

/* Maps it, read-only, into a new address space and sets mm->vdso for AT_SYSINFO_EHDR. -ENOMEM. */
int vdso_map(struct mm *mm) __must_check;
/* The date changed. Serialised by the caller. */
void vdso_update(u64 realtime_offset_ns);

#endif
