/*
 * The processor: which one it is, whether it has what Kumo needs, and the control registers of each.
 */
#define LOG_PREFIX "cpu: "
#include "boot/boot.h"
#include <kumo/arch/smp.h>
#include <kumo/arch/cpu.h>
#include <kumo/arch/gdt.h>
#include <kumo/arch/irqflags.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/traps.h>
#include <kumo/arch/tsc.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/string.h>

u32 cpu_features[CPUID_WORDS];
EXPORT_SYMBOL(cpu_features);
bool cpu_smap;

/* What describes the CPU to people; of the boot CPU. */
static char vendor[13], model_name[49];
static unsigned int family, model, stepping;
static unsigned int physical_bits = 36, virtual_bits = 48;

static const struct {
	enum cpu_feature feature;
	const char *lack;
} required[] __initconst = {
	{ CPU_FPU, "this CPU lacks an FPU" },
	{ CPU_TSC, "this CPU lacks a time stamp counter (TSC)" },
	{ CPU_MSR, "this CPU lacks model-specific registers (MSR)" },
	{ CPU_CX8, "this CPU lacks cmpxchg8b (CX8)" },
	{ CPU_APIC, "this CPU lacks a local APIC" },
	{ CPU_PGE, "this CPU lacks global pages (PGE)" },
	{ CPU_CMOV, "this CPU lacks conditional moves (CMOV)" },
	{ CPU_FXSR, "this CPU lacks fxsave (FXSR)" },
	{ CPU_SSE2, "this CPU lacks SSE2" },
	{ CPU_SYSCALL, "this CPU lacks the syscall instruction" },
	{ CPU_NX, "this CPU lacks no-execute pages (NX), or the firmware has switched them off" },
};

/* Family and model as Intel and AMD extend them (CPUID leaf 1). */
static void __init decode_signature(u32 signature)
{
	stepping = signature & 15;
	model = signature >> 4 & 15;
	family = signature >> 8 & 15;
	if (family == 6 || family == 15)
		model |= (signature >> 16 & 15) << 4;
	if (family == 15)
		family += signature >> 20 & 0xff;
}

void __init cpu_identify(void)
{
	struct cpuid_regs regs = cpuid(0, 0);
	u32 last = regs.eax, last_extended;

	memcpy(vendor, &regs.ebx, 4);
	memcpy(vendor + 4, &regs.edx, 4);
	memcpy(vendor + 8, &regs.ecx, 4);
	regs = cpuid(1, 0);
	decode_signature(regs.eax);
	cpu_features[CPUID_1_EDX] = regs.edx;
	cpu_features[CPUID_1_ECX] = regs.ecx;
	if (last >= 7) {
		regs = cpuid(7, 0);
		cpu_features[CPUID_7_EBX] = regs.ebx;
		cpu_features[CPUID_7_ECX] = regs.ecx;
		cpu_features[CPUID_7_EDX] = regs.edx;
	}
	if (last >= 0xd)
		cpu_features[CPUID_D1_EAX] = cpuid(0xd, 1).eax;

	last_extended = cpuid(0x80000000, 0).eax;
	regs = cpuid(0x80000001, 0);
	cpu_features[CPUID_80000001_EDX] = regs.edx;
	cpu_features[CPUID_80000001_ECX] = regs.ecx;
	for (u32 i = 0; last_extended >= 0x80000004 && i < 3; i++) {
		regs = cpuid(0x80000002 + i, 0);
		memcpy(model_name + i * sizeof(regs), &regs, sizeof(regs));
	}
	if (last_extended >= 0x80000007)
		cpu_features[CPUID_80000007_EDX] = cpuid(0x80000007, 0).edx;
	if (last_extended >= 0x80000008) {
		regs = cpuid(0x80000008, 0);
		physical_bits = regs.eax & 0xff;
		virtual_bits = regs.eax >> 8 & 0xff;
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(required); i++)
		if (!cpu_has(required[i].feature))
			boot_stop(required[i].lack);
	cpu_smap = cpu_has(CPU_SMAP);
}

void cpu_init_control(void)
{
	unsigned long cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (cpu_has(CPU_UMIP))
		cr4 |= CR4_UMIP;
	if (cpu_has(CPU_FSGSBASE))
		cr4 |= CR4_FSGSBASE;
	if (cpu_has(CPU_XSAVE))
		cr4 |= CR4_OSXSAVE;
	if (cpu_has(CPU_SMEP))
		cr4 |= CR4_SMEP;
	if (cpu_has(CPU_SMAP))
		cr4 |= CR4_SMAP;
	write_cr4(cr4);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	if (cpu_has(CPU_RDTSCP) || cpu_has(CPU_RDPID))
		wrmsr(MSR_TSC_AUX, smp_processor_id());
}

void cpu_init(void)
{
	gdt_init_cpu();
	idt_init_cpu();
	cpu_init_control();
	syscall_init_cpu();
	fpu_init_cpu();
	memory_init_cpu();
}

bool cpu_random_u64(u64 *value)
{
	/* The generator may need a moment; ten attempts are what Intel advises. */
	for (int i = 0; cpu_has(CPU_RDRAND) && i < 10; i++) {
		bool good;

		__asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(good));
		if (good)
			return true;
	}
	return false;
}

/* Linux's names, in the order of the bits. */
static const struct {
	u16 feature;
	char name[14];
} feature_names[] = {
	{ CPUID_1_EDX * 32 + 0, "fpu" },
	{ CPUID_1_EDX * 32 + 1, "vme" },
	{ CPUID_1_EDX * 32 + 2, "de" },
	{ CPUID_1_EDX * 32 + 3, "pse" },
	{ CPUID_1_EDX * 32 + 4, "tsc" },
	{ CPUID_1_EDX * 32 + 5, "msr" },
	{ CPUID_1_EDX * 32 + 6, "pae" },
	{ CPUID_1_EDX * 32 + 7, "mce" },
	{ CPUID_1_EDX * 32 + 8, "cx8" },
	{ CPUID_1_EDX * 32 + 9, "apic" },
	{ CPUID_1_EDX * 32 + 11, "sep" },
	{ CPUID_1_EDX * 32 + 12, "mtrr" },
	{ CPUID_1_EDX * 32 + 13, "pge" },
	{ CPUID_1_EDX * 32 + 14, "mca" },
	{ CPUID_1_EDX * 32 + 15, "cmov" },
	{ CPUID_1_EDX * 32 + 16, "pat" },
	{ CPUID_1_EDX * 32 + 17, "pse36" },
	{ CPUID_1_EDX * 32 + 19, "clflush" },
	{ CPUID_1_EDX * 32 + 23, "mmx" },
	{ CPUID_1_EDX * 32 + 24, "fxsr" },
	{ CPUID_1_EDX * 32 + 25, "sse" },
	{ CPUID_1_EDX * 32 + 26, "sse2" },
	{ CPUID_80000001_EDX * 32 + 11, "syscall" },
	{ CPUID_80000001_EDX * 32 + 20, "nx" },
	{ CPUID_80000001_EDX * 32 + 26, "pdpe1gb" },
	{ CPUID_80000001_EDX * 32 + 27, "rdtscp" },
	{ CPUID_80000001_EDX * 32 + 29, "lm" },
	{ CPUID_80000007_EDX * 32 + 8, "nonstop_tsc" },
	{ CPUID_1_ECX * 32 + 0, "pni" },
	{ CPUID_1_ECX * 32 + 1, "pclmulqdq" },
	{ CPUID_1_ECX * 32 + 9, "ssse3" },
	{ CPUID_1_ECX * 32 + 12, "fma" },
	{ CPUID_1_ECX * 32 + 13, "cx16" },
	{ CPUID_1_ECX * 32 + 19, "sse4_1" },
	{ CPUID_1_ECX * 32 + 20, "sse4_2" },
	{ CPUID_1_ECX * 32 + 21, "x2apic" },
	{ CPUID_1_ECX * 32 + 22, "movbe" },
	{ CPUID_1_ECX * 32 + 23, "popcnt" },
	{ CPUID_1_ECX * 32 + 25, "aes" },
	{ CPUID_1_ECX * 32 + 26, "xsave" },
	{ CPUID_1_ECX * 32 + 28, "avx" },
	{ CPUID_1_ECX * 32 + 29, "f16c" },
	{ CPUID_1_ECX * 32 + 30, "rdrand" },
	{ CPUID_1_ECX * 32 + 31, "hypervisor" },
	{ CPUID_80000001_ECX * 32 + 0, "lahf_lm" },
	{ CPUID_80000001_ECX * 32 + 5, "abm" },
	{ CPUID_7_EBX * 32 + 0, "fsgsbase" },
	{ CPUID_7_EBX * 32 + 3, "bmi1" },
	{ CPUID_7_EBX * 32 + 5, "avx2" },
	{ CPUID_7_EBX * 32 + 7, "smep" },
	{ CPUID_7_EBX * 32 + 8, "bmi2" },
	{ CPUID_7_EBX * 32 + 9, "erms" },
	{ CPUID_7_EBX * 32 + 18, "rdseed" },
	{ CPUID_7_EBX * 32 + 19, "adx" },
	{ CPUID_7_EBX * 32 + 20, "smap" },
	{ CPUID_7_EBX * 32 + 23, "clflushopt" },
	{ CPUID_7_EBX * 32 + 24, "clwb" },
	{ CPUID_D1_EAX * 32 + 0, "xsaveopt" },
	{ CPUID_D1_EAX * 32 + 1, "xsavec" },
	{ CPUID_D1_EAX * 32 + 2, "xgetbv1" },
	{ CPUID_7_ECX * 32 + 2, "umip" },
	{ CPUID_7_ECX * 32 + 22, "rdpid" },
	{ CPUID_7_EDX * 32 + 4, "fsrm" },
};

size_t arch_describe_cpu(unsigned int cpu, char *to, size_t size)
{
	u64 khz = tsc_hz / 1000;
	size_t at;

	at = scnprintf(
		to, size,
		"processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n"
		"stepping\t: %u\ncpu MHz\t\t: %llu.%03llu\nphysical id\t: 0\nsiblings\t: %u\ncore id\t\t: %u\n"
		"cpu cores\t: %u\napicid\t\t: %u\nfpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:",
		cpu, vendor, family, model, model_name, stepping, (unsigned long long)khz / 1000,
		(unsigned long long)khz % 1000, num_online_cpus(), cpu, num_online_cpus(),
		cpu_apic_id[cpu]);
	for (unsigned int i = 0; i < ARRAY_SIZE(feature_names); i++)
		if (cpu_has(feature_names[i].feature))
			at += scnprintf(to + at, size - at, " %s", feature_names[i].name);
	at += scnprintf(to + at, size - at,
			"\nbogomips\t: %llu.%02llu\nclflush size\t: 64\ncache_alignment\t: 64\n"
			"address sizes\t: %u bits physical, %u bits virtual\n\n",
			(unsigned long long)khz / 500, (unsigned long long)khz / 5 % 100,
			physical_bits, virtual_bits);
	return at;
}
