/*
 * Character devices, and the tree of /dev ("devtmpfs"): a RAM tree that the kernel fills. Registering a device makes
 * its node there through the same operations that mknod(2) uses, in a mount that stands nowhere; programs may make nodes,
 * links and folders beside. A device node of any tree leads here by its number (device_open); block devices (block/) are opened from
 * here, and have their nodes here.
 *
 * A driver may go while its device is open. An open file therefore does not run the driver's operations itself, but those of a
 * guard: each enters the guard, calls the driver's, and leaves. Unregistering closes the guard, waits until nobody is
 * inside, and ends what is still open. Devices that never go, and those that look after themselves, have no guard.
 */
#define LOG_PREFIX "dev: "
#include <kumo/block.h>
#include <kumo/device.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/main.h>
#include <kumo/module.h>
#include <kumo/mount.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/wait.h>
#include <linux/mount.h>
#include <linux/poll.h>

#include "dev.h"
#include "internal.h"

#define HASH_SIZE 64
#define DYNAMIC_MAJOR 240

static spinlock_t devices_lock = SPINLOCK_INIT("devices"); /* the hash */
static struct hlist devices[HASH_SIZE];
static struct wait_queue openings = WAIT_QUEUE_INIT(openings); /* who unregisters waits here */
static atomic_t last_dynamic_minor = ATOMIC_INIT(-1);
static struct path tree_root; /* of /dev, in the kernel's own mount */

static struct hlist *bucket_of(u64 number)
{
	return &devices[hash_u64(number) % HASH_SIZE];
}

/* devices_lock is held. */
static struct char_device *device_find(u64 number)
{
	u64 first = device_make(device_major(number), 0);
	struct char_device *device;

	hlist_for_each(device, bucket_of(number), hash_link)
		if (device->number == number)
			return device;
	hlist_for_each(device, bucket_of(first), hash_link)
		if (device->number == first && device->whole_major)
			return device;
	return NULL;
}

u64 device_number_alloc(void)
{
	return device_make(DYNAMIC_MAJOR, (u32)atomic_inc_return(&last_dynamic_minor));
}
EXPORT_SYMBOL(device_number_alloc);

/* ---- Guards ---- */

struct device_guard {
	struct tree_ops ops; /* what open files run; each has the driver's of the same name */
	const struct tree_ops *driver;
	struct char_device *device;
	refcount_t refs; /* the registration's, and one for each open file */
	atomic_t inside; /* operations that run now */
	bool gone; /* no more of them: pairs with `inside` (both sides write one, then read the other) */
	struct wait_queue idle;
	struct mutex lock; /* protects `opens`; held while a file is ended */
	struct list opens;
};

struct device_open {
	struct list link;
	struct file *file;
};

static struct device_guard *guard_of(const struct file *file)
{
	return container_of(file->ops, struct device_guard, ops);
}

static void guard_put(struct device_guard *guard)
{
	if (refcount_dec_and_test(&guard->refs))
		kfree(guard);
}

static void guard_leave(struct device_guard *guard)
{
	if (atomic_dec_and_test(&guard->inside) && READ_ONCE(guard->gone))
		wake_up_all(&guard->idle);
}

static bool guard_enter(struct device_guard *guard)
{
	atomic_inc(&guard->inside);
	if (likely(!READ_ONCE(guard->gone)))
		return true;
	guard_leave(guard);
	return false;
}

/* Calls the driver's operation between enter and leave. */
#define GUARDED(file, otherwise, call)                                                             \
	({                                                                                         \
		struct device_guard *guard = guard_of(file);                                       \
		__typeof__(guard->driver->call) result = (otherwise);                              \
		if (guard_enter(guard)) {                                                          \
			result = guard->driver->call;                                              \
			guard_leave(guard);                                                        \
		}                                                                                  \
		result;                                                                            \
	})

static ssize_t guarded_read(struct file *file, struct iter *to, loff_t *pos)
{
	return GUARDED(file, -ENODEV, read(file, to, pos));
}

static ssize_t guarded_write(struct file *file, struct iter *from, loff_t *pos)
{
	return GUARDED(file, -ENODEV, write(file, from, pos));
}

static loff_t guarded_seek(struct file *file, loff_t offset, int whence)
{
	return GUARDED(file, -ENODEV, seek(file, offset, whence));
}

static u32 guarded_poll(struct file *file, struct poll_table *table)
{
	return GUARDED(file, POLLERR | POLLHUP, poll(file, table));
}

static long guarded_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	return GUARDED(file, -ENODEV, ioctl(file, command, argument));
}

static int guarded_mmap(struct file *file, struct vma *vma)
{
	return GUARDED(file, -ENODEV, mmap(file, vma));
}

static int guarded_fsync(struct file *file, bool data_only)
{
	return GUARDED(file, -ENODEV, fsync(file, data_only));
}

static int guarded_flush(struct file *file)
{
	return GUARDED(file, 0, flush(file));
}

/* Ends the file for the driver; guard->lock is held. */
static void open_end(struct device_guard *guard, struct device_open *open)
{
	list_del(&open->link);
	if (guard->driver->clunk)
		guard->driver->clunk(open->file);
	kfree(open);
}

static void guarded_clunk(struct file *file)
{
	struct device_guard *guard = guard_of(file);
	struct device_open *open;

	mutex_lock(&guard->lock);
	list_for_each(open, &guard->opens, link) {
		if (open->file == file) {
			open_end(guard, open);
			break;
		}
	}
	mutex_unlock(&guard->lock);
	guard_put(guard);
}

static struct device_guard *guard_create(struct char_device *device)
{
	const struct tree_ops *driver = device->ops;
	struct device_guard *guard = kzalloc(sizeof(*guard), GFP_KERNEL);

	if (!guard)
		return NULL;
	guard->ops = (struct tree_ops){
		.clunk = guarded_clunk,
		.read = driver->read ? guarded_read : NULL,
		.write = driver->write ? guarded_write : NULL,
		.seek = driver->seek ? guarded_seek : NULL,
		.poll = driver->poll ? guarded_poll : NULL,
		.ioctl = driver->ioctl ? guarded_ioctl : NULL,
		.mmap = driver->mmap ? guarded_mmap : NULL,
		.fsync = driver->fsync ? guarded_fsync : NULL,
		.flush = driver->flush ? guarded_flush : NULL,
	};
	guard->driver = driver;
	guard->device = device;
	refcount_set(&guard->refs, 1);
	wait_queue_init(&guard->idle);
	mutex_init(&guard->lock, "device_guard");
	list_init(&guard->opens);
	return guard;
}

/* Waits until no operation runs, then ends what is open. */
static void guard_close(struct device_guard *guard)
{
	WRITE_ONCE(guard->gone, true);
	smp_mb(); /* before `inside` is read: pairs with guard_enter() */
	wait_event(&guard->idle, !atomic_read(&guard->inside));
	mutex_lock(&guard->lock);
	while (!list_empty(&guard->opens))
		open_end(guard, list_first(&guard->opens, struct device_open, link));
	mutex_unlock(&guard->lock);
	guard_put(guard);
}

/* ---- Opening ---- */

/* Takes over a reference of the guard. */
static int guarded_open(struct file *file, struct device_guard *guard, const struct cred *cred)
{
	struct device_open *open = kmalloc(sizeof(*open), GFP_KERNEL);
	int error = open ? -ENXIO : -ENOMEM;

	if (!open || !guard_enter(guard))
		goto fail;
	file->ops = &guard->ops;
	file->private = guard->device;
	error = guard->driver->open ? guard->driver->open(file, cred) : 0;
	if (!error) {
		open->file = file;
		mutex_lock(&guard->lock);
		list_add(&guard->opens, &open->link);
		mutex_unlock(&guard->lock);
	}
	guard_leave(guard);
	if (!error)
		return 0;
fail:
	kfree(open);
	guard_put(guard);
	return error;
}

/* -ENXIO: nobody has the number. */
static int device_try_open(struct file *file, const struct cred *cred)
{
	struct module *previous_owner = file->owner;
	struct device_guard *guard = NULL;
	struct char_device *device;
	int error = 0;

	spin_lock(&devices_lock);
	device = device_find(file->node->attr.rdev);
	if (!device || !try_module_get(device->owner)) {
		spin_unlock(&devices_lock);
		return -ENXIO;
	}
	atomic_inc(&device->opening);
	if (device->guard) {
		guard = device->guard;
		refcount_inc(&guard->refs);
	}
	file->owner = device->owner;
	file->ops = device->ops;
	file->private = device;
	spin_unlock(&devices_lock);

	if (!file->ops->seek)
		file->mode = (file->mode & ~(u32)FILE_SEEK) | FILE_STREAM;
	if (guard)
		error = guarded_open(file, guard, cred);
	else if (file->ops->open)
		error = file->ops->open(file, cred);
	if (atomic_dec_and_test(&device->opening))
		wake_up_all(&openings);
	if (error) {
		module_put(file->owner);
		file->owner = previous_owner;
		return error;
	}
	module_put(previous_owner);
	return 0;
}

int device_open(struct file *file, const struct cred *cred)
{
	u64 number = file->node->attr.rdev;
	int error;

	if (S_ISBLK(file->node->attr.mode))
		return block_file_open(file, cred);
	error = device_try_open(file, cred);
	if (error != -ENXIO)
		return error;
	if (request_module("char-major-%u-%u", device_major(number), device_minor(number)))
		return -ENXIO;
	return device_try_open(file, cred);
}
EXPORT_SYMBOL(device_open);

/* ---- Nodes in /dev ---- */

/* The folders on the way to `name`. What exists is fine. */
static int folders_make(const char *name)
{
	char prefix[128];
	int error = 0;

	for (const char *slash = strchr(name, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
		struct node_new folder = { .mode = S_IFDIR | 0755 };
		struct path parent;
		struct name last;

		if (slash - name >= (long)sizeof(prefix))
			return -ENAMETOOLONG;
		memcpy(prefix, name, (size_t)(slash - name));
		prefix[slash - name] = '\0';
		error = path_walk_parent(&tree_root, prefix, 0, &root_cred, &parent, &last);
		if (error)
			break;
		error = path_create(&parent, &last, &folder, &root_cred, NULL);
		path_put(&parent);
		if (error == -EEXIST)
			error = 0;
	}
	return error;
}

static int name_remove(const char *name, bool directory)
{
	struct path parent;
	struct name last;
	int error = path_walk_parent(&tree_root, name, 0, &root_cred, &parent, &last);

	if (error)
		return error;
	error = path_unlink(&parent, &last, directory, &root_cred);
	path_put(&parent);
	return error;
}

/* Makes a node, in place of anything of that name that is there. */
static int name_create(const char *name, const struct node_new *what, u32 gid)
{
	struct path parent, made;
	struct name last;
	int error = folders_make(name);

	if (error)
		return error;
	error = path_walk_parent(&tree_root, name, 0, &root_cred, &parent, &last);
	if (error)
		return error;
	error = path_create(&parent, &last, what, &root_cred, &made);
	if (error == -EEXIST) {
		error = path_unlink(&parent, &last, false, &root_cred);
		if (!error)
			error = path_create(&parent, &last, what, &root_cred, &made);
	}
	path_put(&parent);
	if (error)
		return error;
	if (gid) {
		struct attr_change change = { .valid = SETATTR_GID, .gid = gid };

		error = path_setattr(&made, &change, &root_cred);
	}
	path_put(&made);
	return error;
}

/* Removes a name and the folders above it that are empty then. */
static void name_clean(const char *name)
{
	char folder[128];
	char *slash;
	int error = name_remove(name, false);

	if (error && error != -ENOENT) /* a program may have been first */
		pr_warn("cannot remove /dev/%s (error %d)\n", name, error);
	if (strscpy(folder, name, sizeof(folder)) < 0)
		return;
	while ((slash = strrchr(folder, '/'))) {
		*slash = '\0';
		if (name_remove(folder, true))
			return;
	}
}

int device_link_add(const char *name, const char *target)
{
	struct node_new link = { .mode = S_IFLNK | 0777, .target = target };

	return name_create(name, &link, 0);
}
EXPORT_SYMBOL(device_link_add);

int device_node_add(const char *name, u32 mode, u64 number, u32 gid)
{
	struct node_new node = { .mode = mode, .rdev = number };

	return name_create(name, &node, gid);
}

void device_link_remove(const char *name)
{
	name_clean(name);
}
EXPORT_SYMBOL(device_link_remove);

/* ---- Registering ---- */

int char_device_register(struct char_device *device)
{
	struct node_new node = { .mode = S_IFCHR | device->mode, .rdev = device->number };
	int error;

	device->guard = NULL;
	atomic_set(&device->opening, 0);
	if (!device->unguarded) {
		device->guard = guard_create(device);
		if (!device->guard)
			return -ENOMEM;
	}
	spin_lock(&devices_lock);
	error = device_find(device->number) ? -EBUSY : 0;
	if (!error)
		hlist_add(bucket_of(device->number), &device->hash_link);
	spin_unlock(&devices_lock);
	if (error) {
		kfree(device->guard);
		return error;
	}
	error = device->name ? name_create(device->name, &node, device->gid) : 0;
	if (error)
		char_device_unregister(device);
	return error;
}
EXPORT_SYMBOL(char_device_register);

void char_device_unregister(struct char_device *device)
{
	spin_lock(&devices_lock);
	hlist_del(&device->hash_link);
	spin_unlock(&devices_lock);
	if (device->name)
		name_clean(device->name);
	wait_event(&openings, !atomic_read(&device->opening));
	if (device->guard)
		guard_close(device->guard);
}
EXPORT_SYMBOL(char_device_unregister);

static const struct {
	u32 major;
	const char *name;
} major_names[] = {
	{ 1, "mem" },	{ 4, "ttyS" },	{ 5, "/dev/tty" },	   { 10, "misc" },
	{ 136, "pts" }, { 229, "hvc" }, { DYNAMIC_MAJOR, "kumo" },
};

/* Each major that a device has, in order. */
int devices_show(struct text *text, void *unused)
{
	u32 major = 0, next;

	text_puts(text, "Character devices:\n");
	for (;;) {
		const char *name = "other";

		next = ~0U;
		spin_lock(&devices_lock);
		for (int i = 0; i < HASH_SIZE; i++) {
			struct char_device *device;

			hlist_for_each(device, &devices[i], hash_link)
				if (device_major(device->number) > major)
					next = min(next, device_major(device->number));
		}
		spin_unlock(&devices_lock);
		if (next == ~0U)
			break;
		major = next;
		for (size_t i = 0; i < ARRAY_SIZE(major_names); i++)
			if (major_names[i].major == major)
				name = major_names[i].name;
		text_printf(text, "%3u %s\n", major, name);
	}
	text_puts(text, "\nBlock devices:\n");
	block_majors_print(text);
	return 0;
}

/* ---- The start ---- */

static struct tree_type device_tree_type = { .name = "devtmpfs", .flags = TREE_TYPE_SINGLE };

void __init device_init(void)
{
	struct tree_type *ram = tree_type_get("tmpfs");
	struct tree *tree;

	if (IS_ERR(ram))
		panic("dev: there is no tmpfs");
	device_tree_type.ops = ram->ops;
	if (tree_type_register(&device_tree_type))
		panic("dev: cannot register devtmpfs");
	tree = tree_attach(&device_tree_type, "devtmpfs", "mode=0755", &root_cred);
	if (IS_ERR(tree))
		panic("dev: no memory for the tree of /dev");
	tree_root.mount = mount_alloc(tree, tree->root_entry, 0);
	if (!tree_root.mount)
		panic("dev: no memory for the tree of /dev");
	tree_root.entry = tree->root_entry;
	memory_devices_init();
	/* loop.ko and 9p_server.ko come when these are opened. */
	if (device_node_add("loop-control", S_IFCHR | 0660, device_make(10, 237), 6) ||
	    device_node_add("export", S_IFCHR | 0666, device_make(10, 236), 0))
		pr_err("cannot make /dev/loop-control and /dev/export\n");
}

void __init device_tree_mount(void)
{
	int error = kernel_mount("devtmpfs", "devtmpfs", "/dev", MS_NOSUID, NULL);

	if (error && error != -ENOENT)
		pr_warn("cannot mount on /dev (error %d)\n", error);
}
