/* Programs that the kernel starts: the first process, and helpers such as modprobe. */
#define LOG_PREFIX "init: "
#include <kumo/arch/entry.h>
#include <kumo/asan.h>
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/printk.h>
#include <kumo/string.h>

#include "process.h"

static struct fs_context *helper_fs; /* where helpers' paths start: the first process's root, as it was at the start */

/* A helper's program, in the stack of who started it. */
struct helper {
	const char *path;
	const char *const *argv, *const *envp;
	int error; /* of exec */
	struct completion started;
};

/* A kernel thread whose process has been given a program leaves for it: what is on its stack is of no use any more. */
static void __noreturn become_program(void)
{
	asan_stack_reset(current->stack);
	enter_user_mode(thread_user_regs(current));
}

static int helper_main(void *argument)
{
	struct helper *helper = argument;
	int error;

	error = helper->error = kernel_execve(helper->path, helper->argv, helper->envp);
	complete(&helper->started); /* `helper` is gone when the waiter is back */
	if (error)
		return error;
	become_program();
}

int call_usermode_helper(const char *path, const char *const *argv, const char *const *envp, bool wait)
{
	struct helper helper = { .path = path, .argv = argv, .envp = envp };
	struct completion ended;
	struct process *process;
	int result;

	if (!helper_fs)
		return -EBUSY; /* the system is not up yet */
	completion_init(&helper.started);
	completion_init(&ended);
	process = process_start_kernel(helper_main, &helper, helper_fs, wait ? &ended : NULL);
	if (IS_ERR(process))
		return (int)PTR_ERR(process);
	wait_for_completion(&helper.started);
	result = helper.error;
	if (wait && wait_for_completion_killable(&ended)) {
		/* Killed: the helper goes on alone. Whoever takes the pointer out, this thread or the helper's end, decides. */
		if (!__atomic_exchange_n(&process->ended, NULL, __ATOMIC_ACQ_REL))
			wait_for_completion(&ended);
		result = -EINTR;
	}
	if (wait && !result)
		result = process->exit_code;
	process_put(process);
	return result;
}
EXPORT_SYMBOL(call_usermode_helper);

static int try_program(const char *path)
{
	const char *const argv[] = { path, NULL };
	const char *const envp[] = { "HOME=/", "TERM=linux", "PATH=/sbin:/bin:/usr/sbin:/usr/bin", NULL };

	return kernel_execve(path, argv, envp);
}

/* stdin, stdout and stderr. A root without /dev/console is no reason to stop. */
static void open_console(void)
{
	struct file *console = file_open_name("/dev/console", O_RDWR, 0, current->cred);

	if (IS_ERR(console)) {
		pr_warn("no /dev/console (error %d): the first process has no terminal\n",
			(int)PTR_ERR(console));
		return;
	}
	for (int fd = 0; fd < 3; fd++) {
		if (fd_duplicate(console, (unsigned int)fd, 0) < 0)
			pr_warn("descriptor %d of the first process is not open\n", fd);
	}
	file_put(console);
}

void start_first_process(void)
{
	static const char *const programs[] = { "/init", "/sbin/init", "/etc/init", "/bin/init",
						"/bin/sh" };
	const char *chosen = boot_param("init");
	int error = -ENOENT;

	process_become_first();
	helper_fs = fs_context_copy(current->fs);
	if (!helper_fs)
		panic("no memory for the first process");
	open_console();
	if (chosen && *chosen) {
		error = try_program(chosen);
		if (error)
			panic("%s cannot be run (error %d); try init=/bin/sh", chosen, error);
	}
	for (unsigned int i = 0; error && i < ARRAY_SIZE(programs); i++) {
		error = try_program(programs[i]);
		if (error && error != -ENOENT)
			pr_err("%s is there but cannot be run (error %d)\n", programs[i], error);
	}
	if (error)
		panic("no program to start with: /init, /sbin/init and /bin/sh are missing; try init=PATH");
	become_program();
}
