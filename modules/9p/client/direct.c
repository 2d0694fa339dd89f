/*
 * Past the page cache: O_DIRECT, and all reads and writes of a client that believes nothing. The bytes go through pages of the
 * kernel's own, so that neither a fault nor a program's end stands in the way of the device; up to WINDOW messages are in flight.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/page.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/writeback.h>

enum { WINDOW = 8 };
#define PART_MAX (256U * 1024) /* bytes of a message */
#define ZEROS_SIZE 8192

static void release_pages(struct request *request)
{
	for (unsigned int i = 0; i < request->piece_count; i++)
		page_put(virt_to_page(request->pieces[i].data));
}

/* Memory for the data of a message. */
static int add_pages(struct request *request, u32 bytes)
{
	request->release = release_pages;
	for (u32 at = 0; at < bytes; at += PAGE_SIZE) {
		struct page *page = page_alloc(0, GFP_USER);

		if (!page)
			return -ENOMEM;
		request->pieces[request->piece_count++] =
			(struct piece){ page_address(page), min(bytes - at, (u32)PAGE_SIZE) };
		request->piece_bytes += request->pieces[request->piece_count - 1].size;
	}
	return 0;
}

static int copy_in(struct request *request, struct iter *from)
{
	for (unsigned int i = 0; i < request->piece_count; i++)
		if (iter_copy_from(from, request->pieces[i].data, request->pieces[i].size) <
		    request->pieces[i].size)
			return -EFAULT;
	return 0;
}

/* The first `bytes` of the answer; how many could be copied. */
static size_t copy_out(struct request *request, struct iter *to, u32 bytes)
{
	size_t done = 0;

	for (unsigned int i = 0; i < request->piece_count && done < bytes; i++) {
		size_t part = min((size_t)request->pieces[i].size, bytes - done);
		size_t copied = iter_copy_to(to, request->pieces[i].data, part);

		done += copied;
		if (copied < part)
			break;
	}
	return done;
}

/* Sends one message for `bytes` at the offset. ERR_PTR. */
static struct request *part_begin(struct fid *fid, struct iter *iter, u64 offset, u32 bytes, bool write)
{
	struct ninep_message message = { .type = write ? Twrite : Tread };
	struct request *request;
	int error;

	if (write)
		message.Twrite = (struct ninep_Twrite){ fid->number, offset, { NULL, bytes } };
	else
		message.Tread = (struct ninep_Tread){ fid->number, offset, bytes };
	request = request_create(&fid->client->connection, &message, REPLY_SMALL,
				 (unsigned int)DIV_ROUND_UP(bytes, PAGE_SIZE), GFP_KERNEL);
	if (IS_ERR(request))
		return request;
	request->pieces_in = !write;
	request_add_fid(request, fid);
	error = add_pages(request, bytes);
	if (!error && write)
		error = copy_in(request, iter);
	if (!error)
		error = request_send(request);
	if (!error)
		return request;
	request_put(request);
	return ERR_PTR(error);
}

/* Waits for one: the bytes that it moved, or a negative errno. */
static ssize_t part_end(struct request *request, struct iter *iter)
{
	struct ninep_message reply;
	int error = request_wait(request);
	u32 moved = 0;
	size_t copied;

	if (!error)
		error = request_reply(request, &reply);
	if (!error) {
		moved = reply.type == Rread ? reply.Rread.data.length : reply.Rwrite.count;
		if (moved > request->piece_bytes) {
			connection_fail(request->connection, "more bytes than were asked for");
			error = -EIO;
		}
	}
	if (!error && request->pieces_in) {
		copied = copy_out(request, iter, moved);
		error = !copied && moved ? -EFAULT : 0;
		moved = (u32)copied;
	}
	request_put(request);
	return error ? error : (ssize_t)moved;
}

struct window {
	struct request *requests[WINDOW];
	u32 bytes[WINDOW];
	unsigned int first, count;
	u64 sent; /* bytes */
};

/* Sends as many as may be in flight. An error is for when those before it are done. */
static int window_fill(struct window *window, struct fid *fid, struct iter *iter, u64 pos,
		       u64 total, bool write)
{
	while (window->count < WINDOW && window->sent < total) {
		unsigned int slot = (window->first + window->count) % WINDOW;
		u32 bytes = (u32)min(total - window->sent, (u64)min(fid->io_max, PART_MAX));
		struct request *request = part_begin(fid, iter, pos + window->sent, bytes, write);

		if (IS_ERR(request))
			return (int)PTR_ERR(request);
		window->requests[slot] = request;
		window->bytes[slot] = bytes;
		window->sent += bytes;
		window->count++;
	}
	return 0;
}

/* What is still in flight behind a short answer counts for nothing. -EINTR: killed, and it was left behind. */
static int window_drain(struct window *window)
{
	int error = 0;

	for (; window->count; window->count--, window->first = (window->first + 1) % WINDOW) {
		struct request *request = window->requests[window->first];

		if (request_wait(request) == -EINTR)
			error = -EINTR;
		request_put(request);
	}
	return error;
}

static ssize_t transfer(struct fid *fid, struct iter *iter, u64 pos, bool write)
{
	struct window window = {};
	u64 total = iter->count;
	ssize_t done = 0, moved = 0;
	int error;

	do {
		unsigned int slot = window.first;

		error = window_fill(&window, fid, iter, pos, total, write);
		if (!window.count)
			break;
		window.first = (slot + 1) % WINDOW;
		window.count--;
		moved = part_end(window.requests[slot], iter);
		if (moved > 0)
			done += moved;
		if (moved < (ssize_t)window.bytes[slot])
			break;
	} while ((u64)done < total);
	if (window_drain(&window) == -EINTR && !done)
		return -EINTR;
	if (done)
		return done;
	return moved < 0 ? moved : error;
}

ssize_t ninep_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	struct node *node = file->node;
	ssize_t done;

	if (!write)
		return transfer(handle_of(file)->fid, iter, (u64)pos, false);
	inode_change_begin(node);
	done = transfer(handle_of(file)->fid, iter, (u64)pos, true);
	if (done > 0 && (u64)(pos + done) > node_size(node))
		node_set_size(node, (u64)(pos + done));
	inode_change_end(node);
	if (done > 0)
		node_touch(node, false, true, true);
	return done;
}

int write_zeros(struct node *node, u64 from, u64 to)
{
	u64 start = to > from ? to - 1 : to, end = max(from, to);
	void *zeros = kzalloc(ZEROS_SIZE, GFP_KERNEL);
	struct fid *fid = zeros ? inode_open_fid(node, MAY_WRITE) : ERR_PTR(-ENOMEM);
	ssize_t moved = 0;

	if (IS_ERR(fid)) {
		kfree(zeros);
		return (int)PTR_ERR(fid);
	}
	while (start < end && moved >= 0) {
		struct iter iter;

		iter_init_kernel(&iter, zeros, min(end - start, (u64)ZEROS_SIZE));
		moved = transfer(fid, &iter, start, true);
		if (!moved)
			moved = -EIO;
		start += moved > 0 ? (u64)moved : 0;
	}
	inode_put_open_fid(fid);
	kfree(zeros);
	return moved < 0 ? (int)moved : 0;
}

/* ---- Clients that believe nothing ---- */

/* What stores through mappings left in the cache comes first. */
static int sync_range(struct node *node, loff_t pos, size_t count)
{
	if (!inode_is_dirty(node) || !count)
		return 0;
	return page_cache_sync(node->cache, (u64)pos >> PAGE_SHIFT,
			       ((u64)pos + count - 1) >> PAGE_SHIFT);
}

ssize_t ninep_read(struct file *file, struct iter *to, loff_t *pos)
{
	ssize_t result = sync_range(file->node, *pos, to->count);

	/* The end of a file without names is known here alone. */
	if (!file->node->attr.nlink)
		to->count = min((u64)to->count,
				node_size(file->node) - min(node_size(file->node), (u64)*pos));
	if (!result && to->count)
		result = ninep_direct(file, to, *pos, false);
	if (result > 0)
		*pos += result;
	return result;
}

ssize_t ninep_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct node *node = file->node;
	ssize_t result = sync_range(node, *pos, from->count);

	if (!result)
		result = ninep_direct(file, from, *pos, true);
	if (result <= 0)
		return result;
	if (smp_load_acquire(&node->cache))
		page_cache_drop(node->cache, (u64)*pos, (u64)(*pos + result));
	*pos += result;
	return result;
}
