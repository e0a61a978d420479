// The load generator: kept-alive raw sockets with one request on the way each. It does little, so that it is never what is waited for.
import { connect } from 'node:net';
import { once } from 'node:events';

const HEAD_END = Buffer.from('\r\n\r\n');

/** One response. */
class Answer {
  constructor(status, head, body) {
    this.status = status;
    this.head = head;
    this.body = body;
  }

  all(name) {
    const start = `${name}:`;
    return this.head
      .split('\r\n')
      .filter((line) => line.slice(0, start.length).toLowerCase() === start)
      .map((line) => line.slice(start.length).trim());
  }

  header(name) {
    return this.all(name)[0];
  }

  text() {
    return this.body.toString();
  }

  json() {
    return JSON.parse(this.text());
  }
}

class Connection {
  #socket;
  #received = undefined;
  #done = undefined;

  static async open(port) {
    const connection = new Connection();
    connection.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(connection.#socket, 'connect');
    connection.#socket.on('data', (part) => connection.#receive(part));
    connection.#socket.on('close', () => connection.#done?.reject(new Error('the server closed a connection')));
    connection.#socket.on('error', (error) => connection.#done?.reject(error));
    return connection;
  }

  send(wire) {
    return new Promise((resolve, reject) => {
      this.#done = { resolve, reject };
      this.#socket.write(wire);
    });
  }

  close() {
    this.#socket.destroy();
  }

  #receive(part) {
    this.#received = this.#received ? Buffer.concat([this.#received, part]) : part;
    const answer = parse(this.#received);
    if (answer === undefined) return;
    const { resolve } = this.#done;
    this.#received = this.#done = undefined;
    resolve(answer);
  }
}

/** The response in these bytes, or undefined when some are missing. */
function parse(bytes) {
  const at = bytes.indexOf(HEAD_END);
  if (at < 0) return undefined;
  const head = bytes.toString('latin1', 0, at);
  const body = bytes.subarray(at + 4);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length) return body.length < Number(length[1]) ? undefined : new Answer(status, head, body);
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const whole = unchunk(body);
    return whole && new Answer(status, head, whole);
  }
  return new Answer(status, head, body); // 204 and 304 have no body; everything else here has one of the two headers
}

function unchunk(bytes) {
  const parts = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = parseInt(bytes.toString('latin1', at, end), 16);
    if (bytes.length < end + 2 + size + 2) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** Some connections to one server. */
export class Pool {
  #connections;
  #host;
  /** How many requests were sent. */
  sent = 0;

  static async open(origin, size) {
    const pool = new Pool();
    const { host, port } = new URL(origin);
    pool.#host = host;
    pool.#connections = await Promise.all(Array.from({ length: size }, () => Connection.open(Number(port))));
    return pool;
  }

  /** Send one request on the first connection. */
  ask = (request) => this.#connections[0].send(this.#wire(request));

  /** Send all requests, one at a time on every connection; the answers come in the same order. */
  async all(requests) {
    const wires = requests.map((request) => this.#wire(request));
    const answers = new Array(wires.length);
    let next = 0;
    await this.#everywhere(async (connection) => {
      while (next < wires.length) {
        const index = next++;
        answers[index] = await connection.send(wires[index]);
      }
    });
    return answers;
  }

  /** Go through something of several requests `count` times, one at a time on every connection, which is told to it as `lane`. */
  async journeys(count, journey) {
    const found = [];
    let left = count;
    await this.#everywhere(async (connection, lane) => {
      const ask = (request) => connection.send(this.#wire(request));
      while (left-- > 0) found.push(await journey(ask, lane));
    });
    return found;
  }

  /** Send each request on a connection of its own, all in one go; `arrived` tells the order in which answers came. */
  async together(requests) {
    const wires = requests.map((request) => this.#wire(request));
    const arrived = [];
    await Promise.all(wires.map((wire, index) => this.#connections[index].send(wire).then((answer) => arrived.push(answer))));
    return arrived;
  }

  close() {
    for (const connection of this.#connections) connection.close();
  }

  #everywhere(work) {
    return Promise.all(this.#connections.map(work));
  }

  #wire({ method, path, headers = {}, body }) {
    this.sent++;
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#host}\r\nuser-agent: bench\r\naccept: */*\r\n`;
    for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
    if (body !== undefined) head += `content-length: ${Buffer.byteLength(body)}\r\n`;
    return `${head}\r\n${body ?? ''}`;
  }
}
