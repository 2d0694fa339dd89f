/* Read-copy-update. */
#include <kumo/kunit.h>
#include <kumo/rcu.h>
#include <kumo/thread.h>

#define READERS 3
#define UPDATES 100

struct thing {
	bool alive;
	struct rcu_head rcu;
	atomic_t *freed;
};

static struct thing *published;

struct readers {
	atomic_t dead_seen;
	unsigned long reads;
};

static int read_it(void *arg)
{
	struct readers *readers = arg;

	while (!kthread_should_stop()) {
		struct thing *thing;

		rcu_read_lock();
		thing = rcu_dereference(published);
		for (int i = 0; i < 50; i++)
			if (!READ_ONCE(thing->alive))
				atomic_inc(&readers->dead_seen);
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

static void thing_free(struct rcu_head *head)
{
	struct thing *thing = container_of(head, struct thing, rcu);

	WRITE_ONCE(thing->alive, false);
	atomic_inc(thing->freed);
}

static void readers_never_meet_what_is_freed(struct kunit *test)
{
	struct thing *things = kunit_kzalloc(test, (UPDATES + 1) * sizeof(*things), GFP_KERNEL);
	struct thread *threads[READERS];
	struct readers readers = {};
	atomic_t freed = ATOMIC_INIT(0);

	KUNIT_ASSERT_NOT_NULL(test, things);
	for (int i = 0; i <= UPDATES; i++) {
		things[i].alive = true;
		things[i].freed = &freed;
	}
	rcu_assign_pointer(published, &things[0]);
	for (int i = 0; i < READERS; i++)
		threads[i] = kthread_run(read_it, &readers, "reader");
	for (int i = 0; i < UPDATES; i++) {
		rcu_assign_pointer(published, &things[i + 1]);
		if (i % 10) {
			call_rcu(&things[i].rcu, thing_free);
		} else {
			synchronize_rcu();
			thing_free(&things[i].rcu);
		}
		cond_resched();
	}
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&freed), UPDATES);
	for (int i = 0; i < READERS; i++) {
		KUNIT_EXPECT_NOT_ERR_OR_NULL(test, threads[i]);
		if (!IS_ERR(threads[i]))
			kthread_stop(threads[i]);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&readers.dead_seen), 0);
}

struct note {
	struct rcu_head rcu;
	unsigned int number, *next, out_of_order;
};

static void note_run(struct rcu_head *head)
{
	struct note *note = container_of(head, struct note, rcu);

	note->out_of_order = (*note->next)++ != note->number;
}

static void callbacks_of_one_cpu_run_in_order(struct kunit *test)
{
	struct note *notes = kunit_kzalloc(test, 50 * sizeof(*notes), GFP_KERNEL);
	unsigned int next = 0;

	KUNIT_ASSERT_NOT_NULL(test, notes);
	for (unsigned int i = 0; i < 50; i++) {
		notes[i].number = i;
		notes[i].next = &next;
		call_rcu(&notes[i].rcu, note_run);
	}
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, next, 50);
	for (unsigned int i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test, notes[i].out_of_order, 0);
}

static void a_barrier_without_callbacks_ends(struct kunit *test)
{
	for (int i = 0; i < 10; i++)
		rcu_barrier();
	KUNIT_SUCCEED(test);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(readers_never_meet_what_is_freed),
	KUNIT_CASE(callbacks_of_one_cpu_run_in_order),
	KUNIT_CASE(a_barrier_without_callbacks_ends),
	{},
};
static struct kunit_suite suite = { .name = "rcu", .test_cases = cases };
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Tests of read-copy-update");
