#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzing of the 9P server; make has built the targets. See tests/fuzz/.
#
#   tests/fuzz.sh                as many runs as `make test` has time for, from the same beginning
#                                each time; prints TAP
#   tests/fuzz.sh --seconds N    N seconds for each target (`make fuzz`); what was learnt stays in
#                                build/fuzz/corpus-*, and the next time begins with it
#
# An input that breaks something is kept in build/fuzz/found/, with the command that repeats it: the
# target with the file as its argument, for example
#
#   NINEPIN_FUZZ_EXECUTOR=ring NINEPIN_FUZZ_TRACE=1 build/fuzz/session build/fuzz/found/ring-crash-…
#
# -runs=1000 with it tries a thousand times, for what shows only now and then; -minimize_crash=1
# -runs=10000 looks for a shorter input. The session target's scratch folder is below TMPDIR.
set -u

top=$(cd "${0%/*}/.." && pwd -P)
build=${NINEPIN_BUILD:-$top/build}
fuzz=$build/fuzz
seconds=
case ${1-} in
--seconds) seconds=$2 ;;
esac
# A session of fifty requests. What takes a minute never ends.
session_options='-max_len=1202 -timeout=60'

mkdir -p "$fuzz/found"
disk=$(mktemp -d)
# A tmpfs is much faster, but there nothing can wait, so that `auto` has no choice to make.
memory=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$disk" "$memory"' EXIT
trap 'exit 130' INT TERM

n=0 failed=0
echo "TAP version 13"

# What libFuzzer says last, now and then, while it runs.
progress() {
	while sleep 5 && kill -0 "$1" 2>/dev/null; do
		grep '^#' "$log" | tail -n 1 | sed "s/^/# $name: /"
	done
}

# NAME RUNS PROGRAM OPTION…, with NINEPIN_FUZZ_EXECUTOR and TMPDIR set
target() {
	name=$1 runs=$2 program=$3
	shift 3
	n=$((n + 1))
	log=$disk/log
	set -- "$@" -print_final_stats=1 "-artifact_prefix=$fuzz/found/$name-"
	if [ -n "$seconds" ]; then
		mkdir -p "$fuzz/corpus-$program"
		set -- "$@" "-max_total_time=$seconds" "$fuzz/corpus-$program"
	else
		set -- "$@" -seed=1 "-runs=$runs"
	fi
	"$fuzz/$program" "$@" >"$log" 2>&1 &
	pid=$!
	[ -z "$seconds" ] || progress $pid
	status=0
	wait $pid || status=$?
	done_runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log")
	case $status in
	0)
		echo "ok $n $name: ${done_runs:-0} runs"
		;;
	4)
		echo "ok $n $name # SKIP $(tail -n 1 "$log")"
		;;
	*)
		failed=1
		echo "not ok $n $name: status $status"
		grep -vE '^#[0-9]|NEW_FUNC|# Uses:' "$log" | tail -n 60 | sed 's/^/# /'
		found=$(sed -n 's/.*Test unit written to //p' "$log")
		how="${NINEPIN_FUZZ_EXECUTOR:+NINEPIN_FUZZ_EXECUTOR=$NINEPIN_FUZZ_EXECUTOR }"
		[ -z "$found" ] || echo "# repeat it: ${how}NINEPIN_FUZZ_TRACE=1 $fuzz/$program $found"
		;;
	esac
}

target wire 500000 wire -max_len=1024 -timeout=60
for executor in sync ring auto; do
	case $executor in
	auto) TMPDIR=$disk runs=1500 ;;
	*) TMPDIR=$memory runs=10000 ;;
	esac
	export NINEPIN_FUZZ_EXECUTOR=$executor TMPDIR
	# Options are words, split on purpose.
	# shellcheck disable=SC2086
	target "$executor" $runs session $session_options
done

echo "1..$n"
exit $failed
