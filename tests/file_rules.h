/*
 * The rules that tests/file_rules.c checks. In each section the folder is empty at first; 1000 and 1001 are ordinary users.
 * The order is the kernel's own: which error comes first when several would fit is part of what programs see.
 */
#ifndef TESTS_FILE_RULES_H
#define TESTS_FILE_RULES_H

/* Something wrong with a path; each template of a section is tried with it in the place of its %. */
struct path_case {
	const char *who, *path, *error;
};

struct section {
	const char *name;
	int needs; /* features of the format */
	const char *const *lines;
	const struct path_case *cases;
	const char *const *templates;
	const char *const *after;
};

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- Paths ---- */

/* What every section about paths finds. */
#define PATHS                                                                                      \
	"root mkdir d 0755", "root open file O_CREAT|O_WRONLY 0644", "root mkdir locked 0700",     \
		"root open locked/f O_CREAT|O_WRONLY 0666", "root mkdir open 0777"

static const struct path_case cases_any[] = {
	{ "root", "file/x", "ENOTDIR" },
	{ "root", "file/../x", "ENOTDIR" },
	{ "root", "missing/x", "ENOENT" },
	{ "root", "{}", "ENOENT" },
	{ "root", "{256}", "ENAMETOOLONG" },
	{ "root", "d/{256}", "ENAMETOOLONG" },
	{ "root", "{256}/x", "ENAMETOOLONG" },
	{ "root", "{path_4096_x}", "ENAMETOOLONG" },
	{ "root", "{path_5000_x}", "ENAMETOOLONG" },
	{ "root", "{null}", "EFAULT" },
	{},
};

static const struct path_case cases_missing[] = {
	{ "root", "missing", "ENOENT" }, { "root", "{255}", "ENOENT" },
	{ "root", "d/{255}", "ENOENT" }, { "root", "{path_4095_x}", "ENOENT" },
	{ "root", "file/", "ENOTDIR" },	 {},
};

static const struct path_case cases_locked[] = {
	{ "1000", "locked/f", "EACCES" },
	{ "1000", "locked/new", "EACCES" },
	{ "1000", "locked/f/x", "EACCES" },
	{},
};

static const struct path_case cases_loops[] = {
	{ "root", "loop1/x", "ELOOP" },
	{ "root", "self/x", "ELOOP" },
	{},
};

static const struct path_case cases_loop_itself[] = {
	{ "root", "loop1", "ELOOP" },
	{ "root", "self", "ELOOP" },
	{ "root", "dangling", "ENOENT" },
	{},
};

/* In a folder where the user may not write. */
static const struct path_case cases_not_writable[] = {
	{ "1000", "d/new", "EACCES" },
	{ "1000", "new", "EACCES" },
	{},
};

static const struct path_case cases_not_removable[] = {
	{ "1000", "d/f", "EACCES" },
	{ "1000", "file", "EACCES" },
	{},
};

static const struct path_case cases_there[] = {
	{ "root", "file", "EEXIST" },
	{ "root", "d", "EEXIST" },
	{ "root", ".", "EEXIST" },
	{ "root", "d/..", "EEXIST" },
	{},
};

static const struct path_case cases_read_only[] = {
	{ "root", "ro/new", "EROFS" },
	{},
};

static const struct path_case cases_read_only_there[] = {
	{ "root", "ro/f", "EROFS" },
	{},
};

#define LOOKING                                                                                    \
	"stat %", "lstat %", "readlink %", "access % 0", "open % O_RDONLY", "open % O_PATH",       \
		"chdir %", "list %"
#define CHANGING                                                                                   \
	"chmod % 0644", "chown % - -", "lchown % - -", "truncate % 1", "utimens % now",            \
		"open % O_RDWR|O_TRUNC"
#define REMOVING "unlink %", "rmdir %", "rename % other", "exchange % file", "rename-new % other"
#define FOLLOWING                                                                                  \
	"stat %", "access % 0", "open % O_RDONLY", "open % O_RDWR", "chmod % 0644", "chown % - -", \
		"truncate % 1", "utimens % now", "chdir %", "list %"
#define MAKING "mkdir % 0755", "open % O_CREAT|O_EXCL|O_WRONLY 0644", "rename file %"
#define MAKING_LINKS "symlink x %", "link file %"
#define MAKING_SPECIAL "mkfifo % 0644", "mknod % 0600"

/* ---- Owners ---- */

static const char *const chmod_lines[] = {
	"1000 chmod file 0600 : EPERM",
	"root chown file 1000 1001",
	"1000 chmod file 0640",
	"root is file mode 0640",
	"1001 chmod file 0640 : EPERM",
	/* The group's bit goes if the group is not one's own. */
	"1000 chmod file 06755",
	"root is file mode 04755",
	"root chown file 1000 1000",
	"1000 chmod file 06755",
	"root is file mode 06755",
	"root chmod file 07777",
	"root is file mode 07777",
	"root chmod file 0170644",
	"root is file mode 0644",
	"root chown d 1000 1001",
	"1000 chmod d 03777",
	"root is d mode 01777",
	"root chmod d 02755",
	"root is d mode 02755",
	NULL,
};

static const char *const chown_lines[] = {
	"root chown file 1000 1000",
	"root is file owner 1000 1000",
	"1000 chown file 1001 - : EPERM",
	"1000 chown file - 1001 : EPERM",
	"1000 chown file 1000 1000",
	"1001 chown file 1001 1001 : EPERM",
	"1001 chown file - 1001 : EPERM",
	"root chown file 1000 1001",
	"1000 chown file - 1000",
	"root is file owner 1000 1000",
	"root chown file - 7",
	"root is file owner 1000 7",
	"root chown file 8 -",
	"root is file owner 8 7",
	/* What a program's bits mean goes with its owner. */
	"root chown file 1000 1000",
	"root chmod file 06755",
	"root chown file 1001 1001",
	"root is file mode 0755",
	"root chmod file 06644",
	"root chown file 1000 1000",
	"root is file mode 02644",
	"root chmod file 06755",
	"1000 chown file 1000 1000",
	"root is file mode 0755",
	"root chmod d 06755",
	"root chown d 1000 1000",
	"root is d mode 06755",
	NULL,
};

static const char *const suid_lines[] = {
	"root chmod file 06777",
	"1000 write file",
	"root is file mode 0777",
	"root chmod file 06777",
	"root write file",
	"root is file mode 06777",
	"root chmod file 06766",
	"1000 write file",
	"root is file mode 0766",
	"root chmod file 06777",
	"1000 truncate file 0",
	"root is file mode 0777",
	"root chmod file 06777",
	"root truncate file 10",
	"root is file mode 06777",
	"root chmod file 06777",
	"1000 open file O_WRONLY|O_TRUNC",
	"root is file mode 0777",
	NULL,
};

static const char *const create_lines[] = {
	"1000 open open/a O_CREAT|O_WRONLY 0666",
	"root is open/a owner 1000 1000",
	"root is open/a mode 0644",
	"1000 umask 077",
	"1000 mkdir open/b 0777",
	"root is open/b mode 0700",
	"root is open/b owner 1000 1000",
	"root umask 0",
	"1000 mkdir open/c 01777",
	"root is open/c mode 01777",
	"1000 open open/d O_CREAT|O_RDWR 06755",
	"root is open/d mode 06755",
	"1000 mkdir open/e 06755",
	"root is open/e mode 0755",
	/* A folder with the group's bit hands its group down. */
	"root chown open 0 1001",
	"root chmod open 02777",
	"root umask 022",
	"1000 open open/f O_CREAT|O_WRONLY 0666",
	"root is open/f owner 1000 1001",
	"1000 mkdir open/g 0755",
	"root is open/g owner 1000 1001",
	"root is open/g mode 02755",
	"1000 open open/h O_CREAT|O_WRONLY 02755",
	"root is open/h mode 0755",
	"1001 open open/i O_CREAT|O_WRONLY 02755",
	"root is open/i mode 02755",
	/* A new file may be opened for what its mode forbids. */
	"1000 open open/j O_CREAT|O_RDWR 0",
	"1000 open open/j O_RDWR : EACCES",
	"1000 open open/j O_CREAT|O_RDWR 0666 : EACCES",
	"root open open/j O_RDWR",
	NULL,
};

static const char *const open_lines[] = {
	"root chown file 1000 1001",
	"root chmod file 0640",
	"1000 open file O_RDWR",
	"1001 open file O_RDONLY",
	"1001 open file O_WRONLY : EACCES",
	"1001 open file O_RDONLY|O_TRUNC : EACCES",
	"1002 open file O_RDONLY : EACCES",
	"1002 open file O_PATH",
	"root chmod file 0066",
	"1000 open file O_RDONLY : EACCES",
	"1001 open file O_RDWR",
	"1002 open file O_RDWR",
	"root chmod file 0644",
	"1001 open file O_RDONLY|O_NOATIME : EPERM",
	"1000 open file O_RDONLY|O_NOATIME",
	"root open file O_RDONLY|O_DIRECTORY : ENOTDIR",
	"root open d O_WRONLY : EISDIR",
	"root open d O_RDWR : EISDIR",
	"root open d O_RDONLY|O_TRUNC : EISDIR",
	"root open d O_RDONLY|O_CREAT 0644 : EISDIR",
	"root open new/ O_RDWR|O_CREAT 0644 : EISDIR",
	"root open file O_CREAT|O_EXCL|O_RDWR 0644 : EEXIST",
	"root open d O_CREAT|O_EXCL 0644 : EEXIST",
	"1000 open d/new O_CREAT|O_RDWR 0644 : EACCES",
	"1000 open d O_TMPFILE|O_RDWR 0644 : EACCES",
	"root open file O_TMPFILE|O_RDWR 0644 : ENOTDIR",
	"root open d O_TMPFILE 0644 : EINVAL",
	"root chmod d 0311",
	"1000 open d O_RDONLY : EACCES",
	"1000 list d : EACCES",
	"1000 chdir d",
	"1000 stat d/missing : ENOENT",
	"root chmod d 0744",
	"1000 list d",
	"1000 chdir d : EACCES",
	"1000 stat d/missing : EACCES",
	/* Access looks at what the bits say, and for root at whether anybody may execute. */
	"root chmod file 0600",
	"root access file 7 : EACCES",
	"root access file 6",
	"root chmod file 0601",
	"root access file 7",
	"1002 access file 1",
	"1001 access file 4 : EACCES",
	"1001 access file 0",
	"root access file 8 : EINVAL",
	NULL,
};

static const char *const sticky_lines[] = {
	"root chmod open 01777",
	"1000 open open/a O_CREAT|O_WRONLY 0666",
	"1000 mkdir open/da 0777",
	"1001 unlink open/a : EPERM",
	"1001 rmdir open/da : EPERM",
	"1001 rename open/a open/b : EPERM",
	"1001 rename open/da open/db : EPERM",
	"1001 open open/c O_CREAT|O_WRONLY 0666",
	"1001 rename open/c open/a : EPERM",
	"1000 rename open/a open/c : EPERM",
	"1000 exchange open/a open/c : EPERM",
	"1000 rename open/a open/d",
	"1000 unlink open/d",
	"1000 rmdir open/da",
	/* The folder's owner may. */
	"root chown open 1000 1000",
	"1000 rename open/c open/e",
	"1000 unlink open/e",
	"1001 mkdir open/f 0755",
	"1000 rename open/f open/g",
	"1000 rmdir open/g",
	"root chown open 0 0",
	"root chmod open 0777",
	"1000 open open/h O_CREAT|O_WRONLY 0600",
	"1001 unlink open/h",
	NULL,
};

static const char *const move_lines[] = {
	/* A folder that moves to another parent must be writable itself, since its .. changes. */
	"root umask 0",
	"root mkdir open/x 0777",
	"root mkdir open/y 0777",
	"root mkdir open/x/own 0755",
	"1000 rename open/x/own open/y/own : EACCES",
	"1000 rename open/x/own open/x/other",
	"1000 mkdir open/x/mine 0555",
	"1000 rename open/x/mine open/y/mine : EACCES",
	"1000 chmod open/x/mine 0755",
	"1000 rename open/x/mine open/y/mine",
	"1000 open open/x/f O_CREAT|O_WRONLY 0600",
	"1000 rename open/x/f open/y/f",
	"1000 rename open/y/f d/f : EACCES",
	"1000 rename d open/d : EACCES",
	"1000 link open/y/f d/f : EACCES",
	NULL,
};

static const char *const utimens_lines[] = {
	"root chown file 1000 1000",
	"root chmod file 0666",
	"1001 utimens file now",
	"1001 utimens file set : EPERM",
	"1001 utimens file mixed : EPERM",
	"1001 utimens file omit",
	"1000 utimens file set",
	"root chmod file 0644",
	"1001 utimens file now : EACCES",
	"1001 utimens file omit",
	"1000 chmod file 0",
	"1000 utimens file now",
	"1000 utimens file set",
	"root utimens file wrong : EINVAL",
	"root utimens file set",
	NULL,
};

static const char *const truncate_lines[] = {
	"root chmod file 0644",
	"1000 truncate file 0 : EACCES",
	"root truncate file 100",
	"root is file size 100",
	"root truncate file -2 : EINVAL",
	"root truncate d 0 : EISDIR",
	"root chmod file 0666",
	"1000 truncate file 7",
	"root is file size 7",
	NULL,
};

/* ---- Kinds of files ---- */

static const char *const rename_lines[] = {
	"root mkdir d/sub 0755",
	"root mkdir e 0755",
	"root mkdir full 0755",
	"root open full/f O_CREAT|O_WRONLY 0644",
	"root rename d file : ENOTDIR",
	"root rename file d : EISDIR",
	"root rename d full : ENOTEMPTY",
	"root rename d d/sub : EINVAL",
	"root rename d d/sub/new : EINVAL",
	"root rename d/sub d : ENOTEMPTY",
	"root rename d d",
	"root rename file file",
	"root rename d/. new : EBUSY",
	"root rename d/sub/.. new : EBUSY",
	"root rename e/. new : EBUSY",
	"root rename file d/. : EBUSY",
	"root rename e d/.. : EBUSY",
	"root rename file new/ : ENOTDIR",
	"root rename file/ new : ENOTDIR",
	"root rename e/ new/",
	"root rename new e",
	"root rename full e",
	"root lstat e/f",
	"root rename-new e d : EEXIST",
	"root rename-new file e/f : EEXIST",
	"root rename-new e new",
	"root exchange new file",
	"root is new type -",
	"root is file type d",
	"root exchange new missing : ENOENT",
	"root exchange d d/sub : EINVAL",
	"root exchange d/sub d : EINVAL",
	"root rename new {255}",
	"root rename {255} {256} : ENAMETOOLONG",
	"root is {255} type -",
	"root is d links 3",
	"root rename d/sub moved",
	"root is d links 2",
	NULL,
};

static const char *const folder_lines[] = {
	"root mkdir d/sub 0755",
	"root rmdir d : ENOTEMPTY",
	"root rmdir d/. : EINVAL",
	"root rmdir d/sub/.. : ENOTEMPTY",
	"root rmdir file : ENOTDIR",
	"root unlink d : EISDIR",
	"root unlink file/ : ENOTDIR",
	"root unlink . : EISDIR",
	"root unlink d/.. : EISDIR",
	"root rmdir . : EINVAL",
	"root mkdir new/ 0755",
	"root mkdir new/ 0755 : EEXIST",
	"root mkdir {255} 0755",
	"root mkdir {255}/{255} 0755",
	"root rmdir {255} : ENOTEMPTY",
	"root rmdir {255}/{255}",
	"root rmdir {255}/",
	"root is new links 2",
	"root mkdir new/a 0755",
	"root is new links 3",
	"root rmdir new/a",
	"root is new links 2",
	"root rmdir new",
	NULL,
};

static const char *const link_lines[] = {
	"root link d new : EPERM",
	"root link file file : EEXIST",
	"root link file d : EEXIST",
	"root link missing new : ENOENT",
	"root link missing file : ENOENT",
	"root link file new",
	"root is new links 2",
	"root link new third",
	"root is file links 3",
	"root unlink file",
	"root is new links 2",
	"root rename new third",
	"root lstat new",
	"root symlink missing dangling",
	"root link dangling also",
	"root is also type l",
	"root is also links 2",
	"root symlink new s",
	"root symlink x s : EEXIST",
	"root symlink {} t : ENOENT",
	"root symlink {path_4095_x} t",
	"root is t size 4095",
	"root symlink {path_4096_x} u : ENAMETOOLONG",
	"root symlink {null} u : EFAULT",
	"root symlink x u/ : ENOENT",
	"root symlink x new/ : EEXIST",
	"root readlink new : EINVAL",
	"root readlink d : EINVAL",
	"root readlink s",
	"root open s O_RDONLY|O_NOFOLLOW : ELOOP",
	"root open s O_PATH|O_NOFOLLOW",
	"root open s O_CREAT|O_EXCL|O_WRONLY 0644 : EEXIST",
	"root open dangling O_CREAT|O_EXCL|O_WRONLY 0644 : EEXIST",
	"root open dangling O_RDWR : ENOENT",
	"root open dangling O_CREAT|O_RDWR 0644",
	"root is missing type -",
	"root mkdir dangling 0755 : EEXIST",
	"root symlink d sd",
	"root rmdir sd : ENOTDIR",
	"root rmdir sd/ : ENOTDIR",
	"root mkdir sd/in 0755",
	"root unlink sd/ : ENOTDIR",
	"root rename sd/ sd2 : ENOTDIR",
	"root unlink sd",
	"root lchown s 1000 1000",
	NULL,
};

/* What stands in the way of a hard link to another's file: fs.protected_hardlinks is off where nobody turned it on. */
static const char *const special_lines[] = {
	"root mkfifo p 0644",
	"root is p type p",
	"root mkfifo p 0644 : EEXIST",
	"root mknod c 0640",
	"root is c type c",
	"root is c mode 0640",
	"root mknod b 0640 b",
	"root is b type b",
	"1000 mknod open/c 0644 : EPERM",
	"1000 mkfifo open/p 0644",
	"root is open/p owner 1000 1000",
	"root open p O_WRONLY|O_NONBLOCK : ENXIO",
	"root open p O_RDONLY|O_NONBLOCK",
	"root truncate p 0 : EINVAL",
	"root truncate c 0 : EINVAL",
	"root open c O_RDWR",
	"root open c O_RDONLY|O_DIRECTORY : ENOTDIR",
	"root rename p d : EISDIR",
	"root rename d p : ENOTDIR",
	"root rename p c",
	"root is c type p",
	"root rmdir c : ENOTDIR",
	"root unlink c",
	NULL,
};

static const char *const busy_lines[] = {
	"root program prog",
	"root exec prog",
	"root run prog",
	"root open prog O_WRONLY : ETXTBSY",
	"root open prog O_RDWR : ETXTBSY",
	"root open prog O_RDONLY|O_TRUNC : ETXTBSY",
	"root truncate prog 0 : ETXTBSY",
	"root open prog O_RDONLY",
	"root chmod prog 0700",
	"root utimens prog now",
	"root rename prog moved",
	"root open moved O_WRONLY : ETXTBSY",
	"root unlink moved",
	"root stop",
	"root program prog",
	"root hold prog",
	"root exec prog : ETXTBSY",
	"root release",
	"root exec prog",
	"root chmod prog 0644",
	"root exec prog : EACCES",
	"root exec d : EACCES",
	"1000 chmod prog 0755 : EPERM",
	"root chmod prog 0700",
	"1000 exec prog : EACCES",
	NULL,
};

static const char *const mount_lines[] = {
	"root mkdir mounted 0755",
	"root open point O_CREAT|O_WRONLY 0644",
	"root bind d mounted",
	"root bind file point",
	"root rmdir mounted : EBUSY",
	"root rename mounted other : EBUSY",
	"root rename d mounted : EBUSY",
	"root unlink point : EBUSY",
	"root rename file point : EBUSY",
	"root rename file mounted/f : EXDEV",
	"root rename d mounted/d : EXDEV",
	"root open mounted/in O_CREAT|O_WRONLY 0644",
	"root is d/in type -",
	"root rename mounted/in in : EXDEV",
	"root unmount point",
	"root unmount mounted",
	"root rename d mounted",
	NULL,
};

static const char *const mount_link_lines[] = {
	"root mkdir mounted 0755",
	"root bind d mounted",
	"root link file mounted/f : EXDEV",
	"root unmount mounted",
	NULL,
};

#define READ_ONLY                                                                                  \
	"root mkdir ro 0755", "root open d/f O_CREAT|O_WRONLY 0666", "root mkdir d/sub 0777",      \
		"root bind d ro", "root read-only ro"
#define READ_ONLY_AFTER                                                                            \
	"root open ro/f O_RDONLY", "root open ro/f O_RDONLY|O_CREAT 0644",                         \
		"root open ro/f O_WRONLY : EROFS", "root open ro/f O_RDONLY|O_TRUNC : EROFS",      \
		"root open ro/new O_CREAT|O_WRONLY 0644 : EROFS",                                  \
		"root open ro/f O_CREAT|O_EXCL|O_WRONLY 0644 : EEXIST",                            \
		"root open ro/missing O_WRONLY : ENOENT", "root mkdir ro/f 0755 : EEXIST",         \
		"root access ro/f 2 : EROFS", "root access ro/f 4", "root rmdir ro/sub : EROFS",   \
		"root rename ro/f ro/g : EROFS", "root rename file ro/g : EXDEV",                  \
		"root utimens ro/f omit", "1000 open ro/f O_WRONLY : EROFS", "root unmount ro"

/* ---- Times ---- */

static const char *const times_lines[] = {
	"root mark",
	"root open d/a O_CREAT|O_WRONLY 0644",
	"root times d/a amc",
	"root times d mc",
	"root times file -",
	"root mark",
	"root write d/a",
	"root times d/a mc",
	"root times d -",
	"root mark",
	"root read d/a",
	"root times d/a a",
	"root mark",
	"root chmod d/a 0600",
	"root times d/a c",
	"root times d -",
	"root mark",
	"root chown d/a 1000 1000",
	"root times d/a c",
	"root mark",
	"root utimens d/a set",
	"root times d/a c",
	"root mark",
	"root utimens d/a omit",
	"root times d/a -",
	"root mark",
	"root utimens d/a now",
	"root times d/a amc",
	"root mark",
	"root truncate d/a 1000",
	"root times d/a mc",
	"root mark",
	"root open d/a O_WRONLY|O_TRUNC",
	"root times d/a mc",
	"root mark",
	"root open d/a O_WRONLY|O_TRUNC",
	"root times d/a mc",
	"root mark",
	"root rename d/a d/b",
	"root times d/b c",
	"root times d mc",
	"root mark",
	"root rename d/b open/b",
	"root times d mc",
	"root times open mc",
	"root mark",
	"root stat open/b",
	"root open open/b O_RDONLY",
	"root times open/b -",
	"root times open -",
	"root mark",
	"root list open",
	"root times open a",
	"root mark",
	"root mkdir d/sub 0755",
	"root times d mc",
	"root times d/sub amc",
	"root mark",
	"root rmdir d/sub",
	"root times d mc",
	"root mark",
	"root unlink open/b",
	"root times open mc",
	/* What fails changes nothing. */
	"root mark",
	"root mkdir d 0755 : EEXIST",
	"root open file O_CREAT|O_EXCL|O_WRONLY 0644 : EEXIST",
	"1000 chmod file 0666 : EPERM",
	"1000 truncate file 0 : EACCES",
	"1000 unlink d/f : EACCES",
	"root rename file d : EISDIR",
	"root times d -",
	"root times file -",
	NULL,
};

static const char *const link_times_lines[] = {
	"root mark",
	"root link file d/hard",
	"root times file c",
	"root times d mc",
	"root mark",
	"root unlink d/hard",
	"root times file c",
	"root times d mc",
	"root link file d/hard",
	"root open other O_CREAT|O_WRONLY 0644",
	"root mark",
	"root rename other d/hard",
	"root times file c",
	"root times d mc",
	"root mark",
	"root symlink file d/s",
	"root times d/s amc",
	"root times d mc",
	"root mark",
	"root lchown d/s 1000 1000",
	"root times d/s c",
	"root times file -",
	"root mark",
	"root mkfifo d/p 0644",
	"root times d/p amc",
	"root times d mc",
	NULL,
};

static const char *const xattr_lines[] = {
	"root mark",
	"root setxattr file user.name",
	"root times file c",
	"root mark",
	"root removexattr file user.name",
	"root times file c",
	"root removexattr file user.name : ENODATA",
	"root setxattr file nothing : EOPNOTSUPP",
	"root setxattr missing user.name : ENOENT",
	"1000 setxattr file user.name : EACCES",
	"1000 setxattr file trusted.name : EPERM",
	"root setxattr file trusted.name",
	"1000 removexattr file trusted.name : EPERM",
	"root setxattr file user. : EINVAL",
	"root setxattr file user.{255} : ERANGE",
	NULL,
};

static const struct section sections[] = {
	{ "paths that lead nowhere", 0, LINES(PATHS), cases_any,
	  LINES(LOOKING, CHANGING, REMOVING, MAKING) },
	{ "names that are not there", 0, LINES(PATHS), cases_missing, LINES(LOOKING, CHANGING) },
	{ "folders that may not be searched", OWNERS, LINES(PATHS), cases_locked,
	  LINES(LOOKING, CHANGING, REMOVING, MAKING) },
	{ "folders that may not be written: making", OWNERS, LINES(PATHS), cases_not_writable,
	  LINES("mkdir % 0755", "open % O_CREAT|O_WRONLY 0644", "rename open %") },
	{ "folders that may not be written: removing", OWNERS,
	  LINES(PATHS, "root open d/f O_CREAT|O_WRONLY 0666"), cases_not_removable,
	  LINES("unlink %", "rename % open/x", "rmdir %") },
	{ "names that are there", 0, LINES(PATHS), cases_there,
	  LINES("mkdir % 0755", "open % O_CREAT|O_EXCL|O_RDWR 0644") },
	{ "links that lead nowhere", LINKS,
	  LINES(PATHS, "root symlink loop2 loop1", "root symlink loop1 loop2", "root symlink self self"),
	  cases_loops, LINES(LOOKING, CHANGING, REMOVING, MAKING, MAKING_LINKS, MAKING_SPECIAL) },
	{ "links that end nowhere", LINKS,
	  LINES(PATHS, "root symlink loop2 loop1", "root symlink loop1 loop2",
		"root symlink self self", "root symlink missing dangling"),
	  cases_loop_itself, LINES(FOLLOWING) },
	{ "paths of links that lead nowhere", LINKS, LINES(PATHS), cases_any,
	  LINES("symlink x %", "link file %", "link % new") },
	{ "paths of special files that lead nowhere", SPECIAL, LINES(PATHS), cases_any,
	  LINES(MAKING_SPECIAL) },
	{ "special files and links that are there", LINKS | SPECIAL, LINES(PATHS), cases_there,
	  LINES(MAKING_SPECIAL, MAKING_LINKS) },
	{ "links where one may not write", LINKS | OWNERS, LINES(PATHS), cases_not_writable,
	  LINES("symlink x %", "mkfifo % 0644") },
	{ "a read-only mount: what is there", 0, LINES(PATHS, READ_ONLY), cases_read_only_there,
	  LINES("chmod % 0644", "chown % - -", "lchown % - -", "truncate % 1", "utimens % now",
		"unlink %", "rename % ro/x"),
	  LINES(READ_ONLY_AFTER) },
	{ "a read-only mount: new names", 0, LINES(PATHS, READ_ONLY), cases_read_only,
	  LINES("mkdir % 0755", "mkfifo % 0644", "symlink x %", "unlink %", "rmdir %"),
	  LINES("root link ro/f ro/new : EROFS", "root unmount ro") },
	{ "chmod", OWNERS, LINES(PATHS), NULL, NULL, chmod_lines },
	{ "chown", OWNERS, LINES(PATHS), NULL, NULL, chown_lines },
	{ "writing takes set-user-id away", OWNERS, LINES(PATHS), NULL, NULL, suid_lines },
	{ "new files' owners and modes", OWNERS, LINES(PATHS), NULL, NULL, create_lines },
	{ "open", OWNERS, LINES(PATHS), NULL, NULL, open_lines },
	{ "sticky folders", OWNERS, LINES(PATHS), NULL, NULL, sticky_lines },
	{ "folders that move", OWNERS, LINES(PATHS), NULL, NULL, move_lines },
	{ "utimensat", OWNERS, LINES(PATHS), NULL, NULL, utimens_lines },
	{ "truncate", OWNERS, LINES(PATHS), NULL, NULL, truncate_lines },
	{ "rename", 0, LINES(PATHS), NULL, NULL, rename_lines },
	{ "folders", 0, LINES(PATHS), NULL, NULL, folder_lines },
	{ "links", LINKS, LINES(PATHS), NULL, NULL, link_lines },
	{ "special files", SPECIAL, LINES(PATHS), NULL, NULL, special_lines },
	{ "programs that run", OWNERS, LINES(PATHS), NULL, NULL, busy_lines },
	{ "mount points", 0, LINES(PATHS), NULL, NULL, mount_lines },
	{ "links across mounts", LINKS, LINES(PATHS), NULL, NULL, mount_link_lines },
	{ "times", TIMES | OWNERS, LINES(PATHS, "root open d/f O_CREAT|O_WRONLY 0644"), NULL, NULL,
	  times_lines },
	{ "times of links", TIMES | LINKS | SPECIAL, LINES(PATHS), NULL, NULL, link_times_lines },
	{ "extended attributes", XATTRS | OWNERS, LINES(PATHS), NULL, NULL, xattr_lines },
};

#endif
