// SPDX-License-Identifier: GPL-2.0
/*
 * progmp: hosts compiled ProgMP schedulers (specs/shim.md).
 *
 * The MPTCP scheduler that the kernel calls never marks a subflow for a connection that a program serves: it
 * runs the program, and the module transmits by itself. For all others it asks the kernel's own scheduler.
 */
#include "progmp.h"

static int ask_kernel(struct sock *ssk)
{
	if (!ssk)
		return -EINVAL;
	WRITE_ONCE(ctx_of(ssk)->scheduled, true);
	return 0;
}

/* The last-resort timer: nothing was acknowledged for long. What the kernel would resend is suspected lost. */
static void suspect_first(struct conn *conn)
{
	struct mptcp_data_frag *first;
	u32 i;

	if (conn->head == conn->tail)
		return;
	first = packet_at(conn, conn->head)->frag;
	for (i = conn->head; i != conn->tail; i++) {
		struct packet *packet = packet_at(conn, i);

		if (packet->frag != first)
			break;
		if (packet->flags & SENT)
			packets_suspect(conn, packet);
	}
}

/* Data waits, nothing is outstanding, and the peer's window has no room. */
static bool window_closed(const struct conn *conn)
{
	const struct mptcp_sock *msk = msk_of(conn);

	return msk->first_pending && READ_ONCE(msk->snd_una) == msk->snd_nxt &&
	       !before64(conn->sent_seq, conn->wnd_end);
}

static int retransmit(struct conn *conn)
{
	struct mptcp_sock *msk = msk_of(conn);
	/* it also notices subflows that became stale */
	struct sock *choice = static_call(kernel_get_retrans)(msk);

	suspect_first(conn);
	if (exec_trigger(conn))
		return -EINVAL;
	if (served(conn) && window_closed(conn)) {	/* each timeout probes it once */
		conn->probe_due = true;
		trigger_queue(conn);
	}
	if (served(conn) && choice)
		conn->counters.rescues++;
	return ask_kernel(choice);
}

static int get(struct mptcp_sock *msk, bool reinject)
{
	struct sock *sk = (struct sock *)msk;
	struct conn *conn;

	rcu_read_lock();
	conn = conn_find(sk);
	if (conn && served(conn) && !sock_owned_by_user_nocheck(sk)) {
		trigger_queue(conn);	/* softirq: neither sleep nor other subflows are possible */
		rcu_read_unlock();
		return -EINVAL;
	}
	rcu_read_unlock();		/* it lives as long as its socket, which is owned */
	if (conn && conn->running)
		return -EINVAL;
	if (conn && served(conn)) {
		bool probed = conn->probing;

		conn->probing = false;
		if (reinject)
			return retransmit(conn);
		if (probed) {		/* the subflow that probed may still be locked by our caller */
			trigger_queue(conn);
			return -EINVAL;
		}
		exec_trigger(conn);
		if (served(conn)) {
			bool probe = conn->probe_due && window_closed(conn);

			conn->probe_due = false;
			if (!probe)
				return -EINVAL;
			/* a closed window is probed by the kernel */
			conn->probing = true;
			return ask_kernel(static_call(kernel_get_send)(msk));
		}
	}
	return ask_kernel(reinject ? static_call(kernel_get_retrans)(msk) : static_call(kernel_get_send)(msk));
}

#if defined(HAVE_GET_SUBFLOW)
static int get_subflow(struct mptcp_sock *msk, struct mptcp_sched_data *data)
{
	return get(msk, data->reinject);
}
#elif defined(HAVE_SCHED_DATA)
static int get_send(struct mptcp_sock *msk, struct mptcp_sched_data *data)
{
	return get(msk, false);
}

static int get_retrans(struct mptcp_sock *msk, struct mptcp_sched_data *data)
{
	return get(msk, true);
}
#else
static int get_send(struct mptcp_sock *msk)
{
	return get(msk, false);
}

static int get_retrans(struct mptcp_sock *msk)
{
	return get(msk, true);
}
#endif

struct mptcp_sched_ops progmp_sched = {
#ifdef HAVE_GET_SUBFLOW
	.get_subflow = get_subflow,
#else
	.get_send = get_send,
	.get_retrans = get_retrans,
#endif
	.init = conn_opened,
	.release = conn_closed,
	.name = "progmp",
	.owner = THIS_MODULE,
};

/* What the module was built for, to be compared with the kernel's BTF before it is inserted. */
#define NOTE(name, kind, text)								\
	static const struct {								\
		u32 name_bytes, text_bytes, type;					\
		char owner[8];								\
		char of[(sizeof(text) + 2) & ~3];						\
	} name __used __section(".note.progmp." #name) __aligned(4) = {			\
		.name_bytes = 7, .text_bytes = sizeof(text) - 1, .type = kind,		\
		.owner = "ProgMP", .of = text,						\
	}

NOTE(layout, 2, PROGMP_LAYOUT_NOTE);
NOTE(module, 3, "module " PROGMP_MODULE_VERSION "\nabi 1\nuapi 1\n");
static_assert(PROGMP_ABI_VERSION == 1 && PROGMP_UAPI_VERSION == 1);

static int __init progmp_init(void)
{
	int err = resolve_symbols();

	if (err)
		return err;
	err = serve_init();
	if (err)
		return err;
	err = trigger_init();
	if (err)
		goto no_triggers;
	err = ops_init();		/* nothing loads before the module is live */
	if (err)
		goto no_sched;
	err = control_init();
	if (err)
		goto no_sched;
	/* the last one: from here on sockets may have the module */
	err = static_call(kernel_register)(&progmp_sched);
	if (err)
		goto no_control;
	return 0;

no_control:
	control_exit();
no_sched:
	trigger_exit();
no_triggers:
	serve_exit();
	conn_drain();
	return err;
}

/* No socket has the scheduler any more: each held a reference. */
static void __exit progmp_exit(void)
{
	control_exit();
	static_call(kernel_unregister)(&progmp_sched);
	synchronize_rcu();
	trigger_exit();
	serve_exit();
	exec_exit();
	conn_drain();
}

module_init(progmp_init);
module_exit(progmp_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Hosts proved MPTCP packet schedulers");
MODULE_VERSION(PROGMP_MODULE_VERSION);
