// SPDX-License-Identifier: GPL-2.0
/*
 * The trace: each execution as the program saw it and what it left, in a ring that one file reads.
 *
 * Records that find no room, or come faster than the reader asked for, are counted and left out; traffic never
 * waits for the reader.
 */
#include "progmp.h"

#include <linux/poll.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#define RING_KIB 4096u
#define KIB_MOST (1u << 18)

static DEFINE_MUTEX(trace_lock);	/* all of this; traces are taken in process context */
static DEFINE_MUTEX(read_lock);		/* who reads; taken before trace_lock */
static DECLARE_WAIT_QUEUE_HEAD(trace_waiting);
static struct file *trace_owner;
static u64 trace_only;			/* number of a connection; 0: all */
static bool trace_on;
static u8 *ring;
static size_t ring_bytes, ring_head, ring_tail;	/* [tail, head), growing */
static u64 numbers, lost;
static u32 per_second, this_second;
static unsigned long second;

bool trace_wants(const struct conn *conn)
{
	u64 only;

	if (!READ_ONCE(trace_on))
		return false;
	only = READ_ONCE(trace_only);
	return !only || only == conn->number;
}

void trace_before(struct conn *conn, struct room *room)
{
	size_t from = offsetof(struct progmp_block, magic);

	if (!room->before)
		room->before = kvmalloc(sizeof(*room->before), GFP_KERNEL);
	if (!room->before)
		return;
	memcpy(room->before, room->block, offsetof(struct progmp_block, scratch));
	memcpy((void *)room->before + from, (void *)room->block + from,
	       offsetof(struct progmp_block, packet) + room->packets * sizeof(struct progmp_packet) - from);
}

static void ring_put(const void *from, size_t bytes)
{
	size_t at = ring_head % ring_bytes, first = min(bytes, ring_bytes - at);

	memcpy(ring + at, from, first);
	memcpy(ring, from + first, bytes - first);
	ring_head += bytes;
}

static bool too_many(void)
{
	if (!per_second)
		return false;
	if (time_after_eq(jiffies, second + HZ)) {
		second = jiffies;
		this_second = 0;
	}
	return this_second++ >= per_second;
}

static void write_record(struct conn *conn, struct room *room, struct progmp_trace *head)
{
	const struct progmp_block *before = room->before, *after = room->block;
	static const u32 zero;
	u32 prints = min_t(u32, head->prints, PROGMP_PRINTS);

	head->bytes = sizeof(*head) + head->subflows * (sizeof(struct progmp_subflow) + 16) +
		      head->packets * sizeof(struct progmp_packet) + prints * sizeof(struct progmp_print) +
		      4 * round_up(head->actions, 2);
	if (too_many() || ring_bytes - (ring_head - ring_tail) < head->bytes) {
		lost++;
		return;
	}
	head->lost = lost;
	ring_put(head, sizeof(*head));
	ring_put(before->subflow, head->subflows * sizeof(struct progmp_subflow));
	ring_put(before->packet, head->packets * sizeof(struct progmp_packet));
	ring_put(before->user, head->subflows * 8);
	ring_put(after->user, head->subflows * 8);
	ring_put(after->print, prints * sizeof(struct progmp_print));
	ring_put(after->action, head->actions * 4);
	if (head->actions % 2)
		ring_put(&zero, 4);
}

void trace_after(struct conn *conn, struct room *room, u32 flags)
{
	const struct progmp_block *before = room->before, *after = room->block;
	struct progmp_trace *head;

	if (!before)
		return;
	head = kzalloc(sizeof(*head), GFP_KERNEL);
	if (!head)
		return;
	head->flags = flags | (room->counters.executions == 1 ? PROGMP_TRACE_FIRST : 0);
	head->connection = conn->number;
	head->trigger = conn->triggers;
	head->scheduler = conn->sched->number;
	head->ns = ktime_get_ns();
	strscpy(head->name, conn->sched->name, sizeof(head->name));
	head->status = after->status;
	head->subflows = conn->subs;
	head->packets = room->packets;
	head->actions = min_t(u32, after->actions, PROGMP_ACTIONS);
	head->prints = after->prints;
	head->time_ms = before->time_ms;
	head->seed = before->seed;
	head->is_backup = before->is_backup;
	head->throttled = before->throttled;
	head->lossy = before->lossy;
	head->stale = before->stale;
	memcpy(head->reg_before, before->reg, sizeof(head->reg_before));
	memcpy(head->reg_after, after->reg, sizeof(head->reg_after));
	memcpy(head->before, before->queue, sizeof(head->before));
	memcpy(head->after, after->queue, sizeof(head->after));
	mutex_lock(&trace_lock);
	if (trace_wants(conn)) {	/* it may be another trace by now */
		head->number = ++numbers;
		write_record(conn, room, head);
	}
	mutex_unlock(&trace_lock);
	kfree(head);
	wake_up_interruptible(&trace_waiting);
}

int trace_start(struct file *file, const struct progmp_tracing *how, u64 only)
{
	size_t bytes = 1024ul * (how->kib ? how->kib : RING_KIB);
	int err = 0;

	if (how->kib > KIB_MOST)
		return -EINVAL;
	mutex_lock(&trace_lock);
	if (trace_owner) {
		err = -EBUSY;
		goto out;
	}
	ring = vmalloc(bytes);
	if (!ring) {
		err = -ENOMEM;
		goto out;
	}
	ring_bytes = bytes;
	ring_head = ring_tail = 0;
	numbers = lost = 0;
	per_second = how->per_second;
	this_second = 0;
	second = jiffies;
	trace_owner = file;
	WRITE_ONCE(trace_only, only);
	WRITE_ONCE(trace_on, true);
out:
	mutex_unlock(&trace_lock);
	return err;
}

void trace_stop(struct file *file)
{
	mutex_lock(&trace_lock);
	if (trace_owner == file) {
		WRITE_ONCE(trace_on, false);
		trace_owner = NULL;
		vfree(ring);
		ring = NULL;
		ring_head = ring_tail = 0;
	}
	mutex_unlock(&trace_lock);
}

/* The writer leaves [tail, head) alone. */
static int ring_get(char __user *to, size_t bytes)
{
	size_t at = ring_tail % ring_bytes, first = min(bytes, ring_bytes - at);

	return copy_to_user(to, ring + at, first) || copy_to_user(to + first, ring, bytes - first) ? -EFAULT : 0;
}

static u32 next_bytes(void)
{
	u8 raw[4];
	u32 bytes, i;

	for (i = 0; i < 4; i++)
		raw[i] = ring[(ring_tail + i) % ring_bytes];
	memcpy(&bytes, raw, 4);
	return bytes;
}

/* Where the records end now; the caller's file owns the trace, which therefore stays. */
static int ring_end(struct file *file, size_t *end)
{
	int err = -EINVAL;

	mutex_lock(&trace_lock);
	if (trace_owner == file) {
		*end = ring_head;
		err = 0;
	}
	mutex_unlock(&trace_lock);
	return err;
}

static ssize_t read_records(struct file *file, char __user *to, size_t bytes)
{
	ssize_t done = 0;
	size_t end;
	int err = ring_end(file, &end);

	if (err)
		return err;
	while (ring_tail != end) {
		u32 record = next_bytes();

		if (done + record > bytes) {
			err = -EMSGSIZE;	/* not even one fits */
			break;
		}
		err = ring_get(to + done, record);
		if (err)
			break;
		mutex_lock(&trace_lock);
		ring_tail += record;
		mutex_unlock(&trace_lock);
		done += record;
	}
	return done ? done : err;
}

/*
 * Copying to user space may take as long as user space likes, so it happens without the lock that traced
 * connections take: readers have one of their own.
 */
ssize_t trace_read(struct file *file, char __user *to, size_t bytes)
{
	ssize_t done;
	int err;

	for (;;) {
		err = mutex_lock_interruptible(&read_lock);
		if (err)
			return err;
		done = read_records(file, to, bytes);
		mutex_unlock(&read_lock);
		if (done)
			return done;
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(trace_waiting, READ_ONCE(ring_head) != READ_ONCE(ring_tail));
		if (err)
			return err;
	}
}

__poll_t trace_poll(struct file *file, struct poll_table_struct *table)
{
	if (READ_ONCE(trace_owner) != file)
		return EPOLLERR;
	poll_wait(file, &trace_waiting, table);
	return READ_ONCE(ring_head) != READ_ONCE(ring_tail) ? EPOLLIN | EPOLLRDNORM : 0;
}
