# Kumo: kernel, modules, initramfs, tests. `make help` says what there is to make.
#
# Everything made lies in build/$(BUILD)/, in the folders of its source. Core sources are found, not listed: every .c and .S
# below $(core_folders). Modules are listed by their folder's Kbuild (obj-m := a.o, a-y := part.o ...), as Linux has it;
# every *_test.c, wherever it lies, is a module of its own.

BUILD ?= release
B := build/$(BUILD)
RELEASE := 6.1.0-kumo
# kmod compares this string with Linux's rules: the blank at the end belongs to it.
VERMAGIC := $(RELEASE) SMP mod_unload modversions$(if ,) $(if ,)

ifeq ($(filter release debug lines,$(BUILD)),)
$(error BUILD is release, debug or lines, not '$(BUILD)')
endif

MAKEFLAGS += -rR -j$(shell nproc)
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -ec
.DELETE_ON_ERROR:
.SUFFIXES:
export LC_ALL := C
export SOURCE_DATE_EPOCH := 1

CC := gcc
LD := ld
NM := nm
STRIP := strip
PYTHON := /usr/bin/python3
genksyms := $(lastword $(sort $(wildcard /usr/lib/linux-kbuild-*/scripts/genksyms/genksyms)))

# `$(call say,WHAT,FILE)` before a command prints one short line instead of it; V=1 shows the commands, make -s nothing.
silent := $(findstring s,$(firstword -$(filter-out --%,$(MAKEFLAGS))))
say = $(if $(V),,$(if $(silent),@,@printf '  %-9s %s\n' '$(1)' '$(2)';))

# ---- Flags ----------------------------------------------------------------------------------------------------------

includes := -nostdinc -isystem $(shell $(CC) -print-file-name=include) -I$(B)/include -Iinclude -Iarch/x86/include \
	-isystem /usr/include/x86_64-linux-gnu -isystem /usr/include
warnings := -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
flags_release := -O2
flags_debug := -O1 -Wno-maybe-uninitialized -DCONFIG_DEBUG=1
flags_lines := -O2 -DCONFIG_LINES=1 -fno-optimize-sibling-calls -Wno-tsan
# Paths in debug information and __FILE__ do not depend on where the tree lies.
prefix_map = -ffile-prefix-map=$(CURDIR)=.
machine_flags := -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -mpreferred-stack-boundary=3 -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables
common_flags := $(includes) $(prefix_map) $(flags_$(BUILD)) -g $(machine_flags)
c_flags := -std=gnu11 $(common_flags) $(warnings) -fno-strict-aliasing -fno-common -fwrapv -fno-omit-frame-pointer
# The debug build's sanitizers: of addresses (mm/asan; all checks are calls; the offset is arch/x86's SHADOW_OFFSET), and of
# undefined behaviour (lib/ubsan.c; arithmetic wraps, and the hardware sees null pointers); and the guards of frames
# (kernel/stack_check.c).
checks_debug := -fsanitize=kernel-address -fsanitize-address-use-after-scope -fasan-shadow-offset=0xdffffc0000000000 --param asan-globals=1 --param asan-stack=1 \
	--param asan-instrument-allocas=1 --param asan-instrumentation-with-call-threshold=0 \
	-fsanitize=bounds,shift,alignment,bool,enum,unreachable,vla-bound,integer-divide-by-zero,builtin \
	-fstack-protector-strong -mstack-protector-guard=global
# The build that counts cache lines (kernel/lines.c) has gcc call it before each access, in the core.
checks_lines = $(if $(modname),,-fsanitize=thread --param tsan-instrument-func-entry-exit=0)
checks = $(checks_$(BUILD))
asm_flags := $(common_flags) -D__ASSEMBLY__ -Wa,--fatal-warnings
module_flags = $(if $(modname),-DMODULE -DKBUILD_MODNAME='"$(modname)"',-DKBUILD_MODNAME='"kernel"')
link_flags := -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=sha1

# ---- Sources --------------------------------------------------------------------------------------------------------

core_folders := arch/x86 kernel mm fs block net lib
sources := $(shell find $(core_folders) modules -name '*.[cS]' -print 2>/dev/null | sort)
suites := $(filter %_test.c,$(sources))
core_sources := $(filter-out arch/x86/vdso/% $(suites) $(if $(filter lines,$(BUILD)),,kernel/lines.c),$(filter $(core_folders:%=%/%),$(sources)))
core_objects := $(addprefix $(B)/,$(addsuffix .o,$(basename $(core_sources))))
# Files with exported symbols also give a .symvers: the checksums of their types.
exporting := $(shell grep -l '^EXPORT_SYMBOL' $(filter %.c,$(sources)) /dev/null)
core_symvers := $(patsubst %.c,$(B)/%.symvers,$(filter $(core_sources),$(exporting)))

# zlib's inflate, from Debian's source package (scripts/setup puts it there).
zlib := build/zlib
zlib_flags := -w -DZ_SOLO -DHAVE_MEMCPY -I$(zlib) -include kumo/string.h
zlib_objects := $(addprefix $(B)/zlib/,inflate.o inffast.o inftrees.o zutil.o adler32.o crc32.o)

# zstd's decompressor, in the same way; of the module squashfs.
zstd := build/zstd
zstd_flags := -w -DZSTD_DISABLE_ASM=1 -DDYNAMIC_BMI2=0 -DZSTD_NO_INTRINSICS -DZSTD_LEGACY_SUPPORT=0 -DZSTD_TRACE=0 -DZSTD_DEPS_MALLOC \
	'-DZSTD_malloc(s)=0' '-DZSTD_calloc(n,s)=0' '-DZSTD_free(p)=(void)(p)' -DXXH_NAMESPACE=ZSTD_
zstd_objects := $(patsubst %,$(B)/zstd/%.o,common/entropy_common common/error_private common/fse_decompress common/xxhash common/zstd_common \
	decompress/huf_decompress decompress/zstd_ddict decompress/zstd_decompress decompress/zstd_decompress_block)

# ---- Modules --------------------------------------------------------------------------------------------------------

modules :=
module_objects :=
module_parts :=

# $(call module,PATH,PARTS): a module PATH.ko made of PARTS (paths without suffix); one part may be PATH itself.
define module
modules += $(O)$(1)
$(2:%=$(O)%.o) $(2:%=$(O)%.symvers) $(O)$(1).mod.o: modname := $(subst -,_,$(notdir $(1)))
module_parts += $(2:%=$(O)%.o)
parts_$(O)$(1) := $(2)
endef

# $(call kbuild,FOLDER/,FILE): the modules that a Kbuild file lists.
define kbuild
obj-m :=
include $(1)$(2)
$$(foreach o,$$(obj-m),$$(eval $$(call module,$(1)$$(o:.o=),$$(addprefix $(1),$$(basename $$(or $$($$(o:.o=)-y),$$(o)))))))
endef

ifeq ($(M),)
O := $(B)/
kbuilds := $(shell find modules -name Kbuild 2>/dev/null | sort)
$(foreach k,$(kbuilds),$(eval $(call kbuild,$(dir $(k)),$(notdir $(k)))))
$(foreach s,$(suites:.c=),$(eval $(call module,$(s),$(s))))
else
# A module outside the tree: everything is made beside its source.
O :=
outside := $(M:%/=%)/
$(eval $(call kbuild,$(outside),$(notdir $(firstword $(wildcard $(outside)Kbuild) $(outside)Makefile))))
exporting := $(shell grep -l '^EXPORT_SYMBOL' $(wildcard $(outside)*.c) /dev/null)
endif

module_objects := $(modules:%=%.o)
module_files := $(modules:%=%.ko)
module_symvers := $(patsubst %.c,$(O)%.symvers,$(filter $(patsubst $(O)%.o,%.c,$(module_parts)),$(exporting)))
repeated := $(shell printf '%s\n' $(notdir $(subst -,_,$(modules))) | sort | uniq -d)
ifneq ($(repeated),)
$(error two modules have the name $(repeated))
endif

# ---- Default and other goals ----------------------------------------------------------------------------------------

.PHONY: all run test bench iso help lint format format-check fuzz soak clean kernel modules setup
.DEFAULT_GOAL := all

ifneq ($(M),)
all: modules
else
all: kernel modules $(B)/initramfs.cpio $(B)/compile_commands.json
endif
kernel: $(B)/kumo
modules: $(module_files)

# The goals of people: the machine is made ready first. In a second make, so that what setup brings is seen.
ready = +@scripts/setup $(1) && $(MAKE) --no-print-directory BUILD=$(BUILD)
run:
	$(ready) all && exec scripts/kumo run --build $(BUILD)
test:
	$(call ready,fuzz) all tests && exec scripts/kumo test --build $(BUILD) $(FILTER)
bench:
	$(ready) all bench-programs && exec scripts/kumo bench --build $(BUILD) $(FILTER)
soak:
	$(call ready,fuzz) all tests bench-programs && exec scripts/kumo test --build $(BUILD) --soak $(FILTER)
fuzz:
	+@exec tests/fuzz/run --seconds $(or $(SECONDS),10) $(TARGETS)
iso:
	$(ready) $(B)/kumo.iso
setup:
	@scripts/setup

help:
	@printf '%s\n' \
	'make            the kernel, its modules and an initramfs, in build/$(BUILD)/' \
	'make run        boot into a shell in QEMU (scripts/kumo run --help has the options)' \
	'make test       run every suite and test; FILTER="page* boot" runs some' \
	'make bench      Kumo and Linux compared; FILTER="fork boot" measures some (docs/bench.md)' \
	'make soak       the long tests; FILTER="soak/guest/*" runs some' \
	'make fuzz       fuzz what parses; SECONDS=60 for each, TARGETS="cpio glob" only these' \
	'make iso        build/$(BUILD)/kumo.iso: boots through GRUB on BIOS and UEFI' \
	'make M=DIR      a module outside the tree; DIR/Makefile says obj-m := hello.o' \
	'make lint       layout, and what shellcheck and cppcheck find' \
	'make format     lay out every C file by .clang-format' \
	'make setup      install what Debian packages are missing (run and test do it, too)' \
	'make clean      remove build/$(BUILD)' \
	'BUILD=debug     the build with checks    V=1  show commands' \
	'BUILD=lines     the build that counts shared cache lines (scripts/kumo lines --help)' \
	'scripts/kumo --help says how to start a machine, test, measure and profile; docs/README.md what to read'

clean:
	rm -rf build/$(BUILD)

# ---- What forces a rebuild ------------------------------------------------------------------------------------------

# $(call keep,FILE,TEXT): FILE holds TEXT; written only when it differs.
keep = $(if $(if $(wildcard $(1)),$(call differs,$(strip $(file <$(1))),$(strip $(2))),new),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(strip $(2))))
differs = $(if $(and $(findstring x$(1)y,x$(2)y),$(findstring x$(2)y,x$(1)y)),,yes)
ifeq ($(M),)
$(call keep,$(B)/flags,$(c_flags) $(checks_$(BUILD)) | $(asm_flags) | $(link_flags) | $(zlib_flags))
$(call keep,$(B)/objects,$(core_objects))
$(call keep,$(B)/modules.list,$(modules))
endif

version_h := $(B)/include/generated/version.h
$(version_h): Makefile
	@mkdir -p $(@D) && printf '%s\n' '#define KUMO_RELEASE "$(RELEASE)"' '#define KUMO_VERMAGIC "$(VERMAGIC)"' \
		'#define KUMO_VERSION "#1 SMP Kumo $(BUILD)"' > $@

# ---- Compiling ------------------------------------------------------------------------------------------------------

# A file's dependencies serve its .o and its .symvers alike.
depend = -MMD -MP -MF $(@:.o=.d) -MT $@ -MT $(@:.o=.symvers)
compile = mkdir -p $(@D) && $(CC) $(c_flags) $(checks) $(module_flags) $(extra_flags) $(depend) -c $< -o $@
# genksyms leaves out what it cannot read: as many checksums as exports must come out.
checksum = mkdir -p $(@D) && text=$$(mktemp $@.XXXXXX) && trap 'rm -f "$$text" "$$text.out"' EXIT && \
	$(CC) -E -D__GENKSYMS__ $(c_flags) $(module_flags) $(extra_flags) $< > $$text && \
	$(genksyms) -r /dev/null < $$text > $$text.out && \
	if [ $$(grep -ao '__GENKSYMS_EXPORT_SYMBOL' $$text | wc -l) != $$(wc -l < $$text.out) ]; then \
		$(genksyms) -w -r /dev/null < $$text; echo '$<: an export without a checksum' >&2; exit 1; \
	fi && mv $$text.out $@

ifneq ($(outside),)
$(outside)%.o: $(outside)%.c $(B)/flags | $(version_h)
	$(call say,CC,$<)$(compile)
$(outside)%.symvers: $(outside)%.c $(B)/flags | $(version_h)
	$(call say,SYMVERS,$<)$(checksum)
endif
$(B)/%.o: %.c $(B)/flags | $(version_h)
	$(call say,CC,$<)$(compile)
$(B)/%.o: %.S $(B)/flags | $(version_h)
	$(call say,AS,$<)mkdir -p $(@D) && $(CC) $(asm_flags) $(module_flags) $(extra_flags) $(depend) -c $< -o $@
$(B)/%.symvers: %.c $(B)/flags | $(version_h)
	$(call say,SYMVERS,$<)$(checksum)
$(B)/zlib/%.o: $(zlib)/%.c $(B)/flags | $(version_h)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(c_flags) $(zlib_flags) $(depend) -c $< -o $@
$(B)/zstd/%.o: $(zstd)/lib/%.c $(B)/flags Makefile | $(version_h)
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(c_flags) $(zstd_flags) -DMODULE $(depend) -c $< -o $@
$(zstd)/lib/zstd.h:
	@scripts/setup
$(zstd_objects:$(B)/zstd/%.o=$(zstd)/lib/%.c): | $(zstd)/lib/zstd.h ;
$(B)/modules/fs/squashfs/squashfs.o: $(zstd_objects)
$(B)/modules/fs/squashfs/decompress.o: extra_flags := -isystem $(zstd)/lib
$(B)/modules/fs/squashfs/decompress.o: $(zstd)/lib/zstd.h
$(B)/lib/gunzip.o: extra_flags := -DZ_SOLO -isystem $(zlib)
$(B)/lib/gunzip.o: $(zlib)/zlib.h
$(zlib)/zlib.h:
	@scripts/setup
# Named, not by pattern: what a pattern makes is intermediate, and make deletes it.
$(zlib_objects:$(B)/zlib/%.o=$(zlib)/%.c): | $(zlib)/zlib.h ;

# Without the sanitizers' checks: they themselves; the slabs, which touch free objects, and the tracks at
# their ends; what writes a report, lest it be reported; the backtrace, which reads other functions' frames.
unchecked := $(patsubst %.c,%,$(filter-out %_test.c,$(wildcard mm/asan/*.c))) arch/x86/mm/shadow mm/slab mm/track kernel/report lib/ubsan arch/x86/oops
$(unchecked:%=$(B)/%.o): checks_debug :=
$(B)/kernel/lines.o: checks_lines :=

# The vDSO is a shared object of user space, and the kernel holds its bytes.
vdso := $(B)/arch/x86/vdso/vdso.so
vdso_flags := -std=gnu11 $(includes) $(prefix_map) -O2 $(warnings) -ffreestanding -fPIC -fvisibility=hidden -fno-common -fwrapv \
	-fno-stack-protector -fcf-protection=none -fasynchronous-unwind-tables -mgeneral-regs-only -nostdlib -shared -s \
	-Wl,-soname,linux-vdso.so.1 -Wl,--hash-style=both -Wl,--build-id=sha1 -Wl,-Bsymbolic -Wl,--eh-frame-hdr \
	-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack
$(vdso): arch/x86/vdso/vdso.c arch/x86/vdso/vdso.lds $(B)/flags | $(version_h)
	$(call say,VDSO,$@)mkdir -p $(@D) && $(CC) $(vdso_flags) -Wl,-T,arch/x86/vdso/vdso.lds \
		-MMD -MP -MF $(vdso:.so=.d) -MT $@ -o $@ $<
$(B)/arch/x86/vdso_image.o: $(vdso)
$(B)/arch/x86/vdso_image.o: extra_flags := -Wa,-I$(B)

# The screen's glyphs come from GRUB's font.
font := $(B)/modules/drivers/vt/font
$(font).c: scripts/font /usr/share/grub/unicode.pf2
	$(call say,FONT,$@)mkdir -p $(@D) && scripts/font /usr/share/grub/unicode.pf2 $@
$(font).o: extra_flags := -Imodules/drivers/vt
$(font).o: $(font).c $(B)/flags
	$(call say,CC,$<)$(compile)

-include $(vdso:.so=.d) $(core_objects:.o=.d) $(module_parts:.o=.d) $(zlib_objects:.o=.d) $(modules:%=%.mod.d)

# ---- The kernel -----------------------------------------------------------------------------------------------------

# modpost touches its outputs only when they change; the stamp says when it last looked.
$(B)/ksymtab.stamp: $(core_symvers) $(B)/objects scripts/modpost
	$(call say,MODPOST,kernel)scripts/modpost kernel --out $(B)/ksymtab.c --symvers-out $(B)/kernel.symvers $(core_symvers) && \
		touch $@
$(B)/ksymtab.c $(B)/kernel.symvers: $(B)/ksymtab.stamp
	@:
$(B)/ksymtab.o: $(B)/ksymtab.c $(B)/flags
	$(call say,CC,$<)$(compile)

$(B)/kumo.lds: arch/x86/kumo.lds $(B)/flags
	$(call say,LDS,$<)mkdir -p $(@D) && $(CC) -E -P -x assembler-with-cpp $(asm_flags) -MMD -MF $(B)/kumo.lds.d -MT $@ $< -o $@
-include $(B)/kumo.lds.d

$(B)/kumo: $(B)/kumo.lds $(core_objects) $(zlib_objects) $(B)/ksymtab.o $(B)/objects scripts/link-kernel scripts/kallsyms
	$(call say,LINK,$@)CC='$(CC)' LD='$(LD) $(link_flags)' NM='$(NM)' PYTHON='$(PYTHON)' \
		scripts/link-kernel $@ $(B)/kumo.lds $(core_objects) $(zlib_objects) $(B)/ksymtab.o

# ---- Modules, as Linux makes them -----------------------------------------------------------------------------------

# A module of one part that has its name is that part; others are linked together.
define link_module
$(if $(filter-out $(patsubst $(O)%,%,$(1)),$(parts_$(1))),
$(1).o: $(parts_$(1):%=$(O)%.o)
	$$(call say,LD,$$@)$(LD) -r -o $$@ $$^
)
$(1).mod.c: $(stamp)
	@:
$(1).mod.o: $(1).mod.c $(B)/flags
	$$(call say,CC,$$<)$$(compile)
$(1).ko: $(1).o $(1).mod.o $(wildcard scripts/module.lds)
	$$(call say,LD,$$@)$(LD) -r --build-id=sha1 $(addprefix -T ,$(wildcard scripts/module.lds)) -o $$@ $(1).o $(1).mod.o
endef

ifneq ($(outside),)
stamp := $(outside)modpost.stamp
symvers_in := $(B)/Module.symvers
symvers_out := $(outside)Module.symvers
$(B)/Module.symvers $(B)/flags:
	@echo 'make: the kernel is not built for BUILD=$(BUILD): run make first' >&2; exit 1
else
stamp := $(B)/modpost.stamp
symvers_in := $(B)/kernel.symvers
symvers_out := $(B)/Module.symvers
$(stamp): $(B)/modules.list
endif
$(foreach m,$(modules),$(eval $(call link_module,$(m))))

# modpost takes a module's checksums from PATH.symvers: those of its parts, put together where there are several.
$(stamp): $(module_objects) $(module_symvers) $(symvers_in) scripts/modpost
	$(call say,MODPOST,$(words $(modules)) modules)$(foreach m,$(modules),$(call gather,$(m)))scripts/modpost modules \
		--vermagic '$(VERMAGIC)' --symvers-in $(symvers_in) --symvers-out $(symvers_out) $(module_objects) && touch $@
gather = $(if $(filter-out $(patsubst $(O)%,%,$(1)),$(parts_$(1))),cat \
	$(filter $(parts_$(1):%=$(O)%.symvers),$(module_symvers)) /dev/null > $(1).symvers; )

# ---- User space and the initramfs -----------------------------------------------------------------------------------

user_programs := $(patsubst user/%.c,$(B)/user/%,$(sort $(wildcard user/*.c)))
user_flags := -std=gnu11 -O2 -g $(prefix_map) $(warnings) -static -fno-pie -no-pie -fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -nostdlib -ffreestanding -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096
$(B)/user/%: user/%.c Makefile
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(user_flags) -MMD -MP -MF $@.d -MT $@ $< -o $@
-include $(user_programs:%=%.d)

# Installed modules keep their symbols and lose their debug information.
stage := $(B)/stage/lib/modules/$(RELEASE)
staged := $(patsubst $(B)/%,$(stage)/kernel/%,$(module_files))
$(stage)/kernel/%.ko: $(B)/%.ko
	@mkdir -p $(@D) && $(STRIP) -g -o $@ $<

# Two archives: a Debian userland may take the place of the first.
$(B)/initramfs.cpio: $(B)/userland.cpio $(B)/system.cpio
	@cat $^ > $@
$(B)/userland.cpio: scripts/mkinitramfs scripts/cpio.py /bin/busybox
	$(call say,CPIO,$@)mkdir -p $(@D) && scripts/mkinitramfs userland --output $@
$(B)/system.cpio: $(staged) $(user_programs) $(B)/modules.list $(B)/Module.symvers scripts/mkinitramfs scripts/cpio.py
	$(call say,CPIO,$@)scripts/mkinitramfs system --release $(RELEASE) --stage $(B)/stage --symvers $(B)/Module.symvers \
		--init $(B)/user/init $(patsubst %,--tool %,$(filter-out %/init,$(user_programs))) --output $@ $(staged)
ifeq ($(outside),)
$(B)/Module.symvers: $(stamp)
	@:
endif

# Guest programs of the tests: ordinary static Linux programs.
guest_tests := $(patsubst %.c,$(B)/%,$(sort $(wildcard tests/*.c tests/soak/*.c)))
.PHONY: tests host-tools
tests: $(guest_tests) host-tools
# Components as programs, once for all tests that run at a time.
host-tools:
	+@$(MAKE) --no-print-directory -s -f user/environment/Makefile
	+@$(MAKE) --no-print-directory -s -f user/serve/Makefile
	+@$(MAKE) --no-print-directory -s -f user/serve/Makefile CHECKED=1
$(B)/tests/%: tests/%.c Makefile
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -O2 -g $(prefix_map) $(warnings) -static -pthread \
		-Wl,--build-id=none -MMD -MP -MF $@.d -MT $@ $< -o $@
-include $(guest_tests:%=%.d)

# What is measured, in a guest: static programs, the same for Kumo and for Linux.
bench_programs := $(patsubst %.c,$(B)/%,$(sort $(wildcard bench/*.c)))
.PHONY: bench-programs
bench-programs: $(bench_programs)
$(B)/bench/first: bench_flags := -Wl,-e,first
$(B)/bench/%: bench/%.c Makefile
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -O2 $(prefix_map) $(warnings) -static -pthread $(bench_flags) \
		-Wl,--build-id=none -MMD -MP -MF $@.d -MT $@ $< -o $@
-include $(bench_programs:%=%.d)

$(B)/kumo.iso: $(B)/kumo $(B)/initramfs.cpio scripts/mkiso
	$(call say,ISO,$@)scripts/mkiso --output $@ $(B)/kumo $(B)/initramfs.cpio

# ---- For editors, and for tidiness ----------------------------------------------------------------------------------

json_entry = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(CC) $(c_flags) $(2) -c $(1)"},
json_module = $(foreach p,$(parts_$(1)),$(call json_entry,$(p).c,-DMODULE -DKBUILD_MODNAME=$(notdir $(1))))
$(B)/compile_commands.json: $(B)/objects $(B)/modules.list $(B)/flags
	$(call say,JSON,$@)$(file >$@,[ $(foreach s,$(filter %.c,$(core_sources)),$(call \
		json_entry,$(s),-DKBUILD_MODNAME=kernel)) $(foreach m,$(modules),$(json_module)) ])sed -i 's/, *\]$$/ ]/' $@
	@ln -sf $@ compile_commands.json

# asm.h holds the assembler's macros, which are not C.
c_files := $(filter-out %/asm.h,$(shell find $(core_folders) modules include user tests bench -name '*.[ch]' 2>/dev/null | sort))
shell_files := scripts/kumo scripts/setup scripts/link-kernel scripts/mkiso .ci/run tests/fuzz/run $(wildcard tests/*.sh tests/host/*.sh tests/soak/*.sh tests/soak/host/*.sh)
format:
	clang-format -i $(c_files)
format-check:
	@clang-format --dry-run -Werror $(c_files)
lint: format-check
	scripts/setup lint
	shellcheck -S warning $(wildcard $(shell_files))
	cppcheck -j$(shell nproc) --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability \
		--suppressions-list=scripts/cppcheck.suppress --std=c11 -D__x86_64__ -Iinclude -Iarch/x86/include $(filter %.c,$(c_files))
