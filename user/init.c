/*
 * The first process. It mounts what the kernel has not mounted yet, loads the modules that every machine needs, makes a disk
 * the root if root= on the kernel's command line says so (root.h), and then does one of three things:
 *
 * - a machine of its own (nothing else said): a login shell on the console, and one on the screen if there is one, started
 *   again when they end;
 * - `scripts/kumo run`: the same once;
 * - `scripts/kumo run -- COMMAND`: runs COMMAND on the virtio ports kumo.stdin, kumo.stdout and kumo.stderr, or with --tty on
 *   the console.
 *
 * In the second and third case it then writes "exit STATUS" to the port kumo.status and powers the machine off.
 *
 * The runner says what it wants in /.kumo/command, strings that end with NUL, in an archive appended to the initramfs:
 *
 *	mode=shell | mode=tty | mode=ports
 *	rows=N, columns=N	the terminal's size
 *	env=NAME=VALUE		added to the environment, one string each
 *	cwd=FOLDER
 *	module=NAME		loaded before COMMAND runs, one string each: drivers of what it is to find
 *	share=TAG		a folder that the hypervisor shares by this name, mounted at /n/TAG, one string each
 *	arg=WORD		COMMAND's words, one string each
 *
 * It runs without a C library: it is in every machine, and starting one costs more than all that it does. Its errors go to
 * the console.
 */
#include "root.h"
#include "syscall.h"

#define COMMAND_FILE "/.kumo/command"
#define COMMAND_SIZE_MAX (256 * 1024)
#define STRINGS_MAX 4096
#define WAIT_MS 10000
#define RESPAWN_PAUSE_MS 1000
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_SIGNAL 128

enum mode { MODE_MACHINE, MODE_SHELL, MODE_TTY, MODE_PORTS };

static struct {
	enum mode mode;
	struct winsize size;
	const char *folder;
	char *arguments[STRINGS_MAX + 1];
	int argument_count;
	char *environment[STRINGS_MAX + 1];
	int environment_count;
	char *modules[STRINGS_MAX + 1]; /* behind modprobe's own words */
	int module_count;
	char *shares[STRINGS_MAX + 1];
	int share_count;
} task = { .modules = { "modprobe", "-qab" }, .module_count = 2 };

static char text[COMMAND_SIZE_MAX + 1]; /* of the command file; `task` points into it */
static struct root root;

/* The compiler calls these. */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);

void *memcpy(void *to, const void *from, size_t size)
{
	char *target = to;
	const char *source = from;

	__asm__ volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	char *target = to;

	__asm__ volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(byte) : "memory");
	return to;
}

static void say(const char *what, const char *which, long error)
{
	char digits[24];
	char line[512];
	int at = sizeof(digits) - 1;

	digits[at] = '\0';
	for (error = -error; error > 0 && at > 0; error /= 10)
		digits[--at] = '0' + error % 10;
	if (!STRING_JOIN(line, "init: ", what, " ", which, digits[at] ? ": error " : "",
			 &digits[at], "\n"))
		return;
	sys_write(2, line, string_length(line));
}

static void __attribute__((noreturn)) power_off(void)
{
	if (root.device) {
		int error = root_leave();

		if (error)
			say("leave", root.device, error);
	}
	sys_sync();
	say("power off", "", sys_reboot(LINUX_REBOOT_CMD_POWER_OFF));
	sys_exit(1); /* the kernel panics, which is seen */
}

static void mount_trees(void)
{
	static const struct {
		const char *type, *target;
	} trees[] = { { "proc", "/proc" },
		      { "sysfs", "/sys" },
		      { "devtmpfs", "/dev" },
		      { "tmpfs", "/dev/shm" } };

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		int error = sys_mount(trees[i].type, trees[i].target, trees[i].type, 0, NULL);

		if (error == -ENOENT && !sys_mkdir(trees[i].target, 01777))
			error = sys_mount(trees[i].type, trees[i].target, trees[i].type, 0, NULL);
		/* EBUSY: the kernel has mounted it. */
		if (error && error != -EBUSY)
			say("mount", trees[i].target, error);
	}
}

/* What programs expect in /dev beside devices. */
static void link_descriptors(void)
{
	static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
						{ "/proc/self/fd/0", "/dev/stdin" },
						{ "/proc/self/fd/1", "/dev/stdout" },
						{ "/proc/self/fd/2", "/dev/stderr" } };

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		int error = sys_symlink(links[i][0], links[i][1]);

		if (error && error != -EEXIST)
			say("link", links[i][1], error);
	}
}

/* Reads a whole file of less than `size` bytes and ends it with NUL; its length or an error. */
static long read_file(const char *path, char *to, size_t size)
{
	int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	size_t at = 0;
	long got;

	if (fd < 0)
		return fd;
	while ((got = sys_read(fd, to + at, size - at)) > 0) {
		at += got;
		if (at == size) {
			got = -EFBIG;
			break;
		}
	}
	sys_close(fd);
	if (got < 0)
		return got;
	to[at] = '\0';
	return at;
}

/* With root= the root is a disk from here on, or nothing is. */
static void take_root(void)
{
	static char line[4096]; /* `root` points into it */
	long error = read_file(COMMAND_LINE, line, sizeof(line));

	if (error < 0) {
		say("read", COMMAND_LINE, error);
		return;
	}
	root = root_wanted(line);
	if (!root.device)
		return;
	error = root_switch(&root, say);
	if (error) {
		say("take as root", root.device, error);
		sys_ioctl(2, TCSBRK, (void *)1); /* waits until that has been printed */
		sys_exit(1);			 /* the kernel panics, which is seen */
	}
}

static void name_machine(void)
{
	char name[__NEW_UTS_LEN + 2];
	long length = read_file("/etc/hostname", name, sizeof(name) - 1);

	if (length > 0 && name[length - 1] == '\n')
		length--;
	if (length > 0)
		length = sys_sethostname(name, length);
	if (length < 0 && length != -ENOENT)
		say("name the machine by", "/etc/hostname", length);
}

static int open_terminal(const char *path)
{
	int fd = sys_open(path, O_RDWR | O_NOCTTY, 0);

	if (fd < 0)
		return fd;
	for (int i = 0; i < 3; i++)
		if (fd != i)
			sys_dup2(fd, i);
	if (fd > 2)
		sys_close(fd);
	return 0;
}

static void add_string(char **list, int *count, char *string)
{
	if (*count == STRINGS_MAX)
		say("too many strings in", COMMAND_FILE, 0);
	else
		list[(*count)++] = string;
}

static void take_setting(char *s)
{
	char *value;

	if ((value = string_after(s, "mode=")))
		task.mode = *value == 'p' ? MODE_PORTS : *value == 't' ? MODE_TTY : MODE_SHELL;
	else if ((value = string_after(s, "rows=")))
		task.size.ws_row = string_number(value);
	else if ((value = string_after(s, "columns=")))
		task.size.ws_col = string_number(value);
	else if ((value = string_after(s, "cwd=")))
		task.folder = value;
	else if ((value = string_after(s, "env=")))
		add_string(task.environment, &task.environment_count, value);
	else if ((value = string_after(s, "module=")))
		add_string(task.modules, &task.module_count, value);
	else if ((value = string_after(s, "share=")))
		add_string(task.shares, &task.share_count, value);
	else if ((value = string_after(s, "arg=")))
		add_string(task.arguments, &task.argument_count, value);
	else
		say("unknown setting", s, 0);
}

/* Of "NAME="; NULL: there is none. */
static char *environment_value(const char *name)
{
	for (int i = 0; i < task.environment_count; i++) {
		char *value = string_after(task.environment[i], name);

		if (value)
			return value;
	}
	return NULL;
}

static void read_task(void)
{
	static char *const defaults[][2] = {
		{ "PATH=", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" },
		{ "HOME=", "HOME=/root" },
		{ "USER=", "USER=root" },
		{ "TERM=", "TERM=linux" },
	};
	long length = read_file(COMMAND_FILE, text, sizeof(text));

	if (length < 0 && length != -ENOENT)
		say("read", COMMAND_FILE, length);
	for (long at = 0; at < length; at += string_length(text + at) + 1)
		take_setting(text + at);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (!environment_value(defaults[i][0]))
			add_string(task.environment, &task.environment_count, defaults[i][1]);
	if (!task.folder)
		task.folder = task.mode == MODE_PORTS || task.mode == MODE_TTY ? "/" : "/root";
}

/*
 * Loads what modules.init lists: made with the initramfs, in the order of dependencies. modprobe would do the same, at the
 * price of a process and of reading modules.dep for each.
 */
static void load_modules(void)
{
	static char list[4096];
	struct new_utsname name;
	char path[256];
	long error = sys_uname(&name);

	if (error || !STRING_JOIN(path, "/lib/modules/", name.release, "/modules.init")) {
		say("uname", "", error);
		return;
	}
	error = read_file(path, list, sizeof(list));
	if (error < 0) {
		say("read", path, error);
		return;
	}
	for (char *line = list; *line;) {
		char *end = line;
		bool last;
		int fd;

		while (*end && *end != '\n')
			end++;
		last = !*end;
		*end = '\0';
		fd = STRING_JOIN(path, "/lib/modules/", name.release, "/", line)
			     ? sys_open(path, O_RDONLY | O_CLOEXEC, 0)
			     : -ENAMETOOLONG;
		error = fd < 0 ? fd : sys_finit_module(fd, "", 0);
		if (fd >= 0)
			sys_close(fd);
		/* EEXIST: the kernel asked for it by its alias meanwhile. */
		if (error && error != -EEXIST)
			say("load", path, error);
		line = last ? end : end + 1;
	}
}

/* Runs argv[0] from the first folder along PATH that has it; why that did not work. */
static int execute_along(const char *folders, char **argv)
{
	char folder[256], path[4096];
	int error = -ENOENT;

	while (*folders && (error == -ENOENT || error == -ENOTDIR)) {
		size_t length = 0;

		while (folders[length] && folders[length] != ':')
			length++;
		if (length && length < sizeof(folder)) {
			memcpy(folder, folders, length);
			folder[length] = '\0';
			if (STRING_JOIN(path, folder, "/", argv[0]))
				error = sys_execve(path, argv, task.environment);
		}
		folders += length + (folders[length] == ':');
	}
	return error == -ENOTDIR ? -ENOENT : error;
}

/* Runs argv[0], found along PATH as shells do; returns only to end the process. */
static void __attribute__((noreturn)) execute(char **argv)
{
	int error;

	if (!argv[0])
		sys_exit(0);
	if (string_has(argv[0], '/'))
		error = sys_execve(argv[0], argv, task.environment);
	else
		error = execute_along(environment_value("PATH="), argv);
	say("run", argv[0], error);
	sys_exit(error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

/* In a child: its own session with this terminal. */
static void take_terminal(const char *path)
{
	int error;

	sys_setsid();
	error = open_terminal(path);
	if (!error)
		error = sys_ioctl(0, TIOCSCTTY, 0);
	if (error)
		say("take the terminal", path, error);
	if (task.size.ws_row)
		sys_ioctl(0, TIOCSWINSZ, &task.size);
}

/*
 * Waits for `child`, what fork returned, and for every orphan that ends before it; its exit status as
 * shells give it.
 */
static int wait_for(int child)
{
	if (child < 0) {
		say("fork", "", child);
		return STATUS_NOT_EXECUTABLE;
	}
	for (;;) {
		int status;
		int pid = sys_wait4(-1, &status, 0);

		if (pid == child)
			return status & 0x7f ? STATUS_SIGNAL + (status & 0x7f) : status >> 8 & 0xff;
		if (pid < 0 && pid != -EINTR) {
			say("wait", "", pid);
			return STATUS_NOT_EXECUTABLE;
		}
	}
}

/* Starts a shell, or the command, on a terminal; what fork returned. */
static int start_on_terminal(const char *path, bool shell)
{
	static const struct {
		const char *path;
		char *words[2]; /* ends with NULL */
	} shells[] = { { "/bin/bash", { "-bash" } }, { "/bin/sh", { "-sh" } } };
	int child = sys_fork();

	if (child == 0) {
		take_terminal(path);
		sys_chdir(task.folder);
		if (!shell)
			execute(task.arguments);
		for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
			int error = sys_execve(shells[i].path, (char **)shells[i].words,
					       task.environment);

			if (error != -ENOENT)
				say("run", shells[i].path, error);
		}
		sys_exit(STATUS_NOT_FOUND);
	}
	return child;
}

/* Asks for the modules of what the machine has and no bus announces (the screen, the keyboard). */
static void load_platform_modules(void)
{
	static char *const words[] = {
		"sh", "-c", "exec modprobe -qab $(cat /sys/bus/platform/devices/*/modalias)", NULL
	};
	int child = sys_fork();

	if (child == 0) {
		say("run", "/bin/sh", sys_execve("/bin/sh", (char **)words, task.environment));
		sys_exit(STATUS_NOT_FOUND);
	}
	wait_for(child);
}

/* modprobe does not wait for what somebody else is just loading, as the kernel does for a device that it has found. */
static void await_module(const char *name)
{
	char path[256], state[16];

	if (!STRING_JOIN(path, "/sys/module/", name, "/initstate"))
		return;
	for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms++) {
		if (read_file(path, state, sizeof(state)) <= 0 || state[0] != 'c') /* coming */
			return;
		sys_sleep_ms(1);
	}
	say("wait for", path, -ETIMEDOUT);
}

/* Those of the runner, by their names: what they drive is there then. */
static void load_wanted_modules(void)
{
	int child;

	if (task.module_count == 2)
		return;
	child = sys_fork();
	if (child == 0)
		execute(task.modules);
	wait_for(child);
	for (int i = 2; i < task.module_count; i++)
		await_module(task.modules[i]);
}

/* The host may change files meanwhile, so names are not believed; but what is read stays in the page cache until it has changed. */
static void mount_shares(void)
{
	char path[256];

	for (int i = 0; i < task.share_count; i++) {
		int error = STRING_JOIN(path, "/n/", task.shares[i]) ? 0 : -ENAMETOOLONG;

		if (!error) {
			sys_mkdir("/n", 0755);
			sys_mkdir(path, 0755);
			error = sys_mount(task.shares[i], path, "9p", 0, "trans=virtio,cache=mmap");
		}
		if (error)
			say("mount", task.shares[i], error);
	}
}

/* A machine of its own: a shell on each terminal, for ever. */
static void __attribute__((noreturn)) serve_terminals(void)
{
	static const char *const terminals[] = { "/dev/console", "/dev/tty1" };
	enum { TERMINALS = sizeof(terminals) / sizeof(terminals[0]) };
	int shells[TERMINALS] = { 0 };
	int fd = sys_open(terminals[1], O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
	int count = fd < 0 ? 1 : 2;

	if (fd >= 0)
		sys_close(fd);
	for (;;) {
		int status, pid;

		for (int i = 0; i < count; i++)
			if (shells[i] <= 0)
				shells[i] = start_on_terminal(terminals[i], true);
		pid = sys_wait4(-1, &status, 0);
		for (int i = 0; i < count; i++) {
			if (shells[i] != pid && shells[i] > 0)
				continue;
			shells[i] = 0;
			sys_sleep_ms(RESPAWN_PAUSE_MS);
		}
	}
}

/* The driver finds the ports one by one, a little after it was loaded. */
static int open_port(const char *name, int flags)
{
	char path[64];
	int fd = -ENAMETOOLONG;

	if (STRING_JOIN(path, "/dev/virtio-ports/kumo.", name))
		for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms++) {
			fd = sys_open(path, flags | O_CLOEXEC, 0);
			if (fd != -ENOENT && fd != -ENXIO)
				break;
			sys_sleep_ms(1);
		}
	if (fd < 0)
		say("open", path, fd);
	return fd;
}

static int run_on_ports(void)
{
	int child = sys_fork();

	if (child == 0) {
		int in = open_port("stdin", O_RDONLY);
		int out = open_port("stdout", O_WRONLY);
		int err = open_port("stderr", O_WRONLY);

		if (in < 0 || out < 0 || err < 0)
			sys_exit(STATUS_NOT_EXECUTABLE);
		sys_dup2(in, 0);
		sys_dup2(out, 1);
		sys_dup2(err, 2);
		sys_setsid();
		if (sys_chdir(task.folder)) {
			say("change to", task.folder, -ENOENT);
			sys_exit(STATUS_NOT_EXECUTABLE);
		}
		execute(task.arguments);
	}
	return wait_for(child);
}

static void report_status(int port, int status)
{
	char line[] = "exit 000\n";

	line[5] += status / 100;
	line[6] += status / 10 % 10;
	line[7] += status % 10;
	sys_write(port, line, sizeof(line) - 1);
	sys_close(port);
}

void init_main(void);
void init_main(void)
{
	int port;

	mount_trees();
	link_descriptors();
	open_terminal("/dev/console");
	read_task();
	load_modules();
	load_wanted_modules();
	take_root();
	name_machine();
	mount_shares();
	if (task.mode == MODE_MACHINE || task.mode == MODE_SHELL)
		load_platform_modules();
	if (task.mode == MODE_MACHINE)
		serve_terminals();
	/* Before the command, so that nothing that it does can keep its result back. */
	port = open_port("status", O_WRONLY);
	if (port >= 0)
		report_status(port, task.mode == MODE_PORTS
					    ? run_on_ports()
					    : wait_for(start_on_terminal("/dev/console",
									 task.mode == MODE_SHELL)));
	power_off();
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call init_main\n");
