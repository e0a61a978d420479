// Ours behind Express, as the SDK's router is.
import { ok } from '../host.mjs';
import { serve } from './lockstep.mjs';

export { batch, journey, packages } from './lockstep.mjs';
export const title = 'Lockstep, on Express';

export async function start(options) {
  const { default: express } = await import('express');
  return serve(options, (auth) => {
    const app = express();
    app.use(auth.express());
    app.get('/mcp', auth.require('notes:read', 'notes:write'), (_request, response) => ok(response));
    return app;
  });
}
