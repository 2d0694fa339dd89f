/*
 * The peer's first process. Under Linux it does what Kumo's kernel and its modules have done when /init starts: the trees are
 * mounted, the modules that every machine needs are in (/peer/modules lists their files, in order), and the virtio ports have
 * their names below /dev/virtio-ports, which on Linux is udev's work. Then it becomes /init, Kumo's own, so that from there
 * on both kernels are asked for the same.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MODULES "/peer/modules"
#define PORTS "/sys/class/virtio-ports/*/name"
#define LINKS "/dev/virtio-ports"
#define PORT_WAIT_MS 10000

/* What `kumo run -- COMMAND` gives a machine. */
static const char *const ports[] = {
	LINKS "/kumo.status",
	LINKS "/kumo.stdin",
	LINKS "/kumo.stdout",
	LINKS "/kumo.stderr",
};
#define PORT_COUNT (sizeof(ports) / sizeof(ports[0]))

static void die(const char *what, const char *which)
{
	dprintf(2, "peer_init: %s %s: %s\n", what, which, strerror(errno));
	exit(1); /* Linux panics, which is seen */
}

static void mount_tree(const char *type, const char *target)
{
	if (mount(type, target, type, 0, NULL))
		die("mount", target);
}

static void take_console(void)
{
	int fd = open("/dev/console", O_RDWR);

	for (int i = 0; i < 3 && fd >= 0; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void load_modules(void)
{
	char path[512];
	FILE *list = fopen(MODULES, "re");

	if (!list)
		die("open", MODULES);
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = '\0';
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die("load", path);
		close(fd);
	}
	fclose(list);
}

/* Links each port that has a name, from /sys/class/virtio-ports/vport0p1/name. */
static void link_ports(void)
{
	glob_t found = { 0 };

	if (glob(PORTS, 0, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char name[64], link[128], device[128];
		int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
		ssize_t length = fd < 0 ? -1 : read(fd, name, sizeof(name) - 1);

		if (fd >= 0)
			close(fd);
		if (length <= 0)
			continue;
		name[length] = '\0';
		name[strcspn(name, "\n")] = '\0';
		snprintf(link, sizeof(link), LINKS "/%s", name);
		sscanf(found.gl_pathv[i], "/sys/class/virtio-ports/%40[^/]", name);
		snprintf(device, sizeof(device), "../%s", name);
		if (symlink(device, link) && errno != EEXIST)
			die("link", link);
	}
	globfree(&found);
}

/* The driver finds its ports, one after the other, a little after it was loaded. */
static void wait_for_ports(void)
{
	size_t found = 0;

	for (int waited_ms = 0; found < PORT_COUNT; waited_ms++) {
		if (waited_ms == PORT_WAIT_MS)
			die("find", ports[found]);
		if (waited_ms)
			usleep(1000);
		link_ports();
		while (found < PORT_COUNT && !access(ports[found], F_OK))
			found++;
	}
}

int main(void)
{
	char *const arguments[] = { "/init", NULL };

	mount_tree("devtmpfs", "/dev");
	take_console();
	mount_tree("proc", "/proc");
	mount_tree("sysfs", "/sys");
	load_modules();
	if (mkdir(LINKS, 0755))
		die("make", LINKS);
	wait_for_ports();
	execv(arguments[0], arguments);
	die("run", arguments[0]);
}
