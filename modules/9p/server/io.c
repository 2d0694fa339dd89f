/* Messages that read and write what is open. */
#include "server.h"

#include <kumo/err.h>

int answer_read(struct request *request)
{
	struct ninep_Tread *asked = &request->message.Tread;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	u8 *to = request->out + NINEP_READ_HEAD;
	u32 count = min(asked->count, request->connection->message_size - NINEP_READ_HEAD);
	struct file *file __file_put = NULL;
	loff_t pos = (loff_t)asked->offset;
	struct iter iter;
	ssize_t got;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (READ_ONCE(fid->state) == FID_ATTRIBUTE_READ) {
		got = attribute_read(fid, asked->offset, to, count);
	} else {
		file = fid_file(fid);
		if (IS_ERR(file))
			return (int)PTR_ERR(file);
		if (S_ISDIR(file->node->attr.mode) && request->connection->dialect != NINEP_2000L) {
			got = directory_read(request, fid, file, asked->offset, to, count);
		} else {
			iter_init_kernel(&iter, to, count);
			got = file_read(file, &iter, &pos);
		}
	}
	if (got < 0)
		return (int)got;
	request->reply.Rread.data.length = (u32)got; /* it lies where it belongs */
	return 0;
}

int answer_write(struct request *request)
{
	struct ninep_Twrite *asked = &request->message.Twrite;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct file *file __file_put = NULL;
	loff_t pos = (loff_t)asked->offset;
	struct iter iter;
	ssize_t done;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (READ_ONCE(fid->state) == FID_ATTRIBUTE_WRITE) {
		done = attribute_write(fid, asked->offset, asked->data.bytes, asked->data.length);
	} else {
		file = fid_file(fid);
		if (IS_ERR(file))
			return (int)PTR_ERR(file);
		iter_init_kernel(&iter, asked->data.bytes, asked->data.length);
		done = file_write(file, &iter, &pos);
	}
	if (done < 0)
		return (int)done;
	request->reply.Rwrite.count = (u32)done;
	return 0;
}

int answer_fsync(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Tfsync.fid);
	struct file *file __file_put = NULL;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	file = fid_file(fid);
	return IS_ERR(file) ? (int)PTR_ERR(file) : file_sync(file, request->message.Tfsync.datasync);
}
