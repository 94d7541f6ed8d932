#!/bin/sh
# SPDX-License-Identifier: MIT
# A guest's kernel is replaced by another, which finds the devices as the first one left them: in use,
# and with requests in flight.
. "${0%/*}/lib"
trap 'fsfreeze --unfreeze /scratch 2>/dev/null; umount "$TMPFS"; rm -rf "$T" "$EXT4"' EXIT

modules=/lib/modules/$(uname -r)/kernel
mkdir -p "$T/root/bin" "$T/root/sys" "$T/root/dev" "$T/root/proc" "$T/root/a" "$T/root/b"
cp /bin/busybox "$T/root/bin/busybox"
for module in drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_mmio \
	fs/netfs/netfs fs/fscache/fscache net/9p/9pnet fs/9p/9p net/9p/9pnet_virtio; do
	[ ! -f "$modules/$module.ko" ] || cp "$modules/$module.ko" "$T/root"
done
# The second kernel's init. It works with both shares, and ends the guest.
cat >"$T/root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
for module in virtio_ring virtio virtio_mmio netfs fscache 9pnet 9p; do
	insmod /$module.ko
done
echo "second kernel: takes the devices" >/dev/kmsg
insmod /9pnet_virtio.ko
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=512000 A /a &&
	mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=512000 B /b &&
	wc -c </b/written >/a/result
poweroff -f
END
chmod +x "$T/root/init"
(cd "$T/root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$TMPFS/initrd"
cp "$TESTS/vmlinuz" "$TESTS/poke" "$TMPFS"

# The first kernel has a write in flight on a file system that is frozen, and goes without any shutdown but
# that of its devices. Nothing of the second one may run before that write is over.
: >"$EXT4/written"
: >"$T/console"
fsfreeze --freeze /scratch
timeout -s KILL 200 ninepin run -c 2 --root busybox --io ring --console-log "$T/console" \
	--share "$TMPFS:/a,tag=A" --share "$EXT4:/b,tag=B" -- sh -c '
		dd if=/dev/zero of=/b/written bs=100000 count=1 conv=notrunc 2>/dev/null &
		sleep 1
		echo boots
		exec /a/poke kexec /a/vmlinuz /a/initrd "console=ttyS0 panic=-1"' </dev/null >"$T/out" 2>"$T/err" &
pid=$!
tries=0
until grep -q boots "$T/out" || [ $tries = 100 ]; do
	sleep 1
	tries=$((tries + 1))
done
# Longer than it takes to load and to start.
sleep 10
check "the second kernel is to start" has "$T/out" boots
check "but does not while a request is in flight" not has "$T/console" 'Run /init'
fsfreeze --unfreeze /scratch
status=0
wait $pid || status=$?
check "then it does" has "$T/console" 'second kernel'
check "the guest ends by itself" is "$status" 122
check "the write was carried out, and both shares work" is "$(cat "$TMPFS/result")" 100000

finish
