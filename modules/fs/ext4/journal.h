/*
 * The journal: changes of metadata blocks, gathered into transactions that reach the disk whole or not at all
 * (journal.c has the theory). Without a journal (ext2) the same calls mark buffers dirty.
 */
#ifndef EXT4_JOURNAL_H
#define EXT4_JOURNAL_H

#include <kumo/list.h>
#include <kumo/mutex.h>
#include <kumo/wait.h>

struct buffer;
struct volume;
struct inode;

/* The right to change `credits` blocks as part of the running transaction, which cannot commit meanwhile. */
struct handle {
	struct volume *volume;
	struct transaction *transaction; /* NULL: no journal */
	u32 credits;
	u64 keep; /* blocks that stay free whatever it takes (blocks_kept_from()); 0 at first */
};

/* Sleeps. -EROFS: the volume is read-only, or its journal has failed; -ENOMEM; -EINTR when killed. */
int handle_begin(struct volume *volume, u32 credits, struct handle *handle) __must_check;
/* Ends it. 0, or what made the journal fail meanwhile. */
int handle_end(struct handle *handle);
/* Is there still room for `credits` more blocks? Takes more from the transaction if it has them. */
bool handle_extend(struct handle *handle, u32 credits);
/* Before a buffer is changed. -EIO, -ENOMEM. */
int handle_join(struct handle *handle, struct buffer *buffer) __must_check;
/* After it was changed. */
void handle_dirty(struct handle *handle, struct buffer *buffer);
/* The same for a block whose checksum goes over all of it: `seal` makes it when the transaction is about to be written, once, however
 * often the block was changed; without a journal at once. It may change other blocks that the handle has joined. Not for a block whose checksum
 * somebody may look at in memory. */
typedef void (*seal_function)(struct volume *volume, struct buffer *buffer, u32 about);
void handle_dirty_unsealed(struct handle *handle, struct buffer *buffer, seal_function seal, u32 about);
/* A block of metadata has been freed: neither the log nor memory may write it again. -ENOMEM. */
int handle_revoke(struct handle *handle, u64 block) __must_check;
/* Blocks were freed: they are kept from use until the transaction is on disk. -ENOMEM. */
int handle_freed(struct handle *handle, u64 first, u64 count) __must_check;
u64 journal_newest(struct volume *volume); /* the number of the newest transaction; 0: none yet */
u64 handle_transaction(const struct handle *handle); /* its number, for journal_wait(); 0 without a journal */

/* Opens the journal of a volume and replays it if it is not empty. */
int journal_load(struct volume *volume) __must_check;
int journal_start(struct volume *volume) __must_check; /* from now on it is written */
/* Commits, writes everything home and marks the log empty. */
int journal_stop(struct volume *volume) __must_check;
void journal_free(struct volume *volume);
/* Commits what there is and waits. */
int journal_commit(struct volume *volume) __must_check;
/* Waits until a transaction is on disk, committing it if need be; a transaction 0, or an old one, needs only a flush. */
int journal_wait(struct volume *volume, u64 transaction) __must_check;
/* Nothing more is written. */
void journal_abort(struct volume *volume, int error);
int volume_flush(struct volume *volume) __must_check;

#endif
