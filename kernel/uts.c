/* The machine's own name and its domain's. */
#include <kumo/err.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/uts.h>

static spinlock_t uts_lock = SPINLOCK_INIT("uts"); /* protects both */
static char uts_names[2][UTS_LENGTH + 1] = { [UTS_HOST] = "(none)", [UTS_DOMAIN] = "(none)" };

void uts_get(enum uts_name which, char name[UTS_LENGTH + 1])
{
	spin_lock(&uts_lock);
	memcpy(name, uts_names[which], UTS_LENGTH + 1);
	spin_unlock(&uts_lock);
}

int uts_set(enum uts_name which, const char *name, size_t length)
{
	if (length > UTS_LENGTH)
		return -EINVAL;
	spin_lock(&uts_lock);
	memset(uts_names[which], 0, UTS_LENGTH + 1);
	memcpy(uts_names[which], name, length);
	spin_unlock(&uts_lock);
	return 0;
}
