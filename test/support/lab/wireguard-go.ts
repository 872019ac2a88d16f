import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Lab } from './lab.ts';
import type { Namespace } from './namespace.ts';
import { poll } from './poll.ts';

/**
 * A WireGuard of its own process, as interface `name` of `namespace`, without keys and addresses; it takes `wg` from now on.
 *
 * `wg` removes the control socket of one that refuses it, which one that is about to listen does, too. So what a former one of that
 * name left is removed first, and whether it listens is asked without `wg`.
 */
export async function startWireGuardGo(lab: Lab, namespace: Namespace, name: string): Promise<ChildProcess> {
  // In one folder for all namespaces.
  const socket = `/var/run/wireguard/${name}.sock`;
  rmSync(socket, { force: true });
  lab.undoLater(`rm -f ${socket}`);
  const child = namespace.spawn(['wireguard-go', '-f', name], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
  await poll(`wireguard-go ${name}`, () => listens(socket), { detail: () => said });
  return child;
}

function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const say = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', say(true)).once('error', say(false));
  });
}
