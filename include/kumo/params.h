/* The kernel's command line (kernel/params.c). See boot_param() in <kumo/boot.h> for single parameters. */
#ifndef KUMO_PARAMS_H
#define KUMO_PARAMS_H

#include <kumo/types.h>

/* Takes the command line, shorter than boot_info's room for it, apart and applies the parameters that take effect at once. */
void params_init(const char *command_line);
/* The words in order: NULL gives the first; NULL at the end or at "--". */
const char *boot_word_next(const char *word);
/* The length of `name` if `word` starts with it, '-' and '_' being the same; else 0. */
size_t param_name_match(const char *word, const char *name);

#endif
