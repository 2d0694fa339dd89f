/*
 * Fault injection: allocations, user copies and answers of devices that fail because somebody wants to see what then happens.
 *
 * Each place that can fail asks fault_inject(kind). Two things make the answer yes: the running thread's own count, set
 * through /proc/thread-self/fail-nth, has come to its end; or the setting of the kind, from /sys/kernel/debug/fail, hits:
 * every Nth time, or by chance, as a sequence that a seed determines. docs/fault-injection.md describes both files.
 *
 * Called by the allocators in any context, so nothing here allocates or takes a lock.
 */
#ifdef CONFIG_DEBUG
#define LOG_PREFIX "fault injection: "
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/irq.h>
#include <kumo/kallsyms.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/report.h>
#include <kumo/stack_depot.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include "../fs/proc/internal.h"

#define FAIL_ALLOCATIONS (BIT(FAIL_SLAB) | BIT(FAIL_PAGE) | BIT(FAIL_AREA) | BIT(FAIL_PERCPU))
#define FAIL_ALL (BIT(FAIL_KINDS) - 1)

struct fault_setting {
	u64 every;   /* fails each time that `asked` is a multiple; 0: not so */
	u64 chance;  /* fails once in so many times, at random; 0: not so */
	u64 skip;    /* so many times not yet */
	long times;  /* so often, then no more; below 0: without end */
	bool marked; /* only threads that are marked */
	u64 seed;
};

struct fault_state {
	struct fault_setting setting; /* read without a lock: a change may be seen in part */
	bool on;
	u64 asked, random;
	u64 failed;	/* since the start, whatever made it fail */
	u32 last_stack; /* where it failed last */
};

static struct fault_state states[FAIL_KINDS];
static const char *const names[FAIL_KINDS] = { "slab", "page",	 "area", "percpu",
					       "user", "device", "disk" };

/* ---- The question ---- */

/* The next number of a sequence (splitmix64); CPUs that ask at once get different ones. */
static u64 next_random(struct fault_state *state)
{
	u64 number = __atomic_add_fetch(&state->random, 0x9e3779b97f4a7c15ULL, __ATOMIC_RELAXED);

	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9ULL;
	number = (number ^ number >> 27) * 0x94d049bb133111ebULL;
	return number ^ number >> 31;
}

static bool setting_hits(struct fault_state *state)
{
	const struct fault_setting *setting = &state->setting;
	u64 asked;

	if (setting->marked && (in_interrupt() || !current->faults.marked))
		return false;
	asked = __atomic_add_fetch(&state->asked, 1, __ATOMIC_RELAXED);
	if (asked <= setting->skip)
		return false;
	if (!(setting->every && !((asked - setting->skip) % setting->every)) &&
	    !(setting->chance && !(next_random(state) % setting->chance)))
		return false;
	if (setting->times < 0)
		return true;
	if (__atomic_fetch_sub(&state->setting.times, 1, __ATOMIC_RELAXED) > 0)
		return true;
	WRITE_ONCE(state->on, false);
	return false;
}

/* The thread's own count. */
static bool count_hits(enum fault_kind kind)
{
	struct fault_thread *own = &current->faults;

	return own->nth && own->kinds & BIT(kind) && !in_interrupt() && !--own->nth;
}

bool fault_inject(enum fault_kind kind)
{
	struct fault_state *state = &states[kind];

	if (unlikely(!current))
		return false;
	if (likely(!current->faults.nth && !READ_ONCE(state->on)))
		return false;
	if (report_running() || (!count_hits(kind) && !(READ_ONCE(state->on) && setting_hits(state))))
		return false;
	__atomic_fetch_add(&state->failed, 1, __ATOMIC_RELAXED);
	WRITE_ONCE(state->last_stack, stack_save());
	return true;
}
EXPORT_SYMBOL(fault_inject);

/* ---- Words ---- */

/* Takes the next word off *words into `word`; false at the end, or when it is too long. */
static bool word_next(const char **words, char *word, size_t size)
{
	const char *from = *words;
	size_t length = 0;

	while (*from == ' ' || *from == '\t')
		from++;
	while (from[length] && from[length] != ' ' && from[length] != '\t')
		length++;
	if (!length || length >= size)
		return false;
	memcpy(word, from, length);
	word[length] = '\0';
	*words = from + length;
	return true;
}

/* "slab", "slab,page", "alloc" (all allocations), "all": bits of enum fault_kind; 0: something else. */
static unsigned int kinds_parse(char *word)
{
	unsigned int kinds = 0;

	while (word) {
		char *comma = strchr(word, ',');
		unsigned int found = 0;

		if (comma)
			*comma++ = '\0';
		for (unsigned int kind = 0; kind < FAIL_KINDS; kind++)
			if (!strcmp(word, names[kind]))
				found = BIT(kind);
		if (!strcmp(word, "alloc"))
			found = FAIL_ALLOCATIONS;
		if (!strcmp(word, "all"))
			found = FAIL_ALL;
		if (!found)
			return 0;
		kinds |= found;
		word = comma;
	}
	return kinds;
}

/* "name=number" or "marked". */
static int setting_parse(const char *word, struct fault_setting *setting)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : 0;
	u64 value;
	int error;

	if (!strcmp(word, "marked")) {
		setting->marked = true;
		return 0;
	}
	if (!equals)
		return -EINVAL;
	error = parse_u64(equals + 1, 0, &value);
	if (error)
		return error;
	if (length == 5 && !strncmp(word, "every", 5))
		setting->every = value;
	else if (length == 6 && !strncmp(word, "chance", 6))
		setting->chance = value;
	else if (length == 4 && !strncmp(word, "skip", 4))
		setting->skip = value;
	else if (length == 5 && !strncmp(word, "times", 5))
		setting->times = (long)(value & ~0ULL >> 1);
	else if (length == 4 && !strncmp(word, "seed", 4))
		setting->seed = value;
	else
		return -EINVAL;
	return 0;
}

/* ---- /sys/kernel/debug/fail ---- */

static void show_state(struct text *text, unsigned int kind)
{
	const struct fault_state *state = &states[kind];
	const struct fault_setting *setting = &state->setting;
	unsigned long addresses[STACK_DEPTH];
	char symbol[KALLSYMS_TEXT_SIZE];
	unsigned int depth;

	text_puts(text, names[kind]);
	if (!READ_ONCE(state->on)) {
		text_puts(text, " off");
	} else {
		if (setting->every)
			text_printf(text, " every=%llu", (unsigned long long)setting->every);
		if (setting->chance)
			text_printf(text, " chance=%llu seed=%llu", (unsigned long long)setting->chance,
				    (unsigned long long)setting->seed);
		if (setting->skip)
			text_printf(text, " skip=%llu", (unsigned long long)setting->skip);
		if (setting->times >= 0)
			text_printf(text, " times=%ld", setting->times);
		if (setting->marked)
			text_puts(text, " marked");
	}
	text_printf(text, " failed %llu\n", (unsigned long long)state->failed);
	depth = state->failed ? stack_addresses(state->last_stack, addresses) : 0;
	for (unsigned int i = 0; i < depth; i++) {
		kallsyms_format(symbol, sizeof(symbol), addresses[i], true);
		text_printf(text, "  %s\n", symbol);
	}
}

static int settings_show(struct text *text, void *unused)
{
	for (unsigned int kind = 0; kind < FAIL_KINDS; kind++)
		show_state(text, kind);
	return 0;
}

static int settings_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	struct fault_setting setting = { .times = -1 };
	unsigned int kinds;
	bool off = false;
	char word[64];
	int error;

	if (!word_next(&words, word, sizeof(word)) || !(kinds = kinds_parse(word)))
		return -EINVAL;
	while (word_next(&words, word, sizeof(word))) {
		if (!strcmp(word, "off")) {
			off = true;
			continue;
		}
		error = setting_parse(word, &setting);
		if (error)
			return error;
	}
	if (*words || (!off && !setting.every && !setting.chance))
		return -EINVAL;
	for (unsigned int kind = 0; kind < FAIL_KINDS; kind++) {
		if (!(kinds & BIT(kind)))
			continue;
		WRITE_ONCE(states[kind].on, false);
		states[kind].setting = setting;
		states[kind].asked = 0;
		states[kind].random = setting.seed;
		smp_store_release(&states[kind].on, !off);
	}
	return 0;
}

/* ---- /proc/PID/fail-nth, /proc/PID/make-it-fail (fs/proc/process.c has them in its tables) ---- */

int fail_nth_show(struct text *text, void *object)
{
	struct thread *thread = object;
	unsigned int left = thread->faults.nth;

	thread->faults.nth = 0; /* before anything is allocated to say it */
	text_printf(text, "%u\n", left);
	return 0;
}

int fail_nth_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct thread *thread = object;
	unsigned int kinds = FAIL_ALLOCATIONS;
	char word[64];
	u64 nth;
	int error;

	if (!word_next(&words, word, sizeof(word)))
		return -EINVAL;
	error = parse_u64(word, 0, &nth);
	if (error)
		return error;
	if (word_next(&words, word, sizeof(word)))
		kinds = kinds_parse(word);
	if (*words || !kinds || nth > ~0U)
		return -EINVAL;
	thread->faults.kinds = kinds;
	thread->faults.nth = (unsigned int)nth;
	return 0;
}

int make_it_fail_show(struct text *text, void *object)
{
	text_printf(text, "%d\n", ((struct thread *)object)->faults.marked);
	return 0;
}

int make_it_fail_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return parse_bool(words, &((struct thread *)object)->faults.marked);
}

static const struct pseudo_file fail_file = PSEUDO_CONTROL("fail", 0600, settings_show, settings_store);

void __init fault_inject_init(void)
{
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, "kernel/debug");

	if (!directory || pseudo_file_add(directory, &fail_file, NULL))
		pr_err("no memory for /sys/kernel/debug/fail\n");
}
#endif
