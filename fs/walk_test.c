/* The walk: what names lead to, on a RAM tree of the suite's own. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/mount.h>

#define PLACE "/walk-under-test"

static int make(const char *name, u32 mode, const char *target)
{
	struct node_new what = { .mode = mode, .target = target };
	struct path parent;
	struct name last;
	int error = path_walk_parent(NULL, name, 0, &root_cred, &parent, &last);

	if (error)
		return error;
	error = path_create(&parent, &last, &what, &root_cred, NULL);
	path_put(&parent);
	return error;
}

static u64 id_of(const char *name, unsigned int flags)
{
	struct attr attr;
	u64 device;

	return path_attributes(NULL, name, flags, &root_cred, &attr, &device) ? 0 : attr.id;
}

static int walk(const char *name, unsigned int flags)
{
	struct path path;
	int error = path_walk(NULL, name, flags, &root_cred, &path);

	if (!error)
		path_put(&path);
	return error;
}

static int begin(struct kunit_suite *suite)
{
	int error = make(PLACE, S_IFDIR | 0755, NULL);

	if (!error)
		error = kernel_mount("ramfs", "walk", PLACE, 0, NULL);
	return error ?: make(PLACE "/d", S_IFDIR | 0755, NULL) ?: make(PLACE "/d/e", S_IFDIR | 0755, NULL)
		     ?: make(PLACE "/d/e/f", S_IFREG | 0644, NULL) ?: make(PLACE "/to-e", S_IFLNK | 0777, "d/e")
		     ?: make(PLACE "/d/up", S_IFLNK | 0777, "../to-e/f") ?: make(PLACE "/to-root", S_IFLNK | 0777, "/")
		     ?: make(PLACE "/slash", S_IFLNK | 0777, "d/e/") ?: make(PLACE "/round", S_IFLNK | 0777, "round")
		     ?: make(PLACE "/nowhere", S_IFLNK | 0777, "missing");
}

static void end(struct kunit_suite *suite)
{
	struct path path;
	struct name last;

	if (!path_walk(NULL, PLACE, 0, &root_cred, &path)) {
		if (mount_detach(&path, 0))
			pr_err("%s stays mounted\n", PLACE);
		path_put(&path);
	}
	if (!path_walk_parent(NULL, PLACE, 0, &root_cred, &path, &last)) {
		if (path_unlink(&path, &last, true, &root_cred))
			pr_err("%s stays\n", PLACE);
		path_put(&path);
	}
}

/* Each name is walked twice: the first walk may have to ask the tree, the second finds all in the cache. */
static void names_lead_where_they_should(struct kunit *test)
{
	static const struct {
		const char *name, *same;
		unsigned int flags;
	} names[] = {
		{ PLACE "/d/e", PLACE "//d/.//e/", 0 },
		{ PLACE "/d", PLACE "/d/e/..", 0 },
		{ PLACE "/d/e", PLACE "/to-e", WALK_FOLLOW },
		{ PLACE "/d/e", PLACE "/to-e/.", 0 },
		{ PLACE "/d/e", PLACE "/to-e/", 0 },
		{ PLACE "/d/e", PLACE "/slash", WALK_FOLLOW },
		{ PLACE "/d/e/f", PLACE "/to-e/f", 0 },
		{ PLACE "/d/e/f", PLACE "/d/up", WALK_FOLLOW },
		{ PLACE "/d", PLACE "/to-e/..", 0 },
		{ PLACE "/d", PLACE "/to-root" PLACE "/d", 0 },
		{ PLACE "/to-root/..", "/", 0 },
		{ PLACE "/..", "/", 0 },
		{ PLACE "/d/../..", "/../../..", 0 },
		{ PLACE, PLACE "/d/..", 0 },
	};

	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
			u64 id = id_of(names[i].name, names[i].flags);

			KUNIT_EXPECT_NE_MSG(test, id, 0, "%s", names[i].name);
			KUNIT_EXPECT_EQ_MSG(test, id_of(names[i].same, names[i].flags), id, "%s",
					    names[i].same);
		}
}

static void names_fail_as_on_linux(struct kunit *test)
{
	static const struct {
		const char *name;
		unsigned int flags;
		int error;
	} names[] = {
		{ "", 0, -ENOENT },
		{ PLACE "/missing", 0, -ENOENT },
		{ PLACE "/missing/x", 0, -ENOENT },
		{ PLACE "/d/e/f/x", 0, -ENOTDIR },
		{ PLACE "/d/e/f/", 0, -ENOTDIR },
		{ PLACE "/d/e/f/.", 0, -ENOTDIR },
		{ PLACE "/d/e/f/..", 0, -ENOTDIR },
		{ PLACE "/d/e/f", WALK_DIRECTORY, -ENOTDIR },
		{ PLACE "/to-e", WALK_DIRECTORY, -ENOTDIR }, /* the link itself */
		{ PLACE "/d/up/", 0, -ENOTDIR },
		{ PLACE "/round", WALK_FOLLOW, -ELOOP },
		{ PLACE "/round/x", 0, -ELOOP },
		{ PLACE "/nowhere", WALK_FOLLOW, -ENOENT },
		{ PLACE "/to-e/f", WALK_NO_SYMLINKS, -ELOOP },
		{ PLACE "/d", WALK_NO_XDEV, -EXDEV },
		{ PLACE "/round", 0, 0 },
		{ PLACE "/nowhere", 0, 0 },
	};

	for (int round = 0; round < 2; round++)
		for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
			KUNIT_EXPECT_EQ_MSG(test, walk(names[i].name, names[i].flags),
					    names[i].error, "%s", names[i].name);
}

static void a_name_of_255_bytes_is_the_longest(struct kunit *test)
{
	char *name = kunit_kzalloc(test, 512, GFP_KERNEL);
	size_t start = strlen(PLACE "/");

	KUNIT_ASSERT_NOT_NULL(test, name);
	strscpy(name, PLACE "/", 512);
	memset(name + start, 'n', NAME_MAX_LENGTH);
	KUNIT_EXPECT_EQ(test, walk(name, 0), -ENOENT);
	KUNIT_EXPECT_EQ(test, make(name, S_IFREG | 0644, NULL), 0);
	KUNIT_EXPECT_EQ(test, walk(name, 0), 0);
	name[start + NAME_MAX_LENGTH] = 'n';
	KUNIT_EXPECT_EQ(test, walk(name, 0), -ENAMETOOLONG);
}

static void a_walk_can_be_held_within_its_start(struct kunit *test)
{
	struct path start, path;

	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/d", 0, &root_cred, &start), 0);
	KUNIT_EXPECT_EQ(test, path_walk(&start, "e/f", WALK_BENEATH, &root_cred, &path), 0);
	path_put(&path);
	KUNIT_EXPECT_EQ(test, path_walk(&start, "../d/e", WALK_BENEATH, &root_cred, &path), -EXDEV);
	KUNIT_EXPECT_EQ(test, path_walk(&start, "e/../..", WALK_BENEATH, &root_cred, &path), -EXDEV);
	KUNIT_EXPECT_EQ(test, path_walk(&start, "/d", WALK_BENEATH, &root_cred, &path), -EXDEV);
	KUNIT_EXPECT_EQ(test, path_walk(&start, "/../../e", WALK_IN_ROOT, &root_cred, &path), 0);
	path_put(&path);
	path_put(&start);
}

static void the_parent_and_the_last_element_are_told(struct kunit *test)
{
	struct path parent;
	struct name last;

	KUNIT_ASSERT_EQ(
		test, path_walk_parent(NULL, PLACE "/to-e/new//", 0, &root_cred, &parent, &last), 0);
	KUNIT_EXPECT_EQ(test, path_node(&parent)->attr.id, id_of(PLACE "/d/e", 0));
	KUNIT_EXPECT_TRUE(test, name_equal(&last, "new", 3));
	KUNIT_EXPECT_EQ(test, last.text[last.length], '/');
	KUNIT_EXPECT_EQ(test, name_kind(&last), NAME_NORMAL);
	path_put(&parent);
	KUNIT_ASSERT_EQ(test, path_walk_parent(NULL, "/", 0, &root_cred, &parent, &last), 0);
	KUNIT_EXPECT_EQ(test, name_kind(&last), NAME_ROOT);
	path_put(&parent);
	KUNIT_ASSERT_EQ(test, path_walk_parent(NULL, PLACE "/..", 0, &root_cred, &parent, &last), 0);
	KUNIT_EXPECT_EQ(test, name_kind(&last), NAME_DOT_DOT);
	path_put(&parent);
}

static void a_path_has_a_name(struct kunit *test)
{
	char buffer[64];
	struct path path, root;
	char *name;

	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/d/up", WALK_FOLLOW, &root_cred, &path), 0);
	KUNIT_EXPECT_STREQ(test, path_name(&path, NULL, buffer, sizeof(buffer), true), PLACE "/d/e/f");
	KUNIT_EXPECT_EQ(test, PTR_ERR(path_name(&path, NULL, buffer, 10, true)), -ENAMETOOLONG);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/d", 0, &root_cred, &root), 0);
	name = path_name(&path, &root, buffer, sizeof(buffer), true);
	KUNIT_EXPECT_STREQ(test, name, "/e/f");
	path_put(&path);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE, 0, &root_cred, &path), 0);
	KUNIT_EXPECT_STREQ(test, path_name(&path, &root, buffer, sizeof(buffer), false),
			   "(unreachable)" PLACE);
	path_put(&path);
	path_put(&root);
}

static void a_removed_file_is_named_as_deleted(struct kunit *test)
{
	struct path parent, path;
	char buffer[64];
	struct name last;

	KUNIT_ASSERT_EQ(test, make(PLACE "/going", S_IFREG | 0644, NULL), 0);
	KUNIT_ASSERT_EQ(test, path_walk(NULL, PLACE "/going", 0, &root_cred, &path), 0);
	KUNIT_ASSERT_EQ(test, path_walk_parent(NULL, PLACE "/going", 0, &root_cred, &parent, &last), 0);
	KUNIT_EXPECT_EQ(test, path_unlink(&parent, &last, false, &root_cred), 0);
	path_put(&parent);
	KUNIT_EXPECT_STREQ(test, path_name(&path, NULL, buffer, sizeof(buffer), true),
			   PLACE "/going (deleted)");
	KUNIT_EXPECT_EQ(test, PTR_ERR(path_name(&path, NULL, buffer, sizeof(buffer), false)), -ENOENT);
	KUNIT_EXPECT_EQ(test, walk(PLACE "/going", 0), -ENOENT);
	path_put(&path);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(names_lead_where_they_should),
	KUNIT_CASE(names_fail_as_on_linux),
	KUNIT_CASE(a_name_of_255_bytes_is_the_longest),
	KUNIT_CASE(a_walk_can_be_held_within_its_start),
	KUNIT_CASE(the_parent_and_the_last_element_are_told),
	KUNIT_CASE(a_path_has_a_name),
	KUNIT_CASE(a_removed_file_is_named_as_deleted),
	{},
};
static struct kunit_suite suite = {
	.name = "walk", .suite_init = begin, .suite_exit = end, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_DESCRIPTION("Tests of the walk from names to files");
MODULE_LICENSE("MIT");
