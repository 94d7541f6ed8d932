#!/bin/sh
# SPDX-License-Identifier: MIT
# With a terminal: size, resizing, job control, the keys that are ninepin's, and its restoring.
. "${0%/*}/lib"

# at_terminal STEP… -- ARGUMENTS of ninepin run; see pty.c.
at_terminal() {
	status=0
	timeout -s KILL 300 "$TESTS/pty" "$@" >"$T/out" 2>"$T/err" </dev/null || status=$?
}

TERM=xterm-test
export TERM
cr=$(printf '\r')
at_terminal "expect:#" "send:stty size; echo \$TERM=\$(tty | head -c 8)$cr" \
	"expect:30 100" "expect:xterm-test=/dev/" \
	"size:40x77" "send:stty size$cr" "expect:40 77" \
	"send:pwd; exit 5$cr" "expect:$EXT4" -- ninepin run --share "$EXT4"
check "a shell in the share, its size, TERM, resizing, exit; the terminal is restored" is "$status" 5

# The shell must have begun to run the line: while it edits one, Ctrl-C is a character like others.
at_terminal "expect:#" "send:echo sl\\eeping; sleep 1000$cr" "expect:sleeping" \
	"send:$(printf '\003')" "expect:#" \
	"send:sleep 1000 & jobs; kill %1; echo still-\$((40+2))$cr" "expect:still-42" \
	"send:exit 6$cr" -- ninepin run
check "Ctrl-C goes to the guest; there is job control" is "$status" 6

at_terminal "expect:up" "send:$(printf '\003')" -- ninepin run -- sh -c 'echo up; sleep 1000'
check "Ctrl-C ends the guest's command" is "$status" 130

at_terminal "expect:up" "send:$(printf '\001x')" -- ninepin run -- sh -c 'echo up; sleep 1000'
check "Ctrl-A x ends the guest" [ "$status" -gt 120 ]
check "Ctrl-A x: the terminal is restored" not has "$T/out" 'not restored'

at_terminal "expect:up" "send:$(printf '\001\001')" "send:y$cr" "expect:got 2" -- \
	ninepin run -- sh -c "echo up; read -r x; echo got \${#x}"
check "Ctrl-A Ctrl-A is Ctrl-A to the guest" is "$status" 0

at_terminal -- ninepin run --no-such-option
check "bad input leaves the terminal alone" is "$status" 125
check "bad input: says so" has "$T/out" --no-such-option

at_terminal "expect:panic" -- ninepin run -- sh -c 'echo c > /proc/sysrq-trigger'
check "a panic: the terminal is restored" is "$status" 120

at_terminal -- ninepin run --timeout 20 -- sleep 1000
check "a time-out: the terminal is restored" is "$status" 124

# Neither is a terminal when one of them is not.
at_terminal -- sh -c "ninepin run -- sh -c '[ -t 0 ] || [ -t 1 ] || echo no-tty' </dev/null"
check "without a terminal as stdin there is none in the guest" has "$T/out" no-tty

finish
