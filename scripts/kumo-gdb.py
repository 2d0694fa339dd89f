"""gdb commands for a Kumo kernel: gdb -x scripts/kumo-gdb.py build/release/kumo

On start it connects to QEMU (scripts/kumo run --gdb, port 1234; or what KUMO_GDB names) and adds these commands:

    kumo-modules   loaded modules and where their text lies
    kumo-symbols   load the symbols of all loaded modules (again after a module came or went)
    kumo-bt TID    where a thread that does not run sleeps
    kumo-ps        processes and their threads, and what each CPU runs
    kumo-log       the kernel's log

They read the memory of a kernel that has set up its page table: not before kernel_main().
"""
import glob
import os

import gdb

POINTER = gdb.lookup_type('char').pointer()
STATES = {0: 'R', 1: 'S', 2: 'D', 4: 'D', 8: 'T', 16: 'Z'}
RECORD_SKIP = 0xffff  # kernel/printk.c: LOG_RECORD_SKIP


def address(value):
    return int(value.cast(gdb.lookup_type('unsigned long')))


def member(link, type_name, field):
    """The object whose member `field` is *link."""
    kind = gdb.lookup_type(type_name)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == field)
    return (link.cast(POINTER) - offset).cast(kind.pointer()).dereference()


def entries(head, type_name, field):
    """The objects on a struct list."""
    at = head['next']
    while at != head.address:
        yield member(at, type_name, field)
        at = at['next']


def modules():
    at = gdb.lookup_global_symbol('modules').value()['first']
    while at:
        yield member(at, 'struct module', 'link')
        at = at['next']


def processes(parent):
    for process in entries(parent['children'], 'struct process', 'sibling'):
        yield process
        yield from processes(process)


class Modules(gdb.Command):
    """Loaded modules and where their text lies."""

    def __init__(self):
        super().__init__('kumo-modules', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for module in modules():
            print(f"{address(module['core']):#x} {module['name'].string()}")


class Symbols(gdb.Command):
    """Load the symbols of all loaded modules."""

    def __init__(self):
        super().__init__('kumo-symbols', gdb.COMMAND_FILES)
        self.loaded = []

    def invoke(self, argument, from_tty):
        build = os.path.dirname(gdb.objfiles()[0].filename)
        files = {os.path.basename(f)[:-3].replace('-', '_'): f
                 for f in glob.glob(build + '/**/*.ko', recursive=True) if '/stage/' not in f}
        for file in self.loaded:
            gdb.execute(f'remove-symbol-file {file}', to_string=True)
        self.loaded = []
        for module in modules():
            name = module['name'].string()
            if name not in files:
                print(f'{name}: no file in {build}')
                continue
            places = []
            for i in range(int(module['section_count'])):
                section = module['sections'][i]
                places.append(f"-s {section['name'].string()} {address(section['address']):#x}")
            gdb.execute(f"add-symbol-file {files[name]} {' '.join(places)}", to_string=True)
            self.loaded.append(f"-a {address(module['core']):#x}")
            print(f'{name}: {files[name]}')


class Processes(gdb.Command):
    """Processes and their threads, and what each CPU runs."""

    def __init__(self):
        super().__init__('kumo-ps', gdb.COMMAND_DATA)

    def show(self, thread):
        process = thread['process']
        number = int(process['pid']) if process else 0
        print(f"{number:7} {int(thread['pid']):7} {STATES.get(int(thread['state']), '?')} {int(thread['cpu']):3} "
              f"{address(thread['stack']):#018x} {thread['name'].string()}")

    def invoke(self, argument, from_tty):
        print(f"{'PID':>7} {'TID':>7} S {'CPU':>3} {'STACK':18} NAME")
        for process in processes(gdb.parse_and_eval('kernel_process')):
            for thread in entries(process['threads'], 'struct thread', 'process_link'):
                self.show(thread)
        print('On the CPUs:')
        here = gdb.parse_and_eval('&current_thread')
        for cpu in range(int(gdb.parse_and_eval('cpu_count'))):
            offset = gdb.parse_and_eval(f'per_cpu_offset[{cpu}]')
            self.show((here.cast(POINTER) + offset).cast(here.type).dereference().dereference())


class Backtrace(gdb.Command):
    """Where a thread that does not run sleeps: kumo-bt TID. Follows the frame pointers from where it was switched away."""

    SAVED_BP, SAVED_IP = 40, 48  # above the saved stack pointer (arch/x86/switch.S)

    def __init__(self):
        super().__init__('kumo-bt', gdb.COMMAND_STACK)

    def word(self, at):
        return int.from_bytes(gdb.selected_inferior().read_memory(at, 8), 'little')

    def invoke(self, argument, from_tty):
        for process in processes(gdb.parse_and_eval('kernel_process')):
            for thread in entries(process['threads'], 'struct thread', 'process_link'):
                if int(thread['pid']) == int(argument):
                    self.show(thread)

    def show(self, thread):
        stack = address(thread['arch']['stack_pointer'])
        frame, ip = self.word(stack + self.SAVED_BP), self.word(stack + self.SAVED_IP)
        low = address(thread['stack'])
        while ip:
            print(f"{ip:#x} {gdb.execute(f'info symbol {ip:#x}', to_string=True).strip()}")
            if not low < frame < low + (1 << 14):
                break
            frame, ip = self.word(frame), self.word(frame + 8)


class Log(gdb.Command):
    """The kernel's log."""

    def __init__(self):
        super().__init__('kumo-log', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        ring = next(s.value() for s in gdb.lookup_static_symbols('ring') if 'first' in s.type)
        size = int(ring['size'])
        header = gdb.lookup_type('struct stored_record')
        at = int(ring['first']['position'])
        while at < int(ring['next']['position']):
            left = size - at % size
            record = (ring['data'] + at % size).cast(header.pointer()).dereference() if left >= header.sizeof else None
            if record is None or int(record['length']) == RECORD_SKIP:
                at += left
                continue
            length = int(record['length'])
            text = gdb.selected_inferior().read_memory(address(record['text'].address), length).tobytes()
            seconds, rest_ns = divmod(int(record['time_ns']), 10**9)
            print(f"[{seconds:5}.{rest_ns // 1000:06}] {text.decode(errors='replace').rstrip()}")
            at += (header.sizeof + length + 7) & ~7


for command in Modules, Symbols, Processes, Backtrace, Log:
    command()
gdb.execute('set pagination off')
gdb.execute('target remote ' + os.environ.get('KUMO_GDB', ':1234'))
