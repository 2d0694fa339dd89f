/*
 * Every message of 9P, once: 9P2000 (Plan 9's intro(5)), 9P2000.u (its Unix extension) and 9P2000.L (Linux's). ninep.h makes
 * types of this list, codec.c a table; each defines the macros that it wants before it includes this file, as often as it
 * needs.
 *
 * MESSAGE(name, number, dialects) or STRUCTURE(name), fields in the order of the wire, END. Fields:
 *
 *	U8 U16 U32 U64		numbers, little-endian
 *	STRING			u16 length, bytes without NUL
 *	QID			u8 type, u32 version, u64 path
 *	NAMES QIDS		u16 count (16 at most), so many
 *	DATA			u32 length, bytes; always last
 *	STAT			u16 size, the structure `stat`
 *	EXTENDED_U32 EXTENDED_STRING	there in 9P2000.u and 9P2000.L, not in 9P2000
 *	OPTIONAL_U32		older peers end the message before it
 */
#ifndef MESSAGE
#define MESSAGE(name, number, dialects)
#endif
#ifndef STRUCTURE
#define STRUCTURE(name)
#endif
#ifndef FIELD
#define FIELD(kind, name)
#endif
#ifndef END
#define END
#endif

#define U8(name) FIELD(U8, name)
#define U16(name) FIELD(U16, name)
#define U32(name) FIELD(U32, name)
#define U64(name) FIELD(U64, name)
#define STRING(name) FIELD(STRING, name)
#define QID(name) FIELD(QID, name)
#define NAMES(name) FIELD(NAMES, name)
#define QIDS(name) FIELD(QIDS, name)
#define DATA(name) FIELD(DATA, name)
#define STAT(name) FIELD(STAT, name)
#define EXTENDED_U32(name) FIELD(EXTENDED_U32, name)
#define EXTENDED_STRING(name) FIELD(EXTENDED_STRING, name)
#define OPTIONAL_U32(name) FIELD(OPTIONAL_U32, name)

/* clang-format off */

/* Attributes, and an entry of a directory, in 9P2000 and .u; u16 size before it. The wire has the size once more in Rstat and Twstat. */
STRUCTURE(stat)
	U16(type) U32(dev) QID(qid) U32(mode) U32(atime) U32(mtime) U64(length)
	STRING(name) STRING(uid) STRING(gid) STRING(muid)
	EXTENDED_STRING(extension) EXTENDED_U32(n_uid) EXTENDED_U32(n_gid) EXTENDED_U32(n_muid)
END
/* An entry of a directory in Rreaddir. */
STRUCTURE(entry)
	QID(qid) U64(offset) U8(type) STRING(name)
END

/* All dialects */
MESSAGE(Tversion, 100, NINEP_ANY)	U32(msize) STRING(version) END
MESSAGE(Rversion, 101, NINEP_ANY)	U32(msize) STRING(version) END
MESSAGE(Tauth, 102, NINEP_ANY)		U32(afid) STRING(uname) STRING(aname) EXTENDED_U32(n_uname) END
MESSAGE(Rauth, 103, NINEP_ANY)		QID(aqid) END
MESSAGE(Tattach, 104, NINEP_ANY)	U32(fid) U32(afid) STRING(uname) STRING(aname) EXTENDED_U32(n_uname) END
MESSAGE(Rattach, 105, NINEP_ANY)	QID(qid) END
MESSAGE(Tflush, 108, NINEP_ANY)		U16(oldtag) END
MESSAGE(Rflush, 109, NINEP_ANY)		END
MESSAGE(Twalk, 110, NINEP_ANY)		U32(fid) U32(newfid) NAMES(wname) END
MESSAGE(Rwalk, 111, NINEP_ANY)		QIDS(wqid) END
MESSAGE(Tread, 116, NINEP_ANY)		U32(fid) U64(offset) U32(count) END
MESSAGE(Rread, 117, NINEP_ANY)		DATA(data) END
MESSAGE(Twrite, 118, NINEP_ANY)		U32(fid) U64(offset) DATA(data) END
MESSAGE(Rwrite, 119, NINEP_ANY)		U32(count) END
MESSAGE(Tclunk, 120, NINEP_ANY)		U32(fid) END
MESSAGE(Rclunk, 121, NINEP_ANY)		END
MESSAGE(Tremove, 122, NINEP_ANY)	U32(fid) END
MESSAGE(Rremove, 123, NINEP_ANY)	END

/* 9P2000 and 9P2000.u */
MESSAGE(Rerror, 107, NINEP_CLASSIC)	STRING(ename) EXTENDED_U32(ecode) END
MESSAGE(Topen, 112, NINEP_CLASSIC)	U32(fid) U8(mode) END
MESSAGE(Ropen, 113, NINEP_CLASSIC)	QID(qid) U32(iounit) END
MESSAGE(Tcreate, 114, NINEP_CLASSIC)	U32(fid) STRING(name) U32(perm) U8(mode) EXTENDED_STRING(extension) END
MESSAGE(Rcreate, 115, NINEP_CLASSIC)	QID(qid) U32(iounit) END
MESSAGE(Tstat, 124, NINEP_CLASSIC)	U32(fid) END
MESSAGE(Rstat, 125, NINEP_CLASSIC)	STAT(stat) END
MESSAGE(Twstat, 126, NINEP_CLASSIC)	U32(fid) STAT(stat) END
MESSAGE(Rwstat, 127, NINEP_CLASSIC)	END

/* 9P2000.L */
MESSAGE(Rlerror, 7, NINEP_LINUX)	U32(ecode) END
MESSAGE(Tstatfs, 8, NINEP_LINUX)	U32(fid) END
MESSAGE(Rstatfs, 9, NINEP_LINUX)
	U32(type) U32(bsize) U64(blocks) U64(bfree) U64(bavail) U64(files) U64(ffree) U64(fsid) U32(namelen)
END
MESSAGE(Tlopen, 12, NINEP_LINUX)	U32(fid) U32(flags) END
MESSAGE(Rlopen, 13, NINEP_LINUX)	QID(qid) U32(iounit) END
MESSAGE(Tlcreate, 14, NINEP_LINUX)	U32(fid) STRING(name) U32(flags) U32(mode) U32(gid) END
MESSAGE(Rlcreate, 15, NINEP_LINUX)	QID(qid) U32(iounit) END
MESSAGE(Tsymlink, 16, NINEP_LINUX)	U32(dfid) STRING(name) STRING(target) U32(gid) END
MESSAGE(Rsymlink, 17, NINEP_LINUX)	QID(qid) END
MESSAGE(Tmknod, 18, NINEP_LINUX)	U32(dfid) STRING(name) U32(mode) U32(major) U32(minor) U32(gid) END
MESSAGE(Rmknod, 19, NINEP_LINUX)	QID(qid) END
MESSAGE(Trename, 20, NINEP_LINUX)	U32(fid) U32(dfid) STRING(name) END
MESSAGE(Rrename, 21, NINEP_LINUX)	END
MESSAGE(Treadlink, 22, NINEP_LINUX)	U32(fid) END
MESSAGE(Rreadlink, 23, NINEP_LINUX)	STRING(target) END
MESSAGE(Tgetattr, 24, NINEP_LINUX)	U32(fid) U64(request_mask) END
MESSAGE(Rgetattr, 25, NINEP_LINUX)
	U64(valid) QID(qid) U32(mode) U32(uid) U32(gid) U64(nlink) U64(rdev) U64(size) U64(blksize) U64(blocks)
	U64(atime_sec) U64(atime_nsec) U64(mtime_sec) U64(mtime_nsec) U64(ctime_sec) U64(ctime_nsec)
	U64(btime_sec) U64(btime_nsec) U64(gen) U64(data_version)
END
MESSAGE(Tsetattr, 26, NINEP_LINUX)
	U32(fid) U32(valid) U32(mode) U32(uid) U32(gid) U64(size)
	U64(atime_sec) U64(atime_nsec) U64(mtime_sec) U64(mtime_nsec)
END
MESSAGE(Rsetattr, 27, NINEP_LINUX)	END
MESSAGE(Txattrwalk, 30, NINEP_LINUX)	U32(fid) U32(newfid) STRING(name) END
MESSAGE(Rxattrwalk, 31, NINEP_LINUX)	U64(size) END
MESSAGE(Txattrcreate, 32, NINEP_LINUX)	U32(fid) STRING(name) U64(attr_size) U32(flags) END
MESSAGE(Rxattrcreate, 33, NINEP_LINUX)	END
MESSAGE(Treaddir, 40, NINEP_LINUX)	U32(fid) U64(offset) U32(count) END
MESSAGE(Rreaddir, 41, NINEP_LINUX)	DATA(data) END
MESSAGE(Tfsync, 50, NINEP_LINUX)	U32(fid) OPTIONAL_U32(datasync) END
MESSAGE(Rfsync, 51, NINEP_LINUX)	END
MESSAGE(Tlock, 52, NINEP_LINUX)
	U32(fid) U8(type) U32(flags) U64(start) U64(length) U32(proc_id) STRING(client_id)
END
MESSAGE(Rlock, 53, NINEP_LINUX)		U8(status) END
MESSAGE(Tgetlock, 54, NINEP_LINUX)
	U32(fid) U8(type) U64(start) U64(length) U32(proc_id) STRING(client_id)
END
MESSAGE(Rgetlock, 55, NINEP_LINUX)	U8(type) U64(start) U64(length) U32(proc_id) STRING(client_id) END
MESSAGE(Tlink, 70, NINEP_LINUX)		U32(dfid) U32(fid) STRING(name) END
MESSAGE(Rlink, 71, NINEP_LINUX)		END
MESSAGE(Tmkdir, 72, NINEP_LINUX)	U32(dfid) STRING(name) U32(mode) U32(gid) END
MESSAGE(Rmkdir, 73, NINEP_LINUX)	QID(qid) END
MESSAGE(Trenameat, 74, NINEP_LINUX)	U32(olddirfid) STRING(oldname) U32(newdirfid) STRING(newname) END
MESSAGE(Rrenameat, 75, NINEP_LINUX)	END
MESSAGE(Tunlinkat, 76, NINEP_LINUX)	U32(dirfid) STRING(name) U32(flags) END
MESSAGE(Runlinkat, 77, NINEP_LINUX)	END

/* clang-format on */

#undef MESSAGE
#undef STRUCTURE
#undef FIELD
#undef END
#undef U8
#undef U16
#undef U32
#undef U64
#undef STRING
#undef QID
#undef NAMES
#undef QIDS
#undef DATA
#undef STAT
#undef EXTENDED_U32
#undef EXTENDED_STRING
#undef OPTIONAL_U32
