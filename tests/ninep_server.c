/* The 9P server, message by message, in each dialect: a client that speaks by hand. Linux has no such server. */
/* seconds: 120 */
#include "ninep.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static struct peer *peer;
static int control;

/* fid 0 is the root; a walk of one name. */
static int walk1(unsigned int from, unsigned int to, const char *name)
{
	return call(peer, Twalk, "442s", from, to, 1, name);
}

static int clone_fid(unsigned int from, unsigned int to)
{
	return call(peer, Twalk, "442", from, to, 0);
}

static int clunk(unsigned int fid)
{
	return call(peer, Tclunk, "4", fid);
}

static int attach(unsigned int fid, unsigned int uid)
{
	return call(peer, Tattach, "44ss4", fid, NO_FID, "", "", uid);
}

static void serve(const char *words)
{
	char line[4096];

	snprintf(line, sizeof(line), "root=%s/export %s", top, words);
	peer = export_to_peer(&control, line);
	if (!peer)
		exit(tap_ok(0, "an export is made") + 1);
}

static void serve_linux(const char *words)
{
	serve(words);
	GIVES(65536, agree(peer, "9P2000.L", 65536));
	WORKS(attach(0, 0));
}

static void finish(void)
{
	peer_close(peer);
	close(control);
}

static bool data_is(const char *text)
{
	uint32_t length = (uint32_t)take(peer, 4);

	return length == strlen(text) && peer->size - peer->at == length &&
	       !memcmp(peer->in + peer->at, text, length);
}

/* ---- Versions, attaching, walking ---- */

static void test_versions(void)
{
	serve("");
	GIVES(131072, agree(peer, "9P2000.L", 1 << 20));
	WORKS(attach(0, 0));
	GIVES(8192, agree(peer, "9P2000.u", 8192)); /* a new session: all fids are gone */
	GIVES(-EBADF, clunk(0));
	GIVES(8192, agree(peer, "9P2000", 8192));
	WORKS(call(peer, Tversion, "4s", 8192, "9P2000.unheard-of"));
	take(peer, 4);
	TRUE(!strcmp(take_string(peer), "9P2000"));
	WORKS(call(peer, Tversion, "4s", 8192, "9P1984"));
	take(peer, 4);
	TRUE(!strcmp(take_string(peer), "unknown"));
	GIVES(-EPIPE, attach(0, 0)); /* nothing was agreed upon */
	finish();

	serve("msize=4096");
	GIVES(4096, agree(peer, "9P2000.L", 1 << 20));
	GIVES(-EOPNOTSUPP, call(peer, Tauth, "4ss4", 1, "", "", 0));
	GIVES(-EBADF, call(peer, Tattach, "44ss4", 0, 1, "", "", 0));
	GIVES(-EOPNOTSUPP, call(peer, Topen, "41", 0, 0)); /* of another dialect */
	GIVES(-ENOENT, call(peer, Tattach, "44ss4", 0, NO_FID, "", "nothing", 0));
	GIVES(-EXDEV, call(peer, Tattach, "44ss4", 0, NO_FID, "", "folder/../..", 0));
	GIVES(-ELOOP, call(peer, Tattach, "44ss4", 0, NO_FID, "", "out", 0));
	WORKS(call(peer, Tattach, "44ss4", 0, NO_FID, "", "/folder", 0));
	GIVES(-EBUSY, attach(0, 0));
	WORKS(walk1(0, 1, "inner"));
	WORKS(walk1(0, 2, "..")); /* stays where it is */
	WORKS(walk1(2, 3, "inner"));
	finish();
}

static void test_walks(void)
{
	struct qid qid;
	char name[300];

	serve_linux("");
	WORKS(call(peer, Twalk, "442ss", 0, 1, 2, "folder", "inner"));
	GIVES(2, take(peer, 2));
	qid = take_qid(peer);
	TRUE(qid.type == 0x80);
	qid = take_qid(peer);
	TRUE(qid.type == 0);
	WORKS(call(peer, Twalk, "442sss", 0, 2, 3, "folder", "nothing", "inner"));
	GIVES(1, take(peer, 2));
	GIVES(-EBADF, clunk(2)); /* it did not come to be */
	GIVES(-ENOENT, walk1(0, 2, "nothing"));
	GIVES(-EBUSY, walk1(0, 1, "file"));
	GIVES(-EBADF, walk1(9, 2, "file"));
	GIVES(-ENOTDIR, walk1(1, 2, "x"));
	GIVES(-EINVAL, walk1(0, 2, ""));
	GIVES(-EINVAL, walk1(0, 2, "."));
	GIVES(-EINVAL, walk1(0, 2, "folder/inner"));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	GIVES(-ENAMETOOLONG, walk1(0, 2, name));
	/* Nobody comes above the root, and no link is followed. */
	WORKS(call(peer, Twalk, "442sssss", 0, 2, 5, "..", "folder", "..", "..", "file"));
	GIVES(5, take(peer, 2));
	WORKS(clunk(2));
	WORKS(walk1(0, 2, "out"));
	take(peer, 2);
	TRUE(take_qid(peer).type == 0x02);
	GIVES(-ENOTDIR, walk1(2, 3, "passwd"));
	GIVES(-ELOOP, call(peer, Tlopen, "44", 2, 0));
	WORKS(call(peer, Treadlink, "4", 2));
	TRUE(!strcmp(take_string(peer), "/etc"));
	GIVES(-EINVAL, call(peer, Treadlink, "4", 1));
	/* A fid that moves itself. */
	WORKS(clone_fid(0, 3));
	WORKS(walk1(3, 3, "folder"));
	WORKS(walk1(3, 3, "inner"));
	WORKS(call(peer, Tlopen, "44", 3, 0));
	GIVES(-EBUSY, clone_fid(3, 3));
	GIVES(-EBUSY, call(peer, Tlopen, "44", 3, 0));
	WORKS(clunk(3));
	/* What is mounted within is exported, under qids of its own. */
	WORKS(walk1(0, 3, "mounted"));
	WORKS(walk1(3, 4, "below"));
	WORKS(clunk(4));
	WORKS(walk1(3, 4, ".."));
	WORKS(walk1(4, 5, "file"));
	finish();
}

/* A directory that is moved away does not lead out of the export. */
static void test_moved_away(void)
{
	WORKS(mkdir("export/goes", 0755));
	WORKS(mkdir("export/goes/deep", 0755));
	serve_linux("");
	WORKS(call(peer, Twalk, "442ss", 0, 1, 2, "goes", "deep"));
	WORKS(rename("export/goes", "gone"));
	GIVES(-ENOENT, walk1(1, 2, ".."));
	WORKS(clone_fid(1, 2));
	finish();
	WORKS(rmdir("gone/deep"));
	WORKS(rmdir("gone"));
}

/* ---- 9P2000.L: files ---- */

static void test_files(void)
{
	char big[70000];

	serve_linux("");
	WORKS(clone_fid(0, 1));
	WORKS(call(peer, Tlcreate, "4s444", 1, "made", O_RDWR | O_EXCL, 0640, 0));
	take_qid(peer);
	TRUE(take(peer, 4) > 60000);
	WORKS(call(peer, Twrite, "48d", 1, (uint64_t)0, 11, "hello world"));
	GIVES(11, take(peer, 4));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)6, 100));
	TRUE(data_is("world"));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)11, 100));
	TRUE(data_is(""));
	GIVES(-EINVAL, call(peer, Tread, "484", 1, ~(uint64_t)0, 100));
	WORKS(call(peer, Tfsync, "44", 1, 0));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, ~0U)); /* no more than fits */
	TRUE(data_is("hello world"));
	WORKS(clone_fid(0, 2));
	GIVES(-EEXIST, call(peer, Tlcreate, "4s444", 2, "made", O_RDWR | O_EXCL, 0640, 0));
	GIVES(-ELOOP, call(peer, Tlcreate, "4s444", 2, "out", O_RDWR, 0640, 0));
	GIVES(-EINVAL, call(peer, Tlcreate, "4s444", 2, "a/b", O_RDWR, 0640, 0));
	GIVES(-EINVAL, call(peer, Tlcreate, "4s444", 2, "..", O_RDWR, 0640, 0));
	WORKS(call(peer, Tlcreate, "4s444", 2, "made", O_WRONLY | O_TRUNC, 0640, 0));
	GIVES(-EBADF, call(peer, Tread, "484", 2, (uint64_t)0, 100));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, 100));
	TRUE(data_is(""));
	/* Removed, and open all the same; renamed, and open. */
	WORKS(call(peer, Twrite, "48d", 2, (uint64_t)0, 4, "gone"));
	WORKS(call(peer, Trenameat, "4s4s", 0, "made", 0, "moved"));
	GIVES(-ENOENT, walk1(0, 3, "made"));
	WORKS(call(peer, Tunlinkat, "4s4", 0, "moved", 0));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, 100));
	TRUE(data_is("gone"));
	WORKS(call(peer, Tgetattr, "48", 1, (uint64_t)0x7ff));
	WORKS(call(peer, Tsetattr,
		   "444448"
		   "8888",
		   1, 8, 0, 0, 0, (uint64_t)2, (uint64_t)0, (uint64_t)0, (uint64_t)0, (uint64_t)0));
	GIVES(-ENOENT, call(peer, Trename, "44s", 1, 0, "again"));
	WORKS(clunk(1));
	WORKS(clunk(2));
	GIVES(-EBADF, clunk(2));
	/* As much as a message carries. */
	memset(big, 'b', sizeof(big));
	WORKS(clone_fid(0, 1));
	WORKS(call(peer, Tlcreate, "4s444", 1, "big", O_RDWR, 0644, 0));
	WORKS(call(peer, Twrite, "48d", 1, (uint64_t)0, 65536 - 23, big));
	GIVES(65536 - 23, take(peer, 4));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, 70000));
	GIVES(65536 - 23, take(peer, 4));
	GIVES(-EPIPE, call(peer, Twrite, "48d", 1, (uint64_t)0, 65536 - 22, big)); /* one byte too many */
	finish();
	WORKS(unlink("export/big"));
}

static void test_kinds(void)
{
	struct stat st;

	serve_linux("");
	WORKS(call(peer, Tmkdir, "4s44", 0, "dir", 0751, 0));
	TRUE(take_qid(peer).type == 0x80);
	GIVES(-EEXIST, call(peer, Tmkdir, "4s44", 0, "dir", 0751, 0));
	WORKS(call(peer, Tsymlink, "4ss4", 0, "link", "to/nowhere", 0));
	TRUE(take_qid(peer).type == 0x02);
	GIVES(-ENOENT, call(peer, Tsymlink, "4ss4", 0, "none", "", 0));
	WORKS(call(peer, Tmknod, "4s4444", 0, "fifo", S_IFIFO | 0600, 0, 0, 0));
	WORKS(call(peer, Tmknod, "4s4444", 0, "null", S_IFCHR | 0666, 1, 3, 0));
	WORKS(call(peer, Tmknod, "4s4444", 0, "socket", S_IFSOCK | 0666, 0, 0, 7));
	GIVES(-EINVAL, call(peer, Tmknod, "4s4444", 0, "what", S_IFDIR | 0666, 0, 0, 0));
	WORKS(lstat("export/dir", &st));
	TRUE(st.st_mode == (S_IFDIR | 0751));
	WORKS(lstat("export/null", &st));
	TRUE(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	WORKS(lstat("export/socket", &st));
	TRUE(S_ISSOCK(st.st_mode) && st.st_gid == 7);
	/* A device and a pipe are read at the server. */
	WORKS(walk1(0, 1, "null"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDWR));
	WORKS(call(peer, Twrite, "48d", 1, (uint64_t)0, 3, "abc"));
	GIVES(3, take(peer, 4));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, 100));
	TRUE(data_is(""));
	WORKS(walk1(0, 2, "fifo"));
	WORKS(call(peer, Tlopen, "44", 2, O_RDWR));
	WORKS(call(peer, Twrite, "48d", 2, (uint64_t)0, 3, "abc"));
	WORKS(call(peer, Tread, "484", 2, (uint64_t)99, 100));
	TRUE(data_is("abc"));
	WORKS(walk1(0, 3, "socket"));
	GIVES(-ENXIO, call(peer, Tlopen, "44", 3, O_RDWR));
	/* Links and names. */
	WORKS(call(peer, Tlink, "44s", 0, 2, "second"));
	WORKS(lstat("export/second", &st));
	TRUE(S_ISFIFO(st.st_mode) && st.st_nlink == 2);
	GIVES(-EEXIST, call(peer, Tlink, "44s", 0, 2, "file"));
	WORKS(walk1(0, 4, "dir"));
	GIVES(-EPERM, call(peer, Tlink, "44s", 0, 4, "third"));
	WORKS(call(peer, Trename, "44s", 2, 4, "inside"));
	WORKS(access("export/dir/inside", F_OK));
	GIVES(-EINVAL, call(peer, Trenameat, "4s4s", 0, "dir", 4, "self"));
	GIVES(-ENOTEMPTY, call(peer, Tunlinkat, "4s4", 0, "dir", 0x200));
	GIVES(-EISDIR, call(peer, Tunlinkat, "4s4", 0, "dir", 0));
	GIVES(-ENOTDIR, call(peer, Tunlinkat, "4s4", 0, "null", 0x200));
	GIVES(-EINVAL, call(peer, Tunlinkat, "4s4", 0, "..", 0x200));
	GIVES(-EINVAL, call(peer, Tunlinkat, "4s4", 0, "null", 1));
	/* Tremove takes the fid, whatever happens. */
	WORKS(clone_fid(0, 5));
	GIVES(-EBUSY, call(peer, Tremove, "4", 5));
	GIVES(-EBADF, clunk(5));
	GIVES(-ENOTEMPTY, call(peer, Tremove, "4", 4));
	WORKS(call(peer, Tremove, "4", 2));
	WORKS(call(peer, Tunlinkat, "4s4", 0, "dir", 0x200));
	for (const char *const *name = (const char *const[]){ "link", "null", "socket", "second", NULL };
	     *name; name++)
		WORKS(call(peer, Tunlinkat, "4s4", 0, *name, 0));
	finish();
}

/* ---- 9P2000.L: attributes ---- */

static int set_attributes(unsigned int fid, unsigned int valid, unsigned int mode, unsigned int uid,
			  unsigned int gid, uint64_t size, uint64_t atime, uint64_t mtime)
{
	return call(peer, Tsetattr,
		    "44444"
		    "88888",
		    fid, valid, mode, uid, gid, size, atime, (uint64_t)1, mtime, (uint64_t)2);
}

static void test_attributes(void)
{
	struct statfs fs;
	struct stat st;
	uint64_t id;

	serve_linux("");
	WORKS(walk1(0, 1, "file"));
	WORKS(stat("export/file", &st));
	WORKS(call(peer, Tgetattr, "48", 1, (uint64_t)0x7ff));
	GIVES(0x7ff, take(peer, 8));
	id = take_qid(peer).path;
	TRUE(id == st.st_ino);
	GIVES(st.st_mode, take(peer, 4));
	GIVES(0, take(peer, 4));
	GIVES(0, take(peer, 4));
	GIVES(1, take(peer, 8));
	GIVES(0, take(peer, 8));
	GIVES(8, take(peer, 8));
	WORKS(set_attributes(1, 1, 04755, 0, 0, 0, 0, 0));
	WORKS(set_attributes(1, 2 | 4, 0, 12, 34, 0, 0, 0));
	WORKS(set_attributes(1, 8 | 0x20, 0, 0, 0, 3, 0, 0));
	WORKS(set_attributes(1, 0x10 | 0x20 | 0x80 | 0x100, 0, 0, 0, 0, 1000, 2000));
	WORKS(stat("export/file", &st));
	TRUE(st.st_mode == (S_IFREG | 0755) && st.st_uid == 12 && st.st_gid == 34 && st.st_size == 3);
	TRUE(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 1 && st.st_mtim.tv_sec == 2000 &&
	     st.st_mtim.tv_nsec == 2);
	WORKS(set_attributes(1, 0x20, 0, 0, 0, 0, 0, 0)); /* now */
	WORKS(stat("export/file", &st));
	TRUE(st.st_mtim.tv_sec > 2000 && st.st_atim.tv_sec == 1000);
	GIVES(-EINVAL, set_attributes(1, 8, 0, 0, 0, ~(uint64_t)0, 0, 0));
	WORKS(statfs("export", &fs));
	WORKS(call(peer, Tstatfs, "4", 0));
	GIVES(fs.f_type, (long)take(peer, 4));
	GIVES(fs.f_bsize, (long)take(peer, 4));
	/* In a directory there is no truncation. */
	GIVES(-EISDIR, set_attributes(0, 8, 0, 0, 0, 0, 0, 0));
	finish();
	WORKS(chown("export/file", 0, 0));
	WORKS(make_file("export/file", "contents"));
	WORKS(chmod("export/file", 0644));
}

static void test_xattrs(void)
{
	char value[64];

	serve_linux("");
	WORKS(walk1(0, 1, "file"));
	WORKS(clone_fid(1, 2));
	WORKS(call(peer, Txattrcreate, "4s84", 2, "user.colour", (uint64_t)5, 1));
	WORKS(call(peer, Twrite, "48d", 2, (uint64_t)0, 2, "gr"));
	GIVES(-EINVAL, call(peer, Twrite, "48d", 2, (uint64_t)1, 3, "een"));
	GIVES(-EINVAL, call(peer, Twrite, "48d", 2, (uint64_t)2, 4, "eens"));
	WORKS(call(peer, Twrite, "48d", 2, (uint64_t)2, 3, "een"));
	WORKS(clunk(2));
	GIVES(5, getxattr("export/file", "user.colour", value, sizeof(value)));
	WORKS(call(peer, Txattrwalk, "44s", 1, 2, "user.colour"));
	GIVES(5, take(peer, 8));
	WORKS(call(peer, Tread, "484", 2, (uint64_t)2, 100));
	TRUE(data_is("een"));
	WORKS(clunk(2));
	WORKS(call(peer, Txattrwalk, "44s", 1, 2, ""));
	GIVES(12, take(peer, 8));
	WORKS(call(peer, Tread, "484", 2, (uint64_t)0, 100));
	GIVES(12, take(peer, 4));
	WORKS(clunk(2));
	GIVES(-ENODATA, call(peer, Txattrwalk, "44s", 1, 2, "user.taste"));
	WORKS(clone_fid(1, 2));
	WORKS(call(peer, Txattrcreate, "4s84", 2, "user.colour", (uint64_t)5, 1 /* XATTR_CREATE */));
	WORKS(call(peer, Twrite, "48d", 2, (uint64_t)0, 5, "brown"));
	GIVES(-EEXIST, clunk(2));
	WORKS(clone_fid(1, 2));
	WORKS(call(peer, Txattrcreate, "4s84", 2, "user.colour", (uint64_t)5, 0));
	GIVES(-EINVAL, clunk(2)); /* not all was written */
	WORKS(clone_fid(1, 2));
	WORKS(call(peer, Txattrcreate, "4s84", 2, "user.colour", (uint64_t)0, 0));
	GIVES(-EBUSY, call(peer, Tlopen, "44", 2, 0));
	WORKS(clunk(2));
	errno = 0;
	TRUE(getxattr("export/file", "user.colour", value, sizeof(value)) < 0 && errno == ENODATA);
	GIVES(-E2BIG, call(peer, Txattrcreate, "4s84", 1, "user.x", (uint64_t)65537, 0));
	finish();
}

static int lock_fid(unsigned int fid, unsigned int type, unsigned int flags, uint64_t start,
		    uint64_t length, unsigned int process)
{
	int error = call(peer, Tlock, "414884s", fid, type, flags, start, length, process, "test");

	return error ? error : (int)take(peer, 1);
}

static void test_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open("export/file", O_RDWR);

	serve_linux("");
	WORKS(walk1(0, 1, "file"));
	GIVES(-EBADF, lock_fid(1, 1, 0, 0, 0, 10));
	WORKS(call(peer, Tlopen, "44", 1, O_RDWR));
	WORKS(walk1(0, 2, "file"));
	WORKS(call(peer, Tlopen, "44", 2, O_RDWR));
	GIVES(0, lock_fid(1, 1, 0, 0, 10, 10));
	GIVES(1, lock_fid(2, 1, 0, 5, 10, 11)); /* blocked */
	GIVES(0, lock_fid(2, 1, 0, 5, 10, 10)); /* the same process, by another fid */
	GIVES(0, lock_fid(2, 1, 0, 20, 10, 11));
	GIVES(-EINVAL, lock_fid(2, 7, 0, 20, 10, 11));
	WORKS(call(peer, Tgetlock, "41884s", 2, 1, (uint64_t)0, (uint64_t)4, 11, "test"));
	GIVES(1, take(peer, 1));
	GIVES(0, take(peer, 8));
	GIVES(15, take(peer, 8));
	GIVES(10, take(peer, 4));
	WORKS(call(peer, Tgetlock, "41884s", 2, 1, (uint64_t)100, (uint64_t)4, 12, "test"));
	GIVES(2, take(peer, 1));
	/* Processes here see them, too. */
	WORKS(fcntl(fd, F_GETLK, &lock));
	TRUE(lock.l_type == F_WRLCK && lock.l_start == 0 && lock.l_len == 15 && lock.l_pid == 10);
	/* What others have locked stays when a fid goes; what was locked through it does not. */
	WORKS(clunk(2));
	lock = (struct flock){ .l_type = F_WRLCK, .l_start = 20, .l_len = 10 };
	WORKS(fcntl(fd, F_SETLK, &lock));
	WORKS(walk1(0, 2, "file"));
	WORKS(call(peer, Tlopen, "44", 2, O_RDWR));
	GIVES(1, lock_fid(2, 0, 0, 25, 0, 11));
	/* One that waits, until it is there. */
	ask(peer, Tlock, 5, "414884s", 2, 0, 1, (uint64_t)25, (uint64_t)0, 11, "test");
	usleep(50000);
	lock.l_type = F_UNLCK;
	WORKS(fcntl(fd, F_SETLK, &lock));
	unsigned int tag;

	GIVES(Tlock + 1, answer(peer, &tag));
	GIVES(5, tag);
	GIVES(0, take(peer, 1));
	finish();
	for (int i = 0; i < 100 && (lock = (struct flock){ .l_type = F_WRLCK },
				   fcntl(fd, F_GETLK, &lock), lock.l_type != F_UNLCK);
	     i++)
		usleep(10000);
	TRUE(lock.l_type == F_UNLCK); /* with the connection all have gone */
	close(fd);
}

/* ---- Directories ---- */

#define MANY 300

static void test_readdir(void)
{
	unsigned char seen[MANY] = {};
	uint64_t offset = 0, half = 0;
	char name[32], half_name[32] = "";
	int count = 0, others = 0;

	WORKS(mkdir("export/many", 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "export/many/%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0644));
	}
	serve_linux("");
	WORKS(walk1(0, 1, "many"));
	GIVES(-EBADF, call(peer, Treaddir, "484", 1, (uint64_t)0, 1000));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY | O_DIRECTORY));
	GIVES(-EINVAL, call(peer, Treaddir, "484", 1, (uint64_t)0, 3));
	GIVES(-EISDIR, call(peer, Tread, "484", 1, (uint64_t)0, 1000));
	while (!call(peer, Treaddir, "484", 1, offset, 1000) && take(peer, 4)) {
		while (peer->at < peer->size) {
			take_qid(peer);
			offset = take(peer, 8);
			GIVES(1, take(peer, 1) == 8 || others < 2);
			const char *text = take_string(peer);

			if (*text == '.') {
				others++;
			} else {
				seen[atoi(text) % MANY]++;
				if (++count == MANY / 2)
					half = offset;
				else if (count == MANY / 2 + 1)
					snprintf(half_name, sizeof(half_name), "%s", text);
			}
		}
	}
	GIVES(MANY, count);
	GIVES(2, others);
	for (int i = 0; i < MANY; i++)
		others += seen[i] != 1;
	GIVES(2, others);
	/* An offset is good for ever. */
	WORKS(call(peer, Treaddir, "484", 1, half, 1000));
	take(peer, 4);
	take_qid(peer);
	take(peer, 9);
	TRUE(!strcmp(take_string(peer), half_name));
	WORKS(walk1(0, 2, "file"));
	WORKS(call(peer, Tlopen, "44", 2, O_RDONLY));
	GIVES(-ENOTDIR, call(peer, Treaddir, "484", 2, (uint64_t)0, 1000));
	GIVES(-ENOTDIR,
	      (clone_fid(0, 3), walk1(3, 3, "file"), call(peer, Tlopen, "44", 3, O_DIRECTORY)));
	finish();
}

/* ---- 9P2000 and 9P2000.u ---- */

struct stat_message {
	struct qid qid;
	uint32_t mode, atime, mtime, n_uid, n_gid;
	uint64_t length;
	const char *name, *uid, *gid, *extension;
};

static struct stat_message take_stat(void)
{
	struct stat_message stat = {};

	take(peer, 2 + 2 + 4); /* size, type, dev */
	stat.qid = take_qid(peer);
	stat.mode = (uint32_t)take(peer, 4);
	stat.atime = (uint32_t)take(peer, 4);
	stat.mtime = (uint32_t)take(peer, 4);
	stat.length = take(peer, 8);
	stat.name = take_string(peer);
	stat.uid = take_string(peer);
	stat.gid = take_string(peer);
	take_string(peer); /* muid */
	if (peer->has_numbers) {
		stat.extension = take_string(peer);
		stat.n_uid = (uint32_t)take(peer, 4);
		stat.n_gid = (uint32_t)take(peer, 4);
		take(peer, 4);
	}
	return stat;
}

/* Twstat with what is not ~0 or "". */
static int wstat(unsigned int fid, uint32_t mode, uint32_t mtime, uint64_t length, const char *name,
		 const char *gid, uint32_t n_gid)
{
	const char *format = peer->has_numbers ? "422241484448ssss"
						 "s444"
					       : "422241484448ssss";
	unsigned int size = 2 + 4 + 13 + 4 + 4 + 4 + 8 + 2 * 4 +
			    (unsigned int)(strlen(name) + strlen(gid)) +
			    (peer->has_numbers ? 2 + 12 : 0);

	return call(peer, Twstat, format, fid, size + 2, size, 0xffff, ~0U, 0xff, ~0U, ~(uint64_t)0,
		    mode, ~0U, mtime, length, name, "", gid, "", "", ~0U, n_gid, ~0U);
}

static int classic_attach(const char *name)
{
	return call(peer, Tattach, peer->has_numbers ? "44ss4" : "44ss", 0, NO_FID, name, "", ~0U);
}

static int create(unsigned int fid, const char *name, uint32_t perm, unsigned int mode,
		  const char *extension)
{
	return call(peer, Tcreate, peer->has_numbers ? "4s41s" : "4s41", fid, name, perm, mode,
		    extension);
}

/* What both have. */
static void test_classic(const char *version)
{
	struct stat_message stat;
	struct stat st;

	serve("");
	GIVES(8192, agree(peer, version, 8192));
	WORKS(classic_attach("root"));
	WORKS(walk1(0, 1, "file"));
	WORKS(call(peer, Tstat, "4", 1));
	take(peer, 2);
	stat = take_stat();
	TRUE(!strcmp(stat.name, "file") && stat.length == 8 && stat.mode == 0644 && stat.qid.type == 0);
	TRUE(!strcmp(stat.uid, "0") && peer->at == peer->size);
	WORKS(call(peer, Tstat, "4", 0));
	take(peer, 2);
	stat = take_stat();
	TRUE(!strcmp(stat.name, "/") && stat.mode == (0x80000000 | 0755));
	/* Opening. */
	WORKS(call(peer, Topen, "41", 1, 0));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)3, 100));
	TRUE(data_is("tents"));
	TRUE(call(peer, Twrite, "48d", 1, (uint64_t)0, 1, "x") < 0);
	WORKS(clunk(1));
	WORKS(walk1(0, 1, "file"));
	TRUE(call(peer, Topen, "41", 1, 3) < 0); /* not executable, even for root */
	TRUE(call(peer, Topen, "41", 1, 0x0c) < 0);
	WORKS(clunk(1));
	/* Creation. */
	WORKS(clone_fid(0, 1));
	WORKS(create(1, "new", 0666, 2 /* ORDWR */, ""));
	WORKS(call(peer, Twrite, "48d", 1, (uint64_t)0, 3, "abc"));
	WORKS(clunk(1));
	WORKS(clone_fid(0, 1));
	TRUE(create(1, "new", 0666, 2, "") < 0); /* it is there */
	WORKS(create(1, "sub", 0x80000000 | 0777, 0, ""));
	WORKS(call(peer, Tread, "484", 1, (uint64_t)0, 1000)); /* the fid is the new folder, open */
	TRUE(data_is(""));
	WORKS(clunk(1));
	/* Removed on clunk. */
	WORKS(clone_fid(0, 1));
	WORKS(create(1, "brief", 0644, 0x40 | 2, ""));
	WORKS(access("export/brief", F_OK));
	WORKS(clunk(1));
	FAILS(ENOENT, access("export/brief", F_OK));
	/* Wstat. */
	WORKS(walk1(0, 1, "new"));
	WORKS(wstat(1, 0600, 5000, 1, "renamed", "", ~0U));
	WORKS(lstat("export/renamed", &st));
	TRUE(st.st_mode == (S_IFREG | 0600) && st.st_size == 1 && st.st_mtime == 5000);
	WORKS(wstat(1, ~0U, ~0U, ~(uint64_t)0, "", "", ~0U));		       /* nothing: a sync */
	TRUE(wstat(1, 0x80000000 | 0755, ~0U, ~(uint64_t)0, "", "", ~0U) < 0); /* no folder can come of it */
	TRUE(wstat(1, ~0U, ~0U, ~(uint64_t)0, "file", "", ~0U) < 0); /* nor does it take a name that is taken */
	WORKS(wstat(1, ~0U, ~0U, ~(uint64_t)0, "", "77", ~0U));
	WORKS(lstat("export/renamed", &st));
	TRUE(st.st_gid == 77);
	WORKS(call(peer, Tremove, "4", 1));
	WORKS(rmdir("export/sub"));
	finish();
}

static void test_classic_directory(const char *version)
{
	unsigned char seen[MANY] = {};
	uint64_t offset = 0;
	int count = 0, wrong = 0;

	serve("");
	GIVES(8192, agree(peer, version, 8192));
	WORKS(classic_attach("0"));
	WORKS(walk1(0, 1, "many"));
	WORKS(call(peer, Topen, "41", 1, 0));
	TRUE(call(peer, Tread, "484", 1, (uint64_t)0, 10) < 0); /* not even one has room */
	for (int times = 0; times < 2; times++) {
		for (offset = 0; !call(peer, Tread, "484", 1, offset, 2000); offset += peer->size - 11) {
			if (!take(peer, 4))
				break;
			while (peer->at < peer->size) {
				struct stat_message stat = take_stat();

				seen[atoi(stat.name) % MANY]++;
				wrong += stat.length != 0 || stat.mode != 0644;
				count++;
			}
		}
	}
	GIVES(2 * MANY, count);
	for (int i = 0; i < MANY; i++)
		wrong += seen[i] != 2;
	GIVES(0, wrong);
	TRUE(call(peer, Tread, "484", 1, (uint64_t)5, 2000) < 0); /* where none begins */
	finish();
}

static void test_plain(void)
{
	serve("");
	GIVES(8192, agree(peer, "9P2000", 8192));
	WORKS(classic_attach("root"));
	GIVES(-1000, walk1(0, 1, "nothing"));
	TRUE(!strcmp(peer->error, "No such file or directory"));
	/* What is made gets no more than its folder allows. */
	WORKS(walk1(0, 1, "narrow"));
	WORKS(create(1, "x", 0666, 1, ""));
	WORKS(clunk(1));
	GIVES(S_IFREG | 0640, mode_of("export/narrow/x"));
	WORKS(unlink("export/narrow/x"));
	finish();
}

static void test_unix(void)
{
	struct stat_message stat;
	struct stat st;

	serve("");
	GIVES(8192, agree(peer, "9P2000.u", 8192));
	WORKS(classic_attach("root"));
	GIVES(-ENOENT, walk1(0, 1, "nothing"));
	WORKS(clone_fid(0, 1));
	WORKS(create(1, "link", 0x02000000 | 0777, 0, "some/where"));
	WORKS(call(peer, Tstat, "4", 1)); /* the fid is the link */
	take(peer, 2);
	stat = take_stat();
	TRUE(!strcmp(stat.name, "link") && !strcmp(stat.extension, "some/where") &&
	     (stat.mode & 0x02000000) && stat.qid.type == 0x02 && stat.n_uid == 0);
	WORKS(call(peer, Tremove, "4", 1));
	WORKS(clone_fid(0, 1));
	WORKS(create(1, "zero", 0x00800000 | 0666, 0, "c 1 5"));
	WORKS(call(peer, Tstat, "4", 1));
	take(peer, 2);
	stat = take_stat();
	TRUE(!strcmp(stat.extension, "c 1 5") && (stat.mode & 0x00800000));
	WORKS(lstat("export/zero", &st));
	TRUE(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5));
	WORKS(call(peer, Tremove, "4", 1));
	WORKS(clone_fid(0, 1));
	GIVES(-EINVAL, create(1, "zero", 0x00800000 | 0666, 0, "x 1 5"));
	WORKS(create(1, "fifo", 0x00200000 | 0666, 0, ""));
	WORKS(clunk(1));
	TRUE(S_ISFIFO(mode_of("export/fifo")));
	WORKS(walk1(0, 1, "fifo"));
	WORKS(clone_fid(0, 2));
	WORKS(create(2, "again", 0x01000000, 0, "1\n")); /* another name for fid 1 */
	WORKS(lstat("export/again", &st));
	TRUE(S_ISFIFO(st.st_mode) && st.st_nlink == 2);
	GIVES(-EBADF, create(2, "more", 0x01000000, 0, "77"));
	GIVES(-EINVAL, create(2, "more", 0x01000000, 0, "one"));
	WORKS(wstat(1, 0x00040000 | 0x00200000 | 0711, ~0U, ~(uint64_t)0, "", "", 55));
	WORKS(lstat("export/again", &st));
	TRUE(st.st_mode == (S_IFIFO | S_ISGID | 0711) && st.st_gid == 55);
	WORKS(unlink("export/again"));
	WORKS(unlink("export/fifo"));
	finish();
}

/* ---- Users ---- */

static int open_as(unsigned int uid, const char *name, unsigned int flags)
{
	int error = attach(1, uid);

	if (!error)
		error = walk1(1, 2, name);
	if (!error) {
		error = call(peer, Tlopen, "44", 2, flags);
		clunk(2);
	}
	clunk(1);
	return error;
}

static void test_users(void)
{
	struct stat st;

	WORKS(chown("export/secret", 1000, 1000));
	serve_linux("");
	WORKS(open_as(0, "secret", O_RDWR));
	WORKS(open_as(1000, "secret", O_RDWR));
	GIVES(-EACCES, open_as(1001, "secret", O_RDONLY));
	WORKS(open_as(1001, "file", O_RDONLY));
	GIVES(-EACCES, open_as(1001, "file", O_RDWR));
	WORKS(attach(1, 1000));
	GIVES(-EACCES, call(peer, Tmkdir, "4s44", 1, "not", 0755, 1000));
	WORKS(walk1(1, 1, "free"));
	WORKS(call(peer, Tmkdir, "4s44", 1, "mine", 0755, 1234));
	WORKS(stat("export/free/mine", &st));
	TRUE(st.st_uid == 1000 && st.st_gid == 1234);
	WORKS(walk1(1, 2, "mine"));
	GIVES(-EPERM, set_attributes(2, 2, 0, 1, 0, 0, 0, 0));
	WORKS(set_attributes(2, 1, 0700, 0, 0, 0, 0, 0));
	GIVES(-EPERM, call(peer, Tmknod, "4s4444", 2, "dev", S_IFCHR | 0666, 1, 3, 1000));
	finish();
	serve("squash=root anon=1000:1000");
	agree(peer, "9P2000.L", 65536);
	WORKS(open_as(0, "secret", O_RDWR));
	GIVES(-EACCES, open_as(0, "file", O_RDWR));
	GIVES(-EACCES, open_as(1001, "secret", O_RDWR));
	finish();
	serve("squash=all anon=1001");
	agree(peer, "9P2000.L", 65536);
	GIVES(-EACCES, open_as(0, "secret", O_RDONLY));
	GIVES(-EACCES, open_as(1000, "secret", O_RDONLY));
	WORKS(attach(1, 0));
	WORKS(walk1(1, 1, "free"));
	WORKS(call(peer, Tmkdir, "4s44", 1, "theirs", 0755, 0));
	WORKS(stat("export/free/theirs", &st));
	TRUE(st.st_uid == 1001 && st.st_gid == 1001);
	finish();
	serve("ro");
	agree(peer, "9P2000.L", 65536);
	WORKS(attach(0, 0));
	WORKS(walk1(0, 1, "file"));
	GIVES(-EROFS, call(peer, Tlopen, "44", 1, O_RDWR));
	GIVES(-EROFS, call(peer, Tlopen, "44", 1, O_TRUNC));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	GIVES(-EROFS, call(peer, Tmkdir, "4s44", 0, "not", 0755, 0));
	GIVES(-EROFS, set_attributes(1, 1, 0, 0, 0, 0, 0, 0));
	GIVES(-EROFS, call(peer, Tunlinkat, "4s4", 0, "file", 0));
	GIVES(-EROFS, call(peer, Tremove, "4", 1));
	GIVES(-EBADF, clunk(1));
	finish();
}

/* A name is what the export says; and who is asked for a name in 9P2000 is told so. */
static void test_names_of_users(void)
{
	struct stat_message stat;
	char line[4096];
	int length, ends[2];

	peer = calloc(1, sizeof(*peer));
	control = open("/dev/export", O_RDWR);
	socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
	length = snprintf(line, sizeof(line),
			  "user glenda 1000 50 60\nuser none 1001 1001\nexport fd=%d root=%s/export\n",
			  ends[1], top);
	GIVES(length, write(control, line, (size_t)length));
	close(ends[1]);
	peer->fd = ends[0];
	GIVES(8192, agree(peer, "9P2000", 8192));
	WORKS(classic_attach("glenda"));
	WORKS(walk1(0, 1, "secret"));
	WORKS(call(peer, Tstat, "4", 1));
	take(peer, 2);
	stat = take_stat();
	TRUE(!strcmp(stat.uid, "glenda"));
	WORKS(call(peer, Topen, "41", 1, 2));
	WORKS(walk1(0, 2, "group60"));
	WORKS(call(peer, Topen, "41", 2, 0));
	length = (int)read(control, line, sizeof(line) - 1);
	line[length > 0 ? length : 0] = '\0';
	TRUE(strstr(line, "9P2000 msize=8192 fids=3"));
	finish();
	control = open("/dev/export", O_RDWR);
	FAILS(EINVAL, write(control, "user x", 6));
	FAILS(EINVAL, write(control, "user x 1", 8));
	FAILS(EINVAL, write(control, "export root=/", 13));
	FAILS(EINVAL, write(control, "export fd=0", 11));
	FAILS(EBADF, write(control, "export fd=999 root=/", 20));
	FAILS(ENOENT, write(control, "export fd=0 root=/nowhere", 25));
	FAILS(EINVAL, write(control, "export fd=0 root=/ squash=some", 30));
	FAILS(EINVAL, write(control, "what", 4));
	GIVES(4, write(control, "wait", 4));
	close(control);
}

/* Without privilege all are who exports. */
static void user_exports(void)
{
	serve("");
	agree(peer, "9P2000.L", 65536);
	CHECK(open_as(0, "group60", O_RDONLY) == -EACCES);
	CHECK(open_as(0, "file", O_RDONLY) == 0);
	CHECK(open_as(0, "file", O_RDWR) == -EACCES);
	finish();
	control = open("/dev/export", O_RDWR);
	CHECK_FAILS(EPERM, write(control, "export fd=0 root=/ squash=all", 29));
	close(control);
}

/* ---- Many at once, and taken back ---- */

static void test_flush(void)
{
	unsigned int tag;
	int type, order[4] = {}, fd;

	WORKS(mkfifo("export/quiet", 0644));
	fd = open("export/quiet", O_RDWR);
	serve_linux("requests=4");
	WORKS(walk1(0, 1, "quiet"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	/* A read that waits, others that overtake it, and its end. */
	ask(peer, Tread, 10, "484", 1, (uint64_t)0, 100);
	WORKS(call(peer, Tgetattr, "48", 0, (uint64_t)0x7ff));
	ask(peer, Tflush, 11, "2", 10);
	type = answer(peer, &tag);
	TRUE(type == Tflush + 1 && tag == 11);
	/* Of nothing that is there. */
	WORKS(call(peer, Tflush, "2", 10));
	WORKS(call(peer, Tflush, "2", 1));
	/* Two for one: both are answered, in order. */
	ask(peer, Tread, 10, "484", 1, (uint64_t)0, 100);
	usleep(20000);
	ask(peer, Tflush, 11, "2", 10);
	ask(peer, Tflush, 12, "2", 10);
	for (int i = 0; i < 2; i++)
		order[i] = answer(peer, &tag) == Tflush + 1 ? (int)tag : -1;
	TRUE(order[0] == 11 && order[1] == 12);
	/* More than are served at once; the rest waits, and can be taken back, too. */
	for (unsigned int i = 0; i < 20; i++)
		ask(peer, Tread, 100 + i, "484", 1, (uint64_t)0, 1);
	ask(peer, Tgetattr, 50, "48", 0, (uint64_t)0x7ff);
	ask(peer, Tflush, 51, "2", 119);
	type = answer(peer, &tag);
	TRUE(type == Tflush + 1 && tag == 51);
	GIVES(20, write(fd, "01234567890123456789", 20));
	for (int i = 0; i < 20; i++) {
		type = answer(peer, &tag);
		if (!(type == Tread + 1 && tag >= 100 && tag < 119 && take(peer, 4) == 1) &&
		    !(type == Tgetattr + 1 && tag == 50))
			tap_ok(0, "answer %d has type %d and tag %u", i, type, tag);
	}
	/* A new session takes all of it back, without a word. */
	ask(peer, Tread, 10, "484", 1, (uint64_t)0, 100);
	GIVES(1, read(fd, order, 1)); /* what was left in the pipe */
	ask(peer, Tread, 10 + 1, "484", 1, (uint64_t)0, 100);
	GIVES(65536, agree(peer, "9P2000.L", 65536));
	GIVES(-EBADF, clunk(1));
	WORKS(attach(0, 0));
	finish();
	/* Who goes away leaves nothing behind, whatever waits. */
	serve_linux("requests=4");
	WORKS(walk1(0, 1, "quiet"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	for (unsigned int i = 0; i < 20; i++)
		ask(peer, Tread, 100 + i, "484", 1, (uint64_t)0, 1);
	close(peer->fd);
	GIVES(4, write(control, "wait", 4));
	free(peer);
	close(control);
	/* And so does who takes the export away. */
	serve_linux("requests=4");
	WORKS(walk1(0, 1, "quiet"));
	WORKS(call(peer, Tlopen, "44", 1, O_RDONLY));
	ask(peer, Tread, 10, "484", 1, (uint64_t)0, 1);
	close(control);
	GIVES(-1, answer(peer, &tag));
	peer_close(peer);
	close(fd);
	WORKS(unlink("export/quiet"));
}

static void test_limits(void)
{
	serve_linux("fids=3");
	WORKS(clone_fid(0, 1));
	WORKS(clone_fid(0, 2));
	GIVES(-EMFILE, clone_fid(0, 3));
	WORKS(clunk(1));
	WORKS(clone_fid(0, 3));
	GIVES(-EINVAL, (clunk(3), clone_fid(0, NO_FID)));
	finish();
}

/* Over two pipes, one in each direction; and a descriptor that does not wait. */
static void test_pipes(void)
{
	int to[2], from[2], length;
	char line[4096];

	peer = calloc(1, sizeof(*peer));
	control = open("/dev/export", O_RDWR);
	WORKS(pipe2(to, 0));
	WORKS(pipe2(from, O_NONBLOCK));
	length = snprintf(line, sizeof(line), "export fd=%d to=%d root=%s/export", to[0], from[1], top);
	GIVES(length, write(control, line, (size_t)length));
	close(to[0]);
	close(from[1]);
	fcntl(from[0], F_SETFL, 0);
	/* The client's descriptor for both is one of a child that copies. */
	static const char version[] = "\x15\0\0\0\x64\xff\xff\0\x20\0\0\x08\0"
				      "9P2000.L";

	GIVES(21, write(to[1], version, 21));
	GIVES(21, read(from[0], line, sizeof(line)));
	TRUE(line[4] == Tversion + 1 && !memcmp(line + 13, "9P2000.L", 8));
	close(to[1]);
	GIVES(4, write(control, "wait", 4));
	GIVES(0, read(from[0], line, sizeof(line)));
	close(from[0]);
	close(control);
	free(peer);
}

static void make_export(void)
{
	WORKS(mkdir("export", 0755));
	WORKS(chmod(".", 0755));
	WORKS(make_file("export/file", "contents"));
	WORKS(make_file("export/secret", "secret"));
	WORKS(chmod("export/secret", 0600));
	WORKS(make_file("export/group60", "group"));
	WORKS(chmod("export/group60", 0040));
	WORKS(chown("export/group60", 0, 60));
	WORKS(mkdir("export/folder", 0755));
	WORKS(make_file("export/folder/inner", "inner"));
	WORKS(mkdir("export/free", 0777));
	WORKS(chmod("export/free", 0777));
	WORKS(mkdir("export/narrow", 0750));
	WORKS(symlink("/etc", "export/out"));
	WORKS(mkdir("export/mounted", 0755));
	WORKS(mount("none", "export/mounted", "tmpfs", 0, NULL));
	WORKS(make_file("export/mounted/below", ""));
}

int main(void)
{
	if (access("/dev/export", F_OK))
		return 77;
	signal(SIGPIPE, SIG_IGN);
	begin();
	make_export();
	test_versions();
	test_walks();
	test_moved_away();
	test_files();
	test_kinds();
	test_attributes();
	test_xattrs();
	test_locks();
	test_readdir();
	test_classic("9P2000");
	test_classic("9P2000.u");
	test_classic_directory("9P2000");
	test_classic_directory("9P2000.u");
	test_plain();
	test_unix();
	test_users();
	test_names_of_users();
	GIVES(0, as_user(user_exports));
	test_flush();
	test_limits();
	test_pipes();
	WORKS(umount("export/mounted"));
	WORKS(system("rm -rf export"));
	return end();
}
