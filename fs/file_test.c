/* Open files and descriptor tables. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/thread.h>

#define NAME "/file-under-test"

static void remove_file(void *unused)
{
	struct path parent;
	struct name last;

	if (path_walk_parent(NULL, NAME, 0, &root_cred, &parent, &last))
		return;
	if (path_unlink(&parent, &last, false, &root_cred))
		pr_err("%s stays\n", NAME);
	path_put(&parent);
}

static void put_file(void *file)
{
	file_put(file);
}

/* An open file, closed and removed with the case. */
static struct file *open_file(struct kunit *test, u32 flags)
{
	struct file *file = file_open_name(NAME, flags | O_CREAT, 0644, &root_cred);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	kunit_add_action(test, remove_file, NULL);
	kunit_add_action(test, put_file, file);
	return file;
}

static void bytes_written_are_read_back(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR);
	char bytes[16] = {};
	loff_t pos = 0;

	KUNIT_EXPECT_EQ(test, kernel_write(file, "0123456789", 10, NULL), 10);
	KUNIT_EXPECT_EQ(test, file->pos, 10);
	KUNIT_EXPECT_EQ(test, kernel_read(file, bytes, sizeof(bytes), &pos), 10);
	KUNIT_EXPECT_STREQ(test, bytes, "0123456789");
	KUNIT_EXPECT_EQ(test, pos, 10);
	KUNIT_EXPECT_EQ(test, file->pos, 10);
	pos = -1;
	KUNIT_EXPECT_EQ(test, kernel_read(file, bytes, 1, &pos), -EINVAL);
}

static void appending_writes_at_the_end(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR | O_APPEND);
	loff_t pos = 0;

	KUNIT_EXPECT_EQ(test, kernel_write(file, "abc", 3, &pos), 3);
	pos = 0;
	KUNIT_EXPECT_EQ(test, kernel_write(file, "def", 3, &pos), 3);
	KUNIT_EXPECT_EQ(test, pos, 6);
	KUNIT_EXPECT_EQ(test, node_size(file->node), 6);
}

static void a_file_does_what_it_was_opened_for(struct kunit *test)
{
	struct file *writer = open_file(test, O_WRONLY), *reader;
	char byte;

	KUNIT_EXPECT_EQ(test, kernel_read(writer, &byte, 1, NULL), -EBADF);
	reader = file_open_name(NAME, O_RDONLY, 0, &root_cred);
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader));
	KUNIT_EXPECT_EQ(test, kernel_write(reader, &byte, 1, NULL), -EBADF);
	KUNIT_EXPECT_EQ(test, file_truncate(reader, 0, &root_cred), -EINVAL);
	file_put(reader);
	KUNIT_EXPECT_EQ(test,
			PTR_ERR(file_open_name(NAME, O_CREAT | O_EXCL | O_RDWR, 0644, &root_cred)),
			-EEXIST);
	KUNIT_EXPECT_EQ(test, PTR_ERR(file_open_name(NAME "/", O_RDONLY, 0, &root_cred)), -ENOTDIR);
}

static void what_is_executed_is_not_written(struct kunit *test)
{
	struct file *file = file_open_name(NAME, O_RDONLY | O_CREAT, 0755, &root_cred), *writer;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	kunit_add_action(test, remove_file, NULL);
	kunit_add_action(test, put_file, file);
	KUNIT_EXPECT_EQ(test, node_deny_write(file->node), 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(file_open_name(NAME, O_WRONLY, 0, &root_cred)), -ETXTBSY);
	KUNIT_EXPECT_EQ(test, path_truncate(&file->path, 0, &root_cred), -ETXTBSY);
	node_allow_write(file->node);
	writer = file_open_name(NAME, O_WRONLY, 0, &root_cred);
	KUNIT_ASSERT_FALSE(test, IS_ERR(writer));
	KUNIT_EXPECT_EQ(test, node_deny_write(file->node), -ETXTBSY);
	file_put(writer);
	KUNIT_EXPECT_EQ(test, node_deny_write(file->node), 0);
	node_allow_write(file->node);
}

/* ---- Descriptor tables ---- */

/* A table of the case's own thread, which has none; a case that fails leaves it to the thread's end. */
static void take_table(struct kunit *test)
{
	KUNIT_ASSERT_NULL(test, current->files);
	current->files = files_create();
	KUNIT_ASSERT_NOT_NULL(test, current->files);
}

static void leave_table(void)
{
	files_put(current->files);
	current->files = NULL;
}

static int install(struct kunit *test, struct file *file, unsigned int from, u32 flags)
{
	int fd = fd_reserve(from, flags);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file_get(file));
	return fd;
}

static void the_lowest_free_descriptor_is_taken(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR);

	take_table(test);
	for (int i = 0; i < 5; i++)
		KUNIT_EXPECT_EQ(test, install(test, file, 0, 0), i);
	KUNIT_EXPECT_EQ(test, fd_close(3), 0);
	KUNIT_EXPECT_EQ(test, fd_close(1), 0);
	KUNIT_EXPECT_EQ(test, fd_close(1), -EBADF);
	KUNIT_EXPECT_EQ(test, install(test, file, 0, 0), 1);
	KUNIT_EXPECT_EQ(test, install(test, file, 2, 0), 3);
	KUNIT_EXPECT_EQ(test, install(test, file, 0, 0), 5);
	KUNIT_EXPECT_EQ(test, refcount_read(&file->refs), 1 + 6);
	leave_table();
	KUNIT_EXPECT_EQ(test, refcount_read(&file->refs), 1);
}

static void a_table_grows_and_keeps_what_it_has(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR);

	take_table(test);
	KUNIT_EXPECT_EQ(test, install(test, file, 0, O_CLOEXEC), 0);
	KUNIT_EXPECT_EQ(test, install(test, file, 63, 0), 63);
	KUNIT_EXPECT_EQ(test, install(test, file, 63, O_CLOEXEC), 64);
	KUNIT_EXPECT_EQ(test, fd_replace(file, 1000, 0), 1000);
	KUNIT_EXPECT_PTR_EQ(test, fd_borrow(0).file, file);
	KUNIT_EXPECT_PTR_EQ(test, fd_borrow(63).file, file);
	KUNIT_EXPECT_PTR_EQ(test, fd_borrow(64).file, file);
	KUNIT_EXPECT_PTR_EQ(test, fd_borrow(1000).file, file);
	KUNIT_EXPECT_NULL(test, fd_borrow(65).file);
	KUNIT_EXPECT_NULL(test, fd_borrow(~0U).file);
	KUNIT_EXPECT_EQ(test, fd_get_close_on_exec(0), 1);
	KUNIT_EXPECT_EQ(test, fd_get_close_on_exec(63), 0);
	files_close_on_exec(current->files);
	KUNIT_EXPECT_NULL(test, fd_borrow(0).file);
	KUNIT_EXPECT_NULL(test, fd_borrow(64).file);
	KUNIT_EXPECT_PTR_EQ(test, fd_borrow(1000).file, file);
	leave_table();
}

static void a_copy_has_what_is_open_and_not_what_is_being_opened(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR), *found;
	struct files *copy;
	unsigned int fd = 0;
	int reserved;

	take_table(test);
	install(test, file, 0, 0);
	reserved = fd_reserve(0, 0);
	KUNIT_EXPECT_EQ(test, reserved, 1);
	install(test, file, 200, 0);
	copy = files_copy(current->files, ~0U);
	KUNIT_ASSERT_FALSE(test, IS_ERR(copy));
	KUNIT_EXPECT_EQ(test, refcount_read(&file->refs), 1 + 4);
	found = files_next(copy, &fd);
	KUNIT_EXPECT_PTR_EQ(test, found, file);
	KUNIT_EXPECT_EQ(test, fd, 0);
	file_put(found);
	fd++;
	found = files_next(copy, &fd);
	KUNIT_EXPECT_PTR_EQ(test, found, file);
	KUNIT_EXPECT_EQ(test, fd, 200);
	file_put(found);
	fd++;
	KUNIT_EXPECT_NULL(test, files_next(copy, &fd));
	files_put(copy);
	KUNIT_EXPECT_EQ(test, refcount_read(&file->refs), 1 + 2);
	fd_unreserve(reserved);
	leave_table();
}

/* Two threads: one closes and opens a descriptor as fast as it can, the other takes references through it. */
static struct {
	struct files *files;
	struct file *file;
	bool stop;
	atomic_t wrong;
} duel;

static int closer(void *unused)
{
	current->files = duel.files;
	for (int i = 0; i < 2000; i++) {
		struct file *own = file_open_name(NAME, O_RDONLY, 0, &root_cred);
		int fd;

		if (IS_ERR(own))
			break;
		fd = fd_reserve(0, 0);
		if (fd < 0) {
			file_put(own);
			break;
		}
		fd_install(fd, own);
		if (i % 16 == 0)
			cond_resched();
		if (fd_close((unsigned int)fd))
			atomic_inc(&duel.wrong);
	}
	WRITE_ONCE(duel.stop, true);
	current->files = NULL;
	return 0;
}

static void closing_is_safe_against_use(struct kunit *test)
{
	struct file *file = open_file(test, O_RDWR);
	struct thread *thread;
	unsigned long taken = 0;

	take_table(test);
	duel.files = current->files;
	duel.stop = false;
	atomic_set(&duel.wrong, 0);
	refcount_inc(&duel.files->refs); /* shared: nobody may borrow without counting */
	thread = kthread_run(closer, NULL, "closer");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	while (!READ_ONCE(duel.stop)) {
		struct fd_ref ref = fd_borrow(0);

		if (ref.file) {
			taken++;
			if (ref.file->node != file->node || refcount_read(&ref.file->refs) < 1)
				atomic_inc(&duel.wrong);
			fd_release(ref);
		}
		cond_resched();
	}
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), 0);
	files_put(duel.files);
	leave_table();
	KUNIT_EXPECT_EQ(test, atomic_read(&duel.wrong), 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&file->refs), 1);
	kunit_info(test, "%lu references taken", taken);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bytes_written_are_read_back),
	KUNIT_CASE(appending_writes_at_the_end),
	KUNIT_CASE(a_file_does_what_it_was_opened_for),
	KUNIT_CASE(what_is_executed_is_not_written),
	KUNIT_CASE(the_lowest_free_descriptor_is_taken),
	KUNIT_CASE(a_table_grows_and_keeps_what_it_has),
	KUNIT_CASE(a_copy_has_what_is_open_and_not_what_is_being_opened),
	KUNIT_CASE(closing_is_safe_against_use),
	{},
};
static struct kunit_suite suite = { .name = "file", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of open files and descriptor tables");
MODULE_LICENSE("MIT");
