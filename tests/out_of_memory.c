/*
 * What takes all memory, processes or stack is stopped, and the machine goes on with what it had. Each kind of glutton is a child
 * that is killed, or is told; the parent lives.
 * run: --mem 64M --smp 2
 * seconds: 120
 */
#define _GNU_SOURCE
#include "memory.h"
#include "tap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, SLACK_KIB = 256, STACKS_KIB = 128 /* that a CPU keeps for threads to come */ };

static pid_t start(void (*function)(void))
{
	pid_t pid = fork();

	if (!pid) {
		function();
		_exit(0);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

static int killed_by(int status, int signal)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

/* ---- Gluttons ---- */

static void takes_pages(void)
{
	for (;;) {
		char *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory != MAP_FAILED)
			memset(memory, 1, 1 << 20);
	}
}

/* The page that is read is always the same one; the tables are not. */
static void takes_page_tables(void)
{
	size_t size = 1UL << 40;
	volatile char *memory =
		mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		_exit(1);
	for (size_t at = 0; at < size; at += 2 << 20)
		(void)memory[at];
}

/* Writes until it is told that there is no room. */
static void takes_a_file(void)
{
	static char buffer[1 << 16];
	int fd = open("glutton", O_CREAT | O_WRONLY | O_TRUNC, 0600);

	unlink("glutton");
	while (write(fd, buffer, sizeof(buffer)) > 0)
		;
	_exit(errno == ENOSPC || errno == ENOMEM ? 0 : 1);
}

static void takes_shared_pages(void)
{
	size_t size = (size_t)memory_field("MemTotal") << 10; /* more would be refused at once */
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (size_t at = 0; memory != MAP_FAILED && at < size; at += PAGE)
		memory[at] = 1;
}

/* Forks until it is told no; all children wait to be killed. Nobody may be left when the group is gone. */
static void takes_processes(void)
{
	setpgid(0, 0);
	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid)
			for (;;)
				pause();
	}
	if (errno != EAGAIN && errno != ENOMEM)
		_exit(1);
	kill(0, SIGKILL);
}

static void takes_few_processes(void)
{
	struct rlimit limit = { 20, 20 };
	int count = 0;

	setpgid(0, 0);
	if (setrlimit(RLIMIT_NPROC, &limit) || setresuid(1000, 1000, 1000))
		_exit(1);
	for (;; count++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (!pid)
			for (;;)
				pause();
	}
	if (errno != EAGAIN || count != 19)
		_exit(1);
	kill(0, SIGKILL);
}

static void *wait_long(void *unused)
{
	(void)unused;
	sleep(1000);
	return NULL;
}

static void takes_threads(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 16384);
	do
		error = pthread_create(&thread, &attributes, wait_long, NULL);
	while (!error);
	_exit(error == EAGAIN || error == ENOMEM ? 0 : 1);
}

/* What pipes hold is no process's memory. */
static void takes_pipes(void)
{
	static char buffer[1 << 16];

	for (;;) {
		int pipes[2];

		if (pipe2(pipes, O_NONBLOCK)) {
			pid_t pid;

			if (errno != EMFILE && errno != ENFILE)
				break;
			pid = fork(); /* the child keeps these, and takes more */
			if (pid < 0)
				break;
			if (pid) {
				waitpid(pid, NULL, 0);
				_exit(0);
			}
			for (int fd = 3; fd < 1024; fd++)
				if (fd % 2)
					close(fd);
			continue;
		}
		while (write(pipes[1], buffer, sizeof(buffer)) > 0)
			;
	}
}

static void takes_files(void)
{
	char name[32];

	if (mkdir("many", 0700) || chdir("many"))
		_exit(1);
	for (unsigned int i = 0;; i++) {
		int fd;

		snprintf(name, sizeof(name), "f%u", i);
		fd = open(name, O_CREAT | O_WRONLY, 0600);
		if (fd < 0 || write(fd, name, 1) != 1)
			break;
		close(fd);
	}
	_exit(errno == ENOSPC || errno == ENOMEM ? 0 : 1);
}

static void takes_mappings(void)
{
	int count = 0;

	/* Every second one is protected, so that no two become one. */
	while (mmap(NULL, PAGE, count % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) != MAP_FAILED)
		count++;
	_exit(errno == ENOMEM && count > 1000 ? 0 : 1);
}

__attribute__((noinline)) static int recurse(volatile char *above)
{
	volatile char frame[1024];

	frame[0] = above[0];
	return frame[0] ? recurse(frame) + frame[0] : 0;
}

static void takes_stack(void)
{
	char first = 1;

	recurse(&first);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
	char here;

	(void)context;
	/* On the other stack, and told where the first one ended. */
	_exit(signal == SIGSEGV && (char *)info->si_addr != &here ? 7 : 1);
}

static void takes_stack_and_sees_it(void)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	takes_stack();
}

static void *recurse_thread(void *unused)
{
	(void)unused;
	takes_stack();
	return NULL;
}

static void takes_a_threads_stack(void)
{
	pthread_t thread;
	int error;

	/* What those had who were killed before may come back a moment later. */
	for (int tries = 0;
	     (error = pthread_create(&thread, NULL, recurse_thread, NULL)) == EAGAIN && tries < 50;
	     tries++)
		usleep(100000);
	if (error)
		_exit(error);
	pthread_join(thread, NULL);
}

static void asks_for_more_than_its_limit(void)
{
	struct rlimit limit = { 64 << 20, 64 << 20 };

	if (setrlimit(RLIMIT_AS, &limit))
		_exit(1);
	if (mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED ||
	    errno != ENOMEM)
		_exit(1);
}

/* ---- What became of them ---- */

static void check_status(int status, int passed, const char *what)
{
	tap_ok(passed, "%s (status %#x)", what, status);
}

static int told_or_killed(int status)
{
	return !status || killed_by(status, SIGKILL);
}

static void remove_many(void)
{
	if (!chdir("many")) {
		char name[32];

		for (unsigned int i = 0;
		     snprintf(name, sizeof(name), "f%u", i) > 0 && !unlink(name); i++)
			;
		if (!chdir(".."))
			rmdir("many");
	}
}

/* What is free, and the page tables: those of kernel addresses stay once they were needed. */
static long memory_kib(void)
{
	return memory_free_kib() + memory_field("PageTables");
}

int main(void)
{
	long before, after,
		slack = memory_slack_kib(SLACK_KIB) + STACKS_KIB * sysconf(_SC_NPROCESSORS_ONLN);
	pid_t pids[3];
	int status;

	before = memory_kib();

	status = status_of(start(takes_pages));
	check_status(status, killed_by(status, SIGKILL), "who takes all pages is killed");
	for (int i = 0; i < 3; i++)
		pids[i] = start(takes_pages);
	for (int i = 0; i < 3; i++) {
		status = status_of(pids[i]);
		check_status(status, killed_by(status, SIGKILL),
			     "and each of three who take them together");
	}
	status = status_of(start(takes_page_tables));
	check_status(status, killed_by(status, SIGKILL),
		     "who takes all memory for page tables is killed");
	status = status_of(start(takes_shared_pages));
	check_status(status, killed_by(status, SIGKILL) || killed_by(status, SIGBUS),
		     "who takes shared pages is killed");
	status = status_of(start(takes_a_file));
	check_status(status, told_or_killed(status), "who writes a file without end is told or killed");
	status = status_of(start(takes_files));
	check_status(status, told_or_killed(status), "who makes files without end is told or killed");
	remove_many();
	status = status_of(start(takes_pipes));
	check_status(status, told_or_killed(status), "who fills pipes without end is told or killed");
	status = status_of(start(takes_mappings));
	check_status(status, told_or_killed(status), "who makes mappings without end is told or killed");
	status = status_of(start(takes_few_processes));
	check_status(status, killed_by(status, SIGKILL), "a limit on processes holds");
	status = status_of(start(takes_threads));
	check_status(status, told_or_killed(status), "who makes threads without end is told or killed");
	status = status_of(start(takes_processes));
	check_status(status, killed_by(status, SIGKILL), "who forks without end is told or killed");
	status = status_of(start(takes_stack));
	check_status(status, killed_by(status, SIGSEGV), "a stack has an end");
	status = status_of(start(takes_stack_and_sees_it));
	check_status(status, WIFEXITED(status) && WEXITSTATUS(status) == 7,
		     "which a handler on another stack sees");
	status = status_of(start(takes_a_threads_stack));
	check_status(status, killed_by(status, SIGSEGV), "a thread's stack has an end");
	status = status_of(start(asks_for_more_than_its_limit));
	check_status(status, status == 0, "RLIMIT_AS holds");

	after = memory_kib();
	tap_ok(before - after <= slack, "memory is what it was: %ld KiB free before, %ld after",
	       before, after);
	return tap_end();
}
