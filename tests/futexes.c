/*
 * Futexes as programs see them.
 * seconds: 180
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tap.h"

static long futex(uint32_t *address, int operation, uint32_t value, const void *timeout,
		  uint32_t *address2, uint32_t value3)
{
	return syscall(SYS_futex, address, operation, value, timeout, address2, value3);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* A thread that waits on a word until it is not zero. */
struct sleeper {
	pthread_t thread;
	uint32_t *word, bitset;
	long result;
	int error;
	volatile int sleeping, woken;
};

static void *sleeper_main(void *argument)
{
	struct sleeper *sleeper = argument;

	sleeper->sleeping = 1;
	sleeper->result =
		futex(sleeper->word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, sleeper->bitset);
	sleeper->error = errno;
	sleeper->woken = 1;
	return NULL;
}

static void sleeper_start(struct sleeper *sleeper, uint32_t *word, uint32_t bitset)
{
	memset(sleeper, 0, sizeof(*sleeper));
	sleeper->word = word;
	sleeper->bitset = bitset;
	pthread_create(&sleeper->thread, NULL, sleeper_main, sleeper);
	while (!sleeper->sleeping)
		usleep(1000);
	usleep(20000);
}

static void errors(void)
{
	struct timespec bad = { 0, 2000000000 };
	uint32_t word = 1;

	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EAGAIN,
	       "another value gives EAGAIN");
	errno = 0;
	tap_ok(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 &&
		       errno == EINVAL,
	       "an odd address gives EINVAL");
	errno = 0;
	tap_ok(futex((uint32_t *)16, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EFAULT,
	       "no memory gives EFAULT");
	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad, NULL, 0) == -1 && errno == EINVAL,
	       "no time gives EINVAL");
	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EINVAL,
	       "no bits give EINVAL");
	errno = 0;
	tap_ok(futex(&word, 77, 1, NULL, NULL, 0) == -1 && errno == ENOSYS,
	       "an unknown operation gives ENOSYS");
	tap_ok(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "waking nobody wakes 0");
}

static void timeouts(void)
{
	struct timespec time = { 0, 30000000 };
	uint32_t word = 0;
	double start = now();

	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0) == -1 && errno == ETIMEDOUT &&
		       now() - start >= 0.03,
	       "a duration passes");
	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += 30000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	start = now();
	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &time, NULL, FUTEX_BITSET_MATCH_ANY) == -1 &&
		       errno == ETIMEDOUT && now() - start >= 0.02,
	       "a moment comes");
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += 30000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	start = now();
	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &time, NULL,
		     FUTEX_BITSET_MATCH_ANY) == -1 &&
		       errno == ETIMEDOUT && now() - start >= 0.02,
	       "and one by the calendar");
}

static void waking(void)
{
	struct sleeper a, b, c;
	uint32_t word = 0;

	sleeper_start(&a, &word, 1);
	sleeper_start(&b, &word, 2);
	sleeper_start(&c, &word, 3);
	tap_ok(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 2) == 1,
	       "one waiter is woken by its bits");
	pthread_join(b.thread, NULL);
	tap_ok(b.result == 0 && !a.woken && !c.woken, "the one that came first");
	tap_ok(futex(&word, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 2, "then all others");
	pthread_join(a.thread, NULL);
	pthread_join(c.thread, NULL);
}

static void requeueing(void)
{
	struct sleeper sleepers[4];
	uint32_t first = 0, second = 0;
	long moved;

	for (int i = 0; i < 4; i++)
		sleeper_start(&sleepers[i], &first, FUTEX_BITSET_MATCH_ANY);
	errno = 0;
	moved = futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 1);
	tap_ok(moved == -1 && errno == EAGAIN, "requeueing compares");
	moved = futex(&first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 0);
	tap_ok(moved == 3, "one is woken and two are moved (%ld)", moved);
	usleep(20000);
	tap_ok(sleepers[0].woken + sleepers[1].woken + sleepers[2].woken + sleepers[3].woken == 1,
	       "no more are woken");
	tap_ok(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 2,
	       "those that moved are found at the second");
	tap_ok(futex(&first, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0) == 1, "and the rest at the first");
	for (int i = 0; i < 4; i++)
		pthread_join(sleepers[i].thread, NULL);
}

static void operations(void)
{
	struct sleeper a, b;
	uint32_t first = 0, second = 0;
	long woken;

	sleeper_start(&a, &first, FUTEX_BITSET_MATCH_ANY);
	sleeper_start(&b, &second, FUTEX_BITSET_MATCH_ANY);
	second = 5;
	woken = futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second,
		      FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GT, 4));
	tap_ok(woken == 2 && second == 8, "WAKE_OP changes the second word and wakes both");
	pthread_join(a.thread, NULL);
	pthread_join(b.thread, NULL);
	woken = futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second,
		      FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 1));
	tap_ok(woken == 0 && second == 16, "its operand may be a shift");
}

static void shared_memory(void)
{
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(futex(word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 0 : 1);
	usleep(50000);
	*word = 1;
	tap_ok(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1,
	       "a process wakes another through shared memory");
	waitpid(pid, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "which goes on");
	munmap(word, 4096);
}

static void none(int signal)
{
}

static void interrupted(void)
{
	struct sigaction action = { .sa_handler = none };
	struct itimerval timer = { .it_value = { 0, 20000 } };
	uint32_t word = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	errno = 0;
	tap_ok(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINTR,
	       "a signal interrupts");
}

/* ---- Robust locks, condition variables, and a crowd ---- */

static void robust(void)
{
	pthread_mutex_t *mutex =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attributes;
	int status;
	pid_t pid;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attributes);
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(mutex);
		usleep(50000);
		_exit(0);
	}
	usleep(20000);
	tap_ok(pthread_mutex_lock(mutex) == EOWNERDEAD, "the heir of a dead owner is told");
	tap_ok(pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0,
	       "and makes the lock whole");
	waitpid(pid, &status, 0);
	tap_ok(pthread_mutex_lock(mutex) == 0, "it works again");
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, total;

static void *take_turns(void *argument)
{
	int mine = (int)(long)argument;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (turn != mine)
			pthread_cond_wait(&changed, &lock);
		turn = (turn + 1) % 4;
		total++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *contend(void *argument)
{
	for (int i = 0; i < 5000; i++) {
		pthread_mutex_lock(&lock);
		total++;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void crowd(void)
{
	pthread_t threads[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, take_turns, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	tap_ok(total == 2000, "condition variables hand a turn around");
	total = 0;
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, contend, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	tap_ok(total == 4 * 5000, "a contended lock excludes");
}

/* ---- Locks with an owner ---- */

static uint32_t owned;

static void *own_a_while(void *argument)
{
	futex(&owned, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	usleep(300000);
	futex(&owned, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void *die_as_owner(void *lock)
{
	pthread_mutex_lock(lock);
	usleep(30000);
	return NULL;
}

static void robust_owner(void)
{
	pthread_mutexattr_t attributes;
	pthread_mutex_t mutex;
	pthread_t thread;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	tap_ok(!pthread_mutex_init(&mutex, &attributes), "the C library takes priority inheritance");
	pthread_create(&thread, NULL, die_as_owner, &mutex);
	usleep(10000);
	tap_ok(pthread_mutex_lock(&mutex) == EOWNERDEAD,
	       "who waits for an owner that dies gets the lock, and is told");
	tap_ok(!pthread_mutex_consistent(&mutex) && !pthread_mutex_unlock(&mutex) &&
		       !pthread_mutex_lock(&mutex) && !pthread_mutex_unlock(&mutex),
	       "and may repair it");
	pthread_join(thread, NULL);
}

static void owners(void)
{
	uint32_t self = (uint32_t)syscall(SYS_gettid);
	struct timespec past = { 1, 0 };
	pthread_t thread;

	tap_ok(!futex(&owned, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0) && owned == self,
	       "a free lock is the caller's, by its thread's number");
	tap_ok(futex(&owned, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EDEADLK,
	       "but not twice");
	tap_ok(!futex(&owned, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) && !owned,
	       "unlocking frees it");
	tap_ok(futex(&owned, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EPERM,
	       "which only the owner may");
	owned = 0x3ffffff0;
	tap_ok(futex(&owned, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == ESRCH,
	       "an owner must be there");
	owned = 0;
	pthread_create(&thread, NULL, own_a_while, NULL);
	while (!__atomic_load_n(&owned, __ATOMIC_ACQUIRE))
		usleep(1000);
	tap_ok(futex(&owned, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EAGAIN &&
		       futex(&owned, FUTEX_LOCK_PI_PRIVATE, 0, &past, NULL, 0) == -1 &&
		       errno == ETIMEDOUT,
	       "another's is not given");
	tap_ok(!futex(&owned, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) && (owned & FUTEX_TID_MASK) == self,
	       "until it is handed over");
	tap_ok(!futex(&owned, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) && !owned,
	       "after which it is free");
	pthread_join(thread, NULL);
	robust_owner();
}

int main(void)
{
	errors();
	timeouts();
	waking();
	requeueing();
	operations();
	shared_memory();
	interrupted();
	robust();
	crowd();
	owners();
	return tap_end();
}
