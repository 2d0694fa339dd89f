/*
 * Scripts: a file that begins with "#! INTERPRETER [ARGUMENT]" is run by that interpreter, which finds as its arguments
 * what the line says, then the script's name, then the script's own arguments. The rest of the line is one argument.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "exec.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool script_parse(char *head, size_t size, char **interpreter, char **argument)
{
	char *end, *at;

	if (size < 3 || head[0] != '#' || head[1] != '!')
		return false;
	end = memchr(head, '\n', size);
	if (!end) {
		/* The line goes on beyond what was read, or the file ends in it: the interpreter's name at least must be whole. */
		size_t length = strnlen(head, size);

		for (at = head + 2; at < head + length && is_blank(*at); at++)
			;
		for (; at < head + length && !is_blank(*at); at++)
			;
		if (at == head + size)
			return false;
		end = head + min(length, size - 1);
	}
	while (end > head + 2 && is_blank(end[-1]))
		end--;
	*end = '\0';
	for (at = head + 2; is_blank(*at); at++)
		;
	if (!*at)
		return false;
	*interpreter = at;
	while (*at && !is_blank(*at))
		at++;
	*argument = NULL;
	if (*at) {
		*at++ = '\0';
		while (is_blank(*at))
			at++;
		if (*at)
			*argument = at;
	}
	return true;
}
EXPORT_SYMBOL(script_parse);

static int insert_first(struct exec *exec, const char *text)
{
	char *copy;

	if (exec->prefix_count == ARRAY_SIZE(exec->prefix))
		return -ELOOP;
	copy = kstrdup(text, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	memmove(exec->prefix + 1, exec->prefix, exec->prefix_count * sizeof(*exec->prefix));
	exec->prefix[0] = copy;
	exec->prefix_count++;
	return 0;
}

int exec_script(struct exec *exec)
{
	char *interpreter, *argument;
	struct file *file;
	int error;

	if (!script_parse(exec->head, sizeof(exec->head), &interpreter, &argument))
		return -ENOEXEC;
	if (exec->by & EXEC_BY_LOST_FD)
		return -ENOENT;
	/* The caller's argv[0] gives way to the script's name. An interpreter that is a script has its name there already. */
	error = exec->skip ? 0 : insert_first(exec, exec->name);
	exec->skip = 1;
	if (!error && argument)
		error = insert_first(exec, argument);
	if (!error)
		error = insert_first(exec, interpreter);
	if (error)
		return error;
	file = exec_open(NULL, exec->prefix[0], WALK_FOLLOW, exec->cred);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	file_put(exec->file);
	exec->file = file;
	return 0;
}
