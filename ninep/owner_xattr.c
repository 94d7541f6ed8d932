// SPDX-License-Identifier: MIT
/*
 * Attributes as an ownership model has them: ids in ACLs are translated (idmap), and a mapped share
 * hides its own attributes, keeps ACLs under a name of their own, and knows user.* besides.
 */
#include <endian.h>
#include <errno.h>
#include <linux/limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ninep/io.h"
#include "ninep/owner.h"
#include "ninep/session.h"

#define VIRTFS "user.virtfs."
#define ACL    "system.posix_acl_"

struct host_name {
	char s[P9_NAME_LEN + sizeof(VIRTFS)];
};

static const struct p9_share_config *config_of(const struct p9_req *req)
{
	return &req->session->share->config;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* The name on the host. 0, or `hidden` where the share's own attributes begin; -EOPNOTSUPP. */
static int to_host_name(const struct p9_req *req, const char *name, int hidden,
			struct host_name *host)
{
	bool mapped = config_of(req)->model == P9_MODEL_MAPPED;

	snprintf(host->s, sizeof(host->s), "%s%s", mapped && begins(name, ACL) ? VIRTFS : "", name);
	if (!mapped || begins(name, ACL))
		return 0;
	if (begins(name, VIRTFS))
		return hidden;
	/* A guest's labels and capabilities would be the host's own, on a file that is the server's. */
	return begins(name, "user.") ? 0 : -EOPNOTSUPP;
}

/* ---- ids in ACLs ---- */

/* Translates the ids of an ACL's value in place: a table for users, one for groups. */
static int translate_acl(const struct p9_req *req, void *value, size_t len, bool to_host)
{
	const struct p9_share_config *config = config_of(req);
	struct posix_acl_xattr_header *header = value;
	struct posix_acl_xattr_entry *entry = (void *)(header + 1);
	size_t n;

	if (len < sizeof(*header) || (len - sizeof(*header)) % sizeof(*entry) ||
	    le32toh(header->a_version) != POSIX_ACL_XATTR_VERSION)
		return -EINVAL;
	n = (len - sizeof(*header)) / sizeof(*entry);
	for (; n; n--, entry++) {
		uint16_t tag = le16toh(entry->e_tag);
		const struct p9_idmap *map = tag == ACL_USER ? &config->uids : &config->gids;
		uint32_t id = le32toh(entry->e_id);
		int err = 0;

		if (tag != ACL_USER && tag != ACL_GROUP)
			continue;
		if (to_host)
			err = p9_owner_to_host(map, id, &id);
		else
			id = p9_owner_to_guest(map, id);
		if (err)
			return err;
		entry->e_id = htole32(id);
	}
	return 0;
}

static bool is_translated(const struct p9_req *req, const char *name)
{
	return config_of(req)->model == P9_MODEL_IDMAP && begins(name, ACL);
}

/* ---- the operations ---- */

ssize_t p9_owner_getxattr(struct p9_req *req, const struct p9_node *node, const char *name,
			  void *buf, size_t len)
{
	struct host_name host;
	ssize_t n = to_host_name(req, name, -ENODATA, &host);

	if (!n)
		n = p9_getxattr(req, node, host.s, buf, len);
	/*
	 * What cannot be read is as if it were not there, as of owner and mode: user.* takes being able
	 * to read the file, and Linux's client knows only by an ACL's absence how to show one.
	 */
	if (n == -EACCES && config_of(req)->model == P9_MODEL_MAPPED && begins(name, ACL))
		return -ENODATA;
	if (n > 0 && is_translated(req, name))
		return translate_acl(req, buf, (size_t)n, false) ?: n;
	return n;
}

ssize_t p9_owner_listxattr(struct p9_req *req, const struct p9_node *node, void *buf, size_t len)
{
	ssize_t n = p9_listxattr(req, node, buf, len);
	const char *from = buf;
	char *to = buf;

	if (n <= 0 || config_of(req)->model != P9_MODEL_MAPPED)
		return n;
	for (const char *end = from + n; from < end;) {
		size_t size = strlen(from) + 1;
		const char *name = begins(from, VIRTFS ACL) ? from + strlen(VIRTFS) : from;
		size_t cut = (size_t)(name - from);

		if (cut || (begins(name, "user.") && !begins(name, VIRTFS))) {
			memmove(to, name, size - cut);
			to += size - cut;
		}
		from += size;
	}
	return to - (char *)buf;
}

int p9_owner_setxattr(struct p9_req *req, const struct p9_node *node, const char *name, void *value,
		      size_t len, unsigned int flags)
{
	struct host_name host;
	int err = to_host_name(req, name, -EPERM, &host);

	if (!err && is_translated(req, name))
		err = translate_acl(req, value, len, true);
	return err ?: p9_setxattr(req, node, host.s, value, len, flags);
}

int p9_owner_removexattr(struct p9_req *req, const struct p9_node *node, const char *name)
{
	struct host_name host;
	int err = to_host_name(req, name, -EPERM, &host);

	if (err)
		return err;
	err = p9_removexattr(req, node, host.s);
	/* The host's own ACLs are gone when they are not there; so are those kept as attributes. */
	if (err == -ENODATA && begins(name, ACL) && config_of(req)->model == P9_MODEL_MAPPED)
		return 0;
	return err;
}
