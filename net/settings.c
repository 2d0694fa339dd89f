/* /proc/sys/net/core: limits of sockets and what they start with, a number a file. */
#include <kumo/err.h>
#include <kumo/main.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/socket.h>
#include <kumo/string.h>

#define BUFFER_USUAL 212992 /* Linux's, bytes */

struct socket_settings socket_settings = {
	.backlog_max = 4096,
	.control_max = 20480,
	.send_buffer = BUFFER_USUAL,
	.send_buffer_max = BUFFER_USUAL,
	.receive_buffer = BUFFER_USUAL,
	.receive_buffer_max = BUFFER_USUAL,
};

struct setting {
	u32 *value;
	u32 least;
};

static int setting_show(struct text *text, void *object)
{
	const struct setting *setting = object;

	text_printf(text, "%u\n", READ_ONCE(*setting->value));
	return 0;
}

static int setting_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	const struct setting *setting = object;
	s64 wanted;
	int error = parse_s64(words, 0, &wanted);

	if (error)
		return error;
	if (wanted < setting->least || wanted > 0x7fffffff)
		return -EINVAL;
	WRITE_ONCE(*setting->value, (u32)wanted);
	return 0;
}

#define SETTING(name_) PSEUDO_CONTROL(name_, 0644, setting_show, setting_store)

static const struct {
	struct pseudo_file file;
	struct setting setting;
} settings[] = {
	{ SETTING("optmem_max"), { .value = &socket_settings.control_max } },
	{ SETTING("rmem_default"),
	  { .value = &socket_settings.receive_buffer, .least = RECEIVE_BUFFER_MIN } },
	{ SETTING("rmem_max"),
	  { .value = &socket_settings.receive_buffer_max, .least = RECEIVE_BUFFER_MIN } },
	{ SETTING("somaxconn"), { .value = &socket_settings.backlog_max } },
	{ SETTING("wmem_default"), { .value = &socket_settings.send_buffer, .least = SEND_BUFFER_MIN } },
	{ SETTING("wmem_max"), { .value = &socket_settings.send_buffer_max, .least = SEND_BUFFER_MIN } },
};

void __init sockets_init(void)
{
	struct pseudo_directory *core = pseudo_directory_path(proc_tree, "sys/net/core");

	for (unsigned int i = 0; i < ARRAY_SIZE(settings); i++)
		if (!core || pseudo_file_add(core, &settings[i].file, (void *)&settings[i].setting))
			panic("no memory for /proc/sys/net/core");
}
