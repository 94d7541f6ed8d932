// SPDX-License-Identifier: MIT
#include "vmm/hide.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/people.h"

/* Passwords, keys and tokens of the system. */
static const char *const of_system[] = {
	"/etc/shadow*",
	"/etc/gshadow*",
	"/etc/security/opasswd*",
	"/var/backups/shadow*",
	"/var/backups/gshadow*",
	"/etc/ssh/ssh_host_*_key",
	"/etc/ssl/private",
	"/etc/pki/tls/private",
	"/etc/letsencrypt",
	"/etc/krb5.keytab",
	"/etc/wireguard",
	"/etc/openvpn",
	"/etc/ipsec.secrets",
	"/etc/ppp/*-secrets",
	"/etc/NetworkManager/system-connections",
	"/etc/netplan",
	"/etc/wpa_supplicant",
	"/etc/cryptsetup-keys.d",
	"/etc/credstore*",
	"/etc/apt/auth.conf*",
	"/etc/ldap.secret",
	"/etc/kubernetes",
	"/var/lib/kubelet",
	"/var/lib/docker",
	"/var/lib/containers",
	"/var/lib/NetworkManager",
	"/var/lib/bluetooth",
	"/var/lib/iwd",
	"/var/lib/sss",
	"/var/lib/systemd/credential.secret",
	"/var/mail",
	"/var/spool/cron",
	/* A guest has its own of these; this machine's tell of its processes, or belong to them. */
	"/dev/*",
	"/proc/*",
	"/run/*",
	"/sys/*",
	"/tmp/*",
};

/* The same in a home. */
static const char *const of_home[] = {
	".ssh",
	".gnupg",
	".password-store",
	".local/share/keyrings",
	".netrc",
	".authinfo*",
	".git-credentials",
	".config/git/credentials",
	".config/gh",
	".config/glab-cli",
	".config/hub",
	".aws",
	".azure",
	".config/gcloud",
	".config/doctl",
	".config/rclone",
	".kube",
	".docker/config.json",
	".config/containers",
	".terraform.d",
	".vault-token",
	".npmrc",
	".pypirc",
	".cargo/credentials*",
	".gem/credentials",
	".m2/settings*",
	".gradle/gradle.properties",
	".pgpass",
	".my.cnf",
	".Xauthority",
	".ICEauthority",
	".mozilla",
	".thunderbird",
	".config/chromium",
	".config/google-chrome",
	".*_history",
};

static int no_memory(struct why *why)
{
	return why_fail(why, -ENOMEM, "there is no memory left for the list of what is hidden");
}

/* Takes path over, which may be NULL. */
static int add(struct hide_list *list, char *path, bool shown, struct why *why)
{
	struct p9_hidden *grown = NULL;

	if (path)
		grown = realloc(list->entry, (list->n + 1) * sizeof(*grown));
	if (!grown) {
		free(path);
		return no_memory(why);
	}
	list->entry = grown;
	grown[list->n++] = (struct p9_hidden){ .path = path, .shown = shown };
	return 0;
}

/* dir and name are joined by a slash. */
static int add_in(struct hide_list *list, const char *dir, const char *name, bool shown,
		  struct why *why)
{
	char *path;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		path = NULL;
	return add(list, path, shown, why);
}

int hide_add(struct hide_list *list, const char *path, struct why *why)
{
	return add(list, strdup(path), false, why);
}

int hide_check(const char *path, struct why *why)
{
	size_t len = strlen(path);
	const char *star = strchr(path, '*');

	if (*path != '/')
		return why_fail(why, -EINVAL,
				"--hide: '%s' is no path of the guest's root: give an absolute one, or "
				"none",
				path);
	if (len >= PATH_MAX)
		return why_fail(why, -EINVAL, "--hide: the path is longer than %d bytes", PATH_MAX - 1);
	if (strspn(path, "/.") == len || strstr(path, "/../") ||
	    (len > 3 && !strcmp(path + len - 3, "/..")))
		return why_fail(why, -EINVAL,
				"--hide: '%s': give the path of something in the root, without '..'",
				path);
	if (star && (strchr(star, '/') || strchr(star + 1, '*')))
		return why_fail(why, -EINVAL,
				"--hide: '%s': there can be one * only, and in the last name only", path);
	return 0;
}

/*
 * Other people's homes are hidden: all that is in /home, and in each folder on the way from there to a
 * home of yours, but for what leads to it.
 */
static int spare_home(struct hide_list *list, const char *homes, const char *home, struct why *why)
{
	char *real = realpath(home, NULL);
	size_t at = strlen(homes);
	int err = 0;

	if (!real || strncmp(real, homes, at) || real[at] != '/') {
		free(real);
		return 0;
	}
	while (!err && real[at]) {
		size_t end = at + 1 + strcspn(real + at + 1, "/");
		char more = real[end];

		real[at] = '\0';
		err = add_in(list, real, "*", false, why);
		real[at] = '/';
		real[end] = '\0';
		err = err ?: add(list, strdup(real), true, why);
		real[end] = more;
		at = end;
	}
	free(real);
	return err;
}

static int add_home(struct hide_list *list, const char *homes, const char *home, struct why *why)
{
	int err = spare_home(list, homes, home, why);

	for (size_t i = 0; !err && i < sizeof(of_home) / sizeof(of_home[0]); i++)
		err = add_in(list, home, of_home[i], false, why);
	return err;
}

/* $HOME may still be that of another, after su(1): one that you can write to is yours. */
static bool is_yours(const char *home)
{
	return home && home[0] == '/' && home[1] && strlen(home) < PATH_MAX / 2 &&
	       !faccessat(AT_FDCWD, home, R_OK | W_OK | X_OK, AT_EACCESS);
}

int hide_add_machine(struct hide_list *list, struct why *why)
{
	char *homes = realpath("/home", NULL);
	struct people people;
	const struct passwd *you;
	const char *home[2] = { NULL, getenv("HOME") };
	bool roots = geteuid() == 0;
	int err = 0;

	people_open(&people, "/");
	you = people_user(&people, NULL, geteuid());
	home[0] = you ? you->pw_dir : NULL;
	for (size_t i = 0; !err && i < sizeof(of_system) / sizeof(of_system[0]); i++)
		err = hide_add(list, of_system[i], why);
	if (!err)
		err = hide_add(list, "/home/*", why);
	for (size_t i = 0; !err && i < 2; i++) {
		if (!is_yours(home[i]))
			continue;
		roots |= !strcmp(home[i], "/root");
		err = add_home(list, homes ? homes : "/home", home[i], why);
	}
	if (!err && !roots)
		err = hide_add(list, "/root", why);
	people_close(&people);
	free(homes);
	return err;
}

void hide_free(struct hide_list *list)
{
	for (unsigned int i = 0; i < list->n; i++)
		free((char *)list->entry[i].path);
	free(list->entry);
}
