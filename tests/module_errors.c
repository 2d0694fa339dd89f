/* init_module, finit_module, delete_module: each failure that their man pages name gives its errno, and harms nothing. */
#define _GNU_SOURCE
#include <elf.h>
#include <linux/module.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "files.h"

static long init_module(const void *image, unsigned long size, const char *args)
{
	return syscall(SYS_init_module, image, size, args);
}

static long finit_module(int fd, const char *args, int flags)
{
	return syscall(SYS_finit_module, fd, args, flags);
}

static long delete_module(const char *name, unsigned int flags)
{
	return syscall(SYS_delete_module, name, flags);
}

static const char *release(void)
{
	static struct utsname names;

	uname(&names);
	return names.release;
}

/* A file in memory, and the same again for a test to damage. */
struct image {
	char path[256];
	char *data, *copy;
	size_t size;
};

static struct image read_sample(const char *name)
{
	struct image image;
	struct stat st;
	int fd;

	snprintf(image.path, sizeof(image.path), "/lib/modules/%s/kernel/modules/samples/%s/%s.ko",
		 release(), name, name);
	fd = open(image.path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st)) {
		printf("Bail out! %s: %s\n", image.path, strerror(errno));
		exit(1);
	}
	image.size = st.st_size;
	image.data = malloc(image.size);
	image.copy = malloc(image.size);
	if (!image.data || !image.copy || read(fd, image.data, image.size) != (ssize_t)image.size) {
		printf("Bail out! %s cannot be read\n", image.path);
		exit(1);
	}
	close(fd);
	memcpy(image.copy, image.data, image.size);
	return image;
}

static void restore(struct image *image)
{
	memcpy(image->copy, image->data, image->size);
}

/* Where `text` with its NUL lies in the copy; NULL: nowhere. */
static char *find(struct image *image, const char *text)
{
	return memmem(image->copy, image->size, text, strlen(text) + 1);
}

static Elf64_Shdr *find_section(struct image *image, const char *name)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)image->copy;
	Elf64_Shdr *sections = (Elf64_Shdr *)(image->copy + header->e_shoff);
	const char *names = image->copy + sections[header->e_shstrndx].sh_offset;

	for (int i = 1; i < header->e_shnum; i++)
		if (!strcmp(names + sections[i].sh_name, name))
			return &sections[i];
	return NULL;
}

static int is_loaded(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return access(path, F_OK) == 0;
}

/* The right comes first, whatever the arguments. */
static void without_privilege(void)
{
	CHECK_FAILS(EPERM, init_module(NULL, 0, NULL));
	CHECK_FAILS(EPERM, finit_module(-1, NULL, -1));
	CHECK_FAILS(EPERM, delete_module(NULL, 0));
}

/* ---- init_module ---- */

static void test_init(struct image *hello)
{
	static char long_text[70000];
	char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FAILS(ENOEXEC, init_module(hello->data, 0, ""));
	FAILS(ENOEXEC, init_module(hello->data, 63, ""));
	FAILS(ENOEXEC, init_module(hello->data, 64, ""));
	FAILS(ENOEXEC, init_module(hello->data, hello->size - 1, ""));
	FAILS(EFAULT, init_module(NULL, hello->size, ""));
	FAILS(EFAULT, init_module((void *)-4096, hello->size, ""));
	FAILS(EFAULT, init_module(hello->data, hello->size, NULL));
	FAILS(EFAULT, init_module(hello->data, hello->size, (char *)8));
	/* Half an image, then nothing. */
	munmap(end + 4096, 4096);
	memcpy(end, hello->data, 4096);
	FAILS(EFAULT, init_module(end, hello->size, ""));
	memset(end, 'a', 4096);
	FAILS(EFAULT, init_module(hello->data, hello->size, end));
	memset(long_text, 'a', sizeof(long_text) - 1);
	TRUE(init_module(hello->data, hello->size, long_text) == -1 && errno);
	TRUE(!is_loaded("hello"));
}

static void test_parameters(struct image *hello)
{
	FAILS(EINVAL, init_module(hello->data, hello->size, "times=abc"));
	FAILS(ERANGE, init_module(hello->data, hello->size, "times=99999999999"));
	FAILS(EINVAL, init_module(hello->data, hello->size, "times"));
	FAILS(EINVAL, init_module(hello->data, hello->size, "primes=1,2,3,4,5"));
	FAILS(ENOSPC, init_module(hello->data, hello->size, "tag=0123456789abcdef"));
	FAILS(EINVAL, init_module(hello->data, hello->size, "whom=\"no end"));
	FAILS(EINVAL, init_module(hello->data, hello->size, "quiet=maybe"));
	/* What init itself returns. */
	FAILS(EINVAL, init_module(hello->data, hello->size, "times=-1"));
	TRUE(!is_loaded("hello"));
	WORKS(init_module(hello->data, hello->size, "nosuch=1 quiet times=1"));
	FAILS(EEXIST, init_module(hello->data, hello->size, ""));
	WORKS(delete_module("hello", O_NONBLOCK));
}

/* Each changes one thing in an image that is fine otherwise. */
static void test_structure(struct image *hello)
{
	Elf64_Ehdr *header = (Elf64_Ehdr *)hello->copy;

	hello->copy[0] = 'x';
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	hello->copy[EI_CLASS] = ELFCLASS32;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	header->e_machine = EM_AARCH64;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	header->e_type = ET_EXEC;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	header->e_shoff = hello->size - 8;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	header->e_shstrndx = header->e_shnum;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	find_section(hello, ".text")->sh_offset = hello->size;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	find_section(hello, ".modinfo")->sh_name = 0;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	find_section(hello, ".symtab")->sh_type = SHT_PROGBITS;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	find_section(hello, ".text")->sh_flags |= SHF_WRITE;
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	restore(hello);
	TRUE(!is_loaded("hello"));
}

static void test_versions(struct image *hello)
{
	int fd = open("hello.ko", O_CREAT | O_RDWR, 0644);
	char *place;

	/* The checksum of a symbol lies before its name. */
	find(hello, "printk")[-8] ^= 1;
	FAILS(EINVAL, init_module(hello->copy, hello->size, ""));
	write(fd, hello->copy, hello->size);
	close(fd);
	fd = open("hello.ko", O_RDONLY);
	FAILS(EINVAL, finit_module(fd, "", MODULE_INIT_IGNORE_VERMAGIC));
	WORKS(finit_module(fd, "quiet", MODULE_INIT_IGNORE_MODVERSIONS));
	WORKS(delete_module("hello", O_NONBLOCK));
	close(fd);
	restore(hello);
	/* Another symbol, which nobody exports: in the string table and in the table of versions. */
	while ((place = find(hello, "printk")))
		place[0] = 'q';
	FAILS(ENOENT, init_module(hello->copy, hello->size, ""));
	restore(hello);

	place = memmem(hello->copy, hello->size, " mod_unload ", 12);
	place[1] = 'n';
	FAILS(ENOEXEC, init_module(hello->copy, hello->size, ""));
	fd = open("hello.ko", O_WRONLY | O_TRUNC);
	write(fd, hello->copy, hello->size);
	close(fd);
	fd = open("hello.ko", O_RDONLY);
	FAILS(ENOEXEC, finit_module(fd, "", MODULE_INIT_IGNORE_MODVERSIONS));
	WORKS(finit_module(fd, "quiet", MODULE_INIT_IGNORE_VERMAGIC));
	WORKS(delete_module("hello", O_NONBLOCK));
	close(fd);
	restore(hello);
	WORKS(unlink("hello.ko"));
	TRUE(!is_loaded("hello"));
}

/* ---- finit_module ---- */

static void test_finit(struct image *hello)
{
	int fd, ends[2];

	FAILS(EBADF, finit_module(-1, "", 0));
	FAILS(EBADF, finit_module(999, "", 0));
	fd = open(hello->path, O_RDONLY);
	FAILS(EINVAL, finit_module(fd, "", 8));
	FAILS(EINVAL, finit_module(fd, "", -1));
	FAILS(EFAULT, finit_module(fd, NULL, 0));
	/* Where the position stands does not matter, and it stays. */
	lseek(fd, 100, SEEK_SET);
	WORKS(finit_module(fd, "quiet", 0));
	TRUE(lseek(fd, 0, SEEK_CUR) == 100);
	FAILS(EEXIST, finit_module(fd, "quiet", 0));
	WORKS(delete_module("hello", 0));
	close(fd);

	fd = open(hello->path, O_PATH);
	FAILS(EBADF, finit_module(fd, "", 0));
	close(fd);
	fd = open("empty", O_CREAT | O_WRONLY, 0644);
	FAILS(EBADF, finit_module(fd, "", 0));
	close(fd);
	fd = open("empty", O_RDONLY);
	FAILS(EINVAL, finit_module(fd, "", 0));
	close(fd);
	WORKS(make_file("empty",
			"a text of more bytes than an ELF header has, but of no other likeness to one"));
	fd = open("empty", O_RDONLY);
	FAILS(ENOEXEC, finit_module(fd, "", 0));
	close(fd);
	WORKS(unlink("empty"));
	fd = open("/", O_RDONLY);
	FAILS(EINVAL, finit_module(fd, "", 0));
	close(fd);
	fd = open("/dev/zero", O_RDONLY);
	FAILS(EINVAL, finit_module(fd, "", 0));
	close(fd);
	WORKS(pipe(ends));
	FAILS(EINVAL, finit_module(ends[0], "", 0));
	close(ends[0]);
	close(ends[1]);
}

/* Not while somebody may change it, and nobody may change it meanwhile. */
static void test_busy_file(struct image *hello)
{
	int writer = open("hello.ko", O_CREAT | O_RDWR, 0755);
	int fd = open("hello.ko", O_RDONLY);

	write(writer, hello->data, hello->size);
	FAILS(ETXTBSY, finit_module(fd, "quiet", 0));
	close(writer);
	WORKS(finit_module(fd, "quiet", 0));
	/* It has been read: the file is free again. */
	writer = open("hello.ko", O_WRONLY);
	TRUE(writer >= 0);
	close(writer);
	close(fd);
	WORKS(unlink("hello.ko"));
	WORKS(delete_module("hello", 0));
}

/* ---- delete_module ---- */

static void test_delete(struct image *hello, struct image *user, struct image *counter)
{
	char name[300];

	FAILS(ENOENT, delete_module("hello", O_NONBLOCK));
	FAILS(ENOENT, delete_module("", 0));
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	FAILS(ENOENT, delete_module(name, 0));
	FAILS(EFAULT, delete_module(NULL, 0));
	FAILS(EFAULT, delete_module((char *)-1, 0));

	/* Another module depends on it: not even by force. */
	FAILS(ENOENT, init_module(user->data, user->size, ""));
	WORKS(init_module(hello->data, hello->size, "quiet"));
	WORKS(init_module(user->data, user->size, ""));
	FAILS(EWOULDBLOCK, delete_module("hello", O_NONBLOCK));
	FAILS(EWOULDBLOCK, delete_module("hello", 0));
	FAILS(EWOULDBLOCK, delete_module("hello", O_NONBLOCK | O_TRUNC));
	WORKS(delete_module("hello_user", O_NONBLOCK));
	WORKS(delete_module("hello", O_NONBLOCK));

	/* Somebody uses it: a mount, then an open file of it. */
	WORKS(init_module(counter->data, counter->size, ""));
	WORKS(mkdir("n", 0755));
	WORKS(mount("none", "n", "counter", 0, NULL));
	FAILS(EWOULDBLOCK, delete_module("counter", O_NONBLOCK));
	FAILS(EWOULDBLOCK, delete_module("counter", O_NONBLOCK | O_TRUNC));
	int fd = open("n/value", O_RDONLY);

	FAILS(EBUSY, umount("n"));
	WORKS(umount2("n", MNT_DETACH));
	FAILS(EWOULDBLOCK, delete_module("counter", O_NONBLOCK));
	TRUE(read(fd, name, 1) == 1);
	close(fd);
	WORKS(delete_module("counter", O_NONBLOCK));
	WORKS(rmdir("n"));
}

int main(void)
{
	struct image hello = read_sample("hello"), user = read_sample("hello_user"),
		     counter = read_sample("counter");

	begin();
	tap_ok(!as_user(without_privilege), "users may do nothing of all this");
	test_init(&hello);
	test_parameters(&hello);
	test_structure(&hello);
	test_versions(&hello);
	test_finit(&hello);
	test_busy_file(&hello);
	test_delete(&hello, &user, &counter);
	return end();
}
