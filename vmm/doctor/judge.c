// SPDX-License-Identifier: MIT
#include "vmm/doctor/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/doctor/access.h"

/*
 * Less than this is none: a file's first block, and what a file system keeps for itself beside it.
 */
#define LEAST_ROOM 4096u

/* ---- how things are said ---- */

/* "drwxr-x---" */
static const char *mode_text(mode_t mode, char text[11])
{
	static const char types[] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";

	text[0] = types[mode >> 12 & 15];
	for (int i = 0; i < 9; i++)
		text[1 + i] = mode & 0400 >> i ? bits[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & 0001 ? 't' : 'T';
	text[10] = '\0';
	return text;
}

static const char *perm_text(unsigned int perm, char text[4])
{
	text[0] = perm & 4 ? 'r' : '-';
	text[1] = perm & 2 ? 'w' : '-';
	text[2] = perm & 1 ? 'x' : '-';
	text[3] = '\0';
	return text;
}

/* Those that are there alone: "rx". */
static const char *perm_letters(unsigned int perm, char text[4])
{
	char *to = text;

	for (int i = 0; i < 3; i++)
		if (perm & 4u >> i)
			*to++ = "rwx"[i];
	*to = '\0';
	return text;
}

/* What changes an own file is for its owner; anybody else's takes root. */
static const char *sudo(const struct question *q, const struct place *place)
{
	return q->mender && (!place || q->mender != place->uid) ? "sudo " : "";
}

/* Whether it is an entry of the ACL that decided, and not a bit of the mode that ls shows. */
static bool is_by_acl(const struct place *place, const struct access *access)
{
	if (access->by == ACCESS_BY_GROUP)
		return place->acl.n;
	return access->masked || access->by == ACCESS_BY_ACL_USER ||
	       access->by == ACCESS_BY_ACL_GROUP;
}

/* Why the mode or the ACL did not give it: malloc'd, NULL without memory. */
static char *reason(const struct place *place, const struct person *person,
		    const struct access *access)
{
	char mode[11], perm[4], mask[4], *text;
	int n;

	mode_text(place->mode, mode);
	perm_text(access->perm, perm);
	perm_text(access->mask, mask);
	if (access->masked)
		n = asprintf(&text, "its ACL gives %s, but the ACL's mask only %s", perm, mask);
	else if (access->by == ACCESS_BY_ACL_USER)
		n = asprintf(&text, "its ACL gives user %s only %s", person->name, perm);
	else if (access->by == ACCESS_BY_ACL_GROUP)
		n = asprintf(&text, "its ACL gives group %u only %s", access->id, perm);
	else if (is_by_acl(place, access))
		n = asprintf(&text, "its ACL gives its own group, %s, only %s", place->group, perm);
	else
		n = asprintf(&text, "it is %s %s:%s%s", mode, place->owner, place->group,
			     access->by == ACCESS_BY_OWNER   ? ", and its owner gets no more"
			     : access->by == ACCESS_BY_GROUP ? ", and its group gets no more"
							     : "");
	return n < 0 ? NULL : text;
}

/* ---- mode and ACL ---- */

struct refusal {
	const char *kind, *verb; /* "may not VERB PLACE" */
	unsigned int want;	 /* ACCESS_* */
	bool all;		 /* the mend is for everything below, too */
};

/*
 * What makes the machine run, or holds everybody's files: whoever may write there may do anything,
 * and an entry or a label for all below is no mend but the next trouble.
 */
static bool is_system(const char *path)
{
	static const char *const whole[] = { "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32",
					     "/lib64", "/proc", "/sbin", "/sys", "/usr" };
	static const char *const itself[] = { "/", "/home", "/root", "/run", "/var" };

	for (size_t i = 0; i < sizeof(itself) / sizeof(itself[0]); i++)
		if (!strcmp(path, itself[i]))
			return true;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		size_t len = strlen(whole[i]);

		if (!strncmp(path, whole[i], len) && (path[len] == '/' || !path[len]))
			return true;
	}
	return false;
}

static void mend_system(struct finding *finding, const struct place *place)
{
	finding_advice(finding,
		       "share it read-only, or another folder: %s is the system's, and no place for "
		       "others to write",
		       place->path);
}

static bool is_entry(const struct acl_entry *entry, enum access_by by, uint32_t id)
{
	switch (entry->tag) {
	case ACL_USER:
		return by == ACCESS_BY_ACL_USER && entry->id == id;
	case ACL_GROUP_OBJ:
		return by == ACCESS_BY_GROUP;
	case ACL_GROUP:
		return by == ACCESS_BY_ACL_GROUP && entry->id == id;
	default:
		return false;
	}
}

/*
 * setfacl(1) sets the mask to what all entries have together, if it is not told another. What the
 * mask kept from others they then have; more is what of it can become theirs. A command's remark.
 */
static const char *widens(const struct acl *acl, enum access_by by, uint32_t id, unsigned int more)
{
	unsigned int mask = 7;

	for (size_t i = 0; i < acl->n; i++)
		if (acl->entry[i].tag == ACL_MASK)
			mask = acl->entry[i].perm;
	for (size_t i = 0; i < acl->n; i++) {
		const struct acl_entry *entry = &acl->entry[i];
		bool masked = entry->tag == ACL_USER || entry->tag == ACL_GROUP ||
			      entry->tag == ACL_GROUP_OBJ;

		if (masked && entry->perm & more & ~mask && !is_entry(entry, by, id))
			return "    # also widens what the mask leaves to others";
	}
	return "";
}

/* The least first: the one user by an ACL, then the class of the mode that decided. */
static void mend_access(const struct question *q, struct finding *finding,
			const struct place *place, const struct access *access,
			const struct refusal *refusal)
{
	char mask[4], add[4], give[4];
	char *path = shell_word(place->path), *name = shell_word(q->person->name);
	const char *root = sudo(q, place), *wider;
	uint32_t uid = q->person->uid;

	if (!path || !name)
		goto out;
	perm_text(access->mask | refusal->want, mask);
	perm_letters(refusal->want, add);
	/* An entry of one's own takes the place of what one has as one of a group or of all. */
	perm_letters(access->perm | refusal->want, give);
	if (access->by == ACCESS_BY_OWNER) {
		finding_command(finding, "%schmod u+%s %s", root, add, path);
	} else if (refusal->want & ACCESS_WRITE && is_system(place->path)) {
		mend_system(finding, place);
	} else if (access->masked) {
		wider = widens(&place->acl, access->by,
			       access->by == ACCESS_BY_ACL_USER ? uid : access->id, refusal->want);
		finding_command(finding, "%ssetfacl -m m::%s %s%s", root, mask, path, wider);
	} else {
		wider = widens(&place->acl, ACCESS_BY_ACL_USER, uid, 7);
		if (place->acls != PLACE_NO && refusal->all)
			finding_command(finding, "%ssetfacl -R -m u:%s:rwX,d:u:%s:rwX %s%s", root,
					name, name, path, wider);
		else if (place->acls != PLACE_NO)
			finding_command(finding, "%ssetfacl -m u:%s:%s %s%s", root, name, give,
					path, wider);
		/* With an ACL, the mode's group bits are its mask. */
		if (access->by == ACCESS_BY_GROUP && place->acl.n)
			finding_command(finding, "%ssetfacl -m g::%s %s%s", root, give, path,
					widens(&place->acl, ACCESS_BY_GROUP, 0, 7));
		else if (access->by == ACCESS_BY_GROUP)
			finding_command(finding, "%schmod g+%s %s", root, add, path);
		else if (access->by == ACCESS_BY_OTHER && !(refusal->want & ACCESS_WRITE))
			finding_command(finding, "%schmod o+%s %s", root, add, path);
		else if (access->by == ACCESS_BY_OTHER && place->acls == PLACE_NO)
			finding_command(finding, "%schown %s %s", q->mender ? "sudo " : "", name,
					path);
	}
out:
	free(path);
	free(name);
}

/* False: refused, and found. */
static bool judge_access(const struct question *q, struct findings *findings,
			 const struct place *place, const struct refusal *refusal)
{
	struct access access = access_check(place, q->person, refusal->want);
	struct finding *finding;
	bool acl = is_by_acl(place, &access);
	char *why;

	if (access.allowed)
		return true;
	why = reason(place, q->person, &access);
	finding = findings_add(findings, refusal->kind, acl ? LAYER_ACL : LAYER_MODE, EACCES,
			       place->path, "%s may not %s %s: %s", q->who, refusal->verb,
			       place->path, why ? why : "");
	free(why);
	mend_access(q, finding, place, &access, refusal);
	return false;
}

/* ---- SELinux ---- */

/* A type that processes of this context may write, by the policies that people have. */
static const char *writable_type(const char *context)
{
	static const struct {
		const char *domain, *type;
	} types[] = {
		/* virt_content_t, which is often recommended, is for reading only. */
		{ ":svirt", "svirt_image_t" },
		{ ":container", "container_file_t" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strstr(context, types[i].domain))
			return types[i].type;
	return NULL;
}

/* The path as a regular expression of semanage(8), which takes no spaces; malloc'd. */
static char *regex_word(const char *path)
{
	char *regex = malloc(2 * strlen(path) + 1), *to = regex;

	if (!regex)
		return NULL;
	for (; *path; path++) {
		if (*path == ' ' || strchr(".^$?*+|[](){}\\", *path))
			*to++ = '\\';
		*to++ = *path == ' ' ? 's' : *path;
	}
	*to = '\0';
	return regex;
}

static void mend_label(const struct question *q, struct finding *finding, const struct place *place)
{
	const char *type = writable_type(q->context), *root = q->mender ? "sudo " : "";
	char *path = shell_word(place->path), *regex = regex_word(place->path);
	char *pattern = NULL, *quoted = NULL;

	if (!regex || asprintf(&pattern, "%s(/.*)?", regex) < 0)
		pattern = NULL;
	if (pattern)
		quoted = shell_word(pattern);
	if (is_system(place->path)) {
		mend_system(finding, place);
	} else if (path && quoted && type) {
		finding_command(finding, "%schcon -R -t %s %s", root, type, path);
		finding_command(finding, "%ssemanage fcontext -a -t %s %s && %srestorecon -RF %s",
				root, type, quoted, root, path);
	} else {
		finding_command(finding, "%sausearch -m avc -ts recent | audit2allow -w", root);
	}
	free(path);
	free(regex);
	free(pattern);
	free(quoted);
}

/* What is wanted of folders and of files with the place's label; NULL: nothing. */
static void judge_label(const struct question *q, struct findings *findings,
			const struct place *place, const char *dir, const char *file)
{
	char no_dir[256] = "", no_file[256] = "";
	struct finding *finding;

	if (!q->selinux)
		return;
	if (dir)
		selinux_refuses(q->selinux, q->context, place->label, SELINUX_DIR, dir, no_dir,
				sizeof(no_dir));
	if (file)
		selinux_refuses(q->selinux, q->context, place->label, SELINUX_FILE, file, no_file,
				sizeof(no_file));
	if (!*no_dir && !*no_file)
		return;
	finding = findings_add(findings, "selinux", LAYER_SELINUX, EACCES, place->path,
			       "the policy %s %s (%s) on %s, labelled %s: %s%s%s%s%s",
			       q->selinux->enforcing ? "refuses" :
						       "would refuse, were it enforced,",
			       q->who, q->context, place->path, place->label, no_dir,
			       *no_dir ? " of folders" : "", *no_dir && *no_file ? ", " : "",
			       no_file, *no_file ? " of files" : "");
	if (!q->selinux->enforcing)
		finding_note(finding);
	mend_label(q, finding, place);
}

/* ---- AppArmor ---- */

/*
 * It goes by paths: a folder's ends with a slash, and what is created is asked for by a name in it.
 */
static void judge_profile(const struct question *q, struct findings *findings,
			  const struct place *place)
{
	bool dir = S_ISDIR(place->mode), root = !strcmp(place->path, "/");
	uint32_t read, write = 0;
	struct finding *finding;
	char *path, *inside = NULL;

	if (!q->apparmor || asprintf(&path, "%s%s", place->path, dir && !root ? "/" : "") < 0)
		return;
	read = q->wants & WANT_READ ? apparmor_refuses(q->apparmor, path, APPARMOR_READ) : 0;
	if (q->wants & WANT_WRITE && !dir)
		write = apparmor_refuses(q->apparmor, path, APPARMOR_WRITE);
	else if (q->wants & WANT_WRITE && asprintf(&inside, "%snew", path) >= 0)
		write = apparmor_refuses(q->apparmor, inside, APPARMOR_WRITE | APPARMOR_CREATE);
	if (read || write) {
		finding = findings_add(findings, "apparmor", LAYER_APPARMOR, EACCES, place->path,
				       "the profile %s refuses %s%s%s %s", q->apparmor->label,
				       read ? "to read" : "", read && write ? " and " : "",
				       !write ? "" : dir ? "to create in" : "to write", path);
		finding_advice(finding,
			       "add '%s%s r%s,' to the profile in /etc/apparmor.d, and load it: "
			       "apparmor_parser -r FILE",
			       path, dir ? "{,**}" : "", q->wants & WANT_WRITE ? "wlk" : "");
	}
	free(inside);
	free(path);
}

/* ---- the places on the way ---- */

static void judge_parent(const struct question *q, struct findings *findings,
			 const struct place *place)
{
	static const struct refusal pass = { "search", "pass through", ACCESS_EXEC, false };

	judge_access(q, findings, place, &pass);
	judge_label(q, findings, place, "search", NULL);
}

/* ---- what a change needs ---- */

/* File systems that are made whole, and never change. */
static bool is_fixed(const char *type)
{
	static const char *const types[] = { "squashfs", "iso9660", "erofs", "cramfs", "romfs",
					     "udf" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(type, types[i]))
			return true;
	return false;
}

/* False: read-only, and found. */
static bool judge_mount(const struct question *q, struct findings *findings,
			const struct place *place)
{
	const struct mount_fact *mount = facts_mount(q->facts, place);
	const char *root = q->mender ? "sudo " : "";
	struct finding *finding;
	char *point;

	if (!mount || !(mount->ro || mount->fs_ro))
		return true;
	finding = findings_add(findings, "read-only-mount", LAYER_MOUNT, EROFS, mount->point,
			       "%s is on %s (%s), which is mounted read-only", place->path,
			       mount->point, mount->type);
	point = shell_word(mount->point);
	if (is_fixed(mount->type))
		finding_advice(finding, "%s is never writable: share a copy that is elsewhere",
			       mount->type);
	else if (point && !mount->fs_ro)
		finding_command(finding, "%smount -o remount,bind,rw %s", root, point);
	else if (point)
		finding_command(finding, "%smount -o remount,rw %s", root, point);
	free(point);
	return false;
}

static void judge_flags(const struct question *q, struct findings *findings,
			const struct place *place)
{
	const char *root = q->mender ? "sudo " : "";
	bool dir = S_ISDIR(place->mode);
	struct finding *finding = NULL;
	char *path = shell_word(place->path);

	if (path && place->immutable) {
		finding = findings_add(findings, "immutable", LAYER_FLAGS, EPERM, place->path,
				       "%s has the immutable flag: nobody, not even root, may %s",
				       place->path,
				       dir ? "create, rename or delete in it" : "change it");
		finding_command(finding, "%schattr -i %s", root, path);
	} else if (path && place->append_only) {
		finding =
			findings_add(findings, "append-only", LAYER_FLAGS, EPERM, place->path,
				     "%s has the append-only flag: %s", place->path,
				     dir ? "files in it can be created, but not renamed or deleted"
					 : "it can only be appended to");
		/* What fails is not the creating itself; but editors rename, and rm deletes. */
		finding_command(finding, "%schattr -a %s", root, path);
	}
	free(path);
}

static void judge_room(const struct question *q, struct findings *findings,
		       const struct place *place)
{
	const struct room *room = &q->facts->room;
	const struct mount_fact *mount = facts_mount(q->facts, place);
	const char *at = mount ? mount->point : place->path, *root = q->mender ? "sudo " : "";
	bool tmpfs = mount && !strcmp(mount->type, "tmpfs");
	bool reserve = person_can(q->person, CAP_SYS_RESOURCE);
	char *point = shell_word(at);
	struct finding *finding;

	if (point && room->size && (reserve ? room->free_root : room->free) < LEAST_ROOM) {
		finding = findings_add(findings, "no-space", LAYER_SPACE, ENOSPC, at,
				       "the file system at %s is full%s: new files stay empty", at,
				       room->free_root >= LEAST_ROOM ?
					       " but for what is reserved for root" : "");
		finding_command(finding, "du -xh -d 2 %s | sort -h | tail", point);
		if (tmpfs)
			finding_command(finding, "%smount -o remount,size=%" PRIu64 "k %s", root,
					room->size / 512, point);
	}
	if (point && room->files && !room->files_free) {
		finding = findings_add(findings, "no-inodes", LAYER_SPACE, ENOSPC, at,
				       "the file system at %s has no inode left: it holds %" PRIu64
				       " files, and can have no more",
				       at, room->files);
		finding_command(finding, "du -x --inodes -d 2 %s | sort -n | tail", point);
		if (tmpfs)
			finding_command(finding, "%smount -o remount,nr_inodes=%" PRIu64 " %s",
					root, room->files * 2, point);
	}
	free(point);
}

/* KiB, of which setquota(8) takes limits. */
static uint64_t kib(uint64_t bytes)
{
	return bytes / 1024;
}

static bool is_over(uint64_t used, uint64_t soft, uint64_t hard, bool late, uint64_t more)
{
	return (hard && used + more > hard) || (soft && used + more > soft && late);
}

static void judge_quota(const struct question *q, struct findings *findings,
			const struct place *place)
{
	const struct quota *quota = &q->facts->quota;
	const struct mount_fact *mount = facts_mount(q->facts, place);
	const char *at = mount ? mount->point : place->path, *root = q->mender ? "sudo " : "";
	const char *name = q->person->name;
	char *point = shell_word(at), *user = shell_word(name);
	struct finding *finding;

	if (!point || !user || !quota->known || person_can(q->person, CAP_SYS_RESOURCE))
		goto out;
	if (is_over(quota->space, quota->space_soft, quota->space_hard, quota->space_late,
		    LEAST_ROOM)) {
		finding = findings_add(findings, "quota-space", LAYER_QUOTA, EDQUOT, at,
				       "%s has used up the quota of space at %s: %" PRIu64
				       " of %" PRIu64 " KiB",
				       name, at, kib(quota->space),
				       kib(quota->space_hard ? quota->space_hard :
							       quota->space_soft));
		finding_command(finding,
				"%ssetquota -u %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
				" %s",
				root, user, kib(quota->space_soft * 2), kib(quota->space_hard * 2),
				quota->files_soft, quota->files_hard, point);
	}
	if (is_over(quota->files, quota->files_soft, quota->files_hard, quota->files_late, 1)) {
		finding = findings_add(findings, "quota-files", LAYER_QUOTA, EDQUOT, at,
				       "%s has used up the quota of files at %s: %" PRIu64
				       " of %" PRIu64,
				       name, at, quota->files,
				       quota->files_hard ? quota->files_hard : quota->files_soft);
		finding_command(finding,
				"%ssetquota -u %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
				" %s",
				root, user, kib(quota->space_soft), kib(quota->space_hard),
				quota->files_soft * 2, quota->files_hard * 2, point);
	}
out:
	free(point);
	free(user);
}

static void judge_change(const struct question *q, struct findings *findings,
			 const struct place *place)
{
	bool writable = judge_mount(q, findings, place);

	judge_flags(q, findings, place);
	/* What is made whole is always full. */
	if (writable) {
		judge_room(q, findings, place);
		judge_quota(q, findings, place);
	}
}

/* ---- the last place ---- */

static void judge_folder(const struct question *q, struct findings *findings,
			 const struct place *place)
{
	static const struct refusal list = { "read", "list", ACCESS_READ | ACCESS_EXEC, false };
	static const struct refusal create = { "write", "create in",
					       ACCESS_WRITE | ACCESS_EXEC, true };
	static const struct refusal both = { "write", "list and create in",
					     ACCESS_READ | ACCESS_WRITE | ACCESS_EXEC, true };
	unsigned int rw = q->wants & (WANT_READ | WANT_WRITE);

	/* What refuses the more is said once. */
	if (rw == (WANT_READ | WANT_WRITE) && !access_check(place, q->person, ACCESS_READ).allowed)
		judge_access(q, findings, place, &both);
	else if (rw & WANT_WRITE)
		judge_access(q, findings, place, &create);
	else if (rw & WANT_READ)
		judge_access(q, findings, place, &list);
	/* A new file has its folder's label, but where a policy says otherwise. */
	if (rw & WANT_WRITE)
		judge_label(q, findings, place, "search read write add_name remove_name",
			    "create read write open");
	else
		judge_label(q, findings, place, "search read", NULL);
}

static void judge_file(const struct question *q, struct findings *findings,
		       const struct place *place)
{
	static const struct refusal read = { "read", "read", ACCESS_READ, false };
	static const struct refusal write = { "write", "write", ACCESS_WRITE, false };
	static const struct refusal both = { "write", "read and write",
					     ACCESS_READ | ACCESS_WRITE, false };
	bool no_read = q->wants & WANT_READ &&
		       !access_check(place, q->person, ACCESS_READ).allowed;
	bool no_write = q->wants & WANT_WRITE &&
			!access_check(place, q->person, ACCESS_WRITE).allowed;

	/* Said once: of two mends, each an entry of its own, the second would undo the first. */
	if (no_read && no_write)
		judge_access(q, findings, place, &both);
	else if (no_read)
		judge_access(q, findings, place, &read);
	else if (no_write)
		judge_access(q, findings, place, &write);
	judge_label(q, findings, place, NULL,
		    q->wants & WANT_WRITE ? "read write open" : "read open");
}

static void judge_last(const struct question *q, struct findings *findings,
		       const struct place *place)
{
	if (S_ISDIR(place->mode)) {
		judge_folder(q, findings, place);
	} else if (q->wants & WANT_SHARE) {
		finding_advice(findings_add(findings, "no-folder", LAYER_PATH, ENOTDIR, place->path,
					    "%s is not a folder", place->path),
			       "share the folder that it is in");
		return;
	} else {
		judge_file(q, findings, place);
	}
	judge_profile(q, findings, place);
	/* A device is written to, and not its file system. */
	if (q->wants & WANT_WRITE && !S_ISCHR(place->mode) && !S_ISBLK(place->mode))
		judge_change(q, findings, place);
	if (q->wants & WANT_XATTRS && place->user_xattrs == PLACE_NO) {
		const struct mount_fact *mount = facts_mount(q->facts, place);
		struct finding *finding = findings_add(
			findings, "no-xattrs", LAYER_FILE_SYSTEM, EOPNOTSUPP, place->path,
			"%s is on %s, which has no user.* attributes: the mapped model "
			"keeps owners in them",
			place->path, mount ? mount->type : "a file system");

		finding_advice(finding, "another model, or a folder on ext4, xfs or btrfs");
	}
}

/* ---- the walk's end before its time ---- */

/* The folders that have to be made first; what is not there may be meant to be a file. */
static void mend_missing(const struct question *q, struct finding *finding,
			 const struct place *last)
{
	char *dir = strdup(q->facts->wanted), *slash = dir ? strrchr(dir, '/') : NULL, *word;

	if (slash && slash > dir && !(q->wants & WANT_SHARE))
		*slash = '\0';
	word = dir ? shell_word(dir) : NULL;
	if (word && (q->wants & WANT_SHARE || !facts_is_next(q->facts)))
		finding_command(finding, "%smkdir -p %s", sudo(q, last), word);
	else
		finding_advice(finding, "check the name");
	free(word);
	free(dir);
}

static void judge_missing(const struct question *q, struct findings *findings)
{
	const struct facts *facts = q->facts;
	struct finding *finding;

	if (facts->err == -ENOENT) {
		finding = findings_add(findings, "missing", LAYER_PATH, ENOENT, facts->missing,
				       "%s is not there", facts->missing);
		mend_missing(q, finding, &facts->place[facts->n - 1]);
	} else if (facts->err == -EACCES && !findings_refusing(findings)) {
		/*
		 * Another may see more than whoever asks; and there are layers that no mode shows.
		 */
		finding = findings_add(findings, "unseen", LAYER_PATH, EACCES, facts->missing,
				       "%s cannot be looked at by whoever asks", facts->missing);
		finding_advice(finding,
			       q->mender ? "ask again as root" :
					   "ask again as the user whose file system it is: FUSE "
					   "lets nobody else in, not even root");
	} else if (facts->err != -EACCES) {
		finding = findings_add(findings, "missing", LAYER_PATH, -facts->err, facts->missing,
				       "%s cannot be reached: %s", facts->missing,
				       strerror(-facts->err));
		finding_advice(finding, "check the path");
	}
}

void judge(const struct question *q, struct findings *findings)
{
	const struct facts *facts = q->facts;
	const struct place *last = &facts->place[facts->n - 1];
	bool create = facts_is_next(facts) && !(q->wants & WANT_SHARE) && q->wants & WANT_WRITE;

	for (size_t i = q->from; i + 1 < facts->n; i++)
		judge_parent(q, findings, &facts->place[i]);
	if (create) {
		struct question parent = *q;

		parent.wants &= ~WANT_READ;
		judge_last(&parent, findings, last);
	} else if (facts->err) {
		judge_parent(q, findings, last);
		judge_missing(q, findings);
	} else {
		judge_last(q, findings, last);
	}
}
