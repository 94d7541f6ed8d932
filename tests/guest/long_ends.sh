#!/bin/sh
# SPDX-License-Identifier: MIT
# The ends of a guest whose kernel was built for it and has no ACPI; ends.sh has those of a stock kernel.
. "${0%/*}/lib"

# Runs the kernel that was built; the command, if it is one for a shell, comes last.
own() {
	bb --result "$T/result" --console-log "$T/log" --kernel "$TESTS/own/vmlinux" "$@"
}

# ended NAME STATUS REASON: also that the result is whole.
ended() {
	check "$1: status" is "$status" "$2"
	check "$1: why" has "$T/result" "\"reason\": \"$3\","
	check "$1: the result is whole" is "$(tail -n 1 "$T/result")" '}'
}

# What goes wrong in the kernel when this is written to it (lkdtm).
provoke() {
	echo "mount -t debugfs d /sys/kernel/debug; echo $1 >/sys/kernel/debug/provoke-crash/DIRECT"
}

for firmware in dtb cmdline; do
	own --firmware $firmware -- sh -c 'echo c > /proc/sysrq-trigger'
	ended "$firmware: a panic" 120 panic
	check "$firmware: a panic: its line" has "$T/err" 'Kernel panic - not syncing: sysrq triggered crash'
done
up=$(sed -n 's/^    "command": \([0-9]*\).*/\1/p' "$T/result")
up=$((${up:-10000} * 3 / 1000 + 5))

own -- sh -c "$(provoke PANIC)"
ended "a panic that is provoked" 120 panic

own --append 8250.nr_uarts=0 --firmware dtb -- sh -c 'echo c > /proc/sysrq-trigger'
ended "a panic without a console" 120 panic
check "a panic without a console: the panic device told" has "$T/err" 'panic device'

own -- sh -c "($(provoke BUG)); exit 5"
check "an oops, and the command goes on" is "$status" 5
check "an oops: the result has it" has "$T/result" '"kind": "oops"'
check "an oops: the kernel is tainted by it" grep -qE '"letters": "[A-Z]*D[A-Z]*"' "$T/result"

own --fail-on=oops -- sh -c "($(provoke BUG)); sleep 1000"
ended "an oops with --fail-on" 120 report
own --fail-on=warn -- sh -c "$(provoke WARNING); sleep 1000"
ended "a warning with --fail-on" 120 report

own -c 1 --timeout $up -- sh -c "$(provoke HARDLOCKUP)"
ended "a processor that hangs with interrupts off" 124 timeout
own --root / -c 1 --timeout $up -- "$TESTS/poke" first sh -c 'while :; do :; done'
ended "a guest that hangs" 124 timeout
check "a guest that hangs: its waiting tasks" has "$T/log" 'Show Blocked State'

own --boot-timeout $up --append 'rdinit=/bin/busybox -- sleep 1000' -- true
ended "an init that never reports" 124 boot-timeout
own --append rdinit=/nothing -- true
ended "an init that is missing" 120 panic

own -- poweroff -f
ended "poweroff -f" 122 power-off
own -- reboot -f
ended "reboot -f" 122 restart

finish
