/* Modules, for the fuzzers of state machines. */
#ifndef FUZZ_MODULE_H
#define FUZZ_MODULE_H

#include_next <kumo/module.h>
#include <kumo/export.h>

static inline bool try_module_get(struct module *module)
{
	return true;
}
static inline void module_put(struct module *module)
{
}
static inline int request_module(const char *format, ...)
{
	return -2; /* -ENOENT */
}

#endif
