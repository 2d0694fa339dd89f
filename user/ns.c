/*
 * ns: prints what a process sees mounted as the commands that mount it, and runs a program with what such commands make. The
 * commands are lines of words, with \ooo for what would end a word:
 *
 *	mount -t TYPE [-o OPTIONS] SOURCE PLACE
 *	bind [-abc] [-o FLAGS] FROM PLACE
 *	unmount [FROM] PLACE
 *	cd FOLDER
 */
#include "tool.h"

#define LINE_MAX_BYTES 16384
#define WORDS_MAX 16

static const char help[] =
	"NAME\n"
	"    ns - print or build a namespace\n"
	"\n"
	"SYNOPSIS\n"
	"    ns [PID]\n"
	"    ns -r FILE COMMAND [ARGUMENT...]\n"
	"\n"
	"DESCRIPTION\n"
	"    ns prints how what is mounted for process PID (without one: for itself) was mounted, one command a\n"
	"    line, the working directory last.\n"
	"\n"
	"    ns -r FILE runs COMMAND in a namespace of its own, on which it has carried out the commands in FILE.\n"
	"    It begins as a copy of the present one, of which it hears nothing any more. A tree that is mounted\n"
	"    at its place already is left there. Who is not privileged gives up for good to become so\n"
	"    (no_new_privs): COMMAND and its children gain nothing from set-user-id programs.\n"
	"\n"
	"COMMANDS\n"
	"    mount -t TYPE [-o OPTIONS] SOURCE PLACE\n"
	"    bind [-abc] [-o FLAGS] FROM PLACE   -b before, -a after what is at PLACE, else in its place;\n"
	"                                        -c: new files are made in FROM\n"
	"    unmount [FROM] PLACE\n"
	"    cd FOLDER\n"
	"    # a comment\n"
	"\n"
	"EXIT STATUS\n"
	"    That of COMMAND; 1 when something failed.\n"
	"\n"
	"SEE ALSO\n"
	"    unmount, mount(8), nsenter(1), /proc/PID/namespace\n";

/* ---- Reading ---- */

struct input {
	int fd;
	char bytes[4096];
	long at, end;
};

static int next_byte(struct input *input)
{
	if (input->at == input->end) {
		input->at = 0;
		input->end = sys_read(input->fd, input->bytes, sizeof(input->bytes));
		if (input->end <= 0)
			return -1;
	}
	return (unsigned char)input->bytes[input->at++];
}

/* One line without its end; false: there is none. */
static bool next_line(struct input *input, char *line)
{
	size_t length = 0;
	int c;

	while ((c = next_byte(input)) >= 0 && c != '\n')
		if (length < LINE_MAX_BYTES - 1)
			line[length++] = (char)c;
	line[length] = '\0';
	return c >= 0 || length;
}

/* \ooo is a byte; in place. */
static void decode(char *word)
{
	char *to = word;

	for (; *word; word++) {
		if (word[0] == '\\' && word[1] >= '0' && word[1] <= '3' && word[2] && word[3]) {
			*to++ = (char)((word[1] - '0') << 6 | (word[2] - '0') << 3 | (word[3] - '0'));
			word += 3;
		} else {
			*to++ = *word;
		}
	}
	*to = '\0';
}

/* Cuts the line at blanks. */
static int words_of(char *line, char **words)
{
	int count = 0;

	while (count < WORDS_MAX) {
		while (*line == ' ' || *line == '\t')
			line++;
		if (!*line || *line == '#')
			break;
		words[count++] = line;
		while (*line && *line != ' ' && *line != '\t')
			line++;
		if (*line)
			*line++ = '\0';
	}
	for (int i = 0; i < count; i++)
		decode(words[i]);
	return count;
}

/* ---- Options ---- */

struct options {
	const char *type, *how;
	unsigned long flags;
	bool flagged;
	char rest[4096]; /* what is the tree's to understand */
	char *names[2];
	int name_count;
};

static bool take_flag(const char *word, unsigned long *flags)
{
	static const struct {
		const char *word;
		unsigned long set, clear;
	} known[] = {
		{ "ro", MS_RDONLY, 0 },
		{ "rw", 0, MS_RDONLY },
		{ "nosuid", MS_NOSUID, 0 },
		{ "nodev", MS_NODEV, 0 },
		{ "noexec", MS_NOEXEC, 0 },
		{ "noatime", MS_NOATIME, 0 },
		{ "nodiratime", MS_NODIRATIME, 0 },
		{ "relatime", MS_RELATIME, 0 },
		{ "nosymfollow", MS_NOSYMFOLLOW, 0 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (string_equal(known[i].word, word)) {
			*flags = (*flags & ~known[i].clear) | known[i].set;
			return true;
		}
	return false;
}

static void take_options(struct options *options, char *list)
{
	options->flagged = true;
	while (*list) {
		char *word = list;

		while (*list && *list != ',')
			list++;
		if (*list)
			*list++ = '\0';
		if (take_flag(word, &options->flags))
			continue;
		char before[sizeof(options->rest)];

		if (!STRING_JOIN(before, options->rest) ||
		    !STRING_JOIN(options->rest, before, *before ? "," : "", word))
			options->rest[0] = '\0';
	}
}

/* The words behind the command; false: they make no sense. */
static bool parse(struct options *options, int count, char **words)
{
	for (int i = 1; i < count; i++) {
		if (string_equal(words[i], "-o") && i + 1 < count)
			take_options(options, words[++i]);
		else if (string_equal(words[i], "-t") && i + 1 < count)
			options->type = words[++i];
		else if (words[i][0] == '-' && words[i][1])
			options->how = words[i] + 1;
		else if (options->name_count < 2)
			options->names[options->name_count++] = words[i];
		else
			return false;
	}
	return options->name_count;
}

/* ---- Commands ---- */

/* Does the line of /proc/self/mounts say that this is mounted already? */
static bool is_mounted(const struct options *options)
{
	static struct input input;
	static char line[LINE_MAX_BYTES];
	char *words[WORDS_MAX];
	bool found = false;

	input = (struct input){ .fd = sys_open("/proc/self/mounts", O_RDONLY, 0) };
	if (input.fd < 0)
		return false;
	while (!found && next_line(&input, line))
		found = words_of(line, words) >= 3 && string_equal(words[0], options->names[0]) &&
			string_equal(words[1], options->names[1]) &&
			string_equal(words[2], options->type);
	sys_close(input.fd);
	return found;
}

static int do_mount(struct options *options)
{
	if (!options->type || options->name_count != 2)
		return -EINVAL;
	if (is_mounted(options))
		return 0;
	return mount_flagged(options->names[0], options->names[1], options->type, options->flags,
			     options->rest);
}

static int do_bind(struct options *options)
{
	const char *how = options->how ? options->how : "";
	char words[64] = "";
	int error;

	if (options->name_count != 2)
		return -EINVAL;
	(void)STRING_JOIN(words, string_has(how, 'b') ? "before," : "",
			  string_has(how, 'a') ? "after," : "", string_has(how, 'c') ? "create" : "");
	error = mount_flagged(options->names[0], options->names[1], NULL, MS_BIND, words);
	/* The flags of one member of a union cannot be told from here; those of a mount alone can. */
	if (!error && options->flagged && !*how)
		error = mount_flagged(NULL, options->names[1], NULL,
				      MS_BIND | MS_REMOUNT | options->flags, NULL);
	return error;
}

static int do_unmount(struct options *options)
{
	if (options->name_count == 1)
		return (int)SYSCALL(umount2, options->names[0], 0, 0, 0, 0);
	return mount_flagged(options->names[0], options->names[1], NULL, MS_BIND, "remove");
}

static int carry_out(int count, char **words)
{
	static struct options options;

	options = (struct options){};
	if (!parse(&options, count, words))
		return -EINVAL;
	if (string_equal(words[0], "mount"))
		return do_mount(&options);
	if (string_equal(words[0], "bind"))
		return do_bind(&options);
	if (string_equal(words[0], "unmount"))
		return do_unmount(&options);
	if (string_equal(words[0], "cd"))
		return sys_chdir(options.names[0]);
	return -EINVAL;
}

/* Every line of the file; what fails is said, and the rest goes on. False: something did. */
static bool build(const char *file)
{
	static struct input input;
	static char line[LINE_MAX_BYTES], shown[LINE_MAX_BYTES];
	char *words[WORDS_MAX];
	bool good = true;
	int error;

	input = (struct input){ .fd = sys_open(file, O_RDONLY | O_CLOEXEC, 0) };
	if (input.fd < 0) {
		complain("ns", file, input.fd);
		return false;
	}
	while (next_line(&input, line)) {
		int count;

		(void)STRING_JOIN(shown, line);
		count = words_of(line, words);
		error = count ? carry_out(count, words) : 0;
		if (error) {
			complain("ns", shown, error);
			good = false;
		}
	}
	sys_close(input.fd);
	return good;
}

/* ---- A namespace of one's own ---- */

static int take_namespace(void)
{
	int error = (int)SYSCALL(unshare, CLONE_NEWNS, 0, 0, 0, 0);

	if (error == -EPERM) {
		error = (int)SYSCALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (!error)
			error = (int)SYSCALL(unshare, CLONE_NEWNS, 0, 0, 0, 0);
	}
	if (!error)
		error = mount_flagged(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return error;
}

/* As a shell would find it. */
static int run(char **arguments, char **environment)
{
	const char *path = "/bin:/sbin:/usr/bin:/usr/sbin";
	char name[4096];
	int error = -ENOENT;

	if (string_has(arguments[0], '/'))
		return sys_execve(arguments[0], arguments, environment);
	for (char **each = environment; *each; each++) {
		char *value = string_after(*each, "PATH=");

		if (value)
			path = value;
	}
	while (*path) {
		char folder[2048];
		size_t length = 0;

		while (*path && *path != ':' && length < sizeof(folder) - 1)
			folder[length++] = *path++;
		folder[length] = '\0';
		while (*path && *path++ != ':')
			;
		if (STRING_JOIN(name, folder, "/", arguments[0]))
			error = sys_execve(name, arguments, environment);
		if (error != -ENOENT && error != -ENOTDIR)
			break;
	}
	return error;
}

/* ---- Printing ---- */

static int show(const char *pid)
{
	static char bytes[4096];
	char name[64];
	long got;
	int fd;

	if (!STRING_JOIN(name, "/proc/", pid, "/namespace"))
		return complain("ns", pid, -EINVAL);
	fd = sys_open(name, O_RDONLY, 0);
	if (fd < 0)
		return complain("ns", pid, fd);
	while ((got = sys_read(fd, bytes, sizeof(bytes) - 1)) > 0) {
		bytes[got] = '\0';
		print(1, bytes);
	}
	sys_close(fd);
	return got < 0 ? complain("ns", name, (int)got) : 0;
}

int tool_main(int count, char **arguments, char **environment)
{
	int error;

	if (count == 2 && (string_equal(arguments[1], "--help") || string_equal(arguments[1], "-h"))) {
		print(1, help);
		return 0;
	}
	if (count > 3 && string_equal(arguments[1], "-r")) {
		error = take_namespace();
		if (error)
			return complain("ns", "a namespace", error);
		if (!build(arguments[2]))
			return 1;
		return complain("ns", arguments[3], run(arguments + 3, environment));
	}
	if (count > 2 || (count == 2 && arguments[1][0] == '-')) {
		print(2, "usage: ns [PID]\n       ns -r FILE COMMAND [ARGUMENT...]    (ns --help)\n");
		return 1;
	}
	return show(count == 2 ? arguments[1] : "self");
}
