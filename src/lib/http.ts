/**
 * Node's HTTP. An `import` of it reads each of its names to bind it, and to read `WebSocket` is to load undici, HTTP/2 and web streams: a
 * dozen megabytes for a process that needs none of them. So what stays in memory has it from here.
 */
export const { Agent, createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http');
