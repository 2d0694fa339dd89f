/*
 * ACPI: the static tables (arch/x86/acpi.c) and what is needed of them to switch the machine off (arch/x86/power.c). There is no
 * interpreter of the byte code. Tables come from firmware that may lie: each is believed only within its checked length.
 * (ACPI 6.5, chapters 4 and 5)
 */
#ifndef KUMO_ARCH_ACPI_H
#define KUMO_ARCH_ACPI_H

#include <kumo/types.h>

struct acpi_header {
	char signature[4];
	u32 length; /* of the whole table */
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision, creator_id, creator_revision;
} __packed;

/* A register's address: which space, and where. */
struct acpi_address {
	u8 space; /* 0 memory, 1 I/O ports */
	u8 bit_width, bit_offset, access_size;
	u64 address;
} __packed;

/* FADT; older ones are shorter: fields beyond the table's length read as zero. */
struct acpi_fadt {
	struct acpi_header header;
	u32 firmware_control, dsdt;
	u8 reserved0, preferred_profile;
	u16 sci_interrupt;
	u32 smi_command_port;
	u8 acpi_enable, acpi_disable, s4bios, pstate_control;
	u32 pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
	u8 pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
	u8 gpe0_length, gpe1_length, gpe1_base, cstate_control;
	u16 c2_latency, c3_latency, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_flags;
	u8 reserved1;
	u32 flags;
	struct acpi_address reset_register;
	u8 reset_value;
	u16 arm_flags;
	u8 minor_revision;
	u64 x_firmware_control, x_dsdt;
	struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control,
		x_pm2_control, x_pm_timer, x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
} __packed;

enum {
	ACPI_FADT_TIMER_32BIT = 1 << 8,
	ACPI_FADT_RESET = 1 << 10,
	ACPI_FADT_HARDWARE_REDUCED = 1 << 20,
};

/*
 * Finds the tables and reads those that the machine part uses: CPUs and interrupt controllers (MADT), HPET, FADT. A
 * machine without ACPI keeps one CPU and the usual addresses. After kva_init().
 */
void acpi_init(void);

/* Maps the table with this signature, length and checksum verified; NULL when there is none. acpi_table_unmap() when done. */
const struct acpi_header *acpi_table_map(const char signature[4]);
void acpi_table_unmap(const struct acpi_header *table);

/* What acpi_init() found. */
extern struct acpi_machine {
	phys_addr_t local_apic;
	phys_addr_t hpet;  /* 0: none */
	u16 pm_timer_port; /* 0: none */
	bool pm_timer_32bit;
	u8 century_register; /* in the CMOS clock; 0: none */
} acpi_machine;

/* power.c: takes what it needs from the FADT and the code block with the sleep states. */
void power_init(const struct acpi_fadt *fadt, const u8 *dsdt, size_t dsdt_size);

#endif
