#!/bin/bash
# What whole programs of Debian take on files that a 9P server has, in seconds: a line NAME SECONDS for each that is named (all, without
# names), of the best of several. The server's tree, $KUMO_9P_SOURCE with $KUMO_9P_OPTIONS, is mounted anew at the folder of the first word
# before each; marks are bench/ninep.c's. With $KUMO_9P_ONCE each runs once, to be watched. In it are `many`, a folder of 10,000 files; `walk`, 10,000 files in 100 folders; `git`, a
# repository; `project`, C sources with a makefile. Run in a tree of scripts/rootfs with the packages of tests/programs.packages.
set -u
export HOME=/root LC_ALL=C.UTF-8
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
names=(ls_10000 walk_10000 git_status compile)
if [[ ${1-} == -l ]]; then
	printf '%s s\n' "${names[@]}"
	exit
fi
folder=$1
shift
(($#)) && names=("$@")

mark() # begin|end name
{
	getfattr -n "user.$1.$2.1" "$folder" > /dev/null 2>&1
}

mount_anew()
{
	mountpoint -q "$folder" && umount "$folder"
	mount -t 9p -o "$KUMO_9P_OPTIONS" "$KUMO_9P_SOURCE" "$folder"
}

# Runs what is to be measured N times, with the server's tree mounted anew; says what the best took.
measure() # name times command...
{
	local name=$1 times=$2 start end best=0 i
	shift 2
	[[ ${KUMO_9P_ONCE-} ]] && times=1
	for ((i = 0; i < times; i++)); do
		mount_anew || { echo "$name failed mount"; return; }
		mark begin "$name"
		start=${EPOCHREALTIME/./}
		"$@" > /tmp/log 2>&1 || { echo "$name failed $(tail -n 1 /tmp/log)"; return; }
		end=${EPOCHREALTIME/./}
		sleep 0.1
		mark end "$name"
		((best == 0 || end - start < best)) && best=$((end - start))
	done
	printf '%s %d.%06d\n' "$name" $((best / 1000000)) $((best % 1000000))
}

row_ls_10000() { measure ls_10000 2 ls -l "$folder/many"; }
row_walk_10000() { measure walk_10000 2 du -a "$folder/walk"; }
row_git_status() { measure git_status 2 git -C "$folder/git" status; }
row_compile() { measure compile 2 make -s -B -j2 -C "$folder/project"; }

for name in "${names[@]}"; do
	"row_$name"
done
