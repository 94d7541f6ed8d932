// SPDX-License-Identifier: MIT
#include "vmm/gdb_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

static int parse_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n > UINT16_MAX)
		return -EINVAL;
	*port = htons((uint16_t)n);
	return 0;
}

/* Numbers only: whether a name is this machine's own is not found out here. */
static int parse_host(char *host, uint16_t port, union address *to)
{
	size_t len = strlen(host);

	if (!strcmp(host, "localhost"))
		host = (char *)"127.0.0.1";
	if (len && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		to->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
		return inet_pton(AF_INET6, host + 1, &to->in6.sin6_addr) == 1 ? 0 : -EINVAL;
	}
	to->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
	return inet_pton(AF_INET, host, &to->in.sin_addr) == 1 ? 0 : -EINVAL;
}

static int parse_tcp(const char *where, union address *to, struct why *why)
{
	char host[64] = "127.0.0.1";
	const char *colon = strrchr(where, ':');
	uint16_t port;

	if (colon)
		snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	if (strlen(where) > sizeof(host) || parse_port(colon ? colon + 1 : where, &port) || parse_host(host, port, to))
		return why_fail(why, -EINVAL,
				"--gdb: '%s' is no place to listen at: give PORT, HOST:PORT with the host's "
				"number, or the path of a socket with a / in it",
				where);
	return 0;
}

/* A socket at the path that nobody listens at goes away; anything else is in the way. */
static int make_way(const struct sockaddr_un *addr, struct why *why)
{
	struct stat st;
	int fd, err;

	if (lstat(addr->sun_path, &st))
		return 0; /* bind() will tell what is wrong */
	if (!S_ISSOCK(st.st_mode))
		return why_fail(why, -EEXIST, "--gdb: %s is there, and is no socket: give another path",
				addr->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (err == ECONNREFUSED && unlink(addr->sun_path) == 0)
		return 0;
	return why_fail(why, -EADDRINUSE, "--gdb: something listens at %s: end it, or give another path",
			addr->sun_path);
}

static int open_unix(struct gdb_listen *l, const char *path, struct why *why)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t umask_was;
	int err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return why_fail(why, -ENAMETOOLONG,
				"--gdb: %s is too long, a socket's path has at most %zu bytes: give a "
				"shorter one",
				path, sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	err = make_way(&addr, why);
	if (err)
		return err;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	umask_was = umask(0177);
	err = l->fd < 0 || bind(l->fd, (const struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	umask(umask_was);
	if (err)
		return why_fail(why, err, "--gdb: %s cannot be made: %s: check its folder", path,
				strerror(-err));
	snprintf(l->address, sizeof(l->address), "%s", path);
	if (lstat(path, &l->socket_is))
		l->socket_is.st_ino = 0;
	return 0;
}

static int open_tcp(struct gdb_listen *l, const char *where, struct why *why)
{
	union address to = { 0 };
	socklen_t len = sizeof(to);
	char host[INET6_ADDRSTRLEN];
	const int one = 1;
	int err = parse_tcp(where, &to, why);

	if (err)
		return err;
	l->fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd >= 0)
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l->fd < 0 || bind(l->fd, &to.any, sizeof(to)) || getsockname(l->fd, &to.any, &len))
		return why_fail(why, -errno, "--gdb: nobody can listen at %s: %s: give another port",
				where, strerror(errno));
	if (to.any.sa_family == AF_INET6)
		snprintf(l->address, sizeof(l->address), "[%s]:%u",
			 inet_ntop(AF_INET6, &to.in6.sin6_addr, host, sizeof(host)),
			 ntohs(to.in6.sin6_port));
	else
		snprintf(l->address, sizeof(l->address), "%s:%u",
			 inet_ntop(AF_INET, &to.in.sin_addr, host, sizeof(host)), ntohs(to.in.sin_port));
	return 0;
}

int gdb_listen_open(struct gdb_listen *l, const char *where, struct why *why)
{
	int err;

	memset(l, 0, sizeof(*l));
	l->fd = -1;
	err = strchr(where, '/') ? open_unix(l, where, why) : open_tcp(l, where, why);
	if (!err && listen(l->fd, 1))
		err = why_fail(why, -errno, "--gdb: nobody can listen at %s: %s: give another port",
			       where, strerror(errno));
	if (err)
		gdb_listen_close(l);
	return err;
}

void gdb_listen_close(struct gdb_listen *l)
{
	struct stat st;

	/* Not what somebody else may have put there since. */
	if (l->socket_is.st_ino && lstat(l->address, &st) == 0 && st.st_ino == l->socket_is.st_ino &&
	    st.st_dev == l->socket_is.st_dev)
		unlink(l->address);
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}
