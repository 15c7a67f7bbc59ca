// SPDX-License-Identifier: GPL-2.0
/*
 * What a run left in the block, taken over into the host's own tables once it is known to be possible.
 */
#include "progmp.h"

enum { Q, QU, RQ };

/* Whether what the run left can be: every index in use, queues that only moved as POP moves them. */
bool adopt_plausible(struct conn *conn, struct room *room)
{
	const struct progmp_block *block = room->block;
	u32 words = DIV_ROUND_UP(room->packets, 64), w, i;

	if (block->status != PROGMP_DONE || block->actions > PROGMP_ACTIONS)
		return false;
	for (w = 0; w < words; w++) {
		u64 q = block->queue[Q].word[w], popped = room->word[Q][w] & ~q;

		if (q & ~room->word[Q][w] || block->queue[RQ].word[w] & ~room->word[RQ][w] ||
		    block->queue[QU].word[w] != (room->word[QU][w] | popped))
			return false;
	}
	for (i = 0; i < block->actions; i++) {
		u32 action = block->action[i], what = action >> 24, sub = action >> 16 & 0xff;

		if ((action & 0xffff) >= room->packets)
			return false;
		if (what == PROGMP_PUSH ? sub >= conn->subs : what != PROGMP_DROP || sub)
			return false;
	}
	return true;
}

static void adopt_queues(struct conn *conn, struct room *room, bool *took)
{
	const struct progmp_block *block = room->block;
	u32 words = DIV_ROUND_UP(room->packets, 64), w;

	for (w = 0; w < words; w++) {
		u64 from_q = room->word[Q][w] & ~block->queue[Q].word[w];
		u64 from_rq = room->word[RQ][w] & ~block->queue[RQ].word[w];

		room->word[Q][w] &= ~from_q;
		room->word[QU][w] |= from_q;
		room->word[RQ][w] &= ~from_rq;
		if (from_rq & ~room->word[QU][w])
			room->stray = true;
		room->burst[w] = from_q;
		*took |= from_q | from_rq;
		for (; from_q; from_q &= from_q - 1) {
			packet_at(conn, room->of[64 * w + __ffs64(from_q)])->flags &= ~IN_Q;
			conn->q_count--;
			room->shown[Q]--;
			room->shown[QU]++;
			room->counters.pops++;
		}
		for (; from_rq; from_rq &= from_rq - 1) {
			packet_at(conn, room->of[64 * w + __ffs64(from_rq)])->flags &= ~IN_RQ;
			conn->rq_count--;
			room->shown[RQ]--;
			room->counters.pops++;
		}
	}
}

/* Takes over queues, registers and USER. Says whether the run had an effect, and whether it took a packet. */
bool adopt(struct conn *conn, struct room *room, bool *took)
{
	struct progmp_block *block = room->block;
	bool effect = block->actions;
	u32 i;

	adopt_queues(conn, room, took);
	effect |= *took;
	for (i = 0; i < PROGMP_REGISTERS; i++)
		if (conn->reg[i] != block->reg[i]) {
			conn->reg[i] = block->reg[i];
			effect = true;
		}
	for (i = 0; i < conn->subs; i++)
		if (conn->sub[i].user != block->user[i]) {
			conn->sub[i].user = block->user[i];
			effect = true;
		}
	return effect;
}

/*
 * A packet that this run took from Q is in Q again. The source of a compressed scheduler would not have decided on
 * it yet: it stops at the packet that cannot go (specs/rewriting.md).
 */
bool adopt_undo(struct conn *conn, struct room *room, u32 record)
{
	u64 bit = BIT_ULL(record % 64);

	if (!room->compressed || !(room->burst[record / 64] & bit))
		return false;
	room->burst[record / 64] &= ~bit;
	packet_at(conn, room->of[record])->flags |= IN_Q;
	conn->q_count++;
	room->counters.pops--;
	return true;
}
