/* Pages, for the fuzzers of state machines: those of a process, and single ones to be had. */
#ifndef FUZZ_PAGE_H
#define FUZZ_PAGE_H

#define page_put environment_page_put /* there, a page is never let go of by itself */
#include_next <kumo/page.h>
#undef page_put

struct page *page_alloc(unsigned int order, unsigned int gfp);
void page_put(struct page *page);
struct page *virt_to_page(const void *address);

#endif
