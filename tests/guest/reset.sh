#!/bin/sh
# SPDX-License-Identifier: MIT
# A device is reset and taken again: its driver comes and goes, and a guest that keeps no rule resets it.
. "${0%/*}/lib"

echo "as it was" >"$TMPFS/f"
cp "$TESTS/wild" "$TMPFS"
cp "/lib/modules/$(uname -r)/kernel/net/9p/9pnet_virtio.ko" "$TMPFS"
bb -c 2 --share "$TMPFS:/share" -- sh -c '
	drv=/sys/bus/virtio/drivers/9pnet_virtio
	mmio=/sys/bus/platform/drivers/virtio-mmio
	find_dev() { dev=$(cd $drv && echo virtio*); }
	share() { mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=512000 "$tag" /share; }
	# The share works, after what $1 says.
	works() {
		share || echo "mount failed after $1"
		read -r text </share/f
		echo "$1 $text"
		umount /share
	}
	find_dev
	platform=$(basename "$(dirname "$(readlink -f "$drv/$dev")")")
	base=$(sed -n "s/-.*$platform\$//p" /proc/iomem | head -n 1)
	tag=$(tr -d "\0" <"$drv/$dev/mount_tag")
	cp /share/wild /share/9pnet_virtio.ko /tmp
	cd /
	umount /share
	for i in 1 2 3; do
		echo "$dev" >"$drv/unbind"
		echo "$dev" >"$drv/bind"
		works driver
		echo "$platform" >"$mmio/unbind"
		echo "$platform" >"$mmio/bind"
		find_dev
		works device
		rmmod 9pnet_virtio
		insmod /tmp/9pnet_virtio.ko
		works module
	done
	echo "$platform" >"$mmio/unbind"
	/tmp/wild "$base" 3 "$1" && echo "did its worst"
	echo "$platform" >"$mmio/bind"
	find_dev
	works wild' sh 3000
check "the share works after its driver has let go" is "$(grep -c '^driver as it was$' "$T/out")" 3
check "after the device was removed" is "$(grep -c '^device as it was$' "$T/out")" 3
check "after its driver's module was reloaded" is "$(grep -c '^module as it was$' "$T/out")" 3
check "a guest without rules does what it can" has "$T/out" 'did its worst'
check "and has its share back" is "$status $(tail -n 1 "$T/out")" "0 wild as it was"
check "nothing else was amiss" is "$(wc -l <"$T/out") $(cat "$T/err")" "11 "

finish
