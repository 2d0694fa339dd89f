/*
 * Interrupts of a PCI device, by its pin and by MSI: with QEMU's device for teaching ("edu"), which raises one when its register
 * is written. Without such a device the cases are skipped; tests/host/boot.sh has a machine with one.
 */
#include "pci.h"

#include <kumo/err.h>
#include <kumo/io.h>
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/time.h>
#include <kumo/wait.h>

/* QEMU, docs/specs/edu.txt */
enum { EDU_VENDOR = 0x1234, EDU_DEVICE = 0x11e8 };
enum { EDU_STATUS = 0x24, EDU_RAISE = 0x60, EDU_ACKNOWLEDGE = 0x64, EDU_SIZE = 0x100 };

static struct pci_device *edu;
static u8 __iomem *registers;
static u32 seen; /* what the interrupts told */
static struct wait_queue came = WAIT_QUEUE_INIT(came);

static int edu_probe(struct pci_device *device)
{
	pci_enable(device);
	registers = pci_map(device, 0, 0, EDU_SIZE);
	if (!registers)
		return -ENODEV;
	edu = device;
	return 0;
}

static void edu_remove(struct pci_device *device)
{
	iounmap(registers);
	pci_disable(device);
	edu = NULL;
}

static const struct pci_device_id ids[] = { { EDU_VENDOR, EDU_DEVICE }, {} };
static struct pci_driver driver = { .name = "edu", .ids = ids, .probe = edu_probe, .remove = edu_remove };

static enum irq_result interrupt(int irq, void *unused)
{
	u32 status = readl(registers + EDU_STATUS);

	if (!status)
		return IRQ_NONE;
	writel(status, registers + EDU_ACKNOWLEDGE);
	WRITE_ONCE(seen, seen | status);
	wake_up_all(&came);
	return IRQ_HANDLED;
}

static int driver_register(struct kunit *test)
{
	int error = pci_driver_register(&driver);

	if (!error && !edu)
		kunit_mark_skipped(test, "no such device");
	seen = 0;
	return error;
}

static void driver_unregister(struct kunit *test)
{
	pci_driver_unregister(&driver);
}

/* Raises two interrupts, one after the other; both must be seen. */
static void expect_interrupts(struct kunit *test, int irq)
{
	KUNIT_ASSERT_EQ(test, irq_request(irq, interrupt, &driver, "edu"), 0);
	for (u32 bit = 1; bit <= 2; bit *= 2) {
		writel(bit, registers + EDU_RAISE);
		wait_event_until(&came, READ_ONCE(seen) & bit, time_monotonic_ns() + 5 * NSEC_PER_SEC);
	}
	irq_free(irq, &driver);
	KUNIT_EXPECT_EQ(test, seen, 3u);
}

static void a_pin_interrupts(struct kunit *test)
{
	if (!edu)
		return;
	KUNIT_ASSERT_TRUE(test, edu->irq >= 0);
	expect_interrupts(test, edu->irq);
}

static void a_message_interrupts(struct kunit *test)
{
	int irq;

	if (!edu)
		return;
	irq = pci_msi_enable(edu);
	KUNIT_ASSERT_TRUE(test, irq > 0);
	KUNIT_EXPECT_NE(test, irq, edu->irq);
	expect_interrupts(test, irq);
	pci_msi_disable(edu);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_pin_interrupts),
	KUNIT_CASE(a_message_interrupts),
	{},
};

static struct kunit_suite suite = {
	.name = "pci_interrupts",
	.init = driver_register,
	.exit = driver_unregister,
	.test_cases = cases,
};
kunit_test_suite(suite);

MODULE_DESCRIPTION("tests of interrupts of PCI devices");
MODULE_LICENSE("MIT");
