/*
 * The build that counts cache lines (make BUILD=lines, kernel/lines.c). Every other build knows nothing of it: there,
 * and in modules, lines_contended() is nothing.
 */
#ifndef KUMO_LINES_H
#define KUMO_LINES_H

#if defined(CONFIG_LINES) && !defined(MODULE)
/* This CPU found `lock` taken and will wait. */
void lines_contended(const void *lock);
#else
static inline void lines_contended(const void *lock)
{
}
#endif

#endif
