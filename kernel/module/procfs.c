/*
 * /proc/modules, a line for each loaded module, newest first:
 *	name size references users state address (taints)
 * and /proc/kallsyms, a line for each symbol of the kernel and of modules:
 *	address type name [module]
 * Addresses are shown to those who may act on the kernel, zeros to others.
 */
#include <kumo/cred.h>
#include <kumo/kallsyms.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <linux/capability.h>
#include "internal.h"

#define SYMBOLS_AT_ONCE 512

static bool addresses_shown(const struct text *text)
{
	return !text->cred || cred_capable(text->cred, CAP_SYSLOG) ||
	       cred_capable(text->cred, CAP_SYS_ADMIN);
}

static const char *proc_state_name(enum module_state state)
{
	switch (state) {
	case MODULE_LIVE:
		return "Live";
	case MODULE_GOING:
		return "Unloading";
	default:
		return "Loading";
	}
}

static int modules_show(struct text *text, void *object)
{
	struct module *module;

	mutex_lock(&module_mutex);
	hlist_for_each(module, &modules, link) {
		struct module_use *use;

		if (module->state == MODULE_UNFORMED)
			continue;
		text_printf(text, "%s %zu %d ", module->name, module->core_size + module->init_size,
			    max(atomic_read(&module->refs) - 1, 0));
		list_for_each(use, &module->users, owner_link)
			text_printf(text, "%s,", use->user->name);
		if (module->descriptor->init && !module->descriptor->exit)
			text_puts(text, "[permanent],");
		else if (list_empty(&module->users))
			text_puts(text, "-");
		text_printf(text, " %s 0x%016lx%s\n", proc_state_name(module->state),
			    addresses_shown(text) ? (unsigned long)module->core : 0,
			    module->taints & MODULE_TAINT_FORCED ? " (F)" : "");
	}
	mutex_unlock(&module_mutex);
	return 0;
}

/* The kernel's symbols have cursors from 0 on; modules' follow in the order of the list, counted anew in each call. */
static int kallsyms_next(struct text *text, void *object, u64 *cursor)
{
	bool shown = addresses_shown(text);
	unsigned long address;
	unsigned int printed = 0;
	struct module *module;
	const char *name;
	u64 at;
	char type;

	while (printed < SYMBOLS_AT_ONCE && kallsyms_entry(*cursor, &address, &type, &name)) {
		text_printf(text, "%016lx %c %s\n", shown ? address : 0, type, name);
		++*cursor;
		printed++;
	}
	if (printed == SYMBOLS_AT_ONCE)
		return 1;
	at = kallsyms_count_kernel();
	mutex_lock(&module_mutex);
	hlist_for_each(module, &modules, link) {
		if (module->state == MODULE_UNFORMED)
			continue;
		for (size_t i = 0; i < module->symbol_count && printed < SYMBOLS_AT_ONCE; i++, at++) {
			const struct module_symbol *symbol = &module->symbols[i];

			if (at < *cursor)
				continue;
			text_printf(text, "%016lx %c %s\t[%s]\n", shown ? symbol->address : 0,
				    (char)(symbol->size_and_type & 0xff),
				    module->strings + symbol->name, module->name);
			printed++;
		}
	}
	mutex_unlock(&module_mutex);
	*cursor = max(*cursor, at);
	return printed == SYMBOLS_AT_ONCE;
}

static const struct pseudo_file proc_files[] = {
	PSEUDO_TEXT("modules", 0444, modules_show),
	PSEUDO_RECORDS("kallsyms", 0444, kallsyms_next),
};

void module_proc_init(void)
{
	struct pseudo_directory *root = pseudo_directory_path(proc_tree, "");
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(proc_files); i++)
		error = pseudo_file_add(root, &proc_files[i], NULL);
	if (error)
		pr_err("module: no files in /proc (error %d)\n", error);
}
