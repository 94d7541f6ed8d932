#!/bin/sh
# SPDX-License-Identifier: MIT
# What is measured: the same script, on the host without a VM and in each guest.
#
#   bench.sh calls SHARE     prints "ROW UNIT MEDIAN LOW HIGH SAMPLES" for each row
set -eu
export PATH=/bin

calls() {
	mkdir "$1/calls"
	/bin/calls "$1/calls" >/tmp/calls
	while read -r row rest; do
		echo "$row us $rest"
	done </tmp/calls
	rm -r "$1/calls"
}

"$@"
