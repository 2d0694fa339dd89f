/*
 * The kernel log. Records lie one behind another in a ring of bytes; a new one overwrites the oldest. Positions count bytes
 * since the start and never wrap, so a reader's cursor (number and position of its next record) tells by its number alone
 * whether the record is still there.
 *
 * printk() may be called in any context. The ring is protected by a lock that is taken with interrupts off and held for one
 * copy. What cannot wait for it - a non-maskable interrupt or a fault while this CPU holds it - leaves its text in one of a
 * few slots, and the holder logs it when it lets go.
 *
 * Consoles are written by whoever gets `console_busy`; who does not leaves, since the holder looks again after it has let
 * go. Readers in user space sleep in log_wait.
 *
 * Kernel parameters: loglevel=N (records below N reach the consoles; 7), quiet (4), debug (10), log_buf_len=SIZE (the
 * ring's size, a power of two; 128K).
 */
#include <kumo/arch/irqflags.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/percpu.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include "log.h"

#define LOG_RING_DEFAULT (128 * KIB)
#define LOG_RING_MAX (64 * MIB)
#define LOG_RECORD_SKIP 0xffff /* length of the mark that sends readers to the ring's start */

struct stored_record {
	u64 time_ns;
	u16 length;
	u8 level, facility;
	u32 unused;
	char text[];
};

static char default_ring[LOG_RING_DEFAULT] __aligned(8);

/* Protected by ring_lock. */
static struct {
	char *data;
	size_t size;
	struct log_cursor first, next; /* the oldest record; behind the newest */
} ring = { .data = default_ring, .size = LOG_RING_DEFAULT };

static u32 ring_lock;  /* number of the holding CPU + 1; 0: free */
static bool panicking; /* locks are no longer respected */

/* Records of those who found the lock held by their own CPU. */
enum { SLOT_FREE, SLOT_FILLING, SLOT_READY };
static struct {
	atomic_t state;
	unsigned int level;
	size_t length;
	char text[256];
} nested_slots[4];

struct wait_queue log_wait;
static bool wake_pending, show_pending;

int console_level = 7;
static atomic_t console_busy;
static struct list consoles = LIST_INIT(consoles); /* protected by console_busy */

/* False: this CPU holds the lock already. Interrupts off. Not a spinlock_t: the lock checker itself logs. */
static bool ring_lock_try(void)
{
	u32 mine = smp_processor_id() + 1, free = 0;
	unsigned int tries = 0;

	while (!__atomic_compare_exchange_n(&ring_lock, &free, mine, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		if (free == mine)
			return false;
		if (READ_ONCE(panicking) && ++tries > 1000000) {
			WRITE_ONCE(ring_lock, mine); /* its holder was stopped */
			return true;
		}
		free = 0;
		cpu_relax();
	}
	return true;
}

static void ring_unlock(void)
{
	smp_store_release(&ring_lock, 0);
}

static struct stored_record *record_at(u64 position)
{
	return (struct stored_record *)(ring.data + (position & (ring.size - 1)));
}

static size_t stored_size(size_t length)
{
	return ALIGN_UP(sizeof(struct stored_record) + length, 8);
}

/* Moves a cursor that stands at the unused end of the ring to its start. */
static void skip_end(struct log_cursor *cursor)
{
	size_t left = ring.size - (cursor->position & (ring.size - 1));

	if (cursor->sequence != ring.next.sequence &&
	    (left < sizeof(struct stored_record) ||
	     record_at(cursor->position)->length == LOG_RECORD_SKIP))
		cursor->position += left;
}

static void step(struct log_cursor *cursor)
{
	skip_end(cursor);
	cursor->position += stored_size(record_at(cursor->position)->length);
	cursor->sequence++;
}

static void ring_append(unsigned int facility, unsigned int level, u64 time_ns, const char *text,
			size_t length)
{
	size_t size = stored_size(length), left = ring.size - (ring.next.position & (ring.size - 1));
	size_t skipped = left < size ? left : 0;
	struct stored_record *record;

	while (ring.first.sequence != ring.next.sequence &&
	       ring.next.position + skipped + size - ring.first.position > ring.size)
		step(&ring.first);
	if (skipped) {
		if (left >= sizeof(*record))
			record_at(ring.next.position)->length = LOG_RECORD_SKIP;
		ring.next.position += skipped;
	}
	if (ring.first.sequence == ring.next.sequence)
		ring.first.position = ring.next.position;
	record = record_at(ring.next.position);
	record->time_ns = time_ns;
	record->length = (u16)length;
	record->level = (u8)level;
	record->facility = (u8)facility;
	memcpy(record->text, text, length);
	ring.next.position += size;
	ring.next.sequence++;
}

static void store_nested(unsigned int level, const char *text, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(nested_slots); i++) {
		int expected = SLOT_FREE;

		if (!atomic_try_cmpxchg(&nested_slots[i].state, &expected, SLOT_FILLING))
			continue;
		nested_slots[i].level = level;
		nested_slots[i].length = min(length, sizeof(nested_slots[i].text));
		memcpy(nested_slots[i].text, text, nested_slots[i].length);
		atomic_xchg(&nested_slots[i].state, SLOT_READY);
		return;
	}
}

static void append_nested(u64 time_ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(nested_slots); i++) {
		if (atomic_read(&nested_slots[i].state) != SLOT_READY)
			continue;
		smp_rmb(); /* pairs with the exchange in store_nested */
		ring_append(0, nested_slots[i].level, time_ns, nested_slots[i].text,
			    nested_slots[i].length);
		atomic_xchg(&nested_slots[i].state, SLOT_FREE);
	}
}

bool log_next(struct log_cursor *cursor, struct log_record *record, u64 *lost)
{
	unsigned long flags = local_irq_save();
	struct stored_record *stored;
	bool found = false;

	*lost = 0;
	if (!ring_lock_try()) {
		local_irq_restore(flags);
		return false;
	}
	if (cursor->sequence < ring.first.sequence) {
		*lost = ring.first.sequence - cursor->sequence;
		*cursor = ring.first;
	}
	if (cursor->sequence < ring.next.sequence) {
		skip_end(cursor);
		stored = record_at(cursor->position);
		record->sequence = cursor->sequence;
		record->time_ns = stored->time_ns;
		record->level = stored->level;
		record->facility = stored->facility;
		record->length = stored->length;
		memcpy(record->text, stored->text, stored->length);
		step(cursor);
		found = true;
	}
	ring_unlock();
	local_irq_restore(flags);
	return found;
}

bool log_ready(const struct log_cursor *cursor)
{
	return cursor->sequence < READ_ONCE(ring.next.sequence);
}

static void cursor_copy(struct log_cursor *to, const struct log_cursor *from)
{
	unsigned long flags = local_irq_save();
	bool locked = ring_lock_try();

	*to = *from;
	if (locked)
		ring_unlock();
	local_irq_restore(flags);
}

void log_oldest(struct log_cursor *cursor)
{
	cursor_copy(cursor, &ring.first);
}

void log_newest(struct log_cursor *cursor)
{
	cursor_copy(cursor, &ring.next);
}

size_t log_ring_size(void)
{
	return ring.size;
}

size_t log_format(const struct log_record *record, bool with_priority, char *text, size_t size)
{
	const char *line = record->text, *end = record->text + record->length;
	size_t length = 0;

	do {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		int line_length = (int)((newline ? newline : end) - line);
		char priority[8] = "";
		size_t part;

		if (with_priority)
			snprintf(priority, sizeof(priority), "<%u>",
				 record->facility << 3 | record->level);
		part = (size_t)snprintf(
			text + length, size - length, "%s[%5llu.%06llu] %.*s\n", priority,
			(unsigned long long)(record->time_ns / NSEC_PER_SEC),
			(unsigned long long)(record->time_ns % NSEC_PER_SEC / NSEC_PER_USEC),
			line_length, line);
		if (part >= size - length)
			break;
		length += part;
		line = newline ? newline + 1 : end;
	} while (line < end);
	return length;
}

/* Shows a console what it has not shown. Holder of console_busy; interrupts off. */
static void console_show(struct console *console)
{
	static struct log_record record;
	static char text[LOG_FORMATTED_MAX];
	u64 lost;

	while (log_next(&console->next, &record, &lost)) {
		size_t length;

		if (lost) {
			length = (size_t)scnprintf(text, sizeof(text), "** %llu log records lost **\n",
						   (unsigned long long)lost);
			console->write(console, text, length);
		}
		if (record.level >= (unsigned int)(console->level ? (int)console->level : console_level))
			continue;
		length = log_format(&record, false, text, sizeof(text));
		console->write(console, text, length);
		if (console->show)
			WRITE_ONCE(show_pending, true);
	}
	if (console->show && READ_ONCE(panicking))
		console->show(console, true);
}

static void consoles_flush(void)
{
	u64 shown;

	do {
		unsigned long flags = local_irq_save();
		struct console *console;

		if (atomic_xchg(&console_busy, 1) && !READ_ONCE(panicking)) {
			local_irq_restore(flags);
			return;
		}
		shown = READ_ONCE(ring.next.sequence);
		list_for_each(console, &consoles, link)
			console_show(console);
		atomic_xchg(&console_busy, 0);
		local_irq_restore(flags);
		/* Whoever found it busy meanwhile relied on this look. */
	} while (READ_ONCE(ring.next.sequence) != shown && !READ_ONCE(panicking));
}

static void consoles_make_seen(void)
{
	unsigned long flags = local_irq_save();
	struct console *console;
	bool busy = atomic_xchg(&console_busy, 1);

	if (!busy) {
		WRITE_ONCE(show_pending, false);
		list_for_each(console, &consoles, link)
			if (console->show)
				console->show(console, false);
		atomic_xchg(&console_busy, 0);
	}
	local_irq_restore(flags);
	if (!busy)
		consoles_flush(); /* whoever found it busy meanwhile relied on this */
}

void printk_wake_readers(void)
{
	if (READ_ONCE(wake_pending)) {
		WRITE_ONCE(wake_pending, false);
		wake_up_all(&log_wait);
	}
	if (READ_ONCE(show_pending))
		consoles_make_seen();
}

void log_store(unsigned int facility, unsigned int level, const char *text, size_t length)
{
	unsigned long flags = local_irq_save();
	bool can_wake = flags & X86_EFLAGS_INTERRUPT;

	while (length && text[length - 1] == '\n')
		length--;
	if (ring_lock_try()) {
		u64 now_ns = time_monotonic_ns();

		ring_append(facility, level, now_ns, text, length);
		append_nested(now_ns);
		ring_unlock();
	} else {
		store_nested(level, text, length);
		local_irq_restore(flags);
		return;
	}
	local_irq_restore(flags);
	consoles_flush();
	/* With interrupts off the caller may hold the very locks that a wake-up takes: printk_wake_readers() comes by later. */
	if (!list_empty(&log_wait.waiters))
		WRITE_ONCE(wake_pending, true);
	if (can_wake)
		printk_wake_readers();
}

void vprintk(enum log_level level, const char *format, va_list args)
{
	char text[LOG_TEXT_MAX];
	int length = vsnprintf(text, sizeof(text), format, args);

	log_store(0, level, text, min((size_t)length, sizeof(text) - 1));
}
EXPORT_SYMBOL(vprintk);

void printk(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintk(level, format, args);
	va_end(args);
}
EXPORT_SYMBOL(printk);

static void console_acquire(void)
{
	while (atomic_xchg(&console_busy, 1))
		cpu_relax();
}

void console_register(struct console *console)
{
	unsigned long flags = local_irq_save();

	console_acquire();
	if (console->takes_over)
		log_newest(&console->next);
	else
		log_oldest(&console->next);
	list_add_tail(&consoles, &console->link);
	atomic_xchg(&console_busy, 0);
	local_irq_restore(flags);
	consoles_flush();
}
EXPORT_SYMBOL(console_register);

void console_unregister(struct console *console)
{
	unsigned long flags = local_irq_save();

	console_acquire();
	list_del(&console->link);
	atomic_xchg(&console_busy, 0);
	local_irq_restore(flags);
}
EXPORT_SYMBOL(console_unregister);

bool console_name(unsigned int index, char name[16])
{
	unsigned long flags = local_irq_save();
	struct console *console;
	bool found = false;

	console_acquire();
	list_for_each(console, &consoles, link) {
		if (index--)
			continue;
		strscpy(name, console->name, 16);
		found = true;
		break;
	}
	atomic_xchg(&console_busy, 0);
	local_irq_restore(flags);
	return found;
}

void log_panic(void)
{
	WRITE_ONCE(panicking, true);
	console_level = 15;
}

void printk_init(void)
{
	wait_queue_init(&log_wait);
}

void printk_resize(void)
{
	const char *value = boot_param("log_buf_len"), *end;
	size_t size = LOG_RING_DEFAULT;
	unsigned long flags;
	char *data;
	u64 wanted;

	if (!value)
		return;
	wanted = parse_size(value, &end);
	while (size < wanted && size < LOG_RING_MAX)
		size *= 2;
	if (size == ring.size)
		return;
	data = vmalloc(size, GFP_KERNEL);
	if (!data) {
		pr_warn("log: no memory for log_buf_len=%s\n", value);
		return;
	}
	flags = local_irq_save();
	if (ring_lock_try()) {
		/* Positions keep their meaning as long as the small ring has not wrapped; else its records are lost. */
		if (ring.next.position > ring.size)
			ring.first = ring.next;
		memcpy(data, ring.data, ring.size);
		ring.data = data;
		ring.size = size;
		data = NULL;
		ring_unlock();
	}
	local_irq_restore(flags);
	vfree(data);
}

#define RATE_LIMIT_LINES 10
#define RATE_LIMIT_NS (5 * NSEC_PER_SEC)

bool rate_limit_pass(struct rate_limit *limit)
{
	u64 now = time_monotonic_ns(), since = READ_ONCE(limit->since_ns);

	/* Two that begin a period at once may say a line more. */
	if (!since || now - since > RATE_LIMIT_NS) {
		WRITE_ONCE(limit->since_ns, now);
		atomic_set(&limit->said, 0);
	}
	return atomic_inc_return(&limit->said) <= RATE_LIMIT_LINES;
}
EXPORT_SYMBOL(rate_limit_pass);
