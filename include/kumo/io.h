/*
 * Access to devices: registers in memory mapped with ioremap() (kva.h), and the ports of machines that have them.
 *
 *	u32 readl(address)	writel(value, address)		b w l q: 1, 2, 4, 8 bytes
 *	u32 inl(port)		outl(port, value)		b w l
 *
 * Each is one access of its width, in program order with the other accesses to devices and, since they are volatile
 * and the memory is uncached, with the accesses to ordinary memory that the machine orders with them.
 */
#ifndef KUMO_IO_H
#define KUMO_IO_H

#include <kumo/arch/io.h>

#endif
