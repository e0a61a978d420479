//! Replays a vector from its JSON alone. It knows nothing of worlds and scenarios.

use crate::running::Running;
use crate::transcript::{Transcript, Vector};
use crate::world::serve;
use lockstep_oauth::env::Env;
use serde_json::{Value, json};

/// Replays a vector.
///
/// # Errors
/// Where the core does something else than the vector says.
pub fn replay(vector: &Vector) -> Result<(), String> {
    let steps: usize = vector.exchanges.iter().map(|exchange| exchange.turns.len() + 1).sum();
    let order = match vector.exchanges.as_slice() {
        [_] => vec![0; steps],
        _ => vector.order.clone(),
    };
    if order.len() != steps {
        return Err(format!("{}: {} moves are written down for {steps}", vector.id, order.len()));
    }
    let mut lanes: Vec<Option<(Running, usize)>> = vector.exchanges.iter().map(|_| None).collect();
    for lane in order {
        let at = |what: &str| format!("{}: exchange {lane}: {what}", vector.id);
        let exchange = vector.exchanges.get(lane).ok_or_else(|| at("there is none"))?;
        let slot = lanes.get_mut(lane).ok_or_else(|| at("there is none"))?;
        let (running, turns) = match slot.take() {
            None => (start(exchange).map_err(|wrong| at(&wrong))?, 0),
            Some((running, turn)) => {
                let next = exchange.turns.get(turn).ok_or_else(|| at("more moves than steps"))?;
                let asked = running.asked().ok_or_else(|| at(&format!("ends before step {turn}")))?;
                if asked != next.asked {
                    return Err(at(&format!("step {turn} asks {asked:#?}, not {:#?}", next.asked)));
                }
                (running.give(next.given.clone()), turn + 1)
            }
        };
        *slot = Some((running, turns));
    }
    for (lane, (exchange, slot)) in vector.exchanges.iter().zip(&lanes).enumerate() {
        let ended = slot.as_ref().and_then(|(running, _)| running.ended());
        let outcome = ended.map(|ended| ended.to_json());
        if outcome.as_ref() != Some(&exchange.outcome) {
            let shown = outcome.unwrap_or_else(|| json!("not ended"));
            return Err(format!("{}: exchange {lane} ends with {shown:#}, not with {:#}", vector.id, exchange.outcome));
        }
    }
    Ok(())
}

fn start(exchange: &Transcript) -> Result<Running, String> {
    let env = Env::new(exchange.now, exchange.seed).ok_or("a seed of zeros")?;
    let config: &Value = &exchange.config;
    Running::start(&serve(config, &exchange.keys), &exchange.call, env).map_err(|misuse| misuse.to_string())
}
