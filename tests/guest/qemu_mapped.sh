#!/bin/sh
# SPDX-License-Identifier: MIT
# A mapped-xattr share goes from QEMU to ninepin and back: guests of both do the same (see owners) in a
# folder each. What they leave on the host's disk is the same to the byte, and each guest sees in the
# other's folder what it sees in its own.
#
# Needs the machine's programs: packages "host".
. "${0%/*}/lib"

qemu=$EXT4/qemu ninepin=$EXT4/ninepin
mkdir "$qemu" "$ninepin" "$T/qemu"

# ---- QEMU's guest ----

modules=/usr/lib/modules/$(uname -r)
mkdir -p "$T/root/bin" "$T/root/modules"
cp /bin/busybox "$TESTS/poke" "$TESTS/owner" "$T/root/bin"
cp "$TESTS/owners" "$T/root"
# In the order to load them.
for name in virtio_mmio 9pnet_virtio 9p; do
	awk -F: -v file="/$name.ko" 'index($1, file) {
		for (n = split($2, needs, " "); n; n--) print needs[n]
		print $1 }' "$modules/modules.dep"
done | awk '!seen[$0]++ { print NR, $0 }' | while read -r n file; do
	cp "$modules/$file" "$T/root/modules/$(printf %03d "$n").ko"
done
cat >"$T/root/init" <<'END'
#!/bin/busybox sh
export PATH=/bin
mkdir -p /proc /sys /dev /tmp /out /qemu /ninepin
busybox mount -t proc proc /proc
busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
for module in /modules/*.ko; do insmod $module; done
options=trans=virtio,version=9p2000.L,msize=512000,cache=none,access=client
mount -t 9p -o $options out /out
mount -t 9p -o $options,posixacl qemu /qemu
mount -t 9p -o $options,posixacl ninepin /ninepin
sh /owners /qemu ACL >/tmp/said
cp /tmp/said /out/qemu.said
owner dump /qemu >/out/qemu.is 2>&1
owner dump /ninepin >/out/ninepin.is 2>&1
umount /qemu /ninepin /out
poweroff -f
END
chmod 755 "$T/root/init"
(cd "$T/root" && find . | busybox cpio -o -H newc) >"$T/initrd" 2>/dev/null
# As tests/bench/initrd.c: its last page is to be almost empty, for QEMU's ACPI tables may lie upon it.
truncate -s $((($(stat -c %s "$T/initrd") + 4095) / 4096 * 4096 + 4)) "$T/initrd"

# On the host, other modes than those that are the default of both.
mapped=security_model=mapped-xattr,fmode=0640,dmode=0750

# share TAG FOLDER OPTIONS
share() {
	echo "-fsdev local,id=$1,path=$2,$3 -device virtio-9p-device,fsdev=$1,mount_tag=$1"
}

in_qemu() {
	status=0
	# Words are split on purpose.
	# shellcheck disable=SC2046
	timeout -s KILL "$patience" qemu-system-x86_64 -M microvm,acpi=on,pit=off,pic=off,rtc=on \
		-accel kvm -cpu host -smp 1 -m 512 -nodefaults -no-user-config -display none \
		-serial stdio -no-reboot -global virtio-mmio.force-legacy=false \
		-kernel "$modules/vmlinuz" -initrd "$T/initrd" \
		-append "console=ttyS0 quiet panic=-1 reboot=acpi cryptomgr.notests" \
		$(share out "$T/qemu" security_model=passthrough) $(share qemu "$qemu" "$mapped") \
		$(share ninepin "$ninepin" "$mapped") \
		<"$stdin" >"$T/out" 2>"$T/err" || status=$?
}

in_ninepin() {
	np --root busybox --share "$1,$mapped,posixacl,cache=none" --share "$TESTS:/tests:ro" \
		-- env PATH="/tests:/usr/sbin:/usr/bin:/sbin:/bin" sh -c "$2"
}

# QEMU, asked to write to a mapped file as an ordinary user, leaves the set-id bits, which the host does
# not know of. That is not copied, and taken out before all else is compared.
without_setid() {
	sed -E -e 's/^(setid.write-(own|other) -) 6777/\1 0777/' \
		-e '/^setid.write-(own|other) /s/ user.virtfs.mode=ff8d0000/ user.virtfs.mode=ff810000/' "$1"
}

same() {
	without_setid "$2" | diff "$1" - >"$T/diff" || {
		comment "$(head -n 40 "$T/diff")"
		return 1
	}
}

in_ninepin "$ninepin" 'sh /tests/owners . ACL >/tmp/said; cat /tmp/said; echo --; owner dump .'
check "a guest of ninepin has worked" is "$status" 0
sed '/^--$/,$d' "$T/out" >"$T/said"
sed '1,/^--$/d' "$T/out" >"$T/is"
check "it has seen all that it made" is "$(wc -l <"$T/is") $(wc -l <"$T/said")" "89 15"

in_qemu
check "a guest of QEMU has worked" is "$status $(wc -l <"$T/qemu/qemu.is")" "0 89"
check "the same was refused in both" same "$T/said" "$T/qemu/qemu.said"
check "QEMU's guest sees in its folder what ninepin's sees in its own" same "$T/is" "$T/qemu/qemu.is"
check "QEMU's guest sees the same in ninepin's folder" same "$T/is" "$T/qemu/ninepin.is"

in_ninepin "$qemu" 'owner dump .'
check "ninepin's guest sees the same in QEMU's folder" same "$T/is" "$T/out"

owner raw "$qemu" >"$T/qemu.raw"
owner raw "$ninepin" >"$T/ninepin.raw"
check "the host's files have attributes" [ "$(grep -c user.virtfs.mode= "$T/qemu.raw")" = 89 ]
check "on the host's disk both are the same to the byte" same "$T/ninepin.raw" "$T/qemu.raw"

finish
