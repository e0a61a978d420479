// The consent page in a real browser. Usage: node test.mjs CHROMIUM BASE BASE_OF_PATH_ISSUER PATH PICTURES
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { answered, ask, redeem, signIn, startBrowser, startClient, startHostile } from './world.mjs';

const [chromium, issuer, pathBase, path, pictures] = process.argv.slice(2);
const mcp = `${issuer}/mcp`;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const client = await startClient();
const hostile = await startHostile();
const { browser, log, person } = await startBrowser(chromium);

let passed = 0;
let failed = 0;
async function check(title, test) {
  const open = new Set(browser.contexts());
  try {
    await test();
    passed += 1;
    console.log(`ok   ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${title}\n     ${String(error.stack ?? error).replaceAll('\n', '\n     ')}`);
  }
  await Promise.all(browser.contexts().filter((context) => !open.has(context)).map((context) => context.close()));
}

const asking = (changes) => ask(issuer, mcp, client, changes);
const allow = (page) => page.getByRole('button', { name: 'Allow' });
const deny = (page) => page.getByRole('button', { name: 'Deny' });
const words = (page) => page.locator('main').innerText();

/** A person on the consent page of a fresh request. */
async function consenting({ changes, options, user, kept } = {}) {
  const asked = asking(changes);
  const context = await person(options, kept);
  const page = await context.newPage();
  await signIn(page, asked.url, ...(user ?? []));
  await allow(page).waitFor();
  return { asked, context, page };
}

async function assertErrorPage(page, id) {
  await page.getByRole('heading', { name: 'This request cannot go on' }).waitFor();
  const text = await words(page);
  assert.ok(text.includes(id), `expected ${id} in: ${text}`);
  assert.equal(await page.locator('form, a, [http-equiv]').count(), 0, 'an error page leads nowhere');
}

/** Axe with the rules of WCAG 2.2 AA, contrast included. */
async function assertAccessible(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`), []);
  assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'contrast was judged');
}

async function assertFits(page) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(content <= window, `the page is ${content} wide, the window ${window}`);
}

const register = async (metadata) => {
  const body = { redirect_uris: [client.redirect], token_endpoint_auth_method: 'none', application_type: 'native', ...metadata };
  const response = await fetch(`${issuer}/register`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  assert.equal(response.status, 201, await response.clone().text());
  return (await response.json()).client_id;
};

// --- The journey ---------------------------------------------------------------------------------------

await check('sign in, untick the optional scope, allow: the code is good for the rest only', async () => {
  const asked = asking();
  const page = await (await person()).newPage();
  await page.goto(asked.url);
  assert.ok(page.url().startsWith(`${issuer}/login?next=`), page.url());
  await signIn(page, page.url());
  await page.getByRole('checkbox', { name: 'Add notes for you' }).uncheck();
  const answer = await answered(client, page, () => allow(page).click());
  assert.deepEqual([...answer.keys()].sort(), ['code', 'iss', 'state']);
  assert.equal(answer.get('state'), asked.state);
  assert.equal(answer.get('iss'), issuer);
  const tokens = await redeem(issuer, mcp, client, asked, answer.get('code'));
  assert.equal(tokens.status, 200, JSON.stringify(tokens));
  assert.deepEqual(tokens.scope.split(' ').sort(), ['notes:read', 'offline_access']);
  assert.equal(client.arrived.at(-1).referrer, undefined, 'no referrer tells the client about our pages');
});

await check('the page names the application, the user, the resource, the way back and every scope; pictures are kept', async () => {
  for (const [name, options] of Object.entries({ consent: {}, 'consent-dark': { colorScheme: 'dark' }, 'consent-360': { viewport: { width: 360, height: 740 } } })) {
    const { page } = await consenting({ options });
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
    const text = await words(page);
    for (const part of ['Demo public client asks for access', 'signed in as alice', mcp, `127.0.0.1:${client.port}`, '(this computer)', 'Read your notes', 'notes:read', 'Add notes for you', 'notes:write', 'Stay connected', 'offline_access']) {
      assert.ok(text.includes(part), `${part} is missing in: ${text}`);
    }
  }
});

await check('an answer that goes to this computer comes with a warning, in view', async () => {
  const { page } = await consenting();
  const warning = page.getByRole('note');
  assert.match(await warning.innerText(), /program on this computer/);
  assert.ok(await warning.isVisible());
  const box = await warning.boundingBox();
  const button = await allow(page).boundingBox();
  assert.ok(box.height > 30 && box.y < button.y, 'the warning stands before the buttons');
});

await check('a client that registered itself is not taken at its word', async () => {
  const id = await register({ client_name: 'Notes Buddy', redirect_uris: ['https://buddy.example/cb'], application_type: 'web' });
  const { page } = await consenting({ changes: { client_id: id, redirect_uri: 'https://buddy.example/cb' } });
  assert.match(await page.getByRole('note').innerText(), /has not checked this application.*chose its own name.*trust buddy\.example/);
});

await check('a client with a document is shown with the host that publishes it', async () => {
  const { asked, page } = await consenting({ changes: { client_id: client.document } });
  const text = await words(page);
  assert.ok(text.includes('Notes Reader asks for access') && /Published by\s+127\.0\.0\.1/.test(text), text);
  const answer = await answered(client, page, () => allow(page).click());
  assert.equal((await redeem(issuer, mcp, client, asked, answer.get('code'))).status, 200);
});

await check('deny: access_denied with state and iss, and no code', async () => {
  const { asked, page } = await consenting();
  const answer = await answered(client, page, () => deny(page).click());
  assert.equal(answer.get('error'), 'access_denied');
  assert.deepEqual([answer.get('state'), answer.get('iss'), answer.get('code')], [asked.state, issuer, null]);
});

await check('an issuer with a path: the same journey', async () => {
  const asked = ask(pathBase + path, `${pathBase}/mcp`, client);
  const page = await (await person()).newPage();
  await signIn(page, asked.url);
  const answer = await answered(client, page, () => allow(page).click());
  assert.equal(answer.get('iss'), pathBase + path);
  const tokens = await redeem(pathBase + path, `${pathBase}/mcp`, client, asked, answer.get('code'));
  assert.equal(tokens.status, 200, JSON.stringify(tokens));
});

await check('without JavaScript: the same journey', async () => {
  const { asked, page } = await consenting({ options: { javaScriptEnabled: false } });
  await page.getByRole('checkbox', { name: 'Stay connected' }).uncheck();
  const answer = await answered(client, page, () => allow(page).click());
  const tokens = await redeem(issuer, mcp, client, asked, answer.get('code'));
  assert.deepEqual(tokens.scope?.split(' ').sort(), ['notes:read', 'notes:write']);
});

// --- How it reads, and how it is used ------------------------------------------------------------------

await check('contrast, names and landmarks hold (WCAG 2.2 AA by axe): light, dark, narrow, and the error page', async () => {
  for (const options of [{}, { colorScheme: 'dark' }, { viewport: { width: 360, height: 740 } }]) {
    const { page } = await consenting({ options });
    await assertAccessible(page);
    await page.goto(asking({ client_id: 'nobody' }).url);
    await assertAccessible(page);
  }
});

await check('nothing is cut off at 320 and 360 pixels, with long names too', async () => {
  const id = await register({ client_name: 'W'.repeat(120) });
  for (const width of [320, 360]) {
    for (const changes of [{}, { client_id: id }]) {
      const { page } = await consenting({ changes, options: { viewport: { width, height: 640 } } });
      await assertFits(page);
    }
  }
});

await check('by keyboard: the scopes, then Deny, then Allow, each with a visible focus', async () => {
  const { page } = await consenting();
  const order = [];
  for (let step = 0; step < 4; step += 1) {
    await page.keyboard.press('Tab');
    order.push(await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return `${document.activeElement.value} ${outlineStyle} ${outlineWidth}`;
    }));
  }
  assert.deepEqual(order, ['notes:write', 'offline_access', 'deny', 'approve'].map((value) => `${value} solid 3px`));
  const answer = await answered(client, page, () => page.keyboard.press('Enter'));
  assert.ok(answer.get('code'));
});

await check('Enter on a checkbox never allows', async () => {
  const { page } = await consenting();
  await page.getByRole('checkbox').first().focus();
  const answer = await answered(client, page, () => page.keyboard.press('Enter'));
  assert.equal(answer.get('error'), 'access_denied');
});

await check('what Chromium says about the form: Origin null, Sec-Fetch-Site same-origin', async () => {
  const { page } = await consenting();
  const [request] = await Promise.all([page.waitForRequest((request) => request.method() === 'POST'), answered(client, page, () => allow(page).click())]);
  const { origin, referer, 'sec-fetch-site': site } = await request.allHeaders();
  assert.deepEqual([origin, site, referer], ['null', 'same-origin', undefined]);
});

// --- Second thoughts -----------------------------------------------------------------------------------

await check('back and Allow once more: a code again, and it is good', async () => {
  const { asked, page } = await consenting();
  await answered(client, page, () => allow(page).click());
  await page.goBack();
  await allow(page).waitFor();
  const answer = await answered(client, page, () => allow(page).click());
  const tokens = await redeem(issuer, mcp, client, asked, answer.get('code'));
  assert.equal(tokens.status, 200, JSON.stringify(tokens));
});

await check('the same form twice: the same code while it is fresh, and a clear page once it is redeemed', async () => {
  const { asked, page } = await consenting();
  const html = await page.content();
  const again = async () => {
    await page.route(asked.url, (route) => route.fulfill({ contentType: 'text/html', body: html }), { times: 1 });
    await page.goto(asked.url);
  };
  const first = await answered(client, page, () => allow(page).click());
  await again();
  const second = await answered(client, page, () => allow(page).click());
  assert.equal(second.get('code'), first.get('code'));
  assert.equal((await redeem(issuer, mcp, client, asked, second.get('code'))).status, 200);
  await again();
  await allow(page).click();
  await assertErrorPage(page, 'consent.decided');
});

await check('a double click on Allow: one good code', async () => {
  const { asked, page } = await consenting();
  const answer = await answered(client, page, () => allow(page).dblclick());
  assert.equal((await redeem(issuer, mcp, client, asked, answer.get('code'))).status, 200);
});

await check('two requests in two tabs of one browser: each gets its own answer', async () => {
  const first = await consenting();
  const other = { asked: asking(), page: await first.context.newPage() };
  await other.page.goto(other.asked.url);
  for (const { asked, page } of [first, other]) {
    const answer = await answered(client, page, () => allow(page).click());
    assert.equal(answer.get('state'), asked.state);
    assert.equal((await redeem(issuer, mcp, client, asked, answer.get('code'))).status, 200);
  }
});

// --- Hostile neighbours --------------------------------------------------------------------------------

const apart = () => ({ requests: [], complaints: [] });

await check('a client named <script>alert(1)</script> is text', async () => {
  const kept = apart();
  const name = '<script>alert(1)</script>';
  const { page } = await consenting({ changes: { client_id: await register({ client_name: name }) }, kept });
  assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), `${name} asks for access`);
  assert.equal(await page.locator('script').count(), 0);
  assert.deepEqual(kept.complaints, []);
});

await check('what is injected all the same neither runs nor loads, and is noticed', async () => {
  const kept = apart();
  const { page } = await consenting({ kept });
  await page.evaluate((address) => {
    const script = document.createElement('script');
    script.textContent = 'document.title = "taken over"';
    const style = document.createElement('style');
    style.textContent = 'main { display: none }';
    const image = document.createElement('img');
    const loaded = new Promise((resolve) => (image.onerror = image.onload = resolve));
    image.src = address;
    document.body.append(script, style, image);
    return loaded;
  }, hostile.neighbour);
  assert.equal(await page.title(), 'Allow access?');
  assert.ok(await page.locator('main').isVisible());
  for (const what of ['script-src', 'style-src', 'img-src']) {
    assert.ok(kept.complaints.some((text) => /Content Security Policy/i.test(text) && (text.includes(what) || text.includes("default-src 'none'"))), `${what}: ${kept.complaints}`);
  }
  assert.deepEqual(hostile.visits, [], 'the image was not fetched');
});

await check("no other site can frame it; the client's own page shows that this check sees frames", async () => {
  const { asked, page } = await consenting({ kept: apart() });
  const error = asking({ client_id: 'nobody' }).url;
  const { neighbour, stranger } = hostile; // the neighbour's frames get our cookies; the stranger's do not, and meet the sign-in page
  const frames = [[neighbour, client.origin, true], ...[neighbour, stranger].flatMap((site) => [asked.url, error].map((url) => [site, url, false]))];
  for (const [site, url, shown] of frames) {
    hostile.show(`<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`);
    await page.goto(site);
    const frame = page.frames()[1];
    const text = await frame.locator('body').innerText();
    if (shown) assert.match(text, /You can close this page/);
    else assert.match(frame.url(), /^chrome-error:/, text);
  }
});

await check("another browser with the first one's form: an error page, though the same user is signed in", async () => {
  const first = await consenting();
  const fields = await first.page.locator('input[type=hidden]').evaluateAll((inputs) => inputs.map(({ name, value }) => [name, value]));
  assert.deepEqual(fields.map(([name]) => name), ['ticket', 'seal']);
  const second = await consenting();
  for (const [name, value] of fields) await second.page.locator(`[name=${name}]`).evaluate((input, value) => (input.value = value), value);
  await allow(second.page).click();
  await assertErrorPage(second.page, 'consent.ticket.browser');
});

await check('somebody else signed in meanwhile in the same browser: an error page', async () => {
  const { context, page } = await consenting();
  await signIn(await context.newPage(), `${issuer}/login`, 'bob', 'builder');
  await context.pages()[1].getByText('Signed in as bob').waitFor();
  await allow(page).click();
  await assertErrorPage(page, 'consent.user');
});

await check('a form sent by another site, even with the right fields: an error page', async () => {
  for (const site of [hostile.neighbour, hostile.stranger]) {
    const { page } = await consenting({ kept: apart() });
    const fields = await page.locator('input[type=hidden]').evaluateAll((inputs) => inputs.map((input) => input.outerHTML).join(''));
    hostile.show(`<form method=post action="${issuer}/consent">${fields}<button name=decision value=approve>Win a prize</button></form>`);
    await page.goto(site);
    await page.getByRole('button').click();
    await assertErrorPage(page, 'consent.origin');
  }
});

await check('an unknown client, and an unregistered way back: an error page at the issuer, no redirect', async () => {
  for (const [changes, id] of [[{ client_id: 'nobody' }, 'client.unknown'], [{ redirect_uri: `${client.origin}/elsewhere` }, 'authorize.redirect']]) {
    const before = client.arrived.length;
    const page = await (await person()).newPage();
    const response = await page.goto(asking(changes).url);
    assert.equal(response.status(), 400);
    assert.equal(response.request().redirectedFrom(), null);
    assert.equal(new URL(page.url()).origin, issuer);
    await assertErrorPage(page, id);
    assert.equal(client.arrived.length, before);
  }
});

await check('in all of this: nothing loaded from a third party, no violated policy, no dialog, no error in the console', () => {
  const ours = [issuer, pathBase, client.origin, 'https://buddy.example'].map((origin) => new URL(origin).origin);
  assert.deepEqual(log.requests.filter((url) => !ours.includes(new URL(url).origin)), []);
  // That an answer was a 400 or a 404 is no complaint about a page: these are the error pages, and icons nobody has.
  assert.deepEqual(log.complaints.filter((text) => !/status of 40[03] |status of 404 .*favicon\.ico$/.test(text)), []);
  assert.ok(log.requests.length > 100);
});

await browser.close();
client.close();
hostile.close();
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
