/* import: mounts what somebody serves over 9P. */
#include "peer.h"

static const char help[] =
	"NAME\n"
	"    import - mount what is served over 9P\n"
	"\n"
	"SYNOPSIS\n"
	"    import [-r] [-o OPTIONS] FROM PLACE\n"
	"\n"
	"DESCRIPTION\n"
	"    FROM is a Unix socket at which somebody serves; a device that carries bytes both ways\n"
	"    (/dev/vport0p1); a name in /srv at which a connection was posted; or - for standard input.\n"
	"    What is served there is mounted on PLACE, as by mount -t 9p, and stays until it is unmounted.\n"
	"    Over a socket a lost connection is made anew.\n"
	"\n"
	"    -r mounts it read-only. OPTIONS are those of mount -t 9p: version=, msize=, cache=, access=,\n"
	"    uname=, aname= and others (docs/9p.md).\n"
	"\n"
	"EXIT STATUS\n"
	"    0, or 1 when it failed.\n"
	"\n"
	"EXAMPLES\n"
	"    import /tmp/usr /n\n"
	"    import -o aname=home/ken,cache=loose /dev/vport1p1 /n\n"
	"\n"
	"SEE ALSO\n"
	"    exportfs, srv, unmount, mount(8)\n";

/* How the tree gets its descriptors. */
static bool transport(char *to, size_t size, const char *from, int *fd)
{
	char number[12];

	*fd = 0;
	if (file_is(from, S_IFSOCK))
		return string_join(to, size, (const char *const[]){ "trans=unix", NULL });
	if (!string_equal(from, "-"))
		*fd = device_open(from);
	if (*fd < 0)
		return false;
	number_text(number, (unsigned int)*fd);
	return string_join(to, size,
			   (const char *const[]){ "trans=fd,rfdno=", number, ",wfdno=", number, NULL });
}

int tool_main(int count, char **arguments, char **environment)
{
	static char options[4096];
	const char *more = "";
	unsigned long flags = 0;
	char how[64];
	int fd, error, at = 1;

	(void)environment;
	if (count == 2 && (string_equal(arguments[1], "--help") || string_equal(arguments[1], "-h"))) {
		print(1, help);
		return 0;
	}
	for (; at < count && arguments[at][0] == '-' && arguments[at][1]; at++) {
		if (string_equal(arguments[at], "-r"))
			flags |= MS_RDONLY;
		else if (string_equal(arguments[at], "-o") && at + 1 < count)
			more = arguments[++at];
		else
			count = 0;
	}
	if (count != at + 2) {
		print(2, "usage: import [-r] [-o OPTIONS] FROM PLACE    (import --help)\n");
		return 1;
	}
	if (!transport(how, sizeof(how), arguments[at], &fd))
		return complain("import", arguments[at], fd);
	if (!STRING_JOIN(options, how, *more ? "," : "", more))
		return complain("import", more, -EINVAL);
	error = mount_flagged(arguments[at], arguments[at + 1], "9p", flags, options);
	return error ? complain("import", arguments[at], error) : 0;
}
