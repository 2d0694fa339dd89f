/*
 * Transactions. A change of metadata is made through a handle, which belongs to the running transaction; there is one at a time.
 * handle_join() puts a buffer into it before it is changed, and pins the buffer, so that nobody writes it to its place. A commit
 * (commit.c) closes the transaction, waits for its handles, copies the buffers to buffers of the log while nobody may change
 * them, lets a new transaction begin, and writes the log. Then the buffers are dirty in the ordinary way, and when they have
 * been written home (checkpoint.c) the transaction's part of the log is free.
 *
 * A buffer may be in three states at once: part of the running transaction; part of the one that is being committed; and, in an
 * older version, part of one that was committed but is not home yet. struct logged keeps these. A buffer that the running
 * transaction has changed is not written home, so an older transaction may have to wait for the commit of a newer
 * one, and from then on the newer one's copy in the log stands for both.
 *
 * Freed blocks. Nobody may use them before the transaction is on disk that freed them, or a power cut would bring back a file with
 * another's bytes: group->freed. And a block of metadata that became one of data must not be overwritten by a replay of
 * its old copy in the log: it is revoked.
 *
 * Data is not journalled. New blocks of files are unwritten extents until their data is on the device (or zeroed before a block map
 * points to them), so a committed transaction never shows what was there before: ordered mode.
 */
#include "journal_internal.h"

#include <kumo/thread.h>

#define TRANSACTION_BLOCKS_MAX 4096u

struct transaction *transaction_new(struct journal *journal)
{
	struct transaction *transaction = kzalloc(sizeof(*transaction), GFP_KERNEL);

	if (!transaction)
		return NULL;
	transaction->number = journal->next_number++;
	list_init(&transaction->buffers);
	list_init(&transaction->checkpoint);
	return transaction;
}

void transaction_free(struct transaction *transaction)
{
	kfree(transaction->revoked);
	kfree(transaction->freed);
	kfree(transaction);
}

void logged_release(struct logged *logged)
{
	struct buffer *buffer = logged->buffer;

	if (logged->running || logged->committing || logged->checkpoint)
		return;
	buffer->private = NULL;
	kfree(logged);
	buffer_put(buffer);
}

void journal_abort(struct volume *volume, int error)
{
	struct journal *journal = volume->journal;

	if (!journal)
		return;
	mutex_lock(&journal->lock);
	if (!journal->error)
		journal->error = error;
	mutex_unlock(&journal->lock);
	wake_up_all(&journal->changed);
}

/* ---- Handles ---- */

/* Does the running transaction have room for `credits` more blocks? journal->lock held. */
static bool transaction_fits(const struct journal *journal, u32 credits)
{
	const struct transaction *t = journal->running;

	return t->count + t->revoked_count / 64 + t->credits + credits <= journal->transaction_max;
}

/* The log has room for a whole transaction, and for the one that is being committed. journal->lock held. */
static bool log_has_room(const struct journal *journal)
{
	return log_used(journal) <= (journal->end - journal->first) / 2;
}

/* The running transaction is full, or the log is. */
static int journal_make_room(struct journal *journal)
{
	int error;

	mutex_lock(&journal->commit_lock);
	error = transaction_commit(journal);
	if (!error && !log_has_room(journal))
		error = journal_checkpoint(journal, (journal->end - journal->first) / 4);
	mutex_unlock(&journal->commit_lock);
	return error;
}

/* Becomes part of the running transaction. */
static int handle_start(struct journal *journal, u32 credits, struct handle *handle)
{
	int error;

	if (credits > journal->transaction_max)
		return -ENOSPC;
	for (;;) {
		mutex_lock(&journal->lock);
		error = journal->error ? -EROFS : 0;
		if (!error && !journal->running && log_has_room(journal)) {
			journal->running = transaction_new(journal);
			error = journal->running ? 0 : -ENOMEM;
		}
		if (error ||
		    (journal->running && !journal->closing && transaction_fits(journal, credits)))
			break;
		mutex_unlock(&journal->lock);
		if (READ_ONCE(journal->closing)) {
			wait_event(&journal->changed, !READ_ONCE(journal->closing));
			continue;
		}
		error = journal_make_room(journal);
		if (error)
			return error;
	}
	if (!error) {
		handle->transaction = journal->running;
		handle->transaction->handles++;
		handle->transaction->credits += credits;
	}
	mutex_unlock(&journal->lock);
	return error;
}

int handle_begin(struct volume *volume, u32 credits, struct handle *handle)
{
	int error = 0;

	*handle = (struct handle){ .volume = volume, .credits = credits };
	if (volume->read_only)
		return -EROFS;
	if (volume->journal)
		error = handle_start(volume->journal, credits, handle);
	if (!error)
		kill_hold(); /* half a change is worse than none, whether there is a journal or not */
	return error;
}

int handle_end(struct handle *handle)
{
	struct journal *journal = handle->volume->journal;
	struct transaction *transaction = handle->transaction;
	bool last;
	int error;

	kill_release();
	if (!transaction)
		return 0;
	mutex_lock(&journal->lock);
	transaction->credits -= handle->credits;
	transaction->handles--;
	error = journal->error ? -EIO : 0;
	last = journal->closing && !transaction->handles;
	mutex_unlock(&journal->lock);
	if (last)
		wake_up_all(&journal->changed);
	return error;
}

bool handle_extend(struct handle *handle, u32 credits)
{
	struct journal *journal = handle->volume->journal;
	struct transaction *transaction = handle->transaction;
	bool fits;

	if (!transaction || handle->credits >= credits)
		return true;
	credits -= handle->credits;
	mutex_lock(&journal->lock);
	fits = !journal->closing && transaction_fits(journal, credits);
	if (fits) {
		transaction->credits += credits;
		handle->credits += credits;
	}
	mutex_unlock(&journal->lock);
	return fits;
}

u64 handle_transaction(const struct handle *handle)
{
	return handle->transaction ? handle->transaction->number : 0;
}

u64 journal_newest(struct volume *volume)
{
	struct journal *journal = volume->journal;

	return journal->started ? READ_ONCE(journal->next_number) - 1 : 0;
}

/* The buffer becomes part of the handle's transaction. journal->lock held. */
static void logged_join(struct handle *handle, struct logged *logged)
{
	struct transaction *transaction = handle->transaction;

	logged->running = transaction;
	list_add_tail(&transaction->buffers, &logged->running_link);
	transaction->count++;
	if (handle->credits) { /* who changes more than he asked for takes from the reserve of the log */
		handle->credits--;
		transaction->credits--;
	}
}

int handle_join(struct handle *handle, struct buffer *buffer)
{
	struct journal *journal = handle->volume->journal;
	struct logged *logged, *fresh = NULL;
	bool joined = false;
	int error;

	if (!handle->transaction)
		return 0;
	mutex_lock(&journal->lock);
	logged = buffer->private;
	if (!logged) {
		fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
		if (!fresh) {
			mutex_unlock(&journal->lock);
			return -ENOMEM;
		}
		buffer_ref(buffer);
		fresh->buffer = buffer;
		buffer->private = logged = fresh;
	}
	if (!logged->running) {
		joined = true;
		if (!logged->committing)
			buffer_pin(buffer);
		logged_join(handle, logged);
	}
	mutex_unlock(&journal->lock);
	/* It may be on its way home in the older version: that write is to end before the bytes change. */
	if (!joined)
		return 0;
	error = buffer_wait(buffer);
	if (error)
		journal_abort(handle->volume, error);
	return error;
}

void handle_dirty(struct handle *handle, struct buffer *buffer)
{
	struct logged *logged = buffer->private;

	if (!handle->transaction)
		buffer_mark_dirty(buffer);
	else if (logged)
		logged->seal = NULL;
}

void handle_dirty_unsealed(struct handle *handle, struct buffer *buffer, seal_function seal, u32 about)
{
	struct logged *logged = buffer->private;

	if (!handle->transaction || WARN_ON(!logged)) {
		seal(handle->volume, buffer, about);
		handle_dirty(handle, buffer);
		return;
	}
	logged->seal = seal;
	logged->seal_about = about;
}

/* Room for one more element of an array of a transaction. */
static int array_grow(void **array, u32 count, u32 *room, size_t size)
{
	u32 wanted = *room ? *room * 2 : 16;
	void *grown;

	if (count < *room)
		return 0;
	grown = kcalloc(wanted, size, GFP_KERNEL);
	if (!grown)
		return -ENOMEM;
	if (count)
		memcpy(grown, *array, count * size);
	kfree(*array);
	*array = grown;
	*room = wanted;
	return 0;
}

int handle_freed(struct handle *handle, u64 first, u64 count)
{
	struct transaction *transaction = handle->transaction;
	struct mutex *lock;
	int error;

	if (!transaction)
		return 0;
	lock = &handle->volume->journal->lock;
	mutex_lock(lock);
	error = array_grow((void **)&transaction->freed, transaction->freed_count,
			   &transaction->freed_room, sizeof(*transaction->freed));
	if (!error)
		transaction->freed[transaction->freed_count++] = (struct freed_run){ first, count };
	mutex_unlock(lock);
	return error;
}

int handle_revoke(struct handle *handle, u64 block)
{
	struct volume *volume = handle->volume;
	struct transaction *transaction = handle->transaction;
	struct buffer *buffer;
	struct logged *logged;
	int error;

	buffer = buffer_get(volume->device, block, volume->block_size);
	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	buffer->owner = 0;
	if (!transaction) {
		buffers_forget(volume->device, block, 1, volume->block_size);
		buffer_put(buffer);
		return 0;
	}
	mutex_lock(&volume->journal->lock);
	error = array_grow((void **)&transaction->revoked, transaction->revoked_count,
			   &transaction->revoked_room, sizeof(*transaction->revoked));
	if (!error) {
		transaction->revoked[transaction->revoked_count++] = block;
		logged = buffer->private;
		/* It stays part of the transaction until that is on disk: its old version must not be written home, for
		 * the bytes may have changed since, nor be forgotten before. */
		if (logged) {
			if (!logged->running) {
				if (!logged->committing)
					buffer_pin(buffer);
				logged_join(handle, logged);
			}
			logged->forgotten = true;
			logged->seal = NULL;
		}
	}
	mutex_unlock(&volume->journal->lock);
	buffer_put(buffer);
	return error;
}

/* ---- Committing, as others ask for it ---- */

int volume_flush(struct volume *volume)
{
	return volume->barriers ? block_flush(volume->device) : 0;
}

int journal_commit(struct volume *volume)
{
	struct journal *journal = volume->journal;
	int error;

	if (!journal || !journal->started)
		return 0;
	mutex_lock(&journal->commit_lock);
	error = transaction_commit(journal);
	mutex_unlock(&journal->commit_lock);
	return error;
}

int journal_wait(struct volume *volume, u64 number)
{
	struct journal *journal = volume->journal;
	bool committed = false;
	int error;

	if (!journal) {
		error = buffers_sync(volume->device);
		return error ? error : volume_flush(volume);
	}
	mutex_lock(&journal->commit_lock); /* behind a commit that is under way */
	error = journal->error;
	if (!error && number > journal->committed_number) {
		error = transaction_commit(journal);
		committed = true;
	}
	mutex_unlock(&journal->commit_lock);
	return error ? error : committed ? 0 : volume_flush(volume);
}

/* Nothing stays uncommitted for longer than the interval. */
static int journal_thread(void *argument)
{
	struct volume *volume = argument;
	struct journal *journal = volume->journal;

	while (!READ_ONCE(journal->stopping)) {
		u64 deadline = time_monotonic_ns() + volume->commit_interval_s * NSEC_PER_SEC;

		(void)wait_event_interruptible_until(&journal->changed,
						     READ_ONCE(journal->stopping), deadline);
		/* What fails aborts the journal, which says so, and so does every operation from then on. */
		if (!READ_ONCE(journal->stopping) && READ_ONCE(journal->running) &&
		    journal_commit(volume))
			break;
	}
	return 0;
}

/* ---- Opening and closing ---- */

int log_physical(const struct journal *journal, u32 block, u64 *physical)
{
	for (u32 i = 0; i < journal->run_count; i++) {
		const struct log_run *run = &journal->runs[i];

		if (block >= run->log && block - run->log < run->count) {
			*physical = run->physical + (block - run->log);
			return 0;
		}
	}
	return -EUCLEAN;
}

struct buffer *log_buffer(struct journal *journal, u32 block)
{
	u64 physical;
	int error = log_physical(journal, block, &physical);

	return error ? ERR_PTR(error)
		     : buffer_get(journal->volume->device, physical, journal->volume->block_size);
}

/* Where the log's blocks lie, once and for all: the journal's inode does not change. */
static int journal_map(struct journal *journal, u32 length)
{
	struct mapping mapping;
	u32 room = 0;
	int error = 0;

	for (u32 block = 0; block < length && !error; block += mapping.count) {
		error = map_find(journal->inode, block, length - block, &mapping);
		if (error)
			return error;
		if (mapping.kind != MAP_WRITTEN)
			return volume_damaged(journal->volume, journal->inode->number, block,
					      "the journal has a hole");
		error = array_grow((void **)&journal->runs, journal->run_count, &room,
				   sizeof(*journal->runs));
		if (!error)
			journal->runs[journal->run_count++] =
				(struct log_run){ block, mapping.count, mapping.physical };
	}
	return error;
}

static u32 journal_super_checksum(const struct journal_super *super)
{
	struct journal_super copy = *super;

	copy.checksum = 0;
	return crc32c(~0u, &copy, sizeof(copy));
}

int journal_super_store(struct journal *journal, u32 start, u64 sequence)
{
	struct journal_super *super = journal->super;

	super->start = be32_make(start);
	super->sequence = be32_make((u32)sequence);
	super->error = 0;
	if (journal_has_checksums(journal))
		super->checksum = be32_make(journal_super_checksum(super));
	return buffer_write(journal->super_buffer,
			    journal->volume->barriers ? BLOCK_FUA | BLOCK_PREFLUSH : 0);
}

static void journal_features_take(struct journal *journal)
{
	const struct journal_super *super = journal->super;
	bool plain = be32_read(super->header.type) == JOURNAL_SUPER_V1;
	u32 incompat = plain ? 0 : be32_read(super->feature_incompat);

	journal->wide = incompat & JOURNAL_INCOMPAT_64BIT;
	journal->checksum_v2 = incompat & JOURNAL_INCOMPAT_CSUM_V2;
	journal->checksum_v3 = incompat & JOURNAL_INCOMPAT_CSUM_V3;
	journal->checksum_seed = crc32c(~0u, super->uuid, sizeof(super->uuid));
	journal->tag_size = journal->checksum_v3
				    ? sizeof(struct journal_tag3)
				    : 8 + (journal->wide ? 4 : 0) + (journal->checksum_v2 ? 2 : 0);
}

static int journal_features(struct journal *journal)
{
	const char *device = journal->volume->device->name;
	const struct journal_super *super = journal->super;
	const u32 known = JOURNAL_INCOMPAT_REVOKE | JOURNAL_INCOMPAT_64BIT |
			  JOURNAL_INCOMPAT_CSUM_V2 | JOURNAL_INCOMPAT_CSUM_V3 |
			  JOURNAL_INCOMPAT_ASYNC_COMMIT | JOURNAL_INCOMPAT_FAST_COMMIT;
	u32 incompat = be32_read(super->feature_incompat);

	if (be32_read(super->header.type) == JOURNAL_SUPER_V1)
		incompat = 0;
	else if (incompat & ~known || super->feature_ro_compat) {
		pr_err("%s: the journal has features that are not known: %x\n", device,
		       incompat & ~known);
		return -EINVAL;
	}
	journal_features_take(journal);
	if (journal_has_checksums(journal)) {
		if (super->checksum_type != JOURNAL_CRC32C ||
		    be32_read(super->checksum) != journal_super_checksum(super)) {
			pr_err("%s: the journal's superblock has a wrong checksum\n", device);
			return -EUCLEAN;
		}
	} else if (incompat & JOURNAL_INCOMPAT_ASYNC_COMMIT) {
		pr_err("%s: a journal with commits that wait for nothing needs checksums\n", device);
		return -EINVAL;
	}
	return 0;
}

/* The length and the ring, as far as they can be right. */
static int journal_geometry(struct journal *journal)
{
	const struct journal_super *super = journal->super;
	struct volume *volume = journal->volume;
	u32 length = be32_read(super->length),
	    blocks = (u32)(node_size(journal->inode->node) >> volume->block_bits);
	u32 fast = 0, type = be32_read(super->header.type);

	if (be32_read(super->header.magic) != JOURNAL_MAGIC ||
	    (type != JOURNAL_SUPER_V1 && type != JOURNAL_SUPER_V2) ||
	    be32_read(super->block_size) != volume->block_size) {
		pr_err("%s: the journal has no valid superblock\n", volume->device->name);
		return -EUCLEAN;
	}
	if (type == JOURNAL_SUPER_V2 &&
	    be32_read(super->feature_incompat) & JOURNAL_INCOMPAT_FAST_COMMIT) {
		fast = be32_read(super->fast_commit_blocks);
		fast = fast ? fast : 256;
	}
	journal->first = be32_read(super->first);
	journal->end = length - fast;
	if (length > blocks || fast >= length || !journal->first || journal->first >= journal->end ||
	    journal->end - journal->first < 64 || be32_read(super->start) >= journal->end ||
	    (super->start && be32_read(super->start) < journal->first)) {
		pr_err("%s: the journal's size is wrong: %u blocks of %u\n", volume->device->name,
		       length, blocks);
		return -EUCLEAN;
	}
	journal->transaction_max = min((journal->end - journal->first) / 4 - 8, TRANSACTION_BLOCKS_MAX);
	return journal_map(journal, length);
}

static int journal_open(struct journal *journal)
{
	struct volume *volume = journal->volume;
	struct node *node = inode_get_flags(volume, volume->super->journal_inode, GET_UNLINKED);
	struct mapping mapping;
	int error;

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	node_set_internal(node);
	journal->inode = inode_of(node);
	if (!S_ISREG(node->attr.mode) || inode_is_inline(journal->inode))
		return volume_damaged(volume, journal->inode->number, 0, "the journal is no file");
	error = map_find(journal->inode, 0, 1, &mapping);
	if (error)
		return error;
	if (mapping.kind != MAP_WRITTEN)
		return volume_damaged(volume, journal->inode->number, 0, "the journal has a hole");
	journal->super_buffer = buffer_read(volume->device, mapping.physical, volume->block_size);
	if (IS_ERR(journal->super_buffer)) {
		error = (int)PTR_ERR(journal->super_buffer);
		journal->super_buffer = NULL;
		return error;
	}
	journal->super = journal->super_buffer->data;
	error = journal_geometry(journal);
	return error ? error : journal_features(journal);
}

int journal_load(struct volume *volume)
{
	struct journal *journal = kzalloc(sizeof(*journal), GFP_KERNEL);
	int error;

	if (!journal)
		return -ENOMEM;
	journal->volume = volume;
	mutex_init(&journal->lock, "ext4_journal");
	mutex_init(&journal->commit_lock, "ext4_commit");
	wait_queue_init(&journal->changed);
	list_init(&journal->committed);
	volume->journal = journal;
	error = journal_open(journal);
	if (!error && journal->super->start)
		error = journal_replay(journal);
	if (!error)
		journal->next_number = be32_read(journal->super->sequence);
	return error;
}

/* What the log shall be written with, which is empty now: as the volume has it, as Linux does. */
static void journal_features_add(struct journal *journal)
{
	struct journal_super *super = journal->super;
	u32 features = JOURNAL_INCOMPAT_REVOKE;

	if (be32_read(super->header.type) != JOURNAL_SUPER_V2)
		return;
	if (has_incompat(journal->volume, INCOMPAT_64BIT))
		features |= JOURNAL_INCOMPAT_64BIT;
	if (journal->volume->metadata_checksums && !journal->checksum_v2) {
		features |= JOURNAL_INCOMPAT_CSUM_V3;
		super->feature_compat &= ~be32_make(JOURNAL_COMPAT_CHECKSUM);
		super->checksum_type = JOURNAL_CRC32C;
	}
	super->feature_incompat |= be32_make(features);
	journal_features_take(journal);
}

int journal_start(struct volume *volume)
{
	struct journal *journal = volume->journal;
	int error;

	journal_features_add(journal);
	/* Numbers never repeat, and 0 means none. */
	journal->next_number = (journal->next_number & 0xffffffff) + (1ULL << 32);
	journal->head = journal->tail = journal->first;
	journal->tail_number = journal->next_number;
	journal->committed_number = journal->next_number - 1;
	error = journal_super_store(journal, journal->tail, journal->tail_number);
	if (error)
		return error;
	journal->stopping = false;
	journal->thread = kthread_run(journal_thread, volume, "ext4");
	if (IS_ERR(journal->thread)) {
		error = (int)PTR_ERR(journal->thread);
		journal->thread = NULL;
		return error;
	}
	journal->started = true;
	return 0;
}

int journal_stop(struct volume *volume)
{
	struct journal *journal = volume->journal;
	int error;

	if (!journal || !journal->started)
		return 0;
	WRITE_ONCE(journal->stopping, true);
	wake_up_all(&journal->changed);
	kthread_stop(journal->thread);
	journal->thread = NULL;
	mutex_lock(&journal->commit_lock);
	error = transaction_commit(journal);
	if (!error)
		error = journal_checkpoint(journal, 0);
	if (!error)
		error = journal->error;
	if (!error)
		error = journal_super_store(journal, 0, journal->next_number);
	journal->started = false;
	mutex_unlock(&journal->commit_lock);
	return error;
}

/* What the running transaction has. A buffer that one whose commit failed has, too, stays pinned for that. */
static void running_drop(struct transaction *transaction)
{
	struct logged *logged, *after;

	list_for_each_safe(logged, after, &transaction->buffers, running_link) {
		list_del(&logged->running_link);
		logged->running = NULL;
		if (!logged->committing)
			buffer_unpin(logged->buffer);
		logged_release(logged);
	}
}

/* What a transaction has whose commit failed; nothing, if it did not. */
static void failed_drop(struct transaction *transaction)
{
	struct logged *logged, *after;

	list_for_each_safe(logged, after, &transaction->buffers, committing_link) {
		list_del(&logged->committing_link);
		logged->committing = NULL;
		if (!logged->running)
			buffer_unpin(logged->buffer);
		logged_release(logged);
	}
}

/* After an abort buffers are still in transactions: their changes are lost. */
static void journal_drop(struct journal *journal, struct transaction *transaction)
{
	struct logged *logged, *after;

	if (transaction == journal->running)
		running_drop(transaction);
	else
		failed_drop(transaction);
	list_for_each_safe(logged, after, &transaction->checkpoint, checkpoint_link) {
		list_del(&logged->checkpoint_link);
		logged->checkpoint = NULL;
		logged_release(logged);
	}
	transaction_free(transaction);
}

void journal_free(struct volume *volume)
{
	struct journal *journal = volume->journal;
	struct transaction *transaction, *after;

	if (!journal)
		return;
	if (journal->running)
		journal_drop(journal, journal->running);
	journal->running = NULL;
	list_for_each_safe(transaction, after, &journal->committed, link) {
		list_del(&transaction->link);
		journal_drop(journal, transaction);
	}
	if (journal->super_buffer)
		buffer_put(journal->super_buffer);
	if (journal->inode)
		node_put(journal->inode->node);
	kfree(journal->runs);
	kfree(journal);
	volume->journal = NULL;
}
