#!/bin/sh
# SPDX-License-Identifier: MIT
# What is measured: the same script, on the host without a VM and in each guest.
#
#   bench.sh calls SHARE     prints "ROW UNIT MEDIAN LOW HIGH SAMPLES" for each row
#   bench.sh jobs SHARE      the same; in the share is what the script tree has made
#   bench.sh refresh SHARE   before that, on the host: git learns the files' inode numbers
set -eu
# Debian's programs before busybox's.
export PATH=/usr/bin:/bin HOME=/tmp

# Of the shorter jobs. Git's take minutes of real time, and two of them differed by 0.02 %.
TIMES=2

calls() {
	mkdir "$1/calls"
	/bin/calls "$1/calls" >/tmp/calls
	while read -r row rest; do
		echo "$row us $rest"
	done </tmp/calls
	rm -r "$1/calls"
}

refresh() {
	cd "$1/tree"
	git status >/dev/null
}

jobs() {
	cd "$1/tree"
	/bin/timed git-status 1 git status
	/bin/timed git-diff 1 git diff
	/bin/timed find $TIMES find . -name '*7.txt'
	# To a pipe: tar reads nothing if its output is /dev/null.
	/bin/timed tar-5000-files $TIMES sh -c "tar cf - d00* d01* d02* d03* d04* | cat"
	cd "$1/src"
	/bin/timed cc-10-files $TIMES sh -c 'rm -f *.o all.a && make -s'
}

"$@"
