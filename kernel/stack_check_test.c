/* The debug build's checks of kernel stacks: what is made wrong here on purpose is noticed. Overflow, which ends the machine, is
 * in tests/host/faults.sh. */
#include <kumo/asan.h>
#include <kumo/kunit.h>
#include <kumo/report.h>
#include <kumo/stack_check.h>
#include <kumo/thread.h>
#include <kumo/time.h>

#ifdef CONFIG_DEBUG
enum { DEEP_LEFT = 512, SHALLOW_LEFT = 8192 };

/* Writes as far down as a frame would that leaves so many bytes. */
static int use_stack(void *left)
{
	*((volatile char *)current->stack + (unsigned long)left) = 1;
	return 0;
}

/* How much of its stack a thread leaves that goes down to `left` bytes; it is gone when this returns. */
static size_t run_deep(struct kunit *test, unsigned long left)
{
	struct thread *thread = kthread_run(use_stack, (void *)left, "deep");
	size_t unused;

	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	wait_for_completion(&thread->exited);
	while (READ_ONCE(thread->on_cpu) || refcount_read(&thread->refs) > 1)
		sleep_ns(NSEC_PER_MSEC);
	unused = stack_unused(thread);
	kthread_stop(thread);
	return unused;
}

static void the_deepest_use_of_a_stack_is_seen(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, run_deep(test, SHALLOW_LEFT), SHALLOW_LEFT);
}

static void a_thread_that_leaves_less_than_a_kibibyte_is_reported(struct kunit *test)
{
	reports_expect("stack");
	KUNIT_EXPECT_EQ(test, run_deep(test, DEEP_LEFT), DEEP_LEFT);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1U);
}

/* By assembly, so that the address sanitizer does not see it. */
static __noinline __no_asan void write_beyond_the_frame(void)
{
	char array[16];
	char *at = array;
	size_t size = sizeof(array) + 8; /* the guard is what comes next */

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(0) : "memory");
}

static int run_damaged(void *unused)
{
	write_beyond_the_frame();
	barrier();
	return 0;
}

static void a_function_that_writes_beyond_its_frame_does_not_return(struct kunit *test)
{
	struct thread *thread;

	reports_expect("oops");
	thread = kthread_run(run_damaged, NULL, "damaged");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	wait_for_completion(&thread->exited);
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), -EFAULT);
	KUNIT_EXPECT_EQ(test, reports_seen(), 1U);
}
#else
static void the_release_build_has_none(struct kunit *test)
{
	kunit_skip(test, "only in the debug build");
}
#endif

static struct kunit_case cases[] = {
#ifdef CONFIG_DEBUG
	KUNIT_CASE(the_deepest_use_of_a_stack_is_seen),
	KUNIT_CASE(a_thread_that_leaves_less_than_a_kibibyte_is_reported),
	KUNIT_CASE(a_function_that_writes_beyond_its_frame_does_not_return),
#else
	KUNIT_CASE(the_release_build_has_none),
#endif
	{}
};
static struct kunit_suite suite = { .name = "stack_check", .test_cases = cases };
kunit_test_suite(suite);
MODULE_DESCRIPTION("a suite: checks of kernel stacks");
MODULE_LICENSE("MIT");
