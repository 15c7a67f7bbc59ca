// SPDX-License-Identifier: GPL-2.0
/*
 * The block (specs/abi.md): filled when a trigger starts, brought up to date after each execution.
 *
 * What a program left in the block is no fact. The room holds the host's own account, from which the queues
 * are written before each run. A scheduler without a proof may have written anywhere, so for it everything
 * is written anew.
 */
#include "progmp.h"

enum { Q, QU, RQ };

static void put(struct room *room, int queue, u32 record)
{
	room->word[queue][record / 64] |= BIT_ULL(record % 64);
	room->shown[queue]++;
}

static bool holds(const struct room *room, int queue, u32 record)
{
	return room->word[queue][record / 64] >> (record % 64) & 1;
}

static void take(struct room *room, int queue, u32 record)
{
	room->word[queue][record / 64] &= ~BIT_ULL(record % 64);
	room->shown[queue]--;
}

static void fill_header(struct room *room)
{
	struct progmp_block *block = room->block;
	int i;

	block->magic = PROGMP_ABI_MAGIC;
	block->version = PROGMP_ABI_VERSION;
	block->size = sizeof(*block);
	block->zero = 0;
	block->one = 1;
	block->inf = U64_MAX;
	for (i = 0; i < 64; i++)
		block->lowest[(BIT_ULL(i) * PROGMP_DEBRUIJN) >> 58] = i;
	room->header = true;
}

static void fill_subflows(struct conn *conn, struct room *room)
{
	const struct sample *sample = &room->sample;
	struct progmp_block *block = room->block;
	u32 i;

	block->subflows = conn->subs;
	block->live = BIT_ULL(conn->subs) - 1;
	block->is_backup = sample->is_backup;
	block->throttled = sample->throttled;
	block->lossy = sample->lossy;
	block->stale = sample->stale;
	block->time_ms = sample->time_ms;
	memcpy(block->subflow, sample->subflow, conn->subs * sizeof(*block->subflow));
	for (i = 0; i < conn->subs; i++) {
		block->subflow[i].queued = conn->sub[i].queued;
		block->user[i] = conn->sub[i].user;
	}
	memcpy(block->reg, conn->reg, sizeof(block->reg));
}

static void fill_packet(struct conn *conn, struct room *room, u32 record)
{
	const struct packet *packet = packet_at(conn, room->of[record]);
	struct progmp_packet *to = &room->block->packet[record];

	to->seq = packet->seq;
	to->user = packet->user;
	to->length = packet->len;
	to->flags = packet->flags & PSH ? PROGMP_PSH : 0;
	to->sent_on = packet->sent_on;
	to->window = after64(end_of(packet), conn->wnd_end) ? 0 : BIT_ULL(conn->subs) - 1;
}

/* What every run starts with. */
static void fill_start(struct conn *conn, struct room *room)
{
	struct progmp_block *block = room->block;
	u32 now = DIV_ROUND_UP(room->packets, 64), words = max(now, room->words), w;
	int queue;

	room->words = now;
	for (queue = 0; queue < 3; queue++) {
		u64 some = 0;

		for (w = 0; w < words; w++) {
			u64 word = room->word[queue][w];

			block->queue[queue].word[w] = word;
			some |= (u64)!!word << w;
		}
		block->queue[queue].some = some;
	}
	block->packets = room->packets;
	block->status = PROGMP_STARTED;
	block->actions = 0;
	block->prints = 0;
	block->seed = conn->seed;
}

/* The prefixes that are shown now, at most `limit` packets each; that of Q is short while QU is long. */
static void fill_packets(struct conn *conn, struct room *room)
{
	u32 limit = conn->sched->packets, position;
	u32 qu_total = conn->tail - conn->head - conn->q_count;
	u32 want[3];
	bool rq_ends = false;
	int queue;

	want[QU] = room->blind ? 0 : min(limit, qu_total);
	want[Q] = min3(limit, conn->q_count,
		       room->blind || qu_total >= limit ? (u32)PROGMP_Q_SHORT : U32_MAX);
	want[RQ] = min(limit, conn->rq_count);
	room->packets = 0;
	for (queue = 0; queue < 3; queue++) {
		memset(room->word[queue], 0, sizeof(room->word[queue]));
		room->shown[queue] = 0;
	}
	room->words = PROGMP_WORDS;
	room->stray = false;
	room->q_end = conn->head;
	for (position = conn->head; position != conn->tail; position++) {
		const struct packet *packet;
		bool shown = false;

		if (room->shown[QU] == want[QU] && (rq_ends || room->shown[RQ] == want[RQ])) {
			if (room->shown[Q] == want[Q])
				break;
			if ((s32)(conn->q_from - position) > 0)
				position = conn->q_from;
		}
		packet = packet_at(conn, position);
		if (packet->flags & IN_Q) {
			if (!room->shown[Q])
				conn->q_from = position;
			if (room->shown[Q] < want[Q]) {
				put(room, Q, room->packets);
				room->q_end = position + 1;
				shown = true;
			}
		} else {
			bool qu = room->shown[QU] < want[QU];

			if (qu)
				put(room, QU, room->packets);
			shown = qu;
			if ((packet->flags & IN_RQ) && !rq_ends && room->shown[RQ] < want[RQ]) {
				/* the prefix of RQ ends before a sent packet that the prefix of QU lacks */
				if (qu || room->blind || !packet->sent_on) {
					put(room, RQ, room->packets);
					shown = true;
				} else {
					rq_ends = true;
				}
			}
		}
		if (shown) {
			room->of[room->packets] = position;
			fill_packet(conn, room, room->packets);
			room->packets++;
		}
	}
}

void fill_whole(struct conn *conn, struct room *room)
{
	if (!room->header)
		fill_header(room);
	fill_subflows(conn, room);
	fill_packets(conn, room);
	fill_start(conn, room);
}

static u64 without_bit(u64 word, u32 bit, u64 next)
{
	u64 below = word & (BIT_ULL(bit) - 1);
	u64 above = bit == 63 ? 0 : (word >> (bit + 1)) << bit;

	return below | above | next << 63;
}

/* The record is in no queue any more: those behind it move up. */
static void vanish(struct room *room, u32 record)
{
	u32 rest = --room->packets - record, last = room->packets / 64, w;
	struct progmp_packet *packet = room->block->packet;
	int queue;

	memmove(&packet[record], &packet[record + 1], rest * sizeof(*packet));
	memmove(&room->of[record], &room->of[record + 1], rest * sizeof(*room->of));
	for (queue = 0; queue < 3; queue++) {
		u64 *word = room->word[queue];

		for (w = record / 64; w <= last; w++)
			word[w] = without_bit(word[w], w == record / 64 ? record % 64 : 0,
					      w + 1 < PROGMP_WORDS ? word[w + 1] & 1 : 0);
	}
}

static u32 last_of(const struct room *room, int queue)
{
	u32 w = DIV_ROUND_UP(room->packets, 64);

	while (w-- && !room->word[queue][w])
		;
	return 64 * w + __fls(room->word[queue][w]);
}

/* QU has more members than it may show, because packets came to it from Q. False: fill anew. */
static bool shorten_qu(struct conn *conn, struct room *room)
{
	while (room->shown[QU] > conn->sched->packets) {
		u32 record = last_of(room, QU);

		if (holds(room, RQ, record))
			return false;
		take(room, QU, record);
		if (!holds(room, Q, record))
			vanish(room, record);
	}
	return true;
}

/* More of Q behind what is shown of it, if nothing else comes in between. */
static bool lengthen_q(struct conn *conn, struct room *room)
{
	u32 most = min3((u32)PROGMP_Q_SHORT, conn->sched->packets, conn->q_count), position;

	if (room->packets && (s32)(room->of[room->packets - 1] - room->q_end) >= 0)
		return false;
	for (position = room->q_end; room->shown[Q] < most && position != conn->tail; position++) {
		if (!(packet_at(conn, position)->flags & IN_Q) || room->packets == PROGMP_PACKETS)
			return false;
		room->of[room->packets] = position;
		fill_packet(conn, room, room->packets);
		put(room, Q, room->packets);
		room->q_end = position + 1;
		room->packets++;
	}
	return true;
}

/*
 * After an execution: queues of the room are those that it left, and transmissions have been written into
 * their records.
 */
void fill_again(struct conn *conn, struct room *room)
{
	bool trusted = !room->tainted, fits = trusted && !room->stray;
	u32 short_q = min3((u32)PROGMP_Q_SHORT / 2, conn->sched->packets, conn->q_count);

	if (!trusted)
		room->header = false;
	if (fits)
		fits = shorten_qu(conn, room);
	if (fits && room->shown[Q] < short_q)
		fits = lengthen_q(conn, room);
	if (fits)
		fill_start(conn, room);
	else
		fill_whole(conn, room);
}
