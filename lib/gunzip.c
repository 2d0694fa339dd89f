/*
 * gzip data and zlib's own, unpacked by zlib's inflate (RFC 1950, 1951, 1952), which is built from Debian's source package with the kernel's
 * flags. What is here lends it memory and feeds it; zlib checks the length and the CRC at the member's end.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/gunzip.h>
#include <kumo/slab.h>
#include <zlib.h>

#define OUTPUT_SIZE (32 * KIB)
#define WINDOW_BITS_GZIP (15 + 16) /* the largest window; gzip's header and no other */
#define INPUT_MAX (1UL << 30)	   /* zlib counts in unsigned int */

static voidpf lend(voidpf opaque, uInt items, uInt size)
{
	return kmalloc((size_t)items * size, GFP_KERNEL);
}

static void take_back(voidpf opaque, voidpf address)
{
	kfree(address);
}

int gunzip(const void *in, size_t in_size, int (*sink)(void *arg, const void *data, size_t size),
	   void *arg, size_t *consumed)
{
	z_stream stream = { .zalloc = lend, .zfree = take_back, .next_in = (z_const Bytef *)in };
	size_t left = in_size;
	int error = 0;
	int state;
	u8 *out;

	out = kmalloc(OUTPUT_SIZE, GFP_KERNEL);
	if (!out)
		return -ENOMEM;
	if (inflateInit2(&stream, WINDOW_BITS_GZIP) != Z_OK) {
		error = -ENOMEM;
		goto free_out;
	}
	do {
		if (!stream.avail_in) {
			stream.avail_in = min(left, INPUT_MAX);
			left -= stream.avail_in;
		}
		stream.next_out = out;
		stream.avail_out = OUTPUT_SIZE;
		state = inflate(&stream, Z_NO_FLUSH);
		if (state != Z_OK && state != Z_STREAM_END) {
			error = state == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
			break;
		}
		if (stream.avail_out < OUTPUT_SIZE)
			error = sink(arg, out, OUTPUT_SIZE - stream.avail_out);
	} while (!error && state != Z_STREAM_END);
	if (!error)
		*consumed = in_size - left - stream.avail_in;
	inflateEnd(&stream);
free_out:
	kfree(out);
	return error;
}

ssize_t unzlib(const void *in, size_t in_size, void *out, size_t out_size)
{
	z_stream stream = { .zalloc = lend,
			    .zfree = take_back,
			    .next_in = (z_const Bytef *)in,
			    .avail_in = (uInt)min(in_size, INPUT_MAX),
			    .next_out = out,
			    .avail_out = (uInt)min(out_size, INPUT_MAX) };
	int state;

	if (inflateInit(&stream) != Z_OK)
		return -ENOMEM;
	state = inflate(&stream, Z_FINISH);
	inflateEnd(&stream);
	if (state == Z_STREAM_END)
		return (ssize_t)stream.total_out;
	return state == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
}
EXPORT_SYMBOL(unzlib);
