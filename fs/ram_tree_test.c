/* The RAM tree through the core's calls: listing while entries change, renames, links, limits, and giving all back. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/mount.h>
#include <linux/fs.h>

#define PLACE "/ram-under-test"

static int make(const char *name, u32 mode)
{
	struct node_new what = { .mode = mode };
	struct path parent;
	struct name last;
	int error = path_walk_parent(NULL, name, 0, &root_cred, &parent, &last);

	if (error)
		return error;
	error = path_create(&parent, &last, &what, &root_cred, NULL);
	path_put(&parent);
	return error;
}

static int remove(const char *name, bool directory)
{
	struct path parent;
	struct name last;
	int error = path_walk_parent(NULL, name, 0, &root_cred, &parent, &last);

	if (error)
		return error;
	error = path_unlink(&parent, &last, directory, &root_cred);
	path_put(&parent);
	return error;
}

static int rename(const char *from, const char *to, unsigned int flags)
{
	struct path old_parent, new_parent;
	struct name old_last, new_last;
	int error = path_walk_parent(NULL, from, 0, &root_cred, &old_parent, &old_last);

	if (error)
		return error;
	error = path_walk_parent(NULL, to, 0, &root_cred, &new_parent, &new_last);
	if (!error) {
		error = path_rename(&old_parent, &old_last, &new_parent, &new_last, flags, &root_cred);
		path_put(&new_parent);
	}
	path_put(&old_parent);
	return error;
}

static struct attr attributes(struct kunit *test, const char *name)
{
	struct attr attr = {};
	u64 device;

	KUNIT_EXPECT_EQ_MSG(test, path_attributes(NULL, name, 0, &root_cred, &attr, &device), 0,
			    "%s", name);
	return attr;
}

/* A fresh tree of `type` for each case. */
static void mount_tree(struct kunit *test, const char *type, const char *options)
{
	KUNIT_ASSERT_EQ(test, kernel_mount(type, "none", PLACE, 0, options), 0);
}

static void unmount(struct kunit *test)
{
	struct path path;

	if (path_walk(NULL, PLACE, 0, &root_cred, &path))
		return;
	if (path.entry == path.mount->root && path.mount->over.mount)
		KUNIT_EXPECT_EQ(test, mount_detach(&path, 0), 0);
	path_put(&path);
}

/* A listing in pieces of `room` entries, and what came. */
struct listing {
	struct dir_context context;
	unsigned int room, count;
	char names[64][8];
};

static bool add(struct dir_context *context, const char *name, u32 length, u64 next_offset, u64 id,
		u32 type)
{
	struct listing *listing = container_of(context, struct listing, context);

	if (!listing->room || listing->count == ARRAY_SIZE(listing->names))
		return false;
	listing->room--;
	memcpy(listing->names[listing->count], name, min(length, 7U));
	listing->names[listing->count++][min(length, 7U)] = 0;
	return true;
}

static int list_some(struct file *file, struct listing *listing, unsigned int room)
{
	listing->context.add = add;
	listing->room = room;
	return file_readdir(file, &listing->context);
}

static unsigned int times(const struct listing *listing, const char *name)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < listing->count; i++)
		count += !strcmp(listing->names[i], name);
	return count;
}

static void entries_that_stay_are_listed_once_whatever_changes(struct kunit *test)
{
	struct listing *listing = kunit_kzalloc(test, sizeof(*listing), GFP_KERNEL);
	char name[32];
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, listing);
	mount_tree(test, "ramfs", NULL);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), PLACE "/f%d", i);
		KUNIT_ASSERT_EQ(test, make(name, S_IFREG | 0644), 0);
	}
	file = file_open_name(PLACE, O_RDONLY | O_DIRECTORY, 0, &root_cred);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, list_some(file, listing, 7), 0);
	KUNIT_EXPECT_EQ(test, listing->count, 7);
	KUNIT_EXPECT_STREQ(test, listing->names[0], ".");
	KUNIT_EXPECT_STREQ(test, listing->names[1], "..");
	/* The last one listed, the next one to be listed, one far before and one far behind go. */
	KUNIT_EXPECT_EQ(test, remove(PLACE "/f4", false), 0);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/f5", false), 0);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/f0", false), 0);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/f15", false), 0);
	KUNIT_EXPECT_EQ(test, make(PLACE "/new", S_IFREG | 0644), 0);
	while (listing->count < 60) {
		unsigned int before = listing->count;

		KUNIT_EXPECT_EQ(test, list_some(file, listing, 3), 0);
		if (listing->count == before)
			break;
	}
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		KUNIT_EXPECT_EQ_MSG(test, times(listing, name), i == 5 || i == 15 ? 0 : 1, "%s", name);
	}
	/* From the start again, and from the middle. */
	KUNIT_EXPECT_EQ(test, file_seek(file, 0, 0 /* SEEK_SET */), 0);
	listing->count = 0;
	KUNIT_EXPECT_EQ(test, list_some(file, listing, 60), 0);
	KUNIT_EXPECT_EQ(test, listing->count, 2 + 20 - 4 + 1);
	file_put(file);
}

static void directories_count_their_links(struct kunit *test)
{
	mount_tree(test, "ramfs", NULL);
	KUNIT_ASSERT_EQ(test, make(PLACE "/d", S_IFDIR | 0755), 0);
	KUNIT_ASSERT_EQ(test, make(PLACE "/d/e", S_IFDIR | 0755), 0);
	KUNIT_ASSERT_EQ(test, make(PLACE "/d/f", S_IFREG | 0644), 0);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/d").nlink, 3);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/d", true), -ENOTEMPTY);
	KUNIT_EXPECT_EQ(test, rename(PLACE "/d/e", PLACE "/e", 0), 0);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/d").nlink, 2);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE).nlink, 4);
	KUNIT_EXPECT_EQ(test, rename(PLACE "/d/f", PLACE "/e", RENAME_EXCHANGE), 0);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/d").nlink, 3);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE).nlink, 3);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/e").mode, S_IFREG | 0644);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/d/f", true), 0);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/d", true), 0);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE).nlink, 2);
}

static void a_replaced_file_lives_while_it_is_open(struct kunit *test)
{
	struct file *file;
	char bytes[8] = {};
	loff_t pos = 0;

	mount_tree(test, "ramfs", NULL);
	file = file_open_name(PLACE "/old", O_RDWR | O_CREAT, 0644, &root_cred);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_EQ(test, kernel_write(file, "bytes", 5, &pos), 5);
	KUNIT_ASSERT_EQ(test, make(PLACE "/new", S_IFREG | 0644), 0);
	KUNIT_EXPECT_EQ(test, rename(PLACE "/new", PLACE "/old", 0), 0);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/old").size, 0);
	KUNIT_EXPECT_EQ(test, file->node->attr.nlink, 0);
	pos = 0;
	KUNIT_EXPECT_EQ(test, kernel_read(file, bytes, sizeof(bytes), &pos), 5);
	KUNIT_EXPECT_STREQ(test, bytes, "bytes");
	file_put(file);
}

static void tmpfs_is_full_at_its_size(struct kunit *test)
{
	char *page = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct file *file;
	loff_t pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, page);
	mount_tree(test, "tmpfs", "size=16k,nr_inodes=3,mode=0711");
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE).mode, S_IFDIR | 0711);
	file = file_open_name(PLACE "/f", O_RDWR | O_CREAT, 0644, &root_cred);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	for (int i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, kernel_write(file, page, PAGE_SIZE, &pos), (ssize_t)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, kernel_write(file, page, 1, &pos), -ENOSPC);
	pos = 100; /* what is there may be written again */
	KUNIT_EXPECT_EQ(test, kernel_write(file, page, 10, &pos), 10);
	pos = 4 * PAGE_SIZE - 2;
	KUNIT_EXPECT_EQ(test, kernel_write(file, page, 10, &pos), 2);
	KUNIT_EXPECT_EQ(test, attributes(test, PLACE "/f").blocks, 4 * PAGE_SIZE / 512);
	KUNIT_EXPECT_EQ(test, file_truncate(file, PAGE_SIZE, &root_cred), 0);
	pos = 3 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, kernel_write(file, page, PAGE_SIZE, &pos), (ssize_t)PAGE_SIZE);
	file_put(file);
	KUNIT_EXPECT_EQ(test, make(PLACE "/g", S_IFREG | 0644), 0);
	KUNIT_EXPECT_EQ(test, make(PLACE "/h", S_IFREG | 0644), -ENOSPC);
	KUNIT_EXPECT_EQ(test, remove(PLACE "/g", false), 0);
	KUNIT_EXPECT_EQ(test, make(PLACE "/h", S_IFREG | 0644), 0);
}

static void options_that_are_not_known_are_refused(struct kunit *test)
{
	static const char *const options[] = { "what=1",  "size",   "size=x",
					       "mode=99", "uid=-1", "size=1k,mode=0x7" };

	for (unsigned int i = 0; i < ARRAY_SIZE(options); i++)
		KUNIT_EXPECT_EQ_MSG(test, kernel_mount("tmpfs", "none", PLACE, 0, options[i]),
				    -EINVAL, "%s", options[i]);
}

static void a_deep_tree_is_given_back(struct kunit *test)
{
	char *name = kunit_kzalloc(test, 4096, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, name);
	mount_tree(test, "ramfs", NULL);
	strscpy(name, PLACE, 4096);
	for (int depth = 0; depth < 1500; depth++) {
		size_t length = strlen(name);

		memcpy(name + length, "/d", 3);
		KUNIT_ASSERT_EQ(test, make(name, S_IFDIR | 0755), 0);
	}
	names_shrink(1000);
}

static int begin(struct kunit_suite *suite)
{
	return make(PLACE, S_IFDIR | 0755);
}

static void end(struct kunit_suite *suite)
{
	if (remove(PLACE, true))
		pr_err("%s stays\n", PLACE);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(entries_that_stay_are_listed_once_whatever_changes),
	KUNIT_CASE(directories_count_their_links),
	KUNIT_CASE(a_replaced_file_lives_while_it_is_open),
	KUNIT_CASE(tmpfs_is_full_at_its_size),
	KUNIT_CASE(options_that_are_not_known_are_refused),
	KUNIT_CASE(a_deep_tree_is_given_back),
	{},
};
static struct kunit_suite suite = {
	.name = "ram_tree", .suite_init = begin, .suite_exit = end, .exit = unmount, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of the RAM tree");
MODULE_LICENSE("MIT");
