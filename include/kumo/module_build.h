/*
 * What scripts/modpost writes into a module's NAME.mod.c, and the loader reads from its sections. Also the form of the
 * kernel's own export table. Not for module authors: see <kumo/module.h>.
 */
#ifndef KUMO_MODULE_BUILD_H
#define KUMO_MODULE_BUILD_H

#include <kumo/export.h>
#include <kumo/moduleparam.h>
#include <kumo/types.h>

#define MODULE_NAME_LEN 56

/* Section .kumo.module: exactly one. */
#define MODULE_DESCRIPTOR_VERSION 1
struct module_descriptor {
	u32 version, size;  /* MODULE_DESCRIPTOR_VERSION, sizeof(struct module_descriptor) */
	int (*init)(void);  /* may be absent */
	void (*exit)(void); /* absent: the module cannot be removed, unless it has no init either */
};
#define MODULE_DESCRIPTOR                                                                          \
	static const struct module_descriptor module_descriptor __used __section(".kumo.module")   \
		__aligned(8)

/* Section __versions: a record for each symbol that the module needs, with the checksum it was built against; sorted by
 * name. The form is Linux's, for kmod reads it. */
struct module_version {
	unsigned long crc;
	char name[MODULE_NAME_LEN];
};
#define MODULE_VERSIONS                                                                            \
	static const struct module_version module_versions[] __used __section("__versions")        \
		__aligned(8)

/* Sections __ksymtab (struct kernel_symbol, sorted by name), __ksymtab_strings, and __kcrctab with the checksums, each under
 * the name __crc_SYMBOL by which kmod finds it. */
#define MODULE_EXPORTS                                                                             \
	static const struct kernel_symbol module_exports[] __used __section("__ksymtab") __aligned(8)
#define MODULE_EXPORT_NAME(name)                                                                    \
	static const char export_name_##name[] __section("__ksymtab_strings") __aligned(1) = #name; \
	extern const char symbol_##name[] __asm__(#name) /* headers may declare `name` with its type */
#define MODULE_EXPORT(name_)                                                                       \
	{                                                                                          \
		.value = (unsigned long)symbol_##name_, .name = export_name_##name_                \
	}
#define MODULE_EXPORT_CRC(name, crc)                                                               \
	__asm__(".pushsection __kcrctab, \"a\"\n\t.balign 4\n__crc_" #name ": .long " #crc         \
		"\n\t.popsection")

#endif
