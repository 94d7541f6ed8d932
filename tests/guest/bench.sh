#!/bin/sh
# SPDX-License-Identifier: MIT
# `ninepin bench`: the device, with a guest that is only a driver, on a real KVM.
. "${0%/*}/lib"

bench() {
	status=0
	timeout -s KILL 300 ninepin bench "$@" <"$stdin" >"$T/out" 2>"$T/err" || status=$?
}

# rows CONDITION: the lines of $T/csv for which awk's CONDITION holds, counted. Fields: mode, op, qd, io,
# requests, min, p50, p90, p99, max, rate, messages, exits, kicks, interrupts.
rows() {
	awk -F, "NR > 1 && ($1)"' {
		n++
	}
	END {
		print n + 0
	}' "$T/csv"
}

# all COUNT WHICH CONDITION: so many rows are WHICH, and for all of them CONDITION holds.
all() {
	is "$(rows "$2")" "$1" && is "$(rows "($2) && !($3)")" 0 || {
		awk -F, "NR > 1 && ($2) && !($3)" "$T/csv" | head -n 5 | sed 's/^/# row: /'
		return 1
	}
}

left() {
	find /dev/shm /tmp "$EXT4" -name 'ninepin-bench.*' | wc -l
}

bench --requests 50 --qd 1,16 --csv "$T/csv"
check "it measures" is "$status" 0
check "nothing on stderr" is "$(cat "$T/err")" ''
check "a line for each, and two above" is "$(wc -l <"$T/out")" 74
check "says what an exit takes" has "$T/out" 'An exit to ninepin and back takes'
for op in getattr walk read4k write4k read128k write128k; do
	check "$op: both modes, all executors, both depths" all 12 "\$2 == \"$op\"" \
		"\$5 == 50 && \$6 > 0 && \$11 > 0"
done
check "quantiles are in order" all 72 1 '$6 <= $7 && $7 <= $8 && $8 <= $9 && $9 <= $10'
check "every message is counted" all 72 1 '$12 >= $5 + 5 * 2 * $3'
check "polling takes no interrupt" all 36 '$1 == "poll"' '$15 == 0'
check "polling, each exit is a kick" all 36 '$1 == "poll"' '$13 == $14'
check "polling one by one, each message is an exit" all 18 '$1 == "poll" && $3 == 1' '$13 == $12'
check "one by one, each message has its interrupt" all 18 '$1 == "irq" && $3 == 1' '$15 == $12'
# The kick; the interrupt's status is read and acknowledged without any.
check "and one exit" all 18 '$1 == "irq" && $3 == 1' '$13 >= $12 && $13 < 2 * $12'
check "interrupts come at any depth" all 36 '$1 == "irq"' '$15 > 0'
check "many in flight share kicks" all 24 '$3 == 16 && $4 != "ring"' '$14 * 8 < $12 && $14 > 0'
check "and interrupts" all 12 '$1 == "irq" && $3 == 16 && $4 != "ring"' '$15 * 8 < $12'
check "nothing is left behind" is "$(left)" 0

bench --requests 50 --qd 16 --io sync --kick each --share "$EXT4" --csv "$T/csv"
check "a folder of one's own" is "$status $(cat "$T/err")" '0 '
check "a kick for each message" all 12 1 '$14 == $12'
check "nothing is left behind there" is "$(left)" 0

bench --requests 30 --qd 64 --op read128k,write128k --csv "$T/csv"
check "sixty-four in flight" is "$status $(cat "$T/err")" '0 '
check "all of them" all 12 1 '$5 == 30 && $12 >= 5 * (64 * 2 + 6)'

# What the share holds is not what was written there.
ninepin bench --time 1h --op read4k --qd 1 --io auto --share "$EXT4" >"$T/out" 2>"$T/err" &
pid=$!
until [ "$(stat -c %s "$EXT4"/ninepin-bench.*/write 2>/dev/null)" = 8388608 ]; do sleep 1; done
for file in "$EXT4"/ninepin-bench.*/read; do
	dd if=/dev/zero of="$file" bs=4096 count=2048 conv=notrunc 2>/dev/null
done
status=0
wait $pid || status=$?
check "wrong data is an error" is "$status $(out)" '123 '
check "which says so" has "$T/err" 'what was read is not what the file holds'
check "in one sentence" is "$(wc -l <"$T/err")" 1

# What is written is not what the share then holds.
ninepin bench --requests 100000 --op write4k --qd 1 --io sync --share "$EXT4" >"$T/out" 2>"$T/err" &
pid=$!
until [ "$(stat -c %s "$EXT4"/ninepin-bench.*/write 2>/dev/null)" = 8388608 ]; do sleep 1; done
# By a descriptor: its name would be made again when it has just been removed.
exec 9<>"$(echo "$EXT4"/ninepin-bench.*/write)"
while kill -0 $pid 2>/dev/null; do
	dd if=/dev/zero of=/proc/self/fd/9 bs=4096 count=2048 conv=notrunc 2>/dev/null
done
exec 9>&-
status=0
wait $pid || status=$?
check "lost data is an error" is "$status $(out)" '123 '
check "which says so, too" has "$T/err" 'of the file is not what was written'

ninepin bench --time 1h --share "$EXT4" >"$T/out" 2>"$T/err" &
pid=$!
until [ "$(stat -c %s "$EXT4"/ninepin-bench.*/write 2>/dev/null)" = 8388608 ]; do sleep 1; done
kill -TERM $pid
status=0
wait $pid || status=$?
check "a signal ends it" is "$status $(out)" '143 '
check "and it cleans up" is "$(left)" 0

# Who may open /dev/kvm need not be root.
mkdir -m 777 "$T/user"
chmod 755 "$T"
chmod 600 /dev/kvm
poke as 1000 ninepin bench --requests 5 --op walk --share "$T/user" >"$T/out" 2>"$T/err"
status=$?
check "without a right to KVM" refused 'no permission on /dev/kvm'
chmod 666 /dev/kvm
poke as 1000 ninepin bench --requests 5 --op walk --share "$T/user" >"$T/out" 2>"$T/err"
status=$?
check "an ordinary user" is "$status $(cat "$T/err")" '0 '
chmod 600 /dev/kvm

finish
