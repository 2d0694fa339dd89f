/* srv: connects to who serves, and posts the connection in /srv, where others find it by a name. */
#include "peer.h"

static const char help[] =
	"NAME\n"
	"    srv - post a connection in /srv\n"
	"\n"
	"SYNOPSIS\n"
	"    srv [-m MODE] FROM NAME\n"
	"\n"
	"DESCRIPTION\n"
	"    FROM is a Unix socket, to which srv connects; a device or pipe, which it opens; or - for its\n"
	"    standard input. What is open is posted as /srv/NAME, for whom MODE (600) allows it: to open that\n"
	"    name is to have the very same connection. It stays until the name is removed, and for as long as\n"
	"    somebody has it open.\n"
	"\n"
	"EXIT STATUS\n"
	"    0, or 1 when it failed.\n"
	"\n"
	"EXAMPLES\n"
	"    mount -t srv none /srv; srv /dev/vport1p1 far; import /srv/far /n\n"
	"\n"
	"SEE ALSO\n"
	"    import, exportfs, docs/namespaces.md\n";

static int open_from(const char *from)
{
	if (string_equal(from, "-"))
		return 0;
	if (file_is(from, S_IFSOCK))
		return unix_connect(from);
	return device_open(from);
}

static int post(const char *name, int fd, int mode)
{
	char path[512], number[12];
	int to, error;

	if (!STRING_JOIN(path, "/srv/", name))
		return -ENAMETOOLONG;
	to = sys_open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
	if (to < 0)
		return to;
	number_text(number, (unsigned int)fd);
	error = (int)sys_write(to, number, string_length(number));
	sys_close(to);
	if (error < 0)
		SYSCALL(unlink, path, 0, 0, 0, 0);
	return error < 0 ? error : 0;
}

int tool_main(int count, char **arguments, char **environment)
{
	int fd, error, at = 1, mode = 0600;

	(void)environment;
	if (count == 2 && (string_equal(arguments[1], "--help") || string_equal(arguments[1], "-h"))) {
		print(1, help);
		return 0;
	}
	if (count == 5 && string_equal(arguments[1], "-m")) {
		mode = (int)number_octal(arguments[2]);
		at = 3;
	}
	if (count != at + 2) {
		print(2, "usage: srv [-m MODE] FROM NAME    (srv --help)\n");
		return 1;
	}
	fd = open_from(arguments[at]);
	if (fd < 0)
		return complain("srv", arguments[at], fd);
	SYSCALL(umask, 0, 0, 0, 0, 0);
	error = post(arguments[at + 1], fd, mode);
	return error ? complain("srv", arguments[at + 1], error) : 0;
}
