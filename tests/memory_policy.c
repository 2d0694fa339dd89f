/* Policies of where memory lies, on a machine of one node: get_mempolicy(2), set_mempolicy(2), mbind(2), and moving pages. */
#define _GNU_SOURCE
#include <linux/mempolicy.h>
#include <signal.h>
#include <sys/mman.h>

#include "gives.h"

#define PAGE 4096
#define BITS 1024 /* of a mask */
#define NOWHERE ((void *)8)

static unsigned long first[BITS / 64] = { 1 }, second[BITS / 64] = { 2 }, none[BITS / 64],
				  found[BITS / 64];

static void a_thread_has_a_policy(void)
{
	int mode = -1;

	gives(0, syscall(SYS_get_mempolicy, &mode, found, BITS, 0, 0));
	tap_ok(mode == MPOL_DEFAULT && !found[0], "it has none to begin with");
	gives(0, syscall(SYS_set_mempolicy, MPOL_BIND, first, BITS));
	gives(0, syscall(SYS_get_mempolicy, &mode, found, BITS, 0, 0));
	tap_ok(mode == MPOL_BIND && found[0] == 1, "what is set is told");
	gives(0, syscall(SYS_set_mempolicy, MPOL_BIND | MPOL_F_STATIC_NODES, first, BITS));
	gives(0, syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, first, BITS));
	gives(0, syscall(SYS_set_mempolicy, MPOL_PREFERRED, NULL, 0));
	gives(0, syscall(SYS_set_mempolicy, MPOL_LOCAL, NULL, 0));
	gives(0, syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	gives(0, syscall(SYS_get_mempolicy, NULL, found, BITS, 0, MPOL_F_MEMS_ALLOWED));
	tap_ok(found[0] == 1, "there is one node");
}

static void policies_that_cannot_be_are_refused(void)
{
	gives(-EINVAL, syscall(SYS_set_mempolicy, -1, first, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, 99, first, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, MPOL_DEFAULT, first, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, MPOL_LOCAL, first, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, MPOL_BIND, none, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, MPOL_BIND, second, BITS));
	gives(-EINVAL, syscall(SYS_set_mempolicy, MPOL_BIND, first, 1 << 20));
	gives(-EINVAL, syscall(SYS_set_mempolicy,
			       MPOL_BIND | MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES, first, BITS));
	gives(-EFAULT, syscall(SYS_set_mempolicy, MPOL_BIND, NOWHERE, BITS));
	gives(-EINVAL, syscall(SYS_get_mempolicy, NULL, found, 0, 0, 0));
	gives(-EINVAL, syscall(SYS_get_mempolicy, NULL, found, BITS, 0, 8));
	gives(-EINVAL,
	      syscall(SYS_get_mempolicy, NULL, found, BITS, 0, MPOL_F_MEMS_ALLOWED | MPOL_F_NODE));
	gives(-EINVAL, syscall(SYS_get_mempolicy, NULL, found, BITS, PAGE, 0));
	gives(-EFAULT, syscall(SYS_get_mempolicy, NULL, found, BITS, PAGE, MPOL_F_ADDR));
	gives(-EFAULT, syscall(SYS_get_mempolicy, NOWHERE, NULL, 0, 0, 0));
}

static void memory_is_bound_where_it_is(void)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *list[2] = { pages, pages + PAGE };
	int nodes[2] = { 0, 0 }, status[2] = { 9, 9 }, node = 9;

	pages[0] = 1;
	gives(0, syscall(SYS_mbind, pages, PAGE, MPOL_BIND, first, BITS, 0));
	gives(0, syscall(SYS_mbind, pages, 0, MPOL_BIND, first, BITS, 0));
	gives(0, syscall(SYS_mbind, pages, 2 * PAGE, MPOL_DEFAULT, NULL, 0,
			 MPOL_MF_MOVE | MPOL_MF_STRICT));
	gives(-EINVAL, syscall(SYS_mbind, pages + 1, PAGE, MPOL_BIND, first, BITS, 0));
	gives(-EINVAL, syscall(SYS_mbind, pages, PAGE, MPOL_BIND, second, BITS, 0));
	gives(-EINVAL, syscall(SYS_mbind, pages, PAGE, MPOL_BIND, first, BITS, 8));
	gives(-EFAULT, syscall(SYS_mbind, PAGE, PAGE, MPOL_BIND, first, BITS, 0));
	gives(0, syscall(SYS_get_mempolicy, &node, NULL, 0, pages, MPOL_F_ADDR | MPOL_F_NODE));
	tap_ok(node == 0, "its node is the one that there is");
	gives(0, syscall(SYS_move_pages, 0, 2, list, NULL, status, 0));
	tap_ok(status[0] == 0 && status[1] == -EFAULT,
	       "a page that was touched is there, the other is not");
	gives(0, syscall(SYS_move_pages, 0, 1, list, nodes, status, MPOL_MF_MOVE));
	gives(-EINVAL, syscall(SYS_move_pages, 0, 1, list, nodes, status, 8));
	nodes[0] = 5;
	gives(-ENODEV, syscall(SYS_move_pages, 0, 1, list, nodes, status, MPOL_MF_MOVE));
	gives(-EFAULT, syscall(SYS_move_pages, 0, 1, NOWHERE, NULL, status, 0));
	gives(-EFAULT, syscall(SYS_move_pages, 0, 1, list, NULL, NOWHERE, 0));
	gives(-ESRCH, syscall(SYS_move_pages, 4000000, 1, list, NULL, status, 0));
	gives(0, syscall(SYS_migrate_pages, 0, BITS, first, first));
	gives(-EINVAL, syscall(SYS_migrate_pages, 0, BITS, first, second));
	gives(-EFAULT, syscall(SYS_migrate_pages, 0, BITS, NOWHERE, first));
	gives(-ESRCH, syscall(SYS_migrate_pages, 4000000, BITS, first, first));
}

static void others_memory_is_not_moved(void)
{
	int status;
	void *list = &status;

	if (setresuid(1000, 1000, 1000))
		return;
	gives(-EPERM, syscall(SYS_move_pages, 1, 1, &list, NULL, &status, 0));
	gives(-EPERM, syscall(SYS_move_pages, 0, 1, &list, NULL, &status, MPOL_MF_MOVE_ALL));
	gives(-EPERM, syscall(SYS_mbind, 0, 0, MPOL_DEFAULT, NULL, 0, MPOL_MF_MOVE_ALL));
}

int main(void)
{
	a_thread_has_a_policy();
	policies_that_cannot_be_are_refused();
	memory_is_bound_where_it_is();
	in_child_checked(others_memory_is_not_moved);
	return tap_end();
}
