#!/bin/sh
# SPDX-License-Identifier: MIT
# Each of many boots comes up, with one processor and with two.
. "${0%/*}/lib"

for cpus in 1 2; do
	for i in $(seq 20); do
		np -c $cpus --share "$TMPFS" -- sh -c "echo $i > f; exit 3"
		check "boot $i with -c $cpus" is "$status $(cat "$TMPFS/f")" "3 $i"
	done
done

finish
