#!/bin/bash
# FAT in the guest: what mtools put on a disk is read; what the guest writes there fsck.vfat finds right and mtools reads, and a second
# guest finds again.
# seconds: 240
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
export MTOOLS_SKIP_CHECK=1

make_source()
{
	mkdir -p "$work/source/many" "$work/source/Deep/er" && cp /bin/busybox "$work/source/Deep/er/BusyBox" || return
	for ((i = 0; i < 100; i++)); do echo "$i" > "$work/source/many/a name of some length $i"; done
	echo x > "$work/source/ÄÖ älter.txt"
	(cd "$work/source" && find . -type f -exec md5sum {} + > "$work/sums")
	cat > "$work/write.sh" <<-'END'
		set -e
		mkdir /m && mount -t vfat /dev/vda /m
		(cd /m && md5sum -c -s /sums)
		cmp /m/DEEP/ER/BUSYBOX /bin/busybox
		mkdir /m/new && cd /m/new
		i=0; while [ $i -lt 200 ]; do echo "$i" > "File with a name $i"; i=$((i + 1)); done
		rm File\ with\ a\ name\ 1?; mv "file with a name 20" ../moved; [ ! -e "File with a name 20" ]
		cat FILEWI~1 > short; rm FILEWI~1; [ ! -e "File with a name 0" ]
		dd if=/bin/busybox of=behind bs=4096 seek=100 2> /dev/null
		dd if=/dev/zero of=big bs=1M count=3 2> /dev/null; truncate -s 1234567 big
		cp /bin/busybox copy; sync; echo more >> copy; truncate -s $(stat -c %s /bin/busybox) copy; cmp copy /bin/busybox
		echo kept > gone; exec 5< gone; rm gone; [ "$(cat <&5)" = kept ]; exec 5<&-
		mkdir sub; mv sub ../Sub; mv ../Sub ../sUB2; echo in > ../sub2/In; ! rmdir ../sub2 2> /dev/null
		mv copy behind.2; mv behind.2 BUSY.BOX; mv BUSY.BOX "busy box"
		! ln short linked 2> /dev/null; ! ln -s short linked 2> /dev/null; ! chown 1 short 2> /dev/null; ! touch 'a?' 2> /dev/null
		touch -d @1000000001 short; [ "$(stat -c %Y short)" = 1000000000 ]
		chmod 555 short; [ "$(stat -c %a short)" = 555 ]
		mount -o remount,ro /m; ! touch x 2> /dev/null; mount -o remount,rw /m
		cd /; umount /m; rmmod vfat
	END
	cat > "$work/read.sh" <<-'END'
		set -e
		mkdir /m && mount -t vfat -o ro,uid=5,fmask=133 /dev/vda /m && cd /m/new
		cmp "busy box" /bin/busybox; [ "$(cat ../moved ../sub2/in short)" = "$(printf '20\nin\n0')" ]
		[ "$(ls | wc -l)" = 192 ] && [ "$(stat -c %s big)" = 1234567 ] && [ "$(stat -c %u:%a big)" = 5:644 ] && [ "$(stat -c %a short)" = 444 ]
		dd if=behind bs=4096 skip=100 2> /dev/null | cmp - /bin/busybox
	END
}

both() # SIZE OPTION...: two guests, one after the other
{
	rm -f "$work/disk" && truncate -s "$1" "$work/disk" && mkfs.vfat "${@:2}" "$work/disk" > /dev/null &&
		(cd "$work/source" && LC_ALL=C.UTF-8 mcopy -s -Q -i "$work/disk" -- * ::/) || return
	kumo --disk "$work/disk" --with "$work/sums:/sums" --with "$work/write.sh:/run.sh" -- sh /run.sh &&
		fsck.vfat -n "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }
	rm -f "$work/busy" && mcopy -i "$work/disk" '::/new/busy box' "$work/busy" && cmp "$work/busy" /bin/busybox &&
		[[ $(mtype -i "$work/disk" ::/MOVED) == 20 ]] || return
	kumo --disk "$work/disk" --with "$work/read.sh:/run.sh" -- sh /run.sh
}

plan 3
make_source || exit 1
check 'FAT32' both 40M -F 32 -s 1
check 'FAT16' both 40M -F 16 -s 8
check 'FAT12' both 15M -F 12 -s 8
