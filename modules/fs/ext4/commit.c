/*
 * A commit: the running transaction goes to the log. Steps: no new handles, and the open ones end; its buffers are copied to
 * buffers of the log, after which a new transaction may begin; descriptors, copies and revocations are written; then,
 * behind a flush of all of that and of the data that files wrote before, the commit block, by which the transaction
 * counts. A failure aborts the journal: what is in memory can then no longer be brought to the disk in order.
 */
#include "journal_internal.h"

#include <kumo/thread.h>

/* The blocks of one commit in the log, to be written together. */
struct log_writer {
	struct journal *journal;
	u32 sequence;
	struct buffer **buffers;
	u32 count, room;
	struct buffer *descriptor; /* the open one, in buffers, too */
	char *tag, *tags_end;	   /* where its next tag goes; behind its last */
	char *last_tag;
};

/* Memory for the log must be found: what is committed is in memory already, and giving up would lose it. */
static struct buffer *log_buffer_must(struct journal *journal, u32 block)
{
	for (;;) {
		struct buffer *buffer = log_buffer(journal, block);

		if (PTR_ERR(buffer) != -ENOMEM)
			return buffer;
		sleep_ns(10 * NSEC_PER_MSEC);
	}
}

/* The next block of the log. ERR_PTR. */
static struct buffer *writer_block(struct log_writer *writer)
{
	struct journal *journal = writer->journal;
	struct buffer *buffer = log_buffer_must(journal, journal->head);

	if (IS_ERR(buffer))
		return buffer;
	if (WARN_ON(writer->count == writer->room)) {
		buffer_put(buffer);
		return ERR_PTR(-EIO);
	}
	writer->buffers[writer->count++] = buffer;
	journal->head = log_next(journal, journal->head);
	return buffer;
}

static struct journal_header *header_make(struct buffer *buffer, u32 type, u32 sequence)
{
	struct journal_header *header = buffer->data;

	memset(buffer->data, 0, buffer->size);
	*header = (struct journal_header){ be32_make(JOURNAL_MAGIC), be32_make(type),
					   be32_make(sequence) };
	return header;
}

u32 log_tail_checksum(const struct journal *journal, void *block)
{
	be32 *tail = (be32 *)((char *)block + journal->volume->block_size - 4), kept = *tail;
	u32 checksum;

	*tail = 0;
	checksum = crc32c(journal->checksum_seed, block, journal->volume->block_size);
	*tail = kept;
	return checksum;
}

static void tail_set(const struct journal *journal, void *block)
{
	if (journal_has_checksums(journal))
		*(be32 *)((char *)block + journal->volume->block_size - 4) =
			be32_make(log_tail_checksum(journal, block));
}

static int descriptor_open(struct log_writer *writer)
{
	struct journal *journal = writer->journal;

	writer->descriptor = writer_block(writer);
	if (IS_ERR(writer->descriptor))
		return (int)PTR_ERR(writer->descriptor);
	header_make(writer->descriptor, JOURNAL_DESCRIPTOR, writer->sequence);
	writer->tag = (char *)writer->descriptor->data + sizeof(struct journal_header);
	writer->tags_end = writer->tag + log_tags_per_block(journal) * journal->tag_size + 16;
	writer->last_tag = NULL;
	return 0;
}

static void descriptor_close(struct log_writer *writer)
{
	if (!writer->descriptor)
		return;
	log_tag_add_flag(writer->journal, writer->last_tag, TAG_LAST);
	tail_set(writer->journal, writer->descriptor->data);
	writer->descriptor = NULL;
}

/* A buffer's bytes as they are now go to the next block of the log. */
static int writer_copy(struct log_writer *writer, struct buffer *from)
{
	struct journal *journal = writer->journal;
	be32 sequence = be32_make(writer->sequence), magic = be32_make(JOURNAL_MAGIC);
	u32 flags = 0, checksum = 0;
	struct buffer *copy;
	int error;

	if (!writer->descriptor) {
		error = descriptor_open(writer);
		if (error)
			return error;
	}
	if (writer->last_tag)
		flags |= TAG_SAME_UUID;
	copy = writer_block(writer);
	if (IS_ERR(copy))
		return (int)PTR_ERR(copy);
	memcpy(copy->data, from->data, copy->size);
	if (!memcmp(copy->data, &magic, sizeof(magic))) { /* lest a replay take it for a block of its own */
		memset(copy->data, 0, sizeof(magic));
		flags |= TAG_ESCAPED;
	}
	if (journal_has_checksums(journal))
		checksum = crc32c(crc32c(journal->checksum_seed, &sequence, sizeof(sequence)),
				  copy->data, copy->size);
	writer->last_tag = writer->tag;
	writer->tag = log_tag_write(journal, writer->tag,
				    &(struct log_tag){ from->block, flags, checksum });
	if (writer->tag + journal->tag_size > writer->tags_end)
		descriptor_close(writer);
	return 0;
}

static u32 revokes_per_block(const struct journal *journal)
{
	u32 room = journal->volume->block_size - sizeof(struct journal_revoke);

	return (room - (journal_has_checksums(journal) ? 4 : 0)) / (journal->wide ? 8 : 4);
}

static int writer_revoke(struct log_writer *writer, const struct transaction *transaction)
{
	struct journal *journal = writer->journal;
	u32 per_block = revokes_per_block(journal), size = journal->wide ? 8 : 4;

	for (u32 done = 0; done < transaction->revoked_count;) {
		u32 count = min(per_block, transaction->revoked_count - done);
		struct buffer *buffer = writer_block(writer);
		be32 *at;

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		((struct journal_revoke *)header_make(buffer, JOURNAL_REVOKE, writer->sequence))->size =
			be32_make((u32)sizeof(struct journal_revoke) + count * size);
		at = (be32 *)((struct journal_revoke *)buffer->data + 1);
		for (u32 i = 0; i < count; i++) {
			u64 block = transaction->revoked[done + i];

			if (journal->wide)
				*at++ = be32_make((u32)(block >> 32));
			*at++ = be32_make((u32)block);
		}
		tail_set(journal, buffer->data);
		done += count;
	}
	return 0;
}

/* Makes the checksums that its changes have left to be made. Nobody holds a handle. */
static void transaction_seal(struct journal *journal, struct transaction *transaction)
{
	struct logged *logged;

	super_checksum_set(journal->volume);
	list_for_each(logged, &transaction->buffers, running_link) {
		if (logged->seal)
			logged->seal(journal->volume, logged->buffer, logged->seal_about);
		logged->seal = NULL;
	}
}

/* The transaction's buffers are copied, and become the committing one's. Nobody holds a handle. */
static int transaction_copy(struct journal *journal, struct transaction *transaction,
			    struct log_writer *writer)
{
	struct list kept = LIST_INIT(kept);
	struct logged *logged, *after;
	int error = writer_revoke(writer, transaction);

	transaction_seal(journal, transaction);
	list_for_each_safe(logged, after, &transaction->buffers, running_link) {
		if (!error && !logged->forgotten)
			error = writer_copy(writer, logged->buffer);
		list_del(&logged->running_link);
		logged->running = NULL;
		logged->committing = transaction;
		logged->committing_forgotten = logged->forgotten;
		logged->forgotten = false;
		list_add_tail(&kept, &logged->committing_link);
	}
	descriptor_close(writer);
	list_splice_tail(&transaction->buffers, &kept);
	return error;
}

static int writer_wait(struct log_writer *writer)
{
	int error = 0;

	for (u32 i = 0; i < writer->count; i++) {
		int result = buffer_wait(writer->buffers[i]);

		error = error ? error : result;
	}
	return error;
}

static int commit_block_write(struct journal *journal, u32 block, u32 sequence)
{
	struct buffer *buffer = log_buffer_must(journal, block);
	struct journal_commit *commit;
	u64 now = time_realtime_ns();
	int error;

	if (IS_ERR(buffer))
		return (int)PTR_ERR(buffer);
	commit = (struct journal_commit *)header_make(buffer, JOURNAL_COMMIT, sequence);
	commit->seconds_hi = be32_make((u32)(now / NSEC_PER_SEC >> 32));
	commit->seconds_lo = be32_make((u32)(now / NSEC_PER_SEC));
	commit->nanoseconds = be32_make((u32)(now % NSEC_PER_SEC));
	if (journal_has_checksums(journal))
		commit->checksum[0] =
			be32_make(crc32c(journal->checksum_seed, buffer->data, buffer->size));
	error = buffer_write(buffer, journal->volume->barriers ? BLOCK_PREFLUSH | BLOCK_FUA : 0);
	buffer_put(buffer);
	return error;
}

/* Committed: what it freed is free, and its buffers may go home. journal->lock held. */
static void transaction_done(struct journal *journal, struct transaction *transaction)
{
	struct logged *logged, *after;

	list_for_each_safe(logged, after, &transaction->buffers, committing_link) {
		list_del(&logged->committing_link);
		logged->committing = NULL;
		if (logged->checkpoint) { /* this copy stands for the older one */
			list_del(&logged->checkpoint_link);
			logged->checkpoint = NULL;
		}
		if (!logged->running)
			buffer_unpin(logged->buffer);
		if (!logged->committing_forgotten) {
			logged->checkpoint = transaction;
			list_add_tail(&transaction->checkpoint, &logged->checkpoint_link);
			if (!logged->running)
				buffer_mark_dirty(logged->buffer);
		} else if (!logged->running) {
			buffers_forget(logged->buffer->device, logged->buffer->block, 1,
				       logged->buffer->size);
		}
		logged_release(logged);
	}
	journal->committed_number = transaction->number;
	journal->committing = NULL;
	list_add_tail(&journal->committed, &transaction->link);
}

static void log_forget(struct log_writer *writer)
{
	for (u32 i = 0; i < writer->count; i++)
		buffer_put(writer->buffers[i]);
	kfree(writer->buffers);
}

/* Closes the running transaction and waits for its handles; NULL: there is nothing to commit. */
static struct transaction *transaction_close(struct journal *journal)
{
	struct transaction *transaction;

	mutex_lock(&journal->lock);
	transaction = journal->running;
	if (!transaction || journal->error) {
		mutex_unlock(&journal->lock);
		return NULL;
	}
	WRITE_ONCE(journal->closing, true);
	mutex_unlock(&journal->lock);
	wait_event(&journal->changed, !READ_ONCE(transaction->handles));
	return transaction;
}

/* From the copies in memory to the commit block. */
static int transaction_write(struct journal *journal, struct transaction *transaction,
			     struct log_writer *writer, u32 commit_block)
{
	int error;

	for (u32 i = 0; i < writer->count; i++)
		buffer_submit(writer->buffers[i], 0);
	error = writer_wait(writer);
	if (!error)
		error = commit_block_write(journal, commit_block, (u32)transaction->number);
	return error;
}

/* The space for the list of log blocks, and the copies. journal->lock held; no handles are open. */
static int transaction_prepare(struct journal *journal, struct transaction *transaction,
			       struct log_writer *writer, u32 *commit_block)
{
	int error;

	writer->journal = journal;
	writer->sequence = (u32)transaction->number;
	writer->room = transaction->count +
		       DIV_ROUND_UP(transaction->count, log_tags_per_block(journal)) +
		       DIV_ROUND_UP(transaction->revoked_count, revokes_per_block(journal)) + 2;
	while (!(writer->buffers = kcalloc(writer->room, sizeof(*writer->buffers), GFP_KERNEL)))
		sleep_ns(10 * NSEC_PER_MSEC);
	transaction->log_start = journal->head;
	error = transaction_copy(journal, transaction, writer);
	*commit_block = journal->head;
	journal->head = log_next(journal, journal->head);
	journal->running = NULL;
	journal->committing = transaction;
	WRITE_ONCE(journal->closing, false);
	return error;
}

/* Nobody holds a handle of the transaction any more. */
static int commit_closed(struct journal *journal, struct transaction *transaction)
{
	struct log_writer writer = {};
	u32 commit_block;
	int error;

	mutex_lock(&journal->lock);
	if (!transaction->count && !transaction->freed_count && !transaction->revoked_count) {
		/* Nothing in it: it may go on. */
		WRITE_ONCE(journal->closing, false);
		mutex_unlock(&journal->lock);
		wake_up_all(&journal->changed);
		return 0;
	}
	error = transaction_prepare(journal, transaction, &writer, &commit_block);
	mutex_unlock(&journal->lock);
	wake_up_all(&journal->changed);
	if (!error)
		error = transaction_write(journal, transaction, &writer, commit_block);
	log_forget(&writer);
	if (error) {
		journal_abort(journal->volume, error);
		volume_failed(journal->volume, "the journal cannot be written", error);
	} else {
		for (u32 i = 0; i < transaction->freed_count; i++)
			blocks_freed_committed(journal->volume, transaction->freed[i].first,
					       transaction->freed[i].count);
	}
	mutex_lock(&journal->lock);
	if (error) { /* for journal_free() to drop */
		list_add_tail(&journal->committed, &transaction->link);
		journal->committing = NULL;
	} else {
		transaction_done(journal, transaction);
	}
	mutex_unlock(&journal->lock);
	wake_up_all(&journal->changed);
	return error ? -EIO : 0;
}

int transaction_commit(struct journal *journal)
{
	struct transaction *transaction = transaction_close(journal);
	int error;

	if (!transaction)
		return journal->error ? -EIO : 0;
	kill_hold(); /* others' changes are in it, too */
	error = commit_closed(journal, transaction);
	kill_release();
	return error;
}
