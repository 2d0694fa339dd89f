/*
 * The oldest devices of a PC: the interval timer (i8253), whose third channel serves as a reference when there is nothing
 * better, and the interrupt controllers (i8259), which are shut off in favour of the I/O APIC.
 */
#include <kumo/arch/apic.h>
#include <kumo/arch/tsc.h>
#include <kumo/io.h>

enum { PIT_CHANNEL_2 = 0x42, PIT_COMMAND = 0x43, SPEAKER = 0x61 };
enum { COMMAND_LATCH_2 = 0x80, COMMAND_COUNT_DOWN_2 = 0xb0 }; /* mode 0, low byte first */
enum { SPEAKER_GATE = 1, SPEAKER_ON = 2 };

#define PIT_HZ 1193182

static u64 counter_read(void)
{
	unsigned int low;

	outb(PIT_COMMAND, COMMAND_LATCH_2);
	low = inb(PIT_CHANNEL_2);
	return 0xffff - (low | (unsigned int)inb(PIT_CHANNEL_2) << 8);
}

static const struct reference_counter counter = {
	.name = "PIT", .hz = PIT_HZ, .mask = 0xffff, .read = counter_read
};

const struct reference_counter *__init pit_counter(void)
{
	u64 first;

	outb(SPEAKER, (inb(SPEAKER) & ~SPEAKER_ON) | SPEAKER_GATE);
	outb(PIT_COMMAND, COMMAND_COUNT_DOWN_2);
	outb(PIT_CHANNEL_2, 0xff);
	outb(PIT_CHANNEL_2, 0xff);
	first = counter_read();
	for (int i = 0; i < 1000; i++)
		if (counter_read() != first)
			return &counter;
	return NULL;
}

enum { PIC_1 = 0x20, PIC_1_DATA = 0x21, PIC_2 = 0xa0, PIC_2_DATA = 0xa1 };
enum { INIT_WITH_ICW4 = 0x11, CASCADE_LINE = 2, MODE_8086 = 1, ALL_MASKED = 0xff };

/* Spurious interrupts come even so: their vectors are moved away from the exceptions. */
void __init i8259_disable(void)
{
	outb(PIC_1, INIT_WITH_ICW4);
	outb(PIC_1_DATA, VECTOR_I8259);
	outb(PIC_1_DATA, 1 << CASCADE_LINE);
	outb(PIC_1_DATA, MODE_8086);
	outb(PIC_2, INIT_WITH_ICW4);
	outb(PIC_2_DATA, VECTOR_I8259 + 8);
	outb(PIC_2_DATA, CASCADE_LINE);
	outb(PIC_2_DATA, MODE_8086);
	outb(PIC_1_DATA, ALL_MASKED);
	outb(PIC_2_DATA, ALL_MASKED);
}
