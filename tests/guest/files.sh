#!/bin/sh
# SPDX-License-Identifier: MIT
# Working in a share: on ext4 and on tmpfs, and with each way of waiting for the host.
. "${0%/*}/lib"

# Runs in the guest, standing in the share. Says "ok WHAT" or "not ok WHAT", once for each case.
cat >"$T/in-guest" <<'END'
t() {
	what=$1
	shift
	if "$@"; then echo "ok $what"; else echo "not ok $what"; fi
}
is() {
	[ "$1" = "$2" ] || { echo "# got '$1', wanted '$2'"; return 1; }
}
# fails WITH COMMAND…
fails() {
	with=$1
	shift
	said=$("$@" 2>&1) && return 1
	case $said in *"$with"*) ;; *) echo "# said: $said"; return 1 ;; esac
}

echo one > f && t "create" is "$(cat f)" one
echo two >> f && t "append" is "$(cat f)" "one
two"
echo three > f && t "overwrite" is "$(cat f)" three
t "create what exists, exclusively" fails EEXIST ./poke exclusive f
mv f g && t "rename" is "$(ls f g 2>/dev/null)" g
echo old > h && mv g h && t "rename over a file" is "$(cat h)" three
ln h l && t "link" is "$(stat -c %h,%i h)" "2,$(stat -c %i l)"
ln -s h s && t "symlink" is "$(readlink s) $(cat s)" "h three"
ln -s /no/such dangling && t "a dangling symlink" fails 'No such file' cat dangling
mkdir d && mkdir d/e && echo x > d/e/x && t "mkdir" is "$(cat d/e/x)" x
t "mkdir of what exists" fails 'exists' mkdir d
mv d D && t "rename a folder" is "$(cat D/e/x)" x
mv D/e/x D/y && t "rename across folders" is "$(cat D/y)" x
t "rmdir of a full folder" fails 'not empty' rmdir D
mkfifo p && t "mknod of a fifo" [ -p p ]
chmod 640 h && t "chmod" is "$(stat -c %a h)" 640
chmod 4711 h && t "chmod with set-user-id" is "$(stat -c %a h)" 4711
chown 12:34 l && t "chown" is "$(stat -c %u:%g h)" 12:34
truncate -s 2 h && t "truncate to less" is "$(cat h)" th
truncate -s 100000 h && t "truncate to more" is "$(tail -c 99998 h | tr -d '\0' | wc -c)" 0
touch -d '2001-02-03 04:05:06' h && t "set times" is "$(date -r h '+%Y-%m-%d %H:%M:%S')" '2001-02-03 04:05:06'
t "a missing name" fails 'No such file' cat missing
t "a file as a folder" fails 'Not a directory' cat h/x
long=$(printf %0255d 7)
echo long > "$long" && t "a name of 255 bytes" is "$(cat "$long")" long
t "a name of 256 bytes" fails 'too long' touch "${long}8"
odd=$(printf 'a b\nc\td\\e\303\244\377')
echo odd > "$odd" && t "a name of odd bytes" is "$(cat "$odd")" odd

# The host made these: a thousand creates take their time in the emulated host.
t "list 1000 names" is "$(ls many | sort -u | wc -l)" 1000
t "list 1000 names, each one as it was made" is "$(ls many | sort | md5sum)" "$(cat many.md5)"
rm many/*77 && t "delete 10 of them" is "$(ls many | wc -l)" 990

t "the host's big file, read" is "$(md5sum < big)" "$(cat big.md5)"
cp big big.copy && t "a big file, written and read back" cmp big big.copy
dd if=big of=big.copy bs=3333 count=7 seek=1111 conv=notrunc 2>/dev/null
dd if=big bs=3333 count=7 2>/dev/null > piece
t "write in the middle" is "$(dd if=big.copy bs=3333 skip=1111 count=7 2>/dev/null | md5sum)" "$(md5sum < piece)"
sync && ./poke dir-sync . && t "fsync" ./poke dir-sync many

printf 'hello world' > m && ./poke map-write m 6 WORLD
t "write through a shared mapping" is "$(cat m)" "hello WORLD"
t "read through a shared mapping" is "$(./poke map-read m 6 5)" WORLD
t "use a file after its unlink" is "$(./poke unlinked gone)" "First 5"
t "and it is gone" [ ! -e gone ]
t "statfs" [ "$(stat -f -c %b .)" -gt 0 ]
mkdir -p src/a/b/c tree && echo x > src/a/b/c/y && ln -s b/c/y src/a/z
mkdir src/few && for i in $(seq 40); do echo $i > src/few/$i; done
tar c src | tar x -C tree && t "a tree, copied by tar" diff -r src tree/src
rm -r tree && t "a tree, deleted" [ ! -e tree ]
rm p && t "delete a fifo" [ ! -e p ]

# Both sides at once: each waits for the other's word.
echo ping > from-guest
until [ "$(cat from-host 2>/dev/null)" = pong ]; do sleep 1; done
t "what the host makes meanwhile is seen" is "$(cat from-host)" pong
echo done > done-in-guest
END

share_test() {
	how=$1
	dir=$2/files
	mkdir "$dir"
	cp "$T/in-guest" "$TESTS/poke" "$dir"
	head -c 5000000 /dev/urandom >"$dir/big"
	md5sum <"$dir/big" >"$dir/big.md5"
	mkdir "$dir/many"
	for i in $(seq 1000); do echo "$dir/many/file-with-a-longer-name-$i"; done | xargs touch
	# busybox has no locale to sort by: both sides sort alike.
	ls "$dir/many" | sort | md5sum >"$dir/many.md5"
	(
		until [ -s "$dir/from-guest" ] || [ -e "$T/over" ]; do sleep 1; done
		echo pong >"$dir/from-host.new"
		mv "$dir/from-host.new" "$dir/from-host"
	) &
	rm -f "$T/over"
	np --io "$how" --share "$dir" -- sh ./in-guest
	: >"$T/over"
	wait

	cases "$3, $how"
	check "$3, $how: all of it ran" is "$status $(cat "$dir/done-in-guest" 2>&1)" "0 done"
	check "$3, $how: the host sees the big file" cmp -n 3000000 "$dir/big" "$dir/big.copy"
	check "$3, $how: the host sees the mapping's write" is "$(cat "$dir/m")" "hello WORLD"
	check "$3, $how: the host sees the link" is "$(stat -c %h "$dir/h")" 2
	check "$3, $how: the host sees the owner" is "$(stat -c %u:%g "$dir/h")" 12:34
	check "$3, $how: the host sees the names" is "$(find "$dir/many" -type f | wc -l)" 990
	rm -rf "$dir"
}

share_test auto "$EXT4" ext4
share_test auto "$TMPFS" tmpfs
share_test ring "$EXT4" ext4
share_test sync "$EXT4" ext4

# A link out of the share means a place in the guest, never one on the host.
mkdir "$EXT4/jail"
echo secret >"$T/secret"
ln -s "$T/secret" "$EXT4/jail/way-out"
bb --share "$EXT4/jail" -- cat way-out
check "a symlink does not lead out of the share" not has "$T/out" secret

finish
