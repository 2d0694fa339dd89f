/*
 * first [COMMAND ARG...]: prints the time stamp counter as it was at the program's first instruction, then becomes COMMAND.
 *
 * QEMU starts the counter at zero when the machine is reset. With --icount it counts instructions, otherwise the host's ticks.
 */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

uint64_t first_ticks;

/* The entry point: before the C library's own, which expects rdx and the stack as the kernel left them. */
__asm__(".globl first\n"
	"first:\n"
	"	mov %rdx, %rsi\n"
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rdx, %rax\n"
	"	mov %rax, first_ticks(%rip)\n"
	"	mov %rsi, %rdx\n"
	"	jmp _start\n");

int main(int count, char **words)
{
	printf("ticks %llu\n", (unsigned long long)first_ticks);
	fflush(stdout);
	if (count < 2)
		return 0;
	execvp(words[1], words + 1);
	perror(words[1]);
	return 127;
}
