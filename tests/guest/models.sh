#!/bin/sh
# SPDX-License-Identifier: MIT
# The ownership models, run by root and by an ordinary user: what a guest's users do to owners, groups,
# modes and ACLs (see owners), and what either side sees of it. What is to be expected is what the same
# users get on a local disk, where a model does not say otherwise.
. "${0%/*}/lib"

echo 'sharer:x:2000:2001::/:/bin/sh' >>/etc/passwd
echo 'sharer:x:2001:' >>/etc/group
# Two folders below /scratch are on one ext4.
mkdir "$EXT4/disk"
sh "$TESTS/owners" "$EXT4/disk" ACL >"$T/disk.said"
owner dump "$EXT4/disk" >"$T/disk.is"
check "the local disk refuses what it should" is "$(wc -l <"$T/disk.said")" 15
check "and has all that is made" is "$(wc -l <"$T/disk.is")" 89

# same WANT FILE: both are the same; the difference is shown.
same() {
	diff "$1" "$2" >"$T/diff" || {
		comment "$(head -n 30 "$T/diff")"
		return 1
	}
}

# A guest of root or of an ordinary user, in a folder of that one (else $owner's, and with a file of
# $foreign's): runs the script there, then looks at it from the inside, as files "said" and "is".
#   guest root|user ACL|NOACL OPTIONS
owner='' foreign=''
inside='sh /tests/owners . "$1" >/tmp/said; cat /tmp/said; echo --; owner dump .'
guest() {
	by=$1 acl=$2
	shift 2
	rm -rf "$EXT4/share"
	mkdir -m 755 "$EXT4/share"
	[ "$by" = root ] || chown 2000:2001 "$EXT4/share"
	[ -z "$owner" ] || chown "$owner" "$EXT4/share"
	[ -z "$foreign" ] || echo theirs >"$EXT4/share/foreign"
	[ -z "$foreign" ] || chown "$foreign" "$EXT4/share/foreign"
	posixacl=
	[ "$acl" = NOACL ] || posixacl=,posixacl
	start=np
	[ "$by" = root ] || start="np_as sharer:sharer"
	$start --root busybox --share "$EXT4/share$posixacl,cache=none,$*" \
		--share "$TESTS:/tests:ro" -- \
		env PATH="/tests:/usr/sbin:/usr/bin:/sbin:/bin" sh -c "$inside" sh "$acl"
	sed '/^--$/,$d' "$T/out" >"$T/said"
	sed '1,/^--$/d' "$T/out" >"$T/is"
}

# The guest's view is the disk's.
as_disk() {
	check "$1: the same is refused as on a disk" same "$T/disk.said" "$T/said"
	check "$1: the guest sees what is on a disk" same "$T/disk.is" "$T/is"
	check "$1: without a complaint of ninepin" is "$(cat "$T/err")" ''
}

# ---- as on a disk, by the host's own owners ----

for model in passthrough none; do
	guest root ACL "model=$model"
	as_disk "$model, by root"
	owner dump "$EXT4/share" >"$T/host"
	check "$model, by root: so does the host" same "$T/disk.is" "$T/host"
done

# ---- as on a disk, by attributes ----

for by in root user; do
	guest $by ACL model=mapped-xattr
	as_disk "mapped-xattr, by $by"
	owner dump -m "$EXT4/share" >"$T/host"
	check "mapped-xattr, by $by: the attributes say the same" same "$T/disk.is" "$T/host"
	ids=0:0
	[ "$by" = root ] || ids=2000:2001
	check "mapped-xattr, by $by: to the host, plain files and folders of who shares them" is \
		"$(find "$EXT4/share" -mindepth 1 -exec stat -c '%F %a %u:%g' {} + |
			sed 's/ empty//' | sort | uniq -c | sed 's/^ *[0-9]* //')" \
		"directory 700 $ids
regular file 600 $ids"
done

# ---- an ordinary user may neither give files away nor make devices ----

# mine GUEST_OWNER: the disk's files if all of them are one's own. Root is not the host's: the host takes
# set-id bits when it writes.
mine() {
	sed -E -e '/^[a-z0-9]+\.(null|block)/d' -e "s/ [0-9]+:[0-9]+ 0:0 / $1 0:0 /" \
		-e 's/^(setid.write-root -) 6777/\1 0777/' "$T/disk.is"
}

# Users 1000 and 1001 have made things that are not theirs, so they cannot go on with them.
not_theirs() {
	sed -E -e '/^(acl|setgid)\/d\/g/d' -e 's/^(1000.file -) 0600/\1 0644/' \
		-e 's/^(acl.mine -) 0640 ([0-9:]+ .*)( system.*)/\1 0644 \2/'
}

# What was said of owners, beyond the disk's.
chowns() {
	grep -E '^(chown|chgrp): .*permitted' "$T/said" | grep -v 1000.file | cut -d ' ' -f 2 |
		tr -d ':\n'
}

guest user ACL model=none
owner dump "$EXT4/share" >"$T/host"
mine 2000:2001 | not_theirs >"$T/want"
check "none, by a user: the guest sees all as that user's" same "$T/want" "$T/is"
check "none, by a user: so does the host" same "$T/want" "$T/host"
check "none, by a user: a chown succeeds, whatever" is "$(chowns)" ''
check "none, by a user: devices are refused" is "$(grep -c '^mknod: .*permitted' "$T/said")" 8

# The chown that would take the set-id bits is refused.
guest user ACL cache=none
owner dump "$EXT4/share" >"$T/host"
mine 0:0 | not_theirs | sed 's/^setid.chown - 0777/setid.chown - 6777/' >"$T/want"
check "idmap, by a user: the guest sees all as root's" same "$T/want" "$T/is"
mine 2000:2001 | not_theirs | sed 's/^setid.chown - 0777/setid.chown - 6777/' >"$T/want"
check "idmap, by a user: on the host it is that user's" same "$T/want" "$T/host"
given="given.filegiven.foldergiven.linkgiven.fifogiven.socket"
group="group.filegroup.foldergroup.fifogroup.socket"
setid="setid.chownsetid.write-ownsetid.write-othersetid.write-rootsetid.truncate"
check "idmap, by a user: a chown to others is refused" is "$(chowns)" \
	"$given${group}over.new${setid}setid.chownsetgidacl.mine"
check "idmap, by a user: devices are refused" is "$(grep -c '^mknod: .*permitted' "$T/said")" 8

# As with -u 1000, but that the guest's root is there to try things.
foreign=3000:3001
guest user NOACL uidmap=1000:2000:1,uidmap=0:2000:1,gidmap=1000:2001:1,gidmap=0:2001:1
owner dump "$EXT4/share" >"$T/host"
# made HOW_FOREIGN_IS OWNER
made() {
	mine "$2" | grep -v ^acl | sed 's/^setid.chown - 0777/setid.chown - 6777/' |
		awk -v line="foreign - 0644 $1 0:0 1 7 \"theirs\\\\012\"" '
			$1 > "foreign" && !done { print line; done = 1 } { print }'
}
made 65534:65534 1000:1000 >"$T/want"
check "idmap of two users: the guest sees all as the first one's, what is not in the map as nobody's" \
	same "$T/want" "$T/is"
made 3000:3001 2000:2001 >"$T/want"
check "idmap of two users: on the host it is who shares it" same "$T/want" "$T/host"
check "idmap of two users: a chown between these changes nothing, to others it is refused" is "$(chowns)" \
	"$given${group}setid.chownsetgid"

# ---- a range of ids ----

# As on a disk, in a container: the guest's root is root over these ids, but makes no devices.
owner=100000:100000 foreign=1000:1000
guest root NOACL uidmap=0:100000:65536,gidmap=0:100000:65536
owner dump -s 100000 "$EXT4/share" >"$T/host"
sed -E -e '/^[a-z0-9]+\.(null|block)/d' -e /^acl/d "$T/disk.is" >"$T/want"
grep -v ^foreign "$T/is" >"$T/got"
check "idmap of a range, by root: the guest sees what is on a disk" same "$T/want" "$T/got"
grep -v ^foreign "$T/host" >"$T/got"
check "idmap of a range, by root: the host has it as the range's" same "$T/want" "$T/got"
check "idmap of a range, by root: devices are refused" is "$(grep -c '^mknod: .*permitted' "$T/said")" 8
check "idmap of a range, by root: what the host's own users have is nobody's" \
	grep -q '^foreign - 0644 65534:65534' "$T/is"
check "idmap of a range, by root: the host's own users have no more than before" is \
	"$(find "$EXT4/share" -mindepth 1 -exec stat -c '%u %n' {} + |
		awk '$1 < 100000 { print $2 }' | sed 's,.*/,,')" foreign

finish
