/*
 * Self-tests in the kernel (see <kumo/kunit.h>): runs suites, speaks KTAP version 1 in the log, keeps results.
 *
 * Each case runs in a kernel thread of its own: init and the case in one, exit and the release of what the case allocated in
 * another, so that an assertion ends its case by ending a thread, and clean-up happens whatever the case did. An oops in
 * a case ends its thread, too; the case is then reported as crashed.
 *
 * What a suite prints goes to the log at once, and is kept in its result for /sys/kernel/kunit/SUITE/results until the
 * suite goes.
 */
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/kallsyms.h>
#include <kumo/kunit.h>
#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/report.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>

#define CASE_TIMEOUT_NS (300 * NSEC_PER_SEC)
#define LINE_MAX 512
#define FILTER_MAX 128

struct kunit_suite_result {
	struct pseudo_directory *directory;
	struct mutex lock; /* protects text */
	struct text text;
};

struct counts {
	unsigned int passed, failed, skipped, total;
};

/* ---- Parameters ---- */

static bool kunit_enabled = true;
static char filter_glob[FILTER_MAX];	   /* "suite" or "suite.case", with * and ? */
static char filter_attributes[FILTER_MAX]; /* "speed>slow", "speed!=very_slow", ... */
static char filter_action[16];		   /* "skip": report what is filtered out as skipped */
static struct mutex parameter_lock = MUTEX_INIT(parameter_lock, "kunit_parameters"); /* protects their texts */

static const char *const speed_names[] = { "unset", "very_slow", "slow", "normal" };

static bool speed_from_name(const char *name, enum kunit_speed *speed)
{
	for (size_t i = KUNIT_SPEED_VERY_SLOW; i < ARRAY_SIZE(speed_names); i++) {
		if (!strcmp(name, speed_names[i])) {
			*speed = (enum kunit_speed)i;
			return true;
		}
	}
	return false;
}

/* "speed" OPERATOR NAME; false: no such filter. */
static bool speed_filter(const char *filter, enum kunit_speed speed, bool *matches)
{
	static const char *const operators[] = { "<=", ">=", "!=", "=", "<", ">" };
	enum kunit_speed wanted;

	if (strncmp(filter, "speed", 5))
		return false;
	filter += 5;
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		size_t length = strlen(operators[i]);

		if (strncmp(filter, operators[i], length))
			continue;
		if (!speed_from_name(filter + length, &wanted))
			return false;
		*matches = i == 0   ? speed <= wanted
			   : i == 1 ? speed >= wanted
			   : i == 2 ? speed != wanted
			   : i == 3 ? speed == wanted
			   : i == 4 ? speed < wanted
				    : speed > wanted;
		return true;
	}
	return false;
}

static bool glob_allows(const char *suite, const char *test_case)
{
	char pattern[FILTER_MAX];
	char *dot;

	if (!filter_glob[0])
		return true;
	strscpy(pattern, filter_glob, sizeof(pattern));
	dot = strchr(pattern, '.');
	if (dot)
		*dot = '\0';
	if (!glob_match(pattern, suite))
		return false;
	return !dot || !test_case || glob_match(dot + 1, test_case);
}

enum selection { RUN, SKIP, LEAVE_OUT };

static enum selection select_case(const struct kunit_suite *suite, const struct kunit_case *test_case)
{
	enum kunit_speed speed = test_case->attr.speed ? test_case->attr.speed : suite->attr.speed;
	enum selection result = RUN;
	bool matches = true;

	mutex_lock(&parameter_lock);
	if (!glob_allows(suite->name, test_case->name))
		result = LEAVE_OUT;
	else if (filter_attributes[0] &&
		 speed_filter(filter_attributes, speed ? speed : KUNIT_SPEED_NORMAL, &matches) &&
		 !matches)
		result = strcmp(filter_action, "skip") ? LEAVE_OUT : SKIP;
	mutex_unlock(&parameter_lock);
	return result;
}

/* ---- Output ---- */

/* One line, to the log and to the suite's results. `depth` is how far it is nested: four blanks each. */
static void emit(struct kunit_suite *suite, unsigned int depth, const char *format, ...) __printf(3, 4);
static void emit(struct kunit_suite *suite, unsigned int depth, const char *format, ...)
{
	char line[LINE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	printk(LOG_INFO, "%*s%s\n", (int)depth * 4, "", line);
	if (suite && suite->result) {
		mutex_lock(&suite->result->lock);
		text_printf(&suite->result->text, "%*s%s\n", (int)depth * 4, "", line);
		mutex_unlock(&suite->result->lock);
	}
}

/* A result line: "ok 1 name # SKIP why". */
static void emit_result(struct kunit_suite *suite, unsigned int depth, enum kunit_status status,
			unsigned int number, const char *name, const char *comment)
{
	const char *directive = status == KUNIT_SKIPPED ? " # SKIP"
				: comment && *comment	? " #"
							: "";

	emit(suite, depth, "%s %u %s%s%s%s", status == KUNIT_FAILURE ? "not ok" : "ok", number,
	     name, directive, comment && *comment ? " " : "", comment ? comment : "");
}

static void emit_counts(struct kunit_suite *suite, unsigned int depth, const char *name,
			const struct counts *counts)
{
	emit(suite, depth, "# %s: pass:%u fail:%u skip:%u total:%u", name, counts->passed,
	     counts->failed, counts->skipped, counts->total);
}

static void count(struct counts *counts, enum kunit_status status)
{
	counts->total++;
	if (status == KUNIT_SUCCESS)
		counts->passed++;
	else if (status == KUNIT_SKIPPED)
		counts->skipped++;
	else
		counts->failed++;
}

static enum kunit_status status_of(const struct counts *counts)
{
	if (counts->failed)
		return KUNIT_FAILURE;
	return counts->passed || !counts->total ? KUNIT_SUCCESS : KUNIT_SKIPPED;
}

void kunit_info(struct kunit *test, const char *format, ...)
{
	char text[LINE_MAX];
	va_list args;
	char *line = text;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	while (line) { /* a diagnostic is one line */
		char *newline = strchr(line, '\n');

		if (newline)
			*newline++ = '\0';
		if (*line)
			emit(test->suite, 1, "# %s: %s", test->name, line);
		line = newline;
	}
}
EXPORT_SYMBOL(kunit_info);

/* ---- What goes with a case ---- */

struct kunit_resource {
	struct list link;
	void (*action)(void *context); /* NULL: kunit_kmalloc()'s memory, behind this */
	void *context;
};

static void kunit_abort(struct kunit *test) __noreturn;

static void resource_add(struct kunit *test, struct kunit_resource *resource)
{
	unsigned long flags = spin_lock_irqsave(&test->lock);

	list_add(&test->resources, &resource->link); /* the last comes first when all go */
	spin_unlock_irqrestore(&test->lock, flags);
}

/* Takes the newest resource that matches out of the list; NULL: none. action NULL: any. */
static struct kunit_resource *resource_take(struct kunit *test, void (*action)(void *),
					    const void *context)
{
	unsigned long flags = spin_lock_irqsave(&test->lock);
	struct kunit_resource *resource, *found = NULL;

	list_for_each(resource, &test->resources, link) {
		if (resource->action == action && resource->context == context) {
			list_del(&resource->link);
			found = resource;
			break;
		}
	}
	spin_unlock_irqrestore(&test->lock, flags);
	return found;
}

void kunit_add_action(struct kunit *test, void (*action)(void *), void *context)
{
	struct kunit_resource *resource = kmalloc(sizeof(*resource), GFP_KERNEL);

	if (!resource) {
		action(context);
		KUNIT_FAIL_AND_ABORT(test, "no memory for an action");
	}
	resource->action = action;
	resource->context = context;
	resource_add(test, resource);
}
EXPORT_SYMBOL(kunit_add_action);

void kunit_remove_action(struct kunit *test, void (*action)(void *), void *context)
{
	kfree(resource_take(test, action, context));
}
EXPORT_SYMBOL(kunit_remove_action);

void kunit_release_action(struct kunit *test, void (*action)(void *), void *context)
{
	struct kunit_resource *resource = resource_take(test, action, context);

	if (resource) {
		kfree(resource);
		action(context);
	}
}
EXPORT_SYMBOL(kunit_release_action);

void *kunit_kmalloc(struct kunit *test, size_t size, unsigned int gfp)
{
	struct kunit_resource *resource = kmalloc(sizeof(*resource) + 8 + size, gfp);

	if (!resource)
		return NULL;
	/* Aligned to 16 like kmalloc's own. */
	resource->action = NULL;
	resource->context = (u8 *)resource + ALIGN_UP(sizeof(*resource), 16);
	resource_add(test, resource);
	return resource->context;
}
EXPORT_SYMBOL(kunit_kmalloc);

void kunit_kfree(struct kunit *test, const void *object)
{
	kfree(resource_take(test, NULL, object));
}
EXPORT_SYMBOL(kunit_kfree);

static void resources_release(struct kunit *test)
{
	while (!list_empty(&test->resources)) {
		struct kunit_resource *resource =
			container_of(test->resources.next, struct kunit_resource, link);

		list_del(&resource->link);
		if (resource->action)
			resource->action(resource->context);
		kfree(resource);
	}
}

/* ---- Static stubs ---- */

struct kunit_stub {
	struct list link; /* in stubs */
	struct kunit *test;
	void *function, *replacement;
};

static struct list stubs = LIST_INIT(stubs);
static spinlock_t stub_lock = SPINLOCK_INIT("kunit_stubs"); /* protects stubs; any context */
int kunit_stubs_active;
EXPORT_SYMBOL(kunit_stubs_active);

struct kunit *kunit_get_current_test(void)
{
	return current->kunit_test;
}
EXPORT_SYMBOL(kunit_get_current_test);

static struct kunit_stub *stub_of(const struct kunit *test, const void *function)
{
	struct kunit_stub *stub;

	list_for_each(stub, &stubs, link)
		if (stub->test == test && stub->function == function)
			return stub;
	return NULL;
}

void *kunit_stub_find(void *function)
{
	struct kunit *test = kunit_get_current_test();
	struct kunit_stub *stub;
	void *replacement = NULL;
	unsigned long flags;

	if (!test)
		return NULL;
	flags = spin_lock_irqsave(&stub_lock);
	stub = stub_of(test, function);
	if (stub)
		replacement = stub->replacement;
	spin_unlock_irqrestore(&stub_lock, flags);
	return replacement;
}
EXPORT_SYMBOL(kunit_stub_find);

static void stub_release(void *context)
{
	struct kunit_stub *stub = context;
	unsigned long flags = spin_lock_irqsave(&stub_lock);

	list_del(&stub->link);
	kunit_stubs_active--;
	spin_unlock_irqrestore(&stub_lock, flags);
	kfree(stub);
}

void kunit_stub_deactivate(struct kunit *test, void *function)
{
	unsigned long flags = spin_lock_irqsave(&stub_lock);
	struct kunit_stub *stub = stub_of(test, function);

	spin_unlock_irqrestore(&stub_lock, flags);
	if (stub)
		kunit_release_action(test, stub_release, stub);
}
EXPORT_SYMBOL(kunit_stub_deactivate);

void kunit_stub_activate(struct kunit *test, void *function, void *replacement)
{
	struct kunit_stub *stub = kmalloc(sizeof(*stub), GFP_KERNEL);
	unsigned long flags;

	if (!stub)
		KUNIT_FAIL_AND_ABORT(test, "no memory for a stub");
	kunit_stub_deactivate(test, function);
	*stub = (struct kunit_stub){ .test = test, .function = function, .replacement = replacement };
	flags = spin_lock_irqsave(&stub_lock);
	list_add(&stubs, &stub->link);
	kunit_stubs_active++;
	spin_unlock_irqrestore(&stub_lock, flags);
	kunit_add_action(test, stub_release, stub);
}
EXPORT_SYMBOL(kunit_stub_activate);

/* ---- Failures ---- */

static void kunit_abort(struct kunit *test)
{
	test->finished = true;
	thread_exit(0);
}

static void note_failure(struct kunit *test, const struct kunit_place *place)
{
	WRITE_ONCE(test->status, KUNIT_FAILURE);
	kunit_info(test, "%s FAILED at %s:%d", place->fatal ? "ASSERTION" : "EXPECTATION",
		   place->file, place->line);
}

/* The author's message, then the end of the case if it is an assertion. */
static void end_failure(struct kunit *test, const struct kunit_place *place, const char *format,
			va_list args)
{
	char text[LINE_MAX];

	if (format) {
		vsnprintf(text, sizeof(text), format, args);
		kunit_info(test, "%s", text);
	}
	if (place->fatal)
		kunit_abort(test);
}

#define END_FAILURE(test, place, format)                                                           \
	do {                                                                                       \
		va_list args_;                                                                     \
		va_start(args_, format);                                                           \
		end_failure(test, place, format, args_);                                           \
		va_end(args_);                                                                     \
	} while (0)

void kunit_fail(struct kunit *test, const struct kunit_place *place, const char *format, ...)
{
	note_failure(test, place);
	if (place->expression)
		kunit_info(test, "Expected %s to be %s", place->expression, place->operator ? place->operator : "true");
	END_FAILURE(test, place, format);
}
EXPORT_SYMBOL(kunit_fail);

void kunit_fail_integers(struct kunit *test, const struct kunit_place *place, long long left,
			 long long right, const char *format, ...)
{
	note_failure(test, place);
	kunit_info(test, "Expected %s %s %s, but", place->left, place->operator, place->right);
	kunit_info(test, "%s == %lld (0x%llx)", place->left, left, (unsigned long long)left);
	kunit_info(test, "%s == %lld (0x%llx)", place->right, right, (unsigned long long)right);
	END_FAILURE(test, place, format);
}
EXPORT_SYMBOL(kunit_fail_integers);

void kunit_fail_pointers(struct kunit *test, const struct kunit_place *place, const void *left,
			 const void *right, const char *format, ...)
{
	note_failure(test, place);
	kunit_info(test, "Expected %s %s %s, but", place->left, place->operator, place->right);
	kunit_info(test, "%s == %p", place->left, left);
	kunit_info(test, "%s == %p", place->right, right);
	END_FAILURE(test, place, format);
}
EXPORT_SYMBOL(kunit_fail_pointers);

void kunit_fail_strings(struct kunit *test, const struct kunit_place *place, const char *left,
			const char *right, const char *format, ...)
{
	note_failure(test, place);
	kunit_info(test, "Expected %s %s %s, but", place->left, place->operator, place->right);
	kunit_info(test, "%s == \"%s\"", place->left, left);
	kunit_info(test, "%s == \"%s\"", place->right, right);
	END_FAILURE(test, place, format);
}
EXPORT_SYMBOL(kunit_fail_strings);

void kunit_fail_memory(struct kunit *test, const struct kunit_place *place, const void *left,
		       const void *right, size_t size, const char *format, ...)
{
	const u8 *a = left, *b = right;
	size_t at = 0;

	note_failure(test, place);
	kunit_info(test, "Expected %s %s %s over %zu bytes", place->left, place->operator,
		   place->right, size);
	while (a && b && at < size && a[at] == b[at])
		at++;
	if (a && b && at < size)
		kunit_info(test, "first difference at byte %zu: 0x%02x and 0x%02x", at, a[at], b[at]);
	END_FAILURE(test, place, format);
}
EXPORT_SYMBOL(kunit_fail_memory);

static void mark_skipped(struct kunit *test, const char *format, va_list args)
{
	test->status = KUNIT_SKIPPED;
	vsnprintf(test->status_comment, sizeof(test->status_comment), format, args);
}

void kunit_mark_skipped(struct kunit *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	mark_skipped(test, format, args);
	va_end(args);
}
EXPORT_SYMBOL(kunit_mark_skipped);

void kunit_skip(struct kunit *test, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	mark_skipped(test, format, args);
	va_end(args);
	kunit_abort(test);
}
EXPORT_SYMBOL(kunit_skip);

/* ---- Running ---- */

struct case_run {
	struct kunit *test;
	struct kunit_case *test_case;
	bool clean_up; /* exit, not the case */
};

static int case_thread(void *arg)
{
	struct case_run *run = arg;
	struct kunit *test = run->test;
	int error = 0;

	current->kunit_test = test;
	if (run->clean_up) {
		if (test->suite->exit)
			test->suite->exit(test);
	} else {
		if (test->suite->init)
			error = test->suite->init(test);
		if (error) {
			kunit_info(test, "failed to initialize: %d", error);
			test->status = KUNIT_FAILURE;
		} else {
			run->test_case->run_case(test);
		}
	}
	test->finished = true;
	return 0;
}

/* Runs one of the two threads of a case and waits for it. False: it could not be started. */
static bool run_thread(struct case_run *run)
{
	struct kunit *test = run->test;
	struct thread *thread = kthread_create(case_thread, run, "kunit/%s", test->suite->name);
	bool ended;

	if (IS_ERR(thread)) {
		kunit_info(test, "no thread: error %ld", PTR_ERR(thread));
		test->status = KUNIT_FAILURE;
		return false;
	}
	test->finished = false;
	kthread_start(thread);
	ended = !wait_event_until(&thread->exited.queue, READ_ONCE(thread->exited.done),
				  time_monotonic_ns() + CASE_TIMEOUT_NS);
	if (!ended) {
		test->status = KUNIT_FAILURE;
		kunit_info(test, "timed out after %llu s; waiting for its end",
			   CASE_TIMEOUT_NS / NSEC_PER_SEC);
	}
	kthread_stop(thread);
	if (!test->finished) {
		test->status = KUNIT_FAILURE;
		kunit_info(test, "crashed");
	}
	return true;
}

static enum kunit_status run_case_once(struct kunit_suite *suite, struct kunit_case *test_case,
				       const void *param, unsigned int index, char *comment,
				       size_t comment_size)
{
	struct kunit *test = kzalloc(sizeof(*test), GFP_KERNEL);
	struct case_run run = { .test = test, .test_case = test_case };
	enum kunit_status status;

	if (!test) {
		strscpy(comment, "no memory", comment_size);
		return KUNIT_FAILURE;
	}
	test->name = test_case->name;
	test->suite = suite;
	test->param_value = param;
	test->param_index = index;
	spin_init(&test->lock, "kunit");
	list_init(&test->resources);
	if (run_thread(&run)) {
		run.clean_up = true;
		run_thread(&run);
	}
	resources_release(test);
	(void)reports_seen(); /* what the case expected and did not ask for */
	status = test->status;
	strscpy(comment, test->status_comment, comment_size);
	kfree(test);
	return status;
}

/* In KTAP a '#' begins a directive: none may stand in a name. */
static void description_clean(char *description)
{
	for (; *description; description++)
		if (*description == '#' || *description < ' ')
			*description = '_';
}

static enum kunit_status run_parameters(struct kunit_suite *suite, struct kunit_case *test_case)
{
	char description[KUNIT_PARAM_DESC_SIZE], comment[KUNIT_STATUS_COMMENT_SIZE];
	struct counts counts = {};
	const void *param = NULL;
	unsigned int planned = 0;

	while ((param = test_case->generate_params(param, description)))
		planned++;
	emit(suite, 2, "KTAP version 1");
	emit(suite, 2, "# Subtest: %s", test_case->name);
	emit(suite, 2, "1..%u", planned);
	for (;;) {
		enum kunit_status status;

		description[0] = '\0';
		param = test_case->generate_params(param, description);
		if (!param)
			break;
		if (!description[0])
			snprintf(description, sizeof(description), "param-%u", counts.total);
		description_clean(description);
		status = run_case_once(suite, test_case, param, counts.total, comment, sizeof(comment));
		count(&counts, status);
		emit_result(suite, 2, status, counts.total, description, comment);
	}
	emit_counts(suite, 1, test_case->name, &counts);
	return status_of(&counts);
}

static void run_case(struct kunit_suite *suite, struct kunit_case *test_case, struct counts *counts)
{
	char comment[KUNIT_STATUS_COMMENT_SIZE] = "";
	enum selection selection = select_case(suite, test_case);

	if (selection == LEAVE_OUT)
		return;
	if (selection == SKIP) {
		test_case->status = KUNIT_SKIPPED;
		strscpy(comment, "filtered out", sizeof(comment));
	} else if (test_case->generate_params) {
		test_case->status = run_parameters(suite, test_case);
	} else {
		test_case->status = run_case_once(suite, test_case, NULL, 0, comment, sizeof(comment));
	}
	if (test_case->attr.speed > KUNIT_SPEED_UNSET && test_case->attr.speed < KUNIT_SPEED_NORMAL)
		emit(suite, 1, "# %s.speed: %s", test_case->name, speed_names[test_case->attr.speed]);
	count(counts, test_case->status);
	emit_result(suite, 1, test_case->status, counts->total, test_case->name, comment);
}

static unsigned int planned_cases(const struct kunit_suite *suite)
{
	unsigned int planned = 0;

	for (struct kunit_case *test_case = suite->test_cases; test_case->run_case; test_case++)
		planned += select_case(suite, test_case) != LEAVE_OUT;
	return planned;
}

static enum kunit_status run_suite(struct kunit_suite *suite, unsigned int planned)
{
	struct counts counts = {};
	int error = 0;

	emit(suite, 1, "KTAP version 1");
	emit(suite, 1, "# Subtest: %s", suite->name);
	emit(suite, 1, "1..%u", planned);
	if (suite->suite_init)
		error = suite->suite_init(suite);
	if (error) {
		emit(suite, 1, "# %s: suite_init failed: %d", suite->name, error);
		counts.failed = counts.total = planned;
		for (unsigned int i = 0; i < planned; i++)
			emit(suite, 1, "not ok %u %s", i + 1, "not_run");
	} else {
		for (struct kunit_case *test_case = suite->test_cases; test_case->run_case; test_case++)
			run_case(suite, test_case, &counts);
		if (suite->suite_exit)
			suite->suite_exit(suite);
	}
	emit_counts(suite, 0, suite->name, &counts);
	return status_of(&counts);
}

/* ---- Results in /sys/kernel/kunit/SUITE ---- */

static int results_show(struct text *text, void *object)
{
	struct kunit_suite_result *result = object;

	text_puts(text, "KTAP version 1\n1..1\n");
	mutex_lock(&result->lock);
	text_write(text, result->text.data, result->text.length);
	mutex_unlock(&result->lock);
	return 0;
}
static const struct pseudo_file result_files[] = {
	PSEUDO_TEXT("results", 0444, results_show),
	{},
};

static int result_add(struct kunit_suite *suite)
{
	struct pseudo_directory *parent = pseudo_directory_path(sys_tree, "kernel/kunit");
	struct kunit_suite_result *result = kzalloc(sizeof(*result), GFP_KERNEL);
	struct pseudo_directory *directory;

	if (!parent || !result) {
		kfree(result);
		return -ENOMEM;
	}
	mutex_init(&result->lock, "kunit_result");
	directory = pseudo_directory_add(sys_tree, parent, suite->name, result_files, result);
	if (IS_ERR(directory)) {
		kfree(result);
		return (int)PTR_ERR(directory);
	}
	result->directory = directory;
	suite->result = result;
	return 0;
}

static void result_remove(struct kunit_suite *suite)
{
	struct kunit_suite_result *result = suite->result;

	if (!result)
		return;
	pseudo_directory_remove(result->directory);
	suite->result = NULL;
	text_release(&result->text);
	kfree(result);
}

int kunit_suites_run(struct kunit_suite *const *suites, size_t suite_count)
{
	unsigned int planned = 0, number = 0;
	int error;

	if (!kunit_enabled) {
		pr_info("kunit: disabled\n");
		return 0;
	}
	for (size_t i = 0; i < suite_count; i++)
		planned += planned_cases(suites[i]) != 0;
	if (!planned)
		return 0;
	emit(NULL, 0, "KTAP version 1");
	emit(NULL, 0, "1..%u", planned);
	for (size_t i = 0; i < suite_count; i++) {
		unsigned int cases = planned_cases(suites[i]);
		enum kunit_status status;

		if (!cases)
			continue;
		error = result_add(suites[i]);
		if (error)
			return error;
		status = run_suite(suites[i], cases);
		emit_result(suites[i], 0, status, ++number, suites[i]->name, NULL);
	}
	return 0;
}

void kunit_suites_remove(struct kunit_suite *const *suites, size_t suite_count)
{
	for (size_t i = 0; i < suite_count; i++)
		result_remove(suites[i]);
}

/* ---- /sys/module/kunit/parameters ---- */

static int parameter_show(struct text *text, void *object)
{
	mutex_lock(&parameter_lock);
	text_printf(text, "%s\n", (const char *)object);
	mutex_unlock(&parameter_lock);
	return 0;
}

static int parameter_store(const char *words, size_t length, char *to, size_t size)
{
	ssize_t copied;

	mutex_lock(&parameter_lock);
	copied = strscpy(to, words, size);
	mutex_unlock(&parameter_lock);
	return copied < 0 ? -EINVAL : 0;
}

static int filter_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return parameter_store(words, length, object, FILTER_MAX);
}

static int action_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return parameter_store(words, length, object, sizeof(filter_action));
}

static int enable_show(struct text *text, void *object)
{
	text_puts(text, kunit_enabled ? "Y\n" : "N\n");
	return 0;
}

static int enable_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	return parse_bool(words, &kunit_enabled);
}

static const struct {
	struct pseudo_file file;
	void *object;
} parameters[] = {
	{ PSEUDO_CONTROL("filter_glob", 0644, parameter_show, filter_store), filter_glob },
	{ PSEUDO_CONTROL("filter", 0644, parameter_show, filter_store), filter_attributes },
	{ PSEUDO_CONTROL("filter_action", 0644, parameter_show, action_store), filter_action },
	{ PSEUDO_CONTROL("enable", 0644, enable_show, enable_store), NULL },
};

static void boot_text(const char *name, char *to, size_t size)
{
	const char *value = boot_param(name);

	if (value && strscpy(to, value, size) < 0)
		pr_warn("kunit: %s is too long and was cut\n", name);
}

void kunit_init(void)
{
	const char *enable = boot_param("kunit.enable");
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, "module/kunit/parameters");

	boot_text("kunit.filter_glob", filter_glob, sizeof(filter_glob));
	boot_text("kunit.filter", filter_attributes, sizeof(filter_attributes));
	boot_text("kunit.filter_action", filter_action, sizeof(filter_action));
	if (enable && *enable && parse_bool(enable, &kunit_enabled))
		pr_warn("kunit: enable=%s is neither 0 nor 1\n", enable);
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		if (!directory || pseudo_file_add(directory, &parameters[i].file, parameters[i].object))
			pr_err("kunit: no parameter %s in /sys\n", parameters[i].file.name);
}
