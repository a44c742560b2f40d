/** The virtual clock, as specs import it; it is published as part of `troupe/testing`. */
export { settle, VirtualClock } from '../../transports/simulated.ts';
