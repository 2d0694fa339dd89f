/*
 * The suite of rebinding: a tree whose server (some memory here) can be made to die, before or after it has done what it was asked
 * for. Another instance comes, of itself or because it is told to, and what the callers see is looked at.
 */
#include <kumo/epoll.h>
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/module.h>
#include <kumo/mount.h>
#include <kumo/poll.h>
#include <kumo/rebind.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/writeback.h>
#include <linux/eventpoll.h>
#include <linux/fs.h>

#include "internal.h"

#define PLACE "/rebind_test"
#define FILES 8
#define SIZE (2 * PAGE_SIZE)
#define ROOT_ID 1
#define FIRST_ID 10 /* of files */

struct server_file {
	bool used;
	char name[16];
	char bytes[SIZE];
	u64 size;
};

/* What lives on when an instance does not. */
static struct server {
	struct server_file files[FILES];
	struct tree *tree;
	bool dead;	  /* answers nothing */
	bool die_after;	  /* does the next change of names, and dies before it answers */
	bool refuse;	  /* no instance can attach */
	bool dies_again;  /* the next instance attaches, and is dead then */
	bool ready;	  /* poll says so */
	u64 next_id_base; /* of a server whose files have got other numbers */
	unsigned int attached, released, clunked, opened, wrong, pages_written;
} server;

struct instance {
	unsigned int number;
	struct wait_queue pollers;
};

static struct tree_type test_type, found_type;

/* ---- The instance ---- */

static int answer(const struct node *node)
{
	const struct instance *instance = node->tree->private;

	if (node->private != instance)
		server.wrong++;
	if (!server.dead)
		return 0;
	tree_lost(node->tree);
	return -ETREELOST;
}

/* A change of names was made: does its maker hear of it? */
static int answer_change(struct node *dir)
{
	if (!server.die_after)
		return 0;
	server.die_after = false;
	server.dead = true;
	tree_lost(dir->tree);
	return -ETREELOST;
}

/* The root, and what is called "d...": all names lie in each of them. */
static bool is_directory(u64 id)
{
	return id == ROOT_ID || server.files[(id - FIRST_ID) % FILES].name[0] == 'd';
}

static struct node *node_of_id(struct tree *tree, u64 id)
{
	bool fresh;
	struct node *node = node_obtain(tree, id, &fresh);

	if (IS_ERR(node) || !fresh)
		return node;
	node->attr.mode = is_directory(id) ? S_IFDIR | 0755 : S_IFREG | 0644;
	node->attr.nlink = 1;
	node->attr.block_size = PAGE_SIZE;
	if (id != ROOT_ID)
		node_set_size(node, server.files[(id - FIRST_ID) % FILES].size);
	node->attr.believe_until_ns = BELIEVE_FOREVER;
	node->private = tree->private;
	node_ready(node, 0);
	return node;
}

static int find_name(const struct name *name)
{
	for (int i = 0; i < FILES; i++)
		if (server.files[i].used && strlen(server.files[i].name) == name->length &&
		    !memcmp(server.files[i].name, name->text, name->length))
			return i;
	return -1;
}

static void take_name(struct server_file *file, const struct name *name)
{
	memset(file->name, 0, sizeof(file->name));
	memcpy(file->name, name->text, min((size_t)name->length, sizeof(file->name) - 1));
}

static int test_attach(struct tree *tree, const struct cred *cred)
{
	struct instance *instance;

	if (server.refuse)
		return -ECONNREFUSED;
	instance = kzalloc(sizeof(*instance), GFP_KERNEL);
	if (!instance)
		return -ENOMEM;
	instance->number = ++server.attached;
	wait_queue_init(&instance->pollers);
	server.dead = server.dies_again;
	server.dies_again = false;
	server.tree = tree;
	tree->private = instance;
	tree->root = node_of_id(tree, ROOT_ID);
	return IS_ERR(tree->root) ? (int)PTR_ERR(tree->root) : 0;
}

static void test_detach(struct tree *tree)
{
	kfree(tree->private);
}

static int test_walk(struct node *dir, const struct name *names, unsigned int count,
		     struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	int error = answer(dir), i;

	if (error)
		return error;
	i = find_name(names);
	if (i < 0)
		return -ENOENT;
	nodes[0] = node_of_id(dir->tree, FIRST_ID + server.next_id_base + (u64)i);
	return IS_ERR(nodes[0]) ? (int)PTR_ERR(nodes[0]) : 1;
}

static struct node *test_find(struct tree *tree, u64 id, u32 generation, const struct cred *cred)
{
	if (id != ROOT_ID && !server.files[(id - FIRST_ID) % FILES].used)
		return ERR_PTR(-ESTALE);
	return node_of_id(tree, id);
}

static int test_create(struct node *dir, const struct name *name, const struct node_new *what,
		       struct node **node, const struct cred *cred)
{
	int error = answer(dir), i;

	if (error)
		return error;
	if (find_name(name) >= 0)
		return -EEXIST;
	for (i = 0; i < FILES && server.files[i].used;)
		i++;
	if (i == FILES)
		return -ENOSPC;
	server.files[i] = (struct server_file){ .used = true };
	take_name(&server.files[i], name);
	error = answer_change(dir);
	if (error)
		return error;
	*node = node_of_id(dir->tree, FIRST_ID + (u64)i);
	return IS_ERR(*node) ? (int)PTR_ERR(*node) : 0;
}

static int test_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		       const struct cred *cred)
{
	int error = answer(dir), i;

	if (error)
		return error;
	i = find_name(name);
	if (i < 0)
		return -ENOENT;
	server.files[i].used = false;
	return answer_change(dir);
}

static int test_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		       struct node *new_dir, const struct name *new_name, struct node *replaced,
		       unsigned int flags, const struct cred *cred)
{
	int error = answer(old_dir), i;

	if (error)
		return error;
	i = find_name(old_name);
	if (i < 0)
		return -ENOENT;
	take_name(&server.files[i], new_name);
	return answer_change(old_dir);
}

static int test_open(struct file *file, const struct cred *cred)
{
	int error = answer(file->node);

	if (error)
		return error;
	file->private = file->node->tree->private;
	server.opened++;
	return 0;
}

static void test_clunk(struct file *file)
{
	struct instance *instance = file->private;

	if (instance != file->node->tree->private)
		server.wrong++;
	else
		poll_queue_gone(&instance->pollers);
	server.clunked++;
}

static u32 test_poll(struct file *file, struct poll_table *table)
{
	struct instance *instance = file->private;

	poll_wait(file, &instance->pollers, table);
	return server.ready ? POLLIN : 0;
}

static int test_fsync(struct file *file, bool data_only)
{
	if (file->private != file->node->tree->private)
		server.wrong++;
	return answer(file->node);
}

static struct server_file *file_of(const struct node *node)
{
	return &server.files[(node->attr.id - FIRST_ID) % FILES];
}

static void test_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		int error = answer(node);

		if (!error)
			memcpy(page_address(pages[i]),
			       file_of(node)->bytes + (pages[i]->index << PAGE_SHIFT), PAGE_SIZE);
		page_read_done(pages[i], error);
	}
}

static void test_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		int error = answer(node);

		if (!error) {
			memcpy(file_of(node)->bytes + (pages[i]->index << PAGE_SHIFT),
			       page_address(pages[i]), PAGE_SIZE);
			file_of(node)->size = node_size(node);
			server.pages_written++;
		}
		page_write_done(pages[i], error);
	}
}

static void test_forget(struct node *node)
{
	if (node->private != node->tree->private)
		server.wrong++;
}

static void test_release(struct node *node)
{
	test_forget(node);
	server.released++;
}

#define TEST_OPERATIONS                                                                            \
	.attach = test_attach, .detach = test_detach, .walk = test_walk, .create = test_create,    \
	.unlink = test_unlink, .rename = test_rename, .open = test_open, .clunk = test_clunk,      \
	.poll = test_poll, .read = page_cache_read, .write = page_cache_write,                     \
	.fsync = test_fsync, .read_pages = test_read_pages, .write_pages = test_write_pages,       \
	.forget = test_forget, .release = test_release

static const struct tree_ops test_ops = { TEST_OPERATIONS };
static const struct tree_ops found_ops = { TEST_OPERATIONS, .find = test_find };
static struct tree_type test_type = { .name = "rebind-test", .ops = &test_ops, .owner = THIS_MODULE };
static struct tree_type found_type = { .name = "rebind-found", .ops = &found_ops, .owner = THIS_MODULE };

/* ---- What the cases do ---- */

static const struct tree_replacement plain = {};
static struct thread *helper;

/* Not before the loss that it is for: a replacement that has been made by then is a planned one, and nobody makes another. */
static int make_again(void *unused)
{
	while (!tree_is_lost(server.tree) && !kthread_should_stop())
		sleep_ns(NSEC_PER_MSEC);
	sleep_ns(30 * NSEC_PER_MSEC); /* whoever waits for it mostly does so by then */
	return tree_replace(server.tree, &plain, &root_cred);
}

/* Another instance comes in a moment after the loss of this one. */
static void replace_soon(struct kunit *test)
{
	helper = kthread_run(make_again, NULL, "rebind_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(helper));
}

static void replaced(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, kthread_stop(helper), 0);
	KUNIT_EXPECT_EQ(test, server.attached, 2);
	KUNIT_EXPECT_EQ(test, server.wrong, 0);
}

static struct file *open_at(struct kunit *test, const char *name, u32 flags)
{
	struct file *file = file_open_name(name, flags, 0644, &root_cred);

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	return file;
}

static void put_byte(struct kunit *test, struct file *file, loff_t pos, char byte)
{
	KUNIT_EXPECT_EQ(test, kernel_write(file, &byte, 1, &pos), 1);
}

static int byte_at(struct file *file, loff_t pos)
{
	char byte = 0;
	ssize_t result = kernel_read(file, &byte, 1, &pos);

	return result == 1 ? byte : (int)result;
}

static int make_directory(const char *name)
{
	const struct node_new what = { .mode = S_IFDIR | 0755 };
	struct path parent;
	struct name last;
	int error = path_walk_parent(NULL, name, 0, &root_cred, &parent, &last);

	if (error)
		return error;
	error = path_create(&parent, &last, &what, &root_cred, NULL);
	path_put(&parent);
	return error;
}

static int change_name(const char *from, const char *to)
{
	struct path old, new;
	struct name old_last, new_last;
	int error = path_walk_parent(NULL, from, 0, &root_cred, &old, &old_last);

	if (error)
		return error;
	error = path_walk_parent(NULL, to ? to : from, 0, &root_cred, &new, &new_last);
	if (!error) {
		error = to ? path_rename(&old, &old_last, &new, &new_last, 0, &root_cred)
			   : path_unlink(&old, &old_last, false, &root_cred);
		path_put(&new);
	}
	path_put(&old);
	return error;
}

static bool heard;

static int poll_until_ready(void *file)
{
	struct poll_waiter waiter;
	int error = 0;

	poll_waiter_init(&waiter);
	waiter.table.events = POLLIN;
	heard = file_poll(file, &waiter.table) & POLLIN;
	while (!heard && !error) {
		error = poll_waiter_sleep(&waiter, WAIT_FOREVER);
		heard = !error && file_poll(file, poll_waiter_table(&waiter)) & POLLIN;
	}
	poll_waiter_release(&waiter);
	return error;
}

static void become_ready(void)
{
	struct instance *instance = server.tree->private;

	server.ready = true;
	wake_up(&instance->pollers);
	sleep_ns(100 * NSEC_PER_MSEC);
}

/* ---- The cases ---- */

static void who_polls_a_file_hears_of_the_next_instance(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	helper = kthread_run(poll_until_ready, file, "rebind_test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(helper));
	sleep_ns(30 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	sleep_ns(30 * NSEC_PER_MSEC);
	become_ready();
	KUNIT_EXPECT_TRUE(test, heard);
	(void)kthread_stop(helper);
	file_put(file);
}

static void an_event_set_hears_of_the_next_instance(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR), *set = epoll_create();
	struct epoll_event event = { .events = EPOLLIN };

	KUNIT_ASSERT_FALSE(test, IS_ERR(set));
	KUNIT_EXPECT_EQ(test, epoll_control(set, EPOLL_CTL_ADD, file, 1000, &event), 0);
	KUNIT_EXPECT_EQ(test, epoll_wait_events(set, NULL, 1, 0), 0);
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, epoll_wait_events(set, NULL, 1, 0), 0);
	become_ready();
	KUNIT_EXPECT_EQ(test, epoll_wait_events(set, NULL, 1, 0), -EFAULT); /* there is one to be told */
	file_put(file);
	file_put(set);
}

static void a_planned_replacement_keeps_open_files_and_their_bytes(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 5000, 'k');
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, server.attached, 2);
	KUNIT_EXPECT_EQ(test, server.clunked, 1);
	KUNIT_EXPECT_EQ(test, server.opened, 2);
	KUNIT_EXPECT_EQ(test, server.released, 2); /* the root, too */
	KUNIT_EXPECT_EQ(test, server.files[0].bytes[5000], 'k');
	KUNIT_EXPECT_EQ(test, byte_at(file, 5000), 'k');
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	file_put(file);
	KUNIT_EXPECT_EQ(test, server.wrong, 0);
}

static void where_no_new_instance_comes_up_the_old_kind_goes_on(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 0, 'o');
	server.refuse = true;
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), -ECONNREFUSED);
	KUNIT_EXPECT_TRUE(test, tree_is_lost(server.tree)); /* nor could the old one */
	server.refuse = false;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	replaced(test);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), 'o');
	file_put(file);
}

static void a_read_waits_for_another_instance(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	server.files[0].bytes[0] = 'r';
	server.files[0].size = 1;
	node_set_size(file->node, 1);
	server.dead = true;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), 'r');
	replaced(test);
	file_put(file);
}

static void dirty_pages_outlive_a_lost_instance(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	put_byte(test, file, 4100, 'd');
	server.dead = true;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	replaced(test);
	KUNIT_EXPECT_EQ(test, server.files[0].bytes[4100], 'd');
	KUNIT_EXPECT_EQ(test, server.files[0].size, 4101);
	file_put(file);
}

static void files_below_a_directory_are_found_by_the_instance_after_the_next(struct kunit *test)
{
	struct file *file;

	KUNIT_ASSERT_EQ(test, make_directory(PLACE "/d"), 0);
	file = open_at(test, PLACE "/d/a", O_CREAT | O_RDWR);
	put_byte(test, file, 0, 'b');
	file_put(file); /* what is dirty stays so */
	server.dead = true;
	tree_lost(server.tree);
	server.dies_again = true;
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_TRUE(test, tree_is_lost(server.tree)); /* while it looked for them */
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	file = open_at(test, PLACE "/d/a", O_RDWR);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), 'b');
	file_put(file);
	KUNIT_EXPECT_EQ(test, server.attached, 3);
	KUNIT_EXPECT_EQ(test, server.wrong, 0);
}

static void what_was_acknowledged_and_not_stable_is_reported_once(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 0, 'u');
	KUNIT_EXPECT_EQ(test, page_cache_sync(file->node->cache, 0, ~0ULL), 0); /* written, no more */
	server.dead = true;
	tree_lost(server.tree);
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), -EIO);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	put_byte(test, file, 0, 's');
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	tree_lost(server.tree);
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	file_put(file);
}

static void changes_of_names_whose_answer_was_lost_are_recognised(struct kunit *test)
{
	file_put(open_at(test, PLACE "/a", O_CREAT | O_RDWR));
	server.die_after = true;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, change_name(PLACE "/a", PLACE "/b"), 0);
	replaced(test);
	KUNIT_EXPECT_STREQ(test, server.files[0].name, "b");
	server.die_after = true;
	server.attached = 1;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, change_name(PLACE "/b", NULL), 0);
	replaced(test);
	KUNIT_EXPECT_FALSE(test, server.files[0].used);
}

static void a_file_that_may_be_anybodys_is_EIO(struct kunit *test)
{
	struct file *file;

	server.die_after = true;
	replace_soon(test);
	file = file_open_name(PLACE "/a", O_CREAT | O_EXCL | O_RDWR, 0644, &root_cred);
	KUNIT_EXPECT_EQ(test, PTR_ERR(file), -EIO);
	replaced(test);
}

static void a_file_that_its_name_does_not_lead_to_any_more_is_stale(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 0, 's');
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	server.next_id_base = FILES; /* another file has the name */
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), -ESTALE);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), -ESTALE);
	file_put(file);
	file = open_at(test, PLACE "/a", O_RDWR);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), 's');
	file_put(file);
	KUNIT_EXPECT_EQ(test, server.wrong, 0);
}

static void with_find_a_file_needs_no_name(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);
	const struct tree_replacement how = { .type = &found_type };

	put_byte(test, file, 0, 'f');
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	strscpy(server.files[0].name, "elsewhere", sizeof(server.files[0].name));
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &how, &root_cred), 0);
	KUNIT_EXPECT_PTR_EQ(test, server.tree->type, &found_type);
	KUNIT_EXPECT_EQ(test, byte_at(file, 0), 'f');
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	file_put(file);
}

static void files_that_are_closed_while_nobody_serves_them_are_let_go_of_at_once(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	server.dead = true;
	tree_lost(server.tree);
	file_put(file);
	KUNIT_EXPECT_EQ(test, server.clunked, 1);
	KUNIT_EXPECT_EQ(test, tree_replace(server.tree, &plain, &root_cred), 0);
	KUNIT_EXPECT_EQ(test, server.clunked, 1);
	KUNIT_EXPECT_EQ(test, server.wrong, 0);
}

static void who_waits_softly_gets_EIO_and_nobody_else_does(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);
	u64 before = time_monotonic_ns();

	server.dead = true;
	tree_lost(server.tree);
	server.tree->lost_wait_ns = 50 * NSEC_PER_MSEC;
	KUNIT_EXPECT_EQ(test, file_sync(file, false), -EIO);
	KUNIT_EXPECT_GE(test, time_monotonic_ns() - before, 50 * NSEC_PER_MSEC);
	server.tree->lost_wait_ns = 0;
	replace_soon(test);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	replaced(test);
	file_put(file);
}

static void a_lost_tree_is_tried_again_until_it_is_served(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 0, 't');
	server.tree->retry_ns = 5 * NSEC_PER_MSEC;
	server.refuse = true;
	server.dead = true;
	tree_lost(server.tree);
	sleep_ns(40 * NSEC_PER_MSEC);
	KUNIT_EXPECT_NE(test, server.tree->state, (u32)TREE_SERVED);
	server.refuse = false;
	KUNIT_EXPECT_EQ(test, file_sync(file, false), 0);
	KUNIT_EXPECT_EQ(test, server.attached, 2);
	KUNIT_EXPECT_EQ(test, server.files[0].bytes[0], 't');
	file_put(file);
}

static void a_tree_that_is_given_up_fails_at_once_and_can_be_unmounted(struct kunit *test)
{
	struct file *file = open_at(test, PLACE "/a", O_CREAT | O_RDWR);

	put_byte(test, file, 0, 'g');
	server.dead = true;
	tree_lost(server.tree);
	tree_give_up(server.tree);
	KUNIT_EXPECT_EQ(test, file_sync(file, false), -EIO);
	file_put(file);
	KUNIT_EXPECT_EQ(test, server.clunked, 1);
}

static int begin(struct kunit *test)
{
	memset(&server, 0, sizeof(server));
	return kernel_mount("rebind-test", "none", PLACE, 0, NULL);
}

static void end(struct kunit *test)
{
	struct path path;

	if (path_walk(NULL, PLACE, 0, &root_cred, &path))
		return;
	if (mount_detach(&path, 0))
		pr_err("%s stays mounted\n", PLACE);
	path_put(&path);
}

static int begin_suite(struct kunit_suite *suite)
{
	int error = make_directory(PLACE);

	return error ? error : tree_type_register(&test_type);
}

static void end_suite(struct kunit_suite *suite)
{
	struct path parent;
	struct name last;

	tree_type_unregister(&test_type);
	if (path_walk_parent(NULL, PLACE, 0, &root_cred, &parent, &last))
		return;
	if (path_unlink(&parent, &last, true, &root_cred))
		pr_err("%s stays\n", PLACE);
	path_put(&parent);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_planned_replacement_keeps_open_files_and_their_bytes),
	KUNIT_CASE(where_no_new_instance_comes_up_the_old_kind_goes_on),
	KUNIT_CASE(a_read_waits_for_another_instance),
	KUNIT_CASE(dirty_pages_outlive_a_lost_instance),
	KUNIT_CASE(files_below_a_directory_are_found_by_the_instance_after_the_next),
	KUNIT_CASE(what_was_acknowledged_and_not_stable_is_reported_once),
	KUNIT_CASE(changes_of_names_whose_answer_was_lost_are_recognised),
	KUNIT_CASE(a_file_that_may_be_anybodys_is_EIO),
	KUNIT_CASE(a_file_that_its_name_does_not_lead_to_any_more_is_stale),
	KUNIT_CASE(with_find_a_file_needs_no_name),
	KUNIT_CASE(files_that_are_closed_while_nobody_serves_them_are_let_go_of_at_once),
	KUNIT_CASE(who_waits_softly_gets_EIO_and_nobody_else_does),
	KUNIT_CASE(a_lost_tree_is_tried_again_until_it_is_served),
	KUNIT_CASE(a_tree_that_is_given_up_fails_at_once_and_can_be_unmounted),
	KUNIT_CASE(who_polls_a_file_hears_of_the_next_instance),
	KUNIT_CASE(an_event_set_hears_of_the_next_instance),
	{},
};

static struct kunit_suite suite = {
	.name = "rebind",
	.suite_init = begin_suite,
	.suite_exit = end_suite,
	.init = begin,
	.exit = end,
	.test_cases = cases,
};
kunit_test_suite(suite);
MODULE_DESCRIPTION("Suite of rebinding");
MODULE_LICENSE("MIT");
