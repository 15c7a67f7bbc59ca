/* SPDX-License-Identifier: GPL-2.0 */
/*
 * progmp: what the files of the module share.
 *
 * A connection (struct conn) is served by at most one scheduler (struct sched). What the kernel has of its
 * unacknowledged bytes, the connection has as packets (struct packet) in a ring, in sequence order. A trigger
 * borrows a room (struct room): the block that the program is shown, and the host's own account of it.
 *
 * Locks: all of a connection is guarded by the lock of its MPTCP socket (owned, in process context), but for
 * `work`, `flags`, `ref` and `node`. Order: MPTCP socket, then subflow, as in the kernel.
 */
#ifndef PROGMP_H
#define PROGMP_H

#define pr_fmt(fmt) "progmp: " fmt

#include <linux/bpf.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/static_call.h>
#include <linux/workqueue.h>
#include <net/mptcp.h>
#include <net/tcp.h>

#include "layout.h"
#include "progmp_abi.h"
#include "progmp_uapi.h"

#define PROGMP_MODULE_VERSION "1.0.0"
#define PROGMP_FUEL_GRANTED   256	/* executions in a row with an effect and without progress */
#define PROGMP_BATCH	      2048	/* transmissions that are carried out together */
#define PROGMP_Q_SHORT	      32	/* packets of Q that are shown while QU is longer than what is shown */
#define PROGMP_PATIENCE	      (5 * HZ)	/* of the watchdog */
#define PROGMP_MOMENT	      HZ	/* who unloads or restores waits so long for sockets that are held */

/* What a program is given as its context. */
struct progmp_env {
	struct progmp_block *block;
};

/* The struct_ops type; specs/shim.md. */
struct progmp_ops {
	int (*schedule)(struct progmp_env *env);
	char name[PROGMP_NAME_BYTES];
	__u32 subflows;
	__u32 packets;
	__u32 needs;
	__u32 flags;
	__u8 source[32];
};

/* A loaded scheduler. Connections hold references; `ops` is NULL once the link is gone. */
struct sched {
	struct list_head list;
	refcount_t ref;
	struct progmp_ops __rcu *ops;
	char name[PROGMP_NAME_BYTES];
	u32 subflows, packets;		/* limits */
	u32 needs, flags;
	u64 number;
	u8 source[32];
	atomic_t connections;
	unsigned long logged;		/* bit r: reason r was logged */
	spinlock_t lock;		/* counters */
	struct progmp_counters counters;
	struct rcu_head rcu;
};

/* struct packet.flags */
#define IN_Q	1	/* else it is in QU */
#define IN_RQ	2
#define SENT	4	/* transmitted at least once, by whomever */
#define PSH	8

/* A slice of the byte stream that is not acknowledged. It lies in one data fragment of the kernel. */
struct packet {
	u64 seq;
	u64 user;
	struct mptcp_data_frag *frag;
	u32 sent_on;			/* bit i: transmitted on sub[i] */
	u32 lost_on;			/* bit i: sub[i] said that it is lost, and it was not sent there since */
	u16 len;
	u16 flags;
	u16 part;			/* bytes at its start that went out while the rest could not */
	u16 reserved;
};

/* A live subflow, in the order of establishment; the position is that of the block. */
struct sub {
	struct sock *ssk;
	struct mptcp_subflow_context *ctx;
	u64 user;
	u64 bytes;
	u32 id;
	u32 pushes;
	u32 lost_seen;			/* tcp_sock.lost when loss marks were last looked for */
	u32 queued;			/* as shown */
	u32 room_bytes;			/* that it may still take in this trigger */
};

/* A PUSH that could not go yet. */
struct pending {
	u64 seq;
	u32 id;
	u32 reserved;
};

/* conn.flags */
#define CONN_QUEUED  0	/* the work item is on its way */
#define CONN_DEAD    1	/* the socket let go of it */
#define CONN_SERVED  2	/* by a program: what softirqs look at */
#define CONN_LEAVES  3	/* it was asked to leave the shim, and has not yet */

struct conn {
	struct hlist_node node;
	struct sock *sk;
	struct delayed_work work;
	unsigned long flags;
	refcount_t ref;
	u32 fallback;			/* PROGMP_SERVED, or why not */
	struct sched *sched;
	struct listener *listener;	/* NULL unless it was chosen before it was connected */
	u64 number;
	struct rcu_head rcu;

	struct packet *ring;		/* size is a power of two, or 0 */
	u32 size, head, tail;		/* [head, tail), modulo size */
	u32 q_from;			/* no packet before this one is in Q */
	u32 q_count, rq_count;
	u64 next_seq;			/* first byte without a packet */
	u64 sent_seq;			/* up to here everything was transmitted */
	u64 una, wnd_end;		/* sampled */

	struct sub *sub;
	u32 subs, sub_room;
	struct pending *pending;
	u32 pendings, pending_room;

	u64 reg[PROGMP_REGISTERS];
	u64 packet_user;
	u64 seed;
	u64 triggers;
	u32 mss;			/* of the packets that are cut */
	bool started, running;
	bool probe_due;			/* the timer fired while the window was closed */
	bool probing;			/* the kernel was left to send; it may hold a subflow's lock */
	unsigned long idle_since;	/* jiffies | 1 while data waits and nothing is outstanding */
	struct progmp_counters counters;
};

/* A transmission that was accounted for. */
struct transmission {
	u32 packet;			/* position in the ring */
	u8 sub;
	bool sent_before;		/* what SENT was */
	bool there_before;		/* what the bit of SENT_ON was */
	bool done : 1;
	bool failed : 1;
};

/* All subflows as they were when the trigger started, in the form of the block. */
struct sample {
	u64 is_backup, throttled, lossy, stale;
	u64 time_ms;
	struct progmp_subflow subflow[PROGMP_SUBFLOWS];
};

/* The block, and the host's own account of what stands in it. */
struct room {
	struct list_head list;
	struct progmp_env env;
	struct progmp_block *block;
	struct progmp_block *before;	/* copy for tracing; NULL while nobody traces */
	struct conn *conn;
	bool header;			/* the constants are in the block */
	bool tainted;			/* a program without a proof ran in this trigger */
	u64 number;			/* of the program that the block is filled for */
	bool blind;			/* QU is not shown */
	bool compressed;		/* what ran last does what several runs of its source do */
	u32 packets;			/* records in use */
	u32 shown[3];			/* members of the queues */
	u32 words;			/* of each queue that may be other than 0 in the block */
	u32 q_end;			/* position behind the last packet of Q that is shown */
	bool stray;			/* some record is in no queue any more */
	u32 transmissions;
	struct sample sample;
	u32 of[PROGMP_PACKETS];		/* position in the ring of each record */
	u64 word[3][PROGMP_WORDS];
	u64 burst[PROGMP_WORDS];	/* what it took from Q, if it is compressed */
	struct transmission transmission[PROGMP_BATCH];
	struct progmp_counters counters;	/* of this trigger */
};

/* How a step of a trigger went. */
enum outcome { SETTLED, GOES_ON, BLOCKED, FELL_BACK };

static inline struct mptcp_sock *msk_of(const struct conn *conn)
{
	return (struct mptcp_sock *)conn->sk;
}

static inline struct mptcp_subflow_context *ctx_of(const struct sock *ssk)
{
	return (__force struct mptcp_subflow_context *)inet_csk(ssk)->icsk_ulp_data;
}

static inline struct packet *packet_at(const struct conn *conn, u32 position)
{
	return &conn->ring[position & (conn->size - 1)];
}

static inline u64 end_of(const struct packet *packet)
{
	return packet->seq + packet->len;
}

static inline bool before64(u64 one, u64 other)
{
	return (s64)(one - other) < 0;
}

static inline bool after64(u64 one, u64 other)
{
	return before64(other, one);
}

static inline bool served(const struct conn *conn)
{
	return READ_ONCE(conn->sched) != NULL;
}

/* Some packet was not transmitted yet, or should be once more. */
static inline bool waits(const struct conn *conn)
{
	return conn->rq_count || conn->pendings || (conn->started && before64(conn->sent_seq, conn->next_seq));
}

/* symbols.c: functions of the kernel that are not exported */
DECLARE_STATIC_CALL(kernel_register, int (struct mptcp_sched_ops *));
DECLARE_STATIC_CALL(kernel_unregister, void (struct mptcp_sched_ops *));
DECLARE_STATIC_CALL(kernel_find, struct mptcp_sched_ops *(const char *));
DECLARE_STATIC_CALL(kernel_get_send, struct sock *(struct mptcp_sock *));
DECLARE_STATIC_CALL(kernel_get_retrans, struct sock *(struct mptcp_sock *));
DECLARE_STATIC_CALL(kernel_send, int (struct sock *, struct sock *, struct mptcp_data_frag *,
					 struct mptcp_sendmsg_info *));
DECLARE_STATIC_CALL(kernel_push, void (struct sock *, int, int, int, int));
DECLARE_STATIC_CALL(kernel_data_fin, void (struct sock *));
DECLARE_STATIC_CALL(kernel_trigger, int (struct mptcp_sock *));
DECLARE_STATIC_CALL(kernel_push_pending, void (struct sock *, unsigned int));
DECLARE_STATIC_CALL(kernel_resend_all, bool (struct sock *));
DECLARE_STATIC_CALL(kernel_set_pending, void (struct sock *));
DECLARE_STATIC_CALL(kernel_active, bool (struct mptcp_subflow_context *));
int resolve_symbols(void);

/* ops.c: loaded schedulers */
int ops_init(void);
struct sched *sched_find(const char *name);		/* takes a reference */
struct sched *sched_at(u32 index);			/* takes a reference */
void sched_put(struct sched *sched);
bool sched_has_program(const struct sched *sched);
enum ran { RAN, GONE, REPLACED };
enum ran sched_run(struct sched *sched, struct progmp_env *env, u64 number, u32 *flags);

/* conn.c: connections */
extern struct mptcp_sched_ops progmp_sched;
struct conn *conn_find(const struct sock *sk);		/* under rcu_read_lock */
struct conn *conn_get(struct sock *sk);			/* takes a reference; NULL without one */
struct conn *conn_of(struct sock *sk);			/* takes a reference; NULL without memory */
u32 conn_ask(const struct sched *sched, const struct net *net, bool leave);
bool conn_has_left(struct conn *conn);
void conn_wait_for_leavers(void);
void conn_put(struct conn *conn);
void conn_opened(struct mptcp_sock *msk);
void conn_closed(struct mptcp_sock *msk);
bool conn_is_ours(const struct mptcp_sched_ops *ops);
int conn_may_listen(struct conn *conn);
void conn_serve(struct conn *conn, struct sched *sched);	/* keeps the reference */
void conn_unserve(struct conn *conn);
void conn_drain(void);

/* serve.c: who serves them */
int serve_init(void);
void serve_exit(void);
struct sched *sched_of_net(const struct net *net);	/* takes a reference */
int conn_choose(struct sock *sk, const char *name);
int conn_set_default(struct net *net, const char *name);
bool conn_is_default(struct net *net, const char *name);
void conn_fall_back(struct conn *conn, u32 reason);
void conn_look(struct conn *conn);			/* the socket is locked */
u32 conn_restore(const struct net *net);		/* NULL: of all namespaces */
void conn_sched_gone(struct sched *sched);

/* packets.c: the ring */
int packets_sync(struct conn *conn);
struct packet *packets_find(struct conn *conn, u64 seq, u32 *position);
void packets_suspect(struct conn *conn, struct packet *packet);
void packets_advance(struct conn *conn);
void packets_drop_sub(struct conn *conn, u32 index);
void packets_forget(struct conn *conn);
int pending_add(struct conn *conn, u64 seq, u32 id);
bool pending_on_others(const struct conn *conn, u64 seq, u32 id);

/* sample.c: subflows as the kernel has them */
int sample_subflows(struct conn *conn, struct room *room);

/* loss.c */
void loss_marks(struct conn *conn, struct sub *sub, u32 index);

/* fill.c: the block */
void fill_whole(struct conn *conn, struct room *room);
void fill_again(struct conn *conn, struct room *room);

/* adopt.c: what a run left */
bool adopt_plausible(struct conn *conn, struct room *room);
bool adopt(struct conn *conn, struct room *room, bool *took);
bool adopt_undo(struct conn *conn, struct room *room, u32 record);	/* a packet goes back into Q */

/* exec.c: triggers */
void exec_exit(void);
bool exec_trigger(struct conn *conn);			/* whether anything was transmitted */
extern bool exec_timing;

/* send.c: transmissions */
enum outcome send_account(struct conn *conn, struct room *room, u32 position, u32 index);
bool send_all(struct conn *conn, struct room *room);	/* false: some went into pending */

/* trigger.c: what happens outside of process context */
int trigger_init(void);
void trigger_exit(void);
void trigger_work(struct work_struct *work);
void trigger_now(struct conn *conn);			/* the socket is locked */
void trigger_queue(struct conn *conn);			/* under rcu_read_lock */

/* trace.c */
struct file;
struct poll_table_struct;
int trace_start(struct file *file, const struct progmp_tracing *how, u64 only);	/* number of a connection, or 0 */
void trace_stop(struct file *file);
bool trace_wants(const struct conn *conn);
void trace_before(struct conn *conn, struct room *room);
void trace_after(struct conn *conn, struct room *room, u32 flags);
ssize_t trace_read(struct file *file, char __user *to, size_t bytes);
__poll_t trace_poll(struct file *file, struct poll_table_struct *table);

/* control.c: /dev/progmp */
int control_init(void);
void control_exit(void);

#endif
