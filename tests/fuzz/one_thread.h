/* See one_thread.c. */
#ifndef FUZZ_ONE_THREAD_H
#define FUZZ_ONE_THREAD_H

#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/tree.h>
#include <kumo/work.h>

#define PAGE_UNDER_WAY 1 /* page->error until its read or write has been ended, once */

extern unsigned int node_count, page_count; /* that there are */
bool work_step(void);			    /* does one that is queued; false: there is none */

#endif
