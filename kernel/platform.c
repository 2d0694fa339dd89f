/*
 * Devices that no bus announces: the machine just has them. They are shown in /sys/bus/platform/devices with the alias by
 * which their module is found, so that whoever starts the system (user/init.c) can load what is there.
 */
#define LOG_PREFIX "platform: "
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>

static bool framebuffer_present(void)
{
	return boot_info.framebuffer.address != 0;
}

static const struct platform_device {
	const char *name;
	bool (*present)(void); /* NULL: on every PC */
} platform_devices[] = {
	{ "pci" },
	{ "framebuffer", framebuffer_present },
	{ "i8042", framebuffer_present }, /* the keyboard of that screen */
};

static int modalias_show(struct text *text, void *object)
{
	text_printf(text, "platform:%s\n", ((const struct platform_device *)object)->name);
	return 0;
}

static const struct pseudo_file device_files[] = { PSEUDO_TEXT("modalias", 0444, modalias_show), {} };

void platform_init(void)
{
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, "bus/platform/devices");

	for (size_t i = 0; directory && i < ARRAY_SIZE(platform_devices); i++) {
		const struct platform_device *device = &platform_devices[i];

		if (device->present && !device->present())
			continue;
		if (IS_ERR(pseudo_directory_add(sys_tree, directory, device->name, device_files,
						(void *)device)))
			pr_err("no memory to show %s\n", device->name);
	}
}
