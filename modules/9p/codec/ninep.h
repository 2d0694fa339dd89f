/*
 * 9P messages between memory and the wire: the codec of client, server, process library and fuzzers. Plain C without a kernel
 * around it.
 *
 * A message is decoded in place: its strings and data are slices of the bytes that came, good for as long as those are. Nothing is
 * allocated, whatever counts a peer sends. What is encoded can be decoded to the same; what is decoded, encoded to the same
 * bytes (but for an OPTIONAL_U32 that was missing, which is then there, and for the size before the size in Rstat and Twstat, which may be 0).
 *
 * A use:
 *
 *	struct ninep_message message = { .type = Twalk, .tag = 1, .Twalk = { .fid = 0, .newfid = 7, .wname.count = 1,
 *		.wname.names = { ninep_string("etc") } } };
 *	ssize_t length = ninep_encode(&message, NINEP_2000L, buffer, sizeof(buffer));
 */
#ifndef NINEP_H
#define NINEP_H

#include <kumo/string.h>
#include <kumo/types.h>

enum ninep_dialect {
	NINEP_2000 = 1,
	NINEP_2000U = 2,
	NINEP_2000L = 4,
};
/* Which dialects know a message. */
enum {
	NINEP_CLASSIC = NINEP_2000 | NINEP_2000U,
	NINEP_LINUX = NINEP_2000L,
	NINEP_ANY = NINEP_CLASSIC | NINEP_LINUX,
};

#define NINEP_HEADER_SIZE 7  /* u32 size (of all), u8 type, u16 tag */
#define NINEP_NO_TAG 0xffffU /* Tversion's */
#define NINEP_NO_FID 0xffffffffU
#define NINEP_NO_NUMBER                                                                            \
	0xffffffffU /* EXTENDED_U32 that 9P2000 does not have; "do not change", "no uid" */
#define NINEP_WALK_MAX 16
#define NINEP_READ_HEAD 11   /* of Rread and Rreaddir: what is before the data */
#define NINEP_WRITE_HEAD 23  /* of Twrite */
#define NINEP_MSIZE_MIN 4096 /* less is no use: a name, an attribute list */

/* ---- Fields ---------------------------------------------------------------------------------------------------------- */

/* Text without a NUL at the end or within. */
struct ninep_string {
	const char *text;
	u16 length;
};
/* In a message to be encoded bytes NULL: only the head is made, and whoever sends it adds `length` bytes. */
struct ninep_data {
	const void *bytes;
	u32 length;
};
struct ninep_qid {
	u8 type; /* NINEP_QT* */
	u32 version;
	u64 path;
};
struct ninep_names {
	u16 count;
	struct ninep_string names[NINEP_WALK_MAX];
};
struct ninep_qids {
	u16 count;
	struct ninep_qid qids[NINEP_WALK_MAX];
};

static inline struct ninep_string ninep_string(const char *text)
{
	return (struct ninep_string){ .text = text, .length = (u16)strlen(text) };
}
static inline bool ninep_string_is(struct ninep_string string, const char *text)
{
	return string.length == strlen(text) && !memcmp(string.text, text, string.length);
}
/* Can it name something in a directory: 1 to 255 bytes without '/', neither "." nor ".."? */
bool ninep_is_name(struct ninep_string string);

/* ---- Messages -------------------------------------------------------------------------------------------------------- */

/* struct ninep_stat, struct ninep_entry, struct ninep_Tversion, ... : see messages.h. */
#define NINEP_TYPE_U8 u8
#define NINEP_TYPE_U16 u16
#define NINEP_TYPE_U32 u32
#define NINEP_TYPE_U64 u64
#define NINEP_TYPE_STRING struct ninep_string
#define NINEP_TYPE_QID struct ninep_qid
#define NINEP_TYPE_NAMES struct ninep_names
#define NINEP_TYPE_QIDS struct ninep_qids
#define NINEP_TYPE_DATA struct ninep_data
#define NINEP_TYPE_STAT struct ninep_stat
#define NINEP_TYPE_EXTENDED_U32 u32
#define NINEP_TYPE_EXTENDED_STRING struct ninep_string
#define NINEP_TYPE_OPTIONAL_U32 u32
#define STRUCTURE(name) struct ninep_##name {
#define MESSAGE(name, number, dialects) struct ninep_##name {
#define FIELD(kind, name) NINEP_TYPE_##kind name;
#define END                                                                                        \
	}                                                                                          \
	;
#include "messages.h"

/* Tversion = 100, Rversion = 101, ... */
enum ninep_type {
#define MESSAGE(name, number, dialects) name = number,
#include "messages.h"
};

/* message.type says which member counts: message.Tversion, message.Rversion, ... */
struct ninep_message {
	u8 type;
	u16 tag;
	union {
#define MESSAGE(name, number, dialects) struct ninep_##name name;
#include "messages.h"
	};
};

const char *ninep_type_name(u8 type); /* "Tversion"; "unknown" */

/* The size on the wire, data included; 0: it cannot be encoded (not of the dialect, too many names, a NUL in a string, over 4 GiB). */
size_t ninep_size(const struct ninep_message *message, enum ninep_dialect dialect);
/* Returns how many bytes it wrote: all, or all but data whose bytes are NULL. -EINVAL: see ninep_size(); -EMSGSIZE: more than room. */
ssize_t ninep_encode(const struct ninep_message *message, enum ninep_dialect dialect, void *buffer,
		     size_t room) __must_check;

/*
 * Decodes exactly one message. 0; -EPROTO: malformed; -EOPNOTSUPP: well-formed as far as one can tell, but of a type that the dialect
 * does not have (type and tag are set, so that a server can answer).
 */
int ninep_decode(struct ninep_message *message, enum ninep_dialect dialect, const void *bytes,
		 size_t length) __must_check;
/* The same where the data at the end, all of it, is somewhere else: message->...data.bytes is NULL. */
int ninep_decode_head(struct ninep_message *message, enum ninep_dialect dialect, const void *bytes,
		      size_t length) __must_check;
/* The size in the first four bytes, for who reads from a stream: is it at least a header? */
static inline u32 ninep_message_size(const void *bytes)
{
	const u8 *at = bytes;

	return (u32)at[0] | (u32)at[1] << 8 | (u32)at[2] << 16 | (u32)at[3] << 24;
}
/* Another tag for an encoded message. */
static inline void ninep_set_tag(void *bytes, u16 tag)
{
	u8 *at = bytes;

	at[5] = (u8)tag;
	at[6] = (u8)(tag >> 8);
}

/* ---- Directories ----------------------------------------------------------------------------------------------------- */

/* Takes the next entry off the data of Rreaddir: 1; 0 at the end; -EPROTO. */
int ninep_entry_next(struct ninep_data *data, struct ninep_entry *entry) __must_check;
/* Appends one: bytes written, or 0 when there is no room. */
size_t ninep_entry_put(void *to, size_t room, const struct ninep_entry *entry);
/* The same of Rread of a directory in 9P2000 and 9P2000.u. */
int ninep_stat_next(struct ninep_data *data, enum ninep_dialect dialect,
		    struct ninep_stat *stat) __must_check;
size_t ninep_stat_put(void *to, size_t room, enum ninep_dialect dialect, const struct ninep_stat *stat);
void ninep_stat_no_change(struct ninep_stat *stat); /* for Twstat: each field means "leave it" */

/* ---- Numbers --------------------------------------------------------------------------------------------------------- */

/* qid.type; the same bits, shifted by 24, in stat.mode. */
enum {
	NINEP_QTDIR = 0x80,
	NINEP_QTAPPEND = 0x40,
	NINEP_QTEXCL = 0x20,
	NINEP_QTMOUNT = 0x10,
	NINEP_QTAUTH = 0x08,
	NINEP_QTTMP = 0x04,
	NINEP_QTSYMLINK = 0x02,
	NINEP_QTFILE = 0,
};
/* stat.mode and Tcreate.perm beside the nine permission bits; from DMSYMLINK on 9P2000.u's. */
enum {
	NINEP_DMDIR = 0x80000000U,
	NINEP_DMAPPEND = 0x40000000,
	NINEP_DMEXCL = 0x20000000,
	NINEP_DMMOUNT = 0x10000000,
	NINEP_DMAUTH = 0x08000000,
	NINEP_DMTMP = 0x04000000,
	NINEP_DMSYMLINK = 0x02000000,
	NINEP_DMLINK = 0x01000000,
	NINEP_DMDEVICE = 0x00800000,
	NINEP_DMNAMEDPIPE = 0x00200000,
	NINEP_DMSOCKET = 0x00100000,
	NINEP_DMSETUID = 0x00080000,
	NINEP_DMSETGID = 0x00040000,
	NINEP_DMSETVTX = 0x00010000,
};
/* Topen.mode and Tcreate.mode. */
enum {
	NINEP_OREAD = 0,
	NINEP_OWRITE = 1,
	NINEP_ORDWR = 2,
	NINEP_OEXEC = 3,
	NINEP_OTRUNC = 0x10,
	NINEP_ORCLOSE = 0x40,
	NINEP_OAPPEND = 0x80,
};
/* Tgetattr.request_mask and Rgetattr.valid. */
enum {
	NINEP_GETATTR_MODE = 0x1,
	NINEP_GETATTR_NLINK = 0x2,
	NINEP_GETATTR_UID = 0x4,
	NINEP_GETATTR_GID = 0x8,
	NINEP_GETATTR_RDEV = 0x10,
	NINEP_GETATTR_ATIME = 0x20,
	NINEP_GETATTR_MTIME = 0x40,
	NINEP_GETATTR_CTIME = 0x80,
	NINEP_GETATTR_INO = 0x100,
	NINEP_GETATTR_SIZE = 0x200,
	NINEP_GETATTR_BLOCKS = 0x400,
	NINEP_GETATTR_BASIC = 0x7ff,
	NINEP_GETATTR_BTIME = 0x800,
	NINEP_GETATTR_GEN = 0x1000,
	NINEP_GETATTR_DATA_VERSION = 0x2000,
	NINEP_GETATTR_ALL = 0x3fff,
};
/* Tsetattr.valid; without _SET the time is the server's now. */
enum {
	NINEP_SETATTR_MODE = 0x1,
	NINEP_SETATTR_UID = 0x2,
	NINEP_SETATTR_GID = 0x4,
	NINEP_SETATTR_SIZE = 0x8,
	NINEP_SETATTR_ATIME = 0x10,
	NINEP_SETATTR_MTIME = 0x20,
	NINEP_SETATTR_CTIME = 0x40,
	NINEP_SETATTR_ATIME_SET = 0x80,
	NINEP_SETATTR_MTIME_SET = 0x100,
};
/* Flags of Tlopen and Tlcreate have Linux's numbers (those of x86), and so have modes, device numbers' parts and ecode. */
enum { NINEP_UNLINK_DIRECTORY = 0x200 }; /* Tunlinkat.flags: AT_REMOVEDIR */
/* Tlock and Tgetlock. */
enum { NINEP_LOCK_READ = 0, NINEP_LOCK_WRITE = 1, NINEP_LOCK_NONE = 2 };	     /* type */
enum { NINEP_LOCK_FLAG_BLOCK = 1, NINEP_LOCK_FLAG_RECLAIM = 2 };		     /* flags */
enum { NINEP_LOCK_SUCCESS, NINEP_LOCK_BLOCKED, NINEP_LOCK_ERROR, NINEP_LOCK_GRACE }; /* status */

/* ---- Modes of 9P2000 and .u (mode.c) --------------------------------------------------------------------------------- */

u32 ninep_mode_from_unix(u32 mode, enum ninep_dialect dialect); /* st_mode to stat.mode or Tcreate.perm */
/* stat.mode and, of a device, stat.extension to st_mode; the device's numbers, else 0. */
u32 ninep_mode_to_unix(const struct ninep_stat *stat, enum ninep_dialect dialect, u32 *major,
		       u32 *minor);
/* "b 8 1", "c 1 3": kind becomes S_IFBLK or S_IFCHR. False: something else. */
bool ninep_device_parse(struct ninep_string extension, u32 *kind, u32 *major, u32 *minor);

/* ---- Errors (errors.c) ----------------------------------------------------------------------------------------------- */

/* What 9P2000 and .u say of a positive errno: the text that Unix servers use. Never NULL. */
const char *ninep_error_text(int number);
/* The positive errno that a text stands for, Unix's and Plan 9's own; EIO for what nobody knows. */
int ninep_error_number(struct ninep_string text);

#endif
