/*
 * Symbols between modules and the kernel: export tables, checksums of types, who uses whom, and the relocations that all of it
 * is for.
 */
#define LOG_PREFIX "module: "
#include <kumo/arch/module.h>
#include <kumo/err.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/module.h>
#include "internal.h"

const struct kernel_symbol *exports_find(const struct kernel_symbol *table, size_t count,
					 const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, table[middle].name);

		if (!order)
			return &table[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* An exported symbol, as found. */
struct found_symbol {
	const struct kernel_symbol *symbol;
	unsigned long crc;
	struct module *owner; /* NULL: the kernel */
};

/* Looks through the modules, `except` left out. module_mutex held. */
static bool find_in_modules(const char *name, const struct module *except, struct found_symbol *found)
{
	struct module *module;

	hlist_for_each(module, &modules, link) {
		if (module == except || module->state == MODULE_UNFORMED)
			continue;
		found->symbol = exports_find(module->exports, module->export_count, name);
		if (found->symbol) {
			found->crc = module->export_crcs[found->symbol - module->exports];
			found->owner = module;
			return true;
		}
	}
	return false;
}

static bool find_in_kernel(const char *name, struct found_symbol *found)
{
	found->symbol = exports_find(kernel_symbols, kernel_symbol_count, name);
	if (!found->symbol)
		return false;
	found->crc = kernel_symbol_crcs[found->symbol - kernel_symbols];
	found->owner = NULL;
	return true;
}

static int check_version(const struct module_load *load, const char *name, unsigned long crc)
{
	unsigned long wanted;

	if (load->flags & MODULE_INIT_IGNORE_MODVERSIONS) {
		load->module->taints |= MODULE_TAINT_FORCED;
		return 0;
	}
	if (!module_image_version(&load->image, name, &wanted)) {
		pr_warn("%s: no symbol version for %s\n", load->name, name);
		return -EINVAL;
	}
	if (wanted != crc) {
		pr_warn("%s: disagrees about version of symbol %s\n", load->name, name);
		return -EINVAL;
	}
	return 0;
}

/* Notes that `user` needs `owner`, once. module_mutex held. -EBUSY: the owner is still coming. */
static int use(struct module *user, struct module *owner)
{
	struct module_use *link;

	list_for_each(link, &user->uses, user_link)
		if (link->owner == owner)
			return 0;
	if (owner->state == MODULE_COMING)
		return -EBUSY;
	if (!try_module_get(owner))
		return -ENOENT;
	link = kmalloc(sizeof(*link), GFP_KERNEL);
	if (!link) {
		module_put(owner);
		return -ENOMEM;
	}
	link->owner = owner;
	link->user = user;
	list_add_tail(&owner->users, &link->owner_link);
	list_add_tail(&user->uses, &link->user_link);
	return 0;
}

void module_uses_release(struct module *module)
{
	struct module_use *link, *after;

	list_for_each_safe(link, after, &module->uses, user_link) {
		list_del(&link->owner_link);
		list_del(&link->user_link);
		module_put(link->owner);
		kfree(link);
	}
}

/* One try in the modules. -EBUSY: its owner is still coming. */
static int resolve_in_modules(const struct module_load *load, const char *name, u64 *value)
{
	struct found_symbol found;
	int error = -ENOENT;

	mutex_lock(&module_mutex);
	if (find_in_modules(name, load->module, &found)) {
		error = check_version(load, name, found.crc);
		if (!error)
			error = use(load->module, found.owner);
		if (!error)
			*value = found.symbol->value;
	}
	mutex_unlock(&module_mutex);
	return error;
}

static int resolve(const struct module_load *load, const char *name, u64 *value)
{
	struct found_symbol found;
	u64 deadline_ns;

	if (find_in_kernel(name, &found)) {
		*value = found.symbol->value;
		return check_version(load, name, found.crc);
	}
	deadline_ns = time_monotonic_ns() + COMING_WAIT_NS;
	for (;;) {
		u32 seen = READ_ONCE(module_changes);
		int error = resolve_in_modules(load, name, value);

		if (error != -EBUSY)
			return error;
		error = wait_event_interruptible_until(
			&module_wait, READ_ONCE(module_changes) != seen, deadline_ns);
		if (error == -ETIME)
			pr_warn("%s: gave up waiting for the module that exports %s\n", load->name,
				name);
		if (error)
			return error == -ETIME ? -EBUSY : error;
	}
}

int module_symbols_resolve(struct module_load *load)
{
	const struct module_image *image = &load->image;
	int error;

	load->values[0] = 0;
	for (unsigned int i = 1; i < image->symbol_count; i++) {
		const Elf64_Sym *symbol = &image->symbols[i];
		const char *name;

		switch (symbol->st_shndx) {
		case SHN_UNDEF:
			name = symbol_name(image, i);
			if (!strcmp(name, "__this_module")) {
				load->values[i] = (u64)load->module;
				break;
			}
			error = resolve(load, name, &load->values[i]);
			if (error == -ENOENT && symbol->st_info >> 4 == STB_WEAK) {
				load->values[i] = 0;
				break;
			}
			if (error) {
				pr_warn("%s: Unknown symbol %s (err %d)\n", load->name, name, error);
				return error;
			}
			break;
		case SHN_ABS:
			load->values[i] = symbol->st_value;
			break;
		default: /* in a section that is not loaded nothing refers to it: elf.c has looked */
			load->values[i] = load->places[symbol->st_shndx].region == REGION_NONE
						  ? 0
						  : (u64)loaded_section(load, symbol->st_shndx) +
							    symbol->st_value;
		}
	}
	return 0;
}

int module_exports_check(const struct module_load *load)
{
	const struct module *module = load->module;
	struct found_symbol found;

	for (size_t i = 0; i < module->export_count; i++) {
		const char *name = module->exports[i].name;

		if (find_in_kernel(name, &found) || find_in_modules(name, module, &found)) {
			pr_err("%s: exports duplicate symbol %s (owned by %s)\n", module->name,
			       name, module_name(found.owner));
			return -ENOEXEC;
		}
	}
	return 0;
}

int module_relocate(struct module_load *load)
{
	const struct module_image *image = &load->image;

	for (unsigned int i = 1; i < image->section_count; i++) {
		const Elf64_Shdr *table = &image->sections[i];
		const Elf64_Rela *entry, *end;
		u8 *target;

		if (table->sh_type != SHT_RELA || load->places[table->sh_info].region == REGION_NONE)
			continue;
		target = loaded_section(load, table->sh_info);
		entry = section_data(image, i);
		end = entry + table->sh_size / sizeof(*entry);
		for (; entry < end; entry++) {
			u32 type = (u32)entry->r_info, symbol = (u32)(entry->r_info >> 32);
			u8 *place = target + entry->r_offset;

			if (arch_relocate(type, place, (u64)place,
					  load->values[symbol] + (u64)entry->r_addend)) {
				pr_err("%s: relocation %s at %s+0x%llx: symbol %s is out of reach\n",
				       load->name, arch_relocation_name(type),
				       section_name(image, table->sh_info),
				       (unsigned long long)entry->r_offset, symbol_name(image, symbol));
				return -ENOEXEC;
			}
		}
	}
	return 0;
}
