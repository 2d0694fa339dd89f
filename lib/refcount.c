/* What happens to a reference count that went wrong: it is pinned far from both ends, so that the object is never freed
 * again, and reported with a backtrace the first time. Both builds do so. */
#include <kumo/export.h>
#include <kumo/refcount.h>
#include <kumo/report.h>

/* Users of a pinned count move it a little until the next of them comes by here. */
static bool is_pinned(int count)
{
	return count > REFCOUNT_SATURATED * 3LL / 2 && count < REFCOUNT_SATURATED / 2;
}

void refcount_saturate(refcount_t *r, const char *what)
{
	bool known = is_pinned(atomic_read(&r->refs));

	atomic_set(&r->refs, REFCOUNT_SATURATED);
	if (!known && report_begin("refcount", "%s", what))
		report_end();
}
EXPORT_SYMBOL(refcount_saturate);
