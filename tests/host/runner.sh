#!/bin/bash
# What scripts/kumo promises of a command: its streams, its status, its words.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
plan 18
work=$(mktemp -d)
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

status_is() # STATUS OPTIONS...
{
	local wanted=$1
	shift
	kumo "$@" > /dev/null 2> "$work/errors"
	local got=$?
	((got == wanted)) || { echo "status $got"; cat "$work/errors"; return 1; }
}
check 'status 0' status_is 0 -- true
check 'status 255' status_is 255 -- sh -c 'exit 255'
check 'status of a signal' status_is 137 -- sh -c 'kill -9 $$'
check 'status of a command that is not there' status_is 127 -- no-such-command
check 'status of a time that ran out' status_is 124 --timeout 5 -- sleep 1000
check 'status of arguments that make no sense' status_is 2 --no-such-option
check 'status of a machine that does not start' status_is 125 --qemu -no-such-option -- true

streams()
{
	kumo -- sh -c 'echo out; echo err >&2' > "$work/out" 2> "$work/err"
	[[ $(< "$work/out") == out && $(< "$work/err") == err ]]
}
check 'output and errors are apart' streams

binary()
{
	head -c 3000000 /dev/urandom > "$work/random"
	kumo -- cat < "$work/random" | cmp - "$work/random" &&
		cat "$work/random" | kumo -- cat > "$work/copy" && cmp "$work/random" "$work/copy"
}
check '3 MB of anything pass through, from and to files and pipes' binary

appended()
{
	echo first > "$work/log"
	kumo -- echo second >> "$work/log" 2>&1
	echo third >> "$work/log"
	[[ $(< "$work/log") == $'first\nsecond\nthird' ]]
}
check 'output is appended' appended

words()
{
	local words=('a b' '' $'line\nline' '*' $'\xff' '$x' "'")
	kumo -- printf '[%s]' "${words[@]}" > "$work/words"
	printf '[%s]' "${words[@]}" | cmp - "$work/words"
}
check 'words arrive as they are' words

surroundings()
{
	[[ $(HERE=x kumo --env HERE --env 'THERE=y z' --cwd /tmp -- sh -c 'echo "$HERE,$THERE,$PWD"') == 'x,y z,/tmp' ]]
}
check 'environment and folder' surroundings

with()
{
	mkdir -p "$work/folder/below"
	echo text > "$work/folder/below/file"
	ln -s below/file "$work/folder/link"
	printf '#!/bin/sh\necho program\n' > "$work/program"
	chmod +x "$work/program"
	kumo --with "$work/folder:/there" --with "$work/program" -- sh -c \
		'cat /there/link; readlink /there/link; program; ls /bin/sh /sbin/modprobe' > "$work/out"
	[[ $(< "$work/out") == $'text\nbelow/file\nprogram\n/bin/sh\n/sbin/modprobe' ]]
}
check 'files and folders come along' with

along_path()
{
	mkdir "$work/bin"
	printf '#!/bin/sh\necho "$PATH"\n' > "$work/bin/along"
	chmod +x "$work/bin/along"
	[[ $(kumo --with "$work/bin:/there" --env PATH=/nowhere:/there:/bin -- along) == /nowhere:/there:/bin ]]
}
check 'a command is looked for along PATH' along_path

piped() { [[ $(echo 'echo from $0' | kumo) == 'from sh' ]]; }
check 'a shell reads commands from a pipe' piped

reader_gone()
{
	local first
	first=$(kumo -- yes | head -n 1)
	[[ $first == y ]]
}
check 'the machine ends when nobody reads its output any more' reader_gone

together()
{
	local out
	out=$(kumo -- sh -c 'echo 1; echo 2 >&2; echo 3' 2>&1)
	[[ $out == $'1\n2\n3' ]] || { echo "$out"; return 1; }
}
check 'output and errors in one pipe keep their order' together

# A signal that comes while the host has not taken a line yet must not have the shell write it again.
interrupted()
{
	local lines=300 width=8000
	# shellcheck disable=SC2016 # for the guest's shell
	kumo --smp 2 -- sh -c '
		trap : USR1
		line=$(printf "%'"$width"'d" 0)
		(while usleep 300 && kill -USR1 $$; do :; done) 2> /dev/null &
		i=0
		while [ $i -lt '"$lines"' ]; do echo "$i $line"; i=$((i + 1)); done
		trap "" USR1
		kill $!' | awk -v lines="$lines" -v width="$width" '
		$1 != NR - 1 || length != length(NR - 1) + 1 + width { print "line", NR, "begins with", $1; exit wrong = 1 }
		END { exit wrong || NR != lines }'
}
check 'output comes once though signals interrupt its writer' interrupted
