"""Rules that hold for every answer of the run; judged last, from the journal."""

from ..case import case, check


def journal(id, title, rule, *, gate=0):
    async def run(s):
        found = s.wire.journal.breaches.get(rule, [])
        check(not found, title, f"{len(found)} kinds: " + "; ".join(found[:6]))
        return f"nothing in {s.wire.journal.answers} answers"

    run.reads_journal = True
    case(id, title, gate=gate)(run)


journal("H-13", "error is a registered-style word and error_description keeps to %x20-21 / %x23-5B / %x5D-7E in every answer", "error")
journal("R-56", "every /authorize answer has Referrer-Policy: no-referrer", "referrer", gate=1)
journal("ANY-01", "no request of the run was answered with 5xx", "5xx", gate=1)
journal("ANY-02", "every answer of /authorize, /consent, /token, /revoke, /introspect and /register is no-store", "no-store", gate=1)
journal("ANY-03", "no header holds CR, LF or NUL, and Location, Content-Type and Cache-Control come once", "header", gate=1)
journal("ANY-04", "an authorization response holds code or error, state and iss once each, and always iss", "once", gate=1)
journal("ANY-05", "the browser is sent to a client with 302 or 303 only", "redirect", gate=1)
journal("ANY-06", "every answer came within 10 s", "time")
journal("ANY-07", "every request was answered", "no answer", gate=1)
