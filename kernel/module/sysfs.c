/*
 * /sys/module/NAME, for each module that is loaded:
 *
 *	initstate	coming, live or going
 *	refcnt		how many hold it
 *	coresize, initsize	bytes of memory that stays, and that goes after init
 *	taint		letters as in /proc/modules
 *	version, srcversion	where the module says them
 *	parameters/NAME	its value; a write sets it where the permissions allow
 *	sections/NAME	the address of a loaded section, for debuggers
 *	holders/NAME	a link to each module that uses this one
 *
 * Removing the directory waits for readers, so it is never done under a lock that a reader takes.
 */
#include <kumo/err.h>
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include "internal.h"

#define PARAM_TEXT_MAX 4096

const char *module_state_name(enum module_state state)
{
	switch (state) {
	case MODULE_LIVE:
		return "live";
	case MODULE_GOING:
		return "going";
	default:
		return "coming";
	}
}

static int initstate_show(struct text *text, void *object)
{
	const struct module *module = object;

	text_printf(text, "%s\n", module_state_name(READ_ONCE(module->state)));
	return 0;
}

static int refcnt_show(struct text *text, void *object)
{
	const struct module *module = object;

	text_printf(text, "%d\n", max(atomic_read(&module->refs) - 1, 0));
	return 0;
}

static int coresize_show(struct text *text, void *object)
{
	text_printf(text, "%zu\n", ((const struct module *)object)->core_size);
	return 0;
}

static int initsize_show(struct text *text, void *object)
{
	text_printf(text, "%zu\n", READ_ONCE(((const struct module *)object)->init_size));
	return 0;
}

static int taint_show(struct text *text, void *object)
{
	text_puts(text, ((const struct module *)object)->taints & MODULE_TAINT_FORCED ? "F\n" : "\n");
	return 0;
}

static int version_show(struct text *text, void *object)
{
	text_printf(text, "%s\n", ((const struct module *)object)->version);
	return 0;
}

static int srcversion_show(struct text *text, void *object)
{
	text_printf(text, "%s\n", ((const struct module *)object)->srcversion);
	return 0;
}

/* ---- sections ---- */

static int section_show(struct text *text, void *object)
{
	text_printf(text, "0x%016lx\n", ((const struct module_section_info *)object)->address);
	return 0;
}
static const struct pseudo_file section_file = PSEUDO_TEXT("", 0400, section_show);

static void *section_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	const struct module *module = object;

	for (size_t i = 0; i < module->section_count; i++) {
		if (name_equal(name, module->sections[i].name, (u32)strlen(module->sections[i].name))) {
			*file = &section_file;
			return (void *)&module->sections[i];
		}
	}
	return NULL;
}

static int section_list(struct dir_context *context, void *object)
{
	const struct module *module = object;

	for (size_t i = (size_t)context->offset; i < module->section_count; i++)
		if (!pseudo_emit(context, module->sections[i].name, i + 1, S_IFREG >> 12))
			break;
	return 0;
}

/* A section's record belongs to the module. */
static void section_put(void *object)
{
}

static const struct pseudo_dynamic section_names = {
	.lookup = section_lookup,
	.list = section_list,
	.put = section_put,
};

/* ---- holders ---- */

/* The object is the user's name: the user may go while its link is being read. */
static int holder_target(char *buffer, size_t size, void *object)
{
	return snprintf(buffer, size, "../../%s", (const char *)object);
}
static const struct pseudo_file holder_file = PSEUDO_LINK("", holder_target);

static void *holder_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	const struct module *module = object;
	struct module_use *use;
	char *found = NULL;

	mutex_lock(&module_mutex);
	list_for_each(use, &module->users, owner_link) {
		if (name_equal(name, use->user->name, (u32)strlen(use->user->name))) {
			found = kstrdup(use->user->name, GFP_KERNEL);
			break;
		}
	}
	mutex_unlock(&module_mutex);
	*file = &holder_file;
	return found;
}

static void holder_put(void *object)
{
	kfree(object);
}

static int holder_list(struct dir_context *context, void *object)
{
	const struct module *module = object;
	struct module_use *use;
	u64 at = 0;

	mutex_lock(&module_mutex);
	list_for_each(use, &module->users, owner_link)
		if (at++ >= (u64)context->offset &&
		    !pseudo_emit(context, use->user->name, at, S_IFLNK >> 12))
			break;
	mutex_unlock(&module_mutex);
	return 0;
}

static const struct pseudo_dynamic holder_names = {
	.lookup = holder_lookup,
	.list = holder_list,
	.put = holder_put,
};

/* ---- parameters ---- */

static int param_show(struct text *text, void *object)
{
	const struct kernel_param *param = object;
	char *value;
	int length;

	if (!param->ops->get)
		return -EPERM;
	value = kmalloc(PARAM_TEXT_MAX, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	kernel_param_lock();
	length = param->ops->get(value, PARAM_TEXT_MAX, param);
	kernel_param_unlock();
	if (length >= 0)
		text_printf(text, "%.*s\n", length, value);
	kfree(value);
	return length < 0 ? length : 0;
}

static int param_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	const struct kernel_param *param = object;
	int error;

	if (!param->ops->set)
		return -EPERM;
	kernel_param_lock();
	error = param->ops->set(words, param);
	kernel_param_unlock();
	return error;
}

static int parameters_add(struct module *module)
{
	struct pseudo_directory *directory;
	size_t shown = 0;
	int error = 0;

	for (size_t i = 0; i < module->param_count; i++)
		shown += module->params[i].perm != 0;
	if (!shown)
		return 0;
	module->param_files = kcalloc(shown, sizeof(*module->param_files), GFP_KERNEL);
	if (!module->param_files)
		return -ENOMEM;
	directory = pseudo_directory_add(sys_tree, module->directory, "parameters", NULL, module);
	if (IS_ERR(directory))
		return (int)PTR_ERR(directory);
	shown = 0;
	for (size_t i = 0; !error && i < module->param_count; i++) {
		const struct kernel_param *param = &module->params[i];
		struct pseudo_file *file = &module->param_files[shown];

		if (!param->perm)
			continue;
		shown++;
		*file = (struct pseudo_file)PSEUDO_CONTROL(param->name, param->perm & 0777,
							   param_show, param_store);
		error = pseudo_file_add(directory, file, (void *)param);
	}
	return error;
}

/* ---- the directory ---- */

static const struct pseudo_file module_files[] = {
	PSEUDO_TEXT("initstate", 0444, initstate_show),
	PSEUDO_TEXT("refcnt", 0444, refcnt_show),
	PSEUDO_TEXT("coresize", 0444, coresize_show),
	PSEUDO_TEXT("initsize", 0444, initsize_show),
	PSEUDO_TEXT("taint", 0444, taint_show),
	PSEUDO_DYNAMIC("sections", 0755, &section_names),
	PSEUDO_DYNAMIC("holders", 0755, &holder_names),
	{},
};
static const struct pseudo_file version_file = PSEUDO_TEXT("version", 0444, version_show);
static const struct pseudo_file srcversion_file = PSEUDO_TEXT("srcversion", 0444, srcversion_show);

int module_sysfs_add(struct module *module)
{
	struct pseudo_directory *parent = pseudo_directory_path(sys_tree, "module"), *directory;
	int error;

	if (!parent)
		return -ENOMEM;
	directory = pseudo_directory_add(sys_tree, parent, module->name, module_files, module);
	if (IS_ERR(directory))
		return (int)PTR_ERR(directory);
	module->directory = directory;
	error = parameters_add(module);
	if (!error && module->version)
		error = pseudo_file_add(directory, &version_file, module);
	if (!error && module->srcversion)
		error = pseudo_file_add(directory, &srcversion_file, module);
	if (error)
		module_sysfs_remove(module);
	return error;
}

void module_sysfs_remove(struct module *module)
{
	if (!module->directory)
		return;
	pseudo_directory_remove(module->directory);
	module->directory = NULL;
	kfree(module->param_files);
	module->param_files = NULL;
}
