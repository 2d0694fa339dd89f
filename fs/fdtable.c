/*
 * Descriptor tables. Lookups run under rcu_read_lock() and check, after taking the reference, that the descriptor still
 * names the file (struct file lies in memory that is reused at once). Changes hold files->lock, unless only this thread
 * uses the table: then nobody else can change it, and nobody can begin to share it but by this thread's own fork.
 */
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fcntl.h>

#include "internal.h"

#define TABLE_SIZE_MIN 64
#define TABLE_SIZE_MAX (1U << 30)

/* Descriptors, then the two bitmaps, in one piece. */
static struct fd_table *table_alloc(unsigned int size)
{
	size_t words = size / 64;
	struct fd_table *table =
		kvmalloc(sizeof(*table) + size * sizeof(struct file *) + 2 * words * 8, GFP_USER);

	if (!table)
		return NULL;
	table->size = size;
	table->files = (struct file **)(table + 1);
	table->used = (unsigned long *)(table->files + size);
	table->close_on_exec = table->used + words;
	return table;
}

static void table_free_rcu(struct rcu_head *head)
{
	kvfree(container_of(head, struct fd_table, rcu));
}

static void table_copy(struct fd_table *to, const struct fd_table *from, unsigned int size)
{
	unsigned int words = size / 64, all = to->size / 64;

	memcpy(to->files, from->files, size * sizeof(struct file *));
	memset(to->files + size, 0, (to->size - size) * sizeof(struct file *));
	memcpy(to->used, from->used, words * 8);
	memset(to->used + words, 0, (all - words) * 8);
	memcpy(to->close_on_exec, from->close_on_exec, words * 8);
	memset(to->close_on_exec + words, 0, (all - words) * 8);
}

static struct files *files_alloc(unsigned int size)
{
	struct files *files = kmalloc(sizeof(*files), GFP_USER);

	if (!files)
		return NULL;
	files->table = table_alloc(size);
	if (!files->table) {
		kfree(files);
		return NULL;
	}
	refcount_set(&files->refs, 1);
	spin_init(&files->lock, "files");
	files->next_fd = 0;
	return files;
}

struct files *files_create(void)
{
	struct files *files = files_alloc(TABLE_SIZE_MIN);
	struct fd_table *table;

	if (!files)
		return NULL;
	table = files->table;
	memset(table->files, 0, table->size * sizeof(struct file *));
	table->used[0] = table->close_on_exec[0] = 0;
	return files;
}

static inline bool files_lock(struct files *files)
{
	if (likely(refcount_read(&files->refs) == 1))
		return false;
	spin_lock(&files->lock);
	return true;
}

static inline void files_unlock(struct files *files, bool locked)
{
	if (locked)
		spin_unlock(&files->lock);
}

/* How many descriptors, in whole words, hold all that is used below up_to. */
static unsigned int table_needed(const struct fd_table *table, unsigned int up_to)
{
	unsigned int words = min(DIV_ROUND_UP(min(up_to, table->size), 64U), table->size / 64);

	while (words > 1 && !table->used[words - 1])
		words--;
	return words * 64;
}

struct files *files_copy(struct files *from, unsigned int up_to)
{
	unsigned int size = TABLE_SIZE_MIN, needed;
	struct files *files;
	bool locked;

	for (;;) {
		files = files_alloc(size);
		if (!files)
			return ERR_PTR(-ENOMEM);
		locked = files_lock(from);
		needed = table_needed(from->table, up_to);
		if (needed <= size)
			break;
		files_unlock(from, locked);
		kvfree(files->table);
		kfree(files);
		size = needed;
	}
	table_copy(files->table, from->table, min(needed, from->table->size));
	files->next_fd = min(from->next_fd, up_to);
	for (unsigned int word = 0; word < needed / 64; word++) {
		unsigned long bits = files->table->used[word];

		while (bits) {
			unsigned int fd = word * 64 + (unsigned int)__builtin_ctzl(bits);
			struct file *file = files->table->files[fd];

			bits &= bits - 1;
			if (file && fd < up_to) {
				file_get(file);
				continue;
			}
			/* Reserved by another thread that is opening it, or not asked for. */
			files->table->files[fd] = NULL;
			files->table->used[word] &= ~BIT(fd % 64);
			files->table->close_on_exec[word] &= ~BIT(fd % 64);
			files->next_fd = min(files->next_fd, fd);
		}
	}
	files_unlock(from, locked);
	return files;
}

/* A descriptor of `files` is closed: what close(2) means beyond dropping the reference. */
static int file_close(struct file *file, struct files *files)
{
	bool named_only = file->mode & FILE_PATH;
	int error = 0;

	if (unlikely(!list_empty(&file->node->locks)) && !named_only)
		file_locks_release_owner(file, files);
	if (unlikely(file->ops->flush) && !named_only)
		error = serve_flush(file);
	file_put(file);
	return error;
}

void files_put(struct files *files)
{
	struct fd_table *table;

	if (!refcount_dec_and_test(&files->refs))
		return;
	table = files->table;
	for (unsigned int word = 0; word < table->size / 64; word++) {
		unsigned long bits = table->used[word];

		for (; bits; bits &= bits - 1) {
			struct file *file =
				table->files[word * 64 + (unsigned int)__builtin_ctzl(bits)];

			if (file) {
				file_close(file, files);
				cond_resched();
			}
		}
	}
	call_rcu(&table->rcu, table_free_rcu); /* a look from /proc may still be in it */
	kfree_rcu(files);
}

void files_close_on_exec(struct files *files)
{
	for (unsigned int word = 0; word < READ_ONCE(files->table)->size / 64; word++) {
		unsigned long bits = files->table->close_on_exec[word];

		for (; bits; bits &= bits - 1)
			fd_close(word * 64 + (unsigned int)__builtin_ctzl(bits));
	}
}

/* ---- Lookup ---- */

static inline struct file *table_file(const struct files *files, unsigned int fd)
{
	const struct fd_table *table = rcu_dereference(files->table);

	return likely(fd < table->size) ? rcu_dereference(table->files[fd]) : NULL;
}

static struct file *files_get(const struct files *files, unsigned int fd)
{
	struct file *file;

	rcu_read_lock();
	for (;;) {
		file = table_file(files, fd);
		if (!file)
			break;
		if (refcount_inc_not_zero(&file->refs)) {
			if (likely(table_file(files, fd) == file))
				break;
			/* Its memory serves another open file now. */
			rcu_read_unlock();
			file_put(file);
			rcu_read_lock();
		}
	}
	rcu_read_unlock();
	return file;
}

struct file *fd_get_path(unsigned int fd)
{
	return files_get(current->files, fd);
}

struct file *fd_get(unsigned int fd)
{
	struct file *file = files_get(current->files, fd);

	if (file && (file->mode & FILE_PATH)) {
		file_put(file);
		return NULL;
	}
	return file;
}

struct fd_ref fd_borrow_path(unsigned int fd)
{
	struct files *files = current->files;

	if (likely(refcount_read(&files->refs) == 1))
		return (struct fd_ref){ .file = table_file(files, fd) };
	return (struct fd_ref){ .file = files_get(files, fd), .counted = true };
}

struct fd_ref fd_borrow(unsigned int fd)
{
	struct fd_ref ref = fd_borrow_path(fd);

	if (unlikely(ref.file && (ref.file->mode & FILE_PATH))) {
		fd_release(ref);
		ref.file = NULL;
	}
	return ref;
}

struct file *files_next(struct files *files, unsigned int *fd)
{
	for (;; ++*fd) {
		struct file *file;

		rcu_read_lock();
		if (*fd >= rcu_dereference(files->table)->size) {
			rcu_read_unlock();
			return NULL;
		}
		rcu_read_unlock();
		file = files_get(files, *fd);
		if (file)
			return file;
	}
}

/* ---- Changes ---- */

unsigned int files_limit(void)
{
	u64 limit = process_limit(RLIMIT_NOFILE);

	return limit < TABLE_SIZE_MAX ? (unsigned int)limit : TABLE_SIZE_MAX;
}

/* Makes room for `fd`. Called and returns with the table locked as `*locked` says; may let go of the lock meanwhile. */
static int table_grow(struct files *files, unsigned int fd, bool *locked)
{
	struct fd_table *old, *table;
	unsigned int size = TABLE_SIZE_MIN;

	while (size <= fd)
		size *= 2;
	files_unlock(files, *locked);
	table = table_alloc(size);
	*locked = files_lock(files);
	if (!table)
		return -ENOMEM;
	old = files->table;
	if (old->size > fd) { /* another thread did it */
		kvfree(table);
		return 0;
	}
	table_copy(table, old, old->size);
	rcu_assign_pointer(files->table, table);
	call_rcu(&old->rcu, table_free_rcu);
	return 0;
}

/* The first free descriptor from `from` on; may lie behind the table. */
static unsigned int table_find_free(const struct fd_table *table, unsigned int from)
{
	unsigned int word = from / 64;
	unsigned long free;

	if (from >= table->size)
		return from;
	free = ~table->used[word] & (~0UL << (from % 64));
	while (!free) {
		if (++word >= table->size / 64)
			return table->size;
		free = ~table->used[word];
	}
	return word * 64 + (unsigned int)__builtin_ctzl(free);
}

static inline void table_mark(struct fd_table *table, unsigned int fd, u32 flags)
{
	table->used[fd / 64] |= BIT(fd % 64);
	if (flags & O_CLOEXEC)
		table->close_on_exec[fd / 64] |= BIT(fd % 64);
	else
		table->close_on_exec[fd / 64] &= ~BIT(fd % 64);
}

int fd_reserve(unsigned int from, u32 flags)
{
	struct files *files = current->files;
	unsigned int limit = files_limit(), fd;
	bool locked = files_lock(files);
	int error;

	for (;;) {
		fd = table_find_free(files->table, max(from, files->next_fd));
		error = -EMFILE;
		if (unlikely(fd >= limit))
			break;
		if (likely(fd < files->table->size)) {
			table_mark(files->table, fd, flags);
			if (from <= files->next_fd)
				files->next_fd = fd + 1;
			error = (int)fd;
			break;
		}
		error = table_grow(files, fd, &locked);
		if (error)
			break;
	}
	files_unlock(files, locked);
	return error;
}

void fd_install(int fd, struct file *file)
{
	struct files *files = current->files;
	bool locked = files_lock(files);

	rcu_assign_pointer(files->table->files[fd], file);
	files_unlock(files, locked);
}

static inline void table_clear(struct files *files, unsigned int fd)
{
	files->table->used[fd / 64] &= ~BIT(fd % 64);
	files->table->close_on_exec[fd / 64] &= ~BIT(fd % 64);
	if (fd < files->next_fd)
		files->next_fd = fd;
}

void fd_unreserve(int fd)
{
	struct files *files = current->files;
	bool locked = files_lock(files);

	table_clear(files, (unsigned int)fd);
	files_unlock(files, locked);
}

int fd_add(struct file *file, u32 flags)
{
	int fd = fd_reserve(0, flags & O_CLOEXEC);

	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file);
	return fd;
}

int fd_close(unsigned int fd)
{
	struct files *files = current->files;
	struct file *file = NULL;
	bool locked = files_lock(files);

	if (likely(fd < files->table->size)) {
		file = files->table->files[fd];
		if (file) { /* a reserved one is its opener's: it is not open yet */
			rcu_assign_pointer(files->table->files[fd], NULL);
			table_clear(files, fd);
		}
	}
	files_unlock(files, locked);
	return likely(file) ? file_close(file, files) : -EBADF;
}

int fd_duplicate(struct file *file, unsigned int from, u32 flags)
{
	int fd;

	if (from >= files_limit())
		return -EINVAL;
	fd = fd_reserve(from, flags);
	if (fd >= 0)
		fd_install(fd, file_get(file));
	return fd;
}

int fd_replace(struct file *file, unsigned int fd, u32 flags)
{
	struct files *files = current->files;
	struct file *old;
	bool locked;
	int error;

	if (fd >= files_limit())
		return -EBADF;
	locked = files_lock(files);
	while (fd >= files->table->size) {
		error = table_grow(files, fd, &locked);
		if (error) {
			files_unlock(files, locked);
			return error;
		}
	}
	old = files->table->files[fd];
	if (!old && (files->table->used[fd / 64] & BIT(fd % 64))) { /* another thread is opening it */
		files_unlock(files, locked);
		return -EBUSY;
	}
	table_mark(files->table, fd, flags);
	rcu_assign_pointer(files->table->files[fd], file_get(file));
	files_unlock(files, locked);
	if (old)
		file_close(old, files);
	return (int)fd;
}

int fd_get_close_on_exec(unsigned int fd)
{
	struct files *files = current->files;
	const struct fd_table *table;
	int result = -EBADF;

	rcu_read_lock();
	table = rcu_dereference(files->table);
	if (fd < table->size && table->files[fd])
		result = !!(table->close_on_exec[fd / 64] & BIT(fd % 64));
	rcu_read_unlock();
	return result;
}

int fd_set_close_on_exec(unsigned int fd, bool on)
{
	struct files *files = current->files;
	bool locked = files_lock(files);
	int result = -EBADF;

	if (fd < files->table->size && files->table->files[fd]) {
		table_mark(files->table, fd, on ? O_CLOEXEC : 0);
		result = 0;
	}
	files_unlock(files, locked);
	return result;
}

int fd_close_range(unsigned int first, unsigned int last, bool only_mark)
{
	struct files *files = current->files;
	unsigned int fd = first;

	/* Where no bit is set nothing is to be done: ranges up to ~0U are common. */
	for (;; fd++) {
		const struct fd_table *table;
		unsigned long used = 0;
		bool locked = files_lock(files);

		table = files->table;
		while (fd < table->size && fd <= last &&
		       !(used = table->used[fd / 64] & (~0UL << (fd % 64))))
			fd = (fd / 64 + 1) * 64;
		files_unlock(files, locked);
		if (!used)
			return 0;
		fd = fd / 64 * 64 + (unsigned int)__builtin_ctzl(used);
		if (fd > last)
			return 0;
		if (only_mark)
			(void)fd_set_close_on_exec(fd, true); /* -EBADF: it is only being opened */
		else
			(void)fd_close(fd); /* close_range(2) does not report what closing found */
		if (fd == last)
			return 0;
	}
}
EXPORT_SYMBOL(files_create);
EXPORT_SYMBOL(files_copy);
EXPORT_SYMBOL(files_put);
EXPORT_SYMBOL(files_next);
EXPORT_SYMBOL(files_close_on_exec);
EXPORT_SYMBOL(fd_close);
EXPORT_SYMBOL(fd_replace);
EXPORT_SYMBOL(fd_get_close_on_exec);
EXPORT_SYMBOL(fd_get);
EXPORT_SYMBOL(fd_borrow);
EXPORT_SYMBOL(fd_reserve);
EXPORT_SYMBOL(fd_install);
EXPORT_SYMBOL(fd_unreserve);
EXPORT_SYMBOL(fd_add);
