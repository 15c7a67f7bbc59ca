/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * /dev/progmp: what user space asks of the shim. specs/shim.md says what each call means.
 *
 * Every call but PROGMP_IOC_VERSION may assume that the versions agree: ask first.
 * A socket is named by a file descriptor of the caller. Reserved members are 0 going in.
 */
#ifndef PROGMP_UAPI_H
#define PROGMP_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PROGMP_UAPI_VERSION 1u
#define PROGMP_DEVICE	    "/dev/progmp"
#define PROGMP_NAME_BYTES   32	/* of a scheduler's name, its end included */
#define PROGMP_REGISTERS    6
#define PROGMP_SHOWN	    32	/* subflows of a connection that statistics show */

/* What the kernel gives beyond tier A, progmp_version.gives; also progmp_ops.needs. */
#define PROGMP_BW_OUT_SEND  (1u << 0)
#define PROGMP_DELAY_IN	    (1u << 1)
#define PROGMP_DELAY_OUT    (1u << 2)

struct progmp_version {
	__u32 uapi;		/* PROGMP_UAPI_VERSION */
	__u32 abi;		/* PROGMP_ABI_VERSION of the blocks */
	__u32 block_bytes;	/* one is in use for each running trigger */
	__u32 scheduler_bytes;	/* fixed memory of a loaded scheduler */
	__u32 connection_bytes;	/* fixed memory of a connection */
	__u32 packet_bytes;	/* of each packet of a connection */
	__u32 gives;		/* PROGMP_BW_OUT_SEND ... */
	__u32 reserved;
	char module[32];	/* version of the module */
};

/*
 * The scheduler of one socket, or of sockets to come. "" is the kernel's own, and so is "default" unless a
 * scheduler of that name is loaded.
 */
struct progmp_choice {
	__s32 fd;
	__u32 reserved;
	char name[PROGMP_NAME_BYTES];
};

/* All registers of a connection at one moment; setting them is a trigger. */
struct progmp_registers {
	__s32 fd;
	__u32 mask;		/* bit i: set R(i+1). Reading ignores it */
	__u64 reg[PROGMP_REGISTERS];
};

/* USER of a subflow, or of the packets that the next writes make. */
struct progmp_user {
	__s32 fd;
	__u32 subflow;		/* ID; 0: of packets */
	__u64 value;
};

struct progmp_counters {
	__u64 triggers;
	__u64 executions;
	__u64 no_effect;	/* executions without an effect */
	__u64 pushes;		/* carried out */
	__u64 pushed_bytes;
	__u64 copies;		/* pushes of packets that had been sent before */
	__u64 copied_bytes;
	__u64 drops;
	__u64 pops;		/* from Q or RQ */
	__u64 skipped;		/* pushes of packets acknowledged meanwhile */
	__u64 reinjected;	/* pushes on subflows that were gone, losses, orphans */
	__u64 blocked;		/* triggers that ended at a push that cannot go now */
	__u64 refused;		/* actions that name nothing */
	__u64 rescues;		/* the kernel's last-resort timer sent what the program left */
	__u64 fallbacks;	/* connections given to the kernel's default scheduler for good */
	__u64 longest_idle;	/* most executions in a row without progress */
	__u64 groups;		/* pushes that went out under one lock count once */
	__u64 run_ns;		/* in programs, while timing is on (PROGMP_IOC_TIMING) */
	__u64 trigger_ns;	/* in triggers, while timing is on */
	__u64 send_ns;		/* of that, in transmissions: the rest is deciding */
	__u64 reserved[4];
};

/* Why the kernel's default scheduler serves a connection, progmp_connection.fallback. */
#define PROGMP_SERVED	      0	/* it does not: the program does */
#define PROGMP_NOT_CHOSEN     1	/* no scheduler was chosen */
#define PROGMP_REMOVED	      2	/* the scheduler was unloaded */
#define PROGMP_FUEL	      3	/* too many executions without progress */
#define PROGMP_NONSENSE	      4	/* it aborted, did not end, or left rubbish */
#define PROGMP_SUBFLOWS_OVER  5	/* more subflows than its proof covers */
#define PROGMP_TCP	      6	/* for tools that ask MPTCP_INFO: it fell back to TCP; the module says SERVED */
#define PROGMP_MEMORY	      7	/* none left */
#define PROGMP_STALLED	      8	/* data waited for long, and it sent nothing */

struct progmp_connection_subflow {
	__u32 id;
	__u32 pushes;
	__u64 bytes;		/* the shim transmitted on it */
};

struct progmp_connection {
	__s32 fd;
	__u32 fallback;		/* PROGMP_SERVED ... */
	char name[PROGMP_NAME_BYTES];
	__u64 number;		/* of the connection, as in trace records */
	__u64 q, qu, rq;	/* packets */
	__u64 pending;		/* actions */
	__u32 subflows;		/* of the following that are in use */
	__u32 records;		/* room in the packet table */
	struct progmp_counters counters;
	struct progmp_connection_subflow subflow[PROGMP_SHOWN];
};

/* progmp_scheduler.flags */
#define PROGMP_UNPROVED	(1u << 0)
#define PROGMP_IS_DEFAULT (1u << 1)	/* of sockets to come in the caller's network namespace */
#define PROGMP_COMPRESSED (1u << 2)	/* one execution does what several of its source would */
#define PROGMP_BLIND	  (1u << 3)	/* it does not read QU, which is shown only where it is traced */

/* The scheduler at a position, from 0; or, if a name is given, that one. ENOENT ends the list. */
struct progmp_scheduler {
	__u32 index;
	__u32 flags;
	char name[PROGMP_NAME_BYTES];
	__u32 subflows;		/* what its proof covers */
	__u32 packets;
	__u32 needs;
	__u32 connections;	/* that it serves */
	__u64 number;		/* counts registrations: another program has another number */
	__u8 source[32];	/* SHA-256 of the embedded source; 0: unknown */
	struct progmp_counters counters;
};

/*
 * Tracing. One reader at a time: PROGMP_IOC_TRACE on an open device, then read(2) or poll(2).
 * A read returns whole records. Closing the file ends the trace.
 */
struct progmp_tracing {
	__s32 fd;		/* only this connection; -1: all */
	__u32 per_second;	/* most records in a second; 0: no limit */
	__u32 kib;		/* size of the ring; 0: 4096 */
	__u32 reserved;
};

/* Flags of a record */
#define PROGMP_TRACE_FIRST (1u << 0)	/* the first execution of its trigger */
#define PROGMP_TRACE_BAD   (1u << 1)	/* the run does not count */

/*
 * One execution. It is followed by, in this order:
 *	struct progmp_subflow[subflows]		before
 *	struct progmp_packet[packets]		before
 *	__u64[subflows]				USER before
 *	__u64[subflows]				USER after
 *	struct progmp_print[min(prints, PROGMP_PRINTS)]	in the order of the block's ring
 *	__u32[actions], and a 0 if that is odd
 */
struct progmp_trace {
	__u32 bytes;		/* of the record with all that follows */
	__u32 flags;
	__u64 number;		/* of the execution, counted over all connections while tracing */
	__u64 lost;		/* records that found no room, or were too many, so far */
	__u64 connection;
	__u64 trigger;		/* of the connection */
	__u64 scheduler;	/* progmp_scheduler.number */
	__u64 ns;		/* CLOCK_MONOTONIC */
	char name[PROGMP_NAME_BYTES];
	__u32 status;		/* after */
	__u32 subflows;
	__u32 packets;
	__u32 actions;
	__u32 prints;
	__u32 reserved;
	__u64 time_ms;
	__u64 seed;
	__u64 is_backup;
	__u64 throttled;
	__u64 lossy;
	__u64 stale;
	__u64 reg_before[PROGMP_REGISTERS];
	__u64 reg_after[PROGMP_REGISTERS];
	struct {
		__u64 some;
		__u64 word[16];
	} before[3], after[3];	/* Q, QU, RQ */
};

#define PROGMP_IOC_VERSION	 _IOR(0xb7, 0, struct progmp_version)
#define PROGMP_IOC_CHOOSE	 _IOW(0xb7, 1, struct progmp_choice)
#define PROGMP_IOC_DEFAULT	 _IOW(0xb7, 2, struct progmp_choice)	/* fd is not used */
#define PROGMP_IOC_SET_REGISTERS _IOW(0xb7, 3, struct progmp_registers)
#define PROGMP_IOC_GET_REGISTERS _IOWR(0xb7, 4, struct progmp_registers)
#define PROGMP_IOC_SET_USER	 _IOW(0xb7, 5, struct progmp_user)
#define PROGMP_IOC_CONNECTION	 _IOWR(0xb7, 6, struct progmp_connection)
#define PROGMP_IOC_SCHEDULER	 _IOWR(0xb7, 7, struct progmp_scheduler)
#define PROGMP_IOC_RESTORE	 _IOR(0xb7, 8, __u32)	/* how many connections it changed */
#define PROGMP_IOC_TRACE	 _IOW(0xb7, 9, struct progmp_tracing)
#define PROGMP_IOC_TIMING	 _IOW(0xb7, 10, __u32)	/* 1: measure the time of runs */

#endif
