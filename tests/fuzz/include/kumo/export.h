/* Exported symbols, for programs of the host: there is nothing to be done. */
#define EXPORT_SYMBOL(symbol) extern int exports_nothing
