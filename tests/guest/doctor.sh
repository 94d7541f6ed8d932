#!/bin/sh
# SPDX-License-Identifier: MIT
# `ninepin doctor`: each of its findings is provoked, and is true: what it says is refused does fail.
# Then the command that it proposes is run, and it works.
#
# Needs the machine's programs: packages "host" and "tests".
. "${0%/*}/lib"

ALICE=40001
echo "alice:x:$ALICE:$ALICE::/:/bin/sh" >>/etc/passwd
echo "alice:x:$ALICE:" >>/etc/group
echo "crew:x:40002:alice" >>/etc/group
chmod 755 "$T" "$EXT4" /scratch
chmod 666 /dev/kvm
for module in quota_tree quota_v2 loop; do
	insmod "$TESTS/$module.ko" || comment "$module is not loaded"
done

as_alice() {
	poke as $ALICE "$@"
}

# doctor ARGUMENTS…: what root is told.
doctor() {
	status=0
	ninepin doctor "$@" >"$T/out" 2>"$T/err" || status=$?
}

# What alice is told.
her_doctor() {
	status=0
	as_alice ninepin doctor "$@" >"$T/out" 2>"$T/err" || status=$?
}

# The last doctor found something, with these words in it (its lines are broken between words).
found() {
	is "$status" 1 || return 1
	tr -s ' \n' ' ' <"$T/out" >"$T/flat"
	for words; do
		has "$T/flat" "$words" || {
			comment "lacks: $words"
			return 1
		}
	done
}

# The command of the last doctor that begins like this.
mend() {
	sed -n 's/^ *\(mend\|or\): *\(sudo \)\{0,1\}//p' "$T/out" | grep -F -m 1 -e "$1"
}

fails() {
	with=$1
	shift
	said=$("$@" 2>&1) && return 1
	case $said in *"$with"*) ;; *) comment "said: $said" && return 1 ;; esac
}

makes() {
	"$@" touch "$D/made" && rm "$D/made"
}

# refused NAME ERROR MEND WORDS…: alice may not create in $D, which shows as ERROR; the doctor says so to
# her and to root, with these words, and the command that begins with MEND mends it.
refuses() {
	name=$1 error=$2 command=$3
	shift 3
	check "$name: it fails" fails "$error" makes as_alice
	doctor --share "$D" --as alice
	check "$name: root is told of her" found "$@"
	her_doctor --share "$D"
	check "$name: she is told" found "$@"
	command=$(mend "$command")
	check "$name: the mend works: $command" sh -c "$command"
	check "$name: then she can" makes as_alice
	her_doctor --share "$D"
	check "$name: and is told so" is "$status" 0
	check "$name: after having tried" has "$T/out" 'created and removed'
}

# ---- nothing refuses ----

D=$EXT4/fine
mkdir "$D"
doctor
check "ninepin has what it needs" is "$status" 0
for words in /dev/kvm io_uring "$(uname -r)"; do
	check "and says so of $words" has "$T/out" "$words"
done
doctor --share "$D"
check "a share of root's" is "$status" 0
check "nothing is left of what was tried" is "$(ls -A "$D")" ''

# ---- modes and ACLs ----

D=$EXT4/parent/d
mkdir -p "$D"
chmod 700 "$EXT4/parent"
chmod 777 "$D"
refuses "parent" 'Permission denied' 'setfacl -m u:alice:x' \
	"host mode: alice may not pass through $EXT4/parent: it is drwx------ root:root (EACCES)"

D=$EXT4/his
mkdir -m 755 "$D"
refuses "somebody else's folder" 'Permission denied' 'setfacl -R' \
	"host mode: alice may not create in $D: it is drwxr-xr-x root:root (EACCES)"
mkdir "$D/later"
check "somebody else's folder: so are those that are made later" as_alice touch "$D/later/made"

D=$EXT4/mask
mkdir -m 755 "$D"
setfacl -m u:alice:rwx,m::rx "$D"
refuses "mask" 'Permission denied' 'setfacl -m m::rwx' \
	"ACL: alice may not create in $D: its ACL gives rwx, but the ACL's mask only r-x (EACCES)"

D=$EXT4/entry
mkdir -m 777 "$D"
setfacl -m u:alice:rx "$D"
refuses "ACL entry" 'Permission denied' 'setfacl -R -m' \
	"ACL: alice may not create in $D: its ACL gives user alice only r-x (EACCES)"

D=$EXT4/group-entry
mkdir -m 755 "$D"
chgrp alice "$D"
setfacl -m u:0:rwx "$D"
refuses "ACL of her group" 'Permission denied' 'setfacl -m g::rwx' \
	"ACL: alice may not create in $D: its ACL gives its own group, alice, only r-x (EACCES)"

D=$EXT4/narrowed
mkdir -m 755 "$D"
setfacl -m u:nobody:rwx,m::rx "$D"
refuses "mask that narrows others" 'Permission denied' 'setfacl -R -m' \
	"may not create in $D: it is drwxr-xr-x" '# also widens what the mask leaves to others'
getfacl -pc "$D" >"$T/acl"
check "mask that narrows others: the remark is true" has "$T/acl" 'mask::rwx'

D=$EXT4/own
mkdir -m 555 "$D"
chown alice:alice "$D"
refuses "her own folder" 'Permission denied' 'chmod u+wx' \
	"host mode: alice may not create in $D: it is dr-xr-xr-x alice:alice, and its owner gets no more"

D=$EXT4/crew
mkdir -m 757 "$D"
chgrp crew "$D"
doctor --share "$D" --as alice
check "her group's folder" found "it is drwxr-xrwx root:crew, and its group gets no more" \
	"setfacl -R -m u:alice:rwX,d:u:alice:rwX $D" "chmod g+wx $D"

D="$EXT4/it's here"
mkdir -m 755 "$D"
refuses "odd name" 'Permission denied' 'setfacl -R' "may not create in $D"

D=$EXT4/file
mkdir -m 777 "$D"
echo x >"$D/f"
her_doctor --share "$D" "$D/f"
check "a file that is not hers" found "host mode: alice may not write $D/f: it is -rw-r--r-- root:root" \
	"setfacl -m u:alice:rw $D/f"
her_doctor --share "$D:/guest/place" /guest/place/f
check "by its path in the guest" found "alice may not write $D/f"
her_doctor --share "$D" f
check "from the folder on" found "alice may not write $D/f"
her_doctor "$D/f"
check "without a share" found "alice may not write $D/f"
her_doctor --share "$D" new
check "a file to be made" is "$status" 0
her_doctor --share "$D" no/such
check "in a folder that is not there" found "path: $D/no is not there (ENOENT)" "mkdir -p $D/no"
cd "$D" || exit
her_doctor --share "$EXT4/fine" f
cd /
check "a path of the working directory's" found "alice may not write $D/f"
her_doctor --share "$D:ro" f
check "a read-only share is read" is "$status" 0

D=$EXT4/missing/share
her_doctor --share "$D"
check "no share" found "path: $EXT4/missing is not there (ENOENT)" "mkdir -p $D"

# What she cannot look at, she is not told to be fine.
D=$EXT4/unseen/d
mkdir -p "$D"
chmod 777 "$D"
chmod 700 "$EXT4/unseen"
status=0
as_alice ninepin doctor --as root --share "$D" >"$T/out" 2>"$T/err" || status=$?
check "what cannot be seen" found "$D cannot be looked at by whoever asks" "ask again as root"

# ---- mounts, flags, room ----

D=$EXT4/ro
mkdir -m 777 "$D"
mount --bind "$D" "$D"
mount -o remount,bind,ro "$D"
doctor --share "$D"
check "read-only mount: root is told of itself" found "mount: $D is on $D (ext4), which is mounted read-only"
refuses "read-only mount" 'Read-only' 'mount -o remount,bind,rw' \
	"mount: $D is on $D (ext4), which is mounted read-only (EROFS)"
umount "$D"

D=$T/ro
mkdir "$D"
mount -t tmpfs -o ro,mode=777 tmpfs "$D"
refuses "read-only file system" 'Read-only' 'mount -o remount,rw' \
	"mount: $D is on $D (tmpfs), which is mounted read-only (EROFS)"
umount "$D"

D=$EXT4/immutable
mkdir -m 777 "$D"
chattr +i "$D"
doctor --share "$D"
check "immutable: root is told of itself" found "file flags: $D has the immutable flag"
refuses "immutable" 'Operation not permitted' 'chattr -i' \
	"file flags: $D has the immutable flag: nobody, not even root, may create" '(EPERM)'

D=$EXT4/append
mkdir -m 777 "$D"
echo x >"$D/f"
chmod 666 "$D/f"
chattr +a "$D/f"
check "append-only: it fails" fails 'Operation not permitted' as_alice sh -c "echo y >$D/f"
her_doctor --share "$D" f
check "append-only: she is told" found "file flags: $D/f has the append-only flag" '(EPERM)'
chattr -a "$D/f"

D=$T/full
mkdir "$D"
mount -t tmpfs -o size=64k,mode=777 tmpfs "$D"
cat /dev/zero >"$D/zeros" 2>/dev/null
check "no space: it fails" fails 'No space' as_alice dd if=/dev/zero of="$D/made" count=1
her_doctor --share "$D"
check "no space: she is told" found "space: the file system at $D is full" '(ENOSPC)' "du -xh -d 2 $D"
sh -c "$(mend 'mount -o remount,size=')"
her_doctor --share "$D"
check "no space: the mend works" is "$status" 0
umount "$D"

D=$T/inodes
mkdir "$D"
mount -t tmpfs -o nr_inodes=4,mode=777 tmpfs "$D"
touch "$D/1" "$D/2" "$D/3"
refuses "no inodes" 'No space' 'mount -o remount,nr_inodes=' \
	"space: the file system at $D has no inode left: it holds 4 files" '(ENOSPC)'
umount "$D"

D=$TMPFS/plain
mkdir "$D"
np --root busybox --share "$D,model=mapped" -- true
check "no user attributes: it fails" refused 'user.* attributes'
doctor --share "$D,model=mapped"
check "no user attributes: root is told" \
	found "file system: $D is on tmpfs, which has no user.* attributes" '(EOPNOTSUPP)'
doctor --share "$D"
check "no user attributes: no matter to other models" is "$status" 0

# ---- quotas ----

D=$T/quota
mkdir "$D"
truncate -s 8M "$EXT4/quota.img"
mke2fs -q -t ext4 -O quota -E quotatype=usrquota "$EXT4/quota.img"
mount -o loop,usrquota "$EXT4/quota.img" "$D"
chmod 777 "$D"
setquota -u alice 0 100 0 0 "$D"
as_alice sh -c "cat /dev/zero >$D/zeros" 2>/dev/null
check "quota of space: it fails" fails 'Disk quota exceeded' as_alice dd if=/dev/zero of="$D/made" count=1
her_doctor --share "$D"
check "quota of space: she is told" \
	found "quota: alice has used up the quota of space at $D: 100 of 100 KiB (EDQUOT)"
sh -c "$(mend 'setquota -u alice 0 200 0 0')"
her_doctor --share "$D"
check "quota of space: the mend works" is "$status" 0
doctor --share "$D"
check "quota of space: it is no matter to root" is "$status" 0

umount "$D"
mount -o loop "$EXT4/quota.img" "$D"
setquota -u alice 0 100 0 0 "$D"
her_doctor --share "$D"
check "quota that is not enforced" is "$status" 0
umount "$D"
mount -o loop,usrquota "$EXT4/quota.img" "$D"
rm "$D/made"
setquota -u alice 0 0 0 1 "$D"
refuses "quota of files" 'Disk quota exceeded' 'setquota -u alice 0 0 0 2' \
	"quota: alice has used up the quota of files at $D: 1 of 1 (EDQUOT)"
umount "$D"

# ---- the model; what no fact shows; ninepin itself ----

D=$EXT4/fine
chmod 777 "$D"
her_doctor --share "$D,security_model=passthrough"
check "passthrough without privilege" \
	found "model: security_model=passthrough gives files to any owner, which alice may not" '(EPERM)' \
	'security_model=mapped-xattr'
doctor --share "$D,security_model=passthrough"
check "passthrough with privilege" is "$status" 0

doctor --share /proc
check "what no fact shows" found 'unknown: creating a file in /proc fails' 'proc'

chmod 600 /dev/kvm
her_doctor
check "/dev/kvm without permission" found "KVM: alice may not open /dev/kvm" 'setfacl -m u:alice:rw /dev/kvm'
sh -c "$(mend 'setfacl')"
her_doctor
check "/dev/kvm: the mend works" is "$status" 0
chgrp crew /dev/kvm
setfacl -b /dev/kvm
chmod 660 /dev/kvm
her_doctor
check "/dev/kvm of a group" found "mend: sudo setfacl -m u:alice:rw /dev/kvm" \
	"or: sudo usermod -aG crew alice"
chgrp root /dev/kvm
her_doctor
check "/dev/kvm of root's group" found 'setfacl -m u:alice:rw /dev/kvm'
check "/dev/kvm of root's group: she is not put into it" not has "$T/out" usermod
mv /dev/kvm /dev/kvm.away
doctor
check "no /dev/kvm" found "/dev/kvm is not there (ENOENT)"
mv /dev/kvm.away /dev/kvm
chmod 666 /dev/kvm

status=0
poke no-uring ninepin doctor >"$T/out" 2>"$T/err" || status=$?
check "io_uring refused" has "$T/out" 'io_uring: it is refused here: ninepin reaches host files by system calls'
check "io_uring refused: ninepin works without" is "$status" 0

# ---- somebody else's QEMU ----

echo "libvirt-qemu:x:40064:40064::/:/bin/false" >>/etc/passwd
D=$EXT4/guest
mkdir -m 755 "$D"
cat >"$T/guest.xml" <<XML
<domain>
  <devices>
    <filesystem type='mount' accessmode='passthrough'>
      <source dir='$D'/>
      <target dir='/guest/mountpoint'/>
      <readonly/> <!-- Remove this for write access -->
    </filesystem>
  </devices>
</domain>
XML
doctor --libvirt "$T/guest.xml"
check "libvirt: QEMU's user is found" found \
	"line 3: accessmode='passthrough': QEMU as libvirt-qemu may not chown, so creates fail with EPERM" \
	"use accessmode='mapped'"
check "libvirt: read-only" found "line 6: <readonly/>"
check "libvirt: a tag" found "line 5: <target dir> '/guest/mountpoint' is a tag, not a place"
check "libvirt: the folder's mode" found "QEMU as libvirt-qemu may not create in $D"
doctor --libvirt "$T/guest.xml" --as alice
check "libvirt: as somebody else" found "QEMU as alice may not chown"
mkdir -p /etc/libvirt
echo 'user = "alice"' >/etc/libvirt/qemu.conf
doctor --libvirt "$T/guest.xml"
check "libvirt: as qemu.conf says" found "QEMU as alice may not chown"
sed -i "s/passthrough/mapped/; /readonly/d" "$T/guest.xml"
doctor --libvirt "$T/guest.xml"
sh -c "$(mend 'setfacl -R')"
doctor --libvirt "$T/guest.xml"
check "libvirt: mended" is "$status" 0
doctor --virtfs "local,path=$D,mount_tag=t,security_model=passthrough"
check "virtfs" found "security_model=passthrough: QEMU as alice may not chown" \
	'use security_model=mapped-xattr'

printf '\n' >"$T/empty.xml"
doctor --libvirt "$T/empty.xml"
check "libvirt: nothing in it" refused

# ---- for programs; bad input ----

D=$EXT4/his
setfacl -b "$D"
doctor --share "$D,cache=loose,writeback"
check "notes: each is there" is "$(grep -c 'note, share' "$T/out")" 2
D="$EXT4/two
lines"
mkdir -m 700 "$D"
doctor --share "$D" --as alice
command=$(mend 'setfacl -R')
check "a name of two lines: the mend works: $command" bash -c "$command"
check "a name of two lines: then she can" makes as_alice
D=$EXT4/his
doctor --json --share "$D" --as alice
check "--json: the status" is "$status" 1
for words in '"kind": "write"' '"layer": "host mode"' '"errno": "EACCES"' '"user": "alice"' '"model": "idmap"' \
	"\"command\": \"setfacl -R -m u:alice:rwX,d:u:alice:rwX $D\""; do
	check "--json: $words" has "$T/out" "$words"
done

for arguments in '--nonsense' '--as nobody-there' "--share $D,nonsense" '--libvirt /no/such' 'a b' '--virtfs'; do
	# shellcheck disable=SC2086  # words
	doctor $arguments
	check "bad input: $arguments" refused
done
ninepin doctor --help >"$T/out"
check "--help fits a terminal" [ "$(wc -l <"$T/out")" -le 24 ]

# ---- a running share ----

D=$EXT4/running
mkdir -m 777 "$D"
mkdir -m 755 "$D/his"
mkdir -m 777 "$D/frozen"
chattr +i "$D/frozen"
status=0
timeout -s KILL "$patience" poke as $ALICE ninepin run --root busybox --share "$D" -- sh -c '
	touch his/a; touch his/b; touch frozen/c; chown 77 .; touch fine' \
	<"$stdin" >"$T/out" 2>"$T/err" || status=$?
check "running: what is allowed works" [ -e "$D/fine" ]
check "running: a refusal is explained" has "$T/err" \
	"creating his/a in $D was refused to the guest (EACCES): alice may not create in $D/his: it is"
check "running: with the mend" has "$T/err" "setfacl -R -m u:alice:rwX,d:u:alice:rwX $D/his"
check "running: once" is "$(grep -c "$D/his: it is" "$T/err")" 1
check "running: another cause, too" has "$T/err" "$D/frozen has the immutable flag"
check "running: a chown" has "$T/err" "changing the owner of $D was refused to the guest (EPERM)"
chattr -i "$D/frozen"

# A server by itself, run by root: each user of a client is refused what the host refuses to that user.
M=$T/mnt
mkdir "$M"
# served SHARE COMMAND…: serves it, mounts it at $M, runs the command, ends the server.
served() {
	: >"$T/err"
	ninepin serve --socket "$T/socket" --share "$1" 2>"$T/err" &
	server=$!
	until has "$T/err" 'serving' || ! kill -0 $server; do sleep 1; done
	mount -t 9p -o trans=unix,version=9p2000.L,cache=none "$T/socket" "$M"
	shift
	"$@" >"$T/out" 2>&1
	umount "$M"
	kill -TERM $server
	wait $server
}

# The mode would do, and it is all that the client itself looks at.
mkdir -m 777 "$D/entry"
setfacl -m u:alice:rx "$D/entry"
served "$D" as_alice touch "$M/entry/a" "$M/entry/b"
check "serving: a user of the client's is refused" is "$(grep -c 'Permission denied' "$T/out")" 2
check "serving: it is explained" has "$T/err" \
	"creating entry/a in $D was refused to the guest (EACCES): alice may not create in $D/entry: its ACL"
check "serving: once" is "$(grep -c 'was refused' "$T/err")" 1
served "$D" touch "$M/entry/a"
check "serving: root of the client's is not" is "$(stat -c %u "$D/entry/a")" 0
check "serving: and nothing is explained" is "$(grep -c 'was refused' "$T/err")" 0

finish
