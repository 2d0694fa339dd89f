/*
 * The symbols of loaded modules: a copy of those that lie in loaded sections, with their names, at the end of the module's
 * data, with what else is shown of it. Symbols of init sections come last, so that forgetting them is to lower the count. Searched linearly: only
 * backtraces and people ask.
 */
#include <kumo/export.h>
#include <kumo/kallsyms.h>
#include <kumo/rcu.h>
#include <kumo/string.h>
#include "internal.h"

static bool is_init(const struct module_load *load, unsigned int section)
{
	return load->places[section].region >= REGION_INIT_TEXT;
}

static size_t section_names_size(const struct module_image *image)
{
	return image->sections[image->header->e_shstrndx].sh_size;
}

static size_t info_size(const struct module_image *image, const char *tag)
{
	const char *value = module_image_info(image, tag, NULL);

	return value ? strlen(value) + 1 : 0;
}

/* Symbols, sections, the names of both, and the texts of .modinfo that are shown. */
size_t module_extras_size(const struct module_image *image)
{
	return image->kept_symbols * sizeof(struct module_symbol) +
	       image->section_count * sizeof(struct module_section_info) + image->strings_size +
	       section_names_size(image) + info_size(image, "version") +
	       info_size(image, "srcversion");
}

static const char *info_copy(const struct module_image *image, const char *tag, char **to)
{
	size_t size = info_size(image, tag);
	const char *copy = *to;

	if (!size)
		return NULL;
	memcpy(*to, module_image_info(image, tag, NULL), size);
	*to += size;
	return copy;
}

/* nm's letter: by section, upper case for global symbols. */
static char type_letter(const struct module_load *load, const Elf64_Sym *symbol)
{
	const Elf64_Shdr *section = &load->image.sections[symbol->st_shndx];
	char letter = 'r';

	if (section->sh_flags & SHF_EXECINSTR)
		letter = 't';
	else if (section->sh_type == SHT_NOBITS)
		letter = 'b';
	else if (section->sh_flags & SHF_WRITE)
		letter = 'd';
	return symbol->st_info >> 4 == STB_LOCAL ? letter : (char)(letter - 'a' + 'A');
}

static struct module_symbol *fill_symbols(const struct module_load *load, struct module_symbol *to,
					  bool init)
{
	const struct module_image *image = &load->image;

	for (unsigned int i = 1; i < image->symbol_count; i++) {
		const Elf64_Sym *symbol = &image->symbols[i];
		unsigned int section = symbol->st_shndx;

		if (!symbol->st_name || section == SHN_UNDEF || section >= image->section_count ||
		    load->places[section].region == REGION_NONE || is_init(load, section) != init)
			continue;
		to->address = (unsigned long)loaded_section(load, section) + symbol->st_value;
		to->name = symbol->st_name;
		to->size_and_type = (u32)min(symbol->st_size, (u64)0xffffff) << 8 |
				    (u8)type_letter(load, symbol);
		to++;
	}
	return to;
}

void module_extras_fill(struct module_load *load, void *memory)
{
	const struct module_image *image = &load->image;
	struct module *module = load->module;
	struct module_symbol *symbols = memory, *end;
	struct module_section_info *sections =
		(struct module_section_info *)(symbols + image->kept_symbols);
	char *strings = (char *)(sections + image->section_count),
	     *names = strings + image->strings_size, *texts;

	memcpy(strings, image->strings, image->strings_size);
	memcpy(names, image->section_names, section_names_size(image));
	texts = names + section_names_size(image);
	module->version = info_copy(image, "version", &texts);
	module->srcversion = info_copy(image, "srcversion", &texts);
	end = fill_symbols(load, symbols, false);
	end = fill_symbols(load, end, true);
	module->symbols = symbols;
	module->symbol_count = (size_t)(end - symbols);
	module->strings = strings;
	module->sections = sections;
	for (unsigned int i = 1; i < image->section_count; i++) {
		if (load->places[i].region == REGION_NONE)
			continue;
		sections->name = names + image->sections[i].sh_name;
		sections->address = (unsigned long)loaded_section(load, i);
		sections++;
	}
	module->section_count = (size_t)(sections - module->sections);
}

static bool inside(unsigned long address, const u8 *start, size_t size)
{
	return address - (unsigned long)start < size;
}

void module_kallsyms_drop_init(struct module *module)
{
	size_t count = module->symbol_count;

	while (count && inside(module->symbols[count - 1].address, module->init, module->init_size + 1))
		count--;
	WRITE_ONCE(module->symbol_count, count);
	/* Addresses of sections that have gone are shown no longer. */
	for (size_t i = 0; i < module->section_count; i++)
		if (inside(module->sections[i].address, module->init, module->init_size))
			((struct module_section_info *)module->sections)[i].address = 0;
}

struct module *module_of_address(unsigned long address)
{
	struct module *module;

	hlist_for_each(module, &modules, link)
		if (inside(address, module->core, module->core_size) ||
		    (READ_ONCE(module->init) && inside(address, module->init, module->init_size)))
			return module;
	return NULL;
}
EXPORT_SYMBOL(module_of_address);

bool module_text_contains(unsigned long address)
{
	const struct module *module = module_of_address(address);

	return module && (inside(address, module->core, module->text_size) ||
			  inside(address, module->init, module->init_text_size));
}

bool module_symbol_lookup(unsigned long address, struct symbol_info *info)
{
	const struct module_symbol *best = NULL;
	const struct module *module;
	unsigned long next = ~0UL;

	rcu_read_lock();
	module = module_of_address(address);
	for (size_t i = 0, count = module ? READ_ONCE(module->symbol_count) : 0; i < count; i++) {
		const struct module_symbol *symbol = &module->symbols[i];

		if (symbol->address > address)
			next = min(next, symbol->address);
		else if (!best || symbol->address >= best->address)
			best = symbol;
	}
	if (best) {
		strscpy(info->name, module->strings + best->name, sizeof(info->name));
		strscpy(info->module, module->name, sizeof(info->module));
		info->offset = address - best->address;
		info->size = best->size_and_type >> 8;
		if (!info->size)
			info->size = next - best->address;
	}
	rcu_read_unlock();
	return best != NULL;
}

unsigned long module_symbol_address(const char *module_name, size_t length, const char *name)
{
	unsigned long address = 0;
	struct module *module;

	rcu_read_lock();
	hlist_for_each(module, &modules, link) {
		if (module_name && (strncmp(module->name, module_name, length) || module->name[length]))
			continue;
		for (size_t i = 0; !address && i < READ_ONCE(module->symbol_count); i++)
			if (!strcmp(module->strings + module->symbols[i].name, name))
				address = module->symbols[i].address;
	}
	rcu_read_unlock();
	return address;
}
