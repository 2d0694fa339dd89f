/*
 * Arguments and environment of a new program, copied out of the old one before that goes. They are put in a row in
 * kernel memory, and from there in one piece onto the new stack.
 */
#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/uaccess.h>

#include "exec.h"

#define STRING_LIMIT (128 * KIB) /* of one, with its NUL (Linux's MAX_ARG_STRLEN) */
#define TOTAL_LIMIT (6 * MIB)	 /* of all, whatever the stack's limit: 3/4 of the default stack */
#define TOTAL_LEAST (128 * KIB)	 /* and what is always allowed */
#define FIRST_CAPACITY 4000

/* Bytes that strings and pointers may take together. */
static u64 total_limit(void)
{
	u64 limit = process_limit(RLIMIT_STACK) / 4;

	return clamp(limit, (u64)TOTAL_LEAST, (u64)TOTAL_LIMIT);
}

static int vector_get(const struct string_vector *vector, u64 index, const char **text)
{
	if (!vector->user) {
		*text = vector->pointers[index];
		return 0;
	}
	return get_user(*text, &vector->pointers[index]);
}

/* How many strings; at most what the limit leaves room for. */
static s64 vector_count(const struct string_vector *vector, u64 limit)
{
	const char *text;
	u64 count;

	if (!vector->pointers)
		return 0;
	for (count = 0;; count++) {
		if (vector_get(vector, count, &text))
			return -EFAULT;
		if (!text)
			return (s64)count;
		if (count >= limit)
			return -E2BIG;
		if (count % 1024 == 1023) {
			if (fatal_signal_pending())
				return -ERESTARTNOHAND;
			cond_resched();
		}
	}
}

static int table_grow(struct string_table *table, size_t limit)
{
	size_t capacity = min(table->capacity * 2, limit);
	char *data;

	if (capacity <= table->capacity)
		return -E2BIG;
	data = kvmalloc(capacity, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	memcpy(data, table->data, table->used);
	kvfree(table->data);
	table->data = data;
	table->capacity = capacity;
	return 0;
}

static int table_add(struct string_table *table, const char *text, bool user, size_t limit)
{
	for (;;) {
		size_t room = min(table->capacity - table->used, STRING_LIMIT);
		ssize_t length;
		int error;

		if (user)
			length = strncpy_from_user(table->data + table->used, text, room);
		else
			length = (ssize_t)strnlen(text, room);
		if (length < 0)
			return (int)length;
		if ((size_t)length < room) {
			if (!user)
				memcpy(table->data + table->used, text, (size_t)length + 1);
			table->starts[table->count++] = (u32)table->used;
			table->used += (size_t)length + 1;
			return 0;
		}
		if (room == STRING_LIMIT)
			return -E2BIG;
		error = table_grow(table, limit);
		if (error)
			return error;
		if (fatal_signal_pending())
			return -ERESTARTNOHAND;
	}
}

static int table_read(struct string_table *table, const struct string_vector *vector, u64 count,
		      size_t limit)
{
	table->capacity = min((size_t)FIRST_CAPACITY, limit);
	table->data = kvmalloc(table->capacity, GFP_KERNEL);
	table->starts = kvmalloc((count + 1) * sizeof(u32), GFP_KERNEL);
	if (!table->data || !table->starts)
		return -ENOMEM;
	for (u64 i = 0; i < count; i++) {
		const char *text;
		int error;

		if (vector_get(vector, i, &text))
			return -EFAULT;
		if (!text) /* another thread changes the vector */
			return -EFAULT;
		error = table_add(table, text, vector->user, limit);
		if (error)
			return error;
	}
	return 0;
}

int exec_read_strings(struct exec *exec, const struct string_vector *argv,
		      const struct string_vector *envp)
{
	u64 limit = total_limit();
	s64 arguments = vector_count(argv, limit / sizeof(char *)), variables;
	int error;

	if (arguments < 0)
		return (int)arguments;
	variables = vector_count(envp, limit / sizeof(char *));
	if (variables < 0)
		return (int)variables;
	if (((u64)arguments + (u64)variables) * sizeof(char *) >= limit)
		return -E2BIG;
	limit -= ((u64)arguments + (u64)variables) * sizeof(char *);
	error = table_read(&exec->arguments, argv, (u64)arguments, limit);
	if (error)
		return error;
	/* Programs count on argv[0]. */
	if (!arguments) {
		error = table_add(&exec->arguments, "", false, limit);
		if (error)
			return error;
	}
	if (exec->arguments.used >= limit)
		return variables ? -E2BIG : 0;
	return table_read(&exec->environment, envp, (u64)variables, limit - exec->arguments.used);
}

void string_table_free(struct string_table *table)
{
	kvfree(table->data);
	kvfree(table->starts);
}
