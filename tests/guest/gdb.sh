#!/bin/sh
# SPDX-License-Identifier: MIT
# Needs the machine's programs: gdb and readelf.
# A guest that gdb debugs, and the core of one that panicked. QEMU's emulation of SVM has no debug registers
# for guests (hbreak, watch): those are only asked for here, and that nothing breaks by it.
. "${0%/*}/lib"

# debug WORD…: gdb, not reading anybody's settings, with each word as a command.
debug() {
	for word; do
		shift
		set -- "$@" -ex "$word"
	done
	timeout -s KILL 100 gdb -nx -batch -ex 'set pagination off' -ex 'set confirm off' \
		-ex 'set architecture i386:x86-64' "$@" >"$T/gdb" 2>&1 </dev/null
}

# background OPTIONS…: np, that goes on meanwhile.
background() {
	: >"$T/out"
	: >"$T/err"
	"$TESTS/poke" signals ninepin run --root busybox "$@" </dev/null >"$T/out" 2>"$T/err" &
	pid=$!
}

# until_seen FILE WORDS
until_seen() {
	tries=0
	until has "$1" "$2" || [ $tries = 150 ]; do
		sleep 1
		tries=$((tries + 1))
	done
}

ended() {
	status=0
	wait $pid || status=$?
}

says() {
	has "$T/gdb" "$1" || {
		comment "$(tail -n 30 "$T/gdb")"
		return 1
	}
}

# ---- the core ----

echo old >"$T/core"
bb -m 256 -c 2 --core "$T/core" -- sh -c '
	grep " linux_banner$" /proc/kallsyms
	echo c >/proc/sysrq-trigger'
banner=0x$(cut -d ' ' -f 1 "$T/out")
check "a panic: status" is "$status" 120
check "a panic: the core is told of" has "$T/err" "$T/core has the guest's memory"
check "the core is its owner's only" is "$(stat -c %a "$T/core")" 600
check "the core has holes" [ $(($(stat -c '%b * 512' "$T/core"))) -lt "$(stat -c %s "$T/core")" ]
readelf -hln "$T/core" >"$T/elf" 2>&1
check "it is an ELF core" has "$T/elf" 'CORE (Core file)'
check "with the kernel's text" grep -q 'LOAD .*0xffffffff8' "$T/elf"
check "with the RAM where the kernel has it" grep -qE 'LOAD .* 0xffff8[0-9a-f]* 0x0000000000000000' "$T/elf"
check "registers of two processors" is "$(grep -c NT_PRSTATUS "$T/elf")" 2
check "and in QEMU's form" is "$(grep -c QEMU "$T/elf")" 2
check "the kernel's own note" has "$T/elf" VMCOREINFO
debug "core-file $T/core" 'info threads' "x/s $banner" "x/s $banner - 0xffffffff80000000 + 0xffff888000000000" \
	'info registers rip'
check "gdb reads the kernel's data" says "$banner:	\"Linux version"
check "and the same by the map of all memory" is "$(grep -c 'Linux version' "$T/gdb")" 2
check "gdb sees both processors" says '2    LWP 2'
check "and where one is" says 'rip            0xffffffff'

# ---- before the guest's first instruction ----

background --gdb "$T/gdb.sock,wait" --core "$T/core" --timeout 1
until_seen "$T/err" "target remote $T/gdb.sock"
# The time-out does not go on meanwhile.
sleep 3
debug "target remote $T/gdb.sock" 'stepi' 'info registers rip cr0' 'kill'
check "waiting: gdb steps" says 'rip            0x1'
check "waiting: and sees control registers" grep -qE '^cr0 +0x8?0*11 ' "$T/gdb"
ended
check "gdb ends the VM" is "$status" 137
check "and it is said" has "$T/err" 'ended by gdb'
readelf -hn "$T/core" >"$T/elf" 2>&1
check "an end so early has a core, too" has "$T/elf" NT_PRSTATUS
check "without what no kernel told" not has "$T/elf" VMCOREINFO
check "the socket is gone" [ ! -e "$T/gdb.sock" ]

# ---- a guest that runs ----

background -c 2 --gdb 0 --core "$T/core" --share "$EXT4:/s" -- sh -c '
	grep " __x64_sys_mkdir$" /proc/kallsyms
	echo up
	until [ -e /s/go ]; do sleep 0.2; done
	mkdir /tmp/x && mkdir /tmp/y && echo done'
until_seen "$T/out" up
place=$(sed -n 's/.*target remote //p' "$T/err")
mkdir_at=0x$(sed -n 's/ .*__x64_sys_mkdir$//p' "$T/out")
check "a port of its own choice, of this machine only" has "$T/err" 'remote 127.0.0.1:'
debug "target remote $place" 'info threads' "x/s $banner" "break *$mkdir_at" "shell : >$EXT4/go" \
	'continue' 'info registers rip rax' 'stepi' 'printf "then %p\n", $rip' "x/i $mkdir_at" \
	'set $was = $r15' 'set $r15 = 0x1234' 'info registers r15' 'set $r15 = $was' \
	"watch *(int *)$banner" 'delete' "hbreak *$mkdir_at" 'delete' 'stepi' 'shell kill -9 $PPID'
check "attached: two processors" says '2    Thread 2 (CPU 1'
check "attached: memory" says 'Linux version'
check "a breakpoint" says "hit Breakpoint 1, $(printf '0x%x' "$mkdir_at")"
check "registers there: mkdir's number" says 'rax            0x53'
check "a step" grep -qE "then 0x[0-9a-f]+" "$T/gdb"
check "a step goes on" not has "$T/gdb" "then $mkdir_at"
check "the breakpoint's byte is not seen" not says 'int3'
check "registers are set" says 'r15            0x1234'
ended
check "gdb is gone, and the guest goes on to its end" is "$(tail -n 1 "$T/out") $status" 'done 0'
check "no core of a command that ended" [ ! -e "$T/core" ]

# ---- refusals ----

bb --gdb nonsense -- true
check "no place to listen at" refused --gdb nonsense PORT
bb --core /no/such/folder/core -- true
check "no place for a core" refused --core /no/such/folder/core
bb --core "$T" -- true
check "a folder is no core" refused --core "$T"

finish
