/*
 * Virtio over PCI (virtio 1.2, 4.1): the device's registers are found through vendor capabilities; each queue has a
 * doorbell; interrupts come by MSI-X, one vector a queue if the device has enough, else one for the configuration and one
 * for all queues, or by the legacy line with its status register.
 */
#define LOG_PREFIX "virtio_pci: "
#include "../pci/pci.h"
#include "virtio.h"

#include <kumo/err.h>
#include <kumo/io.h>
#include <kumo/kva.h>
#include <kumo/module.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/time.h>
#include <linux/virtio_pci.h>

#define STATUS_GONE 0xff /* what is read where no device is */

struct virtio_pci {
	struct virtio_device virtio;
	struct pci_device *pci;
	struct virtio_pci_common_cfg __iomem *common;
	u8 __iomem *config, *isr, *notify;
	u64 config_size, notify_size;
	u32 notify_multiplier;
	unsigned int queue_limit; /* as the device said once: it may say something else each time */
	int vectors;		  /* 0: the legacy line */
};

static struct virtio_pci *of(struct virtio_device *device)
{
	return container_of(device, struct virtio_pci, virtio);
}

/* ---- Transport operations ---- */

static u8 status_get(struct virtio_device *device)
{
	return readb(&of(device)->common->device_status);
}

static void status_set(struct virtio_device *device, u8 status)
{
	writeb(status, &of(device)->common->device_status);
	if (status)
		return;
	/* A reset is done when the register reads zero (4.1.4.3.2); a device that never gets there is not waited for for ever. */
	for (int tries = 0; (status = readb(&of(device)->common->device_status)) != 0; tries++) {
		if (status == STATUS_GONE)
			return;
		if (tries == 1000) {
			pr_err("%s: the device does not finish its reset\n", of(device)->pci->name);
			return;
		}
		delay_ns(NSEC_PER_MSEC);
	}
	if (of(device)->vectors) /* the reset took that away, too */
		writew(0, &of(device)->common->msix_config);
}

static u64 features_get(struct virtio_device *device)
{
	struct virtio_pci_common_cfg __iomem *common = of(device)->common;
	u64 features;

	writel(0, &common->device_feature_select);
	features = readl(&common->device_feature);
	writel(1, &common->device_feature_select);
	return features | (u64)readl(&common->device_feature) << 32;
}

static void features_set(struct virtio_device *device, u64 features)
{
	struct virtio_pci_common_cfg __iomem *common = of(device)->common;

	writel(0, &common->guest_feature_select);
	writel((u32)features, &common->guest_feature);
	writel(1, &common->guest_feature_select);
	writel((u32)(features >> 32), &common->guest_feature);
}

/*
 * Read again until the generation stood still (4.1.4.3.1), though not for ever. What lies beyond the device's configuration
 * reads as zero.
 */
static void config_read(struct virtio_device *device, unsigned int offset, void *to, unsigned int size)
{
	struct virtio_pci *vp = of(device);
	u8 *bytes = to, generation;
	int tries = 100;

	do {
		generation = readb(&vp->common->config_generation);
		for (unsigned int i = 0; i < size; i++)
			bytes[i] = offset + i < vp->config_size ? readb(vp->config + offset + i) : 0;
	} while (generation != readb(&vp->common->config_generation) && --tries);
}

static u16 queue_size(struct virtio_device *device, unsigned int index)
{
	struct virtio_pci_common_cfg __iomem *common = of(device)->common;
	u16 size;

	if (index >= of(device)->queue_limit)
		return 0;
	writew((u16)index, &common->queue_select);
	size = readw(&common->queue_size);
	return size & (size - 1) ? 0 : size;
}

static enum irq_result queue_interrupt(int irq, void *arg)
{
	virtqueue_interrupt(arg);
	return IRQ_HANDLED;
}

static bool vector_per_queue(const struct virtio_pci *vp)
{
	return vp->vectors > 2;
}

/* Register pairs of 64 bits are written as two of 32 (4.1.3.1). */
static void write_address(u32 __iomem *low, const void *address)
{
	u64 phys = virt_to_phys(address);

	writel((u32)phys, low);
	writel((u32)(phys >> 32), low + 1);
}

static void queue_stop(struct virtqueue *queue)
{
	struct virtio_pci *vp = of(queue->device);

	if (vector_per_queue(vp))
		irq_free(vp->pci->msix_irqs[1 + queue->index], queue);
}

static int queue_start(struct virtqueue *queue)
{
	struct virtio_pci *vp = of(queue->device);
	struct virtio_pci_common_cfg __iomem *common = vp->common;
	int vector = vector_per_queue(vp) ? 1 + (int)queue->index : 1;
	u64 offset;
	int error;

	writew((u16)queue->index, &common->queue_select);
	offset = (u64)readw(&common->queue_notify_off) * vp->notify_multiplier;
	if (offset + 2 > vp->notify_size)
		return -EINVAL;
	queue->notify = vp->notify + offset;
	writew(queue->size, &common->queue_size);
	write_address(&common->queue_desc_lo, queue->descriptors);
	write_address(&common->queue_avail_lo, queue->available);
	write_address(&common->queue_used_lo, queue->used);
	if (vp->vectors) {
		if (vector_per_queue(vp)) {
			error = irq_request(vp->pci->msix_irqs[vector], queue_interrupt, queue,
					    "virtio-queue");
			if (error)
				return error;
		}
		writew((u16)vector, &common->queue_msix_vector);
		if (readw(&common->queue_msix_vector) == VIRTIO_MSI_NO_VECTOR) {
			queue_stop(queue);
			return -EBUSY;
		}
	}
	writew(1, &common->queue_enable);
	return 0;
}

static void notify(struct virtqueue *queue)
{
	writew((u16)queue->index, queue->notify);
}

static const struct virtio_transport pci_transport = {
	.status_get = status_get,
	.status_set = status_set,
	.features_get = features_get,
	.features_set = features_set,
	.config_read = config_read,
	.queue_size = queue_size,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.notify = notify,
};

/* ---- Interrupts ---- */

static enum irq_result config_interrupt(int irq, void *arg)
{
	virtio_config_interrupt(&((struct virtio_pci *)arg)->virtio);
	return IRQ_HANDLED;
}

static enum irq_result shared_queue_interrupt(int irq, void *arg)
{
	virtqueues_interrupt(&((struct virtio_pci *)arg)->virtio);
	return IRQ_HANDLED;
}

/* Reading the status register also lowers the line (4.1.5.3). */
static enum irq_result legacy_interrupt(int irq, void *arg)
{
	struct virtio_pci *vp = arg;
	u8 status = readb(vp->isr);

	if (!status)
		return IRQ_NONE;
	if (status & VIRTIO_PCI_ISR_CONFIG)
		virtio_config_interrupt(&vp->virtio);
	virtqueues_interrupt(&vp->virtio);
	return IRQ_HANDLED;
}

static int interrupts_start(struct virtio_pci *vp)
{
	int wanted, error;

	vp->queue_limit = readw(&vp->common->num_queues);
	wanted = 1 + (int)vp->queue_limit;
	vp->vectors = pci_msix_enable(vp->pci, wanted);
	if (vp->vectors >= 2) {
		if (vp->vectors < wanted)
			vp->vectors = 2;
		error = irq_request(vp->pci->msix_irqs[0], config_interrupt, vp, "virtio-config");
		if (!error && !vector_per_queue(vp)) {
			error = irq_request(vp->pci->msix_irqs[1], shared_queue_interrupt, vp,
					    "virtio-queues");
			if (error)
				irq_free(vp->pci->msix_irqs[0], vp);
		}
		if (error)
			pci_msix_disable(vp->pci);
		else
			writew(0, &vp->common->msix_config);
		return error;
	}
	pci_msix_disable(vp->pci);
	vp->vectors = 0;
	if (vp->pci->irq < 0)
		return -ENODEV;
	return irq_request(vp->pci->irq, legacy_interrupt, vp, "virtio");
}

/* The vectors of the queues go with them; called before the queues are freed. */
static void interrupts_stop(struct virtio_pci *vp)
{
	if (!vp->vectors) {
		irq_free(vp->pci->irq, vp);
		return;
	}
	irq_free(vp->pci->msix_irqs[0], vp);
	if (!vector_per_queue(vp))
		irq_free(vp->pci->msix_irqs[1], vp);
	pci_msix_disable(vp->pci);
}

/* ---- Finding the registers ---- */

struct register_block {
	u8 window;
	u32 offset, length;
	u8 capability; /* its place, for the field that follows a notify capability */
};

/* The first capability of the given type (4.1.4) whose window is usable. */
static int block_find(struct pci_device *pci, u8 type, struct register_block *block)
{
	for (u8 at = pci_find_capability(pci, PCI_CAP_ID_VENDOR, 0); at;
	     at = pci_find_capability(pci, PCI_CAP_ID_VENDOR, at)) {
		if (pci_read_config8(pci, at + VIRTIO_PCI_CAP_CFG_TYPE) != type)
			continue;
		block->window = pci_read_config8(pci, at + VIRTIO_PCI_CAP_BAR);
		block->offset = pci_read_config32(pci, at + VIRTIO_PCI_CAP_OFFSET);
		block->length = pci_read_config32(pci, at + VIRTIO_PCI_CAP_LENGTH);
		block->capability = at;
		if (block->window < PCI_BAR_COUNT && pci->windows[block->window].size && block->length)
			return 0;
	}
	return -ENODEV;
}

static void __iomem *block_map(struct pci_device *pci, u8 type, u32 least, struct register_block *block)
{
	if (block_find(pci, type, block) || block->length < least)
		return NULL;
	return pci_map(pci, block->window, block->offset, block->length);
}

static void registers_unmap(struct virtio_pci *vp)
{
	void __iomem *maps[] = { vp->common, vp->isr, vp->notify, vp->config };

	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++)
		if (maps[i])
			iounmap(maps[i]);
}

static int registers_map(struct virtio_pci *vp)
{
	struct register_block block;

	vp->common = block_map(vp->pci, VIRTIO_PCI_CAP_COMMON_CFG, sizeof(*vp->common), &block);
	vp->isr = block_map(vp->pci, VIRTIO_PCI_CAP_ISR_CFG, 1, &block);
	vp->notify = block_map(vp->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &block);
	if (vp->notify) {
		vp->notify_size = block.length;
		vp->notify_multiplier =
			pci_read_config32(vp->pci, block.capability + VIRTIO_PCI_NOTIFY_CAP_MULT);
	}
	vp->config = block_map(vp->pci, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &block);
	if (vp->config)
		vp->config_size = block.length;
	if (vp->common && vp->isr && vp->notify)
		return 0;
	registers_unmap(vp);
	return -ENODEV;
}

/* ---- Driver ---- */

/* Device ids: 0x1040 + the virtio id, or 0x1000-0x103f for transitional devices, which carry it as their subsystem. */
static u32 virtio_id(const struct pci_device *pci)
{
	return pci->device >= 0x1040 ? pci->device - 0x1040u : pci->subsystem_device;
}

static int virtio_pci_probe(struct pci_device *pci)
{
	struct virtio_pci *vp;
	int error;

	if (pci->device < 0x1000 || pci->device > 0x107f)
		return -ENODEV;
	vp = kzalloc(sizeof(*vp), GFP_KERNEL);
	if (!vp)
		return -ENOMEM;
	vp->pci = pci;
	vp->virtio.id = virtio_id(pci);
	vp->virtio.transport = &pci_transport;
	pci_enable(pci);
	error = registers_map(vp);
	if (error) {
		pr_err("%s: no registers of virtio 1 (a legacy-only device)\n", pci->name);
		goto disable;
	}
	status_set(&vp->virtio, 0);
	error = interrupts_start(vp);
	if (error)
		goto unmap;
	pci->private = vp;
	error = virtio_device_register(&vp->virtio);
	if (error)
		goto stop;
	return 0;
stop:
	interrupts_stop(vp);
unmap:
	registers_unmap(vp);
disable:
	pci_disable(pci);
	kfree(vp);
	return error;
}

static void virtio_pci_remove(struct pci_device *pci)
{
	struct virtio_pci *vp = pci->private;

	virtio_device_unregister(&vp->virtio);
	interrupts_stop(vp);
	registers_unmap(vp);
	pci_disable(pci);
	kfree(vp);
}

static const struct pci_device_id ids[] = { { 0x1af4, PCI_ANY_ID }, {} };

static struct pci_driver virtio_pci_driver = {
	.name = "virtio-pci",
	.ids = ids,
	.probe = virtio_pci_probe,
	.remove = virtio_pci_remove,
};

static int __init virtio_pci_init(void)
{
	return pci_driver_register(&virtio_pci_driver);
}

static void __exit virtio_pci_exit(void)
{
	pci_driver_unregister(&virtio_pci_driver);
}

module_init(virtio_pci_init);
module_exit(virtio_pci_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("virtio devices on PCI");
MODULE_ALIAS("pci:v00001AF4d*sv*sd*bc*sc*i*");
