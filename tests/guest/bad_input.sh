#!/bin/sh
# SPDX-License-Identifier: MIT
# Bad input: one sentence, status 125, nothing left behind.
. "${0%/*}/lib"

# shellcheck disable=SC2012  # names of temporary files, for comparing only
left() {
	ls -A /tmp /dev/shm /run /scratch "$T" 2>/dev/null | sort
}

# bad NAME WORDS… -- ARGUMENTS…: these arguments of `ninepin run` are refused, with these words.
bad() {
	name=$1
	shift
	words=
	while [ "$1" != -- ]; do
		words="$words $1"
		shift
	done
	shift
	np "$@"
	# shellcheck disable=SC2086  # words
	check "$name" refused $words
}

touch "$T/out" "$T/err"
echo x >"$T/file"
mkdir -p "$EXT4/a" "$TMPFS/a" "$T/empty"
before=$(left)

bad "unknown option" --nonsense -- --nonsense -- true
bad "option without its value" --mem -- --mem
bad "share that is missing" /no/such -- --share /no/such -- true
bad "share that is a file" "$T/file" -- --share "$T/file" -- true
bad "share with an unknown option" nonsense -- --share "$EXT4,nonsense" -- true
bad "share with an unknown cache" quick -- --share "$EXT4,cache=quick" -- true
bad "two shares with one name" a -- --root busybox --share "$EXT4/a" --share "$TMPFS/a" -- true
bad "two shares in one place" /x -- --share "$EXT4:/x" --share "$TMPFS:/x" -- true
bad "root that is missing" /no/such -- --root /no/such -- true
bad "no processors" --cpus -- -c 0 -- true
bad "too many processors" --cpus -- -c 17 -- true
bad "memory that is no size" --mem -- -m many -- true
bad "more memory than the host has" memory -- -m 900G -- true
bad "memory too small for the kernel" 8 -- -m 8 -- true
bad "time-out that is no time" --timeout -- --timeout soon -- true
bad "kernel that is missing" /no/such -- --kernel /no/such -- true
bad "kernel that is none" "$T/file" -- --kernel "$T/file" -- true
bad "modules that are missing" /no/such -- --modules /no/such -- true
bad "modules that lack what is needed" modules.dep -- --modules "$T/empty" -- true
bad "initrd that is missing" /no/such -- --initrd /no/such -- true
bad "result in a folder that is missing" /no/such -- --result /no/such/result -- true
bad "console log in a folder that is missing" /no/such -- --console-log /no/such/log -- true

check "nothing is left behind" is "$(left)" "$before"

head -c 3000000 "$TESTS/vmlinuz" >"$T/truncated"
bad "kernel that is truncated" "$T/truncated" truncated -- --kernel "$T/truncated" -- true

gzip -c "$TESTS/dm" | head -c 2000 >"$T/truncated.gz"
bad "packed kernel that is truncated" "$T/truncated.gz" damaged -- --kernel "$T/truncated.gz" -- true
gzip -c "$TESTS/dm" >"$T/program.gz"
bad "packed program that is no kernel" "$T/program.gz" -- --kernel "$T/program.gz" -- true

# What the kernel was built with lies beside it, and lacks something. Unpacking it, which may be told, is over then.
np --kernel "$TESTS/vmlinuz" -m 8 -- true
mkdir "$T/boot"
ln -s "$TESTS/vmlinuz" "$T/boot/vmlinuz"
for option in BLK_DEV_INITRD BINFMT_ELF DEVTMPFS PROC_FS SYSFS TMPFS UNIX98_PTYS SIGNALFD MULTIUSER ACPI \
	PRINTK SERIAL_8250_CONSOLE; do
	echo "CONFIG_$option=y"
done >"$T/boot/config-$(uname -r)"
bad "kernel that was built without virtio and 9P" CONFIG_VIRTIO_MMIO CONFIG_VIRTIO_CONSOLE CONFIG_9P_FS \
	CONFIG_NET_9P_VIRTIO ninepin.config "$T/boot/config-" -- \
	--kernel "$T/boot/vmlinuz" --root busybox --share "$EXT4" -- true
for option in VIRTIO_MMIO VIRTIO_CONSOLE 9P_FS NET_9P_VIRTIO; do
	echo "CONFIG_$option=y"
done >>"$T/boot/config-$(uname -r)"
bad "kernel that was built without an overlay" CONFIG_OVERLAY_FS --root -- \
	--kernel "$T/boot/vmlinuz" --root / -- true
rm -r "${T:?}/boot"

truncate -s 600M "$EXT4/initrd"
bad "initrd larger than the memory" initrd -- --initrd "$EXT4/initrd" -m 512 -- true
rm "$EXT4/initrd"

# As somebody else than root.
echo 'user:x:1000:1000::/:/bin/sh' >>/etc/passwd
echo 'user:x:1000:' >>/etc/group
for mode in 0:600 107:600 107:660; do
	chgrp "${mode%:*}" /dev/kvm
	chmod "${mode#*:}" /dev/kvm
	status=0
	start-stop-daemon -S -c user:user -x "$(command -v ninepin)" -- run -- true \
		</dev/null >"$T/out" 2>"$T/err" || status=$?
	case $mode in
	*:660) check "/dev/kvm without permission, but with a group" refused /dev/kvm usermod ;;
	*) check "/dev/kvm without permission, for its group ($mode)" refused /dev/kvm setfacl ;;
	esac
done
chgrp 0 /dev/kvm
chmod 600 /dev/kvm

mkdir -m 700 "$EXT4/private"
np_as user:user --share "$EXT4/private" -- true
check "share that is unreadable" refused "$EXT4/private"

cp "$TESTS/vmlinuz" "$EXT4/vmlinuz"
chmod 600 "$EXT4/vmlinuz"
np_as user:user --kernel "$EXT4/vmlinuz" -- true
check "kernel that only root can read" refused "$EXT4/vmlinuz"
rm "$EXT4/vmlinuz"

mkdir -m 777 "$EXT4/open"
np_as user:user --share "$EXT4/open" -- sh -c 'echo hi > f; exit 5'
check "an ordinary user can run a guest" is "$status" 5
check "and owns what it makes" is "$(stat -c %u:%g "$EXT4/open/f")" 1000:1000

np --share "$EXT4,cache=readahead" -- true
check "a cache that the guest's kernel may not know: it does, or the sentence says from when" \
	[ "$status" = 0 -o "$(grep -c 'Linux 6.4' "$T/err")" = 1 ]

mv /dev/kvm /dev/kvm.away
bad "no /dev/kvm" /dev/kvm -- -- true
mv /dev/kvm.away /dev/kvm

finish
