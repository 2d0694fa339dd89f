/*
 * The sampling profiler: what each CPU is doing, asked at a steady rate.
 *
 *	# modprobe profile
 *	# echo start 997 > /sys/kernel/profile/ctl
 *	# sleep 1
 *	# echo stop > /sys/kernel/profile/ctl
 *	# cat /sys/kernel/profile/samples
 *
 * A timer on each CPU, which arms itself again, stores the call chains of what it interrupted, kernel and program, in this
 * CPU's buffer. A buffer is only added to, by its own CPU, until it is full; what comes then is counted as lost. So a reader
 * needs no lock: it sees `used` grow. Nothing is in the core but timers: without the module, or stopped, it costs nothing.
 *
 * Files in /sys/kernel/profile:
 *
 *	ctl       read: "running 997" (samples a second) or "stopped", then "samples N", "lost N"
 *	          write: "start N" (1 to 20000; what was sampled before is forgotten) or "stop"
 *	samples   a line for each sample, its words separated by tabs:
 *	          CPU  idle|user|kernel  PID  CODE  NAME  PROGRAM  KERNEL
 *
 * CODE is where the program's code begins, in hexadecimal; NAME the thread's. PROGRAM and KERNEL are call chains, the outermost
 * first, separated by ';': addresses in the program, symbols in the kernel ("symbol" or "symbol [module]"). What runs with
 * interrupts off is seen where it turns them on again.
 */
#define LOG_PREFIX "profile: "
#include <kumo/arch/ptrace.h>
#include <kumo/err.h>
#include <kumo/irq.h>
#include <kumo/kallsyms.h>
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/oops.h>
#include <kumo/percpu.h>
#include <kumo/pseudo.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/vm.h>

enum { CHAIN_MAX = 64, RATE_MAX = 20000, RUN_MAX = 0xffffff };

static unsigned int buffer_kib = 4096;
module_param(buffer_kib, uint, 0444);
MODULE_PARM_DESC(buffer_kib, "room for samples, of each CPU");

enum mode { MODE_IDLE, MODE_USER, MODE_KERNEL };

/* As it lies in a buffer: innermost first, the program's addresses behind the kernel's. */
struct sample {
	u8 mode, kernel_count, user_count;
	int pid;
	unsigned long code_start;
	char name[sizeof(((struct thread *)NULL)->name)];
	unsigned long addresses[];
};

struct sampler {
	struct timer timer;
	char *buffer;
	size_t used; /* written by its CPU alone, after what it tells of */
	unsigned long samples, lost;
	unsigned long addresses[2 * CHAIN_MAX]; /* of the sample that is being taken */
};

static struct mutex control_lock = MUTEX_INIT(control_lock, "profile"); /* starting, stopping, and reading */
static struct sampler *samplers;					/* per CPU */
static size_t buffer_size;
static unsigned int rate; /* samples a second; 0: stopped */
static u64 period_ns, start_ns;
static u32 run = 1; /* which; readers of an earlier one find its end */
static struct pseudo_directory *directory;

/* ---- Taking samples: in the timer's interrupt ---- */

static void sample_describe(struct sample *sample, struct sampler *sampler)
{
	const struct pt_regs *regs = interrupt_registers();
	struct thread *thread = current;
	bool in_user = regs_from_user(regs);
	unsigned long *end = sampler->addresses;

	*sample = (struct sample){
		.mode = in_user				   ? MODE_USER
			: thread->flags & THREAD_FLAG_IDLE ? MODE_IDLE
							   : MODE_KERNEL,
		.pid = thread->pid,
	};
	memcpy(sample->name, thread->name, sizeof(sample->name));
	if (!in_user)
		sample->kernel_count = (u8)arch_backtrace_save(regs, end, CHAIN_MAX);
	if (!thread->mm)
		return;
	sample->code_start = thread->mm->code_start;
	sample->user_count = (u8)arch_backtrace_user(in_user ? regs : thread_user_regs(thread),
						     end + sample->kernel_count, CHAIN_MAX);
}

static size_t sample_size(const struct sample *sample)
{
	return sizeof(*sample) +
	       (sample->kernel_count + sample->user_count) * sizeof(sample->addresses[0]);
}

static void sample_take(struct timer *timer)
{
	struct sampler *sampler = container_of(timer, struct sampler, timer);
	struct sample sample;
	size_t size;
	u64 now;

	sample_describe(&sample, sampler);
	size = sample_size(&sample);
	if (size > buffer_size - sampler->used) {
		sampler->lost++;
	} else {
		char *to = sampler->buffer + sampler->used;

		memcpy(to, &sample, sizeof(sample));
		memcpy(to + sizeof(sample), sampler->addresses, size - sizeof(sample));
		sampler->samples++;
		smp_store_release(&sampler->used, sampler->used + size); /* partner: samples_next() */
	}
	/* The next moment of the grid: a handler that comes late does not shift those after it. */
	now = time_monotonic_ns();
	timer_arm(timer, timer->expires_ns + ((now - timer->expires_ns) / period_ns + 1) * period_ns);
}

/* ---- Control ---- */

static void sampler_start(void *unused)
{
	struct sampler *sampler = this_cpu_ptr(samplers);

	timer_arm(&sampler->timer, start_ns);
}

static void stop(void)
{
	if (!rate)
		return;
	for_each_cpu(cpu)
		timer_cancel_sync(&per_cpu_ptr(samplers, cpu)->timer);
	rate = 0;
}

static void start(unsigned int samples_per_second)
{
	stop();
	for_each_cpu(cpu) {
		struct sampler *sampler = per_cpu_ptr(samplers, cpu);

		sampler->used = 0;
		sampler->samples = sampler->lost = 0;
	}
	run = run % RUN_MAX + 1;
	rate = samples_per_second;
	period_ns = NSEC_PER_SEC / rate;
	start_ns = time_monotonic_ns() + period_ns;
	for_each_cpu(cpu)
		smp_call(cpu, sampler_start, NULL);
}

static int control_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	bool wants_start = !strncmp(words, "start ", 6);
	u64 number = 0;
	int error = 0;

	if (wants_start)
		error = parse_u64(words + 6, 10, &number);
	else if (strcmp(words, "stop"))
		return -EINVAL;
	if (!error && wants_start && (!number || number > RATE_MAX))
		error = -ERANGE;
	if (!error)
		error = mutex_lock_killable(&control_lock);
	if (error)
		return error;
	if (wants_start)
		start((unsigned int)number);
	else
		stop();
	mutex_unlock(&control_lock);
	return 0;
}

static int control_show(struct text *text, void *object)
{
	unsigned long samples = 0, lost = 0;
	unsigned int now_rate = READ_ONCE(rate);

	for_each_cpu(cpu) {
		struct sampler *sampler = per_cpu_ptr(samplers, cpu);

		samples += READ_ONCE(sampler->samples);
		lost += READ_ONCE(sampler->lost);
	}
	if (now_rate)
		text_printf(text, "running %u\n", now_rate);
	else
		text_puts(text, "stopped\n");
	text_printf(text, "samples %lu\nlost %lu\n", samples, lost);
	return 0;
}

/* ---- Reading ---- */

static void show_chain(struct text *text, const unsigned long *addresses, unsigned int count, bool kernel)
{
	char symbol[KALLSYMS_TEXT_SIZE];

	text_putc(text, '\t');
	for (unsigned int i = count; i--;) {
		/* All but the innermost are return addresses: the call lies before. */
		unsigned long address = addresses[i] - (i > 0);

		if (kernel)
			kallsyms_format(symbol, sizeof(symbol), address, false);
		else
			scnprintf(symbol, sizeof(symbol), "0x%lx", address);
		text_puts(text, symbol);
		if (i)
			text_putc(text, ';');
	}
}

static void show_sample(struct text *text, unsigned int cpu, const struct sample *sample)
{
	static const char *const modes[] = { "idle", "user", "kernel" };

	text_printf(text, "%u\t%s\t%d\t0x%lx\t", cpu, modes[sample->mode], sample->pid,
		    sample->code_start);
	text_puts_escaped(text, sample->name, "\\\t\n;");
	show_chain(text, sample->addresses + sample->kernel_count, sample->user_count, false);
	show_chain(text, sample->addresses, sample->kernel_count, true);
	text_putc(text, '\n');
}

/* The cursor, from the top: 24 bits for the run, 8 for the CPU, 32 for the place in that CPU's buffer. */
static int samples_next(struct text *text, void *object, u64 *cursor)
{
	unsigned int cpu = (u8)(*cursor >> 32);
	size_t at = (u32)*cursor;
	int error, left = 256; /* lines at a time */

	error = mutex_lock_killable(&control_lock);
	if (error)
		return error;
	if (*cursor && *cursor >> 40 != run)
		cpu = num_online_cpus();
	while (left && cpu < num_online_cpus()) {
		struct sampler *sampler = per_cpu_ptr(samplers, cpu);
		const struct sample *sample = (const struct sample *)(sampler->buffer + at);

		if (at >= smp_load_acquire(&sampler->used)) {
			cpu++;
			at = 0;
			continue;
		}
		show_sample(text, cpu, sample);
		at += sample_size(sample);
		left--;
	}
	*cursor = (u64)run << 40 | (u64)cpu << 32 | at;
	mutex_unlock(&control_lock);
	return left == 0;
}

static const struct pseudo_file files[] = {
	PSEUDO_CONTROL("ctl", 0600, control_show, control_store),
	PSEUDO_RECORDS("samples", 0400, samples_next),
	{},
};

/* ---- The module ---- */

static void samplers_free(void)
{
	for_each_cpu(cpu)
		vfree(per_cpu_ptr(samplers, cpu)->buffer);
	free_percpu(samplers);
}

static int __init samplers_alloc(void)
{
	bool failed = false;

	samplers = alloc_percpu(sizeof(*samplers), __alignof__(struct sampler));
	if (!samplers)
		return -ENOMEM;
	for_each_cpu(cpu) {
		struct sampler *sampler = per_cpu_ptr(samplers, cpu);

		timer_init(&sampler->timer, sample_take);
		sampler->buffer = vmalloc(buffer_size, GFP_KERNEL);
		failed |= !sampler->buffer;
	}
	if (failed)
		samplers_free();
	return failed ? -ENOMEM : 0;
}

static int __init profile_init(void)
{
	struct pseudo_directory *parent = pseudo_directory_path(sys_tree, "kernel");
	int error;

	if (!buffer_kib || buffer_kib > 1 << 20) /* a cursor has 32 bits for a place */
		return -ERANGE;
	if (!parent)
		return -ENOMEM;
	buffer_size = (size_t)buffer_kib << 10;
	error = samplers_alloc();
	if (error)
		return error;
	directory = pseudo_directory_add(sys_tree, parent, "profile", files, NULL);
	if (IS_ERR(directory)) {
		samplers_free();
		return PTR_ERR(directory);
	}
	return 0;
}

static void __exit profile_exit(void)
{
	pseudo_directory_remove(directory);
	stop();
	samplers_free();
}

module_init(profile_init);
module_exit(profile_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("samples what each CPU is doing");
