/*
 * Credentials: who acts. Immutable once visible; a thread changes them by replacing the whole. Passed as an argument
 * to every tree operation. A thread reads its own (current->cred) freely; another's under rcu_read_lock().
 */
#ifndef KUMO_CRED_H
#define KUMO_CRED_H

#include <kumo/list.h>
#include <kumo/refcount.h>
#include <linux/capability.h>

struct thread;

/* What the real user of credentials has in all processes together, for RLIMIT_NPROC and RLIMIT_SIGPENDING. */
struct user {
	refcount_t refs;
	u32 uid;
	atomic_t process_count; /* threads, as Linux counts */
	atomic_t signal_count;	/* queued signals */
	atomic_t watch_count;	/* in event sets (fs/epoll.c) */
	atomic_t inotify_instances, inotify_watches;
	atomic_t flight_count; /* open files under way in messages of sockets */
	struct hlist_node hash_link;
};

struct cred {
	refcount_t refs;
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u64 cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
	u32 securebits;
	bool no_new_privs;
	struct user *user; /* of uid; own reference */
	u32 group_count;
	u32 groups[]; /* sorted */
};

#define CAP_FULL_SET ((1ULL << (CAP_LAST_CAP + 1)) - 1)
#define GROUPS_MAX 65536 /* NGROUPS_MAX */

extern struct cred root_cred; /* of kernel threads and the first process */

static inline const struct cred *cred_get(const struct cred *cred)
{
	refcount_inc(&((struct cred *)cred)->refs);
	return cred;
}
void cred_put(const struct cred *cred);
/*
 * The same for what the current thread makes and gives back all the time: open files. All processes of a user share few
 * credentials, so the count would be the one line that every open(2) fights for. A thread therefore keeps some references to its
 * own credentials at hand (current->cred_spare), and writes nothing that others see. Not in interrupts.
 */
const struct cred *cred_get_near(const struct cred *cred);
void cred_put_near(const struct cred *cred);
/* Gives the references at hand back: the credentials are no longer the thread's. */
void cred_spare_release(struct thread *thread);
/* A copy to be changed, then published with cred_commit() or dropped with cred_put(). group_count: how many supplementary
 * groups there is room for; those that fit are copied. NULL: no memory. */
struct cred *cred_copy(const struct cred *cred, u32 group_count) __must_check;
/* Sets the real user id and what is counted by it; -ENOMEM. */
int cred_set_uid(struct cred *cred, u32 uid) __must_check;
/* Makes `cred` the current thread's, taking over the caller's reference. */
void cred_commit(struct cred *cred);
bool cred_in_group(const struct cred *cred, u32 gid);
static inline bool cred_capable(const struct cred *cred, int capability)
{
	return (cred->cap_effective >> capability) & 1;
}
bool capable(int capability); /* of the current thread */

#endif
