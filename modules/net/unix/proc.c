/* /proc/net/unix: a line for each socket, in Linux's form; and /proc/sys/net/unix. */
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/pseudo.h>
#include <kumo/string.h>

#include "unix.h"

#define FLAG_LISTENING (1U << 16)
enum { SHOWN_UNCONNECTED = 1, SHOWN_CONNECTING = 2, SHOWN_CONNECTED = 3 };

static void show_name(struct text *text, const struct unix_name *name)
{
	u32 length = name->length;

	text_putc(text, ' ');
	if (name->text[0])
		length--; /* the NUL of a path */
	for (u32 i = 0; i < length; i++)
		text_putc(text, name->text[i] ? name->text[i] : '@');
}

static void show_socket(struct text *text, struct unix_socket *socket)
{
	const struct file *file = READ_ONCE(socket->socket.file);
	const struct unix_name *name = smp_load_acquire(&socket->name);
	u8 state = READ_ONCE(socket->state);
	int shown = state != UNIX_CONNECTED ? SHOWN_UNCONNECTED
		    : file		    ? SHOWN_CONNECTED
					    : SHOWN_CONNECTING;

	/* The address would tell where the kernel's memory is. */
	text_printf(text, "%016lx: %08X %08X %08X %04X %02X %5llu", 0UL, refcount_read(&socket->refs),
		    0, state == UNIX_LISTENING ? FLAG_LISTENING : 0, socket->socket.type, shown,
		    file ? (unsigned long long)file->node->attr.id : 0ULL);
	if (name)
		show_name(text, name);
	text_putc(text, '\n');
}

static int unix_show(struct text *text, void *object)
{
	struct unix_socket *socket;

	text_puts(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	mutex_lock(&sockets_lock);
	list_for_each(socket, &sockets, all_link)
		show_socket(text, socket);
	mutex_unlock(&sockets_lock);
	return 0;
}

static const struct pseudo_file unix_file = PSEUDO_TEXT("unix", 0444, unix_show);
static struct pseudo_directory *net_directory, *settings_directory;

u32 unix_queue_max = 10; /* Linux's */

static int queue_max_show(struct text *text, void *object)
{
	text_printf(text, "%u\n", READ_ONCE(unix_queue_max));
	return 0;
}

static int queue_max_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	s64 wanted;
	int error = parse_s64(words, 0, &wanted);

	if (error)
		return error;
	if (wanted < 0 || wanted > 0x7fffffff)
		return -EINVAL;
	WRITE_ONCE(unix_queue_max, (u32)wanted);
	return 0;
}

static const struct pseudo_file queue_max_file =
	PSEUDO_CONTROL("max_dgram_qlen", 0644, queue_max_show, queue_max_store);

int unix_proc_init(void)
{
	int error;

	net_directory = pseudo_directory_path(proc_tree, "net");
	settings_directory = pseudo_directory_path(proc_tree, "sys/net/unix");
	if (!net_directory || !settings_directory)
		return -ENOMEM;
	error = pseudo_file_add(net_directory, &unix_file, NULL);
	if (error)
		return error;
	error = pseudo_file_add(settings_directory, &queue_max_file, NULL);
	if (error)
		pseudo_file_remove(net_directory, unix_file.name);
	return error;
}

void unix_proc_exit(void)
{
	pseudo_file_remove(settings_directory, queue_max_file.name);
	pseudo_file_remove(net_directory, unix_file.name);
}
