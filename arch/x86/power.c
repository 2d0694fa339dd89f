/*
 * Switching the machine off and restarting it: the ways that ACPI describes, then those that PCs have had before. What is needed is
 * looked up while the machine starts, because these functions run in any context.
 */
#define LOG_PREFIX "power: "
#include <kumo/arch/acpi.h>
#include <kumo/arch/irqflags.h>
#include <kumo/boot.h>
#include <kumo/export.h>
#include <kumo/io.h>
#include <kumo/kva.h>
#include <kumo/printk.h>
#include <kumo/string.h>

enum { SPACE_MEMORY = 0, SPACE_PORT = 1 };

/* One byte or word that can be written at any time. */
struct hardware_register {
	u16 port;
	void __iomem *memory;
};

static struct hardware_register reset_register, sleep_control;
static u8 reset_value;
static u16 pm1a_control, pm1b_control, smi_command;
static u8 acpi_enable_command;
static u16 sleep_type_a, sleep_type_b;
static bool can_sleep;

enum { PM1_SCI_ENABLE = 1, PM1_SLEEP_ENABLE = 1 << 13, PM1_SLEEP_TYPE_SHIFT = 10 };
enum { SLEEP_CONTROL_ENABLE = 1 << 5, SLEEP_CONTROL_TYPE_SHIFT = 2 };

static void __init register_prepare(struct hardware_register *prepared, const struct acpi_address *address)
{
	if (!address->address)
		return;
	if (address->space == SPACE_PORT && address->address <= 0xffff)
		prepared->port = (u16)address->address;
	else if (address->space == SPACE_MEMORY) {
		char __iomem *page =
			ioremap(ALIGN_DOWN(address->address, PAGE_SIZE), PAGE_SIZE, KVA_DEVICE);

		if (page)
			prepared->memory = page + address->address % PAGE_SIZE;
	}
}

static bool register_write(const struct hardware_register *prepared, u8 value)
{
	if (prepared->port)
		outb(prepared->port, value);
	else if (prepared->memory)
		writeb(value, prepared->memory);
	return prepared->port || prepared->memory;
}

/* ---- \_S5, the sleep state that is off: a package of constants in the byte code (ACPI 6.5, 7.4.2 and 20.2) ---- */

enum {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0a,
	AML_WORD = 0x0b,
	AML_PACKAGE = 0x12
};

/* Reads a small constant at *at; false when there is something else. */
static bool __init aml_constant(const u8 *code, size_t size, size_t *at, u16 *value)
{
	if (*at >= size)
		return false;
	switch (code[(*at)++]) {
	case AML_ZERO:
		*value = 0;
		return true;
	case AML_ONE:
		*value = 1;
		return true;
	case AML_BYTE:
		if (*at + 1 > size)
			return false;
		*value = code[(*at)++];
		return true;
	case AML_WORD:
		if (*at + 2 > size)
			return false;
		*value = (u16)(code[*at] | code[*at + 1] << 8);
		*at += 2;
		return true;
	default:
		return false;
	}
}

/* `at` is behind the name: Package { type for PM1a, type for PM1b, ... }. */
static bool __init aml_sleep_package(const u8 *code, size_t size, size_t at)
{
	if (at + 3 > size || code[at] != AML_PACKAGE)
		return false;
	at += 2 + (code[at + 1] >> 6); /* the package's length: 1 to 4 bytes */
	if (at >= size || code[at++] < 2)
		return false;
	return aml_constant(code, size, &at, &sleep_type_a) &&
	       aml_constant(code, size, &at, &sleep_type_b);
}

static bool __init aml_find_s5(const u8 *code, size_t size)
{
	const u8 *at = code, *end = code + size;

	while (at < end && (at = memchr(at, '_', (size_t)(end - at)))) {
		size_t offset = (size_t)(at - code);
		bool named = offset && (at[-1] == AML_NAME ||
					(at[-1] == '\\' && offset > 1 && at[-2] == AML_NAME));

		if (named && size - offset > 4 && !memcmp(at, "_S5_", 4) &&
		    aml_sleep_package(code, size, offset + 4))
			return true;
		at++;
	}
	return false;
}

void __init power_init(const struct acpi_fadt *fadt, const u8 *dsdt, size_t dsdt_size)
{
	if (fadt->flags & ACPI_FADT_RESET) {
		register_prepare(&reset_register, &fadt->reset_register);
		reset_value = fadt->reset_value;
	}
	if (fadt->flags & ACPI_FADT_HARDWARE_REDUCED) {
		register_prepare(&sleep_control, &fadt->sleep_control);
	} else {
		pm1a_control = (u16)fadt->pm1a_control;
		pm1b_control = (u16)fadt->pm1b_control;
		smi_command = (u16)fadt->smi_command_port;
		acpi_enable_command = fadt->acpi_enable;
	}
	can_sleep = dsdt && aml_find_s5(dsdt, dsdt_size);
	if (!can_sleep)
		pr_warn("ACPI does not say how to switch the machine off\n");
}

/* The firmware gives control of these registers when asked through its command port. */
static void take_control(void)
{
	if (inw(pm1a_control) & PM1_SCI_ENABLE || !smi_command || !acpi_enable_command)
		return;
	outb(smi_command, acpi_enable_command);
	for (int i = 0; i < 1000000 && !(inw(pm1a_control) & PM1_SCI_ENABLE); i++)
		cpu_relax();
}

/* What was tried takes a moment. */
static void wait_a_moment(void)
{
	for (int i = 0; i < 100000; i++)
		(void)inb(0x80);
}

void arch_power_off(void)
{
	local_irq_disable();
	arch_stop_others();
	if (can_sleep && pm1a_control) {
		take_control();
		outw(pm1a_control, (u16)((sleep_type_a & 7) << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
		if (pm1b_control)
			outw(pm1b_control,
			     (u16)((sleep_type_b & 7) << PM1_SLEEP_TYPE_SHIFT | PM1_SLEEP_ENABLE));
	} else if (can_sleep) {
		register_write(&sleep_control, (u8)((sleep_type_a & 7) << SLEEP_CONTROL_TYPE_SHIFT |
						    SLEEP_CONTROL_ENABLE));
	}
	wait_a_moment();
	pr_emerg("the machine may be switched off now\n");
	arch_halt();
}

/* ---- Restart ---- */

enum { RESET_CONTROL = 0xcf9, RESET_HARD = 2, RESET_NOW = 4 };
enum { KEYBOARD_COMMAND = 0x64, KEYBOARD_RESET = 0xfe, KEYBOARD_BUSY = 2 };

void arch_reset(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed no_table = { 0, 0 };

	local_irq_disable();
	arch_stop_others();
	if (register_write(&reset_register, reset_value))
		wait_a_moment();

	outb(RESET_CONTROL, RESET_HARD);
	outb(RESET_CONTROL, RESET_HARD | RESET_NOW);
	wait_a_moment();

	for (int i = 0; i < 100000 && inb(KEYBOARD_COMMAND) & KEYBOARD_BUSY; i++)
		cpu_relax();
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	wait_a_moment();

	/* An exception without a table to find its handler in stops the CPU, which resets the machine. */
	__asm__ volatile("lidt %0; ud2" ::"m"(no_table));
	for (;;)
		__asm__ volatile("cli; hlt");
}
