/*
 * A component as an ordinary program that serves its tree over 9P, on Kumo and on any Linux (docs/placement.md). Its name says which
 * component it is.
 *
 *	ext4 [-o OPTIONS] [-t TYPE] [-r] [-c] [-l LOG] [-n REQUESTS] [-s SOCKET | -f FD] [DEVICE]
 *
 *	-o OPTIONS	as mount(8) has them
 *	-t TYPE		of those that the component has; else the one that it is called by
 *	-r		read-only
 *	-c		what was changed is stable before it is answered: nothing that the client knows of goes with the process
 *	-l LOG		where the log goes; else to the standard error
 *	-n REQUESTS	that are served at once of a client (8)
 *	-s SOCKET	a Unix socket, to which many may connect
 *	-f FD		this descriptor, whose other end is trusted to have looked at who may do what; else the standard input and output
 *
 * It ends when the other end hangs up, or at SIGTERM and SIGINT, and leaves the device as umount(8) does. Status: 0, 1 for what went
 * wrong, 2 for usage.
 */
#include "../../modules/9p/server/server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "descriptors.h"
#include "serve.h"

enum {
	MESSAGE_SIZE = 1024 * 1024 + 4096, /* as much as Kumo's client asks for */
	FIDS = 1 << 20,
	REQUESTS = 8,
	NOBODY = 65534
};

static struct {
	const char *options, *type, *log, *socket, *device;
	bool read_only, commits;
	int descriptor; /* -1: not given */
	unsigned int requests;
} asked = { .descriptor = -1, .requests = REQUESTS };

static struct tree *tree;
static struct list connections = LIST_INIT(connections);
static volatile sig_atomic_t ending;

/* ---- Signals ---- */

static void end(int signal)
{
	ending = 1;
}

/* What ends the program is for the first thread, which ends the others: blocked but where it waits for somebody (socket_accept()). */
static void signals_of_end(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(how, &set, NULL);
}

static void take_signals(void)
{
	struct sigaction action = { .sa_handler = end }, none = { .sa_handler = SIG_IGN };

	signals_of_end(SIG_BLOCK);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGPIPE, &none, NULL);
}

/* ---- Connections ---- */

/* What every client is offered; what depends on who it is comes then. */
static struct export export_make(const struct path *root)
{
	struct export export = { .root = *root,
				 .cred = &root_cred,
				 .read_only = asked.read_only,
				 .trusts = true,
				 .only_uid = NINEP_NO_NUMBER,
				 .anonymous_uid = NOBODY,
				 .anonymous_gid = NOBODY,
				 .message_size = MESSAGE_SIZE,
				 .fid_limit = FIDS,
				 .request_limit = asked.requests };

	if (asked.commits)
		export.commit = tree->ops->sync;
	return export;
}

/* Takes the descriptors over, which may be the same. */
static struct connection *connection_make(const struct export *export, int from, int to)
{
	struct connection *connection = kzalloc(sizeof(*connection), GFP_KERNEL);

	if (!connection)
		return NULL;
	connection->export = *export;
	list_init(&connection->export.users);
	connection->from = descriptor_file(from);
	connection->to = from == to ? connection->from : descriptor_file(to);
	if (connection->from && connection->from == connection->to)
		file_get(connection->from);
	if (connection->from && connection->to && !connection_start(connection)) {
		list_add(&connections, &connection->link);
		return connection;
	}
	if (connection->from)
		file_put(connection->from);
	if (connection->to)
		file_put(connection->to);
	kfree(connection);
	return NULL;
}

/* Ends those that have ended by themselves, or all. */
static void connections_stop(bool all)
{
	struct connection *connection, *next;

	list_for_each_safe(connection, next, &connections, link) {
		if (!all && !connection_has_ended(connection))
			continue;
		list_del(&connection->link);
		connection_stop(connection);
		kfree(connection);
	}
}

static int serve_descriptors(const struct path *root)
{
	int from = asked.descriptor < 0 ? STDIN_FILENO : asked.descriptor;
	struct export export = export_make(root);
	struct connection *connection;

	export.checked = asked.descriptor >= 0;
	connection = connection_make(&export, from, asked.descriptor < 0 ? STDOUT_FILENO : from);
	if (!connection)
		return 1;
	signals_of_end(SIG_UNBLOCK); /* all its threads have them blocked */
	while (!ending && !connection_has_ended(connection))
		(void)wait_event_interruptible_until(&connection->changed,
						     connection_has_ended(connection),
						     time_monotonic_ns() + NSEC_PER_SEC);
	return 0;
}

static int serve_socket(const struct path *root)
{
	int listening = socket_listen(asked.socket), fd;
	bool privileged;
	u32 user;

	if (listening < 0) {
		fprintf(stderr, "%s: %s\n", asked.socket, ninep_error_text(-listening));
		return 1;
	}
	while (!ending) {
		struct export export = export_make(root);

		fd = socket_accept(listening, &user, &privileged);
		connections_stop(false);
		if (fd < 0)
			continue;
		if (!privileged)
			export.only_uid = user;
		if (!connection_make(&export, fd, fd))
			fprintf(stderr, "no memory for a client\n");
	}
	close(listening);
	unlink(asked.socket);
	return 0;
}

/* ---- The program ---- */

static struct tree *mount(const char *type)
{
	struct block_device *device = NULL;
	struct tree *mounted;

	if (asked.device) {
		device = device_open_path(asked.device, asked.read_only);
		if (IS_ERR(device))
			return (struct tree *)device;
	}
	mounted = environment_mount(type, device, asked.options, asked.read_only);
	if (IS_ERR(mounted) && device)
		device_close_path(device);
	return mounted;
}

static int serve(const char *type)
{
	struct block_device *device;
	struct path root;
	int status;

	tree = mount(type);
	if (IS_ERR(tree)) {
		fprintf(stderr, "%s: %s\n", asked.device ? asked.device : type,
			ninep_error_text((int)-PTR_ERR(tree)));
		return 1;
	}
	device = tree->block_device;
	status = serve_root(tree, &root) ? 1
		 : asked.socket		 ? serve_socket(&root)
					 : serve_descriptors(&root);
	connections_stop(true);
	serve_root_put(&root);
	environment_unmount(tree);
	if (device)
		device_close_path(device);
	return status;
}

static int usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [-o OPTIONS] [-t TYPE] [-r] [-c] [-l LOG] [-n REQUESTS] [-s SOCKET | -f FD] [DEVICE]\n",
		name);
	return 2;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	int option;

	while ((option = getopt(argc, argv, "o:t:rcl:n:s:f:")) != -1) {
		if (option == 'o')
			asked.options = optarg;
		else if (option == 't')
			asked.type = optarg;
		else if (option == 'r')
			asked.read_only = true;
		else if (option == 'c')
			asked.commits = true;
		else if (option == 'l')
			asked.log = optarg;
		else if (option == 'n')
			asked.requests = (unsigned int)atoi(optarg);
		else if (option == 's')
			asked.socket = optarg;
		else if (option == 'f')
			asked.descriptor = atoi(optarg);
		else
			return usage(name);
	}
	if (argc - optind > 1 || !asked.requests || (asked.socket && asked.descriptor >= 0))
		return usage(name);
	asked.device = argv[optind];
	if (asked.log && !freopen(asked.log, "a", stderr)) {
		perror(asked.log);
		return 1;
	}
	take_signals();
	return serve(asked.type ? asked.type : name);
}
