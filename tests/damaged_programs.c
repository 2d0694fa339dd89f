/*
 * Damaged ELF programs: each byte of the headers of a small one is given several values, and each result is executed. What comes of
 * it, an errno, a signal or a program that runs, is what comes of it on Linux; nobody else is hurt.
 *
 * seconds: 240
 *
 * With an argument it prints what comes of each, in the form of the table below.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PROGRAM "/tmp/damaged-program"
#define SEGMENTS 3
#define HEADERS (sizeof(Elf64_Ehdr) + SEGMENTS * sizeof(Elf64_Phdr))
#define BASE 0x400000UL
#define DATA 0x600000UL

/* exit(42), once a word of the zeroed memory was written and read. */
static const unsigned char code[] = {
	0xb8, 0x00, 0x10, 0x60, 0x00,		  /* mov $0x601000, %eax */
	0xc7, 0x00, 0x2a, 0x00, 0x00, 0x00,	  /* movl $42, (%rax) */
	0x8b, 0x38,				  /* mov (%rax), %edi */
	0xb8, 0x3c, 0x00, 0x00, 0x00, 0x0f, 0x05, /* mov $60, %eax; syscall */
	0xf4,					  /* hlt */
};

static unsigned char image[4096];

static void make_image(void)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image;
	Elf64_Phdr *segment = (Elf64_Phdr *)(header + 1);

	*header = (Elf64_Ehdr){ .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
				.e_type = ET_EXEC,
				.e_machine = EM_X86_64,
				.e_version = EV_CURRENT,
				.e_entry = BASE + HEADERS,
				.e_phoff = sizeof(*header),
				.e_ehsize = sizeof(*header),
				.e_phentsize = sizeof(*segment),
				.e_phnum = SEGMENTS };
	segment[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_flags = PF_R | PF_X,
				   .p_vaddr = BASE,
				   .p_filesz = HEADERS + sizeof(code),
				   .p_memsz = HEADERS + sizeof(code),
				   .p_align = 4096 };
	segment[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				   .p_flags = PF_R | PF_W,
				   .p_vaddr = DATA,
				   .p_filesz = 16,
				   .p_memsz = 8192,
				   .p_align = 4096 };
	segment[2] = (Elf64_Phdr){ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W, .p_align = 16 };
	memcpy(image + HEADERS, code, sizeof(code));
}

/* What a byte is changed to; the last two add and take 1. */
static const unsigned char values[] = { 0x00, 0x01, 0x02, 0x04, 0x10, 0x40, 0x7f, 0x80, 0xc0, 0xff };
#define CHANGES (sizeof(values) + 2)

static unsigned char changed(unsigned char byte, size_t change)
{
	if (change < sizeof(values))
		return values[change];
	return (unsigned char)(change == sizeof(values) ? byte + 1 : byte - 1);
}

static void write_image(size_t size)
{
	int fd = open(PROGRAM, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, image, size) != (ssize_t)size)
		exit(1);
	close(fd);
}

/* A letter for what comes of executing the file. */
static char outcome(void)
{
	static const struct {
		int error;
		char letter;
	} errors[] = { { ENOEXEC, 'E' }, { EINVAL, 'I' }, { ENOMEM, 'M' }, { EACCES, 'A' },
		       { EFAULT, 'F' },	 { EIO, 'O' },	  { EPERM, 'P' } };
	pid_t child = vfork();
	int status;

	if (!child) {
		char *const words[] = { PROGRAM, NULL };
		struct rlimit seconds = { 2, 2 };

		setrlimit(RLIMIT_CPU, &seconds);
		execve(PROGRAM, words, words + 1);
		for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
			if (errno == errors[i].error)
				_exit(errors[i].letter);
		_exit('?');
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return '!';
	if (WIFEXITED(status))
		return WEXITSTATUS(status) == 42 ? '.' : (char)WEXITSTATUS(status);
	switch (WTERMSIG(status)) {
	case SIGSEGV:
		return 's';
	case SIGBUS:
		return 'b';
	case SIGILL:
		return 'i';
	case SIGKILL:
		return 'k';
	case SIGALRM:
	case SIGXCPU:
		return 't';
	default:
		return 'x';
	}
}

/* Of the bytes that matter, a letter for each change; all other bytes leave a program that runs. */
static const struct {
	unsigned int offset;
	const char *letters;
} expected[] = {
	{ 0, "EEEEEE.EEEEE" },	 { 1, "EEEEEEEEEEEE" },	  { 2, "EEEEEEEEEEEE" },
	{ 3, "EEEEEEEEEEEE" },	 { 16, "EE.EEEEEEEsE" },  { 17, ".EEEEEEEEEEE" },
	{ 18, "EEEEEEEEEEEE" },	 { 19, ".EEEEEEEEEEE" },  { 24, "ssssssssssss" },
	{ 25, ".sssssssssss" },	 { 26, "sssss.ssssss" },  { 27, ".sssssssssss" },
	{ 28, ".sssssssssss" },	 { 29, ".sssssssssss" },  { 30, ".sssssssssss" },
	{ 31, ".sssssssssss" },	 { 32, "Essss.ssssss" },  { 33, ".sssEEEEEEsE" },
	{ 34, ".EEEEEEEEEEE" },	 { 35, ".EEEEEEEEEEE" },  { 36, ".EEEEEEEEEEE" },
	{ 37, ".EEEEEEEEEEE" },	 { 38, ".EEEEEEEEEEE" },  { 39, ".EEEEEEEEEEE" },
	{ 54, "EEEEEEEEEEEE" },	 { 55, ".EEEEEEEEEEE" },  { 56, "Es....EEEE.." },
	{ 57, ".EEEEEEEEEEE" },	 { 64, "s.ssssssssss" },  { 65, ".sssssssssss" },
	{ 66, ".sssssssssss" },	 { 67, ".sssssssssss" },  { 68, "s.ssss.ss.ss" },
	{ 72, ".sssssssssss" },	 { 73, ".sssbbsbbsss" },  { 74, ".bbbbbbbbbbb" },
	{ 75, ".bbbbbbbbbbb" },	 { 76, ".bbbbbbbbbbb" },  { 77, ".bbbbbbbbbbb" },
	{ 78, ".bbbbbbbbbbb" },	 { 79, ".bbbbbbsssbs" },  { 80, ".sssssssssss" },
	{ 81, ".sssssssssss" },	 { 82, "sssss.ssssss" },  { 83, ".sssssssssss" },
	{ 84, ".sssssssssss" },	 { 85, ".sssssssssss" },  { 86, ".sssssssssss" },
	{ 87, ".sssssssssss" },	 { 96, "s........ss." },  { 97, ".sssssssssss" },
	{ 98, ".sssssssssss" },	 { 99, ".sssssssssss" },  { 100, ".sssssssssss" },
	{ 101, ".sssssssssss" }, { 102, ".sssssssssss" }, { 103, ".sssssssssss" },
	{ 104, "sssssssss..s" }, { 107, "************" }, { 108, "************" },
	{ 109, ".sssssssssss" }, { 110, ".sssssssssss" }, { 111, ".sssssssssss" },
	{ 120, "s.ssssssssss" }, { 121, ".sssssssssss" }, { 122, ".sssssssssss" },
	{ 123, ".sssssssssss" }, { 128, ".sssssssssss" }, { 129, ".sssssssssss" },
	{ 130, ".sssssssssss" }, { 131, ".sssssssssss" }, { 132, ".sssssssssss" },
	{ 133, ".sssssssssss" }, { 134, ".sssssssssss" }, { 135, ".sssssssssss" },
	{ 136, ".sssssssssss" }, { 137, ".sss.sssssss" }, { 138, "ssssssssssss" },
	{ 139, ".sssssssssss" }, { 140, ".sssssssssss" }, { 141, ".sssssssssss" },
	{ 142, ".sssssssssss" }, { 143, ".sssssssssss" }, { 153, "....ssssss.s" },
	{ 154, ".sssssssssss" }, { 155, ".sssssssssss" }, { 156, ".sssssssssss" },
	{ 157, ".sssssssssss" }, { 158, ".sssssssssss" }, { 159, ".sssssssssss" },
	{ 161, "sssss......." }, { 163, "************" }, { 164, "************" },
	{ 165, ".sssssssssss" }, { 166, ".sssssssssss" }, { 167, ".sssssssssss" },
};

static const char *expectation(size_t offset)
{
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (expected[i].offset == offset)
			return expected[i].letters;
	return "............";
}

/* ENOEXEC is right for whatever is damaged, and where Linux kills a program that it has begun to execute, Kumo may refuse it before
 * in another way. '*': it depends on how much memory there is. */
static int right(const char *letters, const char *wanted)
{
	for (; *letters; letters++, wanted++)
		if (*letters != *wanted && *letters != 'E' && *wanted != '*' &&
		    (!strchr("sbk", *wanted) || !strchr("sbkiIMFO", *letters)))
			return 0;
	return 1;
}

static const char *part_of(size_t offset)
{
	static const char *const parts[] = { "the first segment", "the second segment",
					     "the third segment" };

	return offset < sizeof(Elf64_Ehdr)
		       ? "the header"
		       : parts[(offset - sizeof(Elf64_Ehdr)) / sizeof(Elf64_Phdr)];
}

static void damage_byte(size_t offset, char letters[CHANGES + 1])
{
	unsigned char byte = image[offset];

	for (size_t change = 0; change < CHANGES; change++) {
		image[offset] = changed(byte, change);
		write_image(sizeof(image));
		letters[change] = outcome();
	}
	letters[CHANGES] = '\0';
	image[offset] = byte;
}

static void bytes(int print)
{
	char letters[CHANGES + 1];
	const char *part = part_of(0);
	int wrong = 0;

	for (size_t offset = 0; offset < HEADERS; offset++) {
		damage_byte(offset, letters);
		if (print && strcmp(letters, "............"))
			printf("\t{ %zu, \"%s\" },\n", offset, letters);
		if (print)
			continue;
		if (!right(letters, expectation(offset))) {
			printf("# byte %zu: %s instead of %s\n", offset, letters, expectation(offset));
			wrong++;
		}
		if (offset + 1 == HEADERS || part_of(offset + 1) != part) {
			tap_ok(!wrong, "bytes of %s", part);
			part = part_of(offset + 1);
			wrong = 0;
		}
	}
}

/* Cut off after so many bytes. */
static void lengths(void)
{
	int wrong = 0;

	for (size_t size = 0; size < HEADERS; size++) {
		write_image(size);
		if (outcome() != 'E')
			wrong++;
	}
	tap_ok(!wrong, "a file that ends in its headers is no program");
	write_image(HEADERS + sizeof(code));
	tap_ok(outcome() == '.', "nothing is needed behind its contents");
}

int main(int argc, char **argv)
{
	struct rlimit none = {};

	setrlimit(RLIMIT_CORE, &none);
	make_image();
	write_image(sizeof(image));
	if (argc < 2)
		tap_ok(outcome() == '.', "the program runs as long as it is whole");
	bytes(argc > 1);
	if (argc < 2)
		lengths();
	write_image(sizeof(image));
	if (argc < 2)
		tap_ok(outcome() == '.', "and after all the others");
	unlink(PROGRAM);
	return argc < 2 ? tap_end() : 0;
}
