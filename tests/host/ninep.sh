#!/bin/bash
# The 9P client (docs/9p.md) against servers that we did not write: QEMU's, with folders of this host, in each dialect, cache mode and security
# model that it has; and diod in the guest, over a Unix socket and over descriptors.
# seconds: 600
# shellcheck disable=SC2034 # what kumo of lib.sh gives a machine
seconds=200
. "$ROOT/tests/host/lib.sh"
plan 8
work=$(mktemp -d)
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
mkdir "$work/share" "$work/mapped"

# What a mount in the working directory must do, whoever serves it.
cat > "$work/use.sh" << 'END'
set -e
wrong() { echo "wrong: $*"; exit 1; }
mkdir -p a/b/c
echo one > a/b/c/file
[ "$(cat a/b/c/file)" = one ] || wrong contents
echo two >> a/b/c/file
[ "$(cat a/b/c/file)" = "one
two" ] || wrong appended
[ "$(stat -c %s a/b/c/file)" = 8 ] || wrong size
mv a/b/c/file a/b/c/moved
[ ! -e a/b/c/file ] && [ -e a/b/c/moved ] || wrong rename
chmod 640 a/b/c/moved
[ "$(stat -c %a a/b/c/moved)" = 640 ] || wrong mode
dd if=/dev/urandom of=/tmp/random bs=1000 count=3000 2> /dev/null
cp /tmp/random large && cmp /tmp/random large || wrong 3 MB
dd if=large of=middle bs=70000 skip=5 count=3 2> /dev/null
dd if=/tmp/random bs=70000 skip=5 count=3 2> /dev/null | cmp - middle || wrong the middle of a file
: > large
[ "$(stat -c %s large)" = 0 ] || wrong truncation
cp /bin/busybox busybox && [ "$(./busybox echo executed)" = executed ] || wrong execution
i=0
mkdir many
while [ $i -lt 300 ]; do echo $i > many/file_with_number_$i; i=$((i + 1)); done
[ "$(ls many | wc -l)" = 300 ] && [ "$(cat many/* | wc -l)" = 300 ] || wrong a directory of 300
exec 3> open; rm open; echo kept >&3 || wrong a file without a name; exec 3>&-
! mkdir a 2> /dev/null && ! rmdir a 2> /dev/null && ! cat missing 2> /dev/null || wrong errors
if [ "$1" != 9p2000 ]; then
	ln -s a/b/c/moved link && [ "$(readlink link)" = a/b/c/moved ] && [ "$(head -n 1 link)" = one ] || wrong symbolic link
fi
if [ "$1" = 9p2000.L ]; then
	ln a/b/c/moved hard && [ "$(stat -c %h hard)" = 2 ] || wrong hard link
	mv hard a/hard && [ "$(head -n 1 a/hard)" = one ] || wrong rename to another folder
	df . > /dev/null || wrong df
fi
rm -rf a large middle busybox many link
[ -z "$(ls)" ] || wrong what is left: $(ls)
END

# Folders that QEMU shares under the tags none and mapped, mounted with these options one after the other.
mounts() # TAG OPTIONS...
{
	local tag=$1
	shift
	kumo --with "$work/use.sh:/use.sh" \
		--qemu "-fsdev local,id=none,path=$work/share,security_model=none -device virtio-9p-pci,fsdev=none,mount_tag=none" \
		--qemu "-fsdev local,id=mapped,path=$work/mapped,security_model=mapped-xattr -device virtio-9p-pci,fsdev=mapped,mount_tag=mapped" \
		-- sh -c 'tag=$1; shift; mkdir -p /n/m; for options; do
			mount -t 9p -o "trans=virtio,version=$options" $tag /n/m && cd /n/m && sh /use.sh ${options%%,*} || { echo "with $options"; dmesg | tail -n 3; exit 1; }
			cd / && umount /n/m || exit 1
		done; ! dmesg | grep -E "9p.*given up|BUG"' sh "$tag" "$@"
}

for options in none loose mmap; do
	check "QEMU's server, cache=$options" mounts none "9p2000.L,cache=$options"
done
check "QEMU's server, version=9p2000.u" mounts none 9p2000.u 9p2000.u,cache=loose
check "QEMU's server, mapped-xattr" mounts mapped 9p2000.L,cache=loose 9p2000.L,msize=8192

shared()
{
	echo 'from the host' > "$work/share/host"
	[[ $(kumo --share "$work/share:here" -- sh -c 'cat /n/here/host && echo "from the guest" > /n/here/guest') == 'from the host' ]] &&
		[[ $(< "$work/share/guest") == 'from the guest' ]]
}
check '--share shares a folder' shared

diod() # TRANSPORT
{
	[[ -x /usr/sbin/diod ]] || { echo 'no diod: scripts/setup installs it'; return 1; }
	kumo --libs --with /usr/sbin/diod:/bin/diod --with "$work/use.sh:/use.sh" --mem 768M -- sh -c 'mkdir -p /export /n/m /etc
		diod -f -n -N -L stderr -e /export -l /run/diod.sock 2> /tmp/diod.log &
		for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /run/diod.sock ] && break; sleep 0.5; done
		mount -t 9p -o "trans=unix,version=9p2000.L,aname=/export,uname=root,access=any,$1" /run/diod.sock /n/m && cd /n/m &&
			sh /use.sh 9p2000.L || { cat /tmp/diod.log; dmesg | tail -n 3; exit 1; }
		cd / && umount /n/m && ! dmesg | grep -E "9p.*given up|BUG"' sh "$1"
}
check 'diod over a Unix socket, cache=none' diod cache=none
check 'diod over a Unix socket, cache=loose' diod cache=loose
