/* ACPI's static tables: see acpi.h. */
#define LOG_PREFIX "acpi: "
#include <kumo/arch/acpi.h>
#include <kumo/arch/apic.h>
#include <kumo/arch/smp.h>
#include <kumo/boot.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#define LOCAL_APIC_DEFAULT 0xfee00000
#define IOAPIC_DEFAULT 0xfec00000
#define TABLE_SIZE_MAX (16 * MIB) /* larger ones are taken for lies */
#define TABLES_MAX 256

struct acpi_machine acpi_machine = { .local_apic = LOCAL_APIC_DEFAULT };

/* Addresses of all tables that the root table lists. */
static phys_addr_t *table_addresses;
static unsigned int table_count;

/* ---- Mapping ---- */

static const void *map(phys_addr_t phys, size_t size)
{
	phys_addr_t start = ALIGN_DOWN(phys, PAGE_SIZE);
	char __iomem *mapping;

	if (!phys || phys + size < phys)
		return NULL;
	mapping = ioremap(start, ALIGN_UP(phys + size, PAGE_SIZE) - start, KVA_RO);
	return mapping ? mapping + (phys - start) : NULL;
}

static void unmap(const void *address)
{
	if (address)
		iounmap((void __iomem *)ALIGN_DOWN((unsigned long)address, PAGE_SIZE));
}

static bool checksum_good(const void *data, size_t size)
{
	const u8 *bytes = data;
	u8 sum = 0;

	while (size--)
		sum += *bytes++;
	return !sum;
}

/* Maps a whole table; NULL when its header or checksum is wrong, or (signature given) it is another. */
static const struct acpi_header *map_table(phys_addr_t phys, const char *signature)
{
	const struct acpi_header *header = map(phys, sizeof(*header));
	u32 length;

	if (!header)
		return NULL;
	length = header->length;
	if (length < sizeof(*header) || length > TABLE_SIZE_MAX ||
	    (signature && memcmp(header->signature, signature, 4))) {
		unmap(header);
		return NULL;
	}
	/* Most tables end on the page where they begin. */
	if (phys % PAGE_SIZE + length > PAGE_SIZE) {
		unmap(header);
		header = map(phys, length);
		if (!header)
			return NULL;
	}
	if (header->length != length || !checksum_good(header, length)) {
		pr_warn("table %.4s at %#llx has a wrong checksum\n", header->signature,
			(unsigned long long)phys);
		unmap(header);
		return NULL;
	}
	return header;
}

const struct acpi_header *acpi_table_map(const char signature[4])
{
	for (unsigned int i = 0; i < table_count; i++) {
		const struct acpi_header *table = map_table(table_addresses[i], signature);

		if (table)
			return table;
	}
	return NULL;
}

void acpi_table_unmap(const struct acpi_header *table)
{
	unmap(table);
}

/* ---- The root ---- */

struct root_pointer {
	char signature[8];
	u8 checksum; /* of the first 20 bytes */
	char oem_id[6];
	u8 revision;
	u32 rsdt;
	/* from revision 2 on: */
	u32 length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __packed;
#define ROOT_POINTER_OLD 20

static bool __init root_pointer_good(const struct root_pointer *root)
{
	return !__builtin_memcmp(root->signature, "RSD PTR ", 8) &&
	       checksum_good(root, ROOT_POINTER_OLD);
}

/* Looks for the root pointer on 16-byte boundaries; a copy of it is left in *found. */
static bool __init scan(phys_addr_t start, size_t size, struct root_pointer *found)
{
	const u8 *mapping = map(start, size);
	bool good = false;

	for (size_t at = 0; mapping && !good && at + sizeof(*found) <= size; at += 16) {
		good = root_pointer_good((const void *)(mapping + at));
		if (good)
			memcpy(found, mapping + at, sizeof(*found));
	}
	unmap(mapping);
	return good;
}

/* From the boot loader, else in the first KiB of the extended BIOS data area, else in the BIOS (ACPI 6.5, 5.2.5.1). */
static bool __init root_pointer_find(struct root_pointer *root)
{
	const u16 *bios_data;
	phys_addr_t extended;

	if (boot_info.acpi_rsdp && scan(boot_info.acpi_rsdp, sizeof(*root), root))
		return true;
	bios_data = map(0x40e, sizeof(*bios_data));
	extended = bios_data ? (phys_addr_t)*bios_data << 4 : 0;
	unmap(bios_data);
	if (extended >= 0x400 && extended < 0xa0000 && scan(extended, 1024, root))
		return true;
	return scan(0xe0000, 0x20000, root);
}

/* Keeps the addresses that the root table holds: 8 bytes each in an XSDT, 4 in an RSDT. */
static void __init root_table_read(const struct acpi_header *table, size_t entry_size)
{
	size_t count = min((table->length - sizeof(*table)) / entry_size, (size_t)TABLES_MAX);
	const u8 *entries = (const u8 *)(table + 1);

	table_addresses = kcalloc(count, sizeof(*table_addresses), GFP_KERNEL);
	if (!table_addresses)
		return;
	table_count = (unsigned int)count;
	for (size_t i = 0; i < count; i++)
		memcpy(&table_addresses[i], entries + i * entry_size, entry_size);
}

static bool __init tables_find(void)
{
	struct root_pointer root = {};
	const struct acpi_header *table = NULL;
	size_t entry_size = 8;

	if (!root_pointer_find(&root))
		return false;
	if (root.revision >= 2 && root.xsdt)
		table = map_table(root.xsdt, "XSDT");
	if (!table) {
		table = map_table(root.rsdt, "RSDT");
		entry_size = 4;
	}
	if (!table)
		return false;
	root_table_read(table, entry_size);
	unmap(table);
	return table_count;
}

/* ---- MADT: CPUs and interrupt controllers (5.2.12) ---- */

enum {
	MADT_LOCAL_APIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LOCAL_APIC_ADDRESS = 5,
	MADT_LOCAL_X2APIC = 9,
};
#define MADT_ENTRIES 44 /* offset of the first */

struct madt_entry {
	u8 type, length;
	union {
		struct {
			u8 processor, apic_id;
			u32 flags;
		} __packed local_apic;
		struct {
			u8 id, reserved;
			u32 address, first_gsi;
		} __packed ioapic;
		struct {
			u8 bus, line;
			u32 gsi;
			u16 flags;
		} __packed override;
		struct {
			u16 reserved;
			u64 address;
		} __packed local_apic_address;
		struct {
			u16 reserved;
			u32 apic_id, flags, processor;
		} __packed x2apic;
	};
} __packed;
enum { MADT_CPU_ENABLED = 1 };
enum { MADT_POLARITY = 3, MADT_POLARITY_LOW = 3, MADT_TRIGGER = 0xc, MADT_TRIGGER_LEVEL = 0xc };

/* True if the entry is long enough for its member. */
#define MADT_HOLDS(entry, member)                                                                  \
	((entry)->length >= offsetof(struct madt_entry, member) + sizeof((entry)->member))

static void __init madt_override(const struct madt_entry *entry)
{
	unsigned int flags = 0;

	if ((entry->override.flags & MADT_POLARITY) == MADT_POLARITY_LOW)
		flags |= IRQ_ACTIVE_LOW;
	if ((entry->override.flags & MADT_TRIGGER) == MADT_TRIGGER_LEVEL)
		flags |= IRQ_LEVEL;
	ioapic_set_override(entry->override.line, entry->override.gsi, flags);
}

static void __init madt_entry_read(const struct madt_entry *entry)
{
	switch (entry->type) {
	case MADT_LOCAL_APIC:
		if (MADT_HOLDS(entry, local_apic) && entry->local_apic.flags & MADT_CPU_ENABLED)
			smp_add_cpu(entry->local_apic.apic_id);
		break;
	case MADT_LOCAL_X2APIC:
		if (MADT_HOLDS(entry, x2apic) && entry->x2apic.flags & MADT_CPU_ENABLED)
			smp_add_cpu(entry->x2apic.apic_id);
		break;
	case MADT_IOAPIC:
		if (MADT_HOLDS(entry, ioapic) &&
		    ioapic_add(entry->ioapic.address, entry->ioapic.first_gsi))
			pr_warn("I/O APIC at %#x cannot be used\n", entry->ioapic.address);
		break;
	case MADT_OVERRIDE:
		if (MADT_HOLDS(entry, override) && entry->override.bus == 0)
			madt_override(entry);
		break;
	case MADT_LOCAL_APIC_ADDRESS:
		if (MADT_HOLDS(entry, local_apic_address))
			acpi_machine.local_apic = entry->local_apic_address.address;
		break;
	}
}

static void __init madt_read(const struct acpi_header *table)
{
	const u8 *bytes = (const u8 *)table;
	u32 local_apic;

	if (table->length < MADT_ENTRIES)
		return;
	memcpy(&local_apic, bytes + sizeof(*table), sizeof(local_apic));
	acpi_machine.local_apic = local_apic;
	for (size_t at = MADT_ENTRIES; at + 2 <= table->length;) {
		const struct madt_entry *entry = (const void *)(bytes + at);

		if (entry->length < 2 || entry->length > table->length - at)
			break;
		madt_entry_read(entry);
		at += entry->length;
	}
}

/* ---- The others ---- */

struct hpet_table {
	struct acpi_header header;
	u32 block_id;
	struct acpi_address address;
} __packed;

static void __init hpet_read(const struct acpi_header *table)
{
	const struct hpet_table *hpet = (const void *)table;

	if (table->length >= sizeof(*hpet) && hpet->address.space == 0)
		acpi_machine.hpet = hpet->address.address;
}

static void __init fadt_read(const struct acpi_header *table)
{
	struct acpi_fadt fadt = {};
	const struct acpi_header *dsdt;

	memcpy(&fadt, table, min((size_t)table->length, sizeof(fadt)));
	if (fadt.pm_timer && fadt.pm_timer <= 0xffff && fadt.pm_timer_length == 4)
		acpi_machine.pm_timer_port = (u16)fadt.pm_timer;
	acpi_machine.pm_timer_32bit = fadt.flags & ACPI_FADT_TIMER_32BIT;
	acpi_machine.century_register = fadt.century;
	dsdt = map_table(fadt.x_dsdt ? fadt.x_dsdt : fadt.dsdt, "DSDT");
	if (dsdt)
		power_init(&fadt, (const u8 *)(dsdt + 1), dsdt->length - sizeof(*dsdt));
	else
		power_init(&fadt, NULL, 0);
	unmap(dsdt);
}

static const struct {
	char signature[5];
	void (*read)(const struct acpi_header *table);
} readers[] __initconst = {
	{ "APIC", madt_read },
	{ "HPET", hpet_read },
	{ "FACP", fadt_read },
};

void __init acpi_init(void)
{
	if (!tables_find())
		pr_warn("no tables: one CPU, no power-off\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(readers); i++) {
		const struct acpi_header *table = acpi_table_map(readers[i].signature);

		if (table)
			readers[i].read(table);
		unmap(table);
	}
	if (!ioapic_has(0) && ioapic_add(IOAPIC_DEFAULT, 0))
		pr_warn("no I/O APIC: only message-signalled interrupts\n");
}
