/*
 * Reports of the checkers (kernel/report.c): something was found that must never be. A report is one log line
 * "BUG: CHECKER: what", a backtrace, and lines of the checker's own. Any such line makes a test run fail, unless the
 * running test expects it.
 *
 *	if (report_begin("lock", "taken twice: %s", name)) {
 *		report_line("first taken at %pS", place);
 *		report_end();
 *	}
 *
 * A test that makes a fault on purpose:
 *
 *	reports_expect("lock");
 *	make_the_fault();
 *	KUNIT_EXPECT_EQ(test, reports_seen(), 1);
 */
#ifndef KUMO_REPORT_H
#define KUMO_REPORT_H

#include <kumo/types.h>

/* Any context, whatever locks are held. Until report_end() interrupts are off and no other CPU reports. False: this CPU is in
 * the middle of a report already, or the machine panics, so there is nothing to do. */
bool report_begin(const char *checker, const char *format, ...) __printf(2, 3) __must_check;
void report_line(const char *format, ...) __printf(1, 2);
void report_end(void);
/* Whether this CPU is between the two: what a report does to get itself written is not to be checked. */
bool report_running(void);
/* Whether reports of `checker` are expected; counts this one if so. For what writes reports of its own (oops.c). */
bool report_expected(const char *checker);
/* From now on there are no reports: the machine panics. */
void reports_stop(void);

/* Until reports_seen(), reports of `checker` are expected: they are counted, and logged without "BUG:". One checker at a
 * time; the end of a test case ends it. */
void reports_expect(const char *checker);
unsigned int reports_seen(void); /* how many came since */

#endif
