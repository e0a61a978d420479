/* Every sequence of STEPS things that can happen to one grant, with what the rule answers to each: pan prints one line a
 * sequence, and `cargo run -p lockstep-conformance --bin rotation_traces` does the same to the core and compares.
 *
 * A step is printed as eight characters: what happens (b a request begins, d the same with a clock one tick behind, c its
 * write is committed, u the write is applied and the host does not know, l it is not applied and the host does not know, t a
 * tick, r the user revokes, f a fail-over loses the last write), the host or -, the generation presented or -, what comes of
 * it (= tokens, x invalid_grant, ! unavailable, . it wants to write, - nothing), the generation answered or -, and the record:
 * L or R, its generation, and its streak (a for 0, and so on; upper case where the generation is marked; - once revoked). */

#include "rule.pml"

#ifndef STEPS
#define STEPS 5
#endif
#ifndef LAG
#define LAG 0        /* whether a host's clock may be one tick behind */
#endif
#ifndef USER
#define USER 1       /* whether the user revokes, once */
#endif
#ifndef FAILOVER
#define FAILOVER 1   /* whether a fail-over loses a write, once */
#endif

#define IDLE 0
#define COMMITTING 1

#define NOTHING 45      /* - */
#define WAITS 46        /* . */
#define ANSWERED 61     /* = */
#define DENIED 120      /* x */
#define UNAVAILABLE 33  /* ! */

Record store;
Record before;          /* what a fail-over brings back */
Exchange x[2];
byte clock;
byte top = 1;           /* the newest token that was ever answered */
byte sent;
bit revoked;
bit failed_over;

byte length;
byte what[STEPS], host[STEPS], token[STEPS], result[STEPS], got[STEPS], state[STEPS], streak[STEPS];

c_code {
  void print_trace(void)
  {
    int k;
    for (k = 0; k < STEPS; k++)
      printf("%c%c%c%c%c%c%c%c%c", now.what[k], now.host[k], now.token[k], now.result[k], now.got[k],
        now.state[k] & 1 ? 'R' : 'L', '0' + (now.state[k] >> 2), now.state[k] & 1 ? '-' : (now.state[k] & 2 ? 'A' : 'a') + now.streak[k],
        k + 1 < STEPS ? ' ' : '\n');
  }
}

inline note(action, at, presented) {
  what[length] = action;
  host[length] = at;
  token[length] = presented;
  state[length] = (store.generation << 2) | (store.retried << 1) | store.state;
  streak[length] = store.streak;
  length++
}

inline finish(me) {
  x[me].stage = IDLE; x[me].token = 0; x[me].now = 0; x[me].stamp = 0; x[me].loads = 0; x[me].innocent = 0
}

inline look(me) {
  judge(x[me]);
  got[length] = NOTHING;
  if
  :: verdict == TOKENS -> result[length] = ANSWERED; got[length] = 48 + x[me].seen.generation; top = (x[me].seen.generation > top -> x[me].seen.generation : top); finish(me)
  :: verdict == DENY -> result[length] = DENIED; finish(me)
  :: else -> result[length] = WAITS; x[me].stage = COMMITTING
  fi
}

inline load(me) {
  x[me].loads++;
  copy(x[me].seen, store);
  look(me)
}

inline reload(me) {
  if
  :: x[me].loads < LOADS -> load(me)
  :: else -> result[length] = UNAVAILABLE; got[length] = NOTHING; finish(me)
  fi
}

inline begin(me, presented, lag) {
  sent++;
  x[me].token = presented;
  x[me].stamp = sent;
  x[me].now = clock - lag;
  copy(x[me].seen, store);
  judge_first(x[me]);
  load(me)
}

inline apply(write) {
  copy(before, store);
  copy(store, write)
}

#define FITS(write) (store.version + 1 == write.version)

inline commit(me) {
  judge(x[me]);
  if
  :: FITS(next) -> apply(next); copy(x[me].seen, next); look(me)
  :: else -> reload(me)
  fi
}

inline apply_unknown(me) {
  judge(x[me]);
  if
  :: FITS(next) -> apply(next)
  :: else
  fi;
  reload(me)
}

inline nothing_comes_of_it() { result[length] = NOTHING; got[length] = NOTHING }

#define MAY_BEGIN(me) (x[me].stage == IDLE && (me == 0 || x[0].stage != IDLE))

/* Which slot and which generation the next request takes. */
hidden byte slot;

inline events_of_a_request() {
  slot = (x[0].stage == IDLE -> 0 : 1);
  if
  :: begin(slot, 1, 0); note('b', 48 + slot, 49)
  :: top > 1 -> begin(slot, 2, 0); note('b', 48 + slot, 50)
  :: top > 2 -> begin(slot, 3, 0); note('b', 48 + slot, 51)
  :: top > 3 -> begin(slot, 4, 0); note('b', 48 + slot, 52)
  :: LAG && clock > 0 -> begin(slot, 1, 1); note('d', 48 + slot, 49)
  :: LAG && clock > 0 && top > 1 -> begin(slot, 2, 1); note('d', 48 + slot, 50)
  :: LAG && clock > 0 && top > 2 -> begin(slot, 3, 1); note('d', 48 + slot, 51)
  fi
}

inline events_of_a_host(me) {
  if
  :: commit(me); note('c', 48 + me, NOTHING)
  :: apply_unknown(me); note('u', 48 + me, NOTHING)
  :: reload(me); note('l', 48 + me, NOTHING)
  fi
}

active proctype Everything() {
  atomic {
    store.generation = 1;
    store.version = 1;
    store.stamp = NONE;
    copy(before, store)
  };
  do
  :: atomic { length < STEPS && (x[0].stage == IDLE || x[1].stage == IDLE) -> events_of_a_request() }
  :: atomic { length < STEPS && x[0].stage == COMMITTING -> events_of_a_host(0) }
  :: atomic { length < STEPS && x[1].stage == COMMITTING -> events_of_a_host(1) }
  :: atomic { length < STEPS -> clock++; nothing_comes_of_it(); note('t', NOTHING, NOTHING) }
  :: atomic { USER && length < STEPS && !revoked ->
       revoked = 1;
       copy(next, store);
       next.version++;
       next.last = (clock > next.last -> clock : next.last);
       next.state = REVOKED;
       apply(next);
       nothing_comes_of_it();
       note('r', NOTHING, NOTHING) }
  :: atomic { FAILOVER && length < STEPS && !failed_over ->
       failed_over = 1;
       copy(store, before);
       nothing_comes_of_it();
       note('f', NOTHING, NOTHING) }
  :: atomic { length == STEPS -> c_code { print_trace(); }; break }
  od
}
