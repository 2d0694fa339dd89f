/*
 * exec: a process gets a new program.
 *
 * First the new address space is made, complete, while the old program could still be told of an error: arguments are copied out
 * of it, the file is opened and followed through "#!" lines, the program is mapped and its stack written. Then the other threads
 * of the process are ended, which is the last thing that can fail (when the process is killed meanwhile). From there on
 * nothing fails: the address space is exchanged, signal handlers become default, descriptors marked for it are closed, the
 * credentials of a set-id program take effect.
 *
 * The thread that executes becomes the leader, with the process's number, whichever it was before.
 */
#include <kumo/arch/entry.h>
#include <kumo/cred.h>
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/personality.h>

#include "../process.h"
#include "exec.h"

#define PATH_LIMIT 4096 /* PATH_MAX */

/* Files ------------------------------------------------------------------------------------------------------------ */

struct file *exec_open(const struct path *start, const char *name, unsigned int walk_flags,
		       const struct cred *cred)
{
	struct path path;
	struct file *file;
	struct node *node;
	int error = path_walk(start, name, walk_flags, cred, &path);

	if (error)
		return ERR_PTR(error);
	node = path_node(&path);
	if (S_ISLNK(node->attr.mode))
		error = -ELOOP;
	else if (!S_ISREG(node->attr.mode) || path.mount->flags & MS_NOEXEC)
		error = -EACCES;
	else
		error = node_permission(node, MAY_EXEC, cred);
	/* Programs need not be readable to be run: the kernel reads them, not the caller. */
	file = error ? ERR_PTR(error) : file_open(&path, O_RDONLY, &root_cred);
	path_put(&path);
	if (IS_ERR(file))
		return file;
	error = node_deny_write(file->node);
	if (error) {
		file_put(file);
		return ERR_PTR(error);
	}
	file->mode |= FILE_EXEC; /* file_put() allows writing again */
	return file;
}

int exec_read(struct file *file, u64 offset, void *buffer, size_t size)
{
	loff_t pos = (loff_t)offset;
	ssize_t done = kernel_read(file, buffer, size, &pos);

	if (done < 0)
		return (int)done;
	return (size_t)done == size ? 0 : -ENOEXEC;
}

static int read_head(struct exec *exec)
{
	loff_t pos = 0;
	ssize_t done;

	memset(exec->head, 0, sizeof(exec->head));
	done = kernel_read(exec->file, exec->head, sizeof(exec->head), &pos);
	return done < 0 ? (int)done : 0;
}

/* Loading ---------------------------------------------------------------------------------------------------------- */

/* Follows scripts to a program, and maps that. */
static int load(struct exec *exec)
{
	for (int depth = 0;; depth++) {
		int error = read_head(exec);

		if (error)
			return error;
		error = exec_script(exec);
		if (error == -ENOEXEC) {
			error = exec_credentials(exec);
			return error ? error : exec_elf(exec);
		}
		if (error)
			return error;
		if (depth == SCRIPT_DEPTH)
			return -ELOOP;
	}
}

/* The step ----------------------------------------------------------------------------------------------------------- */

/* All other threads end; the current one becomes the leader. -EAGAIN: the process is being killed, or another thread was
 * first. */
static int become_only_thread(void)
{
	struct process *process = current->process;
	struct thread *old_leader;
	struct sighand *sighand;
	struct pid *own;
	unsigned long flags;
	bool refused;

	flags = spin_lock_irqsave(&process->lock);
	sighand = process->sighand;
	spin_lock(&sighand->lock);
	refused = process->exiting || process->exec_thread;
	if (!refused && process->thread_count > 1) {
		process->exec_thread = current;
		process_kill_threads(process, current);
	}
	spin_unlock(&sighand->lock);
	spin_unlock_irqrestore(&process->lock, flags);
	if (refused)
		return -EAGAIN;
	for (;;) {
		thread_set_state(THREAD_KILLABLE);
		if (READ_ONCE(process->thread_count) == 1 || fatal_signal_pending())
			break;
		schedule();
	}
	thread_set_state(THREAD_RUNNING);

	flags = spin_lock_irqsave(&process_tree_lock);
	spin_lock(&process->lock);
	spin_lock(&sighand->lock);
	process->exec_thread = NULL;
	refused = process->thread_count > 1;
	old_leader = process->leader;
	if (!refused && old_leader != current) {
		own = current->number;
		thread_get(current); /* as leader */
		current->exit_signal = SIGCHLD;
		current->pid = process->pid;
		current->number = process->number;
		current->start_time_ns = old_leader->start_time_ns;
		pid_attach(process->number, PID_THREAD, current);
		rcu_assign_pointer(process->leader, current);
		pid_detach(own, PID_THREAD);
	}
	spin_unlock(&sighand->lock);
	spin_unlock(&process->lock);
	spin_unlock_irqrestore(&process_tree_lock, flags);
	if (refused)
		return -EAGAIN;
	if (old_leader != current) {
		atomic_dec(&old_leader->cred->user->process_count);
		atomic_dec(&thread_total);
		thread_put(old_leader);
	}
	return 0;
}

/* Another process may share the actions (CLONE_SIGHAND without CLONE_THREAD): this one gets `fresh`. */
static void unshare_sighand(struct sighand *fresh)
{
	struct process *process = current->process;
	struct sighand *old;
	unsigned long flags;

	if (!fresh)
		return;
	flags = spin_lock_irqsave(&process->lock);
	old = process->sighand;
	spin_lock(&old->lock);
	rcu_assign_pointer(process->sighand, fresh);
	current->sighand = fresh;
	spin_unlock(&old->lock);
	spin_unlock_irqrestore(&process->lock, flags);
	sighand_put(old);
}

static void set_name(const char *path)
{
	const char *last = strrchr(path, '/');
	char name[sizeof(current->name)] = {};

	strscpy(name, last ? last + 1 : path, sizeof(name));
	memcpy(current->name, name, sizeof(name));
}

/* What comm is made of. A program that is known by a descriptor alone has its file's own name, if that is short enough. */
static const char *shown_name(struct exec *exec, struct file *program)
{
	const char *name = exec->name;

	if (exec->by & EXEC_BY_FD && program->path.entry) {
		name = path_name(&program->path, NULL, exec->head, sizeof(exec->head), true);
		if (IS_ERR(name))
			name = exec->name;
	}
	return name;
}

/* Nothing fails from here on. */
static void commit(struct exec *exec, struct sighand *sighand, struct files *files)
{
	struct process *process = current->process;
	struct mm *mm = exec->mm;
	bool readable = !node_permission(exec->file->node, MAY_READ, exec->cred);

	unshare_sighand(sighand);
	if (files)
		thread_set_files(files);
	mm->exe = exec->file;
	exec->file = NULL;
	exec->mm = NULL;
	thread_leave_mm(mm);
	current->set_child_tid = NULL;
	current->rseq = NULL;
	current->restart.function = NULL;
	current->flags &= ~(unsigned int)THREAD_FLAG_FORKED_NOEXEC;
	process_timers_exec(process);
	signal_reset_for_exec();
	set_name(shown_name(exec, mm->exe));
	if (exec->secure) {
		process->parent_death_signal = 0;
		process->personality &= ~(unsigned int)PER_CLEAR_ON_SETID;
	}
	process->dumpable = exec->cred->euid == exec->cred->uid &&
			    exec->cred->egid == exec->cred->gid && readable;
	cred_commit(exec->cred); /* what is gained makes it undumpable */
	exec->cred = NULL;
	process->exec_count++;
	process->did_exec = true;
	files_close_on_exec(current->files);
	arch_thread_exec(thread_user_regs(current), exec->entry, exec->stack_pointer);
}

static int execute(struct exec *exec, const struct string_vector *argv, const struct string_vector *envp)
{
	struct sighand *sighand = NULL;
	struct files *files = NULL;
	int error;

	if (current->flags & THREAD_FLAG_OVER_LIMIT && user_over_thread_limit(current->cred))
		return -EAGAIN;
	current->flags &= ~(unsigned int)THREAD_FLAG_OVER_LIMIT;
	error = exec_read_strings(exec, argv, envp);
	if (error)
		return error;
	exec->mm = mm_create();
	if (!exec->mm)
		return -ENOMEM;
	exec->randomise = !(current->process->personality & ADDR_NO_RANDOMIZE);
	error = load(exec);
	if (error)
		return error;
	if (refcount_read(&current->process->sighand->refs) > 1) {
		sighand = sighand_copy(current->process->sighand);
		if (!sighand)
			return -ENOMEM;
	}
	if (refcount_read(&current->files->refs) > 1) {
		files = files_copy(current->files, ~0U);
		if (IS_ERR(files)) {
			error = (int)PTR_ERR(files);
			files = NULL;
		}
	}
	if (!error)
		error = become_only_thread();
	if (error) {
		if (sighand)
			sighand_put(sighand);
		if (files)
			files_put(files);
		return error;
	}
	commit(exec, sighand, files);
	return 0;
}

/* `file` is taken over. */
static int exec_file(struct file *file, const char *name, enum exec_by by,
		     const struct string_vector *argv, const struct string_vector *envp)
{
	struct exec *exec = kzalloc(sizeof(*exec), GFP_KERNEL);
	int error = -ENOMEM;

	if (!exec) {
		file_put(file);
		return -ENOMEM;
	}
	exec->file = file;
	exec->name = name;
	exec->by = by;
	exec->cred = cred_copy(current->cred, current->cred->group_count);
	if (exec->cred)
		error = execute(exec, argv, envp);
	if (exec->mm)
		mm_put(exec->mm);
	if (exec->cred)
		cred_put(exec->cred);
	if (exec->file)
		file_put(exec->file);
	for (u32 i = 0; i < exec->prefix_count; i++)
		kfree(exec->prefix[i]);
	string_table_free(&exec->arguments);
	string_table_free(&exec->environment);
	kfree(exec);
	return error;
}

/* Callers ---------------------------------------------------------------------------------------------------------- */

int kernel_execve(const char *path, const char *const *argv, const char *const *envp)
{
	const struct string_vector arguments = { .pointers = argv }, environment = { .pointers = envp };
	struct file *file = exec_open(NULL, path, WALK_FOLLOW, current->cred);

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	return exec_file(file, path, EXEC_BY_NAME, &arguments, &environment);
}

static char *name_from_user(const char __user *from, bool may_be_empty)
{
	char *name = kmalloc(PATH_LIMIT, GFP_KERNEL);
	ssize_t length;

	if (!name)
		return ERR_PTR(-ENOMEM);
	length = strncpy_from_user(name, from, PATH_LIMIT);
	if (length > 0 && length < PATH_LIMIT)
		return name;
	if (length == 0 && may_be_empty)
		return name;
	kfree(name);
	return ERR_PTR(length < 0 ? length : length == 0 ? -ENOENT : -ENAMETOOLONG);
}

long sys_execveat(int directory, const char __user *path, const char *const __user *argv,
		  const char *const __user *envp, int flags)
{
	const struct string_vector arguments = { true, argv }, environment = { true, envp };
	unsigned int walk = flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW;
	struct file *start = NULL, *file;
	enum exec_by by = EXEC_BY_NAME;
	char *name, *shown;
	long result;

	if (flags & AT_EMPTY_PATH)
		walk |= WALK_EMPTY_PATH;
	name = name_from_user(path, flags & AT_EMPTY_PATH);
	if (IS_ERR(name))
		return PTR_ERR(name);
	shown = name;
	result = -EINVAL;
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		goto out;
	if (name[0] != '/' && directory != AT_FDCWD) {
		result = -EBADF;
		start = fd_get_path((unsigned int)directory);
		if (!start)
			goto out;
		result = -ENOTDIR;
		if (!start->path.entry)
			goto out;
		if (fd_get_close_on_exec((unsigned int)directory) > 0)
			by |= EXEC_BY_LOST_FD;
		if (!name[0])
			by |= EXEC_BY_FD;
		/* What a script's interpreter can open. */
		result = -ENOMEM;
		shown = name[0] ? kasprintf(GFP_KERNEL, "/dev/fd/%d/%s", directory, name)
				: kasprintf(GFP_KERNEL, "/dev/fd/%d", directory);
		if (!shown)
			goto out;
	}
	file = exec_open(start ? &start->path : NULL, name, walk, current->cred);
	result = PTR_ERR(file);
	if (!IS_ERR(file))
		result = exec_file(file, shown, by, &arguments, &environment);
	if (shown != name)
		kfree(shown);
out:
	if (start)
		file_put(start);
	kfree(name);
	return result;
}

long sys_execve(const char __user *path, const char *const __user *argv, const char *const __user *envp)
{
	return sys_execveat(AT_FDCWD, path, argv, envp, 0);
}
