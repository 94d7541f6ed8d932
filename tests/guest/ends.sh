#!/bin/sh
# SPDX-License-Identifier: MIT
# The ends of a guest that are not its command's: none hangs, none is taken for the command's status.
. "${0%/*}/lib"

# check_end NAME STATUS REASON: also that the console's last lines are shown, at most 20.
check_end() {
	check "$1: status" is "$status" "$2"
	check "$1: --result says the same" grep -qE "^  \"status\": $2," "$T/result"
	check "$1: and why" has "$T/result" "\"reason\": \"$3\","
	check "$1: the result is whole" is "$(tail -n 1 "$T/result")" '}'
	check "$1: the console's last lines are shown" [ "$(wc -l <"$T/err")" -gt 1 ]
	check "$1: not more than 20 of them" [ "$(wc -l <"$T/err")" -le 25 ]
}

np --result "$T/result" -- sh -c 'echo c > /proc/sysrq-trigger'
check_end "a panic" 120 panic
check "a panic: its line is shown" has "$T/err" 'Kernel panic - not syncing: sysrq triggered crash'
check "a panic: the result has the text" has "$T/result" 'sysrq_handle_crash'
check "a panic: and the kernel's version" has "$T/result" "\"version\": \"Linux version $(uname -r) "
check "a panic: and its command line" grep -q '"command_line": ".*console=ttyS0' "$T/result"

# Long enough for a guest to be up by then, however slow this machine is now: three times what that took, in
# seconds.
up=$(sed -n 's/^    "command": \([0-9]*\).*/\1/p' "$T/result")
up=$((${up:-10000} * 3 / 1000 + 5))

bb --result "$T/result" --append 8250.nr_uarts=0 -- sh -c 'echo c > /proc/sysrq-trigger'
check_end "a panic without a console" 120 panic
check "a panic without a console: the panic device told" has "$T/err" 'panic device'

# The kernel goes on, and so does the command.
np --result "$T/result" --timing -- sh -c "$TESTS/oops $TESTS/loop.ko; exit 5"
check "an oops, and the command goes on" is "$status" 5
check "an oops: the result has its kind" has "$T/result" '"kind": "oops"'
check "an oops: its first line" has "$T/result" '"line": "invalid opcode: 0000 [#1]'
check "an oops: and its last" has "$T/result" '---[ end trace'
check "an oops: the kernel is tainted by it" grep -qE '"letters": "[A-Z]*D[A-Z]*"' "$T/result"
check "--timing" grep -qE '^  the command runs +[0-9.]+ +[0-9.]+$' "$T/err"
check "--timing: processor time" grep -qE 'processor time in ms: [1-9][0-9]* in the guest, ' "$T/err"

np --result "$T/result" --fail-on=warn,oops -- sh -c "$TESTS/oops $TESTS/loop.ko; sleep 1000"
check_end "an oops with --fail-on" 120 report
check "an oops with --fail-on: the sentence" has "$T/err" 'reports trouble (oops) while the command ran: invalid opcode'
check "an oops with --fail-on: the whole of it" has "$T/result" '---[ end trace'

# The command is over before a word is said of it on the console, where a warning does not come.
np --result "$T/result" --fail-on=warn -- "$TESTS/oops" "$TESTS/loop.ko" warn
check_end "a warning with --fail-on" 120 report
check "a warning with --fail-on: the whole of it" has "$T/result" '---[ end trace'

# Whatever a program says: it does so for longer than a panicked kernel is given.
np --result "$T/result" --fail-on=all -- sh -c '
	echo "Kernel panic - not syncing: on stdout"
	echo "Kernel panic - not syncing: on the console" >/dev/console
	echo "<0>Kernel panic - not syncing: in the log" >/dev/kmsg
	echo "<0>BUG: in the log" >/dev/kmsg
	sleep 5
	exit 6'
check "a program that talks of a panic and a bug" is "$status" 6
check "a program that talks of them: it is seen" has "$T/result" 'not syncing: in the log'
check "a program that talks of them: but no report" has "$T/result" '"reports": []'

np -c 1 --result "$T/result" --console-log "$T/log" --timeout $up -- \
	"$TESTS/poke" first sh -c 'while :; do :; done'
check_end "a time-out of a guest that hangs" 124 timeout
check "a time-out: where its processors are" has "$T/log" 'NMI backtrace for cpu 0'
check "a time-out: and its waiting tasks" has "$T/log" 'Show Blocked State'
check "a time-out: in the result, too" grep -q '^    ".*NMI backtrace for cpu 0' "$T/result"

bb --result "$T/result" --boot-timeout $up --append 'rdinit=/bin/busybox -- sleep 1000' -- true
check_end "an init that never reports" 124 boot-timeout
check "an init that never reports: the kernel is asked" has "$T/result" 'Show Blocked State'

bb --result "$T/result" --append rdinit=/nothing -- true
check_end "an init that is missing" 120 panic
check "an init that is missing: when" has "$T/err" 'before its init ran'

np --result "$T/result" --kernel "$TESTS/fault" -- true
check "a triple fault: status" is "$status" 121
check "a triple fault: why" has "$T/result" '"reason": "triple-fault"'
np --result "$T/result" --kernel "$TESTS/fault" --append stray -- true
check "what KVM cannot go on with: status" is "$status" 123
check "what KVM cannot go on with: why" has "$T/result" '"reason": "vmm-failed"'
check "what KVM cannot go on with: the result is whole" is "$(tail -n 1 "$T/result")" '}'

head -c 3000000 "$TESTS/vmlinuz" >"$T/truncated"
np --result "$T/result" --kernel "$T/truncated" -- true
check "a truncated kernel: status" is "$status" 125
check "a truncated kernel: why" has "$T/result" '"reason": "not-started"'
check "a truncated kernel: the sentence" grep -q '"message": ".*truncated' "$T/result"

np --result "$T/result" -- poweroff -f
check_end "poweroff -f" 122 power-off
np --result "$T/result" -- reboot -f
check_end "reboot -f" 122 restart
# Seconds after: by the CPUs, which wait for nothing.
np -c 2 --result "$T/result" -- halt -f
check_end "halt -f" 122 power-off

# What is cut off itself leaves a file that nobody takes for a result.
echo "an earlier one" >"$T/result"
ninepin run --result "$T/result" -- true </dev/null >/dev/null 2>&1 &
pid=$!
tries=0
while [ -s "$T/result" ] && [ $tries -lt 150 ]; do
	sleep 1
	tries=$((tries + 1))
done
kill -KILL $pid
wait $pid 2>/dev/null
check "killed: the result is empty" is "$(cat "$T/result")" ''

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
