// SPDX-License-Identifier: MIT
#include "ninep/refusal.h"

#include <errno.h>
#include <string.h>

#include "ninep/server.h"
#include "ninep/session.h"

/* Errors that leave somebody in the guest wondering; others say themselves what is wrong. */
static bool is_refusal(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOSPC:
	case EDQUOT:
	case EOPNOTSUPP:
		return true;
	default:
		return false;
	}
}

/* Puts "/name" before *at, as far as there is room for it. */
static bool put_before(char **at, const char *buf, const char *name)
{
	size_t len = strlen(name);

	if ((size_t)(*at - buf) < len + 1)
		return false;
	*at -= len;
	memcpy(*at, name, len);
	*--*at = '/';
	return true;
}

/* The path below the share, at the end of buf; NULL if it is too long. */
static const char *path_of(struct p9_share *share, const struct p9_node *node, const char *name,
			   char *buf, size_t size)
{
	char *at = buf + size;
	bool fits = true;

	*--at = '\0';
	if (name)
		fits = put_before(&at, buf, name);
	pthread_mutex_lock(&share->lock);
	for (; fits && node->name; node = node->parent)
		fits = put_before(&at, buf, node->name);
	pthread_mutex_unlock(&share->lock);
	return !fits ? NULL : *at ? at + 1 : at;
}

int p9_refused(struct p9_req *req, enum p9_refused what, const struct p9_node *node,
	       const char *name, int err)
{
	const struct p9_server *server = p9_req_server(req);
	char path[P9_PATH_SIZE];
	struct p9_refusal refusal = {
		.share = p9_req_share(req),
		.what = what,
		.err = err,
		.uid = req->who.uid == P9_OWN ? server->own.uid : req->who.uid,
		.gid = req->who.uid == P9_OWN ? server->own.gid : req->who.gid,
	};

	if (!server->refused || !is_refusal(err))
		return err;
	refusal.path = path_of(refusal.share, node, name, path, sizeof(path));
	server->refused(server->refused_arg, &refusal);
	return err;
}
