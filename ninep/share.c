// SPDX-License-Identifier: MIT
/* Shares: a host folder each, kept by its sessions. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "ninep/io.h"
#include "ninep/node.h"
#include "ninep/owner.h"
#include "ninep/server.h"

static int make_root(struct p9_share *share, const char *path)
{
	struct p9_filesystems *all = &share->server->filesystems;
	struct p9_node *root = calloc(1, sizeof(*root));
	uint64_t qid_path;
	struct statfs sfs;
	struct stat st;
	int err = -ENOMEM;

	if (!root)
		return -ENOMEM;
	root->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root->fd < 0 || fstat(root->fd, &st) || fstatfs(root->fd, &sfs)) {
		err = -errno;
		goto out;
	}
	if (share->config.model == P9_MODEL_MAPPED) {
		err = p9_owner_possible(root->fd);
		if (err)
			goto out;
	}
	err = p9_hide_new(&share->hide, root->fd, share->server->procfd, share->config.hidden,
			  share->config.nhidden);
	if (err)
		goto out;
	err = -ENOMEM;
	root->fs = p9_fs_get(all, st.st_dev, p9_fs_classify((uint64_t)sfs.f_type));
	if (!root->fs)
		goto out;
	/* Makes it the first of the file systems, if there was none yet. */
	err = p9_qid_path(all, root->fs, st.st_ino, &qid_path);
	if (err) {
		p9_fs_put(root->fs);
		goto out;
	}
	share->config.hidden = NULL; /* the caller's */
	atomic_init(&root->refs, 1);
	atomic_init(&root->pins, 1);
	root->ino = st.st_ino;
	root->type = S_IFDIR;
	root->hide = share->hide;
	share->root = root;
	share->nodes = 1;
	p9_node_count_fd(share, 1);
	return 0;
out:
	if (root->fd >= 0)
		close(root->fd);
	free(root);
	return err;
}

int p9_share_open(struct p9_share **out, struct p9_server *server, const char *path,
		  const struct p9_share_config *config)
{
	struct p9_share *share = calloc(1, sizeof(*share));
	int err;

	if (!share)
		return -ENOMEM;
	share->refs = 1;
	share->server = server;
	share->config = *config;
	err = p9_hash_init(&share->table);
	if (!err)
		err = make_root(share, path);
	if (err) {
		p9_hide_free(share->hide);
		p9_hash_exit(&share->table);
		free(share);
		return err;
	}
	/* Opening by handle is for the host's root. Without it a moved file is ESTALE. */
	share->handle_fd = server->own.uid ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pthread_mutex_init(&share->lock, NULL);
	pthread_mutex_lock(&server->shares_lock);
	share->next = server->shares;
	server->shares = share;
	pthread_mutex_unlock(&server->shares_lock);
	*out = share;
	return 0;
}

struct p9_share *p9_share_get(struct p9_share *share)
{
	pthread_mutex_lock(&share->server->shares_lock);
	share->refs++;
	pthread_mutex_unlock(&share->server->shares_lock);
	return share;
}

void p9_share_put(struct p9_share *share)
{
	struct p9_server *server;
	struct p9_share **at;
	bool last;

	if (!share)
		return;
	server = share->server;
	pthread_mutex_lock(&server->shares_lock);
	last = !--share->refs;
	if (last) {
		for (at = &server->shares; *at != share; at = &(*at)->next)
			;
		*at = share->next;
	}
	pthread_mutex_unlock(&server->shares_lock);
	if (!last)
		return;
	p9_node_put(share, NULL, share->root);
	if (share->handle_fd >= 0)
		close(share->handle_fd);
	p9_hide_free(share->hide);
	p9_hash_exit(&share->table);
	p9_pool_exit(&share->pool);
	pthread_mutex_destroy(&share->lock);
	free(share);
}
