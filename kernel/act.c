/* Kernel threads that do what others ask for: their place, their credentials, and how what they wait for is cancelled. */
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/rcu.h>
#include <kumo/act.h>

int thread_serve_begin(struct fs_context *fs)
{
	struct files *files = files_create();

	if (!files)
		return -ENOMEM;
	/* Nobody else looks at these of a thread without a process. */
	current->files = files;
	refcount_inc(&fs->refs);
	current->fs = fs;
	return 0;
}
EXPORT_SYMBOL(thread_serve_begin);

void thread_serve_end(void)
{
	struct fs_context *fs = current->fs;
	struct files *files = current->files;

	thread_act_as(&root_cred);
	current->fs = NULL;
	current->files = NULL;
	if (fs)
		fs_context_put(fs);
	if (files)
		files_put(files);
}
EXPORT_SYMBOL(thread_serve_end);

void thread_act_as(const struct cred *cred)
{
	const struct cred *old = current->cred;

	if (old == cred)
		return;
	cred_spare_release(current);
	rcu_assign_pointer(current->cred, cred_get(cred));
	cred_put(old);
}
EXPORT_SYMBOL(thread_act_as);

void thread_cancel(struct thread *thread)
{
	/* A full barrier before the look at its state; its partner is in thread_set_state(). */
	__atomic_store_n(&thread->cancelled, true, __ATOMIC_SEQ_CST);
	thread_wake_state(thread, THREAD_INTERRUPTIBLE | THREAD_KILLABLE);
}
EXPORT_SYMBOL(thread_cancel);

void thread_cancel_clear(void)
{
	__atomic_store_n(&current->cancelled, false, __ATOMIC_SEQ_CST);
}
EXPORT_SYMBOL(thread_cancel_clear);
