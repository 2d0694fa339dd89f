/*
 * What modules may call. EXPORT_SYMBOL(name), after the definition of a global function or object whose prototype is in
 * sight, puts it into the export table with a checksum of its type: genksyms reads the preprocessed source for the checksum,
 * scripts/modpost writes the table. A module built against another type of `name` is then refused at load.
 */
#ifndef KUMO_EXPORT_H
#define KUMO_EXPORT_H

#ifdef __GENKSYMS__
#define EXPORT_SYMBOL(name) __GENKSYMS_EXPORT_SYMBOL(name)
#else
#define EXPORT_SYMBOL(name) extern __typeof__(name) name
#endif
/* The same: Kumo does not tell importers apart by their licence. */
#define EXPORT_SYMBOL_GPL(name) EXPORT_SYMBOL(name)

/* One exported symbol. Tables are sorted by name; the checksum of entry i is entry i of the table of checksums. */
struct kernel_symbol {
	unsigned long value;
	const char *name;
};

#endif
