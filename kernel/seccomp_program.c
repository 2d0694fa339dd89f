/*
 * Programs that judge system calls: the classic Berkeley packet filter's two registers, sixteen words of memory and forward
 * jumps, over a struct seccomp_data in the place of a packet. What may be in one is Linux's choice: jumps are forward and
 * within the program, so each path ends; the last instruction returns.
 */
#include <kumo/err.h>
#include <kumo/seccomp.h>
#include <kumo/slab.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#define SHIFT_BITS 32u

/* ---- Checking ---- */

static bool instruction_allowed(u16 code)
{
	switch (BPF_CLASS(code)) {
	case BPF_LD:
		return code == (BPF_LD | BPF_W | BPF_ABS) || code == (BPF_LD | BPF_W | BPF_LEN) ||
		       code == (BPF_LD | BPF_IMM) || code == (BPF_LD | BPF_MEM);
	case BPF_LDX:
		return code == (BPF_LDX | BPF_W | BPF_LEN) || code == (BPF_LDX | BPF_IMM) ||
		       code == (BPF_LDX | BPF_MEM);
	case BPF_ST:
	case BPF_STX:
		return code == BPF_CLASS(code);
	case BPF_ALU:
		if (BPF_OP(code) == BPF_NEG)
			return code == (BPF_ALU | BPF_NEG);
		return code <= 0xff && BPF_OP(code) <= BPF_XOR && BPF_OP(code) != BPF_MOD;
	case BPF_JMP:
		if (BPF_OP(code) == BPF_JA)
			return code == (BPF_JMP | BPF_JA);
		return code <= 0xff && BPF_OP(code) <= BPF_JSET;
	case BPF_RET:
		return code == (BPF_RET | BPF_K) || code == (BPF_RET | BPF_A);
	default:
		return code == (BPF_MISC | BPF_TAX) || code == (BPF_MISC | BPF_TXA);
	}
}

/* Is the instruction's constant one that it can have, `left` instructions before the program's last? */
static bool constant_valid(const struct sock_filter *at, unsigned int left)
{
	switch (at->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return at->k < sizeof(struct seccomp_data) && !(at->k & 3);
	case BPF_ALU | BPF_DIV | BPF_K:
		return at->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return at->k < SHIFT_BITS;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return at->k < BPF_MEMWORDS;
	case BPF_JMP | BPF_JA:
		return at->k < left;
	default:
		return BPF_CLASS(at->code) != BPF_JMP || (at->jt < left && at->jf < left);
	}
}

/* No word of memory is read that some path there has not written. The program is right in all else. */
static int memory_check(const struct sock_filter *program, unsigned int length)
{
	/* The words that are written on all ways to each instruction. */
	u16 *written __free_kfree = kmalloc(length * sizeof(*written), GFP_USER);
	u16 now = 0;

	if (!written)
		return -ENOMEM;
	for (unsigned int i = 0; i < length; i++)
		written[i] = 0xffff;
	for (unsigned int i = 0; i < length; i++) {
		const struct sock_filter *at = &program[i];

		now &= written[i];
		switch (BPF_CLASS(at->code)) {
		case BPF_ST:
		case BPF_STX:
			now |= (u16)(1u << at->k);
			break;
		case BPF_LD:
		case BPF_LDX:
			if (BPF_MODE(at->code) == BPF_MEM && !(now & 1u << at->k))
				return -EINVAL;
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA) {
				written[i + 1 + at->k] &= now;
			} else {
				written[i + 1 + at->jt] &= now;
				written[i + 1 + at->jf] &= now;
			}
			now = 0xffff; /* what follows is reached by jumps alone */
			break;
		default:
			break;
		}
	}
	return 0;
}

int seccomp_program_check(struct sock_filter *program, unsigned int length)
{
	for (unsigned int i = 0; i < length; i++) {
		struct sock_filter *at = &program[i];

		if (!instruction_allowed(at->code) || !constant_valid(at, length - 1 - i))
			return -EINVAL;
		if (BPF_CLASS(at->code) <= BPF_LDX && BPF_MODE(at->code) == BPF_LEN) {
			at->code = BPF_CLASS(at->code) | BPF_IMM;
			at->k = sizeof(struct seccomp_data);
		}
	}
	if (BPF_CLASS(program[length - 1].code) != BPF_RET)
		return -EINVAL;
	return memory_check(program, length);
}

/* ---- Running ---- */

static u32 calculate(u16 operation, u32 a, u32 b)
{
	switch (operation) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV: /* never by 0 here */
		return a / b;
	case BPF_OR:
		return a | b;
	case BPF_AND:
		return a & b;
	case BPF_LSH:
		return a << b % SHIFT_BITS;
	case BPF_RSH:
		return a >> b % SHIFT_BITS;
	case BPF_NEG:
		return -a;
	default: /* BPF_XOR */
		return a ^ b;
	}
}

static bool compare(u16 operation, u32 a, u32 b)
{
	switch (operation) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

u32 seccomp_program_run(const struct sock_filter *program, const struct seccomp_data *data)
{
	u32 memory[BPF_MEMWORDS], a = 0, x = 0;

	for (const struct sock_filter *at = program;; at++) {
		u32 operand = BPF_SRC(at->code) == BPF_X ? x : at->k;

		switch (BPF_CLASS(at->code)) {
		case BPF_LD:
			a = BPF_MODE(at->code) == BPF_ABS ? *(const u32 *)((const char *)data + at->k)
			    : BPF_MODE(at->code) == BPF_MEM ? memory[at->k]
							    : at->k;
			break;
		case BPF_LDX:
			x = BPF_MODE(at->code) == BPF_MEM ? memory[at->k] : at->k;
			break;
		case BPF_ST:
			memory[at->k] = a;
			break;
		case BPF_STX:
			memory[at->k] = x;
			break;
		case BPF_ALU:
			if (BPF_OP(at->code) == BPF_DIV && !operand)
				return 0;
			a = calculate(BPF_OP(at->code), a, operand);
			break;
		case BPF_JMP:
			if (BPF_OP(at->code) == BPF_JA)
				at += at->k;
			else
				at += compare(BPF_OP(at->code), a, operand) ? at->jt : at->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(at->code) == BPF_A ? a : at->k;
		default:
			if (BPF_MISCOP(at->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
}
