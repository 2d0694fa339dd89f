#!/bin/bash
# The machine's own screen and keyboard, through GRUB's framebuffer: their modules load by alias, keys arrive as a line, and
# the screen shows text, also when the machine ends.
# seconds: 200
. "$ROOT/tests/host/lib.sh"
plan 3
folder=$(mktemp -d)

guest='modprobe -qa $(cat /sys/bus/platform/devices/*/modalias); echo "Type:" > /dev/tty1; echo ready
	read -r line < /dev/tty1; echo "typed $line"'

# Types through QEMU's monitor once the guest is ready, and takes a picture of the screen.
typist()
{
	/usr/bin/python3 - "$folder" <<-'END'
	import socket, sys, time
	folder = sys.argv[1]
	def wait(ready):
	    for _ in range(600):
	        if ready():
	            return
	        time.sleep(0.1)
	    sys.exit("nothing came in a minute")
	def out():
	    try:
	        return open(folder + "/out").read()
	    except OSError:
	        return ""
	wait(lambda: "ready" in out())
	monitor = socket.socket(socket.AF_UNIX)
	monitor.connect(folder + "/monitor")
	for key in "h e l l o spc shift-k u m o".split():
	    monitor.send(f"sendkey {key} 20\n".encode())
	    time.sleep(0.1)
	monitor.send(f"screendump {folder}/screen.ppm\n".encode())
	time.sleep(1)
	monitor.send(b"sendkey ret\n")
	wait(lambda: "typed" in out())
	END
}

typing()
{
	kumo --iso --qemu "-vga std -monitor unix:$folder/monitor,server,nowait" -- sh -c "$guest" > "$folder/out" &
	typist
	wait $!
	cat "$folder/out"
	grep -qx 'typed hello Kumo' "$folder/out"
}

# A line of glyphs lights some hundreds of pixels.
lit()
{
	/usr/bin/python3 -c '
import sys
pixels = open(sys.argv[1], "rb").read().split(b"\n", 3)[3]
lit = sum(byte > 64 for byte in pixels) // 3
print(lit, "pixels are lit")
sys.exit(lit < 300)' "$folder/screen.ppm"
}

# The machine panics and stays; before and after that a picture is taken. With one processor no thread draws any more.
panicking()
{
	KUMO_REPORTS='' kumo --iso --smp 1 --cmdline panic=0 --qemu "-vga std -monitor unix:$folder/monitor2,server,nowait" -- sh -c \
		"modprobe vt; echo ready; sleep 2; modprobe faults fault=stack" > "$folder/out2" 2>&1 &
	/usr/bin/python3 - "$folder" <<-'END'
	import socket, sys, time
	folder = sys.argv[1]
	def lit(name):
	    monitor.send(f"screendump {folder}/{name}\n".encode())
	    time.sleep(1)
	    pixels = open(f"{folder}/{name}", "rb").read().split(b"\n", 3)[3]
	    return sum(byte > 64 for byte in pixels) // 3
	for _ in range(600):
	    if "ready" in open(folder + "/out2").read():
	        break
	    time.sleep(0.1)
	monitor = socket.socket(socket.AF_UNIX)
	monitor.connect(folder + "/monitor2")
	before = lit("before.ppm")
	for _ in range(15):
	    time.sleep(1)
	    after = lit("after.ppm")
	    if after > before + 3000:
	        break
	monitor.send(b"quit\n")
	print(f"{before} pixels are lit before, {after} after")
	sys.exit(after <= before + 3000)
	END
	local result=$?
	wait
	return $result
}

check 'keys arrive as a line' typing
check 'the screen shows text' lit
check 'and what a panic says' panicking
rm -rf "$folder"
