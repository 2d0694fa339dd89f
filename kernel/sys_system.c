/* System calls on the machine as a whole: its names, what it has, its end, its random numbers. */
#define LOG_PREFIX "reboot: "
#include <generated/version.h>
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/random.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <kumo/uts.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "process.h"

/* Names ------------------------------------------------------------------------------------------------------------ */

long sys_uname(struct new_utsname __user *to)
{
	struct new_utsname names = {
		.sysname = "Linux",
		.release = KUMO_RELEASE,
		.version = KUMO_VERSION,
		.machine = "x86_64",
	};

	uts_get(UTS_HOST, names.nodename);
	uts_get(UTS_DOMAIN, names.domainname);
	return copy_to_user(to, &names, sizeof(names)) ? -EFAULT : 0;
}

static long set_name(enum uts_name which, const char __user *from, int length)
{
	char name[UTS_LENGTH];

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (length < 0 || length > UTS_LENGTH)
		return -EINVAL;
	if (copy_from_user(name, from, (size_t)length))
		return -EFAULT;
	return uts_set(which, name, (size_t)length);
}

long sys_sethostname(const char __user *name, int length)
{
	return set_name(UTS_HOST, name, length);
}

long sys_setdomainname(const char __user *name, int length)
{
	return set_name(UTS_DOMAIN, name, length);
}

/* What it has -------------------------------------------------------------------------------------------------------- */

long sys_sysinfo(struct sysinfo __user *to)
{
	struct memory_info memory;
	struct sysinfo info;
	u64 loads[3];

	memset(&info, 0, sizeof(info));
	memory_info(&memory);
	sched_load_average(loads);
	info.uptime = (long)(time_monotonic_ns() / NSEC_PER_SEC);
	for (int i = 0; i < 3; i++)
		info.loads[i] = loads[i];
	info.totalram = memory.total_pages * PAGE_SIZE;
	info.freeram = memory.free_pages * PAGE_SIZE;
	info.procs = (u16)min(process_thread_count(), 0xffffU);
	info.mem_unit = 1;
	return copy_to_user(to, &info, sizeof(info)) ? -EFAULT : 0;
}

/* Its end ------------------------------------------------------------------------------------------------------------ */

long sys_reboot(unsigned int magic1, unsigned int magic2, unsigned int command,
		const char __user *argument)
{
	char how[256];

	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (magic1 != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch (command) {
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF:
		return 0; /* no key combination restarts the machine */
	case LINUX_REBOOT_CMD_POWER_OFF:
		pr_info("power off\n");
		arch_power_off();
	case LINUX_REBOOT_CMD_RESTART2:
		/* How to restart is the machine's business, but it must have been said. */
		if (strncpy_from_user(how, argument, sizeof(how)) < 0)
			return -EFAULT;
		__attribute__((fallthrough));
	case LINUX_REBOOT_CMD_RESTART:
		pr_info("restart\n");
		arch_reset();
	case LINUX_REBOOT_CMD_HALT:
		pr_info("halted\n");
		arch_halt();
	default:
		return -EINVAL;
	}
}

/* Random numbers ------------------------------------------------------------------------------------------------------ */

long sys_getrandom(void __user *to, size_t size, unsigned int flags)
{
	size_t done = 0;
	u8 bytes[256];

	if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
		return -EINVAL;
	if (!random_ready() && !(flags & GRND_INSECURE)) {
		int error = flags & GRND_NONBLOCK ? -EAGAIN : random_wait();

		if (error)
			return error;
	}
	size = min(size, (size_t)0x7fffffff);
	while (done < size) {
		size_t part = min(size - done, sizeof(bytes)), left;

		random_get(bytes, part);
		left = copy_to_user(to + done, bytes, part);
		done += part - left;
		if (left)
			break;
		if (done % PAGE_SIZE == 0 && done < size) {
			if (signal_pending())
				break;
			cond_resched();
		}
	}
	memset(bytes, 0, sizeof(bytes));
	return done || !size ? (long)done : -EFAULT;
}
