// SPDX-License-Identifier: GPL-2.0
/*
 * Transmissions: accounted for one by one, carried out subflow by subflow.
 *
 * What goes to one subflow goes under one lock with one push, in the order in which it was decided, and
 * packets that follow one another in one data fragment go as one piece, so that segmentation offload works
 * as it does for the kernel's own scheduler.
 */
#include "progmp.h"

/*
 * The packet goes to the subflow, as far as host and program are concerned. BLOCKED if the subflow cannot take
 * it now: the peer's window, or as much memory as the kernel grants a subflow.
 */
enum outcome send_account(struct conn *conn, struct room *room, u32 position, u32 index)
{
	struct packet *packet = packet_at(conn, position);
	struct sub *sub = &conn->sub[index];

	if (after64(end_of(packet), conn->wnd_end) || !sub->room_bytes)
		return BLOCKED;
	room->transmission[room->transmissions++] = (struct transmission){
		.packet = position,
		.sub = index,
		.sent_before = packet->flags & SENT,
		.there_before = packet->sent_on & BIT(index),
	};
	sub->room_bytes -= min_t(u32, sub->room_bytes, packet->len);
	if (sub->queued != U32_MAX)
		sub->queued++;
	sub->pushes++;
	room->counters.pushes++;
	room->counters.pushed_bytes += packet->len;
	if (packet->flags & SENT) {
		room->counters.copies++;
		room->counters.copied_bytes += packet->len;
	}
	packet->flags |= SENT;
	packet->sent_on |= BIT(index);
	packet->lost_on &= ~BIT(index);
	return GOES_ON;
}

/*
 * The kernel may turn a connection into plain TCP as long as bytes went out once and in order. Says whether
 * they may go out otherwise from now on; __mptcp_retrans() decides likewise.
 */
static bool leave_order(struct mptcp_sock *msk)
{
	bool may = true;

	if (!READ_ONCE(msk->allow_infinite_fallback))
		return true;
#ifdef HAVE_mptcp_sock_fallback_lock
	spin_lock_bh(&msk->fallback_lock);
#ifdef HAVE_mptcp_sock_allow_subflows
	may = msk->allow_subflows;
#endif
	if (may)
		msk->allow_infinite_fallback = false;
	spin_unlock_bh(&msk->fallback_lock);
#else
	msk->allow_infinite_fallback = false;
#endif
	return may;
}

/* Bytes [from, to) of a fragment. Returns how far it came. */
static u64 send_bytes(struct conn *conn, struct sub *sub, struct mptcp_data_frag *frag, u64 from, u64 to,
		      struct mptcp_sendmsg_info *info)
{
	struct mptcp_sock *msk = msk_of(conn);

	if (from != msk->snd_nxt && !leave_order(msk))
		return from;
	info->sent = from - frag->data_seq;
	info->limit = to - frag->data_seq;
	while (info->sent < info->limit) {
		int bytes = static_call(kernel_send)(conn->sk, sub->ssk, frag, info);
		u64 end;

		if (bytes <= 0)
			break;
		info->sent += bytes;
		sub->bytes += bytes;
		end = frag->data_seq + info->sent;
		if (after64(end, msk->snd_nxt)) {
			msk->bytes_sent += end - msk->snd_nxt;
			WRITE_ONCE(msk->snd_nxt, end);
		}
	}
	return frag->data_seq + info->sent;
}

/* All transmissions from `first` on that go to its subflow. */
static bool send_group(struct conn *conn, struct room *room, u32 first)
{
	struct transmission *all = room->transmission;
	u32 count = room->transmissions, index = all[first].sub, i = first;
	struct sub *sub = &conn->sub[index];
	struct mptcp_sendmsg_info info = {};
	bool ok = true, any = false;

	lock_sock(sub->ssk);
	while (i < count) {
		struct packet *packet = packet_at(conn, all[i].packet);
		struct mptcp_data_frag *frag = packet->frag;
		u64 from = packet->seq, to = end_of(packet), reached;
		u32 next = i + 1;

		all[i].done = true;
		for (; next < count; next++) {		/* the run of bytes that starts here */
			struct packet *more = packet_at(conn, all[next].packet);

			if (all[next].sub != index)
				continue;
			if (more->frag != frag || more->seq != to)
				break;
			to = end_of(more);
		}
		reached = ok ? send_bytes(conn, sub, frag, from, to, &info) : from;
		any |= reached != from;
		ok = reached == to;
		for (; i < next; i++) {
			if (all[i].sub != index)
				continue;
			packet = packet_at(conn, all[i].packet);
			all[i].done = true;
			all[i].failed = after64(end_of(packet), reached);
			if (all[i].failed && after64(reached, packet->seq))
				packet->part = max_t(u16, packet->part, reached - packet->seq);
		}
	}
	if (any) {
		static_call(kernel_push)(sub->ssk, 0, info.mss_now, tcp_sk(sub->ssk)->nonagle, info.size_goal);
		msk_of(conn)->last_data_sent = tcp_jiffies32;
	}
	release_sock(sub->ssk);
	room->counters.groups++;
	return ok;
}

/* It did not go after all: it is pending, in front of what was blocked later. */
static void take_back(struct conn *conn, struct room *room)
{
	u32 later = conn->pendings, moved, i;

	for (i = room->transmissions; i--; ) {		/* the last first: each restores what it found */
		struct transmission *one = &room->transmission[i];
		struct packet *packet = packet_at(conn, one->packet);

		if (!one->failed)
			continue;
		if (!one->there_before)
			packet->sent_on &= ~BIT(one->sub);
		if (!one->sent_before && !packet->sent_on)
			packet->flags &= ~SENT;
		room->counters.pushes--;
		room->counters.pushed_bytes -= packet->len;
	}
	for (i = 0; i < room->transmissions; i++) {
		struct transmission *one = &room->transmission[i];
		struct packet *packet = packet_at(conn, one->packet);

		if (one->failed && pending_add(conn, packet->seq, conn->sub[one->sub].id))
			packets_suspect(conn, packet);	/* no memory: leave it to RQ */
	}
	moved = conn->pendings - later;
	for (i = 0; later && i < moved; i++) {		/* rotate what is new to the front */
		struct pending one = conn->pending[later + i];

		memmove(&conn->pending[i + 1], &conn->pending[i], later * sizeof(one));
		conn->pending[i] = one;
	}
}

/* Carries out what was accounted for. False: some of it is pending now. */
bool send_all(struct conn *conn, struct room *room)
{
	u64 start = exec_timing && room->transmissions ? ktime_get_ns() : 0;
	bool ok = true;
	u32 i;

	for (i = 0; i < room->transmissions; i++)
		if (!room->transmission[i].done)
			ok &= send_group(conn, room, i);
	if (start)
		room->counters.send_ns += ktime_get_ns() - start;
	if (!ok)
		take_back(conn, room);
	room->transmissions = 0;
	return ok;
}
