#!/bin/sh
# SPDX-License-Identifier: MIT
# Without a terminal: three streams, 8-bit clean, with an end.
. "${0%/*}/lib"

np -- sh -c 'echo out; echo err >&2; echo out2 > /dev/stdout; echo err2 > /dev/stderr'
check "stdout is the command's alone" is "$(out)" "out
out2"
check "stderr is the command's alone" is "$(cat "$T/err")" "err
err2"

head -c 10000000 /dev/urandom >"$T/random"
stdin=$T/random
np -- cat
check "cat copies 10 MB: status" is "$status" 0
check "cat copies 10 MB unchanged" cmp "$T/random" "$T/out"

head -c 1000000 "$T/random" >"$T/less"
stdin=$T/less
np -- sh -c 'cat >&2'
check "stderr is 8-bit clean too" cmp "$T/less" "$T/err"

tar c -f "$T/tar" -C "$TESTS" .
stdin=$T/tar
np -- tar t
check "tar c | ninepin run -- tar t" is "$(sort "$T/out")" "$(tar t -f "$T/tar" | sort)"
stdin=/dev/null

np -- sh -c 'cat; echo end'
check "/dev/null as stdin is at its end" is "$(out)" end
status=0
timeout -s KILL 150 ninepin run -- sh -c 'cat; echo end' <&- >"$T/out" 2>"$T/err" || status=$?
check "a closed stdin is at its end" is "$(out)" end

# shellcheck disable=SC2216  # the point is that nobody reads it
yes | timeout -s KILL 150 ninepin run -- sh -c 'exit 3' >"$T/out" 2>"$T/err"
check "a command need not read its stdin" is "$?" 3

(echo one && sleep 1 && echo two) |
	timeout -s KILL 150 ninepin run -- sh -c 'read a; echo "$a"; read b; echo "$b"' >"$T/out" 2>"$T/err"
check "stdin may come in pieces" is "$(out)" "one
two"

timeout -s KILL 150 ninepin run -- sh -c 'yes; exit 0' 2>"$T/err" </dev/null | head -n 1 >"$T/out"
check "a reader of stdout may leave early" is "$(out)" y

np -- sh -c 'exec >&- 2>&-; exit 4'
check "a command may close its output" is "$status" 4

np -- sh -c 'sleep 1 & echo out'
check "a background process does not lose output" is "$(out)" out

finish
