"""gdb commands for a Kumo kernel: gdb -x scripts/kumo-gdb.py build/release/kumo

On start it connects to QEMU (scripts/kumo run --gdb, port 1234) and adds these commands:

    kumo-modules   loaded modules and where their text lies
    kumo-symbols   load the symbols of all loaded modules (again after a module came or went)
    kumo-ps        processes and threads, their state and kernel stack
    kumo-log       the kernel's log
"""
import glob
import os

import gdb

POINTER = gdb.lookup_type('char').pointer()
STATES = {0: 'R', 1: 'S', 2: 'D', 4: 'D', 8: 'T', 16: 'Z'}


def entries(head, type_name, member):
    """The objects on a struct list, by their link member."""
    kind = gdb.lookup_type(type_name)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    at = head['next']
    while int(at) != int(head.address):
        yield (at.cast(POINTER) - offset).cast(kind.pointer()).dereference()
        at = at['next']


def modules():
    return entries(gdb.parse_and_eval('module_list'), 'struct module', 'link')


class Modules(gdb.Command):
    """Loaded modules and where their text lies."""

    def __init__(self):
        super().__init__('kumo-modules', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for module in modules():
            print(f"{module['name'].string():24} {int(module['text'].cast(gdb.lookup_type('long'))) & (1 << 64) - 1:#x}")


class Symbols(gdb.Command):
    """Load the symbols of all loaded modules."""

    def __init__(self):
        super().__init__('kumo-symbols', gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        build = os.path.dirname(gdb.objfiles()[0].filename)
        files = {os.path.basename(f)[:-3].replace('-', '_'): f
                 for f in glob.glob(build + '/**/*.ko', recursive=True) if '/stage/' not in f}
        for module in modules():
            name = module['name'].string()
            if name in files:
                gdb.execute(f"add-symbol-file {files[name]} {int(module['text']):#x}", to_string=True)
                print(f'{name}: {files[name]}')
            else:
                print(f'{name}: no file in {build}')


class Processes(gdb.Command):
    """Processes and threads."""

    def __init__(self):
        super().__init__('kumo-ps', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(f"{'TID':>7} S {'CPU':>3} {'STACK':18} NAME")
        for thread in entries(gdb.parse_and_eval('all_threads'), 'struct thread', 'all_link'):
            print(f"{int(thread['pid']):7} {STATES.get(int(thread['state']), '?')} {int(thread['cpu']):3} "
                  f"{int(thread['stack']):#018x} {thread['name'].string()}")


class Log(gdb.Command):
    """The kernel's log."""

    def __init__(self):
        super().__init__('kumo-log', gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        log_print()


for command in Modules, Symbols, Processes, Log:
    command()
gdb.execute('set pagination off')
gdb.execute('target remote :1234')
