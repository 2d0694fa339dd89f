/* Out of memory (mm/oom.c): a process goes, never the machine. */
#ifndef KUMO_OOM_H
#define KUMO_OOM_H

#include <kumo/types.h>

/*
 * Kills the process that holds the most memory, unless one that was killed before has not gone yet. True: memory will
 * come, wait a moment and try again. False: there is nobody to kill. Any context that may sleep.
 */
bool oom_kill(void);
/* For a page fault that found no memory, with no lock held: has a process killed and waits a little for it to go. */
void oom_wait(void);

#endif
