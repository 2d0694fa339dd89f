/*
 * Random bytes (kernel/random.c): a generator of ChaCha20 with fast key erasure, seeded from whatever is not predictable:
 * the CPU's generator, the times of interrupts, virtio-rng.
 */
#ifndef KUMO_RANDOM_H
#define KUMO_RANDOM_H

#include <kumo/types.h>

/* Fit for keys once random_ready(); before that as good as what has been gathered. Any context. */
void random_get(void *buffer, size_t size);
u64 random_u64(void);
u32 random_u32(void);
bool random_ready(void);
/* Until there is enough entropy; 0 or -ERESTARTSYS. */
int random_wait(void) __must_check;
/* tree_ops.poll of /dev/random: readable once it is ready. */
struct file;
struct poll_table;
u32 random_poll(struct file *file, struct poll_table *table);

/* Mixes in bytes that hold `bits` bits of entropy (0: mixed in but not counted). Any context. */
void random_add_entropy(const void *bytes, size_t size, unsigned int bits);
/* The moment of an event from outside, for interrupt handlers. Cheap. */
void random_add_event(u64 number);

#endif
