#!/bin/sh
# SPDX-License-Identifier: MIT
# What people expect of a folder, by Linux's own client in each cache mode, and of a mapped share: see fs/.
# The same cases run on the local ext4 too: what fails there is expected wrongly.
. "${0%/*}/lib"

groups="open names modes special host map xattrs locks"
modes="none mmap loose mapped"

# The guest asks the host for things through this one, whatever the mode it is in.
ctl=$EXT4/ctl
mkdir "$ctl" "$EXT4/disk"
cp "$TESTS/fs" "$ctl"
fs host "$ctl" </dev/null >"$T/host.out" 2>&1 &
trap 'kill $!; umount "$TMPFS"; rm -rf "$T" "$EXT4"' EXIT

options() {
	case $1 in
	mapped) echo cache=none,security_model=mapped-xattr ;;
	*) echo "cache=$1" ;;
	esac
}

shares="--share $ctl:$ctl,cache=none"
for mode in $modes; do
	mkdir "$EXT4/$mode"
	shares="$shares --share $EXT4/$mode:$EXT4/$mode,tag=$mode,$(options "$mode")"
done

status=0
# Words are split on purpose here and below.
# shellcheck disable=SC2086
fs run disk "$ctl" "$EXT4/disk" $groups acls >"$T/out" || status=$?
check "all cases ran on the local disk" is "$status $(tail -n 1 "$T/out")" "0 done"
cases "ext4 itself"

# ACLs need a mount option that people give by hand; a channel takes one mount at a time.
cat >"$ctl/in-guest" <<END
for mode in $modes; do
	./fs run \$mode $ctl $EXT4/\$mode $groups > $ctl/\$mode.out
	umount $EXT4/\$mode
	cache=\$mode
	[ \$mode != mapped ] || cache=none
	mount -t 9p -o trans=virtio,version=9p2000.L,access=client,posixacl,cache=\$cache \\
		\$mode $EXT4/\$mode
	./fs run \$mode $ctl $EXT4/\$mode acls > $ctl/\$mode.acl.out
	echo \$mode ran
done
END
patience=500
# shellcheck disable=SC2086
np --root busybox $shares -- sh ./in-guest
check "the guest ran all" is "$status $(out | tr '\n' ' ')" "0 none ran mmap ran loose ran mapped ran "
for mode in $modes; do
	for part in "$mode" "$mode.acl"; do
		cp "$ctl/$part.out" "$T/out"
		check "all cases ran: $part" is "$(tail -n 1 "$T/out")" "done"
		cases "$(options "$mode")"
	done
done
check "the host had no trouble" is "$(cat "$T/host.out")" ''

finish
