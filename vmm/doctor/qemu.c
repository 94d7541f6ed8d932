// SPDX-License-Identifier: MIT
#include "vmm/doctor/qemu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SELINUX_ETC "/etc/selinux"
#define TAG_MAX	    31 /* bytes that QEMU takes */

/* ---- as whom it runs ---- */

/* The value of NAME = "VALUE" in one of qemu.conf's lines; malloc'd, NULL: it is another line. */
static char *conf_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	line += strspn(line, " \t");
	if (strncmp(line, name, len) != 0)
		return NULL;
	line += len;
	line += strspn(line, " \t");
	if (*line != '=')
		return NULL;
	line += 1 + strspn(line + 1, " \t\"'+"); /* "+1000" is a number that is no name */
	len = strcspn(line, " \t\"'\n#");
	return len ? strndup(line, len) : NULL;
}

/* What qemu.conf has as user and group; malloc'd, or NULL. */
static void read_conf(const char *conf, char **user, char **group)
{
	FILE *f = fopen(conf, "re");
	char *line = NULL, *value;
	size_t cap = 0;

	if (!f)
		return;
	while (getline(&line, &cap, f) > 0) {
		if ((value = conf_value(line, "user"))) {
			free(*user);
			*user = value;
		} else if ((value = conf_value(line, "group"))) {
			free(*group);
			*group = value;
		}
	}
	free(line);
	fclose(f);
}

int qemu_person(struct person *person, const struct people *people, const char *conf,
		struct why *why)
{
	static const char *const usual[] = { "libvirt-qemu", "qemu" };
	char *user = NULL, *group = NULL, *text = NULL;
	int err = -EINVAL;

	read_conf(conf, &user, &group);
	if (user && asprintf(&text, "%s%s%s", user, group ? ":" : "", group ? group : "") < 0)
		text = NULL;
	memset(person, 0, sizeof(*person));
	if (text) {
		err = person_find(person, people, text, why);
		if (err == -EINVAL)
			why_fail(why, err,
				 "%s says that QEMU runs as %s, and there is no such user or "
				 "group: give another with --as",
				 conf, text);
		goto out;
	}
	for (size_t i = 0; err == -EINVAL && i < sizeof(usual) / sizeof(usual[0]); i++) {
		err = person_find(person, people, usual[i], why);
		if (err == -EINVAL)
			person_free(person);
	}
	if (err == -EINVAL)
		err = person_self(person, people, why);
out:
	free(text);
	free(user);
	free(group);
	return err;
}

/* ---- what the configuration says ---- */

struct reading {
	const struct foreign *f;
	const struct foreign_share *share;
	const struct person *person;
	struct findings *findings;
	bool libvirt;
};

/* A finding about a word: "line 3: …". A command line has no lines worth telling. */
static __attribute__((format(printf, 5, 6))) struct finding *
find(const struct reading *r, const char *kind, int err, const struct foreign_word *word,
     const char *fmt, ...)
{
	char at[512], line[32] = "", *text;
	struct finding *finding;
	va_list ap;
	int n;

	if (r->libvirt)
		snprintf(line, sizeof(line), "line %u: ", word->line);
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	finding = findings_add(r->findings, kind, err == EPERM ? LAYER_MODEL : LAYER_CONFIG, err,
			       foreign_at(r->f, word, at, sizeof(at)), "%s%s", line, text);
	free(text);
	return finding;
}

/* How the configuration's language has a model. */
static const char *model_word(const struct reading *r, const char *libvirt, const char *qemu)
{
	return r->libvirt ? libvirt : qemu;
}

#define MAPPED(r) model_word(r, "accessmode='mapped'", "security_model=mapped-xattr")
#define SQUASH(r) model_word(r, "accessmode='squash'", "security_model=none")

static void judge_passthrough(const struct reading *r)
{
	const struct foreign_word *word = &r->share->model;
	const char *name = r->person->name;
	struct finding *finding;

	if (person_privileged(r->person))
		return;
	finding = find(r, "model-chown", EPERM, word->text ? word : &r->share->self,
		       "%s: QEMU as %s may not chown, so creates fail with EPERM",
		       !word->text ? "without accessmode= it is 'passthrough'" :
		       r->libvirt  ? "accessmode='passthrough'" :
				     "security_model=passthrough",
		       name);
	finding_advice(finding, "use %s: owners and modes are kept in attributes", MAPPED(r));
	finding_advice(finding, "use %s: that a chown was refused is not told", SQUASH(r));
	if (r->libvirt)
		finding_advice(finding,
			       "user = \"root\" in /etc/libvirt/qemu.conf: QEMU may then do "
			       "anything");
}

static void judge_model(const struct reading *r)
{
	const struct foreign_word *word = &r->share->model;
	const char *model = foreign_model(r->f, r->share);
	struct finding *finding;

	if (!model && !word->text) {
		finding = find(r, "no-model", EINVAL, &r->share->self,
			       "security_model= is missing, without which QEMU does not start");
		finding_advice(finding, "add %s", MAPPED(r));
	} else if (!model) {
		finding = find(r, "unknown-model", EINVAL, word, "'%s' is no model that there is",
			       word->text);
		finding_advice(finding, "use %s", MAPPED(r));
	} else if (!strcmp(model, "passthrough")) {
		judge_passthrough(r);
	}
	if (model && strncmp(model, "mapped", 6) != 0 &&
	    (r->share->fmode.text || r->share->dmode.text)) {
		finding = find(
			r, "modes", EINVAL,
			r->share->fmode.text ? &r->share->fmode : &r->share->dmode,
			"fmode and dmode are for the mapped models: with others, QEMU does not "
			"start");
		finding_advice(finding, "leave them out");
		finding_advice(finding, "use %s", MAPPED(r));
	}
}

static void judge_tag(const struct reading *r)
{
	const struct foreign_word *tag = &r->share->tag;
	struct finding *finding;
	char *word;

	if (!tag->text)
		return;
	if (strlen(tag->text) > TAG_MAX) {
		finding = find(r, "long-tag", EINVAL, tag,
			       "the tag '%s' has %zu bytes, and QEMU takes %d", tag->text,
			       strlen(tag->text), TAG_MAX);
		finding_advice(finding, "give a shorter one");
	}
	word = shell_word(tag->text);
	if (word && *tag->text == '/') {
		finding = find(r, "tag-place", 0, tag,
			       "%s'%s' is a tag, not a place: nothing is mounted by it",
			       r->libvirt ? "<target dir> " : "mount_tag ", tag->text);
		finding_note(finding);
		finding_command(
			finding,
			"mount -t 9p -o trans=virtio,version=9p2000.L %s /mnt    # in the guest",
			word);
	}
	free(word);
}

void qemu_judge(const struct foreign *f, const struct foreign_share *share,
		const struct person *person, struct findings *findings)
{
	const struct reading r = {
		.f = f,
		.share = share,
		.person = person,
		.findings = findings,
		.libvirt = f->program == FOREIGN_LIBVIRT,
	};
	struct finding *finding;

	if (share->driver.text && !strcmp(share->driver.text, "handle")) {
		finding = find(&r, "driver", EINVAL, &share->driver,
			       "the driver 'handle' is gone since QEMU 4.0");
		finding_advice(finding, "leave it out");
	}
	/* virtiofsd is root, and has a model of its own. */
	if (!share->driver.text || strcmp(share->driver.text, "virtiofs") != 0)
		judge_model(&r);
	if (share->readonly.text) {
		finding = find(&r, "read-only-share", EROFS, &share->readonly,
			       "%s: every change is refused", share->readonly.text);
		finding_advice(finding, "leave it out");
	}
	judge_tag(&r);
	if (!share->path.text) {
		finding = find(&r, "no-path", EINVAL, &share->self, "it does not say which folder");
		finding_advice(finding, "add %s", model_word(&r, "<source dir='…'/>", "path="));
	}
}

/* ---- the folder ---- */

static bool is_virtiofs(const struct foreign_share *share)
{
	return share->driver.text && !strcmp(share->driver.text, "virtiofs");
}

static int judge_folder(struct doctor *d, const struct foreign *f,
			const struct foreign_share *share, const struct person *person,
			struct subject *subject)
{
	const struct foreign_command *mount = foreign_mount(f, share);
	const char *model = foreign_model(f, share);
	struct facts facts = { 0 }, path = { 0 };
	char *context = selinux_qemu_context(SELINUX_ETC), *who = NULL;
	struct question q = {
		.facts = &facts,
		.person = person,
		.wants = WANT_READ | WANT_SHARE,
		.selinux = &d->selinux,
		.context = context,
		.mender = geteuid(),
	};
	int err = facts_gather(&facts, &d->source, share->path.text, person->uid);

	if (asprintf(&who, "%s as %s", is_virtiofs(share) ? "virtiofsd" : "QEMU", person->name) < 0)
		err = -ENOMEM;
	q.who = who;
	if (!err && d->path && !facts.err)
		err = doctor_walk(d, facts.place[facts.n - 1].path,
				  mount ? mount->place.text : NULL, person, &path);
	if (err < 0)
		goto out;
	if (!err)
		q.wants |= WANT_WRITE;
	if (model && !strcmp(model, "mapped-xattr") && !is_virtiofs(share))
		q.wants |= WANT_XATTRS;
	judge(&q, &subject->findings);
	if (err > 0) {
		q.facts = &path;
		q.wants = WANT_READ | WANT_WRITE;
		judge(&q, &subject->findings);
		err = 0;
	}
out:
	facts_free(&facts);
	facts_free(&path);
	free(context);
	free(who);
	return err;
}

static int add_share(struct doctor *d, const struct foreign *f, const struct foreign_share *share,
		     const struct person *person)
{
	struct subject *subject = report_add(&d->report, "qemu", "%s", share->path.text ?
					     share->path.text : share->self.text);
	const char *model = foreign_model(f, share);
	const char *server = is_virtiofs(share) ? "virtiofsd" : "QEMU";
	char at[512];

	if (!subject)
		return -ENOMEM;
	subject->model = model;
	subject->ro = share->readonly.text != NULL;
	subject_person(subject, person);
	subject_say(&subject->about, "%s of %s, %s as %s", share->self.text,
		    foreign_at(f, &share->self, at, sizeof(at)), server, person->name);
	subject_say(&subject->good, "%s: nothing refuses", subject->about);
	qemu_judge(f, share, person, &subject->findings);
	return share->path.text ? judge_folder(d, f, share, person, subject) : 0;
}

int doctor_foreign(struct doctor *d, const struct foreign *f, const struct person *person)
{
	struct person root = { 0 };
	struct why why;
	int err = person_by_id(&root, &d->source.people, 0, 0, &why);

	for (size_t i = 0; !err && i < f->nshares; i++)
		err = add_share(d, f, &f->share[i], is_virtiofs(&f->share[i]) ? &root : person);
	person_free(&root);
	return err;
}
