/*
 * Credentials and the counters of users.
 *
 * A struct cred never changes while more than its maker can see it, so readers need no lock: a thread's own credentials
 * are stable under its feet, those of another thread are looked at under rcu_read_lock() and freed after a grace period.
 * Users are found by number in a hash table and live as long as credentials name them.
 */
#include <kumo/cred.h>
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#include "process.h"

#define USER_BUCKETS 64

/* Protects the chains and the step of a count from zero. Taken with interrupts off: signals are counted there. */
static spinlock_t users_lock = SPINLOCK_INIT("users");
static struct hlist users[USER_BUCKETS];

/* It has one reference of its own, and is never freed. */
static struct user root_user = { .refs = { ATOMIC_INIT(2) } };

struct cred root_cred = {
	.refs = { ATOMIC_INIT(1) },
	.cap_permitted = CAP_FULL_SET,
	.cap_effective = CAP_FULL_SET,
	.cap_bounding = CAP_FULL_SET,
	.user = &root_user,
};
EXPORT_SYMBOL(root_cred);

static struct user *user_find(u32 uid)
{
	struct user *user;

	hlist_for_each(user, &users[uid % USER_BUCKETS], hash_link) {
		if (user->uid == uid)
			return user;
	}
	return NULL;
}

/* The user with this number, referenced; NULL: no memory. */
static struct user *user_get(u32 uid)
{
	struct user *fresh = NULL;

	if (uid == 0) {
		refcount_inc(&root_user.refs);
		return &root_user;
	}
	for (;;) {
		unsigned long flags = spin_lock_irqsave(&users_lock);
		struct user *user = user_find(uid);

		if (user) {
			refcount_inc(&user->refs);
		} else if (fresh) {
			hlist_add(&users[uid % USER_BUCKETS], &fresh->hash_link);
			user = fresh;
			fresh = NULL;
		}
		spin_unlock_irqrestore(&users_lock, flags);
		if (user) {
			kfree(fresh);
			return user;
		}
		fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
		if (!fresh)
			return NULL;
		fresh->uid = uid;
		refcount_set(&fresh->refs, 1);
	}
}

void user_put(struct user *user)
{
	int refs = refcount_read(&user->refs);
	unsigned long flags;
	bool last;

	while (refs > 1) {
		if (atomic_try_cmpxchg(&user->refs.refs, &refs, refs - 1))
			return;
	}
	flags = spin_lock_irqsave(&users_lock); /* the last one must not be found by user_find any more */
	last = refcount_dec_and_test(&user->refs);
	if (last)
		hlist_del(&user->hash_link);
	spin_unlock_irqrestore(&users_lock, flags);
	if (last)
		kfree(user);
}

void cred_put(const struct cred *cred)
{
	struct cred *mine = (struct cred *)cred;

	if (!refcount_dec_and_test(&mine->refs))
		return;
	user_put(mine->user);
	kfree_rcu(mine);
}
EXPORT_SYMBOL(cred_put);

enum { SPARE_TAKEN = 16, SPARE_MAX = 64 };

const struct cred *cred_get_near(const struct cred *cred)
{
	struct thread *thread = current;

	if (cred != thread->cred)
		return cred_get(cred);
	if (!thread->cred_spare) {
		refcount_add(&((struct cred *)cred)->refs, SPARE_TAKEN);
		thread->cred_spare = SPARE_TAKEN;
	}
	thread->cred_spare--;
	return cred;
}

void cred_put_near(const struct cred *cred)
{
	struct thread *thread = current;

	if (cred == thread->cred && thread->cred_spare < SPARE_MAX)
		thread->cred_spare++;
	else
		cred_put(cred);
}

void cred_spare_release(struct thread *thread)
{
	for (; thread->cred_spare; thread->cred_spare--)
		cred_put(thread->cred);
}

struct cred *cred_copy(const struct cred *cred, u32 group_count)
{
	u32 kept = min(cred->group_count, group_count);
	struct cred *copy = kmalloc(sizeof(*copy) + group_count * sizeof(u32), GFP_KERNEL);

	if (!copy)
		return NULL;
	memcpy(copy, cred, sizeof(*copy) + kept * sizeof(u32));
	refcount_set(&copy->refs, 1);
	copy->group_count = group_count;
	memset(copy->groups + kept, 0, (group_count - kept) * sizeof(u32));
	refcount_inc(&copy->user->refs);
	return copy;
}
EXPORT_SYMBOL(cred_copy);

int cred_set_uid(struct cred *cred, u32 uid)
{
	struct user *user;

	if (cred->uid == uid)
		return 0;
	user = user_get(uid);
	if (!user)
		return -ENOMEM;
	user_put(cred->user);
	cred->user = user;
	cred->uid = uid;
	return 0;
}
EXPORT_SYMBOL(cred_set_uid);

void cred_commit(struct cred *cred)
{
	const struct cred *old = current->cred;

	if (old->user != cred->user) {
		atomic_inc(&cred->user->process_count);
		atomic_dec(&old->user->process_count);
	}
	/* Who may not trace or dump the process with its new identity must not read its memory with the old one's
	 * right either (prctl(2), PR_SET_DUMPABLE). */
	if (current->process &&
	    (old->euid != cred->euid || old->egid != cred->egid || old->fsuid != cred->fsuid ||
	     old->fsgid != cred->fsgid || (cred->cap_permitted & ~old->cap_permitted))) {
		current->process->dumpable = false;
		current->process->parent_death_signal = 0;
	}
	cred_spare_release(current);
	rcu_assign_pointer(current->cred, cred);
	cred_put(old);
}

bool cred_in_group(const struct cred *cred, u32 gid)
{
	u32 low = 0, high = cred->group_count;

	if (cred->fsgid == gid)
		return true;
	while (low < high) {
		u32 middle = (low + high) / 2;

		if (cred->groups[middle] == gid)
			return true;
		if (cred->groups[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}
EXPORT_SYMBOL(cred_in_group);

bool capable(int capability)
{
	return cred_capable(current->cred, capability);
}
EXPORT_SYMBOL(capable);

const struct cred *process_cred_get(struct process *process)
{
	struct cred *cred;

	rcu_read_lock();
	do {
		struct thread *leader = rcu_dereference(process->leader);

		/* One that has been reaped has none; nobody can do anything to it anyway. */
		cred = leader ? (struct cred *)rcu_dereference(leader->cred) : &root_cred;
	} while (!refcount_inc_not_zero(&cred->refs));
	rcu_read_unlock();
	return cred;
}

struct user *user_of_process(struct process *process)
{
	const struct cred *cred = process_cred_get(process);
	struct user *user = cred->user;

	refcount_inc(&user->refs);
	cred_put(cred);
	return user;
}

/* ptrace(2), "Ptrace access mode checking", for somebody with these ids. */
static bool may_look_as(struct process *process, u32 uid, u32 gid)
{
	const struct cred *mine = current->cred, *its;
	bool same;

	if (process == current->process)
		return true;
	its = process_cred_get(process);
	same = uid == its->euid && uid == its->suid && uid == its->uid && gid == its->egid &&
	       gid == its->sgid && gid == its->gid && process->dumpable &&
	       !(its->cap_permitted & ~mine->cap_permitted);
	cred_put(its);
	return same || cred_capable(mine, CAP_SYS_PTRACE);
}

bool process_may_inspect(struct process *process)
{
	return may_look_as(process, current->cred->fsuid, current->cred->fsgid);
}

bool process_may_attach(struct process *process)
{
	return may_look_as(process, current->cred->uid, current->cred->gid);
}
