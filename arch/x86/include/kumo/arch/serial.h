/* The first serial port before it has a driver (arch/x86/serial.c); writing is in <kumo/boot.h>. */
#ifndef KUMO_ARCH_SERIAL_H
#define KUMO_ARCH_SERIAL_H

void serial_early_init(void);

#endif
