import { createServer, type Server } from 'node:http';
import { connect as connectSocket, type Socket } from 'node:net';

/** An HTTP proxy that knows CONNECT. */
export async function startProxy(): Promise<{ server: Server; asked: string[]; close: () => Promise<void> }> {
  const asked: string[] = [];
  const sockets: Socket[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, client: Socket) => {
    asked.push(request.url ?? '');
    const { hostname, port } = new URL(`http://${request.url ?? ''}`);
    const target = connectSocket(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    sockets.push(target);
    // Neither outlives the other: who asked hears of it.
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy());
    }
  });
  proxy.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => proxy.close(resolve));
  };
  return { server: proxy, asked, close };
}
