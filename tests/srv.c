/* The folder of posted descriptors, mount -t srv: what is posted, who may open it, how it ends. Linux has no such tree. */
#include "mounts.h"

#include <dirent.h>
#include <sys/socket.h>

static int post(const char *name, int fd, mode_t mode)
{
	char number[16];
	int to = open(name, O_CREAT | O_EXCL | O_WRONLY, mode), length = sprintf(number, "%d", fd);
	int ok = to >= 0 && write(to, number, (size_t)length) == length;

	close(to);
	return ok ? 0 : -1;
}

static void opens_the_same(void)
{
	int fd = open("/srv/file", O_RDWR);

	CHECK(fd >= 0 && read(fd, text, 2) == 2 && !memcmp(text, "01", 2));
	CHECK(write(fd, "x", 1) == 1); /* at the offset that all share */
	CHECK(!strcmp(text_of("/srv/pipe"), ""));
}

static void user_opens(void)
{
	CHECK(open("/srv/reads", O_RDONLY) >= 0);
	CHECK_FAILS(EACCES, open("/srv/file", O_RDONLY));
	CHECK_FAILS(EPERM, unlink("/srv/reads"));
	CHECK(!post("/srv/users", 0, 0600));
	CHECK_FAILS(EPERM, chmod("/srv/reads", 0777));
	CHECK(!unlink("/srv/users"));
}

static void test_posting(void)
{
	int file, reads, pipes[2], fd, other;
	struct stat st, st2;

	WORKS(make_file("data", "0123456789"));
	file = open("data", O_RDWR);
	reads = open("data", O_RDONLY);
	WORKS(post("/srv/file", file, 0600));
	WORKS(post("/srv/reads", reads, 0644));
	FAILS(EEXIST, open("/srv/file", O_CREAT | O_EXCL | O_WRONLY, 0644));
	TRUE(mode_of("/srv/file") == (S_IFREG | 0600));
	fd = open("/srv/file", O_RDWR);
	WORKS(fstat(fd, &st));
	WORKS(fstat(file, &st2));
	TRUE(st.st_ino == st2.st_ino && st.st_dev == st2.st_dev);
	GIVES(0, syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, fd, file));
	close(fd);
	WORKS(pipe2(pipes, O_NONBLOCK));
	WORKS(post("/srv/pipe", pipes[0], 0644));
	close(pipes[1]);
	GIVES(0, in_child(opens_the_same));
	GIVES(3, lseek(file, 0, SEEK_CUR));
	close(file);
	TRUE(!strcmp(text_of("data"), "01x3456789"));

	/* No more than what was posted allows, nor to whom the name does not. */
	FAILS(EACCES, open("/srv/reads", O_RDWR));
	FAILS(EACCES, open("/srv/reads", O_WRONLY | O_CREAT, 0644));
	GIVES(0, as_user(user_opens));

	/* A name without a file. */
	other = open("/srv/empty", O_CREAT | O_WRONLY, 0644);
	TRUE(other >= 0);
	FAILS(ENXIO, open("/srv/empty", O_RDONLY));
	FAILS(EINVAL, write(other, "x", 1));
	FAILS(EINVAL, write(other, "-1", 2));
	FAILS(EINVAL, write(other, "99999999999999999999", 20));
	FAILS(EBADF, write(other, "999", 3));
	sprintf(text, "%d", other);
	FAILS(EINVAL, write(other, text, strlen(text)));
	sprintf(text, "%d\n", reads);
	GIVES(strlen(text), write(other, text, strlen(text)));
	FAILS(EBUSY, write(other, text, strlen(text)));
	close(other);
	FAILS(EPERM, mkdir("/srv/folder", 0755));
	FAILS(EPERM, symlink("x", "/srv/link"));
	WORKS(system("echo 0 > /srv/shell && test -e /srv/shell && rm /srv/shell"));

	/* The name goes, what is open stays. */
	fd = open("/srv/empty", O_RDONLY);
	WORKS(unlink("/srv/empty"));
	FAILS(ENOENT, open("/srv/empty", O_RDONLY));
	WORKS(lseek(fd, 0, SEEK_SET));
	GIVES(2, read(fd, text, 2));
	close(fd);
	close(reads);
	close(pipes[0]);
}

/* A service: who opens the name talks to its socket. */
static void test_service(void)
{
	int ends[2], fd, status;
	pid_t pid;

	WORKS(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
	pid = fork();
	if (!pid) {
		close(ends[0]);
		_exit(read(ends[1], text, 4) == 4 && write(ends[1], "pong", 4) == 4 ? 0 : 1);
	}
	close(ends[1]);
	WORKS(post("/srv/service", ends[0], 0666));
	close(ends[0]);
	fd = open("/srv/service", O_RDWR);
	GIVES(4, write(fd, "ping", 4));
	GIVES(4, read(fd, text, 4));
	TRUE(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd);
	WORKS(unlink("/srv/service"));
}

static void test_listing(void)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir = opendir("/srv");

	while ((entry = readdir(dir)))
		count += !strcmp(entry->d_name, "file") || !strcmp(entry->d_name, "reads") ||
					 !strcmp(entry->d_name, "pipe") ||
					 !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")
				 ? 1
				 : 100;
	closedir(dir);
	GIVES(5, count);
}

int main(void)
{
	if (access("/proc/self/namespace", F_OK))
		return 77;
	begin_mounts();
	mkdir("/srv", 0755);
	WORKS(mount("none", "/srv", "srv", 0, NULL));
	WORKS(chmod("/tmp/m", 0777));
	test_posting();
	test_service();
	test_listing();
	WORKS(mkdir("two", 0755));
	WORKS(mount("none", "two", "srv", 0, NULL));
	WORKS(access("two/reads", F_OK));
	WORKS(umount("two"));
	WORKS(umount("/srv"));
	/* With the last mount the names went. */
	WORKS(mount("none", "/srv", "srv", 0, NULL));
	FAILS(ENOENT, access("/srv/reads", F_OK));
	WORKS(umount("/srv"));
	WORKS(system("rmmod srv"));
	return end_mounts();
}
