#!/bin/bash
# What whole programs of Debian take, in seconds: a line NAME SECONDS for each that is named (all, without names). Run in a tree of
# scripts/rootfs with the packages of tests/programs.packages.
set -u
export HOME=/root LC_ALL=C.UTF-8
names=(python gcc sqlite git_status redis)
if [[ ${1-} == -l ]]; then
	printf '%s s\n' "${names[@]}"
	exit
fi
(($#)) && names=("$@")
folder=$(mktemp -d) && cd "$folder" || exit 1

# Runs what is to be measured once to have its files in memory, then N times; says what one took.
measure() # name times command...
{
	local name=$1 times=$2 start end i
	shift 2
	if ! "$@" > log 2>&1; then
		echo "$name failed $(tail -n 1 log)"
		return
	fi
	start=${EPOCHREALTIME/./}
	for ((i = 0; i < times; i++)); do
		"$@" > /dev/null 2>&1
	done
	end=${EPOCHREALTIME/./}
	awk "BEGIN { printf \"%s %.6f\n\", \"$name\", ($end - $start) / $times / 1e6 }"
}

row_python()
{
	measure python 5 python3 -c pass
}

row_gcc()
{
	seq -f 'int f%g(int *a, int n) { int s = %g; for (int i = 0; i < n; i++) s += a[i] * %g; return s; }' 200 > many.c
	measure gcc 2 gcc -O2 -c many.c
}

row_sqlite()
{
	{
		echo 'create table t(id integer primary key, name text, value real); begin;'
		seq -f "insert into t(name, value) values('name%g', %g);" 5000
		echo 'commit;'
		seq -f "insert into t(name, value) values('one%g', %g);" 100
	} > insert.sql
	measure sqlite 2 sh -c 'rm -f db; sqlite3 db < insert.sql'
}

row_git_status()
{
	mkdir tree
	(
		cd tree && git init -q && git config user.email a@example.org && git config user.name a || exit
		for ((i = 0; i < 100; i++)); do
			mkdir "$i" && (cd "$i" && seq 100 | split -l 1 -a 2) || exit
		done
		git add . && git commit -qm all
	) > log 2>&1 || { echo "git_status failed $(tail -n 1 log)"; return; }
	measure git_status 3 git -C tree status
}

row_redis()
{
	redis-server --port 0 --unixsocket "$folder/socket" --save '' --daemonize yes > log 2>&1
	for ((i = 0; i < 100; i++)); do
		[[ -S socket ]] && break
		sleep 0.1
	done
	measure redis 1 redis-benchmark -s "$folder/socket" -n 5000 -q -t get
	redis-cli -s "$folder/socket" shutdown nosave > /dev/null 2>&1
}

for name in "${names[@]}"; do
	"row_$name"
done
