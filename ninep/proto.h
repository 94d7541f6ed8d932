/* SPDX-License-Identifier: MIT */
/* The numbers of 9P2000.L. On the wire, integers are little-endian, strings length[2] bytes. */
#ifndef NINEP_PROTO_H
#define NINEP_PROTO_H

#define P9_VERSION	"9P2000.L"
#define P9_VERSION_NONE "unknown"

/* T-messages; the reply's number is one more. */
enum {
	P9_RLERROR = 7,
	P9_TSTATFS = 8,
	P9_TLOPEN = 12,
	P9_TLCREATE = 14,
	P9_TSYMLINK = 16,
	P9_TMKNOD = 18,
	P9_TRENAME = 20,
	P9_TREADLINK = 22,
	P9_TGETATTR = 24,
	P9_TSETATTR = 26,
	P9_TXATTRWALK = 30,
	P9_TXATTRCREATE = 32,
	P9_TREADDIR = 40,
	P9_TFSYNC = 50,
	P9_TLOCK = 52,
	P9_TGETLOCK = 54,
	P9_TLINK = 70,
	P9_TMKDIR = 72,
	P9_TRENAMEAT = 74,
	P9_TUNLINKAT = 76,
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
};

#define P9_HEADER	7  /* size[4] type[1] tag[2] */
#define P9_RLERROR_SIZE 11 /* header ecode[4] */
#define P9_TWRITE_DATA	23 /* header fid[4] offset[8] count[4], then the payload */
#define P9_RREAD_DATA	11 /* header count[4], then the payload; Rreaddir the same */
#define P9_QID_SIZE	13
#define P9_DIRENT_SIZE	24 /* of a Rreaddir entry without its name */

#define P9_NOTAG     0xffffu
#define P9_NOFID     0xffffffffu
#define P9_NONUNAME  0xffffffffu
#define P9_MAX_WALK  16u
#define P9_NAME_LEN  255u
#define P9_PATH_SIZE 4096u /* of a symbolic link's target, with its NUL */

#define P9_QTDIR     0x80
#define P9_QTSYMLINK 0x02

/* Open flags: the values of Linux on x86, whatever the processors of guest and host. */
#define P9_OPEN_ACCMODE	  00000003u
#define P9_OPEN_CREATE	  00000100u
#define P9_OPEN_EXCL	  00000200u
#define P9_OPEN_TRUNC	  00001000u
#define P9_OPEN_APPEND	  00002000u
#define P9_OPEN_DSYNC	  00010000u
#define P9_OPEN_DIRECT	  00040000u
#define P9_OPEN_DIRECTORY 00200000u
#define P9_OPEN_NOFOLLOW  00400000u
#define P9_OPEN_NOATIME	  01000000u
#define P9_OPEN_SYNC	  04000000u

#define P9_UNLINK_REMOVEDIR 0x200u

/* Tlock, Tgetlock */
#define P9_LOCK_TYPE_RDLCK  0
#define P9_LOCK_TYPE_WRLCK  1
#define P9_LOCK_TYPE_UNLCK  2
#define P9_LOCK_FLAGS_BLOCK 1u
#define P9_LOCK_SUCCESS	    0
#define P9_LOCK_BLOCKED	    1

/* Tgetattr and Rgetattr */
#define P9_STATS_BASIC 0x7ffull
#define P9_STATS_BTIME 0x800ull

/* Tsetattr */
#define P9_SET_MODE	 0x001u
#define P9_SET_UID	 0x002u
#define P9_SET_GID	 0x004u
#define P9_SET_SIZE	 0x008u
#define P9_SET_ATIME	 0x010u
#define P9_SET_MTIME	 0x020u
#define P9_SET_CTIME	 0x040u
#define P9_SET_ATIME_SET 0x080u
#define P9_SET_MTIME_SET 0x100u

#endif
