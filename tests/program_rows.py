"""Debian's programs, of the packages in programs.packages, each with a command that shows that it works, and programs' own tests: the
rows of the tables in docs/programs.md. soak/host/programs.py runs them."""
import shlex
from dataclasses import dataclass


@dataclass
class Program:
    name: str
    command: str  # for bash, in an empty folder
    expected: str  # a pattern that its output (both streams) must have in it; and its status must be 0


# Debian's source packages that rows find in /programs.
SOURCES = ("lua5.4",)

PROGRAMS = (
    Program("bash", "a=(1 2 3); echo ${#a[@]} $(( ${a[2]} ** 3 )); cat <(echo sub) | tr a-z A-Z", "3 27\nSUB"),
    Program("coreutils", "cp -a /etc e && ls -lR e | sort | md5sum && du -s e && dd if=/dev/zero of=z bs=1M count=4 && "
            "split -n 4 z && cat xa? | cmp - z && stat -c %s z", "^4194304$"),
    Program("findutils", "find /usr/bin -name 'p*' -type f -print0 | xargs -0 -P2 -n8 wc -c | grep -c total", r"^\d+$"),
    Program("grep", "grep -rc '^root:' /etc/passwd", "^1$"),
    Program("sed", "sed -n 's/^root:.*:/ROOT:/p' /etc/passwd", "^ROOT:/bin/bash$"),
    Program("gawk", "gawk -F: '{ n[$7]++ } END { print n[\"/bin/bash\"] }' /etc/passwd", "^1$"),
    Program("tar, gzip", "tar czf a.tgz -C / etc && mkdir x && tar xzf a.tgz -C x && diff -r --no-dereference /etc x/etc && echo same",
            "^same$"),
    Program("xz", "xz -T2 -kc /bin/bash > b.xz && xz -dc b.xz | cmp - /bin/bash && echo same", "^same$"),
    Program("zstd", "zstd -q -T2 -c /bin/bash > b.zst && zstd -dc b.zst | cmp - /bin/bash && echo same", "^same$"),
    Program("mount", "mkdir m && mount -t tmpfs -o size=1m none m && echo x > m/f && mount | grep -c $PWD/m && umount m && ls m", "^1$"),
    Program("flock", "(flock 9; sleep 1; echo first > f) 9> lock & sleep .3; flock lock cat f; flock -n lock echo free", "first\nfree"),
    Program("script", "script -qc 'tty; stty size' log < /dev/null && cat log", r"/dev/pts/\d+"),
    Program("setpriv", "setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all id", "uid=1000 gid=1000 groups=1000"),
    Program("su", "su -s /bin/sh nobody -c 'id -un'", "^nobody$"),
    Program("ps", "sleep 9 & ps -eo pid,ppid,stat,rss,etime,args | grep '[s]leep 9'", r"^ *\d+ +\d+ [RSD] +\d+ +\d\d:\d\d sleep 9"),
    Program("top", "top -bn1 | head -7", r"Tasks: +\d+ total(.|\n)*MiB Mem"),
    Program("free", "free -m", r"Mem: +\d+ +\d+ +\d+"),
    Program("vmstat", "vmstat 1 2 && vmstat -s | grep 'total memory' && vmstat -m | wc -l", r"total memory\n\d+"),
    Program("pgrep, pkill", "sleep 77 & pgrep -x sleep && pkill -x sleep; wait; pgrep -x sleep || echo none", r"\d+\nnone"),
    Program("uptime, w", "uptime && w -h; pidof bash; pmap $$ | tail -1; slabtop -o | head -1", "load average(.|\n)* total"),
    Program("htop", "(sleep 4; echo q) | TERM=xterm script -qc 'stty rows 30 cols 100; htop' log > /dev/null; grep -ac Mem log", "^[1-9]"),
    Program("lsof", "exec 8< /etc/passwd; lsof -p $$ | awk '{ print $4, $9 }'", "8r /etc/passwd"),
    Program("ldd", "ldd /bin/ls", "libc.so.6 => /lib"),
    Program("lscpu, nproc", "nproc && lscpu", r"^2\n(.|\n)*On-line CPU.*0[-,]1"),
    Program("python3", "python3 -c 'import os, subprocess; print(subprocess.check_output([\"echo\", \"x\"]), os.cpu_count())'", r"b'x\\n' 2"),
    Program("perl", "perl -e 'use Fcntl; print join(\",\", map { $_ ** 2 } 1 .. 3), \"\\n\"; if (!fork) { exit 3 } wait; print $? >> 8'",
            "1,4,9\n3"),
    Program("lua5.4", "lua5.4 -e 'print(#\"kumo\", 2^10, io.popen(\"echo x\"):read())'", r"4\s1024.0\sx"),
    Program("gcc", "printf '#include <stdio.h>\\nint main(){puts(\"hello\");}' > h.c && gcc -O2 h.c -o h && ./h", "^hello$"),
    Program("make", "printf 'all: a b c d\\na b c d:\\n\\t@sleep .2; echo $@\\n' > Makefile && make -j4 | sort | tr '\\n' ' '", "a b c d"),
    Program("git", "git init -q g && cd g && git config user.email a@b && git config user.name n && seq 1000 > f && git add f && "
            "git commit -qm one && seq 999 > f && git commit -qam two && git gc -q && cd .. && git clone -q g h && cd h && "
            "git fsck && git log --oneline | wc -l", "^2$"),
    Program("sqlite3", "sqlite3 db 'create table t(x primary key, y); begin; with recursive c(i) as (select 1 union all select i + 1 from c "
            "where i < 5000) insert into t select i, hex(randomblob(20)) from c; commit; pragma journal_mode=wal; delete from t where "
            "x % 3 = 0; pragma integrity_check; select count(*) from t'", "ok\n3334"),
    Program("redis", "redis-server --port 0 --unixsocket $PWD/s --save '' > log & for i in $(seq 50); do test -S s && break; sleep .2; "
            "done; redis-benchmark -s $PWD/s -n 2000 -q -t set,get,lpush; redis-cli -s $PWD/s set k v; redis-cli -s $PWD/s shutdown nosave; wait",
            r"SET: [\d.]+ requests(.|\n)*GET: [\d.]+ requests(.|\n)*OK"),
    Program("tmux", "tmux new-session -d -x 80 -y 24 'echo in the window; sleep 20'; sleep 3; tmux list-sessions; tmux capture-pane -p; "
            "tmux kill-server", "80x24|1 windows(.|\n)*in the window"),
    Program("vim", "vim -es -c '%s/root/toor/' -c 'w! o' -c q /etc/passwd; head -1 o; printf ':q!\\r' | TERM=xterm script -qc vim log > "
            "/dev/null; grep -ac VIM log", "^toor:(.|\n)*\n[1-9]"),
    Program("dpkg", "mkdir -p p/DEBIAN p/usr/bin && printf '#!/bin/sh\\necho installed\\n' > p/usr/bin/kumo-hello && chmod 755 "
            "p/usr/bin/kumo-hello && printf 'Package: kumo-hello\\nVersion: 1\\nArchitecture: all\\nMaintainer: n <a@b>\\nDescription: d\\n' "
            "> p/DEBIAN/control && dpkg-deb -b p k.deb && dpkg -i k.deb && kumo-hello && dpkg -r kumo-hello && dpkg --audit", "^installed$"),
    Program("go", "/programs/go-hello", "^sum 499500 of 1000 goroutines$"),
    Program("ripgrep", "rg -c '^root' /etc/passwd && rg -l --hidden 'Debian' /etc | wc -l", r"^1\n\d+"),
    Program("strace", "strace -V | head -1", "strace -- version"),
    Program("file, less", "file /bin/bash | less", "ELF 64-bit"),
    Program("kmod", "lsmod | head -1", "Module +Size"),
    Program("dash, zsh, fish", "dash -c 'trap \"echo trapped\" USR1; kill -USR1 $$; ulimit -n' && "
            "zsh -fc 'x=\"a b c\"; print ${(j:,:)${(s: :)x}}; sleep .1 & wait $!; print $?' && fish -c 'for i in (seq 2); echo fish$i; end | string upper'",
            "^trapped\n\\d+\na,b,c\n0\nFISH1\nFISH2$"),
    Program("diff, patch, cmp", "seq 100 > a && sed 's/^50$/fifty/' a > b; diff -u a b > d; patch -s a < d && cmp a b && diff3 a b a && echo patched",
            "^patched$"),
    Program("ed, bc, m4", "printf '1,$s/o/0/g\\nw e\\nq\\n' | ed -s /etc/passwd > /dev/null; head -c 4 e; echo; echo 'scale=20; 4*a(1)' | bc -l; "
            "echo 'define(x, $1$1)x(ab)' | m4", "^r00t\n3.14159265358979323844\nabab"),
    Program("bison, flex", "printf '%%%%\\n[0-9]+ return 1;\\n\\\\n return 2;\\n%%%%\\nint yywrap(void){return 1;}\\nint main(){int n=0,t;while((t=yylex()))n+=t==1;"
            "printf(\"%%d numbers\\\\n\",n);return 0;}\\n' > l.l && flex l.l && gcc lex.yy.c -o l && echo 12x34 5 | ./l && "
            "printf '%%token A\\n%%%%\\ns: | s A;\\n' > y.y && bison y.y && wc -l < y.tab.c", "3 numbers\n\\d{3,}"),
    Program("cpio, zip, bzip2, lz4, pigz", "cd /etc && find . -type f | cpio -o --quiet -H newc > $OLDPWD/c && cd $OLDPWD && mkdir x && cd x && "
            "cpio -idm --quiet < ../c && diff -q passwd /etc/passwd && zip -qr ../z.zip . && unzip -tq ../z.zip && "
            "for by in bzip2 lz4 pigz; do $by -c < ../c | $by -dc | cmp - ../c && echo $by; done", "No errors(.|\n)*bzip2\nlz4\npigz"),
    Program("busybox", "busybox sh -c 'busybox seq 5 | busybox awk \"{ s += \\$1 } END { print s }\"; busybox ps | busybox grep -c busybox; busybox df /dev/shm | busybox wc -l'",
            "^15\n[1-9]\n[23]$"),
    Program("jq, xxd, column, tree", "echo '{\"a\":[1,{\"b\":\"c\"}]}' | jq -c '.a[1].b, (.a | length)'; head -c 4 /bin/ls | xxd; mkdir -p t/u/v; tree t; "
            "printf 'a b\\nccc d\\n' | column -t", "\"c\"\n2\n00000000: 7f45 4c46(.|\n)*3 directories(.|\n)*a    b"),
    Program("rsync", "rsync -a /etc/ r/ && echo x >> r/passwd && rsync -a --delete --itemize-changes /etc/ r/ && diff -r --no-dereference /etc r && echo same",
            "passwd(.|\n)*^same$"),
    Program("openssl", "openssl speed -seconds 1 sha256 2> /dev/null | tail -1; openssl s_client -help 2>&1 | head -1; openssl genrsa -out k 2048 && "
            "openssl req -x509 -key k -subj /CN=kumo -days 9 -out c && openssl verify -CAfile c c && openssl enc -aes-256-cbc -pbkdf2 -k p -in /etc/passwd | "
            "openssl enc -d -aes-256-cbc -pbkdf2 -k p | cmp - /etc/passwd && echo same; openssl rand -hex 8", r"^sha256 .*\nUsage: s_client(.|\n)*c: OK\nsame\n\w{16}"),
    Program("nginx, curl", "mkdir www logs && echo served > www/index.html && printf 'daemon on; worker_processes 2; pid %s/pid; error_log %s/logs/e; "
            "events { worker_connections 64; } http { access_log off; client_body_temp_path %s; proxy_temp_path %s/p; fastcgi_temp_path %s/f; "
            "uwsgi_temp_path %s/u; scgi_temp_path %s/g; server { listen unix:%s/s; root %s/www; } }' $PWD $PWD $PWD $PWD $PWD $PWD $PWD $PWD $PWD > n.conf && "
            "chmod 755 . www && nginx -t -c $PWD/n.conf && nginx -c $PWD/n.conf && curl -s --unix-socket s http://kumo/ && "
            "seq 40 | xargs -P4 -n5 sh -c 'for i; do curl -s --unix-socket s http://kumo/; done' - | sort | uniq -c; nginx -c $PWD/n.conf -s reload; sleep 1; "
            "curl -s --unix-socket s http://kumo/; kill $(cat pid); sleep 1; test -e pid || echo stopped", "successful\nserved\n +40 served\n(.|\n)*served\nstopped"),
    Program("memcached, nc", "memcached -u root -s $PWD/s -t 4 & sleep 1; printf 'set k 0 0 5\\r\\nvalue\\r\\nget k\\r\\nquit\\r\\n' | nc -NU s; kill $!; wait", "STORED\r?\nVALUE k 0 5\r?\nvalue"),
    Program("socat", "socat UNIX-LISTEN:s,fork EXEC:'tr a-z A-Z' & sleep .5; echo hello | socat -t2 - UNIX-CONNECT:s; echo pty | socat -t2 - EXEC:cat,pty,raw,echo=0; kill $!",
            "HELLO\npty"),
    Program("screen", "mkdir -p -m 777 /run/screen; screen -dmS k sh -c 'echo in screen; sleep 20'; sleep 2; screen -S k -X hardcopy $PWD/h; sleep 1; cat h; screen -ls; screen -S k -X quit",
            "in screen(.|\n)*1 Socket"),
    Program("expect, tclsh", "expect -c 'spawn bash --norc; expect \"# \"; send \"echo \\$((6*7))\\r\"; expect -re {\\n42}; send \"exit\\r\"; expect eof'; "
            "echo 'set f [open \"|sort -r\" r+]; puts $f \"a\\nb\"; close $f write; puts [read $f]; after 100 {puts later; exit}; vwait x' | tclsh",
            "[\r\n]42\r*\n(.|\n)*exit(.|\n)*b\r*\na\r*\n+later"),
    Program("ruby", "ruby -e 'r, w = IO.pipe; fork { r.close; w.puts 6 * 7 }; w.close; puts r.read; Process.wait; puts (1..4).map { |i| Thread.new { sleep 0.05; i * i } }.sum(&:value)'", "^42\n30$"),
    Program("dbus", "dbus-daemon --session --address=unix:path=$PWD/bus --print-pid --fork > pid && export DBUS_SESSION_BUS_ADDRESS=unix:path=$PWD/bus && "
            "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixProcessID string:org.freedesktop.DBus; "
            "dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames; kill $(cat pid)", "uint32 \\d+(.|\n)*org.freedesktop.DBus"),
    Program("systemd's tools", "systemctl --version | head -1; systemd-id128 new; systemd-path user; printf 'd %s/made 0750 nobody nogroup\\n' $PWD > t.conf && systemd-tmpfiles --create $PWD/t.conf && "
            "stat -c '%A %U' made; systemd-escape --path /a/b-c; journalctl --version | head -1", "systemd 252(.|\n)*drwxr-x--- nobody\na-b"),
    Program("useradd, login", "useradd -m -s /bin/bash -u 1234 person && echo person:secret | chpasswd && id person && su -l person -c 'pwd; id -un; umask' && "
            "usermod -aG tty person && su person -c 'id -Gn' && (sleep 1; echo 'echo in a login as $LOGNAME; tty'; sleep 1; echo exit) | script -qc 'login -f person' log > /dev/null; "
            "grep -a 'in a login as person' log; userdel -r person; ! id person", "uid=1234(.|\n)*/home/person\nperson\n0022\nperson tty\n(.|\n)*in a login as person(.|\n)*no such user"),
    Program("ldconfig, getent, iconv", "ldconfig && ldconfig -p | grep -c so && getent passwd root && getent hosts localhost; echo grün | iconv -f utf-8 -t latin1 | xxd -p; locale charmap", "root:x:0:0(.|\n)*6772fc6e0a\nUTF-8"),
    Program("apt", "apt-get --version | head -1; dpkg -l | grep -c ^ii; dpkg -V base-files; apt-cache policy bash | head -3; apt-get -s remove jq | grep Remv", "^apt 2(.|\n)*Installed(.|\n)*Remv jq"),
    Program("fuser, killall, pstree", "sleep 66 & exec 7> held; fuser held; pstree -p $$ | head -1; killall -v sleep; wait; peekfd -h 2>&1 | head -1", "\\d+(.|\n)*bash\\(\\d+\\)(.|\n)*Killed sleep"),
    Program("inotifywait, tail -f", "mkdir w; inotifywait -qm -t 3 --format '%e %f' w > log & sleep 1; touch w/a; mv w/a w/b; rm w/b; wait; cat log; : > f; tail -f f > o & sleep .5; echo followed >> f; sleep 1.5; "
            "kill $!; cat o", "CREATE a(.|\n)*MOVED_FROM a\nMOVED_TO b\nDELETE b\nfollowed"),
    Program("setfacl, setfattr", "mount -t tmpfs none /mnt && cd /mnt && touch f && setfattr -n trusted.k -v v f && getfattr -n trusted.k --only-values f; echo; setfacl -m u:nobody:r f && getfacl f; cd / && umount /mnt", "^v\n(.|\n)*user:nobody:r--"),
    Program("fakeroot", "cp -r /etc e; chown -R nobody e .; chmod 777 .; setpriv --reuid=65534 --clear-groups fakeroot sh -c 'touch o; chown daemon o; stat -c %U o; id -un'", "^daemon\nroot$"),
    Program("nice, taskset, chrt, prlimit, timeout", "nice -n 5 nice; taskset -c 1 nproc; chrt -f 10 chrt -p 0 | head -1; prlimit --nofile=99 sh -c 'ulimit -n'; timeout .3 sleep 9; echo $?; "
            "command time -f '%x %c' true; ionice -c2 -n3 ionice; renice -n 3 -p $$; stdbuf -oL echo line; nohup true; setsid true && env -i /bin/echo e", "^5\n1\n(.|\n)*SCHED_FIFO\n99\n124\n0 \\d+\nbest-effort: prio 3"),
    Program("lsns, findmnt, lslocks, dmesg", "findmnt -no FSTYPE /proc; flock l sleep 1 & sleep .3; lslocks | grep -c FLOCK; dmesg | tail -1; lsmem --summary | head -1; ipcs -q | head -2; lsns -no TYPE -p $$ | wc -l; "
            "wdctl -V; hexdump -C /etc/hostname | tail -1; fallocate -l 1M f && stat -c %s f; mcookie; uuidgen", "^proc\n[1-9]\d*\n(.|\n)*1048576\n\\w{32}\n\\w{8}-"),
    Program("ccache", "export CCACHE_DIR=$PWD/c; printf 'int main(){return 0;}' > a.c; for i in 1 2; do ccache gcc -c a.c; done; ccache -s", "Hits: +1 /"),
    Program("mkfs.ext4, e2fsck", "truncate -s 16M i && mkfs.ext4 -q i && debugfs -wR 'write /etc/passwd p' i && debugfs -R 'cat p' i | cmp - /etc/passwd && e2fsck -fp i && echo whole", "^whole$"),
    Program("git, larger", "git init -q g && cd g && git config user.email a@b && git config user.name n && for i in $(seq 6); do for j in $(seq 6); do mkdir -p d$j && seq $((i * j)) $((i * j + 400)) > d$j/f$i; done; "
            "git add . && git commit -qm $i || exit; done; git -c pack.threads=4 -c gc.auto=0 repack -adfq --depth=20 --window=20 && git gc -q && git fsck --full && git count-objects -v && "
            "git checkout -qb b HEAD~2 && git merge -q -m m master && git worktree add -q ../w && git stash list && git log --oneline | wc -l && git grep -c 404 | wc -l", "packs: 1(.|\n)*^6\n\\d+$"),
    Program("sqlite3, two writers", "sqlite3 d 'pragma journal_mode=wal; create table t(x)'; for p in 1 2 3; do (for i in $(seq 30); do sqlite3 -cmd '.timeout 20000' d \"insert into t values($p$i)\" || echo FAILED; done) & done; "
            "wait; sqlite3 d 'select count(*), count(distinct x) from t; pragma integrity_check; pragma wal_checkpoint(truncate)'", "^90\\|90\nok\n0\\|"),
    Program("ssh-keygen, ssh-agent", "ssh-keygen -q -t ed25519 -N '' -f k && eval $(ssh-agent -a $PWD/s) && ssh-add k && ssh-add -l && ssh -V; ssh-agent -k", "ED25519(.|\n)*OpenSSH_9"),
    Program("perl, threads", "perl -Mthreads -Mthreads::shared -e 'my $n :shared = 0; $_->join for map { threads->create(sub { for (1 .. 100) { lock $n; $n++ } }) } 1 .. 8; print \"$n\\n\"; "
            "use IPC::Open3; my $p = open3(my $i, my $o, undef, \"cat\"); print $i \"through\\n\"; close $i; print <$o>; waitpid $p, 0'", "^800\nthrough$"),
    Program("coprocesses", "coproc tr a-z A-Z; echo up >&${COPROC[1]}; exec {COPROC[1]}>&-; cat <&${COPROC[0]}; gawk 'BEGIN { c = \"sort\"; print \"b\\na\" |& c; close(c, \"to\"); while ((c |& getline l) > 0) print l }'; "
            "mkfifo p; (echo fifo > p) & cat p", "UP\na\nb\nfifo"),
    Program("python3, pools", "python3 -c 'import asyncio, concurrent.futures as f\nasync def m():\n  p = await asyncio.create_subprocess_exec(\"cat\", stdin=-1, stdout=-1)\n  print(await p.communicate(b\"x\"))\n"
            "  print(sum(await asyncio.gather(*[asyncio.sleep(.1, i) for i in range(50)])))\nif __name__ == \"__main__\":\n  asyncio.run(m())\n  with f.ProcessPoolExecutor(4) as e: print(sum(e.map(abs, range(-50, 0))))\n"
            "  with f.ThreadPoolExecutor(8) as e: print(sum(e.map(abs, range(-50, 0))))'", "\\(b'x', None\\)\n1225\n1275\n1275"),
    Program("parallel", "seq 20 | parallel -j4 'echo $(({} * 2))' | sort -n | tail -1", "^40$"),
    Program("screens in tmux", "export TERM=xterm; s() { tmux new-session -d -x 100 -y 30 -s s \"$1\"; sleep 5; tmux capture-pane -pt s; tmux send-keys -t s q; sleep 1; tmux kill-session -t s; }; "
            "s 'top -d 1'; s 'htop -d 10'; s 'watch -n1 uptime'; s 'less /etc/passwd'; s 'nano /etc/hostname'; tmux kill-server; true", "Tasks:.*total(.|\n)*Load average(.|\n)*Every 1.0s: uptime(.|\n)*root:x:0:0(.|\n)*GNU nano"),
    Program("vim in tmux", "tmux new-session -d -x 80 -y 24 -s v 'vim -u NONE f'; sleep 3; tmux send-keys -t v 'ihello' Escape ':wq' Enter; sleep 3; tmux kill-server 2> /dev/null; cat f", "^hello$"),
    Program("cron", "printf '* * * * * root echo ran > %s/ran\\n' $PWD > /etc/cron.d/k; cron -f & for i in $(seq 75); do test -s ran && break; sleep 1; done; kill $!; rm /etc/cron.d/k; cat ran", "^ran$"),
    Program("make -j4, Lua's source", "cp -r /programs/lua5.4/* . && make -j4 -C src lua CFLAGS='-O1 -DLUA_USE_POSIX' > log 2>&1 || tail -5 log; src/lua -e 'print(_VERSION, collectgarbage(\"count\") > 0)'", "Lua 5.4\ttrue"),
)

@dataclass
class Suite:
    """A program's own tests."""
    name: str
    which: str  # for the docs
    command: str  # says as Python's tests do how many ran and which failed: "FAIL: test (name)", "Ran 9 tests in"


def python(name, *patterns):
    """One of Python's own, and of it only what matches one of the patterns."""
    words = ["python3", "-m", "test", "-v", name]
    for pattern in patterns:
        words += ["-m", pattern]
    return Suite(name, ", ".join(f"`{pattern}`" for pattern in patterns) or "all", " ".join(map(shlex.quote, words)))


SUITES = (
    python("test_os"),
    python("test_subprocess"),
    python("test_threading"),
    python("test_signal"),
    python("test_socket", "*Unix*", "*UNIX*", "*SCM*", "*SocketPair*", "*Sendmsg*Stream*", "*TestExceptions*", "*CreateServer*"),
    python("test_mmap"),
    python("test_select"),
    python("test_poll"),
    python("test_epoll"),
    python("test_selectors"),
    python("test_tempfile"),
    python("test_shutil"),
    python("test_multiprocessing_fork", *(f"*WithProcessesTest{each}*" for each in (
        "Process", "Queue", "Lock", "Semaphore", "Condition", "Event", "Value", "Connection")), "*SharedMemory*"),
    python("test_multiprocessing_spawn", "*WithProcessesTestQueue*", "*WithProcessesTestLock*", "*WithProcessesTestConnection*"),
    python("test_posix"),
    python("test_fcntl"),
    python("test_pty"),
)
