/* Tags of the journal's descriptors, in their three forms on disk: each says where a copy of a block in the log belongs. */
#include "journal_internal.h"

static u16 be16(u16 value)
{
	return __builtin_bswap16(value);
}

char *log_tag_write(const struct journal *journal, char *at, const struct log_tag *tag)
{
	u32 block = (u32)tag->block, block_hi = (u32)(tag->block >> 32);

	if (journal->checksum_v3) {
		*(struct journal_tag3 *)at =
			(struct journal_tag3){ be32_make(block), be32_make(tag->flags),
					       be32_make(block_hi), be32_make(tag->checksum) };
	} else {
		struct journal_tag *disk = (struct journal_tag *)at;

		disk->block = be32_make(block);
		disk->flags = be16((u16)tag->flags);
		disk->checksum = journal->checksum_v2 ? be16((u16)tag->checksum) : 0;
		if (journal->wide)
			disk->block_hi = be32_make(block_hi);
	}
	at += journal->tag_size;
	if (tag->flags & TAG_SAME_UUID)
		return at;
	memcpy(at, journal->super->uuid, sizeof(journal->super->uuid));
	return at + sizeof(journal->super->uuid);
}

void log_tag_add_flag(const struct journal *journal, char *at, u32 flag)
{
	if (journal->checksum_v3)
		((struct journal_tag3 *)at)->flags |= be32_make(flag);
	else
		((struct journal_tag *)at)->flags |= be16((u16)flag);
}

struct log_tag log_tag_read(const struct journal *journal, const char *at)
{
	struct log_tag tag;
	u32 block_hi = 0;

	if (journal->checksum_v3) {
		const struct journal_tag3 *disk = (const struct journal_tag3 *)at;

		tag = (struct log_tag){ be32_read(disk->block), be32_read(disk->flags),
					be32_read(disk->checksum) };
		if (journal->wide)
			block_hi = be32_read(disk->block_hi);
	} else {
		const struct journal_tag *disk = (const struct journal_tag *)at;

		tag = (struct log_tag){ be32_read(disk->block), be16(disk->flags),
					be16(disk->checksum) };
		if (journal->wide)
			block_hi = be32_read(disk->block_hi);
	}
	tag.block |= (u64)block_hi << 32;
	return tag;
}
