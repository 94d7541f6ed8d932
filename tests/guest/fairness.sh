#!/bin/sh
# SPDX-License-Identifier: MIT
# While a disk does not answer at all, what needs it not goes on, on its own share and on others.
. "${0%/*}/lib"

insmod "$TESTS/loop.ko"
insmod "$TESTS/dm-mod.ko" || exit 1

# An ext4 on a device that can be suspended.
gunzip -c "$TESTS/ext4.gz" >"$T/disk"
loop=$(losetup -f)
losetup "$loop" "$T/disk"
disk=$(dm create disk $(($(stat -c %s "$T/disk") / 512)) linear "$loop 0")
slow=$T/slow
mkdir "$slow"

# For what cannot hang without its reason being a bug; far more than it takes.
WAIT=60

# heard NAME: the guest has said it.
heard() {
	waited=0
	until [ -e "$TMPFS/$1" ]; do
		sleep 1
		waited=$((waited + 1))
		[ $waited -lt $WAIT ] && kill -0 $guest 2>/dev/null || return 1
	done
}

say() {
	: >"$TMPFS/$1"
}

# fair IO CPUS [few]
fair() {
	rm -rf "${TMPFS:?}"/*
	mount -t ext4 "$disk" "$slow"
	rm -rf "$slow"/[a-z]*
	mkdir "$slow/wait" "$slow/own" "$slow/calm" "$slow/list"
	for i in $(seq 0 31); do dd if=/dev/zero of="$slow/wait/$i" bs=4096 count=4 2>/dev/null; done
	for i in $(seq 0 17); do mkdir "$slow/own/$i"; done
	for i in $(seq 0 7); do mkdir "$slow/list/$i" && : >"$slow/list/$i/file"; done
	dd if=/dev/zero of="$slow/calm/file" bs=4096 count=4 2>/dev/null
	sync
	bb --io "$1" -c "$2" --share "$slow:/slow,cache=none" --share "$TMPFS:/other,cache=none" \
		--share "$TESTS:/tests:ro" -- /tests/fair /slow /other ${3:+"$3"} &
	guest=$!
	heard opened
	sync
	echo 3 >/proc/sys/vm/drop_caches
	say warm
	heard warmed
	dm suspend disk
	say suspended
	went_on=yes
	heard went-on || went_on=no
	[ $went_on = yes ] || say gave-up
	dm resume disk
	say resumed
	wait $guest
	cases "io=$1, $2 CPU"
	check "io=$1, $2 CPU: nothing hung while the disk did" is $went_on yes
	umount "$slow"
}

fair auto 1
fair auto 2
fair ring 1 few

dm remove disk
losetup -d "$loop"
rmmod dm-mod loop
finish
