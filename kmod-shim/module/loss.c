// SPDX-License-Identifier: GPL-2.0
/*
 * Loss marks: which packets a subflow holds for lost.
 *
 * TCP marks skbs in its retransmission queue; the MPTCP extension of an skb names the mapping that it was
 * made from. An skb may have been split and trimmed since, so its place in the mapping follows from its TCP
 * sequence number.
 */
#include "progmp.h"

static void lost_range(struct conn *conn, u64 seq, u32 len, u32 bit)
{
	u64 end = seq + len;
	u32 position;

	if (before64(seq, conn->una))
		seq = conn->una;
	while (before64(seq, end)) {
		struct packet *packet = packets_find(conn, seq, &position);

		if (!packet)
			return;
		if ((packet->sent_on & bit) && !(packet->lost_on & bit)) {
			packet->lost_on |= bit;
			packets_suspect(conn, packet);
		}
		seq = end_of(packet);
	}
}

/* The subflow is locked. A mark counts once, until the packet is transmitted on the subflow again. */
void loss_marks(struct conn *conn, struct sub *sub, u32 index)
{
	struct tcp_sock *tp = tcp_sk(sub->ssk);
	struct sk_buff *skb;
	u32 base;

	if (tp->lost == sub->lost_seen)
		return;
	sub->lost_seen = tp->lost;
	/* the subflow's relative byte 0; it can send, so no FIN has a number */
	base = tp->write_seq - sub->ctx->rel_write_seq;
	for (skb = tcp_rtx_queue_head(sub->ssk); skb; skb = skb_rb_next(skb)) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		struct mptcp_ext *ext;
		u32 offset;

		if (!(cb->sacked & TCPCB_LOST))
			continue;
		ext = skb_ext_find(skb, SKB_EXT_MPTCP);
		if (!ext || !ext->use_map)
			continue;
		offset = cb->seq - base - ext->subflow_seq;
		if (offset + skb->len <= ext->data_len)
			lost_range(conn, ext->data_seq + offset, skb->len, BIT(index));
	}
}
