export type { DomainFields, DomainInterface } from './domain.ts';
export { Libvirtd } from './libvirtd.ts';
