// One peer in a process of its own: `node serve.mjs PEER BEARER LATENCY`. Whoever started it may ask for its CPU time.
const [peer, bearer, latencyMs] = process.argv.slice(2);
const { start } = await import(`./peers/${peer}.mjs`);
const served = await start({ bearer, latencyMs: Number(latencyMs) });

process.on('message', async (question) => {
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send(user + system);
  } else {
    await served.tidy?.(); // drop what earlier rounds left behind
    process.send('tidied');
  }
});
process.on('disconnect', () => process.exit());
process.send({ origin: served.origin });
