/*
 * The gate of a tree: who may call the instance that serves it.
 *
 * Calls are counted by CPU, in and out, without barriers (serve.h). To close the gate, tree->state is changed, and a grace period of
 * RCU waited for: whoever saw it open has counted himself in by then. From then on the sum only falls, since only those come in
 * who are inside already, and those are not counted again; when it reads zero, nobody is inside.
 *
 * Outside wait, killably: those who came too late, perhaps with locks of the core (node->lock). That is why nobody inside may
 * wait for such a lock, and why page faults let go of the address space before they wait (fault.c). Who cannot wait, the last
 * reference of a node or an open file, leaves it here: the instance hears of it when there is one again. (A file that is closed
 * while the instance is lost is clunked there: it holds a mount, which shall not be busy because of that.)
 */
#define LOG_PREFIX "tree: "
#include <kumo/export.h>
#include <kumo/module.h>
#include <kumo/rcu.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "internal.h"
#include "rebind_internal.h"

int tree_gate_make(struct tree *tree)
{
	struct tree_gate *gate = kzalloc(sizeof(*gate), GFP_KERNEL);

	tree->cpus = kcalloc(cpu_possible, sizeof(*tree->cpus), GFP_KERNEL);
	tree->gate = gate;
	if (!gate || !tree->cpus)
		return -ENOMEM; /* tree_gate_free() takes what there is */
	for (unsigned int cpu = 0; cpu < cpu_possible; cpu++) {
		spin_init(&tree->cpus[cpu].lock, "tree_cpu");
		list_init(&tree->cpus[cpu].nodes);
		list_init(&tree->cpus[cpu].files);
	}
	gate->tree = tree;
	spin_init(&gate->lock, "tree_gate");
	wait_queue_init(&gate->outside);
	wait_queue_init(&gate->drained);
	list_init(&gate->renames);
	mutex_init(&gate->replacing, "tree_replacing");
	delayed_work_init(&gate->retry, tree_retry);
	work_init(&gate->retried, tree_retried);
	tree->write_epoch = 1;
	tree->state = TREE_SERVED;
	return 0;
}

void tree_gate_free(struct tree *tree)
{
	kfree(tree->gate);
	kfree(tree->cpus);
}

/* ---- Coming in ---- */

bool tree_is_inside(const struct tree *tree)
{
	for (const struct tree_visit *visit = current->visit; visit; visit = visit->outer)
		if (visit->tree == tree)
			return true;
	return false;
}

bool tree_is_losing(const struct tree *tree)
{
	return tree->gate && READ_ONCE(tree->gate->lost);
}

/* Inside already, or a thread of the instance itself. */
static bool belongs_inside(const struct tree *tree)
{
	const struct module *owner = tree->type ? tree->type->owner : NULL;

	return tree_is_inside(tree) || (owner && current->module == owner);
}

static bool may_go_on(const struct tree *tree)
{
	u32 state = READ_ONCE(tree->state);

	return state == TREE_SERVED || state == TREE_DEAD;
}

/* Until when who waits for a lost tree does so. */
static u64 patience_ends_ns(const struct tree *tree)
{
	u64 lost_ns = READ_ONCE(tree->gate->lost_ns);

	return tree->lost_wait_ns && lost_ns ? lost_ns + tree->lost_wait_ns : WAIT_FOREVER;
}

/* 0: look again. The deadline may come to be while one waits: the queue is woken then. */
static int wait_outside(struct tree *tree)
{
	u64 deadline_ns = patience_ends_ns(tree);
	int error = wait_event_mode(&tree->gate->outside,
				    may_go_on(tree) || patience_ends_ns(tree) != deadline_ns,
				    WAIT_KILLABLE, false, deadline_ns);

	if (error == -ETIME)
		return -EIO;
	return error ? -EINTR : 0;
}

int tree_enter_slow(struct tree *tree, struct tree_visit *visit, bool nowait)
{
	u32 state;
	int error;

	while (!tree_enter_fast(tree, visit)) {
		state = READ_ONCE(tree->state);
		if (state == TREE_DEAD)
			return -EIO;
		if (state == TREE_UNGATED || (state != TREE_SERVED && belongs_inside(tree))) {
			tree_visit_begin(tree, visit, false);
			return 0;
		}
		if (nowait && state != TREE_SERVED)
			return -EAGAIN;
		error = wait_outside(tree);
		if (error)
			return error;
	}
	return 0;
}
EXPORT_SYMBOL(tree_enter_slow);

bool tree_enter_lost(struct tree *tree, struct tree_visit *visit)
{
	return tree_enter_in(tree, visit, TREE_LOST);
}

void tree_enter_own(struct tree *tree, struct tree_visit *visit)
{
	tree_visit_begin(tree, visit, false);
}
EXPORT_SYMBOL(tree_enter_own);

void tree_leave_own(struct tree_visit *visit)
{
	current->visit = visit->outer;
}
EXPORT_SYMBOL(tree_leave_own);

bool tree_leave_lost(struct tree_visit *visit)
{
	struct tree *tree = visit->tree;

	tree_lost(tree); /* inside: it is this instance that is */
	tree_leave(visit);
	return !tree_is_inside(tree);
}

void tree_left(struct tree *tree)
{
	wake_up_all(&tree->gate->drained);
}
EXPORT_SYMBOL(tree_left);

int tree_wait_served(struct tree *tree)
{
	int error = 0;

	while (!error && !may_go_on(tree) && !belongs_inside(tree))
		error = wait_outside(tree);
	return error;
}

/* ---- Closing and opening ---- */

static long count_inside(const struct tree *tree)
{
	long sum = 0;

	for (unsigned int cpu = 0; cpu < cpu_possible; cpu++)
		sum += READ_ONCE(tree->cpus[cpu].inside);
	return sum;
}

static void state_set(struct tree *tree, enum tree_state state)
{
	__atomic_store_n(&tree->state, state, __ATOMIC_SEQ_CST);
	wake_up_all(&tree->gate->outside);
}

int tree_gate_close(struct tree *tree, u64 timeout_ns)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;
	int error;

	flags = spin_lock_irqsave(&gate->lock);
	gate->lost = tree->state == TREE_LOST;
	if (tree->state != TREE_DEAD)
		state_set(tree, TREE_CLOSED);
	spin_unlock_irqrestore(&gate->lock, flags);
	if (tree->state == TREE_DEAD)
		return -EIO;
	synchronize_rcu();
	error = wait_event_mode(&gate->drained, !count_inside(tree), WAIT_KILLABLE, false,
				time_monotonic_ns() + timeout_ns);
	return !error ? 0 : error == -ETIME ? -EBUSY : -EINTR;
}

/* What was left here because the instance could not hear of it. */
static void late_nodes_put(struct tree_gate *gate)
{
	struct rcu_head *late = NULL;
	unsigned long flags;

	for (;;) {
		flags = spin_lock_irqsave(&gate->lock);
		late = gate->late_nodes;
		if (late)
			gate->late_nodes = late->next;
		spin_unlock_irqrestore(&gate->lock, flags);
		if (!late)
			return;
		node_put(container_of(late, struct node, rcu));
	}
}

void tree_release_late_files(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;
	struct file *file;

	for (;;) {
		flags = spin_lock_irqsave(&gate->lock);
		file = gate->late_files;
		if (file)
			gate->late_files = file->next_late;
		spin_unlock_irqrestore(&gate->lock, flags);
		if (!file)
			return;
		file->next_late = NULL;
		file_release_served(file);
	}
}

/* A lost tree is tried again, unless that is just being done. */
static void retry_soon(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;

	if (!tree->retry_ns || READ_ONCE(gate->retrying))
		return; /* who retries looks again when that has ended */
	gate->retry_wait_ns = tree->retry_ns;
	delayed_work_queue(&gate->retry, time_monotonic_ns());
}

void tree_gate_open(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;

	tree_get(tree); /* what was left here may hold the last mount */
	flags = spin_lock_irqsave(&gate->lock);
	if (tree->state != TREE_DEAD)
		state_set(tree, gate->lost ? TREE_LOST : TREE_SERVED);
	if (tree->state == TREE_SERVED)
		gate->lost_ns = 0;
	else if (!gate->lost_ns)
		gate->lost_ns = time_monotonic_ns();
	spin_unlock_irqrestore(&gate->lock, flags);
	tree_release_late_files(tree); /* also of a lost one: the caller keeps all others from closing the gate */
	if (tree->state == TREE_LOST)
		retry_soon(tree);
	else
		late_nodes_put(gate);
	tree_put(tree);
}

/* ---- Loss ---- */

void tree_lost(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;
	bool news = false;

	if (tree->state == TREE_UNGATED)
		return;
	flags = spin_lock_irqsave(&gate->lock);
	if (!gate->lost && tree->state != TREE_DEAD) {
		news = true;
		gate->lost = true;
		gate->lost_ns = time_monotonic_ns();
		if (tree->state == TREE_SERVED)
			state_set(tree, tree_replaceable(tree) && !gate->ends ? TREE_LOST : TREE_DEAD);
	}
	spin_unlock_irqrestore(&gate->lock, flags);
	if (!news)
		return;
	pr_warn("'%s': lost\n", tree->source);
	if (tree->state == TREE_LOST) /* else who replaces it sees to it */
		retry_soon(tree);
}
EXPORT_SYMBOL(tree_lost);

void tree_give_up(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;

	if (tree->state == TREE_UNGATED)
		return;
	tree_get(tree);
	flags = spin_lock_irqsave(&gate->lock);
	state_set(tree, TREE_DEAD);
	spin_unlock_irqrestore(&gate->lock, flags);
	tree_release_late_files(tree);
	late_nodes_put(gate);
	tree_put(tree);
}
EXPORT_SYMBOL(tree_give_up);

void tree_gate_end(struct tree *tree)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags;

	(void)delayed_work_cancel_sync(&gate->retry);
	flags = spin_lock_irqsave(&gate->lock);
	gate->ends = true;
	if (tree->state != TREE_SERVED)
		state_set(tree, TREE_DEAD);
	spin_unlock_irqrestore(&gate->lock, flags);
	late_nodes_put(gate);
}

/* ---- Last references ---- */

void node_put_late(struct node *node)
{
	struct tree_gate *gate = node->tree->gate;
	unsigned long flags;
	bool open;

	node_unlist_lock(node); /* who goes through the list sees either no reference, or ours */
	refcount_set(&node->refs, 1);
	node_unlist_unlock(node);
	flags = spin_lock_irqsave(&gate->lock);
	open = may_go_on(node->tree);
	if (!open) {
		node->rcu.next = gate->late_nodes;
		gate->late_nodes = &node->rcu;
	}
	spin_unlock_irqrestore(&gate->lock, flags);
	node_index_wake(node);
	if (open) /* just now */
		node_put(node);
}

bool file_release_late(struct file *file)
{
	struct tree_gate *gate = file->node->tree->gate;
	unsigned long flags = spin_lock_irqsave(&gate->lock);
	bool open = may_go_on(file->node->tree);

	if (!open) {
		file->next_late = gate->late_files;
		gate->late_files = file;
	}
	spin_unlock_irqrestore(&gate->lock, flags);
	return !open;
}

/* ---- Renames without an answer ---- */

void tree_rename_begin(struct tree *tree, struct rename_pending *pending)
{
	struct tree_gate *gate = tree->gate;
	unsigned long flags = spin_lock_irqsave(&gate->lock);

	pending->number = ++gate->rename_count;
	list_add_tail(&gate->renames, &pending->link);
	spin_unlock_irqrestore(&gate->lock, flags);
}

void tree_rename_end(struct tree *tree, struct rename_pending *pending)
{
	unsigned long flags = spin_lock_irqsave(&tree->gate->lock);

	list_del(&pending->link);
	spin_unlock_irqrestore(&tree->gate->lock, flags);
}

bool tree_has_renames(const struct tree *tree)
{
	return READ_ONCE(tree->gate->renames.next) != &tree->gate->renames;
}

bool tree_rename_next(struct tree *tree, u64 *after, struct rename_look *look)
{
	struct tree_gate *gate = tree->gate;
	struct rename_pending *pending;
	unsigned long flags;
	bool found = false;

	flags = spin_lock_irqsave(&gate->lock);
	list_for_each(pending, &gate->renames, link) {
		if (pending->number <= *after)
			continue;
		*after = pending->number;
		look->node = node_get(pending->node);
		look->dir = node_get(pending->dir);
		memcpy(look->text, pending->name->text, pending->name->length);
		look->name = *pending->name;
		look->name.text = look->text;
		found = true;
		break;
	}
	spin_unlock_irqrestore(&gate->lock, flags);
	return found;
}

/* ---- Lists ---- */

void node_list(struct node *node)
{
	struct tree_cpu *cpu;

	node->list_cpu = (u16)smp_processor_id();
	cpu = &node->tree->cpus[node->list_cpu];
	spin_lock(&cpu->lock);
	list_add_tail(&cpu->nodes, &node->tree_link);
	spin_unlock(&cpu->lock);
}

void node_unlist(struct node *node)
{
	struct tree_cpu *cpu = &node->tree->cpus[node->list_cpu];

	spin_lock(&cpu->lock);
	list_del_init(&node->tree_link);
	spin_unlock(&cpu->lock);
}

void node_unlist_lock(struct node *node)
{
	spin_lock(&node->tree->cpus[node->list_cpu].lock);
}

void node_unlist_unlock(struct node *node)
{
	spin_unlock(&node->tree->cpus[node->list_cpu].lock);
}

void file_list(struct file *file)
{
	struct tree_cpu *cpu;

	file->list_cpu = (u16)smp_processor_id();
	cpu = &file->node->tree->cpus[file->list_cpu];
	spin_lock(&cpu->lock);
	list_add_tail(&cpu->files, &file->tree_link);
	spin_unlock(&cpu->lock);
}

void file_unlist(struct file *file)
{
	struct tree_cpu *cpu = &file->node->tree->cpus[file->list_cpu];

	spin_lock(&cpu->lock);
	list_del_init(&file->tree_link);
	spin_unlock(&cpu->lock);
}
