/*
 * For ports.py, in the guest:
 *
 *	ports read		threads read standard input together: how many bytes there were, and their sum
 *	ports hold FILE		FILE is in an event set until SIGUSR1 comes; then both are closed
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READERS 8

struct reader {
	pthread_t thread;
	size_t part;
	unsigned long bytes, sum;
};

static void *read_all(void *context)
{
	struct reader *reader = context;
	unsigned char buffer[4096];
	ssize_t got;

	while ((got = read(0, buffer, reader->part)) > 0) {
		reader->bytes += (unsigned long)got;
		for (ssize_t i = 0; i < got; i++)
			reader->sum += buffer[i];
	}
	if (got < 0)
		perror("read");
	return NULL;
}

static int read_together(void)
{
	struct reader readers[READERS] = { 0 };
	unsigned long bytes = 0, sum = 0;

	for (int i = 0; i < READERS; i++) {
		readers[i].part = 100 + 500 * (size_t)i;
		if (pthread_create(&readers[i].thread, NULL, read_all, &readers[i]))
			return 1;
	}
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		bytes += readers[i].bytes;
		sum += readers[i].sum;
	}
	printf("%lu bytes, sum %lu\n", bytes, sum);
	return 0;
}

static int hold(const char *name)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT };
	int fd = open(name, O_RDWR), set = epoll_create1(0), signal;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (fd < 0 || set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event)) {
		perror(name);
		return 1;
	}
	puts("held");
	fflush(stdout);
	sigwait(&signals, &signal);
	close(fd);
	close(set);
	puts("closed");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "read"))
		return read_together();
	if (argc == 3 && !strcmp(argv[1], "hold"))
		return hold(argv[2]);
	return 2;
}
