/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The environment block: all that a compiled scheduler sees and all that it says.
 *
 * The host fills the block, runs the program once, and reads actions, registers,
 * USER values and queues back. specs/abi.md says what each member means and what
 * must hold of a block before a run. The same layout in Rust: kmod-shim/abi.
 *
 * The writable part comes first, up to PROGMP_WRITABLE; a program has no reason
 * to write behind it, and the validator proves that it does not. A host trusts
 * nothing that it reads back: it checks every index against its own tables.
 *
 * Members have the byte order of the machine. Reserved members are 0.
 */
#ifndef PROGMP_ABI_H
#define PROGMP_ABI_H

#include <linux/types.h>

#define PROGMP_ABI_MAGIC   0x424d5050u	/* "PPMB" in memory, little endian */
#define PROGMP_ABI_VERSION 1u

#define PROGMP_SUBFLOWS	   32	/* subflow records */
#define PROGMP_QUEUE_MAX   256	/* packets that one queue shows */
#define PROGMP_PACKETS	   1024	/* packet records; at most 3 * PROGMP_QUEUE_MAX are in use */
#define PROGMP_WORDS	   16	/* bit words over the packet records */
#define PROGMP_ACTIONS	   1024
#define PROGMP_PRINTS	   256
#define PROGMP_SCRATCH	   1024	/* words of scratch memory */

/* progmp_block.status */
#define PROGMP_STARTED	0u	/* written by the host; still there: the run did not end */
#define PROGMP_DONE	1u	/* the run ended as the program says */
#define PROGMP_ABORTED	2u	/* a loop's budget was spent: nothing of the run counts */

/* An action: what << 24 | subflow << 16 | packet, both positions in the block. */
#define PROGMP_PUSH	1u
#define PROGMP_DROP	2u

/* progmp_packet.flags */
#define PROGMP_PSH	1u

/* progmp_print.flags */
#define PROGMP_PRINT_NULL 1u	/* the value is NULL */
#define PROGMP_PRINT_TEXT 2u	/* a PRINT without values */

/* A set of packets: bit b of word[w] is packet 64 * w + b; bit w of some: word[w] is not 0. */
struct progmp_queue {
	__u64 some;
	__u64 word[PROGMP_WORDS];
};

/* One value of a PRINT. The text stands in the object, under the statement's number. */
struct progmp_print {
	__u32 stmt;
	__u16 arg;
	__u16 flags;
	__u64 value;
};

/* What most schedulers read comes first: one cache line. */
struct progmp_subflow {
	__u64 rtt;		/* us */
	__u32 cwnd;		/* packets */
	__u32 skbs_in_flight;
	__u32 queued;
	__u32 id;
	__u32 mss;		/* bytes */
	__u32 lost_skbs;
	__u32 ssthresh;
	__u32 reserved;
	__u64 rtt_ms;
	__u64 rtt_var;		/* us */
	__u64 delivery_rate;	/* bytes/s */
	__u64 pacing_rate;	/* bytes/s */
	__u64 bw_out_send;	/* bytes/s, tier B */
	__u64 delay_in;		/* timestamp ticks, tier B */
	__u64 delay_out;	/* timestamp ticks, tier B */
	__u64 spare[4];
};

struct progmp_packet {
	__u64 seq;
	__u64 user;
	__u32 length;		/* bytes */
	__u32 flags;
	__u32 sent_on;		/* bit i: transmitted on subflow[i] */
	__u32 window;		/* bit i: the window of subflow[i] has room for it */
};

struct progmp_block {
	/* written by the program */
	struct progmp_queue queue[3];	/* Q, QU, RQ */
	__u64 reg[6];			/* R1 ... R6 */
	__u64 user[PROGMP_SUBFLOWS];
	__u32 status;
	__u32 actions;			/* how many */
	__u32 prints;			/* how many; the last PROGMP_PRINTS are kept */
	__u32 reserved[11];
	__u64 scratch[PROGMP_SCRATCH];
	__u32 action[PROGMP_ACTIONS];
	struct progmp_print print[PROGMP_PRINTS];

	/* read only */
	__u32 magic;
	__u32 version;
	__u32 size;			/* of the whole block, bytes */
	__u32 packets;			/* records in use */
	__u64 subflows;			/* records in use */
	__u64 zero;			/* constants that the kernel verifier is not to know */
	__u64 one;
	__u64 inf;			/* all ones */
	__u64 time_ms;
	__u64 seed;
	__u64 live;			/* bit words over the subflow records: those in use */
	__u64 is_backup;
	__u64 throttled;
	__u64 lossy;
	__u64 stale;
	__u64 spare[3];
	__u8 lowest[64];		/* de Bruijn: position of the lowest bit */
	struct progmp_subflow subflow[PROGMP_SUBFLOWS];
	struct progmp_packet packet[PROGMP_PACKETS];
};

#define PROGMP_WRITABLE __builtin_offsetof(struct progmp_block, magic)

/* lowest[(x & -x) * PROGMP_DEBRUIJN >> 58] is the position of the lowest bit of x. */
#define PROGMP_DEBRUIJN 0x03f79d71b4cb0a89ull

#endif
