/* The vDSO as arch/x86/vdso/ was linked. vdso_map.c copies it into pages of its own. */
	.section .rodata, "a", @progbits
	.balign 8
	.globl vdso_image, vdso_image_end
vdso_image:
	.incbin "arch/x86/vdso/vdso.so"
vdso_image_end:

	.section .note.GNU-stack, "", @progbits
