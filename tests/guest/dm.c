// SPDX-License-Identifier: MIT
/*
 * dm create NAME SECTORS TARGET PARAMETERS   a device-mapper device of one target; prints its path
 * dm suspend NAME                            what it is asked from now on waits
 * dm resume NAME                             until now
 * dm remove NAME
 *
 * A file system on it is not frozen first, as dmsetup(8) does it: so it goes on, and hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static int control;

static struct {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char parameters[512];
} ask;

static void call(const char *what, unsigned long request, const char *name, unsigned int flags)
{
	ask.head.version[0] = DM_VERSION_MAJOR;
	ask.head.data_size = sizeof(ask);
	ask.head.data_start = sizeof(ask.head);
	ask.head.flags = flags;
	snprintf(ask.head.name, sizeof(ask.head.name), "%s", name);
	if (!ioctl(control, request, &ask))
		return;
	fprintf(stderr, "dm: %s %s: %s\n", what, name, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";

	control = open("/dev/mapper/control", O_RDWR);
	if (control < 0) {
		perror("dm: /dev/mapper/control");
		return 1;
	}
	if (!strcmp(what, "create") && argc == 6) {
		call(what, DM_DEV_CREATE, name, 0);
		printf("/dev/dm-%u\n", minor(ask.head.dev));
		memset(&ask, 0, sizeof(ask));
		ask.head.target_count = 1;
		ask.target.length = strtoull(argv[3], NULL, 10);
		snprintf(ask.target.target_type, sizeof(ask.target.target_type), "%s", argv[4]);
		snprintf(ask.parameters, sizeof(ask.parameters), "%s", argv[5]);
		call(what, DM_TABLE_LOAD, name, 0);
		memset(&ask, 0, sizeof(ask));
		call(what, DM_DEV_SUSPEND, name, 0);
	} else if (!strcmp(what, "suspend")) {
		call(what, DM_DEV_SUSPEND, name,
		     DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
	} else if (!strcmp(what, "resume")) {
		call(what, DM_DEV_SUSPEND, name, 0);
	} else if (!strcmp(what, "remove")) {
		call(what, DM_DEV_REMOVE, name, 0);
	} else {
		fprintf(stderr, "dm: create NAME SECTORS TARGET PARAMETERS, suspend, resume or "
				"remove NAME\n");
		return 1;
	}
	return 0;
}
