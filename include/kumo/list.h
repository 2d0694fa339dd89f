/* Doubly linked circular lists (struct list) and singly headed hash chains (struct hlist). */
#ifndef KUMO_LIST_H
#define KUMO_LIST_H

#include <kumo/types.h>

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return READ_ONCE(list->next) == list;
}

/* For debug builds: reports a list whose neighbours do not point back, and stops the machine. */
void list_corrupt(const struct list *entry, const char *what) __noreturn;

static inline void list_insert(struct list *entry, struct list *prev, struct list *next)
{
#ifdef CONFIG_DEBUG
	if (next->prev != prev || prev->next != next)
		list_corrupt(entry, "insertion");
#endif
	next->prev = entry;
	entry->next = next;
	entry->prev = prev;
	WRITE_ONCE(prev->next, entry);
}

static inline void list_add(struct list *head, struct list *entry)
{
	list_insert(entry, head, head->next);
}

static inline void list_add_tail(struct list *head, struct list *entry)
{
	list_insert(entry, head->prev, head);
}

static inline void list_del(struct list *entry)
{
#ifdef CONFIG_DEBUG
	if (entry->next->prev != entry || entry->prev->next != entry)
		list_corrupt(entry, "removal");
#endif
	entry->next->prev = entry->prev;
	WRITE_ONCE(entry->prev->next, entry->next);
	entry->next = entry->prev = NULL;
}

/* Removes and leaves the entry an empty list, so that list_empty(entry) tells whether it is queued. */
static inline void list_del_init(struct list *entry)
{
	list_del(entry);
	list_init(entry);
}

/* Moves all of `from` to the tail of `to`; `from` is empty afterwards. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(pointer, type, member) container_of(pointer, type, member)
#define list_first(head, type, member) container_of((head)->next, type, member)
#define list_last(head, type, member) container_of((head)->prev, type, member)

#define list_for_each(entry, head, member)                                                             \
	for (entry = container_of((head)->next, __typeof__(*entry), member); &entry->member != (head); \
	     entry = container_of(entry->member.next, __typeof__(*entry), member))

/* The current entry may be removed and freed in the body. */
#define list_for_each_safe(entry, after, head, member)                                             \
	for (entry = container_of((head)->next, __typeof__(*entry), member),                       \
	    after = container_of(entry->member.next, __typeof__(*entry), member);                  \
	     &entry->member != (head);                                                             \
	     entry = after, after = container_of(after->member.next, __typeof__(*entry), member))

/* Hash chains. Readers under rcu_read_lock() may walk a chain while one writer, under the chain's lock, changes it. */
struct hlist_node {
	struct hlist_node *next, **link;
};

struct hlist {
	struct hlist_node *first;
};

static inline void hlist_add(struct hlist *head, struct hlist_node *node)
{
	node->next = head->first;
	node->link = &head->first;
	if (node->next)
		node->next->link = &node->next;
	__atomic_store_n(&head->first, node, __ATOMIC_RELEASE); /* pairs with the load in hlist_for_each */
}

static inline bool hlist_unhashed(const struct hlist_node *node)
{
	return !node->link;
}

/* The node keeps its next pointer, for a reader that stands on it. */
static inline void hlist_del(struct hlist_node *node)
{
	WRITE_ONCE(*node->link, node->next);
	if (node->next)
		node->next->link = node->link;
	node->link = NULL;
}

#define hlist_entry_or_null(pointer, type, member)                                                 \
	((pointer) ? container_of(pointer, type, member) : NULL)

#define hlist_for_each(entry, head, member_name)                                                   \
	for (struct hlist_node *hlist_at = __atomic_load_n(&(head)->first, __ATOMIC_CONSUME);      \
	     hlist_at && (entry = container_of(hlist_at, __typeof__(*entry), member_name), true);  \
	     hlist_at = __atomic_load_n(&hlist_at->next, __ATOMIC_CONSUME))

#endif
