#!/bin/sh
# SPDX-License-Identifier: MIT
# What `make bench` makes of numbers: tables, pictures, comparisons. Nothing is measured here.
. "${0%/*}/tap"
bench=$top/tests/bench

# tool NAME WORD…: its status is in $status.
tool() {
	name=$1
	shift
	status=0
	"$bench/$name" "$@" >"$T/out" 2>"$T/err" || status=$?
}

# lacks FILE TEXT
lacks() {
	! has "$@"
}

cat >"$T/whole.csv" <<END
tmpfs,host,stat,us,3.100,3.100,3.100,21
tmpfs,host,open+close,us,5.400,5.400,5.500,21
tmpfs,QEMU,stat,us,120.000,118.000,121.000,21
tmpfs,QEMU,open+close,us,400.000,400.000,400.000,21
tmpfs,other,stat,us,40.000,40.000,42.000,21
tmpfs,other,open+close,us,100.000,99.000,100.000,21
machine,QEMU,resident,MB,98.00,98.00,98.00,1
machine,other,resident,MB,2.00,2.00,2.00,1
END

tool report "$T/whole.csv"
check "a table" is "$status $(sed -n 3p "$T/out")" \
	"0 | stat, us | 3.10 | 120 ±2% | 40.0 ±5% (3.0×) |"
check "a table for each group" is "$(grep -c '^|---' "$T/out")" 2
check "nothing to complain about" is "$(cat "$T/err")" ''

# A row that a VMM did not give.
sed '/other,open/d' "$T/whole.csv" >"$T/missing.csv"
tool report "$T/missing.csv"
check "a missing row: the status" is "$status" 1
check "a missing row: in the table" has "$T/out" "| open+close, us | 5.40 ±2% | 400 | missing |"
check "a missing row: said" has "$T/err" "tmpfs, other: open+close is missing"

# A VMM that failed.
sed '/tmpfs,other/d' "$T/whole.csv" >"$T/failed.csv"
echo "tmpfs,other,,failed,,,," >>"$T/failed.csv"
tool report "$T/failed.csv"
check "a VMM that failed: the status" is "$status" 1
check "a VMM that failed: in the table" has "$T/out" "| stat, us | 3.10 | 120 ±2% | failed |"

# Nothing but failures.
echo "tmpfs,other,,failed,,,," >"$T/none.csv"
tool report "$T/none.csv"
check "nothing was measured" is "$status $(cat "$T/err")" "1 report: tmpfs: nothing was measured"
: >"$T/empty.csv"
tool report "$T/empty.csv"
check "an empty file" is "$status $(cat "$T/err")" "1 report: there are no rows"

# What is no number is not shown.
sed 's/^tmpfs,other,stat,us,40.000/tmpfs,other,stat,us,nan/' "$T/whole.csv" >"$T/nan.csv"
tool report "$T/nan.csv"
check "no number: the status" is "$status" 1
check "no number: not shown" lacks "$T/out" nan
echo "tmpfs,other,sta" >>"$T/whole.csv"
tool report "$T/whole.csv"
check "a row that is cut off" is "$status $(wc -l <"$T/err")" "1 1"
sed -i '$d' "$T/whole.csv"

# ---- compare ----

tool compare "$T/whole.csv" "$T/whole.csv"
check "the same" is "$status $(cat "$T/out")" \
	"0 8 medians compared, the furthest apart by 0.0 %; 0 rows differ by more than 2 %"
sed 's/stat,us,40.000/stat,us,40.790/' "$T/whole.csv" >"$T/near.csv"
tool compare "$T/whole.csv" "$T/near.csv"
check "within 2 %" is "$status" 0
sed 's/stat,us,40.000/stat,us,40.810/' "$T/whole.csv" >"$T/far.csv"
tool compare "$T/whole.csv" "$T/far.csv"
check "slower: the status" is "$status" 1
check "slower: said" has "$T/out" "tmpfs, other, stat: 40.000 -> 40.810 us (+2.0 %)"
tool compare "$T/far.csv" "$T/whole.csv"
check "within 2 % of the slower" is "$status" 0
sed 's/stat,us,40.000/stat,us,20.000/' "$T/whole.csv" >"$T/fast.csv"
tool compare "$T/whole.csv" "$T/fast.csv"
check "faster differs, too" is "$status $(head -n 1 "$T/out")" \
	"1 tmpfs, other, stat: 40.000 -> 20.000 us (-50.0 %)"
tool compare "$T/whole.csv" "$T/missing.csv"
check "a row only before" is "$status $(head -n 1 "$T/out")" \
	"1 tmpfs, other, open+close: only before: 100.000"
tool compare "$T/missing.csv" "$T/whole.csv"
check "a row only after" is "$status $(head -n 1 "$T/out")" \
	"1 tmpfs, other, open+close: only after: 100.000"
tool compare "$T/whole.csv" "$T/failed.csv"
check "a VMM that failed" is "$status" 1
tool compare "$T/none.csv" "$T/none.csv"
check "failed both times is no success" is "$status" 1
tool compare "$T/whole.csv"
check "one file is not enough" is "$status" 2
tool compare "$T/whole.csv" "$T/nothing-there.csv"
check "a file that is not there" is "$status" 2
tool compare "$T/empty.csv" "$T/whole.csv"
check "an empty file is no earlier run" is "$status $(cat "$T/out" "$T/err")" "2 compare: a file has no rows"

# ---- what is refused before anything is measured ----

mkdir -p "$T/build/bench"
# refused WHAT TEXT [PROFILE [COMPARE]]
refused() {
	status=0
	(cd "$T" && NINEPIN_PROFILE=${3-} NINEPIN_COMPARE=${4-} exec "$bench/run" build quick) \
		>"$T/out" 2>"$T/err" || status=$?
	check "$1: the status" is "$status" 125
	check "$1: the reason" has "$T/err" "$2"
}

# profile LINE…: into the file profile
profile() {
	printf '%s\n' "$@" >"$T/profile"
}

wanted='the profile profile has to be a shell script that sets name, binary and files'
refused "no such profile" "the profile nothing-there is no file that can be read" nothing-there
refused "a profile that is a folder" "the profile build is no file that can be read" build
profile 'name=('
refused "a profile that is no shell script" "$wanted" profile
profile name=x binary=/bin/sh 'vmm() { :; }'
refused "a profile without files" "$wanted" profile
profile name=x binary=/bin/sh files=
refused "a profile without a function" "$wanted" profile
profile 'exit 0'
refused "a profile that ends" "$wanted" profile
profile name=QEMU binary=/bin/sh files= 'vmm() { :; }'
refused "a name that is taken" "the profile profile has the name QEMU, as another has" profile
profile 'name=x,y' binary=/bin/sh files= 'vmm() { :; }'
refused "a name that is no column" "the profile profile has the name 'x,y'" profile
profile name=x binary=/bin/sh files=/nothing-there:/x 'vmm() { :; }'
refused "a file that is not there" "the profile profile names /nothing-there, which is not there" profile
refused "no such run" "COMPARE=nothing-there cannot be read" '' nothing-there
refused "a folder for a run" "COMPARE=build cannot be read" '' build
refused "an empty run" "COMPARE=empty.csv has no rows of an earlier run" '' empty.csv
refused "a run that is none" "COMPARE=profile has no rows of an earlier run" '' profile

# ---- the picture ----

tool picture "$T/whole.csv"
check "a picture" is "$status $(grep -c '<circle' "$T/out")" "0 11"
tool picture "$T/none.csv"
check "no picture of nothing" is "$status $(cat "$T/out")" "1 "

# ---- calls ----

mkdir "$T/empty"
status=0
"${NINEPIN_BUILD:-$top/build}/bench/calls" "$T/empty" >"$T/out" 2>"$T/err" || status=$?
# Not every file system takes an attribute of everybody's.
check "calls: here" is "$status $(grep -v '^getxattr ' "$T/out" |
	awk 'NF == 5 && $2 > 0 && $3 <= $2 && $2 <= $4' | wc -l)" "0 14"
status=0
"${NINEPIN_BUILD:-$top/build}/bench/calls" "$T/empty" >"$T/out" 2>"$T/err" || status=$?
check "calls: a call that fails" is "$status $(cat "$T/out")" "1 "
check "calls: says which" has "$T/err" "calls: hundred: File exists"

finish
