/* SPDX-License-Identifier: MIT */
/*
 * What the VMM tells the guest's init: a file of "key=value" records, each ended by a NUL byte, in
 * the initramfs. The order of records counts where a key may come again. Unknown keys are an error,
 * so that an old init never half-understands a new VMM.
 *
 *   module=PATH [PARAMETERS]
 *                         load it (a plain .ko in the initramfs); again for each, in order
 *   root.source=TAG       the root file system: what mount(2) takes. Without root.*, the root is the
 *   root.type=9p          initramfs itself
 *   root.options=OPTIONS
 *   root.overlay=1        the root is mounted read-only below a tmpfs overlay
 *   root.layer=PATH       with root.overlay: a folder of the initramfs that covers the root
 *   busybox=1             install the applets of /bin/busybox (in the initramfs root)
 *   mount.source=TAG      further mounts, after the root, in order; each starts with its source.
 *   mount.type=9p         The mount point is made if it is not there.
 *   mount.path=/mnt/src
 *   mount.options=OPTIONS (may be empty; "ro" and the like become flags)
 *   hostname=NAME
 *   cwd=PATH              where the command starts; / if not given
 *   home=PATH             a folder of the command's user, made if it is not there
 *   env=NAME=VALUE        again for each; nothing else is in the environment
 *   user=UID:GID[:GROUP…] whom the command runs as, with the groups it is also in; root if not given
 *   tty=ROWSxCOLUMNS      give the command a pseudo-terminal; without it, three pipes
 *   arg=WORD              the command; again for each word
 */
#ifndef IMAGES_CONFIG_H
#define IMAGES_CONFIG_H

/* The init takes at most so many. */
#define GUEST_MAX_MODULES 64
#define GUEST_MAX_MOUNTS  32
#define GUEST_MAX_WORDS	  4096 /* in the command, and in its environment */
#define GUEST_MAX_GROUPS  1024 /* that the command's user is in */

/* The longest set of orders. */
#define GUEST_CONFIG_MAX (4u << 20)

#define GUEST_DIR	  ".ninepin" /* in the initramfs */
#define GUEST_INIT_PATH	  GUEST_DIR "/init"
#define GUEST_CONFIG_PATH GUEST_DIR "/config"
#define GUEST_MODULES_DIR GUEST_DIR "/modules"

#endif
