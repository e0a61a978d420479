/* Rotation of refresh tokens: what one exchange does with one record. Written from the words of ARCHITECTURE.md and
 * SECURITY.md, and on purpose not from the code: two descriptions that agree share no slip of the pen.
 *
 * A generation stands for its refresh token. Time is counted in ticks. WINDOW is the retry window (0: no retry is answered),
 * BUDGET the overlap budget (NONE: no streak of retried generations revokes).
 *
 * Every `#ifdef` is a deliberate fault; verdicts.json names them all, and what must notice each. */

#define NONE 255

#ifndef WINDOW
#define WINDOW 2
#endif
#ifndef BUDGET
#define BUDGET NONE
#endif

/* How often an exchange loads: once, and three times more after a conflict or an unknown commit. */
#define LOADS 4

#define LIVE 0
#define REVOKED 1

typedef Record {
  bit state;
  byte generation;  /* the current one; its tokens are the only ones that may be exchanged for new ones */
  byte issued;      /* when it began */
  bit retried;      /* whether the generation before it was presented again */
  byte streak;      /* how many generations in a row were */
  byte last;        /* the record's own last time */
  byte version;
  byte stamp        /* the exchange that began the current generation */
}

typedef Exchange {
  byte stage;
  byte token;       /* the generation that is presented */
  byte now;         /* the host's clock when the exchange began: it is read once */
  byte stamp;
  byte loads;
  bit innocent;     /* the first load found the token current or repeatable: from then on this exchange revokes nothing */
  Record seen
}

/* What a decision wants next. */
#define ROTATE 1
#define MARK 2
#define REVOKE 3
#define TOKENS 4
#define DENY 5

hidden byte verdict;
hidden byte instant;
hidden Record next;

inline copy(to, from) {
  to.state = from.state; to.generation = from.generation; to.issued = from.issued; to.retried = from.retried;
  to.streak = from.streak; to.last = from.last; to.version = from.version; to.stamp = from.stamp
}

/* A decision's time is the later of the exchange's and the record's. */
#ifdef TIME_RUNS_BACK
#define EFFECTIVE(e) (e.now)
#else
#define EFFECTIVE(e) (e.now > e.seen.last -> e.now : e.seen.last)
#endif

#ifdef WINDOW_NEVER_ENDS
#define INSIDE(e) (WINDOW > 0)
#else
#ifdef WINDOW_ENDS_EARLY
#define INSIDE(e) (EFFECTIVE(e) < e.seen.issued + WINDOW)
#else
#define INSIDE(e) (WINDOW > 0 && EFFECTIVE(e) <= e.seen.issued + WINDOW)
#endif
#endif

#ifdef GRANDPARENT_REPEATS
#define SUCCEEDED(e) (e.seen.generation > e.token)
#else
#define SUCCEEDED(e) (e.seen.generation == e.token + 1)
#endif

/* The token was refreshed, its successor was not, and the window is open. */
#define REPEATABLE(e) (SUCCEEDED(e) && INSIDE(e))

#ifdef REVOCATION_IS_FORGOTTEN
#define IS_REVOKED(e) (false)
#else
#define IS_REVOKED(e) (e.seen.state == REVOKED)
#endif

#ifdef STAMP_IS_IGNORED
#define IS_OWN(e) (false)
#else
#define IS_OWN(e) (e.seen.stamp == e.stamp && e.seen.generation == e.token + 1)
#endif

#ifdef BUDGET_IS_SHORT
#define OVER(streak) (BUDGET != NONE && streak >= BUDGET)
#else
#define OVER(streak) (BUDGET != NONE && streak > BUDGET)
#endif

inline judge_first(e) {
  e.innocent = (e.seen.state == LIVE && (e.seen.generation == e.token || REPEATABLE(e)))
}

/* Reads `e.seen`; sets `verdict` and, where it is a write, `next`. */
inline judge(e) {
  copy(next, e.seen);
  instant = EFFECTIVE(e);
  next.last = instant;
  next.version = e.seen.version + 1;
  if
  :: IS_REVOKED(e) -> verdict = DENY
  :: !IS_REVOKED(e) && e.token > e.seen.generation ->
       /* Genuine, but ahead of the record: a fail-over lost a write. That is nobody's theft. */
#ifdef AHEAD_REVOKES
       verdict = REVOKE
#else
       verdict = DENY
#endif
  :: !IS_REVOKED(e) && e.token <= e.seen.generation && IS_OWN(e) -> verdict = TOKENS
  :: !IS_REVOKED(e) && e.token == e.seen.generation && !IS_OWN(e) -> rotate(e)
  :: !IS_REVOKED(e) && e.token < e.seen.generation && !IS_OWN(e) && REPEATABLE(e) -> retry(e)
  :: !IS_REVOKED(e) && e.token < e.seen.generation && !IS_OWN(e) && !REPEATABLE(e) ->
#ifdef REUSE_IS_ONLY_DENIED
       verdict = DENY
#else
#ifdef LOSER_REVOKES
       verdict = REVOKE
#else
       verdict = (e.innocent -> DENY : REVOKE)
#endif
#endif
  fi;
  if
  :: verdict == REVOKE -> next.state = REVOKED
  :: else
  fi
}

inline rotate(e) {
  verdict = ROTATE;
  next.state = LIVE;
  next.generation = e.token + 1;
  next.issued = instant;
  next.stamp = e.stamp;
  next.retried = 0;
#ifdef STREAK_IS_RESET
  next.streak = 0
#else
  /* A generation that nobody presented again ends the streak. */
  next.streak = (e.seen.retried -> e.seen.streak : 0)
#endif
}

/* The first retry marks the generation, and that costs one more write. The stamp stays: whoever began the generation must
 * still recognise it. */
inline retry(e) {
#ifdef RETRY_ROTATES
  rotate(e)
#else
  if
  :: e.seen.retried -> verdict = TOKENS
#ifdef LOSER_LEAVES_NO_MARK
  :: !e.seen.retried && e.loads > 1 -> verdict = TOKENS
  :: !e.seen.retried && e.loads <= 1 ->
#else
  :: !e.seen.retried ->
#endif
       next.retried = 1;
       next.streak = e.seen.streak + 1;
       verdict = (OVER(next.streak) -> REVOKE : MARK)
  fi
#endif
}
