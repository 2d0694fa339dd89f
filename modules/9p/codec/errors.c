/*
 * Errors as text, which is all that 9P2000 has. Unix servers (diod, QEMU, v9fs's own table) say what strerror(3) says; Plan 9's have
 * texts of their own, which are read but not said.
 */
#include <kumo/err.h>
#include <kumo/export.h>

#include "ninep.h"

/* The first line of a number is the one that is said. */
static const struct {
	int number;
	const char *text;
} errors[] = {
	{ EPERM, "Operation not permitted" },
	{ ENOENT, "No such file or directory" },
	{ ESRCH, "No such process" },
	{ EINTR, "Interrupted system call" },
	{ EIO, "Input/output error" },
	{ ENXIO, "No such device or address" },
	{ E2BIG, "Argument list too long" },
	{ EBADF, "Bad file descriptor" },
	{ EAGAIN, "Resource temporarily unavailable" },
	{ ENOMEM, "Cannot allocate memory" },
	{ EACCES, "Permission denied" },
	{ EFAULT, "Bad address" },
	{ ENOTBLK, "Block device required" },
	{ EBUSY, "Device or resource busy" },
	{ EEXIST, "File exists" },
	{ EXDEV, "Invalid cross-device link" },
	{ ENODEV, "No such device" },
	{ ENOTDIR, "Not a directory" },
	{ EISDIR, "Is a directory" },
	{ EINVAL, "Invalid argument" },
	{ ENFILE, "Too many open files in system" },
	{ EMFILE, "Too many open files" },
	{ ENOTTY, "Inappropriate ioctl for device" },
	{ ETXTBSY, "Text file busy" },
	{ EFBIG, "File too large" },
	{ ENOSPC, "No space left on device" },
	{ ESPIPE, "Illegal seek" },
	{ EROFS, "Read-only file system" },
	{ EMLINK, "Too many links" },
	{ EPIPE, "Broken pipe" },
	{ EDOM, "Numerical argument out of domain" },
	{ ERANGE, "Numerical result out of range" },
	{ EDEADLK, "Resource deadlock avoided" },
	{ ENAMETOOLONG, "File name too long" },
	{ ENOLCK, "No locks available" },
	{ ENOSYS, "Function not implemented" },
	{ ENOTEMPTY, "Directory not empty" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ ENODATA, "No data available" },
	{ ETIME, "Timer expired" },
	{ ENOLINK, "Link has been severed" },
	{ EPROTO, "Protocol error" },
	{ EBADMSG, "Bad message" },
	{ EOVERFLOW, "Value too large for defined data type" },
	{ EUSERS, "Too many users" },
	{ EMSGSIZE, "Message too long" },
	{ EOPNOTSUPP, "Operation not supported" },
	{ EADDRINUSE, "Address already in use" },
	{ ENETUNREACH, "Network is unreachable" },
	{ ECONNABORTED, "Software caused connection abort" },
	{ ECONNRESET, "Connection reset by peer" },
	{ ENOBUFS, "No buffer space available" },
	{ EISCONN, "Transport endpoint is already connected" },
	{ ENOTCONN, "Transport endpoint is not connected" },
	{ ETIMEDOUT, "Connection timed out" },
	{ ECONNREFUSED, "Connection refused" },
	{ EHOSTDOWN, "Host is down" },
	{ EHOSTUNREACH, "No route to host" },
	{ EALREADY, "Operation already in progress" },
	{ EINPROGRESS, "Operation now in progress" },
	{ ESTALE, "Stale file handle" },
	{ EDQUOT, "Disk quota exceeded" },
	{ ECANCELED, "Operation canceled" },
	/* Other Unix servers */
	{ EIO, "I/O error" },
	{ EIO, "Remote I/O error" },
	{ ESTALE, "Stale NFS file handle" },
	{ ENOLCK, "No record locks available" },
	{ EXDEV, "Cross-device link" },
	{ EOPNOTSUPP, "Operation not supported on transport endpoint" },
	{ EINVAL, "Invalid argument." },
	/* Plan 9 and what grew from it */
	{ ENOENT, "file not found" },
	{ ENOENT, "file does not exist" },
	{ ENOENT, "directory entry not found" },
	{ ENOENT, "file has been removed" },
	{ ENOENT, "no such file or directory" },
	{ EPERM, "permission denied" },
	{ EPERM, "not owner" },
	{ EPERM, "wstat prohibited" },
	{ EPERM, "only owner can change group in wstat" },
	{ EPERM, "not a member of proposed group" },
	{ EACCES, "access permission denied" },
	{ EACCES, "bad use of fid" },
	{ EROFS, "file is read only" },
	{ EROFS, "file system read only" },
	{ EROFS, "read-only file system" },
	{ EEXIST, "file already exists" },
	{ EEXIST, "file or directory already exists" },
	{ EEXIST, "create/wstat -- file exists" },
	{ EEXIST, "file exists" },
	{ ENOTDIR, "not a directory" },
	{ ENOTDIR, "walk in non-directory" },
	{ ENOTDIR, "create in non-directory" },
	{ EISDIR, "is a directory" },
	{ EISDIR, "file is a directory" },
	{ ENOTEMPTY, "directory not empty" },
	{ ENOTEMPTY, "remove -- directory not empty" },
	{ ENOSPC, "file system is full" },
	{ ENOSPC, "no free blocks" },
	{ EBUSY, "file in use" },
	{ EBUSY, "file is in use" },
	{ EBUSY, "exclusive use file already open" },
	{ ETXTBSY, "open/create -- file is open" },
	{ EBADF, "fid unknown or out of range" },
	{ EBADF, "unknown fid" },
	{ EBADF, "fid already in use" },
	{ EBADF, "fid not open for read or write" },
	{ EBADF, "file not open" },
	{ EIO, "i/o error" },
	{ EIO, "device hung up" },
	{ EIO, "i/o on hungup channel" },
	{ EINTR, "interrupted" },
	{ EINVAL, "bad offset in directory read" },
	{ EINVAL, "bad process or channel control request" },
	{ EINVAL, "bad arg in system call" },
	{ EINVAL, "illegal name" },
	{ EINVAL, "illegal mode" },
	{ EINVAL, "illegal offset" },
	{ EINVAL, "negative i/o offset" },
	{ EINVAL, "bad character in file name" },
	{ EINVAL, "bad attach specifier" },
	{ EINVAL, "can't remove root" },
	{ ENAMETOOLONG, "file name too long" },
	{ ENOSYS, "function not implemented" },
	{ EOPNOTSUPP, "operation not supported" },
	{ EPROTO, "bad 9P2000 message" },
	{ ECONNREFUSED, "authentication failed" },
	{ ECONNREFUSED, "authentication not required" },
	{ ECONNREFUSED, "unknown user" },
};

const char *ninep_error_text(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].number == number)
			return errors[i].text;
	return ninep_error_text(EIO);
}
EXPORT_SYMBOL(ninep_error_text);

int ninep_error_number(struct ninep_string text)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (ninep_string_is(text, errors[i].text))
			return errors[i].number;
	return EIO;
}
EXPORT_SYMBOL(ninep_error_number);
