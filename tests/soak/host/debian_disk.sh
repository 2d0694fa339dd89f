#!/bin/bash
# Debian on a disk: it boots, installs packages, and has them after the next start; its lsblk, unshare and apt work, and the disk is left
# clean each time.
# seconds: 2400
. "$ROOT/tests/host/lib.sh"
seconds=500
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"; exit $((failures > 0))' EXIT

# Debian's hello, and a package of our own: a program, a file of configuration, and a script that runs when it is installed.
make_packages()
{
	local top=$work/package options=()
	((EUID)) || options=(-o APT::Sandbox::User=root)
	(cd "$work" && apt-get download -qq "${options[@]}" hello && mv hello_*.deb hello.deb) || return
	mkdir -p "$top/DEBIAN" "$top/usr/bin" "$top/etc" &&
		printf '%s\n' 'Package: kumo-test' 'Version: 1.0' 'Architecture: all' 'Depends: hello' 'Maintainer: nobody <nobody@localhost>' \
			'Description: a package for a test' > "$top/DEBIAN/control" &&
		printf '/etc/kumo-test.conf\n' > "$top/DEBIAN/conffiles" &&
		printf '#!/bin/sh\nset -e\ngetent passwd kumotest > /dev/null || useradd -r kumotest\ndate > /var/lib/kumo-test.installed\n' > "$top/DEBIAN/postinst" &&
		printf '#!/bin/sh\nset -e\nif [ "$1" = purge ]; then userdel kumotest; rm /var/lib/kumo-test.installed; fi\n' > "$top/DEBIAN/postrm" &&
		printf '#!/bin/sh\ncat /etc/kumo-test.conf\n' > "$top/usr/bin/kumo-test" && echo configured > "$top/etc/kumo-test.conf" &&
		chmod 755 "$top/DEBIAN/postinst" "$top/DEBIAN/postrm" "$top/usr/bin/kumo-test" &&
		dpkg-deb --root-owner-group --build "$top" "$work/kumo-test.deb"
}

root() { kumo --mem 1G --root "$work/image" "$@"; }

whole() { e2fsck -fn "$work/image" > "$work/log" 2>&1 || { cat "$work/log"; return 1; }; }

owners() { root -- sh -c '[ "$(stat -c %U:%G:%a /etc/shadow)" = root:shadow:640 ] && [ "$(stat -c %a /usr/bin/passwd)" = 4755 ]'; }

install_dpkg()
{
	root --with "$work/hello.deb:/packages/hello.deb" --with "$work/kumo-test.deb:/packages/kumo-test.deb" -- sh -ec \
		'cp /run/initramfs/packages/*.deb /root; dpkg -i /root/hello.deb /root/kumo-test.deb; [ "$(hello)" = "Hello, world!" ]; kumo-test' && whole
}

installed()
{
	root -- sh -ec '[ "$(dpkg-query -W -f "\${Status} " hello kumo-test)" = "install ok installed install ok installed " ]
		[ "$(hello)" = "Hello, world!" ] && [ "$(kumo-test)" = configured ] && [ -z "$(dpkg -V hello kumo-test | grep -v /usr/share/)" ]
		getent passwd kumotest; cat /var/lib/kumo-test.installed'
}

# Without a network: from the file, and what is removed goes.
apt()
{
	root -- sh -ec 'apt-get remove -y kumo-test; ! [ -e /usr/bin/kumo-test ]; [ -e /etc/kumo-test.conf ]
		apt-get install -y /root/kumo-test.deb; kumo-test
		apt-get purge -y kumo-test; ! [ -e /etc/kumo-test.conf ]; ! getent passwd kumotest; hello' && whole
}

lsblk_shows()
{
	root -- lsblk -nro NAME,MOUNTPOINTS,TYPE > "$work/out" && cat "$work/out" && grep -qx 'vda / disk' "$work/out"
}

unshare_works()
{
	root -- unshare -m sh -ec 'mount -t tmpfs none /mnt; touch /mnt/private; [ "$(findmnt -no FSTYPE /mnt)" = tmpfs ]
		! nsenter -t 1 -m ls /mnt/private 2> /dev/null; [ "$(findmnt -no SOURCE /)" = /dev/vda ]; umount /mnt; ! [ -e /mnt/private ]'
}

plan 7
make_packages > "$work/log" && "$ROOT/scripts/rootfs" --image "$work/image" "$ROOT/build/rootfs/disk" >> "$work/log" || { cat "$work/log"; exit 1; }
check 'files have their owners and modes' owners
check 'dpkg installs packages' install_dpkg
check 'they are there after the next start' installed
check 'apt removes, installs and purges' apt
check 'lsblk shows the root' lsblk_shows
check 'unshare makes a namespace of mounts' unshare_works
check 'the disk is whole' whole
