/*
 * What a 9P server may do to the client out of malice: whoever uses its files gets errors, or what the server says, and can be killed at any
 * time; nothing else happens. A server does as it should (ninep_small_server.h) but for one thing, a plan; somebody in a namespace of his
 * own mounts it and uses all of it. Some thousand plans, several at a time; here each EVERY-th of them, all in tests/soak.
 */
/* run: --mem 1G */
/* seconds: 560 */
#include "ninep_small_server.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/xattr.h>
#include <time.h>

#ifndef EVERY
#define EVERY 13
#define RANDOM_SECONDS 15
#endif

enum how {
	RIGHT,
	SET,	/* `width` bytes of the answer at `at` are `value` */
	CUT,	/* the connection ends after `at` bytes of the answer */
	ERROR,	/* the answer is an error with the number `value` */
	NEVER,	/* no answer */
	SILENT, /* the same, and none to any message after it */
	TWICE,	/* the same answer once more */
	LATE,	/* the answer waits for the next message's, if there is one */
	BEFORE, /* an answer to a message that was not sent comes first */
	RANDOM, /* a byte here and there, by the seed `value` */
};

struct plan {
	int type; /* of the message whose answer is spoilt; 0: any */
	enum how how;
	uint32_t at;
	int width;
	uint64_t value;
	unsigned int from; /* the n-th such message on; CUT: that one */
	bool always;	   /* not each EVERY-th time only */
	bool waits;	   /* the client has reason to wait for more: it is killed soon */
	const char *version, *more;
};

enum { ENDS, KILLED, HANGS, UNKILLABLE }; /* what came of who uses the files */

/* ---- Who uses the files ---- */

static sigjmp_buf at_fault;

static void faulted(int signal)
{
	siglongjmp(at_fault, signal);
}

static void use_mapping(int fd, int protection)
{
	volatile char *map = mmap(NULL, 8192, protection, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return;
	if (!sigsetjmp(at_fault, 1)) {
		(void)map[0];
		(void)map[4096];
		if (protection & PROT_WRITE)
			map[1] = 'x';
		msync((void *)map, 8192, MS_SYNC);
	}
	munmap((void *)map, 8192);
}

static void use_contents(const char *name)
{
	static char buffer[40000];
	struct flock lock = { .l_type = F_WRLCK };
	int fd = open(name, O_RDWR);
	ssize_t ignored;

	ignored = read(fd, buffer, sizeof(buffer));
	ignored = pread(fd, buffer, 100, 3);
	ignored = pwrite(fd, "something", 9, 4);
	fcntl(fd, F_GETLK, &lock);
	fcntl(fd, F_SETLK, &lock);
	fsync(fd);
	use_mapping(fd, PROT_READ | PROT_WRITE);
	close(fd);
	fd = open(name, O_RDONLY);
	use_mapping(fd, PROT_READ);
	close(fd);
	(void)ignored;
}

static void use_folder(const char *name)
{
	DIR *dir = opendir(name);

	/* A server may say that there is always one more. */
	for (int i = 0; dir && i < 500 && readdir(dir); i++)
		;
	if (dir)
		closedir(dir);
}

static void use_attributes(const char *name)
{
	struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	struct statfs fs;
	struct stat st;
	char value[100];

	lstat(name, &st);
	access(name, W_OK);
	if (chmod(name, 0600) || truncate(name, 3) || chown(name, 0, 0))
		errno = 0;
	utimensat(AT_FDCWD, name, times, 0);
	statfs(name, &fs);
	listxattr(name, value, sizeof(value));
	getxattr(name, "user.a", value, sizeof(value));
	setxattr(name, "user.a", "value", 5, 0);
	removexattr(name, "user.a");
}

static void use_names(void)
{
	char target[100];
	int fd;

	mkdir("made", 0755);
	mkfifo("fifo", 0644);
	link("file", "hard");
	if (symlink("to", "soft") || readlink("link", target, sizeof(target)) < 0)
		errno = 0;
	fd = open("new", O_CREAT | O_EXCL | O_RDWR, 0644);
	if (write(fd, "text", 4) != 4)
		errno = 0;
	rename("new", "folder/moved");
	unlink("folder/moved");
	pwrite(fd, "more", 4, 2);
	ftruncate(fd, 1);
	close(fd);
	rmdir("made");
	open("folder/inner/below", O_RDONLY);
	open("folder/../folder/./inner", O_RDONLY);
}

#define MANY 300 /* more than a client has in flight */

static void *use_one(void *unused)
{
	struct stat st;

	lstat("nothing", &st);
	return unused;
}

static void use_many(void)
{
	pthread_t threads[MANY];

	for (int i = 0; i < MANY; i++)
		if (pthread_create(&threads[i], NULL, use_one, NULL))
			_exit(1);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
}

static int mount_at(int fd, const struct plan *plan)
{
	char options[256];

	snprintf(options, sizeof(options), "trans=fd,rfdno=%d,wfdno=%d,version=%s,msize=65536%s",
		 fd, fd, plan->version, plan->more);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(99);
	return mount("hostile", "mounted", "9p", 0, options) || chdir("mounted");
}

static void use(int fd, const struct plan *plan)
{
	struct sigaction action = { .sa_handler = faulted };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	if (mount_at(fd, plan))
		_exit(0);
	if (strstr(plan->more, "debug"))
		use_many();
	use_folder(".");
	use_attributes("file");
	use_contents("file");
	use_names();
	use_contents("large");
	use_folder("folder");
	if (chdir("/"))
		_exit(0);
	umount2("mounted", MNT_DETACH);
	_exit(0);
}

/* ---- The server ---- */

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % limit);
}

static void send_bytes(struct peer *peer, uint32_t size)
{
	if (send(peer->fd, peer->out, size, MSG_NOSIGNAL) < 0)
		_exit(0); /* it has been dropped */
}

static void set(struct peer *peer, const struct plan *plan)
{
	for (int i = 0; i < plan->width && plan->at + (uint32_t)i < peer->out_size; i++)
		peer->out[plan->at + (uint32_t)i] = (unsigned char)(plan->value >> 8 * i);
}

static void set_random(struct peer *peer)
{
	static const unsigned char likely[] = { 0, 1, 0x7f, 0x80, 0xff, '/', '.', 2 };

	for (unsigned int i = random_below(6); i == 1 || i == 2; i--) {
		uint32_t at = random_below(8) ? 7 + random_below(peer->out_size) : random_below(7);

		if (at < peer->out_size)
			peer->out[at] = random_below(2) ? likely[random_below(8)]
							: (unsigned char)random_below(256);
	}
}

static void set_error(struct small_server *server, const struct plan *plan, unsigned int tag)
{
	struct peer *peer = &server->peer;

	message_begin(peer, server->modern ? Rlerror : Rerror, tag);
	if (!server->modern)
		put_string(peer, "some text");
	if (server->modern || peer->has_numbers)
		put(peer, plan->value, 4);
	message_end(peer);
}

/* Keeps the answer back until the next one, or for a moment. */
static void send_late(struct small_server *server)
{
	static unsigned char held[65536 + 100];
	struct peer *peer = &server->peer;
	struct pollfd ready = { .fd = peer->fd, .events = POLLIN };
	uint32_t size = peer->out_size;
	unsigned int tag;
	int type;

	memcpy(held, peer->out, size);
	if (poll(&ready, 1, 30) > 0 && (type = answer(peer, &tag)) > 0) {
		small_answer(server, type, tag);
		send_bytes(peer, peer->out_size);
	}
	memcpy(peer->out, held, size);
	send_bytes(peer, size);
}

static void spoil(struct small_server *server, const struct plan *plan, unsigned int tag)
{
	static const unsigned char unasked[] = { 7, 0, 0, 0, 121, 200, 0 };
	struct peer *peer = &server->peer;

	switch (plan->how) {
	case SET:
		set(peer, plan);
		break;
	case CUT:
		send_bytes(peer, plan->at < peer->out_size ? plan->at : peer->out_size);
		_exit(0);
	case ERROR:
		set_error(server, plan, tag);
		break;
	case TWICE:
		send_bytes(peer, peer->out_size);
		break;
	case LATE:
		send_late(server);
		return;
	case BEFORE:
		if (send(peer->fd, unasked, sizeof(unasked), MSG_NOSIGNAL) < 0)
			_exit(0);
		break;
	case RANDOM:
		set_random(peer);
		break;
	default:
		break;
	}
	send_bytes(peer, peer->out_size);
}

static void serve(int fd, const struct plan *plan)
{
	static struct small_server server;
	unsigned int tag, seen = 0;
	bool silent = false;
	int type;

	small_start(&server, fd);
	state = plan->value * 0x9e3779b97f4a7c15 + 1;
	while ((type = answer(&server.peer, &tag)) > 0) {
		bool here = !plan->type || type == plan->type;

		small_answer(&server, type, tag);
		here = here && seen++ >= plan->from;
		silent = silent || (here && plan->how == SILENT);
		if (silent || (here && plan->how == NEVER))
			continue;
		if (here)
			spoil(&server, plan, tag);
		else
			send_bytes(&server.peer, server.peer.out_size);
	}
	_exit(0);
}

/* ---- One plan ---- */

#define PATIENCE_MS                                                                                \
	40000 /* for who uses the files to end, and once he is killed: the kernel waits for 10 s itself */
#define SILENCE_MS 1000 /* until he is killed who may have no answer */

static bool ended(pid_t pid, int limit_ms)
{
	struct timespec now, pause = { .tv_nsec = 2000000 };
	long begun_ms = 0;

	for (;;) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!begun_ms)
			begun_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
		if (now.tv_sec * 1000 + now.tv_nsec / 1000000 > begun_ms + limit_ms)
			return false;
		nanosleep(&pause, NULL);
	}
}

static int outcome_of(pid_t user, bool silent)
{
	if (ended(user, silent ? SILENCE_MS : PATIENCE_MS))
		return ENDS;
	kill(user, SIGKILL);
	return ended(user, PATIENCE_MS) ? KILLED : UNKILLABLE;
}

static int carry_out(const struct plan *plan)
{
	int ends[2], result;
	pid_t user, server;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
		return UNKILLABLE;
	server = fork();
	if (!server) {
		close(ends[1]);
		serve(ends[0], plan);
	}
	user = fork();
	if (!user) {
		close(ends[0]);
		use(ends[1], plan);
	}
	close(ends[0]);
	close(ends[1]);
	result = outcome_of(user, plan->waits);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return result;
}

/* ---- All of them, some at a time ---- */

#define AT_ONCE 6

static unsigned int running, carried_out, hung, unkillable;

static void one_ended(void)
{
	int status = 0;

	if (wait(&status) < 0)
		return;
	running--;
	carried_out++;
	hung += WIFEXITED(status) && WEXITSTATUS(status) == HANGS;
	unkillable += !WIFEXITED(status) || WEXITSTATUS(status) == UNKILLABLE;
}

static void begin_plan(struct plan plan)
{
	static unsigned int count;
	pid_t pid;

	if (count++ % EVERY && !plan.always)
		return;
	if (!plan.version)
		plan.version = "9p2000.L";
	if (!plan.more)
		plan.more = "";
	if (running == AT_ONCE)
		one_ended();
	pid = fork();
	if (!pid) {
		int result = carry_out(&plan);

		if (result == KILLED && !plan.waits)
			result = HANGS;
		if (result == HANGS || result == UNKILLABLE) {
			printf("# type %d, how %d, at %u, width %d, value %llx, from %u, %s%s: %s\n",
			       plan.type, plan.how, plan.at, plan.width,
			       (unsigned long long)plan.value, plan.from, plan.version, plan.more,
			       result == HANGS ? "hangs" : "cannot be killed");
			fflush(stdout);
		}
		_exit(result);
	}
	running += pid > 0;
}

/* Nobody of those that were begun hung, or could not be killed. */
static void expect(const char *what)
{
	while (running)
		one_ended();
	tap_ok(carried_out && !unkillable && !hung, "%s", what);
	printf("# %u servers\n", carried_out);
	carried_out = hung = unkillable = 0;
}

static const int modern_types[] = { Tversion,	  Tattach,   Twalk,	Tgetattr, Tlopen,
				    Tlcreate,	  Tread,     Twrite,	Treaddir, Treadlink,
				    Tsetattr,	  Tstatfs,   Tmkdir,	Tsymlink, Tmknod,
				    Tlink,	  Trenameat, Tunlinkat, Tfsync,	  Txattrwalk,
				    Txattrcreate, Tclunk };
static const int classic_types[] = { Tversion, Tattach, Twalk,	Topen,	 Tcreate, Tread,
				     Twrite,   Tstat,	Twstat, Tremove, Tclunk };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A plan for each type of message of each dialect. */
static void for_types(struct plan plan)
{
	for (size_t i = 0; i < COUNT(modern_types); i++) {
		plan.type = modern_types[i];
		plan.version = "9p2000.L";
		begin_plan(plan);
	}
	for (size_t i = 0; i < COUNT(classic_types); i++) {
		plan.type = classic_types[i];
		plan.version = i % 2 ? "9p2000.u" : "9p2000";
		begin_plan(plan);
	}
}

static void test_headers(void)
{
	static const uint32_t sizes[] = { 0, 6, 7, 8, 65536, 65537, 0x7fffffff, ~0U };
	static const uint16_t tags[] = { 0, 255, 511, 512, 0xffff };
	static const uint8_t types[] = { 0, 7, 107, 109, 117, 255 };

	for (size_t i = 0; i < COUNT(sizes); i++)
		for_types((struct plan){ .how = SET,
					 .width = 4,
					 .value = sizes[i],
					 .waits = sizes[i] > 7 && sizes[i] <= 65536 });
	for (size_t i = 0; i < COUNT(types); i++)
		for_types((struct plan){ .how = SET, .at = 4, .width = 1, .value = types[i] });
	for (size_t i = 0; i < COUNT(tags); i++)
		for_types((struct plan){ .how = SET, .at = 5, .width = 2, .value = tags[i], .from = 1 });
	expect("sizes, types and tags");
}

static void test_cuts(void)
{
	for (uint32_t at = 0; at < 165; at += at < 40 ? 1 : 5)
		for_types((struct plan){ .how = CUT, .at = at });
	for (uint32_t from = 1; from < 60; from++)
		begin_plan((struct plan){ .how = CUT, .from = from, .at = from % 12 });
	expect("the connection ends at each byte of an answer");
}

static void test_fields(void)
{
	static const struct {
		int type;
		uint32_t at;
		int width;
		uint64_t values[7]; /* and 0 */
	} fields[] = {
		{ Tversion, 7, 4, { 1, 4095, 65537, 0x7fffffff, ~0U } },
		{ Tversion, 11, 2, { 1, 6, 7, 0xffff } },
		{ Tversion, 14, 1, { 'p', 0xff } },
		{ Tattach, 7, 1, { 2, 8, 0xff } },
		{ Tattach, 12, 8, { 2, ~0ULL } },
		{ Twalk, 7, 2, { 2, 16, 17, 0xffff } },
		{ Twalk, 9, 1, { 2, 0x80, 0xff } },
		{ Tgetattr, 7, 8, { 1, ~0ULL } },
		{ Tgetattr, 15, 1, { 2, 0x80, 0xff } },
		{ Tgetattr, 20, 8, { 1, 2, ~0ULL } },
		{ Tgetattr, 28, 4, { 0777, S_IFREG, S_IFDIR | 0777, S_IFLNK, S_IFIFO, S_IFCHR | 0666, ~0U } },
		{ Tgetattr, 40, 8, { 2, ~0ULL } },
		{ Tgetattr, 48, 8, { 5, ~0ULL } },
		{ Tgetattr, 56, 8, { 1, 1ULL << 40, INT64_MAX, 1ULL << 63, ~0ULL } },
		{ Tgetattr, 64, 8, { 1, ~0ULL } },
		{ Tgetattr, 72, 8, { ~0ULL } },
		{ Tgetattr, 96, 8, { ~0ULL, 1ULL << 63 } },
		{ Tgetattr, 104, 8, { ~0ULL } },
		{ Tlopen, 7, 1, { 0x80, 0xff } },
		{ Tlopen, 20, 4, { 1, 5, ~0U } },
		{ Tlcreate, 12, 8, { 1, 2, ~0ULL } },
		{ Tlcreate, 20, 4, { 1, ~0U } },
		{ Tread, 7, 4, { 1, 65536, 0x7fffffff, ~0U } },
		{ Twrite, 7, 4, { 1, 65536, ~0U } },
		{ Treaddir, 7, 4, { 1, 30, 32768, ~0U } },
		{ Treaddir, 24, 8, { 1, 1ULL << 63, ~0ULL } },
		{ Treaddir, 32, 1, { 4, 255 } },
		{ Treaddir, 33, 2, { 1, 5, 256, 0xffff } },
		{ Treaddir, 35, 1, { '/', '.' } },
		{ Treadlink, 7, 2, { 1, 5000, 0xffff } },
		{ Treadlink, 9, 1, { '/' } },
		{ Tstatfs, 11, 4, { 1, ~0U } },
		{ Tstatfs, 15, 8, { ~0ULL } },
		{ Tstatfs, 63, 4, { 1, ~0U } },
		{ Txattrwalk, 7, 8, { 1, 100, 65536, 65537, 1ULL << 32, ~0ULL } },
		{ Tmkdir, 7, 1, { 2, 0x80 } },
		{ Tstat, 7, 2, { 1, 0xffff } },
		{ Tstat, 9, 2, { 1, 40, 0xffff } },
		{ Tstat, 17, 1, { 0x80, 0xff } },
		{ Tstat, 30, 4, { ~0U, 0x80000000, 0x02000000, 0x00800000 } },
		{ Tstat, 42, 8, { 1, 1ULL << 63, ~0ULL } },
		{ Tstat, 50, 2, { 1, 0xffff } },
	};

	for (size_t i = 0; i < COUNT(fields); i++)
		for (int j = 0; j < 8; j++) {
			struct plan plan = { .type = fields[i].type,
					     .how = SET,
					     .at = fields[i].at,
					     .width = fields[i].width,
					     .value = j ? fields[i].values[j - 1] : 0 };

			if (j && !plan.value)
				continue;
			plan.version = plan.type == Tstat ? (j % 2 ? "9p2000.u" : "9p2000") : NULL;
			plan.waits = plan.type == Twrite && plan.value == 1; /* for many thousand answers */
			for (plan.from = 0; plan.from < 4; plan.from += 3) {
				plan.more = plan.from ? ",cache=loose" : "";
				begin_plan(plan);
			}
		}
	expect("counts, qids, attributes, strings and entries");
}

static void test_errors(void)
{
	static const uint32_t numbers[] = { 0, 5, 512, 4095, 4096, 0x80000000, ~0U };

	for (size_t i = 0; i < COUNT(numbers); i++)
		for_types((struct plan){ .how = ERROR, .value = numbers[i], .from = i % 2 });
	expect("errors of all kinds");
}

static void test_order(void)
{
	for_types((struct plan){ .how = LATE });
	expect("answers out of order");
	for_types((struct plan){ .how = TWICE });
	for_types((struct plan){ .how = BEFORE });
	expect("answers that nobody waits for");
}

static void test_silence(void)
{
	static const char *const modes[] = { "", ",cache=mmap", ",cache=loose" };

	for (size_t i = 0; i < COUNT(modes); i++)
		for (unsigned int from = 0; from < 2; from++) {
			for_types((struct plan){
				.how = NEVER, .waits = true, .more = modes[i], .from = from });
			for_types((struct plan){
				.how = SILENT, .waits = true, .more = modes[i], .from = from });
		}
	expect("no answer to a message");
	/* "debug" means nothing to the client, but many threads to this test. */
	for (int i = 0; i < 3; i++)
		begin_plan((struct plan){ .type = i ? Twalk : Tgetattr,
					  .how = i < 2 ? SILENT : NEVER,
					  .always = true,
					  .waits = true,
					  .from = 1,
					  .more = ",debug=0" });
	expect("more requests than there are tags");
}

static void test_random(void)
{
	const char *wanted = getenv("HOSTILE_SECONDS"), *seed = getenv("HOSTILE_SEED");
	static const char *const versions[] = { "9p2000.L", "9p2000.u", "9p2000" };
	static const char *const modes[] = { "", ",cache=mmap", ",cache=loose" };
	time_t end = time(NULL) + (wanted ? atoi(wanted) : RANDOM_SECONDS);
	unsigned int number = seed ? (unsigned int)atoi(seed) : 1;

	for (; time(NULL) < end; number++)
		begin_plan((struct plan){ .how = RANDOM,
					  .value = number,
					  .always = true,
					  .waits = true, /* for ever, or for many short answers */
					  .from = number % 8 ? 2 + number % 40 : 0,
					  .version = versions[number % 5 < 3 ? 0 : number % 5 - 2],
					  .more = modes[number % 3] });
	expect("by chance");
}

/* ---- Who serves what he uses himself ---- */

static volatile const char *own_map;

static void *serve_own(void *argument)
{
	static struct small_server server;
	unsigned int tag;
	int type;

	small_start(&server, *(int *)argument);
	while ((type = answer(&server.peer, &tag)) > 0) {
		if (type == Tread && own_map)
			(void)own_map[0]; /* waits for what it is to answer itself */
		small_answer(&server, type, tag);
		send_bytes(&server.peer, server.peer.out_size);
	}
	return NULL;
}

static void use_own(void)
{
	const struct plan plan = { .version = "9p2000.L", .more = ",cache=mmap" };
	pthread_t thread;
	int ends[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    pthread_create(&thread, NULL, serve_own, &ends[0]) || mount_at(ends[1], &plan)) {
		printf("# what is one's own cannot be mounted: %s\n", strerror(errno));
		fflush(stdout);
		_exit(1);
	}
	fd = open("large", O_RDONLY);
	own_map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	_exit(own_map == MAP_FAILED ? 1 : 2 + own_map[0]);
}

static void test_own(void)
{
	pid_t pid = fork();
	int result;

	if (!pid)
		use_own();
	result = outcome_of(pid, true);
	tap_ok(result == KILLED, "who waits for himself can be killed (%d)", result);
}

/* ---- Folders that lie in themselves ---- */

static void serve_loops(int fd)
{
	static struct small_server server;
	unsigned int tag;
	int type;

	small_start(&server, fd);
	server.loops = true;
	while ((type = answer(&server.peer, &tag)) > 0) {
		small_answer(&server, type, tag);
		send_bytes(&server.peer, server.peer.out_size);
	}
	_exit(0);
}

/* Each would lock one folder twice. The number of the first that does not fail as it should. */
static void use_loops(int fd, const char *more)
{
	static const struct {
		const char *from, *to; /* NULL: the folder is removed */
		int error;
	} moves[] = {
		{ "folder/inner", "folder/itself/moved", ELOOP },
		{ "folder/itself/inner", "folder/moved", ELOOP },
		{ "folder/itself/inner", "folder/itself/itself/moved", ELOOP },
		{ "folder/itself", "folder/moved", ELOOP },
		{ "folder/itself", "moved", ELOOP },
		{ "file", "folder/itself", ELOOP },
		{ "folder", "folder/itself/moved", EINVAL },
		{ "folder/itself", NULL, ELOOP },
	};
	const struct plan plan = { .version = "9p2000.L", .more = more };

	if (mount_at(fd, &plan))
		_exit(99);
	for (int i = 0; i < (int)COUNT(moves); i++) {
		int result = moves[i].to ? rename(moves[i].from, moves[i].to) : rmdir(moves[i].from);

		if (result != -1 || errno != moves[i].error)
			_exit(i + 1);
	}
	_exit(0);
}

static void test_loops(void)
{
	static const char *const modes[] = { "", ",cache=loose" };

	for (size_t i = 0; i < COUNT(modes); i++) {
		int ends[2], status = -1;
		pid_t server, user;

		WORKS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
		server = fork();
		if (!server) {
			close(ends[1]);
			serve_loops(ends[0]);
		}
		user = fork();
		if (!user) {
			close(ends[0]);
			alarm(PATIENCE_MS / 1000); /* who waits for himself is killed */
			use_loops(ends[1], modes[i]);
		}
		close(ends[0]);
		close(ends[1]);
		waitpid(user, &status, 0);
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		tap_ok(!status, "a folder that lies in itself is not locked twice%s (%x)", modes[i],
		       (unsigned int)status);
	}
}

static unsigned long free_kib(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (unsigned long)info.freeram * info.mem_unit >> 10;
}

int main(void)
{
	unsigned long before;

	signal(SIGPIPE, SIG_IGN);
	begin();
	WORKS(mkdir("mounted", 0755));
	begin_plan((struct plan){ .always = true });
	begin_plan((struct plan){ .always = true, .version = "9p2000.u" });
	begin_plan((struct plan){ .always = true, .version = "9p2000" });
	expect("a server that does as it should");
	before = free_kib();
	test_headers();
	test_cuts();
	test_fields();
	test_errors();
	test_order();
	test_silence();
	test_random();
	test_own();
	test_loops();
	printf("# %lu KiB were free, %lu are\n", before, free_kib());
	TRUE(before < free_kib() + 32 * 1024);
	WORKS(rmdir("mounted"));
	return end();
}
