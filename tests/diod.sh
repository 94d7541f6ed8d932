#!/bin/sh
# SPDX-License-Identifier: MIT
# `ninepin serve` with somebody else's client: the tools of diod. Everything of ours is built.
. "${0%/*}/tap"
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$T"' EXIT

# client TOOL WORD…: its stdout is kept, the errors too.
client() {
	tool=$1
	shift
	status=0
	"$diod/usr/sbin/$tool" -s "$T/socket" "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
}

sum() {
	md5sum <"$1" | cut -d ' ' -f 1
}

diod=$build/diod
if ! "$top/tests/get-diod" "$build" 2>"$T/err"; then
	echo "1..0 # SKIP diod's clients cannot be had: $(tail -n 1 "$T/err")"
	exit 4
fi
LD_LIBRARY_PATH=$(echo "$diod"/usr/lib/*-linux-gnu):$(echo "$diod"/lib/*-linux-gnu)
export LD_LIBRARY_PATH

mkdir "$T/share" "$T/share/ctl" "$T/share/many"
echo secret >"$T/secret"
echo hello >"$T/share/ctl/f"
head -c 3000000 /dev/urandom >"$T/share/big"
for i in $(seq 1000); do echo "$T/share/many/name-$i"; done | xargs touch
# What diodload copies from and to, one message again and again.
head -c 1000000 /dev/urandom >"$T/share/ctl/zero"
copied() {
	[ -s "$T/share/ctl/null" ] &&
		cmp -n "$(wc -c <"$T/share/ctl/null")" "$T/share/ctl/zero" "$T/share/ctl/null"
}

for how in auto ring sync; do
	: >"$T/share/ctl/null"
	# The last round's is not to be taken for this one's.
	: >"$T/log"
	"$build/ninepin" serve --socket "$T/socket" --share "$T/share" --io $how 2>"$T/log" &
	server=$!
	until grep -q '^ninepin: serving' "$T/log" || ! kill -0 $server; do sleep 0.1; done

	client diodcat -a / ctl/f
	check "$how: read a file" is "$status $(cat "$T/out")" "0 hello"
	client diodcat -a / big
	check "$how: read a big file" is "$status $(sum "$T/out")" "0 $(sum "$T/share/big")"
	client diodcat -a / -m 4096 big
	check "$how: read it in small messages" is "$(sum "$T/out")" "$(sum "$T/share/big")"
	client diodcat -a / ctl/f big ctl/f
	check "$how: read several" is "$(wc -c <"$T/out")" 3000012
	client diodcat -a ctl f
	check "$how: attach to a folder below" is "$status $(cat "$T/out")" "0 hello"
	client diodcat -a / missing
	check "$how: a file that is not there" is "$status $(grep -c 'No such file' "$T/err")" "1 1"
	client diodcat -a / ../secret
	check "$how: no way out" is "$status $(wc -c <"$T/out")" "1 0"
	client diodls -a many
	check "$how: list 1000 names" is "$(grep -c '^name-' "$T/out") $(sort -u "$T/out" | grep -c name)" \
		"1000 1000"
	client diodls -a / -l
	check "$how: a file's attributes" grep -q '^-r.* 3000000 .* big$' "$T/out"
	# Sixteen connections at a time.
	client diodload -r 1 -g
	check "$how: sixteen threads that ask for attributes" is "$status $(grep -c error "$T/err")" "0 0"
	client diodload -r 1
	check "$how: sixteen threads that read and write" is "$status $(grep -c error "$T/err")" "0 0"
	check "$how: what they wrote" copied

	kill $server
	status=0
	wait $server || status=$?
	server=
	check "$how: ended by the signal" is "$status" 143
	check "$how: the socket is gone" [ ! -e "$T/socket" ]
	check "$how: nothing to complain about" is "$(cat "$T/log")" "ninepin: serving $T/share on $T/socket
ninepin: ended by signal 15 (Terminated)"
done

finish
