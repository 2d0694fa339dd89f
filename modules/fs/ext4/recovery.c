/*
 * Recovery: what the log holds of committed transactions is brought home. Three passes over the log: which transactions are whole;
 * which blocks were revoked; then the copies are written, but for those revoked by the same or a later transaction.
 */
#include "journal_internal.h"

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

struct revocation {
	struct revocation *next;
	u64 block;
	u32 sequence; /* the newest that revoked it */
};
#define REVOCATION_BUCKETS 1024

struct replay {
	struct journal *journal;
	u32 start, end; /* transactions [start, end) are whole */
	u32 replayed, skipped;
	struct revocation *revoked[REVOCATION_BUCKETS];
};

/* Sequences wrap around. */
static bool later(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static struct revocation **revocation_find(struct replay *replay, u64 block)
{
	struct revocation **at = &replay->revoked[hash_u64(block) % REVOCATION_BUCKETS];

	while (*at && (*at)->block != block)
		at = &(*at)->next;
	return at;
}

static int revocation_add(struct replay *replay, u64 block, u32 sequence)
{
	struct revocation **at = revocation_find(replay, block), *fresh;

	if (*at) {
		if (later(sequence, (*at)->sequence))
			(*at)->sequence = sequence;
		return 0;
	}
	fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	*fresh = (struct revocation){ .block = block, .sequence = sequence };
	*at = fresh;
	return 0;
}

static void revocations_free(struct replay *replay)
{
	for (u32 i = 0; i < REVOCATION_BUCKETS; i++) {
		while (replay->revoked[i]) {
			struct revocation *next = replay->revoked[i]->next;

			kfree(replay->revoked[i]);
			replay->revoked[i] = next;
		}
	}
}

static struct buffer *log_read(struct journal *journal, u32 block)
{
	u64 physical;
	int error = log_physical(journal, block, &physical);

	return error ? ERR_PTR(error)
		     : buffer_read(journal->volume->device, physical, journal->volume->block_size);
}

static int revoke_read(struct replay *replay, const struct buffer *buffer, u32 sequence)
{
	const struct journal_revoke *revoke = buffer->data;
	u32 size = be32_read(revoke->size), width = replay->journal->wide ? 8 : 4;
	u32 room = buffer->size - (journal_has_checksums(replay->journal) ? 4 : 0);
	int error = 0;

	if (size < sizeof(*revoke) || size > room) {
		pr_err("%s: the journal has a block of revocations of %u bytes\n",
		       replay->journal->volume->device->name, size);
		return -EUCLEAN;
	}
	for (u32 at = sizeof(*revoke); at + width <= size && !error; at += width) {
		const be32 *word = (const be32 *)((const char *)buffer->data + at);
		u64 block = width == 8 ? (u64)be32_read(word[0]) << 32 | be32_read(word[1])
				       : be32_read(word[0]);

		error = revocation_add(replay, block, sequence);
	}
	return error;
}

/* One copy goes home. */
static int block_replay(struct replay *replay, const struct log_tag *tag, u32 log_block, u32 sequence)
{
	struct journal *journal = replay->journal;
	struct volume *volume = journal->volume;
	be32 big = be32_make(sequence), magic = be32_make(JOURNAL_MAGIC);
	struct revocation *revoked = *revocation_find(replay, tag->block);
	struct buffer *copy, *home;
	u32 checksum;

	if (revoked && !later(sequence, revoked->sequence)) {
		replay->skipped++;
		return 0;
	}
	if (tag->block >= volume->block_count) {
		pr_err("%s: the journal has a block %llu outside the volume\n",
		       volume->device->name, (unsigned long long)tag->block);
		return -EUCLEAN;
	}
	copy = log_read(journal, log_block);
	if (IS_ERR(copy))
		return (int)PTR_ERR(copy);
	checksum = crc32c(crc32c(journal->checksum_seed, &big, sizeof(big)), copy->data, copy->size);
	if ((journal->checksum_v3 && checksum != tag->checksum) ||
	    (journal->checksum_v2 && (checksum & 0xffff) != tag->checksum)) {
		pr_err("%s: wrong checksum of block %llu in the journal\n", volume->device->name,
		       (unsigned long long)tag->block);
		buffer_put(copy);
		return -EUCLEAN;
	}
	home = buffer_get(volume->device, tag->block, volume->block_size);
	if (IS_ERR(home)) {
		buffer_put(copy);
		return (int)PTR_ERR(home);
	}
	memcpy(home->data, copy->data, home->size);
	if (tag->flags & TAG_ESCAPED)
		memcpy(home->data, &magic, sizeof(magic));
	buffer_mark_dirty(home);
	buffer_put(home);
	buffer_put(copy);
	replay->replayed++;
	return 0;
}

/* Goes through a descriptor; *block moves behind its copies. */
static int descriptor_read(struct replay *replay, enum pass pass, struct buffer *buffer,
			   u32 sequence, u32 *block)
{
	struct journal *journal = replay->journal;
	const char *at = (const char *)buffer->data + sizeof(struct journal_header);
	const char *end = (const char *)buffer->data + buffer->size -
			  (journal_has_checksums(journal) ? 4 : 0);
	int error = 0;

	while (at + journal->tag_size <= end) {
		struct log_tag tag = log_tag_read(journal, at);

		at += journal->tag_size + (tag.flags & TAG_SAME_UUID ? 0 : 16);
		if (pass == PASS_REPLAY) {
			int result = block_replay(replay, &tag, *block, sequence);

			if (result && result != -EUCLEAN)
				return result;
			error = error ? error : result; /* the others may still be right */
		}
		*block = log_next(journal, *block);
		if (tag.flags & TAG_LAST)
			break;
	}
	return error;
}

static bool commit_valid(const struct journal *journal, struct buffer *buffer)
{
	struct journal_commit *commit = buffer->data;
	be32 kept = commit->checksum[0];
	u32 checksum;

	if (!journal_has_checksums(journal))
		return true;
	commit->checksum[0] = 0;
	checksum = crc32c(journal->checksum_seed, buffer->data, buffer->size);
	commit->checksum[0] = kept;
	return checksum == be32_read(kept);
}

static bool tail_valid(const struct journal *journal, struct buffer *buffer)
{
	const be32 *tail = (const be32 *)((const char *)buffer->data + buffer->size - 4);

	return !journal_has_checksums(journal) ||
	       be32_read(*tail) == log_tail_checksum(journal, buffer->data);
}

/* Takes one block of the log. 1: go on; 0: the log ends here; or an error. */
static int log_step(struct replay *replay, enum pass pass, struct buffer *buffer, u32 *block,
		    u32 *sequence)
{
	struct journal *journal = replay->journal;
	const struct journal_header *header = buffer->data;
	int error = 0;

	if (be32_read(header->magic) != JOURNAL_MAGIC || be32_read(header->sequence) != *sequence)
		return 0;
	*block = log_next(journal, *block);
	switch (be32_read(header->type)) {
	case JOURNAL_DESCRIPTOR:
		if (!tail_valid(journal, buffer))
			return 0;
		error = descriptor_read(replay, pass, buffer, *sequence, block);
		break;
	case JOURNAL_REVOKE:
		if (!tail_valid(journal, buffer))
			return 0;
		if (pass == PASS_REVOKE)
			error = revoke_read(replay, buffer, *sequence);
		break;
	case JOURNAL_COMMIT:
		if (!commit_valid(journal, buffer))
			return 0;
		++*sequence;
		break;
	default:
		return 0;
	}
	return error ? error : 1;
}

static int log_pass(struct replay *replay, enum pass pass)
{
	struct journal *journal = replay->journal;
	u32 block = be32_read(journal->super->start), sequence = replay->start,
	    steps = journal->end - journal->first;
	int error = 1, damaged = 0;

	while (error > 0 && (pass == PASS_SCAN || sequence != replay->end)) {
		struct buffer *buffer = log_read(journal, block);
		u32 before = block;

		if (IS_ERR(buffer))
			return (int)PTR_ERR(buffer);
		error = log_step(replay, pass, buffer, &block, &sequence);
		buffer_put(buffer);
		if (error == -EUCLEAN && pass == PASS_REPLAY) {
			damaged = error;
			error = 1;
		}
		/* A log that goes round more than once is not one. */
		before = block > before ? block - before
					: block + (journal->end - journal->first) - before;
		if (before > steps)
			break;
		steps -= before;
	}
	if (pass == PASS_SCAN)
		replay->end = sequence;
	return error < 0 ? error : damaged;
}

int journal_replay(struct journal *journal)
{
	struct volume *volume = journal->volume;
	struct replay *replay;
	int error, flushed;

	if (volume->device->read_only) {
		pr_err("%s: the journal must be replayed, and the device cannot be written\n",
		       volume->device->name);
		return -EROFS;
	}
	replay = kzalloc(sizeof(*replay), GFP_KERNEL);
	if (!replay)
		return -ENOMEM;
	replay->journal = journal;
	replay->start = be32_read(journal->super->sequence);
	error = log_pass(replay, PASS_SCAN);
	if (!error)
		error = log_pass(replay, PASS_REVOKE);
	if (!error)
		error = log_pass(replay, PASS_REPLAY);
	flushed = buffers_sync(volume->device);
	if (!flushed)
		flushed = volume_flush(volume);
	if (!error)
		error = flushed;
	if (!error) {
		if (replay->end != replay->start)
			pr_info("%s: journal replayed: %u transactions, %u blocks, %u revoked\n",
				volume->device->name, replay->end - replay->start, replay->replayed,
				replay->skipped);
		error = journal_super_store(journal, 0, replay->end + 1);
	}
	revocations_free(replay);
	kfree(replay);
	return error;
}
