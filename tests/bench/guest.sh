#!/bin/sh
# SPDX-License-Identifier: MIT
# What a guest that is measured does, whatever the VMM; the kernel passes the words of its command line
# on as our environment:
#   bench_tag   the 9P tag of the share     bench_do   a function of bench.sh, or "boot": nothing more
#   bench_mount the options of the mount
#
# What is measured goes to the file result in the share; its last line says that it is whole. With a file
# "hold" there, the guest stays up until that is gone, so that its VMM can be looked at.
export PATH=/bin:/usr/bin

# Nothing but the console can tell what is wrong before the share is mounted.
end() {
	[ $# = 0 ] || echo "bench: $*"
	# Without ACPI it would halt for ever; then a reboot is an end, too.
	[ ! -d /sys/firmware/acpi ] || /bin/busybox poweroff -f
	/bin/busybox reboot -f
}

/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt
/bin/busybox --install -s /bin
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
for module in /modules/*.ko; do
	/bin/busybox insmod "$module" || end "$module cannot be loaded"
done
/bin/busybox mount -t 9p -o "$bench_mount" "$bench_tag" /mnt ||
	end "the share $bench_tag cannot be mounted with $bench_mount"
[ "$bench_do" = boot ] || {
	/bin/busybox sh /bench.sh "$bench_do" /mnt >/tmp/result 2>/mnt/errors &&
		echo whole >>/tmp/result
	cat /tmp/result >/mnt/result
	: >/mnt/up
	while [ -e /mnt/hold ]; do /bin/busybox usleep 100000; done
}
cd /
/bin/busybox umount /mnt
end
