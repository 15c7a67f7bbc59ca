// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: which there are, and which scheduler serves each.
 *
 * The kernel creates and releases them with the socket; a socket can also be moved to the shim by its file
 * descriptor. A connection without a scheduler is served by the kernel's default one.
 */
#include "progmp.h"

#include <linux/hashtable.h>
#include <linux/random.h>
#include <net/netns/generic.h>

struct progmp_net {
	struct sched *sched;		/* of sockets to come */
};

static DEFINE_HASHTABLE(conns, 10);
static DEFINE_SPINLOCK(conns_lock);
static DEFINE_SPINLOCK(defaults_lock);
static unsigned int progmp_net_id __read_mostly;
static atomic64_t conn_numbers;
static bool listeners_chosen;		/* some socket got its scheduler before it was connected */

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

void conn_put(struct conn *conn)
{
	if (refcount_dec_and_test(&conn->ref))
		kfree_rcu(conn, rcu);
}

static void conn_serve(struct conn *conn, struct sched *sched)
{
	conn->sched = sched;
	conn->fallback = PROGMP_SERVED;
	atomic_inc(&sched->connections);
	set_bit(CONN_SERVED, &conn->flags);
}

static void conn_unserve(struct conn *conn)
{
	struct sched *sched = conn->sched;

	clear_bit(CONN_SERVED, &conn->flags);
	conn->sched = NULL;
	if (sched) {
		atomic_dec(&sched->connections);
		sched_put(sched);
	}
}

static struct conn *conn_new(struct mptcp_sock *msk, gfp_t gfp)
{
	struct conn *conn = kzalloc(sizeof(*conn), gfp);

	if (!conn)
		return NULL;
	conn->sk = (struct sock *)msk;
	conn->fallback = PROGMP_NOT_CHOSEN;
	conn->number = atomic64_inc_return(&conn_numbers);
	conn->seed = get_random_u64();
	INIT_WORK(&conn->work, trigger_work);
	refcount_set(&conn->ref, 1);
	spin_lock_bh(&conns_lock);
	hash_add_rcu(conns, &conn->node, (unsigned long)conn->sk);
	spin_unlock_bh(&conns_lock);
	return conn;
}

/* The connection of the listener that a socket was cloned from a moment ago, under rcu_read_lock. */
static struct conn *listener_of(const struct sock *sk)
{
	struct conn *conn;
	int bucket;

	if (!READ_ONCE(listeners_chosen) || sk->sk_state != TCP_LISTEN)
		return NULL;
	hash_for_each_rcu(conns, bucket, conn, node)
		if (conn->sk != sk && READ_ONCE(conn->sched) && conn->sk->sk_state == TCP_LISTEN &&
		    net_eq(sock_net(conn->sk), sock_net(sk)) &&
		    inet_sk(conn->sk)->inet_num == inet_sk(sk)->inet_num &&
		    conn->sk->sk_rcv_saddr == sk->sk_rcv_saddr)
			return conn;
	return NULL;
}

/* The kernel made a socket; it may be in softirq. */
void conn_opened(struct mptcp_sock *msk)
{
	struct progmp_net *net = net_generic(sock_net((struct sock *)msk), progmp_net_id);
	struct conn *conn = conn_new(msk, GFP_ATOMIC), *listener;
	struct sched *sched = NULL;

	if (!conn)
		return;
	rcu_read_lock();
	listener = listener_of(conn->sk);
	if (listener) {
		sched = READ_ONCE(listener->sched);
		if (sched && !refcount_inc_not_zero(&sched->ref))
			sched = NULL;
		memcpy(conn->reg, listener->reg, sizeof(conn->reg));
		conn->packet_user = listener->packet_user;
	}
	rcu_read_unlock();
	spin_lock_bh(&defaults_lock);
	if (!sched) {
		sched = net->sched;
		if (sched)
			refcount_inc(&sched->ref);
	}
	spin_unlock_bh(&defaults_lock);
	if (sched)
		conn_serve(conn, sched);
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
	conn_unserve(conn);
	packets_forget(conn);
	kfree(conn->sub);
	conn->sub = NULL;
	conn->subs = conn->sub_room = 0;
	conn_put(conn);
}

static const char *const reasons[] = {
	[PROGMP_REMOVED] = "it was unloaded",
	[PROGMP_FUEL] = "too many executions without progress",
	[PROGMP_NONSENSE] = "a run was aborted or left rubbish",
	[PROGMP_SUBFLOWS_OVER] = "more subflows than its proof covers",
	[PROGMP_MEMORY] = "no memory",
	[PROGMP_STALLED] = "data waited for long and it sent nothing",
};

/*
 * From here on the kernel's default scheduler serves the connection. What no living subflow carries any more
 * is left to the kernel's own recovery, which sends again whatever is not acknowledged.
 */
void conn_fall_back(struct conn *conn, u32 reason)
{
	struct sched *sched = conn->sched;
	bool resend = conn->rq_count || conn->pendings;

	if (!sched)
		return;
	conn->fallback = reason;
	if (reason != PROGMP_NOT_CHOSEN) {
		conn->counters.fallbacks++;
		spin_lock(&sched->lock);
		sched->counters.fallbacks++;
		spin_unlock(&sched->lock);
		if (!test_and_set_bit(reason, &sched->logged))
			pr_warn("scheduler %s: the kernel's default takes over: %s\n", sched->name,
				reasons[reason]);
	}
	conn_unserve(conn);
	packets_forget(conn);
	if (resend)
		static_call(kernel_resend_all)(conn->sk);
	static_call(kernel_set_pending)(conn->sk);
}

/* Removes the connection from the shim; the socket is locked. */
static void conn_to_default(struct sock *sk)
{
	struct mptcp_sock *msk = (struct mptcp_sock *)sk;
	struct mptcp_sched_ops *kernels;
	struct conn *conn = conn_get(sk);

	if (msk->sched != &progmp_sched) {
		conn_closed(msk);
		goto out;
	}
	rcu_read_lock();
	kernels = static_call(kernel_find)("default");
	rcu_read_unlock();
	if (conn && served(conn))
		conn_fall_back(conn, PROGMP_NOT_CHOSEN);
	conn_closed(msk);
	msk->sched = kernels;
	module_put(THIS_MODULE);	/* the reference of the socket; the caller has another one */
out:
	if (conn)
		conn_put(conn);
}

/* Forgets what another scheduler left for the subflows. */
static void clear_scheduled(struct mptcp_sock *msk)
{
	struct mptcp_subflow_context *ctx;

	list_for_each_entry(ctx, &msk->conn_list, node)
		WRITE_ONCE(ctx->scheduled, false);
}

/* The socket is locked. */
int conn_choose(struct sock *sk, const char *name)
{
	struct mptcp_sock *msk = (struct mptcp_sock *)sk;
	struct mptcp_sched_ops *old = msk->sched;
	struct sched *sched;
	struct conn *conn;

	sched = name[0] ? sched_find(name) : NULL;
	if (!sched && name[0] && strcmp(name, "default"))
		return -ENOENT;
	if (!sched) {
		conn_to_default(sk);
		return 0;
	}
	conn = conn_get(sk);
	if (!conn) {
		conn = conn_new(msk, GFP_KERNEL);
		if (!conn) {
			sched_put(sched);
			return -ENOMEM;
		}
		refcount_inc(&conn->ref);
	}
	if (old != &progmp_sched) {
		__module_get(THIS_MODULE);
		if (old && old->release)
			old->release(msk);
		WRITE_ONCE(msk->sched, &progmp_sched);
		if (old)
			module_put(old->owner);
	}
	if (served(conn)) {		/* queues, registers and USER stay */
		conn_unserve(conn);
	} else {
		packets_forget(conn);
		clear_scheduled(msk);
	}
	conn_serve(conn, sched);
	if (sk->sk_state == TCP_CLOSE || sk->sk_state == TCP_LISTEN)
		WRITE_ONCE(listeners_chosen, true);
	conn_put(conn);
	return 0;
}

int conn_set_default(struct net *net, const char *name)
{
	struct progmp_net *mine = net_generic(net, progmp_net_id);
	struct sched *sched = name[0] ? sched_find(name) : NULL;

	if (!sched && name[0] && strcmp(name, "default"))
		return -ENOENT;
	spin_lock_bh(&defaults_lock);
	swap(mine->sched, sched);
	spin_unlock_bh(&defaults_lock);
	sched_put(sched);
	return 0;
}

bool conn_is_default(struct net *net, const char *name)
{
	struct progmp_net *mine = net_generic(net, progmp_net_id);
	bool is;

	spin_lock_bh(&defaults_lock);
	is = mine->sched && !strcmp(mine->sched->name, name);
	spin_unlock_bh(&defaults_lock);
	return is;
}

/* Some connection with this scheduler in this namespace (any, if NULL), with references to it and its socket. */
static struct conn *conn_any(const struct sched *sched, const struct net *net)
{
	struct conn *conn, *found = NULL;
	int bucket;

	rcu_read_lock();
	hash_for_each_rcu(conns, bucket, conn, node) {
		if (sched && READ_ONCE(conn->sched) != sched)
			continue;
		if (net && !net_eq(sock_net(conn->sk), net))
			continue;
		if (!refcount_inc_not_zero(&conn->ref))
			continue;
		if (refcount_inc_not_zero(&conn->sk->sk_refcnt)) {
			found = conn;
			break;
		}
		conn_put(conn);
	}
	rcu_read_unlock();
	return found;
}

u32 conn_restore(const struct net *net)
{
	struct conn *conn;
	u32 count = 0;

	while ((conn = conn_any(NULL, net))) {
		struct sock *sk = conn->sk;

		lock_sock(sk);
		if (!test_bit(CONN_DEAD, &conn->flags)) {
			conn_to_default(sk);
			count++;
		}
		release_sock(sk);
		sock_put(sk);
		conn_put(conn);
		cond_resched();
	}
	return count;
}

/* The program is gone: nobody runs it any more, and nobody finds it. */
void conn_sched_gone(struct sched *sched)
{
	struct conn *conn;
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net) {
		struct progmp_net *mine = net_generic(net, progmp_net_id);
		bool ours;

		spin_lock_bh(&defaults_lock);
		ours = mine->sched == sched;
		if (ours)
			mine->sched = NULL;
		spin_unlock_bh(&defaults_lock);
		if (ours)
			sched_put(sched);
	}
	up_read(&net_rwsem);
	while ((conn = conn_any(sched, NULL))) {
		struct sock *sk = conn->sk;

		lock_sock(sk);
		if (conn->sched == sched)
			conn_fall_back(conn, PROGMP_REMOVED);
		release_sock(sk);
		sock_put(sk);
		conn_put(conn);
		cond_resched();
	}
}

static void __net_exit progmp_net_exit(struct net *net)
{
	conn_set_default(net, "");
}

static struct pernet_operations net_ops = {
	.exit = progmp_net_exit,
	.id = &progmp_net_id,
	.size = sizeof(struct progmp_net),
};

int conn_init(void)
{
	return register_pernet_subsys(&net_ops);
}

void conn_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
