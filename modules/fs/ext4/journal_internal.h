/* What the files of the journal share: journal.c (transactions), commit.c (to the log), checkpoint.c (from the log home), recovery.c. */
#ifndef EXT4_JOURNAL_INTERNAL_H
#define EXT4_JOURNAL_INTERNAL_H

#include "ext4.h"

struct transaction {
	u64 number;		/* its low half is the sequence on disk */
	u32 handles, credits;	/* open now; what they may still change */
	u32 count;		/* of buffers */
	struct list buffers;	/* struct logged, by running_link, then by committing_link */
	struct list checkpoint; /* struct logged, by checkpoint_link: committed here, not home yet */
	u64 *revoked;
	u32 revoked_count, revoked_room;
	struct freed_run {
		u64 first, count;
	} * freed;
	u32 freed_count, freed_room;
	u32 log_start;	  /* its first block in the log */
	struct list link; /* in journal->committed */
};

/* What the journal knows of a buffer: buffer->private. It holds the buffer; and pins it as long as a transaction has it. */
struct logged {
	struct buffer *buffer;
	struct transaction *running, *committing, *checkpoint;
	struct list running_link, committing_link, checkpoint_link;
	bool forgotten, committing_forgotten; /* the block was freed by the running one; by the committing one */
	/* What makes the checksum when the running one commits, about what; NULL: it is made. Belongs to whoever may change the buffer. */
	seal_function seal;
	u32 seal_about;
};

struct log_run { /* blocks of the log that lie together */
	u32 log, count;
	u64 physical;
};

struct journal {
	struct volume *volume;
	struct inode *inode;
	struct buffer *super_buffer;
	struct journal_super *super;
	u32 first, end; /* log blocks [first, end) are a ring */
	struct log_run *runs;
	u32 run_count;
	u32 tag_size;
	bool wide; /* 64-bit block numbers */
	bool checksum_v2, checksum_v3;
	u32 checksum_seed;
	u32 transaction_max; /* buffers */

	struct mutex lock; /* all that follows, transactions and struct logged */
	struct transaction *running, *committing;
	bool closing;	       /* the running one takes no new handles: about to be committed */
	struct list committed; /* transactions with blocks that are not home, oldest first */
	u64 next_number, committed_number; /* of the next transaction; the last on disk */
	u32 head, tail;		   /* of the log: where to write; the oldest block that is needed */
	u64 tail_number;	   /* the transaction that begins there */
	int error;		   /* aborted */
	struct wait_queue changed; /* a transaction was opened, closed, committed; a handle ended */
	struct mutex commit_lock;  /* one commit or checkpoint at a time; outside `lock` */
	bool started, stopping;
	struct thread *thread; /* commits now and then */
};

int log_physical(const struct journal *journal, u32 block, u64 *physical) __must_check;
struct buffer *log_buffer(struct journal *journal, u32 block) __must_check; /* to be overwritten. ERR_PTR */
static inline u32 log_next(const struct journal *journal, u32 block)
{
	return block + 1 == journal->end ? journal->first : block + 1;
}
static inline u32 log_used(const struct journal *journal)
{
	u32 size = journal->end - journal->first;

	return (journal->head + size - journal->tail) % size;
}
static inline bool journal_has_checksums(const struct journal *journal)
{
	return journal->checksum_v2 || journal->checksum_v3;
}
static inline u32 log_tags_per_block(const struct journal *journal)
{
	u32 room = journal->volume->block_size - sizeof(struct journal_header) -
		   16 /* the first's UUID */;

	return (room - (journal_has_checksums(journal) ? 4 : 0)) / journal->tag_size;
}
/* A tag of a descriptor, apart from its form on disk (journal_tag.c). */
struct log_tag {
	u64 block; /* where the copy belongs */
	u32 flags, checksum;
};
/* Puts it at `at`, with the journal's UUID unless flags say that it is the one before; gives the place behind. */
char *log_tag_write(const struct journal *journal, char *at, const struct log_tag *tag);
void log_tag_add_flag(const struct journal *journal, char *at, u32 flag);
struct log_tag log_tag_read(const struct journal *journal, const char *at);
/* The checksum at the end of a block of descriptors or revocations. */
u32 log_tail_checksum(const struct journal *journal, void *block);
/* Tells the disk where the log begins; start 0: it is empty. */
int journal_super_store(struct journal *journal, u32 start, u64 sequence) __must_check;
/* Recovery: ends with an empty log. */
int journal_replay(struct journal *journal) __must_check;
/* Writes committed buffers home until at most `used` blocks of the log are needed. commit_lock held. */
int journal_checkpoint(struct journal *journal, u32 used) __must_check;
/* Commits the running transaction, if there is one. commit_lock held. */
int transaction_commit(struct journal *journal) __must_check;
struct transaction *transaction_new(struct journal *journal) __must_check;
void transaction_free(struct transaction *transaction);
/* Lets go of what no transaction needs any more. journal->lock held. */
void logged_release(struct logged *logged);

#endif
