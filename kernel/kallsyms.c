/*
 * Symbols by address and by name. The kernel's own come from a table that scripts/kallsyms makes from the linked image: the
 * symbols sorted by address, as offsets from _text. Modules keep theirs from their own symbol tables (kernel/module/).
 *
 * Everything here may run in an oops: no locks, no allocation, and nothing that could fault.
 */
#include <kumo/export.h>
#include <kumo/kallsyms.h>
#include <kumo/rcu.h>
#include <kumo/string.h>
#include "module/internal.h"

/* Weak: the first of the kernel's links has no table yet. */
extern const u32 kallsyms_count __weak;
extern const u32 kallsyms_offsets[] __weak;
extern const u32 kallsyms_name_offsets[] __weak;
extern const char kallsyms_types[] __weak;
extern const char kallsyms_names[] __weak;

extern const char _text[], _etext[], _end[];

size_t kallsyms_count_kernel(void)
{
	return &kallsyms_count ? kallsyms_count : 0;
}

bool kallsyms_entry(size_t i, unsigned long *address, char *type, const char **name)
{
	if (i >= kallsyms_count_kernel())
		return false;
	*address = (unsigned long)_text + kallsyms_offsets[i];
	*type = kallsyms_types[i];
	*name = kallsyms_names + kallsyms_name_offsets[i];
	return true;
}

static bool kernel_lookup(unsigned long address, struct symbol_info *info)
{
	size_t low = 0, high = kallsyms_count_kernel();
	u32 offset = (u32)(address - (unsigned long)_text), end;

	if (address < (unsigned long)_text || address >= (unsigned long)_end || !high ||
	    kallsyms_offsets[0] > offset)
		return false;
	while (high - low > 1) { /* offsets[low] <= offset < offsets[high] */
		size_t middle = (low + high) / 2;

		if (kallsyms_offsets[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	end = high < kallsyms_count_kernel() ? kallsyms_offsets[high] : (u32)(_end - _text);
	strscpy(info->name, kallsyms_names + kallsyms_name_offsets[low], sizeof(info->name));
	info->module[0] = '\0';
	info->offset = offset - kallsyms_offsets[low];
	info->size = end - kallsyms_offsets[low];
	return true;
}

bool kallsyms_lookup(unsigned long address, struct symbol_info *info)
{
	return kernel_lookup(address, info) || module_symbol_lookup(address, info);
}
EXPORT_SYMBOL(kallsyms_lookup);

size_t kallsyms_format(char *text, size_t size, unsigned long address, bool with_offset)
{
	struct symbol_info info;
	size_t length;

	if (!kallsyms_lookup(address, &info))
		return (size_t)scnprintf(text, size, "0x%lx", address);
	length = (size_t)scnprintf(text, size, "%s", info.name);
	if (with_offset)
		length += (size_t)scnprintf(text + length, size - length, "+0x%lx/0x%lx",
					    info.offset, info.size);
	if (info.module[0])
		length += (size_t)scnprintf(text + length, size - length, " [%s]", info.module);
	return length;
}
EXPORT_SYMBOL(kallsyms_format);

unsigned long kallsyms_address(const char *name)
{
	const char *at = kallsyms_names, *colon = strchr(name, ':');

	if (colon)
		return module_symbol_address(name, (size_t)(colon - name), colon + 1);
	for (size_t i = 0; i < kallsyms_count_kernel(); i++, at += strlen(at) + 1)
		if (!strcmp(at, name))
			return (unsigned long)_text + kallsyms_offsets[i];
	return module_symbol_address(NULL, 0, name);
}
EXPORT_SYMBOL(kallsyms_address);

bool is_kernel_text(unsigned long address)
{
	bool found;

	if (address >= (unsigned long)_text && address < (unsigned long)_etext)
		return true;
	rcu_read_lock();
	found = module_text_contains(address);
	rcu_read_unlock();
	return found;
}
