/*
 * Allocation tracks of the debug build (mm/track.c): who allocated what lives, and who freed what does not. An allocator
 * keeps a struct track for each of its objects; in the release build there is none of this.
 */
#ifndef KUMO_TRACK_H
#define KUMO_TRACK_H

#ifdef CONFIG_DEBUG

#include <kumo/types.h>

struct track {
	u32 alloc_stack, free_stack; /* stack_depot.h; free_stack 0: not freed since */
	bool live;
	int pid; /* of the thread that allocated */
	size_t size;
	u64 time_ns; /* since the start: of the allocation, then of the freeing */
};

/* An allocation that has succeeded; `gfp` may say GFP_UNTRACKED. Any context. */
void track_allocated(struct track *track, size_t size, unsigned int gfp);
/* Nothing when it is not tracked. Any context. */
void track_freed(struct track *track);
/* Within a report (report.h): how and when it was allocated and freed. */
void track_print(const struct track *track);

/*
 * Owners: 0 is the kernel, the others are modules, by name; a module keeps its number when it is loaded again. What is
 * allocated belongs to the innermost module in the backtrace.
 */
unsigned int track_owner(const char *name); /* made if it is not known; any context */
/* Reports as "leak" what the owner, a module that has nothing to do any more, has left behind, as far as it was not reported
 * before. Waits for what is freed after a grace period. Sleeps. */
void track_check_leaks(unsigned int owner);

void track_init(void); /* /sys/kernel/debug/allocations */

#else

static inline void track_init(void)
{
}

#endif
#endif
