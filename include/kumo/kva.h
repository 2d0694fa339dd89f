/* The kernel virtual area (mm/kva.c): page-granular mappings with a guard page behind each. */
#ifndef KUMO_KVA_H
#define KUMO_KVA_H

#include <kumo/page.h>

/* Protections of kernel mappings; never both write and execute. */
enum kva_prot { KVA_RW, KVA_RO, KVA_RX, KVA_DEVICE /* uncached */, KVA_WC /* write-combining */ };

/* Memory that need not be contiguous; not cleared unless GFP_ZERO. NULL when short. May sleep. */
void *vmalloc(size_t size, unsigned int gfp) __must_check;
void vfree(const void *address); /* any context; NULL is fine */

/* Like kmalloc for any size: slab for small ones, vmalloc for large. */
void *kvmalloc(size_t size, unsigned int gfp) __must_check;
void kvfree(const void *address);

/* Maps device registers or firmware tables; unmapped with iounmap(). NULL when short. May sleep. */
void __iomem *ioremap(phys_addr_t phys, size_t size, enum kva_prot prot) __must_check;
void iounmap(void __iomem *address);

/* Memory for module text and data, within reach of the kernel image; starts KVA_RW. */
void *module_memory_alloc(size_t size) __must_check;
void module_memory_free(void *address);
/* Changes the protection of whole pages of a vmalloc or module mapping, on all CPUs; -ENOMEM, -EINVAL. May sleep. */
int kva_protect(void *address, size_t size, enum kva_prot prot) __must_check;
struct page *kva_to_page(const void *address); /* NULL: not mapped */

/* A thread's stack: THREAD_STACK_SIZE bytes above a page that is not mapped. alloc: NULL when short; may sleep. free: any
 * context, not from on the stack itself. */
void *kernel_stack_alloc(void) __must_check;
void kernel_stack_free(void *stack);

/* The whole range [*start, *start + *size) of the vmalloc, ioremap or module allocation that `address` is in. */
bool kva_find(const void *address, unsigned long *start, size_t *size);

void kva_init(void);

#endif
