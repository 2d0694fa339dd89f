/* The processor: what it can do, its control registers, and its set-up at start (arch/x86/cpu.c). */
#ifndef KUMO_ARCH_CPU_H
#define KUMO_ARCH_CPU_H

#define CR0_PE 0x1	  /* protected mode */
#define CR0_MP 0x2	  /* monitor coprocessor */
#define CR0_EM 0x4	  /* no x87 */
#define CR0_TS 0x8	  /* task switched: FPU instructions trap */
#define CR0_NE 0x20	  /* x87 errors as exceptions */
#define CR0_WP 0x10000	  /* write protection holds for the kernel, too */
#define CR0_AM 0x40000	  /* alignment checks where EFLAGS.AC asks for them */
#define CR0_NW 0x20000000 /* not write-through */
#define CR0_CD 0x40000000 /* caches off */
#define CR0_PG 0x80000000 /* paging */

#define CR4_TSD 0x4
#define CR4_DE 0x8
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define CR4_MCE 0x40
#define CR4_PGE 0x80
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define CR4_UMIP 0x800
#define CR4_FSGSBASE 0x10000
#define CR4_OSXSAVE 0x40000
#define CR4_SMEP 0x100000
#define CR4_SMAP 0x200000

#define EFLAGS_TF 0x100	  /* single step */
#define EFLAGS_IF 0x200	  /* interrupts on */
#define EFLAGS_DF 0x400	  /* string operations run down */
#define EFLAGS_NT 0x4000  /* nested task */
#define EFLAGS_RF 0x10000 /* resume */
#define EFLAGS_AC 0x40000 /* alignment check in user mode; user memory open in kernel mode */

#ifndef __ASSEMBLER__
#include <kumo/types.h>

/* The words of CPUID that are kept, and the features in them: word * 32 + bit. */
enum cpu_feature_word {
	CPUID_1_EDX,
	CPUID_1_ECX,
	CPUID_7_EBX,
	CPUID_7_ECX,
	CPUID_7_EDX,
	CPUID_D1_EAX,
	CPUID_80000001_EDX,
	CPUID_80000001_ECX,
	CPUID_80000007_EDX,
	CPUID_WORDS
};

enum cpu_feature {
	CPU_FPU = CPUID_1_EDX * 32 + 0,
	CPU_PSE = CPUID_1_EDX * 32 + 3,
	CPU_TSC = CPUID_1_EDX * 32 + 4,
	CPU_MSR = CPUID_1_EDX * 32 + 5,
	CPU_PAE = CPUID_1_EDX * 32 + 6,
	CPU_CX8 = CPUID_1_EDX * 32 + 8,
	CPU_APIC = CPUID_1_EDX * 32 + 9,
	CPU_PGE = CPUID_1_EDX * 32 + 13,
	CPU_CMOV = CPUID_1_EDX * 32 + 15,
	CPU_PAT = CPUID_1_EDX * 32 + 16,
	CPU_FXSR = CPUID_1_EDX * 32 + 24,
	CPU_SSE = CPUID_1_EDX * 32 + 25,
	CPU_SSE2 = CPUID_1_EDX * 32 + 26,
	CPU_X2APIC = CPUID_1_ECX * 32 + 21,
	CPU_TSC_DEADLINE = CPUID_1_ECX * 32 + 24,
	CPU_XSAVE = CPUID_1_ECX * 32 + 26,
	CPU_AVX = CPUID_1_ECX * 32 + 28,
	CPU_RDRAND = CPUID_1_ECX * 32 + 30,
	CPU_HYPERVISOR = CPUID_1_ECX * 32 + 31,
	CPU_FSGSBASE = CPUID_7_EBX * 32 + 0,
	CPU_SMEP = CPUID_7_EBX * 32 + 7,
	CPU_ERMS = CPUID_7_EBX * 32 + 9,
	CPU_RDSEED = CPUID_7_EBX * 32 + 18,
	CPU_SMAP = CPUID_7_EBX * 32 + 20,
	CPU_UMIP = CPUID_7_ECX * 32 + 2,
	CPU_RDPID = CPUID_7_ECX * 32 + 22,
	CPU_FSRM = CPUID_7_EDX * 32 + 4,
	CPU_XSAVEOPT = CPUID_D1_EAX * 32 + 0,
	CPU_XSAVEC = CPUID_D1_EAX * 32 + 1,
	CPU_XGETBV1 = CPUID_D1_EAX * 32 + 2,
	CPU_XSAVES = CPUID_D1_EAX * 32 + 3,
	CPU_SYSCALL = CPUID_80000001_EDX * 32 + 11,
	CPU_NX = CPUID_80000001_EDX * 32 + 20,
	CPU_GB_PAGES = CPUID_80000001_EDX * 32 + 26,
	CPU_RDTSCP = CPUID_80000001_EDX * 32 + 27,
	CPU_LONG_MODE = CPUID_80000001_EDX * 32 + 29,
	CPU_INVARIANT_TSC = CPUID_80000007_EDX * 32 + 8,
};

/* Of the boot CPU, read before anything else runs; the others are taken to be like it. */
extern u32 cpu_features[CPUID_WORDS];
/* User memory is shut off from the kernel unless EFLAGS.AC is set. */
extern bool cpu_smap;

static inline bool cpu_has(enum cpu_feature feature)
{
	return cpu_features[feature / 32] >> (feature % 32) & 1;
}

struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs regs;

	__asm__ volatile("cpuid"
			 : "=a"(regs.eax), "=b"(regs.ebx), "=c"(regs.ecx), "=d"(regs.edx)
			 : "a"(leaf), "c"(subleaf));
	return regs;
}

static inline unsigned long read_cr0(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value)::"memory");
	return value;
}

static inline void write_cr0(unsigned long value)
{
	__asm__ volatile("mov %0, %%cr0" ::"r"(value) : "memory");
}

static inline unsigned long read_cr2(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr2, %0" : "=r"(value)::"memory");
	return value;
}

static inline unsigned long read_cr3(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr3, %0" : "=r"(value)::"memory");
	return value;
}

static inline void write_cr3(unsigned long value)
{
	__asm__ volatile("mov %0, %%cr3" ::"r"(value) : "memory");
}

static inline unsigned long read_cr4(void)
{
	unsigned long value;

	__asm__ volatile("mov %%cr4, %0" : "=r"(value)::"memory");
	return value;
}

static inline void write_cr4(unsigned long value)
{
	__asm__ volatile("mov %0, %%cr4" ::"r"(value) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
	return (u64)high << 32 | low;
}

/* Drops this CPU's translation of one page / of all pages that are not global. */
static inline void tlb_invalidate_page(unsigned long address)
{
	__asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

static inline void tlb_invalidate_all(void)
{
	write_cr3(read_cr3());
}

/* One word from the CPU's random number generator; false when it has none or none is ready. */
bool cpu_random_u64(u64 *value);

/* The start of each CPU. cpu_identify: boot CPU, before anything else; stops the machine if it lacks what Kumo needs. */
void cpu_identify(void);
void cpu_init_control(void); /* control registers and EFER */
/* GDT, IDT, control registers, system calls, FPU and page table of the CPU that calls. */
void cpu_init(void);

/* Set up each CPU's `syscall` instruction (syscall_init.c), FPU (fpu.c), page attributes and page table (mm/setup.c). */
void syscall_init_cpu(void);
void fpu_init_cpu(void);
void memory_init_cpu(void);
#endif

#endif
