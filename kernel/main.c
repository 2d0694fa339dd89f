/*
 * The start of the system: from the machine's entry code, which has reached long mode and read what the boot loader
 * said, to the first process. One list, in the order in which the parts stand on each other; nothing registers itself.
 */
#define LOG_PREFIX "boot: "
#include <generated/version.h>
#include <kumo/autoload.h>
#include <kumo/boot.h>
#include <kumo/buffer.h>
#include <kumo/fault_inject.h>
#include <kumo/irq.h>
#include <kumo/kva.h>
#include <kumo/main.h>
#include <kumo/module.h>
#include <kumo/namespace.h>
#include <kumo/page.h>
#include <kumo/printk.h>
#include <kumo/random.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/stack_check.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/track.h>
#include <kumo/tty.h>
#include <kumo/vm.h>
#include <kumo/work.h>

/* Fills the root from the initrd and gives its memory back. A damaged archive is no reason to stop: what was unpacked
 * may do, and if /init is missing the first process says so. */
static void __init root_fill(void)
{
	phys_addr_t start = boot_info.initrd_start;
	int error;

	if (!start) {
		pr_warn("no initrd: the root is empty\n");
		return;
	}
	error = initramfs_unpack(phys_to_virt(start), boot_info.initrd_size);
	if (error)
		pr_err("the initrd is damaged or too large for memory (error %d)\n", error);
	page_release_range(ALIGN_DOWN(start, PAGE_SIZE),
			   ALIGN_UP(start + boot_info.initrd_size, PAGE_SIZE));
}

/* The second half of the start, as the first thread, which becomes process 1: from here on things may sleep. */
static int start_system(void *unused)
{
	work_initialise();
	arch_start_cpus();
	names_init();
	ram_tree_init();
	proc_init();
	sockets_init();
	sys_init();
	track_init();
	stack_check_init();
	fault_inject_init();
	device_init();
	buffers_init();
	modules_init();
	tty_init();
	serial_init();
	platform_init();
	root_fill();
	device_tree_mount();
	arch_init_finish();
	autoload_start();
	start_first_process();
	return 0;
}

void kernel_main(void)
{
	printk_init();
	params_init(boot_info.command_line);
	pr_notice("Kumo %s (%s), loaded by %s\n", KUMO_RELEASE, KUMO_VERSION, boot_info.loader);
	arch_setup_memory();
	page_init();
	slab_init();
	kva_init();
	arch_init();
	random_init();
	processes_init();
	sched_init();
	rcu_init();
	time_init();
	vm_init();
	thread_start_first(start_system);
	cpu_idle_loop();
}
