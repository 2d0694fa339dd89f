/* Suite of sending signals, on a process that exists for the suite alone: it has one thread, which never runs. */
#include <kumo/kunit.h>
#include <kumo/thread.h>

#include "process.h"

static int start(struct kunit *test)
{
	struct process *process = process_alloc();
	struct thread *thread = thread_alloc();

	if (!process || !thread)
		return -ENOMEM;
	process->sighand = sighand_create();
	if (!process->sighand)
		return -ENOMEM;
	process->leader = thread;
	process->thread_count = process->live_threads = 1;
	process->limits[RLIMIT_SIGPENDING] = (struct rlimit){ 1000000, 1000000 };
	thread->process = process;
	thread->sighand = process->sighand;
	list_add_tail(&process->threads, &thread->process_link);
	test->priv = process;
	return 0;
}

static void finish(struct kunit *test)
{
	struct process *process = test->priv;
	struct thread *thread = process->leader;

	list_del_init(&thread->process_link);
	thread_put(thread); /* and its process with it */
}

static void set_handler(struct process *process, int signal, __sighandler_t handler)
{
	process->sighand->actions[signal - 1].sa_handler = handler;
}
#define SOME_HANDLER ((__sighandler_t)0x1000)

static unsigned int queued(const struct sigpending *pending)
{
	struct sigqueue *entry;
	unsigned int count = 0;

	list_for_each(entry, &pending->queue, link)
		count++;
	return count;
}

static void a_signal_is_pending_and_the_thread_is_told(struct kunit *test)
{
	struct process *process = test->priv;

	set_handler(process, SIGUSR1, SOME_HANDLER);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGUSR1, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, signal_bit(SIGUSR1));
	KUNIT_EXPECT_TRUE(test, process->leader->work & WORK_SIGNAL);
	KUNIT_EXPECT_FALSE(test, process->exiting);
}

static void a_standard_signal_is_pending_once(struct kunit *test)
{
	struct process *process = test->priv;

	set_handler(process, SIGUSR1, SOME_HANDLER);
	for (int i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGUSR1, NULL), 0);
	KUNIT_EXPECT_EQ(test, queued(&process->pending), 1);
}

static void real_time_signals_are_queued(struct kunit *test)
{
	struct process *process = test->priv;

	set_handler(process, SIGRTMIN, SOME_HANDLER);
	for (int i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGRTMIN, NULL), 0);
	KUNIT_EXPECT_EQ(test, queued(&process->pending), 3);
}

static void the_queue_has_a_limit(struct kunit *test)
{
	struct process *process = test->priv;
	siginfo_t info = { .si_signo = SIGRTMIN, .si_code = SI_QUEUE };

	set_handler(process, SIGRTMIN, SOME_HANDLER);
	process->limits[RLIMIT_SIGPENDING].rlim_cur = 0;
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGRTMIN, &info), -EAGAIN);
	KUNIT_EXPECT_EQ(test, queued(&process->pending), 0);
}

static void what_is_ignored_is_dropped(struct kunit *test)
{
	struct process *process = test->priv;

	set_handler(process, SIGUSR1, SIG_IGN);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGUSR1, NULL), 0);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGCHLD, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, 0);
	process->leader->blocked = signal_bit(SIGUSR1);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGUSR1, NULL), 0);
	KUNIT_EXPECT_EQ_MSG(test, process->pending.mask, signal_bit(SIGUSR1),
			    "a blocked one waits all the same");
}

static void a_deadly_signal_decides_at_once(struct kunit *test)
{
	struct process *process = test->priv;

	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGTERM, NULL), 0);
	KUNIT_EXPECT_TRUE(test, process->exiting);
	KUNIT_EXPECT_EQ(test, process->exit_code, SIGTERM);
	KUNIT_EXPECT_TRUE(test, process->leader->pending.mask & signal_bit(SIGKILL));
	KUNIT_EXPECT_EQ_MSG(test, signal_send_process(process, SIGUSR1, NULL), 0,
			    "what comes later does not matter");
	KUNIT_EXPECT_EQ(test, process->exit_code, SIGTERM);
}

static void a_blocked_deadly_signal_waits(struct kunit *test)
{
	struct process *process = test->priv;

	process->leader->blocked = signal_bit(SIGTERM);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGTERM, NULL), 0);
	KUNIT_EXPECT_FALSE(test, process->exiting);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGKILL, NULL), 0);
	KUNIT_EXPECT_TRUE_MSG(test, process->exiting, "SIGKILL cannot be blocked");
}

static void the_first_process_is_not_killed(struct kunit *test)
{
	struct process *process = test->priv;

	process->unkillable = true;
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGTERM, NULL), 0);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGKILL, NULL), 0);
	KUNIT_EXPECT_FALSE(test, process->exiting);
	KUNIT_EXPECT_EQ(test, process->pending.mask, 0);
	set_handler(process, SIGTERM, SOME_HANDLER);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGTERM, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, signal_bit(SIGTERM));
}

static void stop_and_continue_cancel_each_other(struct kunit *test)
{
	struct process *process = test->priv;
	u32 seen = process->continue_count;

	set_handler(process, SIGCONT, SOME_HANDLER);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGTSTP, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, signal_bit(SIGTSTP));
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGCONT, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, signal_bit(SIGCONT));
	KUNIT_EXPECT_NE(test, process->continue_count, seen);
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGSTOP, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->pending.mask, signal_bit(SIGSTOP));
	KUNIT_EXPECT_EQ(test, queued(&process->pending), 1);
}

static void a_stopped_process_goes_on(struct kunit *test)
{
	struct process *process = test->priv;

	process->stop_signal = SIGTSTP;
	process->stopped = true;
	KUNIT_EXPECT_EQ(test, signal_send_process(process, SIGCONT, NULL), 0);
	KUNIT_EXPECT_FALSE(test, process->stopped);
	KUNIT_EXPECT_EQ(test, process->stop_signal, 0);
	KUNIT_EXPECT_TRUE(test, process->continued);
	KUNIT_EXPECT_EQ(test, process->notify_parent, CLD_CONTINUED);
}

static void a_thread_has_signals_of_its_own(struct kunit *test)
{
	struct process *process = test->priv;

	set_handler(process, SIGUSR2, SOME_HANDLER);
	KUNIT_EXPECT_EQ(test, signal_send_thread(process->leader, SIGUSR2, NULL), 0);
	KUNIT_EXPECT_EQ(test, process->leader->pending.mask, signal_bit(SIGUSR2));
	KUNIT_EXPECT_EQ(test, process->pending.mask, 0);
	KUNIT_EXPECT_EQ_MSG(test, signal_send_thread(current, SIGUSR2, NULL), -ESRCH,
			    "kernel threads take none");
}

static void signals_have_names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, signal_name(SIGSEGV), "SIGSEGV");
	KUNIT_EXPECT_STREQ(test, signal_name(SIGRTMIN + 3), "SIGRT");
	KUNIT_EXPECT_STREQ(test, signal_name(0), "?");
	KUNIT_EXPECT_STREQ(test, signal_name(65), "?");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_signal_is_pending_and_the_thread_is_told),
	KUNIT_CASE(a_standard_signal_is_pending_once),
	KUNIT_CASE(real_time_signals_are_queued),
	KUNIT_CASE(the_queue_has_a_limit),
	KUNIT_CASE(what_is_ignored_is_dropped),
	KUNIT_CASE(a_deadly_signal_decides_at_once),
	KUNIT_CASE(a_blocked_deadly_signal_waits),
	KUNIT_CASE(the_first_process_is_not_killed),
	KUNIT_CASE(stop_and_continue_cancel_each_other),
	KUNIT_CASE(a_stopped_process_goes_on),
	KUNIT_CASE(a_thread_has_signals_of_its_own),
	KUNIT_CASE(signals_have_names),
	{},
};
static struct kunit_suite suite = { .name = "signal", .init = start, .exit = finish, .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
