/* System calls on credentials: user and group ids, supplementary groups, capabilities. credentials(7), capabilities(7). */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/uaccess.h>
#include <linux/securebits.h>

#include "process.h"

#define UNCHANGED ((u32)-1)

/* Capabilities that stand for what user 0 may do with files. */
#define CAP_FILE_SET                                                                               \
	(1ULL << CAP_CHOWN | 1ULL << CAP_MKNOD | 1ULL << CAP_DAC_OVERRIDE |                        \
	 1ULL << CAP_DAC_READ_SEARCH | 1ULL << CAP_FOWNER | 1ULL << CAP_FSETID |                   \
	 1ULL << CAP_LINUX_IMMUTABLE | 1ULL << CAP_MAC_OVERRIDE)

static struct cred *prepare(void)
{
	return cred_copy(current->cred, current->cred->group_count);
}

/* Leaving and entering user 0 changes capabilities, unless securebits say otherwise. */
static void adjust_capabilities(struct cred *cred, const struct cred *old)
{
	bool was_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool is_root = cred->uid == 0 || cred->euid == 0 || cred->suid == 0;

	if (old->securebits & (1 << SECURE_NO_SETUID_FIXUP))
		return;
	if (was_root && !is_root) {
		if (!(old->securebits & (1 << SECURE_KEEP_CAPS)))
			cred->cap_permitted = cred->cap_effective = 0;
		cred->cap_ambient = 0;
	}
	if (old->euid == 0 && cred->euid != 0)
		cred->cap_effective = 0;
	if (old->euid != 0 && cred->euid == 0)
		cred->cap_effective = cred->cap_permitted;
}

/* A user with too many threads may not get more by taking another's place; but few programs look whether setuid(2) failed,
 * so it is exec that does. */
static void note_thread_limit(const struct cred *cred)
{
	if (cred->uid && user_over_thread_limit(cred))
		current->flags |= THREAD_FLAG_OVER_LIMIT;
	else
		current->flags &= ~(unsigned int)THREAD_FLAG_OVER_LIMIT;
}

static long commit_uids(struct cred *cred)
{
	if (cred->user != current->cred->user)
		note_thread_limit(cred);
	cred->fsuid = cred->euid;
	adjust_capabilities(cred, current->cred);
	cred_commit(cred);
	return 0;
}

static long refuse(struct cred *cred, long error)
{
	cred_put(cred);
	return error;
}

long sys_getuid(void)
{
	return current->cred->uid;
}

long sys_geteuid(void)
{
	return current->cred->euid;
}

long sys_getgid(void)
{
	return current->cred->gid;
}

long sys_getegid(void)
{
	return current->cred->egid;
}

long sys_setuid(u32 uid)
{
	const struct cred *old = current->cred;
	struct cred *cred;

	if (uid == UNCHANGED)
		return -EINVAL;
	cred = prepare();
	if (!cred)
		return -ENOMEM;
	if (cred_capable(old, CAP_SETUID)) {
		cred->suid = uid;
		if (cred_set_uid(cred, uid))
			return refuse(cred, -EAGAIN);
	} else if (uid != old->uid && uid != old->suid) {
		return refuse(cred, -EPERM);
	}
	cred->euid = uid;
	return commit_uids(cred);
}

long sys_setreuid(u32 ruid, u32 euid)
{
	const struct cred *old = current->cred;
	bool privileged = cred_capable(old, CAP_SETUID);
	struct cred *cred = prepare();

	if (!cred)
		return -ENOMEM;
	if (!privileged &&
	    ((ruid != UNCHANGED && ruid != old->uid && ruid != old->euid) ||
	     (euid != UNCHANGED && euid != old->uid && euid != old->euid && euid != old->suid)))
		return refuse(cred, -EPERM);
	if (ruid != UNCHANGED && cred_set_uid(cred, ruid))
		return refuse(cred, -EAGAIN);
	if (euid != UNCHANGED)
		cred->euid = euid;
	if (ruid != UNCHANGED || (euid != UNCHANGED && euid != old->uid))
		cred->suid = cred->euid;
	return commit_uids(cred);
}

static bool uid_known(const struct cred *cred, u32 uid)
{
	return uid == UNCHANGED || uid == cred->uid || uid == cred->euid || uid == cred->suid;
}

long sys_setresuid(u32 ruid, u32 euid, u32 suid)
{
	const struct cred *old = current->cred;
	struct cred *cred = prepare();

	if (!cred)
		return -ENOMEM;
	if (!cred_capable(old, CAP_SETUID) &&
	    !(uid_known(old, ruid) && uid_known(old, euid) && uid_known(old, suid)))
		return refuse(cred, -EPERM);
	if (ruid != UNCHANGED && cred_set_uid(cred, ruid))
		return refuse(cred, -EAGAIN);
	if (euid != UNCHANGED)
		cred->euid = euid;
	if (suid != UNCHANGED)
		cred->suid = suid;
	return commit_uids(cred);
}

long sys_getresuid(u32 __user *ruid, u32 __user *euid, u32 __user *suid)
{
	const struct cred *cred = current->cred;

	return put_user(cred->uid, ruid) || put_user(cred->euid, euid) || put_user(cred->suid, suid)
		       ? -EFAULT
		       : 0;
}

long sys_setgid(u32 gid)
{
	const struct cred *old = current->cred;
	struct cred *cred;

	if (gid == UNCHANGED)
		return -EINVAL;
	cred = prepare();
	if (!cred)
		return -ENOMEM;
	if (cred_capable(old, CAP_SETGID))
		cred->gid = cred->sgid = gid;
	else if (gid != old->gid && gid != old->sgid)
		return refuse(cred, -EPERM);
	cred->egid = cred->fsgid = gid;
	cred_commit(cred);
	return 0;
}

long sys_setregid(u32 rgid, u32 egid)
{
	const struct cred *old = current->cred;
	struct cred *cred = prepare();

	if (!cred)
		return -ENOMEM;
	if (!cred_capable(old, CAP_SETGID) &&
	    ((rgid != UNCHANGED && rgid != old->gid && rgid != old->egid) ||
	     (egid != UNCHANGED && egid != old->gid && egid != old->egid && egid != old->sgid)))
		return refuse(cred, -EPERM);
	if (rgid != UNCHANGED)
		cred->gid = rgid;
	if (egid != UNCHANGED)
		cred->egid = egid;
	if (rgid != UNCHANGED || (egid != UNCHANGED && egid != old->gid))
		cred->sgid = cred->egid;
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

static bool gid_known(const struct cred *cred, u32 gid)
{
	return gid == UNCHANGED || gid == cred->gid || gid == cred->egid || gid == cred->sgid;
}

long sys_setresgid(u32 rgid, u32 egid, u32 sgid)
{
	const struct cred *old = current->cred;
	struct cred *cred = prepare();

	if (!cred)
		return -ENOMEM;
	if (!cred_capable(old, CAP_SETGID) &&
	    !(gid_known(old, rgid) && gid_known(old, egid) && gid_known(old, sgid)))
		return refuse(cred, -EPERM);
	if (rgid != UNCHANGED)
		cred->gid = rgid;
	if (egid != UNCHANGED)
		cred->egid = egid;
	if (sgid != UNCHANGED)
		cred->sgid = sgid;
	cred->fsgid = cred->egid;
	cred_commit(cred);
	return 0;
}

long sys_getresgid(u32 __user *rgid, u32 __user *egid, u32 __user *sgid)
{
	const struct cred *cred = current->cred;

	return put_user(cred->gid, rgid) || put_user(cred->egid, egid) || put_user(cred->sgid, sgid)
		       ? -EFAULT
		       : 0;
}

/* These two answer with what the id was, and never with an error. */
long sys_setfsuid(u32 uid)
{
	const struct cred *old = current->cred;
	u32 was = old->fsuid;
	struct cred *cred;

	if (uid == UNCHANGED || uid == was || (!uid_known(old, uid) && !cred_capable(old, CAP_SETUID)))
		return was;
	cred = prepare();
	if (!cred)
		return was;
	cred->fsuid = uid;
	if (!(old->securebits & (1 << SECURE_NO_SETUID_FIXUP))) {
		if (was == 0 && uid != 0)
			cred->cap_effective &= ~CAP_FILE_SET;
		if (was != 0 && uid == 0)
			cred->cap_effective |= cred->cap_permitted & CAP_FILE_SET;
	}
	cred_commit(cred);
	return was;
}

long sys_setfsgid(u32 gid)
{
	const struct cred *old = current->cred;
	u32 was = old->fsgid;
	struct cred *cred;

	if (gid == UNCHANGED || gid == was || (!gid_known(old, gid) && !cred_capable(old, CAP_SETGID)))
		return was;
	cred = prepare();
	if (!cred)
		return was;
	cred->fsgid = gid;
	cred_commit(cred);
	return was;
}

/* Supplementary groups ---------------------------------------------------------------------------------------------- */

long sys_getgroups(int size, u32 __user *to)
{
	const struct cred *cred = current->cred;

	if (size < 0)
		return -EINVAL;
	if (size) {
		if ((u32)size < cred->group_count)
			return -EINVAL;
		if (copy_to_user(to, cred->groups, cred->group_count * sizeof(u32)))
			return -EFAULT;
	}
	return cred->group_count;
}

static void sift_down(u32 *values, u32 root, u32 count)
{
	for (u32 child; (child = 2 * root + 1) < count; root = child) {
		u32 value = values[root];

		if (child + 1 < count && values[child + 1] > values[child])
			child++;
		if (value >= values[child])
			return;
		values[root] = values[child];
		values[child] = value;
	}
}

/* Heap sort: no recursion, no worst case. */
void cred_sort_groups(u32 *values, u32 count)
{
	for (u32 i = count / 2; i-- > 0;)
		sift_down(values, i, count);
	for (u32 i = count; i-- > 1;) {
		u32 largest = values[0];

		values[0] = values[i];
		values[i] = largest;
		sift_down(values, 0, i);
	}
}
EXPORT_SYMBOL(cred_sort_groups);

long sys_setgroups(int size, const u32 __user *from)
{
	struct cred *cred;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if (size < 0 || size > GROUPS_MAX)
		return -EINVAL;
	cred = cred_copy(current->cred, (u32)size);
	if (!cred)
		return -ENOMEM;
	if (copy_from_user(cred->groups, from, (size_t)size * sizeof(u32)))
		return refuse(cred, -EFAULT);
	for (int i = 0; i < size; i++) {
		if (cred->groups[i] == UNCHANGED)
			return refuse(cred, -EINVAL);
	}
	cred_sort_groups(cred->groups, (u32)size);
	cred_commit(cred);
	return 0;
}

/* Capabilities ---------------------------------------------------------------------------------------------------- */

/* How many 32-bit words of each set this version of the interface has. On an unknown one the kernel tells its own. */
static long header_words(struct __user_cap_header_struct __user *header, unsigned int *words)
{
	u32 version;

	if (get_user(version, user_member(header, version)))
		return -EFAULT;
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		*words = 1;
		return 0;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		*words = 2;
		return 0;
	default:
		return put_user((u32)_LINUX_CAPABILITY_VERSION_3, user_member(header, version))
			       ? -EFAULT
			       : -EINVAL;
	}
}

long sys_capget(struct __user_cap_header_struct __user *header, struct __user_cap_data_struct __user *to)
{
	struct __user_cap_data_struct data[2];
	const struct cred *cred = current->cred;
	struct thread *thread = NULL;
	unsigned int words;
	int pid;
	long error = header_words(header, &words);

	if (!to)
		return error == -EINVAL ? 0 : error;
	if (error)
		return error;
	if (get_user(pid, user_member(header, pid)))
		return -EFAULT;
	if (pid < 0)
		return -EINVAL;
	if (pid && pid != current->pid) {
		thread = thread_find(pid);
		if (!thread)
			return -ESRCH;
	}
	rcu_read_lock();
	if (thread)
		cred = rcu_dereference(thread->cred);
	for (unsigned int i = 0; i < 2; i++) {
		data[i].effective = (u32)(cred->cap_effective >> 32 * i);
		data[i].permitted = (u32)(cred->cap_permitted >> 32 * i);
		data[i].inheritable = (u32)(cred->cap_inheritable >> 32 * i);
	}
	rcu_read_unlock();
	if (thread)
		thread_put(thread);
	return copy_to_user(to, data, words * sizeof(*data)) ? -EFAULT : 0;
}

long sys_capset(struct __user_cap_header_struct __user *header,
		const struct __user_cap_data_struct __user *from)
{
	struct __user_cap_data_struct data[2] = {};
	const struct cred *old = current->cred;
	u64 effective, permitted, inheritable;
	struct cred *cred;
	unsigned int words;
	int pid;
	long error = header_words(header, &words);

	if (error)
		return error;
	if (get_user(pid, user_member(header, pid)))
		return -EFAULT;
	if (pid && pid != current->pid)
		return -EPERM; /* one's own only */
	if (copy_from_user(data, from, words * sizeof(*data)))
		return -EFAULT;
	effective = (data[0].effective | (u64)data[1].effective << 32) & CAP_FULL_SET;
	permitted = (data[0].permitted | (u64)data[1].permitted << 32) & CAP_FULL_SET;
	inheritable = (data[0].inheritable | (u64)data[1].inheritable << 32) & CAP_FULL_SET;
	if (permitted & ~old->cap_permitted || effective & ~permitted)
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	if (!cred_capable(old, CAP_SETPCAP) && inheritable & ~(old->cap_inheritable | old->cap_permitted))
		return -EPERM;
	cred = prepare();
	if (!cred)
		return -ENOMEM;
	cred->cap_effective = effective;
	cred->cap_permitted = permitted;
	cred->cap_inheritable = inheritable;
	cred->cap_ambient &= permitted & inheritable;
	cred_commit(cred);
	return 0;
}
