// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: which there are.
 *
 * The kernel creates and releases them with the socket; a socket can also be moved to the shim by its file
 * descriptor (serve.c).
 *
 * What is accepted gets what its listener has. The kernel hands the listener's table of operations on to the
 * socket that it clones, and nothing else of the listener; so a socket whose scheduler is chosen before it is
 * connected has a table of its own, by which the listener is known.
 */
#include "progmp.h"

#include <linux/hashtable.h>
#include <linux/random.h>
#include <linux/wait.h>

/* Lives as long as its connection. */
struct listener {
	struct mptcp_sched_ops ops;
	struct conn *conn;
};

static DEFINE_HASHTABLE(conns, 10);
static DEFINE_SPINLOCK(conns_lock);
static atomic64_t conn_numbers;
static atomic_t leaving;		/* connections with CONN_LEAVES */
static DECLARE_WAIT_QUEUE_HEAD(all_left);

struct conn *conn_find(const struct sock *sk)
{
	struct conn *conn;

	hash_for_each_possible_rcu(conns, conn, node, (unsigned long)sk)
		if (conn->sk == sk)
			return conn;
	return NULL;
}

struct conn *conn_get(struct sock *sk)
{
	struct conn *conn;

	rcu_read_lock();
	conn = conn_find(sk);
	if (conn && !refcount_inc_not_zero(&conn->ref))
		conn = NULL;
	rcu_read_unlock();
	return conn;
}

static void conn_free(struct rcu_head *head)
{
	struct conn *conn = container_of(head, struct conn, rcu);

	kfree(conn->listener);
	kfree(conn);
}

/* No task is where it was when the last reference went: now for softirqs. */
static void conn_free_later(struct rcu_head *head)
{
	call_rcu(head, conn_free);
}

/*
 * mptcp_release_sched() reads the owner in the table of operations after conn_closed() has returned. It does not
 * sleep in between, which is what is waited for; a socket that is being cloned reads it in a softirq.
 */
void conn_put(struct conn *conn)
{
	if (!refcount_dec_and_test(&conn->ref))
		return;
	if (conn->listener)
		call_rcu_tasks(&conn->rcu, conn_free_later);
	else
		call_rcu(&conn->rcu, conn_free);
}

/* From one to another at once: what is accepted meanwhile must not find none. */
static void conn_swap(struct conn *conn, struct sched *sched)
{
	struct sched *old = conn->sched;

	WRITE_ONCE(conn->sched, sched);
	if (sched)
		atomic_inc(&sched->connections);
	if (old) {
		atomic_dec(&old->connections);
		sched_put(old);
	}
}

void conn_serve(struct conn *conn, struct sched *sched)
{
	conn_swap(conn, sched);
	conn->fallback = PROGMP_SERVED;
	set_bit(CONN_SERVED, &conn->flags);
}

void conn_unserve(struct conn *conn)
{
	clear_bit(CONN_SERVED, &conn->flags);
	conn_swap(conn, NULL);
}

/* With one reference, which conn_closed() takes back once it is published. */
static struct conn *conn_new(struct mptcp_sock *msk, gfp_t gfp)
{
	struct conn *conn = kzalloc(sizeof(*conn), gfp);

	if (!conn)
		return NULL;
	conn->sk = (struct sock *)msk;
	conn->fallback = PROGMP_NOT_CHOSEN;
	conn->number = atomic64_inc_return(&conn_numbers);
	conn->seed = get_random_u64();
	INIT_DELAYED_WORK(&conn->work, trigger_work);
	refcount_set(&conn->ref, 1);
	return conn;
}

/* From here on others find it, and may end it. */
static void conn_publish(struct conn *conn)
{
	spin_lock_bh(&conns_lock);
	hash_add_rcu(conns, &conn->node, (unsigned long)conn->sk);
	spin_unlock_bh(&conns_lock);
}

/* The connection of a socket, made if there is none, with a reference. The socket is locked. */
struct conn *conn_of(struct sock *sk)
{
	struct conn *conn = conn_get(sk);

	if (conn)
		return conn;
	conn = conn_new((struct mptcp_sock *)sk, GFP_KERNEL_ACCOUNT);
	if (!conn)
		return NULL;
	refcount_inc(&conn->ref);
	conn_publish(conn);
	return conn;
}

bool conn_is_ours(const struct mptcp_sched_ops *ops)
{
	return ops && ops->release == conn_closed;
}

/* The kernel made a socket, maybe in softirq; its listener, if the shim knows it, under rcu_read_lock. */
static void open_below(struct mptcp_sock *msk, const struct conn *listener)
{
	struct conn *conn = conn_new(msk, GFP_ATOMIC | __GFP_ACCOUNT);
	struct sched *sched = NULL;
	bool choose = true;

	if (!conn)
		return;
	if (listener) {
		sched = READ_ONCE(listener->sched);
		if (sched && !refcount_inc_not_zero(&sched->ref))
			sched = NULL;
		memcpy(conn->reg, listener->reg, sizeof(conn->reg));
		conn->packet_user = listener->packet_user;
		/* if a program was taken from the listener, it has the kernel's own, and so has this one */
		choose = READ_ONCE(listener->fallback) == PROGMP_NOT_CHOSEN;
	}
	if (!sched && choose)
		sched = sched_of_net(sock_net(conn->sk));
	if (sched)
		conn_serve(conn, sched);
	conn_publish(conn);
}

void conn_opened(struct mptcp_sock *msk)
{
	open_below(msk, NULL);
}

/* The socket was cloned from one that has a table of its own. */
static void conn_accepted(struct mptcp_sock *msk)
{
	rcu_read_lock();
	open_below(msk, container_of(msk->sched, struct listener, ops)->conn);
	rcu_read_unlock();
	WRITE_ONCE(msk->sched, &progmp_sched);
}

/* The socket of the connection, which is locked and not connected, may listen one day. */
int conn_may_listen(struct conn *conn)
{
	struct listener *listener;

	if (!conn->listener) {
		listener = kzalloc(sizeof(*listener), GFP_KERNEL_ACCOUNT);
		if (!listener)
			return -ENOMEM;
		listener->ops = progmp_sched;
		listener->ops.init = conn_accepted;
		listener->conn = conn;
		conn->listener = listener;
	}
	WRITE_ONCE(msk_of(conn)->sched, &conn->listener->ops);
	return 0;
}

/* The socket lets go of the scheduler: because it ends, or because it has another one from now on. */
void conn_closed(struct mptcp_sock *msk)
{
	struct conn *conn;

	spin_lock_bh(&conns_lock);
	conn = conn_find((struct sock *)msk);
	if (conn)
		hash_del_rcu(&conn->node);
	spin_unlock_bh(&conns_lock);
	if (!conn)
		return;
	set_bit(CONN_DEAD, &conn->flags);
	smp_mb__after_atomic();		/* conn_ask() asks the other way around */
	conn_has_left(conn);
	conn_unserve(conn);
	packets_forget(conn);
	kfree(conn->sub);
	conn->sub = NULL;
	conn->subs = conn->sub_room = 0;
	conn_put(conn);			/* the last thing: see there */
}

/*
 * Asks all connections with this scheduler (any, if NULL) in this namespace (likewise) to look who serves them, or
 * to leave the shim. Each does so in its work item, so nobody waits for a socket that its owner holds. Returns how many
 * were asked.
 */
u32 conn_ask(const struct sched *sched, const struct net *net, bool leave)
{
	struct conn *conn;
	u32 count = 0;
	int bucket;

	rcu_read_lock();
	hash_for_each_rcu(conns, bucket, conn, node) {
		if (sched && READ_ONCE(conn->sched) != sched)
			continue;
		if (net && !net_eq(sock_net(conn->sk), net))
			continue;
		if (leave) {
			if (!test_and_set_bit(CONN_LEAVES, &conn->flags))
				atomic_inc(&leaving);
			if (test_bit(CONN_DEAD, &conn->flags))
				conn_has_left(conn);
		}
		trigger_queue(conn);
		count++;
	}
	rcu_read_unlock();
	return count;
}

/* A connection that was asked to leave the shim has done so. */
bool conn_has_left(struct conn *conn)
{
	if (!test_and_clear_bit(CONN_LEAVES, &conn->flags))
		return false;
	if (atomic_dec_and_test(&leaving))
		wake_up_all(&all_left);
	return true;
}

/* For a moment: a socket that its owner holds leaves when it is let go. */
void conn_wait_for_leavers(void)
{
	wait_event_killable_timeout(all_left, !atomic_read(&leaving), PROGMP_MOMENT);
}

/* What is freed after grace periods must be gone before the code is. */
void conn_drain(void)
{
#ifdef CONFIG_TASKS_RCU
	rcu_barrier_tasks();
#endif
	rcu_barrier();
}
