/*
 * run: --smp 4
 * seconds: 120
 *
 * Walks while names move: threads rename, exchange, mount, unmount and make unions, while others look names up and must never find
 * a file that such a name has not led to at any moment, nor miss one that was there all the time.
 */
#include "mounts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define SECONDS 6
#define WALKERS 4

static atomic_int stop;
static atomic_long walks, seen[8], wrong;
static bool with_unions;

static ino_t number_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_ino;
}

/* ---- The places, and the numbers of the files in them ---- */

static ino_t p_f, q_f, ours, theirs, only_theirs, member, unions_own, first_mark, second_mark, deep;

static void make(const char *name)
{
	if (make_file(name, name))
		exit(1);
}

static void make_places(void)
{
	static const char *const all[] = { "p",	    "q",	   "place", "place/sub",
					   "shown", "shown/below", "u",	    "member",
					   "one",   "two",	   "one/d", "one/d/e" };

	for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		mkdir(all[i], 0755);
	if (mount_new("shown") || mkdir("shown/below", 0755) || mkdir("shown/below/deep", 0755))
		exit(1);
	make("p/f");
	make("q/f");
	make("place/f");
	make("shown/f");
	make("shown/below/only_shown");
	make("u/f");
	make("member/f");
	make("member/only_member");
	make("one/mark");
	make("two/mark");
	make("one/d/e/f");
	p_f = number_of("p/f");
	q_f = number_of("q/f");
	ours = number_of("place/f");
	theirs = number_of("shown/f");
	only_theirs = number_of("shown/below/only_shown");
	unions_own = number_of("u/f");
	member = number_of("member/only_member");
	first_mark = number_of("one/mark");
	second_mark = number_of("two/mark");
	deep = number_of("one/d/e/f");
}

/* ---- Who changes ---- */

static void *exchange(void *unused)
{
	while (!stop)
		if (syscall(SYS_renameat2, AT_FDCWD, "p", AT_FDCWD, "q", 2 /* RENAME_EXCHANGE */))
			wrong++;
	return unused;
}

static void *move(void *unused)
{
	while (!stop)
		if (rename("one/d", "two/d") || rename("two/d", "one/d"))
			wrong++;
	return unused;
}

static void *mount_and_unmount(void *unused)
{
	while (!stop)
		if (mount_bind("shown", "place") || umount2("place", MNT_DETACH))
			wrong++;
	return unused;
}

static void *unite(void *unused)
{
	while (!stop && with_unions)
		if (mount("member", "u", NULL, MS_BIND, "after") || umount2("u", MNT_DETACH))
			wrong++;
	return unused;
}

/* ---- Who walks ---- */

/* The name leads to a or to b at each moment (0: to nothing). */
static void check(const char *name, ino_t a, ino_t b, int which)
{
	ino_t found = number_of(name);

	walks++;
	if (found == a || found == b)
		seen[which + (found != a)]++;
	else if (++wrong < 10)
		printf("# %s is %lu, not %lu or %lu (errno %d)\n", name, found, a, b, errno);
}

static void *walk(void *unused)
{
	ino_t found;

	while (!stop) {
		check("p/f", p_f, q_f, 0);
		check("q/../p/./f", p_f, q_f, 0);
		check("place/f", ours, theirs, 2);
		check("/tmp/m/place/f", ours, theirs, 2);
		check("place/below/only_shown", only_theirs, 0, 4);
		check("place/below/../f", theirs, 0, 4);
		check("place/below/deep/../../f", theirs, 0, 4);
		check("u/f", unions_own, unions_own, 6);
		if (with_unions)
			check("u/only_member", member, 0, 6);
		check("one/d/e/f", deep, 0, 4);
		check("two/d/e/f", deep, 0, 4);
		found = number_of("one/d/../mark"); /* wherever d was then; or it was not there */
		if (found && found != first_mark && found != second_mark)
			wrong++;
	}
	return unused;
}

/* Who opens instead of asking, and looks where what was opened says it is. */
static void *open_and_ask(void *unused)
{
	char name[64], target[256];

	while (!stop) {
		int fd = open("place/f", O_RDONLY);
		struct stat st;
		ssize_t length;

		walks++;
		if (fd < 0 || fstat(fd, &st) || (st.st_ino != ours && st.st_ino != theirs)) {
			wrong++;
			continue;
		}
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		length = readlink(name, target, sizeof(target));
		if (length < 2 || memcmp(target + length - 2, "/f", 2))
			wrong++;
		close(fd);
	}
	return unused;
}

int main(void)
{
	void *(*const changers[])(void *) = { exchange, move, mount_and_unmount, unite, open_and_ask };
	pthread_t threads[5 + WALKERS];
	struct timespec time = { .tv_sec = SECONDS };

	begin_mounts();
	with_unions = !access("/proc/self/namespace", F_OK);
	make_places();
	for (int i = 0; i < 5 + WALKERS; i++)
		if (pthread_create(&threads[i], NULL, i < 5 ? changers[i] : walk, NULL))
			return 1;
	nanosleep(&time, NULL);
	stop = 1;
	for (int i = 0; i < 5 + WALKERS; i++)
		pthread_join(threads[i], NULL);
	printf("# %ld walks; p or q %ld %ld, place %ld %ld, there or not %ld %ld, union %ld %ld\n",
	       walks, seen[0], seen[1], seen[2], seen[3], seen[4], seen[5], seen[6], seen[7]);
	GIVES(0, wrong);
	TRUE(walks > 1000);
	TRUE(seen[0] && seen[1]);
	TRUE(seen[2] && seen[3]);
	TRUE(seen[4] && seen[5]);
	TRUE(!with_unions || (seen[6] && seen[7]));
	return end_mounts();
}
