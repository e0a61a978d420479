/* Every interleaving, within the bounds below, of two hosts that move exchanges, an honest client, a thief who presents
 * any token ever made, a user who revokes, a clock, and a store that answers late or not at all.
 *
 * What is asked of it stands at the end. The ghosts that the questions need are kept from what happened, not from what the
 * record says about it.
 *
 * A host's step ends where it waits for something that others can overtake. So beginning and the first load are one step,
 * and so are a commit that fails and the load after it: versions only grow, and a write that would fail later would fail
 * now. That a host begins long before it loads is a clock that lags behind. */

#include "rule.pml"

#ifndef SENDS
#define SENDS 4      /* requests, of the client and the thief together */
#endif
#ifndef TICKS
#define TICKS 3      /* how far the clock goes */
#endif
#ifndef FAULTS
#define FAULTS 1     /* unknown commits, crashes and lost answers, together */
#endif
#ifndef LAG
#define LAG 0        /* how far a host's clock may be behind */
#endif
#ifndef THIEF
#define THIEF 1      /* whether there is a thief */
#endif
#ifndef USER
#define USER 1       /* whether the user revokes */
#endif

#define GENERATIONS (SENDS + 4)

mtype = { the_client, the_thief, live, revoked };

/* Stages of an exchange. */
#define IDLE 0
#define COMMITTING 1
#define LOADING 2

Record store;
Exchange x[2];
byte clock;
byte sent;
byte faults;

/* A write that its host stopped waiting for, and that may still arrive. */
Record late;
bit is_late;

bit of_thief[2];
byte held = 1;                  /* what the honest client presents next; 0 once it was refused */
bit user_revoked;

/* Ghosts of the grant. */
byte top = 1;                   /* the newest generation, when it began, and the exchange that began it */
byte minted_at;
byte minted_by = NONE;
byte latest;
bit thief_acted;
bit ended_for_cause;             /* somebody's late reuse, or a streak over the budget, was found */

/* Ghosts of each generation, which a budget asks for. */
bit again[GENERATIONS];         /* it was presented again, and that was written down */
bit with_client[GENERATIONS];
bit with_thief[GENERATIONS];

/* Ghosts of each exchange. */
bit saw_reuse[2];               /* when it began, the successor was older than the window or had a successor itself */
bit saw_revocation[2];          /* when it began, the user had revoked */
bit wrote[2];                   /* a write of its own began the current generation */

/* What must never become true. */
bit another_successor, locked_out, own_write_denied, reuse_survived, followed_too_far, lived_on, came_back,
    revoked_without_cause;

/* What must be possible. */
#ifdef SOMETIMES
bit was_repeated, was_reused, was_raced, was_over, was_late, was_unavailable, thief_won;
#define NOTE(what, holds) what = what || (holds)
#else
#define NOTE(what, holds) skip
#endif

hidden byte i;
hidden byte row;

inline add_up(presented) {
  row = 1;
  i = presented;
  do
  :: i > 1 && again[i - 1] -> row++; i--
  :: else -> break
  od
}

#define IS_OVER_BUDGET (BUDGET != NONE && row > BUDGET)

/* The store takes a write, and the ghosts see what it made. */
inline apply(write) {
  came_back = came_back || (store.state == REVOKED && write.state == LIVE);
  latest = (write.last > latest -> write.last : latest);
  if
  :: write.generation != store.generation ->
       another_successor = another_successor || write.generation != top + 1;
       top = (write.generation > top -> write.generation : top);
       minted_at = latest;
       minted_by = write.stamp;
       wrote[0] = (x[0].stage != IDLE && x[0].stamp == write.stamp);
       wrote[1] = (x[1].stage != IDLE && x[1].stamp == write.stamp)
  #if BUDGET != NONE
    :: write.generation == store.generation && write.retried -> again[write.generation - 1] = 1
#endif
  :: else
  fi;
  copy(store, write);
  forget_stale(0);
  forget_stale(1)
}

/* What was loaded before this write can no longer be committed, so nothing depends on it: two such states are one. */
inline forget_stale(host) {
#ifndef VERSION_IS_IGNORED
  if
  :: x[host].stage == COMMITTING && x[host].seen.version != store.version -> clear(x[host].seen)
  :: else
  fi
#else
  skip
#endif
}

#ifdef VERSION_IS_IGNORED
#define FITS(write) (true)
#else
#define FITS(write) (store.version + 1 == write.version)
#endif

inline clear(record) {
  record.state = 0; record.generation = 0; record.issued = 0; record.retried = 0; record.streak = 0; record.last = 0;
  record.version = 0; record.stamp = 0
}

inline finish(me) {
  x[me].stage = IDLE; x[me].token = 0; x[me].now = 0; x[me].stamp = 0; x[me].loads = 0; x[me].innocent = 0;
  clear(x[me].seen);
  of_thief[me] = 0; saw_reuse[me] = 0; saw_revocation[me] = 0; wrote[me] = 0
}

inline begin(me, thief, lag) {
  sent++;
  x[me].stamp = sent;
  x[me].now = (clock > lag -> clock - lag : 0);
  of_thief[me] = thief;
  thief_acted = thief_acted || thief;
  saw_revocation[me] = user_revoked;
  saw_reuse[me] = top > x[me].token &&
    (top > x[me].token + 1 || WINDOW == 0 || x[me].now > minted_at + WINDOW);
  copy(x[me].seen, store);
  judge_first(x[me]);
  printf("%d: at %d, %e presents generation %d to host %d\n", clock, x[me].now, (thief -> the_thief : the_client), x[me].token, me);
  load(me)
}

/* Loads the record, the first time or again, and looks at it. */
inline load(me) {
  x[me].loads++;
  copy(x[me].seen, store);
  look(me)
}

/* A decision is held to what it may be before anything comes of it. */
inline look(me) {
  judge(x[me]);
  add_up(x[me].token);
  if
  :: verdict == TOKENS ->
       another_successor = another_successor || x[me].seen.generation != x[me].token + 1 ||
         x[me].seen.generation != top || x[me].seen.stamp != minted_by;
       lived_on = lived_on || saw_revocation[me];
       reuse_survived = reuse_survived || saw_reuse[me];
       NOTE(was_repeated, !wrote[me]);
       if
       :: printf("%d: host %d answers with generation %d\n", clock, me, x[me].seen.generation); deliver(me)
       :: faults < FAULTS -> printf("%d: the answer of host %d, generation %d, is lost\n", clock, me, x[me].seen.generation); faults++
       fi;
       finish(me)
  :: verdict == DENY ->
       own_write_denied = own_write_denied ||
         (wrote[me] && store.state == LIVE && store.generation == x[me].token + 1);
       locked_out = locked_out || (!of_thief[me] && !thief_acted && !user_revoked && !ended_for_cause &&
         (top == x[me].token || (WINDOW > 0 && x[me].now <= minted_at + WINDOW)));
       reuse_survived = reuse_survived || (saw_reuse[me] && store.state == LIVE);
       NOTE(was_reused, saw_reuse[me] && !user_revoked);
       printf("%d: host %d denies; the grant is %e\n", clock, me, (store.state == LIVE -> live : revoked));
       held = (of_thief[me] -> held : 0);
       finish(me)
  :: else ->
       revoked_without_cause = revoked_without_cause || (verdict == REVOKE && !saw_reuse[me] && !IS_OVER_BUDGET);
       ended_for_cause = ended_for_cause || (verdict == REVOKE && (saw_reuse[me] || IS_OVER_BUDGET));
       NOTE(was_over, verdict == REVOKE && !saw_reuse[me]);
       x[me].stage = COMMITTING
  fi
}

/* After a conflict or an unknown commit the record is loaded again, or the exchange gives up. */
inline again_or_unavailable(me) {
  if
  :: x[me].loads < LOADS -> load(me)
  :: else -> printf("%d: host %d answers 503\n", clock, me); NOTE(was_unavailable, true); finish(me)
  fi
}

inline commit(me) {
  judge(x[me]);
  if
  :: !FITS(next) -> printf("%d: the write of host %d conflicts\n", clock, me); NOTE(was_raced, true); again_or_unavailable(me)
  :: FITS(next) -> printf("%d: the write of host %d is committed\n", clock, me); apply(next); copy(x[me].seen, next); look(me)
  :: FITS(next) && faults < FAULTS -> faults++; printf("%d: the write of host %d is applied, and the host does not know\n", clock, me); apply(next); x[me].stage = LOADING
#ifdef ANSWER_BEFORE_GATE
  :: faults < FAULTS -> faults++; copy(x[me].seen, next); look(me)
#else
  :: faults < FAULTS -> faults++; printf("%d: the write of host %d is lost, and the host does not know\n", clock, me); again_or_unavailable(me)
#endif
  :: faults < FAULTS && !is_late -> faults++; printf("%d: the write of host %d is under way, and the host does not know\n", clock, me); is_late = 1; copy(late, next); x[me].stage = LOADING
  fi
}

/* The answer arrives. */
inline deliver(me) {
  if
  :: of_thief[me] ->
#if BUDGET != NONE
       with_thief[x[me].seen.generation] = 1;
#endif
       NOTE(thief_won, wrote[me])
  :: else ->
#if BUDGET != NONE
       with_client[x[me].seen.generation] = 1;
#endif
       held = (held > 0 && x[me].seen.generation > held -> x[me].seen.generation : held)
  fi;
  row = 0;
  i = 2;
  do
  :: i < GENERATIONS ->
       row = (with_client[i] && with_thief[i] -> row + 1 : 0);
       followed_too_far = followed_too_far || IS_OVER_BUDGET;
       i++
  :: else -> break
  od
}

/* The hosts are alike, so the first one is used before the second. */
#define MAY_BEGIN(me) (x[me].stage == IDLE && sent < SENDS && (me == 0 || x[0].stage != IDLE))

/* The client's processes share what they hold: none refreshes a generation while another still presents the one before. */
#define CLIENT_IS_FREE(other) (x[other].stage == IDLE || of_thief[other] || x[other].token == held)

proctype Host(byte me) {
  do
  :: atomic { MAY_BEGIN(me) && held > 0 && CLIENT_IS_FREE(1 - me) ->
       x[me].token = held;
       if
       :: begin(me, 0, 0)
       :: LAG > 0 && clock > 0 -> begin(me, 0, LAG)
       fi }
  :: atomic { THIEF && MAY_BEGIN(me) ->
       i = 1;
       do
       :: i < top -> i++
       :: break
       od;
       x[me].token = i;
       if
       :: begin(me, 1, 0)
       :: LAG > 0 && clock > 0 -> begin(me, 1, LAG)
       fi }
  :: atomic { x[me].stage == LOADING -> again_or_unavailable(me) }
  :: atomic { x[me].stage == COMMITTING -> commit(me) }
  od
}

active proctype Clock() {
  do
  :: clock < TICKS -> clock++
  :: else -> break
  od
}

/* A write arrives after its host stopped waiting for it. */
active proctype Network() {
  do
  :: atomic { is_late ->
       if
       :: FITS(late) -> printf("%d: the late write arrives\n", clock); NOTE(was_late, true); apply(late)
       :: else
       fi;
       clear(late);
       is_late = 0 }
  od
}

/* Revocation is one more compare-and-swap, repeated until it holds: its last try is all that counts. */
active proctype User() {
  atomic { USER ->
    store.version++;
    store.state = REVOKED;
    user_revoked = 1;
    printf("%d: the user revokes\n", clock);
    forget_stale(0);
    forget_stale(1) }
}

init {
  atomic {
    store.generation = 1;
    store.version = 1;
    store.stamp = NONE;
    run Host(0);
    run Host(1)
  }
}

/* One generation has one successor, whoever asks for it and how often: there is never a second branch. */
ltl one_successor { [] !another_successor }
/* Whoever lost an answer and asks again, inside the window and the budget, is not locked out. */
ltl a_lost_answer_is_repeated { [] !locked_out }
/* Whose own write began the current generation is answered with it, however the store reported the write. */
ltl an_own_write_is_recognised { [] !own_write_denied }
/* Two uses of one generation further apart than the window end the grant. */
ltl late_reuse_revokes { [] !reuse_survived }
/* A thief in lockstep with the client is followed for no more generations than the budget. */
ltl the_budget_bounds_a_thief { [] !followed_too_far }
/* Whoever begins after the user was told that the grant is revoked gets no tokens. */
ltl nothing_lives_on { [] !lived_on }
/* A revoked grant stays revoked. */
ltl revoked_is_final { [] !came_back }
/* Only late reuse and a streak over the budget revoke: losing a race, or an unknown commit, does not. */
ltl no_revocation_without_cause { [] !revoked_without_cause }
/* What is begun ends, whatever the store answers. */
ltl exchanges_end { [] ((x[0].stage != IDLE -> <> (x[0].stage == IDLE)) && (x[1].stage != IDLE -> <> (x[1].stage == IDLE))) }

/* All of them at once, but for the last. */
ltl all_of_them { [] !(another_successor || locked_out || own_write_denied || reuse_survived || followed_too_far || lived_on ||
    came_back || revoked_without_cause) }

#ifdef SOMETIMES
/* Sometimes: each of these is expected to be refuted, by a run that gets there. */
ltl never_repeats { [] !was_repeated }
ltl never_reuses { [] !was_reused }
ltl never_races { [] !was_raced }
ltl never_goes_over_budget { [] !was_over }
ltl never_arrives_late { [] !was_late }
ltl never_gives_up { [] !was_unavailable }
ltl the_thief_never_wins { [] !thief_won }
#endif
