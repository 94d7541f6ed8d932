#!/bin/sh
# SPDX-License-Identifier: MIT
# What people have for libvirt and QEMU, pasted: --libvirt and --virtfs.
. "${0%/*}/lib"

mkdir -p /shared/data /host/path
mount -o bind "$EXT4" /shared/data
trap 'umount /shared/data "$TMPFS"; rm -rf "$T" "$EXT4"' EXIT
echo host >/shared/data/from-host

# A page's "complete working configuration", letter by letter.
cat >"$T/xml" <<'END'
# Host side libvirt XML configuration
<devices>
<filesystem type='mount' accessmode='passthrough'>
<source dir='/shared/data'/>
<target dir='shared_data'/>
<address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/>
</filesystem>
</devices>
END
cat >"$T/mount" <<'END'
# Guest side mount command
mount -t 9p -o trans=virtio,version=9p2000.L,access=client,msize=524288 shared_data /mnt/data
END
cat "$T/xml" "$T/mount" >"$T/page"

np --libvirt "$T/page" -- sh -c 'pwd; cat from-host; mkdir d && echo made >d/f && chown 12:34 d/f
	cat /proc/mounts; touch /mnt/data/testfile'
check "the whole: the command starts at the mount's place" is "$(head -n 2 "$T/out")" "/mnt/data
host"
check "the whole: the mount is as pasted, with the longest msize there is" \
	grep -q '^shared_data /mnt/data 9p .*access=client.*msize=512000' "$T/out"
check "the whole: files and folders can be created" is "$(cat /shared/data/d/f)" made
check "the whole: and have the owner that the guest gave" is "$(stat -c %u:%g /shared/data/d/f)" 12:34
check "the whole: also by the path that the page says" [ -f /shared/data/testfile ]
check "the whole: what it says is about lines of the file" is "$(cut -d ' ' -f 2,3 "$T/err")" \
	"$T/page:6:1: <address
$T/page:10:16: msize=524288:"

# The mount command, typed in the guest. A tag can be mounted once at a time.
bb --libvirt "$T/xml" -- sh -c "pwd; cd /; umount /mnt/shared_data; mkdir /mnt/data
	$(cat "$T/mount")
	echo \"test\" > /mnt/data/testfile; mount | grep 9p"
check "without a mount command the share is below /mnt, by its tag" is "$(head -n 1 "$T/out")" \
	/mnt/shared_data
check "the mount command works in the guest" has "$T/out" 'shared_data on /mnt/data type 9p'
check "and a file is created through it" is "$(cat /shared/data/testfile)" test
np --libvirt "$T/xml" -- sh -c 'cd /; umount /mnt/shared_data; mkdir -p /mnt/data; set -e
	mount -t 9p -o trans=virtio,version=9p2000.L,cache=loose,msize=1048576 shared_data /mnt/data
	echo more >/mnt/data/testfile; umount /mnt/data
	mount -t 9p -o trans=virtio,access=any,version=9p2000.L shared_data /mnt; cat /mnt/testfile; cd /
	umount /mnt; mount -t 9p -o trans=virtio,cache=loose,writeback shared_data /mnt; cat /mnt/testfile'
check "the other mount commands do, too" is "$(out)" "more
more"

# A target that looks like a place, and a driver that is the default.
cat >"$T/place" <<'END'
<filesystem type='mount' accessmode='passthrough'>
<source dir='/host/path'/>
<target dir='/guest/mountpoint'/>
<driver type='path' wrpolicy='immediate'/>
</filesystem>
END
bb --libvirt "$T/place" -- sh -c 'pwd; echo new >file; cd /; umount /guest/mountpoint; mkdir /mnt
	mount -t 9p -o trans=virtio,version=9p2000.L /guest/mountpoint /mnt && cat /mnt/file'
check "a target with a / is the place, and still a tag" is "$(out)" "/guest/mountpoint
new"
check "and the file is on the host" is "$(cat /host/path/file)" new

sed 's,<driver.*,<readonly/>,' "$T/place" >"$T/ro"
bb --libvirt "$T/ro" -- sh -c 'cat file; touch more'
check "<readonly/>: reading works" is "$(out)" new
check "<readonly/>: creating does not" has "$T/err" 'Read-only file system'

# Somebody who is not root cannot give files away: passthrough becomes idmap.
mode=$(stat -c %a /dev/kvm)
chmod 666 /dev/kvm
chown 1000:1000 /shared/data
chmod 777 "$T"
status=0
poke as 1000 ninepin run --root busybox --libvirt "$T/xml" -- sh -c 'echo me >mine; stat -c %u:%g mine' \
	</dev/null >"$T/out" 2>"$T/err" || status=$?
chmod "$mode" /dev/kvm
check "as a user: the guest's root is you" is "$status $(out)" "0 0:0"
check "as a user: the file is yours" is "$(stat -c %u:%g /shared/data/mine)" 1000:1000
check "as a user: and it is said" has "$T/err" 'idmap is used'

# QEMU's words.
bb --virtfs "local,path=/shared/data,mount_tag=one,security_model=mapped-xattr" \
	--virtfs "-fsdev local,id=fs0,path=/host/path,security_model=none,readonly=on
		-device virtio-9p-pci,fsdev=fs0,mount_tag=two" -- sh -c 'pwd; echo x >mapped; chown 5:6 mapped
		chmod 4711 mapped; stat -c "%a %u:%g" mapped; cat ../two/file; touch ../two/more'
check "--virtfs: mapped-xattr keeps owners and modes to the guest" is "$(out)" "/mnt/one
4711 5:6
new"
check "--virtfs: on the host the file is as QEMU makes it" is "$(stat -c '%a %u:%g' /shared/data/mapped)" \
	"600 0:0"
check "--virtfs: -fsdev and -device, read-only" has "$T/err" 'Read-only file system'

# What is no configuration.
printf 'text\n<filesystem>\n  <source dir="/host/path">\n</filesystem>\n' >"$T/bad"
np --libvirt "$T/bad" -- true
check "broken XML has a line and a column" refused "$T/bad:4:3" 'mismatched tag' '<source> of line 3'
np --libvirt "$T/none" -- true
check "a file that is not there" refused "$T/none" 'No such file'
np --libvirt "$T/mount" -- true
check "a file without a share" refused "$T/mount" 'no <filesystem>'
np --virtfs /host/path -- true
check "--virtfs with a path only" refused --virtfs "a shared folder is a 'local'"

finish
