// SPDX-License-Identifier: MIT
#include "vmm/doctor/explain.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/doctor/judge.h"
#include "vmm/notes.h"
#include "vmm/share.h"

/* A guest can be refused things faster than anybody looks into them; what is more is dropped. */
#define QUEUE 16
/* Refusals alike come in heaps: the last of each slot are remembered, and not looked into again. */
#define RECENT 256
/* Sentences. A guest must not fill a log with them. */
#define MOST 32
/* Refusals that are looked into, so that it ends also where they have few causes. */
#define MOST_LOOKS 500

struct item {
	struct shared *shared;
	enum p9_refused what;
	int err;
	uint32_t uid, gid;
	char *path; /* malloc'd; NULL: not known */
};

struct shared {
	const struct p9_share *share;
	const char *path;
	struct p9_share_config config;
	int fd;		    /* the folder */
	struct facts facts; /* up to the folder */
	size_t depth;	    /* how many places that are */
};

struct explain {
	void (*say)(void *arg, const char *sentence);
	void *arg;
	struct facts_source source;
	struct selinux selinux;
	char *context;
	struct apparmor apparmor;
	struct person self;
	struct shared shared[EXPLAIN_SHARES];
	unsigned int nshared;

	pthread_t thread;
	bool started;
	pthread_mutex_t lock; /* of what follows; a leaf */
	pthread_cond_t more;
	struct item queue[QUEUE];
	unsigned int first, n;
	bool end;
	uint64_t recent[RECENT];

	atomic_bool enough; /* nothing is looked into any more */

	/* The thread's own: causes that were said. */
	char *said[MOST];
	unsigned int nsaid, looks;
};

/* ---- what is to be looked into ---- */

/* FNV-1a, 64 bits. */
static uint64_t hash_more(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ull;
	return hash;
}

/*
 * The same for refusals that have the same cause in all likelihood: names in one folder are alike.
 */
static uint64_t likeness(const struct p9_refusal *refusal)
{
	const char *path = refusal->path ? refusal->path : "";
	const char *slash = strrchr(path, '/');
	bool by_name = refusal->what == P9_REFUSED_CREATE || refusal->what == P9_REFUSED_MKNOD;
	size_t len = !by_name ? strlen(path) : slash ? (size_t)(slash - path) : 0;
	uintptr_t share = (uintptr_t)refusal->share;
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = hash_more(hash, &refusal->what, sizeof(refusal->what));
	hash = hash_more(hash, &share, sizeof(share));
	hash = hash_more(hash, &refusal->err, sizeof(refusal->err));
	hash = hash_more(hash, &refusal->uid, sizeof(refusal->uid));
	hash = hash_more(hash, path, len);
	return hash ? hash : 1;
}

void explain_refusal(void *arg, const struct p9_refusal *refusal)
{
	struct explain *e = arg;
	uint64_t hash = likeness(refusal);
	struct shared *shared = e->shared;

	while (shared < e->shared + e->nshared && shared->share != refusal->share)
		shared++;
	if (shared == e->shared + e->nshared || atomic_load(&e->enough))
		return;
	pthread_mutex_lock(&e->lock);
	if (e->n < QUEUE && e->recent[hash % RECENT] != hash) {
		e->recent[hash % RECENT] = hash;
		e->queue[(e->first + e->n++) % QUEUE] = (struct item){
			.shared = shared,
			.what = refusal->what,
			.err = refusal->err,
			.uid = refusal->uid,
			.gid = refusal->gid,
			.path = refusal->path ? strdup(refusal->path) : NULL,
		};
		pthread_cond_signal(&e->more);
	}
	pthread_mutex_unlock(&e->lock);
}

/* ---- looking into it ---- */

/* What no place tells: the share's model. */
static void judge_model(const struct item *item, struct findings *findings)
{
	const struct shared *shared = item->shared;
	enum p9_model model = shared->config.model;
	struct finding *finding;

	if (item->err != -EPERM)
		return;
	/* What refuses with another error is no cause of this one. */
	for (size_t i = 0; i < findings->n; i++)
		if (findings->finding[i].err == EPERM && findings->finding[i].refuses)
			return;
	if (item->what == P9_REFUSED_CHOWN) {
		finding = findings_add(
			findings, "model-chown", LAYER_MODEL, EPERM, shared->path,
			model != P9_MODEL_IDMAP ? "giving files away takes root's privileges"
			: geteuid() ? "in its model, idmap, an owner can be changed only among the "
				      "ids that are you, and of your own files, unless root runs "
				      "ninepin"
				    : "in its model, idmap, the owner that it has or the one that it "
				      "was to get is in none of the ranges of uidmap= and gidmap=");
		if (model == P9_MODEL_IDMAP && !geteuid())
			finding_advice(finding, "ranges for both owners");
		finding_advice(finding,
			       "security_model=mapped-xattr, which keeps owners in attributes");
	} else if (item->what == P9_REFUSED_MKNOD) {
		finding = findings_add(findings, "model-mknod", LAYER_MODEL, EPERM, shared->path,
				       "making device nodes takes root's privileges on the host");
		finding_advice(finding, "security_model=mapped-xattr, which keeps what they are in "
					"attributes");
	} else if (item->what == P9_REFUSED_CREATE && model == P9_MODEL_IDMAP &&
		   !(shared->config.uids.rest && shared->config.gids.rest)) {
		finding = findings_add(findings, "model-create", LAYER_MODEL, EPERM, shared->path,
				       "the guest's user or group is in no range of uidmap= and gidmap=");
		finding_advice(finding, "uidmap= and gidmap= for them, too");
	}
}

static int find(struct explain *e, const struct item *item, struct findings *findings)
{
	struct shared *shared = item->shared;
	struct question q = {
		.facts = &shared->facts,
		.from = shared->depth - 1,
		.wants = WANT_READ | WANT_WRITE,
		.selinux = &e->selinux,
		.context = e->context,
		.apparmor = &e->apparmor,
		.mender = e->self.uid,
	};
	struct person person = { 0 };
	struct why why;
	int err;

	err = person_by_id(&person, &e->source.people, item->uid, item->gid, &why);
	if (!err) {
		/* Root in a container has not all that root has elsewhere. */
		if (!item->uid)
			person.caps = e->self.caps;
		q.person = item->uid == e->self.uid && item->uid ? &e->self : &person;
		q.who = q.person->name;
		if (shared->config.model == P9_MODEL_MAPPED)
			q.wants |= WANT_XATTRS;
		err = facts_below(&shared->facts, &e->source, shared->fd,
				  item->path ? item->path : "", item->uid);
	}
	if (!err)
		judge(&q, findings);
	judge_model(item, findings);
	facts_cut(&shared->facts, shared->depth);
	person_free(&person);
	return err;
}

/* ---- saying it ---- */

static bool was_said(struct explain *e, const char *kind, const char *place)
{
	char *cause;

	if (asprintf(&cause, "%s %s", kind, place) < 0)
		return true;
	for (unsigned int i = 0; i < e->nsaid; i++)
		if (!strcmp(e->said[i], cause)) {
			free(cause);
			return true;
		}
	e->said[e->nsaid++] = cause;
	return false;
}

static void say(struct explain *e, const struct item *item, const char *why, const char *mend)
{
	static const char *const doing[] = {
		[P9_REFUSED_CREATE] = "creating",
		[P9_REFUSED_MKNOD] = "making the node",
		[P9_REFUSED_OPEN] = "opening",
		[P9_REFUSED_CHOWN] = "changing the owner of",
	};
	const char *path = item->path ? item->path : "a file";
	char *line, *clean = NULL;

	if (asprintf(&line, "%s %s%s%s was refused to the guest (%s): %s%s%s", doing[item->what],
		     path, *path ? " in " : "", item->shared->path, strerrorname_np(-item->err),
		     why, mend ? "; mend: " : "", mend ? mend : "") >= 0) {
		clean = clean_text(line);
		free(line);
	}
	if (clean)
		e->say(e->arg, clean);
	free(clean);
}

/* The cause that fits the error, if there is one that was not yet said. */
static void explain(struct explain *e, const struct item *item)
{
	struct findings findings = { 0 };
	const struct finding *cause = NULL;
	char *unknown;

	if (find(e, item, &findings))
		goto out;
	for (size_t i = 0; i < findings.n && !cause; i++)
		if (findings.finding[i].err == -item->err && findings.finding[i].refuses)
			cause = &findings.finding[i];
	if (cause) {
		if (!was_said(e, cause->kind, cause->place))
			say(e, item, cause->what, cause->nmends ? cause->mend[0].text : NULL);
	} else if (asprintf(&unknown, "%d %d", (int)item->what, item->err) >= 0) {
		if (!was_said(e, unknown, item->shared->path))
			say(e, item, "nothing that can be read says why", NULL);
		free(unknown);
	}
out:
	findings_free(&findings);
}

/* A guest may go on for ever; this does not. */
static void count(struct explain *e)
{
	e->looks++;
	if (e->nsaid < MOST && e->looks < MOST_LOOKS)
		return;
	atomic_store(&e->enough, true);
	e->say(e->arg, "what else is refused to the guest is not explained any more: see ninepin "
		       "doctor");
}

static void *work(void *arg)
{
	struct explain *e = arg;

	pthread_mutex_lock(&e->lock);
	while (!e->end || e->n) {
		struct item item;

		if (!e->n) {
			pthread_cond_wait(&e->more, &e->lock);
			continue;
		}
		item = e->queue[e->first];
		e->first = (e->first + 1) % QUEUE;
		e->n--;
		pthread_mutex_unlock(&e->lock);
		if (!atomic_load(&e->enough)) {
			explain(e, &item);
			count(e);
		}
		free(item.path);
		pthread_mutex_lock(&e->lock);
	}
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

/* ---- start and end ---- */

int explain_new(struct explain **explain, void (*fn)(void *arg, const char *sentence), void *arg,
		struct why *why)
{
	struct explain *e = calloc(1, sizeof(*e));

	*explain = e;
	if (!e)
		return why_fail(why, -ENOMEM, "no memory left to start");
	e->say = fn;
	e->arg = arg;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->more, NULL);
	facts_source_open(&e->source);
	selinux_open(&e->selinux, SELINUX_ROOT);
	e->context = selinux_own_context();
	apparmor_open(&e->apparmor, APPARMOR_ROOT, APPARMOR_CURRENT);
	return person_self(&e->self, &e->source.people, why);
}

int explain_share(struct explain *e, const struct p9_share *share, const char *path,
		  const struct p9_share_config *config, struct why *why)
{
	struct shared *shared = &e->shared[e->nshared];
	int err;

	shared->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (shared->fd < 0)
		return why_fail(why, -errno, "the folder %s cannot be shared: %s", path,
				strerror(errno));
	shared->share = share;
	shared->path = path;
	shared->config = *config;
	e->nshared++;
	err = facts_gather(&shared->facts, &e->source, path, e->self.uid);
	if (err)
		return why_fail(why, err, "no memory left for sharing %s", path);
	shared->depth = shared->facts.n;
	facts_cut(&shared->facts, shared->depth);
	return 0;
}

int explain_start(struct explain *e)
{
	int err = pthread_create(&e->thread, NULL, work, e);

	e->started = !err;
	return -err;
}

void explain_free(struct explain *e)
{
	if (!e)
		return;
	if (e->started) {
		pthread_mutex_lock(&e->lock);
		e->end = true;
		pthread_cond_signal(&e->more);
		pthread_mutex_unlock(&e->lock);
		pthread_join(e->thread, NULL);
	}
	for (unsigned int i = 0; i < e->n; i++)
		free(e->queue[(e->first + i) % QUEUE].path);
	for (unsigned int i = 0; i < e->nshared; i++) {
		facts_free(&e->shared[i].facts);
		close(e->shared[i].fd);
	}
	for (unsigned int i = 0; i < e->nsaid; i++)
		free(e->said[i]);
	selinux_close(&e->selinux);
	apparmor_close(&e->apparmor);
	facts_source_close(&e->source);
	person_free(&e->self);
	free(e->context);
	pthread_cond_destroy(&e->more);
	pthread_mutex_destroy(&e->lock);
	free(e);
}
