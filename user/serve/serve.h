/* A component as a program that serves its tree over 9P: what the files of this folder share (docs/placement.md). */
#ifndef SERVE_H
#define SERVE_H

#include <kumo/namespace.h>

#include "../environment/environment.h"

/* The root of a tree as the 9P server wants it. -ENOMEM. */
int serve_root(struct tree *tree, struct path *root) __must_check;
void serve_root_put(struct path *root);
/* An open descriptor as a file that a connection speaks over; closes it in the end. NULL: no memory. */
struct file *descriptor_file(int fd) __must_check;

#endif
