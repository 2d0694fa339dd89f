/*
 * Autoload: the kernel asks user space for a module by name or alias, by running modprobe.
 *
 * Two ways. request_module() runs it and waits; requests for the same name at the same time share one run. Requests without
 * waiting are gathered and go to modprobe together, since a machine has many devices and each start of a program costs
 * more than a module does; those made before user space is there wait for it.
 *
 * The program is /proc/sys/kernel/modprobe; empty: no autoload.
 */
#define LOG_PREFIX "module: "
#include <kumo/autoload.h>
#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/work.h>
#include "internal.h"

#define REQUEST_NAME_MAX 256
#define BATCH_MAX 64 /* names in one run */
#define CONCURRENT_MAX                                                                             \
	50 /* runs at a time: a module whose init asks for itself must not fill the machine */

char modprobe_path[256] = "/sbin/modprobe";

static const char *const environment[] = { "HOME=/", "TERM=linux",
					   "PATH=/sbin:/usr/sbin:/bin:/usr/bin", NULL };

/* ---- With waiting ---- */

struct request {
	struct list link;
	unsigned int waiters; /* callers that still look at it */
	bool done;
	int result;
	char name[REQUEST_NAME_MAX];
};

static struct mutex request_lock =
	MUTEX_INIT(request_lock, "request_module"); /* protects requests and their members */
static struct list requests = LIST_INIT(requests);
static unsigned int request_count;
static struct wait_queue request_wait = WAIT_QUEUE_INIT(request_wait);

static struct request *request_find(const char *name)
{
	struct request *request;

	list_for_each(request, &requests, link)
		if (!strcmp(request->name, name))
			return request;
	return NULL;
}

/* Somebody else runs it: waits for the end. request_lock held; released. */
static int request_join(struct request *request)
{
	int result;

	request->waiters++;
	mutex_unlock(&request_lock);
	result = wait_event_killable(&request_wait, READ_ONCE(request->done));
	mutex_lock(&request_lock);
	if (!result)
		result = request->result;
	if (!--request->waiters)
		kfree(request);
	mutex_unlock(&request_lock);
	return result;
}

int request_module(const char *name_format, ...)
{
	const char *argv[] = { modprobe_path, "-q", "--", NULL, NULL };
	struct request *request, *other;
	va_list args;
	int length, result;

	if (!modprobe_path[0])
		return -ENOENT;
	request = kzalloc(sizeof(*request), GFP_KERNEL);
	if (!request)
		return -ENOMEM;
	va_start(args, name_format);
	length = vsnprintf(request->name, sizeof(request->name), name_format, args);
	va_end(args);
	if (length >= (int)sizeof(request->name)) {
		kfree(request);
		return -ENAMETOOLONG;
	}
	mutex_lock(&request_lock);
	other = request_find(request->name);
	if (other) {
		kfree(request);
		return request_join(other);
	}
	if (request_count >= CONCURRENT_MAX) {
		mutex_unlock(&request_lock);
		pr_warn("request for %s refused: %u are under way\n", request->name, CONCURRENT_MAX);
		kfree(request);
		return -EAGAIN;
	}
	request_count++;
	request->waiters = 1;
	list_add_tail(&requests, &request->link);
	mutex_unlock(&request_lock);

	argv[3] = request->name;
	result = call_usermode_helper(modprobe_path, argv, environment, true);
	if (result >= 0 && modules_coming_wait()) /* busybox's modprobe takes one that is coming for one that is there */
		result = -EINTR;

	mutex_lock(&request_lock);
	list_del(&request->link);
	request_count--;
	request->result = result;
	WRITE_ONCE(request->done, true);
	wake_up_all(&request_wait);
	if (!--request->waiters)
		kfree(request);
	mutex_unlock(&request_lock);
	return result;
}
EXPORT_SYMBOL(request_module);

/* ---- Without ---- */

struct queued_name {
	struct list link;
	char name[];
};

static spinlock_t queue_lock = SPINLOCK_INIT("module_requests"); /* protects the rest; any context */
static struct list queue = LIST_INIT(queue);
static bool started;

/* Takes up to BATCH_MAX names off the queue; the number. */
static size_t batch_take(struct queued_name **batch)
{
	unsigned long flags = spin_lock_irqsave(&queue_lock);
	size_t count = 0;

	while (count < BATCH_MAX && !list_empty(&queue)) {
		batch[count] = container_of(queue.next, struct queued_name, link);
		list_del(&batch[count++]->link);
	}
	spin_unlock_irqrestore(&queue_lock, flags);
	return count;
}

static void queue_run(struct work *work)
{
	static struct queued_name *batch[BATCH_MAX];
	static const char *argv[3 + BATCH_MAX + 1];
	size_t count;

	while ((count = batch_take(batch))) {
		int result;

		argv[0] = modprobe_path;
		argv[1] = "-qab";
		argv[2] = "--";
		for (size_t i = 0; i < count; i++)
			argv[3 + i] = batch[i]->name;
		argv[3 + count] = NULL;
		result = modprobe_path[0]
				 ? call_usermode_helper(modprobe_path, argv, environment, true)
				 : 0;
		if (result < 0)
			pr_warn("%s for %zu modules: error %d\n", modprobe_path, count, result);
		for (size_t i = 0; i < count; i++)
			kfree(batch[i]);
	}
}
static struct work queue_work;

int request_module_nowait(const char *name_format, ...)
{
	struct queued_name *entry, *other;
	char name[REQUEST_NAME_MAX];
	unsigned long flags;
	va_list args;
	size_t length;
	bool run;

	va_start(args, name_format);
	length = (size_t)vsnprintf(name, sizeof(name), name_format, args);
	va_end(args);
	if (length >= sizeof(name))
		return -ENAMETOOLONG;
	entry = kmalloc(sizeof(*entry) + length + 1, GFP_ATOMIC);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->name, name, length + 1);
	flags = spin_lock_irqsave(&queue_lock);
	list_for_each(other, &queue, link) {
		if (!strcmp(other->name, name)) {
			spin_unlock_irqrestore(&queue_lock, flags);
			kfree(entry);
			return 0;
		}
	}
	list_add_tail(&queue, &entry->link);
	run = started;
	spin_unlock_irqrestore(&queue_lock, flags);
	if (run)
		work_queue(&queue_work);
	return 0;
}
EXPORT_SYMBOL(request_module_nowait);

void request_module_flush(void)
{
	work_flush(&queue_work);
}
EXPORT_SYMBOL(request_module_flush);

void autoload_init(void)
{
	work_init(&queue_work, queue_run);
}

void autoload_start(void)
{
	unsigned long flags = spin_lock_irqsave(&queue_lock);
	bool waiting = !list_empty(&queue);

	started = true;
	spin_unlock_irqrestore(&queue_lock, flags);
	if (waiting)
		work_queue(&queue_work);
}
