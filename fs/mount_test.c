/* Mounts, by the functions that modules may call: peers, unions, and many of them. */
#include <kumo/kunit.h>
#include <kumo/mount.h>
#include <kumo/string.h>
#include <linux/mount.h>

#define PLACE "/mount-under-test"
#define DETACH 2 /* MNT_DETACH */

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

static struct path walk(struct kunit *test, const char *name)
{
	struct path path;

	KUNIT_ASSERT_EQ_MSG(test, path_walk(NULL, name, WALK_FOLLOW, &root_cred, &path), 0, "%s", name);
	return path;
}

static u64 id_of(const char *name)
{
	struct attr attr;
	u64 device;

	return path_attributes(NULL, name, 0, &root_cred, &attr, &device) ? 0 : attr.id;
}

static int bind(struct kunit *test, const char *from, const char *to)
{
	struct path source = walk(test, from), place = walk(test, to);
	int error = mount_bind(&source, &place, false);

	path_put(&source);
	path_put(&place);
	return error;
}

static int detach(struct kunit *test, const char *name, int flags)
{
	struct path path = walk(test, name);
	int error = mount_detach(&path, flags);

	path_put(&path);
	return error;
}

/* A tree of the suite's own, and in it folders a and b with a file each, both with x. */
static int begin(struct kunit *test)
{
	static const char *const folders[] = { PLACE "/a", PLACE "/b", PLACE "/a/in", PLACE "/c" };
	static const char *const files[] = { PLACE "/a/x", PLACE "/b/x", PLACE "/a/only_a",
					     PLACE "/b/only_b" };
	int error = make(PLACE, S_IFDIR | 0755);

	if (!error)
		error = kernel_mount("ramfs", "mounts", PLACE, 0, NULL);
	for (unsigned int i = 0; !error && i < ARRAY_SIZE(folders); i++)
		error = make(folders[i], S_IFDIR | 0755);
	for (unsigned int i = 0; !error && i < ARRAY_SIZE(files); i++)
		error = make(files[i], S_IFREG | 0644);
	return error;
}

static void end(struct kunit *test)
{
	struct path path;
	struct name last;

	if (!path_walk(NULL, PLACE, 0, &root_cred, &path)) {
		if (mount_detach(&path, DETACH))
			pr_err("%s stays mounted\n", PLACE);
		path_put(&path);
	}
	if (!path_walk_parent(NULL, PLACE, 0, &root_cred, &path, &last)) {
		if (path_unlink(&path, &last, true, &root_cred))
			pr_err("%s stays\n", PLACE);
		path_put(&path);
	}
}

static void what_is_mounted_on_a_shared_mount_appears_on_its_peer(struct kunit *test)
{
	struct path top = walk(test, PLACE);

	KUNIT_ASSERT_EQ(test, mount_set_propagation(&top, MS_SHARED, false), 0);
	path_put(&top);
	KUNIT_ASSERT_EQ(test, bind(test, PLACE, PLACE "/c"), 0);
	KUNIT_ASSERT_EQ(test, bind(test, PLACE "/b", PLACE "/a/in"), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/c/a/in/x"), id_of(PLACE "/b/x"));
	KUNIT_EXPECT_EQ(test, detach(test, PLACE "/c/a/in", 0), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/a/in/x"), 0);
	top = walk(test, PLACE "/c");
	KUNIT_EXPECT_EQ(test, mount_set_propagation(&top, MS_SLAVE, false), 0);
	path_put(&top);
	KUNIT_ASSERT_EQ(test, bind(test, PLACE "/b", PLACE "/c/a/in"), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/a/in/x"), 0);
}

static void a_union_finds_a_name_in_the_first_member_that_has_it(struct kunit *test)
{
	struct path from = walk(test, PLACE "/a"), place = walk(test, PLACE "/b");
	u64 a = id_of(PLACE "/a/x"), b = id_of(PLACE "/b/x");

	KUNIT_ASSERT_EQ(test, mount_unite(&from, &place, UNION_BEFORE, false), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/b/x"), a);
	KUNIT_EXPECT_NE(test, id_of(PLACE "/b/only_a"), 0);
	KUNIT_EXPECT_NE(test, id_of(PLACE "/b/only_b"), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/b/in/../only_b"), id_of(PLACE "/b/only_b"));
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/b/in/../../c"), id_of(PLACE "/c"));
	KUNIT_EXPECT_EQ(test, make(PLACE "/b/new", S_IFREG | 0644), -EACCES);
	KUNIT_EXPECT_EQ(test, mount_disunite(&from, &place), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/b/x"), b);
	KUNIT_EXPECT_EQ(test, mount_disunite(&from, &place), -EINVAL);
	path_put(&from);
	path_put(&place);
}

static void new_names_go_to_the_member_that_is_marked(struct kunit *test)
{
	struct path from = walk(test, PLACE "/a"), place = walk(test, PLACE "/b");

	KUNIT_ASSERT_EQ(test, mount_unite(&from, &place, UNION_AFTER | UNION_CREATE, false), 0);
	KUNIT_EXPECT_EQ(test, make(PLACE "/b/new", S_IFREG | 0644), 0);
	KUNIT_EXPECT_EQ(test, make(PLACE "/b/only_b", S_IFREG | 0644), -EEXIST);
	KUNIT_EXPECT_NE(test, id_of(PLACE "/a/new"), 0);
	KUNIT_EXPECT_EQ(test, detach(test, PLACE "/b", 0), 0);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/b/new"), 0);
	path_put(&from);
	path_put(&place);
}

/* More than the per-CPU area has room for. */
static void mounts_may_be_many(struct kunit *test)
{
	unsigned int made = 0, gone = 0;

	while (made < 1000 && !bind(test, PLACE "/a", PLACE "/c"))
		made++;
	KUNIT_EXPECT_EQ(test, made, 1000);
	KUNIT_EXPECT_NE(test, id_of(PLACE "/c/only_a"), 0);
	while (gone < made && !detach(test, PLACE "/c", 0))
		gone++;
	KUNIT_EXPECT_EQ(test, gone, made);
	KUNIT_EXPECT_EQ(test, id_of(PLACE "/c/only_a"), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_is_mounted_on_a_shared_mount_appears_on_its_peer),
	KUNIT_CASE(a_union_finds_a_name_in_the_first_member_that_has_it),
	KUNIT_CASE(new_names_go_to_the_member_that_is_marked),
	KUNIT_CASE(mounts_may_be_many),
	{},
};
static struct kunit_suite suite = { .name = "mount", .init = begin, .exit = end, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
