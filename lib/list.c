/* What the debug build does with a list whose links contradict each other: somebody wrote into freed memory, or added or
 * removed an entry twice. Going on would spread the damage. */
#include <kumo/export.h>
#include <kumo/list.h>
#include <kumo/printk.h>

void list_corrupt(const struct list *entry, const char *what)
{
	panic("list corrupt at %s: entry %p, next %p, prev %p", what, (const void *)entry,
	      (const void *)entry->next, (const void *)entry->prev);
}
EXPORT_SYMBOL(list_corrupt);
