import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const LOWEST = 20_000;
const TRIES = 50;

/**
 * A TCP port of 127.0.0.1 that nobody listens on. Below the range that the kernel gives to outgoing connections: a server
 * that is killed and started again finds its port still free. Whoever listens on it may still lose it to another process
 * that had the same idea, and then asks for another one.
 */
export async function freePort(): Promise<number> {
  const highest = lowestOutgoingPort() - 1;
  for (let tried = 0; tried < TRIES; tried += 1) {
    const port = LOWEST + Math.floor(Math.random() * (highest - LOWEST));
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port on 127.0.0.1 between ${String(LOWEST)} and ${String(highest)}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ host: '127.0.0.1', port, exclusive: true });
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    if (server.listening) {
      server.close();
      await once(server, 'close');
    }
  }
}

function lowestOutgoingPort(): number {
  const usual = 32_768;
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const lowest = Number(range.trim().split(/\s+/)[0]);
    return lowest > LOWEST + 1000 ? lowest : usual;
  } catch {
    return usual;
  }
}
