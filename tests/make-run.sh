#!/bin/sh
# SPDX-License-Identifier: MIT
# `make run`, as somebody without a terminal types it, on this machine itself. Everything is built.
. "${0%/*}/tap"
mkdir "$T/share"

# The make we may be running under is no business of the one that is tested.
make_run() {
	status=0
	env -u MAKEFLAGS -u MAKELEVEL -u NINEPIN_NO_MAKE "$@" make --no-print-directory -C "$top" \
		"BUILD=$build" run "SHARE=$share" "CMD=$cmd" </dev/null >"$T/out" 2>&1 || status=$?
}

# Without any network, if we may take it away.
share=$T/share cmd=
if unshare -n true 2>/dev/null; then
	make_run unshare -n
elif unshare -rn true 2>/dev/null; then
	make_run unshare -rn
else
	echo "# this user may not take the network away: it is there"
	make_run
fi
check "the demonstration passes, without network" is "$status" 0
check "it says so" grep -q 'All of it worked' "$T/out"
check "it says how long the boot took" grep -q 'boot took [0-9]*\.[0-9]* s' "$T/out"
check "nothing is built again" sh -c "! grep -qE '^  (CC|LD) ' '$T/out'"
check "the share is as it was" is "$(ls -A "$share")" ''

cmd='echo "$((6 * 7)) $PWD" > answer'
make_run
check "CMD runs" is "$status" 0
check "CMD reaches the guest's shell as it was typed" is "$(cat "$share/answer")" "42 $share"

cmd='exit 3'
make_run
check "CMD's failure is make's" grep -q 'Error 3' "$T/out"

cmd=
for share in "$T/missing" "$T/share/answer"; do
	make_run
	check "a SHARE that is none: one sentence" is "$(grep -c "^ninepin: SHARE=$share " "$T/out")" 1
	check "a SHARE that is none: status" grep -q 'Error 125' "$T/out"
done

if grep -qwE 'vmx|svm' /proc/cpuinfo; then
	n=$((n + 1))
	echo "ok $n # SKIP this machine has hardware virtualisation"
else
	status=0
	"$build/ninepin" run -- true </dev/null >"$T/out" 2>&1 || status=$?
	check "ninepin run refuses where KVM is not hardware" is "$status $(wc -l <"$T/out")" "125 1"
fi

finish
