// SPDX-License-Identifier: GPL-2.0
/*
 * Which scheduler serves a connection. One without a scheduler is served by the kernel's default one.
 */
#include "progmp.h"

#include <linux/delay.h>
#include <net/netns/generic.h>

struct progmp_net {
	struct sched *sched;		/* of sockets to come */
};

static DEFINE_SPINLOCK(defaults_lock);
static unsigned int progmp_net_id __read_mostly;

/* With a reference; NULL if sockets of the namespace get the kernel's own. It may be called in softirq. */
struct sched *sched_of_net(const struct net *net)
{
	struct progmp_net *mine = net_generic(net, progmp_net_id);
	struct sched *sched;

	spin_lock_bh(&defaults_lock);
	sched = mine->sched;
	if (sched)
		refcount_inc(&sched->ref);
	spin_unlock_bh(&defaults_lock);
	return sched;
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
	bool resend = conn->rq_count || conn->pendings ||
		      (conn->started && before64(conn->sent_seq, msk_of(conn)->snd_nxt));

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

	if (!conn_is_ours(msk->sched)) {
		conn_closed(msk);
		goto out;
	}
	rcu_read_lock();
	kernels = static_call(kernel_find)("default");
	rcu_read_unlock();
	if (conn && served(conn))
		conn_fall_back(conn, PROGMP_NOT_CHOSEN);
	WRITE_ONCE(msk->sched, kernels);
	conn_closed(msk);
	if (sk->sk_state == TCP_LISTEN)	/* a softirq that clones it may have read the old one */
		synchronize_rcu();
	module_put(THIS_MODULE);	/* of the socket; progmp_exit() waits for work items, ioctls have a file */
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
	int err = 0;

	sched = name[0] ? sched_find(name) : NULL;
	if (!sched && name[0] && strcmp(name, "default"))
		return -ENOENT;
	if (!sched) {
		conn_to_default(sk);
		return 0;
	}
	conn = conn_of(sk);
	if (!conn) {
		sched_put(sched);
		return -ENOMEM;
	}
	if (!conn_is_ours(old)) {
		__module_get(THIS_MODULE);
		if (old && old->release)
			old->release(msk);
		WRITE_ONCE(msk->sched, &progmp_sched);
		if (old)
			module_put(old->owner);
	}
	if (sk->sk_state == TCP_CLOSE || sk->sk_state == TCP_LISTEN)
		err = conn_may_listen(conn);
	if (err) {
		sched_put(sched);
		conn_put(conn);
		return err;
	}
	if (!served(conn)) {		/* else queues, registers and USER stay */
		packets_forget(conn);
		clear_scheduled(msk);
	}
	conn_serve(conn, sched);
	conn_put(conn);
	return 0;
}

int conn_set_default(struct net *net, const char *name)
{
	struct progmp_net *mine = net_generic(net, progmp_net_id);
	struct sched *sched = name[0] ? sched_find(name) : NULL;
	int err = 0;

	if (!sched && name[0] && strcmp(name, "default"))
		return -ENOENT;
	spin_lock_bh(&defaults_lock);
	if (sched && !sched_has_program(sched))
		err = -ENOENT;		/* it was unloaded meanwhile, and conn_sched_gone() does not come again */
	else
		swap(mine->sched, sched);
	spin_unlock_bh(&defaults_lock);
	sched_put(sched);
	return err;
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

/* Whether the connection still has who serves it, and whether it is to stay. */
void conn_look(struct conn *conn)
{
	if (test_bit(CONN_DEAD, &conn->flags))
		return;
	if (test_bit(CONN_LEAVES, &conn->flags))
		conn_to_default(conn->sk);
	else if (conn->sched && !sched_has_program(conn->sched))
		conn_fall_back(conn, PROGMP_REMOVED);
}

u32 conn_restore(const struct net *net)
{
	u32 count = conn_ask(NULL, net, true);

	conn_wait_for_leavers();
	return count;
}

/* The program is gone: nobody runs it any more, and nobody finds it. Who holds a socket hears of it later. */
void conn_sched_gone(struct sched *sched)
{
	unsigned long end = jiffies + PROGMP_MOMENT;
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
	conn_ask(sched, NULL, false);
	while (atomic_read(&sched->connections) && time_before(jiffies, end))
		msleep(1);
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

int serve_init(void)
{
	return register_pernet_subsys(&net_ops);
}

void serve_exit(void)
{
	unregister_pernet_subsys(&net_ops);
}
