/* What happens to a reference count that went wrong: it is pinned far from both ends, so that the object is never freed
 * again, and the first such event is reported with a backtrace. */
#define LOG_PREFIX "refcount: "
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/refcount.h>

void refcount_saturate(refcount_t *r, const char *what)
{
	static atomic_t reported;

	atomic_set(&r->refs, REFCOUNT_SATURATED);
	if (!atomic_xchg(&reported, 1))
		warn_at(__FILE__, __LINE__, what);
}
EXPORT_SYMBOL(refcount_saturate);
