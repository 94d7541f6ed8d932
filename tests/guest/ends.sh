#!/bin/sh
# SPDX-License-Identifier: MIT
# The ends of a guest that are not its command's: none hangs, none is taken for the command's status.
. "${0%/*}/lib"

# check_end NAME STATUS: also that the console's last lines are shown, at most 20.
check_end() {
	check "$1: status" is "$status" "$2"
	check "$1: --result says the same" grep -qE "\"status\": *$2\\b" "$T/result"
	check "$1: the console's last lines are shown" [ "$(wc -l <"$T/err")" -gt 1 ]
	check "$1: not more than 20 of them" [ "$(wc -l <"$T/err")" -le 25 ]
}

np --result "$T/result" -- sh -c 'echo c > /proc/sysrq-trigger'
check_end "a panic" 120
check "a panic: its line is shown" has "$T/err" 'panic'

np --result "$T/result" --timeout 20 -- sleep 1000
check_end "a time-out" 124

np --result "$T/result" -- poweroff -f
check_end "poweroff -f" 122
np --result "$T/result" -- reboot -f
check_end "reboot -f" 122

np -- sh -c 'exit 120'
check "a command may end with 120 itself" is "$status" 120
check "and then no console is shown" is "$(cat "$T/err")" ''

for signal in TERM=143 INT=130 HUP=129; do
	: >"$T/out"
	# Started so that INT is not ignored, as it is for a shell's background job.
	"$TESTS/poke" signals ninepin run --result "$T/result" -- \
		sh -c 'echo up; sleep 1000' </dev/null >"$T/out" 2>"$T/err" &
	pid=$!
	tries=0
	until grep -q up "$T/out" || [ $tries = 150 ]; do
		sleep 1
		tries=$((tries + 1))
	done
	check "SIG${signal%=*}: the guest is up" is "$(out)" up
	kill -"${signal%=*}" $pid
	status=0
	wait $pid || status=$?
	check "SIG${signal%=*} to ninepin ends it with ${signal#*=}" is "$status" "${signal#*=}"
	check "SIG${signal%=*}: --result says the same" \
		grep -qE "\"status\": *${signal#*=}\\b" "$T/result"
done

finish
