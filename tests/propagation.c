/*
 * What is mounted in one place and appears in others: mount_namespaces(7), and Linux's "Shared Subtrees", whose examples are
 * among these.
 */
#include "mounts.h"

static void folders(const char *top)
{
	char name[64];

	for (const char *each = "xyz"; *each; each++) {
		snprintf(name, sizeof(name), "%s/%c", top, *each);
		mkdir(name, 0755);
	}
}

/* A tmpfs at a, shared, and a peer at b. */
static void peers(void)
{
	WORKS(mount_new("a"));
	folders("a");
	WORKS(mount_type("a", MS_SHARED));
	WORKS(mount_bind("a", "b"));
}

static void undo(const char *names)
{
	for (; *names; names++) {
		char name[2] = { *names };

		while (umount2(name, MNT_DETACH) == 0)
			;
	}
}

static void test_types(void)
{
	struct mount_line a, b;

	WORKS(mount_new("a"));
	folders("a");
	a = line_of("/tmp/m/a");
	TRUE(!a.shared && !a.master && !a.unbindable);
	FAILS(EINVAL, mount_type("a/x", MS_SHARED)); /* no mount */
	FAILS(EINVAL, mount_type("a", MS_SHARED | MS_PRIVATE));
	FAILS(EINVAL, mount_type("a", MS_SHARED | MS_RDONLY));
	FAILS(EINVAL, mount_type("a", MS_SLAVE | MS_NOSUID));
	WORKS(mount_type("a", MS_SLAVE)); /* nobody's: stays private */
	a = line_of("/tmp/m/a");
	TRUE(!a.shared && !a.master);
	WORKS(mount_type("a", MS_SHARED));
	a = line_of("/tmp/m/a");
	TRUE(a.shared && !a.master);
	WORKS(mount_type("a", MS_SHARED));
	TRUE(line_of("/tmp/m/a").shared == a.shared);
	WORKS(mount_bind("a", "b"));
	b = line_of("/tmp/m/b");
	TRUE(b.shared == a.shared && !b.master);
	WORKS(mount_type("b", MS_SLAVE));
	b = line_of("/tmp/m/b");
	TRUE(!b.shared && b.master == a.shared);
	WORKS(mount_type("b", MS_SHARED));
	b = line_of("/tmp/m/b");
	TRUE(b.shared && b.shared != a.shared && b.master == a.shared);
	WORKS(mount_type("b", MS_SLAVE)); /* without peers: keeps its master */
	b = line_of("/tmp/m/b");
	TRUE(!b.shared && b.master == a.shared);
	WORKS(mount_type("b", MS_UNBINDABLE));
	b = line_of("/tmp/m/b");
	TRUE(!b.shared && !b.master && b.unbindable);
	FAILS(EINVAL, mount_bind("b", "c"));
	FAILS(EINVAL, mount_bind("b/x", "c"));
	WORKS(mount_type("b", MS_SLAVE));
	TRUE(line_of("/tmp/m/b").unbindable);
	WORKS(mount_type("b", MS_SHARED));
	b = line_of("/tmp/m/b");
	TRUE(b.shared && !b.unbindable);
	WORKS(mount_type("b", MS_PRIVATE));
	b = line_of("/tmp/m/b");
	TRUE(!b.shared && !b.master && !b.unbindable);
	undo("ab");
}

static void test_shared(void)
{
	struct mount_line ax, bx;

	peers();
	WORKS(mount_new("a/x"));
	WORKS(make_file("a/x/f", "1"));
	TRUE(!strcmp(text_of("b/x/f"), "1"));
	ax = line_of("/tmp/m/a/x");
	bx = line_of("/tmp/m/b/x");
	TRUE(ax.shared && ax.shared == bx.shared && ax.shared != line_of("/tmp/m/a").shared);
	TRUE(bx.parent == line_of("/tmp/m/b").id);
	WORKS(mount_new("b/y"));
	GIVES(1, mounts_at("/tmp/m/a/y"));
	/* What peers do not show does not come to them. */
	WORKS(mount_bind("a/z", "c"));
	WORKS(mkdir("a/z/in", 0755));
	WORKS(mount_new("b/z/in"));
	GIVES(1, mounts_at("/tmp/m/c/in"));
	GIVES(1, mounts_at("/tmp/m/a/z/in"));
	GIVES(0, mounts_at("/tmp/m/c/x"));
	/* And goes as it came. */
	WORKS(umount("c/in"));
	GIVES(0, mounts_at("/tmp/m/b/z/in"));
	WORKS(umount("b/x"));
	GIVES(0, mounts_at("/tmp/m/a/x"));
	FAILS(EINVAL, umount("a/x"));
	undo("cba");
}

static void test_slaves(void)
{
	struct mount_line a, b, ax, bx, cx;

	peers();
	WORKS(mount_type("b", MS_SLAVE));
	WORKS(mount_bind("b", "c")); /* a slave, too */
	a = line_of("/tmp/m/a");
	TRUE(line_of("/tmp/m/c").master == a.shared && !line_of("/tmp/m/c").shared);
	WORKS(mount_new("a/x"));
	ax = line_of("/tmp/m/a/x");
	bx = line_of("/tmp/m/b/x");
	cx = line_of("/tmp/m/c/x");
	TRUE(bx.count == 1 && bx.master == ax.shared && !bx.shared);
	TRUE(cx.count == 1 && cx.master == ax.shared && !cx.shared);
	WORKS(mount_new("b/y"));
	GIVES(0, mounts_at("/tmp/m/a/y"));
	GIVES(0, mounts_at("/tmp/m/c/y"));
	/* A slave that is shared tells its own peers. */
	WORKS(mount_type("c", MS_SHARED));
	WORKS(mount_bind("c", "d"));
	b = line_of("/tmp/m/d");
	TRUE(b.shared == line_of("/tmp/m/c").shared && b.master == a.shared);
	WORKS(mount_new("a/z"));
	GIVES(1, mounts_at("/tmp/m/b/z"));
	GIVES(1, mounts_at("/tmp/m/c/z"));
	GIVES(1, mounts_at("/tmp/m/d/z"));
	TRUE(line_of("/tmp/m/c/z").shared &&
	     line_of("/tmp/m/c/z").shared == line_of("/tmp/m/d/z").shared);
	TRUE(line_of("/tmp/m/c/z").master == line_of("/tmp/m/a/z").shared);
	WORKS(mount_new("d/y"));
	GIVES(1, mounts_at("/tmp/m/c/y"));
	GIVES(0, mounts_at("/tmp/m/a/y"));
	WORKS(umount("a/z"));
	GIVES(0, mounts_at("/tmp/m/d/z"));
	/* Slaves of a group that is gone are nobody's. */
	WORKS(mount_type("a", MS_PRIVATE));
	TRUE(!line_of("/tmp/m/b").master && !line_of("/tmp/m/c").master);
	undo("dcba");
}

/* a (shared) -> b (slave and shared) -> c (slave): when b's group goes, c is a's slave. */
static void test_chain(void)
{
	peers();
	WORKS(mount_type("b", MS_SLAVE));
	WORKS(mount_type("b", MS_SHARED));
	WORKS(mount_bind("b", "c"));
	WORKS(mount_type("c", MS_SLAVE));
	TRUE(line_of("/tmp/m/c").master == line_of("/tmp/m/b").shared);
	WORKS(mount_new("a/x"));
	TRUE(line_of("/tmp/m/c/x").master == line_of("/tmp/m/b/x").shared);
	TRUE(line_of("/tmp/m/b/x").master == line_of("/tmp/m/a/x").shared);
	WORKS(umount2("b", MNT_DETACH));
	TRUE(line_of("/tmp/m/c").master == line_of("/tmp/m/a").shared);
	WORKS(mount_new("a/y"));
	TRUE(line_of("/tmp/m/c/y").master == line_of("/tmp/m/a/y").shared);
	undo("cba");
}

static void seen_from_root(void)
{
	CHECK(!chroot("c") && !chdir("/"));
	CHECK(!mkdir("/proc", 0755) || errno == EEXIST);
	CHECK(!mount("proc", "/proc", "proc", 0, NULL));
	CHECK(line_of("/").master && line_of("/").from == 0);
}

static void test_bind(void)
{
	/* The table of "Shared Subtrees", section 5b. */
	WORKS(mount_new("a"));
	folders("a");
	WORKS(mount_new("b"));
	folders("b");
	WORKS(mount_bind("a", "b/x")); /* private on private */
	TRUE(!line_of("/tmp/m/b/x").shared);
	WORKS(umount("b/x"));
	WORKS(mount_type("b", MS_SHARED));
	WORKS(mount_bind("a", "b/x")); /* private on shared */
	TRUE(line_of("/tmp/m/b/x").shared && !line_of("/tmp/m/a").shared);
	WORKS(umount("b/x"));
	WORKS(mount_type("a", MS_SHARED));
	WORKS(mount_bind("a", "b/x")); /* shared on shared */
	TRUE(line_of("/tmp/m/b/x").shared == line_of("/tmp/m/a").shared);
	WORKS(umount("b/x"));
	WORKS(mount_bind("a", "c"));
	WORKS(mount_type("c", MS_SLAVE));
	WORKS(mount_bind("c", "b/x")); /* slave on shared */
	TRUE(line_of("/tmp/m/b/x").master == line_of("/tmp/m/a").shared && line_of("/tmp/m/b/x").shared);
	WORKS(umount("b/x"));
	undo("cba");

	/* With all that stands below; what is unbindable stays. */
	WORKS(mount_new("a"));
	folders("a");
	WORKS(mount_new("a/x"));
	WORKS(mount_new("a/y"));
	WORKS(mount_type("a/y", MS_UNBINDABLE));
	WORKS(mkdir("a/x/deep", 0755));
	WORKS(mount_new("a/x/deep"));
	WORKS(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	GIVES(1, mounts_at("/tmp/m/b/x"));
	GIVES(1, mounts_at("/tmp/m/b/x/deep"));
	GIVES(0, mounts_at("/tmp/m/b/y"));
	WORKS(mount("a/x", "c", NULL, MS_BIND | MS_REC, NULL));
	GIVES(1, mounts_at("/tmp/m/c/deep"));
	WORKS(umount2("b", MNT_DETACH));
	GIVES(0, mounts_at("/tmp/m/b/x/deep"));
	GIVES(1, mounts_at("/tmp/m/a/x/deep"));
	/* Below itself it does not go on for ever. */
	WORKS(mount("a", "a/z", NULL, MS_BIND | MS_REC, NULL));
	GIVES(1, mounts_at("/tmp/m/a/z/x/deep"));
	GIVES(0, mounts_at("/tmp/m/a/z/z/x"));
	WORKS(mount(NULL, "a", NULL, MS_REC | MS_SHARED, NULL));
	TRUE(line_of("/tmp/m/a/z/x/deep").shared && line_of("/tmp/m/a/y").shared);
	undo("cba");
	/* A shared one on itself: to its peer, but not to that which comes. */
	peers();
	WORKS(mount_bind("a", "a/x"));
	GIVES(1, mounts_at("/tmp/m/b/x"));
	GIVES(0, mounts_at("/tmp/m/a/x/x"));
	undo("cba");
	WORKS(mount_new("a"));
	WORKS(mount_type("a", MS_SHARED));
	WORKS(mount_bind("a", "c"));
	WORKS(mount_type("c", MS_SLAVE));
	GIVES(0, in_child(seen_from_root));
	undo("ca");
}

static void test_move(void)
{
	struct mount_line x;

	WORKS(mount_new("a"));
	folders("a");
	WORKS(mount_new("a/x"));
	WORKS(make_file("a/x/f", "1"));
	WORKS(mount_new("a/x/../y"));
	FAILS(EINVAL, mount("a/z", "b", NULL, MS_MOVE, NULL)); /* no mount */
	x = line_of("/tmp/m/a/x");
	WORKS(mount("a/x", "b", NULL, MS_MOVE, NULL));
	TRUE(line_of("/tmp/m/b").id == x.id && !strcmp(text_of("b/f"), "1"));
	GIVES(0, mounts_at("/tmp/m/a/x"));
	WORKS(mkdir("b/in", 0755));
	FAILS(ELOOP, mount("b", "b/in", NULL, MS_MOVE, NULL));
	WORKS(mount("b", "a/x", NULL, MS_MOVE, NULL));
	/* From a shared mount nothing is moved. */
	WORKS(mount_type("a", MS_SHARED));
	FAILS(EINVAL, mount("a/x", "b", NULL, MS_MOVE, NULL));
	/* To a shared one it goes to its peers, but nothing that is unbindable. */
	WORKS(mount_bind("a", "c"));
	WORKS(mount_new("d"));
	WORKS(mount_type("d", MS_UNBINDABLE));
	FAILS(EINVAL, mount("d", "c/z", NULL, MS_MOVE, NULL));
	WORKS(mount_type("d", MS_PRIVATE));
	WORKS(mount("d", "c/z", NULL, MS_MOVE, NULL));
	GIVES(1, mounts_at("/tmp/m/a/z"));
	TRUE(line_of("/tmp/m/a/z").shared &&
	     line_of("/tmp/m/a/z").shared == line_of("/tmp/m/c/z").shared);
	FAILS(ENOENT, mount("d", "nowhere", NULL, MS_MOVE, NULL));
	WORKS(make_file("file", ""));
	WORKS(mount_new("d"));
	FAILS(EINVAL, mount("d", "file", NULL, MS_MOVE, NULL));
	undo("dcba");
	WORKS(unlink("file"));
}

static void test_unmount(void)
{
	int fd;

	peers();
	WORKS(mount_type("b", MS_SLAVE));
	/* What is busy elsewhere is busy. */
	WORKS(mount_new("a/x"));
	fd = open("b/x", O_RDONLY);
	FAILS(EBUSY, umount("a/x"));
	close(fd);
	WORKS(umount("a/x"));
	GIVES(0, mounts_at("/tmp/m/b/x"));
	/* What has something of its own on it stays. */
	WORKS(mount_new("a/x"));
	WORKS(mkdir("a/x/in", 0755));
	WORKS(mount_new("b/x/in"));
	FAILS(EBUSY, umount("b/x"));
	WORKS(umount("a/x"));
	GIVES(1, mounts_at("/tmp/m/b/x"));
	GIVES(1, mounts_at("/tmp/m/b/x/in"));
	WORKS(umount("b/x/in"));
	WORKS(umount("b/x"));
	/* What stood there before stays on top of what comes. */
	WORKS(mount_new("b/x"));
	WORKS(make_file("b/x/own", ""));
	WORKS(mount_new("a/x"));
	WORKS(make_file("a/x/come", ""));
	WORKS(access("b/x/own", F_OK));
	GIVES(2, mounts_at("/tmp/m/b/x"));
	WORKS(umount("a/x"));
	WORKS(access("b/x/own", F_OK));
	GIVES(1, mounts_at("/tmp/m/b/x"));
	WORKS(mount_new("a/x"));
	WORKS(make_file("a/x/come", ""));
	WORKS(umount("b/x"));
	WORKS(access("b/x/come", F_OK));
	WORKS(umount("a/x"));
	GIVES(0, mounts_at("/tmp/m/b/x"));
	/* Lazily, a whole tree. */
	WORKS(mount_new("a/x"));
	WORKS(mkdir("a/x/in", 0755));
	WORKS(mount_new("a/x/in"));
	GIVES(1, mounts_at("/tmp/m/b/x/in"));
	WORKS(umount2("a/x", MNT_DETACH));
	GIVES(0, mounts_at("/tmp/m/b/x/in"));
	GIVES(0, mounts_at("/tmp/m/b/x"));
	undo("cba");
}

int main(void)
{
	begin_mounts();
	test_types();
	test_shared();
	test_slaves();
	test_chain();
	test_bind();
	test_move();
	test_unmount();
	return end_mounts();
}
