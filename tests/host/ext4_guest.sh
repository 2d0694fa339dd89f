#!/bin/bash
# ext4, ext3 and ext2 in the guest: what mkfs.ext4 put on a disk is read; what the guest writes there e2fsck finds right, and a second
# guest finds again.
# seconds: 300
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

make_source()
{
	mkdir -p "$work/source/many" "$work/source/deep/er" && cp /bin/busybox "$work/source/deep/er" || return
	for ((i = 0; i < 300; i++)); do echo "$i" > "$work/source/many/a_name_of_some_length_$i"; done
	ln -s deep/er/busybox "$work/source/link"
	(cd "$work/source" && find . -type f -exec md5sum {} + > "$work/sums")
	cat > "$work/write.sh" <<-'END'
		set -e
		mkdir /m && mount -t "$1" /dev/vda /m
		(cd /m && md5sum -c -s /sums)
		mkdir /m/new && cd /m/new
		i=0; while [ $i -lt 400 ]; do echo "$i" > "file_with_a_name_$i"; i=$((i + 1)); done
		rm file_with_a_name_1?; mv file_with_a_name_20 ../moved; ln ../moved linked; ln -s ../moved pointing
		dd if=/bin/busybox of=sparse bs=4096 seek=1000 2> /dev/null
		dd if=/dev/zero of=big bs=1M count=6 2> /dev/null
		truncate -s 1234567 big; cp /bin/busybox .; sync
		echo more >> busybox; truncate -s $(stat -c %s /bin/busybox) busybox
		cmp busybox /bin/busybox; cat big > /dev/null
		echo 1234567 > ../cut; sync; echo far | dd of=../cut seek=100 conv=notrunc 2> /dev/null; truncate -s 34567 ../cut
		mount -o remount,ro /m; mount -o remount,rw /m
		cd /; umount /m
	END
	cat > "$work/read.sh" <<-'END'
		set -e
		mkdir /m && mount -t "$1" -o ro /dev/vda /m && cd /m/new
		cmp busybox /bin/busybox; [ "$(cat ../moved)$(cat linked)$(cat pointing)" = 202020 ]
		[ "$(ls | wc -l)" = 394 ]; [ "$(stat -c %s big)" = 1234567 ]; [ "$(stat -c %h linked)" = 2 ]; [ "$(stat -c %s ../cut)" = 34567 ]
		dd if=sparse bs=4096 skip=1000 2> /dev/null | cmp - /bin/busybox
	END
}

both() # TYPE OPTION...: two guests, one after the other
{
	local type=$1
	shift
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F -t "$type" "$@" -d "$work/source" "$work/disk" || return
	kumo --disk "$work/disk" --with "$work/sums:/sums" --with "$work/write.sh:/run.sh" -- sh /run.sh "$type" &&
		e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	kumo --disk "$work/disk" --with "$work/read.sh:/run.sh" -- sh /run.sh "$type"
}

# A disk that takes nothing smaller than 4096 bytes; the superblock lies in the middle of its first block.
large_blocks()
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F -b 4096 -d "$work/source" "$work/disk" || return
	kumo --qemu "-drive file=$work/disk,format=raw,if=none,id=large -device virtio-blk-pci,drive=large,logical_block_size=4096,physical_block_size=4096" \
		--with "$work/sums:/sums" --with "$work/write.sh:/run.sh" -- sh -c 'modprobe virtio_blk; exec sh /run.sh ext4' &&
		e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	kumo --disk "$work/disk" --with "$work/read.sh:/run.sh" -- sh /run.sh ext4
}

# The machine stops in the middle; the next mount replays.
stopped()
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F "$work/disk" || return
	kumo --disk "$work/disk" -- sh -c 'mkdir /m && mount -t ext4 /dev/vda /m && cp /bin/busybox /m/kept && sync && echo lost > /m/lost &&
		echo b > /proc/sysrq-trigger; reboot -f' > /dev/null 2>&1
	kumo --disk "$work/disk" -- sh -c 'mkdir /m && mount -t ext4 /dev/vda /m && cmp /m/kept /bin/busybox && umount /m' &&
		e2fsck -fn "$work/disk"
}

# Access lists, which the disk keeps. The test works in a folder of its own below /m.
lists()
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F "$@" "$work/disk" || return
	kumo --disk "$work/disk" --with "$BUILD_DIR/tests/acls:/acls" -- sh -c 'mkdir /m && mount -t ext4 /dev/vda /m &&
		mkdir /m/d && /acls /m/d && /acls /m store && umount /m' > "$work/log" 2>&1 &&
		e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	kumo --disk "$work/disk" --with "$BUILD_DIR/tests/acls:/acls" -- sh -c 'mkdir /m && mount -t ext4 /dev/vda /m && /acls /m kept'
}

# chattr's marks, as on the RAM tree; what is free leaves the disk's file, by the mount option and by fstrim.
marks()
{
	rm -f "$work/disk" && truncate -s 64M "$work/disk" && mkfs.ext4 -q -F "$work/disk" || return
	kumo --disk "$work/disk" --with "$BUILD_DIR/tests/file_flags" -- sh -ec 'mkdir /m; mount -t ext4 -o discard /dev/vda /m; cd /m
		file_flags > /log || cat /log; grep -q "^ok 73" /log; dd if=/dev/urandom of=old bs=1M count=20 2> /dev/null; sync; rm old; sync
		fstrim -v /m; cd /; umount /m' && e2fsck -fn "$work/disk" && (($(du -k "$work/disk" | cut -f1) < 12000))
}

plan 9
make_source || exit 1
check 'ext4' both ext4
check 'ext4 with blocks of 1024 bytes' both ext4 -b 1024
check 'ext4 on a disk with blocks of 4096 bytes' large_blocks
check 'ext3' both ext3
check 'ext2' both ext2
check 'a machine that stops' stopped
check 'marks of files, and trimming' marks
check 'access lists in the inodes' lists
check 'access lists in blocks of their own' lists -I 128
