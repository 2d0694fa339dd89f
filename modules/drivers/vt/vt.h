/* The terminal on the machine's own screen: what vt.ko gives to keyboard drivers. */
#ifndef DRIVERS_VT_H
#define DRIVERS_VT_H

#include <kumo/types.h>

/* Bytes that a key stands for (UTF-8, escape sequences), as if they came over a serial line. Any context. */
void vt_input(const u8 *bytes, size_t size);
/* Whether arrow and keypad keys send application sequences (DECCKM). */
bool vt_application_keys(void);

#endif
