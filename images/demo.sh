#!/bin/sh
# SPDX-License-Identifier: MIT
# The demonstration of `make run`: runs in the guest, standing in the shared folder.
set -eu

last=start
dir=
finish() {
	status=$?
	[ -z "$dir" ] || rm -rf "$dir" || :
	[ $status = 0 ] || echo "the demonstration failed at what comes after: $last" >&2
}
trap finish EXIT

# Says what was done, once it was checked.
did() {
	last=$1
	printf '  %-9s %s\n' "$1" "$2"
}

echo "Linux $(uname -r) runs as a guest; $(pwd) is the host's folder, shared with it over 9P."

names=$(find . -mindepth 1 -maxdepth 1 | wc -l)
did list "$names names in the shared folder"

dir=$(mktemp -d ninepin-demo.XXXXXX)
[ -d "$dir" ]
did mkdir "$dir"

echo first >"$dir/one"
[ "$(cat "$dir/one")" = first ]
did create "$dir/one"

echo second >>"$dir/one"
[ "$(stat -c %s "$dir/one")" = 13 ]
did append "a second line"

[ "$(cat "$dir/one")" = "first
second" ]
did read "both lines are there"

mv "$dir/one" "$dir/two"
[ ! -e "$dir/one" ]
[ "$(head -n 1 "$dir/two")" = first ]
did rename "it is $dir/two now"

ln "$dir/two" "$dir/three"
[ "$(stat -c %h,%i "$dir/two")" = "2,$(stat -c %i "$dir/three")" ]
did link "$dir/three is the same file"

rm "$dir/two" "$dir/three"
[ -z "$(find "$dir" -mindepth 1)" ]
rmdir "$dir"
[ ! -e "$dir" ]
dir=
did delete "both names, and the folder"

echo "All of it worked."
