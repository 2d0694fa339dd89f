/* What the sample module hello offers to others. */
#ifndef SAMPLES_HELLO_H
#define SAMPLES_HELLO_H

/* How often to say hello: the module's parameter. */
int hello_times(void);
/* Says it to `whom`, so often. */
void hello_say(const char *whom);

#endif
