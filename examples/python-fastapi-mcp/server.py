"""A small notes app: a login, a REST API and an MCP server, with OAuth 2.1 by Lockstep.

Three things here are Lockstep's: the `Lockstep(...)` object, `auth.install(app)` and the guards
(`auth.protect`, `auth.require`). The rest is what your app has anyway.
"""

import contextlib
import hmac
import html
import json
import os
import secrets
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from mcp.server.mcpserver import MCPServer
from starlette.routing import Route

from lockstep_oauth import Client, Identity, InsufficientScope, Lockstep, Resource, Scope, SignIn, User, current_identity

PORT = int(os.environ.get("PORT", "8787"))
ORIGIN = f"http://127.0.0.1:{PORT}"  # yours: https://notes.example
MCP, API = f"{ORIGIN}/mcp", f"{ORIGIN}/api"

# --- Your app: users, sessions, notes. In memory to stay short; yours live in your database. ---------

USERS = {"alice": "wonderland", "bob": "builder"}
SESSIONS: dict[str, str] = {}  # cookie -> user name
NOTES: dict[str, list[str]] = {"alice": ["Buy milk"], "bob": ["Fix the roof"]}


def session_user(request: Request) -> str | None:
    return SESSIONS.get(request.cookies.get("session", ""))


# --- OAuth: who issues tokens, for what, and who is signed in. ---------------------------------------


def current_user(request: Request) -> User | SignIn:
    """Lockstep asks this before it shows the consent page, and again when the answer comes."""
    name = session_user(request)
    return User(name) if name else SignIn("/login")  # Lockstep adds ?next=<the way back>


def tuning() -> dict[str, int]:
    """Numbers that tests like to change; the defaults are good."""
    names = {
        "EXAMPLE_ACCESS_SECONDS": "access_seconds",
        "EXAMPLE_RETRY_WINDOW": "retry_window_seconds",
        "EXAMPLE_CODE_RACE": "code_race_seconds",
    }
    return {option: int(os.environ[name]) for name, option in names.items() if name in os.environ}


BUDGET = int(os.environ.get("EXAMPLE_BUDGET", "60"))  # registrations an hour, and document fetches a minute


def known_clients() -> list[Client]:
    """Clients that need not register. These few are for the tests; most apps know none in advance."""
    clients = json.loads((Path(__file__).parent / "fixture.json").read_text())["clients"]
    return [Client(**{k: v for k, v in client.items() if not k.startswith("private_")}) for client in clients.values()]


auth = Lockstep(
    issuer=ORIGIN + os.environ.get("EXAMPLE_ISSUER_PATH", ""),
    resources=[Resource(MCP, scopes=["notes:read", "notes:write"]), Resource(API, scopes=["notes:read", "notes:write"])],
    scopes={
        "notes:read": Scope("Read your notes"),
        "notes:write": Scope("Add notes for you", default=False, optional=True),
        "offline_access": Scope("Stay connected", default=False, optional=True),
    },
    store=f"sqlite:///{os.environ.get('LOCKSTEP_DB', 'oauth.db')}",
    sign_in=current_user,
    registration={"mode": "open", "per_hour": BUDGET},
    clients=known_clients(),
    access_token_format=os.environ.get("EXAMPLE_TOKENS", "opaque"),
    client_documents={"loopback": True, "per_minute": BUDGET},  # development only: lets a client on this machine publish its document over http
    **tuning(),
)

# --- The MCP server: the official SDK, one protected route. ------------------------------------------

mcp = MCPServer("notes")


@mcp.tool()
def list_notes() -> list[str]:
    """List your notes."""
    return NOTES.setdefault(me().subject, [])


@mcp.tool()
def add_note(text: str) -> str:
    """Add a note. Needs one scope more: the client is sent back to the user to ask for it."""
    if "notes:write" not in me().scopes:
        raise InsufficientScope("notes:write")
    NOTES.setdefault(me().subject, []).append(text)
    return f"Added: {text}"


@mcp.tool()
def whoami() -> dict[str, str]:
    """Say for whom, and through which app, this call is made."""
    return {"user": me().subject, "client": me().client_id, "scopes": " ".join(me().scopes)}


def me() -> Identity:
    identity = current_identity()
    assert identity is not None, "auth.protect lets no one in without an identity"
    return identity


# JSON answers rather than event streams: so a tool can still turn its answer into a 403 challenge.
mcp_app = mcp.streamable_http_app(stateless_http=True, json_response=True)


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI):
    async with mcp.session_manager.run():
        yield


app = FastAPI(title="Notes", lifespan=lifespan)
auth.install(app)  # /authorize, /consent, /token, /revoke, /register and the well-known documents
app.router.routes.append(Route("/mcp", auth.protect(mcp_app, scopes=["notes:read"])))

# --- The REST API: the same tokens, a second resource. -----------------------------------------------


@app.get("/api/notes")
def api_list(user: Annotated[Identity, Depends(auth.require("notes:read", resource=API))]) -> list[str]:
    return NOTES.setdefault(user.subject, [])


@app.post("/api/notes", status_code=201)
def api_add(note: dict[str, str], user: Annotated[Identity, Depends(auth.require("notes:write", resource=API))]) -> dict[str, str]:
    NOTES.setdefault(user.subject, []).append(note["text"])
    return note


# --- The login and the account page: ordinary web pages of your app. ---------------------------------


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    unframed = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'"}
    return HTMLResponse(f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><h1>{title}</h1>{body}", status, unframed)


def local(path: str) -> str:
    """Never let a link choose where the login sends people: only paths of this site."""
    return path if path.startswith("/") and not path.startswith("//") and "\\" not in path else "/account"


@app.get("/login")
def login_form(next: str = "/account", wrong: bool = False) -> HTMLResponse:
    hint = "<p>That was not right.</p>" if wrong else ""
    return page("Sign in", f"""{hint}<form method=post action=/login>
        <input type=hidden name=next value="{html.escape(local(next))}">
        <p><label>User <input name=username autocomplete=username autofocus></label> (alice)
        <p><label>Password <input name=password type=password autocomplete=current-password></label> (wonderland)
        <p><button>Sign in</button></form>""", 403 if wrong else 200)


@app.post("/login", response_model=None)
def login(
    username: Annotated[str, Form()], password: Annotated[str, Form()], next: Annotated[str, Form()] = "/account"
) -> HTMLResponse | RedirectResponse:
    if not hmac.compare_digest(USERS.get(username, secrets.token_hex()).encode(), password.encode()):
        return login_form(next, wrong=True)
    cookie = secrets.token_urlsafe()
    SESSIONS[cookie] = username
    response = RedirectResponse(local(next), 303)
    response.set_cookie("session", cookie, httponly=True, samesite="lax")  # and secure=True on https
    return response


@app.get("/account", response_model=None)
async def account(request: Request) -> HTMLResponse | RedirectResponse:
    name = session_user(request)
    if name is None:
        return RedirectResponse("/login", 303)
    apps = await auth.connected_apps(name)
    rows = "".join(f"<li>{html.escape(a.name or a.client_id)}: {html.escape(' '.join(a.scopes))}" for a in apps)
    return page("Your account", f"""<p>Signed in as {html.escape(name)}.<h2>Connected apps</h2><ul>{rows or "<li>none"}</ul>
        <form method=post action=/account/sign-out-everywhere><button>Disconnect all</button></form>""")


@app.post("/account/sign-out-everywhere")
async def sign_out_everywhere(request: Request) -> RedirectResponse:
    if name := session_user(request):
        await auth.sign_out_everywhere(name)
    return RedirectResponse("/account", 303)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
