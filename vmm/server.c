// SPDX-License-Identifier: MIT
#include "vmm/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void server_say(void *arg, const char *sentence)
{
	(void)arg;
	/* A terminal is raw while a guest uses it, and adds no return of its own. */
	fprintf(stderr, "ninepin: %s%s\n", sentence, isatty(STDERR_FILENO) ? "\r" : "");
}

int server_open(struct p9_server **server, enum p9_executor executor, struct why *note,
		struct why *why)
{
	int err;

	note->text[0] = '\0';
	err = p9_server_new(server, executor);
	/* Container runtimes refuse io_uring; system calls do the same, one after the other. */
	if ((err == -ENOSYS || err == -EPERM || err == -EACCES) && executor == P9_EXEC_AUTO) {
		why_fail(note, err, "io_uring is refused here: host files are reached by system calls "
				    "only");
		err = p9_server_new(server, P9_EXEC_SYNC);
	}
	if (err)
		return why_fail(why, err, "the 9P server cannot start: %s%s", strerror(-err),
				executor == P9_EXEC_RING ? " (try --io=sync)" : "");
	p9_server_on_say(*server, server_say, NULL);
	return 0;
}

static int sleep_in_server(void *arg, int fd)
{
	return p9_server_wait(arg, fd);
}

void server_drive(struct p9_server *server, struct loop *loop)
{
	loop_sleep_in(loop, p9_server_has_ring(server) ? sleep_in_server : NULL, server);
}

int server_share(struct p9_share **share, struct p9_server *server, const char *path,
		 const struct p9_share_config *config, struct why *why)
{
	int err = p9_share_open(share, server, path, config);

	if (err == -ENOENT)
		return why_fail(why, err, "the folder %s to share is not there: make it first", path);
	if (err == -ENOTDIR)
		return why_fail(why, err, "%s cannot be shared, it is not a folder: share the folder "
					  "that it is in",
				path);
	if (err == -EOPNOTSUPP)
		return why_fail(why, err,
				"%s is on a file system without user.* attributes, in which "
				"security_model=mapped-xattr keeps owners: use another model, or a folder "
				"on ext4, xfs or btrfs",
				path);
	if (err)
		return why_fail(why, err, "the folder %s cannot be shared: %s: check its owner and mode",
				path, strerror(-err));
	return 0;
}
