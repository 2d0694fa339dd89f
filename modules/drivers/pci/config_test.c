/* Lists of capabilities, as a device tells them that keeps to no rules: its configuration space is an array of this file. */
#include "pci.h"

#include <kumo/kunit.h>
#include <kumo/string.h>

enum { VENDOR = PCI_CAP_ID_VENDOR, MSIX = PCI_CAP_ID_MSIX };

static u8 space[256];
static struct pci_device device;

static u32 read_space(struct pci_device *unused, unsigned int offset)
{
	u32 value;

	memcpy(&value, space + (offset & 0xfc), sizeof(value));
	return value;
}

static void capability(u8 at, u8 id, u8 next)
{
	space[at] = id;
	space[at + 1] = next;
}

/* 0x40 vendor -> 0x50 MSI-X -> 0x60 vendor -> end */
static int space_fill(struct kunit *test)
{
	memset(space, 0, sizeof(space));
	space[PCI_STATUS] = 0x10;
	space[PCI_CAPABILITY_LIST] = 0x40;
	capability(0x40, VENDOR, 0x50);
	capability(0x50, MSIX, 0x60);
	capability(0x60, VENDOR, 0);
	kunit_activate_static_stub(test, pci_read_config32, read_space);
	return 0;
}

static void capabilities_are_found_one_after_another(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, VENDOR, 0), 0x40);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, VENDOR, 0x40), 0x60);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, VENDOR, 0x60), 0);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, MSIX, 0), 0x50);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, 0x33, 0), 0);
}

static void a_device_without_a_list_has_no_capabilities(struct kunit *test)
{
	space[PCI_STATUS] = 0;
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, VENDOR, 0), 0);
}

static void a_list_that_is_a_ring_ends(struct kunit *test)
{
	unsigned int found = 0;
	u8 at;

	capability(0x60, VENDOR, 0x40);
	for (at = pci_find_capability(&device, VENDOR, 0); at && found < 256;
	     at = pci_find_capability(&device, VENDOR, at))
		found++;
	KUNIT_EXPECT_EQ(test, found, 2u);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, 0x33, 0), 0);
}

static void a_list_that_leads_nowhere_ends(struct kunit *test)
{
	capability(0x40, VENDOR, 0x10); /* into the header */
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, MSIX, 0), 0);
	memset(space, 0xff, sizeof(space)); /* the device is gone */
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, MSIX, 0), 0);
	KUNIT_EXPECT_EQ(test, pci_find_capability(&device, 0xff, 0xfc), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(capabilities_are_found_one_after_another),
	KUNIT_CASE(a_device_without_a_list_has_no_capabilities),
	KUNIT_CASE(a_list_that_is_a_ring_ends),
	KUNIT_CASE(a_list_that_leads_nowhere_ends),
	{},
};

static struct kunit_suite suite = { .name = "pci_config", .init = space_fill, .test_cases = cases };
kunit_test_suite(suite);

MODULE_DESCRIPTION("tests of PCI's configuration space");
MODULE_LICENSE("MIT");
