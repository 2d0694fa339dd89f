/*
 * The page cache's side: pages are read and written by many messages in flight, as large as the connection carries, with the data
 * beside the message in the pages themselves.
 *
 * A transfer is one message's share of the pages. Servers may answer with less than was asked for; then the rest is asked for
 * again, in a worker, until nothing more comes. Reads end wherever answers come in, writes in a worker, as the page cache wants it.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/page.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>

struct transfer {
	struct work work; /* of a read that goes on; of the end of a write */
	struct request *request;
	struct fid *fid;
	struct node *node; /* of a write: referenced */
	u64 offset;	   /* of the first page */
	u64 end;	   /* of the file, when it began */
	u32 done;	   /* bytes of the pages that are read or written */
	u32 wanted;	   /* of all */
	int error;
	unsigned int count;
	struct page *pages[];
};

static unsigned int pages_at_once(const struct fid *fid)
{
	return max(fid->io_max / (u32)PAGE_SIZE, 1U);
}

/* The part of the transfer's pages that its next message moves, as pieces. */
static u32 fill_pieces(const struct transfer *transfer, struct request *request)
{
	u32 left = min(transfer->wanted - transfer->done, transfer->fid->io_max), at = transfer->done;

	request->piece_bytes = left;
	while (left) {
		u32 within = at % PAGE_SIZE, part = min(left, (u32)PAGE_SIZE - within);
		char *bytes = page_address(transfer->pages[at / PAGE_SIZE]);

		request->pieces[request->piece_count++] = (struct piece){ bytes + within, part };
		at += part;
		left -= part;
	}
	return request->piece_bytes;
}

/* Sends the transfer's next message; `done` is called unless that fails. */
static int transfer_send(struct transfer *transfer, bool write, void (*done)(struct request *request))
{
	struct fid *fid = transfer->fid;
	u32 bytes = min(transfer->wanted - transfer->done, fid->io_max);
	struct ninep_message message = { .type = write ? Twrite : Tread };
	struct request *request;
	int error;

	if (write)
		message.Twrite = (struct ninep_Twrite){ .fid = fid->number,
							.offset = transfer->offset + transfer->done,
							.data = { NULL, bytes } };
	else
		message.Tread = (struct ninep_Tread){ .fid = fid->number,
						      .offset = transfer->offset + transfer->done,
						      .count = bytes };
	request = request_create(&fid->client->connection, &message, REPLY_SMALL,
				 transfer->count + 1, GFP_KERNEL);
	if (IS_ERR(request))
		return (int)PTR_ERR(request);
	request->pieces_in = !write;
	fill_pieces(transfer, request);
	request->done = done;
	request->private = transfer;
	request_add_fid(request, fid);
	transfer->request = request;
	error = request_send(request);
	if (error)
		request_put(request);
	return error;
}

/* Takes the answer: how many bytes more were moved. More than that are asked for if this was not 0. */
static int transfer_take(struct transfer *transfer, struct request *request, u32 *moved)
{
	struct ninep_message reply;
	int error = request_reply(request, &reply);

	*moved = 0;
	if (!error)
		*moved = reply.type == Rread ? reply.Rread.data.length : reply.Rwrite.count;
	if (*moved > request->piece_bytes) {
		connection_fail(request->connection, "more bytes than were asked for");
		error = -EIO;
	}
	request_put(request);
	if (!error)
		transfer->done += *moved;
	return error;
}

static struct transfer *transfer_create(struct fid *fid, struct page **pages, unsigned int count)
{
	struct transfer *transfer = kmalloc(sizeof(*transfer) + count * sizeof(*pages), GFP_KERNEL);
	unsigned long flags;

	if (!transfer)
		return NULL;
	*transfer = (struct transfer){
		.fid = fid_get(fid),
		.offset = pages[0]->index << PAGE_SHIFT,
		.count = count,
	};
	memcpy(transfer->pages, pages, count * sizeof(*pages));
	flags = spin_lock_irqsave(&fid->client->lock);
	fid->client->transfers++;
	spin_unlock_irqrestore(&fid->client->lock, flags);
	return transfer;
}

/* The last of it: the tree may go then. */
static void transfer_free(struct transfer *transfer)
{
	struct client *client = transfer->fid->client;
	unsigned long flags;

	fid_put(transfer->fid);
	kfree(transfer);
	flags = spin_lock_irqsave(&client->lock);
	client->transfers--;
	wake_up_all(&client->connection.tag_wait);
	spin_unlock_irqrestore(&client->lock, flags);
}

/* ---- Reading ---- */

static void read_end(struct transfer *transfer)
{
	u32 done = transfer->done;

	for (unsigned int i = 0; i < transfer->count; i++) {
		u32 here = min(done, (u32)PAGE_SIZE);

		if (here < PAGE_SIZE && !transfer->error)
			memset((char *)page_address(transfer->pages[i]) + here, 0, PAGE_SIZE - here);
		page_read_done(transfer->pages[i], here < PAGE_SIZE ? transfer->error : 0);
		done -= here;
	}
	transfer_free(transfer);
}

static void read_answered(struct request *request);

/* Once it is sent the transfer is no longer the caller's: its answer may be there already. */
static void read_send(struct transfer *transfer)
{
	int error = transfer_send(transfer, false, read_answered);

	if (!error)
		return;
	transfer->error = error;
	read_end(transfer);
}

static void read_on(struct work *work)
{
	struct transfer *transfer = container_of(work, struct transfer, work);

	read_send(transfer);
}

/* Any context. */
static void read_answered(struct request *request)
{
	struct transfer *transfer = request->private;
	u32 moved;

	transfer->error = transfer_take(transfer, request, &moved);
	if (!transfer->error && moved && transfer->done < transfer->wanted &&
	    transfer->offset + transfer->done < transfer->end)
		work_queue(&transfer->work);
	else
		read_end(transfer);
}

static void fail_reads(struct page **pages, unsigned int count, int error)
{
	for (unsigned int i = 0; i < count; i++)
		page_read_done(pages[i], error);
}

static void read_run(struct fid *fid, u64 end, struct page **pages, unsigned int count)
{
	struct transfer *transfer = transfer_create(fid, pages, count);

	if (!transfer) {
		fail_reads(pages, count, -ENOMEM);
		return;
	}
	work_init(&transfer->work, read_on);
	transfer->end = end;
	transfer->wanted = count * (u32)PAGE_SIZE;
	read_send(transfer);
}

void ninep_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	struct fid *fid = inode_open_fid(node, MAY_READ);
	u64 end = node_size(node);
	unsigned int part;

	if (IS_ERR(fid)) {
		fail_reads(pages, count, (int)PTR_ERR(fid));
		return;
	}
	for (; count; pages += part, count -= part) {
		part = min(count, pages_at_once(fid));
		read_run(fid, end, pages, part);
	}
	inode_put_open_fid(fid);
}

/* ---- Writing ---- */

static void write_end(struct transfer *transfer)
{
	struct node *node = transfer->node;

	inode_change_end(node);
	for (unsigned int i = 0; i < transfer->count; i++)
		page_write_done(transfer->pages[i], transfer->error);
	inode_settle(node);
	node_put(node);
	transfer_free(transfer);
}

static void write_answered(struct request *request);

/* The same as read_send(). */
static void write_send(struct transfer *transfer)
{
	int error = transfer_send(transfer, true, write_answered);

	if (!error)
		return;
	transfer->error = error;
	write_end(transfer);
}

static void write_on(struct work *work)
{
	struct transfer *transfer = container_of(work, struct transfer, work);
	u32 moved;

	transfer->error = transfer_take(transfer, transfer->request, &moved);
	if (!transfer->error && transfer->done < transfer->wanted && !moved)
		transfer->error = -EIO;
	if (!transfer->error && transfer->done < transfer->wanted)
		write_send(transfer);
	else
		write_end(transfer);
}

/* Any context; pages are ended in a thread. */
static void write_answered(struct request *request)
{
	struct transfer *transfer = request->private;

	work_queue(&transfer->work);
}

static void fail_writes(struct page **pages, unsigned int count, int error)
{
	for (unsigned int i = 0; i < count; i++)
		page_write_done(pages[i], error);
}

static void write_run(struct node *node, struct fid *fid, struct page **pages, unsigned int count)
{
	struct transfer *transfer = transfer_create(fid, pages, count);
	u64 size = node_size(node);

	if (!transfer) {
		fail_writes(pages, count, -ENOMEM);
		return;
	}
	work_init(&transfer->work, write_on);
	transfer->node = node_get(node);
	transfer->wanted = (u32)min((u64)count * PAGE_SIZE,
				    size > transfer->offset ? size - transfer->offset : 0);
	inode_change_begin(node);
	if (transfer->wanted)
		write_send(transfer);
	else /* behind the end: it was truncated meanwhile */
		write_end(transfer);
}

void ninep_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	struct fid *fid = inode_open_fid(node, MAY_WRITE);
	unsigned int part;

	if (IS_ERR(fid)) {
		fail_writes(pages, count, (int)PTR_ERR(fid));
		return;
	}
	for (; count; pages += part, count -= part) {
		part = min(count, pages_at_once(fid));
		write_run(node, fid, pages, part);
	}
	inode_put_open_fid(fid);
}
