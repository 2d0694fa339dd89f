/* /proc/sys: what can be asked and set about the system, a value a file. */
#include <generated/version.h>
#include <kumo/mount.h>
#include <kumo/autoload.h>
#include <kumo/epoll.h>
#include <kumo/lease.h>
#include <kumo/oops.h>
#include <kumo/page.h>
#include <kumo/notify.h>
#include <kumo/pipe.h>
#include <kumo/printk.h>
#include <kumo/random.h>
#include <kumo/string.h>
#include <kumo/uts.h>
#include <kumo/vm.h>

#include "../../kernel/process.h"
#include <linux/mman.h>

#include "internal.h"

/* A file that shows a constant. */
#define CONSTANT(function, ...)                                                                    \
	static int function(struct text *text, void *unused)                                       \
	{                                                                                          \
		text_printf(text, __VA_ARGS__);                                                    \
		return 0;                                                                          \
	}

/* ---- kernel/ ---- */

CONSTANT(ostype_show, "Linux\n")
CONSTANT(osrelease_show, "%s\n", KUMO_RELEASE)
CONSTANT(version_text_show, "%s\n", KUMO_VERSION)
CONSTANT(pid_max_show, "%d\n", pid_max)
CONSTANT(threads_max_show, "%d\n", READ_ONCE(threads_max))
CONSTANT(groups_max_show, "%d\n", GROUPS_MAX)
CONSTANT(last_capability_show, "%d\n", CAP_LAST_CAP)
CONSTANT(overflow_id_show, "65534\n")
CONSTANT(core_pattern_show, "core\n")
CONSTANT(randomize_show, "2\n") /* the stack, mappings and the break: kernel/exec */
CONSTANT(arch_show, "x86_64\n")
CONSTANT(zero_show, "0\n")
CONSTANT(round_robin_show, "100\n") /* milliseconds */
CONSTANT(tainted_show, "%lu\n", taints())
CONSTANT(panic_show, "%lld\n", (long long)panic_timeout())
CONSTANT(console_levels_show, "%d\t%d\t%d\t%d\n", console_level, LOG_WARNING, LOG_EMERG + 1, LOG_DEBUG)

static int names_show(struct text *text, enum uts_name which)
{
	char name[UTS_LENGTH + 1];

	uts_get(which, name);
	text_printf(text, "%s\n", name);
	return 0;
}

static int host_show(struct text *text, void *unused)
{
	return names_show(text, UTS_HOST);
}

static int host_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return uts_set(UTS_HOST, words, length);
}

static int domain_show(struct text *text, void *unused)
{
	return names_show(text, UTS_DOMAIN);
}

static int domain_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return uts_set(UTS_DOMAIN, words, length);
}

/* A whole number between two bounds. */
static int integer_store(const char *words, int low, int high, int *value)
{
	s64 wanted;
	int error = parse_s64(words, 0, &wanted);

	if (error)
		return error;
	if (wanted < low || wanted > high)
		return -EINVAL;
	WRITE_ONCE(*value, (int)wanted);
	return 0;
}

static int pid_max_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 301, PID_LIMIT, &pid_max);
}

/* Only the first of the four numbers can be set. */
static int console_levels_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	if (words[0] < '1' || words[0] > '8' || (words[1] && words[1] != ' ' && words[1] != '\t'))
		return -EINVAL;
	WRITE_ONCE(console_level, words[0] - '0');
	return 0;
}

static int panic_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	s64 seconds;
	int error = parse_s64(words, 0, &seconds);

	if (error)
		return error;
	if (seconds < -0x80000000LL || seconds > 0x7fffffff)
		return -EINVAL;
	panic_set_timeout(seconds);
	return 0;
}

static int threads_max_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 20, PID_LIMIT, &threads_max);
}

static int modprobe_show(struct text *text, void *unused)
{
	text_printf(text, "%s\n", modprobe_path);
	return 0;
}

static int modprobe_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return strscpy(modprobe_path, words, sizeof(modprobe_path)) < 0 ? -EINVAL : 0;
}

/* ---- kernel/random/ ---- */

/* A random UUID (RFC 4122, version 4). */
static void uuid_make(u8 uuid[16])
{
	random_get(uuid, 16);
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
}

static void uuid_print(struct text *text, const u8 uuid[16])
{
	for (int i = 0; i < 16; i++)
		text_printf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid[i]);
	text_putc(text, '\n');
}

static int uuid_show(struct text *text, void *unused)
{
	u8 uuid[16];

	uuid_make(uuid);
	uuid_print(text, uuid);
	return 0;
}

static int boot_id_show(struct text *text, void *unused)
{
	static struct mutex lock = MUTEX_INIT(lock, "boot_id"); /* protects the others */
	static bool made;
	static u8 boot_id[16];

	mutex_lock(&lock);
	if (!made)
		uuid_make(boot_id);
	made = true;
	mutex_unlock(&lock);
	uuid_print(text, boot_id);
	return 0;
}

CONSTANT(entropy_show, "256\n")

static const struct pseudo_file random_files[] = {
	PSEUDO_TEXT("boot_id", 0444, boot_id_show),
	PSEUDO_TEXT("entropy_avail", 0444, entropy_show),
	PSEUDO_TEXT("poolsize", 0444, entropy_show),
	PSEUDO_TEXT("uuid", 0444, uuid_show),
	{},
};

static const struct pseudo_file kernel_files[] = {
	PSEUDO_TEXT("arch", 0444, arch_show),
	PSEUDO_TEXT("cap_last_cap", 0444, last_capability_show),
	PSEUDO_TEXT("core_pattern", 0444, core_pattern_show),
	PSEUDO_TEXT("core_uses_pid", 0444, zero_show),
	PSEUDO_TEXT("dmesg_restrict", 0444, zero_show),
	PSEUDO_CONTROL("domainname", 0644, domain_show, domain_store),
	PSEUDO_CONTROL("hostname", 0644, host_show, host_store),
	PSEUDO_CONTROL("modprobe", 0644, modprobe_show, modprobe_store),
	PSEUDO_TEXT("ngroups_max", 0444, groups_max_show),
	PSEUDO_TEXT("osrelease", 0444, osrelease_show),
	PSEUDO_TEXT("ostype", 0444, ostype_show),
	PSEUDO_TEXT("overflowgid", 0444, overflow_id_show),
	PSEUDO_TEXT("overflowuid", 0444, overflow_id_show),
	PSEUDO_CONTROL("panic", 0644, panic_show, panic_store),
	PSEUDO_TEXT("panic_on_oops", 0444, zero_show),
	PSEUDO_CONTROL("pid_max", 0644, pid_max_show, pid_max_store),
	PSEUDO_CONTROL("printk", 0644, console_levels_show, console_levels_store),
	PSEUDO_DIRECTORY("random", 0555, random_files),
	PSEUDO_TEXT("randomize_va_space", 0444, randomize_show),
	PSEUDO_TEXT("sched_rr_timeslice_ms", 0444, round_robin_show),
	PSEUDO_TEXT("sysrq", 0444, zero_show),
	PSEUDO_TEXT("tainted", 0444, tainted_show),
	PSEUDO_CONTROL("threads-max", 0644, threads_max_show, threads_max_store),
	PSEUDO_TEXT("version", 0444, version_text_show),
	{},
};

/* ---- vm/ ---- */

CONSTANT(overcommit_show, "%d\n", READ_ONCE(vm_overcommit))
CONSTANT(overcommit_ratio_show, "%d\n", READ_ONCE(vm_overcommit_ratio))
CONSTANT(map_count_show, "%d\n", READ_ONCE(vm_max_map_count))
CONSTANT(mmap_min_show, "%d\n", USER_MMAP_MIN)
CONSTANT(swappiness_show, "0\n")

static int overcommit_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, OVERCOMMIT_GUESS, OVERCOMMIT_NEVER, &vm_overcommit);
}

static int overcommit_ratio_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &vm_overcommit_ratio);
}

static int map_count_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 1 << 30, &vm_max_map_count);
}

/* As on Linux 1 to 3 say which caches; here they go together. For tests: what is free afterwards is all that can be. */
static int drop_caches_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	int which, error = integer_store(words, 1, 3, &which);

	return error ? error : memory_drop_caches();
}

static const struct pseudo_file vm_files[] = {
	PSEUDO_CONTROL("drop_caches", 0200, NULL, drop_caches_store),
	PSEUDO_CONTROL("max_map_count", 0644, map_count_show, map_count_store),
	PSEUDO_TEXT("mmap_min_addr", 0444, mmap_min_show),
	PSEUDO_TEXT("nr_hugepages", 0444, zero_show),
	PSEUDO_TEXT("oom_kill_allocating_task", 0444, zero_show),
	PSEUDO_CONTROL("overcommit_memory", 0644, overcommit_show, overcommit_store),
	PSEUDO_CONTROL("overcommit_ratio", 0644, overcommit_ratio_show, overcommit_ratio_store),
	PSEUDO_TEXT("panic_on_oom", 0444, zero_show),
	PSEUDO_TEXT("swappiness", 0444, swappiness_show),
	{},
};

/* ---- fs/ ---- */

CONSTANT(file_max_show, "9223372036854775807\n")
CONSTANT(descriptors_max_show, "1048576\n")
CONSTANT(pipe_max_show, "%u\n", pipe_max_size)

static int pipe_max_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	int wanted;
	int error = integer_store(words, PAGE_SIZE, 1 << 30, &wanted);

	if (!error)
		WRITE_ONCE(pipe_max_size, (unsigned int)wanted);
	return error;
}

CONSTANT(watches_show, "%d\n", READ_ONCE(epoll_watches_max))

static int watches_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &epoll_watches_max);
}

static const struct pseudo_file epoll_files[] = {
	PSEUDO_CONTROL("max_user_watches", 0644, watches_show, watches_store),
	{},
};

CONSTANT(inotify_instances_show, "%d\n", READ_ONCE(inotify_instances_max))
CONSTANT(inotify_watches_show, "%d\n", READ_ONCE(inotify_watches_max))
CONSTANT(inotify_events_show, "%d\n", READ_ONCE(inotify_events_max))

static int inotify_instances_store(const char *words, size_t length, void *unused,
				   const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &inotify_instances_max);
}

static int inotify_watches_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &inotify_watches_max);
}

static int inotify_events_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &inotify_events_max);
}

static const struct pseudo_file inotify_files[] = {
	PSEUDO_CONTROL("max_queued_events", 0644, inotify_events_show, inotify_events_store),
	PSEUDO_CONTROL("max_user_instances", 0644, inotify_instances_show, inotify_instances_store),
	PSEUDO_CONTROL("max_user_watches", 0644, inotify_watches_show, inotify_watches_store),
	{},
};

CONSTANT(lease_seconds_show, "%d\n", READ_ONCE(lease_break_seconds))
CONSTANT(leases_enabled_show, "%d\n", READ_ONCE(leases_enabled))
CONSTANT(one_show, "1\n")

static int lease_seconds_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 0x7fffffff, &lease_break_seconds);
}

static int leases_enabled_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 1, &leases_enabled);
}

CONSTANT(hardlinks_show, "%d\n", READ_ONCE(protected_hardlinks))
CONSTANT(symlinks_show, "%d\n", READ_ONCE(protected_symlinks))

static int hardlinks_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 1, &protected_hardlinks);
}

static int symlinks_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 0, 1, &protected_symlinks);
}

static int mount_max_show(struct text *text, void *unused)
{
	text_printf(text, "%d\n", mount_max);
	return 0;
}

static int mount_max_store(const char *words, size_t length, void *unused, const struct cred *cred)
{
	return integer_store(words, 1, 0x7fffffff, &mount_max);
}

static const struct pseudo_file fs_files[] = {
	PSEUDO_TEXT("dir-notify-enable", 0444, one_show),
	PSEUDO_DIRECTORY("epoll", 0555, epoll_files),
	PSEUDO_TEXT("file-max", 0444, file_max_show),
	PSEUDO_DIRECTORY("inotify", 0555, inotify_files),
	PSEUDO_CONTROL("lease-break-time", 0644, lease_seconds_show, lease_seconds_store),
	PSEUDO_CONTROL("leases-enable", 0644, leases_enabled_show, leases_enabled_store),
	PSEUDO_CONTROL("mount-max", 0644, mount_max_show, mount_max_store),
	PSEUDO_TEXT("nr_open", 0444, descriptors_max_show),
	PSEUDO_TEXT("overflowgid", 0444, overflow_id_show),
	PSEUDO_TEXT("overflowuid", 0444, overflow_id_show),
	PSEUDO_CONTROL("pipe-max-size", 0644, pipe_max_show, pipe_max_store),
	PSEUDO_TEXT("protected_fifos", 0444, zero_show),
	PSEUDO_CONTROL("protected_hardlinks", 0644, hardlinks_show, hardlinks_store),
	PSEUDO_TEXT("protected_regular", 0444, zero_show),
	PSEUDO_CONTROL("protected_symlinks", 0644, symlinks_show, symlinks_store),
	PSEUDO_TEXT("suid_dumpable", 0444, zero_show),
	{},
};

static const struct pseudo_file no_files[] = { {} };

const struct pseudo_file sysctl_files[] = {
	PSEUDO_DIRECTORY("fs", 0555, fs_files),
	PSEUDO_DIRECTORY("kernel", 0555, kernel_files),
	PSEUDO_DIRECTORY("net", 0555, no_files),
	PSEUDO_DIRECTORY("vm", 0555, vm_files),
	{},
};
