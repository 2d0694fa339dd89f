/* System calls that wait for files: poll, ppoll, select, pselect6. */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/kva.h>
#include <kumo/poll.h>
#include <kumo/signal.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/uaccess.h>

#define POLL_INLINE 32	      /* descriptors polled without allocating */
#define SELECT_INLINE_WORDS 4 /* 256 descriptors */

/* A relative time; absolute monotonic nanoseconds, WAIT_FOREVER when it lies too far. */
static u64 deadline_after(u64 ns)
{
	u64 now = time_monotonic_ns();

	return ns > WAIT_FOREVER - 1 - now ? WAIT_FOREVER : now + ns;
}

static u64 timespec_deadline(const struct __kernel_timespec *timeout)
{
	if (!timeout->tv_sec && !timeout->tv_nsec)
		return 0;
	if ((u64)timeout->tv_sec >= (WAIT_FOREVER >> 1) / NSEC_PER_SEC)
		return WAIT_FOREVER;
	return deadline_after(timespec_to_ns(timeout));
}

/* The deadline that a program gives; none: WAIT_FOREVER. */
static int deadline_get(const struct __kernel_timespec __user *user, u64 *deadline_ns)
{
	struct __kernel_timespec timeout;

	*deadline_ns = WAIT_FOREVER;
	if (!user)
		return 0;
	if (copy_from_user(&timeout, user, sizeof(timeout)))
		return -EFAULT;
	if (!timespec_valid(&timeout))
		return -EINVAL;
	*deadline_ns = timespec_deadline(&timeout);
	return 0;
}

static struct __kernel_timespec time_left(u64 deadline_ns)
{
	u64 now = time_monotonic_ns();

	return ns_to_timespec(deadline_ns > now ? deadline_ns - now : 0);
}

/* What the call returns. `told`: the time that is left was written, or none was wanted; else it cannot be started again. Linux,
 * too, forgives memory that cannot be written: the call has taken place. */
static long result_of(long ready, bool told)
{
	if (ready != -ERESTARTSYS)
		return ready;
	return told ? -ERESTARTNOHAND : -EINTR;
}

static bool deadline_tell(struct __kernel_timespec __user *user, u64 deadline_ns)
{
	struct __kernel_timespec left;

	if (!user || deadline_ns == WAIT_FOREVER)
		return true;
	left = time_left(deadline_ns);
	return !copy_to_user(user, &left, sizeof(left));
}

/* ---- Waiting ---- */

/* One look at all that was asked for: how many are ready, or a negative errno. */
typedef long look_function(void *asked, struct poll_table *table);

/* deadline_ns 0: only look. How many are ready; -ERESTARTSYS, -ENOMEM, and what a look gives. */
static long wait_ready(look_function *look, void *asked, u64 deadline_ns)
{
	struct poll_waiter waiter;
	bool timed_out = false;
	long ready;
	int error;

	if (!deadline_ns)
		return look(asked, NULL);
	poll_waiter_init(&waiter);
	ready = look(asked, &waiter.table); /* in all queues from the first look on */
	while (!ready && !timed_out) {
		ready = waiter.error;
		if (ready)
			break;
		error = poll_waiter_sleep(&waiter, deadline_ns);
		if (error && error != -ETIME) {
			ready = error;
			break;
		}
		timed_out = error; /* and a last look */
		ready = look(asked, poll_waiter_table(&waiter));
	}
	poll_waiter_release(&waiter);
	return ready;
}

/* ---- poll ---- */

/* One look at a descriptor: what holds of what was asked for. */
static u32 look_at(unsigned int fd, u32 events, struct poll_table *table)
{
	struct fd_ref ref = fd_borrow(fd);
	u32 ready;

	if (!ref.file)
		return POLLNVAL;
	events |= POLLERR | POLLHUP;
	if (table)
		table->events = events;
	ready = file_poll(ref.file, table) & events;
	fd_release(ref);
	return ready;
}

struct poll_list {
	struct pollfd *fds;
	unsigned int count;
};

static long poll_look(void *asked, struct poll_table *table)
{
	const struct poll_list *list = asked;
	long ready = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		struct pollfd *fd = &list->fds[i];

		fd->revents = 0;
		if (fd->fd < 0)
			continue;
		/* With one that is ready the thread will not sleep: the others need no waiter. */
		fd->revents =
			(short)look_at((unsigned int)fd->fd, (u16)fd->events, ready ? NULL : table);
		if (fd->revents)
			ready++;
	}
	return ready;
}

static long poll_user(struct pollfd __user *user, unsigned int count, u64 deadline_ns)
{
	struct pollfd inline_fds[POLL_INLINE], *fds = inline_fds;
	long ready;

	if (count > files_limit())
		return -EINVAL;
	if (count > POLL_INLINE) {
		fds = kvmalloc(count * sizeof(*fds), GFP_USER);
		if (!fds)
			return -ENOMEM;
	}
	ready = -EFAULT;
	if (!copy_from_user(fds, user, count * sizeof(*fds))) {
		struct poll_list list = { .fds = fds, .count = count };

		ready = wait_ready(poll_look, &list, deadline_ns);
		for (unsigned int i = 0; ready >= 0 && i < count; i++)
			if (put_user(fds[i].revents, user_member(&user[i], revents)))
				ready = -EFAULT;
	}
	if (fds != inline_fds)
		kvfree(fds);
	return ready;
}

static long poll_restart(struct restart_block *block)
{
	long ready = poll_user((struct pollfd __user *)block->args[0], (unsigned int)block->args[1],
			       block->args[2]);

	return ready == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : ready;
}

long sys_poll(struct pollfd __user *fds, unsigned int count, int timeout_ms)
{
	u64 deadline_ns = timeout_ms < 0 ? WAIT_FOREVER
			  : timeout_ms	 ? deadline_after((u64)timeout_ms * NSEC_PER_MSEC)
					 : 0;
	long ready = poll_user(fds, count, deadline_ns);

	if (ready != -ERESTARTSYS)
		return ready;
	/* After a stop it goes on with the time that is left; a handler ends it. */
	current->restart.function = poll_restart;
	current->restart.args[0] = (u64)fds;
	current->restart.args[1] = count;
	current->restart.args[2] = deadline_ns;
	return -ERESTART_RESTARTBLOCK;
}

long sys_ppoll(struct pollfd __user *fds, unsigned int count,
	       struct __kernel_timespec __user *user_timeout, const sigset_t __user *mask,
	       size_t mask_size)
{
	u64 deadline_ns;
	long ready;
	int error = deadline_get(user_timeout, &deadline_ns);

	if (!error)
		error = signal_mask_swap(mask, mask_size);
	if (error)
		return error;
	ready = poll_user(fds, count, deadline_ns);
	signal_mask_restore(ready == -ERESTARTSYS);
	return result_of(ready, deadline_tell(user_timeout, deadline_ns));
}

/* ---- select ---- */

#define READ_BITS (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define WRITE_BITS (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define EXCEPT_BITS POLLPRI

/* Asked for and found, for reading, writing, exceptional conditions. */
struct select_sets {
	unsigned long *asked[3], *found[3];
	unsigned int words;
};

/* O_PATH: select(2) says of it that no call would wait. */
static bool is_path_only(unsigned int fd)
{
	struct fd_ref ref = fd_borrow_path(fd);

	fd_release(ref);
	return ref.file;
}

/* One look at all: how many bits are set in found; -EBADF. */
static long select_look(void *asked, struct poll_table *table)
{
	struct select_sets *sets = asked;
	static const u32 bits[3] = { READ_BITS, WRITE_BITS, EXCEPT_BITS };
	long ready = 0;

	for (unsigned int word = 0; word < sets->words; word++) {
		unsigned long all = sets->asked[0][word] | sets->asked[1][word] | sets->asked[2][word];

		for (unsigned int i = 0; i < 3; i++)
			sets->found[i][word] = 0;
		for (; all; all &= all - 1) {
			unsigned int bit = (unsigned int)__builtin_ctzl(all);
			u32 events = 0, holds;

			for (unsigned int i = 0; i < 3; i++)
				if (sets->asked[i][word] & BIT(bit))
					events |= bits[i];
			holds = look_at(word * 64 + bit, events, ready ? NULL : table);
			if (holds == POLLNVAL) {
				if (!is_path_only(word * 64 + bit))
					return -EBADF;
				holds = READ_BITS | WRITE_BITS | EXCEPT_BITS;
			}
			for (unsigned int i = 0; i < 3; i++)
				if ((sets->asked[i][word] & BIT(bit)) && (holds & bits[i])) {
					sets->found[i][word] |= BIT(bit);
					ready++;
				}
		}
	}
	return ready;
}

static long select_user(int count, unsigned long __user *user[3], u64 deadline_ns)
{
	unsigned long inline_words[6 * SELECT_INLINE_WORDS], *all = inline_words;
	struct select_sets sets;
	unsigned int words, bytes;
	long ready;

	if (count < 0)
		return -EINVAL;
	/* Bits beyond the table stand for descriptors that cannot be open; Linux does not look at them either. */
	rcu_read_lock();
	count = (int)min((unsigned int)count, READ_ONCE(current->files->table)->size);
	rcu_read_unlock();
	words = DIV_ROUND_UP((unsigned int)count, 64U);
	bytes = words * 8;
	if (words > SELECT_INLINE_WORDS) {
		all = kvmalloc(6UL * bytes, GFP_USER);
		if (!all)
			return -ENOMEM;
	}
	ready = -EFAULT;
	for (unsigned int i = 0; i < 3; i++) {
		sets.asked[i] = all + i * words;
		sets.found[i] = all + (i + 3) * words;
		memset(sets.asked[i], 0, bytes);
		if (user[i] && copy_from_user(sets.asked[i], user[i], bytes))
			goto out;
		if (count % 64)
			sets.asked[i][words - 1] &= BIT((unsigned int)count % 64) - 1;
	}
	sets.words = words;
	ready = wait_ready(select_look, &sets, deadline_ns);
	for (unsigned int i = 0; ready >= 0 && i < 3; i++)
		if (user[i] && copy_to_user(user[i], sets.found[i], bytes))
			ready = -EFAULT;
out:
	if (all != inline_words)
		kvfree(all);
	return ready;
}

long sys_select(int count, unsigned long __user *reading, unsigned long __user *writing,
		unsigned long __user *except, struct __kernel_old_timeval __user *user_timeout)
{
	unsigned long __user *user[3] = { reading, writing, except };
	struct __kernel_old_timeval value;
	struct __kernel_timespec timeout;
	u64 deadline_ns = WAIT_FOREVER;
	bool told = true;
	long ready;

	if (user_timeout) {
		if (copy_from_user(&value, user_timeout, sizeof(value)))
			return -EFAULT;
		timeout.tv_sec = value.tv_sec + value.tv_usec / 1000000;
		timeout.tv_nsec = value.tv_usec % 1000000 * 1000;
		if (!timespec_valid(&timeout))
			return -EINVAL;
		deadline_ns = timespec_deadline(&timeout);
	}
	ready = select_user(count, user, deadline_ns);
	if (user_timeout && deadline_ns != WAIT_FOREVER) {
		timeout = time_left(deadline_ns);
		value.tv_sec = timeout.tv_sec;
		value.tv_usec = timeout.tv_nsec / 1000;
		told = !copy_to_user(user_timeout, &value, sizeof(value));
	}
	return result_of(ready, told);
}

/* The sixth argument points to a set of signals and its size. */
struct pselect_mask {
	const sigset_t __user *mask;
	size_t size;
};

long sys_pselect6(int count, unsigned long __user *reading, unsigned long __user *writing,
		  unsigned long __user *except, struct __kernel_timespec __user *user_timeout,
		  const struct pselect_mask __user *user_mask)
{
	unsigned long __user *user[3] = { reading, writing, except };
	struct pselect_mask mask = {};
	u64 deadline_ns;
	long ready;
	int error;

	if (user_mask && copy_from_user(&mask, user_mask, sizeof(mask)))
		return -EFAULT;
	error = deadline_get(user_timeout, &deadline_ns);
	if (!error)
		error = signal_mask_swap(mask.mask, mask.size);
	if (error)
		return error;
	ready = select_user(count, user, deadline_ns);
	signal_mask_restore(ready == -ERESTARTSYS);
	return result_of(ready, deadline_tell(user_timeout, deadline_ns));
}
