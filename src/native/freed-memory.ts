import { addon } from './addon.ts';

/** Gives back to the kernel what native code has freed: the C library keeps it for as long as something behind it is in use. */
export function returnFreedMemory(): void {
  addon().returnFreedMemory();
}
