// SPDX-License-Identifier: GPL-2.0
/*
 * The packets of a connection: a ring in sequence order, kept in step with what the kernel has.
 *
 * The kernel keeps unacknowledged data as fragments in rtx_queue, and thinks of everything before
 * first_pending + already_sent as sent. Here that pointer follows the contiguous prefix that was transmitted, so
 * that no acknowledgement passes it; what the kernel sends by itself is recognised by it.
 */
#include "progmp.h"

#include <linux/mm.h>

#define RING_LEAST 64
#define RING_KEPT  1024	/* records that a connection keeps while nothing is outstanding */
#define RING_MOST  (1u << 17)

static void leave_q(struct conn *conn, struct packet *packet)
{
	if (packet->flags & IN_Q) {
		packet->flags &= ~IN_Q;
		conn->q_count--;
	}
}

void packets_suspect(struct conn *conn, struct packet *packet)
{
	if (packet->flags & (IN_Q | IN_RQ))
		return;
	packet->flags |= IN_RQ;
	conn->rq_count++;
	conn->counters.reinjected++;
}

/* Position of the packet that holds the byte, or of the first behind it. */
static u32 position_of(const struct conn *conn, u64 seq)
{
	u32 low = conn->head, count = conn->tail - conn->head;

	while (count) {
		u32 half = count / 2;

		if (after64(end_of(packet_at(conn, low + half)), seq)) {
			count = half;
		} else {
			low += half + 1;
			count -= half + 1;
		}
	}
	return low;
}

/* The packet that holds the byte, unless it is acknowledged. */
struct packet *packets_find(struct conn *conn, u64 seq, u32 *position)
{
	u32 at = position_of(conn, seq);
	struct packet *packet = packet_at(conn, at);

	if (at == conn->tail || before64(seq, packet->seq))
		return NULL;
	if (position)
		*position = at;
	return packet;
}

static int ring_grow(struct conn *conn)
{
	u32 size = conn->size ? 2 * conn->size : RING_LEAST, position;
	struct packet *ring;

	if (size > RING_MOST)
		return -ENOMEM;
	ring = kvmalloc_array(size, sizeof(*ring), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return -ENOMEM;
	for (position = conn->head; position != conn->tail; position++)
		ring[position & (size - 1)] = *packet_at(conn, position);
	kvfree(conn->ring);
	conn->ring = ring;
	conn->size = size;
	return 0;
}

static int ring_add(struct conn *conn)
{
	if (conn->tail - conn->head == conn->size) {
		int err = ring_grow(conn);

		if (err)
			return err;
	}
	conn->tail++;
	return 0;
}

int pending_add(struct conn *conn, u64 seq, u32 id)
{
	if (conn->pendings == conn->pending_room) {
		u32 room = max(16u, 2 * conn->pending_room);
		struct pending *grown = kvmalloc_array(room, sizeof(*grown), GFP_KERNEL_ACCOUNT);

		if (!grown)
			return -ENOMEM;
		if (conn->pendings)
			memcpy(grown, conn->pending, conn->pendings * sizeof(*grown));
		kvfree(conn->pending);
		conn->pending = grown;
		conn->pending_room = room;
	}
	conn->pending[conn->pendings++] = (struct pending){ .seq = seq, .id = id };
	return 0;
}

bool pending_on_others(const struct conn *conn, u64 seq, u32 id)
{
	u32 i;

	for (i = 0; i < conn->pendings; i++)
		if (conn->pending[i].seq == seq && conn->pending[i].id != id)
			return true;
	return false;
}

/* Cuts a packet behind `len` bytes. What is pending for it is pending for both. */
static int packet_split(struct conn *conn, u32 position, u16 len)
{
	struct packet *first, *rest;
	u32 i, pendings = conn->pendings;
	int err = ring_add(conn);

	if (err)
		return err;
	for (i = conn->tail - 1; i != position + 1; i--)
		*packet_at(conn, i) = *packet_at(conn, i - 1);
	first = packet_at(conn, position);
	rest = packet_at(conn, position + 1);
	*rest = *first;
	rest->seq += len;
	rest->len -= len;
	rest->part = 0;
	first->len = len;
	first->part = min(first->part, len);
	first->flags &= ~PSH;
	conn->q_count += !!(first->flags & IN_Q);
	conn->rq_count += !!(first->flags & IN_RQ);
	for (i = 0; i < pendings; i++)
		if (conn->pending[i].seq == first->seq) {
			err = pending_add(conn, rest->seq, conn->pending[i].id);
			if (err)
				return err;
		}
	return 0;
}

void packets_forget(struct conn *conn)
{
	kvfree(conn->ring);
	conn->ring = NULL;
	conn->size = conn->head = conn->tail = conn->q_from = 0;
	conn->q_count = conn->rq_count = 0;
	kvfree(conn->pending);
	conn->pending = NULL;
	conn->pendings = conn->pending_room = 0;
	conn->started = false;
	conn->idle_since = 0;
}

/* What is acknowledged leaves all queues. */
static void acknowledge(struct conn *conn, u64 una)
{
	u32 i;

	while (conn->head != conn->tail) {
		struct packet *packet = packet_at(conn, conn->head);

		if (after64(end_of(packet), una)) {
			u16 gone = before64(packet->seq, una) ? una - packet->seq : 0;

			if (!gone)
				break;
			for (i = 0; i < conn->pendings; i++)
				if (conn->pending[i].seq == packet->seq)
					conn->pending[i].seq = una;
			packet->seq = una;
			packet->len -= gone;
			packet->part -= min(packet->part, gone);
			break;
		}
		leave_q(conn, packet);
		conn->rq_count -= !!(packet->flags & IN_RQ);
		conn->head++;
	}
	if ((s32)(conn->q_from - conn->head) < 0)
		conn->q_from = conn->head;
	if (before64(conn->sent_seq, una))
		conn->sent_seq = una;
	conn->una = una;
}

/* The kernel sent something of its own accord, or before it asked us. */
static int kernel_sent(struct conn *conn, u64 to)
{
	u32 position = position_of(conn, conn->sent_seq);

	for (; position != conn->tail; position++) {
		struct packet *packet = packet_at(conn, position);

		if (!before64(packet->seq, to))
			break;
		if (after64(end_of(packet), to)) {
			int err = packet_split(conn, position, to - packet->seq);

			if (err)
				return err;
			packet = packet_at(conn, position);
		}
		packet->flags |= SENT;
		leave_q(conn, packet);
	}
	conn->sent_seq = to;
	return 0;
}

/* The kernel wants all of this sent again: a subflow was closed, or it became stale. */
static void recover(struct conn *conn)
{
	u32 good = 0, i;

	for (i = 0; i < conn->subs; i++)
		good |= conn->sub[i].ctx->stale ? 0 : BIT(i);
	for (i = conn->head; i != conn->tail; i++) {
		struct packet *packet = packet_at(conn, i);

		if ((packet->flags & SENT) && !(packet->sent_on & good) &&
		    !pending_on_others(conn, packet->seq, 0))
			packets_suspect(conn, packet);
	}
}

/* The application writes. Whether the last packet ends a write shows in that nobody waits for memory. */
static int take_new(struct conn *conn, u64 kernel_seq)
{
	struct mptcp_sock *msk = msk_of(conn);
	struct socket *socket = conn->sk->sk_socket;
	struct mptcp_data_frag *frag;
	struct packet *last = NULL;
	u64 from = conn->next_seq;

	if (conn->head != conn->tail) {
		last = packet_at(conn, conn->tail - 1);
		frag = last->frag;
	} else {
		frag = list_first_entry(&msk->rtx_queue, struct mptcp_data_frag, list);
	}
	list_for_each_entry_from(frag, &msk->rtx_queue, list) {
		u64 end = frag->data_seq + frag->data_len;

		if (!after64(end, conn->next_seq))
			continue;
		if (before64(conn->next_seq, frag->data_seq))
			conn->next_seq = frag->data_seq;
		if (last && last->frag == frag && (last->flags & (IN_Q | SENT)) == IN_Q && !last->part &&
		    last->user == conn->packet_user && end_of(last) == conn->next_seq && last->len < conn->mss) {
			u32 more = min_t(u64, conn->mss - last->len, end - conn->next_seq);

			last->len += more;
			last->flags &= ~PSH;
			conn->next_seq += more;
		}
		while (before64(conn->next_seq, end)) {
			bool sent = before64(conn->next_seq, kernel_seq);
			u64 limit = sent && before64(kernel_seq, end) ? kernel_seq : end;
			int err = ring_add(conn);

			if (err)
				return err;
			last = packet_at(conn, conn->tail - 1);
			*last = (struct packet){
				.seq = conn->next_seq,
				.user = conn->packet_user,
				.frag = frag,
				.len = min_t(u64, conn->mss, limit - conn->next_seq),
				.flags = sent ? SENT : IN_Q,
			};
			conn->q_count += !sent;
			conn->next_seq += last->len;
		}
	}
	if (last && conn->next_seq != from && !(socket && test_bit(SOCK_NOSPACE, &socket->flags)))
		last->flags |= PSH;
	return 0;
}

/* With nothing outstanding no window will open by itself: what fits in goes alone. */
static int fit_window(struct conn *conn)
{
	struct packet *packet;
	u32 position;

	if (msk_of(conn)->snd_nxt != conn->una)
		return 0;
	position = position_of(conn, conn->sent_seq);
	packet = packet_at(conn, position);
	if (position == conn->tail || !after64(end_of(packet), conn->wnd_end) ||
	    !before64(packet->seq, conn->wnd_end))
		return 0;
	return packet_split(conn, position, conn->wnd_end - packet->seq);
}

/* Brings the packets in step with the kernel. The socket is owned, and no trigger is under way. */
int packets_sync(struct conn *conn)
{
	struct mptcp_sock *msk = msk_of(conn);
	u64 una = READ_ONCE(msk->snd_una), kernel_seq;
	int err;

	conn->wnd_end = READ_ONCE(msk->wnd_end);
	if (conn->started &&
	    (before64(una, conn->una) || after64(conn->next_seq, msk->write_seq)))
		packets_forget(conn);	/* the socket was disconnected and used again */
	if (list_empty(&msk->rtx_queue)) {
		if (conn->started)
			acknowledge(conn, conn->next_seq);
		if (conn->size > RING_KEPT) {
			kvfree(conn->ring);
			conn->ring = NULL;
			conn->size = conn->head = conn->tail = conn->q_from = 0;
		}
		conn->started = false;
		conn->una = una;
		return 0;
	}
	if (msk->first_pending)
		kernel_seq = msk->first_pending->data_seq + msk->first_pending->already_sent;
	else
		kernel_seq = list_last_entry(&msk->rtx_queue, struct mptcp_data_frag, list)->data_seq +
			     list_last_entry(&msk->rtx_queue, struct mptcp_data_frag, list)->data_len;
	if (!conn->started) {
		conn->next_seq = list_first_entry(&msk->rtx_queue, struct mptcp_data_frag, list)->data_seq;
		conn->sent_seq = kernel_seq;
		conn->una = una;
		conn->started = true;
	}
	acknowledge(conn, una);
	if (before64(kernel_seq, conn->sent_seq)) {
		recover(conn);
	} else if (after64(kernel_seq, conn->sent_seq)) {
		err = kernel_sent(conn, kernel_seq);
		if (err)
			return err;
	}
	err = take_new(conn, kernel_seq);
	return err ? err : fit_window(conn);
}

/*
 * Bytes behind unsent ones went out, so acknowledgements may pass first_pending: an honest peer's when the kernel
 * closes the gap, another one's at any time. __mptcp_clean_una() takes them without a warning while the kernel
 * recovers, which is what it does when it sends from the start again.
 */
static void allow_gap(struct mptcp_sock *msk)
{
	struct sock *sk = (struct sock *)msk;

	if (msk->recovery && !before64(msk->recovery_snd_nxt, msk->snd_nxt))
		return;
	spin_lock_bh(&sk->sk_lock.slock);
	msk->recovery_snd_nxt = msk->snd_nxt;
	msk->recovery = true;
	spin_unlock_bh(&sk->sk_lock.slock);
}

/* The kernel's pointers follow what was transmitted without a gap. */
void packets_advance(struct conn *conn)
{
	struct mptcp_sock *msk = msk_of(conn);
	struct mptcp_data_frag *frag;
	u32 position;

	if (!conn->started)		/* nobody has looked yet how far the kernel is */
		return;
	position = position_of(conn, conn->sent_seq);
	for (; position != conn->tail; position++) {
		struct packet *packet = packet_at(conn, position);

		if (!(packet->flags & SENT)) {
			if (packet->part)
				conn->sent_seq = packet->seq + packet->part;
			break;
		}
		conn->sent_seq = end_of(packet);
	}
	while ((frag = msk->first_pending)) {
		if (after64(conn->sent_seq, frag->data_seq + frag->already_sent))
			frag->already_sent = min_t(u64, conn->sent_seq - frag->data_seq, frag->data_len);
		if (frag->already_sent < frag->data_len)
			break;
		msk->first_pending = list_is_last(&frag->list, &msk->rtx_queue) ?
				     NULL : list_next_entry(frag, list);
	}
	if (before64(conn->sent_seq, msk->snd_nxt))
		allow_gap(msk);
}

/* A subflow died. What only it carried, or nobody knows who, is suspected lost. */
void packets_drop_sub(struct conn *conn, u32 index)
{
	u32 bit = BIT(index), below = bit - 1, i;
	u32 id = conn->sub[index].id;

	for (i = conn->head; i != conn->tail; i++) {
		struct packet *packet = packet_at(conn, i);

		if ((packet->flags & SENT) && !(packet->sent_on & ~bit) &&
		    !pending_on_others(conn, packet->seq, id))
			packets_suspect(conn, packet);
		packet->sent_on = (packet->sent_on & below) | (packet->sent_on >> 1 & ~below);
		packet->lost_on = (packet->lost_on & below) | (packet->lost_on >> 1 & ~below);
	}
	conn->subs--;
	memmove(&conn->sub[index], &conn->sub[index + 1], (conn->subs - index) * sizeof(*conn->sub));
}
