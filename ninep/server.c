// SPDX-License-Identifier: MIT
#include "ninep/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ninep/session.h"

/* RESOLVE_CACHED came with Linux 5.12; before that it is EINVAL. */
static bool have_resolve_cached(int dirfd)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
	long fd = syscall(SYS_openat2, dirfd, ".", &how, sizeof(how));

	if (fd >= 0)
		close((int)fd);
	return fd >= 0 || errno == EAGAIN;
}

/*
 * As many descriptors as the process may have; half of them are for nodes, the rest for what is
 * open, and for everything else in this process.
 */
static unsigned int raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 512;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > UINT_MAX ? UINT_MAX / 2 : (unsigned int)(limit.rlim_cur / 2);
}

int p9_server_new(struct p9_server **out, enum p9_executor executor)
{
	struct p9_server *server = calloc(1, sizeof(*server));
	struct statfs sfs;
	int err;

	if (!server)
		return -ENOMEM;
	umask(0);
	server->executor = executor;
	server->callers = 1;
	server->own = p9_identity_own();
	server->identities = p9_privileged();
	server->node_fds_max = raise_limit();
	pthread_mutex_init(&server->shares_lock, NULL);
	p9_workers_init(&server->workers);
	p9_lockwait_init(&server->lockwait);
	err = p9_filesystems_init(&server->filesystems);
	if (err)
		goto out_free;
	server->procfd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->procfd < 0) {
		err = -errno;
		goto out_free;
	}
	err = -ENOENT;
	if (fstatfs(server->procfd, &sfs) || sfs.f_type != PROC_SUPER_MAGIC)
		goto out_close;
	server->resolve_cached = have_resolve_cached(server->procfd);
	if (executor != P9_EXEC_SYNC) {
		err = p9_ring_init(&server->ring, &server->workers);
		if (err)
			goto out_close;
	}
	*out = server;
	return 0;

out_close:
	close(server->procfd);
out_free:
	p9_lockwait_stop(&server->lockwait);
	p9_workers_stop(&server->workers);
	p9_filesystems_exit(&server->filesystems);
	pthread_mutex_destroy(&server->shares_lock);
	free(server);
	return err;
}

void p9_server_callers(struct p9_server *server, unsigned int n)
{
	server->callers = n;
}

int p9_server_start(struct p9_server *server)
{
	int err = p9_lockwait_start(&server->lockwait);

	if (!err && server->executor != P9_EXEC_SYNC)
		err = p9_workers_start(&server->workers);
	return err;
}

void p9_server_free(struct p9_server *server)
{
	if (!server)
		return;
	p9_lockwait_stop(&server->lockwait);
	p9_workers_stop(&server->workers);
	if (server->executor != P9_EXEC_SYNC)
		p9_ring_exit(&server->ring);
	p9_filesystems_exit(&server->filesystems);
	close(server->procfd);
	pthread_mutex_destroy(&server->shares_lock);
	free(server);
}

void p9_server_on_say(struct p9_server *server, void (*say)(void *arg, const char *sentence),
		      void *arg)
{
	server->say = say;
	server->say_arg = arg;
}

void p9_server_on_refusal(struct p9_server *server,
			  void (*fn)(void *arg, const struct p9_refusal *refusal), void *arg)
{
	server->refused = fn;
	server->refused_arg = arg;
}

bool p9_server_has_ring(const struct p9_server *server)
{
	return server->executor != P9_EXEC_SYNC;
}

int p9_server_wait(struct p9_server *server, int fd)
{
	int ready = p9_ring_wait(&server->ring, fd);

	p9_wear_own();
	return ready;
}

void p9_server_run(struct p9_server *server)
{
	if (!p9_server_has_ring(server))
		return;
	p9_ring_run(&server->ring);
	p9_wear_own();
}
