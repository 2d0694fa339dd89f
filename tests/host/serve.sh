#!/bin/bash
# Components as programs that serve their trees over 9P (docs/placement.md), each mounted by Kumo's client: in the guest, over a Unix
# socket; and on this host with the address sanitizer, over a virtio port. Random operations against a model, several requests at a time,
# and the format's own check after each.
# seconds: 480
. "$ROOT/tests/host/lib.sh"
cd "$ROOT" || exit 1
# shellcheck disable=SC2034 # what kumo of lib.sh gives a machine
seconds=150
work=$(mktemp -d) || exit 1
server=
trap 'rm -rf "$work"; [[ $server ]] && kill $server; exit $((failures > 0))' EXIT
cat > "$work/use.sh" << 'END_OF_USE'
# use.sh serve TYPE DEVICE|- | use.sh mount PORT TYPE: then what the file test is given as words
set -e
mkdir -p /m /run
cache=loose
[ $2 != counter ] && [ $3 != counter ] || cache=none # what is written there is a command
if [ $1 = serve ]; then
	device=$3
	[ $3 = - ] && device=
	$2 -l /tmp/log -s /run/socket $device &
	until [ -S /run/socket ]; do sleep 0.1; done
	mount -t 9p -o trans=unix,cache=$cache /run/socket /m
else
	until [ -e /dev/virtio-ports/$2 ]; do sleep 0.1; done
	exec 3<> /dev/virtio-ports/$2
	mount -t 9p -o trans=fd,rfdno=3,wfdno=3,cache=$cache host /m
fi
shift 3
"$@"
umount /m
[ -z "$!" ] || { kill $!; wait $! || { cat /tmp/log; exit 1; }; }
! dmesg | grep -E '9p.*given up|BUG'
END_OF_USE

cat > "$work/end.sh" << 'END_OF_END'
# Servers end at SIGTERM, also while the last requests of their client are on their way.
mkdir -p /m /run
for i in $(seq 60); do
	ramfs -l /tmp/log -s /run/socket & server=$!
	until [ -S /run/socket ]; do sleep 0.01; done
	mount -t 9p -o trans=unix,cache=loose /run/socket /m || exit 1
	for file in 1 2 3; do
		(dd if=/dev/zero of=/m/$file bs=64k count=2 2> /dev/null; rm /m/$file) & writers="$writers $!"
	done
	wait $writers
	writers=
	umount /m
	kill $server
	wait $server || { cat /tmp/log; exit 1; }
done
END_OF_END

disk() { rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q "$@" "$work/disk"; }
sound() { e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }; }
guest() { kumo --with "$BUILD_DIR/tests/file_model" --with "$work/use.sh:/use.sh" "$@"; }

in_guest() # TYPE DEVICE COMMAND...
{
	local type=$1
	shift
	guest --with "build/serve/$type" --disk "$work/disk" -- sh /use.sh serve "$type" "$@"
}

# A server of this host, at the other end of the port.
on_host() # TYPE DEVICE COMMAND...
{
	local type=$1 device=$2 status
	shift 2
	rm -f "$work/socket"
	# shellcheck disable=SC2046 # none, or one word
	build/host/serve/"$type" -l "$work/log" -s "$work/socket" $([[ $device == - ]] || echo "$device") &
	server=$!
	until [[ -S $work/socket ]]; do sleep 0.1; kill -0 $server || { cat "$work/log"; return 1; }; done
	guest --qemu "-device virtio-serial-pci,id=second -chardev socket,id=far,path=$work/socket" \
		--qemu "-device virtserialport,chardev=far,bus=second.0,name=far" -- sh /use.sh mount far "$type" "$@"
	status=$?
	kill $server
	wait $server || { cat "$work/log"; status=1; }
	server=
	return $status
}

with_check() { "$@" && sound; }
counts='echo set 40 > /m/ctl; echo add 2 > /m/ctl; [ "$(cat /m/value)" = 42 ]; ! echo wrong > /m/ctl 2> /dev/null; [ "$(ls /m)" = "ctl
value" ]'

plan 9
disk -b 1024
check 'the sample in the guest' in_guest counter - sh -ec "$counts"
check 'the RAM tree in the guest' in_guest ramfs - file_model -n 60 -t 3 /m
check 'ext4 in the guest' with_check in_guest ext4 /dev/vda file_model -n 60 -t 3 /m
check 'servers end when they are told to' guest --with build/serve/ramfs --with "$work/end.sh:/end.sh" -- sh /end.sh
disk -b 4096 -O ^has_journal
check 'ext2 in the guest, and no journal' with_check in_guest ext4 /dev/vda file_model -n 60 -s 2 /m
check 'the sample on this host' on_host counter - sh -ec "$counts"
check 'the RAM tree on this host' on_host ramfs - file_model -n 60 -t 3 /m
disk -b 1024
check 'ext4 on this host' with_check on_host ext4 "$work/disk" file_model -n 60 -t 3 /m
disk -b 4096 -O ^has_journal
check 'ext4 on this host, and no journal' with_check on_host ext4 "$work/disk" file_model -n 60 -s 2 /m
