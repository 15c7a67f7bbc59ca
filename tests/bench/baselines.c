/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * Six schedulers by hand, over the same block and deciding like those of specs/schedulers: what a
 * C programmer would write. Compiled for eBPF by clang and natively by gcc and clang; the
 * benchmark in src/main.rs checks that all decide alike before it measures any.
 *
 * BOUND is how many subflows a loop looks at: 32 natively. For eBPF it is 8, as with 32 the kernel
 * refuses each of them.
 */
#include "progmp_abi.h"

#ifndef BOUND
#define BOUND PROGMP_SUBFLOWS
#endif

#define INLINE static inline __attribute__((always_inline))
#ifdef __bpf__
#define SCHEDULER(name) __attribute__((section("s." #name), used)) int name(struct progmp_block *b)
#else
#define SCHEDULER(name) __attribute__((noinline)) int name(struct progmp_block *b)
#endif

#define EACH(s) for (u32 s = 0; s < BOUND && s < b->subflows; s++)

typedef __u64 u64;
typedef __u32 u32;

enum { Q, QU, RQ };

INLINE u32 lowest(const struct progmp_block *b, u64 word)
{
#ifdef __bpf__
	return b->lowest[(word & -word) * PROGMP_DEBRUIJN >> 58];
#else
	(void)b;
	return __builtin_ctzll(word);
#endif
}

/* The first packet of a queue that is not empty. */
INLINE u32 top(const struct progmp_block *b, int queue)
{
	u32 w = lowest(b, b->queue[queue].some) & (PROGMP_WORDS - 1);

	return (w * 64 + lowest(b, b->queue[queue].word[w])) & (PROGMP_PACKETS - 1);
}

INLINE void insert(struct progmp_block *b, int queue, u32 p)
{
	u32 w = p / 64 & (PROGMP_WORDS - 1);

	b->queue[queue].word[w] |= 1ull << (p & 63);
	b->queue[queue].some |= 1ull << w;
}

INLINE void erase(struct progmp_block *b, int queue, u32 p)
{
	u32 w = p / 64 & (PROGMP_WORDS - 1);

	b->queue[queue].word[w] &= ~(1ull << (p & 63));
	if (!b->queue[queue].word[w])
		b->queue[queue].some &= ~(1ull << w);
}

INLINE void pop(struct progmp_block *b, int queue, u32 p)
{
	erase(b, queue, p);
	if (queue == Q)
		insert(b, QU, p);
}

INLINE void act(struct progmp_block *b, u32 what, u32 s, u32 p)
{
	b->action[b->actions & (PROGMP_ACTIONS - 1)] = what << 24 | s << 16 | p;
	b->actions++;
}

INLINE int ready(const struct progmp_block *b, u32 s)
{
	const struct progmp_subflow *f = &b->subflow[s];

	return !((b->throttled | b->lossy) >> s & 1) &&
	       f->cwnd > (u64)f->skbs_in_flight + f->queued;
}

/* The member with the smallest round-trip time; the set is not empty. */
INLINE u32 fastest(const struct progmp_block *b, u64 set)
{
	u64 best = ~0ull;
	u32 found = 0;

	EACH(s)
		if ((set >> s & 1) && b->subflow[s].rtt < best) {
			best = b->subflow[s].rtt;
			found = s;
		}
	return found;
}

INLINE u64 all_ready(const struct progmp_block *b)
{
	u64 set = 0;

	EACH(s)
		if (ready(b, s))
			set |= 1ull << s;
	return set;
}

/* Sends the first packet of RQ, if it may; the subflows that may take it are those of the set. */
INLINE int reinject(struct progmp_block *b, u64 set)
{
	u32 p = top(b, RQ);

	if (!set)
		return 0;
	act(b, PROGMP_PUSH, fastest(b, set), p);
	pop(b, RQ, p);
	return 1;
}

INLINE u64 fresh(const struct progmp_block *b, u64 set)
{
	u32 p = top(b, RQ);

	return set & b->packet[p].window & ~(u64)b->packet[p].sent_on;
}

INLINE void send(struct progmp_block *b, u32 s)
{
	u32 p = top(b, Q);

	act(b, PROGMP_PUSH, s, p);
	pop(b, Q, p);
}

INLINE int done(struct progmp_block *b)
{
	b->status = PROGMP_DONE;
	return 0;
}

SCHEDULER(empty)
{
	return done(b);
}

SCHEDULER(min_rtt)
{
	u64 set = all_ready(b);

	if (b->queue[RQ].some) {
		u64 may = fresh(b, set);
		u64 regular = may & ~b->is_backup;

		if (reinject(b, regular ? regular : may))
			return done(b);
	}
	if (b->queue[Q].some) {
		u64 open = set & b->packet[top(b, Q)].window;
		u64 regular = open & ~b->is_backup;

		if (regular)
			open = regular;
		if (open)
			send(b, fastest(b, open));
	}
	return done(b);
}

/* The member with the smallest ID above `after`, or 32. */
INLINE u32 next_id(const struct progmp_block *b, u64 set, u64 after)
{
	u64 best = ~0ull;
	u32 found = 32;

	EACH(s)
		if ((set >> s & 1) && b->subflow[s].id > after && b->subflow[s].id < best) {
			best = b->subflow[s].id;
			found = s;
		}
	return found;
}

SCHEDULER(round_robin)
{
	u64 set = all_ready(b);

	if (b->queue[RQ].some && reinject(b, fresh(b, set)))
		return done(b);
	if (b->queue[Q].some) {
		u64 open = set & b->packet[top(b, Q)].window;
		u32 s = next_id(b, open, b->reg[0]);

		if (s == 32)
			s = next_id(b, open, 0);
		if (s < 32) {
			send(b, s);
			b->reg[0] = b->subflow[s & (PROGMP_SUBFLOWS - 1)].id;
		}
	}
	return done(b);
}

SCHEDULER(opportunistic_redundant)
{
	u64 set = all_ready(b);

	if (b->queue[RQ].some && reinject(b, fresh(b, set)))
		return done(b);
	if (b->queue[Q].some) {
		u32 p = top(b, Q);
		u64 open = set & b->packet[p].window;

		EACH(s)
			if (open >> s & 1)
				act(b, PROGMP_PUSH, s, p);
		if (open) {
			act(b, PROGMP_DROP, 0, p);
			pop(b, Q, p);
		}
	}
	return done(b);
}

/* The first member that is not sent on the subflow yet and fits its window, or PROGMP_PACKETS. */
INLINE u32 missed(const struct progmp_block *b, int queue, u32 s)
{
	u64 words = b->queue[queue].some;

	while (words) {
		u32 w = lowest(b, words) & (PROGMP_WORDS - 1);
		u64 bits = b->queue[queue].word[w];

		while (bits) {
			u32 p = (w * 64 + lowest(b, bits)) & (PROGMP_PACKETS - 1);

			if (((b->packet[p].window & ~b->packet[p].sent_on) >> s) & 1)
				return p;
			bits &= bits - 1;
		}
		words &= words - 1;
	}
	return PROGMP_PACKETS;
}

SCHEDULER(redundant)
{
	u64 set = all_ready(b);

	EACH(s) {
		u32 p;

		if (!(set >> s & 1))
			continue;
		p = missed(b, RQ, s);
		if (p < PROGMP_PACKETS) {
			act(b, PROGMP_PUSH, s, p);
			pop(b, RQ, p);
			continue;
		}
		p = missed(b, QU, s);
		if (p < PROGMP_PACKETS)
			act(b, PROGMP_PUSH, s, p);
		else if (b->queue[Q].some && (b->packet[top(b, Q)].window >> s & 1))
			send(b, s);
	}
	return done(b);
}

SCHEDULER(compensating)
{
	u64 set = all_ready(b);

	if (b->queue[RQ].some && reinject(b, fresh(b, set)))
		return done(b);
	if (b->queue[Q].some) {
		u64 open = set & b->packet[top(b, Q)].window;

		if (open)
			send(b, fastest(b, open));
	} else if (b->reg[0] == 1) {
		EACH(s) {
			u32 p;

			if (!(set >> s & 1))
				continue;
			p = missed(b, QU, s);
			if (p < PROGMP_PACKETS)
				act(b, PROGMP_PUSH, s, p);
		}
	}
	return done(b);
}

SCHEDULER(tap)
{
	u64 set = all_ready(b), regular = b->live & ~b->is_backup, open, cheap;

	if (b->queue[RQ].some) {
		u32 p = top(b, RQ);
		u64 may = set & b->packet[p].window;

		cheap = may & ~b->is_backup;
		may &= ~(u64)b->packet[p].sent_on;
		if (cheap)
			may &= ~b->is_backup;
		if (reinject(b, may))
			return done(b);
	}
	if (!b->queue[Q].some)
		return done(b);
	open = set & b->packet[top(b, Q)].window;
	cheap = open & ~b->is_backup;
	if (cheap) {
		send(b, fastest(b, cheap));
		if (b->reg[3] < 10000)
			b->reg[3] += 100;
	} else if (open) {
		u64 capacity = 0;

		EACH(s)
			if (regular >> s & 1)
				capacity += b->subflow[s].delivery_rate / 1000;
		if (!regular) {
			send(b, fastest(b, open));
		} else if (capacity < b->reg[0]) {
			u64 price = 100 * capacity / (b->reg[0] - capacity);

			if (b->reg[3] >= price) {
				send(b, fastest(b, open));
				b->reg[3] -= price;
			}
		}
	}
	return done(b);
}

#ifndef __bpf__
/*
 * `native NAME CALLS < BLOCK > AFTER`: calls a scheduler so often, each time on the next state, and
 * prints nanoseconds for all calls. Behind the block come how many words differ, how many states there
 * are, the offsets of the words, and the words of each state. AFTER is the block after state 0, which
 * comes last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	const char *name;
	int (*run)(struct progmp_block *);
} schedulers[] = {
	{ "empty", empty },	  { "default", min_rtt },
	{ "round_robin", round_robin }, { "opportunistic_redundant", opportunistic_redundant },
	{ "redundant", redundant },	  { "compensating", compensating },
	{ "tap", tap },
};

static struct progmp_block block;

static void *read_words(u64 count)
{
	u64 *words = malloc(8 * count);

	if (!words || fread(words, 8, count, stdin) != count)
		exit(2);
	return words;
}

int main(int count, char **arguments)
{
	struct timespec from, to;
	int (*volatile run)(struct progmp_block *) = NULL;
	u64 sizes[2], *offsets, *kept;

	if (count != 3 || fread(&block, sizeof(block), 1, stdin) != 1 ||
	    fread(sizes, sizeof(sizes), 1, stdin) != 1)
		return 2;
	offsets = read_words(sizes[0]);
	kept = read_words(sizes[0] * sizes[1]);
	for (unsigned int i = 0; i < sizeof(schedulers) / sizeof(*schedulers); i++)
		if (!strcmp(schedulers[i].name, arguments[1]))
			run = schedulers[i].run;
	if (!run)
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (long i = atol(arguments[2]); i-- > 0;) {
		const u64 *state = kept + (i & (sizes[1] - 1)) * sizes[0];

		for (u64 k = 0; k < sizes[0]; k++)
			*(volatile u64 *)((char *)&block + offsets[k]) = state[k];
		run(&block);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	fprintf(stderr, "%lld\n",
		(to.tv_sec - from.tv_sec) * 1000000000ll + (to.tv_nsec - from.tv_nsec));
	return fwrite(&block, sizeof(block), 1, stdout) != 1;
}
#endif
