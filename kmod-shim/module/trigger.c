// SPDX-License-Identifier: GPL-2.0
/*
 * What happens outside of process context becomes a work item, one for each connection at a time.
 *
 * Acknowledgements, suspected losses and subflows that come and go are seen through tracepoints of TCP: the
 * kernel asks an MPTCP scheduler only while there is unsent data.
 */
#include "progmp.h"

#include <linux/delay.h>
#include <linux/tracepoint.h>

#ifdef HAVE_WQ_PERCPU		/* what is not unbound says so */
#define PER_CPU WQ_PERCPU
#else
#define PER_CPU 0
#endif

#define WAITING_MOST 64

static struct workqueue_struct *queue;
static atomic_t waiting;		/* workers that wait for a socket */
static atomic_t outstanding;		/* work items that were queued and have not ended */

/* Under rcu_read_lock: the connection was found just now, or its socket is locked. */
void trigger_queue(struct conn *conn)
{
	if (test_and_set_bit(CONN_QUEUED, &conn->flags))
		return;
	if (!refcount_inc_not_zero(&conn->ref))
		return;
	if (!refcount_inc_not_zero(&conn->sk->sk_refcnt)) {
		conn_put(conn);
		return;
	}
	atomic_inc(&outstanding);
	queue_delayed_work(queue, &conn->work, 0);
}

/* The socket is locked. The kernel's own way in: it knows about connections that fell back to TCP. */
void trigger_now(struct conn *conn)
{
	struct sock *sk = conn->sk;

	if (test_bit(CONN_DEAD, &conn->flags) || !served(conn) || sk->sk_state == TCP_CLOSE ||
	    sk->sk_state == TCP_LISTEN)
		return;
	if (msk_of(conn)->first_pending)
		static_call(kernel_push_pending)(sk, 0);
	else
		static_call(kernel_trigger)(msk_of(conn));
}

/* Sockets that their owners do not let go of must not take all workers. */
static bool lock_soon(struct sock *sk)
{
	bool soon = atomic_inc_return(&waiting) <= WAITING_MOST || !sock_owned_by_user_nocheck(sk);

	if (soon)
		lock_sock(sk);
	atomic_dec(&waiting);
	return soon;
}

void trigger_work(struct work_struct *work)
{
	struct conn *conn = container_of(to_delayed_work(work), struct conn, work);
	struct sock *sk = conn->sk;

	if (!lock_soon(sk)) {
		queue_delayed_work(queue, &conn->work, 1);
		return;
	}
	clear_bit(CONN_QUEUED, &conn->flags);	/* what happens from here on asks again */
	smp_mb__after_atomic();
	conn_look(conn);
	trigger_now(conn);
	release_sock(sk);
	sock_put(sk);
	conn_put(conn);
	atomic_dec(&outstanding);
}

/* A subflow is locked; its connection may have something to do. */
static void on_subflow(struct sock *ssk, bool even_empty)
{
	struct mptcp_subflow_context *ctx;
	struct conn *conn;

	if (!sk_is_mptcp(ssk))
		return;
	rcu_read_lock();
	ctx = ctx_of(ssk);
	conn = ctx && ctx->conn ? conn_find(ctx->conn) : NULL;
	if (conn && test_bit(CONN_SERVED, &conn->flags) &&
	    (even_empty || READ_ONCE(conn->head) != READ_ONCE(conn->tail)))
		trigger_queue(conn);
	rcu_read_unlock();
}

static void on_ack(void *data, struct sock *ssk, struct sk_buff *skb)
{
	on_subflow(ssk, false);
}

static void on_congestion(void *data, struct sock *ssk, const u8 state)
{
	if (state >= TCP_CA_Recovery)
		on_subflow(ssk, false);
}

static void on_state(void *data, const struct sock *sk, const int from, const int to)
{
	if (sk->sk_protocol == IPPROTO_TCP && (from == TCP_ESTABLISHED || from == TCP_CLOSE_WAIT))
		on_subflow((struct sock *)sk, false);
}

static struct probe {
	const char *name;
	void *function;
	struct tracepoint *point;
	bool registered;
} probes[] = {
	{ .name = "tcp_probe", .function = on_ack },
	{ .name = "tcp_cong_state_set", .function = on_congestion },
	{ .name = "inet_sock_set_state", .function = on_state },
};

static void find_probe(struct tracepoint *point, void *unused)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (!strcmp(point->name, probes[i].name))
			probes[i].point = point;
}

int trigger_init(void)
{
	int i, err;

	queue = alloc_workqueue("progmp", WQ_HIGHPRI | WQ_MEM_RECLAIM | PER_CPU, 0);
	if (!queue)
		return -ENOMEM;
	for_each_kernel_tracepoint(find_probe, NULL);
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		if (!probes[i].point) {
			pr_err("the kernel has no tracepoint %s\n", probes[i].name);
			err = -ENOENT;
		} else {
			err = tracepoint_probe_register(probes[i].point, probes[i].function, NULL);
		}
		if (err) {
			trigger_exit();
			return err;
		}
		probes[i].registered = true;
	}
	return 0;
}

void trigger_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(probes); i++)
		if (probes[i].registered)
			tracepoint_probe_unregister(probes[i].point, probes[i].function, NULL);
	tracepoint_synchronize_unregister();
	while (atomic_read(&outstanding))	/* of sockets that left the shim; some wait for a timer */
		msleep(1);
	destroy_workqueue(queue);
}
