/* The machine's input and output: ports and device registers. Included through <kumo/io.h>. */
#ifndef KUMO_ARCH_IO_H
#define KUMO_ARCH_IO_H

#include <kumo/types.h>

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u16 inw(u16 port)
{
	u16 value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline u32 inl(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port) : "memory");
}

static inline u8 readb(const volatile void __iomem *address)
{
	return *(const volatile u8 *)address;
}

static inline u16 readw(const volatile void __iomem *address)
{
	return *(const volatile u16 *)address;
}

static inline u32 readl(const volatile void __iomem *address)
{
	return *(const volatile u32 *)address;
}

static inline u64 readq(const volatile void __iomem *address)
{
	return *(const volatile u64 *)address;
}

static inline void writeb(u8 value, volatile void __iomem *address)
{
	*(volatile u8 *)address = value;
}

static inline void writew(u16 value, volatile void __iomem *address)
{
	*(volatile u16 *)address = value;
}

static inline void writel(u32 value, volatile void __iomem *address)
{
	*(volatile u32 *)address = value;
}

static inline void writeq(u64 value, volatile void __iomem *address)
{
	*(volatile u64 *)address = value;
}

#endif
