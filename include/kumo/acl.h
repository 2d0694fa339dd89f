/*
 * POSIX access lists (fs/acl.c; acl(5)): who besides its owner, its group and all others may do what with a file, and, of a
 * directory, the list that what is made in it begins with. A node holds its lists (node->acl, node->default_acl); a node
 * without has what its mode says. While there is a list, the mode's group bits are its mask: the most that it grants.
 *
 * A list that a node holds does not change any more; it is replaced as a whole, with node->lock held. Readers of
 * node->acl need no more than rcu_read_lock().
 */
#ifndef KUMO_ACL_H
#define KUMO_ACL_H

#include <kumo/err.h>
#include <kumo/refcount.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>

struct node;
struct node_new;

struct acl {
	refcount_t refs;
	u32 count;
	/* In the order that acl_valid() asks for. e_tag: ACL_USER_OBJ and its like; e_id: of ACL_USER and ACL_GROUP. */
	struct posix_acl_xattr_entry entries[];
};

/* An unfilled list of one reference; NULL: no memory. */
struct acl *acl_alloc(u32 count) __must_check;
static inline struct acl *acl_get(struct acl *acl)
{
	refcount_inc(&acl->refs);
	return acl;
}
void acl_put(struct acl *acl); /* NULL: nothing to do */
/* *slot, a node's, becomes `acl` or NULL, with a reference of its own. */
void acl_assign(struct acl **slot, struct acl *acl);

/*
 * Of and to the form of getxattr(2). From: NULL for a list without entries; ERR_PTR(-EINVAL: what is no list, -EOPNOTSUPP:
 * another version, -ENOMEM). To: the length, with size 0 nothing else; -ERANGE.
 */
struct acl *acl_from_value(const void *value, size_t size) __must_check;
ssize_t acl_to_value(const struct acl *acl, void *value, size_t size) __must_check;
/* Each kind in its place: owner, users, group, groups, a mask where users or groups are named, others. */
bool acl_valid(const struct acl *acl);
/* Brings the permissions of *mode to what the list says. False: and so the mode says it all. */
bool acl_to_mode(const struct acl *acl, u32 *mode);
/* What becomes of a list when its file's mode is set; NULL: no memory. */
struct acl *acl_with_mode(const struct acl *acl, u32 mode) __must_check;
/* The lists that what is made in `dir` begins with, and its mode: by the directory's default list, or else the umask.
 * -ENOMEM. The lists are the caller's to put. */
int acl_inherit(const struct node *dir, struct node_new *new) __must_check;

#endif
