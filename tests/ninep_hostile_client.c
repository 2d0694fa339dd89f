/*
 * What a client may do to the 9P server out of malice: it gets errors, or loses its connection, and nothing else happens. Linux has no
 * such server.
 */
/* seconds: 480 */
#include "ninep.h"

#include <poll.h>
#include <signal.h>
#include <sys/sysinfo.h>
#include <time.h>

static struct peer *peer;
static int control;
static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % limit);
}

static void serve(const char *words)
{
	char line[4096];

	snprintf(line, sizeof(line), "root=%s/export %s", top, words);
	peer = export_to_peer(&control, line);
	if (!peer)
		exit(tap_ok(0, "an export is made") + 1);
	/* Whoever does not answer does not hold up the test. */
	struct timeval limit = { .tv_sec = 20 };

	setsockopt(peer->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(peer->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

static void serve_version(const char *version, const char *words)
{
	serve(words);
	agree(peer, version, 8192);
	call(peer, Tattach, peer->has_numbers || !strcmp(version, "9P2000.L") ? "44ss4" : "44ss", 0,
	     NO_FID, "root", "", 0);
}

/* The client goes: everything of it has to end by itself. */
static int finish(void)
{
	int ended;

	close(peer->fd);
	free(peer);
	ended = (int)write(control, "wait", 4);
	close(control);
	return ended == 4;
}

/* Is the connection at its end, whatever answers were still under way? */
static bool dropped(void)
{
	static char bytes[65536];
	ssize_t got;

	while ((got = read(peer->fd, bytes, sizeof(bytes))) > 0)
		;
	return got == 0 || errno == ECONNRESET;
}

static void send_bytes(const void *bytes, size_t size)
{
	if (send(peer->fd, bytes, size, MSG_NOSIGNAL) < 0)
		return; /* it has been dropped already */
}

/* ---- One valid message of each kind ---- */

struct sample {
	const char *version;
	int type;
	const char *format;
};

/* All with small numbers and short names in all places: what is cut, and what is changed at random, is made of them. */
static const struct sample samples[] = {
	{ "9P2000.L", Tversion, "4s" },	   { "9P2000.L", Tauth, "4ss4" },
	{ "9P2000.L", Tattach, "44ss4" },  { "9P2000.L", Tflush, "2" },
	{ "9P2000.L", Twalk, "442sss" },   { "9P2000.L", Tread, "484" },
	{ "9P2000.L", Twrite, "48d" },	   { "9P2000.L", Tclunk, "4" },
	{ "9P2000.L", Tremove, "4" },	   { "9P2000.L", Tstatfs, "4" },
	{ "9P2000.L", Tlopen, "44" },	   { "9P2000.L", Tlcreate, "4s444" },
	{ "9P2000.L", Tsymlink, "4ss4" },  { "9P2000.L", Tmknod, "4s4444" },
	{ "9P2000.L", Trename, "44s" },	   { "9P2000.L", Treadlink, "4" },
	{ "9P2000.L", Tgetattr, "48" },	   { "9P2000.L", Tsetattr, "4444488888" },
	{ "9P2000.L", Txattrwalk, "44s" }, { "9P2000.L", Txattrcreate, "4s84" },
	{ "9P2000.L", Treaddir, "484" },   { "9P2000.L", Tfsync, "44" },
	{ "9P2000.L", Tlock, "414884s" },  { "9P2000.L", Tgetlock, "41884s" },
	{ "9P2000.L", Tlink, "44s" },	   { "9P2000.L", Tmkdir, "4s44" },
	{ "9P2000.L", Trenameat, "4s4s" }, { "9P2000.L", Tunlinkat, "4s4" },
	{ "9P2000.u", Topen, "41" },	   { "9P2000.u", Tcreate, "4s41s" },
	{ "9P2000.u", Tstat, "4" },	   { "9P2000.u", Twstat, "422241484448sssss444" },
	{ "9P2000", Topen, "41" },	   { "9P2000", Tcreate, "4s41" },
	{ "9P2000", Tstat, "4" },	   { "9P2000", Twstat, "422241484448ssss" },
	{ "9P2000", Twalk, "442ss" },	   { "9P2000.u", Tattach, "44ss4" },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static const char *random_name(void)
{
	static const char *const names[] = { "file", "folder", "inner", "new",	"..",	".",
					     "",     "a/b",    "/",	"link", "fifo", "9" };

	return names[random_below(sizeof(names) / sizeof(names[0]))];
}

static unsigned int random_number(int bytes)
{
	switch (random_below(8)) {
	case 0:
		return ~0U;
	case 1:
		return random_below(~0U);
	default:
		return random_below(bytes == 1 ? 4 : 6);
	}
}

/* One message with values by chance, likely ones first, into peer->out. */
static void compose(const struct sample *sample, unsigned int tag)
{
	static const char data[64] = "something";

	message_begin(peer, sample->type, tag);
	for (const char *field = sample->format; *field; field++) {
		const char *name = sample->type == Tversion ? sample->version : random_name();

		switch (*field) {
		case 's':
			put(peer, strlen(name), 2);
			memcpy(peer->out + peer->out_size, name, strlen(name));
			peer->out_size += (uint32_t)strlen(name);
			break;
		case 'd':
			put(peer, sizeof(data), 4);
			memcpy(peer->out + peer->out_size, data, sizeof(data));
			peer->out_size += sizeof(data);
			break;
		case '8':
			put(peer, random_below(4) ? random_below(100) : ~(uint64_t)0, 8);
			break;
		default:
			/* The number of names in a walk is true, more often than not. */
			put(peer,
			    sample->type == Twalk && *field == '2' && random_below(8)
				    ? strlen(field) - 1
				    : random_number(*field - '0'),
			    *field - '0');
			break;
		}
	}
	message_end(peer);
}

/* ---- Sizes ---- */

static void test_sizes(void)
{
	static const uint32_t sizes[] = { 0,	  1,	   4,	       6,	   8193,
					  131073, 1 << 24, 0x7fffffff, 0x80000000, ~0U };
	unsigned char bytes[64] = {};
	int bad = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		serve_version("9P2000.L", "");
		memcpy(bytes, &sizes[i], 4);
		bytes[4] = Tclunk;
		send_bytes(bytes, sizeof(bytes));
		bad += !dropped();
		bad += !finish();
	}
	GIVES(0, bad);
	/* Before anything was agreed upon. */
	for (int type = 0; type < 256; type++) {
		if (type == Tversion)
			continue;
		serve("");
		bytes[0] = 30;
		bytes[1] = bytes[2] = bytes[3] = 0;
		bytes[4] = (unsigned char)type;
		send_bytes(bytes, 30);
		bad += !dropped();
		bad += !finish();
	}
	GIVES(0, bad);
}

/* The end of the connection, and the end of the message, at every byte of every message. */
static void test_cuts(void)
{
	int bad = 0, count = 0;

	for (size_t i = 0; i < SAMPLES; i++) {
		uint32_t size;

		serve_version(samples[i].version, "");
		compose(&samples[i], 1);
		size = peer->out_size;
		bad += !finish();
		for (uint32_t cut = 1; cut < size; cut += cut < 16 ? 1 : 5) {
			serve_version(samples[i].version, "");
			compose(&samples[i], 1);
			send_bytes(peer->out, cut < peer->out_size ? cut : peer->out_size);
			bad += !finish();
			if (cut < 7)
				continue;
			/* Whole by its size, and too short for what it is. */
			serve_version(samples[i].version, "");
			compose(&samples[i], 1);
			if (cut < peer->out_size) {
				memcpy(peer->out, &cut, 4);
				send_bytes(peer->out, cut);
				ask(peer, Tclunk, 2, "4", 99);
			}
			shutdown(peer->fd, SHUT_WR);
			bad += !dropped();
			bad += !finish();
			count++;
		}
	}
	GIVES(0, bad);
	TRUE(count > 100);
}

/* ---- Tags, fids, names ---- */

static void test_tags(void)
{
	int fd;

	WORKS(mkfifo("export/fifo", 0644));
	fd = open("export/fifo", O_RDWR);
	serve_version("9P2000.L", "");
	WORKS(call(peer, Twalk, "442s", 0, 1, 1, "fifo"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	ask(peer, Tread, 7, "484", 1, (uint64_t)0, 100);
	ask(peer, Tread, 7, "484", 1, (uint64_t)0, 100); /* one tag for two */
	TRUE(dropped());
	TRUE(finish());
	serve_version("9P2000.L", "");
	WORKS(call(peer, Twalk, "442s", 0, 1, 1, "fifo"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	ask(peer, Tread, 7, "484", 1, (uint64_t)0, 100);
	ask(peer, Tflush, 7, "2", 7); /* a Tflush by the tag that it is to end */
	TRUE(dropped());
	TRUE(finish());
	/* Thousands of Tflush for one that does not end at once, and flushes of flushes. */
	serve_version("9P2000.L", "");
	ask(peer, Tflush, 3, "2", 3);
	for (unsigned int i = 10; i < 5000; i++)
		ask(peer, Tflush, i, "2", i - 1);
	TRUE(finish());
	close(fd);
	WORKS(unlink("export/fifo"));
}

static void test_fids(void)
{
	unsigned int got = 0;

	serve_version("9P2000.L", "fids=1000");
	for (unsigned int i = 1; i < 2000; i++)
		got += !call(peer, Twalk, "442", 0, i * 2147483, 0);
	GIVES(999, got);
	GIVES(-EINVAL, call(peer, Tattach, "44ss4", NO_FID, NO_FID, "", "", 0));
	GIVES(-EBADF, call(peer, Tclunk, "4", NO_FID));
	TRUE(finish());
}

static void test_names(void)
{
	static char huge[65536];

	memset(huge, 'x', sizeof(huge) - 1);
	serve_version("9P2000.L", "");
	GIVES(-EINVAL, call(peer, Twalk, "442ssssssssssssssss", 0, 1, 16, "/", "..", "", ".", "a/b",
			    "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", ".."));
	WORKS(call(peer, Twalk, "442ssssssssssssssss", 0, 1, 16, "..", "..", "..", "..", "..", "..",
		   "..", "..", "..", "..", "..", "..", "..", "..", "..", ".."));
	GIVES(16, take(peer, 2));
	WORKS(call(peer, Twalk, "442s", 1, 2, 1, "file")); /* it is the root still */
	ask(peer, Twalk, 1, "442sssssssssssssssss", 0, 3, 17, "..", "..", "..", "..", "..", "..",
	    "..", "..", "..", "..", "..", "..", "..", "..", "..", "..", "..");
	TRUE(dropped());
	TRUE(finish());
	serve("");
	agree(peer, "9P2000.L", 131072);
	WORKS(call(peer, Tattach, "44ss4", 0, NO_FID, "root", "", 0));
	GIVES(-ENAMETOOLONG, call(peer, Twalk, "442s", 0, 1, 1, huge));
	GIVES(-ENAMETOOLONG, call(peer, Tmkdir, "4s44", 0, huge, 0755, 0));
	GIVES(-ENAMETOOLONG, call(peer, Tsymlink, "4ss4", 0, "l", huge, 0));
	GIVES(-ENAMETOOLONG, call(peer, Tattach, "44ss4", 1, NO_FID, "root", huge, 0));
	GIVES(-ERANGE, call(peer, Txattrwalk, "44s", 0, 1, huge));
	WORKS(call(peer, Twalk, "442s", 0, 2, 1, "file"));
	WORKS(call(peer, Tlopen, "44", 2, O_RDWR));
	WORKS(call(peer, Tgetlock, "41884s", 2, 1, (uint64_t)0, (uint64_t)0, 1, huge));
	GIVES(-EINVAL, call(peer, Tgetlock, "41884s", 2, 1, ~(uint64_t)0, (uint64_t)0, 1, "x"));
	GIVES(-EINVAL,
	      call(peer, Tlock, "414884s", 2, 1, 0, (uint64_t)1 << 62, (uint64_t)3 << 62, 1, "x"));
	TRUE(finish());
	/* A NUL in a name. */
	serve_version("9P2000.L", "");
	message_begin(peer, Twalk, 1);
	put(peer, 0, 4);
	put(peer, 1, 4);
	put(peer, 1, 2);
	put(peer, 4, 2);
	put(peer, 0x00656966, 4);
	message_end(peer);
	send_bytes(peer->out, peer->out_size);
	TRUE(dropped());
	TRUE(finish());
}

/* ---- Too much ---- */

/* Requests without end, and nobody who reads the answers. */
static void test_flood(void)
{
	static unsigned char many[1 << 16];
	struct peer *flood;
	size_t used = 0;

	serve_version("9P2000.L", "requests=8");
	flood = peer;
	for (unsigned int tag = 0; used + 64 < sizeof(many); tag++) {
		message_begin(flood, Tgetattr, tag);
		put(flood, 0, 4);
		put(flood, 0x7ff, 8);
		message_end(flood);
		memcpy(many + used, flood->out, flood->out_size);
		used += flood->out_size;
	}
	fcntl(flood->fd, F_SETFL, O_NONBLOCK);
	/* The server stops reading before memory is full. */
	for (int quiet = 0, sent = 0; quiet < 50 && sent < 100000; sent++) {
		struct pollfd ready = { .fd = flood->fd, .events = POLLOUT };

		quiet = poll(&ready, 1, 10) > 0 && send(flood->fd, many, used, MSG_NOSIGNAL) > 0
				? 0
				: quiet + 1;
	}
	TRUE(finish());
	/* Reads that never end, as many as there can be tags. */
	WORKS(mkfifo("export/fifo", 0644));
	int fd = open("export/fifo", O_RDWR);

	serve_version("9P2000.L", "requests=8");
	WORKS(call(peer, Twalk, "442s", 0, 1, 1, "fifo"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	for (unsigned int i = 0; i < 5000; i++)
		ask(peer, Tread, i, "484", 1, (uint64_t)0, 100);
	TRUE(finish());
	close(fd);
	WORKS(unlink("export/fifo"));
}

/* ---- By chance ---- */

static int random_session(void)
{
	static const char *const versions[] = { "9P2000.L", "9P2000.L", "9P2000.u", "9P2000" };
	const char *version = versions[random_below(4)];
	unsigned int steps = 20 + random_below(200);

	serve_version(version, random_below(4) ? "requests=4 fids=6" : "requests=2 ro");
	fcntl(peer->fd, F_SETFL, O_NONBLOCK);
	for (unsigned int i = 0; i < steps; i++) {
		static char away[65536];
		const struct sample *sample;

		do
			sample = &samples[random_below(SAMPLES)];
		while (strcmp(sample->version, version) && random_below(20));
		compose(sample, sample->type == Tversion ? NO_TAG
				: random_below(50)	 ? i
							 : random_below(8));
		if (!random_below(10)) /* one byte is another; rarely of the size */
			peer->out[random_below(8) ? 4 + random_below(peer->out_size - 4) : random_below(4)] =
				(unsigned char)random_below(256);
		send_bytes(peer->out, peer->out_size);
		if (random_below(4))
			while (read(peer->fd, away, sizeof(away)) > 0)
				;
	}
	/* Those that wait for a pipe end with the connection. */
	return finish();
}

static void make_export(void)
{
	mkdir("export", 0755);
	mkdir("export/folder", 0755);
	make_file("export/folder/inner", "inner");
	make_file("export/file", "contents");
	if (symlink("folder", "export/link"))
		tap_ok(0, "symlink");
}

static void test_random(void)
{
	const char *wanted = getenv("HOSTILE_SECONDS");
	time_t end = time(NULL) + (wanted ? atoi(wanted) : 20);
	int bad = 0, count = 0;

	if (getenv("HOSTILE_SEED"))
		state = strtoull(getenv("HOSTILE_SEED"), NULL, 0);
	while (time(NULL) < end) {
		if (!(count++ % 16)) {
			if (system("rm -rf export"))
				tap_ok(0, "rm");
			make_export();
		}
		bad += !random_session();
	}
	printf("# %d sessions\n", count);
	GIVES(0, bad);
}

/* Lines that make no sense. */
static void test_lines(void)
{
	char line[8192];
	int fd = open("/dev/export", O_RDWR), accepted = 0;

	memset(line, 'a', sizeof(line));
	FAILS(E2BIG, write(fd, line, sizeof(line)));
	FAILS(EINVAL, write(fd, line, 4096));
	FAILS(EINVAL, write(fd, "export fd=0 root=/ msize=1", 26));
	FAILS(EINVAL, write(fd, "export fd=0 root=/ requests=99999999", 36));
	FAILS(EINVAL, write(fd, "export fd=0 root=/ anon=1:-1", 28));
	FAILS(EINVAL, write(fd, "user \0 1 1", 10));
	for (int i = 0; i < 2000; i++) {
		int length = 1 + (int)random_below(60);

		for (int j = 0; j < length; j++)
			line[j] = "export fd=1 root=/\n\\0us wait#"[random_below(29)];
		accepted += write(fd, line, (size_t)length) == length && !memcmp(line, "export", 6);
	}
	GIVES(0, accepted);
	close(fd);
}

static unsigned long free_kib(void)
{
	struct sysinfo info;

	sysinfo(&info);
	return (unsigned long)(info.freeram >> 10) * info.mem_unit;
}

int main(void)
{
	unsigned long before;

	if (access("/dev/export", F_OK))
		return 77;
	signal(SIGPIPE, SIG_IGN);
	begin();
	make_export();
	test_names();
	before = free_kib();
	test_lines();
	test_sizes();
	test_tags();
	test_fids();
	test_flood();
	test_cuts();
	test_random();
	TRUE(before < free_kib() + 32 * 1024);
	/* Whoever comes next is served. */
	if (system("rm -rf export"))
		tap_ok(0, "rm");
	make_export();
	serve_version("9P2000.L", "");
	WORKS(call(peer, Twalk, "442s", 0, 1, 1, "file"));
	TRUE(finish());
	WORKS(system("rm -rf export"));
	return end();
}
