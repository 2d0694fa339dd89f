/*
 * Relocations that a module may have (System V ABI, AMD64 supplement, 4.4.1). gcc emits no others with -fno-pic
 * -mcmodel=kernel; those through a global offset table or thread-local storage are known by name, to be refused with it.
 */
#include <kumo/arch/module.h>
#include <asm/errno.h>

#if __STDC_HOSTED__
#include <string.h>
#else
#include <kumo/string.h>
#endif

enum {
	R_X86_64_NONE = 0,
	R_X86_64_64 = 1,
	R_X86_64_PC32 = 2,
	R_X86_64_PLT32 = 4,
	R_X86_64_32 = 10,
	R_X86_64_32S = 11,
	R_X86_64_PC64 = 24,
};

static const char *const relocation_names[] = {
	[0] = "R_X86_64_NONE",
	[1] = "R_X86_64_64",
	[2] = "R_X86_64_PC32",
	[3] = "R_X86_64_GOT32",
	[4] = "R_X86_64_PLT32",
	[5] = "R_X86_64_COPY",
	[6] = "R_X86_64_GLOB_DAT",
	[7] = "R_X86_64_JUMP_SLOT",
	[8] = "R_X86_64_RELATIVE",
	[9] = "R_X86_64_GOTPCREL",
	[10] = "R_X86_64_32",
	[11] = "R_X86_64_32S",
	[12] = "R_X86_64_16",
	[13] = "R_X86_64_PC16",
	[14] = "R_X86_64_8",
	[15] = "R_X86_64_PC8",
	[16] = "R_X86_64_DTPMOD64",
	[17] = "R_X86_64_DTPOFF64",
	[18] = "R_X86_64_TPOFF64",
	[19] = "R_X86_64_TLSGD",
	[20] = "R_X86_64_TLSLD",
	[21] = "R_X86_64_DTPOFF32",
	[22] = "R_X86_64_GOTTPOFF",
	[23] = "R_X86_64_TPOFF32",
	[24] = "R_X86_64_PC64",
	[25] = "R_X86_64_GOTOFF64",
	[26] = "R_X86_64_GOTPC32",
	[27] = "R_X86_64_GOT64",
	[28] = "R_X86_64_GOTPCREL64",
	[29] = "R_X86_64_GOTPC64",
	[31] = "R_X86_64_PLTOFF64",
	[32] = "R_X86_64_SIZE32",
	[33] = "R_X86_64_SIZE64",
	[34] = "R_X86_64_GOTPC32_TLSDESC",
	[35] = "R_X86_64_TLSDESC_CALL",
	[36] = "R_X86_64_TLSDESC",
	[37] = "R_X86_64_IRELATIVE",
	[41] = "R_X86_64_GOTPCRELX",
	[42] = "R_X86_64_REX_GOTPCRELX",
};

const char *arch_relocation_name(u32 type)
{
	return type < ARRAY_SIZE(relocation_names) ? relocation_names[type] : NULL;
}

int arch_relocation_size(u32 type)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_64:
	case R_X86_64_PC64:
		return 8;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_32:
	case R_X86_64_32S:
		return 4;
	default:
		return -1;
	}
}

int arch_relocate(u32 type, void *place, u64 address, u64 value)
{
	switch (type) {
	case R_X86_64_NONE:
		return 0;
	case R_X86_64_PC64:
		value -= address;
		/* fall through */
	case R_X86_64_64:
		memcpy(place, &value, 8);
		return 0;
	case R_X86_64_32:
		if (value != (u32)value)
			return -ENOEXEC;
		break;
	case R_X86_64_PC32:
	case R_X86_64_PLT32: /* kernel and modules are within reach of each other: no table of stubs is needed */
		value -= address;
		/* fall through */
	case R_X86_64_32S:
		if (value != (u64)(s64)(s32)value)
			return -ENOEXEC;
		break;
	default:
		return -ENOEXEC;
	}
	memcpy(place, &value, 4);
	return 0;
}
