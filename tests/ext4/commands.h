/* ext4-tool's commands that have files of their own. */
#ifndef TESTS_EXT4_COMMANDS_H
#define TESTS_EXT4_COMMANDS_H

int powercut_main(int count, char **words);
int logged_main(int count, char **words);
int cut_main(int count, char **words);
int stable_main(int count, char **words);

#endif
