/*
 * The order of locks, in the debug build.
 *
 * Two locks taken in either order by two threads are a deadlock that may take years to happen. So the order is checked for
 * whole classes of locks (those of one name and kind), and over the whole run: whenever a lock is taken while another
 * is held, that is an edge "inner is taken inside outer" in a graph of classes, and the graph must have no cycle. It takes one
 * pass through each of two code paths, at any times, to see that they contradict each other.
 *
 * Interrupts make an order of their own. A class that an interrupt handler takes must never be held with interrupts on, for the
 * handler would wait for the very CPU that it interrupted. Nor may, inside such a class, another be waited for that is held
 * with interrupts on somewhere: the interrupt would come there. So no path leads from a class TAKEN_IN_INTERRUPT
 * to one HELD_WITH_INTERRUPTS_ON.
 *
 * Each edge and each first use keeps a backtrace, so that a report shows both sides. An edge that would close a cycle is
 * reported, remembered as known, and left out, so the graph stays free of cycles, and each contradiction is told once.
 *
 * Classes stay for ever: they are few, and a module that is loaded again finds those it had. What was seen of them goes
 * with the module that brought the class, and edges go with the code that made them (lockcheck_forget()).
 *
 * graph_lock protects everything; classes and `known` are also read without. It is never held while a report is written:
 * the reporter may need a lock of somebody who waits for graph_lock. A report reads the edges that it found without
 * it: at worst, when a module goes that moment, it shows a place of another.
 */
#ifdef CONFIG_DEBUG
#include <kumo/arch/irqflags.h>
#include <kumo/printk.h>
#include <kumo/report.h>
#include <kumo/spinlock.h>
#include <kumo/stack_depot.h>
#include <kumo/string.h>

#include "lockorder.h"

#define CLASS_LIMIT 512
#define CLASS_HASH 256
#define EDGE_LIMIT 4096
#define CHAIN_LIMIT 12 /* edges of a chain that a report shows */

struct lock_class {
	char name[28];
	u8 kind, rank;
	u16 next_in_hash;
	u16 first_inner, first_outer; /* edges */
	bool used[LOCK_USAGES];
	bool nests;	 /* one inside another is no circle */
	bool told;	 /* a contradiction with interrupts was reported */
	const char *key; /* the name's first address: lies in the module that brought the class */
	u32 usage[LOCK_USAGES]; /* where each was seen first */
};

struct edge {
	u16 outer, inner;
	u16 next_inner; /* of the same outer; in the list of free ones, too */
	u16 next_outer; /* of the same inner */
	void *outer_from;
	u32 stack; /* of taking the inner one */
};

/* Slot 0 of both is nobody. */
static struct lock_class classes[CLASS_LIMIT];
static struct edge edges[EDGE_LIMIT];
static unsigned int class_count = 1, edge_count = 1;
static u16 free_edges;
static u16 class_hash[CLASS_HASH];
static u64 known[CLASS_LIMIT][CLASS_LIMIT / 64]; /* by outer and inner: an edge, or a report */
static spinlock_t graph_lock;			 /* only by the raw operations */
static bool full;

/* What a search has found, from its end back to its start. */
static u16 came_by[CLASS_LIMIT]; /* the edge by which a class was reached */
static u32 seen_in[CLASS_LIMIT], search_number;
static u16 queue[CLASS_LIMIT];

static const char *const kind_names[] = {
	[LOCK_SPIN] = "spin lock", [LOCK_MUTEX] = "mutex", [LOCK_RWSEM] = "rwsem"
};

static bool stack_touches(u32 stack, unsigned long start, size_t size)
{
	unsigned long addresses[STACK_DEPTH];
	unsigned int count = stack_addresses(stack, addresses);

	for (unsigned int i = 0; i < count; i++)
		if (addresses[i] - start < size)
			return true;
	return false;
}

/* ---- Classes ---- */

static unsigned int hash_of(const struct lock_tag *tag, unsigned int rank)
{
	unsigned int hash = tag->kind * 31 + rank;

	for (const char *c = tag->name; *c; c++)
		hash = hash * 31 + (u8)*c;
	return hash % CLASS_HASH;
}

static unsigned int class_find(const struct lock_tag *tag, unsigned int rank, unsigned int hash)
{
	unsigned int class = smp_load_acquire(&class_hash[hash]);

	while (class && (classes[class].kind != tag->kind || classes[class].rank != rank ||
			 strncmp(classes[class].name, tag->name, sizeof(classes[class].name) - 1)))
		class = classes[class].next_in_hash;
	return class;
}

static bool tables_full(const char *what)
{
	if (full)
		return true;
	full = true;
	pr_warn("lock checker: too many %s, the rest goes unchecked\n", what);
	return true;
}

static unsigned int class_create(const struct lock_tag *tag, unsigned int rank, unsigned int hash)
{
	struct lock_class *class;

	if (class_count == CLASS_LIMIT)
		return 0;
	class = &classes[class_count];
	strscpy(class->name, tag->name, sizeof(class->name));
	class->kind = tag->kind;
	class->rank = (u8)rank;
	class->nests = tag->nests;
	class->key = tag->name;
	class->next_in_hash = class_hash[hash];
	smp_store_release(&class_hash[hash], (u16)class_count);
	return class_count++;
}

unsigned int lock_class(struct lock_tag *tag, unsigned int rank)
{
	unsigned int class, hash;

	if (likely(tag->class && !rank))
		return tag->class;
	if (!tag->name)
		return 0;
	hash = hash_of(tag, rank);
	class = class_find(tag, rank, hash);
	if (!class) {
		raw_spin_lock(&graph_lock);
		class = class_find(tag, rank, hash);
		if (!class)
			class = class_create(tag, rank, hash);
		raw_spin_unlock(&graph_lock);
		if (!class && tables_full("classes"))
			return 0;
	}
	if (unlikely(!READ_ONCE(classes[class].key))) /* its module is back */
		WRITE_ONCE(classes[class].key, tag->name);
	if (!rank)
		tag->class = (u16) class;
	return class;
}

const char *lock_class_name(unsigned int class, char *text, size_t size)
{
	const struct lock_class *it = &classes[class];

	if (!class)
		return "a lock without a class";
	if (it->rank)
		snprintf(text, size, "%s \"%s\" of rank %u", kind_names[it->kind], it->name, it->rank);
	else
		snprintf(text, size, "%s \"%s\"", kind_names[it->kind], it->name);
	return text;
}

/* ---- Searching; graph_lock is held ---- */

static bool is_known(unsigned int outer, unsigned int inner)
{
	return READ_ONCE(known[outer][inner / 64]) & BIT(inner % 64);
}

/* What a search looks for: the class `target`, or, when that is 0, one that was used in this way. */
struct goal {
	unsigned int target;
	enum lock_usage usage;
};

static bool reached(unsigned int class, const struct goal *goal)
{
	return goal->target ? class == goal->target : classes[class].used[goal->usage];
}

/* The nearest class that is the goal, from `start` inwards or outwards; 0: none. */
static unsigned int search(unsigned int start, bool inwards, const struct goal *goal)
{
	unsigned int head = 0, tail = 0;

	search_number++;
	seen_in[start] = search_number;
	queue[tail++] = (u16)start;
	while (head < tail) {
		unsigned int class = queue[head++];
		unsigned int edge = inwards ? classes[class].first_inner : classes[class].first_outer;

		if (reached(class, goal))
			return class;
		for (; edge; edge = inwards ? edges[edge].next_inner : edges[edge].next_outer) {
			unsigned int next = inwards ? edges[edge].inner : edges[edge].outer;

			if (seen_in[next] == search_number)
				continue;
			seen_in[next] = search_number;
			came_by[next] = (u16)edge;
			queue[tail++] = (u16)next;
		}
	}
	return 0;
}

/* The edges by which the last search, which went inwards, came from `start` to `end`, the outermost first. */
struct chain {
	unsigned int count;
	u16 edges[CHAIN_LIMIT];
};

static void chain_read(struct chain *chain, unsigned int start, unsigned int end)
{
	chain->count = 0;
	for (unsigned int class = end; class != start && chain->count < CHAIN_LIMIT;
	     class = edges[came_by[class]].outer)
		chain->edges[chain->count++] = came_by[class];
	for (unsigned int i = 0; i < chain->count / 2; i++) {
		u16 edge = chain->edges[i];

		chain->edges[i] = chain->edges[chain->count - 1 - i];
		chain->edges[chain->count - 1 - i] = edge;
	}
}

/* ---- Reports ---- */

static void chain_show(const struct chain *chain)
{
	char inner[64], outer[64];

	for (unsigned int i = 0; i < chain->count; i++) {
		const struct edge *edge = &edges[chain->edges[i]];

		report_line("seen before: %s taken inside %s, which was taken at %pS; by",
			    lock_class_name(edge->inner, inner, sizeof(inner)),
			    lock_class_name(edge->outer, outer, sizeof(outer)), edge->outer_from);
		stack_print(edge->stack);
	}
}

static void report_cycle(unsigned int outer, void *outer_from, unsigned int inner,
			 const struct chain *chain)
{
	char inner_name[64], outer_name[64];

	lock_class_name(inner, inner_name, sizeof(inner_name));
	lock_class_name(outer, outer_name, sizeof(outer_name));
	if (!report_begin("lock",
			  outer == inner ? "order: %s is taken inside %s, another of its class"
					 : "order: %s is taken inside %s, and the other way round elsewhere",
			  inner_name, outer_name))
		return;
	report_line("now: %s was taken at %pS, then comes %s as above", outer_name, outer_from,
		    inner_name);
	chain_show(chain);
	report_end();
}

static void report_interrupt(unsigned int taken, unsigned int held, const struct chain *chain)
{
	char taken_name[64], held_name[64];

	lock_class_name(taken, taken_name, sizeof(taken_name));
	lock_class_name(held, held_name, sizeof(held_name));
	if (!report_begin("lock", "interrupts: %s is taken in an interrupt, and %s %s with interrupts on",
			  taken_name, taken == held ? "elsewhere" : held_name,
			  taken == held ? "held" : "inside it is held"))
		return;
	report_line("%s was taken in an interrupt by", taken_name);
	stack_print(classes[taken].usage[TAKEN_IN_INTERRUPT]);
	report_line("%s was held with interrupts on by", held_name);
	stack_print(classes[held].usage[HELD_WITH_INTERRUPTS_ON]);
	chain_show(chain);
	report_end();
}

/* ---- What is learnt ---- */

/* A path from a class taken in interrupts through `class` to one held with interrupts on: the two ends and the way. graph_lock
 * is held. */
static bool find_unsafe(unsigned int class, unsigned int *taken, unsigned int *held, struct chain *chain)
{
	struct goal in_interrupt = { .usage = TAKEN_IN_INTERRUPT },
		    with_interrupts = { .usage = HELD_WITH_INTERRUPTS_ON };

	*taken = search(class, false, &in_interrupt);
	if (!*taken)
		return false;
	*held = search(class, true, &with_interrupts);
	if (!*held || classes[*held].told)
		return false;
	classes[*held].told = true;
	search(*taken, true, &(struct goal){ .target = *held });
	chain_read(chain, *taken, *held);
	return true;
}

static unsigned int edge_create(unsigned int outer, void *outer_from, unsigned int inner)
{
	unsigned int number = free_edges;
	struct edge *edge;

	if (number)
		free_edges = edges[number].next_inner;
	else if (edge_count < EDGE_LIMIT)
		number = edge_count++;
	else
		return 0;
	edge = &edges[number];
	edge->outer = (u16)outer;
	edge->inner = (u16)inner;
	edge->outer_from = outer_from;
	edge->stack = stack_save();
	edge->next_inner = classes[outer].first_inner;
	classes[outer].first_inner = (u16)number;
	edge->next_outer = classes[inner].first_outer;
	classes[inner].first_outer = (u16)number;
	return number;
}

void lock_order_add(unsigned int outer, void *outer_from, unsigned int inner)
{
	struct goal back = { .target = outer };
	bool cycle = false, unsafe = false, created = true;
	unsigned int taken, held;
	struct chain chain = {};

	if (!outer || !inner || likely(is_known(outer, inner)) ||
	    (outer == inner && classes[outer].nests))
		return;
	raw_spin_lock(&graph_lock);
	if (!is_known(outer, inner)) {
		known[outer][inner / 64] |= BIT(inner % 64);
		cycle = search(inner, true, &back);
		if (cycle) {
			chain_read(&chain, inner, outer);
		} else {
			created = edge_create(outer, outer_from, inner);
			unsafe = find_unsafe(inner, &taken, &held, &chain);
		}
	}
	raw_spin_unlock(&graph_lock);
	if (cycle)
		report_cycle(outer, outer_from, inner, &chain);
	else if (unsafe)
		report_interrupt(taken, held, &chain);
	if (!created)
		(void)tables_full("orders");
}

void lock_usage_add(unsigned int class, enum lock_usage usage)
{
	unsigned int taken, held;
	struct chain chain = {};
	bool unsafe = false;

	if (!class || likely(READ_ONCE(classes[class].used[usage])))
		return;
	raw_spin_lock(&graph_lock);
	if (!classes[class].used[usage]) {
		classes[class].used[usage] = true;
		classes[class].usage[usage] = stack_save();
		unsafe = find_unsafe(class, &taken, &held, &chain);
	}
	raw_spin_unlock(&graph_lock);
	if (unsafe)
		report_interrupt(taken, held, &chain);
}

/* ---- Forgetting ---- */

/* Takes the edges out of the list at *first that are to go: those of `class` when that is not 0, or of the code. `inwards`: the list
 * is linked by next_inner. */
static void unlink_edges(u16 *first, bool inwards, const bool *goes)
{
	u16 *link = first;

	while (*link) {
		struct edge *edge = &edges[*link];
		u16 *next = inwards ? &edge->next_inner : &edge->next_outer;

		if (goes[*link])
			*link = *next;
		else
			link = next;
	}
}

/* Marks the edges of forgotten code and classes; whether there are any. */
static bool mark_edges(bool *goes, unsigned long start, size_t size)
{
	bool any = false;

	for (unsigned int class = 1; class < class_count; class ++) {
		for (unsigned int i = classes[class].first_inner; i; i = edges[i].next_inner) {
			const struct edge *edge = &edges[i];

			goes[i] = (unsigned long)classes[class].key - start < size ||
				  (unsigned long)classes[edge->inner].key - start < size ||
				  (unsigned long)edge->outer_from - start < size ||
				  stack_touches(edge->stack, start, size);
			any |= goes[i];
		}
	}
	return any;
}

void lockcheck_forget(const void *memory, size_t size)
{
	static bool goes[EDGE_LIMIT];
	unsigned long start = (unsigned long)memory, flags = local_irq_save();

	raw_spin_lock(&graph_lock);
	memset(goes, 0, sizeof(goes));
	if (mark_edges(goes, start, size)) {
		for (unsigned int class = 1; class < class_count; class ++) {
			unlink_edges(&classes[class].first_inner, true, goes);
			unlink_edges(&classes[class].first_outer, false, goes);
		}
		for (unsigned int i = 1; i < edge_count; i++) {
			if (!goes[i])
				continue;
			known[edges[i].outer][edges[i].inner / 64] &= ~BIT(edges[i].inner % 64);
			edges[i].next_inner = free_edges;
			free_edges = (u16)i;
		}
	}
	for (unsigned int class = 1; class < class_count; class ++) {
		struct lock_class *it = &classes[class];

		for (unsigned int usage = 0; usage < LOCK_USAGES; usage++)
			if (stack_touches(it->usage[usage], start, size))
				it->used[usage] = it->told = false;
		if ((unsigned long)it->key - start >= size)
			continue;
		it->key = NULL;
		it->used[TAKEN_IN_INTERRUPT] = it->used[HELD_WITH_INTERRUPTS_ON] = it->told = false;
		memset(known[class], 0, sizeof(known[class])); /* contradictions are told again */
		for (unsigned int other = 1; other < class_count; other++)
			known[other][class / 64] &= ~BIT(class % 64);
	}
	raw_spin_unlock(&graph_lock);
	local_irq_restore(flags);
}
#endif
