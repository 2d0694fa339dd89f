/*
 * Checkpoints: committed buffers are written home, oldest transaction first, so that the log's tail can move on. A
 * buffer that a newer transaction has changed is not written: the newer one's commit takes it over.
 */
#include "journal_internal.h"

#define BATCH 64

/* Begins to write up to BATCH buffers of the transaction that may be written now, and takes a reference of each. The lock sees to
 * it that none of them joins a transaction before its write has begun; handle_join() then waits for that. */
static u32 batch_take(struct journal *journal, struct transaction *transaction, struct buffer **batch)
{
	struct logged *logged;
	u32 count = 0;

	mutex_lock(&journal->lock);
	list_for_each(logged, &transaction->checkpoint, checkpoint_link) {
		if (logged->running || logged->committing)
			continue;
		batch[count] = logged->buffer;
		buffer_ref(logged->buffer);
		buffer_submit(logged->buffer, BLOCK_META);
		if (++count == BATCH)
			break;
	}
	mutex_unlock(&journal->lock);
	return count;
}

/* They are home. What a transaction has taken up again meanwhile stays until that is committed, which costs nothing. */
static void batch_done(struct journal *journal, struct transaction *transaction,
		       struct buffer **batch, u32 count)
{
	mutex_lock(&journal->lock);
	for (u32 i = 0; i < count; i++) {
		struct logged *logged = batch[i]->private;

		if (logged && logged->checkpoint == transaction && !logged->running &&
		    !logged->committing) {
			list_del(&logged->checkpoint_link);
			logged->checkpoint = NULL;
			logged_release(logged);
		}
	}
	mutex_unlock(&journal->lock);
	for (u32 i = 0; i < count; i++)
		buffer_put(batch[i]);
}

/* 1: all is home; 0: the rest waits for newer transactions. */
static int transaction_checkpoint(struct journal *journal, struct transaction *transaction)
{
	struct buffer *batch[BATCH];
	u32 count;
	int error = 0;

	while ((count = batch_take(journal, transaction, batch))) {
		for (u32 i = 0; i < count; i++) {
			int result = buffer_wait(batch[i]);

			error = error ? error : result;
		}
		if (error) {
			for (u32 i = 0; i < count; i++)
				buffer_put(batch[i]);
			return error;
		}
		batch_done(journal, transaction, batch, count);
	}
	return list_empty(&transaction->checkpoint);
}

/* The oldest transaction that is still needed moves the tail. journal->lock held. */
static void tail_find(struct journal *journal, u32 *tail, u64 *number)
{
	const struct transaction *oldest =
		list_empty(&journal->committed)
			? journal->committing
			: list_first(&journal->committed, struct transaction, link);

	*tail = oldest ? oldest->log_start : journal->head;
	*number = oldest ? oldest->number : journal->committed_number + 1;
}

/* What was written home is made stable, and only then the log forgets it. */
static int tail_move(struct journal *journal)
{
	u64 number;
	u32 tail;
	int error;

	mutex_lock(&journal->lock);
	tail_find(journal, &tail, &number);
	mutex_unlock(&journal->lock);
	if (tail == journal->tail)
		return 0;
	error = journal_super_store(journal, tail, number); /* with a flush before it */
	if (error)
		return error;
	mutex_lock(&journal->lock);
	journal->tail = tail;
	journal->tail_number = number;
	mutex_unlock(&journal->lock);
	return 0;
}

int journal_checkpoint(struct journal *journal, u32 used)
{
	int error = 0;

	while (!error && log_used(journal) > used && !list_empty(&journal->committed)) {
		struct transaction *oldest = list_first(&journal->committed, struct transaction, link);

		error = transaction_checkpoint(journal, oldest);
		if (error < 0)
			break;
		if (!error) { /* the newest version of the rest is in the running transaction */
			error = transaction_commit(journal);
			continue;
		}
		mutex_lock(&journal->lock);
		list_del(&oldest->link);
		mutex_unlock(&journal->lock);
		transaction_free(oldest);
		error = tail_move(journal);
	}
	if (!error && log_used(journal) > used)
		error = tail_move(journal);
	if (error && !journal->error) {
		journal_abort(journal->volume, error);
		volume_failed(journal->volume, "the journal's blocks cannot be written home", error);
	}
	return error;
}
