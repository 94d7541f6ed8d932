#!/bin/sh
# SPDX-License-Identifier: MIT
# The counting of instructions (docs/breakdown.md), of programs whose count is known: in the emulated
# host itself, and in a guest. Everything is built.
. "${0%/*}/tap"
N=200

# of CALL IO KIND PLACE NAME: "TIMES INSTRUCTIONS" of one call, all rows that fit added up; a place or a
# name may be empty for any.
of() {
	sed 's/"[^"]*"//' "$T/breakdown.csv" | awk -F, -v call="$1" -v io="$2" -v kind="$3" \
		-v place="$4" -v name="$5" '
		$1 == call && $2 == io && $3 == kind && (place == "" || $4 == place) &&
			(name == "" || $6 == name) { times += $7; insns += $8 }
		END { printf "%.2f %.2f\n", times, insns }'
}

how_often() {
	set -- "$(of "$@")"
	echo "${1% *}"
}

how_many() {
	set -- "$(of "$@")"
	echo "${1#* }"
}

between() {
	awk -v low="$1" -v value="$2" -v high="$3" 'BEGIN { exit !(low <= value && value <= high) }' || {
		echo "# got $2, wanted $1 to $3"
		return 1
	}
}

# As much as the clock went on.
agrees() {
	clock=$(how_many "$1" "$2" clock '' '')
	between "$(awk "BEGIN { print $clock * 0.99 }")" "$(how_many "$1" "$2" all '' '')" \
		"$(awk "BEGIN { print $clock * 1.01 }")"
}

status=0
"$top/tests/bench/breakdown/run" --out "$T" --io 'auto none' -n $N spin getppid stat \
	>"$T/out" 2>"$T/err" </dev/null || status=$?
check "it counts" is "$status" 0
for io in auto none; do
	for call in spin getppid stat; do
		check "$call, io=$io: as many instructions as the clock says" agrees $call $io
	done
done

# The loop is 1000 times two instructions, and three or four around it.
check "a loop in the host" between 2001 "$(how_many spin none function 'other programs' call_spin)" 2006
check "it is entered once" is "$(how_often spin none function 'other programs' call_spin)" 1.00
check "without a guest none is counted" is "$(how_many spin none function 'guest user' '') \
$(how_many spin none function 'guest kernel' '') $(how_many spin none function ninepin '')" "0.00 0.00 0.00"
check "a loop in a guest" between 2001 "$(how_many spin auto function 'guest user' call_spin)" 2006
check "it is entered once" is "$(how_often spin auto function 'guest user' call_spin)" 1.00
check "it is nobody else's" is "$(how_often spin auto function '' call_spin)" 1.00

check "a system call in the host" is "$(how_often getppid none function 'host kernel' __do_sys_getppid)" 1.00
check "it is listed" is "$(how_often getppid none syscall 'host kernel' getppid)" 1.00
check "a system call in a guest" is "$(how_often getppid auto function 'guest kernel' __do_sys_getppid)" 1.00
check "it is the guest's alone" is "$(how_often getppid auto function 'host kernel' __do_sys_getppid)" 0.00
check "ninepin has nothing to do with it" is "$(how_many getppid auto function ninepin '')" 0.00

# A stat of the guest's is one message, for which ninepin makes a stat of its own.
check "a stat in the host" is "$(how_often stat none function 'host kernel' vfs_statx)" 1.00
check "a stat in a guest" is "$(how_often stat auto function 'guest kernel' vfs_statx)" 1.00
check "the client's message" is "$(how_often stat auto function 'guest kernel' p9_client_rpc)" 1.00
check "the server's" is "$(how_often stat auto function ninepin p9_submit)" 1.00
check "the fstat it makes" is "$(how_often stat auto function 'host kernel' vfs_fstat)" 1.00
exits=$(how_often stat auto function KVM svm_vcpu_run)
check "the guest exits at least once for it" between 1 "$exits" 10
# The host begins right behind VMRUN, in the middle of a function of 78 instructions; 21 of them are
# behind it.
enter=$(how_many stat auto function KVM __svm_vcpu_run)
check "the host begins right behind VMRUN" \
	between 65 "$(awk "BEGIN { print $enter / $exits }")" 100
kick=$(sed -n 's/^stat,auto,exit,ninepin,"",\(vm_notify+[^,]*\),.*/\1/p' "$T/breakdown.csv")
check "one of the exits is the kick" is "$(how_often stat auto exit ninepin "$kick")" 1.00
check "it is ninepin's to serve" between 500 "$(how_many stat auto exit ninepin "$kick")" 20000

finish
