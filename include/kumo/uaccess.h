/*
 * User memory, the only way to it. Each function checks that the range lies in user space and survives any fault:
 * may sleep (a page may have to be read), so never under a spin lock, except the _nofault forms.
 */
#ifndef KUMO_UACCESS_H
#define KUMO_UACCESS_H

#include <kumo/arch/layout.h>
#include <kumo/arch/uaccess.h> /* get_user_u8..u64, put_user_u8..u64 inline fast paths, stac/clac */
#include <kumo/types.h>

/* Bytes NOT copied: 0 is success. */
size_t copy_to_user(void __user *to, const void *from, size_t size) __must_check;
size_t copy_from_user(void *to, const void __user *from, size_t size) __must_check;
size_t clear_user(void __user *to, size_t size) __must_check;
/* Fails (bytes not copied) instead of sleeping when a page is not there; usable under locks. */
size_t copy_to_user_nofault(void __user *to, const void *from, size_t size) __must_check;
size_t copy_from_user_nofault(void *to, const void __user *from, size_t size) __must_check;

/* A NUL-terminated string: its length without NUL; -EFAULT; or `size` when it does not end within size bytes. */
ssize_t strncpy_from_user(char *to, const char __user *from, size_t size) __must_check;

/* get_user(value, pointer), put_user(value, pointer): 0 or -EFAULT, for pointers to 1, 2, 4 or 8 byte integers. */

/*
 * user_member(pointer, member): the address of a structure's member. Not `&pointer->member`: programs need not align what
 * they pass, and to C it is undefined to look for a member of what is not aligned.
 */
#define user_member(pointer, member)                                                               \
	((typeof(&(pointer)->member))((unsigned long)(pointer) + offsetof(typeof(*(pointer)), member)))

static inline bool user_range_ok(const void __user *address, size_t size)
{
	return size <= USER_END && (unsigned long)address <= USER_END - size;
}

/*
 * The exception table of a module (section __ex_table), where it has one; the core's own needs no call. -ENOMEM. Removal
 * may be followed by freeing the module's memory after a grace period. exception_fixup: a trap handler's question
 * whether regs->ip may fault; it is moved to the fixup then.
 */
struct pt_regs;
int exception_table_add(const void *entries, size_t size) __must_check;
void exception_table_remove(const void *entries);
bool exception_fixup(struct pt_regs *regs);

/* Atomically: *address = new if it is `old`; what was there goes to *found. 0 or -EFAULT. For futexes. Does not sleep. */
int user_cmpxchg_u32(u32 __user *address, u32 old, u32 new, u32 *found) __must_check;

#endif
