/*
 * Attributes ahead of who asks for them. `ls -l`, find and du read a directory and then ask for its files one after the other; each
 * would take two round trips. So the names that a directory read has told are remembered for a while, and when files are asked for in
 * their order, the next ones are asked for with them, all at once. How many grows as long as it goes on: as read-ahead does for bytes.
 *
 * A client that believes everything goes on whatever the order is, once a part of a directory was asked for; and where one file after the
 * other is asked for that nobody has listed (git status), it reads the directory itself. One that believes nothing does so for the
 * system call that comes next (FRESH_NS): its steps are short, and go by the order alone.
 */
#include "client.h"

#include <kumo/slab.h>
#include <kumo/string.h>

#define AHEAD_FIRST 4
#define AHEAD_MAX 32
#define AHEAD_MAX_STRICT 12 /* of a client that believes nothing */
#define NEAR 16		    /* names within which the next one is in order */
#define PART 8		    /* who asked for this part of a directory will ask for the rest */
#define MISSES_TO_LIST 3    /* files that were asked for, before the directory is read for that */
#define REMEMBERED_MAX (512 * KIB) /* bytes of names, of a client */

/* The names of one answer, as far as they were not asked for yet: a byte of length before each. */
struct listed {
	struct list of_inode, of_client;
	u32 size, at, count;
	u8 names[];
};

/* What is asked for at once. */
struct batch {
	struct name names[AHEAD_MAX];
	struct node *nodes[AHEAD_MAX];
	unsigned int count;
	char texts[AHEAD_MAX][NAME_MAX_LENGTH];
};

/* ---- Remembering ---- */

struct listed *listed_create(u32 room)
{
	struct listed *listed = kmalloc(sizeof(*listed) + room, GFP_USER);

	if (listed)
		listed->size = listed->at = listed->count = 0;
	return listed;
}

void listed_add(struct listed *listed, const char *name, u8 length)
{
	listed->names[listed->size] = length;
	memcpy(listed->names + listed->size + 1, name, length);
	listed->size += 1U + length;
	listed->count++;
}

/* Out of both lists, to be freed. client->lock held. */
static void leave(struct client *client, struct listed *listed, struct list *leaving)
{
	list_del(&listed->of_inode);
	list_del(&listed->of_client);
	client->listed_bytes -= listed->size;
	list_add_tail(leaving, &listed->of_client);
}

static void free_all(struct list *leaving)
{
	while (!list_empty(leaving)) {
		struct listed *listed = list_first(leaving, struct listed, of_client);

		list_del(&listed->of_client);
		kfree(listed);
	}
}

void ahead_remember(struct inode *inode, struct listed *listed, bool begins)
{
	struct client *client = inode->client;
	struct list leaving = LIST_INIT(leaving);
	unsigned long flags = spin_lock_irqsave(&client->lock);

	while (begins && !list_empty(&inode->listed))
		leave(client, list_first(&inode->listed, struct listed, of_inode), &leaving);
	if (begins)
		inode->ahead = inode->missed = inode->listed_count = 0;
	inode->listed_count += listed->count;
	list_add_tail(&inode->listed, &listed->of_inode);
	list_add_tail(&client->listed, &listed->of_client);
	client->listed_bytes += listed->size;
	while (client->listed_bytes > REMEMBERED_MAX)
		leave(client, list_first(&client->listed, struct listed, of_client), &leaving);
	spin_unlock_irqrestore(&client->lock, flags);
	free_all(&leaving);
}

void ahead_forget(struct inode *inode)
{
	struct client *client = inode->client;
	struct list leaving = LIST_INIT(leaving);
	unsigned long flags = spin_lock_irqsave(&client->lock);

	while (!list_empty(&inode->listed))
		leave(client, list_first(&inode->listed, struct listed, of_inode), &leaving);
	spin_unlock_irqrestore(&client->lock, flags);
	free_all(&leaving);
}

/* ---- Choosing what is next ---- */

/* The next name; false: there are no more. client->lock held. */
static bool take_name(struct inode *inode, char *text, struct name *name, struct list *leaving)
{
	struct listed *listed;

	while (!list_empty(&inode->listed)) {
		listed = list_first(&inode->listed, struct listed, of_inode);
		if (listed->at < listed->size) {
			u8 length = listed->names[listed->at];

			memcpy(text, listed->names + listed->at + 1, length);
			*name = name_make(text, length);
			listed->at += 1U + length;
			return true;
		}
		leave(inode->client, listed, leaving);
	}
	return false;
}

/* Goes to behind the name if it is one of the next; false: it is not. client->lock held. */
static bool skip_to(struct inode *inode, const struct name *name)
{
	unsigned int looked = 0;
	struct listed *listed;

	list_for_each(listed, &inode->listed, of_inode)
		for (u32 at = listed->at; at < listed->size; at += 1U + listed->names[at]) {
			if (listed->names[at] == name->length &&
			    !memcmp(listed->names + at + 1, name->text, name->length)) {
				/* Of the answers before it fewer than NEAR names were left. */
				listed->at = at + 1 + name->length;
				return true;
			}
			if (++looked == NEAR)
				return false;
		}
	return false;
}

/* After `name` was asked for: what is to be asked for besides. */
static void choose(struct inode *inode, const struct name *name, struct batch *batch)
{
	struct client *client = inode->client;
	bool loose = client->options.cache == CACHE_LOOSE;
	unsigned int most = loose ? AHEAD_MAX : AHEAD_MAX_STRICT;
	bool goes_on;
	struct list leaving = LIST_INIT(leaving);
	unsigned long flags = spin_lock_irqsave(&client->lock);

	inode->missed++;
	goes_on = skip_to(inode, name) || (loose && inode->missed * PART >= inode->listed_count);
	if (!goes_on)
		inode->ahead = 0;
	while (batch->count < inode->ahead &&
	       take_name(inode, batch->texts[batch->count], &batch->names[batch->count], &leaving))
		batch->count++;
	if (goes_on)
		inode->ahead = min(inode->ahead ? 2 * inode->ahead : AHEAD_FIRST, most);
	spin_unlock_irqrestore(&client->lock, flags);
	free_all(&leaving);
}

/* Are there names that may be asked for? If not, and it seems worth it, reads them. The directory's node->lock is held. */
static bool is_listed(struct node *dir, const struct cred *cred)
{
	struct inode *inode = inode_of(dir);

	if (!list_empty(&inode->listed))
		return true;
	if (inode->client->options.cache != CACHE_LOOSE || inode->listed_count ||
	    ++inode->missed != MISSES_TO_LIST)
		return false;
	directory_list(dir, cred);
	return !list_empty(&inode->listed);
}

void ninep_walk_ahead(struct node *dir, const struct name *name, struct walk_ahead *ahead,
		      const struct cred *cred)
{
	struct inode *inode = inode_of(dir);
	struct batch *batch;

	if (!is_listed(dir, cred))
		return;
	batch = kmalloc(sizeof(*batch), GFP_USER);
	if (!batch)
		return;
	batch->count = 0;
	choose(inode, name, batch);
	if (batch->count)
		walk_siblings(dir, batch->names, batch->count, batch->nodes, cred);
	for (unsigned int i = 0; i < batch->count; i++)
		if (!IS_ERR(batch->nodes[i]))
			ahead->learn(ahead, &batch->names[i], batch->nodes[i]);
	kfree(batch);
}
