// SPDX-License-Identifier: MIT
/* Shares of ninepin's, and paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/doctor/doctor.h"

/* ---- the model ---- */

/* The one that share_settle() would choose for the person. */
static enum p9_model model_for(const struct share_options *share, const struct person *person)
{
	if (share->model_set)
		return share->config.model;
	if (person_privileged(person) && !share->config.uids.n && !share->config.gids.n)
		return P9_MODEL_PASSTHROUGH;
	return P9_MODEL_IDMAP;
}

static void judge_model(struct findings *findings, const struct share_options *share,
			enum p9_model model, const struct person *person)
{
	const char *name = person->name;
	struct finding *finding;

	if (model != P9_MODEL_PASSTHROUGH || person_privileged(person))
		return;
	finding = findings_add(findings, "model-chown", LAYER_MODEL, EPERM, share->host,
			       "security_model=passthrough gives files to any owner, which %s may "
			       "not: ninepin does not start",
			       name);
	finding_advice(finding, "leave security_model= out: idmap, in which the guest's root is %s",
		       name);
	finding_advice(finding, "security_model=mapped-xattr: owners are kept in attributes");
	finding_advice(finding, "run ninepin as root");
}

/* ---- by doing ---- */

/* Creates a file in the folder, and removes it. 0 or a negative errno. */
static int try_create(const char *folder)
{
	char *path;
	int fd, err;

	if (asprintf(&path, "%s/.ninepin-doctor.XXXXXX", folder) < 0)
		return -ENOMEM;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
	} else {
		/* What is full often shows only now. */
		err = write(fd, "x", 1) == 1 ? 0 : -errno;
		close(fd);
		if (unlink(path) && !err)
			err = -errno;
	}
	free(path);
	return err;
}

static void judge_by_doing(const struct facts *facts, struct subject *subject)
{
	const struct place *last = &facts->place[facts->n - 1];
	const struct mount_fact *mount = facts_mount(facts, last);
	bool dir = S_ISDIR(last->mode);
	struct finding *finding;
	int err;

	if (!dir && (!S_ISREG(last->mode) || findings_refusing(&subject->findings)))
		return;
	/*
	 * Opening a file to write may have consequences of its own; the kernel can also be asked.
	 */
	if (dir)
		err = try_create(last->path);
	else
		err = faccessat(AT_FDCWD, last->path, W_OK, AT_EACCESS) ? -errno : 0;
	if (!err && !subject->findings.n)
		subject_say(&subject->good, "%s: %s", subject->about,
			    dir ? "a file was created and removed there"
				: "the kernel would let it be written");
	if (!err || findings_refusing(&subject->findings))
		return;
	finding = findings_add(&subject->findings, "unknown", LAYER_UNKNOWN, -err, last->path,
			       "%s %s fails (%s), and nothing that can be read says why",
			       dir ? "creating a file in" : "writing", last->path, strerror(-err));
	if (mount)
		finding_advice(finding,
			       "see what %s, of type %s, has rules for beyond modes: the "
			       "server of a network file system, FUSE's user, the kernel itself",
			       mount->point, mount->type);
	finding_command(finding, "%sdmesg | tail -n 20    # a security module logs what it refuses",
			geteuid() ? "sudo " : "");
}

/* ---- putting it together ---- */

static void judge_facts(const struct doctor *d, const struct facts *facts, unsigned int wants,
			struct subject *subject)
{
	const struct question q = {
		.facts = facts,
		.person = &d->person,
		.who = d->person.name,
		.wants = wants,
		.selinux = &d->selinux,
		.context = d->context,
		.apparmor = &d->apparmor,
		.mender = geteuid(),
	};

	judge(&q, &subject->findings);
	if (d->person.self && !facts->err && wants & WANT_WRITE)
		judge_by_doing(facts, subject);
}

/* Whether path is dir or below it. */
static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (!strcmp(dir, "/"))
		return true;
	return !strncmp(path, dir, len) && (path[len] == '/' || !path[len]);
}

/* Where a path that begins with a place in the guest is on the host; malloc'd, else NULL. */
static char *from_guest(const char *root, const char *guest, const char *path)
{
	char *host;

	size_t len = guest ? strlen(guest) : 0;

	/* A place may be written with slashes at its end, and / is nothing else. */
	while (len && guest[len - 1] == '/')
		len--;
	if (!guest || strncmp(path, guest, len) != 0 || (path[len] && path[len] != '/') ||
	    asprintf(&host, "%s/%s", root, path + len) < 0)
		return NULL;
	return host;
}

static int gather_again(struct doctor *d, const char *path, const struct person *person,
			struct facts *facts)
{
	facts_free(facts);
	memset(facts, 0, sizeof(*facts));
	return facts_gather(facts, &d->source, path, person->uid);
}

static bool leads_into(const struct facts *facts, const char *root)
{
	return is_within(facts->err ? facts->missing : facts->place[facts->n - 1].path, root);
}

/* What a path from the folder on is: 1: in the share; 0: not to be found there. */
static int walk_below(struct doctor *d, const char *root, bool elsewhere,
		      const struct person *person, struct facts *facts)
{
	char *below;
	int err;

	if (asprintf(&below, "%s/%s", root, d->path) < 0)
		return -ENOMEM;
	err = gather_again(d, below, person, facts);
	free(below);
	if (err || !facts->err)
		return err ? err : 1;
	/* It is not there, yet: what else could be meant? */
	return !elsewhere && (d->one_share || facts->err == -EACCES || facts_is_next(facts));
}

int doctor_walk(struct doctor *d, const char *root, const char *guest, const struct person *person,
		struct facts *facts)
{
	char *host = from_guest(root, guest, d->path);
	int err = gather_again(d, host ? host : d->path, person, facts), in;

	free(host);
	if (err)
		return err;
	in = leads_into(facts, root);
	if (!in && *d->path != '/')
		in = walk_below(d, root, !facts->err, person, facts);
	if (in > 0)
		d->path_seen = true;
	return in;
}

/* What reading the options said, as findings that refuse nothing. */
static void add_notes(struct findings *findings, const char *place, const struct notes *notes)
{
	for (const char *at = notes->text, *end; at && *at; at = end + 1) {
		end = strchr(at, '\n');
		findings_note(findings, LAYER_SHARE, place, "%.*s", (int)(end - at), at);
	}
}

int doctor_share(struct doctor *d, struct share_options *share, const struct notes *notes,
		 struct why *why)
{
	enum p9_model model = model_for(share, &d->person);
	bool ro = share->config.flags & P9_SHARE_RO;
	unsigned int wants = WANT_READ | (ro ? 0 : WANT_WRITE);
	unsigned int root_wants = WANT_SHARE | (model == P9_MODEL_MAPPED ? WANT_XATTRS : 0);
	struct subject *subject = report_add(&d->report, "share", "%s", share->host);
	struct facts facts = { 0 }, path = { 0 };
	struct notes ignored = { 0 };
	int err;

	/* What it says of privilege is said of the person, below. */
	err = share_settle(share, 0, 0, &ignored, why);
	notes_free(&ignored);
	if (err && err != -EPERM)
		return err;
	why->text[0] = '\0';
	if (!subject)
		return -ENOMEM;
	subject->model = share_model_name(model);
	subject->ro = ro;
	subject_person(subject, &d->person);
	subject_say(&subject->about, "share, model %s%s, as %s", subject->model,
		    ro ? ", read-only" : "", d->person.name);
	judge_model(&subject->findings, share, model, &d->person);
	err = facts_gather(&facts, &d->source, share->host, d->person.uid);
	if (!err && d->path && !facts.err)
		err = doctor_walk(d, facts.place[facts.n - 1].path, share->guest, &d->person,
				  &path);
	if (err >= 0) {
		judge_facts(d, &facts, root_wants | (err > 0 ? WANT_READ : wants), subject);
		if (err > 0)
			judge_facts(d, &path, wants, subject);
		add_notes(&subject->findings, share->host, notes);
		if (!subject->good)
			subject_say(&subject->good, "%s: nothing refuses", subject->about);
		err = 0;
	}
	facts_free(&facts);
	facts_free(&path);
	return err;
}

int doctor_path(struct doctor *d)
{
	struct subject *subject = report_add(&d->report, "path", "%s", d->path);
	struct facts facts = { 0 };
	const struct question q = {
		.facts = &facts,
		.person = &d->person,
		.who = d->person.name,
		.wants = WANT_READ | WANT_WRITE,
		.selinux = &d->selinux,
		.context = d->context,
		.apparmor = &d->apparmor,
		.mender = geteuid(),
	};
	int err;

	if (!subject)
		return -ENOMEM;
	subject_person(subject, &d->person);
	err = facts_gather(&facts, &d->source, d->path, d->person.uid);
	if (!err)
		judge(&q, &subject->findings);
	facts_free(&facts);
	subject_say(&subject->good, "%s may read and change it", d->person.name);
	return err;
}
