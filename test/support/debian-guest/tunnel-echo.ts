import type { Guest } from '../guest/index.ts';
import { poll, type Namespace } from '../lab/index.ts';
import { CONSUMER_INSIDE } from './consumer-tunnel.ts';

const BYTES = 1 << 20;
const ECHO = `import socket
s = socket.create_server(("${CONSUMER_INSIDE}", 7)); print("ready", flush=True)
c, _ = s.accept()
got = b""
while len(got) < ${BYTES}: got += c.recv(65536)
c.sendall(got)`;
const SEND = `import os, socket
sent = os.urandom(${BYTES}); got = b""
c = socket.create_connection(("${CONSUMER_INSIDE}", 7)); c.sendall(sent)
while len(got) < len(sent): got += c.recv(65536)
print("the same" if got == sent else "not the same")`;

/** A mebibyte through the tunnel to the consumer and back. What the guest says of it: "the same\n". */
export async function mebibyteThroughTunnel(consumer: Namespace, guest: Guest): Promise<string> {
  const echo = consumer.spawn(['python3', '-c', ECHO], { stdio: ['ignore', 'pipe', 'inherit'] });
  let heard = '';
  echo.stdout?.setEncoding('utf8').on('data', (text: string) => (heard += text));
  await poll('the consumer to listen', () => heard.startsWith('ready'));
  return guest.must(`python3 -c '${SEND}'`, 60_000);
}
