/*
 * Random bytes.
 *
 * The pool is a key of 32 bytes. Entropy is mixed into it by a hash made of the same cipher: the new key is ChaCha20's block
 * under the old key, combined with what is added. The generator of each CPU takes a key from the pool whenever the
 * pool has changed, and otherwise runs by itself: each request makes a block under the CPU's key, the first half of which becomes the
 * next key at once, so what was given out can't be worked out from the state that is left (fast key erasure).
 *
 * The pool is ready when 256 bits were counted: from RDRAND in the first moment where the CPU has it, else from virtio-rng and
 * the times of interrupts.
 */
#include <kumo/arch/cpu.h>
#include <kumo/export.h>
#include <kumo/main.h>
#include <kumo/percpu.h>
#include <kumo/poll.h>
#include <kumo/random.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/wait.h>

#include "chacha.h"

#define READY_BITS 256
#define EVENTS_PER_BIT 16 /* moments of interrupts, on a machine whose clock nobody else sees */

struct generator {
	u32 key[CHACHA_KEY_WORDS];
	u64 counter;
	u64 generation; /* of the pool, when the key was taken from it */
};
static DEFINE_PER_CPU(struct generator, generator);

/* Protects the pool; interrupts off. A leaf. */
static spinlock_t pool_lock = SPINLOCK_INIT("random");
static u32 pool[CHACHA_KEY_WORDS];
static u64 pool_counter;
static u64 pool_generation = 1;
static unsigned int pool_bits;
static struct wait_queue pool_filled = WAIT_QUEUE_INIT(pool_filled);

/* Events of this CPU that wait to be mixed in. */
struct event_pool {
	u64 words[4];
	unsigned int count;
};
static DEFINE_PER_CPU(struct event_pool, event_pool);

/* pool_lock held. */
static void pool_mix(const u8 *bytes, size_t size)
{
	u32 block[CHACHA_BLOCK_WORDS];

	do {
		u8 part[CHACHA_KEY_WORDS * 4] = {};
		size_t taken = min(size, sizeof(part));

		memcpy(part, bytes, taken);
		for (unsigned int i = 0; i < CHACHA_KEY_WORDS; i++) {
			u32 word;

			memcpy(&word, part + 4 * i, 4);
			pool[i] ^= word;
		}
		chacha20_block(pool, pool_counter++, size, block);
		/* Both halves: the old pool can't be worked out from the new one. */
		for (unsigned int i = 0; i < CHACHA_KEY_WORDS; i++)
			pool[i] = block[i] ^ block[CHACHA_KEY_WORDS + i];
		bytes += taken;
		size -= taken;
	} while (size);
	memset(block, 0, sizeof(block));
}

void random_add_entropy(const void *bytes, size_t size, unsigned int bits)
{
	unsigned long flags = spin_lock_irqsave(&pool_lock);
	bool filled = false;

	pool_mix(bytes, size);
	if (pool_bits < READY_BITS) {
		pool_bits = min(pool_bits + min(bits, (unsigned int)READY_BITS),
				(unsigned int)READY_BITS);
		filled = pool_bits == READY_BITS;
	}
	if (bits)
		WRITE_ONCE(pool_generation, pool_generation + 1);
	spin_unlock_irqrestore(&pool_lock, flags);
	if (filled)
		wake_up_all(&pool_filled);
}
EXPORT_SYMBOL(random_add_entropy);

void random_add_event(u64 number)
{
	unsigned long flags;
	struct event_pool *events;
	struct event_pool full;

	if (random_ready())
		return;
	flags = local_irq_save();
	events = this_cpu_ptr(&event_pool);
	events->words[events->count % 4] =
		(events->words[events->count % 4] << 13 | events->words[events->count % 4] >> 51) ^
		rdtsc() ^ number << 48;
	if (++events->count < EVENTS_PER_BIT * 8) {
		local_irq_restore(flags);
		return;
	}
	full = *events;
	events->count = 0;
	local_irq_restore(flags);
	random_add_entropy(full.words, sizeof(full.words), 8);
}
EXPORT_SYMBOL(random_add_event);

bool random_ready(void)
{
	return READ_ONCE(pool_bits) >= READY_BITS;
}

int random_wait(void)
{
	return wait_event_interruptible(&pool_filled, random_ready());
}

u32 random_poll(struct file *file, struct poll_table *table)
{
	poll_wait(file, &pool_filled, table);
	return random_ready() ? POLLIN | POLLRDNORM : POLLOUT | POLLWRNORM; /* who writes helps to fill it */
}

/* The CPU's generator gets a key of its own from the pool. Interrupts off. */
static void generator_seed(struct generator *own)
{
	u32 block[CHACHA_BLOCK_WORDS];
	u64 time = rdtsc();

	spin_lock(&pool_lock);
	own->generation = pool_generation;
	chacha20_block(pool, pool_counter++, time, block);
	memcpy(pool, block, sizeof(pool));
	spin_unlock(&pool_lock);
	for (unsigned int i = 0; i < CHACHA_KEY_WORDS; i++)
		own->key[i] ^= block[CHACHA_KEY_WORDS + i];
	memset(block, 0, sizeof(block));
}

/* A block of which the first half becomes the CPU's next key, and the second is for the caller. */
static void generator_next(u32 block[CHACHA_BLOCK_WORDS])
{
	unsigned long flags = local_irq_save();
	struct generator *own = this_cpu_ptr(&generator);

	if (unlikely(own->generation != READ_ONCE(pool_generation)))
		generator_seed(own);
	chacha20_block(own->key, own->counter++, 0, block);
	memcpy(own->key, block, sizeof(own->key));
	local_irq_restore(flags);
}

void random_get(void *buffer, size_t size)
{
	u32 block[CHACHA_BLOCK_WORDS], key[CHACHA_KEY_WORDS];
	u8 *to = buffer;

	generator_next(block);
	if (size <= sizeof(key)) {
		memcpy(to, block + CHACHA_KEY_WORDS, size);
	} else {
		/* A key for this request alone. */
		memcpy(key, block + CHACHA_KEY_WORDS, sizeof(key));
		for (u64 counter = 0; size; counter++) {
			size_t part = min(size, sizeof(block));

			chacha20_block(key, counter, 1, block);
			memcpy(to, block, part);
			to += part;
			size -= part;
		}
		memset(key, 0, sizeof(key));
	}
	memset(block, 0, sizeof(block));
}
EXPORT_SYMBOL(random_get);

u64 random_u64(void)
{
	u64 value;

	random_get(&value, sizeof(value));
	return value;
}
EXPORT_SYMBOL(random_u64);

u32 random_u32(void)
{
	return (u32)random_u64();
}
EXPORT_SYMBOL(random_u32);

void __init random_init(void)
{
	u64 words[8], time[2] = { rdtsc(), arch_rtc_seconds() };
	unsigned int count = 0;

	random_add_entropy(time, sizeof(time), 0);
	while (count < ARRAY_SIZE(words) && cpu_random_u64(&words[count]))
		count++;
	if (count)
		random_add_entropy(words, count * sizeof(u64), count * 64);
}
