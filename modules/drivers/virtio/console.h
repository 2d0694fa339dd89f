/*
 * What the two files of virtio_console.ko share: console.c speaks the device's control protocol, console_port.c moves
 * bytes and serves /dev.
 *
 * Locks, outermost first: port->read_lock (a mutex) lets one reader copy at a time; port->lock (interrupts off) protects
 * a port's buffers and state, and is taken before a terminal's locks and virtqueue.lock.
 */
#ifndef VIRTIO_CONSOLE_INTERNAL_H
#define VIRTIO_CONSOLE_INTERNAL_H

#include "virtio.h"

#include <kumo/device.h>
#include <kumo/mutex.h>
#include <kumo/tty.h>
#include <kumo/wait.h>
#include <kumo/work.h>

enum {
	PORT_INPUTS = 4,
	PORT_INPUT_SIZE = 4096,
	PORT_OUTPUT_SIZE = 32768,
	PORT_QUEUE_LIMIT = 32,
	PORT_NAME_SIZE = 64
};

/* A buffer that the device fills. */
struct port_input {
	struct list link; /* in port->ready while it holds bytes that nobody reads */
	u8 *data;
	u32 size, taken;
};

struct port {
	struct console_device *console;
	u32 id;
	struct virtqueue *in, *out;
	struct mutex read_lock;
	spinlock_t lock;
	struct list ready;	    /* filled inputs, in order */
	struct port_input *reading; /* the one before them: its bytes are being read; NULL: none */
	struct port_input inputs[PORT_INPUTS];
	struct wait_queue readers, writers;
	bool in_use;	     /* between PORT_ADD and PORT_REMOVE */
	bool host_connected; /* the host's side is open */
	bool opened;	     /* ours is */
	bool gone;
	char name[PORT_NAME_SIZE]; /* "" until the host tells it */
	char device_name[24], link_name[PORT_NAME_SIZE + 16];
	bool linked;
	struct char_device device;
	struct pseudo_directory *directory;
	struct tty *tty; /* a console port's; changes under `lock` */
};

struct console_device {
	struct virtio_device *virtio;
	unsigned int number;			    /* the N of vportNpM */
	struct virtqueue *control_in, *control_out; /* NULL: the device takes no control messages */
	struct work work;			    /* takes control messages */
	u8 *control_buffers;
	u32 port_count;
	struct port *ports;
};

/* console.c: tells the host. Any context; a message that can't be sent is logged. */
void console_send(struct console_device *console, u32 id, u16 event, u16 value);

/* console_port.c. May sleep. */
int port_prepare(struct port *port); /* queues and buffers, before the device is ready */
int port_fill(struct port *port);    /* hands the buffers to the device, after it is ready */
int port_show(struct port *port);    /* /dev/vportNpM appears */
void port_set_name(struct port *port, const char *name);
int port_become_console(struct port *port);
void port_remove(struct port *port); /* /dev and /sys entries go; none of its operations runs any more */
void port_free(struct port *port);    /* after the queues are gone */
void port_reclaim(struct port *port); /* after a reset: takes the buffers back */
void port_host_open(struct port *port, bool open);

#endif
