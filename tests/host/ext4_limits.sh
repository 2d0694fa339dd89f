#!/bin/bash
# What ext4 has little of: blocks that are kept for root, and links that a file or a directory can have.
# seconds: 120
. "$ROOT/tests/host/lib.sh"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT
gcc -O2 -Wall -static -o "$work/as" -xc - <<'END' || exit 1
	#include <grp.h>
	#include <stdlib.h>
	#include <unistd.h>
	/* as UID GID COMMAND...: without privilege, as another user. */
	int main(int count, char **words)
	{
		if (count < 4 || setgroups(0, NULL) || setgid(atoi(words[2])) || setuid(atoi(words[1])))
			return 1;
		execvp(words[3], words + 3);
		return 1;
	}
END

image() { rm -f "$work/disk" && truncate -s "$1" "$work/disk" && mkfs.ext4 -q -F "${@:2}" "$work/disk"; }
guest() { kumo --disk "$work/disk" --with "$work/as" -- sh -exc "$@" > "$work/log" 2>&1 && e2fsck -fn "$work/disk" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }; }

# Half of the disk is kept. Others fill what is theirs, of which statfs tells them; then they can make neither files nor folders, but
# those of the group can, and root.
kept() # MKFS OPTION...
{
	image 32M -m 50 "$@" && guest 'mkdir /m; mount -t ext4 -o resgid=7 /dev/vda /m; cd /m; chmod 777 .
		as 5 5 dd if=/dev/zero of=full bs=64k 2> /dev/null && exit 1; sync
		[ $(stat -f -c %a .) -lt 200 ]; [ $(stat -f -c %f .) -gt 12000 ]
		as 5 5 dd if=/dev/zero of=more bs=64k count=4 2> /dev/null && exit 1
		as 5 5 fallocate -l 1000000 more 2> /dev/null && exit 1
		as 5 5 dd if=full of=/dev/null bs=64k 2> /dev/null
		as 5 5 sh -c "i=0; while mkdir d\$i 2> /dev/null; do i=\$((i + 1)); [ \$i -lt 500 ] || exit 0; done; exit 1" && exit 1
		as 6 7 dd if=/dev/zero of=group bs=64k count=10 2> /dev/null
		mkdir root; dd if=/dev/zero of=root/file bs=64k count=40 2> /dev/null
		[ $(stat -c %s root/file) = 2621440 ]; cd /; umount /m'
}

# What a full disk has taken it has, and says of the rest at once that there is no room.
full() # MKFS OPTION...
{
	image 16M "$@" && guest 'mkdir /m; mount -t ext4 /dev/vda /m; yes 123456789012345 | dd of=/m/full bs=64k 2> /dev/null && exit 1
		yes 123456789012345 | dd of=/m/other bs=4k conv=fsync 2> /dev/null && exit 1; sync
		umount /m; mount -t ext4 /dev/vda /m; [ $(stat -c %s /m/full) -gt 12000000 ]
		for f in full other; do yes 123456789012345 | head -c $(stat -c %s /m/$f) | cmp - /m/$f; done; umount /m'
}

# A file, and a directory where the format cannot do without a count, have 65000 links at most.
links()
{
	image 16M -O '^dir_nlink' && debugfs -w "$work/disk" > "$work/log" 2>&1 <<-'END' || return
		mkdir d
		mkdir other
		mkdir other/sub
		write /dev/null f
		set_inode_field d links_count 64999
		set_inode_field f links_count 64999
	END
	kumo --disk "$work/disk" -- sh -ec 'mkdir /m; mount -t ext4 /dev/vda /m; cd /m
		mkdir d/one; [ $(stat -c %h d) = 65000 ]
		mkdir d/two 2>&1 | grep -q "Too many links"; mv other/sub d/two 2>&1 | grep -q "Too many links"
		[ -d other/sub ]; touch d/file; mv d/one d/renamed
		ln f g; [ $(stat -c %h f) = 65000 ]; ln f h 2>&1 | grep -q "Too many links"; rm g; ln f h
		cd /; umount /m'
}

plan 5
check 'blocks kept for root, with extents' kept -b 1024
check 'blocks kept for root, with block maps' kept -b 1024 -O '^extents,^64bit'
check 'a full disk, with extents' full -b 1024
check 'a full disk, with block maps' full -b 1024 -O '^extents,^64bit,^has_journal'
check 'links' links
