/* What the machine tells a program in its auxiliary vector. */
#ifndef KUMO_ARCH_ELF_H
#define KUMO_ARCH_ELF_H

#include <kumo/arch/cpu.h>
#include <kumo/arch/fpu.h>

#define ARCH_PLATFORM "x86_64" /* AT_PLATFORM */

static inline unsigned long arch_hwcap(void)
{
	return cpu_features[CPUID_1_EDX];
}

static inline unsigned long arch_hwcap2(void)
{
	return fpu_hwcap2;
}

size_t arch_signal_frame_size(void); /* AT_MINSIGSTKSZ: the most that a signal frame takes of the stack (signal.c) */

#endif
