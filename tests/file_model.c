/*
 * Random operations on files, checked against a model of their bytes in memory:
 *
 *	file_model [-s SEED] [-n STEPS] [-t THREADS] [DIRECTORY]
 *
 * Each thread has files of its own, on which it does whatever a program can do to bytes, sizes and names, and knows after
 * each call what the file must hold. Beside that all threads work on one shared file, each on stripes of its own that
 * share pages with the others', while one of them moves the file's end. The same seed gives the same calls. The directory
 * may be of any format: what it cannot do is said once and left out.
 *
 * seconds: 180
 */
#include "file_model.h"

/* ---- Operations. Each returns false if the format does not have it (errno says why). ---- */

static bool do_write(struct worker *w, struct file *file)
{
	long at, length, done;

	pick_range(w, &at, &length);
	fill(w, w->buffer, length);
	note(w, "%s: write %ld at %ld of %ld", file->name, length, at, file->size);
	switch (chance(w, 3)) {
	case 0:
		done = pwrite(file->fd, w->buffer, length, file->base + at);
		break;
	case 1:
		expect(w, "lseek", lseek(file->fd, file->base + at, SEEK_SET), file->base + at);
		done = write(file->fd, w->buffer, length);
		expect(w, "the position", lseek(file->fd, 0, SEEK_CUR), file->base + at + length);
		break;
	default: {
		struct iovec parts[3] = { { w->buffer, length / 3 },
					  { w->buffer + length / 3, 0 },
					  { w->buffer + length / 3, length - length / 3 } };

		done = pwritev(file->fd, parts, 3, file->base + at);
	}
	}
	expect(w, "write", done, length);
	model_write(file, at, w->buffer, length);
	return true;
}

static bool do_append(struct worker *w, struct file *file)
{
	long room = FILE_SIZE_MAX - file->size;
	long length = chance(w, 2 * PAGE);

	if (length > room)
		length = room > 0 ? room : 0;
	fill(w, w->buffer, length);
	note(w, "%s: append %ld to %ld", file->name, length, file->size);
	expect(w, "append", write(file->append_fd, w->buffer, length), length);
	model_write(file, file->size, w->buffer, length);
	if (length)
		expect(w, "the position", lseek(file->append_fd, 0, SEEK_CUR), file->base + file->size);
	return true;
}

static bool do_read(struct worker *w, struct file *file)
{
	long at, length, done;

	pick_range(w, &at, &length);
	note(w, "%s: read %ld at %ld of %ld", file->name, length, at, file->size);
	switch (chance(w, 3)) {
	case 0:
		done = pread(file->fd, w->buffer, length, file->base + at);
		break;
	case 1:
		expect(w, "lseek", lseek(file->fd, file->base + at, SEEK_SET), file->base + at);
		done = read(file->fd, w->buffer, length);
		break;
	default: {
		struct iovec parts[2] = { { w->buffer, length / 2 },
					  { w->buffer + length / 2, length - length / 2 } };

		done = preadv(file->fd, parts, 2, file->base + at);
	}
	}
	expect(w, "read", done, bytes_from(file, at, length));
	compare(w, "read", w->buffer, file->bytes + at, at, done);
	return true;
}

static bool do_direct(struct worker *w, struct file *file)
{
	bool writes = chance(w, 2);
	long at, length, done;

	if (file->direct_fd < 0) {
		errno = EINVAL;
		return false;
	}
	pick_range(w, &at, &length);
	at -= at % direct_unit;
	length -= length % direct_unit;
	note(w, "%s: direct %s %ld at %ld of %ld", file->name, writes ? "write" : "read", length,
	     at, file->size);
	if (writes) {
		fill(w, w->buffer, length);
		done = pwrite(file->direct_fd, w->buffer, length, file->base + at);
	} else {
		done = pread(file->direct_fd, w->buffer, length, file->base + at);
	}
	if (done < 0 && errno == EINVAL && direct_unit < PAGE) {
		direct_unit = PAGE; /* the device has larger blocks */
		return true;
	}
	expect(w, "direct", done, writes ? length : bytes_from(file, at, length));
	if (writes)
		model_write(file, at, w->buffer, length);
	else
		compare(w, "direct read", w->buffer, file->bytes + at, at, done);
	return true;
}

static bool do_truncate(struct worker *w, struct file *file)
{
	long size = chance(w, 3) ? chance(w, FILE_SIZE_MAX + 1) : chance(w, file->size + 1);

	note(w, "%s: truncate %ld to %ld", file->name, file->size, size);
	expect(w, "truncate",
	       file->name[0] && chance(w, 2) ? truncate(file->name, file->base + size)
					     : ftruncate(file->fd, file->base + size),
	       0);
	model_resize(file, size);
	return true;
}

static void on_bus_error(int number)
{
	siglongjmp(bus_jump, number);
}

/* A page wholly beyond the end is not there. */
static void touch_beyond(struct worker *w, struct file *file)
{
	long page = (file->size + PAGE - 1) / PAGE * PAGE;

	note(w, "%s: touch %ld of %ld", file->name, page, file->size);
	if (page >= FILE_SIZE_MAX)
		return;
	if (!sigsetjmp(bus_jump, 1))
		wrong(w, "a page at %ld beyond the end at %ld has %02x", page, file->size,
		      *(volatile unsigned char *)(file->map + page));
}

static bool do_map(struct worker *w, struct file *file)
{
	long at, length, end = file->size;

	if (!file->map) {
		file->map = mmap(NULL, FILE_SIZE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
				 file->base);
		if (file->map == MAP_FAILED) {
			file->map = NULL;
			return false;
		}
	}
	pick_range(w, &at, &length);
	length = bytes_from(file, at, length);
	note(w, "%s: mapped %ld at %ld of %ld", file->name, length, at, file->size);
	compare(w, "a mapping", file->map + at, file->bytes + at, at, length);
	if (chance(w, 2)) {
		fill(w, file->bytes + at, length);
		memcpy(file->map + at, file->bytes + at, length);
		note(w, "... stored there");
	}
	for (long i = end; i % PAGE; i++)
		if (file->map[i])
			wrong(w, "byte %ld behind the end at %ld is %02x in a mapping", i, end,
			      file->map[i]);
	if (!chance(w, 8))
		touch_beyond(w, file);
	if (!chance(w, 4))
		expect(w, "msync",
		       msync(file->map, FILE_SIZE_MAX, chance(w, 2) ? MS_SYNC : MS_ASYNC), 0);
	if (!chance(w, 6)) {
		munmap(file->map, FILE_SIZE_MAX);
		file->map = NULL;
	}
	return true;
}

/* What is stored in a private mapping is nobody else's, and stays when the file changes. */
static bool do_map_private(struct worker *w, struct file *file)
{
	unsigned char *map;
	long at, length;

	pick_range(w, &at, &length);
	length = bytes_from(file, at, length);
	note(w, "%s: privately mapped %ld at %ld of %ld", file->name, length, at, file->size);
	if (!length)
		return true;
	map = mmap(NULL, FILE_SIZE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->fd, file->base);
	if (map == MAP_FAILED)
		return false;
	compare(w, "a private mapping", map + at, file->bytes + at, at, length);
	fill(w, w->buffer, length);
	memcpy(map + at, w->buffer, length);
	expect(w, "pread", pread(file->fd, w->buffer + length, 0, file->base), 0);
	compare(w, "a private mapping that was written", map + at, w->buffer, at, length);
	munmap(map, FILE_SIZE_MAX);
	expect(w, "pread", pread(file->fd, w->buffer, length, file->base + at), length);
	compare(w, "read behind a private mapping", w->buffer, file->bytes + at, at, length);
	return true;
}

static bool do_fallocate(struct worker *w, struct file *file, int mode, const char *name)
{
	long at, length, inside;

	pick_range(w, &at, &length);
	if (!length)
		return true;
	note(w, "%s: %s %ld at %ld of %ld, mode %d", file->name, name, length, at, file->size, mode);
	if (fallocate(file->fd, mode, file->base + at, length)) {
		if (errno != EOPNOTSUPP)
			wrong(w, "fallocate %d", mode);
		return false;
	}
	inside = bytes_from(file, at, length);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		memset(file->bytes + at, 0, inside);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && file->size < at + length)
		model_resize(file, at + length);
	return true;
}

static bool do_punch(struct worker *w, struct file *file)
{
	return do_fallocate(w, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, "punch");
}

static bool do_zero(struct worker *w, struct file *file)
{
	return do_fallocate(w, file,
			    FALLOC_FL_ZERO_RANGE | (chance(w, 2) ? FALLOC_FL_KEEP_SIZE : 0), "zero");
}

static bool do_allocate(struct worker *w, struct file *file)
{
	return do_fallocate(w, file, chance(w, 2) ? FALLOC_FL_KEEP_SIZE : 0, "allocate");
}

static bool do_copy(struct worker *w, struct file *file)
{
	struct file *to = &w->files[chance(w, FILES)];
	bool send = chance(w, 2);
	long from_at, to_at, length, ignored, done = 0;
	off_t in, out;

	pick_range(w, &from_at, &length);
	pick_range(w, &to_at, &ignored);
	if (length > FILE_SIZE_MAX - to_at)
		length = FILE_SIZE_MAX - to_at;
	if (to == file && labs(from_at - to_at) < length)
		return true; /* overlapping */
	length = bytes_from(file, from_at, length);
	note(w, "%s: copy %ld at %ld to %s at %ld", file->name, length, from_at, to->name, to_at);
	in = file->base + from_at;
	out = to->base + to_at;
	if (send)
		expect(w, "lseek", lseek(to->fd, out, SEEK_SET), out);
	while (done < length) {
		long got = send ? sendfile(to->fd, file->fd, &in, length - done)
				: copy_file_range(file->fd, &in, to->fd, &out, length - done, 0);

		if (got < 0 && !done && (errno == EOPNOTSUPP || errno == ENOSYS))
			return false;
		if (got <= 0)
			wrong(w, "copying %ld gives %ld after %ld", length, got, done);
		done += got;
	}
	model_write(to, to_at, file->bytes + from_at, length);
	return true;
}

/* ---- Names ---- */

static void new_name(struct worker *w, char *name)
{
	int length = snprintf(name, 64, "file-%d-%d.", w->number, w->names++);

	for (long more = chance(w, 3) ? 0 : chance(w, 150); more > 0; more--)
		name[length++] = 'a' + chance(w, 26);
	name[length] = 0;
}

static void file_open(struct worker *w, struct file *file, int flags)
{
	file->fd = open(file->name, O_RDWR | flags, 0600);
	file->append_fd = open(file->name, O_WRONLY | O_APPEND);
	file->direct_fd = open(file->name, O_RDWR | O_DIRECT);
	if (file->fd < 0 || file->append_fd < 0 || (file->direct_fd < 0 && errno != EINVAL))
		wrong(w, "open %s", file->name);
}

static void file_close(struct file *file)
{
	close(file->fd);
	close(file->append_fd);
	if (file->direct_fd >= 0)
		close(file->direct_fd);
	if (file->map)
		munmap(file->map, FILE_SIZE_MAX);
	file->map = NULL;
}

static void file_create(struct worker *w, struct file *file)
{
	new_name(w, file->name);
	note(w, "%s: create", file->name);
	file_open(w, file, O_CREAT | O_EXCL);
	model_resize(file, 0);
	if (file->base && ftruncate(file->fd, file->base)) {
		if (errno != EFBIG)
			wrong(w, "make a large file");
		file->base = 0;
	}
}

static void same_file(struct worker *w, struct file *file)
{
	struct stat by_name, by_fd;

	if (stat(file->name, &by_name) || fstat(file->fd, &by_fd))
		wrong(w, "stat %s", file->name);
	if (by_name.st_ino != by_fd.st_ino || by_name.st_size != by_fd.st_size)
		wrong(w, "%s is inode %lu of %ld bytes, open is %lu of %ld", file->name,
		      (unsigned long)by_name.st_ino, (long)by_name.st_size,
		      (unsigned long)by_fd.st_ino, (long)by_fd.st_size);
}

static bool do_rename(struct worker *w, struct file *file)
{
	struct file *over = &w->files[chance(w, FILES)];
	char old[sizeof(file->name)];

	if (!file->name[0] || over == file)
		return true;
	strcpy(old, file->name);
	if (over->name[0] && !chance(w, 3)) {
		strcpy(file->name, over->name);
		over->name[0] = 0;
	} else {
		new_name(w, file->name);
	}
	note(w, "%s: rename to %s", old, file->name);
	expect(w, "rename", rename(old, file->name), 0);
	same_file(w, file);
	if (!access(old, F_OK) || errno != ENOENT)
		wrong(w, "%s is still there", old);
	return true;
}

static bool do_link(struct worker *w, struct file *file)
{
	char other[sizeof(file->name)];

	if (!file->name[0])
		return true;
	new_name(w, other);
	note(w, "%s: link %s", file->name, other);
	if (link(file->name, other)) {
		if (errno != EPERM && errno != EOPNOTSUPP)
			wrong(w, "link");
		return false;
	}
	expect(w, "unlink", unlink(file->name), 0);
	strcpy(file->name, other);
	same_file(w, file);
	return true;
}

static bool do_unlink(struct worker *w, struct file *file)
{
	note(w, "%s: unlink", file->name);
	if (!file->name[0])
		return true;
	expect(w, "unlink", unlink(file->name), 0);
	file->name[0] = 0;
	return true;
}

static bool do_reopen(struct worker *w, struct file *file)
{
	file_close(file);
	if (!file->name[0]) {
		file_create(w, file);
		return true;
	}
	if (chance(w, 6)) {
		note(w, "%s: open again", file->name);
		file_open(w, file, 0);
	} else {
		note(w, "%s: open again and empty it", file->name);
		file_open(w, file, O_TRUNC);
		model_resize(file, 0);
		expect(w, "ftruncate", ftruncate(file->fd, file->base), 0);
	}
	return true;
}

/* ---- Caches, and looks at everything ---- */

static void sync_somehow(struct worker *w, int fd)
{
	switch (chance(w, 5)) {
	case 0:
		expect(w, "fsync", fsync(fd), 0);
		break;
	case 1:
		expect(w, "fdatasync", fdatasync(fd), 0);
		break;
	case 2:
		expect(w, "sync_file_range",
		       sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER),
		       0);
		break;
	case 3:
		expect(w, "fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		break;
	default:
		if (!chance(w, 8))
			expect(w, "syncfs", syncfs(fd), 0);
	}
}

static bool do_sync(struct worker *w, struct file *file)
{
	note(w, "%s: sync", file->name);
	sync_somehow(w, file->fd);
	return true;
}

static bool do_drop(struct worker *w, struct file *file)
{
	note(w, "drop caches");
	if (drop_fd < 0) {
		errno = EACCES;
		return false;
	}
	expect(w, "drop_caches", pwrite(drop_fd, chance(w, 2) ? "1" : "3", 1, 0), 1);
	return true;
}

/* Holes are zeros, they and data take turns, and the last ends with the file. */
static void check_holes(struct worker *w, struct file *file)
{
	long at = 0;

	while (at < file->size) {
		off_t data = lseek(file->fd, file->base + at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			data = file->base + file->size; /* the rest is one hole */
		if (data < file->base + at || data > file->base + file->size)
			wrong(w, "data after %ld are at %ld", at, (long)(data - file->base));
		for (; file->base + at < data; at++)
			if (file->bytes[at])
				wrong(w, "byte %ld of %ld is in a hole up to %ld", at, file->size,
				      (long)(data - file->base));
		if (at == file->size)
			return;
		hole = lseek(file->fd, data, SEEK_HOLE);
		if (hole <= data || hole > file->base + file->size)
			wrong(w, "the hole after %ld is at %ld", at, (long)(hole - file->base));
		at = hole - file->base;
	}
	if (lseek(file->fd, file->base + file->size, SEEK_DATA) >= 0 || errno != ENXIO)
		wrong(w, "there are data behind the end at %ld", file->size);
}

static bool do_check(struct worker *w, struct file *file)
{
	struct stat st;

	note(w, "%s: check", file->name);
	if (fstat(file->fd, &st))
		wrong(w, "fstat");
	expect(w, "the size", st.st_size - file->base, file->size);
	check_holes(w, file);
	expect(w, "pread", pread(file->fd, w->buffer, FILE_SIZE_MAX, file->base), file->size);
	compare(w, "reading all", w->buffer, file->bytes, 0, file->size);
	if (file->name[0])
		same_file(w, file);
	return true;
}

static struct operation {
	const char *name;
	int weight;
	bool (*run)(struct worker *w, struct file *file);
	_Atomic bool absent;
} operations[] = {
	{ "write", 12, do_write },
	{ "append", 4, do_append },
	{ "read", 10, do_read },
	{ "direct I/O", 6, do_direct },
	{ "truncate", 7, do_truncate },
	{ "shared mapping", 10, do_map },
	{ "private mapping", 3, do_map_private },
	{ "punch", 5, do_punch },
	{ "zero range", 4, do_zero },
	{ "allocate", 4, do_allocate },
	{ "copy", 5, do_copy },
	{ "rename", 3, do_rename },
	{ "link", 2, do_link },
	{ "unlink", 1, do_unlink },
	{ "reopen", 2, do_reopen },
	{ "sync", 3, do_sync },
	{ "drop caches", 1, do_drop },
	{ "check", 3, do_check },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static struct operation *pick_operation(struct worker *w)
{
	long total = 0, at;

	for (size_t i = 0; i < OPERATIONS; i++)
		total += operations[i].weight;
	at = chance(w, total);
	for (struct operation *each = operations;; each++)
		if ((at -= each->weight) < 0)
			return each;
}

/* ---- The shared file ---- */

/* Bytes of one of the worker's own stripes. */
static void pick_stripe(struct worker *w, long *at, long *length)
{
	long stripes = SHARED_SIZE / STRIPE / worker_count;

	*at = (chance(w, stripes) * worker_count + w->number) * STRIPE + chance(w, STRIPE);
	*length = 1 + chance(w, STRIPE - *at % STRIPE);
}

static void shared_check(struct worker *w)
{
	long got = pread(w->shared_fd, w->buffer, SHARED_SIZE, 0);

	expect(w, "read of the shared file", got, SHARED_SIZE);
	for (long at = w->number * STRIPE; at + STRIPE <= SHARED_SIZE; at += worker_count * STRIPE)
		compare(w, "read of the shared file", w->buffer + at, shared_bytes + at, at, STRIPE);
}

/* The first worker's: the end of the file moves, the stripes stay where they are. */
static void shared_tail(struct worker *w)
{
	long old = shared_size, length;

	if (chance(w, 2)) {
		shared_size = SHARED_SIZE + chance(w, SHARED_TAIL);
		expect(w, "ftruncate", ftruncate(w->shared_fd, shared_size), 0);
		if (shared_size < old)
			memset(shared_bytes + shared_size, 0, old - shared_size);
	} else {
		length = chance(w, SHARED_SIZE + SHARED_TAIL - old + 1);
		fill(w, shared_bytes + old, length);
		expect(w, "pwrite", pwrite(w->shared_fd, shared_bytes + old, length, old), length);
		shared_size += length;
	}
	length = pread(w->shared_fd, w->buffer, SHARED_TAIL + PAGE, SHARED_SIZE);
	expect(w, "read of the tail", length, shared_size - SHARED_SIZE);
	compare(w, "read of the tail", w->buffer, shared_bytes + SHARED_SIZE, SHARED_SIZE, length);
}

static void shared_step(struct worker *w)
{
	long at, length;

	pick_stripe(w, &at, &length);
	note(w, "shared: %ld at %ld", length, at);
	switch (chance(w, 8)) {
	case 0:
	case 1:
		fill(w, shared_bytes + at, length);
		expect(w, "pwrite", pwrite(w->shared_fd, shared_bytes + at, length, at), length);
		break;
	case 2:
	case 3:
		compare(w, "a mapping of the shared file", w->shared_map + at, shared_bytes + at,
			at, length);
		fill(w, shared_bytes + at, length);
		memcpy(w->shared_map + at, shared_bytes + at, length);
		break;
	case 4:
		if (!fallocate(w->shared_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length))
			memset(shared_bytes + at, 0, length);
		else if (errno != EOPNOTSUPP)
			wrong(w, "punch %ld at %ld of the shared file", length, at);
		break;
	case 5:
		shared_check(w);
		break;
	case 6:
		sync_somehow(w, w->shared_fd);
		break;
	default:
		if (w->number == 0)
			shared_tail(w);
	}
}

static void shared_open(struct worker *w)
{
	w->shared_fd = open("shared", O_RDWR);
	if (w->shared_fd < 0)
		wrong(w, "open shared");
	w->shared_map = mmap(NULL, SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, w->shared_fd, 0);
	if (w->shared_map == MAP_FAILED)
		wrong(w, "map shared");
}

/* ---- Workers ---- */

static void worker_begin(struct worker *w)
{
	w->buffer = aligned_alloc(PAGE, FILE_SIZE_MAX);
	if (!w->buffer)
		wrong(w, "memory");
	for (int i = 0; i < FILES; i++) {
		struct file *file = &w->files[i];

		file->bytes = calloc(1, FILE_SIZE_MAX);
		if (!file->bytes)
			wrong(w, "memory");
		file->base = i % 2 ? FAR_BASE : 0;
		file_create(w, file);
	}
	shared_open(w);
}

/* Once more from the disk; then everything goes. */
static void worker_end(struct worker *w)
{
	for (int i = 0; i < FILES; i++) {
		struct file *file = &w->files[i];

		expect(w, "fsync", fsync(file->fd), 0);
		if (drop_fd >= 0)
			do_drop(w, file);
		do_check(w, file);
		if (file->name[0])
			expect(w, "unlink", unlink(file->name), 0);
		file_close(file);
		free(file->bytes);
	}
	shared_check(w);
	munmap(w->shared_map, SHARED_SIZE);
	close(w->shared_fd);
	free(w->buffer);
}

static void *worker_run(void *argument)
{
	struct worker *w = argument;

	worker_begin(w);
	for (w->step = 0; w->step < steps; w->step++) {
		struct file *file = &w->files[chance(w, FILES)];
		struct operation *operation = pick_operation(w);

		if (!operation->absent && !operation->run(w, file)) {
			if (!atomic_exchange(&operation->absent, true))
				printf("# no %s here: %s\n", operation->name, strerror(errno));
		}
		if (w->step % CHECK_EVERY == 0)
			do_check(w, file);
		if (w->step % SHARED_EVERY == 0)
			shared_step(w);
	}
	worker_end(w);
	return NULL;
}

static void start_all(void)
{
	int fd = open("shared", O_CREAT | O_RDWR | O_TRUNC, 0600);

	shared_size = SHARED_SIZE;
	shared_bytes = calloc(1, SHARED_SIZE + SHARED_TAIL + PAGE);
	workers = calloc(worker_count, sizeof(*workers));
	if (fd < 0 || ftruncate(fd, shared_size) || !shared_bytes || !workers) {
		printf("Bail out! %s\n", strerror(errno));
		exit(1);
	}
	close(fd);
	for (int i = 0; i < worker_count; i++) {
		workers[i].number = i;
		workers[i].random = (seed + 1) * 0x9e3779b97f4a7c15u ^ (i + 1) * 0xbf58476d1ce4e5b9u;
		if (pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]))
			wrong(&workers[i], "pthread_create");
	}
}

/* Told to end: where everybody is. */
static void on_end(int number)
{
	for (int i = 0; i < worker_count; i++)
		printf("# thread %d, step %ld: %s\n", i, workers[i].step,
		       workers[i].notes[(workers[i].note_count + NOTES - 1) % NOTES]);
	fflush(stdout);
	_exit(128 + number);
}

static int files_left(void)
{
	DIR *here = opendir(".");
	struct dirent *entry;
	int count = 0;

	while (here && (entry = readdir(here)))
		count += !strncmp(entry->d_name, "file-", 5);
	closedir(here);
	return count;
}

int main(int count, char **words)
{
	struct sigaction action = { .sa_handler = on_bus_error };
	int option;

	while ((option = getopt(count, words, "s:n:t:")) != -1) {
		if (option == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (option == 'n')
			steps = strtol(optarg, NULL, 0);
		else if (option == 't')
			worker_count = strtol(optarg, NULL, 0);
		else
			return 2;
	}
	if (words[optind] && chdir(words[optind])) {
		printf("Bail out! %s: %s\n", words[optind], strerror(errno));
		return 1;
	}
	sigaction(SIGBUS, &action, NULL);
	signal(SIGTERM, on_end);
	drop_fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	start_all();
	for (int i = 0; i < worker_count; i++)
		pthread_join(workers[i].thread, NULL);
	tap_ok(1, "files hold what was written, %d threads of %ld steps from seed %lu",
	       worker_count, steps, (unsigned long)seed);
	tap_ok(unlink("shared") == 0 && files_left() == 0, "nothing is left");
	return tap_end();
}
