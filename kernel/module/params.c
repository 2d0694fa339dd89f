/*
 * Module parameters: taking apart "name=value name2='more words'", and the operations for each type.
 *
 * Values come from the kernel's command line (`module.name=value`) first, then from who loads the module, then from
 * writes to /sys/module/NAME/parameters/, which hold the parameter lock.
 */
#define LOG_PREFIX "module: "
#include <kumo/err.h>
#include <kumo/mutex.h>
#include <kumo/params.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include "internal.h"

static struct mutex param_mutex = MUTEX_INIT(param_mutex, "module_param");

void kernel_param_lock(void)
{
	mutex_lock(&param_mutex);
}
EXPORT_SYMBOL(kernel_param_lock);

void kernel_param_unlock(void)
{
	mutex_unlock(&param_mutex);
}
EXPORT_SYMBOL(kernel_param_unlock);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

int module_param_parse(char **args, char **name, char **value)
{
	char *at = *args, *to;
	bool quoted = false;

	while (is_blank(*at))
		at++;
	if (!*at)
		return 0;
	*name = to = at;
	*value = NULL;
	for (; *at && (quoted || !is_blank(*at)); at++) {
		if (*at == '"') {
			quoted = !quoted;
		} else if (*at == '=' && !*value) {
			*to++ = '\0';
			*value = to;
		} else {
			*to++ = *at;
		}
	}
	if (quoted)
		return -EINVAL;
	*args = *at ? at + 1 : at;
	*to = '\0';
	return 1;
}

static const struct kernel_param *param_find(const struct module *module, const char *name)
{
	for (size_t i = 0; i < module->param_count; i++) {
		size_t length = param_name_match(name, module->params[i].name);

		if (length && !name[length])
			return &module->params[i];
	}
	return NULL;
}

static int param_set(const struct module *module, const char *name, const char *value)
{
	const struct kernel_param *param = param_find(module, name);
	int error;

	if (!param) {
		pr_warn("%s: unknown parameter '%s' ignored\n", module->name, name);
		return 0;
	}
	if (!value && !param->ops->bare) {
		pr_err("%s: `%s' expects a value\n", module->name, name);
		return -EINVAL;
	}
	kernel_param_lock();
	error = param->ops->set ? param->ops->set(value, param) : -EPERM;
	kernel_param_unlock();
	if (error)
		pr_err("%s: `%s' invalid for parameter `%s'\n", module->name, value ? value : "", name);
	return error;
}

/* What the kernel's command line says about the module. A word's value lies behind its first '='. */
static int apply_boot_words(const struct module *module)
{
	for (const char *word = boot_word_next(NULL); word; word = boot_word_next(word)) {
		size_t length = param_name_match(word, module->name);
		char name[MODULE_NAME_LEN + 64];
		const char *value;
		int error;

		if (!length || word[length] != '.')
			continue;
		word += length + 1;
		value = strchr(word, '=');
		if (strscpy(name, word, sizeof(name)) == -E2BIG &&
		    (!value || value - word >= (long)sizeof(name)))
			continue;
		if (value)
			name[value++ - word] = '\0';
		error = param_set(module, name, value);
		if (error)
			return error;
	}
	return 0;
}

int module_params_apply(struct module *module, char *args)
{
	char *name, *value;
	int more, error = apply_boot_words(module);

	while (!error && (more = module_param_parse(&args, &name, &value))) {
		if (more < 0) {
			pr_err("%s: a quotation in the parameters does not end\n", module->name);
			return more;
		}
		error = param_set(module, name, value);
	}
	return error;
}

void module_params_free(struct module *module)
{
	for (size_t i = 0; i < module->param_count; i++)
		if (module->params[i].ops->free)
			module->params[i].ops->free(module->params[i].arg);
}

/* ---- Types ---- */

#define DEFINE_PARAM(name_, type, parsed, parse, format, cast)                                     \
	static int name_##_set(const char *value, const struct kernel_param *param)                \
	{                                                                                          \
		parsed number;                                                                     \
		int error = parse(value, 0, &number);                                              \
                                                                                                   \
		if (error)                                                                         \
			return error;                                                              \
		if ((parsed)(type)number != number)                                                \
			return -ERANGE;                                                            \
		WRITE_ONCE(*(type *)param->arg, (type)number);                                     \
		return 0;                                                                          \
	}                                                                                          \
	static int name_##_get(char *buffer, size_t size, const struct kernel_param *param)        \
	{                                                                                          \
		return scnprintf(buffer, size, format, (cast)READ_ONCE(*(type *)param->arg));      \
	}                                                                                          \
	const struct kernel_param_ops param_ops_##name_ = { .set = name_##_set, .get = name_##_get }
#define DEFINE_SIGNED(name, type) DEFINE_PARAM(name, type, s64, parse_s64, "%lld", long long)
#define DEFINE_UNSIGNED(name, type, format)                                                        \
	DEFINE_PARAM(name, type, u64, parse_u64, format, unsigned long long)

DEFINE_UNSIGNED(byte, u8, "%llu");
DEFINE_SIGNED(short, short);
DEFINE_UNSIGNED(ushort, unsigned short, "%llu");
DEFINE_SIGNED(int, int);
DEFINE_UNSIGNED(uint, unsigned int, "%llu");
DEFINE_SIGNED(long, long);
DEFINE_UNSIGNED(ulong, unsigned long, "%llu");
DEFINE_UNSIGNED(ullong, unsigned long long, "%llu");
DEFINE_UNSIGNED(hexint, unsigned int, "0x%08llx");
EXPORT_SYMBOL(param_ops_byte);
EXPORT_SYMBOL(param_ops_short);
EXPORT_SYMBOL(param_ops_ushort);
EXPORT_SYMBOL(param_ops_int);
EXPORT_SYMBOL(param_ops_uint);
EXPORT_SYMBOL(param_ops_long);
EXPORT_SYMBOL(param_ops_ulong);
EXPORT_SYMBOL(param_ops_ullong);
EXPORT_SYMBOL(param_ops_hexint);

static int bool_set(const char *value, const struct kernel_param *param)
{
	return parse_bool(value ? value : "1", param->arg);
}

static int bool_get(char *buffer, size_t size, const struct kernel_param *param)
{
	return scnprintf(buffer, size, "%c", READ_ONCE(*(bool *)param->arg) ? 'Y' : 'N');
}
const struct kernel_param_ops param_ops_bool = { .set = bool_set, .get = bool_get, .bare = true };
EXPORT_SYMBOL(param_ops_bool);

static int invbool_set(const char *value, const struct kernel_param *param)
{
	bool inverse;
	int error = parse_bool(value ? value : "1", &inverse);

	if (!error)
		WRITE_ONCE(*(bool *)param->arg, !inverse);
	return error;
}

static int invbool_get(char *buffer, size_t size, const struct kernel_param *param)
{
	return scnprintf(buffer, size, "%c", READ_ONCE(*(bool *)param->arg) ? 'N' : 'Y');
}
const struct kernel_param_ops param_ops_invbool = { .set = invbool_set, .get = invbool_get };
EXPORT_SYMBOL(param_ops_invbool);

/*
 * A charp is one of two: the module's own initial text, or memory that set() allocated. A list of the latter tells them apart.
 * Under the parameter lock, but for the list's own.
 */
struct charp_text {
	struct list link;
	char text[];
};
static struct list charp_texts = LIST_INIT(charp_texts);
static spinlock_t charp_lock = SPINLOCK_INIT("charp");

static void charp_free(void *arg)
{
	struct charp_text *entry, *after, *found = NULL;
	char **variable = arg;

	spin_lock(&charp_lock);
	list_for_each_safe(entry, after, &charp_texts, link) {
		if (entry->text == *variable) {
			list_del(&entry->link);
			found = entry;
			break;
		}
	}
	spin_unlock(&charp_lock);
	kfree(found);
}

static int charp_set(const char *value, const struct kernel_param *param)
{
	size_t length = strlen(value);
	struct charp_text *entry;

	if (length > 1024)
		return -ENOSPC;
	entry = kmalloc(sizeof(*entry) + length + 1, GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->text, value, length + 1);
	charp_free(param->arg);
	spin_lock(&charp_lock);
	list_add(&charp_texts, &entry->link);
	spin_unlock(&charp_lock);
	WRITE_ONCE(*(char **)param->arg, entry->text);
	return 0;
}

static int charp_get(char *buffer, size_t size, const struct kernel_param *param)
{
	return scnprintf(buffer, size, "%s", *(char **)param->arg);
}
const struct kernel_param_ops param_ops_charp = { .set = charp_set, .get = charp_get, .free = charp_free };
EXPORT_SYMBOL(param_ops_charp);

static int string_set(const char *value, const struct kernel_param *param)
{
	const struct kernel_param_string *string = param->arg;

	if (strlen(value) >= string->size)
		return -ENOSPC;
	strscpy(string->text, value, string->size);
	return 0;
}

static int string_get(char *buffer, size_t size, const struct kernel_param *param)
{
	const struct kernel_param_string *string = param->arg;

	return scnprintf(buffer, size, "%s", string->text);
}
const struct kernel_param_ops param_ops_string = { .set = string_set, .get = string_get };
EXPORT_SYMBOL(param_ops_string);

/* Comma-separated elements, each by the operations of its type; the texts between commas are copied out one by one. */
static int array_set(const char *value, const struct kernel_param *param)
{
	struct kernel_param_array *array = param->arg;
	unsigned int count = 0;
	int error = 0;

	for (const char *at = value;; count++) {
		const char *comma = strchr(at, ',');
		size_t length = comma ? (size_t)(comma - at) : strlen(at);
		struct kernel_param element = { .name = param->name,
						.ops = array->ops,
						.arg = (u8 *)array->elements +
						       count * array->element_size };
		char *text;

		if (count == array->max) {
			pr_err("%s: can only take %u arguments\n", param->name, array->max);
			return -EINVAL;
		}
		text = kstrndup(at, length, GFP_KERNEL);
		if (!text)
			return -ENOMEM;
		error = array->ops->set(text, &element);
		kfree(text);
		if (error)
			return error;
		if (!comma)
			break;
		at = comma + 1;
	}
	array->own_count = count + 1;
	if (array->count)
		*array->count = count + 1;
	return 0;
}

static int array_get(char *buffer, size_t size, const struct kernel_param *param)
{
	struct kernel_param_array *array = param->arg;
	unsigned int count = array->count	? *array->count
			     : array->own_count ? array->own_count
						: array->max;
	size_t length = 0;

	for (unsigned int i = 0; i < count && i < array->max && length + 1 < size; i++) {
		struct kernel_param element = { .name = param->name,
						.ops = array->ops,
						.arg = (u8 *)array->elements + i * array->element_size };
		int part;

		if (i)
			buffer[length++] = ',';
		part = array->ops->get(buffer + length, size - length, &element);
		if (part < 0)
			return part;
		length += (size_t)part;
	}
	if (size)
		buffer[min(length, size - 1)] = '\0';
	return (int)length;
}

static void array_free(void *arg)
{
	struct kernel_param_array *array = arg;

	for (unsigned int i = 0; array->ops->free && i < array->max; i++)
		array->ops->free((u8 *)array->elements + i * array->element_size);
}
const struct kernel_param_ops param_ops_array = { .set = array_set, .get = array_get, .free = array_free };
EXPORT_SYMBOL(param_ops_array);
