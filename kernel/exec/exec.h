/*
 * Between the files of exec: arguments (arguments.c), scripts (script.c), credentials
 * (credentials.c), ELF programs (elf.c), the stack that a program
 * starts with (stack.c), and exec itself (exec.c).
 */
#ifndef KERNEL_EXEC_EXEC_H
#define KERNEL_EXEC_EXEC_H

#include <kumo/file.h>
#include <kumo/vm.h>

struct cred;

/* Strings in a row, each with its NUL. */
struct string_table {
	char *data;
	size_t used, capacity;
	u32 *starts; /* offset of each */
	u32 count;
};

/* Where argv and envp come from: user memory or the kernel's. */
struct string_vector {
	bool user;
	const char *const *pointers; /* __user when user; ended by NULL; may be NULL */
};

#define SCRIPT_DEPTH 5	   /* interpreters that are scripts themselves (Linux) */
#define EXEC_HEAD_SIZE 256 /* what is read of a file to see what it is (Linux's BINPRM_BUF_SIZE) */

/* How the program was named. */
enum exec_by {
	EXEC_BY_NAME = 0,
	EXEC_BY_FD = 1,	     /* by a descriptor alone: comm is the file's own name */
	EXEC_BY_LOST_FD = 2, /* by one that will be closed: a script's interpreter could not open it */
};

struct exec {
	const char *name; /* as the caller gave it: AT_EXECFN, and comm by its last part */
	enum exec_by by;
	struct file *file; /* the program, or the script so far */
	char head[EXEC_HEAD_SIZE];
	struct string_table arguments, environment;
	u32 skip; /* of arguments: a script's argv[0] gives way to `prefix` */
	char *prefix[2 * SCRIPT_DEPTH + 1]; /* an interpreter, its argument, the script ...; owned */
	u32 prefix_count;
	struct cred *cred;
	bool secure; /* runs with rights that its caller had not */
	bool randomise;
	struct mm *mm; /* the new address space */
	unsigned long entry, stack_top, stack_pointer;
	/* For the auxiliary vector. */
	unsigned long headers_address, header_count, program_entry, interpreter_base;
};

/* Reads what the vectors name. -E2BIG, -EFAULT, -ENOMEM. */
int exec_read_strings(struct exec *exec, const struct string_vector *argv,
		      const struct string_vector *envp) __must_check;
void string_table_free(struct string_table *table);

/* Opens a program for cred: it must be a regular file, executable, on a mount that allows it; nobody may write to it
 * until the file is put. ERR_PTR. */
struct file *exec_open(const struct path *start, const char *name, unsigned int walk_flags,
		       const struct cred *cred) __must_check;
/* Reads exactly size bytes; -ENOEXEC when the file is too short. */
int exec_read(struct file *file, u64 offset, void *buffer, size_t size) __must_check;

/* A "#!" line: true, with pointers into head, which is changed. False: not a script that can be run. */
bool script_parse(char *head, size_t size, char **interpreter, char **argument);
/* exec->file is a script: it gives way to its interpreter. */
int exec_script(struct exec *exec) __must_check;
/* exec->cred becomes what exec->file runs with (credentials.c). -EPERM, or what reading its capabilities gave. */
int exec_credentials(struct exec *exec) __must_check;
int exec_elf(struct exec *exec) __must_check; /* maps the program; -ENOEXEC: not one */
/* The stack's mapping, before the program is mapped; and what the program finds on it. */
int exec_stack_map(struct exec *exec, bool executable) __must_check;
int exec_stack_fill(struct exec *exec) __must_check;

#endif
