//! A model of one grant, written from the design and not from the core: it keeps the whole history and counts in it.
//! An honest client, a thief, a revoker and a clock that also jumps back act on one record with compare-and-swap.

use lockstep_oauth::grant::{Grant, GrantPolicy, GrantState, Moment, Redemption, Rotation};
use proptest::prelude::*;

const CODE_SECONDS: u64 = 60;
const ABSOLUTE_SECONDS: u64 = 500;

/// What somebody does next. An exchange begins with a load and acts later; others may act in between.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The clock moves, sometimes back.
    Tick(i64),
    /// An exchange presents the code (`None`), or a refresh token that many generations behind the newest.
    Begin(Option<u32>),
    /// The exchange of that place decides and commits; its answer may be lost, so that it looks again.
    Act(usize, bool),
    /// The user, or the client, revokes.
    Revoke,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop_oneof![0..12i64, -40..120i64].prop_map(Step::Tick),
        2 => Just(Step::Begin(None)),
        8 => prop_oneof![6 => Just(0), 3 => Just(1), 1 => 2..4u32].prop_map(|behind| Step::Begin(Some(behind))),
        12 => (0..4usize, prop::bool::weighted(0.2)).prop_map(|(place, lost)| Step::Act(place, lost)),
        1 => Just(Step::Revoke),
    ]
}

/// One generation as the model remembers it.
struct Past {
    began: u64,
    idle_end: u64,
    marked: bool,
}

/// All that ever happened to the grant.
struct Model {
    policy: GrantPolicy,
    past: Vec<Past>,
    dead: bool,
    latest: u64,
    /// Who wrote last, apart from marking.
    writer: u8,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Wins,
    Repeats,
    Marks,
    Refused,
    Revokes,
}

impl Model {
    fn at(&self, clock: u64) -> u64 {
        self.latest.max(clock)
    }

    fn age(&self, clock: u64) -> u64 {
        self.past.last().map_or(0, |newest| self.at(clock) - newest.began)
    }

    /// How many generations in a row, up to and with that one, somebody presented twice.
    fn run(&self, upto: usize) -> usize {
        self.past[..upto].iter().rev().take_while(|past| past.marked).count()
    }

    fn is_over(&self, clock: u64) -> bool {
        self.dead || self.at(clock) >= ABSOLUTE_SECONDS
    }

    /// Whether an exchange that loads now finds its token current, or repeatable by the window.
    fn is_current(&self, presented: Option<usize>, clock: u64) -> bool {
        match presented {
            None => self.past.is_empty() && !self.dead,
            Some(generation) => !self.dead && (generation == self.past.len() || self.repeats(generation, clock)),
        }
    }

    fn repeats(&self, generation: usize, clock: u64) -> bool {
        let window = self.policy.retry_window_seconds;
        generation + 1 == self.past.len() && window > 0 && self.age(clock) <= window
    }

    fn judge(&self, presented: Option<usize>, clock: u64, who: u8, saw_current: bool) -> Verdict {
        let Some(generation) = presented else { return self.judge_code(clock, who, saw_current) };
        let newest = self.past.len();
        if self.is_over(clock) || generation > newest {
            return Verdict::Refused;
        }
        if generation == newest {
            return if self.at(clock) < self.past[newest - 1].idle_end { Verdict::Wins } else { Verdict::Refused };
        }
        if generation + 1 == newest && self.writer == who {
            return Verdict::Repeats;
        }
        if self.repeats(generation, clock) {
            let over = self.policy.overlap_budget.is_some_and(|budget| self.run(newest - 1) + 1 > budget as usize);
            return match self.past[newest - 1].marked {
                true => Verdict::Repeats,
                false if over => Verdict::Revokes,
                false => Verdict::Marks,
            };
        }
        if saw_current { Verdict::Refused } else { Verdict::Revokes }
    }

    fn judge_code(&self, clock: u64, who: u8, saw_current: bool) -> Verdict {
        match self.past.len() {
            _ if self.dead => Verdict::Refused,
            0 if self.at(clock) < CODE_SECONDS => Verdict::Wins,
            0 => Verdict::Refused,
            1 if self.writer == who => Verdict::Repeats,
            1 if self.age(clock) < self.policy.code_race_seconds => Verdict::Refused,
            _ => {
                if saw_current {
                    Verdict::Refused
                } else {
                    Verdict::Revokes
                }
            }
        }
    }

    fn apply(&mut self, verdict: &Verdict, clock: u64, who: u8) {
        let now = self.at(clock);
        match verdict {
            Verdict::Wins => {
                let idle_end = (now + self.policy.idle_seconds.min(ABSOLUTE_SECONDS)).min(ABSOLUTE_SECONDS);
                self.past.push(Past { began: now, idle_end, marked: false });
            }
            Verdict::Marks => self.past.last_mut().unwrap().marked = true,
            Verdict::Revokes => self.dead = true,
            Verdict::Repeats | Verdict::Refused => return,
        }
        self.latest = now;
        if *verdict != Verdict::Marks {
            self.writer = who;
        }
    }
}

/// An exchange under way.
struct Exchange {
    who: u8,
    presented: Option<usize>,
    saw_current: bool,
}

pub(crate) fn journey(steps: &[Step], policy: &GrantPolicy) {
    let mut text = super::record();
    text["st"] = "granted".into();
    (text["ct"], text["lt"], text["ex"]) = (0.into(), 0.into(), ABSOLUTE_SECONDS.into());
    text["g"] = serde_json::json!({"n": 0, "k": "AAAAAA", "at": 0, "ax": 0, "rx": CODE_SECONDS});
    let mut grant = Grant::decode(text.to_string().as_bytes()).unwrap();
    let mut model = Model { policy: policy.clone(), past: Vec::new(), dead: false, latest: 0, writer: 0 };
    let mut exchanges: Vec<Exchange> = Vec::new();
    let (mut clock, mut next_stamp, mut issued) = (0u64, 1u8, Vec::new());
    for step in steps {
        match *step {
            Step::Tick(seconds) => clock = clock.saturating_add_signed(seconds),
            Step::Revoke => {
                next_stamp += 1;
                if grant.state != GrantState::Revoked {
                    grant = grant.revoked(clock, [next_stamp; 8], "revoked by the user");
                    model.apply(&Verdict::Revokes, clock, next_stamp);
                }
            }
            Step::Begin(behind) => {
                // Nobody holds a refresh token before there is one.
                let newest = model.past.len();
                let presented =
                    behind.map(|behind| newest.saturating_sub(behind as usize)).filter(|number| *number > 0);
                if (presented.is_some() || behind.is_none()) && exchanges.len() < 4 {
                    next_stamp += 1;
                    let saw_current = model.is_current(presented, clock);
                    exchanges.push(Exchange { who: next_stamp, presented, saw_current });
                }
            }
            Step::Act(place, lost) => {
                if place >= exchanges.len() {
                    continue;
                }
                let Exchange { who, presented, saw_current } = exchanges[place];
                let moment = Moment {
                    now: clock,
                    stamp: [who; 8],
                    key: [0; 4],
                    jwt_kid: String::new(),
                    was_current: saw_current,
                };
                let expected = model.judge(presented, clock, who, saw_current);
                let (verdict, write) = judge(&grant, presented, &moment, policy);
                assert_eq!(verdict, expected, "at {clock}, {presented:?} by {who}");
                if let Some(write) = write {
                    super::check_write(&grant, &write, clock);
                    grant = write;
                }
                if matches!(verdict, Verdict::Wins | Verdict::Marks | Verdict::Repeats) {
                    issued.push(grant.generation.clone());
                }
                model.apply(&verdict, clock, who);
                if !lost {
                    exchanges.remove(place);
                }
            }
        }
        compare(&grant, &model);
    }
    // No second branch: whatever was given out for a generation, at whatever time, was one and the same.
    for (index, generation) in issued.iter().enumerate() {
        for later in &issued[index..] {
            let same =
                (generation.key, generation.issued_at, generation.access_expires_at, generation.refresh_expires_at)
                    == (later.key, later.issued_at, later.access_expires_at, later.refresh_expires_at);
            assert!(generation.number != later.number || same);
        }
    }
}

fn judge(grant: &Grant, presented: Option<usize>, moment: &Moment, policy: &GrantPolicy) -> (Verdict, Option<Grant>) {
    match presented {
        None => match grant.redeem(moment, policy) {
            Redemption::Win(next) => (Verdict::Wins, Some(next)),
            Redemption::Won => (Verdict::Repeats, None),
            Redemption::Raced | Redemption::Dead => (Verdict::Refused, None),
            Redemption::Replayed(dead) => (Verdict::Revokes, Some(dead)),
        },
        Some(generation) => match grant.rotate(u32::try_from(generation).unwrap(), moment, policy) {
            Rotation::Win(next) => (Verdict::Wins, Some(next)),
            Rotation::Repeat => (Verdict::Repeats, None),
            Rotation::Mark(marked) => (Verdict::Marks, Some(marked)),
            Rotation::Reused(dead) | Rotation::OverBudget(dead) => (Verdict::Revokes, Some(dead)),
            Rotation::Raced | Rotation::Ahead | Rotation::Dead => (Verdict::Refused, None),
        },
    }
}

fn compare(grant: &Grant, model: &Model) {
    let newest = model.past.len();
    let state = match (model.dead, newest) {
        (true, _) => GrantState::Revoked,
        (false, 0) => GrantState::Granted,
        (false, _) => GrantState::Live,
    };
    assert_eq!((grant.state, grant.generation.number as usize), (state, newest));
    assert_eq!((grant.last_at, grant.stamp), (model.latest, [model.writer; 8]));
    if let Some(past) = model.past.last() {
        assert_eq!((grant.generation.issued_at, grant.generation.retried), (past.began, past.marked));
        assert_eq!(grant.generation.refresh_expires_at, past.idle_end);
        // The streak counts up to the newest generation that can no longer, or already does, count.
        let counted = if past.marked { newest } else { newest - 1 };
        assert_eq!(grant.streak as usize, model.run(counted));
    }
}
