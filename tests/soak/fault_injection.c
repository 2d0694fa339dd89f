/*
 * Each failure of all that tests/fault_injection.c does, where that takes a spread.
 * seconds: 400
 */
#define SPREAD 1
#include "../fault_injection.c"
