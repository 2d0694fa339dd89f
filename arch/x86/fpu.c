/*
 * The x87, SSE and AVX registers of user programs.
 *
 * While a user thread runs, WORK_FPU_LOAD in its `work` is clear exactly when the registers hold its state. Its save area is out
 * of date then; for any other thread, and while the flag is set, the save area is the truth.
 *
 * A switch away from a thread whose state is in the registers saves it. The registers go on holding a copy, and `fpu_owner` says
 * whose: if that thread comes back to this CPU before another loads the registers, nothing needs loading. thread->arch.fpu_cpu is
 * the CPU that loaded the thread's state last; it tells that a copy left behind on another CPU is an old one, and is NO_CPU
 * after the save area was changed by hand.
 *
 * The area is in the standard format of xsave (or fxsave, where that is all there is), which is also what signal frames hold.
 * The kernel is built without FPU instructions, and interrupts never switch threads in kernel mode, so between two points where
 * it may sleep a thread's registers stay as they are.
 */
#define LOG_PREFIX "fpu: "
#include <kumo/arch/cpu.h>
#include <kumo/arch/fpu.h>
#include <kumo/arch/msr.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

#include <asm/sigcontext.h> /* defines __always_inline unless types.h has */

#define NO_CPU (~0U)

#define FEATURE_X87 BIT(0)
#define FEATURE_SSE BIT(1)
#define FEATURE_AVX BIT(2)
#define FEATURES_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define MXCSR_DEFAULT 0x1f80
#define MXCSR_MASK_DEFAULT 0xffbf /* where fxsave reports a mask of 0 */
#define X87_CONTROL_DEFAULT 0x37f

/* The legacy area of 512 bytes and the header behind it (Intel SDM volume 1, 13.4). */
struct fpu_area {
	u16 control, status;
	u8 tags, reserved0;
	u16 opcode;
	u64 instruction, operand;
	u32 mxcsr, mxcsr_mask;
	u8 registers[416 - 32];
	u8 reserved1[48];
	struct _fpx_sw_bytes software; /* in signal frames */
	u64 features;		       /* parts that are not in their initial state */
	u64 compaction;
	u64 reserved2[6];
} __aligned(64);

_Static_assert(offsetof(struct fpu_area, software) == 464 && offsetof(struct fpu_area, features) == 512,
	       "xsave layout");

#define LEGACY_SIZE 512UL
#define HEADER_SIZE 64UL

static struct slab_cache *fpu_cache;
static u64 fpu_features;			    /* saved and restored; 0: only fxsave */
static size_t fpu_size = LEGACY_SIZE + HEADER_SIZE; /* of the save area */
static u32 mxcsr_mask = MXCSR_MASK_DEFAULT;
static bool has_xsaveopt;
unsigned long fpu_hwcap2;

static DEFINE_PER_CPU(struct thread *, fpu_owner);

static inline void save_registers(struct fpu_area *area)
{
	u32 low = (u32)fpu_features, high = (u32)(fpu_features >> 32);

	if (likely(has_xsaveopt))
		__asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(low), "d"(high) : "memory");
	else if (fpu_features)
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

/* All parts, even those in their initial state: for an area that xsaveopt has not filled before. */
static inline void save_registers_whole(struct fpu_area *area)
{
	if (fpu_features)
		__asm__ volatile("xsave64 (%0)" ::"r"(area), "a"((u32)fpu_features),
				 "d"((u32)(fpu_features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

static inline void load_registers(const struct fpu_area *area)
{
	if (likely(fpu_features))
		__asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"((u32)fpu_features),
				 "d"((u32)(fpu_features >> 32))
				 : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

static void initial_state(struct fpu_area *area)
{
	memset(area, 0, fpu_size);
	area->control = X87_CONTROL_DEFAULT;
	area->mxcsr = MXCSR_DEFAULT;
}

static bool state_in_registers(struct thread *thread)
{
	return thread->arch.fpu && !(READ_ONCE(thread->work) & WORK_FPU_LOAD);
}

/* The save area was written; the registers are out of date. */
static void area_changed(struct thread *thread)
{
	thread->arch.fpu_cpu = NO_CPU;
	__atomic_fetch_or(&thread->work, WORK_FPU_LOAD, __ATOMIC_RELAXED);
}

void fpu_switch_out(struct thread *thread)
{
	if (state_in_registers(thread))
		save_registers(thread->arch.fpu);
}

void fpu_switch_in(struct thread *thread)
{
	if (this_cpu_read(fpu_owner) != thread || thread->arch.fpu_cpu != smp_processor_id())
		__atomic_fetch_or(&thread->work, WORK_FPU_LOAD, __ATOMIC_RELAXED);
}

static __noinline struct fpu_area *make_own_area(void)
{
	struct fpu_area *area = slab_alloc(fpu_cache, GFP_KERNEL);

	if (!area)
		return NULL;
	initial_state(area);
	current->arch.fpu = area;
	area_changed(current);
	return area;
}

/* The current thread's area, made at need; NULL: no memory. */
static inline struct fpu_area *own_area(void)
{
	struct fpu_area *area = current->arch.fpu;

	return likely(area) ? area : make_own_area();
}

void fpu_load(void)
{
	struct thread *thread = current;
	struct fpu_area *area = own_area();

	__atomic_fetch_and(&thread->work, ~WORK_FPU_LOAD, __ATOMIC_RELAXED);
	if (!area) {
		/* Out of memory, and it cannot run without: as if the system had chosen it to die. */
		signal_send_thread(thread, SIGKILL, NULL);
		return;
	}
	load_registers(area);
	this_cpu_write(fpu_owner, thread);
	thread->arch.fpu_cpu = smp_processor_id();
}

int fpu_fork(struct thread *child)
{
	struct thread *parent = current;
	struct fpu_area *area;

	child->arch.fpu = NULL;
	child->arch.fpu_cpu = NO_CPU;
	__atomic_fetch_or(&child->work, WORK_FPU_LOAD, __ATOMIC_RELAXED);
	if (!parent->arch.fpu)
		return 0;
	area = slab_alloc(fpu_cache, GFP_KERNEL);
	if (!area)
		return -ENOMEM;
	if (state_in_registers(parent)) {
		memset(area, 0, fpu_size);
		save_registers_whole(area);
	} else {
		memcpy(area, parent->arch.fpu, fpu_size);
	}
	child->arch.fpu = area;
	return 0;
}

void fpu_reset(void)
{
	struct thread *thread = current;

	if (thread->arch.fpu)
		initial_state(thread->arch.fpu);
	area_changed(thread);
}

void fpu_reset_for_handler(void)
{
	struct fpu_area *area = current->arch.fpu;

	if (area && fpu_features) {
		area->features = 0; /* xrstor makes each part initial by itself, but takes mxcsr from here */
		area->mxcsr = MXCSR_DEFAULT;
		area_changed(current);
	} else {
		fpu_reset();
	}
}

void fpu_free(struct thread *thread)
{
	if (thread->arch.fpu)
		slab_free(fpu_cache, thread->arch.fpu);
	thread->arch.fpu = NULL;
}

/* ---- Signal frames ---- */

size_t fpu_frame_size(void)
{
	return fpu_features ? fpu_size + FP_XSTATE_MAGIC2_SIZE : LEGACY_SIZE;
}

int fpu_save_to_user(void __user *buffer)
{
	struct fpu_area *area = own_area();

	if (!area)
		return -ENOMEM;
	if (state_in_registers(current))
		save_registers(area);
	if (!fpu_features)
		return copy_to_user(buffer, area, LEGACY_SIZE) ? -EFAULT : 0;

	/* A part in its initial state may be saved as a missing bit alone; x87 and SSE are shown to old programs whole. */
	if (!(area->features & FEATURE_X87)) {
		memset(area, 0, offsetof(struct fpu_area, mxcsr));
		memset(area->registers, 0, 128);
		area->control = X87_CONTROL_DEFAULT;
	}
	if (!(area->features & FEATURE_SSE)) {
		memset(area->registers + 128, 0, 256);
		area->mxcsr = MXCSR_DEFAULT;
	}
	area->features |= FEATURE_X87 | FEATURE_SSE;
	area->software = (struct _fpx_sw_bytes){
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = fpu_size + FP_XSTATE_MAGIC2_SIZE,
		.xfeatures = fpu_features,
		.xstate_size = fpu_size,
	};
	if (copy_to_user(buffer, area, fpu_size) ||
	    put_user((u32)FP_XSTATE_MAGIC2, (u32 __user *)((char __user *)buffer + fpu_size)))
		return -EFAULT;
	return 0;
}

/* Is there an extended state behind the legacy area at `buffer`, as fpu_save_to_user() would leave it? Its features. */
static u64 extended_features(const struct fpu_area *legacy, const char __user *buffer)
{
	const struct _fpx_sw_bytes *software = &legacy->software;
	u32 magic;

	if (!fpu_features || software->magic1 != FP_XSTATE_MAGIC1 ||
	    software->xstate_size < LEGACY_SIZE + HEADER_SIZE || software->xstate_size > fpu_size ||
	    software->xstate_size > software->extended_size)
		return 0;
	if (get_user(magic, (const u32 __user *)(buffer + software->xstate_size)) ||
	    magic != FP_XSTATE_MAGIC2)
		return 0;
	return software->xfeatures & fpu_features;
}

int fpu_restore_from_user(const void __user *buffer)
{
	struct fpu_area *area = own_area();
	u64 features;
	size_t size;

	if (!area)
		return -ENOMEM;
	/* From here on the area is being changed; whatever happens it ends as something that can be loaded. */
	area_changed(current);
	if (!buffer) {
		initial_state(area);
		return 0;
	}
	if (copy_from_user(area, buffer, LEGACY_SIZE))
		goto fault;
	features = extended_features(area, buffer);
	if (features) {
		size = area->software.xstate_size;
		if (copy_from_user((char *)area + LEGACY_SIZE,
				   (const char __user *)buffer + LEGACY_SIZE, size - LEGACY_SIZE))
			goto fault;
		if (size < fpu_size)
			memset((char *)area + size, 0, fpu_size - size);
		area->features &= features;
	} else {
		memset((char *)area + LEGACY_SIZE, 0, fpu_size - LEGACY_SIZE);
		area->features = FEATURE_X87 | FEATURE_SSE;
	}
	/* xrstor faults on any of these. */
	area->mxcsr &= mxcsr_mask;
	area->compaction = 0;
	memset(area->reserved2, 0, sizeof(area->reserved2));
	return 0;

fault:
	initial_state(area);
	return -EFAULT;
}

/* ---- Start ---- */

static void find_out(void)
{
	static struct fpu_area probe;

	if (cpu_has(CPU_XSAVE)) {
		struct cpuid_regs supported = cpuid(0xd, 0);

		fpu_features = supported.eax & (FEATURE_X87 | FEATURE_SSE | FEATURE_AVX);
		if ((fpu_features & FEATURE_AVX) && (supported.eax & FEATURES_AVX512) == FEATURES_AVX512)
			fpu_features |= FEATURES_AVX512;
		has_xsaveopt = cpu_has(CPU_XSAVEOPT);
	}
	__asm__ volatile("fninit; fxsave64 %0" : "=m"(probe)::"memory");
	if (probe.mxcsr_mask)
		mxcsr_mask = probe.mxcsr_mask;
	if (cpu_has(CPU_FSGSBASE))
		fpu_hwcap2 |= 2; /* HWCAP2_FSGSBASE */
}

void fpu_init_cpu(void)
{
	unsigned long cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;
	bool first = smp_processor_id() == 0;

	if (cpu_has(CPU_XSAVE))
		cr4 |= CR4_OSXSAVE;
	if (cpu_has(CPU_FSGSBASE))
		cr4 |= CR4_FSGSBASE;
	write_cr4(cr4);
	write_cr0((read_cr0() & ~(unsigned long)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	if (first)
		find_out();
	if (fpu_features) {
		__asm__ volatile("xsetbv" ::"c"(0), "a"((u32)fpu_features),
				 "d"((u32)(fpu_features >> 32)));
		if (first)
			fpu_size = cpuid(0xd, 0).ebx;
	}
	if (cpu_has(CPU_RDTSCP) || cpu_has(CPU_RDPID))
		wrmsr(MSR_TSC_AUX, smp_processor_id());
}

void fpu_init(void)
{
	fpu_cache = slab_cache_create("fpu", fpu_size, 64, 0);
	if (!fpu_cache)
		panic("no memory for the cache of FPU states");
}
