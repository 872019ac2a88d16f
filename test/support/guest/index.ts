export { accelerator, type Accelerator } from './accelerator.ts';
export type { GuestResult } from './channel.ts';
export { Guest, type GuestOptions } from './guest.ts';
export { type GuestMachine } from './machine.ts';
export { ensureImage, type GuestImage } from './image.ts';
export { ensureProbe } from './probe.ts';
