// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/progmp: what user space asks (kmod-shim/progmp_uapi.h).
 *
 * Whoever has a socket may choose its scheduler and write its registers. What concerns others, the default of a
 * network namespace, restoring, tracing and timing, takes CAP_NET_ADMIN.
 */
#include "progmp.h"

#include <linux/capability.h>
#include <linux/miscdevice.h>
#include <linux/nsproxy.h>
#include <linux/poll.h>
#include <linux/uaccess.h>

/* The MPTCP socket behind a descriptor of the caller. */
static struct socket *socket_of(int fd)
{
	int err = 0;
	struct socket *socket = sockfd_lookup(fd, &err);

	if (!socket)
		return ERR_PTR(err);
	/* a raw socket may have the same protocol number, and is none */
	if (!socket->sk || !sk_is_inet(socket->sk) || socket->sk->sk_type != SOCK_STREAM ||
	    socket->sk->sk_protocol != IPPROTO_MPTCP) {
		sockfd_put(socket);
		return ERR_PTR(-EPROTOTYPE);
	}
	return socket;
}

/* Runs `what` with the socket locked; `conn` is NULL if it is not with the shim. */
static long with_conn(int fd, int (*what)(struct sock *, struct conn *, void *), void *argument)
{
	struct socket *socket = socket_of(fd);
	struct conn *conn;
	struct sock *sk;
	int err;

	if (IS_ERR(socket))
		return PTR_ERR(socket);
	sk = socket->sk;
	lock_sock(sk);
	conn = conn_get(sk);
	err = what(sk, conn, argument);
	release_sock(sk);
	if (conn)
		conn_put(conn);
	sockfd_put(socket);
	return err;
}

static int choose(struct sock *sk, struct conn *conn, void *argument)
{
	struct progmp_choice *choice = argument;
	int err = conn_choose(sk, choice->name);

	if (err)
		return err;
	conn = conn_get(sk);
	if (conn) {
		trigger_now(conn);
		conn_put(conn);
	}
	return 0;
}

/* What a socket may hand on to those that it accepts, they must find. */
static int listens(struct sock *sk, struct conn *conn)
{
	if (sk->sk_state != TCP_CLOSE && sk->sk_state != TCP_LISTEN)
		return 0;
	return conn_is_ours(((struct mptcp_sock *)sk)->sched) ? conn_may_listen(conn) : 0;
}

static int set_registers(struct sock *sk, struct conn *conn, void *argument)
{
	const struct progmp_registers *registers = argument;
	int err, i;

	if (!conn)
		return -ENOENT;
	if (registers->mask >> PROGMP_REGISTERS)
		return -ERANGE;
	err = listens(sk, conn);
	if (err)
		return err;
	for (i = 0; i < PROGMP_REGISTERS; i++)
		if (registers->mask >> i & 1)
			conn->reg[i] = registers->reg[i];
	trigger_now(conn);
	return 0;
}

static int get_registers(struct sock *sk, struct conn *conn, void *argument)
{
	struct progmp_registers *registers = argument;

	if (!conn)
		return -ENOENT;
	memcpy(registers->reg, conn->reg, sizeof(registers->reg));
	return 0;
}

static int set_user(struct sock *sk, struct conn *conn, void *argument)
{
	const struct progmp_user *user = argument;
	u32 i;

	if (!conn)
		return -ENOENT;
	if (!user->subflow) {
		int err = listens(sk, conn);

		if (!err)
			conn->packet_user = user->value;
		return err;
	}
	for (i = 0; i < conn->subs; i++)
		if (conn->sub[i].id == user->subflow) {
			conn->sub[i].user = user->value;
			trigger_now(conn);
			return 0;
		}
	return -ENODEV;
}

static int get_connection(struct sock *sk, struct conn *conn, void *argument)
{
	struct progmp_connection *to = argument;
	u32 i;

	if (!conn)
		return -ENOENT;
	to->fallback = conn->fallback;
	if (conn->sched)
		strscpy(to->name, conn->sched->name, sizeof(to->name));
	else
		strscpy(to->name, "default", sizeof(to->name));
	to->number = conn->number;
	to->q = conn->q_count;
	to->qu = conn->tail - conn->head - conn->q_count;
	to->rq = conn->rq_count;
	to->pending = conn->pendings;
	to->subflows = conn->subs;
	to->records = conn->size;
	to->counters = conn->counters;
	for (i = 0; i < conn->subs; i++)
		to->subflow[i] = (struct progmp_connection_subflow){
			.id = conn->sub[i].id,
			.pushes = conn->sub[i].pushes,
			.bytes = conn->sub[i].bytes,
		};
	return 0;
}

static int get_scheduler(struct progmp_scheduler *to)
{
	struct sched *sched;

	to->name[PROGMP_NAME_BYTES - 1] = 0;
	sched = to->name[0] ? sched_find(to->name) : sched_at(to->index);
	if (!sched)
		return -ENOENT;
	strscpy(to->name, sched->name, sizeof(to->name));
	to->flags = sched->flags & (PROGMP_UNPROVED | PROGMP_COMPRESSED | PROGMP_BLIND);
	if (conn_is_default(current->nsproxy->net_ns, sched->name))
		to->flags |= PROGMP_IS_DEFAULT;
	to->subflows = sched->subflows;
	to->packets = sched->packets;
	to->needs = sched->needs;
	to->connections = atomic_read(&sched->connections);
	to->number = sched->number;
	memcpy(to->source, sched->source, sizeof(to->source));
	spin_lock(&sched->lock);
	to->counters = sched->counters;
	spin_unlock(&sched->lock);
	sched_put(sched);
	return 0;
}

static int get_number(struct sock *sk, struct conn *conn, void *argument)
{
	u64 *number = argument;

	if (!conn)
		return -ENOENT;
	*number = conn->number;
	return 0;
}

static long start_trace(struct file *file, const struct progmp_tracing *how)
{
	u64 only = 0;
	long err = how->fd < 0 ? 0 : with_conn(how->fd, get_number, &only);

	return err ? err : trace_start(file, how, only);
}

static void get_version(struct progmp_version *to)
{
	to->uapi = PROGMP_UAPI_VERSION;
	to->abi = PROGMP_ABI_VERSION;
	to->block_bytes = sizeof(struct progmp_block) + sizeof(struct room);
	to->scheduler_bytes = sizeof(struct sched);
	to->connection_bytes = sizeof(struct conn);
	to->packet_bytes = sizeof(struct packet);
	strscpy(to->module, PROGMP_MODULE_VERSION, sizeof(to->module));
}

/* Over one network namespace, its owner decides; traces and time are taken of all of them. */
static bool may(unsigned int call)
{
	switch (call) {
	case PROGMP_IOC_DEFAULT:
	case PROGMP_IOC_RESTORE:
		return ns_capable(current->nsproxy->net_ns->user_ns, CAP_NET_ADMIN);
	case PROGMP_IOC_TRACE:
	case PROGMP_IOC_TIMING:
		return capable(CAP_NET_ADMIN);
	}
	return true;
}

union argument {
	struct progmp_version version;
	struct progmp_choice choice;
	struct progmp_registers registers;
	struct progmp_user user;
	struct progmp_connection connection;
	struct progmp_scheduler scheduler;
	struct progmp_tracing tracing;
	u32 word;
};

static long dispatch(struct file *file, unsigned int call, union argument *argument)
{
	switch (call) {
	case PROGMP_IOC_VERSION:
		get_version(&argument->version);
		return 0;
	case PROGMP_IOC_CHOOSE:
		argument->choice.name[PROGMP_NAME_BYTES - 1] = 0;
		return with_conn(argument->choice.fd, choose, argument);
	case PROGMP_IOC_DEFAULT:
		argument->choice.name[PROGMP_NAME_BYTES - 1] = 0;
		return conn_set_default(current->nsproxy->net_ns, argument->choice.name);
	case PROGMP_IOC_SET_REGISTERS:
		return with_conn(argument->registers.fd, set_registers, argument);
	case PROGMP_IOC_GET_REGISTERS:
		return with_conn(argument->registers.fd, get_registers, argument);
	case PROGMP_IOC_SET_USER:
		return with_conn(argument->user.fd, set_user, argument);
	case PROGMP_IOC_CONNECTION:
		return with_conn(argument->connection.fd, get_connection, argument);
	case PROGMP_IOC_SCHEDULER:
		return get_scheduler(&argument->scheduler);
	case PROGMP_IOC_RESTORE:
		argument->word = conn_restore(capable(CAP_NET_ADMIN) ? NULL : current->nsproxy->net_ns);
		return 0;
	case PROGMP_IOC_TRACE:
		return start_trace(file, &argument->tracing);
	case PROGMP_IOC_TIMING:
		WRITE_ONCE(exec_timing, argument->word);
		return 0;
	}
	return -ENOTTY;
}

static long control_ioctl(struct file *file, unsigned int call, unsigned long user)
{
	union argument *argument;
	size_t bytes = _IOC_SIZE(call);
	long result;

	if (_IOC_TYPE(call) != 0xb7 || bytes > sizeof(*argument))
		return -ENOTTY;
	if (!may(call))
		return -EPERM;
	argument = kzalloc(sizeof(*argument), GFP_KERNEL);
	if (!argument)
		return -ENOMEM;
	result = -EFAULT;
	if ((_IOC_DIR(call) & _IOC_WRITE) && copy_from_user(argument, (void __user *)user, bytes))
		goto out;
	result = dispatch(file, call, argument);
	if (!result && (_IOC_DIR(call) & _IOC_READ) && copy_to_user((void __user *)user, argument, bytes))
		result = -EFAULT;
out:
	kfree(argument);
	return result;
}

static ssize_t control_read(struct file *file, char __user *to, size_t bytes, loff_t *offset)
{
	return trace_read(file, to, bytes);
}

static int control_release(struct inode *inode, struct file *file)
{
	trace_stop(file);
	return 0;
}

static const struct file_operations operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = control_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.read = control_read,
	.poll = trace_poll,
	.release = control_release,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "progmp",
	.mode = 0666,
	.fops = &operations,
};

int control_init(void)
{
	return misc_register(&device);
}

void control_exit(void)
{
	misc_deregister(&device);
}
