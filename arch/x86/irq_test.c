/* Interrupts as a driver meets them: lines, messages, calls between CPUs. The clock chip is the device that interrupts. */
#include <kumo/atomic.h>
#include <kumo/io.h>
#include <kumo/irq.h>
#include <kumo/kunit.h>
#include <kumo/percpu.h>
#include <kumo/time.h>

enum { CLOCK_LINE = 8, CMOS_INDEX = 0x70, CMOS_DATA = 0x71, STATUS_B = 11, STATUS_C = 12 };
enum {
	PERIODIC = 0x40
}; /* in STATUS_B: an interrupt 1024 times a second, each acknowledged by reading STATUS_C */

static atomic_t interrupts, outside;

static u8 cmos_read(u8 index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static void clock_set_periodic(bool on)
{
	u8 status = cmos_read(STATUS_B);

	outb(CMOS_INDEX, STATUS_B);
	outb(CMOS_DATA, on ? status | PERIODIC : status & ~PERIODIC);
	cmos_read(STATUS_C);
}

static enum irq_result clock_handler(int irq, void *arg)
{
	if (!in_interrupt())
		atomic_inc(&outside);
	cmos_read(STATUS_C);
	atomic_inc(&interrupts);
	return IRQ_HANDLED;
}

static enum irq_result bystander(int irq, void *arg)
{
	atomic_inc(arg);
	return IRQ_NONE;
}

static bool await(atomic_t *counter, int least)
{
	for (int i = 0; i < 2000 && atomic_read(counter) < least; i++)
		sleep_ns(NSEC_PER_MSEC);
	return atomic_read(counter) >= least;
}

static void a_line_calls_all_its_handlers_until_they_are_freed(struct kunit *test)
{
	atomic_t seen = ATOMIC_INIT(0);
	int before;

	atomic_set(&interrupts, 0);
	atomic_set(&outside, 0);
	KUNIT_ASSERT_EQ(test, irq_request(CLOCK_LINE, clock_handler, &interrupts, "clock"), 0);
	KUNIT_EXPECT_EQ(test, irq_request(CLOCK_LINE, bystander, &seen, "bystander"), 0);
	clock_set_periodic(true);
	KUNIT_EXPECT_TRUE(test, await(&interrupts, 3));
	KUNIT_EXPECT_TRUE(test, await(&seen, 3));
	irq_free(CLOCK_LINE, &seen);
	before = atomic_read(&seen);
	KUNIT_EXPECT_TRUE(test, await(&interrupts, atomic_read(&interrupts) + 3));
	KUNIT_EXPECT_EQ(test, atomic_read(&seen), before);
	irq_free(CLOCK_LINE, &interrupts);
	before = atomic_read(&interrupts);
	sleep_ns(5 * NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, atomic_read(&interrupts), before);
	KUNIT_EXPECT_EQ(test, atomic_read(&outside), 0);
	clock_set_periodic(false);
}

static void a_line_follows_its_affinity(struct kunit *test)
{
	atomic_set(&interrupts, 0);
	KUNIT_ASSERT_EQ(test, irq_request(CLOCK_LINE, clock_handler, &interrupts, "clock"), 0);
	clock_set_periodic(true);
	for_each_cpu(cpu) {
		irq_set_affinity(CLOCK_LINE, cpu);
		KUNIT_EXPECT_TRUE(test, await(&interrupts, atomic_read(&interrupts) + 3));
	}
	irq_set_affinity(CLOCK_LINE, 0);
	clock_set_periodic(false);
	irq_free(CLOCK_LINE, &interrupts);
}

static void what_is_no_irq_is_refused(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, irq_request(-1, clock_handler, NULL, "none"), -EINVAL);
	KUNIT_EXPECT_EQ(test, irq_request(1 << 20, clock_handler, NULL, "none"), -EINVAL);
	KUNIT_EXPECT_EQ(test, irq_request(255, clock_handler, NULL, "none"), -EINVAL);
}

static void messages_are_distinct_and_can_be_had_again(struct kunit *test)
{
	struct msi_message messages[4];
	int irqs[4], error;

	error = msi_alloc(4, irqs, messages);
	KUNIT_ASSERT_EQ(test, error, 0);
	for (int i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, messages[i].address >> 20, 0xfeeull);
		for (int j = 0; j < i; j++)
			KUNIT_EXPECT_NE(test, messages[i].data, messages[j].data);
	}
	KUNIT_EXPECT_EQ(test, irq_request(irqs[0], clock_handler, &interrupts, "message"), 0);
	KUNIT_EXPECT_EQ(test, irq_request(irqs[0], clock_handler, NULL, "second"), -EBUSY);
	irq_free(irqs[0], &interrupts);
	for (int i = 0; i < 4; i++)
		msi_release(irqs[i]);
	KUNIT_EXPECT_EQ(test, irq_request(irqs[0], clock_handler, NULL, "released"), -EINVAL);
	for (int round = 0; round < 1000; round++) {
		error = msi_alloc(4, irqs, messages);
		KUNIT_ASSERT_EQ(test, error, 0);
		for (int i = 0; i < 4; i++)
			msi_release(irqs[i]);
	}
}

static void note_cpu(void *arg)
{
	__atomic_fetch_or((unsigned long *)arg, BIT(smp_processor_id()), __ATOMIC_SEQ_CST);
}

static void a_call_runs_on_the_cpus_it_names_before_it_returns(struct kunit *test)
{
	unsigned long ran, all = ~0UL >> (64 - num_online_cpus());

	for (int round = 0; round < 100; round++) {
		ran = 0;
		smp_call_others(note_cpu, &ran);
		KUNIT_ASSERT_EQ(test, ran | BIT(smp_processor_id()), all);
	}
	for_each_cpu(cpu) {
		ran = 0;
		smp_call(cpu, note_cpu, &ran);
		KUNIT_EXPECT_EQ(test, ran, BIT(cpu));
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_line_calls_all_its_handlers_until_they_are_freed),
	KUNIT_CASE(a_line_follows_its_affinity),
	KUNIT_CASE(what_is_no_irq_is_refused),
	KUNIT_CASE(messages_are_distinct_and_can_be_had_again),
	KUNIT_CASE(a_call_runs_on_the_cpus_it_names_before_it_returns),
	{},
};
static struct kunit_suite suite = { .name = "irq", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of interrupts and calls between CPUs");
