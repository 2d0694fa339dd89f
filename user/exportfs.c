/* exportfs: serves a folder over 9P: to who connects to a Unix socket, over a device, or over its own input and output. */
#include "peer.h"

static const char help[] =
	"NAME\n"
	"    exportfs - serve a folder, and what is mounted below it, over 9P\n"
	"\n"
	"SYNOPSIS\n"
	"    exportfs [-u] [-m MODE] FOLDER WHERE [WORD...]\n"
	"\n"
	"DESCRIPTION\n"
	"    WHERE is the name of a Unix socket, which is made and to which many may connect; a device that\n"
	"    carries bytes both ways (/dev/vport0p1); or - for standard input and output. The kernel serves\n"
	"    for as long as exportfs runs: until it is killed, or, over a device or -, until the other end has\n"
	"    hung up; over a device it begins when somebody is there. All dialects of 9P are understood.\n"
	"\n"
	"    -u tells the names, numbers and groups of the users in /etc/passwd and /etc/group. Without it the\n"
	"    group of a user has his number, and names are numbers.\n"
	"    -m MODE: who may connect to the socket, as the permissions of a file (600).\n"
	"\n"
	"WORDS\n"
	"    ro                    nothing can be changed\n"
	"    squash=none|root|all  who is taken for anonymous: nobody, root, everybody\n"
	"    anon=UID[:GID]        who that is (65534)\n"
	"    msize=BYTES           the largest message (131072)\n"
	"    fids=COUNT            files that one client may have at hand (65536)\n"
	"    requests=COUNT        requests of one client that are served at once (32)\n"
	"\n"
	"    Without the privilege to become others all that is done is done by who runs exportfs. With it the\n"
	"    other end is trusted to say for whom it asks; but who connects to the socket can be no more than\n"
	"    himself, unless he is privileged, too.\n"
	"\n"
	"EXIT STATUS\n"
	"    0 when the other end has hung up; 1 when something failed.\n"
	"\n"
	"EXAMPLES\n"
	"    exportfs /usr /tmp/usr ro &     import /tmp/usr /n\n"
	"    exportfs / /dev/vport1p1\n"
	"\n"
	"SEE ALSO\n"
	"    import, srv, docs/9p-server.md\n";

/* ---- Users ---- */

static char passwd[65536], group[65536];

static void read_text(const char *name, char *to, size_t size)
{
	int fd = sys_open(name, O_RDONLY | O_CLOEXEC, 0);
	size_t length = 0;
	long part;

	while (fd >= 0 && length < size - 1 && (part = sys_read(fd, to + length, size - 1 - length)) > 0)
		length += (size_t)part;
	to[length] = '\0';
	if (fd >= 0)
		sys_close(fd);
}

/* Cuts a line into its fields, in place; what follows it. */
static char *cut_line(char *line, char **fields, int count)
{
	for (int i = 0; i < count; i++)
		fields[i] = "";
	fields[0] = line;
	for (int i = 1; *line && *line != '\n'; line++) {
		if (*line != ':')
			continue;
		*line = '\0';
		if (i < count)
			fields[i++] = line + 1;
	}
	if (*line)
		*line++ = '\0';
	return line;
}

struct group_line {
	char *id, *members;
};
static struct group_line groups[1024];
static int group_count;

static void read_groups(void)
{
	char *at = group, *fields[4];

	read_text("/etc/group", group, sizeof(group));
	while (*at && group_count < (int)(sizeof(groups) / sizeof(groups[0]))) {
		at = cut_line(at, fields, 4);
		groups[group_count++] = (struct group_line){ fields[2], fields[3] };
	}
}

/* Is the name in a list with commas? */
static bool listed(const char *list, const char *name)
{
	while (*list) {
		const char *n = name;

		while (*n && *n == *list)
			n++, list++;
		if (!*n && (!*list || *list == ','))
			return true;
		while (*list && *list != ',')
			list++;
		if (*list)
			list++;
	}
	return false;
}

static int tell_users(int control)
{
	char *at = passwd, *fields[4];
	static char line[4096], longer[4096];

	read_text("/etc/passwd", passwd, sizeof(passwd));
	read_groups();
	while (*at) {
		at = cut_line(at, fields, 4);
		if (!STRING_JOIN(line, "user ", fields[0], " ", fields[2], " ", fields[3]))
			continue;
		for (int i = 0; i < group_count; i++)
			if (listed(groups[i].members, fields[0]) &&
			    STRING_JOIN(longer, line, " ", groups[i].id))
				(void)STRING_JOIN(line, longer);
		long error = sys_write(control, line, string_length(line));

		if (error < 0)
			return complain("exportfs", line, (int)error);
	}
	return 0;
}

/* ---- Serving ---- */

/* As /dev/export wants a name: without blanks. */
static bool escape(char *to, size_t size, const char *name)
{
	size_t at = 0;

	for (; *name; name++) {
		bool special = *name == ' ' || *name == '\n' || *name == '\\';

		if (at + 5 > size)
			return false;
		if (special) {
			to[at++] = '\\';
			to[at++] = (char)('0' + (*name >> 6 & 3));
			to[at++] = (char)('0' + (*name >> 3 & 7));
			to[at++] = (char)('0' + (*name & 7));
		} else {
			to[at++] = *name;
		}
	}
	to[at] = '\0';
	return true;
}

/* What follows the descriptors in the line of an export. */
static char rest[8192];

static bool make_rest(const char *folder, char **words)
{
	static char name[4096], before[8192];

	if (!escape(name, sizeof(name), folder) || !STRING_JOIN(rest, " root=", name))
		return false;
	for (; *words; words++)
		if (!STRING_JOIN(before, rest) || !STRING_JOIN(rest, before, " ", *words))
			return false;
	return true;
}

static int serve(int control, int from, int to)
{
	static char line[sizeof(rest) + 64];
	char numbers[2][12];
	long error;

	number_text(numbers[0], (unsigned int)from);
	number_text(numbers[1], (unsigned int)to);
	if (!STRING_JOIN(line, "export fd=", numbers[0], " to=", numbers[1], rest))
		return -ENAMETOOLONG;
	error = sys_write(control, line, string_length(line));
	return error < 0 ? (int)error : 0;
}

/* One connection, until it has ended. */
static int serve_one(int control, int from, int to)
{
	int error = serve(control, from, to);

	sys_close(from);
	if (to != from)
		sys_close(to);
	return error ? error : (int)sys_write(control, "wait", 4);
}

static int serve_socket(int control, const char *name, int mode)
{
	int listener = unix_listen(name, mode);

	if (listener < 0)
		return listener;
	for (;;) {
		int fd = (int)SYSCALL(accept4, listener, 0, 0, SOCK_CLOEXEC, 0), error;

		if (fd == -EINTR || fd == -ECONNABORTED)
			continue;
		if (fd < 0)
			return fd;
		error = serve(control, fd, fd);
		sys_close(fd);
		if (error && error != -ENOMEM) /* who comes when memory is short is turned away */
			return error;
	}
}

static int serve_where(int control, const char *where, int mode)
{
	int fd;

	if (string_equal(where, "-"))
		return serve_one(control, 0, 1);
	if (!file_is(where, S_IFCHR))
		return serve_socket(control, where, mode);
	fd = device_open(where);
	return fd < 0 ? fd : serve_one(control, fd, fd);
}

int tool_main(int count, char **arguments, char **environment)
{
	int control, error, at = 1, mode = 0600;
	bool users = false;

	(void)environment;
	if (count == 2 && (string_equal(arguments[1], "--help") || string_equal(arguments[1], "-h"))) {
		print(1, help);
		return 0;
	}
	for (; at < count && arguments[at][0] == '-' && arguments[at][1]; at++) {
		if (string_equal(arguments[at], "-u"))
			users = true;
		else if (string_equal(arguments[at], "-m") && at + 1 < count)
			mode = (int)number_octal(arguments[++at]);
		else
			count = 0;
	}
	if (count < at + 2) {
		print(2, "usage: exportfs [-u] [-m MODE] FOLDER WHERE [WORD...]    (exportfs --help)\n");
		return 1;
	}
	control = sys_open("/dev/export", O_RDWR | O_CLOEXEC, 0);
	if (control < 0)
		return complain("exportfs", "/dev/export", control);
	if (users && tell_users(control))
		return 1;
	if (!make_rest(arguments[at], arguments + at + 2))
		return complain("exportfs", arguments[at], -ENAMETOOLONG);
	error = serve_where(control, arguments[at + 1], mode);
	return error < 0 ? complain("exportfs", arguments[at], error) : 0;
}
