/*
 * The chain of clusters that a file is: a cluster leads to the next one in the table, and only there. Looking for a place in a
 * large file would walk it all, so what was walked is remembered as runs. A chain that leads nowhere, or in a circle, is an
 * error wherever it is met. The caller has the lock of what the chain belongs to.
 */
#include "vfat.h"

void chain_init(struct chain *chain, u32 start)
{
	*chain = (struct chain){ .start = start, .complete = !start };
}

void chain_free(struct chain *chain)
{
	kfree(chain->runs);
	chain->runs = NULL;
	chain->run_count = chain->run_room = 0;
}

void chain_forget(struct chain *chain, u32 start)
{
	chain->start = start;
	chain->length = 0;
	chain->complete = !start;
	chain->run_count = 0;
}

/* Room for one more run; every other is forgotten when there are too many, but the first and the last. */
static int runs_make_room(struct chain *chain)
{
	u32 room = chain->run_room ? chain->run_room * 2 : 4, kept = 1;
	struct chain_run *runs;

	if (chain->run_count < chain->run_room)
		return 0;
	if (chain->run_room >= CHAIN_RUNS_MAX) {
		for (u32 i = 2; i < chain->run_count - 1; i += 2)
			chain->runs[kept++] = chain->runs[i];
		chain->runs[kept++] = chain->runs[chain->run_count - 1];
		chain->run_count = kept;
		return 0;
	}
	runs = kmalloc(room * sizeof(*runs), GFP_KERNEL);
	if (!runs)
		return -ENOMEM;
	if (chain->run_count)
		memcpy(runs, chain->runs, chain->run_count * sizeof(*runs));
	kfree(chain->runs);
	chain->runs = runs;
	chain->run_room = room;
	return 0;
}

/* `count` clusters follow what is known. */
static int runs_append(struct chain *chain, u32 cluster, u32 count)
{
	struct chain_run *last = chain->run_count ? &chain->runs[chain->run_count - 1] : NULL;
	int error;

	if (last && last->cluster + last->count == cluster) {
		last->count += count;
	} else {
		error = runs_make_room(chain);
		if (error)
			return error;
		chain->runs[chain->run_count++] =
			(struct chain_run){ .index = chain->length, .cluster = cluster, .count = count };
	}
	chain->length += count;
	return 0;
}

/* Walks until `length` clusters are known, or the chain is at its end. */
static int walk_to(struct volume *volume, struct chain *chain, u32 length)
{
	struct chain_run *last;
	u32 next;
	int error = 0;

	if (!chain->length && !chain->complete) {
		if (!cluster_valid(volume, chain->start))
			return volume_damaged(volume, "a file begins at cluster %u", chain->start);
		error = runs_append(chain, chain->start, 1);
	}
	while (!error && !chain->complete && chain->length < length) {
		last = &chain->runs[chain->run_count - 1];
		error = table_next(volume, last->cluster + last->count - 1, &next);
		if (!error && !next)
			chain->complete = true;
		else if (!error && chain->length >= volume->cluster_limit)
			error = volume_damaged(volume, "the chain from cluster %u has no end",
					       chain->start);
		else if (!error)
			error = runs_append(chain, next, 1);
	}
	return error;
}

/* The last run that begins at `index` or before. */
static const struct chain_run *run_before(const struct chain *chain, u32 index)
{
	u32 low = 0, high = chain->run_count;

	while (high - low > 1) {
		u32 middle = (low + high) / 2;

		if (chain->runs[middle].index <= index)
			low = middle;
		else
			high = middle;
	}
	return &chain->runs[low];
}

/* The cluster lies between two runs that are remembered: walks there from the first of them. */
static int find_between(struct volume *volume, const struct chain *chain,
			const struct chain_run *run, u32 index, u32 *cluster, u32 *count)
{
	u32 at = run->cluster + run->count - 1, wanted = *count, next = 0;
	int error = 0;

	for (u32 i = run->index + run->count - 1; i < index; i++) {
		error = table_next(volume, at, &next);
		if (!error && !next)
			error = volume_damaged(volume, "the chain from cluster %u is cut short",
					       chain->start);
		if (error)
			return error;
		at = next;
	}
	*cluster = at;
	for (*count = 1; *count < wanted; ++*count, at = next) {
		error = table_next(volume, at, &next);
		if (error || next != at + 1)
			break;
	}
	return error;
}

int chain_find(struct volume *volume, struct chain *chain, u32 index, u32 *cluster, u32 *count)
{
	u32 wanted = min(*count, ~0u - index);
	const struct chain_run *run;
	int error = walk_to(volume, chain, index + wanted);

	if (error && chain->length <= index)
		return error; /* else it is damaged behind what is wanted first */
	if (chain->length <= index)
		return -ENODATA;
	run = run_before(chain, index);
	if (index - run->index >= run->count)
		return find_between(volume, chain, run, index, cluster, count);
	*cluster = run->cluster + (index - run->index);
	*count = min(wanted, run->count - (index - run->index));
	return 0;
}

int chain_length(struct volume *volume, struct chain *chain, u32 *length)
{
	int error = walk_to(volume, chain, ~0u);

	*length = chain->length;
	return error;
}

int chain_extend(struct volume *volume, struct chain *chain, u32 length)
{
	u32 have;
	int error = chain_length(volume, chain, &have);

	while (!error && have < length) {
		u32 count = length - have, first, last = 0;

		if (have)
			last = chain->runs[chain->run_count - 1].cluster +
			       chain->runs[chain->run_count - 1].count - 1;
		error = table_alloc(volume, last ? last + 1 : 0, &count, &first);
		if (error)
			break;
		error = runs_append(chain, first, count);
		if (!error && last)
			error = table_link(volume, last, first);
		if (error) {
			if (table_free(volume, first))
				pr_err("%s: clusters from %u on are lost until fsck runs\n",
				       volume->device->name, first);
			chain_forget(chain, chain->start);
			break;
		}
		if (!last)
			chain->start = first;
		have += count;
	}
	return error;
}

int chain_shrink(struct volume *volume, struct chain *chain, u32 length)
{
	u32 first = chain->start, last, count = 1;
	int error;

	if (!first)
		return 0;
	if (!length) { /* also if it is damaged further on */
		chain_forget(chain, 0);
		return table_free(volume, first);
	}
	error = chain_find(volume, chain, length - 1, &last, &count);
	if (error)
		return error == -ENODATA ? 0 : error;
	error = table_next(volume, last, &first);
	if (error || !first)
		return error;
	error = table_link(volume, last, 0);
	chain_forget(chain, chain->start);
	return error ? error : table_free(volume, first);
}
