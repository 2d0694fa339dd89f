/* unmount: takes one member out of a union, or a whole mount off. */
#include "tool.h"

static const char help[] =
	"NAME\n"
	"    unmount - take one member out of a union, or take a mount off\n"
	"\n"
	"SYNOPSIS\n"
	"    unmount FROM PLACE\n"
	"    unmount PLACE\n"
	"\n"
	"DESCRIPTION\n"
	"    A union is made by `mount --bind -o after FROM PLACE` (or before; with create, new files go to FROM).\n"
	"    unmount FROM PLACE ends that FROM is seen at PLACE; the other members stay. With the last one the\n"
	"    union goes. Files that are open stay open.\n"
	"\n"
	"    unmount PLACE takes off what is mounted there last, as umount(8) does; a union as a whole.\n"
	"\n"
	"EXIT STATUS\n"
	"    0, or 1 when it failed: it was no member, is in use, or may not be taken off.\n"
	"\n"
	"SEE ALSO\n"
	"    ns, mount(8), umount(8)\n";

int tool_main(int count, char **arguments, char **environment)
{
	int error;

	(void)environment;
	if (count == 2 && (string_equal(arguments[1], "--help") || string_equal(arguments[1], "-h"))) {
		print(1, help);
		return 0;
	}
	if (count != 2 && count != 3) {
		print(2, "usage: unmount [FROM] PLACE    (unmount --help)\n");
		return 1;
	}
	if (count == 2)
		error = (int)SYSCALL(umount2, arguments[1], 0, 0, 0, 0);
	else
		error = mount_flagged(arguments[1], arguments[2], NULL, MS_BIND, "remove");
	return error ? complain("unmount", arguments[count - 1], error) : 0;
}
