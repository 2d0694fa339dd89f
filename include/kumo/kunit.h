/*
 * Self-tests that run in the kernel (kernel/kunit.c). A suite is a module: `foo_test.c` beside `foo.c`. Inserting it runs the
 * suite; KTAP goes to the log; results stay readable in /sys/kernel/kunit/SUITE/results until it is removed.
 *
 *	static void a_list_keeps_the_order_of_insertion(struct kunit *test)
 *	{
 *		KUNIT_ASSERT_EQ(test, list_length(&list), 3);
 *	}
 *	static struct kunit_case cases[] = { KUNIT_CASE(a_list_keeps_the_order_of_insertion), {} };
 *	static struct kunit_suite suite = { .name = "list", .test_cases = cases };
 *	kunit_test_suite(suite);
 *	MODULE_LICENSE("MIT");
 *
 * A failed expectation marks the case and goes on; a failed assertion ends the case (not the suite, not the machine):
 * each case runs in a kernel thread of its own. What a case allocated through kunit_ functions goes with it.
 *
 * Parameters (kernel command line, or /sys/module/kunit/parameters): kunit.filter_glob=SUITE[.CASE] with * and ?,
 * kunit.filter=speed>slow or speed=normal, kunit.filter_action=skip, kunit.enable=0.
 */
#ifndef KUMO_KUNIT_H
#define KUMO_KUNIT_H

#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/module.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>

#define KUNIT_PARAM_DESC_SIZE 128
#define KUNIT_STATUS_COMMENT_SIZE 256

struct kunit;

enum kunit_speed { KUNIT_SPEED_UNSET, KUNIT_SPEED_VERY_SLOW, KUNIT_SPEED_SLOW, KUNIT_SPEED_NORMAL };

struct kunit_attributes {
	enum kunit_speed speed;
};

enum kunit_status { KUNIT_SUCCESS, KUNIT_FAILURE, KUNIT_SKIPPED };

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	/* The parameter after `previous` (NULL: the first), described in KUNIT_PARAM_DESC_SIZE bytes; NULL at the end. Called
	 * once more for each, to count them. */
	const void *(*generate_params)(const void *previous, char *description);
	struct kunit_attributes attr;
	enum kunit_status status; /* the harness's */
};

struct kunit_suite {
	const char *name;
	int (*suite_init)(struct kunit_suite *suite); /* before the first case; not 0: the suite fails */
	void (*suite_exit)(struct kunit_suite *suite);
	int (*init)(struct kunit *test); /* before each case */
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases; /* ended by {} */
	struct kunit_attributes attr;
	struct kunit_suite_result *result; /* the harness's: its log and directory in /sys */
};

/* One run of one case. */
struct kunit {
	void *priv; /* the suite's own, usually set by init */
	const char *name;
	const void *param_value; /* of a parameterised case */
	unsigned int param_index;
	struct kunit_suite *suite;
	/* The harness's: */
	enum kunit_status status;
	char status_comment[KUNIT_STATUS_COMMENT_SIZE];
	bool finished;	 /* its thread ended by itself, by an assertion or a skip; not by an oops */
	spinlock_t lock; /* protects resources */
	struct list resources;
};

#define KUNIT_CASE(function)                                                                       \
	{                                                                                          \
		.run_case = (function), .name = #function                                          \
	}
#define KUNIT_CASE_ATTR(function, attributes)                                                      \
	{                                                                                          \
		.run_case = (function), .name = #function, .attr = attributes                      \
	}
/* Takes more than a second on a common machine. */
#define KUNIT_CASE_SLOW(function)                                                                  \
	{                                                                                          \
		.run_case = (function), .name = #function, .attr = {.speed = KUNIT_SPEED_SLOW }    \
	}
#define KUNIT_CASE_PARAM(function, generator)                                                      \
	{                                                                                          \
		.run_case = (function), .name = #function, .generate_params = (generator)          \
	}
#define KUNIT_CASE_PARAM_ATTR(function, generator, attributes)                                     \
	{                                                                                          \
		.run_case = (function), .name = #function, .generate_params = (generator),         \
		.attr = attributes                                                                 \
	}

/* Defines name_gen_params() for KUNIT_CASE_PARAM, over an array; describe(element, text) may be NULL. */
#define KUNIT_ARRAY_PARAM(name, array, describe)                                                    \
	static const void *name##_gen_params(const void *previous, char *description)               \
	{                                                                                           \
		__typeof__(&(array)[0]) next = previous ? (__typeof__(next))previous + 1 : (array); \
		void (*describe_)(__typeof__(next), char *) = (describe);                           \
		if (next - (array) >= (long)ARRAY_SIZE(array))                                      \
			return NULL;                                                                \
		if (describe_)                                                                      \
			describe_(next, description);                                               \
		return next;                                                                        \
	}

/* Declares the module's suites; the loader runs them when the module is live. Once in a module. */
#define kunit_test_suites(...)                                                                     \
	static struct kunit_suite *kunit_suites_[] __used __section(".kunit_test_suites") = { __VA_ARGS__ }
#define kunit_test_suite(suite) kunit_test_suites(&(suite))

/* What goes with the case. */
void kunit_add_action(struct kunit *test, void (*action)(void *), void *context); /* no memory: ends the case */
void kunit_release_action(struct kunit *test, void (*action)(void *), void *context); /* runs it now */
void kunit_remove_action(struct kunit *test, void (*action)(void *), void *context); /* forgets it */
void *kunit_kmalloc(struct kunit *test, size_t size, unsigned int gfp) __must_check; /* NULL: no memory */
static inline __must_check void *kunit_kzalloc(struct kunit *test, size_t size, unsigned int gfp)
{
	return kunit_kmalloc(test, size, gfp | GFP_ZERO);
}
void kunit_kfree(struct kunit *test, const void *object);

/* Ends the case as skipped. */
void kunit_skip(struct kunit *test, const char *format, ...) __printf(2, 3) __noreturn;
void kunit_mark_skipped(struct kunit *test, const char *format, ...) __printf(2, 3);
/* A diagnostic line, "# case: text". */
void kunit_info(struct kunit *test, const char *format, ...) __printf(2, 3);
#define kunit_log(test, ...) kunit_info(test, ##__VA_ARGS__)
#define kunit_warn(test, ...) kunit_info(test, ##__VA_ARGS__)
#define kunit_err(test, ...) kunit_info(test, ##__VA_ARGS__)

/*
 * Static stubs: a function that tests may replace begins with KUNIT_STATIC_STUB_REDIRECT(function, args...); then a
 * case's own thread calls `replacement` instead, from kunit_activate_static_stub() until the case ends.
 */
extern int kunit_stubs_active; /* how many stubs there are in all */
void *kunit_stub_find(void *function);
void kunit_stub_activate(struct kunit *test, void *function, void *replacement);
void kunit_stub_deactivate(struct kunit *test, void *function);
#define KUNIT_STATIC_STUB_REDIRECT(function, ...)                                                  \
	do {                                                                                       \
		if (unlikely(READ_ONCE(kunit_stubs_active))) {                                     \
			__typeof__(&(function)) stub_ = kunit_stub_find((void *)&(function));      \
			if (stub_)                                                                 \
				return stub_(__VA_ARGS__);                                         \
		}                                                                                  \
	} while (0)
#define kunit_activate_static_stub(test, function, replacement)                                    \
	do {                                                                                       \
		__typeof__(&(function)) stub_ = (replacement);                                     \
		kunit_stub_activate(test, (void *)&(function), (void *)stub_);                     \
	} while (0)
#define kunit_deactivate_static_stub(test, function)                                               \
	kunit_stub_deactivate(test, (void *)&(function))
/* The case that the current thread runs, or NULL. */
struct kunit *kunit_get_current_test(void);

/* The loader's (kernel/module/): runs a module's suites; takes their results from /sys before the module goes. */
int kunit_suites_run(struct kunit_suite *const *suites, size_t count) __must_check;
void kunit_suites_remove(struct kunit_suite *const *suites, size_t count);
void kunit_init(void); /* parameters, /sys/kernel/kunit */

/* ---- Expectations and assertions ---- */

struct kunit_place {
	const char *file;
	int line;
	bool fatal;
	const char *expression, *left, *operator, * right;
};

void kunit_fail(struct kunit *test, const struct kunit_place *place, const char *format, ...)
	__printf(3, 4);
void kunit_fail_integers(struct kunit *test, const struct kunit_place *place, long long left,
			 long long right, const char *format, ...) __printf(5, 6);
void kunit_fail_pointers(struct kunit *test, const struct kunit_place *place, const void *left,
			 const void *right, const char *format, ...) __printf(5, 6);
void kunit_fail_strings(struct kunit *test, const struct kunit_place *place, const char *left,
			const char *right, const char *format, ...) __printf(5, 6);
void kunit_fail_memory(struct kunit *test, const struct kunit_place *place, const void *left,
		       const void *right, size_t size, const char *format, ...) __printf(6, 7);

#define KUNIT_PLACE(fatal_, ...)                                                                   \
	static const struct kunit_place place_ = { __FILE__, __LINE__, fatal_, __VA_ARGS__ }

#define kunit_check_true(test, fatal, condition, wanted, ...)                                      \
	do {                                                                                       \
		KUNIT_PLACE(fatal, #condition, NULL, wanted ? "true" : "false");                   \
		if (unlikely(((condition) ? true : false) != (wanted)))                            \
			kunit_fail(test, &place_, __VA_ARGS__);                                    \
	} while (0)
#define kunit_check_integers(test, fatal, left_, op, right_, ...)                                  \
	do {                                                                                       \
		KUNIT_PLACE(fatal, NULL, #left_, #op, #right_);                                    \
		const __auto_type left__ = (left_);                                                \
		const __auto_type right__ = (right_);                                              \
		if (unlikely(!(left__ op right__)))                                                \
			kunit_fail_integers(test, &place_, (long long)left__, (long long)right__,  \
					    __VA_ARGS__);                                          \
	} while (0)
#define kunit_check_pointers(test, fatal, left_, op, right_, ...)                                  \
	do {                                                                                       \
		KUNIT_PLACE(fatal, NULL, #left_, #op, #right_);                                    \
		const void *left__ = (const void *)(left_);                                        \
		const void *right__ = (const void *)(right_);                                      \
		if (unlikely(!(left__ op right__)))                                                \
			kunit_fail_pointers(test, &place_, left__, right__, __VA_ARGS__);          \
	} while (0)
#define kunit_check_strings(test, fatal, left_, op, right_, ...)                                   \
	do {                                                                                       \
		KUNIT_PLACE(fatal, NULL, #left_, #op, #right_);                                    \
		const char *left__ = (left_);                                                      \
		const char *right__ = (right_);                                                    \
		if (unlikely(!left__ || !right__ || !(strcmp(left__, right__) op 0)))              \
			kunit_fail_strings(test, &place_, left__, right__, __VA_ARGS__);           \
	} while (0)
#define kunit_check_memory(test, fatal, left_, op, right_, size_, ...)                             \
	do {                                                                                       \
		KUNIT_PLACE(fatal, NULL, #left_, #op, #right_);                                    \
		const void *left__ = (left_);                                                      \
		const void *right__ = (right_);                                                    \
		const size_t size__ = (size_);                                                     \
		if (unlikely(!left__ || !right__ || !(memcmp(left__, right__, size__) op 0)))      \
			kunit_fail_memory(test, &place_, left__, right__, size__, __VA_ARGS__);    \
	} while (0)

/* The case goes on. */
#define KUNIT_EXPECT_TRUE(test, condition) kunit_check_true(test, false, condition, true, NULL)
#define KUNIT_EXPECT_FALSE(test, condition) kunit_check_true(test, false, condition, false, NULL)
#define KUNIT_EXPECT_TRUE_MSG(test, condition, ...)                                                \
	kunit_check_true(test, false, condition, true, __VA_ARGS__)
#define KUNIT_EXPECT_FALSE_MSG(test, condition, ...)                                               \
	kunit_check_true(test, false, condition, false, __VA_ARGS__)
#define KUNIT_EXPECT_EQ(test, left, right) kunit_check_integers(test, false, left, ==, right, NULL)
#define KUNIT_EXPECT_EQ_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, ==, right, __VA_ARGS__)
#define KUNIT_EXPECT_NE(test, left, right) kunit_check_integers(test, false, left, !=, right, NULL)
#define KUNIT_EXPECT_NE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, !=, right, __VA_ARGS__)
#define KUNIT_EXPECT_LT(test, left, right) kunit_check_integers(test, false, left, <, right, NULL)
#define KUNIT_EXPECT_LT_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, <, right, __VA_ARGS__)
#define KUNIT_EXPECT_LE(test, left, right) kunit_check_integers(test, false, left, <=, right, NULL)
#define KUNIT_EXPECT_LE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, <=, right, __VA_ARGS__)
#define KUNIT_EXPECT_GT(test, left, right) kunit_check_integers(test, false, left, >, right, NULL)
#define KUNIT_EXPECT_GT_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, >, right, __VA_ARGS__)
#define KUNIT_EXPECT_GE(test, left, right) kunit_check_integers(test, false, left, >=, right, NULL)
#define KUNIT_EXPECT_GE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, false, left, >=, right, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_EQ(test, left, right)                                                     \
	kunit_check_pointers(test, false, left, ==, right, NULL)
#define KUNIT_EXPECT_PTR_EQ_MSG(test, left, right, ...)                                            \
	kunit_check_pointers(test, false, left, ==, right, __VA_ARGS__)
#define KUNIT_EXPECT_PTR_NE(test, left, right)                                                     \
	kunit_check_pointers(test, false, left, !=, right, NULL)
#define KUNIT_EXPECT_PTR_NE_MSG(test, left, right, ...)                                            \
	kunit_check_pointers(test, false, left, !=, right, __VA_ARGS__)
#define KUNIT_EXPECT_STREQ(test, left, right)                                                      \
	kunit_check_strings(test, false, left, ==, right, NULL)
#define KUNIT_EXPECT_STREQ_MSG(test, left, right, ...)                                             \
	kunit_check_strings(test, false, left, ==, right, __VA_ARGS__)
#define KUNIT_EXPECT_STRNE(test, left, right)                                                      \
	kunit_check_strings(test, false, left, !=, right, NULL)
#define KUNIT_EXPECT_STRNE_MSG(test, left, right, ...)                                             \
	kunit_check_strings(test, false, left, !=, right, __VA_ARGS__)
#define KUNIT_EXPECT_MEMEQ(test, left, right, size)                                                \
	kunit_check_memory(test, false, left, ==, right, size, NULL)
#define KUNIT_EXPECT_MEMEQ_MSG(test, left, right, size, ...)                                       \
	kunit_check_memory(test, false, left, ==, right, size, __VA_ARGS__)
#define KUNIT_EXPECT_MEMNE(test, left, right, size)                                                \
	kunit_check_memory(test, false, left, !=, right, size, NULL)
#define KUNIT_EXPECT_MEMNE_MSG(test, left, right, size, ...)                                       \
	kunit_check_memory(test, false, left, !=, right, size, __VA_ARGS__)
#define KUNIT_EXPECT_NULL(test, pointer) kunit_check_pointers(test, false, pointer, ==, NULL, NULL)
#define KUNIT_EXPECT_NULL_MSG(test, pointer, ...)                                                  \
	kunit_check_pointers(test, false, pointer, ==, NULL, __VA_ARGS__)
#define KUNIT_EXPECT_NOT_NULL(test, pointer)                                                       \
	kunit_check_pointers(test, false, pointer, !=, NULL, NULL)
#define KUNIT_EXPECT_NOT_NULL_MSG(test, pointer, ...)                                              \
	kunit_check_pointers(test, false, pointer, !=, NULL, __VA_ARGS__)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL(test, pointer)                                                \
	kunit_check_true(test, false, IS_ERR_OR_NULL(pointer), false, NULL)
#define KUNIT_EXPECT_NOT_ERR_OR_NULL_MSG(test, pointer, ...)                                       \
	kunit_check_true(test, false, IS_ERR_OR_NULL(pointer), false, __VA_ARGS__)
#define KUNIT_SUCCEED(test) ((void)(test))
#define KUNIT_FAIL(test, ...)                                                                      \
	do {                                                                                       \
		KUNIT_PLACE(false, NULL);                                                          \
		kunit_fail(test, &place_, __VA_ARGS__);                                            \
	} while (0)

/* The case ends. */
#define KUNIT_ASSERT_TRUE(test, condition) kunit_check_true(test, true, condition, true, NULL)
#define KUNIT_ASSERT_FALSE(test, condition) kunit_check_true(test, true, condition, false, NULL)
#define KUNIT_ASSERT_TRUE_MSG(test, condition, ...)                                                \
	kunit_check_true(test, true, condition, true, __VA_ARGS__)
#define KUNIT_ASSERT_FALSE_MSG(test, condition, ...)                                               \
	kunit_check_true(test, true, condition, false, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(test, left, right) kunit_check_integers(test, true, left, ==, right, NULL)
#define KUNIT_ASSERT_EQ_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, ==, right, __VA_ARGS__)
#define KUNIT_ASSERT_NE(test, left, right) kunit_check_integers(test, true, left, !=, right, NULL)
#define KUNIT_ASSERT_NE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, !=, right, __VA_ARGS__)
#define KUNIT_ASSERT_LT(test, left, right) kunit_check_integers(test, true, left, <, right, NULL)
#define KUNIT_ASSERT_LT_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, <, right, __VA_ARGS__)
#define KUNIT_ASSERT_LE(test, left, right) kunit_check_integers(test, true, left, <=, right, NULL)
#define KUNIT_ASSERT_LE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, <=, right, __VA_ARGS__)
#define KUNIT_ASSERT_GT(test, left, right) kunit_check_integers(test, true, left, >, right, NULL)
#define KUNIT_ASSERT_GT_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, >, right, __VA_ARGS__)
#define KUNIT_ASSERT_GE(test, left, right) kunit_check_integers(test, true, left, >=, right, NULL)
#define KUNIT_ASSERT_GE_MSG(test, left, right, ...)                                                \
	kunit_check_integers(test, true, left, >=, right, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_EQ(test, left, right)                                                     \
	kunit_check_pointers(test, true, left, ==, right, NULL)
#define KUNIT_ASSERT_PTR_EQ_MSG(test, left, right, ...)                                            \
	kunit_check_pointers(test, true, left, ==, right, __VA_ARGS__)
#define KUNIT_ASSERT_PTR_NE(test, left, right)                                                     \
	kunit_check_pointers(test, true, left, !=, right, NULL)
#define KUNIT_ASSERT_PTR_NE_MSG(test, left, right, ...)                                            \
	kunit_check_pointers(test, true, left, !=, right, __VA_ARGS__)
#define KUNIT_ASSERT_STREQ(test, left, right) kunit_check_strings(test, true, left, ==, right, NULL)
#define KUNIT_ASSERT_STREQ_MSG(test, left, right, ...)                                             \
	kunit_check_strings(test, true, left, ==, right, __VA_ARGS__)
#define KUNIT_ASSERT_STRNE(test, left, right) kunit_check_strings(test, true, left, !=, right, NULL)
#define KUNIT_ASSERT_STRNE_MSG(test, left, right, ...)                                             \
	kunit_check_strings(test, true, left, !=, right, __VA_ARGS__)
#define KUNIT_ASSERT_MEMEQ(test, left, right, size)                                                \
	kunit_check_memory(test, true, left, ==, right, size, NULL)
#define KUNIT_ASSERT_MEMEQ_MSG(test, left, right, size, ...)                                       \
	kunit_check_memory(test, true, left, ==, right, size, __VA_ARGS__)
#define KUNIT_ASSERT_MEMNE(test, left, right, size)                                                \
	kunit_check_memory(test, true, left, !=, right, size, NULL)
#define KUNIT_ASSERT_MEMNE_MSG(test, left, right, size, ...)                                       \
	kunit_check_memory(test, true, left, !=, right, size, __VA_ARGS__)
#define KUNIT_ASSERT_NULL(test, pointer) kunit_check_pointers(test, true, pointer, ==, NULL, NULL)
#define KUNIT_ASSERT_NULL_MSG(test, pointer, ...)                                                  \
	kunit_check_pointers(test, true, pointer, ==, NULL, __VA_ARGS__)
#define KUNIT_ASSERT_NOT_NULL(test, pointer)                                                       \
	kunit_check_pointers(test, true, pointer, !=, NULL, NULL)
#define KUNIT_ASSERT_NOT_NULL_MSG(test, pointer, ...)                                              \
	kunit_check_pointers(test, true, pointer, !=, NULL, __VA_ARGS__)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pointer)                                                \
	kunit_check_true(test, true, IS_ERR_OR_NULL(pointer), false, NULL)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, pointer, ...)                                       \
	kunit_check_true(test, true, IS_ERR_OR_NULL(pointer), false, __VA_ARGS__)
#define KUNIT_FAIL_AND_ABORT(test, ...)                                                            \
	do {                                                                                       \
		KUNIT_PLACE(true, NULL);                                                           \
		kunit_fail(test, &place_, __VA_ARGS__);                                            \
	} while (0)

#endif
