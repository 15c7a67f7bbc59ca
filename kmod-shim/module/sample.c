// SPDX-License-Identifier: GPL-2.0
/*
 * Subflows: which there are, and what the kernel knows of them.
 *
 * A trigger samples once, each subflow under its own lock, so that an acknowledgement that is being
 * processed elsewhere is either seen as a whole or not at all.
 */
#include "progmp.h"

#define MOST(bits) ((1ull << (bits)) - 1)
#define DSS_BYTES  28	/* what the MPTCP option takes of a segment at most */

/* net/mptcp/protocol.h: __mptcp_subflow_active(), which is inline. */
static bool can_send(const struct mptcp_subflow_context *ctx)
{
	if (ctx->request_join && !READ_ONCE(ctx->fully_established))
		return false;
	return (1 << inet_sk_state_load(ctx->tcp_sock)) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

static struct sub *sub_of(struct conn *conn, const struct mptcp_subflow_context *ctx)
{
	u32 i;

	for (i = 0; i < conn->subs; i++)
		if (conn->sub[i].ctx == ctx && conn->sub[i].id == ctx->subflow_id)
			return &conn->sub[i];
	return NULL;
}

static int add_sub(struct conn *conn, struct mptcp_subflow_context *ctx)
{
	if (conn->subs == PROGMP_SUBFLOWS)
		return -E2BIG;
	if (conn->subs == conn->sub_room) {
		u32 room = max(2u, 2 * conn->sub_room);
		struct sub *grown = krealloc_array(conn->sub, room, sizeof(*grown), GFP_KERNEL_ACCOUNT);

		if (!grown)
			return -ENOMEM;
		conn->sub = grown;
		conn->sub_room = room;
	}
	conn->sub[conn->subs++] = (struct sub){
		.ssk = ctx->tcp_sock,
		.ctx = ctx,
		.id = ctx->subflow_id,
		.lost_seen = tcp_sk(ctx->tcp_sock)->lost,
	};
	return 0;
}

/* Finds out who came and who went; new ones are the youngest. */
static int find_subflows(struct conn *conn)
{
	struct mptcp_subflow_context *ctx;
	u32 alive = 0, i;
	int err;

	list_for_each_entry(ctx, &msk_of(conn)->conn_list, node) {
		struct sub *sub = sub_of(conn, ctx);

		if (sub && can_send(ctx))
			alive |= BIT(sub - conn->sub);
	}
	for (i = conn->subs; i--; )
		if (!(alive & BIT(i)))
			packets_drop_sub(conn, i);
	list_for_each_entry(ctx, &msk_of(conn)->conn_list, node)
		if (can_send(ctx) && ctx->subflow_id && !sub_of(conn, ctx)) {
			err = add_sub(conn, ctx);
			if (err)
				return err;
		}
	return 0;
}

static unsigned long timeout_of(struct sock *ssk)
{
#ifdef HAVE_TCP_TIMEOUT_EXPIRES
	return tcp_timeout_expires(ssk);
#else
	return inet_csk(ssk)->icsk_timeout;
#endif
}

/* net/ipv4/tcp.c: tcp_compute_delivery_rate(). */
static u64 delivery_rate(const struct tcp_sock *tp)
{
	u32 delivered = READ_ONCE(tp->rate_delivered), interval = READ_ONCE(tp->rate_interval_us);
	u64 bytes = (u64)delivered * tp->mss_cache * USEC_PER_SEC;

	return delivered && interval ? div_u64(bytes, interval) : 0;
}

/*
 * The kernel clears the flag when a packet leaves the layers below, but not if that happens while an earlier
 * one's notice is still under way. It tests the condition anew where it matters, so a flag that was left
 * behind does not disturb it; a program would wait for ever. With data in flight something always follows.
 */
static bool is_throttled(struct sock *ssk)
{
	return test_bit(TSQ_THROTTLED, &ssk->sk_tsq_flags) && tcp_sk(ssk)->packets_out && sk_wmem_alloc_get(ssk);
}

static void sample_one(struct conn *conn, struct room *room, u32 i)
{
	struct sub *sub = &conn->sub[i];
	struct sock *ssk = sub->ssk;
	struct tcp_sock *tp = tcp_sk(ssk);
	struct inet_connection_sock *icsk = inet_csk(ssk);
	struct sample *sample = &room->sample;
	struct progmp_subflow *to = &sample->subflow[i];
	bool slow = lock_sock_fast(ssk);
	u32 mss = max(tp->mss_cache, 1u);
	int taken;

	to->rtt = min_t(u64, tp->srtt_us >> 3, MOST(40));
	to->rtt_ms = div_u64(to->rtt, 1000);
	to->rtt_var = min_t(u64, tp->rttvar_us >> 2, MOST(40));
	to->cwnd = tcp_snd_cwnd(tp);
	to->ssthresh = tp->snd_ssthresh;
	to->skbs_in_flight = tp->packets_out;
	to->queued = DIV_ROUND_UP(tp->write_seq - tp->snd_nxt, mss);
	to->lost_skbs = tp->lost_out;
	to->mss = mss;
	to->id = sub->id;
	to->pacing_rate = min_t(u64, READ_ONCE(ssk->sk_pacing_rate), MOST(48));
	to->delivery_rate = min_t(u64, delivery_rate(tp), MOST(48));
	if (is_throttled(ssk))
		sample->throttled |= BIT_ULL(i);
	if (icsk->icsk_ca_state == TCP_CA_Loss)
		sample->lossy |= BIT_ULL(i);
	taken = READ_ONCE(ssk->sk_sndbuf) - READ_ONCE(ssk->sk_wmem_queued);
	sub->room_bytes = max(taken, 0);
	sub->queued = to->queued;
	loss_marks(conn, sub, i);
	unlock_sock_fast(ssk, slow);
}

/* E2BIG: more subflows than a block holds. */
int sample_subflows(struct conn *conn, struct room *room)
{
	struct mptcp_sock *msk = msk_of(conn);
	struct sample *sample = &room->sample;
	long timeout = 0;
	u32 mss = U16_MAX, i;
	int err;

	err = find_subflows(conn);
	if (err)
		return err;
	for (i = 0; i < conn->subs; i++)
		mss = min(mss, READ_ONCE(tcp_sk(conn->sub[i].ssk)->mss_cache));
	/* a subflow whose link died shrinks to segments of a few bytes: others need not follow it */
	conn->mss = max(mss, TCP_MSS_DEFAULT) - DSS_BYTES;
	err = packets_sync(conn);
	if (err)
		return err;
	sample->is_backup = sample->throttled = sample->lossy = sample->stale = 0;
	for (i = 0; i < conn->subs; i++) {
		struct mptcp_subflow_context *ctx = conn->sub[i].ctx;

		if (ctx->stale)		/* it looks whether the subflow lives again */
			static_call(kernel_active)(ctx);
		if (ctx->stale)
			sample->stale |= BIT_ULL(i);
#ifdef HAVE_mptcp_subflow_context_request_bkup
		if (ctx->backup || ctx->request_bkup)
#else
		if (ctx->backup)
#endif
			sample->is_backup |= BIT_ULL(i);
		sample_one(conn, room, i);
		if (inet_csk(conn->sub[i].ssk)->icsk_pending && !ctx->stale_count)
			timeout = max_t(long, timeout, timeout_of(conn->sub[i].ssk) - jiffies);
	}
	sample->time_ms = ktime_get_ns() / NSEC_PER_MSEC & MOST(48);
	/* the kernel's own scheduler does this where it chooses */
	msk->timer_ival = timeout > 0 ? timeout : TCP_RTO_MIN;
	return 0;
}
