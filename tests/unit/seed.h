/* SPDX-License-Identifier: MIT */
/*
 * What a page of advice on 9P shares tells people to paste, letter by letter and in its order: the XML
 * for libvirt, the guest's mount commands, and the commands to look and to mend with.
 */
#ifndef TESTS_UNIT_SEED_H
#define TESTS_UNIT_SEED_H

#define SEED_MAPPED \
	"<filesystem type='mount' accessmode='mapped'>\n" \
	"<source dir='/path/on/host'/>\n" \
	"<target dir='mount_tag'/>\n" \
	"<readonly/> <!-- Remove this for write access -->\n" \
	"</filesystem>\n"

#define SEED_COMPLETE \
	"# Host side libvirt XML configuration\n" \
	"<devices>\n" \
	"<filesystem type='mount' accessmode='passthrough'>\n" \
	"<source dir='/shared/data'/>\n" \
	"<target dir='shared_data'/>\n" \
	"<address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/>\n" \
	"</filesystem>\n" \
	"</devices>\n"

#define SEED_MOUNT \
	"# Guest side mount command\n" \
	"mount -t 9p -o trans=virtio,version=9p2000.L,access=client,msize=524288 shared_data /mnt/data\n"

#define SEED_LS \
	"# Check host directory permissions\n" \
	"ls -ld /shared/data\n"

#define SEED_MOUNTS \
	"# Verify mount options in guest\n" \
	"mount | grep 9p\n"

#define SEED_ECHO \
	"# Test basic write functionality\n" \
	"echo \"test\" > /mnt/data/testfile\n"

#define SEED_MOUNT_LOOSE \
	"mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=1048576 shared_data /mnt/data\n"

#define SEED_READONLY \
	"<filesystem type='mount' accessmode='passthrough'>\n" \
	"<source dir='/host/path'/>\n" \
	"<target dir='/guest/mountpoint'/>\n" \
	"<readonly/> <!-- Remove this for write access -->\n" \
	"</filesystem>\n"

#define SEED_DRIVER \
	"<filesystem type='mount' accessmode='passthrough'>\n" \
	"<source dir='/host/path'/>\n" \
	"<target dir='/guest/mountpoint'/>\n" \
	"<driver type='path' wrpolicy='immediate'/>\n" \
	"</filesystem>\n"

#define SEED_CHMOD \
	"# chmod -R a+rwX /host/path\n"

#define SEED_CHCON \
	"# chcon -R -t virt_content_t /host/path # For SELinux systems\n"

#define SEED_SETFACL \
	"# setfacl -R -m u:qemu:rwx /host/path # For ACL-enabled systems\n"

#define SEED_MOUNT_ANY \
	"# mount -t 9p -o trans=virtio,access=any,version=9p2000.L /fs/data /mnt\n"

#define SEED_DMESG \
	"# dmesg | grep 9p\n" \
	"[ 123.456789] 9p: Violation: trying to access file/directory not owned by user\n"

#define SEED_MODEL \
	"- Add\n" \
	"security_model=none\n" \
	"to mount options (not recommended for production) - Verify UID/GID mapping between host and guest using virtfs remapping\n"

#define SEED_MOUNT_WRITEBACK \
	"# mount -t 9p -o trans=virtio,cache=loose,writeback /fs/data /mnt\n"

#define SEED_ALL \
	SEED_MAPPED SEED_COMPLETE SEED_MOUNT SEED_LS SEED_MOUNTS SEED_ECHO SEED_MOUNT_LOOSE \
	SEED_READONLY SEED_DRIVER SEED_CHMOD SEED_CHCON SEED_SETFACL SEED_MOUNT_ANY \
	SEED_DMESG SEED_MODEL SEED_MOUNT_WRITEBACK

#endif
