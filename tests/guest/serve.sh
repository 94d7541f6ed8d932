#!/bin/sh
# SPDX-License-Identifier: MIT
# `ninepin serve`, and Linux's own 9P client on its socket, with no VM: trans=unix.
. "${0%/*}/lib"

M=$T/mnt
mkdir "$M"
server=

# served DIR OPTION…: serves it at $T/socket, and mounts it at $M.
served() {
	dir=$1
	shift
	: >"$T/err"
	ninepin serve --socket "$T/socket" --share "$dir" "$@" 2>"$T/err" &
	server=$!
	until has "$T/err" 'serving' || ! kill -0 $server; do sleep 1; done
	mount -t 9p -o trans=unix,version=9p2000.L,"$options" "$T/socket" "$M"
}

# Ends it; $status is the server's.
unserved() {
	umount "$M"
	kill -TERM "$server"
	status=0
	wait "$server" || status=$?
}

fails() {
	with=$1
	shift
	said=$("$@" 2>&1) && return 1
	case $said in *"$with"*) ;; *) comment "said: $said" && return 1 ;; esac
}

as_user() {
	poke as 1000 "$@"
}

work() {
	how=$1 where=$2
	mkdir -m 777 "$where/work"
	cd "$M/work" || return
	echo one >f && echo two >>f
	check "$how: create and append" is "$(cat "$where/work/f")" "one
two"
	mv f g && echo old >h && mv g h
	check "$how: rename, over a file too" is "$(ls) $(head -n 1 h)" "h one"
	ln h l && ln -s h s
	check "$how: links" is "$(stat -c %h l) $(readlink s) $(tail -n 1 s)" "2 h two"
	rm h
	check "$how: unlink" is "$(stat -c %h l) $(ls | tr '\n' ' ')" "1 l s "
	check "$how: what is not there" fails 'No such file' cat missing
	mkdir src && for i in 1 2 3; do
		mkdir src/$i && for k in $(seq 20); do echo "$k" >"src/$i/$k"; done
	done
	chmod 750 src/1 && chown 12:34 src/2 && touch -d '2001-02-03 04:05:06' src/3
	mkdir copy && tar c src | tar x -C copy
	check "$how: a tree, through tar" diff -r src copy/src
	check "$how: what the host sees of it" \
		is "$(cd "$where/work/copy" && stat -c '%a %u:%g' src/1 src/2)" "750 0:0
755 12:34"
	check "$how: times" is "$(stat -c %Y "$where/work/src/3")" "$(date -d '2001-02-03 04:05:06' +%s)"
	rm -r src copy
	check "$how: a tree, deleted" is "$(ls "$where/work" | tr '\n' ' ')" "l s "
	head -c 5000000 /dev/urandom >"$where/work/big"
	check "$how: a big file, read" is "$(md5sum <big)" "$(md5sum <"$where/work/big")"
	cp big big.copy
	check "$how: a big file, written" cmp "$where/work/big" "$where/work/big.copy"
	mkdir "$where/work/many"
	for i in $(seq 1000); do echo "$where/work/many/file-with-a-longer-name-$i"; done | xargs touch
	check "$how: list 1000 names" is "$(ls many | sort | md5sum)" "$(ls "$where/work/many" | sort | md5sum)"
	# Several at a time, on one connection.
	for i in 1 2 3 4; do
		(cat big >"par$i" && cmp big "par$i" || echo bad) >"$T/par$i" &
		parallel="${parallel-} $!"
	done
	# shellcheck disable=SC2086
	wait $parallel
	parallel=
	check "$how: four at a time" is "$(cat "$T"/par?)" ''
	as_user sh -c 'echo mine >user' 2>/dev/null
	check "$how: as another user" is "$(stat -c %u "$where/work/user" 2>&1)" 1000
	: >"$where/work/secret" && chmod 600 "$where/work/secret"
	check "$how: another user's rights" fails 'Permission denied' as_user cat secret
	cd /
	rm -r "$where/work"
}

# whole NAME DIR OPTION…
whole() {
	name=$1 dir=$2
	shift
	served "$@"
	work "$name" "$dir"
	unserved
	check "$name: the end" is "$status" 143
	check "$name: the socket is gone" [ ! -e "$T/socket" ]
}

options=cache=none
whole "ext4" "$EXT4"
whole "ext4, sync" "$EXT4" --io sync
options=cache=mmap,msize=1048576
whole "tmpfs, ring, large messages" "$TMPFS" --io ring

options=cache=none
echo old >"$EXT4/f"
served "$EXT4:ro"
check "read-only: read" is "$(cat "$M/f")" old
check "read-only: write" fails 'Read-only' touch "$M/new"
check "read-only: change" fails 'Read-only' chmod 600 "$M/f"
unserved

# The server goes away under a mount: errors, and the mount can be taken down.
served "$EXT4"
kill -TERM "$server"
wait "$server"
check "without its server, a mount has errors" not cat "$M/f" 2>/dev/null
check "and can be unmounted" umount "$M"

# Nobody but root can connect.
served "$EXT4"
check "the socket is its owner's alone" is "$(stat -c %a "$T/socket")" 600
unserved

finish
