/* All that a malicious 9P server of ../ninep_hostile_server.c can think of, and five minutes of what comes by chance. */
/* run: --mem 1G */
/* seconds: 2400 */
#define EVERY 1
#define RANDOM_SECONDS 300
#include "../ninep_hostile_server.c"
