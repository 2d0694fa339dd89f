/* Credentials, in a process: the numbers and capabilities that a client's user has; nothing is counted by user. */
#include <kumo/cred.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>

struct cred root_cred = {
	.refs = { ATOMIC_INIT(1) },
	.cap_permitted = CAP_FULL_SET,
	.cap_effective = CAP_FULL_SET,
	.cap_bounding = CAP_FULL_SET,
};

void cred_put(const struct cred *cred)
{
	if (refcount_dec_and_test(&((struct cred *)cred)->refs))
		kfree(cred);
}

struct cred *cred_copy(const struct cred *cred, u32 group_count)
{
	struct cred *copy = kmalloc(sizeof(*copy) + group_count * sizeof(u32), GFP_KERNEL);
	u32 copied = min(group_count, cred->group_count);

	if (!copy)
		return NULL;
	*copy = *cred;
	memcpy(copy->groups, cred->groups, copied * sizeof(u32));
	refcount_set(&copy->refs, 1);
	copy->group_count = group_count;
	return copy;
}

int cred_set_uid(struct cred *cred, u32 uid)
{
	cred->uid = uid;
	return 0;
}

bool cred_in_group(const struct cred *cred, u32 gid)
{
	if (gid == cred->fsgid)
		return true;
	for (u32 i = 0; i < cred->group_count; i++)
		if (cred->groups[i] == gid)
			return true;
	return false;
}

bool capable(int capability)
{
	return cred_capable(current->cred, capability);
}
