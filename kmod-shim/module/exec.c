// SPDX-License-Identifier: GPL-2.0
/*
 * Triggers (specs/calling-model.md): sample, resume what is pending, run the program until nothing happens.
 *
 * Transmissions are accounted for at once, in packets, subflows and block, and carried out together at the
 * end (send.c). What then cannot go is pending for the next trigger.
 */
#include "progmp.h"

#include <linux/mm.h>
#include <linux/sched/clock.h>

#define ROOMS_KEPT    (num_online_cpus() + 1)
#define EXECUTIONS_MOST 16384		/* of one trigger; the next one goes on */
#define UNPROVED_MOST	(100 * NSEC_PER_MSEC)	/* in one trigger; what is proved has its bound */

static LIST_HEAD(rooms);
static DEFINE_SPINLOCK(rooms_lock);
static u32 rooms_free;
bool exec_timing;

static void room_free(struct room *room)
{
	kvfree(room->before);
	kvfree(room->block);
	kvfree(room);
}

static struct room *room_get(void)
{
	struct room *room;

	spin_lock(&rooms_lock);
	room = list_first_entry_or_null(&rooms, struct room, list);
	if (room) {
		list_del(&room->list);
		rooms_free--;
	}
	spin_unlock(&rooms_lock);
	if (room)
		return room;
	room = kvzalloc(sizeof(*room), GFP_KERNEL);
	if (!room)
		return NULL;
	room->block = kvzalloc(sizeof(*room->block), GFP_KERNEL);
	if (!room->block) {
		kvfree(room);
		return NULL;
	}
	room->env.block = room->block;
	return room;
}

static void room_put(struct room *room)
{
	spin_lock(&rooms_lock);
	if (rooms_free < ROOMS_KEPT) {
		list_add(&room->list, &rooms);
		rooms_free++;
		room = NULL;
	}
	spin_unlock(&rooms_lock);
	if (room)
		room_free(room);
}

static void counters_add(struct progmp_counters *to, const struct progmp_counters *from)
{
	to->triggers += from->triggers;
	to->executions += from->executions;
	to->no_effect += from->no_effect;
	to->pushes += from->pushes;
	to->pushed_bytes += from->pushed_bytes;
	to->copies += from->copies;
	to->copied_bytes += from->copied_bytes;
	to->drops += from->drops;
	to->pops += from->pops;
	to->skipped += from->skipped;
	to->reinjected += from->reinjected;
	to->blocked += from->blocked;
	to->refused += from->refused;
	to->rescues += from->rescues;
	to->longest_idle = max(to->longest_idle, from->longest_idle);
	to->groups += from->groups;
	to->run_ns += from->run_ns;
	to->trigger_ns += from->trigger_ns;
	to->send_ns += from->send_ns;
}

/* splitmix64: each execution has a seed of its own. */
static u64 next_seed(u64 seed)
{
	u64 mixed = seed + 0x9e3779b97f4a7c15ull;

	mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9ull;
	mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebull;
	return mixed ^ mixed >> 31;
}

static enum outcome run_once(struct conn *conn, struct room *room, bool *effect, bool *took, u32 *reason)
{
	/* what is traced is shown whole */
	bool traced = !room->blind && trace_wants(conn), counts;
	u32 flags;
	u64 start = exec_timing ? ktime_get_ns() : 0;

	if (traced)
		trace_before(conn, room);
	switch (sched_run(conn->sched, &room->env, room->number, &flags)) {
	case GONE:
		*reason = PROGMP_REMOVED;
		return FELL_BACK;
	case REPLACED:
		return SETTLED;
	case RAN:
		break;
	}
	room->tainted |= flags & PROGMP_UNPROVED;
	room->compressed = flags & PROGMP_COMPRESSED;
	if (start)
		room->counters.run_ns += ktime_get_ns() - start;
	room->counters.executions++;
	counts = adopt_plausible(conn, room);
	if (traced)
		trace_after(conn, room, counts ? 0 : PROGMP_TRACE_BAD);
	if (!counts) {
		room->counters.refused++;
		*reason = PROGMP_NONSENSE;
		return FELL_BACK;
	}
	*took = false;
	*effect = adopt(conn, room, took);
	if (!*effect)
		room->counters.no_effect++;
	conn->seed = next_seed(conn->seed);
	return GOES_ON;
}

/*
 * The actions of one run, first in, first out. Behind one that cannot go they are pending; nothing runs before the
 * next trigger then, which fills the block anew.
 */
static enum outcome carry_out(struct conn *conn, struct room *room)
{
	struct progmp_block *block = room->block;
	enum outcome outcome = GOES_ON;
	u32 i, count = block->actions;

	for (i = 0; i < count; i++) {
		u32 action = block->action[i], record = action & 0xffff, index = action >> 16 & 0xff;
		u32 position = room->of[record];
		bool behind = outcome != GOES_ON;

		if (action >> 24 == PROGMP_DROP) {
			room->counters.drops++;
			continue;
		}
		if (behind && adopt_undo(conn, room, record))
			continue;
		if (!behind)
			outcome = send_account(conn, room, position, index);
		if (outcome == GOES_ON) {
			block->packet[record].sent_on = packet_at(conn, position)->sent_on;
			block->subflow[index].queued = conn->sub[index].queued;
		} else if (pending_add(conn, packet_at(conn, position)->seq, conn->sub[index].id)) {
			return FELL_BACK;
		}
	}
	return outcome;
}

/* What was decided earlier and could not go. */
static enum outcome resume(struct conn *conn, struct room *room)
{
	enum outcome outcome = GOES_ON;
	u32 done, i, position;

	for (done = 0; done < min_t(u32, conn->pendings, PROGMP_BATCH - PROGMP_ACTIONS) && outcome == GOES_ON;
	     done++) {
		struct pending *pending = &conn->pending[done];
		struct packet *packet = packets_find(conn, pending->seq, &position);

		if (!packet) {
			room->counters.skipped++;
			continue;
		}
		for (i = 0; i < conn->subs && conn->sub[i].id != pending->id; i++)
			;
		if (i == conn->subs)
			packets_suspect(conn, packet);
		else
			outcome = send_account(conn, room, position, i);
	}
	if (outcome != GOES_ON)
		done--;
	conn->pendings -= done;
	memmove(conn->pending, conn->pending + done, conn->pendings * sizeof(*conn->pending));
	if (outcome == GOES_ON && conn->pendings) {	/* a batch is full: the next trigger resumes */
		trigger_queue(conn);
		return BLOCKED;
	}
	return outcome;
}

static enum outcome run_program(struct conn *conn, struct room *room, u32 *reason)
{
	u32 idle = 0, executions = 0;
	u64 pushes = room->counters.pushes, start = local_clock();

	fill_whole(conn, room);
	for (;;) {
		bool effect, took;
		enum outcome outcome = run_once(conn, room, &effect, &took, reason);

		if (outcome == FELL_BACK)
			return FELL_BACK;
		if (outcome == SETTLED)		/* the next trigger fills a block for the new program */
			return GOES_ON;
		if (!effect)
			return SETTLED;
		*reason = PROGMP_MEMORY;
		outcome = carry_out(conn, room);
		if (outcome != GOES_ON)
			return outcome;
		if (room->transmissions > PROGMP_BATCH - PROGMP_ACTIONS && !send_all(conn, room))
			return BLOCKED;
		idle = took || room->counters.pushes != pushes ? 0 : idle + 1;
		pushes = room->counters.pushes;
		if (room->counters.longest_idle < idle)
			room->counters.longest_idle = idle;
		*reason = PROGMP_FUEL;
		if (idle > PROGMP_FUEL_GRANTED || (room->tainted && local_clock() - start > UNPROVED_MOST))
			return FELL_BACK;
		if (++executions == EXECUTIONS_MOST)
			return GOES_ON;
		if (executions % 64 == 0 || room->tainted)
			cond_resched();
		fill_again(conn, room);
	}
}

static struct timer_list *retransmission_timer(struct sock *sk)
{
#ifdef HAVE_SK_MPTCP_TIMER
	return &sk->mptcp_retransmit_timer;
#else
	return &inet_csk(sk)->icsk_retransmit_timer;
#endif
}

static void start_timer(struct conn *conn)
{
	struct sock *sk = conn->sk;

	if (!timer_pending(retransmission_timer(sk)) &&
	    (1 << sk->sk_state) & ~(TCPF_CLOSE | TCPF_LISTEN | TCPF_SYN_SENT | TCPF_SYN_RECV))
		sk_reset_timer(sk, retransmission_timer(sk), jiffies + msk_of(conn)->timer_ival);
}

/*
 * Data waits, there is a subflow, the peer has room, all that it could acknowledge it has acknowledged, and still the
 * program does not send the first byte that is missing. Bytes behind that one do not count: nobody can use them.
 */
static bool stalled(struct conn *conn)
{
	if (!waits(conn) || !conn->subs || READ_ONCE(msk_of(conn)->snd_una) != conn->sent_seq ||
	    !before64(conn->sent_seq, conn->wnd_end)) {
		conn->idle_since = 0;
		return false;
	}
	if (!conn->idle_since)
		conn->idle_since = jiffies | 1;
	return time_after(jiffies, conn->idle_since + PROGMP_PATIENCE);
}

static enum outcome trigger_in(struct conn *conn, struct room *room, u32 *reason)
{
	enum outcome outcome;
	int err;

	room->number = smp_load_acquire(&conn->sched->number);
	room->blind = conn->sched->flags & PROGMP_BLIND && !trace_wants(conn);
	err = sample_subflows(conn, room);

	if (!err && conn->subs > conn->sched->subflows)
		err = -E2BIG;
	if (err) {
		*reason = err == -E2BIG ? PROGMP_SUBFLOWS_OVER : PROGMP_MEMORY;
		return FELL_BACK;
	}
	outcome = resume(conn, room);
	return outcome == GOES_ON ? run_program(conn, room, reason) : outcome;
}

/* One trigger. The MPTCP socket is owned, in process context, and no subflow is locked. */
bool exec_trigger(struct conn *conn)
{
	u64 start = exec_timing ? ktime_get_ns() : 0, reinjected;
	struct sched *sched = conn->sched;
	u32 reason = PROGMP_SERVED;
	enum outcome outcome;
	struct room *room;
	bool all, sent;

	if (conn->running || !sched)
		return false;
	room = room_get();
	if (!room) {
		conn_fall_back(conn, PROGMP_MEMORY);
		return false;
	}
	refcount_inc(&sched->ref);
	conn->running = true;
	conn->triggers++;
	room->conn = conn;
	room->transmissions = 0;
	room->tainted = false;
	memset(&room->counters, 0, sizeof(room->counters));
	room->counters.triggers = 1;
	reinjected = conn->counters.reinjected;

	outcome = trigger_in(conn, room, &reason);
	all = send_all(conn, room);
	if (outcome == BLOCKED || !all)
		room->counters.blocked++;
	if (room->tainted)
		room->header = false;
	packets_advance(conn);
	sent = room->counters.pushes;
	if (outcome != FELL_BACK && stalled(conn)) {
		outcome = FELL_BACK;
		reason = PROGMP_STALLED;
	}
	if (sent || waits(conn))
		start_timer(conn);
	if (outcome == FELL_BACK)
		conn_fall_back(conn, reason);
	if (!msk_of(conn)->first_pending)	/* what was missing may be covered without a push */
		static_call(kernel_data_fin)(conn->sk);
	conn->running = false;
	if (outcome == GOES_ON)
		trigger_queue(conn);
	if (start)
		room->counters.trigger_ns = ktime_get_ns() - start;
	counters_add(&conn->counters, &room->counters);
	room->counters.reinjected = conn->counters.reinjected - reinjected;
	spin_lock(&sched->lock);
	counters_add(&sched->counters, &room->counters);
	spin_unlock(&sched->lock);
	room_put(room);
	sched_put(sched);
	return sent;
}

void exec_exit(void)
{
	struct room *room, *next;

	list_for_each_entry_safe(room, next, &rooms, list)
		room_free(room);
}
