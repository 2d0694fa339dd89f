/*
 * Control messages of sendmsg(2) and recvmsg(2): open files and credentials that travel beside the bytes. Here they are read
 * from and written to user space's form; how they are carried is the family's business.
 */
#include <kumo/cred.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>
#include <linux/time.h>

struct control_header {
	size_t length; /* with this header */
	int level, type;
};
#define CONTROL_ALIGN(size) ALIGN_UP(size, sizeof(size_t))

/* ---- Files ---- */

void passed_files_put(struct passed_files *files)
{
	if (!files)
		return;
	for (unsigned int i = 0; i < files->count; i++)
		file_put(files->files[i]);
	cred_put(files->cred);
	kfree(files);
}
EXPORT_SYMBOL(passed_files_put);

static struct passed_files *files_alloc(unsigned int capacity, const struct cred *cred, unsigned int gfp)
{
	struct passed_files *files = kmalloc(sizeof(*files) + capacity * sizeof(files->files[0]), gfp);

	if (!files)
		return NULL;
	list_init(&files->link);
	files->cred = cred_get(cred);
	files->count = 0;
	return files;
}

struct passed_files *passed_files_copy(const struct passed_files *files)
{
	struct passed_files *copy = files_alloc(files->count, files->cred, GFP_ATOMIC);

	if (!copy)
		return NULL;
	for (; copy->count < files->count; copy->count++)
		copy->files[copy->count] = file_get(files->files[copy->count]);
	return copy;
}
EXPORT_SYMBOL(passed_files_copy);

/* Several SCM_RIGHTS in one buffer are one set. */
static int parse_files(const int *descriptors, size_t count, struct ancillary *ancillary)
{
	struct passed_files *files = ancillary->files;

	if (!count)
		return 0;
	if (count > SCM_MAX_FD || (files && count > SCM_MAX_FD - files->count))
		return -EINVAL;
	if (!files) {
		files = ancillary->files = files_alloc(SCM_MAX_FD, current->cred, GFP_USER);
		if (!files)
			return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		struct file *file = fd_get_path((unsigned int)descriptors[i]);

		if (!file)
			return -EBADF;
		files->files[files->count++] = file;
	}
	return 0;
}

/* ---- Credentials ---- */

/* One may tell the truth about oneself, or what capabilities allow. */
static int parse_credentials(const struct ucred *claimed, struct ancillary *ancillary)
{
	const struct cred *cred = current->cred;
	bool uid_own = claimed->uid == cred->uid || claimed->uid == cred->euid ||
		       claimed->uid == cred->suid;
	bool gid_own = claimed->gid == cred->gid || claimed->gid == cred->egid ||
		       claimed->gid == cred->sgid;

	if ((claimed->pid != socket_current_pid() && !capable(CAP_SYS_ADMIN)) ||
	    (!uid_own && !capable(CAP_SETUID)) || (!gid_own && !capable(CAP_SETGID)))
		return -EPERM;
	if (claimed->pid != ancillary->sender.pid) {
		struct process *process = process_find((int)claimed->pid);

		if (!process)
			return -ESRCH;
		process_put(process);
	}
	ancillary->sender = *claimed;
	return 0;
}

static int parse_one(struct socket *socket, const struct control_header *header, const void *data,
		     struct ancillary *ancillary)
{
	size_t size = header->length - sizeof(*header);

	if (header->level != SOL_SOCKET)
		return 0;
	switch (header->type) {
	case SCM_RIGHTS:
		if (socket->family->number != AF_UNIX)
			return -EINVAL;
		return parse_files(data, size / sizeof(int), ancillary);
	case SCM_CREDENTIALS:
		if (size != sizeof(struct ucred))
			return -EINVAL;
		return parse_credentials(data, ancillary);
	default:
		return -EINVAL;
	}
}

int ancillary_parse(struct socket *socket, const char *control, size_t length, struct ancillary *ancillary)
{
	int error = 0;

	while (!error && length >= sizeof(struct control_header)) {
		const struct control_header *header = (const void *)control;
		size_t step;

		error = -EINVAL;
		if (header->length < sizeof(*header) || header->length > length)
			break;
		error = parse_one(socket, header, header + 1, ancillary);
		step = min(CONTROL_ALIGN(header->length), length);
		control += step;
		length -= step;
	}
	if (error) {
		passed_files_put(ancillary->files);
		ancillary->files = NULL;
	}
	return error;
}
EXPORT_SYMBOL(ancillary_parse);

/* ---- To user space ---- */

void control_write(struct control_writer *writer, int level, int type, const void *data, size_t size)
{
	struct control_header header = { .length = sizeof(header) + size, .level = level, .type = type };

	if (writer->left < sizeof(header)) {
		*writer->flags |= MSG_CTRUNC;
		return;
	}
	if (writer->left < header.length) {
		*writer->flags |= MSG_CTRUNC;
		header.length = writer->left;
	}
	/* Where the buffer cannot be written nothing is told, and the message has been received all the same. */
	if (copy_to_user(writer->at, &header, sizeof(header)) ||
	    copy_to_user(writer->at + sizeof(header), data, header.length - sizeof(header)))
		return;
	header.length = min(CONTROL_ALIGN(header.length), writer->left);
	writer->at += header.length;
	writer->left -= header.length;
}

/* Gives one file a descriptor in the current process, and tells the number. */
static int deliver_file(struct file *file, int __user *to, u32 flags)
{
	int fd = fd_reserve(0, flags);

	if (fd < 0)
		return fd;
	if (put_user(fd, to)) {
		fd_unreserve(fd);
		return -EFAULT;
	}
	fd_install(fd, file_get(file));
	return 0;
}

static void write_files(struct control_writer *writer, const struct passed_files *files, u32 flags)
{
	struct control_header header = { .level = SOL_SOCKET, .type = SCM_RIGHTS };
	int __user *to = (int __user *)(writer->at + sizeof(header));
	unsigned int room = 0, done = 0;

	if (writer->left > sizeof(header))
		room = (unsigned int)min((writer->left - sizeof(header)) / sizeof(int),
					 (size_t)SCM_MAX_FD);
	while (done < min(room, files->count) && !deliver_file(files->files[done], to + done, flags))
		done++;
	if (done < files->count)
		*writer->flags |= MSG_CTRUNC;
	if (!done)
		return;
	header.length = sizeof(header) + done * sizeof(int);
	if (copy_to_user(writer->at, &header, sizeof(header)))
		return;
	header.length = min(CONTROL_ALIGN(header.length), writer->left);
	writer->at += header.length;
	writer->left -= header.length;
}

static void write_stamp(struct control_writer *writer, const struct ancillary *ancillary)
{
	struct __kernel_timespec time = ns_to_timespec(ancillary->arrival_ns);
	struct __kernel_old_timeval coarse = { .tv_sec = time.tv_sec,
					       .tv_usec = time.tv_nsec / (long)NSEC_PER_USEC };

	if (ancillary->stamp_type == SO_TIMESTAMPNS)
		control_write(writer, SOL_SOCKET, SO_TIMESTAMPNS, &time, sizeof(time));
	else if (ancillary->stamp_type == SO_TIMESTAMP)
		control_write(writer, SOL_SOCKET, SO_TIMESTAMP, &coarse, sizeof(coarse));
}

void ancillary_write(struct control_writer *writer, struct ancillary *ancillary, u32 descriptor_flags)
{
	write_stamp(writer, ancillary);
	if (ancillary->has_sender)
		control_write(writer, SOL_SOCKET, SCM_CREDENTIALS, &ancillary->sender,
			      sizeof(ancillary->sender));
	if (ancillary->files) {
		write_files(writer, ancillary->files, descriptor_flags);
		passed_files_put(ancillary->files);
		ancillary->files = NULL;
	}
}
